"""Live figures, one file per widget: a plain model (state and pure functions) and a thin view.

The views are core ipywidgets. Nothing is computed here that a plain function could not compute,
and nothing below imports from here.
"""

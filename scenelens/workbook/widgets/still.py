"""A still picture of a widget, stored in the notebook under it, for the time when its kernel has gone.

Jupyter stores a widget as the number of a model that lives in the kernel. A notebook that is opened again
without it says "model not found". So each widget is followed by an output of plain HTML. It is hidden by the
widget's own style sheet, as long as the widget is there; and where it is seen, it hides that sentence.
"""

from __future__ import annotations

import uuid
from html import escape
from typing import Any

import ipywidgets
from ipywidgets.embed import dependency_state

from scenelens.workbook.snapshots import _ALT, _view

STILL = "still"  # value of the output's metadata entry "scenelens", by which others know it
_CLASS = "scenelens-still"
_ASLEEP = "This is a still picture: the widget is asleep. Run its cell to wake it"
# A widget's output is the only kind without this attribute.
_LOST = f".jp-OutputArea-child:has(+ * .{_CLASS}) .jp-OutputArea-output:not([data-mime-type])"
_SHEET = f"""
.{_CLASS} .row {{ display: flex; flex-wrap: wrap; gap: 6px; align-items: center; margin: 4px 0; }}
.{_CLASS} img {{ max-width: 100%; }}
.{_CLASS} .button, .{_CLASS} .value {{ border: 1px solid currentcolor; border-radius: 3px; padding: 0 6px; }}
{_LOST}:not(:has(.scenelens-widget)) {{ display: none; }}
"""


class _Still:
    """The still picture of one widget.

    Parameters
    ----------
    root : ipywidgets.DOMWidget
        The widget.

    Examples
    --------
    >>> still = _Still(ipywidgets.VBox([ipywidgets.Label("conv5 < pool5")]))
    >>> "conv5 &lt; pool5" in still.output()["text/html"]
    True
    """

    def __init__(self, root: ipywidgets.DOMWidget) -> None:
        self._root, self._name = root, f"{_CLASS}-{uuid.uuid4().hex}"

    @property
    def hidden(self) -> str:
        """CSS that hides this still picture, and no other.

        Returns
        -------
        str
            One rule.
        """
        return f".{self._name} {{ display: none; }}"

    def output(self, more: str = "") -> dict[str, Any]:
        """The output that shows the widget as it is now.

        Parameters
        ----------
        more : str, optional
            What is said besides that the widget is asleep (default nothing). Plain HTML of the program's own.

        Returns
        -------
        dict of str to str
            By MIME type.
        """
        shown = _view(self._root.model_id, dependency_state([self._root], drop_defaults=False))
        shown = shown.replace(_ALT, "The widget as it was")
        said = f"{escape(_ASLEEP)}. {more}".strip()
        html = f'<div class="{_CLASS} {self._name}"><style>{_SHEET}</style><p><b>{said}</b></p>{shown}</div>'
        return {"text/html": html, "text/plain": _ASLEEP}

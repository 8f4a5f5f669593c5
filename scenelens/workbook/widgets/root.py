"""The outermost box of every widget: it keeps its keys to itself, and says when its kernel has gone.

In JupyterLab and Notebook a key that is pressed while a button has the focus is also a command of the
notebook: x cuts the cell with the widget, d d deletes it, m makes text of it. Text fields are spared, buttons
and sliders are not. Lumino, which handles these keys, skips elements with the attribute
``data-lm-suppress-shortcuts``. But the notebook's commands are bound to the focused element itself, and
Lumino looks at that element before it looks at what is around it, so the attribute on the root alone changes
nothing for a button inside. So while the focus is in a widget, its root gives the attribute to the element
that gets a key. This happens on the window, in the capture phase, because Notebook handles keys in the
capture phase of the document (JupyterLab in the bubbling phase). Only Ctrl+S goes on, to save the notebook.
The root can have the focus itself, so that a click on a picture or on a text puts the focus on it: otherwise
Jupyter would focus the cell, and the next key would be a command.

ipywidgets cannot set an attribute of an element from Python. What does it here is the load event of the
widget's own style sheet, which happens in every Jupyter without an extension, and again when the cell was out
of view and comes back. Its text, which is ``root.js``, is fixed: no data ever reach it.

The same handler names what ipywidgets leaves nameless to a screen reader: buttons that show an arrow alone,
sliders, text fields and pictures. It says which buttons are pressed, and it lets the status line be read when
it changes.

jupyter-widgets gives every widget the class ``jupyter-widgets-disconnected`` when its kernel restarts, and
when a notebook is opened again. Where the kernel was shut down or has died, only the notebook's own indicator
shows it. In all these cases the style sheet shows a sentence that is hidden until then. A notebook that is
opened again without the states of its widgets shows a still picture (see `still`). Sheet and sentence are
hidden by their layout, so pages (see `scenelens.workbook.snapshots`) have neither.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from IPython.display import display

from scenelens.errors import SceneLensError
from scenelens.workbook.widgets.message_order import _handle_in_order
from scenelens.workbook.widgets.steps import STEPS, _Steps
from scenelens.workbook.widgets.still import STILL, _Still

_ROOT, _LOST = "scenelens-widget", "scenelens-lost"
_KEYS = html.escape(Path(__file__).with_suffix(".js").read_text("utf-8"))
# What Jupyter calls a kernel that was shut down, that is being shut down, or that died.
_STOPPED = ", ".join(
    f".jp-Notebook-ExecutionIndicator[data-status={one}]" for one in ("unknown", "terminating", "dead")
)
_SHEET = f"""
.{_ROOT} {{ --scenelens-error: #b3261e; }}
[data-jp-theme-light=false] .{_ROOT} {{ --scenelens-error: #ff9a90; }}
.{_ROOT}:focus {{ outline: none; }}
.{_ROOT} > .widget-hbox {{ flex-wrap: wrap; }}
.{_ROOT} .widget-image {{ margin-left: 0; margin-right: 0; }}
.{_ROOT} .scenelens-status .widget-html-content {{
  line-height: 20px;
  white-space: normal;
  overflow-wrap: anywhere;
}}
.{_ROOT} .scenelens-table :is(th, td) {{ padding: 0 14px 0 0; line-height: 22px; }}
.{_ROOT} .sl-code-text pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
.{_ROOT} .scenelens-busy .widget-html-content::before {{ content: "⏳ "; }}
.{_ROOT} .scenelens-off {{
  text-decoration: line-through;
  box-shadow: inset 0 0 0 2px currentcolor;
  background: var(--jp-layout-color1, #fff);
}}
.jupyter-widgets-disconnected > .{_LOST}, .jp-NotebookPanel:has({_STOPPED}) .{_LOST} {{
  display: block !important;
  color: var(--scenelens-error);
  font-weight: 600;
}}
.{_ROOT} .{_ROOT} > .{_LOST}.{_LOST}.{_LOST}.{_LOST} {{ display: none !important; }}
.{_LOST} .widget-html-content {{ line-height: 20px; white-space: normal; }}
"""
_GONE = (
    "The kernel of this widget has stopped or was restarted, so its controls do nothing any more. "
    "Run its cell again to go on."
)


class WidgetRoot(ipywidgets.VBox):
    """The outermost box of a widget.

    Parameters
    ----------
    name : str
        CSS class of the widget, besides ``scenelens-widget``.
    parts : sequence of ipywidgets.Widget
        What it shows, from top to bottom.
    gone : str, optional
        What is said, besides the general sentence, when the kernel has gone (default: nothing). Plain HTML
        of the program's own, never a text from data.

    Examples
    --------
    >>> root = WidgetRoot("sl-example", [ipywidgets.Button(description="next")])
    >>> root._dom_classes
    ('scenelens-widget', 'sl-example')
    >>> root.children[-1].description
    'next'
    """

    def __init__(self, name: str, parts: Sequence[ipywidgets.Widget], gone: str = "") -> None:
        self._still, self._more = _Still(self), gone
        css = f"{_SHEET}{self._still.hidden}"
        sheet = ipywidgets.HTML(f'<style onload="{_KEYS}">{css}</style>', layout={"display": "none"})
        lost = ipywidgets.HTML(f"{_GONE} {gone}".strip(), layout={"display": "none"})
        super().__init__([sheet, lost.add_class(_LOST), *parts])
        self.add_class(_ROOT)
        self.add_class(name)
        self._view_count = 0  # so that Jupyter counts where it is on screen
        self.parts_changed()

    def parts_changed(self) -> None:
        """Let the messages of new parts be handled in order, too (see `message_order`)."""
        _handle_in_order(self)

    def page_steps(self) -> dict[str, Sequence[Any]]:
        """What a reader of the widget's page can move, without a kernel.

        A widget that offers something has its picture in ``picture`` and its state in ``model``.

        Returns
        -------
        dict of str to sequence
            By the name of the control, which has the CSS class ``sl-`` and that name: the values. Empty
            (default) where the page shows the widget as it was.
        """
        return {}

    def draw_step(self, *values: Any, **named: Any) -> tuple[np.ndarray, str]:
        """The picture and the sentence for some values, whatever the widget shows.

        Parameters
        ----------
        *values, **named : object
            One value of each entry of `page_steps`.

        Returns
        -------
        picture : numpy.ndarray
            uint8 RGB, (H, W, 3).
        words : str
            The sentence under it.
        """
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """What Jupyter stores of the widget; where it cannot be shown, one sentence stands for it."""
        return {**super()._repr_mimebundle_(**options), "text/plain": "A widget of scenelens: run this cell."}

    def _ipython_display_(self) -> None:
        """Show the widget, and store a still picture of it after it."""
        display(self._repr_mimebundle_(), raw=True, metadata=self._about())
        display(self._still.output(self._more), raw=True, metadata={"scenelens": STILL})

    def _about(self) -> dict[str, Any]:
        """The metadata of the widget's output: pictures for its page, where they are wanted."""
        values = self.page_steps() if _Steps.wanted() else {}
        if all(len(some) < 2 for some in values.values()):
            return {}
        view: Any = self
        now = {name: getattr(view.model, name) for name in values}
        try:
            return {STEPS: _Steps(values, self.draw_step).saved(view.picture.model_id, now)}
        except SceneLensError:  # the widget says what is wrong; its page can do without
            return {}

"""The kernel handles what a reader does to a widget in the order in which it was done, one thing at a time.

JupyterLab sends the messages of widgets to a separate thread in the kernel (a subshell), so that they are
handled while a cell runs. From version 7.4 on, ipykernel passes each control's messages to the thread from
which that control was last changed. Then two threads serve the controls of one view at once: a click on a
button overtakes the text that was written just before it, and two callbacks run the same network at the same
time. In a form, what is saved would not always be what is on screen. So all messages of our views go to the
main thread, where cells run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets


def _handle_in_order(view: ipywidgets.Widget) -> None:
    """Let the kernel's main thread handle all messages of a widget and its children, one after the other.

    In a kernel without subshells, and outside a kernel, this changes nothing.

    Parameters
    ----------
    view : ipywidgets.Widget
        The outermost widget, complete with its children.

    Examples
    --------
    >>> _handle_in_order(ipywidgets.VBox([ipywidgets.Text()]))
    """
    for widget in _parts(view):
        if hasattr(widget.comm, "_reply_subshell_for"):  # ipykernel's, from 7.4 on
            widget.comm._reply_subshell_for = _main_thread


def _parts(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _parts(child)


def _main_thread(data: Any, default: str | None) -> None:
    """The subshell that a message goes to: None, which is the main thread."""

"""What a reader does to a widget reaches the kernel in that order, and one thing at a time.

JupyterLab sends the messages of widgets to a thread of their own in the kernel (a subshell), so that they are
heard while a cell runs; ipykernel 7 sends each control's messages on to the thread from which that control
was last written to. The controls of one view are then served by two threads at once: a click on a button
overtakes the text that was written just before it, and two callbacks run the same network at the same time.
For a form that is fatal, since what is saved need not be what is on screen. So the messages of our views all
go to the main thread, where cells run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets


def handle_in_order(view: ipywidgets.Widget) -> None:
    """Let all messages of a widget and of what it contains be handled by the kernel's main thread, in turn.

    Where the kernel knows no subshells, or there is none, nothing needs to be done and nothing is.

    Examples
    --------
    >>> handle_in_order(ipywidgets.VBox([ipywidgets.Text()]))
    """
    for widget in _parts(view):
        if hasattr(widget.comm, "_reply_subshell_for"):  # ipykernel's, from 7 on
            widget.comm._reply_subshell_for = _main_thread


def _parts(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _parts(child)


def _main_thread(data: Any, default: str | None) -> None:
    """The name of the subshell that a message goes to: none of them."""

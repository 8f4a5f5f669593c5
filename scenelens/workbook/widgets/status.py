"""The line under every widget that says what is going on, and shows an error where the reader looks.

Jupyter shows nothing when a widget's callback fails: the traceback goes to a log that nobody opens. So each
callback of ours is `guarded`: its error is written into the widget's `Status` line, and raised on.
"""

from __future__ import annotations

import functools
import html
import traceback
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import ipywidgets

ERROR_CLASS = "scenelens-error"  # the notebook runner looks for a line of this class that is not empty

P = ParamSpec("P")
R = TypeVar("R")


class Status(ipywidgets.HTML):
    """One line of text beneath a widget.

    The line carries the CSS class ``scenelens-status``, and ``scenelens-error`` while it shows an error.

    Examples
    --------
    >>> status = Status()
    >>> status.show("60 images of pool5:17")
    >>> status.value
    '60 images of pool5:17'
    >>> status.error(ValueError("no layer named 'pol5'"))
    >>> status.failed
    True
    >>> status.show("")
    >>> status.failed
    False
    """

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.add_class("scenelens-status")
        self.show(text)

    @property
    def failed(self) -> bool:
        """Whether the line shows an error now."""
        return ERROR_CLASS in self._dom_classes

    def show(self, text: str) -> None:
        """Say `text` (plain, not HTML) and clear any error before it."""
        self.remove_class(ERROR_CLASS)
        self.value = html.escape(text, quote=False)

    def error(self, error: BaseException) -> None:
        """Show an exception: its sentence in view, its traceback folded away."""
        sentence = html.escape(f"{type(error).__name__}: {error}", quote=False)
        trace = html.escape("".join(traceback.format_exception(error)), quote=False)
        self.value = (
            f'<b style="color:#b3261e">{sentence}</b>'
            f"<details><summary>traceback</summary><pre>{trace}</pre></details>"
        )
        self.add_class(ERROR_CLASS)


def guarded(status: Status) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a widget's callback so that its failure is seen in `status`, and still raised.

    A callback that succeeds takes an earlier error off the line; a text it showed itself stays.

    Examples
    --------
    >>> status = Status()
    >>> @guarded(status)
    ... def pick(change):
    ...     return 1 / change["new"]
    >>> pick({"new": 0})
    Traceback (most recent call last):
    ...
    ZeroDivisionError: division by zero
    >>> status.failed
    True
    >>> pick({"new": 4})
    0.25
    >>> status.failed
    False
    """

    def decorate(callback: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(callback)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            before = status.value if status.failed else None
            try:
                result = callback(*args, **kwargs)
            except Exception as error:
                status.error(error)
                raise
            if status.failed and status.value == before:
                status.show("")
            return result

        return wrapper

    return decorate

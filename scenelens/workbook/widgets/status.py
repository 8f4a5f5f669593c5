"""The line above every widget's picture: it says what is shown, and shows an error where the reader looks.

Jupyter shows nothing when a widget's callback fails: the traceback goes to a log that is usually closed. So
every callback of ours is `Status.guarded`: its error is written into the widget's line, and raised again.
"""

from __future__ import annotations

import functools
import html
import traceback
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import ipywidgets

from scenelens.errors import SceneLensError

ERROR_CLASS = "scenelens-error"  # the workbook's runner looks for lines of this class (see problems.py)
BUSY_CLASS = "scenelens-busy"

_BOLD = '<b style="color:var(--scenelens-error, #b3261e)">⚠ {}</b>'
_FAULT = "This is a fault of the program. Choose something else, or run the cell again."

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Status(ipywidgets.HTML):
    """One line of text above a widget's picture.

    The line has the CSS class ``scenelens-status``, and also ``scenelens-error`` while it shows an error.

    Parameters
    ----------
    text : str, optional
        The first text (default: none).

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
        """Whether the line shows an error now.

        Returns
        -------
        bool
            True from `error` to the next `show`.
        """
        return ERROR_CLASS in self._dom_classes

    def show(self, text: str) -> None:
        """Show a text, in place of the text or the error before it.

        Parameters
        ----------
        text : str
            Plain text, not HTML.
        """
        self.remove_class(ERROR_CLASS)
        self.value = html.escape(text, quote=False)

    def busy(self, is_busy: bool) -> None:
        """Say by an hourglass before the text whether something is being computed.

        Parameters
        ----------
        is_busy : bool
            Whether it is.
        """
        (self.add_class if is_busy else self.remove_class)(BUSY_CLASS)

    def error(self, error: BaseException) -> None:
        """Show an exception: its sentence, and the traceback of an unexpected one on a click.

        Parameters
        ----------
        error : BaseException
            A `SceneLensError` is about what the reader gave; its sentence says the way out. Any other one is
            a fault of the program.
        """
        if isinstance(error, SceneLensError):
            self.value = _BOLD.format(html.escape(str(error), quote=False))
        else:
            sentence = html.escape(f"{type(error).__name__}: {error}", quote=False)
            trace = html.escape("".join(traceback.format_exception(error)), quote=False)
            self.value = (
                f"{_BOLD.format(sentence)} {_FAULT}"
                f"<details><summary>traceback</summary><pre>{trace}</pre></details>"
            )
        self.add_class(ERROR_CLASS)
        self.busy(False)

    def guarded(self, callback: Callable[_P, _R]) -> Callable[_P, _R]:
        """Decorate a widget's callback so that its error is shown in this line, and still raised.

        A callback that succeeds removes an earlier error from the line. A text that the callback itself
        showed stays.

        Parameters
        ----------
        callback : callable
            The callback.

        Returns
        -------
        callable
            The decorated callback.

        Examples
        --------
        >>> status = Status()
        >>> @status.guarded
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

        @functools.wraps(callback)
        def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            # The callback may show a text or another error itself: only an error from before is removed.
            before = self.value if self.failed else None
            try:
                result = callback(*args, **kwargs)
            except Exception as error:
                self.error(error)
                raise
            if self.failed and self.value == before:
                self.show("")
            return result

        return wrapper

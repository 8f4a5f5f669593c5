"""The errors that a reader of the workbook may meet: a sentence says what is wrong and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# Control characters and the separators of lines: in the name of a file, for example, they would make several
# lines of one sentence, or change what a terminal shows.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# A foreign error may quote a whole file. Both ends are kept: what is wrong stands first, the way out last.
_LONGEST = 1500  # characters


class SceneLensError(ValueError):
    """Something that the reader gave (a name, a file, a value) cannot be used.

    The message says what was wrong, what is allowed, and what to do. It is one line of at most 1,500
    characters, whatever is in the names and errors that it holds.

    Parameters
    ----------
    message : str
        The sentence.

    Examples
    --------
    >>> raise SceneLensError("no study named 'real'")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: no study named 'real'
    >>> str(SceneLensError("two\\nlines"))
    'two lines'
    """

    def __init__(self, message: str = "") -> None:
        line = _CONTROLS.sub(" ", message)
        if len(line) > _LONGEST:
            line = f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 3 :]}"
        super().__init__(line)


class CannotAnswerError(SceneLensError):
    """A question that this study cannot answer: it has no annotations, one network, too few images.

    The message says what is missing and what would help. A notebook shows it and goes on, see
    `scenelens.cells`; elsewhere it is an exception like any other.

    Examples
    --------
    >>> raise CannotAnswerError("the study has no annotations: add an [annotations] table to study.toml.")
    Traceback (most recent call last):
    ...
    scenelens.errors.CannotAnswerError: the study has no annotations: add an [annotations] table ...
    """


def close_names(name: object, allowed: Iterable[object]) -> str:
    """Return the allowed names that are most like a mistyped one, as the end of an error's sentence.

    Parameters
    ----------
    name : object
        What was given; anything that has a ``str()``.
    allowed : iterable of object
        The names that would have been accepted, in the order in which to show them.

    Returns
    -------
    str
        Such as ``"close names: pool5, pool2"``; where no name is similar, the first twelve allowed names.

    Examples
    --------
    >>> close_names("pol5", ["conv1", "pool5"])
    'close names: pool5'
    >>> close_names("xyz", ["conv1", "pool5"])
    'allowed: conv1, pool5'
    >>> close_names("xyz", [])
    'there are none'
    """
    names = [str(one) for one in allowed]
    by_lower = {one.lower(): one for one in names}
    near = difflib.get_close_matches(str(name).lower(), list(by_lower), n=3, cutoff=0.6)
    if near:
        return "close names: " + ", ".join(by_lower[one] for one in near)
    if not names:
        return "there are none"
    more = f", ... ({len(names)} in all)" if len(names) > 12 else ""
    return "allowed: " + ", ".join(names[:12]) + more

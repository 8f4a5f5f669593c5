"""The one error a reader of the workbook should ever meet: a sentence with the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SceneLensError(ValueError):
    """Something the reader gave (a name, a file, a value) cannot be used; the message says why and what to
    do.

    >>> raise SceneLensError("no study named 'real'")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: no study named 'real'
    """


def close_names(name: object, allowed: Iterable[object]) -> str:
    """The allowed names nearest to a mistyped one, as the end of an error's sentence.

    Parameters
    ----------
    name : what was given; anything that has a str().
    allowed : the names that would have been accepted, in the order to show them.

    Returns
    -------
    str : ``"close names: pool5, pool2"``, or, where nothing is near, the first dozen allowed names.

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

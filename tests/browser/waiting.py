"""Waiting for what a page says of itself, also where its policy forbids scripts that are made of text."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Error, Page


def until(page: Page, condition: str, arg: Any = None, seconds: float = 20) -> None:
    """Wait until an expression, or a function of `arg`, is true in the page; an AssertionError if it is not.

    ``Page.wait_for_function`` asks again by eval, inside the page: a strict policy refuses it, but only where
    the first answer was no. So a test that uses it there passes on a fast machine and fails on a slow one.
    """
    end = time.monotonic() + seconds
    while not _is_so(page, condition, arg):
        assert time.monotonic() < end, f"not true within {seconds} s: {condition}"
        page.wait_for_timeout(20)


def _is_so(page: Page, condition: str, arg: Any) -> bool:
    try:
        return bool(page.evaluate(condition, arg))
    except Error as error:  # a click may lead to another page just while this one is asked
        if "Execution context was destroyed" not in error.message:
            raise
        return False

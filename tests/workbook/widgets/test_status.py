"""The status line, and the guard that puts a callback's error on it."""

from __future__ import annotations

import pytest

from scenelens.workbook.widgets.status import Status


def test_text_is_shown_as_text():
    status = Status("<b>pool5</b>")
    assert status.value == "&lt;b&gt;pool5&lt;/b&gt;"
    assert not status.failed


def test_an_error_is_shown_with_its_traceback_and_raised():
    status = Status()

    @status.guarded
    def callback(change):
        raise ValueError("no unit <9>")

    with pytest.raises(ValueError, match="no unit <9>"):
        callback({})
    assert status.failed
    sentence, traceback = status.value.split("<details>")
    assert "ValueError: no unit &lt;9&gt;" in sentence
    assert "in callback" in traceback


def test_success_clears_an_old_error_and_keeps_a_new_text():
    status = Status()

    @status.guarded
    def silent():
        return 1

    @status.guarded
    def speaks():
        status.show("done")

    status.error(ValueError("old"))
    assert silent() == 1
    assert (status.failed, status.value) == (False, "")
    status.error(ValueError("old"))
    speaks()
    assert (status.failed, status.value) == (False, "done")


def test_an_error_the_callback_shows_itself_stays():
    status = Status()

    @status.guarded
    def reports():
        status.error(ValueError("the second image is broken"))

    reports()
    assert status.failed
    status.error(ValueError("old"))
    reports()
    assert "second image" in status.value

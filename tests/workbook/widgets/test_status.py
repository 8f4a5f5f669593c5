"""The status line, and the guard that puts a callback's error on it."""

from __future__ import annotations

import pytest

from scenelens.errors import SceneLensError
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


def test_what_the_reader_gave_is_refused_in_one_sentence():
    status = Status()
    status.error(SceneLensError("no layer named 'pol5'; close names: pool5 <b>"))
    assert status.failed
    assert status.value.endswith("⚠ no layer named 'pol5'; close names: pool5 &lt;b&gt;</b>")
    for word in ("SceneLensError", "traceback", "fault"):
        assert word not in status.value


def test_a_fault_of_the_program_is_told_as_such():
    status = Status()
    status.error(KeyError("lamp"))
    assert "KeyError: 'lamp'" in status.value
    assert "Choose something else, or run the cell again." in status.value.split("<details>")[0]


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

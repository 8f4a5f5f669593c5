"""Taking an image apart without a browser: the model, its words, and how view and model follow each other."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

import scenelens as sl
from scenelens.errors import SceneLensError
from scenelens.minimal_images.cut_image import CutImage
from scenelens.minimal_images.search import simplify
from scenelens.minimal_images.widget import _GAP, _SIDE, _Numbered, _RemovalModel, take_apart
from tests.minimal_images.test_cut_image import grid
from tests.small_network import photograph, small_network


@pytest.fixture(scope="module")
def cut():
    return CutImage(small_network(), photograph(3), grid(3, 4))


@pytest.fixture
def view(cut):
    made = take_apart(cut, simplify(cut))
    yield made
    made.close()


def shown(view) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(view.picture.value)))


def uploaded(name: str, content: bytes) -> tuple[dict, ...]:
    """What a FileUpload holds after one file."""
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return ({"name": name, "type": "", "size": len(content), "content": content, "last_modified": when},)


def test_it_begins_with_the_whole_image(view):
    assert all(view.model.kept)
    assert "100% of the pixels kept" in view.status.value
    assert "the search: " in view.status.value
    assert shown(view).shape == (_SIDE, 2 * _SIDE + _GAP, 3)
    assert [len(row.children) for row in view.segments.children] == [12]


def test_the_slider_goes_through_the_search(view):
    found = view.model.found
    last = len(found.steps) - 1
    assert view.step.max == last
    view.step.value = last
    np.testing.assert_array_equal(view.model.kept, found.kept_after(last))
    removed = [button.description for button in view.buttons if not button.value]
    assert removed == [str(k + 1) for k in sorted(found.steps.removed[1:])]
    if not found.steps.correct.iloc[-1]:
        assert "the network says" in view.status.value


def test_a_button_removes_a_segment_and_brings_it_back(view):
    before = view.picture.value
    view.buttons[5].value = False
    assert view.model.kept.count(False) == 1
    assert view.picture.value != before
    expected = view.model.cut.scores(np.array(view.model.kept))
    assert f"score {expected.score[0]:.2f}, rank {expected.rank[0]}" in view.status.value
    view.buttons[5].value = True
    assert all(view.model.kept)


def test_the_step_is_that_of_what_is_kept(view):
    found = view.model.found
    view.step.value = 2
    assert "step 2 of the search" in view.status.value
    view.all.click()
    assert all(view.model.kept)
    assert (view.step.value, view.step.readout) == (0, True)
    first = int(found.steps.removed.iloc[1])
    view.buttons[first].value = False  # by hand, what the search does first
    assert (view.step.value, view.step.readout) == (1, True)
    other = next(k for k in range(12) if k not in found.steps.removed.tolist()[1:3])
    view.buttons[other].value = False
    assert view.step.readout is False
    assert "your own choice" in view.status.value


def test_undo_brings_segments_and_the_image_back(view):
    whole, cut = view.picture.value, view.model.cut
    view.buttons[5].value = False
    view.tools.buttons["undo"].click()
    assert all(view.model.kept)
    assert view.picture.value == whole
    file = io.BytesIO()
    Image.fromarray(photograph(9, (60, 90))).save(file, "PNG")
    view.upload.value = uploaded("mine.png", file.getvalue())
    view.tools.buttons["undo"].click()
    assert view.model.cut is cut
    assert len(view.buttons) == 12
    assert view.picture.value == whole


def test_another_image_with_as_many_segments_is_another_image(view, cut):
    other = CutImage(cut.network, photograph(4), grid(3, 4))
    before = view.picture.value
    view.model.begin(other)
    assert view.picture.value != before
    assert view.step.max == view.model.steps


def test_a_segment_is_found_by_its_name_and_framed(view, cut):
    find = view.finder.controls
    find["find"].value = "REGION 5"
    assert find["found"].options == (("1 segment", -1), ("6 region 5 · 8%", 5))
    before = shown(view)
    find["found"].value = 5
    assert view.model.segment == 5
    assert all(view.model.kept)  # to look at a segment is not to remove it
    differs = (np.abs(shown(view).astype(int) - before) > 60).any(2)
    rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
    # The sixth of three rows of four.
    assert _SIDE / 3 - 2 <= rows.min() < rows.max() <= 2 * _SIDE / 3 + 2
    assert _SIDE / 4 - 2 <= columns.min() < columns.max() <= _SIDE / 2 + 2
    assert view.buttons[5].description == "▸ 6"
    assert "segment 6, region 5: 8% of the pixels" in view.status.value
    view.tools.buttons["undo"].click()
    assert view.model.segment == -1
    assert view.buttons[5].description == "6"


def test_the_list_of_segments_follows_what_is_kept_and_is_sorted(view, cut):
    find = view.finder.controls
    find["show"].value = "removed"
    assert find["found"].options == (("0 segments", -1),)
    for segment in (5, 2):
        view.buttons[segment].value = False
    assert [segment for _, segment in find["found"].options] == [-1, 2, 5]
    find["show"].value, find["order"].value = "kept", "size"
    found = [segment for _, segment in find["found"].options][1:]
    assert sorted(found) == [k for k in range(12) if k not in (2, 5)]
    assert (np.diff(cut.regions.shares[found]) <= 0).all()
    find["order"].value = "name"
    names = [cut.regions.names[segment] for _, segment in find["found"].options[1:]]
    assert names == sorted(names)


def test_the_best_choice_is_said_at_once(view):
    first = int(view.model.found.steps.removed.iloc[1])  # the search goes on after it, so it is recognised
    view.buttons[first].value = False
    assert view.model.recognised
    assert f"you: {view.model.share:.0%}" in view.status.value


def test_code_and_table_are_of_what_is_shown(view, cut):
    view.buttons[5].value = False
    view.model.segment = 3
    scope = {"sl": sl, "cut": cut}
    exec(view.model.code(), scope)
    assert scope["view"].model.kept == view.model.kept
    assert scope["view"].model.segment == 3
    table = view.model.table()
    assert table.segment[~table.kept].tolist() == [6]
    assert table.share.sum() == pytest.approx(1)


def test_the_best_by_hand_counts_only_while_recognised(cut):
    model = _RemovalModel(cut)
    for segment in np.flatnonzero(~model.found.kept):
        model.switch(int(segment), False)
    assert model.recognised
    assert model.best == (model.share, model.kept)
    assert model.share == pytest.approx(model.found.share)
    assert "beat" not in model.describe()
    share = model.best[0]
    for segment in np.flatnonzero(model.found.kept):
        model.switch(int(segment), False)
    if not model.recognised:
        assert model.best[0] <= share
    model.best = (model.found.share / 2, model.kept)
    assert "you beat it!" in model.describe()


def test_a_readers_photograph(view):
    file = io.BytesIO()
    Image.fromarray(photograph(9, (60, 90))).save(file, "PNG")
    view.upload.value = uploaded("mine.png", file.getvalue())
    model = view.model
    assert len(view.buttons) == len(model.cut.regions) != 12
    assert model.cut.target == model.cut.network.predict(photograph(9, (60, 90)), top=1).predicted[0]
    assert view.step.max == model.steps
    assert all(button.value for button in view.buttons)
    assert view.upload.value == ()  # the button counts no file that was taken


def test_an_upload_that_is_no_photograph_is_an_error_and_changes_nothing(view):
    before = view.model.cut
    with pytest.raises(SceneLensError, match=r"the image notes\.txt is unreadable"):
        view.upload.value = uploaded("notes.txt", b"no picture")
    assert view.status.failed
    assert view.upload.value == ()
    assert view.model.cut is before


def test_an_image_that_is_not_recognised_says_so():
    network = small_network()
    wrong = next(
        name for name in network.classes if name != network.predict(photograph(3), top=1).predicted[0]
    )
    model = _RemovalModel(CutImage(network, photograph(3), grid(2, 2), wrong))
    assert "nothing to simplify" in model.describe()
    assert model.steps == 0


def test_removed_segments_are_dim_and_every_number_is_inside_its_segment(cut):
    everything = (True,) * 12
    numbered = _Numbered(cut.frame, cut.regions)
    whole = numbered.draw(everything)
    less = numbered.draw((False, *everything[1:]))
    differs = (whole != less).any(2)
    rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
    assert rows.max() < _SIDE / 3
    assert columns.max() < _SIDE / 4
    assert less[differs].mean() > whole[differs].mean()


def test_a_page_steps_through_the_search_while_the_widget_stays_as_it_is(view):
    before = view.model.kept
    steps = view.page_steps()["step"]
    assert (steps[0], steps[-1]) == (0, view.model.steps)
    for step in steps:
        picture, words = view.draw_step(step)
        other = _RemovalModel(view.model.cut, view.model.found)
        other.kept = tuple(view.model.found.kept_after(step).tolist())
        np.testing.assert_array_equal(picture, other.pictures())
        assert f"step {step} of the search" in words
    assert view.model.kept == before


def test_a_page_shows_a_few_steps_of_a_long_search(view, monkeypatch):
    monkeypatch.setattr("scenelens.minimal_images.widget._MOST_STEPS", 3)
    assert view.page_steps()["step"] == [0, round(view.model.steps / 2), view.model.steps]

"""The annotation widget without a browser: view and model follow each other, and every trouble is seen."""

from __future__ import annotations

import asyncio
import io

import numpy as np
import pytest
from PIL import Image

import scenelens as sl
from scenelens.errors import SceneLensError
from scenelens.labels.store import LabelStore
from scenelens.labels.table import TYPES
from scenelens.studies.study import open_study
from scenelens.unit_semantics import session, task
from scenelens.unit_semantics.widget import _MEANINGS, _REFUSED, _SIDE, annotate_units
from scenelens.workbook.widgets.unit_view import encode
from tests.tiny_study import write_tiny_study

UNITS = [("scene", "pool5", 4), ("object", "pool5", 1)]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def store(tmp_path):
    return LabelStore(tmp_path / "labels.db")


@pytest.fixture
def view(study, store):
    made = annotate_units(study, UNITS, "Ada", store=store)
    yield made
    made.close()


def fill(view, also=()):
    """Give a right answer by the controls."""
    one = view.controls
    one["concept"].value, one["types"].value = "lamp", "object"
    one["marks"].value = ", ".join(str(place + 1) for place in sorted({*view.model.task().catch, *also}))


def press(widget, event="submit"):
    widget._handle_custom_msg({"event": event}, [])


def test_it_shows_the_units_images_as_numbered_buttons(view):
    task = view.model.task()
    assert len(view.sheet.children) == len(task) == 20
    assert [button.description for button in view.buttons] == [str(k + 1) for k in range(20)]
    pictures = task.tiles(_SIDE)
    for k in (0, 19):
        assert view.images[k].value == encode(pictures[k], quality=82)
        assert Image.open(io.BytesIO(view.images[k].value)).size == (_SIDE, _SIDE)
    assert view.controls["progress"].value == "unit 1 of 2 · 0 answered"


def test_nothing_on_screen_reveals_the_catch_trials(view):
    tiles = [(button.description, button.tooltip, button.button_style) for button in view.buttons]
    assert {tile[1:] for tile in tiles} == {("does not fit", "")}
    assert {button._dom_classes for button in view.buttons} == {(f"sl-tile-{k + 1}",) for k in range(20)}


def test_buttons_and_numbers_follow_each_other(view):
    view.buttons[6].value = True
    view.buttons[1].value = True
    assert view.controls["marks"].value == "2, 7"
    view.controls["marks"].value = "7 3;3"
    assert view.model.marked == (2, 6)
    assert [k for k, button in enumerate(view.buttons) if button.value] == [2, 6]
    assert view.controls["marks"].value == "3, 7"
    view.controls["marks"].value = ""
    assert view.model.marked == ()


@pytest.mark.parametrize(
    ("text", "words"), [("3, x", "'x' is no number"), ("3 21", "no image 21"), ("0", "no image 0")]
)
def test_a_wrong_number_is_refused_and_stays_to_be_corrected(view, text, words):
    view.buttons[4].value = True
    view.controls["marks"].value = text
    assert words in view.status.value
    assert not view.status.failed
    assert (view.controls["marks"].value, view.model.marked) == (text, (4,))
    view.controls["marks"].value = "3"
    assert view.status.value == ""
    assert view.model.marked == (2,)


def test_a_refused_answer_is_said_and_stays(view, store):
    fill(view)
    view.controls["types"].value = None
    shown = {name: view.controls[name].value for name in ("annotator", "concept", "marks", "types")}
    view.controls["accept"].click()
    assert view.status.value.startswith("No type is chosen")
    assert _REFUSED in view.status._dom_classes
    assert {name: view.controls[name].value for name in shown} == shown
    assert not store.path.exists()
    view.controls["types"].value = "object"
    view.controls["accept"].click()
    assert view.status.value.startswith("saved: pool5:4 of the scene network is 'lamp' (object), 100%")
    assert _REFUSED not in view.status._dom_classes


def test_an_accepted_answer_brings_the_next_unit(view, store):
    first = view.images[0].value
    fill(view)
    view.controls["accept"].click()
    assert store.labels().concept.tolist() == ["lamp"]
    assert view.images[0].value != first
    assert view.controls["progress"].value == "unit 2 of 2 · 1 answered"
    assert (view.controls["concept"].value, view.controls["marks"].value, view.controls["types"].value) == (
        "",
        "",
        None,
    )
    assert not any(button.value for button in view.buttons)
    fill(view)
    view.controls["accept"].click()
    assert "that was the last of 2: thank you" in view.status.value


def test_the_arrows_go_through_the_queue(view):
    view.controls["concept"].value = "begun"
    view.controls["next"].click()
    assert view.controls["progress"].value.startswith("unit 2 of 2")
    assert view.controls["concept"].value == ""
    view.controls["previous"].click()
    assert view.controls["concept"].value == "begun"


def found(view) -> list[str]:
    return [line for line, _ in view.finder.controls["found"].options][1:]


def test_units_of_the_queue_are_found_by_the_persons_own_words(view):
    fill(view)
    view.controls["accept"].click()
    view.controls["concept"].value = "half a la"
    find = view.finder.controls
    find["find"].value = "LA"
    assert found(view) == ["1 answered: lamp", "2 begun: half a la"]
    find["show"].value = "answered"
    assert found(view) == ["1 answered: lamp"]
    find["found"].value = 0
    assert view.controls["progress"].value.startswith("unit 1 of 2 · 1 answered")
    assert view.controls["concept"].value == "lamp"
    find["show"].value, find["find"].value, find["order"].value = "all", "", "name"
    assert found(view) == ["2 begun: half a la", "1 answered: lamp"]
    view.controls["annotator"].value = "Bob"
    assert found(view) == ["1 open", "2 open"]


def test_what_others_call_a_unit_is_never_listed(view, study, store):
    for who in ("Bob", "a program"):
        network, layer, unit = UNITS[0]
        store.add(
            network=network, layer=layer, unit=unit, annotator=who, concept=f"secret of {who}",
            type="object", precision=1.0, n_images=20,
        )  # fmt: skip
    find = view.finder.controls
    find["find"].value = "secret"
    assert found(view) == []
    find["find"].value = ""
    assert found(view) == ["1 open", "2 open"]
    said = [view.status.value, view.controls["progress"].value, str(find["found"].options)]
    assert not any("secret" in text for text in said)


def test_the_unit_on_screen_is_no_other_widgets_business(view, study):
    browser = sl.browse_units(study)
    browser._view_count = 1  # as Jupyter counts
    before = view.model.place
    browser.model.choose(unit=9)
    assert view.model.place == before
    view.controls["next"].click()
    assert browser.model.unit == 9
    browser.close()


def test_what_was_begun_is_there_when_the_widget_is_opened_again(view, study, store):
    view.controls["annotator"].value = "Ada"
    view.controls["concept"].value, view.controls["types"].value = "half a la", "object part"
    view.buttons[6].value = True
    again = annotate_units(study, UNITS, store=store)
    again.controls["annotator"].value = "Ada"
    assert (again.controls["concept"].value, again.controls["types"].value) == ("half a la", "object part")
    assert (again.controls["marks"].value, again.buttons[6].value) == ("7", True)
    again.close()


def test_every_letter_of_a_concept_reaches_the_kernel(view):
    assert view.controls["concept"].continuous_update


def test_drafts_that_cannot_be_written_are_said(view, store):
    store.path.with_suffix(".drafts").write_text("a file where the folder should be")
    view.controls["concept"].value = "half"
    assert "not on disk until you save it" in view.status.value
    assert not view.status.failed
    store.path.with_suffix(".drafts").unlink()
    fill(view)
    view.controls["accept"].click()
    assert view.status.value.startswith("saved:")


def test_another_name_takes_over(view):
    fill(view)
    view.controls["accept"].click()
    view.controls["annotator"].value = "Bob"
    assert view.controls["progress"].value == "unit 1 of 2 · 0 answered"
    view.controls["annotator"].value = "Ada"
    assert view.controls["progress"].value == "unit 2 of 2 · 1 answered"


def test_the_view_follows_the_model(view):
    view.model.concept, view.model.type = "sky", "scene"
    view.model.mark(4)
    assert view.controls["concept"].value == "sky"
    assert view.controls["types"].value == "scene"
    assert view.buttons[4].value


def test_a_full_disk_is_seen_and_loses_nothing(view, store, monkeypatch, caplog):
    fill(view)

    def full(*_, **__):
        raise SceneLensError("labels.db: the disk is full: free some space. The answer was not written; ...")

    with monkeypatch.context() as patch:
        patch.setattr(LabelStore, "add", full)
        view.controls["accept"].click()
    assert (
        "Exception in callback" in caplog.text
    )  # raised on: ipywidgets logs what a button's callback raises
    assert view.status.failed
    assert "the disk is full" in view.status.value
    assert view.controls["concept"].value == "lamp"
    view.controls["accept"].click()
    assert not view.status.failed
    assert len(store) == 1


def test_the_export_says_where_the_table_is(view, store):
    fill(view)
    view.controls["accept"].click()
    view.controls["export"].click()
    assert view.status.value == f"1 answers written to {store.path.with_suffix('.csv')}"


def test_the_images_can_be_made_larger(view):
    assert view.sheet.layout.grid_template_columns == "repeat(auto-fill, minmax(88px, 1fr))"
    view.controls["size"].value = 160
    assert view.sheet.layout.grid_template_columns == "repeat(auto-fill, minmax(160px, 1fr))"


def test_enter_goes_on_to_the_next_field(view, monkeypatch):
    asked = []
    for name in ("concept", "marks"):
        monkeypatch.setattr(type(view.controls[name]), "focus", lambda self: asked.append(self._dom_classes))
    press(view.controls["annotator"])
    press(view.controls["concept"])
    press(view.controls["concept"], "something else")
    assert asked == [("sl-concept",), ("sl-marks",)]


def test_units_with_fewer_images_show_fewer_tiles(study, store, monkeypatch):
    made = task.annotation_task

    def smaller(atlas, network, *rest, **more):
        return made(atlas, network, *rest, n_images=20 if network == "scene" else 15, **more)

    monkeypatch.setattr(session, "annotation_task", smaller)
    view = annotate_units(study, UNITS, "Ada", store=store)
    view.controls["next"].click()
    assert len(view.sheet.children) == 15
    view.buttons[14].value = True
    view.controls["next"].click()
    assert len(view.sheet.children) == 20
    assert view.controls["marks"].value == ""
    view.close()


def test_every_control_has_its_class_and_is_a_core_widget(view):
    for name, widget in view.controls.items():
        assert widget._dom_classes == (f"sl-{name}",)
    for widget in (*view.controls.values(), *view.images, *view.buttons, view.sheet):
        assert widget._model_module == "@jupyter-widgets/controls"


def test_each_type_is_explained():
    assert len(_MEANINGS) == len(TYPES)
    assert all(_MEANINGS)


def test_without_units_a_queue_is_drawn(study, store):
    view = annotate_units(study, n=3, store=store)
    assert len(view.model.units) == 3
    assert np.unique([unit[1] for unit in view.model.units]).tolist() == ["pool5"]
    view.close()


def test_undo_takes_back_a_mark_a_word_and_a_step(view):
    one = view.controls
    assert one["undo"].disabled
    view.buttons[6].value = True
    for word in ("l", "la", "lamp"):  # as it is typed
        one["concept"].value = word
    one["types"].value = "object"
    one["next"].click()
    assert view.model.place == 1
    one["undo"].click()
    assert (view.model.place, one["concept"].value, one["types"].value) == (0, "lamp", "object")
    assert view.buttons[6].value
    one["undo"].click()
    assert one["types"].value is None
    one["undo"].click()  # the whole word
    assert one["concept"].value == ""
    one["undo"].click()
    assert view.model.marked == ()
    assert one["undo"].disabled


def test_undo_after_an_answer_shows_it_again_and_it_stays_saved(view, store):
    fill(view)
    view.controls["accept"].click()
    assert view.model.place == 1
    view.controls["undo"].click()
    assert (view.model.place, view.controls["concept"].value) == (0, "lamp")
    assert len(store) == 1
    assert "a new answer replaces it" in view.controls["progress"].value


def test_nobody_takes_back_what_another_person_did(view):
    view.controls["concept"].value = "lamp"
    view.controls["annotator"].value = "Bob"
    assert view.controls["undo"].disabled
    view.controls["undo"].click()
    assert view.controls["concept"].value == "lamp"


def test_the_next_unit_is_prepared_while_a_person_looks(study, store, monkeypatch):
    async def look():
        view = annotate_units(study, UNITS, "Ada", store=store)
        assert list(view.model._tasks) == [0]  # nothing more for a page that nobody touches
        view.buttons[6].value = True
        for _ in range(200):
            await asyncio.sleep(0.05)
            if 1 in view._files:
                break
        return view

    view = asyncio.run(look())
    assert set(view.model._tasks) == {0, 1}
    monkeypatch.setattr(session, "annotation_task", None)  # nothing is computed any more
    view.controls["next"].click()
    pictures = view.model.task().tiles(_SIDE)
    assert view.images[3].value == encode(pictures[3], quality=82)
    assert view.model.task().images[3].image == task.annotation_task(study, *UNITS[1]).images[3].image
    view.close()

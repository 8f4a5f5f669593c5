"""A person at work on a queue, without a browser: nothing lost, nothing accepted that should not be."""

from __future__ import annotations

import json
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from scenelens.errors import SceneLensError
from scenelens.labels.store import VERSION, LabelStore
from scenelens.studies.study import open_study
from scenelens.unit_semantics.queue import _default_queue, active_units
from scenelens.unit_semantics.session import _AnnotationSession
from tests.copies import run_in_copy
from tests.tiny_study import write_tiny_study

UNITS = [("scene", "pool5", 4), ("object", "pool5", 1), ("scene", "conv4", 7)]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def store(tmp_path):
    return LabelStore(tmp_path / "answers" / "labels.db")


@pytest.fixture
def session(study, store):
    return _AnnotationSession(study, UNITS, "Ada", store)


def fill(session, concept="lamp", also=(), kind="object"):
    """Write a right answer onto the screen: all catch trials marked, and `also`."""
    session.concept, session.type = concept, kind
    session.mark_all({*session.task().catch, *also})


def a_real_place(session) -> int:
    return min(set(range(len(session.task()))) - session.task().catch)


# ---- answering


def test_an_accepted_answer_is_on_disk_before_the_next_unit_shows(session, store):
    seen = []
    session.observe(lambda change: seen.append(LabelStore(store.path).labels().unit.tolist()), "place")
    place = a_real_place(session)
    fill(session, "a lamp ", {place})
    said = session.accept()
    assert seen == [[4]]
    row = store.labels().iloc[0]
    assert row[["network", "layer", "unit", "annotator", "concept", "type", "source"]].tolist() == [
        "scene", "pool5", 4, "Ada", "a lamp", "object", "people",
    ]  # fmt: skip
    assert row.precision == pytest.approx(16 / 17)
    assert row.n_images == 17
    assert "pool5:4 of the scene network is 'a lamp' (object), 94% of 17 images" in said
    assert session.place == 1
    assert (session.concept, session.type, session.marked) == ("", "", ())


def test_the_details_say_which_images_were_marked(session, store):
    task, place = session.task(), a_real_place(session)
    fill(session, also={place})
    session.accept()
    about = json.loads(store.history().details[0])
    assert set(about["marked"]) == {task.images[k].image for k in task.catch | {place}}
    assert set(about["catch"]) == {task.images[k].image for k in task.catch}
    assert (about["shown"], about["seed"], about["segmented by"]) == (20, 0, "bilinear")


@pytest.mark.parametrize(("change", "words"), [
    ({"concept": "  "}, "The concept is empty"),
    ({"type": ""}, "No type is chosen"),
    ({"marked": ()}, "not marked"),
    ({"marked": tuple(range(20))}, "Only 0 images"),
    ({"annotator": " "}, "needs a name"),
])  # fmt: skip
def test_a_refused_answer_stays_on_screen_and_off_the_disk(session, store, change, words):
    fill(session)
    for name, value in change.items():
        setattr(session, name, value)
    shown = (session.place, session.concept, session.type, session.marked)
    with pytest.raises(SceneLensError, match=words):
        session.accept()
    assert (session.place, session.concept, session.type, session.marked) == shown
    assert not store.path.exists()


def test_marks_are_places_that_are_there(session):
    session.mark(3)
    session.mark(0)
    session.mark(3, False)
    assert session.marked == (0,)
    for wrong, name in ((20, "21"), (-1, "0")):
        with pytest.raises(SceneLensError, match=f"no image {name}: their numbers go from 1 to 20"):
            session.mark(wrong)
    assert session.marked == (0,)


@pytest.mark.parametrize("trouble", ["full", "read-only", "newer"])
def test_trouble_with_the_disk_loses_nothing_on_screen(session, store, trouble, monkeypatch):
    fill(session)
    session.accept()
    fill(session, "sofa")
    connect = LabelStore._connect

    def troubled(self, write):
        database = connect(self, write and trouble != "read-only")
        if trouble == "full":
            database.execute("PRAGMA max_page_count=1")
        return database

    monkeypatch.setattr(_AnnotationSession, "_details", lambda *_: "x" * 100_000)
    if trouble == "newer":
        with sqlite3.connect(store.path) as database:
            database.execute(f"PRAGMA user_version={VERSION + 1}")
    with monkeypatch.context() as patch:
        patch.setattr(LabelStore, "_connect", troubled)
        with pytest.raises(SceneLensError, match={"newer": "newer scenelens"}.get(trouble, trouble)):
            session.accept()
    assert (session.place, session.concept, session.type) == (1, "sofa", "object")
    if trouble == "newer":
        with sqlite3.connect(store.path) as database:
            database.execute(f"PRAGMA user_version={VERSION}")
    session.accept()
    assert store.labels().concept.tolist() == ["lamp", "sofa"]


# ---- going through the queue


def test_progress_and_resuming(session, study, store):
    assert session.progress() == "unit 1 of 3 · 0 answered"
    session.step(1)
    fill(session, "sky")
    session.accept()
    assert session.place == 2
    again = _AnnotationSession(study, UNITS, "Ada", store)
    assert (again.place, again.progress()) == (0, "unit 1 of 3 · 1 answered")
    fill(again)
    again.accept()
    assert again.place == 2
    fill(again)
    again.accept()
    assert again.progress().startswith("unit 3 of 3 · 3 answered")
    assert _AnnotationSession(study, UNITS, "Bob", store).progress() == "unit 1 of 3 · 0 answered"


def test_going_back_shows_the_answer_and_a_later_one_stands(session, store):
    place = a_real_place(session)
    fill(session, "lamp", {place})
    given = session.marked
    session.accept()
    session.step(-1)
    assert (session.concept, session.type, session.marked) == ("lamp", "object", given)
    assert "answered before" in session.progress()
    fill(session, "lampshade", kind="object part")
    session.accept()
    assert store.labels().concept.tolist() == ["lampshade"]
    assert store.history().concept.tolist() == ["lamp", "lampshade"]
    session.go_to(0)
    assert (session.concept, session.type) == ("lampshade", "object part")


def test_what_was_begun_stays_with_its_unit(session, store):
    session.concept = "half a"
    session.mark(7)
    session.step(1)
    assert (session.concept, session.marked) == ("", ())
    session.step(-1)
    assert (session.concept, session.marked) == ("half a", (7,))
    assert not store.path.exists()


def test_the_queue_goes_round_and_has_ends(session):
    session.step(-1)
    assert session.place == 2
    session.step(1)
    assert session.place == 0
    with pytest.raises(SceneLensError, match="units 1 to 3, and no unit 4"):
        session.go_to(3)


def test_an_answer_from_elsewhere_shows_without_its_marks(session, store):
    store.add(network="scene", layer="pool5", unit=4, annotator="Ada", concept="bed", type="object")
    session.go_to(0)
    assert (session.concept, session.type, session.marked) == ("bed", "object", ())


def test_another_person_takes_over(session):
    fill(session)
    session.accept()
    session.rename(" Bob ")
    assert (session.annotator, session.place, session.concept) == ("Bob", 0, "")
    session.rename("Ada")
    assert session.place == 1
    session.concept = "begun"
    session.rename("Cy")
    assert (session.annotator, session.place, session.concept) == ("Cy", 1, "begun")


def test_a_name_written_first_changes_nothing_else(study, store):
    session = _AnnotationSession(study, UNITS, store=store)
    fill(session)
    session.rename("Ada")
    session.accept()
    assert store.labels().annotator.tolist() == ["Ada"]


@pytest.mark.parametrize(("units", "words"), [
    ([], "no units"),
    ([("scene", "pool5", 32)], "units 0 to 31"),
    ([("scene", "pol5", 3)], "close names: pool5"),
    ([("scenes", "pool5", 3)], "close names: scene"),
])  # fmt: skip
def test_a_queue_that_cannot_be_shown_raises_at_once(study, store, units, words):
    with pytest.raises(SceneLensError, match=words):
        _AnnotationSession(study, units, "Ada", store)


def test_a_unit_that_cannot_be_named_raises_at_once(study, store):
    active = {unit for _, _, unit in active_units(study, "scene", "fc7")}
    dead = next(unit for unit in range(16) if unit not in active)
    with pytest.raises(SceneLensError, match=f"fc7:{dead} .* too few images"):
        _AnnotationSession(study, [("scene", "fc7", dead)], "Ada", store)


def test_without_a_queue_both_networks_deepest_maps_are_drawn_from(study):
    units = _default_queue(study, 40, 0)
    assert {unit[:2] for unit in units} == {("scene", "pool5"), ("object", "pool5")}
    assert len(set(units)) == 40
    assert units[:6] == _default_queue(study, 6, 0)


# ---- drafts


def draft_files(store):
    return sorted(store.path.with_suffix(".drafts").glob("*"))


def test_a_draft_is_on_disk_at_every_change_and_there_in_the_next_session(session, study, store):
    for change in (
        lambda: setattr(session, "concept", "a la"), lambda: setattr(session, "concept", "a lamp"),
        lambda: session.mark(7), lambda: session.mark_all([2, 7]), lambda: session.mark(2, False),
        lambda: setattr(session, "type", "object"),
    ):  # fmt: skip
        change()
        again = _AnnotationSession(study, UNITS, "Ada", LabelStore(store.path))
        assert again.answer == session.answer
    assert (again.place, again.marked) == (0, (7,))
    assert not store.path.exists()  # a draft is no answer


def test_drafts_of_several_units_come_back_and_are_told_of(session, study, store):
    session.concept = "first"
    session.step(1)
    session.type = "scene"
    assert session.progress().endswith("begun: 1")
    again = _AnnotationSession(study, UNITS, "Ada", store)
    assert again.progress() == "unit 1 of 3 · 0 answered · begun: 2"
    assert (again.concept, again.type) == ("first", "")
    again.step(1)
    assert (again.concept, again.type) == ("", "scene")


def test_a_draft_is_removed_when_its_answer_is_saved(session, study, store):
    session.step(1)
    session.concept = "another"
    session.go_to(0)
    fill(session)
    assert len(draft_files(store)) == 2
    session.accept()
    assert len(draft_files(store)) == 1
    session.go_to(1)
    fill(session)
    session.accept()
    assert not store.path.with_suffix(".drafts").exists()
    again = _AnnotationSession(study, UNITS, "Ada", store)
    again.go_to(0)
    assert again.concept == "lamp"


def test_a_draft_is_removed_when_the_form_is_as_it_was(session, store):
    session.concept = "x"
    session.mark(3)
    session.concept, session.marked = "", ()
    assert draft_files(store) == []


def test_a_correction_that_was_begun_comes_back_over_the_answer(session, study, store):
    fill(session)
    session.accept()
    session.go_to(0)
    session.concept = "lampshade"
    again = _AnnotationSession(study, UNITS, "Ada", store)
    again.go_to(0)
    assert again.concept == "lampshade"
    assert again.earlier().concept == "lamp"
    assert store.labels().concept.tolist() == ["lamp"]


def test_a_draft_without_a_name_goes_to_the_name_that_is_written(study, store):
    _AnnotationSession(study, UNITS, store=store).concept = "begun without a name"
    again = _AnnotationSession(study, UNITS, store=store)
    assert again.concept == "begun without a name"
    again.rename("Ada")
    assert _AnnotationSession(study, UNITS, store=store).concept == ""
    assert _AnnotationSession(study, UNITS, "Ada", store).concept == "begun without a name"


def test_two_people_keep_their_own_drafts(study, store):
    for name in ("Ada", "Bob"):
        _AnnotationSession(study, UNITS, name, store).concept = f"{name}'s"
    session = _AnnotationSession(study, UNITS, "Ada", store)
    session.rename("Bob")
    assert session.concept == "Bob's"
    session.rename("Ada")
    assert session.concept == "Ada's"


def test_marks_come_back_on_their_images_in_another_order(study, store):
    session = _AnnotationSession(study, UNITS, "Ada", store, seed=0)
    session.mark_all([3, 11])
    marked = {session.task().images[place].image for place in session.marked}
    again = _AnnotationSession(study, UNITS, "Ada", store, seed=1)
    shown = {one.image for one in again.task().images}
    assert {again.task().images[place].image for place in again.marked} == marked & shown


def test_any_text_comes_back(study, store):
    for text in ('"quoted"', "<b>&amp;", "Ünal 🛋", "../../x", "\ud800", "a\x00b", "x" * 10_000, "{}"):
        session = _AnnotationSession(study, UNITS, text, store)
        session.concept = text
        assert _AnnotationSession(study, UNITS, text, store).concept == text
    assert {path.suffix for path in draft_files(store)} == {".json"}
    assert not store.path.exists()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"concept": 1}', b"\xff", b'{"marked": 3}', b"[" * 9999]
)
def test_a_damaged_draft_is_a_blank_form(session, study, store, content):
    session.concept = "x"
    draft_files(store)[0].write_bytes(content)
    again = _AnnotationSession(study, UNITS, "Ada", store)
    assert again.concept == ""
    again.concept = "y"
    assert _AnnotationSession(study, UNITS, "Ada", store).concept == "y"


def test_drafts_that_cannot_be_written_stop_nobody(study, tmp_path):
    (tmp_path / "labels.drafts").write_text("a file where the folder should be")
    store = LabelStore(tmp_path / "labels.db")
    session = _AnnotationSession(study, UNITS, "Ada", store)
    session.concept = "half a"
    assert "not on disk" in session.trouble
    session.step(1)
    session.step(-1)
    assert session.concept == "half a"
    (tmp_path / "labels.drafts").unlink()
    fill(session)
    assert session.trouble == ""
    session.accept()
    assert store.labels().concept.tolist() == ["lamp"]
    session.go_to(0)
    assert session.concept == "lamp"


BEGINNER = """
import os, signal, sys
from scenelens.labels import LabelStore
from scenelens.studies import open_study
from scenelens.unit_semantics.session import _AnnotationSession
session = _AnnotationSession(open_study(sys.argv[1]), [("scene", "pool5", 4)], "Ada", LabelStore(sys.argv[2]))
session.concept = "half a la"
session.mark(5)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_kernel_loses_nothing_that_was_begun(study, store):
    assert len(study.index("scene").images) == 20  # built once, here
    assert run_in_copy(BEGINNER, str(study.file.path), str(store.path)) == -signal.SIGKILL
    again = _AnnotationSession(study, UNITS, "Ada", store)
    assert (again.concept, again.marked) == ("half a la", (5,))


# ---- several at once, and merging


def test_two_sessions_write_at_once(study, store):
    """Two people, each in a notebook of their own; networks run in one thread at a time only."""
    sessions = [_AnnotationSession(study, UNITS, name, LabelStore(store.path)) for name in ("Ada", "Bob")]
    for session in sessions:
        fill(session, f"{session.annotator}'s lamp")
        session.go_to(1)  # the next unit's images are there before both answer
        session.go_to(0)
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda session: session.accept(), sessions))
    assert all("pool5:4" in one for one in said)
    assert sorted(store.labels().concept) == ["Ada's lamp", "Bob's lamp"]


WORKER = """
import os, signal, sys
from scenelens.labels import LabelStore
from scenelens.studies import open_study
from scenelens.unit_semantics.session import _AnnotationSession
session = _AnnotationSession(open_study(sys.argv[1]), [("scene", "pool5", 4), ("scene", "pool5", 5)], "Ada",
                            LabelStore(sys.argv[2]))
session.concept, session.type = "lamp", "object"
session.mark_all(session.task().catch)
session.observe(lambda change: os.kill(os.getpid(), signal.SIGKILL), "place")
session.accept()
"""


def test_a_kernel_killed_as_the_next_unit_shows_has_lost_nothing(study, store):
    assert len(study.index("scene").images) == 20  # built once, here
    assert run_in_copy(WORKER, str(study.file.path), str(store.path)) == -signal.SIGKILL
    again = _AnnotationSession(study, UNITS, "Ada", store)
    assert store.labels().concept.tolist() == ["lamp"]
    assert again.place == 1


def test_many_peoples_files_become_one(study, tmp_path):
    stores = {name: LabelStore(tmp_path / f"{name}.db") for name in ("Ada", "Bob")}
    for name, own in stores.items():
        session = _AnnotationSession(study, UNITS, name, own)
        fill(session, f"{name}'s")
        session.accept()
    class_store = LabelStore(tmp_path / "class.db")
    assert class_store.merge(*stores.values()) == 2
    assert class_store.merge(*stores.values()) == 0
    resumed = _AnnotationSession(study, UNITS, "Bob", class_store)
    assert resumed.place == 1


def test_the_table_lies_next_to_the_answers(session, store):
    fill(session)
    session.accept()
    path = session.export_csv()
    assert path == store.path.with_suffix(".csv")
    assert pd.read_csv(path).concept.tolist() == ["lamp"]


def test_without_a_store_the_studys_own_is_used(study):
    session = _AnnotationSession(study, UNITS, "Ada")
    assert session.store.path == study.answers.path
    assert not session.store.path.exists()

"""A network that is trained in a notebook: stopped, gone on, measured, set beside the tables."""

from __future__ import annotations

import pytest

from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.retraining import LiveTraining, live, train_live
from scenelens.sceneworld import training
from scenelens.seeds import measure_once, read_card
from tests.retraining.made_up_tables import made_up
from tests.retraining.test_command import RUNS, write_network


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Networks with random weights in place of trained ones, and made-up measures; what was trained."""
    made = []

    def trains(task, recipe, work, out, *, keep_pictures, name, world, watch):
        made.append((task, name, recipe.seed, world, keep_pictures))
        watch(64, 128, 2.5, 0.25)
        watch(128, 128, 1.5, 0.5)
        write_network(out, RUNS[name], 3)

    def measures(template, run, folder, is_known):
        row = {"network": "scene", "layer": "pool5", "units": 16, "detectors": 5, "objects": 2}
        row |= {"by_category": 1.5, "mean_iou": 0.02, "ap": 0.3, "ap_chance": 0.1, "ap_objects": 2}
        own = {"object": "barn", "units": 2, "ap": 0.4, "ap_chance": 0.1, "images": 9}
        card = live._card(folder, run)
        about = {"scene": read_card(card)}
        measure_once(folder / "measured" / card.name, about, lambda: {"networks": [row], "objects": [own]})

    home = type("Home", (), {"build": tmp_path})()
    monkeypatch.setattr(live, "HERE", home)
    monkeypatch.setattr(live, "train", trains)
    monkeypatch.setattr(live, "_measure", measures)
    monkeypatch.setattr(live, "_expected_seconds", lambda *given, **more: 200.0)
    monkeypatch.setattr(live, "read_retraining", lambda: made_up(tmp_path / "tables"))
    return made


def said_of(network):
    return str(network.describe())


def test_without_a_choice_nothing_is_trained(here):
    for choice in (..., None):
        found = train_live(choice)
        assert found.table.empty
        assert "put one of these in place of the dots: unchanged_0" in found.describe()
    assert here == []


def test_an_unknown_intervention_is_refused_with_close_names(here):
    with pytest.raises(SceneLensError, match="everywhere_barn"):
        train_live("everywhere_barns")


def test_a_network_is_trained_once_measured_and_set_beside_the_tables(here, capsys):
    first, again = train_live("everywhere_barn"), train_live("everywhere_barn")
    run = RUNS["everywhere_barn"]
    assert here == [("scene", "everywhere_barn", 0, run.world, True)]
    said = capsys.readouterr().err
    assert "takes about 3 min" in said
    assert "loss 1.50" in said
    assert first.describe() == again.describe()
    assert "right 8% (95% interval 6–9%, n = 2,000); 5 of 16 units detect an object" in first.describe()
    assert "train unchanged_0 in the same way" in first.describe()
    assert "- everywhere_barn (here, 112,000 pictures): right 8%, 5 detectors; barn: 2 units, AP" in said_of(
        first
    )
    assert "- unchanged (tables, mean of 3" in said_of(first)
    table = first.table.set_index("trained")
    assert table.index.tolist() == ["here", "tables", "tables, mean of 3"]
    assert table.units.tolist() == [2, 0, 3]
    assert table["object"].tolist() == ["barn"] * 3


def test_another_network_of_the_same_recipe_stands_beside_it(here):
    train_live("everywhere_barn", progress=False)
    found = train_live("unchanged_0", progress=False)
    assert {"here"} < set(found.table.trained)
    assert found.table.network.tolist()[0] == "unchanged_0"
    assert "compared with" in found.describe()
    assert "Compare it with unchanged_0" in train_live("everywhere_barn").describe()


def test_without_tables_the_network_stands_alone(here, monkeypatch):
    def nothing():
        raise CannotAnswerError("none.")

    monkeypatch.setattr(live, "read_retraining", nothing)
    assert train_live("task_light", progress=False).table.trained.unique().tolist() == ["here"]


def test_a_stopped_training_says_how_far_it_is_and_goes_on(here, monkeypatch):
    trains = live.train

    def stops(*given, watch, **more):
        watch(640, 1280, 2.0, 0.3)
        raise KeyboardInterrupt

    monkeypatch.setattr(live, "train", stops)
    found = train_live("more_frequent_cat", progress=False)
    assert isinstance(found, LiveTraining)
    assert found.stopped == 640
    assert "stopped after 640 pictures. Run the cell again" in found.describe()
    assert found.table.empty
    monkeypatch.setattr(live, "train", trains)
    assert train_live("more_frequent_cat", progress=False).stopped is None


def test_a_stop_while_it_is_measured_goes_on_with_measuring(here, monkeypatch):
    measures = live._measure

    def stops(*given, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(live, "_measure", stops)
    assert train_live("rarer_barn", progress=False).stopped == 128
    monkeypatch.setattr(live, "_measure", measures)
    assert train_live("rarer_barn", progress=False).stopped is None
    assert len(here) == 1  # it was not trained again


def test_the_recipe_is_that_of_the_tables_but_short():
    """A group is small, so that a stop repeats little; the seed is the plan's."""
    recipe, plan = live._recipe_of(RUNS["unchanged_2"]), training.SHORT
    assert recipe.seed == 2
    assert recipe.width == 0.25
    assert recipe.group * recipe.passes <= plan.n_images / 8
    assert recipe.n_images * recipe.passes < plan.n_images * plan.passes / 3

"""The microscope's data against the study, its text, what it makes again, and what it says beforehand."""

from __future__ import annotations

import base64
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import scenelens as sl
from scenelens.errors import SceneLensError
from scenelens.interventions import ablation_effects, measured_effects, unit_effects
from scenelens.microscope import command, folder, maps, write_microscope
from scenelens.microscope.frames import _Frames
from scenelens.microscope.maps import _LayerMaps
from scenelens.microscope.ranks import _category_shares, _histogram, _Shown
from scenelens.microscope.responding import _below, _responding
from scenelens.microscope.shards import _is_valid, _script
from scenelens.microscope.units import _class_weights
from tests.annotated_study import annotated_study
from tests.hostile_names import HOSTILE, mixtures
from tests.tiny_study import write_tiny_study

CALL = re.compile(rb"\A// scenelens ([0-9a-f]+)\nscenelens_add\((.*)\);\n\Z", re.DOTALL)


def read(path):
    """The value of a script, as a browser would hand it on."""
    return json.loads(CALL.fullmatch(path.read_bytes())[2])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = annotated_study(tmp_path_factory.mktemp("microscope"), per_category=20)
    made.answers.add(
        network="scene", layer="pool5", unit=2, annotator="Ada", concept="a red thing", type="object",
        precision=0.5, n_images=60,
    )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def place(study, tmp_path_factory):
    """The folder, with one layer that has a map and one that has none."""
    layers = ["pool5", "fc7"]
    page = write_microscope(
        study, tmp_path_factory.mktemp("pages") / "out", layers, top=12, pixels=96, progress=False
    )
    return page.parent


@pytest.fixture(scope="module")
def units(place):
    return read(place / "data" / "scene-pool5.js")["units"]


# ---- the data against the study


@pytest.mark.parametrize("layer", ["pool5", "fc7"])
def test_top_images_are_the_indexs(study, place, layer):
    ids = list(study.images.image)
    for unit, one in enumerate(read(place / "data" / f"object-{layer}.js")["units"]):
        table = study.index("object").top_images(layer, unit, 12)
        assert [ids[row] for row, *_ in one["top"]] == list(table.image)
        assert [peak for _, peak, *_ in one["top"]] == pytest.approx(list(table.peak), rel=1e-3)
        assert [at[2:] for at in one["top"]] == table[["row", "col"]].to_numpy().tolist()


def test_the_lowest_images_have_the_lowest_peaks(study, units):
    peaks = study.index("scene").peaks("pool5")
    for unit, one in enumerate(units):
        assert [peak for _, peak, *_ in one["lowest"]] == pytest.approx(np.sort(peaks[:, unit])[:6], rel=1e-3)
        middle = np.median(peaks[:, unit])
        above, below = one["middle"][0][1], one["middle"][-1][1]
        assert below * 0.999 <= middle <= above * 1.001


def test_a_map_is_the_networks(study, units):
    """Each map, in 255 steps of the highest peak, from a pass of its own: the top images, then the middle."""
    network, ids = study.networks["scene"], list(study.images.image)
    for unit in (0, 5):
        one = units[unit]
        stored = np.frombuffer(base64.b64decode(one["maps"]), np.uint8).reshape(12 + 6, 6, 6)
        for rank, (row, *_) in [*enumerate(one["top"][:4]), *enumerate(one["middle"], 12)]:
            values = sl.networks.responses(network, "pool5", unit, study.load_image(ids[row]))
            assert stored[rank] / 255 * one["top"][0][1] == pytest.approx(values, abs=one["top"][0][1] / 400)


def test_of_a_large_map_only_what_is_lit_is_stored(study, tmp_path):
    """The bits of a page's points against a map that is interpolated at every pixel."""
    page = write_microscope(study, tmp_path / "out", ["conv1"], ["scene"], top=12, pixels=64, progress=False)
    units = read(page.parent / "data" / "scene-conv1.js")["units"]
    network, ids = study.networks["scene"], list(study.images.image)
    for unit in (0, 9):
        one = units[unit]
        bits = np.unpackbits(np.frombuffer(base64.b64decode(one["masks"]), np.uint8)).reshape(18, 112, 112)
        for rank, (row, *_) in [(0, one["top"][0]), (12, one["middle"][0])]:
            values = sl.networks.responses(network, "conv1", unit, study.load_image(ids[row]))
            whole = sl.networks.interpolate(values, network.axes("conv1"))
            threshold = one["threshold"] if one["threshold"] is not None else one["top"][0][1] / 2
            at = ((np.arange(112) + 0.5) * len(whole) / 112 - 0.5).round().astype(int)
            near = np.abs(whole - threshold) < 0.1 * np.abs(whole).max()
            agree = bits[rank] == (whole > threshold)[np.ix_(at, at)]
            assert agree[~near[np.ix_(at, at)]].mean() > 0.98
            assert 0 < bits[rank].mean() < 1 or rank


def test_similar_units_are_those_of_the_analysis(study, units):
    analysis = sl.UnitAnalysis(study, "scene")
    for unit in (1, 7):
        table = analysis.similar_units("pool5", unit, n=6)
        found = units[unit]["similar"]
        assert [tuple(one[:3]) for one in found] == list(
            table[["network", "layer", "unit"]].itertuples(index=False, name=None)
        )
        assert [one[3] for one in found] == pytest.approx(list(table.r), abs=2e-3)


def test_labels_of_every_source_are_there(study, units):
    rows = units[2]["labels"]
    assert rows[-1]["who"] == "Ada"
    assert rows[-1]["concept"] == "a red thing"
    assert rows[-1]["precision"] == 0.5
    assert (rows[-1]["low"], rows[-1]["high"]) == pytest.approx(
        (0.3773, 0.6227), abs=1e-3
    )  # Wilson, 30 of 60
    automatic = study.automatic_labels("scene").labels()
    own = automatic[(automatic.layer == "pool5") & (automatic.unit == 2)].iloc[0]
    assert (rows[0]["by"], rows[0]["concept"]) == ("iou", own.concept)
    assert rows[0]["score"] == pytest.approx(own.iou, rel=1e-3)
    assert rows[0]["same_name"] == pytest.approx(own.same_name, rel=1e-3)
    assert units[2]["disagree"]


def test_the_threshold_is_that_of_the_labels(study, units):
    counts = study.automatic_labels("scene").counts["pool5"]
    peaks = study.index("scene").peaks("pool5")
    for unit, one in enumerate(units):
        assert one["threshold"] == pytest.approx(counts.thresholds[unit], rel=1e-3)
        assert one["spread"]["over"] == (peaks[:, unit] > counts.thresholds[unit]).sum()
        assert sum(one["spread"]["counts"]) == one["spread"]["n"] == len(peaks)


def test_the_images_are_the_networks_frames(study, place, units):
    about = read(place / "data" / "study.js")
    scene = about["networks"][0]
    for row, *_ in units[0]["top"]:
        image = Image.open(place / scene["images"] / str(row // 1000) / f"{row}.webp").convert("RGB")
        assert image.size == (96, 96)
        frame = study.networks["scene"].show_input(study.load_image(about["images"]["ids"][row]))
        whole = Image.fromarray(frame).resize((96, 96), Image.Resampling.LANCZOS)
        assert np.abs(np.asarray(image, int) - np.asarray(whole, int)).mean() < 12
    # Both networks cut the same frame, so each image is there once.
    assert len({one["images"] for one in about["networks"]}) == 1


def test_the_script_knows_which_images_are_there(tmp_path):
    frames = _Frames("frames", tmp_path, 64)
    for row in (0, 3, 9):
        frames.path(row).parent.mkdir(parents=True, exist_ok=True)
        frames.path(row).touch()
    bits = np.unpackbits(np.frombuffer(base64.b64decode(frames.written(12)), np.uint8))
    assert np.flatnonzero(bits).tolist() == [0, 3, 9]
    assert len(bits) == 16  # whole bytes


def test_the_units_of_an_image_are_those_that_prefer_it(study, place):
    peaks = study.index("scene").peaks("pool5")
    block = read(place / "data" / "images-0.js")["units"][0]
    for row in (0, 33):
        rank = (peaks < peaks[row]).mean(0)
        assert [one[4] for one in block[row]] == pytest.approx(
            np.sort(rank)[::-1][: len(block[row])], abs=1e-3
        )


def test_tables_are_written_for_spreadsheets(study, place):
    table = pd.read_csv(place / "data" / "scene-pool5.csv")
    assert set(table.unit) == set(range(32))
    assert table[(table.unit == 2) & (table.who == "Ada")].concept.item() == "a red thing"
    assert table.top_image[0] == study.index("scene").top_images("pool5", 0, 1).image[0]


def test_concepts_have_their_frequency(study, place):
    bed = read(place / "data" / "study.js")["concepts"]["bed"]
    assert (bed["images"], bed["instances"]) == (20, 40)  # twice on each of the attics
    assert bed["share"] == pytest.approx(1 / 3, abs=1e-3)


def test_weights_of_classes_only_where_a_layer_leads_to_them(study):
    network, image = study.networks["scene"], study.load_image(study.images.image[0])
    weights = _class_weights(network, "fc7", image)
    with sl.record(network, "fc7", stop=False) as acts:
        scores = network(image).numpy()
    bias = [one for one in network.module.modules() if hasattr(one, "bias")][-1].bias.detach().numpy()
    assert acts["fc7"].numpy() @ weights.T + bias == pytest.approx(scores, abs=1e-4)
    assert _class_weights(network, "fc6", image) is None  # as many units, and a layer between
    assert _class_weights(network, "pool5", image) is None


# ---- single parts, by hand


def test_shares_of_categories():
    categories = pd.Categorical(["a", "b", "b", "c"])
    (first, second) = _category_shares(np.array([1, 2, 0]), categories)
    assert (first[:2], second[:2]) == ([1, 2], [0, 1])
    assert (first[4], second[4]) == (0.5, 0.25)


def test_a_histogram_of_images_that_could_not_be_read():
    assert _histogram(np.full(3, np.nan), 1.0)["n"] == 0
    assert _histogram(np.array([1.0, np.nan, 2.0]), None)["over"] is None


@given(
    st.lists(st.lists(st.sampled_from([0.0, 1.0, 2.0, 5.0]), min_size=2, max_size=2), min_size=1, max_size=30)
)
def test_every_image_is_shown_once(rows):
    peaks = np.array(rows)
    shown = _Shown.of(peaks, len(peaks), 3)
    assert all(sorted(one) == list(range(len(peaks))) for one in shown.top)
    for unit in (0, 1):
        assert (np.diff(peaks[shown.top[unit], unit]) <= 0).all()
        below = _below(peaks)[:, unit]
        assert below == pytest.approx([(peaks[:, unit] < one).mean() for one in peaks[:, unit]])


def test_units_that_do_not_respond_are_left_out():
    peaks = np.array([[0.0, 3.0], [0.0, 1.0]])
    places = np.zeros((2, 2, 2), int)
    assert _responding(peaks, places) == [[[1, 3, 0, 0, 0.5]], [[1, 1, 0, 0, 0]]]


def test_maps_of_a_unit_that_never_responds_are_zero():
    peaks = np.zeros((3, 1))
    one = _LayerMaps.empty(peaks, np.array([[0, 1]]), (2, 2))
    one.put(*one.steps(0, np.ones((1, 2, 2))))
    assert one.maps.max() == 0


# ---- names


@pytest.mark.parametrize("name", [*HOSTILE, *mixtures(40)])
def test_a_script_has_every_name_as_text(name):
    script = _script("0f", {"name": name, name: 1})
    assert script.isascii()
    assert b"<" not in script
    assert script.count(b"\n") == 2
    assert json.loads(CALL.fullmatch(script)[2])["name"] == name


def test_a_number_that_json_lacks_is_refused():
    with pytest.raises(ValueError, match="Out of range"):
        _script("0f", {"x": float("nan")})


# ---- what is made again


def stamps(place):
    return {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}


def again(study, place, **options):
    options = {"layers": ["pool5", "fc7"], "top": 12, "pixels": 96, "progress": False} | options
    return write_microscope(study, place, **options)


def test_other_programs_can_read_which_units_there_are(study, place):
    units = json.loads((place / "units.json").read_text(encoding="utf-8"))["units"]
    shapes = {layer: study.networks["scene"].layer_shape(layer)[0] for layer in ("pool5", "fc7")}
    assert units["scene"] == shapes
    assert units.keys() == set(study.networks)


def test_nothing_is_made_again(study, place):
    before = stamps(place)
    again(study, place)
    changed = {path.name for path, time in stamps(place).items() if before.get(path) != time}
    assert changed == {"study.js", "units.json", "index.html", "microscope.css", "microscope.js"}


def test_a_new_answer_changes_its_layer_only(study, place, tmp_path):
    shutil.copytree(place, tmp_path / "out")
    before = stamps(tmp_path / "out")
    answer = {"network": "object", "layer": "pool5", "unit": 3, "annotator": "Bo", "precision": 0.9}
    study.answers.add(**answer, concept="a wheel", type="object part", n_images=60)
    again(study, tmp_path / "out")
    changed = {path.name for path, time in stamps(tmp_path / "out").items() if before[path] != time}
    assert {"object-pool5.js", "object-pool5.csv"} <= changed
    assert not {"scene-pool5.js", "object-fc7.js"} & changed
    assert not any(name.endswith(".webp") for name in changed)


def test_damaged_scripts_and_missing_images_are_made_again(study, place, tmp_path):
    shutil.copytree(place, tmp_path / "out")
    script = tmp_path / "out" / "data" / "scene-pool5.js"
    whole = script.read_bytes()
    script.write_bytes(whole[:-20])
    image = next((tmp_path / "out" / "images").rglob("*.webp"))
    image.unlink()
    again(study, tmp_path / "out")
    assert read(script)["units"] == json.loads(CALL.fullmatch(whole)[2])["units"]
    assert image.exists()


def test_a_stopped_run_goes_on(study, tmp_path, monkeypatch):
    """Killed after the first batch of images; the second run looks at the others only, with equal results."""
    options = {"layers": ["pool5"], "networks": ["scene"]}
    whole = read(again(study, tmp_path / "whole", **options).parent / "data" / "scene-pool5.js")
    monkeypatch.setattr("scenelens.unfinished._EVERY", 0.0)
    real, batches = maps._responses, []

    def stopping(network, layers, frames):
        if len(batches) == 1:
            raise KeyboardInterrupt
        batches.append(len(frames))
        return real(network, layers, frames)

    monkeypatch.setattr(maps, "_responses", stopping)
    with pytest.raises(KeyboardInterrupt):
        again(study, tmp_path / "out", **options)
    monkeypatch.setattr(maps, "_responses", lambda *given: batches.append(len(given[2])) or real(*given))
    again(study, tmp_path / "out", **options)
    found = read(tmp_path / "out" / "data" / "scene-pool5.js")
    assert found == whole
    rows = {row for one in found["units"] for kind in ("top", "middle", "lowest") for row, *_ in one[kind]}
    assert sum(batches) == len(rows)
    assert not list((tmp_path / "out" / "data").glob("*unfinished*"))


def test_other_pixels_replace_the_images(study, place, tmp_path):
    shutil.copytree(place, tmp_path / "out")
    again(study, tmp_path / "out", pixels=64)
    kept = list((tmp_path / "out" / "images").iterdir())
    assert len(kept) == 1
    assert Image.open(next(kept[0].rglob("*.webp"))).size == (64, 64)


def test_a_layer_that_is_not_asked_for_goes(study, place, tmp_path):
    shutil.copytree(place, tmp_path / "out")
    again(study, tmp_path / "out", layers=["pool5"])
    assert {path.name for path in (tmp_path / "out" / "data").iterdir()} == {
        "study.js", "images-0.js", "scene-pool5.js", "scene-pool5.csv", "object-pool5.js", "object-pool5.csv",
    }  # fmt: skip


def test_validity_needs_key_and_end(tmp_path):
    path = tmp_path / "x.js"
    assert not _is_valid(path, "1")
    path.write_bytes(_script("1", {"a": 1}))
    assert _is_valid(path, "1")
    assert not _is_valid(path, "2")
    path.write_bytes(path.read_bytes()[:-1])
    assert not _is_valid(path, "1")
    path.write_bytes(b"")
    assert not _is_valid(path, "1")


# ---- what is said, and refused


def test_size_and_time_are_said_first_and_hold(study, tmp_path, capfd):
    page = write_microscope(study, tmp_path / "out", ["pool5"], ["scene"], top=12)
    said = capfd.readouterr().err
    most = re.search(r"(\d+) units and at most (\d+) images: (\d+) MB at most", said)
    units, images, size = re.search(r"(\d+) units, (\d+) images: about (\d+) MB", said).groups()
    assert int(units) == 32
    assert int(images) == len(list((tmp_path / "out").rglob("*.webp")))
    assert said.index("units,") < said.index("images and maps")
    assert most.end() < said.index(f"{units} units,")  # before an index is made
    assert (most[1], int(most[2])) == (units, len(study.images))
    assert int(most[3]) >= int(size)
    assert int(size) <= 2
    work = folder._Work(study, tmp_path / "out", {"scene": ["pool5"]}, 12, 240, "", False)
    data = sum(path.stat().st_size for path in (page.parent / "images").rglob("*.webp"))
    data += (page.parent / "data" / "scene-pool5.js").stat().st_size
    assert data / 1.5 < work.outlook().bytes < 1.5 * data
    assert work.outlook().seconds == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layers": ["pol5"]}, "close names: pool5"),
        ({"networks": ["scenes"]}, "close names: scene"),
        ({"top": 61}, "12 to 60"),
        ({"pixels": 9}, "64 to 512"),
    ],
)
def test_wrong_words_are_one_sentence(study, tmp_path, options, said):
    with pytest.raises(SceneLensError, match=said):
        again(study, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_page_of_somebody_else_is_not_replaced(study, tmp_path):
    (tmp_path / "index.html").write_text("mine", encoding="utf-8")
    with pytest.raises(SceneLensError, match="is no microscope"):
        again(study, tmp_path)
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == "mine"


def test_a_study_without_annotations_has_its_units(tmp_path, capsys):
    path = write_tiny_study(tmp_path / "study", 3)
    words = ["--study", str(path), "--out", str(tmp_path / "out"), "--layers", "pool5", "--top", "12"]
    assert command._main(words) == 0
    assert "index.html: " in capsys.readouterr().out
    units = read(tmp_path / "out" / "data" / "scene-pool5.js")["units"]
    assert len(units) == 32
    assert {len(one["labels"]) for one in units} == {0}
    about = read(tmp_path / "out" / "data" / "study.js")
    assert about["concepts"] == {}
    assert about["made"]["command"].startswith("scenelens microscope --study ")


def test_frames_are_shared_by_what_is_cut(study, tmp_path):
    network, index = study.networks["scene"], study.index("scene")
    assert _Frames.of(network, index, tmp_path, 96) == _Frames.of(
        study.networks["object"], study.index("object"), tmp_path, 96
    )
    assert _Frames.of(network, index, tmp_path, 96).name != _Frames.of(network, index, tmp_path, 97).name


# ---- what it costs to lose a unit


def test_effects_are_shown_where_they_were_measured(study, units, tmp_path):
    assert measured_effects(study, "scene", "pool5") is None
    assert not any("effect" in one for one in units)
    found = ablation_effects(study, "scene", "pool5", progress=False)
    known = measured_effects(study, "scene", "pool5")
    assert np.array_equal(known.logp_of, found.logp_of)
    assert measured_effects(study, "object", "pool5") is None
    again(study, tmp_path / "out", layers=["pool5"])
    table = unit_effects(found).set_index("unit")
    shown = read(tmp_path / "out" / "data" / "scene-pool5.js")["units"]
    for unit, one in enumerate(shown):
        assert one["effect"]["most"] == pytest.approx(table.most[unit], rel=1e-2, abs=1e-9)
        assert one["effect"]["most_of"] == table.most_of[unit]
        assert one["effect"]["all"] == pytest.approx(table["all"][unit], rel=1e-2, abs=1e-9)
    assert "effect" not in read(tmp_path / "out" / "data" / "object-pool5.js")["units"][0]

import json

import numpy as np
import pandas as pd
import pytest
import torch

from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.exercises import check
from scenelens.intervals import wilson_interval
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.network import Network
from scenelens.studies.study import open_study
from scenelens.two_networks import figures, sentences, tables
from tests.tiny_study import STUDY, write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """One tiny study for the whole file: its index is built once."""
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def paper_net():
    return Network(CaffeNet(5, width=1.0, fc=4096), "scene")


def test_table_1_of_the_full_width_net_is_the_papers(paper_net):
    table = tables.compare_with_table_1(paper_net).set_index("layer")
    named = table.dropna(subset=["paper_units"])
    assert list(named["units"]) == list(named["paper_units"])
    assert list(named["map"]) == list(named["paper_map"])
    assert list(table.index[table["paper_units"].isna()]) == ["fc8"]
    assert sentences.describe_table_1(tables.compare_with_table_1(paper_net)) == (
        "**10 of 10** layers have exactly the paper's map size. Every layer has the paper's number of units."
    )


def test_a_slimmer_net_is_called_slimmer(tiny_network):
    text = sentences.describe_table_1(tables.compare_with_table_1(tiny_network))
    assert "**10 of 10**" in text
    assert "Units: 0.125 times the paper's number in conv1, pool1, conv2, pool2" in text
    assert "0.0039 times the paper's number in fc6, fc7." in text


def test_another_architecture_is_not_compared_with_the_paper():
    from torch import nn

    class Other(nn.Sequential):
        pass

    module = Other()
    module.add_module("conv1", nn.Conv2d(3, 4, 3, stride=8))  # a name of the paper's, and nothing else of it
    module.add_module("pool1", nn.AdaptiveAvgPool2d(1))
    module.add_module("flat", nn.Flatten())
    module.add_module("fc", nn.Linear(4, 2))
    table = tables.compare_with_table_1(Network(module, "scene"))
    assert list(table.columns) == ["layer", "units", "map"]
    assert "another architecture" in sentences.describe_table_1(table)


def test_layers_are_paired_by_depth(study):
    pairs = tables.layer_pairs(study)
    assert (
        list(pairs["scene"]) == list(pairs["object"]) == ["pool1", "pool2", "conv3", "conv4", "pool5", "fc7"]
    )
    assert list(pairs["depth"]) == list(range(6))
    chosen = tables.layer_pairs(study, ["conv1", "fc7"])
    assert list(chosen["object"]) == ["conv1", "fc7"]


def test_an_unknown_layer_is_an_error(study):
    with pytest.raises(SceneLensError, match="no layer 'pol5'; close names: pool5"):
        tables.layer_pairs(study, ["pol5"])


def alone(folder, names, sources=("scene", "object")):
    """The tiny study with some of its networks and images; 'third' is the object network by another name."""
    path = write_tiny_study(folder)
    networks, images = STUDY[: STUDY.index("[[images]]")], STUDY[STUDY.index("[[images]]") :]
    blocks = dict(zip(("scene", "object"), networks.split("[networks.")[1:], strict=True))
    blocks["third"] = blocks["object"].replace("object]", "third]")
    tables = [one for one in images.split("[[images]]")[1:] if any(f'"{s}-centric"' in one for s in sources)]
    path.write_text(
        'name = "alone"\n'
        + "".join(f"[networks.{blocks[name]}" for name in names)
        + "".join("[[images]]" + one for one in tables)
        + ("" if "[cache]" in tables[-1] else '\n[cache]\npath = "cache"\n')
    )
    return open_study(path)


@pytest.mark.parametrize("names", [("scene",), ("object",), ("third",)])
def test_one_network_is_shown_without_a_comparison(tmp_path, names):
    study = alone(tmp_path, names)
    assert set(tables.strongest_images(study)["network"]) == set(names)
    table = tables.layer_preference(study, n=5)
    assert set(table["network"]) == set(names)
    said = sentences.describe_preference(table)
    assert f"{names[0]}" not in ("scene", "object") or "network prefers object-centric" not in said
    assert "network is" not in said
    assert "compared" not in said
    assert "between this share and chance (" in said or "higher than" in said
    assert "40%" in said
    assert list(tables.own_accuracy(study)["network"]) == list(names)
    sentences.describe_accuracy(tables.own_accuracy(study))
    figures.figure_1_preference(table).canvas.draw()
    figures.figure_1_top_images(study, tables.strongest_images(study)).canvas.draw()


def test_three_trained_networks_are_all_shown(tmp_path):
    study = alone(tmp_path, ("third", "object", "scene"))
    table = tables.layer_preference(study, n=5)
    assert list(table["network"].unique()) == ["scene", "object", "third"]
    one, other = (table[table["network"] == name]["share"].tolist() for name in ("object", "third"))
    assert one == other  # the same weights
    said = sentences.describe_preference(table)
    assert said.count("third network") == 2
    figures.figure_1_preference(table).canvas.draw()


def test_a_preference_needs_images_of_both_sources(tmp_path):
    study = alone(tmp_path, ("scene", "object"), sources=("scene",))
    with pytest.raises(CannotAnswerError, match=r"no object-centric images: add an \[\[images\]\] table"):
        tables.layer_preference(study)
    plate = figures.figure_1_top_images(study, tables.strongest_images(study))
    assert "object-centric" not in plate.caption
    said = sentences.describe_accuracy(tables.own_accuracy(study))
    assert "this study has no object-centric images, so it cannot be tested here" in said


@pytest.mark.parametrize(("n", "images", "said"), [
    (12, 12, "strongest images are all 12"), (100, 150, "any share lies between 25% and 75%"),
    (75, 150, None), (100, 4000, None), (80, 150, "any share lies between 6% and 94%"),
])  # fmt: skip
def test_too_few_images_to_differ_from_chance(n, images, said):
    """Half of the images are object-centric. 100 of 150: at least 25 and at most 75 of these 75 are in."""
    rows = [
        {"network": name, "depth": 0, "layer": "pool5", "share": 0.5, "low": 0.4, "high": 0.6, "n": n,
         "images": images, "chance": 0.5, "paper": np.nan}
        for name in ("scene", "object")
    ]  # fmt: skip
    text = sentences.describe_preference(pd.DataFrame(rows))
    assert (said in text) if said else ("any share" not in text and "are all" not in text)
    assert ("deepest layer compared" in text) == (n < images)


def forward_scores(study, network, layer):
    """Second implementation: the layer's total response to every image, by a plain forward pass."""
    from scenelens.networks.hooks import record

    net = study.networks[network]
    with record(net, [layer]) as acts:
        net([study.load_image(image) for image in study.images["image"]])
    return acts[layer].double().flatten(1).sum(1).numpy()


@pytest.mark.parametrize("layer", ["pool2", "fc7"])
def test_strongest_images_are_those_of_a_plain_forward_pass(study, layer):
    table = tables.strongest_images(study, n=4, layers=[layer])
    for network in ("scene", "object"):
        scores = forward_scores(study, network, layer)
        expected = study.images["image"].to_numpy()[np.argsort(-scores, kind="stable")[:4]]
        mine = table[table["network"] == network]
        assert list(mine["image"]) == list(expected)
        assert list(mine["rank"]) == [0, 1, 2, 3]
        assert list(mine["score"]) == pytest.approx(sorted(scores)[::-1][:4], rel=1e-5)
    joined = table.merge(study.images, on="image", suffixes=("", "_of_image"))
    assert (joined["source"] == joined["source_of_image"]).all()


def test_preference_counts_the_object_centric_among_the_strongest(study):
    table = tables.layer_preference(study, n=5)
    strongest = tables.strongest_images(study, n=5)
    for row in table.to_dict("records"):
        same = strongest[(strongest["network"] == row["network"]) & (strongest["layer"] == row["layer"])]
        assert row["share"] == pytest.approx((same["source"] == "object-centric").mean())
        assert row["low"] <= row["share"] <= row["high"]
        assert (row["n"], row["images"], row["chance"]) == (5, 20, 8 / 20)


def test_the_papers_shares_are_at_layers_of_the_same_name(study):
    table = tables.layer_preference(study, n=5).set_index(["network", "layer"])["paper"]
    assert table["object", "pool2"] == 0.55
    assert table["scene", "fc7"] == 0.24
    assert table.notna().sum() == 4


def test_the_control_is_measured_where_there_is_one(tmp_path):
    path = write_tiny_study(tmp_path)
    control = (
        '[networks.untrained]\narchitecture = "caffenet"\nwidth = 0.125\nfc = 16\nseed = 3\nclasses = 3\n'
    )
    path.write_text(STUDY.replace("[[images]]", control + "\n[[images]]", 1))
    table = tables.layer_preference(open_study(path), n=5)
    assert list(table["network"].unique()) == ["scene", "object", "untrained"]
    assert "untrained control" in sentences.describe_preference(table)


NAMES = ["network", "depth", "layer", "share", "low", "high", "n", "images", "chance", "paper"]


def compared(table, within=0.07, shared=(90, 10)):
    """The table with the differences of the object network's rows, `within` either way, and shared images."""
    scene = table[table["network"] == "scene"].set_index("depth")["share"]
    difference = (table["share"] - table["depth"].map(scene)).where(table["network"] == "object")
    images = np.linspace(*shared, table["depth"].max() + 1).round()
    return table.assign(
        difference=difference,
        difference_low=difference - within,
        difference_high=difference + within,
        shared=table["depth"].map(dict(enumerate(images))).where(difference.notna()),
        shared_by_chance=difference * 0 + 25,
    )


def preference(scene, other, n=100, paper=np.nan, control=None):
    """A table of two depths with the given (share, low, high) at the deepest."""
    rows = []
    for depth in (0, 1):
        for network, value in (("scene", scene), ("object", other), ("untrained", control)):
            if value is not None:
                rows.append((network, depth, f"l{depth}", *value, n, 400, 0.5, paper if depth else np.nan))
    return compared(pd.DataFrame(rows, columns=NAMES))


def test_a_difference_is_said_with_its_own_interval():
    parted = sentences.describe_preference(preference((0.2, 0.1, 0.3), (0.8, 0.7, 0.9)))
    assert "object network 80% (95% interval 70–90%, n = 100)" in parted
    said = "The object network's share is 60 points higher than the scene network's (95% interval of the"
    assert parted.count(said) == 2
    close = sentences.describe_preference(preference((0.4, 0.3, 0.55), (0.45, 0.5, 0.7)))
    assert (
        close.count("No difference is shown between the object network's share and the scene network's") == 2
    )
    turned = sentences.describe_preference(preference((0.8, 0.7, 0.9), (0.2, 0.1, 0.3)))
    assert "The scene network's is 60 points higher than the object network's share" in turned
    assert "overlap" not in parted + close + turned


def by_layer(within=0.07, shared=(90, 10), **shares):
    """A table of layers with the two networks' shares, (scene, object)."""
    rows = [
        (network, depth, layer, share, share - 0.05, share + 0.05, 100, 400, 0.5, np.nan)
        for depth, (layer, both) in enumerate(shares.items())
        for network, share in zip(("scene", "object"), both, strict=True)
    ]
    return compared(pd.DataFrame(rows, columns=NAMES), within, shared)


@pytest.mark.parametrize(("shares", "said"), [
    ({"pool2": (0.4, 0.3), "conv4": (0.1, 0.5), "pool5": (0.2, 0.21), "fc7": (0.1, 0.9)},
     "above 0, only at fc7, the deepest layer (and in conv4, but not in all layers after); in the paper "
     "the two differ from conv4 on."),
    ({"pool2": (0.35, 0.4), "conv4": (0.3, 0.5), "fc7": (0.1, 0.9)}, "above 0, from conv4 on; in"),
    ({"pool2": (0.1, 0.9), "fc7": (0.5, 0.5)}, "no run of layers that lasts to the deepest (and in pool2,"),
    ({"pool2": (0.5, 0.5), "fc7": (0.5, 0.5)}, "in no run of layers that lasts to the deepest; in the paper"),
])  # fmt: skip
def test_the_layer_from_which_on_they_differ_is_said(shares, said):
    text = sentences.describe_preference(by_layer(**shares))
    assert said in next(line for line in text.splitlines() if "Where do they part?" in line)


def test_a_reversed_order_is_said_and_the_papers_order_is_not():
    text = sentences.describe_preference(by_layer(pool2=(0.42, 0.3), pool5=(0.08, 0.04), fc7=(0.1, 0.9)))
    said = text.splitlines()[0]
    assert "Not the paper's order**: the scene network's share is the larger one in 2 of 3 layers." in said
    assert (
        "Pool2: the scene network's is 12 points higher than the object network's share (42% against 30%"
        in said
    )
    assert (
        "pool5: no difference is shown between the object network's share and the scene network's (4%" in said
    )
    assert "fc7" not in said
    assert "order" not in sentences.describe_preference(by_layer(pool2=(0.3, 0.3), fc7=(0.1, 0.9)))


def test_images_on_both_lists_are_counted_against_chance():
    layers = {"pool1": (0.4, 0.4), "pool2": (0.4, 0.4), "fc7": (0.1, 0.9)}
    text = sentences.describe_preference(by_layer(shared=(83, 1), **layers))
    assert "Of 100 images on either network's list, both have: pool1 83, pool2 42, fc7 1. By chance" in text
    assert (
        "it would be 25. So early layers prefer similar images for both networks, as the paper says" in text
    )
    assert "falls with depth, at every step." in text
    text = sentences.describe_preference(by_layer(shared=(20, 25), **layers))
    assert "The paper says that early layers prefer similar images for both: here that is not so." in text
    up = by_layer(shared=(83, 1), **layers)
    up.loc[up["depth"] == 1, "shared"] = 90.0
    assert "though not at every step" in sentences.describe_preference(up)


def test_shared_images_are_those_on_both_lists(study):
    table = tables.layer_preference(study, n=5).set_index(["network", "layer"])
    strongest = tables.strongest_images(study, n=5)
    for layer in ("pool1", "fc7"):
        lists = [set(rows["image"]) for _, rows in strongest[strongest["layer"] == layer].groupby("network")]
        row = table.loc["object", layer]
        assert row["shared"] == len(lists[0] & lists[1])
        assert row["shared_by_chance"] == 5 * 5 / 20
        assert row["difference"] == pytest.approx(row["share"] - table.loc["scene", layer]["share"])
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    assert table.loc["scene", ["shared", "difference", "difference_low"]].isna().all(axis=None)


def plain_resample(scores, of_objects, n, rng):
    """One draw of the images of each kind, image by image: the difference of the two lists' shares."""
    kinds = [np.flatnonzero(of_objects), np.flatnonzero(~of_objects)]
    drawn = np.concatenate([rng.choice(kind, len(kind)) for kind in kinds])
    shares = [of_objects[drawn[np.argsort(-one[drawn], kind="stable")[:n]]].mean() for one in scores]
    return shares[0] - shares[1]


def two_layers(rng, images=400):
    """Scores of two networks for the same images, alike to some degree; object-centric ones lie higher."""
    of_objects = np.arange(images) < images // 2
    common, own = rng.normal(size=images), rng.normal(size=(2, images))
    return common + own + np.outer([0.9, 0.3], of_objects), of_objects


def test_the_interval_of_the_difference_is_that_of_a_plain_bootstrap():
    rng = np.random.default_rng(1)
    scores, of_objects = two_layers(rng)
    found = tables._difference_interval_of_lists(scores, of_objects, 40)
    plain = np.quantile([plain_resample(scores, of_objects, 40, rng) for _ in range(2000)], [0.025, 0.975])
    assert found == pytest.approx(tuple(plain), abs=0.026)  # one image of 40, which is the step of both


def test_intervals_of_a_list_cover_what_they_say():
    """True is the share among all images that score higher than the next strongest one did."""
    rng, n = np.random.default_rng(0), 40
    many, kinds = two_layers(rng, 200_000)
    order = np.argsort(-many, axis=1)
    hits = {"share": [], "difference": []}
    for _ in range(250):
        scores, of_objects = two_layers(rng)
        lists = np.argsort(-scores, axis=1)[:, : n + 1]
        found = of_objects[lists[:, :n]].sum(axis=1)
        above = [np.searchsorted(-many[k][order[k]], -scores[k][lists[k, n]]) for k in (0, 1)]
        true = [kinds[order[k][: above[k]]].mean() for k in (0, 1)]
        low, high = wilson_interval(found[0], n)
        hits["share"].append(low <= true[0] <= high)
        low, high = tables._difference_interval_of_lists(scores, of_objects, n, n_resamples=400)
        of_all = [kinds[order[k][: len(kinds) * n // 400]].mean() for k in (0, 1)]
        hits["difference"].append(low <= of_all[0] - of_all[1] <= high)
    assert 0.92 <= np.mean(hits["share"]) <= 0.99
    assert 0.91 <= np.mean(hits["difference"]) <= 0.99


def test_one_network_of_each_kind_is_named_as_a_limit():
    text = sentences.describe_preference(by_layer(pool2=(0.3, 0.4), fc7=(0.1, 0.9)))
    assert text.splitlines()[-1].startswith("- **Networks compared: 1 scene network, 1 object network.**")
    assert "another training of the same kind" in text


def test_both_versions_of_the_object_networks_accuracy_are_said(study):
    text = sentences.describe_accuracy(tables.own_accuracy(study))
    assert "The paper's, on its own test images: 50.0%." in text
    assert "57.4%. So the published version and the slides; another version of the text says 63%." in text


def test_the_papers_value_is_placed_against_our_interval():
    text = sentences.describe_preference(preference((0.2, 0.1, 0.3), (0.8, 0.7, 0.9), paper=0.78))
    assert "l1, scene network: 20% (95% interval 10–30%, n = 100); the paper's 78% is higher" in text
    assert "l1, object network: 80% (95% interval 70–90%, n = 100); the paper's 78% lies inside" in text


@pytest.mark.parametrize(("control", "words"), [
    ((0.5, 0.4, 0.6), "no difference is shown between this share and chance (50% against 50%"),
    ((0.5, 0.46, 0.54), "this share and chance are about equal"),
    ((0.8, 0.7, 0.9), "this share is 30 points higher than chance (80% against 50%"),
    ((0.2, 0.1, 0.3), "chance is 30 points higher than this share (50% against 20%"),
])  # fmt: skip
def test_the_control_is_read_against_chance(control, words):
    text = sentences.describe_preference(preference((0.2, 0.1, 0.3), (0.8, 0.7, 0.9), control=control))
    assert words in text


def test_accuracy_agrees_with_predict(study):
    table = tables.own_accuracy(study).set_index("network")
    for name in ("scene", "object"):
        images = study.images[study.images["source"] == tables.SOURCES[name]]
        loaded = [study.load_image(image) for image in images["image"]]
        guesses = study.networks[name].predict(loaded, top=1)["predicted"].to_numpy()
        assert table.loc[name, "share"] == pytest.approx((guesses == images["category"].to_numpy()).mean())
        assert table.loc[name, "n"] == len(images)
    assert list(table["classes"]) == [3, 2]


def test_a_network_that_knows_none_of_the_categories_is_not_tested(tmp_path):
    path = write_tiny_study(tmp_path)
    path.write_text(STUDY.replace('["apple", "ball"]', '["pear", "plum"]'))
    table = tables.own_accuracy(open_study(path))
    assert list(table["n"]) == [12, 0]
    assert "cannot be tested here" in sentences.describe_accuracy(table)


def renamed(folder, names, classes):
    """The tiny study with other names of its three folders of scenes, and of the scene network's classes."""
    path = write_tiny_study(folder)
    for old, new in zip(("attic", "beach", "cave"), names, strict=True):
        (folder / "photos" / "scene" / old).rename(folder / "photos" / "scene" / new)
    path.write_text(STUDY.replace('["attic", "beach", "cave"]', json.dumps(classes, ensure_ascii=False)))
    return open_study(path)


@pytest.mark.parametrize("names", [["厨房", "沙漠", "天空"], ["кухня", "пляж", "пещера"], ["🏖", "🏔", "🌆"]])
def test_accuracy_in_any_script_is_that_of_plain_names(study, tmp_path, names):
    found = tables.own_accuracy(renamed(tmp_path, names, names)).iloc[0]
    plain = tables.own_accuracy(study).iloc[0]
    assert (found["n"], found["categories"], found["share"]) == (12, 3, plain["share"])


def test_categories_that_do_not_count_are_named(tmp_path):
    study = renamed(tmp_path, ["crane", "beach", "沙漠"], ["Crane", "crane", "beach"])
    table = tables.own_accuracy(study)
    row = table.iloc[0]
    assert (row["n"], row["unknown"], row["shared"]) == (4, ["沙漠"], {"crane": ["Crane (0)", "crane (1)"]})
    text = sentences.describe_accuracy(table)
    assert "Not among its classes, so not counted: 沙漠" in text
    assert "several of its classes have the name: crane" in text
    assert study.networks["scene"].predict(study.load_image(study.images.image[0]), top=3).predicted.is_unique


def test_features_are_means_over_the_map_or_values(study):
    index = study.index("scene")
    np.testing.assert_allclose(
        tables.layer_features(study, "scene", "pool5"), index.sums("pool5") / 36, rtol=1e-6
    )
    np.testing.assert_array_equal(tables.layer_features(study, "scene", "fc7"), index.values("fc7"))


def test_an_unreadable_image_is_left_out_of_every_table(tmp_path):
    path = write_tiny_study(tmp_path)
    broken = tmp_path / "photos" / "object" / "ball" / "3.png"
    broken.write_bytes(broken.read_bytes()[:40])
    study = open_study(path)
    table = tables.layer_preference(study, n=19)
    assert set(table["images"]) == {19}
    assert set(table["chance"]) == {7 / 19}
    assert not tables.strongest_images(study, n=19)["image"].str.contains("ball/3").any()
    assert list(tables.own_accuracy(study)["n"]) == [12, 7]


@pytest.mark.parametrize(("paper", "words"), [
    (0.1, "lower, outside"), (0.2, "inside our"), (0.4, "inside our"), (0.41, "higher, outside"),
])  # fmt: skip
def test_the_papers_value_is_placed(paper, words):
    assert words in sentences._against_paper(0.2, 0.4, paper)


@pytest.mark.parametrize("bias", [-1e4, 0.25])
def test_a_layer_that_responds_equally_to_all_images_prefers_nothing(tmp_path, bias):
    equal = open_study(write_tiny_study(tmp_path))
    last = equal.networks["object"].layers.iloc[-1]
    module = equal.networks["object"].module.get_submodule(last["module"])
    module.weight.data[:] = 0
    module.bias.data[:] = bias
    layer = [str(last["layer"])]
    table = tables.layer_preference(equal, n=5, layers=["conv1", *layer])
    row = table[(table["network"] == "object") & (table["layer"] == layer[0])].iloc[0]
    assert np.isnan(row["share"])
    assert "constant layer" in row["note"]
    assert table["share"].notna().sum() == 3
    text = str(sentences.describe_preference(table))
    assert "object network no preference" in text
    assert "nan" not in text.replace("nantes", "")
    assert f"No point: {layer[0]} of the object network" in figures.figure_1_preference(table).caption
    strongest = tables.strongest_images(equal, n=3, layers=["conv1", *layer])
    shown = figures.figure_1_top_images(equal, strongest).caption
    assert f"drive {layer[0]} of the object network equally" in shown


def test_layers_that_rank_their_images_have_no_note(study):
    assert "note" not in tables.layer_preference(study, n=5)
    assert "equally" not in figures.figure_1_top_images(study, tables.strongest_images(study, n=3)).caption


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_an_exercise_about_a_dead_or_constant_layer_has_no_answer(tiny_study, value):
    layer = tiny_study.networks["object"].module.get_submodule("fc7")
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.fill_(value)
    for answer in (0.5, "50%", "never"):
        verdict = check("02.2", tiny_study, answer)
        assert verdict.startswith("This exercise has no answer on this study")
        assert not verdict.right
    assert check("02.2", tiny_study, ...) == check("02.1", None, ...)

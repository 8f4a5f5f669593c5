"""The figures: what is drawn, and that no word leaves the page or runs into another."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from scenelens.studies.study import open_study
from scenelens.two_networks import figures, tables
from scenelens.two_networks.figures import _apart
from scenelens.workbook import style, tiles
from scenelens.workbook.style import SOURCE_COLORS
from tests.figure_checks import assert_well_set, words_of
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


def preference(names=("pool1", "pool2", "conv3", "conv4", "pool5", "fc7"), other=None, paper=True):
    rows = []
    shares = {"scene": np.linspace(0.5, 0.1, len(names)), "object": np.linspace(0.5, 0.99, len(names))}
    for network, values in shares.items():
        for depth, share in enumerate(values):
            name = (other or names)[depth] if network == "object" else names[depth]
            quoted = tables.paper.PREFERENCE.get((network, name), np.nan) if paper else np.nan
            low, high = max(share - 0.1, 0), min(share + 0.1, 1)
            rows.append((network, depth, name, share, low, high, 100, 4000, 0.5, quoted))
    columns = ["network", "depth", "layer", "share", "low", "high", "n", "images", "chance", "paper"]
    table = pd.DataFrame(rows, columns=columns)
    shared = table["depth"].map(dict(enumerate(np.linspace(83, 0, len(names))))).round()
    of_object = table["network"] == "object"
    return table.assign(shared=shared.where(of_object), shared_by_chance=np.where(of_object, 2.5, np.nan))


def test_images_on_both_lists_are_drawn_below_with_chance():
    plate = figures.figure_1_preference(preference())
    below = plate.axes[1]
    chance, line = below.get_lines()
    np.testing.assert_allclose(line.get_ydata(), [83, 66, 50, 33, 17, 0])
    assert chance.get_ydata()[0] == 2.5
    words = [text for text, _ in words_of(plate)]
    assert {"Images on both lists, of 100", "chance 2.5", "66"} <= set(words)
    assert "Below: how many images" in plate.caption
    alone = preference().drop(columns="shared")
    assert len(figures.figure_1_preference(alone).axes) == 1


def test_the_preference_figure_shows_the_tables_numbers():
    table = preference()
    plate = figures.figure_1_preference(table)
    lines = {
        to_hex(line.get_color()): line for line in plate.axes[0].get_lines() if len(line.get_xdata()) == 6
    }
    for network in ("scene", "object"):
        drawn = lines[style.network_color(network)].get_ydata()
        np.testing.assert_allclose(drawn, table.loc[table["network"] == network, "share"])
    diamonds = [c for c in plate.axes[0].collections if len(c.get_offsets()) == 2]
    heights = {to_hex(c.get_edgecolors()[0]): sorted(c.get_offsets()[:, 1]) for c in diamonds}
    assert heights == {
        style.network_color("scene"): [0.24, 0.47],
        style.network_color("object"): [0.55, 0.78],
    }
    words = [text for text, _ in words_of(plate)]
    assert "chance 50%" in words
    assert "100 images" in plate.caption
    assert "4,000" in plate.caption


@pytest.mark.parametrize("other", [None, [f"features.{n}" for n in (0, 3, 5, 8, 10, 12)]])
def test_the_preference_figure_is_well_set(other):
    assert_well_set(figures.figure_1_preference(preference(other=other)))


def test_the_names_of_all_three_networks_lie_on_the_page():
    table = preference()
    control = table[table.network == "object"].assign(network="untrained", paper=np.nan)
    assert_well_set(
        figures.figure_1_preference(pd.concat([table, control.assign(share=0.3, low=0.2, high=0.4)]))
    )


def test_lines_that_end_together_keep_their_names_apart():
    table = preference()
    table[["share", "low", "high"]] = [0.5, 0.4, 0.6]
    assert_well_set(figures.figure_1_preference(table))


BLOCKS = tuple(f"encoder.layers.encoder_layer_{k}" for k in (0, 1, 4, 6, 9, 11))


@pytest.mark.parametrize(
    "other", [None, BLOCKS, tuple(f"features.denseblock{k}.denselayer16" for k in range(6))]
)
def test_long_names_of_layers_do_not_run_into_each_other(other):
    plate = figures.figure_1_preference(preference(names=BLOCKS, other=other))
    assert_well_set(plate)
    drawn = [text for text, _ in words_of(plate)]
    assert all(any(text.endswith(name[-8:]) for text in drawn) for name in BLOCKS)


def test_where_all_images_are_ranked_the_caption_says_that_nothing_was_chosen():
    table = preference()
    assert "all images, so" not in figures.figure_1_preference(table).caption
    assert "every share is chance" in figures.figure_1_preference(table.assign(n=80, images=80)).caption


def test_without_namesakes_the_paper_is_not_drawn():
    plate = figures.figure_1_preference(preference(paper=False))
    assert "paper" not in plate.caption


@pytest.mark.parametrize("values", [[0.5, 0.5, 0.5], [0.0, 0.01, 0.02], [0.97, 0.98, 1.0], [0.1, 0.5, 0.9]])
def test_labels_are_moved_apart_and_stay_in_order(values):
    placed = _apart(values, 0.075)
    assert np.diff(placed).min() >= 0.07
    assert min(placed) > -0.02
    assert max(placed) < 1.02
    if np.diff(values).min() > 0.075:
        assert placed == values


def test_figure_1_takes_long_names_of_layers(study):
    strongest = tables.strongest_images(study, n=1)
    assert_well_set(figures.figure_1_top_images(study, strongest.assign(layer=BLOCKS[-1])))


def test_figure_1_shows_the_right_images_in_the_right_places(study):
    strongest = tables.strongest_images(study, n=2)
    plate = figures.figure_1_top_images(study, strongest)
    assert len(plate.axes) == 2 * 6 * 2
    rows = strongest.sort_values("network", ascending=False, kind="stable").to_dict("records")
    for axes, row in zip(plate.axes, rows, strict=True):
        color = to_hex(axes.spines["left"].get_edgecolor())
        assert color == SOURCE_COLORS[row["source"]]
    first = strongest.iloc[0]
    frame = study.networks["scene"].show_input(study.load_image(first["image"]))
    drawn = np.asarray(plate.axes[0].images[0].get_array())
    small = np.asarray(Image.fromarray(frame).resize(drawn.shape[1::-1], Image.Resampling.BOX))
    np.testing.assert_array_equal(drawn, small)
    assert_well_set(plate)


def table_of_tasks(n):
    rows = [
        ("scene", "scene", 0.9, 0.85, 0.95, 0.5, n, n, 20, 0.05),
        ("scene", "object", 0.6, 0.5, 0.7, 0.408, n, n, 20, 0.05),
        ("object", "scene", 0.3, 0.2, 0.4, np.nan, n, n, 80, 0.0125),
        ("object", "object", 1.0, 0.97, 1.0, np.nan, n, n, 80, 0.0125),
    ]
    names = ["task", "features", "share", "low", "high", "paper", "n", "n_train", "categories", "chance"]
    return pd.DataFrame(rows, columns=names)


def test_the_transfer_figure_is_well_set_and_true_to_its_table():
    plate = figures.transfer_dots(table_of_tasks(1000))
    assert_well_set(plate)
    dots = [line for line in plate.axes[0].get_lines() if line.get_marker() == "o"]
    assert sorted(float(dot.get_xdata()[0]) for dot in dots) == [0.3, 0.6, 0.9, 1.0]
    assert "80 categories, 1,000 images to learn from" in plate.caption


def test_three_rows_of_a_task_do_not_run_into_each_other():
    table = table_of_tasks(1000)
    control = table.iloc[[0, 2]].assign(features="untrained", share=0.2, low=0.15, high=0.25, paper=np.nan)
    assert_well_set(figures.transfer_dots(pd.concat([table, control])))


def test_a_plate_shows_itself_as_one_picture_of_the_right_kind():
    drawn, about = tiles.contact_sheet([np.zeros((9, 9, 3), np.uint8)], caption="black")._repr_mimebundle_()
    assert Image.open(io.BytesIO(drawn["image/jpeg"])).format == "JPEG"
    texts = {"title": "", "caption": "black", "words": [0, 39]}  # pixels of the title and the caption
    assert about["image/jpeg"] == {"width": 720, "alt": "black", "scenelens": texts}
    drawn, _ = figures.figure_1_preference(preference())._repr_mimebundle_()
    picture = Image.open(io.BytesIO(drawn["image/png"]))
    assert picture.format == "PNG"
    assert picture.width == 1152

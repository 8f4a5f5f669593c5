"""The figures of section 3.2: what is drawn where, and that no word leaves the page or runs into another."""

from dataclasses import replace

import numpy as np
import pytest

from scenelens.errors import SceneLensError
from scenelens.receptive_fields import figures
from scenelens.receptive_fields import sizes as field_tables
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.unit_segmentation import segment_examples, segment_unit
from scenelens.studies.ranking import top_images
from scenelens.studies.study import open_study
from scenelens.workbook.pictures import dimmed, heat
from tests.figure_checks import assert_well_set, words_of
from tests.made_up_fields import MadeUp, blob_field
from tests.receptive_fields.test_sizes import AS_PAPER, table
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def atlas(study):
    """Two made-up fields of each layer."""
    with pytest.MonkeyPatch.context() as patch_:
        patch_.setattr("scenelens.receptive_fields.network_atlas.estimate_rf", MadeUp())
        made = Atlas(study, 3)
        made.grow(2)
    return made


@pytest.fixture(scope="module")
def field(study):
    """A made-up field at the places of a real unit's peaks."""
    top = study.index("scene").top_images("pool2", 4, 6)
    return blob_field(4, places=list(zip(top["row"], top["col"], strict=True)), peaks=top["peak"])


def drawn(axes):
    return np.asarray(axes.images[0].get_array())


def test_the_pipeline_shows_images_maps_and_their_average(study, field):
    plate = figures.figure_3_pipeline(study, "scene", field, n=3)
    assert len(plate.axes) == 3 * 3 + 1
    side = drawn(plate.axes[2]).shape[0]
    assert (
        abs(drawn(plate.axes[2]).astype(int).sum() - _small(heat(field.evidence.recentered(0)), side).sum())
        < 3
    )
    assert len(plate.axes[0].images) == 2  # the occluder lies on the first image
    left, right, bottom, top = plate.axes[0].images[1].get_extent()
    assert (right - left, bottom - top) == (11, 11)
    first = field.evidence.maps[0]
    peak = np.unravel_index(first.argmax(), first.shape)
    assert (left, top) == (3 * peak[1], 3 * peak[0])
    assert "average of 6 images" in [text for text, _ in words_of(plate)]
    assert "5,329 positions" in plate.caption
    assert_well_set(plate)


def test_the_pipeline_of_a_unit_that_can_see_the_whole_image_says_so(study, field):
    whole = replace(field, theoretical=replace(field.theoretical, size=227, whole=True))
    plate = figures.figure_3_pipeline(study, "scene", whole, n=3)
    assert any("px; possible is the whole image" in text for text, _ in words_of(plate))
    assert "Ring: the peak's centre; the unit could see the whole image." in plate.caption
    assert "all that the peak could see" not in plate.caption
    assert_well_set(plate)


def _small(image, side):
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX)).astype(int)


def test_one_image_is_a_pipeline_too(study, field):
    one = blob_field(4, places=field.places[:1], peaks=field.peaks[:1])
    assert_well_set(figures.figure_3_pipeline(study, "scene", one))


@pytest.mark.parametrize(
    "draw", [lambda s, f: figures.figure_3_pipeline(s, "scene", f), lambda s, f: figures.convergence(f)]
)
def test_a_silent_unit_has_nothing_to_draw(study, draw):
    with pytest.raises(SceneLensError, match="unit 4 of pool2 is silent"):
        draw(study, blob_field(4, places=[], peaks=[]))


def test_a_cached_field_has_no_single_maps_to_draw(atlas):
    cached = next(one for one in atlas.part("scene").sample("pool2") if not one.reason)
    with pytest.raises(SceneLensError, match=r"pool2:\d+ and not the single images' maps; compute"):
        figures.convergence(cached)


def test_convergence_draws_its_curve(field):
    plate = figures.convergence(field)
    curve = field.evidence.convergence()
    above, below = plate.axes
    np.testing.assert_allclose(above.get_lines()[0].get_ydata(), curve["size"])
    np.testing.assert_allclose(below.get_lines()[0].get_ydata(), curve["similarity"])
    assert_well_set(plate)


def test_table_2_shows_means_theory_and_the_papers(atlas):
    rows = table(AS_PAPER)
    sizes = field_tables.field_sizes(atlas)
    plate = figures.table_2_sizes(rows, sizes)
    axes = plate.axes[0]
    levels = sorted(line.get_ydata()[0] for line in axes.get_lines() if line.get_color() == "black")
    assert levels == sorted(rows["theoretical"])
    diamonds = sorted(
        float(c.get_offsets()[0, 1]) for c in axes.collections
        if len(c.get_offsets()) == 1 and c.get_facecolor().tolist() == [[1, 1, 1, 1]]
    )  # fmt: skip
    assert diamonds == [17.8, 17.9, 36.7, 37.4, 60.0, 72.0]  # two networks, of the object network two layers
    words = [text for text, _ in words_of(plate)]
    assert "60 ± 9" in words
    assert "n=8/192" in words
    assert_well_set(plate)


def test_table_2_of_what_was_measured_is_well_set(atlas):
    plate = figures.table_2_sizes(field_tables.table_2(atlas), field_tables.field_sizes(atlas))
    assert_well_set(plate)


@pytest.mark.parametrize("start", ["encoder.layers.encoder_layer_", "features.denseblock4.denselayer16."])
def test_table_2_takes_long_names_of_layers(atlas, start):
    rows, sizes = field_tables.table_2(atlas), field_tables.field_sizes(atlas)
    plate = figures.table_2_sizes(rows.assign(layer=start + rows["layer"]), sizes)
    assert_well_set(plate)
    own = start + rows["layer"] + "." + rows["network"]  # every network has names of its own
    assert_well_set(figures.table_2_sizes(rows.assign(layer=own), sizes))


def test_a_network_without_the_papers_layers_has_no_diamonds(atlas):
    rows = table(AS_PAPER).assign(paper=np.nan)
    assert "diamond" not in figures.table_2_sizes(rows, field_tables.field_sizes(atlas)).caption


def test_sizes_by_cut_have_a_panel_for_each_layer_with_the_papers_sizes(atlas):
    rows = field_tables.table_2(atlas, cut=[0.1, 0.25, 0.5])
    plate = figures.size_by_cut(rows)
    assert_well_set(plate)
    assert len(plate.axes) == rows["depth"].nunique()
    first = rows[(rows["depth"] == 0) & (rows["network"] == "scene")]
    curve = plate.axes[0].get_lines()[0]
    np.testing.assert_allclose(curve.get_xdata(), first["cut"])
    np.testing.assert_allclose(curve.get_ydata(), first["mean"])
    dashed = {
        y for line in plate.axes[0].get_lines() if line.get_linestyle() == "--" for y in line.get_ydata()
    }
    assert dashed == {17.8, 17.9}
    long = rows.assign(layer="features.denseblock4.denselayer16." + rows["layer"] + rows["network"])
    plain = figures.size_by_cut(long.assign(paper=np.nan))
    assert_well_set(plain)
    assert "Dashed" not in plain.caption


def test_figure_4_has_a_line_per_unit_with_patches_of_its_size(study, atlas):
    plate = figures.figure_4_fields(study, atlas, "object", n_units=2, n_patches=4)
    fields = [one for layer in atlas.part("object").layers for one in atlas.part("object").sample(layer)]
    shown = [one for one in fields if not one.reason]
    assert len(plate.axes) == 5 * len(shown)
    top = top_images(study, "object", shown[0].layer, shown[0].unit, 1)[0]
    expected = figures._patch(top.frame, top.center, shown[0].size)
    assert plate.axes[1].images[0].get_extent() == [0, expected.shape[1], expected.shape[0], 0]
    np.testing.assert_array_equal(drawn(plate.axes[1]), expected)
    assert_well_set(plate)


@pytest.mark.parametrize("n_units", [1, 2])
def test_names_of_layers_do_not_run_into_each_other(study, atlas, n_units, monkeypatch):
    """Names as long as those of squeezenet1_1: there is room for one beside two rows only."""
    monkeypatch.setattr(figures, "_BOLDER", 2.2)  # as if conv1 were a name of ten letters
    plate = figures.figure_4_fields(study, atlas, "object", n_units=n_units, n_patches=9)
    along = [text for text in plate.texts if text.get_rotation() == 90]
    assert bool(along) == (n_units > 1)
    assert_well_set(plate)


def test_figure_5_dims_what_lies_outside_of_the_region(study, atlas):
    plate = figures.figure_5_segmentations(segment_examples(atlas, n=2))
    part = atlas.part("scene")
    field = next(one for one in part.sample("pool1") if not one.reason)
    top = top_images(study, "scene", "pool1", field.unit, 1)[0]
    mask = segment_unit(part.network, field, study.load_image(top.image), 0.5).mask
    assert 0 < mask.mean() < 1
    expected = dimmed(top.frame, mask)
    first = drawn(plate.axes[0])
    assert np.abs(_small(expected, first.shape[0]) - first.astype(int)).max() <= 1
    assert "scene network" in [text for text, _ in words_of(plate)]
    assert_well_set(plate)

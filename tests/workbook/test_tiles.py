"""The workbook's own figures: sheets of images, the table of objects, and the colours of networks."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scenelens.errors import SceneLensError
from scenelens.studies.ranking import top_images
from scenelens.studies.study import open_study
from scenelens.workbook import style, tiles, world
from tests.figure_checks import assert_well_set, words_of
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


def test_a_unit_sheet_marks_the_peak_where_it_is(study):
    tops = top_images(study, "scene", "conv4", 3, 6)
    plate = tiles.unit_sheet(study, "scene", "conv4", 3, n=6)
    assert plate.photo
    assert len(plate.axes) == 6
    for axes, top in zip(plate.axes, tops, strict=True):
        ring = axes.get_lines()[0]
        assert (ring.get_ydata()[0], ring.get_xdata()[0]) == (top.center[0] + 0.5, top.center[1] + 0.5)
        box = axes.patches[0]
        assert (box.get_y(), box.get_x()) == (top.box[0], top.box[1])
        assert (box.get_height(), box.get_width()) == (top.box[2] - top.box[0], top.box[3] - top.box[1])
        assert axes.get_xlim() == (0, 227)
        assert axes.get_ylim() == (227, 0)
    assert_well_set(plate)
    assert "6 images with the highest peaks, of 20" in plate.caption


def test_a_fully_connected_unit_is_not_marked(study):
    plate = tiles.unit_sheet(study, "scene", "fc7", 0, n=2)
    assert not any(axes.patches or axes.get_lines() for axes in plate.axes)
    assert "receptive" not in plate.caption


def test_a_contact_sheet_holds_every_image_with_its_label():
    images = [np.full((30, 40, 3), 20 * k, np.uint8) for k in range(7)]
    plate = tiles.contact_sheet(
        images, [f"a_{k}" for k in range(7)], columns=3, title="Seven", caption="n = 7"
    )
    assert len(plate.axes) == 7
    assert [text for text, _ in words_of(plate)] == ["Seven", "n = 7", *(f"a {k}" for k in range(7))]
    assert_well_set(plate)


def test_long_labels_are_cut_not_overlapped():
    images = [np.zeros((9, 9, 3), np.uint8)] * 6
    plate = tiles.contact_sheet(images, ["amusement_park_with_a_very_long_name"] * 6, columns=6)
    assert_well_set(plate)


def test_a_contact_sheet_needs_images_and_as_many_labels():
    with pytest.raises(SceneLensError, match="at least one image"):
        tiles.contact_sheet([])
    with pytest.raises(SceneLensError, match="1 images but 2 labels"):
        tiles.contact_sheet([np.zeros((9, 9, 3), np.uint8)], ["a", "b"])


def test_a_category_sheet_shows_each_category_once(study):
    plate = tiles.category_sheet(study, "scene-centric")
    assert [text for text, _ in words_of(plate)][1:] == ["attic", "beach", "cave"]
    assert "12 images in all" in plate.caption
    with pytest.raises(SceneLensError, match="no film-centric images"):
        tiles.category_sheet(study, "film-centric")


def test_the_object_table_puts_frequent_objects_first():
    presence = pd.DataFrame({"a": [0.1, 0.9], "b": [0.0, 1.0]}, index=["rare_thing", "person"])
    plate = world.object_table(presence, title="t")
    names = [label.get_text() for label in plate.axes[0].get_yticklabels()]
    assert names == ["person", "rare thing"]
    np.testing.assert_array_equal(plate.axes[0].images[0].get_array(), [[0.9, 1.0], [0.1, 0.0]])


def test_a_full_object_table_is_well_set():
    rng = np.random.default_rng(0)
    index, columns = [f"musical_object_{k}" for k in range(56)], [f"amusement_park_{k}" for k in range(24)]
    plate = world.object_table(pd.DataFrame(rng.random((56, 24)), index, columns), title="t", caption="c")
    page, boxes = plate.bbox, words_of(plate)
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and box.y1 <= page.y1 for _, box in boxes)


def test_the_two_networks_differ_in_grey_and_to_a_colour_blind_eye():
    """Lightness apart by 7 of 100 at least, and hue along blue to orange, which red-green blindness keeps."""
    from skimage.color import rgb2lab

    colors = [style.network_color(name) for name in ("scene", "object")]
    lab = [rgb2lab(np.array([[[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)]]])).ravel() for c in colors]
    assert abs(lab[0][0] - lab[1][0]) > 7
    assert lab[0][2] < -20
    assert lab[1][2] > 20


def test_images_of_equal_peaks_are_said_to_be_in_no_order():
    tops = [
        SimpleNamespace(peak=peak, box=None, ring=None, center=None, category="") for peak in (0.5, 0.0, 0.0)
    ]
    study = SimpleNamespace(images=range(30))
    assert "The last 2 have equal peaks: their order says nothing." in tiles._unit_caption(study, tops)
    assert "equal peaks" not in tiles._unit_caption(study, tops[:2])
    assert "responds equally to all of them" in tiles._unit_caption(study, tops[1:])


@pytest.mark.parametrize("about", [{}, {"frame": "#d55e00"}, {"right": True}, {"right": False}])
def test_axes_for_tiles_look_as_others_do(about):
    """Only their ticks are not made."""
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    found = []
    for name in ("axes_at", "tile_at"):
        plate = style.Plate("A title", 1.5, "a caption")
        axes = getattr(plate, name)(0.5, 0.2, 1.2, 1.2)
        tiles.show_tile(axes, image, **about)
        axes.plot([5, 20], [10, 12], "o-")
        axes.contour(image[..., 0] > 200, [0.5])
        axes.set(xlim=(0, 40), ylim=(30, 0))
        assert len(axes.get_xticks()) == len(axes.get_yticks()) == 0
        found.append(plate.encode())
    assert found[0] == found[1]


def test_axes_for_tiles_make_ticks_where_somebody_wants_them():
    plate = style.Plate("", 1.0)
    axes = plate.tile_at(0.5, 0.0, 2.0, 0.5)
    axes.set_xticks([0.2, 0.5], ["a", "b"])
    axes.minorticks_on()
    plate.encode()
    assert [one.get_text() for one in axes.get_xticklabels()] == ["a", "b"]
    assert len(axes.xaxis.majorTicks) == 2
    assert len(axes.yaxis.get_major_ticks()) == len(axes.get_yticks()) > 0

"""Fields on disk: what comes back is what was measured."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.networks.reach import RF
from scenelens.receptive_fields.field import _SAMPLES, EmpiricalRF, _sample_lines
from tests.made_up_fields import blob_field


def back(*fields):
    return EmpiricalRF.unpack(EmpiricalRF.pack(fields, {"study": "tiny"}))


@pytest.mark.parametrize(("size", "side"), [(19, 227), (67, 227), (195, 227), ((67, 131), 224)])
def test_a_field_comes_back_as_it_was_measured(size, side):
    field = blob_field(3, theoretical=RF(size, 16, 17), side=side)
    fields, about = back(field)
    kept = fields[0]
    assert about == {"study": "tiny"}
    assert (kept.layer, kept.unit, kept.input_size, kept.theoretical) == (
        "pool2",
        3,
        (side, side),
        field.theoretical,
    )
    assert kept.size == pytest.approx(field.size)
    np.testing.assert_array_equal(kept.mask, field.mask)
    for name in ("peaks", "places", "images"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(field, name))
    seen = ~np.isnan(kept.map) & ~np.isnan(field.map)
    assert np.abs(kept.map - field.map)[seen].max() < 0.05 * np.nanmax(field.map)
    assert not np.isnan(kept.map[field.mask]).any()
    assert kept.reason == ""


def test_what_was_never_seen_comes_back_unknown():
    field = blob_field(places=[(0, 6)] * 2, peaks=(2.0, 1.0))  # at the upper edge: above it nothing is known
    kept = back(field)[0][0]
    assert np.isnan(kept.map[90, 113])
    assert kept.map[118, 113] > 0.5


def bootstrap_by_hand(field, n_resamples=200, seed=0):
    """The interval by averaging every resample's images one by one, in float64."""
    moved = np.stack([field.evidence.recentered(k) for k in range(len(field.peaks))]).astype(float)
    n, sizes = len(moved), []
    for draw in np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_resamples):
        average = np.nanmean(np.repeat(moved, draw, axis=0), axis=0)
        sizes.append(math.sqrt((average >= np.nanmax(average) / 2).sum()))
    return tuple(np.quantile(sizes, [0.025, 0.975]))


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_the_interval_is_the_bootstraps():
    places = [(6, 6), (5, 5), (2, 9), (9, 3)]
    maps = blob_field(width=0.2, places=places, peaks=(4, 3, 2, 1)).evidence.maps.copy()
    maps[1] *= 0.3
    maps[2, :, :30] = 0.9
    field = with_maps(blob_field(width=0.2, places=places, peaks=(4, 3, 2, 1)), maps)
    assert field.interval == pytest.approx(bootstrap_by_hand(field), abs=0.2)
    assert back(field)[0][0].interval == pytest.approx(field.interval)


def with_maps(field, maps):
    return replace(field.evidence, maps=maps).field(
        field.layer, field.unit, field.theoretical,
        places=field.places, peaks=field.peaks, images=field.images, asked=field.asked,
    )  # fmt: skip


def test_a_silent_unit_comes_back_with_its_reason():
    silent = blob_field(7, places=[], peaks=[])
    kept = back(blob_field(1), silent)[0][1]
    assert "silent" in kept.reason
    assert kept.reason == silent.reason
    assert math.isnan(kept.size)
    assert not kept.mask.any()
    assert kept.row["n_images"] == 0


def test_units_with_fewer_images_lie_in_one_file_with_the_others():
    fields, _ = back(blob_field(0), blob_field(1, places=[(2, 2)], peaks=[5.0]))
    assert [len(field.peaks) for field in fields] == [3, 1]
    assert [field.row["n_images"] for field in fields] == [3, 1]
    assert fields[1].row["peak"] == 5.0


def test_a_row_of_the_table_is_the_same_before_and_after():
    field = blob_field()
    kept = back(field)[0][0]
    for name, value in field.row.items():
        assert kept.row[name] == (
            value if isinstance(value, str) else pytest.approx(value, rel=1e-5, nan_ok=True)
        )


def test_the_single_maps_are_not_stored():
    assert back(blob_field())[0][0].evidence is None


def test_a_kept_field_is_small():
    assert len(EmpiricalRF.pack([blob_field()])) < 6000


def broken(kind):
    good = EmpiricalRF.pack([blob_field()])
    if kind == "cut":
        return good[: len(good) // 2]
    if kind == "pickle":
        target = io.BytesIO()
        np.savez(target, json=np.array({"a": 1}, dtype=object), unit=np.zeros(1))
        return target.getvalue()
    return {"empty": b"", "text": b"hello"}[kind]


@pytest.mark.parametrize("kind", ["cut", "empty", "text", "pickle"])
def test_broken_files_are_named(kind):
    with pytest.raises(SceneLensError, match=r"conv4\.npz holds no receptive fields"):
        EmpiricalRF.unpack(broken(kind), "conv4.npz")


@settings(deadline=None)
@given(st.integers(1, 500), st.floats(0, 40), st.integers(8, 500))
def test_lines_lie_in_the_frame_and_are_few(reach, margin, length):
    lines = _sample_lines(reach, margin, length)
    assert lines[0] >= 0
    assert lines[-1] <= length - 1
    assert len(lines) <= _SAMPLES + 1
    assert (np.diff(lines) > 0).all()
    if reach + 2 * margin < length - 1:
        assert lines[-1] - lines[0] >= reach + 2 * margin - 1


def test_the_single_images_maps_come_with_an_estimate_and_not_with_a_stored_field():
    field = blob_field()
    assert field.maps is field.evidence.maps
    assert field.centers is field.evidence.centers
    for name in ("maps", "centers"):
        with pytest.raises(SceneLensError, match="has no maps of single images"):
            getattr(back(field)[0][0], name)

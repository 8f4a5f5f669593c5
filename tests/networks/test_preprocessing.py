from unittest.mock import patch

import cv2
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from scenelens.errors import SceneLensError
from scenelens.minimal_images.regions import Regions
from scenelens.networks.preprocessing import PRESETS, Preprocessing
from scenelens.networks.torchvision_shim import load_torchvision

RNG = np.random.default_rng(0)


def picture(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "shape", [(300, 400), (400, 300), (256, 256), (257, 256), (100, 90), (1, 1), (500, 20)]
)
def test_imagenets_frame_and_numbers_are_torchvisions(shape):
    load_torchvision()
    from torchvision.transforms import v2

    image = picture(*shape)
    theirs = v2.Compose(
        [
            v2.Resize(256),
            v2.CenterCrop(224),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(PRESETS["imagenet"].mean, PRESETS["imagenet"].std),
        ]
    )
    ours = PRESETS["imagenet"].tensor(PRESETS["imagenet"].frame(image)[None])[0]
    scale = 256 / min(shape)
    if any(
        (side * scale - 224) % 2 == 1 for side in shape
    ):  # odd margins: they round the crop's corner to even
        assert ours.shape == (3, 224, 224)
    else:
        assert torch.allclose(ours, theirs(Image.fromarray(image)), atol=1e-5)


def test_caffes_channels_are_swapped_and_the_mean_is_taken_off():
    frame = np.zeros((1, 227, 227, 3), np.uint8) + np.array([200, 100, 50], np.uint8)
    x = PRESETS["caffe"].tensor(frame)[0, :, 5, 5]
    assert x.tolist() == pytest.approx([50 - 104.007, 100 - 116.669, 200 - 122.679], abs=1e-4)


def test_a_mean_image_is_cropped_like_the_photograph(tmp_path):
    mean = np.broadcast_to(
        np.arange(8, dtype=np.float32)[None, :, None], (3, 8, 8)
    ).copy()  # its rows are told apart
    np.save(tmp_path / "mean.npy", mean)
    how = Preprocessing(size=(4, 4), resize_to=8, white=255.0, mean_image=str(tmp_path / "mean.npy"))
    x = how.tensor(np.full((1, 4, 4, 3), 10, np.uint8))
    assert x[0, 0, :, 0].tolist() == [8, 7, 6, 5]  # 10 minus rows 2 ... 5
    half = Preprocessing(size=(4, 4), resize_to=8, white=1.0, mean_image=str(tmp_path / "mean.npy"))
    assert torch.allclose(half.tensor(np.full((1, 4, 4, 3), 10, np.uint8)) * 255, x)


def test_a_mean_image_of_another_size_is_resized(tmp_path):
    np.save(tmp_path / "mean.npy", np.full((3, 10, 10), 7, np.float32))
    how = Preprocessing(size=(4, 4), white=255.0, mean_image=str(tmp_path / "mean.npy"))
    assert torch.allclose(how.tensor(np.full((1, 4, 4, 3), 9, np.uint8)), torch.full((1, 3, 4, 4), 2.0))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(["exact", "short side"]), st.booleans())
def test_every_photograph_gives_a_frame_of_the_networks_size(height, width, resize, larger):
    how = Preprocessing(size=(24, 20), resize=resize, resize_to=30 if larger else (24, 24))
    frame = how.frame(picture(height, width))
    assert frame.shape == (24, 20, 3)
    assert frame.dtype == np.uint8


SIDES, LONGER = st.integers(1, 90), st.integers(24, 40)


@settings(max_examples=60, deadline=None)
@example((40, 50), ("short side", (26, 34)))
@given(
    st.tuples(SIDES, SIDES),
    st.just(("exact", None))
    | st.tuples(st.sampled_from(["exact", "short side"]), LONGER | st.tuples(LONGER, LONGER)),
)
def test_photographs_label_maps_and_segments_are_resized_alike(shape, way):
    """What is asked of the libraries that resize, in the order height, width."""
    how = Preprocessing(size=(24, 20), resize=way[0], resize_to=way[1])
    labels = np.arange(shape[0] * shape[1]).reshape(shape)
    with (
        patch.object(Image.Image, "resize", autospec=True, side_effect=Image.Image.resize) as of_pixels,
        patch("scenelens.minimal_images.regions.cv2.resize", side_effect=cv2.resize) as of_segments,
    ):
        how.frame(picture(*shape))
        Regions.from_map(labels).within(how)
    seen = [call.args[1][::-1] for call in of_pixels.call_args_list] or [shape]
    segments = [call.args[1][::-1] for call in of_segments.call_args_list] or [shape]
    of_labels = how.resized(shape)
    assert segments == [of_labels] == seen


def test_a_frame_is_its_own_frame_without_a_crop():
    frame = Preprocessing().frame(picture(60, 80))
    np.testing.assert_array_equal(Preprocessing().frame(frame), frame)


def test_the_centre_is_cropped():
    assert Preprocessing.crop_centre(np.arange(49).reshape(7, 7), (3, 1)).ravel().tolist() == [17, 24, 31]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"resize": "shrot side"}, "close names: short side"),
        ({"channels": "GBR"}, "'RGB' or 'BGR'"),
        ({"std": (1.0, 0.0, 1.0)}, "no std of 0"),
        ({"mean": (1.0,)}, "three numbers"),
        ({"resize_to": 200}, "smaller than the frame"),
        ({"resize_to": (256, 200)}, "smaller than the frame"),
    ],
)
def test_impossible_preprocessing(options, sentence):
    with pytest.raises(SceneLensError, match=sentence):
        Preprocessing(**options)


@pytest.mark.parametrize(
    "image",
    [np.zeros((5, 5)), np.zeros((5, 5, 4), np.uint8), np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5, 3))],
)
def test_what_is_no_image(image):
    with pytest.raises(SceneLensError, match=r"an image is uint8 RGB"):
        Preprocessing().frame(image)


def test_frames_of_another_size():
    with pytest.raises(SceneLensError, match="expected"):
        Preprocessing().tensor(np.zeros((1, 5, 5, 3), np.uint8))


@pytest.mark.parametrize(
    "kind", ["missing", "text", "npz", "object", "str", "complex", "nan", "flat", "empty", "huge"]
)
def test_a_mean_image_that_is_none_is_one_sentence(tmp_path, kind):
    path = tmp_path / "mean.npy"
    values = {
        "complex": np.ones((3, 4, 4), complex),
        "str": np.full((3, 4, 4), "a"),
        "object": np.full((3, 4, 4), None),
        "nan": np.full((3, 4, 4), np.nan),
        "flat": np.ones((4, 4)),
        "empty": np.ones((3, 0, 4)),
        "huge": np.ones((3, 4, 4)),
    }
    if kind == "text":
        path.write_text("no array")
    elif kind == "npz":
        with path.open("wb") as file:
            np.savez(file, a=np.ones(3))
    elif kind in values:
        np.save(path, values[kind], allow_pickle=True)
    if kind == "huge":
        path.write_bytes(path.read_bytes().replace(b"(3, 4, 4)", b"(3, 9999999999, 4)"[:18]))
    how = Preprocessing(size=(4, 4), white=255.0, mean_image=str(path))
    with pytest.raises(SceneLensError, match=r"mean\.npy"):
        how.tensor(np.zeros((1, 4, 4, 3), np.uint8))


@pytest.mark.parametrize(
    "values",
    [
        {"size": (1,)},
        {"size": (0, 4)},
        {"size": (4.0, 4)},
        {"size": 4},
        {"size": (10**9, 4)},
        {"resize_to": (300,)},
        {"resize_to": "x"},
        {"resize_to": (10**30, 300)},
        {"mean": (float("nan"), 0, 0)},
        {"mean": 3},
        {"mean": ("a", 0, 0)},
        {"std": (1, 1, float("inf"))},
        {"std": (1, 1)},
        {"white": float("nan")},
        {"white": "white"},
    ],
)
def test_values_that_make_no_sense_are_one_sentence(values):
    with pytest.raises(SceneLensError):
        Preprocessing(**values)

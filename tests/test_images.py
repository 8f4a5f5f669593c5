import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scenelens.errors import SceneLensError
from scenelens.images import find_images, load_image


@pytest.mark.parametrize(
    ("mode", "colour", "name", "expected"),
    [
        ("RGB", (1, 2, 3), "a.png", (1, 2, 3)),
        ("L", 9, "a.png", (9, 9, 9)),
        ("1", 1, "a.png", (255, 255, 255)),
        ("LA", (9, 0), "a.png", (255, 255, 255)),  # wholly transparent: the white beneath
        ("RGBA", (10, 20, 30, 255), "a.png", (10, 20, 30)),
        ("RGBA", (0, 0, 0, 51), "a.png", (204, 204, 204)),
        ("CMYK", (0, 0, 0, 255), "a.jpg", (0, 0, 0)),
        ("I;16", 257 * 80, "a.png", (80, 80, 80)),
        ("P", 3, "a.png", None),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (5, 4)])
def test_every_colour_model_becomes_rgb(tmp_path, mode, colour, name, expected, size):
    Image.new(mode, size, colour).save(tmp_path / name)
    image = load_image(tmp_path / name)
    assert image.dtype == np.uint8
    assert image.shape == (size[1], size[0], 3)
    if expected:
        assert image[0, 0].tolist() == list(expected)


def test_a_transparent_colour_of_a_palette_becomes_white(tmp_path):
    picture = Image.new("P", (2, 1), 0)
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "a.gif", transparency=0)
    assert load_image(tmp_path / "a.gif").tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_the_cameras_orientation_is_followed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    Image.new("RGB", (4, 2)).save(tmp_path / "a.jpg", exif=exif)
    assert load_image(tmp_path / "a.jpg").shape == (4, 2, 3)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.bmp", "a.tif", "a.webp"])
def test_a_truncated_image_is_named(tmp_path, name):
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SceneLensError, match=r"a\.\w+ is unreadable or truncated"):
        load_image(path)


@given(
    st.binary(max_size=60), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM"])
)
def test_no_bytes_escape_as_another_error(tmp_path_factory, data, start):
    path = tmp_path_factory.mktemp("bytes") / "a.png"
    path.write_bytes(start + data)
    with contextlib.suppress(SceneLensError):  # and no other
        assert load_image(path).dtype == np.uint8


def test_a_missing_image_and_a_bomb(tmp_path, monkeypatch):
    with pytest.raises(SceneLensError, match="no image"):
        load_image(tmp_path / "none.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for side in (4, 40):
        Image.new("RGB", (side, side)).save(tmp_path / "big.png")
        with pytest.raises(SceneLensError, match="too many pixels"):
            load_image(tmp_path / "big.png")


def test_folders(tmp_path):
    with pytest.raises(SceneLensError, match="does not exist"):
        find_images(tmp_path / "none")
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "a.jpg").touch()
    with pytest.raises(SceneLensError, match="holds no image"):
        find_images(tmp_path)
    (tmp_path / "b").mkdir()
    for name in ("b/2.JPG", "b/1.png", "a.jpeg"):
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)] == [
        "a.jpeg",
        "b/1.png",
        "b/2.JPG",
    ]

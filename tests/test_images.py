import contextlib
import os
import random
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from scenelens.errors import SceneLensError
from scenelens.image_folders import FORMATS
from scenelens.images import ImageFrame, _regular, find_images, load_image, load_mask
from tests.requirements_gate import ROOT
from tests.torture.mutate import scattered


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


def test_a_photograph_that_is_a_program_or_another_format_is_refused(tmp_path):
    path = tmp_path / "photo.jpg"
    ran = tmp_path / "ran"
    path.write_bytes(
        b"%%!PS-Adobe-3.0 EPSF-3.0\n%%%%BoundingBox: 0 0 9 9\n(%s) (w) file closefile showpage\n"
        % str(ran).encode()
    )
    with pytest.raises(SceneLensError, match=r"photo\.jpg is unreadable"):
        load_image(path)
    assert not ran.exists()
    for other in ("ICO", "TGA", "PCX", "PDF"):
        Image.new("RGB", (16, 16)).save(path, other)
        with pytest.raises(SceneLensError, match=r"photo\.jpg is unreadable"):
            load_image(path)


def test_a_pipe_a_device_a_socket_and_a_folder_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "x.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "x.jpg")
    (tmp_path / "d.jpg").mkdir()
    for path in (tmp_path / "x.jpg", tmp_path / "link.jpg", tmp_path / "d.jpg", Path("/dev/zero")):
        for read in (load_image, ImageFrame.of):
            with pytest.raises(SceneLensError, match="no regular file"):
                read(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jpg"))
        with pytest.raises(SceneLensError, match=r"s\.jpg"):
            load_image(tmp_path / "s.jpg")
    with pytest.raises(SceneLensError):
        load_image("a\0b.jpg")


def test_a_file_of_many_bytes_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "a.tif").open("wb") as file:
        file.write(b"II*\0")
        file.truncate(2**29 + 1)
    with pytest.raises(SceneLensError, match="more than 512 MB"):
        load_image(tmp_path / "a.tif")


_GREYS = [
    (np.float32, [0, 0.5, 1], [0, 128, 255]),
    (np.float32, [0, 128, 255], [0, 128, 255]),
    (np.float32, [0, 0.25, 0.5], [0, 64, 128]),
    (np.uint16, [0, 128, 255], [0, 128, 255]),
    (np.uint16, [0, 257, 65535], [0, 1, 255]),
    (np.uint16, [0, 0, 0], [0, 0, 0]),
    (np.int32, [0, 257 * 9, 65535], [0, 9, 255]),
]


@pytest.mark.parametrize(("dtype", "values", "expected"), _GREYS)
def test_more_than_8_bits_are_scaled_by_one_rule(tmp_path, dtype, values, expected):
    Image.fromarray(np.array([values], dtype)).save(tmp_path / "a.tif")
    assert load_image(tmp_path / "a.tif")[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (np.uint16, [0, 300]),  # 10 or 12 bits in 16
        (np.uint16, [0, 4095]),
        (np.uint16, [0, 7]),  # a label map
        (np.int32, [-1, 5000]),
        (np.int32, [0, 70000]),
        (np.float32, [0, 1.5]),
        (np.float32, [0, 0.01]),
        (np.float32, [-0.5, 1]),
        (np.float32, [0, 300]),
        (np.float32, [0, np.nan]),
        (np.float32, [0, np.inf]),
    ],
)
def test_what_would_be_black_or_white_by_the_rule_is_refused(tmp_path, dtype, values):
    Image.fromarray(np.array([values], dtype)).save(tmp_path / "a.tif")
    with pytest.raises(SceneLensError, match=r"a\.tif .*save it with values"):
        load_image(tmp_path / "a.tif")


@pytest.mark.parametrize("ending", ["png", "tif", "ppm"])
def test_dark_colours_of_16_bits_are_refused(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    cv2.imwrite(str(path), np.full((2, 3, 3), 300, np.uint16))
    with pytest.raises(SceneLensError, match="nearly black"):
        load_image(path)
    cv2.imwrite(str(path), np.full((2, 3, 3), 257 * 90, np.uint16))
    assert load_image(path)[0, 0].tolist() == [90, 90, 90]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "LA"])
def test_strips_are_read_as_the_whole(tmp_path, mode, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.fromarray(noise, "RGBA").convert("RGB" if mode in ("CMYK", "P") else mode).convert(mode).save(path)
    whole = load_image(path)
    monkeypatch.setattr("scenelens.images._STRIP", 20)
    np.testing.assert_array_equal(load_image(path), whole)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp", "avif", "mpo"])
def test_photograph_size_points_and_masks_turn_alike(tmp_path, orientation, ending):
    if ending == "avif" and "AVIF" not in FORMATS:
        pytest.skip("Pillow reads no AVIF here")
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[3, 5] = stored[3, 6] = stored[4, 5] = stored[4, 6] = 255
    path = tmp_path / f"a.{ending}"
    # A file of one picture is no MPO.
    more = {"save_all": True, "append_images": [Image.new("RGB", (32, 16))]} if ending == "mpo" else {}
    lossy = {"quality": 100} if ending in ("jpg", "avif", "mpo") else {}
    Image.fromarray(stored).save(path, exif=exif, **lossy, **more)
    image, frame = load_image(path), ImageFrame.of(path)
    with Image.open(path) as file:
        np.testing.assert_array_equal(image, np.asarray(ImageOps.exif_transpose(file).convert("RGB")))
    assert frame == ImageFrame((16, 32), orientation)
    assert image.shape[:2] == frame.size
    x, y = frame.turned_points(np.array([[5.0, 3.0], [6.0, 4.0]])).astype(int).T
    assert (image[y, x] > 200).all()
    Image.fromarray(stored[..., 0]).save(tmp_path / "mask.png")  # drawn on the stored pixels
    mask = load_mask(tmp_path / "mask.png", frame)
    assert (mask[y, x] == 255).all()
    if orientation >= 5:
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "mask.png")  # drawn on the photograph as shown
        np.testing.assert_array_equal(load_mask(tmp_path / "mask.png", frame), mask)


@pytest.mark.parametrize("tag", [0, 9, 300, "up", b"x"])
def test_an_orientation_that_is_none_leaves_the_pixels(tmp_path, tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    try:
        data = exif.tobytes()
    except Exception:
        data = b"Exif\0\0MM\0*\xff\xff\xff\xff"
    Image.new("RGB", (4, 2)).save(tmp_path / "a.jpg", exif=data)
    assert load_image(tmp_path / "a.jpg").shape == (2, 4, 3)
    assert ImageFrame.of(tmp_path / "a.jpg").size == (2, 4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "MPO"])
def test_a_damaged_list_of_tags_stops_no_photograph(tmp_path, kind):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x011A] = 6, "maker", 72.0
    exif[0x8769] = {0x829A: 0.01, 0x9000: b"0230", 0x927C: b"m" * 40}
    exif[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0)}
    good, picture = exif.tobytes(), Image.new("RGB", (32, 16), "red")
    more = {"save_all": True, "append_images": [picture]} if kind == "MPO" else {}
    rng, path, sizes = np.random.default_rng(0), tmp_path / "a.jpg", set()
    for _ in range(60):
        data = np.frombuffer(good, np.uint8).copy()
        places = rng.integers(6, len(data), rng.integers(1, 9))
        data[places] = rng.choice([0, 255, *rng.integers(0, 256, 4)], len(places))
        end = int(rng.integers(6, len(data))) if rng.random() < 0.3 else len(data)
        picture.save(path, kind, exif=data[:end].tobytes(), **more)
        sizes.add(ImageFrame.of(path).size)
        assert load_image(path).shape[:2] == ImageFrame.of(path).size
    assert sizes == {(16, 32), (32, 16)}


def test_tags_that_claim_too_much(tmp_path):
    """A rational of one number, counts and offsets beyond the file, a list of tags that contains itself."""
    head = b"MM\0*\0\0\0\x08"
    turned = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    for entry in (
        struct.pack(">HHII", 0x011A, 5, 1, 0xFFFFFFF0),
        struct.pack(">HHII", 0x011A, 5, 0xFFFFFFFF, 8),
        struct.pack(">HHII", 0x8769, 4, 1, 8),
        struct.pack(">HHII", 0x9999, 99, 3, 3),
    ):
        data = head + struct.pack(">H", 2) + turned + entry + b"\0\0\0\0"
        path = tmp_path / "a.jpg"
        Image.new("RGB", (4, 2)).save(path, exif=b"Exif\0\0" + data)
        assert load_image(path).shape == (4, 2, 3)
        assert ImageFrame.of(path).size == (4, 2)


def test_a_tag_behind_the_pixels_of_a_png_counts_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = exif.tobytes().removeprefix(b"Exif\0\0")
    Image.new("RGB", (4, 2)).save(tmp_path / "a.png")
    chunk = b"eXIf" + data
    chunk = len(data).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:-12] + chunk + content[-12:])
    assert ImageFrame.of(tmp_path / "a.png").size == load_image(tmp_path / "a.png").shape[:2] == (4, 2)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.bmp", "a.tif", "a.webp", "a.ppm"])
def test_broken_files_are_one_sentence(tmp_path, name):
    rng, said = random.Random(0), []
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    good = path.read_bytes()
    for _ in range(150):
        path.write_bytes(scattered(good, rng))
        for read in (load_image, ImageFrame.of, lambda p: load_mask(p, ImageFrame((4, 4)), colours=True)):
            try:
                read(path)
            except SceneLensError as error:
                said.append(str(error))
    assert said
    assert all(name in one and "\n" not in one for one in said)


def test_a_length_that_a_damaged_file_states_reserves_no_memory(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (4, 5), 9).save(path)
    content = path.read_bytes()
    at = content.index(b"IDAT")
    path.write_bytes(content[: at - 4] + b"\xff\xff\xff\xfe" + content[at:])
    with _regular(path) as stream:
        assert stream.read(2**62) == path.read_bytes()
        assert stream.read(2**62) == b""
        stream.seek(3)
        assert stream.read(2) == path.read_bytes()[3:5]
        assert stream.read() == path.read_bytes()[5:]
    command = [sys.executable, "-c", _LITTLE_MEMORY, str(path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert said.stdout == "[9, 9, 9]\n", said.stderr


_LITTLE_MEMORY = """
import resource, sys
from scenelens.images import load_image
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30),) * 2)
print(load_image(sys.argv[1])[0, 0].tolist())
"""


def test_an_animation_shows_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (3, 2), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        lossless = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **lossless)
        assert load_image(tmp_path / name)[0, 0].tolist() == [255, 0, 0] or name == "a.webp"


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


@pytest.mark.parametrize("ending", ["tif", "bmp", "ppm"])
def test_many_pixels_in_few_bytes_are_refused_before_they_are_decoded(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    Image.new("L", (9000, 9000)).save(path)
    path.write_bytes(path.read_bytes()[:3000] if ending != "tif" else _tiff_of(9000))
    with pytest.raises(SceneLensError, match="too many pixels"):
        load_image(path)


def _tiff_of(side: int) -> bytes:
    """A TIFF's header that states a size, without pixels."""
    tags = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, side), (279, 9)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"

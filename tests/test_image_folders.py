"""Finding photographs: endings, files without one, links and loops, and what is said about the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image, features

from scenelens.errors import SceneLensError
from scenelens.image_folders import FORMATS
from scenelens.images import find_images, load_image


def photograph(path: Path, kind: str = "JPEG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), "red").save(path, kind)
    return path


def names(folder: Path, left_out: list | None = None) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_images(folder, left_out)]


KINDS = {
    "jfif": "JPEG",
    "JPE": "JPEG",
    "mpo": "MPO",
    "Avif": "AVIF",
    "jp2": "JPEG2000",
    "WEBP": "WEBP",
    "gif": "GIF",
    "tif": "TIFF",
}


@pytest.mark.parametrize(("ending", "kind"), KINDS.items())
def test_endings_of_every_kind_and_case(tmp_path, ending, kind):
    if kind in ("AVIF", "JPEG2000") and kind not in FORMATS:
        pytest.skip(f"Pillow reads no {kind} here")
    path = photograph(tmp_path / f"a.{ending}", kind)
    assert names(tmp_path) == [path.name]
    assert load_image(path).shape == (6, 8, 3)


def test_files_without_an_ending_count_where_they_are_images(tmp_path):
    photograph(tmp_path / "IMG_0001")
    photograph(tmp_path / "st. pancras 3", "PNG")
    photograph(tmp_path / "2019.12", "WEBP")
    (tmp_path / "README").write_text("Photographs of stations.")
    (tmp_path / "LICENSE").touch()
    assert names(tmp_path) == ["2019.12", "IMG_0001", "st. pancras 3"]


def test_images_that_cannot_be_read_are_counted_by_ending(tmp_path, capsys):
    photograph(tmp_path / "a.jpg")
    for name in ("1.HEIC", "2.heic", "b/3.heif", "b/raw.NEF", "b/plan.svg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"....ftypheic")
    assert names(tmp_path) == ["a.jpg"]
    said = capsys.readouterr().err
    assert "5 files were left out: 2 .heic (Pillow cannot read this format; convert to JPEG), 1 ." in said
    names(tmp_path)
    assert capsys.readouterr().err == ""
    left_out: list[tuple[str, str]] = []
    names(tmp_path, left_out)
    assert [name for name, _ in left_out] == ["1.HEIC", "2.heic", "b/3.heif", "b/plan.svg", "b/raw.NEF"]


def test_other_files_of_such_folders_say_nothing(tmp_path, capsys):
    photograph(tmp_path / "a.jpg")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._a.jpg", "notes.txt", "a.xml", "a.json", "x.mp4"):
        (tmp_path / name).write_bytes(b"\0\0\1")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX/._a.jpg").touch()
    assert names(tmp_path) == ["a.jpg"]
    assert capsys.readouterr().err == ""


def test_a_folder_of_nothing_but_unreadable_images_says_which(tmp_path):
    (tmp_path / "a.HEIC").touch()
    with pytest.raises(SceneLensError, match=r"no image that can be read.*1 file was left out: 1 \.heic"):
        find_images(tmp_path)
    with pytest.raises(SceneLensError, match="is a file and no folder"):
        find_images(tmp_path / "a.HEIC")


def test_links_are_followed_once_and_loops_end(tmp_path):
    root, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    photograph(root / "den/1.jpg")
    photograph(elsewhere / "2.jpg")
    photograph(elsewhere / "deep/3.jpg")
    photograph(tmp_path / "4.jpg")
    (root / "attic").symlink_to(elsewhere)
    (root / "again").symlink_to(root / "den")  # listed under its own name
    (root / "up").symlink_to(tmp_path)  # contains the link
    (root / "self").symlink_to(root)
    (elsewhere / "back").symlink_to(root)
    (root / "den/4.jpg").symlink_to(tmp_path / "4.jpg")
    (root / "den/5.jpg").symlink_to("1.jpg")  # the same file
    (root / "den/6.jpg").symlink_to(tmp_path / "lost.jpg")
    (root / "round").symlink_to(root / "round")
    assert names(root) == ["attic/2.jpg", "attic/deep/3.jpg", "den/1.jpg", "den/4.jpg", "den/6.jpg"]


def test_links_inside_linked_folders(tmp_path):
    root = tmp_path / "photos"
    photograph(tmp_path / "a/1.jpg")
    photograph(tmp_path / "b/2.jpg")
    root.mkdir()
    (root / "x").symlink_to(tmp_path / "a")
    (tmp_path / "a/y").symlink_to(tmp_path / "b")
    (tmp_path / "b/z").symlink_to(tmp_path / "a")
    assert names(root) == ["x/1.jpg", "x/y/2.jpg"]
    linked = tmp_path / "door"
    linked.symlink_to(root)
    assert names(linked) == ["x/1.jpg", "x/y/2.jpg"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may read all")
def test_a_folder_that_cannot_be_opened_is_counted(tmp_path, capsys):
    photograph(tmp_path / "a.jpg")
    (tmp_path / "locked").mkdir(mode=0)
    assert names(tmp_path) == ["a.jpg"]
    assert "1 folder (cannot be opened" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "it is empty"),
        (b"\0" * 200, "its bytes are zeros"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC image"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>404", "a web page"),
        (b"hello", "no image in JPEG, PNG"),
    ],
)
def test_what_a_file_is_that_is_no_image(tmp_path, content, cause):
    (tmp_path / "a.jpg").write_bytes(content)
    for given in (None, content):
        with pytest.raises(SceneLensError, match=cause):
            load_image(tmp_path / "a.jpg", given)


def test_formats_are_those_that_pillow_reads_here():
    assert {"JPEG", "PNG", "TIFF"} <= set(FORMATS)
    assert ("AVIF" in FORMATS) == bool(features.check("avif"))

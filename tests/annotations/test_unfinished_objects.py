"""The table of objects: a killed reading goes on where it was, and files that change are noticed."""

from __future__ import annotations

import os

import pytest

from scenelens import unfinished
from scenelens.annotations.sun import AnnotatedImages
from scenelens.errors import SceneLensError
from tests.annotated_study import annotated_study


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "_EVERY", 0)
    study = annotated_study(tmp_path / "study", 3)
    return study.annotations.root


def read_again(root, cache, monkeypatch, stop_at: int) -> list[str]:
    """Read until a process would be killed, then again; return what was read the second time."""
    read, rows = [], AnnotatedImages._rows

    def watched(self, image):
        read.append(image)
        if len(read) == stop_at:
            raise KeyboardInterrupt
        return rows(self, image)

    with monkeypatch.context() as patched:
        patched.setattr(AnnotatedImages, "_rows", watched)
        with pytest.raises(KeyboardInterrupt):
            AnnotatedImages(root, cache=cache).objects()
        stop_at, read[:] = -1, []
        AnnotatedImages(root, cache=cache).objects()
    return read


@pytest.mark.parametrize("stop_at", [2, 5, 9])
def test_what_was_read_is_not_read_again(root, tmp_path, monkeypatch, stop_at):
    (root / "Annotations/scene/beach/1.xml").write_text("<annotation>")  # a row of the report
    whole = AnnotatedImages(root, cache=tmp_path / "whole")
    table, report = whole.objects(), whole.report()
    read = read_again(root, tmp_path / "cache", monkeypatch, stop_at)
    assert len(read) == len(whole) - (stop_at - 1)
    found = AnnotatedImages(root, cache=tmp_path / "cache")
    assert found.objects().equals(table)
    assert found.report().equals(report)
    assert len(list((tmp_path / "cache").iterdir())) == 1
    files = [next((tmp_path / name).glob("*.json")).read_bytes() for name in ("whole", "cache")]
    assert files[0] == files[1]


def test_an_annotation_that_is_changed_and_restored_is_never_in_the_table(root, tmp_path, monkeypatch):
    whole, rows = AnnotatedImages(root, cache=tmp_path / "whole").objects(), AnnotatedImages._rows

    def meddling(self, image):
        source = self.sources[image]
        before, stat = source.read_bytes(), os.stat(source)
        source.write_bytes(before.replace(b"lamp", b"sofa"))
        try:
            return rows(self, image)
        finally:
            source.write_bytes(before)
            os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    opened = AnnotatedImages(root, cache=tmp_path / "cache")
    with monkeypatch.context() as patched:
        patched.setattr(AnnotatedImages, "_rows", meddling)
        with pytest.raises(SceneLensError, match="changed while it was in use"):
            opened.objects()
    assert opened.objects().equals(whole)

"""Calibration and scoring that were killed on the way: the next call goes on, and the bits are the same."""

from __future__ import annotations

import shutil
import signal

import pytest

from scenelens import progress, unfinished
from scenelens.errors import SceneLensError
from scenelens.localization import calibration, truth
from scenelens.localization.study_localizers import open_localizers
from scenelens.studies.study import open_study
from tests.annotated_study import annotated_study
from tests.copies import run_in_copy

KILLED = """
import os, signal, sys
from scenelens import progress, unfinished
from scenelens.localization import open_localizers
from scenelens.studies import open_study

progress.BATCH, unfinished._EVERY = 2, 0
save, left = unfinished.Unfinished.save, [int(sys.argv[2])]

def saved(self, done, *rest):
    if self._what in ("calibration", "scores"):
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
    save(self, done, *rest)

unfinished.Unfinished.save = saved
open_localizers(open_study(sys.argv[1]), progress=False)
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study whose files and labels are there: 24 images to calibrate and to score, in batches of two."""
    monkeypatch.setattr(unfinished, "_EVERY", 0)
    monkeypatch.setattr(progress, "BATCH", 2)
    return annotated_study(tmp_path / "study", 16)


def results(study) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (study.cache / "localization").glob("*.npz")}


def test_killed_at_several_moments_and_started_again(study):
    file = str(study.file.path)
    open_localizers(study, progress=False)
    whole, folder = results(study), study.cache / "localization"
    for path in folder.glob("*[0-9a-f].npz"):
        path.unlink()
    for saves in (1, 3, 2, 4):
        assert run_in_copy(KILLED, file, str(saves)) == -signal.SIGKILL
        assert list(folder.glob("*.npz.unfinished"))
    assert run_in_copy(KILLED, file, "999") == 0
    assert results(study) == whole
    assert not list(folder.glob("*.unfinished"))


def test_what_was_observed_is_not_observed_again(study, monkeypatch):
    add, seen = calibration._Observations.add, []

    def stopped(self, *rest):
        if len(seen) == 9:
            raise KeyboardInterrupt
        seen.append(1)
        add(self, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(calibration._Observations, "add", stopped)
        with pytest.raises(KeyboardInterrupt):
            open_localizers(study, progress=False)
    seen.clear()
    monkeypatch.setattr(
        calibration._Observations, "add", lambda self, *rest: (seen.append(1), add(self, *rest))
    )
    open_localizers(open_study(study.file.path), progress=False)
    assert len(seen) == 2 * 12 - 8  # of two networks; four batches of the first were finished


def test_an_annotation_that_is_changed_and_restored_is_never_scored(study, monkeypatch):
    open_localizers(study, progress=False)
    whole, folder = results(study), study.cache / "localization"
    shutil.rmtree(folder)
    frame, met = truth.ConceptMaps.annotated_frame, []

    def meddling(self, image):
        met.append(image)
        source = self.annotations.sources[image]
        if len(met) != 40:
            return frame(self, image)
        before = source.read_bytes()
        source.write_bytes(before.replace(b"lamp", b"sofa"))
        try:
            return frame(self, image)
        finally:
            source.write_bytes(before)

    again = open_study(study.file.path)
    with monkeypatch.context() as changed:
        changed.setattr(truth.ConceptMaps, "annotated_frame", meddling)
        with pytest.raises(SceneLensError, match=r"changed while it was in use"):
            open_localizers(again, progress=False)
    open_localizers(open_study(study.file.path), progress=False)
    assert results(study) == whole

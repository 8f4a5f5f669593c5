"""Labels that were killed on the way: the next call goes on, and the bits are those of one pass."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from scenelens import progress, unfinished
from scenelens.errors import SceneLensError
from scenelens.labels import dissect
from scenelens.labels.automatic import AutomaticLabels, _pack
from scenelens.labels.dissect import label_networks
from scenelens.networks.network import Network
from scenelens.networks.preprocessing import Preprocessing
from tests.copies import run_in_copy
from tests.labels.test_dissect import SIZE, Reds, Squares

NAMES = ("scene", "object", "wide")


def networks() -> list[Network]:
    """Two that see the same frame, and one that sees another."""
    sizes = {"scene": SIZE, "object": SIZE, "wide": 2 * SIZE}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [Network(Reds(), name, preprocessing=Preprocessing(size=(sizes[name],) * 2)) for name in NAMES]


def label(folder: Path, root: Path, names=NAMES, sample: int = 10) -> dict[str, AutomaticLabels]:
    """The labels of networks over 24 squares, one of which cannot be read, cached in a folder."""
    annotations = Squares(root, 24)
    annotations.path(annotations.images[3]).write_bytes(b"no picture")
    paths = {name: folder / f"{name}-key.npz" for name in names}
    nets = {one.name: one for one in networks() if one.name in names}

    def make(missing: list[str]) -> list[AutomaticLabels]:
        how = {"quantile": 0.04, "n_top": 5, "sample": sample, "progress": False}
        kept = [paths[name] for name in missing]
        return label_networks([nets[name] for name in missing], annotations, keep_at=kept, **how)

    return AutomaticLabels.load_or_compute(paths, make)


@pytest.fixture
def at_every_batch(monkeypatch):
    """A state is kept after every batch of three images; maps of seven images fit in memory."""
    monkeypatch.setattr(unfinished, "_EVERY", 0)
    monkeypatch.setattr(progress, "BATCH", 3)
    monkeypatch.setattr(dissect, "KEPT_BYTES", 7 * 2 * 4 * 3 * 64)


@pytest.fixture
def whole(tmp_path, at_every_batch):
    return label(tmp_path / "whole", tmp_path / "squares")


def stop_after(monkeypatch, n: int) -> None:
    """Interrupt the work when so many batches have been counted."""
    count, left = dissect._UnitCounts.count, [n]

    def counted(self, *rest):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        count(self, *rest)

    monkeypatch.setattr(dissect._UnitCounts, "count", counted)


def same(one: dict[str, AutomaticLabels], other: dict[str, AutomaticLabels]) -> bool:
    return {name: _pack(found) for name, found in one.items()} == {
        name: _pack(found) for name, found in other.items()
    }


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from scenelens import progress, unfinished
from scenelens.labels import dissect, layer_maps
from tests.labels.test_unfinished_labels import label

folder = Path(sys.argv[1])
progress.BATCH, unfinished._EVERY, dissect.KEPT_BYTES = 3, 0, 7 * 2 * 4 * 3 * 64
count, save = dissect._UnitCounts.count, unfinished.Unfinished.save

def note(text):
    with open(folder / "log", "a") as file:
        file.write(text + "\\n")

def counted(self, names, *rest):
    count(self, names, *rest)
    note(f"counted {self.job.network.name} {' '.join(names)}")

def saved(self, done, *rest):
    note("saving")
    save(self, done, *rest)
    note(f"saved {self._what} {done}")

def child():
    dissect._UnitCounts.count, unfinished.Unfinished.save = counted, saved
    label(folder / "cache", folder / "squares")
    note("end")
    os._exit(0)

def lines():
    return (folder / "log").read_text().count("\\n")

note("ready")
random.seed(1)
kills = 0
for attempt in range(12):
    enough = lines() + random.randrange(1, 14)
    pid = os.fork() or child()
    while lines() < enough and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(0.0005)
    time.sleep(random.uniform(0, 0.01))
    os.kill(pid, signal.SIGKILL)
    kills += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
os.waitpid(os.fork() or child(), 0)
note(f"kills {kills}")
"""


def test_killed_at_any_moment_and_started_again(tmp_path, whole):
    """SIGKILL at random moments: the same bits in the end, and what was saved is not counted again."""
    assert run_in_copy(KILLED, str(tmp_path)) == 0
    *text, end, kills = (tmp_path / "log").read_text().splitlines()
    assert end == "end"
    assert int(kills.removeprefix("kills ")) >= 3
    found = {name: (tmp_path / "cache" / f"{name}-key.npz").read_bytes() for name in NAMES}
    assert found == {name: (tmp_path / "whole" / f"{name}-key.npz").read_bytes() for name in NAMES}
    assert same(label(tmp_path / "cache", tmp_path / "squares"), whole)
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == sorted(
        f"{name}-key.npz" for name in NAMES
    )
    assert sum(line.startswith("saved counts") for line in text) > 3


@pytest.mark.parametrize("batches", [2, 5, 6, 9])
def test_an_interrupted_pass_goes_on(tmp_path, whole, monkeypatch, batches):
    with monkeypatch.context() as stopped:
        stop_after(stopped, batches)
        with pytest.raises(KeyboardInterrupt):
            label(tmp_path / "cache", tmp_path / "squares")
    begun = list((tmp_path / "cache").glob("*.unfinished"))
    assert begun
    read = []
    frame = dissect.ConceptMaps.annotated_frame
    monkeypatch.setattr(
        dissect.ConceptMaps,
        "annotated_frame",
        lambda self, image: (read.append(image), frame(self, image))[1],
    )
    assert same(label(tmp_path / "cache", tmp_path / "squares"), whole)
    assert len(read) < 2 * 24  # two frames: less than two whole passes
    assert not list((tmp_path / "cache").glob("*.unfinished"))


def test_networks_that_were_begun_together_may_go_on_alone(tmp_path, whole, monkeypatch):
    with monkeypatch.context() as stopped:
        stop_after(stopped, 7)
        with pytest.raises(KeyboardInterrupt):
            label(tmp_path / "cache", tmp_path / "squares")
    parts = [label(tmp_path / "cache", tmp_path / "squares", [name]) for name in ("object", "scene", "wide")]
    assert same({**parts[0], **parts[1], **parts[2]}, whole)


@pytest.mark.parametrize("damage", ["state", "part"])
def test_damaged_unfinished_work_begins_anew(tmp_path, whole, monkeypatch, damage, capsys):
    with monkeypatch.context() as stopped:
        stop_after(stopped, 8)
        with pytest.raises(KeyboardInterrupt):
            label(tmp_path / "cache", tmp_path / "squares")
    for path in (tmp_path / "cache").glob("scene*/counts-*"):
        if ("state" in path.name) == (damage == "state"):
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
    assert same(label(tmp_path / "cache", tmp_path / "squares"), whole)
    assert "is damaged" in capsys.readouterr().err


def test_work_of_other_options_is_not_gone_on_with(tmp_path, at_every_batch, monkeypatch):
    other = label(tmp_path / "other", tmp_path / "squares", ["scene"], sample=24)
    with monkeypatch.context() as stopped:
        stop_after(stopped, 4)
        with pytest.raises(KeyboardInterrupt):
            label(tmp_path / "cache", tmp_path / "squares", ["scene"])
    assert same(label(tmp_path / "cache", tmp_path / "squares", ["scene"], sample=24), other)


def test_a_short_pass_writes_its_result_and_nothing_else(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(unfinished, "keep", lambda path, content: written.append(path))
    label(tmp_path / "cache", tmp_path / "squares", ["scene"])
    assert written == []


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, whole, capsys):
    (tmp_path / "file").write_text("no folder")
    assert same(label(tmp_path / "file" / "cache", tmp_path / "squares"), whole)
    assert capsys.readouterr().err.count("cannot be kept") <= 1


# ---- files that change meanwhile


@pytest.mark.parametrize("keeps_time", [False, True])
@pytest.mark.parametrize("which", [1, 20])
def test_a_photograph_that_is_changed_and_restored_is_never_counted(
    tmp_path, whole, monkeypatch, which, keeps_time
):
    frame, met = dissect.ConceptMaps.annotated_frame, []

    def meddling(self, image):
        met.append(image)
        path = self.annotations.path(image)
        if len(met) != which:
            return frame(self, image)
        before, stat = path.read_bytes(), os.stat(path)
        path.write_bytes(self.annotations.path(self.annotations.images[0]).read_bytes())
        try:
            return frame(self, image)
        finally:
            path.write_bytes(before)
            if keeps_time:
                os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    with monkeypatch.context() as changed:
        changed.setattr(dissect.ConceptMaps, "annotated_frame", meddling)
        with pytest.raises(
            SceneLensError, match=r"\.png changed while it was in use.*run the same line again"
        ):
            label(tmp_path / "cache", tmp_path / "squares")
    assert len(met) >= which
    # The squares are drawn again by `label`, so the stamps are new; the pixels are the same.
    assert same(label(tmp_path / "cache", tmp_path / "squares"), whole)


def test_what_nobody_went_on_with_is_removed_after_a_week(tmp_path):
    old, new = tmp_path / "a.npz.unfinished", tmp_path / "b.npz.unfinished"
    for folder in (old, new):
        folder.mkdir()
        (folder / "counts-state.npz").write_bytes(b"")
    os.utime(old, (0, 0))
    unfinished.Unfinished(tmp_path / "c.npz", "counts")
    assert [path.name for path in tmp_path.iterdir()] == ["b.npz.unfinished"]


def test_a_state_is_read_as_it_was_saved(tmp_path):
    work = unfinished.Unfinished(tmp_path / "a.npz", "counts", {"rule": 1})
    work.save(2, ({"n": 1}, {"x": np.arange(3)}), ([["a", "b"]], {"y": np.ones((2, 2))}))
    work.save(5, ({"n": 2}, {"x": np.arange(4)}), ([], {"y": np.zeros((3, 2))}))
    begun = unfinished.Unfinished(tmp_path / "a.npz", "counts", {"rule": 1})
    assert begun.done == 5
    assert begun.total[0] == {"n": 2}
    assert begun.total[1]["x"].tolist() == [0, 1, 2, 3]
    assert [(about, arrays["y"].shape) for about, arrays in begun.parts] == [
        ([["a", "b"]], (2, 2)),
        ([], (3, 2)),
    ]
    assert unfinished.Unfinished(tmp_path / "a.npz", "counts", {"rule": 2}).done == 0
    assert unfinished.Unfinished(tmp_path / "a.npz", "other", {"rule": 1}).done == 0

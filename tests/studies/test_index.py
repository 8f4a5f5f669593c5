"""The index compared with a plain loop; crashes, full disks, changed inputs and bad images do no harm."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from PIL import Image
from torch import nn

from scenelens import caches, files, progress
from scenelens.errors import SceneLensError
from scenelens.networks.network import Network
from scenelens.networks.preprocessing import Preprocessing
from scenelens.studies import index_build, index_files
from scenelens.studies.index import ActivationIndex
from tests.copies import run_in_copy
from tests.torture.mutate import flip

SIZE = (12, 12)


def small_network(seed: int = 0, name: str = "scene") -> Network:
    """Layers '0' (convolution), '3' (pooling), '4' (convolution), '6' (fully connected)."""
    torch.manual_seed(seed)
    module = nn.Sequential(
        nn.Conv2d(3, 5, 3),
        nn.ReLU(inplace=True),
        nn.ZeroPad2d((0, 4, 0, 0)),  # maps are not square, so that a row taken for a column shows
        nn.MaxPool2d(2),
        nn.Conv2d(5, 7, 3),
        nn.Flatten(),
        nn.Linear(105, 4),
    )
    return Network(module, name, preprocessing=Preprocessing(size=SIZE))


def load(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def picture_folder(folder: Path, n: int = 11) -> pd.DataFrame:
    """n small PNGs of noise, every third of them object-centric; ids are their paths."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(n):
        path = folder / f"{number:03d}.png"
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(path)
        source = "object-centric" if number % 3 == 0 else "scene-centric"
        rows.append({"image": str(path), "path": str(path), "source": source})
    return pd.DataFrame(rows)


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_SAID", set())
    monkeypatch.setattr(caches, "_NOT_KEPT", set())


@pytest.fixture
def pictures(tmp_path: Path) -> pd.DataFrame:
    return picture_folder(tmp_path / "pictures")


def build(pictures: pd.DataFrame, cache: Path, network: Network | None = None, **options) -> ActivationIndex:
    options = {"load": load, "batch_size": 2, "block_size": 4, "progress": False, **options}
    return ActivationIndex.build(network or small_network(), pictures, cache, **options)


def arrays_of(index: ActivationIndex) -> dict[str, bytes]:
    return {name: index._files.read(name).tobytes() for name in index._files.arrays}


# ---- what the numbers mean


def test_equals_a_plain_loop_over_the_modules(pictures, tmp_path):
    network = small_network()
    index = build(pictures, tmp_path / "cache", network)
    assert index.layers == ["0", "3", "4", "6"]
    for number, path in enumerate(pictures.image):
        x = network.prepare(load(path))
        with torch.no_grad():
            for at, module in enumerate(network.module):
                x = module(x)
                layer = "0" if at == 1 else str(at)  # a convolution is read behind its ReLU
                if layer == "6":
                    np.testing.assert_allclose(index.values("6")[number], x[0], rtol=1e-5, atol=1e-6)
                elif at in (1, 3, 4):
                    for unit, plane in enumerate(x[0].numpy()):
                        row, col = np.unravel_index(plane.argmax(), plane.shape)
                        assert tuple(index.places(layer)[number, unit]) == (row, col)
                        assert index.peaks(layer)[number, unit] == pytest.approx(plane.max(), rel=1e-5)
                        assert index.sums(layer)[number, unit] == pytest.approx(
                            plane.sum(), rel=1e-4, abs=1e-4
                        )


def test_summary_of_a_hand_made_map():
    plane = torch.tensor([[[[1.0, 3.0, 0.0], [3.0, -2.0, 3.0]], [[-1.0, -5.0, -1.0], [-2.0, -9.0, -3.0]]]])
    found = index_build._summarise(plane)
    assert found["peak"].tolist() == [[3.0, -1.0]]
    assert found["place"].tolist() == [[1, 0]]  # the first of equal peaks, in reading order
    assert found["sum"].tolist() == [[8.0, -21.0]]
    assert index_build._summarise(torch.tensor([[4.0, 5.0]]))["value"].tolist() == [[4.0, 5.0]]
    assert index_build._summarise(torch.tensor([[[[4.0]]]]))["value"].tolist() == [[4.0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_summary_takes_every_float_type_and_memory_layout(dtype):
    maps = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(1)).to(dtype)
    plain, last = (
        index_build._summarise(maps),
        index_build._summarise(maps.to(memory_format=torch.channels_last)),
    )
    flat = maps.float().flatten(2)
    np.testing.assert_array_equal(plain["peak"], flat.amax(2))
    np.testing.assert_array_equal(plain["place"], flat.argmax(2))
    np.testing.assert_array_equal(plain["place"], last["place"])


def test_zero_maps_peak_at_the_first_place(pictures, tmp_path):
    network = small_network()
    nn.init.constant_(network.module[0].bias, -100.0)  # dead behind its ReLU
    index = build(pictures, tmp_path / "cache", network)
    assert (index.peaks("0") == 0).all()
    assert (index.places("0") == 0).all()
    top = index.top_images("0", unit=2, n=5)
    assert list(top.image) == list(pictures.image[:5])  # ties stand in the order of the images


def test_any_zarr_reader_reads_it(pictures, tmp_path):
    index = build(pictures, tmp_path / "cache")
    group = zarr.open_group(index.folder / "arrays", mode="r")
    np.testing.assert_array_equal(group["3/peak"][:], index.peaks("3"))
    assert group["3/place"].shape == (11, 5)
    assert group["3/place"].attrs["map"] == [5, 7]
    names = json.loads((index.folder / "images.json").read_text())
    assert [image for image, _ in names] == list(pictures.image)


# ---- top images and preferences


def test_top_images_against_a_sort(pictures, tmp_path):
    index = build(pictures, tmp_path / "cache")
    peaks = index.peaks("4")[:, 6]
    top = index.top_images("4", 6, n=4)
    expected = sorted(range(11), key=lambda row: (-peaks[row], row))[:4]
    assert list(top.columns) == ["rank", "image", "peak", "row", "col"]
    assert list(top["rank"]) == [0, 1, 2, 3]
    assert list(top.image) == [pictures.image[row] for row in expected]
    assert list(top.peak) == [peaks[row] for row in expected]
    assert top[["row", "col"]].to_numpy().tolist() == index.places("4")[expected, 6].tolist()
    assert len(index.top_images("4", 6, n=500)) == 11


def test_top_images_among_some(pictures, tmp_path):
    index = build(pictures, tmp_path / "cache")
    objects = (pictures.source == "object-centric").to_numpy()
    top = index.top_images("6", 1, n=60, among=objects)
    assert set(top.image) == set(pictures.image[objects])
    assert (top[["row", "col"]] == 0).all(axis=None)
    with pytest.raises(SceneLensError, match="11 booleans"):
        index.top_images("6", 1, among=[0, 3])


def test_layer_scores_sum_over_units_and_positions(pictures, tmp_path):
    network = small_network()
    index = build(pictures, tmp_path / "cache", network)
    with torch.no_grad():
        maps = network.module[:2](network.prepare([load(path) for path in pictures.image]))
    np.testing.assert_allclose(index.layer_scores("0"), maps.double().sum((1, 2, 3)), rtol=1e-5)


def test_layer_preference_by_hand(pictures, tmp_path):
    index = build(pictures, tmp_path / "cache")
    scores = pd.Series(index.layer_scores("3"), index=pictures.source)
    top = scores.sort_values(ascending=False).index[:5]
    table = index.layer_preference("3", n=5).set_index("source")
    assert list(table.index) == ["object-centric", "scene-centric"]
    assert table["count"].to_dict() == {name: (top == name).sum() for name in table.index}
    assert table.share.sum() == pytest.approx(1)
    assert table.chance.to_dict() == pytest.approx({"object-centric": 4 / 11, "scene-centric": 7 / 11})
    assert ((table.low <= table.share) & (table.share <= table.high)).all()
    assert list(index.layer_top_images("3", 5).image) == [
        pictures.image[row] for row in np.argsort(-scores.to_numpy(), kind="stable")[:5]
    ]


def test_unknown_layers_and_units_raise(pictures, tmp_path):
    index = build(pictures, tmp_path / "cache")
    with pytest.raises(SceneLensError, match="no layer '7'"):
        index.peaks("7")
    with pytest.raises(SceneLensError, match="units 0 to 4, not 5"):
        index.top_images("3", 5)
    with pytest.raises(SceneLensError, match="units 0 to 4, not -1"):
        index.top_images("3", -1)
    with pytest.raises(SceneLensError, match="at least one entry"):
        index.layer_preference("3", n=0)
    with pytest.raises(SceneLensError, match="take peaks or sums"):
        index.values("3")


def test_requests_that_do_not_fit_raise(pictures, tmp_path):
    with pytest.raises(SceneLensError, match="no layer named 'pool9'"):
        build(pictures, tmp_path, layers=["pool9"])
    with pytest.raises(SceneLensError, match="at least one image"):
        build(pictures[:0], tmp_path)
    with pytest.raises(SceneLensError, match="at least one layer"):
        build(pictures, tmp_path, layers=[])
    with pytest.raises(SceneLensError, match="more than once"):
        build(pd.concat([pictures, pictures[:1]]), tmp_path)
    with pytest.raises(SceneLensError, match="batch_size"):
        build(pictures, tmp_path, batch_size=8)


# ---- nothing is computed twice, nothing is lost


def counting(monkeypatch) -> list[int]:
    """From now on, the numbers of the blocks that are computed."""
    computed: list[int] = []
    compute = index_build._compute_block

    def counted(network, files, layers, number, *rest):
        computed.append(number)
        return compute(network, files, layers, number, *rest)

    monkeypatch.setattr(index_build, "_compute_block", counted)
    return computed


def test_the_second_time_nothing_is_computed(pictures, tmp_path, monkeypatch):
    computed = counting(monkeypatch)
    first = build(pictures, tmp_path / "cache")
    second = build(pictures, tmp_path / "cache")
    assert computed == [0, 1, 2]
    assert arrays_of(first) == arrays_of(second)


def test_a_damaged_block_is_computed_again(pictures, tmp_path, monkeypatch):
    index = build(pictures, tmp_path / "cache")
    before = arrays_of(index)
    chunk = index.folder / "arrays" / "3" / "peak" / "c.1.0"
    chunk.write_bytes(chunk.read_bytes()[:-4])
    computed = counting(monkeypatch)
    assert arrays_of(build(pictures, tmp_path / "cache")) == before
    assert computed == [1]


def test_a_full_disk_is_one_sentence_and_keeps_finished_blocks(pictures, tmp_path, monkeypatch):
    whole = arrays_of(build(pictures, tmp_path / "elsewhere"))
    write = files.write_whole

    def full(path: Path, content: bytes, durable: bool) -> None:
        if path.parts[-2:] == ("peak", "c.2.0"):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content, durable)

    monkeypatch.setattr(index_files, "write_whole", full)
    with pytest.raises(
        SceneLensError, match=r"disk is full .* The 2 finished of 3 blocks are kept\. Free some"
    ):
        build(pictures, tmp_path / "cache")
    monkeypatch.setattr(index_files, "write_whole", write)
    computed = counting(monkeypatch)
    assert arrays_of(build(pictures, tmp_path / "cache")) == whole
    assert computed == [2]


def test_a_folder_that_cannot_be_written_is_said_once_and_the_index_is_used(pictures, tmp_path, capsys):
    whole = arrays_of(build(pictures, tmp_path / "elsewhere"))
    (tmp_path / "cache").write_text("a file, not a folder")
    assert arrays_of(build(pictures, tmp_path / "cache")) == whole
    assert capsys.readouterr().err.count("SCENELENS_CACHE") == 1


def read_only(monkeypatch, folder: Path) -> None:
    """From now on, writing below a folder is refused, also for root."""

    def refuses(real):
        def refused(path, *rest, **options):
            if str(path).startswith(str(folder)):
                raise OSError(errno.EROFS, "Read-only file system")
            return real(path, *rest, **options)

        return refused

    monkeypatch.setattr(caches, "write_whole", refuses(files.write_whole))
    monkeypatch.setattr(index_files, "write_whole", refuses(files.write_whole))
    monkeypatch.setattr(os, "replace", refuses(os.replace))
    monkeypatch.setattr(index_files.filelock, "FileLock", refuses(index_files.filelock.FileLock))


def test_a_complete_index_in_a_read_only_folder_is_used_although_time_stamps_differ(
    pictures, tmp_path, monkeypatch
):
    first = build(pictures, tmp_path / "cache")
    for path in pictures.path:
        os.utime(path, (5, 5))
    read_only(monkeypatch, tmp_path / "cache")
    computed = counting(monkeypatch)
    second = build(pictures, tmp_path / "cache")
    assert second.folder == first.folder
    assert arrays_of(second) == arrays_of(first)
    assert computed == []


@pytest.mark.parametrize("lost", ["done/000001.json", "arrays/3/peak/c.1.0"])
def test_an_incomplete_index_in_a_read_only_folder_is_completed_elsewhere(
    pictures, tmp_path, monkeypatch, lost
):
    first = build(pictures, tmp_path / "cache")
    before = arrays_of(first)
    (first.folder / lost).unlink()
    read_only(monkeypatch, tmp_path / "cache")
    computed = counting(monkeypatch)
    second = build(pictures, tmp_path / "cache")
    assert arrays_of(second) == before
    assert computed == [1]
    assert not second.folder.is_relative_to(tmp_path)


# ---- damage


@pytest.mark.parametrize("read_only_folder", [False, True])
def test_a_flipped_bit_is_found_and_its_block_computed_again(
    pictures, tmp_path, monkeypatch, capsys, read_only_folder
):
    before = arrays_of(build(pictures, tmp_path / "cache"))
    index = build(pictures, tmp_path / "cache")
    flip(index.folder / "arrays" / "3" / "peak" / "c.1.0", 9)
    if read_only_folder:
        read_only(monkeypatch, tmp_path / "cache")
    computed = counting(monkeypatch)
    assert index.peaks("3").tobytes() == before["3/peak"]
    assert computed == [1]
    assert "c.1.0 is damaged (its checksum is wrong)" in capsys.readouterr().err
    assert arrays_of(index) == before
    assert arrays_of(build(pictures, tmp_path / "cache")) == before


def test_any_flipped_bit_in_any_file_gives_the_same_numbers(pictures, tmp_path, monkeypatch):
    first = build(pictures[:5], tmp_path / "cache")
    before = arrays_of(first)
    rng = np.random.default_rng(0)
    paths = [path for path in sorted(first.folder.rglob("*")) if path.is_file() and path.name != "lock"]
    for path in [*paths, *paths]:
        flip(path, int(rng.integers(1 << 30)))
        assert arrays_of(build(pictures[:5], tmp_path / "cache")) == before, path
        group = zarr.open_group(first.folder / "arrays", mode="r")
        np.testing.assert_array_equal(group["3/peak"][:], first.peaks("3"))


@pytest.mark.parametrize("name", ["inputs.json", "images.json", "done/000000.json", "arrays/zarr.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"{", b"\xff", b"null", b"[[[", b'{"images": 3}'])
def test_files_that_describe_an_index_are_made_again(pictures, tmp_path, name, content):
    first = build(pictures[:5], tmp_path / "cache")
    before = arrays_of(first)
    (first.folder / name).write_bytes(content)
    assert arrays_of(build(pictures[:5], tmp_path / "cache")) == before
    assert index_files._IndexFiles(first.folder).images == list(pictures.image[:5])


def test_an_index_of_an_earlier_version_has_no_checksums_and_is_built_again(
    pictures, tmp_path, monkeypatch, capsys
):
    first = build(pictures, tmp_path / "cache")
    before, markers = arrays_of(first), sorted((first.folder / "done").iterdir())

    def take_checksums_away() -> None:
        for marker in markers:
            note = json.loads(marker.read_text())
            del note["crc32"]
            marker.write_text(json.dumps(note))

    take_checksums_away()
    assert caches._main(["seal", str(tmp_path / "cache")]) == 0
    computed = counting(monkeypatch)
    assert arrays_of(build(pictures, tmp_path / "cache")) == before
    assert computed == []
    take_checksums_away()
    capsys.readouterr()
    assert arrays_of(build(pictures, tmp_path / "cache")) == before
    assert len(computed) == len(markers)
    assert capsys.readouterr().err.count("without checksums") == 1


def test_a_damaged_older_index_is_no_error(pictures, tmp_path, capsys):
    first = build(pictures, tmp_path / "cache")
    (first.folder / "inputs.json").write_text('{"versions": [')
    build(pictures, tmp_path / "cache", small_network(seed=1), progress=True)
    assert "is built again" in capsys.readouterr().err


def test_the_command_verifies_chunks(pictures, tmp_path, capsys):
    index = build(pictures, tmp_path / "cache")
    assert caches._main(["verify", str(tmp_path / "cache")]) == 0
    flip(index.folder / "arrays" / "3" / "peak" / "c.1.0", 9)
    assert caches._main(["verify", str(tmp_path / "cache")]) == 1
    assert "000001.json: the checksum of arrays/3/peak/c.1.0 is wrong" in capsys.readouterr().out


# ---- images that change meanwhile


@pytest.mark.parametrize("keeps_time", [False, True])
def test_an_image_that_is_changed_and_restored_has_the_right_row(pictures, tmp_path, keeps_time):
    whole = arrays_of(build(pictures, tmp_path / "whole"))
    changed = []

    def meddling(path: str) -> np.ndarray:
        if path != pictures.path[5] or len(changed):
            return load(path)
        changed.append(path)
        before, stat = Path(path).read_bytes(), os.stat(path)
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(path)
        picture = load(path)
        Path(path).write_bytes(before)
        if keeps_time:
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        return picture

    assert arrays_of(build(pictures, tmp_path / "cache", load=meddling)) == whole
    assert changed


def test_an_image_that_is_unreadable_for_a_moment_is_not_skipped(pictures, tmp_path):
    failed = []

    def flaky(path: str) -> np.ndarray:
        if path == pictures.path[5] and not failed:
            failed.append(path)
            os.rename(path, path + ".away")
            try:
                return load(path)
            finally:
                os.rename(path + ".away", path)
        return load(path)

    index = build(pictures, tmp_path / "cache", load=flaky)
    assert failed
    assert len(index.skipped) == 0


def test_an_image_that_stays_changed_is_one_sentence_and_finished_blocks_are_kept(
    pictures, tmp_path, monkeypatch
):
    def replacing(path: str) -> np.ndarray:
        if path == pictures.path[5]:
            Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(path)
        return load(path)

    with pytest.raises(SceneLensError, match=r"005.png changed while the index was built"):
        build(pictures, tmp_path / "cache", load=replacing)
    assert build(pictures, tmp_path / "cache").peaks("3")[5].tolist() == pytest.approx(
        build(pictures, tmp_path / "whole").peaks("3")[5].tolist()
    )


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import pandas as pd
import torch
from scenelens.studies import index_build
from tests.studies.test_index import build

torch.set_num_threads(1)
folder = Path(sys.argv[1])
pictures = pd.read_csv(folder / "pictures.csv")
compute, write = index_build._compute_block, index_build._IndexFiles.write_block

def note(text):
    with open(folder / "log", "a") as file:
        file.write(text + "\\n")

def counted(network, files, layers, number, *rest):
    note(f"computing {number}")
    return compute(network, files, layers, number, *rest)

def written(files, number, *rest):
    write(files, number, *rest)
    note(f"written {number}")

def child():
    index_build._compute_block, index_build._IndexFiles.write_block = counted, written
    build(pictures, folder / "cache", block_size=2)
    note("end")
    os._exit(0)

def lines():
    return (folder / "log").read_text().count("\\n")

note("ready")
kills = 0
for attempt in range(10):
    enough = lines() + random.randrange(9)
    pid = os.fork() or child()
    while lines() < enough and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.02))
    os.kill(pid, signal.SIGKILL)
    kills += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
os.waitpid(os.fork() or child(), 0)
note(f"kills {kills}")
"""


def test_killed_at_any_moment_and_started_again(tmp_path):
    """SIGKILL at random moments: bit-identical arrays in the end, and no finished block computed twice."""
    pictures = picture_folder(tmp_path / "pictures", 161)
    pictures.to_csv(tmp_path / "pictures.csv", index=False)
    assert run_in_copy(KILLED, str(tmp_path)) == 0
    *text, end, kills = (tmp_path / "log").read_text().splitlines()
    assert end == "end"
    assert int(kills.removeprefix("kills ")) >= 3
    for at, line in enumerate(text):  # once written, never computed again
        assert not line.startswith("written") or line.replace("written", "computing") not in text[at + 1 :]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the processes above
    try:
        whole = build(pictures, tmp_path / "whole", block_size=2)
    finally:
        torch.set_num_threads(threads)
    assert arrays_of(build(pictures, tmp_path / "cache", block_size=2)) == arrays_of(whole)
    assert not list((tmp_path / "cache").rglob(".*.[0-9]*")), "drafts of killed runs are still there"


WAITS = """
import sys, time
from pathlib import Path
from scenelens.studies.index_files import _IndexFiles

files = _IndexFiles(sys.argv[1])
with files.lock(print):
    Path(sys.argv[2]).touch()
    time.sleep(60)
"""


def test_one_process_builds_and_the_other_waits_for_it(pictures, tmp_path):
    """The second says so and waits; the lock of a killed process is released by the system."""
    index = build(pictures, tmp_path / "cache")
    locked = tmp_path / "locked"
    builder = subprocess.Popen([sys.executable, "-c", WAITS, str(index.folder), str(locked)],
                               cwd=Path(__file__).parents[2])  # fmt: skip
    while not locked.exists():
        assert builder.poll() is None
        time.sleep(0.01)
    said = []

    def say(text: str) -> None:
        said.append(text)
        builder.kill()

    with index_files._IndexFiles(index.folder).lock(say):
        assert builder.wait(timeout=10) != 0
    assert said == [f"Another process is building {index.folder.name}; waiting for it."]


def test_reading_never_runs_far_ahead(tmp_path, monkeypatch):
    """Memory is flat in the number of images: decoded images wait in a few batches, whatever is to come."""
    pictures = picture_folder(tmp_path / "pictures", 60)
    read, ahead = [], []
    compute = index_build._compute_block

    def slow(network, files, layers, number, *rest):
        time.sleep(0.05)  # long enough for the reader to run away
        ahead.append(len(read) - files.rows(number).start)
        return compute(network, files, layers, number, *rest)

    def counted_load(path):
        read.append(path)
        return load(path)

    monkeypatch.setattr(index_build, "_compute_block", slow)
    build(pictures, tmp_path / "cache", load=counted_load)
    assert len(ahead) == 15
    assert (
        max(ahead) <= (1 + progress.AHEAD + 1) * 2
    )  # the batch in hand, those waiting, the next block's first


# ---- what it depends on


def test_changed_inputs_build_another_index_and_say_so(pictures, tmp_path, capsys):
    first = build(pictures, tmp_path / "cache", progress=True)
    assert "built again" not in capsys.readouterr().err
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(pictures.path[4])
    second = build(pictures, tmp_path / "cache", progress=True)
    assert "the images changed. The old one stays in" in capsys.readouterr().err
    assert second.folder != first.folder
    assert not np.array_equal(second.peaks("3")[4], first.peaks("3")[4])
    np.testing.assert_array_equal(np.delete(second.peaks("3"), 4, 0), np.delete(first.peaks("3"), 4, 0))
    build(pictures, tmp_path / "cache", small_network(seed=1), progress=True)
    assert "the network's weights changed" in capsys.readouterr().err


def test_a_copied_folder_is_the_same_index(pictures, tmp_path, monkeypatch):
    first = build(
        pictures.assign(image=[Path(path).name for path in pictures.path]),
        tmp_path / "a",
        load=by_name(pictures),
    )
    copied = picture_folder(tmp_path / "copied")
    second = build(
        copied.assign(image=[Path(path).name for path in copied.path]), tmp_path / "b", load=by_name(copied)
    )
    assert first.folder.name == second.folder.name


def by_name(pictures: pd.DataFrame):
    folder = Path(pictures.path[0]).parent
    return lambda image: load(str(folder / image))


# ---- images that cannot be read


def test_unreadable_images_are_named_and_left_out(pictures, tmp_path, capsys):
    broken, gone = Path(pictures.path[1]), Path(pictures.path[9])
    whole = build(pictures, tmp_path / "whole").peaks("3")
    broken.write_bytes(broken.read_bytes()[:60])
    gone.unlink()
    index = build(pictures, tmp_path / "cache", progress=True)
    assert list(index.skipped.image) == [str(broken), str(gone)]
    assert index.skipped.reason.str.len().min() > 5
    assert "2 of 11 images could not be read" in capsys.readouterr().err
    assert np.isnan(index.peaks("3")[[1, 9]]).all()
    assert (index.places("3")[[1, 9]] == -1).all()
    assert (index.places("6")[[1, 9]] == -1).all()
    readable = np.delete(np.arange(11), [1, 9])
    np.testing.assert_allclose(index.peaks("3")[readable], whole[readable], rtol=1e-5)
    assert set(index.top_images("3", 0, 60).image) == set(pictures.image[readable])
    assert index.layer_preference("3").n.tolist() == [9, 9]
    assert list(build(pictures, tmp_path / "cache").skipped.image) == [str(broken), str(gone)]


def test_nothing_readable_at_all(pictures, tmp_path):
    for path in pictures.path:
        os.remove(path)
    index = build(pictures, tmp_path / "cache")
    assert len(index.skipped) == 11
    assert len(index.top_images("3", 0)) == 0
    assert len(index.layer_preference("3")) == 0


# ---- numbers that are not finite, and layers that respond equally to all images


@pytest.mark.parametrize(("name", "unit"), [("0.weight", 3), ("4.bias", 6), ("6.weight", 2)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_unit_that_is_not_finite_is_named_in_the_first_block(pictures, tmp_path, name, unit, value):
    if name == "0.weight" and value == -np.inf:
        value = np.nan  # ReLU makes -inf a 0
    network = small_network()
    network.module.state_dict()[name][unit] = value
    loaded = []
    with pytest.raises(SceneLensError, match=rf"'scene' gives .* layer .*{name} .*\(unit {unit}\).*silence"):
        build(pictures, tmp_path / "cache", network, load=lambda path: loaded.append(path) or load(path))
    assert len(loaded) <= 10  # the first batch, and those that were read ahead
    network.silence(name.partition(".")[0], [unit])
    index = build(pictures, tmp_path / "cache", network)
    assert len(index.top_images("3", 0)) == 11
    assert all(np.isfinite(index.layer_scores(layer)).all() for layer in index.layers)


def test_an_index_of_earlier_versions_that_is_not_finite_is_named_too(pictures, tmp_path, monkeypatch):
    network = small_network()
    network.module.state_dict()["4.bias"][6] = np.nan
    monkeypatch.setattr("scenelens.networks.hooks.NonFinite.rows", lambda values, dim: [])
    index = build(pictures, tmp_path / "cache", network)
    assert np.isfinite(index.peaks("3")).all()
    for ask in (index.peaks, index.sums, index.layer_scores, index.layer_preference, index.layer_top_images):
        with pytest.raises(SceneLensError, match=r"layer '4' \(unit 6\)"):
            ask("4")
    with pytest.raises(SceneLensError, match="layer '4'"):
        index.top_images("4", 0)


@pytest.mark.parametrize(("bias", "kind"), [(-1e4, "dead"), (0.5, "constant")])
def test_dead_and_constant_layers_and_units_are_named(pictures, tmp_path, bias, kind):
    network = small_network()
    network.module[0].weight.data[:] = 0
    network.module[0].bias.data[:] = bias
    index = build(pictures, tmp_path / "cache", network)
    table = index.layer_preference("0", n=5)
    assert table[["share", "low", "high"]].isna().all(axis=None)
    assert table.note.str.startswith(f"{kind} layer").all()
    assert index.layer_top_images("0", 5).note.str.startswith(f"{kind} layer").all()
    assert index.top_images("0", 1, 5).note.str.startswith(f"{kind} unit").all()
    assert index.top_images("0", 1, 5, among=np.arange(11) < 6).note.str.startswith(f"{kind} unit").all()


def test_a_dead_unit_among_others_is_named_and_the_others_are_not(pictures, tmp_path):
    network = small_network()
    network.silence("0", [2])
    index = build(pictures, tmp_path / "cache", network)
    assert index.top_images("3", 2).note.str.startswith("dead unit").all()
    assert "note" not in index.top_images("3", 1)
    assert "note" not in index.layer_preference("3")

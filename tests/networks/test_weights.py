import pickle
import random
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.weights import _read_weights, load_weights, weights_hash
from tests.torture.mutate import scattered


def net(seed: int = 0, n: int = 4) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, n, 3), nn.BatchNorm2d(n), nn.ReLU())


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(value, b.state_dict()[name]) for name, value in a.state_dict().items())


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.pth.tar"])
def test_weights_come_back(tmp_path, name):
    stored = net(1)
    if name.endswith("safetensors"):
        save_file(stored.state_dict(), tmp_path / name)
    else:
        torch.save(
            {"state_dict": stored.state_dict(), "epoch": 3} if "tar" in name else stored.state_dict(),
            tmp_path / name,
        )
    loaded = load_weights(net(0), tmp_path / name)
    assert same(loaded, stored)
    assert not loaded.training


def test_half_precision_becomes_single(tmp_path):
    save_file({name: value.half() for name, value in net(1).state_dict().items()}, tmp_path / "w.safetensors")
    loaded = load_weights(net(0), tmp_path / "w.safetensors")
    assert loaded[0].weight.dtype == torch.float32
    assert torch.equal(loaded[0].weight, net(1)[0].weight.half().float())


def test_what_data_parallel_left_in_the_names_is_taken_off(tmp_path):
    stored = nn.ModuleDict({"features": net(1), "head": nn.Linear(2, 2)})
    wrapped = {f"module.{name}": value for name, value in stored.state_dict().items()}
    partly = {
        name.replace("features.", "features.module."): value for name, value in stored.state_dict().items()
    }
    for number, state in enumerate((wrapped, partly)):
        torch.save(state, tmp_path / f"{number}.pth")
        fresh = nn.ModuleDict({"features": net(0), "head": nn.Linear(2, 2)})
        assert same(load_weights(fresh, tmp_path / f"{number}.pth"), stored)


def test_names_can_be_changed(tmp_path):
    save_file(
        {f"body.{name}": value for name, value in net(1).state_dict().items()}, tmp_path / "w.safetensors"
    )
    assert same(load_weights(net(0), tmp_path / "w.safetensors", rename={"body.": ""}), net(1))


def test_a_count_of_batches_may_be_missing(tmp_path):
    state = {name: value for name, value in net(1).state_dict().items() if "num_batches" not in name}
    save_file(state, tmp_path / "w.safetensors")
    assert torch.equal(load_weights(net(0), tmp_path / "w.safetensors")[0].weight, net(1)[0].weight)


def test_weights_of_another_architecture_are_told_by_shape_and_change_nothing(tmp_path):
    save_file(CaffeNet(4, width=1 / 8, fc=16).state_dict(), tmp_path / "w.safetensors")
    wider = CaffeNet(5, width=1 / 4, fc=16)
    before = weights_hash(wider)
    with pytest.raises(SceneLensError) as caught:
        load_weights(wider, tmp_path / "w.safetensors")
    text = str(caught.value)
    assert "conv1.weight is (12, 3, 11, 11) in the file and (24, 3, 11, 11) in the network" in text
    assert "w.safetensors" in text
    assert "more" in text
    assert weights_hash(wider) == before


def test_missing_and_surplus_names_are_told(tmp_path):
    state = net(1).state_dict()
    state["extra"] = state.pop("0.bias")
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(SceneLensError, match=r"the file lacks 0\.bias; the network lacks extra\."):
        load_weights(net(0), tmp_path / "w.safetensors")


class Malicious:
    def __reduce__(self):
        return (open, ("pwned", "w"))


def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Malicious()}, "zip.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Malicious()))
    for name in ("zip.pth", "old.pth"):
        with pytest.raises(SceneLensError, match=r"run code, which is refused"):
            _read_weights(tmp_path / name)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.caffemodel"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 broken zip"])
def test_broken_files_are_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SceneLensError, match=name):
        _read_weights(tmp_path / name)


def test_a_truncated_torch_file_is_named(tmp_path):
    torch.save(net().state_dict(), tmp_path / "w.pth")
    whole = (tmp_path / "w.pth").read_bytes()
    (tmp_path / "w.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SceneLensError, match=r"w\.pth"):
        _read_weights(tmp_path / "w.pth")


def test_missing_files_and_files_of_other_things(tmp_path):
    with pytest.raises(SceneLensError, match="do not exist"):
        _read_weights(tmp_path / "none.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(SceneLensError, match="no state dict"):
        _read_weights(tmp_path / "list.pth")


def test_the_hash_knows_every_byte():
    first, twin = net(0), net(0)
    assert weights_hash(first) == weights_hash(twin)
    with torch.no_grad():
        twin[1].running_var[2] += 1e-6
    assert weights_hash(first) != weights_hash(twin)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"0.weight": torch.eye(3).to_sparse()}, "0.weight is sparse"),
        ({"0.weight": torch.eye(3).to_sparse_csr()}, "0.weight is sparse"),
        (
            {"0.weight": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)},
            "0.weight is quantised",
        ),
        ({"0.weight": torch.ones(3, device="meta")}, "meta"),
        ({"0.weight": torch.ones(3, dtype=torch.complex64)}, "complex"),
        ({0: torch.ones(3)}, "no state dict"),
        ({("a", 1): torch.ones(3)}, "no state dict"),
        ({"state_dict": {1: torch.ones(3)}}, "no state dict"),
        ([torch.ones(3)], "no state dict"),
        ({"0.weight": 3}, "no state dict"),
        (torch.ones(3), "no state dict"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_arrays_that_are_not_plain_are_one_sentence(tmp_path, state, said):
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(SceneLensError, match=said):
        load_weights(net(), tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.filterwarnings("ignore")
def test_damaged_weights_are_one_sentence(tmp_path, name):
    path = tmp_path / name
    if name.endswith("pth"):
        torch.save(net(1).state_dict(), path)
    else:
        save_file(net(1).state_dict(), path)
    rng, good, said = random.Random(0), path.read_bytes(), []
    for _ in range(300):
        path.write_bytes(scattered(good, rng, within=700))
        try:
            load_weights(net(), path)
        except SceneLensError as error:
            said.append(str(error))
    assert said
    assert all(name in one for one in said)


def test_a_flipped_bit_in_any_record_is_found(tmp_path):
    """torch itself loads most of these files, with other numbers."""
    path, rng = tmp_path / "w.pth", random.Random(0)
    torch.save(net(1).state_dict(), path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        records = file.infolist()
    for record in records:
        lengths = whole[record.header_offset + 26 : record.header_offset + 30]  # of two fields
        start = record.header_offset + 30 + sum(np.frombuffer(lengths, "<u2").tolist())
        at = start + rng.randrange(record.file_size)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
        with pytest.raises(SceneLensError, match=r"w\.pth"):
            load_weights(net(), path)


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_table_of_records_never_gives_other_numbers(tmp_path):
    """torch takes a record that is marked as a folder for numbers, and gives what the memory holds."""
    path, rng = tmp_path / "w.pth", random.Random(0)
    torch.save(net(1).state_dict(), path)
    whole, refused = path.read_bytes(), 0
    for at in range(whole.index(b"PK\x01\x02") + rng.randrange(3), len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
        try:
            assert same(load_weights(net(), path), net(1))
        except SceneLensError as error:
            refused += "w.pth" in str(error)
    assert refused


def test_a_record_that_is_marked_as_a_folder_is_refused(tmp_path):
    path = tmp_path / "w.pth"
    torch.save(net(1).state_dict(), path)
    with zipfile.ZipFile(path, "a") as file:
        file.getinfo("w/data/0").external_attr = 0x10
        file.comment = b"changed, so that the table of records is written again"
    with pytest.raises(SceneLensError, match=r"w\.pth is not a whole torch file"):
        load_weights(net(), path)


def test_a_file_that_was_saved_without_checksums_is_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(net(1).state_dict(), tmp_path / "w.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert same(load_weights(net(), tmp_path / "w.pth"), net(1))


def test_rename_takes_names_only(tmp_path):
    torch.save(net(1).state_dict(), tmp_path / "w.pth")
    with pytest.raises(SceneLensError, match="rename is a table of names"):
        load_weights(net(), tmp_path / "w.pth", {"0": 1})

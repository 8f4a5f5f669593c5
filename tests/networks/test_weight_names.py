"""Weights as training scripts store them: behind prefixes, in entries, twice, in half precision."""

import argparse
import io
import itertools
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.networks import build_module, load_torchvision, load_weights


class Net(nn.Module):
    def __init__(self, n: int = 5) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3))
        self.fc = nn.Linear(6, n)

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))


def net(seed: int = 0, n: int = 5) -> Net:
    torch.manual_seed(seed)
    return Net(n)


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(value, b.state_dict()[name]) for name, value in a.state_dict().items())


def prefixed(prefix: str, module: nn.Module) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in module.state_dict().items()}


def load(path, content, module=None, **more):
    """A module with the file's weights, and what was said."""
    torch.save(content, path) if path.suffix != ".safetensors" else save_file(content, path)
    notes: list[str] = []
    return load_weights(module or net(), path, notes=notes, **more), " ".join(notes)


SINGLE = [
    "_orig_mod.",
    "model.",
    "module.",
    "net.",
    "backbone.",
    "network.",
    "ema.",
    "model_ema.",
    "0.",
    "x.y.",
]


@pytest.mark.parametrize("prefix", [*SINGLE, *map("".join, itertools.permutations(SINGLE[:5], 2))])
def test_what_stands_before_the_names_is_taken_off_and_said(tmp_path, prefix):
    loaded, said = load(tmp_path / "w.pth", prefixed(prefix, net(1)))
    assert same(loaded, net(1))
    assert prefix in said
    assert "taken off" in said


@pytest.mark.parametrize(
    "entry",
    ["state_dict", "model_state_dict", "model", "net", "network", "weights", "ema", "model_ema",
     "state_dict_ema", "params", "anything"],
)  # fmt: skip
@pytest.mark.parametrize("prefix", ["", "module.", "model._orig_mod."])
def test_the_entry_that_fits_is_read_and_said(tmp_path, entry, prefix):
    optimizer = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}
    content = {"epoch": 3, "optimizer": optimizer, "best": 0.5, entry: prefixed(prefix, net(1)), "args": None}
    loaded, said = load(tmp_path / "w.pth", content)
    assert same(loaded, net(1))
    assert f"'{entry}'" in said


def test_entries_in_entries_and_the_network_among_several(tmp_path):
    content = {
        "checkpoint": {"gan": {"generator": nn.Linear(2, 2).state_dict(), "critic": net(1).state_dict()}}
    }
    loaded, said = load(tmp_path / "w.pth", content)
    assert same(loaded, net(1))
    assert "'checkpoint.gan.critic'" in said


@pytest.mark.parametrize(
    "content",
    [
        {"model": net(1).state_dict(), "model_ema": net(2).state_dict()},
        {"state_dict_ema": net(2).state_dict(), "state_dict": net(1).state_dict()},
        prefixed("ema.", net(2)) | prefixed("", net(1)),
        prefixed("model_ema.module.", net(2)) | prefixed("model.", net(1)),
        prefixed("teacher.", net(2)) | prefixed("student.", net(1)),
        {"model": {"net": net(1).state_dict()}, "ema": {"module": net(2).state_dict(), "decay": 0.99}},
    ],
)
def test_the_copy_that_is_no_average_is_read_and_the_other_one_is_named(tmp_path, content):
    loaded, said = load(tmp_path / "w.pth", content)
    assert same(loaded, net(1))
    assert "not used" in said or "left out: ema." in said


@pytest.mark.parametrize("names", [("a.", "b."), ("encoder_q.", "encoder_k.")])
def test_two_networks_of_which_none_is_an_average_are_refused(tmp_path, names):
    content = prefixed(names[0], net(1)) | prefixed(names[1], net(2))
    with pytest.raises(SceneLensError, match=f"in 2 places, {names[0][:-1]}, {names[1][:-1]}"):
        load(tmp_path / "w.pth", content)
    loaded, _ = load(tmp_path / "w.pth", content, rename={names[1]: ""})
    assert same(loaded, net(2))
    equal = prefixed(names[0], net(1)) | prefixed(names[1], net(1))
    assert same(load(tmp_path / "w.pth", equal)[0], net(1))


def test_copies_without_numbers_are_one_sentence(tmp_path):
    empty = {name: value.to("meta") for name, value in net(1).state_dict().items()}
    with pytest.raises(SceneLensError, match="in 2 places, a, b"):
        load(tmp_path / "w.pth", {"a": empty, "b": empty})


def test_what_belongs_to_the_training_is_left_out_and_named(tmp_path):
    content = prefixed("model.", net(1)) | {"criterion.weight": torch.ones(5), "n_averaged": torch.tensor(3)}
    loaded, said = load(tmp_path / "w.pth", content)
    assert same(loaded, net(1))
    assert "left out: criterion.weight, n_averaged" in said


def test_names_that_the_network_has_longer(tmp_path):
    wrapped = nn.ModuleDict({"model": net(0)})
    loaded, said = load(tmp_path / "w.pth", net(1).state_dict(), wrapped)
    assert same(loaded["model"], net(1))
    assert "model. put before" in said


def test_a_network_whose_own_names_have_these_parts(tmp_path):
    stored, fresh = (nn.ModuleDict({"module": net(seed), "model": net(seed + 5)}) for seed in (1, 0))
    loaded, said = load(tmp_path / "w.safetensors", stored.state_dict(), fresh)
    assert same(loaded, stored)
    assert said == ""


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_other_precisions_run_in_single_precision(tmp_path, kind, name):
    content = {key: value.to(kind) for key, value in net(1).state_dict().items()}
    loaded, said = load(tmp_path / name, content)
    assert loaded.fc.weight.dtype == torch.float32
    assert torch.equal(loaded.fc.weight, net(1).fc.weight.to(kind).float())
    assert said == ("weights: float64 became float32" if kind == torch.float64 else "")
    assert loaded(torch.zeros(1, 3, 9, 9)).dtype == torch.float32


def test_metadata_and_whole_numbers(tmp_path):
    save_file(net(1).state_dict(), tmp_path / "w.safetensors", metadata={"format": "pt", "step": "7"})
    assert same(load_weights(net(), tmp_path / "w.safetensors"), net(1))
    packed = net(1).state_dict()
    packed["fc.weight"] = torch.ones(5, 6, dtype=torch.int8)
    with pytest.raises(SceneLensError, match=r"fc\.weight is quantised \(torch\.int8\)"):
        load(tmp_path / "w.pth", packed)


@pytest.mark.parametrize("prefix", ["", "module.model."])
def test_another_number_of_classes_is_said_with_both_numbers(tmp_path, prefix):
    with pytest.raises(SceneLensError, match=r"tells 7 classes apart \(layer fc\).* describes 5: check"):
        load(tmp_path / "w.pth", prefixed(prefix, net(1, n=7)))


def test_names_of_both_sides_are_shown(tmp_path):
    with pytest.raises(SceneLensError) as caught:
        load(
            tmp_path / "w.pth",
            nn.ModuleDict({"stem": nn.Conv2d(3, 8, 1), "head": nn.Linear(8, 9)}).state_dict(),
        )
    said = str(caught.value)
    assert "lacks features.0.weight, features.0.bias, features.1.weight, ... (10 in all)" in said
    assert "stem.weight, stem.bias, head.weight" in said
    assert "\n" not in said


def test_torchvisions_older_names(tmp_path):
    torch.manual_seed(1)
    small = {"growth_rate": 2, "block_config": (1, 2), "num_init_features": 4, "num_classes": 3}
    stored, fresh = (load_torchvision().models.DenseNet(**small) for _ in range(2))
    old = {
        name.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): value
        for name, value in stored.state_dict().items()
    }
    loaded, said = load(tmp_path / "w.pth", old, fresh)
    assert same(loaded, stored)
    assert "norm.1 read as norm1" in said


def test_names_that_torchvisions_modules_translate_themselves(tmp_path):
    models, small = load_torchvision().models, {"image_size": 32, "patch_size": 16, "num_layers": 2}
    more = {"num_heads": 2, "hidden_dim": 8, "mlp_dim": 12, "num_classes": 3}
    torch.manual_seed(1)
    stored, fresh = (models.VisionTransformer(**small, **more) for _ in range(2))
    old = {name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): value
           for name, value in stored.state_dict().items()}  # fmt: skip
    assert same(load(tmp_path / "w.pth", old, fresh)[0], stored)


def test_side_branches_that_only_training_needs_are_left_out(tmp_path):
    stored = load_torchvision().models.googlenet(num_classes=3, init_weights=False, aux_logits=True)
    for name, scaled in (("mine.pth", False), ("googlenet-1378be20.pth", True)):
        fresh = build_module("googlenet", 3, tmp_path / name)
        loaded, said = load(tmp_path / name, stored.state_dict(), fresh)
        assert "left out: aux1." in said
        assert torch.equal(loaded.fc.weight, stored.fc.weight)
        assert loaded.transform_input is scaled  # torchvision's own weights need another scale of the input


# ---- files that are something else


def archive(names: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in names.items():
            file.writestr(name, content)
    return stream.getvalue()


def tar(content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        info = tarfile.TarInfo("w.pth")
        info.size = len(content)
        file.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.ones(3))
    return stream.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 46830571\n"
KINDS = [
    (b"", "is empty"),
    (LFS, r"pointer of git LFS to a file of 46\.8 MB.*git lfs pull"),
    (b"<!DOCTYPE html>\n<html><head><title>Sign in</title>", "is a web page"),
    (b"\xef\xbb\xbf\n  <html lang=en>", "is a web page"),
    (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "is a web page"),
    (b"\x1f\x8b\x08\x00" + bytes(40), r"gzip.*unpack it"),
    (b"BZh91AY&SY" + bytes(40), "bzip2"),
    (b"\xfd7zXZ\x00" + bytes(40), "xz"),
    (tar(b"x"), "tar archive"),
    (archive({"weights/w.pth": b"x", "readme": b""}), r"zip archive \(weights/w\.pth, readme\).*unpack"),
    (
        archive({"net/data.pkl": b"", "net/code/__torch__.py": b"", "net/version": b"3"}),
        "TorchScript archive",
    ),
    (archive({"net/constants.pkl": b"", "net/data.pkl": b""}), "TorchScript archive"),
    (archive({"metadata.json": b"", "config.json": b"", "model.weights.h5": b""}), "Keras"),
    (npz(), r"NumPy archive \(\.npz\)"),
    (b"\x93NUMPY\x01\x00" + bytes(80), "NumPy array"),
    (b"\x89HDF\r\n\x1a\n" + bytes(80), "HDF5"),
    (b"\x08\x07\x12\x07pytorch" + bytes(80), "ONNX"),
    (b"\x1c\x00\x00\x00TFL3" + bytes(80), "TensorFlow Lite"),
    (b'{"metadata": {}, "weight_map": {"a": "b"}}', "list of several files"),
    (b"Not Found", "text file"),
    (b"GGUF" + bytes(80), "GGUF"),
    (b"PK\x05\x06" + bytes(18), "empty zip"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(80), "JPEG"),
]


@pytest.mark.parametrize("name", ["w.pth", "w.pth.tar", "w.pt", "w.bin", "w.safetensors", "w.caffemodel"])
@pytest.mark.parametrize(("content", "said"), KINDS, ids=lambda value: str(value)[:30])
def test_other_files_are_named_by_what_they_are(tmp_path, name, content, said):
    if said == "text file" and name in ("w.safetensors", "w.caffemodel"):
        said = name  # nine letters may be the beginning of either
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SceneLensError, match=said) as caught:
        load_weights(net(), tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bytes(5000), "begins with 00 00 00 00"),
        (pickle.dumps({"a": np.ones(3)}), "a pickle that torch did not write"),
        (pickle.dumps([1, 2], protocol=4), "a pickle that torch did not write"),
    ],
)
def test_files_of_no_known_kind(tmp_path, content, said):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(SceneLensError, match=said):
        load_weights(net(), tmp_path / "w.pth")


def test_a_checkpoint_with_other_objects_is_refused_and_they_are_named(tmp_path):
    for extra, name in ((np.float64(0.5), "numpy"), (argparse.Namespace(lr=1), "argparse.Namespace")):
        torch.save({"state_dict": net().state_dict(), "more": extra}, tmp_path / "w.pth")
        with pytest.raises(SceneLensError, match=rf"it names {name}.*checkpoint\['state_dict'\]"):
            load_weights(net(), tmp_path / "w.pth")


def test_a_compiled_program_and_a_folder(tmp_path):
    torch.jit.trace(net().eval(), torch.zeros(1, 3, 9, 9)).save(str(tmp_path / "w.pt"))
    with pytest.raises(SceneLensError, match="TorchScript archive"):
        load_weights(net(), tmp_path / "w.pt")
    with pytest.raises(SceneLensError, match=r"are a folder; name a file in it \(w\.pt\)"):
        load_weights(net(), tmp_path)


def test_a_whole_pickled_module_is_named_with_its_class(tmp_path):
    torch.save(net(), tmp_path / "new.pth")
    torch.save({"model": net(), "epoch": 1}, tmp_path / "entry.pth")
    torch.save(net(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("new.pth", "entry.pth", "old.pth"):
        with pytest.raises(SceneLensError, match=r"whole pickled model: it names .*\.Net, .*state_dict"):
            load_weights(net(), tmp_path / name)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_that_was_cut_off(tmp_path, name, share):
    load(tmp_path / name, net().state_dict())
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SceneLensError, match=r"again"):
        load_weights(net(), tmp_path / name)


def test_safetensors_under_another_name(tmp_path):
    save_file(net(1).state_dict(), tmp_path / "w.pth")
    assert same(load_weights(net(), tmp_path / "w.pth"), net(1))


def test_any_nesting_of_prefixes_and_entries_loads_or_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(60):
        prefix = "".join(rng.choice([*SINGLE, ""], size=rng.integers(0, 4)))
        content = prefixed(prefix, net(1))
        for entry in rng.choice(["model", "state_dict", "ema", "net", "x"], size=rng.integers(0, 3)):
            content = {str(entry): content, "epoch": 1}
        assert same(load(tmp_path / "w.pth", content)[0], net(1))

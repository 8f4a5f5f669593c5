"""Files of weights: what a file really is, and its arrays by name. Nothing in a file is ever run.

Many files are called .pth and hold something else: a web page in place of a download, a pointer of git, a
compiled program, another library's format. Each is told by its first bytes, so that the sentence says what it
is and how to get weights from it.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from scenelens.errors import SceneLensError, close_names
from scenelens.networks.caffe import _CaffeFile

_HEAD = 4096  # bytes that tell the kinds apart
_DEEPEST = 3  # entries within entries of a checkpoint
_SAVE = "save model.state_dict() there by torch.save, and name that file"
_UNPACK = "unpack it, and name the file of weights in it"
# How a file begins -> what it is, and the way to weights.
_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "is compressed (gzip)", _UNPACK),
    (b"BZh", "is compressed (bzip2)", _UNPACK),
    (b"\xfd7zXZ\x00", "is compressed (xz)", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "is compressed (zstandard)", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive", _UNPACK),
    (b"Rar!", "is a RAR archive", _UNPACK),
    (
        b"\x89HDF\r\n\x1a\n",
        "is an HDF5 file, as Keras and TensorFlow write",
        f"convert it to PyTorch, {_SAVE}",
    ),
    (b"\x93NUMPY", "is a single NumPy array", "save the arrays by their names as .safetensors"),
    (b"GGUF", "is a GGUF file of a language model", f"load it in PyTorch, {_SAVE}"),
    (b"PK\x05\x06", "is an empty zip archive", "copy or download it again"),
    (b"\xff\xd8\xff", "is a JPEG image", "name the file of weights"),
    (b"\x89PNG", "is a PNG image", "name the file of weights"),
    (b"%PDF", "is a PDF document", "name the file of weights"),
    (b"MATLAB", "is a MATLAB file", f"load it in PyTorch, {_SAVE}"),
)
_LFS = b"version https://git-lfs.github.com/spec/"
# Endings of other programs' files, where the first bytes do not tell.
_PROGRAMS = {
    ".onnx": "ONNX", ".pb": "TensorFlow", ".ckpt-index": "TensorFlow", ".index": "TensorFlow",
    ".tflite": "TensorFlow Lite", ".t7": "Lua's Torch", ".params": "MXNet", ".pdparams": "Paddle",
    ".msgpack": "Flax", ".mlmodel": "Core ML", ".mlpackage": "Core ML", ".engine": "TensorRT",
}  # fmt: skip
_TORCH = b"l\xfc\x9cF\xf9 j\xa8P\x19"  # at the beginning of a pickle that torch.save wrote, in all versions
#: The attribute of a record of a zip archive that says that it is a folder, as in DOS.
_FOLDER = 0x10
_CODE = re.compile(r"GLOBAL ([\w.]+)|(?:instantiate|Unsupported class|build) .*?([\w.]+\.\w+)")


def _read_weights(path: str | Path) -> dict[str, dict[str, Tensor]]:
    """Read the arrays of a file of weights, as stored. Nothing in it is run.

    Parameters
    ----------
    path : str or Path
        A .safetensors or .caffemodel file, or one that torch.save wrote.

    Returns
    -------
    dict of str to dict of str to torch.Tensor
        The arrays by name, for each entry of the file that has named arrays; the entry of a file without
        entries is called "".

    Raises
    ------
    SceneLensError
        If the file is missing, damaged, or something else: the sentence says what it is, and the way to
        weights.

    Examples
    --------
    >>> _read_weights("nowhere.pth")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: the weights nowhere.pth do not exist; check the path in the study.toml.
    """
    path = Path(path)
    _check_file(path)
    head = _head(path)
    if path.suffix == ".caffemodel":
        arrays = _CaffeFile(path).weights()
        return {"": {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}}
    if _is_safetensors(path, head):
        return {"": _read_safetensors(path)}
    if not head.startswith((b"PK", b"\x80")):
        raise SceneLensError(
            f"{path} is no file of weights of a known kind (it begins with {head[:4].hex(' ')}): name a "
            ".safetensors file, a torch file with a state dict, or a .caffemodel file."
        )
    if head.startswith(b"\x80") and _TORCH not in head[:64]:
        raise SceneLensError(
            f"{path} is a pickle that torch did not write, and reading it might run code, which is refused: "
            "save its arrays by their names as .safetensors."
        )
    return _read_torch(path)


def _check_file(path: Path) -> None:
    """Raise if there is no such file, or if it is something else than weights."""
    if path.is_dir():
        inside = sorted(one.name for one in path.iterdir())
        raise SceneLensError(f"the weights {path} are a folder; name a file in it ({_few(inside)}).")
    if not path.is_file():
        raise SceneLensError(f"the weights {path} do not exist; check the path in the study.toml.")
    head = _head(path)
    found = _other_kind(path, head)
    if found:
        what, way_out = found
        raise SceneLensError(f"{path} {what}, and no file of weights; {way_out}.")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise SceneLensError(f"the weights {path} cannot be read ({error.strerror}).") from error


def _is_safetensors(path: Path, head: bytes) -> bool:
    length = int.from_bytes(head[:8], "little")
    return path.suffix == ".safetensors" or (head[8:9] == b"{" and 2 <= length <= path.stat().st_size)


def _other_kind(path: Path, head: bytes) -> tuple[str, str] | None:
    """What a file is in place of weights, and the way out; None for what may be weights."""
    if not head:
        return "is empty", "copy or download it again"
    if head.startswith(_LFS):
        size = re.search(rb"size (\d+)", head)
        of = f" of {int(size[1]) / 1e6:,.1f} MB" if size and len(size[1]) < 16 else ""
        return f"is a pointer of git LFS to a file{of}", "run `git lfs pull` where it was cloned"
    for beginning, what, way_out in _BEGINNINGS:
        if head.startswith(beginning):
            return what, way_out
    if head[257:262] == b"ustar":
        return "is a tar archive", _UNPACK
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    if re.match(rb"<(!doctype|html|head|\?xml|!--|body)", text):
        return (
            "is a web page",
            "the download led to a page, perhaps one to log in; download the file itself, by a link that "
            "ends in its name",
        )
    if head.startswith(b"PK\x03\x04"):
        return _other_zip(path)
    return _other_program(path, head, text)


def _other_program(path: Path, head: bytes, text: bytes) -> tuple[str, str] | None:
    if b"weight_map" in head and text.startswith(b"{"):
        return "is the list of several files of weights", "join them to one .safetensors file, and name it"
    if head[4:8] == b"TFL3":
        return "is a file of TensorFlow Lite", f"convert it to PyTorch, {_SAVE}"
    is_onnx = head[0] == 8 and head[1] < 32 and head[2:3] in (b"\x12", b"\x1a", b"\x3a", b"\x42")
    program = "ONNX" if is_onnx else _PROGRAMS.get(path.suffix.lower())
    if program is None and re.search(r"\.(ckpt|data-\d{5}-of-\d{5})", path.name) and head[:1] != b"\x80":
        program = "TensorFlow"
    if program:
        return f"is a file of {program}", f"convert it to PyTorch, {_SAVE}"
    if path.suffix not in (".caffemodel", ".safetensors") and _is_text(head):
        return "is a text file", "name the file of weights"
    return None


def _is_text(head: bytes) -> bool:
    return not re.search(rb"[\x00-\x08\x0e-\x1f\x80-\xff]", head)


def _other_zip(path: Path) -> tuple[str, str] | None:
    """What a zip archive is; None for those that torch.save writes."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "has no end: it was cut off, or is damaged", "copy or download it again"
    parts = {part for name in names for part in name.split("/")[1:]}
    if "code" in parts or "constants.pkl" in parts:
        return (
            "is a TorchScript archive, a compiled program",
            "where it may run, save torch.jit.load(path).state_dict() by torch.save, and name that file",
        )
    if "data.pkl" in parts:
        return None
    if any(name.endswith(".npy") for name in names):
        return "is a NumPy archive (.npz)", "save its arrays by their names as .safetensors"
    if "model.weights.h5" in names:
        return "is a Keras model", f"convert it to PyTorch, {_SAVE}"
    if any(name.endswith(("archive_format", "serialized_exported_program.json")) for name in names):
        return "is an exported program (torch.export)", _SAVE.replace("there", "where it was made")
    return f"is a zip archive ({_few(names)})", _UNPACK


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f", ... {len(names)} in all" if len(names) > 3 else "")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except Exception as error:  # a damaged header raises many kinds of errors
        said = " ".join(str(error).split())[:200]
        raise SceneLensError(f"{path} is not a whole .safetensors file ({said}); fetch it again.") from error


def _read_torch(path: Path) -> dict[str, dict[str, Tensor]]:
    try:
        _check_records(path)
        data = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SceneLensError(f"{path} {_why_not(str(error))}") from error
    except Exception as error:  # damaged pickles raise nearly every kind of error
        raise SceneLensError(f"{path} is not a whole torch file; fetch it again.") from error
    entries = {".".join(keys): arrays for keys, arrays in _entries(data, ())}
    if entries:
        return entries
    has = close_names("", data) if isinstance(data, Mapping) and data else f"a {type(data).__name__}"
    raise SceneLensError(
        f"{path} has no state dict (name -> array), but {has.replace('allowed: ', 'only ')}; save "
        "module.state_dict()."
    )


def _check_records(path: Path) -> None:
    """Raise where a record of a torch file has another checksum than it says.

    torch itself does not look: it would take damaged numbers for weights, and after a wrong length whatever
    the memory holds. A record that is marked as a folder it does not read at all, and gives again what the
    memory holds. A file that was saved without checksums has no right one at all, and is read.
    """
    if not zipfile.is_zipfile(path):  # torch's earlier format has no checksums
        return
    with zipfile.ZipFile(path) as file:
        wrong = [record.filename for record in file.infolist() if not _is_whole(file, record)]
        if wrong and len(wrong) < len(file.infolist()):
            raise zipfile.BadZipFile(f"the checksum of {wrong[0]} is wrong")
        folders = [record.filename for record in file.infolist() if _is_folder_with_content(record)]
        if folders:
            raise zipfile.BadZipFile(f"{folders[0]} is marked as a folder")


def _is_folder_with_content(record: zipfile.ZipInfo) -> bool:
    return record.file_size > 0 and bool(record.external_attr & _FOLDER)


def _is_whole(file: zipfile.ZipFile, record: zipfile.ZipInfo) -> bool:
    try:
        with file.open(record) as content:
            while content.read(1 << 20):
                pass
    except zipfile.BadZipFile:
        return False
    return True


def _why_not(said: str) -> str:
    """Why a pickle is not read: it names code, or it is damaged."""
    code = _CODE.search(said)
    if code is None:
        return (
            "is not a plain file of weights: it is broken, or a pickle that wants to run code, which is "
            "refused. Copy it again, or save its state dict as .safetensors and name that file."
        )
    name = code[1] or code[2]
    return (
        f"holds more than arrays, perhaps a whole pickled model: it names {name}, a pickle that wants to run "
        "code, which is refused. Where it was made, save the weights alone, by torch.save(model.state_dict(),"
        " 'weights.pth') or torch.save(checkpoint['state_dict'], 'weights.pth'), and name that file."
    )


def _entries(data: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """The tables of named arrays in a checkpoint, with the keys that lead to each."""
    if not isinstance(data, Mapping) or len(place) > _DEEPEST:
        return
    arrays = {name: value for name, value in data.items() if isinstance(value, Tensor)}
    others = [value for value in data.values() if not isinstance(value, Tensor)]
    if arrays and all(isinstance(name, str) for name in arrays) and len(arrays) >= len(others):
        yield place, arrays
    for name, value in data.items():
        if isinstance(name, str):
            yield from _entries(value, (*place, name))

"""Weights from files into modules: names are matched, and an error lists the names or shapes that differ.

Only arrays are read: a file that wants to run code when it is loaded is refused.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from scenelens.errors import SceneLensError
from scenelens.networks.caffe import read_caffemodel


def _read_weights(path: str | Path) -> dict[str, Tensor]:
    """The arrays of a weights file, by name, as stored (half precision stays half); see `load_weights`."""
    path = Path(path)
    if not path.is_file():
        raise SceneLensError(f"the weights {path} do not exist; check the path in the study.toml.")
    if path.suffix == ".caffemodel":
        return {name: torch.from_numpy(value.copy()) for name, value in read_caffemodel(path).items()}
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise SceneLensError(f"{path} is not a whole .safetensors file ({error}); fetch it again.") from error


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SceneLensError(
            f"{path} is not a plain file of weights: it is broken, or a pickle that wants to run code, "
            "which is refused. Save its state dict as .safetensors and name that file."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise SceneLensError(f"{path} is not a whole torch file; fetch it again.") from error
    if isinstance(data, Mapping) and isinstance(data.get("state_dict"), Mapping):
        data = data["state_dict"]
    if not isinstance(data, Mapping) or not all(isinstance(value, Tensor) for value in data.values()):
        raise SceneLensError(f"{path} has no state dict (name -> array).")
    return dict(data)


def load_weights(module: nn.Module, path: str | Path, rename: Mapping[str, str] | None = None) -> nn.Module:
    """Load a file's weights into a module.

    Parameters
    ----------
    module : torch.nn.Module
        The module that the weights belong to; it is changed.
    path : str or Path
        A .safetensors or .caffemodel file, or a torch file (.pth, .pt, .pth.tar) with a state dict, bare or
        under the key ``state_dict``. Torch files are read with ``weights_only``, so that none can run code.
    rename : mapping of str to str, optional
        How names begin in the file -> how they begin in the module, such as ``{"fire2.squeeze":
        "fire2.conv1"}``. ``module.``, which DataParallel adds to names, is always removed.

    Returns
    -------
    torch.nn.Module
        The same module, in eval mode.

    Raises
    ------
    SceneLensError
        If the file is missing, damaged, of another kind, or wants to run code; or if its weights belong to
        another architecture (the sentence lists names and shapes that differ).
    """
    wanted = module.state_dict()
    found = _renamed(_read_weights(path), rename or {})
    if not set(found) & set(wanted):
        found = {_without_module(name): value for name, value in found.items()}
    elif any(_without_module(name) in wanted and name not in wanted for name in found):
        found = {name if name in wanted else _without_module(name): value for name, value in found.items()}
    # Older files lack the counters of batches, which only training needs.
    optional = {name for name in wanted if name.endswith("num_batches_tracked")}
    problems = _differences(found, wanted, optional)
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise SceneLensError(
            f"{path} has weights of another architecture: {'; '.join(problems[:5])}{more}. "
            "Check architecture, width, fc and the class names."
        )
    values = {name: value.to(wanted[name].dtype) for name, value in found.items()}
    module.load_state_dict(values, strict=not optional - set(found))
    return module.eval()


def _renamed(found: dict[str, Tensor], rename: Mapping[str, str]) -> dict[str, Tensor]:
    def new(name: str) -> str:
        for old, fresh in rename.items():
            if name.startswith(old):
                return fresh + name[len(old) :]
        return name

    return {new(name): value for name, value in found.items()}


def _without_module(name: str) -> str:
    return ".".join(part for part in name.split(".") if part != "module")


def _differences(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], optional: set[str]) -> list[str]:
    both = [name for name in wanted if name in found]
    shapes = [
        f"{name} is {tuple(found[name].shape)} in the file and {tuple(wanted[name].shape)} in the network"
        for name in both
        if found[name].shape != wanted[name].shape
    ]
    missing = [f"{name} is missing" for name in wanted if name not in found and name not in optional]
    return shapes + missing + [f"{name} has no place in the network" for name in found if name not in wanted]


def weights_hash(module: nn.Module) -> str:
    """Return the SHA-256 of a module's state dict: names, dtypes, shapes and bytes, sorted by name.

    Parameters
    ----------
    module : torch.nn.Module
        The module.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> weights_hash(nn.Linear(2, 2)) == weights_hash(nn.Linear(2, 2))
    False
    """
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)};".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()

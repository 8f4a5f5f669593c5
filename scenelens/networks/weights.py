"""Weights from files into modules: names are matched, and an error lists the names or shapes that differ.

Only arrays are read: a file that wants to run code when it is loaded is refused.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from scenelens.errors import SceneLensError
from scenelens.networks.caffe import CaffeFile
from scenelens.networks.finite import NonFinite
from scenelens.progress import say_on_stderr


def _read_weights(path: str | Path) -> dict[str, Tensor]:
    """The arrays of a weights file, by name, as stored (half precision stays half); see `load_weights`."""
    path = Path(path)
    if not path.is_file():
        raise SceneLensError(f"the weights {path} do not exist; check the path in the study.toml.")
    if path.suffix == ".caffemodel":
        return {name: torch.from_numpy(value.copy()) for name, value in CaffeFile(path).weights().items()}
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except Exception as error:  # a damaged header raises many kinds of errors
        said = " ".join(str(error).split())[:200]
        raise SceneLensError(f"{path} is not a whole .safetensors file ({said}); fetch it again.") from error


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SceneLensError(
            f"{path} is not a plain file of weights: it is broken, or a pickle that wants to run code, "
            "which is refused. Save its state dict as .safetensors and name that file."
        ) from error
    except Exception as error:  # damaged pickles raise nearly every kind of error
        raise SceneLensError(f"{path} is not a whole torch file; fetch it again.") from error
    if isinstance(data, Mapping) and isinstance(data.get("state_dict"), Mapping):
        data = data["state_dict"]
    if not isinstance(data, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in data.items()
    ):
        raise SceneLensError(f"{path} has no state dict (name -> array); save module.state_dict().")
    return dict(data)


def _check_plain(path: str | Path, found: Mapping[str, Tensor]) -> None:
    """Refuse arrays that cannot be copied into a module as they are."""
    for name, value in found.items():
        kinds = {
            "sparse": value.layout != torch.strided,
            "quantised": value.is_quantized,
            "empty (a meta tensor)": value.is_meta,
            "nested": value.is_nested,
            "complex": value.is_complex(),
        }
        kind = next((kind for kind, so in kinds.items() if so), None)
        if kind:
            raise SceneLensError(f"{path}: the array {name} is {kind}; save it as a plain array of numbers.")


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
        another architecture (the sentence lists names and shapes that differ), or are not plain arrays.

    Notes
    -----
    Weights that are not finite are loaded, and a line on stderr names them; see `Network.silence`.
    """
    wanted = module.state_dict()
    found = _renamed(_read_weights(path), rename or {})
    _check_plain(path, found)
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
    try:
        values = {name: value.to(wanted[name].dtype) for name, value in found.items()}
        module.load_state_dict(values, strict=not optional - set(found))
    except Exception as error:  # such as packed numbers of 4 bits, which cannot be converted
        raise SceneLensError(
            f"{path} has weights of a kind that cannot be used; save them in single precision."
        ) from error
    bad = NonFinite.weights(module)
    if bad:
        names = "; ".join(f"{name} in units {rows[:5]}" for name, rows in list(bad.items())[:3])
        say_on_stderr(
            f"{path} has weights that are not finite (NaN or infinite): {names}. Load other weights, or go "
            "on without these units; see Network.silence."
        )
    return module.eval()


def _renamed(found: dict[str, Tensor], rename: Mapping[str, str]) -> dict[str, Tensor]:
    if not all(isinstance(old, str) and isinstance(new, str) for old, new in rename.items()):
        raise SceneLensError(f"rename is a table of names, such as {{old = 'new'}}, not {dict(rename)!r}.")

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

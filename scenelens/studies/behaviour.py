"""Whether a network still computes what it computed when results were cached.

The weights, the architecture and the preprocessing are parts of the key of every cached result. They do not
show everything: a forward method may be edited, a hook may be added, weights may be changed in place, or
units may be switched off (`scenelens.networks.ablate`). So two fixed images are run through the live network,
and each unit's mean and maximum are compared with those of earlier times, which lie next to the results. A
network that computes something else than the first network with its key gets results of its own.

The comparison allows rounding errors, because the number of threads and the machine change the last digits.
The weights themselves are compared bit by bit.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from scenelens.caches import keep, one_writer, read_cached
from scenelens.errors import SceneLensError
from scenelens.files import ArrayFile, cache_key, digest, file_name
from scenelens.networks import Network, ablated, record
from scenelens.studies.index_key import network_inputs

#: How much a unit's mean or maximum may differ, relative to itself and to the highest value of its layer.
_RELATIVE, _OF_HIGHEST = 1e-3, 1e-5

_CHANGED = "ablated"  # among the numbers of a network that has units switched off

_Behaviour = dict[str, np.ndarray]


@dataclass
class _LastRun:
    """What a module looked like when it was last run, what it computed, and the variant's names in files."""

    looks: Any
    behaviour: _Behaviour
    names: dict[Path, str] = field(default_factory=dict)


_LAST: weakref.WeakKeyDictionary[nn.Module, _LastRun] = weakref.WeakKeyDictionary()
#: File -> what networks of this key computed, by the names of their variants.
_SEEN: dict[Path, dict[str, _Behaviour]] = {}


def network_variant(network: Network, folder: Path | str | None) -> str:
    """Return what tells a network from the first one that had the same weights and architecture.

    Parameters
    ----------
    network : Network
        The network, which is run on two images if anything about it may have changed since the last call.
    folder : pathlib.Path or str or None
        The folder of the cached results. Where None, nothing is remembered.

    Returns
    -------
    str
        Empty for the first network with these `network_inputs` in this folder, and for all that compute the
        same; otherwise 8 hexadecimal digits.
    """
    if folder is None:
        return ""
    path = Path(folder) / "behaviour" / f"{file_name(network.name)}-{cache_key(network_inputs(network))}.npz"
    last = _last_run(network)
    if last.names.get(path) not in _SEEN.get(path, {}):
        last.names[path] = _name(path, last.behaviour)
    return last.names[path]


def variant_parts(network: Network, folder: Path | str | None) -> list[str]:
    """Return `network_variant` as the end of a list of parts of a key.

    Parameters
    ----------
    network : Network
        The network.
    folder : pathlib.Path or str or None
        The folder of the cached results.

    Returns
    -------
    list of str
        Empty where the variant is, so that the keys of existing files stay as they are.
    """
    variant = network_variant(network, folder)
    return [f"variant {variant}"] if variant else []


def _name(path: Path, now: _Behaviour) -> str:
    """The variant's name in a file; a behaviour that is new there is written."""
    name = _known_name(path, now)
    if name is not None:
        return name
    with one_writer(path):
        # Another process may have written it. What only this process knows could not be written.
        _SEEN[path] = (read_cached(path, _unpack) or {}) | _SEEN[path]
        name = _known_name(path, now)
        return _remember(path, now) if name is None else name


def _known_name(path: Path, now: _Behaviour) -> str | None:
    if path not in _SEEN:
        _SEEN[path] = read_cached(path, _unpack) or {}
    return next((name for name, then in _SEEN[path].items() if then is now or _same(then, now)), None)


def _remember(path: Path, now: _Behaviour) -> str:
    seen = _SEEN[path]
    # If the file was damaged, the first network is not known any more: nobody may take its place.
    lost = path.with_name(f"{path.name}.damaged").exists()
    # A network with units switched off never takes it either: results that were shipped are the whole one's.
    first = all(_CHANGED in one for one in seen.values()) and _CHANGED not in now
    name = "" if first and not lost else digest(b"".join(now[key].tobytes() for key in sorted(now)))[:8]
    seen[name] = now
    keep(path, _pack(seen))
    return name


def _last_run(network: Network) -> _LastRun:
    """The last run of a network; it is run now where anything about it may have changed since then."""
    module = network.module
    parts, changed = list(module.named_modules()), ablated(module)
    looks = (_looks(parts), _weight_sums(module).tobytes(), changed)
    last = _LAST.get(module)
    if last is not None and last.looks == looks and not _runs_other_code(one for _, one in parts):
        return last
    behaviour = _run(network) | {"weights": _weight_sums(module)}
    if changed:
        # On two images a unit that is switched off may have been silent anyway.
        behaviour[_CHANGED] = np.frombuffer(bytes.fromhex(digest(changed)), np.uint8)
    _LAST[module] = last = _LastRun(looks, behaviour)
    return last


def _looks(parts: Iterable[tuple[str, nn.Module]]) -> list[Any]:
    """What usually differs where a module was changed in place; comparing it takes a millisecond."""
    return [
        (
            path,
            id(getattr(type(one).forward, "__code__", None)),
            id(one.__dict__.get("forward")),
            one.training,
            [
                (name, repr(value))
                for name, value in one.__dict__.items()
                if name not in _TORCHS_OWN and isinstance(value, _PLAIN)
            ],
        )
        for path, one in parts
    ]


_PLAIN = (bool, int, float, str, tuple)
_MODULES = (nn.Module, Network)
_TORCHS_OWN = frozenset(vars(nn.Module()))  # attributes of every module; they hold no setting of a layer


def _runs_other_code(parts: Iterable[nn.Module]) -> bool:
    """Whether somebody's function, or another network, runs with the module. These can change at any time."""
    for one in parts:
        added = [*one._forward_hooks.values(), *one._forward_pre_hooks.values()]
        if any(not str(getattr(each, "__module__", "")).startswith("scenelens.") for each in added):
            return True
        own = (value for name, value in one.__dict__.items() if name not in _TORCHS_OWN)
        if "forward" in one.__dict__ or any(isinstance(value, _MODULES) for value in own):
            return True
    return False


def _weight_sums(module: nn.Module) -> np.ndarray:
    """The sum of each tensor's bits as whole numbers: it sees every change of a weight, in a few ms."""
    sums = []
    for _, value in sorted(module.state_dict().items()):
        flat = value.detach().contiguous().reshape(-1).view(torch.uint8)
        whole = len(flat) // 8 * 8
        # Sums of 64-bit numbers wrap around, which does no harm here.
        sums.append(flat[:whole].view(torch.int64).sum().item())
        sums.append(flat[whole:].sum(dtype=torch.int64).item() if whole < len(flat) else 0)
    return np.array(sums, np.int64)


def _run(network: Network) -> _Behaviour:
    # A layer that draws random numbers must draw the same ones each time, and the reader's stay untouched.
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        # The first time, this runs the network, too. There are no layers where it is not made of any.
        layers = list(network.layers["layer"])
        torch.manual_seed(0)
        inputs = network.prepare(_images(*network.input_size), framed=True)
        try:
            with _recorder(network, layers) as found:
                logits = network.module(inputs)
        except SceneLensError:
            # Numbers that are not finite on such images need not be so on photographs: no error here.
            found, logits = {}, network.module(inputs)
    return {f"layer {layer}": value for layer, value in found.items()} | {"logits": _summary(logits)}


def _recorder(network: Network, layers: list[str]) -> Any:
    if not layers:
        return contextlib.nullcontext({})
    return record(network, layers, keep=lambda _, value: _summary(value), stop=False)


def _summary(value: torch.Tensor) -> np.ndarray:
    """(2, images, units): the mean and the maximum over the map."""
    maps = value.detach().float().flatten(2) if value.ndim > 2 else value.detach().float()[..., None]
    return torch.stack([maps.mean(2), maps.amax(2)]).cpu().numpy()


@functools.lru_cache(maxsize=2)
def _images(high: int, wide: int) -> np.ndarray:
    """Noise in large and in small patches, so that most units of all depths respond to something."""
    rng = np.random.default_rng(0)
    images = []
    for side in (4, 32):
        patches = rng.integers(0, 256, (-(-high // side), -(-wide // side), 3), dtype=np.int64)
        coarse = patches.repeat(side, 0).repeat(side, 1)[:high, :wide]
        images.append((coarse + rng.integers(-20, 21, (high, wide, 3))).clip(0, 255).astype(np.uint8))
    return np.stack(images)


def _same(then: _Behaviour, now: _Behaviour) -> bool:
    return then.keys() == now.keys() and all(_close(then[name], now[name]) for name in now)


def _close(then: np.ndarray, now: np.ndarray) -> bool:
    if then.shape != now.shape or then.dtype.kind == "i":
        return bool(np.array_equal(then, now))
    finite = np.abs(then[np.isfinite(then)])
    highest = float(finite.max()) if finite.size else 0.0
    return bool(np.allclose(then, now, _RELATIVE, _OF_HIGHEST * highest, equal_nan=True))


def _pack(seen: dict[str, _Behaviour]) -> bytes:
    arrays = {f"{k} {key}": value for k, one in enumerate(seen.values()) for key, value in one.items()}
    return ArrayFile.pack(list(seen), arrays)


def _unpack(content: bytes) -> dict[str, _Behaviour]:
    names, arrays = ArrayFile.unpack(content)
    seen: dict[str, _Behaviour] = {name: {} for name in names}
    for key, value in arrays.items():
        number, _, rest = key.partition(" ")
        seen[names[int(number)]][rest] = value
    return seen

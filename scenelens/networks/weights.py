"""Weights from files into modules: which names in a file mean which weights, by the evidence that they fit.

Training scripts wrap a network, and its names get longer: ``module.conv1.weight`` behind DataParallel,
``_orig_mod.`` behind torch.compile, ``model.`` in Lightning. They also store it in an entry of a checkpoint,
and a second, averaged copy beside it. Whatever stands before the names is taken off where the rest fits the
network, and what was done is said.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from scenelens.errors import SceneLensError
from scenelens.networks.caffe_network import _CaffeModule
from scenelens.networks.finite import NonFinite
from scenelens.networks.weight_files import _read_weights
from scenelens.progress import say_on_stderr

#: Parts that wrappers add to names, in whatever place.
_WRAPPERS = ("module", "_orig_mod")
#: The places of averaged copies of a network are called so.
_AVERAGE = re.compile(r"(?<![a-z])ema(?![a-z])|swa|averag|(?<![a-z])avg|teacher|shadow", re.IGNORECASE)
#: Side branches of torchvision's modules, which only training needs.
_BRANCHES = {"GoogLeNet": ("aux1", "aux2"), "Inception3": ("AuxLogits",)}
_SHOWN = 3  # names in a sentence


class _Fit(NamedTuple):
    """One way to read a file: an entry, what is taken off its names, and the arrays that are left."""

    entry: str
    prefix: str
    spelling: str  # other changes of the names, in words
    arrays: dict[str, Tensor]
    left_out: list[str]
    fitting: int  # arrays whose name and shape are the network's

    @property
    def place(self) -> str:
        return ".".join(part for part in (self.entry, self.prefix.rstrip(".")) if part)


def load_weights(
    module: nn.Module,
    path: str | Path,
    rename: Mapping[str, str] | None = None,
    notes: list[str] | None = None,
) -> nn.Module:
    """Load a file's weights into a module.

    Parameters
    ----------
    module : torch.nn.Module
        The module that the weights belong to; it is changed.
    path : str or Path
        A .safetensors or .caffemodel file, or a torch file (.pth, .pt, .pth.tar) with a state dict, bare or
        in an entry such as ``state_dict`` or ``model``. Torch files are read with ``weights_only``, so that
        none can run code. Weights of half or double precision become single ones.
    rename : mapping of str to str, optional
        How names begin in the file -> how they begin in the module, such as ``{"fire2.squeeze":
        "fire2.conv1"}``. What wrappers put before names, such as ``module.``, is taken off without it.
    notes : list of str, optional
        A sentence is added to it where a file had to be understood: which entry was read, what was taken off
        its names. Without it the sentence is written on stderr, and so are weights that are not finite.

    Returns
    -------
    torch.nn.Module
        The same module, in eval mode.

    Raises
    ------
    SceneLensError
        If the file is missing, damaged, of another kind, or wants to run code; or if its weights belong to
        another architecture (the sentence lists names and shapes that differ), are there twice, or are not
        plain arrays.
    """
    wanted = module.state_dict()
    entries = {entry: _renamed(arrays, rename or {}) for entry, arrays in _read_weights(path).items()}
    fit = _best_fit(path, entries, wanted)
    unused = module.left_out if isinstance(module, _CaffeModule) else _BRANCHES.get(type(module).__name__)
    fit = _without(fit, unused) if unused else fit
    _check_plain(path, fit.arrays, wanted)
    problem = _problem(fit, wanted)
    if problem and not _loads_by_itself(module, fit.arrays):
        raise SceneLensError(f"{path} {problem}")
    try:
        values = {name: value.to(_dtype(value, wanted.get(name))) for name, value in fit.arrays.items()}
        module.load_state_dict(values, strict=bool(problem) or not _lacking(fit.arrays, wanted, ""))
    except Exception as error:  # such as packed numbers of 4 bits, which cannot be converted
        raise SceneLensError(
            f"{path} has weights of a kind that cannot be used; save them in single precision."
        ) from error
    done = _what_was_done(fit)
    if notes is not None:
        notes += [f"weights: {done}"] if done else []
    else:
        for said in filter(None, (done, NonFinite.note(module))):
            say_on_stderr(f"{path}: {said}.")
    return module.eval()


def _dtype(value: Tensor, wanted: Tensor | None) -> torch.dtype:
    if wanted is not None:
        return wanted.dtype
    return torch.float32 if value.is_floating_point() else value.dtype


def _check_plain(path: str | Path, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Refuse arrays that cannot be copied into a module as they are."""
    for name, value in found.items():
        whole = not value.is_floating_point() and not value.is_complex() and value.dtype != torch.bool
        kinds = {
            "sparse": value.layout != torch.strided,
            "quantised": value.is_quantized,
            "empty (a meta tensor)": value.is_meta,
            "nested": value.is_nested,
            "complex": value.is_complex(),
            f"quantised ({value.dtype})": whole and name in wanted and wanted[name].is_floating_point(),
        }
        kind = next((kind for kind, so in kinds.items() if so), None)
        if kind:
            raise SceneLensError(f"{path}: the array {name} is {kind}; save it as a plain array of numbers.")


def _renamed(found: dict[str, Tensor], rename: Mapping[str, str]) -> dict[str, Tensor]:
    if not all(isinstance(old, str) and isinstance(new, str) for old, new in rename.items()):
        raise SceneLensError(f"rename is a table of names, such as {{old = 'new'}}, not {dict(rename)!r}.")

    def new(name: str) -> str:
        for old, fresh in rename.items():
            if name.startswith(old):
                return fresh + name[len(old) :]
        return name

    return {new(name): value for name, value in found.items()}


# ---- which entry and which names fit


def _best_fit(
    path: str | Path, entries: Mapping[str, dict[str, Tensor]], wanted: Mapping[str, Tensor]
) -> _Fit:
    """The way to read a file in which most arrays fit; a plain copy before an averaged one."""
    fits = [fit for entry, found in entries.items() for fit in _fits(entry, found, wanted)]
    most = max(fit.fitting for fit in fits)
    best = [fit for fit in fits if fit.fitting == most]
    least_changed = {fit.entry: fit.spelling for fit in reversed(best)}
    best = [fit for fit in best if fit.spelling == least_changed[fit.entry]]
    plain = [fit for fit in best if not _AVERAGE.search(fit.place)] or best
    plain = [fit for fit in plain if not fit.place] or plain  # what needs no change is meant
    if most < len(wanted) / 2:
        # Another architecture: its names are shown as they are.
        return next(
            fit for fit in fits if fit.entry == plain[0].entry and not fit.prefix and not fit.spelling
        )
    chosen, others = plain[0], [fit for fit in best if fit is not plain[0]]
    if len(plain) > 1 and not all(_are_equal(chosen, other) for other in plain[1:]):
        raise SceneLensError(
            f"{path} has weights for this network in {len(plain)} places, "
            f"{_listed(one.place for one in plain)}: save one of them alone, and name that file."
        )
    other = (
        f"{chosen.spelling}; also there, and not used: {_listed(one.place or 'no prefix' for one in others)}"
    )
    return chosen._replace(spelling=other.removeprefix("; ")) if others else chosen


def _are_equal(one: _Fit, other: _Fit) -> bool:
    try:
        return one.arrays.keys() == other.arrays.keys() and all(
            torch.equal(value, other.arrays[name]) for name, value in one.arrays.items()
        )
    except RuntimeError:  # arrays without numbers, or of a kind that cannot be compared
        return False


def _fits(entry: str, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Iterator[_Fit]:
    """The ways to read an entry: its names as they are, without what stands before them, or respelled."""
    for spelling, names in _spellings(found, wanted):
        spelled = dict(zip(names, found.values(), strict=True))
        for prefix in ("", *_prefixes(names, wanted)):
            arrays = {
                name[len(prefix) :]: value for name, value in spelled.items() if name.startswith(prefix)
            }
            copies = [] if prefix else _copies(arrays, wanted)
            outside = [name for name in spelled if not name.startswith(prefix)]
            kept = {name: value for name, value in arrays.items() if name not in copies}
            fitting = sum(name in kept and kept[name].shape == value.shape for name, value in wanted.items())
            yield _Fit(entry, prefix, spelling, kept, outside + copies, fitting)


def _spellings(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Iterator[tuple[str, list[str]]]:
    """Ways to spell the names of a file, each with what was changed, in words."""
    names = list(found)
    yield "", names
    for words, spelled in (
        ("the wrappers' parts module and _orig_mod taken out of its names", list(map(_unwrapped, names))),
        ("norm.1 read as norm1, as in torchvision's older files", list(map(_undotted, names))),
        *(
            (f"{prefix} put before its names", [prefix + name for name in names])
            for prefix in _prefixes(list(wanted), found)[:1]
        ),
    ):
        if spelled != names and len(set(spelled)) == len(names):
            yield words, spelled


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _undotted(name: str) -> str:
    return re.sub(r"\b(norm|relu|conv)\.([12])\.", r"\1\2.", name)


def _prefixes(names: Iterable[str], wanted: Mapping[str, Tensor]) -> list[str]:
    """What stands before a network's names, the most frequent first."""
    counts: Counter[str] = Counter()
    for name in names:
        dots = [at for at, character in enumerate(name) if character == "."]
        counts.update(name[: at + 1] for at in dots if name[at + 1 :] in wanted)
    return [prefix for prefix, _ in counts.most_common(8)]


def _copies(arrays: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """The names of a second copy, such as ema.conv1.weight beside conv1.weight."""
    return [
        name
        for name in arrays
        if name not in wanted
        and any(name[at + 1 :] in wanted and name[at + 1 :] in arrays for at in _dots(name))
    ]


def _dots(name: str) -> list[int]:
    return [at for at, character in enumerate(name) if character == "."]


def _without(fit: _Fit, layers: Collection[str]) -> _Fit:
    names = [name for name in fit.arrays if name.rpartition(".")[0] in layers or name.split(".")[0] in layers]
    kept = {name: value for name, value in fit.arrays.items() if name not in names}
    return fit._replace(arrays=kept, left_out=[*fit.left_out, *names])


# ---- what is said


def _what_was_done(fit: _Fit) -> str:
    """How a file was read, where that was not obvious."""
    done = [f"the entry {fit.entry!r} was read"] if fit.entry else []
    done += [f"{fit.prefix} was taken off its names"] if fit.prefix else []
    done += [fit.spelling] if fit.spelling else []
    done += [f"left out: {_listed(fit.left_out)}"] if fit.left_out else []
    kinds = {str(value.dtype) for value in fit.arrays.values() if value.is_floating_point()}
    # Half precision becomes single precision without any loss, so nobody needs to know.
    exact = {"torch.float32", "torch.float16", "torch.bfloat16"}
    others = sorted(kind.removeprefix("torch.") for kind in kinds - exact)
    done += [f"{' and '.join(others)} became float32"] if others else []
    return "; ".join(done)


def _listed(names: Iterable[str]) -> str:
    all_of_them = list(names)
    more = f", ... ({len(all_of_them)} in all)" if len(all_of_them) > _SHOWN else ""
    return ", ".join(all_of_them[:_SHOWN]) + more


def _lacking(
    found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], but: str = "num_batches_tracked"
) -> list[str]:
    """The network's names that a file lacks; older files lack the counters that only training needs."""
    return [name for name in wanted if name not in found and not (but and name.endswith(but))]


def _loads_by_itself(module: nn.Module, arrays: Mapping[str, Tensor]) -> bool:
    """Whether the module knows names of older files itself, as torchvision's transformers do."""
    try:
        copy.deepcopy(module).load_state_dict(dict(arrays), strict=True)
    except Exception:  # a reader's own module may raise anything
        return False
    return True


def _problem(fit: _Fit, wanted: Mapping[str, Tensor]) -> str:
    """Why weights do not fit, as the end of a sentence; empty where they do."""
    found = fit.arrays
    lacking, surplus = _lacking(found, wanted), [name for name in found if name not in wanted]
    shapes = [name for name in wanted if name in found and found[name].shape != wanted[name].shape]
    if not (lacking or surplus or shapes):
        return ""
    if not lacking and not surplus and _is_head(shapes, found, wanted):
        layer = shapes[0].rpartition(".")[0]
        return (
            f"tells {found[shapes[0]].shape[0]:,} classes apart (layer {layer}), and the network that the "
            f"study describes {wanted[shapes[0]].shape[0]:,}: check its class names."
        )
    parts = [
        f"{name} is {tuple(found[name].shape)} in the file and {tuple(wanted[name].shape)} in the network"
        for name in shapes[:_SHOWN]
    ]
    parts += [f"and {len(shapes) - _SHOWN} more shapes differ"] if len(shapes) > _SHOWN else []
    parts += [f"the file lacks {_listed(lacking)}"] if lacking else []
    parts += [f"the network lacks {_listed(surplus)}"] if surplus else []
    return (
        f"has weights of another architecture: {'; '.join(parts)}. Check architecture, width, fc and the "
        "class names; `rename` changes names."
    )


def _is_head(shapes: list[str], found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> bool:
    """Whether all that differs is the number of rows of one layer."""
    return len({name.rpartition(".")[0] for name in shapes}) == 1 and all(
        found[name].ndim and wanted[name].ndim and found[name].shape[1:] == wanted[name].shape[1:]
        for name in shapes
    )


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

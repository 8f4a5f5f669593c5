"""What torch's own operations do to the places of numbers (see `positions`).

However a network is written, torch carries out a few hundred basic operations, those of its library "aten".
One rule for each kind of them follows positions through any forward pass. An operation without a rule loses
the positions; what it gives may depend on the whole image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from scenelens.networks.positions import _from_marks, _Places, _reshaped, _same_marks, _Span, _with_images

# Operations of single numbers that torch does not tag as such.
_SINGLE = {"hardswish", "_prelu_kernel", "prelu", "log_sigmoid_forward", "rrelu_with_noise", "_to_copy"}
_SINGLE |= {"detach", "alias", "lift_fresh", "lift_fresh_copy", "contiguous", "native_dropout", "copy"}
SAME = {"clone", "_to_copy", "detach", "alias", "lift_fresh", "contiguous"}
BATCH_NORMS = {
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "cudnn_batch_norm",
    "miopen_batch_norm",
}
# They only move numbers about, so they move marks as well.
_MOVES = {
    "view", "_unsafe_view", "reshape", "_reshape_alias", "_reshape_copy", "permute", "transpose", "t",
    "expand", "squeeze", "unsqueeze", "select", "split", "split_with_sizes", "unsafe_split", "chunk",
    "unbind", "slice", "roll", "flip", "rot90", "index", "index_select", "gather", "pixel_shuffle",
    "pixel_unshuffle", "repeat", "channel_shuffle", "native_channel_shuffle", "unfold", "diagonal",
    "constant_pad_nd", "take", "repeat_interleave", "narrow", "view_copy", "permute_copy", "slice_copy",
    "expand_copy",
}  # fmt: skip
# They take only shape and type from a tensor, not its numbers.
FACTORIES = {"new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided"}
FACTORIES |= {"zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like"}
_RESHAPES = {"view", "_unsafe_view", "reshape", "_reshape_alias", "_reshape_copy", "view_copy"}
_REDUCTIONS = {"mean", "sum", "amax", "amin", "max", "min", "std", "var", "std_mean", "var_mean", "prod"}
_REDUCTIONS |= {
    "linalg_vector_norm",
    "norm",
    "logsumexp",
    "any",
    "all",
    "argmax",
    "argmin",
    "median",
    "nansum",
}
_REDUCTIONS |= {"_log_softmax_sum", "aminmax", "nanmean", "count_nonzero"}
PRODUCTS = {"mm": (0, 1), "addmm": (1, 2), "bmm": (0, 1), "baddbmm": (1, 2), "mv": (0, 1), "addmv": (1, 2)}
PRODUCTS |= {"linear": (0, 1), "matmul": (0, 1), "_int_mm": (0, 1)}

#: Looks a tensor's places up; None for a tensor that does not depend on the image.
Look = Callable[[Any], "_Places | None"]


def _op_name(func: Any) -> str:
    """The name of an operation, the same in place and not: 'relu' for ``aten.relu_``."""
    name = str(func._schema.name).split("::")[-1]
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def _is_single(func: Any, name: str) -> bool:
    """Whether each number of the result is computed from one number of each input."""
    return torch.Tag.pointwise in func.tags or name in _SINGLE


def _places_after(
    func: Any, args: Sequence[Any], options: dict[str, Any], out: Any, look: Look, sized: bool
) -> _Places | list[_Places] | None:
    """The places of what an operation gives: one for each of its tensors where it gives several.

    `sized` says whether the image has the size that is asked about, so that pooling to a given size is known.
    """
    name = _op_name(func)
    first = next(iter(_tensors(out)), None)
    known = [one for one in map(look, _tensors([*args, *options.values()])) if one is not None]
    if first is None or not known or name in FACTORIES:
        return None
    if _is_single(func, name):
        return _joined(known, first.shape)
    if name in BATCH_NORMS:
        return known[0] if _keeps_statistics(func, name, args, options) else known[0].spread()
    if name == "cat":
        parts = [(look(one), one.shape) for one in args[0]]
        return _cat(parts, _at(func, args, options, "dim") or 0, first.shape)
    if name == "stack":
        return _stacked(args[0], look, _at(func, args, options, "dim") or 0, first.shape)
    if name in _MOVES:
        return _moved(func, name, args, options, out, look)
    rule = _RULES.get(name) or (_reduction if name in _REDUCTIONS else None)
    if rule is None and name in PRODUCTS:
        rule = _product
    if rule is None and name.startswith(
        ("_scaled_dot_product", "_native_multi_head", "_transformer_encoder")
    ):
        rule = _attention
    if name == "as_strided" and tuple(first.shape) == known[0].shape:
        return known[0]
    if rule is not None:
        found = rule(func, args, options, first, look, sized)
        if found is not None:
            return found
    return known[0].lost(first.shape, f"the reach of {name} is not known")


def _tensors(values: Any) -> list[Tensor]:
    if isinstance(values, Tensor):
        return [values]
    if isinstance(values, list | tuple):
        return [one for value in values for one in _tensors(value)]
    return []


def _at(func: Any, args: Sequence[Any], options: dict[str, Any], name: str) -> Any:
    """An argument of an operation, by its name."""
    for place, argument in enumerate(func._schema.arguments):
        if argument.name == name:
            default = argument.default_value if argument.has_default_value() else None
            return args[place] if place < len(args) else options.get(name, default)
    return None


def _joined(known: list[_Places], shape: Sequence[int]) -> _Places:
    found = known[0]
    if len(known) == 1:
        if found.shape == tuple(shape):
            return found
        return found.joined(found, shape)
    for one in known[1:]:
        found = found.joined(one, shape)
    return found


def _keeps_statistics(func: Any, name: str, args: Sequence[Any], options: dict[str, Any]) -> bool:
    if name.endswith("no_training"):
        return True
    return not _at(func, args, options, "training")


# ---- moving


def _moved(
    func: Any, name: str, args: Sequence[Any], options: dict[str, Any], out: Any, look: Look
) -> _Places | list[_Places]:
    places = look(args[0])
    outs = _tensors(out)
    if places is None:  # the image decides which numbers are taken, not what these are
        known = next(one for one in map(look, _tensors([*args[1:], *options.values()])) if one is not None)
        return [known.lost(one.shape) for one in outs] if outs != [out] else known.lost(out.shape)
    symbolic = _moved_dims(func, name, args, options, places, out)
    if symbolic is not None:
        return symbolic
    code = places.marked()
    if name in _RESHAPES:
        moved: Any = _reshaped(code, out.shape)
    else:
        if any(look(one) is not None for one in _tensors([*args[1:], *options.values()])):
            return places.lost(out.shape) if outs == [out] else [places.lost(one.shape) for one in outs]
        rest = [_on_cpu(one) for one in args[1:]]
        if name == "constant_pad_nd":
            rest, options = rest[:1], {}
        moved = func(code, *rest, **{k: _on_cpu(v) for k, v in options.items()})
    if isinstance(out, Tensor):
        return _from_marks(moved, places.spans)
    return [_from_marks(one, places.spans) for one in moved]


def _on_cpu(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_on_cpu(one) for one in value]
    return value.cpu() if isinstance(value, Tensor) else value


def _moved_dims(
    func: Any, name: str, args: Sequence[Any], options: dict[str, Any], places: _Places, out: Any
) -> _Places | None:
    """The frequent cases, without marks."""
    n = len(places.shape)
    if name == "permute":
        return places.permuted(args[1])
    if name in ("transpose", "t"):
        a, b = (0, 1) if name == "t" else (args[1] % n, args[2] % n)
        order = list(range(n))
        if n > 1:
            order[a], order[b] = b, a
        return places.permuted(order)
    if name == "constant_pad_nd" and places.dims is not None:
        return _padded(places, args[1], out.shape)
    if name in _RESHAPES and tuple(out.shape) == places.shape:
        return places
    return None


def _padded(places: _Places, pads: Sequence[int], shape: Sequence[int]) -> _Places | None:
    spans, n = list(places.spans), len(places.shape)
    for k in (1, 2):
        dim = places.dims[k] if places.dims else None
        if dim is not None and n - 1 - dim < len(pads) // 2:
            spans[k - 1] = spans[k - 1].between(-pads[2 * (n - 1 - dim)], -pads[2 * (n - 1 - dim)], 1)
    if places.dims is None or (places.dims[0] is not None and shape[places.dims[0]] != places.shape[0]):
        return None
    return replace(places, shape=tuple(shape), spans=(spans[0], spans[1]))


def _cat(parts: list[tuple[_Places | None, Sequence[int]]], dim: int, shape: Sequence[int]) -> _Places:
    dim %= len(shape)
    known = [one for one, _ in parts if one is not None]
    if len(known) == len(parts) and all(one.dims is not None and dim not in one.dims for one in known):
        # Along a dimension that counts nothing, all parts lie at the same positions.
        narrow = tuple(1 if d == dim else n for d, n in enumerate(shape))
        slim = [
            replace(one, shape=tuple(1 if d == dim else n for d, n in enumerate(one.shape))) for one in known
        ]
        found = _joined(slim, narrow)
        if found.dims is not None:
            return replace(found, shape=tuple(shape))
    spans = known[0].spans
    for one in known[1:]:
        spans = (spans[0].union(one.spans[0]), spans[1].union(one.spans[1]))
    code = [_with_images(known[0], size, dim) if one is None else one.marked() for one, size in parts]
    return _from_marks(torch.cat(code, dim), spans)


def _stacked(tensors: Sequence[Tensor], look: Look, dim: int, shape: Sequence[int]) -> _Places:
    parts: list[tuple[_Places | None, Sequence[int]]] = []
    for one in tensors:
        places, size = look(one), list(one.shape)
        size.insert(dim % len(shape), 1)
        if places is not None:
            places = _from_marks(places.marked().unsqueeze(dim % len(shape)), places.spans)
        parts.append((places, size))
    return _cat(parts, dim, shape)


# ---- windows


def _pair(value: Any, default: Any = None) -> tuple[Any, Any]:
    if isinstance(value, int | float):
        return value, value
    values = list(value) if value else default
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


def _map_of(places: _Places, shape: Sequence[int]) -> _Places:
    """Places of a map (N, C, H, W), or of a part of it, along whose channels positions do not change."""
    if places.dims is None and len(places.shape) == 4:
        # Channels that were rows and columns before (pixel unshuffle): each position sees all of them.
        places = places.reduced([1])
        places = _from_marks(places.marked().expand(-1, shape[1], -1, -1), places.spans)
    if places.dims is not None and places.dims[1] in (None, 2) and places.dims[2] in (None, 3):
        return places
    return places.lost(shape)


def _windows(
    places: _Places,
    first: Tensor,
    what: str,
    move: Callable[[_Span, int, int, int], _Span | None],
) -> _Places | None:
    """Places of a map (N, C, h, w) whose positions read windows of the map before it.

    ``move(span, axis, n_in, n_out)`` moves a span along one axis.
    """
    if first.ndim != 4 or len(places.shape) != 4:
        return None
    places = _map_of(places, places.shape)
    dims: list[int | None] = [0 if places.dims is not None and places.dims[0] == 0 else None]
    spans = []
    for axis in (0, 1):
        before, n_in, n_out = places.spans[axis], places.shape[2 + axis], int(first.shape[2 + axis])
        placed = places.dims is not None and places.dims[1 + axis] is not None
        if placed:
            found = move(before, axis, n_in, n_out)
            spans.append(found or _Span.everything(before.pixels, before.why))
            dims.append(2 + axis if found else None)
        elif n_in == 1 and n_out == 1:
            spans.append(before)
            dims.append(None)
        else:  # a new map: its positions are known, but not where they lie in the image
            why = before.why or f"where the positions of {what} lie in the image is not known"
            spans.append(_Span(before.pixels, 0, before.pixels - 1, 1, True, why))
            dims.append(2 + axis)
    return _Places(tuple(first.shape), (spans[0], spans[1]), (dims[0], dims[1], dims[2]))


def _convolution(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    places, weight = look(args[0]), args[1]
    if places is None or first.ndim != 4 or weight.ndim != 4:
        return None
    stride, padding, dilation = (
        _pair(_at(func, args, options, one)) for one in ("stride", "padding", "dilation")
    )
    transposed = bool(_at(func, args, options, "transposed"))

    def move(span: _Span, axis: int, n_in: int, n_out: int) -> _Span:
        kernel, step, pad, gap = weight.shape[2 + axis], stride[axis], padding[axis], dilation[axis]
        if transposed:
            return span.between((pad - (kernel - 1) * gap) / step, pad / step, 1 / step)
        return span.window(kernel, step, pad, gap)

    found = _windows(places, first, "a convolution", move)
    return found.spread() if found is not None and look(weight) is not None else found


def _pool(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    places = look(args[0])
    if places is None:
        return None
    kernel = _pair(_at(func, args, options, "kernel_size"))
    stride = _pair(_at(func, args, options, "stride"), kernel)
    padding = _pair(_at(func, args, options, "padding"))
    dilation = _pair(_at(func, args, options, "dilation") or 1)
    return _windows(
        places,
        first,
        "a pooling",
        lambda span, axis, n_in, n_out: span.window(
            kernel[axis], stride[axis], padding[axis], dilation[axis]
        ),
    )


def _adaptive_pool(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    places = look(args[0])

    def move(span: _Span, axis: int, n_in: int, n_out: int) -> _Span | None:
        if n_in == n_out:
            return span
        if n_out == 1 or not sized:
            return None
        # Position i reads from floor(i * step) to ceil((i + 1) * step) - 1; windows may differ by a position.
        starts = [i * n_in // n_out * n_out - i * n_in for i in range(n_out)]
        ends = [(-(-(i + 1) * n_in // n_out) - 1) * n_out - i * n_in for i in range(n_out)]
        return span.between(min(starts) / n_out, max(ends) / n_out, n_in / n_out)

    return None if places is None else _windows(places, first, "a pooling", move)


def _upsampled(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    places, nearest = look(args[0]), "nearest" in _op_name(func)

    def move(span: _Span, axis: int, n_in: int, n_out: int) -> _Span:
        step = n_in / n_out
        if nearest:
            return span.between(step - 1, 0, step)
        more = 2 if "bicubic" in _op_name(func) else 1  # neighbours that are read on each side
        return span.between(step / 2 - 0.5 - more, step / 2 - 0.5 + more, step)

    return None if places is None else _windows(places, first, "an upsampling", move)


def _pool_3d(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    """Over channels alone, as in local response normalisation."""
    places = look(args[0])
    kernel = list(_at(func, args, options, "kernel_size"))
    if places is None or kernel[1:] != [1, 1] or places.dims is None or first.ndim != 5:
        return None
    return replace(places, shape=tuple(first.shape)) if 2 not in places.dims else None


# ---- all positions, or several of them, together


def _reduction(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    places = look(args[0])
    if places is None:
        return None
    dim = _at(func, args, options, "dim")
    over = range(len(places.shape)) if dim is None or dim == [] else ([dim] if isinstance(dim, int) else dim)
    found = places.reduced(list(over), bool(_at(func, args, options, "keepdim")))
    return found if found.shape == tuple(first.shape) else None


def _product(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    """A product of matrices: positions of the left one stay, or those of the right one behind a constant."""
    left, right = (look(args[one]) for one in PRODUCTS[_op_name(func)])
    if left is not None and left.shape[:-1] == tuple(first.shape[: len(left.shape) - 1]):
        found = left.reduced([-1])
        if len(found.shape) == first.ndim:
            found = _widened(found, first.shape)
        return found.spread() if right is not None else found
    if right is not None and len(right.shape) == first.ndim:
        return _widened(right.reduced([-2]), first.shape)
    return None


def _widened(places: _Places, shape: Sequence[int]) -> _Places:
    """Along a dimension that counts nothing, more numbers at the same positions."""
    if places.dims is None:
        return replace(places, shape=tuple(shape), marks=places.marked().expand(tuple(shape)))
    dims = [d if d is None or places.shape[d] == shape[d] else None for d in places.dims]
    if dims != list(places.dims):  # a map of one row: the dimension that counted it counts units now
        code = places.marked().expand(tuple(shape))
        return _from_marks(code, places.spans)
    return replace(places, shape=tuple(shape))


def _attention(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    """Each token reads from all others."""
    places = look(args[0])
    if places is None or len(places.shape) != first.ndim:
        return None
    if places.shape != tuple(first.shape):
        places = _widened(places.reduced([-1]), first.shape)
    return places.spread()


def _layer_norm(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    places = look(args[0])
    if places is None:
        return None
    n = len(_at(func, args, options, "normalized_shape"))
    return _normed(places, list(range(len(places.shape) - n, len(places.shape))))


def _softmax(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    places = look(args[0])
    return None if places is None else _normed(places, [_at(func, args, options, "dim")])


def _normed(places: _Places, over: list[int]) -> _Places:
    """Each number is changed by the others along some dimensions."""
    over = [one % len(places.shape) for one in over]
    if places.dims is not None:
        return places.spread() if any(one in over for one in places.dims[1:]) else places
    together = places.reduced(over)
    marks = together.marked().expand(places.shape)
    if _same_marks(marks, places.marked()):
        return places
    moves = together.dims is not None and None not in together.dims
    return _from_marks(marks, together.spans) if moves else places.spread()


def _over_all(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    """Each number depends on all, but stays where it is."""
    places = look(args[0])
    return None if places is None else places.spread()


def _halved(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    """One half along a dimension is multiplied by a function of the other."""
    places, dim = look(args[0]), _at(func, args, options, "dim")
    if places is None or places.dims is None or dim % len(places.shape) in places.dims:
        return None
    return replace(places, shape=tuple(first.shape))


_RULES: dict[str, Callable[..., _Places | None]] = {
    "glu": _halved,
    "convolution": _convolution,
    "mkldnn_convolution": _convolution,
    "cudnn_convolution": _convolution,
    "max_pool2d_with_indices": _pool,
    "max_pool2d": _pool,
    "mkldnn_max_pool2d": _pool,
    "avg_pool2d": _pool,
    "avg_pool3d": _pool_3d,
    "_adaptive_avg_pool2d": _adaptive_pool,
    "adaptive_avg_pool2d": _adaptive_pool,
    "adaptive_max_pool2d": _adaptive_pool,
    "native_layer_norm": _layer_norm,
    "_fused_rms_norm": _layer_norm,
    "_softmax": _softmax,
    "_log_softmax": _softmax,
    "_safe_softmax": _softmax,
    "native_group_norm": _over_all,
    "cumsum": _over_all,
} | {f"upsample_{way}": _upsampled for way in ("nearest2d", "bilinear2d", "bicubic2d", "_nearest_exact2d")}
_RULES |= {"_upsample_bilinear2d_aa": _upsampled, "_upsample_bicubic2d_aa": _upsampled}
_RULES |= {"_upsample_nearest_exact2d": _upsampled}


def _reflected(
    func: Any, args: Sequence[Any], options: dict[str, Any], first: Tensor, look: Look, sized: bool
) -> _Places | None:
    places = look(args[0])
    return None if places is None or places.dims is None else _padded(places, args[1], first.shape)


_RULES |= {"reflection_pad2d": _reflected, "replication_pad2d": _reflected}

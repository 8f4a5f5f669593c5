"""Where the numbers of a tensor lie: at which rows and columns of a map, and which pixels these can see.

`trace` watches one forward pass. It asks this file, for every tensor that depends on the image, along which
dimensions images, rows and columns are counted. So a layer's units and positions are known, whether a network
puts its channels first, last, or cuts the map into a sequence of tokens: nothing is guessed from shapes.

Where each dimension counts one thing, three numbers of dimensions say it (`_Places.dims`). Where one
dimension counts rows and columns together, as in a sequence of tokens, each number of the tensor gets a mark
(`marks`): its image, row and column. Steps that only move numbers about, such as a reshape, move the marks in
the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

_IMAGES = 2  # of a pass that is watched: what counts to this number counts images
_BITS = 20  # of a mark, for each of image, row and column; 0 means none
_MASK = (1 << _BITS) - 1
_Dims = tuple[int | None, int | None, int | None]  # that count images, rows and columns


@dataclass(frozen=True)
class _Span:
    """Along one axis of the image: what the positions of a map see.

    Position 0 sees the pixels low to high, both included; the next one the same, `stride` pixels on. `whole`
    says that every position can also see all other pixels. Stride 0 stands for a value without a position.
    `why` says in words why nothing is known.
    """

    pixels: int
    low: float = 0
    high: float = 0
    stride: float = 1
    whole: bool = False
    why: str = ""

    @classmethod
    def everything(cls, pixels: int, why: str = "") -> _Span:
        """One value that sees all pixels."""
        return cls(pixels, 0, pixels - 1, 0, True, why)

    def window(self, kernel: int, stride: float, padding: float, dilation: int = 1) -> _Span:
        """A window slides over the map."""
        low = self.low - padding * self.stride
        high = self.high + (dilation * (kernel - 1) - padding) * self.stride
        return replace(self, low=low, high=high, stride=self.stride * stride)

    def between(self, first: float, last: float, stride: float) -> _Span:
        """Position i sees what the positions first + i * stride to last + i * stride of this one see."""
        low, high = self.low + first * self.stride, self.high + last * self.stride
        return replace(self, low=low, high=high, stride=self.stride * stride)

    def union(self, other: _Span) -> _Span:
        """What two branches see that meet at the same positions."""
        if self.stride == 0 or other.stride == 0:  # a value of the whole image meets a map
            placed = other if self.stride == 0 else self
            return replace(placed, whole=self.whole or other.whole, why=self.why or other.why)
        why = self.why or other.why
        if self.stride != other.stride:
            why = "branches with different strides meet: their receptive field has no single stride."
        low, high = min(self.low, other.low), max(self.high, other.high)
        return replace(self, low=low, high=high, whole=self.whole or other.whole, why=why)


@dataclass(frozen=True)
class _Places:
    """Where the numbers of one tensor lie.

    `dims` are the dimensions that count images, rows and columns, None for what the tensor has not; or `dims`
    is None, and `marks` (int64, of the tensor's shape) says it for each number.
    """

    shape: tuple[int, ...]
    spans: tuple[_Span, _Span]
    dims: _Dims | None = None
    marks: Tensor | None = None

    def marked(self) -> Tensor:
        """The marks, of the tensor's shape; along dimensions that count nothing they share memory."""
        if self.marks is not None:
            return self.marks
        code = torch.zeros([1] * len(self.shape), dtype=torch.int64)
        for k, dim in enumerate(self.dims or ()):
            if dim is not None:
                along = torch.arange(1, self.shape[dim] + 1) << (k * _BITS)
                code = code + along.view([-1 if d == dim else 1 for d in range(len(self.shape))])
        return code.expand(self.shape)

    def spread(self) -> _Places:
        """The same positions, each of which now also sees all others."""
        rows, columns = (replace(one, whole=True) for one in self.spans)
        return replace(self, spans=(rows, columns))

    def lost(self, shape: Sequence[int], why: str = "") -> _Places:
        """A tensor of another shape, made from this one in a way that is not understood."""
        rows, columns = (_Span.everything(one.pixels, one.why or why) for one in self.spans)
        found = self.dims and self.dims[0] == 0 and len(shape) and shape[0] == self.shape[0]
        return _Places(tuple(shape), (rows, columns), (0 if found else None, None, None))

    def permuted(self, order: Sequence[int]) -> _Places:
        """After the dimensions have changed places: the new dimension d was order[d]."""
        order = [one % len(self.shape) for one in order]
        shape = tuple(self.shape[one] for one in order)
        if self.dims is None:
            return replace(self, shape=shape, marks=self.marked().permute(order))
        batch, rows, columns = (None if one is None else order.index(one) for one in self.dims)
        return replace(self, shape=shape, dims=(batch, rows, columns))

    def joined(self, other: _Places, shape: Sequence[int]) -> _Places:
        """A tensor of this shape, each number of which is computed from one number of both."""
        spans = (self.spans[0].union(other.spans[0]), self.spans[1].union(other.spans[1]))
        dims = _common_dims(self._in(shape), other._in(shape), shape)
        if dims is not None:
            return _Places(tuple(shape), spans, dims)
        a, b = (one.marked().expand(shape) for one in (self, other))
        if self.dims is None and self.shape == tuple(shape) and _same_marks(a, b):
            return replace(self, spans=spans)
        agree, code = True, torch.zeros((), dtype=torch.int64)
        for k in range(3):
            mine, theirs = _field(a, k), _field(b, k)
            agree &= not bool(((mine != theirs) & (mine > 0) & (theirs > 0)).any())
            code = code | (torch.where(mine > 0, mine, theirs) << (k * _BITS))
        found = _from_marks(code.expand(tuple(shape)), spans)
        return found if agree else found.spread()

    def _in(self, shape: Sequence[int]) -> _Places:
        """With dimensions counted in a tensor of this shape, to which it is broadcast."""
        more = len(shape) - len(self.shape)
        if self.dims is None or not more:
            return self
        batch, rows, columns = (None if one is None else one + more for one in self.dims)
        return replace(self, shape=(1,) * more + self.shape, dims=(batch, rows, columns))

    def reduced(self, over: Sequence[int], keepdim: bool = True) -> _Places:
        """After a sum, a maximum or a mean over some dimensions.

        Where the positions over which it goes form a window that moves on evenly, it is a window; where it
        goes over all of them, no position is left.
        """
        over = sorted({one % len(self.shape) for one in over})
        shape = tuple(1 if d in over else n for d, n in enumerate(self.shape))
        if self.dims is not None:
            spans, dims = list(self.spans), list(self.dims)
            for k in (0, 1, 2):
                if dims[k] in over:
                    dims[k] = None
                    if k:
                        spans[k - 1] = _Span.everything(spans[k - 1].pixels, spans[k - 1].why)
            found = _Places(shape, (spans[0], spans[1]), (dims[0], dims[1], dims[2]))
        else:
            found = self._window_of_marks(over)
        return found if keepdim else found.squeezed(over)

    def _window_of_marks(self, over: Sequence[int]) -> _Places:
        shape = tuple(1 if d in over else n for d, n in enumerate(self.shape))
        slim = _slim(self.marked())
        if all(slim.shape[d] == 1 for d in over):
            return _Places(shape, self.spans, None, slim.expand(shape))
        code, spans = torch.zeros((), dtype=torch.int64), list(self.spans)
        for k in range(3):
            label = _field(self.marked(), k)
            high = label.amax(tuple(over), keepdim=True)
            low = torch.where(label > 0, label, _MASK).amin(tuple(over), keepdim=True)
            low = torch.where(high > 0, low, 0)  # nothing at all has a position
            if bool((low == high).all()) or k == 0:
                code = code | (torch.where(low == high, high, 0) << (k * _BITS))
                continue
            found, placed = None, high > 0
            rise = _even(torch.unique(low[placed]))
            reach = torch.unique((high - low)[placed])
            if rise and rise[2] > 1 and len(reach) == 1:
                found = spans[k - 1].between(rise[0] - 1, rise[0] - 1 + int(reach), rise[1])
                code = code | (torch.where(placed, (low - rise[0]) // rise[1] + 1, 0) << (k * _BITS))
            spans[k - 1] = found or _Span.everything(spans[k - 1].pixels, spans[k - 1].why)
        return _from_marks(code.expand(shape), (spans[0], spans[1]))

    def squeezed(self, gone: Sequence[int]) -> _Places:
        """Without some dimensions of size 1."""
        left = [d for d in range(len(self.shape)) if d not in gone]
        shape = tuple(self.shape[d] for d in left)
        if self.dims is None:
            return _from_marks(self.marked().reshape(shape), self.spans)
        if any(one in gone for one in self.dims[1:] if one is not None):
            return _from_marks(self.marked().reshape(shape), self.spans)
        batch, rows, columns = (left.index(one) if one in left else None for one in self.dims)
        return replace(self, shape=shape, dims=(batch, rows, columns))


def _slim(marks: Tensor) -> Tensor:
    """Marks once, along dimensions at which they are only repeated."""
    for dim in range(marks.ndim):
        if marks.stride(dim) == 0 and marks.shape[dim] > 1:
            marks = marks.narrow(dim, 0, 1)
    return marks


def _field(marks: Tensor, k: int) -> Tensor:
    """The images (0), rows (1) or columns (2) of marks, from 1; 0 where there is none. It is slim."""
    return (_slim(marks) >> (k * _BITS)) & _MASK


def _reshaped(marks: Tensor, shape: Sequence[int]) -> Tensor:
    """Marks in another shape; what is only repeated along the last dimension stays so."""
    if len(shape) and marks.ndim and marks.shape[-1] == shape[-1] > 1 and marks.stride(-1) == 0:
        return marks[..., :1].reshape(*shape[:-1], 1).expand(tuple(shape))
    return marks.reshape(tuple(shape))


def _common_dims(one: _Places, other: _Places, shape: Sequence[int]) -> _Dims | None:
    """The dimensions of both where they do not contradict each other; else None."""
    if one.dims is None or other.dims is None:
        return None
    dims: list[int | None] = []
    for mine, theirs in zip(one.dims, other.dims, strict=True):
        dim = theirs if mine is None else mine
        if dim is not None and {mine, theirs} - {dim, None}:
            return None
        if any(d is not None and place.shape[d] != shape[d] for d, place in ((mine, one), (theirs, other))):
            return None
        dims.append(dim)
    taken = [dim for dim in dims if dim is not None]
    return (dims[0], dims[1], dims[2]) if len(set(taken)) == len(taken) else None


def _varies(label: Tensor) -> list[int]:
    """The dimensions along which labels differ."""
    return [
        d
        for d, n in enumerate(label.shape)
        if n > 1 and label.stride(d) and bool((label != label.narrow(d, 0, 1)).any())
    ]


def _progress(label: Tensor) -> tuple[int, int, int] | None:
    """(dimension, first, step) where labels rise evenly along one dimension alone, and none is missing."""
    dims = _varies(label)
    if len(dims) != 1:
        return None
    along = label[tuple(slice(None) if d == dims[0] else 0 for d in range(label.ndim))]
    step = int(along[1] - along[0])
    even = bool((along.diff() == step).all()) and step > 0 and int(along[0]) > 0
    return (dims[0], int(along[0]), step) if even else None


def _from_marks(marks: Tensor, spans: tuple[_Span, _Span]) -> _Places:
    """Places of a tensor with these marks: by dimensions where each counts one thing, else by the marks."""
    shape, new = tuple(marks.shape), list(spans)
    dims: list[int | None] = []
    for k in range(3):
        label = _field(marks, k)
        rise = _progress(label)
        if rise:
            dims.append(rise[0])
            first, step = rise[1], rise[2]
        elif not label.numel() or bool((label == label.flatten()[0]).all()):
            first, step = (int(label.flatten()[0]) if label.numel() else 0), 1
            free = [d for d, n in enumerate(shape) if n == 1 and d not in dims]
            usual = ({4: (0, 2, 3)}.get(len(shape), (0, None, None)))[k]
            place = usual if usual in free else next(iter(free), None)
            if first and place is None:
                return _Places(shape, spans, None, marks)
            dims.append(place if first else None)
        else:
            return _Places(shape, spans, None, marks)
        if k and first:
            new[k - 1] = new[k - 1].between(first - 1, first - 1, step)
        elif k:
            new[k - 1] = _Span.everything(new[k - 1].pixels, new[k - 1].why)
    taken = [one for one in dims if one is not None]
    if len(set(taken)) < len(taken):
        return _Places(shape, spans, None, marks)
    return _Places(shape, (new[0], new[1]), (dims[0], dims[1], dims[2]))


def _same_marks(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors of one shape have the same marks."""
    return bool((_slim(one) == _slim(other)).all())


def _with_images(places: _Places, shape: Sequence[int], dim: int) -> Tensor:
    """Marks of a constant that is joined to a tensor along a dimension: its images, and no position."""
    images = _field(places.marked(), 0).narrow(dim, 0, 1)
    return images.expand(tuple(shape)) if not images.shape[dim] > 1 else torch.zeros(tuple(shape)).long()


@dataclass(frozen=True)
class _Layout:
    """How a tensor is read as (N, units, h, w): which tokens are taken, and the order of its dimensions."""

    shape: tuple[int, ...]  # of the value for one image: (units, h, w), or (units,)
    order: tuple[int, ...] | None = None  # None: as it is
    dim: int = 0  # that counts the tokens
    tokens: Tensor | None = None  # which of them are positions, in reading order

    def of(self, value: Tensor) -> Tensor:
        """The value with units first, then rows and columns."""
        if self.order is None:
            return value
        if self.tokens is not None:
            value = value.index_select(self.dim, self.tokens.to(value.device))
        return value.permute(self.order).reshape(value.shape[self.order[0]], *self.shape)


def _layout_of(places: _Places | None, shape: Sequence[int]) -> tuple[_Layout, tuple[_Span, _Span]] | None:
    """How to read a tensor, and what its positions see; None where a unit has not one value per position."""
    if places is None:
        return None
    if len(shape) == 2 and shape[0] <= _IMAGES:
        all_rows, all_columns = (_Span.everything(one.pixels, one.why) for one in places.spans)
        return _Layout(tuple(shape[1:])), (all_rows, all_columns)
    if places.dims is None:
        return _tokens(places)
    batch, rows, columns = places.dims
    if batch is None or shape[batch] > _IMAGES:  # as where tokens or windows count as images
        return None
    rest = [d for d in range(len(shape)) if d not in places.dims]
    large = [d for d in rest if shape[d] > 1]
    if len(large) > 1:
        return None
    units = large[0] if large else (rest[0] if rest else None)
    small = [d for d in rest if d != units]
    order = tuple(d for d in (batch, units, rows, columns, *small) if d is not None)
    if len(shape) == 4 and rows is None and columns is None and order[:2] == (0, 1):
        order = (0, 1, 2, 3)
    size = tuple(1 if d is None else int(shape[d]) for d in (units, rows, columns))
    return _Layout(size, None if order == (0, 1, 2, 3) and len(shape) == 4 else order), places.spans


def _tokens(places: _Places) -> tuple[_Layout, tuple[_Span, _Span]] | None:
    """A sequence of tokens: one dimension counts the positions; tokens without a position are left out."""
    labels = [_field(places.marked(), k) for k in range(3)]
    dims = [_varies(label) for label in labels]
    together = set(dims[1]) | set(dims[2])
    if len(dims[0]) != 1 or len(together) != 1 or dims[0][0] in together:
        return None
    batch, dim = dims[0][0], together.pop()
    if places.shape[batch] > _IMAGES:
        return None
    rest = [d for d, n in enumerate(places.shape) if n > 1 and d not in (batch, dim)]
    at = tuple(slice(None) if d == dim else 0 for d in range(len(places.shape)))
    rows, columns = labels[1][at], labels[2][at]
    found = torch.nonzero((rows > 0) & (columns > 0)).flatten()
    key = rows[found] * (_MASK + 1) + columns[found]
    down, along = (_even(torch.unique(one[found])) for one in (rows, columns))
    if len(rest) > 1 or down is None or along is None or len(torch.unique(key)) != len(found):
        return None
    (first, step, high), (left, across, wide) = down, along
    if high * wide != len(found):
        return None
    order = (batch, *(rest or []), dim)
    order = (*order, *(d for d in range(len(places.shape)) if d not in order))
    units = places.shape[rest[0]] if rest else 1
    spans = (
        places.spans[0].between(first - 1, first - 1, step),
        places.spans[1].between(left - 1, left - 1, across),
    )
    return _Layout((units, high, wide), order, dim, found[torch.argsort(key)]), spans


def _even(values: Tensor) -> tuple[int, int, int] | None:
    """(first, step, how many) of numbers that rise evenly."""
    step = int(values[1] - values[0]) if len(values) > 1 else 1
    if not len(values) or bool((values.diff() != step).any()):
        return None
    return int(values[0]), step, len(values)

"""One watched forward pass: where each layer's value is read, in which order, of which shape, and what it
sees.

In the paper, a unit's response is the rectified one. So the value of a convolution or of a fully connected
layer is read behind its BatchNorm and its activation function, where these follow it directly. Whether they
do is observed in a forward pass, by the tensors that torch's operations take and return: names of modules and
their order in the file say nothing reliable about it. It makes no difference whether a ReLU is a module, a
function, or a formula of several operations, and whether it works in place.

A module that runs several times in one pass is a layer each time: ``pool``, ``pool#2``, ``pool#3``.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from scenelens.networks.aten import (
    BATCH_NORMS,
    FACTORIES,
    PRODUCTS,
    SAME,
    _is_single,
    _op_name,
    _places_after,
)
from scenelens.networks.formulas import _Node, _Parameter, _Start
from scenelens.networks.points import Point, _point, _reading
from scenelens.networks.positions import _IMAGES, _Places, _Span
from scenelens.networks.undo import restoring

# Functions of single numbers, behind which a convolution's response is read.
ACTIVATIONS: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
)
ACTIVATIONS += (nn.Hardswish, nn.Softplus, nn.Sigmoid, nn.Tanh)
_WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_LAYERS = (*_WEIGHTED, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_STRAIGHT = {"add", "sub", "mul", "div", "neg", "rsub", *SAME}  # of one number and constants: a straight line
_STRAIGHT |= {"round", "floor", "ceil", "trunc", "nan_to_num"}  # or nearly so, as in quantised networks
_RANDOM = ("bernoulli", "native_dropout", "rand", "normal", "uniform", "multinomial")


@dataclass
class _Frame:
    """A module that runs: its key, which of its calls it is, how many layers ran in it, and what it did."""

    key: str
    call: int
    layers: int = 0
    operations: list[str] = field(default_factory=list)


def _own_kind(module: nn.Module, operations: list[str]) -> str:
    """'conv' or 'fc' for a module of somebody's own class, by what it does with weights of its own."""
    weights = [one for one in module._parameters.values() if one is not None and one.ndim > 1]
    if isinstance(module, _LAYERS) or not weights or any(module.children()):
        return ""
    products = sum(one in PRODUCTS for one in operations)
    if operations.count("convolution") == 1 and products <= 1:
        return "conv"
    return "fc" if products == 1 and "convolution" not in operations else ""


class _Known:
    """What the watch knows of one tensor; the tensor itself is not kept in memory."""

    def __init__(
        self, tensor: Tensor, places: _Places | None, node: _Node | None, made: int, written: int = 0
    ) -> None:
        self.tensor, self.version = weakref.ref(tensor), _version(tensor) + written
        self.places, self.node, self.made = places, node, made  # made: by the how manieth operation
        self.random = False  # whether it is drawn anew in each pass
        self.behind: frozenset[_Node] = frozenset()  # activations that it comes from, up to the next layer

    def fresh(self, tensor: Tensor) -> bool:
        """Whether nobody has written into the tensor since."""
        return _version(tensor) <= self.version


class _Watch(TorchDispatchMode):
    """Sees every operation of one forward pass, and every module that returns."""

    def __init__(self, module: nn.Module, images: Sequence[Tensor], sized: bool) -> None:
        super().__init__()
        self.module, self.sized = module, sized
        self.order, self.failed = 0, ""
        self.known: dict[int, _Known] = {}
        self.written: dict[int, _Places] = {}  # storage -> places of what was written into it last
        self.calls: dict[str, int] = {}
        self.running: list[_Frame] = []
        self.found: dict[str, Point] = {}
        self.starts: list[_Start] = []
        named = (
            *module.named_parameters(remove_duplicate=False),
            *module.named_buffers(remove_duplicate=False),
        )
        self.names = {id(value): name for name, value in named}
        for image in images:
            if image.ndim == 4:
                spans = (_Span(image.shape[2], stride=1), _Span(image.shape[3], stride=1))
                self.known[id(image)] = _Known(image, _Places(tuple(image.shape), spans, (0, 2, 3)), None, 0)
            else:
                spans = (_Span.everything(0), _Span.everything(0))
                self.known[id(image)] = _Known(
                    image, _Places(tuple(image.shape), spans, (0, None, None)), None, 0
                )

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep torch from importing its compiler, which takes a second: nothing is compiled here."""
        return False

    def look(self, tensor: Any) -> _Places | None:
        """A tensor's places; None for a constant."""
        known = self._of(tensor)
        if isinstance(tensor, Tensor) and (known is None or not known.fresh(tensor)):
            written = self.written.get(tensor.untyped_storage()._cdata)
            if written is not None:  # another view of the same memory was written to
                return known.places.spread() if known and known.places else written.lost(tensor.shape)
        return known.places if known else None

    def _of(self, tensor: Any) -> _Known | None:
        known = self.known.get(id(tensor))
        return known if known is not None and known.tensor() is tensor else None

    def _fresh(self, tensor: Any) -> _Node | None:
        """The operation that gave a tensor, if nobody has written into it since."""
        known = self._of(tensor)
        return known.node if known is not None and known.fresh(tensor) else None

    def _argument(self, value: Any) -> Any:
        """An argument as a formula keeps it."""
        if isinstance(value, list | tuple):
            return type(value)(self._argument(one) for one in value)
        if not isinstance(value, Tensor):
            return value
        node = self._fresh(value)
        if node is not None:
            return node
        if id(value) in self.names:
            return _Parameter(self.names[id(value)])
        # What was made for the two images of this pass is kept for any number of them.
        equal = value.ndim and len(value) == _IMAGES and (value.is_meta or torch.equal(value[0], value[1]))
        return value[:1] if equal else value

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        """Run an operation, and note what it does."""
        if torch.is_inference_mode_enabled():  # torch does not take operations apart there by itself
            with self:
                whole = func.decompose(*args, **(kwargs or {}))
            if whole is not NotImplemented:
                return whole
        options, self.order = kwargs or {}, self.order + 1
        tensors, name = list(_flat([*args, *options.values()])), _op_name(func)
        looked = {id(one): self.look(one) for one in tensors}
        if self.running:
            self.running[-1].operations.append(name)
        # Of a tensor that only gives its shape and type, nothing is computed.
        shown = [] if name in FACTORIES else [one for one in tensors if looked[id(one)] is not None]
        nodes = [self._fresh(one) for one in shown]
        kept = tuple(self._argument(one) for one in args), {k: self._argument(v) for k, v in options.items()}
        known = [self._of(one) for one in tensors]
        random = any(name.startswith(one) for one in _RANDOM) or any(one and one.random for one in known)
        out = func(*args, **options)
        places = _places_after(func, args, options, out, lambda one: looked.get(id(one)), self.sized)
        behind = frozenset(node for one in known if one for node in one.behind)
        for k, one in enumerate(_flat(out)):
            own = places[k] if isinstance(places, list) and k < len(places) else places
            if isinstance(own, _Places) and own.shape != tuple(one.shape):
                own = own.lost(one.shape)
            own = own if isinstance(own, _Places) else None
            item = None if isinstance(out, Tensor) else k
            node = None if random else self._node(func, name, kept, item, nodes, own, one)
            if node is None or node.start is None:
                self._meet(nodes, behind)
            self._note(func, one, tensors, own, node, random)
            mine = {node} if node is not None and node.kind == "bent" else set()
            self.known[id(one)].behind = behind | mine
        return out

    def _meet(self, nodes: list[_Node | None], behind: frozenset[_Node]) -> None:
        """A layer's output meets something that was computed from it in a long way, as in local response
        normalisation: x / f(x * x). What began this way is no activation function."""
        for node in nodes:
            for one in behind:
                start = node.start if node is not None else None
                if start is not None and start is one.start and node is not one and _needs(one, node):
                    start.apart.add(id(one))

    def _note(
        self,
        func: Any,
        out: Tensor,
        inputs: list[Tensor],
        places: _Places | None,
        node: _Node | None,
        random: bool,
    ) -> None:
        """Keep what is known of a result."""
        writes = func._schema.is_mutable and any(out is each for each in inputs)
        found = _Known(out, places, node, self.order, _later(func, out, inputs, writes))
        found.random = random
        self.known[id(out)] = found
        if places is not None and writes:
            self.written[out.untyped_storage()._cdata] = places

    def _node(
        self,
        func: Any,
        name: str,
        kept: tuple,
        item: int | None,
        nodes: list[_Node | None],
        places: _Places | None,
        out: Tensor,
    ) -> _Node | None:
        """The operation as a step of a layer's value, or as a constant; None for anything else."""
        args, options = kept
        if not nodes:
            return _Node(func, args, options, item, self.order)
        parents = [one for one in nodes if one is not None and one.start is not None]
        if len(parents) < len(nodes) or parents[0].start is None:
            return None
        start = parents[0].start
        norm = name in BATCH_NORMS and item in (None, 0)
        if any(one.start is not start for one in parents) or tuple(out.shape) != start.shape:
            return None
        if not norm and (not _is_single(func, name) or item):
            return None
        same = not out.is_floating_point() or (name in _STRAIGHT and len(parents) == 1)
        kind = "norm" if norm else "same" if same else "bent"
        if norm and any(one.kind == "bent" for one in parents):
            return None
        node = _Node(func, args, options, item, self.order, start, kind, parents, places=places)
        start.nodes.append(node)
        return node

    def called(self, path: str) -> None:
        """Note that a module begins to run."""
        call = self.calls[path] = self.calls.get(path, -1) + 1
        self.running.append(_Frame(path if call == 0 else f"{path}#{call + 1}", call))

    def returned(self, path: str, module: nn.Module, output: Any) -> None:
        """Note what a module returned."""
        frame = self.running.pop()
        key, call, kind = frame.key, frame.call, _own_kind(module, frame.operations)
        self.order += 1
        if not isinstance(output, Tensor) or not output.ndim:
            return
        places, node = self.look(output), self._fresh(output)
        if kind or isinstance(module, _LAYERS):
            for one in self.running:
                one.layers += 1
        if (kind or isinstance(module, _WEIGHTED)) and places is not None:
            node = self._begun(key, output, places, node)
        elif node is not None and node.start is not None and frame.layers == 1:
            node.start.keys.append(key)  # a module around the layer, which may add its norm
        if node is not None and node.start is not None:
            node.outputs.append((path, call, self.order))
        inside = tuple(one.key for one in self.running)
        point = _point(path, call, self.order, self.order, places, output.shape)
        known = self._of(output)
        self.found[key] = replace(
            point, inside=inside, made=known.made if known is not None else -1, kind=kind
        )

    def _begun(self, key: str, output: Tensor, places: _Places, node: _Node | None) -> _Node:
        """A layer with weights returned: what follows may be its norm and activation."""
        if node is not None and node.kind == "start" and node.start is not None:
            node.start.keys.append(key)  # a layer inside a layer
            return node
        start = _Start([key], tuple(output.shape))
        node = _Node(None, start=start, kind="start", places=places, order=self.order)
        start.nodes.append(node)
        self.starts.append(start)
        made = self.known[id(output)].made if id(output) in self.known else self.order
        self.known[id(output)] = _Known(output, places, node, made)
        return node

    def points(self) -> dict[str, Point]:
        """Where each module's value is read; `found` says where its plain output is."""
        points = dict(self.found)
        for start in self.starts:
            end = start.end()
            for key in start.keys:
                if self.found[key].order <= end.order or end.outputs:
                    points[key] = _reading(start, end, points[key])
        return points


def _version(tensor: Tensor) -> int:
    """How often a tensor was written over; tensors of torch's inference mode do not count it."""
    return 0 if tensor.is_inference() else tensor._version


def _later(func: Any, out: Tensor, inputs: list[Tensor], writes: bool) -> int:
    """By how much torch will count up the version of a result once the operation is over.

    An operation in place counts one more, and a view counts with the tensor that it shows.
    """
    if writes:
        return 1
    views = any(one.alias_info is not None for one in func._schema.returns)
    return max(_version(inputs[0]) - _version(out), 0) if views and inputs else 0


def _flat(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _flat(value)


def _needs(node: _Node, other: _Node | None) -> bool:
    """Whether a node is computed from another one."""
    return any(one is other or _needs(one, other) for one in node.parents)


# Modules that are being traced at the moment: recorders must not react to these forward passes.
TRACED: set[int] = set()


def trace(module: nn.Module, *inputs: Any, **options: Any) -> dict[str, Point]:
    """Run two copies of one image through a module in eval mode, and note where each layer's value is read.

    Parameters
    ----------
    module : torch.nn.Module
        Any module; its training flags, buffers and attributes stay as they are, and so do random numbers.
    *inputs : object
        What its forward pass takes; of tensors only the first image is used.
    **options : object
        Named arguments of its forward pass, in the same way.

    Returns
    -------
    dict of str to Point
        Module path -> where its value is read; only modules that ran and returned a tensor. For the second
        and later calls of a module in one forward pass, the path ends in ``#2``, ``#3`` and so on.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
    >>> {layer: point.path for layer, point in trace(net, torch.zeros(1, 3, 8, 8)).items()}
    {'0': '1', '1': '1', '2': '2'}
    """
    return _watched(module, inputs, options).points()


def _watched(
    module: nn.Module,
    inputs: Sequence[Any],
    options: dict[str, Any],
    sized: bool = True,
    partly: bool = False,
) -> _Watch:
    """What was seen in one pass.

    `partly` asks only for the modules up to which the pass comes, where the image may have another size than
    the module's own.
    """
    flags = {child: child.training for child in module.modules()}
    TRACED.add(id(module))
    devices = [value.device for value in inputs if isinstance(value, Tensor) and value.is_cuda]
    with torch.inference_mode(False), torch.no_grad(), contextlib.ExitStack() as stack:
        stack.callback(TRACED.discard, id(module))
        stack.callback(_restore, flags)
        # The pass that is watched is one more than the caller asked for: nothing may show that it was run.
        stack.callback(restoring(module))
        stack.enter_context(torch.random.fork_rng(devices))
        twice = [_twice(value) for value in inputs], {k: _twice(v) for k, v in options.items()}
        watch = _Watch(module, list(_flat([*twice[0], *twice[1].values()])), sized)
        for path, child in module.named_modules():
            if path and not isinstance(child, torch.jit.ScriptModule):
                stack.callback(child.register_forward_pre_hook(_before(watch, path)).remove)
                stack.callback(child.register_forward_hook(_after(watch, path)).remove)
        module.eval()
        try:
            with watch:
                module(*twice[0], **twice[1])
        except Exception as error:  # somebody's module may raise anything
            if not partly:
                raise
            watch.failed = str(error)
    return watch


def _twice(value: Any) -> Any:
    """An image twice: the dimension that counts images is known by its two numbers."""
    return torch.cat([value[:1]] * _IMAGES) if isinstance(value, Tensor) and value.ndim else value


def _before(watch: _Watch, path: str) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple) -> None:
        watch.called(path)

    return hook


def _after(watch: _Watch, path: str) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple, output: Any) -> None:
        watch.returned(path, module, output)

    return hook


def _restore(flags: dict[nn.Module, bool]) -> None:
    for child, training in flags.items():
        child.training = training

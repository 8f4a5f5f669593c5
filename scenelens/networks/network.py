"""A `Network`: a torch module together with its preprocessing, its class names and its table of layers.

Any torch module can be one. Most come from a study (`scenelens.open_study`), whose file names an architecture
and a weights file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from scenelens.errors import SceneLensError, close_names
from scenelens.networks.class_names import ClassNames
from scenelens.networks.finite import NonFinite
from scenelens.networks.grid import Axis, Grid
from scenelens.networks.hooks import ACTIVE_RECORDERS
from scenelens.networks.layers import _LayerTable
from scenelens.networks.points import Point
from scenelens.networks.preprocessing import Preprocessing
from scenelens.networks.reach import RF, theoretical_rf
from scenelens.networks.tracing import trace
from scenelens.networks.weights import weights_hash

_PLACEMENTS = ("receptive field", "resize")
_BATCH = 64  # images that go through the module together


class Network:
    """A module that takes images, with its table of named layers (section 2, Table 1).

    Parameters
    ----------
    module : torch.nn.Module
        Any module that maps (N, 3, H, W) to (N, n_classes); it is put into eval mode.
    name : str, optional
        Its name in the study: ``"scene"``, ``"object"``, ``"untrained"``.
    classes : ClassNames or sequence of str, optional
        Class names in the order of its outputs; by default "class 0", "class 1", ...
    preprocessing : Preprocessing, optional
        How its images are prepared.

    Attributes
    ----------
    module : torch.nn.Module
        As given.
    name : str
        As given.
    classes : list of str
        The class names; where two classes share a name, each has its number behind it.
    class_names : ClassNames
        The same, and which of them a category means.
    preprocessing : Preprocessing
        As given.
    input_size : tuple of int
        (height, width) of the frame that it sees, in pixels.
    card : dict
        Its model card; empty where none came with the class names.
    notes : list of str
        How its files were understood, where that was not obvious.

    Raises
    ------
    SceneLensError
        If the module does not run on such images, or if the number of class names differs from that of its
        outputs.

    Examples
    --------
    >>> from scenelens.networks import CaffeNet
    >>> net = Network(CaffeNet(3, width=1 / 8, fc=16), "scene", ["attic", "beach", "cave"])
    >>> list(net.layers.layer)
    ['conv1', 'pool1', 'conv2', 'pool2', 'conv3', 'conv4', 'conv5', 'pool5', 'fc6', 'fc7', 'fc8']
    >>> net.layer_shape("pool5")
    (32, 6, 6)
    >>> net(np.zeros((2, 240, 320, 3), np.uint8)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        module: nn.Module,
        name: str = "network",
        classes: Sequence[str] | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        if isinstance(module, torch.jit.ScriptModule):
            raise SceneLensError(
                f"network {name!r} is TorchScript, made by torch.jit: its layers cannot be watched. Give the "
                "module from which it was made, with the weights of its state_dict()."
            )
        self.module = _as_written(module).eval()
        self.name = name
        self.notes: list[str] = []
        self.preprocessing = preprocessing or self._own_preprocessing()
        self.input_size = self.preprocessing.size
        outputs = self._output_shape()
        if classes is not None and len(classes) != outputs:
            raise SceneLensError(f"network {name!r} has {outputs} outputs but {len(classes)} class names.")
        given = [f"class {n}" for n in range(outputs)] if classes is None else classes
        self.class_names = given if isinstance(given, ClassNames) else ClassNames(given)
        self.classes = list(self.class_names)
        self.card: dict[str, Any] = self.class_names.card

    def __repr__(self) -> str:
        return f"Network({self.name!r}, {type(self.module).__name__}, {self.class_names!r})"

    def _own_preprocessing(self) -> Preprocessing:
        """The default, at the size that the architecture states, or at 224 px if the default is refused."""
        stated = next(filter(None, map(_stated_size, self.module.modules())), None)
        usual = Preprocessing()
        if stated is None:
            sizes = (usual.size, (224, 224))
            stated = next((size for size in sizes if isinstance(self._logits(size), Tensor)), usual.size)
        return usual if stated == usual.size else Preprocessing(size=stated)

    def _logits(self, size: tuple[int, int]) -> Any:
        """What the module returns for one black image, or the error that it raises."""
        try:
            with torch.no_grad():
                return self.module(torch.zeros(1, 3, *size, device=self.device))
        except Exception as error:  # somebody's module may raise anything, an AssertionError for its size
            return error

    def _output_shape(self) -> int:
        logits = self._logits(self.input_size)
        if isinstance(logits, Exception):
            reason = str(logits).strip().rstrip(".!") or type(logits).__name__
            raise SceneLensError(
                f"network {self.name!r} does not run on an input of shape {(1, 3, *self.input_size)}: "
                f"{reason}. If it takes another size, give its preprocessing with size = [height, width]."
            ) from logits
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            raise SceneLensError(f"network {self.name!r} does not return one row of class scores per image.")
        return logits.shape[1]

    def _example(self) -> Tensor:
        return torch.zeros(1, 3, *self.input_size, device=self.device)

    @property
    def device(self) -> torch.device:
        """The device of the weights; images are moved there."""
        return next((value.device for value in self.module.parameters()), torch.device("cpu"))

    # ---- layers

    @cached_property
    def points(self) -> dict[str, Point]:
        """Module path -> the `Point` at which its value is read in a forward pass."""
        return trace(self.module, self._example())

    @cached_property
    def _table(self) -> pd.DataFrame:
        return _LayerTable.find(self.module, self.points)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """The table of layers: one row per layer, in the order in which they run.

        ``layer`` is the name, ``module`` its path in the module, ``units`` (int) how many units it has,
        ``map`` (rows, columns) the size of their maps, (1, 1) for fully connected layers, and ``kind``
        ``'conv'``, ``'pool'``, ``'fc'`` or ``'block'``. ``rf_size``, ``rf_stride`` and ``rf_start`` are the
        theoretical receptive field, in pixels of the frame (see `RF`). The size is the frame's where a unit
        sees the whole image; NaN where the module cannot be analysed.

        The maps of all layers are given with units first, whatever the module does: the tokens of a
        transformer are positions, its class token is left out. A module that runs several times has a row for
        each call: ``pool``, ``pool#2``.
        """
        table = self._table.copy()
        fields = [self._fields[layer] for layer in table.layer]
        for column in ("size", "stride", "start"):
            table[f"rf_{column}"] = [getattr(one, column, float("nan")) for one in fields]
        return table

    @cached_property
    def _paths(self) -> dict[str, str]:
        return dict(zip(self._table.layer, self._table.module, strict=True))

    def module_path(self, layer: str) -> str:
        """Return the path of a layer's module.

        Parameters
        ----------
        layer : str
            A layer's name in `layers`, or the path of any module.

        Returns
        -------
        str
            The path within ``module``; for the second call of a module and later ones it ends in ``#2``,
            ``#3``.

        Raises
        ------
        SceneLensError
            If there is no such layer.
        """
        known = self._paths
        if layer in known:
            return known[layer]
        if layer in self.points:
            return layer
        raise SceneLensError(
            f"no layer named {layer!r} in network {self.name!r}; {close_names(layer, known)}. "
            "See network.layers."
        )

    def layer_shape(self, layer: str) -> tuple[int, int, int]:
        """Return the shape of a layer's value for one image.

        Parameters
        ----------
        layer : str
            A layer's name in `layers`, or the path of any module.

        Returns
        -------
        tuple of int
            (units, height, width); (units, 1, 1) for fully connected layers.

        Raises
        ------
        SceneLensError
            If there is no such layer.
        """
        point = self.points[self.module_path(layer)]
        shape = point.shape
        if not shape:
            raise point.refusal(layer)
        return shape if len(shape) == 3 else (shape[0], 1, 1)

    def grid(self, layer: str) -> Grid:
        """Return where the positions of a layer's map lie: at the centres of their receptive fields.

        Parameters
        ----------
        layer : str
            A layer with a map: its name in `layers`, or the path of any module.

        Returns
        -------
        Grid
            The first position's centre and the distance between positions, in pixels of the frame. Where the
            theoretical receptive fields are not known, the positions are spread evenly.

        Raises
        ------
        SceneLensError
            If there is no such layer, or if it has no map.
        """
        if self.layer_shape(layer)[1:] == (1, 1):
            raise SceneLensError(
                f"layer {layer!r} has no map, so its units have no place; take one with a map."
            )
        return self._known_grid(layer) or self._even_grid(layer)

    def axes(self, layer: str, placement: str = "receptive field") -> tuple[Axis, Axis]:
        """Return how the pixels of the frame lie between a layer's positions; see `interpolate`.

        Parameters
        ----------
        layer : str
            The layer's name in `layers`, or the path of any module.
        placement : {'receptive field', 'resize'}, optional
            At the centres of their receptive fields, as in `grid` (default), or spread evenly, as an image is
            resized.

        Returns
        -------
        tuple of Axis
            For rows and for columns. The single position of a layer without a map counts at every pixel.

        Raises
        ------
        SceneLensError
            If there is no such layer or placement.
        """
        if placement not in _PLACEMENTS:
            raise SceneLensError(f"no placement {placement!r}; take 'receptive field' or 'resize'.")
        known = self._known_grid(layer) if placement == "receptive field" else None
        grid = known or self._even_grid(layer)
        return grid.axes(self.layer_shape(layer)[1:], self.input_size)

    def field(self, layer: str) -> RF | None:
        """Return the theoretical receptive field of a layer's units, where these have places of their own.

        Parameters
        ----------
        layer : str
            The layer's name in `layers`.

        Returns
        -------
        RF or None
            None where the layer has no map, where its field is not known, and where its units have no place
            (stride 0, as behind a fully connected layer).
        """
        field = self._fields.get(layer)  # the path of a module has none
        shape = self.layer_shape(layer)[1:]
        return None if field is None or shape == (1, 1) or 0 in np.atleast_1d(field.stride) else field

    @cached_property
    def _fields(self) -> dict[str, RF | None]:
        """Layer -> its theoretical field; None where the module cannot be analysed."""
        found: dict[str, RF | None] = {}
        for layer in self._table.layer:
            try:
                found[layer] = theoretical_rf(self, layer)
            except SceneLensError:
                found[layer] = None
        return found

    def _known_grid(self, layer: str) -> Grid | None:
        field = self.field(layer)
        return field.grid if field else None

    def _even_grid(self, layer: str) -> Grid:
        high, wide = np.divide(self.input_size, self.layer_shape(layer)[1:]).tolist()
        return Grid(((high - 1) / 2, (wide - 1) / 2), (high, wide))

    def main_layers(self, n: int = 6) -> list[str]:
        """Return a few layers spread over the depth, for tables and menus.

        Parameters
        ----------
        n : int, optional
            How many (default 6).

        Returns
        -------
        list of str
            The paper's pool1, pool2, conv3, conv4, pool5 and fc7 where the network has them; otherwise n
            layers and blocks, in the order in which they run, the deepest one with a map among them.

        Raises
        ------
        SceneLensError
            If the network has no layers.
        """
        if self._table.empty:
            raise SceneLensError(self._no_layers())
        return _LayerTable.spread(self._table, n)

    def deepest_map(self) -> str:
        """Return the deepest layer whose units have a map, so that a peak has a position.

        Returns
        -------
        str
            The layer's name; the deepest main layer if none has a map.

        Raises
        ------
        SceneLensError
            If the network has no layers.
        """
        return _LayerTable.deepest_map(self._table) or self.main_layers()[-1]

    def _no_layers(self) -> str:
        return (
            f"network {self.name!r} has no layers: no convolution, pooling or fully connected layer runs in "
            "its forward pass and gives one number for each image, unit and position."
        )

    # ---- images

    def show_input(self, image: np.ndarray) -> np.ndarray:
        """Return the part of an image that the network sees, at the size at which it sees it.

        Parameters
        ----------
        image : numpy.ndarray
            uint8 RGB (h, w, 3), of any size.

        Returns
        -------
        numpy.ndarray
            The frame: uint8 RGB (H, W, 3) of exactly `input_size`.
        """
        return self.preprocessing.frame(image)

    def prepare(self, images: np.ndarray | Iterable[np.ndarray], framed: bool = False) -> Tensor:
        """Turn images into the network's input.

        Parameters
        ----------
        images : numpy.ndarray or iterable of numpy.ndarray
            One uint8 RGB image (h, w, 3), several (N, h, w, 3), or a list of images of any sizes.
        framed : bool, optional
            The images are frames from `show_input`, perhaps changed: they are not resized or cropped again.

        Returns
        -------
        torch.Tensor
            float32 (N, 3, H, W), on the network's device.

        Raises
        ------
        SceneLensError
            If there is no image, or if one is not uint8 RGB.
        """
        if isinstance(images, np.ndarray) and images.ndim == 4 and framed:
            if len(images) == 0:
                raise SceneLensError("there is no image to prepare: the list is empty.")
            Preprocessing.checked_image(images[0])  # all of them have its shape and dtype
            frames = images
        else:
            several = [images] if isinstance(images, np.ndarray) and images.ndim == 3 else list(images)
            if not several:
                raise SceneLensError("there is no image to prepare: the list is empty.")
            frames = np.stack(
                [Preprocessing.checked_image(one) if framed else self.show_input(one) for one in several]
            )
        return self.preprocessing.tensor(frames).to(self.device)

    @torch.no_grad()
    def __call__(self, images: Any, framed: bool = False) -> Tensor | None:
        """Run the network, without gradients.

        Parameters
        ----------
        images : numpy.ndarray, iterable of numpy.ndarray, or torch.Tensor
            What `prepare` takes, or a float tensor (N, 3, H, W) that it returned.
        framed : bool, optional
            See `prepare`.

        Returns
        -------
        torch.Tensor or None
            Logits, float32 (N, n_classes). None inside `record`, which stops the pass after the deepest
            layer. More than 64 images run in batches, except inside `record`, which gives the values of one
            forward pass.

        Raises
        ------
        SceneLensError
            If a logit is not finite; see `silence`.
        """
        recording = bool(ACTIVE_RECORDERS.get(self.module))
        if isinstance(images, Tensor):
            batches = [images] if recording else list(images.split(_BATCH))
            return self._joined([self.module(batch) for batch in batches])
        if isinstance(images, np.ndarray) and images.ndim == 3:
            images = images[None]
        n = len(images) if recording else _BATCH
        starts = range(0, len(images), n) if len(images) else [0]
        return self._joined([self.module(self.prepare(images[at : at + n], framed)) for at in starts])

    def _joined(self, logits: list[Tensor | None]) -> Tensor | None:
        whole = [one for one in logits if one is not None]
        if not whole:
            return None
        joined = torch.cat(whole)
        classes = NonFinite.rows(joined, dim=1)
        if classes:
            raise NonFinite.error(self.name, "output", classes, self.module)
        return joined

    def predict(self, images: Any, top: int = 5, framed: bool = False) -> pd.DataFrame:
        """Return the most probable classes of each image.

        Parameters
        ----------
        images : numpy.ndarray, iterable of numpy.ndarray, or torch.Tensor
            See `__call__`.
        top : int, optional
            How many classes per image (default 5).
        framed : bool, optional
            See `prepare`.

        Returns
        -------
        pandas.DataFrame
            One row per image and class: ``image`` (its number in the list), ``rank`` (1 to top),
            ``predicted`` (class name), ``probability`` (float, 0..1).

        Raises
        ------
        SceneLensError
            Inside `record`, where the network does not run to its end.
        """
        logits = self(images, framed)
        if logits is None:
            raise SceneLensError("predict needs the whole network; call it outside of record(...).")
        best = logits.float().softmax(1).topk(min(top, len(self.classes)))
        return pd.DataFrame(
            {
                "image": np.repeat(np.arange(len(logits)), best.values.shape[1]),
                "rank": np.tile(np.arange(1, best.values.shape[1] + 1), len(logits)),
                "predicted": [self.classes[number] for number in best.indices.flatten().tolist()],
                "probability": best.values.flatten().cpu().numpy(),
            }
        )

    def silence(self, layer: str, units: Iterable[int]) -> None:
        """Go on without some units: they respond with 0 to every image.

        This is the way out where the numbers of a few units are not finite. The network's weights are changed
        in memory, so everything that is cached for it is computed anew.

        Parameters
        ----------
        layer : str
            A layer that has weights: its name in `layers`, or the path of any module with weights.
        units : iterable of int
            The units' numbers.

        Raises
        ------
        SceneLensError
            If there is no such layer or unit, or if the layer has no weights of its own.

        Examples
        --------
        >>> from scenelens.networks import CaffeNet
        >>> net = Network(CaffeNet(3, width=1 / 8, fc=16))
        >>> net.silence("fc8", [1])
        >>> net(np.zeros((1, 240, 320, 3), np.uint8))[0, 1].item()
        0.0
        """
        path, rows = self.module_path(layer), list(units)
        n = self.layer_shape(layer)[0]
        if not all(isinstance(unit, int) and 0 <= unit < n for unit in rows):
            raise SceneLensError(f"layer {layer!r} has the units 0 to {n - 1}; got {rows}.")
        # A convolution, the BatchNorm and the activation behind it are one layer, read at one point.
        point = self.points[path]
        here = (point.path, point.call)
        paths = {
            one.partition("#")[0] for one, other in self.points.items() if (other.path, other.call) == here
        }
        found = 0
        with torch.no_grad():
            for one in paths:
                for name, value in self.module.get_submodule(one).state_dict().items():
                    if "." not in name and value.ndim and len(value) == n:
                        value[rows] = 1 if name == "running_var" else 0
                        found += 1
        if not found:
            raise SceneLensError(f"layer {layer!r} has no weights; silence the units of the layer before it.")
        self.__dict__.pop("weights_hash", None)

    @cached_property
    def weights_hash(self) -> str:
        """The SHA-256 of the weights; a part of the key of every cached result."""
        return weights_hash(self.module)


def _as_written(module: nn.Module) -> nn.Module:
    """The module that torch.compile wraps, and the same for its parts: compiled code cannot be watched.

    Weights in another precision are turned into float32, in which images are given.
    """
    module = getattr(module, "_orig_mod", module)
    for one in list(module.modules()):
        for name, child in list(one.named_children()):
            inner = getattr(child, "_orig_mod", None)
            if isinstance(inner, nn.Module):
                one._modules[name] = inner
        if one.__dict__.get("_compiled_call_impl") is not None:
            one._compiled_call_impl = None
    other = any(value.is_floating_point() and value.dtype != torch.float32 for value in module.parameters())
    return module.float() if other else module


def _stated_size(module: nn.Module) -> tuple[int, int] | None:
    """The image size that a module states, as torchvision's and timm's do; None where it states none."""
    about = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None)
    size = about.get("input_size", (0,))[1:] if isinstance(about, dict) else None
    size = size or getattr(module, "image_size", None) or getattr(module, "img_size", None)
    sides = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, tuple | list) else ()
    return (
        (sides[0], sides[1])
        if len(sides) == 2 and all(isinstance(one, int) and one > 0 for one in sides)
        else None
    )

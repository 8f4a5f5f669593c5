"""Read Caffe's .caffemodel and .binaryproto files without Caffe.

The paper's networks were published in this format. It is a protobuf message, of which only arrays and names
are read; nothing in a file is ever executed. There are two layouts: a new one (``layer``, field 100 of
NetParameter) and an old one (``layers``, field 2).

A protobuf message is a list of fields. Each begins with a number, the field's number times 8 plus its kind
(0: an integer of variable length, 1: 8 bytes, 2: a length and as many bytes, 5: 4 bytes).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scenelens.errors import SceneLensError

# Numbers of fields, from caffe.proto. NetParameter: its layers, in the new and in the old layout.
_NEW, _OLD = 100, 2
# Fields of a layer: name, type, where it reads and writes, its arrays ("blobs"), the phases it runs in.
_LAYER = {
    _NEW: {1: "name", 2: "type", 3: "bottom", 4: "top", 7: "blobs", 8: "include"},
    _OLD: {4: "name", 5: "type", 2: "bottom", 3: "top", 6: "blobs", 32: "include"},
}
# Settings of layers, by what they belong to.
_SETTINGS = {
    _NEW: {104: "Concat", 106: "Convolution", 108: "Dropout", 110: "Eltwise", 117: "InnerProduct", 118: "LRN",
           121: "Pooling", 123: "ReLU", 135: "Flatten"},
    _OLD: {9: "Concat", 10: "Convolution", 12: "Dropout", 24: "Eltwise", 17: "InnerProduct", 18: "LRN",
           19: "Pooling", 30: "ReLU"},
}  # fmt: skip
# The old layout's numbers of types; the new one writes the names.
_OLD_TYPES = {
    1: "Accuracy", 3: "Concat", 4: "Convolution", 5: "Data", 6: "Dropout", 7: "EuclideanLoss", 8: "Flatten",
    9: "HDF5Data", 12: "ImageData", 14: "InnerProduct", 15: "LRN", 16: "MultinomialLogisticLoss",
    17: "Pooling", 18: "ReLU", 19: "Sigmoid", 20: "Softmax", 21: "SoftmaxWithLoss", 22: "Split", 23: "TanH",
    24: "WindowData", 25: "Eltwise", 28: "HingeLoss", 29: "MemoryData", 30: "ArgMax", 32: "DummyData",
    36: "Silence",
}  # fmt: skip
_TRAIN = 0  # a phase
# BlobProto: packed floats; BlobShape, whose field 1 has the sizes; in the old layout one field per size.
_DATA, _SHAPE = 5, 7
_OLD_SHAPE = (1, 2, 3, 4)  # num, channels, height, width


_MAX_DIMENSIONS = 32


class _Layer(NamedTuple):
    """One layer of a .caffemodel file.

    Attributes
    ----------
    name, kind : str
        Its name, without dots, and its type, such as ``"Convolution"``.
    bottom, top : list of str
        The names of what it reads and of what it writes.
    blobs : list of numpy.ndarray
        Its arrays: float32, weights and biases.
    settings : dict of int to list
        The fields of the settings of its type: number -> values, each an int or bytes.
    training : bool
        It runs in training only.
    """

    name: str
    kind: str
    bottom: list[str]
    top: list[str]
    blobs: list[np.ndarray]
    settings: dict[int, list[int | memoryview]]
    training: bool


class _Broken(Exception):
    """The bytes are no protobuf message."""


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """The integer at a place, 7 bits per byte, low bits first; and the place behind it."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise _Broken
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of one message; the value is an int, or the bytes of any other kind."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            size, at = _varint(data, at)
        if size is None or at + size > len(data):
            raise _Broken
        yield key >> 3, data[at : at + size]
        at += size


def _blob(data: memoryview) -> np.ndarray:
    """BlobProto -> float32 array of its shape (old blobs are always four-dimensional)."""
    values: list[np.ndarray] = []
    shape: list[int] = []
    old = dict.fromkeys(_OLD_SHAPE, 1)
    for number, value in _fields(data):
        if number == _DATA and isinstance(value, memoryview):
            values.append(np.frombuffer(value, "<f4"))
        elif number == _SHAPE and isinstance(value, memoryview):
            shape = _sizes(value)
        elif number in old and isinstance(value, int):
            old[number] = value
    array = np.concatenate(values) if values else np.zeros(0, np.float32)
    shape = shape or list(old.values())
    # Python's integers, because a file may state sizes beyond 64 bits
    if len(shape) > _MAX_DIMENSIONS or array.size != math.prod(shape):
        raise _Broken
    return array.reshape(shape)


def _sizes(data: memoryview) -> list[int]:
    """BlobShape's sizes, packed or one by one."""
    sizes: list[int] = []
    for number, value in _fields(data):
        if number != 1:
            continue
        if isinstance(value, int):
            sizes.append(value)
            continue
        at = 0
        while at < len(value):
            size, at = _varint(value, at)
            sizes.append(size)
    return sizes


class _CaffeFile:
    """A file of Caffe's: the weights of a network, or a mean image.

    Parameters
    ----------
    path : str or Path
        A .caffemodel or a .binaryproto file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def mean(self) -> np.ndarray:
        """Read the mean image, from a .binaryproto file with one BlobProto of shape (1, 3, height, width).

        Returns
        -------
        numpy.ndarray
            float32 (3, height, width), BGR, 0..255.

        Raises
        ------
        SceneLensError
            If the file is missing, truncated, or of another kind.

        Examples
        --------
        >>> import struct, tempfile; file = Path(tempfile.mkdtemp()) / "mean.binaryproto"
        >>> pixels = struct.pack("<3f", 104, 117, 123)
        >>> _ = file.write_bytes(bytes([8, 1, 16, 3, 24, 1, 32, 1, 42, 12]) + pixels)
        >>> _CaffeFile(file).mean().ravel().tolist()
        [104.0, 117.0, 123.0]
        """
        data = self._read()
        try:
            blob = _blob(data)
        except Exception as error:  # whatever broken bytes lead to
            raise SceneLensError(f"{self.path} is not a whole .binaryproto file; fetch it again.") from error
        mean = blob.reshape(blob.shape[-3:]) if math.prod(blob.shape[:-3]) == 1 else blob
        if mean.ndim != 3 or mean.shape[0] != 3:
            raise SceneLensError(
                f"{self.path} holds an array {blob.shape}, not a mean image (1, 3, height, width)."
            )
        return np.array(mean)

    def weights(self) -> dict[str, np.ndarray]:
        """Read the weights, from a .caffemodel file of either layout, under the names that torch uses.

        Returns
        -------
        dict of str to numpy.ndarray
            Name (``conv1.weight``, ``conv1.bias``, ...) -> float32 array, in the file's order. Weights of
            convolutions are (n_out, n_in / groups, h, w), those of fully connected layers (n_out, n_in),
            biases (n_out,). The first layer expects BGR.

        Raises
        ------
        SceneLensError
            If the file is missing, truncated, or has no layer with weights.
        """
        weights: dict[str, np.ndarray] = {}
        for layer in self._layers():
            for part, blob in zip(("weight", "bias"), layer.blobs, strict=False):
                weights[f"{layer.name}.{part}"] = _squeezed(blob, part)
        if not weights:
            raise SceneLensError(f"{self.path} holds no layer with weights; is it a .caffemodel?")
        return weights

    def _layers(self) -> list[_Layer]:
        """All layers in the file's order, of either layout."""
        data = self._read()
        try:
            return [
                _layer(value, number)
                for number, value in _fields(data)
                if number in _LAYER and isinstance(value, memoryview)
            ]
        except Exception as error:  # whatever broken bytes lead to
            raise SceneLensError(f"{self.path} is not a whole .caffemodel file; fetch it again.") from error

    def _read(self) -> memoryview:
        if not self.path.is_file():  # reading a pipe would wait for ever
            raise SceneLensError(
                f"the Caffe file {self.path} cannot be read: it is missing or no regular file."
            )
        try:
            return memoryview(self.path.read_bytes())
        except OSError as error:
            raise SceneLensError(f"the Caffe file {self.path} cannot be read: {error.strerror}.") from error


def _layer(data: memoryview, layout: int) -> _Layer:
    found: dict[str, list[Any]] = {name: [] for name in _LAYER[layout].values()}
    settings: dict[str, dict[int, list[int | memoryview]]] = {}
    for number, value in _fields(data):
        if number in _LAYER[layout]:
            found[_LAYER[layout][number]].append(value)
        elif number in _SETTINGS[layout] and isinstance(value, memoryview):
            fields = settings.setdefault(_SETTINGS[layout][number], {})
            for field, inner in _fields(value):
                fields.setdefault(field, []).append(inner)
    kind = _kind(found["type"])
    phases = [dict(_fields(rule)).get(1) for rule in found["include"]]
    return _Layer(
        name="".join(map(_text, found["name"][-1:])).replace(".", "_"),
        kind=kind,
        bottom=[_text(one) for one in found["bottom"]],
        top=[_text(one) for one in found["top"]],
        blobs=[_blob(one) for one in found["blobs"]],
        settings=settings.get(kind, {}),
        training=bool(phases) and all(phase == _TRAIN for phase in phases),
    )


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8")


def _kind(values: list[Any]) -> str:
    if not values:
        return ""
    last = values[-1]
    return _OLD_TYPES.get(last, f"number {last}") if isinstance(last, int) else _text(last)


def _squeezed(blob: np.ndarray, part: str) -> np.ndarray:
    """Without the leading sizes of 1 that old blobs have: a bias is (1, 1, 1, n) there, a fully connected
    weight (1, 1, n_out, n_in)."""
    if part == "bias":
        return blob.reshape(-1)
    return blob.reshape(blob.shape[2:]) if blob.ndim == 4 and blob.shape[:2] == (1, 1) else blob

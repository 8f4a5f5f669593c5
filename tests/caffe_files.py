"""Caffe's files, written by a second, independent implementation of the wire format."""

from __future__ import annotations

import numpy as np


def varint(n: int) -> bytes:
    """A number as protobuf has it: 7 bits per byte, low bits first."""
    return bytes([n & 127 | 128]) + varint(n >> 7) if n > 127 else bytes([n])


def field(number: int, value: int | bytes) -> bytes:
    """One field of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def blob(array: np.ndarray, old: bool, packed: bool = True) -> bytes:
    """An array; the old layout has four sizes, one field each."""
    if old:
        sizes = [1] * (4 - array.ndim) + list(array.shape)
        head = b"".join(field(number, size) for number, size in enumerate(sizes, start=1))
    else:
        head = field(7, field(1, b"".join(varint(size) for size in array.shape)))
    data = array.astype("<f4").tobytes()
    if packed:
        return head + field(5, data)
    return head + b"".join(varint(5 << 3 | 5) + data[at : at + 4] for at in range(0, len(data), 4))


def model(layers: dict[str, list[np.ndarray]], old: bool, packed: bool = True) -> bytes:
    """A network: the arrays of each layer."""
    net = field(1, b"TestNet")
    for name, blobs in layers.items():
        body = (
            field(4, name.encode()) + field(5, 4)
            if old
            else field(1, name.encode()) + field(2, b"Convolution")
        )
        for one in blobs:
            body += field(6 if old else 7, blob(one, old, packed))
        net += field(2 if old else 100, body)
    return net

"""The reader against files written by a second, independent implementation of the wire format."""

import os
import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from scenelens.errors import SceneLensError
from scenelens.networks.caffe import _CaffeFile
from tests.caffe_files import blob, field, model, varint
from tests.torture.mutate import PROTOBUF, scattered

LAYERS = {
    "conv1": [np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2), np.array([1.5, -2], np.float32)],
    "relu1": [],
    "fc8": [np.arange(6, dtype=np.float32).reshape(3, 2), np.zeros(3, np.float32)],
}


@pytest.mark.parametrize("old", [False, True])
def test_both_layouts_give_torchs_shapes(tmp_path, old):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(model(LAYERS, old))
    weights = _CaffeFile(path).weights()
    assert list(weights) == ["conv1.weight", "conv1.bias", "fc8.weight", "fc8.bias"]
    for name in ("conv1", "fc8"):
        for part, array in zip(("weight", "bias"), LAYERS[name], strict=True):
            np.testing.assert_array_equal(weights[f"{name}.{part}"], array)


@pytest.mark.parametrize("packed", [True, False])
def test_a_mean_image(tmp_path, packed):
    mean = np.random.default_rng(0).uniform(0, 255, (3, 4, 5)).astype(np.float32)
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(blob(mean[None], old=True, packed=packed))
    np.testing.assert_array_equal(_CaffeFile(path).mean(), mean)


def test_the_real_mean_image(real):
    mean = _CaffeFile(real / "classes" / "places365CNN_mean.binaryproto").mean()
    assert mean.shape == (3, 256, 256)
    np.testing.assert_allclose(
        mean.mean((1, 2)), [105.4, 113.8, 116.6], atol=1.5
    )  # BGR of Places: bluish grey


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "net.caffemodel"
    whole = model(LAYERS, old=False)
    for n in (1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n])
        with pytest.raises(SceneLensError, match=r"net\.caffemodel"):
            _CaffeFile(path).weights()


def test_files_of_another_kind(tmp_path):
    path = tmp_path / "x.binaryproto"
    path.write_bytes(blob(np.zeros((2, 2), np.float32), old=False))
    with pytest.raises(SceneLensError, match="not a mean image"):
        _CaffeFile(path).mean()
    for shape in ((3, 1, 2, 2), (0, 3, 2, 2), (2, 3, 1, 1), (1, 2, 3, 2, 2)):
        path.write_bytes(blob(np.zeros(shape, np.float32), old=False))
        with pytest.raises(SceneLensError, match="not a mean image"):
            _CaffeFile(path).mean()
    path.write_bytes(struct.pack("<4f", 1, 2, 3, 4))
    with pytest.raises(SceneLensError, match=r"x\.binaryproto"):
        _CaffeFile(path).mean()
    with pytest.raises(SceneLensError, match="cannot be read"):
        _CaffeFile(tmp_path / "missing.binaryproto").mean()
    path.write_bytes(field(1, b"no layers"))
    with pytest.raises(SceneLensError, match="no layer with weights"):
        _CaffeFile(path).weights()


@given(
    arrays.arrays(
        np.float32, arrays.array_shapes(min_dims=1, max_dims=4), elements=st.floats(-9, 9, width=32)
    )
)
def test_any_blob_comes_back(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("blob") / "net.caffemodel"
    path.write_bytes(model({"a/b": [array.reshape(1, *array.shape)]}, old=False))
    np.testing.assert_array_equal(np.ravel(_CaffeFile(path).weights()["a/b.weight"]), np.ravel(array))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bytes") / "net.caffemodel"
    path.write_bytes(data)
    with pytest.raises(SceneLensError, match="net"):
        _CaffeFile(path).weights()  # random bytes this short never are a layer with a name and a whole blob


HUGE = [(2**64, 1), (2**63, 2), (2**69, 0), (0, 2**62), (2**32, 2**32), (1,) * 70, (2**62, 4)]


@pytest.mark.parametrize("sizes", HUGE)
def test_sizes_beyond_64_bits_are_one_sentence(tmp_path, sizes):
    for data in (b"", np.ones(4, "<f4").tobytes()):
        shape = field(7, field(1, b"".join(varint(size) for size in sizes)))
        (tmp_path / "a.binaryproto").write_bytes(shape + field(5, data))
        with pytest.raises(SceneLensError, match=r"a\.binaryproto"):
            _CaffeFile(tmp_path / "a.binaryproto").mean()
        layer = field(1, b"conv1") + field(7, shape + field(5, data))
        (tmp_path / "a.caffemodel").write_bytes(field(100, layer))
        try:
            _CaffeFile(tmp_path / "a.caffemodel").weights()
        except SceneLensError as error:
            message = str(error)
        else:
            message = "a.caffemodel" if 0 in sizes or sizes[0] == 1 else ""
        assert "a.caffemodel" in message


def test_mutated_files_are_one_sentence(tmp_path):
    rng, said = random.Random(0), []
    for name, read, good in (
        ("a.caffemodel", _CaffeFile.weights, model(LAYERS, old=False)),
        ("b.caffemodel", _CaffeFile.weights, model(LAYERS, old=True)),
        ("c.binaryproto", _CaffeFile.mean, blob(np.ones((1, 3, 2, 2)), old=True)),
    ):
        for _ in range(400):
            (tmp_path / name).write_bytes(scattered(good, rng, 4, PROTOBUF, cut=0.9))
            try:
                read(_CaffeFile(tmp_path / name))
            except SceneLensError as error:
                said.append(name in str(error))
    assert said
    assert all(said)


def test_a_pipe_is_no_caffe_file(tmp_path):
    os.mkfifo(tmp_path / "a.caffemodel")
    for read in (_CaffeFile.weights, _CaffeFile.mean):
        with pytest.raises(SceneLensError, match=r"a\.caffemodel cannot be read"):
            read(_CaffeFile(tmp_path / "a.caffemodel"))

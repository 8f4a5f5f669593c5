"""Networks from .caffemodel files, against the same layers written by hand with torch's functions."""

import struct

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from scenelens.errors import SceneLensError
from scenelens.networks import CaffeNet, Network, Preprocessing, build_module, load_weights, record
from scenelens.networks.caffe_network import _caffe_network
from scenelens.studies.study import open_study
from tests.networks.test_caffe import blob, field, varint
from tests.tiny_study import STUDY, write_tiny_study

# New and old numbers of the settings' fields, and the old numbers of types, from caffe.proto.
SETTINGS = {"Convolution": (106, 10), "Pooling": (121, 19), "LRN": (118, 18), "InnerProduct": (117, 17),
            "ReLU": (123, 30), "Dropout": (108, 12), "Concat": (104, 9), "Eltwise": (110, 24)}  # fmt: skip
OLD = {"Convolution": 4, "Pooling": 17, "LRN": 15, "InnerProduct": 14, "ReLU": 18, "Dropout": 6, "Concat": 3,
       "Eltwise": 25, "Data": 5, "SoftmaxWithLoss": 21, "Accuracy": 1, "Softmax": 20, "Split": 22,
       "BNLL": 2}  # fmt: skip


def settings(values: dict[int, int | float]) -> bytes:
    return b"".join(
        varint(number << 3 | 5) + struct.pack("<f", value)
        if isinstance(value, float)
        else field(number, value)
        for number, value in values.items()
    )


def layer(name, kind, bottom, top, says=(), arrays=(), old=False, train=False):
    says, bottom, top = dict(says), bottom.split(), top.split()
    body = field(4 if old else 1, name.encode()) + field(5 if old else 2, OLD[kind] if old else kind.encode())
    body += b"".join(field(2 if old else 3, one.encode()) for one in bottom)
    body += b"".join(field(3 if old else 4, one.encode()) for one in top)
    body += b"".join(field(6 if old else 7, blob(np.asarray(one, np.float32), old)) for one in arrays)
    if train:
        body += field(32 if old else 8, field(1, 0))
    if says:
        body += field(SETTINGS[kind][old], settings(says))
    return field(2 if old else 100, body)


def arrays(seed: int, *shape: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.2, shape), rng.normal(0, 0.2, shape[:1])]


W1, W2, W6, W8 = arrays(1, 8, 3, 5, 5), arrays(2, 6, 4, 3, 3), arrays(6, 10, 54), arrays(8, 4, 10)
LRN_SAYS = {1: 5, 2: 1e-2, 3: 0.5, 5: 2.0}
CONV1, POOL = {1: 8, 3: 1, 4: 5, 6: 2}, {1: 0, 2: 3, 3: 2}


def alexnet(first: str, old: bool) -> bytes:
    """Two convolutions, in the order of AlexNet (norm first) or of CaffeNet (pool first)."""
    between = {
        "norm": [("norm1", "LRN", "conv1", "norm1", LRN_SAYS), ("pool1", "Pooling", "norm1", "mid", POOL)],
        "pool": [("pool1", "Pooling", "conv1", "pool1", POOL), ("norm1", "LRN", "pool1", "mid", LRN_SAYS)],
    }[first]
    parts = [
        layer("data", "Data", "", "data label", old=old),
        layer("conv1", "Convolution", "data", "conv1", CONV1, W1, old),
        layer("relu1", "ReLU", "conv1", "conv1", old=old),
        *(layer(*one, old=old) for one in between),
        layer("conv2", "Convolution", "mid", "conv2", {1: 6, 3: 0, 4: 3, 5: 2}, W2, old),
        layer("relu2", "ReLU", "conv2", "conv2", old=old),
        layer("fc6", "InnerProduct", "conv2", "fc6", {1: 10}, W6, old),
        layer("relu6", "ReLU", "fc6", "fc6", old=old),
        layer("drop6", "Dropout", "fc6", "fc6", {1: 0.4}, old=old),
        layer("fc8", "InnerProduct", "fc6", "fc8", {1: 4}, W8, old),
        layer("accuracy", "Accuracy", "fc8 label", "accuracy", old=old),
        layer("loss", "SoftmaxWithLoss", "fc8 label", "loss", old=old),
    ]
    return b"".join(parts)


def by_hand(x: torch.Tensor, first: str) -> torch.Tensor:
    w1, w2, w6, w8 = ([torch.tensor(one, dtype=torch.float32) for one in pair] for pair in (W1, W2, W6, W8))
    x = F.relu(F.conv2d(x, *w1, stride=2, padding=1))

    def norm(x):
        squares = F.pad(x.pow(2), (0, 0, 0, 0, 2, 2))
        window = sum(squares[:, n : n + x.shape[1]] for n in range(5))
        return x / (2.0 + 1e-2 / 5 * window) ** 0.5

    def pool(x):
        return F.max_pool2d(x, 3, 2, ceil_mode=True)

    x = pool(norm(x)) if first == "norm" else norm(pool(x))
    x = F.relu(F.conv2d(x, *w2, groups=2))
    return F.linear(F.relu(F.linear(x.flatten(1), *w6)), *w8)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("first", ["norm", "pool"])
def test_a_network_is_built_in_the_order_of_its_file(tmp_path, first, old):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(alexnet(first, old))
    module = load_weights(build_module("caffe", 4, path), path)
    x = torch.randn(3, 3, 24, 24)
    torch.testing.assert_close(module(x), by_hand(x, first), rtol=1e-5, atol=1e-6)
    other = by_hand(x, "pool" if first == "norm" else "norm")
    assert not torch.allclose(module(x), other, rtol=1e-3)
    names = [name for name, _ in module.named_children()]
    assert names[2:4] == (["norm1", "pool1"] if first == "norm" else ["pool1", "norm1"])


def caffenet_file(first: str, width: float = 0.125, fc: int = 16) -> bytes:
    """A file of CaffeNet's layers, or of bvlc_alexnet's, with the weights of a seeded network."""
    torch.manual_seed(3)
    state = CaffeNet(3, width, fc).state_dict()
    says = {"conv1": {4: 11, 6: 4}, "conv2": {3: 2, 4: 5, 5: 2}, "conv3": {3: 1, 4: 3},
            "conv4": {3: 1, 4: 3, 5: 2}, "conv5": {3: 1, 4: 3, 5: 2}}  # fmt: skip
    parts, at = [], "data"

    def put(name, kind, top, says=(), with_weights=False):
        nonlocal at
        both = [state[f"{name}.{part}"].numpy() for part in ("weight", "bias")] if with_weights else []
        more = {1: both[0].shape[0]} if both else {}
        parts.append(layer(name, kind, at, top, more | dict(says), both))
        at = top

    for n in range(1, 6):
        put(f"conv{n}", "Convolution", f"conv{n}", says[f"conv{n}"], True)
        put(f"relu{n}", "ReLU", f"conv{n}")
        steps = {"norm": ["norm", "pool"], "pool": ["pool", "norm"]}[first] if n < 3 else ["pool"] * (n == 5)
        for step in steps:
            kind, how = ("LRN", {1: 5, 2: 1e-4, 3: 0.75}) if step == "norm" else ("Pooling", POOL)
            put(f"{step}{n}", kind, f"{step}{n}", how)
    for n in (6, 7):
        put(f"fc{n}", "InnerProduct", f"fc{n}", {}, True)
        put(f"relu{n}", "ReLU", f"fc{n}")
        put(f"drop{n}", "Dropout", f"fc{n}", {1: 0.5})
    put("fc8", "InnerProduct", "fc8", {}, True)
    put("prob", "Softmax", "prob")
    return b"".join(parts)


def test_caffenet_is_caffenet_and_alexnet_is_not(tmp_path):
    path = write_tiny_study(tmp_path, 1)
    path.write_text(STUDY.replace("seed = 1", 'weights = "net.caffemodel"'))
    torch.manual_seed(3)
    known = CaffeNet(3, 0.125, 16).eval()
    x = torch.randn(2, 3, 227, 227) * 100
    (tmp_path / "net.caffemodel").write_bytes(caffenet_file("pool"))
    network = open_study(path).networks["scene"]
    assert type(network.module) is CaffeNet
    assert torch.equal(network.module(x), known(x))
    (tmp_path / "net.caffemodel").write_bytes(caffenet_file("norm"))
    network = open_study(path).networks["scene"]
    assert "norm1, pool1" in " ".join(network.notes)
    layers = dict(known.named_children())
    order = list(layers)
    for n in (1, 2):
        at = order.index(f"pool{n}")
        order[at : at + 2] = order[at : at + 2][::-1]
    right = x
    for name in order:
        right = layers[name](right.flatten(1) if name == "fc6" else right)
    torch.testing.assert_close(network.module(x), right)
    assert not torch.allclose(network.module(x), known(x), rtol=1e-3)
    assert network.layer_shape("pool5") == (32, 6, 6)
    assert list(network.layers.layer)[:3] == ["conv1", "pool1", "conv2"]


def test_branches_splits_and_sums(tmp_path):
    a, b, c = arrays(1, 4, 3, 1, 1), arrays(2, 4, 3, 3, 3), arrays(3, 5, 8)
    content = b"".join([
        layer("data", "Data", "", "data"),
        layer("split", "Split", "data", "data_0 data_1 data_2"),
        layer("a/1x1", "Convolution", "data_0", "a", {1: 4, 4: 1}, a),
        layer("b/3x3", "Convolution", "data_1", "b", {1: 4, 3: 1, 4: 3}, b),
        layer("aux/fc", "InnerProduct", "data_2", "aux", {1: 2}, arrays(4, 2, 3 * 81)),
        layer("aux/loss", "SoftmaxWithLoss", "aux label", "auxloss"),
        layer("sum", "Eltwise", "a b", "sum", {1: 1}),
        layer("join", "Concat", "sum b", "join"),
        layer("pool", "Pooling", "join", "pool", {1: 1, 12: 1}),
        layer("fc", "InnerProduct", "pool", "fc", {1: 5}, c),
        layer("loss", "SoftmaxWithLoss", "fc label", "loss"),
    ])  # fmt: skip
    path = tmp_path / "net.caffemodel"
    path.write_bytes(content)
    module = build_module("caffe", 5, path)
    notes: list[str] = []
    load_weights(module, path, notes=notes)
    x = torch.randn(2, 3, 9, 9)
    ta, tb, tc = ([torch.tensor(one, dtype=torch.float32) for one in pair] for pair in (a, b, c))
    right = F.conv2d(x, *tb, padding=1)
    right = torch.cat([F.conv2d(x, *ta) + right, right], 1).mean((2, 3))
    torch.testing.assert_close(module(x), F.linear(right, *tc), rtol=1e-5, atol=1e-6)
    assert "left out: aux/fc.weight, aux/fc.bias" in notes[0]
    network = Network(module, "scene", preprocessing=Preprocessing(size=(9, 9)))
    with record(network, ["a/1x1"]) as acts:
        network(np.zeros((1, 9, 9, 3), np.uint8))
    assert acts["a/1x1"].shape == (1, 4, 9, 9)


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "pad", "how"),
    [(13, 3, 2, 0, 0), (12, 3, 2, 0, 0), (12, 3, 2, 1, 0), (7, 2, 2, 1, 0), (12, 3, 2, 0, 1),
     (8, 3, 2, 1, 1), (9, 5, 3, 2, 1)],
)  # fmt: skip
def test_pooling_is_caffes(tmp_path, side, kernel, stride, pad, how):
    """Against Caffe's own loops, in numpy."""
    content = layer("pool", "Pooling", "data", "pool", {1: how, 2: kernel, 3: stride, 4: pad})
    (tmp_path / "net.caffemodel").write_bytes(content)
    x = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
    out = -(-(side + 2 * pad - kernel) // stride) + 1
    out -= pad > 0 and (out - 1) * stride >= side + pad
    right = np.zeros((out, out), np.float32)
    for row, column in np.ndindex(out, out):
        tops = [at * stride - pad for at in (row, column)]
        ends = [min(top + kernel, side + pad) for top in tops]
        area = (ends[0] - tops[0]) * (ends[1] - tops[1])
        window = x[max(tops[0], 0) : min(ends[0], side), max(tops[1], 0) : min(ends[1], side)]
        right[row, column] = window.sum() / area if how else window.max()
    module = _caffe_network(tmp_path / "net.caffemodel")
    np.testing.assert_allclose(module(torch.tensor(x)[None, None])[0, 0], right, rtol=1e-5, atol=1e-6)


FC = layer("fc", "InnerProduct", "data", "fc", {1: 2}, arrays(0, 2, 12))
REFUSED = [
    (layer("n", "LRN", "data", "n", {1: 5, 4: 1}), "'n' of the type LRN: it normalises within a channel"),
    (layer("n", "LRN", "data", "n", {1: 4}), "even number"),
    (layer("p", "Pooling", "data", "p", {1: 2, 2: 2}), "pools at random"),
    (layer("p", "Pooling", "data", "p", {1: 0, 2: 2, 3: 3}), "leave gaps"),
    (layer("p", "Pooling", "data", "p", {1: 0, 2: 2, 77: 1}), "setting 77 is not known"),
    (layer("b", "BNLL", "data", "b"), "of the type BNLL: such layers are not known"),
    (layer("b", "BNLL", "data", "b", old=True), "of the type number 2: such layers are not known"),
    (layer("c", "Convolution", "data", "c", {1: 8, 4: 3}, W1), "not what its settings say"),
    (layer("c", "Convolution", "data", "c", {1: 8, 4: 5, 16: 2}, W1), "axis"),
    (layer("c", "Convolution", "data", "c", {1: 8, 4: 5}), "0 arrays of weights in place of 2"),
    (layer("e", "Eltwise", "data data", "e", {1: 2}), "does not add"),
    (layer("e", "Eltwise", "data data", "e", {2: 0.5}), "setting 2 is not known"),
    (layer("j", "Concat", "data data", "j", {2: 2}), "another axis"),
    (layer("f", "InnerProduct", "data", "f", {1: 2, 6: 1}, arrays(0, 2, 3)), "another one"),
    (layer("a", "ReLU", "x", "y") + layer("b", "ReLU", "z", "w"), "several outputs"),
    (layer("a", "Eltwise", "x z", "y"), "what its layers read is not known: x, z"),
    (layer("s", "Softmax", "data", "s") + layer("r", "ReLU", "s", "r"), "not known: s"),
    (layer("r", "ReLU", "data", "a") + layer("r", "ReLU", "a", "b"), "two of its layers are called 'r'"),
    (layer("training", "ReLU", "data", "a"), "'training', or the name is reserved"),
    (layer("", "ReLU", "data", "a"), "layers without names"),
    (layer("d", "Data", "", "data"), "it has no layers"),
]


@pytest.mark.parametrize(("content", "said"), REFUSED)
def test_what_is_not_understood_is_refused(tmp_path, content, said):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(content + layer("r9", "Accuracy", "r8", "r9"))
    with pytest.raises(SceneLensError, match=said) as caught:
        build_module("caffe", 2, path)
    assert "net.caffemodel is not built" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_weights_alone_states_no_order(tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(FC)
    with pytest.raises(SceneLensError, match="names none that states its layers"):
        build_module("caffe", 2, path)
    assert type(build_module("caffenet", 2, path, width=0.125, fc=4)) is CaffeNet


def test_no_damaged_file_is_a_foreign_error(tmp_path):
    rng, good = np.random.default_rng(0), np.frombuffer(alexnet("norm", False), np.uint8)
    path = tmp_path / "net.caffemodel"
    for _ in range(150):
        data = good.copy()
        places = rng.integers(0, len(data), 3) if rng.random() < 0.5 else rng.integers(0, 400, 3)
        data[places] = rng.choice([0, 1, 2, 5, 8, 58, 127, 128, 255], 3)
        path.write_bytes(data.tobytes())
        try:
            load_weights(build_module("caffe", 4, path), path, notes=[])
        except SceneLensError as error:
            assert "net.caffemodel" in str(error)  # noqa: PT017

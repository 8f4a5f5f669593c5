"""A map equals whole forward passes of the network as it is now; where the fast way is not taken, that is
said."""

from __future__ import annotations

import contextlib
import itertools
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.utils import parametrizations, spectral_norm

from scenelens.networks.network import Network
from scenelens.networks.preprocessing import Preprocessing
from scenelens.receptive_fields.occlusion import check, occlude, plan
from scenelens.receptive_fields.occlusion.occlude import Occlusion, discrepancy_map
from scenelens.studies import open_study
from tests.receptive_fields.occlusion.random_graphs import map_by_whole_passes

PATCH = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
STRIDE = 3


@pytest.fixture(autouse=True)
def _each_sentence_anew() -> None:
    occlude._say_once.cache_clear()


@contextlib.contextmanager
def said(text: str | None):
    """A warning with some text is given, once; None for no warning at all."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
    sentences = [str(one.message) for one in found if issubclass(one.category, UserWarning)]
    sentences = [one for one in sentences if "padding='same'" not in one]  # torch's own advice
    if text is None:
        assert sentences == []
    else:
        assert len(sentences) == 1
        assert text in sentences[0]


def assert_exact(
    net: nn.Module, layer: str, text: str | None, occlusion: Occlusion | None = None
) -> np.ndarray:
    """The map is that of whole passes, and `text` is said."""
    torch.manual_seed(1)
    image = torch.randn(3, 21, 24)
    occlusion = occlusion or Occlusion(net, layer, PATCH, STRIDE)
    occlude._say_once.cache_clear()
    with said(text):
        found = occlusion.of(image, [1])[0]
        occlusion.of(image, [1])
    expected = map_by_whole_passes(net, layer, image, PATCH, STRIDE, 1, found.place)
    assert expected.max() > 0
    np.testing.assert_allclose(found.map, expected, rtol=0, atol=1e-4 * max(expected.max(), abs(found.peak)))
    return found.map


def seeded(build) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return build().eval()


def plain_network() -> nn.Module:
    return seeded(lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 5, 3, padding=1)))


class Program(nn.Module):
    """Three convolutions and a forward method."""

    def __init__(self, forward) -> None:
        super().__init__()
        self.a, self.b, self.c = (
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.Conv2d(4, 3, 1),
        )
        self.relu, self.written = nn.ReLU(inplace=True), forward
        self.register_buffer("mean", torch.zeros(()))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.written(self, x)


# ---- what is written over


def rectified_shortcut(net, x):
    x = net.a(x)
    return net.c(net.b(net.relu(x)) + x)


def second_name(net, x):
    a = net.a(x)
    old = a
    a += net.b(a)
    return net.c(torch.cat([a.relu(), old], 1)[:, :4] + old)


def added_under_another_name(net, x):
    a = net.a(x)
    same = F.dropout(a, training=False)
    a.add_(1).mul_(2)
    return net.c(net.b(a) + same)


def image_overwritten(net, x):
    image = x
    x = net.a(F.relu_(x))
    return net.c(x + net.b(x)) + image[:, :3]


def twice_the_same(net, x):
    a = net.a(x)
    b = a + a
    return net.c(net.relu(b) + net.b(b))


@pytest.mark.parametrize("forward", [rectified_shortcut, second_name, image_overwritten, twice_the_same])
def test_what_is_written_over_is_followed(forward) -> None:
    fast = forward in (rectified_shortcut, twice_the_same)
    assert_exact(seeded(lambda: Program(forward)), "c", None if fast else "not understood")


def part(net, x):
    a = net.a(x)
    first = a[:, :2]
    first.relu_()
    return net.c(net.b(a))


def halves(net, x):
    a, b = net.a(x).chunk(2, 1)
    net.relu(a)
    return net.c(torch.cat([b, a], 1))


def base(net, x):
    a = net.a(x)
    view = a.view_as(a)
    a += 1
    return net.c(view)


def copied(net, x):
    a = net.a(x)
    a[:, :, 3:].copy_(a[:, :, :-3].clone())
    return net.c(a)


def without_gradient(net, x):
    a = net.a(x)
    a.detach().mul_(-1)
    return net.c(a)


@pytest.mark.parametrize("forward", [part, halves, base, copied, without_gradient])
def test_writing_over_a_view_takes_whole_passes(forward) -> None:
    assert_exact(seeded(lambda: Program(forward)), "c", "writes over a tensor that is read again")


def assigned(net, x):
    a = net.a(x)
    a[:, :2] = 0.5
    return net.c(a)


def into_another(net, x):
    a = net.a(x)
    torch.add(a, 1, out=a)
    return net.c(a)


def put(net, x):
    a = net.a(x)
    a.index_put_((a > 0.5,), torch.tensor(0.0))
    return net.c(a)


def scaled(net, x):
    a = net.a(x)
    a *= 0.5
    return net.c(a)


@pytest.mark.parametrize("forward", [assigned, into_another, put, scaled, added_under_another_name])
def test_other_writing_is_run_whole_from_there(forward) -> None:
    assert_exact(seeded(lambda: Program(forward)), "c", "is not understood: from there on")


def test_a_layer_is_read_before_it_is_written_over() -> None:
    """A layer's value is what its module returned; what happens to the tensor later is no matter."""

    def forward(net, x):
        a = net.b(net.a(x))
        a *= 3
        return net.c(a)

    assert_exact(seeded(lambda: Program(forward)), "b", None)


def test_the_image_that_was_given_stays_as_it_was() -> None:
    image = torch.randn(3, 20, 20)
    before = image.clone()
    net = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 2, 3)).eval()
    Occlusion(net, "1", PATCH, STRIDE).of(image, [0])
    Occlusion(net, "1", PATCH, STRIDE).plainly(image, [0])
    assert torch.equal(image, before)


# ---- what intervenes


def add_hook(net):
    return net[2].register_forward_hook(lambda module, inputs, output: output * 2 - 1).remove


def add_pre_hook(net):
    return net[0].register_forward_pre_hook(lambda module, inputs: (inputs[0] * 3,)).remove


def add_hook_with_options(net):
    return (
        net[0]
        .register_forward_hook(lambda module, inputs, options, out: out.relu() + 1, with_kwargs=True)
        .remove
    )


def add_global_hook(net):
    return register_module_forward_hook(
        lambda module, inputs, out: out + 1 if module is net[0] else None
    ).remove


def add_global_pre_hook(net):
    return register_module_forward_pre_hook(
        lambda module, inputs: (inputs[0] * 2,) if module is net[0] else None
    ).remove


def switch_units_off(net):
    forward = net[0].forward
    net[0].forward = lambda x: forward(x) * torch.tensor([1.0, 0, 0, 1, 1, 1])[:, None, None]
    return lambda: net[0].__dict__.pop("forward")


def replace_method(net):
    call = net[2]._conv_forward
    net[2]._conv_forward = lambda x, weight, bias: call(x, -weight, bias)
    return lambda: net[2].__dict__.pop("_conv_forward")


INTERVENTIONS = [
    (add_hook, "has hooks"),
    (add_pre_hook, "has hooks"),
    (add_hook_with_options, "has hooks"),
    (add_global_hook, "has hooks"),
    (add_global_pre_hook, "has hooks"),
    (switch_units_off, "method forward of 0 was replaced"),
    (replace_method, "method _conv_forward of 2 was replaced"),
]


@pytest.mark.parametrize(("intervene", "text"), INTERVENTIONS)
def test_interventions_are_followed_and_so_is_their_end(intervene, text: str) -> None:
    net = plain_network()
    occlusion = Occlusion(net, "2", PATCH, STRIDE)
    first = assert_exact(net, "2", None, occlusion)
    undo = intervene(net)
    try:
        torch.manual_seed(1)
        image = torch.randn(3, 21, 24)
        with said(text):
            found = occlusion.of(image, [1])[0]
        with said(None):
            again = discrepancy_map(net, "2", 1, image, occluder=PATCH, stride=STRIDE)
        place = found.place
        expected = map_by_hand(net, image, place)
    finally:
        undo()
    np.testing.assert_allclose(found.map, expected, rtol=0, atol=1e-4 * expected.max())
    np.testing.assert_array_equal(again, found.map)
    assert not np.allclose(found.map, first)
    np.testing.assert_array_equal(assert_exact(net, "2", None, occlusion), first)


def map_by_hand(net: nn.Sequential, image: Tensor, place: tuple[int, int]) -> np.ndarray:
    """As `map_by_whole_passes`, but with the very network: copies have hooks and methods of the original."""

    def response(x: Tensor) -> float:
        with torch.no_grad():
            return float(net(x[None])[0, 1][place])

    rows, columns = (range(0, image.shape[n + 1] - PATCH.shape[n] + 1, STRIDE) for n in (0, 1))
    changed = np.zeros((len(rows), len(columns)))
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            occluded = image.clone()
            occluded[:, top : top + 5, left : left + 4] = torch.from_numpy(PATCH).permute(2, 0, 1)
            changed[i, j] = abs(response(occluded) - response(image))
    return changed


def zero_data(net):
    net[0].weight.data[:3] = 0


def add_in_place(net):
    with torch.no_grad():
        net[2].bias.add_(1)
        net[2].weight.mul_(1.5)


def new_weight(net):
    net[0].weight = nn.Parameter(net[0].weight.detach().flip(0).clone())


def swapped_module(net):
    net[1] = nn.Tanh()


def change_stride(net):
    net[2].stride = (2, 2)


@pytest.mark.parametrize("change", [zero_data, add_in_place, new_weight, swapped_module, change_stride])
def test_a_network_that_changes_is_followed(change) -> None:
    net = plain_network()
    occlusion = Occlusion(net, "2", PATCH, STRIDE)
    first = assert_exact(net, "2", None, occlusion)
    change(net)
    assert not np.array_equal(assert_exact(net, "2", None, occlusion), first)


def test_edited_code_and_attributes_are_followed() -> None:
    class Edited(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.times = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3), 1

        def helper(self, x: Tensor) -> Tensor:
            return x.relu()

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(self.times):
                x = self.helper(x)
            return self.b(self.a(x))

    net = seeded(Edited)
    occlusion = Occlusion(net, "b", PATCH, STRIDE)
    maps = [assert_exact(net, "b", None, occlusion)]
    net.times = 0
    maps.append(assert_exact(net, "b", None, occlusion))
    net.times, Edited.helper = 1, lambda self, x: x.sigmoid()
    maps.append(assert_exact(net, "b", None, occlusion))
    Edited.forward = lambda self, x: self.b(self.a(x).tanh())
    maps.append(assert_exact(net, "b", None, occlusion))
    assert all(not np.array_equal(one, other) for one, other in itertools.pairwise(maps))


@pytest.mark.parametrize(
    "build", [parametrizations.weight_norm, parametrizations.spectral_norm, spectral_norm]
)
def test_weights_that_are_computed(build) -> None:
    net = plain_network()
    net[2] = build(net[2])
    net.eval()
    assert_exact(net, "2", "has hooks" if build is spectral_norm else None)


# ---- the images of a pass, random numbers, and modes


class Alone(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / x.abs().max()


BATCHES = [
    (
        lambda: nn.BatchNorm2d(6, track_running_stats=False),
        "eval",
        "each occluded image gets a pass of its own",
    ),
    (lambda: nn.BatchNorm2d(6), "train", "each occluded image gets a pass of its own"),
    (Alone, "eval", "each occluded image gets a pass of its own"),
    (lambda: nn.InstanceNorm2d(6), "eval", "InstanceNorm2d (2) is not understood"),
    (
        lambda: nn.InstanceNorm2d(6, track_running_stats=True),
        "train",
        "InstanceNorm2d (2) changes in every pass",
    ),
    (lambda: nn.GroupNorm(2, 6), "eval", "GroupNorm (2) is not understood"),
    (lambda: nn.LayerNorm((19, 22)), "eval", "is not understood"),
    (lambda: nn.Dropout(0.5), "eval", None),
]


@pytest.mark.parametrize(("build", "mode", "text"), BATCHES)
def test_occluders_are_never_normalised_together(build, mode: str, text: str | None) -> None:
    net = seeded(lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), build(), nn.Conv2d(6, 2, 3)))
    net.train(mode == "train")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    if text == "is not understood":
        assert_exact(net, "3", None)  # what is known as whole needs no word
    else:
        assert_exact(net, "3", text.replace("(2)", "(_2)") if text else None)
    assert net.training == (mode == "train")
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


class AlwaysDropped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.dropout(self.a(x)))


class Noisy(AlwaysDropped):
    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        return self.b(x + torch.randn_like(x))


class NoisyConstant(AlwaysDropped):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x) * torch.rand(8, 1, 1))


def switched_on() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Dropout2d(0.4), nn.Conv2d(8, 2, 3))


@pytest.mark.parametrize("build", [AlwaysDropped, Noisy, NoisyConstant, switched_on])
def test_a_network_that_is_not_deterministic_says_so(build) -> None:
    """All passes get the random numbers that the first one would get; the caller's own stay untouched."""
    net = seeded(build)
    if build is switched_on:
        net[1].train()
    image = torch.randn(3, 20, 20)
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    layer = "2" if build is switched_on else "b"
    with said("is not deterministic: two passes of one image differ"):
        found = Occlusion(net, layer, PATCH, STRIDE).of(image, [0])[0]
    assert torch.equal(torch.random.get_rng_state(), state)
    occluded = image.clone()
    occluded[:, 6:11, 12:16] = torch.from_numpy(PATCH).permute(2, 0, 1)
    values = []
    for one in (image, occluded):
        torch.manual_seed(5)
        with torch.no_grad():
            values.append(float(net(one[None])[0, 0][found.place]))
    np.testing.assert_allclose(found.map[2, 4], abs(values[1] - values[0]), atol=1e-5)


def counted(net, x):
    net.calls += 1
    net.mean += 1
    return net.c(net.b(net.a(x)) * net.mean / net.calls + 0 * net.mean + net.calls)


def moving(net, x):
    x = net.a(x)
    net.mean.mul_(0.5).add_(x.mean())
    return net.c(x - net.mean)


@pytest.mark.parametrize("forward", [counted, moving])
def test_every_pass_starts_from_the_same_buffers(forward) -> None:
    net = seeded(lambda: Program(forward))
    torch.manual_seed(1)
    image = torch.randn(3, 21, 24)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = Occlusion(net, "c", PATCH, STRIDE).of(image, [1])[0]
    assert (float(net.mean), net.calls) == (0, 0)
    expected = map_by_whole_passes(net, "c", image, PATCH, STRIDE, 1, found.place)
    np.testing.assert_allclose(found.map, expected, rtol=0, atol=1e-4 * expected.max())


# ---- modules whose windows are special


class Called(nn.Module):
    """A function in front of a convolution."""

    def __init__(self, call) -> None:
        super().__init__()
        self.first, self.call, self.last = nn.Conv2d(3, 4, 3), call, nn.LazyConv2d(2, 1)
        self.last(self.call(self.first(torch.randn(1, 3, 21, 24))))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.call(self.first(x)))


class Shared(nn.Module):
    def __init__(self, kernel) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, kernel, padding="same")
        self.last = nn.Conv2d(3, 2, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.conv(self.conv(x).relu())
        return self.last(x if mask is None else x * mask)


CALLS = [
    (lambda x: F.max_pool2d(x, 3, 2, 1, 1, True), None),
    (lambda x: torch.max_pool2d(x, 3, 2, 0, 1, True), None),
    (lambda x: F.max_pool2d(x, 2, return_indices=True)[0], "not understood"),
    (lambda x: x + x[:, :1], "not understood"),
    (lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(), "not understood"),
    (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), "not understood"),
    (lambda x: F.pixel_unshuffle(x[:, :, 1:], 2), "not understood"),
    (lambda x: torch.einsum("nchw,ndhw->ncd", x, x)[..., None], "not understood"),
    (lambda x: x / x.abs().max().item(), "cannot be followed"),
    (lambda x: {"a": x.relu(), "b": x}["a"], None),
    (lambda x: x[0][None], None),
]


@pytest.mark.parametrize(("call", "text"), CALLS)
def test_functions_of_all_kinds(call, text: str | None) -> None:
    net = seeded(lambda: Called(call))
    torch.manual_seed(1)
    image = torch.randn(3, 21, 24)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        one = Occlusion(net, "last", PATCH, STRIDE).of(image, [1])[0]
    assert bool(found) == bool(text) or call is CALLS[-1][0]
    expected = map_by_whole_passes(net, "last", image, PATCH, STRIDE, 1, one.place)
    np.testing.assert_allclose(one.map, expected, rtol=0, atol=1e-4 * max(expected.max(), abs(one.peak)))


@pytest.mark.parametrize("kernel", [2, (3, 4), (4, 1), 3])
def test_padding_of_one_side_more_takes_whole_passes(kernel) -> None:
    assert_exact(
        seeded(lambda: Shared(kernel)), "last", None if kernel == 3 else "Conv2d (conv) is not understood"
    )


MODULES = [
    lambda: nn.Conv2d(6, 4, 3, padding=2, padding_mode="circular"),
    lambda: nn.Conv2d(6, 4, 3, padding=2, padding_mode="reflect", dilation=2),
    lambda: nn.ConvTranspose2d(6, 4, 3, 2, 1, 1),
    lambda: nn.Upsample(scale_factor=2),
    lambda: nn.AdaptiveAvgPool2d((19, 22)),
    lambda: nn.AdaptiveMaxPool2d((5, 4)),
    lambda: nn.MaxPool2d(3, 2, ceil_mode=True),
    lambda: nn.AvgPool2d(4, 3, 1, True, False),
    lambda: nn.Conv2d(6, 4, (1, 3), (2, 1), (0, 3), (1, 2), groups=2),
    lambda: nn.LPPool2d(2, 2),
    lambda: nn.Softmax2d(),
    lambda: nn.ReflectionPad2d((1, 2, 0, 3)),
]


@pytest.mark.parametrize("build", MODULES)
@pytest.mark.filterwarnings("ignore")
def test_modules_of_all_kinds(build) -> None:
    net = seeded(lambda: nn.Sequential(nn.Conv2d(3, 6, 3), build(), nn.LazyConv2d(2, 1)))
    net(torch.zeros(1, 3, 21, 24))
    for place in (None, (0, 0), (-1, -1)):
        torch.manual_seed(1)
        image = torch.randn(3, 21, 24)
        with torch.no_grad():
            shape = net(image[None]).shape[2:]
        place = place and (place[0] % shape[0], place[1] % shape[1])
        found = Occlusion(net, "2", PATCH, STRIDE).of(image, [1], [place])[0]
        expected = map_by_whole_passes(net, "2", image, PATCH, STRIDE, 1, found.place)
        np.testing.assert_allclose(
            found.map, expected, rtol=0, atol=1e-4 * max(expected.max(), abs(found.peak))
        )


def test_a_pooling_that_ends_beyond_the_map_finds_nothing_there() -> None:
    """A convolution's windows reach beyond the map, and a pooling with ceil_mode reads there, too."""
    net = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(3, 2, ceil_mode=True)))
    image = torch.full((3, 16, 16), -2.0)
    for unit in range(4):
        found = Occlusion(net, "1", PATCH[:4], 4).of(image, [unit], [(7, 7)])[0]
        expected = map_by_whole_passes(net, "1", image, PATCH[:4], 4, unit, (7, 7))
        np.testing.assert_allclose(found.map, expected, atol=1e-5)


class ChannelsLast(nn.Module):
    """A block whose maps have their channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.block, self.last = nn.Conv2d(3, 6, 3), nn.LayerNorm(6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.block(self.first(x).permute(0, 2, 3, 1)))


def test_maps_with_their_channels_last_take_whole_passes() -> None:
    net, image = seeded(ChannelsLast), torch.randn(3, 21, 24)
    with said("has its positions elsewhere than in its last two dimensions"):
        found = Occlusion(net, "block", PATCH, STRIDE).of(image, [5], [(3, 4)])[0]

    def response(x: Tensor) -> float:
        with torch.no_grad():
            return float(net.block(net.first(x[None]).permute(0, 2, 3, 1))[0, 3, 4, 5])

    occluded = image.clone()
    occluded[:, 3:8, 3:7] = torch.from_numpy(PATCH).permute(2, 0, 1)
    np.testing.assert_allclose(found.map[1, 1], abs(response(occluded) - response(image)), atol=1e-5)


# ---- the check


def test_a_wrong_step_is_noticed_and_said(monkeypatch) -> None:
    """Whatever the fast way gets wrong shows on a few occluders."""
    reads = plan._reads

    def wrong(step, span, axis):
        low, high = reads(step, span, axis)
        return (low, high) if step.slide is None else (low + 1, high + 1)

    monkeypatch.setattr(plan, "_reads", wrong)
    assert_exact(plain_network(), "2", "differ at layer '2'")


def test_a_fast_way_that_fails_is_noticed_and_said(monkeypatch) -> None:
    def fail(*_, **__):
        raise IndexError("no such window")

    monkeypatch.setattr("scenelens.receptive_fields.occlusion.run._Block.run", fail)
    assert_exact(plain_network(), "2", "The fast way fails at layer '2' (IndexError: no such window)")


def test_a_layer_is_checked_once_until_the_network_changes(monkeypatch) -> None:
    checks = []
    difference = check._difference
    monkeypatch.setattr(occlude, "_difference", lambda *args: (checks.append(1), difference(*args))[1])
    net, image = plain_network(), torch.randn(3, 21, 24)
    for _ in range(3):
        discrepancy_map(net, "2", 1, image, occluder=PATCH)
    assert len(checks) == 1
    discrepancy_map(net, "0", 1, image, occluder=PATCH)
    discrepancy_map(net, "2", 1, torch.randn(3, 25, 24), occluder=PATCH)
    assert len(checks) == 3
    net[0].weight.data.zero_()
    discrepancy_map(net, "2", 1, image, occluder=PATCH)
    assert len(checks) == 4


def test_a_silent_unit_is_checked_at_a_loud_one() -> None:
    original = torch.zeros(3, 4, 4)
    original[2, 1, 3] = 5
    assert check._telling(original, (0, None)) == (2, (1, 3))
    assert check._telling(original, (2, (0, 0))) == (2, (1, 3))


@pytest.mark.parametrize("layer", ["pool1", "pool2", "conv4", "pool5"])
@pytest.mark.parametrize("name", ["scene", "object"])
def test_the_networks_that_come_with_the_package_take_the_fast_way(name: str, layer: str) -> None:
    network = open_study("sceneworld").networks[name]
    image = np.random.default_rng(6).integers(0, 256, (227, 227, 3), dtype=np.uint8)
    occlusion = Occlusion(network, layer, stride=72)
    with said(None):
        found = occlusion.of(image, [3, 5])
    for one, other in zip(found, occlusion.plainly(image, [3, 5]), strict=True):
        np.testing.assert_allclose(one.map, other.map, rtol=0, atol=1e-4 * max(1, other.peak))


def test_networks_are_followed_through_their_class_too() -> None:
    module = nn.Sequential(plain_network(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Network(module, preprocessing=Preprocessing(size=(24, 24)))
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    occlusion = Occlusion(network, "0.2", np.full((5, 5, 3), 250, np.uint8))
    before = occlusion.of(image, [0, 1, 2])
    network.silence("0.0", [0, 1, 2])
    after, plain = occlusion.of(image, [0, 1, 2]), occlusion.plainly(image, [0, 1, 2])
    assert any(not np.allclose(one.map, other.map) for one, other in zip(before, after, strict=True))
    for one, other in zip(after, plain, strict=True):
        np.testing.assert_allclose(one.map, other.map, rtol=0, atol=1e-4 * max(other.peak, 1e-3))


def test_a_part_of_torchscript_takes_whole_passes_and_one_sentence() -> None:
    occlude._say_once.cache_clear()
    part = torch.jit.trace(nn.Sequential(nn.ReLU(), nn.Conv2d(4, 2, 3)), torch.zeros(1, 4, 20, 20))
    net = nn.Sequential(nn.Conv2d(3, 4, 3), part, nn.Conv2d(2, 2, 3)).eval()
    occlusion, image = Occlusion(net, "2", np.ones((5, 5, 3)), 5), torch.rand(3, 22, 22)
    with pytest.warns(UserWarning, match="The module 1 is TorchScript, whose steps cannot be seen"):
        found = occlusion.of(image, [1])[0]
    np.testing.assert_allclose(found.map, occlusion.plainly(image, [1], [found.place])[0].map, atol=1e-6)

import numpy as np
import pytest
import torch
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.networks.build import Factory, build_module
from scenelens.networks.hooks import record
from scenelens.networks.network import Network
from scenelens.networks.preprocessing import Preprocessing
from scenelens.networks.torchvision_shim import load_torchvision

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 50, 70, 3), dtype=np.uint8)


class Means(nn.Module):
    """Two classes by hand: the mean of red, the mean of blue."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 2, bias=False)
        self.head.weight.data = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])

    def forward(self, x):
        return self.head(x.mean((2, 3)))


def means(**options) -> Network:
    return Network(Means(), "means", ["red", "blue"], Preprocessing(size=(8, 8), **options))


def test_logits_by_hand():
    image = np.zeros((8, 8, 3), np.uint8) + np.array([51, 0, 255], np.uint8)
    assert means()(image)[0].tolist() == pytest.approx([0.2, 1.0])
    assert means(channels="BGR")(image)[0].tolist() == pytest.approx([1.0, 0.2])


def test_predictions_by_hand():
    image = np.zeros((8, 8, 3), np.uint8) + np.array([51, 0, 255], np.uint8)
    table = means().predict([image, image], top=5)
    assert table.predicted.tolist() == ["blue", "red"] * 2
    assert table["rank"].tolist() == [1, 2] * 2
    assert table.image.tolist() == [0, 0, 1, 1]
    assert table.probability[0] == pytest.approx(1 / (1 + np.exp(-0.8)), rel=1e-5)


def test_one_image_a_stack_and_a_list_are_the_same(tiny_network):
    stacked = tiny_network(IMAGES)
    assert torch.allclose(torch.cat([tiny_network(one) for one in IMAGES]), stacked, atol=1e-6)
    assert torch.equal(tiny_network(list(IMAGES)), stacked)
    assert torch.equal(tiny_network(tiny_network.prepare(IMAGES)), stacked)
    assert not stacked.requires_grad


def test_more_images_than_a_batch():
    images = RNG.integers(0, 256, (130, 8, 8, 3), dtype=np.uint8)
    wanted = torch.from_numpy(images[..., [0, 2]] / 255).mean((1, 2)).float()
    assert torch.allclose(means()(images), wanted, atol=1e-6)


def test_frames_are_not_framed_again():
    network = means(resize_to=16)
    frames = np.stack([network.show_input(one) for one in IMAGES])
    assert torch.equal(network.prepare(frames, framed=True), network.prepare(IMAGES))
    assert torch.equal(network.prepare(list(frames), framed=True), network.prepare(IMAGES))
    assert not torch.equal(network.prepare(frames), network.prepare(IMAGES))


def test_images_of_many_sizes(tiny_network):
    sizes = [(1, 1), (227, 227), (300, 20)]
    assert tiny_network([RNG.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]).shape == (3, 3)


def test_no_image_and_no_uint8(tiny_network):
    for empty in ([], np.zeros((0, 8, 8, 3), np.uint8)):
        with pytest.raises(SceneLensError, match="empty"):
            tiny_network(empty)
    with pytest.raises(SceneLensError, match="uint8 RGB"):
        tiny_network(IMAGES / 255)


def test_layers_shapes_and_names(tiny_network):
    assert tiny_network.layer_shape("conv2") == (32, 27, 27)
    assert tiny_network.layer_shape("fc6") == (16, 1, 1)
    assert tiny_network.main_layers() == ["pool1", "pool2", "conv3", "conv4", "pool5", "fc7"]
    assert tiny_network.module_path("norm1") == "norm1"  # not in the table, but a module all the same
    with pytest.raises(SceneLensError, match=r"no layer named 'pol5' in network 'scene'; close names: pool5"):
        tiny_network.layer_shape("pol5")


def test_receptive_fields_that_are_not_square():
    module = nn.Sequential(nn.Conv2d(3, 2, (3, 5)), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Network(module, preprocessing=Preprocessing(size=(8, 12)))
    assert network.layers.rf_size.tolist() == [(3, 5), (8, 12)]


def test_class_names_must_fit():
    with pytest.raises(SceneLensError, match="2 outputs but 3 class names"):
        Network(Means(), "means", ["a", "b", "c"], Preprocessing(size=(8, 8)))
    assert Network(Means(), preprocessing=Preprocessing(size=(8, 8))).classes == ["class 0", "class 1"]


def test_a_network_that_does_not_fit_its_input():
    with pytest.raises(SceneLensError, match=r"does not run on an input of shape \(1, 3, 8, 8\)"):
        Network(nn.Sequential(nn.Conv2d(5, 1, 1)), "odd", preprocessing=Preprocessing(size=(8, 8)))
    with pytest.raises(SceneLensError, match="one row of class scores"):
        Network(nn.Sequential(nn.Conv2d(3, 1, 1)), "map", preprocessing=Preprocessing(size=(8, 8)))


def test_architectures_by_name():
    assert type(build_module("caffenet", 3, width=1 / 8, fc=4)).__name__ == "CaffeNet"
    assert build_module("googlenet", 3).aux1 is None  # the extra heads are for training only
    with pytest.raises(SceneLensError, match="close names: resnet18"):
        build_module("resnet_18", 3)


FACTORY = """
from torch import nn
def build():
    return nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
def broken():
    return "no module"
"""


def test_factories(tmp_path):
    (tmp_path / "my_net.py").write_text(FACTORY)
    module = Factory("my_net.py:build", tmp_path).build()
    assert len(Network(module, preprocessing=Preprocessing(size=(8, 8))).classes) == 2
    for factory, sentence in [
        ("none.py:build", "existing file"),
        ("my_net.py", "existing file"),
        ("my_net.py:biuld", "close names: build"),
        ("my_net.py:broken", "returned str"),
    ]:
        with pytest.raises(SceneLensError, match=sentence):
            Factory(factory, tmp_path).build()


# ---- modules that people have


def small_vit():
    models = load_torchvision().models
    return models.VisionTransformer(32, 8, 1, 2, 16, 32, num_classes=3)


def test_an_architecture_that_states_its_size_gets_images_of_that_size():
    assert Network(small_vit()).input_size == (32, 32)
    assert Network(Means()).input_size == (227, 227)


def test_an_architecture_that_refuses_the_usual_size_gets_224_px():
    class Picky(Means):
        def forward(self, x):
            assert x.shape[2] % 32 == 0
            return super().forward(x)

    assert Network(Picky()).input_size == (224, 224)


def test_a_size_that_the_module_refuses_is_a_sentence_with_the_way_out():
    with pytest.raises(SceneLensError, match=r"Expected 32 but got 227. .*size = \[height, width\]"):
        Network(small_vit(), preprocessing=Preprocessing())


def test_compiled_modules_are_unwrapped_and_so_are_compiled_parts():
    def build():
        part = nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU())
        return nn.Sequential(nn.Conv2d(3, 4, 3), part, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2))

    plain = build()
    partly, itself = build(), build()
    partly[1] = torch.compile(partly[1])
    itself.compile()
    for module in (torch.compile(build()), partly, itself):
        network = Network(module, preprocessing=Preprocessing(size=(12, 12)))
        assert str(network.module) == str(plain)
        assert list(network.layers.layer) == ["0", "1.0", "2", "4"]
        assert network(IMAGES).shape == (3, 2)


def test_torchscript_is_refused_in_a_sentence():
    for script in (torch.jit.trace(Means(), torch.zeros(1, 3, 8, 8)), torch.jit.script(Means())):
        with pytest.raises(SceneLensError, match=r"TorchScript.*Give the module from which"):
            Network(script)


def test_a_network_with_a_part_of_torchscript_has_its_other_layers():
    part = torch.jit.script(nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU()))
    module = nn.Sequential(nn.Conv2d(3, 4, 3), part, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2))
    network = Network(module, preprocessing=Preprocessing(size=(12, 12)))
    assert list(network.layers.layer) == ["0", "2", "4"]


def test_a_network_without_layers_predicts_and_says_that_it_has_none():
    class Mean(nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    network = Network(Mean())
    assert network.layers.empty
    assert network(IMAGES).shape == (3, 3)
    for ask in (network.main_layers, network.deepest_map):
        with pytest.raises(SceneLensError, match="has no layers"):
            ask()


def test_other_precisions_run_in_single_precision():
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for other in (torch.float16, torch.bfloat16, torch.float64):
        network = Network(module.to(other), preprocessing=Preprocessing(size=(8, 8)))
        assert network(IMAGES).dtype == torch.float32


def test_silencing_a_layer_with_a_functional_activation():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn, self.fc = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(torch.relu(self.bn(self.conv(x))).mean((2, 3)))

    network = Network(Net(), preprocessing=Preprocessing(size=(8, 8)))
    nn.init.ones_(network.module.bn.bias)
    network.silence("conv", [1])
    with record(network, "conv") as acts:
        network(IMAGES)
    assert acts["conv"].amax((0, 2, 3)).tolist()[1] == 0
    assert (acts["conv"].amax((0, 2, 3))[[0, 2, 3]] > 0).all()

import hashlib
import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.networks import load_torchvision
from scenelens.networks.preprocessing import PRESETS, Preprocessing
from scenelens.studies.study import open_study
from tests.tiny_study import STUDY, write_tiny_study


def study_with(tmp_path, old: str, new: str):
    path = tmp_path / "study.toml"
    if not path.exists():
        write_tiny_study(tmp_path)
    assert old in STUDY
    path.write_text(STUDY.replace(old, new, 1))
    return open_study(path)


def test_a_seed_makes_the_same_untrained_network_every_time(tiny_study, tmp_path):
    again = open_study(write_tiny_study(tmp_path / "again"))
    assert again.networks["scene"].weights_hash == tiny_study.networks["scene"].weights_hash
    other = study_with(tmp_path / "again", "seed = 1", "seed = 5")
    assert other.networks["scene"].weights_hash != tiny_study.networks["scene"].weights_hash


def test_loading_leaves_the_random_state_alone(tiny_study):
    torch.manual_seed(7)
    wanted = torch.rand(1)
    torch.manual_seed(7)
    _ = tiny_study.networks["scene"]
    assert torch.equal(torch.rand(1), wanted)


def test_weights_classes_and_card_from_files(tiny_study, tmp_path):
    trained = tiny_study.networks["scene"].module
    folder = tmp_path / "mine"
    write_tiny_study(folder)
    save_file(
        {name: value.half() for name, value in trained.state_dict().items()}, folder / "scene.safetensors"
    )
    (folder / "scene.json").write_text(json.dumps({"classes": ["a", "b", "c"], "accuracy": 0.5}))
    network = study_with(
        folder,
        'seed = 1\nclasses = ["attic", "beach", "cave"]',
        'weights = "scene.safetensors"\nclasses = "scene.json"',
    ).networks["scene"]
    assert network.classes == ["a", "b", "c"]
    assert network.card["accuracy"] == 0.5
    assert torch.equal(network.module.conv1.weight, trained.conv1.weight.half().float())


def test_weights_of_another_width(tiny_study, tmp_path):
    write_tiny_study(tmp_path / "mine")
    save_file(tiny_study.networks["scene"].module.state_dict(), tmp_path / "mine" / "w.safetensors")
    study = study_with(
        tmp_path / "mine",
        "width = 0.125\nfc = 16\nseed = 1",
        'width = 0.25\nfc = 16\nweights = "w.safetensors"',
    )
    with pytest.raises(SceneLensError, match=r"conv1.weight is \(12, 3, 11, 11\) in the file and \(24, "):
        _ = study.networks["scene"]


def test_preprocessing(tmp_path):
    study = study_with(tmp_path, "seed = 1", 'seed = 1\npreprocessing = "caffe"')
    assert study.networks["scene"].preprocessing.channels == "BGR"
    study = study_with(
        tmp_path,
        "seed = 1",
        "seed = 1\npreprocessing = {size = 227, resize_to = 256, mean = [0.1, 0.2, 0.3]}",
    )
    how = study.networks["scene"].preprocessing
    assert (how.size, how.resize_to, how.mean) == ((227, 227), 256, (0.1, 0.2, 0.3))
    for text, sentence in [
        ('preprocessing = "caff"', "close names: caffe"),
        (
            "preprocessing = {size = 227, resize_to = 100}",
            r"\[networks.scene.preprocessing\].*smaller than the frame",
        ),
        ("preprocessing = {mean = [1]}", "three numbers"),
    ]:
        with pytest.raises(SceneLensError, match=sentence):
            _ = study_with(tmp_path, "seed = 1", f"seed = 1\n{text}").networks["scene"]
    with pytest.raises(SceneLensError, match=r"no\.npy does not exist"):
        study_with(tmp_path, "seed = 1", 'seed = 1\npreprocessing = {mean_image = "no.npy"}')


def test_torchvisions_networks_and_class_names(tmp_path):
    new = 'architecture = "squeezenet1_1"\nseed = 0\nclasses = "imagenet"\npreprocessing = "imagenet"\n'
    old = STUDY[STUDY.index('architecture = "caffenet"') : STUDY.index("[networks.object]")]
    network = study_with(tmp_path, old, new).networks["scene"]
    assert (len(network.classes), network.classes[0], network.preprocessing) == (
        1000,
        "tench",
        PRESETS["imagenet"],
    )
    assert network.input_size == (224, 224)


def test_a_number_of_classes(tmp_path):
    study = study_with(tmp_path, 'classes = ["attic", "beach", "cave"]', "classes = 4")
    assert study.networks["scene"].classes == ["class 0", "class 1", "class 2", "class 3"]


def test_an_unknown_network(tiny_study):
    with pytest.raises(SceneLensError, match=r"^the study has no network 'scenes'; close names: scene\.$"):
        _ = tiny_study.networks["scenes"]
    assert tiny_study.networks.get("untrained") is None
    assert list(tiny_study.networks) == ["scene", "object"]


def test_a_network_goes_on_without_units_that_its_file_names(tmp_path, capsys):
    path = write_tiny_study(tmp_path)
    first = open_study(path).networks["scene"]
    first.module.state_dict()["conv2.weight"][7] = float("nan")
    torch.save(first.module.state_dict(), tmp_path / "w.pth")
    plain = path.read_text().replace("seed = 1", 'weights = "w.pth"')
    path.write_text(plain)
    study = open_study(path)
    image = study.load_image(study.images.image[0])
    with pytest.raises(SceneLensError, match=r"silence\('conv2', \[7\]\)"):
        study.networks["scene"].predict(image)
    assert "conv2.weight in units [7]" in capsys.readouterr().err
    path.write_text(plain.replace('weights = "w.pth"', 'weights = "w.pth"\nsilence = { conv2 = [7] }'))
    study = open_study(path)
    assert np.isfinite(study.networks["scene"].predict(image).probability).all()
    assert len(study.index("scene").top_images("pool5", 0)) == 20


@pytest.mark.parametrize(
    "value", ["3", "{ conv2 = 7 }", '{ conv2 = ["a"] }', "{ conv2 = [9999] }", "{ x = [0] }"]
)
def test_units_to_silence_that_make_no_sense_are_one_sentence(tmp_path, value):
    path = write_tiny_study(tmp_path)
    path.write_text(path.read_text().replace("seed = 1", f"seed = 1\nsilence = {value}"))
    with pytest.raises(SceneLensError, match=r"line \d+, \[networks\.scene\]: "):
        open_study(path).networks["scene"]


# ---- which networks a study has


@pytest.mark.parametrize(
    ("names", "compared"),
    [
        (("untrained", "object", "scene"), ["scene", "object"]),
        (("object", "untrained"), ["object"]),
        (("places", "scene"), ["scene", "places"]),
        (("mine",), ["mine"]),
        (("untrained",), ["untrained"]),
    ],
)
def test_the_networks_that_are_compared(tmp_path, names, compared):
    path = write_tiny_study(tmp_path)
    tables = STUDY[STUDY.index("[networks.scene]") : STUDY.index("[[images]]")]
    own = tables[: tables.index("[networks.object]")]
    more = "".join(own.replace("scene", name) for name in names)
    path.write_text(STUDY.replace(tables, more))
    networks = open_study(path).networks
    assert networks.compared == compared
    assert networks.main == compared[0]


@pytest.mark.parametrize("name", ["object", "untrained"])
def test_a_network_that_the_study_could_have(tmp_path, name):
    path = write_tiny_study(tmp_path)
    second = STUDY[STUDY.index("[networks.object]") : STUDY.index("[[images]]")]
    path.write_text(STUDY.replace(second, ""))
    networks = open_study(path).networks
    sentence = rf"no network '{name}' \(only scene\): a table \[networks\.{name}\] in study\.toml"
    with pytest.raises(CannotAnswerError, match=sentence):
        _ = networks[name]
    assert networks.get(name) is None
    with pytest.raises(CannotAnswerError, match=sentence):
        open_study(path).layer_row(name, "conv1")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            'architecture = "caffenet"\nwidth = 0.125\nfc = 16\nseed = 3\nclasses = 7',
            "of the same architecture",
        ),
        (
            'architecture = "caffenet"\nwidth = 0.25\nfc = 16\nseed = 3\nclasses = 3',
            "of another architecture",
        ),
        (
            'architecture = "squeezenet1_1"\nseed = 3\nclasses = 3',
            "another architecture (SqueezeNet, while the",
        ),
    ],
)
def test_what_the_untrained_network_is(tmp_path, table, said):
    path = write_tiny_study(tmp_path)
    path.write_text(STUDY.replace("[[images]]", f"[networks.untrained]\n{table}\n\n[[images]]", 1))
    assert said in open_study(path).networks.control_text()


# ---- preprocessing that the file does not give, and networks of timm


def with_network(tmp_path, lines: str):
    old = STUDY[STUDY.index('architecture = "caffenet"') : STUDY.index("[networks.object]")]
    return study_with(tmp_path, old, lines + "\n").networks["scene"]


@pytest.mark.parametrize(
    ("architecture", "size", "to", "interpolation"),
    [
        ("resnet18", 224, 256, "bilinear"),
        ("swin_t", 224, 232, "bicubic"),
        ("inception_v3", 299, 342, "bilinear"),
        ("timm:resnet10t", 176, 201, "bicubic"),
        ("timm:mobilenetv3_small_050", 224, 256, "bicubic"),
    ],
)
def test_a_network_has_the_preprocessing_of_its_published_weights(
    tmp_path, architecture, size, to, interpolation
):
    if architecture.startswith("timm:"):
        pytest.importorskip("huggingface_hub")
    network = with_network(tmp_path, f'architecture = "{architecture}"\nseed = 0\nclasses = 4')
    how = network.preprocessing
    assert (how.size, how.resize, how.resize_to) == ((size, size), "short side", to)
    assert how.interpolation == interpolation
    assert network.predict(np.zeros((300, 400, 3), np.uint8), top=1).shape == (1, 4)
    assert "preprocessing is not given; assumed: short side to" in network.notes[0]


def test_torchvisions_own_files_tell_which_weights_they_are():
    for name, to in (("resnet50-0676ba61.pth", 256), ("a/b/resnet50-11ad3fa6.pth", 232), ("mine.pth", 256)):
        how, which = Preprocessing.of_torchvision("resnet50", name)
        assert how.resize_to == to
        assert ("assumed" in which) is (name == "mine.pth")


def test_timms_frames_are_those_of_its_own_transform():
    load_torchvision()
    timm = pytest.importorskip("timm")
    from timm.data import create_transform, resolve_model_data_config

    photograph = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    for name in ("mobilenetv3_small_050", "test_vit"):
        module = timm.create_model(name)
        how = Preprocessing.of_timm(module.pretrained_cfg)
        theirs = create_transform(**resolve_model_data_config(module))(Image.fromarray(photograph))
        ours = how.tensor(how.frame(photograph)[None])[0]
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_timms_names_and_weights(tmp_path, monkeypatch):
    load_torchvision()
    timm = pytest.importorskip("timm")
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("something is downloaded"))
    torch.manual_seed(1)
    stored = timm.create_model("mobilenetv3_small_050", num_classes=4)
    write_tiny_study(tmp_path, 1)
    torch.save({"state_dict_ema": {f"module.{k}": v.half() for k, v in stored.state_dict().items()}},
               tmp_path / "w.pth")  # fmt: skip
    network = with_network(
        tmp_path, 'architecture = "timm:mobilenetv3_small_050"\nweights = "w.pth"\nclasses = 4'
    )
    assert torch.equal(network.module.classifier.weight, stored.classifier.weight.half().float())
    assert "'state_dict_ema' was read; module. was taken off its names" in network.notes[-1]
    for name in ("timm:mobilenetv3_smal", "timm:hf_hub:timm/resnet10t", "timm:hf-hub:a/b", "timm:"):
        with pytest.raises(SceneLensError, match=r"line 4, \[networks\.scene\]: timm has no architecture"):
            with_network(tmp_path, f'architecture = "{name}"\nseed = 0\nclasses = 4')


def test_without_timm_one_sentence_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        SceneLensError, match=r"needs timm, .* run .venv/bin/python -m pip install .*\[timm\]"
    ):
        with_network(tmp_path, 'architecture = "timm:resnet18"\nseed = 0\nclasses = 4')


def test_a_named_preprocessing_that_does_not_fit_is_one_sentence(tmp_path):
    write_tiny_study(tmp_path, 1)
    for lines in (
        'architecture = "resnet18"\nseed = 0\nclasses = 4\npreprocessing = "timm"',
        'architecture = "caffenet"\nwidth = 0.125\nfc = 4\nseed = 0\nclasses = 4\n'
        'preprocessing = "torchvision"',
    ):
        with pytest.raises(
            SceneLensError, match=r"\[networks\.scene\]: preprocessing = '(timm|torchvision)'"
        ):
            with_network(tmp_path, lines)


BASE = """
import torch
from torch import nn
def base():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 9, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
def build():
    return """


def with_factory(tmp_path, monkeypatch, made: str, more: str = ""):
    (tmp_path / "own.py").write_text(BASE + made)
    digest = hashlib.sha256((tmp_path / "own.py").read_bytes()).hexdigest()
    monkeypatch.setenv("SCENELENS_TRUST", digest)
    return with_network(tmp_path, f'factory = "own.py:build"\n{more}')


@pytest.mark.parametrize(
    "made",
    ["torch.compile(base())", "nn.DataParallel(base())", "torch.optim.swa_utils.AveragedModel(base())",
     "torch.compile(nn.DataParallel(torch.compile(base())))", "base().half()", "base().bfloat16()"],
)  # fmt: skip
def test_what_is_wrapped_around_a_module_is_taken_off(tmp_path, monkeypatch, made):
    plain = with_factory(tmp_path, monkeypatch, "base()")
    torch.save(
        {f"module.{key}": value for key, value in plain.module.state_dict().items()}, tmp_path / "w.pth"
    )
    network = with_factory(tmp_path, monkeypatch, made, 'weights = "w.pth"')
    assert type(network.module) is torch.nn.Sequential
    assert list(network.layers.layer) == ["0", "2", "4"]
    images = np.random.default_rng(0).integers(0, 256, (2, 30, 30, 3), np.uint8)
    torch.testing.assert_close(network(images), plain(images), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("torch.jit.script(base())", "is TorchScript"),
        ("torch.jit.trace(base().eval(), torch.zeros(1, 3, 30, 30))", "is TorchScript"),
        ("torch.export.export(base().eval(), (torch.zeros(1, 3, 30, 30),)).module()", "cannot be evaluated"),
        ("torch.ao.quantization.quantize_dynamic(base(), {nn.Linear}, torch.qint8)", "quantised module"),
        ("base().state_dict()", "not a torch module"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_modules_whose_layers_cannot_be_watched_are_one_sentence(tmp_path, monkeypatch, made, said):
    with pytest.raises(SceneLensError, match=said):
        with_factory(tmp_path, monkeypatch, made)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ("5", r"\[networks\.scene\]: classes = 5, but its outputs are 3"),
        ('["a", "b"]', "has 3 outputs but 2 class names"),
        ('"imagenet"', "has 3 outputs but 1000 class names"),
    ],
)
def test_classes_that_the_network_does_not_have_are_said_with_both_numbers(
    tmp_path, monkeypatch, classes, said
):
    with pytest.raises(SceneLensError, match=said):
        with_factory(tmp_path, monkeypatch, "base()", f"classes = {classes}")


def test_a_network_of_double_precision_runs_in_single_precision(tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(
        "from torch import nn\ndef build():\n    return nn.Sequential(nn.Conv2d(3, 4, 9, 8), nn.ReLU(), "
        "nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).double()\n"
    )
    digest = hashlib.sha256((tmp_path / "own.py").read_bytes()).hexdigest()
    monkeypatch.setenv("SCENELENS_TRUST", digest)
    network = with_network(tmp_path, 'factory = "own.py:build"')
    assert network(np.zeros((1, 30, 30, 3), np.uint8)).dtype == torch.float32
    assert "float64 became float32" in network.notes[-1]


def test_weights_that_are_not_finite_are_named_with_their_network(tmp_path, capsys):
    path = write_tiny_study(tmp_path, 1)
    module = open_study(path).networks["scene"].module
    module.conv3.bias.data[4] = torch.nan
    torch.save({"model": module.state_dict()}, tmp_path / "w.pth")
    path.write_text(path.read_text().replace("seed = 1", 'weights = "w.pth"'))
    network = open_study(path).networks["scene"]
    said = capsys.readouterr().err
    assert said.count("not finite") == 1
    assert "network 'scene'" in said
    assert "conv3.bias in units [4]" in said
    assert "not finite" in network.notes[-1]

import subprocess
import sys

import torch

from scenelens.networks import torchvision_shim


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_torchvision_imports_and_its_networks_run():
    network = torchvision_shim.load_torchvision().models.squeezenet1_1(num_classes=5).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 5)


def test_transforms_and_feature_extraction_import():
    from torchvision.models.feature_extraction import get_graph_node_names
    from torchvision.transforms import v2

    assert callable(v2.Resize)
    assert callable(get_graph_node_names)


def test_it_does_nothing_once_torchvision_is_there():
    torchvision_shim.load_torchvision()
    before = torchvision_shim._library
    torchvision_shim.load_torchvision()
    assert torchvision_shim._library is before


def test_it_does_nothing_where_torchvision_is_whole(tmp_path):
    # A stand-in for a whole torchvision: loading its compiled library declares the operators.
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").touch()
    (tmp_path / "torchvision" / "_C.so").touch()
    code = f"""
import sys, torch
sys.path.insert(0, {str(tmp_path)!r})
def load(path):
    load.library = torch.library.Library("torchvision", "DEF")
    load.library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
torch.ops.load_library = load
from scenelens.networks import torchvision_shim
found = torchvision_shim.load_torchvision()
print(torchvision_shim._library is not None, found.__file__.startswith({str(tmp_path)!r}))
"""
    assert _python(code) == "False True"


def test_it_mends_a_broken_one():
    code = """
import torch
def broken(path):
    raise OSError("undefined symbol")
torch.ops.load_library = broken
from scenelens.networks import torchvision_shim
found = torchvision_shim.load_torchvision()
print(torchvision_shim._library is not None, found.__name__)
"""
    whole = torchvision_shim._compiled_operators_load() and torchvision_shim._library is None
    if not whole:  # with a whole torchvision the real library would declare the operators a second time
        assert _python(code) == "True torchvision"

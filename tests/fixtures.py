"""What any test may ask for: a tiny network, a tiny study, and the real study where it is at hand.

`conftest.py` hands it to the processes that run tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.network import Network
from scenelens.studies.study import Study, open_study
from scenelens.unit_semantics.sources import LabelSet, dissected_labels, released_answers
from tests.requirements_gate import require_real
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="session")
def tiny_network() -> Network:
    """A CaffeNet with an eighth of the channels, seeded random weights and three classes; do not change
    it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Network(CaffeNet(3, width=1 / 8, fc=16), "scene", ["attic", "beach", "cave"])


@pytest.fixture
def tiny_study(tmp_path: Path) -> Study:
    """Two tiny networks ('scene', 'object'), 12 scene-centric and 8 object-centric pictures, a cache of its
    own."""
    return open_study(write_tiny_study(tmp_path / "tiny"))


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real photographs and networks beside the checkout; skips where it is missing."""
    return require_real()


@pytest.fixture(scope="session")
def real_study(real: Path) -> Study:
    """tests/real/study.toml, opened."""
    return open_study(Path(__file__).parent / "real" / "study.toml")


@pytest.fixture(scope="session")
def released() -> LabelSet:
    """The paper's released answers, which come with the package."""
    return released_answers()


@pytest.fixture(scope="session")
def dissected() -> LabelSet:
    """Network Dissection's labels of the paper's units, which come with the package."""
    return dissected_labels()

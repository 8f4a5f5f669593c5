"""The embedded study, and a study of a reader's own."""

from __future__ import annotations

import pytest

from scenelens.studies import open_study
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="session")
def embedded():
    return open_study("sceneworld")


@pytest.fixture
def tiny(tmp_path):
    return open_study(write_tiny_study(tmp_path / "tiny", per_category=1))

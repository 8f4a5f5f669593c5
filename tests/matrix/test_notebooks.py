"""All notebooks run on studies of every shape, and say nothing that is not so."""

import pytest

from tests.matrix.checks import name_of, run_on
from tests.matrix.cover import pairwise


@pytest.mark.slow
@pytest.mark.parametrize("case", pairwise(), ids=name_of)
def test_all_notebooks_run(case, tmp_path, monkeypatch):
    assert run_on(case, tmp_path, monkeypatch) == []

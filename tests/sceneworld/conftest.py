"""The renderer is compiled once for all tests, on all cores, whichever process comes first."""

import filelock
import pytest

from scenelens.sceneworld.compiling import compile_kernels


@pytest.fixture(scope="session", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    with filelock.FileLock(tmp_path_factory.getbasetemp().parent / "compiling.lock"):
        compile_kernels(2)

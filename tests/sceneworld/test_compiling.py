"""Kernels that several processes compile in advance are those that pictures call."""

import pytest

from scenelens.sceneworld import compiling
from scenelens.sceneworld.scenes import compose_scene
from scenelens.sceneworld.studio import studio_picture


@pytest.fixture(scope="module", autouse=True)
def pictures():
    compose_scene("bedroom", 0)
    studio_picture("lamp/floor", 1)


@pytest.mark.parametrize("kernel", compiling._KERNELS, ids=lambda one: one[0].__name__)
def test_pictures_call_it_with_the_types_it_is_compiled_for(kernel):
    function, types = kernel
    assert types in function.signatures


def test_several_processes_leave_all_kernels_in_the_cache(monkeypatch):
    done = []
    monkeypatch.setattr(compiling, "_compile", done.append)
    compiling.compile_kernels(1)  # nothing to share out
    assert not done
    monkeypatch.undo()
    compiling.compile_kernels(2)  # raises what a process raises

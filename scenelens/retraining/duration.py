"""How long the plan takes: measured on a few pictures and on steps of a training, before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import torch
from torch import nn

from scenelens.networks import CaffeNet
from scenelens.processes import cores
from scenelens.retraining.plan import _Run
from scenelens.sceneworld import SceneWorld, read_world, render_scene, scene_categories

#: Of the recipe: pictures that a network is trained and tested on, how many it is shown, and how many at a
#: time.
_PICTURES, _SHOWN, _BATCH = 18_000, 112_000, 64
#: Seconds in which one network is measured on two cores: the forward passes, detectors and localization.
_MEASURING = 100.0
_REST = 1.4  # for what the sampled steps leave out: reading and shifting pictures, the optimizer, the average
_SAMPLE = 240  # pictures for the share that an edit changes


def _expected_seconds(
    missing: Sequence[_Run], of_each: int = _PICTURES, shown: int = _SHOWN, has_unchanged: bool = False
) -> float:
    """The time in which some networks are trained and measured here.

    Parameters
    ----------
    missing : sequence of _Run
        The networks.
    of_each : int, optional
        The pictures that a network is trained and tested on (default: those of the plan's recipe).
    shown : int, optional
        How many pictures it is shown, each time counted.
    has_unchanged : bool, optional
        Whether the pictures of the unchanged world lie there already (default False).

    Returns
    -------
    float
        Seconds.
    """
    worlds = {run.world: _share_rendered(run.world) for run in missing}
    unchanged = worlds.pop(read_world(), 1.0)  # edited worlds take most of their pictures from it
    pictures = of_each * (sum(worlds.values()) + (0 if has_unchanged else unchanged))
    rendering = pictures * _seconds_per_picture() / cores()
    training = len(missing) * shown / _BATCH * _seconds_per_step() * _REST
    return rendering + training + len(missing) * _MEASURING


def _share_rendered(world: SceneWorld) -> float:
    """Share of a world's pictures that must be rendered: the others are copies of the unchanged world's."""
    if not world.edits:
        return 1.0
    names = scene_categories()
    same = sum(world.draws_as_shipped(names[i % len(names)], i) for i in range(_SAMPLE))
    return 1 - same / _SAMPLE


def _seconds_per_picture() -> float:
    names = scene_categories()
    for name in (names[0], names[-1]):
        render_scene(name, 0)  # compiles, which must not count
    start = perf_counter()
    for i, name in enumerate(names[::4]):
        render_scene(name, i)
    return (perf_counter() - start) / len(names[::4])


def _seconds_per_step() -> float:
    """Time of one forward and backward pass at a quarter of the width."""
    model = CaffeNet(len(scene_categories()), width=0.25, fc=512, batch_norm=True)
    model.norm1, model.norm2 = nn.Identity(), nn.Identity()
    model = model.to(memory_format=torch.channels_last)
    images = torch.randn(_BATCH, 3, 227, 227).contiguous(memory_format=torch.channels_last)
    seconds = []
    for _ in range(3):
        start = perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(images).float().logsumexp(1).mean()
        loss.backward()
        seconds.append(perf_counter() - start)
    return min(seconds)  # the first prepares its kernels

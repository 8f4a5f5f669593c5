"""Where things go out of doors: at the distance where they are as large as is good to look at.

Each function tries places for one thing and says whether it found one.
"""

from __future__ import annotations

from scenelens.sceneworld.layout import Layout, Round, Thing, try_place
from scenelens.sceneworld.stages import Stage

__all__ = ["far_away", "in_sky", "on_ground", "on_water"]

VEHICLES = ("car", "truck", "bus", "boat", "bicycle")
TURNS = {"fence": 12.0, "train": 9.0, "airplane": 20.0, "bus": 18.0}  # degrees, where 32 would be too much


def _stand(layout: Layout, thing: Thing, r: Round, shares: tuple[float, float], nearest: float, afloat: bool = False) -> bool:
    """Where the thing takes such a share of the picture; the foreground fills up, so later tries go farther."""
    stage, rng, (width, height, depth) = layout.stage, layout.rng, (r.scale * side for side in thing.size)
    nearest = max(nearest, stage.nearest + depth / 2)
    turn = TURNS.get(thing.name, 32.0 if nearest < 8 else 16.0)
    for i in range(r.tries):
        away = max(height, 0.75 * width) * stage.focal / (rng.uniform(*shares) * 227)
        away = max(nearest, away) * rng.uniform(1.0, 1.2 + (1.3 + 0.6 * (r.scale < 1)) * i / r.tries)
        z = min(_ashore(stage, away, depth, nearest) if not afloat else _afloat(stage, away, depth), 58.0)
        x = rng.uniform(-0.5, 0.5) * stage.camera.width_at(z) * 0.92
        ry = rng.gauss(0, turn) + (180 if thing.name in VEHICLES and rng.random() < 0.5 else 0)
        if try_place(layout, thing, r, (x, 0.0, z), ry, r.scale):
            return True
    return False


def _ashore(stage: Stage, z: float, depth: float, nearest: float) -> float:
    """A distance outside the water: the near bank if it is nearer and far enough from the viewer, or the far one."""
    if stage.water is None or not stage.water[0] - depth / 2 < z < stage.water[1] + depth / 2:
        return z
    near, far = stage.water[0] - depth / 2 - 0.3, stage.water[1] + depth / 2 + 0.5
    return near if near >= nearest and near > 0.7 * z else far + 0.3 * (z - stage.water[0])


def _afloat(stage: Stage, z: float, depth: float) -> float:
    """A distance on the water where there is some; boats are drawn up on land elsewhere."""
    return min(max(z, stage.water[0] + depth / 2 + 0.3), stage.water[1] - depth / 2) if stage.water else z


def on_ground(layout: Layout, thing: Thing, r: Round) -> bool:
    """Standing on land, the small near and the big far."""
    extent = max(thing.size[1], 0.75 * thing.size[0])
    shares = (0.09, 0.22) if extent < 1.0 else (0.18, 0.42) if extent < 2.2 else (0.30, 0.60)
    shares = (0.42, 0.72) if extent > 6 else shares  # trains, buses and airplanes: long, so they may be near
    return _stand(layout, thing, r, shares, 3.2)


def far_away(layout: Layout, thing: Thing, r: Round) -> bool:
    """A building, standing far enough away to be seen whole."""
    return _stand(layout, thing, r, (0.36, 0.68), 8.0)


def on_water(layout: Layout, thing: Thing, r: Round) -> bool:
    """Afloat where there is water, else drawn up on land."""
    return _stand(layout, thing, r, (0.18, 0.5), 4.0, afloat=True)


def in_sky(layout: Layout, thing: Thing, r: Round) -> bool:
    """In the air, above the horizon."""
    stage, rng = layout.stage, layout.rng
    for _ in range(r.tries):
        z = max(10.0, thing.size[1] * stage.focal / (rng.uniform(0.12, 0.3) * 227))
        x = rng.uniform(-0.45, 0.45) * stage.camera.width_at(z)
        y = stage.camera.eye[1] + rng.uniform(0.1, 0.32) * stage.camera.width_at(z)
        if try_place(layout, thing, r, (x, y, z), rng.gauss(0, 30), r.scale, stands=False):
            return True
    return False

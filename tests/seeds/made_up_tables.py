"""Tables of made-up trainings whose numbers a reader can compute by hand."""

from __future__ import annotations

from pathlib import Path

from scenelens.seeds.tables import SeedTables, _write_seeds, read_seeds

SCENE, OBJECT = (0.50, 0.52, 0.54, 0.56, 0.58), (0.20, 0.22, 0.24, 0.26, 0.28)


def rows(n: int = 5) -> dict[str, list[dict]]:
    """Rows of `n` trainings of each kind: 50 to 58 detectors of 100 units against 20 to 28 at pool5."""
    made: dict[str, list[dict]] = {"networks": [], "layers": [], "fields": [], "objects": [], "seen": []}
    for seed in range(n):
        for network, shares in (("scene", SCENE), ("object", OBJECT), ("untrained", (0.02,) * 5)):
            who = {"network": network, "seed": seed}
            found = round(100 * shares[seed])
            made["networks"].append(
                who
                | {
                    "held_out": 200,
                    "held_out_right": 150,
                    "images": 1000,
                    "right": round(1000 * shares[seed]),
                }
                | {
                    "layer": "pool5",
                    "units": 100,
                    "detectors": found,
                    "by_category": 2.5,
                    "objects": 9,
                    "mean_iou": 0.05,
                }
                | {"ap": shares[seed] / 2, "ap_chance": 0.09, "ap_objects": 40, "ap_images": 500}
                | {"boxes": 1000, "boxes_right": 10 * found, "deep_boxes": 100, "deep_boxes_right": found}
                | {"r_frequency": -0.1, "r_informativeness": shares[seed], "r_objects": 97}
            )
            for depth, layer in enumerate(("pool1", "pool5", "fc7")):
                own = {"depth": depth, "layer": layer, "object_centric": 0.5, "top": 100, "chance": 0.5}
                if layer == "fc7":
                    own["object_centric"] = 0.0 if network == "scene" else 1.0
                else:
                    own |= {"units": 100, "detectors": found if layer == "pool5" else 0}
                made["layers"].append(who | own)
            if network != "untrained":
                size = {"theoretical": 195, "mean": 40 + 100 * shares[seed], "sd": 4.0, "n": 8, "units": 100}
                made["fields"].append(who | {"depth": 1, "layer": "pool5"} | size)
            made["objects"].append(who | {"object": "bed", "units": 3})
    return made


def seen_rows() -> list[dict]:
    """One training of each kind at four points."""
    return [
        {"network": network, "seed": 0, "seen": seen, "held_out": 200, "held_out_right": 100 + 20 * k}
        | {"images": 100, "right": 40 + 10 * k, "layer": "pool5", "units": 64, "detectors": found[k]}
        | {"by_category": 1.5}
        | {"objects": 5, "mean_iou": 0.03, "ap": 0.1 + 0.02 * k, "ap_chance": 0.09, "ap_objects": 40}
        | {"ap_images": 500, "boxes": 200, "boxes_right": 20, "deep_boxes": 10, "deep_boxes_right": 5}
        for network, found in (("scene", (3, 9, 20, 40)), ("object", (2, 4, 9, 10)))
        for k, seen in enumerate((1000, 4000, 16000, 64000))
    ]


def made_up(folder: Path, n: int = 5, seen: bool = True, width: float = 0.25) -> SeedTables:
    """The tables as they are read from files."""
    made = rows(n) | {"seen": seen_rows() if seen else []}
    _write_seeds(made, {"study": "sceneworld", "seeds": {"recipe": {"width": width}}}, folder)
    return read_seeds(folder)

"""What a study's preparation costs, stage by stage: python -m benchmarks.prepare_study

SceneWorld is rendered anew, smaller, and everything that notebooks share is made from empty caches: the index
of each of its three networks, the table of objects, the labels, and the localizers. Each stage's seconds and
processor seconds are compared with those of the bare forward passes of the three networks over the same
images, which are decoded before. Then the parts that can be wanted alone are made alone: an index, and the
labels of networks whose index is there. The passes take turns with the stages, several times, and medians of
the ratios are shown. Writes build/bench/prepare_study.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch

from scenelens.installation import HERE
from scenelens.localization import open_localizers
from scenelens.progress import BATCH
from scenelens.studies import Study, open_study

OUT = Path(__file__).parents[1] / "build" / "bench"
EVERYTHING, LABELS, INDEX = 1.6, 1.3, 1.15  # times the bare forward passes: the goals


def write_study(folder: Path, n_images: int) -> Path:
    """SceneWorld's study.toml with fewer images, and with its folders in `folder`."""
    text = (HERE.data / "studies" / "sceneworld.toml").read_text(encoding="utf-8")
    text = text.replace('"../sceneworld/', f'"{HERE.data / "sceneworld"}/')
    text = text.replace("{build}", str(folder))
    text = text.replace("= 2000", f"= {n_images // 2}")
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


def ready(path: Path) -> Study:
    """The study, opened anew, with its networks loaded and analysed, and its images listed."""
    study = open_study(path)
    for network in study.networks.values():
        _ = network.layers, network.weights_hash
    _ = study.images, study.annotations
    return study


def decoded(study: Study) -> dict[str, list[torch.Tensor]]:
    """Every network's input in batches. Networks of one preprocessing share it."""
    found: dict[str, list[torch.Tensor]] = {}
    made: dict[str, list[torch.Tensor]] = {}
    for name, network in study.networks.items():
        key = network.preprocessing.key_text()
        if key not in made:
            images = [study.load_image(image) for image in study.images["image"]]
            made[key] = list(network.prepare(images).split(BATCH))
        found[name] = made[key]
    return found


def bare(study: Study, batches: dict[str, list[torch.Tensor]]) -> None:
    """The forward passes of all networks, and nothing else."""
    with torch.no_grad():
        for name, network in study.networks.items():
            for batch in batches[name]:
                network.module(batch)


def timed(way: Callable[[], object]) -> dict[str, float]:
    """Seconds by the clock, and of processor time, of this process and those that it started."""
    clock, before = time.perf_counter(), os.times()
    way()
    after = os.times()
    return {"clock": time.perf_counter() - clock, "processor": sum(after[:4]) - sum(before[:4])}


def stages(path: Path, batches: dict[str, list[torch.Tensor]]) -> list[dict[str, object]]:
    """One turn: everything from empty caches, then the parts that are wanted alone."""
    study = ready(path)
    shutil.rmtree(study.cache, ignore_errors=True)
    names, rows = list(study.networks), []

    def note(stage: str, way: Callable[[], object]) -> None:
        rows.append({"stage": stage, **timed(way)})

    note("bare", lambda: bare(study, batches))
    with study.maps_kept():
        note("index", lambda: [study.index(name) for name in names])
        note("annotations", lambda: study.need_annotations().objects())
        note("labels", lambda: study.labels_of_networks(names))
        note("localization", lambda: open_localizers(study, progress=False))
    everything = [row for row in rows if row["stage"] != "bare"]
    total = {how: sum(float(str(row[how])) for row in everything) for how in ("clock", "processor")}
    rows.append({"stage": "everything", **total})
    shutil.rmtree(study.cache / "labels")
    again = ready(path)
    note("labels alone", lambda: again.labels_of_networks(names))
    shutil.rmtree(study.cache / "index")
    again = ready(path)
    note("index alone", lambda: [again.index(name) for name in names])
    note("bare", lambda: bare(study, batches))
    return rows


def measure(n_images: int, rounds: int) -> pd.DataFrame:
    """One row per turn and stage: turn, stage, clock, processor (seconds)."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        path = write_study(Path(folder), n_images)
        rendering = {"turn": 0, "stage": "render", **timed(open_study(path).prepare)}
        study = ready(path)
        batches = decoded(study)
        stages(path, {name: few[:1] for name, few in batches.items()})  # kernels are compiled, files are warm
        found = [{"turn": turn, **row} for turn in range(rounds) for row in stages(path, batches)]
    return pd.DataFrame([rendering, *found])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"about {0.15 * options.images * (options.rounds + 1):.0f} s on two cores")
    turns = measure(options.images, options.rounds)
    table = turns.groupby(["turn", "stage"], sort=False)[["clock", "processor"]].mean()
    passes = table.xs("bare", level="stage")
    shares = table.div(passes).drop(index="render", level="stage").groupby("stage", sort=False).median()
    seconds = table.groupby("stage", sort=False).median()
    print(f"SceneWorld, {options.images} images, {torch.get_num_threads()} threads; median seconds")
    print(seconds.join(shares, rsuffix=" / bare").round(2).to_string(na_rep=""))
    goals = {"everything": EVERYTHING, "labels alone": LABELS, "index alone": INDEX}
    for stage, goal in goals.items():
        by = ", ".join(f"{shares[how][stage]:.2f} by {how}" for how in shares)
        print(f"{stage} / bare forward passes: {by} (wanted: at most {goal})")
    found = {"images": options.images, "shares": shares.to_dict("index"), "goals": goals}
    found |= {"turns": turns.to_dict("records"), "threads": torch.get_num_threads()}
    found |= {"cpus": os.cpu_count(), "torch": torch.__version__}
    (OUT / "prepare_study.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

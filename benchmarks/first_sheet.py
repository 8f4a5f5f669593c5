"""How long a reader waits for a first sheet of top images: python -m benchmarks.first_sheet

Each run is a new process. It imports scenelens, opens the study, finds the images with a unit's highest
activations and draws them as a sheet, as the first cells of a notebook do. All caches are there: the first
run, which makes them, is not counted. Writes build/bench/first_sheet.json.

--against CHECKOUT measures another version of the package in turn with this one. --imports adds the libraries
whose imports take longest, from one more run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

from benchmarks.workbook import machine

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "bench"
WITHIN = 1.5  # seconds: the goal
CHILD = """
import json, resource, sys, time
marks = [time.perf_counter()]
import scenelens as sl
study = sl.open_study(sys.argv[1])
marks.append(time.perf_counter())
network = study.networks.main
index = study.index(network)
marks.append(time.perf_counter())
layer = sl.deepest_map_layer(study.networks[network])
top = index.top_images(layer, 17, 9)
marks.append(time.perf_counter())
sl.unit_sheet(study, network, layer, 17)._repr_mimebundle_()
marks.append(time.perf_counter())
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([b - a for a, b in zip(marks, marks[1:])] + [used.ru_utime + used.ru_stime]))
"""
STEPS = ["import, open", "index", "top images", "sheet", "processor"]


def run(checkout: Path, study: str, *options: str) -> tuple[list[float], str]:
    """Seconds of each step of one run by the clock, of processor time in all; and what it said on stderr."""
    env = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
    command = [sys.executable, *options, "-c", CHILD, study]
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def measure(checkouts: list[Path], study: str, rounds: int) -> dict[str, pd.DataFrame]:
    """One row per run, one column per step, for each checkout; they take turns."""
    rows: dict[str, list[list[float]]] = {str(one): [] for one in checkouts}
    for turn in range(rounds + 1):
        for one in checkouts:
            seconds, _ = run(one, study)
            if turn:
                rows[str(one)].append(seconds)
    return {name: pd.DataFrame(found, columns=STEPS) for name, found in rows.items()}


def slow_imports(checkout: Path, study: str, n: int = 12) -> dict[str, float]:
    """Seconds that libraries, each with what it alone loads, take to import, the slowest first."""
    _, said = run(checkout, study, "-X", "importtime")
    own: dict[str, float] = {}
    for found in re.finditer(r"import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)", said):
        library = found[2].partition(".")[0]
        own[library] = own.get(library, 0.0) + int(found[1]) / 1e6
    return dict(sorted(own.items(), key=lambda one: -one[1])[:n])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="sceneworld")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--imports", action="store_true")
    options = parser.parse_args()
    here = machine()
    print(f"{here['processor']}, {here['cores']} cores, load {here['load']}; seconds, medians")
    checkouts = [ROOT, *([options.against] if options.against else [])]
    found = measure(checkouts, options.study, options.rounds)
    for name, table in found.items():
        clock = table[STEPS[:-1]].sum(axis=1).median()
        steps = "  ".join(f"{step} {seconds:.2f}" for step, seconds in table.median().items())
        print(f"{Path(name).resolve().name}: {clock:.2f} (wanted: {WITHIN}); {steps}")
    slow = slow_imports(ROOT, options.study) if options.imports else {}
    for library, seconds in slow.items():
        print(f"  import {library:<20} {seconds:6.2f}")
    OUT.mkdir(parents=True, exist_ok=True)
    results = {name: table.to_dict("list") for name, table in found.items()}
    (OUT / "first_sheet.json").write_text(json.dumps({**here, "results": results, "imports": slow}, indent=1))


if __name__ == "__main__":
    main()

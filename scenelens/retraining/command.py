"""The command ``scenelens interventions``: train networks in edited worlds and for other tasks.

It says beforehand how long it takes, and may be stopped at any time: a network goes on after its last pass
over the pictures, one that is trained is not trained again, and what was measured of it is kept in a file of
its own. A network that the tables have already is not trained again either, so the work may be spread over
days and machines. Everything runs at the lowest priority, behind other work."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenelens.errors import SceneLensError
from scenelens.installation import HERE
from scenelens.labels import LEAST_IOU
from scenelens.progress import say_on_stderr, spoken_time
from scenelens.retraining.duration import _expected_seconds
from scenelens.retraining.measuring import NETWORK, Rows, _measure_network
from scenelens.retraining.plan import KINDS, _plan, _Run
from scenelens.retraining.tables import RetrainingTables, _shipped_folder, _write_retraining, read_retraining
from scenelens.seeds import (
    ABOUT_FILE,
    common_recipe,
    measure_once,
    read_card,
    rendered_world,
    same_world,
    study_of,
)
from scenelens.studies import StudyFile

_VERSION = 1  # raise it when a measure of the tables changes its rule
#: A training's own choices; the same for all networks, except for seed, task and world.
_RECIPE = ("--width", "0.25", "--bfloat16", "--keep-pictures")


def _main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words of the command line; those of the process by default.

    Returns
    -------
    int
        The exit status: 0.

    Raises
    ------
    SceneLensError
        If a network cannot be trained or measured.
    """
    options = _parser().parse_args(arguments)
    folder = options.networks.absolute()  # a relative path starts here; in a study, in the study's folder
    runs = [run for run in _plan() if run.kind in options.kinds]
    earlier = _earlier(options.out)
    missing = [run for run in runs if not _card(folder, run).exists() and not _is_known(earlier, run)]
    if missing and (options.plan or not options.no_training):
        _announce(missing)
    if options.plan:
        print("\n".join(_line(run, run in missing) for run in runs))
        return 0
    if hasattr(os, "nice"):
        os.nice(10)
    template = StudyFile.read(StudyFile.find(options.study))
    written: list[Path] = []
    for run in runs:
        if run in missing and not options.no_training:
            _train(run, folder)
        _measure(template, run, folder, _is_known(earlier, run))
        # After each network: a stop leaves tables of all that was measured.
        if paths := _write(template, folder, options.out, earlier):
            written = paths
    if not written:
        raise SceneLensError(
            "no network of the unchanged world was measured, so there is nothing to compare with."
        )
    print("\n".join(map(str, written)))
    return 0


def _earlier(out: Path) -> RetrainingTables | None:
    """The tables that an earlier run wrote into a folder."""
    return read_retraining(out) if (out / ABOUT_FILE).exists() else None


def _is_known(earlier: RetrainingTables | None, run: _Run) -> bool:
    """Whether earlier tables have a network of the plan, trained for this task in this world."""
    known = [] if earlier is None else earlier.networks.to_dict("records")
    return any(run.row().items() <= row.items() for row in known)


def _announce(missing: Sequence[_Run]) -> None:
    """Say how long it takes to train and measure some networks, measured on a few pictures and steps."""
    seconds = _expected_seconds(missing)
    many = f"{len(missing)} networks" if len(missing) > 1 else "one network"
    say_on_stderr(
        f"Training and measuring {many} takes about {spoken_time(seconds)}. Stop it at any time; the same "
        "command goes on."
    )


def _line(run: _Run, is_missing: bool) -> str:
    what = f"{run.task}, seed {run.seed}, {run.edits if run.world.edits else 'unchanged world'}"
    return f"{run.name:<32}{'to be trained' if is_missing else 'trained':<15}{what}"


def _card(folder: Path, run: _Run) -> Path:
    return folder / f"{run.name}.json"


def _train(run: _Run, folder: Path) -> None:
    """Train one network in a process of its own, which goes on where a stopped one was; then tidy up."""
    work = folder / "work"
    own = [run.task, "--name", run.name, "--seed", str(run.seed), "--edits", run.edits]
    words = [*own, *_RECIPE, "--work", str(work), "--out", str(folder)]
    done = subprocess.run([sys.executable, "-m", "scenelens", "train", *words], check=False)
    if done.returncode:
        raise SceneLensError(f"the network {run.name} was not trained; see above.")
    _tidy(run, work)


def _tidy(run: _Run, work: Path) -> None:
    """Remove what a network left that is trained."""
    # 3 GB of pictures of an edited world, which no other network needs. Those of the unchanged world stay:
    # most pictures of other worlds are copies of them.
    rest = [*(work / "pictures").glob("scene-*"), *work.glob(f"{run.name}_seen_*")]
    for path in [*rest, work / f"{run.name}.checkpoint"]:
        path.unlink(missing_ok=True)


def _measure(template: StudyFile, run: _Run, folder: Path, is_known: bool) -> None:
    """Measure a network that is trained, unless that is done."""
    path = _card(folder, run)
    if not path.exists():
        if not is_known:
            say_on_stderr(f"{run.name} is not trained, so it is left out.")
        return
    card = read_card(path)
    if json.dumps(card["data"].get("edits", [])) != run.edits or card["network"] != run.task:
        raise SceneLensError(f"{path} is of another plan: remove it, or give another folder with --networks.")
    study = study_of(template, {NETWORK: path}, folder / "cache")
    kept = folder / "measured" / f"{run.name}.json"
    measure_once(kept, {NETWORK: card}, lambda: _measure_network(study), version=_VERSION)


def _write(template: StudyFile, folder: Path, out: Path, earlier: RetrainingTables | None) -> list[Path]:
    """Gather what was measured, and write the tables; what only an earlier run measured stays in them."""
    kept = {run: folder / "measured" / f"{run.name}.json" for run in _plan()}
    known = {run: json.loads(path.read_text("utf-8")) for run, path in kept.items() if path.exists()}
    rows: Rows = {"networks": [], "objects": [], "expected": []}
    for run, one in known.items():
        (network,) = one["rows"]["networks"]
        classes = len(one["cards"][NETWORK]["classes"])
        rows["networks"].append({**network, **run.row(), "classes": classes})
        rows["objects"] += [{"run": run.name, **row} for row in one["rows"]["objects"]]
    about = _about(template, known) if known else {}
    if earlier is not None:
        about = _with_earlier(rows, about, earlier, out)
    order = {run.name: number for number, run in enumerate(_plan())}
    for table in ("networks", "objects"):
        rows[table].sort(key=lambda row: order[row["run"]])
    if not any(row["kind"] == KINDS[0] for row in rows["networks"]):
        return []
    rows["expected"] = [{"run": run.name, "expected": run.expected} for run in _plan()]
    return _write_retraining(rows, about, out)


def _with_earlier(rows: Rows, about: dict[str, Any], earlier: RetrainingTables, out: Path) -> dict[str, Any]:
    """Take over, in place, the rows of networks that only earlier tables have; where all come from."""
    mine = {row["run"] for row in rows["networks"]}
    others = [run.name for run in _plan() if run.name not in mine and _is_known(earlier, run)]
    if not others:
        return about
    if about and not same_world(earlier.about["world"], about["world"]):
        raise SceneLensError(
            f"the tables in {out} were measured on other pictures; give another folder with --out."
        )
    if about and any(earlier.about[part] != about[part] for part in ("recipe", "rules")):
        raise SceneLensError(
            f"the networks in {out} had another recipe, or were measured by other rules; give another folder "
            "with --out."
        )
    for table in ("networks", "objects"):
        known = getattr(earlier, table)
        rows[table] += known[known.run.isin(others)].to_dict("records")
    runs = {name: earlier.about["runs"][name] for name in others}
    return {**(about or earlier.about), "runs": runs | about.get("runs", {})}


def _about(template: StudyFile, known: dict[_Run, Any]) -> dict[str, Any]:
    """Where the tables come from."""
    cards = {run: one["cards"][NETWORK] for run, one in known.items()}
    first = next(iter(cards.values()))
    return {
        "study": template.name,
        "command": "make interventions",
        "world": rendered_world(template),
        "rules": {
            "detectors": f"best concept by IoU above {LEAST_IOU}, and an object",
            "images": "the annotated images of the unchanged world, for all networks",
            "version": _VERSION,
        },
        "recipe": common_recipe(list(cards.values())),
        "data": {key: value for key, value in first["data"].items() if key != "edits"},
        "runs": {
            run.name: {
                "edits": card["data"].get("edits", []),
                "weights": card["weights_hash"],
                "presentations": card["presentations"],
                "trained": card["date"],
                "measured": known[run]["date"],
            }
            for run, card in cards.items()
        },
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scenelens interventions", description=__doc__)
    parser.add_argument("--plan", action="store_true", help="show the networks and the time, and train none")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="only these kinds")
    home = HERE.build / "interventions"
    parser.add_argument("--networks", type=Path, default=home, help=f"folder of trained networks ({home})")
    parser.add_argument("--no-training", action="store_true", help="measure the networks that are there")
    parser.add_argument("--study", default="sceneworld", help="the study with the images to measure on")
    out = _shipped_folder() if HERE.writes_data else Path("sceneworld-retraining")
    parser.add_argument("--out", type=Path, default=out, help=f"folder of the tables ({out})")
    return parser

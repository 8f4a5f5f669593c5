"""The command ``scenelens seeds``: trains networks of several seeds, measures them, and writes small tables.

It may be stopped at any time. A network that is trained is not trained again, and each seed's results are
kept in a file of their own as soon as they are there. Both steps run at the lowest priority, behind other
work."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from scenelens.errors import SceneLensError
from scenelens.files import replace_file
from scenelens.installation import HERE
from scenelens.labels import LABELS_VERSION, LEAST_IMAGES, LEAST_IOU
from scenelens.paper import CONTROL, PAIR
from scenelens.progress import say_on_stderr
from scenelens.sceneworld import same_pictures
from scenelens.seeds.measuring import (
    FIELD_IMAGES,
    FIELD_UNITS,
    Rows,
    _control_of,
    _measure_fields,
    _measure_study,
    read_card,
    study_of,
)
from scenelens.seeds.tables import ABOUT_FILE, _shipped_folder, _write_seeds, read_seeds
from scenelens.studies import StudyFile

_VERSION = 1  # raise it when a measure of the tables changes its rule
_SEEDS = range(5)
_WIDTH = 0.25
_SEEN = re.compile(r"(scene|object)_seen_(\d+)")
#: A training's own choices; the same for all networks, except for the seed.
_RECIPE = ("--width", str(_WIDTH), "--bfloat16", "--keep-pictures")


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
    # A relative path starts here; in a study it would start in the study's folder.
    options.networks = options.networks.absolute()
    if hasattr(os, "nice"):
        os.nice(10)
    if not options.no_training:
        _train(options.seeds, options.networks)
    template = StudyFile.read(StudyFile.find(options.study))
    cache = options.networks / "cache"
    # What says most comes first: whoever stops has the pairs.
    for step in (_measure_pair, _measure_control, _measure_fields_of):
        for seed in options.seeds:
            step(template, options.networks, seed, cache)
    for seen in _points(options.seen):
        _measure_point(template, options.seen, seen, options.networks, cache)
    paths = _write(template, options.networks, options.seen, options.out)
    print("\n".join(map(str, paths)))
    return 0


def _train(seeds: Sequence[int], folder: Path) -> None:
    """Train what is missing, each network in a process of its own, which goes on where a stopped one was."""
    for seed in seeds:
        for kind in PAIR:
            if (folder / f"{kind}_{seed}.json").exists():
                continue
            words = [
                kind,
                "--seeds",
                str(seed),
                *_RECIPE,
                "--work",
                str(folder / "work"),
                "--out",
                str(folder),
            ]
            done = subprocess.run([sys.executable, "-m", "scenelens", "train", *words], check=False)
            if done.returncode:
                raise SceneLensError(f"the {kind} network of seed {seed} was not trained; see above.")


def _measure_pair(template: StudyFile, folder: Path, seed: int, cache: Path) -> None:
    """Measure the scene and the object network of one seed, unless that is done."""
    cards = {kind: folder / f"{kind}_{seed}.json" for kind in PAIR}
    if not all(card.exists() for card in cards.values()):
        say_on_stderr(f"seed {seed}: not both networks are trained, so it is left out.")
        return
    about = {kind: read_card(card) for kind, card in cards.items()}
    path = _result(folder, f"seed_{seed}")
    measure_once(path, about, lambda: _measure_study(study_of(template, cards, cache)))


def _measure_control(template: StudyFile, folder: Path, seed: int, cache: Path) -> None:
    """Measure an untrained network of a seed whose pair was measured; it has their architecture."""
    card = folder / f"{PAIR[0]}_{seed}.json"
    if _result(folder, f"seed_{seed}").exists():
        path, recipe = _result(folder, f"control_{seed}"), read_card(card)["recipe"]
        weights = {CONTROL: {name: recipe[name] for name in ("width", "fc")}}  # and the seed, in the name
        measure_once(path, {}, lambda: _measure_study(_control_of(template, card, seed, cache)), weights)


def _measure_fields_of(template: StudyFile, folder: Path, seed: int, cache: Path) -> None:
    """Measure some receptive fields of a pair that was measured."""
    if _result(folder, f"seed_{seed}").exists():
        cards = {kind: folder / f"{kind}_{seed}.json" for kind in PAIR}
        about = {kind: read_card(card) for kind, card in cards.items()}
        path = _result(folder, f"fields_{seed}")
        measure_once(path, about, lambda: _measure_fields(study_of(template, cards, cache)))


def _measure_point(template: StudyFile, trained: Path, seen: int, folder: Path, cache: Path) -> None:
    """Measure the networks that had seen a number of pictures, as far as they are there."""
    cards = {kind: trained / f"{kind}_seen_{seen:07d}.json" for kind in PAIR}
    cards = {kind: card for kind, card in cards.items() if card.exists()}
    about = {kind: read_card(card) for kind, card in cards.items()}
    path = _result(folder, f"seen_{seen:07d}")
    measure_once(path, about, lambda: _measure_study(study_of(template, cards, cache)))


def _points(trained: Path | None) -> list[int]:
    """After how many pictures a training wrote a network."""
    found = [_SEEN.fullmatch(path.stem) for path in trained.glob("*_seen_*.json")] if trained else []
    return sorted({int(name[2]) for name in found if name})


def _result(folder: Path, name: str) -> Path:
    return folder / "measured" / f"{name}.json"


def measure_once(
    path: Path,
    cards: dict[str, dict],
    measure: Callable[[], Rows],
    weights: Any = None,
    version: int = _VERSION,
) -> None:
    """Measure some networks and keep the rows, unless weights and rules are those of kept ones.

    Parameters
    ----------
    path : pathlib.Path
        The JSON file that keeps the rows, with the cards and the date.
    cards : dict of str to dict
        Network -> its model card. The rows of its own table get the training's own test.
    measure : callable
        Makes the rows; the rows of ``"networks"`` have a column ``network``.
    weights : dict, optional
        What says which networks were measured (default: the hashes of the cards).
    version : int, optional
        Another one measures anew (default: that of `scenelens seeds`).
    """
    about = {"weights": weights or {kind: card["weights_hash"] for kind, card in cards.items()}}
    about["rules"] = [version, LABELS_VERSION]
    if path.exists():
        known = json.loads(path.read_text("utf-8"))
        if all(known.get(name) == value for name, value in about.items()):
            return
    say_on_stderr(f"{path.stem} is measured.")
    rows = measure()
    for row in rows.get("networks", []):
        if row["network"] in cards:  # the training's own test, on images that the workbook does not have
            test = cards[row["network"]]["held_out"]
            row |= {"held_out": test["n"], "held_out_right": round(test["top1"] * test["n"])}
    kept = about | {"date": date.today().isoformat(), "cards": cards, "rows": rows}
    replace_file(path, json.dumps(kept).encode())


def _write(template: StudyFile, folder: Path, trained: Path | None, out: Path) -> list[Path]:
    """Gather what was measured, and write the tables; what only an earlier run measured stays in them."""
    seeds, points = _kept(folder, "seed"), _kept(folder, "seen")
    if not seeds and not points:
        raise SceneLensError(
            "nothing was measured: no seed has both networks, and no network on the way is there."
        )
    rows: Rows = {}
    for group in (seeds, _kept(folder, "fields"), _kept(folder, "control")):
        for seed, one in group.items():
            for table, own in one["rows"].items():
                rows.setdefault(table, []).extend({"seed": seed, **row} for row in own)
    if points:
        rows["seen"] = [
            {"seed": one["cards"][row["network"]]["recipe"]["seed"], "seen": seen, **row}
            for seen, one in points.items()
            for row in one["rows"]["networks"]
        ]
    about = _about(template, seeds, points)
    if (out / ABOUT_FILE).exists():
        _keep_earlier(rows, about, out)
    rows.get("seen", []).sort(key=lambda row: (PAIR.index(row["network"]), row["seen"]))
    return _write_seeds(rows, about, out)


def _keep_earlier(rows: Rows, about: dict[str, Any], out: Path) -> None:
    """Take over, in place, what the tables in a folder know of trainings that were not measured now."""
    known = read_seeds(out)
    if not same_world(known.about["world"], about["world"]):
        raise SceneLensError(
            f"the tables in {out} were measured on other pictures; give another folder with --out."
        )
    earlier, now = known.about.get("seen"), about.get("seen")
    about |= {
        part: known.about[part] for part in ("seeds", "seen") if part in known.about and part not in about
    }
    if not (earlier and now):
        return
    if earlier["recipe"] != now["recipe"]:
        raise SceneLensError(f"the networks in {out} had another recipe; give another folder with --out.")
    measured = {row["network"] for row in rows["seen"]}
    rows["seen"] += known.seen[~known.seen.network.isin(measured)].to_dict("records")
    old = {
        name: digest for name, digest in earlier["weights"].items() if name.partition("_")[0] not in measured
    }
    now["weights"] = old | now["weights"]
    for days in ("trained", "measured"):
        now[days] = sorted({*earlier[days], *now[days]})


def same_world(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two sets of rendered images are the same, though versions of the renderer may differ.

    Parameters
    ----------
    one, other : dict
        Of `rendered_world`.

    Returns
    -------
    bool
        Whether they are.
    """
    if one == other:
        return True
    return one.get("made") == other.get("made") and all(
        same_pictures(world.get("code", "")) for world in (one, other)
    )


def _kept(folder: Path, what: str) -> dict[int, Any]:
    """What was measured, by seed or by the number of pictures seen, in this order."""
    files = {int(path.stem.partition("_")[2]): path for path in (folder / "measured").glob(f"{what}_*.json")}
    return {number: json.loads(path.read_text("utf-8")) for number, path in sorted(files.items())}


def _about(template: StudyFile, seeds: dict[int, Any], points: dict[int, Any]) -> dict[str, Any]:
    """Where the tables come from."""
    about: dict[str, Any] = {
        "study": template.name,
        "command": "make seeds",
        "world": rendered_world(template),
    }
    about["rules"] = {
        "detectors": f"best concept by IoU above {LEAST_IOU}, and an object",
        "fields": f"the first {FIELD_UNITS} units in a random order, {FIELD_IMAGES} images each",
        CONTROL: "random weights of the same seed and architecture, with the scene network's classes",
    }
    if seeds:
        about["seeds"] = _training({str(seed): one for seed, one in seeds.items()})
    if points:
        about["seen"] = _training({f"seen_{seen:07d}": one for seen, one in points.items()})
    return about


def _training(group: dict[str, Any]) -> dict[str, Any]:
    """The recipe that some networks share, and what each one is."""
    cards = [card for one in group.values() for card in one["cards"].values()]
    return {
        "recipe": common_recipe(cards),
        "names": f"objects on at least {2 * LEAST_IMAGES} annotated images",
        "presentations": max(card["presentations"] for card in cards),
        "data": cards[0]["data"],
        "weights": {
            f"{kind}_{name}": digest for name, one in group.items() for kind, digest in one["weights"].items()
        },
        "trained": sorted({card["date"] for card in cards}),
        "measured": sorted({one["date"] for one in group.values()}),
    }


def common_recipe(cards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What networks that are compared have in common: all of their recipe but the seed.

    Parameters
    ----------
    cards : sequence of dict
        Their model cards.

    Returns
    -------
    dict
        The recipe.

    Raises
    ------
    SceneLensError
        If the recipes differ.
    """
    recipes = [{key: value for key, value in card["recipe"].items() if key != "seed"} for card in cards]
    if any(recipe != recipes[0] for recipe in recipes):
        raise SceneLensError("the networks were not trained with one recipe; measure them apart.")
    return recipes[0]


def rendered_world(template: StudyFile) -> dict[str, Any]:
    """What a study's generator rendered, by which version of the renderer.

    Parameters
    ----------
    template : StudyFile
        The study.

    Returns
    -------
    dict
        ``"made"`` and ``"code"``; empty where nothing was rendered.
    """
    made = template.data.get("generator", {})
    state = template.resolve(made["root"]) / f"{made['kind']}.json" if made else None
    if state is None or not state.exists():
        return {}
    known = json.loads(state.read_text("utf-8"))
    return {"made": known["made"], "code": known["code"]}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scenelens seeds", description=__doc__)
    home = HERE.build / "seeds"
    parser.add_argument("--seeds", type=int, nargs="+", default=list(_SEEDS), help="default: 0 to 4")
    parser.add_argument("--networks", type=Path, default=home, help=f"folder of trained networks ({home})")
    parser.add_argument("--no-training", action="store_true", help="measure the networks that are there")
    text = "folder with networks on the way (<kind>_seen_<pictures>), for the curves over pictures seen"
    parser.add_argument("--seen", type=Path, help=text)
    parser.add_argument("--study", default="sceneworld", help="the study with the images to measure on")
    out = _shipped_folder() if HERE.writes_data else Path("sceneworld-seeds")
    parser.add_argument("--out", type=Path, default=out, help=f"folder of the tables ({out})")
    return parser

"""A network that the reader trains in a notebook: an intervention of the plan, by a short recipe, in minutes.

Pictures, training and measuring are those of ``scenelens interventions``. The recipe shows fewer pictures,
fewer times, so the network is worse than those of the tables: what it may be compared with is another one of
the same recipe, above all that of the unchanged world. Whoever stops the cell loses nothing that was
finished; the same cell goes on where it was, and ends in the same network.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from scenelens.errors import CannotAnswerError, SceneLensError, close_names
from scenelens.installation import HERE
from scenelens.intervals import wilson_interval
from scenelens.progress import Announcer, say_on_stderr, spoken_time
from scenelens.retraining.command import _card, _measure, _tidy
from scenelens.retraining.duration import _expected_seconds
from scenelens.retraining.plan import _plan, _Run
from scenelens.retraining.tables import RetrainingTables, read_retraining
from scenelens.sceneworld import Recipe, train
from scenelens.sentences import Sentences, interval, named, percent, words
from scenelens.studies import StudyFile

#: Small groups, because a stopped training goes on after the last group.
_RECIPE = Recipe(n_images=3_600, n_held_out=240, group=240, passes=8, average=0.98, width=0.25, bfloat16=True)
_COLUMNS = ["network", "trained", "shown", "right", "detectors", "ap", "object", "units", "object_ap"]
_STUDY = "sceneworld"


@dataclass(frozen=True)
class LiveTraining:
    """A network that is trained in a notebook. Made by `train_live`.

    Attributes
    ----------
    run : str
        The network's name in the plan; '' where none was chosen.
    folder : pathlib.Path
        Where this recipe's networks are.
    stopped : int or None
        How many pictures it had been shown when the reader stopped it; None where it is trained and measured.
    """

    run: str
    folder: Path
    stopped: int | None = None

    @property
    def table(self) -> pd.DataFrame:
        """What was measured of it, beside the tables that come with the package.

        One row for each network that was trained here, this one first, and for the same edits or task in the
        tables: ``network``, ``trained`` ('here', 'tables', or 'tables, mean of 3'), ``shown`` (pictures, each
        time counted), ``right`` (share, of held-out pictures of its own), ``detectors`` (of objects), mean
        ``ap``; for the ``object`` of the intervention, or each edited object: ``units`` and ``object_ap``.
        """
        return _beside(self.run, self.folder)

    def describe(self) -> Sentences:
        """Say how far the training is, and what was measured.

        Returns
        -------
        Sentences
            Markdown.
        """
        return _described(self)


def train_live(intervention: object = ..., progress: bool = True) -> LiveTraining:
    """Train one network of the plan here, by a short recipe, and measure it.

    It takes some minutes. Stop the cell at any time: the same call goes on after the last group of pictures
    that was finished, and ends in the same network as without a stop. A network that is trained is not
    trained again.

    Parameters
    ----------
    intervention : str, optional
        A network of the plan, such as 'everywhere_blackboard', 'more_frequent_cat', 'texture_alone',
        'task_light' or 'unchanged_0'. With ``...`` (the default) nothing is trained.
    progress : bool, optional
        Whether a bar shows pictures, loss and right answers (default True).

    Returns
    -------
    LiveTraining
        The network; where the reader stopped it, how far it is.

    Raises
    ------
    SceneLensError
        If the plan has no such network.

    Examples
    --------
    >>> train_live(...).describe().partition(":")[0]
    '✏️ No intervention is chosen yet'
    """
    folder = HERE.build / "live" / f"{_RECIPE.n_images}x{_RECIPE.passes}"
    if intervention is None or intervention is ...:
        return LiveTraining("", folder)
    run = _find_run(intervention)
    shown = _Shown(run.name, progress)
    try:
        if not _card(folder, run).exists():
            _announce(run, folder / "work", progress)
            _train(run, folder, shown)
        _measure(StudyFile.read(StudyFile.find(_STUDY)), run, folder, is_known=False)
    except KeyboardInterrupt:
        return LiveTraining(run.name, folder, shown.seen)
    finally:
        shown.close()
    return LiveTraining(run.name, folder)


def _find_run(intervention: object) -> _Run:
    runs = {run.name: run for run in _plan()}
    if intervention not in runs:
        raise SceneLensError(f"no intervention {intervention!r}; {close_names(str(intervention), runs)}.")
    return runs[str(intervention)]


def _train(run: _Run, folder: Path, shown: _Shown) -> None:
    """Train a network, or go on where it was stopped."""
    work, recipe = folder / "work", _recipe_of(run)
    train(run.task, recipe, work, folder, keep_pictures=True, name=run.name, world=run.world, watch=shown)
    _tidy(run, work)


def _recipe_of(run: _Run) -> Recipe:
    return Recipe(**asdict(_RECIPE) | {"seed": run.seed})


class _Shown:
    """Moves a bar with each step of a training, and says the loss and the share of right answers."""

    def __init__(self, name: str, progress: bool) -> None:
        self.seen, self._name, self._progress = 0, name, progress
        self._bar: tqdm | None = None

    def __call__(self, seen: int, total: int, loss: float, right: float) -> None:
        if self._bar is None:
            self._bar = Announcer(self._progress).bar(total, self._name)
            # A training that goes on does not begin at 0, and its pace is that of now.
            self._bar.initial = self._bar.n = self._bar.last_print_n = self.seen = seen
        self._bar.set_postfix_str(f"loss {loss:.2f}, {percent(right)} right", refresh=False)
        self._bar.update(seen - self.seen)
        self.seen = seen

    def close(self) -> None:
        """Leave the bar as it is now."""
        if self._bar is not None:
            self._bar.close()


def _announce(run: _Run, work: Path, progress: bool) -> None:
    if not progress:
        return
    has = any((work / "pictures").glob("scene_held_out*"))
    seconds = _expected_seconds(
        [run], _RECIPE.n_images + _RECIPE.n_held_out, _RECIPE.n_images * _RECIPE.passes, has_unchanged=has
    )
    say_on_stderr(
        f"Rendering pictures, training and measuring takes about {spoken_time(seconds)}. Stop the cell at "
        "any time; run it again to go on."
    )


# ---- what was measured


def _measured(folder: Path) -> dict[str, Any]:
    """Name -> what was measured of the networks trained here."""
    paths = sorted((folder / "measured").glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    return {path.stem: json.loads(path.read_text("utf-8")) for path in paths}


def _beside(name: str, folder: Path) -> pd.DataFrame:
    own = _measured(folder)
    if not name or name not in own:
        return pd.DataFrame(columns=_COLUMNS)
    runs = {run.name: run for run in _plan()}
    objects = (
        [runs[name].object]
        if runs[name].object
        else sorted({one.object for one in runs.values() if one.object})
    )
    rows = []
    for key in dict.fromkeys([name, *own]):
        (network,), scores = own[key]["rows"]["networks"], pd.DataFrame(own[key]["rows"]["objects"])
        rows += _rows(key, "here", own[key]["cards"]["scene"]["presentations"], network, scores, objects)
    return pd.DataFrame(rows + _of_tables(name, objects), columns=_COLUMNS)


def _rows(
    name: str, trained: str, shown: float, network: Any, scores: pd.DataFrame, objects: list[str]
) -> list[dict[str, Any]]:
    """One row for each object, of one network."""
    right = network["held_out_right"] / network["held_out"]
    about = {"network": name, "trained": trained, "shown": shown, "right": right}
    about |= {"detectors": network["detectors"], "ap": network["ap"]}
    known = scores.set_index("object") if len(scores) else pd.DataFrame(columns=["units", "ap"])
    rows = []
    for one in objects:
        key = one.replace("_", " ")
        units, ap = known.loc[key, ["units", "ap"]] if key in known.index else (0, math.nan)
        rows.append(about | {"object": one, "units": float(units), "object_ap": float(ap)})
    return rows


def _of_tables(name: str, objects: list[str]) -> list[dict[str, Any]]:
    """The same network of the tables, and the mean of the unchanged ones; none where there are no tables."""
    try:
        tables = read_retraining()
    except CannotAnswerError:
        return []
    found = []
    unchanged = tables.networks[tables.networks.kind == "unchanged"]
    for _, network in tables.networks[tables.networks.run == name].iterrows():
        scores = tables.objects[tables.objects.run == name]
        found += _rows(name, "tables", _presentations(tables, name), network, scores, objects)
    if len(unchanged) and name not in set(unchanged.run):
        parts = [
            pd.DataFrame(
                _rows(
                    one.run,
                    "",
                    _presentations(tables, one.run),
                    one,
                    tables.objects[tables.objects.run == one.run],
                    objects,
                )
            )
            for _, one in unchanged.iterrows()
        ]
        mean = pd.concat(parts).groupby("object", sort=False).mean(numeric_only=True).reset_index()
        found += mean.assign(network="unchanged", trained=f"tables, mean of {len(unchanged)}").to_dict(
            "records"
        )
    return found


def _presentations(tables: RetrainingTables, run: str) -> float:
    return float(tables.about.get("runs", {}).get(run, {}).get("presentations", math.nan))


def _described(live: LiveTraining) -> Sentences:
    if not live.run:
        names = ", ".join(named(run.name) for run in _plan())
        return Sentences(f"✏️ No intervention is chosen yet: put one of these in place of the dots: {names}.")
    if live.stopped is not None:
        after = f" after {live.stopped:,} pictures" if live.stopped else ""
        return Sentences(
            f"**{named(live.run)}** was stopped{after}. Run the cell again to go on: "
            "no more than the last group of pictures is repeated."
        )
    one = _measured(live.folder)[live.run]
    (network,) = one["rows"]["networks"]
    n, k = int(network["held_out"]), int(network["held_out_right"])
    ap = network["ap"]
    finds = "" if math.isnan(ap) else f"; mean AP of best units {ap:.2f} (chance {network['ap_chance']:.2f})"
    text = (
        f"**{named(live.run)}**, trained here: right {percent(k / n)} (95% interval "
        f"{interval(*wilson_interval(k, n))}, n = {n:,}); {network['detectors']} of {network['units']} units "
        f"detect an object{finds}. {_what_to_compare(live)}"
    )
    return Sentences("\n".join([text, "", *_lines(live)]))


def _lines(live: LiveTraining) -> list[str]:
    """This network, others of its recipe and those of the tables, a line each."""
    table = live.table
    edited = {run.name: run.object for run in _plan()}[live.run]
    shown = table[table.object == edited] if edited else table.drop_duplicates(["network", "trained"])
    lines = []
    for row in shown.itertuples():
        pictures = "" if row.shown != row.shown else f", {row.shown:,.0f} pictures"
        line = f"- {named(row.network)} ({row.trained}{pictures}): right {percent(row.right)}, "
        line += f"{_plain(row.detectors)} detectors"
        if edited:
            ap = "" if row.object_ap != row.object_ap else f", AP of the best one {row.object_ap:.2f}"
            line += f"; {named(words(edited))}: {_plain(row.units)} units{ap}"
        lines.append(f"{line}.")
    return lines


def _plain(value: float) -> str:
    """A mean of counts, or a count.

    >>> _plain(2.0), _plain(7 / 3)
    ('2', '2.3')
    """
    return f"{value:.1f}".removesuffix(".0")


def _what_to_compare(live: LiveTraining) -> str:
    others = [name for name in _measured(live.folder) if name.startswith("unchanged")]
    if live.run.startswith("unchanged"):
        return "It is what an edited world's network of this recipe is compared with."
    if not others:
        return (
            "To see what the edit changed, train unchanged_0 in the same way: the networks of the tables "
            "were shown many more pictures."
        )
    return (
        f"Compare it with {', '.join(map(named, others))} of the same recipe. One network each cannot tell "
        "an effect from chance: the tables say how far networks of one recipe differ."
    )

"""What it costs a network to lose units: of a category's own, of another category's, and drawn at random.

The layer's values are recorded once. After that a set of units is switched off, and only what follows the
layer runs again, for all images that judge. Every result is kept image by image, because the intervals of
everything that follows are over images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from scenelens.caches import cached, read_cached
from scenelens.errors import SceneLensError
from scenelens.files import ArrayFile, cache_key
from scenelens.interventions.choices import _Halves, _named_units, _ranks_by_effect, _ranks_by_label
from scenelens.interventions.passes import _Passes
from scenelens.labels import LABELS_VERSION
from scenelens.progress import Announcer
from scenelens.studies import Study, network_inputs, variant_parts

#: How many units are switched off at once.
NUMBERS = (1, 2, 4, 8, 16, 20)
_VERSION = 1  # increase it when the meaning of what is stored changes
_STORED = ("class", "rank", "unit", "score")  # of the units that were chosen by effect


@dataclass(frozen=True)
class AblationEffects:
    """A network's answers to the images that judge, with sets of units switched off or on.

    Attributes
    ----------
    study : Study
        The study.
    network : str
        The network's name in it.
    layer : str
        The layer whose units were changed.
    n_units : int
        How many units it has.
    images : pandas.DataFrame
        The images that judge: ``image``, ``category``, ``class`` (int).
    n_chosen : int
        How many images of the network's categories chose units.
    classes : list of str
        The network's class names.
    logp : numpy.ndarray
        (images,) float32, the log-probability of the image's class by the network as it is.
    named : numpy.ndarray
        (images,) int, the class that it names.
    runs : pandas.DataFrame
        One row per changed network: ``way`` ('label' or 'effect', how the units were chosen, 'random' or
        'single'), ``on`` (bool: set to their high response, instead of switched off; only units that were
        chosen by `way`, and random ones), ``class`` (whose units they are; -1), ``k`` (how many), ``draw``
        (which of the random ones, from 0).
    units : list of tuple of int
        The units of each run.
    logp_of : numpy.ndarray
        (runs, images) float32, as `logp`.
    named_of : numpy.ndarray
        (runs, images) int32, as `named`.
    ranks : dict of str to pandas.DataFrame
        Way -> ``class``, ``rank`` (from 1), ``unit``, ``object`` (that it is named after, ''), ``score``.
    names : pandas.DataFrame
        What the half that chooses calls the units: ``unit``, ``object``, ``iou_chosen``, ``iou`` (on the
        other images), ``ap`` (over all).
    high : numpy.ndarray
        (units,) float32, the response that only 0.5% of a unit's responses exceed.
    why_no_labels : str
        Why no units were chosen by label; '' where some were.
    why_whole : str
        Why whole passes were run, and of few images; '' where only what follows the layer ran.
    seed : int
        Of the halves and the random draws.
    """

    study: Study
    network: str
    layer: str
    n_units: int
    images: pd.DataFrame
    n_chosen: int
    classes: list[str]
    logp: np.ndarray
    named: np.ndarray
    runs: pd.DataFrame
    units: list[tuple[int, ...]]
    logp_of: np.ndarray
    named_of: np.ndarray
    ranks: dict[str, pd.DataFrame]
    names: pd.DataFrame
    high: np.ndarray
    why_no_labels: str = ""
    why_whole: str = ""
    seed: int = 0

    @property
    def right(self) -> np.ndarray:
        """(images,) bool: whether the network as it is names the image's class."""
        return self.named == self.images["class"].to_numpy()

    @property
    def right_of(self) -> np.ndarray:
        """(runs, images) bool: the same of the changed networks."""
        return self.named_of == self.images["class"].to_numpy()

    @property
    def way(self) -> str:
        """How units were chosen for a category: 'label' where that is possible, else 'effect'."""
        return "effect" if self.why_no_labels else "label"

    def rows(self, way: str, on: bool = False) -> pd.DataFrame:
        """The runs with units of one kind.

        Parameters
        ----------
        way : str
            'label', 'effect', 'random' or 'single'.
        on : bool, optional
            Whether the units were set to their high response (default: switched off).

        Returns
        -------
        pandas.DataFrame
            Rows of `runs`, whose index is the place in `units`, `logp_of` and `named_of`.
        """
        return self.runs[(self.runs.way == way) & (self.runs.on == on)]


def ablation_effects(
    study: Study,
    network: str = "",
    layer: str = "",
    numbers: Sequence[int] = NUMBERS,
    draws: int = 5,
    most: int = 25,
    seed: int = 0,
    progress: bool = True,
) -> AblationEffects:
    """Switch units of a layer off, and on, and note what the network then says.

    For every scene category its k best units, for k random ones several times, and for every single unit: see
    `AblationEffects`. Units are chosen on one half of the images, and everything is read on the other.

    Parameters
    ----------
    study : Study
        An open study.
    network : str, optional
        The network's name in it (default its main one, see `StudyNetworks.main`).
    layer : str, optional
        The layer (default its deepest one that has a map).
    numbers : sequence of int, optional
        The numbers k of units (default 1, 2, 4, 8, 16 and 20); those beyond the layer's are left out.
    draws : int, optional
        How many times k units are drawn at random (default 5).
    most : int, optional
        How many images of each category are used in each half at most (default 25).
    seed : int, optional
        Seed of the halves and the draws (default 0).
    progress : bool, optional
        Whether bars are shown (default True).

    Returns
    -------
    AblationEffects
        From the study's cache where nothing has changed.

    Raises
    ------
    SceneLensError
        CannotAnswerError if the images show no two categories that the network has a class for. Also if there
        is no such network or layer, or if a number is below 1.

    Notes
    -----
    Zhou, Sun, Bau and Torralba (2018) switch off single units and ask for the accuracy of each class; Bau et
    al. (2020) switch off the units that matter most for a class. Setting units to a high response everywhere
    is the opposite test: does the network then see the category where it is not?
    """
    plan, why = _planned(study, network, layer, numbers, draws, most, seed)
    about, arrays = cached(
        plan.path, lambda: plan.measured(progress), lambda found: ArrayFile.pack(*found), ArrayFile.unpack
    )
    return plan.result(about, arrays, why)


def measured_effects(study: Study, network: str = "", layer: str = "") -> AblationEffects | None:
    """The result of `ablation_effects` with its usual numbers, where it was measured before.

    Parameters
    ----------
    study : Study
        An open study.
    network : str, optional
        The network's name in it (default its main one).
    layer : str, optional
        The layer (default its deepest one that has a map).

    Returns
    -------
    AblationEffects or None
        From the study's cache; None where it has none that is valid.

    Raises
    ------
    SceneLensError
        CannotAnswerError if the images show no two categories that the network has a class for. Also if there
        is no such network or layer.
    """
    plan, why = _planned(study, network, layer)
    found = read_cached(plan.path, ArrayFile.unpack)
    return None if found is None else plan.result(*found, why)


def _planned(
    study: Study,
    network: str,
    layer: str,
    numbers: Sequence[int] = NUMBERS,
    draws: int = 5,
    most: int = 25,
    seed: int = 0,
) -> tuple[_Plan, str]:
    """What would be measured, and why no units are chosen by label ('' where some are)."""
    name = network or study.networks.main
    net = study.networks[name]
    layer = layer or net.deepest_map()
    n_units = net.layer_shape(layer)[0]
    if min(numbers, default=0) < 1 or min(draws, most) < 1:
        raise SceneLensError("numbers of units, draws and images are 1 or more.")
    ks = sorted({k for k in numbers if k <= n_units})
    halves = _Halves.of(study, name, most, seed)
    names, why = _named_units(study, name, layer, halves)
    by_label = _ranks_by_label(study, names, halves)
    if len(by_label):  # annotated scenes may be of categories that no other image shows
        by_label = by_label[by_label["class"].isin(halves.images["class"])].reset_index(drop=True)
        why = (
            "" if len(by_label) else "the annotated scenes are of other categories than the images that judge"
        )
    why = why or ("" if len(by_label) else "no object that a unit is named after tells the categories apart")
    return _Plan(study, name, layer, ks, draws, seed, halves, names, by_label), why


@dataclass(frozen=True)
class _Plan:
    """What is measured, and the file that it is kept in."""

    study: Study
    name: str
    layer: str
    ks: list[int]
    draws: int
    seed: int
    halves: _Halves
    names: pd.DataFrame = field(repr=False)
    by_label: pd.DataFrame = field(repr=False)

    @property
    def path(self) -> Any:
        network, folder = self.study.networks[self.name], self.study.cache / "interventions"
        # The name of the index's folder holds the content of every image, and the network.
        parts: list[Any] = [
            _VERSION,
            LABELS_VERSION,
            network_inputs(network),
            self.layer,
            self.ks,
            self.draws,
        ]
        parts += [self.seed, self.halves.images.to_csv(), self.by_label.to_csv()]
        parts += [self.study.index_name(self.name), *variant_parts(network, folder)]
        return folder / f"{self.layer}-{cache_key(parts)}.npz"

    def measured(self, progress: bool) -> tuple[Any, dict[str, np.ndarray]]:
        """Everything that takes time, as a JSON value and arrays."""
        images = self.halves.images
        passes = _Passes(
            self.study.networks[self.name], self.layer, list(images.image), self.study.load_image,
            progress=progress,
        )  # fmt: skip
        images = images.iloc[passes.images].reset_index(drop=True)
        classes = images["class"].to_numpy()
        judges, chooses = np.flatnonzero(images.judges), np.flatnonzero(~images.judges)
        asked = _Asked(passes, classes, judges)
        n_units = len(passes.high)
        announcer = Announcer(progress)
        # Every unit alone, on both halves: one half chooses the units of a category, the other judges.
        with announcer.bar(n_units * len(chooses), "each unit switched off") as asked.bar:
            fell = np.stack([asked.fell(unit, chooses) for unit in range(n_units)])
        by_effect = _ranks_by_effect(fell, classes[chooses], np.arange(n_units))
        ranks = {"label": self.by_label, "effect": by_effect}
        runs, units = _runs(ranks, self.ks, self.draws, n_units, self.seed)
        with announcer.bar(len(units) * len(judges), "sets of units switched off") as asked.bar:
            for row, some in zip(runs.itertuples(), units, strict=True):
                asked.ask(some, passes.high[list(some)] if row.on else 0.0)
        arrays = {
            "rows": np.asarray(passes.images), "logits": passes.logits[judges], "high": passes.high,
            "logp_of": np.stack(asked.logp), "named_of": np.stack(asked.named),
            **{f"effect {column}": by_effect[column].to_numpy() for column in _STORED},
        }  # fmt: skip
        return {"why_whole": passes.why}, arrays

    def result(self, about: Any, arrays: dict[str, np.ndarray], why: str) -> AblationEffects:
        images = self.halves.images.iloc[arrays["rows"]].reset_index(drop=True)
        judging = images[images.judges].drop(columns="judges").reset_index(drop=True)
        effect = pd.DataFrame({column: arrays[f"effect {column}"] for column in _STORED})
        ranks = {"label": self.by_label, "effect": effect.assign(object="")}
        n_units = len(arrays["high"])
        runs, units = _runs(ranks, self.ks, self.draws, n_units, self.seed)
        logits = arrays["logits"]
        return AblationEffects(
            self.study, self.name, self.layer, n_units, judging, int((~images.judges).sum()),
            list(self.study.networks[self.name].classes),
            _log_probabilities(logits, judging["class"].to_numpy()), logits.argmax(1),
            runs, units, arrays["logp_of"], arrays["named_of"], ranks, self.names, arrays["high"], why,
            about["why_whole"], self.seed,
        )  # fmt: skip


class _Asked:
    """The answers of changed networks, one after the other."""

    def __init__(self, passes: _Passes, classes: np.ndarray, judges: np.ndarray) -> None:
        self.passes, self.classes, self.judges = passes, classes, judges
        self.logp: list[np.ndarray] = []
        self.named: list[np.ndarray] = []
        self.bar: Any = None

    def ask(self, units: Sequence[int], values: Any) -> None:
        """Keep what the images that judge are called with these units changed."""
        logits = self.passes.changed(units, values, self.judges)
        self.logp.append(_log_probabilities(logits, self.classes[self.judges]))
        self.named.append(logits.argmax(1).astype(np.int32))
        self.bar.update(len(self.judges))

    def fell(self, unit: int, rows: np.ndarray) -> np.ndarray:
        """By how much the log-probability of each image's class falls without a unit."""
        logits = self.passes.changed([unit], 0.0, rows)
        self.bar.update(len(rows))
        before = _log_probabilities(self.passes.logits[rows], self.classes[rows])
        return before - _log_probabilities(logits, self.classes[rows])


def _runs(
    ranks: dict[str, pd.DataFrame], ks: Sequence[int], draws: int, n_units: int, seed: int
) -> tuple[pd.DataFrame, list[tuple[int, ...]]]:
    """Which sets of units are changed: the table of `AblationEffects.runs`, and the units of each."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, bool, int, int, int]] = []
    units: list[tuple[int, ...]] = []
    for unit in range(n_units):
        rows.append(("single", False, -1, 1, unit))
        units.append((unit,))
    sets: list[tuple[str, int, int, int, tuple[int, ...]]] = []
    for way, table in ranks.items():
        for number, own in table.groupby("class"):
            best = own.sort_values("rank").unit.tolist()
            sets += [(way, int(number), k, 0, tuple(best[:k])) for k in ks if k <= len(best)]  # type: ignore[call-overload]
    for k in ks:
        for draw in range(draws):
            sets.append(
                ("random", -1, k, draw, tuple(sorted(rng.choice(n_units, k, replace=False).tolist())))
            )
    shown = "label" if len(ranks["label"]) else "effect"
    for on in (False, True):
        for way, number, k, draw, some in sets:
            if not on or way in (shown, "random"):  # units are set on that were chosen in one way only
                rows.append((way, on, number, k, draw))
                units.append(tuple(int(unit) for unit in some))
    return pd.DataFrame(rows, columns=["way", "on", "class", "k", "draw"]), units


def _log_probabilities(logits: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(images,) float32, the log-probability of each image's class.

    >>> _log_probabilities(np.array([[0.0, 0.0]]), np.array([1])).round(3).tolist()
    [-0.693...]
    """
    high = logits.max(1, keepdims=True)
    total = np.log(np.exp(logits - high, dtype=np.float64).sum(1)) + high[:, 0]
    return (logits[np.arange(len(logits)), classes] - total).astype(np.float32)

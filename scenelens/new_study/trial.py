"""Which preparation of photographs is right: each usual way is tried on photographs of known classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from scenelens.errors import SceneLensError
from scenelens.intervals import wilson_interval
from scenelens.networks import PRESETS, Network, Preprocessing
from scenelens.paper import SOURCES
from scenelens.studies import Study

_PHOTOGRAPHS = 60  # enough to tell a right way from a wrong one
# All ways are tried on a third of the photographs, and those that did best on the others, too.
_FIRST, _FINALISTS = 20, 5
_BATCH = 10
_IMAGENET, _CAFFE = PRESETS["imagenet"], PRESETS["caffe"]
_HALF = (0.5, 0.5, 0.5)

_Three = tuple[float, float, float]


@dataclass(frozen=True)
class _PreparationTrial:
    """How often a network was right with each way of preparing photographs.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each of the five ways that did best on the first photographs, the best first: ``way`` (in
        words), ``right`` (int), ``n`` (int, photographs), ``share``, ``low`` and ``high`` (95% Wilson
        interval). Empty where no photograph has a known class.
    ways : dict of str to Preprocessing
        The ways by their words.
    usual : str
        The way that belongs to the architecture.
    n_classes : int
        Among how many classes the network chose.
    """

    table: pd.DataFrame
    ways: dict[str, Preprocessing]
    usual: str
    n_classes: int

    @property
    def best(self) -> Preprocessing:
        """The way to propose: the one that was right most often, of ties the architecture's own."""
        return self.ways[self.usual if self.table.empty else str(self.table.way.iloc[0])]

    @classmethod
    def run(cls, study: Study, name: str, usual: Preprocessing) -> _PreparationTrial:
        """Try all ways on photographs whose folder means one class of the network.

        Parameters
        ----------
        study : Study
            The open study.
        name : str
            The network's name.
        usual : Preprocessing
            What belongs to the architecture. Its frame is kept; channels, scale and mean are tried.

        Returns
        -------
        _PreparationTrial
            The result.
        """
        network, ways = study.networks[name], dict(_ways(usual))
        words = next(iter(ways))
        frames, numbers = _photographs(study, name, usual)
        if not len(frames):
            return cls(pd.DataFrame(columns=_COLUMNS), ways, words, len(network.classes))
        first = {way: _right(network, how, frames[:_FIRST], numbers) for way, how in ways.items()}
        # Stable: of ties the first way stays first, which is the architecture's own.
        finalists = sorted(first, key=lambda way: -first[way])[:_FINALISTS]
        rest = {way: _right(network, ways[way], frames[_FIRST:], numbers[_FIRST:]) for way in finalists}
        rows = [_row(way, first[way] + rest[way], len(frames)) for way in finalists]
        table = pd.DataFrame(rows, columns=_COLUMNS).sort_values("right", ascending=False, kind="stable")
        return cls(table.reset_index(drop=True), ways, words, len(network.classes))


_COLUMNS = ["way", "right", "n", "share", "low", "high"]


def _row(way: str, right: int, n: int) -> tuple[object, ...]:
    return way, right, n, right / n, *wilson_interval(right, n)


def _right(network: Network, how: Preprocessing, frames: np.ndarray, numbers: np.ndarray) -> int:
    """For how many frames the network predicts their class, when they are prepared in this way."""
    found = [np.zeros(0, int)]
    for start in range(0, len(frames), _BATCH):
        with torch.inference_mode():
            logits = network.module(how.tensor(frames[start : start + _BATCH]))
        found.append(logits.argmax(1).cpu().numpy())
    return int((np.concatenate(found) == numbers[: len(frames)]).sum())


def _ways(usual: Preprocessing) -> Iterator[tuple[str, Preprocessing]]:
    """Each way with its words: the architecture's own first, then channels x scale x mean."""
    yield f"the usual way for this network ({usual.words()})", usual
    for channels in ("RGB", "BGR"):
        for white in (1.0, 255.0):
            for words, mean, std in (
                ("ImageNet's mean and deviation", _IMAGENET.mean, _IMAGENET.std),
                # ImageNet's mean without its deviation differs from Caffe's by less than a grey level.
                ("Caffe's mean", _scaled(_CAFFE.mean[::-1], 1 / 255), (1 / white,) * 3),
                ("no mean", (0.0, 0.0, 0.0), (1 / white,) * 3),
                ("mean and deviation 0.5", _HALF, _HALF),
            ):
                if white == 255.0 and words.endswith(("deviation", "deviation 0.5")):
                    continue  # dividing by the deviation takes the scale away: these are the ways of 0 to 1
                how = replace(
                    usual,
                    channels=channels,
                    white=white,
                    mean_image=None,
                    mean=_ordered(_scaled(mean, white), channels),
                    std=_ordered(_scaled(std, white), channels),
                )
                if _same(how, usual):
                    continue
                yield f"{channels}, 0 to {white:g}, {words}", how


def _scaled(values: tuple[float, ...], by: float) -> _Three:
    a, b, c = (round(value * by, 6) for value in values)
    return a, b, c


def _ordered(values: _Three, channels: str) -> _Three:
    return values if channels == "RGB" else values[::-1]


def _same(one: Preprocessing, other: Preprocessing) -> bool:
    """Whether two ways turn every pixel into nearly the same number."""
    if one.mean_image or other.mean_image:
        return False
    pixel = np.array([[[[0, 100, 255]]]], np.uint8)
    a, b = (replace(how, size=(1, 1), resize="exact", resize_to=None).tensor(pixel) for how in (one, other))
    return bool(torch.allclose(a, b, rtol=1e-2, atol=1e-2))


def _photographs(study: Study, name: str, usual: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """Frames of photographs whose category means exactly one class, and the classes' numbers."""
    images, names = study.images, study.networks[name].class_names
    found = {category: names.find(category) for category in images.category.unique()}
    known = images[[len(found[category]) == 1 for category in images.category]]
    # A network of scenes is tried on scenes: a photograph of a lamp may stand in a folder "bedroom".
    own = known[known.source == SOURCES.get(name, "")]
    known = known if own.empty else own
    turn = known.groupby("category").cumcount()  # categories in turn, so that each has a part
    frames, numbers = [], []
    for row in known.iloc[np.argsort(turn, kind="stable")].itertuples():
        try:
            frames.append(usual.frame(study.load_image(row.image)))
        except SceneLensError:
            continue  # an index names what cannot be read; here any other photograph will do
        numbers.append(found[row.category][0])
        if len(frames) == _PHOTOGRAPHS:
            break
    return np.array(frames), np.array(numbers)

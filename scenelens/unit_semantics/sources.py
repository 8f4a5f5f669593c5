"""Three sources of labels: the paper's released answers, automatic labels, people's answers in a study.

Figures 6, 7 and 8 are drawn from each of them in the same way. An empty set says in a sentence why it is
empty and how to fill it, so that a notebook can go on without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.installation import HERE
from scenelens.labels import (
    COLUMNS,
    LEAST_IMAGES,
    LEAST_IOU,
    ROLES,
    TYPES,
    AutomaticLabels,
    current,
    merge,
    read_amt,
    read_netdissect,
)
from scenelens.paper import CONTROL, PAIR, PRECISION_WANTED
from scenelens.sentences import Sentences, named
from scenelens.studies import Study

#: Where the paper's authors published its human answers.
_AMT_PAGE = "https://github.com/zhoubolei/cnnvisualizer"
#: From which value of a measure a label counts, by default; 0.5 for any other measure.
_LEAST = {"iou": LEAST_IOU, "f1": 2 * LEAST_IOU / (1 + LEAST_IOU), "correlation": 0.1}
#: Least number of images that show a concept, half of them in either half of the images.
_SHOWN = 2 * LEAST_IMAGES
#: How a measure is called in captions and sentences.
MEASURE_WORDS = {
    "iou": "IoU",
    "f1": "F1",
    "ap": "average precision",
    "correlation": "correlation of pixels",
}
_OF_PAPER = frozenset({"released answers", "Network Dissection"})  # sources about the paper's own networks


@dataclass(frozen=True)
class LabelSet:
    """Labels of one or several networks from one source. An empty set is false.

    Attributes
    ----------
    name : str
        The source, in a few words.
    labels : pandas.DataFrame
        The labels, with the columns of `scenelens.labels.COLUMNS`; ``network`` is the network's name.
    units : mapping of (str, str) to int
        (network, layer) to the number of units that the layer has, labelled or not, in the networks' order.
    measure : str
        The column that says how well a label fits.
    least : float
        From which value of the measure a label counts.
    note : str
        Which concepts the labels were chosen from; for captions.
    lacking : tuple of str
        Types that no label could have.
    missing : str
        Why there are no labels, and what to do; '' where there are some.
    about : str
        What else has to be known of the networks, as a sentence; '' where there is nothing.
    """

    name: str
    labels: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COLUMNS)))
    units: Mapping[tuple[str, str], int] = field(default_factory=dict)
    measure: str = "precision"
    least: float = PRECISION_WANTED
    note: str = ""
    lacking: tuple[str, ...] = ()
    missing: str = ""
    about: str = ""

    def __bool__(self) -> bool:
        return len(self.labels) > 0

    def need(self) -> None:
        """Raise CannotAnswerError, with the reason, where the set is empty."""
        if not self:
            raise CannotAnswerError(self.missing)

    @property
    def about_paper(self) -> bool:
        """Whether these are published labels of the paper's own networks."""
        return bool(set(self.labels.source) & _OF_PAPER)

    @property
    def networks(self) -> list[str]:
        """The labelled networks, the scene network first."""
        return list(dict.fromkeys(name for name, _ in self.units))

    def layers(self, network: str) -> list[str]:
        """A network's labelled layers, early ones first.

        Parameters
        ----------
        network : str
            The network's name.

        Returns
        -------
        list of str
            The layers' names; empty for another network.
        """
        return [layer for name, layer in self.units if name == network]

    def places(self) -> Iterator[tuple[str, int, str, int]]:
        """Each labelled layer: network, depth (0 is the earliest), layer, and how many units it has."""
        for network in self.networks:
            for depth, layer in enumerate(self.layers(network)):
                yield network, depth, layer, self.units[network, layer]

    def of(self, network: str, layer: str | None = None) -> pd.DataFrame:
        """The labels of one layer of a network.

        Parameters
        ----------
        network : str
            The network's name.
        layer : str, optional
            The layer's name (default the deepest labelled one).

        Returns
        -------
        pandas.DataFrame
            Rows of `labels`.

        Raises
        ------
        SceneLensError
            If there is no such network or layer; CannotAnswerError where none of its units has a label.
        """
        self.need()
        wanted = layer or self.deepest(network)
        rows = self.labels[(self.labels.network == network) & (self.labels.layer == wanted)]
        if rows.empty and (network, wanted) in self.units:
            raise CannotAnswerError(f"{self.name}: no unit of {wanted} of the {network} network has a label.")
        if rows.empty:
            raise SceneLensError(f"{self.name}: no labels of {wanted or 'any layer'} of a {network} network.")
        return rows.reset_index(drop=True)

    def people_by_unit(self, network: str, layer: str, pattern: str) -> pd.Series:
        """How many annotators named each unit by a word.

        Parameters
        ----------
        network : str
            The network's name.
        layer : str
            The layer's name.
        pattern : str
            A regular expression for the word; case does not matter.

        Returns
        -------
        pandas.Series
            Number of annotators by unit; only the units that somebody named so.
        """
        own = self.labels[(self.labels.network == network) & (self.labels.layer == layer)]
        said = own[own.concept.str.contains(pattern, case=False)]
        return said.groupby("unit").annotator.nunique()

    def deepest(self, network: str) -> str:
        """The deepest labelled layer.

        Parameters
        ----------
        network : str
            The network's name.

        Returns
        -------
        str
            The layer's name; '' where the network has no labels.
        """
        return (self.layers(network) or [""])[-1]

    def describe(self) -> Sentences:
        """What the set contains, in a sentence.

        Returns
        -------
        Sentences
            Markdown.

        Raises
        ------
        CannotAnswerError
            If the set is empty.
        """
        self.need()
        people = self.labels.annotator.nunique()
        by = f"by {people} annotator{'s' * (people > 1)}"
        by = "computed without people" if set(self.labels.source) == {"automatic"} else by
        parts = [
            f"{named(network)} network: {', '.join(map(named, self.layers(network)))}"
            for network in self.networks
        ]
        units = len(self.labels.drop_duplicates(["network", "layer", "unit"]))
        counts = f"{len(self.labels):,} labels of {units:,} units, {by}"
        name = named(self.name)
        text = f"**{name[:1].upper()}{name[1:]}**: {counts}; {'; '.join(parts)}. {self.note}"
        return Sentences(text.strip())


def released_answers(folder: str | Path | None = None) -> LabelSet:
    """The paper's own human answers about both of its networks.

    Parameters
    ----------
    folder : str or pathlib.Path, optional
        The folder with unitAnnotation_places205-alexnet.mat and unitAnnotation_imagenet-alexnet.mat (default
        those that come with the package, in data/published/).

    Returns
    -------
    LabelSet
        Its labels.

    Raises
    ------
    SceneLensError
        If a file in `folder` is missing or has another layout.

    Notes
    -----
    Section 3.3. The networks are called by their role: the file's 'places205-alexnet' is 'scene'.
    """
    place = Path(folder) if folder is not None else HERE.published / "unit_annotation"
    files = sorted(place.glob("unitAnnotation_*.mat"), key=lambda file: PAIR.index(_role(file)))
    if not files:
        raise SceneLensError(f"{place} holds no unitAnnotation_*.mat; {_AMT_PAGE} has these files.")
    labels = pd.concat([read_amt(file, _role(file)) for file in files], ignore_index=True)
    counts = labels.groupby(["network", "layer"], sort=False).unit.nunique()
    return LabelSet("the paper's released answers", labels, counts.to_dict())


def _role(file: Path) -> str:
    name = file.stem.removeprefix("unitAnnotation_")
    if name not in ROLES:
        raise SceneLensError(f"{file}: the network {name!r} is not known; known are {', '.join(ROLES)}.")
    return ROLES[name]


def dissected_labels(folder: str | Path | None = None, layer: str = "pool5") -> LabelSet:
    """Network Dissection's published labels of the same units as `released_answers`.

    Parameters
    ----------
    folder : str or pathlib.Path, optional
        The folder with caffe_reference_places205.csv and caffe_reference_imagenet.csv (default those that
        come with the package, in data/published/).
    layer : str, optional
        The name to give to their layer, see `scenelens.labels.read_netdissect` (default 'pool5').

    Returns
    -------
    LabelSet
        Its labels.

    Raises
    ------
    SceneLensError
        If a file in `folder` is missing or has another layout.
    """
    place = Path(folder) if folder is not None else HERE.published / "netdissect"
    files = {"scene": "caffe_reference_places205.csv", "object": "caffe_reference_imagenet.csv"}
    labels = [read_netdissect(place / file, role, layer) for role, file in files.items()]
    units = {(role, layer): len(table) for role, table in zip(files, labels, strict=True)}
    return LabelSet("Network Dissection's labels", pd.concat(labels), units, "iou", LEAST_IOU)


def automatic_set(
    study: Study, by: str = "iou", least: float | None = None, networks: Sequence[str] = ()
) -> LabelSet:
    """A study's automatic labels: for each unit the annotated concept that fits best.

    What a label is worth is measured on images that did not choose it. Concepts on fewer than 10 images, five
    for each half, are left out: their overlap with a unit would be chance.

    Parameters
    ----------
    study : Study
        An open study.
    by : str, optional
        The measure that chooses a unit's concept and says how well it fits: 'iou' (default), 'f1',
        'correlation' or 'ap'; see `scenelens.labels.AutomaticLabels.labels`.
    least : float, optional
        From which value of the measure a label counts; a unit below keeps its label but is not counted
        (default 0.04 for the IoU as in Network Dissection, the F1 of such an IoU, a correlation of 0.1,
        otherwise 0.5).
    networks : sequence of str, optional
        The networks to label (default the trained ones, see `StudyNetworks.compared`).

    Returns
    -------
    LabelSet
        Empty, with the reason, where the study has no annotations or one of the networks is missing, or where
        no unit has a label.

    Raises
    ------
    SceneLensError
        If the measure is unknown or may not choose a label.
    """
    name = f"automatic labels of study {study.name}"
    try:
        found = {one: study.automatic_labels(one) for one in networks or study.networks.compared}
    except CannotAnswerError as why:
        return LabelSet(name, missing=str(why))
    first = next(iter(found.values()))
    labels = merge(*(one.labels(by) for one in found.values()))
    units = {
        (network, layer): study.networks[network].layer_shape(layer)[0]
        for network, one in found.items()
        for layer in one.layers
    }
    possible = first.concepts[first.concepts.images >= _SHOWN]
    lacking = tuple(kind for kind in TYPES if kind not in set(possible.type))
    note = f"{len(possible)} concepts, each on at least {_SHOWN} of {first.n_images:,} annotated images"
    note += f"; none of these types: {', '.join(lacking)}." if lacking else "."
    least = _LEAST.get(by, 0.5) if least is None else least
    missing = "" if len(labels) else _no_label(first)
    return LabelSet(name, labels, units, by, least, note, lacking, missing, _about(study, list(found)))


def _no_label(found: AutomaticLabels) -> str:
    """Why no unit has a label."""
    if found.concepts.empty or found.concepts.images.max() < _SHOWN:
        return (
            f"no concept is on {_SHOWN} of the {found.n_images} annotated images. A name needs "
            f"{LEAST_IMAGES} images that choose it and {LEAST_IMAGES} others that judge it: annotate more of "
            "them."
        )
    return (
        "no unit is active where anything is annotated, on images that did not choose its name: look at the "
        "networks' weights and preprocessing."
    )


def _about(study: Study, networks: list[str]) -> str:
    """What the untrained network is, where its labels are shown."""
    if CONTROL not in networks or study.networks.main == CONTROL:
        return ""
    return f"The {CONTROL} network is {study.networks.control_text()}."


def people_set(study: Study) -> LabelSet:
    """People's answers about a study's units, given in this workbook.

    Parameters
    ----------
    study : Study
        An open study.

    Returns
    -------
    LabelSet
        Each person's latest answer about each unit. Empty, with a sentence, before the first answer.
    """
    store = study.answers
    labels = current(store.labels())
    names = study.networks.compared
    labels = labels[labels.network.isin(names)]
    answered = set(zip(labels.network, labels.layer, strict=True))
    # The networks' order of layers, and not the order in which people answered.
    order = [(name, layer) for name in names for layer in study.networks[name].layers["layer"]]
    units = {key: study.networks[key[0]].layer_shape(key[1])[0] for key in order if key in answered}
    missing = (
        f"there are no answers yet: they are stored in {named(store.path.name)} as soon as one is given."
    )
    return LabelSet("your answers", labels, units, missing="" if len(labels) else missing)

"""Where a figure's labels come from: the paper's released answers, a study's automatic labels, its people.

Figures 6, 7 and 8 are drawn from each of them in the same way. A set that is empty says why in a sentence,
and what would fill it, so that a notebook goes on without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from scenelens.assets import advice, find
from scenelens.errors import SceneLensError
from scenelens.labels import COLUMNS, LEAST_IOU, ROLES, TYPES, current, merge, read_amt, read_netdissect
from scenelens.paper import PAIR, PRECISION_WANTED
from scenelens.sentences import Sentences
from scenelens.studies import Study

AMT, DISSECTION = "unit_annotation", "netdissect"  # names of assets
#: From which value of a measure a label counts, unless the reader says otherwise.
LEAST = {"iou": LEAST_IOU, "precision": PRECISION_WANTED}
SHOWN = 10  # images that have to show a concept, as in Network Dissection; a tenth of them where they are few


@dataclass(frozen=True)
class LabelSet:
    """Labels of both networks from one source.

    Attributes
    ----------
    name : what to call the source, in a few words.
    labels : the schema of `labels.COLUMNS`; `network` is the part a network plays, 'scene' or 'object'.
    units : (network, layer) to the number of units the layer has, labelled or not, in the networks' order.
    measure, least : the column that says how well a label fits, and from which value it counts.
    note : what the labels could be chosen from; for captions. lacking : types that no label could have.
    missing : why there are no labels, and what to do; empty where there are some.
    """

    name: str
    labels: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COLUMNS)))
    units: Mapping[tuple[str, str], int] = field(default_factory=dict)
    measure: str = "precision"
    least: float = PRECISION_WANTED
    note: str = ""
    lacking: tuple[str, ...] = ()
    missing: str = ""

    def __bool__(self) -> bool:
        return len(self.labels) > 0

    @property
    def networks(self) -> list[str]:
        """The networks labelled, the scene network first."""
        return list(dict.fromkeys(name for name, _ in self.units))

    def layers(self, network: str) -> list[str]:
        """A network's labelled layers, early ones first."""
        return [layer for name, layer in self.units if name == network]

    def of(self, network: str, layer: str | None = None) -> pd.DataFrame:
        """The labels of one network, and of one of its layers; without `layer` of its deepest one.

        Raises
        ------
        SceneLensError : there are no labels of that network.
        """
        wanted = layer or self.deepest(network)
        rows = self.labels[(self.labels.network == network) & (self.labels.layer == wanted)]
        if rows.empty:
            raise SceneLensError(f"{self.name}: no labels of {wanted or 'any layer'} of a {network} network.")
        return rows.reset_index(drop=True)

    def deepest(self, network: str) -> str:
        """The deepest layer labelled; empty where there is none."""
        return (self.layers(network) or [""])[-1]

    def read(self) -> Sentences:
        """What the set holds, in a sentence; or why it is empty."""
        if not self:
            return Sentences(self.missing)
        people = self.labels.annotator.nunique()
        by = f"by {people} annotator{'s' * (people > 1)}"
        by = "no person asked" if set(self.labels.source) == {"automatic"} else by
        parts = [f"{network} network: {', '.join(self.layers(network))}" for network in self.networks]
        units = len(self.labels.drop_duplicates(["network", "layer", "unit"]))
        said = f"{len(self.labels):,} labels of {units:,} units, {by}"
        text = f"**{self.name[0].upper()}{self.name[1:]}**: {said}; {'; '.join(parts)}. {self.note}"
        return Sentences(text.strip())


def released_answers(folder: str | Path | None = None) -> LabelSet:
    """The paper's own human answers about both of its networks, where they are at hand.

    Parameters
    ----------
    folder : with unitAnnotation_places205-alexnet.mat and unitAnnotation_imagenet-alexnet.mat; without it
        where `assets.find` finds them. Nothing is downloaded.

    Raises
    ------
    SceneLensError : a file in `folder` is missing or laid out differently.

    Notes
    -----
    Section 3.3. Networks are called by the part they play: the file's 'places205-alexnet' is 'scene'.
    """
    place = Path(folder) if folder is not None else find(AMT)
    if place is None:
        return LabelSet("the paper's released answers", missing=advice(AMT))
    files = sorted(place.glob("unitAnnotation_*.mat"), key=lambda file: PAIR.index(_role(file)))
    if not files:
        raise SceneLensError(f"{place} holds no unitAnnotation_*.mat; {advice(AMT)}")
    labels = pd.concat([read_amt(file, _role(file)) for file in files], ignore_index=True)
    counts = labels.groupby(["network", "layer"], sort=False).unit.nunique()
    return LabelSet("the paper's released answers", labels, counts.to_dict())


def _role(file: Path) -> str:
    name = file.stem.removeprefix("unitAnnotation_")
    if name not in ROLES:
        raise SceneLensError(f"{file}: nothing is known of a network {name!r}; there are {', '.join(ROLES)}.")
    return ROLES[name]


def dissected_labels(folder: str | Path | None = None, layer: str = "pool5") -> LabelSet:
    """Network Dissection's published labels of the units that `released_answers` speaks of.

    Parameters
    ----------
    folder : with caffe_reference_places205.csv and caffe_reference_imagenet.csv; without it where
        `assets.find` finds them.
    layer : what to call their layer, see `read_netdissect`.
    """
    place = Path(folder) if folder is not None else find(DISSECTION)
    if place is None:
        return LabelSet("Network Dissection's labels", missing=advice(DISSECTION))
    files = {"scene": "caffe_reference_places205.csv", "object": "caffe_reference_imagenet.csv"}
    labels = [read_netdissect(place / file, role, layer) for role, file in files.items()]
    units = {(role, layer): len(table) for role, table in zip(files, labels, strict=True)}
    return LabelSet("Network Dissection's labels", pd.concat(labels), units, "iou", LEAST_IOU)


def automatic_set(
    study: Study, by: str = "iou", least: float | None = None, networks: Sequence[str] = PAIR
) -> LabelSet:
    """A study's automatic labels: each unit's best concept in the annotations, no person asked.

    A concept that hardly any image shows (`SHOWN`) cannot win: its overlap with a unit would be chance.

    Parameters
    ----------
    by : the measure that chooses a unit's concept and says how well it fits; see `AutomaticLabels.measures`.
    least : from which value of it the label counts; a unit below keeps its label but is not counted. Without
        it Network Dissection's 0.04 for the IoU, the paper's 0.75 for precision, and half for the others.
    networks : those of them that the study has.

    Raises
    ------
    SceneLensError : a measure there is not.
    """
    name = f"automatic labels of study {study.name}"
    if study.annotations is None:
        return LabelSet(name, missing=f"Study {study.name} has no annotations to label units by: its "
                                      "study.toml can name some in an [annotations] table.")  # fmt: skip
    found = {network: study.automatic_labels(network) for network in networks if network in study.networks}
    if not found:
        return LabelSet(name, missing=f"Study {study.name} has no {' or '.join(networks)} network.")
    first = next(iter(found.values()))
    shown = max(1, min(SHOWN, first.n_images // 10))
    labels = merge(*(one.shown_often(shown).labels(by) for one in found.values()))
    units = {
        (network, layer): study.networks[network].layer_shape(layer)[0]
        for network, one in found.items()
        for layer in one.layers
    }
    wanted = LEAST.get(by, 0.5) if least is None else least
    there = first.concepts[first.concepts.images >= shown]
    lacking = tuple(kind for kind in TYPES if kind not in set(there.type))
    note = f"{len(there)} concepts, each on at least {shown} of {first.n_images:,} annotated images"
    note += f"; none of these types: {', '.join(lacking)}." if lacking else "."
    return LabelSet(name, labels, units, by, wanted, note, lacking)


def people_set(study: Study) -> LabelSet:
    """What people have answered about a study's units in this workbook."""
    store = study.answers
    labels = current(store.labels())
    labels = labels[labels.network.isin(PAIR)]
    order = [(name, layer) for name in PAIR if name in study.networks
             for layer in study.networks[name].layers["layer"]]  # fmt: skip
    there = set(zip(labels.network, labels.layer, strict=True))
    units = {key: study.networks[key[0]].layer_shape(key[1])[0] for key in order if key in there}
    nobody = f"Nobody has answered yet: answers are kept in {store.path.name} as soon as one is given."
    return LabelSet("your answers", labels, units, missing="" if len(labels) else nobody)

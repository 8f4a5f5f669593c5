"""The networks that a study.toml describes, each built and loaded when it is first used."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from scenelens.errors import CannotAnswerError, SceneLensError, close_names
from scenelens.networks import (
    PRESETS,
    ClassNames,
    Factory,
    Network,
    NonFinite,
    Preprocessing,
    build_module,
    load_weights,
)
from scenelens.paper import CONTROL, PAIR
from scenelens.progress import say_on_stderr
from scenelens.studies.study_file import StudyFile
from scenelens.studies.trust import StudyTrust


class StudyNetworks(Mapping):
    """The networks of a study by name, each loaded when it is first used.

    Parameters
    ----------
    file : StudyFile
        The checked study.toml.

    Raises
    ------
    SceneLensError
        On access to a name that the study does not have; it is a KeyError, too. CannotAnswerError where the
        name is 'scene', 'object' or 'untrained': the study could have such a network.
    """

    def __init__(self, file: StudyFile) -> None:
        self._file = file
        self._loaded: dict[str, Network] = {}

    @property
    def compared(self) -> list[str]:
        """The names of the trained networks: scene and object network first, then others as in the file.

        A study of nothing but an untrained network has that one.
        """
        trained = [name for name in self if name != CONTROL] or list(self)
        return sorted(trained, key=lambda name: PAIR.index(name) if name in PAIR else len(PAIR))

    @property
    def main(self) -> str:
        """The network that is looked at where one is: the scene network, or else the first of `compared`."""
        return self.compared[0]

    @property
    def other(self) -> str:
        """The network that the main one is compared with: the second of `compared`; raises without one."""
        names = self.compared
        if len(names) < 2:
            raise self._unknown(next(name for name in PAIR if name != self.main))
        return names[1]

    def control_text(self) -> str:
        """What the untrained network is, in words: it need not be of the main network's architecture.

        Returns
        -------
        str
            The end of a sentence, such as "a network with random weights, of the same architecture".

        Raises
        ------
        CannotAnswerError
            If the study has no untrained network.
        """
        control, main = self[CONTROL], self[self.main]
        if _layers(control) == _layers(main):
            return "a network with random weights, of the same architecture"
        return (
            "a network with random weights, but of another architecture "
            f"({type(control.module).__name__}, while the {self.main} network is a "
            f"{type(main.module).__name__}), so a difference need not come from the training"
        )

    def __getitem__(self, name: str) -> Network:
        tables = self._file.data["networks"]
        if name not in tables:
            raise self._unknown(name)
        if name not in self._loaded:
            self._loaded[name] = _load_network(self._file, name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.data["networks"])

    def __len__(self) -> int:
        return len(self._file.data["networks"])

    def __contains__(self, name: object) -> bool:
        return name in self._file.data["networks"]

    def __repr__(self) -> str:
        return f"networks: {', '.join(self)}"

    def _unknown(self, name: str) -> SceneLensError:
        if name not in (*PAIR, CONTROL):
            return _UnknownNetwork(f"the study has no network {name!r}; {close_names(name, list(self))}.")
        has = ", ".join(self)
        return _NoSuchRole(
            f"the study has no network {name!r} (only {has}): a table [networks.{name}] in "
            f"{self._file.path.name} would add one."
        )


class _UnknownNetwork(SceneLensError, KeyError):
    """No network of that name; also a KeyError, so that ``networks.get`` works as with any mapping."""

    __str__ = Exception.__str__  # KeyError would show the sentence in quotes


class _NoSuchRole(CannotAnswerError, KeyError):
    """The study lacks the scene, the object or the untrained network; a KeyError, too."""

    __str__ = Exception.__str__


def _layers(network: Network) -> list[tuple]:
    """Names, units and maps of a network's layers but for the last one, which has a unit per class."""
    return list(network.layers[["layer", "units", "map"]].itertuples(index=False, name=None))[:-1]


def _load_network(file: StudyFile, name: str) -> Network:
    """Build the network that ``[networks.<name>]`` describes, with its weights or its seed."""
    table, section = file.data["networks"][name], f"networks.{name}"
    classes = _classes(file, section, table.get("classes"))
    module, notes = _module(file, section, table, classes)
    names = None if isinstance(classes, int) else classes
    how, source = _preprocessing(file, section, table, module)
    network = Network(module, name, names, how)
    if isinstance(classes, int) and classes != len(network.classes):
        raise file.error(
            section, f"classes = {classes}, but its outputs are {len(network.classes)}.", "classes"
        )
    network.notes += _assumed(table, network.preprocessing, source)
    network.notes += [f"classes: {names.note}"] if names is not None and names.note else []
    try:
        for layer, units in table.get("silence", {}).items():
            network.silence(layer, units)
    except SceneLensError as error:
        raise file.error(section, str(error), "silence") from error
    unfit = NonFinite.note(network.module)
    if unfit:
        say_on_stderr(f"network {name!r} of {file.path}: {unfit}.")
    network.notes += [*notes, unfit] if unfit else notes
    return network


def _module(
    file: StudyFile, section: str, table: dict[str, Any], classes: ClassNames | int | None
) -> tuple[torch.nn.Module, list[str]]:
    """The module with its weights, and how these were understood."""
    if "factory" in table:
        trust = StudyTrust(file)
        module, notes = Factory(table["factory"], file.path.parent, trust.root).build(trust.check), []
    else:
        options: dict[str, Any] = {key: table[key] for key in ("width", "fc") if key in table}
        n_classes = classes if isinstance(classes, int) else len(classes or [])
        # The seed makes an untrained network the same in every run; the reader's own random numbers do not
        # change.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(table.get("seed", 0))
            module = _built(file, section, n_classes, options)
        notes = [module.note] if getattr(module, "note", "") else []
        # The control's name says that it was not trained; another network's name promises training.
        if "weights" not in table and section != f"networks.{CONTROL}":
            notes.append(f"weights: random (seed {table.get('seed', 0)}), so it has learnt nothing")
    if "weights" in table:
        load_weights(module, file.resolve(table["weights"]), table.get("rename"), notes)
    kinds = {value.dtype for value in module.state_dict().values() if value.is_floating_point()}
    if kinds - {torch.float32}:
        others = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds - {torch.float32}))
        module, notes = module.float(), [*notes, f"weights: {others} became float32"]
    return module, notes


def _built(file: StudyFile, section: str, n_classes: int, options: dict[str, Any]) -> torch.nn.Module:
    table = file.data["networks"][section.partition(".")[2]]
    architecture, given = table["architecture"], table.get("weights")
    try:
        weights = file.resolve(given) if given else None
        return build_module(architecture, n_classes, weights, **options)
    except SceneLensError as error:
        raise file.error(section, str(error)) from error
    except (TypeError, ValueError, RuntimeError, MemoryError, AssertionError) as error:
        # What torchvision's architectures raise for options that they do not take, and torch without memory.
        raise file.error(
            section, f"{architecture} cannot be built with {n_classes} classes and {options}: {error}."
        ) from error


def _classes(file: StudyFile, section: str, given: Any) -> ClassNames | int | None:
    """Class names, their number, or None: a factory's network needs none."""
    if given is None or isinstance(given, int):
        return given
    if isinstance(given, list):
        return ClassNames(given)
    return ClassNames.imagenet() if given == "imagenet" else ClassNames.read(file.existing(section, given))


def _preprocessing(
    file: StudyFile, section: str, table: dict[str, Any], module: torch.nn.Module
) -> tuple[Preprocessing | None, str]:
    """The preprocessing of a network, and where it is from; None where nothing says it."""
    given = table.get("preprocessing", _usual(table))
    if not isinstance(given, str):
        return _preprocessing_table(file, section, given), ""
    try:
        how, which = _named_preprocessing(given, table, module)
    except (SceneLensError, ValueError, AttributeError) as error:
        raise file.error(section, f"preprocessing = {given!r}: {error}", "preprocessing") from error
    return how, f" ({given}: {which})" if which else f" ({given})" if given else ""


def _assumed(table: dict[str, Any], how: Preprocessing, source: str) -> list[str]:
    """What was assumed about the preprocessing, in words."""
    if "preprocessing" not in table:
        return [f"preprocessing is not given; assumed: {how.words()}{source}"]
    return [f"preprocessing: {how.words()}{source}"] if "assumed" in source else []


def _usual(table: dict[str, Any]) -> str:
    """The name of the preprocessing that fits a network whose file does not say; empty for the default."""
    architecture = table.get("architecture", "")
    if architecture.startswith("timm:"):
        return "timm"
    if Path(table.get("weights", "")).suffix == ".caffemodel":
        return "caffe"
    return "torchvision" if architecture not in ("", "caffenet", "caffe") else ""


def _named_preprocessing(
    name: str, table: dict[str, Any], module: torch.nn.Module
) -> tuple[Preprocessing | None, str]:
    if name == "timm":
        config = getattr(module, "pretrained_cfg", None)
        return Preprocessing.of_timm(config), str((config or {}).get("tag") or "")
    if name == "torchvision":
        return Preprocessing.of_torchvision(table.get("architecture", ""), table.get("weights", ""))
    return PRESETS.get(name), ""


def _preprocessing_table(file: StudyFile, section: str, given: dict[str, Any]) -> Preprocessing:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in given.items()
    }
    if isinstance(values.get("size"), int):
        values["size"] = (values["size"],) * 2
    if "mean_image" in values:
        values["mean_image"] = str(file.existing(section, values["mean_image"]))
    try:
        return dataclasses.replace(Preprocessing(), **values)
    except (SceneLensError, TypeError) as error:
        raise file.error(f"{section}.preprocessing", str(error)) from error

"""The networks that a study.toml describes, each built and loaded when it is first used."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from scenelens.errors import SceneLensError, close_names
from scenelens.networks import (
    PRESETS,
    Factory,
    Network,
    Preprocessing,
    build_module,
    load_torchvision,
    load_weights,
    read_class_names,
)
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
        On access to a name that the study does not have; it is a KeyError, too.
    """

    def __init__(self, file: StudyFile) -> None:
        self._file = file
        self._loaded: dict[str, Network] = {}

    def __getitem__(self, name: str) -> Network:
        tables = self._file.data["networks"]
        if name not in tables:
            raise _UnknownNetwork(f"the study has no network {name!r}; {close_names(name, tables)}.")
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


class _UnknownNetwork(SceneLensError, KeyError):
    """No network of that name; also a KeyError, so that ``networks.get`` works as with any mapping."""

    __str__ = Exception.__str__  # KeyError would show the sentence in quotes


def _load_network(file: StudyFile, name: str) -> Network:
    """Build the network that ``[networks.<name>]`` describes, with its weights or its seed."""
    table, section = file.data["networks"][name], f"networks.{name}"
    classes, card = _classes(file, section, table.get("classes"))
    if "factory" in table:
        trust = StudyTrust(file)
        module = Factory(table["factory"], file.path.parent, trust.root).build(trust.check)
    else:
        options = {key: table[key] for key in ("width", "fc") if key in table}
        n_classes = classes if isinstance(classes, int) else len(classes or [])
        # The seed makes an untrained network the same in every run; the reader's own random numbers do not
        # change.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(table.get("seed", 0))
            module = _built(file, section, n_classes, options)
    if "weights" in table:
        load_weights(module, file.resolve(table["weights"]), table.get("rename"))
    names = None if isinstance(classes, int) else classes
    network = Network(module, name, names, _preprocessing(file, section, table.get("preprocessing")))
    network.card = card
    for layer, units in table.get("silence", {}).items():
        network.silence(layer, units)
    return network


def _built(file: StudyFile, section: str, n_classes: int, options: dict[str, Any]) -> torch.nn.Module:
    architecture = file.data["networks"][section.partition(".")[2]]["architecture"]
    try:
        return build_module(architecture, n_classes, **options)
    except SceneLensError as error:
        raise file.error(section, str(error)) from error
    except (TypeError, ValueError, RuntimeError, MemoryError, AssertionError) as error:
        # What torchvision's architectures raise for options that they do not take, and torch without memory.
        raise file.error(
            section, f"{architecture} cannot be built with {n_classes} classes and {options}: {error}."
        ) from error


def _classes(file: StudyFile, section: str, given: Any) -> tuple[list[str] | int | None, dict]:
    """Class names, their number, or None (a factory's network needs none); and the model card, if any."""
    if given is None or isinstance(given, int):
        return given, {}
    if isinstance(given, list):
        return [str(one) for one in given], {}
    if given == "imagenet":
        return list(load_torchvision().models.SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"]), {}
    path = file.existing(section, given)
    names = read_class_names(path)
    card = json.loads(path.read_text("utf-8")) if path.suffix == ".json" else {}
    return names, card if isinstance(card, dict) and "classes" in card else {}


def _preprocessing(file: StudyFile, section: str, given: Any) -> Preprocessing:
    if given is None:
        return Preprocessing()
    if isinstance(given, str):
        if given not in PRESETS:
            raise file.error(section, f"preprocessing = {given!r} is unknown; {close_names(given, PRESETS)}.")
        return PRESETS[given]
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

"""All kinds of the bench, and the surroundings in which they run."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

from tests.torture.ade20k import JSON, CheckedJSON
from tests.torture.annotations_xml import XML, CheckedXML
from tests.torture.answers import Answers
from tests.torture.bounds import CheckedResults
from tests.torture.caches import (
    CacheAtlas,
    CacheIndex,
    CacheLabels,
    CacheLocalization,
    CacheMinimal,
    CacheObjects,
)
from tests.torture.caffe import Caffe
from tests.torture.colour_masks import Masks
from tests.torture.images import Images
from tests.torture.kills import (
    KillAnswers,
    KillAtlas,
    KillIndex,
    KillLabels,
    KillLocalization,
    KillMinimal,
    KillWorld,
)
from tests.torture.kind import Kind
from tests.torture.label_maps import LabelMaps
from tests.torture.names import Figures, Pages, Text
from tests.torture.notebooks import Notebooks
from tests.torture.races import RaceAnswers, RaceCache, RaceWorld
from tests.torture.study_toml import TOML
from tests.torture.tables import Lists, Published
from tests.torture.weights import Safetensors, Torch

KINDS: list[type[Kind]] = [
    XML, JSON, Masks, LabelMaps, Images, TOML, Lists, Published, Safetensors, Torch, Caffe,
    CacheIndex, CacheObjects, CacheLabels, CacheAtlas, CacheMinimal, CacheLocalization, Answers,
    KillIndex, KillLabels, KillAtlas, KillMinimal, KillLocalization, KillAnswers, KillWorld,
    RaceCache, RaceWorld, RaceAnswers,
    Text, Pages, Figures, Notebooks,
    CheckedXML, CheckedJSON, CheckedResults,
]  # fmt: skip


@contextlib.contextmanager
def outside_world() -> Iterator[None]:
    """No variable or setting of the person who runs the bench chooses a study or a cache, nor allows code."""
    with tempfile.TemporaryDirectory(prefix="torture-settings-") as folder:
        for name in ("SCENELENS_STUDY", "SCENELENS_CACHE", "SCENELENS_DATA", "SCENELENS_TRUST"):
            os.environ.pop(name, None)
        os.environ["SCENELENS_CONFIG"] = folder
        yield

"""Automatic labels follow the files and settings that they depend on, and go on where a file is missing."""

from __future__ import annotations

import os

import numpy as np
import pytest

from scenelens.annotations.colour_masks import ColourMasks
from scenelens.annotations.joined import JoinedAnnotations
from scenelens.annotations.sun import AnnotatedImages, write_label_map, write_legend
from scenelens.labels.automatic import AutomaticLabels
from scenelens.labels.dissect import label_networks
from tests.annotated_study import SHAPE, annotated_study
from tests.annotations.test_broken_input import COLOURS, half_sky, write_masks


@pytest.fixture
def study(tmp_path):
    return annotated_study(tmp_path, per_category=2)


def path_of(annotations, folder) -> str:
    return AutomaticLabels.cache_path(annotations, lambda digests: folder / f"{hash(digests)}.npz").name


def test_a_missing_photograph_is_named_and_the_labels_go_on(study, capsys):
    annotations = study.annotations
    gone = annotations.images[0]
    before = path_of(annotations, study.cache)
    annotations.path(gone).unlink()
    assert path_of(annotations, study.cache) != before
    name = next(iter(study.networks))
    labels = study.labels_of_networks([name])[name]
    assert labels.n_images == len(annotations) - 1
    assert [image for image, _ in labels.skipped] == [gone]
    said = capsys.readouterr().err
    assert f"1 of {len(annotations)} images could not be read" in said
    assert gone in said


def test_a_missing_annotation_is_named_too(study):
    annotations = study.annotations
    annotations.sources[annotations.images[1]].unlink()
    network = study.networks[next(iter(study.networks))]
    (labels,) = label_networks([network], annotations, progress=False)
    assert [image for image, _ in labels.skipped] == [annotations.images[1]]


def test_legends_label_maps_and_edits_are_part_of_the_key(study):
    annotations, root = study.annotations, study.annotations.root
    image = annotations.images[0]
    found = [path_of(annotations, study.cache)]
    write_legend(root, "parts", {1: "leg"})
    found.append(path_of(annotations, study.cache))
    for code in (1, 2):
        write_label_map(root, image, "parts", np.full(SHAPE, code))
        found.append(path_of(annotations, study.cache))
    write_legend(root, "parts", {1: "arm"})
    found.append(path_of(annotations, study.cache))
    source = annotations.sources[image]
    source.write_text(source.read_text().replace("<name>bed", "<name>cot"))
    found.append(path_of(annotations, study.cache))
    assert len(set(found)) == len(found)
    assert path_of(AnnotatedImages(root), study.cache) == found[-1]


def test_colours_are_part_of_the_key(tmp_path):
    write_masks(tmp_path, half_sky())
    renamed = {"street": COLOURS["road"], "sky": COLOURS["sky"]}
    one, other = (ColourMasks(tmp_path, colours) for colours in (COLOURS, renamed))
    assert path_of(one, tmp_path) != path_of(other, tmp_path)
    joined = [JoinedAnnotations({"masks": masks}) for masks in (one, other)]
    assert path_of(joined[0], tmp_path) != path_of(joined[1], tmp_path)
    assert path_of(one, tmp_path) == path_of(ColourMasks(tmp_path, COLOURS), tmp_path)


def test_label_maps_with_an_old_date_count_as_any_others(study):
    """A file of labels that is newer than all label maps may still come from other label maps."""
    annotations = study.annotations
    before = path_of(annotations, study.cache)
    (study.cache / before).parent.mkdir(parents=True, exist_ok=True)
    (study.cache / before).write_bytes(b"labels")
    for image in annotations.images:
        write_label_map(annotations.root, image, "parts", np.ones(SHAPE, int))
    write_legend(annotations.root, "parts", {1: "leg"})
    for path in (annotations.root / "Labels").rglob("*.*"):
        os.utime(path, (0, 0))
    assert path_of(annotations, study.cache) != before

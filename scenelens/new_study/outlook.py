"""What the notebooks will be able to answer on a study, and what they will not: said before the first run."""

from __future__ import annotations

from scenelens.errors import SceneLensError
from scenelens.new_study.draft import counted
from scenelens.studies import Study

_FEW = 100  # photographs: the top 100 of section 2 are then all of them


def photographs(study: Study) -> list[str]:
    """Say what photographs a study has, and which of their categories its networks know.

    Parameters
    ----------
    study : Study
        The open study.

    Returns
    -------
    list of str
        Sentences.
    """
    lines = []
    for source, images in study.images.groupby("source", sort=False):
        names = [name for name in images.category.unique() if name not in ("", ".")]
        where = f"in {len(names)} categories ({counted(names)})" if names else "without categories"
        lines.append(f"{len(images):,} {source} photographs {where}.")
    for name in study.networks:
        lines += _matched(study, name)
    return lines


def _matched(study: Study, name: str) -> list[str]:
    """Which categories of its own kind of photographs a network has a class for."""
    own = study.images.source == {"scene": "scene-centric", "object": "object-centric"}.get(name, "")
    images = study.images[own]
    names = [one for one in images.category.unique() if one not in ("", ".")]
    classes = study.networks[name].class_names
    if not names:
        return []
    unknown = [one for one in names if not classes.find(one)]
    shared = [one for one in names if len(classes.find(one)) > 1]
    known = len(names) - len(unknown) - len(shared)
    said = [f"The {name} network has a class for {known} of these {len(names)} categories."]
    if unknown:
        said.append(
            f"It has none for {counted(unknown)}; if a class means one of these, say so by the key "
            f"categories of [[images]]. Its classes: {counted(classes)}."
        )
    if shared:
        said.append(f"Several of its classes have the name of {counted(shared)}; take the one you mean.")
    return said


def answers(study: Study) -> list[tuple[bool, str]]:
    """Say for each notebook whether a study can answer its questions.

    Parameters
    ----------
    study : Study
        The open study.

    Returns
    -------
    list of tuple
        (whether it can, a sentence), notebook after notebook.
    """
    sources, n = set(study.images.source), len(study.images)
    two = {"scene", "object"} <= set(study.networks)
    both = len(sources) == 2
    kinds = "scene-centric and object-centric photographs"
    known = "scene" in study.networks and _knows_scenes(study)
    notes, annotated = _annotated(study)
    return [
        _said(
            two and both, "02", "which images each layer prefers, by network", "both networks and " + kinds
        ),
        *(
            [(False, f"02: with {n} photographs the top 100 are all of them, so shares equal chance.")]
            * (n < _FEW)
        ),
        _said(
            known,
            "03_1",
            "minimal images",
            "a scene network and photographs in folders named like its classes",
        ),
        (True, "03_2: receptive fields."),
        (True, "03_3: what people name units" + (", and automatic names." if annotated else ".")),
        *([] if annotated else [(False, "03_3: no automatic names, which need annotations of objects.")]),
        _said(annotated, "04_1", "which objects emerge", "annotations of objects"),
        _said(annotated, "04_2", "finding objects in one pass", "annotations of objects"),
        *((False, note) for note in notes),
    ]


def _said(can: bool, notebook: str, question: str, needs: str) -> tuple[bool, str]:
    return can, f"{notebook}: {question}." if can else f"{notebook}: not {question}, which needs {needs}."


def _knows_scenes(study: Study) -> bool:
    scenes = study.images.category[study.images.source == "scene-centric"].unique()
    names = study.networks["scene"].class_names
    return any(len(names.find(one)) == 1 for one in scenes)


def _annotated(study: Study) -> tuple[list[str], bool]:
    """Notes about the annotations, and whether there are some."""
    try:
        known = study.annotations
    except SceneLensError as error:
        return [f"The annotations cannot be read: {error}"], False
    if known is None:
        return [], False
    n = len(known.images)
    few = f"Only {n} photographs are annotated; below about 100, intervals are wide: conclude little."
    return ([few] if n < _FEW else []), True

"""Runs all notebooks on a small study, and looks for what a reader would find wrong in them."""

from __future__ import annotations

import functools
import re
from collections import Counter

from scenelens.labels import read_amt
from scenelens.studies.networks import _load_network
from scenelens.workbook.style import Plate
from tests.matrix.notebook_cells import NOTEBOOKS, run_notebook, widget_errors
from tests.matrix.small_studies import title_of, trust, write_study

#: The notebooks that also show the answers published about the paper's own two networks.
PAPERS_UNITS = ("03_3", "04_1")
_OTHER = "it speaks of another study"
#: What no sentence, caption or figure may show -> why.
NEVER = {
    r"SceneWorld": _OTHER,
    r"\bnan\b|\bNaN\b": "a number is missing",
    r"\bNone\b(?! of)": "a name is missing",
    r"; \.|;\.|: \.|\(\)|, \.|\.\.(?!\.)": "a part of a sentence is empty",
}


#: The paper's released answers are the same for all studies: a process reads them once.
_read_once = functools.cache(read_amt)


def run_on(case, folder, monkeypatch):
    """Run all notebooks on a case's study; return what a reader would find wrong, one sentence each."""
    monkeypatch.setattr("scenelens.unit_semantics.sources.read_amt", _read_once)
    write_study_for(case, folder, monkeypatch)
    # Each notebook opens the study. Its networks are built, and watched in a pass, once for all of them.
    monkeypatch.setattr("scenelens.studies.networks._load_network", _remembered(_load_network))
    wrong = []
    for path in NOTEBOOKS:
        # Two units in each layer of the paper's architecture. The others have two to five times the layers.
        cells = run_notebook(path, units=2 if case["architecture"] == "caffenet" else 1)
        found = [*problems(cells, case)]
        if case["networks"] in ("one", "no object network") and path.stem[:4] not in PAPERS_UNITS:
            found += invented(cells)
        wrong += [f"{path.stem}, cell {where}: {what}" for where, what in found]
    return wrong


def _remembered(load):
    """A function that loads the network of a study file by its name, and each of them only once."""
    loaded = {}

    def load_once(file, name):
        if (file.path, name) not in loaded:
            loaded[file.path, name] = load(file, name)
        return loaded[file.path, name]

    return load_once


def name_of(case):
    """A case in one line, for the names of tests."""
    return " - ".join(case.values())


def write_study_for(case, folder, monkeypatch):
    monkeypatch.setenv("SCENELENS_TRUST", trust())
    study = write_study(folder / "study", case)
    monkeypatch.setenv("SCENELENS_STUDY", str(study))
    return study


def problems(cells, case):
    """(cell's number, what is wrong) for all that a reader would find wrong."""
    for cell in cells:
        if cell.error:
            yield cell.number, f"{cell.error.strip().splitlines()[-1]}\n{cell.error}"
        yield from ((cell.number, f"a widget shows {one}") for one in widget_errors(cell))
        for text in cell.texts:
            for pattern, why in NEVER.items():
                # Further trainings were only made of SceneWorld's networks, and the cells about them say so.
                named = why == _OTHER and "sl.seeds." in cell.source
                if not named and re.search(pattern, text):
                    yield cell.number, f"{why}: {text!r}"
        yield from ((cell.number, f"it tells of intervals, and draws none: {one}") for one in bare(cell))
    said = Counter(line for cell in cells for text in cell.texts for line in sentences(text) if refuses(line))
    yield from ((0, f"said {times} times: {line}") for line, times in said.items() if times > 1)
    if not any(title_of(case) in text for text in cells[0].texts):
        yield cells[0].number, f"the study's title is not in the first cell: {cells[0].texts}"


def invented(cells):
    """(cell's number, sentence) that speaks of an object network, for a study without one."""
    for cell in cells:
        # Several "object networks" are those that were trained again on SceneWorld.
        named = re.compile(r"object network\b")
        lines = [line for text in cell.texts for line in sentences(text) if named.search(line)]
        yield from ((cell.number, f"there is none: {one}") for one in lines if not about_others(one))


def bare(cell):
    """Captions that promise intervals as bars or lines, in a figure without any."""
    promise = re.compile(r"(bars|lines)[^.;]*interval", re.IGNORECASE)
    plates = [one for one in cell.shown if isinstance(one, Plate) and promise.search(one.caption)]
    return [one.caption for one in plates if not any(axes.lines or axes.collections for axes in one.axes)]


def about_others(line):
    """Whether a sentence that names an object network is about the paper's, or says that there is none."""
    return "paper" in line or re.search(r"\b([Nn]o|without an|needs an) object network", line)


def sentences(text):
    return [one.strip() for one in re.split(r"(?<=[.])\s+|\n", text) if one.strip()]


def refuses(sentence):
    """Whether a sentence says that something cannot be answered, or what the study lacks."""
    return bool(re.search(r"\bcannot\b|has no (network|annotations|images)|^No .*: this study", sentence))

"""The runner must find every error that a reader would see; its pages must load nothing from outside."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from scenelens.errors import SceneLensError
from scenelens.studies.study_file import StudyFile
from scenelens.workbook.__main__ import _estimate, main
from scenelens.workbook.page_body import WIDGET_VIEW, Body
from scenelens.workbook.pages import _read_front, _script, _style_sheet, write_pages
from scenelens.workbook.running import _WIDGET_STATE, Run, _find_problems, _read_notebook
from scenelens.workbook.snapshots import _snapshot
from scenelens.workbook.style import Plate
from tests.hostile_names import FORMULAS, SCRIPTS
from tests.page_parts import page_parts
from tests.requirements_gate import ROOT

FIXTURES = ROOT / "tests" / "notebooks"
OUTPUT_ERROR = "a widget's callback failed, captured by an Output widget: "
FAILING = {
    "fails_in_cell": "cell 3 failed: KeyError: 'lamp'",
    "fails_in_callback": "a widget's status line shows an error: ValueError: no such <unit>",
    "fails_in_output_widget": OUTPUT_ERROR + "ValueError: no such unit",
    "fails_in_button": "cell 3 failed: ValueError: no next unit",
    "fails_in_thread": "cell 2 printed a traceback: ValueError: lost in a thread",
    "empty": "it is empty: no code cell was run.",
    "silent": "it is empty: its code cells show nothing at all.",
}


class Addresses(HTMLParser):
    """Collects whatever a page would load or lead to, and its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.scripts += tag == "script"
        if tag == "a":
            self.links.append(given.get("href") or "")
        elif given.get("src") or tag == "link":
            self.loaded.append(given.get("src") or given.get("href") or "")


def addresses(html: str) -> Addresses:
    found = Addresses()
    found.feed(html)
    return found


@pytest.fixture(scope="module")
def good_run() -> Run:
    return Run.of(FIXTURES / "good.ipynb")


def executed(*cells, widgets=None):
    """An executed notebook made by hand, with saved widget models by id."""
    notebook = new_notebook(cells=list(cells))
    if widgets is not None:
        notebook.metadata["widgets"] = {_WIDGET_STATE: {"state": widgets}}
    return notebook


def ran(source="1 + 1", *outputs, **metadata):
    return new_code_cell(source, execution_count=1, outputs=list(outputs), metadata=metadata)


PRINTED = new_output("stream", name="stdout", text="2")


@pytest.mark.parametrize("name", FAILING)
def test_each_kind_of_failure_is_noticed(name):
    assert Run.of(FIXTURES / f"{name}.ipynb").problems == [FAILING[name]]


def test_every_fixture_notebook_is_used():
    assert {path.stem for path in FIXTURES.glob("*.ipynb")} == {*FAILING, "good"}


def test_a_good_notebook_passes_and_its_file_is_left_alone(good_run):
    assert good_run.problems == []
    source = nbformat.read(FIXTURES / "good.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in source.cells)


def test_a_cell_that_runs_too_long_is_named(tmp_path):
    path = tmp_path / "slow.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("import time\ntime.sleep(60)")]), path)
    assert "a cell ran longer than 1 s." in Run.of(path, timeout=1).problems


def test_a_dead_kernel_is_named(tmp_path):
    path = tmp_path / "dies.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("import os\nos._exit(1)")]), path)
    assert "its kernel died, as it does when memory runs out." in Run.of(path).problems


def test_the_kernel_is_this_python_in_the_notebooks_folder(tmp_path):
    path = tmp_path / "where.ipynb"
    nbformat.write(
        new_notebook(cells=[new_code_cell("import os, sys\nprint(sys.prefix, os.getcwd())")]), path
    )
    assert Run.of(path).notebook.cells[0].outputs[0].text.split() == [sys.prefix, str(tmp_path)]


def test_an_expected_exception_is_no_problem():
    error = new_output("error", ename="SceneLensError", evalue="no layer named 'pol5'", traceback=[])
    assert _find_problems(executed(ran("x", error))) == [
        "cell 1 failed: SceneLensError: no layer named 'pol5'"
    ]
    assert _find_problems(executed(ran("x", error, tags=["raises-exception"]))) == []


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"_dom_classes": ["scenelens-error"], "value": "<b>ValueError: x</b><details>t</details>"}, 1),
        ({"_dom_classes": ["scenelens-error"], "value": ""}, 0),
        ({"_dom_classes": ["scenelens-status"], "value": "60 images"}, 0),
        ({"outputs": [{"output_type": "stream", "text": "Traceback (most recent call last)\nE: x"}]}, 1),
        ({"outputs": [{"output_type": "stream", "text": "all is well"}]}, 0),
    ],
)
def test_widget_states(state, expected):
    notebook = executed(ran("x", PRINTED), widgets={"a": {"model_name": "HTMLModel", "state": state}})
    assert len(_find_problems(notebook)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{ not json",
        "",
        "[]",
        '{"nbformat": 4, "nbformat_minor": [5], "metadata": {}, "cells": []}',  # an error without a message
        '{"nbformat": 4, "nbformat_minor": {}, "metadata": {}, "cells": []}',
        '{"nbformat": [4], "nbformat_minor": 5, "metadata": {}, "cells": []}',
    ],
)
def test_a_file_that_is_no_notebook_is_named(tmp_path, text):
    path = tmp_path / "broken.ipynb"
    path.write_text(text)
    with pytest.raises(SceneLensError, match=r"broken\.ipynb is not a Jupyter notebook of format 4"):
        _read_notebook(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# A `b` *c*\n\nSection 3.1 · about 20 min\n\n- one\n- two\n  more\n\n- three\n\nEnd", "02 A b c"),
        ("no heading", "02_name"),
    ],
)
def test_front(text, expected):
    front = _read_front(new_notebook(cells=[new_markdown_cell(text)]), "02_name")
    assert front["title"] == expected
    if expected == "02 A b c":
        assert (front["place"], front["section"], front["minutes"]) == ("Section 3.1", "3.1", 20)
        assert front["goals"] == ["one", "two more", "three"]


def test_a_notebook_that_goes_beyond_a_section_is_not_the_place_of_that_section():
    text = "# Why\n\nBeyond section 4.1 of the paper · 50 minutes\n\n- one\n\nSection 4.1 found objects."
    front = _read_front(new_notebook(cells=[new_markdown_cell(text)]), "05_why")
    assert (front["place"], front["section"]) == ("Beyond section 4.1 of the paper", "")


def test_pages_load_nothing_from_anywhere(good_run, tmp_path):
    write_pages([good_run], tmp_path, "sceneworld")
    for page in ("good.html", "index.html"):
        assert page_parts(tmp_path / page).scripts == []
        found = addresses((tmp_path / page).read_text(encoding="utf-8"))
        assert found.scripts == 1  # the pages' own, which stands in the page
        assert found.loaded
        assert all(address.startswith("data:image/") for address in found.loaded)
    assert "@import" not in _style_sheet()
    assert "url(" not in _style_sheet()
    for word in ("fetch", "XMLHttpRequest", "innerHTML", "import(", "eval", "http"):
        assert word not in _script()


def test_pages_lead_to_each_other_and_to_notebooks_pages(good_run, tmp_path):
    (tmp_path / "good.ipynb").write_bytes(good_run.file())
    other = Run("other", good_run.notebook, 1.0)
    write_pages([good_run, other], tmp_path, "sceneworld")
    links = addresses((tmp_path / "good.html").read_text(encoding="utf-8")).links
    assert {"index.html", "other.html", "glossary.html", "search.html", "good.ipynb"} <= set(links)
    assert "fails_in_cell.html" not in links  # there is no such page
    index = addresses((tmp_path / "index.html").read_text(encoding="utf-8")).links
    assert {"good.html", "other.html", "glossary.html", "search.html"} <= set(index)
    assert dead_links(tmp_path) == []


def dead_links(folder):
    """Links of the pages in a folder that lead to no file, or to no place in it."""
    pages = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.html")}
    places = {name: set(re.findall(r'\sid="([^"]*)"', html)) for name, html in pages.items()}
    dead = []
    for name, html in pages.items():
        for link in addresses(html).links:
            file, _, place = unquote(link).partition("#")
            if link.startswith(("https:", "#q=")):
                continue
            there = (folder / (file or name)).resolve()
            if not there.exists():
                dead.append((name, link))
            elif place:
                own, listed = there.parent == folder, there.with_name("units.json")
                known = place in map(unescape, places[there.name]) if own else is_unit(listed, place)
                dead += [] if known else [(name, link)]
        dead += [(name, one) for one in addresses(html).loaded if not one.startswith("data:image/")]
    return dead


def is_unit(listed, place):
    """Whether a microscope has the unit, or the search, to which a link leads."""
    units = json.loads(listed.read_text(encoding="utf-8"))["units"]
    if place.startswith("/search/"):
        return True
    network, layer, unit = place.split("/")
    return 0 <= int(unit) < units[network][layer]


def test_a_page_shows_the_widgets_last_state(good_run):
    html = Body.of(good_run.notebook).html
    assert "VBox(children" not in html
    label, value, status = html.index("unit</span>"), html.index(">7</span>"), html.index("<div>unit 7</div>")
    assert label < value < status
    shown = [base64.b64decode(url.partition(",")[2]) for url in addresses(html).loaded]
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in shown]
    assert any(p.size == (120, 60) and p.getpixel((5, 5)) == (140, 90, 160) for p in pictures)


def test_a_figure_is_described_by_the_heading_above_it(good_run):
    assert 'alt="Figure 1: A good notebook"' in Body.of(good_run.notebook).html


def test_a_photograph_is_a_thumbnail_too(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (900, 300), "red").save(buffer, "JPEG")
    data = {"image/jpeg": base64.b64encode(buffer.getvalue()).decode()}
    write_pages([Run("a", executed(ran("x", new_output("display_data", data=data))), 1.0)], tmp_path, "real")
    *_, thumbnail = addresses((tmp_path / "index.html").read_text(encoding="utf-8")).loaded
    assert Image.open(io.BytesIO(base64.b64decode(thumbnail.partition(",")[2]))).size == (640, 213)


def test_problems_are_on_the_page_escaped(tmp_path):
    run = Run("bad", executed(ran("x", PRINTED)), 1.0, ["cell 1 failed: ValueError: no such <unit>"])
    write_pages([run], tmp_path, "sceneworld")
    for page in ("bad.html", "index.html"):
        assert "no such &lt;unit&gt;" in (tmp_path / page).read_text(encoding="utf-8")


def test_progress_bars_leave_nothing():
    bar = new_output("stream", name="stderr", text="\r 10%|#   |\r100%|####|\n")
    html = Body.of(executed(ran("x", bar))).html
    assert "%" not in html


@pytest.mark.parametrize(
    ("name", "state", "shown"),
    [
        (
            "DropdownModel",
            {"description": "layer", "_options_labels": ["conv5", "pool5"], "index": 1},
            "pool5",
        ),
        ("SelectMultipleModel", {"_options_labels": ["a", "b", "c"], "index": [0, 2]}, "a, c"),
        ("DropdownModel", {"description": "none", "_options_labels": [], "index": None}, "none"),
        ("IntSliderModel", {"description": "unit", "min": 0, "max": 10, "value": 4}, "left:40%"),
        ("IntSliderModel", {"description": "unit", "min": 3, "max": 3, "value": 3}, "left:0%"),
        ("CheckboxModel", {"description": "mark", "value": True}, "☑ mark"),
        ("ButtonModel", {"description": "<next>"}, "&lt;next&gt;"),
        ("TextModel", {"description": "concept", "value": "lamp"}, "lamp"),
        ("TextModel", {"value": "", "placeholder": "a word or two"}, "a word or two"),
        (
            "ToggleButtonsModel",
            {"_options_labels": ["scene", "object"], "index": 1},
            '<span class="button">scene</span> <span class="button"><b>object</b></span>',
        ),
        (
            "TabModel",
            {"children": ["IPY_MODEL_l", "IPY_MODEL_m"], "titles": ["A", "B"], "selected_index": 1},
            "M",
        ),
    ],
)
def test_controls_show_their_values(name, state, shown):
    models = {
        "x": {"model_name": name, "state": state},
        "l": {"model_name": "LabelModel", "state": {"value": "L"}},
        "m": {"model_name": "LabelModel", "state": {"value": "M"}},
    }
    assert shown in _snapshot("x", models)


def test_hidden_and_unknown_widgets_leave_no_trace():
    models = {
        "box": {"model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_a", "IPY_MODEL_gone"]}},
        "a": {"model_name": "LabelModel", "state": {"value": "secret", "layout": "IPY_MODEL_l"}},
        "l": {"model_name": "LayoutModel", "state": {"display": "none"}},
    }
    assert _snapshot("box", models) == _snapshot("gone", models)


def test_command_line_succeeds_on_a_good_notebook(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("SCENELENS_STUDY", "sceneworld")
    assert main([str(FIXTURES / "good.ipynb"), "--out", str(tmp_path)]) == 0
    assert f"The workbook is in {tmp_path / 'index.html'}" in capfd.readouterr().out
    times = json.loads((tmp_path / "times.json").read_text())
    assert times["total"] == times["notebooks"]["good"] > 0
    assert _estimate([FIXTURES / "good.ipynb"], tmp_path, 1, {}).startswith("last time this took ")


def test_the_outlook_shares_the_usual_times_out_to_notebooks_at_a_time(tmp_path):
    paths, usual = [Path(f"{name}.ipynb") for name in "abcd"], {"a": 30.0, "b": 20.0, "c": 15.0, "d": 10.0}
    assert _estimate(paths, tmp_path, 1, usual).startswith("about 75 s ")
    assert _estimate(paths, tmp_path, 2, usual).startswith("about 40 s ")  # a and d, b and c
    assert _estimate(paths, tmp_path, 4, usual).startswith("about 30 s ")
    assert _estimate([*paths, Path("new.ipynb")], tmp_path, 1, usual).startswith("at most about 3 min ")


def test_the_outlook_keeps_the_pace_of_this_machine(tmp_path):
    (tmp_path / "times.json").write_text('{"notebooks": {"a": 60.0, "b": 40.0}, "elapsed": 60.0}')
    paths, usual = [Path(f"{name}.ipynb") for name in "abc"], {"a": 30.0, "b": 20.0, "c": 15.0}
    assert _estimate(paths, tmp_path, 4, usual).startswith("about 60 s ")
    assert _estimate(paths[2:], tmp_path, 1, usual).startswith("about 30 s ")  # twice as long as usual
    assert _estimate(paths[:2], tmp_path, 2, usual) == "last time this took 60 s"


def test_command_line_fails_and_still_writes_all_pages(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("SCENELENS_STUDY", "sceneworld")
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in ("empty", "fails_in_cell"):
        shutil.copy(FIXTURES / f"{name}.ipynb", folder)
    assert main([str(folder), "--out", str(tmp_path / "out")]) == 1
    said = capfd.readouterr().err
    assert "workbook: empty: it is empty: no code cell was run." in said
    assert "workbook: fails_in_cell: cell 3 failed: KeyError: 'lamp'" in said
    assert (tmp_path / "out" / "fails_in_cell.html").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{tmp}"], "holds no notebook"),
        (["{tmp}/nothing"], "there is no notebook or folder"),
        (["{good}", "--study", "{tmp}/study.toml"], "there is no study file"),
        (["{good}", "--study", "sceneword"], "close names: sceneworld"),
    ],
)
def test_wrong_arguments_end_in_one_sentence(arguments, sentence, tmp_path, capfd):
    filled = [one.format(tmp=tmp_path, good=FIXTURES / "good.ipynb") for one in arguments]
    assert main([*filled, "--out", str(tmp_path / "out")]) == 2
    said = capfd.readouterr().err.strip()
    assert sentence in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(("line", "title"), [
    ("", "harbour"), ("title = 'Ships & <b>quays</b>'", "Ships &amp; &lt;b&gt;quays&lt;/b&gt;"),
])  # fmt: skip
def test_pages_have_the_studys_title_at_their_top(line, title, tmp_path):
    file = tmp_path / "harbour" / "study.toml"
    file.parent.mkdir()
    file.write_text(
        f"{line}\n[networks]\nscene = {{factory = 'n.py:build'}}\n"
        "[[images]]\npath='.'\nsource='scene-centric'"
    )
    study = StudyFile.read(StudyFile.find(file))
    assert study.name == "harbour"
    write_pages([Run("a", executed(ran("x", PRINTED)), 1.0)], tmp_path, study.title)
    for page in ("a.html", "index.html"):
        text = (tmp_path / page).read_text(encoding="utf-8")
        assert title in text.partition("<title>")[2].partition("</title>")[0]
        assert title in text.partition("<body")[2][:900]


def test_a_problem_with_half_a_character_is_still_on_its_page(tmp_path):
    run = Run("bad", executed(ran("x", PRINTED)), 1.0, ["cell 1 failed: no file caf\udce9.png"])
    write_pages([run], tmp_path, "caf\udce9")
    assert "no file caf?.png" in (tmp_path / "bad.html").read_text(encoding="utf-8")


def test_pages_never_replace_notebooks_or_a_readers_files(tmp_path, capsys):
    notebooks, site = tmp_path / "mine", tmp_path / "site"
    for folder in (notebooks, site):
        folder.mkdir()
    shutil.copy(FIXTURES / "good.ipynb", notebooks)
    (notebooks / "linked").symlink_to(notebooks)
    (site / "index.html").write_text("my own site")
    before = (notebooks / "good.ipynb").read_bytes()
    for out in (notebooks, notebooks / "linked", site):
        assert main([str(notebooks / "good.ipynb"), "--out", str(out)]) == 2
        said = capsys.readouterr().err
        assert "would replace" in said
        assert said.count("\n") == 1
    assert (notebooks / "good.ipynb").read_bytes() == before
    assert (site / "index.html").read_text() == "my own site"
    assert [path.name for path in site.iterdir()] == ["index.html"]


def test_pages_replace_those_of_an_earlier_run_even_of_an_interrupted_one(tmp_path, monkeypatch):
    words = [str(FIXTURES / "good.ipynb"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(Run, "of", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        main(words)
    (tmp_path / "out/index.html").write_text("of the interrupted run")
    monkeypatch.undo()
    assert main(words) == 0
    assert main(words) == 0


def test_a_notebook_in_a_folder_of_any_name(tmp_path):
    folder = tmp_path / "we ird \"q\" $x 'é' [1] #2 %41"
    folder.mkdir()
    shutil.copy(FIXTURES / "good.ipynb", folder / "a b's.ipynb")
    assert main([str(folder), "--out", str(folder / "o ut")]) == 0
    assert (folder / "o ut/a b's.html").exists()


@pytest.mark.parametrize("name", [*SCRIPTS, *FORMULAS])
def test_a_page_shows_names_as_text_in_figures_widgets_problems_and_titles(name, tmp_path):
    data, metadata = Plate("", 0.3, f"caption {name}")._repr_mimebundle_()
    shown = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in data.items()}
    outputs = [
        new_output("execute_result", data=shown, metadata=metadata, execution_count=1),
        new_output("execute_result", data={"text/plain": name}, execution_count=1),
        new_output("stream", name="stdout", text=name),
        new_output("error", ename="SceneLensError", evalue=name, traceback=[f"SceneLensError: {name}"]),
        new_output("display_data", data={WIDGET_VIEW: {"model_id": "w"}}),
    ]
    state = {"description": name, "_options_labels": [name], "index": 0, "value": name, "titles": [name]}
    kinds = ["DropdownModel", "ButtonModel", "TextModel", "LabelModel", "CheckboxModel", "ToggleButtonsModel"]
    models = {kind: {"model_name": kind, "state": state} for kind in kinds}
    children = [f"IPY_MODEL_{kind}" for kind in kinds]
    models["w"] = {"model_name": "VBoxModel", "state": {"children": children}}
    run = Run("page", executed(ran("x", *outputs), widgets=models), 1.0, [f"failed: {name}"])
    write_pages([run], tmp_path, name)
    for page in ("page.html", "index.html", "search.html"):
        assert page_parts(tmp_path / page).scripts == []

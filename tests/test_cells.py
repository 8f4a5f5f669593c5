"""A cell that the study cannot answer says why, once; what does not build on it runs; errors are errors."""

import re

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat.v4 import new_code_cell, new_notebook

from scenelens.cells import answer_in_cells
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.workbook.running import Run
from tests.requirements_gate import ROOT
from tests.tiny_study import write_tiny_study

WHY = "the study has one network."


def refuse(why=WHY):
    raise CannotAnswerError(why)


def mistake():
    raise SceneLensError("no layer 'pol5'.")


@pytest.fixture
def cell():
    """A notebook's shell: runs a cell, returns what it shows, raises what it raises."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(user_ns={"refuse": refuse, "mistake": mistake})
    shell.history_manager.enabled = False
    answer_in_cells()
    answer_in_cells()  # opening a second study changes nothing

    def run(code):
        with capture_output() as captured:
            result = shell.run_cell(code, store_history=True)
        result.raise_error()
        shown = [one.data.get("text/markdown", one.data["text/plain"]) for one in captured.outputs]
        printed = re.sub(r"^Out\[\d+\]: ", "", captured.stdout.strip())
        return [*shown, *filter(None, [printed])]

    yield run
    InteractiveShell.clear_instance()


def test_the_reason_is_said_once_and_what_builds_on_it_is_passed_over(cell):
    said = [f"**This study cannot answer that:** {WHY}"]
    assert cell("table = refuse()\nprint('a statement of its own')\ntable") == [
        *said,
        "a statement of its own",
    ]
    assert cell("print(table)") == []
    assert cell("drawn = len(table)\ndrawn") == []
    assert cell("drawn + 1") == []
    assert cell("other = refuse()") == []
    assert cell("print('all else runs')") == ["all else runs"]
    assert cell("6 * 7") == ["42"]


def test_a_cell_that_is_run_again_says_it_again(cell):
    assert cell("refuse()") == cell("refuse()") != []
    assert cell("refuse( )  # the same code") == cell("refuse()")
    assert cell("x = refuse()") == []


def test_two_reasons_are_two_sentences(cell):
    assert len(cell("a = refuse()\nb = refuse('the study has no annotations.')\n(a, b)")) == 2


def test_a_name_that_gets_a_value_later_is_a_name_like_any_other(cell):
    cell("x = refuse()")
    assert cell("x = 3\nx") == ["3"]
    cell("x = refuse()")
    assert cell("for x in [1, 2]:\n    print(x)") == ["1\n2"]


def test_all_names_of_a_statement_get_no_value(cell):
    cell("a, (b, *c) = refuse()\n")
    assert cell("a") == cell("b") == cell("c") == []
    cell("with open(refuse()) as d: e = 1")
    assert cell("e") == []
    assert cell("[one for one in refuse()]\n") == []
    assert cell("one = 1; one") == ["1"]


def test_a_function_that_uses_such_a_name_raises_the_reason(cell):
    cell("x = refuse()")
    cell("def f():\n    return x.mean()\ndef g():\n    return x['share']")
    cell("y = f()")
    assert cell("y") == []
    assert cell("g()") == []


@pytest.mark.parametrize(
    "code", ["mistake()", "x = mistake()", "1 / 0", "no_such_name", "f(", "import nothing_"]
)
def test_all_other_errors_stay_errors(cell, code):
    with pytest.raises((SceneLensError, ZeroDivisionError, NameError, SyntaxError, ImportError)):
        cell(code)


def test_a_reader_can_catch_it(cell):
    assert cell("try:\n    refuse()\nexcept ValueError as error:\n    print(error)") == [WHY]


def test_cells_do_what_they_did(cell):
    assert cell("x = 5\nx;") == []
    assert cell("(y := 4)") == ["4"]
    assert cell("[k for k in range(3)]") == ["[0, 1, 2]"]
    assert cell("import math\nmath.pi // 1") == ["3.0"]
    assert cell("class A:\n    b = 1\nA.b") == ["1"]
    assert cell("import asyncio\nawait asyncio.sleep(0, 8)") == ["8"]
    assert cell("%xmode Plain")[0].startswith("Exception reporting mode")
    assert cell("") == []


def test_a_script_gets_the_exception():
    InteractiveShell.clear_instance()
    answer_in_cells()
    with pytest.raises(CannotAnswerError, match="one network"):
        refuse()


def test_a_notebook_in_jupyter_goes_on(tmp_path, monkeypatch):
    """The same in a kernel, as `make workbook` runs it: no problem, one sentence, the rest is there."""
    path = write_tiny_study(tmp_path, per_category=1)
    monkeypatch.setenv("SCENELENS_STUDY", str(path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    cells = [
        "import scenelens as sl\nstudy = sl.open_study()",
        "presence = sl.object_presence(study)\nsl.object_table(presence)",
        "sl.describe_presence(presence)",
        "study.scene_images()",
        "len(study.images)",
    ]
    notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
    nbformat.write(notebook, tmp_path / "small.ipynb")
    run = Run.of(tmp_path / "small.ipynb")
    assert run.problems == []
    first, second, third, fourth, fifth = ([o.data for o in c.outputs] for c in run.notebook.cells)
    assert first == third == fourth == []
    assert [one["text/markdown"] for one in second] == [
        "**This study cannot answer that:** it is not known where which object is, because the study has no "
        "annotations: add an &#91;annotations&#93; table to study.toml."
    ]
    assert fifth[0]["text/plain"] == "5"

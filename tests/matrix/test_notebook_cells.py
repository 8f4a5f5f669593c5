"""A notebook that was run in this process leaves nothing behind."""

import gc

import nbformat
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_code_cell, new_notebook

from tests.matrix.notebook_cells import run_notebook


def shells():
    gc.collect()
    return sum(type(one) is InteractiveShell for one in gc.get_objects())


def test_the_shells_of_earlier_notebooks_are_gone(tmp_path):
    path = tmp_path / "a.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("open_study = 1\nopen_study + 1")]), path)
    assert [cell.texts for cell in run_notebook(path)] == [["2"]]
    before = shells()
    for _ in range(3):
        run_notebook(path)
    assert shells() <= before

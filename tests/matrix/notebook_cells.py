"""Runs the code cells of a notebook in this process, and reads what a reader would see under each."""

from __future__ import annotations

import ast
import atexit
import builtins
import copy
import json
import re
import traceback
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import ipywidgets
import pandas as pd
from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.figure import Figure
from matplotlib.text import Text
from pandas.io.formats.style import Styler
from traitlets.config import Config

from scenelens.workbook.style import Plate
from scenelens.workbook.widgets.status import ERROR_CLASS
from tests.requirements_gate import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_TAGS = re.compile(r"<[^>]+>")


@dataclass
class Cell:
    """A code cell that was run.

    Attributes
    ----------
    number : int
        Its place among all cells of the notebook, from 0.
    source : str
        Its code.
    error : str
        The traceback of an error; '' where there is none.
    texts : list of str
        The sentences, captions and words in figures that it shows. Tables are not among them.
    shown : list
        The objects that it shows.
    """

    number: int
    source: str
    error: str = ""
    texts: list[str] = field(default_factory=list)
    shown: list[Any] = field(default_factory=list)


class _Hook(DisplayHook):
    """Takes what a cell shows; IPython's own hook would encode every figure."""

    def __init__(self, shell: InteractiveShell, shown: list[Any]) -> None:
        super().__init__(shell=shell)
        self.taken = shown

    def __call__(self, value: Any = None) -> None:
        if value is not None:
            self.taken.append(value)


def run_notebook(path: Path, units: int = 2) -> list[Cell]:
    """Run all code cells of a notebook; the environment says on which study, as for a reader.

    At most `units` receptive fields are measured in each layer.
    """
    InteractiveShell.clear_instance()
    without_history = Config({"HistoryManager": {"enabled": False}})  # it would be a file and a thread
    shell = InteractiveShell.instance(config=without_history, user_ns={"__name__": "__main__"})
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = {
        number: quicker("".join(cell["source"]), units)
        for number, cell in enumerate(cells)
        if cell["cell_type"] == "code"
    }
    same = same_for_all(code)
    try:
        return [
            (_run_once if number in same else _run)(shell, Cell(number, source))
            for number, source in code.items()
        ]
    finally:
        # The next shell and the end of the process would keep this one, and with it the study.
        shell.cleanup()
        InteractiveShell.clear_instance()
        atexit.unregister(shell.atexit_operations)


def same_for_all(code: dict[int, str]) -> set[int]:
    """Which cells read neither the study nor anything that was made from one: they are the same for all.

    Examples
    --------
    >>> sorted(same_for_all({1: "study = sl.open_study()", 2: "answers = sl.released()", 3: "f(study)"}))
    [2]
    """
    same, own, others = set(), {"sl", *dir(builtins)}, set()  # names without and with a study behind them
    for number, source in code.items():
        names = [one for one in ast.walk(ast.parse(source)) if isinstance(one, ast.Name)]
        added = [one.target for one in ast.walk(ast.parse(source)) if isinstance(one, ast.AugAssign)]
        stored = {one.id for one in names if isinstance(one.ctx, ast.Store)}
        read = {one.id for one in [*names, *added] if isinstance(one, ast.Name)} - (stored - others)
        if read <= own and "open_study" not in source:
            same.add(number)
            own |= stored
        else:
            others |= stored
            own -= stored
    return same


#: A cell's number and code, of those that are the same for all studies -> the cell, and what it named.
_ONCE: dict[tuple[int, str], tuple[Cell, dict[str, Any]]] = {}


def _run_once(shell: InteractiveShell, cell: Cell) -> Cell:
    """Run a cell that is the same for all studies, once in this process."""
    if (cell.number, cell.source) not in _ONCE:
        before = dict(shell.user_ns)
        _run(shell, cell)
        made = {name: value for name, value in shell.user_ns.items() if before.get(name) is not value}
        _ONCE[cell.number, cell.source] = cell, {k: v for k, v in made.items() if not k.startswith("_")}
    done, made = _ONCE[cell.number, cell.source]
    shell.user_ns.update(made)
    return copy.copy(done)


def quicker(source: str, units: int) -> str:
    """A cell that measures receptive fields for half a minute measures a few.

    Examples
    --------
    >>> quicker("atlas.grow(8, seconds=30)", units=1)
    'atlas.grow(1, seconds=0.5)'
    """
    return source.replace("atlas.grow(8, seconds=30)", f"atlas.grow({units}, seconds=0.5)").replace(
        "n_images=25", "n_images=3"
    )


def _run(shell: InteractiveShell, cell: Cell) -> Cell:
    hook = shell.displayhook
    with capture_output() as captured:
        shell.displayhook = shell.display_trap.hook = _Hook(shell, cell.shown)
        try:
            result = shell.run_cell(cell.source, store_history=False, silent=False)
        finally:
            shell.displayhook = shell.display_trap.hook = hook
    error = result.error_in_exec or result.error_before_exec
    if error is not None:
        cell.error = "".join(traceback.format_exception(error))
        return cell  # what it shows is the traceback
    for plate in [value for value in cell.shown if isinstance(value, Plate)]:
        _draw(plate, in_full=cell.source not in _DRAWN)
    _DRAWN.add(cell.source)
    cell.texts = [text for value in cell.shown for text in _texts(value)]
    cell.texts += [unescape(_TAGS.sub(" ", one.data.get("text/markdown", ""))) for one in captured.outputs]
    cell.texts += [captured.stdout] if captured.stdout.strip() else []
    return cell


#: The code of cells whose figures this process has drawn in full, on one study.
_DRAWN: set[str] = set()


def _draw(plate: Plate, in_full: bool) -> None:
    """A figure that cannot be drawn is an error of its cell. On later studies, all but the pixels is made."""
    plate.set_dpi(30)
    if in_full:
        plate.canvas.draw()
    else:
        plate.draw_without_rendering()


def _texts(value: Any) -> list[str]:
    if isinstance(value, Figure):
        return [getattr(value, "caption", ""), *(text.get_text() for text in value.findobj(Text))]
    if isinstance(value, pd.DataFrame | pd.Series | Styler):
        return []
    if isinstance(value, ipywidgets.Widget):
        return [text for widget in _family(value) for text in _words_of(widget)]
    return [str(value)]


def _family(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    return [widget, *(one for child in getattr(widget, "children", ()) for one in _family(child))]


def _words_of(widget: ipywidgets.Widget) -> list[str]:
    if isinstance(widget, ipywidgets.HTML | ipywidgets.Label):
        return [unescape(_TAGS.sub(" ", widget.value.partition("<style")[0]))]
    return []


def widget_errors(cell: Cell) -> list[str]:
    """The errors that the widgets of a cell show in their status lines."""
    widgets = [one for value in cell.shown if isinstance(value, ipywidgets.Widget) for one in _family(value)]
    return [
        unescape(_TAGS.sub(" ", one.value.partition("<details")[0])).strip()
        for one in widgets
        if ERROR_CLASS in getattr(one, "_dom_classes", ()) and one.value
    ]

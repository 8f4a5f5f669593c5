"""Hostile names on their way into sentences, pages, figures, tables and file names."""

from __future__ import annotations

import csv
import io
import json
import random
import unicodedata
from pathlib import Path

import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from scenelens.files import csv_file, file_name
from scenelens.sentences import Sentences, named, one_line, words
from scenelens.workbook.pages import write_pages
from scenelens.workbook.running import Run
from scenelens.workbook.style import Plate
from tests.hostile_names import HOSTILE, mixtures, visible
from tests.page_parts import page_parts, rendered
from tests.torture.kind import Files, Kind, expect

_FORMULA = tuple("=+-@\t\r\n")


class _Names(Kind):
    n = 1

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for names in ([*HOSTILE[: self.n]], ["bed"] * self.n):
            self.check(self._files(names))

    def _files(self, names: list[str]) -> Files:
        return {"names.json": json.dumps(names).encode()}

    def make(self, rng: random.Random) -> Files:
        made = mixtures(self.n, rng.getrandbits(32))
        return self._files([rng.choice([one, one, rng.choice(HOSTILE)]) for one in made])

    def check(self, files: Files) -> None:
        self.check_names(json.loads(files["names.json"]))

    def check_names(self, names: list[str]) -> None:
        """Show the names, and look for what they could do."""
        raise NotImplementedError


class Text(_Names):
    """Sentences, lines, CSV files and the names of files."""

    name, n = "names: text", 4

    def check_names(self, names: list[str]) -> None:
        for name in names:
            shown = rendered(Sentences(f"**{named(name)}**: 3 of 4.\n\n- {named(words(name))}, n = 4"))
            expect(shown.tags <= {"p", "ul", "li", "strong", "span"}, "a name is markup")
            expect(not shown.scripts, "a name in a sentence runs")
            expect(not rendered(Sentences(f"{name}: {name}")).scripts, "a name that nobody marked runs")
            expect(visible(one_line(name)) and len(one_line(name)) <= 160, "a name is not one visible line")
            made = file_name(name)
            expect(Path(made).name == made and made not in ("", ".", ".."), "a name is a path")
            expect(len(made.encode()) <= 120, "the name of a file is too long")
        expect(len({file_name(name) for name in names}) == len(set(names)), "two names have one file")
        self._table(names)

    def _table(self, names: list[str]) -> None:
        table = pd.DataFrame(
            {"concept": names, names[0]: [f"x{name}" for name in names], "n": range(len(names))}
        )
        rows = list(csv.reader(io.StringIO(csv_file(table).decode(), newline="")))
        expect(
            len(rows) == 1 + len(names) and {len(row) for row in rows} == {3}, "a cell moved in a CSV file"
        )
        for cell in (cell for row in rows for cell in row[:2]):
            first = unicodedata.normalize("NFKC", one_line(cell, longest=len(cell)).lstrip()[:1])
            expect(not cell.startswith(_FORMULA) and not first.startswith(_FORMULA), "a cell is a formula")


class Pages(_Names):
    """A page of the workbook: names in its text, tables, outputs and file name."""

    name, n = "names: pages", 6

    def check_names(self, names: list[str]) -> None:
        table = pd.DataFrame({"concept": names, "unit": range(len(names))})
        cells = [new_markdown_cell("# Title\n\nText."), new_code_cell("x", execution_count=1, outputs=[
            new_output("display_data", data={"text/markdown": Sentences(named(names[0]))._repr_markdown_()}),
            new_output("display_data", data={"text/html": table.to_html(), "text/plain": str(table)}),
            new_output("stream", text="\n".join(names)),
        ])]  # fmt: skip
        run = Run(file_name(names[1]), new_notebook(cells=cells), 1.0)
        write_pages([run], self.folder / "pages", names[2])
        for path in (self.folder / "pages").glob("*.html"):
            expect(not page_parts(path).scripts, "a page holds a script that is not its own")
            path.unlink()


class Figures(_Names):
    """Titles, captions and labels of a figure: no formula, no missing glyph stops the drawing."""

    name, n, share = "names: figures", 3, 0.5

    def check_names(self, names: list[str]) -> None:
        plate = Plate(names[0], 0.5, names[1], width=3.0)
        axes = plate.axes_at(0.5, 0.0, 2.0, 0.4)
        axes.set_xlabel(names[2])
        axes.set_xticks([0], names[:1])
        plate.savefig(io.BytesIO(), format="png", dpi=20)

"""Files of notebooks: other types at any place, damaged text."""

from __future__ import annotations

import json
import random
from pathlib import Path

from scenelens.errors import SceneLensError
from scenelens.workbook.running import _read_notebook
from tests.requirements_gate import ROOT
from tests.torture.kind import Files, Kind, expect, expect_sentence
from tests.torture.mutate import damaged, edited_text, misplaced


class Notebooks(Kind):
    """Either one sentence that names the file, or a notebook with cells."""

    name, share = "notebooks", 0.5

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.whole = (ROOT / "tests/notebooks/good.ipynb").read_bytes()
        self.check({"a.ipynb": self.whole})

    def make(self, rng: random.Random) -> Files:
        how = rng.random()
        if how < 0.5:
            return {"a.ipynb": json.dumps(misplaced(json.loads(self.whole), rng)).encode()}
        return {"a.ipynb": edited_text(self.whole, rng) if how < 0.8 else damaged(self.whole, rng)}

    def check(self, files: Files) -> None:
        path = self.write(self.folder / "a.ipynb", files["a.ipynb"])
        try:
            expect(isinstance(_read_notebook(path).cells, list), "a notebook without cells")
        except SceneLensError as error:
            expect_sentence(str(error), "a.ipynb")

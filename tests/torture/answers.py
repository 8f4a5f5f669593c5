"""Files of answers with damaged bytes: one sentence, or answers in their schema; never another error."""

from __future__ import annotations

import random
from pathlib import Path

from scenelens.errors import SceneLensError
from scenelens.labels.store import LabelStore
from scenelens.labels.table import COLUMNS
from tests.torture.kills import ANSWER
from tests.torture.kind import Files, Kind, expect, expect_sentence
from tests.torture.mutate import damaged, edited_text, scattered


class Answers(Kind):
    """SQLite has no checksums, so a damaged file may give another answer; it may not give a foreign error."""

    name = "answers file"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        store = LabelStore(folder / "whole.db")
        for unit in range(6):
            store.add(**ANSWER, unit=unit, precision=0.5, n_images=9, details='{"marked": [1]}')
        self.whole = (folder / "whole.db").read_bytes()
        self.check({"answers.db": self.whole})

    def make(self, rng: random.Random) -> Files:
        content, how = self.whole, rng.random()
        if how < 0.4:
            content = scattered(content, rng, cut=0.1)
        elif how < 0.6:
            content = scattered(content, rng, 8, within=rng.choice([100, 1000]), cut=0)
        elif how < 0.8:
            content = damaged(content, rng)
        else:  # where the rows are
            content = content[:-600] + edited_text(content[-600:], rng)[:600].ljust(600, b"\0")
        return {"answers.db": content}

    def check(self, files: Files) -> None:
        for path in self.folder.glob("answers*"):
            path.unlink()
        path = self.write(self.folder / "answers.db", files["answers.db"])
        for use in (self._read, self._write, self._read):
            try:
                use(path)
            except SceneLensError as error:
                expect_sentence(str(error), "answers.db")

    def _read(self, path: Path) -> None:
        store = LabelStore(path)
        expect(list(store.labels().columns) == list(COLUMNS), "answers without their columns")
        store.progress("Ada")
        store.export_csv(self.folder / "answers.csv")

    def _write(self, path: Path) -> None:
        identity = LabelStore(path).add(**ANSWER, unit=99)
        expect(identity in set(LabelStore(path).history().identity), "an accepted answer is not there")

"""Processes killed at any moment: what they had finished stays, and the result is that of one that lived."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from pathlib import Path

from scenelens.files import Drafts
from scenelens.labels.store import LabelStore
from tests.torture.kind import Files, Kind, expect
from tests.torture.processes import Fork
from tests.torture.results import described, result, snapshot
from tests.torture.small_study import write_small_study
from tests.torture.world import draw_quickly, render


class Killed(Kind):
    """One kind of work. Each input is a list of moments; at each a process that does the work is killed."""

    share = 0.8

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.prepare()
        self.work()
        start = time.monotonic()
        self.clean()
        Fork(self.work, folder).wait()  # as it will be killed: with everything imported and compiled
        self.seconds = time.monotonic() - start
        self.right = self.outcome()

    def prepare(self) -> None:
        """What is there before the work."""

    def clean(self) -> None:
        """Remove the results."""
        raise NotImplementedError

    def work(self) -> None:
        """What is killed."""
        raise NotImplementedError

    def outcome(self) -> object:
        """The result, made now where it is not there."""
        raise NotImplementedError

    def make(self, rng: random.Random) -> Files:
        moments = [rng.uniform(0, 1.1) for _ in range(rng.randint(1, 6))]
        return described({"moments": moments})

    def check(self, files: Files) -> None:
        self.clean()
        for moment in json.loads(files["input.json"])["moments"]:
            if Fork(self.work, self.folder).killed_after(moment * self.seconds):
                self.kills += 1
            else:
                self.clean()  # it had finished, and another one would have nothing to do
            self.step()
        expect(self.outcome() == self.right, "after kills the result is another one")
        self.tidy()

    def tidy(self) -> None:
        """Raise `Wrong` where killed processes left something that stays."""


class _KilledResult(Killed):
    of, per_category = "", 3

    def prepare(self) -> None:
        write_small_study(self.folder, self.per_category)

    def clean(self) -> None:
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    def work(self) -> None:
        result(self.of, self.folder)

    def outcome(self) -> object:
        return result(self.of, self.folder)

    def tidy(self) -> None:
        # A process sweeps a folder when it first writes there; this one may have done so before the kills.
        for folder in {path.parent for path in (self.folder / "cache").rglob("*")}:
            Drafts.sweep(folder)
        left = [path for path in (self.folder / "cache").rglob(".*") if path.is_file()]
        expect(not left, "drafts of killed processes stay")


class KillIndex(_KilledResult):
    """The build of an activation index."""

    name, of = "kill: index", "index"


class KillLabels(_KilledResult):
    """The automatic labels."""

    name, of = "kill: labels", "labels"


class KillAtlas(_KilledResult):
    """Receptive fields."""

    name, of = "kill: atlas", "atlas"


class KillLocalization(_KilledResult):
    """The calibration of the localizer."""

    name, of = "kill: localization", "localization"
    per_category = 12  # names need images that choose and others that judge


class KillMinimal(_KilledResult):
    """Searches for minimal images."""

    name, of = "kill: minimal images", "minimal images"


ANSWER = {"network": "scene", "layer": "pool5", "annotator": "Ada", "concept": "bed", "type": "object"}


class KillAnswers(Killed):
    """People's answers: none that was accepted is lost, and none is there twice."""

    name = "kill: answers"
    n = 12

    def clean(self) -> None:
        for path in self.folder.glob("*.db*"):
            path.unlink()
        (self.folder / "accepted").write_text("")

    def work(self) -> None:
        store = LabelStore(self.folder / "answers.db")
        with open(self.folder / "accepted", "a") as accepted:
            for number in range(self.n):
                identity = store.add(**ANSWER, unit=number)
                os.write(accepted.fileno(), f"{identity}\n".encode())

    def outcome(self) -> object:
        return True

    def check(self, files: Files) -> None:
        self.clean()
        moments = json.loads(files["input.json"])["moments"]
        for done, moment in enumerate(moments, 1):
            self.kills += Fork(self.work, self.folder).killed_after(moment * self.seconds)
            self.step()
            accepted = (self.folder / "accepted").read_text().split()
            stored = LabelStore(self.folder / "answers.db").history().identity.tolist()
            expect(set(accepted) <= set(stored), "an accepted answer is lost")
            expect(len(stored) == len(set(stored)) <= len(accepted) + done, "an answer is there twice")


class KillWorld(Killed):
    """The files of a rendered world; the pictures are drawn in no time."""

    name = "kill: world"

    def prepare(self) -> None:
        draw_quickly()

    def clean(self) -> None:
        shutil.rmtree(self.folder / "world", ignore_errors=True)

    def work(self) -> None:
        render(self.folder / "world")

    def outcome(self) -> object:
        render(self.folder / "world")
        return snapshot(self.folder / "world")


__all__ = ["KillAnswers", "KillAtlas", "KillIndex", "KillLabels", "KillMinimal", "KillWorld"]

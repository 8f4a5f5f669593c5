"""Several processes at once on one cache, one folder of a world, one file of answers."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from scenelens.labels.store import LabelStore
from tests.torture.kills import ANSWER
from tests.torture.kind import Files, Kind, expect
from tests.torture.processes import Fork
from tests.torture.results import RESULTS, described, result, snapshot
from tests.torture.small_study import write_small_study
from tests.torture.world import draw_quickly, render


class Race(Kind):
    """Each input says how long each process waits before it begins, and whether one is killed."""

    share = 0.6

    def make(self, rng: random.Random) -> Files:
        delays = [rng.choice([0, 0, rng.uniform(0, 0.05)]) for _ in range(rng.choice([2, 2, 2, 3, 4]))]
        killed = rng.uniform(0, 0.1) if rng.random() < 0.3 else None
        return described({"delays": delays, "killed": killed, "seed": rng.getrandbits(32)})

    def run(self, files: Files, work: Callable[[int], object]) -> list[bool]:
        """Start all, perhaps kill the first, wait for all; which of them were killed."""
        plan = json.loads(files["input.json"])

        def delayed(number: int) -> None:
            time.sleep(plan["delays"][number])
            work(number)

        forks = [Fork(lambda n=n: delayed(n), self.folder) for n in range(len(plan["delays"]))]
        done = [forks[0].killed_after(plan["killed"])] if plan["killed"] is not None else []
        self.kills += sum(done)
        for fork in forks[len(done) :]:
            done.append(fork.wait())
            self.step()
        return done


class RaceCache(Race):
    """Processes that need the same results from one empty cache."""

    name = "race: cache"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        write_small_study(folder, 12)  # localizers need images that choose names and others that judge
        self.right = {name: result(name, folder) for name in RESULTS}

    def check(self, files: Files) -> None:
        shutil.rmtree(self.folder / "cache")
        name = random.Random(json.loads(files["input.json"])["seed"]).choice(list(RESULTS))
        for path in self.folder.glob("result-*"):
            path.unlink()
        killed = self.run(
            files, lambda n: (self.folder / f"result-{n}").write_bytes(result(name, self.folder))
        )
        for number, lost in enumerate(killed):
            path = self.folder / f"result-{number}"
            expect(
                lost or path.read_bytes() == self.right[name],
                f"a process in a race got another result ({name})",
            )
        expect(result(name, self.folder) == self.right[name], f"a race left another result ({name})")


class RaceWorld(Race):
    """Processes that render one world."""

    name = "race: world"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        draw_quickly()
        self.right = snapshot(render(folder / "right"))

    def check(self, files: Files) -> None:
        shutil.rmtree(self.folder / "world", ignore_errors=True)
        self.run(files, lambda _: render(self.folder / "world"))
        expect(snapshot(render(self.folder / "world")) == self.right, "a race made another world")


class RaceAnswers(Race):
    """Processes that write into one file of answers."""

    name = "race: answers"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "answers.db"

    def check(self, files: Files) -> None:
        for path in self.folder.glob("answers.db*"):
            path.unlink()

        def work(number: int) -> None:
            for unit in range(3):
                LabelStore(self.path).add(**(ANSWER | {"annotator": f"writer {number}"}), unit=unit)
                LabelStore(self.path).labels()

        killed = self.run(files, work)
        counts = LabelStore(self.path).labels().annotator.value_counts()
        for number, lost in enumerate(killed):
            expect(lost or counts.get(f"writer {number}", 0) == 3, "an answer was lost in a race")

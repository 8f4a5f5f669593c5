"""python -m tests.torture: the torture bench from the command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from time import monotonic


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture",
        description="Count what damaged input, kills, races and hostile names do to the package.",
    )
    parser.add_argument("--minutes", type=float, default=10, help="how long, about (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other inputs (default 0)")
    parser.add_argument("--only", default="", help="only kinds whose names begin so, separated by commas")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--folder", type=Path, default=Path("build/torture"), help="for the inputs found")
    parser.add_argument("--repeat", metavar="KIND:NUMBER", help="check one input again, in this process")
    return parser


def _say(text: str) -> None:
    print(text, flush=True)  # a pipe would show it at the end


def main() -> int:
    """Run the bench or repeat one input; the exit status is 1 if there was any fault."""
    start, given = monotonic(), _parser().parse_args()
    if not sys.platform.startswith("linux"):
        print("The torture bench needs Linux: it forks, and reads /proc.", file=sys.stderr)
        return 2
    # Before anything is imported: the libraries read these once. Two workers share two cores.
    os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    if given.repeat and given.repeat.startswith("bounds:"):
        os.environ["NUMBA_BOUNDSCHECK"] = "1"
    from tests.torture import driver, kinds, worker

    if given.repeat:
        name, _, number = given.repeat.rpartition(":")
        with tempfile.TemporaryDirectory() as folder:
            worker.repeat(name, given.seed, int(number), Path(folder))
        print("No fault.")
        return 0
    asked = [one.strip() for one in given.only.split(",")]
    chosen = [kind for kind in kinds.KINDS if any(kind.name.startswith(one) for one in asked)]
    bench = driver.Bench(chosen, given.seed, given.folder.absolute(), given.workers, _say)
    with kinds.outside_world():
        rows = bench.run(60 * given.minutes - (monotonic() - start))
    print(f"\n{driver.table(rows)}")
    for about in sorted(bench.found.glob("*/about.json")):
        note = json.loads(about.read_text())
        print(f"\n{note['fault']}\n  {about.parent}\n  again: {note['repeat']}")
    return 1 if any(row.bad for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

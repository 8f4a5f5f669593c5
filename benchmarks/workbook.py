"""Where the time of `make workbook` goes, from empty caches: python -m benchmarks.workbook

The files of this checkout are copied into a temporary folder, without any cache: nothing is rendered, indexed
or compiled. There the command of `make workbook` runs as it is. A table then says for each stage the seconds
by the clock and of processor time, how much of the cores it used, how much of it was compilation by
numba, and the largest memory. `hooks/sitecustomize.py` notes when a stage begins and ends; processor time and
memory are read from outside, of all processes together.

Give several checkouts to compare them: they take turns, `--rounds` times, and medians are printed. The
results are written to build/bench/workbook.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

HERE = Path(__file__).parents[1]
OUT = HERE / "build" / "bench"
COMMANDS = (["scenelens", "workbook"],)
OLDER_COMMANDS = (["scenelens.prepare", "study"], ["scenelens.workbook", "notebooks"])  # before there was one
#: Module, function, and what the table calls it; {names} are the function's arguments.
STAGES = (
    ("scenelens.sceneworld.dataset", "ensure_world", "rendering"),
    ("scenelens.studies.study", "Study.prepare", "opening the study"),
    ("scenelens.studies.study", "Study.index", "index, {network} network"),
    ("scenelens.annotations.instances", "InstanceAnnotations.objects", "annotations"),
    ("scenelens.studies.study", "Study.labels_of_networks", "labels"),
    ("scenelens.localization.study_localizers", "open_localizers", "localization"),
    ("scenelens.receptive_fields.atlas", "Atlas.grow", "receptive fields"),
    ("scenelens.workbook.running", "Run.of", "notebook {path.stem}"),
    ("scenelens.workbook.pages", "write_pages", "pages"),
)
STARTING, OTHER = "start and imports", "other"
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", "build", "answers", "__pycache__", "*_cache", ".ipynb_checkpoints", "*.egg-info"
)
LOOK_EVERY = 0.5  # seconds between two looks at the processes
WEIGH_EVERY = 4  # looks between two readings of memory, which take longer


class Watch(threading.Thread):
    """Looks at a process and all that it started, from outside: processor time so far, and memory."""

    def __init__(self, process: subprocess.Popen) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.rows: list[tuple[float, float, float]] = []

    def run(self) -> None:
        watched = psutil.Process(self.process.pid)
        memory = 0.0
        while self.process.returncode is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [watched, *watched.children(recursive=True)]
                if len(self.rows) % WEIGH_EVERY == 0:
                    memory = sum(map(_memory, family))
                self.rows.append((time.monotonic(), sum(map(_processor, family)), memory))
            time.sleep(LOOK_EVERY)


def _processor(process: psutil.Process) -> float:
    """Seconds of processor time of a process, and of those that it started and that have ended."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return (
        times.user + times.system + getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
    )


def _memory(process: psutil.Process) -> float:
    """Bytes of memory. What several processes share counts once where the system can say so."""
    try:
        found = process.memory_full_info()
        return getattr(found, "pss", 0) or found.rss
    except psutil.Error:
        return 0.0


def run_workbook(checkout: Path, study: str, numba_cache: Path | None) -> pd.DataFrame:
    """One run from empty caches; one row per stage, as the module's table shows them."""
    with tempfile.TemporaryDirectory(prefix="scenelens-workbook-") as folder:
        copy, log = Path(folder) / "checkout", Path(folder) / "stages.jsonl"
        shutil.copytree(checkout, copy, ignore=NOT_COPIED)
        log.touch()
        environment = _environment(copy, log, numba_cache)
        chosen = ["--study", study] if study else []
        commands = COMMANDS if (copy / "scenelens" / "installation.py").exists() else OLDER_COMMANDS
        parts = [_run_command(copy, [*command, *chosen], environment, log) for command in commands]
        _complain_of_missing_stages(log)
        kernels = [row for row in _read(log) if row["kind"] == "kernel"]
    table = _with_total(pd.concat(parts, ignore_index=True), sum(part.attrs["clock"] for part in parts))
    table.attrs = {"kernels": kernels}
    return table


def _environment(copy: Path, log: Path, numba_cache: Path | None) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SCENELENS_", "NUMBA_CACHE"))
    }
    path = os.pathsep.join([str(Path(__file__).parent / "hooks"), str(copy)])
    cache = {} if numba_cache is None else {"NUMBA_CACHE_DIR": str(numba_cache.absolute())}
    return {
        **kept,
        **cache,
        "PYTHONPATH": path,
        "SCENELENS_CONFIG": str(copy / "settings"),
        "SCENELENS_CACHE": str(copy / "build" / "cache"),
        "SCENELENS_STAGES": json.dumps(STAGES),
        "SCENELENS_STAGE_LOG": str(log),
    }


def _run_command(copy: Path, command: list[str], environment: dict[str, str], log: Path) -> pd.DataFrame:
    begin = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=copy, env=environment)
    watch = Watch(process)
    watch.start()
    before = psutil.Process().cpu_times()
    status = process.wait()
    end = time.monotonic()
    after = psutil.Process().cpu_times()
    watch.join()
    if status:
        raise SystemExit(f"python -m {' '.join(command)} failed with status {status}.")
    # Its last moment is known exactly: the system counts the time of a process that has ended for its parent.
    total = sum(getattr(after, one) - getattr(before, one) for one in ("children_user", "children_system"))
    looks = np.array([(begin, 0, 0), *watch.rows, (end, total, 0)])
    rows = [row for row in _read(log) if begin <= row.get("end", row.get("begin", 0)) <= end]
    table = _table(rows, looks, begin, end)
    table.attrs["clock"] = end - begin
    return table


def _read(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def _complain_of_missing_stages(log: Path) -> None:
    """A stage whose function was moved or renamed must not be counted as something else, unnoticed."""
    found = {row["name"] for row in _read(log) if row["kind"] == "hook"}
    for module, path, stage in STAGES:
        if stage not in found:
            print(f"no stage {stage!r}: {module}.{path} was not met", file=sys.stderr)


def _table(rows: list[dict], looks: np.ndarray, begin: float, end: float) -> pd.DataFrame:
    """Seconds, processor time, compilation and memory of each stage of one command.

    A moment belongs to the stage that began last, or is shared by the notebooks that ran then.
    """
    stages = [row for row in rows if row["kind"] == "stage"] + _starts(rows, end)
    marks = sorted({begin, end, *(row[side] for row in stages for side in ("begin", "end")), *looks[:, 0]})
    processor = np.interp(marks, looks[:, 0], looks[:, 1])
    found: dict[str, dict[str, float]] = {}
    for at, start, stop in zip(range(len(marks)), marks, marks[1:], strict=False):
        names = _open_stages(stages, (start + stop) / 2)
        memory = looks[max(0, np.searchsorted(looks[:, 0], stop) - 1), 2]
        for name in names:
            row = found.setdefault(name, {"clock": 0, "processor": 0, "compiling": 0, "memory": 0})
            row["clock"] += stop - start
            row["processor"] += (processor[at + 1] - processor[at]) / len(names)
            row["memory"] = max(row["memory"], memory)
    for row in rows:
        if row["kind"] == "kernel" and not row["inner"]:
            names = _open_stages(stages, row["end"])
            for name in names:
                found[name]["compiling"] += row["seconds"] / len(names)
    return pd.DataFrame([{"stage": name, **row} for name, row in found.items()])


def _starts(rows: list[dict], end: float) -> list[dict]:
    """The time from the start of each process that has stages to its first stage."""
    found = []
    for one in (row for row in rows if row["kind"] == "start"):
        own = [row["begin"] for row in rows if row["kind"] == "stage" and row["process"] == one["process"]]
        found.append({"name": STARTING, "begin": one["begin"], "end": min(own, default=end)})
    return found


def _open_stages(stages: list[dict], moment: float) -> list[str]:
    running = [row for row in stages if row["begin"] <= moment <= row["end"]]
    notebooks = [row["name"] for row in running if row["name"].startswith("notebook ")]
    if notebooks:
        return notebooks
    if running:
        return [max(running, key=lambda row: row["begin"])["name"]]
    return [OTHER]


def shown(table: pd.DataFrame, cores: int) -> str:
    """The table of stages as text."""
    lines = [
        f"{'stage':<30} {'clock s':>8} {'processor s':>12} {'cores':>6} {'compiling s':>12} {'peak GB':>8}"
    ]
    for row in table.itertuples():
        used = row.processor / max(row.clock, 1e-9) / cores
        numbers = f"{row.clock:8.1f} {row.processor:12.1f} {used:6.0%} {row.compiling:12.1f}"
        lines.append(f"{row.stage:<30} {numbers} {row.memory / 1e9:8.2f}")
    return "\n".join(lines)


def _with_total(table: pd.DataFrame, clock: float) -> pd.DataFrame:
    """The table with a last row for all stages; notebooks may run side by side, so seconds do not add up."""
    total = {"stage": "all", "clock": clock, "memory": table.memory.max()}
    total |= {name: table[name].sum() for name in ("processor", "compiling")}
    return pd.concat([table, pd.DataFrame([total])], ignore_index=True)


def slowest_kernels(kernels: list[dict], n: int) -> str:
    """How many kernels numba compiled, and the slowest, each with all that it calls."""
    outer = sorted((row for row in kernels if not row["inner"]), key=lambda row: -row["seconds"])
    lines = [f"numba compiled {len(kernels)} functions for {len(outer)} kernels, in"
             f" {sum(row['seconds'] for row in outer):.1f} s of processor time:"]  # fmt: skip
    lines += [f"  {row['seconds']:6.2f} s  {row['name']}" for row in outer[:n]]
    return "\n".join(lines)


def machine() -> dict:
    """The processor, and what else it has to do now."""
    name = platform.processor()
    with contextlib.suppress(OSError):
        found = [
            line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
        ]
        name = found[0].partition(":")[2].strip() if found else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = [round(one, 2) for one in os.getloadavg()] if hasattr(os, "getloadavg") else []
    return {"processor": name, "cores": cores, "load": load, "python": platform.python_version()}


def measure(
    checkouts: list[Path], rounds: int, study: str, numba_cache: Path | None
) -> dict[str, list[pd.DataFrame]]:
    """The tables of all runs, by checkout; the checkouts take turns."""
    found: dict[str, list[pd.DataFrame]] = {str(checkout): [] for checkout in checkouts}
    for turn in range(rounds):
        for checkout in checkouts[:: -1 if turn % 2 else 1]:
            found[str(checkout)].append(run_workbook(checkout, study, numba_cache))
    return found


_SUMS = {"clock": "sum", "processor": "sum", "compiling": "sum", "memory": "max"}


def medians(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """The median of each number over the runs, stages in the order of the first run."""
    order = list(dict.fromkeys(tables[0].stage))
    joined = pd.concat([table.groupby("stage", sort=False).agg(_SUMS) for table in tables])
    return joined.groupby("stage").median().reindex(order).reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs="*", type=Path, default=[HERE], help="default: this one")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each checkout (default: 1)")
    parser.add_argument("--study", default="", help="another study: a name, or the path of a study.toml")
    parser.add_argument(
        "--numba-cache", type=Path, help="folder of compiled kernels that is kept (default: an empty one)"
    )
    parser.add_argument("--kernels", type=int, default=5, help="how many of the slowest kernels to name")
    options = parser.parse_args()
    here = machine()
    print(
        f"{here['processor']}, {here['cores']} cores, load {here['load']}; about five minutes for each run",
        flush=True,
    )
    tables = measure(options.checkouts, options.rounds, options.study, options.numba_cache)
    results = []
    for checkout, runs in tables.items():
        table = medians(runs)
        print(f"\n{checkout}, median of {len(runs)}" if len(tables) > 1 or len(runs) > 1 else "")
        print(shown(table, here["cores"]))
        print(slowest_kernels(runs[0].attrs["kernels"], options.kernels))
        results.append({"checkout": checkout, "runs": [run.to_dict("records") for run in runs]})
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "workbook.json").write_text(json.dumps({**here, "results": results}, indent=1))


if __name__ == "__main__":
    main()

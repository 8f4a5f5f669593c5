"""Does the package work without its checkout? Build it, install it elsewhere, and run a notebook there.

    python -m tests.installed_wheel
    python -m tests.installed_wheel --empty     # do not reuse what build/ of the checkout has

The source distribution and, from it, the wheel are built by ``build``. What they hold is compared with the
files that git knows. The wheel goes into a new environment, which sees the packages of this one, but not this
scenelens. There, in an empty folder, with SCENELENS_HOME and without write access to the installed package,
the commands run, notebooks are laid out, and notebook 00 is executed and written as a page.
"""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

from jupyter_core.paths import jupyter_path

from tests.requirements_gate import ROOT

MOST_BYTES = 30_000_000
NEVER = ("tests/", "build/", "downloads/", "__pycache__", ".ipynb_checkpoints", ".damaged", "benchmarks/")


class Faults(list):
    """Sentences about what is wrong; each is printed at once."""

    def check(self, right: bool, sentence: str) -> None:
        if not right:
            self.append(sentence)
            print(f"  WRONG: {sentence}", flush=True)


def run(*words: object, **more: object) -> str:
    """Run a command, and return what it printed; where it fails, everything that it said is shown."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=900, check=False, **more
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(map(str, words))}\nexit status {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def build(folder: Path) -> tuple[Path, Path]:
    """Build the source distribution and the wheel, from what git knows: nothing that lies about is taken."""
    files = run("git", "ls-files", "-z", cwd=ROOT).rstrip("\0").split("\0")
    source = folder / "source"
    for name in files:
        if (ROOT / name).is_file():  # a file that was removed is still known
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--outdir", folder, source)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def known_files() -> dict[str, Path]:
    """Name in a wheel -> file in the checkout, for everything that must be in it."""
    names = run(
        "git",
        "ls-files",
        "scenelens",
        "data",
        "notebooks",
        "docs/*.md",
        "docs/*.json",
        "docs/*.webp",
        cwd=ROOT,
    ).splitlines()
    return {
        name if name.startswith("scenelens/") else f"scenelens/{name}": ROOT / name
        for name in names
        if (ROOT / name).is_file()
    }


def check_contents(sdist: Path, wheel: Path, faults: Faults) -> None:
    with zipfile.ZipFile(wheel) as file:
        inside = {name: file.read(name) for name in file.namelist() if ".dist-info/" not in name}
    for name, path in known_files().items():
        faults.check(
            inside.get(name) == path.read_bytes(), f"{name} is not in the wheel as it is in the checkout"
        )
    for name in sorted(set(inside) - set(known_files())):
        faults.check(False, f"{name} is in the wheel, and git does not know it")
    with tarfile.open(sdist) as file:
        packed = [name.partition("/")[2] for name in file.getnames()]
    for kind, path, names in (("wheel", wheel, list(inside)), ("sdist", sdist, packed)):
        faults.check(path.stat().st_size < MOST_BYTES, f"the {kind} has {path.stat().st_size:,} bytes")
        for name in names:
            faults.check(not any(part in f"{name}/" for part in NEVER), f"the {kind} has {name}")
    print(f"  {len(inside)} files in {wheel.name}, {wheel.stat().st_size / 1e6:.1f} MB", flush=True)


def install(wheel: Path, folder: Path) -> Path:
    """Make an environment with the wheel, which sees this one's packages; return its folder of programs."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    where = {"base": str(folder), "platbase": str(folder)}
    programs, packages = (Path(sysconfig.get_path(kind, "venv", where)) for kind in ("scripts", "purelib"))
    python = programs / Path(sys.executable).name
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-compile", wheel)
    # A .pth file named in here is not read, so an editable scenelens of this environment stays unseen.
    borrowed = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (packages / "borrowed.pth").write_text("\n".join([*borrowed, ""]))
    for part in {path.parent for path in (packages / "scenelens").rglob("*.py")}:
        (part / "__pycache__").touch()  # root may write where modes forbid it, but not below a file
    for path in (packages / "scenelens").rglob("*"):
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    return programs


def environment(home: Path) -> dict[str, str]:
    """The variables of a reader who has set nothing but SCENELENS_HOME."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SCENELENS_", "PYTHON"))
    }
    # The pages' templates lie in this environment's share/jupyter. Nothing is compiled beside the modules.
    more = {"JUPYTER_PATH": os.pathsep.join(jupyter_path()), "PYTHONDONTWRITEBYTECODE": "1"}
    # No cache folder of the user's either, as in some containers: all must go below SCENELENS_HOME.
    more |= {"XDG_CACHE_HOME": "/dev/null/none", "MPLCONFIGDIR": str(home / "matplotlib")}
    return kept | more | {"SCENELENS_HOME": str(home)}


def lend_build(home: Path) -> None:
    """Let the installed package use what this checkout has already rendered, by hard links where possible."""
    if not (ROOT / "build" / "sceneworld" / "sceneworld.json").exists():
        return

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)

    for part in ("sceneworld", "cache"):
        if (ROOT / "build" / part).is_dir():
            shutil.copytree(ROOT / "build" / part, home / "build" / part, copy_function=link)


def listing(folder: Path) -> set[tuple[str, int, int]]:
    """The files below a folder, with their sizes and times of change."""
    found = ((path, path.stat()) for path in folder.rglob("*") if path.is_file())
    return {(str(path), one.st_size, one.st_mtime_ns) for path, one in found}


def check_reader(programs: Path, empty: Path, env: dict[str, str], faults: Faults) -> None:
    """What a reader does who has only the wheel."""
    python = programs / Path(sys.executable).name
    scenelens = programs / "scenelens"

    def call(*words: object) -> str:
        return run(*words, cwd=empty, env=env)

    code = "import scenelens, pathlib; print(pathlib.Path(scenelens.__file__).parent)"
    package = Path(call(python, "-c", code).strip())
    faults.check(package.is_relative_to(programs.parent), f"scenelens comes from {package}")
    before = listing(package)
    faults.check(call(scenelens, "--help") == call(python, "-m", "scenelens", "--help"), "two kinds of help")
    faults.check("benchmark" not in call(scenelens, "--help"), "the help names a command of the checkout")
    faults.check(
        str(package / "data") in call(scenelens, "data"), "`scenelens data` does not say where data is"
    )
    call(scenelens, "notebooks", "my work")
    copies = sorted(path.name for path in (empty / "my work").glob("*.ipynb"))
    faults.check(
        copies == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb")), f"copied: {copies}"
    )
    began = time.perf_counter()
    call(python, "-m", "scenelens.workbook", "my work/00_start_here.ipynb", "--timeout", "600")
    print(f"  notebook 00 and its page: {time.perf_counter() - began:.0f} s", flush=True)
    page = empty / "my work" / "pages" / "00_start_here.html"
    faults.check(
        page.is_file() and "make lab" not in page.read_text(encoding="utf-8"),
        "no page, or one that says make",
    )
    store = "import scenelens as sl; print(sl.open_study().answers.path, sl.open_study().cache, sep='\\n')"
    for place in call(python, "-c", store).splitlines():
        faults.check(place.startswith(env["SCENELENS_HOME"]), f"{place} is not below SCENELENS_HOME")
    faults.check(listing(package) == before, "something was written into the installed package")
    faults.check(
        {path.name for path in empty.iterdir()} == {"my work"}, f"{empty} has more than was asked for"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.installed_wheel", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--empty", action="store_true", help="begin without what build/ has: a few minutes more"
    )
    options = parser.parse_args()
    faults = Faults()
    with tempfile.TemporaryDirectory(prefix="scenelens wheel ") as name:
        folder = Path(name)
        sdist, wheel = build(folder)
        check_contents(sdist, wheel, faults)
        programs = install(wheel, folder / "venv")
        for place in ("empty", "home"):
            (folder / place).mkdir()
        if not options.empty:
            lend_build(folder / "home")
        check_reader(programs, folder / "empty", environment(folder / "home"), faults)
    print(f"The wheel: {len(faults)} faults.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

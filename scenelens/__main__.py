"""The command ``scenelens``, which is also ``python -m scenelens``: every command in one place.

A command loads what it needs when it is called, so that the help comes at once. The exit status is 0; 1 where
the work found a problem, such as a notebook that failed; 2 where nothing could be done, such as for a wrong
word; 130 after Ctrl-C; 141 where the program that reads the output has ended.
"""

from __future__ import annotations

import argparse
import io
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import scenelens
from scenelens.errors import SceneLensError, close_names
from scenelens.installation import HERE
from scenelens.processes import ended_by_sigterm

_ABOUT = 'The workbook on "Object Detectors Emerge in Deep Scene CNNs": its notebooks, studies and caches.'
_EXAMPLES = """examples:
  scenelens lab                        open the workbook
  scenelens workbook                   run every notebook, and write the workbook as pages
  scenelens notebooks my-workbook      copy the notebooks, to change them
  scenelens new-study my_study.toml    begin a study of your own networks and photographs
  scenelens lab --study my_study.toml  open the workbook on it
  scenelens caches prune --days 90     remove cached results that were not used for long

scenelens COMMAND --help says more. The exit status is 1 where a problem was found, 2 where nothing could be
done, 130 after Ctrl-C."""


class _Command(NamedTuple):
    """A command: the function that runs it, as ``module:name``, its first words, and what it does."""

    function: str
    words: tuple[str, ...]
    does: str
    checkout: bool = False


_COMMANDS = {
    "lab": _Command("__main__:_lab", (), "open the notebooks in JupyterLab"),
    "workbook": _Command("__main__:_workbook", (), "run the notebooks, and write them as pages"),
    "notebooks": _Command("__main__:_notebooks", (), "copy the notebooks into a folder"),
    "new-study": _Command("new_study:begin_study", (), "begin a study of your own"),
    "trust": _Command("prepare:main", ("trust",), "let the Python code of a study run, for good"),
    "prepare": _Command("prepare:main", ("study",), "make in advance what the notebooks share"),
    "atlas": _Command("prepare:main", ("atlas",), "measure all receptive fields (hours)"),
    "retention": _Command("prepare:main", ("retention",), "search for all minimal images"),
    "microscope": _Command("microscope.command:_main", (), "write a page for every unit"),
    "train": _Command("sceneworld.training:main", (), "train SceneWorld's two networks (an hour)"),
    "seeds": _Command("seeds.command:_main", (), "train five networks of each kind, and measure them"),
    "interventions": _Command(
        "retraining.command:_main", (), "train networks in edited worlds, and measure them"
    ),
    "data": _Command("__main__:_data", (), "say where files are, and how large"),
    "caches": _Command("caches:_main", (), "list, verify, prune or seal cached results"),
    "bench": _Command("__main__:_bench", (), "measure the speed against other libraries", checkout=True),
}


_INTERRUPTIONS: list[int] = []


def _main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, by default that of the process; return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _print_any_name()
    if not words or words[0].startswith("-"):
        _parser().parse_args(words)
        _parser().print_help()
        return 2
    name, *rest = words
    known = [one for one, command in _COMMANDS.items() if HERE.is_checkout or not command.checkout]
    if name not in known:
        print(f"scenelens: there is no command {name!r}; {close_names(name, known)}.", file=sys.stderr)
        return 2
    _name_study(None)
    _note_interruptions()
    try:
        status = _loaded(_COMMANDS[name].function)([*_COMMANDS[name].words, *rest])
        sys.stdout.flush()
        return status
    except SceneLensError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        if not _reader_has_left():
            raise
        return 141
    except (KeyboardInterrupt, Exception) as error:
        if not _INTERRUPTIONS and not isinstance(error, KeyboardInterrupt):
            raise
        print(f"\n{name}: stopped. What was finished is kept.", file=sys.stderr)
        return 130


def _note_interruptions() -> None:
    """Note a Ctrl-C: a library that it reaches may turn the KeyboardInterrupt into an error of its own."""
    _INTERRUPTIONS.clear()
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: object) -> None:
    _INTERRUPTIONS.append(number)
    raise KeyboardInterrupt


def _print_any_name() -> None:
    """Let names be printed where the terminal or file has no such character, as it is usual on Windows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _reader_has_left() -> bool:
    """Whether the program that reads the output has ended, as ``head`` does; then nothing more is printed."""
    try:
        print(flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _loaded(function: str) -> Callable[..., Any]:
    """A function of the package, as ``module:name``; its module is imported now."""
    return pkgutil.resolve_name(f"{__package__}.{function}")


def _parser() -> argparse.ArgumentParser:
    known = {name: one for name, one in _COMMANDS.items() if HERE.is_checkout or not one.checkout}
    lines = "\n".join(f"  {name:<15}{command.does}" for name, command in known.items())
    parser = argparse.ArgumentParser(
        prog="scenelens",
        usage="scenelens COMMAND [...]",
        description=f"{_ABOUT}\n\ncommands:\n{lines}",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"scenelens {scenelens.__version__}")
    return parser


# ---- the commands that only call others


def _workbook(words: list[str]) -> int:
    """Prepare a study in a process of its own, whose memory is then free; then run the notebooks."""
    options = _loaded("workbook.__main__:_parser")().parse_args(words)
    _name_study(options.study)
    trust = ["--trust"] if options.trust else []
    status = _run_python("-m", "scenelens", "prepare", *trust)
    if status:
        return status
    study = os.environ.get("SCENELENS_STUDY")
    named = ["--study", study] if study else []
    return _loaded("workbook.__main__:main")([*words, *named])


def _lab(words: list[str]) -> int:
    # A first word without a dash is ours; a later one may belong to an option of JupyterLab.
    named, words = (words[:1], words[1:]) if words and not words[0].startswith("-") else ([], words)
    parser = _sub_parser(
        "lab", "Open the workbook, or a notebook or folder that is named first, in JupyterLab."
    )
    parser.usage = "scenelens lab [PLACE] [--study STUDY] [options of JupyterLab]"
    parser.add_argument("--study", help="a name in data/studies, or the path of a study.toml")
    options, others = parser.parse_known_args(words)
    _name_study(options.study)
    place = Path(*named) if named else _loaded("notebook_files:own_notebooks")() / "00_start_here.ipynb"
    if not place.exists():
        raise SceneLensError(f"there is no notebook or folder {place}.")
    if getattr(os, "getuid", lambda: 1)() == 0:
        print(
            "Warning: you are root, so any code in a notebook can change or delete everything on this "
            "machine; JupyterLab starts with --allow-root. Better: use an ordinary account.",
            file=sys.stderr,
        )
        others.append("--allow-root")
    sys.argv = ["jupyter-lab", str(place), *others]
    runpy.run_module("jupyterlab", run_name="__main__", alter_sys=True)
    return 0


def _notebooks(words: list[str]) -> int:
    parser = _sub_parser(
        "notebooks", "Copy the notebooks into a folder. Notebooks that you have changed stay."
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("notebooks"), help="default: notebooks")
    parser.add_argument("--force", action="store_true", help="replace changed notebooks, too")
    options = parser.parse_args(words)
    copied = _loaded("notebook_files:_copy_notebooks")(options.folder, options.force)
    print("\n".join(copied))
    return 0


def _data(words: list[str]) -> int:
    _sub_parser("data", "Say where files are and how large.").parse_args(words)
    for name in ("data", "notebooks", "build", "answers", "settings"):
        folder = getattr(HERE, name)
        print(f"{name:<10}{_size(folder) / 1e6:9.1f} MB  {folder}")
    print("\nSCENELENS_HOME names another folder for build, answers and settings.")
    return 0


def _bench(words: list[str]) -> int:
    """Run every benchmark of the checkout, each in a process of its own."""
    parser = _sub_parser("bench", "Run every benchmark, or those that are named; results are in build/bench.")
    files = sorted((HERE.root / "benchmarks").glob("[a-z]*.py"))
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[path.stem for path in files])
    options, others = parser.parse_known_args(words)
    chosen = options.only or [path.stem for path in files]
    return max(_run_python("-m", f"benchmarks.{name}", *others, folder=HERE.root) for name in chosen)


def _sub_parser(name: str, about: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"scenelens {name}", description=about, allow_abbrev=False)


def _name_study(given: str | None) -> None:
    """Hand a study on to the processes that are started. A path starts here; they run in other folders."""
    study = given or os.environ.get("SCENELENS_STUDY", "")
    path = Path(study)
    is_path = path.suffix == ".toml" or len(path.parts) > 1 or (path / "study.toml").exists()
    if study:
        os.environ["SCENELENS_STUDY"] = os.path.abspath(study) if is_path and study[0] != "~" else study


def _run_python(*words: str, folder: Path | None = None) -> int:
    """Run this Python in another process; that process says itself that Ctrl-C has stopped it."""
    with ended_by_sigterm(), subprocess.Popen([sys.executable, *words], cwd=folder) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.wait()
            return 130
        except SystemExit:  # SIGTERM, which reaches this process alone
            child.terminate()
            raise


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(_main())

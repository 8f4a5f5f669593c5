"""The command ``scenelens new-study``: asks, looks, tries, writes."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scenelens.annotations import ANNOTATION_FORMATS
from scenelens.errors import SceneLensError
from scenelens.files import replace_file
from scenelens.image_folders import find_images
from scenelens.installation import HERE
from scenelens.new_study.draft import _StudyDraft
from scenelens.new_study.outlook import _Outlook
from scenelens.new_study.trial import _PreparationTrial
from scenelens.sentences import interval, percent
from scenelens.studies import Study, StudyTrust, open_study

_ROLES = ("scene", "object")
_NETWORK = "a name of torchvision, timm:<name>, caffenet, caffe, or file.py:function"
_EXAMPLE = """example:
  scenelens new-study my_study.toml \\
      --scene-network resnet18 --scene-weights resnet18_places365.pth.tar \\
      --scene-classes categories_places365.txt --scenes photos/scenes \\
      --object-network resnet18 --object-weights resnet18-f37072fd.pth --object-classes imagenet \\
      --objects photos/objects --annotations photos/annotated

What is not given is asked for; without a terminal it is left out.
"""


def begin_study(arguments: Sequence[str]) -> int:
    """Write a study.toml, from the words of the command line and from answers.

    Parameters
    ----------
    arguments : sequence of str
        The words behind ``new-study``; ``--help`` lists them.

    Returns
    -------
    int
        The exit status: 0; 2 if something given cannot be used. The reason is then printed on stderr, and
        nothing is written.
    """
    options = _parser().parse_args(arguments)
    try:
        _begin(options)
    except SceneLensError as error:
        print(f"new-study: {error}", file=sys.stderr)
        return 2
    except (EOFError, KeyboardInterrupt):
        print("\nnew-study: stopped; nothing was written.", file=sys.stderr)
        return 2
    return 0


def _begin(options: argparse.Namespace) -> None:
    path = _target(options)
    draft = _StudyDraft(path)
    for role in _ROLES:
        _take_network(draft, role, options)
    if not draft.networks:
        raise SceneLensError(f"a study needs a network: give --scene-network ({_NETWORK}).")
    _take_folders(draft, options)
    with _opened(draft) as study:
        StudyTrust(study.file).require(options.trust)
        _find_categories(draft, study)
    with _opened(draft) as study:
        print("\n".join(_Outlook(study).photographs()))
        for name in draft.networks:
            _try_preparation(draft, study, name)
    with _opened(draft) as study:  # as it will be written
        for name in study.networks:
            print("; ".join([str(study.networks[name]), *study.networks[name].notes]))
        print("\nWhat the notebooks will answer on this study:")
        for can, sentence in _Outlook(study).answers():
            print(f"  {'yes' if can else 'no ':3}  {sentence}")
        for sentence in _Outlook(study).cautions():
            print(f"  but  {sentence}")
    replace_file(path, draft.text().encode())
    print(f"\nWritten: {path}\nNext: {HERE.call('workbook', study=path)}")


def _target(options: argparse.Namespace) -> Path:
    path = Path(options.file).expanduser()
    if path.suffix != ".toml":
        raise SceneLensError(f"{path.name} should end in .toml, such as my_study.toml.")
    if not path.parent.is_dir():
        raise SceneLensError(f"the folder {path.parent} does not exist; make it first.")
    if path.exists() and not options.force:
        raise SceneLensError(f"{path} exists already; take another name, or --force to replace it.")
    return path


# ---- what is given, and what is asked for


def _asked(given: Any, question: str) -> Any:
    """What was given on the command line, or else the answer at the terminal; '' without a terminal."""
    if given is not None:
        return given
    return input(f"{question}: ").strip() if sys.stdin.isatty() else ""


def _take_network(draft: _StudyDraft, role: str, options: argparse.Namespace) -> None:
    def given(key: str) -> Any:
        return getattr(options, f"{role}_{key}")

    name = _asked(given("network"), f"Network that was trained on {role}s ({_NETWORK}; empty for none)")
    if not name:
        return
    own = ":" in name and not name.startswith("timm:")
    table: dict[str, Any] = {"factory": draft.factory(name)} if own else {"architecture": name}
    weights = _asked(given("weights"), "Its file of weights (empty for random weights)")
    if weights:
        table["weights"] = _existing(weights, "weights")
    elif not own:
        table["seed"] = 0
    classes = _asked(given("classes"), "Its classes (a file, 'imagenet', or their number)")
    if classes:
        table["classes"] = _class_list(classes)
    elif not own:
        raise SceneLensError(
            f"the {role} network needs its classes: --{role}-classes FILE, imagenet or a number."
        )
    draft.networks[role] = table


def _class_list(given: str) -> str | int | Path:
    if given.isdecimal():
        return int(given)
    return given if given == "imagenet" else _existing(given, "classes")


def _existing(given: str, what: str) -> Path:
    path = Path(given).expanduser()
    if not path.is_file():
        raise SceneLensError(f"there is no file {given} for {what}; check the path.")
    return Path(os.path.abspath(path))


def _take_folders(draft: _StudyDraft, options: argparse.Namespace) -> None:
    scenes = _folders(options.scenes, "Folder of photographs of scenes (empty for none)")
    objects = _folders(options.objects, "Folder of photographs of single objects (empty for none)")
    draft.images = [
        *((one, "scene-centric") for one in scenes),
        *((one, "object-centric") for one in objects),
    ]
    if not draft.images:
        raise SceneLensError("a study needs photographs: give --scenes FOLDER, --objects FOLDER, or both.")
    for folder, _ in draft.images:
        find_images(folder)  # raises where there is no photograph
    for folder in _folders(options.annotations, "Folder with annotations of objects (empty for none)"):
        kind = ANNOTATION_FORMATS.guess(folder)
        print(f"{folder} looks like annotations of the format {kind}.")
        draft.annotations.append((folder, kind))


def _folders(given: list[str] | None, question: str) -> list[Path]:
    named = given if given is not None else [_asked(None, question)]
    folders = [Path(one).expanduser() for one in named if one]
    for folder in folders:
        if not folder.is_dir():
            raise SceneLensError(f"there is no folder {folder}; check the path.")
    return [Path(os.path.abspath(folder)) for folder in folders]


# ---- looking and trying


@contextlib.contextmanager
def _opened(draft: _StudyDraft) -> Iterator[Study]:
    """The study as it would be, from a file that is gone afterwards."""
    # Next to the study: paths and trust start from the file's folder.
    path = draft.path.with_name(f".{draft.path.stem}.draft.toml")
    replace_file(path, draft.text().encode())
    try:
        yield open_study(path)
    finally:
        path.unlink(missing_ok=True)


def _find_categories(draft: _StudyDraft, study: Study) -> None:
    """Take the files' names for categories in flat folders, where most of them mean a class of a network."""
    classes = [study.networks[name].class_names for name in study.networks]
    for folder, _ in draft.images:
        files = [path for path in find_images(folder) if path.parent == folder]
        meant = sum(any(names.find(path.stem) for names in classes) for path in files)
        if len(files) > 1 and 2 * meant > len(files):
            draft.by_file_name.add(folder)


def _try_preparation(draft: _StudyDraft, study: Study, name: str) -> None:
    """Try the ways to prepare photographs, and take the one with which the network is right most often."""
    network = study.networks[name]
    usual = network.preprocessing
    if "seed" in draft.networks[name]:
        why = "The network is untrained, so no way of preparing photographs can be tried: this is assumed."
        draft.preprocessing[name] = usual, why
        return
    print(f"Trying ways to prepare photographs for the {name} network ...", flush=True)
    trial = _PreparationTrial.run(study, name, usual)
    sentence = _said(trial)
    print(f"  {sentence}")
    for row in trial.table.head(5).itertuples():
        print(f"    {row.right:3} of {row.n}  {row.way}")
    draft.preprocessing[name] = trial.best, sentence


def _said(trial: _PreparationTrial) -> str:
    """What the trial found, in words; it becomes the comment in the file."""
    if trial.table.empty:
        return (
            "Not tried: no folder of photographs has the name of exactly one of its classes. Assumed is what "
            "is usual for this network; a wrong choice would not be noticed."
        )
    best, chance = trial.table.iloc[0], 1 / trial.n_classes
    found = (
        f"Tried on {best.n} photographs: right on {percent(best.share)} "
        f"({interval(best.low, best.high)}) with {best.way}"
    )
    if best.low <= chance:
        return (
            f"{found}. That is not better than chance ({percent(chance)}): check that weights, the order of "
            "the classes and the names of the folders belong together."
        )
    if len(trial.table) == 1:
        return f"{found}."
    second = trial.table.iloc[1]
    return f"{found}; with {second.way} it is right on {percent(second.share)}."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scenelens new-study",
        description="Write a study.toml for networks and photographs of your own.",
        epilog=f"{_EXAMPLE}\n{HERE.root / 'docs' / 'study_toml.md'} explains every key of the file.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", help="the study.toml to write, such as my_study.toml")
    for role in _ROLES:
        parser.add_argument(f"--{role}-network", metavar="NETWORK", help=f"{role} network: {_NETWORK}")
        parser.add_argument(f"--{role}-weights", metavar="FILE", help="its weights; random ones without it")
        parser.add_argument(
            f"--{role}-classes", metavar="CLASSES", help="a file, 'imagenet', or their number"
        )
    parser.add_argument(
        "--scenes", action="append", metavar="FOLDER", help="photographs of scenes (repeatable)"
    )
    parser.add_argument("--objects", action="append", metavar="FOLDER", help="photographs of single objects")
    parser.add_argument("--annotations", action="append", metavar="FOLDER", help="annotations of objects")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.add_argument(
        "--trust", action="store_true", help="the network's own Python file may run, this time"
    )
    return parser

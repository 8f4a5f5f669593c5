"""SceneWorld's annotated images on disk, in the SUN layout, rendered at first use.

    Images/scene/bedroom/bedroom_0003.jpg       Images/object/lamp/floor/lamp_floor_0003.jpg
    Annotations/.../bedroom_0003.xml            polygons of objects and of background regions, in SUN's format
    Labels/.../bedroom_0003_parts.png           part of each pixel ("lamp: shade"), named in Labels/parts.json
    Labels/.../bedroom_0003_materials.png       material of each pixel, named in Labels/materials.json
    sceneworld.json                             what was rendered, by which code, and whether it is complete

`scenelens.annotations` reads it like any other annotated data set.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import cv2
import numpy as np
from tqdm.auto import tqdm

from scenelens.annotations import AnnotatedObject, mask_to_polygons, write_annotation, write_label_map, write_legend
from scenelens.errors import SceneLensError
from scenelens.files import replace_file
from scenelens.sceneworld.materials import MATERIAL_NAMES
from scenelens.sceneworld.objects import object_classes
from scenelens.sceneworld.render.pipeline import SIZE, Rendered
from scenelens.sceneworld.scenes import compose_scene
from scenelens.sceneworld.studio import studio_picture
from scenelens.sceneworld.truth import scene_categories
from scenelens.sceneworld.world import REGIONS

__all__ = ["ensure_world"]

_STATE = "sceneworld.json"
_KINDS = ("scene", "object")
_FOLDERS = ("Images", "Annotations", "Labels")
_SMALLEST = 8  # pixels; what covers fewer is not annotated
_JPEG_QUALITY = 95
_NOT_PICTURES = ("training.py", "preview.py", "check.py")  # their code changes no picture
#: Code keys of earlier versions that drew the same pictures bit for bit: their images are used, not rendered again.
#: Clear the set in the same change in which the renderer moves a single pixel.
SAME_PICTURES = frozenset(
    {"bd58a8e333a6eda7", "bd98689e233bfe9d", "ba8d5ab738f94980", "842b3efafa3eb5bd", "69c405331450e70b", "2b91ba91b2fbb00c"}
)


class Job(NamedTuple):
    """One image to render.

    Attributes
    ----------
    kind : str
        ``"scene"`` or ``"object"``.
    name : str
        Scene category or object class.
    image : str
        Path below Images/.
    seed : int
        Seed of the picture.
    """

    kind: str
    name: str
    image: str
    seed: int


def ensure_world(root: str | Path, n_scenes: int = 2000, n_objects: int = 2000, seed: int = 0, workers: int | None = None) -> Path:
    """Render the annotated images, unless they exist already.

    A run that was stopped continues where it stopped.  Images of another version of SceneWorld, or of other numbers,
    are replaced.

    Parameters
    ----------
    root : str or pathlib.Path
        Folder for the images; it is created if it does not exist.
    n_scenes, n_objects : int, optional
        Number of scenes and of object-centric images (default 2000 each). The categories take turns.
    seed : int, optional
        0 to 9, each another set of images (default 0). The embedded networks were trained on none of them.
    workers : int, optional
        Number of processes (default one per core). The images do not depend on it.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    SceneLensError
        If `seed` is out of range, or the folder contains images that are not SceneWorld's.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     root = ensure_world(folder, n_scenes=1, n_objects=1, workers=1)
    ...     [path.name for path in sorted(root.rglob("*.jpg"))]  # doctest: +SKIP
    ['sink_0000.jpg', 'bedroom_0000.jpg']
    """
    root = Path(root)
    if not 0 <= seed <= 9:
        raise SceneLensError(f"seed = {seed} of SceneWorld is not within 0 to 9.")
    made = {"n_scenes": n_scenes, "n_objects": n_objects, "seed": seed}
    state = _read_state(root)
    if state.get("finished") and state.get("made") == made and _unchanged(root, state):
        return root
    if state.get("made") != made or state.get("code") != _code_key():
        _clear(root, state)
    state = {"made": made, "code": _code_key(), "source": _source_key()}
    _write_state(root, state, finished=False)
    _render_all(root, _jobs(n_scenes, n_objects, seed), workers or _cores())
    _write_state(root, state, finished=True)
    return root


def _jobs(n_scenes: int, n_objects: int, seed: int) -> list[Job]:
    jobs = []
    for kind, names, n in zip(_KINDS, (scene_categories(), object_classes()), (n_scenes, n_objects), strict=True):
        for i in range(n):  # categories take turns, so that any first n images are balanced
            name, number = names[i % len(names)], i // len(names)
            image = f"{kind}/{name}/{name.replace('/', '_')}_{number:04d}.jpg"
            # Seeds stay below 10 million; those of the training images start there (see `training`).
            jobs.append(Job(kind, name, image, seed * 1_000_000 + i))
    return jobs


# ------------------------------------------------------------------------------------------ what exists already


def _read_state(root: Path) -> dict:
    try:
        return json.loads((root / _STATE).read_text())
    except FileNotFoundError:
        if any((root / "Images").glob("*")):
            raise SceneLensError(f"{root} holds images, but not SceneWorld's ({_STATE} is missing); choose another folder.") from None
        return {}
    except (OSError, ValueError):  # not a run that was stopped: the file is replaced atomically
        raise SceneLensError(f"{root / _STATE} cannot be read; delete {root} to render it again.") from None


def _write_state(root: Path, state: dict, finished: bool) -> None:
    replace_file(root / _STATE, (json.dumps({**state, "finished": finished}, indent=1) + "\n").encode())


def _unchanged(root: Path, state: dict) -> bool:
    """Whether this version would draw the same images.

    If so, the key of its source files is written into the state, so that the next call is quick. The code key stays that
    of the version which drew the images.
    """
    if state.get("source") == _source_key():  # the usual case, without parsing any source
        return True
    if state.get("code") != _code_key() and state.get("code") not in SAME_PICTURES:
        return False
    _write_state(root, {**state, "source": _source_key()}, finished=True)
    return True


def _clear(root: Path, state: dict) -> None:
    if state:  # there were images of another version
        print(f"SceneWorld has changed: the images in {root} are rendered again.", flush=True)
    for folder in _FOLDERS:
        for kind in _KINDS:
            shutil.rmtree(root / folder / kind, ignore_errors=True)
    for legend in (root / "Labels").glob("*.json"):
        legend.unlink()


def _sources() -> list[Path]:
    here = Path(__file__).parent
    found = [path for path in here.rglob("*") if path.suffix in (".py", ".toml")]
    return sorted(path for path in found if path.name not in _NOT_PICTURES)


@cache
def _source_key() -> str:
    """Key of the bytes of SceneWorld's source files: the quick check that nothing has changed."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in _sources())).hexdigest()[:16]


@cache
def _code_key() -> str:
    """Key of what SceneWorld's source files do: comments and docstrings do not change it, names and numbers do."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(_meaning(path.read_text(), path.suffix).encode())
    return digest.hexdigest()[:16]


def _meaning(text: str, suffix: str) -> str:
    """The content of a source file without its comments and docstrings."""
    return _without_words(text) if suffix == ".py" else repr(tomllib.loads(text))


def _without_words(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [one for one in node.body if not _is_text(one)]
    return ast.dump(tree)


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a docstring, or any other bare constant."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


# ------------------------------------------------------------------------------------------------- rendering


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _render_all(root: Path, jobs: list[Job], workers: int) -> None:
    """Render what is missing.

    Parts are numbered here, in the main process and in the order of the images: so the numbers do not depend on which
    process finishes first.
    """
    write_legend(root, "materials", {i + 1: name for i, name in enumerate(MATERIAL_NAMES)})
    codes = _known_parts(root)
    missing = [job for job in jobs if not _parts_path(root, job).exists()]
    if len(missing) > 100:
        _announce(root, missing, workers)
    rendered = _rendered(partial(_render, root), missing, workers)
    bar = tqdm(zip(missing, rendered, strict=True), total=len(missing), desc="SceneWorld", unit="image", disable=None)
    for job, (parts, names) in bar:
        new = [name for name in names if name not in codes]
        if new:
            codes |= {name: len(codes) + 1 + i for i, name in enumerate(new)}
            write_legend(root, "parts", {code: name for name, code in codes.items()})
        table = np.array([0, *(codes[name] for name in names)])
        write_label_map(root, job.image, "parts", table[parts])  # the image's last file: if it exists, all do


def _parts_path(root: Path, job: Job) -> Path:
    return root / "Labels" / f"{job.image[:-4]}_parts.png"


def _known_parts(root: Path) -> dict[str, int]:
    try:
        legend = json.loads((root / "Labels" / "parts.json").read_text())
    except FileNotFoundError:
        return {}
    return {name: int(code) for code, name in legend.items()}


def _announce(root: Path, jobs: list[Job], workers: int) -> None:
    """Print an estimate of the time, measured on a few of the pictures."""
    _picture(jobs[0])  # compiles the renderer, which must not count
    start = perf_counter()
    for job in jobs[:: len(jobs) // 6][:6]:
        _picture(job)
    # The factor allows for writing the files, which the sample leaves out.
    seconds = 1.4 * (perf_counter() - start) / 6 * len(jobs) / workers
    print(f"Rendering {len(jobs):,} images of SceneWorld into {root} takes about {seconds:.0f} s.", flush=True)


def _rendered(render, jobs: list[Job], workers: int) -> Iterator[tuple[np.ndarray, list[str]]]:
    if workers == 1 or len(jobs) < 8:
        yield from map(render, jobs)
        return
    # Forked processes inherit the compiled kernels. OpenCV's own threads are switched off: they would only compete.
    context = get_context("fork" if sys.platform == "linux" else None)
    with ProcessPoolExecutor(workers, context, initializer=cv2.setNumThreads, initargs=(0,)) as pool:
        yield from pool.map(render, jobs, chunksize=8)


def _picture(job: Job) -> Rendered:
    return compose_scene(job.name, job.seed).picture if job.kind == "scene" else studio_picture(job.name, job.seed)


def _render(root: Path, job: Job) -> tuple[np.ndarray, list[str]]:
    """Render and write one image and its annotation; return its part codes, (227, 227), and the names of codes from 1 on."""
    picture = _picture(job)
    jpeg = cv2.imencode(".jpg", picture.image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    replace_file(root / "Images" / job.image, jpeg.tobytes())
    xml = (root / "Annotations" / job.image).with_suffix(".xml")
    folder, _, filename = job.image.rpartition("/")
    write_annotation(xml, filename, folder, (SIZE, SIZE), _annotated(picture))
    write_label_map(root, job.image, "materials", picture.material_ids + 1)
    return _parts(picture)


def _annotated(picture: Rendered) -> Iterator[AnnotatedObject]:
    """The outlines in a picture: background regions first, then every instance of an object."""
    for number, region in enumerate(picture.region_masks().items(), start=len(picture.objects)):
        yield from _outlined(*region, number, "background")
    for placed in picture.objects:
        yield from _outlined(placed.name, picture.object_ids == placed.id, placed.id, placed.look)


def _outlined(name: str, mask: np.ndarray, number: int, about: str) -> Iterator[AnnotatedObject]:
    if np.count_nonzero(mask) >= _SMALLEST:
        polygons = tuple(mask_to_polygons(mask, min_area=6 if name not in REGIONS else 16))
        if polygons:
            yield AnnotatedObject(name, polygons, instance=number, attributes="" if about == "plain" else about)


def _parts(picture: Rendered) -> tuple[np.ndarray, list[str]]:
    """Part codes of a picture (0: no part) and the names of codes from 1 on, of visible parts only."""
    seen = [i for i in np.unique(picture.part_ids).tolist() if i >= 0]
    table = np.zeros(len(picture.parts) + 1, np.uint16)  # its last place is for -1, no part
    table[seen] = np.arange(1, len(seen) + 1)
    return table[picture.part_ids], [": ".join(picture.parts[i]) for i in seen]

"""The world's annotated images on disk, in the SUN layout, rendered when they are first asked for.

    Images/scene/bedroom/bedroom_0003.jpg       Images/object/lamp/floor/lamp_floor_0003.jpg
    Annotations/.../bedroom_0003.xml            polygons of objects and of background regions, as SUN marks them
    Labels/.../bedroom_0003_parts.png           which part of which object a pixel shows ("lamp: shade")
    Labels/.../bedroom_0003_materials.png       and of which material it is
    sceneworld.json                             what was rendered; read it to know whether all of it is there

`scenelens.annotations.sun.AnnotatedImages` reads it like any other annotated set.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import sys
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
from scenelens.sceneworld import object_classes
from scenelens.sceneworld.render.materials import MATERIAL_NAMES
from scenelens.sceneworld.render.pipeline import SIZE, Rendered
from scenelens.sceneworld.scenes import compose_scene
from scenelens.sceneworld.studio import studio_picture
from scenelens.sceneworld.truth import scene_categories
from scenelens.sceneworld.world import REGIONS

__all__ = ["ensure_world"]

STATE = "sceneworld.json"
KINDS = ("scene", "object")
FOLDERS = ("Images", "Annotations", "Labels")
SMALLEST = 8  # pixels; what shows less is not annotated
JPEG_QUALITY = 95
NOT_PICTURES = ("training.py", "preview.py")  # their code changes no picture
#: Code keys of earlier versions that drew the same pictures bit for bit, so that their images are used again. Empty it
#: with every change of the renderer that moves a single pixel.
SAME_PICTURES = frozenset({"bd58a8e333a6eda7"})


class Job(NamedTuple):
    """One image to be made: scene or object, its category or class, its path below Images/, its seed."""

    kind: str
    name: str
    image: str
    seed: int


def ensure_world(root: str | Path, n_scenes: int = 2000, n_objects: int = 2000, seed: int = 0, workers: int | None = None) -> Path:
    """Render the annotated images, unless they are there already.

    Parameters
    ----------
    root : folder that the images belong in; made if it is missing.
    n_scenes, n_objects : number of scenes and of object-centric images; the categories take turns.
    seed : 0 to 9, another set of images; none of them is ever among the networks' training images.
    workers : processes; None means one for each core. The images do not depend on it.

    Returns
    -------
    root. A run that was stopped goes on where it stopped; images of another version of the world, or of other
    numbers, are replaced.

    Raises
    ------
    SceneLensError : the root holds images that are not SceneWorld's, or cannot be written to.

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
    for kind, names, n in zip(KINDS, (scene_categories(), object_classes()), (n_scenes, n_objects), strict=True):
        for i in range(n):
            name, number = names[i % len(names)], i // len(names)
            image = f"{kind}/{name}/{name.replace('/', '_')}_{number:04d}.jpg"
            jobs.append(Job(kind, name, image, seed * 1_000_000 + i))
    return jobs


# ------------------------------------------------------------------------------------- what is there already


def _read_state(root: Path) -> dict:
    try:
        return json.loads((root / STATE).read_text())
    except FileNotFoundError:
        if any((root / "Images").glob("*")):
            raise SceneLensError(f"{root} holds images, but not SceneWorld's ({STATE} is missing); choose another folder.") from None
        return {}
    except (OSError, ValueError):  # half a file cannot be: someone else wrote it
        raise SceneLensError(f"{root / STATE} cannot be read; delete {root} to render it again.") from None


def _write_state(root: Path, state: dict, finished: bool) -> None:
    replace_file(root / STATE, (json.dumps({**state, "finished": finished}, indent=1) + "\n").encode())


def _unchanged(root: Path, state: dict) -> bool:
    """Whether the images are this version's; a world that differs in comments only is the same world."""
    if state.get("source") == _source_key():
        return True
    if state.get("code") != _code_key() and state.get("code") not in SAME_PICTURES:
        return False
    _write_state(root, {**state, "code": _code_key(), "source": _source_key()}, finished=True)
    return True


def _clear(root: Path, state: dict) -> None:
    if state:
        print(f"SceneWorld has changed: the images in {root} are rendered again.", flush=True)
    for folder in FOLDERS:
        for kind in KINDS:
            shutil.rmtree(root / folder / kind, ignore_errors=True)
    for legend in (root / "Labels").glob("*.json"):
        legend.unlink()


def _sources() -> list[Path]:
    here = Path(__file__).parent
    found = [path for path in here.rglob("*") if path.suffix in (".py", ".toml")]
    return sorted(path for path in found if path.name not in NOT_PICTURES)


@cache
def _source_key() -> str:
    """Key of the world's source files as they are; quick to tell that nothing has changed."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in _sources())).hexdigest()[:16]


@cache
def _code_key() -> str:
    """Key of what the world's source files do, whatever their comments and docstrings."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(_without_words(path.read_text()).encode() if path.suffix == ".py" else path.read_bytes())
    return digest.hexdigest()[:16]


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
    """Render what is missing. Parts are numbered here, in the order of the images, whoever rendered them."""
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
        write_label_map(root, job.image, "parts", table[parts])  # last of the image's files: now it is complete


def _parts_path(root: Path, job: Job) -> Path:
    return root / "Labels" / f"{job.image[:-4]}_parts.png"


def _known_parts(root: Path) -> dict[str, int]:
    try:
        legend = json.loads((root / "Labels" / "parts.json").read_text())
    except FileNotFoundError:
        return {}
    return {name: int(code) for code, name in legend.items()}


def _announce(root: Path, jobs: list[Job], workers: int) -> None:
    """Say how long it will take, going by a few of the pictures."""
    _picture(jobs[0])  # compiles the renderer
    start = perf_counter()
    for job in jobs[:: len(jobs) // 6][:6]:
        _picture(job)
    seconds = 1.4 * (perf_counter() - start) / 6 * len(jobs) / workers
    print(f"Rendering {len(jobs):,} images of SceneWorld into {root} takes about {seconds:.0f} s.", flush=True)


def _rendered(render, jobs: list[Job], workers: int) -> Iterator[tuple[np.ndarray, list[str]]]:
    if workers == 1 or len(jobs) < 8:
        yield from map(render, jobs)
        return
    context = get_context("fork" if sys.platform == "linux" else None)
    with ProcessPoolExecutor(workers, context, initializer=cv2.setNumThreads, initargs=(0,)) as pool:
        yield from pool.map(render, jobs, chunksize=8)


def _picture(job: Job) -> Rendered:
    return compose_scene(job.name, job.seed).picture if job.kind == "scene" else studio_picture(job.name, job.seed)


def _render(root: Path, job: Job) -> tuple[np.ndarray, list[str]]:
    """Render and write one image and its annotation; gives its parts, (227, 227) codes, and their names from 1."""
    picture = _picture(job)
    jpeg = cv2.imencode(".jpg", picture.image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    replace_file(root / "Images" / job.image, jpeg.tobytes())
    xml = (root / "Annotations" / job.image).with_suffix(".xml")
    folder, _, filename = job.image.rpartition("/")
    write_annotation(xml, filename, folder, (SIZE, SIZE), annotated(picture))
    write_label_map(root, job.image, "materials", picture.material_ids + 1)
    return _parts(picture)


def annotated(picture: Rendered) -> Iterator[AnnotatedObject]:
    """What can be seen in a picture, outlined: background regions first, then every instance of an object."""
    for number, region in enumerate(picture.region_masks().items(), start=len(picture.objects)):
        yield from _outlined(*region, number, "background")
    for placed in picture.objects:
        yield from _outlined(placed.name, picture.object_ids == placed.id, placed.id, placed.look)


def _outlined(name: str, mask: np.ndarray, number: int, about: str) -> Iterator[AnnotatedObject]:
    if np.count_nonzero(mask) >= SMALLEST:
        polygons = tuple(mask_to_polygons(mask, min_area=6 if name not in REGIONS else 16))
        if polygons:
            yield AnnotatedObject(name, polygons, instance=number, attributes="" if about == "plain" else about)


def _parts(picture: Rendered) -> tuple[np.ndarray, list[str]]:
    """Part codes of a picture, 0 where there is none, and the names of codes from 1 on, only those seen."""
    seen = [i for i in np.unique(picture.part_ids).tolist() if i >= 0]
    table = np.zeros(len(picture.parts) + 1, np.uint16)  # its last place is for -1, no part
    table[seen] = np.arange(1, len(seen) + 1)
    return table[picture.part_ids], [": ".join(picture.parts[i]) for i in seen]

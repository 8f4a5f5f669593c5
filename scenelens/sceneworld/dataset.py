"""SceneWorld's annotated images on disk, in the SUN layout, rendered at first use.

    Images/scene/bedroom/bedroom_0003.jpg       Images/object/lamp/floor/lamp_floor_0003.jpg
    Annotations/.../bedroom_0003.xml            polygons of objects and of background regions, in SUN's format
    Labels/.../bedroom_0003_parts.png           part of each pixel ("lamp: shade"), named in Labels/parts.json
    Labels/.../bedroom_0003_materials.png       material of each pixel, named in Labels/materials.json
    sceneworld.json                             what was rendered, by which code, and whether it is complete
    sceneworld-files.json                       the digest of each file, see `own_files`
    sceneworld.lock                             held by the one process that renders

`scenelens.annotations` reads it like any other annotated data set.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import cv2
import filelock
import numpy as np
from tqdm.auto import tqdm

from scenelens.annotations import AnnotatedObject, mask_to_polygons, write_annotation, write_label_map, write_legend
from scenelens.errors import SceneLensError
from scenelens.files import replace_file
from scenelens.sceneworld.compiling import compile_kernels
from scenelens.sceneworld.materials import MATERIAL_NAMES
from scenelens.sceneworld.objects import object_classes
from scenelens.sceneworld.own_files import check_folder_is_free, record_files, remove_files, set_files_aside, sweep_drafts
from scenelens.sceneworld.render.pipeline import SIZE, Rendered
from scenelens.sceneworld.scenes import compose_scene
from scenelens.sceneworld.studio import studio_picture
from scenelens.sceneworld.truth import scene_categories
from scenelens.sceneworld.workers import cores, render_pool
from scenelens.sceneworld.world import REGIONS
from scenelens.sceneworld.worlds import SceneWorld, read_world

__all__ = ["ensure_world", "same_pictures"]

_STATE = "sceneworld.json"
_KINDS = ("scene", "object")
_LOCK = "sceneworld.lock"
_SHIPPED = SceneWorld()
_MOST = 1_000_000  # images of one kind: the seeds of the next set begin there
_LEGENDS = ("Labels/materials.json", "Labels/parts.json")
_SMALLEST = 8  # pixels; what covers fewer is not annotated
_JPEG_QUALITY = 95
# Their code changes no picture.
_NOT_PICTURES = ("training.py", "preview.py", "check.py", "own_files.py", "workers.py", "compiling.py", "tasks.py", "pictures.py")
#: Code keys of earlier versions that drew the same pictures bit for bit: their images are used, not rendered again.
#: Clear the set in the same change in which the renderer moves a single pixel. The second to fourth are one version's,
#: whose key depended on Python (3.11, 3.12, newer).
SAME_PICTURES = frozenset(
    {"bd58a8e333a6eda7", "0cd8b3a0f2b55ae7", "c71af2961e5c406f", "88333d59af3e0654", "376e01704e5471e5", "f0e87f8ebbe7b633"}
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
    world : SceneWorld, optional
        The world of a scene (default: as it is shipped).
    """

    kind: str
    name: str
    image: str
    seed: int
    world: SceneWorld = _SHIPPED


def ensure_world(
    root: str | Path,
    n_scenes: int = 2000,
    n_objects: int = 2000,
    seed: int = 0,
    workers: int | None = None,
    world: SceneWorld = _SHIPPED,
) -> Path:
    """Render the annotated images, unless they exist already.

    A run that was stopped continues where it stopped.  Images of another version of SceneWorld, or of other numbers,
    are replaced. One process renders; others that need the same images wait for it. Files that SceneWorld did not write
    are never deleted or replaced; see `own_files`.

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
    world : SceneWorld, optional
        The world of the scenes (default: as it is shipped). Object-centric images are the same in all worlds.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    SceneLensError
        If a number is out of range, the folder contains files that are not SceneWorld's, or it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     root = ensure_world(folder, n_scenes=1, n_objects=1, workers=1)
    ...     [path.name for path in sorted(root.rglob("*.jpg"))]  # doctest: +SKIP
    ['sink_0000.jpg', 'bedroom_0000.jpg']
    """
    root = Path(root)
    made = _checked_numbers(n_scenes, n_objects, seed, world.edits)
    if _is_ready(root, made):  # without the lock, because a finished world may lie in a read-only folder
        return root
    with _lock(root):
        if not _is_ready(root, made):  # unless another process has rendered it meanwhile
            _make_world(root, made, workers or cores())
    return root


def _checked_numbers(n_scenes: int, n_objects: int, seed: int, edits: Sequence = ()) -> dict[str, Any]:
    """What is to be made, as plain JSON; the edits of the world are in it only where there are some."""
    if not 0 <= seed <= 9:
        raise SceneLensError(f"seed = {seed} of SceneWorld is not within 0 to 9.")
    made = {"n_scenes": n_scenes, "n_objects": n_objects}
    for name, n in made.items():
        if not 0 <= n <= _MOST:
            raise SceneLensError(f"{name} = {n} of SceneWorld is not within 0 to {_MOST:,}.")
    edited = {"edits": json.loads(json.dumps(read_world(edits).edits))} if edits else {}
    return {**made, "seed": seed, **edited}


def _is_ready(root: Path, made: dict[str, Any]) -> bool:
    state = _read_state(root)
    return bool(state.get("finished")) and state["made"] == made and _unchanged(root, state)


@contextlib.contextmanager
def _lock(root: Path) -> Iterator[None]:
    """Let one process render into a folder at a time. The lock of a killed process is released."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(root / _LOCK)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            print(f"Another process is rendering SceneWorld into {root}; waiting for it.", flush=True)
            lock.acquire()
    except OSError as error:
        raise SceneLensError(f"{root} cannot be written ({error.strerror}); choose another folder.") from None
    try:
        yield
    finally:
        lock.release()


def _make_world(root: Path, made: dict[str, Any], workers: int) -> None:
    state = _read_state(root)
    jobs = _jobs(**made)
    names = _files(jobs)
    if not state:
        check_folder_is_free(root)
    sweep_drafts(root, [*names, _STATE])
    if state.get("made") != made or state.get("code") != _code_key():
        _clear(root, state, names)
    state = {"made": made, "code": _code_key(), "source": _source_key()}
    _write_state(root, state, finished=False)
    _render_all(root, jobs, workers)
    record_files(root, names)
    _write_state(root, state, finished=True)


def _jobs(n_scenes: int, n_objects: int, seed: int, edits: Sequence = ()) -> list[Job]:
    jobs, world = [], read_world(edits)
    for kind, names, n in zip(_KINDS, (scene_categories(), object_classes()), (n_scenes, n_objects), strict=True):
        for i in range(n):  # categories take turns, so that any first n images are balanced
            name, number = names[i % len(names)], i // len(names)
            image = f"{kind}/{name}/{name.replace('/', '_')}_{number:04d}.jpg"
            # Seeds stay below 10 million; those of the training images start there (see `training`).
            jobs.append(Job(kind, name, image, seed * 1_000_000 + i, world))
    return jobs


def _files(jobs: list[Job]) -> list[str]:
    """The paths of all files of a world, relative to its folder."""
    stems = [job.image[:-4] for job in jobs]
    of_image = ("Images/{}.jpg", "Annotations/{}.xml", "Labels/{}_materials.png", "Labels/{}_parts.png")
    return [*(one.format(stem) for stem in stems for one in of_image), *_LEGENDS]


# ------------------------------------------------------------------------------------------ what exists already


def _read_state(root: Path) -> dict:
    """What was rendered into a folder; an empty dict if nothing was.

    Raises
    ------
    SceneLensError
        If the folder has images of another origin, or the file is damaged.
    """
    try:
        state = json.loads((root / _STATE).read_text("utf-8"))
        _checked_numbers(**state["made"])
        str.lower(state["code"])
        return state
    except FileNotFoundError:
        try:
            check_folder_is_free(root)
        except SceneLensError:
            if not (root / _STATE).exists():
                raise
            return _read_state(root)  # another process began while this one looked: the files are its own
        return {}
    # It is replaced atomically, so a run that was stopped is not the reason.
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SceneLensError(
            f"{root / _STATE} cannot be read, or is not SceneWorld's: choose another folder, or delete {root} if nothing else is in it."
        ) from None


def _write_state(root: Path, state: dict, finished: bool) -> None:
    replace_file(root / _STATE, (json.dumps({**state, "finished": finished}, indent=1) + "\n").encode())


def _unchanged(root: Path, state: dict) -> bool:
    """Whether this version would draw the same images.

    If so, the key of its source files is written into the state, so that the next call is quick. The code key stays that
    of the version which drew the images.
    """
    if state.get("source") == _source_key():  # the usual case, without parsing any source
        return True
    if not same_pictures(state.get("code", "")):
        return False
    with contextlib.suppress(SceneLensError):  # a read-only folder: the next call is not quicker, and that is all
        _write_state(root, {**state, "source": _source_key()}, finished=True)
    return True


def _clear(root: Path, state: dict, wanted: list[str]) -> None:
    """Delete the files of another version, and nothing else; make room for the files that are wanted now."""
    if not state:
        return
    print(f"SceneWorld has changed: the images in {root} are rendered again.", flush=True)
    finished_at = (root / _STATE).stat().st_mtime if state.get("finished") else None
    moved = remove_files(root, _files(_jobs(**state["made"])), finished_at) + set_files_aside(root, wanted)
    if moved:
        print(f"{moved} files there were not as SceneWorld wrote them; they are now in {root / 'changed'}.", flush=True)


def _sources() -> list[Path]:
    here = Path(__file__).parent
    found = [path for path in here.rglob("*") if path.suffix in (".py", ".toml")]
    return sorted(path for path in found if path.name not in _NOT_PICTURES)


@cache
def _source_key() -> str:
    """Key of the bytes of SceneWorld's source files: the quick check that nothing has changed."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in _sources())).hexdigest()[:16]


def same_pictures(code: str) -> bool:
    """Whether a version of SceneWorld drew the pictures that this version draws.

    Parameters
    ----------
    code : str
        The version's key, as `ensure_world` writes it into ``sceneworld.json``.

    Returns
    -------
    bool
        Whether they are the same, bit for bit.

    Examples
    --------
    >>> same_pictures("a version that nobody knows")
    False
    """
    return code == _code_key() or code in SAME_PICTURES


@cache
def _code_key() -> str:
    """Key of what SceneWorld's source files do: comments and docstrings do not change it, names and numbers do."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(_meaning(path.read_text("utf-8"), path.suffix).encode())
    return digest.hexdigest()[:16]


def _meaning(text: str, suffix: str) -> str:
    """The content of a source file without its comments and docstrings."""
    return _without_words(text) if suffix == ".py" else repr(tomllib.loads(text))


def _without_words(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [one for one in node.body if not _is_text(one)]
    return _written_out(tree)


def _written_out(node: object) -> str:
    """A tree as one line of text, the same in every version of Python; `ast.dump` leaves out more and more."""
    if isinstance(node, list):
        return f"[{', '.join(map(_written_out, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    values = {name: getattr(node, name, None) for name in node._fields if name != "type_params"}  # since Python 3.12
    said = (f"{name}={_written_out(value)}" for name, value in values.items() if value is not None)
    return f"{type(node).__name__}({', '.join(said)})"


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a docstring, or any other bare constant."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


# ------------------------------------------------------------------------------------------------- rendering


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
        legend = json.loads((root / "Labels" / "parts.json").read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return {name: int(code) for code, name in legend.items()}


def _announce(root: Path, jobs: list[Job], workers: int) -> None:
    """Print an estimate of the time, measured on a few of the pictures."""
    compile_kernels(workers)  # which must not count
    _picture(jobs[0])  # compiles what is left
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
    with render_pool(workers) as pool:
        yield from pool.map(render, jobs, chunksize=8)


def _picture(job: Job) -> Rendered:
    return compose_scene(job.name, job.seed, world=job.world).picture if job.kind == "scene" else studio_picture(job.name, job.seed)


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

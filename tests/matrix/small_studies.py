"""Small studies from a description: which networks, annotations and photographs there are.

A photograph is a background in its category's colour, with two rectangles in the colours of objects. The
networks are random but for their last layer, which is fitted to the study's photographs: so they recognise
most of them, and every notebook has something to show.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from scenelens.annotations.outlined import AnnotatedObject
from scenelens.annotations.polygons import mask_to_polygons
from scenelens.annotations.sun import write_annotation
from scenelens.studies.study import open_study
from tests.matrix import architectures

SHAPE = (64, 80)
#: The classes of the two networks. No photograph shows the last kind of scene.
SCENES, OBJECTS = ("attic", "beach", "cave"), ("apple", "ball")
COLOURS = {
    "attic": (150, 90, 60), "beach": (225, 200, 120), "cave": (70, 70, 90),
    "apple": (200, 230, 200), "ball": (230, 200, 230),
}  # fmt: skip
#: Category -> the objects of its scenes; the colours of all objects.
THINGS = {"attic": ("lamp", "window"), "beach": ("boat", "lamp"), "cave": ("rock", "lamp")}
PAINT = {
    "lamp": (250, 240, 40), "window": (120, 180, 250), "boat": (220, 40, 40), "rock": (20, 160, 60),
    "door": (120, 180, 250), "fence": (220, 40, 40),
    "apple": (200, 20, 20), "ball": (20, 20, 220),
}  # fmt: skip
PER_CATEGORY = 8  # photographs of a category, as many as an SVM needs


def write_study(folder: Path, case: dict[str, str]) -> Path:
    """Write the study that a case of `cover` describes; return its study.toml."""
    folder.mkdir(parents=True)
    text = [f'name = "small"\ntitle = "{title_of(case)}"\n']
    text += [_images(folder, case), _annotations(folder, case)]
    names = {"two": ("scene", "object"), "one": ("scene",), "three": ("scene", "object", "untrained")}
    for name in names.get(case["networks"], ("scene", "untrained")):
        text.append(_network(name, case["architecture"], case["networks"]))
    text.append('[cache]\npath = "cache"\n')
    shutil.copy(architectures.__file__, folder / "architectures.py")
    path = folder / "study.toml"
    path.write_text("\n".join(text), encoding="utf-8")
    _fit_last_layers(path)
    return path


def title_of(case: dict[str, str]) -> str:
    """The title of a case's study."""
    return "Small study: " + ", ".join(case.values())


def trust() -> str:
    """What SCENELENS_TRUST must be for the copied architectures to run."""
    return hashlib.sha256(Path(architectures.__file__).read_bytes()).hexdigest()


# ---- photographs


def _images(folder: Path, case: dict[str, str]) -> str:
    kind, listed = case["photographs"], case["annotations"] == "listed"
    n = 3 if kind == "12 images" else PER_CATEGORY
    scenes, objects = SCENES[:2], OBJECTS
    if kind == "one category":
        scenes, objects = SCENES[:1], OBJECTS[:1]
    text = ""
    place = folder / "world" / "Images" if listed else folder / "photos" / "scenes"
    for source, categories in (("scene-centric", scenes), ("object-centric", objects)):
        if source == "object-centric":
            if kind == "no objects":
                break
            place = folder / "photos" / "objects"
        for category in categories:
            for number in range(n):
                below = (
                    place
                    if kind == "flat folders" and not (listed and source[0] == "s")
                    else place / category
                )
                _paint(below / f"{category}_{number}.png", category, number)
        text += f'[[images]]\npath = "{place.relative_to(folder).as_posix()}"\nsource = "{source}"\n\n'
    return text


def _paint(path: Path, category: str, number: int, things: tuple[str, ...] | None = None) -> dict:
    """Write a photograph; return the mask of each object in it."""
    rng = np.random.default_rng([number, *category.encode()])
    picture = np.empty((*SHAPE, 3))
    picture[:] = COLOURS[category]
    masks: dict[str, np.ndarray] = {}
    names = things if things is not None else THINGS.get(category, (category,))
    for place, name in enumerate(names):
        mask = np.zeros(SHAPE, bool)
        high, wide = rng.integers(14, 26, 2) * (2 if category in OBJECTS else 1)
        top, left = rng.integers(4, max(5, SHAPE[0] - high)), rng.integers(2, 12) + 40 * place
        mask[top : top + high, left : left + wide] = True
        picture[mask] = PAINT[name]
        masks[name] = mask
    picture += rng.normal(0, 12, picture.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
    return masks


# ---- annotations


def _annotations(folder: Path, case: dict[str, str]) -> str:
    kind, few = case["annotations"], case["photographs"] == "3 annotated"
    scenes = SCENES[:1] if case["photographs"] == "one category" else SCENES[:2]
    n = 1 if few else (3 if case["photographs"] == "12 images" else PER_CATEGORY)
    text = ""
    if kind in ("scenes", "listed", "two sets"):
        _outlined(folder / "world", SCENES if few else scenes, n, 0 if kind == "listed" else 100)
        text += '[[annotations]]\nroot = "world"\nformat = "sun"\n\n'
    if kind in ("flat", "two sets"):
        text += _masks(folder / "masks", 3 if few else n * len(scenes))
    return text


def _outlined(root: Path, scenes: tuple[str, ...], n: int, first: int) -> None:
    """Photographs by scene, with outlines of the objects in them."""
    for category in scenes:
        for number in range(first, first + n):
            image = root / "Images" / category / f"{category}_{number}.png"
            masks = _paint(image, category, number)
            things = [AnnotatedObject(name, tuple(mask_to_polygons(mask))) for name, mask in masks.items()]
            xml = root / "Annotations" / category / f"{image.stem}.xml"
            write_annotation(xml, image.name, category, SHAPE, things)


def _masks(root: Path, n: int) -> str:
    """Photographs in one folder, with a colour for each class: nothing says which scene they show."""
    names = ("door", "fence")
    for number in range(n):
        masks = _paint(
            root / "images" / f"street_{number}.png", "beach", 200 + number, names[: 1 + number % 2]
        )
        picture = np.zeros((*SHAPE, 3), np.uint8)
        for name, mask in masks.items():
            picture[mask] = PAINT[name]
        (root / "labels").mkdir(exist_ok=True)
        Image.fromarray(picture).save(root / "labels" / f"street_{number}.png")
    colours = "\n".join(f"{name} = {list(PAINT[name])}" for name in names)
    return f'[[annotations]]\nroot = "masks"\nformat = "colour-mask"\n[annotations.colours]\n{colours}\n\n'


# ---- networks


def _network(name: str, architecture: str, networks: str) -> str:
    classes = list(OBJECTS if name == "object" else SCENES)
    text = f"[networks.{name}]\nclasses = {classes}\n"
    # The third network of three is another architecture wherever it can be.
    kind = "caffenet" if name == "untrained" and networks == "three" else architecture
    size = 99 if kind == "caffenet" else 64
    return (
        f'{text}factory = "architectures.py:{kind}_{name}"\n[networks.{name}.preprocessing]\nsize = {size}\n'
    )


def _fit_last_layers(path: Path) -> None:
    """Fit the last layer of the scene and object networks to the photographs, and store their weights."""
    study, text = open_study(path), path.read_text(encoding="utf-8")
    for name in [one for one in ("scene", "object") if one in study.networks]:
        network = study.networks[name]
        images = study.images[study.images["source"] == f"{name}-centric"]
        photographs = [study.load_image(image) for image in images["image"]]
        truth = [Path(image).name.partition("_")[0] for image in images["image"]]
        if photographs:
            _fit(network, photographs, [network.classes.index(one) for one in truth])
        save_file(
            {key: value.contiguous().clone() for key, value in network.module.state_dict().items()},
            path.parent / f"{name}.safetensors",
        )
        head = f"[networks.{name}]\n"
        text = text.replace(head, f'{head}weights = "{name}.safetensors"\n')
    path.write_text(text, encoding="utf-8")


@torch.no_grad()
def _fit(network, photographs: list, truth: list[int]) -> None:
    """Ridge regression from what the last linear layer reads to one class each."""
    last = [one for one in network.module.modules() if isinstance(one, nn.Linear)][-1]
    read = []
    handle = last.register_forward_pre_hook(lambda module, args: read.append(args[0].detach()))
    network(photographs)
    handle.remove()
    inputs = torch.cat(read).double()
    inputs = torch.cat([inputs, torch.ones(len(inputs), 1, dtype=torch.double)], 1)
    wanted = 6 * torch.nn.functional.one_hot(torch.tensor(truth), last.out_features).double()
    scale = inputs.pow(2).mean()
    inverse = torch.linalg.inv(inputs.T @ inputs + 1e-3 * scale * torch.eye(inputs.shape[1]))
    weight = (inverse @ inputs.T @ wanted).T.float()
    last.weight.copy_(weight[:, :-1])
    last.bias.copy_(weight[:, -1])

"""The moving picture at the head of README and of the index page, from what the embedded study measures.

One image loses segment after segment, until just before the scene network no longer names its scene. Then the
same image shows where one unit of that network is active, what the unit is called, and how many such units
there are. The image was chosen because it shows this well. All numbers are measured when it is drawn.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

import scenelens as sl
from scenelens.files import write_whole
from scenelens.images import load_image
from scenelens.networks import interpolate, unit_maps
from scenelens.workbook import dimmed

IMAGE, OBJECT = "scene/classroom/classroom_0005.jpg", "blackboard"  # an example, chosen by eye
NAME = "in_ten_seconds"

WIDTH, HEIGHT, SIDE, EDGE, GAP = 960, 680, 464, 8, 16  # pixels
PAPER, INK, SOFT, LINE, TRACK, BAR, GREY = (
    "#ffffff",
    "#23211d",
    "#635e55",
    "#d8d2c5",
    "#ece7db",
    "#2f6f9f",
    "#a9a294",
)
CAPTION, LABEL, NAMES = 40, 29, 34  # sizes of letters; a phone shows the picture 0.4 times as large
QUALITY = 82  # of the WebP
MOST_STEPS = 10  # of the search, besides the image itself
FIRST, STEP, MINIMAL, LIT, NAMED, COUNTED = 1800, 380, 2000, 1900, 2300, 3000  # milliseconds

Bars = Sequence[tuple[str, float, str]]  # name, share, what stands at the right


@dataclass
class Story:
    """What was measured.

    Attributes
    ----------
    scene : str
        What the image shows.
    pictures : list of numpy.ndarray
        The image, and what was left of it after each step of the search.
    shares : list of float
        The share of the pixels that was left.
    answers : list of list of (str, float)
        The network's three most probable classes each time, with their probabilities.
    lit, lit_in_minimal : numpy.ndarray
        Where the unit is active in the image, and in its minimal image, (H, W) bool.
    layer : str
        The unit's layer.
    unit, units : int
        The unit's number, and how many the layer has.
    iou : float
        How well the unit fits the object, over all scenes.
    scenes : int
        How many these are.
    detectors : dict of str to int
        How many units of the layer detect an object, by network.
    by_chance : float
        How many of the first network's would if each scene had the annotations of another of its category.
    """

    scene: str
    pictures: list[np.ndarray]
    shares: list[float]
    answers: list[list[tuple[str, float]]]
    lit: np.ndarray
    lit_in_minimal: np.ndarray
    layer: str
    unit: int
    units: int
    iou: float
    scenes: int
    detectors: dict[str, int]
    by_chance: float


def measure() -> Story:
    """Search for the image's minimal image, and look at the unit that fits the object best."""
    study = sl.open_study("sceneworld")
    found = sl.emergence.measure_emergence(study)
    name, network = study.networks.main, study.networks[study.networks.main]
    layer, scene = found.layers[name], study.annotations.scene(IMAGE)
    regions = sl.regions_from_annotation(study.annotations, IMAGE)
    cut = sl.CutImage(network, load_image(study.annotations.path(IMAGE)), regions, scene)
    search = sl.minimal_images.simplify(cut)
    # The last removal may be the one that went too far; the minimal image has its segment.
    steps = [k for k, right in enumerate(search.steps.correct) if right]
    pictures = [cut.picture(search.kept_after(k)) for k in steps]
    answers = [network.predict(picture, top=3) for picture in pictures]
    best = found.of(name).query("object == @OBJECT").sort_values("score").iloc[-1]
    threshold = float(found.automatic[name].counts[layer].thresholds[best.unit])
    axes = network.axes(layer)
    lit, lit_in_minimal = (
        interpolate(one, axes) > threshold
        for one in unit_maps(network, layer, best.unit, [cut.frame, pictures[-1]])
    )
    chance = found.chance.set_index(["network", "images"]).loc[(name, "scenes")]
    return Story(
        scene,
        pictures,
        [float(search.steps.share[k]) for k in steps],
        [list(zip(one.predicted, map(float, one.probability), strict=True)) for one in answers],
        lit,
        lit_in_minimal,
        layer,
        int(best.unit),
        int(found.share(name).n),
        float(best.score),
        len(found.seen.images),
        {str(row.network): int(row.detectors) for row in found.on_scenes.itertuples()},
        float(chance.category),
    )


@functools.cache
def font(size: int, weight: str = "normal") -> ImageFont.FreeTypeFont:
    """A font that comes with matplotlib, and so is the same on every machine."""
    properties = font_manager.FontProperties(family="DejaVu Sans", weight=weight)
    return ImageFont.truetype(font_manager.findfont(properties), size)


def page(left: np.ndarray, right: Image.Image, labels: tuple[str, str], caption: str) -> Image.Image:
    """One frame: two squares, a label below each, and a caption whose first line is bold."""
    sheet = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(sheet)
    squares = (Image.fromarray(left), right)
    for x, picture, label in zip((EDGE, EDGE + SIDE + GAP), squares, labels, strict=True):
        sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (x, EDGE))
        draw.text((x, SIDE + 18), label, fill=SOFT, font=font(LABEL))
    for line, text in enumerate(caption.splitlines()):
        style = font(CAPTION, "normal" if line else "bold")
        draw.text((EDGE, SIDE + 82 + line * 60), text, fill=INK, font=style)
    return sheet


def bars(rows: Bars, dark: str) -> Image.Image:
    """Three names with their shares; the one that is `dark` is bold."""
    panel = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(panel)
    draw.rectangle((0, 0, SIDE - 1, SIDE - 1), outline=LINE)
    left, right = 28, SIDE - 28
    for k, (name, share, said) in enumerate(rows):
        y, style = 52 + 132 * k, font(NAMES, "bold" if name == dark else "normal")
        draw.text((left, y), name, fill=INK, font=style)
        draw.text((right, y), said, fill=INK, font=style, anchor="ra")
        draw.rectangle((left, y + 52, right, y + 76), fill=TRACK)
        draw.rectangle(
            (left, y + 52, left + (right - left) * share, y + 76), fill=BAR if name == dark else GREY
        )
    return panel


def answer(story: Story, k: int) -> Image.Image:
    """The network's answer after a step."""
    rows = [(name.replace("_", " "), share, f"{share:.0%}") for name, share in story.answers[k]]
    return bars(rows, story.scene.replace("_", " "))


def counts(story: Story) -> Image.Image:
    """How many units detect an object, by network."""
    said = {"scene": "learned scenes", "object": "learned objects", "untrained": "learned nothing"}
    rows = [(said[name], n / story.units, str(n)) for name, n in story.detectors.items()]
    return bars(rows, said["scene"])


def lit(picture: np.ndarray, mask: np.ndarray) -> Image.Image:
    """A picture, dark where a unit is not active."""
    return Image.fromarray(dimmed(picture, mask))


def frames(story: Story) -> list[tuple[Image.Image, int]]:
    """All frames, each with its milliseconds."""
    scene, last = story.scene.replace("_", " "), len(story.pictures) - 1
    says, made = "what the network says", []
    some = np.unique(np.linspace(0, last, min(last, MOST_STEPS) + 1).round().astype(int))
    for k in some:
        label, time = f"{story.shares[k]:.0%} is left", STEP
        caption = "What it needs least is taken away,\npiece by piece."
        if k == 0:
            label, time = "an image", FIRST
            caption = f"A network learned the names of scenes.\nHere it says: {scene}."
        if k == last:
            label, time = f"its minimal image: {story.shares[k]:.0%}", MINIMAL
            caption = f"{story.shares[k]:.0%} of the pixels, and still “{scene}”:\nthe minimal image."
        made.append((page(story.pictures[k], answer(story, k), (label, says), caption), time))
    left, active = story.pictures[-1], f"where unit {story.unit} is active"
    caption = f"One of {story.units} units in its layer {story.layer}\nis active on what is left."
    made.append((page(left, lit(left, story.lit_in_minimal), ("its minimal image", active), caption), LIT))
    whole, again = story.pictures[0], "the image again"
    caption = f"It fits one object best: {OBJECT}.\nNobody taught the network that word."
    labels = (again, f"unit {story.unit} = {OBJECT}, IoU {story.iou:.2f}")
    made.append((page(whole, lit(whole, story.lit), labels, caption), NAMED))
    caption = (
        f"{story.detectors['scene']} of {story.units} units detect an object.\nIs it so? Measure it yourself."
    )
    labels = (again, f"detectors among {story.units} units")
    made.append((page(whole, counts(story), labels, caption), COUNTED))
    return made


def still(story: Story) -> Image.Image:
    """The same in one picture: the minimal image, and where the unit is active in the whole one."""
    share, scene = story.shares[-1], story.scene.replace("_", " ")
    labels = (f"{share:.0%} of an image: {scene}", f"unit {story.unit} = {OBJECT}, IoU {story.iou:.2f}")
    caption = "Trained to name scenes, a network\nhas units that detect objects."
    return page(story.pictures[-1], lit(story.pictures[0], story.lit), labels, caption)


def words(story: Story) -> dict[str, str | int]:
    """What stands for the picture, and below it."""
    share, scene = f"{story.shares[-1]:.0%}", story.scene.replace("_", " ")
    n, others = story.detectors, story.units
    alt = (
        f"Moving picture. A network that learned the names of scenes calls an image a {scene}. "
        f"What it needs least is taken away piece by piece; with {share} of the pixels left it still says "
        f"{scene}. Unit {story.unit} of the network's layer {story.layer} is active on what is left. Of all "
        f"objects, this unit fits {OBJECT} best. At the end: {n['scene']} of the layer's {others} units "
        f"detect an object, {n['object']} in a network that learned objects, {n['untrained']} in one that "
        "learned nothing."
    )
    caption = (
        "Measured on SceneWorld, on an image that shows it well. IoU: how far the area where the unit is "
        f"active and the outlined objects overlap, over {story.scenes:,} scenes. A unit detects an "
        "object by the rule of section 4.1; with the outlines of other scenes of the same category, "
        f"on average {story.by_chance:.0f} of the {others} units would, too."
    )
    return {"alt": alt, "caption": caption, "width": WIDTH, "height": HEIGHT}


def webp(pictures: Sequence[Image.Image], times: Sequence[int] = ()) -> bytes:
    """A WebP; of several pictures, one that moves and begins again."""
    file, moves = io.BytesIO(), {}
    if times:
        moves = {"save_all": True, "append_images": pictures[1:], "duration": list(times), "loop": 0}
        moves["kmax"] = 1  # every frame whole: otherwise a shadow of the letters before stays
    pictures[0].save(file, "WEBP", quality=QUALITY, method=6, **moves)
    return file.getvalue()


def draw(folder: Path) -> list[Path]:
    """Write the moving picture, the still one, and the words that go with them; return where."""
    story = measure()
    pictures, times = zip(*frames(story), strict=True)
    files = {
        f"{NAME}.webp": webp(pictures, times),
        f"{NAME}_still.webp": webp([still(story)]),
        f"{NAME}.json": json.dumps(words(story), indent=1, ensure_ascii=False).encode() + b"\n",
    }
    for name, content in files.items():
        write_whole(folder / name, content)
    return [folder / name for name in files]

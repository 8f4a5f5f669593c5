"""A widget to take an image apart: step through the search, or switch segments off and on.

`_RemovalModel` is the model: which segments are kept, the scores of the class, and the pictures; it needs no
notebook. `_RemovalView` is the view, which `take_apart` makes. Every segment has a button with its number in
the picture.
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import ipywidgets
import numpy as np
import traitlets
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

from scenelens.images import load_image
from scenelens.minimal_images.cut_image import CutImage, _ClassScores
from scenelens.minimal_images.regions import Regions
from scenelens.minimal_images.search import MinimalImage, simplify
from scenelens.sentences import words
from scenelens.workbook import CSS_WIDTH, Status, WidgetRoot, encode, handle_in_order

_SIDE, _GAP = 400, 10  # pixels of a picture, and between the two
_BUTTONS = 12  # in a row


def take_apart(cut: CutImage, found: MinimalImage | None = None) -> ipywidgets.VBox:
    """Return a live view of an image in segments: step through the search, or switch segments off and on.

    Parameters
    ----------
    cut : CutImage
        The image in segments.
    found : MinimalImage, optional
        The search for its minimal image, where it is done already; by default it is done now.

    Returns
    -------
    ipywidgets.VBox
        A view that a notebook shows. Its ``model`` holds ``kept``, a tuple of one bool per segment, which may
        be set.
    """
    return _RemovalView(_RemovalModel(cut, found))


class _RemovalModel(traitlets.HasTraits):
    """An image in segments, some of them kept, and the scores of its class.

    `kept` is a trait, a tuple of one bool per segment. `best` is (share, kept) of the smallest recognised
    choice that the reader has made so far, None before the first.
    """

    kept = traitlets.Tuple()

    def __init__(self, cut: CutImage, found: MinimalImage | None = None) -> None:
        super().__init__()
        self.begin(cut, found)

    def begin(self, cut: CutImage, found: MinimalImage | None = None) -> None:
        """Take another image."""
        self.cut, self.found = cut, found or simplify(cut)
        self.best: tuple[float, tuple[bool, ...]] | None = None
        # A reader goes back and forth between choices, so their scores are kept in memory, for this image
        # only.
        self._remembered = functools.lru_cache(maxsize=512)(lambda kept: cut.scores(np.array(kept)))
        self.kept = (True,) * len(cut.regions)

    def open(self, name: str, content: bytes) -> None:
        """Take a reader's own photograph, cut into edges and regions, as the predicted class."""
        self.begin(CutImage(self.cut.network, load_image(name, content)))

    def go_to(self, step: int) -> None:
        """Keep what the search kept after a step."""
        self.kept = tuple(self.found.kept_after(step).tolist())

    def switch(self, segment: int, keep: bool) -> None:
        """Keep or remove one segment."""
        self.kept = tuple(keep if k == segment else old for k, old in enumerate(self.kept))
        if self.recognised and (self.best is None or self.share < self.best[0]):
            self.best = self.share, self.kept

    @property
    def steps(self) -> int:
        """How many steps the search took."""
        return len(self.found.steps) - 1

    @property
    def share(self) -> float:
        """Share of the pixels whose segments are kept, 0..1."""
        return float(self.cut.regions.shares[list(self.kept)].sum())

    @property
    def scores(self) -> _ClassScores:
        """The scores of the class on the picture with the kept segments."""
        return self._remembered(self.kept)

    @property
    def recognised(self) -> bool:
        """Whether no other class has a higher score."""
        return bool(self.scores.rank[0] == 1)

    def pictures(self) -> np.ndarray:
        """Return the numbered segments and the picture with the kept ones, side by side, uint8 RGB."""
        left = _numbered(self.cut.frame, self.cut.regions, self.kept)
        right = Image.fromarray(self.cut.picture(self.kept)).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        page = Image.new("RGB", (2 * _SIDE + _GAP, _SIDE), "white")
        page.paste(Image.fromarray(left), (0, 0))
        page.paste(right, (_SIDE + _GAP, 0))
        return np.asarray(page)

    def describe(self) -> str:
        """Return one line: the scores of the class, and how the reader compares with the search."""
        now, target = self.scores, words(self.cut.target)
        about = (
            f"{target}: score {now.score[0]:.2f}, rank {now.rank[0]} · {self.share:.0%} of the pixels kept"
        )
        if not self.recognised:
            seen = words(self.cut.network.classes[now.predicted[0]])
            about += f" · the network says {seen}"
        return f"{about} · {self._describe_contest()}"

    def _describe_contest(self) -> str:
        if self.found.reason:
            return self.found.reason
        search = f"the search: {self.found.share:.0%}"
        if self.best is None:
            return search
        # The margin is for rounding: the same segments, added up in another order, are no victory.
        won = ": you beat it!" if self.best[0] < self.found.share - 1e-9 else ""
        return f"{search}, you: {self.best[0]:.0%}{won}"


def _numbered(frame: np.ndarray, regions: Regions, kept: tuple[bool, ...]) -> np.ndarray:
    """Return the frame with its segments' borders and numbers, uint8 RGB; removed segments are pale."""
    numbers = cv2.resize(regions.segment_map, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST_EXACT)
    picture = cv2.resize(frame, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    removed = ~np.array(kept)[numbers]
    picture[removed] = 0.25 * picture[removed] + 0.75 * 245
    picture[find_boundaries(numbers, mode="inner")] = 255
    page = Image.fromarray(picture.round().clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(page)
    for segment in range(len(regions)):
        y, x = _inside(numbers == segment)
        style: Any = {"fill": "black", "stroke_width": 2, "stroke_fill": "white", "anchor": "mm"}
        draw.text((x, y), str(segment + 1), font=ImageFont.load_default(14), **style)
    return np.asarray(page)


def _inside(mask: np.ndarray) -> tuple[int, int]:
    """Return (row, col) of the point of a segment that is farthest from its border: its number fits there."""
    # Padded, because the border of the image is a border of the segment too.
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(y), int(x)


class _RemovalView(WidgetRoot):
    """The view of a `_RemovalModel`. Its parts have CSS classes: sl-step, sl-all, sl-upload, sl-segments."""

    def __init__(self, model: _RemovalModel) -> None:
        self.model, self.status = model, Status()
        self.picture = ipywidgets.Image(format="jpeg", layout={"max_width": "100%"}).add_class("sl-apart")
        self.picture.width = str(CSS_WIDTH)
        self.step = ipywidgets.IntSlider(description="Step", layout={"width": "440px"}).add_class("sl-step")
        self.all = ipywidgets.Button(description="Keep all", tooltip="Back to the image").add_class("sl-all")
        self.upload = ipywidgets.FileUpload(accept="image/*", description="My photo").add_class("sl-upload")
        self.segments = ipywidgets.VBox().add_class("sl-segments")
        # True while the view sets its own controls: what they then report must not change the model.
        self._updating = False
        guard = self.status.guarded
        self.step.observe(guard(self._stepped), "value")
        self.all.on_click(guard(lambda _: model.go_to(0)))
        self.upload.observe(guard(self._uploaded), "value")
        model.observe(guard(self._follow), "kept")
        top = ipywidgets.HBox([self.step, self.all, self.upload])
        super().__init__("sl-take-apart", [top, self.picture, self.segments, self.status])
        self._new_image()

    def _new_image(self) -> None:
        """Make buttons and slider for the model's image."""
        names = self.model.cut.regions.names
        made = [_button(k, name) for k, name in enumerate(names)]
        guard = self.status.guarded
        for k, button in enumerate(made):
            button.observe(guard(functools.partial(self._switched, k)), "value")
        self.buttons = made
        rows = [made[k : k + _BUTTONS] for k in range(0, len(made), _BUTTONS)]
        self.segments.children = [ipywidgets.HBox(row) for row in rows]
        handle_in_order(self)
        self._updating = True
        self.step.max, self.step.value = self.model.steps, 0
        self._updating = False
        self._follow()

    def _stepped(self, change: Any) -> None:
        if not self._updating:
            self.model.go_to(change["new"])

    def _switched(self, segment: int, change: Any) -> None:
        if not self._updating:
            self.model.switch(segment, change["new"])

    def _uploaded(self, change: Any) -> None:
        for file in change["new"]:
            self.status.show(f"cutting {file['name']} ...")
            self.model.open(file["name"], bytes(file["content"]))
            self._new_image()

    def _follow(self, change: Any = None) -> None:
        """Bring buttons, picture and status in line with the model."""
        if len(self.buttons) != len(self.model.kept):
            return  # another image: its buttons come next
        self._updating = True
        try:
            for button, keep in zip(self.buttons, self.model.kept, strict=True):
                button.value = keep
                button.button_style = "" if keep else "warning"
        finally:
            self._updating = False
        with self.picture.hold_sync():
            self.picture.value = encode(self.model.pictures())
        self.status.show(self.model.describe())


def _button(segment: int, name: str) -> ipywidgets.ToggleButton:
    made = ipywidgets.ToggleButton(value=True, description=str(segment + 1), tooltip=name)
    made.layout.width = "54px"
    return made.add_class(f"sl-segment-{segment + 1}")

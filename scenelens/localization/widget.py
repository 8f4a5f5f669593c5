"""Find objects in any image: the scene's scores, the boxes of each layer, and the units behind every box.

`localize_image` shows an `_ImageReader`, which does the computing. A button stands for each box. When it is
clicked, the top images and the receptive field of the box's unit appear.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from scenelens.localization.figures import BOX_COLORS, Spot, _room_for
from scenelens.localization.image_finder import MINE, ORDERS, SHOWN
from scenelens.localization.image_reader import MOST, _ImageReader
from scenelens.receptive_fields import EmpiricalRF
from scenelens.sentences import number, one_line, percent, words
from scenelens.studies import Study, top_images
from scenelens.workbook import (
    CSS_WIDTH,
    GAP,
    INK,
    SOFT,
    STRIP,
    WIDE,
    FindRow,
    SharedUnit,
    Status,
    ToolRow,
    UnitView,
    WidgetRoot,
    encode,
    heat,
    tile,
    uploaded,
)

_MINE = f"{MINE}/"  # the folder of uploads: no folder of a study ends with a slash
_TILES, _TILE = 5, 128  # top images of a unit, pixels of one
_SIDE, _SCORES = 440, 370  # pixels: the image, and the width of the scores to the right of it


def localize_image(study: Study, network: str = "", image: str | None = None) -> _LocalizeImage:
    """Return a live view of what a network finds in an image of the study, or in the reader's own.

    Parameters
    ----------
    study : Study
        The study.
    network : str, optional
        The network to begin with (default the study's main one, see `StudyNetworks.main`).
    image : str, optional
        Id of the image to begin with; by default a calibration image on which all boxes that are shown are
        right, which is not so on every image.

    Returns
    -------
    ipywidgets.VBox
        A view that a notebook shows; ``.model`` is its `_ImageReader`.

    Raises
    ------
    SceneLensError
        If the study has no such network or image; CannotAnswerError where it has no annotations, or too few.
    """
    return _LocalizeImage(_ImageReader(study, network, image))


class _LocalizeImage(WidgetRoot):
    """The view of an `_ImageReader`.

    Its parts have CSS classes: sl-network, sl-layer, sl-folder, sl-number, sl-upload, sl-least, sl-reading,
    sl-box-1 ..., sl-unit-picture, and those of the `FindRow`, which finds images. A unit that was chosen in
    another widget is looked at where this image has a box of it; otherwise a button leads to an image that
    has one.

    Parameters
    ----------
    model : _ImageReader
        What it shows; they follow each other.
    """

    def __init__(self, model: _ImageReader) -> None:
        self.model, self.status = model, Status()
        self.tools = ToolRow(model, self.status)
        self.folders = _by_folder(model.paths)
        self.network = UnitView.dropdown("Network", model.networks(), model.network)
        self.layer = UnitView.dropdown("Layer", model.layers(), model.layer)
        folder = self._folder_of(model.image)
        self.folder = UnitView.dropdown("Folder", self._folders(), folder)
        self.number = ipywidgets.IntSlider(min=1, description="Image", layout=WIDE, continuous_update=False)
        self.upload = ipywidgets.FileUpload(accept="image/*", description="My photo")
        self.least = ipywidgets.FloatSlider(
            min=0, max=1, step=0.05, value=model.least, description="Confidence", layout=WIDE
        )
        self.picture = ipywidgets.Image(format="jpeg", layout={"max_width": "100%"}, width=str(CSS_WIDTH))
        self.unit = ipywidgets.Image(format="jpeg", layout={"max_width": "100%", "display": "none"})
        self.unit.width = str(CSS_WIDTH)
        # The colours of boxes are light: their names are black in a dark theme, too.
        self.buttons = [
            ipywidgets.Button(layout={"width": "176px"}, style={"text_color": "black"}) for _ in range(MOST)
        ]
        self._following = False
        self.finder, self.shared = self._finder(), self._shared_unit()
        self._class_all()
        self._bind()
        rows = [self.buttons[k : k + 4] for k in range(0, MOST, 4)]
        top = [ipywidgets.HBox([self.network, self.layer, self.folder])]
        top += [ipywidgets.HBox([self.number, self.upload]), self.finder, self.shared]
        top += [self.least, self.status, self.picture]
        boxes = [ipywidgets.HBox(row) for row in rows]
        super().__init__("sl-localize-image", [*top, *boxes, self.unit, self.tools])
        self._follow()

    def _finder(self) -> FindRow:
        model, hint = self.model, "an object or category"
        take = lambda image: model.choose(image=image)  # noqa: E731
        return FindRow(model.find, take, self.status, "image", hint, SHOWN, ORDERS)

    def _shared_unit(self) -> SharedUnit:
        model = self.model
        return SharedUnit(
            model.study,
            lambda network, layer: network in model.networks(),
            self._go_to_unit,
            self.status,
            lambda: self._view_count,
            # Only what is quick: another network may have to be calibrated first.
            lambda network, layer, unit: network == model.network and model.look_at(layer, unit),
        )

    def _class_all(self) -> None:
        for name in ("network", "layer", "folder", "number", "upload", "least"):
            getattr(self, name).add_class(f"sl-{name}")
        self.picture.add_class("sl-reading")
        self.unit.add_class("sl-unit-picture")
        for k, button in enumerate(self.buttons, start=1):
            button.add_class(f"sl-box-{k}")

    def _bind(self) -> None:
        guard, model = self.status.guarded, self.model
        self.network.observe(guard(functools.partial(self._chosen, "network")), "value")
        self.layer.observe(guard(functools.partial(self._chosen, "layer")), "value")
        self.folder.observe(guard(self._folder_chosen), "value")
        self.number.observe(guard(self._folder_chosen), "value")
        self.upload.observe(guard(self._uploaded), "value")
        self.least.observe(guard(self._least_moved), "value")
        for k, button in enumerate(self.buttons):
            button.on_click(guard(functools.partial(self._pushed, k)))
        model.observe(guard(self._follow), ["network", "layer", "image", "least", "box"])

    def _folder_of(self, image: str) -> str:
        if image in self.model.uploads:
            return _MINE
        return next(name for name, images in self.folders.items() if image in images)

    def _images_in(self, folder: str) -> list[str]:
        return list(self.model.uploads) if folder == _MINE else self.folders[folder]

    def _folders(self) -> list[tuple[str, str]]:
        """What can be chosen, by its name on screen: a reader's photographs have a folder, too."""
        own = [(MINE, _MINE)] if self.model.uploads else []
        return [*((name or "(no folder)", name) for name in self.folders), *own]

    def _chosen(self, name: str, change: Any) -> None:
        if self._following:
            return
        self.status.show(f"looking at {change['new']} ...")
        self.status.busy(True)
        self.model.choose(**{name: change["new"]})

    def _go_to_unit(self, network: str, layer: str, unit: int) -> None:
        self.status.show(f"looking for an image with a box of {layer}:{unit} ...")
        self.status.busy(True)
        found, way = self.model.go_to_unit(network, layer, unit), "lower the confidence"
        if not self.model.least:  # it cannot be lower: a box is called after what its unit is named after
            way = "choose a unit that is named after an object"
        said = "" if found else f" · no box of {layer}:{unit} on its top images: {way}"
        self.status.show(f"{self.model.say()}{said}")
        self.status.busy(False)

    def _folder_chosen(self, change: Any) -> None:
        if self._following:
            return
        images = self._images_in(self.folder.value)
        place = self.number.value - 1 if change["owner"] is self.number else 0
        self.model.choose(image=images[min(place, len(images) - 1)])

    def _least_moved(self, change: Any) -> None:
        if self._following:
            return
        with self.model.hold_trait_notifications():
            self.model.least, self.model.box = change["new"], -1

    def _pushed(self, k: int, _: Any) -> None:
        self.model.box = -1 if self.model.box == k else k

    def _uploaded(self, change: Any) -> None:
        for file in uploaded(self.upload):
            self.status.show(f"looking at {one_line(file['name'])} ...")
            self.status.busy(True)
            self.model.open(file["name"], bytes(file["content"]))

    def _follow(self, change: Any = None) -> None:
        """Bring controls, images and status in line with the model, once per state."""
        model = self.model
        state = (model.network, model.layer, model.image, model.least, model.box)
        if state == getattr(self, "_shown", None):
            return
        self._set_controls()
        with model.held():
            drawn, found, unit, said = _page(model), _unit_page(model), model.unit(), model.say()
            self._set_buttons()
        with self.picture.hold_sync():
            self.picture.value = encode(drawn)
        with self.unit.hold_sync():
            self.unit.layout.display = "none" if found is None else ""
            self.unit.value = b"" if found is None else encode(found)
        self.status.show(said)
        self.status.busy(False)
        self._shown = state
        self.tools.note(drawn)
        if unit is None:
            self.shared.show()
        else:  # other widgets show this unit, too
            self.shared.choose(model.network, model.layer, unit)

    def _set_controls(self) -> None:
        model, folder = self.model, self._folder_of(self.model.image)
        self._following = True  # the controls' own events must not change the model now
        try:
            self.network.value = model.network
            if list(self.layer.options) != model.layers():
                self.layer.options = model.layers()
            self.layer.value = model.layer
            if list(self.folder.options) != self._folders():
                self.folder.options = self._folders()
            self.folder.value = folder
            images = self._images_in(folder)
            with self.number.hold_sync():
                self.number.max = len(images)
                self.number.value = images.index(model.image) + 1
            self.least.value = model.least
            self.finder.follow(model.image, len(model.uploads))
        finally:
            self._following = False

    def _set_buttons(self) -> None:
        rows = list(self.model.boxes().itertuples())
        for k, button in enumerate(self.buttons):
            button.layout.display = "" if k < len(rows) else "none"
            if k < len(rows):
                doubt = "?" if rows[k].doubtful else ""
                said = f"{percent(rows[k].confidence)} · {rows[k].images}"
                button.description = f"{k + 1} {words(rows[k].concept)}{doubt} {said}"
                button.tooltip = f"Show {self.model.layer}:{rows[k].unit}, the strongest unit of this box"
                button.style.button_color = _color(k)


def _by_folder(paths: dict[str, Path]) -> dict[str, list[str]]:
    """The images' ids by their folder, as the ids name it."""
    folders: dict[str, list[str]] = {}
    for image in paths:
        folders.setdefault(image.rpartition("/")[0], []).append(image)
    return folders


def _page(model: _ImageReader) -> np.ndarray:
    """The image with its boxes, and the scene's scores to the right of it, uint8 RGB."""
    page, frame = Image.new("RGB", (_SIDE + _SCORES, _SIDE), "white"), model.seen.frame
    page.paste(Image.fromarray(frame).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), (0, 0))
    draw = ImageDraw.Draw(page)
    _paint_boxes(draw, model.boxes(), frame.shape[:2], model.box)
    _paint_scores(draw, model.seen.scene)
    return np.asarray(page)


def _unit_page(model: _ImageReader) -> np.ndarray | None:
    """Field and top images of the unit behind the box that is looked at, uint8 RGB; None where none is."""
    unit = model.unit()
    if unit is None:
        return None
    tops = top_images(model.study, model.network, model.layer, unit, _TILES)
    page = Image.new("RGB", ((_TILES + 1) * (_TILE + GAP) - GAP, _TILE + STRIP), "white")
    draw = ImageDraw.Draw(page)
    _paint_field(page, draw, model.field(unit))
    for k, top in enumerate(tops, start=1):
        page.paste(tile(top, _TILE), (k * (_TILE + GAP), 0))
        draw.text((k * (_TILE + GAP), _TILE + 4), f"peak {number(top.peak)}", fill=SOFT, font=_font(14))
    return np.asarray(page)


def _paint_field(page: Image.Image, draw: ImageDraw.ImageDraw, field: EmpiricalRF | None) -> None:
    text = "field not measured"
    if field is None or field.reason:
        draw.rectangle((0, 0, _TILE - 1, _TILE - 1), fill="#eef0f2")
    else:
        image = Image.fromarray(heat(field.map))
        page.paste(image.resize((_TILE, _TILE), Image.Resampling.BILINEAR), (0, 0))
        text = f"field, {number(field.size)} px"
    draw.text((0, _TILE + 4), text, fill=INK, font=_font(14))


def _paint_boxes(draw: ImageDraw.ImageDraw, boxes: pd.DataFrame, frame: tuple[int, int], chosen: int) -> None:
    """Boxes in their colours, the chosen one thicker, each with its number and name where there is room."""
    scale = _SIDE / np.array(frame, float)
    scaled = boxes.assign(
        top=boxes.top * scale[0],
        bottom=boxes.bottom * scale[0],
        left=boxes.left * scale[1],
        right=boxes.right * scale[1],
    )
    rows, taken = list(scaled.itertuples()), list[Spot]()
    for k, row in list(enumerate(rows))[::-1]:
        thick = 6 if k == chosen else 3
        edges = (row.left, row.top, min(row.right, _SIDE - 1), min(row.bottom, _SIDE - 1))
        draw.rectangle(edges, outline="black", width=thick + 2)
        draw.rectangle(
            [edges[0] + 1, edges[1] + 1, edges[2] - 1, edges[3] - 1], outline=_color(k), width=thick
        )
    for k, row in enumerate(rows):
        name = f"{k + 1} {words(row.concept)}{'?' if row.doubtful else ''}"
        size = (draw.textlength(name, font=_font(15)) + 8, 20.0)
        x, y = _room_for(row, size, (_SIDE, _SIDE), taken)
        taken.append((x, y, *size))
        draw.rectangle((x, y, x + size[0], y + size[1]), fill=_color(k), outline="black")
        draw.text((x + 4, y + size[1] / 2), name, fill="black", font=_font(15), anchor="lm")


def _paint_scores(draw: ImageDraw.ImageDraw, scene: pd.DataFrame) -> None:
    """The most probable scenes as bars, to the right of the image."""
    left, width = _SIDE + 24, _SCORES - 24
    draw.text((left, 6), "the scene, by its scores", fill=INK, font=_font(17))
    for row in scene.itertuples():
        y = 44 + 56 * (row.rank - 1)
        draw.text((left, y), words(row.predicted), fill=INK, font=_font(16))
        draw.text((left + width, y), percent(row.probability), fill=SOFT, font=_font(16), anchor="ra")
        draw.rectangle((left, y + 24, left + width - 1, y + 33), fill="#eef0f2")
        draw.rectangle((left, y + 24, left + (width - 1) * row.probability, y + 33), fill="#0072b2")


def _color(k: int) -> str:
    """The colour of the k-th box.

    >>> _color(0)
    '#f0e442'
    """
    return BOX_COLORS[k % len(BOX_COLORS)]


@functools.cache
def _font(size: int) -> Any:
    """The font of the words in an image, at a size in pixels."""
    return ImageFont.load_default(size)

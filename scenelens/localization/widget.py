"""Read any picture with a network: the scene's scores, boxes by layer, and the units behind every box.

`PictureReader` is the model: which network, picture, layer and threshold, which box is looked at, and the
pictures of it; it needs no notebook. `localize_image` is the view. A button stands for each box; pushed, it
shows the top images of the box's unit and its receptive field.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import traitlets
from PIL import Image, ImageDraw

from scenelens.errors import SceneLensError, close_names
from scenelens.images import load_image, load_upload
from scenelens.localization.figures import best_boxes
from scenelens.localization.localizer import Localization
from scenelens.localization.study_localizer import StudyLocalizer, study_localizer
from scenelens.localization.widget_page import SCORES, SIDE, color, draw_boxes, draw_scores, font
from scenelens.paper import PAIR
from scenelens.sentences import number, percent, words
from scenelens.studies import Study, top_images
from scenelens.workbook import (
    CSS_WIDTH,
    GAP,
    INK,
    SOFT,
    STRIP,
    WIDE,
    Status,
    dropdown,
    encode,
    guarded,
    handle_in_order,
    heat,
    tile,
)

MOST, TILES, TILE = 8, 5, 128  # boxes shown at once, top images of a unit, pixels of one


class PictureReader(traitlets.HasTraits):
    """A picture, and what a network says of it.

    Parameters
    ----------
    study : with annotations, else nobody can name its units.
    network : where to begin. image : id of a picture; the first judging one with a confident box without it.

    Attributes
    ----------
    network, layer, image : traits; `choose` keeps them fitting each other. An upload is called by its file.
    least : trait, the confidence that a box must have. box : trait, which box is looked at; -1 for none.

    Raises
    ------
    SceneLensError : no annotations, no such network or image.
    """

    network = traitlets.Unicode()
    layer = traitlets.Unicode()
    image = traitlets.Unicode()
    least = traitlets.Float(0.2)
    box = traitlets.Int(-1)

    def __init__(self, study: Study, network: str = "scene", image: str | None = None) -> None:
        super().__init__()
        self.study = study
        self.paths = picture_paths(study)
        self.uploads: dict[str, np.ndarray] = {}
        self._seen = functools.lru_cache(maxsize=16)(self._read)
        self.choose(network=network, image=image or self._first(network))

    def networks(self) -> list[str]:
        """The scene and the object network, as far as the study has them."""
        return [name for name in PAIR if name in self.study.networks]

    def reader(self, network: str) -> StudyLocalizer:
        """A network, ready to read pictures."""
        if network not in self.networks():
            near = close_names(network, self.networks())
            raise SceneLensError(f"no network named {network!r} to read pictures with; {near}.")
        return study_localizer(self.study, network)

    def layers(self) -> list[str]:
        """The layers that are read, early ones first."""
        return self.reader(self.network).localizer.layers

    def choose(self, **wanted: Any) -> None:
        """Change some of network, layer and image; a layer that no longer fits becomes the deepest."""
        network, image = wanted.get("network", self.network), wanted.get("image", self.image)
        layers = self.reader(network).localizer.layers
        layer = wanted.get("layer", self.layer)
        if image not in self.uploads and image not in self.paths:
            near = close_names(image, self.paths)
            raise SceneLensError(f"study {self.study.name!r} has no image {image!r}; {near}.")
        with self.hold_trait_notifications():
            self.network, self.image, self.box = network, image, -1
            self.layer = layer if layer in layers else layers[-1]

    def _first(self, network: str, among: int = 24) -> str:
        """A judging picture with a confident box at the deepest layer; the very first where none has."""
        reader, known = self.reader(network), self.study.annotations
        assert known is not None  # else there were no reader
        places = {str(path): image for image, path in self.paths.items()}
        images = [places[str(known.path(image))] for image in reader.hands["judge"][:among]]
        for image in images:
            boxes = self._seen(network, image).boxes
            if (boxes.confidence[boxes.layer == reader.localizer.layers[-1]] >= 0.5).any():
                return image
        return images[0]

    def open(self, name: str, content: bytes) -> None:
        """Take a reader's own photograph."""
        self.uploads[name] = load_upload(name, content)
        self._seen.cache_clear()
        self.choose(image=name)

    def _read(self, network: str, image: str) -> Localization:
        picture = self.uploads[image] if image in self.uploads else load_image(self.paths[image])
        return self.reader(network).localizer(picture)

    @property
    def seen(self) -> Localization:
        """What the network's one forward pass over the picture said."""
        return self._seen(self.network, self.image)

    def boxes(self) -> pd.DataFrame:
        """The layer's boxes of enough confidence, at most 8, one of each name first."""
        return best_boxes(self.seen, self.layer, MOST, self.least).reset_index(drop=True)

    def picture(self) -> np.ndarray:
        """The picture with its boxes, and the scene's scores beside it, uint8 RGB."""
        page = Image.new("RGB", (SIDE + SCORES, SIDE), "white")
        page.paste(Image.fromarray(self.seen.frame).resize((SIDE, SIDE), Image.Resampling.BICUBIC), (0, 0))
        draw = ImageDraw.Draw(page)
        draw_boxes(draw, self.boxes(), self.seen.frame.shape[:2], self.box)
        draw_scores(draw, self.seen.scene)
        return np.asarray(page)

    def unit_picture(self) -> np.ndarray | None:
        """Top images and field of the unit behind the box looked at, uint8 RGB; None where none is."""
        boxes = self.boxes()
        if not 0 <= self.box < len(boxes):
            return None
        unit = int(boxes.unit[self.box])
        tops = top_images(self.study, self.network, self.layer, unit, TILES)
        page = Image.new("RGB", ((TILES + 1) * (TILE + GAP) - GAP, TILE + STRIP), "white")
        draw = ImageDraw.Draw(page)
        self._draw_field(page, draw, unit)
        for k, top in enumerate(tops, start=1):
            page.paste(tile(top, TILE), (k * (TILE + GAP), 0))
            draw.text((k * (TILE + GAP), TILE + 4), f"peak {number(top.peak)}", fill=SOFT, font=font(14))
        return np.asarray(page)

    def _draw_field(self, page: Image.Image, draw: ImageDraw.ImageDraw, unit: int) -> None:
        field = self.reader(self.network).localizer.fields.get(self.layer, {}).get(unit)
        text = "field not measured"
        if field is None or field.reason:
            draw.rectangle((0, 0, TILE - 1, TILE - 1), fill="#eef0f2")
        else:
            page.paste(
                Image.fromarray(heat(field.map)).resize((TILE, TILE), Image.Resampling.BILINEAR), (0, 0)
            )
            text = f"field, {number(field.size)} px"
        draw.text((0, TILE + 4), text, fill=INK, font=font(14))

    def say(self) -> str:
        """What there is to see, in one line."""
        best, boxes = self.seen.scene.iloc[0], self.boxes()
        found = int((self.seen.boxes.layer == self.layer).sum())
        shown = (
            f"{len(boxes)} of {found} boxes at {self.layer}" if found else f"no unit of {self.layer} fires"
        )
        text = f"{Path(self.image).name}: {words(best.predicted)} ({percent(best.probability)}) · {shown}"
        if 0 <= self.box < len(boxes):
            row = boxes.iloc[self.box]
            text += f" · {words(row.concept)}: {self.layer}:{row.unit}, {_units(len(row.units))} in the box"
        return text


def _units(n: int) -> str:
    return f"{n} unit{'' if n == 1 else 's'}"


def picture_paths(study: Study) -> dict[str, Path]:
    """Id -> path of all pictures of a study: those of its networks, then annotated ones that are not among
    them."""
    paths = {str(image): path for image, path in zip(study.images.image, study.images.path, strict=True)}
    known, there = study.annotations, set(map(str, paths.values()))
    if known is not None:
        further = {image: known.path(image) for image in known.images}
        paths |= {image: path for image, path in further.items() if str(path) not in there}
    return paths


def localize_image(study: Study, network: str = "scene", image: str | None = None) -> LocalizeImage:
    """A live view of what a network finds in a picture of the study, or in the reader's own.

    Returns
    -------
    LocalizeImage, an ipywidgets.VBox that a notebook shows; `.model` is its `PictureReader`.

    Raises
    ------
    SceneLensError : the study has no annotations, no such network or image.
    """
    return LocalizeImage(PictureReader(study, network, image))


class LocalizeImage(ipywidgets.VBox):
    """The view of a `PictureReader`. Its parts carry CSS classes: sl-network, sl-layer, sl-folder, sl-number,
    sl-upload, sl-least, sl-reading, sl-box-1 ..., sl-unit-picture."""

    def __init__(self, model: PictureReader) -> None:
        self.model, self.status = model, Status()
        self.folders = _by_folder(model.paths)
        self.network = dropdown("Network", model.networks(), model.network)
        self.layer = dropdown("Layer", model.layers(), model.layer)
        folder = self._folder_of(model.image)
        self.folder = dropdown("Folder", list(self.folders), folder)
        self.number = ipywidgets.IntSlider(min=1, description="Picture", layout=WIDE, continuous_update=False)
        self.upload = ipywidgets.FileUpload(accept="image/*", description="My photo")
        self.least = ipywidgets.FloatSlider(
            min=0, max=1, step=0.05, value=model.least, description="Confidence", layout=WIDE
        )
        self.picture = ipywidgets.Image(format="jpeg", layout={"max_width": "100%"}, width=str(CSS_WIDTH))
        self.unit = ipywidgets.Image(format="jpeg", layout={"max_width": "100%", "display": "none"})
        self.unit.width = str(CSS_WIDTH)
        self.buttons = [ipywidgets.Button(layout={"width": "176px"}) for _ in range(MOST)]
        self._following = False
        self._class_all()
        self._bind()
        rows = [self.buttons[k : k + 4] for k in range(0, MOST, 4)]
        top = [ipywidgets.HBox([self.network, self.layer, self.folder])]
        top += [ipywidgets.HBox([self.number, self.upload]), self.least, self.picture]
        super().__init__([*top, *(ipywidgets.HBox(row) for row in rows), self.unit, self.status])
        self.add_class("sl-localize-image")
        handle_in_order(self)
        self._follow()

    def _class_all(self) -> None:
        for name in ("network", "layer", "folder", "number", "upload", "least"):
            getattr(self, name).add_class(f"sl-{name}")
        self.picture.add_class("sl-reading")
        self.unit.add_class("sl-unit-picture")
        for k, button in enumerate(self.buttons, start=1):
            button.add_class(f"sl-box-{k}")

    def _bind(self) -> None:
        guard, model = guarded(self.status), self.model
        self.network.observe(guard(functools.partial(self._chosen, "network")), "value")
        self.layer.observe(guard(functools.partial(self._chosen, "layer")), "value")
        self.folder.observe(guard(self._folder_chosen), "value")
        self.number.observe(guard(self._folder_chosen), "value")
        self.upload.observe(guard(self._uploaded), "value")
        self.least.observe(guard(self._least_moved), "value")
        for k, button in enumerate(self.buttons):
            button.on_click(guard(functools.partial(self._pushed, k)))
        model.observe(guard(self._follow), ["network", "layer", "image", "least", "box"])

    def _folder_of(self, image: str) -> str | None:
        return next((name for name, images in self.folders.items() if image in images), None)

    def _chosen(self, name: str, change: Any) -> None:
        if not self._following:
            self.model.choose(**{name: change["new"]})

    def _folder_chosen(self, change: Any) -> None:
        if self._following or self.folder.value is None:
            return
        images = self.folders[self.folder.value]
        place = self.number.value - 1 if change["owner"] is self.number else 0
        self.model.choose(image=images[min(place, len(images) - 1)])

    def _least_moved(self, change: Any) -> None:
        with self.model.hold_trait_notifications():
            self.model.least, self.model.box = change["new"], -1

    def _pushed(self, k: int, _: Any) -> None:
        self.model.box = -1 if self.model.box == k else k

    def _uploaded(self, change: Any) -> None:
        for file in change["new"]:
            self.model.open(file["name"], bytes(file["content"]))

    def _follow(self, change: Any = None) -> None:
        """Bring controls, pictures and status in line with the model, once per state."""
        model = self.model
        state = (model.network, model.layer, model.image, model.least, model.box)
        if state == getattr(self, "_shown", None):
            return
        self._set_controls()
        with self.picture.hold_sync():
            self.picture.value = encode(model.picture())
        self._set_buttons()
        found = model.unit_picture()
        with self.unit.hold_sync():
            self.unit.layout.display = "none" if found is None else ""
            self.unit.value = b"" if found is None else encode(found)
        self.status.show(model.say())
        self._shown = state

    def _set_controls(self) -> None:
        model, folder = self.model, self._folder_of(self.model.image)
        self._following = True
        try:
            self.network.value = model.network
            if list(self.layer.options) != model.layers():
                self.layer.options = model.layers()
            self.layer.value = model.layer
            self.folder.value = folder
            with self.number.hold_sync():
                self.number.max = len(self.folders[folder]) if folder else 1
                self.number.value = self.folders[folder].index(model.image) + 1 if folder else 1
            self.least.value = model.least
        finally:
            self._following = False

    def _set_buttons(self) -> None:
        rows = list(self.model.boxes().itertuples())
        for k, button in enumerate(self.buttons):
            button.layout.display = "" if k < len(rows) else "none"
            if k < len(rows):
                button.description = f"{k + 1} {words(rows[k].concept)} {percent(rows[k].confidence)}"
                button.tooltip = (
                    f"Show {self.model.layer}:{rows[k].unit}, the most confident unit of this box"
                )
                button.style.button_color = color(k)


def _by_folder(paths: dict[str, Path]) -> dict[str, list[str]]:
    """The pictures' ids by the folder that they lie in, as their ids name it."""
    folders: dict[str, list[str]] = {}
    for image in paths:
        folders.setdefault(image.rpartition("/")[0], []).append(image)
    return folders

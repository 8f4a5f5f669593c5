"""The computing side of the widget: find objects in any image of a study, or in the reader's own.

An `_ImageReader` knows which network, image, layer and least confidence are chosen and which box is looked
at, and computes what there is to see. It needs no notebook; `localize_image` shows it.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from scenelens.errors import SceneLensError, close_names
from scenelens.images import load_image
from scenelens.localization.examples import _judged, _shown
from scenelens.localization.image_finder import _ImageFinder
from scenelens.localization.localizer import LEAST, Localization
from scenelens.localization.study_localizers import StudyLocalizer
from scenelens.localization.truth import ImageConcepts
from scenelens.receptive_fields import EmpiricalRF
from scenelens.sentences import one_line, percent, words
from scenelens.studies import Study, network_variant, top_images
from scenelens.unfinished import Stamp, Unfinished

#: Boxes at once, at most; the widget has a button for each.
MOST = 8
_TOPS = 6  # top images of a unit on which a box of it is looked for


class _ImageReader(traitlets.HasTraits):
    """An image, and what a network of a study finds in it.

    Parameters
    ----------
    study : Study
        A study with annotations; without them, no unit has a name.
    network : str, optional
        The network to begin with (default the study's main one, see `StudyNetworks.main`).
    image : str, optional
        Id of the image to begin with; by default a calibration image on which all boxes that are shown are
        right.

    Attributes
    ----------
    network : str
        The chosen network, a trait; `choose` keeps network, layer and image consistent.
    layer : str
        The chosen layer, a trait.
    image : str
        Id of the chosen image, a trait; of an upload, the file's name.
    least : float
        Least confidence of a box, a trait (default 0.2).
    box : int
        Number of the box that is looked at, a trait; -1 for none.
    paths : dict of str to pathlib.Path
        Id -> file of all images of the study.
    uploads : dict of str to numpy.ndarray
        File name -> uint8 RGB (h, w, 3) of the reader's own images; a name that is taken gets a number.

    Raises
    ------
    SceneLensError
        If the study has no annotations, no such network, or no such image.
    """

    network = traitlets.Unicode()
    layer = traitlets.Unicode()
    image = traitlets.Unicode()
    least = traitlets.Float(LEAST)
    box = traitlets.Int(-1)

    def __init__(self, study: Study, network: str = "", image: str | None = None) -> None:
        super().__init__()
        self.study = study
        self.paths = _image_paths(study)
        self.uploads: dict[str, np.ndarray] = {}
        self._finder: _ImageFinder | None = None
        self._held: Localization | None = None
        self._held_boxes: pd.DataFrame | None = None
        # A forward pass takes a while; going back to an image, or changing the layer, should not.
        self._seen = functools.lru_cache(maxsize=16)(self._localize)
        network = network or study.networks.main
        self.choose(network=network, image=image or self._first(network))

    def networks(self) -> list[str]:
        """Return the names of the trained networks, see `StudyNetworks.compared`.

        Returns
        -------
        list of str
            Names.
        """
        return self.study.networks.compared

    def layers(self) -> list[str]:
        """Return the layers in which the chosen network finds boxes.

        Returns
        -------
        list of str
            Names, early layers first.
        """
        return self._localizer(self.network).localizer.layers

    def _localizer(self, network: str) -> StudyLocalizer:
        if network not in self.networks():
            near = close_names(network, self.networks())
            raise SceneLensError(f"no network named {network!r} to find objects with; {near}.")
        return StudyLocalizer.of(self.study, network)

    def choose(self, **wanted: str) -> None:
        """Change some of network, layer and image; a layer that the network lacks becomes the deepest.

        Parameters
        ----------
        **wanted : str
            New values of `network`, `layer` or `image`.

        Raises
        ------
        SceneLensError
            If there is no such network or image.
        """
        network, image = wanted.get("network", self.network), wanted.get("image", self.image)
        layers = self._localizer(network).localizer.layers
        layer = wanted.get("layer", self.layer)
        if image not in self.uploads and image not in self.paths:
            near = close_names(image, self.paths)
            raise SceneLensError(f"study {self.study.name!r} has no image {image!r}; {near}.")
        with self.hold_trait_notifications():
            self.network, self.image, self.box = network, image, -1
            self.layer = layer if layer in layers else layers[-1]

    def _first(self, network: str, among: int = 24) -> str:
        """The first calibration image on which the deepest layer shows boxes, all of them right by the
        annotations; else one with a box that is not doubtful; else the very first.

        Not a test image: none of these is chosen by its result."""
        localizer, known = self._localizer(network), self.study.need_annotations()
        ids = {str(path): image for image, path in self.paths.items()}
        asked = localizer.splits["calibration"][:among]
        images = {name: ids[str(known.path(name))] for name in asked}
        for name, concepts in ImageConcepts.read(localizer.localizer.network, known, asked):
            seen = self._look(network, images[name])
            boxes = _shown(seen, _judged(localizer, seen.boxes, concepts))
            if len(boxes) and boxes.is_right.all() and not seen.doubtful[boxes.index].any():
                return images[name]
        for image in images.values():
            seen = self._look(network, image)
            sure = (seen.boxes.layer == seen.layers[-1]) & (seen.boxes.confidence >= self.least)
            if (sure & ~seen.doubtful).any():
                return image
        return next(iter(images.values()))

    def open(self, name: str, content: bytes) -> None:
        """Take and choose a reader's own image.

        Parameters
        ----------
        name : str
            The file's name.
        content : bytes
            The file's content.

        Raises
        ------
        SceneLensError
            If it is no image that can be read.
        """
        pixels = load_image(name, content)
        names = itertools.chain([name], (f"{name} ({k})" for k in itertools.count(2)))
        free = next(one for one in names if one not in self.uploads and one not in self.paths)
        self.uploads[free] = pixels
        self.choose(image=free)

    def _look(self, network: str, image: str) -> Localization:
        """What a network says about an image; computed again where either has changed."""
        variant = network_variant(self.study.networks[network], self.study.cache / "localization")
        stamp = () if image in self.uploads else Unfinished.stamp(self.paths[image])
        return self._seen(network, image, variant, stamp)

    def _localize(self, network: str, image: str, variant: str, stamp: Stamp) -> Localization:
        pixels = self.uploads[image] if image in self.uploads else load_image(self.paths[image])
        return self._localizer(network).localizer(pixels)

    @property
    def seen(self) -> Localization:
        """What one forward pass of the chosen network says about the chosen image."""
        return self._held or self._look(self.network, self.image)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While this lasts, nothing that is shown changes.

        Who draws asks for the boxes a dozen times, and to make sure that the network has not changed takes
        longer than to draw some of them.
        """
        self._held = self.seen
        self._held_boxes = self.boxes()
        try:
            yield
        finally:
            self._held = self._held_boxes = None

    def boxes(self) -> pd.DataFrame:
        """Return the boxes to show: of the chosen layer, with enough confidence.

        Returns
        -------
        pandas.DataFrame
            At most eight rows of `Localization.boxes`, the best one of each concept first, with ``doubtful``
            (see `Localization.doubtful`).
        """
        if self._held_boxes is not None:
            return self._held_boxes
        best = self.seen.best_boxes(self.layer, MOST, self.least)
        return best.assign(doubtful=self.seen.doubtful[best.index]).reset_index(drop=True)

    def unit(self) -> int | None:
        """Return the unit behind the box that is looked at.

        Returns
        -------
        int or None
            The strongest unit of this box; None if no box is looked at.
        """
        boxes = self.boxes()
        return int(boxes.unit[self.box]) if 0 <= self.box < len(boxes) else None

    def find(self, text: str, shown: str, order: str) -> list[tuple[str, str]]:
        """Return the images that a reader looks for, see `_ImageFinder.find`.

        Parameters
        ----------
        text : str
            A part of the image's id, of its category, or of the name of an object on it; '' for any.
        shown : str
            'all', one of the sets of images, or 'my photos'.
        order : str
            'folder', 'name' or 'size of the object'.

        Returns
        -------
        list of tuple of str
            A line about each image, and its id.
        """
        self._finder = self._finder or _ImageFinder(self.study, self.paths)
        return self._finder.find(text, shown, order, self._localizer(self.network).splits, self.uploads)

    def look_at(self, layer: str, unit: int) -> bool:
        """Look at the box of a unit, where this image has one among the boxes that are shown.

        Parameters
        ----------
        layer : str
            A layer of the chosen network.
        unit : int
            A unit of it.

        Returns
        -------
        bool
            Whether there is one; if not, nothing changes.
        """
        place = self._place_of(self.network, self.image, layer, unit)
        if place >= 0:
            with self.hold_trait_notifications():
                self.layer, self.box = layer, place
        return place >= 0

    def go_to_unit(self, network: str, layer: str, unit: int) -> bool:
        """Show a unit: its box on this image, or on the first of its top images that has one.

        Parameters
        ----------
        network : str
            One of `networks`.
        layer : str
            One of its layers.
        unit : int
            A unit of the layer.

        Returns
        -------
        bool
            Whether there is a box; if not, its top image is shown without one.

        Raises
        ------
        SceneLensError
            If no boxes are found in this layer of the network.
        """
        layers = self._localizer(network).localizer.layers
        if layer not in layers:
            named = ", ".join(layers)
            raise SceneLensError(f"boxes are found at {named} only, not at {layer}: choose a unit of these.")
        tops = [top.image for top in top_images(self.study, network, layer, unit, _TOPS)]
        images = [self.image, *tops]
        places = ((image, self._place_of(network, image, layer, unit)) for image in images)
        without = images[min(1, len(tops))], -1
        image, place = next((one for one in places if one[1] >= 0), without)
        with self.hold_trait_notifications():
            self.choose(network=network, layer=layer, image=image)
            self.box = place
        return place >= 0

    def _place_of(self, network: str, image: str, layer: str, unit: int) -> int:
        """The place of a unit's box among those that would be shown; -1 where it has none."""
        boxes = self._look(network, image).best_boxes(layer, MOST, self.least)
        places = np.flatnonzero(boxes.unit.to_numpy() == unit)
        return int(places[0]) if len(places) else -1

    def field(self, unit: int) -> EmpiricalRF | None:
        """Return a unit's receptive field.

        Parameters
        ----------
        unit : int
            A unit of the chosen layer.

        Returns
        -------
        EmpiricalRF or None
            The field; None if it was not measured.
        """
        return self._localizer(self.network).units.fields.get(self.layer, {}).get(unit)

    # ---- what the row of tools asks for

    def state(self) -> tuple[str, str, str, float, int]:
        """What is shown: network, layer, image, least confidence, and the box that is looked at."""
        return self.network, self.layer, self.image, self.least, self.box

    def restore(self, state: tuple[str, str, str, float, int]) -> None:
        """Show again what `state` has returned."""
        with self.hold_trait_notifications():
            self.network, self.layer, self.image, self.least, self.box = state

    def code(self) -> str:
        """Python that shows the same view, where `study` is the open study."""
        own = self.image in self.uploads
        image = "" if own else f", image={self.image!r}"
        more = f"\n# upload {one_line(self.image)} again" if own else ""
        return (
            f"view = sl.localization.localize_image(study, {self.network!r}{image}){more}\n"
            f"view.model.choose(layer={self.layer!r})\n"
            f"view.model.least, view.model.box = {self.least:g}, {self.box}\nview"
        )

    def table(self) -> pd.DataFrame:
        """The boxes that are shown, see `boxes`, with network and image."""
        return self.boxes().assign(network=self.network, image=self.image)

    def file_stem(self) -> str:
        """A short name of what is shown."""
        return f"{self.network} {self.layer} {Path(self.image).stem}"

    def say(self) -> str:
        """Return what there is to see, in one line.

        Returns
        -------
        str
            The image, its scene, how many boxes are shown, and the box that is looked at.
        """
        best, boxes = self.seen.scene.iloc[0], self.boxes()
        found = int((self.seen.boxes.layer == self.layer).sum())
        shown = f"{len(boxes)} of {found} boxes at {self.layer}"
        if not found:
            shown = f"no unit of {self.layer} is active"
        name = one_line(Path(self.image).name)
        text = f"{name}: {words(best.predicted)} ({percent(best.probability)}) · {shown}"
        if 0 <= self.box < len(boxes):
            row = boxes.iloc[self.box]
            units = f"{len(row.units)} unit{'' if len(row.units) == 1 else 's'}"
            text += f" · {words(row.concept)}: {self.layer}:{row.unit}, {units} in the box"
            text += f" · {_evidence(row, words(best.predicted))}"
        return text


def _evidence(box: Any, scene: str) -> str:
    """What a box's confidence rests on: images, what the category alone would give, and earlier boxes on such
    scenes."""
    images = f"{box.images:,} calibration image{'' if box.images == 1 else 's'}"
    text = f"right in {percent(box.confidence)} of the cases at least, by {images}"
    if box.by_category == box.by_category:  # NaN where no other image of a category was seen
        alone = f"the category alone: {percent(box.by_category)}"
        own = "" if box.confidence > box.by_category else ", so no evidence of its own"
        text += f" ({alone}{own})"
    if box.here == 0:
        text += f" · no box before where the scene is {scene}"
    elif box.here > 0:
        text += f" · right {box.here_right:,} of {box.here:,} times where the scene is {scene}"
    return text


def _image_paths(study: Study) -> dict[str, Path]:
    """Id -> file of all images of a study: those of its networks, then annotated ones that are not among
    them."""
    paths: dict[str, Path] = {
        str(image): path for image, path in zip(study.images.image, study.images.path, strict=True)
    }
    known, there = study.annotations, set(map(str, paths.values()))
    if known is not None:
        further = {image: known.path(image) for image in known.images}
        paths |= {image: path for image, path in further.items() if str(path) not in there}
    return paths

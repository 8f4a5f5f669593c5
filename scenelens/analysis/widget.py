"""All widgets about single units in one window: see `explore`."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image

from scenelens.analysis.known import _Known
from scenelens.errors import SceneLensError
from scenelens.receptive_fields import explore_fields
from scenelens.sentences import one_line, percent, words
from scenelens.shown_tables import table_html
from scenelens.studies import Study, top_images
from scenelens.workbook import CSS_WIDTH, GAP, Status, Waiting, WidgetRoot, browse_units, encode, tile

_SIDE = 150  # pixels of an image in the window
_COMPARED = 6  # top images of each pinned unit
_MOST_PINS = 8
_LONGEST = 18  # characters of a name on a button
_Place = tuple[str, str, int]  # network, layer, unit


def explore(study: Study, network: str = "", layer: str | None = None, unit: int = 0) -> ipywidgets.VBox:
    """Return a window in which everything that is known of a study's units can be looked at.

    Above is the browser of units, see `scenelens.browse_units`: it finds a unit by what it is called, and has
    undo, reset, files, and the code for the view. Below is what is known of the unit that is looked at, one
    part at a time:

    - its names: automatic ones with their scores, people's answers, and the categories of its top images;
    - the units that respond to the same images, in all networks;
    - one of its top images, and which units respond most to that image;
    - its receptive field, see `scenelens.receptive_fields.explore_fields`;
    - pins: units that are kept, to compare their top images.

    Parameters
    ----------
    study : Study
        The open study.
    network : str, optional
        The network to begin with (default the study's main one, see `StudyNetworks.main`).
    layer : str, optional
        The layer to begin with (default the network's deepest main layer with a map).
    unit : int, optional
        The unit to begin with, from 0.

    Returns
    -------
    ipywidgets.VBox
        A view that a notebook shows. Its ``model`` is that of the browser.

    Raises
    ------
    SceneLensError
        If there is no such network, layer or unit.
    """
    return _Explore(study, network or study.networks.main, layer, unit)


class _Explore(WidgetRoot):
    """The window. Its parts have CSS classes: sl-part, sl-known, and those of the widgets in it.

    Parameters
    ----------
    study : Study
        The open study.
    network : str
        The network to begin with.
    layer : str or None
        The layer to begin with; None for the network's deepest main layer with a map.
    unit : int
        The unit to begin with.
    """

    def __init__(self, study: Study, network: str, layer: str | None, unit: int) -> None:
        self.study, self.known, self.status = study, _Known(study), Status()
        self.browser = browse_units(study, network, layer, unit)
        self.model = self.browser.model
        self.pins: list[_Place] = []
        self._fields: Any = None  # the widget of receptive fields, once it was asked for
        self._waiting = Waiting()
        self._parts: dict[str, Callable[[], list[ipywidgets.Widget]]] = {
            "names": self._names,
            "similar units": self._similar,
            "one image": self._image,
            "receptive field": self._field,
            "pins": self._pinned,
        }
        self.part = ipywidgets.ToggleButtons(options=list(self._parts), style={"button_width": "max-content"})
        self.part.add_class("sl-part")
        self.below = ipywidgets.VBox().add_class("sl-known")
        self.part.observe(self.status.guarded(self._show), "value")
        self.model.observe(self.status.guarded(self._moved), ["network", "layer", "unit"])
        super().__init__("sl-explore", [self.browser, self.part, self.status, self.below])
        self._show()

    def _place(self) -> _Place:
        return self.model.network, self.model.layer, self.model.unit

    def go_to(self, network: str, layer: str, unit: int) -> None:
        """Look at another unit.

        Parameters
        ----------
        network : str
            A name in `Study.networks`.
        layer : str
            A layer of it.
        unit : int
            A unit of the layer.
        """
        self.model.choose(network=network, layer=layer, unit=unit)

    def _moved(self, _: Any) -> None:
        """Another unit is looked at: what is below comes when the reader pauses."""
        self.status.busy(True)
        self._waiting.wait(self.status.guarded(self._show))

    def _show(self, _: Any = None) -> None:
        self.status.show(f"{self._called(*self._place())}: {self.part.value}")
        before, self.below.children = self.below.children, ()
        for one in before:
            if one is not self._fields:
                _close(one)
        self.below.children = self._parts[self.part.value]()
        self.parts_changed()
        self.status.busy(False)

    def _called(self, network: str, layer: str, unit: int) -> str:
        """A unit in words: 'pool5:7 of the scene network, bed (object, IoU 0.12)'."""
        name = self._said_of(network, layer, unit)
        return f"{layer}:{unit} of the {network} network{f', {name}' if name else ''}"

    def _short(self, network: str, layer: str, unit: int) -> str:
        """A unit on a button: 'pool5:7 bed'."""
        name = one_line(self._said_of(network, layer, unit).partition(" (")[0], _LONGEST)
        return f"{layer}:{unit} {name}".rstrip()

    def _said_of(self, network: str, layer: str, unit: int) -> str:
        self.model.read_names()
        assert self.model.names is not None
        return self.model.names.about(network, layer, unit)

    # ---- the parts

    def _names(self) -> list[ipywidgets.Widget]:
        names, categories = self.known.names(*self._place()), self.known.categories(*self._place())
        said = table_html(names) if len(names) else "<p>No source names this unit.</p>"
        return [ipywidgets.HTML(said), ipywidgets.HTML(table_html(categories))]

    def _similar(self) -> list[ipywidgets.Widget]:
        found = []
        for name, rows in self.known.similar(*self._place()).groupby("network", sort=False):
            found.append(_text(f"In the {words(name)} network, by the correlation of peaks:"))
            places = [(str(name), str(row.layer), int(row.unit)) for row in rows.itertuples()]
            buttons = [
                self._button(place, f"{self._short(*place)} · {r:.2f}")
                for place, r in zip(places, rows.r, strict=True)
            ]
            found.append(_row(buttons))
        return found

    def _image(self) -> list[ipywidgets.Widget]:
        tops = top_images(self.study, *self._place())
        if not tops:
            raise SceneLensError("no image of this study could be read; check the files in study.images.")
        options = [(f"{k + 1} {words(one.category)}".rstrip(), k) for k, one in enumerate(tops)]
        chosen = ipywidgets.Dropdown(options=options, description="Image").add_class("sl-image")
        picture, units = _picture(), ipywidgets.VBox()

        def look(_: Any = None) -> None:
            picture.value = encode(np.asarray(tile(tops[chosen.value], 2 * _SIDE)))
            picture.width = str(2 * _SIDE)
            units.children = self._responding(tops[chosen.value].image)

        chosen.observe(self.status.guarded(look), "value")
        look()
        return [chosen, picture, units]

    def _responding(self, image: str) -> list[ipywidgets.Widget]:
        """Buttons of the units that respond most to an image."""
        network, layer, _ = self._place()
        rows = self.known.responding(network, layer, image)
        said = f"Units of {layer} that respond most to this image, and to how many images they respond less:"
        buttons = [
            self._button((network, layer, int(row.unit)), f"{row.unit:.0f} · {percent(row.below)}")
            for row in rows.itertuples()
        ]
        return [_text(said), _row(buttons)]

    def _field(self) -> list[ipywidgets.Widget]:
        network, layer, unit = self._place()
        if not self.known.has_map(network, layer):
            raise SceneLensError(
                f"units of {layer} have no map, and so no receptive field: choose another layer."
            )
        if self._fields is None:
            self._fields = explore_fields(self.study, network, layer, unit)
        else:
            self._fields.model.choose(network=network, layer=layer, unit=unit)
        return [self._fields]

    def _pinned(self) -> list[ipywidgets.Widget]:
        here = self._place()
        text = "Unpin this unit" if here in self.pins else "Pin this unit"
        pin = ipywidgets.Button(description=text, layout={"width": "max-content"}).add_class("sl-pin")
        pin.on_click(self.status.guarded(lambda _: self._pin(here)))
        if not self.pins:
            return [pin, _text("Pinned units stay here, so that their images can be compared.")]
        buttons = [self._button(place, f"{self._short(*place)}, {place[0]}") for place in self.pins]
        picture = _picture()
        picture.value, picture.width = encode(self.compared()), str(CSS_WIDTH)
        return [pin, _row(buttons), picture]

    def _pin(self, place: _Place) -> None:
        if place in self.pins:
            self.pins.remove(place)
        elif len(self.pins) == _MOST_PINS:
            raise SceneLensError(f"{_MOST_PINS} units are pinned: unpin one of them first.")
        else:
            self.pins.append(place)
        self._show()

    def compared(self) -> np.ndarray:
        """The top images of the pinned units, a row for each.

        Returns
        -------
        numpy.ndarray
            uint8 RGB.
        """
        size = (_COMPARED * (_SIDE + GAP) - GAP, len(self.pins) * (_SIDE + GAP) - GAP)
        page = Image.new("RGB", size, "white")
        for row, place in enumerate(self.pins):
            for k, top in enumerate(top_images(self.study, *place, _COMPARED)):
                page.paste(tile(top, _SIDE), (k * (_SIDE + GAP), row * (_SIDE + GAP)))
        return np.asarray(page)

    def _button(self, place: _Place, text: str) -> ipywidgets.Button:
        """A button that leads to a unit."""
        made = ipywidgets.Button(description=text, tooltip=self._called(*place))
        made.layout.width = "max-content"
        made.on_click(self.status.guarded(lambda _: self.go_to(*place)))
        return made


def _close(part: ipywidgets.Widget) -> None:
    """Close a part with all that is in it: Jupyter would keep what a window once showed."""
    for one in getattr(part, "children", ()):
        _close(one)
    part.close()


def _text(text: str) -> ipywidgets.HTML:
    """A line of plain text, whatever a name from outside holds."""
    return ipywidgets.HTML(html.escape(text))


def _row(buttons: list[ipywidgets.Button]) -> ipywidgets.HBox:
    return ipywidgets.HBox(buttons, layout={"flex_flow": "row wrap"})


def _picture() -> ipywidgets.Image:
    return ipywidgets.Image(format="jpeg", layout={"max_width": "100%"})

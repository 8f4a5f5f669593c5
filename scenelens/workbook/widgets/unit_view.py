"""What every view of one unit has in common: pick network, layer and unit, see a picture and a line of words.

A widget gives `UnitView` its model, its further controls, and `look`, which makes the picture; the binding of
controls and model to each other, both ways and once per state, is here.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image

from scenelens.workbook.widgets.message_order import handle_in_order
from scenelens.workbook.widgets.status import Status, guarded

CSS_WIDTH = 720  # as wide as the figures: the picture is shown a little smaller than it is drawn
WIDE, NARROW = {"width": "440px"}, {"width": "44px"}


class UnitView(ipywidgets.VBox):
    """The view of a model with the traits network, layer and unit (see `UnitBrowser`).

    A subclass says which further traits of the model have a control of their name (`traits_shown`), makes
    these controls (`more_controls`), places all in `rows`, and draws (`look`); `live` says whether that is
    quick enough to happen while the unit's slider is dragged. Each control carries a CSS class: sl-network,
    sl-layer, sl-unit ...

    Parameters
    ----------
    model : the state; its `choose` and `step` keep network, layer and unit fitting each other.
    name : the view's CSS class. picture : the picture's.
    """

    traits_shown: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = (("network", "layer"), ("previous", "unit", "next"))
    live = True

    def __init__(self, model: Any, name: str, picture: str) -> None:
        self.model, self.status = model, Status()
        self.picture = classed(ipywidgets.Image(format="jpeg", layout={"max_width": "100%"}), picture)
        self.picture.width = str(CSS_WIDTH)
        self.controls = {**unit_controls(model, self.live), **self.more_controls()}
        for key, widget in self.controls.items():
            classed(widget, f"sl-{key}")
        self._shown: tuple | None = None
        self._following = False
        self._bind()
        boxes = [ipywidgets.HBox([self.controls[key] for key in row]) for row in self.rows]
        super().__init__([*boxes, self.picture, self.status])
        classed(self, name)
        handle_in_order(self)
        self.follow()

    def more_controls(self) -> dict[str, Any]:
        """The controls beyond network, layer, previous, unit and next, by name."""
        return {}

    def look(self) -> tuple[np.ndarray, str]:
        """The picture (uint8 RGB) and the sentence beneath it, of the model as it is."""
        raise NotImplementedError

    def _names(self) -> list[str]:
        return ["network", "layer", "unit", *self.traits_shown]

    def _bind(self) -> None:
        guard = guarded(self.status)
        for name in self._names():
            self.controls[name].observe(guard(functools.partial(self._chosen, name)), "value")
        self.controls["previous"].on_click(guard(lambda _: self.model.step(-1)))
        self.controls["next"].on_click(guard(lambda _: self.model.step(1)))
        self.model.observe(guard(self.follow), self._names())

    def _chosen(self, name: str, change: Any) -> None:
        if self._following:  # our own updates of the controls are no choices of the reader's
            return
        if name in self.traits_shown:
            setattr(self.model, name, change["new"])
        else:
            self.model.choose(**{name: change["new"]})

    def follow(self, change: Any = None) -> None:
        """Bring controls, picture and status in line with the model, once per state."""
        state = tuple(getattr(self.model, name) for name in self._names())
        if state == self._shown:
            return
        self._set_controls()
        picture, words = self.look()
        with self.picture.hold_sync():  # one message: the browser never sees half a picture
            self.picture.value = encode(picture)
        self.status.show(words)
        self._shown = state

    def _set_controls(self) -> None:
        model, controls = self.model, self.controls
        self._following = True
        try:
            controls["network"].value = model.network
            if list(controls["layer"].options) != model.layers():
                controls["layer"].options = model.layers()
            controls["layer"].value = model.layer
            with controls["unit"].hold_sync():
                controls["unit"].max = model.units() - 1
                controls["unit"].value = model.unit
            for name in self.traits_shown:
                controls[name].value = getattr(model, name)
        finally:
            self._following = False


def unit_controls(model: Any, live: bool) -> dict[str, Any]:
    """Network, layer, previous, unit and next, set as the model is."""
    last = model.units() - 1
    return {
        "network": dropdown("Network", model.networks(), model.network),
        "layer": dropdown("Layer", model.layers(), model.layer),
        "previous": ipywidgets.Button(icon="arrow-left", tooltip="The unit before", layout=NARROW),
        "unit": ipywidgets.IntSlider(
            max=last, value=model.unit, description="Unit", layout=WIDE, continuous_update=live
        ),
        "next": ipywidgets.Button(icon="arrow-right", tooltip="The next unit", layout=NARROW),
    }


def dropdown(description: str, options: Sequence[Any], value: Any) -> ipywidgets.Dropdown:
    """A dropdown of the house's width."""
    made = ipywidgets.Dropdown(options=options, value=value, description=description)
    made.layout.width, made.style.description_width = "230px", "64px"
    return made


def classed(widget: Any, name: str) -> Any:
    """The widget, with a CSS class more: tests and styles find it by that."""
    widget.add_class(name)
    return widget


def encode(picture: np.ndarray, quality: int = 88) -> bytes:
    """A picture (uint8 RGB) as the bytes of a JPEG file.

    >>> encode(np.zeros((8, 8, 3), np.uint8))[:2].hex()
    'ffd8'
    """
    target = io.BytesIO()
    Image.fromarray(picture).save(target, "JPEG", quality=quality)
    return target.getvalue()

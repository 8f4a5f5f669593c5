"""The view that all widgets about one unit share: choose network, layer, unit; see a picture and a sentence.

A widget gives `UnitView` its model, its further controls, and `look`, which makes the picture. `UnitView`
keeps controls and model equal, in both directions, and draws each state once. What takes long is drawn twice:
at once without what has to be computed (`glance`), and whole when nothing else has been chosen meanwhile. So
ten clicks on an arrow compute the last unit, not ten. Where the last picture took long, the next one waits in
the same way.
"""

from __future__ import annotations

import functools
import io
import time
from collections.abc import Sequence
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image

from scenelens.workbook.widgets.find_row import FindRow, _dropdown
from scenelens.workbook.widgets.root import WidgetRoot
from scenelens.workbook.widgets.selection import SharedUnit
from scenelens.workbook.widgets.status import Status
from scenelens.workbook.widgets.tools import ToolRow
from scenelens.workbook.widgets.waiting import Waiting

CSS_WIDTH = 720  # as wide as the figures; pictures are drawn with more pixels, so that they look sharp
_SLOW = 0.1  # seconds: a picture that took longer is drawn when the clicks pause
WIDE = {"width": "440px", "max_width": "calc(100% - 4px)"}  # 4 px are its margins
NARROW = {"width": "44px"}


class UnitView(WidgetRoot):
    """The view of a model with the traits network, layer and unit (see `UnitBrowser`).

    A subclass names the further traits of the model that have a control (`traits_shown`), makes these
    controls (`more_controls`), places all controls in `rows`, and draws the picture (`look`). Each control
    has a CSS class: sl-network, sl-layer, sl-unit, and so on.

    Parameters
    ----------
    model : traitlets.HasTraits
        The state. Its methods `choose` and `step` keep network, layer and unit consistent.
    name : str
        CSS class of the view.
    picture : str
        CSS class of the picture.

    Attributes
    ----------
    traits_shown : sequence of str
        Traits of the model with a control of the same name, besides network, layer and unit.
    rows : sequence of sequence of str
        Names of the controls in each row of the view.
    live : bool
        Whether the picture follows while the unit's slider is dragged; False for slow pictures.
    """

    traits_shown: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = (("network", "layer"), ("previous", "unit", "next"))
    live = True

    def __init__(self, model: Any, name: str, picture: str) -> None:
        self.model, self.status = model, Status()
        self.picture = ipywidgets.Image(format="jpeg", layout={"max_width": "100%"})
        self.picture.add_class(picture)
        self.picture.width = str(CSS_WIDTH)
        self.controls = {**_unit_controls(model, self.live), **self.more_controls()}
        for key, widget in self.controls.items():
            widget.add_class(f"sl-{key}")
        self.finder = FindRow(self._search, lambda unit: model.choose(unit=unit), self.status)
        self.controls |= self.finder.controls
        self._took = 0.0  # seconds that the last picture took for which all was there
        self._shown: tuple | None = None
        self._following = False
        self._waiting = Waiting()
        self.tools = ToolRow(model, self.status)
        self._bind()
        boxes = [ipywidgets.HBox([self.controls[key] for key in row]) for row in self.rows]
        self.shared = SharedUnit(model.study, self._has, self._take, self.status, lambda: self._view_count)
        boxes += [self.finder, self.shared]
        super().__init__(name, [*boxes, self.status, self.picture, self.tools])
        self._set_controls()
        self._draw()
        self.shared.show(model.network, model.layer, model.unit)

    def more_controls(self) -> dict[str, Any]:
        """The controls besides network, layer, previous, unit and next.

        Returns
        -------
        dict of str to ipywidgets.Widget
            By name.
        """
        return {}

    def look(self) -> tuple[np.ndarray, str]:
        """The picture and the sentence for the model's present state.

        Returns
        -------
        picture : numpy.ndarray
            uint8 RGB, (H, W, 3).
        words : str
            The sentence under it.
        """
        raise NotImplementedError

    def glance(self) -> tuple[np.ndarray, str] | None:
        """The picture and the sentence without what takes long; None (default) where nothing does.

        Returns
        -------
        tuple or None
            As of `look`.
        """
        return None

    def _names(self) -> list[str]:
        return ["network", "layer", "unit", *self.traits_shown]

    def _bind(self) -> None:
        guard = self.status.guarded
        for name in self._names():
            self.controls[name].observe(guard(functools.partial(self._chosen, name)), "value")
        self.controls["previous"].on_click(guard(lambda _: self.model.step(-1)))
        self.controls["next"].on_click(guard(lambda _: self.model.step(1)))
        self.model.observe(guard(self.follow), self._names())

    def _search(self, text: str, shown: str, order: str) -> list[tuple[str, int]]:
        """The units that the reader looks for, each with its number and what it is called."""
        model, before = self.model, self.model.about()
        units = model.find(text, shown, order)
        if model.about() != before:
            self._draw()  # what the unit is called is known now
        return [(model.names.label(model.network, model.layer, unit), unit) for unit in units]

    def _has(self, network: str, layer: str) -> bool:
        return network in self.model.networks() and layer in self.model.layers(network)

    def _take(self, network: str, layer: str, unit: int) -> None:
        """Show a unit that was chosen in another widget."""
        self.model.choose(network=network, layer=layer, unit=unit)

    def _chosen(self, name: str, change: Any) -> None:
        if self._following:  # the model changed this control, not the reader
            return
        if name in self.traits_shown:
            setattr(self.model, name, change["new"])
        else:
            self.model.choose(**{name: change["new"]})

    def follow(self, change: Any = None) -> None:
        """Set controls, picture and sentence as the model is, once per state.

        Parameters
        ----------
        change : object, optional
            What traitlets passes to an observer; not used.
        """
        # One click changes several traits, and each calls this method: only the first call draws.
        if self._state() == self._shown:
            return
        self._set_controls()
        quick = self.glance()
        if quick is None and self._took < _SLOW:
            self._waiting.cancel()
            self._draw_timed()
        else:
            self._draw_later(quick)
        self.shared.choose(self.model.network, self.model.layer, self.model.unit)

    def _draw_later(self, quick: tuple[np.ndarray, str] | None) -> None:
        """Show what is there at once, and draw the rest when nothing else is chosen for a moment."""
        model, draw = self.model, self._draw
        if quick is not None:
            self._show(*quick)
        else:
            draw = self._draw_timed
            self.status.show(f"{model.layer}:{model.unit} of the {model.network} network · drawing")
        self.status.busy(True)
        self._waiting.wait(self.status.guarded(draw))

    def _state(self) -> tuple:
        return tuple(getattr(self.model, name) for name in self._names())

    def _draw(self) -> None:
        self._show(*self.look())
        self.status.busy(False)

    def _draw_timed(self) -> None:
        """Draw, and note how long that takes where nothing has to be computed first."""
        begun = time.perf_counter()
        self._draw()
        self._took = time.perf_counter() - begun

    def _show(self, picture: np.ndarray, words: str) -> None:
        with self.picture.hold_sync():  # one message: the browser never sees half a picture
            self.picture.value = encode(picture)
        self.status.show(words)
        self._shown = self._state()
        self.tools.note(picture)

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
            self.finder.follow(model.unit, (model.network, model.layer))
        finally:
            self._following = False

    @staticmethod
    def dropdown(description: str, options: Sequence[Any], value: Any) -> ipywidgets.Dropdown:
        """A dropdown as wide as all dropdowns of the workbook.

        Parameters
        ----------
        description : str
            The label before it.
        options : sequence of object
            What can be chosen.
        value : object
            What is chosen first.

        Returns
        -------
        ipywidgets.Dropdown
            The control.
        """
        return _dropdown(description, options, value)


def _unit_controls(model: Any, live: bool) -> dict[str, Any]:
    """The controls network, layer, previous, unit and next, set as the model is."""
    last = model.units() - 1
    return {
        "network": UnitView.dropdown("Network", model.networks(), model.network),
        "layer": UnitView.dropdown("Layer", model.layers(), model.layer),
        "previous": ipywidgets.Button(icon="arrow-left", tooltip="The unit before", layout=NARROW),
        "unit": ipywidgets.IntSlider(
            max=last, value=model.unit, description="Unit", layout=WIDE, continuous_update=live
        ),
        "next": ipywidgets.Button(icon="arrow-right", tooltip="The next unit", layout=NARROW),
    }


def uploaded(control: ipywidgets.FileUpload) -> list[dict[str, Any]]:
    """Take the files that a reader has chosen, and empty the control, so that it counts none of them later.

    Parameters
    ----------
    control : ipywidgets.FileUpload
        The control, in its callback.

    Returns
    -------
    list of dict
        The files: each has a ``name`` (str) and a ``content`` (bytes-like). Empty where there is none.

    Examples
    --------
    >>> uploaded(ipywidgets.FileUpload())
    []
    """
    files = list(control.value)
    if files:
        control.value = ()
    return files


def encode(picture: np.ndarray, quality: int = 88) -> bytes:
    """A picture as a JPEG file.

    Parameters
    ----------
    picture : numpy.ndarray
        uint8 RGB, (H, W, 3).
    quality : int, optional
        Quality of the JPEG, 1..95 (default 88).

    Returns
    -------
    bytes
        The file.

    Examples
    --------
    >>> encode(np.zeros((8, 8, 3), np.uint8))[:2].hex()
    'ffd8'
    """
    target = io.BytesIO()
    Image.fromarray(picture).save(target, "JPEG", quality=quality)
    return target.getvalue()

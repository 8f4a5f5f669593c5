"""The view that all widgets about one unit share: choose network, layer, unit; see a picture and a sentence.

A widget gives `UnitView` its model, its further controls, and `look`, which makes the picture. `UnitView`
keeps controls and model equal, in both directions, and draws each state once. What takes long is drawn twice:
at once without what has to be computed (`glance`), and whole when nothing else has been chosen meanwhile. So
ten clicks on an arrow compute the last unit, not ten.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image

from scenelens.workbook.widgets.root import WidgetRoot
from scenelens.workbook.widgets.selection import selection_of
from scenelens.workbook.widgets.status import Status
from scenelens.workbook.widgets.tools import ToolRow
from scenelens.workbook.widgets.unit_names import ORDERS, SHOWN
from scenelens.workbook.widgets.waiting import Waiting

CSS_WIDTH = 720  # as wide as the figures; pictures are drawn with more pixels, so that they look sharp
_FIND = ("find", "show", "order", "found")
WIDE, NARROW = {"width": "440px"}, {"width": "44px"}


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
        self.controls = {**_unit_controls(model, self.live), **self.more_controls(), **_find_controls()}
        for key, widget in self.controls.items():
            widget.add_class(f"sl-{key}")
        self._shown: tuple | None = None
        self._following = False
        self._waiting = Waiting()
        self.tools = ToolRow(model, self.status)
        self._bind()
        boxes = [ipywidgets.HBox([self.controls[key] for key in row]) for row in (*self.rows, _FIND)]
        boxes[-1].add_class("scenelens-live-only")
        super().__init__(name, [*boxes, self.status, self.picture, self.tools])
        self._listed: tuple[str, str] | None = None  # the layer whose units are listed
        self._view_count = 0  # so that Jupyter counts where it is on screen
        self._selection = selection_of(model.study)
        self._selection.observe(self.status.guarded(self._selected), "unit")
        self._set_controls()
        self._draw()

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
        for name in ("find", "show", "order"):
            self.controls[name].observe(guard(self._find), "value")
        self.controls["found"].observe(guard(self._found), "value")

    def _find(self, change: Any = None) -> None:
        """List the units that the reader looks for."""
        if self.model.names is None:
            self.status.show("reading what units are called ...")
            self.status.busy(True)
        self._list()
        self._draw()  # what the unit is called is known now

    def _list_again(self) -> None:
        """List units anew where there is another layer; otherwise only mark the one that is shown."""
        one, model = self.controls, self.model
        if self._listed != (model.network, model.layer):
            self._list()
        elif one["found"].value != model.unit:
            units = [unit for _, unit in one["found"].options]
            one["found"].value = model.unit if model.unit in units else -1

    def _list(self) -> None:
        one, model = self.controls, self.model
        self._listed = model.network, model.layer
        units = model.find(one["find"].value, one["show"].value, one["order"].value)
        told = [
            (f"{unit} {model.names.about(model.network, model.layer, unit)}"[:90], unit) for unit in units
        ]
        self._following, before = True, self._following
        try:
            one["found"].options = [(f"{len(units)} unit{'' if len(units) == 1 else 's'}", -1), *told]
            one["found"].value = model.unit if model.unit in units else -1
        finally:
            self._following = before

    def _found(self, change: Any) -> None:
        if not self._following and change["new"] >= 0:
            self.model.choose(unit=change["new"])

    def _selected(self, change: Any) -> None:
        """Follow the other widgets of the study, where this one is on screen and has such a unit."""
        network, layer, unit = change["new"]
        if not self._view_count or network not in self.model.networks():
            return
        if layer in self.model.layers(network):
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
        self._selection.unit = (self.model.network, self.model.layer, self.model.unit)
        quick = self.glance()
        if quick is None:
            self._waiting.cancel()
            self._draw()
            return
        self._show(*quick)
        self.status.busy(True)
        self._waiting.wait(self.status.guarded(self._draw))

    def _state(self) -> tuple:
        return tuple(getattr(self.model, name) for name in self._names())

    def _draw(self) -> None:
        self._show(*self.look())
        self.status.busy(False)

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
            if model.names is not None:
                self._list_again()
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
        made = ipywidgets.Dropdown(options=options, value=value, description=description)
        made.layout.width, made.style.description_width = "230px", "64px"
        return made


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


def _find_controls() -> dict[str, Any]:
    """The controls that look for a unit by what it is called: find, show, order and found."""
    made = {
        "find": ipywidgets.Text(description="Find", placeholder="a concept", continuous_update=False),
        "show": UnitView.dropdown("Show", SHOWN, SHOWN[0]),
        "order": UnitView.dropdown("Order by", ORDERS, ORDERS[0]),
        "found": UnitView.dropdown("Found", [("look for one", -1)], -1),
    }
    made["find"].layout.width, made["find"].style.description_width = "230px", "64px"
    return made


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

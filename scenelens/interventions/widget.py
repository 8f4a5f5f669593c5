"""A widget to switch units of a category off, and watch what the network says of an image.

`_AblationView`, which `switch_units` makes, is the view of a model, `live._LiveAblation`.
"""

from __future__ import annotations

import functools
import html
from typing import Any

import ipywidgets

from scenelens.interventions.effects import AblationEffects
from scenelens.interventions.live import _LiveAblation
from scenelens.sentences import one_line, percent, words
from scenelens.workbook import (
    CSS_WIDTH,
    WIDE,
    FindRow,
    SharedUnit,
    Status,
    ToolRow,
    UnitView,
    WidgetRoot,
    encode,
)

_PLAIN, _NAMED = "62px", "128px"  # widths of a unit's button without and with a name
_LONGEST = 14  # characters of the name on a button; its tooltip has the whole name
_OFF = "scenelens-off"  # the class of a button that is off: struck out and framed


def switch_units(found: AblationEffects) -> ipywidgets.VBox:
    """Return a live view of one image: switch units of a category off, and watch the scores.

    Parameters
    ----------
    found : AblationEffects
        Of `ablation_effects`. The images are those that did not choose units.

    Returns
    -------
    ipywidgets.VBox
        A view that a notebook shows. Its ``model`` holds ``off``, a tuple of the units that are off, which
        may be set.
    """
    return _AblationView(_LiveAblation(found))


class _AblationView(WidgetRoot):
    """The view of a `_LiveAblation`.

    Its parts have CSS classes: sl-target, sl-image, sl-first, sl-minimal, sl-units, sl-scores, and those of
    the `FindRow`. A unit that is off is struck out. A mark stands before the unit that is looked at, which
    the widget shares with the others of its study. A unit that the category does not have can be found by
    its name, or taken from another widget; then it gets a button, too.
    """

    def __init__(self, model: _LiveAblation) -> None:
        self.model, self.status = model, Status()
        self.tools = ToolRow(model, self.status)
        self._make_controls()
        self.finder = FindRow.of_units(model.found.study, self._place, model.look_at, self.status)
        self.shared = SharedUnit(
            model.found.study,
            lambda *place: place == self._place(),
            lambda network, layer, unit: model.look_at(unit),
            self.status,
            lambda: self._view_count,
        )
        # True while the view sets its own controls: what they then report must not change the model.
        self._updating = False
        self._shown: tuple | None = None
        self._bind()
        top = ipywidgets.HBox([self.target, self.image])
        below = ipywidgets.HBox([self.first, self.minimal])
        parts = [top, below, self.finder, self.shared, self.units]
        parts += [self.status, self.picture, self.scores, self.tools]
        super().__init__("sl-switch-units", parts)
        self._follow()

    def _make_controls(self) -> None:
        classes = self.model.network.classes
        targets = [(words(classes[number]), number) for number in self.model.targets]
        self.target = UnitView.dropdown("Category", targets, self.model.target).add_class("sl-target")
        self.image = UnitView.dropdown("Image", [("", "")], "").add_class("sl-image")
        self.first = ipywidgets.IntSlider(description="Units off", layout=WIDE).add_class("sl-first")
        self.minimal = ipywidgets.Button(
            description="Minimal image", tooltip="Search for it with these units off"
        ).add_class("sl-minimal")
        self.picture = ipywidgets.Image(format="jpeg", layout={"max_width": "100%"}).add_class("sl-ablated")
        self.picture.width = str(CSS_WIDTH)
        self.scores = ipywidgets.HTML().add_class("sl-scores")
        self.units = ipywidgets.HBox(layout={"flex_flow": "row wrap"}).add_class("sl-units")
        self.buttons: dict[int, ipywidgets.ToggleButton] = {}

    def _bind(self) -> None:
        guard = self.status.guarded
        self.target.observe(guard(self._targeted), "value")
        self.image.observe(guard(self._chosen), "value")
        self.first.observe(guard(self._moved), "value")
        self.minimal.on_click(guard(self._simplified))
        self.model.observe(guard(self._follow), ["target", "image", "off", "more", "unit"])

    def _place(self) -> tuple[str, str]:
        return self.model.found.network, self.model.found.layer

    def _targeted(self, change: Any) -> None:
        if not self._updating:
            self.model.take(change["new"])

    def _chosen(self, change: Any) -> None:
        if not self._updating:
            self.model.image = change["new"]

    def _moved(self, change: Any) -> None:
        if not self._updating:
            self.model.first(change["new"])

    def _switched(self, unit: int, change: Any) -> None:
        if not self._updating:
            self.model.switch(unit, change["new"])

    def _simplified(self, button: Any) -> None:
        self.status.show("searching for the minimal image ...")
        self.status.busy(True)
        self.model.simplify()
        self._draw()

    def _follow(self, change: Any = None) -> None:
        """Bring controls, picture and scores in line with the model, once per state."""
        if self.model.state() == self._shown:
            return
        self._updating = True
        try:
            self._set_controls()
        finally:
            self._updating = False
        self._draw()
        self._shown = self.model.state()
        if self.model.unit >= 0:
            self.shared.choose(*self._place(), self.model.unit)
        else:
            self.shared.show()

    def _set_controls(self) -> None:
        model, offered = self.model, self.model.offered()
        if list(self.buttons) != list(offered):
            self._make_buttons(offered)
        for unit, button in self.buttons.items():
            button.value = unit not in model.off
            (button.remove_class if button.value else button.add_class)(_OFF)
            button.description = _said(unit, offered[unit], unit == model.unit)
        own = model.images(model.target)
        options = tuple((f"{k + 1} of {len(own)}", image) for k, image in enumerate(own))
        if self.image.options != options:
            self.image.options = options
        self.target.value, self.image.value = model.target, model.image
        with self.first.hold_sync():
            self.first.max = max(len(model.units), len(model.off))
            self.first.value = len(model.off)
        self.finder.follow(model.unit if model.unit >= 0 else None)

    def _make_buttons(self, offered: dict[int, str]) -> None:
        """A button for each unit that can be switched."""
        width = _NAMED if any(offered.values()) else _PLAIN
        self.buttons = {unit: _button(unit, name, width) for unit, name in offered.items()}
        for unit, button in self.buttons.items():
            button.observe(self.status.guarded(functools.partial(self._switched, unit)), "value")
        self.units.children = list(self.buttons.values())
        self.parts_changed()

    def _draw(self) -> None:
        drawn = self.model.picture()
        with self.picture.hold_sync():
            self.picture.value = encode(drawn)
        self.scores.value = _bars(self.model.scores.to_dict("records"))
        self.status.show(self.model.describe())
        self.status.busy(False)
        self.tools.note(drawn)


def _button(unit: int, name: str, width: str) -> ipywidgets.ToggleButton:
    made = ipywidgets.ToggleButton(value=True, tooltip=one_line(name) or f"unit {unit}")
    made.layout.width = width
    return made.add_class(f"sl-unit-{unit}")


def _said(unit: int, name: str, is_looked_at: bool) -> str:
    """What stands on a unit's button; a mark before the one that is looked at."""
    short = words(one_line(name, _LONGEST))
    return f"{'▸ ' if is_looked_at else ''}{unit} {short}".rstrip()


def _bars(rows: list[dict[str, Any]]) -> str:
    """The scores as a small table: the name, a bar and the share now, and the share with all units."""
    lines = []
    for row in rows:
        bar = f'<div style="background:#0072b2;height:10px;width:{round(160 * row["now"])}px"></div>'
        name = html.escape(words(row["class"]), quote=True)
        cells = (name, bar, percent(row["now"]), f"with all units {percent(row['whole'])}")
        lines.append("".join(f'<td style="padding:0 8px 0 0">{cell}</td>' for cell in cells))
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"

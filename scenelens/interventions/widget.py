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
from scenelens.sentences import percent, words
from scenelens.workbook import CSS_WIDTH, Status, WidgetRoot, encode, handle_in_order

_BUTTONS = 10  # in a row


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
    """The view of a `_LiveAblation`. Its parts have CSS classes: sl-target, sl-image, sl-first, sl-minimal,
    sl-units."""

    def __init__(self, model: _LiveAblation) -> None:
        self.model, self.status = model, Status()
        classes = model.network.classes
        targets = [(words(classes[number]), number) for number in model.targets]
        self.target = ipywidgets.Dropdown(options=targets, description="Category").add_class("sl-target")
        self.image = ipywidgets.Dropdown(description="Image").add_class("sl-image")
        self.first = ipywidgets.IntSlider(description="Units off", min=0).add_class("sl-first")
        self.minimal = ipywidgets.Button(description="Minimal image").add_class("sl-minimal")
        self.picture = ipywidgets.Image(format="jpeg", layout={"max_width": "100%"}).add_class("sl-ablated")
        self.picture.width = str(CSS_WIDTH)
        self.scores = ipywidgets.HTML().add_class("sl-scores")
        self.units = ipywidgets.VBox().add_class("sl-units")
        self.buttons: dict[int, ipywidgets.ToggleButton] = {}
        # True while the view sets its own controls: what they then report must not change the model.
        self._updating = False
        guard = self.status.guarded
        self.target.observe(guard(self._targeted), "value")
        self.image.observe(guard(self._chosen), "value")
        self.first.observe(guard(self._moved), "value")
        self.minimal.on_click(guard(self._simplified))
        model.observe(guard(self._follow), ["off", "image"])
        model.observe(guard(self._offer), "target")
        top = ipywidgets.HBox([self.target, self.image])
        below = ipywidgets.HBox([self.first, self.minimal])
        parts = [top, below, self.units, self.picture, self.scores, self.status]
        super().__init__("sl-switch-units", parts)
        self._offer()

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
        self.model.simplify()
        self._follow()

    def _offer(self, change: Any = None) -> None:
        """Make a button for each unit of the category, and list its images."""
        self._updating = True
        try:
            rows = list(self.model.units.itertuples())
            self.buttons = {int(row.unit): _button(int(row.unit), str(row.object)) for row in rows}
            for unit, button in self.buttons.items():
                button.observe(self.status.guarded(functools.partial(self._switched, unit)), "value")
            made = list(self.buttons.values())
            self.units.children = [
                ipywidgets.HBox(made[at : at + _BUTTONS]) for at in range(0, len(made), _BUTTONS)
            ]
            handle_in_order(self)
            own = self.model.images(self.model.target)
            self.image.options = [(f"{k + 1} of {len(own)}", image) for k, image in enumerate(own)]
            self.first.max = len(made)
            self.target.value = self.model.target
        finally:
            self._updating = False
        self._follow()

    def _follow(self, change: Any = None) -> None:
        """Bring controls, picture and scores in line with the model."""
        model = self.model
        if self._updating or model.image not in [image for _, image in self.image.options]:
            return  # another category: its controls come next
        self._updating = True
        try:
            for unit, button in self.buttons.items():
                button.value = unit not in model.off
                button.button_style = "" if button.value else "warning"
            self.image.value, self.first.value = model.image, len(model.off)
        finally:
            self._updating = False
        with self.picture.hold_sync():
            self.picture.value = encode(model.picture())
        self.scores.value = _bars(model.scores.to_dict("records"))
        self.status.show(model.describe())


def _button(unit: int, name: str) -> ipywidgets.ToggleButton:
    made = ipywidgets.ToggleButton(value=True, description=str(unit), tooltip=name or f"unit {unit}")
    made.layout.width = "62px"
    return made.add_class(f"sl-unit-{unit}")


def _bars(rows: list[dict[str, Any]]) -> str:
    """The scores as a small table: the name, a bar and the share now, and the share with all units."""
    lines = []
    for row in rows:
        bar = f'<div style="background:#0072b2;height:10px;width:{round(160 * row["now"])}px"></div>'
        name = html.escape(words(row["class"]), quote=True)
        cells = (name, bar, f"{percent(row['now'])}", f"with all units {percent(row['whole'])}")
        lines.append("".join(f'<td style="padding:0 8px 0 0">{cell}</td>' for cell in cells))
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"

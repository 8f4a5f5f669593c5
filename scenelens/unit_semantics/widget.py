"""The annotation task as a widget: name a unit, mark the images that do not fit, choose a type, go on.

`_AnnotationSession` is the model; this is its view, in core ipywidgets. The form comes before the images, so
that the Tab key reaches it first. Enter in the field of the concept goes on to the numbers of the images that
do not fit, which can be typed as well as clicked. Each image is a button: Space marks it.
"""

from __future__ import annotations

import contextlib
import functools
import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from scenelens.errors import SceneLensError
from scenelens.labels import TYPES, LabelStore
from scenelens.receptive_fields import Atlas
from scenelens.studies import Study
from scenelens.unit_semantics.queue import Unit, _default_queue
from scenelens.unit_semantics.session import _AnnotationSession
from scenelens.workbook import NARROW, WIDE, FindRow, Status, Waiting, WidgetRoot, encode

_SIDE = 176  # width and height of an image, in pixels
_SIZES = (72, 200, 88)  # of an image on screen, in CSS pixels: least, most, at first
_REFUSED = "sl-refused"  # the status line's class while it says why an answer is not accepted
_KEPT = "What was saved is on disk, and so is the answer that was begun: it comes back."
_SHOWN, _ORDERS = ("all", "open", "begun", "answered"), ("number", "name")
_KEEP = {"width": "max-content"}

_STEPS = (
    "<b>1</b> Name what most of the images share, where they are lit.",
    "<b>2</b> Mark the images that do not fit: click them, or type their numbers.",
    "<b>3</b> Choose the type of the concept.",
)

#: What each type means, as the tooltip of its button.
_MEANINGS = (
    "a whole place, such as a kitchen or a corridor",
    "a single thing, such as a lamp or a dog",
    "a part of the ground or of the walls, such as road, sky or grass",
    "a part of a thing, such as a wheel or a head",
    "a pattern or a material, such as stripes or wood",
    "an edge, a line, a corner or a colour",
)

_STYLE = Path(__file__).with_suffix(".css")


def annotate_units(
    study: Study | Atlas,
    units: Sequence[Unit] | None = None,
    annotator: str = "",
    *,
    n: int = 20,
    seed: int = 0,
    store: LabelStore | None = None,
) -> _AnnotationWidget:
    """Show the paper's annotation task for a queue of units (section 3.3).

    Parameters
    ----------
    study : Study or Atlas
        An open study, or its `Atlas` where one is open already.
    units : sequence of tuple, optional
        The queue, (network, layer, unit) each, see `unit_queue` (default `n` random units of the trained
        networks' deepest main layers that have a map).
    annotator : str, optional
        The person's name; it can be written into the form as well.
    n : int, optional
        Number of units where no queue is given (default 20).
    seed : int, optional
        Seed of the random queue and of the catch trials (default 0).
    store : LabelStore, optional
        Where answers are stored (default the study's own, `Study.answers`). Nothing is written before the
        first answer is accepted.

    Returns
    -------
    ipywidgets.VBox
        The widget, to be shown by a notebook; `.model` is its `_AnnotationSession`.

    Raises
    ------
    SceneLensError
        If there is no such network, layer or unit, or if the store cannot be read.
    """
    opened = study.study if isinstance(study, Atlas) else study
    queue = _default_queue(opened, n, seed) if units is None else units
    return _AnnotationWidget(_AnnotationSession(study, queue, annotator, store, seed))


class _AnnotationWidget(WidgetRoot):
    """The view of an `_AnnotationSession`.

    Its parts carry CSS classes: sl-annotator, sl-progress, sl-previous, sl-next, sl-concept, sl-marks,
    sl-types, sl-accept, sl-undo, sl-export, sl-size, and sl-tile-1, sl-tile-2 ... for the images' buttons.
    The `FindRow` finds units of the queue by the person's own words, and by no one else's. The unit on screen
    is not shared with other widgets: they would say what others call it.
    """

    def __init__(self, model: _AnnotationSession) -> None:
        self.model, self.status = model, Status()
        self.controls = _controls()
        self.sheet = ipywidgets.Box().add_class("sl-sheet")
        self.images: list[ipywidgets.Image] = []
        self.buttons: list[ipywidgets.ToggleButton] = []
        self._shared = {
            "image": ipywidgets.Layout(),
            "button": ipywidgets.Layout(),
            "tile": ipywidgets.Layout(),
        }
        self._style = ipywidgets.ToggleButton().style
        self._shown: int | None = None
        self._files: dict[int, list[bytes]] = {}  # pictures of the next unit, by its place in the queue
        self._prepared_at = -1  # the unit on screen when the next one was last prepared
        self._waiting = Waiting()
        # True while the model changes the controls, so that they do not change the model back.
        self._following = False
        self.finder = FindRow(model.find, self._go_to, self.status, "unit", "your own words", _SHOWN, _ORDERS)
        self._bind()
        super().__init__("sl-annotate", self._rows(), gone=_KEPT)
        self._resize()
        self.follow()

    def _rows(self) -> list[Any]:
        one, said = self.controls, [ipywidgets.HTML(text).add_class("sl-step") for text in _STEPS]
        top = ipywidgets.HBox([one["annotator"], one["previous"], one["next"], one["progress"]])
        answers = ipywidgets.HBox([one["accept"], one["undo"], one["export"], one["size"]])
        form = [said[0], one["concept"], said[1], one["marks"], said[2], one["types"]]
        return [
            _style(),
            top,
            *form,
            answers,
            self.finder,
            self.status,
            self.sheet,
        ]

    def _bind(self) -> None:
        guard, one, model = self.status.guarded, self.controls, self.model
        one["annotator"].observe(guard(self._renamed), "value")
        one["concept"].observe(guard(functools.partial(self._written, "concept")), "value")
        one["types"].observe(guard(functools.partial(self._written, "type")), "value")
        one["marks"].observe(guard(self._numbers), "value")
        one["previous"].on_click(guard(lambda _: self._step(-1)))
        one["next"].on_click(guard(lambda _: self._step(1)))
        one["accept"].on_click(guard(self._accept))
        one["undo"].on_click(guard(self._undo))
        one["export"].on_click(guard(self._export))
        one["size"].observe(guard(lambda change: self._resize()), "value")
        for name, then in (("annotator", "concept"), ("concept", "marks")):
            one[name].on_msg(functools.partial(_on_enter, one[then]))
        model.observe(guard(self.follow), ["annotator", "place", "concept", "marked", "type"])
        model.observe(guard(self._troubled), "trouble")

    # ---- from the controls to the model

    def _renamed(self, change: Any) -> None:
        if not self._following:
            self._say("")
            self.model.rename(change["new"])
            self.follow()  # there is nothing to take back now

    def _written(self, name: str, change: Any) -> None:
        if not self._following:
            setattr(self.model, name, change["new"] or "")

    def _numbers(self, change: Any) -> None:
        if self._following:
            return
        words = re.split(r"[\s,;]+", change["new"].strip())
        wrong = [word for word in words if word and not word.isdecimal()]
        if wrong:
            self._say(f"{wrong[0]!r} is no number of an image: write such as 3, 17, 40.", refused=True)
            return
        self._mark([int(word) - 1 for word in words if word])

    def _mark(self, places: list[int]) -> None:
        try:
            self.model.mark_all(places)
        except SceneLensError as error:  # the text stays in the field, to be corrected
            self._say(f"{error}", refused=True)
            return
        self._say("")
        self.follow()

    def _switched(self, place: int, change: Any) -> None:
        if not self._following:
            self.model.mark(place, change["new"])

    def _step(self, by: int) -> None:
        self._say("")
        self.model.step(by)

    def _go_to(self, place: int) -> None:
        self._say("")
        self.model.go_to(place)

    def _accept(self, _: Any) -> None:
        sentence = self.model.refusal()
        if sentence:
            self._say(sentence, refused=True)
            return
        self._say("writing ...")
        said = self.model.accept()
        left = len(self.model.units) - len(self.model.answered())
        self._say(said + ("" if left else f" · that was the last of {len(self.model.units)}: thank you"))
        self.controls["concept"].focus()

    def _undo(self, _: Any) -> None:
        self._say("")
        self.model.undo()
        self.follow()

    def _export(self, _: Any) -> None:
        path = self.model.export_csv()
        self._say(f"{len(self.model.store.labels())} answers written to {path}")

    def _troubled(self, change: Any) -> None:
        self._say(change["new"], refused=bool(change["new"]))

    def _resize(self) -> None:
        """As many columns of at least this width as there is room for."""
        width = self.controls["size"].value
        self.sheet.layout.grid_template_columns = f"repeat(auto-fill, minmax({width}px, 1fr))"

    def _say(self, text: str, refused: bool = False) -> None:
        (self.status.add_class if refused else self.status.remove_class)(_REFUSED)
        self.status.show(text)

    # ---- from the model to the controls

    def follow(self, change: Any = None) -> None:
        """Bring form and images in line with the model."""
        one, model = self.controls, self.model
        self._following = True
        try:
            if self._shown != model.place:
                self._show_unit()
            one["annotator"].value, one["concept"].value = model.annotator, model.concept
            one["types"].value = model.type or None
            one["marks"].value = ", ".join(str(place + 1) for place in model.marked)
            for place, button in enumerate(self.buttons):
                button.value = place in model.marked
        finally:
            self._following = False
        progress = model.progress()
        one["progress"].value = html.escape(progress)
        self.finder.follow(model.place, (model.annotator, progress))
        one["undo"].disabled = not model.history.past
        # Not before a person does something: a page of the workbook shows one unit.
        if change is not None and self._prepared_at != model.place:
            self._prepared_at = model.place
            self._waiting.wait_in_steps(self._prepare_next())

    def _show_unit(self) -> None:
        """The images of the unit on screen, in tiles that are made once."""
        files = self._files.get(self.model.place) or [_file(tile) for tile in self.model.task().tiles(_SIDE)]
        tiles = len(files)
        for place in range(len(self.buttons), tiles):
            self._add_tile(place)
        for image, file in zip(self.images, files, strict=False):
            image.value = file
        if len(self.sheet.children) != tiles:
            pairs = zip(self.images, self.buttons, strict=True)
            boxes = [
                ipywidgets.VBox(pair, layout=self._shared["tile"]).add_class("sl-tile") for pair in pairs
            ]
            self.sheet.children = boxes[:tiles]
            self.parts_changed()
        self._shown = self.model.place

    def _prepare_next(self) -> Iterator[None]:
        """Make the pictures of the unit that comes next, while the person looks at this one."""
        with contextlib.suppress(SceneLensError):  # it is said when the unit is to be shown
            place = yield from self.model.prepare_next()
            files = []
            for tile in self.model.task_at(place).tiles(_SIDE):
                files.append(_file(tile))
                yield
            self._files = {place: files}

    def _add_tile(self, place: int) -> None:
        image = ipywidgets.Image(format="jpeg", layout=self._shared["image"])
        image.width = str(_SIDE // 2)  # for pages without the style sheet
        button = ipywidgets.ToggleButton(
            description=str(place + 1),
            tooltip="does not fit",
            layout=self._shared["button"],
            style=self._style,
        )
        button.observe(self.status.guarded(functools.partial(self._switched, place)), "value")
        self.images.append(image)
        self.buttons.append(button.add_class(f"sl-tile-{place + 1}"))


def _style() -> ipywidgets.HTML:
    """The style sheet, as a part of the widget, so that it is there wherever the widget is shown."""
    return ipywidgets.HTML(f"<style>{_STYLE.read_text('utf-8')}</style>", layout={"display": "none"})


def _controls() -> dict[str, Any]:
    """Every control by its name; each carries the CSS class sl-<name>."""
    text, button = ipywidgets.Text, ipywidgets.Button
    made = {
        "annotator": text(
            tooltip="Your name", placeholder="your name", continuous_update=False, layout={"width": "180px"}
        ),
        "previous": button(icon="arrow-left", tooltip="The unit before", layout=NARROW),
        "next": button(icon="arrow-right", tooltip="The next unit, without an answer", layout=NARROW),
        "progress": ipywidgets.HTML(),
        "concept": text(tooltip="The concept", placeholder="a word or two", layout=WIDE),
        "marks": text(
            tooltip="Numbers of the images that do not fit",
            placeholder="such as 3, 17, 40",
            continuous_update=False,
            layout=WIDE,
        ),
        "types": ipywidgets.ToggleButtons(options=TYPES, value=None, tooltips=_MEANINGS),
        "accept": button(description="Save and go on", layout=_KEEP),
        "undo": button(description="Undo", tooltip="Take the last change back", layout=_KEEP),
        "export": button(description="Export a table", tooltip="All answers, as a CSV file", layout=_KEEP),
        "size": ipywidgets.IntSlider(
            _SIZES[2], *_SIZES[:2], step=8, description="Image size", readout=False, layout={"width": "240px"}
        ),
    }
    return {name: widget.add_class(f"sl-{name}") for name, widget in made.items()}


def _file(tile: np.ndarray) -> bytes:
    return encode(tile, quality=82)


def _on_enter(then: Any, _: Any, content: Any, __: Any) -> None:
    """Enter in a field goes on to the next."""
    if content.get("event") == "submit":
        then.focus()

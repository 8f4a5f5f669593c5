"""The row under a widget: undo, reset, the code for what is shown, and files of the picture and its table.

A model that has it says what it shows (see `_Viewed`).
"""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import Any, Protocol

import ipywidgets
import numpy as np
import pandas as pd
from PIL import Image

from scenelens.files import csv_file, file_name, replace_file
from scenelens.workbook.widgets.status import Status

_MOST = 200  # states that can be undone


class _Restored(Protocol):
    """What a model needs so that it can have a `History`."""

    def state(self) -> Any:
        """What is shown, as a value that can be compared."""

    def restore(self, state: Any) -> None:
        """Show again what `state` has returned."""


class _Viewed(_Restored, Protocol):
    """What a model needs so that its widget can have a `ToolRow`."""

    def code(self) -> str:
        """Python that shows the same view."""

    def table(self) -> pd.DataFrame:
        """What is shown, as numbers."""

    def file_stem(self) -> str:
        """A short name of what is shown."""


class History:
    """The states that a reader has left, to go back to.

    Parameters
    ----------
    model : object
        Whose states they are; its `state` gives one, its `restore` shows it again.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(unit=3)
    >>> model.state, model.restore = lambda: model.unit, lambda unit: setattr(model, "unit", unit)
    >>> history = History(model)
    >>> model.unit = 4
    >>> history.note()
    >>> history.undo()
    >>> model.unit, history.past
    (3, [])
    """

    def __init__(self, model: _Restored) -> None:
        self.model, self.past = model, list[Any]()
        self.first = self.now = model.state()

    def note(self, merge: bool = False) -> None:
        """Remember the state before this one, where there is a new one.

        Parameters
        ----------
        merge : bool, optional
            Whether the change goes on with the one before, so that one undo takes both back (default False).
        """
        state = self.model.state()
        if state != self.now:
            self.past = self.past if merge else [*self.past, self.now][-_MOST:]
            self.now = state

    def undo(self) -> None:
        """Go back to the state before; at the first one nothing happens."""
        if self.past:
            *self.past, self.now = self.past
            self.model.restore(self.now)

    def reset(self) -> None:
        """Go back to the first state; this can be undone."""
        self.model.restore(self.first)
        self.note()


class ToolRow(ipywidgets.VBox):
    """The row itself. Its parts have CSS classes: sl-undo, sl-reset, sl-code, sl-png, sl-csv, sl-code-text.

    Parameters
    ----------
    model : _Viewed
        What is shown.
    status : Status
        The widget's status line.
    """

    def __init__(self, model: _Viewed, status: Status) -> None:
        self.model, self.status, self.history = model, status, History(model)
        self.drawn: np.ndarray | None = None
        made = {
            "undo": ("Undo", "Back to the view before"),
            "reset": ("Reset", "Back to the first view"),
            "code": ("Code for this view", "Python that shows this view"),
            "png": ("Save PNG", "The picture as a file beside the notebook"),
            "csv": ("Save CSV", "The numbers as a file beside the notebook"),
        }
        self.buttons = {
            name: ipywidgets.Button(description=said, tooltip=about, layout={"width": "max-content"})
            for name, (said, about) in made.items()
        }
        self.text = ipywidgets.HTML(layout={"display": "none"}).add_class("sl-code-text")
        acts = (self._undo, self._reset, self._code, self._png, self._csv)
        for (name, button), act in zip(self.buttons.items(), acts, strict=True):
            button.add_class(f"sl-{name}").on_click(status.guarded(act))
        row = ipywidgets.HBox(list(self.buttons.values()), layout={"flex_flow": "row wrap"})
        super().__init__([row, self.text])
        self.add_class("scenelens-live-only")
        self.note(None)

    def note(self, drawn: np.ndarray | None) -> None:
        """Take notice of a new view.

        Parameters
        ----------
        drawn : numpy.ndarray or None
            Its picture, uint8 RGB (H, W, 3).
        """
        self.drawn = drawn
        self.history.note()
        self.buttons["undo"].disabled = not self.history.past
        self.buttons["reset"].disabled = self.history.now == self.history.first
        self.text.layout.display = "none"

    def _undo(self, _: Any) -> None:
        self.history.undo()

    def _reset(self, _: Any) -> None:
        self.history.reset()

    def _code(self, _: Any) -> None:
        self.text.value = f"<pre>{html.escape(self.model.code())}</pre>"
        self.text.layout.display = ""

    def _png(self, _: Any) -> None:
        if self.drawn is not None:
            file = io.BytesIO()
            Image.fromarray(self.drawn).save(file, "PNG")
            self._write(".png", file.getvalue())

    def _csv(self, _: Any) -> None:
        self._write(".csv", csv_file(self.model.table()))

    def _write(self, ending: str, content: bytes) -> None:
        path = Path(file_name(self.model.file_stem() + ending))
        replace_file(path, content)
        self.status.show(f"written: {path.resolve()}")

"""The row in which a reader finds a thing by what it is called: a unit, an image, a segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from scenelens.studies import Study
from scenelens.workbook.widgets.status import Status
from scenelens.workbook.widgets.unit_names import ORDERS, SHOWN, _UnitNames

_NONE = -1  # the value of the line that only counts what was found
_MOST = 1000  # things in the list; a longer one is slow to open, and nobody reads it to its end
_WIDTH, _LABEL = "230px", "64px"  # of a control, and of the words before it


class FindRow(ipywidgets.HBox):
    """A field for a part of a name, which things are shown, in what order, and the list of those found.

    Nothing is looked for before the reader first uses the row. Its parts have CSS classes: sl-find, sl-show,
    sl-order, sl-found. A choice of one option has no control.

    Parameters
    ----------
    search : callable
        Takes the text, one of `shown` and one of `orders`, and returns (label, value) of each thing.
    take : callable
        Takes the value of the thing that the reader picks from the list.
    status : Status
        The widget's status line.
    noun : str, optional
        What the things are (default 'unit').
    hint : str, optional
        What is written in the empty field (default 'a concept').
    shown : sequence of str, optional
        Which things can be shown (default all that a unit can be).
    orders : sequence of str, optional
        In what order (default those of units).

    Attributes
    ----------
    controls : dict of str to ipywidgets.Widget
        'find', 'show', 'order' and 'found'.

    Examples
    --------
    >>> names = {1: "bed", 2: "lamp"}
    >>> row = FindRow(
    ...     lambda text, shown, order: [(said, k) for k, said in names.items() if text in said],
    ...     lambda value: print("taken:", value), Status(), "segment",
    ... )
    >>> row.controls["find"].value = "la"
    >>> row.controls["found"].options
    (('1 segment', -1), ('lamp', 2))
    >>> row.controls["found"].value = 2
    taken: 2
    """

    def __init__(
        self,
        search: Callable[[str, str, str], Sequence[tuple[str, Any]]],
        take: Callable[[Any], object],
        status: Status,
        noun: str = "unit",
        hint: str = "a concept",
        shown: Sequence[str] = SHOWN,
        orders: Sequence[str] = ORDERS,
    ) -> None:
        self._search, self._take, self._status, self._noun = search, take, status, noun
        self._value: Any = _NONE  # what the widget shows
        self._place: Any = ()  # what the list depends on besides the controls
        self._listed: Any = None  # the place whose things are listed; None before the row is used
        self._following = False  # True while the row sets its own list
        self.controls = _controls(hint, shown, orders)
        for name, control in self.controls.items():
            control.add_class(f"sl-{name}")
            act = self._picked if name == "found" else self._sought
            control.observe(status.guarded(act), "value")
        super().__init__([one for name, one in self.controls.items() if _is_choice(one)])
        self.add_class("scenelens-live-only")

    @classmethod
    def of_units(
        cls,
        study: Study,
        place: Callable[[], tuple[str, str]],
        take: Callable[[int], object],
        status: Status,
    ) -> FindRow:
        """The row that finds units of one layer by what people and images call them.

        Parameters
        ----------
        study : Study
            The open study.
        place : callable
            Returns the network and the layer.
        take : callable
            Takes the unit that the reader picks.
        status : Status
            The widget's status line.

        Returns
        -------
        FindRow
            The row.
        """

        def search(text: str, shown: str, order: str) -> list[tuple[str, int]]:
            names, where = _UnitNames.of(study), place()
            return [(names.label(*where, unit), unit) for unit in names.find(*where, text, shown, order)]

        return cls(search, take, status)

    def follow(self, value: Any, place: Any = ()) -> None:
        """Mark in the list what the widget shows; list anew what was found where it is another `place`.

        Parameters
        ----------
        value : object
            The value of what is shown; None for nothing.
        place : object, optional
            What the list depends on besides the row's own controls, such as a layer.
        """
        self._value, self._place = _NONE if value is None else value, place
        if self._listed is None:
            return
        if self._listed != (place,):
            self._list()
        else:
            self._mark()

    def _sought(self, _: Any) -> None:
        # What is called how may have to be read first.
        self._status.busy(True)
        try:
            self._list()
        finally:
            self._status.busy(False)

    def _list(self) -> None:
        one = self.controls
        self._listed = (self._place,)
        found = list(self._search(one["find"].value, one["show"].value, one["order"].value))
        more = f", the first {_MOST:,} listed" if len(found) > _MOST else ""
        head = f"{len(found):,} {self._noun}{'' if len(found) == 1 else 's'}{more}"
        self._following, before = True, self._following
        try:
            one["found"].options = [(head, _NONE), *found[:_MOST]]
        finally:
            self._following = before
        self._mark()

    def _mark(self) -> None:
        found = self.controls["found"]
        self._following, before = True, self._following
        try:
            found.value = self._value if self._value in [value for _, value in found.options] else _NONE
        finally:
            self._following = before

    def _picked(self, change: Any) -> None:
        if not self._following and change["new"] != _NONE:
            self._take(change["new"])


def _is_choice(control: Any) -> bool:
    """Whether a control has anything to choose from; the list of what is found will have."""
    return (
        not isinstance(control, ipywidgets.Dropdown)
        or len(control.options) > 1
        or control.options[0][1] == _NONE
    )


def _controls(hint: str, shown: Sequence[str], orders: Sequence[str]) -> dict[str, Any]:
    field = ipywidgets.Text(description="Find", placeholder=hint, continuous_update=False)
    field.layout.width, field.style.description_width = _WIDTH, _LABEL
    return {
        "find": field,
        "show": _dropdown("Show", [(one, one) for one in shown], shown[0]),
        "order": _dropdown("Order by", [(one, one) for one in orders], orders[0]),
        "found": _dropdown("Found", [("look for one", _NONE)], _NONE),
    }


def _dropdown(description: str, options: Sequence[Any], value: Any) -> ipywidgets.Dropdown:
    """A dropdown as wide as all controls that stand in rows."""
    made = ipywidgets.Dropdown(options=options, value=value, description=description)
    made.layout.width, made.style.description_width = _WIDTH, _LABEL
    return made

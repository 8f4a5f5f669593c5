"""The unit that a reader looks at, shared by all widgets of a study."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import ipywidgets
import traitlets

from scenelens.sentences import one_line
from scenelens.studies import Study
from scenelens.workbook.widgets.status import Status

_LONGEST = 60  # characters on the button


class _Selection(traitlets.HasTraits):
    """The unit that was chosen last in any widget: `unit` is (network, layer, unit), () before the first."""

    unit = traitlets.Tuple()


_SELECTIONS: WeakKeyDictionary[Study, _Selection] = WeakKeyDictionary()


class SharedUnit(ipywidgets.Button):
    """How one widget shares the unit that is looked at with the other widgets of its study.

    It tells the others what was chosen here. A unit that was chosen elsewhere is shown here at once where the
    widget is on screen. Where it was not, or cannot show the unit without more ado, this button offers it.

    Parameters
    ----------
    study : Study
        The open study.
    has : callable
        Takes a network and a layer; whether the widget could show units of it.
    take : callable
        Takes a network, a layer and a unit, and shows it; it calls `choose`.
    status : Status
        The widget's status line.
    on_screen : callable
        Whether the widget is on screen now.
    follow : callable, optional
        What is called for a unit that was chosen elsewhere while the widget is on screen (default `take`).
    """

    def __init__(
        self,
        study: Study,
        has: Callable[[str, str], bool],
        take: Callable[[str, str, int], object],
        status: Status,
        on_screen: Callable[[], object],
        follow: Callable[[str, str, int], object] | None = None,
    ) -> None:
        super().__init__(tooltip="The unit that was chosen last in another widget")
        self.layout.display, self.layout.width = "none", "max-content"
        self.layout.max_width = "calc(100% - 4px)"  # 4 px are its margins
        self.add_class("sl-offer").add_class("scenelens-live-only")
        self._has, self._follow, self._on_screen = has, follow or take, on_screen
        self._here: tuple = ()
        self._selection = _SELECTIONS.setdefault(study, _Selection())
        self._selection.observe(status.guarded(self._changed), "unit")
        self.on_click(status.guarded(lambda _: take(*self._selection.unit)))

    def choose(self, network: str, layer: str, unit: int) -> None:
        """Tell all widgets that this unit is looked at here, where it was not so already.

        Parameters
        ----------
        network : str
            The network.
        layer : str
            The layer.
        unit : int
            The unit.
        """
        if (network, layer, unit) != self._here:
            self.show(network, layer, unit)
            self._selection.unit = self._here

    def show(self, *unit: Any) -> None:
        """Note which unit this widget shows, without telling the others.

        Parameters
        ----------
        *unit : str, str, int
            Network, layer and unit; nothing where it shows none.
        """
        self._here = unit
        self._offer()

    def _changed(self, change: Any) -> None:
        if self._is_foreign() and self._on_screen():
            self._follow(*change["new"])
        self._offer()

    def _is_foreign(self) -> bool:
        unit = self._selection.unit
        return bool(unit) and unit != self._here and self._has(*unit[:2])

    def _offer(self) -> None:
        offered = self._is_foreign()
        if offered:
            network, layer, unit = self._selection.unit
            self.description = one_line(f"Show {layer}:{unit} of {network}")[:_LONGEST]
        self.layout.display = "" if offered else "none"

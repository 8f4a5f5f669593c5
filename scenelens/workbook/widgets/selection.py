"""The unit that a reader looks at, shared by all widgets of a study."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import traitlets

from scenelens.studies import Study


class _Selection(traitlets.HasTraits):
    """The unit that was chosen last in any widget: `unit` is (network, layer, unit), () before the first."""

    unit = traitlets.Tuple()


_SELECTIONS: WeakKeyDictionary[Study, _Selection] = WeakKeyDictionary()


def selection_of(study: Study) -> _Selection:
    """The selection that all widgets of a study share.

    Parameters
    ----------
    study : Study
        The open study.

    Returns
    -------
    _Selection
        Its trait ``unit`` is (network, layer, unit).
    """
    return _SELECTIONS.setdefault(study, _Selection())

"""Pictures of a widget drawn in advance, through which a reader of its page steps without a kernel.

They are drawn only while a notebook is executed for the pages, which an environment variable says: in
JupyterLab the widget itself is there. There is one picture for every combination of values, such as four
units and five thresholds.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from PIL import Image

DRAW_STEPS = "SCENELENS_DRAW_STEPS"  # the variable; any value but '' is yes
STEPS = "scenelens_steps"  # their name in the metadata of a widget's output
_QUALITY = 80  # of a WebP


class _Steps:
    """The pictures of one widget.

    Parameters
    ----------
    values : mapping of str to sequence
        What can be moved, and to which values; what comes last moves fastest.
    draw : callable
        Returns the picture (uint8 RGB, (H, W, 3)) and the sentence for one value of each, given by name.

    Examples
    --------
    >>> steps = _Steps({"step": range(3)}, lambda step: (np.zeros((8, 8, 3), np.uint8), f"step {step}"))
    >>> [view["words"] for view in steps.saved("picture", {"step": 1})["views"]]
    ['step 0', 'step 1', 'step 2']
    """

    def __init__(
        self, values: Mapping[str, Sequence[Any]], draw: Callable[..., tuple[np.ndarray, str]]
    ) -> None:
        self.values, self.draw = {name: list(some) for name, some in values.items()}, draw

    @staticmethod
    def wanted() -> bool:
        """Whether this process executes a notebook for the pages.

        Returns
        -------
        bool
            False where a reader has the widget itself.
        """
        return bool(os.environ.get(DRAW_STEPS))

    def saved(self, picture: str, now: Mapping[str, Any]) -> dict[str, Any]:
        """Draw all of them, in a form that a notebook can store.

        Parameters
        ----------
        picture : str
            The id of the model in whose place they stand.
        now : mapping of str to object
            The values that the widget has.

        Returns
        -------
        dict
            ``picture``; ``axes``: for each name its stops, as words, and which of them is first; ``views``:
            for each combination of stops a ``picture`` (WebP in base64) and its ``words``.
        """
        axes = [
            {
                "name": name,
                "stops": [str(one) if isinstance(one, int) else f"{one:g}" for one in some],
                "first": some.index(now[name]) if now[name] in some else 0,
            }
            for name, some in self.values.items()
        ]
        views = []
        for chosen in product(*self.values.values()):
            drawn, words = self.draw(**dict(zip(self.values, chosen, strict=True)))
            views.append({"picture": _webp(drawn), "words": words})
        return {"picture": picture, "axes": axes, "views": views}


def _webp(picture: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=_QUALITY)
    return base64.b64encode(file.getvalue()).decode()

"""Answers that were begun and not yet saved, on disk, so that they outlive the kernel and the browser.

Each draft is one small file in a folder next to the file of the answers: ``labels.drafts/`` next to
``labels.db``. The answers' own file does not change, so any version of this package reads it. A draft is
replaced atomically at every change and removed when its answer is saved.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from scenelens.errors import SceneLensError
from scenelens.files import UNREADABLE, digest, replace_file
from scenelens.unit_semantics.queue import Unit

_TEXTS = ("concept", "type")


class _Drafts:
    """The drafts next to a file of answers.

    A draft is a dict with the texts ``concept`` and ``type`` and ``marked``, the ids of the images that do
    not fit. Ids and not places, because the order of the images may be another one when it is read.
    """

    def __init__(self, answers: Path) -> None:
        self.folder = answers.with_suffix(".drafts")

    def read(self, annotator: str, unit: Unit) -> dict[str, Any] | None:
        """The person's draft about a unit, or None where there is none, or none that can be read."""
        try:
            draft = json.loads(self._path(annotator, unit).read_text(encoding="utf-8"))
            marked = [str(image) for image in draft["marked"]]
            return {name: str(draft[name]) for name in _TEXTS} | {"marked": marked}
        except UNREADABLE:  # the files are replaced atomically, so only another program damages one
            return None

    def write(self, annotator: str, unit: Unit, draft: dict[str, Any]) -> None:
        """Write a draft. Raises a SceneLensError where it cannot be written."""
        network, layer, number = unit
        about = {"annotator": annotator, "network": network, "layer": layer, "unit": number}
        text = json.dumps(about | draft)  # in ASCII: half a character of a browser's text is no error here
        path = self._path(annotator, unit)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SceneLensError(f"{path.parent} cannot be made ({error.strerror}).") from None
        replace_file(path, text.encode())

    def remove(self, annotator: str, unit: Unit) -> None:
        """Remove a draft, and the folder with the last one. What cannot be removed stays."""
        with contextlib.suppress(OSError):
            self._path(annotator, unit).unlink(missing_ok=True)
            self.folder.rmdir()  # fails, as it should, while there are other drafts

    def begun(self, annotator: str, units: list[Unit]) -> list[int]:
        """The places in a queue of the units that the person has a draft about."""
        if not self.folder.is_dir():
            return []
        return [place for place, unit in enumerate(units) if self._path(annotator, unit).exists()]

    def _path(self, annotator: str, unit: Unit) -> Path:
        # A hash, because a name of a person or of a network need not be a name of a file.
        return self.folder / f"{digest(json.dumps([annotator, *unit]))[:32]}.json"

"""Label maps of parts and materials, and the legends that name their codes."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

from scenelens.annotations.sun import AnnotatedImages, write_label_map
from scenelens.errors import SceneLensError
from tests.torture.annotations import H, W, photographs
from tests.torture.annotations_xml import WHOLE
from tests.torture.colour_masks import mask_file
from tests.torture.kind import Files, Kind, expect, expect_report, expect_sentence
from tests.torture.mutate import damaged, edited_text, misplaced, scattered

_LEGEND = {str(n): f"part {n}" for n in range(1, 5)}
_KEYS = ["0", "-1", "1.5", "01", " 1", "٣", "9" * 30, "70000", ""]


class LabelMaps(Kind):
    """Either file is new each time. Codes are compared with Pillow's, and another image stays."""

    name = "label maps"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        photographs(folder / "Images/b/bedroom", "a.jpg", "z.jpg")
        for name in ("a", "z"):
            (folder / "Annotations/b/bedroom").mkdir(parents=True, exist_ok=True)
            (folder / f"Annotations/b/bedroom/{name}.xml").write_bytes(WHOLE)
            write_label_map(folder, f"b/bedroom/{name}.jpg", "parts", np.arange(H * W).reshape(H, W) % 5)
        self.map = folder / "Labels/b/bedroom/a_parts.png"
        self.whole, self.legend = self.map.read_bytes(), json.dumps(_LEGEND).encode()
        self.check({"legend": self.legend, "map": self.whole})

    def make(self, rng: random.Random) -> Files:
        legend, codes, how = self.legend, self.whole, rng.random()
        if how < 0.4:
            table = misplaced(_LEGEND, rng)
            table = table if rng.random() < 0.5 else _LEGEND | {rng.choice(_KEYS): rng.choice(["x", 5, None])}
            legend = json.dumps(table).encode()
            legend = edited_text(legend, rng) if how < 0.15 else legend
        elif how < 0.6:
            codes = mask_file(rng)
        elif how < 0.8:
            codes = scattered(codes, rng)
        else:
            out = io.BytesIO()
            top = rng.choice([5, 255, 300, 40_000, 65_535])
            values = np.random.default_rng(rng.getrandbits(32)).integers(0, top + 1, (H, W))
            Image.fromarray(values.astype(np.uint16 if top > 255 else np.uint8)).save(out, "PNG")
            codes = damaged(out.getvalue(), rng) if rng.random() < 0.3 else out.getvalue()
        return {"legend": legend, "map": codes}

    def check(self, files: Files) -> None:
        self.write(self.folder / "Labels/parts.json", files["legend"])
        self.write(self.map, files["map"])
        opened = AnnotatedImages(self.folder)
        damaged_image, other = opened.images
        expect_report(opened.report().detail.tolist())
        codes = self._codes(opened, damaged_image)
        whole = self._codes(opened, other)
        expect(whole is not None or files["legend"] != self.legend, "another map cannot be read")
        if codes is not None:
            with Image.open(io.BytesIO(files["map"])) as file:
                if file.size == (W, H) and file.mode in ("L", "I;16", "I") and not file.getexif():
                    expect(np.array_equal(codes, np.asarray(file)), "other codes than Pillow's")

    def _codes(self, opened: AnnotatedImages, image: str) -> np.ndarray | None:
        try:
            found = opened.label_map(image, "parts")
            found.masks()
            return found.codes
        except SceneLensError as error:
            expect_sentence(str(error))
            return None

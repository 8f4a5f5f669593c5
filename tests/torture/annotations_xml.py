"""Annotations in XML, of SUN and LabelMe: odd numbers, odd structure, damaged text."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np

from scenelens.annotations.sun import AnnotatedImages
from tests.labelme_xml import annotation_xml, object_xml, polygon_xml
from tests.torture.annotations import BOX, Annotated, H, W, outline, photographs, same_mask
from tests.torture.kind import Files
from tests.torture.mutate import edited_text

SIZE = (str(H), str(W))
WHOLE = annotation_xml(
    object_xml("bed", BOX), object_xml("lamp", BOX[:3], extra="<id>3</id>"), size=SIZE
).encode()
_ODD = ["nan", "inf", "-inf", "", " ", "x", "1e400", "1,5", "0x10", "٣", "9" * 400, "<a/>", "-0"]
_PARTS = [
    "<id>{}</id>",
    "<parts><hasparts>{0}</hasparts><ispartof>{0}</ispartof></parts>",
    "<deleted>{}</deleted>",
    "<occluded>{}</occluded>",
    "<name>{}</name>",
    "<segm><mask>{}</mask></segm>",
]
_NESTED = ["<annotation>" * 2000, "<!DOCTYPE a [<!ENTITY b 'c'>]><annotation>&b;</annotation>", "<a>" * 40]


class XML(Annotated):
    """The file of a.jpg is new each time; a third of the files has one plain outline, which has a judge."""

    name, share, source = "annotations XML", 2.0, "Annotations/b/bedroom/a.xml"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        photographs(folder / "Images/b/bedroom", "a.jpg", "z.jpg")
        (folder / self.source).parent.mkdir(parents=True)
        (folder / self.source).with_name("z.xml").write_bytes(WHOLE)
        self.ready(WHOLE)

    def open(self, cache=None):
        return AnnotatedImages(self.folder, cache)

    def make(self, rng: random.Random) -> Files:
        how = rng.random()
        if how < 0.3:
            points = outline(rng)
            xml = annotation_xml(object_xml("bed", points), size=SIZE).encode()
            return {"a.xml": xml + b"<!--" + json.dumps(points).encode() + b"-->"}
        xml = WHOLE if how < 0.6 else self._odd(rng)
        return {"a.xml": edited_text(xml, rng) if how < 0.9 else xml}

    def _odd(self, rng: random.Random) -> bytes:
        things = [self._object(rng) for _ in range(rng.choice([0, 1, 2, 5, 30]))]
        size = rng.choice(
            [SIZE, SIZE, None, (rng.choice(_ODD), rng.choice(_ODD)), ("1e9", "1e9"), ("20", "24")]
        )
        text = annotation_xml(*things, size=size)
        return (text if rng.random() < 0.95 else rng.choice(_NESTED) + text).encode(errors="replace")

    def _object(self, rng: random.Random) -> str:
        points = [
            tuple(rng.choice(_ODD) if rng.random() < 0.05 else value for value in point)
            for point in outline(rng)
        ]
        extra = "".join(
            one.format(rng.choice([0, 1, 2, -1, 10**30, "x", "1,2", "", "bed"]))
            for one in _PARTS
            if rng.random() < 0.2
        )
        twice = polygon_xml(points) * rng.choice([1, 1, 1, 0, 2])
        name = rng.choice(["bed", "lamp", "", "bed crop", "a &lt;b&gt;", "日本", "w" * 900])
        return object_xml(name, polygon=twice, extra=extra)

    def judge(self, files: Files, found: dict[str, np.ndarray] | None) -> None:
        (xml,) = files.values()
        _, mark, rest = xml.partition(b"<!--[")
        if mark and found is not None:
            same_mask(found, "bed", [tuple(point) for point in json.loads(b"[" + rest.partition(b"-->")[0])])


class CheckedXML(XML):
    """The same with bounds checks in all kernels: a step out of an array is an IndexError."""

    name, share, checked = "bounds: XML", 0.7, True

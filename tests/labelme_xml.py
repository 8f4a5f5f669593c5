"""LabelMe XML for tests, clean unless told otherwise."""

from __future__ import annotations

TRIANGLE = [(10, 10), (40, 10), (40, 40)]


def polygon_xml(points=TRIANGLE, extra: str = "") -> str:
    pts = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in points)
    return f"<polygon><username>anonymous</username>{extra}{pts}</polygon>"


def object_xml(
    name, points=TRIANGLE, polygon=None, deleted="0", extra: str = "", attributes: str = ""
) -> str:
    flag = "" if deleted is None else f"<deleted>{deleted}</deleted>"
    outline = polygon_xml(points) if polygon is None else polygon
    return f"<object><name>{name}</name>{flag}<attributes>{attributes}</attributes>{extra}{outline}</object>"


def annotation_xml(*objects: str, filename="a.jpg", folder="bedroom", size=("100", "120")) -> str:
    texts = f"<filename>{filename}</filename><folder>{folder}</folder>"
    lines = "" if size is None else f"<imagesize><nrows>{size[0]}</nrows><ncols>{size[1]}</ncols></imagesize>"
    return f"<annotation>{texts}{lines}{''.join(objects)}</annotation>"

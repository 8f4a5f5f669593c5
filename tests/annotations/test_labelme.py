"""Every error of real LabelMe files: repaired, left out or refused, and always named."""

from __future__ import annotations

import numpy as np
import pytest

from scenelens.annotations import labelme
from scenelens.annotations.file_checks import REPAIRS
from scenelens.annotations.labelme import parse_annotation
from scenelens.annotations.names import normalise_name
from scenelens.annotations.outlined import Annotation
from scenelens.errors import SceneLensError
from tests.labelme_xml import annotation_xml, object_xml, polygon_xml


def kinds(annotation: Annotation) -> list[str]:
    found = [repair.kind for repair in annotation.report]
    assert set(found) <= set(REPAIRS)
    return found


def parse(*objects: str, **tags: str) -> Annotation:
    return parse_annotation(annotation_xml(*objects, **tags).encode())


def test_a_clean_file():
    annotation = parse(object_xml("lamp", attributes="brass"), object_xml("bed", [(0, 0), (90, 0), (90, 50)]))
    assert [one.name for one in annotation.objects] == ["lamp", "bed"]
    assert annotation.size == (100, 120)
    assert annotation.filename == "a.jpg"
    assert annotation.objects[0].attributes == "brass"
    assert annotation.objects[0].polygons[0].tolist() == [[10, 10], [40, 10], [40, 40]]
    assert kinds(annotation) == []


@pytest.mark.parametrize("flag", ["1", " 1\n", "yes"])
def test_deleted_objects_are_left_out(flag):
    annotation = parse(object_xml("lamp", deleted=flag), object_xml("bed"))
    assert [one.name for one in annotation.objects] == ["bed"]
    assert annotation.report[0] == ("deleted", "object 0 (lamp)")


@pytest.mark.parametrize("flag", ["0", "", "\n0\n", None])
def test_not_deleted(flag):
    assert len(parse(object_xml("lamp", deleted=flag)).objects) == 1


def test_padding_escapes_and_backslashes_in_texts():
    annotation = parse(
        object_xml("\n desk%20lamp \n"),
        filename="\nfolder\\my%20room.jpg ",
        folder=" users/antonio/static_sun_database/b\\bedroom ",
    )
    assert annotation.objects[0].name == "desk lamp"
    assert (annotation.filename, annotation.folder) == ("my room.jpg", "b/bedroom")


def test_objects_without_a_name_or_polygon():
    annotation = parse(
        object_xml(""), object_xml("lamp", polygon=""), object_xml("!@#", [(50, 50), (60, 50), (60, 70)])
    )
    assert [one.name for one in annotation.objects] == ["unnamed", "unnamed"]
    assert kinds(annotation) == ["no name", "no area", "no name"]


def test_characters_that_xml_forbids():
    text = annotation_xml(object_xml("la\x07mp & sha&#x1;de"), folder="rock &amp; roll")
    annotation = parse_annotation(text.encode())
    assert annotation.objects[0].name == "lamp & shade"
    assert annotation.folder == "rock & roll"
    assert kinds(annotation) == ["control characters", "bare ampersand"]


def test_a_file_that_is_not_utf8():
    text = '<?xml version="1.0" encoding="utf-8"?>' + annotation_xml(object_xml("café"))
    annotation = parse_annotation(text.encode("latin-1"))
    assert annotation.objects[0].name == "café"
    assert kinds(annotation) == ["text encoding"]


def test_repeated_tags():
    annotation = parse(
        "<object><name> </name><name>lamp</name><parts/><parts><ispartof>x</ispartof></parts>"
        + polygon_xml()
        + "</object>"
    )
    assert annotation.objects[0].name == "lamp"


@pytest.mark.parametrize("path", ["segm/box", "bndbox", "box"])
def test_a_box_instead_of_a_polygon(path):
    box = "<xmin>2</xmin><ymin>3</ymin><xmax>12</xmax><ymax>9.5</ymax>"
    for tag in reversed(path.split("/")):
        box = f"<{tag}>{box}</{tag}>"
    annotation = parse(object_xml("lamp", polygon=box))
    assert annotation.objects[0].polygons[0].tolist() == [[2, 3], [12, 3], [12, 9.5], [2, 9.5]]
    assert kinds(annotation) == ["box"]


def test_polygons_of_several_moments():
    late = polygon_xml([(50, 50), (60, 50), (60, 60)], extra="<t>7</t><key>1</key>")
    early = polygon_xml([(1, 1), (9, 1), (9, 9)], extra="<t>0</t><key>1</key>")
    annotation = parse(object_xml("car", polygon=late + early))
    assert [p.tolist() for p in annotation.objects[0].polygons] == [[[1, 1], [9, 1], [9, 9]]]
    assert kinds(annotation) == ["frames"]


def test_several_polygons_of_one_moment_are_pieces():
    annotation = parse(object_xml("car", polygon=polygon_xml() + polygon_xml([(50, 50), (60, 50), (60, 60)])))
    assert len(annotation.objects[0].polygons) == 2
    assert kinds(annotation) == []


@pytest.mark.parametrize("points", [[(3, 3)], [(3, 3), (9, 9)], [(3, 3), (6, 6), (9, 9)], []])
def test_points_and_lines_are_left_out(points):
    assert parse(object_xml("lamp", points)).objects == ()
    assert kinds(parse(object_xml("lamp", points))) == ["no area"]


def test_points_that_are_not_numbers():
    annotation = parse(object_xml("lamp", [(0, 0), ("x", 4), (9, ""), ("nan", 1), (9, 0), (9.5, 9)]))
    assert annotation.objects[0].polygons[0].tolist() == [[0, 0], [9, 0], [9.5, 9]]
    assert kinds(annotation) == ["bad point"] * 3


def test_crossing_and_outside_are_kept_and_named():
    annotation = parse(object_xml("fence", [(-20, 0), (44, 44), (44.5, 0), (0, 44)]))
    assert len(annotation.objects) == 1
    assert kinds(annotation) == ["crosses itself", "outside"]


@pytest.mark.parametrize("size", [None, ("", ""), ("many", "120"), ("0", "0")])
def test_a_size_that_is_missing(size):
    annotation = parse(object_xml("lamp"), size=size)
    assert annotation.size is None
    assert kinds(annotation) == ["imagesize"]
    assert annotation.drawn_on((50, 60)).size == (50, 60)


def test_a_size_that_is_not_the_photographs():
    drawn_large = parse(object_xml("lamp", [(0, 0), (110, 0), (110, 95)]))
    assert drawn_large.drawn_on((50, 60)).size == (100, 120)  # the photograph was shrunk later
    swapped = parse(object_xml("lamp", [(0, 0), (119, 0), (119, 95)]), size=("120", "100"))
    assert swapped.drawn_on((100, 120)).size == (100, 120)
    assert kinds(swapped.drawn_on((100, 120)))[-1] == "imagesize mistrusted"


def test_the_same_object_twice():
    moved = [(10.3, 10), (40, 10), (40, 40.2)]
    annotation = parse(object_xml("lamp"), object_xml("lamp crop", moved), object_xml("bulb"))
    assert [one.raw_name for one in annotation.objects] == ["lamp", "bulb"]
    assert kinds(annotation) == ["duplicate"]


def test_parts_and_instances():
    parts = "<parts><hasparts></hasparts><ispartof>7</ispartof></parts>"
    car = object_xml("car", extra="<id>7</id><instance>3</instance>")
    wheel = object_xml("wheel", [(20, 20), (30, 20), (30, 30)], extra=f"<id>8</id>{parts}")
    piece = object_xml("car", [(60, 60), (80, 60), (80, 80)], extra="<instance>3</instance>")
    found = parse(car, wheel, piece).objects
    assert [one.part_of for one in found] == [None, 3, None]
    assert found[0].instance == found[2].instance == 3
    assert found[1].instance not in (None, 3)


@pytest.mark.parametrize(
    ("raw", "name", "states"),
    [
        ("person sitting crop", "person", ("sitting", "crop")),
        ("bus occluded", "bus", ("occluded",)),
        ("wall 2", "wall", ("2",)),
        ("Car az120deg", "car", ("az120deg",)),
        ("walking stick", "walking stick", ()),
        ("crop", "crop", ()),
        ("open_bookcase", "open bookcase", ()),
        ("paintings", "paintings", ()),
        (" Dining\\table!! ", "dining table", ()),
    ],
)
def test_names(raw, name, states):
    assert normalise_name(raw) == (name, states)


@pytest.mark.parametrize("data", [b"", b"<annotation><object>", b"\x89PNG\r\n\x1a\n\x00\x00", b"{}"])
def test_a_file_that_is_not_xml(tmp_path, data):
    path = tmp_path / "broken.xml"
    path.write_bytes(data)
    with pytest.raises(SceneLensError, match=r"broken\.xml is not readable XML"):
        parse_annotation(path)


def test_other_refusals(tmp_path):
    with pytest.raises(SceneLensError, match="<html>"):
        parse_annotation(b"<html/>")
    with pytest.raises(SceneLensError, match="cannot be read"):
        parse_annotation(tmp_path / "none.xml")
    bomb = (
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><annotation><folder>&b;</folder></annotation>'
    )
    with pytest.raises(SceneLensError, match="entities"):
        parse_annotation(bomb)


def test_a_real_file_of_97_objects(real):
    annotation = parse_annotation(real / "labelme/example.xml")
    assert len(annotation.objects) == 97
    names = [one.name for one in annotation.objects]
    assert (names.count("window"), names.count("car")) == (44, 6)
    assert sorted(kinds(annotation)) == ["crosses itself", "crosses itself", "imagesize"]
    assert sum(len(p) for one in annotation.objects for p in one.polygons) == 764
    assert all(np.isfinite(p).all() for one in annotation.objects for p in one.polygons)


NAMES = {
    "GB2312": "床",
    "gb18030": "龘",
    "Shift_JIS": "①窓",  # the first is only in Windows' form of it
    "EUC-JP": "窓",
    "euc-kr": "창문",
    "Big5": "窗",
    "ISO-8859-1": "fenêtre – à",
    "windows-1252": "“lit”",
    "windows-1251": "окно",
    "KOI8-R": "окно",
    "iso-8859-15": "lœss",
    "utf-16": "窓",
    "UTF-8": "fenêtre",
}


@pytest.mark.parametrize(("encoding", "name"), NAMES.items())
def test_the_encoding_that_a_file_declares(encoding, name):
    codec = {"Shift_JIS": "cp932", "ISO-8859-1": "cp1252"}.get(encoding, encoding)
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n' + annotation_xml(object_xml(name))
    annotation = parse_annotation(text.encode(codec))
    assert annotation.objects[0].raw_name == name
    assert annotation.report == ()


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32"])
def test_marks_and_zeros_tell_the_encoding(codec):
    text = annotation_xml(object_xml("窓"))
    assert parse_annotation(text.encode(codec)).objects[0].name == "窓"
    marked = ("\ufeff" + text).encode(codec.removesuffix("-sig"))
    assert parse_annotation(marked).objects[0].name == "窓"


@pytest.mark.parametrize(
    "declared", ["utf-8", "latin1x", "unicode_escape", "idna", "zlib", "rot13", "undefined"]
)
def test_a_declaration_that_is_wrong_or_no_encoding_of_text(declared):
    text = f'<?xml version="1.0" encoding="{declared}"?>' + annotation_xml(object_xml("lit \\n à"))
    assert parse_annotation(text.encode()).objects[0].raw_name == "lit \\n à"
    found = parse_annotation(text.encode("latin-1"))
    assert found.objects[0].raw_name == "lit \\n à"
    assert [repair.kind for repair in found.report] == ["text encoding"]


def test_utf_8_in_a_file_that_declares_another_encoding_it_does_not_fit():
    text = '<?xml version="1.0" encoding="gbk"?>' + annotation_xml(object_xml("à l'étage €"))
    assert parse_annotation(text.encode()).objects


PIECES = (
    *("<pt><x>1</x><y>2.5</y></pt>", "<pt><x>-1e3</x><y>7</y></pt>", "<pt><x>9</x><y>60</y></pt>") * 4,
    *("<polygon>", "</polygon>", "</polygon><polygon>") * 2,
    *("<pt><x></x><y>2</y></pt>", "<pt><x>1-2</x><y>1.2.3</y></pt>", "<pt><x>1;2|3</x><y>4</y></pt>"),
    *("<pt><y>1</y><x>2</x></pt>", "<pt><x>3</x></pt>", "<pt><x>1</x><y>2</y><z>3</z></pt>", " ", "\n", "<"),
    *("<x>1</x><y>2</y>", "<t>1</t>", "<!-- <polygon><pt><x>1</x><y>2</y></pt></polygon> -->", "<pt/>", "5"),
    *(
        "<![CDATA[<polygon><pt><x>1</x><y>2</y></pt></polygon>]]>",
        '<polygon _points="1;2">',
        "&amp;",
        "</y></pt>",
    ),
)


def test_shortened_outlines_are_read_as_those_of_the_whole_text(monkeypatch):
    random, n_short = np.random.default_rng(0), 0

    def found(text: str) -> str:
        try:
            one = parse_annotation(text.encode())
        except SceneLensError as error:
            return str(error)
        outlines = [[polygon.tobytes() for polygon in thing.polygons] for thing in one.objects]
        return repr((one.report, [thing.name for thing in one.objects], outlines))

    for _ in range(2000):
        chosen = random.choice(PIECES[: random.choice([12, 18, len(PIECES)])], random.integers(1, 12))
        text = annotation_xml(object_xml("lamp", polygon=f"<polygon>{''.join(chosen)}</polygon>"))
        n_short += "_points" in (labelme._shortened(text) or "")
        with monkeypatch.context() as patch:
            short = found(text)
            patch.setattr(labelme, "_shortened", lambda text: None)
            assert short == found(text)
    assert n_short > 500

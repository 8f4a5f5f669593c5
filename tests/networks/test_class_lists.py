"""Lists of classes as people store them. The same three classes, in every way of writing them."""

import codecs
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.networks.class_names import ClassNames

NAMES = ["abbey", "bar", "den"]
SAME = {
    "plain.txt": "abbey\nbar\nden\n",
    "empty lines and comments.txt": "# Places\n\nabbey\n\n  bar\n// the last\nden",
    "behind.txt": "den 2\nabbey 0\nbar 1",
    "behind from 1.txt": "den 3\nabbey 1\nbar 2",
    "before from 1.txt": "3 den\n1 bar\n2 abbey".replace("1 bar", "2 bar").replace("2 abbey", "1 abbey"),
    "before.txt": "2 den\n0 abbey\n1 bar",
    "point.txt": "3. den\n1. abbey\n2. bar",
    "bracket.txt": "2) den\n0) abbey\n1) bar",
    "colon.txt": "2: den\n0: abbey\n1: bar",
    "dash.txt": "2 - den\n0 - abbey\n1 - bar",
    "comma.txt": "0,abbey\n2,den\n1,bar",
    "tab.tsv": "0\tabbey\n2\tden\n1\tbar",
    "behind comma.txt": "abbey,0\nden,2\nbar,1",
    "equals.txt": "abbey = 0\nden = 2\nbar = 1",
    "places.txt": "/b/bar 1\n/a/abbey 0\n/d/den 2",
    "header.csv": "index,class\n0,abbey\n2,den\n1,bar",
    "header behind.csv": "label;id\nabbey;0\nden;2\nbar;1",
    "name only.csv": "abbey\nbar\nden",
    "name only, with a title.csv": "Name\nabbey\nbar\nden",
    "quoted, with a title.csv": '"class"\n"abbey"\n"bar"\n"den"',
    "wide.csv": "class_id,wnid,name\n2,n00000003,den\n0,n00000001,abbey\n1,n00000002,bar",
    "wnid.csv": "wnid,name\nn00000001,abbey\nn00000002,bar\nn00000003,den",
    "quoted.csv": '"0","abbey"\n"2","den"\n"1","bar"',
    "wnid.txt": "n00000001 abbey\nn00000002 bar\nn00000003 den",
    "wnid, number, name.txt": "n00000003 3 den\nn00000001 1 abbey\nn00000002 2 bar",
    "number, wnid, name.txt": "2 n00000003 den\n0 n00000001 abbey\n1 n00000002 bar",
    "list.json": json.dumps(NAMES),
    "dict.json": json.dumps({"2": "den", "0": "abbey", "1": "bar"}),
    "from 1.json": json.dumps({"3": "den", "1": "abbey", "2": "bar"}),
    "names to numbers.json": json.dumps({"den": 2, "abbey": 0, "bar": 1}),
    "pairs.json": json.dumps({"0": ["n00000001", "abbey"], "1": ["n00000002", "bar"], "2": ["n3", "den"]}),
    "config.json": json.dumps({"model": "x", "id2label": {"0": "abbey", "1": "bar", "2": "den"}}),
    "categories.json": json.dumps(
        {"categories": [{"id": n + 1, "name": name} for n, name in enumerate(NAMES)]}
    ),
    "dict.txt": "{2: 'den',\n 0: 'abbey',\n 1: 'bar'}",
    "dict.py": "classes = {2: 'den', 0: 'abbey', 1: \"bar\"}\n",
    "code.py": "# three rooms\nimport os\nN: int = 3\nCLASSES = [\n    'abbey', 'bar', 'den',\n]\n",
    "yaml.txt": "- abbey\n- bar\n- den",
    "yaml dict.yaml": "2: den\n0: abbey\n1: bar",
    "yaml list.yaml": "names:\n- abbey\n- bar\n- den",
    "yaml names.yml": "names:\n  2: den\n  0: abbey\n  1: bar",
    "stars.txt": "* abbey\n* bar\n* den",
    "round brackets.txt": "(2) den\n(0) abbey\n(1) bar",
    "square brackets.txt": "[2] den\n[0] abbey\n[1] bar",
    "points.txt": "3.den\n1.abbey\n2.bar",
    "arrows.txt": "2 -> den\n0 -> abbey\n1 -> bar",
    "arrows behind.txt": "den → 2\nabbey => 0\nbar->1",
    "markdown with a title.md": "| id | name |\n|---|:--|\n| 2 | den |\n| 0 | abbey |\n| 1 | bar |",
    "markdown.txt": "| 2 | den |\n| 0 | abbey |\n| 1 | bar |",
    "brackets.txt": "den (2)\nabbey (0)\nbar (1)",
    "chinese.txt": "2、den\n0、abbey\n1、bar",
    "wide.txt": "2：den\n0：abbey\n1：bar",
    "arabic digits.txt": "٢ den\n٠ abbey\n١ bar",
    "quoted synonyms.csv": 'n00000001,"abbey"\nn00000002,bar\nn00000003,"den"',
    "list.txt": "['abbey', 'bar', 'den']",
    "pairs.txt": "{0: ('n00000001', 'abbey'), 1: ('n00000002', 'bar'), 2: ('n00000003', 'den')}",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", SAME)
def test_every_way_of_writing_a_list_gives_the_same_classes(tmp_path, name, encoding):
    (tmp_path / name).write_bytes(SAME[name].replace("\n", "\r\n").encode(encoding))
    assert list(ClassNames.read(tmp_path / name)) == NAMES


def test_the_first_line_after_a_mark_is_no_other_name(tmp_path):
    (tmp_path / "c.txt").write_bytes(codecs.BOM_UTF8 + b"abbey\nbar\nden")
    assert ClassNames.read(tmp_path / "c.txt")[0] == "abbey"


def test_numbers_decide_the_order_and_it_is_said(tmp_path):
    (tmp_path / "c.txt").write_text("3 den\n1 bar\n2 abbey\n")
    classes = ClassNames.read(tmp_path / "c.txt")
    assert list(classes) == ["bar", "abbey", "den"]
    assert "from 1" in classes.note


def test_imagenets_numbers_are_kept(tmp_path):
    (tmp_path / "c.txt").write_text("n02012849 crane\nn01440764 tench, Tinca tinca\nn03126707 crane\n")
    classes = ClassNames.read(tmp_path / "c.txt")
    assert list(classes) == ["crane (0)", "tench, Tinca tinca", "crane (2)"]
    assert classes.find("n03126707") == [2]
    assert classes.find("tinca tinca") == [1]


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("cars.txt", "Audi A4 2012\nBMW M3 2012\nFiat 500 2007", None),
        ("digits.txt", "0\n1\n2", None),
        ("one.txt", "terminal 1\nterminal 2", None),
        ("birds.txt", "1 001.Albatross\n2 002.Auklet", ["001.Albatross", "002.Auklet"]),
        ("commas.txt", "tench, Tinca tinca\ngoldfish, Carassius auratus", None),
        ("some.txt", "gas station\n7 eleven\nroute 66\nattic", None),
        ("ton.txt", "1.5 ton truck\n2.5 ton truck", None),
    ],
)
def test_numbers_that_are_a_part_of_names_stay(tmp_path, name, text, names):
    (tmp_path / name).write_text(text)
    assert list(ClassNames.read(tmp_path / name)) == (names or text.split("\n"))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gap.txt", "0 abbey\n1 bar\n3 den", "2 is missing"),
        ("twice.txt", "0 abbey\n1 bar\n1 den", "1 stands twice"),
        ("from 2.txt", "2 abbey\n3 bar\n4 den", "1 is missing"),
        ("gap.csv", "id,name\n1,abbey\n2,bar\n5,den", "3 is missing"),
        ("gap.json", '{"0": "abbey", "2": "bar"}', "1 is missing"),
        ("gap.py", "{0: 'abbey', 2: 'bar'}", "1 is missing"),
        ("twice.json", '{"0": "abbey", "0": "bar"}', "'0' stands twice"),
        ("twice.py", "{0: 'abbey', 0: 'bar'}", "stands twice"),
        ("half.txt", "0 abbey\nbar\n2 den\n3 attic", "'bar'"),
        ("map.yaml", "nc: 3\nnames:\n  0: abbey\n  1: bar\n  2: den", "'nc: 3'"),
        ("columns.csv", "0,abbey,church\n1,bar,pub", "several could be the name"),
        ("code.py", "{0: open('x')}", "is none"),
        ("two.py", "A = ['a']\nB = ['b']", "has 2 lists or dicts"),
        ("map.pbtxt", "item {\n  id: 1\n  name: 'abbey'\n}", "label map with braces"),
        ("deep.txt", "[" * 3000 + "]" * 3000, "is none"),
        ("other.json", '{"a": [1]}', "no class names"),
        ("number.json", "[[1, 2]]", "no name"),
        ("quotes.txt", "''", "no name for class 0"),
        ("nameless.csv", "0,abbey\n1,\n2,den", "no name for class 1"),
        ("page.txt", "\n<!DOCTYPE html>\n<html>\n", "is a web page"),
        ("pointer.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:4\nsize 46", "git LFS"),
        ("binary.txt", "abbey\n\0\0bar", "is no text"),
        ("comments.txt", "# abbey\n\n", "no class names"),
    ],
)
def test_lists_that_cannot_be_understood_are_refused(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(SceneLensError) as caught:
        ClassNames.read(tmp_path / name)
    assert said in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text("01 ,;:{}[]'\"n\nabé厨\t#=.-\x00", max_size=40), st.sampled_from(["c.txt", "c.csv", "c.json"]))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_text_is_a_foreign_error(tmp_path, text, name):
    (tmp_path / name).write_text(text, encoding="utf-8")
    try:
        classes = ClassNames.read(tmp_path / name)
    except SceneLensError:
        return
    assert len(set(classes)) == len(classes) > 0
    assert all(classes)


@given(
    st.permutations(range(9)), st.integers(0, 1), st.sampled_from(["{n} {name}", "{name} {n}", "{n},{name}"])
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_of_numbered_lines_gives_the_same_names(tmp_path, order, first, form):
    names = [f"name {chr(97 + n)}" for n in range(9)]
    lines = [form.format(n=n + first, name=names[n]) for n in order]
    (tmp_path / "c.txt").write_text("\n".join(lines))
    assert list(ClassNames.read(tmp_path / "c.txt")) == names

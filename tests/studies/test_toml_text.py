"""study.toml as people write it: encodings, Windows paths, curly quotes, brackets; mistakes have lines."""

import re
import runpy
import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.studies import STUDY_SCHEMA
from scenelens.studies.study import open_study
from scenelens.studies.study_file import StudyFile
from scenelens.studies.toml_text import _line_of
from tests.requirements_gate import ROOT
from tests.tiny_study import STUDY, write_tiny_study


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny_study(tmp_path_factory.mktemp("tiny"), 1)


def changed(old, new, count=-1):
    assert old in STUDY
    return STUDY.replace(old, new, count)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_encodings_of_editors_are_read(tiny, encoding, ends):
    tiny.write_bytes(changed('"tiny"', '"Küche 厨房"').replace("\n", ends).encode(encoding))
    assert StudyFile.read(tiny).name == "Küche 厨房"


ERRORS = [
    (changed('"photos/scene"', r'"C:\Users\ada\photos"'), 19, r"single quotes, 'C:\Users\ada\photos'"),
    (changed('"photos/scene"', r'"\\server\share"'), 19, r"single quotes, '\\server\share'"),
    (changed('"photos/scene"', r'"D:\photos\"'), 19, r"single quotes, 'D:\photos'"),
    (changed('"photos/scene"', r'"C:\temp\new"'), 19, "write the path in single quotes"),
    (changed('"photos/scene"', r"'photos\scene'"), 19, "'photos/scene'"),
    (changed('"photos/scene"', "“photos/scene”"), 19, "write straight ones"),
    (changed('"photos/scene"', '"photos/scene”'), 19, "write straight ones"),
    (changed('name = "tiny"', "name = ‘tiny’"), 2, "write straight ones"),
    (changed('["apple", "ball"]', '["apple", «ball»]'), 16, "write straight ones"),
    (changed("fc = 16", "\xa0fc = 16", 1), 7, "NO-BREAK SPACE"),
    (changed("[[images]]", "[images]", 1), 22, "write [[images]]"),
    (changed("[[images]]", "[images]"), 22, "write [[images]]"),
    (STUDY[: STUDY.rindex("[[images]]")].replace("[[", "[").replace("]]", "]"), 18, "write [[images]]"),
    (changed("[[images]]", "[[image]]"), 18, "close names: images"),
    (changed("[networks.scene]", "[[networks.scene]]"), 4, "one pair of brackets"),
    (changed("[networks.scene]", "[[networks]]").replace("[networks.object]", ""), None, "stands twice"),
    (changed("[networks.object]", "[networks]"), 12, "has no name"),
    (STUDY.replace("[networks.scene]", "[networks]").replace("[networks.object]", "[x]"), 5, "has no name"),
    (changed("[cache]", "[[cache]]"), 26, "write [cache], with one pair"),
    (changed("fc = 16", "fc = 16\nfc = 17", 1), 8, "'fc' stands twice"),
    (changed("[networks.object]", "[networks.scene]"), 11, "[networks.scene] stands twice"),
    (changed('"photos/scene"', "photos/scene"), 19, "quotes, as in path = 'text'"),
    (changed('name = "tiny"', 'name: "tiny"'), 2, "write key = value"),
    (changed("fc = 16", "fc = True", 1), 7, "true without capitals"),
    (changed('"photos/scene"', '"photos/scene'), 19, "close its quotes"),
    (changed("photos/scene", "photos/scenes"), 19, "close names: scene"),
    (changed("photos/scene", "study.toml"), 19, "is no folder"),
    (changed('["apple", "ball"]', '"imagnet"'), 16, "imagnet does not exist"),
    (changed("seed = 1", 'weights = "photo"'), 8, "close names: photos"),
    (changed("fc = 16", 'path = "x"', 1), 7, "it belongs to [[images]] or [cache]"),
    (changed("seed = 1", 'seed = 1\npreprocessing = "imagnet"'), 9, "close names: imagenet"),
    (changed("fc = 16", 'fc = "16"', 1), 7, "whole number, 1 to 65,536, without quotes"),
]


@pytest.mark.parametrize(("text", "line", "way_out"), ERRORS)
def test_a_mistake_is_one_sentence_with_its_line_and_the_way_out(tiny, text, line, way_out):
    tiny.write_text(text)
    with pytest.raises(SceneLensError) as caught:
        open_study(tiny)
    said = str(caught.value)
    assert way_out in said
    assert "\n" not in said
    assert line is None or re.search(rf"line {line}[,:]", said)


def test_another_encoding_is_named_with_the_line(tiny):
    tiny.write_bytes(changed('"tiny"', '"Küche"').encode("latin-1"))
    with pytest.raises(SceneLensError, match=r"line 2 is not in UTF-8; save it again"):
        StudyFile.read(tiny)


def test_paths_with_spaces_other_scripts_and_single_quotes(tmp_path, monkeypatch):
    path = write_tiny_study(tmp_path / "a b 厨", 1)
    (path.parent / "photos").rename(path.parent / "mes photos été")
    path.write_text(
        changed('"photos/scene"', "'mes photos été/scene'").replace('"photos/', '"mes photos été/')
    )
    assert len(open_study(path).images) == 5
    monkeypatch.setenv("HOME", str(path.parent))
    path.write_text(STUDY.replace('"photos/', '"~/mes photos été/'))
    assert len(open_study(path).images) == 5


LINES = st.lists(
    st.sampled_from(
        [
            "",
            "# a comment",
            "a = 1",
            "b = [",
            "  1,",
            "]",
            "[t]",
            "[[images]]",
            'c = """',
            "x",
            '"""',
            "\ta=2",
        ]
    ),
    max_size=12,
)


@given(LINES, st.integers(0, 3))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_line_of_a_key_is_the_line_that_its_text_stands_in(before, blanks):
    text = "\n".join([*before, *[""] * blanks, "[wanted]", "first = 1", "key = [", " 2]", "last = 1"])
    try:
        tomllib.loads(text)
    except ValueError:
        return
    lines = text.split("\n")
    wanted = [lines[(_line_of(text, ("wanted", *key)) or 0) - 1] for key in ((), ("key",), ("last",))]
    assert wanted == ["[wanted]", "key = [", "last = 1"]


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_damage_to_a_file_is_a_foreign_error(tiny, data):
    text, n = STUDY, data.draw(st.integers(1, 4))
    for _ in range(n):
        at = data.draw(st.integers(0, len(text)))
        piece = data.draw(
            st.sampled_from(["“", "\\", "[", "]", '"', "'", "=", "\n", "\x00", "\xa0", "#", "厨"])
        )
        text = text[:at] + piece + text[at + data.draw(st.integers(0, 2)) :]
    tiny.write_text(text, encoding="utf-8")
    said = ""
    try:
        StudyFile.read(tiny)
    except SceneLensError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 1000


# ---- the table of all keys


@pytest.mark.parametrize(("place", "key"), [(p, k) for p, table in STUDY_SCHEMA.items() for k in table.keys])
def test_every_example_is_allowed_by_its_own_rule(place, key):
    one = STUDY_SCHEMA[place].keys[key]
    assert one.rule.allows(tomllib.loads(f"{key} = {one.example}")[key])
    assert one.meaning.endswith(".")


def test_the_page_of_all_keys_is_the_one_that_the_table_gives():
    writer = runpy.run_path(str(ROOT / "docs" / "study_toml.py"))
    assert writer["page"]() == (ROOT / "docs" / "study_toml.md").read_text("utf-8")

"""Reading XML, compared with the package defusedxml: both refuse the same files, and give the same trees."""

from __future__ import annotations

import contextlib
import gc
import random
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
import pytest
from defusedxml import DefusedXmlException

from scenelens.annotations import parse_annotation
from scenelens.annotations.safe_xml import _xml_root
from scenelens.errors import SceneLensError
from tests.labelme_xml import TRIANGLE, annotation_xml, object_xml
from tests.torture.mutate import edited_text

ENTITY = '<!ENTITY b "c">'
HARMFUL = {
    "entity": f"<!DOCTYPE a [{ENTITY}]><a>&b;</a>",
    "entities in entities": '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>',
    "external": '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "external document type": '<!DOCTYPE a SYSTEM "http://localhost/a.dtd"><a/>',
    "public document type": '<!DOCTYPE a PUBLIC "-//a//b" "http://localhost/a.dtd"><a/>',
    "parameter entity": '<!DOCTYPE a [<!ENTITY % b SYSTEM "file:///etc/passwd"> %b;]><a/>',
    "unparsed entity": '<!DOCTYPE a [<!NOTATION n SYSTEM "n"><!ENTITY b SYSTEM "c" NDATA n>]><a/>',
    "empty document type": "<!DOCTYPE a><a/>",
    "behind a comment": f"<!-- x --><?y z?>\n <!DOCTYPE a [{ENTITY}]><a>&b;</a>",
    "attributes": '<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><a/>',
    "cut off": f"<!DOCTYPE a [{ENTITY}",
    "begun twice": f"<!DOCTYPE <!DOCTYPE a [{ENTITY}]><a/>",
}
HARMLESS = {
    "in a comment": "<a><!-- <!DOCTYPE a> --></a>",
    "in a text": "<a><![CDATA[<!DOCTYPE a [<!ENTITY b 'c'>]>]]></a>",
    "in an instruction": "<?a <!DOCTYPE a> ?><a/>",
    "no document type": "<a><b c='d' xmlns:e='f'><e:g>1</e:g>2</b>3<!-- 4 -->5</a>",
    "lower case": "<!doctype a><a/>",
    "with a space": "<! DOCTYPE a><a/>",
    "behind the root": "<a/><!DOCTYPE a>",
    "its own entities": "<a>&amp;&lt;&#65;&#x42;</a>",
    "unknown entity": "<a>&b;</a>",
}


def plain(element: Element) -> list:
    """A tree as lists that can be compared."""
    return [element.tag, element.attrib, element.text, element.tail, [plain(child) for child in element]]


def judged(text: str) -> object:
    """What defusedxml says: a tree, or why there is none."""
    try:
        return plain(defusedxml.ElementTree.fromstring(text, forbid_dtd=True))
    except ParseError as error:
        return f"not readable XML ({error})"
    except DefusedXmlException:
        return "its own XML entities"


def same_as_judged(text: str) -> bool:
    expected = judged(text)
    try:
        return plain(_xml_root(text, "a.xml")) == expected
    except SceneLensError as error:
        return isinstance(expected, str) and expected in str(error)


@pytest.mark.parametrize("text", HARMFUL.values(), ids=HARMFUL.keys())
def test_harmful_files_are_refused_as_defusedxml_refuses_them(text):
    assert isinstance(judged(text), str)
    with pytest.raises(SceneLensError):
        _xml_root(text, "a.xml")
    assert same_as_judged(text)


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_the_words_alone_are_harmless(text):
    assert same_as_judged(text)


def test_damaged_files_are_read_or_refused_as_by_defusedxml():
    rng = random.Random(0)
    whole = annotation_xml(object_xml("bed"), object_xml("lamp", TRIANGLE[:2]))
    sources = [*HARMFUL.values(), *HARMLESS.values(), whole, f"<!DOCTYPE a [{ENTITY}]>{whole}"]
    for _ in range(1500):
        data = edited_text(rng.choice(sources).encode(), rng)
        pieces = [data, rng.choice(sources).encode()] if rng.random() < 0.2 else [data]
        text = b"".join(pieces).decode("utf-8", "replace")
        assert same_as_judged(text), text


def test_a_document_type_is_refused_before_it_is_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("password")
    text = f'<!DOCTYPE a [<!ENTITY b SYSTEM "{secret.as_uri()}">]><annotation>&b;</annotation>'
    with pytest.raises(SceneLensError, match="declares its own XML entities") as error:
        parse_annotation(text.encode())
    assert "password" not in str(error.value)


def test_the_search_for_garbage_is_as_before_after_a_file():
    for content in (annotation_xml(object_xml("bed")).encode(), b"<a"):
        for switch in (gc.disable, gc.enable):
            switch()
            on = gc.isenabled()
            with contextlib.suppress(SceneLensError):
                parse_annotation(content)
            assert gc.isenabled() == on

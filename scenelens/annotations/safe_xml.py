"""XML files of others: dangerous ones are refused, the rest are read by Python's parser in C.

A file that declares a document type can define entities that expand to gigabytes, or that read files of this
machine and of others. Annotations never need one. So every such file is refused before a tree is made, and
without a document type there are no entities but XML's own five. The tests compare this with the package
defusedxml, which refuses the same files, and whose parser in Python takes five times as long.
"""

from __future__ import annotations

from xml.etree import ElementTree
from xml.parsers import expat

from scenelens.errors import SceneLensError

_DOCUMENT_TYPE = "<!DOCTYPE"  # XML allows it in this form only


class _Refused(Exception):
    """The text declares a document type."""


def _xml_root(text: str, where: str) -> ElementTree.Element:
    """The root of an XML file.

    Parameters
    ----------
    text : str
        The file's text.
    where : str
        The file, for errors.

    Returns
    -------
    xml.etree.ElementTree.Element
        The root of its tree.

    Raises
    ------
    SceneLensError
        If it is no XML, or declares a document type.

    Examples
    --------
    >>> _xml_root("<a><b>1</b></a>", "a.xml").findtext("b")
    '1'
    >>> _xml_root("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "a.xml")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: a.xml declares its own XML entities, which annotations never need; ...
    """
    try:
        if _DOCUMENT_TYPE in text:
            _refuse_document_types(text)
        return ElementTree.XML(text, ElementTree.XMLParser())
    except (ElementTree.ParseError, expat.ExpatError) as error:
        raise SceneLensError(
            f"{where} is not readable XML ({error}); repair the file or leave it out."
        ) from None
    except (RecursionError, MemoryError):
        raise SceneLensError(f"{where} is nested too deeply for an annotation; leave it out.") from None
    except _Refused:
        raise SceneLensError(
            f"{where} declares its own XML entities, which annotations never need; leave it out."
        ) from None


def _refuse_document_types(text: str) -> None:
    """Raise `_Refused` where the parser meets a document type, before it looks into it.

    The same words in a comment or in a text are harmless.
    """

    def refuse(*_: object) -> None:
        raise _Refused

    parser = expat.ParserCreate(None, "}")  # as the tree's own parser: errors are the same
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(text, True)

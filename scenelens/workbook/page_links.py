"""Links that pages add: from units to the microscope, from sections and figures of the paper to their place.

The texts of notebooks are Markdown and outputs of cells; none of them knows which pages there are. So links
are made last, in the finished HTML, and only to what is there: no page has a link that leads nowhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from scenelens.caches import read_cached

SEARCH_PAGE = "search.html"
#: Markup, in which a quoted attribute may hold anything; whatever stands between is text.
_TAG = re.compile(r"<!--.*?-->|<[a-zA-Z/!](?:\"[^\"]*\"|'[^']*'|[^'\">])*>", re.DOTALL)
_NAME = re.compile(r"<(/?)([a-zA-Z][\w-]*)")
#: Elements whose text gets no links: they are links, controls, headings or code themselves.
_CONTROLS = {"button", "summary", "textarea", "select", "option", "label"}
_HEADINGS = {"h1", "h2", "h3", "h4", "title"}
_CLOSED = {"a", "pre", "script", "style", "svg"} | _CONTROLS | _HEADINGS
#: Elements that begin a new thought: a network that was named before is not meant any more.
_BLOCKS = {
    "p",
    "li",
    "tr",
    "div",
    "figcaption",
    "figure",
    "ul",
    "ol",
    "table",
    "section",
    "blockquote",
} | _HEADINGS
_SECTION = re.compile(r"\b[Ss]ections?\s(\d(?:\.\d)?)(?![\d.]*\d)")


class Microscope(NamedTuple):
    """A folder with a page for every unit: where it is, and which units it has.

    Attributes
    ----------
    page : str
        The address of its page, as seen from the pages of the workbook.
    units : mapping of str to mapping of str to int
        For each network, the number of units of each layer.
    """

    page: str
    units: Mapping[str, Mapping[str, int]]

    @classmethod
    def read(cls, folder: Path, address: str) -> Microscope | None:
        """Read which units a microscope has.

        Parameters
        ----------
        folder : pathlib.Path
            The folder that ``scenelens microscope`` has written, or would write.
        address : str
            The folder's address, as seen from the pages.

        Returns
        -------
        Microscope or None
            None where there is no microscope.
        """
        if not (folder / "index.html").is_file():
            return None
        units = read_cached(folder / "units.json", _units, aside=False)
        return cls(f"{address}/index.html", units) if units else None

    def address(self, layer: str, unit: int, text: str) -> str | None:
        """The page of a unit that a text speaks of; where the text names no network, a search for it.

        Parameters
        ----------
        layer : str
            The layer.
        unit : int
            The unit's number.
        text : str
            The sentence or the row of a table around it.

        Returns
        -------
        str or None
            The address; None where no network has the unit.

        Examples
        --------
        >>> there = Microscope("../m/index.html", {"scene": {"pool5": 128}, "object": {"pool5": 128}})
        >>> there.address("pool5", 67, "pool5:67 of the scene network")
        '../m/index.html#scene/pool5/67'
        >>> there.address("pool5", 67, "both have a pool5:67"), there.address("pool5", 128, "scene")
        ('../m/index.html#/search/pool5%3A67', None)
        """
        having = [name for name, layers in self.units.items() if unit < layers.get(layer, 0)]
        if not having:
            return None
        said = [name for name in self.units if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]
        only = said if len(said) == 1 else having
        if len(only) == 1 and only[0] in having:
            return f"{self.page}#{'/'.join(quote(part, safe='') for part in (only[0], layer, str(unit)))}"
        return f"{self.page}#/search/{quote(f'{layer}:{unit}', safe='')}"


def _units(content: bytes) -> dict[str, dict[str, int]]:
    found: Any = json.loads(content)["units"]
    return {str(net): {str(one): int(n) for one, n in layers.items()} for net, layers in found.items()}


def _link_texts(html: str, *links: Callable[[str, str], str]) -> str:
    """Pass every text of a page, outside of links, headings and code, through functions that add links.

    Parameters
    ----------
    html : str
        The page, or a part of it.
    *links : callable
        Each is given a text as it stands in HTML, and the whole paragraph or row around it; it returns the
        text, with links. What one of them has linked, no later one sees.

    Returns
    -------
    str
        The HTML with links.
    """
    pieces = _pieces(html)
    around = _thoughts(pieces)
    out: list[str] = []
    closed: list[str] = []
    for place, (piece, is_tag) in enumerate(pieces):
        if not is_tag:
            out.append(piece if closed or not piece.strip() else _linked(piece, around[place], links))
            continue
        named = _NAME.match(piece)
        if named and (name := named[2].lower()) in _CLOSED:
            if named[1] and name in closed:
                while closed.pop() != name:
                    pass
            elif not named[1] and not piece.endswith("/>"):
                closed.append(name)
        out.append(piece)
    return "".join(out)


def _linked(text: str, around: str, links: tuple[Callable[[str, str], str], ...]) -> str:
    if not links:
        return text
    done = links[0](text, around)
    if done == text:
        return _linked(text, around, links[1:])
    # The next function sees what is left between the new links.
    return _link_texts(done, *links[1:])


def _pieces(html: str) -> list[tuple[str, bool]]:
    """The tags and texts of a page in order; whether each is a tag."""
    found, last = [], 0
    for tag in _TAG.finditer(html):
        if tag.start() > last:
            found.append((html[last : tag.start()], False))
        found.append((tag[0], True))
        last = tag.end()
    return [*found, (html[last:], False)]


def _thoughts(pieces: list[tuple[str, bool]]) -> list[str]:
    """For each piece, the text of the whole paragraph, entry or row in which it stands."""
    around, begun = [""] * len(pieces), 0
    for place in range(len(pieces) + 1):
        ends = place == len(pieces)
        if not ends and pieces[place][1]:
            named = _NAME.match(pieces[place][0])
            ends = named is not None and named[2].lower() in _BLOCKS
        if ends:
            text = " ".join(piece for piece, is_tag in pieces[begun:place] if not is_tag)
            around[begun:place] = [text] * (place - begun)
            begun = place
    return around


def _unit_links(microscope: Microscope) -> Callable[[str, str], str]:
    """Make the function that links every ``pool5:67`` of a text to its page in a microscope.

    Parameters
    ----------
    microscope : Microscope
        The pages of the units.

    Returns
    -------
    callable
        For `_link_texts`.
    """
    layers = sorted({layer for each in microscope.units.values() for layer in each}, key=len, reverse=True)
    pattern = re.compile(
        rf"(?<![\w./:-])({'|'.join(map(re.escape, map(escape, layers))) or '(?!)'}):(\d{{1,6}})(?![\w:])"
    )

    def link(text: str, around: str) -> str:
        def one(found: re.Match[str]) -> str:
            address = microscope.address(found[1], int(found[2]), around)
            return f'<a class="unit" href="{escape(address)}">{found[0]}</a>' if address else found[0]

        return pattern.sub(one, text)

    return link


def _section_links(pages: Mapping[str, str]) -> Callable[[str, str], str]:
    """Make the function that links "section 3.2" to the notebook about that section of the paper.

    Parameters
    ----------
    pages : mapping of str to str
        The page for each section of the paper, such as ``{"3.2": "03_2_receptive_fields.html"}``.

    Returns
    -------
    callable
        For `_link_texts`.

    Examples
    --------
    >>> _link_texts("<p>See section 3.2.</p>", _section_links({"3.2": "b.html"}))
    '<p>See <a href="b.html">section 3.2</a>.</p>'
    """

    def one(found: re.Match[str]) -> str:
        page = pages.get(found[1])
        return f'<a href="{escape(page)}">{found[0]}</a>' if page else found[0]

    return lambda text, _: _SECTION.sub(one, text)


def _figure_links(places: Mapping[str, str]) -> Callable[[str, str], str]:
    """Make the function that links "Figure 6" or "Table 2" of the paper to where the workbook draws it.

    Parameters
    ----------
    places : mapping of str to str
        The address of each, such as ``{"Figure 6": "03_3_unit_semantics.html#Figure-6"}``.

    Returns
    -------
    callable
        For `_link_texts`.
    """
    pattern = re.compile(r"\b(Figure|Table)\s(\d+)(?![\w.]*\d)")

    def one(found: re.Match[str]) -> str:
        address = places.get(f"{found[1]} {found[2]}")
        return f'<a href="{escape(address)}">{found[0]}</a>' if address else found[0]

    return lambda text, _: pattern.sub(one, text)

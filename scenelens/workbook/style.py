"""The style of all figures: one width, one scale of type sizes, one colour per network.

A figure of the workbook is a `Plate`. It is laid out in inches from its top left corner: a title, the body, a
caption. At 7.2 inches it is as wide as a notebook's text column, and its smallest type is legible there.

Names come from outside. Whatever is written in a plate is drawn as it stands: a dollar sign begins no
formula. A character that the font lacks, of a script such as Chinese, is drawn in an installed font that has
it. Where there is none, it is drawn as a replacement character, and a line on stderr says so once.
"""

from __future__ import annotations

import functools
import io
import re
import unicodedata
from typing import Any

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import Formatter, FuncFormatter, LogFormatter, NullFormatter, ScalarFormatter
from PIL import ImageFont

from scenelens.progress import say_on_stderr
from scenelens.sentences import one_line

WIDTH = 7.2  # inches; 720 CSS pixels in a notebook
DPI = 160  # twice the pixels of an ordinary screen at that width, nearly
INK, SOFT, HAIR = "#1f2328", "#57606a", "#c9ced4"

# Okabe and Ito's blue and vermilion: distinct for every kind of colour vision, and in grey print.
_NETWORK_COLORS = {"scene": "#0072b2", "object": "#d55e00", "untrained": "#7a7f85"}
SOURCE_COLORS = {"scene-centric": _NETWORK_COLORS["scene"], "object-centric": _NETWORK_COLORS["object"]}

_TITLE, BODY, SMALL = 11.5, 9.0, 8.5  # points
_MARGIN, _LINE = 0.08, 0.165  # inches
_FONT = "DejaVu Sans"  # comes with matplotlib
# Fonts that draw every character as a box or as a picture, or as nothing.
_NO_LETTERS = re.compile(r"last ?resort|emoji|blank", re.IGNORECASE)
# Formatters that write numbers. Their texts may be formulas, such as powers of ten, and hold no name.
_NUMBERS = (ScalarFormatter, LogFormatter, NullFormatter)


def network_color(network: str) -> str:
    """The colour of a network, the same in every figure.

    Parameters
    ----------
    network : str
        'scene', 'object', 'untrained', or another name; all others share one colour.

    Returns
    -------
    str
        A colour such as '#0072b2'.

    Examples
    --------
    >>> network_color("scene")
    '#0072b2'
    """
    return _NETWORK_COLORS.get(network, "#009e73")


_LONGEST_NAME = 100  # characters of a layer's name that could fit anywhere


class Plate(Figure):
    """A figure with a title, a body laid out in inches, and a caption; it shows itself in a notebook.

    It is made without pyplot, which would keep every figure in memory and show it a second time.

    Parameters
    ----------
    title : str
        The first line, in bold; '' for none.
    body : float
        Height of the body in inches.
    caption : str, optional
        What is shown, with its n; wrapped to the width.
    width : float, optional
        Width in inches (default 7.2).
    photo : bool, optional
        Whether the body consists mostly of photographs. It is then shown as JPEG, at a tenth of the size.

    Attributes
    ----------
    title : str
        The title in one line.
    caption : str
        The caption in one line. It is also the figure's alternative text.
    head : float
        Inches from the top of the figure to the body.

    Examples
    --------
    >>> plate = Plate("A title", 2.0, "n = 100 images")
    >>> axes = plate.axes_at(0.5, 0.0, 6.0, 2.0)
    >>> len(plate.axes), plate.get_size_inches()[0]
    (1, np.float64(7.2))
    """

    def __init__(
        self, title: str, body: float, caption: str = "", *, width: float = WIDTH, photo: bool = False
    ) -> None:
        self.photo, self.title, self.caption = photo, " ".join(title.split()), " ".join(caption.split())
        titles = _wrapped(title, 0.85 * (width - 2 * _MARGIN), _TITLE)  # bold is wider
        lines = _wrapped(self.caption, width - 2 * _MARGIN, SMALL)
        # The figure's height follows from the number of lines, so that the body keeps its height in inches.
        self.head = _MARGIN + 0.24 * len(titles) + (0.06 if titles else 0.0)
        foot = _MARGIN + (_LINE * len(lines) + 0.10 if lines else 0.0)
        # What a page leaves out, because it has both texts in words; a little white stays at both ends.
        self._words = (_MARGIN + 0.24 * len(titles) if titles else 0.0, foot - 0.10 if lines else 0.0)
        super().__init__(figsize=(width, self.head + body + foot), dpi=DPI, facecolor="white")
        FigureCanvasAgg(self)
        self.words(_MARGIN, _MARGIN - self.head, "\n".join(titles), size=_TITLE, weight="bold", va="top")
        self.words(_MARGIN, body + 0.10, "\n".join(lines), size=SMALL, color=SOFT, va="top", linespacing=1.3)

    def axes_at(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes with thin lines and small type, placed in inches from the body's top left corner.

        Parameters
        ----------
        left : float
            Left edge.
        top : float
            Upper edge, downwards from the body's top.
        width : float
            Width of the axes.
        height : float
            Height of the axes.

        Returns
        -------
        matplotlib.axes.Axes
            The new axes.
        """
        axes = self._axes(left, top, width, height, Axes)
        _thin(axes)
        return axes

    def tile_at(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes for `show_tile`, which draws no ticks: as `axes_at`, in a third of the time.

        Parameters
        ----------
        left : float
            Left edge.
        top : float
            Upper edge, downwards from the body's top.
        width : float
            Width of the axes.
        height : float
            Height of the axes.

        Returns
        -------
        matplotlib.axes.Axes
            The new axes.
        """
        axes = self._axes(left, top, width, height, _TileAxes)
        for spine in axes.spines.values():
            spine.get_spine_transform()  # finds its place, which is otherwise done for the first tick
        return axes

    @staticmethod
    def inner_ticks(axes: Axes, along: str = "xy") -> None:
        """Keep only the ticks that lie on the axes: matplotlib also makes some beyond either end.

        Parameters
        ----------
        axes : matplotlib.axes.Axes
            The axes, with their limits as they stay.
        along : str, optional
            Which of them: 'x', 'y' or 'xy' (default both).
        """
        for name in along:
            axis = axes.xaxis if name == "x" else axes.yaxis
            low, high = sorted(axis.get_view_interval())
            ticks = axis.get_ticklocs()
            if any(not low <= tick <= high for tick in ticks):
                axis.set_ticks([tick for tick in ticks if low <= tick <= high])

    def _axes(self, left: float, top: float, width: float, height: float, kind: type[Axes]) -> Axes:
        page_width, page_height = self.get_size_inches()
        bottom = page_height - self.head - top - height
        place = (left / page_width, bottom / page_height, width / page_width, height / page_height)
        return self.add_axes(place, axes_class=kind)

    def words(self, left: float, top: float, text: str, **style: Any) -> None:
        """Write a text, placed in inches from the body's top left corner.

        Parameters
        ----------
        left : float
            Where the text begins (or its middle or end: see matplotlib's ``ha``).
        top : float
            Upper edge of the text, downwards from the body's top.
        text : str
            The text.
        **style : object
            Properties of `matplotlib.text.Text` that differ from the usual ones.
        """
        page_width, page_height = self.get_size_inches()
        style = {"size": BODY, "color": INK, "va": "top", **style}
        self.text(left / page_width, 1 - (self.head + top) / page_height, text, **style)

    def draw(self, renderer: Any) -> None:
        """Draw the plate, after all its texts were made plain; matplotlib calls this method.

        Parameters
        ----------
        renderer : matplotlib.backend_bases.RendererBase
            What draws.
        """
        # Here, and not where texts are made: titles, tick labels, legends and notes all pass this place.
        numbers = set()
        for axes in self.get_axes():
            for axis in (axes.xaxis, axes.yaxis):
                numbers.add(axis.get_offset_text())
                if isinstance(formatter := axis.get_major_formatter(), _NUMBERS):
                    numbers.update(axis.get_ticklabels(which="both"))
                elif not isinstance(formatter, _PlainFormatter):
                    axis.set_major_formatter(_PlainFormatter(formatter))
                    axis.get_ticklabels()  # they are made only when they are wanted
        for text in self.findobj(Text):
            if text not in numbers:
                family = text.get_fontfamily()
                path = font_manager.findfont(text.get_fontproperties())
                glyphs, other = _glyphs(path, text.get_text())
                if other and other not in family:
                    text.set_fontfamily([*family, other])
                text.set(text=_drawable(text.get_text(), glyphs), parse_math=False)
        super().draw(renderer)

    def encode(self, dpi: int = DPI) -> bytes:
        """The plate as an image file.

        Parameters
        ----------
        dpi : int, optional
            Pixels per inch (default 160).

        Returns
        -------
        bytes
            A JPEG file if the plate shows photographs, a PNG file otherwise.
        """
        target = io.BytesIO()
        options: dict[str, Any] = {"pil_kwargs": {"quality": 90}} if self.photo else {}
        self.savefig(target, format="jpeg" if self.photo else "png", dpi=dpi, facecolor="white", **options)
        return target.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        """What a notebook shows: the image at its size in CSS pixels, the caption as its alternative text."""
        kind = "image/jpeg" if self.photo else "image/png"
        about: dict[str, Any] = {"width": round(100 * self.get_size_inches()[0]), "alt": self.caption}
        # For the pages of the workbook: the texts, and how many pixels of the image show them.
        pixels = [round(DPI * inches) for inches in self._words]
        about["scenelens"] = {"title": self.title, "caption": self.caption, "words": pixels}
        return {kind: self.encode(), "text/plain": self.caption}, {kind: about}

    @staticmethod
    def text_width(text: str, size: float = SMALL) -> float:
        """How wide a line of text is.

        Parameters
        ----------
        text : str
            The line.
        size : float, optional
            Type size in points (default 8.5).

        Returns
        -------
        float
            Inches.

        Examples
        --------
        >>> 0.3 < Plate.text_width("bedroom") < 0.8
        True
        """
        # Of several lines the ruler would measure none.
        return _ruler().getlength(_drawable(text).replace("\n", " ")) / 100 * size / 72

    @staticmethod
    def layer_name(name: str, inches: float, size: float = SMALL) -> str:
        """Cut a layer's name to a width, from its beginning: what tells layers apart is at the end.

        Parameters
        ----------
        name : str
            The layer's name, such as ``"encoder.layers.encoder_layer_11"``.
        inches : float
            The width.
        size : float, optional
            Type size in points (default 8.5).

        Returns
        -------
        str
            The name; where something is missing, it begins with an ellipsis.

        Examples
        --------
        >>> Plate.layer_name("encoder.layers.encoder_layer_11", 0.8), Plate.layer_name("conv5", 0.8)
        ('…r_layer_11', 'conv5')
        """
        cut = name[-_LONGEST_NAME:]
        while len(cut) > 1 and Plate.text_width(cut, size) > inches:
            # A whole part of the name goes first, and single characters only where one part is too long.
            cut = "…" + (cut.partition(".")[2] or cut.lstrip("…")[1:])
        return cut


class _NoTicks:
    """An axis's list of ticks, empty until one is wanted.

    Otherwise matplotlib makes two of each axis at once, which takes two thirds of the time of new axes.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, axis: Any, owner: type | None = None) -> Any:
        return self if axis is None else axis.__dict__.setdefault(self._name, [])


class _TileX(XAxis):
    majorTicks, minorTicks = _NoTicks(), _NoTicks()


class _TileY(YAxis):
    majorTicks, minorTicks = _NoTicks(), _NoTicks()


class _TileAxes(Axes):
    """Axes that make ticks when they are wanted, which is never where an image is shown."""

    def _init_axis(self) -> None:
        self.xaxis, self.yaxis = _TileX(self, clear=False), _TileY(self, clear=False)
        for side, spine in self.spines.items():
            spine.register_axis(self.xaxis if side in ("bottom", "top") else self.yaxis)


class _PlainFormatter(FuncFormatter):
    """Writes the tick labels of another formatter, without characters that cannot be drawn."""

    def __init__(self, formatter: Formatter) -> None:
        super().__init__(formatter)

    def __call__(self, value: float, place: int | None = None) -> str:
        text = super().__call__(value, place)
        return _drawable(text, _glyphs(font_manager.findfont(_FONT), text)[0])


def _drawable(text: str, glyphs: frozenset[int] | None = None) -> str:
    """A text as it can be drawn: visible characters, and only those of the font.

    Line breaks stay. The characters of the text's own font can be given; by default they are DejaVu Sans'.

    Examples
    --------
    >>> _drawable("$5\\tin\\nEuro \\u4e00")
    '$5 in\\nEuro \ufffd'
    """
    if text.isascii() and (text.isprintable() or text.replace("\n", "").isprintable()):
        return text  # nearly all texts
    glyphs = _characters(font_manager.findfont(_FONT)) if glyphs is None else glyphs
    lines = (one_line(line, longest=len(line)) for line in text.split("\n"))
    return "\n".join("".join(c if ord(c) in glyphs else "\ufffd" for c in line) for line in lines)


def _glyphs(path: str, text: str) -> tuple[frozenset[int], str]:
    """The characters that can be drawn of a text, as numbers, and the family of the other font that this
    takes.

    The first font is given by its file; the family is '' where the first font is enough, or no other helps.
    """
    own = _characters(path)
    missing = frozenset(ord(c) for c in text if unicodedata.category(c)[0] in "LMN") - own  # not emoji
    if not missing:
        return own, ""
    other = _other_font(missing)
    return (own, "") if other is None else (own | _characters(other.fname), other.name)


@functools.cache
def _other_font(missing: frozenset[int]) -> font_manager.FontEntry | None:
    """The installed font that has most of some characters, or None where no font has one of them."""
    best, found = None, 0
    for font in sorted(font_manager.fontManager.ttflist, key=_plain_first):
        if _NO_LETTERS.search(font.name):
            continue
        try:
            n = len(missing & _characters(font.fname))
        except (OSError, RuntimeError):  # a font that is gone or damaged is no fault of the figure
            continue
        if n > found:
            best, found = font, n
        if n == len(missing):
            break
    if found < len(missing):
        _say_what_lacks()
    return best


@functools.cache
def _say_what_lacks() -> None:
    """Once: the same names are in many figures."""
    say_on_stderr(
        "Figures show some letters of names as \ufffd, because no installed font has them. Install a font "
        "for their script, such as Noto Sans CJK for Chinese, Japanese and Korean, and start again."
    )


def _plain_first(font: font_manager.FontEntry) -> tuple[bool, bool, str]:
    return font.style != "normal", str(font.weight) not in ("400", "normal", "regular"), font.name


@functools.cache
def _characters(path: str) -> frozenset[int]:
    return frozenset(font_manager.get_font(path).get_charmap())


@functools.cache
def _ruler() -> Any:
    """The font that matplotlib draws with, at 100 points."""
    # Pillow measures a text a thousand times faster than matplotlib, which has to draw it.
    return ImageFont.truetype(font_manager.findfont(_FONT), 100)


def _wrapped(text: str, inches: float, size: float = SMALL) -> list[str]:
    """A text in lines of at most that width, broken between words.

    Examples
    --------
    >>> _wrapped("a few words", 0.4)
    ['a few', 'words']
    """
    lines: list[str] = []
    for word in (part for whole in text.split() for part in _parts(whole, inches, size)):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and Plate.text_width(longer, size) <= inches:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _parts(word: str, inches: float, size: float) -> list[str]:
    """A word, cut into pieces where it is wider than a line."""
    wide = Plate.text_width(word, size)
    if wide <= inches or len(word) < 2:
        return [word]
    # Two thirds of what fits on average: letters differ in width.
    step = max(1, int(len(word) * inches / wide * 2 / 3))
    return [word[start : start + step] for start in range(0, len(word), step)]


def _thin(axes: Axes) -> None:
    """Draw axes with two thin spines, short ticks and small type."""
    axes.tick_params(labelsize=SMALL, color=HAIR, labelcolor=INK, length=3, width=0.8)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set(color=HAIR, linewidth=0.8)

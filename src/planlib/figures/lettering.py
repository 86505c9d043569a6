"""Chinese type on any machine: the font by file, the style, and a missing glyph as an error.

Without this room a machine without Chinese fonts draws empty boxes, and every other check passes on them.
"""

import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from planlib.errors import DataError, listing
from planlib.paths import font_file
from planlib.words import number, say

# Matplotlib writes to stderr when its first font scan takes over five seconds; in a report that would be output.
_LOGGER = logging.getLogger("matplotlib.font_manager")
_LEVEL = _LOGGER.level
_LOGGER.setLevel(logging.ERROR)
import matplotlib as mpl  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib import font_manager  # noqa: E402
from matplotlib.axis import Axis  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.font_manager import FontProperties  # noqa: E402
from matplotlib.ft2font import FT2Font  # noqa: E402
from matplotlib.text import Text  # noqa: E402
from matplotlib.textpath import TextToPath  # noqa: E402
from matplotlib.ticker import Formatter  # noqa: E402

_LOGGER.setLevel(_LEVEL)

FAMILIES = ["Noto Sans SC", "DejaVu Sans"]

INK = "#222222"
QUIET = "#666666"
RULE = "#D4D4D4"

STYLE: dict[str, Any] = {
    "font.family": FAMILIES,
    "font.size": 9.0,
    "axes.unicode_minus": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8C8C8C",
    "axes.labelcolor": QUIET,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    # at its place: to look for what it might cover Matplotlib measures the ticks again and again
    "axes.titley": 1.0,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "text.color": INK,
    # A dollar sign in somebody's school name is a dollar sign.
    "text.parse_math": False,
    "hatch.linewidth": 0.6,
    "hatch.color": "#555555",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "savefig.bbox": None,
    "savefig.facecolor": "white",
    "path.simplify": False,
}

_MISSING_GLYPH = "Glyph .* missing from font"

# rcParams are one per process: two threads that draw at once would restore each other's settings.
_LOCK = threading.RLock()


@cache
def _register(path: Path) -> None:
    font_manager.fontManager.addfont(path)


@contextmanager
def style() -> Iterator[None]:
    """Draw in the house style inside a ``with`` block; outside it Matplotlib is as it was.

    Registers Noto Sans SC by file, puts it before DejaVu Sans (which supplies the few signs it lacks), and makes a
    missing-glyph warning an error. Every function of :mod:`planlib.figures` draws inside it by itself.

    Raises
    ------
    PlanlibError
        If the font is not installed.
    DataError
        If something drawn in the block lacks a glyph.

    Examples
    --------
    >>> import matplotlib
    >>> with style():
    ...     matplotlib.rcParams["font.family"]
    ['Noto Sans SC', 'DejaVu Sans']
    """
    with _LOCK, mpl.rc_context():
        _register(font_file())
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type]
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=_MISSING_GLYPH)
            try:
                yield
            except UserWarning as warning:
                raise DataError(f"{warning}\nTo do: mend the text; boxes are not printed.") from warning


@cache
def _in_memory(path: Path) -> bytes:
    return path.read_bytes()


def _face(path: str, fallback: Sequence[FT2Font] = ()) -> FT2Font:
    """Return a font that is read from memory: from its file each glyph takes three times as long."""
    return FT2Font(BytesIO(_in_memory(Path(path))), _fallback_list=list(fallback))


@cache
def _type() -> FT2Font:
    """Return the first font, with the second for what it lacks."""
    first, second = _font_paths()
    return _face(first, [_face(second)])


@cache
def _heights() -> tuple[int, int, int]:
    """Return how far the first font reaches above and below the line, and the gap between two of its lines."""
    table = _type().get_sfnt_table("OS/2")
    assert table is not None
    return table["sTypoAscender"], -table["sTypoDescender"], table["sTypoLineGap"]


def _set(font_of: Callable[[Any], FT2Font], prop: FontProperties, size: float, dpi: float) -> FT2Font:
    """Return the font for a text in a size; another font than ours comes from Matplotlib."""
    if prop.get_family() != FAMILIES:
        return font_of(prop)
    font = _type()
    font._set_transform([[0x10000, 0], [0, 0x10000]], [0, 0])  # type: ignore[attr-defined]
    font.clear()
    font.set_size(size, dpi)
    return font


class _Outlines(TextToPath):
    def _get_font(self, prop: FontProperties) -> FT2Font:
        return _set(super()._get_font, prop, self.FONT_SCALE, self.DPI)  # type: ignore[misc]


class _Renderer(RendererAgg):
    def __init__(self, width: float, height: float, dpi: float) -> None:
        super().__init__(width, height, dpi)
        self._text2path = _Outlines()

    def _prepare_font(self, font_prop: FontProperties) -> FT2Font:
        return _set(super()._prepare_font, font_prop, font_prop.get_size_in_points(), self.dpi)

    def _get_font_height_metrics(self, prop: FontProperties) -> tuple[float | None, ...]:
        # Matplotlib asks the font's tables again for each text
        if prop.get_family() != FAMILIES:
            return None, None, None
        scale = 1 / _type().units_per_EM * prop.get_size_in_points() * self.dpi / 72
        return tuple(height * scale for height in _heights())


class Canvas(FigureCanvasAgg):
    """Matplotlib's canvas, with our fonts in memory."""

    def get_renderer(self) -> RendererAgg:
        """Return what draws on it; the same one for the same size, for it remembers the widths of texts."""
        key = *self.get_width_height(physical=True), self.figure.dpi
        if self._lastKey != key:
            self.renderer, self._lastKey = _Renderer(*key), key  # type: ignore[assignment]
        return self.renderer


def _font_paths() -> list[str]:
    _register(font_file())
    return [str(font_manager.findfont(font_manager.FontProperties(family=family))) for family in FAMILIES]


@cache
def _covered() -> frozenset[int]:
    """Code points for which one of the two fonts has a glyph."""
    return frozenset(point for path in _font_paths() for point in font_manager.get_font(path).get_charmap())


def missing_glyphs(text: str) -> list[str]:
    r"""Return the characters of a text that neither font can draw, in order of appearance, each once.

    Examples
    --------
    >>> missing_glyphs("校际优质均衡系数 ≥ 0.25")
    []
    >>> missing_glyphs("a\U00013000b")
    ['\U00013000']
    """
    lacking = (c for c in text if ord(c) not in _covered() and c not in "\n\t\r")
    return list(dict.fromkeys(lacking))


def check_glyphs(figure: Figure) -> None:
    """Raise if a visible text of the figure holds a character without a glyph.

    Raises
    ------
    DataError
        Names each character, its code point and the text it stands in.
    """
    for axes in figure.axes:
        # Tick labels have no text before they are asked for.
        axes.get_xticklabels(), axes.get_yticklabels()
    texts = {t.get_text() for t in figure.findobj(Text) if isinstance(t, Text) and t.get_visible()}
    faults = [
        f"{character!r} (U+{ord(character):04X}) in {text!r}"
        for text in sorted(texts)
        for character in missing_glyphs(text)
    ]
    if faults:
        raise DataError(
            listing(
                "characters that neither Noto Sans SC nor DejaVu Sans can draw",
                faults,
                "mend the text in the data or in definitions/; private-use and damaged characters often come "
                "from a file read in the wrong encoding",
            )
        )


_NO_LINE_START = set("，。；：、！？）》」”’%％,.;:!?)]}")
_NO_LINE_END = set("（《「“‘([{")


_MEASURE = 100  # pixels to the em at which advances are read


@cache
def _rulers() -> list[FT2Font]:
    """Fonts of our own to measure with: those of the renderer keep the size it has set."""
    rulers = [_face(path) for path in _font_paths()]
    for ruler in rulers:
        ruler.set_size(_MEASURE, 72)
    return rulers


@cache
def _em(character: str) -> float:
    """Advance of one character in em, in the first font that has it."""
    for ruler in _rulers():
        if ruler.get_char_index(ord(character)):
            return ruler.load_char(ord(character)).linearHoriAdvance / 65536 / _MEASURE
    return 1.0


def width_em(text: str) -> float:
    """Return the width of one line in em, the size of the type: about 1 for a Chinese character, 0.5 for a letter.

    Examples
    --------
    >>> round(width_em("学段"), 2), round(width_em("il"), 2) < 0.6
    (2.0, True)
    """
    with _LOCK:
        return sum(_em(c) for c in text)


def _is_wide(character: str) -> bool:
    return ord(character) > 0x2E7F


def _pieces(text: str) -> list[str]:
    """Split where a line may break: at spaces, and between Chinese characters unless punctuation forbids it."""
    pieces: list[str] = []
    for character in text:
        wide = _is_wide(character)
        joins = pieces and (
            character in _NO_LINE_START
            or pieces[-1][-1] in _NO_LINE_END
            or character == " "
            or (not wide and pieces[-1][-1] != " " and not _is_wide(pieces[-1][-1]))
        )
        if joins:
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def wrap(text: str, em: float) -> str:
    r"""Break a text into lines of at most ``em`` em, as Chinese and as English break lines.

    Parameters
    ----------
    text : str
        One paragraph; line breaks in it are kept.
    em : float
        Width of a line in units of the type size.

    Returns
    -------
    str

    Examples
    --------
    >>> wrap("公办幼儿园覆盖率（%）", 6)
    '公办幼儿园覆\n盖率（%）'
    >>> wrap("on schedule or late", 6)
    'on schedule\nor late'
    """
    return "\n".join(_wrap_line(line, em) for line in text.split("\n"))


def _wrap_line(text: str, em: float) -> str:
    lines = [""]
    for piece in _pieces(text):
        if lines[-1] and width_em((lines[-1] + piece).rstrip()) > em:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def _tick_scale(largest: float, language: str) -> tuple[float, str]:
    if language == "zh" and largest >= 1e4:
        name = "hundred_million" if largest >= 1e8 else "ten_thousand"
        return (1e8 if largest >= 1e8 else 1e4), say(name, language)
    return (1e6, " m") if largest >= 1e7 else (1.0, "")


@lru_cache(maxsize=1024)  # each tick asks again, in every pass of the layout
def _tick_style(places: tuple[float, ...], language: str) -> tuple[float, str, int]:
    ticks = np.asarray(places)
    scale, sign = _tick_scale(float(np.abs(ticks).max(initial=0)), language)
    digits = next((d for d in range(6) if np.allclose(np.round(ticks / scale, d), ticks / scale, atol=1e-9)), 6)
    return scale, sign, digits


class _Numbers(Formatter):
    """Ticks as a language writes numbers, all of an axis at once: asked one by one, each would find them all again."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, value: float, _: int | None = None) -> str:
        return self.format_ticks([value])[0]

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        scale, sign, digits = _tick_style(tuple(np.asarray(values).tolist()), self.language)
        return [number(value / scale, self.language, digits) + sign if value else "0" for value in values]


def axis_numbers(axis: Axis, language: str) -> None:
    """Write the ticks of an axis as the language writes numbers, all with the same digits."""
    axis.set_major_formatter(_Numbers(language))

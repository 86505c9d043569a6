"""How cells of an .xlsx look, by the numbers of their styles: struck out, or with a number format that says another figure.

A cell shows 12.3 and holds 123000 where its format leaves out thousands; it shows 12万 and holds 12 where its format
writes the sign. Formats: ECMA-376, part 1, 18.8.31.
"""

import functools
import html
import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

PREFIX = rb"(?:[\w.-]+:)?"
"""Before the name of a tag: programs write one or none."""
_FONT = re.compile(rb"<" + PREFIX + rb"font\b")
STRIKE = re.compile(rb"<" + PREFIX + rb"strike\b(?![^<>]*\bval\s*=\s*[\"'](?:0|false))")
_STYLE = re.compile(rb"<" + PREFIX + rb"xf\b([^<>]*)>")
_FONT_OF, _FORMAT_OF = (
    re.compile(rb"\s" + name + rb"\s*=\s*[\"'](\d{1,9})[\"']") for name in (b"fontId", b"numFmtId")
)
_FORMAT = re.compile(rb"<" + PREFIX + rb"numFmt\b([^<>]*)>")
_CODE = re.compile(rb"""\sformatCode\s*=\s*(?:"([^"]*)"|'([^']*)')""")
CELL = re.compile(rb"<" + PREFIX + rb"c\b(?:[^<>]*?\ss\s*=\s*[\"'](\d{1,9})[\"'])?[^<>]*>")
# Formats that no file spells out, by their numbers.
BUILT_IN = {9: "0%", 10: "0.00%"}
_QUOTED = re.compile(r'"([^"]*)"|\\(.)|[_*].|\[[^\]]*\]')
_OF_DAY = re.compile(r"[ymdhs]", re.IGNORECASE)
_WITHOUT_THOUSANDS = re.compile(r"[0#?],+(?![0#?,])")


class Styles(NamedTuple):
    """Styles by the numbers that cells write: those struck out, and the number formats of those that may mislead."""

    struck: frozenset[bytes]
    formats: Mapping[bytes, str]


@functools.lru_cache(maxsize=64)
def styles_of(part: bytes) -> Styles:
    """Return the styles that a reader of cells should know of; many workbooks of one program have the same part.

    Parameters
    ----------
    part : bytes
        The part of an .xlsx that holds its styles.

    Examples
    --------
    >>> fonts = b"<fonts><font/><font><strike/></font></fonts>"
    >>> styles_of(fonts + b'<cellXfs><xf fontId="0"/><xf fontId="1" numFmtId="9"/></cellXfs>')
    Styles(struck=frozenset({b'1'}), formats={b'1': '0%'})
    """
    fonts = _FONT.split(_inside(b"fonts", part))[1:]
    struck = {n for n, font in enumerate(fonts) if STRIKE.search(font)}
    codes = {_number(_FORMAT_OF, m[1]): _code(m[1]) for m in _FORMAT.finditer(_inside(b"numFmts", part))}
    codes = {n: code for n, code in (BUILT_IN | codes).items() if is_doubtful(code)}
    used = [m[1] for m in _STYLE.finditer(_inside(b"cellXfs", part))]
    formats = {n: _number(_FORMAT_OF, own) for n, own in enumerate(used)}
    return Styles(
        frozenset(b"%d" % n for n, own in enumerate(used) if _number(_FONT_OF, own) in struck),
        {b"%d" % n: codes[number] for n, number in formats.items() if number in codes},
    )


def _inside(name: bytes, part: bytes) -> bytes:
    """Return what the first element of a name holds."""
    begins = re.search(rb"<" + PREFIX + name + rb"\b[^<>]*>", part)
    held = part[begins.end() :] if begins else b""
    ends = re.search(rb"</" + PREFIX + name + rb"\s*>", held)
    return held[: ends.start()] if ends else b""


def _number(pattern: "re.Pattern[bytes]", attributes: bytes) -> int:
    found = pattern.search(attributes)
    return int(found[1]) if found else 0


def _code(attributes: bytes) -> str:
    found = _CODE.search(attributes)
    return html.unescape((found[1] or found[2] or b"").decode("utf-8", "replace")) if found else ""


def is_doubtful(code: str) -> bool:
    r"""Tell whether a number format leaves out thousands, shows percent, or writes words beside the figure.

    Examples
    --------
    >>> [is_doubtful(code) for code in ("#,##0.00", "0\\.0,", "0%", '0"人"', 'yyyy"年"', "General")]
    [False, True, True, True, False, False]
    """
    return is_scaled(code) or (not words_of_format(code).isascii() and not _OF_DAY.search(_bare(code)))


def is_scaled(code: str) -> bool:
    """Tell whether a number format shows a figure divided by thousands, or as percent."""
    bare = _bare(code)
    return not _OF_DAY.search(bare) and ("%" in bare or bool(_WITHOUT_THOUSANDS.search(bare)))


def words_of_format(code: str) -> str:
    """Return what a number format writes beside a figure.

    Examples
    --------
    >>> words_of_format('0.0"万元";-0.0')
    '万元'
    """
    quoted = "".join(found[1] or found[2] or "" for found in _QUOTED.finditer(code))
    return quoted + "".join(sign for sign in _bare(code) if not sign.isascii())


def _bare(code: str) -> str:
    return _QUOTED.sub("", code)


def styled_cells(sheet: bytes, styles: Collection[bytes]) -> Iterator["re.Match[bytes]"]:
    """Yield the tags of the cells of some styles that hold anything, with the number of the style if it is written.

    Parameters
    ----------
    sheet : bytes
        As stored.
    styles : collection of bytes
    """
    if b"0" in styles:  # every cell without a number too
        tags = (cell for cell in CELL.finditer(sheet) if (cell[1] or b"0") in styles)
    elif styles:  # far quicker: most cells are of other styles
        numbers = re.compile(rb"\ss\s*=\s*[\"'](?:" + b"|".join(sorted(styles)) + rb")[\"']")
        begins = (sheet.rfind(b"<", 0, found.start()) for found in numbers.finditer(sheet))
        tags = (cell for at in begins if (cell := CELL.match(sheet, at)))
    else:
        return
    yield from (cell for cell in tags if not cell[0].endswith(b"/>"))

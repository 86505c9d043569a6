"""What is struck out or raised, of which a reader says nothing: a struck figure is void to whoever struck it.

Of a text with such parts a reader joins the parts: 305 with a raised 1 comes as 3051.
"""

import html
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from planlib.clean.files.styles import CELL, PREFIX, STRIKE, styled_cells

_ITEM = re.compile(rb"<" + PREFIX + rb"si\b[^<>]*(?:/>|>(.*?)</" + PREFIX + rb"si\s*>)", re.S)
_RUN = re.compile(rb"<" + PREFIX + rb"r\b[^<>]*>(.*?)</" + PREFIX + rb"r\s*>", re.S)
_TEXT = re.compile(rb"<" + PREFIX + rb"t\b[^<>]*>([^<]*)<")
_OWN_FORMAT = re.compile(rb"<" + PREFIX + rb"rPr\b")
_RAISED = re.compile(rb"<" + PREFIX + rb"vertAlign\b[^<>]*\bval\s*=\s*[\"'](?:super|sub)script")
_SIGNS = (b"strike", b"vertAlign")
# Cells with the number of a text, and with a text of their own.
_OF_TEXT = re.compile(
    rb"<" + PREFIX + rb"c\b(?=[^<>]*\bt\s*=\s*[\"']s[\"'])[^<>]*>\s*<" + PREFIX + rb"v\b[^<>]*>\s*(\d{1,9})\s*<"
)
_WITH_TEXT = re.compile(rb"<" + PREFIX + rb"c\b[^<>]*>\s*<" + PREFIX + rb"is\b")
# The content of a cell ends before another begins, even if nothing closes it.
_CONTENT = re.compile(
    rb"\s*<" + PREFIX + rb"is\b[^<>]*>((?:(?!</?" + PREFIX + rb"c[\s/>]).)*?)</" + PREFIX + rb"is\s*>", re.S
)


class Run(NamedTuple):
    """A part of a text; what looks as its cell does has no `is_struck` of its own."""

    text: str
    is_struck: bool | None
    is_raised: bool


def look(runs: Sequence[Run], is_struck: bool) -> str:
    """Return how a cell looks: ``struck`` out, ``mixed`` if a part is and another is not, or ``""``.

    Mixed is a digit raised behind a digit, too (m² is no such).

    Parameters
    ----------
    runs : sequence of Run
        The parts of its text, if it has any.
    is_struck : bool
        Whether its style is struck out.

    Examples
    --------
    >>> raised = Run("305", None, False), Run("1", False, True)
    >>> look((), True), look(raised[:1], True), look(raised, False), look(raised[:1], False)
    ('struck', 'struck', 'mixed', '')
    """
    before = ["", *(run.text.rstrip()[-1:] for run in runs)]
    is_note = any(
        run.is_raised and run.text.strip()[:1].isdigit() and last.isdigit()
        for run, last in zip(runs, before, strict=False)
    )
    ways = {is_struck if run.is_struck is None else run.is_struck for run in runs} or {is_struck}
    if is_note or len(ways) > 1:
        return "mixed"
    return "struck" if True in ways else ""


def rich_texts(strings: bytes, styles: Collection[bytes]) -> dict[int, list[Run]]:
    """Return the texts whose parts have formats of their own, by number; none if nothing can be struck out or raised.

    Parameters
    ----------
    strings : bytes
        The part of an .xlsx that holds its texts.
    styles : collection of bytes
        Of cells that are struck out.

    Examples
    --------
    >>> raised = b'<r><rPr><vertAlign val="superscript"/></rPr><t>1</t></r>'
    >>> rich_texts(b"<si><t>305</t></si><si><r><t>305</t></r>" + raised + b"</si>", ())
    {1: [Run(text='305', is_struck=None, is_raised=False), Run(text='1', is_struck=False, is_raised=True)]}
    """
    if not any(sign in strings for sign in _SIGNS) and not (styles and b"rPr" in strings):
        return {}
    items = (list(_runs(found[1] or b"")) for found in _ITEM.finditer(strings))
    return {n: runs for n, runs in enumerate(items) if runs}


def _runs(item: bytes) -> Iterator[Run]:
    for found in _RUN.finditer(item):
        text = html.unescape(b"".join(_TEXT.findall(found[1])).decode("utf-8", "replace"))
        if text.strip():
            is_struck = bool(STRIKE.search(found[1])) if _OWN_FORMAT.search(found[1]) else None
            yield Run(text, is_struck, bool(_RAISED.search(found[1])))


def struck_cells(
    sheet: bytes, texts: Mapping[int, list[Run]], styles: Collection[bytes]
) -> Iterator[tuple["re.Match[bytes]", str, str]]:
    """Yield the cells of a sheet that do not look plain, where they stand, with their `look` and their text if rich.

    Parameters
    ----------
    sheet : bytes
        As stored.
    texts : mapping
        `rich_texts` by number.
    styles : collection of bytes
        Of cells that are struck out.
    """
    doubtful = {n for n, runs in texts.items() if look(runs, False)}
    begins: set[int] = set()
    if doubtful:
        begins.update(cell.start() for cell in _OF_TEXT.finditer(sheet) if int(cell[1]) in doubtful)
    if any(sign in sheet for sign in _SIGNS):
        begins.update(cell.start() for cell in _WITH_TEXT.finditer(sheet))
    begins.update(cell.start() for cell in styled_cells(sheet, styles))
    for at in sorted(begins):
        cell = next(CELL.finditer(sheet, at))
        numbered, own = _OF_TEXT.match(sheet, at), _CONTENT.match(sheet, cell.end())
        runs = texts.get(int(numbered[1]), []) if numbered else list(_runs(own[1])) if own else []
        if seen := look(runs, (cell[1] or b"0") in styles):
            yield cell, seen, "".join(run.text for run in runs)

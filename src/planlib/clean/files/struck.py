"""Texts of which a part is struck out or raised: a reader joins the parts, and 305 with a raised 1 comes as 3051."""

import html
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_P = rb"(?:[\w.-]+:)?"
_ITEM = re.compile(rb"<" + _P + rb"si\b[^<>]*(?:/>|>(.*?)</" + _P + rb"si\s*>)", re.S)
_RUN = re.compile(rb"<" + _P + rb"r\b[^<>]*>(.*?)</" + _P + rb"r\s*>", re.S)
_TEXT = re.compile(rb"<" + _P + rb"t\b[^<>]*>([^<]*)<")
_STRIKE = re.compile(rb"<" + _P + rb"strike\b(?![^<>]*\bval\s*=\s*[\"'](?:0|false))")
_RAISED = re.compile(rb"<" + _P + rb"vertAlign\b[^<>]*\bval\s*=\s*[\"'](?:super|sub)script")
_SIGNS = (b"strike", b"vertAlign")
_CELL = re.compile(
    rb"<" + _P + rb"c\b(?=[^<>]*\bt\s*=\s*[\"']s[\"'])[^<>]*>\s*<" + _P + rb"v\b[^<>]*>\s*(\d+)\s*<"
)
_OWN_TEXT = re.compile(rb"<" + _P + rb"c\b[^<>]*>\s*<" + _P + rb"is\b[^<>]*>(.*?)</" + _P + rb"is\s*>", re.S)


class _Run(NamedTuple):
    text: str
    is_struck: bool
    is_raised: bool


def struck_texts(strings: bytes) -> dict[int, str]:
    """Return the texts that are one thing to a reader and another to the eye, by their number.

    Parameters
    ----------
    strings : bytes
        The part of an .xlsx that holds its texts.

    Examples
    --------
    >>> raised = b'<r><rPr><vertAlign val="superscript"/></rPr><t>1</t></r>'
    >>> struck_texts(b"<si><t>305</t></si><si><r><t>305</t></r>" + raised + b"</si>")
    {1: '3051'}
    """
    if not any(sign in strings for sign in _SIGNS):
        return {}
    items = (list(_runs(found[1] or b"")) for found in _ITEM.finditer(strings))
    return {n: "".join(run.text for run in runs) for n, runs in enumerate(items) if _is_doubtful(runs)}


def _runs(item: bytes) -> Iterator[_Run]:
    for found in _RUN.finditer(item):
        text = html.unescape(b"".join(_TEXT.findall(found[1])).decode("utf-8", "replace"))
        if text.strip():
            yield _Run(text, bool(_STRIKE.search(found[1])), bool(_RAISED.search(found[1])))


def _is_doubtful(runs: list[_Run]) -> bool:
    """Tell whether a part is struck out and another is not, or a raised digit follows a digit (m² is no such)."""
    before = [""] + [run.text.rstrip()[-1:] for run in runs]
    is_note = any(
        run.is_raised and run.text.strip()[:1].isdigit() and last.isdigit()
        for run, last in zip(runs, before, strict=False)
    )
    return is_note or len({run.is_struck for run in runs}) > 1


def struck_cells(sheet: bytes, texts: Mapping[int, str]) -> Iterator[tuple["re.Match[bytes]", str]]:
    """Yield the cells of a sheet that hold such a text, one of these or their own, where they stand, with the text."""
    for cell in _CELL.finditer(sheet) if texts else ():
        if int(cell[1]) in texts:
            yield cell, texts[int(cell[1])]
    for cell in _OWN_TEXT.finditer(sheet) if any(sign in sheet for sign in _SIGNS) else ():
        runs = list(_runs(cell[1]))
        if _is_doubtful(runs):
            yield cell, "".join(run.text for run in runs)

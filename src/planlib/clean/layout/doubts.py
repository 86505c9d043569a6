"""Cells of which a person at the screen sees other things than a reader: struck out, never computed, in other units."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from planlib.clean.files.sheet import Sheet, address, place
from planlib.clean.files.styles import is_scaled, words_of_format
from planlib.clean.issues import Issue
from planlib.clean.words.convert import is_blank, raw_text
from planlib.clean.words.forms import Unit
from planlib.clean.words.writing import load_writing

_SHOWN = 8  # cells named in one message


def stored_zeros(sheet: Sheet) -> list[Issue]:
    """Return a warning where formulas hold a 0 that is perhaps none: the workbook asks to be computed."""
    if not sheet.zeros:
        return []
    shown = ", ".join(sheet.zeros[:_SHOWN]) + (", …" if len(sheet.zeros) > _SHOWN else "")
    said = (
        f"a stored 0 in formulas ({len(sheet.zeros)}): {shown}; "
        "if it is not zero, open the workbook and save it again"
    )
    return [Issue("warning", "stored zero", sheet=sheet.name, cell=sheet.zeros[0], found=said, done="read as 0")]


def mixed_texts(sheet: Sheet, unused: Collection[tuple[int, int]]) -> list[Issue]:
    """Return an error for each text that is partly struck out or raised, but in cells that nobody uses."""
    expected = "one text, with no part struck out or raised"
    return [
        _error(sheet, cell, f"{text!r}, partly struck out or raised", expected)
        for cell, text in sheet.mixed
        if place(cell) not in unused and not is_blank(_value(sheet, *place(cell)))
    ]


def struck_out(
    sheet: Sheet,
    is_used: Callable[[tuple[int, int]], bool],
    code: int | None = None,
    shared: Collection[tuple[int, int]] = (),
) -> Iterator[Issue]:
    """Yield an error for each cell in use that is struck out, and one alone for a school's row that is so as a whole.

    Parameters
    ----------
    sheet : Sheet
    is_used : callable
        Tells of a cell, by row and column from 0, whether its value is used.
    code : int, optional
        The column of the school's code: there a correction drops or keeps the row.
    shared : collection of (int, int)
        Cells merged over several rows, which are struck out or not with all of them.
    """
    struck: dict[int, set[int]] = defaultdict(set)
    for r, c in map(place, sheet.struck):
        struck[r].add(c)
    for r in sorted(struck):
        row = sheet.rows[r] if r in range(len(sheet.rows)) else []
        used = [c for c, value in enumerate(row) if value != "" and not is_blank(value) and is_used((r, c))]
        own = [c for c in used if (r, c) not in shared]
        found = [c for c in used if c in struck[r]]
        if code is not None and own and struck[r].issuperset(own):
            named = raw_text(row[own[0]] if is_blank(row[code]) else row[code])
            expected = (
                "a row that holds: if it does, take the line off; if not, delete it or drop it by a correction"
            )
            yield _error(sheet, address(r, code), f"{named!r} and the rest of its row, struck out", expected)
            found = [c for c in found if c not in own]
        for c in found:
            expected = "a value that holds: if it does, take the line off; if not, clear the cell"
            yield _error(sheet, address(r, c), f"{raw_text(row[c])!r}, struck out", expected)


def other_figures(
    sheet: Sheet, is_used: Callable[[tuple[int, int]], bool], units: Mapping[int, Unit]
) -> Iterator[Issue]:
    """Yield an error for each figure in use whose number format shows another one: thousands left out, percent, 万.

    Parameters
    ----------
    sheet : Sheet
    is_used : callable
        Tells of a cell, by row and column from 0, whether its value is used.
    units : mapping
        The unit of a column, by its number: 万 beside figures of 万元 is no other figure.
    """
    expected = "a number shown as it is stored: the format General, and the unit in the header"
    for cell, code in sheet.formats:
        at = place(cell)
        value = _value(sheet, *at)
        if isinstance(value, (int, float)) and is_used(at) and _is_other(code, units.get(at[1])):
            yield _error(sheet, cell, f"{raw_text(value)!r}, shown in the number format {code}", expected)


def _is_other(code: str, unit: Unit | None) -> bool:
    beside, scales = words_of_format(code), load_writing().scales
    return is_scaled(code) or any(sign in beside and not (unit and unit.text.startswith(sign)) for sign in scales)


def _error(sheet: Sheet, cell: str, found: str, expected: str) -> Issue:
    return Issue("error", "unreadable value", sheet=sheet.name, cell=cell, found=found, expected=expected)


def _value(sheet: Sheet, row: int, column: int) -> Any:
    """Return what a cell holds, nothing outside the sheet."""
    cells = sheet.rows[row] if row in range(len(sheet.rows)) else []
    return cells[column] if column < len(cells) else ""

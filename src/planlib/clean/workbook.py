"""A workbook to one long frame of cells, each with its address, its text and what it was read as.

Nothing here depends on other files or on corrections, so the result can be kept as long as the file's content and
the definitions stay the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from planlib.clean import issues as issue_list
from planlib.clean.convert import Reading, read_cells
from planlib.clean.forms import Form
from planlib.clean.issues import Issue, foreign_encoding
from planlib.clean.read import Sheet, column_letters, read_sheets
from planlib.clean.recognise import KINDS, Place, Recognised, recognise
from planlib.errors import DataError

# One row per cell of a school or a total: where, whose, which column, the text, the value, how it went.
CELL_TYPES = {
    "sheet": "str",
    "cell": "str",
    "row": "int64",
    "position": "int64",
    "school_id": "str",
    "column": "str",
    "stage": "str",
    "kind": "str",
    "raw": "str",
    "number": "float64",
    "text": "str",
    "step": "str",
    "state": "str",
    "unit": "str",
    "section": "int64",
}
SHEET_TYPES = {
    "sheet": "str",
    "year": "Int64",
    "title_cell": "str",
    "title_text": "str",
    "schools": "int64",
    **dict.fromkeys(KINDS, "int64"),
}


@dataclass(frozen=True)
class Parsed:
    """A workbook as read: `cells`, one row per sheet with the count of each kind of cell, and `issues`."""

    cells: pd.DataFrame
    sheets: pd.DataFrame
    issues: pd.DataFrame


def parse_workbook(content: bytes, form: Form) -> Parsed:
    """Read one workbook of collection sheets.

    Parameters
    ----------
    content : bytes
    form : Form

    Returns
    -------
    Parsed
        A file that cannot be read at all comes back without cells and with one issue.
    """
    try:
        sheets = read_sheets(content)
    except DataError as error:
        return _parsed([], [Issue("error", "unreadable file", found=str(error))])
    recognised = [recognise(sheet, form) for sheet in sheets]
    tables = [one for one in recognised if one.places]
    found = [issue for one in recognised for issue in one.issues]
    found += [foreign_encoding("", s.encoding) for s in sheets if s.encoding and "UTF-8" not in s.encoding]
    if not tables and not any(issue.level == "error" for issue in found):
        found.append(_no_table(sheets, form))
    return _parsed(recognised, found, *(_cells(one, form) for one in tables))


def _no_table(sheets: Sequence[Sheet], form: Form) -> Issue:
    said = f"no header of a school code in {', '.join(sheet.name for sheet in sheets if sheet.name) or 'any row'}"
    wanted = " or ".join(form.columns["school_id"].headers)
    return Issue("error", "no table", found=said, expected=f"a header cell {wanted}")


def _parsed(recognised: Sequence[Recognised], issues: Sequence[Issue], *chunks: dict[str, list[Any]]) -> Parsed:
    columns = {name: [v for chunk in chunks for v in chunk[name]] for name in CELL_TYPES}
    sheets = pd.DataFrame([_sheet_row(one) for one in recognised], columns=list(SHEET_TYPES))
    return Parsed(
        pd.DataFrame(columns).astype(CELL_TYPES),
        sheets.astype(SHEET_TYPES),
        issue_list.frame(issues),
    )


def _sheet_row(one: Recognised) -> dict[str, Any]:
    counts, place = one.counts(), one.title
    title = str(one.sheet.rows[place[0]][place[1]]) if place else ""
    cell = f"{column_letters(place[1])}{place[0] + 1}" if place else ""
    row = {"sheet": one.sheet.name, "year": one.year, "title_cell": cell, "title_text": title}
    return {**row, "schools": len(one.data_rows), **{kind: counts[kind] for kind in KINDS}}


def _cells(one: Recognised, form: Form) -> dict[str, list[Any]]:
    """Return the long columns of one sheet: every place by every row of a school or a total."""
    rows = sorted(one.data_rows + one.total_rows)
    totals = set(one.total_rows)
    keys = [place for place in one.places if place.column.name == "school_id"]
    ids = _school_ids(one, keys[0], rows, form) if keys else [""] * len(rows)
    sections = _sections(rows, totals, one.first_row)
    kinds = ["total" if r in totals else "value" for r in rows]
    chunk: dict[str, list[Any]] = {name: [] for name in CELL_TYPES}
    for place in one.places:
        readings = _readings(one, place, rows, form)
        _extend(chunk, one, place, rows, readings)
        chunk["school_id"] += ids
        chunk["kind"] += kinds
        chunk["section"] += sections
    return chunk


def _readings(one: Recognised, place: Place, rows: Sequence[int], form: Form) -> list[Reading]:
    values = [_value(one.sheet, r, place.index) for r in rows]
    return read_cells(values, place.column, place.unit, form)


def _value(sheet: Sheet, row: int, column: int) -> Any:
    cells = sheet.rows[row]
    return cells[column] if column < len(cells) else ""


def _school_ids(one: Recognised, key: Place, rows: Sequence[int], form: Form) -> list[str]:
    totals = set(one.total_rows)
    readings = _readings(one, key, rows, form)
    return ["" if r in totals else reading.text for r, reading in zip(rows, readings, strict=True)]


def _sections(rows: Sequence[int], totals: set[int], first: int) -> list[int]:
    """Return the row on which the section of each row begins: a subtotal closes a section."""
    sections, begins = [], first
    for r in rows:
        sections.append(begins)
        if r in totals:
            begins = r + 1
    return sections


def _extend(
    chunk: dict[str, list[Any]],
    one: Recognised,
    place: Place,
    rows: Sequence[int],
    readings: Sequence[Reading],
) -> None:
    letters, count = column_letters(place.index), len(rows)
    chunk["sheet"] += [one.sheet.name] * count
    stands = [one.origins.get((r, place.index), (r, 0))[0] for r in rows] if one.origins else rows
    chunk["cell"] += [f"{letters}{r + 1}" for r in stands]
    chunk["row"] += [r + 1 for r in rows]
    chunk["position"] += [place.index] * count
    chunk["column"] += [place.column.name] * count
    chunk["stage"] += [place.stage] * count
    chunk["unit"] += [place.unit.text] * count
    for name in Reading._fields:
        chunk[name] += [getattr(reading, name) for reading in readings]

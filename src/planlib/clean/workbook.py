"""A file of returns to long lists of cells, each with its address, its text and what it was read as.

Nothing here depends on other files or on corrections, so the result can be kept as long as the file's content and
the definitions stay the same.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from planlib.clean import issues as issue_list
from planlib.clean.confined import read_workbook
from planlib.clean.convert import Reading, raw_text, read_cells
from planlib.clean.forms import Form, split_header
from planlib.clean.issues import Issue, foreign_encoding
from planlib.clean.national import load_national
from planlib.clean.read import Sheet, address, column_letters
from planlib.clean.recognise import KINDS, Place, Recognised, recognise_tables
from planlib.clean.school import EXTRA_TYPES, Layouts, SchoolBook, is_school_book, read_school_book
from planlib.clean.writing import compact, key, tidy
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
    "part": "int64",
}
_ARROW = {"str": pa.large_string(), "int64": pa.int64(), "float64": pa.float64()}
SHEET_TYPES = {
    "sheet": "str",
    "year": "Int64",
    "title_cell": "str",
    "title_text": "str",
    "schools": "int64",
    "form": "str",
    **dict.fromkeys(KINDS, "int64"),
}


@dataclass
class Parsed:
    """A file as read: `cells` and `extra` by column, one entry per sheet with the count of each kind, `issues`."""

    cells: dict[str, list[Any]]
    extra: list[tuple[Any, ...]]
    sheets: list[dict[str, Any]]
    issues: list[Issue]


def parse_workbook(content: bytes, form: Form, layouts: Layouts | None = None) -> Parsed:
    """Read one file of returns: collection sheets, or a school's workbook of national forms.

    Parameters
    ----------
    content : bytes
    form : Form
        Of collection sheets.
    layouts : Layouts, optional
        Labels of national forms known from other workbooks.

    Returns
    -------
    Parsed
        A file that cannot be read at all comes back without cells and with one issue.
    """
    try:
        sheets = read_workbook(content)
    except DataError as error:
        return _collected([], [Issue("error", "unreadable file", found=str(error))])
    words = load_national()
    if is_school_book(sheets, words):
        return _of_school(read_school_book(sheets, words, layouts or Layouts()))
    recognised = [one for sheet in sheets for one in recognise_tables(sheet, form)]
    tables = [one for one in recognised if one.places]
    # tables beside each other share their titles, and what is wrong with them
    found = list(dict.fromkeys(issue for one in recognised for issue in one.issues))
    found += _years_apart(tables)
    found += [foreign_encoding("", s.encoding) for s in sheets if s.encoding and "UTF-8" not in s.encoding]
    if not tables and not any(issue.level == "error" for issue in found):
        found.append(_no_table(sheets, form))
    return _collected(recognised, found, *(_cells(one, form) for one in tables))


def _years_apart(tables: Sequence[Recognised]) -> Iterator[Issue]:
    """Yield an error for a table of a sheet whose title names another year than one before it."""
    first: dict[str, int] = {}
    for one in tables:
        if one.year is not None and one.title and first.setdefault(one.sheet.name, one.year) != one.year:
            said = f"{first[one.sheet.name]} and {one.year}"
            where = {"sheet": one.sheet.name, "cell": address(*one.title)}
            yield Issue("error", "title", **where, found=said, expected="one school year in the workbook")


def _of_school(book: SchoolBook) -> Parsed:
    cells = {name: [row[name] for row in book.cells] for name in CELL_TYPES}
    sheet, cell, text = book.title
    rows = [
        {
            "sheet": one.sheet.name,
            "year": book.year,
            "title_cell": cell if one.sheet.name == sheet else "",
            "title_text": text if one.sheet.name == sheet else "",
            "schools": int(bool(book.school_id)),
            "form": one.layout.code or "plain",
            **{kind: one.counts[kind] for kind in KINDS},
        }
        for one in book.sheets
    ]
    return Parsed(cells, book.extra, rows, book.issues)


def _no_table(sheets: Sequence[Sheet], form: Form) -> Issue:
    said = f"no header of a school code in {', '.join(sheet.name for sheet in sheets if sheet.name) or 'any row'}"
    wanted = " or ".join(form.columns["school_id"].headers)
    return Issue("error", "no table", found=said, expected=f"a header cell {wanted}")


def _collected(recognised: Sequence[Recognised], issues: Sequence[Issue], *chunks: dict[str, list[Any]]) -> Parsed:
    columns = {name: list(chain.from_iterable(chunk[name] for chunk in chunks)) for name in CELL_TYPES}
    sheets: dict[str, dict[str, Any]] = {}
    for one in recognised:
        _add_sheet(sheets, _sheet_row(one))
    extra = [row for one in recognised if one.kept for row in _kept_cells(one)]
    return Parsed(columns, extra, list(sheets.values()), list(issues))


def _kept_cells(one: Recognised) -> Iterator[tuple[Any, ...]]:
    """Yield the cells of columns that are kept as they stand, with the school of their row."""
    key_place = next(place for place in one.places if place.column.name == "school_id")
    names = [place.index for place in one.places if place.column.name == "school_name"]
    for r in one.data_rows:
        code = compact(raw_text(_value(one.sheet, r, key_place.index)))
        name = tidy(raw_text(_value(one.sheet, r, names[0]))) if names else code
        for index, path in one.kept:
            raw = raw_text(_value(one.sheet, r, index))
            if compact(raw):
                yield (
                    one.sheet.name,
                    f"{column_letters(index)}{r + 1}",
                    code,
                    "collection",
                    name,
                    path,
                    raw,
                    float("nan"),
                    "",
                )


def _add_sheet(sheets: dict[str, dict[str, Any]], row: dict[str, Any]) -> None:
    """Count a table of a sheet; a sheet of several tables is one in the account."""
    known = sheets.setdefault(row["sheet"], row)
    if known is not row:
        known |= {kind: known[kind] + row[kind] for kind in ("schools", *KINDS)}
        if known["year"] is None:
            known |= {name: row[name] for name in ("year", "title_cell", "title_text")}


def _sheet_row(one: Recognised) -> dict[str, Any]:
    counts, place = one.counts(), one.title
    title = str(one.sheet.rows[place[0]][place[1]]) if place else ""
    cell = f"{column_letters(place[1])}{place[0] + 1}" if place else ""
    row = {"sheet": one.sheet.name, "year": one.year, "title_cell": cell, "title_text": title, "form": ""}
    return {**row, "schools": len(one.data_rows), **{kind: counts[kind] for kind in KINDS}}


def framed(parsed: Sequence[tuple[Parsed, str, str]]) -> dict[str, pd.DataFrame]:
    """Return the frames of many files: each with its name and the digest of its content.

    Parameters
    ----------
    parsed : sequence of (Parsed, file, digest)

    Returns
    -------
    dict of DataFrame
        ``cells``, ``extra``, ``sheets`` and ``issues``, each with ``file``; ``sheets`` with ``sha256`` too.
    """
    made = {
        "cells": _cell_frame([one.cells for one, _, _ in parsed]),
        "extra": pd.DataFrame([r for one, _, _ in parsed for r in one.extra], columns=list(EXTRA_TYPES)).astype(
            EXTRA_TYPES
        ),
        "sheets": pd.DataFrame([r for one, _, _ in parsed for r in one.sheets], columns=list(SHEET_TYPES)).astype(
            SHEET_TYPES
        ),
        "issues": issue_list.frame([issue for one, _, _ in parsed for issue in one.issues]),
    }
    sizes = {
        "cells": [len(one.cells["cell"]) for one, _, _ in parsed],
        "extra": [len(one.extra) for one, _, _ in parsed],
        "sheets": [len(one.sheets) for one, _, _ in parsed],
        "issues": [len(one.issues) for one, _, _ in parsed],
    }
    for name, frame in made.items():
        frame["file"] = _repeated([file for _, file, _ in parsed], sizes[name])
    made["sheets"]["sha256"] = _repeated([digest for _, _, digest in parsed], sizes["sheets"])
    return made


def _cell_frame(columns: Sequence[dict[str, list[Any]]]) -> pd.DataFrame:
    # Arrow takes long lists of known types several times faster than pandas, which looks at each value first.
    fields = [(name, _ARROW[kind]) for name, kind in CELL_TYPES.items()]
    lists = {name: list(chain.from_iterable(one[name] for one in columns)) for name in CELL_TYPES}
    return pa.table(lists, schema=pa.schema(fields)).to_pandas()


def _repeated(texts: Sequence[str], sizes: Sequence[int]) -> Any:
    places = np.repeat(np.arange(len(texts)), np.array(sizes, dtype="int64"))
    return pd.array(pa.array(texts, pa.large_string()).take(pa.array(places)), dtype="str")


def _cells(one: Recognised, form: Form) -> dict[str, list[Any]]:
    """Return the long columns of one sheet: every place by every row of a school or a total."""
    rows = sorted(one.data_rows + one.total_rows)
    totals = set(one.total_rows)
    keys = [place for place in one.places if place.column.name == "school_id"]
    ids = _school_ids(one, keys[0], rows, form) if keys else [""] * len(rows)
    sections = _sections(rows, totals, one.first_row)
    kinds = ["total" if r in totals else "value" for r in rows]
    stages = _row_stages(one, rows, form)
    parts = [2 * bool(stage) for stage in stages]
    chunk: dict[str, list[Any]] = {name: [] for name in CELL_TYPES}
    for place in one.places:
        readings = _readings(one, place, rows, form)
        if place.column.name == "school_name" and any(stages):
            readings = [_without_stage(reading, form) for reading in readings]
        _extend(chunk, one, place, rows, readings)
        is_open = place.column.level == "stage" and not place.stage
        chunk["stage"] += stages if is_open else [place.stage] * len(rows)
        chunk["part"] += [0] * len(rows) if place.column.level == "stage" else parts
        chunk["school_id"] += ids
        chunk["kind"] += kinds
        chunk["section"] += sections
    return chunk


def _row_stages(one: Recognised, rows: Sequence[int], form: Form) -> list[str]:
    """Return the stage that each row is of: said in a column, or in a bracket after the school's name; else ``""``."""
    if one.stage_column is not None:
        texts = [key(raw_text(_value(one.sheet, r, one.stage_column))) for r in rows]
        return [form.stage_headers.get(text, "") for text in texts]
    names = [place.index for place in one.places if place.column.name == "school_name"]
    if not names:
        return [""] * len(rows)
    return [_stage_of_name(raw_text(_value(one.sheet, r, names[0])), form) for r in rows]


def _stage_of_name(name: str, form: Form) -> str:
    return form.stage_headers.get(split_header(key(name), ())[1], "") if name.endswith((")", "）")) else ""


def _without_stage(reading: Reading, form: Form) -> Reading:
    """Take the stage off a school's name: it is no part of it."""
    if not _stage_of_name(reading.text, form):
        return reading
    return reading._replace(text=re.sub(r"[(（][^()（）]*[)）]$", "", reading.text), step="text, stage taken off")


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
    chunk["unit"] += [place.unit.text] * count
    for index, name in enumerate(Reading._fields):
        chunk[name] += map(itemgetter(index), readings)

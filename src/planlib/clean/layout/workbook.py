"""A file of returns to long lists of cells, each with its address, its text and what it was read as.

Nothing here depends on other files or on corrections, so the result can be kept as long as the file's content and
the definitions stay the same.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from planlib.clean import frames
from planlib.clean import issues as issue_list
from planlib.clean.files.confined import read_ahead, read_workbook
from planlib.clean.files.sheet import Sheet, address, column_letters
from planlib.clean.frames import Coded, Piece
from planlib.clean.issues import Issue, foreign_encoding
from planlib.clean.layout.recognise import KINDS, Place, Recognised
from planlib.clean.layout.school import EXTRA_TYPES, Layouts, SchoolBook, is_school_book, read_school_book
from planlib.clean.layout.sheet_tables import recognise_tables
from planlib.clean.words.convert import Reading, numbered, raw_text, read_cells
from planlib.clean.words.forms import Form, split_header
from planlib.clean.words.national import load_national
from planlib.clean.words.writing import code, compact, key, tidy
from planlib.errors import DataError

# One row per cell of a school or a total: where, whose, which column, the text, the value, how it went.
# What comes again and again is a number for a word (`frames`); only addresses are nearly all different.
CELL_TYPES = {
    "sheet": "category",
    "cell": "str",
    "row": "int32",
    "stands": "int32",  # the row of its own address, which is another one for a cell merged over several schools
    "position": "int32",
    "school_id": "category",
    "column": "category",
    "stage": "category",
    "kind": "category",
    "raw": "category",
    "number": "float64",
    "text": "category",
    "step": "category",
    "state": "category",
    "unit": "category",
    "section": "int32",
    "part": "int8",
}
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
    """A file as read: `cells` in pieces by column, `extra`, one entry per sheet with the count of each kind, `issues`."""

    cells: dict[str, list[Piece]]
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
        sheets: list[Sheet] | DataError = read_workbook(content)
    except DataError as error:
        sheets = error
    return _parsed(sheets, form, layouts or Layouts())


def parse_workbooks(contents: Iterable[bytes], form: Form) -> Iterator[Parsed]:
    """Yield what each of many files says, as `parse_workbook` does; the next is read meanwhile."""
    layouts = Layouts()
    return (_parsed(sheets, form, layouts) for sheets in read_ahead(contents))


def _parsed(sheets: list[Sheet] | DataError, form: Form, layouts: Layouts) -> Parsed:
    if isinstance(sheets, DataError):
        return _collected([], [Issue("error", "unreadable file", found=str(sheets))])
    words = load_national()
    if is_school_book(sheets, words):
        return _of_school(read_school_book(sheets, words, layouts))
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
            yield Issue("error", "title", **where, found=said, expected="one school year in a sheet")


def _of_school(book: SchoolBook) -> Parsed:
    cells: dict[str, list[Piece]] = {name: [book.cells[name]] for name in CELL_TYPES}
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
    names = ", ".join(sheet.name for sheet in sheets if sheet.name)
    said = f"no header of a school code in {names}" if names else "no header of a school code in any row"
    wanted = ", ".join(form.columns["school_id"].headers)
    return Issue("error", "no table", found=said, expected=f"one of the header cells {wanted}")


def _collected(
    recognised: Sequence[Recognised], issues: Sequence[Issue], *chunks: dict[str, list[Piece]]
) -> Parsed:
    columns = {name: [piece for chunk in chunks for piece in chunk[name]] for name in CELL_TYPES}
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
        school_id = code(raw_text(_value(one.sheet, r, key_place.index)))
        name = tidy(raw_text(_value(one.sheet, r, names[0]))) if names else school_id
        for index, path in one.kept:
            raw = raw_text(_value(one.sheet, r, index))
            if compact(raw):
                yield (
                    one.sheet.name,
                    f"{column_letters(index)}{r + 1}",
                    school_id,
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
    counts, (cell, title) = one.counts(), one.titled
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
        "cells": pd.DataFrame(
            {
                name: frames.column([p for one, _, _ in parsed for p in one.cells[name]], kind)
                for name, kind in CELL_TYPES.items()
            }
        ),
        "extra": _extra([row for one, _, _ in parsed for row in one.extra]),
        "sheets": pd.DataFrame([r for one, _, _ in parsed for r in one.sheets], columns=list(SHEET_TYPES)).astype(
            SHEET_TYPES
        ),
        "issues": issue_list.frame([issue for one, _, _ in parsed for issue in one.issues]),
    }
    sizes = {
        "cells": [sum(map(len, one.cells["row"])) for one, _, _ in parsed],
        "extra": [len(one.extra) for one, _, _ in parsed],
        "sheets": [len(one.sheets) for one, _, _ in parsed],
        "issues": [len(one.issues) for one, _, _ in parsed],
    }
    for name, frame in made.items():
        at = np.repeat(np.arange(len(parsed)), np.array(sizes[name], dtype="int64"))
        files = frames.column([Coded(at, [file for _, file, _ in parsed])], "category")
        frame["file"] = files if name in ("cells", "extra") else files.astype("str")
        if name == "sheets":
            digests = frames.column([Coded(at, [digest for _, _, digest in parsed])], "category")
            frame["sha256"] = digests.astype("str")
    return made


def _extra(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    columns = list(zip(*rows, strict=True)) or [()] * len(EXTRA_TYPES)
    kinds = [(name, "category" if kind == "str" else kind) for name, kind in EXTRA_TYPES.items()]
    named = zip(columns, kinds, strict=True)
    return pd.DataFrame({name: frames.column([list(own)], kind) for own, (name, kind) in named})


def _cells(one: Recognised, form: Form) -> dict[str, list[Piece]]:
    """Return the long columns of one sheet: every place by every row of a school or a total."""
    rows, totals = one.rows, set(one.total_rows)
    if not rows:
        return {name: [] for name in CELL_TYPES}
    count, is_total = len(rows), np.isin(one.rows, one.total_rows)
    stages = _row_stages(one, rows, form)
    by_row = Coded(*numbered(stages))
    shared: dict[str, Piece] = {
        "sheet": _same(one.sheet.name, count),
        "row": np.array(rows, dtype="int64") + 1,
        "kind": Coded(is_total.astype("int64"), ["value", "total"]),
        "section": np.array(_sections(rows, totals, one.first_row), dtype="int64"),
    }
    parts = np.array([2 * bool(stage) for stage in stages], dtype="int64")
    said = [_readings(one, place, form, any(stages)) for place in one.places]
    codes = [own["text"] for place, own in zip(one.places, said, strict=True) if place.column.name == "school_id"]
    shared["school_id"] = _without_totals(codes[0], is_total) if codes else _same("", count)
    chunk: dict[str, list[Piece]] = {name: [] for name in CELL_TYPES}
    for place, reading in zip(one.places, said, strict=True):
        is_open = place.column.level == "stage" and not place.stage
        stands = _stands(one, place.index, rows)
        own = reading | {
            "stands": stands,
            "cell": _addresses(place.index, stands),
            "position": np.full(count, place.index),
            "column": _same(place.column.name, count),
            "stage": by_row if is_open else _same(place.stage, count),
            "unit": _same(place.unit.text, count),
            "part": np.zeros(count, dtype="int64") if place.column.level == "stage" else parts,
        }
        for name in CELL_TYPES:
            chunk[name].append(own[name] if name in own else shared[name])
    return chunk


def _without_totals(codes: Any, is_total: np.ndarray) -> Piece:
    """Return the school's code of each row; a total has none."""
    return Coded(np.where(is_total, len(codes.words), codes.codes), [*codes.words, ""])


def _same(word: str, count: int) -> Coded:
    return Coded(np.zeros(count, dtype="int64"), [word])


def _stands(one: Recognised, index: int, rows: Sequence[int]) -> np.ndarray:
    stands = [one.origins.get((r, index), (r, 0))[0] for r in rows] if one.origins else rows
    return np.array(stands, dtype="int32") + 1


def _addresses(index: int, stands: np.ndarray) -> pa.Array:
    numbers = pc.cast(pa.array(stands), pa.large_string())
    return pc.binary_join_element_wise(
        pa.scalar(column_letters(index), numbers.type), numbers, pa.scalar("", numbers.type)
    )


def _row_stages(one: Recognised, rows: Sequence[int], form: Form) -> list[str]:
    """Return the stage that each row is of: said in a column, or in a bracket after the school's name; else ``""``."""
    if one.stage_column is not None:
        texts = [key(raw_text(_value(one.sheet, r, one.stage_column))) for r in rows]
        return [form.stage_headers.get(text, "") for text in texts]
    names = [place.index for place in one.places if place.column.name == "school_name"]
    if not names:
        return [""] * len(rows)
    return [_stage_of_name(raw_text(value), form) for value in one.columns[names[0]]]


def _stage_of_name(name: str, form: Form) -> str:
    return form.stage_headers.get(split_header(key(name), ())[1], "") if name.endswith((")", "）")) else ""


def _without_stage(reading: Reading, form: Form) -> Reading:
    """Take the stage off a school's name: it is no part of it."""
    if not _stage_of_name(reading.text, form):
        return reading
    return reading._replace(text=re.sub(r"[(（][^()（）]*[)）]$", "", reading.text), step="text, stage taken off")


def _readings(one: Recognised, place: Place, form: Form, has_stages: bool) -> dict[str, Piece]:
    """Return what the cells of a column say, by the fields of `Reading`; a school's name without its stage."""
    codes, readings = read_cells(one.columns[place.index], place.column, place.unit, form)
    if place.column.name == "school_name" and has_stages:
        readings = [_without_stage(reading, form) for reading in readings]
    made: dict[str, Piece] = {}
    for name, words in zip(Reading._fields, zip(*readings, strict=True), strict=True):
        made[name] = np.array(words)[codes] if name == "number" else Coded(codes, list(words))
    return made


def _value(sheet: Sheet, row: int, column: int) -> Any:
    cells = sheet.rows[row]
    return cells[column] if column < len(cells) else ""


def _sections(rows: Sequence[int], totals: set[int], first: int) -> list[int]:
    """Return the row on which the section of each row begins: a subtotal closes a section."""
    sections, begins = [], first
    for r in rows:
        sections.append(begins)
        if r in totals:
            begins = r + 1
    return sections

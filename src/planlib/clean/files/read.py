"""Bytes to cells: .xlsx, .xls and .et through calamine, CSV through the standard library; nothing is interpreted.

Formulas are never evaluated: a cell is the value its file stores. Files come from strangers, so sizes are looked
at before anything is unpacked.
"""

import csv
import io
from typing import Any

import python_calamine as calamine

from planlib.clean.files import biff, ooxml
from planlib.clean.files.biff import Marks
from planlib.clean.files.file_kinds import ENCODING_NAMES, decoded, kind_of
from planlib.clean.files.sheet import Sheet, address
from planlib.errors import DataError

MAX_CELLS = 8_000_000
_DELIMITERS = ",\t;|"
_FIRST = 10_000  # characters of a text that show what separates its cells


def read_workbook(content: bytes) -> list[Sheet]:
    """Return the sheets of a workbook, hidden ones too, or the one of a CSV file.

    Parameters
    ----------
    content : bytes
        The file as stored; what it is, is seen from the content.

    Raises
    ------
    DataError
        If it is nothing that can be read, is protected by a password, or would unpack to more than
        `planlib.clean.files.ooxml.MAX_UNPACKED_BYTES` or `MAX_CELLS`: says what it is and how to save it.
    """
    kind = kind_of(content)
    if kind == "text":
        return [_text_sheet(content)]
    found = ooxml.marks(content) if kind == "xlsx" else {}
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        if kind == "xls":
            told, names = biff.marks(content), [meta.name for meta in book.sheets_metadata]
            found = {names[at]: one for at, one in told.items() if 0 <= at < len(names)}
        return [
            _sheet(book, meta, found.get(meta.name, Marks())) for meta in book.sheets_metadata if _is_grid(meta)
        ]
    except DataError:
        raise
    except calamine.PasswordError as error:
        raise DataError("a workbook protected by a password; remove the password and save it again") from error
    except Exception as error:
        # Whatever a damaged file makes the reader raise, a person needs the same advice.
        raise DataError(f"not a readable workbook ({error}); open it and save it as .xlsx") from error


def _text_sheet(content: bytes) -> Sheet:
    """Return a CSV file as the sheet that a spreadsheet shows of it: one row for each record."""
    rows, _, encoding = read_csv(content)
    width = max(map(len, rows), default=0)
    return Sheet("CSV", [row + [""] * (width - len(row)) for row in rows], encoding=encoding)


def read_csv(content: bytes) -> tuple[list[list[str]], list[int], str]:
    r"""Return the rows of a CSV file, the line on which each begins, and its encoding as people call it.

    UTF-8 with or without a byte-order mark; else GB18030 or Big5, as older Windows programs save it. What separates its
    cells: see `delimiter_of`.

    Raises
    ------
    DataError
        If the text is none of them, or a quote is never closed.

    Examples
    --------
    >>> read_csv("area,year\n全区,2020\n".encode("gb18030"))
    ([['area', 'year'], ['全区', '2020']], [1, 2], 'GB18030')
    """
    text, encoding = decoded(content)
    rows, lines, begins = [], [], 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    try:
        for row in reader:
            rows.append(row)
            lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"line {begins}: not readable as CSV ({error}); check the quotes") from error
    return rows, lines, ENCODING_NAMES[encoding]


def delimiter_of(text: str) -> str:
    r"""Return what separates the cells of a CSV file: of comma, tab, semicolon and bar the one on most of its first lines.

    Examples
    --------
    >>> delimiter_of("a\tb\n1,5\t2,5\n"), delimiter_of("area")
    ('\t', ',')
    """
    lines = text[:_FIRST].splitlines()
    return max(_DELIMITERS, key=lambda sign: (sum(sign in line for line in lines), text.count(sign, 0, _FIRST)))


def _is_grid(meta: Any) -> bool:
    return str(meta.typ).endswith("WorkSheet")


def _refuse_far(name: str, last: tuple[int, int] | None) -> None:
    """Refuse a sheet that one cell far away makes millions wide or long; empty formatted cells do not count."""
    if last and (last[0] + 1) * (last[1] + 1) > MAX_CELLS:
        raise DataError(
            f"sheet {name} reaches to cell {address(*last)}, more than {MAX_CELLS:,} cells; "
            "press Ctrl+End there, delete what stands far below or beside the table, and save again"
        )


def _sheet(book: Any, meta: Any, found: Marks) -> Sheet:
    source = book.get_sheet_by_name(meta.name)
    _refuse_far(meta.name, source.end)
    return Sheet(
        name=meta.name,
        rows=source.to_python(skip_empty_area=False),
        merged=_merged(meta.name, source),
        is_hidden=not str(meta.visible).endswith(".Visible"),
        lost=tuple(found.lost),
        zeros=tuple(found.zeros),
        mixed=tuple(found.mixed),
        struck=tuple(found.struck),
        formats=tuple(found.formats),
        hidden_rows=tuple(sorted(found.rows)),
        hidden_columns=tuple(sorted(found.columns)),
    )


def _merged(name: str, source: Any) -> tuple[tuple[int, int, int, int], ...]:
    """Return merged ranges as far as there are cells: a file may state any."""
    last_row, last_column = source.end or (-1, -1)
    found = [
        (r0, c0, min(r1, last_row), min(c1, last_column))
        for (r0, c0), (r1, c1) in source.merged_cell_ranges or ()
        if r0 <= min(r1, last_row) and c0 <= min(c1, last_column)
    ]
    is_little = len(found) * (last_row + 1) * (last_column + 1) <= MAX_CELLS  # were each of them the whole sheet
    if not is_little and sum((r1 - r0 + 1) * (c1 - c0 + 1) for r0, c0, r1, c1 in found) > MAX_CELLS:
        raise DataError(f"sheet {name} has merged cells on top of each other; unmerge them and save again")
    return tuple(found)

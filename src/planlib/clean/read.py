"""Bytes to cells: .xlsx, .xls and .et through calamine, CSV through the standard library; nothing is interpreted.

Formulas are never evaluated: a cell is the value its file stores. Files come from strangers, so sizes are looked
at before anything is unpacked.
"""

import contextlib
import csv
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import python_calamine as calamine

from planlib.clean.biff import Marks, marks
from planlib.clean.kinds import AS_XLSX, ENCODING_NAMES, decoded, kind_of, refuse_packed
from planlib.errors import DataError

MAX_UNPACKED_BYTES = 512 << 20
MAX_CELLS = 8_000_000
_DELIMITERS = ",\t;|"
_FIRST = 10_000  # characters of a text that show what separates its cells

# Before a part in a zip archive: 30 bytes, the last four of them the lengths of its name and of more about it.
_HEADER, _LENGTHS_AT, _LENGTHS = 30, 26, struct.Struct("<HH")
_SHEET_FILE = re.compile(r"xl/worksheets/[^/]+\.xml")
_ERROR_CELL = re.compile(rb'<c r="([A-Z]+\d+)"[^>]*\bt="e"[^>]*>.*?<v>([^<]*)</v>', re.S)
_NO_RESULT = re.compile(
    rb'<c r="([A-Z]+\d+)"(?![^>]*\bt="str"[^>]*><f[^>]*>[^<]*</f><v)[^>]*><f[^>]*>[^<]*</f>(?:<v></v>|<v ?/>)?</c>'
)
_NEVER_COMPUTED = re.compile(rb'<calcPr\b[^<>]*\bfullCalcOnLoad="(?:1|true)"')
_STORED_ZERO = re.compile(rb'<c r="([A-Z]+\d+)"[^<>]*><f[^<>]*(?:/>|>[^<]*</f>)<v>0</v></c>')
_HIDDEN = rb'(?=[^<>]*\bhidden="(?:1|true)")'
_HIDDEN_ROW = re.compile(rb"<row\b" + _HIDDEN + rb'[^<>]*\br="(\d{1,7})"')
_HIDDEN_COLUMNS = re.compile(rb"<col\b" + _HIDDEN + rb'(?=[^<>]*\bmin="(\d{1,5})")[^<>]*\bmax="(\d{1,5})"')
_SHOWN = 8
_SHEET_ENTRY = re.compile(rb'<sheet\b[^>]*?\bname="([^"]*)"[^>]*?\br:id="([^"]*)"')
_RELATION = re.compile(rb'<Relationship\b(?=[^>]*\bId="([^"]*)")(?=[^>]*\bTarget="([^"]*)")')


@dataclass(frozen=True)
class Sheet:
    """A sheet as stored: `rows` from row 1 and column A on, `merged` ranges as (row, column, row, column) from 0.

    `lost` are cells the file holds without a usable value: an error (``#DIV/0!``) or a formula never computed;
    `zeros` are formulas with a stored 0 in a workbook that asks to be computed. Hidden rows and columns count from 0.
    `encoding` is that of a CSV file, which has no name, no merged cells and rows as its lines.
    """

    name: str
    rows: list[list[Any]]
    merged: tuple[tuple[int, int, int, int], ...] = ()
    is_hidden: bool = False
    lost: tuple[tuple[str, str], ...] = ()
    zeros: tuple[str, ...] = ()
    hidden_rows: tuple[int, ...] = ()
    hidden_columns: tuple[int, ...] = ()
    encoding: str = ""

    def hidden(self, rows: Collection[int], columns: Collection[int]) -> str:
        """Say which of some rows and columns are hidden, or nothing.

        Examples
        --------
        >>> Sheet("", [], hidden_rows=(4, 5, 6, 9), hidden_columns=(2,)).hidden(range(9), range(9))
        'hidden rows (3): 5-7; hidden columns (1): C'
        """
        found = [r for r in self.hidden_rows if r in rows], [c for c in self.hidden_columns if c in columns]
        said = [f"hidden rows ({len(found[0])}): {_spans(found[0], lambda r: str(r + 1))}"] if found[0] else []
        said += [f"hidden columns ({len(found[1])}): {_spans(found[1], column_letters)}"] if found[1] else []
        return "; ".join(said)


def _spans(numbers: Collection[int], name: Callable[[int], str]) -> str:
    """Write ascending numbers by their names, those that follow each other as one span; not more than a few."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    said = [name(run[0]) + (f"-{name(run[-1])}" if len(run) > 1 else "") for run in runs]
    return ", ".join([*said[:_SHOWN], *(["…"] if len(said) > _SHOWN else [])])


def address(row: int, column: int) -> str:
    """Return a cell's address as people write it, from row and column numbers that begin with 0.

    Examples
    --------
    >>> address(6, 3), address(0, 26)
    ('D7', 'AA1')
    """
    return f"{column_letters(column)}{row + 1}"


def column_letters(column: int) -> str:
    """Return the letters of a column number that begins with 0."""
    letters, number = "", column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


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
        `MAX_UNPACKED_BYTES` or `MAX_CELLS`: says what it is and how to save it.
    """
    kind = kind_of(content)
    if kind == "text":
        return [_text_sheet(content)]
    parts = _packed_parts(content) if kind == "xlsx" else {}
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        found = _marks(parts) if parts else _old_marks(content, [meta.name for meta in book.sheets_metadata])
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

    UTF-8 with or without a byte-order mark; else GB18030 or Big5, as older Windows programs save it. Tabs, semicolons
    or bars separate the cells where it begins with more of them than of commas.

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
    delimiter = max(_DELIMITERS, key=lambda sign: text.count(sign, 0, _FIRST))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            rows.append(row)
            lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"line {begins}: not readable as CSV ({error}); check the quotes") from error
    return rows, lines, ENCODING_NAMES[encoding]


def _packed_parts(content: bytes) -> dict[str, bytes]:
    """Return the sheet files of an .xlsx and what names them, if it does not unpack to too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            refuse_packed(archive.namelist())
            if sum(info.file_size for info in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise DataError(
                    "a file that unpacks to more than 512 MiB; whole sheets of it are formatted, or it is damaged: "
                    "copy the tables alone into a new workbook"
                )
            named = ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
            wanted = [
                one for one in archive.infolist() if one.filename in named or _SHEET_FILE.fullmatch(one.filename)
            ]
            parts = {one.filename: _unpacked(archive, one, content) for one in wanted}
    except DataError:  # a ValueError too, and already said
        raise
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError(f"not a readable .xlsx file, perhaps only a part of one ({error}); {AS_XLSX}") from error
    return parts


def _unpacked(archive: zipfile.ZipFile, part: zipfile.ZipInfo, content: bytes) -> bytes:
    """Return a part as the archive reads it, which for thousands of small ones takes twice as long."""
    with contextlib.suppress(struct.error, zlib.error):
        begins = (
            part.header_offset + _HEADER + sum(_LENGTHS.unpack_from(content, part.header_offset + _LENGTHS_AT))
        )
        packed = memoryview(content)[begins : begins + part.compress_size]
        if part.compress_type == zipfile.ZIP_DEFLATED and part.file_size:
            unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, part.file_size)
            if len(unpacked) == part.file_size and zlib.crc32(unpacked) == part.CRC:
                return unpacked
    return archive.read(part)  # and says what is wrong


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


def _marks(parts: dict[str, bytes]) -> Mapping[str, Marks]:
    """Return, by sheet name, what the reader says nothing of."""
    is_to_compute = bool(_NEVER_COMPUTED.search(parts.get("xl/workbook.xml", b"")))
    sheets = {name: part for name, part in parts.items() if _SHEET_FILE.fullmatch(name)}
    found = {name: _marks_of(part, is_to_compute) for name, part in sheets.items()}
    # most sheets have nothing of the kind, and the name of a sheet takes long to find
    return {_sheet_name(parts, name): one for name, one in found.items() if one != Marks()}


def _marks_of(part: bytes, is_to_compute: bool) -> Marks:
    """Return cells that hold an error or a formula without a stored result, zeros to be computed, what is hidden.

    The reader gives an empty text for the first two, so they would be lost without a word.
    """
    found = Marks()
    if b't="e"' in part or b"<f" in part:
        found.lost += [(m[1].decode(), m[2].decode()) for m in _ERROR_CELL.finditer(part)]
        found.lost += [(m[1].decode(), "formula without a stored result") for m in _NO_RESULT.finditer(part)]
    if is_to_compute and b"<f" in part:
        found.zeros += [m[1].decode() for m in _STORED_ZERO.finditer(part)]
    if b' hidden="' in part:
        found.rows |= {int(m[1]) - 1 for m in _HIDDEN_ROW.finditer(part)}
        for m in _HIDDEN_COLUMNS.finditer(part):
            found.columns |= set(range(int(m[1]) - 1, int(m[2])))
    return found


def _old_marks(content: bytes, names: list[str]) -> Mapping[str, Marks]:
    """Return, by sheet name, the cells of an old workbook that hold an error, and what is hidden."""
    found = marks(content)
    for one in found.values():
        one.lost += [(address(r, c), what) for r, c, what in one.errors]
    return {names[at]: one for at, one in found.items() if 0 <= at < len(names)}


def _sheet_name(parts: dict[str, bytes], part: str) -> str:
    """Return the name under which people see the sheet stored in `part`."""
    relations = {m[1]: m[2].decode() for m in _RELATION.finditer(parts.get("xl/_rels/workbook.xml.rels", b""))}
    for entry in _SHEET_ENTRY.finditer(parts.get("xl/workbook.xml", b"")):
        target = relations.get(entry[2], "")
        if target and part.endswith(target.lstrip("/").removeprefix("xl/")):
            return _unescaped(entry[1])
    return part


def _unescaped(name: bytes) -> str:
    import html

    return html.unescape(name.decode("utf-8"))

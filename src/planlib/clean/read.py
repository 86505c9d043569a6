"""Bytes to cells: .xlsx, .xls and .et through calamine, CSV through the standard library; nothing is interpreted.

Formulas are never evaluated: a cell is the value its file stores. Files come from strangers, so sizes are looked
at before anything is unpacked.
"""

import codecs
import contextlib
import csv
import functools
import html
import io
import posixpath
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
# XML as any program writes it: names with or without a prefix, either quote, attributes in any order.
_P = rb"(?:[\w.-]+:)?"
_ATTRIBUTE = rb"""\b%s\s*=\s*["']%s["']"""
_IS_TRUE = rb"(?:1|true)"


def _tag(name: bytes, *wanted: bytes) -> bytes:
    """Return the pattern of a tag that has some attributes; each may hold a group."""
    return rb"<" + _P + name + b"".join(rb"(?=[^<>]*" + one + rb")" for one in (rb"[\s/>]", *wanted))


_REFERENCE = re.compile(_ATTRIBUTE % (b"r", rb"([A-Z]+\d+)"))
_TYPE = re.compile(_ATTRIBUTE % (b"t", rb"(\w+)"))
_VALUE = re.compile(rb"<" + _P + rb"(?:v|t)\b[^<>]*>\s*([^<\s][^<]*)<")
_FORMULA = re.compile(rb"<" + _P + rb"f\b(?:[^<>]*/>|.*?</" + _P + rb"f\s*>)", re.S)
_HAS_VALUE = re.compile(rb"<" + _P + rb"v\b")
_ENDS = rb"</" + _P + rb"c\s*>"
# A cell with a formula, or with an error.
_TOLD_CELL = re.compile(
    rb"<" + _P + rb"c\b([^<>]*)>(\s*<" + _P + rb"f\b.*?)" + _ENDS
    + rb"|" + _tag(b"c", _ATTRIBUTE % (b"t", b"e")) + rb"([^<>]*)(?<!/)>(.*?)" + _ENDS,
    re.S,
)  # fmt: skip
_CELL = re.compile(rb"<" + _P + rb"c\b")
_ROW = re.compile(rb"<" + _P + rb"row\b(?:[^<>]*?" + _ATTRIBUTE % (b"r", rb"(\d{1,7})") + rb")?")
_NEVER_COMPUTED = re.compile(_tag(b"calcPr", _ATTRIBUTE % (b"fullCalcOnLoad", _IS_TRUE)))
_HIDDEN = _ATTRIBUTE % (b"hidden", _IS_TRUE)
_HIDDEN_ROW = re.compile(_tag(b"row", _HIDDEN, _ATTRIBUTE % (b"r", rb"(\d{1,7})")))
_HIDDEN_COLUMNS = re.compile(
    _tag(b"col", _HIDDEN, *(_ATTRIBUTE % (name, rb"(\d{1,5})") for name in (b"min", b"max")))
)
_SHEET_ENTRY = re.compile(
    _tag(b"sheet", rb"""\bname\s*=\s*(?:"([^"]*)"|'([^']*)')""", _ATTRIBUTE % (rb"\w+:id", rb"([^<>\"']*)"))
)
_RELATION = re.compile(
    _tag(b"Relationship", *(_ATTRIBUTE % (name, rb"([^<>\"']*)") for name in (b"Id", b"Target")))
)
_ENCODING = re.compile(rb"""\s*<\?xml[^<>]*\bencoding\s*=\s*["']([^"']*)["']""")
_BOOK, _RELATIONS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
# Without any of these a sheet has nothing of the kind; most programs write no prefix and one kind of quote.
_PLAIN = re.compile(rb"""(?:\s*<\?xml[^<>']*>)?\s*<worksheet\b[^<>']*>""")
_SIGNS, _OTHER_SIGNS = (b'"e"', b"<f", b"hidden"), (b"'e'", b":f")
_SHOWN = 8


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
    found = _marks(*_packed_sheets(content)) if kind == "xlsx" else {}
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        if kind == "xls":
            found = _old_marks(content, [meta.name for meta in book.sheets_metadata])
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


def _packed_sheets(content: bytes) -> tuple[dict[str, bytes], bool]:
    """Return the sheets of an .xlsx as stored, by their names, and whether their formulas are still to be computed.

    Nothing is unpacked of a file that unpacks to too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            refuse_packed(archive.namelist())
            if sum(info.file_size for info in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise DataError(
                    "a file that unpacks to more than 512 MiB; whole sheets of it are formatted, or it is damaged: "
                    "copy the tables alone into a new workbook"
                )
            stored = {_plain(one.filename): one for one in archive.infolist()}
            book, relations = (
                _unpacked(archive, stored[name], content) if name in stored else b""
                for name in (_BOOK, _RELATIONS)
            )
            sheets = {
                name: _unpacked(archive, stored[target], content)
                for name, target in _sheet_targets(book, relations)
                if target in stored
            }
    except DataError:  # a ValueError too, and already said
        raise
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError(f"not a readable .xlsx file, perhaps only a part of one ({error}); {AS_XLSX}") from error
    return sheets, bool(_NEVER_COMPUTED.search(book))


@functools.lru_cache(maxsize=256)
def _sheet_targets(book: bytes, relations: bytes) -> list[tuple[str, str]]:
    """Return the name of each sheet and the part it is stored in; many workbooks of one program are alike in it."""
    targets = {m[1]: _plain(posixpath.join("/xl", m[2].decode())) for m in _RELATION.finditer(relations)}
    entries = [(html.unescape((m[1] or m[2] or b"").decode()), m[3]) for m in _SHEET_ENTRY.finditer(book)]
    return [(name, targets[number]) for name, number in entries if number in targets]


@functools.lru_cache(maxsize=4096)
def _plain(path: str) -> str:
    """Return the path of a part as its readers compare it: some programs write other cases and backslashes."""
    return posixpath.normpath(path.replace("\\", "/")).lstrip("/").lower()


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


def _marks(sheets: Mapping[str, bytes], is_to_compute: bool) -> dict[str, Marks]:
    """Return, by sheet name, what the reader says nothing of; most sheets have nothing of the kind."""
    for name, part in sheets.items():
        _refuse_encoding(name, part)
    return {name: _marks_of(part, is_to_compute) for name, part in sheets.items() if _is_suspect(part)}


def _refuse_encoding(name: str, part: bytes) -> None:
    """Refuse a sheet that the reader would take for an empty one."""
    found = _ENCODING.match(part)
    if part.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (found and found[1].lower() != b"utf-8"):
        raise DataError(f"sheet {name} is stored in another encoding than UTF-8; {AS_XLSX}")


def _is_suspect(part: bytes) -> bool:
    return any(sign in part for sign in (_SIGNS if _PLAIN.match(part) else _SIGNS + _OTHER_SIGNS))


def _marks_of(part: bytes, is_to_compute: bool) -> Marks:
    """Return cells that hold an error or a formula without a stored result, zeros to be computed, what is hidden.

    The reader gives an empty text for the first two, so they would be lost without a word.
    """
    found = Marks()
    for cell in _TOLD_CELL.finditer(part):
        attributes, body = (cell[1], cell[2]) if cell[2] is not None else (cell[3], cell[4])
        kind, value = _TYPE.search(attributes), _VALUE.search(_FORMULA.sub(b"", body))
        if kind and kind[1] == b"e":
            found.lost.append((_reference(part, cell), value[1].decode() if value else "an error"))
        elif value is None and not (kind and kind[1] == b"str" and _HAS_VALUE.search(body)):
            found.lost.append((_reference(part, cell), "formula without a stored result"))
        elif value and value[1] == b"0" and is_to_compute:
            found.zeros.append(_reference(part, cell))
    found.rows |= {int(m[1]) - 1 for m in _HIDDEN_ROW.finditer(part)}
    for m in _HIDDEN_COLUMNS.finditer(part):
        found.columns |= set(range(int(m[1]) - 1, int(m[2])))
    return found


def _reference(part: bytes, cell: "re.Match[bytes]") -> str:
    """Return a cell's address, which a program may leave out: then cells and rows are counted."""
    written = _REFERENCE.search(part, cell.start(), part.index(b">", cell.start()))
    if written:
        return written[1].decode()
    row, number = 0, 0
    for found in _ROW.finditer(part, 0, cell.start()):
        row, number = found.start(), int(found[1]) if found[1] else number + 1
    return address(max(number, 1) - 1, sum(1 for _ in _CELL.finditer(part, row, cell.start())))


def _old_marks(content: bytes, names: list[str]) -> dict[str, Marks]:
    """Return, by sheet name, the cells of an old workbook that hold an error, and what is hidden."""
    found = marks(content)
    for one in found.values():
        one.lost += [(address(r, c), what) for r, c, what in one.errors]
    return {names[at]: one for at, one in found.items() if 0 <= at < len(names)}

"""The XML inside an .xlsx: its sheets as stored, and what the reader of cells says nothing of in them.

Programs write it in many ways, and a reader that knows one of them would lose cells without a word.
"""

import codecs
import contextlib
import functools
import html
import io
import posixpath
import re
import struct
import zipfile
import zlib

from planlib.clean.files.biff import Marks
from planlib.clean.files.file_kinds import AS_XLSX, refuse_packed
from planlib.clean.files.sheet import address
from planlib.clean.files.struck import rich_texts, struck_cells
from planlib.clean.files.styles import PREFIX, styled_cells, styles_of
from planlib.errors import DataError

MAX_UNPACKED_BYTES = 512 << 20
# Before a part in a zip archive: 30 bytes, the last four of them the lengths of its name and of more about it.
_HEADER, _LENGTHS_AT, _LENGTHS = 30, 26, struct.Struct("<HH")
# XML as any program writes it: names with or without a prefix, either quote, attributes in any order.
_ATTRIBUTE = rb"""\b%s\s*=\s*["']%s["']"""
_IS_TRUE = rb"(?:1|true)"


def _tag(name: bytes, *wanted: bytes) -> bytes:
    """Return the pattern of a tag that has some attributes; each may hold a group."""
    return rb"<" + PREFIX + name + b"".join(rb"(?=[^<>]*" + one + rb")" for one in (rb"[\s/>]", *wanted))


_REFERENCE = re.compile(_ATTRIBUTE % (b"r", rb"([A-Z]{1,3}\d{1,7})"))
_TYPE = re.compile(_ATTRIBUTE % (b"t", rb"(\w+)"))
_VALUE = re.compile(rb"<" + PREFIX + rb"(?:v|t)\b[^<>]*>\s*([^<\s][^<]*)<")
_FORMULA = re.compile(rb"<" + PREFIX + rb"f\b(?:[^<>]*/>|.*?</" + PREFIX + rb"f\s*>)", re.S)
_HAS_VALUE = re.compile(rb"<" + PREFIX + rb"v\b")
_ENDS = rb"</" + PREFIX + rb"c\s*>"
# A cell with a formula, or with an error.
_TOLD_CELL = re.compile(
    rb"<" + PREFIX + rb"c\b([^<>]*)>(\s*<" + PREFIX + rb"f\b.*?)" + _ENDS
    + rb"|" + _tag(b"c", _ATTRIBUTE % (b"t", b"e")) + rb"([^<>]*)(?<!/)>(.*?)" + _ENDS,
    re.S,
)  # fmt: skip
_ROW_OR_CELL = re.compile(
    rb"<" + PREFIX + rb"(?:c\b|(row)\b(?:[^<>]*?" + _ATTRIBUTE % (b"r", rb"(\d{1,7})") + rb")?)"
)
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
_STYLES = re.compile(
    _tag(
        b"Relationship",
        *(_ATTRIBUTE % one for one in ((b"Type", rb"[^<>\"']*/styles"), (b"Target", rb"([^<>\"']*)"))),
    )
)
_ENCODING = re.compile(rb"""\s*<\?xml[^<>]*\bencoding\s*=\s*["']([^"']*)["']""")
_BOOK, _RELATIONS, _STRINGS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/sharedstrings.xml"
# Without any of these a sheet has nothing of the kind; most programs write no prefix and one kind of quote.
_PLAIN = re.compile(rb"""(?:\s*<\?xml[^<>']*>)?\s*<worksheet\b[^<>']*>""")
_SIGNS, _OTHER_SIGNS = (b'"e"', b"<f", b"hidden"), (b"'e'", b":f")


def marks(content: bytes) -> dict[str, Marks]:
    """Return what the reader says nothing of, by the name of its sheet; most sheets have nothing of the kind.

    Parameters
    ----------
    content : bytes
        An .xlsx file.

    Raises
    ------
    DataError
        If it is none, would unpack to more than `MAX_UNPACKED_BYTES`, or holds a sheet that the reader would take
        for an empty one.
    """
    sheets, strings, formats, is_to_compute = _packed_sheets(content)
    for name, part in sheets.items():
        _refuse_encoding(name, part)
    found = {name: _marks_of(part, is_to_compute) for name, part in sheets.items() if _is_suspect(part)}
    styles = styles_of(formats)
    texts = rich_texts(strings, styles.struck)
    for name, part in sheets.items():
        places = _Places(part)
        for cell, seen, text in struck_cells(part, texts, styles.struck):
            found.setdefault(name, Marks()).take(places.of(cell), seen, text)
        places = _Places(part)
        for cell in styled_cells(part, styles.formats):
            shown = places.of(cell), styles.formats[cell[1] or b"0"]
            found.setdefault(name, Marks()).formats.append(shown)
    return found


def _packed_sheets(content: bytes) -> tuple[dict[str, bytes], bytes, bytes, bool]:
    """Return the sheets of an .xlsx as stored, by their names, its texts, its styles, and whether it is to be computed.

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
            unpacked = lambda name: _unpacked(archive, stored[name], content) if name in stored else b""  # noqa: E731
            book, relations, strings = map(unpacked, (_BOOK, _RELATIONS, _STRINGS))
            styles = unpacked(_styles_target(relations))
            sheets = {
                name: _unpacked(archive, stored[target], content)
                for name, target in _sheet_targets(book, relations)
                if target in stored
            }
    except DataError:  # a ValueError too, and already said
        raise
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError(f"not a readable .xlsx file, perhaps only a part of one ({error}); {AS_XLSX}") from error
    return sheets, strings, styles, bool(_NEVER_COMPUTED.search(book))


@functools.lru_cache(maxsize=256)
def _sheet_targets(book: bytes, relations: bytes) -> list[tuple[str, str]]:
    """Return the name of each sheet and the part it is stored in; many workbooks of one program are alike in it."""
    targets = {m[1]: _target(m[2]) for m in _RELATION.finditer(relations)}
    entries = [(html.unescape((m[1] or m[2] or b"").decode()), m[3]) for m in _SHEET_ENTRY.finditer(book)]
    return [(name, targets[number]) for name, number in entries if number in targets]


@functools.lru_cache(maxsize=256)
def _styles_target(relations: bytes) -> str:
    found = _STYLES.search(relations)
    return _target(found[1]) if found else ""


def _target(written: bytes) -> str:
    return _plain(posixpath.join("/xl", written.decode()))


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


def _refuse_encoding(name: str, part: bytes) -> None:
    found = _ENCODING.match(part)
    if part.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (found and found[1].lower() != b"utf-8"):
        raise DataError(f"sheet {name} is stored in another encoding than UTF-8; {AS_XLSX}")


def _is_suspect(part: bytes) -> bool:
    return any(sign in part for sign in (_SIGNS if _PLAIN.match(part) else _SIGNS + _OTHER_SIGNS))


def _marks_of(part: bytes, is_to_compute: bool) -> Marks:
    """Return cells that hold an error or a formula without a stored result, zeros to be computed, what is hidden.

    The reader gives an empty text for the first two, so they would be lost without a word.
    """
    found, places = Marks(), _Places(part)
    for cell in _TOLD_CELL.finditer(part):
        attributes, body = (cell[1], cell[2]) if cell[2] is not None else (cell[3], cell[4])
        kind, value = _TYPE.search(attributes), _VALUE.search(_FORMULA.sub(b"", body))
        if kind and kind[1] == b"e":
            found.lost.append((places.of(cell), value[1].decode() if value else "an error"))
        elif value is None and not (kind and kind[1] == b"str" and _HAS_VALUE.search(body)):
            found.lost.append((places.of(cell), "formula without a stored result"))
        elif value and value[1] == b"0" and is_to_compute:
            found.zeros.append(places.of(cell))
    found.rows |= {int(m[1]) - 1 for m in _HIDDEN_ROW.finditer(part)}
    for m in _HIDDEN_COLUMNS.finditer(part):
        found.columns |= set(range(int(m[1]) - 1, int(m[2])))
    return found


class _Places:
    """The addresses of cells of a sheet in their order; where a program leaves them out, cells and rows are counted."""

    def __init__(self, part: bytes) -> None:
        self._part, self._at, self._row, self._column = part, 0, 0, 0

    def of(self, cell: "re.Match[bytes]") -> str:
        """Return the address of a cell that stands behind the one asked for before."""
        written = _REFERENCE.search(self._part, cell.start(), self._part.index(b">", cell.start()))
        if written:
            return written[1].decode()
        for found in _ROW_OR_CELL.finditer(self._part, self._at, cell.start()):
            if found[1]:
                self._row, self._column = int(found[2]) if found[2] else self._row + 1, 0
            else:
                self._column += 1
        self._at = cell.start()
        return address(max(self._row, 1) - 1, self._column)

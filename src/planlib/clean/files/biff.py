"""What the reader says nothing of in an old workbook (.xls, .et): error cells, which it gives as empty, and what is hidden.

Layouts: Microsoft, MS-CFB (the file as a small file system) and MS-XLS (the workbook as records).
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from planlib.clean.files.file_kinds import WORKBOOK_STREAMS, stream_name

_FREE = 0xFFFFFFFA  # sector numbers from here on are marks
_ENTRY = 128  # bytes of an entry of the directory
_BOF, _SHEET, _FORMULA, _ERROR = 0x0809, 0x0085, 0x0006, 0x0205
_ROW, _COLUMNS = 0x0208, 0x007D
_WORDS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}


@dataclass
class Marks:
    """What the reader says nothing of in a sheet; rows and columns count from 0.

    `errors` are (row, column, error), `lost` the same and formulas without a result as (address, what), `zeros`
    formulas whose stored 0 may be no result, `mixed` texts partly struck out or raised as (address, text); `rows` and
    `columns` are hidden.
    """

    errors: list[tuple[int, int, str]] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    zeros: list[str] = field(default_factory=list)
    mixed: list[tuple[str, str]] = field(default_factory=list)
    rows: set[int] = field(default_factory=set)
    columns: set[int] = field(default_factory=set)


def marks(content: bytes) -> Mapping[int, Marks]:
    """Return the cells that hold an error, and hidden rows and columns, by the number of their sheet from 0.

    Parameters
    ----------
    content : bytes
        An old workbook.

    Raises
    ------
    ValueError
        If the file does not hold together.
    """
    try:
        return _marks(_workbook(content))
    except (struct.error, IndexError, StopIteration) as error:
        raise ValueError(str(error)) from error


def _marks(stream: bytes) -> dict[int, Marks]:
    sheets: list[int] = []
    found: dict[int, Marks] = {}
    at = -1
    for place, kind, data in _records(stream):
        if kind == _SHEET:
            sheets.append(int.from_bytes(data[:4], "little"))
        elif kind == _BOF:  # a chart inside a sheet begins so too, at a place that is no sheet's
            at = sheets.index(place) if place in sheets else at
        elif kind in (_FORMULA, _ERROR) and (code := _code(kind, data)) is not None:
            row, column = struct.unpack_from("<HH", data)
            found.setdefault(at, Marks()).errors.append((row, column, _WORDS.get(code, "an error")))
        elif kind == _ROW and data[12] & 0x20:
            found.setdefault(at, Marks()).rows.add(struct.unpack_from("<H", data)[0])
        elif kind == _COLUMNS and data[8] & 1:
            first, last = struct.unpack_from("<HH", data)
            found.setdefault(at, Marks()).columns.update(range(first, last + 1))
    return found


def _code(kind: int, data: bytes) -> int | None:
    """Return the error of a cell, or None for another value."""
    if kind == _ERROR:
        return data[6] if data[7] == 1 else None
    return data[8] if data[12:14] == b"\xff\xff" and data[6] == 2 else None


def _records(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the place, the kind and the content of each record."""
    place = 0
    while place + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, place)
        yield place, kind, stream[place + 4 : place + 4 + size]
        place += 4 + size


def _workbook(content: bytes) -> bytes:
    """Return the stream of the workbook: through the table of sectors, or of small ones if it is small."""
    size = 1 << struct.unpack_from("<H", content, 30)[0]
    sectors = [content[at : at + size] for at in range(512 if size == 512 else size, len(content), size)]
    table = _table(content, sectors)
    folder = _chain(sectors, table, struct.unpack_from("<I", content, 48)[0])
    entries = [folder[at : at + _ENTRY] for at in range(0, len(folder), _ENTRY)]
    wanted = [stream_name(name) for name in WORKBOOK_STREAMS]
    entry = next(e for name in wanted for e in entries if e.startswith(name) and e[66] == 2)
    first, length = struct.unpack_from("<II", entry, 116)
    least, small = struct.unpack_from("<I", content, 56)[0], struct.unpack_from("<I", content, 60)[0]
    if length >= least:
        return _chain(sectors, table, first)[:length]
    root = _chain(sectors, table, struct.unpack_from("<I", entries[0], 116)[0])
    parts = [root[at : at + 64] for at in range(0, len(root), 64)]
    return _chain(parts, _numbers(_chain(sectors, table, small)), first)[:length]


def _table(content: bytes, sectors: list[bytes]) -> tuple[int, ...]:
    """Return the table of sectors: at the place of each the number of the one that follows it."""
    count, (first, more) = struct.unpack_from("<I", content, 44)[0], struct.unpack_from("<II", content, 68)
    numbers = list(struct.unpack_from("<109I", content, 76))
    for _ in range(min(more, len(sectors))):
        listed = _numbers(sectors[first])
        numbers += listed[:-1]
        first = listed[-1]
    return _numbers(b"".join(sectors[n] for n in numbers[:count] if n < _FREE))


def _numbers(content: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(content) // 4}I", content[: len(content) // 4 * 4])


def _chain(sectors: list[bytes], table: tuple[int, ...], first: int) -> bytes:
    """Return the sectors of one stream, from the first along the table; a table that goes in circles ends."""
    parts, seen = [], set()
    while first < _FREE and first not in seen:
        seen.add(first)
        parts.append(sectors[first])
        first = table[first]
    return b"".join(parts)

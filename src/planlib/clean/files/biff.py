"""What the reader says nothing of in an old workbook (.xls, .et): errors, which it gives as empty, what is hidden or struck.

Layouts: Microsoft, MS-CFB (the file as a small file system) and MS-XLS (the workbook as records).
"""

import struct
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from planlib.clean.files.file_kinds import WORKBOOK_STREAMS, stream_name
from planlib.clean.files.sheet import address
from planlib.clean.files.struck import Run, look
from planlib.clean.files.styles import BUILT_IN, is_doubtful

_FREE = 0xFFFFFFFA  # sector numbers from here on are marks
_ENTRY = 128  # bytes of an entry of the directory
_BOF, _SHEET, _FORMULA, _ERROR = 0x0809, 0x0085, 0x0006, 0x0205
_ROW, _COLUMNS = 0x0208, 0x007D
_FONT, _FORMAT, _STYLE, _TEXTS, _MORE, _END = 0x0031, 0x041E, 0x00E0, 0x00FC, 0x003C, 0x000A
_NUMBERED, _NUMBERS = 0x00FD, 0x00BD  # a cell with the number of its text, and several cells of one record
_HELD = (0x0203, 0x0204, 0x0205, 0x027E, 0x00D6, _FORMULA, _NUMBERED, _NUMBERS)
_WORDS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}


@dataclass
class Marks:
    """What the reader says nothing of in a sheet.

    `lost` are errors and formulas without a result as (address, what), `zeros` formulas whose stored 0 may be no result,
    `mixed` texts partly struck out or raised as (address, text), `struck` cells wholly struck out, `formats` number
    formats that may say another figure as (address, format); `rows` and `columns` are hidden and count from 0.
    """

    lost: list[tuple[str, str]] = field(default_factory=list)
    zeros: list[str] = field(default_factory=list)
    mixed: list[tuple[str, str]] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    formats: list[tuple[str, str]] = field(default_factory=list)
    rows: set[int] = field(default_factory=set)
    columns: set[int] = field(default_factory=set)

    def take(self, cell: str, seen: str, text: str) -> None:
        """Note how a cell looks (`planlib.clean.files.struck.look`)."""
        if seen == "mixed":
            self.mixed.append((cell, text))
        elif seen:
            self.struck.append(cell)


def marks(content: bytes) -> Mapping[int, Marks]:
    """Return what the reader says nothing of, by the number of its sheet from 0.

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
    styles, formats, texts = _formats(stream)
    found: dict[int, Marks] = {}
    at = -1
    for place, kind, data in _records(stream):
        if kind == _SHEET:
            sheets.append(int.from_bytes(data[:4], "little"))
        elif kind == _BOF:  # a chart inside a sheet begins so too, at a place that is no sheet's
            at = sheets.index(place) if place in sheets else at
        elif kind in (_FORMULA, _ERROR) and (code := _code(kind, data)) is not None:
            error = address(*struct.unpack_from("<HH", data)), _WORDS.get(code, "an error")
            found.setdefault(at, Marks()).lost.append(error)
        elif kind == _ROW and data[12] & 0x20:
            found.setdefault(at, Marks()).rows.add(struct.unpack_from("<H", data)[0])
        elif kind == _COLUMNS and data[8] & 1:
            first, last = struct.unpack_from("<HH", data)
            found.setdefault(at, Marks()).columns.update(range(first, last + 1))
        if kind in _HELD and (styles or formats or texts):
            for cell, style, runs in _cells(kind, data, texts):
                if seen := look(runs, style in styles):
                    found.setdefault(at, Marks()).take(cell, seen, "".join(run.text for run in runs))
                if style in formats:
                    found.setdefault(at, Marks()).formats.append((cell, formats[style]))
    return found


def _cells(kind: int, data: bytes, texts: Mapping[int, list[Run]]) -> Iterator[tuple[str, int, Sequence[Run]]]:
    """Yield the address, the style and the parts of the text of each cell of a record."""
    row, column, style = struct.unpack_from("<HHH", data)
    if kind == _NUMBERS:
        for at in range(4, len(data) - 7, 6):
            yield address(row, column + at // 6), struct.unpack_from("<H", data, at)[0], ()
    else:
        runs = texts.get(struct.unpack_from("<I", data, 6)[0], ()) if kind == _NUMBERED else ()
        yield address(row, column), style, runs


def _formats(stream: bytes) -> tuple[set[int], dict[int, str], dict[int, list[Run]]]:
    """Return the styles that are struck out, those with a number format that may mislead, and texts of several fonts.

    The texts only if a font is struck out or raised.
    """
    fonts: list[tuple[bool, bool]] = []
    codes = dict(BUILT_IN)
    used: list[tuple[int, int]] = []
    parts: list[bytes] = []
    last = 0
    for _, kind, data in _records(stream):
        last = last if kind == _MORE else kind
        if kind == _FONT:
            fonts.append((bool(data[2] & 8), data[8] in (1, 2)))
            fonts += [(False, False)] if len(fonts) == 4 else []  # no font has the number 4
        elif kind == _FORMAT:
            number, count, is_wide = struct.unpack_from("<HHB", data)
            letters = data[5 : 5 + count * (1 + (is_wide & 1))]
            codes[number] = letters.decode("utf-16-le" if is_wide & 1 else "latin-1", "replace")
        elif kind == _STYLE:
            used.append(struct.unpack_from("<HH", data))
        elif last == _TEXTS:
            parts.append(data)
        elif kind == _END:
            break
    codes = {number: code for number, code in codes.items() if is_doubtful(code)}
    formats = {n: codes[number] for n, (_, number) in enumerate(used) if number in codes}
    if not any(map(any, fonts)):
        return set(), formats, {}
    struck = {n for n, (is_struck, _) in enumerate(fonts) if is_struck}
    texts = enumerate(_texts(parts, dict(enumerate(fonts))))
    return (
        {n for n, (font, _) in enumerate(used) if font in struck},
        formats,
        {n: runs for n, runs in texts if runs},
    )


def _texts(parts: Sequence[bytes], fonts: Mapping[int, tuple[bool, bool]]) -> Iterator[list[Run]]:
    """Yield the parts of each text of the workbook, none for one of a single font.

    Texts run on from record to record; where one is broken among its letters, the next record begins with a byte that
    says anew how wide they are.
    """
    data = b"".join(parts)
    ends = list(accumulate(map(len, parts)))
    at = 8
    while at + 3 <= len(data):
        left, flags = struct.unpack_from("<HB", data, at)
        at += 3
        count = struct.unpack_from("<H", data, at)[0] if flags & 8 else 0
        at += 2 if flags & 8 else 0
        more = struct.unpack_from("<I", data, at)[0] if flags & 4 else 0
        at += 4 if flags & 4 else 0
        letters, width = b"", 1 + (flags & 1)
        while left:
            end = ends[bisect_left(ends, at)]
            some = data[at : min(end, at + left * width)]
            letters += some if width == 2 else some.decode("latin-1").encode("utf-16-le")
            left -= len(some) // width
            at += len(some)
            if left:
                at, width = end + 1, 1 + (data[end] & 1)
        cuts = [struct.unpack_from("<HH", data, at + 4 * n) for n in range(count)]
        at += 4 * count + more
        yield _runs(letters, cuts, fonts)


def _runs(letters: bytes, cuts: Sequence[tuple[int, int]], fonts: Mapping[int, tuple[bool, bool]]) -> list[Run]:
    """Return the parts of a text; before the first cut it looks as its cell does."""
    begins = [0, *(at for at, _ in cuts), len(letters) // 2] if cuts else []
    looks = [(None, False), *(fonts.get(font, (False, False)) for _, font in cuts)]
    made = [
        Run(letters[2 * a : 2 * b].decode("utf-16-le", "replace"), *own)
        for (a, b), own in zip(pairwise(begins), looks, strict=False)
    ]
    return [run for run in made if run.text.strip()]


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

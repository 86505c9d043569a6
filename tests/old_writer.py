"""An old workbook (.xls) of given sheets: no kept library writes one, and the tests need many with every kind of dirt.

Layouts: Microsoft, MS-CFB (the file) and MS-XLS (its records; BIFF8). A cell whose value is a tuple of (text, font) is a
text of several fonts: 0 plain, `STRUCK`, `RAISED`, or None for that of the cell, which a first part alone may have.
"""

import struct

from planlib.clean.files.read import read_workbook
from planlib.clean.files.sheet import Sheet, address

STRUCK, RAISED = 5, 6  # no font has the number 4
END, FREE, TABLE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
ERRORS = {"#NULL!": 0, "#DIV/0!": 7, "#VALUE!": 15, "#REF!": 23, "#NAME?": 29, "#NUM!": 36, "#N/A": 42}


def as_old(content: bytes) -> bytes:
    """Return an .xlsx as .xls: the same sheets, cells and merged ranges."""
    return old_workbook(read_workbook(content))


def old_workbook(sheets: list[Sheet], size: int = 8224) -> bytes:
    """Return an .xls; a text like ``#N/A`` is written as an error, texts of several fonts in records of a `size`."""
    begin = record(0x0809, struct.pack("<HHHHII", 0x0600, 5, 0, 0, 0, 0x0600))
    rich = list(
        dict.fromkeys(value for sheet in sheets for row in sheet.rows for value in row if type(value) is tuple)
    )
    codes = list(dict.fromkeys(code for sheet in sheets for _, code in sheet.formats))
    begin += formats(codes) + shared(rich, size)
    bodies = [body(sheet, rich, codes) for sheet in sheets]
    names = [text(sheet.name, "<BB") for sheet in sheets]
    at = len(begin) + sum(4 + 6 + len(name) for name in names) + 4
    listed = b""
    for sheet, name, own in zip(sheets, names, bodies, strict=True):
        listed += record(0x0085, struct.pack("<IBB", at, int(sheet.is_hidden), 0) + name)
        at += len(own)
    return packed(begin + listed + record(0x000A, b"") + b"".join(bodies))


def record(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def text(value: str, head: str) -> bytes:
    coded = value.encode("utf-16-le")
    return struct.pack(head, len(coded) // 2, 1) + coded


def formats(codes: list[str]) -> bytes:
    """Return the fonts, and the styles: plain, struck out, and one for each number format."""
    looks = [(0, 0)] * 4 + [(8, 0), (0, 1)]
    fonts = [
        struct.pack("<HHHHHI", 200, line, 0x7FFF, 400, raised, 0) + text("A", "<BB") for line, raised in looks
    ]
    numbered = list(enumerate(codes, 164))
    said = [struct.pack("<H", number) + text(code, "<HB") for number, code in numbered]
    looks = [(0, 0), (STRUCK, 0), *((0, number) for number, _ in numbered)]
    styles = [struct.pack("<HHH", *look, 0) + bytes(14) for look in looks]
    kinds = [*[0x0031] * len(fonts), *[0x041E] * len(said), *[0x00E0] * len(styles)]
    return b"".join(record(kind, one) for kind, one in zip(kinds, [*fonts, *said, *styles], strict=True))


def shared(rich: list[tuple], size: int) -> bytes:
    """Return the table of texts, broken into records where the format allows it: among letters, or between fonts."""
    records = [struct.pack("<II", len(rich), len(rich))]

    def put(piece: bytes, again: bytes) -> None:
        if len(records[-1]) + len(piece) > size:
            records.append(again)
        records[-1] += piece

    for parts in rich:
        whole, fonts, at = "".join(said for said, _ in parts), [], 0
        for said, font in parts:
            fonts += [] if font is None else [struct.pack("<HH", at, font)]
            at += len(said)
        first, *letters = (letter.encode("utf-16-le") for letter in whole)
        put(struct.pack("<HBH", len(whole), 9, len(fonts)) + first, b"")
        for letter in letters:
            put(letter, b"\1")  # how wide letters are stands before them again
        for font in fonts:
            put(font, b"")
    kinds = [0x00FC, *[0x003C] * (len(records) - 1)]
    return b"".join(record(kind, one) for kind, one in zip(kinds, records, strict=True))


def body(sheet: Sheet, rich: list[tuple], codes: list[str]) -> bytes:
    styles = dict.fromkeys(sheet.struck, 1) | {place: 2 + codes.index(code) for place, code in sheet.formats}
    parts = [record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0x0600))]
    size = len(sheet.rows), max(map(len, sheet.rows), default=0)
    parts.append(record(0x0200, struct.pack("<IIHHH", 0, size[0], 0, size[1], 0)))
    # a format number, options: hidden is bit 0 of a column's and bit 5 of a row's
    parts += [record(0x007D, struct.pack("<HHHHHH", c, c, 2304, 15, 1, 0)) for c in sheet.hidden_columns]
    parts += [record(0x0208, struct.pack("<HHHHHHI", r, 0, size[1], 255, 0, 0, 0x120)) for r in sheet.hidden_rows]
    for r, row in enumerate(sheet.rows):
        parts += [
            cell(struct.pack("<HHH", r, c, styles.get(address(r, c), 0)), value, rich)
            for c, value in enumerate(row)
            if value not in ("", None)
        ]
    for at in range(0, len(sheet.merged), 1000):
        some = [struct.pack("<HHHH", r0, r1, c0, c1) for r0, c0, r1, c1 in sheet.merged[at : at + 1000]]
        parts.append(record(0x00E5, struct.pack("<H", len(some)) + b"".join(some)))
    return b"".join([*parts, record(0x000A, b"")])


def cell(place: bytes, value: object, rich: list[tuple]) -> bytes:
    if isinstance(value, tuple):
        return record(0x00FD, place + struct.pack("<I", rich.index(value)))
    if isinstance(value, bool):
        return record(0x0205, place + bytes([value, 0]))
    if isinstance(value, str) and value in ERRORS:
        return record(0x0205, place + bytes([ERRORS[value], 1]))
    if isinstance(value, str):
        return record(0x0204, place + text(value, "<HB"))
    return record(0x0203, place + struct.pack("<d", value))


def packed(stream: bytes) -> bytes:
    """Return the file that holds the workbook's records; a small stream is kept among small sectors, as Excel does."""
    is_small = len(stream) < 4096
    small = b"".join([stream, bytes(-len(stream) % 64)])
    places = len(small) // 64
    chain = struct.pack(f"<{places}I", *range(1, places), END) + b"\xff" * (512 - 4 * places) if is_small else b""
    contents = [small if is_small else stream, chain]  # then the directory and the table of sectors itself
    lengths = [-(-len(part) // 512) for part in contents] + [1]
    tables = 1
    while tables * 128 < sum(lengths) + tables:
        tables += 1
    first = [0, lengths[0], lengths[0] + lengths[1], sum(lengths)]
    table = [
        number
        for begins, n in zip(first, lengths, strict=False)
        for number in [*range(begins + 1, begins + n), END][:n]
    ]
    table += [TABLE] * tables
    table += [FREE] * (tables * 128 - len(table))
    root = entry("Root Entry", 5, 1, first[0] if is_small else END, len(small) if is_small else 0)
    folder = root + entry("Workbook", 2, FREE, 0 if is_small else first[0], len(stream)) + bytes(256)
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(10)
    head += struct.pack("<IIII", tables, first[2], 0, 4096)
    head += struct.pack("<IIII", first[1] if is_small else END, int(is_small), END, 0)
    head += struct.pack("<109I", *range(first[3], first[3] + tables), *[FREE] * (109 - tables))
    whole = [part + bytes(-len(part) % 512) for part in [*contents, folder]]
    return head + b"".join(whole) + struct.pack(f"<{len(table)}I", *table)


def entry(name: str, kind: int, child: int, first: int, length: int) -> bytes:
    coded = name.encode("utf-16-le") + b"\0\0"
    head = coded + bytes(64 - len(coded)) + struct.pack("<HBBIII", len(coded), kind, 1, FREE, FREE, child)
    return head + bytes(36) + struct.pack("<IQ", first, length)

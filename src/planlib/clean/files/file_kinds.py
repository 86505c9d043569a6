"""What a file is, by its first bytes and never by its name, and the text of one that is text.

What cannot be read is named, with how to save it: people send Word files, archives and web pages named .xls.
"""

import codecs
from collections.abc import Collection

from planlib.errors import DataError

_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_ZIP = b"PK\x03\x04"
AS_XLSX = "open it in Excel or WPS and save it as .xlsx"
_COPY = "copy its table into a workbook and save that as .xlsx"
_UNPACK = "unpack it and put the workbooks themselves into returns/"
# First bytes → what it is, what to do.
_FOREIGN = (
    (b"%PDF", "a PDF document", "ask for the workbook it was printed from"),
    (b"Rar!", "a .rar archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a .7z archive", _UNPACK),
    (b"\x1f\x8b", "a .gz archive", _UNPACK),
    (b"{\\rtf", "a Word (.rtf) document", _COPY),
    (b"\x89PNG", "a picture", "ask for the workbook it was taken from"),
    (b"\xff\xd8\xff", "a picture", "ask for the workbook it was taken from"),
    (b"\x09\x04\x06\x00", "an Excel file older than Excel 5", AS_XLSX),
    (b"\x09\x02\x06\x00", "an Excel file older than Excel 5", AS_XLSX),
    (b"\x09\x00\x04\x00", "an Excel file older than Excel 5", AS_XLSX),
    (b"\xff\xfe", "UTF-16 text", "save it as CSV UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "save it as CSV UTF-8"),
)
# Streams of the old Office files; a workbook of .xls or .et has one of the last.
_STREAMS = (
    ("EncryptedPackage", "a workbook protected by a password", "remove the password and save it again"),
    ("WordDocument", "a Word or WPS Writer document (.doc, .wps)", _COPY),
    ("PowerPoint Document", "a presentation", _COPY),
)
WORKBOOK_STREAMS = ("Workbook", "Book")
# Parts inside a zip archive that say what it is.
_PARTS = (
    ("xl/workbook.bin", "a binary workbook (.xlsb)", AS_XLSX),
    ("word/document.xml", "a Word document (.docx)", _COPY),
    ("ppt/presentation.xml", "a presentation (.pptx)", _COPY),
    ("content.xml", "an OpenDocument file", AS_XLSX),
    ("EncryptedPackage", "a workbook protected by a password", "remove the password and save it again"),
)
_MARKUP = (b"<html", b"<!doc", b"<tabl", b"<?xml", b"<meta", b"<head")
_ENCODINGS = ("gb18030", "cp950")
ENCODING_NAMES = {"utf-8-sig": "UTF-8", "utf-8": "UTF-8 without a byte-order mark"}
ENCODING_NAMES |= {"gb18030": "GB18030", "cp950": "Big5"}


def kind_of(content: bytes) -> str:
    """Return ``xlsx`` (whatever is packed: `refuse_packed` looks into it), ``xls`` (also .et) or ``text``.

    Raises
    ------
    DataError
        If the file is none of them: says what it is and how to save it.

    Examples
    --------
    >>> kind_of(b"school,students")
    'text'
    >>> kind_of(b"%PDF-1.7")
    Traceback (most recent call last):
    planlib.errors.DataError: a PDF document; ask for the workbook it was printed from
    """
    if not content.strip():
        raise DataError("an empty file; ask for it again")
    for begins, what, todo in _FOREIGN:
        if content.startswith(begins):
            raise DataError(f"{what}; {todo}")
    if content.startswith(_OLE):
        return _old_office(content)
    if content.startswith(_ZIP):
        return "xlsx"
    if content.lstrip(codecs.BOM_UTF8 + b" \r\n\t")[:5].lower() in _MARKUP:
        raise DataError(f"a web page or XML under the name of a workbook; {AS_XLSX}")
    if b"\0" in content:
        raise DataError(f"neither a workbook nor text; {AS_XLSX}")
    return "text"


def _old_office(content: bytes) -> str:
    for name, what, todo in _STREAMS:
        if stream_name(name) in content:
            raise DataError(f"{what}; {todo}")
    if any(stream_name(name) in content for name in WORKBOOK_STREAMS):
        return "xls"
    raise DataError(f"an old Office file without a workbook in it, or only a part of one; {AS_XLSX}")


def stream_name(name: str) -> bytes:
    r"""Return a stream's name as the directory of an old Office file holds it.

    Examples
    --------
    >>> stream_name("Book")
    b'B\x00o\x00o\x00k\x00\x00\x00'
    """
    return name.encode("utf-16-le") + b"\0\0"


def refuse_packed(names: Collection[str]) -> None:
    """Refuse an archive whose parts are no workbook's.

    Parameters
    ----------
    names : collection of str
        The parts in the archive.

    Raises
    ------
    DataError
    """
    for part, what, todo in _PARTS:
        if part in names:
            raise DataError(f"{what}; {todo}")
    if not any(name.startswith("xl/") for name in names):
        raise DataError(f"a .zip archive; {_UNPACK}")


def decoded(content: bytes) -> tuple[str, str]:
    """Return a text and the encoding it was read as.

    UTF-8 is certain. Else the bytes may be both GB18030 and Big5: the one in which more characters are the common
    ones of its own first level is taken.

    Raises
    ------
    DataError
        If the bytes are text in none of them.

    Examples
    --------
    >>> decoded("學校,學生".encode("big5"))
    ('學校,學生', 'cp950')
    """
    try:
        return content.decode("utf-8-sig"), "utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8"
    except UnicodeDecodeError:
        pass
    read = []
    for encoding in _ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        read.append((_common(text, encoding), text, encoding))
    if not read or b"\0" in content:
        raise DataError("text in none of UTF-8, GB18030 and Big5; save it as CSV UTF-8")
    _, text, encoding = max(read, key=lambda one: one[0])
    return text, encoding


def _common(text: str, encoding: str) -> float:
    """Return the share of characters beyond ASCII that belong to the common level of an encoding."""
    # The common Chinese characters stand together in both: rows B0 to D7 of GB2312, A4 to C6 of Big5.
    low, high = (0xB0, 0xD7) if encoding == "gb18030" else (0xA4, 0xC6)
    plain = "gb2312" if encoding == "gb18030" else "big5"
    coded = [c.encode(plain, "ignore") for c in text if ord(c) > 0x2FFF and ord(c) < 0xFF00]
    return sum(bool(c) and low <= c[0] <= high for c in coded) / max(len(coded), 1)

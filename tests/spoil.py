"""Spoil one cell of a workbook in place: its XML is edited, everything else keeps its bytes."""

import io
import re
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape


def set_cell(book: Path, sheet: int, cell: str, value: str | float) -> None:
    """Write `value` in the cell of the sheet that stands at place `sheet` (from 1); its format stays."""
    content = book.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            if name == f"xl/worksheets/sheet{sheet}.xml":
                part = _with_cell(part.decode(), cell, value).encode()
            new.writestr(name, part)
    book.write_bytes(buffer.getvalue())


def _with_cell(xml: str, cell: str, value: str | float) -> str:
    found = re.search(rf'<c r="{cell}"( s="\d+")?[^>]*?(?:/>|>.*?</c>)', xml)
    assert found, f"no cell {cell}"
    style = found[1] or ""
    if isinstance(value, str):
        written = f'<c r="{cell}"{style} t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    else:
        written = f'<c r="{cell}"{style}><v>{value}</v></c>'
    return xml[: found.start()] + written + xml[found.end() :]


def replace(path: Path, old: str, new: str, encoding: str = "utf-8") -> None:
    """Replace the first `old` of a text file."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} has no {old!r}"
    path.write_text(text.replace(old, new, 1), encoding=encoding)

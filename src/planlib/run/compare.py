"""Two executed notebooks, or two files of one report, side by side: what differs, named as a reader finds it.

Text is compared the way strict nbval does (every output, exactly, ids and counts of memory aside), but with our own
code: nbval neither looks at images nor knows a tolerance.
"""

import difflib
import hashlib
import io
import itertools
import math
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from planlib.columns import FIGURE_MIME, TABLE_MIME
from planlib.run.execute import headings

TOLERANCE = 1e-9
"""Relative: tables hold ten significant digits, so anything a person can read is far larger."""

Finding = tuple[str, str]
"""The section a difference belongs to (``code``, ``tables``, ``text``, ``figures``) and what differs."""

_BLOCKS = {"p", "li", "td", "th", "h1", "h2", "h3", "h4", "caption", "figcaption", "title", "div", "span", "a"}
_LONGEST = 120


def compare_notebooks(published: Any, again: Any) -> list[Finding]:
    """Compare every cell and output of a published notebook with the same notebook executed again.

    Parameters
    ----------
    published, again : nbformat.NotebookNode

    Returns
    -------
    list of (section, text)
        Empty if nothing differs. Numbers of tables and figures may differ by `TOLERANCE`.
    """
    pairs = list(zip(published.cells, again.cells, headings(published.cells), strict=False))
    found: list[Finding] = []
    if len(published.cells) != len(again.cells):
        what = f"the published notebook has {len(published.cells)} cells, executed again {len(again.cells)}"
        found.append(("code", what))
    for number, (one, other, heading) in enumerate(pairs, 1):
        where = f'cell {number} "{heading}"'
        if one.cell_type != other.cell_type or one.source != other.source:
            section = "text" if one.cell_type == other.cell_type == "markdown" else "code"
            found.append((section, f"{where}: {_both(one.source, other.source)}"))
        found += _compare_outputs(where, one.get("outputs", []), other.get("outputs", []))
    return found


def _compare_outputs(where: str, one: Sequence[Any], other: Sequence[Any]) -> Iterator[Finding]:
    if len(one) != len(other):
        yield "text", f"{where}: {len(one)} outputs published, {len(other)} executed again"
    for before, after in zip(one, other, strict=False):
        if before.output_type != after.output_type:
            yield "text", f"{where}: {before.output_type} published, {after.output_type} executed again"
        if before.get("text") != after.get("text"):
            yield "text", f"{where}: {_both(before.get('text'), after.get('text'))}"
        if before.get("metadata") != after.get("metadata"):
            yield "text", f"{where}: {_both(before.get('metadata'), after.get('metadata'))}"
        yield from _compare_data(where, before.get("data", {}), after.get("data", {}))


def _compare_data(where: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    """Compare an output by its kinds: values first, then the texts made of them, then the image."""
    for mime in sorted({*before, *after}, key=lambda kind: (kind not in (TABLE_MIME, FIGURE_MIME), kind)):
        one, other = before.get(mime), after.get(mime)
        if one == other:
            continue
        if mime in (TABLE_MIME, FIGURE_MIME):
            section = "tables" if mime == TABLE_MIME else "figures"
            yield from ((section, f"{where}, {text}") for text in compare_values(one or {}, other or {}))
        elif mime.startswith("image/"):
            yield "figures", f"{where}: the image is another ({_short_hash(one)} published, {_short_hash(other)})"
        elif mime == "text/html":
            texts = (blocks_of_html(str(one or "")), blocks_of_html(str(other or "")))
            yield from (("text", f"{where}: {line}") for line in _compare_blocks(*texts) or ["its HTML differs"])
        else:
            yield from (("text", f"{where}: {line}") for line in _compare_lines(str(one), str(other)))


def _short_hash(data: Any) -> str:
    return "none" if data is None else hashlib.sha256(str(data).encode()).hexdigest()[:12]


def compare_values(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Compare two typed tables cell by cell.

    Parameters
    ----------
    one, other : mapping
        As `planlib.columns.typed` makes them, published and executed again.

    Returns
    -------
    list of str
        Caption, row, column, both values.

    Examples
    --------
    >>> table = {"caption": "Places", "columns": [{"name": "n", "header": "Count"}], "keys": {"stage": ["primary"]}}
    >>> compare_values({**table, "rows": [[5.1]]}, {**table, "rows": [[5.2]]})
    ['table "Places", row 1 (primary), column "Count": published 5.1, executed again 5.2']
    """
    kind = "figure" if "title" in one or "title" in other else "table"
    name = f'{kind} "{one.get("caption") or one.get("title") or ""}"'
    found = [
        f"{name}, {key}: {_both(one.get(key), other.get(key))}"
        for key in sorted({*one, *other} - {"rows", "shown", "keys"})
        if one.get(key) != other.get(key)
    ]
    rows = (_rows(one), _rows(other))
    if len(rows[0]) != len(rows[1]):
        found.append(f"{name}: {len(rows[0])} rows published, {len(rows[1])} executed again")
    for number, (before, after) in enumerate(zip(*rows, strict=False), 1):
        label = next((v for v in before.values() if isinstance(v, str) and v), "")
        for column in dict.fromkeys([*before, *after]):
            if not _is_close(before.get(column), after.get(column)):
                place = f'{name}, row {number} ({label[:40]}), column "{column}"'
                found.append(f"{place}: {_both(before.get(column), after.get(column))}")
    return found


def _rows(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a typed table by header, the printed texts and the keys among them."""
    heads = [str(column.get("header") or column.get("name")) for column in table.get("columns", [])]
    # two columns may share a header (a cap of each stage): their names tell them apart
    twice = {head for head in heads if heads.count(head) > 1}
    names = [str(column.get("name")) for column in table.get("columns", [])]
    heads = [f"{head} [{name}]" if head in twice else head for head, name in zip(heads, names, strict=True)]
    found = []
    for number, row in enumerate(table.get("rows", [])):
        beside = {**table.get("keys", {}), **{f"{k} (printed)": v for k, v in table.get("shown", {}).items()}}
        told = {key: values[number] for key, values in beside.items() if number < len(values)}
        found.append({**told, **dict(zip(heads, row, strict=False))})
    return found


def _is_close(one: Any, other: Any) -> bool:
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in (one, other)):
        return bool(one == other)
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-12)


def _both(one: Any, other: Any) -> str:
    """Write two values, of long texts only the part around the first difference."""
    texts = ["nothing" if v is None else str(v) for v in (one, other)]
    at = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    start = 0 if max(map(len, texts)) <= _LONGEST else max(at - 40, 0)
    shown = [("…" if start else "") + " ".join(text[start : start + _LONGEST].split()) for text in texts]
    return f"published {shown[0]}, executed again {shown[1]}"


def _compare_lines(one: str, other: str) -> list[str]:
    return _compare_blocks([("", line) for line in one.splitlines()], [("", line) for line in other.splitlines()])


def _compare_blocks(one: Sequence[tuple[str, str]], other: Sequence[tuple[str, str]]) -> list[str]:
    """Return the blocks that differ: under which heading, and both texts."""
    # by their texts alone: a paragraph put in must not make all after it differ
    before, after = ([text for _, text in side] for side in (one, other))
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    found = []
    for tag, a, b, c, d in matcher.get_opcodes():
        for pair in itertools.zip_longest(one[a:b], other[c:d]) if tag != "equal" else []:
            place = (pair[0] or pair[1])[0]
            texts = [block[1] if block else None for block in pair]
            found.append((f'under "{place}": ' if place else "") + _both(*texts))
    return found


class _Blocks(HTMLParser):
    """The texts of a page, block by block, each with the heading or caption above it; images by their hash."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.heading, self.text, self.is_hidden = "", "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "script"):
            self.is_hidden = True
        if tag in _BLOCKS:
            self._end("")
        if tag == "img":
            given = dict(attrs)
            self.found.append((self.heading, f"image {_short_hash(given.get('src'))}"))
            self.found.append((self.heading, f"image text: {given.get('alt')}"))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self.is_hidden = False
        if tag in _BLOCKS:
            self._end(tag)

    def handle_data(self, data: str) -> None:
        self.text += "" if self.is_hidden else data

    def _end(self, tag: str) -> None:
        text = " ".join(self.text.split())
        if text:
            self.found.append((self.heading, text))
            if tag in ("h1", "h2", "h3", "caption"):
                self.heading = text
        self.text = ""


def blocks_of_html(page: str) -> list[tuple[str, str]]:
    """Return the texts of an HTML page with the heading or caption each stands under.

    Examples
    --------
    >>> blocks_of_html("<h2>Places</h2><p>Five.</p>")
    [('', 'Places'), ('Places', 'Five.')]
    """
    parser = _Blocks()
    parser.feed(page)
    parser.close()
    return parser.found


def compare_files(published: Path, rendered: Path) -> list[str]:
    """Compare a published file with the same file written again from the published notebook.

    Parameters
    ----------
    published, rendered : Path
        ``.html``, ``.docx``, ``.pdf`` or ``.xlsx``.

    Returns
    -------
    list of str
        Empty if the bytes are equal. Else which heading, cell, paragraph or page differs, as far as it can be told.
    """
    if published.read_bytes() == rendered.read_bytes():
        return []
    read = {".html": _page_blocks, ".xlsx": _cell_blocks, ".docx": _paragraph_blocks, ".pdf": _pdf_blocks}
    try:
        texts = [read[published.suffix](path) for path in (published, rendered)]
    except Exception as error:  # whatever a damaged file makes its reader raise, it is not the published report
        return [f"it cannot be read ({type(error).__name__}: {error})"]
    found = [line.replace("executed again", "the notebook says") for line in _compare_blocks(*texts)]
    if not found and published.suffix == ".pdf":
        found = _pages_that_look_different(published, rendered)
    return found or ["its text is that of the notebook, its bytes are not (layout, hidden parts or metadata)"]


def _pages_that_look_different(published: Path, rendered: Path) -> list[str]:
    """Name the pages of two PDFs of equal text that show something else, a picture; nothing without poppler."""
    painter = shutil.which("pdftoppm")
    if painter is None:
        return []
    looks: list[list[bytes]] = []
    for path in (published, rendered):
        with tempfile.TemporaryDirectory() as folder:
            command = [painter, "-r", "72", str(path), str(Path(folder) / "page")]
            subprocess.run(command, capture_output=True, timeout=300, check=True)
            looks.append([file.read_bytes() for file in sorted(Path(folder).iterdir())])
    pairs = enumerate(itertools.zip_longest(*looks), 1)
    return [f"page {number}: a picture is not the one of the notebook" for number, (a, b) in pairs if a != b]


def _page_blocks(path: Path) -> list[tuple[str, str]]:
    return blocks_of_html(path.read_text(encoding="utf-8"))


def _cell_blocks(path: Path) -> list[tuple[str, str]]:
    from planlib.clean.files.confined import read_workbook
    from planlib.clean.files.sheet import address

    return [
        (f"sheet {sheet.name}, {address(r, c)}", str(value))
        for sheet in read_workbook(path.read_bytes())
        for r, row in enumerate(sheet.rows)
        for c, value in enumerate(row)
        if value not in (None, "")
    ]


def _paragraph_blocks(path: Path) -> list[tuple[str, str]]:
    """Return a document's paragraphs, numbered, then its other parts by their hash."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as parts:
        if sum(part.file_size for part in parts.infolist()) > 1 << 30:
            raise ValueError("it unpacks to more than 1 GB")
        text = parts.read("word/document.xml").decode("utf-8")
        rest = [(f"part {name}", _short_hash(parts.read(name))) for name in sorted(parts.namelist())]
    paragraphs = [re.sub(r"<[^>]+>", "", part) for part in re.findall(r"<w:p[ >].*?</w:p>", text, re.S)]
    numbered = [(f"paragraph {number}", words) for number, words in enumerate(paragraphs, 1) if words]
    return numbered + [part for part in rest if part[0] != "part word/document.xml"]


def _pdf_blocks(path: Path) -> list[tuple[str, str]]:
    """Return the lines of a PDF by page where poppler is at hand, else only its hash."""
    reader = shutil.which("pdftotext")
    if reader is None:
        return [
            (
                "the whole file, for pdftotext is not at hand",
                f"bytes {hashlib.sha256(path.read_bytes()).hexdigest()}",
            )
        ]
    done = subprocess.run(
        [reader, "-layout", str(path), "-"], capture_output=True, text=True, timeout=120, check=True
    )
    pages = done.stdout.split("\f")
    return [(f"page {n}", " ".join(line.split())) for n, page in enumerate(pages, 1) for line in page.splitlines()]

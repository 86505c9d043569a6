"""One report's HTML body → a Word document and a PDF, by pandoc and typst, without the network or a font of the system."""

import base64
import copy
import datetime as dt
import importlib.util
import io
import math
import os
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from planlib import paths
from planlib.errors import ReportError, listing
from planlib.registry import label
from planlib.run.page import display_width

_FOLDER = paths.PACKAGE / "run"
_PICTURE = "data:image/png;base64,"
# What pandoc, or whoever opens the document, might load: of it only our own pictures stay.
_LOADING = ("img", "iframe", "object", "embed", "script", "style", "link", "svg", "audio", "video", "input")
# For a picture on a page, in mm: the text block of GB/T 9704-2012, less a heading and a line of text.
_ROOM = (156.0, 205.0)
_BRIEF_ROOM = (156.0, 118.0)
_LEAVES = {"h1", "h2", "h3", "h4", "p", "ul", "ol", "table", "img", "figcaption", "pre", "blockquote"}
_KEPT = {"subtitle", "note"}
_LANG = {"zh": "zh-CN", "en": "en-GB"}
_PIXELS_PER_MM = 96 / 25.4
_LONGEST_TITLE_LINE, _LONGEST_HEADER = 20, 10
# Half-width characters of table type that a page takes: upright, upright in smaller type, on its side. What needs more
# than the limits of the first two goes on.
_UPRIGHT, _DENSE, _ON_ITS_SIDE = 98, 118, 168
_MOST_UPRIGHT, _MOST_DENSE = 106, 153
# So many blocks between two wide tables, or after the last, lie on their side too: no page is left half empty.
_MOST_BETWEEN = 12
_MOST_OF_A_COLUMN, _LEAST_OF_A_COLUMN = 20, 6
_SHORT = 13  # so wide a text is not broken
_LONGEST, _LONGEST_WORD, _MARGIN = 160, 8, 2.5  # of a column; that a line makes room for; left and right of a cell
_AFTER_TABLE = 6  # points
_SHORT_TABLE = 10  # rows, the header among them
_LEAD = 112  # half-width characters, two lines: what is kept with the next is moved whole
_WORDS, _LED_TO = {"Body Text", "First Paragraph"}, {"Table Caption", "Captioned Figure"}
_UNBROKEN = re.compile(r"[^\s\u2e80-\uffff]+|[\u2e80-\uffff]")
# The time in every zip: its earliest.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def arranged(body: str, folder: Path, is_brief: bool = False) -> str:
    """Return the body as pandoc shall read it: what nbconvert wrapped laid bare, pictures and columns measured.

    Parameters
    ----------
    body : str
        Of `planlib.run.page.body`.
    folder : Path
        Where the pictures are written, as files of their own; nothing else may be read from a disk or fetched.
    is_brief : bool
        Let no table take a page of its own across.

    Returns
    -------
    str
        Blocks in a row. Divs tell by their class what a block is: ``title``, ``subtitle``, ``note``, ``verdict``,
        ``lead`` (what stays with the figure after it), ``figure``, ``caption`` (under it), ``contents``, ``dense``
        (a table in smaller type), and ``wide`` around what stands on a page of its own across.
    """
    from lxml import html

    whole = html.fragment_fromstring(body, create_parent="main")
    for number, element in enumerate([*whole.iter(*_LOADING)]):
        if element.tag == "img" and (element.get("src") or "").startswith(_PICTURE):
            _put_apart(element, folder / f"{number}.png", _BRIEF_ROOM if is_brief else _ROOM)
        else:
            element.drop_tree()
    blocks = list(_blocks(whole, "", html))
    for _, block in blocks:
        _legible(block, html)
    sizes = {at: _measure(block, html, is_brief) for at, (_, block) in enumerate(blocks) if block.tag == "table"}
    wide = {blocks[at][1] for at, size in sizes.items() if size == _ON_ITS_SIDE}
    for at, size in sizes.items():
        blocks[at] = ("dense" if size == _DENSE else blocks[at][0], blocks[at][1])
    for (_, before), (at, (kind, block)), (follows, _) in zip(
        blocks, [*enumerate(blocks)][1:], blocks[2:], strict=False
    ):
        if before.tag == "h2" and follows == "figure" and not kind and block.tag == "p":
            blocks[at] = ("lead", block)
    first = next((at for at, (kind, block) in enumerate(blocks) if block.tag == "h2" and not kind), None)
    if first is not None:
        blocks.insert(first, ("contents", html.Element("p")))
    return "\n".join(_boxed(blocks, _across(blocks, wide), html))


def _blocks(element: Any, kind: str, html: Any) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of the tree with what they are, in reading order."""
    for child in element:
        if child.tag in _LEAVES:
            css = child.get("class") or ""
            own = "title" if child.tag == "h1" else css if css in _KEPT else kind
            child.tail = None
            if child.tag == "h1":
                child.tag = "p"
                _break_title(child, html)
            elif child.tag == "img":
                own, child = "figure", _alone(child, html)
            elif child.tag == "figcaption":
                own, child.tag = "caption", "p"
            yield own, child
        elif isinstance(child.tag, str):
            inside = "verdict" if "verdict" in (child.get("class") or "").split() else kind
            yield from _blocks(child, inside, html)


def _break_title(title: Any, html: Any) -> None:
    """Break a long Chinese title where a name or a quotation ends, nearest its middle: no word is cut."""
    text = title.text_content()
    ends = [match.end() for match in re.finditer(r"[\u201d\u300b\uff09]", text)]
    if len(text) > _LONGEST_TITLE_LINE and ends:
        at = min(ends, key=lambda end: abs(end - len(text) / 2))
        title.text = text[:at]
        line = html.Element("br")
        line.tail = text[at:]
        title[:] = [line]


def _alone(image: Any, html: Any) -> Any:
    paragraph = html.Element("p")
    paragraph.append(image)
    return paragraph


def _legible(block: Any, html: Any) -> None:
    """Say in pandoc's words what the page says by its style sheet: numbers flush right, lists of paragraphs, marks."""
    for cell in block.iter("td", "th"):
        side = "right" if cell.get("class") == "number" else "left"
        cell.set("style", f"text-align:{side}")
    for item in (item for item in block.iter("li") if item.find("p") is None):
        paragraph = html.Element("p")
        paragraph.text, item.text = item.text, None
        paragraph.extend(list(item))
        item.append(paragraph)
    for mark in block.iter("span"):
        if mark.get("class") == "mark":  # pandoc would take it for a highlighter
            mark.attrib.pop("aria-hidden", None)
            mark.set("class", "shape")
            mark.set("data-colour", (mark.attrib.pop("style", "")).partition("#")[2])


def _put_apart(image: Any, file: Path, room: tuple[float, float]) -> None:
    """Write a picture as a file, and set its size: its own, unless the page is smaller."""
    content = base64.b64decode(image.get("src").removeprefix(_PICTURE))
    file.write_bytes(content)
    across, down = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))  # of the PNG's header
    natural = float(image.get("width") or across) / _PIXELS_PER_MM
    (width, height), alt = room, image.get("alt", "")
    image.attrib.clear()
    image.attrib.update(
        {
            "src": file.name,
            "alt": alt,
            "width": f"{min(natural, width, height * across / max(down, 1)):.1f}mm",
        }
    )


def _measure(table: Any, html: Any, is_brief: bool) -> int:
    """Give a table's columns their shares of the page and tell how many characters that page takes."""
    rows = [row for row in ([*row.iter("th", "td")] for row in table.iter("tr")) if row]
    count = max(map(len, rows))
    columns = [_column(cells) for cells in zip(*(row for row in rows if len(row) == count), strict=True)]
    need = 0 if is_brief else sum(column.need for column in columns)
    room = _UPRIGHT if need <= _MOST_UPRIGHT else _DENSE if need <= _MOST_DENSE else _ON_ITS_SIDE
    group = html.Element("colgroup")
    shares = _shares(columns, room)
    for share in shares:
        group.append(html.Element("col", style=f"width:{100 * share:.2f}%"))
    if len(rows[0]) == count:
        for cell, share in zip(rows[0], shares, strict=True):
            _break_header(cell, share * room - _MARGIN, html)
    caption = table.find("caption")
    table.insert(0 if caption is None else 1, group)
    return room


@dataclass(frozen=True)
class _Column:
    """How wide a column's texts are, in half-width characters: of each cell, in which words, at most and at least.

    `need` is what it takes of a page on which tables of its kind are easy to read.
    """

    widths: tuple[int, ...]
    word: int
    most: int
    least: int
    need: float

    def lines(self, size: int) -> list[int]:
        """Return how many lines each cell takes: before a word that does not fit, half of one is lost on average."""
        lost = min(self.word, _LONGEST_WORD) / 2
        return [1 if width <= size else math.ceil(width / max(size - lost, 1)) for width in self.widths]


def _column(cells: Sequence[Any]) -> _Column:
    texts = [cell.text_content() for cell in cells]
    widths = tuple(map(display_width, texts))
    # what a line cannot break: a word; Chinese breaks after every character
    words = [max(map(display_width, _UNBROKEN.findall(text)), default=0) for text in texts]
    head = max(words[0], _half(widths[0]) if words[0] <= 2 else 0)
    longest, word = max(widths[1:], default=0), max(words)
    kind = cells[-1].get("class")
    is_firm = kind == "number" or max(longest, head) <= (_MOST_OF_A_COLUMN if kind == "nowrap" else _SHORT)
    most = min(max(widths), _LONGEST)
    least = max(longest, head) if is_firm else max(word, _LEAST_OF_A_COLUMN)
    width = max(longest, head if widths[0] > _LONGEST_HEADER or words[0] > 2 else widths[0])
    need = min(width, _MOST_OF_A_COLUMN * 1.8) + 3.5 if is_firm else min(width, _MOST_OF_A_COLUMN) + 2
    return _Column(widths, word, most, min(most, least), max(need, _LEAST_OF_A_COLUMN))


def _break_header(cell: Any, size: float, html: Any) -> None:
    """Break a header without spaces that needs two lines where its halves are most alike: no sign stands alone."""
    tokens = _UNBROKEN.findall(cell.text_content())
    whole = sum(map(display_width, tokens))
    if not size < whole <= 2 * size or len(tokens) < 2 or len(cell) or " " in cell.text_content().strip():
        return
    at = min(range(1, len(tokens)), key=lambda at: abs(2 * sum(map(display_width, tokens[:at])) - whole))
    line = html.Element("br")
    cell.text, line.tail = "".join(tokens[:at]), "".join(tokens[at:])
    cell.append(line)


def _half(width: int) -> int:
    """Return half a line of Chinese, in whole characters; three of them stay together."""
    return width if width <= 6 else 2 * math.ceil(width / 4)


def _shares(columns: Sequence[_Column], room: float) -> list[float]:
    """Share a page among columns: each is as wide as its longest text, then gives up what adds the fewest lines.

    Examples
    --------
    >>> short, long = _Column((8, 8), 2, 8, 8, 10.0), _Column((40, 8), 2, 40, 6, 22.0)
    >>> [round(30 * share, 1) for share in _shares([short, long], 30)]
    [10.5, 19.5]
    """
    sizes = [column.most for column in columns]
    now = [column.lines(size) for column, size in zip(columns, sizes, strict=True)]
    while sum(sizes) + _MARGIN * len(sizes) > room:
        tall = [max(row) for row in zip(*now, strict=True)]
        after = {at: columns[at].lines(size - 1) for at, size in enumerate(sizes) if size > columns[at].least}
        if not after:
            break
        added = {
            at: sum(max(0, new - old) for new, old in zip(lines, tall, strict=True)) for at, lines in after.items()
        }
        given = min(after, key=lambda at: (added[at], -sizes[at]))
        sizes[given], now[given] = sizes[given] - 1, after[given]
    whole = [size + _MARGIN for size in sizes]
    return [size / sum(whole) for size in whole]


def _across(blocks: list[tuple[str, Any]], wide: set[Any]) -> list[bool]:
    """Tell of each block whether it stands across: headings and words before a wide table, and notes after it, too."""
    across = [any(table in wide for table in block.iter("table")) for _, block in blocks]
    for at in reversed(range(len(blocks) - 1)):
        _, block = blocks[at]
        follows_heading = at > 0 and blocks[at - 1][1].tag == "h2"
        leads = block.tag in {"h2", "h3"} or (block.tag == "p" and follows_heading)
        across[at] = across[at] or (leads and across[at + 1])
    for at in range(1, len(blocks)):
        across[at] = across[at] or (blocks[at][0] == "note" and across[at - 1])
    ends = [*(at for at, is_across in enumerate(across) if is_across), len(blocks)]
    for start, end in pairwise(ends):
        has_figure = any(kind == "figure" for kind, _ in blocks[start:end])
        if end - start - 1 <= _MOST_BETWEEN and not has_figure:
            across[start:end] = [True] * (end - start)
    return across


def _boxed(blocks: list[tuple[str, Any]], across: list[bool], html: Any) -> Iterator[str]:
    """Write the blocks in divs that say what they are."""
    sides = zip(blocks, across, strict=True)
    for is_across, side in groupby(sides, key=lambda found: found[1]):
        yield '<div class="wide">' if is_across else ""
        for kind, group in groupby((block for block, _ in side), key=lambda block: block[0]):
            yield f'<div class="{kind}">' if kind else ""
            yield from (html.tostring(block, encoding="unicode") for _, block in group)
            yield "</div>" if kind else ""
        yield "</div>" if is_across else ""


@dataclass(frozen=True)
class Facts:
    """What a document says of itself.

    Attributes
    ----------
    language : {"zh", "en"}
    title : str
        For the file's properties.
    notice : str
        Over every page; empty for none.
    made : date
        The file's date.
    is_brief : bool
        Set closely, for a report of two pages.
    """

    language: str
    title: str
    notice: str
    made: dt.date
    is_brief: bool = False


def write_documents(body: str, docx: Path | None, pdf: Path | None, facts: Facts) -> None:
    """Write a report's body as a Word document, as a PDF, or both.

    Parameters
    ----------
    body : str
        Of `planlib.run.page.body`.
    docx, pdf : Path or None
    facts : Facts

    Raises
    ------
    ReportError
        If a character has no glyph in the fonts of the PDF, or pandoc or typst fails.
    """
    with tempfile.TemporaryDirectory(prefix="planlib-") as place:
        folder = Path(place)
        text = arranged(body, folder, facts.is_brief)
        jobs = [(_write_docx, docx), (_write_pdf, pdf)]
        # each waits for a process of pandoc: together they take little longer than one
        with ThreadPoolExecutor(len(jobs)) as pool:
            asked = [pool.submit(write, text, folder, target, facts) for write, target in jobs if target]
        for done in asked:
            done.result()


def _write_docx(text: str, folder: Path, target: Path, facts: Facts) -> None:
    """Write the Word document: the reference's styles, page and page numbers, the notice over every page."""
    reference = _FOLDER / f"reference-{facts.language}{'-brief' if facts.is_brief else ''}.docx"
    options = ("--reference-doc", str(reference), "-M", f"lang={_LANG[facts.language]}")
    target.write_bytes(_finished(_pandoc(text, folder, "docx", facts.made, *options), facts))


def _pandoc(text: str, folder: Path, form: str, made: dt.date, *options: str) -> bytes:
    """Convert HTML, whose pictures lie in the folder."""
    import pypandoc

    command = [
        pypandoc.get_pandoc_path(), "-f", "html", "-t", form, "-o", "-",
        "--shift-heading-level-by=-1", "--lua-filter", str(_FOLDER / "document.lua"), *options,
    ]  # fmt: skip
    moment = dt.datetime.combine(made, dt.time(), dt.UTC)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(int(moment.timestamp()))}
    done = subprocess.run(
        command, input=text.encode(), capture_output=True, env=environment, cwd=folder, check=False
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ReportError(
            f"pandoc could not write {form} (exit {done.returncode}): {said[-1] if said else 'no word'}"
        )
    return done.stdout


def _finished(written: bytes, facts: Facts) -> bytes:
    """Complete what pandoc leaves open: sections, tables that keep together, the notice, the properties."""
    from docx import Document

    document = Document(io.BytesIO(written))
    _sections(document)
    _keep_together(document)
    _contents(document, facts)
    _notice(document, facts.notice)
    moment = dt.datetime.combine(facts.made, dt.time())
    about = document.core_properties
    about.title, about.author, about.created, about.modified = facts.title, "planlib", moment, moment
    stream = io.BytesIO()
    document.save(stream)
    return normalised(stream.getvalue())


def _sections(document: Any) -> None:
    """Give every section the page of the reference, on its side where asked; the first brings head and foot."""
    from docx.oxml.ns import qn

    body = document.element.body
    last = body.sectPr
    for at, section in enumerate(found := [*body.iter(qn("w:sectPr"))]):
        is_across = section is not last and section.find(qn("w:pgSz")).get(qn("w:orient")) == "landscape"
        if section is not last:
            for child in list(section):
                section.remove(child)
            section.extend(copy.deepcopy(child) for child in last)
        if is_across:
            _turn(section)
        if at:
            for child in section.findall(qn("w:headerReference")) + section.findall(qn("w:footerReference")):
                if len(found) > 1:
                    section.remove(child)


def _turn(section: Any) -> None:
    from docx.oxml.ns import qn

    size, margins, grid = (section.find(qn(f"w:{name}")) for name in ("pgSz", "pgMar", "docGrid"))
    width, height = size.get(qn("w:w")), size.get(qn("w:h"))
    size.set(qn("w:w"), height), size.set(qn("w:h"), width), size.set(qn("w:orient"), "landscape")
    sides = [margins.get(qn(f"w:{side}")) for side in ("top", "right", "bottom", "left")]
    for side, value in zip(("right", "bottom", "left", "top"), sides, strict=True):
        margins.set(qn(f"w:{side}"), value)
    if grid is not None:
        section.remove(grid)


def _keep_together(document: Any) -> None:
    """Let no row break over two pages, and keep a heading and its words with the picture or table after them."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Pt
    from docx.text.paragraph import Paragraph

    for table in document.element.body.iter(qn("w:tbl")):
        rows = table.findall(qn("w:tr"))
        for row in rows:
            row.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
        # a short table stays whole, a long one leaves no single row behind
        kept = rows[:-1] if len(rows) <= _SHORT_TABLE else [*rows[:2], *rows[-3:-1]]
        kept += rows[-1:] if _is_note(table.getnext(), document) else []
        for paragraph in (Paragraph(p, document) for row in kept for p in row.iter(qn("w:p"))):
            paragraph.paragraph_format.keep_with_next = True
    after_table, above = False, None
    for element in document.element.body:
        if element.tag == qn("w:tbl"):
            after_table, above = True, None
        if element.tag != qn("w:p"):
            continue
        paragraph = Paragraph(element, document)
        style = str(paragraph.style and paragraph.style.name)
        if after_table:
            paragraph.paragraph_format.space_before = Pt(_AFTER_TABLE)
        if style in _LED_TO and above is not None:  # the words that lead to a table or a figure stay with it
            above.paragraph_format.keep_with_next = True
        above = paragraph if style in _WORDS and display_width(paragraph.text) <= _LEAD else None
        after_table = False


def _is_note(element: Any, document: Any) -> bool:
    from docx.oxml.ns import qn
    from docx.text.paragraph import Paragraph

    style = Paragraph(element, document).style if element is not None and element.tag == qn("w:p") else None
    return style is not None and style.name == "Note"


def _contents(document: Any, facts: Facts) -> None:
    """Fill the list of contents: a field of Word with its entries in place, so that nothing has to be updated.

    Without page numbers: they are known to whoever lays the pages out, not to whoever writes the document, and a field
    marked as out of date makes Word ask before it opens. Whoever updates the field gets them.
    """
    from docx.oxml.ns import qn
    from docx.text.paragraph import Paragraph

    place = next(document.element.body.iter(qn("w:sdt")), None)
    if place is None:
        return
    whole = (Paragraph(element, document) for element in document.element.body.iter(qn("w:p")))
    styles = ((str(paragraph.style and paragraph.style.name), paragraph) for paragraph in whole)
    headings = [(style, paragraph) for style, paragraph in styles if style in ("Heading 1", "Heading 2")]
    if facts.is_brief or not headings:
        place.getparent().remove(place)
        return
    inside = place.find(qn("w:sdtContent"))
    _entry(document, inside, "TOC Heading", label("contents", facts.language, "page"))
    for number, (style, heading) in enumerate(headings, 1):
        mark = f'w:id="{100000 + number}"', f'w:name="_Toc{number:09d}"'
        heading._p.insert(1, _xml(f"<w:bookmarkStart {' '.join(mark)}/>"))
        heading._p.append(_xml(f"<w:bookmarkEnd {mark[0]}/>"))
        _entry(document, inside, f"TOC {style[-1]}", heading.text, number)
    for run in reversed(_FIELD[:-1]):
        inside[1].insert(1, _xml(run))
    inside[-1].append(_xml(_FIELD[-1]))


_FIELD = (
    '<w:r><w:fldChar w:fldCharType="begin"/></w:r>',
    r'<w:r><w:instrText xml:space="preserve"> TOC \o "1-2" \h \z \u </w:instrText></w:r>',
    '<w:r><w:fldChar w:fldCharType="separate"/></w:r>',
    '<w:r><w:fldChar w:fldCharType="end"/></w:r>',
)


def _entry(document: Any, parent: Any, style: str, text: str, number: int = 0) -> None:
    """Append a paragraph of the contents, a link to a numbered heading."""
    from docx.text.paragraph import Paragraph

    element = _xml("<w:p/>")
    parent.append(element)
    paragraph = Paragraph(element, document)
    paragraph.style = document.styles[style]
    run = paragraph.add_run(text)._r
    if number:
        link = _xml(f'<w:hyperlink w:anchor="_Toc{number:09d}" w:history="1"/>')
        link.append(run)
        element.append(link)


def _xml(text: str) -> Any:
    """Return an element of WordprocessingML."""
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    name = re.match(r"<[\w:]+", text)
    return parse_xml(f"{name[0]} {nsdecls('w')}{text[name.end() :]}" if name else text)


def _notice(document: Any, notice: str) -> None:
    section = document.sections[0]
    for header in (section.header, section.even_page_header):
        for run in header.paragraphs[0].runs:
            run.text = notice


def normalised(
    content: bytes,
    parts: Mapping[str, bytes] | None = None,
    swaps: Mapping[str, tuple[str, str]] | None = None,
) -> bytes:
    """Return a zipped document with its parts in order and without times, so that equal contents are equal bytes.

    Parameters
    ----------
    content : bytes
    parts : mapping, optional
        Parts to put in place of its own.
    swaps : mapping, optional
        Part → text and what to write for it.

    Examples
    --------
    >>> stream = io.BytesIO()
    >>> with zipfile.ZipFile(stream, "w") as archive:
    ...     archive.writestr("a", "1")
    >>> normalised(stream.getvalue()) == normalised(stream.getvalue())
    True
    """
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        # a reader wants the list of contents first
        for name in sorted(source.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            data = (parts or {}).get(name) or source.read(name)
            if name in (swaps or {}):
                old, new = (swaps or {})[name]
                data = data.decode().replace(old, new).encode()
            how = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED  # a PNG shrinks no more
            target.writestr(zipfile.ZipInfo(name, _EPOCH), data, how)
    return stream.getvalue()


def _write_pdf(text: str, folder: Path, target: Path, facts: Facts) -> None:
    """Write the PDF, its fonts embedded."""
    import typst

    converted = _pandoc(text, folder, "typst", facts.made).decode()
    told = {
        "title": facts.title,
        "notice": facts.notice,
        "language": facts.language,
        "contents": label("contents", facts.language, "page"),
        "brief": "yes" if facts.is_brief else "no",
    }
    _check_glyphs(converted + "".join(told.values()))
    source = folder / "report.typ"
    source.write_text((_FOLDER / "report.typ").read_text(encoding="utf-8") + converted, encoding="utf-8")
    moment = int(dt.datetime.combine(facts.made, dt.time(), dt.UTC).timestamp())
    try:
        content = typst.compile(
            str(source), root=str(folder), font_paths=[str(file.parent) for file in _font_files()],
            ignore_system_fonts=True, sys_inputs=told, timestamp=moment,
        )  # fmt: skip
    except (RuntimeError, typst.TypstError) as error:
        raise ReportError(f"typst could not write the PDF: {str(error).strip().splitlines()[0]}") from None
    target.write_bytes(content)


def _check_glyphs(text: str) -> None:
    """Refuse a text with a character that would print as an empty box."""
    faults = [f"{character!r} (U+{ord(character):04X})" for character in _without_glyph(text)]
    if faults:
        hint = "mend the text in the data; such characters often come from a file read in the wrong encoding"
        raise ReportError(listing("characters that no font of the PDF can print", faults, hint))


def _font_files() -> list[Path]:
    """Return Noto Sans SC, and DejaVu Sans for the few signs that it lacks: the two fonts of every figure."""
    spec = importlib.util.find_spec("matplotlib")
    folders = (Path(folder) for folder in (spec.submodule_search_locations or [])) if spec else ()
    second = (folder / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf" for folder in folders)
    return [paths.font_file(), *(file for file in second if file.is_file())]


def _without_glyph(text: str) -> list[str]:
    return [c for c in dict.fromkeys(text) if ord(c) not in _covered() and c not in "\n\t\r"]


@cache
def _covered() -> frozenset[int]:
    """Code points for which a font has a glyph, read without Matplotlib: the runner draws nothing."""
    from fontTools.ttLib import TTFont

    points: set[int] = set()
    for file in _font_files():
        with TTFont(file, lazy=True) as font:
            points.update(font.getBestCmap())
    return frozenset(points)

"""Blocks → a Word document in the styles of the reference, complete and in equal bytes for equal contents."""

import copy
import datetime as dt
import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planlib.registry import label
from planlib.run.document.pandoc import FOLDER, Facts, convert
from planlib.run.page import display_width

_LANG = {"zh": "zh-CN", "en": "en-GB"}
_AFTER_TABLE = 6  # points
_SHORT_TABLE = 10  # rows, the header among them
_LEAD = 112  # half-width characters, two lines: what is kept with the next is moved whole
_WORDS, _LED_TO = {"Body Text", "First Paragraph"}, {"Table Caption", "Captioned Figure"}
# The time in every zip: its earliest.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FIELD = (
    '<w:r><w:fldChar w:fldCharType="begin"/></w:r>',
    r'<w:r><w:instrText xml:space="preserve"> TOC \o "1-2" \h \z \u </w:instrText></w:r>',
    '<w:r><w:fldChar w:fldCharType="separate"/></w:r>',
    '<w:r><w:fldChar w:fldCharType="end"/></w:r>',
)


def write_docx(text: str, folder: Path, target: Path, facts: Facts) -> None:
    """Write the Word document: the reference's styles, page and page numbers, the notice over every page."""
    reference = FOLDER / f"reference-{facts.language}{'-brief' if facts.is_brief else ''}.docx"
    options = ("--reference-doc", str(reference), "-M", f"lang={_LANG[facts.language]}")
    target.write_bytes(_finished(convert(text, folder, "docx", facts.made, *options), facts))


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

"""Make the Word documents whose styles, page and page numbers the reports take over, from definitions/document.yml.

Usage: python tools/reference.py
"""

import io
import sys
from typing import Any

from docx import Document
from docx.enum.section import WD_ORIENT
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt

from planlib import paths
from planlib.registry import load_definitions
from planlib.run.document import normalised

ALIGN = {"center": WD_ALIGN_PARAGRAPH.CENTER, "justify": WD_ALIGN_PARAGRAPH.JUSTIFY}
KEPT = {"Normal", "Default Paragraph Font", "Normal Table", "No List"}
TWIPS_PER_MM = 56.6929


def main() -> int:
    """Write the documents into the package: for each language of full length and brief."""
    layout = load_definitions("document")
    for kind in ("zh", "en", "zh_brief", "en_brief"):
        target = paths.PACKAGE / "run" / "document" / f"reference-{kind.replace('_', '-')}.docx"
        target.write_bytes(reference(layout, kind))
        print(target.name)
    return 0


def reference(layout: dict[str, Any], kind: str) -> bytes:
    """Return the document of a kind: ``zh``, ``en``, ``zh_brief``, ``en_brief``."""
    document, own, language = Document(), layout[kind], kind[:2]
    for style in list(document.styles):
        if style.name not in KEPT:
            style.delete()
    _defaults(document, layout["fonts"], own["styles"]["Body Text"], language)
    page = own["page"]
    for name, how in own["styles"].items():
        _style(document, name, how, layout["fonts"], page["width"] - page["left"] - page["right"])
    _hyperlink(document)
    _table_style(document)
    _page(document.sections[0], own)
    _furniture(document, own, layout["fonts"])
    stream = io.BytesIO()
    document.save(stream)
    return normalised(
        stream.getvalue(), {"word/fontTable.xml": _font_table(layout["fonts"])}, _theme(layout["fonts"])
    )


def _fonts(element: Any, east: str, latin: str) -> None:
    """Name a font for every script: where eastAsia is absent, Word chooses one for Chinese by itself."""
    properties = element.get_or_add_rPr()
    found = properties.find(qn("w:rFonts"))
    if found is not None:
        properties.remove(found)
    fonts = OxmlElement("w:rFonts")
    for script, name in (("ascii", latin), ("hAnsi", latin), ("cs", latin), ("eastAsia", east)):
        fonts.set(qn(f"w:{script}"), name)
    properties.insert(0, fonts)


def _defaults(document: Any, fonts: dict[str, Any], body: dict[str, Any], language: str) -> None:
    defaults = document.styles.element.find(qn("w:docDefaults"))
    run = defaults.find(qn("w:rPrDefault")).find(qn("w:rPr"))
    for child in list(run):
        run.remove(child)
    east, latin = fonts[body["east"]]["name"], body["latin"]
    value = "zh-CN" if language == "zh" else "en-GB"
    for xml in (
        f'<w:rFonts {nsdecls("w")} w:ascii="{latin}" w:hAnsi="{latin}" w:cs="{latin}" w:eastAsia="{east}"/>',
        f'<w:kern {nsdecls("w")} w:val="2"/>',
        f'<w:sz {nsdecls("w")} w:val="{int(body["size"] * 2)}"/>',
        f'<w:lang {nsdecls("w")} w:val="{"en-US" if language == "zh" else value}" w:eastAsia="zh-CN" w:bidi="ar-SA"/>',
    ):
        run.append(parse_xml(xml))
    paragraph = defaults.find(qn("w:pPrDefault")).find(qn("w:pPr"))
    for child in list(paragraph):
        paragraph.remove(child)
    _fonts(document.styles["Normal"].element, east, latin)


def _style(document: Any, name: str, how: dict[str, Any], fonts: dict[str, Any], width: float) -> None:
    style = document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH, builtin=name not in {"Note", "Small Table"})
    style.base_style = document.styles["Normal"]
    style.hidden, style.quick_style = False, True
    style.font.size, style.font.bold = Pt(how["size"]), how.get("bold", False)
    _fonts(style.element, fonts[how["east"]]["name"], how["latin"])
    form = style.paragraph_format
    form.space_before, form.space_after = Pt(how.get("before", 0)), Pt(how.get("after", 0))
    form.alignment = ALIGN.get(how.get("align", ""))
    form.keep_with_next, form.widow_control = how.get("keep_next", False), True
    if "line" in how:
        form.line_spacing_rule, form.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(how["line"])
    properties = style.element.get_or_add_pPr()
    if how.get("dense"):  # no extra space between figures and characters: a date in a column stays on its line
        _append(properties, '<w:autoSpaceDE {ns} w:val="0"/>')
        _append(properties, '<w:autoSpaceDN {ns} w:val="0"/>')
    if "line" in how or "single" in how:
        _append(properties, '<w:snapToGrid {ns} w:val="0"/>')
    if count := how.get("first_line"):  # by characters for Word, by length for others
        twips = round(count * how["size"] * 20)
        _append(properties, f'<w:ind {{ns}} w:firstLineChars="{count * 100}" w:firstLine="{twips}"/>')
    if how.get("left"):
        _append(properties, f'<w:ind {{ns}} w:left="{round(how["left"] * how["size"] * 20)}"/>')
    if how.get("closer"):
        closer = OxmlElement("w:spacing")
        closer.set(qn("w:val"), str(round(-how["closer"] * 20)))
        style.element.get_or_add_rPr().append(closer)
    if name in {"TOC 1", "TOC 2"}:  # where the page numbers come when the contents are updated
        tab = f'<w:tab w:val="right" w:leader="dot" w:pos="{round(width * TWIPS_PER_MM)}"/>'
        _append(properties, f"<w:tabs {{ns}}>{tab}</w:tabs>")
    if name.startswith("Heading"):
        _append(properties, f'<w:outlineLvl {{ns}} w:val="{int(name[-1]) - 1}"/>')


# The order in which the schema of WordprocessingML wants what this script adds to a paragraph's properties.
_ORDER = (
    "keepNext",
    "keepLines",
    "widowControl",
    "pBdr",
    "tabs",
    "autoSpaceDE",
    "autoSpaceDN",
    "snapToGrid",
    "spacing",
    "ind",
    "jc",
    "outlineLvl",
)


def _append(properties: Any, xml: str) -> None:
    added = parse_xml(xml.format(ns=nsdecls("w")))
    rank = _ORDER.index(added.tag.split("}")[1])
    for at, child in enumerate(properties):
        name = child.tag.split("}")[1]
        if name in _ORDER and _ORDER.index(name) > rank:
            properties.insert(at, added)
            return
    properties.append(added)


def _hyperlink(document: Any) -> None:
    document.styles.add_style("Hyperlink", WD_STYLE_TYPE.CHARACTER, builtin=True)


def _table_style(document: Any) -> None:
    """Add pandoc's table style: rules above, below and under the header; thin lines between rows."""
    line = '<w:{side} w:val="single" w:sz="{size}" w:space="0" w:color="{colour}"/>'
    sides = [("top", 12, "1B1F24"), ("bottom", 12, "1B1F24"), ("insideH", 4, "B8BEC5")]
    borders = "".join(line.format(side=side, size=size, colour=colour) for side, size, colour in sides)
    document.styles.element.append(
        parse_xml(
            f'<w:style {nsdecls("w")} w:type="table" w:customStyle="1" w:styleId="Table"><w:name w:val="Table"/>'
            '<w:basedOn w:val="TableNormal"/><w:qFormat/>'
            f"<w:tblPr><w:tblBorders>{borders}</w:tblBorders><w:tblCellMar>"
            '<w:top w:w="28" w:type="dxa"/><w:left w:w="57" w:type="dxa"/>'
            '<w:bottom w:w="28" w:type="dxa"/><w:right w:w="57" w:type="dxa"/></w:tblCellMar></w:tblPr>'
            '<w:tblStylePr w:type="firstRow"><w:rPr><w:b/></w:rPr><w:tcPr><w:tcBorders>'
            '<w:bottom w:val="single" w:sz="8" w:space="0" w:color="1B1F24"/></w:tcBorders>'
            '<w:shd w:val="clear" w:color="auto" w:fill="F4F6F8"/></w:tcPr></w:tblStylePr></w:style>'
        )
    )


def _page(section: Any, own: dict[str, Any]) -> None:
    page, grid = own["page"], own["grid"]
    section.orientation = WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Mm(page["width"]), Mm(page["height"])
    section.top_margin, section.bottom_margin = Mm(page["top"]), Mm(page["bottom"])
    section.left_margin, section.right_margin = Mm(page["left"]), Mm(page["right"])
    section.header_distance, section.footer_distance = Mm(page["header"]), Mm(page["footer"])
    found = section._sectPr.find(qn("w:docGrid"))
    if found is not None:
        section._sectPr.remove(found)
    if not grid:
        return
    pitch = int((page["height"] - page["top"] - page["bottom"]) / grid["lines"] * TWIPS_PER_MM)
    section._sectPr.append(parse_xml(f'<w:docGrid {nsdecls("w")} w:type="lines" w:linePitch="{pitch}"/>'))


def _furniture(document: Any, own: dict[str, Any], fonts: dict[str, Any]) -> None:
    """Put the place of the notice into the headers and the page number into the outer foot of every page."""
    document.settings.odd_and_even_pages_header_footer = True
    section, number = document.sections[0], own["number"]
    for header in (section.header, section.even_page_header):
        header.is_linked_to_previous = False
        _line(header.paragraphs[0], ["NOTICE"], own["notice"], fonts, WD_ALIGN_PARAGRAPH.CENTER)
    for footer, side in ((section.footer, "right"), (section.even_page_footer, "left")):
        footer.is_linked_to_previous = False
        line = footer.paragraphs[0]
        align = WD_ALIGN_PARAGRAPH.RIGHT if side == "right" else WD_ALIGN_PARAGRAPH.LEFT
        _line(line, ["— ", "PAGE", " —"], number, fonts, align)
        setattr(line.paragraph_format, f"{side}_indent", Pt(number["indent"]))


def _line(paragraph: Any, texts: list[str], how: dict[str, Any], fonts: dict[str, Any], align: Any) -> None:
    paragraph.alignment = align
    paragraph.style = None
    for text in texts:
        run = paragraph.add_run("" if text == "PAGE" else text)
        run.font.size = Pt(how["size"])
        _fonts(run._r, fonts[how["east"]]["name"], how["latin"])
        if text == "PAGE":
            for kind in ("begin", "PAGE", "end"):
                run._r.append(
                    parse_xml(f'<w:instrText {nsdecls("w")} xml:space="preserve"> PAGE </w:instrText>')
                    if kind == "PAGE"
                    else parse_xml(f'<w:fldChar {nsdecls("w")} w:fldCharType="{kind}"/>')
                )


def _font_table(fonts: dict[str, Any]) -> bytes:
    """Return the table of fonts: where a name is not installed, Word takes one of the others."""
    entries = "".join(
        f'<w:font w:name="{font["name"]}"><w:altName w:val="{font["other"]}"/><w:charset w:val="86"/>'
        '<w:family w:val="auto"/><w:pitch w:val="variable"/></w:font>'
        for font in fonts.values()
    )
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    return f"{head}<w:fonts {nsdecls('w')}>{entries}</w:fonts>".encode()


def _theme(fonts: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return what to replace in the theme, so that nothing that follows it loses its Chinese font."""
    return {"word/theme/theme1.xml": ('<a:ea typeface=""/>', f'<a:ea typeface="{fonts["body"]["name"]}"/>')}


if __name__ == "__main__":
    sys.exit(main())

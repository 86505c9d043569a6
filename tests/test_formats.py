"""What a report is handed in as: every format from one executed notebook, in equal bytes, with text as text."""

import datetime as dt
import html
import json
import re
import runpy
import zipfile
from pathlib import Path

import lxml.etree
import lxml.html
import nbformat
import pandas as pd
import pytest
from docx import Document
from docx.enum.text import WD_TAB_LEADER
from docx.oxml.ns import qn
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

from planlib import narrative, paths
from planlib.columns import TABLE_MIME, Column
from planlib.errors import ReportError, UsageError
from planlib.figures import style
from planlib.figures.picture import sheet
from planlib.registry import load_definitions
from planlib.run.annex import sheet_name, write_annex
from planlib.run.document import Facts, arranged, write_documents
from planlib.run.formats import FORMATS, chosen_formats, write_formats
from planlib.words import visible

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = {
    "parameters": {"district": "shangcheng", "year": 2023, "cutoff": "2022-12-31", "language": "zh"},
    "is_simulated": True,
}
FRAME = pd.DataFrame(
    {
        "school_id": ["S1", "S2", "S3"],
        "school_name": ["=cmd|' /C calc'!A0", "@SUM(1)", "-1+1"],
        "students": [1234, 5, None],
        "share": [0.4213, 1.0, None],
        "opened": ["2021-09-01", "2022-09-01", ""],
        "value": [3.133, 42.5, 2911000000.0],
        "value_shown": ["3.13万人", ">42.5%", "29.11亿元"],
        "unit": ["ten_thousand_persons", "percent", "yuan"],
    }
)
COLUMNS = [
    Column("school_name", "school"),
    Column("students", "students_expected", "number", 0),
    Column("share", "progress", "percent"),
    Column("opened", "opened", "iso"),
    Column("value_shown", "value", "figure", value="value"),
]


def notebook_of(*shown, language="zh"):
    """Return an executed notebook that shows these tables and figures, each under a heading of its own."""
    cells = [nbformat.v4.new_markdown_cell("<!-- zh -->\n# 题名\n<!-- en -->\n# Title")]
    for number, thing in enumerate(shown, 1):
        bundle = thing._repr_mimebundle_() if hasattr(thing, "_repr_mimebundle_") else {}
        data, about = bundle if isinstance(bundle, tuple) else (bundle, {})
        if hasattr(thing, "_repr_html_"):
            data = {**data, "text/html": thing._repr_html_(), "text/plain": repr(thing)}
        output = nbformat.v4.new_output("execute_result", data=data, metadata=about, execution_count=number)
        cells.append(
            nbformat.v4.new_markdown_cell(f"<!-- zh -->\n## 第{number}章\n<!-- en -->\n## Chapter {number}")
        )
        cells.append(nbformat.v4.new_code_cell("1", outputs=[output], execution_count=number))
    return nbformat.v4.new_notebook(cells=cells)


def table(language="zh", frame=FRAME):
    return narrative.Table(frame, COLUMNS, "学校/情况: 表", language, ["=1+1 is a note"])


@pytest.fixture
def annex(tmp_path):
    target = tmp_path / "annex.xlsx"
    facts = {"title": "题名", "notice": "模拟数据：& 说明", "来源": "甲\n乙"}
    write_annex(notebook_of(table(), table()), target, "zh", facts, dt.date(2022, 12, 31))
    return target


def test_the_annex_has_typed_values_equal_to_the_frame(annex):
    rows = CalamineWorkbook.from_path(str(annex)).get_sheet_by_index(1).to_python(skip_empty_area=False)
    assert rows[0][0] == "表1　学校/情况: 表"
    assert rows[1][0].startswith("模拟数据")
    assert rows[3] == ["学校", "预计在校生（人）", "进度", "开学", "现值", "学校标识码", "单位"]
    assert rows[4] == [FRAME["school_name"][0], 1234, 0.4213, dt.date(2021, 9, 1), 3.133, "S1", "万人"]
    assert rows[6] == ["-1+1", "", "", "", 2911000000, "S3", "元"]
    assert rows[8][0] == "=1+1 is a note"


def test_the_annex_has_no_formula_and_no_link_to_the_outside(annex):
    with zipfile.ZipFile(annex) as book:
        parts = {name: book.read(name).decode("utf-8", "replace") for name in book.namelist()}
    assert not [name for name, text in parts.items() if "<f>" in text or "<f " in text]
    assert not [name for name, text in parts.items() if 'TargetMode="External"' in text]
    sheets = [text for name, text in parts.items() if name.startswith("xl/worksheets/sheet")]
    assert all("模拟数据：&amp;&amp; 说明" in text for text in sheets)
    assert all('state="frozen"' in text for text in sheets[1:])
    styles = parts["xl/styles.xml"]
    assert "0.00&quot;万人&quot;" in styles
    assert "&quot;&gt;&quot;0.0&quot;%&quot;" in styles
    assert "#,##0&quot;元&quot;" in styles


def test_sheets_are_listed_with_legal_names_of_their_own(annex):
    book = CalamineWorkbook.from_path(str(annex))
    assert book.sheet_names == ["目录", "表1 学校 情况 表", "表2 学校 情况 表"]
    front = book.get_sheet_by_index(0).to_python()
    assert ["来源", "甲", "", ""] in front
    assert ["表2 学校 情况 表", "学校/情况: 表", "第2章", 3] in front
    taken = set()
    names = [sheet_name("x" * 40, taken) for _ in range(12)]
    assert len({n.casefold() for n in names}) == 12
    assert all(len(n) <= 31 for n in names)


def test_equal_notebooks_give_equal_bytes_in_every_format(tmp_path):
    notebook, formats = notebook_of(table()), chosen_formats("midterm")
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files = write_formats(notebook, tmp_path / name, "report", MANIFEST, formats)
        made.append({file.suffix: file.read_bytes() for file in files})
    assert set(made[0]) == {f".{form}" for form in formats}
    assert made[0] == made[1]


@pytest.fixture(scope="module")
def long_report(tmp_path_factory):
    """Return the folder of a report with a wide table of many rows and a tall figure, in Chinese."""
    rows = pd.concat([FRAME] * 25, ignore_index=True)
    wide = narrative.frame(
        rows.assign(**{f"note{n}": "一段不短的说明文字，要占一整列" for n in range(6)}), "zh", most=99
    )
    with style():
        picture = sheet(9.0, 14.0, "高图", "zh").picture("一句说明", FRAME, "status_overview")
    told = narrative.Text([("h1", "《某市某区教育事业“十四五”发展规划》实施情况中期评估报告"), ("p", "正文。")])
    folder = tmp_path_factory.mktemp("long")
    write_formats(notebook_of(told, table(), wide, picture), folder, "r", MANIFEST, FORMATS)
    return folder


def test_the_notice_stands_on_every_page_of_the_pdf(long_report):
    reader = PdfReader(long_report / "r.pdf")
    sides = [page.mediabox.width > page.mediabox.height for page in reader.pages]
    assert len(sides) > 3
    assert True in sides
    assert all("模拟数据" in re.sub(r"\s", "", page.extract_text()) for page in reader.pages)
    assert reader.metadata.title == "题名"
    assert reader.trailer["/Root"]["/Lang"] == "zh-CN"
    assert len(reader.outline) == 4
    fonts = {
        str(font["/BaseFont"])
        for page in reader.pages
        for font in map(_object, page["/Resources"]["/Font"].values())
    }
    assert all(re.match(r"/[A-Z]{6}\+(NotoSansSC|DejaVuSans)", font) for font in fonts), "embedded, and no other"


def _object(reference):
    return reference.get_object()


def test_the_word_document_follows_the_layout_of_official_documents(long_report):
    document = Document(long_report / "r.docx")
    first, *others = document.sections
    assert [round(side.mm) for side in (first.page_width, first.page_height)] == [210, 297]
    assert [round(side.mm) for side in (first.top_margin, first.left_margin, first.bottom_margin)] == [37, 28, 35]
    assert any(section.page_width > section.page_height for section in others)
    assert document.styles["Title"].font.size.pt == 22
    assert document.styles["Body Text"].font.size.pt == 16
    lines = first._sectPr.find(qn("w:docGrid")).get(qn("w:linePitch"))
    assert int(225 / 25.4 * 1440 / int(lines)) == 22
    for header in (first.header, first.even_page_header):
        assert header.paragraphs[0].text.startswith("模拟数据")
    assert not any(section.header.is_linked_to_previous for section in [first])
    assert all(section.header.is_linked_to_previous for section in others)
    assert "PAGE" in first.footer._element.xml
    assert document.settings.odd_and_even_pages_header_footer


def test_every_style_of_the_word_document_names_a_chinese_font(long_report):
    with zipfile.ZipFile(long_report / "r.docx") as archive:
        styles = lxml.etree.fromstring(archive.read("word/styles.xml"))
        theme, table = (archive.read(f"word/{name}").decode() for name in ("theme/theme1.xml", "fontTable.xml"))
    assert styles.find(f"{qn('w:docDefaults')}//{qn('w:rFonts')}").get(qn("w:eastAsia")) == "仿宋_GB2312"
    named = {}
    for element in styles.iter(qn("w:style")):
        fonts = element.find(f"{qn('w:rPr')}/{qn('w:rFonts')}")
        named[element.find(qn("w:name")).get(qn("w:val"))] = None if fonts is None else fonts.get(qn("w:eastAsia"))
    assert named["Title"] == "方正小标宋简体"
    assert (named["heading 1"], named["heading 2"]) == ("黑体", "楷体_GB2312")
    assert named["Body Text"] == named["Normal"] == "仿宋_GB2312"
    assert 'typeface=""' not in re.sub(r"<a:cs[^>]*>", "", theme)
    assert "altName" in table


def test_tables_and_figures_carry_one_count_in_every_format(long_report):
    expected = ["表1　学校/情况: 表", "表2", "图1　主要指标完成情况"]
    page = lxml.html.parse(str(long_report / "r.html"))
    shown = page.xpath("//caption|//figcaption")
    assert [element.text_content() for element in shown] == expected
    assert [element.getprevious().tag if element.tag == "figcaption" else "above" for element in shown][2] == "img"
    document = Document(long_report / "r.docx")
    styles = ("Table Caption", "Image Caption")
    assert [p.text for p in document.paragraphs if p.style.name in styles] == expected
    pdf = re.sub(r"\s", "", "".join(page.extract_text() for page in PdfReader(long_report / "r.pdf").pages))
    assert all(re.sub(r"\s", "", words) in pdf for words in expected)
    sheets = CalamineWorkbook.from_path(str(long_report / "r.xlsx")).sheet_names
    assert sheets[1:] == ["表1 学校 情况 表", "表2 第3章", "图1 主要指标完成情况"]


def test_the_contents_of_the_word_document_need_no_update(long_report):
    document = Document(long_report / "r.docx")
    headings = [p.text for p in document.paragraphs if p.style.name in ("Heading 1", "Heading 2")]
    place = document.element.body.find(qn("w:sdt"))
    lines = ["".join(text.text for text in p.iter(qn("w:t"))) for p in place.iter(qn("w:p"))]
    assert lines == ["目录", *headings]
    assert [char.get(qn("w:fldCharType")) for char in place.iter(qn("w:fldChar"))] == ["begin", "separate", "end"]
    anchors = [link.get(qn("w:anchor")) for link in place.iter(qn("w:hyperlink"))]
    marks = {mark.get(qn("w:name")) for mark in document.element.body.iter(qn("w:bookmarkStart"))}
    assert set(anchors) <= marks
    (tab,) = document.styles["TOC 1"].paragraph_format.tab_stops
    assert (round(tab.position.mm), tab.leader) == (156, WD_TAB_LEADER.DOTS), "page numbers, once it is updated"
    # what would make Word ask before it opens
    assert "updateFields" not in document.settings.element.xml
    assert "w:dirty" not in document.element.xml


def test_a_brief_report_is_two_pages_of_narrow_margins_without_contents(tmp_path):
    notebook = notebook_of(table())
    notebook.metadata["is_brief"] = True
    write_formats(notebook, tmp_path, "r", MANIFEST, ["docx"])
    document = Document(tmp_path / "r.docx")
    assert document.element.body.find(qn("w:sdt")) is None
    assert document.sections[0].left_margin.mm < 20
    assert document.styles["Body Text"].font.size.pt < 10


def test_tables_and_figures_of_the_word_document_fit_and_speak(long_report):
    document = Document(long_report / "r.docx")
    for found in document.tables:
        assert found.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None
        assert found._tbl.tblPr.find(qn("w:tblW")).get(qn("w:type")) == "pct"
    used = [{p.style.name for cell in found._cells for p in cell.paragraphs} for found in document.tables]
    assert used == [{"Compact"}, {"Small Table"}], "the one on its side is set smaller"
    drawing = document.element.body.find(f".//{qn('wp:docPr')}")
    assert drawing.get("descr") == "一句说明"
    extent = document.element.body.find(f".//{qn('wp:extent')}")
    assert int(extent.get("cx")) / 36000 <= 156
    assert int(extent.get("cy")) / 36000 <= 206


def test_words_stay_with_the_table_they_lead_to_and_notes_of_another_do_not(tmp_path):
    rows = '<tr><th scope="col">a</th></tr><tr><td>1</td></tr></table>'
    long = "长" * 200
    first, second = (f"<table><caption>表{number}</caption>{rows}" for number in (1, 2))
    text = f'<p>上文。</p><p>下表。</p>{first}<p class="note">注。</p>{second}<p>{long}</p>{first}'
    write_documents(text, tmp_path / "r.docx", None, Facts("zh", "题", "", dt.date(2022, 12, 31)))
    document = Document(tmp_path / "r.docx")
    assert [p.text for p in document.paragraphs if p.paragraph_format.keep_with_next] == ["下表。"]


def test_columns_share_a_page_so_that_rows_are_low(tmp_path):
    """A long text and a short one: the long one has what the short one does not need, whatever the header says."""
    head = '<tr><th scope="col">序时进度比</th><th scope="col">口径</th></tr>'
    rows = f'<tr><td class="number">1.2</td><td>{"字" * 150}</td></tr>' * 3
    shares = re.findall(r"width:([\d.]+)%", arranged(f"<table>{head}{rows}</table>", tmp_path))
    assert 5 < float(shares[0]) < 12


def test_the_shipped_references_are_what_their_script_makes():
    script = runpy.run_path(str(ROOT / "tools" / "reference.py"))
    layout = load_definitions("document")
    for kind in ("zh", "en", "zh_brief", "en_brief"):
        shipped = (paths.PACKAGE / "run" / "document" / f"reference-{kind.replace('_', '-')}.docx").read_bytes()
        assert script["reference"](layout, kind) == shipped


def test_a_character_without_glyph_is_refused_by_name(tmp_path):
    frame = pd.DataFrame({"school_name": ["甲\U00013000校"]})
    with pytest.raises(ReportError, match=r"no font of the PDF can print(.|\n)*U\+13000"):
        write_formats(notebook_of(narrative.frame(frame, "zh")), tmp_path, "r", MANIFEST, ["pdf"])


def test_formats_are_asked_for_by_name():
    with pytest.raises(UsageError, match=r"found docs; expected one or more of html"):
        chosen_formats("midterm", "docs")
    with pytest.raises(UsageError, match="formats: found none"):
        chosen_formats("midterm", ",")


def test_the_payload_of_a_notebook_read_back_is_the_tables(tmp_path):
    notebook = notebook_of(table())
    nbformat.write(notebook, tmp_path / "n.ipynb")
    stored = json.loads((tmp_path / "n.ipynb").read_text(encoding="utf-8"))
    assert stored["cells"][2]["outputs"][0]["data"][TABLE_MIME]["rows"][0][1] == 1234


NASTY = [
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    r"\input{/etc/passwd}",
    "{{7*7}} ${7*7} {% raw %}",
    "#let x = 1; #sys.inputs $x^2$ *b* _i_ `c` @ref <label> ~ // /* ",
    "$\\alpha$ \\(x\\) [link](https://example.org) ![](/etc/passwd)",
    "<img src=/etc/passwd onerror=x> &lt;b&gt; <iframe src='/etc/hostname'></iframe>",
    "第一\u202e学小二第",
    "\u2066实验\u2069小学\u200b\x07",
    "[[a]](b) ![c](d) [^1] \\begin{x} \\# %",
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Return text of each format of a report whose school names and notes try to be more than text."""
    frame = pd.DataFrame({"school_name": NASTY, "students": range(len(NASTY))})
    columns = [Column("school_name", "school"), Column("students", "classes", "number")]
    shown = narrative.Table(frame, columns, NASTY[5], "zh", NASTY)
    told = narrative.Text([("h2", NASTY[0]), *(("p", text) for text in NASTY), *(("li", text) for text in NASTY)])
    with_head = narrative.Text([("h1", "题名 " + NASTY[0]), ("note", NASTY[8])])
    with style():
        picture = sheet(6.0, 1.0, NASTY[8], "zh").picture(NASTY[0] + NASTY[8], frame)
    notebook = notebook_of(shown, told, with_head, picture)
    folder = tmp_path_factory.mktemp("hostile")
    write_formats(notebook, folder, "r", MANIFEST, FORMATS)
    nbformat.write(notebook, folder / "r.ipynb")
    with zipfile.ZipFile(folder / "r.docx") as archive:
        document = archive.read("word/document.xml").decode()
    pages = PdfReader(folder / "r.pdf").pages
    book = CalamineWorkbook.from_path(str(folder / "r.xlsx"))
    cells = [
        str(value)
        for name in book.sheet_names
        for row in book.get_sheet_by_name(name).to_python()
        for value in row
    ]
    return {
        "html": (folder / "r.html").read_text(encoding="utf-8"),
        "docx": document,
        "pdf": "\n".join(page.extract_text() for page in pages),
        "xlsx": "\n".join(cells),
        "ipynb": (folder / "r.ipynb").read_text(encoding="utf-8"),
    }


def words_in(form, text):
    """Return what a reader sees, without the breaks of lines."""
    if form in ("html", "docx"):
        text = html.unescape(re.sub(r"<[^>]+>", "", text))
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("form", ["html", "docx", "pdf", "xlsx"])
def test_text_from_data_is_text_in_every_format(hostile, form):
    seen = words_in(form, hostile[form])
    for text in NASTY:
        assert re.sub(r"\s", "", visible(text)) in seen, text


@pytest.mark.parametrize("form", ["html", "docx", "pdf", "xlsx", "ipynb"])
def test_no_sign_that_turns_or_hides_text_is_left(hostile, form):
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x07]", hostile[form])
    assert "U+202E" in hostile[form]
    assert "root:" not in hostile[form]


def test_nothing_in_the_page_or_the_document_runs_or_loads(hostile):
    page, document = lxml.html.fromstring(hostile["html"].encode()), hostile["docx"]
    assert not list(page.iter("script", "iframe", "object", "embed", "link", "form"))
    for element in page.iter(lxml.etree.Element):
        assert not [name for name in element.attrib if name.startswith("on")]
        for name in ("src", "href"):
            assert element.get(name, "#").startswith(("#", "data:image/png;base64,"))
    assert "<m:oMath" not in document
    # the list of contents is the only field, and leads nowhere else
    assert re.findall(r"<w:instrText[^>]*>(.*?)</w:instrText>", document) == [r' TOC \o "1-2" \h \z \u ']
    assert set(re.findall(r"<w:hyperlink (.*?)>", document)) == {
        f'w:anchor="_Toc{number:09d}" w:history="1"' for number in range(1, document.count("<w:hyperlink ") + 1)
    }


def test_a_long_title_breaks_where_a_quotation_ends(tmp_path):
    title = "《某市某区教育事业“十四五”发展规划》实施情况中期评估报告"
    assert "“十四五”<br>发展规划》" in arranged(f"<h1>{title}</h1>", tmp_path)
    assert "<br>" not in arranged("<h1>“十四五”规划</h1>", tmp_path)

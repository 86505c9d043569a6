"""What looks like a figure and is another: a part of it, another year's, a day, half struck out. Never read so."""

import dataclasses
import datetime as dt
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
import xlsxwriter
from old_writer import RAISED, STRUCK, old_workbook
from returns_builder import columns_of, district, grid, school, simple_workbook, workbook
from school_builder import school as national
from school_builder import school_book

from planlib import schema
from planlib.clean import FaultyData, clean_district
from planlib.clean.files.read import read_workbook
from planlib.clean.files.sheet import Sheet, address
from planlib.clean.layout.school import Layouts, read_school_book
from planlib.clean.words.convert import read_cell
from planlib.clean.words.forms import Unit, load_form
from planlib.clean.words.national import load_national
from planlib.registry import phrase

NAME, BOOK = "testdistrict", "returns/2020学年_小学.xlsx"
PRIMARY = columns_of("primary")
BOOKS = PRIMARY.index("books")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    return district(tmp_path, NAME)


def faults():
    with pytest.raises(FaultyData) as caught:
        clean_district(NAME)
    return caught.value.issues


def made(column):
    path = clean_district(NAME).path / "schools.parquet"
    return schema.read_table(path, "schools")[column].tolist()


@pytest.mark.parametrize(
    "text",
    [
        "在校生数（女）",
        "在校生数(上学年)",
        "在校生数（其中：随迁子女）",
        "在校生数（2019学年）",
        "在校生数（计划）",
        "在校生数（城区）",
    ],
)
def test_a_bracket_that_makes_another_figure_is_no_header_of_it(folder, text):
    (folder / BOOK).write_bytes(simple_workbook([school()], headers={("primary", "students"): text}))
    found = faults()
    unknown = found[found["kind"] == "unknown header"]
    assert unknown[["cell", "found"]].to_numpy().tolist() == [["M3", text]]


@pytest.mark.parametrize(
    "text",
    [
        "在校生数（人）",
        "在校生数（含借读生）",
        "在校生数（截至9月1日）",
        "在校生数（2020学年）",
    ],
)
def test_a_remark_in_a_bracket_leaves_the_figure_what_it_is(folder, text):
    (folder / BOOK).write_bytes(simple_workbook([school()], headers={("primary", "students"): text}))
    assert made("students") == [300]


@pytest.mark.parametrize(
    ("heading", "is_read"),
    [("教师情况", True), ("其中", True), ("专兼职教师", True), ("上学年", False), ("其中：女", False)],
)
def test_a_heading_of_a_part_or_of_another_year_is_not_ignored(folder, heading, is_read):
    rows, merged = grid([school() | {("primary", "teachers"): 20}], PRIMARY)
    column = PRIMARY.index(("primary", "teachers"))
    merged = [cells for cells in merged if cells[1] != column or cells[0] == 0]
    rows[2][column], rows[3][column] = heading, "专任教师数"
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    if is_read:
        assert made("teachers") == [20]
    else:
        assert f"{heading} › 专任教师数" in faults()["found"].to_list()


def test_a_title_of_two_school_years_is_refused(folder):
    title = "测试区2020学年初与2019学年初对照表"
    (folder / BOOK).write_bytes(simple_workbook([school()], title=title))
    rows = faults()[["kind", "cell", "found"]].to_numpy().tolist()
    assert rows == [["title", "A1", "2020 and 2019"]]


@pytest.mark.parametrize("value", [dt.datetime(1905, 6, 10), dt.date(1905, 6, 10), "1905/6/10", "1909-06-11"])
def test_a_year_in_the_format_of_a_date_is_no_day_of_1905(value):
    column, form = load_form().columns["opened_year"], load_form()
    reading = read_cell(value, column, Unit("", "count", 1.0), form)
    assert reading.state == "unreadable"
    assert reading.step.startswith("a year of four digits: 1988 in a cell")
    assert "1988 放在日期格式的单元格里" in phrase(reading.step, "zh")


@pytest.mark.parametrize("value", [dt.datetime(1998, 9, 1), "1905", "1906-09-01", "1905年9月", 1905.0])
def test_a_day_of_opening_gives_its_year(value):
    column, form = load_form().columns["opened_year"], load_form()
    assert read_cell(value, column, Unit("", "count", 1.0), form).state == "value"


def drawn(schools=(), struck=(), rich=None, edit=None, **more):
    """Return a workbook of primary schools with some cells struck out, or whole rows, and with texts of several formats."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet("基本情况")
    rows, merged = grid(schools or [school()], PRIMARY, **more)
    if edit:
        edit(rows, merged)
    formats = {"raised": {"font_script": 1}, "struck": {"font_strikeout": True}, "bold": {"bold": True}}
    made = {name: book.add_format(own) for name, own in formats.items()}
    line = dict.fromkeys(struck, made["struck"])
    starts = {(r0, c0) for r0, c0, *_ in merged}
    for r0, c0, r1, c1, text in merged:
        sheet.merge_range(r0, c0, r1, c1, text, line.get((r0, c0), line.get(r0)))
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            if value not in (None, "") and (r, c) not in starts:
                sheet.write(r, c, value, line.get((r, c), line.get(r)))
    for (r, c), parts in (rich or {}).items():
        said = [made[t[1:]] if t.startswith("!") else t for t in parts]
        sheet.write_rich_string(r, c, *said, *([line[r, c]] if (r, c) in line else []))
    book.close()
    return buffer.getvalue()


def rich(*parts, note=()):
    """Return a workbook of one school with the parts of a text, and their format, in the place of its books."""
    return drawn(rich={(4, BOOKS): parts, **({(5, 0): note} if note else {})})


@pytest.mark.parametrize(
    ("parts", "joined"), [(("305", "!raised", "1"), "3051"), (("!struck", "305", "310"), "305310")]
)
def test_a_number_with_a_part_struck_out_or_raised_is_refused(folder, parts, joined):
    (folder / BOOK).write_bytes(rich(*parts))
    ((cell, found, expected),) = faults()[["cell", "found", "expected"]].to_numpy().tolist()
    assert (cell, found) == ("AC5", f"'{joined}', partly struck out or raised")
    assert phrase(expected, "zh") == "没有删除线、没有上下标的一个文本"
    where = {"file": BOOK, "sheet": "基本情况", "cell": "AC5"}
    entry = {"what": "t", "where": where, "action": "override", "value": 305, "expect": joined}
    entry |= {"reason": "seen", "who": "A"}
    (folder / "corrections.yml").write_text(json.dumps({"schema_version": 1, "corrections": [entry]}))
    assert made("books") == [305]


def in_its_cell(content):
    """Return a workbook whose texts stand in their own cells, as some programs store them."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        texts = re.findall(r"<si>(.*?)</si>", old.read("xl/sharedStrings.xml").decode(), re.S)
        for name in old.namelist():
            part = old.read(name).decode()
            if name.startswith("xl/worksheets/"):
                part = re.sub(
                    r'<c ([^>]*)t="s"><v>(\d+)</v></c>',
                    lambda m: m.expand(r"<c \1") + f't="inlineStr"><is>{texts[int(m[2])]}</is></c>',
                    part,
                )
            new.writestr(name, part)
    return made.getvalue()


def test_a_text_that_stands_in_its_own_cell_is_held_to_it_too():
    (sheet,) = read_workbook(in_its_cell(rich("305", "!raised", "1")))
    assert sheet.mixed == (("AC5", "3051"),)
    assert read_workbook(in_its_cell(rich("305", "!bold", "1")))[0].mixed == ()


@pytest.mark.parametrize("parts", [("!bold", "3", "05"), ("305m", "!raised", "2")])
def test_other_formats_within_a_text_say_nothing(folder, parts):
    (folder / BOOK).write_bytes(rich(*parts, note=("注：", "!struck", "旧", "新")))
    rows = [] if "305m" in parts else made("books")
    assert rows in ([], [305])
    if not rows:
        assert "partly struck" not in str(faults()["found"].to_list())


def test_a_school_workbook_is_held_to_it_too():
    first, *sheets = read_workbook(school_book(national(), 2020, True, cover=False))
    first = dataclasses.replace(first, mixed=(("D6", "305310"),))
    book = read_school_book([first, *sheets], load_national(), Layouts())
    assert [(i.cell, i.found) for i in book.issues] == [("D6", "'305310', partly struck out or raised")]


# ---- struck out as a whole: void to whoever struck it

HOLDS = "a value that holds: if it does, take the line off; if not, clear the cell"
ROW_HOLDS = "a row that holds: if it does, take the line off; if not, delete it or drop it by a correction"


def corrected(folder, cell, action, expect, sheet="基本情况", **more):
    where = {"file": BOOK, "sheet": sheet, "cell": cell}
    entry = {"what": "t", "where": where, "action": action, "expect": expect, "reason": "seen", "who": "A"} | more
    (folder / "corrections.yml").write_text(json.dumps({"schema_version": 1, "corrections": [entry]}))


def test_a_struck_figure_and_a_struck_word_are_refused_together_and_settled(folder):
    area = PRIMARY.index("area")
    content = drawn([school(books=305)], [(4, BOOKS), (4, area)])
    (folder / BOOK).write_bytes(content)
    found = faults()
    said = found[["kind", "cell", "found", "expected"]].to_numpy().tolist()
    of_area, of_books = [address(4, c) for c in (area, BOOKS)]
    assert said == [
        ["unreadable value", of_area, "'东片', struck out", HOLDS],
        ["unreadable value", of_books, "'305', struck out", HOLDS],
    ]
    assert phrase(said[1][2], "zh") == "'305'，有删除线"
    assert phrase(HOLDS, "zh").startswith("有效的值：")
    (folder / BOOK).write_bytes(drawn([school(books=305)], [(4, BOOKS)]))
    corrected(folder, of_books, "override", "305", value=310)
    assert made("books") == [310]
    corrected(folder, of_books, "flag", "305")
    assert made("books") == [305]


def test_a_struck_row_is_one_fault_that_dropping_the_school_settles(folder):
    merged_area = [(4, PRIMARY.index("area"), 5, PRIMARY.index("area"), "东片")]

    def edit(rows, merged):
        merged += merged_area
        rows[5][PRIMARY.index("area")] = None

    two = [school(books=305), school("S0002", books=310)]
    for struck, change in (([5], None), ([5], edit), ([(5, c) for c in range(40) if c != 4], edit)):
        (folder / BOOK).write_bytes(drawn(two, struck, edit=change))
        (folder / "corrections.yml").unlink(missing_ok=True)
        ((cell, found, expected),) = faults()[["cell", "found", "expected"]].to_numpy().tolist()
        assert (cell, found, expected) == ("A6", "'S0002' and the rest of its row, struck out", ROW_HOLDS)
        assert phrase(found, "zh") == "'S0002'，与其整行都有删除线"
        assert phrase(expected, "zh").startswith("有效的行：")
        corrected(folder, "A6", "drop", "S0002")
        assert made("books") == [305]
    corrected(folder, "A6", "flag", "S0002")
    assert made("books") == [305, 310]


def test_what_nobody_uses_may_be_struck(folder):
    header, remark = (2, BOOKS), (5, 0)

    def edit(rows, merged):
        rows.append(["注：旧"])
        merged += [(2, len(rows[4]), 3, len(rows[4]), "序号")]
        rows[4].append(1)

    aside = (4, len(PRIMARY))
    content = drawn([school(books=305)], [(0, 0), (1, len(PRIMARY) - 1), header, remark, aside], edit=edit)
    (sheet,) = read_workbook(content)
    assert len(sheet.struck) == 5
    (folder / BOOK).write_bytes(content)
    assert made("books") == [305]


def prefixed(xml):
    return re.sub(rb"<(/?)(?=[A-Za-z])", rb"<\1x:", xml).replace(b"xmlns=", b"xmlns:x=")


def with_styles(edit, content=None):
    """Return a workbook, of a struck figure if none is given, with each part of it changed by its name."""
    base, made = content or drawn([school(books=305)], [(4, BOOKS)]), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(base)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(*edit(name, old.read(name)))
    return made.getvalue()


def only_styles(edit):
    return lambda name, part: (name, edit(part) if name in (STYLES, FIRST) else part)


STYLES, FIRST = "xl/styles.xml", "xl/worksheets/sheet1.xml"
LINE = b"<strike/>"
STRUCK_XML = {
    "as Excel": lambda name, part: (name, part),
    "prefixed": only_styles(prefixed),
    "single quotes": only_styles(lambda xml: xml.replace(b'"', b"'")),
    "spaces": only_styles(lambda xml: xml.replace(b'="', b' = "').replace(LINE, b"<strike />")),
    "style first": only_styles(lambda xml: re.sub(rb'<c (r="\w+") (s="\d+")', rb"<c \2 \1", xml)),
    "no addresses": only_styles(lambda xml: re.sub(rb'<c r="\w+"', b"<c", xml)),
    "a value": only_styles(lambda xml: xml.replace(LINE, b'<strike val="1"/>')),
    "a style for all": only_styles(lambda xml: re.sub(rb'<xf numFmtId="0" fontId="0"', b'<xf fontId="1"', xml)),
    "another place": lambda name, part: (
        name.replace("xl/styles", "xl/looks/a"),
        part.replace(b"styles.xml", b"looks/a.xml"),
    ),
}


@pytest.mark.parametrize("way", STRUCK_XML)
def test_a_struck_cell_is_found_in_whatever_xml_it_is_written(way):
    (sheet,) = read_workbook(with_styles(STRUCK_XML[way]))
    wanted = address(4, BOOKS)
    if way == "no addresses":  # the cells of the row are counted, as the reader counts them
        wanted = address(4, sheet.rows[4].index(305))
    if way == "a style for all":
        assert sheet.struck == ("A1", *sheet.struck[1:])
        assert {wanted, "A5", "M5"} <= set(sheet.struck)
    else:
        assert sheet.struck == (wanted,)


@pytest.mark.parametrize("off", [b'<strike val="0"/>', b"<strike val='false'/>", b""])
def test_a_line_that_is_turned_off_is_none(off):
    (sheet,) = read_workbook(with_styles(only_styles(lambda xml: xml.replace(LINE, off))))
    assert (sheet.struck, sheet.rows[4][BOOKS]) == ((), 305)


@pytest.mark.parametrize(
    ("parts", "is_struck", "mixed", "struck"),
    [
        (("!struck", "305", "!struck", "310"), False, (), ("AC5",)),
        (("305", "!bold", "310"), True, (("AC5", "305310"),), ()),
        (("!bold", "305", "!bold", "310"), True, (), ()),
        (("305", "!struck", "310"), True, (), ("AC5",)),
    ],
)
@pytest.mark.parametrize("is_own", [False, True])
def test_parts_with_a_format_of_their_own_do_not_look_as_their_cell(parts, is_struck, mixed, struck, is_own):
    content = drawn(struck=[(4, BOOKS)] if is_struck else [], rich={(4, BOOKS): parts})
    (sheet,) = read_workbook(in_its_cell(content) if is_own else content)
    assert (sheet.mixed, sheet.struck) == (mixed, struck)


def test_struck_cells_of_an_old_workbook_are_faults_too(folder):
    (folder / BOOK).unlink()
    (sheet,) = read_workbook(drawn([school(books=305), school("S0002")], [(0, 0), (4, BOOKS), 5]))
    sheet.rows[4][0] = (("S0001", None), ("1", RAISED))
    (folder / "returns/a.xls").write_bytes(old_workbook([sheet]))
    assert faults()[["cell", "found"]].to_numpy().tolist() == [
        ["A5", "'S00011', partly struck out or raised"],
        ["AC5", "'305', struck out"],
        ["A6", "'S0002' and the rest of its row, struck out"],
    ]


@pytest.mark.parametrize("size", range(20, 40))
def test_texts_of_an_old_workbook_that_run_on_in_another_record_are_whole(size):
    parts = (
        (("三百", None), ("五" * 9, STRUCK)),
        (("三", STRUCK),),
        (("305", 0), ("1", RAISED)),
        (("m", 0), ("2", RAISED)),
    )
    (sheet,) = read_workbook(old_workbook([Sheet("表", [[*parts, 305.0], ["", parts[0]]], struck=("B2",))], size))
    assert sheet.mixed == (("A1", "三百" + "五" * 9), ("C1", "3051"))
    assert sheet.struck == ("B1", "B2")


def test_struck_cells_of_an_old_workbook_of_another_program_are_found():
    """Made by xlwt 1.3: rows as records of several cells, and a text that runs on in another record."""
    first, second = read_workbook((Path(__file__).parent / "data" / "struck.xls").read_bytes())
    assert (first.mixed, first.struck) == ((), ())
    assert second.mixed == (("A2", "305310"), ("B2", "3051"), ("E2", "305310"))
    assert second.struck == ("A1", "B1", "D2", "A3", "B3", "D3", "E3", "B4", "E4")


def test_a_struck_figure_of_a_school_workbook_is_refused(folder):
    book = school_book(national(), 2022, True)
    sheet = "教基3112_小学"
    number = 1 + [one.name for one in read_workbook(book)].index(sheet)
    more = ((b"</fonts>", b"<font><strike/></font></fonts>"), (b"</cellXfs>", b'<xf fontId="1"/></cellXfs>'))

    def struck(*cells):
        """Also the titles, a label and the note."""
        changes = {
            STYLES: more,
            f"xl/worksheets/sheet{number}.xml": [(b'r="%s"' % c, b'r="%s" s="1"' % c) for c in cells],
        }
        return with_styles(lambda name, part: (name, replaced(part, changes.get(name, ()))), book)

    (folder / BOOK).write_bytes(struck(b"B2", b"B3", b"F4", b"B6", b"B9"))
    assert len(next(one for one in read_workbook((folder / BOOK).read_bytes()) if one.name == sheet).struck) == 5
    assert made("students") == [600]
    (folder / BOOK).write_bytes(struck(b"F4", b"F6", b"D7"))
    said = faults()[["sheet", "cell", "found"]].to_numpy().tolist()
    assert said == [[sheet, "F6", "'600', struck out"], [sheet, "D7", "'44', struck out"]]
    (folder / BOOK).write_bytes(struck(b"F6"))
    corrected(folder, "F6", "override", 600, value=606, sheet=sheet)
    assert made("students") == [606]


def replaced(part, changes):
    for old, new in changes:
        assert old in part
        part = part.replace(old, new)
    return part


# ---- a number format that shows another figure than the cell holds

VALUE = PRIMARY.index("equipment_value_yuan")
SCALED = [r"0\.0,", "#,##0,", '0.0,,"百万元"', '[>10000]0.0,"千元";0', "0%", "0.00%"]
HARMLESS = ["#,##0", '0"人"', "0.00_ ;[Red]-0.00", '"¥"#,##0.00', "General", "@", '0"%"', "0;-0;;@"]


def formatted(code, value=1234, unit="单位：元、平方米", column=VALUE):
    """Return a workbook of one school with a figure in a number format."""
    own = school(**{PRIMARY[column]: value})
    rows, merged = grid([own], PRIMARY, unit_line=unit)
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet("基本情况")
    for r0, c0, r1, c1, text in merged:
        sheet.merge_range(r0, c0, r1, c1, text)
    for r, row in enumerate(rows):
        for c, one in enumerate(row):
            if one not in (None, "") and (r, c) not in {(r0, c0) for r0, c0, *_ in merged}:
                sheet.write(r, c, one, book.add_format({"num_format": code}) if (r, c) == (4, column) else None)
    book.close()
    return buffer.getvalue()


@pytest.mark.parametrize("code", [*SCALED, '0.0"万"', '0"万元"', "0万"])
def test_a_figure_that_shows_another_one_is_refused_and_settled(folder, code):
    (folder / BOOK).write_bytes(formatted(code))
    ((kind, cell, found, expected),) = faults()[["kind", "cell", "found", "expected"]].to_numpy().tolist()
    at = address(4, VALUE)
    assert (kind, cell, found) == ("unreadable value", at, f"'1234', shown in the number format {code}")
    assert phrase(found, "zh") == f"'1234'，单元格数字格式为 {code}"
    assert phrase(expected, "zh").startswith("显示值与存储值一致的数")
    corrected(folder, at, "override", 1234, value=5678)
    assert made("equipment_value_yuan") == [5678]


@pytest.mark.parametrize("code", HARMLESS)
def test_a_figure_that_shows_itself_is_read(folder, code):
    (folder / BOOK).write_bytes(formatted(code))
    assert made("equipment_value_yuan") == [1234]


def test_a_sign_of_the_unit_itself_is_no_other_figure(folder):
    (folder / BOOK).write_bytes(formatted('0.0"万元"', 12.5, "单位：万元、平方米"))
    assert made("equipment_value_yuan") == [125000]


def test_a_format_of_what_nobody_uses_is_no_fault(folder):
    """A title, a text, and a date."""
    rows, merged = grid([school()], PRIMARY)
    (sheet,) = read_workbook(workbook({"基本情况": (rows, merged)}))
    cells = [("A1", "0%"), (address(4, 1), '0"万"')]
    (folder / "returns" / "2020学年_小学.xls").write_bytes(
        old_workbook([dataclasses.replace(sheet, formats=tuple(cells))])
    )
    (folder / BOOK).unlink(missing_ok=True)
    assert made("students") == [300]
    assert read_workbook(formatted('yyyy"年"m"月"'))[0].formats == ()


def test_a_format_of_an_old_workbook_is_seen_too(folder):
    rows, merged = grid([school(books=1234)], PRIMARY)
    (sheet,) = read_workbook(workbook({"基本情况": (rows, merged)}))
    cells = [(address(4, BOOKS), r"0\.0,"), (address(4, PRIMARY.index(("primary", "students"))), '0"人"')]
    content = old_workbook([dataclasses.replace(sheet, formats=tuple(cells))])
    assert read_workbook(content)[0].formats == tuple(sorted(cells, key=lambda one: len(one[0])))
    (folder / BOOK).unlink(missing_ok=True)
    (folder / "returns" / "2020学年_小学.xls").write_bytes(content)
    assert faults()["found"].tolist() == [r"'1234', shown in the number format 0\.0,"]


def test_a_format_in_a_school_workbook_is_seen_too():
    sheets = read_workbook(school_book(national(), 2020, True, cover=False))
    at = next(n for n, one in enumerate(sheets) if one.name == "教基3112_小学")
    sheets[at] = dataclasses.replace(sheets[at], formats=(("F6", "#,##0,"), ("B6", "0%")))
    book = read_school_book(sheets, load_national(), Layouts())
    assert [(i.cell, i.found) for i in book.issues] == [("F6", "'600', shown in the number format #,##0,")]


@pytest.mark.parametrize("sheet", ["基本情况", "教基3112汇总"])
def test_a_list_of_schools_that_names_a_form_is_no_school_workbook(folder, sheet):
    title = "测试区2020/2021学年初小学情况一览表（摘自教基3112）"
    (folder / BOOK).write_bytes(workbook({sheet: grid([school(), school("S0002")], PRIMARY, title=title)}))
    assert made("students") == [300, 300]

"""What looks like a figure and is another: a part of it, another year's, a day, half struck out. Never read so."""

import dataclasses
import datetime as dt
import io
import json
import re
import zipfile

import pytest
import xlsxwriter
from returns_builder import columns_of, district, grid, school, simple_workbook, workbook
from school_builder import school as national
from school_builder import school_book

from planlib import schema
from planlib.clean import FaultyData, clean_district
from planlib.clean.files.read import read_workbook
from planlib.clean.layout.school import Layouts, read_school_book
from planlib.clean.words.convert import read_cell
from planlib.clean.words.forms import Unit, load_form
from planlib.clean.words.national import load_national
from planlib.registry import phrase

NAME, BOOK = "testdistrict", "returns/2020学年_小学.xlsx"
PRIMARY = columns_of("primary")


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


def rich(*parts, note=()):
    """Return a workbook of one school with the parts of a text, and their format, in the place of its books."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet("基本情况")
    rows, merged = grid([school()], PRIMARY)
    starts = {(r0, c0) for r0, c0, *_ in merged}
    for r0, c0, r1, c1, text in merged:
        sheet.merge_range(r0, c0, r1, c1, text)
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            if value not in (None, "") and (r, c) not in starts:
                sheet.write(r, c, value)
    formats = {"raised": {"font_script": 1}, "struck": {"font_strikeout": True}, "bold": {"bold": True}}
    for row, column, texts in ((4, PRIMARY.index("books"), parts), (5, 0, note)):
        said = [book.add_format(formats[t[1:]]) if t.startswith("!") else t for t in texts]
        if said:
            sheet.write_rich_string(row, column, *said)
    book.close()
    return buffer.getvalue()


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


@pytest.mark.parametrize("sheet", ["基本情况", "教基3112汇总"])
def test_a_list_of_schools_that_names_a_form_is_no_school_workbook(folder, sheet):
    title = "测试区2020/2021学年初小学情况一览表（摘自教基3112）"
    (folder / BOOK).write_bytes(workbook({sheet: grid([school(), school("S0002")], PRIMARY, title=title)}))
    assert made("students") == [300, 300]

"""What looks like a figure and is another: a part of it, another year's, a day. Never read in silence."""

import datetime as dt

import pytest
from returns_builder import columns_of, district, grid, school, simple_workbook, workbook

from planlib import schema
from planlib.clean import FaultyData, clean_district
from planlib.clean.convert import read_cell
from planlib.clean.forms import Unit, load_form
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


@pytest.mark.parametrize(("heading", "is_read"), [("教师情况", True), ("上学年", False), ("其中：女", False)])
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

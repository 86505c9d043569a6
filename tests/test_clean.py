"""Cleaning a district's folder: values, birthplaces, faults, corrections, caching, one swap."""

import hashlib
import io
import json
import os
import zipfile

import pandas as pd
import pytest
import python_calamine
from returns_builder import FORM, columns_of, district, grid, school, simple_workbook, workbook

from planlib import freshness, paths, schema
from planlib.clean import FaultyData, clean_district, pipeline, summary
from planlib.clean.words.convert import read_cell
from planlib.clean.words.forms import Unit, load_form
from planlib.errors import RegistryError, UsageError

NAME = "testdistrict"
BOOK = "returns/2020学年_小学.xlsx"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    return district(tmp_path, NAME)


def put(folder, schools, name=BOOK, **more):
    (folder / name).write_bytes(simple_workbook(schools, **more))


def table(name):
    return schema.read_table(paths.processed(NAME) / f"{name}.parquet", name)


def fault(said=None):
    """Clean, which must be refused, and return the message."""
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    text = str(refused.value)
    assert "Traceback" not in text
    assert "To do: " in text
    assert refused.value.exit_code == 1
    if said:
        assert said in text
    return text


# ---- values and birthplaces


def test_one_row_for_each_school_stage_and_year_with_school_wide_figures_on_each(folder):
    figures = {("primary", "students"): 900, ("junior", "students"): 450, "teaching_area_m2": "12,000"}
    one = school("S0002", "nine_year") | figures
    put(folder, [one], "returns/2021学年_九年.xlsx", school_type="nine_year", title="2021/2022学年初")
    clean_district(NAME)
    made = table("schools").set_index(["school_id", "stage", "year"])
    assert list(made.index) == [("S0001", "primary", 2020), ("S0002", "junior", 2021), ("S0002", "primary", 2021)]
    assert made.loc[("S0002", "primary", 2021), "students"] == 900
    assert made.loc[("S0002", "junior", 2021), "students"] == 450
    assert made.loc["S0002", "teaching_area_m2"].tolist() == [12000, 12000]
    assert made.loc["S0002", "as_of"].tolist() == ["2021-09-01"] * 2


def test_every_value_has_a_birthplace_that_holds_its_raw_text(folder):
    put(folder, [school("S0001", equipment_value_yuan=12.34, gym_area_m2=" 1\u00a0234.5 "), school("S0002")])
    clean_district(NAME)
    made, born = table("schools"), table("lineage")
    held = sum(int((made[c].notna() & (made[c].astype("str") != "")).sum()) for c in made.columns)
    empty_texts = (born["step"] == "blank → no text").sum()
    assert len(born) == held + empty_texts
    rows = python_calamine.CalamineWorkbook.from_path(str(folder / BOOK)).get_sheet_by_index(0)
    cells = rows.to_python(skip_empty_area=False)
    for row in born.itertuples():
        letters = row.cell.rstrip("0123456789")
        column = sum((ord(x) - 64) * 26**k for k, x in enumerate(reversed(letters))) - 1
        stored = cells[int(row.cell[len(letters) :]) - 1][column]
        assert str(stored).removesuffix(".0") == row.raw
    money = born[(born["column"] == "equipment_value_yuan") & (born["school_id"] == "S0001")].iloc[0]
    assert (money["raw"], money["step"]) == ("12.34", "number, × 10000 (万元 → yuan)")
    assert made.set_index("school_id").loc["S0001", ["equipment_value_yuan", "gym_area_m2"]].tolist() == [
        123400,
        1234.5,
    ]


@pytest.mark.parametrize(
    ("column", "raw", "value"),
    [
        ("books", "1,234", 1234),
        ("books", "１２３４", 1234),
        ("books", " 1234　", 1234),
        ("books", "1\u00a0234", 1234),
        ("books", "1\u2009234\u2009567", 1_234_567),
        ("books", " 1\u00a0234\u00a0567　", 1_234_567),
        ("books", "１\u202f２３４\u202f５６７册", 1_234_567),
        ("gym_area_m2", "1\u202f234.5", 1234.5),
        ("gym_area_m2", "12\u2009345\u2009678.25平方米", 12_345_678.25),
        ("books", "12_x000D_\n", 12),
        ("books", 12.0, 12),
        ("books", "12.0", 12),
        ("books", "1，234", 1234),
        ("books", "0", 0),
        ("books", "+5", 5),
        ("gym_area_m2", "0.1", 0.1),
        ("gym_area_m2", 0.1, 0.1),
        ("gym_area_m2", "1e3", 1000),
        ("opened_year", "2019年9月", 2019),
        ("opened_year", 2019.0, 2019),
    ],
)
def test_numbers_as_people_type_them(column, raw, value):
    reading = read_cell(raw, FORM.columns[column], FORM.columns[column].unit, FORM)
    assert (reading.state, reading.number) == ("value", value)


@pytest.mark.parametrize(
    "raw", ["1,23", "12.5", "-3", "十二", "12人", "5%", "1.2.3", True, "nan", "inf", "0x10", "1_000"]
)
def test_what_is_no_whole_number_is_never_guessed(raw):
    assert read_cell(raw, FORM.columns["books"], FORM.columns["books"].unit, FORM).state == "unreadable"


@pytest.mark.parametrize(
    "raw",
    ["1 234", "1　234", "1 050", "1 234 567", "98 102 110", "12 345 678.25", "1  234 567",
        "1 234\u00a0567", "1234 567 890", "1234\u00a0567", "0 123 456", "0\u00a0123",
        *(text.replace(" ", "\u00a0") for text in (
            "1 234 56", "1 234 5678", "1 234 567 8", "300 1 234 567", "1 234,567 890", "1.234 567 890",
            "1 234 567.5 6", "1 234 567e2", "1 234 567.",
        )), "1， 234", "300\n310"],
)  # fmt: skip
def test_digits_with_spaces_that_are_no_groups_of_three_are_refused(raw):
    for column in ("books", "gym_area_m2"):
        assert read_cell(raw, FORM.columns[column], FORM.columns[column].unit, FORM).state == "unreadable"


def test_digits_that_programs_group_say_so_in_the_birthplace(folder):
    put(folder, [school("S0001", books="12\u00a0345\u00a0678", equipment_value_yuan="1\u202f050")])
    clean_district(NAME)
    made, born = table("schools").iloc[0], table("lineage").set_index("column")["step"]
    assert (made["books"], made["equipment_value_yuan"]) == (12_345_678, 10_500_000)
    assert born["books"] == "text → number, digits grouped by hard spaces"
    assert born["equipment_value_yuan"] == "text → number, digits grouped by hard spaces, × 10000 (万元 → yuan)"


@pytest.mark.parametrize("raw", ["*", "—", " － "])
def test_cells_that_cannot_hold_a_figure_are_missing_and_not_0(raw):
    assert read_cell(raw, FORM.columns["books"], FORM.columns["books"].unit, FORM).state == "not_applicable"


def test_units_scale_exactly_as_decimals():
    unit = Unit("万元", "yuan", 10000)
    column = FORM.columns["equipment_value_yuan"]
    for cents in range(0, 20000, 37):
        text = f"{cents / 100:.2f}"
        assert read_cell(text, column, unit, FORM).number == cents * 100


@pytest.mark.parametrize(
    ("header", "unit_line", "value"),
    [
        ("教学仪器设备资产值（元）", "单位：万元", 5.0),
        ("教学仪器设备资产值", "单位：元、平方米", 5.0),
        ("教学仪器设备资产值", "单位：人", 50000.0),
        ("其中：教学仪器设备值(万元)", "单位：元", 50000.0),
    ],
)
def test_the_unit_of_the_header_wins_over_the_line_above_and_that_over_the_form(folder, header, unit_line, value):
    put(folder, [school(equipment_value_yuan=5)], headers={"equipment_value_yuan": header}, unit_line=unit_line)
    clean_district(NAME)
    assert table("schools")["equipment_value_yuan"].tolist() == [value]


def test_a_text_merged_over_schools_belongs_to_each_of_them(folder):
    rows, merged = grid([school("S0001"), school("S0002")], columns_of("primary"))
    place = columns_of("primary").index("area")
    rows[5][place] = ""
    (folder / BOOK).write_bytes(workbook({"a": (rows, [*merged, (4, place, 5, place, "西片")])}))
    clean_district(NAME)
    assert table("schools")["area"].tolist() == ["西片", "西片"]
    born = table("lineage")
    assert set(born.loc[born["column"] == "area", "cell"]) == {"E5"}


def test_a_stage_without_any_figure_is_left_out_with_a_note(folder):
    one = school("S0002", "nine_year") | {("junior", "students"): "", ("junior", "classes"): ""}
    put(folder, [one], "returns/2020学年_九年.xlsx", school_type="nine_year")
    result = clean_district(NAME)
    assert table("schools").query("school_id == 'S0002'")["stage"].tolist() == ["primary"]
    notes = result.issues[result.issues["school"] == "S0002"]
    assert notes[["level", "found", "done"]].to_numpy().tolist() == [
        ["note", "no figure for the stage junior", "the stage is left out"]
    ]


# ---- faults, each read as a stranger would


FAULTS = {
    "a wanted header is missing": (
        {"columns": [c for c in columns_of("primary") if c != ("primary", "teachers")]},
        [
            "wanted columns that were not found (1):",
            f"{BOOK}, 2020: nothing found; expected a column 专任教师数 (teachers, primary)",
            "To do: add the column to the workbook, or list it under not_collected in corrections.yml",
        ],
    ),
    "an unknown header with figures": (
        {"headers": {"books": "藏书量"}},
        [
            "unknown column headers with cells under them (1):",
            "sheet 基本情况, cell AC3: found 藏书量",
            "expected a column 图书册数 (books)",
        ],
    ),
    "a header unit of the wrong kind": (
        {"headers": {"books": "图书（平方米）"}},
        ["units that do not fit their column (1):", "cell AC3: found 图书(平方米); expected a unit of count"],
    ),
    "a unit nobody knows": (
        {"headers": {"books": "图书（万册）"}},
        ["cell AC3: found 图书(万册); expected one of 人, 个, 所, 间, 台, 册"],
    ),
    "a total that is no sum": (
        {"total": {"school_id": "合计", "books": 11}},
        [
            "totals that are not the sum of their rows (1):",
            "cell AC6, 2020: found books 11; expected 10, the sum of its rows",
        ],
    ),
    "no year in the title": (
        {"title": "测试区小学情况一览表"},
        ["titles without a clear school year (1):", "sheet 基本情况: found no school year above the header"],
    ),
    "a title whose years do not follow": (
        {"title": "测试区2020/2023学年初"},
        ["found no school year above the header; expected one school year"],
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_of_layout_say_where_and_what_to_do(folder, case):
    more, fragments = FAULTS[case]
    more = dict(more)
    columns = more.pop("columns", columns_of("primary"))
    (folder / BOOK).write_bytes(workbook({"基本情况": grid([school(books=10)], columns, **more)}))
    text = fault()
    for fragment in fragments:
        assert fragment.replace("(", "（").replace(")", "）") in text.replace("(", "（").replace(")", "）")


CELLS = {
    "an unreadable number": (
        {"books": "约300"},
        "cell AC5, school S0001, 2020: found '约300'; expected a whole number",
    ),
    "an unknown school type": (
        {"school_type": "学堂"},
        "cell C5, school S0001, 2020: found '学堂'; expected one of 幼儿园, 小学",
    ),
    "an unknown ownership": ({"ownership": "公立"}, "found '公立'; expected one of 公办, 教育部门, 民办"),
    "an empty name": ({"school_name": " "}, "cell B5, school S0001, 2020: found ' '; expected the school name"),
    "a half pupil": (
        {("primary", "students"): 300.5},
        "cell M5, school S0001, 2020: found '300.5'; expected a whole number",
    ),
    "a negative area": ({"gym_area_m2": -1}, "found '-1'; expected a number of at least 0"),
    "a year too early": (
        {"modern_school_year": 1900},
        "found '1900'; expected a year from 1949 to 2100",
    ),
    "an odd year": ({"opened_year": "去年"}, "found '去年'; expected a year of four digits"),
}


@pytest.mark.parametrize("case", CELLS)
def test_faults_of_cells_name_file_sheet_cell_school_and_year(folder, case):
    change, said = CELLS[case]
    put(folder, [school() | change])
    assert f"{BOOK}, sheet 基本情况, " in fault(said)


def test_a_school_that_stands_twice_with_other_figures_is_refused_with_both_places(folder):
    put(folder, [school("S0001"), school("S0002"), school("S0001", books=7)])
    text = fault("schools that stand twice (1):")
    said = "found S0001 also in returns/2020学年_小学.xlsx, sheet 基本情况, cell A5; books 7 differs"
    assert f"cell A7, school S0001, 2020: {said}" in text
    put(folder, [school("S0001")])
    put(folder, [school("S0001", books=7)], "returns/2020学年_小学补.xlsx")
    fault("found S0001 also in returns/2020学年_小学.xlsx, sheet 基本情况, cell A5; books 7 differs")


def test_a_return_sent_twice_is_noted_and_counted_once(folder):
    put(folder, [school("S0001")])
    put(folder, [school("S0001")], "returns/2020学年_小学补.xlsx")
    result = clean_district(NAME)
    notes = result.issues[["level", "file", "school", "done"]].to_numpy().tolist()
    assert notes == [["note", "returns/2020学年_小学补.xlsx", "S0001", "the same figures: kept once"]]
    accounts = result.accounts.set_index("file")
    assert accounts.loc["returns/2020学年_小学补.xlsx", "repeated"] == accounts.loc[BOOK, "value"]
    assert len(table("schools")) == 1


def test_sheets_of_a_workbook_may_not_contradict_each_other(folder):
    columns = columns_of("primary")
    second = grid([school() | {"school_name": "别的学校"}], ["school_id", "school_name"])
    (folder / BOOK).write_bytes(workbook({"甲": grid([school()], columns), "乙": second}))
    text = fault("figures that contradict each other (1):")
    assert "sheet 乙, cell B5, school S0001, 2020: found school_name '别的学校'" in text
    assert "expected 测试学校S0001, as in sheet 甲, cell B5" in text


def test_figures_without_a_stage_are_refused_where_a_school_has_two(folder):
    rows, merged = grid([school("S2", "nine_year")], columns_of("nine_year"))
    rows[2] = [None if text in ("小学部", "初中部") else text for text in rows[2]]
    (folder / "returns" / "2020学年_九年.xlsx").write_bytes(workbook({"学生": (rows, merged)}))
    assert "columns that stand twice" in fault() or "whose stage is not clear" in fault()


def test_rows_without_a_code_and_numbers_without_a_header_are_refused(folder):
    rows, merged = grid([school()], columns_of("primary"))
    rows.append(["", "无码学校", "小学"])
    rows[4] = [*rows[4], "", 17]
    (folder / BOOK).write_bytes(workbook({"a": (rows, merged)}))
    text = fault("rows that are no school, total or note (1):")
    assert "cell B6: found 无码学校、小学; expected a school code, or a total or notes row" in text
    assert "cells outside the table (1):" in text


def test_one_fault_is_not_said_three_times(folder):
    put(
        folder,
        [school() | {"school_type": "学堂"}, school("S0002", books="约3")],
        total={"school_id": "合计", "books": 11},
    )
    text = fault("The raw files of testdistrict have 2 faults;")
    assert "schools without a school type" not in text
    assert "totals that" not in text


def test_a_missing_column_is_said_beside_the_unknown_headers(folder):
    put(folder, [school()], headers={"books": "藏书量"})
    text = fault("The raw files of testdistrict have 1 fault;")
    assert "2020: found the unknown headers 藏书量; expected a column 图书册数 (books)" in text


def test_an_unknown_header_is_named_once_for_all_the_columns_that_are_missing(folder):
    """Nobody can say which of the missing columns a strange header stands for."""
    gone = (("primary", "teachers"), ("primary", "students"))
    columns = [c for c in columns_of("primary") if c not in gone]
    sheet = grid([school()], columns, headers={"books": "食堂面积"})
    (folder / BOOK).write_bytes(workbook({"基本情况": sheet}))
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    text, chinese = str(refused.value), refused.value.in_words("zh")
    assert text.count("食堂面积") == 1
    assert "wanted columns that were not found (1):" in text
    for column in ("专任教师数 (teachers)", "图书册数 (books)", "在校生数 (students)"):
        assert column in text.split("expected the columns ")[1].splitlines()[0]
    assert "应为 各列：" in chinese
    assert "图书册数 (books)" in chinese, "not_collected wants this name"
    listed = paths.processed(NAME).with_name(f"{NAME}.faults.csv").read_text(encoding="utf-8-sig")
    assert "食堂面积" in listed, "the list is there whenever a run is refused"


def test_all_faults_of_all_files_come_at_once_ten_shown_and_the_rest_counted(folder):
    put(folder, [school(f"S{n:04d}", books="?") for n in range(14)])
    (folder / "births.csv").write_text("area,year,births\n东片,2020,ten\n", encoding="utf-8")
    (folder / "finance.csv").unlink()
    (folder / "sources.yml").write_text("- {file: finance.csv}\n", encoding="utf-8")
    text = fault("The raw files of testdistrict have 16 faults; no table was written.")
    assert "cells that could not be read (14, in 14 schools):" in text
    assert f"all of them are in {paths.processed(NAME)}.faults.csv" in text
    assert "… and 4 more" in text
    assert "births.csv, line 2: found births is 'ten' (area 东片, year 2020); expected a whole number" in text
    assert "missing files (1):\n  finance.csv: nothing found" in text


def test_the_exception_holds_every_issue(folder):
    put(folder, [school(f"S{n:04d}", books="?") for n in range(14)])
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    assert (refused.value.issues["level"] == "error").sum() == 14


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file; ask for it again"),
        (b"PK\x03\x04 nonsense", "not a readable .xlsx file"),
        (
            b"<html></html>",
            "a web page or XML under the name of a workbook; open it in Excel or WPS and save it as .xlsx",
        ),
    ],
)
def test_what_is_no_workbook_is_said_to_be_none(folder, content, said):
    (folder / BOOK).write_bytes(content)
    assert said in fault("files that could not be read (1):")


def test_a_zip_that_is_no_workbook(folder):
    with zipfile.ZipFile(folder / BOOK, "w") as archive:
        archive.writestr("a.txt", "x")
    fault("a .zip archive; unpack it and put the workbooks themselves into returns/")


def test_error_cells_and_formulas_without_a_result_are_faults_and_never_evaluated(folder):
    import xlsxwriter

    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet("基本 & 情况")
    rows, _ = grid([school()], columns_of("primary"))
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            if value not in (None, ""):
                sheet.write(r, c, value)
    sheet.write_formula("AC5", "=1/0", None, "#DIV/0!")
    sheet.write_formula("AD5", "=6*7", None, "")
    book.close()
    (folder / BOOK).write_bytes(buffer.getvalue())
    text = fault("cells without a usable value")
    assert f"{BOOK}, sheet 基本 & 情况, cell AC5: found #DIV/0!" in text
    assert "cell AD5: found formula without a stored result" in text


def test_a_workbook_without_a_table_names_the_header_it_lacks(folder):
    (folder / BOOK).write_bytes(workbook({"封面": ([["测试区"], ["教育局"]], [])}))
    text = fault("workbooks without a table of schools (1):")
    assert (
        "found no header of a school code in 封面; expected one of the header cells 学校标识码, 学校代码" in text
    )


def test_files_that_are_missing_unknown_or_outside(folder, tmp_path):
    (folder / "returns" / "old.doc").write_bytes(b"{\\rtf1 x}")
    (folder / "sources.yml").write_text("- {file: returns/2019学年_小学.xlsx}\n", encoding="utf-8")
    (tmp_path / "secret.csv").write_text("area,year,births\n", encoding="utf-8")
    (folder / "births.csv").unlink()
    (folder / "births.csv").symlink_to(tmp_path / "secret.csv")
    text = fault("files that lead out of the district's folder (1):")
    assert f"births.csv: found {tmp_path / 'secret.csv'}" in text
    assert "returns/old.doc: found a Word (.rtf) document; copy its table into a workbook" in text
    assert "returns/2019学年_小学.xlsx: nothing found" in text


def test_a_file_that_sources_yml_does_not_promise_may_be_absent_and_is_said_to_be(folder):
    (folder / "finance.csv").unlink()
    result = clean_district(NAME)
    assert result.issues[["level", "file", "done"]].to_numpy().tolist() == [["warning", "finance.csv", "no data"]]
    assert table("finance").empty


def test_a_school_of_which_nothing_is_known_keeps_its_row_without_figures(folder):
    stars = {("primary", column): "*" for column in ("students", "classes")}
    columns = ["school_id", "school_name", "school_type", "ownership", "area", *stars]
    waived = [name for name in FORM.columns if name not in columns and name not in ("students", "classes")]
    entry = {"columns": waived, "reason": "测试", "who": "甲"}
    (folder / "corrections.yml").write_text(json.dumps({"not_collected": [entry]}), encoding="utf-8")
    (folder / BOOK).write_bytes(workbook({"a": grid([school(), school("S0002") | stars], columns)}))
    result = clean_district(NAME)
    made = table("schools").set_index("school_id")
    assert made.loc["S0001", "students"] == 300
    assert made.loc["S0002", "stage"] == "primary"
    assert pd.isna(made.loc["S0002", "students"])
    assert result.issues[["level", "school", "found"]].to_numpy().tolist() == [
        ["warning", "S0002", "no figure of any stage is known"]
    ]


def test_a_figure_that_the_returns_leave_out_is_no_contradiction(folder):
    (folder / "corrections.yml").write_text(
        "not_collected: [{columns: [entrants], reason: 测试, who: 甲}]\n", encoding="utf-8"
    )
    columns = [c for c in columns_of("primary") if c != ("primary", "entrants")]
    (folder / BOOK).write_bytes(workbook({"a": grid([school()], columns)}))
    header = "school_id,school_name,area,stage,grade,year,students\n"
    (folder / "enrolment.csv").write_text(f"{header}S0001,甲,东片,primary,1,2020,300\n", encoding="utf-8")
    assert clean_district(NAME).issues.empty


def test_a_file_nobody_knows_is_a_warning(folder):
    (folder / "notes.txt").write_text("x")
    result = clean_district(NAME)
    assert result.issues[["level", "file", "done"]].to_numpy().tolist() == [["warning", "notes.txt", "not read"]]


def test_an_unknown_district_is_a_wrong_call(folder):
    with pytest.raises(UsageError, match="Unknown district 'nowhere'"):
        clean_district("nowhere")


# ---- nothing lost


def stored_cells(path):
    """Count the cells that hold something, without planlib."""
    book = python_calamine.load_workbook(path)
    rows = [row for name in book.sheet_names for row in book.get_sheet_by_name(name).to_python()]
    return sum(1 for row in rows for value in row if str(value).strip() != "")


def test_every_cell_that_holds_something_is_accounted_for(folder):
    total = {"school_id": "合  计", ("primary", "students"): 900, ("primary", "classes"): "30"}
    schools = [school("S0001", books="*"), school("S0002"), school("S0003")]
    rows, merged = grid(schools, columns_of("primary"), total=total)
    rows += [["备注：测试"], ["", "第二行备注"], ["填表人：甲", "", "2020年9月"], [], ["", "", "无处可归的字"]]
    rows[4] = [*rows[4], "旁注"]
    second = grid(schools, ["school_id", "school_name"])
    cover = ([["测试区教育局"], ["", 2020]], [])
    (folder / BOOK).write_bytes(workbook({"封面": cover, "甲": (rows, merged), "乙": second}))
    result = clean_district(NAME)
    account = result.accounts[result.accounts["file"] == BOOK]
    kinds = account.drop(columns=["file", "sheet", "year", "schools"]).set_index(account["sheet"])
    assert kinds.to_numpy().sum() == stored_cells(folder / BOOK)
    assert kinds.loc["封面", "issue"] == 2
    assert kinds.loc["甲", "issue"] == 1
    assert kinds.loc["甲", "total"] == 3
    assert kinds.loc["甲", "note_row"] == 5
    assert kinds.loc["甲", "not_applicable"] == 1
    assert kinds.loc["乙", "repeated"] == 6
    born = table("lineage")
    from_cells = born[(born["raw"].str.strip() != "") & ~born["column"].isin(["year", "as_of", "stage"])]
    assert kinds["value"].sum() == len(from_cells.drop_duplicates(["file", "sheet", "cell"]))
    said = result.issues.set_index("cell")["found"].to_dict()
    assert said == {"A1": "2 cells, the first: 测试区教育局", "AL5": "旁注"}


def test_cells_of_csv_files_are_accounted_for(folder):
    text = "area,year,births\n东片,2020,10\n\n西片,2021,\n"
    (folder / "births.csv").write_text(text.replace("西片,2021,", "西片,2021,3"), encoding="utf-8")
    result = clean_district(NAME)
    row = result.accounts.set_index("file").loc["births.csv"]
    assert (row["value"], row["header"]) == (6, 3)
    assert table("births")["line"].tolist() == [2, 4]


# ---- the CSV files


def test_csv_of_older_windows_programs_is_read_and_noted(folder):
    (folder / "births.csv").write_bytes('area,year,births\r\n东片,2020,"1,234"\r\n'.encode("gb18030"))
    result = clean_district(NAME)
    assert table("births")[["area", "births", "line"]].to_numpy().tolist() == [["东片", 1234, 2]]
    assert result.issues[["level", "file", "done"]].to_numpy().tolist() == [
        ["note", "births.csv", "read as GB18030"]
    ]


def test_dates_of_csv_files_become_iso_days(folder):
    header = "commitment_id,date,achieved,evidence,note\n"
    (folder / "milestones.csv").write_text(f"{header}a,2022/6/3,1,x,\n", encoding="utf-8-sig")
    clean_district(NAME)
    assert table("milestones")["date"].tolist() == ["2022-06-03"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("area,year\n", "births.csv, line 1: found without births; expected area,year,births"),
        ("area,year,births,colour\n", "found unknown or twice: colour; expected area,year,births"),
        ("area,year,births\n东片,2020\n", "births.csv, line 2: found 2 cells; expected 3 cells"),
        (
            "area,year,births\n东片,2020,1\n东片,2020,2\n",
            "births.csv, line 3: found the key stands twice (area 东片, year 2020)",
        ),
        ('area,year,births\n"东片,2020,1\n', "not readable as CSV"),
        ("", "found without area, year, births"),
    ],
)
def test_faults_of_csv_files_name_the_line(folder, text, said):
    (folder / "births.csv").write_text(text, encoding="utf-8")
    fault(said)


# ---- corrections


def correct(folder, *entries, **more):
    base = {"what": "test", "reason": "typed wrongly", "who": "A"}
    content = {"schema_version": 1, "corrections": [{**base, **entry} for entry in entries], **more}
    (folder / "corrections.yml").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


AT = {"file": BOOK, "sheet": "基本情况", "cell": "AC5"}


@pytest.mark.parametrize(
    ("entry", "value", "step"),
    [
        (
            {"where": AT, "action": "override", "value": 7, "expect": "10"},
            7,
            "number; read as 7 (correction 1: typed wrongly; A)",
        ),
        ({"where": AT, "action": "override", "value": "1,007", "expect": 10}, 1007, "read as 1,007"),
        (
            {"where": AT, "action": "scale", "value": 0.1, "expect": 10},
            1,
            "× 0.1 (correction 1: typed wrongly; A)",
        ),
        ({"where": AT, "action": "flag", "expect": 10}, 10, "flagged: test"),
        (
            {
                "where": {"school_id": "S0001", "year": 2020, "column": "books"},
                "action": "override",
                "value": 8,
                "expect": "10",
            },
            8,
            "read as 8",
        ),
        (
            {
                "where": {"school_id": "S0001", "year": 2020, "column": "books", "stage": ""},
                "action": "override",
                "value": 8,
                "expect": "10",
            },
            8,
            "read as 8",
        ),
    ],
)
def test_corrections_change_values_and_show_in_the_birthplace(folder, entry, value, step):
    put(folder, [school(books=10)])
    correct(folder, entry)
    result = clean_district(NAME)
    assert table("schools")["books"].tolist() == [value]
    born = table("lineage").query("column == 'books'").iloc[0]
    assert step in born["step"]
    assert (born["cell"], born["raw"]) == ("AC5", "10")
    level = "warning" if entry["action"] == "flag" else "note"
    assert result.issues[["level", "file", "cell", "found"]].to_numpy().tolist() == [[level, BOOK, "AC5", "10"]]


def test_a_dropped_value_is_missing_and_has_no_birthplace(folder):
    put(folder, [school(books=10)])
    correct(folder, {"where": AT, "action": "drop", "expect": 10})
    result = clean_district(NAME)
    assert table("schools")["books"].isna().all()
    assert "books" not in set(table("lineage")["column"])
    assert result.accounts.set_index("file").loc[BOOK, "issue"] == 1


def test_dropping_at_the_code_drops_the_school_of_that_row(folder):
    put(folder, [school("S0001"), school("S0002"), school("S0001", books=3)])
    correct(folder, {"where": {**AT, "cell": "A7"}, "action": "drop", "expect": "S0001"})
    clean_district(NAME)
    assert table("schools")[["school_id", "books"]].to_numpy().tolist() == [["S0001", 0], ["S0002", 0]]


def test_dropping_a_school_of_a_year_needs_its_code(folder):
    put(folder, [school("S0001"), school("S0002")])
    correct(folder, {"where": {"school_id": "S0002", "year": 2020}, "action": "drop", "expect": "S0002"})
    clean_district(NAME)
    assert table("schools")["school_id"].tolist() == ["S0001"]


def test_a_correction_can_settle_a_cell_that_cannot_be_read(folder):
    put(folder, [school(books="约300")])
    correct(folder, {"where": AT, "action": "override", "value": 300, "expect": "约300"})
    clean_district(NAME)
    assert table("schools")["books"].tolist() == [300]


def test_a_total_agrees_with_its_rows_before_or_after_corrections(folder):
    for total in (10, 7):
        put(folder, [school(books=10)], total={"school_id": "合计", "books": total})
        correct(folder, {"where": AT, "action": "override", "value": 7, "expect": 10})
        clean_district(NAME)
    put(folder, [school(books=10)], total={"school_id": "合计", "books": 8})
    fault("found books 8; expected 7")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            {"where": AT, "action": "override", "value": 7, "expect": "9"},
            "now holds '10'; expected '9'; the source was mended?",
        ),
        ({"where": {**AT, "cell": "ZZ9"}, "action": "drop", "expect": "1"}, "no such cell"),
        ({"where": {**AT, "file": "returns/x.xlsx"}, "action": "drop", "expect": "1"}, "no file returns/x.xlsx"),
        (
            {"where": AT, "action": "override", "value": "many", "expect": "10"},
            "the value 'many' cannot be read as books; expected a whole number",
        ),
        (
            {"where": {"file": "births.csv", "line": 9, "column": "births"}, "action": "drop", "expect": 1},
            "no such place",
        ),
        (
            {
                "where": {"file": "births.csv", "line": 2, "column": "births"},
                "action": "scale",
                "value": 2,
                "expect": 1,
            },
            "now holds '5'",
        ),
        (
            {
                "where": {"file": "births.csv", "area": "西片", "year": 2020, "column": "births"},
                "action": "override",
                "value": 2,
                "expect": 1,
            },
            "no such place: file births.csv, area 西片, year 2020, column births",
        ),
        (
            {
                "where": {"file": "births.csv", "line": 2, "column": "area"},
                "action": "scale",
                "value": 2,
                "expect": "东片",
            },
            "holds no number; expected a number to scale",
        ),
    ],
)
def test_a_correction_that_no_longer_fits_fails_loudly(folder, entry, said):
    put(folder, [school(books=10)])
    (folder / "births.csv").write_text("area,year,births\n东片,2020,5\n", encoding="utf-8")
    correct(folder, entry)
    text = fault("corrections that do not fit")
    assert "corrections.yml" in text
    assert "entry 1 (test)" in text
    assert "take the entry out of corrections.yml if the source was mended" in text
    fault(said)


@pytest.mark.parametrize(
    ("entry", "births"),
    [
        (
            {
                "where": {"file": "births.csv", "line": 2, "column": "births"},
                "action": "override",
                "value": 6,
                "expect": 5,
            },
            [6],
        ),
        (
            {
                "where": {"file": "births.csv", "line": 2, "column": "births"},
                "action": "scale",
                "value": 2,
                "expect": 5,
            },
            [10],
        ),
        ({"where": {"file": "births.csv", "line": 2}, "action": "drop", "expect": "东片"}, []),
        ({"where": {"file": "births.csv", "area": "东片", "year": 2020}, "action": "drop", "expect": "东片"}, []),
        (
            {
                "where": {"file": "births.csv", "area": "东片", "year": 2020, "column": "births"},
                "action": "override",
                "value": 7,
                "expect": "5",
            },
            [7],
        ),
        ({"where": {"file": "births.csv", "line": 2}, "action": "flag"}, [5]),
    ],
)
def test_corrections_of_csv_lines(folder, entry, births):
    (folder / "births.csv").write_text("area,year,births\n东片,2020,5\n", encoding="utf-8")
    correct(folder, entry)
    clean_district(NAME)
    assert table("births")["births"].tolist() == births


def test_a_malformed_corrections_file_is_a_wrong_configuration_with_all_faults_and_lines(folder):
    (folder / "corrections.yml").write_text(
        "schema_version: 1\ncorrections:\n- {what: a, action: remove, reason: r, who: w, where: {cell: A1}}\n"
        "- {what: b, action: scale, value: x, expext: 1, where: {file: f, line: 2}}\n",
        encoding="utf-8",
    )
    with pytest.raises(RegistryError) as refused:
        clean_district(NAME)
    text = str(refused.value)
    assert refused.value.exit_code == 2
    for said in ("line 3", "action remove", "line 4", "unknown key expext", "no reason", "no expect", "value x"):
        assert said in text


def test_columns_a_district_does_not_collect_are_written_down(folder):
    columns = [c for c in columns_of("primary") if c != "books"]
    (folder / BOOK).write_bytes(workbook({"a": grid([school()], columns)}))
    fault("wanted columns that were not found (1):")
    waiver = {"columns": ["books"], "reason": "counted by the library", "who": "A"}
    correct(folder, not_collected=[waiver])
    clean_district(NAME)
    assert table("schools")["books"].isna().all()
    correct(folder, not_collected=[{**waiver, "years": [2019]}])
    fault("wanted columns that were not found (1):")


# ---- rules between figures


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"gym_area_m2": 20, "teaching_area_m2": 10}, "gym_area_m2 20", "at most teaching_area_m2 (10)"),
        ({("primary", "students"): 1000}, "students 1,000, 100 for each of classes", "0 to 66"),
        (
            {"equipment_value_yuan": 3000000},
            "equipment_value_yuan 30,000,000,000, 100,000,000 for each of students",
            "200 to 50000",
        ),
    ],
)
def test_figures_that_can_hardly_be_true_are_warnings_at_their_cell(folder, change, found, expected):
    put(folder, [school() | change])
    result = clean_district(NAME)
    row = result.issues.iloc[0]
    assert (row["level"], row["found"], row["expected"], row["done"]) == ("warning", found, expected, "kept")
    assert row["file"] == BOOK
    assert row["cell"].endswith("5")


def test_enrolment_by_grade_is_held_against_the_returns(folder):
    rows = "".join(f"S0001,x,东片,primary,{g},2020,{n}\n" for g, n in ((1, 40), (2, 250)))
    (folder / "enrolment.csv").write_text(
        f"school_id,school_name,area,stage,grade,year,students\n{rows}", encoding="utf-8"
    )
    put(folder, [school() | {("primary", "entrants"): 40}])
    result = clean_district(NAME)
    assert result.issues[["level", "cell", "found", "expected"]].to_numpy().tolist() == [
        ["warning", "line 2", "290 in primary by grade", "students 300 in the returns"]
    ]


# ---- the set, its digests, the cache


def two_years(folder):
    put(folder, [school("S0001"), school("S0002")], "returns/2021学年_小学.xlsx", title="2021/2022学年初")


def test_a_second_run_reads_only_what_changed_and_gives_the_same_tables_as_a_first(folder, tmp_path):
    two_years(folder)
    assert clean_district(NAME).counts["workbooks_read"] == 2
    for path in folder.rglob("*"):
        os.utime(path, (0, 0))
    assert clean_district(NAME).counts["workbooks_read"] == 0
    put(folder, [school(books=77)])
    assert clean_district(NAME).counts["workbooks_read"] == 1
    warm = {name: table(name) for name in ("schools", "lineage")}
    import shutil

    shutil.rmtree(tmp_path / "data" / "processed")
    assert clean_district(NAME).counts["workbooks_read"] == 2
    for name, frame in warm.items():
        pd.testing.assert_frame_equal(frame, table(name))


def test_a_removed_workbook_leaves_nothing_behind(folder):
    two_years(folder)
    clean_district(NAME)
    (folder / "returns" / "2021学年_小学.xlsx").unlink()
    clean_district(NAME)
    assert table("schools")["year"].tolist() == [2020]


def test_a_damaged_cache_is_only_a_slower_run(folder, tmp_path):
    clean_district(NAME)
    before = table("schools")
    for path in (tmp_path / "data" / "processed" / ".cache").rglob("*.feather"):
        path.write_bytes(b"damaged")
    assert clean_district(NAME).counts["workbooks_read"] == 1
    pd.testing.assert_frame_equal(before, table("schools"))


def test_faults_found_once_are_found_again_from_the_cache(folder):
    put(folder, [school()], headers={"books": "藏书量"}, total={"school_id": "合计"})
    (folder / "returns" / "2021学年_坏.xlsx").write_bytes(b"PK\x03\x04broken")
    texts = [fault("files that could not be read (1):") for _ in range(3)]
    assert len(set(texts)) == 1


def test_faulty_files_leave_the_previous_set_as_it_was(folder):
    clean_district(NAME)
    target = paths.processed(NAME)
    before = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in target.iterdir()}
    put(folder, [school(books="?")])
    fault()
    assert before == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in target.iterdir()}


def test_without_a_previous_set_faulty_files_leave_none(folder):
    put(folder, [school(books="?")])
    fault()
    assert not paths.processed(NAME).exists()


def test_the_set_says_what_it_was_made_from(folder):
    two_years(folder)
    clean_district(NAME)
    assert freshness.tables_are_fresh(NAME)
    put(folder, [school(books=1)])
    assert not freshness.tables_are_fresh(NAME)


def test_one_cell_changes_the_digest_of_its_year_and_table_only(folder):
    def digests():
        clean_district(NAME)
        return json.loads((paths.processed(NAME) / "digests.json").read_text())["tables"]

    two_years(folder)
    (folder / "births.csv").write_text("area,year,births\n东片,2019,5\n东片,2020,6\n", encoding="utf-8")
    before = digests()
    assert set(before["schools"]) == {"2020-09-01", "2021-09-01"}
    assert set(before["births"]) == {"2019-12-31", "2020-12-31"}
    put(folder, [school("S0001", books=9), school("S0002")], "returns/2021学年_小学.xlsx", title="2021/2022学年初")
    after = digests()
    assert before["schools"]["2020-09-01"] == after["schools"]["2020-09-01"]
    assert before["schools"]["2021-09-01"] != after["schools"]["2021-09-01"]
    assert before["births"] == after["births"]


def test_same_files_give_the_same_bytes(folder, tmp_path):
    import shutil

    two_years(folder)
    contents = []
    for _ in range(2):
        clean_district(NAME)
        contents.append({path.name: path.read_bytes() for path in paths.processed(NAME).iterdir()})
        shutil.rmtree(tmp_path / "data" / "processed")
    assert contents[0] == contents[1]


def test_progress_is_reported_file_by_file(folder):
    two_years(folder)
    seen = []
    clean_district(NAME, progress=lambda *step: seen.append(step))
    assert seen == [(1, 2, BOOK), (2, 2, "returns/2021学年_小学.xlsx")]


def test_the_summary_reads_in_both_languages(folder):
    (folder / "notes.txt").write_text("x")
    result = clean_district(NAME)
    chinese, english = summary(result), summary(result, "en")
    assert "小学" in chinese
    assert "问题：错误 0 条，警告 1 条，提示 0 条" in chinese
    assert "Issues: errors 0, warnings 1, notes 0" in english
    assert "notes.txt: found a file that planlib does not know → not read" in english
    assert "其中报表工作簿 1 个（本次新读 1 个，此前已读且内容未变 0 个）" in chinese
    assert "1 of them workbooks of returns (1 read now, 0 read before and unchanged since)" in english
    assert "(0 read now, 1 read before and unchanged since)" in summary(clean_district(NAME), "en")
    with pytest.raises(UsageError, match="Unknown language"):
        summary(result, "fr")


# ---- the definition of the form


def test_no_header_of_the_form_names_two_columns_and_every_column_is_of_the_schema():
    declared = set(schema.TABLES["schools"].columns)
    assert set(FORM.columns) <= declared
    assert declared - set(FORM.columns) == {"stage", "year", "as_of"}


def test_a_wrong_form_is_refused_with_every_fault(tmp_path):
    source = (load_form.__wrapped__.__globals__["DEFINITIONS"] / "forms" / "collection.yml").read_text(
        encoding="utf-8"
    )
    text = source.replace("  books: {headers: [图书册数", "  book: {headers: [图书册数").replace(
        "computers: {headers: [教学用计算机台数", "computers: {headers: [图书册数, 教学用计算机台数"
    )
    text = text.replace("unit: 间", "unit: 亩")
    path = tmp_path / "collection.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError) as refused:
        load_form(path)
    assert "book: not a column of fields.yml" in str(refused.value)
    assert "multimedia_rooms: unit 亩 is not one of `units` for count" in str(refused.value)


def test_files_that_change_or_go_while_they_are_read_are_named(folder, monkeypatch):
    """A return saved and a CSV file taken away in the middle of a run: both are faults, and nothing is written."""
    cleaned = pipeline._pieces

    def meanwhile(*given):
        (folder / "births.csv").unlink()
        (folder / BOOK).write_bytes((folder / BOOK).read_bytes() + b"more")
        return cleaned(*given)

    monkeypatch.setattr(pipeline, "_pieces", meanwhile)
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    faults = refused.value.issues.query("level == 'error'")
    assert sorted(faults["file"]) == ["births.csv", BOOK], faults.to_string()
    assert set(faults["kind"]) == {"changed"}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"columns": [{"books": 1}]}, "unknown column {'books': 1}"),
        ({"columns": "books"}, "columns books; expected a list of columns"),
        ({"columns": 5}, "columns 5; expected a list of columns"),
        ({"columns": ["books"], "years": 2019}, "years 2019; expected a list of years"),
        ({"columns": ["books"], "years": ["all"]}, "years ['all']; expected a list of years"),
    ],
)
def test_a_malformed_waiver_is_named(folder, entry, said):
    """Found by fuzzing: what was no list, or no name in one, ended in a traceback."""
    entry = entry | {"reason": "测试", "who": "甲"}
    (folder / "corrections.yml").write_text(json.dumps({"not_collected": [entry]}), encoding="utf-8")
    with pytest.raises(RegistryError) as refused:
        clean_district(NAME)
    assert said.split("; expected ")[0] in str(refused.value)
    assert said.partition("; expected ")[2] in str(refused.value)


@pytest.mark.parametrize("text", ["1e9999999", "-1e9999999万"])
def test_a_number_beyond_every_float_is_refused(folder, text):
    """Found by fuzzing: exact decimals overflow, and that ended in a traceback."""
    (folder / "births.csv").write_text(f"area,year,births\n东片,2020,{text}\n", encoding="utf-8")
    put(folder, [school(equipment_value_yuan="1e9999999")])
    said = fault("2 faults")
    assert "births.csv, line 2: found births is" in said
    assert "1e9999999" in said

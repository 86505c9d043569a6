"""The CSV files a district brings, with the headers, words and units that districts write."""

import csv
import io
import json
import shutil

import pandas as pd
import pytest
from returns_builder import district

from planlib import paths, schema
from planlib.clean import FaultyData, clean_district
from planlib.clean.inspect import inspect_file
from planlib.clean.tables import collected
from planlib.clean.values.correct import Corrections
from planlib.clean.words.headers import column_of, load_headers, wanted
from planlib.clean.words.writing import codes, key
from planlib.cli import main
from planlib.errors import RegistryError
from planlib.registry import codes as labels
from planlib.registry import label

NAME = "testdistrict"
COLLECTED = [name for name, table in schema.TABLES.items() if table.is_collected]
# one line of each table, as a program writes it and as a district does; the years of all are known
LINES = {
    "observations": (
        ["s01", "92", ">", "2020-12-31", "审定", "学前教育科", "现行区划", "残联名册"],
        ["s01", ">92", "", "2020年12月31日", "审定", "学前教育科", "现行区划", "残联名册"],
    ),
    "enrolment": (
        ["S0001", "采荷小学", "东片", "primary", "1", "2020", "41"],
        ["S0001", "采荷小学", "东片", "小学", "一年级", "2020-2021学年", "41"],
    ),
    "births": (["东片", "2020", "1805"], ["东片", "2020年", "1,805"]),
    "milestones": (["a", "2020-06-03", "1", "x", ""], ["a", "2020/6/3", "1", "x", ""]),
    "projects": (
        [
            "P1",
            "采荷小学新建工程",
            "primary",
            "东片",
            *["2020-01-02"] * 5,
            "24",
            "1080",
            "285430000",
            "40000",
            "30000",
        ],
        ["P1", "采荷小学新建工程", "小学", "东片", *["2020.1.2"] * 5, "24", "1080", "2.8543亿", "40000", "30000"],
    ),
    "finance": (
        ["education_expenditure_yuan", "2020", "2036000000", "yuan", "2020-12-31", "决算", "计财科"],
        ["教育经费支出", "2020", "20.36", "亿元", "2020-12-31", "决算", "计财科"],
    ),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    made = district(tmp_path, NAME)
    shutil.copy(paths.PACKAGE.parents[1] / "data" / "raw" / "shangcheng" / "plan.yml", made)
    return made


def put(folder, name, *rows):
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    (folder / f"{name}.csv").write_text(buffer.getvalue(), encoding="utf-8")


def table(name):
    return schema.read_table(paths.processed(NAME) / f"{name}.parquet", name)


def fault():
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    return str(refused.value)


@pytest.mark.parametrize("name", COLLECTED)
def test_a_file_with_chinese_headers_and_words_is_the_table_that_the_plain_one_is(folder, name):
    plain, written = LINES[name]
    put(folder, name, wanted(name), plain)
    clean_district(NAME)
    expected = table(name)
    put(folder, name, [schema.label(column, "zh") for column in wanted(name)], written)
    clean_district(NAME)
    pd.testing.assert_frame_equal(table(name), expected)
    assert len(expected) == 1


@pytest.mark.parametrize(
    ("column", "group"),
    [("grade", "grade"), ("stage", "stage"), ("kind", "project_kind"), ("item", "finance_item")],
)
def test_every_label_of_a_coded_column_is_read_as_its_code(column, group):
    allowed = set(schema.fields()[column].values) or set(labels(group))
    known = codes(column)
    assert {code: known.get(key(label(code, "zh", group))) for code in labels(group) if code in allowed} == {
        code: code for code in labels(group) if code in allowed
    }


def test_a_district_s_own_births_are_read_corrected_traced_and_accounted_for(folder, capsys):
    put(
        folder,
        "births",
        ["序号", "街道", "年份", "出生人数（人）", "备注", ""],
        [1, "采荷", "2020", "1805", "户籍", ""],
    )
    entry = {"what": "typing error", "reason": "typed wrongly", "who": "A", "action": "override", "value": 1850}
    entry |= {"where": {"file": "births.csv", "街道": "采荷", "年份": 2020, "column": "出生人数"}, "expect": 1805}
    (folder / "corrections.yml").write_text(
        json.dumps({"corrections": [entry]}, ensure_ascii=False), encoding="utf-8"
    )
    result = clean_district(NAME)
    assert table("births")[["area", "year", "births", "line"]].to_numpy().tolist() == [["采荷", 2020, 1850, 2]]
    row = result.accounts.set_index("file").loc["births.csv"]
    assert (row["header"], row["value"], row["ignored"]) == (5, 3, 2)
    assert result.issues["file"].tolist() == ["births.csv"]
    assert main(["trace", NAME, "births", "采荷", "2020", "births", "--language", "en"]) == 0
    said = capsys.readouterr().out
    assert "births.csv" in said
    assert "1805" in said
    assert "read as 1850 (correction 1: typed wrongly; A)" in said


def test_units_in_headers_and_of_lines_are_converted_and_told(folder, capsys):
    header, line = wanted("projects"), dict(zip(wanted("projects"), LINES["projects"][0], strict=True))
    texts = {"investment_yuan": "总投资（万元）", "site_area_m2": "用地面积（亩）"}
    put(
        folder,
        "projects",
        [texts.get(column, column) for column in header],
        list((line | {"investment_yuan": "28,543", "site_area_m2": "45"}).values()),
    )
    put(
        folder,
        "finance",
        ["项目", "年份", "金额", "单位", "统计时点", "数据状态", "来源科室"],
        LINES["finance"][1],
    )
    clean_district(NAME)
    row = table("projects").iloc[0]
    assert (row["investment_yuan"], row["site_area_m2"]) == (285_430_000, pytest.approx(30_000))
    assert main(["trace", NAME, "projects", "P1", "investment_yuan", "--language", "en"]) == 0
    assert "text → number, × 10000 (万元 → yuan)" in capsys.readouterr().out
    assert main(["trace", NAME, "finance", "education_expenditure_yuan", "2020", "value", "--language", "en"]) == 0
    assert "text → number, × 100000000 (亿元 → yuan)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "header", "line", "said"),
    [
        ("births", "街道,片区,年份,出生人数", "a,b,2020,1", "line 1: found unknown or twice: 街道, 片区"),
        ("births", "街道,年份,死亡人数", "a,2020,1", "line 1: found without births; unknown or twice: 死亡人数"),
        (
            "births",
            "街道,年份,出生人数,",
            "a,2020,1,7",
            "line 1: found unknown or twice: ; expected area,year,births",
        ),
        (
            "births",
            "街道,年份,出生人数（万人）",
            "a,2020,0.1",
            "line 1: found 出生人数（万人）; expected one of 人",
        ),
        ("births", "街道,年份,出生人数（亩）", "a,2020,1", "line 1: found 出生人数（亩）; expected one of 人"),
        (
            "finance",
            "项目,年份,金额（万元）,单位,统计时点,数据状态,来源科室",
            "教育经费支出,2020,1,元,2020-12-31,决算,x",
            "line 1: found 金额（万元）; expected a header without a unit",
        ),
        (
            "finance",
            "项目,年份,金额,单位,统计时点,数据状态,来源科室",
            "教育经费支出,2020,1,百元,2020-12-31,决算,x",
            "line 2: found 百元; expected one of 元, 千元, 万元, 亿元, %",
        ),
        (
            "finance",
            "项目,年份,金额,单位,统计时点,数据状态,来源科室",
            "教育经费支出,2020,1.2亿,万元,2020-12-31,决算,x",
            "line 2: found 1.2亿, 万元; expected the unit once, in its own column",
        ),
        (
            "projects",
            ",".join({"investment_yuan": "投资额（万元）"}.get(c, c) for c in wanted("projects")),
            "P1,x,小学,a,,,,,,,,1.2亿,,",
            "line 2: found investment_yuan is '1.2亿' (project_id P1); expected a number",
        ),
    ],
)
def test_what_is_not_clear_is_refused(folder, name, header, line, said):
    (folder / f"{name}.csv").write_text(f"{header}\n{line}\n", encoding="utf-8")
    assert f"{name}.csv, {said}" in fault()


def test_inspect_shows_the_headers_as_they_stand(folder):
    put(folder, "births", ["街道", "年份", "出生人数"], ["采荷", 2020, 5])
    said = inspect_file(folder / "births.csv", "zh")
    assert "出生人数" in said
    assert "户籍出生人口" in said
    assert "1 行" in said


def test_a_text_that_names_two_columns_is_refused(tmp_path):
    path = tmp_path / "tables.yml"
    path.write_text("columns: {area: [年份]}\ntables: {births: {colour: [x]}}\n", encoding="utf-8")
    with pytest.raises(RegistryError) as refused:
        load_headers(path)
    assert "births: colour is no column that it brings" in str(refused.value)
    assert "births: 年份 names area and year" in str(refused.value)
    assert column_of("births", "年份") == "year"


@pytest.mark.parametrize(("value", "unit"), [(">92", "万元"), ("约92", "亿元"), (">92", "yuan")])
def test_a_bound_is_no_figure_whatever_its_unit(value, unit):
    """Found on reading again: converting 万元 dropped the sign, and >92 was read as 920000."""
    content = "item,year,value,unit,as_of,status,source_office\n"
    content += f"education_expenditure_yuan,2020,{value},{unit},2020-12-31,决算,x\n"
    made, issues, _ = collected.collected_table("finance", content.encode(), Corrections())
    assert made is None
    assert issues[0].found.startswith(f"value is '{value}'")


def of_file(name, text):
    made, issues, cells = collected.collected_table(name, text.encode(), Corrections())
    return made, [(issue.cell, issue.found, issue.expected) for issue in issues], cells


@pytest.mark.parametrize("titles", ["2020年出生人口\n", "出生人数,,\n,,\n\n单位：人,,\n", ",,单位：人\n"])
def test_a_title_above_the_header_is_told_apart_and_lines_keep_their_numbers(titles):
    made, issues, cells = of_file("births", f"{titles}街道,年份,出生人数\n望江,2020,5\n\n采荷,2020,6\n")
    assert issues == []
    count = titles.count("\n")
    assert made[["area", "births", "line"]].to_numpy().tolist() == [["望江", 5, count + 2], ["采荷", 6, count + 4]]
    assert cells == {
        "title": sum(map(bool, titles.replace(",", "").split())),
        "header": 3,
        "value": 6,
        "ignored": 0,
    }


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("births", "出生人口,单位：人,\n街道,年份,出生人数\n采荷,2020,5\n", ("line 1", "without area, year")),
        ("births", "1805,,\n街道,年份,出生人数\n采荷,2020,5\n", ("line 1", "without area, year, births")),
        ("births", "表\n\n街道,年份,死亡\n采荷,2020,5\n", ("line 3", "without births")),
        ("births", "单位：万人,,\n街道,年份,出生人数\n采荷,2020,5\n", ("line 1", "单位：万人")),
        ("births", "单位：万元,,\n街道,年份,出生人数\n采荷,2020,5\n", ("line 1", "单位：万元")),
        ("births", "以万元计,,\n街道,年份,出生人数\n采荷,2020,5\n", ("line 1", "以万元计")),
        ("births", "表\n街道,年份,出生人数（亩）\n采荷,2020,5\n", ("line 2", "出生人数（亩）")),
        ("births", "表\n街道,年份,出生人数\n采荷,2020,x\n", ("line 3", "births is 'x'")),
        ("milestones", f"单位：个\n{','.join(wanted('milestones'))}\na,2020-06-03,1,x,\n", ("line 1", "单位：个")),
    ],
)  # fmt: skip
def test_titles_that_are_none_or_say_a_unit_of_no_column_are_refused(name, text, said):
    made, issues, _ = of_file(name, text)
    assert made is None
    assert (issues[0][0], issues[0][1][: len(said[1])]) == said


@pytest.mark.parametrize(
    ("title", "header", "investment", "factor"),
    [
        ("单位：万元", "总投资", "10.5", 10_000),
        ("单位：万元", "总投资（亿元）", "10.5", 100_000_000),
        ("单位：亩、万元", "总投资", "10.5", 10_000),
        ("单位：人", "总投资", "10.5", 1),
        ("单位：万元", "总投资", "1.2亿", None),
        ("单位：万元、元", "总投资", "10.5", None),
        ("单位：百元", "总投资", "10.5", None),
    ],
)
def test_a_unit_above_the_header_holds_for_columns_that_say_none(title, header, investment, factor):
    line = dict(zip(wanted("projects"), LINES["projects"][0], strict=True)) | {"investment_yuan": investment}
    head = [header if column == "investment_yuan" else column for column in wanted("projects")]
    made, issues, _ = of_file(
        "projects", "\n".join([f"建设项目（{title}）", ",".join(head), ",".join(line.values())])
    )
    if factor is None:
        assert made is None
        assert issues
    else:
        assert issues == []
        assert made["investment_yuan"].tolist() == [10.5 * factor]
        assert made["site_area_m2"].tolist() == pytest.approx([30_000 * (10_000 / 15 if "亩" in title else 1)])


@pytest.mark.parametrize(
    ("title", "unit", "value"),
    [
        ("单位：万元", "万元", 105_000),
        ("单位：万元", "元", None),
        ("单位：万元", "yuan", None),
        ("单位：万元", "%", 10.5),
        ("单位：万元、亿元", "亿元", 1_050_000_000),
        ("单位：人", "元", None),
        ("经费情况（万元）", "元", None),
        ("单位：万元", "", None),
    ],
)
def test_a_unit_above_finance_must_be_that_of_its_lines(title, unit, value):
    line = f"教育经费支出,2020,10.5,{unit},2020-12-31,决算,x"
    made, issues, _ = of_file(
        "finance", f"{title},,,,,,\n项目,年份,金额,单位,统计时点,数据状态,来源科室\n{line}\n"
    )
    assert bool(issues) == (value is None)
    assert (made is None) == (value is None)
    if value is not None:
        assert made["value"].tolist() == [value]
    elif unit:
        assert issues[0][1:] in [
            (f"{unit}: 万元 above", "the same unit in the line and above"),
            (title, "a title without a unit"),
        ]


def test_lines_below_a_title_are_corrected_traced_shown_and_accounted_for(folder, capsys):
    head = ["街道", "年份", "出生人数"]
    put(folder, "births", ["出生人口", "", ""], [], head, ["采荷", "2020", "1805"])
    entry = {"what": "typing error", "reason": "typed wrongly", "who": "A", "action": "override", "value": 1850}
    entry |= {"where": {"file": "births.csv", "line": 4, "column": "出生人数"}, "expect": 1805}
    (folder / "corrections.yml").write_text(
        json.dumps({"corrections": [entry]}, ensure_ascii=False), encoding="utf-8"
    )
    line = dict(zip(wanted("projects"), LINES["projects"][0], strict=True)) | {"investment_yuan": "28543"}
    put(folder, "projects", ["单位：万元"], wanted("projects"), list(line.values()))
    result = clean_district(NAME)
    assert table("births")[["area", "year", "births", "line"]].to_numpy().tolist() == [["采荷", 2020, 1850, 4]]
    row = result.accounts.set_index("file").loc["births.csv"]
    assert (row["title"], row["header"], row["value"]) == (1, 3, 3)
    assert main(["trace", NAME, "births", "采荷", "2020", "births", "--language", "en"]) == 0
    said = capsys.readouterr().out
    assert "line 4" in said
    assert "1805" in said
    assert main(["trace", NAME, "projects", "P1", "investment_yuan", "--language", "en"]) == 0
    assert "text → number, × 10000 (万元 → yuan)" in capsys.readouterr().out
    said = inspect_file(folder / "projects.csv", "zh")
    line = next(line for line in said.splitlines() if "investment_yuan" in line)
    assert line.split()[1:] == ["投资额", "万元"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1\u202f234", 1234),
        ("1\u00a0234\u00a0567", 1_234_567),
        ("1 234 567", None),
        ("1 234", None),
        ("300 310", None),
        ("1234\u00a0567", None),
        ("300， 310", None),
    ],
)
def test_digits_that_programs_group_are_one_number_in_a_file_of_the_district_too(folder, capsys, written, value):
    put(folder, "births", wanted("births"), ["东片", "2020", written])
    if value is None:
        assert f"births.csv, line 2: found births is {written!r}" in fault()
        return
    clean_district(NAME)
    assert table("births")["births"].tolist() == [value]
    assert main(["trace", NAME, "births", "东片", "2020", "births", "--language", "en"]) == 0
    assert "text → number, digits grouped by hard spaces" in capsys.readouterr().out


def test_a_line_with_grouped_digits_is_scaled(folder):
    put(folder, "births", wanted("births"), ["东片", "2020", "1\u00a0234\u00a0567"])
    entry = {"what": "x", "reason": "x", "who": "A", "action": "scale", "value": 10, "expect": 1234567}
    entry |= {"where": {"file": "births.csv", "line": 2, "column": "births"}}
    (folder / "corrections.yml").write_text(json.dumps({"corrections": [entry]}), encoding="utf-8")
    clean_district(NAME)
    assert table("births")["births"].tolist() == [12_345_670]

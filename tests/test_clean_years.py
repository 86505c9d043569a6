"""The school year of a return: in a title, in the name of a sheet, or bare; two that differ are refused."""

import io
import zipfile

import pytest
from returns_builder import columns_of, district, grid, school, workbook
from school_builder import school as form_school
from school_builder import school_book

from planlib import paths, schema
from planlib.clean import FaultyData, clean_district
from planlib.clean.inspect import inspect_file
from planlib.clean.words.forms import load_form
from planlib.clean.words.years import bare_years, years_said
from planlib.registry import phrase

NAME = "testdistrict"
BOOK = "returns/2020学年_小学.xlsx"
BARE = "测试区小学情况一览表"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    return district(tmp_path, NAME)


def put(folder, title, *names):
    ids = [f"S000{n}" for n in range(1, 1 + len(names))]
    sheets = {
        name: grid([school(i)], columns_of("primary"), title=title) for name, i in zip(names, ids, strict=True)
    }
    (folder / BOOK).write_bytes(workbook(sheets))


def fault():
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    return str(refused.value)


def table(name):
    return schema.read_table(paths.processed(NAME) / f"{name}.parquet", name)


@pytest.mark.parametrize(
    ("title", "name", "year", "note"),
    [
        (BARE, "2020学年", 2020, None),
        (BARE, "小学二〇二一学年", 2021, None),
        (BARE, "2021-2022", 2021, ("2021-2022", "2021/2022")),
        (BARE, "2022", 2022, ("2022", "2022/2023")),
        (BARE, "小学2022", 2022, ("小学2022", "2022/2023")),
        (BARE, "2022年", 2022, ("2022年", "2022/2023")),
        (f"2020年{BARE}", "甲", 2020, (f"2020年{BARE}", "2020/2021")),
        (f"{BARE}（二〇二一年）", "甲", 2021, (f"{BARE}（二〇二一年）", "2021/2022")),
        (f"2020年{BARE}", "2020学年", 2020, None),
        (f"2021年统计，2020/2021学年{BARE}", "2020", 2020, None),
    ],
)
def test_the_year_of_a_sheet_s_name_or_a_bare_one_is_read_and_told(folder, title, name, year, note):
    put(folder, title, name)
    result = clean_district(NAME)
    assert table("schools")["year"].tolist() == [year]
    told = result.issues[result.issues["issue_kind"] == "title"]
    said = [(found, f"taken as the school year {years}") for found, years in [note or ()]] if note else []
    assert list(zip(told["found"], told["done"], strict=True)) == said
    assert set(told["level"]) <= {"note"}
    assert all(phrase(text, "zh") != text for text in told["done"])


def test_a_year_of_a_sheet_s_name_has_its_birthplace(folder):
    put(folder, BARE, "2020学年")
    clean_district(NAME)
    born = table("lineage").query("column == 'year'").iloc[0]
    assert (born["sheet"], born["cell"], born["raw"]) == ("2020学年", "sheet name", "2020学年")
    assert born["step"] == "year of the sheet's name"
    assert phrase(born["step"], "zh") == "工作表名中的学年"
    assert "标题：2020学年（工作表名），学年：2020" in inspect_file(folder / BOOK, "zh")


@pytest.mark.parametrize(
    ("title", "names", "said"),
    [
        (
            f"2020/2021学年{BARE}",
            ["2021学年"],
            "found 2020 in the title and 2021 in the sheet's name; expected one",
        ),
        (
            f"2020/2021学年{BARE}",
            ["2021"],
            "cell A1: found 2020 in the title and 2021 in the sheet's name; expected",
        ),
        (f"2020年{BARE}", ["2021学年"], "found 2021 in the sheet's name and 2020 in the title; expected one"),
        (BARE, ["2020学年", "2021学年"], "found 2020 in sheet 2020学年 and 2021 in sheet 2021学年; expected one"),
        (f"2020年{BARE}2021年", ["甲"], "cell A1: found 2020 and 2021; expected one school year"),
        (f"2020年{BARE}", ["甲", "2021"], "found 2020 in the title and 2021 in the sheet's name"),
    ],
)
def test_two_years_are_refused_with_both_places(folder, title, names, said):
    put(folder, title, *names)
    text = fault()
    assert said in text
    found = said.partition("found ")[2].partition(";")[0]
    assert phrase(found, "zh") != found


@pytest.mark.parametrize(
    "text",
    [
        "2020年9月1日",
        "截至2020年底",
        "2018-2020年",
        "2018年至2020年",
        "2021年春季",
        "2020年级",
        "教基2106",
        "基础基2012",
        "2020.9",
        "电话20201234",
    ],
)
def test_a_day_a_span_and_a_code_are_no_school_year(folder, text):
    assert bare_years(text, load_form()) == []
    assert years_said([], text, load_form()) == []
    if "基" in text:  # as a title it would be that of a form
        return
    put(folder, f"{BARE}{text}", "甲")
    assert "found no school year above the header" in fault()


@pytest.mark.parametrize(
    ("cover", "sheet", "year", "said"),
    [
        ("（2020年）", "基础基312", 2020, "taken as the school year 2020/2021"),
        ("", "基础基312(2020学年)", 2020, ""),
        (
            "（2020/2021学年初）",
            "基础基312(2021学年)",
            None,
            "found 2020 in the title and 2021 in the sheet's name",
        ),
    ],
)
def test_a_school_s_workbook_says_its_year_in_the_same_ways(folder, cover, sheet, year, said):
    (folder / BOOK).unlink()
    content = school_book(form_school("primary"), 2020, False)
    texts = {"xl/sharedStrings.xml": ("（2020 /2021学年初）", cover), "xl/workbook.xml": ("基础基312", sheet)}
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(folder / "returns/a.xlsx", "w") as new:
        for part in old.namelist():
            was, now = texts.get(part, ("", ""))
            new.writestr(part, old.read(part).replace(was.encode(), now.encode()) if was else old.read(part))
    if year is None:
        assert said in fault()
        return
    result = clean_district(NAME)
    assert set(table("schools")["year"]) == {year}
    told = result.issues[result.issues["issue_kind"] == "title"]["done"].tolist()
    assert told == ([said] if said else [])

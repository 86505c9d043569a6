"""The school year of a return: in a title, in the name of a sheet, or bare; each sheet has its own."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from returns_builder import columns_of, district, grid, school, workbook
from school_builder import school as form_school
from school_builder import school_book

from planlib import cli, paths, schema
from planlib.clean import FaultyData, clean_district
from planlib.clean.inspect import inspect_file
from planlib.clean.words.forms import load_form
from planlib.clean.words.years import bare_years, years_said
from planlib.registry import phrase

NAME = "testdistrict"
BOOK = "returns/2020学年_小学.xlsx"
BARE = "测试区小学情况一览表"
NOTED = "each sheet read as of its own year"
SHIPPED = Path(__file__).resolve().parents[1] / "data" / "raw" / "shangcheng"


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
        (BARE, "2022九年一贯制", 2022, ("2022九年一贯制", "2022/2023")),
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


# ---- a sheet for each year

OF_STAGE = ["school_id", "school_name", *(c for c in columns_of("primary") if isinstance(c, tuple))]
OF_SCHOOL = [c for c in columns_of("primary") if not isinstance(c, tuple)]


def schools_of(year):
    """Return the schools of a year: one in all years, one of that year alone, a campus of each kind in the last."""
    own = [school("S0001", books=year), school(f"S{year}", books=7, ownership="民办"), school("S0002", teachers=1)]
    names = ["采荷小学（东校区）", "采荷小学（西校区）"] if year == 2022 else ["采荷小学"]
    return own + [school("S0003", school_name=name, computers=year) for name in names]


def whole(year, title, _name):
    rows, merged = grid(schools_of(year), columns_of("primary"), title=title, total={"school_id": "合计"})
    kept = [None, None, "曾用名", None, f"{year}小学"]
    return {"": ([[*row, *kept[n : n + 1]] for n, row in enumerate(rows)], merged)}


def in_parts(year, title, _name):
    rows = schools_of(year)
    return {"学校": grid(rows, OF_SCHOOL, title=title), "学生": grid(rows, OF_STAGE, title=title)}


def by_type(year, title, _name):
    nine = [school("S0009", "nine_year", books=year)]
    return {
        "小学": grid(schools_of(year), columns_of("primary"), title=title),
        "九年": grid(nine, columns_of("nine_year"), title=title),
    }


def tables_of(folder, books):
    """Return the tables of these workbooks and no others, without the file and the sheet of each value."""
    shutil.rmtree(folder / "returns")
    (folder / "returns").mkdir()
    for name, sheets in books.items():
        (folder / "returns" / f"{name}.xlsx").write_bytes(workbook(sheets))
    result = clean_district(NAME)
    born = ["file", "sheet"]
    return result, {
        name: table(name).drop(columns=born, errors="ignore") for name in ("schools", "lineage", "form_cells")
    }


@pytest.mark.parametrize("way", [whole, in_parts, by_type])
@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("测试区{}/{}学年初小学情况一览表", ["甲", "乙", "丙"]),
        (BARE, ["2020学年", "2021-2022", "2022"]),
        ("近三年学校基本情况（{}年）", ["2020", "2021", "2022"]),
    ],
)
def test_a_sheet_for_each_year_gives_what_a_file_for_each_year_gives(folder, way, title, names):
    of_year = {
        year: {f"{name}{part}": own for part, own in way(year, title.format(year, year + 1), name).items()}
        for year, name in zip((2020, 2021, 2022), names, strict=True)
    }
    one, made = tables_of(
        folder, {"近三年": {name: own for sheets in of_year.values() for name, own in sheets.items()}}
    )
    assert not (one.issues["level"] == "error").any()
    apart, wanted = tables_of(folder, of_year)
    assert made["schools"]["year"].nunique() == 3
    for name, frame in wanted.items():
        by = [c for c in frame if c != "value"]
        same = [f.sort_values(by, ignore_index=True) for f in (made[name], frame)]
        pd.testing.assert_frame_equal(*same)
    pd.testing.assert_frame_equal(one.schools, apart.schools)
    kinds = ["sheet", "year", "schools", "value", "total", "title", "header"]
    accounts = [r.accounts.query("file.str.startswith('returns/')")[kinds] for r in (one, apart)]
    pd.testing.assert_frame_equal(*(a.sort_values(kinds, ignore_index=True) for a in accounts))
    told = ["level", "issue_kind", "sheet", "cell", "school", "year", "done"]
    issues = [r.issues[r.issues["done"] != NOTED] for r in (one, apart)]
    assert len(issues[0]) == len(one.issues) - 1
    pd.testing.assert_frame_equal(*(own[told].sort_values(told, ignore_index=True) for own in issues))


def put_years(folder, *sheets):
    (folder / BOOK).write_bytes(workbook(dict(sheets)))


def sheet_of(year, *schools, columns=None, title="测试区{}/{}学年初小学情况一览表", **more):
    said = title.format(year, year + 1) if year else BARE
    return grid(schools, columns or columns_of("primary"), title=said, **more)


def faults(folder, *sheets):
    put_years(folder, *sheets)
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    issues = refused.value.issues.query("level == 'error'")
    assert all(phrase(text, "zh") != text for text in issues["expected"])
    return issues[["kind", "sheet", "school", "year", "found", "expected"]].to_numpy().tolist()


def test_a_sheet_without_a_year_among_several_years_is_named_with_those_of_the_others(folder):
    of_years = [("甲", sheet_of(2020, school())), ("乙", sheet_of(2021, school()))]
    (said,) = faults(folder, *of_years, ("名录", sheet_of(None, school("S0007"))))
    wanted = "its school year in its title or in its name"
    assert said == ["title", "名录", "", "", "no school year, but 2020 (甲)、2021 (乙) in others", wanted]
    assert phrase(said[4], "zh") == "该表没有学年，其他工作表为 2020 (甲)、2021 (乙)"
    # one that says two years is told as such, and alone
    wrong = ("2022", sheet_of(2021, school("S0007")))
    assert [row[:2] for row in faults(folder, *of_years, wrong)] == [["title", "2022"]]
    both = faults(folder, *of_years, wrong, ("名录", sheet_of(None, school("S0008"))))
    assert [row[:2] for row in both] == [["title", "2022"], ["title", "名录"]]
    # beside a table of schools a sheet of notes needs no year
    put_years(folder, *of_years, ("说明", ([["填表说明"], ["一"]], [])))
    assert set(clean_district(NAME).schools["year"]) == {2020, 2021}


def test_a_sheet_without_a_year_among_sheets_of_one_takes_it_and_says_so(folder):
    one, two = school(), school("S0002")
    put_years(folder, ("甲", sheet_of(2020, one)), ("乙", sheet_of(None, two)), ("丙", ([["说明"]], [])))
    result = clean_district(NAME)
    assert table("schools")["year"].tolist() == [2020, 2020]
    rows = result.issues.query("issue_kind == 'title'")[["level", "sheet", "year", "found", "done"]]
    wanted = ["warning", "乙", "2020", "no school year in the sheet", "year of the other sheets taken"]
    assert rows.astype("str").to_numpy().tolist() == [wanted]


def test_a_workbook_of_several_years_is_noted_with_them(folder):
    """A title may be last year's, copied with its sheet."""
    put_years(
        folder,
        *(
            ("甲", sheet_of(2021, school())),
            ("乙", sheet_of(2022, school())),
            ("丙", sheet_of(2022, school("S0002"))),
        ),
    )
    noted = clean_district(NAME).issues.query("issue_kind == 'title'")
    ((level, found, done),) = noted[["level", "found", "done"]].to_numpy().tolist()
    assert (level, found, done) == ("note", "the school years 2021 (甲)、2022 (乙)", NOTED)
    assert phrase(found, "zh") == "学年 2021 (甲)、2022 (乙)"
    assert phrase(done, "zh") == "各表按自己的学年读取"


def test_two_tables_of_one_sheet_have_one_year(folder):
    (rows, merged), (later, more) = sheet_of(2020, school()), sheet_of(2021, school("S0002"))
    more = [(a + len(rows), b, c + len(rows), d, text) for a, b, c, d, text in more]
    (said,) = faults(folder, ("甲", (rows + later, merged + more)))
    assert said == ["title", "甲", "", "", "2020 and 2021", "one school year in a sheet"]


def test_a_school_of_one_year_is_missed_in_no_other_but_in_its_own(folder):
    def parts(year, rows, of_stage):
        books = sheet_of(year, *of_stage, columns=OF_STAGE)
        return (f"学校{year}", sheet_of(year, *rows, columns=OF_SCHOOL)), (f"学生{year}", books)

    old, new = [school(), school("S0002")], [school(), school("S0003")]
    put_years(folder, *parts(2020, old, old), *parts(2021, new, new))
    result = clean_district(NAME)
    made = table("schools").groupby("year")["school_id"].agg(list).to_dict()
    assert made == {2020: ["S0001", "S0002"], 2021: ["S0001", "S0003"]}
    assert not result.issues["issue_kind"].str.startswith("missing").any()
    # S0002 has a row with its students in 2020: in 2021 it needs one of its own
    (said,) = faults(folder, *parts(2020, old, old), *parts(2021, [*new, school("S0002")], new))
    assert said[:4] == ["missing row", "学生2021", "S0002", "2021"]


def test_a_column_of_another_year_is_no_column_of_this_one(folder):
    fewer = [c for c in columns_of("primary") if c != "books"]
    years = [("甲", sheet_of(2020, school())), ("乙", sheet_of(2021, school(), columns=fewer))]
    assert faults(folder, *years) == [["missing header", "", "", "2021", "", "a column 图书册数 (books)"]]
    strange = ("甲", sheet_of(2020, school(books=3), headers={"books": "藏书架数"}))
    rows = faults(folder, strange, years[1])
    assert [row[1:5] for row in rows if row[0] == "missing header"] == [
        ["", "", "2020", "the unknown headers 藏书架数"],
        ["", "", "2021", ""],
    ]


def test_a_type_may_change_from_year_to_year_and_is_needed_in_each(folder):
    nine = {("junior", "students"): 50, ("junior", "classes"): 2}
    years = [("甲", sheet_of(2020, school()))]
    later = sheet_of(2021, school("S0001", "nine_year") | nine, columns=columns_of("nine_year"))
    put_years(folder, *years, ("乙", later))
    clean_district(NAME)
    made = table("schools")[["year", "school_type", "stage", "students"]]
    assert sorted(made.to_numpy().tolist()) == [
        [2020, "primary", "primary", 300],
        [2021, "nine_year", "junior", 50],
        [2021, "nine_year", "primary", 300],
    ]
    untyped = [c for c in columns_of("primary") if c != "school_type"]
    (said,) = faults(folder, *years, ("乙", sheet_of(2021, school(), columns=untyped)))[:1]
    assert said == ["school type", "乙", "S0001", "2021", "S0001", "the school's type in a sheet of that year"]
    aside = ("说明", ([["旧表"], ["一"]], []))
    rows = faults(folder, *years, ("乙", sheet_of(2021, school(), school("S0002"), columns=untyped)), aside)
    assert "2 schools have no type, the first is S0001" in next(row[4] for row in rows if row[0] == "school type")


def test_the_same_school_and_year_in_another_file_is_a_duplicate_of_that_year(folder):
    years = [(name, sheet_of(y, school(books=y))) for name, y in (("甲", 2020), ("乙", 2021))]
    other = folder / "returns" / "z.xlsx"
    other.write_bytes(workbook({"甲": sheet_of(2021, school(books=2021))}))
    put_years(folder, *years)
    notes = clean_district(NAME).issues.query("issue_kind == 'duplicate school'")
    assert notes[["level", "file", "year", "done"]].astype("str").to_numpy().tolist() == [
        ["note", "returns/z.xlsx", "2021", "the same figures: kept once"]
    ]
    other.write_bytes(workbook({"甲": sheet_of(2021, school(books=5))}))
    (said,) = faults(folder, *years)
    assert said[:4] == ["duplicate school", "甲", "S0001", "2021"]
    assert "also in returns/2020学年_小学.xlsx, sheet 乙, cell A5; books 5 differs" in said[4]


def test_a_value_of_the_second_year_is_corrected_and_traced_to_its_sheet(folder, capsys):
    shutil.copy(SHIPPED / "plan.yml", folder)
    years = [(name, sheet_of(y, school(), school("S0002", books=y))) for name, y in (("甲", 2020), ("乙", 2021))]
    put_years(folder, *years)
    column = columns_of("primary").index("books")
    cell = f"{chr(65 + column - 26)}6" if column < 26 else f"A{chr(65 + column - 26)}6"
    base = {"what": "t", "action": "override", "reason": "slip", "who": "A", "expect": 2021}
    for where in (
        {"school_id": "S0002", "year": 2021, "column": "books"},
        {"file": BOOK, "sheet": "乙", "cell": cell},
    ):
        text = json.dumps({"schema_version": 1, "corrections": [base | {"where": where, "value": 9}]})
        (folder / "corrections.yml").write_text(text, encoding="utf-8")
        assert cli.main(["check", NAME]) == 0
        clean_district(NAME)
        assert table("schools").set_index(["year", "school_id"])["books"].to_dict() == {
            (2020, "S0001"): 0,
            (2020, "S0002"): 2020,
            (2021, "S0001"): 0,
            (2021, "S0002"): 9,
        }
    capsys.readouterr()
    assert cli.main(["trace", NAME, "schools", "2021", "S0002", "books"]) == 0
    said = capsys.readouterr().out
    assert f"{BOOK} | 乙 | {cell} | 2021" in said
    assert "甲" not in said
    assert cli.main(["trace", NAME, "schools", "2021", "S0002", "year"]) == 0
    assert "乙 | A1 | 测试区2021/2022学年初小学情况一览表" in capsys.readouterr().out
    said = inspect_file(folder / BOOK, "en")
    assert [f"school year: {year}" in said for year in (2020, 2021)] == [True, True]
    assert said.index("school year: 2020") < said.index("school year: 2021")

"""Collection sheets in every layout and format that bureaus circulate, and files that are no returns at all."""

import contextlib
import csv
import io
import re
import zipfile

import pandas as pd
import pytest
from old_writer import old_workbook
from returns_builder import FORM, columns_of, district, grid, school, workbook
from school_builder import school as form_school
from school_builder import school_book
from test_clean import stored_cells

from planlib import paths, schema
from planlib.clean import FaultyData, clean_district
from planlib.clean.files.file_kinds import decoded
from planlib.clean.files.read import read_workbook
from planlib.clean.files.sheet import Sheet, address
from planlib.clean.layout.recognise import KINDS
from planlib.clean.layout.workbook import parse_workbook
from planlib.clean.words.convert import read_cell
from planlib.errors import DataError
from planlib.registry import phrase

NAME = "testdistrict"
BOOK = "returns/2020学年_小学.xlsx"
TITLE = "测试区2020/2021学年初小学情况一览表"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    made = district(tmp_path, NAME)
    (made / BOOK).unlink()
    return made


def fault():
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    return str(refused.value)


def table(name="schools"):
    return schema.read_table(paths.processed(NAME) / f"{name}.parquet", name)


def text_of(rows, encoding="utf-8", delimiter=","):
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows([["" if v is None else v for v in row] for row in rows])
    return buffer.getvalue().encode(encoding, "replace")


def traditional(text):
    """Simplified characters of the forms to traditional ones, as a Big5 file must hold them."""
    from planlib.clean.words.writing import load_writing

    back = {simple: full for full, simple in load_writing().characters.items() if simple != full}
    return "".join(chr(back.get(ord(c), ord(c))) for c in str(text)) if isinstance(text, str) else text


def nine_year(**figures):
    return school("S0002", "nine_year", education_group="第一集团") | figures


# ---- formats and encodings: one truth in each


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "big5"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_a_csv_sheet_says_what_its_workbook_says(folder, encoding, delimiter):
    one = nine_year() | {("junior", "students"): 123}
    rows, merged = grid([one], columns_of("nine_year"))
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    clean_district(NAME)
    wanted = table()
    (folder / BOOK).unlink()
    if encoding == "big5":
        rows = [[traditional(value) for value in row] for row in rows]
        rows = [[v.replace("区", "區") if isinstance(v, str) else v for v in row] for row in rows]
    (folder / "returns" / "2020.csv").write_bytes(text_of(rows, encoding, delimiter))
    result = clean_district(NAME)
    same = [c for c in wanted.columns if c not in ("school_name", "area", "education_group")]
    pd.testing.assert_frame_equal(table()[same], wanted[same])
    said = result.issues[["level", "found", "done"]].to_numpy().tolist()
    names = {"gb18030": "GB18030", "big5": "Big5"}
    assert said == (
        [["note", f"text in {names[encoding]}", f"read as {names[encoding]}"]] if encoding in names else []
    )


@pytest.mark.parametrize("name", ["一览表.xls", "一览表.et"])
def test_an_old_workbook_is_read_by_its_content(folder, name):
    (folder / "returns" / name).write_bytes(OLD_BOOK.read_bytes())
    clean_district(NAME)
    row = table().iloc[0]
    assert (row["school_id"], row["year"], row["students"], row["equipment_value_yuan"]) == (
        "S0001",
        2020,
        300,
        123400.0,
    )


OLD_BOOK = paths.PACKAGE.parent.parent / "tests" / "data" / "collection.xls"
NO_RETURNS = {
    b"": "an empty file",
    b"%PDF-1.7": "a PDF document; ask for the workbook it was printed from",
    b"Rar!\x1a\x07": "a .rar archive; unpack it",
    b"<html><table>": "a web page or XML under the name of a workbook; open it in Excel or WPS and save it as .xlsx",
    b"{\\rtf1": "a Word (.rtf) document; copy its table into a workbook",
    b"\xff\xfea\0": "UTF-16 text; save it as CSV UTF-8",
    b"\x89PNG\r\n": "a picture; ask for the workbook it was taken from",
    b"a\0b": "neither a workbook nor text",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    + "WordDocument".encode("utf-16-le")
    + b"\0\0": "a Word or WPS Writer document",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    + "EncryptedPackage".encode("utf-16-le")
    + b"\0\0": "protected by a password",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Office file without a workbook in it",
    b"PK\x03\x04": "not a readable .xlsx file, perhaps only a part of one",
}


@pytest.mark.parametrize("content", NO_RETURNS)
def test_what_cannot_be_read_is_named_with_how_to_save_it(content):
    with pytest.raises(DataError) as refused:
        read_workbook(content)
    assert NO_RETURNS[content] in str(refused.value)
    assert phrase(str(refused.value), "zh") != str(refused.value)


def test_text_in_no_known_encoding_is_refused():
    with pytest.raises(DataError, match="text in none of UTF-8, GB18030 and Big5"):
        decoded(b"\x81\x20\xff\xff")


@pytest.mark.parametrize("encoding", ["gb18030", "cp950"])
def test_gb18030_and_big5_are_told_apart(encoding):
    text = (
        "学校标识码,学校名称,在校生数,采荷第一小学"
        if encoding == "gb18030"
        else "學校標識碼,學校名稱,在校生數,第一小學"
    )
    assert decoded(text.encode(encoding)) == (text, encoding)


# ---- layouts


def test_three_header_rows_and_a_sum_below_a_heading(folder):
    columns = columns_of("primary")
    rows, merged = grid([school()], columns)
    at = columns.index(("primary", "teachers"))
    merged = [(r0, c0, r1 + 1, c1, text) for r0, c0, r1, c1, text in merged if r0 == 2 and c0 != at] + merged[:1]
    rows = [*rows[:3], list(rows[3]), [None] * len(columns), *rows[4:]]
    for place in range(len(columns)):
        if rows[3][place]:
            rows[2][place], rows[3][place], rows[4][place] = rows[3][place], None, None
            merged.append((2, place, 4, place, rows[2][place]))
    merged = [m for m in merged if m[1] != at or m[0] == 0]
    rows[2][at], rows[3][at], rows[4][at] = "教职工情况", "专任教师数", "合 计"
    rows[5][at] = 21
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    clean_district(NAME)
    assert table()["teachers"].tolist() == [21]


def test_several_tables_of_a_sheet_each_with_its_header(folder):
    columns = columns_of("primary")
    first, merged = grid([school("S0001")], columns, total={"school_id": "合计", ("primary", "students"): 300})
    keys = ["school_id", "school_name", "school_type", ("primary", "students"), "books"]
    again = [c for c in columns if c not in keys or c in keys[:3]]
    parts = [
        grid([school("S0001", books=5)], keys, title=f"{TITLE}（续一）"),
        grid([school("S0001")], again, title=TITLE),
    ]
    rows, ranges = [], []
    for own, own_merged in parts:
        ranges += [(r0 + len(rows), c0, r1 + len(rows), c1, t) for r0, c0, r1, c1, t in own_merged]
        rows += [*own, []]
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, ranges)}))
    result = clean_district(NAME)
    assert (table()["books"].tolist(), table()["students"].tolist()) == ([5], [300])
    lineage = table("lineage").set_index("column")
    assert lineage.loc["books", "cell"] == "E5"
    assert len(result.accounts[result.accounts["file"] == BOOK]) == 1
    assert first
    assert merged


@pytest.mark.parametrize("way", ["column", "bracket"])
def test_a_one_through_school_may_stand_on_two_rows(folder, way):
    single = columns_of("primary")
    primary = school("S0002", "nine_year", books=50) | {("primary", "students"): 600, ("primary", "classes"): 15}
    junior = school("S0002", "nine_year") | {("primary", "students"): 300, ("primary", "classes"): 8}
    for one, word in ((primary, "小学部"), (junior, "初中部")):
        one["school_name"] = f"测试学校（{word}）" if way == "bracket" else "测试学校"
    rows, merged = grid([primary, junior], single)
    if way == "column":
        rows = [
            [*row, more] for row, more in zip(rows, [None, None, "学段", None, "小学部", "初中部"], strict=True)
        ]
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    result = clean_district(NAME)
    assert result.issues.empty
    found = table().set_index("stage")[["students", "classes", "books", "school_name"]]
    assert found.loc["primary"].tolist() == [600, 15, 50, "测试学校"]
    assert found.loc["junior"].tolist() == [300, 8, 50, "测试学校"]


def test_former_names_and_campuses_are_kept(folder):
    rows, merged = grid([school()], columns_of("primary"))
    rows = [[*row, more] for row, more in zip(rows, [None, None, "曾用名", None, "东方红小学"], strict=True)]
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    result = clean_district(NAME)
    kept = table("form_cells").iloc[0]
    assert kept[["school_id", "form", "row_label", "column_label", "raw"]].tolist() == [
        "S0001", "collection", "测试学校S0001", "曾用名", "东方红小学"
    ]  # fmt: skip
    assert result.accounts.set_index("file").loc[BOOK, "form_cell"] == 1


# ---- values


def reading(text, name):
    column = FORM.columns[name]
    return read_cell(text, column, column.unit, FORM)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("equipment_value_yuan", "12.5", 125000.0),
        ("equipment_value_yuan", "12.5万", 125000.0),
        ("equipment_value_yuan", "12.5万元", 125000.0),
        ("equipment_value_yuan", "125,000元", 125000.0),
        ("equipment_value_yuan", "0.2亿", 20000000.0),
        ("equipment_value_yuan", "0.2亿元", 20000000.0),
        ("teaching_area_m2", "1.2万", 12000.0),
        ("teaching_area_m2", "１，２００．５", 1200.5),
        ("sports_ground_m2", "3亩", 2000.0),
        ("books", "1.2万", 12000.0),
        ("books", "12000册", 12000.0),
        ("opened_year", "一九八五年", 1985.0),
    ],
)
def test_numbers_with_a_word_behind_them(name, text, value):
    assert reading(text, name).number == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "books",
            ">92",
            "a whole number; > makes it a bound: write the figure, or give the bound in observations.csv",
        ),
        ("books", "≤5%", "a whole number; ≤ makes it a bound"),
        ("books", "95%", "a whole number; % makes it a share: write the figure it is a share of"),
        ("books", "12人", "a whole number in a unit of count"),
        ("teaching_area_m2", "3万元", "a number in a unit of m2"),
        ("opened_year", "民国74年", "a year of four digits: 民国74 would be 1985, write 1985 if that is meant"),
        ("opened_year", "昭和六十年", "a year of four digits: 昭和60 would be 1985, write 1985 if that is meant"),
    ],
)
def test_what_is_no_figure_is_refused_with_the_reason(name, text, said):
    found = reading(text, name)
    assert (found.state, said in found.step) == ("unreadable", True)
    assert phrase(found.step, "zh") != found.step


@pytest.mark.parametrize("text", ["—", "…", "/", "*", "——", "－"])
def test_a_dash_is_not_a_zero(text):
    assert reading(text, "books").state == "not_applicable"


@pytest.mark.parametrize(
    "title",
    [
        "测试区2020—2021学年初",
        "测试区2020/2021学年",
        "測試區二〇二〇學年初",
        "（2020 /2021 学年初）",
        "2020-21学年",
    ],
)
def test_school_years_as_they_are_written(folder, title):
    (folder / BOOK).write_bytes(workbook({"基本情况": grid([school()], columns_of("primary"), title=title)}))
    clean_district(NAME)
    assert table()["year"].tolist() == [2020]


def test_a_year_of_an_era_in_a_title_is_refused_with_the_year_it_would_be(folder):
    title = "测试区民国一〇九学年度一览表"
    (folder / BOOK).write_bytes(workbook({"基本情况": grid([school()], columns_of("primary"), title=title)}))
    said = "expected a school year: 民国109 would be 2020, write 2020/2021 if that is meant"
    assert f"sheet 基本情况, cell A1: found {title}; {said}" in fault()


def test_observations_keep_a_bound_as_relation_and_value(folder):
    header = "series_id,value,relation,as_of,status,source_office,boundary,note\n"
    rows = "a,>92,,2020-09-01,审定,科,现行区划,\nb,≤5%,,2020-09-01,审定,科,现行区划,\nc,3‰,=,2020-09-01,审定,科,现行区划,\n"
    (folder / "observations.csv").write_text(
        header + rows + "d,1.5万,=,2020-09-01,审定,科,现行区划,\n", encoding="utf-8"
    )
    (folder / BOOK).write_bytes(workbook({"基本情况": grid([school()], columns_of("primary"))}))
    clean_district(NAME)
    found = table("observations")[["series_id", "relation", "value"]].to_numpy().tolist()
    assert found == [["a", ">", 92.0], ["b", "≤", 5.0], ["c", "=", 0.3], ["d", "=", 15000.0]]


def test_enrolment_in_the_words_of_schools(folder):
    header = "school_id,school_name,area,stage,grade,year,students\n"
    rows = "S0001,甲,东片,小学,三年级,2020/2021,100\nS0001,甲,东片,初中,七年级,2020—2021学年,90\n"
    rows += "S0001,甲,东片,学前,小班,二〇二〇学年,9\n"
    (folder / "enrolment.csv").write_text(header + rows, encoding="utf-8")
    (folder / BOOK).write_bytes(workbook({"基本情况": grid([school()], columns_of("primary"))}))
    clean_district(NAME)
    found = table("enrolment")[["stage", "grade", "year"]].to_numpy().tolist()
    assert sorted(found) == [["junior", "7", 2020], ["preschool", "K1", 2020], ["primary", "3", 2020]]
    (folder / "births.csv").write_text("area,year,births\n东片,民国109,5\n", encoding="utf-8")
    assert "births.csv, line 2: found 民国109; expected a year of four digits: 民国109 would be 2020" in fault()


def beside(left, right, gap=1):
    """Return the cells and merged ranges of two sheets put beside each other, `gap` empty columns between them."""
    (rows, merged), (more, others) = left, right
    width = max(map(len, rows)) + gap
    height = max(len(rows), len(more))
    rows, more = (part + [[]] * (height - len(part)) for part in (rows, more))
    joined = [[*row, *[None] * (width - len(row)), *own] for row, own in zip(rows, more, strict=True)]
    return joined, merged + [(a, b + width, c, d + width, text) for a, b, c, d, text in others]


def told_by(folder, rows, merged):
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    result = clean_district(NAME)
    kinds = result.accounts.set_index("file").loc[BOOK].drop(["sheet", "year", "schools"])
    assert kinds.sum() == stored_cells(folder / BOOK)
    return table(), result.issues


@pytest.mark.parametrize("gap", [1, 3])
@pytest.mark.parametrize("titles", ["both", "one over all"])
def test_tables_side_by_side_are_split(folder, titles, gap):
    columns = columns_of("primary")
    first, rest = columns[:9], ["school_id", *columns[9:]]
    schools = [school(), school("S0002", books=77, equipment_value_yuan=300), school("S0003", books=5)]
    total = {"school_id": "合计", "books": 82, "equipment_value_yuan": 300}
    left, right = grid(schools, first), grid(schools, rest, total=total)
    if titles == "one over all":  # the year stands above the first alone, the unit above the second alone
        left[0][1][:] = [None] * len(first)
        right[0][0][:] = [None]
        right = (right[0], [cells for cells in right[1] if cells[0]])
    found, issues = told_by(folder, *beside(left, right, gap))
    assert issues.empty
    assert found["school_id"].tolist() == ["S0001", "S0002", "S0003"]
    assert found["students"].tolist() == [300, 300, 300]
    assert found["books"].tolist() == [0, 77, 5]
    assert found["equipment_value_yuan"].iloc[1] == 3_000_000


def test_tables_side_by_side_of_other_schools_and_heights(folder):
    columns = columns_of("primary")
    many = [school(f"S{n:04d}", books=n) for n in range(1, 7)]
    left, right = grid(many[:4], columns), grid(many[4:], columns)
    right = ([[], [], *right[0]], [(a + 2, b, c + 2, d, text) for a, b, c, d, text in right[1]])
    found, issues = told_by(folder, *beside(left, right))
    assert issues.empty
    assert found["books"].tolist() == [1, 2, 3, 4, 5, 6]
    lineage = table("lineage").query("column == 'books'").set_index("school_id")["cell"]
    assert (lineage["S0001"], lineage["S0005"]) == ("AC5", "BO7")


def test_tables_that_touch_are_refused_and_their_years_must_agree(folder):
    columns = columns_of("primary")
    one, two = grid([school()], columns), grid([school("S0002")], columns)
    (folder / BOOK).write_bytes(workbook({"基本情况": beside(one, two, 0)}))
    said = fault()
    assert "columns that stand twice in a sheet (1):" in said
    assert "cell AL3: found 学校标识码, as in A3; expected an empty column between two tables" in said
    rows, merged = beside(one, two)
    rows[5 - 1][len(columns)] = "旁注"  # in the column that parts them
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    assert "cell AM3: found 学校标识码, as in A3; AL5 stands between them; expected an empty column" in fault()
    later = grid([school("S0002")], columns, title=TITLE.replace("2020/2021", "2021/2022"))
    (folder / BOOK).write_bytes(workbook({"基本情况": beside(one, later)}))
    assert "sheet 基本情况, cell A1: found 2020 and 2021; expected one school year" in fault()
    below = (one[0] + later[0], one[1] + [(a + 5, b, c + 5, d, text) for a, b, c, d, text in later[1]])
    (folder / BOOK).write_bytes(workbook({"基本情况": below}))
    assert "found 2020 and 2021; expected one school year in a sheet" in fault()


def test_errors_in_an_old_workbook_are_faults_with_their_cells(folder):
    rows, _ = grid(
        [school(books="#DIV/0!"), school("S0002", computers="#N/A")], columns_of("primary"), unit_line=""
    )
    rows[2] = [FORM.columns[c if isinstance(c, str) else c[1]].headers[0] for c in columns_of("primary")]
    cover = Sheet("说明", [["#REF!"]], is_hidden=True)
    (folder / "returns/a.xls").write_bytes(old_workbook([cover, Sheet("基本情况", [*rows[:3], *rows[4:]])]))
    said = fault()
    assert "cells without a usable value (an error, or a formula that was never computed) (3):" in said
    assert "returns/a.xls, sheet 说明, cell A1: found #REF!" in said
    assert "returns/a.xls, sheet 基本情况, cell AC4: found #DIV/0!" in said
    assert "returns/a.xls, sheet 基本情况, cell AD5: found #N/A" in said


def test_errors_in_an_old_workbook_of_another_program_are_found():
    """It holds formulas with an error as stored result (LibreOffice 7.4)."""
    first, second = read_workbook((OLD_BOOK.parent / "errors.xls").read_bytes())
    assert first.lost == (("A1", "#DIV/0!"),)
    assert second.lost == (("AC5", "#DIV/0!"), ("AB6", "#VALUE!"), ("AC6", "#N/A"))


@pytest.mark.parametrize("at", [44, 48, 60, 68, 76, 512, 1024, 2000])
def test_an_old_workbook_that_does_not_hold_together_is_a_message(at):
    content = old_workbook([Sheet("表", [["学校标识码"] * 300] * 30)])
    broken = content[:at] + bytes([255, 254, 7, 1] * 4) + content[at + 16 :]
    with contextlib.suppress(DataError):
        assert read_workbook(broken)


@pytest.mark.parametrize(
    ("text", "area"), [("㎡", 5), ("平米", 5), ("万平方米", 50_000), ("含租借", 5), ("截至9月1日", 5)]
)
def test_what_stands_in_a_bracket_of_a_quantity(folder, text, area):
    header = {"teaching_area_m2": f"教学及辅助用房面积（{text}）"}
    rows, merged = grid([school(teaching_area_m2=5)], columns_of("primary"), headers=header)
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    clean_district(NAME)
    assert table()["teaching_area_m2"].tolist() == [area]


UNKNOWN = {
    "in a bracket": {"headers": {"teaching_area_m2": "教学及辅助用房面积（坪）"}},
    "in words": {"headers": {"teaching_area_m2": "教学及辅助用房面积（未知）"}},
    "of counts": {"headers": {("primary", "students"): "在校生数（千）"}},
    "above": {"unit_line": "单位：人、百元"},
    "in the title": {"title": f"{TITLE}（单位：人，坪）"},
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_a_number_whose_unit_nobody_knows_is_refused(folder, case):
    (folder / BOOK).write_bytes(workbook({"基本情况": grid([school()], columns_of("primary"), **UNKNOWN[case])}))
    said = fault()
    assert "have 1 fault" in said.replace("has 1", "have 1")
    assert "units that do not fit their column (1):" in said


@pytest.mark.parametrize("word", ["第三学段", "大学"])
def test_a_word_that_names_no_stage_is_refused(folder, word):
    rows, merged = grid([school()], columns_of("primary"))
    rows = [[*row, more] for row, more in zip(rows, [None, None, "学段", None, word], strict=True)]
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    assert f"cell AL5: found {word}; expected one of " in fault()


@pytest.mark.parametrize("words", [("小学", "初中"), ("小学阶段", "普通初中"), ("小学段", "初中阶段")])
def test_stages_in_other_words(folder, words):
    rows, merged = grid([nine_year() | {("junior", "students"): 123}], columns_of("nine_year"))
    named = dict(zip(("小学部", "初中部"), words, strict=True))
    rows[2] = [named.get(text, text) for text in rows[2]]
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    clean_district(NAME)
    assert table().set_index("stage")["students"].to_dict() == {"primary": 300, "junior": 123}


@pytest.mark.parametrize("columns", [columns_of("primary")[:6], columns_of("primary")])
def test_a_school_whose_code_is_the_header_is_told(columns):
    """Found by mutation: merged cells of the header reached into the table that seemed to begin below."""
    rows, merged = grid([school()], columns)
    rows[4][0] = "学校标识码"
    parsed = parse_workbook(workbook({"基本情况": (rows, merged)}), FORM)
    assert {issue.kind for issue in parsed.issues} & {"unknown header", "row without code"}
    assert len(parsed.cells["cell"]) == 0


# ---- what clerks and strangers do


BOOKS = columns_of("primary").index("books")


def clerk(change, count=2, **more):
    """Return a workbook of some schools with 100, 200, … books after `change` of its rows."""
    schools = [school(f"S{n:04d}", books=100 * n) for n in range(1, count + 1)]
    rows, merged = grid(schools, columns_of("primary"), **more)
    change(rows)
    return workbook({"基本情况": (rows, merged)})


def summing(word, number, place=0):
    row = [""] * len(columns_of("primary"))
    row[place], row[BOOKS] = word, number
    return row


def towns(rows):
    rows.insert(6, summing("凯旋街道小计", 300, 1))
    rows += [summing("小　计", 700, 1), summing("总计", 1000)]
    rows[-2][0], rows[-2][2] = "", "采荷街道"


def put_in(rows, value):
    rows[4][BOOKS] = value


CLERKS = {
    "the total above its rows": (lambda rows: rows.insert(4, summing("合计", 1000)), 4),
    "subtotals above their rows": (
        lambda rows: (rows.insert(6, summing("小计", 700)), rows.insert(4, summing("小计", 300))), 4
    ),
    "subtotals by town": (towns, 4),
    "notes in the column of codes": (lambda rows: rows.extend([["注：1. 一"], ["2. 另有45册未入账"], ["", "三"]]), 2),
    "blank rows between": (lambda rows: rows[5:5].extend([[""], [""]]) or rows.insert(5, [""]), 2),
    "the header again on a new page": (lambda rows: rows.extend([["续表"], *rows[2:4], *[]]), 2),
    "a name with a line break": (lambda rows: rows[4].__setitem__(1, "采荷\n小学"), 2),
    "a code as a number": (lambda rows: rows[4].__setitem__(0, 3133000001.0), 2),
}  # fmt: skip


@pytest.mark.parametrize("case", CLERKS)
def test_what_clerks_do_is_read(folder, case):
    change, count = CLERKS[case]
    (folder / BOOK).write_bytes(clerk(change, count))
    result = clean_district(NAME)
    assert not (result.issues["level"] == "error").any()
    assert sorted(table()["books"]) == [100 * n for n in range(1, count + 1)]
    kinds = result.accounts.set_index("file").loc[BOOK].drop(["sheet", "year", "schools"])
    assert kinds.sum() == stored_cells(folder / BOOK)


STRANGE = {
    "a number that no float holds exactly": (1e300, "a whole number below 9007199254740992"),
    "a negative count": (-5, "a whole number of at least 0"),
    "a negative in brackets": ("(100)", "a whole number"),
    "a sum as text": ("100+20", "a whole number"),
    "a letter for a zero": ("１０Ｏ", "a whole number; O is no unit: write the figure alone"),
    "another word behind": ("100 （约）", "a whole number; (约) is no unit: write the figure alone"),
    "Chinese numerals": ("百二十", "a whole number"),
    "a fraction": ("100/200", "a whole number"),
}


@pytest.mark.parametrize("case", STRANGE)
def test_what_is_no_figure_is_a_fault_of_one_cell(folder, case):
    value, said = STRANGE[case]
    (folder / BOOK).write_bytes(clerk(lambda rows: put_in(rows, value)))
    text = fault()
    assert "have 1 fault" in text
    assert "cell AC5, school S0001, 2020: found " in text
    assert f"expected {said}" in text


@pytest.mark.parametrize("code", ["3.133E+09", "1.2345e17"])
def test_a_code_in_scientific_notation_has_lost_its_digits(folder, code):
    (folder / BOOK).write_bytes(clerk(lambda rows: rows[4].__setitem__(0, code)))
    assert "expected a code stored as text (as a number it has lost its last digits)" in fault()


def test_a_wrong_total_above_its_rows_is_told_with_their_sum(folder):
    (folder / BOOK).write_bytes(clerk(lambda rows: rows.insert(4, summing("合计", 299))))
    assert "cell AC5, 2020: found books 299; expected 300, the sum of its rows" in fault()


@pytest.mark.parametrize("delimiter", [";", "|"])
def test_other_signs_between_the_cells_of_a_csv(folder, delimiter):
    rows, _ = grid([school(books=7, school_name="采荷\n小学,东")], columns_of("primary"))
    (folder / "returns/a.csv").write_bytes(text_of(rows, delimiter=delimiter))
    clean_district(NAME)
    assert table()["books"].tolist() == [7]


def test_strict_workbooks_and_those_with_macros_or_a_password_on_a_sheet_are_read(folder):
    content = clerk(lambda rows: None)
    strict = {
        b"http://schemas.openxmlformats.org/spreadsheetml/2006/main": b"http://purl.oclc.org/ooxml/spreadsheetml/main"
    }
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            for words, other in strict.items():
                part = part.replace(words, other)
            new.writestr(
                name, part.replace(b"<pageMargins", b'<sheetProtection password="83AF" sheet="1"/><pageMargins')
            )
        new.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0")
    (folder / BOOK).write_bytes(made.getvalue())
    clean_district(NAME)
    assert table()["books"].tolist() == [100, 200]


def test_a_formula_whose_result_is_empty_is_blank_and_one_never_computed_a_fault(folder):
    content = clerk(lambda rows: put_in(rows, 4321))
    for kind, is_fault in ((b' t="str"', False), (b"", True)):
        made = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
            for name in old.namelist():
                formula = b'<c r="AC5"' + kind + b'><f>IF(1=1,"","x")</f><v></v></c>'
                new.writestr(name, old.read(name).replace(b'<c r="AC5"><v>4321</v></c>', formula))
        (folder / BOOK).write_bytes(made.getvalue())
        if is_fault:
            assert "cell AC5: found formula without a stored result" in fault()
        else:
            clean_district(NAME)
            assert table()["books"].tolist() == [0, 200]


def filled(content):
    return stored_cells(io.BytesIO(content))


def test_what_stands_below_a_merged_cell_is_told():
    """Found by mutation: WPS merges cells and keeps what they held; nobody sees it."""
    rows, merged = grid([school(), school("S0002", area="西片")], columns_of("primary"))
    place = columns_of("primary").index("area")
    content = workbook({"基本情况": (rows, merged)})
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            letters = address(0, place)[:-1]
            hidden = f'<mergeCell ref="{letters}5:{letters}6"/></mergeCells>'.encode()
            new.writestr(name, old.read(name).replace(b"</mergeCells>", hidden))
    parsed = parse_workbook(made.getvalue(), FORM)
    assert [(issue.kind, issue.cell, issue.found) for issue in parsed.issues] == [
        ("merged data", "E6", "西片 under the merged cell 东片")
    ]
    assert sum(parsed.sheets[0][kind] for kind in KINDS) == filled(made.getvalue())


# ---- how people write


@pytest.mark.parametrize(
    ("text", "value"),
    [("1200㎡", 1200), ("1200m²", 1200), ("1\u00a0200", 1200), ("２亩", 4000 / 3), ("1，200", 1200)],
)
def test_a_number_as_people_write_it(folder, text, value):
    (folder / BOOK).write_bytes(
        workbook({"基本情况": grid([school(teaching_area_m2=text)], columns_of("primary"))})
    )
    clean_district(NAME)
    assert table()["teaching_area_m2"].tolist() == [pytest.approx(value)]


@pytest.mark.parametrize("text", ["1200①", "1200²", "1200 1300", "1200\n1300", "1 200", "½"])
def test_what_may_be_two_numbers_is_none(folder, text):
    (folder / BOOK).write_bytes(
        workbook({"基本情况": grid([school(teaching_area_m2=text)], columns_of("primary"))})
    )
    assert "cells that could not be read (1):" in fault()


@pytest.mark.parametrize("text", ["3133000001.0", '="3133000001"', "'3133000001", " 3133000001"])
def test_a_code_loses_what_programs_put_around_it_in_every_file(folder, text):
    rows, merged = grid([school(text)], columns_of("primary"))
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    head = "school_id,school_name,area,stage,grade,year,students\n"
    quoted = '"' + text.replace('"', '""') + '"'
    (folder / "enrolment.csv").write_text(f"{head}{quoted},甲,东片,primary,1,2020,300\n", encoding="utf-8")
    clean_district(NAME)
    assert table()["school_id"].tolist() == table("enrolment")["school_id"].tolist() == ["3133000001"]
    assert table("lineage").query("column == 'school_id'")["raw"].tolist() == [text]


def test_a_sum_that_a_formula_made_is_whole_but_for_its_last_bits(folder):
    one = school() | {("primary", "students"): 300.00000000000006, ("primary", "classes"): 10}
    (folder / BOOK).write_bytes(workbook({"基本情况": grid([one], columns_of("primary"))}))
    clean_district(NAME)
    assert table()["students"].tolist() == [300]


@pytest.mark.parametrize(
    "header", ["教学仪器设备资产值(单位：万元)", "教学仪器设备资产值/万元", "教学仪器设备资产值（万元）"]
)
def test_a_unit_in_the_header_as_people_write_it(folder, header):
    more = {"unit_line": "", "headers": {"equipment_value_yuan": header}}
    sheet = grid([school(equipment_value_yuan=30)], columns_of("primary"), **more)
    (folder / BOOK).write_bytes(workbook({"基本情况": sheet}))
    clean_district(NAME)
    assert table()["equipment_value_yuan"].tolist() == [300_000]


@pytest.mark.parametrize(
    ("row", "is_above"),
    [
        (["全区合计", ("students", 300)], True),
        (["平均", ("students", 300)], False),
        (["占比", ("students", "100%")], False),
        (["填报人：张三", ("school_type", "联系电话：12345678")], False),
    ],
)
def test_rows_around_the_schools(folder, row, is_above):
    columns = columns_of("primary")
    rows, merged = grid([school()], columns)
    names = [c[1] if isinstance(c, tuple) else c for c in columns]
    added = [row[0], *[None] * (len(columns) - 1)]
    for name, value in row[1:]:
        added[names.index(name)] = value
    rows.insert(4 if is_above else len(rows), added)
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    clean_district(NAME)
    assert table()["school_id"].tolist() == ["S0001"]


def test_files_that_windows_leaves_behind_are_no_returns(folder):
    (folder / BOOK).write_bytes(workbook({"基本情况": grid([school()], columns_of("primary"))}))
    for name in ("Thumbs.db", "desktop.ini"):
        (folder / "returns" / name).write_bytes(b"x")
    assert clean_district(NAME).issues.empty


# ---- what a person at the screen does not see


def changed(content, *changes, part="xl/worksheets/sheet1.xml"):
    """Return a workbook with texts of one part replaced."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            xml = old.read(name)
            for before, after in changes if name == part else ():
                assert before in xml
                xml = xml.replace(before, after)
            new.writestr(name, xml)
    return made.getvalue()


def told(kind):
    rows = clean_district(NAME).issues.astype("str")
    rows = rows[rows["issue_kind"] == kind]
    return rows[["level", "file", "sheet", "found", "done"]].to_numpy().tolist()


def test_figures_in_hidden_rows_and_columns_count_and_are_told(folder):
    schools = [school(f"S{n:04d}") for n in range(1, 6)]
    book = workbook({"基本情况": grid(schools, columns_of("primary"))})
    hidden = [(f'<row r="{n}"'.encode(), f'<row r="{n}" hidden="1"'.encode()) for n in (3, 5, 6, 8)]
    columns = b'<cols><col min="4" max="4" width="0" hidden="1" customWidth="1"/>'
    columns += b'<col min="90" max="16384" width="9" hidden="true"/></cols>'  # nothing stands there
    (folder / BOOK).write_bytes(changed(book, *hidden, (b"<sheetData>", columns + b"<sheetData>")))
    said = "hidden rows (3): 5-6, 8; hidden columns (1): D"
    assert told("hidden cells") == [["note", BOOK, "基本情况", said, "read like the others"]]
    assert len(table()) == 5
    assert phrase(said, "zh") == "隐藏的 3 行：第 5-6, 8 行；隐藏的 1 列：D"
    rows, _ = grid(schools, columns_of("primary"))
    rows[2] = [FORM.columns[c if isinstance(c, str) else c[1]].headers[0] for c in columns_of("primary")]
    del rows[3]
    old = Sheet("基本情况", rows, hidden_rows=(1, 4, 5, 7), hidden_columns=(3, 200))
    (folder / BOOK).unlink()
    (folder / "returns/a.xls").write_bytes(old_workbook([old]))
    assert told("hidden cells")[0][3] == "hidden rows (3): 5-6, 8; hidden columns (1): D"


def test_hidden_rows_of_a_national_form_are_told_where_figures_stand_in_them(folder):
    book = school_book(form_school(), 2022, True)
    names = {sheet.name: number for number, sheet in enumerate(read_workbook(book), 1)}
    for name, rows, said in (("教基3112_小学", (7,), ["hidden rows (1): 7"]), ("教基3112_小学", (1, 2), [])):
        part = f"xl/worksheets/sheet{names[name]}.xml"
        changes = [(f'<row r="{r}"'.encode(), f'<row r="{r}" hidden="1"'.encode()) for r in rows]
        (folder / BOOK).write_bytes(changed(book, *changes, part=part))
        assert [row[3] for row in told("hidden cells")] == said


def prefixed(xml):
    return re.sub(rb"<(/?)(?=[A-Za-z])", rb"<\1x:", xml).replace(b"xmlns=", b"xmlns:x=")


DIALECTS = {
    "as Excel": lambda xml: xml,
    "prefixed, as the Open XML SDK": prefixed,
    "single quotes": lambda xml: xml.replace(b'"', b"'"),
    "type before address": lambda xml: re.sub(rb'<c (r="\w+") (t="\w+")', rb"<c \2 \1", xml),
    "spaces": lambda xml: xml.replace(b'="', b' = "').replace(b"<f>", b"\n <f>").replace(b"</f>", b"</f>\n"),
    "no addresses": lambda xml: re.sub(rb'<c r="\w+"', b"<c", xml),
    "a formula shared": lambda xml: xml.replace(b"<f>1+1</f>", b'<f t="shared" si="0"/>'),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_cells_that_the_reader_loses_are_told_in_whatever_xml_they_are_written(folder, dialect):
    """Found by hand: only the XML that Excel writes was looked through, others lost their errors without a word."""
    xml = """<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cols>
        <col min="2" max="2" hidden="1"/></cols><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c></row>
        <row r="4" hidden="1"><c r="A4"><v>1</v></c><c r="B4" t="e"><v>#DIV/0!</v></c><c r="C4"/>
        <c r="D4"><f>1+1</f></c><c r="E4" t="str"><f>A1</f><v></v></c><c r="F4"><f>A1</f><v>0</v></c>
        </row></sheetData></worksheet>"""
    base = workbook({"基本情况": grid([school()], columns_of("primary"))})
    made, sheet = io.BytesIO(), "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(io.BytesIO(base)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, DIALECTS[dialect](xml.encode()) if name == sheet else old.read(name))
    (found,) = read_workbook(made.getvalue())
    assert found.lost == (("B4", "#DIV/0!"), ("D4", "formula without a stored result"))
    assert (found.zeros, found.hidden_rows, found.hidden_columns) == (("F4",), (3,), (1,))


@pytest.mark.parametrize("path", ["xl/sheets/one.xml", "xl/worksheets/sub/one.xml", "xl/worksheets/Sheet1.xml"])
def test_a_sheet_is_looked_through_wherever_it_is_stored(path):
    xml = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">'
    xml += b'<c r="A1" t="e"><v>#REF!</v></c></row></sheetData></worksheet>'
    base, made = workbook({"a & b": grid([school()], columns_of("primary"))}), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(base)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            target = f"/{path}" if "sub" in path else path.removeprefix("xl/")
            part = old.read(name).replace(b"worksheets/sheet1.xml", target.encode())
            new.writestr(*((path, xml) if name == "xl/worksheets/sheet1.xml" else (name, part)))
    assert [(one.name, one.lost) for one in read_workbook(made.getvalue())] == [("a & b", (("A1", "#REF!"),))]


def test_a_sheet_in_an_encoding_that_reads_as_empty_is_refused(folder):
    (folder / BOOK).write_bytes(
        changed(workbook({"基本情况": grid([school()], columns_of("primary"))}), (b"UTF-8", b"GBK"))
    )
    assert "sheet 基本情况 is stored in another encoding than UTF-8; open it in Excel or WPS" in fault()


def test_a_zero_of_a_formula_is_told_where_the_workbook_asks_to_be_computed(folder):
    book = workbook({"基本情况": grid([school(books=5), school("S0002")], columns_of("primary"))})
    zero = (b'<c r="AC5"><v>5</v></c>', b'<c r="AC5"><f>SUM(AD5:AE5)</f><v>0</v></c>')
    (folder / BOOK).write_bytes(changed(book, zero))
    said = "a stored 0 in formulas (1): AC5; if it is not zero, open the workbook and save it again"
    assert told("stored zero") == [["warning", BOOK, "基本情况", said, "read as 0"]]
    assert "公式存储的结果为 0" in phrase(said, "zh")
    (folder / BOOK).write_bytes(changed(book, (zero[0], zero[1].replace(b">0<", b">5<"))))
    assert told("stored zero") == []
    settled = changed(changed(book, zero), (b' fullCalcOnLoad="1"', b""), part="xl/workbook.xml")
    (folder / BOOK).write_bytes(settled)  # Excel computed it itself
    assert told("stored zero") == []

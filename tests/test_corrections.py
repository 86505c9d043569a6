"""Corrections that name more than they mean, or write what no source could hold, are refused with their line."""

import json

import pytest
from returns_builder import columns_of, district, grid, school, simple_workbook, workbook
from school_builder import school as national
from school_builder import school_book

from planlib import schema
from planlib.clean import FaultyData, clean_district
from planlib.errors import RegistryError
from planlib.registry import phrase

NAME = "testdistrict"
BOOKS = {"school_id": "S0001", "year": 2020, "column": "books"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    return district(tmp_path, NAME)


def put(folder, *schools, school_type="primary", **more):
    content = simple_workbook(schools, school_type, **more)
    (folder / "returns" / "2020学年_小学.xlsx").write_bytes(content)


def correct(folder, where, action="override", **more):
    entry = {"what": "test", "where": where, "action": action, "reason": "slip", "who": "A", **more}
    text = json.dumps({"schema_version": 1, "corrections": [entry]}, ensure_ascii=False)
    (folder / "corrections.yml").write_text(text, encoding="utf-8")


def faults():
    with pytest.raises(FaultyData) as caught:
        clean_district(NAME)
    return caught.value.issues[["cell", "found", "expected"]].to_numpy().tolist()


def made(column):
    path = clean_district(NAME).path / "schools.parquet"
    return schema.read_table(path, "schools").set_index("stage")[column].to_dict()


def test_a_figure_of_two_stages_needs_its_stage(folder):
    put(folder, school("S0001", "nine_year") | {("junior", "students"): 200}, school_type="nine_year")
    where = {"school_id": "S0001", "year": 2020, "column": "students"}
    for action, value in (("override", 310), ("scale", 2), ("drop", None)):
        correct(folder, where, action, value=value, expect=300)
        ((line, found, expected),) = faults()
        assert line == "line 1"
        assert "students is several figures: primary 300、junior 200" in found
        assert expected == "stage, or file, sheet and cell, in where"
        assert phrase(expected, "zh") == "where 中写明 stage，或 file、sheet、cell"
    correct(folder, where | {"stage": "junior"}, value=210, expect=200)
    assert made("students") == {"primary": 300, "junior": 210}
    correct(folder, where, "flag")
    assert made("students") == {"primary": 300, "junior": 200}


def test_a_figure_of_two_campuses_needs_its_cell(folder):
    campuses = [school(campuses="东校区", books=50), school(campuses="西校区", books=70)]
    columns = ["campuses", *columns_of("primary")]

    content = workbook({"基本情况": grid(campuses, columns)})
    (folder / "returns" / "2020学年_小学.xlsx").write_bytes(content)
    correct(folder, BOOKS, value=60, expect=50)
    assert "books is several figures: 50、70" in faults()[0][1]


def test_an_expectation_of_nothing_is_one(folder):
    put(folder, school(books=77))
    correct(folder, BOOKS, value=5, expect=None)
    assert "now holds '77'" in faults()[0][1]
    put(folder, school())
    assert made("books") == {"primary": 5}


@pytest.mark.parametrize(
    ("action", "value", "said"),
    [
        ("override", None, "no value"),
        ("override", [1, 2], "value [1, 2], expected a text or a number"),
        ("override", {"a": 1}, "expected a text or a number"),
        ("scale", None, "no value"),
        ("scale", True, "a number to multiply by"),
        ("scale", float("nan"), "a number to multiply by"),
        ("scale", float("inf"), "a number to multiply by"),
    ],
)
def test_a_value_is_a_text_or_a_number(folder, action, value, said):
    put(folder, school(books=77))
    correct(folder, {**BOOKS, "column": "school_name"}, action, value=value, expect="测试学校S0001")
    with pytest.raises(RegistryError, match=r"corrections\.yml, line 1") as caught:
        clean_district(NAME)
    assert said in str(caught.value)


@pytest.mark.parametrize(("factor", "said"), [(0.333, "25.641"), (-1, "-77"), (1e16, "7.7e+17")])
def test_a_scaled_figure_must_be_one(folder, factor, said):
    put(folder, school(books=77))
    correct(folder, BOOKS, "scale", value=factor, expect=77)
    ((_, found, expected),) = faults()
    assert f"the value {said} cannot be read as books" in found
    assert expected.startswith("a whole number")


def test_a_correction_of_one_campus_is_a_step_of_their_sum(folder):
    columns = ["campuses", *columns_of("primary")]
    rows = [school(campuses="东校区", books=50), school(campuses="西校区", books=70)]
    (folder / "returns" / "2020学年_小学.xlsx").write_bytes(workbook({"基本情况": grid(rows, columns)}))
    place = {"file": "returns/2020学年_小学.xlsx", "sheet": "基本情况", "cell": "AD6"}
    correct(folder, place, value=80, expect=70)
    assert made("books") == {"primary": 130}
    assert born("books") == ("AD5+AD6", "number; read as 80 (correction 1: slip; A); sum of 2 campuses")
    assert phrase(born("books")[1], "zh") == "数；按 80 读取（更正第 1 条：slip；A）；2 个校区之和"


def test_a_correction_of_one_part_is_a_step_of_the_sum(folder):
    book = folder / "returns" / "2020学年_小学.xlsx"
    book.write_bytes(school_book(national(), 2020, True))
    assert made("sports_arts_teachers") == {"primary": 7}
    cell, step = born("sports_arts_teachers")
    second = cell.split("+")[1]
    where = {"file": f"returns/{book.name}", "sheet": "教基4155_小学", "cell": second}
    correct(folder, where, value=9, expect=born("sports_arts_teachers", "raw")[0].split("+")[1])
    clean_district(NAME)
    now, corrected = born("sports_arts_teachers")
    assert now == cell
    assert "; read as 9 (correction 1: slip; A); sum of" in corrected
    assert "read as" not in step


def born(column, *names):
    path = clean_district(NAME).path / "lineage.parquet"
    rows = schema.read_table(path, "lineage")
    return tuple(rows.loc[rows["column"] == column, list(names or ("cell", "step"))].iloc[0])

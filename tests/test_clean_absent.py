"""What a workbook lacks is told: a column of one stage, a school without a row in one of its sheets."""

import pytest
from returns_builder import columns_of, district, grid, school, workbook

from planlib import schema
from planlib.clean import FaultyData, clean_district

NAME, BOOK = "testdistrict", "returns/2020学年_小学.xlsx"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    return district(tmp_path, NAME)


def faults(folder, **sheets):
    (folder / BOOK).write_bytes(workbook(sheets))
    with pytest.raises(FaultyData) as caught:
        clean_district(NAME)
    return caught.value.issues[["kind", "school", "found", "expected"]].to_numpy().tolist()


def made(folder, **sheets):
    (folder / BOOK).write_bytes(workbook(sheets))
    return schema.read_table(clean_district(NAME).path / "schools.parquet", "schools")


def test_a_column_of_one_stage_is_missed_though_another_stage_has_it(folder):
    columns = columns_of("nine_year")
    columns.remove(("primary", "students"))
    rows = faults(folder, 情况=grid([school("S0009", "nine_year")], columns))
    assert rows == [["missing header", "", "", "a column 在校生数 (students, primary)"]]


def test_a_row_of_one_stage_needs_no_other(folder):
    one = school("S0009") | {"school_type": "九年一贯制学校"}
    rows, merged = grid([one], columns_of("primary"))
    rows[2].append("学段")
    rows[4].append("小学部")
    assert made(folder, 情况=(rows, merged))["stage"].tolist() == ["primary"]


OF_STAGE = ["school_id", *(c for c in columns_of("primary") if isinstance(c, tuple))]
OF_SCHOOL = [c for c in columns_of("primary") if not isinstance(c, tuple) and c != "books"]
SCHOOLS = [school(f"S000{n}", books=7) for n in (1, 2, 3)]


def test_a_school_without_a_row_in_a_sheet_is_named_with_what_it_lacks(folder):
    sheets = {"情况": grid(SCHOOLS, OF_SCHOOL), "学生": grid(SCHOOLS, OF_STAGE)}
    books = grid(SCHOOLS[:2], ["school_id", "books"])
    rows = faults(folder, **sheets, 图书=books)
    assert rows == [["missing row", "S0003", "", "its row there, with 图书册数"]]
    rows = faults(
        folder, **sheets | {"学生": grid(SCHOOLS[1:], OF_STAGE)}, 图书=grid(SCHOOLS, ["school_id", "books"])
    )
    assert [row[:2] for row in rows] == [["missing row", "S0001"]]
    assert "班数、在校生数" in rows[0][3]


def test_a_row_in_another_file_or_none_that_is_needed_is_not_missed(folder):
    sheets = {"情况": grid(SCHOOLS, OF_SCHOOL), "学生": grid(SCHOOLS, OF_STAGE)}
    books = grid(SCHOOLS[:2], ["school_id", "books"])
    other = workbook({"图书": grid(SCHOOLS[2:], ["school_id", "books"])})
    (folder / "returns" / "books.xlsx").write_bytes(other)
    assert made(folder, **sheets, 图书=books)["books"].tolist() == [7, 7, 7]
    (folder / "returns" / "books.xlsx").unlink()
    kept = grid(SCHOOLS[:1], ["school_id", "graduates_expected"])  # asked for from nobody
    whole = grid(SCHOOLS, ["school_id", "books"])
    assert len(made(folder, **sheets, 图书=whole, 毕业=kept)) == 3


@pytest.mark.parametrize(("name", "is_refused"), [("注册新校小学", True), ("平均", False)])
def test_a_school_without_a_code_is_no_note_whatever_its_name_begins_with(folder, name, is_refused):
    rows, merged = grid([school(), school("", school_name=name)], columns_of("primary"))
    if is_refused:
        assert faults(folder, 情况=(rows, merged))[0][:3] == ["row without code", "", f"{name}、小学、公办、东片"]
    else:
        assert len(made(folder, 情况=(rows, merged))) == 1

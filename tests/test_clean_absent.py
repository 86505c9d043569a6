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

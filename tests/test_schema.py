"""Declared schemas: what fits comes back typed and ordered, what does not is named with its row."""

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planlib import schema
from planlib.errors import DataError


def births(**columns):
    rows = {
        "area": ["东片", "西片"],
        "year": [2020, 2020],
        "births": [10, 20],
        "file": "births.csv",
        "line": [2, 3],
    }
    return pd.DataFrame({**rows, **columns})


def test_every_column_of_every_table_is_registered_with_both_labels():
    named = {column for table in schema.TABLES.values() for column in table.columns}
    fields = schema.fields()
    assert named == set(fields)
    assert all(field.label["zh"] and field.label["en"] for field in fields.values())


def test_every_key_column_is_required_and_declared():
    for table in schema.TABLES.values():
        assert set(table.key) <= set(table.required) <= set(table.columns)


def test_conform_orders_columns_and_rows_and_gives_the_declared_types():
    shuffled = births(area=["西片", "东片"])[["line", "births", "file", "year", "area"]]
    made = schema.conform(shuffled, "births")
    assert list(made.columns) == ["area", "year", "births", "file", "line"]
    assert made["area"].tolist() == ["东片", "西片"]
    assert made["births"].tolist() == [20, 10]
    assert made.dtypes.astype(str).to_dict() == {
        "area": "str", "year": "int64", "births": "int64", "file": "str", "line": "int64",
    }  # fmt: skip


def test_absent_optional_columns_come_out_empty_in_their_type():
    row = pd.DataFrame(
        {"school_id": ["S1"], "stage": ["primary"], "year": [2020], "school_name": ["x"], "school_type": ["primary"],
         "as_of": ["2020-09-01"]}
    )  # fmt: skip
    made = schema.conform(row, "schools")
    assert made["students"].isna().all()
    assert str(made["students"].dtype) == "Int64"
    assert str(made["gym_area_m2"].dtype) == "Float64"
    assert str(made["has_clinic"].dtype) == "boolean"
    assert made["education_group"].tolist() == [""]


def test_a_csv_for_spreadsheets_holds_no_formula_in_whatever_type_of_column(tmp_path):
    mixed = pd.Series(["=1+1", 3, None, "-4"], dtype="object")
    schema.write_csv(pd.DataFrame({"raw": mixed, "value": [1, 2, 3, 4]}), tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines == ["raw,value", "'=1+1,1", "3,2", ",3", "-4,4"]


def test_empty_tables_have_the_same_types_as_full_ones():
    full = schema.conform(births(), "births")
    pd.testing.assert_series_equal(schema.empty("births").dtypes, full.dtypes)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"births": [-1, 20]}, "births.csv line 2: births is -1, expected at least 0 (area 东片, year 2020)"),
        (
            {"births": [1.5, 20]},
            "births.csv line 2: births is 1.5, expected a whole number (area 东片, year 2020)",
        ),
        ({"births": ["ten", "20"]}, "births.csv line 2: births is 'ten', expected a whole number"),
        ({"births": [None, 20]}, "births.csv line 2: births is empty, expected a value"),
        ({"births": [float("inf"), 20]}, "births.csv line 2: births is inf, expected a whole number"),
        ({"births": [1e20, 20]}, "births.csv line 2: births is 1e+20, expected a whole number"),
        ({"area": ["东片", ""]}, "births.csv line 3: area is empty, expected a value"),
        (
            {"area": ["东片", "东片"]},
            "births.csv line 3: the key stands twice, expected once (area 东片, year 2020)",
        ),
        ({"year": [20, 2020]}, "births.csv line 2: year is 20, expected between 1949 and 2100"),
        ({"colour": ["red", "red"]}, "column colour is not declared"),
    ],
)
def test_each_fault_is_named_with_its_line_and_what_was_expected(columns, said):
    with pytest.raises(DataError) as refused:
        schema.conform(births(**columns), "births")
    assert said in str(refused.value)
    assert str(refused.value).startswith("the table births does not fit its schema (1):")


def test_two_keys_that_cannot_be_read_are_said_each():
    # found by fuzzing: naming the key that stands twice ended in a traceback
    with pytest.raises(DataError) as refused:
        schema.conform(births(year=["2th020", "2th020"], area=["东片", "东片"]), "births")
    assert "(2):" in str(refused.value)
    assert "births.csv line 3: year is '2th020', expected a whole number (area 东片, year 2th020)" in str(
        refused.value
    )


def test_all_faults_are_said_at_once():
    with pytest.raises(DataError) as refused:
        schema.conform(births(births=[-1, 2.5], area=["", "西片"]), "births")
    assert "(3):" in str(refused.value)


def test_a_missing_column_and_an_unknown_table_are_refused():
    with pytest.raises(DataError, match="column births is missing"):
        schema.conform(births().drop(columns="births"), "births")
    with pytest.raises(DataError, match="Unknown table 'birth'"):
        schema.conform(births(), "birth")


@pytest.mark.parametrize(("text", "is_right"), [("2023-09-01", True), ("2023-02-29", False), ("2023-9-1", False)])
def test_dates_are_real_days_in_iso_form(text, is_right):
    rows = pd.DataFrame(
        {"commitment_id": ["a"], "date": [text], "achieved": [1.0], "file": "milestones.csv", "line": [2]}
    )
    if is_right:
        assert schema.conform(rows, "milestones")["date"].tolist() == [text]
    else:
        with pytest.raises(DataError, match="expected a date like 2023-09-01"):
            schema.conform(rows, "milestones")


def test_codes_must_be_among_the_declared_ones():
    rows = pd.DataFrame(
        {"series_id": ["a"], "value": [1], "relation": ["~"], "as_of": ["2020-09-01"], "status": ["审定"],
         "boundary": ["现行区划"], "file": "observations.csv", "line": [2]}
    )  # fmt: skip
    with pytest.raises(DataError, match="relation is '~', expected one of =, >, ≥, <, ≤, ≈"):
        schema.conform(rows, "observations")


@given(
    st.lists(
        st.tuples(st.text(min_size=1), st.integers(1949, 2100), st.integers(0, 10**9)), unique_by=lambda r: r[:2]
    )
)
def test_what_is_written_is_what_is_read_for_any_rows(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("t") / "births.parquet"
    frame = pd.DataFrame(rows, columns=["area", "year", "births"]).assign(file="births.csv", line=2)
    frame = frame.astype({"area": "str", "year": "int64", "births": "int64", "line": "int64"})
    schema.write_table(frame, "births", path)
    read = schema.read_table(path, "births")
    pd.testing.assert_frame_equal(read, schema.conform(frame, "births"))
    assert sorted(zip(read["area"], read["year"], read["births"], strict=True)) == sorted(rows)


def test_nullable_types_survive_parquet(tmp_path):
    row = pd.DataFrame(
        {"school_id": ["S1", "S2"], "stage": ["primary"] * 2, "year": [2020] * 2, "school_name": ["x", "y"],
         "school_type": ["primary"] * 2, "as_of": ["2020-09-01"] * 2, "students": [300, None],
         "gym_area_m2": [None, 12.5], "has_clinic": [True, None]}
    )  # fmt: skip
    schema.write_table(row, "schools", tmp_path / "s.parquet")
    read = schema.read_table(tmp_path / "s.parquet", "schools")
    pd.testing.assert_frame_equal(read, schema.conform(row, "schools"))


def test_same_rows_give_the_same_bytes_in_any_order(tmp_path):
    schema.write_table(births(), "births", tmp_path / "a")
    schema.write_table(births().iloc[::-1], "births", tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_table_of_another_version_is_refused_with_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / "births.parquet"
    monkeypatch.setattr(schema.files, "SCHEMA_VERSION", 99)
    schema.write_table(births(), "births", path)
    monkeypatch.undo()
    with pytest.raises(DataError) as refused:
        schema.read_table(path, "births")
    assert f"{path} has schema version 99, this planlib reads 1." in str(refused.value)
    assert "planlib clean" in str(refused.value)


def test_another_table_a_foreign_file_and_no_file_are_refused(tmp_path):
    schema.write_table(births(), "births", tmp_path / "births.parquet")
    with pytest.raises(DataError, match="holds the table births"):
        schema.read_table(tmp_path / "births.parquet", "projects")
    pq.write_table(
        pq.read_table(tmp_path / "births.parquet").replace_schema_metadata({}), tmp_path / "plain.parquet"
    )
    with pytest.raises(DataError, match="schema version none"):
        schema.read_table(tmp_path / "plain.parquet", "births")
    (tmp_path / "text.parquet").write_text("no parquet")
    for name in ("text.parquet", "absent.parquet"):
        with pytest.raises(DataError, match=f"Could not read .*{name}"):
            schema.read_table(tmp_path / name, "births")


@pytest.mark.parametrize(
    ("table", "frame", "dates"),
    [
        ("schools", {"as_of": ["2020-09-01"]}, ["2020-09-01"]),
        ("enrolment", {"year": [2021]}, ["2021-09-01"]),
        ("births", {"year": [2021]}, ["2021-12-31"]),
        ("milestones", {"date": ["2022-06-30"]}, ["2022-06-30"]),
        ("projects", {"opened": ["2022-06-30"]}, ["all"]),
    ],
)
def test_a_row_is_known_from_the_date_its_table_declares(table, frame, dates):
    assert schema.as_of_dates(pd.DataFrame(frame), table).tolist() == dates


def test_labels_in_both_languages_with_units():
    assert schema.label("equipment_value_yuan", "zh", with_unit=True) == "教学仪器设备值（元）"
    assert schema.label("equipment_value_yuan", "en", with_unit=True) == "Value of teaching equipment (yuan)"
    assert schema.label("school_name", "en", with_unit=True) == "School name"

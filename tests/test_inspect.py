"""`planlib inspect FILE`: what was recognised, what was not, and what it would take."""

import pytest
import yaml
from returns_builder import columns_of, grid, school, workbook
from school_builder import school as national_school
from school_builder import school_book

from planlib import paths, schema
from planlib.clean.inspect import inspect_file
from planlib.clean.words.forms import load_form
from planlib.cli import main


def collection(tmp_path, **more):
    path = tmp_path / "表.xlsx"
    path.write_bytes(workbook({"基本情况": grid([school()], columns_of("primary"), **more)}))
    return path


def test_a_collection_sheet_says_title_year_fields_and_units(tmp_path):
    said = inspect_file(collection(tmp_path), "en")
    assert "collection sheets (one row a school)" in said
    assert "title: 测试区2020/2021学年初小学情况一览表 (A1), school year: 2020" in said
    assert "1 rows of schools, 0 of totals" in said
    line = next(line for line in said.splitlines() if "Value of teaching equipment" in line)
    assert line.split()[1:] == ["教学仪器设备资产值", "Value", "of", "teaching", "equipment", "万元"]
    assert "headers not known" not in said


def test_an_unknown_header_comes_with_its_nearest_field_and_lines_that_make_it_known(tmp_path):
    path = collection(tmp_path, headers={"books": "图书藏量（册）", "has_clinic": "Wi-Fi"})
    said = inspect_file(path, "en")
    assert "Z3  图书藏量(册); nearest field: Books" in said or "图书藏量（册）; nearest field: Books" in said
    assert "Wi-Fi; nearest field: —" in said
    lines = said[said.index("to read it, add to definitions/forms/collection.yml:") :].splitlines()
    asked = yaml.safe_load(next(line for line in lines if line.startswith("  books: ")))
    ignored = yaml.safe_load(next(line for line in lines if line.startswith("  ignored: ")))
    source = paths.DEFINITIONS / "forms" / "collection.yml"
    data = yaml.safe_load(source.read_text(encoding="utf-8"))
    data["fields"] |= asked
    data["ignored"] = [*data["ignored"], ignored["ignored"][-1]]
    taught = tmp_path / "collection.yml"
    taught.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    form = load_form(taught)
    assert form.column_of("图书藏量（册）") == "books"
    assert form.split("Wi-Fi")[0] in form.ignored


def test_a_school_workbook_says_form_by_form_what_it_reads(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(school_book(national_school("nine_year"), 2020, False))
    said = inspect_file(path, "en")
    assert "school 3133000001, nine-year school, school year from 2020" in said
    assert "Sheet 基础基312: form 基础基312 (known)" in said
    line = next(line for line in said.splitlines() if "H7" in line and "教学仪器设备资产值" in line)
    assert line.split()[-2:] == ["equipment", "万元"]
    assert "other figures, kept in form_cells" in said
    assert "学校标识码 3133000001，九年一贯制学校，2020 学年初" in inspect_file(path, "zh")


def test_an_unknown_form_comes_with_the_lines_of_a_new_one(tmp_path):
    rows = [
        ["教基9876  单位：册"],
        ["图书馆情况"],
        ["指标名称", "数量"],
        ["甲", "1"],
        ["图书册数", 500],
        ["阅览座位", 30],
    ]
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook({"教基9876": (rows, [])}))
    said = inspect_file(path, "en")
    assert "Sheet 教基9876: form 教基9876 (not known)" in said
    lines = said[said.index("to read it") :].splitlines()[1:]
    taught = yaml.safe_load("\n".join(lines[: lines.index("  issues:")]))
    assert taught[0]["codes"] == ["教基9876"]
    assert taught[0]["titles"] == ["图书馆情况"]
    assert taught[0]["fields"]["books"] == {"row": ["图书册数"], "column": ["数量"]}


@pytest.mark.parametrize(
    ("content", "code", "said"), [(b"%PDF-1", 1, "a PDF document; ask for"), (None, 2, "is no file")]
)
def test_what_cannot_be_inspected_is_said(tmp_path, capsys, content, code, said):
    path = tmp_path / "a.xlsx"
    if content:
        path.write_bytes(content)
    assert main(["inspect", str(path)]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", [table.name for table in schema.TABLES.values() if table.is_collected])
def test_a_csv_file_of_the_district_is_known_by_its_name_and_columns(name):
    said = inspect_file(paths.raw("shangcheng") / f"{name}.csv", "en")
    assert f"{name}.csv: a CSV file that the district brings, table {name}" in said
    shown = {line.split()[0] for line in said.splitlines() if line.startswith("    ")}
    assert set(schema.TABLES[name].columns) - {"file", "line"} <= shown
    assert "issues:" not in said


def test_a_csv_file_of_the_district_with_a_wrong_header_says_so(tmp_path):
    path = tmp_path / "births.csv"
    path.write_text("area,year,born\n全区,2020,5\n", encoding="utf-8")
    said = inspect_file(path, "en")
    assert "without births; unknown or twice: born" in said


def test_a_file_in_which_nothing_is_recognised_fails_and_says_what_would_be(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    assert main(["inspect", str(path)]) == 1
    said = capsys.readouterr().err
    assert "is recognised: no sheet has the header 学校标识码" in said
    assert "births.csv" in said


def test_the_command_prints_in_both_languages(tmp_path, capsys):
    path = collection(tmp_path)
    assert main(["inspect", str(path)]) == 0
    assert "采集表（一校一行）" in capsys.readouterr().out
    assert main(["inspect", str(path), "--language", "en"]) == 0
    assert "collection sheets" in capsys.readouterr().out

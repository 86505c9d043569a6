"""`planlib new`: a district to begin with is whole, without fault, and can be filled in."""

import itertools
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from returns_builder import FORM, columns_of, workbook

from planlib import cli, freshness, schema, template
from planlib.clean import clean_district
from planlib.clean.files.read import read_workbook
from planlib.clean.layout.recognise import recognise
from planlib.clean.values.correct import load_corrections
from planlib.district import open_district, views
from planlib.registry import load_definitions, load_explanations, load_plan, load_responsibility
from planlib.sample.layout import FIRST_ROW, HEADER_ROWS

COLLECTED = [name for name, table in schema.TABLES.items() if table.is_collected]
PRIMARY = "YYYY学年_小学.xlsx"
SCHOOL = {
    "school_id": "3133000001",
    "school_name": "示例第一小学",
    "school_type": "小学",
    "ownership": "公办",
    "area": "东片",
    "classes": 24,
    "students": 960,
    "staff": 66,
    "teachers": 60,
    "postgraduate_teachers": 6,
    "equipment_value_yuan": 352.5,
    "teaching_area_m2": 5200,
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "data" / "raw").mkdir(parents=True)
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "demo"
    folder.mkdir()
    template.write_skeleton(folder, "demo")
    return folder


def fill(source: Path, target: Path, year: int | None, *schools: dict) -> None:
    """Copy a template and fill it in as a person would: the year in the titles (None: forgotten), a row for each school."""
    sheets = {}
    for sheet in read_workbook(source.read_bytes()):
        places = recognise(sheet, FORM).places
        titles = [[_with_year(value, year) for value in row] for row in sheet.rows]
        for number, one in enumerate(schools):
            for place in places:
                titles[FIRST_ROW + number][place.index] = one.get(place.column.name, "")
        merged = [(*area, str(titles[area[0]][area[1]])) for area in sheet.merged]
        sheets[sheet.name] = (titles, merged)
    target.write_bytes(workbook(sheets))


def _with_year(value, year):
    if year is None or not isinstance(value, str):
        return value
    return value.replace("YYYY/YYYY", f"{year}/{year + 1}")


def examples(path: Path) -> str:
    """Return the commented example of a file as the YAML it becomes without its #."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("# Example"))
    taken = itertools.takewhile(lambda line: line.startswith("# "), lines[start + 1 :])
    return "\n".join(line.removeprefix("# ") for line in taken)


# --- what is made --------------------------------------------------------------------------------------------


def test_the_guide_names_the_words_that_a_column_allows(tmp_path):
    template.write_skeleton(tmp_path, "demo")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "写快报、审定、决算之一" in text
    assert "快报 (provisional), 审定 (approved), 决算 (final accounts)" in text
    assert "{{" not in text


def test_a_new_district_has_everything_that_docs_say_it_brings(skeleton):
    made = {path.relative_to(skeleton).as_posix() for path in skeleton.rglob("*") if path.parent == skeleton}
    docs = (Path(__file__).parents[1] / "docs" / "district.md").read_text(encoding="utf-8")
    named = {line.split("`")[1] for line in docs.splitlines() if line.startswith("| `")}
    assert made == {*named - {"returns/"}, "returns", "templates", "README.md"}


@pytest.mark.parametrize("name", COLLECTED)
def test_a_csv_is_the_header_of_its_table(skeleton, name):
    frame = pd.read_csv(skeleton / f"{name}.csv")
    assert frame.empty
    assert [*frame.columns, "file", "line"] == list(schema.TABLES[name].columns)


def test_no_placeholder_is_left_but_the_year(skeleton):
    for path in skeleton.iterdir():
        if path.is_file():
            assert "{{" not in path.read_text(encoding="utf-8"), path.name
    assert "planlib clean demo" in (skeleton / "README.md").read_text(encoding="utf-8")


def test_the_plan_is_whole_and_small(skeleton):
    plan = load_plan("demo", skeleton / "plan.yml")
    assert (len(plan.indicators), len(plan.series), len(plan.commitments)) == (1, 1, 1)
    assert sorted(plan.frame["kind"]) == ["box", "goal", "safeguard", "task"]
    assert load_responsibility(plan, skeleton / "responsibility.yml")["lead"].tolist() == ["", ""]


def test_every_commented_example_is_right_once_its_signs_are_taken_off(skeleton, tmp_path):
    plan = load_plan("demo", skeleton / "plan.yml")
    (tmp_path / "explanations.yml").write_text(examples(skeleton / "explanations.yml"), encoding="utf-8")
    assert len(load_explanations(plan, tmp_path / "explanations.yml")) == 1
    text = "schema_version: 1\ncorrections:\n" + examples(skeleton / "corrections.yml")
    (tmp_path / "corrections.yml").write_text(text, encoding="utf-8")
    assert load_corrections(tmp_path / "corrections.yml", FORM).entries[0].action == "override"
    (tmp_path / "responsibility.yml").write_text(examples(skeleton / "responsibility.yml"), encoding="utf-8")
    assert load_responsibility(plan, tmp_path / "responsibility.yml")["lead"].tolist() == [
        "组织人事科",
        "计划财务科",
    ]
    sources = yaml.safe_load(examples(skeleton / "sources.yml"))
    assert set(sources[0]) == {"file", "producer", "licence", "sha256", "synthetic", "note"}


def test_the_commented_lists_of_the_plan_are_right_too(skeleton, tmp_path):
    text = (skeleton / "plan.yml").read_text(encoding="utf-8")
    line = next(one for one in text.splitlines() if one.startswith("#   - {series:"))
    amended = tmp_path / "plan.yml"
    amended.write_text(text.replace("amendments: []", "amendments:\n" + line.removeprefix("#")), encoding="utf-8")
    assert load_plan("demo", amended).amendments["target"].tolist() == [18.0]


# --- the workbooks -------------------------------------------------------------------------------------------


def test_there_is_a_workbook_for_each_type_with_every_column_of_it(skeleton):
    names = {path.name for path in (skeleton / "templates").iterdir()}
    types = load_definitions("forms/collection")["types"]
    for school_type in FORM.stages_of_type:
        text = next(text for text, code in types.items() if code == school_type)
        names.remove(f"YYYY学年_{text}.xlsx")
        content = (skeleton / "templates" / f"YYYY学年_{text}.xlsx").read_bytes()
        sheets = [recognise(sheet, FORM) for sheet in read_workbook(content)]
        has_stages = len(FORM.stages(school_type)) > 1
        found = {
            (place.stage, place.column.name) if has_stages and place.stage else place.column.name
            for one in sheets
            for place in one.places
        }
        assert found == set(_keys(school_type))
        assert all(not one.data_rows and not one.total_rows and not one.issues for one in sheets)
        assert [one.year for one in sheets] == [None] * len(sheets)
    assert names == set()


def _keys(school_type):
    has_stages = len(FORM.stages(school_type)) > 1
    return [key[1] if isinstance(key, tuple) and not has_stages else key for key in columns_of(school_type)]


def test_a_template_has_no_trace_of_the_sample(skeleton):
    for path in (skeleton / "templates").iterdir():
        for sheet in read_workbook(path.read_bytes()):
            text = "".join(str(value) for row in sheet.rows for value in row)
            assert not any(word in text for word in ("模拟", "上城", "示例", "合计"))
            assert {value for row in sheet.rows[HEADER_ROWS[1] + 1 :] for value in row[1:]} <= {""}


def test_templates_and_the_guide_are_no_input_but_what_is_filled_in_there_is_told(root):
    folder = template.new_district("demo")
    wanted = {f"{name}.csv" for name in COLLECTED} | {"corrections.yml"}
    assert set(freshness.tables_inputs("demo")["inputs"]) == wanted
    shutil.copy(folder / "templates" / PRIMARY, folder / "templates" / "2020学年_小学.xlsx")
    assert set(freshness.tables_inputs("demo")["inputs"]) - wanted == {"templates/2020学年_小学.xlsx"}


# --- the command, and what comes after it --------------------------------------------------------------------


def test_new_then_check_then_clean_says_what_to_do(root, capsys):
    assert cli.main(["new", "demo"]) == 0
    assert "README.md" in capsys.readouterr().out
    assert cli.main(["check", "demo"]) == 0
    assert "no fault found" in capsys.readouterr().out
    assert cli.main(["clean", "demo", "--language", "en"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "have 1 fault;" in said.err
    assert "at least one workbook of returns (.xlsx, .xls, .et or .csv)" in said.err
    assert "templates/" in said.err
    assert "Traceback" not in said.err


def test_a_template_filled_in_for_two_years_makes_a_district(root, capsys):
    folder = template.new_district("demo")
    for year, postgraduates in ((2020, 6), (2021, 9)):
        one = {**SCHOOL, "postgraduate_teachers": postgraduates}
        fill(folder / "templates" / PRIMARY, folder / "returns" / f"{year}学年_小学.xlsx", year, one)
    assert cli.main(["clean", "demo"]) == 0
    capsys.readouterr()
    result = clean_district("demo")
    assert set(result.issues["issue_kind"]) == {"gym_redefined"}
    schools = schema.read_table(result.path / "schools.parquet", "schools")
    assert schools[["year", "stage", "students", "equipment_value_yuan"]].to_numpy().tolist() == [
        [2020, "primary", 960, 3_525_000.0],
        [2021, "primary", 960, 3_525_000.0],
    ]
    place = open_district("demo")
    assert views.cheapest_plan(place).empty  # its plan sets no target of the composite
    observed = place.observations
    shares = observed[observed["series_id"] == "postgraduate_teachers_primary"]
    assert dict(zip(shares["year"], shares["value"], strict=True)) == pytest.approx({2020: 10.0, 2021: 15.0})


def test_a_title_whose_year_was_forgotten_is_refused(root, capsys):
    folder = template.new_district("demo")
    fill(folder / "templates" / PRIMARY, folder / "returns" / "2020学年_小学.xlsx", None, SCHOOL)
    assert cli.main(["clean", "demo", "--language", "en"]) == 1
    assert "titles without a clear school year" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "Demo", "../demo", "a b", "区", "-demo", ".demo", "demo/x", "a\n"])
def test_a_bad_name_is_refused(root, name, capsys):
    assert cli.main(["new", "--", name]) == 2
    assert "nothing was written" in capsys.readouterr().err
    assert list((root / "data" / "raw").iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "file", "broken link"])
def test_what_is_there_already_is_left_alone(root, kind, capsys):
    place = root / "data" / "raw" / "demo"
    if kind == "folder":
        place.mkdir()
    elif kind == "file":
        place.write_text("mine", encoding="utf-8")
    else:
        place.symlink_to("nowhere")
    assert cli.main(["new", "demo"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert [path.name for path in (root / "data" / "raw").iterdir()] == ["demo"]
    assert not (place.is_dir() and any(place.iterdir()))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_district_is_whole_or_absent(root, monkeypatch, capsys, error):
    def broken(path, book):
        raise error

    monkeypatch.setattr(template, "write_book", broken)
    code = cli.main(["new", "demo"])
    assert code == (1 if isinstance(error, OSError) else 130)
    assert list((root / "data" / "raw").iterdir()) == []
    if isinstance(error, OSError):
        assert "No space left on device" in capsys.readouterr().err


def test_who_comes_second_does_not_overwrite_the_first(root, monkeypatch, capsys):
    place = root / "data" / "raw" / "demo"
    write = template.write_skeleton

    def meanwhile(folder, district):
        write(folder, district)
        place.mkdir()
        (place / "plan.yml").write_text("theirs", encoding="utf-8")

    monkeypatch.setattr(template, "write_skeleton", meanwhile)
    assert cli.main(["new", "demo"]) == 2
    assert (place / "plan.yml").read_text(encoding="utf-8") == "theirs"
    assert [path.name for path in place.parent.iterdir()] == ["demo"]

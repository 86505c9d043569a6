"""Every number leads back to its cells: of a frame, of a table of the district, of a published report."""

import json

import nbformat
import pandas as pd
import pytest

from planlib import cli, figures, freshness, narrative, schema
from planlib.columns import FIGURE_MIME, TABLE_MIME
from planlib.district import Evaluation, open_district, origins
from planlib.errors import UsageError
from planlib.run.manifest import SCHEMA_VERSION, run_folder
from planlib.run.published import find_cell, find_number


@pytest.fixture(scope="module")
def report():
    return Evaluation(open_district("shangcheng", "2022-12-31"), "midterm", 2023)


@pytest.fixture(scope="module")
def tables(report):
    return [
        narrative.indicator_table(report, "zh"),
        narrative.commitment_table(report, "zh", only_late=False),
        narrative.balance_table(report, "zh"),
        narrative.failing_table(report, "zh"),
        narrative.seats_table(report, "zh"),
        narrative.finance_table(report, "zh"),
        narrative.ledger_table(report, "zh"),
        narrative.project_table(report, "zh"),
        narrative.probability_table(report, "zh"),
    ]


@pytest.fixture(scope="module")
def pictures(report):
    counts = figures.status_overview(report.counts, "zh")
    place = report.district
    return [counts, figures.balance_by_year(place.balance, place.standard.caps, place.composite_targets, "zh")]


@pytest.fixture
def folder(tables, pictures, tmp_path):
    """A report's folder with the tables as the run leaves them."""
    cells = []
    for shown in [*tables, *pictures]:
        bundle = shown._repr_mimebundle_()
        bundle = bundle[0] if isinstance(bundle, tuple) else bundle
        data = {mime: bundle[mime] for mime in (TABLE_MIME, FIGURE_MIME) if mime in bundle}
        output = nbformat.v4.new_output("execute_result", data=data, metadata={}, execution_count=1)
        cells.append(nbformat.v4.new_code_cell("x", outputs=[output]))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    made = {"district": "shangcheng", "cutoff": "2022-12-31", "year": 2023, "language": "zh"}
    told = {
        "schema_version": SCHEMA_VERSION,
        "parameters": made,
        "report": "midterm",
        "inputs": {},
        "input_files": freshness.input_files("shangcheng"),
        "packages": {},
        "outputs": {"a.ipynb": "0"},
        "is_simulated": True,
        "fingerprint": "0",
        "status": "ok",
    }
    (tmp_path / "run.json").write_text(json.dumps(told), encoding="utf-8")
    return tmp_path


def test_a_share_rests_on_the_cells_that_the_plan_s_measure_reads(report):
    card = report.scorecard.set_index("series_id", drop=False)
    found = report.district.origin(card.loc["public_kindergarten_coverage"], "value")
    assert [code for code, _ in found.how] == ["series", "measure", "observed"]
    assert set(found.cells["column"]) == {"students"}
    kindergartens = report.district.schools.query("stage == 'preschool' and year == 2022")
    assert found.cells["value"].sum() == kindergartens["students"].sum()
    assert found.cells["raw"].str.len().gt(0).all()


def test_a_reported_value_leads_to_its_line_and_a_printed_one_to_the_plan(report):
    row = {"series_id": "disabled_entry_preschool"}
    cells = report.district.origin(row, "value").cells
    assert cells[["file", "cell", "raw"]].to_numpy().tolist() == [["observations.csv", "line 6", "94.2"]]
    assert report.district.origin(row, "baseline").cells["raw"].tolist() == [">92"]


def test_a_forecast_says_that_it_is_one_and_names_its_observations(report):
    found = report.district.origin({"series_id": "myopia_rate"}, "probability")
    text = str(narrative.origin(found, "en"))
    assert "This is a forecast, not an observation: extrapolated by the learnt table" in text
    assert "from the 5 observations of 2018–2022" in text
    assert "这是预测，不是观测" in str(narrative.origin(found, "zh"))


def test_shared_plant_shows_the_stage_s_share(report):
    rows = report.district.schools.query("school_type == 'nine_year' and year == 2022")
    school = rows["school_id"].iloc[0]
    parts = {}
    for stage in ("primary", "junior"):
        row = {"school_id": school, "stage": stage, "year": 2022, "resource": "teaching_area_m2"}
        cells = report.district.origin(row, "value").cells
        assert cells["column"].tolist() == ["teaching_area_m2", "gym_area_m2", "students"]
        parts[stage] = float(cells["step"].iloc[0].split("× ")[-1].split(",")[0])
        area, gym = (float(v) for v in cells["value"].iloc[:2])
        counted = report.district.stage_resources.set_index(["school_id", "stage", "year"])
        expected = counted.loc[(school, stage, 2022), "teaching_area_m2"]
        assert (area - gym) * parts[stage] == pytest.approx(expected, rel=1e-3)
    assert sum(parts.values()) == pytest.approx(1, abs=1e-3)


def test_a_correction_is_a_step(report):
    found = report.district.origin({"school_id": "S0124", "year": 2021}, "equipment_value_yuan")
    assert "read as 352.26 (correction 2" in found.cells["step"].iloc[0]
    assert "更正第 2 条" in str(narrative.origin(found, "zh"))


def test_the_coefficients_of_a_composite_are_named_and_how_to_see_all_its_cells(report):
    found = report.district.origin({"resource": "composite"}, "primary_2022")
    said = str(narrative.origin(found, "en"))
    parts = dict(found.how)["composite"]["parts"]
    assert len(parts) == 7
    rows = report.district.balance.query("resource == 'composite' and stage == 'primary' and year == 2022")
    assert sum(parts.values()) / 7 == pytest.approx(rows["cv"].iloc[0])
    assert "--all" in said
    assert "--csv FILE" in said
    assert "--csv FILE" in str(narrative.origin(found, "zh"))


def test_a_date_after_the_cutoff_is_not_used_and_says_so(report):
    early = open_district("shangcheng", "2019-12-31")
    ledger = report.district.tables["projects"]
    project = ledger.loc[ledger["completed"].fillna("") > "2019-12-31", "project_id"].iloc[0]
    for place, step, words in (
        (early, "date later than the cutoff, not used", "日期晚于数据截止日，未采用"),
        (report.district, "date", "日期"),
    ):
        found = place.origin({"project_id": project}, "completed")
        assert found.cells["step"].tolist() == [step]
        assert f"| {words}" in str(narrative.origin(found, "zh"))


def test_every_figure_of_every_table_has_an_origin(report, tables):
    for table in tables:
        data = table._repr_mimebundle_()[TABLE_MIME]
        numeric = [i for i, c in enumerate(data["columns"]) if c["form"] in ("number", "percent", "figure", "iso")]
        for at in range(0, len(data["rows"]), max(len(data["rows"]) // 2, 1)):
            names = [c["name"] for c in data["columns"]]
            row = {k: v[at] for k, v in data["keys"].items()} | dict(zip(names, data["rows"][at], strict=True))
            for i in numeric:
                name = names[i]
                if data["rows"][at][i] is None or name.startswith(("cap_", "threshold")):
                    continue
                found = report.district.origin(row, name)
                assert found.how, (table.caption, name)
                assert len(found.cells), (table.caption, name, row)
                assert str(narrative.origin(found, "zh"))


def test_a_row_that_nothing_identifies_is_refused_with_what_would(report):
    with pytest.raises(UsageError, match="keep one of these columns in the frame: file, line; commitment_id"):
        report.district.origin({"status": "late"}, "count")


def test_a_published_figure_is_found_by_table_row_and_column(folder, capsys):
    cell = find_cell(folder, "table 3, row 综合差异系数, 小学段 2022")
    assert (cell.row["resource"], cell.column, cell.shown) == ("composite", "primary_2022", "0.307")
    assert cli.main(["trace", str(folder), "table 3, row 综合差异系数, 小学段 2022"]) == 0
    said = capsys.readouterr().out
    assert "小学段 2022: 0.307" in said
    assert "小学段 2022 0.307 的出处" in said
    assert "primary_2022" not in said
    assert "76 所学校七项资源差异系数的均值" in said
    assert "returns/2022学年_小学.xlsx | 教师 | F5" in said


def test_a_judged_figure_is_called_by_its_header(folder, capsys):
    assert cli.main(["trace", str(folder), "table 1, row public_kindergarten_coverage, progress"]) == 0
    said = capsys.readouterr().out
    assert "“进度”由基期值" in said
    assert "progress" not in said


def test_all_cells_of_a_figure_can_be_written_to_a_file(folder, tmp_path, capsys):
    out = tmp_path / "cells.csv"
    assert (
        cli.main(["trace", str(folder), "校际差异系数", "row composite", "primary_2020", "--csv", str(out)]) == 0
    )
    assert "未显示" in capsys.readouterr().out
    assert len(pd.read_csv(out)) == 630


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "table 99, row x, y",
            "No tables or figures are called 'table 99'. There are:\n  table 1: 主要指标进展情况",
        ),
        ("table 3, row 综合差异系数, 2022", "2 cells of table 3"),
        ("table 3, row 小卖部, 2022", "No cells of table 3"),
    ],
)
def test_an_address_that_names_nothing_or_two_cells_lists_what_there_is(folder, address, said):
    with pytest.raises(UsageError) as refused:
        find_cell(folder, address)
    assert said in str(refused.value)
    assert "To do: name one" in str(refused.value)


@pytest.mark.parametrize("word", ["figure 2", "图2", "图 2　校际差异系数历年变化"])
def test_a_figure_is_traced_by_the_values_it_was_drawn_from(folder, word, capsys):
    assert cli.main(["trace", str(folder), f"{word}, row 2022 小学段 composite, 差异系数"]) == 0
    said = capsys.readouterr().out
    assert "图2　校际差异系数历年变化 · 差异系数: 0.31" in said
    assert "returns/2022学年_小学.xlsx | 教师 | F5" in said


def test_a_table_is_named_as_it_is_printed(folder):
    found = {
        find_cell(folder, f"{word}, row 综合差异系数, 小学段 2022").shown
        for word in ("表 3", "表3　校际", "Table 3")
    }
    assert found == {"0.307"}


def test_a_count_has_no_cell_of_its_own_and_says_what_to_trace(folder, capsys):
    assert cli.main(["trace", str(folder), "图 1, row 滞后, 合计"]) == 2
    said = capsys.readouterr().err
    assert "counts or adds up rows of other tables" in said
    assert "trace one of the rows it counts, in 表1 or 表2" in said


def test_a_number_of_a_sentence_shows_the_cells_that_print_it(folder, capsys):
    assert cli.main(["trace", str(folder), "0.307"]) == 0
    said = capsys.readouterr()
    addresses = [line.strip().strip('"') for line in said.out.splitlines() if line.startswith("  ")]
    assert "table 3, row 综合差异系数, 小学段 2022" in addresses
    assert all("0.307" in find_cell(folder, address).shown for address in addresses)
    assert said.err == ""


@pytest.mark.parametrize("number", ["0.12345", "987654", "987,654", "987654 项", "987.6 %"])
def test_a_number_that_stands_nowhere_is_said_shortly(folder, number, capsys):
    assert cli.main(["trace", str(folder), number]) == 2
    said = capsys.readouterr().err
    assert f"{number} stands in no table or figure." in said
    assert "promises in table 2, projects in table 7" in said
    assert len(said.splitlines()) == 2


def test_a_number_is_found_with_and_without_its_commas_but_not_in_line_numbers(folder):
    run, found = find_number(folder, "2100")
    assert run == folder
    assert any(address.startswith("table 7") for address in found)
    assert (run, found) == find_number(folder, "2,100个")
    assert not any("序号" in address or "行号" in address for address in find_number(folder, "8")[1])


def test_a_number_is_looked_for_in_the_latest_run_of_every_language(folder, capsys):
    """The Chinese run has no table any more; the English one, which is older, has the number."""
    whole, told = (folder / "a.ipynb").read_bytes(), json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for run, language in (("1", "en"), ("2", "zh")):
        (folder / run).mkdir()
        name = f"a-{language}.ipynb"
        made = {**told, "outputs": {name: ""}, "parameters": {**told["parameters"], "language": language}}
        (folder / run / "run.json").write_text(json.dumps(made), encoding="utf-8")
        (folder / run / name).write_bytes(whole)
    nbformat.write(nbformat.v4.new_notebook(), folder / "2" / "a-zh.ipynb")
    (folder / "run.json").unlink()
    run, found = find_number(folder, "0.307", "zh")
    assert run == folder / "1"
    assert found
    assert cli.main(["trace", str(folder), "987654"]) == 2
    assert f"Looked in {folder / '2'}, {folder / '1'}." in capsys.readouterr().err


def test_a_number_that_only_counts_rows_names_its_table(folder):
    with pytest.raises(UsageError, match=r"stands only in .*figure 1, where it counts or adds up rows"):
        find_number(folder, "4", check=lambda *_: False)


def test_a_trace_warns_when_files_are_not_those_of_the_report(folder, capsys):
    address = "table 3, row 综合差异系数, 小学段 2022"
    assert cli.main(["trace", str(folder), address]) == 0
    assert capsys.readouterr().err == ""
    told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    told["input_files"]["births.csv"]["sha256"] = "0"
    del told["input_files"]["finance.csv"]
    (folder / "run.json").write_text(json.dumps(told), encoding="utf-8")
    assert cli.main(["trace", str(folder), address]) == 0
    said = capsys.readouterr().err
    assert "births.csv: changed" in said
    assert "finance.csv: added" in said
    assert "planlib verify" in said


def test_the_latest_run_is_taken_of_a_report_s_folder(folder):
    shelf = folder / "midterm-2023"
    for run_id in ("20260101T000000000Z-aaaaaa", "20260102T000000000Z-aaaaaa"):
        (shelf / run_id).mkdir(parents=True)
        (shelf / run_id / "run.json").write_text("{}", encoding="utf-8")
    assert run_folder(shelf).name == "20260102T000000000Z-aaaaaa"
    assert run_folder(folder) == folder
    assert run_folder(run_folder(shelf) / "run.json") == run_folder(shelf)


@pytest.mark.parametrize(
    "address", ["table 3, row 综合差异系数, 国家上限", "table 3, row 小卖部, 2022", "table 3", "figure 2"]
)
def test_the_example_that_a_refusal_gives_can_be_traced(folder, address, capsys):
    assert cli.main(["trace", str(folder), address]) == 2
    said = capsys.readouterr().err
    assert "国家上限 (column 4)" in said or "figure" in address
    assert ("which row and which column?" in said) == ("," not in address)
    assert cli.main(["trace", str(folder), said.rsplit('example "', 1)[1].strip().removesuffix('".')]) == 0


def test_a_row_is_named_as_a_refusal_shows_it_and_the_list_says_when_it_stops(folder):
    cell = find_cell(folder, "figure 2, row 2022 · 小学段 · 综合差异系数, 差异系数")
    assert (cell.row["year"], cell.row["stage"]) == (2022, "primary")
    with pytest.raises(UsageError, match=r"; … \(\d+ rows\)\nColumns"):
        find_cell(folder, "figure 2")


def test_words_that_were_not_quoted_are_one_address(folder, capsys):
    assert cli.main(["trace", str(folder), *["table", "3,", "row", "综合差异系数,", "小学段", "2022"]]) == 0
    assert "小学段 2022: 0.307" in capsys.readouterr().out


def test_a_value_is_written_alike_in_its_heading_and_its_steps(folder, capsys):
    assert cli.main(["trace", str(folder), "table 1, row 8, 现值"]) == 0
    said = capsys.readouterr().out
    assert "现值: 0.307" in said
    assert "2022 年的值为 0.307。" in said


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("run.json", "{}", "schema_version is None"),
        ("run.json", "[]", "not a JSON object"),
        ("run.json", "nonsense", "not a JSON object"),
        ("a.ipynb", "x", "not a readable notebook"),
        (
            "a.ipynb",
            '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1]}',
            "not a readable notebook",
        ),
        ("a.ipynb", None, "0 notebooks of its run.json are there, expected one"),
    ],
)
@pytest.mark.parametrize("address", ["table 3, row 综合差异系数, 小学段 2022", "0.307"])
def test_a_damaged_folder_is_refused_with_what_is_wrong(folder, file, text, said, address, capsys):
    if text is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(text, encoding="utf-8")
    assert cli.main(["trace", str(folder), address]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "To do:" in told


def test_of_a_report_s_folder_the_language_asked_for_comes_first_and_then_where_it_is_found(folder, tmp_path):
    shelf = tmp_path / "shelf"
    for run_id, language in (("1", "zh"), ("2", "en")):
        run = shelf / run_id
        run.mkdir(parents=True)
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        told["parameters"]["language"] = language
        told["outputs"] = {f"a-{language}.ipynb": "0"}
        (run / "run.json").write_text(json.dumps(told), encoding="utf-8")
        (run / f"a-{language}.ipynb").write_bytes((folder / "a.ipynb").read_bytes())
    address = "table 3, row composite, column 3"
    assert find_cell(shelf, address, "zh").folder.name == "1"
    assert find_cell(shelf, address, "en").folder.name == "2"
    (shelf / "2" / "a-en.ipynb").write_text(json.dumps(nbformat.v4.new_notebook()), encoding="utf-8")
    assert find_cell(shelf, address, "en").folder.name == "1"
    with pytest.raises(UsageError, match=r"The run is .*2\."):
        find_cell(shelf, "table 99, row x, y", "en")


def test_columns_with_equal_headers_are_named_by_number(folder):
    cells = [find_cell(folder, f"table 3, row 综合差异系数, column {n}") for n in (4, 7)]
    assert [cell.column for cell in cells] == ["cap_primary", "cap_junior"]


def test_a_folder_without_a_run_is_no_report(tmp_path):
    with pytest.raises(UsageError, match="is no folder of a published report"):
        find_cell(tmp_path, "table 1, row x, y")


def test_a_figure_that_no_column_needs_is_traced_to_its_cell(monkeypatch):
    forms = pd.DataFrame(
        [
            [
                "3133000001",
                2020,
                "基础基312",
                "总计 › 其中：女",
                "招生数 › 合计",
                " 50 ",
                50.0,
                "人",
                "returns/a.xlsx",
                "基础基312",
                "D8",
            ]
        ],
        columns=list(schema.TABLES["form_cells"].columns),
    )
    place = open_district("shangcheng", "2022-12-31")
    monkeypatch.setitem(place.__dict__, "form_cells", schema.conform(forms, "form_cells"))
    rows = origins.select_rows(place, "form_cells", ["3133000001", "2020", "基础基312", "D8"])
    text = str(narrative.origin(place.origin(rows, "value"), "zh"))
    assert "returns/a.xlsx" in text
    assert "D8" in text
    assert place.origin(rows.iloc[0], "value").cells[["sheet", "cell", "raw", "value"]].to_numpy().tolist() == [
        ["基础基312", "D8", " 50 ", 50.0]
    ]
    with pytest.raises(UsageError, match="nothing has D9"):
        origins.select_rows(place, "form_cells", ["D9"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["observations", "myopia_rate", "2023-09-01", "value"], "observations.csv | 第 36 行 | 54.1"),
        (["finance", "education_expenditure_yuan", "2016", "value"], "finance.csv | 第 2 行 | 2036000000"),
        (["projects", "P001", "seats"], "projects.csv | 第 2 行 | 2100"),
        (["births", "东片", "2010", "births"], "births.csv | 第 2 行 | 1805"),
        (["enrolment", "S0001", "K1", "2018", "students"], "enrolment.csv | 第 3 行 | 112"),
        (["milestones", "after_school_services", "2021-12-31", "achieved"], "milestones.csv | 第 2 行 | 100"),
    ],
)
def test_every_processed_table_is_traced_to_file_and_line(words, said, capsys):
    assert cli.main(["trace", "shangcheng", *words]) == 0
    assert said in capsys.readouterr().out

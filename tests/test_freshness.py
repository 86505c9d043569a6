"""Nothing is made twice, and whatever depends on a changed cell is made again: contents decide, and the cutoff."""

import os
import subprocess
import sys

import nbformat
import pytest
from spoil import replace, set_cell

from planlib import cli, freshness, params
from planlib.run import run_report
from planlib.run.report import make_tables_fresh

NAME = "shangcheng"
REPORTS = ("midterm", "endterm")  # of 2023 (known: up to 2022) and of 2025
HEAVY = (
    "pandas",
    "numpy",
    "pyarrow",
    "matplotlib",
    "statsmodels",
    "papermill",
    "nbformat",
    "nbconvert",
    "calamine",
)
GROUPS = "G5"  # 所属教育集团 of the first school in the sheet 基本情况: a text, so no total changes with it


@pytest.fixture
def folder(cleaned_project):
    return cleaned_project / "data" / "raw" / NAME


def stub(project, name):
    """Put a notebook of two short cells in the place of a report's."""
    path = project / "notebooks" / f"{params.NOTEBOOKS[name].file}.ipynb"
    full = nbformat.read(path, as_version=4)
    code = [cell for cell in full.cells if cell.cell_type == "code"][:2]
    code[1].source = f'from planlib import params\n\nparams.check("{name}", globals()).year'
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    full.cells = code
    nbformat.write(full, path)


def made():
    """Ask for both reports and return which of them were made now."""
    return {name for name in REPORTS if run_report(name, {}, report_progress=False).is_new}


def touch_all(root):
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (2_000_000_000, 2_000_000_000))


def test_one_altered_cell_makes_again_exactly_what_depends_on_it(folder, capsys):
    root = folder.parents[2]
    for name in REPORTS:
        stub(root, name)
    assert made() == {"midterm", "endterm"}
    assert made() == set()
    touch_all(root)
    assert made() == set()
    assert not freshness_changed(folder, lambda: touch_all(root))
    set_cell(folder / "returns" / "2024学年_小学.xlsx", 1, GROUPS, "示例第九十九教育集团")
    assert made() == {"endterm"}
    replace(folder / "explanations.yml", "report: endterm\n", "report: endterm  # 重读\n")
    assert made() == set()  # a remark says nothing new
    set_cell(folder / "returns" / "2021学年_小学.xlsx", 1, GROUPS, "示例第九十九教育集团")
    assert made() == {"midterm", "endterm"}
    for name in REPORTS:
        assert cli.main(["report", name, "--quiet"]) == 0
        assert f"{name}: unchanged, nothing to do" in capsys.readouterr().out


def inputs():
    """Return what each report depends on, once the tables are as the raw files say."""
    make_tables_fresh(NAME)
    return {name: freshness.report_inputs(name, params.resolve(name, {})) for name in REPORTS}


def freshness_changed(folder, alter):
    """Alter something and return, by report, the parts of its inputs that are other ones now."""
    before = inputs()
    alter()
    after = inputs()
    parts = {name: {part for part in before[name] if before[name][part] != after[name][part]} for name in REPORTS}
    return {name: changed for name, changed in parts.items() if changed}


def text(file, old, new):
    return lambda folder: replace(folder / file, old, new)


def book(year, sheet=1, where=GROUPS, value="示例第九十九教育集团"):
    return lambda folder: set_cell(folder / "returns" / f"{year}学年_小学.xlsx", sheet, where, value)


def line_of(file, start):
    """Return an alteration of the last figure of the first line that begins so."""

    def alter(folder):
        text = (folder / file).read_text(encoding="utf-8")
        line = next(row for row in text.splitlines() if row.startswith(start))
        head, comma, figure = line.rpartition(",")
        (folder / file).write_text(text.replace(line, f"{head}{comma}{int(figure) + 1}"), encoding="utf-8")

    return alter


BOTH, LATER = {"midterm", "endterm"}, {"endterm"}
ALTERATIONS = {
    "a cell of 2023": (book(2023), "tables", LATER),
    "a cell of 2022": (book(2022), "tables", BOTH),
    "births of 2023": (line_of("births.csv", "东片,2023"), "tables", LATER),
    "accounts of 2022": (
        text("finance.csv", "civil_servant_pay_yuan,2022,", "civil_servant_pay_yuan,2022,1"),
        "tables",
        BOTH,
    ),
    "accounts of 2024": (
        text("finance.csv", "civil_servant_pay_yuan,2024,", "civil_servant_pay_yuan,2024,1"),
        "tables",
        LATER,
    ),
    "a milestone of 2022": (
        text("milestones.csv", "after_school_services,2022-12-31,100", "after_school_services,2022-12-31,99"),
        "tables",
        BOTH,
    ),
    "a milestone of 2024": (
        text("milestones.csv", "after_school_services,2024-12-31,100", "after_school_services,2024-12-31,99"),
        "tables",
        LATER,
    ),
    "what an office reports of the endterm": (
        text("explanations.yml", "report: endterm\n  year: 2025\n", "report: endterm\n  year: 2024\n"),
        "written",
        LATER,
    ),
    "what an office reports of the midterm": (
        text("explanations.yml", "report: midterm\n  year: 2023\n", "report: midterm\n  year: 2024\n"),
        "written",
        BOTH - LATER,
    ),
    "who answers": (text("responsibility.yml", "lead:", "lead: "), "written", BOTH),
    "the plan": (text("plan.yml", "schema_version: 1", "schema_version: 1  # 核对"), "plan", BOTH),
}


@pytest.mark.parametrize("case", ALTERATIONS)
def test_a_report_depends_on_what_it_may_know_and_on_nothing_else(folder, case):
    alter, part, expected = ALTERATIONS[case]
    assert freshness_changed(folder, lambda: alter(folder)) == {name: {part} for name in expected}


def test_a_step_of_a_project_concerns_those_who_may_know_its_day(folder):
    rows = (folder / "projects.csv").read_text(encoding="utf-8").splitlines()
    at = rows[0].split(",").index("opened")
    late = next(row for row in rows[1:] if row.split(",")[at].startswith("2025"))
    soon = next(row for row in rows[1:] if row.split(",")[at].startswith("2021"))
    for row, expected in ((late, LATER), (soon, BOTH)):
        day = row.split(",")[at]
        other = row.replace(f",{day},", f",{day[:-2]}{int(day[-2:]) + 1:02d},", 1)
        changed = freshness_changed(
            folder, lambda row=row, other=other: replace(folder / "projects.csv", row, other)
        )
        assert changed == {name: {"tables"} for name in expected}


def test_a_workbook_written_anew_with_the_same_cells_changes_no_report(folder):
    def rewrite():
        set_cell(folder / "returns" / "2021学年_小学.xlsx", 2, "A5", 1)  # 序号 was 1 already

    path = folder / "returns" / "2021学年_小学.xlsx"
    before = path.read_bytes()
    assert freshness_changed(folder, rewrite) == {}
    assert path.read_bytes() != before


def test_asking_again_imports_nothing_heavy(folder):
    root = folder.parents[2]
    stub(root, "midterm")
    assert run_report("midterm", {}, report_progress=False).is_new
    words = [sys.executable, "-X", "importtime", "-m", "planlib.cli", "report", "midterm", "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=True)
    assert "midterm: unchanged, nothing to do" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "planlib" in imported
    assert not imported & set(HEAVY)
    cleaned = subprocess.run(
        [*words[:5], "clean", NAME], capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert "unchanged, nothing to do" in cleaned.stdout
    assert not {line.rpartition("|")[2].strip().partition(".")[0] for line in cleaned.stderr.splitlines()} & set(
        HEAVY
    )

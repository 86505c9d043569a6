"""What a stranger reads when something is wrong: the command says what, where, what was expected, what to do.

Every case spoils one thing in a copy of the shipped district and calls the command. Nothing half-written may be left.
"""

import hashlib
import json
import shutil

import pytest
from spoil import replace, set_cell

from planlib import cli, schema
from planlib.district import Evaluation, open_district
from planlib.errors import DataError

NAME = "shangcheng"
BOOK = "returns/2021学年_小学.xlsx"
BASICS, STUDENTS = 1, 2  # places of the sheets 基本情况 and 学生


@pytest.fixture
def folder(cleaned_project):
    """The raw folder of a district that is clean and free to be spoiled."""
    return cleaned_project / "data" / "raw" / NAME


def tables_of(folder):
    """Return a digest of every processed file, and the name of the set in use."""
    processed = folder.parents[1] / "processed" / NAME
    files = sorted(processed.iterdir())
    return processed.resolve().name, [(f.name, hashlib.sha256(f.read_bytes()).hexdigest()) for f in files]


def left_in(folder):
    """Return everything below the root but raw files and the cache of workbooks read."""
    root = folder.parents[2]
    return {p.relative_to(root) for p in root.rglob("*") if not {"raw", ".cache"} & set(p.parts)}


def refused(folder, capsys, words, code):
    """Run the command, which must refuse, and return what it wrote on stderr."""
    before, files = tables_of(folder), left_in(folder)
    try:
        found = cli.main(words)
    except SystemExit as error:  # argparse's own way
        found = error.code
    said = capsys.readouterr()
    assert found == code, said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert tables_of(folder) == before, "the tables were touched"
    allowed = (".lock", ".faults.csv")  # the list of faults is there for whoever mends them
    assert all(path.name.endswith(allowed) for path in left_in(folder) - files)
    return said.err


# ---- bad data: exit 1


def cell(sheet, where, value, book=BOOK):
    return lambda folder: set_cell(folder / book, sheet, where, value)


def text(file, old, new, encoding="utf-8"):
    return lambda folder: replace(folder / file, old, new, encoding)


def truncated(folder):
    (folder / BOOK).write_bytes((folder / BOOK).read_bytes()[:2000])


BAD_DATA = {
    "a header is another one": (
        cell(STUDENTS, "E4", "人头数"),
        [
            f"{BOOK}, sheet 学生, cell E4: found 班级与学生情况 › 人头数",
            "expected a column 在校生数 (students, primary)",
            "or add its text to definitions/forms/collection.yml",
        ],
    ),
    "the header of the code is gone": (
        cell(STUDENTS, "B3", "编号"),
        [f"{BOOK}, 2021: found no header of the school's code in sheet 学生; expected a column 在校生数"],
    ),
    "the header of the code is gone where the types stand": (
        cell(BASICS, "B3", "编号"),
        [
            "have 1 fault;",
            f"{BOOK}, sheet 学生, cell B5, 2021: found no header of the school's code in sheet 基本情况; "
            "53 schools have no type, the first is S0107; expected that header in every sheet of schools",
        ],
    ),
    "no year in the title": (
        lambda folder: [set_cell(folder / BOOK, n, "A1", "小学一览表") for n in range(1, 6)],
        [f"{BOOK}, sheet 基本情况: found no school year above the header", "To do: write one school year"],
    ),
    "a workbook is missing": (
        lambda folder: (folder / BOOK).unlink(),
        [
            "have 1 fault;",
            f"{BOOK}: nothing found; expected the file ",
            "as sources.yml says",
            "put them in the folder",
        ],
    ),
    "all workbooks are missing": (
        lambda folder: [shutil.rmtree(folder / "returns"), (folder / "sources.yml").write_text("[]\n")],
        ["returns/: nothing found; expected at least one workbook of returns (.xlsx, .xls, .et or .csv)"],
    ),
    "a CSV is missing": (
        lambda folder: (folder / "finance.csv").unlink(),
        ["have 1 fault;", "finance.csv: nothing found", "a CSV with nothing to report is its header row"],
    ),
    "a workbook is cut off": (
        truncated,
        [
            "have 1 fault;",
            f"{BOOK}: found not a readable .xlsx file",
            "open it in Excel or WPS and save it as .xlsx",
        ],
    ),
    "a workbook is a printed page": (
        lambda folder: (folder / BOOK).write_bytes(b"%PDF-1.7 and so on"),
        [f"{BOOK}: found a PDF document; ask for the workbook it was printed from", "take them out of returns/"],
    ),
    "words where a number belongs": (
        cell(STUDENTS, "E5", "约一千"),
        [
            "have 1 fault;",
            f"{BOOK}, sheet 学生, cell E5, school S0107, 2021: found '约一千'; expected a whole number",
            "To do: correct the cell, or write it down in corrections.yml",
        ],
    ),
    "a number below zero": (
        cell(STUDENTS, "E5", -3),
        ["cell E5, school S0107, 2021: found '-3'; expected a whole number of at least 0"],
    ),
    "a school stands twice": (
        cell(BASICS, "B6", "S0107"),
        [
            f"{BOOK}, sheet 基本情况, cell B6, school S0107, 2021: found S0107 also in {BOOK}, sheet 基本情况, cell B5",
            "expected one row for each school and year",
        ],
    ),
    "an unknown school type": (
        cell(BASICS, "D5", "私塾"),
        ["have 1 fault;", "cell D5, school S0107, 2021: found '私塾'; expected one of 幼儿园, 小学, 初级中学"],
    ),
    "a school without a code": (
        cell(BASICS, "B5", ""),
        [
            "sheet 基本情况, cell A5: found 1、示例朗石小学、小学、公办; expected a school code",
            "fill in the school's code",
        ],
    ),
    "a total that is no sum": (
        cell(STUDENTS, "E5", 1129),
        ["cell E58, 2021: found students 60744; expected 60745, the sum of its rows"],
    ),
    "a CSV lacks a column": (
        text("births.csv", "area,year,births", "area,year"),
        [
            "have 1 fault;",
            "births.csv, line 1: found without births; expected area,year,births",
            "mend the first row",
        ],
    ),
    "a CSV has a column nobody knows": (
        text("births.csv", "area,year,births", "area,year,birth"),
        ["births.csv, line 1: found without births; unknown or twice: birth; expected area,year,births"],
    ),
    "a CSV is UTF-16": (
        text("births.csv", "area", "area", "utf-16"),
        ["births.csv: found text in none of UTF-8, GB18030 and Big5; save it as CSV UTF-8"],
    ),
    "a quote is never closed": (
        text("births.csv", "东片", '"东片'),
        ["births.csv: found line 2: not readable as CSV", "check the quotes"],
    ),
    "words in a CSV where a number belongs": (
        text("births.csv", ",1805", ",many"),
        ["births.csv, line 2: found births is 'many' (area 东片, year 2010); expected a whole number"],
    ),
    "a row stands twice": (
        text("births.csv", "东片,2010,1805", "东片,2010,1805\n东片,2010,1806"),
        ["births.csv, line 3: found the key stands twice (area 东片, year 2010); expected once"],
    ),
    "a day that does not exist": (
        text("milestones.csv", "2021-12-31", "2021-13-31"),
        ["milestones.csv, line 2: found date is '2021-13-31'", "expected a date like 2023-09-01"],
    ),
    "a standing nobody knows": (
        text("finance.csv", "决算", "估算"),
        ["finance.csv, line 2: found status is '估算'", "expected one of 快报, 审定, 决算"],
    ),
    "a correction whose source was mended": (
        text("corrections.yml", "expect: '233'", "expect: '234'"),
        [
            "corrections.yml, line 3: found entry 1",
            "cell G10 now holds '233'; expected '234'; the source was mended?",
        ],
    ),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_exits_1_and_leaves_the_tables(folder, capsys, case):
    spoil, expected = BAD_DATA[case]
    spoil(folder)
    said = refused(folder, capsys, ["clean", NAME, "--language", "en"], 1)
    assert said.startswith(f"planlib clean failed: The raw files of {NAME} have ")
    assert "no table was written" in said
    assert "To do: " in said
    for words in expected:
        assert words in said


def test_a_report_on_bad_data_fails_before_a_kernel_starts(folder, capsys):
    set_cell(folder / BOOK, STUDENTS, "E5", "约一千")
    set_cell(folder / BOOK, STUDENTS, "E6", "约两千")
    before = tables_of(folder)
    assert cli.main(["report", "midterm", "--quiet"]) == 1
    said = capsys.readouterr().err
    assert tables_of(folder) == before
    assert "单元格 E6" in said  # all of them, in the language of whoever asks
    place = f"{BOOK}, sheet 学生, cell E5, school S0107, 2021: found '约一千'; expected a whole number"
    last = said.strip().splitlines()[-1]
    assert last.startswith(
        f"report failed: midterm_evaluation.ipynb, before the first cell: raw files of {NAME}: {place}; and 1 more. To do: "
    )
    record = next((folder.parents[2] / "reports" / "failed").iterdir())
    assert last.endswith(f"; the whole list is {record / 'faults.csv'}")
    manifest = json.loads((record / "run.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "failed"
    assert place in manifest["failure"]["message"]
    assert list(manifest["outputs"]) == ["faults.csv"]
    assert (record / "faults.csv").read_text(encoding="utf-8-sig").count("约") == 2
    assert not list((folder.parents[2] / "reports" / ".staging").iterdir())


def test_a_csv_of_an_old_windows_is_read_and_said_to_be_one(folder, capsys):
    before = schema.read_table(folder.parents[1] / "processed" / NAME / "births.parquet", "births")
    replace(folder / "births.csv", "area", "area", "gb18030")
    assert cli.main(["clean", NAME, "--language", "en"]) == 0
    assert not capsys.readouterr().err
    place = open_district(NAME)
    assert place.tables["births"].equals(before)
    notes = place.issues[place.issues["file"] == "births.csv"]
    assert notes[["level", "found", "expected", "done"]].to_numpy().tolist() == [
        ["note", "text in GB18030", "UTF-8", "read as GB18030"]
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (
            "milestones.csv",
            "after_school_services",
            "after_scool_services",
            "milestones.csv, line 2: unknown commitment_id 'after_scool_services', expected an id of plan.yml: "
            "did you mean 'after_school_services'?",
        ),
        (
            "observations.csv",
            "disabled_entry_preschool",
            "disabled_entry_preschol",
            "observations.csv, line 2: unknown series_id 'disabled_entry_preschol'",
        ),
    ],
)
def test_a_row_about_what_the_plan_does_not_have_is_no_row_to_pass_over(folder, file, old, new, expected):
    replace(folder / file, old, new)
    with pytest.raises(DataError) as error:
        open_district(NAME)
    assert expected in str(error.value)
    assert "To do: mend the id, or add it to plan.yml" in str(error.value)


def test_a_share_above_a_hundred_is_refused(folder):
    replace(folder / "observations.csv", "disabled_entry_preschool,9", "disabled_entry_preschool,19")
    with pytest.raises(DataError) as error:
        open_district(NAME)
    assert "observations.csv, line 3: disabled_entry_preschool is 190, expected 0 to 100" in str(error.value)
    assert "To do: mend the value, or its unit" in str(error.value)


# ---- a wrong call or configuration: exit 2, before a kernel starts

WRITTEN = {
    "a key of the plan": (
        text("plan.yml", "judged:", "jugded:"),
        ["plan.yml, line 139: unknown key 'jugded'", "did you mean 'judged'?"],
    ),
    "a target against its direction": (
        text("plan.yml", 'target: ">95"', 'target: ">90"'),
        ["plan.yml, line ", "the target >90 of a series that is to rise from 94.9", "a target above the baseline"],
    ),
    "a plan that is no YAML": (
        text("plan.yml", "frame:", "frame: ["),
        ["plan.yml: the plan's period cannot be read", "Expected: period: {", f"planlib check {NAME}"],
    ),
    "a subject the plan does not have": (
        text("explanations.yml", "subject: balance_primary", "subject: balance_primry"),
        [
            "explanations.yml, line 3: unknown subject 'balance_primry', expected an id of a series or a commitment "
            "of plan.yml: did you mean 'balance_primary'?"
        ],
    ),
    "a key of an explanation": (
        text("explanations.yml", "cause:", "couse:"),
        ["explanations.yml, line 1: entry 1 has no cause", "line 4: unknown key 'couse'", "did you mean 'cause'?"],
    ),
    "a report nobody makes": (
        text("explanations.yml", "report: midterm", "report: mid-term"),
        ["explanations.yml, line 1: unknown report 'mid-term', expected one of midterm, endterm"],
    ),
    "a deadline that is no date": (
        text("explanations.yml", "deadline: '2024-08-31'", "deadline: soon"),
        ["explanations.yml, line 6: deadline is 'soon', expected a date such as 2025-12-31"],
    ),
    "explanations that are no list": (
        lambda folder: (folder / "explanations.yml").write_text("a: 1\n", encoding="utf-8"),
        [
            "explanations.yml, line 1: the top of the file, expected a list of entries: begin each with `- report: …`"
        ],
    ),
    "explanations that are only words": (
        lambda folder: (folder / "explanations.yml").write_text("- 尚无\n", encoding="utf-8"),
        ["explanations.yml, line 1: '尚无', expected keys with values"],
    ),
    "an office for a series there is not": (
        text("responsibility.yml", "balance_primary:", "balance_prim:"),
        ["responsibility.yml, line ", "unknown 'balance_prim' in series", "did you mean 'balance_primary'?"],
    ),
    "a source that is neither synthetic nor not": (
        text("sources.yml", "synthetic: true", "synthetic: ja"),
        ["sources.yml, line 5: synthetic is 'ja', expected true or false"],
    ),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_a_typing_error_in_what_people_write_exits_2_before_a_kernel_starts(folder, capsys, case):
    spoil, expected = WRITTEN[case]
    spoil(folder)
    said = refused(folder, capsys, ["report", "midterm", "--quiet"], 2)
    last = said.strip().splitlines()[-1]
    assert last.startswith("report failed: ")
    assert " To do: " in last
    for words in expected:
        assert words in said
    assert not (folder.parents[2] / "reports").exists()
    assert cli.main(["check", NAME]) == 2  # and it can be asked for without a report


@pytest.mark.parametrize("is_plan_right", [True, False])
def test_the_faults_of_all_files_come_at_once(folder, capsys, is_plan_right):
    for file, old, new in (
        ("explanations.yml", "cause_kind: 客观", "cause_kind: 都有"),
        ("responsibility.yml", "lead:", "laed:"),
        ("sources.yml", "synthetic: true", "synthetic: ja"),
        *(() if is_plan_right else (("plan.yml", "judged:", "jugded:"),)),
    ):
        replace(folder / file, old, new)
    said = refused(folder, capsys, ["check", NAME], 2)
    assert ("unknown key 'jugded'" in said) != is_plan_right
    for words in (
        "unknown cause_kind '都有', expected one of 主观, 客观",
        "responsibility.yml, line ",
        "unknown key 'laed'",
        "sources.yml, line 5: synthetic is 'ja', expected true or false",
    ):
        assert words in said


def test_an_explanation_file_of_remarks_only_is_no_fault(folder, capsys):
    (folder / "explanations.yml").write_text("# 尚无说明\n\n", encoding="utf-8")
    assert cli.main(["check", NAME]) == 0
    assert "no fault found" in capsys.readouterr().out
    assert Evaluation(open_district(NAME), "midterm", 2023).explanations.empty


def test_a_typing_error_in_corrections_exits_2(folder, capsys):
    replace(folder / "corrections.yml", "action: override", "acton: override")
    said = refused(folder, capsys, ["clean", NAME], 2)
    assert "corrections.yml, line 3: unknown key acton, expected one of action, date" in said


CALLS = {
    "an unknown district": (
        ["report", "midterm", "--district", "shangchen"],
        ["Unknown district 'shangchen'", "Known districts: shangcheng", "check the spelling"],
    ),
    "a district that leads out of the folder": (["clean", "../shangcheng"], ["Unknown district '../shangcheng'"]),
    "a year the plan does not have": (
        ["report", "midterm", "--year", "2035"],
        [
            "year: found 2035; expected 2022 to 2024 for this report under this plan",
            "planlib report midterm --help",
        ],
    ),
    "a year in words": (["report", "midterm", "--year", "next"], ["found 'next', expected a year such as 2023"]),
    "a cutoff that is no day": (
        ["report", "midterm", "--cutoff", "2022-13-01"],
        ["cutoff: found '2022-13-01'; expected a date such as 2022-12-31"],
    ),
    "a language nobody wrote": (
        ["report", "midterm", "--language", "fr"],
        ["language: found 'fr'; expected zh or en"],
    ),
    "a report nobody makes": (["report", "quarterly"], ["Unknown report 'quarterly'. Known: midterm, endterm"]),
    "a parameter with a typing error": (
        ["report", "midterm", "--yaer", "2023"],
        ["Unknown --yaer 2023: did you mean '--year'?", "To do: planlib report --help"],
    ),
    "a word too many": (["clean", NAME, "now"], ["Unknown now", "To do: planlib clean --help"]),
    "a command nobody knows": (["rebort", "midterm"], ["invalid choice: 'rebort'", "'report'"]),
    "several at once": (
        ["report", "midterm", "--year", "2035", "--cutoff", "soon", "--language", "fr"],
        ["wrong parameters for midterm (3):", "year: ", "cutoff: ", "language: "],
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_a_wrong_call_exits_2(folder, capsys, case):
    words, expected = CALLS[case]
    said = refused(folder, capsys, words, 2)
    for part in expected:
        assert part in said
    assert not (folder.parents[2] / "reports").exists()

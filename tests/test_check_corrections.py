"""`planlib check` holds corrections.yml to its sources, in the words of `planlib clean`."""

import json
import shutil

import pytest
from returns_builder import columns_of, district, grid, school, workbook

from planlib import cli, paths

NAME = "testdistrict"
BOOK = "returns/2020学年_小学.xlsx"
AT = {"file": BOOK, "sheet": "基本情况", "cell": "A5"}
LINE = {"file": "births.csv", "line": 2, "column": "births"}
WRONG = [
    {"where": AT, "action": "drop", "expect": "S0009"},
    {"where": {**AT, "cell": "ZZ9"}, "action": "drop", "expect": "1"},
    {"where": {**AT, "file": "returns/x.xlsx"}, "action": "drop", "expect": "1"},
    {"where": LINE, "action": "override", "value": 7, "expect": 6},
    {"where": {**LINE, "line": 9}, "action": "drop", "expect": 5},
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    made = district(tmp_path, NAME)
    shutil.copy(paths.PACKAGE.parents[1] / "data" / "raw" / "shangcheng" / "plan.yml", made)
    (made / BOOK).write_bytes(workbook({"基本情况": grid([school()], columns_of("primary"))}))
    (made / "births.csv").write_text("area,year,births\n东片,2020,5\n", encoding="utf-8")
    return made


def correct(folder, *entries):
    base = {"what": "test", "reason": "typed wrongly", "who": "A"}
    content = {"schema_version": 1, "corrections": [{**base, **entry} for entry in entries]}
    (folder / "corrections.yml").write_text(json.dumps(content, indent=1), encoding="utf-8")


def said(capsys, command, code):
    assert cli.main([command, NAME, *(["--language", "en"] if command == "clean" else [])]) == code
    return capsys.readouterr()


@pytest.mark.parametrize("wrong", [[one] for one in WRONG] + [WRONG])
def test_check_says_of_corrections_what_clean_says(folder, capsys, wrong):
    correct(folder, *wrong)
    told = [line for line in said(capsys, "check", 2).err.splitlines() if "corrections.yml, line" in line]
    cleaned = [line for line in said(capsys, "clean", 1).err.splitlines() if "corrections.yml, line" in line]
    assert len(told) == len(wrong)
    assert sorted(line.strip() for line in told) == sorted(line.strip() for line in cleaned)


def test_all_faults_come_at_once_with_those_of_the_plan(folder, capsys):
    correct(folder, WRONG[3])
    (folder / "plan.yml").write_text("schema_version: 1\n", encoding="utf-8")
    text = said(capsys, "check", 2).err
    assert "the file has no name" in text
    assert "births.csv, line 2, column births now holds '5'; expected 6; the source was mended?" in text
    assert "To do: take the entry out of corrections.yml if the source was mended, else mend the entry" in text
    (folder / "corrections.yml").write_text("corrections:\n- {what: a, action: remove}\n", encoding="utf-8")
    text = said(capsys, "check", 2).err
    assert "the file has no name" in text
    assert "corrections.yml, line 2: action remove" in text


def test_what_fits_is_counted_and_what_only_cleaning_can_try_is_said(folder, capsys):
    assert "corrections.yml" not in said(capsys, "check", 0).out
    where = {"school_id": "S0001", "year": 2020, "column": "students"}
    fits = [{"where": AT, "action": "flag"}, {"where": LINE, "action": "override", "value": 7, "expect": 5}]
    correct(folder, *fits, {"where": where, "action": "override", "value": 310, "expect": 300})
    text = said(capsys, "check", 0).out
    assert "corrections.yml: 2 of 3 corrections held to their sources; no fault found; the 1 of schools" in text
    said(capsys, "clean", 0)
    assert (
        "corrections.yml: 3 of 3 corrections held to their sources; no fault found\n"
        in said(capsys, "check", 0).out
    )


def test_a_workbook_that_cannot_be_read_is_left_to_cleaning(folder, capsys):
    (folder / BOOK).write_bytes(b"\xd0\xcf\x11\xe0 nothing")
    correct(folder, WRONG[0], WRONG[3])
    text = said(capsys, "check", 2).err
    assert "births.csv, line 2, column births now holds '5'" in text
    assert "S0009" not in text

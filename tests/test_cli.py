"""The command line as a stranger meets it."""

import pytest

from planlib import __version__, cli


@pytest.mark.parametrize("words", [["--help"], ["report", "--help"], ["--version"]])
def test_help_and_version_come_out(words, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 0
    assert "planlib" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.strip() == f"planlib {__version__}"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["reprot"],
        ["report"],
        ["report", "midterm", "--yaer", "2023"],
        ["report", "midterm", "--year", "２０２３"],
    ],
)
def test_a_wrong_call_exits_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        raise SystemExit(cli.main(words))  # argparse exits by itself; what planlib refuses comes back as a code
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert any(words in said for words in ("usage: planlib", "did you mean '--year'?", "No report is named"))


def test_no_option_of_another_command_is_meant(capsys):
    assert cli.main(["clean", "shangcheng", "--distrct", "x"]) == 2
    assert "no such parameter" in capsys.readouterr().err


def test_check_counts_what_the_plan_holds(capsys):
    assert cli.main(["check", "shangcheng"]) == 0
    assert "indicators 20, series 24" in capsys.readouterr().out


def test_clean_says_when_there_is_nothing_to_do(capsys):
    cli.main(["clean", "shangcheng"])
    capsys.readouterr()
    assert cli.main(["clean", "shangcheng"]) == 0
    assert "unchanged, nothing to do" in capsys.readouterr().out


def test_trace_prints_the_birthplace(capsys):
    assert cli.main(["trace", "shangcheng", "schools", "2022", "S0124", "equipment_value_yuan"]) == 0
    shown = capsys.readouterr().out
    assert "returns/2022" in shown
    assert "× 10000" in shown


def test_trace_of_nothing_says_what_there_is(capsys):
    assert cli.main(["trace", "shangcheng", "schools", "2022", "S9999", "students"]) == 2
    assert "nothing has S9999.\nThere is: school_id S0001, S0002" in capsys.readouterr().err
    assert cli.main(["trace", "shangcheng", "pupils", "2022", "S0124", "students"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_sample_does_not_write_over_anything(tmp_path, capsys):
    (tmp_path / "mine").write_text("mine")
    assert cli.main(["sample", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report", "--run", "FOLDER"], "FOLDER cannot be read (Is a directory). To do: name a file"),
        (["batch", "FOLDER"], "FOLDER cannot be read (Is a directory).\nTo do: name a file"),
        (["sample", "FILE"], "FILE is a file. To do: name a new folder"),
        (
            ["trace", "shangcheng", "schools", "2022", "S0012", "classes", "--csv", "FOLDER/no/x.csv"],
            "no folder FOLDER/no",
        ),
        (
            ["trace", "shangcheng", "schools", "2022", "S0012", "classes", "--csv", "FOLDER"],
            "FOLDER: Is a directory.\nTo do",
        ),
    ],
)
def test_a_name_that_is_none_ends_in_a_message(tmp_path, capsys, words, said):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    names = {"FOLDER": str(tmp_path), "FILE": str(tmp_path / "file")}
    for name, path in names.items():
        words, said = [word.replace(name, path) for word in words], said.replace(name, path)
    assert cli.main(words) in (1, 2)
    assert said in capsys.readouterr().err


def test_the_language_of_what_is_said_of_data_is_chosen_once(monkeypatch, capsys):
    words = ["trace", "shangcheng", "schools", "2022", "S0124", "equipment_value_yuan"]
    monkeypatch.setenv("PLANLIB_LANGUAGE", "en")
    assert cli.main(words) == 0
    assert "Where" in capsys.readouterr().out
    assert cli.main([*words, "--language", "zh"]) == 0
    assert "的出处" in capsys.readouterr().out
    monkeypatch.setenv("PLANLIB_LANGUAGE", "fr")
    assert cli.main(words) == 2
    assert "PLANLIB_LANGUAGE: found 'fr'; expected zh or en" in capsys.readouterr().err


def test_the_help_of_a_report_says_every_default(capsys):
    with pytest.raises(SystemExit):
        cli.main(["report", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "annual 2022",
        "default shangcheng",
        "default 31 December",
        "default zh",
        "default all",
        "-missing.xlsx",
    ):
        assert words in said

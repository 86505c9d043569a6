"""Run files and batch files: everything wrong is said at once, with its line, before anything is executed."""

import json
import sys
import time

import pytest

from planlib import cli, params
from planlib.errors import UsageError
from planlib.run import Limits
from planlib.run.request import MOST_RUNS, Request, check_notebook, read_batch, read_run


def written(folder, text):
    path = folder / "runs.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_run_file_is_read_as_it_is_written(tmp_path):
    path = written(
        tmp_path,
        "report: midterm\nyear: 2023\ncutoff: 2022-12-31\nlanguage: en\ncell_seconds: 60\nmemory_mb: 4000\nformats: html\n",
    )
    wanted = params.resolve("midterm", {"year": 2023, "cutoff": "2022-12-31", "language": "en"})
    limits = Limits(cell_seconds=60, memory_mb=4000)
    assert read_run(path) == Request("midterm", wanted, ("html",), limits)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("report: midterm\nyaer: 2023\n", ["line 2", "'yaer'", "did you mean 'year'?"]),
        ("year: 2023\n", ["no report is named", "report: midterm or endterm"]),
        ("report: midterm\nyear: '2023'\n", ["year: found '2023' (str); expected a whole number"]),
        ("report: midterm\ndistrict: 310101\n", ["district: found 310101 (int); expected text (in quotes"]),
        ("report: midterm\nyear: [2023]\n", ["line 2", "year is [2023]", "a text or a whole number"]),
        ("report: midterm\nyear: true\n", ["year is True"]),
        ("report: midterm\nyear: 2035\n", ["year: found 2035; expected 2022 to 2024"]),
        (
            "report: midterm\ndistrict: ../../etc\n",
            ["Unknown district '../../etc'", "Known districts: shangcheng"],
        ),
        ("report: midterm\ndistrict: /etc\n", ["Unknown district '/etc'"]),
        ("report: ../midterm\n", ["report: found '../midterm'; expected one of midterm, endterm"]),
        ("report: midterm\nformats: html,odt\n", ["formats: found odt"]),
        ("report: midterm\ncell_seconds: 0\n", ["cell_seconds is 0", "a whole number of 1 or more"]),
        ("report: midterm\nreport: endterm\n", ["line 2", "stands here a second time"]),
        ("report: midterm\nruns: []\n", ["lists several runs", "planlib batch"]),
        ("report: !!python/object/apply:os.system [id]\n", ["report is"]),
        ("report: [midterm\n", ["this is not YAML that can be read"]),
        ("- midterm\n", ["an entry such as report: midterm"]),
    ],
)
def test_a_wrong_run_file_exits_2_before_anything_is_executed(cleaned_project, text, said, capsys):
    assert cli.main(["report", "--run", str(written(cleaned_project, text))]) == 2
    err = capsys.readouterr().err
    for part in said:
        assert part in err
    assert "Traceback" not in err
    assert "To do" in err
    assert not (cleaned_project / "reports").exists()


def test_several_faults_come_in_one_message(tmp_path):
    with pytest.raises(UsageError) as caught:
        read_run(written(tmp_path, "report: midterm\nyaer: 2023\nlangauge: zh\nrun_seconds: soon\n"))
    assert all(word in str(caught.value) for word in ("(3):", "yaer", "langauge", "run_seconds is 'soon'"))


def test_faults_of_writing_and_wrong_values_come_together(cleaned_project):
    text = "report: mid-term\nyaer: 2023\nyear: 2035\nlanguage: fr\ncutoff: soon\nformats: 5\ncell_seconds: 0\n"
    with pytest.raises(UsageError) as caught:
        read_run(written(cleaned_project, text))
    for words in ("(6):", "'yaer'", "cell_seconds is 0", "report: found 'mid-term'", "language: found 'fr'",
                  "cutoff: found 'soon'", "formats: found 5"):  # fmt: skip
        assert words in str(caught.value)
    text = "run_seconds: soon\nruns:\n- {report: midterm, year: [2022, 2035], district: nowhere, colour: red}\n- midterm\n"
    text += "- {report: [midterm, half], year: x}\nmax_runs: true\n"
    with pytest.raises(UsageError) as caught:
        read_batch(written(cleaned_project, text))
    for words in ("run_seconds is 'soon'", "'colour' is not known", "line 4: found 'midterm'", "max_runs is True",
                  "year: found 'x' (str)", "report: found 'half'", "Unknown district 'nowhere'"):  # fmt: skip
        assert words in str(caught.value)


def test_a_missing_run_file_and_two_ways_of_naming_a_report(tmp_path, capsys):
    assert cli.main(["report", "--run", str(tmp_path / "no.yml")]) == 2
    said = capsys.readouterr().err
    assert "no.yml is missing. To do: put the file there" in said
    assert said.count("no.yml") == 1
    assert cli.main(["report", "--run", str(written(tmp_path, ""))]) == 2
    assert capsys.readouterr().err.endswith(" is empty. To do: fill it in.\n")
    assert cli.main(["report", "midterm", "endterm"]) == 2
    assert "Unknown endterm: one word too many" in capsys.readouterr().err
    assert cli.main(["report", "midterm", "--run", "a.yml", "--year", "2023"]) == 2
    assert "--run and REPORT, year together" in capsys.readouterr().err
    assert cli.main(["report"]) == 2
    assert "No report is named" in capsys.readouterr().err


def test_the_lists_of_an_entry_multiply(tmp_path):
    asked = read_batch(
        written(
            tmp_path,
            "run_seconds: 900\nruns:\n"
            "- {report: midterm, year: [2022, 2023], language: [zh, en]}\n"
            '- {report: endterm, district: "*"}\n',
        )
    )
    assert [request.stem for request in asked] == [
        "midterm-shangcheng-2022-zh",
        "midterm-shangcheng-2022-en",
        "midterm-shangcheng-2023-zh",
        "midterm-shangcheng-2023-en",
        "endterm-shangcheng-2025-zh",
    ]
    assert {request.limits for request in asked} == {Limits(run_seconds=900)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("runs: []\n", ["there is no list of runs"]),
        ("run:\n- report: midterm\n", ["did you mean 'runs'?"]),
        (
            "runs:\n- report: midterm\n- {report: midterm, language: [en, zh]}\n",
            ["line 3", "for a second time", "line 2"],
        ),
        ("runs:\n- {report: [midterm, endterm], year: 2023}\n", ["line 2: year: found 2023; expected 2025"]),
        ("runs:\n- {report: midterm, cell_seconds: 3}\n", ["'cell_seconds' is not known"]),
        ("runs:\n- {report: midterm, year: [2022, 2023.5]}\n", ["year is [2022, 2023.5]"]),
        ("runs:\n- midterm\n", ["found 'midterm'"]),
        (
            "max_runs: 1\nruns:\n- {report: midterm, language: [zh, en]}\n",
            ["asks for 2 runs, expected at most 1", "max_runs: 2"],
        ),
    ],
)
def test_a_wrong_batch_file_is_refused(tmp_path, text, said):
    with pytest.raises(UsageError) as caught:
        read_batch(written(tmp_path, text))
    for part in said:
        assert part in str(caught.value)


def test_ten_thousand_runs_are_refused_or_checked_quickly(tmp_path):
    years = ", ".join(["2023"] * 100)
    text = f"runs:\n- {{report: midterm, year: [{years}], cutoff: [{', '.join(['2022-12-31'] * 100)}]}}\n"
    with pytest.raises(UsageError, match=f"10000 runs, expected at most {MOST_RUNS}(.|\n)*max_runs: 10000"):
        read_batch(written(tmp_path, text))
    begun = time.process_time()
    with pytest.raises(UsageError, match="for a second time"):
        read_batch(written(tmp_path, "max_runs: 10000\n" + text))
    assert time.process_time() - begun < 60  # seconds of processor, not of the wall


def test_a_fault_in_a_run_file_waits_for_no_heavy_import(tmp_path):
    import subprocess

    path = written(tmp_path, "report: midterm\nyaer: 2023\n")
    code = (
        f"import sys; from planlib import cli; code = cli.main(['report', '--run', {str(path)!r}]); "
        "print(code, [m for m in ('pandas', 'numpy', 'matplotlib', 'papermill', 'nbformat') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2 []"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda cell: cell["metadata"].update(tags=[]), "has no cell tagged 'parameters'"),
        (lambda cell: cell.update(source="year: int = 2023\n"), "district: not declared in the cell"),
        (
            lambda cell: cell["source"].append("\npace = 3"),
            "pace: declared in the cell, but planlib does not know it",
        ),
        (
            lambda cell: cell["source"].append('\nyear = "2023"'),
            "year: the cell holds '2023'; expected int, such as 2023",
        ),
        (lambda cell: cell["source"].append("\nlast = year + 2"), "more than lines of the form name = literal"),
        (lambda cell: cell["source"].append("\nimport os"), "more than lines of the form name = literal"),
    ],
)
def test_a_notebook_whose_parameters_are_not_the_declared_ones(cleaned_project, change, said, capsys):
    path = cleaned_project / "notebooks" / "midterm_evaluation.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    change(next(c for c in notebook["cells"] if "parameters" in c["metadata"].get("tags", [])))
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert cli.main(["report", "midterm", "--quiet"]) == 2
    assert said in capsys.readouterr().err
    assert not (cleaned_project / "reports").exists()
    path.write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read as a notebook"):
        check_notebook("midterm")


@pytest.mark.parametrize("name", list(params.NOTEBOOKS))
def test_every_committed_notebook_passes(name):
    check_notebook(name)


def test_a_year_of_which_no_table_holds_a_row(cleaned_project, capsys):
    digests = cleaned_project / "data" / "processed" / "shangcheng" / "digests.json"
    known = json.loads(digests.read_text(encoding="utf-8"))
    known["tables"] = {"schools": {"2021-09-01": "a"}, "projects": {"all": "b"}}
    digests.write_text(json.dumps(known), encoding="utf-8")
    assert cli.main(["report", "midterm", "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "rests on data up to 2022-12-31, but the latest data of shangcheng are of 2021-09-01" in said
    assert "give an earlier cutoff" in said
    assert not (cleaned_project / "reports" / "shangcheng").exists()
    assert not (cleaned_project / "reports" / "failed").exists()


def test_a_wrong_value_of_a_batch_is_named_with_its_own_line(tmp_path):
    path = tmp_path / "runs.yml"
    path.write_text(
        "runs:\n  - report: midterm\n    year: [2022, 2031]\n    language: [zh, fr]\n  - report: annual\n    year: 2040\n"
    )
    with pytest.raises(UsageError) as refused:
        read_batch(path)
    for words in ("line 3: year: found 2031", "line 4: language: found 'fr'", "line 6: year: found 2040"):
        assert words in str(refused.value)

"""The runner refuses what papermill lets through, and never leaves half a report."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from planlib import cli, params, store
from planlib.errors import KernelError, ReportError, UsageError
from planlib.run import run_report
from planlib.run.page import body, in_language, render


def notebook_of(project, *cells, tags=()):
    """Put a small notebook in the place of the mid-term's: its first two cells, then these.

    The first of these is cell 4 of the executed notebook: papermill's injected cell counts, as people see it there.
    """
    path = project / "notebooks" / "midterm_evaluation.ipynb"
    full = nbformat.read(path, as_version=4)
    code = [c for c in full.cells if c.cell_type == "code"][:2]
    code[1].source = 'from planlib import params\n\nparameters = params.check("midterm", globals())'
    made = [nbformat.v4.new_markdown_cell("## 载入数据"), *(nbformat.v4.new_code_cell(c) for c in cells)]
    for cell in made[1:]:
        cell.metadata["tags"] = list(tags)
    full.cells = [*code, *made]
    for cell in full.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(full, path)
    return path


def left_in(project):
    """Return what the run left: reports published, runs failed, anything in staging."""
    reports = project / "reports"
    published = list((reports / "shangcheng").glob("*/*/run.json"))
    return published, list((reports / "failed").glob("*/run.json")), list((reports / ".staging").glob("*"))


@pytest.mark.parametrize(
    ("cell", "error", "said"),
    [
        ("1 / 0", ReportError, 'cell 4 "载入数据": ZeroDivisionError: division by zero'),
        ("import sys\nsys.exit(0)", ReportError, 'cell 4 "载入数据"'),
        ("import sys\nprint('careful', file=sys.stderr)", ReportError, "wrote to stderr: careful"),
        ("import os\nos._exit(1)", KernelError, 'cell 4 "载入数据": the kernel died'),
        ("from planlib.errors import DataError\nraise DataError('no sheet')", ReportError, "no sheet"),
    ],
    ids=["error", "exit", "stderr", "death", "own"],
)
def test_a_run_that_only_looks_finished_is_refused(project, cell, error, said):
    notebook_of(project, cell, "'next'")
    with pytest.raises(error) as caught:
        run_report("midterm", {}, report_progress=False)
    assert said in str(caught.value)
    published, failed, staging = left_in(project)
    assert not published
    assert not staging
    manifest = json.loads(failed[0].read_text(encoding="utf-8"))
    assert manifest["status"] == ("kernel_died" if error is KernelError else "failed")
    assert said in manifest["failure"]["message"]
    assert list(failed[0].parent.glob("*.ipynb"))


def test_a_declared_output_that_is_missing_is_refused(project):
    notebook_of(project, "None", tags=["figure"])
    with pytest.raises(ReportError, match="declares a figure, but its output has none"):
        run_report("midterm", {}, report_progress=False)


def test_a_report_is_published_once_and_found_again(project, capsys):
    notebook_of(project, "parameters.language")
    first = run_report("midterm", {}, report_progress=False)
    assert first.is_new
    assert first.page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    manifest = json.loads((first.folder / "run.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "ok"
    assert manifest["schema_version"] == 1
    assert manifest["parameters"] == params.resolve("midterm", {}).as_injected()
    assert manifest["outputs"][first.page.name] == store.sha256(first.page)
    again = run_report("midterm", {}, report_progress=False)
    assert again.folder == first.folder
    assert not again.is_new
    first.page.write_text("spoiled", encoding="utf-8")  # a report somebody altered is made anew, beside it
    third = run_report("midterm", {}, report_progress=False)
    assert third.is_new
    assert third.folder != first.folder
    assert cli.main(["report", "midterm", "--quiet"]) == 0
    assert "unchanged, nothing to do" in capsys.readouterr().out


def test_a_good_report_stays_when_a_later_run_fails(project):
    notebook_of(project, "'good'")
    good = run_report("midterm", {}, report_progress=False)
    notebook_of(project, "1 / 0")
    with pytest.raises(ReportError):
        run_report("midterm", {}, report_progress=False)
    assert good.page.exists()
    latest = store.read_json(good.folder.parent / "latest.json")
    assert latest["zh"]["run_id"] == good.folder.name


def test_the_last_line_tells_a_scheduler_what_to_do(project, capsys):
    notebook_of(project, "1 / 0")
    assert cli.main(["report", "midterm", "--quiet"]) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith('report failed: midterm_evaluation.ipynb, cell 4 "载入数据": ZeroDivisionError')


@pytest.mark.parametrize(
    "words",
    [
        ["report", "midterm", "--district", "nowhere"],
        ["report", "midterm", "--year", "2035"],
        ["report", "midterm", "--language", "fr"],
        ["report", "quarterly"],
        ["clean", "nowhere"],
    ],
)
def test_a_wrong_call_exits_2_before_a_kernel_starts(project, words, capsys):
    assert cli.main(words) == 2
    assert not (project / "reports").exists()
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "xpected" in said or "Known" in said


def test_a_typo_in_the_plan_exits_2_with_its_line(project, capsys):
    plan = project / "data" / "raw" / "shangcheng" / "plan.yml"
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text.replace("judged:", "jugded:", 1), encoding="utf-8")
    assert cli.main(["report", "midterm", "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "plan.yml, line" in said
    assert "judged" in said
    assert not (project / "reports" / "shangcheng").exists()


def test_plain_papermill_refuses_an_unknown_parameter(project, tmp_path):
    source = project / "notebooks" / "midterm_evaluation.ipynb"
    target = tmp_path / "out.ipynb"
    done = subprocess.run(
        [sys.executable, "-m", "papermill", str(source), str(target), "-p", "yaer", "2023", "-k", "python3"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode != 0
    assert "did you mean 'year'" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_runner_leaves_no_half_report(project):
    notebook_of(project, "import time\ntime.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, "-m", "planlib.cli", "report", "midterm", "--quiet"], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not list((project / "reports" / ".staging").glob("*/*.ipynb")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    published, _, _ = left_in(project)
    assert not published
    notebook_of(project, "'good'")
    assert run_report("midterm", {}, report_progress=False).is_new


def test_two_halves_of_a_cell():
    text = "<!-- zh -->\n## 概况\n\n看。\n\n<!-- en -->\n## Overview"
    assert in_language(text, "zh") == "## 概况\n\n看。"
    assert in_language("plain", "en") == "plain"


def test_the_page_stands_alone(project):
    notebook = nbformat.v4.new_notebook()
    output = nbformat.v4.new_output(
        "display_data",
        data={"image/png": "iVBORw0KGgo=", "text/plain": "a"},
        metadata={"image/png": {"alt": "the finding"}},
    )
    notebook.cells = [
        nbformat.v4.new_markdown_cell("<!-- zh -->\n## 一、概况\n\n<!-- en -->\n## 1 Overview"),
        nbformat.v4.new_code_cell("secret = 1", outputs=[output], execution_count=1),
    ]
    page = render(body(notebook, "en"), "en", True)
    assert 'lang="en"' in page
    assert "1 Overview" in page
    assert "概况" not in page
    assert 'alt="the finding"' in page
    assert "secret" not in page
    assert "<script" not in page
    assert not [part for part in ('src="http', 'href="http', "url(") if part in page]
    assert "imulated" in page
    assert '<a href="#s1">' in page


def test_unreadable_root_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    with pytest.raises(UsageError, match="PLANLIB_ROOT"):
        run_report("midterm", {})
    shutil.rmtree(tmp_path)

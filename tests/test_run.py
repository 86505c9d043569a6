"""The runner refuses what papermill lets through, and never leaves half a report."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from planlib import cli, params, store
from planlib.errors import KernelError, ReportError, UsageError
from planlib.run import Limits, run_report
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
def test_a_run_that_only_looks_finished_is_refused(cleaned_project, cell, error, said):
    notebook_of(cleaned_project, cell, "'next'")
    with pytest.raises(error) as caught:
        run_report("midterm", {}, report_progress=False)
    assert said in str(caught.value)
    published, failed, staging = left_in(cleaned_project)
    assert not published
    assert not staging
    manifest = json.loads(failed[0].read_text(encoding="utf-8"))
    assert manifest["status"] == ("kernel_died" if error is KernelError else "failed")
    assert said in manifest["failure"]["message"]
    assert list(failed[0].parent.glob("*.ipynb"))


def test_a_declared_output_that_is_missing_is_refused(cleaned_project):
    notebook_of(cleaned_project, "None", tags=["figure"])
    with pytest.raises(ReportError, match="declares a figure, but its output has none"):
        run_report("midterm", {}, report_progress=False)


def test_a_report_is_published_once_and_found_again(cleaned_project, capsys):
    notebook_of(cleaned_project, "parameters.language")
    first = run_report("midterm", {}, report_progress=False)
    assert first.is_new
    assert first.page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    manifest = json.loads((first.folder / "run.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "ok"
    assert manifest["schema_version"] == 2
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


def test_a_good_report_stays_when_a_later_run_fails(cleaned_project):
    notebook_of(cleaned_project, "'good'")
    good = run_report("midterm", {}, report_progress=False)
    notebook_of(cleaned_project, "1 / 0")
    with pytest.raises(ReportError):
        run_report("midterm", {}, report_progress=False)
    assert good.page.exists()
    latest = store.read_json(good.folder.parent / "latest.json")
    assert latest["zh"]["run_id"] == good.folder.name


def test_the_last_line_tells_a_scheduler_what_to_do(cleaned_project, capsys):
    notebook_of(cleaned_project, "1 / 0")
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


def test_a_typo_in_the_plan_exits_2_with_its_line(cleaned_project, capsys):
    plan = cleaned_project / "data" / "raw" / "shangcheng" / "plan.yml"
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text.replace("judged:", "jugded:", 1), encoding="utf-8")
    assert cli.main(["report", "midterm", "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "plan.yml, line" in said
    assert "judged" in said
    assert not (cleaned_project / "reports" / "shangcheng").exists()


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


SLEEPER = "import time\ntime.sleep(60)"


def started(*more):
    """Start the command, and return it once its kernel is at work."""
    words = [sys.executable, "-m", "planlib.cli", "report", "midterm", "--quiet", *more]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_kernel(project):
    """Wait until the sleeping cell runs: the kernel has written its first bytes beside the connection file."""
    deadline = time.monotonic() + 120
    while not kernels_of(project) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    assert kernels_of(project)


def kernels_of(project):
    """Return the process ids of kernels whose connection file lies in this project."""
    done = subprocess.run(["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in done.stdout.splitlines() if "ipykernel" in line and str(project) in line]


def no_kernel_left(project):
    deadline = time.monotonic() + 20  # an orphaned kernel looks for its parent once a second
    while kernels_of(project) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not kernels_of(project)


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(
    ("number", "code", "by"), [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "Ctrl-C")]
)
def test_a_stopped_run_leaves_nothing_but_a_clear_line(cleaned_project, number, code, by):
    notebook_of(cleaned_project, SLEEPER)
    process = started()
    wait_for_kernel(cleaned_project)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    last = said.strip().splitlines()[-1]
    assert last.startswith("report failed: midterm_evaluation.ipynb, cell ")
    assert last.endswith(f"stopped by {by}; nothing was published. To do: run it again.")
    assert "Traceback" not in said
    published, failed, staging = left_in(cleaned_project)
    assert (len(published), len(failed), staging) == (0, 1, [])
    assert json.loads(failed[0].read_text(encoding="utf-8"))["status"] == "interrupted"
    assert no_kernel_left(cleaned_project)


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(cell_seconds=1), 'cell 4 "载入数据": ran longer than 1 s'),
        (Limits(run_seconds=4), "the whole run took longer than 4 s"),
    ],
    ids=["cell", "run"],
)
def test_a_run_that_hangs_is_stopped(cleaned_project, limits, said):
    notebook_of(cleaned_project, SLEEPER)
    with pytest.raises(KernelError) as caught:
        run_report("midterm", {}, limits=limits, report_progress=False)
    assert said in str(caught.value)
    assert left_in(cleaned_project)[2] == []
    assert no_kernel_left(cleaned_project)


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit")
def test_too_much_memory_is_an_error_in_its_cell(cleaned_project):
    notebook_of(cleaned_project, "len(bytearray(6 * 10**9))")
    with pytest.raises(ReportError, match='cell 4 "载入数据": MemoryError'):
        run_report("midterm", {}, limits=Limits(memory_mb=4000), report_progress=False)


def kill_at(project, seconds):
    """Kill a run after some seconds, then look: nothing half, and the next run is not in its way."""
    process = started("--force")
    time.sleep(seconds)
    process.kill()
    process.communicate()
    shelf = project / "reports" / "shangcheng" / "midterm-2023"
    for folder in shelf.glob("*/"):
        made = store.read_json(folder / "run.json")
        assert made["status"] == "ok"
        assert {f.name for f in folder.iterdir()} == {*made["outputs"], "run.json"}
        assert all(store.sha256(folder / name) == digest for name, digest in made["outputs"].items())
    return len(list(shelf.glob("*/")))


def kill_at_moments(project, moments):
    """Kill runs at these moments, spread over the length of a whole one."""
    notebook_of(project, "'good'")
    begun = time.monotonic()
    first = run_report("midterm", {}, report_progress=False)
    length = 1.5 * (time.monotonic() - begun) + 1  # the command's own start comes on top
    counts = [1, *(kill_at(project, moment * length) for moment in moments)]
    assert counts == sorted(counts)  # none is ever lost
    last = run_report("midterm", {}, force=True, report_progress=False)
    assert last.folder != first.folder
    published, _, staging = left_in(project)
    assert len(published) == counts[-1] + 1
    assert staging == []
    assert store.read_json(last.folder.parent / "latest.json")["zh"]["run_id"] == last.folder.name
    assert [p.name for p in last.folder.parent.glob(".*")] == []


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_three_kill_moments(cleaned_project):
    kill_at_moments(cleaned_project, [0.4, 0.65, 0.9])


@pytest.mark.full
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_fifty_kill_moments(cleaned_project):
    chance = random.Random(int(time.time()))
    kill_at_moments(cleaned_project, [chance.uniform(0.05, 1.05) for _ in range(50)])


def test_a_run_killed_before_its_pointer_is_found_by_the_next(cleaned_project):
    notebook_of(cleaned_project, "'good'")
    made = run_report("midterm", {}, report_progress=False)
    (made.folder.parent / "latest.json").unlink()
    again = run_report("midterm", {}, report_progress=False)
    assert (again.folder, again.is_new) == (made.folder, False)
    assert store.read_json(made.folder.parent / "latest.json")["zh"]["run_id"] == made.folder.name


def test_two_runs_at_once_make_one_report(cleaned_project):
    notebook_of(cleaned_project, "'good'")
    said = [process.communicate(timeout=120)[0] for process in [started(), started()]]
    assert sorted(text.splitlines()[0] for text in said) == ["midterm: made", "midterm: unchanged, nothing to do"]
    assert len(left_in(cleaned_project)[0]) == 1


def test_what_a_dead_run_left_is_cleared_but_never_a_living_one(cleaned_project):
    notebook_of(cleaned_project, "'good'")
    staging = cleaned_project / "reports" / ".staging"
    (staging / "endterm-shangcheng-2025-zh" / "dead").mkdir(parents=True)
    (staging / "endterm-shangcheng-2025-en" / "alive").mkdir(parents=True)
    with store.locked(cleaned_project / "reports" / ".locks" / "endterm-shangcheng-2025-en.lock"):
        run_report("midterm", {}, report_progress=False)
    assert [p.name for p in staging.iterdir()] == ["endterm-shangcheng-2025-en"]


def test_a_read_only_folder_is_said_in_words(cleaned_project, monkeypatch, capsys):
    notebook_of(cleaned_project, "'good'")
    good = run_report("midterm", {}, report_progress=False)

    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(store.Path, "mkdir", refuse)
    assert cli.main(["report", "midterm", "--quiet", "--force"]) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "Permission denied; nothing was published. To do: free disk space or give write permission" in last
    assert good.page.exists()


def test_a_full_disk_loses_no_report(cleaned_project, capsys):
    """A file system of a megabyte where one can be mounted; else a limit on the size of files, as a quota sets it."""
    notebook_of(cleaned_project, "'x' * 3_000_000")
    reports = cleaned_project / "reports"
    reports.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(reports)]
    is_mounted = os.name == "posix" and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    words = (
        ["import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))"] if not is_mounted else []
    )
    words += ["import sys; from planlib import cli; sys.exit(cli.main(['report', 'midterm', '--quiet']))"]
    try:
        done = subprocess.run(
            [sys.executable, "-c", "; ".join(words)], capture_output=True, text=True, check=False
        )
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == 1
        assert last.startswith("report failed: midterm-shangcheng-2023-zh: could not write")
        assert "No space left" in last or "File too large" in last
        published, _, staging = left_in(cleaned_project)
        assert (published, staging) == ([], [])
    finally:
        if is_mounted:
            subprocess.run(["umount", str(reports)], check=True)


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

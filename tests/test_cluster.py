"""The same batch on a real Dask scheduler with two worker processes; one is killed in the middle."""

import os
import signal
import subprocess
import sys
import time

import pytest
from test_run import left_in, no_kernel_left, notebook_of

from planlib import cli, store

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks and kills")


def test_a_scheduler_that_is_not_there_is_said(cleaned_project, capsys, monkeypatch):
    from planlib.run import cluster

    file = cleaned_project / "runs.yml"
    file.write_text("runs:\n- {report: midterm}\n", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["batch", str(file), "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "planlib[cluster]" in capsys.readouterr().err
    assert cluster.lost(-9)["exit_code"] == 4


@pytest.fixture
def workers(tmp_path, cleaned_project):
    """A scheduler and two workers of one thread each, as docs/many_reports.md starts them."""
    address = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    words = [*dask, "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(address)]
    started = [subprocess.Popen(words, **quiet)]
    try:
        wait_until(address.exists)
        where = store.read_json(address)["address"]
        worker = [*dask, "worker", where, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        started += [subprocess.Popen([*worker, "--name", name], cwd=tmp_path, **quiet) for name in ("a", "b")]
        yield where, started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def wait_until(done, seconds=120):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.full
def test_a_worker_is_killed_and_every_report_is_made_once(cleaned_project, workers):
    where, (first, _) = workers
    notebook_of(cleaned_project, "import time\ntime.sleep(1)")
    file = cleaned_project / "runs.yml"
    file.write_text("runs:\n- {report: midterm, year: [2022, 2023, 2024], language: [zh, en]}\n", encoding="utf-8")
    words = [sys.executable, "-m", "planlib.cli", "batch", str(file), "--scheduler", where]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(left_in(cleaned_project)[0]) >= 1)
    os.kill(first.pid, signal.SIGKILL)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.startswith("6 reports: ")
    made = [store.read_json(path) for path in left_in(cleaned_project)[0]]
    assert sorted((m["parameters"]["year"], m["parameters"]["language"]) for m in made) == [
        (year, language) for year in (2022, 2023, 2024) for language in ("en", "zh")
    ]
    assert no_kernel_left(cleaned_project)

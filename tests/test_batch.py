"""Many reports: warm kernels behave as cold ones do, and one failure never stops the rest."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from test_run import left_in, no_kernel_left, notebook_of

from planlib import cli, freshness, params, store
from planlib.run import kernels
from planlib.run.batch import run_batch
from planlib.run.formats import FORMATS
from planlib.run.request import Limits, Request

ROOT = Path(__file__).resolve().parent.parent
warm = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks kernels")


def batch_file(folder, text):
    path = folder / "runs.yml"
    path.write_text(text, encoding="utf-8")
    return path


def summary_of(project):
    return json.loads((project / "reports" / "batch" / "runs" / "batch.json").read_text(encoding="utf-8"))


BOTH = "runs:\n- {report: midterm, language: [en, zh], formats: html}\n"


BAD = """
import os, time
year == 2022 and os._exit(1)
year == 2023 and language == "en" and len(bytearray(6 * 10**9))
year == 2024 and time.sleep(60)
"""


@warm
def test_one_failure_never_stops_the_rest(cleaned_project, capsys):
    """A kernel that dies, one that takes too much memory, one that hangs, and a good one, all warm."""
    notebook_of(cleaned_project, BAD)
    entries = "runs:\n- {report: midterm, year: [2022, 2023, 2024], language: en}\n- {report: midterm}\n"
    file = batch_file(cleaned_project, "memory_mb: 4000\ncell_seconds: 2\n" + entries)
    assert cli.main(["batch", str(file)]) == 1
    runs = {run["name"]: run for run in summary_of(cleaned_project)["runs"]}
    expected = {
        "midterm-shangcheng-2022-en": (4, 'cell 4 "载入数据": the kernel died'),
        "midterm-shangcheng-2023-en": (1, 'cell 4 "载入数据": MemoryError'),
        "midterm-shangcheng-2024-en": (4, 'cell 4 "载入数据": ran longer than 2 s'),
        "midterm-shangcheng-2023-zh": (0, ""),
    }
    assert {name: run["exit_code"] for name, run in runs.items()} == {n: code for n, (code, _) in expected.items()}
    assert all(run["is_warm"] for run in runs.values())
    assert all(said in runs[name]["message"] for name, (_, said) in expected.items())
    err = capsys.readouterr().err
    assert "batch failed: 3 of 4 reports" in err.strip().splitlines()[-1]
    assert err.count("MemoryError") == 2  # when it happens, and in the count of what went wrong
    record = runs["midterm-shangcheng-2023-en"]["folder"]
    assert '\n1 failed: midterm_evaluation.ipynb, cell 4 "载入数据": MemoryError' in err
    assert f"\n  midterm-shangcheng-2023-en: {record}\n" in err
    assert (cleaned_project / record / "run.json").is_file()
    published, failed, staging = left_in(cleaned_project)
    assert (len(published), len(failed), staging) == (1, 3, [])
    assert no_kernel_left(cleaned_project)


@warm
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.full)])
def test_a_batch_that_is_stopped_goes_on_where_it_stopped(cleaned_project, number, capsys):
    """The English run hangs; the batch is stopped, then run again with a limit that ends the hanging cell."""
    notebook_of(cleaned_project, "import time\ntime.sleep(600 if language == 'en' else 0)")
    file = batch_file(cleaned_project, BOTH)
    words = [sys.executable, "-m", "planlib.cli", "batch", str(file), "--jobs", "2"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not left_in(cleaned_project)[0] and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (143 if number == signal.SIGTERM else -9)
    assert "Traceback" not in said
    assert no_kernel_left(cleaned_project)
    assert len(left_in(cleaned_project)[0]) == 1
    assert cli.main(["batch", str(batch_file(cleaned_project, "cell_seconds: 1\n" + BOTH))]) == 1
    assert summary_of(cleaned_project)["counts"] == {"unchanged": 1, "failed": 1}
    assert left_in(cleaned_project)[2] == []


@warm
def test_a_second_batch_makes_nothing_again(cleaned_project, capsys):
    notebook_of(cleaned_project, "'good'")
    file = batch_file(cleaned_project, BOTH)
    assert cli.main(["batch", str(file)]) == 0
    assert "2 reports: 2 made" in capsys.readouterr().out
    assert cli.main(["batch", str(file), "--cold"]) == 0
    assert "2 reports: 2 unchanged" in capsys.readouterr().out
    assert len(left_in(cleaned_project)[0]) == 2


def hashes(project, name, chosen, cold):
    """Make one report and return the hashes of its files."""
    request = Request(name, params.resolve(name, chosen), FORMATS, Limits())
    done = run_batch(project / "one.yml", [request], jobs=1, cold=cold, force=True)
    assert done["counts"] == {"made": 1}, done["runs"][0]["message"]
    assert done["runs"][0]["is_warm"] != cold
    return store.read_json(project / done["runs"][0]["folder"] / "run.json")["outputs"]


@warm
def test_warm_and_cold_give_the_same_bytes(cleaned_project):
    found = [hashes(cleaned_project, "start", {"language": "en"}, cold) for cold in (False, True)]
    assert found[0] == found[1]
    assert {Path(name).suffix for name in found[0]} == {".ipynb", *(f".{form}" for form in FORMATS)}


@warm
@pytest.mark.full
@pytest.mark.parametrize("name", list(params.NOTEBOOKS))
def test_every_notebook_gives_the_same_bytes_warm_and_cold(cleaned_project, name):
    assert hashes(cleaned_project, name, {}, False) == hashes(cleaned_project, name, {}, True)


INTERRUPTED = """
import os, sys, time
from pathlib import Path
from jupyter_client import KernelManager
from planlib.run import forked, kernels
server = kernels.Server()
server.fork("kernel", {"words": ["--version"], "cwd": ".", "env": {}}).wait()
os.environ[forked.SOCKET] = server.path
forked.use_warm_kernels()
manager = KernelManager(connection_file=sys.argv[1])
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
client.execute("import time; time.sleep(60)")
time.sleep(1)
manager.interrupt_kernel()
print(client.get_shell_msg(timeout=30)["content"]["ename"])
print(Path(f"/proc/{server._process.pid}/status").read_text().partition("Threads:")[2].split()[0])
print(type(manager.provisioner).__name__)
server.close()
"""


@warm
def test_a_warm_kernel_can_be_interrupted_and_the_server_has_no_thread(tmp_path):
    words = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "c.json")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.split() == ["KeyboardInterrupt", "1", "WarmProvisioner"], done.stderr
    assert no_kernel_left(tmp_path)


@warm
def test_no_fork_with_a_thread_or_with_changed_code(monkeypatch):
    with socket.socket(socket.AF_UNIX) as listener:
        loop = kernels._Loop(listener, freshness.code_digest())
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        assert loop.refusal("kernel") == "a thread runs in the server"
        stop.set()
        thread.join()
        monkeypatch.setattr(freshness, "code_digest", lambda: "other")
        assert loop.refusal("report") == "the code has changed"
        loop.selector.close()


@warm
def test_the_server_outlives_a_child_and_its_owner_that_end_together():
    """Both ends can come out of one wait, the child's first; a batch killed just then left a traceback."""
    with socket.socket(socket.AF_UNIX) as listener:
        loop = kernels._Loop(listener, "")
        ours, theirs = socket.socketpair()
        child = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
        loop.adopt(child, ours, "report")
        theirs.close()
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        ready = sorted((key for key, _ in loop.selector.select(0)), key=lambda key: key.fileobj is ours)
        assert [key.fileobj is ours for key in ready] == [False, True]
        for key in ready:
            key.data(key.fileobj)
        assert loop.children == {}
        assert not loop.selector.get_map()
        loop.selector.close()


RENAMES = """
from planlib import paths
from planlib.registry import load_plan
print(load_plan(district).title["en"])
plan = paths.raw(district) / "plan.yml"
plan.write_text(plan.read_text(encoding="utf-8").replace("14th", "15th"), encoding="utf-8")
"""


@warm
def test_a_plan_that_changes_during_a_batch_is_read_again(cleaned_project):
    """The server reads plans ahead: the first report changes its own, the second must show it."""
    notebook_of(cleaned_project, RENAMES)
    assert cli.main(["batch", str(batch_file(cleaned_project, BOTH)), "--jobs", "1"]) == 0
    pages = [
        cleaned_project / run["folder"] / f"{run['name']}.html" for run in summary_of(cleaned_project)["runs"]
    ]
    shown = [re.search(r"1\dth Five", page.read_text(encoding="utf-8"))[0] for page in pages]
    assert shown == ["14th Five", "15th Five"]


SHARED = """
import os, socket, sys
from planlib.run import kernels
font = open(sys.argv[1], "rb", buffering=0)
font.read(3)
kernels._work = lambda request, connection: 0 if font.read(3) == b"def" else 1
with socket.socket(socket.AF_UNIX) as listener:
    loop = kernels._Loop(listener, "")
    for _ in range(2):
        child = os.fork()
        if child == 0:
            loop.become({"env": {}, "cwd": "/"}, None)
        print(os.waitpid(child, 0)[1])
print(font.read(3).decode())
"""


@warm
def test_forked_processes_do_not_move_each_others_place_in_an_open_file(tmp_path):
    # two kernels that read one font at once could draw wrong glyphs; one report in a batch of 40 failed so
    (tmp_path / "font").write_bytes(b"abcdefghi")
    words = [sys.executable, "-c", SHARED, str(tmp_path / "font")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.split() == ["0", "0", "def"], done.stderr


CHANGED = """
import json, os, pathlib, sys
import planlib
from planlib import params
from planlib.run.pool import Pool
from planlib.run.request import Request
from planlib.run.work import packed
package = pathlib.Path(planlib.__file__).parent
assert str(package) == sys.argv[1], package
request = packed(Request("midterm", params.resolve("midterm", {}), ("html",)))
pool = Pool(False)
for text in ("", "# changed"):
    (package / "extra.py").write_text(text)
    if not text:
        pool.servers[-1].close(); pool.servers[:] = []; pool = Pool(False)
    worker = pool.start(request)
    worker.wait()
    print(worker.result["status"], worker.result["message"][:200], len(pool.servers), type(worker).__name__)
pool.close()
"""


@warm
@pytest.mark.full
def test_changed_code_starts_another_server(cleaned_project, tmp_path):
    notebook_of(cleaned_project, "'good'")
    package = tmp_path / "src" / "planlib"
    shutil.copytree(ROOT / "src" / "planlib", package, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "PLANLIB_ROOT": str(cleaned_project)}
    done = subprocess.run(
        [sys.executable, "-c", CHANGED, str(package)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["made  1 Forked", "made  2 Forked"]

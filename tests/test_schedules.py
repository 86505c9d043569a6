"""The recipes of docs/schedules.md, run as they are written there."""

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_run import left_in, notebook_of

from planlib.run.request import read_run

PAGE = Path(__file__).resolve().parent.parent / "docs" / "schedules.md"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="a shell")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def installed(cleaned_project, tmp_path, monkeypatch):
    """The project as the recipes expect it: an environment in .venv, the run file, a mail program that keeps letters."""
    programs = cleaned_project / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "planlib"):
        (programs / name).write_text(f'#!/bin/sh\nexec "{Path(sys.executable).parent / name}" "$@"\n')
    mail = tmp_path / "bin" / "mail"
    mail.parent.mkdir()
    mail.write_text(f'#!/bin/sh\ncat > "{tmp_path}/letter"\n')
    for program in (*programs.iterdir(), mail):
        program.chmod(0o755)
    (cleaned_project / "midterm.yml").write_text(blocks("yaml")[0], encoding="utf-8")
    monkeypatch.setenv("PATH", f"{mail.parent}:{os.environ['PATH']}")
    notebook_of(cleaned_project, "'good'")
    return cleaned_project


def test_the_run_file_is_a_run_file(installed):
    assert read_run(installed / "midterm.yml").stem == "midterm-shangcheng-2023-zh"


def test_the_script_for_cron(installed, tmp_path):
    script = installed / "nightly.sh"
    script.write_text(blocks("bash")[0], encoding="utf-8")
    run = ["bash", str(script)]
    assert subprocess.run(run, cwd="/", check=False).returncode == 0
    assert len(left_in(installed)[0]) == 1
    assert not (tmp_path / "letter").exists()
    held = "exec 9> reports/log/.lock; flock 9; sh -c 'bash nightly.sh 9>&-'"
    notebook_of(installed, "1 / 0")
    assert subprocess.run(["bash", "-c", held], cwd=installed, check=False).returncode == 0  # at work already
    assert subprocess.run(run, cwd="/", check=False).returncode == 1
    letter = (tmp_path / "letter").read_text(encoding="utf-8")
    assert letter.startswith('report failed: midterm_evaluation.ipynb, cell 4 "载入数据": ZeroDivisionError')
    assert "To do: look at" in letter
    minute, hour, _, _, weekday, command = blocks("cron")[0].split()
    assert (minute, hour, weekday, command) == ("30", "2", "1", "/opt/planlib/nightly.sh")


def test_the_units_of_systemd(installed, tmp_path):
    names = []
    for block in blocks("ini"):
        names.append(Path(block.splitlines()[0].lstrip("# ")).name)
        (tmp_path / names[-1]).write_text(block, encoding="utf-8")
    units = {name: configparser.ConfigParser(interpolation=None) for name in names}
    for name, unit in units.items():
        unit.optionxform = str
        unit.read(tmp_path / name, encoding="utf-8")
    assert units["planlib.service"]["Unit"]["OnFailure"] in units
    assert units["planlib.timer"]["Timer"]["OnCalendar"] == "Mon *-*-* 02:30"
    command = units["planlib.service"]["Service"]["ExecStart"].replace("/opt/planlib", str(installed))
    assert subprocess.run(command.split(), cwd=installed, check=False, capture_output=True).returncode == 0
    if shutil.which("systemd-analyze"):
        done = subprocess.run(
            ["systemd-analyze", "verify", *(str(tmp_path / n) for n in names)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert not [x for x in done.stderr.splitlines() if "planlib" in x and "not executable" not in x], (
            done.stderr
        )


def test_the_workflow_of_github(installed):
    workflow = yaml.safe_load(blocks("yaml")[1])
    commands = [step["run"] for step in workflow["jobs"]["reports"]["steps"] if "run" in step]
    assert commands[0] == "make environment"
    done = subprocess.run(["bash", "-ec", commands[1]], cwd=installed, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "midterm: made")


def test_the_snippets_for_airflow(installed):
    bash, papermill = (ast.parse(block) for block in blocks("python"))
    calls = {n.func.id: n for tree in (bash, papermill) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    words = {k.arg: ast.literal_eval(k.value) for k in calls["BashOperator"].keywords}
    command = words["bash_command"].replace("/opt/planlib", str(installed))
    assert subprocess.run(["bash", "-ec", command], check=False, capture_output=True).returncode == 0
    given = {k.arg: ast.literal_eval(k.value) for k in calls["PapermillOperator"].keywords}
    assert Path(given["input_nb"].replace("/opt/planlib", str(installed))).is_file()
    assert set(given["parameters"]) <= {"district", "year", "cutoff", "language"}


def test_plain_papermill(installed):
    script = blocks("bash")[1]
    done = subprocess.run(["bash", "-ec", script], cwd=installed, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "injected-parameters" in (installed / "midterm.ipynb").read_text(encoding="utf-8")

"""Damaged files end in a message or in tables: a minute of tests/fuzzing.py, ten in the long tests."""

import os
import random
import subprocess
import sys
from pathlib import Path

import fuzzing
import pytest

# In a process of its own: it sets an alarm, and its peak of memory is to be its own.
RUN = [sys.executable, str(Path(fuzzing.__file__))]


def fuzzed(minutes, seed, keep):
    words = [*RUN, "--minutes", str(minutes), "--seed", str(seed), "--keep", str(keep)]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.split(" files", 1)[0])


def test_a_minute_of_damaged_files(tmp_path):
    assert fuzzed(1, 1, tmp_path) > 100


@pytest.mark.full
def test_ten_minutes_of_damaged_files(tmp_path):
    assert fuzzed(10, 2, tmp_path) > 1000


def test_what_the_search_looks_for_would_be_found(monkeypatch, tmp_path):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(fuzzing, "read", broken)
    runs, _, faults = fuzzing.fuzz(5, 0, None, most=5)
    assert runs == 5
    assert "ZeroDivisionError" in next(iter(faults))
    said, fault = fuzzing.one_run("a.csv", b"x", tmp_path, True)
    assert (said, "ZeroDivisionError" in fault) == (set(), True)


def test_damage_leaves_workbooks_that_can_be_opened_most_times():
    rng = random.Random(0)
    one = fuzzing.seeds()["one.xlsx"]
    opened = 0
    for _ in range(20):
        try:
            opened += bool(fuzzing.read_workbook(fuzzing.damage_cells(one, rng)))
        except fuzzing.PlanlibError:
            continue
    assert opened >= 18

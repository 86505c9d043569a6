import os
import signal
import subprocess
import sys
import time

import pytest

from planlib import store
from planlib.errors import DataError


def test_a_set_appears_whole_and_a_failure_leaves_the_old_one(tmp_path):
    target = tmp_path / "processed" / "x"
    with store.staged_set(target) as staging:
        (staging / "a").write_text("old")
        assert not target.exists()

    def fail():
        with store.staged_set(target) as staging:
            (staging / "a").write_text("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (target / "a").read_text() == "old"
    assert len(list((tmp_path / "processed" / ".sets").glob("x.*"))) == 2  # the set and its lock


def test_a_plain_folder_in_the_way_is_replaced(tmp_path):
    target = tmp_path / "x"
    target.mkdir()
    (target / "a").write_text("old")
    with store.staged_set(target) as staging:
        (staging / "a").write_text("new")
    assert (target / "a").read_text() == "new"


def test_a_read_only_place_is_said_in_words(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.Path, "mkdir", refuse)
    with (
        pytest.raises(DataError, match=r"No space left on device.\nThe previous tables are untouched"),
        store.staged_set(tmp_path / "x"),
    ):
        pass


def test_atomic_write_leaves_no_part_behind(tmp_path):
    store.write_atomic(tmp_path / "deep" / "a.txt", "one")
    store.write_atomic(tmp_path / "deep" / "a.txt", "two")
    assert (tmp_path / "deep" / "a.txt").read_text() == "two"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.txt"]


def test_unreadable_json_is_absent(tmp_path):
    (tmp_path / "a.json").write_text('{"half":')
    assert store.read_json(tmp_path / "a.json") is None
    assert store.read_json(tmp_path / "b.json") is None


WRITER = """
import sys, pathlib
from planlib import store
target = pathlib.Path(sys.argv[1])
for i in range(100000):
    with store.staged_set(target) as staging:
        (staging / "a").write_text(str(i))
        (staging / "b").write_text(str(i))
"""


def _kill_and_look(target, seconds):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stderr=subprocess.DEVNULL)
    while not (target / "a").exists():
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (target / "a").read_text() == (target / "b").read_text()


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_sets_match_after_a_kill_at_five_moments(tmp_path):
    for moment in range(5):
        _kill_and_look(tmp_path / "x", 0.013 * moment)
    with store.staged_set(tmp_path / "x") as staging:  # no lock is left for a person to remove
        (staging / "a").write_text("after")
    assert (tmp_path / "x" / "a").read_text() == "after"


@pytest.mark.full
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_sets_match_after_a_kill_at_fifty_moments(tmp_path):
    for moment in range(50):
        _kill_and_look(tmp_path / "x", 0.0037 * moment)

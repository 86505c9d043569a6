"""Whatever ends a run of clean, the previous tables are whole, and the next run needs no help."""

import functools
import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from returns_builder import district, school, simple_workbook

from planlib import cli, paths, schema, store
from planlib.clean import clean_district
from planlib.errors import DataError

NAME = "testdistrict"
BOOK = "returns/2020学年_小学.xlsx"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits as POSIX has them")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    place = district(tmp_path)
    for year in (2021, 2022):
        content = simple_workbook([school(books=year)], title=f"{year}/{year + 1}学年初")
        (place / "returns" / f"{year}学年_小学.xlsx").write_bytes(content)
    return place


@functools.cache
def book_of(books):
    """Return a workbook; the same bytes each time, though it holds the time at which it was made."""
    return simple_workbook([school(books=books)])


def put(folder, books):
    """Change one figure of one workbook, and one line of one CSV file."""
    (folder / BOOK).write_bytes(book_of(books))
    (folder / "births.csv").write_text(f"area,year,births\n东片,2020,{books}\n", encoding="utf-8")


def contents():
    """Return the digest of every processed file, and read each table as a report would."""
    place = paths.processed(NAME)
    for name in schema.TABLES:
        if (place / f"{name}.parquet").exists():
            schema.read_table(place / f"{name}.parquet", name)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in place.iterdir()}


def leftovers(folder):
    """Return what stands in data/processed beside the set, the one before it, and the cache of files read."""
    place = paths.processed(NAME).parent
    known = {paths.processed(NAME).resolve(), place / ".sets", place / ".cache", place / ".cache" / NAME}
    known |= {place / NAME, place / ".sets" / f"{NAME}.lock"}
    found = [p for p in [*place.iterdir(), *place.glob(".sets/*"), *place.glob(".cache/*")] if p not in known]
    sets = [p for p in found if p.is_dir() and p.parent.name == ".sets"]
    return [p for p in found if p not in sets[:1]]


class Killer:
    """The process of tests/kills.py."""

    def __init__(self):
        words = [sys.executable, str(Path(__file__).with_name("kills.py")), NAME]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, kind, value):
        self.process.stdin.write(f"{kind} {value}\n")
        self.process.stdin.flush()
        ended, count, took = self.process.stdout.readline().split()
        return int(ended), int(count), float(took)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def kill_at(folder, moments):
    """Kill a run at each moment; the tables must be the old ones or the new ones, and the next run clean."""
    put(folder, 1)
    with Killer() as killer:
        killer.ask("event", 0)
        old = contents()
        put(folder, 2)
        _, events, took = killer.ask("event", 0)
        new = contents()
        assert old != new
        assert events > 10
        put(folder, 1)
        killer.ask("event", 0)
        seen = []
        for kind, share in moments:
            put(folder, 2)
            ended, _, _ = killer.ask(kind, max(1, round(share * events)) if kind == "event" else share * took)
            found = contents()
            assert found in (old, new), (kind, share)
            seen.append((ended, found == new))
            put(folder, 1)
            assert killer.ask("event", 0)[0] == 0
            assert contents() == old, (kind, share)
            assert leftovers(folder) == []
    return seen


def test_a_run_killed_at_five_moments_leaves_the_tables_whole(folder):
    seen = kill_at(folder, [("event", share) for share in (0.02, 0.3, 0.6, 0.9, 1.0)])
    assert [ended for ended, _ in seen] == [signal.SIGKILL] * 5
    assert not seen[0][1]


@pytest.mark.full
def test_a_run_killed_at_fifty_moments_leaves_the_tables_whole(folder):
    rng = random.Random(5)
    moments = [("event", rng.random()) for _ in range(25)] + [("seconds", rng.random()) for _ in range(25)]
    seen = kill_at(folder, moments)
    assert sum(ended == signal.SIGKILL for ended, _ in seen) > 40
    assert {is_new for _, is_new in seen} >= {False}


RUN = [sys.executable, "-c", "import sys; from planlib.cli import main; sys.exit(main())", "clean", NAME]


def test_two_runs_at_once_wait_for_each_other(folder):
    put(folder, 3)
    target = paths.processed(NAME)
    with store.locked(target.parent / ".sets" / f"{NAME}.lock"):
        waiting = [subprocess.Popen(RUN, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in "12"]
        said = [process.stderr.readline() for process in waiting]
        assert not target.exists()
    assert said == [f"waiting for another run that holds {NAME}.lock …\n"] * 2
    for process in waiting:
        out, error = process.communicate()
        assert (process.returncode, error.replace(said[0], "")) == (0, ""), error
        assert out
    assert contents()
    assert leftovers(folder) == []


def refused_for_want_of_space(folder, old):
    with pytest.raises(DataError) as error:
        clean_district(NAME)
    assert "The previous tables are untouched. To do: free disk space or give write permission" in str(error.value)
    assert contents() == old


def test_a_file_that_may_not_grow_loses_nothing(folder):
    put(folder, 1)
    clean_district(NAME)
    old = contents()
    put(folder, 2)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write fails as on a full disk
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        refused_for_want_of_space(folder, old)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    clean_district(NAME)
    assert contents() != old
    assert leftovers(folder) == []


@pytest.fixture
def small_disk(folder):
    """A disk for the processed tables alone; only root may make one."""
    place = paths.processed(NAME).parent
    place.mkdir(parents=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True)
    if made.returncode:
        pytest.skip("no right to mount a disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_loses_nothing(folder, small_disk):
    put(folder, 1)
    clean_district(NAME)
    old = contents()
    put(folder, 2)
    free = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize - 9000))
    refused_for_want_of_space(folder, old)
    (small_disk / "filler").unlink()
    assert cli.main(["clean", NAME]) == 0
    assert contents() != old


def test_a_disk_that_may_only_be_read_is_said_to_be_one(folder, small_disk, capsys):
    put(folder, 1)
    clean_district(NAME)
    old = contents()
    put(folder, 2)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert cli.main(["clean", NAME]) == 1
    said = capsys.readouterr().err
    assert f"Could not write {paths.processed(NAME)}: Read-only file system." in said
    assert contents() == old
    assert cli.main(["check", NAME]) == 2  # its plan is empty, and that is said as ever

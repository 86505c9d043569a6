"""Many reports: the same runs, several at a time; one that fails never stops the rest."""

import contextlib
import datetime as dt
import os
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from planlib import paths, store
from planlib.errors import in_one_line
from planlib.run.pool import Pool, Worker
from planlib.run.report import cut
from planlib.run.request import Request
from planlib.run.stop import stoppable
from planlib.run.work import lost, packed

SCHEMA_VERSION = 1
GRACE_SECONDS = 30
SAVE_SECONDS = 5


def run_batch(
    file: Path,
    requests: Sequence[Request],
    *,
    jobs: int = 0,
    cold: bool = False,
    force: bool = False,
    scheduler: str = "",
) -> dict[str, Any]:
    """Make many reports; those that are there already are found again, so a broken batch goes on where it stopped.

    Parameters
    ----------
    file : Path
        The batch file; the summary goes to ``reports/batch/<its stem>/batch.json``.
    requests : sequence of Request
    jobs : int
        Reports at a time on this machine; 0 for one per core.
    cold : bool
        A new process for every kernel; always so where nothing can be forked (not Linux).
    force : bool
        Make every report again although nothing changed.
    scheduler : str
        Address of a Dask scheduler that does the work instead of this machine.

    Returns
    -------
    dict
        What stands in batch.json: ``counts`` by status and ``runs``, one entry per report.

    Raises
    ------
    Interrupted
        On SIGTERM or Ctrl-C, after the summary was written.
    """
    packs = [packed(request, force) for request in requests]
    runs = [{"name": r.stem, **p, "status": "waiting"} for r, p in zip(requests, packs, strict=True)]
    summary = paths.reports() / "batch" / file.stem / "batch.json"
    table = _Table(runs)
    begun, saved = dt.datetime.now(dt.UTC), time.monotonic()
    try:
        with stoppable(f"batch {file.name}"):
            if scheduler:
                from planlib.run.cluster import results

                events: Generator[tuple[int | None, dict[str, Any]]] = results(scheduler, packs)
            else:
                events = _results(packs, jobs or os.cpu_count() or 1, cold or sys.platform != "linux")
            with contextlib.closing(events):
                for index, result in events:
                    if index is not None:
                        runs[index] |= result
                    table.show(index)
                    if time.monotonic() - saved > SAVE_SECONDS:
                        _save(summary, file, begun, runs)
                        saved = time.monotonic()
    finally:
        table.end()
        report = _save(summary, file, begun, runs)
    return report


def _save(path: Path, file: Path, begun: dt.datetime, runs: list[dict[str, Any]]) -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC)
    summary = {
        "schema_version": SCHEMA_VERSION,
        "file": file.name,
        "started": begun.isoformat(timespec="seconds"),
        "finished": now.isoformat(timespec="seconds"),
        "seconds": round((now - begun).total_seconds(), 3),
        "counts": dict(Counter(run["status"] for run in runs)),
        "runs": runs,
    }
    store.write_json(path, summary)
    return {**summary, "path": path}


def _results(packs: list[dict[str, Any]], jobs: int, cold: bool) -> Generator[tuple[int | None, dict[str, Any]]]:
    """Yield the number of each run with what is new of it: that it runs, then what came of it; none once a second."""
    pool = Pool(cold)
    waiting, working = deque(range(len(packs))), dict[int, tuple[Worker, float]]()
    told = time.monotonic()
    try:
        while waiting or working:
            while waiting and len(working) < jobs:
                index = waiting.popleft()
                working[index] = (pool.start(packs[index]), time.monotonic())
                yield index, {"status": "running"}
            for index, (worker, begun) in list(working.items()):
                over = time.monotonic() - begun - packs[index]["limits"]["run_seconds"]
                if over > GRACE_SECONDS:  # it does not even clear away any more
                    worker.kill()
                if worker.poll() is not None:
                    del working[index]
                    yield index, worker.result or lost(worker.poll())
            if time.monotonic() - told > 1:
                told = time.monotonic()
                yield None, {}
            time.sleep(0.01)
    finally:
        for worker, _ in working.values():
            worker.terminate()
        for worker, _ in working.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(GRACE_SECONDS)
        pool.close()


def failures(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the failed runs by what went wrong, the most frequent first; what to do is left out of the key.

    Examples
    --------
    >>> runs = [{"name": n, "status": "failed", "brief": f"{n}: no space left. To do: free {n}"} for n in "ab"]
    >>> {what: len(same) for what, same in failures([*runs, {"name": "c", "status": "made"}]).items()}
    {'no space left.': 2}
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        if run["status"] == "failed":
            what = _short(run).partition(" To do: ")[0]
            # what keeps one district's reports from starting is one thing, whichever notebook it is
            groups.setdefault(what.rpartition(", before the first cell: ")[2], []).append(run)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def _short(run: Mapping[str, Any]) -> str:
    """Return a run's failure in one line without its name, which stands before it."""
    brief = str(run.get("brief") or in_one_line(run.get("message", "")))
    return brief.removeprefix(f"{run['name']}: ")


class _Table:
    """What a person sees meanwhile: a table that stays in place on a terminal, a line per report elsewhere."""

    def __init__(self, runs: list[dict[str, Any]]) -> None:
        self.runs, self.begun, self.lines = runs, time.monotonic(), 0
        self.is_live = sys.stderr.isatty()
        self.at_work: dict[int, float] = {}
        self.counts = Counter({"waiting": len(runs)})
        if self.is_live:
            self._draw("")

    def show(self, index: int | None) -> None:
        """Show what changed of run `index`; without one that time goes on."""
        if index is None:
            if self.is_live:
                self._draw("")
            return
        run = self.runs[index]
        if run["status"] == "running":
            self.at_work[index] = time.monotonic()
        else:
            self.at_work.pop(index, None)
            self.counts[run["status"]] += 1
            self.counts["waiting"] -= 1
        if self.is_live:
            self._draw(self._line(run) if run["status"] == "failed" else "")
        elif run["status"] != "running":
            print(self._line(run), file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the last state on the terminal."""
        if self.is_live:
            self.at_work.clear()
            self._draw("")

    def _line(self, run: dict[str, Any]) -> str:
        done = len(self.runs) - self.counts["waiting"]
        told = f"{run['status']} {run['name']} {run.get('seconds', 0):.1f} s {_short(run)}"
        return f"{done}/{len(self.runs)} {told}".rstrip()

    def _draw(self, lasting: str) -> None:
        """Draw over what was drawn before; `lasting` stays above."""
        done = len(self.runs) - self.counts["waiting"]
        spent = time.monotonic() - self.begun
        waiting = self.counts["waiting"]
        left = f", about {spent / done * waiting:.0f} s left" if done and waiting else ""
        parts = [f"{self.counts[status]} {status}" for status in ("made", "unchanged", "failed")]
        rows = [f"{done}/{len(self.runs)}: {', '.join(parts)}{left}"]
        rows += [
            f"  {self.runs[i]['name']}  {time.monotonic() - since:.0f} s" for i, since in self.at_work.items()
        ]
        up = f"\033[{self.lines}F\033[J" if self.lines else ""
        rows = [cut(row) for row in rows]
        print(up + "\n".join([lasting, *rows] if lasting else rows), file=sys.stderr, flush=True)
        self.lines = len(rows)

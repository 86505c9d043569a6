"""One report: check, make tables fresh, execute in staging, check again, publish by one rename."""

import contextlib
import datetime as dt
import gc
import shutil
import sys
import unicodedata
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planlib import freshness, params, paths, store
from planlib.errors import DataError, Interrupted, KernelError, PlanlibError, ReportError, UsageError
from planlib.run import manifest
from planlib.run.formats import chosen_formats
from planlib.run.request import Limits, Request, check_notebook
from planlib.run.stop import explained, stoppable

FAULTS = "faults.csv"


@dataclass(frozen=True)
class Outcome:
    """What a run left: the folder of the report, its page, and whether it was made now or was there already."""

    folder: Path
    page: Path
    is_new: bool


def run_report(
    name: str,
    values: Mapping[str, Any],
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    force: bool = False,
    report_progress: bool = True,
    formats: str | None = None,
) -> Outcome:
    """Produce the report `name`, or find that nothing it depends on has changed.

    Parameters
    ----------
    name : str
        A key of `planlib.params.NOTEBOOKS`.
    values : mapping
        ``district``, ``year``, ``cutoff``, ``language``; what is absent takes the notebook's default.
    limits : Limits
        Seconds per cell and for the whole run, memory of the kernel.
    force : bool
        Make it again although nothing changed.
    report_progress : bool
        Write a line per cell to stderr.
    formats : str, optional
        What to write, as `planlib.run.formats.chosen_formats` reads it.

    Returns
    -------
    Outcome

    Raises
    ------
    UsageError
        Wrong parameters or configuration: nothing was started.
    DataError, ReportError
        The data or a cell failed: ``reports/failed/<run id>/`` holds the notebook, or the list of the data's faults.
    KernelError
        The kernel died or ran out of time.
    """
    request = Request(name, params.resolve(name, values), chosen_formats(name, formats), limits)
    return run_request(request, force=force, report_progress=report_progress)


def run_request(request: Request, *, force: bool = False, report_progress: bool = True) -> Outcome:
    """Do what `run_report` does, for a request that was read from a run file or a batch file."""
    check_notebook(request.name)
    paths.font_file()
    try:
        with stoppable(request.stem, request.limits.run_seconds):
            return _find(request, force) or _make(request, force, report_progress)
    except OSError as error:
        raise ReportError(
            f"{request.stem}: could not write {error.filename or paths.reports()}: {error.strerror or error}; "
            "nothing was published.\nTo do: free disk space or give write permission, then run again."
        ) from None


def make_tables_fresh(district: str) -> bool:
    """Clean the district if its raw files or the code of clean changed; return whether it was necessary."""
    if freshness.tables_are_fresh(district):
        return False
    # two reports of one district that start together clean it once
    with store.locked(paths.processed(district).parent / ".sets" / f"{district}.fresh.lock"):
        if freshness.tables_are_fresh(district):
            return False
        from planlib.clean import clean_district

        clean_district(district)
    return True


def _find(request: Request, force: bool) -> Outcome | None:
    """Return the report if it is there already; else make sure that a kernel may start: nothing is written yet."""
    district = request.parameters.district
    try:
        make_tables_fresh(district)
    except DataError as error:
        with _only_one(request):
            _Run(request, {}).refuse(error)
        raise
    _refuse_unknown_year(request)
    found = None if force else _published(request, _inputs(request))
    if found is None:
        # what people wrote is read before a kernel starts: a typing error costs a second, not a run
        from planlib.registry import check_written

        check_written(district)
    return found


def _make(request: Request, force: bool, report_progress: bool) -> Outcome:
    with _only_one(request):
        inputs = _inputs(request)
        # whoever held the lock may have made just this report
        found = None if force else _published(request, inputs)
        bar = _progress(request.stem) if report_progress else lambda *_: None
        return found or _Run(request, inputs).make(bar)


def _inputs(request: Request) -> dict[str, Any]:
    return freshness.report_inputs(request.name, request.parameters) | {"formats": list(request.formats)}


def _published(request: Request, inputs: dict[str, Any]) -> Outcome | None:
    latest = _point(request)
    if latest and manifest.is_intact(latest, store.sha256_of(inputs)):
        return Outcome(latest, latest / f"{request.stem}.html", False)
    return None


def _refuse_unknown_year(request: Request) -> None:
    """Refuse a cutoff in a year of which no table of the district holds a row."""
    tables = (store.read_json(paths.processed(request.parameters.district) / "digests.json") or {}).get(
        "tables", {}
    )
    days = sorted({day for slices in tables.values() for day in slices if day != "all"})
    cutoff = request.parameters.cutoff
    if days and days[-1][:4] < str(cutoff.year):
        raise UsageError(
            f"{request.stem} rests on data up to {cutoff}, but the latest data of {request.parameters.district} are "
            f"of {days[-1]}; expected data of {cutoff.year}.\n"
            f"To do: lay the returns of {cutoff.year} into data/raw/{request.parameters.district}, ask for an earlier "
            "year, or give an earlier cutoff."
        )


@contextlib.contextmanager
def _only_one(request: Request) -> Iterator[None]:
    """Let one run of this report work at a time; clear away what runs that were killed left in staging.

    Whoever holds a report's lock owns its staging folder, and the system drops a lock with its process: a folder
    whose lock can be had belongs to nobody.
    """
    locks, staging = paths.reports() / ".locks", paths.reports() / ".staging"
    with store.locked(locks / f"{request.stem}.lock"):
        for left in staging.glob("*"):
            with contextlib.suppress(BlockingIOError), _unless_own(left, request, locks):
                shutil.rmtree(left, ignore_errors=True)
        yield


def _unless_own(left: Path, request: Request, locks: Path) -> contextlib.AbstractContextManager[None]:
    own = left.name == request.stem
    return contextlib.nullcontext() if own else store.locked(locks / f"{left.name}.lock", wait=False)


class _Run:
    """One execution, from the staging folder to the shelf; its lock is held."""

    def __init__(self, request: Request, inputs: dict[str, Any]):
        started = dt.datetime.now(dt.UTC)
        self.request = request
        # ids sort by time, to the millisecond
        self.run_id = f"{started:%Y%m%dT%H%M%S}{started.microsecond // 1000:03d}Z-{uuid.uuid4().hex[:6]}"
        self.staging = paths.reports() / ".staging" / request.stem / self.run_id
        self.manifest = manifest.begin(request, inputs, self.run_id, started)

    def make(self, progress: Callable[[str, int, int], None]) -> Outcome:
        self.staging.mkdir(parents=True)
        try:
            self._execute(progress)
            manifest.finish(self.manifest, self.staging, "ok", None)
            return self._publish()
        except BaseException as error:
            raised = explained(error, self.request.stem, self.request.limits.run_seconds)
            self._set_aside(raised)
            raise raised from None
        finally:
            shutil.rmtree(self.staging.parent, ignore_errors=True)

    def refuse(self, error: DataError) -> None:
        """Leave the record of a run that faulty raw files kept from starting: the manifest and the list of faults."""
        from planlib.clean import FaultyData

        self.staging.mkdir(parents=True)
        try:
            if isinstance(error, FaultyData):
                error.write_list(self.staging / FAULTS)
            self._set_aside(error)
        finally:
            shutil.rmtree(self.staging.parent, ignore_errors=True)
        if isinstance(error, FaultyData) and error.record:
            error.short = error.in_short(error.record / FAULTS)
        error.short = (
            f"{params.NOTEBOOKS[self.request.name].file}.ipynb, before the first cell: {error.short or error}"
        )

    def _execute(self, progress: Callable[[str, int, int], None]) -> None:
        from planlib.run.execute import COLLECT, code_cells, execute
        from planlib.run.formats import write_formats
        from planlib.run.page import strip

        gc.set_threshold(*COLLECT)
        chosen, stem = self.request.parameters, self.request.stem
        source = paths.notebooks() / f"{params.NOTEBOOKS[self.request.name].file}.ipynb"
        target = self.staging / f"{stem}.ipynb"
        notebook = execute(source, target, chosen.as_injected(), paths.root(), progress, self.request.limits)
        self.manifest["cells"] = [
            {"cell": number, "heading": heading, "seconds": round(cell.metadata["papermill"]["duration"], 3)}
            for number, heading, cell in code_cells(notebook)
        ]
        strip(notebook, target)
        write_formats(notebook, self.staging, stem, self.manifest, self.request.formats)

    def _publish(self) -> Outcome:
        folder = self.request.shelf / self.run_id
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.staging.rename(folder)
        _point(self.request)
        return Outcome(folder, folder / f"{self.request.stem}.html", True)

    def _set_aside(self, error: BaseException) -> None:
        """Keep what a failed run made, apart from the good reports; never hide the failure itself."""
        what = str(error) if isinstance(error, PlanlibError) else repr(error)
        failure = {**(getattr(error, "at", None) or {}), "kind": type(error).__name__, "message": what}
        status = {KernelError: "kernel_died", Interrupted: "interrupted"}.get(type(error), "failed")
        failed = paths.reports() / "failed" / self.run_id
        try:
            manifest.finish(self.manifest, self.staging, status, failure)
            failed.parent.mkdir(parents=True, exist_ok=True)
            self.staging.rename(failed)
        except OSError:
            return  # a full disk, or a report that was published already, is said by the error itself
        if isinstance(error, PlanlibError):
            error.record = failed
            if "To do" not in what:
                error.args = (f"{what}\nTo do: look at {failed / self.request.stem}.ipynb, then mend the cause.",)


def _point(request: Request) -> Path | None:
    """Let latest.json name the newest whole report, and return its folder.

    The folders are the truth: a run that was killed between its rename and this pointer is found by the next.
    """
    shelf, language = request.shelf, request.parameters.language
    if not shelf.is_dir():
        return None
    with store.locked(paths.reports() / ".locks" / f"{shelf.parent.name}.{shelf.name}.latest"):
        found = store.read_json(shelf / "latest.json")
        latest: dict[str, Any] = found if isinstance(found, dict) else {}
        known = latest.get(language, {}).get("run_id", "")
        newer = [f for f in shelf.iterdir() if f.name > known and (f / f"{request.stem}.html").is_file()]
        for folder in sorted(newer, reverse=True):
            made = store.read_json(folder / manifest.FILE)
            if isinstance(made, dict) and made.get("status") == "ok":
                page = f"{request.stem}.html"
                latest[language] = {
                    "run_id": folder.name,
                    "page": page,
                    "sha256": made["outputs"].get(page, ""),
                    "fingerprint": made["fingerprint"],
                }
                store.write_json(shelf / "latest.json", latest)
                break
    entry = latest.get(language)
    return shelf / entry["run_id"] if entry and (shelf / entry["run_id"]).is_dir() else None


def cut(text: str) -> str:
    """Cut a line to what the terminal shows in one row: a longer one would break and not be drawn over.

    Examples
    --------
    >>> cut("mid-term")
    'mid-term'
    """
    left = shutil.get_terminal_size().columns - 1
    for kept, character in enumerate(text):
        left -= 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if left < 0:
            return text[:kept]
    return text


def _progress(stem: str) -> Callable[[str, int, int], None]:
    """Return a progress writer: a bar that moves on a terminal, quiet lines elsewhere."""
    moving = sys.stderr.isatty()

    def show(heading: str, number: int, count: int) -> None:
        if moving:
            done = round(20 * (number - 1) / count)
            text = cut(f"[{'#' * done}{'.' * (20 - done)}] {number}/{count} {heading}")
            print(f"\r\033[K{text}", end="\n" if number == count else "", file=sys.stderr, flush=True)
        elif number in (1, count):
            print(f"{stem}: {number}/{count} {heading}", file=sys.stderr, flush=True)

    return show

"""One report: check, make tables fresh, execute in staging, check again, publish by one rename."""

import datetime as dt
import platform
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planlib import freshness, params, paths, store
from planlib.errors import PlanlibError, ReportError
from planlib.run.formats import chosen_formats

SCHEMA_VERSION = 1


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
        The data or a cell failed: the notebook lies in ``reports/failed/<run id>/``.
    KernelError
        The kernel died or ran out of time.
    """
    parameters = params.resolve(name, values)
    wanted = chosen_formats(name, formats)
    make_tables_fresh(parameters.district)
    shelf = paths.reports() / parameters.district / f"{name}-{parameters.year}"
    inputs = freshness.report_inputs(name, parameters) | {"formats": list(wanted)}
    fingerprint = store.sha256_of(inputs)
    latest = _latest(shelf, parameters.language)
    if not force and latest and _is_intact(shelf, latest, fingerprint):
        return Outcome(shelf / latest["run_id"], shelf / latest["run_id"] / latest["page"], False)
    # what people wrote is read before a kernel starts: a typing error costs a second, not a run
    from planlib.registry import check_written

    check_written(parameters.district)
    run = _Run(name, parameters, inputs, fingerprint, shelf)
    return run.make(report_progress)


def make_tables_fresh(district: str) -> bool:
    """Clean the district if its raw files or the code of clean changed; return whether it was necessary."""
    if freshness.tables_are_fresh(district):
        return False
    from planlib.clean import clean_district

    clean_district(district)
    return True


class _Run:
    """One execution, from the staging folder to the shelf."""

    def __init__(
        self, name: str, parameters: params.Parameters, inputs: dict[str, Any], fingerprint: str, shelf: Path
    ):
        self.name, self.parameters, self.shelf = name, parameters, shelf
        self.started = dt.datetime.now(dt.UTC)
        self.run_id = f"{self.started:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
        self.stem = f"{name}-{parameters.district}-{parameters.year}-{parameters.language}"
        self.staging = paths.reports() / ".staging" / self.run_id
        self.manifest: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "run_id": self.run_id,
            "report": name,
            "parameters": parameters.as_injected(),
            "inputs": inputs,
            "fingerprint": fingerprint,
            "is_simulated": freshness.is_simulated(parameters.district),
            "started": self.started.isoformat(timespec="seconds"),
            "packages": _packages(),
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            **_git(paths.root()),
        }

    def make(self, report_progress: bool) -> Outcome:
        try:
            self.staging.mkdir(parents=True)
        except OSError as error:
            raise ReportError(
                f"Cannot write to {self.staging.parent}: {error.strerror}. "
                "To do: free disk space or give write permission."
            ) from None
        try:
            self._execute(report_progress)
            self._finish("ok", None)
            return self._publish()
        except BaseException as error:
            self._set_aside(error)
            raise
        finally:
            shutil.rmtree(self.staging, ignore_errors=True)

    def _execute(self, report_progress: bool) -> None:
        from planlib.run.execute import execute
        from planlib.run.formats import write_formats
        from planlib.run.page import strip

        source = paths.notebooks() / f"{params.NOTEBOOKS[self.name].file}.ipynb"
        executed = self.staging / f"{self.stem}.ipynb"
        bar = _progress(self.stem) if report_progress else lambda *_: None
        notebook = execute(source, executed, self.parameters.as_injected(), paths.root(), bar)
        self.manifest["seconds_per_cell"] = [
            round(c.metadata.get("papermill", {}).get("duration") or 0, 3)
            for c in notebook.cells
            if c.cell_type == "code"
        ]
        strip(notebook, executed)
        write_formats(notebook, self.staging, self.stem, self.manifest, self.manifest["inputs"]["formats"])

    def _finish(self, status: str, failure: dict[str, str] | None) -> None:
        self.manifest |= {
            "status": status,
            "failure": failure,
            "finished": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "outputs": {f.name: store.sha256(f) for f in sorted(self.staging.iterdir()) if f.is_file()},
        }
        store.write_json(self.staging / "run.json", self.manifest)

    def _publish(self) -> Outcome:
        self.shelf.mkdir(parents=True, exist_ok=True)
        folder = self.shelf / self.run_id
        self.staging.rename(folder)
        page = f"{self.stem}.html"
        with store.locked(self.shelf / ".lock"):
            latest = store.read_json(self.shelf / "latest.json") or {}
            latest[self.parameters.language] = {
                "run_id": self.run_id,
                "page": page,
                "sha256": self.manifest["outputs"][page],
                "fingerprint": self.manifest["fingerprint"],
            }
            store.write_json(self.shelf / "latest.json", latest)
        return Outcome(folder, folder / page, True)

    def _set_aside(self, error: BaseException) -> None:
        """Keep what a failed run made, apart from the good reports; never hide the failure itself."""
        status = "kernel_died" if getattr(error, "exit_code", 1) == 4 else "failed"
        if isinstance(error, KeyboardInterrupt):
            status = "interrupted"
        what = str(error) if isinstance(error, PlanlibError) else repr(error)
        try:
            self._finish(status, {"kind": type(error).__name__, "message": what})
            failed = paths.reports() / "failed" / self.run_id
            failed.parent.mkdir(parents=True, exist_ok=True)
            self.staging.rename(failed)
        except OSError:
            pass  # a full disk is already being reported


def _latest(shelf: Path, language: str) -> dict[str, str] | None:
    latest = store.read_json(shelf / "latest.json")
    entry = latest.get(language) if isinstance(latest, dict) else None
    return entry if isinstance(entry, dict) else None


def _is_intact(shelf: Path, latest: dict[str, str], fingerprint: str) -> bool:
    """Tell whether the latest report is of these inputs and its page is as it was published."""
    page = shelf / latest["run_id"] / latest["page"]
    return latest.get("fingerprint") == fingerprint and page.is_file() and store.sha256(page) == latest["sha256"]


def _progress(stem: str) -> Any:
    """Return a progress writer: one line that moves on a terminal, quiet lines elsewhere."""
    moving = sys.stderr.isatty()

    def show(heading: str, number: int, count: int) -> None:
        text = f"{stem}: {number}/{count} {heading}"
        if moving:
            end = "\n" if number == count else ""
            print(f"\r\033[K{text[:100]}", end=end, file=sys.stderr, flush=True)
        elif number in (1, count):
            print(text, file=sys.stderr, flush=True)

    return show


def _packages() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    names = ("planlib", "pandas", "numpy", "statsmodels", "matplotlib", "papermill", "nbconvert", "pyarrow")
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def _git(folder: Path) -> dict[str, Any]:
    """Return the commit and whether the tree differs from it; nulls outside a checkout or without git."""

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    status = ask("status", "--porcelain")
    return {"git_commit": ask("rev-parse", "HEAD"), "git_is_dirty": None if status is None else bool(status)}

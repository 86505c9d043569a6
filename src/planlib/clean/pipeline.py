"""From a district's folder to its processed set, in order: files, cells, values, tables, one swap."""

import contextlib
import functools
import gc
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pandas as pd

from planlib import freshness, paths, schema, store
from planlib.clean import cache
from planlib.clean import issues as issue_list
from planlib.clean.issues import Issue
from planlib.clean.layout.recognise import KINDS
from planlib.clean.layout.workbook import framed, parse_workbooks
from planlib.clean.tables import returns
from planlib.clean.tables.accounts import account_frame, account_of_csv, account_of_returns
from planlib.clean.tables.check import check_tables
from planlib.clean.tables.collected import collected_table
from planlib.clean.tables.digests import slices
from planlib.clean.values import absent, campuses, correct, resolve, years
from planlib.clean.values.correct import Corrections
from planlib.clean.words.forms import Form, load_form
from planlib.registry.documents import read_document

Progress = Callable[[int, int, str], None]

RETURNS = "returns"
_BATCH = 200_000
_ONLY_READ = ["unit", "section"]
_NO_RETURNS = (
    "at least one workbook of returns (.xlsx, .xls, .et or .csv); "
    "`planlib new` puts empty ones to copy into templates/"
)
_READ_AS_IS = "read as it is now"
MAX_FILE_BYTES = 256 << 20
OF_RETURNS = ("schools", "lineage", "form_cells")
COLLECTED = tuple(name for name, table in schema.TABLES.items() if table.is_collected)


@dataclass(frozen=True)
class CleanResult:
    """What was cleaned.

    Attributes
    ----------
    district : str
    path : Path
        The processed set.
    counts : dict
        ``files``, ``workbooks``, ``workbooks_read`` (the others were known by their content), ``cells`` that hold
        something, ``values`` of the table of schools, and ``rows_<table>``.
    issues : DataFrame
        As issues.csv: level, file, sheet, cell, school, year, found, expected, done.
    accounts : DataFrame
        One row per sheet or CSV file: file, sheet, year, schools, and its cells by kind.
    schools : DataFrame
        ``year, school_type, schools``: how many schools of each type and year.
    """

    district: str
    path: Path
    counts: Mapping[str, int]
    issues: pd.DataFrame
    accounts: pd.DataFrame
    schools: pd.DataFrame


@dataclass(frozen=True)
class _Folder:
    """A district's folder as it was when the run began: contents by relative path, and one digest of the code."""

    district: str
    path: Path
    inputs: Mapping[str, str]
    sources: Sequence[Sequence[str]]
    code: str

    def workbooks(self) -> dict[str, str]:
        return {f: digest for f, digest in self.inputs.items() if _is_return(f) and f not in self.huge}

    def content(self, file: str) -> bytes | None:
        """Return a file's content, or None if it is gone or no longer what it was when the run began."""
        try:
            content = (self.path / file).read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == self.inputs[file] else None

    @functools.cached_property
    def huge(self) -> set[str]:
        """The files larger than any return; they are refused without being read."""
        return {file for file in self.inputs if _size(f"{self.path}/{file}") > MAX_FILE_BYTES}


def _size(file: str) -> int:
    """Return the size of a file, 0 of one that is gone; of thousands, so without an object for each path."""
    try:
        return os.stat(file).st_size  # noqa: PTH116
    except OSError:
        return 0


def clean_district(district: str, progress: Progress | None = None) -> CleanResult:
    """Read every raw file of a district and write its processed tables, all at once or not at all.

    Parameters
    ----------
    district : str
        A folder below ``data/raw``.
    progress : callable, optional
        Called as ``progress(done, total, file)`` after each workbook. By default a bar on a terminal, past one
        second.

    Returns
    -------
    CleanResult

    Raises
    ------
    UsageError
        If the district is unknown, or corrections.yml or a definition is wrong.
    FaultyData
        If the files have faults: all of them, with file, sheet, cell and school. The processed tables stay as they
        were; the exception's ``issues`` holds the whole list.
    """
    form, target = load_form(), paths.processed(district)
    listed = target.with_name(f"{district}.faults.csv")
    # The whole run stands within: a second one waits, and no one else changes the cache or the set meanwhile.
    with store.staged_set(target) as staging, _few_searches():
        place = _cache_place(district)
        place.mkdir(parents=True, exist_ok=True)  # there the hashes of files are noted
        folder = _Folder(district, paths.raw(district), **freshness.tables_inputs(district))
        corrections = correct.load_corrections(folder.path / correct.FILE, form)
        pieces, read = _pieces(folder, form, corrections, progress or _bar())
        collected, of_lines, lines_account = _collected(folder, corrections)
        every = {**{name: pieces[name] for name in OF_RETURNS}, **collected}
        issues = _joined(pieces["issues"], [*_folder_issues(folder, corrections), *of_lines])
        found = [*resolve.names_twice(every), *correct.confirmed(check_tables(every), issues)]
        if (issues["level"] == "error").any():
            # what could not be read would look as if it were absent: only what is wrong for certain is told beside it
            found = [issue for issue in found if issue.level == "error"]
        issues = _joined(issues, found)
        issue_list.refuse_faults(issues, district, listed)
        accounts = pd.concat([pieces["accounts"], lines_account], ignore_index=True)
        shown = _in_order(issues)
        _write(staging, folder, every, shown, accounts)
    counts = _counts(folder, every, accounts, read)
    return CleanResult(district, target, counts, shown, accounts, _by_type(every["schools"]))


@contextlib.contextmanager
def _few_searches() -> Iterator[None]:
    """Let Python look seldom for objects that hold each other: long lists of cells are no such, and each look costs."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _joined(issues: pd.DataFrame, more: list[Issue]) -> pd.DataFrame:
    return pd.concat([issues, issue_list.frame(more)], ignore_index=True)


def _is_return(file: str) -> bool:
    return file.startswith(f"{RETURNS}/")


def _folder_issues(folder: _Folder, corrections: Corrections) -> Iterator[Issue]:
    """Yield what is wrong with the folder itself: files missing, unknown, or leading out of it."""
    wanted, registered = [f"{name}.csv" for name in COLLECTED], _registered(folder)
    for file in sorted({*wanted, *registered} - set(folder.inputs)):
        if _leads_out(file):
            expected = "the name of a file in the district's folder, as returns/2021.xlsx"
            yield Issue("error", "outside", "sources.yml", found=file, expected=expected)
            continue
        if (folder.path / file).is_file():
            continue
        # what nobody announced was perhaps never kept: its chapters say so, the rest of a report is made
        level, done = ("error", "") if file in registered else ("warning", "no data")
        why = ", as sources.yml says" if file in registered else ""
        yield Issue(level, "missing file", file, expected=f"the file {folder.path / file}{why}", done=done)
    for file, written, found in freshness.changed_since_registered(folder.inputs, folder.sources):
        expected = f"SHA-256 {written:.8}…, as sources.yml says; if the change is meant, write the new one there"
        yield Issue("warning", "digest", file, found=f"SHA-256 {found:.8}…", expected=expected, done=_READ_AS_IS)
    if not any(map(_is_return, folder.inputs)):
        yield Issue("error", "missing file", f"{RETURNS}/", expected=_NO_RETURNS)
    home = folder.path.resolve()
    for file in folder.inputs:
        # no folder that is a link is looked into: only the file itself may lead out
        if (folder.path / file).is_symlink() and not (folder.path / file).resolve().is_relative_to(home):
            yield Issue("error", "outside", file, found=str((folder.path / file).resolve()))
        elif file in folder.huge:
            expected = f"at most {MAX_FILE_BYTES >> 20} MiB; one file for each year"
            yield Issue("error", "unreadable file", file, found="a larger file", expected=expected)
        elif file not in wanted and file != correct.FILE and not _is_return(file):
            yield Issue(
                "warning", "unreadable file", file, found="a file that planlib does not know", done="not read"
            )
    yield from _not_files(folder)
    yield from correct.missing_files(corrections, [*folder.inputs, *registered])


def _not_files(folder: _Folder) -> Iterator[Issue]:
    """Yield what looks like a file and is none: a link to a folder or to nothing, a pipe. It was not read."""
    for path in sorted(folder.path.rglob("*")):
        if path.is_file():
            continue
        relative = path.relative_to(folder.path)
        if (path.is_symlink() or not path.is_dir()) and not freshness.is_hidden(relative):
            found = f"a link to {path.readlink()}" if path.is_symlink() else "no file (a pipe or a device)"
            yield Issue("error", "outside", relative.as_posix(), found=found, expected="the file itself")


def _leads_out(file: str) -> bool:
    """Tell whether a written path may lead out of the folder it is to be in, on any system."""
    return ".." in PureWindowsPath(file).parts or bool(PureWindowsPath(file).anchor) or "\0" in file


def _registered(folder: _Folder) -> list[str]:
    """Return the files that sources.yml registers by their plain names (patterns promise no certain file)."""
    path = folder.path / "sources.yml"
    data = read_document(path).data if path.is_file() else []
    entries = data if isinstance(data, list) else (data or {}).get("sources", [])
    names = [str(entry["file"]) for entry in entries if isinstance(entry, dict) and "file" in entry]
    return [name for name in names if not set("*?[") & set(name) and not name.endswith("/")]


def _bar() -> Progress:
    """Return a progress bar on a terminal that shows itself past one second; elsewhere nothing, nor the library."""
    if not sys.stderr.isatty():
        return lambda *_: None
    from tqdm import tqdm

    bar = tqdm(delay=1, disable=None, file=sys.stderr, unit="file", leave=False)

    def show(done: int, total: int, file: str) -> None:
        bar.total = total
        bar.set_postfix_str(Path(file).name, refresh=False)
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return show


def _pieces(folder: _Folder, form: Form, corrections: Corrections, progress: Progress) -> tuple[cache.Pieces, int]:
    """Return what came of all workbooks, and how many were read: those whose content is known are not read again.

    What a correction speaks of, and what is faulty, is never kept. Where there are faults, the tables are of the files
    without any.
    """
    place = _cache_place(folder.district)
    key = cache.key(folder.code, sorted(corrections.not_collected, key=str))
    wanted, known = folder.workbooks(), cache.load(place, key)
    digests = dict(zip(known["files"]["file"], known["files"]["sha256"], strict=True)) if known else {}
    fresh = [file for file in wanted if digests.get(file) != wanted[file]]
    parts = _read_workbooks(folder, fresh, form, progress)
    claims, kept = cache.claims(parts), known
    if known:
        old = pd.concat([known["claims"], claims], ignore_index=True)
        changed = {*fresh, *(set(digests) - set(wanted)), *corrections.files(old)}
        touched = cache.reached(old, changed)
        again = [file for file in wanted if file in touched and file not in fresh]
        parts = cache.joined([parts, _read_workbooks(folder, again, form, progress)]) if again else parts
        fresh, kept = fresh + again, cache.without(known, touched)
    made = _of_returns(parts, form, corrections)
    sure, every = _sure(made, parts, form, corrections), cache.together(kept, made)
    if fresh or len(wanted) != len(digests):
        cache.save(place, key, every if sure is made else cache.together(kept, sure))
    if _are_spoilt(made["issues"]):
        every = {**cache.together(kept, sure), "issues": every["issues"]}
    return every, len(fresh)


def _are_spoilt(issues: pd.DataFrame) -> bool:
    """Tell whether errors may have changed or left out a value; a wrong total stands beside the values."""
    return bool(((issues["level"] == "error") & (issues["kind"] != resolve.TOTAL)).any())


def _cache_place(district: str) -> Path:
    return paths.processed(district).parent / ".cache" / district


def _of_returns(parts: Mapping[str, pd.DataFrame], form: Form, corrections: Corrections) -> cache.Pieces:
    made, met, account = tables_of_returns(parts, form, corrections)
    issues = _joined(_of_files(parts["issues"], corrections), met)
    files = parts["sheets"][["file", "sha256"]].drop_duplicates(ignore_index=True)
    claims = cache.claims(parts)
    if corrections.entries:
        claims = cache.with_mended(claims, made["lineage"])
    return {**made, "accounts": account, "issues": issues, "claims": claims, "files": files}


def _sure(
    made: cache.Pieces, parts: Mapping[str, pd.DataFrame], form: Form, corrections: Corrections
) -> cache.Pieces:
    """Return the pieces that may be kept: of files that no fault and no correction touches."""
    faults = made["issues"].loc[made["issues"]["level"] == "error", "file"]
    unsure = cache.reached(made["claims"], {*faults, *corrections.files(made["claims"])})
    if _are_spoilt(made["issues"]):  # the tables of the other files are made for themselves
        others = {name: frame[~frame["file"].isin(unsure)] for name, frame in parts.items()}
        return _of_returns(others, form, Corrections(not_collected=corrections.not_collected))
    return cache.without(made, unsure)


def _read_workbooks(
    folder: _Folder, files: Sequence[str], form: Form, progress: Progress
) -> dict[str, pd.DataFrame]:
    """Return cells, other figures, sheets and issues of some workbooks."""
    changed: set[str] = set()
    chunks, batch, held = [framed([])], [], 0
    parsed = parse_workbooks(_contents(folder, files, changed), form)
    for done, (file, one) in enumerate(zip(files, parsed, strict=True), 1):
        if file in changed:  # whatever else is wrong with it may be so no longer
            one.issues[:] = [Issue("error", "changed")]
        batch.append((one, file, folder.inputs[file]))
        held += sum(map(len, one.cells["row"])) + len(one.extra)
        # Frames are made for many files at once; lists of too many cells would fill the memory.
        if done == len(files) or held > _BATCH:
            chunks.append(framed(batch))
            batch, held = [], 0
        progress(done, len(files), file)
    return cache.joined(chunks)


def _contents(folder: _Folder, files: Sequence[str], changed: set[str]) -> Iterator[bytes]:
    """Yield the content of each file; those that are no longer what they were are noted, and empty."""
    for file in files:
        content = folder.content(file)
        if content is None:
            changed.add(file)
        yield content or b""


def _of_files(found: pd.DataFrame, corrections: Corrections) -> pd.DataFrame:
    """Return the issues of reading; an error at a cell that a correction speaks of is settled by it."""
    settled = {
        (entry.where["file"], entry.where.get("sheet"), entry.where.get("cell"))
        for entry in corrections.entries
        if "cell" in entry.where
    }
    at = [key in settled for key in zip(found["file"], found["sheet"], found["cell"], strict=True)]
    level = found["level"].where(~pd.Series(at, index=found.index, dtype=bool), "note")
    return found.assign(level=level)


def tables_of_returns(
    parts: Mapping[str, pd.DataFrame], form: Form, corrections: Corrections
) -> tuple[dict[str, pd.DataFrame], list[Issue], pd.DataFrame]:
    """Return the tables of schools and of birthplaces, every issue met on the way, and the account of cells.

    Parameters
    ----------
    parts : mapping
        ``cells``, ``extra``, ``sheets`` and ``issues`` of all workbooks, with ``file`` (`planlib.clean.cache.joined`).
    form : Form
    corrections : Corrections

    Returns
    -------
    (dict of DataFrame, list of Issue, DataFrame)
        If an issue is an error, the tables are empty; but for a wrong total, which changes no value.
    """
    sheets = years.with_own_years(parts["sheets"])
    issues = list(years.unsaid_years(parts["sheets"], parts["issues"]))
    cells = years.with_years(parts["cells"], sheets)
    cells, corrected = correct.correct_cells(cells, corrections, form)
    cells = cells.drop(columns=_ONLY_READ).assign(place=np.arange(len(cells), dtype="int32"))
    issues += corrected + resolve.unreadable(cells, form) + resolve.totals(cells, form)
    undated = ((cells["year"] == 0) & (cells["kind"] == "value")).to_numpy()
    if undated.any():  # beside sheets of several years, one without is of none of them
        cells = cells[~undated | ~cells["file"].isin(cells.loc[~undated, "file"].unique()).to_numpy()]
    values, silent, met = _values(cells, sheets, form, corrections)
    issues += resolve.with_strangers(met, parts["issues"], sheets)
    # a sheet without a year was refused; its values can stand in no table
    if _are_spoilt(issue_list.frame(issues)) or undated.any():
        nothing = {name: schema.empty(name) for name in OF_RETURNS}
        return nothing, issues, account_frame(sheets)
    rows = returns.stage_rows(values, silent)
    every = returns.every_value(values, rows)
    lineage = returns.lineage_table(every, rows, sheets, form)
    account, lost = account_of_returns(sheets, cells, every, lineage)
    made = {"schools": returns.schools_table(every, form), "lineage": lineage}
    others = returns.form_cells_table(years.with_years(parts["extra"], sheets))
    return {**made, "form_cells": others}, issues + lost, account


def _values(
    cells: pd.DataFrame, sheets: pd.DataFrame, form: Form, corrections: Corrections
) -> tuple[pd.DataFrame, pd.DataFrame, list[Issue]]:
    """Return one value for each school, year, stage and column, stages without any, and what spoke against it."""
    staged, issues = resolve.with_stages(cells, form)
    issues += resolve.missing_columns(cells, staged, sheets, form, corrections)
    issues += absent.missing_rows(staged, sheets, form, corrections)
    staged = campuses.with_campuses(resolve.summed(staged, form), form)
    values, repeated = resolve.duplicates(resolve.with_blanks(staged, form))
    values, added = campuses.added_up(values, staged, form)
    values, idle = resolve.without_idle_stages(values)
    silent, unknown = resolve.silent_stages(staged, values)
    return values, silent, issues + repeated + added + idle + unknown


def _collected(
    folder: _Folder, corrections: Corrections
) -> tuple[dict[str, pd.DataFrame], list[Issue], pd.DataFrame]:
    """Return the typed CSV files, their issues, and how many of their cells hold something."""
    made: dict[str, pd.DataFrame] = {}
    issues: list[Issue] = []
    accounts = []
    for name in COLLECTED:
        file = f"{name}.csv"
        made[name] = schema.empty(name)
        if file not in folder.inputs or file in folder.huge:
            continue
        content = folder.content(file)
        if content is None:
            issues.append(Issue("error", "changed", file))
            continue
        frame, found, cells = collected_table(name, content, corrections)
        issues += found
        made[name] = made[name] if frame is None else frame
        accounts.append(account_of_csv(file, cells))
    return made, issues, account_frame(pd.DataFrame(accounts, columns=["file", "sheet", *KINDS]))


def _in_order(issues: pd.DataFrame) -> pd.DataFrame:
    """Return issues as their table has them: errors, warnings, notes, each by file and sheet."""
    named = issues.rename(columns={"kind": "issue_kind"})
    shown = schema.conform(named[list(schema.TABLES["issues"].columns)], "issues")
    shown = shown.assign(_order=shown["level"].map({"error": 0, "warning": 1, "note": 2}))
    return shown.sort_values(["_order", "file", "sheet"], kind="stable", ignore_index=True).drop(columns="_order")


def _write(
    staging: Path,
    folder: _Folder,
    every: Mapping[str, pd.DataFrame],
    issues: pd.DataFrame,
    accounts: pd.DataFrame,
) -> None:
    for name, frame in every.items():
        schema.write_table(frame, name, staging / f"{name}.parquet", conformed=True)
    schema.write_csv(issues, staging / "issues.csv")
    schema.write_csv(accounts, staging / "accounts.csv")
    store.write_json(staging / "digests.json", _digests(folder, every, issues))


def _digests(folder: _Folder, every: Mapping[str, pd.DataFrame], issues: pd.DataFrame) -> dict[str, Any]:
    return {
        "schema_version": schema.SCHEMA_VERSION,
        "inputs": dict(folder.inputs),
        "sources": list(folder.sources),
        "code": folder.code,
        "tables": slices(every, issues),
    }


def _counts(
    folder: _Folder,
    every: Mapping[str, pd.DataFrame],
    accounts: pd.DataFrame,
    workbooks_read: int,
) -> dict[str, int]:
    return {
        "files": len(folder.inputs),
        "workbooks": len(folder.workbooks()),
        "workbooks_read": workbooks_read,
        "cells": int(accounts[list(KINDS)].to_numpy().sum()),
        "values": len(every["lineage"]),
        **{f"rows_{name}": len(frame) for name, frame in every.items()},
    }


def _by_type(schools: pd.DataFrame) -> pd.DataFrame:
    once = schools.drop_duplicates(["school_id", "year"])
    return once.groupby(["year", "school_type"]).size().rename("schools").reset_index()

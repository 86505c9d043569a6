"""Corrections that people wrote down: what, where, by whom and why, held to what the source said then.

A correction whose ``expect`` no longer stands in the source fails, so that it goes once the source is mended.
"""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planlib import schema
from planlib.clean import frames
from planlib.clean.issues import Issue
from planlib.clean.words.convert import Reading, number_wanted, raw_text, read_cell
from planlib.clean.words.forms import Form, Unit
from planlib.clean.words.headers import column_of
from planlib.clean.words.writing import code, compact, figure
from planlib.registry.documents import Document, read_document

FILE = "corrections.yml"
ACTIONS = ("drop", "override", "scale", "flag")

_KEYS = {"what", "where", "action", "value", "expect", "reason", "who", "date", "evidence"}
_NEEDED = ("what", "where", "action", "reason", "who")
_MENDED = ("school_id", "text", "step", "state")
_PLACES = ({"file", "sheet", "cell"}, {"school_id", "year"}, {"school_id", "year", "column"})
_PLACES_OF_CELLS = (*_PLACES, {"school_id", "year", "column", "stage"})
_WAYS: Mapping[str, Callable[[Any], Any]] = {"cell": compact, "school_id": code}
_TABLE_OF_FILE = {f"{name}.csv": table for name, table in schema.TABLES.items() if table.is_collected}


@dataclass(frozen=True)
class Correction:
    """One entry of corrections.yml, at a line of it; `number` counts from 1."""

    number: int
    line: int
    what: str
    where: Mapping[str, Any]
    action: str
    reason: str
    who: str
    value: Any = None
    expect: Any = None

    @property
    def is_of_line(self) -> bool:
        """Tell whether it is about lines of a CSV file."""
        return self.where.get("file") in _TABLE_OF_FILE or "line" in self.where

    def fault(self, said: str, expected: str) -> Issue:
        """Return what is wrong with it."""
        found = f"entry {self.number} ({self.what}): {said}"
        return Issue("error", "correction", FILE, cell=f"line {self.line}", found=found, expected=expected)


@dataclass(frozen=True)
class Corrections:
    """The entries, and the columns a district does not collect: (column, year or None for all)."""

    entries: tuple[Correction, ...] = ()
    not_collected: frozenset[tuple[str, int | None]] = frozenset()

    def files(self, claims: pd.DataFrame) -> set[str]:
        """Return the files that an entry speaks of: by name, or by a school of theirs, before or after it.

        Parameters
        ----------
        claims : DataFrame
            ``file, school_id, year``.
        """
        entries = [entry for entry in self.entries if not entry.is_of_line]
        named = {entry.where["file"] for entry in entries if "file" in entry.where}
        schools = {code(entry.where["school_id"]) for entry in entries if "school_id" in entry.where}
        schools |= {code(raw_text(entry.value)) for entry in entries if entry.action == "override"}
        return {*named, *claims.loc[claims["school_id"].isin(schools), "file"]}


def load_corrections(path: Path, form: Form) -> Corrections:
    """Read a district's corrections.yml; absent means none.

    Raises
    ------
    RegistryError
        If it is no YAML, an entry lacks a key or has an unknown one, or a place or action is not among the known
        ones. All faults at once, with their lines.
    """
    if not path.is_file():
        return Corrections()
    document = read_document(path)
    if not isinstance(document.data, dict):
        document.fault((), "a list", "the keys schema_version and corrections", "see docs/district.md")
    else:
        _check_file(document, form)
    document.raise_faults()
    entries = document.data.get("corrections") or []
    waivers = document.data.get("not_collected") or []
    lines = [document.line(("corrections", place)) for place in range(len(entries))]
    known = (_entry(n, line, entry) for n, (line, entry) in enumerate(zip(lines, entries, strict=True), 1))
    return Corrections(tuple(known), _not_collected(waivers))


def _entry(number: int, line: int, entry: Mapping[str, Any]) -> Correction:
    known: dict[str, Any] = {
        key: entry.get(key) for key in ("what", "where", "action", "reason", "who", "value", "expect")
    }
    if "expect" in entry and entry["expect"] is None:  # with nothing behind it: a cell with nothing in it
        known["expect"] = ""
    return Correction(number, line, **known | {"where": _by_columns(known["where"])})


def _by_columns(where: Any) -> Any:
    """Return a place in a CSV file by the names of columns, however its headers call them: 年份 is year."""
    table = _TABLE_OF_FILE.get(str(where.get("file"))) if isinstance(where, dict) else None
    if table is None:
        return where
    named = {column_of(table.name, text) or text: value for text, value in where.items()}
    if len(named) < len(where):  # 年份 and year: kept, and refused
        return where
    return named | (
        {"column": column_of(table.name, where["column"]) or where["column"]} if "column" in where else {}
    )


def _check_file(document: Document, form: Form) -> None:
    known = ("schema_version", "corrections", "not_collected")
    for key in set(document.data) - set(known):
        document.fault((key,), f"unknown key {key}", f"one of {', '.join(known)}", "remove or correct it")
    for part, check in (
        ("corrections", _entry_faults),
        ("not_collected", functools.partial(_waiver_faults, form)),
    ):
        entries = document.data.get(part) or []
        if not isinstance(entries, list):
            document.fault((part,), "no list", "a list of entries", "begin each entry with a dash")
            continue
        for place, entry in enumerate(entries):
            for what, expected in check(entry):
                document.fault((part, place), what, expected, "mend the entry")


def _entry_faults(entry: Any) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a correction and what was expected."""
    if not isinstance(entry, dict):
        yield "no mapping", f"the keys {', '.join(_NEEDED)}"
        return
    yield from (
        (f"unknown key {key}", f"one of {', '.join(sorted(_KEYS))}") for key in sorted(set(entry) - _KEYS, key=str)
    )
    yield from ((f"no {key}", f"the key {key}") for key in _NEEDED if not entry.get(key))
    action, where = entry.get("action"), entry.get("where")
    if action and action not in ACTIONS:
        yield f"action {action}", f"one of {', '.join(ACTIONS)}"
    if where and not _is_place(_by_columns(where)):
        expected = "file, sheet, cell; or school_id, year, column, stage; or file with line or key, and column"
        yield f"where: {where}", expected
    yield from _value_faults(entry)


def _is_place(where: Any) -> bool:
    """Tell whether a place is one: a cell, a figure of a school, or lines of a CSV file by number or by its columns."""
    if not isinstance(where, dict) or set(where) in _PLACES_OF_CELLS:
        return isinstance(where, dict)
    table = _TABLE_OF_FILE.get(str(where.get("file")))
    if table is None:
        return set(where) in ({"file", "line"}, {"file", "line", "column"})
    named = set(where) - {"file", "column"}
    return bool(named) and named <= set(table.columns) and where.get("column", table.columns[0]) in table.columns


def _value_faults(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    action, value = entry.get("action"), entry.get("value")
    if action in ("override", "scale") and value is None:
        yield "no value", f"the value for {action}" + (" ('' for an empty cell)" if action == "override" else "")
    elif action == "override" and isinstance(value, (dict, list)):
        yield f"value {value}", "a text or a number"
    if action in ("drop", "override", "scale") and "expect" not in entry:
        yield "no expect", "the text that stands in the source now, so that the correction goes once it is mended"
    if action == "scale" and value is not None and not _is_factor(value):
        yield f"value {value}", "a number to multiply by"


def _is_factor(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _waiver_faults(form: Form, entry: Any) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an entry of not_collected and what was expected."""
    if not isinstance(entry, dict) or set(entry) - {"columns", "years", "reason", "who"}:
        yield "an entry of not_collected", "columns, reason, who, perhaps years"
        return
    for key in ("columns", "reason", "who"):
        if not entry.get(key):
            yield f"no {key}", f"the key {key}"
    columns, years = entry.get("columns") or [], entry.get("years") or []
    if not isinstance(columns, list):
        yield f"columns {columns}", "a list of columns"
        columns = []
    if not isinstance(years, list) or not all(type(year) is int for year in years):
        yield f"years {years}", "a list of years"
    unknown = [column for column in columns if not isinstance(column, str) or column not in form.columns]
    yield from ((f"unknown column {column}", "a column of forms/collection.yml") for column in unknown)


def _not_collected(entries: Sequence[Mapping[str, Any]]) -> frozenset[tuple[str, int | None]]:
    return frozenset(
        (column, year) for entry in entries for column in entry["columns"] for year in entry.get("years") or [None]
    )


def correct_cells(cells: pd.DataFrame, corrections: Corrections, form: Form) -> tuple[pd.DataFrame, list[Issue]]:
    """Apply the corrections that are about cells of workbooks.

    Parameters
    ----------
    cells : DataFrame
        Long cells of all workbooks with ``file`` and ``year``.
    corrections : Corrections
    form : Form

    Returns
    -------
    (DataFrame, list of Issue)
        The cells with two columns more: ``read`` (the number before any correction) and ``is_dropped``. Every
        correction leaves an issue: a note, a warning (flag), or an error if it does not fit.
    """
    result = cells.assign(read=cells["number"], is_dropped=False)
    entries = [entry for entry in corrections.entries if not entry.is_of_line]
    if not entries:
        return result, []
    result = result.astype(dict.fromkeys(_MENDED, "str"))  # what is written is perhaps none of the words known
    issues = [issue for entry in entries for issue in _apply_to_cells(result, entry, form)]
    return result.astype(dict.fromkeys(_MENDED, "category")), issues


def _apply_to_cells(cells: pd.DataFrame, entry: Correction, form: Form) -> list[Issue]:
    """Apply one correction in place."""
    where = {key: _WAYS.get(key, lambda same: same)(value) for key, value in entry.where.items()}
    match = (cells["kind"] == "value") | ("cell" in where)
    for key, value in where.items():
        match &= cells[key] == value
    rows = cells.index[match]
    if "file" in where and not (cells["file"] == where["file"]).any():
        return []  # a file that is absent or could not be read is a fault of its own
    if not len(rows):
        return [entry.fault(f"no such cell: {_place(entry)}", "a cell of a school or a total")]
    holds = "raw" if {"column", "cell"} & set(where) else "school_id"
    found = frames.as_texts(cells.loc[rows, ["stage", holds]].drop_duplicates())
    first = found[holds].iloc[0]
    is_one = len(set(found["stage"])) == 1 and all(_same(text, first) for text in found[holds])
    if "column" in where and entry.action != "flag" and not is_one:
        said = "、".join(f"{stage} {text}".strip() for stage, text in found.itertuples(index=False))
        return [
            entry.fault(f"{_place(entry)} is several figures: {said}", "stage, or file, sheet and cell, in where")
        ]
    if entry.expect is not None and not _same(first, entry.expect):
        return [entry.fault(f"{_place(entry)} now holds {first!r}", f"{entry.expect!r}; the source was mended?")]
    return [_CELL_ACTIONS[entry.action](cells, rows, entry, form)]


def _place(entry: Correction) -> str:
    return ", ".join(f"{key} {value}" for key, value in entry.where.items())


def _same(found: Any, expected: Any) -> bool:
    """Tell whether a text is the expected one, spaces and the way a number is written aside."""
    texts = (compact(found), compact(expected))
    if texts[0] == texts[1]:
        return True
    try:
        return float(texts[0].replace(",", "")) == float(texts[1].replace(",", ""))
    except ValueError:
        return False


def _applied(cells: pd.DataFrame, rows: pd.Index, entry: Correction, done: str, level: str = "note") -> Issue:
    first = cells.loc[rows[0]]
    where = {"file": first["file"], "sheet": first["sheet"], "cell": first["cell"]}
    school = {"school": first["school_id"], "year": str(first["year"] or "")}
    said = f"{done} (correction {entry.number}: {entry.reason}; {entry.who})"
    return Issue(level, "correction", **where, **school, found=first["raw"], done=said, subject=first["column"])


def _add_step(cells: pd.DataFrame, rows: pd.Index, entry: Correction, done: str) -> None:
    step = f"{done} (correction {entry.number}: {entry.reason}; {entry.who})"
    cells.loc[rows, "step"] = (cells.loc[rows, "step"] + "; " + step).str.removeprefix("; ")


def _drop(cells: pd.DataFrame, rows: pd.Index, entry: Correction, _form: Form) -> Issue:
    """Drop a value; at the cell of a school's code, its row of that sheet; without a column, the school."""
    first = cells.loc[rows[0]]
    if "cell" in entry.where and first["column"] == "school_id":
        same = ["file", "sheet", "row"]
        rows = cells.index[(cells[same] == first[same].to_list()).all(axis=1)]
    done = f"dropped {len(rows)} cells" if len(rows) > 1 else "dropped"
    cells.loc[rows, "is_dropped"] = True
    return _applied(cells, rows, entry, done)


def _override(cells: pd.DataFrame, rows: pd.Index, entry: Correction, form: Form) -> Issue:
    """Read another text in the place of the cell's own, in the cell's own unit."""
    first = cells.loc[rows[0]]
    column = form.columns[first["column"]]
    unit = form.units.get(first["unit"], Unit("", column.unit.measures, 1.0))
    is_number = isinstance(entry.value, (int, float)) and not isinstance(entry.value, bool)
    value = float(entry.value) if is_number else entry.value if isinstance(entry.value, bool) else str(entry.value)
    reading: Reading = read_cell(value, column, unit, form)
    if reading.state == "unreadable":
        return entry.fault(f"the value {entry.value!r} cannot be read as {column.name}", reading.step)
    cells.loc[rows, ["number", "text", "state"]] = [reading.number, reading.text, reading.state]
    if column.name == "school_id":
        cells.loc[_same_rows(cells, rows), "school_id"] = reading.text
    done = f"read as {entry.value}"
    _add_step(cells, rows, entry, done)
    return _applied(cells, rows, entry, done)


def _same_rows(cells: pd.DataFrame, rows: pd.Index) -> np.ndarray:
    """Tell of each cell whether it stands in the row of one of some cells: a school may stand in several sheets."""
    places = pd.MultiIndex.from_frame(cells[["file", "sheet", "row"]])
    return places.isin(places[cells.index.get_indexer(rows)])


def _scale(cells: pd.DataFrame, rows: pd.Index, entry: Correction, form: Form) -> Issue:
    """Multiply a number, as where yuan stand in a column of 万元."""
    if cells.loc[rows, "number"].isna().any():
        return entry.fault(f"{_place(entry)} holds no number", "a number to scale")
    scaled = (cells.loc[rows, "number"] * float(entry.value)).round(6)
    column = form.columns[cells.loc[rows[0], "column"]]
    wanted = number_wanted(float(scaled.iloc[0]), column)
    if wanted:
        said = f"the value {scaled.iloc[0]:.10g} cannot be read as {column.name}"
        return entry.fault(said, wanted)
    cells.loc[rows, "number"] = scaled
    done = f"× {entry.value:g}"
    _add_step(cells, rows, entry, done)
    return _applied(cells, rows, entry, done)


def _flag(cells: pd.DataFrame, rows: pd.Index, entry: Correction, _form: Form) -> Issue:
    """Keep the value and warn whoever reads the report."""
    _add_step(cells, rows, entry, f"flagged: {entry.what}")
    return _applied(cells, rows, entry, f"kept, flagged: {entry.what}", "warning")


_CELL_ACTIONS: Mapping[str, Callable[[pd.DataFrame, pd.Index, Correction, Form], Issue]] = {
    "drop": _drop,
    "override": _override,
    "scale": _scale,
    "flag": _flag,
}


def correct_lines(rows: pd.DataFrame, file: str, corrections: Corrections) -> tuple[pd.DataFrame, list[Issue]]:
    """Apply the corrections that are about lines of a CSV file.

    Parameters
    ----------
    rows : DataFrame
        Texts as they stand, with ``line``.
    file : str
        As `where` names it.
    corrections : Corrections

    Returns
    -------
    (DataFrame, list of Issue)
    """
    issues: list[Issue] = []
    for entry in corrections.entries:
        if entry.is_of_line and entry.where["file"] == file:
            rows, issue = _apply_to_line(rows, entry)
            issues.append(issue)
    return rows, issues


def _apply_to_line(rows: pd.DataFrame, entry: Correction) -> tuple[pd.DataFrame, Issue]:
    """Apply one correction; what it is held to is its column, else the first column of the line."""
    column = entry.where.get("column")
    named = {key: value for key, value in entry.where.items() if key not in ("file", "column")}
    if set(named) | ({column} if column else set()) <= set(rows.columns):
        is_here = pd.Series(True, index=rows.index)
        for key, value in named.items():
            is_here &= rows[key].map(lambda text, wanted=value: _same(text, wanted))
        at = rows.index[is_here]
    else:
        at = rows.index[:0]
    if not len(at):
        return rows, entry.fault(f"no such place: {_place(entry)}", "a line and column of the file")
    if len(at) > 1:
        lines = ", ".join(str(line) for line in rows.loc[at, "line"].head(3))
        return rows, entry.fault(f"{_place(entry)} fits {len(at)} lines: {lines}", "one line of the file")
    found = str(rows.loc[at[0], column or rows.columns[0]])
    if entry.expect is not None and not _same(found, entry.expect):
        said = f"{_place(entry)} now holds {found!r}"
        return rows, entry.fault(said, f"{entry.expect!r}; the source was mended?")
    if entry.action in ("override", "scale") and column is None:
        return rows, entry.fault("where names no column", "file, line, column")
    if entry.action == "scale" and _number(found) is None:
        return rows, entry.fault(f"{_place(entry)} holds no number", "a number to scale")
    return _line_changed(rows, at, entry, found), _line_applied(rows, at, entry, found)


def _line_changed(rows: pd.DataFrame, at: pd.Index, entry: Correction, found: str) -> pd.DataFrame:
    column = entry.where.get("column")
    if entry.action == "flag":
        return rows
    if column is None:
        return rows.drop(index=at)
    rows = rows.copy()
    rows.loc[at, column] = _line_value(entry, found)
    return rows


def _line_applied(rows: pd.DataFrame, at: pd.Index, entry: Correction, found: str) -> Issue:
    done, level = _line_done(entry)
    first = rows.loc[at[0]]
    year = compact(first.get("year", ""))
    about = {"school": str(first.get("school_id", "")), "year": year if year.isdecimal() else ""}
    said = f"{done} (correction {entry.number}: {entry.reason}; {entry.who})"
    where = {"file": str(entry.where["file"]), "cell": f"line {first['line']}"}
    subject = entry.where.get("column", "")
    return Issue(level, "correction", **where, **about, found=found, done=said, subject=subject)


def _number(text: str) -> float | None:
    found = figure(text)
    return float(found.digits) if found and not found.relation and not found.word else None


def _line_done(entry: Correction) -> tuple[str, str]:
    said = {
        "drop": "dropped" if "column" in entry.where else "dropped the line",
        "override": f"read as {entry.value}",
        "scale": f"× {entry.value:g}" if entry.action == "scale" else "",
        "flag": f"kept, flagged: {entry.what}",
    }
    return said[entry.action], "warning" if entry.action == "flag" else "note"


def _line_value(entry: Correction, found: str) -> str:
    if entry.action == "drop":
        return ""
    if entry.action == "scale":
        return repr(round((_number(found) or 0.0) * float(entry.value), 6))
    return str(entry.value)


def missing_files(corrections: Corrections, known: Sequence[str]) -> list[Issue]:
    """Return a fault for each correction of a file that the district does not have."""
    return [
        entry.fault(f"no file {entry.where['file']}", "a file of the district's folder")
        for entry in corrections.entries
        if "file" in entry.where and entry.where["file"] not in known
    ]


def confirmed(found: Sequence[Issue], issues: pd.DataFrame) -> list[Issue]:
    """Return what the rules found, an error about a flagged figure as a warning: someone asked, and it is right.

    Parameters
    ----------
    found : sequence of Issue
        Of `planlib.clean.tables.check.check_tables`.
    issues : DataFrame
        What was met before; flags are the warnings of kind ``correction``.
    """
    flags = issues[(issues["kind"] == "correction") & (issues["level"] == "warning")]
    places = set(zip(flags["file"], flags["sheet"], flags["cell"], strict=True))
    return [
        replace(issue, level="warning", done="kept")
        if issue.level == "error" and any((issue.file, issue.sheet, c) in places for c in issue.cell.split("+"))
        else issue
        for issue in found
    ]

"""Values to the processed tables: schools by stage and year, the birthplace of each value, the typed CSV files."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from planlib import schema
from planlib.clean.correct import Corrections, correct_lines
from planlib.clean.forms import Form, compact, tidy
from planlib.clean.issues import Issue
from planlib.clean.read import read_csv
from planlib.errors import DataError

_KEY = ["school_id", "stage", "year"]
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_DAY = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_FAULT = re.compile(r"(?:\S+ line (\d+): )?(.*?)(?:, expected (.*?))?( \([^()]*\))?")


def stage_rows(values: pd.DataFrame, silent: pd.DataFrame) -> pd.DataFrame:
    """Return one row per school, stage and year that the returns speak of, with the cell of the school's type.

    Parameters
    ----------
    values : DataFrame
        Resolved values of all workbooks.
    silent : DataFrame
        ``school_id, stage, year`` of stages of which nothing is known (`planlib.clean.resolve.silent_stages`).

    Returns
    -------
    DataFrame
        ``school_id, stage, year, file, sheet, cell, raw``, the last four of the cell that names the type.
    """
    keys = pd.concat([values.loc[values["stage"] != "", _KEY], silent[_KEY]], ignore_index=True).drop_duplicates()
    types = values.loc[values["column"] == "school_type", ["school_id", "year", "file", "sheet", "cell", "raw"]]
    return keys.merge(types, on=["school_id", "year"], how="left")


def every_value(values: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per value of the table of schools: figures of a whole school once for each of its stages."""
    by_stage = values[values["stage"] != ""]
    whole = values[values["stage"] == ""].drop(columns="stage").merge(rows[_KEY], on=["school_id", "year"])
    return pd.concat([whole[by_stage.columns], by_stage], ignore_index=True)


def schools_table(every: pd.DataFrame, form: Form) -> pd.DataFrame:
    """Return the wide table of schools.

    Parameters
    ----------
    every : DataFrame
        One row per value (`every_value`).
    form : Form

    Returns
    -------
    DataFrame
        As `planlib.schema` declares ``schools``.
    """
    is_text = every["column"].isin([n for n, c in form.columns.items() if c.type in ("text", "code")])
    texts = _wide(every[is_text], "text")
    numbers = _wide(every[~is_text], "number")
    wide = texts.join(numbers, how="outer").reset_index()
    wide["as_of"] = wide["year"].astype("str") + f"-{form.as_of}"
    return schema.conform(wide, "schools")


def _wide(values: pd.DataFrame, source: str) -> pd.DataFrame:
    columns = [name for name in values["column"].unique() if name not in _KEY]
    shown = values[values["column"].isin(columns)]
    return shown.pivot(index=_KEY, columns="column", values=source)  # noqa: PD010 - keys are unique: no means


def lineage_table(every: pd.DataFrame, rows: pd.DataFrame, sheets: pd.DataFrame, form: Form) -> pd.DataFrame:
    """Return the birthplace of every value of the table of schools, keys and dates included.

    A year and an ``as_of`` stand in a title, a stage follows from the type of the school.
    """
    titles = sheets[sheets["year"].notna()].drop_duplicates("file").set_index("file")
    titled = rows.drop(columns=["sheet", "cell", "raw"]).join(
        titles[["sheet", "title_cell", "title_text"]].rename(columns={"title_cell": "cell", "title_text": "raw"}),
        on="file",
    )
    parts = [
        every,
        titled.assign(column="year", step="year of the title"),
        titled.assign(column="as_of", step=f"year of the title, {form.as_of}"),
        rows.assign(column="stage", step="stage of the header or of the type"),
    ]
    names = [name for name in schema.TABLES["lineage"].columns if name != "table"]
    born = pd.concat([part[names] for part in parts], ignore_index=True).assign(table="schools")
    return schema.conform(born, "lineage")


def collected_table(
    name: str, content: bytes, corrections: Corrections
) -> tuple[pd.DataFrame | None, list[Issue], int]:
    """Return a CSV file that a district brings as its typed table.

    Parameters
    ----------
    name : str
        Table; the file is ``<name>.csv``.
    content : bytes
    corrections : Corrections

    Returns
    -------
    (DataFrame or None, list of Issue, int)
        The table (None if it has faults), the issues, and how many cells of the file hold something.
    """
    file = f"{name}.csv"
    try:
        rows, lines, encoding = read_csv(content)
    except DataError as error:
        return None, [Issue("error", "unreadable file", file, found=str(error))], 0
    cells = sum(bool(compact(cell)) for row in rows for cell in row)
    issues = [] if encoding == "utf-8-sig" else [_foreign_encoding(file, encoding)]
    faults = _header_faults(name, file, rows) or _width_faults(file, rows, lines)
    if faults:
        return None, issues + faults, cells
    frame = _frame(rows, lines, file)
    frame, corrected = correct_lines(frame, file, corrections)
    issues += corrected
    if any(issue.level == "error" for issue in corrected):
        return None, issues, cells
    try:
        return schema.conform(_typed(frame), name), issues, cells
    except DataError as error:
        said = [line.strip() for line in str(error).splitlines()[1:] if not line.startswith("To do")]
        return None, issues + [_of_table(file, line) for line in said], cells


def _foreign_encoding(file: str, encoding: str) -> Issue:
    return Issue("note", "table", file, found=f"text in {encoding}", expected="UTF-8", done=f"read as {encoding}")


def _of_table(file: str, said: str) -> Issue:
    """Return a fault that the schema found, with its line apart."""
    found = _FAULT.fullmatch(said)
    line, what, expected, key = found.groups(default="") if found else ("", said, "", "")
    return Issue("error", "table", file, cell=f"line {line}" if line else "", found=what + key, expected=expected)


def _header_faults(name: str, file: str, rows: list[list[str]]) -> list[Issue]:
    wanted = [c for c in schema.TABLES[name].columns if c not in ("file", "line")]
    header = [compact(cell) for cell in rows[0]] if rows else []
    absent = [c for c in wanted if c not in header]
    unknown = [c for c in header if c not in wanted] + [c for c in wanted if header.count(c) > 1]
    if not absent and not unknown:
        return []
    said = [
        f"without {', '.join(absent)}" if absent else "",
        f"unknown or twice: {', '.join(unknown)}" if unknown else "",
    ]
    return [
        Issue(
            "error",
            "header row",
            file,
            cell="line 1",
            found="; ".join(filter(None, said)),
            expected=",".join(wanted),
        )
    ]


def _width_faults(file: str, rows: list[list[str]], lines: list[int]) -> list[Issue]:
    width = len(rows[0]) if rows else 0
    return [
        Issue("error", "table", file, cell=f"line {line}", found=f"{len(row)} cells", expected=f"{width} cells")
        for row, line in zip(rows, lines, strict=True)
        if len(row) != width and any(compact(cell) for cell in row)
    ]


def _frame(rows: list[list[str]], lines: list[int], file: str) -> pd.DataFrame:
    held = [(row, line) for row, line in zip(rows[1:], lines[1:], strict=True) if any(map(compact, row))]
    frame = pd.DataFrame([row for row, _ in held], columns=[compact(cell) for cell in rows[0]], dtype="str")
    return frame.assign(file=file, line=np.array([line for _, line in held], dtype="int64"))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return texts tidied by the type of their column: plain digits, ISO dates, names without noise."""
    known = schema.fields()
    tidied = {name: _tidied(frame[name], known[name]) for name in frame.columns if name not in ("file", "line")}
    return frame.assign(**tidied)


def _tidied(texts: pd.Series, field: schema.Field) -> pd.Series:
    if field.type == "date":
        return _by_text(texts, _iso_date)
    if field.type == "string":
        return _by_text(texts, compact if field.values or field.name.endswith("_id") else tidy)
    return _by_text(texts, _number)


def _by_text(texts: pd.Series, rule: Callable[[str], Any]) -> pd.Series:
    """Apply a rule once to each different text."""
    unique = {text: rule(text) for text in texts.unique()}
    return pd.Series([unique[text] for text in texts], index=texts.index, dtype=object)


def _number(text: str) -> float | str | None:
    """Return a number, None for a blank, or the text as it is: the schema then says what is wrong with it."""
    plain = compact(text)
    if not plain:
        return None
    digits = plain.replace(",", "") if _THOUSANDS.fullmatch(plain) else plain
    return float(digits) if _NUMBER.fullmatch(digits) else plain


def _iso_date(text: str) -> str:
    """Return a day as YYYY-MM-DD if it is written as year, month and day, else the text as it is."""
    plain = compact(text)
    found = _DAY.fullmatch(plain)
    return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}" if found else plain

"""A column of a frame: how it is headed and written for a reader, and what it is as typed data."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from planlib import schema
from planlib.registry import label, load_definitions
from planlib.words import date_text, has_words, is_missing, number, percent, resource_name, visible

SCHEMA_VERSION = 1
TABLE_MIME = "application/vnd.planlib.table+json"
FIGURE_MIME = "application/vnd.planlib.figure+json"
# What says which row it is, or in which unit, although the reader's table does not show it.
_KEYS = {"stage", "year", "grade", "resource", "area", "item", "subject", "check", "unit"}


@dataclass(frozen=True)
class Column:
    """How one column of a frame is shown.

    Attributes
    ----------
    name : str
        Column of the frame.
    header : str
        A key of the group ``table`` in ``definitions/narrative.yml``, shown in the report's language.
    form : str
        ``text``, ``long`` (a wide text), ``number``, ``figure`` (a number already written), ``percent`` (of a share),
        ``date``, ``iso`` (a date left as it is), ``year``, or ``label:<group>`` for a code.
    decimals : int or None
        For numbers; None lets the number decide.
    value : str
        The frame's column with the unrounded number where `name` holds it already written; ``""`` for none.
    """

    name: str
    header: str
    form: str = "text"
    decimals: int | None = None
    value: str = ""

    @property
    def is_number(self) -> bool:
        """Whether the column is set flush right."""
        return self.form in {"number", "figure", "percent", "year"}


def guess(frame: pd.DataFrame, name: str, language: str, decimals: int | None = None) -> Column:
    """Return how a column of any frame is shown, by its name and type.

    Parameters
    ----------
    frame : DataFrame
    name : str
        One of its columns.
    language : {"zh", "en"}
    decimals : int, optional
        Of numbers that are not whole; without it the number decides.

    Examples
    --------
    >>> guess(pd.DataFrame({"within_share": [0.25]}), "within_share", "en").form
    'percent'
    """
    column = frame[name]
    return Column(name, header(name, language), _form(column, name), _decimals(column, name, decimals))


_CODED = {"level": "issue_level", "next_grade": "grade"}


def _form(column: pd.Series, name: str) -> str:
    """Choose how a column is shown by its name and type; codes get their words where all of them have one."""
    if name == "year" or name.endswith("_year"):
        return "year"
    if name in ("resource", "state", "rule", "choice"):
        return name
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        group = _CODED.get(name, name)
        values = set(column.dropna().astype("str")) - {""}
        return f"label:{group}" if values and has_words(group, values) else "text"
    return "percent" if name.endswith("_share") else "number"


def _decimals(column: pd.Series, name: str, asked: int | None) -> int | None:
    is_plain = _form(column, name) == "number" and pd.api.types.is_float_dtype(column)
    return asked if is_plain else None


def header(name: str, language: str) -> str:
    """Return a column's header: of a report's tables, else of the registry of fields, else its own name.

    Examples
    --------
    >>> header("classes", "en"), header("bricks", "en")
    ('Classes', 'bricks')
    """
    bare = {"name_zh": "name", "name_en": "name", "area_en": "area"}.get(name, name)
    entry = _headers().get(bare)
    if entry:
        return str(entry[language])
    return schema.label(name, language, with_unit=True) if name in schema.fields() else name


def show(value: Any, column: Column, language: str) -> str:
    """Write one value as its column's form and the language ask.

    Examples
    --------
    >>> show(0.4213, Column("progress", "progress", "percent"), "zh")
    '42.1%'
    >>> show("2022-09-01", Column("as_of", "as_of", "date"), "en")
    '1 September 2022'
    """
    if is_missing(value) or value == "":
        return "—"
    if column.form == "percent":
        return percent(value, language, 1 if column.decimals is None else column.decimals)
    if column.form == "number":
        return number(value, language, column.decimals)
    if column.form == "year":
        return str(int(value))
    if column.form == "date":
        return write_date(value, language)
    if column.form == "resource":
        return resource_name(str(value), language)
    if column.form == "state":
        return str(load_definitions("standards")["states"][value][language])
    if column.form in ("rule", "choice"):
        return _chosen(str(value), language)
    if column.form.startswith("label:"):
        # of a unit that has two words the one for many
        return label(str(value), language, column.form.removeprefix("label:")).rpartition("|")[2]
    return str(value)


def _chosen(code: str, language: str) -> str:
    """Write a rule of the sensitivity table, or one choice of it (``rule=choice``), as ``standards.yml`` names it."""
    rule, _, choice = code.partition("=")
    about = load_definitions("standards")["choices"].get(rule, {})
    if not choice:
        return str(about.get("label", {}).get(language, rule))
    return str(about.get("values", {}).get(choice, {}).get(language, choice))


def write_date(value: str | dt.date, language: str) -> str:
    """Write a day as the language does.

    Examples
    --------
    >>> write_date("2022-12-31", "zh"), write_date(dt.date(2022, 12, 31), "en")
    ('2022年12月31日', '31 December 2022')
    """
    return date_text(value.isoformat() if isinstance(value, dt.date) else str(value), language)


def typed(frame: pd.DataFrame, columns: Sequence[Column], headers: Sequence[str], language: str) -> dict[str, Any]:
    """Return a frame as plain values: what a program reads where a person reads the table.

    Parameters
    ----------
    frame : DataFrame
    columns : sequence of Column
    headers : sequence of str
        As printed, one a column.
    language : {"zh", "en"}

    Returns
    -------
    dict
        ``columns`` (name, header, form, decimals, unit), ``rows`` (unrounded; floats at ten significant digits, so
        that another processor's last bit is no difference; None for missing), ``shown`` (the printed texts of
        columns that have a number behind them), ``keys`` (columns that name the row but are not printed).

    Examples
    --------
    >>> table = typed(pd.DataFrame({"stage": ["primary"], "cv": [1 / 3]}), [Column("cv", "cv", "number", 2)], ["CV"], "en")
    >>> table["rows"], table["keys"]
    ([[0.3333333333]], {'stage': ['primary']})
    """
    sources = [c.value or c.name for c in columns]
    taken = {*sources, *(c.name for c in columns)}
    # in the order a saved notebook has: its keys are sorted
    keys = sorted(str(c) for c in frame.columns if c not in taken and (c in _KEYS or str(c).endswith("_id")))
    cells = [[plain(value) for value in frame[name]] for name in sources]
    return {
        "columns": [
            {
                "name": name,
                "header": visible(head),
                "form": "figure" if c.value else c.form,
                "decimals": c.decimals,
                "unit": _unit(name, language),
            }
            for name, c, head in zip(sources, columns, headers, strict=True)
        ],
        "rows": [list(row) for row in zip(*cells, strict=True)],
        "shown": {c.value: [visible(str(text)) for text in frame[c.name]] for c in columns if c.value},
        "keys": {key: [plain(value) for value in frame[key]] for key in keys},
    }


def plain(value: Any) -> Any:
    """Return a cell as JSON has it: text, whole number, number at ten significant digits, truth, or None.

    Examples
    --------
    >>> plain(np.float64(2 / 3)), plain(np.int64(3)), plain(float("nan")), plain(1e-17), plain(dt.date(2022, 9, 1))
    (0.6666666667, 3, None, 0.0, '2022-09-01')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and np.isfinite(value):
        # what is left of a sum of opposites is no number: it differs between processors
        return float(f"{value:.10g}") if abs(value) > 1e-12 else 0.0
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, bool | int):
        return value
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list | tuple | dict | set):
        return visible(str(value))
    return None if is_missing(value) else visible(str(value))


def _unit(name: str, language: str) -> str:
    return schema.unit(name, language) if name in schema.fields() else ""


@cache
def _headers() -> dict[str, Any]:
    return dict(load_definitions("narrative")["table"])

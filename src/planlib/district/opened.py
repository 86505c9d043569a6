"""Open a district as it was known on a day, every value traceable."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from planlib import freshness, paths, schema
from planlib.district.known import Known, known_rows
from planlib.district.origins import Origin, origin
from planlib.errors import DataError, UsageError, listing
from planlib.registry import Plan, load_plan
from planlib.registry.documents import did_you_mean

TABLES = ("schools", "observations", "enrolment", "births", "milestones", "projects", "finance")


@dataclass(frozen=True)
class District(Known):
    """A district on a day: what is known of it, and where each value comes from."""

    def origin(self, rows: Mapping[str, Any] | pd.Series | pd.DataFrame, column: str) -> Origin:
        """Show where a value comes from: how it is computed, and the cells of raw files it rests on.

        Parameters
        ----------
        rows : mapping, Series or DataFrame
            A row (or rows) of any table of the district, of the pure rooms or of a report, with the columns that
            identify it: ``school_id`` (with ``stage``, ``year``, ``resource``), ``series_id``, ``commitment_id``,
            ``project_id``, ``item`` and ``year``, ``resource`` (with ``stage``, ``year``), ``area``, ``stage`` and
            ``year``, ``file`` and ``line``, or ``file``, ``sheet``, ``cell`` and ``form`` (of `form_cells`).
        column : str
            The column that holds the value.

        Returns
        -------
        Origin
            ``narrative.origin`` shows it in words.

        Raises
        ------
        UsageError
            If nothing identifies the row, or nothing is known of it.
        """
        return origin(self, rows, column)

    def trace(self, table: str, year: int, school_id: str, column: str, stage: str | None = None) -> pd.DataFrame:
        """Show the birthplace of a value of a school: `origin` by its key.

        Parameters
        ----------
        table : str
            ``schools``.
        year : int
        school_id, column : str
        stage : str, optional
            Where a school has several; all of them without it.

        Returns
        -------
        DataFrame
            ``stage, value, file, sheet, cell, raw, step``.

        Raises
        ------
        UsageError
            If there is no such value; says what there is.
        """
        if table not in self.tables:
            raise UsageError(f"Unknown table {table!r}.\nTo do: {did_you_mean(table, self.tables)}")
        row = {"school_id": school_id, "year": year, "stage": stage}
        cells = self.origin(row, column).cells
        return cells[["stage", "value", "file", "sheet", "cell", "raw", "step"]]


def open_district(name: str, cutoff: dt.date | str | None = None) -> District:
    """Open a district's processed tables, cleaning the raw files first if they changed.

    Parameters
    ----------
    name : str
        A folder under ``data/raw``.
    cutoff : date or ISO text, optional
        Last day that may be known: rows dated later are not loaded. Without it everything is.

    Returns
    -------
    District

    Raises
    ------
    UsageError
        Unknown district; faults in plan.yml.
    DataError
        Raw files that cannot be cleaned.
    """
    paths.raw(name)
    plan = load_plan(name)
    if not freshness.tables_are_fresh(name):
        from planlib.clean import clean_district

        clean_district(name)
    day = dt.date.fromisoformat(cutoff) if isinstance(cutoff, str) else cutoff
    folder = paths.processed(name).resolve()  # one set for all tables, whatever is swapped in meanwhile
    tables = {table: schema.read_table(folder / f"{table}.parquet", table) for table in TABLES}
    _refuse_strangers(plan, tables)
    _refuse_beyond_bounds(plan.series, tables["observations"])
    known = {table: known_rows(frame, table, day) for table, frame in tables.items()}
    return District(name, day or dt.date.max, plan, known)


def _refuse_strangers(plan: Plan, tables: Mapping[str, pd.DataFrame]) -> None:
    """Refuse rows about something the plan does not have: a report would pass over them without a word."""
    faults = []
    for table, column, frame in (
        ("observations", "series_id", plan.series),
        ("milestones", "commitment_id", plan.commitments),
    ):
        ids = frame[column].tolist()
        rows = tables[table][~tables[table][column].isin(ids)]
        faults += [
            f"{row.file}, line {row.line}: unknown {column} {getattr(row, column)!r}, expected an id of plan.yml: "
            f"{did_you_mean(getattr(row, column), ids)}"
            for row in rows.itertuples()
        ]
    if faults:
        raise DataError(
            listing("rows about what the plan does not have", faults, "mend the id, or add it to plan.yml")
        )


def _refuse_beyond_bounds(series: pd.DataFrame, observations: pd.DataFrame) -> None:
    """Refuse values that the series cannot have: a share above 100 percent, a count below 0."""
    rows = observations.merge(series[["series_id", "lower_bound", "upper_bound"]], on="series_id")
    wrong = rows[(rows["value"] < rows["lower_bound"]) | (rows["value"] > rows["upper_bound"])]
    faults = [
        f"{row.file}, line {row.line}: {row.series_id} is {row.value:g}, expected "
        + (
            f"at least {row.lower_bound:g}"
            if np.isnan(row.upper_bound)
            else f"{row.lower_bound:g} to {row.upper_bound:g}"
        )
        for row in wrong.astype({"upper_bound": "float64"}).itertuples()
    ]
    if faults:
        raise DataError(listing("values that their series cannot have", faults, "mend the value, or its unit"))

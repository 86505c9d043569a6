"""A plan's declared measures, read off the tables: sums, shares and counts written in plan.yml, not in code.

A measure is a small mapping::

    {sum: students, where: {stage: preschool, ownership: public}, over: students,
     over_where: {stage: preschool}, scale: 100}
    {sum: brand_count, per: school}                  a school-wide figure, counted once per school
    {count: schools, where: {modern_school_year: any}}
    {composite: primary}                             mean coefficient of variation of a stage
    {series: myopia_rate, change: fall}              another series, or its yearly change
    {projects: opened, where: {kind: primary}}       building projects that reached a step (or the sum of a column)
    {finance: teacher_pay_yuan, over: civil_servant_pay_yuan, scale: 100}

Pure: frames in, frames out.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from planlib.errors import DataError, listing

Measure = Mapping[str, Any]


def select(frame: pd.DataFrame, where: Mapping[str, Any]) -> pd.Series:
    """Return which rows meet every condition of `where`.

    Parameters
    ----------
    frame : DataFrame
    where : mapping
        Column → value, list of values, or ``any`` for "not empty".

    Returns
    -------
    Series of bool

    Raises
    ------
    DataError
        If a column is not in the frame.

    Examples
    --------
    >>> schools = pd.DataFrame({"stage": ["primary", "junior"], "education_group": ["A", ""]})
    >>> select(schools, {"stage": ["primary", "junior"], "education_group": "any"}).tolist()
    [True, False]
    """
    return pd.Series(Rows(frame).meeting(where), index=frame.index)


class Rows:
    """The rows of a table, with what measures asked of them: they ask the same of one column again and again.

    Attributes
    ----------
    frame : DataFrame
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self._meets: dict[str, np.ndarray] = {}
        self._blank: dict[str, np.ndarray] = {}

    @cached_property
    def keys(self) -> pd.DataFrame:
        """``school_id, stage, year`` of every row."""
        return self.frame[["school_id", "stage", "year"]]

    def meeting(self, where: Mapping[str, Any]) -> np.ndarray:
        """Return which rows meet every condition."""
        unknown = [column for column in where if column not in self.frame.columns]
        if unknown:
            raise DataError(listing("a measure names columns the table does not have", unknown, "mend plan.yml"))
        chosen = np.ones(len(self.frame), dtype=bool)
        for column, wanted in where.items():
            chosen &= self._one(column, wanted)
        return chosen

    def perhaps_meeting(self, where: Mapping[str, Any]) -> np.ndarray:
        """Return which rows meet every condition or left unanswered what it asks; a blank is an answer to ``any``."""
        chosen = np.ones(len(self.frame), dtype=bool)
        for column, wanted in where.items():
            met = self._one(column, wanted)
            chosen &= met if wanted == "any" else met | self.blank(column)
        return chosen

    def blank(self, column: str) -> np.ndarray:
        """Return which rows have nothing in a column."""
        if column not in self._blank:
            cells = self.frame[column]
            is_text = not pd.api.types.is_numeric_dtype(cells.dtype)
            empty = (cells.astype("str") == "") if is_text else False
            self._blank[column] = np.asarray(cells.isna() | empty, dtype=bool)
        return self._blank[column]

    def _one(self, column: str, wanted: Any) -> np.ndarray:
        key = f"{column} {wanted!r}"
        if key not in self._meets and wanted == "any":
            self._meets[key] = ~self.blank(column)
        elif key not in self._meets:
            values = wanted if isinstance(wanted, list) else [wanted]
            self._meets[key] = np.asarray(self.frame[column].isin(values).fillna(False), dtype=bool)
        return self._meets[key]


def yearly(schools: pd.DataFrame | Rows, measure: Measure) -> pd.Series:
    """Return one number per year from the table of schools.

    ``sum`` adds a column over the rows chosen by ``where``; ``count: schools`` counts distinct schools; with
    ``over`` the result is a share; ``scale`` multiplies. A missing amount is not a zero, a missing answer not a no:
    where a numerator is missing, or what ``where`` asks for, its row leaves the denominator too, and a year in which
    nobody answered has no value. A column that ``any`` looks for and that is blank in every year was not asked for.

    Parameters
    ----------
    schools : DataFrame or Rows
        The processed table ``schools``; as `Rows` for several measures.
    measure : mapping

    Returns
    -------
    Series
        Indexed by year; years without a denominator or an answer are absent.

    Examples
    --------
    >>> schools = pd.DataFrame({"school_id": ["a", "b"], "stage": "preschool", "year": 2020,
    ...                         "ownership": ["public", "private"], "students": [300, 100]})
    >>> public = {"sum": "students", "where": {"ownership": "public"}, "over": "students", "scale": 100}
    >>> yearly(schools, public).to_dict()
    {2020: 75.0}
    """
    rows = schools if isinstance(schools, Rows) else Rows(schools)
    unanswered = _unanswered_years(rows, measure)
    if unanswered:
        rows = Rows(rows.frame[~rows.frame["year"].isin(unanswered)])
    top = _amounts(rows, measure, "where", measure.get("sum") or measure["count"])
    if "over" not in measure:
        return (top.groupby("year")["amount"].sum(min_count=1) * measure.get("scale", 1)).dropna()
    bottom = _amounts(rows, measure, "over_where", measure["over"])
    bottom = _without_unanswered(rows, measure, bottom)
    total = bottom.groupby("year")["amount"].sum()
    part = top.groupby("year")["amount"].sum().reindex(total.index, fill_value=0.0)
    share = part / total.where(total > 0)
    return (share * measure.get("scale", 1)).dropna()


def _amounts(rows: Rows, measure: Measure, where: str, what: str) -> pd.DataFrame:
    """Return ``school_id, stage, year, amount`` of the rows that count."""
    is_chosen = rows.meeting(measure.get(where, {}))
    chosen = rows.keys[is_chosen]
    if what == "schools":
        return chosen.drop_duplicates(["school_id", "year"]).assign(amount=1.0)
    if what not in rows.frame:
        raise DataError(f"A measure in plan.yml names {what}, which the table of schools does not have.")
    chosen = chosen.assign(amount=rows.frame[what][is_chosen].astype("Float64").astype("float64"))
    return chosen.drop_duplicates(["school_id", "year"]) if measure.get("per") == "school" else chosen


def _without_unanswered(rows: Rows, measure: Measure, bottom: pd.DataFrame) -> pd.DataFrame:
    """Drop from the denominator the rows whose numerator, or what it asks for, was not reported."""
    where, numerator = measure.get("where", {}), measure.get("sum", measure["over"])
    is_blank = rows.perhaps_meeting(where) & ~rows.meeting(where)
    if numerator != measure["over"]:
        is_blank |= rows.frame[numerator].isna().to_numpy()
    if not is_blank.any():
        return bottom
    blank = rows.frame.loc[is_blank, ["school_id", "stage", "year"]].assign(blank=True)
    merged = bottom.merge(blank, on=["school_id", "stage", "year"], how="left")
    return merged[merged["blank"].isna()].drop(columns="blank")


def _unanswered_years(rows: Rows, measure: Measure) -> set[int]:
    """Return the years in which no row that counts answered some question of the measure."""
    years: set[int] = set()
    year = rows.frame["year"].to_numpy()
    for where in (measure.get("where", {}), measure.get("over_where", {})):
        rows.meeting(where)  # names unknown columns
        for column, wanted in where.items():
            asked = rows.perhaps_meeting({other: value for other, value in where.items() if other != column})
            is_known = asked & ~rows.blank(column)
            if wanted != "any":
                years |= set(year[asked].tolist()) - set(year[is_known].tolist())
            elif not is_known.any():
                years |= set(year[asked].tolist())
    return years


def series_values(
    series: pd.DataFrame, schools: pd.DataFrame | Rows, composites: pd.DataFrame, status: str = ""
) -> pd.DataFrame:
    """Compute every series of a plan that the school returns give.

    Parameters
    ----------
    series : DataFrame
        ``series_id, measure``; rows without a measure are passed over.
    schools : DataFrame
        The processed table ``schools``.
    composites : DataFrame
        ``stage, year, cv``: the composite coefficients of variation.
    status : str
        Standing of figures from returns.

    Returns
    -------
    DataFrame
        ``series_id, year, value, relation, as_of, status``, dated 1 September.
    """
    found = []
    for row in series.itertuples():
        if not isinstance(row.measure, Mapping):
            continue
        if "composite" in row.measure:
            values = composites[composites["stage"] == row.measure["composite"]].set_index("year")["cv"].dropna()
        else:
            values = yearly(schools, row.measure)
        found.append(pd.DataFrame({"series_id": row.series_id, "year": values.index, "value": values.to_numpy()}))
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["series_id", "year", "value"])
    return table.assign(relation="=", as_of=table["year"].astype("str") + "-09-01", status=status)


def commitment_values(
    commitments: pd.DataFrame,
    schools: pd.DataFrame | Rows,
    observations: pd.DataFrame,
    projects: pd.DataFrame,
    finance: pd.DataFrame,
) -> pd.DataFrame:
    """Compute the records of every commitment that the data themselves give.

    Parameters
    ----------
    commitments : DataFrame
        ``commitment_id, kind, measure``; rows without a measure are passed over.
    schools, projects, finance : DataFrame
        Processed tables.
    observations : DataFrame
        ``series_id, year, value, as_of`` of all series.

    Returns
    -------
    DataFrame
        ``commitment_id, date, achieved, evidence`` as in the table ``milestones``; `evidence` names the source.
    """
    pupils = yearly(schools, {"sum": "students"})
    found = []
    for row in commitments.itertuples():
        if not isinstance(row.measure, Mapping):
            continue
        records = _records(row.measure, schools, observations, projects, finance, pupils)
        if row.measure.get("change") and row.kind == "per_period":
            records = _changes(records, row.measure["change"])
        found.append(records.assign(commitment_id=row.commitment_id))
    columns = ["commitment_id", "date", "achieved", "evidence"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def _records(
    measure: Measure,
    schools: pd.DataFrame | Rows,
    observations: pd.DataFrame,
    projects: pd.DataFrame,
    finance: pd.DataFrame,
    pupils: pd.Series,
) -> pd.DataFrame:
    """Return ``date, achieved, evidence`` of one measure."""
    if "series" in measure:
        rows = observations[observations["series_id"] == measure["series"]]
        return pd.DataFrame({"date": rows["as_of"], "achieved": rows["value"], "evidence": "series"})
    if "projects" in measure:
        return _project_records(measure, projects)
    if "finance" in measure:
        return _finance_records(measure, finance, pupils)
    values = yearly(schools, measure)
    dates = values.index.astype("str") + "-09-01"
    return pd.DataFrame({"date": dates, "achieved": values.to_numpy(), "evidence": "returns"})


def _project_records(measure: Measure, projects: pd.DataFrame) -> pd.DataFrame:
    """Return the running stock of projects that reached a step, at each date one did."""
    step = measure["projects"]
    rows = projects[select(projects, measure.get("where", {})) & projects[step].notna() & (projects[step] != "")]
    amount = rows[measure["sum"]].astype("float64") if "sum" in measure else pd.Series(1.0, index=rows.index)
    stock = (amount.groupby(rows[step]).sum().sort_index().cumsum() * measure.get("scale", 1)).rename("achieved")
    return stock.rename_axis("date").reset_index().assign(evidence="projects")


def _finance_records(measure: Measure, finance: pd.DataFrame, pupils: pd.Series) -> pd.DataFrame:
    """Return a figure of the accounts by year, over another or per pupil where the measure says so."""
    latest = finance.sort_values("as_of", kind="stable").drop_duplicates(["item", "year"], keep="last")
    item = latest[latest["item"] == measure["finance"]].set_index("year")
    value = item["value"].astype("float64")
    if "over" in measure:
        other = latest[latest["item"] == measure["over"]].set_index("year")
        value = value / other["value"].astype("float64").reindex(value.index)
    if measure.get("per") == "students":
        value = value / pupils.reindex(value.index)
    value = (value * measure.get("scale", 1)).dropna()
    return pd.DataFrame({"date": item.loc[value.index, "as_of"], "achieved": value, "evidence": "finance"})


def _changes(records: pd.DataFrame, direction: str) -> pd.DataFrame:
    """Return what each period brought: the yearly change in the wanted direction, dated at the period's end.

    A gap of several years is divided evenly over them: more cannot be known.
    """
    ordered = records.sort_values("date")
    years = ordered["date"].str[:4].astype(int).diff()
    change = ordered["achieved"].diff() / years
    # adding zero turns the −0.0 of a fall of nothing into 0.0
    ordered = ordered.assign(achieved=(-change if direction == "fall" else change).round(9) + 0.0)
    return ordered.dropna(subset=["achieved"])

"""The blocks of an assessment beside the seven resources that returns can speak to: sizes, and preschool."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from planlib.errors import DataError, UsageError, listing
from planlib.standard.amounts import KEYS, TOLERANCE, refuse_bad_amounts, refuse_duplicates
from planlib.standard.rules import Standard


def check_sizes(schools: pd.DataFrame, standard: Standard) -> pd.DataFrame:
    """Compare class sizes and school sizes with a standard (two items of 政府保障程度).

    Parameters
    ----------
    schools : DataFrame
        Raw rows by school, stage and year with ``school_type, students, classes``.
    standard : Standard
        With ``class_size`` by stage, and ``school_size`` by school type (pupils of the compulsory stages).

    Returns
    -------
    DataFrame
        ``school_id, stage, year, item, value, limit, is_met``. ``class_size`` rows hold the mean class of a
        stage: above the limit at least one class is too large; below it single classes may still be, so the
        item also needs recorded evidence. ``school_size`` rows have stage ``compulsory``. NA where unknown.

    Raises
    ------
    UsageError
        If the standard has neither limit.
    DataError
        If a column is missing or a row stands twice.

    Examples
    --------
    >>> from datetime import date
    >>> tiny = Standard("s", "class_size", date(2021, 9, 1), {}, rules={"class_size": {"primary": 45}})
    >>> rows = pd.DataFrame({"school_id": ["a", "b"], "stage": "primary", "year": 2021,
    ...                      "school_type": "primary", "students": [450, 460], "classes": [10, 10]})
    >>> check_sizes(rows, tiny)[["school_id", "item", "value", "is_met"]]
      school_id        item  value  is_met
    0         a  class_size   45.0    True
    1         b  class_size   46.0   False
    """
    if not {"class_size", "school_size"} & set(standard.rules):
        raise UsageError(f"The standard {standard.name} says nothing of class or school size.")
    _need(schools, [*KEYS, "school_type", "students", "classes"])
    parts = []
    if "class_size" in standard.rules:
        parts.append(_class_sizes(schools, standard.rules["class_size"]))
    if "school_size" in standard.rules:
        parts.append(_school_sizes(schools, standard.rules["school_size"], standard.rules["class_size"]))
    return pd.concat(parts, ignore_index=True)


def _need(frame: pd.DataFrame, columns: list[str]) -> None:
    missing = [c for c in columns if c not in frame]
    if missing:
        raise DataError(listing("the table of schools lacks columns", missing, "clean the returns again"))
    refuse_duplicates(frame, KEYS)
    refuse_bad_amounts(frame, [c for c in columns if c.endswith("_m2") or c in ("teachers", "classes")])


def _class_sizes(schools: pd.DataFrame, limits: Mapping[str, float]) -> pd.DataFrame:
    rows = schools[schools["stage"].isin(list(limits)) & (schools["students"].fillna(0) > 0)]
    value = _per(rows["students"], rows["classes"])
    return _item(rows[KEYS], "class_size", value, rows["stage"].map(dict(limits)).astype(float))


def _school_sizes(schools: pd.DataFrame, limits: Mapping[str, float], stages: Mapping[str, float]) -> pd.DataFrame:
    rows = schools[schools["stage"].isin(list(stages)) & schools["school_type"].isin(list(limits))]
    groups = rows.groupby(["school_id", "year"], sort=False, as_index=False)
    whole = groups["students"].sum(min_count=1).merge(groups["school_type"].first())
    value = whole["students"].astype("Float64").to_numpy(float, na_value=np.nan)
    whole["stage"] = "compulsory"
    limit = whole["school_type"].map(dict(limits)).astype(float)
    return _item(whole[KEYS], "school_size", pd.Series(value, index=whole.index), limit)


def _item(keys: pd.DataFrame, item: str, value: pd.Series, limit: pd.Series) -> pd.DataFrame:
    met = (value <= limit + TOLERANCE).astype("boolean").mask(value.isna())
    return keys.assign(item=item, value=value, limit=limit, is_met=met)


def _per(amount: pd.Series, over: pd.Series) -> pd.Series:
    top = amount.astype("Float64").to_numpy(float, na_value=np.nan)
    bottom = over.astype("Float64").to_numpy(float, na_value=np.nan)
    return pd.Series(np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0), index=amount.index)


def check_preschool(
    schools: pd.DataFrame,
    standard: Standard,
    recorded: Mapping[int, Mapping[str, float]] | None = None,
) -> pd.DataFrame:
    """Compare kindergartens with the preschool standard, year by year.

    Parameters
    ----------
    schools : DataFrame
        Raw rows; those of stage ``preschool`` count: ``ownership, is_inclusive, opened_year, students,
        teachers, certified_teachers, outdoor_play_area_m2, activity_room_area_m2, building_area_m2``.
    standard : Standard
        ``preschool_2020``.
    recorded : mapping of year to mapping of item to value, optional
        Evidence the table cannot give (gross entry, class sizes, recognition).

    Returns
    -------
    DataFrame
        ``year, item, cohort, value, threshold, direction, basis, is_met``. Shares of children: public, and
        public or inclusive private (普惠性); children per teacher; certified teachers in per cent; per area the
        per cent of kindergartens that reach it, for the cohorts ``new`` and ``old`` (opened since the design
        year or before; an unknown opening counts as old). ``basis`` is computed, recorded or no_data;
        ``is_met`` is NA without data. A kindergarten whose value is unknown makes its share unknown.

    Raises
    ------
    UsageError
        If the standard is not a preschool standard.
    DataError
        If a column is missing or a row stands twice.
    """
    if "items" not in standard.rules:
        raise UsageError(f"The standard {standard.name} is no preschool standard; use preschool_2020.")
    areas = list(standard.rules["areas_per_child"])
    people = ["students", "teachers", "certified_teachers"]
    _need(schools, [*KEYS, "ownership", "is_inclusive", "opened_year", *people, *areas])
    kindergartens = schools[(schools["stage"] == "preschool") & (schools["students"].fillna(0) > 0)]
    rows = []
    for year, group in kindergartens.groupby("year"):
        evidence = dict((recorded or {}).get(year, {}))
        rows += [{"year": year, **row} for row in _items(group, standard, evidence)]
        rows += [{"year": year, **row} for row in _areas(group, standard)]
    columns = ["year", "item", "cohort", "value", "threshold", "direction", "basis", "is_met"]
    return pd.DataFrame(rows, columns=columns).astype({"is_met": "boolean", "value": float})


def _items(group: pd.DataFrame, standard: Standard, evidence: dict[str, float]) -> list[dict[str, object]]:
    computed = _computed(group)
    rows = []
    for item, about in standard.rules["items"].items():
        value = computed.get(item, evidence.get(item, np.nan))
        basis = "no_data" if np.isnan(value) else "computed" if item in computed else "recorded"
        rows.append(_row(item, "all", value, float(about["values"]), about["direction"], basis))
    return rows


def _row(item: str, cohort: str, value: float, threshold: float, direction: str, basis: str) -> dict[str, object]:
    better = value - threshold if direction == "at_least" else threshold - value
    return {
        "item": item,
        "cohort": cohort,
        "value": value,
        "threshold": threshold,
        "direction": direction,
        "basis": basis,
        "is_met": pd.NA if np.isnan(value) else bool(better >= -TOLERANCE),
    }


def _computed(group: pd.DataFrame) -> dict[str, float]:
    children, teachers = _total(group["students"]), _total(group["teachers"])
    public = group["ownership"] == "public"
    # Whether a private kindergarten is inclusive must be known: an empty cell is not a no.
    unknown = (group["is_inclusive"].isna() & ~public).any()
    inclusive = public | group["is_inclusive"].fillna(False).astype(bool)
    certified = _total(group["certified_teachers"])
    return {
        "public_share_pct": 100 * _total(group.loc[public, "students"]) / children,
        "inclusive_share_pct": np.nan if unknown else 100 * _total(group.loc[inclusive, "students"]) / children,
        "children_per_teacher": children / teachers if teachers > 0 else np.nan,
        "certified_pct": 100 * certified / teachers if teachers > 0 else np.nan,
    }


def _total(values: pd.Series) -> float:
    return float(values.astype("Float64").to_numpy(float, na_value=np.nan).sum())


def _areas(group: pd.DataFrame, standard: Standard) -> list[dict[str, object]]:
    is_new = (group["opened_year"] >= standard.rules["design_year"]).fillna(False).astype(bool)
    rows = []
    for column, about in standard.rules["areas_per_child"].items():
        per_child = _per(group[column], group["students"])
        for cohort, mine in (("new", per_child[is_new]), ("old", per_child[~is_new])):
            reached = (
                np.nan if mine.empty or mine.isna().any() else 100 * (mine >= about["values"] - TOLERANCE).mean()
            )
            needed = float(standard.rules["area_compliance_pct"][cohort])
            rows.append(
                _row(column, cohort, reached, needed, "at_least", "no_data" if np.isnan(reached) else "computed")
            )
    return rows

"""Does a school meet a standard, and what would it have to buy."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from planlib.errors import DataError, UsageError, listing
from planlib.standard.amounts import KEYS, TOLERANCE, refuse_bad_amounts, refuse_duplicates
from planlib.standard.rules import Standard


@dataclass(frozen=True)
class StandardCheck:
    """What :func:`check_standard` found.

    Attributes
    ----------
    detail : DataFrame
        One row per school, stage, year and resource: ``resource, value`` (printed units), ``threshold, floor,
        state`` (met, between, below, missing), ``shortfall`` and ``shortfall_floor`` (units a planner buys,
        exact), ``to_buy`` (the shortfall in whole units where the resource comes in whole units).
    schools : DataFrame
        One row per school, stage and year: ``students, met, between, below, missing, is_passing``.
    """

    detail: pd.DataFrame
    schools: pd.DataFrame


def check_standard(stage_rows: pd.DataFrame, standard: Standard) -> StandardCheck:
    """Compare every school with the thresholds of a standard.

    A school passes when at least ``required_met`` resources reach the threshold T and the others reach the
    floor (``floor_share``·T). Values are compared unrounded with a tolerance of 1e-9. The shortfall in units
    is max(0, T·P/per − R).

    Parameters
    ----------
    stage_rows : DataFrame
        As :func:`stage_resources` returns it.
    standard : Standard
        With thresholds.

    Returns
    -------
    StandardCheck

    Raises
    ------
    UsageError
        If the standard has no thresholds.
    DataError
        If a stage has no thresholds, a column is missing or an amount is impossible.

    Examples
    --------
    >>> from datetime import date
    >>> tiny = Standard("s", "compulsory", date(2020, 9, 1), {}, ("books",), {"books": 1.0},
    ...                 {"primary": {"books": 30.0}}, floor_share=0.85, required_met=1)
    >>> rows = pd.DataFrame({"school_id": ["a", "b"], "stage": "primary", "year": 2020,
    ...                      "students": [100, 100], "books": [3000, 2700]})
    >>> check_standard(rows, tiny).detail[["school_id", "value", "state", "shortfall"]]
      school_id  value    state  shortfall
    0         a   30.0      met        0.0
    1         b   27.0  between      300.0
    """
    _refuse_unusable(stage_rows, standard)
    detail = pd.concat([_one_resource(stage_rows, r, standard) for r in standard.resources], ignore_index=True)
    flags = {state: (detail["state"] == state).astype(int) for state in ("met", "between", "below", "missing")}
    counts = detail[KEYS].assign(**flags).groupby(KEYS, sort=False).sum().reset_index()
    schools = stage_rows[[*KEYS, "students"]].merge(counts, on=KEYS)
    enough = schools["met"] >= standard.required_met
    schools["is_passing"] = enough & (schools["below"] == 0) & (schools["missing"] == 0)
    return StandardCheck(detail, schools)


def _refuse_unusable(stage_rows: pd.DataFrame, standard: Standard) -> None:
    if not standard.thresholds:
        raise UsageError(f"The standard {standard.name} has no thresholds for schools; use compulsory_2017.")
    missing = [c for c in [*KEYS, "students", *standard.resources] if c not in stage_rows]
    if missing:
        raise DataError(listing("columns are missing", missing, "make the rows with stage_resources"))
    odd = sorted(set(stage_rows["stage"].astype(str)) - set(standard.thresholds))
    if odd:
        raise DataError(listing(f"stages without thresholds in {standard.name}", odd, "leave them out"))
    refuse_duplicates(stage_rows, KEYS)
    refuse_bad_amounts(stage_rows, standard.resources)


def _one_resource(rows: pd.DataFrame, resource: str, standard: Standard) -> pd.DataFrame:
    students = rows["students"].to_numpy(float, na_value=np.nan)
    amount = rows[resource].to_numpy(float, na_value=np.nan)
    per = standard.per[resource]
    threshold = rows["stage"].map({s: t[resource] for s, t in standard.thresholds.items()}).to_numpy(float)
    floor = threshold * standard.floor_share
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(students > 0, per * amount / students, np.nan)
    states = [np.isnan(value), value >= threshold - TOLERANCE, value >= floor - TOLERANCE]
    short = np.clip(threshold * students / per - amount, 0, None)
    short[states[1]] = 0.0
    short_floor = np.where(states[2], 0.0, np.clip(floor * students / per - amount, 0, None))
    to_buy = np.ceil(short - TOLERANCE) if resource in standard.whole else short
    return rows[KEYS].assign(
        resource=resource,
        value=value,
        threshold=threshold,
        floor=floor,
        state=np.select(states, ["missing", "met", "between"], "below"),
        shortfall=short,
        shortfall_floor=short_floor,
        to_buy=np.clip(to_buy, 0, None),
    )


def implausible(stage_rows: pd.DataFrame, standard: Standard) -> pd.DataFrame:
    """Name the values per pupil that lie outside what the unit allows (元 and 万元 mixed, for example).

    Parameters
    ----------
    stage_rows : DataFrame
        As :func:`stage_resources` returns it.
    standard : Standard
        With ``plausible`` bounds per pupil.

    Returns
    -------
    DataFrame
        ``school_id, stage, year, resource, per_pupil, lowest, highest``; empty if all is well.
    """
    found = []
    for resource, (lowest, highest) in standard.plausible.items():
        students = stage_rows[stage_rows["students"].fillna(0) > 0]
        per_pupil = students[resource].astype(float) / students["students"].astype(float)
        odd = (per_pupil < lowest) | (per_pupil > highest)
        named = students.loc[odd, KEYS].assign(resource=resource, per_pupil=per_pupil[odd])
        found.append(named.assign(lowest=lowest, highest=highest))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*KEYS, "resource", "per_pupil"])

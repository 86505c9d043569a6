"""Figures that the bureau reports beside those recomputed from the returns, and the cause of a difference where one fits."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd

from planlib import measures
from planlib.district.opened import District
from planlib.registry import load_definitions

COLUMNS = [
    "kind", "item", "name_zh", "name_en", "as_of", "status", "source_office", "reported", "recomputed", "difference",
    "agrees", "cause_zh", "cause_en",
]  # fmt: skip
_EXACT = 1e-9


@cache
def _definitions() -> dict[str, Any]:
    return load_definitions("reconciliation")  # a copy at each call, and every row asks twice


def reconciliation(place: District) -> pd.DataFrame:
    """Return figures the bureau reports beside those recomputed from the returns of the same year.

    Observations, baselines and base counts of the plan, and enrolment by grade summed by stage. A cause is named
    only if the returns give the reported figure under it, or the row says it of itself (``reconciliation.yml``).

    Parameters
    ----------
    place : District

    Returns
    -------
    DataFrame
        ``kind`` (``observation, baseline, base_count, enrolment``), ``item``, names, ``as_of, status,
        source_office, reported, recomputed, difference``, ``agrees`` (equal at the decimals printed) and
        ``cause_zh, cause_en`` (empty where equal to the last digit).
    """
    parts = [_observed(place), _baselines(place), _counts(place), _enrolled(place)]
    rows = [row for part in parts for row in part.to_dict("records")]
    values: dict[str, pd.Series] = {}  # one measure stands in many rows
    for row in rows:
        key = repr(row["measure"])
        if key not in values:
            values[key] = _recomputed(place, row["measure"], place.rows)
    told = [row | _explained(place, row, values[repr(row["measure"])]) for row in rows]
    found = pd.DataFrame(told, columns=COLUMNS)
    return found.astype({"agrees": bool}) if len(found) else found


def _recomputed(place: District, measure: Mapping[str, Any], schools: pd.DataFrame | measures.Rows) -> pd.Series:
    """Return a measure by year; a composite as the standard counts it."""
    if "composite" in measure:
        rows = place.balance[
            (place.balance["resource"] == "composite") & (place.balance["stage"] == measure["composite"])
        ]
        return rows.set_index("year")["cv"]
    return measures.yearly(schools, measure)


def _observed(place: District) -> pd.DataFrame:
    rows = place.tables["observations"].merge(
        place.plan.series[["series_id", "name_zh", "name_en", "measure"]], on="series_id"
    )
    rows = rows[[isinstance(measure, Mapping) and "series" not in measure for measure in rows["measure"]]]
    year = rows["as_of"].str[:4].astype(int) if len(rows) else pd.Series(dtype=int)
    return rows.assign(kind="observation", item=rows["series_id"], reported=rows["value"], year=year)


def _baselines(place: District) -> pd.DataFrame:
    series = place.plan.series
    series = series[[isinstance(measure, Mapping) and "series" not in measure for measure in series["measure"]]]
    series = series[series["baseline_relation"] == "="]
    year = series["baseline_as_of"].str[:4].astype(int)
    told = {"as_of": series["baseline_as_of"], "reported": series["baseline"], "year": year}
    return series.assign(kind="baseline", item=series["series_id"], status="", **told)


def _counts(place: District) -> pd.DataFrame:
    known, counts = _definitions()["counts"], place.plan.base_counts
    rows = counts[counts["count_id"].isin(known)] if len(counts) else counts
    year = int(place.plan.period["baseline_year"])
    measure = [known[name] for name in rows.get("count_id", [])]
    told = {"as_of": f"{year}-09-01", "year": year, "status": ""}
    return rows.assign(kind="base_count", item=rows["count_id"], reported=rows["value"], measure=measure, **told)


def _enrolled(place: District) -> pd.DataFrame:
    lines = place.tables["enrolment"]
    sums = lines.groupby(["stage", "year"], as_index=False)["students"].sum()
    where = [{"sum": "students", "where": {"stage": stage}} for stage in sums["stage"]]
    told = {"as_of": sums["year"].astype("str") + "-09-01", "status": "", "measure": where}
    names = {"name_zh": sums["stage"], "name_en": sums["stage"]}
    return sums.assign(kind="enrolment", item=sums["stage"], reported=sums["students"], **told, **names)


def _explained(place: District, row: Mapping[str, Any], values: pd.Series) -> dict[str, Any]:
    """Return the recomputed figure, the difference, and its cause."""
    year, reported = int(row["year"]), float(row["reported"])
    if year not in values.index:
        return {
            "recomputed": float("nan"),
            "difference": float("nan"),
            "agrees": False,
            "cause_zh": "",
            "cause_en": "",
        }
    value = float(values[year])
    code, said = _cause(place, row, values, year, reported)
    texts = _definitions()["causes"].get(code, {"zh": "", "en": ""})
    causes = {
        f"cause_{language}": texts[language].format(
            **{k: v[language] if isinstance(v, dict) else v for k, v in said.items()}
        )
        for language in ("zh", "en")
    }
    agrees = code in ("", "rounding")
    return {"recomputed": value, "difference": reported - value, "agrees": agrees, **causes}


def _cause(
    place: District, row: Mapping[str, Any], values: pd.Series, year: int, reported: float
) -> tuple[str, dict[str, Any]]:
    """Return the first cause under which the returns give the reported figure; "" if it is equal."""
    document, value = _definitions(), float(values[year])
    rules = document["causes"]
    if abs(reported - value) <= _EXACT:
        return "", {}
    if _prints(value, reported):
        return "rounding", {}
    if _prints(value - 0.5 * _step(reported), reported):
        return "truncated", {}
    for factor in rules["unit"]["factors"]:
        if value and _prints(value * factor, reported):
            return "unit", {"factor": f"{factor:g}"}
    if len(f"{reported:.10f}".strip("0").replace(".", "").lstrip("0")) < document["least_digits"]:
        return _said_by_row(place, row, value, rules)
    for code, rule in rules.items():
        if "without" in rule and "composite" not in row["measure"]:
            kept = place.schools[~measures.select(place.schools, rule["without"])]
            left = _recomputed(place, row["measure"], kept)
            if year in left.index and _prints(float(left[year]), reported):
                return code, {}
    for shift in rules["year"]["years"]:
        if year + shift in values.index and _prints(float(values[year + shift]), reported):
            return "year", {"year": year + shift}
    return _said_by_row(place, row, value, rules)


def _said_by_row(
    place: District, row: Mapping[str, Any], value: float, rules: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return what the row says of itself: provisional with a later figure that fits, or of another boundary."""
    if row["kind"] == "observation":
        others = place.tables["observations"]
        same = others[(others["series_id"] == row["item"]) & (others["as_of"] == row["as_of"])]
        fits = [_prints(value, float(other)) for other in same["value"]]
        if row["status"] in rules["provisional"]["statuses"] and any(fits):
            return "provisional", {}
        if any(fits) and row["boundary"] not in same.loc[fits, "boundary"].tolist():
            return "boundary", {"boundary": row["boundary"]}
    if row["kind"] in ("baseline", "base_count") and isinstance(row["note"], str) and row["note"]:
        return "plan", {"note": {"zh": row["note"], "en": row["note_en"]}}
    return "unknown", {}


def _prints(value: float, reported: float) -> bool:
    """Tell whether a value, rounded to the decimals of the reported one, is it.

    Examples
    --------
    >>> _prints(4.2593, 4.26), _prints(4.2593, 4.2), _prints(42593.0, 42593.0)
    (True, False, True)
    """
    return abs(value - reported) <= 0.5 * _step(reported) + _EXACT


def _step(reported: float) -> float:
    """Return one of the last digit that a figure is printed with."""
    return float(10 ** -len(f"{reported:.10f}".rstrip("0").partition(".")[2]))

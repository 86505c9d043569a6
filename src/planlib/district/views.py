"""Small tables about an open district that a person looks at first: what is there, what was mended, what drives it."""

import pandas as pd

from planlib import balance, enrolment
from planlib.district.opened import TABLES, District


def overview(place: District) -> pd.DataFrame:
    """Return rows, first and last year of every processed table: ``table, rows, first_year, last_year``."""
    rows = []
    for name in TABLES:
        frame = place.tables[name]
        dated = frame["year"] if "year" in frame else frame.get("as_of", pd.Series(dtype="str")).str[:4]
        years = pd.to_numeric(dated, errors="coerce").dropna()
        first, last = (int(years.min()), int(years.max())) if len(years) else (pd.NA, pd.NA)
        rows.append({"table": name, "rows": len(frame), "first_year": first, "last_year": last})
    return pd.DataFrame(rows).astype({"first_year": "Int64", "last_year": "Int64"})


def schools_by_year(place: District) -> pd.DataFrame:
    """Return how many schools of each type reported in each year: ``school_type`` and a column a year."""
    schools = place.schools.drop_duplicates(["school_id", "year"])
    counts = pd.crosstab(schools["school_type"], schools["year"].astype("str"))
    return counts.rename_axis(columns=None).reset_index()


def issue_counts(place: District) -> pd.DataFrame:
    """Return how often each thing was done: ``level, done, count``."""
    # the same deed on other numbers is one kind: "read as 23 (correction 1 …)" counts as "read as …"
    done = place.issues["done"].str.replace(r"\s*[:(].*", "", regex=True)
    kinds = place.issues.assign(done=done.str.replace(r"\d[\d.,]*", "…", regex=True))
    return kinds.groupby(["level", "done"], as_index=False).size().rename(columns={"size": "count"})


def corrected(place: District) -> pd.DataFrame:
    """Return the values that ``corrections.yml`` touched, with raw text and step."""
    rows = place.lineage[place.lineage["step"].fillna("").str.contains("correction")]
    return rows[["school_id", "stage", "year", "column", "file", "cell", "raw", "step"]].reset_index(drop=True)


def reconciliation(place: District) -> pd.DataFrame:
    """Return figures the bureau reports beside those recomputed from the returns of the same day.

    ``series_id, name_zh, name_en, as_of, status, reported, recomputed, difference``.
    """
    said = place.tables["observations"].rename(columns={"value": "reported"})
    found = place.observations[place.observations["origin"] == "returns"].rename(columns={"value": "recomputed"})
    both = said[["series_id", "as_of", "status", "reported"]].merge(
        found[["series_id", "as_of", "recomputed"]], on=["series_id", "as_of"]
    )
    both["difference"] = both["reported"] - both["recomputed"]
    names = place.plan.series[["series_id", "name_zh", "name_en"]]
    return names.merge(both, on="series_id")


def last_resources(place: District) -> pd.DataFrame:
    """Return the resources of the last year, one row per counting school and stage."""
    rows = place.stage_resources
    return rows[rows["year"] == place.last_year].reset_index(drop=True)


def school_values(place: District) -> pd.DataFrame:
    """Return every school's resources per pupil in the last year: ``school_id, stage, resource, value``."""
    return place.check.detail[["school_id", "stage", "year", "resource", "value"]]


def thresholds(place: District) -> pd.DataFrame:
    """Return ``stage, resource, threshold, floor, per`` of the standard in force."""
    standard = place.standard
    rows = [
        {"stage": stage, "resource": r, "threshold": t, "floor": t * standard.floor_share, "per": standard.per[r]}
        for stage, values in standard.thresholds.items()
        for r, t in values.items()
    ]
    return pd.DataFrame(rows)


def shortfalls(place: District) -> pd.DataFrame:
    """Return every resource that a school of the last year has less of than the threshold."""
    detail = place.check.detail
    known = last_resources(place)[["school_id", "stage", "school_name", "area"]]
    lacks = detail[detail["state"].isin(["between", "below", "missing"])].merge(known, on=["school_id", "stage"])
    columns = ["school_id", "school_name", "area", "stage", "resource", "value", "threshold", "state", "to_buy"]
    return lacks[columns].reset_index(drop=True)


def decomposition(place: District, by: str) -> pd.DataFrame:
    """Split the inequality of every resource within and between groups of schools.

    Parameters
    ----------
    place : District
    by : str
        A describing column of the schools: ``area``, ``ownership``, ``education_group``.

    Returns
    -------
    DataFrame
        ``stage, resource, cv, within_share, between_share``; GE(2) = CV²/2 is split exactly.
    """
    rows = []
    for stage, schools in last_resources(place).groupby("stage", sort=False):
        for resource in place.standard.resources:
            found = balance.decompose(schools[resource], schools["students"], schools[by].replace("", "—"))
            total = found.total or float("nan")
            shares = {"within_share": found.within / total, "between_share": found.between / total}
            rows.append({"stage": stage, "resource": resource, "cv": (2 * found.total) ** 0.5, **shares})
    return pd.DataFrame(rows)


def progression(place: District) -> pd.DataFrame:
    """Return progression ratios of the district's grades, mean of the last three years."""
    counted = place.tables["enrolment"]
    if counted.empty:
        return pd.DataFrame(columns=["grade", "next_grade", "ratio", "lowest", "highest", "ratios"])
    sums = counted.groupby(["grade", "year"], as_index=False)["students"].sum()
    return enrolment.progression_ratios(sums)


def history(place: District) -> pd.DataFrame:
    """Return the annual values of every series that is forecast, a column a year."""
    values = place.forecastable(place.observations)
    values = values.assign(year=values["year"].astype("str"))
    wide = values.pivot_table(index="series_id", columns="year", values="value")
    names = place.plan.series[["series_id", "number", "name_zh", "name_en", "unit"]]
    return names.merge(wide.rename_axis(columns=None).reset_index(), on="series_id")

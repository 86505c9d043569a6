"""The pool of real series the shipped table is learnt from: read, cleaned of aggregates, given kinds.

The files are not part of planlib. ``wdi_education.csv.gz``: World Bank education series (CC BY 4.0);
``ppts_easia_weuro_world.csv.gz``: pupils, teachers and schools of countries and Korean provinces (MIT).
"""

import numpy as np
import pandas as pd

AGGREGATES = frozenset(
    {
        "AFE", "AFW", "ARB", "CEB", "CSS", "EAP", "EAR", "EAS", "ECA", "ECS", "EMU", "EUU", "FCS",
        "HIC", "HPC", "IBD", "IBT", "IDA", "IDB", "IDX", "INX", "LAC", "LCN", "LDC", "LIC", "LMC",
        "LMY", "LTE", "MEA", "MIC", "MNA", "NAC", "OED", "OSS", "PRE", "PSS", "PST", "SAS", "SSA",
        "SSF", "SST", "TEA", "TEC", "TLA", "TMN", "TSA", "TSS", "UMC", "WLD",
    }
)  # fmt: skip
"""Codes of regions and income groups: they stand among the countries in the World Bank's file."""

BOUNDED = (
    "SE.ADT.1524", "SE.ADT.LITR", "SE.PRM.NENR", "SE.PRM.PRSL", "SE.PRM.REPT", "SE.PRM.TCAQ", "SE.SEC.NENR",
    "SE.SEC.PROG", "SE.XPD.TOTL.GB", "SE.XPD.TOTL.GD",
)  # fmt: skip
"""Indicators that cannot leave 0 to 100; gross rates, ratios and money can."""

COLUMNS = ["series_id", "group", "kind", "year", "value"]

_VOTES_OF_RATIOS = 4.0


def world_bank(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the World Bank's series of countries: percent where bounded, persons as count, else rate.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``indicator, country, code, year, value``.

    Returns
    -------
    pandas.DataFrame
        ``series_id, group, kind, year, value``.
    """
    rows = frame[~frame["code"].isin(AGGREGATES) & frame["value"].notna()]
    bounded = rows["indicator"].str.startswith(BOUNDED).to_numpy()
    persons = rows["indicator"].str.startswith("SE.PRM.UNER").to_numpy()
    value = np.where(bounded, rows["value"].clip(upper=100.0), rows["value"])
    parts = {
        "series_id": rows["indicator"] + "|" + rows["code"],
        "group": rows["code"],
        "kind": np.where(bounded, "percent", np.where(persons, "count", "rate")),
        "year": rows["year"],
        "value": value,
    }
    return pd.DataFrame(parts)[COLUMNS]


def _places(frame: pd.DataFrame) -> pd.Series:
    """Rows of countries and provinces, not of groups of them; South Africa stands among the groups in the source."""
    return frame["location_level"].isin(["country", "province"]) | (frame["location_code"] == "ZAF")


def counts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return pupils, teachers and schools of countries and provinces (groups of them removed) as counts."""
    places, parts = _places(frame), []
    for measure in ("student", "teacher", "school"):
        rows = frame[places & frame[f"stats_{measure}"].notna()]
        group = np.where(rows["location_level"] == "province", "KOR", rows["location_code"])
        names = {"series_id": measure + "|" + rows["location_name"], "group": group, "kind": "count"}
        parts.append(pd.DataFrame({**names, "year": rows["year"], "value": rows[f"stats_{measure}"]}))
    return pd.concat(parts, ignore_index=True).drop_duplicates(["series_id", "year"])[COLUMNS]


def ratios(frame: pd.DataFrame) -> pd.DataFrame:
    """Return pupils per teacher, per school and per hundred children of the same places as rates.

    The World Bank's rates hardly carry momentum; ratios of slowly moving counts do, and districts report them.
    """
    rows = frame[_places(frame)]
    group = np.where(rows["location_level"] == "province", "KOR", rows["location_code"])
    parts = []
    for other, times in (("teacher", 1.0), ("school", 1.0), ("youthpop", 100.0)):
        value = times * rows["stats_student"] / rows[f"stats_{other}"].where(rows[f"stats_{other}"] > 0)
        named = {"series_id": f"student per {other}|" + rows["location_name"], "group": group, "kind": "rate"}
        parts.append(pd.DataFrame({**named, "year": rows["year"], "value": value}).dropna())
    return pd.concat(parts, ignore_index=True).drop_duplicates(["series_id", "year"])[COLUMNS]


def _changes(series: pd.DataFrame) -> pd.DataFrame:
    """Return yearly changes between neighbouring years, with the year of the later."""
    rows = series.sort_values(["series_id", "year"], kind="stable")
    same = rows["series_id"].eq(rows["series_id"].shift()) & (rows["year"].diff() == 1)
    return rows.assign(value=rows["value"].diff())[same]


def signed(series: pd.DataFrame) -> pd.DataFrame:
    """Return series for the kind ``real``: the levels and their yearly changes, which have both signs."""
    changes = _changes(series)
    changes = changes.assign(series_id="change|" + changes["series_id"])
    return pd.concat([series, changes], ignore_index=True).assign(kind="real")


def running_totals(series: pd.DataFrame) -> pd.DataFrame:
    """Return series for the kind ``cumulative``: running totals of the yearly increases of counts.

    No public pool of cumulative counts of a plan was found; increases come in spurts as building does.
    """
    rises = _changes(series)
    rises = rises.assign(value=rises["value"].clip(lower=0.0))
    break_ = (rises["series_id"] != rises["series_id"].shift()) | (rises["year"].diff() != 1)
    part = break_.cumsum()
    total = rises["value"].groupby(part).cumsum()
    named = rises["series_id"] + "|" + part.astype(str)
    return rises.assign(series_id="total|" + named, value=total, kind="cumulative")


def build_pool(wdi: pd.DataFrame, ppts: pd.DataFrame) -> pd.DataFrame:
    """Return the pool of the shipped table, every kind.

    Parameters
    ----------
    wdi : pandas.DataFrame
        The World Bank's file.
    ppts : pandas.DataFrame
        The PPTS file.

    Returns
    -------
    pandas.DataFrame
        ``series_id, group, kind, year, value, votes``. Bounded rates stand among the rates too, for callers who do
        not say that a series is a percentage; ratios of counts among the counts, being as slow, and with four votes
        among the rates, where the World Bank's many would drown them (docs/benchmarks.md tells what that gains).
    """
    bank, numbers, shares = world_bank(wdi), counts(ppts), ratios(ppts)
    rates = bank[bank["kind"] == "percent"].assign(kind="rate")
    every = pd.concat([bank, numbers, shares], ignore_index=True)
    parts = [every, rates, shares.assign(kind="count"), signed(every), running_totals(numbers)]
    pool = pd.concat(parts, ignore_index=True)
    loud = (pool["kind"] == "rate") & pool["series_id"].isin(shares["series_id"].unique())
    return pool.assign(votes=np.where(loud, _VOTES_OF_RATIOS, 1.0))

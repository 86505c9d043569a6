"""Countable and dated promises (量化任务): done, on schedule, late, kept or not."""

import numpy as np
import pandas as pd

from planlib.errors import DataError, listing
from planlib.evaluate.common import (
    TOLERANCE,
    Decisions,
    Rules,
    cut,
    day,
    decide,
    elapsed_share,
    numbers,
    require,
    stamps,
)
from planlib.evaluate.meet import meets


def commitment_progress(
    commitments: pd.DataFrame,
    milestones: pd.DataFrame,
    cutoff: str,
    period_start: str,
    rules: Rules | None = None,
) -> pd.DataFrame:
    """Say of each countable or dated promise whether it is done, on schedule, late, kept or not kept.

    By kind: *count*, *coverage*: the last stock known over the target, against the share of time that is over at
    the cutoff. *milestone*: done, or late once its date is past. *per_period*: kept if every recorded period is.
    *floor*: kept if the last value is. *never_falls*: kept if every change from one record to the next reaches the
    target (0 if none; the last record before `period_start` is the base). A promise without any record
    up to the cutoff is *no_record* whatever its kind, also past its date: what nobody reported is owed.

    Parameters
    ----------
    commitments : DataFrame
        ``commitment_id, kind, target, relation, due`` and what else the plan says of them.
    milestones : DataFrame
        ``commitment_id, date, achieved``; optional ``evidence``. `achieved` is a cumulative stock for counts, the
        value of the period or date for the others, 1 for done.
    cutoff, period_start : str
        ISO dates; records dated after the cutoff are not known.
    rules : mapping, optional
        ``approximate`` says how far ``≈`` reaches, ``pace.on_track`` how much delay is still on schedule; without
        rules neither gives anything away.

    Returns
    -------
    DataFrame
        The commitments' columns, then ``achieved, as_of, progress, elapsed, status, reason, records, lapses,
        evidence``.

    Raises
    ------
    DataError
        An unknown kind, a missing target or date, records that are no numbers or belong to no commitment.

    Examples
    --------
    >>> promise = pd.DataFrame(
    ...     {"commitment_id": ["c1"], "kind": "count", "target": 25.0, "relation": "=", "due": "2025-12-31"})
    >>> done = pd.DataFrame({"commitment_id": "c1", "date": ["2021-12-31", "2022-12-31"], "achieved": [5.0, 11.0]})
    >>> found = commitment_progress(promise, done, "2022-12-31", "2020-12-31")
    >>> found[["achieved", "progress", "status"]].values.tolist()
    [[11.0, 0.44, 'on_schedule']]
    """
    _check_commitments(commitments)
    records = _records(commitments, milestones, cutoff)
    table = commitments.reset_index(drop=True).copy()
    target = table["target"].astype("float64")
    table["target"] = target.mask((table["kind"] == "milestone") & target.isna(), 1.0)
    start = pd.Series(period_start, index=table.index)
    now = pd.Series(cutoff, index=table.index)
    table = table.merge(_record_summary(table, records, period_start, rules), on="commitment_id", how="left")
    share = elapsed_share(start, table["due"], now).clip(0.0, 1.0)
    table["elapsed"] = share.where(table["kind"].isin(["count", "coverage", "milestone"]))
    table[["records", "lapses"]] = table[["records", "lapses"]].fillna(0).astype("int64")
    return _commitment_status(table, cutoff, rules)


_KINDS = ("count", "per_period", "floor", "never_falls", "milestone", "coverage")


def _check_commitments(commitments: pd.DataFrame) -> None:
    """Raise on commitments that cannot be tracked."""
    require(commitments, ["commitment_id", "kind", "target", "relation", "due"], "commitments")
    faults = []
    for row in commitments.itertuples():
        if row.kind not in _KINDS:
            faults.append(f"{row.commitment_id}: kind {row.kind!r}, expected one of {', '.join(_KINDS)}")
        elif row.kind in ("count", "per_period", "floor", "coverage") and pd.isna(row.target):
            faults.append(f"{row.commitment_id}: a {row.kind} needs a target")
        elif row.kind in ("count", "coverage", "milestone") and (pd.isna(row.due) or not row.due):
            faults.append(f"{row.commitment_id}: a {row.kind} needs a due date")
    twice = commitments.loc[commitments["commitment_id"].duplicated(), "commitment_id"]
    faults += [f"{name}: stands twice" for name in twice]
    if faults:
        raise DataError(listing("commitments that cannot be tracked", faults, "mend the entries in plan.yml"))


def _records(commitments: pd.DataFrame, milestones: pd.DataFrame, cutoff: str) -> pd.DataFrame:
    """Return the records known at the cutoff, in the order of their dates."""
    require(milestones, ["commitment_id", "date", "achieved"], "milestones")
    astray = sorted(set(milestones["commitment_id"]) - set(commitments["commitment_id"]))
    if astray:
        raise DataError(
            listing(
                "records of commitments the plan does not have", astray, "mend commitment_id in milestones.csv"
            )
        )
    known = milestones.assign(stamp=stamps(milestones["date"], "date"))
    known = known[(known["stamp"] <= day(cutoff, "cutoff")) & known["achieved"].notna()].copy()
    known["achieved"] = numbers(known, "achieved", ["commitment_id", "date"])
    if "evidence" not in known:
        known["evidence"] = None
    return known.sort_values(["commitment_id", "stamp"], kind="stable")


def _reached(achieved: pd.Series, relation: pd.Series, target: pd.Series, rules: Rules | None) -> pd.Series:
    """Compare with the target; a bare number means at least."""
    slack = target.abs() * (cut(rules, "approximate", "") if rules else 0.0)
    rise = pd.Series("rise", index=achieved.index)
    return meets(achieved, relation.fillna("="), target, rise, slack=slack).fillna(False).astype(bool)


def _record_summary(table: pd.DataFrame, records: pd.DataFrame, start: str, rules: Rules | None) -> pd.DataFrame:
    """Boil the records of each commitment down to the last one, their number and the lapses among them."""
    each = records.merge(table[["commitment_id", "kind", "target", "relation"]], on="commitment_id")
    change = each.groupby("commitment_id")["achieved"].diff()
    each["fell"] = ~_reached(change, each["relation"], each["target"].fillna(0.0), None) & change.notna()
    each["missed"] = ~_reached(each["achieved"], each["relation"], each["target"], rules)
    inside = each["stamp"] >= day(start, "period_start")
    keep = inside | (each["kind"] == "never_falls")
    each["lapse"] = np.where(each["kind"] == "never_falls", each["fell"] & inside, each["missed"])
    each["lapse"] &= each["kind"].isin(["per_period", "floor", "never_falls"])
    groups = each[keep].groupby("commitment_id")
    last = groups[["achieved", "date", "evidence"]].nth(-1)
    last.index = each.loc[last.index, "commitment_id"]
    last = last.rename(columns={"date": "as_of"})
    return (
        last.assign(records=groups.size(), lapses=groups["lapse"].sum()).rename_axis("commitment_id").reset_index()
    )


def _commitment_status(table: pd.DataFrame, cutoff: str, rules: Rules | None) -> pd.DataFrame:
    """Give each commitment the first status whose condition holds."""
    share = cut(rules, "pace", "on_track") if rules else 1.0
    reached = _reached(table["achieved"], table["relation"], table["target"], rules)
    dated = table["kind"].isin(["count", "coverage", "milestone"])
    stock = table["kind"].isin(["count", "coverage"])
    kept = (table["records"] - table["lapses"]) / table["records"].where(table["records"] > 0)
    table["progress"] = (table["achieved"] / table["target"]).where(dated, kept)
    over = stamps(table["due"], "due") <= day(cutoff, "cutoff")
    none = table["records"] == 0
    single = (table["kind"] == "never_falls") & (table["records"] == 1)
    floor_missed = (table["kind"] == "floor") & ~reached
    decisions: Decisions = [
        (dated & reached & ~none, "done", "target_met"),
        (dated & over & none, "no_record", "due_without_record"),
        (dated & over, "late", "due_passed"),
        (none, "no_record", "no_record"),
        (stock & (table["progress"] < share * table["elapsed"] - TOLERANCE), "late", "behind_schedule"),
        (dated, "on_schedule", "within_time"),
        (single, "no_record", "single_record"),
        (floor_missed, "not_kept", "below_floor"),
        ((table["kind"] == "floor") & (table["lapses"] > 0), "kept", "lapsed_before"),
        (table["lapses"] > 0, "not_kept", "lapsed"),
    ]
    table[["status", "reason"]] = decide(decisions, table.index, ("kept", "every_record"))
    order = ["achieved", "as_of", "progress", "elapsed", "status", "reason", "records", "lapses", "evidence"]
    return table[[*[column for column in table if column not in order], *order]]

"""Small tables about an open district that a person looks at first: what is there, what was mended, what drives it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from planlib import balance, enrolment, schema
from planlib.clean.tables.roster import coming_and_going
from planlib.district.opened import TABLES, District
from planlib.district.reconcile import reconciliation as reconciliation  # a view like the others
from planlib.registry import phrase
from planlib.standard import COMPULSORY, plant_shares

_TRANSFER = ["stage", "resource", "school", "ratio_before", "ratio_after", "change", "cv_before", "cv_after"]
_CAUSES = ["by_resources", "by_pupils", "by_opened", "by_closed", "by_reported"]
_ENDS = ["before", "after", *_CAUSES]


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


def received(place: District) -> pd.DataFrame:
    """Return the rows of every table by year, written corrections and warnings too: ``what, year, count``."""
    parts = []
    for name in TABLES:
        frame = place.tables[name]
        dated = frame["year"] if "year" in frame else frame.get("as_of", frame.get("date", pd.Series(dtype="str")))
        parts.append(
            pd.DataFrame({"what": name, "year": pd.to_numeric(dated.astype("str").str[:4], errors="coerce")})
        )
    issues = place.issues
    kinds = {"mended": issues["issue_kind"] == "correction", "asked": issues["level"] == "warning"}
    for what, chosen in kinds.items():
        parts.append(
            pd.DataFrame({"what": what, "year": pd.to_numeric(issues.loc[chosen, "year"], errors="coerce")})
        )
    rows = pd.concat(parts, ignore_index=True).dropna(subset="year").astype({"year": "int64"})
    return rows.groupby(["what", "year"], sort=False).size().rename("count").reset_index()


def schools_by_year(place: District) -> pd.DataFrame:
    """Return how many schools of each type reported in each year: ``school_type`` and a column a year."""
    schools = place.schools.drop_duplicates(["school_id", "year"])
    counts = pd.crosstab(schools["school_type"], schools["year"].astype("str"))
    return counts.rename_axis(columns=None).reset_index()


def files(place: District) -> pd.DataFrame:
    """Return what became of the cells of every raw file, by the years known: ``file, schools`` and a column a kind."""
    rows = place.accounts
    year = pd.to_numeric(rows["year"], errors="coerce")
    rows = rows[year.isna() | (year <= place.cutoff.year)]
    sums = rows.groupby("file", sort=False).sum(numeric_only=True).drop(columns="year", errors="ignore")
    return sums.assign(schools=rows.groupby("file")["schools"].max()).reset_index()


def issue_counts(place: District) -> pd.DataFrame:
    """Return how many issues of each kind there are in how many files and schools: ``level, issue_kind, count, …``."""
    groups = place.issues.groupby(["level", "issue_kind"], sort=False)
    counted = groups.agg(count=("file", "size"), files=("file", "nunique"))
    schools = groups["school"].agg(lambda codes: codes[codes != ""].nunique())
    return counted.assign(schools=schools).reset_index()


def school_events(place: District) -> pd.DataFrame:
    """Return the schools that came and went between years (`planlib.clean.tables.roster.coming_and_going`)."""
    return coming_and_going(place.schools, place.tables["projects"])


def open_questions(place: District) -> pd.DataFrame:
    """Return what to ask whom: warnings about a school or a file, and reported figures that do not agree.

    ``asked`` (the school's code and name, or the office that reported; "" for who keeps the file), ``kind`` (of
    the issue, or ``reconciliation``) and what either has.
    """
    warned = place.issues[place.issues["level"] == "warning"].rename(columns={"issue_kind": "kind"})
    names = place.schools.drop_duplicates("school_id", keep="last").set_index("school_id")["school_name"]
    asked = (warned["school"] + " " + warned["school"].map(names).fillna("")).str.strip()
    # a school that is gone cannot answer for itself
    asked = asked.where(warned["kind"] != "schools_come_and_go", "")
    figures = reconciliation(place)
    is_known = figures[["reported", "recomputed"]].notna().all(axis=1)
    figures = figures[is_known & ~figures["agrees"].astype(bool)].rename(columns={"kind": "reported_in"})
    figures = figures.assign(kind="reconciliation", asked=figures["source_office"].astype("object").fillna(""))
    rows = pd.concat([warned.assign(asked=asked).astype("object"), figures.astype("object")], ignore_index=True)
    rows = rows.where(rows.notna(), "")
    return rows.sort_values("asked", key=lambda who: who == "", kind="stable", ignore_index=True)


def corrected(place: District, language: str = "en") -> pd.DataFrame:
    """Return the values that ``corrections.yml`` touched, with raw text and step in a language."""
    rows = place.lineage[place.lineage["step"].fillna("").str.contains("correction")]
    rows = rows.assign(
        step=[phrase(step, language) for step in rows["step"]],
        column=[schema.label(name, language) for name in rows["column"]],
    )
    return rows[["school_id", "stage", "year", "column", "file", "cell", "raw", "step"]].reset_index(drop=True)


def last_resources(place: District) -> pd.DataFrame:
    """Return the resources of the last year, one row per counting school and stage."""
    rows = place.stage_resources
    return rows[rows["year"] == place.last_year].reset_index(drop=True)


def school_values(place: District) -> pd.DataFrame:
    """Return every school's resources per pupil in the last year: ``school_id, stage, year, resource, value``."""
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


def contributions(place: District) -> pd.DataFrame:
    """Return what each school adds to the widest coefficient of its stage in the last year, the largest first.

    ``stage, resource, school_name, area, share`` (of CV²), ``relative`` (ratio over the mean), ``cv_without``.
    """
    parts = []
    for stage, schools in _by_stage(last_resources(place)):
        resource = widest(place, stage, place.standard.resources)
        if not resource:
            continue
        found = balance.contributions(schools[resource], schools["students"], schools["school_id"].tolist())
        found = found.set_axis(schools.index).assign(stage=stage, resource=resource)
        told = schools[["school_name", "area"]].join(
            found[["stage", "resource", "share", "relative", "cv_without"]]
        )
        parts.append(told.sort_values("share", ascending=False))
    columns = ["stage", "resource", "school_name", "area", "share", "relative", "cv_without"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _by_stage(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(stage, rows[rows["stage"] == stage]) for stage in COMPULSORY if (rows["stage"] == stage).any()]


def widest(place: District, stage: str, among: Sequence[str]) -> str:
    """Return the resource with the largest coefficient of a stage in the last year, among some; "" if none has one."""
    rows = place.balance[(place.balance["stage"] == stage) & (place.balance["year"] == place.last_year)]
    rows = rows[rows["resource"].isin(among) & rows["cv"].notna()]
    return "" if rows.empty else str(rows.loc[rows["cv"].idxmax(), "resource"])


def change(place: District) -> pd.DataFrame:
    """Split the change of every coefficient since the plan's base year into what caused it (Shapley).

    ``stage, resource, before, after, by_resources, by_pupils, by_opened, by_closed, by_reported``; the five add up.
    """
    parts = []
    for stage, rows in _by_stage(place.stage_resources):
        before, after = (rows[rows["year"] == y] for y in (place.plan.period["baseline_year"], place.last_year))
        if not len(before) or not len(after):
            continue
        found = balance.explain_change(before, after, place.standard.resources, composite=place.standard.composite)
        effects = found.set_index(["resource", "factor"])["effect"].unstack("factor")  # noqa: PD010 - keeps unknowns
        ends = found.drop_duplicates("resource").set_index("resource")[["before", "after"]]
        parts.append(ends.join(effects.add_prefix("by_")).reindex(columns=_ENDS).reset_index().assign(stage=stage))
    columns = ["stage", "resource", *_ENDS]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def sensitivity(place: District) -> pd.DataFrame:
    """Return the composite of the last year under every choice of every unsettled rule.

    ``rule, choice, stage, schools, composite, difference`` (from the default), without the defaults themselves.
    """
    schools = place.schools[place.schools["year"] == place.last_year]
    found = balance.sensitivity(schools, place.standard)
    shown = found[~found["is_default"]].reset_index(drop=True)
    shown["choice"] = shown["rule"] + "=" + shown["choice"]  # narrative names the two together
    return shown[["rule", "choice", "stage", "schools", "composite", "difference"]]


def since_baseline(place: District) -> bool:
    """Whether there are returns of the plan's base year and of a later one."""
    base = place.plan.period["baseline_year"]
    return place.last_year > base and bool((place.stage_resources["year"] == base).any())


def robustness(place: District) -> pd.DataFrame:
    """Return how far the change since the base year rests on single schools (`planlib.balance.bootstrap_change`)."""
    columns = ["stage", "resource", "before", "after", "change", "lower", "upper", "falling_share"]
    if not since_baseline(place):
        return pd.DataFrame(columns=columns)
    found = place.balance_change
    found = found.sort_values("stage", key=lambda s: s.map(COMPULSORY.index), kind="stable", ignore_index=True)
    return found.rename(columns={"falling": "falling_share"})[columns]


def transfer_plan(place: District) -> pd.DataFrame:
    """Return the least transfers that bring each stage's widest movable resource to the composite's target.

    No school gives below its threshold. One row a school: ``stage, resource, school, students, before, after,
    change, ratio_before, ratio_after`` (as the standard prints ratios), ``cv_before, cv_after, target, status``.
    """
    parts = []
    for stage, target in place.composite_targets.items():
        resource = widest(place, stage, place.standard.moves)
        if not resource:
            continue
        plan = least_transfer(place, stage, resource, target)
        rows = plan.schools.assign(stage=stage, resource=resource, cv_before=plan.before, cv_after=plan.achieved)
        per = place.standard.per[resource]
        ratios = {c: per * rows[c] for c in ("ratio_before", "ratio_after")}
        parts.append(rows.assign(target=target, status=plan.status, **ratios).drop(columns=["limit", "area"]))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_TRANSFER)


def least_transfer(place: District, stage: str, resource: str, target: float) -> balance.Decision:
    """Move one resource of a stage in the last year to a target; donors stay at or above the threshold."""
    schools = last_resources(place)
    schools = schools[schools["stage"] == stage]
    standard = place.standard
    amount, pupils = schools[resource], schools["students"]
    threshold = standard.thresholds[stage][resource]
    bounds = balance.transfer_bounds(amount, pupils, threshold=threshold, per=standard.per[resource])
    whole = resource in standard.whole and resource not in standard.shared
    names = schools["school_name"].tolist()
    return balance.transfers(amount, pupils, target, bounds=bounds, labels=names, whole=whole)


def least_for_composite(place: District, stage: str) -> tuple[str, balance.Decision | None]:
    """Return the widest movable resource and the least transfer of it that alone brings the composite to its target.

    None where no coefficient of that resource would be low enough.
    """
    rows = place.balance[(place.balance["stage"] == stage) & (place.balance["year"] == place.last_year)]
    cv, among = rows.set_index("resource")["cv"], place.standard.resources
    resource = widest(place, stage, place.standard.moves)
    # The composite is the mean: one resource has to fall by as many times the distance as there are resources.
    wanted = cv.get(resource, float("nan")) - len(among) * (cv["composite"] - place.composite_targets[stage])
    if not resource or place.standard.composite != "mean" or not wanted >= 0:
        return resource, None
    plan = least_transfer(place, stage, resource, float(wanted))
    return resource, None if plan.status == "infeasible" else plan


def transfer_moves(place: District) -> pd.DataFrame:
    """Return who gives how much to whom under :func:`transfer_plan`: ``stage, resource, from, to, amount``."""
    columns = ["stage", "resource", "from", "to", "amount"]
    parts = []
    for stage, target in place.composite_targets.items():
        resource = widest(place, stage, place.standard.moves)
        if not resource:
            continue
        moves = least_transfer(place, stage, resource, target).moves
        parts.append(moves.assign(stage=stage, resource=resource)[columns])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def addition_plan(place: District) -> pd.DataFrame:
    """Return the least to add, nothing taken away, that brings each resource of the last year to the composite's target.

    ``stage, resource, before, target, added`` (whole units; a resource already there needs none).
    """
    rows, schools = [], last_resources(place)
    for stage, target in place.composite_targets.items():
        mine = schools[schools["stage"] == stage]
        for resource in place.standard.resources:
            if not widest(place, stage, [resource]):
                continue
            whole = resource in place.standard.whole and resource not in place.standard.shared
            found = balance.additions(mine[resource], mine["students"], target, whole=whole)
            added = int(np.ceil(found.total - balance.REACHED)) if found.status != "infeasible" else pd.NA
            rows.append(
                {"stage": stage, "resource": resource, "before": found.before, "target": target, "added": added}
            )
    columns = ["stage", "resource", "before", "target", "added"]
    return pd.DataFrame(rows, columns=columns).astype({"added": "Int64"})


def cheapest_additions(place: District) -> balance.StagesPlan:
    """Find the cheapest mix by which every school passes and both composites meet the plan's target."""
    schools = last_resources(place).merge(
        plant_shares(place.schools, place.standard), on=["school_id", "stage", "year"]
    )
    standard = place.standard
    return balance.cheapest_plan_stages(
        schools, place.composite_targets, standard.unit_costs, standard, share="share"
    )


def cheapest_plan(place: District) -> pd.DataFrame:
    """Return :func:`cheapest_additions` by who uses it and resource: ``used_by, resource, schools, amount, cost``.

    Empty where a school's resources are not all known, or the plan sets no target for a stage they teach.
    """
    rows = last_resources(place)
    has_targets = rows["stage"].isin(place.composite_targets).all()
    if not has_targets or rows[list(place.standard.resources)].isna().any(axis=None):
        return pd.DataFrame(columns=["used_by", "resource", "schools", "amount", "cost"])
    bought = cheapest_additions(place).purchases
    groups = bought.groupby(["stage", "buys"], sort=False, as_index=False)
    found = groups.agg(schools=("school_id", "nunique"), amount=("amount", "sum"), cost=("cost", "sum"))
    return found.rename(columns={"stage": "used_by", "buys": "resource"})


def progression(place: District) -> pd.DataFrame:
    """Return the progression ratios used for the district as a whole, and how many enter for each birth.

    ``grade, next_grade, ratio, lowest, highest, ratios``: the extremes are those of the last three years.
    """
    counted, births = place.tables["enrolment"], place.tables["births"]
    if counted.empty:
        return pd.DataFrame(columns=["grade", "next_grade", "ratio", "lowest", "highest", "ratios"])
    sums = counted.groupby(["grade", "year"], as_index=False)["students"].sum()
    return enrolment.progression_ratios(sums, "shared", births=births if len(births) else None)

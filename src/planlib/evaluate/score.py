"""The scorecard: how far each series has come at a cutoff, and what to call it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from planlib.errors import DataError, listing
from planlib.evaluate.common import (
    TOLERANCE,
    Decisions,
    Rules,
    calendar_months,
    cut,
    day,
    decide,
    decimals,
    elapsed_share,
    numbers,
    require,
    round_half_up,
    stamps,
    standing,
)
from planlib.evaluate.meet import is_met

_SERIES = [
    "series_id",
    "indicator_id",
    "number",
    "name_zh",
    "name_en",
    "unit",
    "stage",
    "attribute",
    "direction",
    "judged",
    "baseline",
    "baseline_relation",
    "target",
    "target_relation",
    "target_text",
    "baseline_text",
    "precision",
]

_SEEN = ["value", "relation", "year", "as_of", "observation_status"]

_JUDGED = ["progress", "elapsed", "pace", "cagr_ratio", "status", "reason", "is_met", "is_cagr_agreed"]


def _known_observations(observations: pd.DataFrame, cutoff: str, order: Sequence[str]) -> pd.DataFrame:
    """Return all observations up to the cutoff, one per series and date, in the order of their dates."""
    require(observations, ["series_id", "value", "as_of"], "observations")
    seen = observations.copy()
    seen["stamp"] = stamps(seen["as_of"], "as_of")
    _refuse_undated(seen)
    seen = seen[(seen["stamp"] <= day(cutoff, "cutoff")) & seen["value"].notna()]
    seen["value"] = numbers(seen, "value", ["series_id", "as_of"])
    seen["relation"] = seen["relation"].replace("", None).fillna("=") if "relation" in seen else "="
    seen["observation_status"] = seen["status"].replace("", None) if "status" in seen else None
    seen["year"] = seen["stamp"].dt.year if "year" not in seen else seen["year"]
    seen["rank"] = standing(seen["observation_status"], order)
    _refuse_contradictions(seen)
    seen = seen.sort_values(["series_id", "stamp", "rank"], kind="stable")
    return seen.drop_duplicates(["series_id", "stamp"], keep="last")


def _refuse_undated(seen: pd.DataFrame) -> None:
    """Raise where a value has no date: it could not be told from what is not known yet."""
    undated = seen[seen["stamp"].isna() & seen["value"].notna()]
    if len(undated):
        faults = [f"series {row.series_id}: value {row.value!r}" for row in undated.itertuples()]
        raise DataError(listing("observations without as_of", faults, "give the date that the value speaks of"))


def _refuse_contradictions(seen: pd.DataFrame) -> None:
    """Raise where one date and standing of a series has two values."""
    keys = ["series_id", "as_of", "observation_status"]
    spread = seen.groupby(keys, dropna=False)["value"].nunique()
    if (spread > 1).any():
        faults = [f"series {i}, as_of {date}: {n} values" for (i, date, _), n in spread[spread > 1].items()]
        raise DataError(
            listing("observations that contradict each other", faults, "keep one value per date and status")
        )


def scorecard(
    series: pd.DataFrame,
    observations: pd.DataFrame,
    cutoff: str,
    rules: Rules,
    *,
    phase: str = "midterm",
) -> pd.DataFrame:
    """Judge every series of a plan at a cutoff.

    ``progress = (y − y0) / (yT − y0)``, ``elapsed`` from the series' own dates, ``pace = progress / elapsed``.
    The same expression serves what rises and what falls. Beside it, as a cross-check, the ratio of growth rates
    ``((y/y0)^(1/t) − 1) / ((yT/y0)^(1/T) − 1)`` (t, T in years), where all values are positive.

    Parameters
    ----------
    series : DataFrame
        The plan's series (``Plan.series``): identity, ``baseline, baseline_relation, target, target_relation,
        precision, direction, judged, baseline_as_of, target_as_of``, optional ``kind`` and ``amended_target,
        amended_relation, amended_date``.
    observations : DataFrame
        Long: ``series_id, value, as_of``; optional ``relation, status, year``. Other series than those asked for
        are not looked at.
    cutoff : str
        ISO date; nothing later is seen.
    rules : mapping
        ``pace, approximate, hold_scale, observation_status`` of ``definitions/evaluation.yml``.
    phase : {"midterm", "endterm"}
        Before the end a series has a pace; at the end it is met or not.

    Returns
    -------
    DataFrame
        One row per series in the order given: the plan's columns, then ``value, relation, year, as_of,
        observation_status, progress, elapsed, pace, cagr_ratio, status, reason, is_met, is_cagr_agreed`` and,
        where targets were amended, ``amended_target, is_met_amended, status_amended``.

    Raises
    ------
    DataError
        Missing columns, an unknown phase or way of judging, a target equal to its baseline in a series judged by
        pace.

    References
    ----------
    .. [1] Open SDG, progress methodology (Eurostat, Statistics Canada): cut points 0.95 and 0.60.

    Examples
    --------
    >>> rules = {"pace": {"ahead": 1.05, "on_track": 0.95, "behind": 0.6, "far_behind": 0}, "approximate": 0.05,
    ...          "hold_scale": 1}
    >>> row = {"series_id": "s08", "indicator_id": "i08", "number": 8, "name_zh": "", "name_en": "", "unit": "",
    ...        "stage": "primary", "attribute": "binding", "direction": "fall", "judged": "pace", "precision": 3,
    ...        "baseline": 0.305, "baseline_relation": "=", "baseline_text": "0.305", "target": 0.3,
    ...        "target_relation": "=", "target_text": "0.3", "baseline_as_of": "2020-09-01",
    ...        "target_as_of": "2025-09-01"}
    >>> seen = pd.DataFrame({"series_id": ["s08"], "value": [0.303], "as_of": ["2023-09-01"]})
    >>> card = scorecard(pd.DataFrame([row]), seen, "2023-12-31", rules)
    >>> card[["progress", "pace", "cagr_ratio"]].round(3).values.tolist(), card["status"].item()
    ([[0.4, 0.667, 0.664]], 'behind')
    """
    card = seen_card(series, observations, cutoff, rules, phase)
    return _with_amendments(judged(card, rules, phase), cutoff, rules, phase)


def seen_card(
    series: pd.DataFrame, observations: pd.DataFrame, cutoff: str, rules: Rules, phase: str
) -> pd.DataFrame:
    """Return the series with what was last seen of them at the cutoff, not yet judged; as :func:`scorecard` takes them."""
    _check_series(series, phase)
    known = _known_observations(observations, cutoff, rules.get("observation_status", {}).get("order", ()))
    last = known.groupby("series_id", sort=False).tail(1)
    own = series.reset_index(drop=True)
    card = own.merge(last[["series_id", *_SEEN]], on="series_id", how="left", validate="one_to_one")
    card = _typed(card)
    card["is_lapsed"] = _lapsed(card, known, rules)
    return card


def _check_series(series: pd.DataFrame, phase: str) -> None:
    """Raise on what cannot be judged at all."""
    require(series, [*_SERIES, "baseline_as_of", "target_as_of"], "series")
    if phase not in ("midterm", "endterm"):
        raise DataError(f"Unknown phase {phase!r}. To do: use 'midterm' or 'endterm'.")
    known = ("pace", "hold", "met_only", "batch", "census", "volume", "ambiguous")
    odd = series[~series["judged"].isin(known)]
    flat = series[series["judged"].isin(["pace", "batch"]) & (series["target"] == series["baseline"])]
    faults = [f"{r.series_id}: judged {r.judged!r}, expected one of {', '.join(known)}" for r in odd.itertuples()]
    faults += [
        f"{r.series_id}: target equals baseline, so there is no pace; judge it as 'hold'"
        for r in flat.itertuples()
    ]
    if faults:
        raise DataError(listing("series that cannot be judged", faults, "mend the entries in plan.yml"))


def _typed(card: pd.DataFrame) -> pd.DataFrame:
    """Settle types after the merge, and the precision: never coarser than the digits of baseline and target."""
    card = card.copy()
    for column in ("value", "baseline", "target"):
        card[column] = card[column].astype("float64")
    needed = [max(decimals(b), decimals(t)) for b, t in zip(card["baseline"], card["target"], strict=True)]
    card["precision"] = np.maximum(card["precision"].astype("int64"), needed)
    card["year"] = card["year"].astype("Int64")
    return card


def _lapsed(card: pd.DataFrame, known: pd.DataFrame, rules: Rules) -> pd.Series:
    """Say which held series fell out of their target in some year after the baseline, known at the cutoff."""
    hold = card[_is_hold(card)].drop(columns=_SEEN)
    every = hold.merge(known[["series_id", "value", "relation", "as_of"]], on="series_id")
    every = every[stamps(every["as_of"], "as_of") > stamps(every["baseline_as_of"], "baseline_as_of")]
    fell = every.loc[~is_met(every, rules).fillna(True).astype(bool), "series_id"]
    return card["series_id"].isin(fell)


def _is_hold(card: pd.DataFrame) -> pd.Series:
    """A volume whose target is its baseline is a planned scale to be held."""
    return (card["judged"] == "hold") | ((card["judged"] == "volume") & (card["target"] == card["baseline"]))


def judged(card: pd.DataFrame, rules: Rules, phase: str) -> pd.DataFrame:
    """Add to a card from :func:`seen_card` the measures, then status and reason."""
    card = _measured(card)
    card["is_met"] = is_met(card, rules)
    decided = _decided(card, rules, phase)
    card["status"], card["reason"] = decided["status"], decided["reason"]
    unknown = card["status"].isin(["no_data", "ambiguous"])
    card["is_met"] = card["is_met"].mask(unknown)
    card["is_cagr_agreed"] = _cagr_agrees(card, rules)
    return card


def _measured(card: pd.DataFrame) -> pd.DataFrame:
    """Add progress, elapsed share, pace and the ratio of growth rates; missing wherever they mean nothing."""
    card = card.copy()
    has_pace = card["judged"].isin(["pace", "batch", "census", "volume"]) & (card["target"] != card["baseline"])
    elapsed = elapsed_share(card["baseline_as_of"], card["target_as_of"], card["as_of"])
    card["elapsed"] = elapsed.where(elapsed > 0).clip(upper=1.0)
    span = (card["target"] - card["baseline"]).where(has_pace & card["elapsed"].notna())
    card["progress"] = (card["value"] - card["baseline"]) / span
    card["pace"] = card["progress"] / card["elapsed"]
    period = (calendar_months(card["target_as_of"]) - calendar_months(card["baseline_as_of"])) / 12
    rates = cagr_ratio(card["baseline"], card["value"], card["target"], elapsed * period, period)
    card["cagr_ratio"] = rates.where(span.notna())
    return card


def cagr_ratio(
    baseline: pd.Series, value: pd.Series, target: pd.Series, years: pd.Series, years_in_all: pd.Series
) -> pd.Series:
    """Return the yearly growth rate so far over the one required; positive means in the wanted direction.

    ``R = ((y/y0)^(1/t) − 1) / ((yT/y0)^(1/T) − 1)``.

    Parameters
    ----------
    baseline, value, target : Series of float
        y0, y and yT.
    years, years_in_all : Series of float
        t from the baseline to the value, T from the baseline to the target.

    Returns
    -------
    Series of float
        Missing where a value is not positive, the target equals the baseline, or no time has passed.

    References
    ----------
    .. [1] open-sdg/sdg-build, ``ProgressMeasure.py``; its division by zero for yT = y0 is guarded here.

    Examples
    --------
    >>> one = lambda number: pd.Series([number])
    >>> cagr_ratio(one(9.0), one(30.0), one(60.0), one(3.0), one(5.0)).round(3).tolist()
    [1.07]
    """
    ok = (baseline > 0) & (value > 0) & (target > 0) & (target != baseline) & (years > 0) & (years_in_all > 0)
    y0, y, goal = (item.where(ok) for item in (baseline, value, target))
    so_far = (y / y0) ** (1 / years.where(ok)) - 1
    required = (goal / y0) ** (1 / years_in_all.where(ok)) - 1
    return so_far / required


def _decided(card: pd.DataFrame, rules: Rules, phase: str) -> pd.DataFrame:
    """Choose status and reason by what can be said, then by the phase."""
    met = card["is_met"].fillna(False).astype(bool)
    further = _at_the_end(card, met) if phase == "endterm" else _on_the_way(card, met, rules)
    return decide(_undecidable(card) + further, card.index, ("no_data", "no_observation"))


def _undecidable(card: pd.DataFrame) -> Decisions:
    """What cannot be judged: unclear definition, no value, or nothing newer than the baseline."""
    fresh = card["elapsed"].notna()
    return [
        (card["judged"] == "ambiguous", "ambiguous", "definition_pending"),
        ((card["judged"] == "census") & ~fresh, "no_data", "census_pending"),
        (card["value"].isna(), "no_data", "no_observation"),
        (~fresh, "no_data", "baseline_only"),
    ]


def _at_the_end(card: pd.DataFrame, met: pd.Series) -> Decisions:
    """At the end: met or not, by a value of the final year only (a stock that only grows may be met earlier)."""
    years = [stamps(card[name], name).dt.year for name in ("as_of", "target_as_of")]
    grows = (card["kind"] == "cumulative") if "kind" in card else (card["judged"] == "batch")
    stale = (years[0] < years[1]) & ~(grows & met)
    return [
        (stale, "no_data", "final_value_missing"),
        (met & card["is_lapsed"], "met", "hold_lapsed"),
        (met, "met", "final"),
        (card["value"].notna(), "not_met", "final"),
    ]


def _on_the_way(card: pd.DataFrame, met: pd.Series, rules: Rules) -> Decisions:
    """Before the end: held or not, early, else by pace; each way of being judged gives its own reason."""
    hold, worse = _is_hold(card), _is_worse(card)
    cuts = {name: cut(rules, "pace", name) - TOLERANCE for name in ("ahead", "on_track", "behind", "far_behind")}
    decisions: Decisions = [
        (hold & met & card["is_lapsed"], "held", "hold_lapsed"),
        (hold & met, "held", "hold"),
        (hold, "not_held", "hold"),
        (met, "early", "target_met"),
        (worse & ~(card["pace"] >= cuts["far_behind"]), "below_baseline", "worse_than_baseline"),
        (card["judged"] == "met_only", "not_met", "no_room"),
    ]
    levels = [(card["pace"] >= cuts[name], name) for name in ("ahead", "on_track", "behind")]
    levels.append((card["value"].notna(), "far_behind"))
    return decisions + [
        (level & of_kind, status, reason) for level, status in levels for of_kind, reason in _pace_reasons(card)
    ]


def _pace_reasons(card: pd.DataFrame) -> list[tuple[pd.Series, str]]:
    """Say what to bear in mind when reading a pace."""
    bound = ~card["baseline_relation"].fillna("=").isin(["=", "≈"])
    named = [(card["judged"] == kind, kind) for kind in ("volume", "batch", "census")]
    return [*named, (bound, "baseline_is_bound"), (card["value"].notna(), "pace")]


def _is_worse(card: pd.DataFrame) -> pd.Series:
    """Worse than the baseline by at least one printed digit."""
    change = round_half_up(card["value"], card["precision"]) - round_half_up(card["baseline"], card["precision"])
    # by direction first: a row from 98 to "> 98" has no span whose sign could say which way is worse
    toward = card["direction"].map({"rise": 1.0, "fall": -1.0}).fillna(np.sign(card["target"] - card["baseline"]))
    return change * toward < -TOLERANCE


def _cagr_agrees(card: pd.DataFrame, rules: Rules) -> pd.Series:
    """Say whether the ratio of growth rates falls into the same class as the pace."""
    edges = [cut(rules, "pace", name) for name in ("far_behind", "behind", "on_track", "ahead")]
    classes = [
        np.searchsorted(edges, card[name].fillna(0.0) + TOLERANCE, side="right") for name in ("pace", "cagr_ratio")
    ]
    agreed = pd.Series(classes[0] == classes[1], index=card.index, dtype="boolean")
    return agreed.mask(card["pace"].isna() | card["cagr_ratio"].isna())


def _with_amendments(card: pd.DataFrame, cutoff: str, rules: Rules, phase: str) -> pd.DataFrame:
    """Order the columns; judge once more against targets amended up to the cutoff."""
    if "amended_target" not in card or card["amended_target"].isna().all():
        return card[[*_SERIES, *_SEEN, *_JUDGED]]
    valid = card["amended_target"].notna()
    if "amended_date" in card:
        valid &= stamps(card["amended_date"], "amended_date") <= day(cutoff, "cutoff")
    other = card.copy()
    other["target"] = card["amended_target"].astype("float64").where(valid, card["target"])
    relation = card["amended_relation"] if "amended_relation" in card else card["target_relation"]
    other["target_relation"] = relation.where(valid & relation.notna(), card["target_relation"])
    other = judged(_typed(other), rules, phase)
    extra = {
        "amended_target": other["target"].where(valid),
        "is_met_amended": other["is_met"].where(valid),
        "status_amended": other["status"].where(valid),
    }
    return card[[*_SERIES, *_SEEN, *_JUDGED]].assign(**extra)

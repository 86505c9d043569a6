"""Targets read against a forecast: how likely, what change is needed and how rare, what a next plan may ask."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from planlib.errors import DataError, listing
from planlib.forecast.features import KINDS, WINDOW, Floats, Windows
from planlib.forecast.histories import Histories, histories, numbers, where
from planlib.forecast.model import at_shares, bounded, raw_quantiles, score
from planlib.forecast.table import Table, shipped

RELATIONS = (">", "≥", "<", "≤", "=", "≈")
_HINT = "mend the targets (series_id, year, target, relation), then call again"
_CEILING = 100.0
_CERTAIN = 50.0


def _target_faults(targets: pd.DataFrame, value: Floats, year: Floats, known: pd.Index) -> list[str]:
    """Return what is wrong with single targets."""
    odd_year = ~((year >= 1) & (year <= 9999) & (year == np.floor(year)))
    strange = ~targets["series_id"].isin(known).to_numpy()
    unread = ~targets["relation"].isin(RELATIONS).to_numpy()
    faults = where(targets, ~np.isfinite(value), "target is not a number:", "target")
    faults += where(targets, odd_year, "not a year:", "year")
    faults += where(targets, strange, "no observations of this series, target", "target")
    return faults + where(targets, unread, f"relation is none of {' '.join(RELATIONS)}:", "relation")


def check_targets(targets: pd.DataFrame, h: Histories) -> pd.DataFrame:
    """Return targets with clean numbers and the position of their series, or raise with every fault.

    Parameters
    ----------
    targets : pandas.DataFrame
        ``series_id, year, target, relation``; optional ``precision`` (decimals at which it is judged).
    h : Histories

    Returns
    -------
    pandas.DataFrame
        ``series_id, year, target, relation, precision, at``, index 0..n-1.

    Raises
    ------
    DataError
    """
    lacking = [c for c in ("series_id", "year", "target", "relation") if c not in targets.columns]
    if lacking:
        raise DataError(f"targets: columns {', '.join(lacking)} are missing.\nTo do: {_HINT}.")
    (value, _), (year, _) = numbers(targets, "target"), numbers(targets, "year")
    faults = _target_faults(targets, value, year, h.series_id)
    if faults:
        raise DataError(listing("targets cannot be judged", faults, _HINT))
    kept = targets[["series_id", "relation"]].reset_index(drop=True)
    precision = numbers(targets, "precision")[0] if "precision" in targets.columns else np.nan
    at = h.series_id.get_indexer(targets["series_id"])
    return kept.assign(year=year.astype(np.int64), target=value, precision=precision, at=at)


def share_below(quantiles: Floats, shares: Floats, point: Floats, is_strict: bool) -> Floats:
    """Return P(y < point), or P(y <= point) if not strict, from the quantiles of each row.

    Between quantiles the log odds are linear in the value; beyond the outermost they go on with the mean slope of
    the outer two, and never leave (0, 1). Where quantiles are equal, the value has a probability of its own.

    Parameters
    ----------
    quantiles : numpy.ndarray
        Rising, shape (rows, shares).
    shares : numpy.ndarray
        Shape (shares,).
    point : numpy.ndarray
        Shape (rows,).
    is_strict : bool

    Returns
    -------
    numpy.ndarray
        Shape (rows,).

    Examples
    --------
    >>> q, s = np.array([[1.0, 2.0, 2.0, 3.0]]), np.array([0.2, 0.4, 0.6, 0.8])
    >>> share_below(q, s, np.array([2.0]), True).round(3), share_below(q, s, np.array([2.0]), False).round(3)
    (array([0.4]), array([0.6]))
    """
    odds = score(shares)
    count = ((quantiles < point[:, None]) if is_strict else (quantiles <= point[:, None])).sum(axis=1)
    right = np.clip(count, 1, len(shares) - 1)
    row = np.arange(len(point))
    left, gap = quantiles[row, right - 1], quantiles[row, right] - quantiles[row, right - 1]
    beyond = np.where(count == 0, -_CERTAIN, _CERTAIN)  # without any width the last value itself is certain
    step = np.divide(point - left, gap, out=beyond, where=gap > 0)
    found = odds[right - 1] + step * (odds[right] - odds[right - 1])
    return 1.0 / (1.0 + np.exp(-np.clip(found, -_CERTAIN, _CERTAIN)))


def reading(targets: pd.DataFrame, last: Floats) -> pd.DataFrame:
    """Return how each target is read: the bar, whether it is a floor, whether the bar itself misses it.

    ``=`` and ``≈`` (左右, 约) are read as reaching it from the side of the last value, if level from below (0 from above).
    With a ``precision`` the value is rounded before it is judged, so the bar moves by half of the last decimal.

    Parameters
    ----------
    targets : pandas.DataFrame
        Result of :func:`check_targets`.
    last : numpy.ndarray
        The last value of each target's series.

    Returns
    -------
    pandas.DataFrame
        ``target, bar, is_floor, is_strict``.

    Examples
    --------
    >>> t = pd.DataFrame({"relation": [">", "≥", "="], "target": [95.0, 95.0, 3.0], "precision": [None, 0, None]})
    >>> reading(t, np.array([90.0, 90.0, 4.0])).values.tolist()
    [[95.0, 95.0, True, True], [95.0, 94.5, True, False], [3.0, 3.0, False, False]]
    """
    relation, target = targets["relation"], targets["target"].to_numpy()
    reaches = relation.isin(["=", "≈"])
    below = (last < target) | ((last == target) & (target != 0))
    floor = (relation.isin([">", "≥"]) | (reaches & below)).to_numpy()
    strict = relation.isin([">", "<"]).to_numpy()
    half = np.nan_to_num(0.5 * 10.0 ** -targets["precision"].to_numpy(dtype=float, na_value=np.nan))
    shift = np.where(floor, -half, half) * np.where(strict, -1.0, 1.0)
    strict = strict & (half == 0)
    return pd.DataFrame({"target": target, "bar": target + shift, "is_floor": floor, "is_strict": strict})


def _met(
    value: Floats, bar: Floats, is_floor: NDArray[np.bool_], is_strict: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Judge values against bars."""
    above = np.where(is_strict, value > bar, value >= bar - 1e-9)
    below = np.where(is_strict, value < bar, value <= bar + 1e-9)
    return np.where(is_floor, above, below).astype(bool)


def _one_horizon(h: Histories, ahead: NDArray[np.int64], table: Table) -> Floats:
    """Return raw quantiles (series, shares), each series at its own horizon."""
    found = np.empty((len(h.count), len(table.shares)))
    for _, members, windows in h.groups():
        for years in np.unique(ahead[members]):
            some = ahead[members] == years
            part = Windows(windows.values[some], windows.years[some], windows.kind)
            found[members[some]] = raw_quantiles(part, table, [int(years)], noise=h.noise[h.end[members[some]]])[
                :, 0, :
            ]
    return found


def _staying(h: Histories, ahead: NDArray[np.int64], table: Table, edge: float) -> Floats:
    """Return the learnt P(still there) of percentages that stand at an edge, NaN elsewhere.

    Learnt at 100; read at 0 too, as what is left of a percentage is one.
    """
    found = np.full(len(h.count), np.nan)
    for kind, members, windows in h.groups():
        if kind != "percent":
            continue
        there = np.abs(windows.values[:, ::-1] - edge) <= 1e-9
        run = np.cumprod(there, axis=1).sum(axis=1).astype(int)
        for j in range(1, WINDOW + 1):
            some = run == j
            found[members[some]] = np.interp(ahead[members[some]], table.horizons, table.staying[j - 1])
    return found


def _with_staying(
    h: Histories, ahead: NDArray[np.int64], read: pd.DataFrame, shares: tuple[Floats, Floats], table: Table
) -> tuple[Floats, Floats]:
    """Return P(y < bar) and P(y <= bar) with what is known of percentages that stand at 0 or 100.

    A target at that end asks whether they stay, whatever its precision; bars short of it keep their order.
    """
    (under, upto), bar, target = shares, read["bar"].to_numpy(), read["target"].to_numpy()
    inside = (bar > 0) & (bar < _CEILING)
    for edge, closer in ((_CEILING, np.fmin), (0.0, np.fmax)):
        stays = _staying(h, ahead, table, edge)
        share = 1 - stays if edge else stays
        here = (target == edge) & ~np.isnan(stays)
        under, upto = (np.where(here, share, np.where(inside, closer(x, share), x)) for x in (under, upto))
    return under, upto


def _split(h: Histories, targets: pd.DataFrame) -> Histories:
    """Return one history per target: the same series, cut at the target's year."""
    at, year = targets["at"].to_numpy(), targets["year"].to_numpy()
    code = np.repeat(np.arange(len(h.count)), h.count)
    key = code * 10_000 + h.year
    upto = np.searchsorted(key, at * 10_000 + year, side="right")
    count = upto - h.start[at]
    late = count <= 0
    if late.any():
        faults = [
            f"series {h.series_id[a]}, year {y}: every value is later"
            for a, y in zip(at[late], year[late], strict=True)
        ]
        raise DataError(listing("targets lie before the first value", faults, _HINT))
    return replace(
        h,
        series_id=h.series_id.take(at),
        start=h.start[at],
        count=count,
        kind=h.kind[at],
        lower=h.lower[at],
        is_inferred=h.is_inferred[at],
        upper=h.upper[at],
        missing=h.missing[at],
    )


def _ahead(h: Histories, year: NDArray[np.int64], table: Table) -> NDArray[np.int64]:
    """Return years from the last value to the target, checked against what was learnt."""
    ahead = year - h.year[h.end]
    far = ahead > table.longest
    if far.any():
        faults = [
            f"series {s}, year {y}: {a} years after the last value"
            for s, y, a in zip(h.series_id[far], year[far], ahead[far], strict=True)
        ]
        raise DataError(
            listing(f"targets lie more than {table.longest} years ahead", faults, "ask about nearer years")
        )
    return ahead


def _chance(h: Histories, ahead: NDArray[np.int64], read: pd.DataFrame, table: Table) -> Floats:
    """Return P(met) for targets ahead of the last value."""
    bar, floor, strict = (read[c].to_numpy() for c in ("bar", "is_floor", "is_strict"))
    grid = _one_horizon(h, ahead, table)
    shares = table.shares
    below = share_below(grid, shares, bar, True), share_below(grid, shares, bar, False)
    under, upto = _with_staying(h, ahead, read, below, table)
    chance = np.where(floor, 1 - np.where(strict, upto, under), np.where(strict, under, upto))
    chance = np.where(np.where(floor, bar > h.upper, bar < h.lower), 0.0, chance)
    chance = np.where(strict & np.where(floor, bar >= h.upper, bar <= h.lower), 0.0, chance)
    sure = np.where(
        floor, (bar < h.lower) | (~strict & (bar <= h.lower)), (bar > h.upper) | (~strict & (bar >= h.upper))
    )
    return np.where(sure, 1.0, chance)


def _never_back(h: Histories, read: pd.DataFrame, chance: Floats) -> Floats:
    """A running total that has reached its target stays there; one that is past a ceiling stays past."""
    total = h.kind == KINDS.index("cumulative")
    met = _met(h.value[h.end], read["bar"].to_numpy(), read["is_floor"].to_numpy(), read["is_strict"].to_numpy())
    floor = read["is_floor"].to_numpy()
    chance = np.where(total & met & floor, 1.0, chance)
    return np.where(total & ~met & ~floor, 0.0, chance)


def _judged(
    h: Histories, asked: pd.DataFrame, ahead: NDArray[np.int64], table: Table
) -> tuple[pd.DataFrame, Floats]:
    """Return how targets are read and P(met); a running total can reach its target from below only."""
    total = h.kind == KINDS.index("cumulative")
    read = reading(asked, np.where(total, -np.inf, h.value[h.end]))
    return read, _never_back(h, read, _chance(h, np.maximum(ahead, 1), read, table))


def probability(observations: pd.DataFrame, targets: pd.DataFrame, table: Table | None = None) -> pd.DataFrame:
    """Return how likely each target is met in its year.

    Read from the same quantiles as :func:`~planlib.forecast.model.forecast`; a percentage at 100 that must stay
    there from how often others stayed; a running total that has reached its target has probability 1.

    Parameters
    ----------
    observations : pandas.DataFrame
        As for ``forecast``. Values after a target's year are not used for it.
    targets : pandas.DataFrame
        ``series_id, year, target, relation`` (> ≥ < ≤ = ≈); optional ``precision``, the decimals at which the
        target is judged (95 at precision 0 is met by 94.5).
    table : Table, optional

    Returns
    -------
    pandas.DataFrame
        The targets in their order: ``series_id, year, target, relation, probability, last_year, last_value,
        horizon, note``. ``note``: observed (the year is known: 0 or 1), reached (a running total that is there),
        meets_now (the last value meets it, which is no promise).

    Raises
    ------
    DataError
        Faults of observations or targets, all at once; a target without series; a year before the first value or
        more than 15 years ahead.

    Examples
    --------
    >>> built = pd.DataFrame({"series_id": "seats", "year": [2021, 2022], "value": [400, 1020]})
    >>> built["kind"] = "cumulative"
    >>> goal = pd.DataFrame({"series_id": ["seats"], "year": [2025], "target": [1000], "relation": ["≥"]})
    >>> probability(built, goal)[["probability", "note"]].values.tolist()
    [[1.0, 'reached']]
    """
    learnt = shipped() if table is None else table
    every = histories(observations)
    asked = check_targets(targets, every)
    h = _split(every, asked)
    ahead = _ahead(h, asked["year"].to_numpy(), learnt)
    last = h.value[h.end]
    read, chance = _judged(h, asked, ahead, learnt)
    met = _met(last, read["bar"].to_numpy(), read["is_floor"].to_numpy(), read["is_strict"].to_numpy())
    chance = np.where(ahead == 0, met.astype(float), chance)
    reached = met & (h.kind == KINDS.index("cumulative")) & read["is_floor"].to_numpy()
    note = np.select([ahead == 0, reached, met], ["observed", "reached", "meets_now"], "")
    found = asked[["series_id", "year", "target", "relation"]]
    return found.assign(probability=chance, last_year=h.year[h.end], last_value=last, horizon=ahead, note=note)


def required_change(observations: pd.DataFrame, targets: pd.DataFrame, table: Table | None = None) -> pd.DataFrame:
    """Return the yearly change still needed to meet each target, and how rare such a change is.

    ``required = (target - last value) / years left``. ``percentile`` is the share of comparable series
    (the table's pool, seen through this series' own history) that end lower, so 0.97 for a rise says that three
    in a hundred get as far; ``rarity`` is the share that get at least as far in the needed direction, which is the
    :func:`probability` of the target.

    Parameters
    ----------
    observations, targets : pandas.DataFrame
        As for :func:`probability`.
    table : Table, optional

    Returns
    -------
    pandas.DataFrame
        ``series_id, year, target, relation, last_year, last_value, years_left, required_change, recent_change,
        recent_years, percentile, rarity, note``. Changes per year in the unit of the series; ``recent_change``
        is the mean over the values used (NaN for one), ``recent_years`` the years from the first of
        them to the last. Years already observed have no required change (NaN, note observed).

    Examples
    --------
    >>> seen = pd.DataFrame({"series_id": "a", "year": [2020, 2021, 2022], "value": [90.0, 91.0, 92.0]})
    >>> goal = pd.DataFrame({"series_id": ["a"], "year": [2025], "target": [98.0], "relation": ["≥"]})
    >>> required_change(seen, goal)[["required_change", "recent_change"]].values.tolist()
    [[2.0, 1.0]]
    """
    learnt = shipped() if table is None else table
    every = histories(observations)
    asked = check_targets(targets, every)
    h = _split(every, asked)
    ahead = _ahead(h, asked["year"].to_numpy(), learnt)
    last, years = h.value[h.end], np.maximum(ahead, 1)
    (read, chance), open_ = _judged(h, asked, ahead, learnt), ahead > 0
    required = np.where(open_, (asked["target"].to_numpy() - last) / years, np.nan)
    first = np.maximum(h.start, h.end - WINDOW + 1)
    span = h.year[h.end] - h.year[first]
    recent = np.divide(last - h.value[first], span, out=np.full(len(last), np.nan), where=span > 0)
    return asked[["series_id", "year", "target", "relation"]].assign(
        last_year=h.year[h.end], last_value=last, years_left=ahead, required_change=required, recent_change=recent,
        recent_years=span, percentile=np.where(open_, np.where(read["is_floor"], 1 - chance, chance), np.nan),
        rarity=np.where(open_, chance, np.nan),
        note=np.where(open_, "", "observed"),
    )  # fmt: skip


def _directions(frame: pd.DataFrame, h: Histories) -> NDArray[np.bool_]:
    """Return whether a series is meant to fall (optional column ``direction``: rise, fall, hold, volume)."""
    if "direction" not in frame.columns:
        return np.zeros(len(h.count), dtype=bool)
    falls = frame.loc[frame["direction"] == "fall", "series_id"].unique()
    return np.asarray(h.series_id.isin(falls))


def feasible_targets(
    observations: pd.DataFrame,
    year: int,
    shares: Sequence[float] = (0.8, 0.5, 0.2),
    table: Table | None = None,
) -> pd.DataFrame:
    """Return a cautious, a likely and an ambitious target of each series for a year.

    The values reached with the given probabilities: for a rising series the 20 %, 50 % and 80 % quantiles.

    Parameters
    ----------
    observations : pandas.DataFrame
        As for ``forecast``; optional ``direction`` (rise, fall, hold, volume; a falling series is read downwards).
    year : int
        Year of the target, later than each series' last.
    shares : sequence of three floats
        Probabilities of reaching the cautious, the likely and the ambitious target, falling.
    table : Table, optional

    Returns
    -------
    pandas.DataFrame
        ``series_id, year, cautious, likely, ambitious, last_year, last_value``.

    Raises
    ------
    DataError
        A year not after the last value or more than 15 years on; shares that do not fall within (0, 1).

    Examples
    --------
    >>> seen = pd.DataFrame({"series_id": "a", "year": [2023, 2024, 2025], "value": [90.0, 91.0, 92.0]})
    >>> found = feasible_targets(seen, 2030).iloc[0]
    >>> bool(found.cautious < found.likely < found.ambitious)
    True
    """
    learnt = shipped() if table is None else table
    wanted = np.array(shares, dtype=float)
    if wanted.shape != (3,) or not ((wanted > 0) & (wanted < 1)).all() or not (np.diff(wanted) < 0).all():
        raise DataError(
            f"shares must be three falling numbers within (0, 1), found {shares}.\nTo do: e.g. (0.8, 0.5, 0.2)."
        )
    h = histories(observations)
    ahead = _ahead(h, np.full(len(h.count), year), learnt)
    if (ahead < 1).any():
        faults = [
            f"series {s}: last value of {y}"
            for s, y in zip(h.series_id[ahead < 1], h.year[h.end][ahead < 1], strict=True)
        ]
        raise DataError(listing(f"{year} is not after the last value", faults, "ask for a later year"))
    last, grid = h.value[h.end], _one_horizon(h, ahead, learnt)
    rising, falling = at_shares(grid, learnt.shares, 1 - wanted), at_shares(grid, learnt.shares, wanted)
    found = np.where(_directions(observations, h)[:, None], falling, rising)
    for number, kind in enumerate(KINDS):
        some = h.kind == number
        found[some] = bounded(found[some][:, None, :], last[some], h.lower[some], h.upper[some], kind)[:, 0, :]
    named = dict(zip(("cautious", "likely", "ambitious"), found.T, strict=True))
    return pd.DataFrame(
        {"series_id": h.series_id, "year": year, **named, "last_year": h.year[h.end], "last_value": last}
    )

"""Rolling origins: how each method would have done on one's own series, each year from what was known then."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from planlib.errors import DataError
from planlib.forecast.features import Floats
from planlib.forecast.histories import Histories, histories
from planlib.forecast.model import bounded, raw_quantiles
from planlib.forecast.reference import METHODS
from planlib.forecast.table import Table, shipped
from planlib.forecast.targets import share_below

OWN = "planlib"
_BINS = 10
_EASY = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Trials:
    """Forecasts to be made: one history per series and origin, what followed, and what scores are divided by.

    ``actual`` has shape (trials, horizons), NaN where unknown; ``size`` is the mean absolute change of the values
    known at the origin; ``group`` keeps together what is not independent.
    """

    known: Histories
    actual: Floats
    size: Floats
    group: NDArray[np.int64]

    @property
    def last(self) -> Floats:
        """Last known value of each trial."""
        return self.known.value[self.known.end]


def trials(
    observations: pd.DataFrame, horizon: int, least: int = 3, origins: int | None = None, group: str | None = None
) -> Trials:
    """Cut every series at every year that has at least one later value within the horizon.

    Parameters
    ----------
    observations : pandas.DataFrame
        As for ``forecast``, optionally with the column ``group``.
    horizon : int
    least : int
        Values that must be known at an origin.
    origins : int, optional
        Only the last so many origins of each series.
    group : str, optional
        Column that names groups for the bootstrap (a place); each series on its own by default.

    Returns
    -------
    Trials
    """
    h = histories(observations)
    series = np.repeat(np.arange(len(h.count)), h.count)
    place = np.arange(len(series)) - h.start[series]
    key = series * 10_000 + h.year
    aim = key[:, None] + np.arange(1, horizon + 1)
    found = np.minimum(np.searchsorted(key, aim), len(key) - 1)
    actual = np.where(key[found] == aim, h.value[found], np.nan)
    fit = (place + 1 >= least) & ~np.isnan(actual).all(axis=1)
    if origins is not None:
        left = np.cumsum(fit[::-1])[::-1]
        after = np.append(left, 0)[h.end + 1][series]
        fit &= left - after <= origins
    rows = np.flatnonzero(fit)
    if not len(rows):
        raise DataError(
            f"no series has {least} values and a later one.\nTo do: give longer series or a smaller least."
        )
    moved = np.concatenate([[0.0], np.cumsum(np.where(np.diff(series) == 0, np.abs(np.diff(h.value)), 0.0))])
    size = (moved[rows] - moved[h.start[series[rows]]]) / np.maximum(place[rows], 1)
    return Trials(
        _cut(h, series[rows], place[rows] + 1), actual[rows], size, _groups(observations, h, group)[series[rows]]
    )


def _groups(observations: pd.DataFrame, h: Histories, group: str | None) -> NDArray[np.int64]:
    """Return a group number per series."""
    if group is None:
        return np.arange(len(h.count))
    one = observations.drop_duplicates("series_id").set_index("series_id")[group]
    return pd.factorize(one.reindex(h.series_id))[0].astype(np.int64)


def _cut(h: Histories, series: NDArray[np.int64], count: NDArray[np.int64]) -> Histories:
    """Return the histories of some series, each cut to its first values."""
    return Histories(
        pd.Index(np.arange(len(series))), h.start[series], count, h.year, h.value, h.kind[series],
        h.is_inferred[series], h.lower[series], h.upper[series], h.missing[series], h.noise,
    )  # fmt: skip


def own_quantiles(t: Trials, shares: Floats, table: Table) -> Floats:
    """Quantiles of planlib's method, shape (trials, horizons, shares)."""
    ahead = list(range(1, t.actual.shape[1] + 1))
    found = np.empty((*t.actual.shape, len(shares)))
    for kind, members, windows in t.known.groups():
        grid = raw_quantiles(windows, table, ahead, shares, t.known.noise[t.known.end[members]])
        found[members] = bounded(grid, windows.last, t.known.lower[members], t.known.upper[members], kind)
    return found


def _regular(t: Trials, trial: int) -> Floats:
    """Return one history with gaps filled on straight lines: the reference methods know no gaps."""
    rows = slice(t.known.start[trial], t.known.end[trial] + 1)
    years = t.known.year[rows]
    return np.interp(np.arange(years[0], years[-1] + 1), years, t.known.value[rows])


def unchanged(t: Trials, shares: Floats) -> Floats:
    """No change, without any width."""
    return np.repeat(t.last, t.actual.shape[1] * len(shares)).reshape(*t.actual.shape, -1)


def _made(t: Trials, method: str, table: Table) -> tuple[Floats, int]:
    """Quantiles of a method by name, and for how many trials it had no answer."""
    if method == OWN:
        return own_quantiles(t, table.shares, table), 0
    return (unchanged(t, table.shares), 0) if method == "naive" else reference_quantiles(t, table.shares, method)


def reference_quantiles(t: Trials, shares: Floats, method: str) -> tuple[Floats, int]:
    """Quantiles of a reference method, clipped to bounds; no change without width where it has no answer."""
    found, failed = unchanged(t, shares), 0
    for trial in range(len(t.last)):
        made = METHODS[method](_regular(t, trial), t.actual.shape[1], shares)
        if made is None:
            failed += 1
        else:
            found[trial] = np.clip(made, t.known.lower[trial], t.known.upper[trial])
    return found, failed


def _ratio(top: Floats, bottom: Floats, weight: Floats) -> float:
    """Ratio of weighted means over known values."""
    known = ~np.isnan(top)
    return float((np.where(known, top, 0) * weight).sum() / (np.where(known, bottom, 0) * weight).sum())


def _smape(actual: Floats, made: Floats) -> Floats:
    """Symmetric absolute percentage error, 0 where both are 0."""
    both = np.abs(actual) + np.abs(made)
    return 200.0 * np.divide(
        np.abs(actual - made), both, out=np.where(np.isnan(both), np.nan, 0.0), where=both > 0
    )


def _width_score(quantiles: Floats, actual: Floats, sides: tuple[int, int], level: float) -> Floats:
    """Interval score: width plus 2 / alpha times the distance outside (Gneiting and Raftery 2007)."""
    low, high = quantiles[..., sides[0]], quantiles[..., sides[1]]
    outside = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    return high - low + 2.0 / (1.0 - level / 100.0) * outside


def _pinball(quantiles: Floats, actual: Floats, shares: Floats) -> Floats:
    """Twice the mean pinball loss over the shares: the continuous ranked probability score on a grid."""
    error = actual[..., None] - quantiles
    return 2.0 * np.maximum(shares * error, (shares - 1.0) * error).mean(axis=-1)


def chances(t: Trials, quantiles: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Return P(met) and whether met for targets that go on by 0.5, 1 and 1.5 of the recent yearly change."""
    rows = t.known.end
    first = np.maximum(t.known.start, rows - 5)
    span = np.maximum(t.known.year[rows] - t.known.year[first], 1)
    pace = (t.last - t.known.value[first]) / span
    trial, step = np.nonzero(~np.isnan(t.actual) & (pace != 0)[:, None])
    chances, met = [], []
    for share in _EASY:
        goal = t.last[trial] + share * pace[trial] * (step + 1)
        below = share_below(quantiles[trial, step], shares, goal, True)
        up = pace[trial] > 0
        chances.append(np.where(up, 1 - below, below))
        met.append(np.where(up, t.actual[trial, step] >= goal, t.actual[trial, step] <= goal))
    return np.concatenate(chances), np.concatenate(met).astype(float)


def calibration_error(chance: Floats, met: Floats) -> float:
    """Return the mean distance between stated probability and frequency over ten bins, weighted by their size.

    Parameters
    ----------
    chance : numpy.ndarray
        Stated probabilities.
    met : numpy.ndarray
        1 where it came true, else 0.

    Returns
    -------
    float

    Examples
    --------
    >>> calibration_error(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 0.0, 1.0, 0.0]))
    0.25
    """
    bins = np.minimum((chance * _BINS).astype(int), _BINS - 1)
    gap = np.bincount(bins, weights=chance - met, minlength=_BINS)
    return float(np.abs(gap).sum() / len(chance))


def median_errors(t: Trials, quantiles: Floats, shares: Floats) -> dict[str, Floats]:
    """Absolute, scaled and symmetric errors of the median, by trial and horizon."""
    median = quantiles[..., int(np.argmin(np.abs(shares - 0.5)))]
    return {"mae": np.abs(t.actual - median), "smape": _smape(t.actual, median)}


def _owa(errors: dict[str, Floats], naive: dict[str, Floats], inverse: Floats, weight: Floats) -> float:
    """Mean of the ratios of scaled and of symmetric error to those of no change."""
    scaled = _ratio(errors["mae"] * inverse, naive["mae"] * inverse, weight)
    return (scaled + _ratio(errors["smape"], naive["smape"], weight)) / 2.0


def scores(t: Trials, quantiles: Floats, shares: Floats, naive: dict[str, Floats]) -> dict[str, float]:
    """All scores of one method."""
    errors, inverse = median_errors(t, quantiles, shares), _inverse(t)
    weight, known = np.ones((len(t.size), 1)), ~np.isnan(t.actual)
    scored = known & (t.size > 0)[:, None]
    chance, met = chances(t, quantiles, shares)
    row = {"mae": float(np.nanmean(errors["mae"])), "mase": float((errors["mae"] * inverse)[scored].mean())}
    row |= {"smape": float(np.nanmean(errors["smape"])), "owa": _owa(errors, naive, inverse, weight)}
    for level, sides in ((80, (0.1, 0.9)), (95, (0.025, 0.975))):
        low, high = (int(np.argmin(np.abs(shares - side))) for side in sides)
        slack = 1e-9 * np.maximum(np.abs(t.actual), 1.0)
        inside = (t.actual >= quantiles[..., low] - slack) & (t.actual <= quantiles[..., high] + slack)
        score = _width_score(quantiles, t.actual, (low, high), level) * inverse
        row |= {f"cover_{level}": 100 * float(inside[known].mean()), f"msis_{level}": float(score[scored].mean())}
    row["crps"] = float((_pinball(quantiles, t.actual, shares) * inverse)[scored].mean())
    return row | {
        "brier": float(np.mean((chance - met) ** 2)),
        "calibration_error": calibration_error(chance, met),
    }


def _inverse(t: Trials) -> Floats:
    """One over the size of each trial, 0 for a history that never moved: it has no scale."""
    return np.divide(1.0, t.size, out=np.zeros_like(t.size), where=t.size > 0)[:, None]


def bootstrap(
    t: Trials, errors: dict[str, dict[str, Floats]], naive: dict[str, Floats], draws: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Return standard errors of each method's OWA and of its difference to planlib's, drawing groups in pairs.

    One group alone tells nothing of the doubt: NaN.
    """
    random, inverse = np.random.default_rng(seed), _inverse(t)
    _, number = np.unique(t.group, return_inverse=True)
    groups = number.max() + 1
    if groups < 2:
        return dict.fromkeys(errors, (np.nan, np.nan))
    found: dict[str, list[float]] = {name: [] for name in errors}
    for _ in range(draws):
        weight = np.bincount(random.integers(0, groups, groups), minlength=groups)[number][:, None].astype(float)
        for name, one in errors.items():
            found[name].append(_owa(one, naive, inverse, weight))
    own = np.array(found.get(OWN, np.zeros(draws)))
    return {
        name: (float(np.std(x, ddof=1)), float(np.std(np.array(x) - own, ddof=1))) for name, x in found.items()
    }


def backtest(
    observations: pd.DataFrame,
    methods: Sequence[str] = (OWN, "naive", "drift", "damped_drift", "trend_line", "grey"),
    horizon: int = 5,
    least: int = 3,
    origins: int | None = None,
    group: str | None = None,
    table: Table | None = None,
    draws: int = 200,
    seed: int = 20200901,
) -> pd.DataFrame:
    """Score methods on one's own series: from every year, with what was known then.

    Parameters
    ----------
    observations : pandas.DataFrame
        As for ``forecast``; more columns are allowed.
    methods : sequence of str
        Among planlib, naive, random_walk, drift, damped_drift, trend_line, grey (GM(1,1)) and, slower, those of
        statsmodels: damped_holt, theta, arima.
    horizon, least, origins
        See :func:`trials`.
    group : str, optional
        Column of places: the bootstrap draws whole groups.
    table : Table, optional
        For planlib; the shipped one by default.
    draws, seed : int
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        One row per method: ``method, trials, forecasts, mae, mase, smape, owa, owa_se, owa_minus_planlib,
        difference_se, cover_80, msis_80, cover_95, msis_95, crps, brier, calibration_error, no_answer``. OWA is
        relative to no change (below 1 is better); MASE, MSIS and CRPS are in mean yearly changes of the history;
        Brier and calibration error are those of P(the recent pace goes on by 0.5, 1, 1.5). Standard errors need two
        groups (else NaN). Where a method has no
        answer, no change without any width stands in and is counted.

    Raises
    ------
    DataError
        Unknown methods, no series long enough, or faults of the observations.

    References
    ----------
    Hyndman, R. J., Koehler, A. B. (2006), MASE; Makridakis et al. (2020), OWA and MSIS of the M4 competition.

    Examples
    --------
    >>> values = [50.0, 51, 53, 52, 54, 55, 57, 56, 58, 60]
    >>> seen = pd.DataFrame({"series_id": "a", "year": range(2012, 2022), "value": values})
    >>> found = backtest(seen, methods=("planlib", "naive"), horizon=2, draws=5).set_index("method")
    >>> float(found.loc["naive", "owa"]), int(found.loc["naive", "trials"])
    (1.0, 7)
    """
    strange = [m for m in methods if m not in (OWN, "naive", *METHODS)]
    if strange:
        raise DataError(
            f"unknown methods {', '.join(strange)}.\nTo do: choose among planlib, naive, {', '.join(METHODS)}."
        )
    learnt = shipped() if table is None else table
    t, shares = trials(observations, horizon, least, origins, group), learnt.shares
    naive, errors, rows = median_errors(t, unchanged(t, shares), shares), {}, []
    for method in methods:
        quantiles, failed = _made(t, method, learnt)
        errors[method] = median_errors(t, quantiles, shares)
        counted = {"method": method, "trials": len(t.last), "forecasts": int((~np.isnan(t.actual)).sum())}
        rows.append(counted | scores(t, quantiles, shares, naive) | {"no_answer": failed})
    return _with_errors(pd.DataFrame(rows), bootstrap(t, errors, naive, draws, seed))


def _with_errors(found: pd.DataFrame, doubt: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """Put the standard errors and the difference to planlib beside OWA."""
    own = found.loc[found["method"] == OWN, "owa"]
    at = found.columns.get_loc("owa") + 1
    found.insert(at, "owa_se", [doubt[m][0] for m in found["method"]])
    found.insert(at + 1, "owa_minus_planlib", found["owa"] - (own.iloc[0] if len(own) else np.nan))
    found.insert(at + 2, "difference_se", [doubt[m][1] if len(own) else np.nan for m in found["method"]])
    return found

"""Learn a table from many series: regression on the features of every window of every series.

Nothing here is needed to forecast. ``tools/fit_forecast_table.py`` calls it for the shipped table, the benchmarks
for tables that have not seen what they score, and anyone may for a table of their own.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from planlib.errors import DataError
from planlib.forecast.features import (
    WINDOW,
    Floats,
    Windows,
    centre_features,
    level,
    scale,
    spread_features,
)
from planlib.forecast.model import centre
from planlib.forecast.table import SCHEMA_VERSION, Block, Table

SHARES = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995,
)  # fmt: skip
HORIZONS = (1, 2, 3, 4, 5, 7, 10, 15)
FOLDS = 5
_LARGEST_GAP = 3
_LEAST_ERROR = 1e-3


@dataclass(frozen=True)
class Settings:
    """How to fit.

    ``rows`` are drawn per regression with ``seed``; ``ridge`` shrinks the centre towards no change; the spread
    is the ``spread_share`` quantile of the errors of a side (0.8: 10 % of all lie beyond, as in an 80 % interval).
    """

    rows: int = 30_000
    seed: int = 20200901
    ridge: float = 5e-2
    spread_share: float = 0.8
    shares: tuple[float, ...] = SHARES
    horizons: tuple[int, ...] = HORIZONS
    measure_skill: bool = True


@dataclass(frozen=True)
class Cases:
    """Windows of one kind and length with what followed: ``future[row, horizon]`` (NaN where unknown)."""

    windows: Windows
    future: Floats
    group: NDArray[np.int64]
    weight: Floats

    def take(self, rows: NDArray[np.int64]) -> "Cases":
        """Return some of the rows."""
        w = self.windows
        return Cases(
            Windows(w.values[rows], w.years[rows], w.kind), self.future[rows], self.group[rows], self.weight[rows]
        )


def fold_of(group: str) -> int:
    """Return the fold of a group (a country): from the hash of its name, so that it never changes.

    Examples
    --------
    >>> fold_of("CHN") == fold_of("CHN") and 0 <= fold_of("CHN") < 5
    True
    """
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % FOLDS


def examples(pool: pd.DataFrame, kind: str, length: int, horizons: Sequence[int]) -> Cases:
    """Return every window of ``length`` known values (gaps of at most two years inside) with its future.

    Parameters
    ----------
    pool : pandas.DataFrame
        ``series_id, group, kind, year, value``, no missing values, one row per series and year; optional ``votes``.
    kind : str
    length : int
        Values per window.
    horizons : sequence of int

    Returns
    -------
    Cases
        ``weight`` is ``votes`` (1 by default) over the root of the number of windows of the series: between a vote
        for each series and a vote for each window.
    """
    rows = pool[pool["kind"] == kind].sort_values(["series_id", "year"], kind="stable")
    code = pd.factorize(rows["series_id"])[0].astype(np.int64)
    year, value = rows["year"].to_numpy(np.int64), rows["value"].to_numpy(float)
    inner = np.concatenate([[False], (np.diff(code) == 0) & (np.diff(year) <= _LARGEST_GAP)])
    run = np.arange(len(code)) - np.maximum.accumulate(np.where(inner, 0, np.arange(len(code))))
    ends = np.flatnonzero(run >= length - 1)
    key = code * 10_000 + year
    aim = key[ends, None] + np.asarray(horizons)
    found = np.minimum(np.searchsorted(key, aim), len(key) - 1)
    future = np.where(key[found] == aim, value[found], np.nan)
    useful = ~np.isnan(future).all(axis=1)
    ends, future = ends[useful], future[useful]
    at = ends[:, None] + np.arange(1 - length, 1)
    group = pd.factorize(rows["group"], sort=True)[0].astype(np.int64)[ends]
    votes = rows["votes"].to_numpy(float)[ends] if "votes" in rows.columns else 1.0
    weight = votes / np.sqrt(np.bincount(code[ends], minlength=1)[code[ends]])
    return Cases(Windows(value[at], year[at].astype(float), kind), future, group, weight)


def quantile_regression(features: Floats, target: Floats, share: float, ridge: float = 1e-5) -> Floats:
    """Minimise the pinball loss by Hunter and Lange's majorisation: a weighted least squares per step.

    Parameters
    ----------
    features : numpy.ndarray
        Shape (rows, features).
    target : numpy.ndarray
        Shape (rows,).
    share : float
        In (0, 1).
    ridge : float
        Keeps coefficients of features that hardly vary at 0.

    Returns
    -------
    numpy.ndarray
        Shape (features,).

    References
    ----------
    Hunter, D. R., Lange, K. (2000). Quantile regression via an MM algorithm. JCGS 9, 60-77.

    Examples
    --------
    >>> ones = np.ones((101, 1))
    >>> quantile_regression(ones, np.arange(101.0), 0.9).round(1).tolist()
    [90.0]
    """
    penalty = ridge * len(target) * np.diag(features.var(axis=0) * 0.1 + 1e-3)
    slope = (2.0 * share - 1.0) * features.sum(axis=0)
    found, blur = np.zeros(features.shape[1]), 0.1
    for _ in range(40):
        weighted = features / (blur + np.abs(target - features @ found))[:, None]
        last, found = found, np.linalg.solve(weighted.T @ features + penalty, weighted.T @ target + slope)
        if blur <= 1e-3 and np.abs(found - last).max() < 1e-4:
            break
        blur = max(0.6 * blur, 1e-3)
    return found


def _drawn(found: Cases, settings: Settings, stream: int) -> Cases:
    """Draw rows by weight, with a seed that depends on nothing but the settings and the stream."""
    random = np.random.default_rng([settings.seed, stream])
    share = found.weight / found.weight.sum()
    return found.take(np.sort(random.choice(len(share), min(settings.rows, len(share)), p=share)))


def _with_scale(found: Cases, usual: float) -> tuple[Cases, Floats, Floats]:
    """Return the cases that have a scale, their scales and usual movements: all zeros say nothing about size."""
    typical = usual * level(found.windows)
    size = scale(found.windows, typical)
    kept = np.flatnonzero(size > 0)
    return found.take(kept), size[kept], typical[kept]


def usual_change(pool: pd.DataFrame, kind: str, settings: Settings) -> float:
    """Return the median over windows of three values of (mean yearly step) / level."""
    found = _drawn(examples(pool, kind, 3, (1,)), settings, 0).windows
    own, size = found.movement, level(found)
    ok = (own > 0) & (size > 0)
    if not ok.any():
        raise DataError(f"no series of kind {kind} ever moves.\nTo do: give other series to fit on.")
    return float(np.median(own[ok] / size[ok]))


def _skill(found: Cases, usual: float, settings: Settings) -> Floats:
    """Return 1 - MAE / MAE of no change, in scales, per horizon, each row scored by a fit without its group."""
    cases, size, _ = _with_scale(found, usual)
    _, features = centre_features(cases.windows, size)
    skill = np.zeros(len(settings.horizons))
    for j in range(len(skill)) if features.shape[1] else ():
        known, error = ~np.isnan(cases.future[:, j]), np.zeros(len(size))
        change = (cases.future[:, j] - cases.windows.last) / size
        for fold in range(FOLDS):
            fit, test = known & (cases.group % FOLDS != fold), known & (cases.group % FOLDS == fold)
            beta = quantile_regression(features[fit], change[fit], 0.5, settings.ridge)
            made = centre(
                cases.take(np.flatnonzero(test)).windows, (size[test] * (features[test] @ beta))[:, None]
            )
            error[test] = np.abs(cases.future[test, j] - made[:, 0]) / size[test]
        skill[j] = 1.0 - error[known].sum() / np.abs(change[known]).sum()
    return skill


def _side(error: Floats, widening: Floats, beyond: Floats, share: float) -> tuple[Floats, Floats]:
    """Fit the spread of the errors of one side; return it and the quantiles of error over spread.

    ``beyond`` says which share of this side's cases lie further out than each quantile.
    """
    gamma = quantile_regression(widening, np.log(error + _LEAST_ERROR), share)
    return gamma, np.quantile(error / np.exp(widening @ gamma), 1.0 - np.minimum(beyond, 1.0))


def _sides(error: Floats, widening: Floats, settings: Settings) -> tuple[Floats, Floats, Floats]:
    """Fit both sides: spreads below and above, quantiles of error over spread, 0 at one half."""
    shares = np.array(settings.shares)
    found, gammas = np.zeros(len(shares)), []
    for sign in (-1.0, 1.0):
        here, quantiles = sign * error >= 0, sign * (shares - 0.5) > 0
        beyond = np.minimum(shares, 1.0 - shares)[quantiles] / here.mean()
        gamma, scaled = _side(sign * error[here], widening[here], beyond, settings.spread_share)
        found[quantiles] = sign * scaled
        gammas.append(gamma)
    return gammas[0], gammas[1], found


def _fit_horizon(
    cases: Cases, size: Floats, typical: Floats, widening: Floats, j: int, settings: Settings
) -> tuple[Floats, ...]:
    """Fit one horizon: centre by least absolute deviations, then the errors around it."""
    known = np.flatnonzero(~np.isnan(cases.future[:, j]))
    some, s = cases.take(known), size[known]
    (_, moving), actual = centre_features(some.windows, s), some.future[:, j]
    beta = np.zeros(0)
    if moving.shape[1]:
        beta = quantile_regression(moving, (actual - some.windows.last) / s, 0.5, settings.ridge)
    error = (actual - centre(some.windows, (s * (moving @ beta))[:, None])[:, 0]) / typical[known]
    return beta, *_sides(error, widening[known], settings)


def fit_block(pool: pd.DataFrame, kind: str, length: int, usual: float, settings: Settings) -> Block:
    """Fit what is learnt about one kind and window length.

    Parameters
    ----------
    pool : pandas.DataFrame
        See :func:`examples`.
    kind : str
    length : int
    usual : float
        Result of :func:`usual_change`.
    settings : Settings

    Returns
    -------
    Block
    """
    found = _drawn(examples(pool, kind, length, settings.horizons), settings, length)
    cases, size, typical = _with_scale(found, usual)
    names, _ = centre_features(cases.windows, size)
    spreads, widening = spread_features(cases.windows, typical)
    parts = [_fit_horizon(cases, size, typical, widening, j, settings) for j in range(len(settings.horizons))]
    centres, below, above, errors = (np.stack(part) for part in zip(*parts, strict=True))
    skill = _skill(found, usual, settings) if settings.measure_skill else np.full(len(settings.horizons), np.nan)
    return Block(names, spreads, centres, below, above, errors, skill, len(size))


def staying(pool: pd.DataFrame, settings: Settings) -> Floats:
    """Return how often a percentage that stood at 100 for its last j values stands there h years on.

    Add-one smoothing; shape (WINDOW, horizons), row j - 1.
    """
    table = np.zeros((WINDOW, len(settings.horizons)))
    for length in range(1, WINDOW + 1):
        found = examples(pool, "percent", length, settings.horizons)
        top = (found.windows.values >= 100 - 1e-9).all(axis=1)
        future, weight = found.future[top], found.weight[top, None] * ~np.isnan(found.future[top])
        stays = (weight * (future >= 100 - 1e-9)).sum(axis=0)
        table[length - 1] = (stays + 1.0) / (weight.sum(axis=0) + 2.0)
    return table


def fit_table(pool: pd.DataFrame, settings: Settings | None = None, about: dict[str, Any] | None = None) -> Table:
    """Learn a table from a pool of series.

    Parameters
    ----------
    pool : pandas.DataFrame
        ``series_id, group, kind, year, value``: no missing values, one row per series and year. ``group`` keeps
        together what must not stand on both sides of a split (a country).
    settings : Settings, optional
    about : dict, optional
        Name, licence, sources: written into the table.

    Returns
    -------
    Table
    """
    chosen = settings or Settings()
    kinds = sorted(pool["kind"].unique())
    usual = {kind: usual_change(pool, kind, chosen) for kind in kinds}
    blocks = {
        (kind, length): fit_block(pool, kind, length, usual[kind], chosen)
        for kind in kinds
        for length in range(1, WINDOW + 1)
    }
    stays = staying(pool, chosen) if "percent" in kinds else np.full((WINDOW, len(chosen.horizons)), np.nan)
    head = {"schema_version": SCHEMA_VERSION, **(about or {})}
    return Table(np.array(chosen.shares), np.array(chosen.horizons, float), usual, blocks, stays, head)


def without_groups(pool: pd.DataFrame, fold: int) -> pd.DataFrame:
    """Return the pool without the groups of one fold (what a benchmark scores must not be fitted)."""
    folds = {group: fold_of(group) for group in pool["group"].unique()}
    return pool[pool["group"].map(folds) != fold]

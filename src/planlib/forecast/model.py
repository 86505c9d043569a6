"""Forecasts of short annual series from the learnt table."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray

from planlib.errors import DataError
from planlib.forecast.features import (
    KINDS,
    WINDOW,
    Floats,
    Windows,
    centre_features,
    level,
    scale,
    spread_features,
)
from planlib.forecast.histories import Histories, histories
from planlib.forecast.table import Block, Table, shipped

_NOTES = ("single_value", "short_history", "gaps", "constant", "no_scale", "kind_inferred", "missing_values")
_CHUNK = 20_000
_STEEPEST, _LEAST_ROOM = 100.0, 1e-300


def score(shares: Floats) -> Floats:
    """Return log odds of shares: the axis on which quantiles are interpolated and, in the tails, continued."""
    return np.log(shares / (1.0 - shares))


@lru_cache(maxsize=512)
def learnt_block(
    table: Table, kind: str, length: int, horizons: tuple[int, ...], shares: tuple[float, ...] | None = None
) -> tuple[Block, Floats]:
    """Return what was learnt about a kind and length at any horizons within the fitted ones and at any shares.

    Between horizons linear, between shares in log odds. Remembered: whoever asks series by series asks for the same.

    Parameters
    ----------
    table : Table
    kind : str
    length : int
        Values in the window.
    horizons : tuple of int
        Years after each series' own last year.
    shares : tuple of float, optional
        Those of the table by default.

    Returns
    -------
    block : Block
        ``centre``, ``errors`` and ``skill`` at the horizons; ``below`` and ``above`` still at the fitted ones.
    between : numpy.ndarray
        Weights of the fitted horizons, shape (horizons, fitted).
    """
    block = table.block(kind, length)
    between = np.stack([np.interp(horizons, table.horizons, one) for one in np.eye(len(table.horizons))], axis=1)
    errors = between @ block.errors
    if shares is not None:
        errors = at_shares(errors, table.shares, np.array(shares))
    at = replace(block, centre=between @ block.centre, errors=errors, skill=between @ block.skill)
    return at, between


def centre(windows: Windows, change: Floats) -> Floats:
    """Return last value plus change; towards a bound the change is geometric, ``y exp(change / y)`` towards 0.

    A straight fall would carry the median of a small percentage through 0 and the bound would hold it there; so
    would a rise of a large one with 100.

    Parameters
    ----------
    windows : Windows
    change : numpy.ndarray
        Shape (series, horizons).

    Returns
    -------
    numpy.ndarray
        Shape (series, horizons).
    """
    last = windows.last[:, None]
    if windows.kind == "real":
        return last + change
    falls = -_towards(last, -np.minimum(change, 0.0))
    if windows.kind != "percent":
        return last + falls + np.maximum(change, 0.0)
    return last + falls + _towards(100.0 - last, np.maximum(change, 0.0))


def _towards(room: Floats, change: Floats) -> Floats:
    """Return how far a change goes into a room that it never fills; without any room it is as it was."""
    share = change / np.maximum(room, np.maximum(change, _LEAST_ROOM) / _STEEPEST)
    return np.where(room > 0, room * -np.expm1(-share), change)


def medians_and_spreads(
    windows: Windows, usual: float, block: Block, between: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the medians of each series and the spreads below and above them.

    ``median = y_n + scale * sum(feature * centre)``, ``spread = usual level * exp(sum(feature * spread))``, which
    does not shrink with the horizon: an unusual history may ask for it, nobody would believe it.

    Parameters
    ----------
    windows : Windows
    usual : float
        Median over the pool of yearly movement over level.
    block, between
        Result of :func:`learnt_block`.

    Returns
    -------
    medians, below, above : numpy.ndarray
        Shape (series, horizons).
    """
    typical = usual * level(windows)
    size = scale(windows, typical)
    (names, moving), (spreads, wide) = centre_features(windows, size), spread_features(windows, typical)
    if (names, spreads) != (block.centre_names, block.spread_names):
        raise DataError(f"the table was fitted on other features: {block.centre_names}.\nTo do: fit it again.")
    below, above = (
        typical[:, None] * np.exp(np.maximum.accumulate(wide @ side.T, axis=1) @ between.T)
        for side in (block.below, block.above)
    )
    return centre(windows, size[:, None] * (moving @ block.centre.T)), below, above


def raw_quantiles(
    windows: Windows,
    table: Table,
    horizons: Sequence[int],
    shares: Floats | None = None,
    noise: Floats | None = None,
) -> Floats:
    """Return quantiles before bounds, rising in the last axis: ``median + spread * error``.

    The noise of a small number of persons widens them: the table was learnt on nations, which hardly have any.
    Distances from the median add in squares, ``sqrt((spread * error)² + (z * noise)²)``.

    Parameters
    ----------
    windows : Windows
    table : Table
    horizons : sequence of int
    shares : numpy.ndarray, optional
        Those of the table by default.
    noise : numpy.ndarray, optional
        Standard error of each series' next value, shape (series,).

    Returns
    -------
    numpy.ndarray
        Shape (series, horizons, shares).
    """
    asked = None if shares is None else tuple(shares.tolist())
    block, between = learnt_block(table, windows.kind, windows.values.shape[1], tuple(horizons), asked)
    median, below, above = medians_and_spreads(windows, table.usual[windows.kind], block, between)
    away = np.where(block.errors < 0, below[:, :, None], above[:, :, None]) * block.errors
    if noise is not None and noise.any():
        normal = np.array([NormalDist().inv_cdf(x) for x in (table.shares if shares is None else shares)])
        away = np.sign(normal) * np.hypot(away, normal * noise[:, None, None])
    return median[:, :, None] + away


def bounded(quantiles: Floats, last: Floats, lower: Floats, upper: Floats, kind: str) -> Floats:
    """Clip quantiles to bounds; those of a cumulative series start at its last value and never fall."""
    floor = np.maximum(lower, last) if kind == "cumulative" else lower
    kept = np.clip(quantiles, floor[:, None, None], upper[:, None, None])
    return np.maximum.accumulate(kept, axis=1) if kind == "cumulative" else kept


def at_shares(quantiles: Floats, shares: Floats, wanted: Floats) -> Floats:
    """Interpolate quantiles along the last axis in log odds; beyond the outermost, continue their slope.

    Parameters
    ----------
    quantiles : numpy.ndarray
        Shape (..., shares).
    shares : numpy.ndarray
        Rising, shape (shares,).
    wanted : numpy.ndarray
        Shape (wanted,), each in (0, 1).

    Returns
    -------
    numpy.ndarray
        Shape (..., wanted).

    Examples
    --------
    >>> at_shares(np.array([[0.0, 10.0, 20.0]]), np.array([0.2, 0.5, 0.8]), np.array([0.5, 0.2])).tolist()
    [[10.0, 0.0]]
    """
    odds, aim = score(shares), score(wanted)
    right = np.clip(np.searchsorted(odds, aim - 1e-12), 1, len(odds) - 1)
    weight = (aim - odds[right - 1]) / (odds[right] - odds[right - 1])
    return quantiles[..., right - 1] * (1.0 - weight) + quantiles[..., right] * weight


def _wanted(levels: Sequence[float]) -> tuple[list[str], Floats]:
    """Return column names and shares: median first, then lower and upper of each level."""
    bad = [x for x in levels if isinstance(x, bool | str) or not 0 < float(x) < 100]
    if bad or len(set(map(float, levels))) != len(levels) or not len(levels):
        raise DataError(
            f"levels must be different numbers above 0 and below 100, found {list(levels)}.\nTo do: e.g. (80, 95)."
        )
    names, shares = ["median"], [0.5]
    for one in levels:
        names += [f"lower_{float(one):g}", f"upper_{float(one):g}"]
        shares += [0.5 - float(one) / 200, 0.5 + float(one) / 200]
    return names, np.array(shares)


def _years_ahead(horizon: object, table: Table) -> list[int]:
    """Return 1..horizon."""
    if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or not 1 <= horizon <= table.longest:
        raise DataError(
            f"horizon must be a whole number of years from 1 to {table.longest}, found {horizon!r}.\n"
            f"To do: forecast fewer years; nothing was learnt about more than {table.longest}."
        )
    return list(range(1, int(horizon) + 1))


@cache
def _sentences() -> ExtensionArray:
    """Every set of notes as words joined by ``;``, at the number whose bits they are."""
    every = range(1 << len(_NOTES))
    return pd.Index([";".join(w for bit, w in enumerate(_NOTES) if one >> bit & 1) for one in every]).array


def notes(h: Histories) -> NDArray[np.int64]:
    """Return, per series, what a reader must know, as the number of its sentence."""
    n, last = h.count, h.end
    first = np.maximum(h.start, last - WINDOW + 1)
    gappy = h.year[last] - h.year[first] > last - first
    moved = np.zeros(len(h.value), dtype=np.int64)
    np.cumsum(h.value[1:] != h.value[:-1], out=moved[1:])
    still = (n > 1) & (moved[last] == moved[first])
    flat_zero = (still | (n == 1)) & (h.value[last] == 0) & (h.kind != KINDS.index("percent"))
    flags = (n == 1, (n > 1) & (n < 4), gappy, still, flat_zero, h.is_inferred, h.missing > 0)
    return np.array([1 << bit for bit in range(len(flags))]) @ np.stack(flags)


def _fill(h: Histories, ahead: list[int], shares: Floats, table: Table) -> tuple[Floats, Floats]:
    """Return quantiles (series, horizons, wanted) and expected skill (series, horizons)."""
    found = np.empty((len(h.count), len(ahead), len(shares)))
    skill = np.empty((len(h.count), len(ahead)))
    for kind, members, windows in h.groups():
        skill[members] = learnt_block(table, kind, windows.values.shape[1], tuple(ahead))[0].skill
        for at in range(0, len(members), _CHUNK):
            some = slice(at, at + _CHUNK)
            part = Windows(windows.values[some], windows.years[some], kind)
            own = members[some]
            found[own] = bounded(
                raw_quantiles(part, table, ahead, shares, h.noise[h.end[own]]),
                part.last,
                h.lower[own],
                h.upper[own],
                kind,
            )
    return found, skill


def forecast(
    observations: pd.DataFrame,
    horizon: int,
    levels: Sequence[float] = (80, 95),
    table: Table | None = None,
) -> pd.DataFrame:
    """Forecast any number of short annual series, each 1 to ``horizon`` years after its own last year.

    ``Q(share) = y_n + scale * sum(feature * coefficient[share, horizon])``, with features of at most the last six
    values and coefficients learnt by quantile regression on thousands of other education series (docs/methods.md,
    Forecasts). Nothing but the rows given is used: to forecast from a cutoff, give only what was known then.

    Parameters
    ----------
    observations : pandas.DataFrame
        Long: ``series_id, year, value``; optional ``kind``, ``lower_bound``, ``upper_bound``. Missing values count
        as gaps. Kinds: percent, positive, real, cumulative; positive means count where the values are whole numbers
        that reach 100, else rate (both may be said outright). Without a kind: real if a value is negative, else
        positive. ``denominator``: persons behind a percentage; few of them widen the interval.
    horizon : int
        Years ahead, 1 to 15.
    levels : sequence of float
        Interval levels in percent, each in (0, 100).
    table : Table, optional
        Another learnt table than the shipped one.

    Returns
    -------
    pandas.DataFrame
        One row per series and year: ``series_id, year, median, lower_<level>, upper_<level>, …, naive,
        expected_skill, note``. ``naive`` is the last value. ``expected_skill`` is 1 - MAE / MAE of naive on series
        that were not fitted (0.02 = two percent better than no change). ``note`` holds words joined by ``;``:
        single_value, short_history (2 or 3 values), gaps, constant, no_scale (all zero: no width can be given),
        kind_inferred, missing_values.

    Raises
    ------
    DataError
        With all faults at once, by series and year.

    Examples
    --------
    >>> rates = pd.DataFrame({"series_id": "a", "year": range(2019, 2023), "value": 98.5, "kind": "percent"})
    >>> found = forecast(rates, horizon=2)
    >>> found[["series_id", "year", "median", "naive", "note"]].to_dict("records")[0]
    {'series_id': 'a', 'year': 2023, 'median': 98.5, 'naive': 98.5, 'note': 'constant'}
    >>> bool((found.lower_95 < found.lower_80).all() and (found.upper_95 <= 100).all())
    True
    """
    learnt = shipped() if table is None else table
    ahead = _years_ahead(horizon, learnt)
    names, shares = _wanted(levels)
    h = histories(observations)
    found, skill = _fill(h, ahead, shares, learnt)
    flat = np.ascontiguousarray(found.reshape(-1, len(names)).T)
    each = np.repeat(np.arange(len(h.count)), len(ahead))
    years = (h.year[h.end][:, None] + np.array(ahead)).ravel()
    columns = {"series_id": h.series_id.array.take(each), "year": years, **dict(zip(names, flat, strict=True))}
    columns |= {
        "naive": h.value[h.end][each],
        "expected_skill": skill.ravel(),
        "note": _sentences().take(notes(h)[each]),
    }
    return pd.DataFrame(columns, copy=False)

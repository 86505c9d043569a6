"""Grade progression ratios: which share of a grade is found in the next grade a year later."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from planlib.enrolment.cube import Array, Cube
from planlib.errors import DataError

SMOOTHING = 0.4
"""Weight of the newest value in single exponential smoothing (NCES, Projections of Education Statistics)."""

FOLLOWING = 0.8
"""Weight of the newest year in the movement that all grades share. Chosen on Baltimore City, 2003–2025, where every
weight from 0.6 to 1 does better than none at all (docs/benchmarks.md)."""

BELIEF = 100
"""Pupils (over the years looked at) at which an area's own pattern counts for half: it strays by about 1/√n, and areas
differ from one another by about a tenth. 30 to 200 serve the schools of Baltimore City nearly as well."""


class Pairs(NamedTuple):
    """Students of a grade and of the next one a year later, area × grade × year; missing where there is no pair.

    Attributes
    ----------
    before, after : array
        The two counts.
    chain : array of int, grade
        Which chain a grade belongs to; its grades move together.
    """

    before: Array
    after: Array
    chain: Array

    @property
    def ratio(self) -> Array:
        """The yearly ratios."""
        return self.after / self.before

    def years(self, which: slice) -> "Pairs":
        """Return some of the years."""
        return Pairs(self.before[..., which], self.after[..., which], self.chain)


def pairs(cube: Cube) -> Pairs:
    """Return every pair of neighbouring cells along the chains.

    A pair counts only where both years were reported and neither grade is empty: a school that closes, merges or has
    not filled a grade yet says nothing about how children move on.

    Parameters
    ----------
    cube : Cube
        Enrolment.

    Returns
    -------
    Pairs
        The last axis has one entry less than the years; the last grade of each chain has no pairs.
    """
    before = cube.students[:, :, :-1]
    after = np.full_like(before, np.nan)
    after[:, :-1] = cube.students[:, 1:, 1:]
    ends = np.append(cube.is_entry[1:], True)
    valid = (before > 0) & (after > 0) & ~ends[None, :, None]
    chain = np.cumsum(cube.is_entry)
    return Pairs(np.where(valid, before, np.nan), np.where(valid, after, np.nan), chain)


def _mean(pair: Pairs) -> Array:
    known = np.isfinite(pair.ratio)
    number = known.sum(axis=-1)
    return np.where(known, pair.ratio, 0.0).sum(axis=-1) / np.where(number > 0, number, np.nan)


def _weighted(pair: Pairs) -> Array:
    before = np.nansum(pair.before, axis=-1)
    return np.nansum(pair.after, axis=-1) / np.where(before > 0, before, np.nan)


def _median(pair: Pairs) -> Array:
    known = np.isfinite(pair.ratio)
    ordered = np.sort(np.where(known, pair.ratio, np.inf), axis=-1)
    number = known.sum(axis=-1, keepdims=True)
    low, high = (np.clip(place, 0, ordered.shape[-1] - 1) for place in ((number - 1) // 2, number // 2))
    middle = [np.take_along_axis(ordered, place, axis=-1)[..., 0] for place in (low, high)]
    return np.where(number[..., 0] > 0, sum(middle) / 2, np.nan)


def _last(pair: Pairs) -> Array:
    return smooth(pair.ratio, 1.0)


def _smoothed(pair: Pairs) -> Array:
    return smooth(pair.ratio, SMOOTHING)


def smooth(ratio: Array, weight: float) -> Array:
    """Smooth along the last axis from the first value known; a missing one changes nothing.

    Parameters
    ----------
    ratio : array, … × year
        Values.
    weight : float
        Of the newest value.

    Returns
    -------
    array
        The last level.
    """
    level = ratio[..., 0]
    for year in range(1, ratio.shape[-1]):
        new = ratio[..., year]
        level = np.where(np.isnan(new), level, np.where(np.isnan(level), new, level + weight * (new - level)))
    return level


_ESTIMATORS: dict[str, Callable[[Pairs], Array]] = {
    "mean": _mean,
    "weighted": _weighted,
    "median": _median,
    "last": _last,
    "smoothed": _smoothed,
}

METHODS = (*_ESTIMATORS, "shared")


def _shared(pair: Pairs, years: int | None) -> Array:
    """Return each grade's own pattern, lifted to where all grades of its chain stood last.

    In logarithms: r(a, g, y) = pattern(a, g) + movement(y) + noise. The movement (families coming or leaving) is the
    pupil-weighted mean over the grades and areas of a chain and is followed with weight :data:`FOLLOWING`; the pattern
    is what is left, averaged over the last `years` and drawn towards that of all areas (:data:`BELIEF`).
    """
    known = np.isfinite(pair.before)
    logs = np.log(np.where(known, pair.ratio, 1.0))
    weight = np.where(known, pair.before, 0.0)
    found = np.full(pair.before.shape[:2], np.nan)
    for chain in np.unique(pair.chain):
        grades = pair.chain == chain
        movement = _mean_by(logs[:, grades], weight[:, grades], (0, 1))
        rest = logs[:, grades] - np.nan_to_num(movement)
        found[:, grades] = _pattern(rest, weight[:, grades], years) + smooth(movement, FOLLOWING)
    return np.exp(found)


def _pattern(rest: Array, weight: Array, years: int | None) -> Array:
    """Average over the last years: n / (n + BELIEF) of an area's own mean, the remainder from all areas together."""
    rest, weight = (side[..., -(years or 0) :] for side in (rest, weight))
    pupils = weight.sum(axis=-1)
    own = _mean_by(rest, (weight > 0).astype("float64"), (2,))
    everybody = _mean_by(rest, weight, (0, 2))
    return everybody + pupils / (pupils + BELIEF) * (own - everybody)


def _mean_by(values: Array, weight: Array, axis: tuple[int, ...]) -> Array:
    """Return the weighted mean over some axes; missing where nothing weighs."""
    total = weight.sum(axis=axis)
    return (weight * values).sum(axis=axis) / np.where(total > 0, total, np.nan)


def window(pair: Pairs, years: int | None) -> Pairs:
    """Return the last `years` pairs (all for None)."""
    if years is None:
        return pair
    if isinstance(years, bool) or not isinstance(years, (int, np.integer)) or years < 1:
        raise DataError(f"years is {years!r}. To do: use the last 1, 2, 3, … ratios, or None for all.")
    return pair.years(slice(-years, None))


def estimate(pair: Pairs, method: str, years: int | None) -> Array:
    """Return one ratio per area and grade; missing where no pair is known.

    Parameters
    ----------
    pair : Pairs
        From :func:`pairs`.
    method : str
        One of :data:`METHODS`.
    years : int or None
        How many of the last ratios are used.

    Returns
    -------
    array, area × grade
    """
    if method not in METHODS:
        raise DataError(f"Unknown method {method!r}. To do: use one of {', '.join(METHODS)}.")
    seen = window(pair, years)
    if seen.before.shape[-1] == 0:
        return np.full(seen.before.shape[:-1], np.nan)
    return _shared(pair, years) if method == "shared" else _ESTIMATORS[method](seen)


def extreme(values: Array, none: float = np.nan) -> Array:
    """Return the smallest known value along the years, `none` where there is none."""
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], none)
    known = np.isfinite(values)
    least = np.where(known, values, np.inf).min(axis=-1)
    return np.where(known.any(axis=-1), least, none)

"""What a short history says about its future, as numbers that do not depend on the unit of measurement.

Every feature is a change or a scale divided by the series' own scale, so that a table learnt on thousands of other
series applies to a series in percent, pupils or yuan alike.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KINDS = ("percent", "rate", "count", "real", "cumulative")
"""Kinds with tables of their own; ``positive`` is read as count or rate (``histories``)."""
WINDOW = 6
"""Values used: older ones did not help on any data measured (docs/methods.md, Forecasts)."""

SHRINKAGE = 0.8
"""Weight of the series' own change in its scale; the rest is what is usual at its level."""
LEAST_CHANGE = 0.05
"""A constant series is taken to move by this share of what is usual at its level."""
_STEEP = 6.0
_MOST = 10.0
_CALMEST = 0.001
_WITH_LEVEL = frozenset({"rate", "count", "cumulative"})


@dataclass(frozen=True)
class Windows:
    """The last ``k`` values of many series: ``values`` and ``years`` of shape (series, k), oldest first.

    ``steps`` are the changes between neighbours over the square root of the years between them, as the noise of a
    random walk grows with the root of time: a gap of four years is two yearly steps.

    Examples
    --------
    >>> Windows(np.array([[1.0, 2.0, 6.0]]), np.array([[2018.0, 2019.0, 2023.0]]), "real").steps
    array([[1., 2.]])
    """

    values: Floats
    years: Floats
    kind: str

    @property
    def last(self) -> Floats:
        """The last known value of each series, shape (series,)."""
        return self.values[:, -1]

    @cached_property
    def steps(self) -> Floats:
        """Changes over the root of their years, shape (series, k - 1)."""
        return (self.values[:, 1:] - self.values[:, :-1]) / np.sqrt(self.years[:, 1:] - self.years[:, :-1])

    @cached_property
    def movement(self) -> Floats:
        """Mean absolute step, shape (series,)."""
        return np.abs(self.steps).mean(axis=1)

    @cached_property
    def change(self) -> Floats:
        """Mean yearly change from the first to the last value, shape (series,)."""
        return (self.values[:, -1] - self.values[:, 0]) / (self.years[:, -1] - self.years[:, 0])

    @cached_property
    def turns(self) -> Floats:
        """Mean absolute difference between neighbouring steps, shape (series,)."""
        return np.abs(self.steps[:, 1:] - self.steps[:, :-1]).mean(axis=1)


def level(windows: Windows) -> Floats:
    """Return the size against which changes are usual: mean ``|y|``, for percentages ``sqrt(p (100 - p)) / 2``.

    Percentages are kept 0.5 points off their ends, where the formula would allow no change at all.

    Parameters
    ----------
    windows : Windows

    Returns
    -------
    numpy.ndarray
        Shape (series,), in the unit of the values.

    Examples
    --------
    >>> level(Windows(np.array([[40.0, 60.0]]), np.array([[0.0, 1.0]]), "percent"))
    array([25.])
    >>> level(Windows(np.array([[-30.0, 10.0]]), np.array([[0.0, 1.0]]), "real"))
    array([20.])
    """
    if windows.kind == "percent":
        share = np.clip(windows.values, 0.5, 99.5).mean(axis=1)
        return np.sqrt(share * (100.0 - share)) / 2.0
    return np.abs(windows.values).mean(axis=1)


def scale(windows: Windows, typical: Floats) -> Floats:
    """Return the yearly movement to expect: ``m^0.8 typical^0.2``, ``m`` the mean absolute yearly step.

    Parameters
    ----------
    windows : Windows
    typical : numpy.ndarray
        Usual movement at the level of each series (the pool's median of ``m / level``, times level), shape (series,).

    Returns
    -------
    numpy.ndarray
        Shape (series,), in the unit of the values; 0 only where every value is 0.
    """
    if windows.values.shape[1] == 1:
        return typical
    return np.maximum(windows.movement, LEAST_CHANGE * typical) ** SHRINKAGE * typical ** (1.0 - SHRINKAGE)


def _over(top: Floats | float, bottom: Floats, otherwise: float = 0.0) -> Floats:
    """Divide; ``otherwise`` where the divisor is not above 0."""
    return np.divide(top, bottom, out=np.full_like(bottom, otherwise), where=bottom > 0)


def _weights(windows: Windows) -> dict[str, Floats]:
    """Pure numbers in [0, 1] that say how far a movement is to be believed."""
    change, moves, movement = windows.change, windows.steps, windows.movement
    weights = {"": np.ones_like(change), "falling": (change < 0).astype(float)}
    if windows.kind in _WITH_LEVEL:
        share = np.clip(_over(movement, windows.values.mean(axis=1)), _CALMEST, 1.0)
        weights["restless"] = 1.0 - np.log(share) / np.log(_CALMEST)
    if windows.kind == "percent":
        weights["high"] = windows.last / 100.0
        weights["top"] = weights["high"] ** 4
    if windows.values.shape[1] >= 3:
        apart = moves - moves.mean(axis=1)[:, None]
        error = np.sqrt((apart * apart).sum(axis=1) / (moves.shape[1] * (moves.shape[1] - 1)))
        clear = np.minimum(_over(np.abs(change), np.maximum(error, np.abs(change) / _STEEP)), _STEEP)
        weights["clear"] = clear / (1.0 + clear)
        weights["steady"] = (np.sign(moves) == np.sign(change)[:, None]).mean(axis=1)
        weights["smooth"] = _over(movement, movement + windows.turns)
        weights["sure"] = weights["clear"] * weights["smooth"]
    return weights


def centre_features(windows: Windows, size: Floats) -> tuple[tuple[str, ...], Floats]:
    """Return what moves the median, in scales: 0 for a series that never moved, which is forecast not to move.

    The mean yearly change, its usual size, the last value's distance from the mean and the last change, each times
    numbers in [0, 1] that say how far it is to be believed: falling; restless (movement over level, of rates and
    counts, from 0.1 to 100 % on a log scale); high and top (p and p to the fourth, of percentages: shares above one
    half tend to rise, below to fall); clear (t / (1 + t)); steady (share of steps in the direction of the change);
    smooth (steps hardly differ); sure (clear times smooth).

    Parameters
    ----------
    windows : Windows
    size : numpy.ndarray
        Result of :func:`scale`, shape (series,).

    Returns
    -------
    names : tuple of str
    features : numpy.ndarray
        Shape (series, names); no columns for a single value.

    Examples
    --------
    >>> w = Windows(np.array([[10.0, 12.0]]), np.array([[2021.0, 2022.0]]), "real")
    >>> names, numbers = centre_features(w, np.array([4.0]))
    >>> dict(zip(names, numbers[0].tolist(), strict=True))
    {'change': 0.5, 'movement': 0.5, 'change:falling': 0.0, 'movement:falling': 0.0}
    """
    values, years = windows.values, windows.years
    if values.shape[1] == 1:
        return (), np.zeros((len(size), 0))
    trends = {"change": windows.change, "movement": windows.movement}
    if values.shape[1] >= 3:
        trends["deviation"] = windows.last - values.mean(axis=1)
        trends["last"] = (values[:, -1] - values[:, -2]) / (years[:, -1] - years[:, -2])
    moved = np.array(list(trends.values())) * _over(1.0, size)
    weights = _weights(windows)
    names = tuple(f"{trend}:{weight}".rstrip(":") for weight in weights for trend in trends)
    found = (np.array(list(weights.values()))[:, None, :] * moved).reshape(len(names), -1)
    if values.shape[1] < 3:
        return names, found.T
    return (*names, "last_size", "change_size"), np.concatenate([found, np.abs(moved[[3, 0]])]).T


def _shape_features(windows: Windows, unusual: Floats, signed: Floats) -> dict[str, Floats]:
    """How the movement came about: in one direction, lately, in a smooth way, in one leap."""
    moves, movement = np.abs(windows.steps), windows.movement
    found = {"trending": np.abs(signed)}
    found["lately"] = _over(moves[:, -1], movement, 1.0)
    found["rough"] = np.log(np.clip(_over(windows.turns, movement, 1.0), 0.02, 2.0))
    found["unusual_trend"] = unusual * found["trending"]
    if moves.shape[1] >= 3:
        found["leap"] = _over(moves.max(axis=1), movement, 1.0)
    return found


def spread_features(windows: Windows, typical: Floats) -> tuple[tuple[str, ...], Floats]:
    """Return what widens or narrows the quantiles; the log of the spread over the usual movement is linear in them.

    Parameters
    ----------
    windows : Windows
    typical : numpy.ndarray
        Usual yearly movement at the level of each series, shape (series,).

    Returns
    -------
    names : tuple of str
    features : numpy.ndarray
        Shape (series, names): ``one``; from two values on ``unusual`` (log of own over usual movement,
        at least 0.05, which a constant series gets too), its positive part, for rates and counts ``volatile``,
        ``signed`` (change over movement); from three on the shape of the movement; for percentages how high they
        are and the log of the room to 0 and to 100.

    Examples
    --------
    >>> w = Windows(np.array([[40.0, 60.0]]), np.array([[2021.0, 2022.0]]), "real")
    >>> names, numbers = spread_features(w, np.array([20.0]))
    >>> dict(zip(names, numbers[0].tolist(), strict=True))
    {'one': 1.0, 'unusual': 0.0, 'unusual_high': 0.0, 'signed': 1.0}
    """
    found = {"one": np.ones_like(typical)}
    if windows.values.shape[1] >= 2:
        movement = windows.movement
        unusual = np.log(np.maximum(_over(movement, typical, 1.0), LEAST_CHANGE))
        found |= {"unusual": unusual, "unusual_high": np.maximum(unusual, 0.0)}
        if windows.kind in _WITH_LEVEL:
            found["volatile"] = np.minimum(_over(movement, windows.values.mean(axis=1)), 1.0)
        found["signed"] = _over(windows.change, movement)
        if windows.values.shape[1] >= 3:
            found |= _shape_features(windows, unusual, found["signed"])
    if windows.kind == "percent":
        found["high"] = windows.last / 100.0
        found["room_above"] = np.log(np.clip((100.0 - windows.last) / typical, 0.1, _MOST))
        found["room_below"] = np.log(np.clip(windows.last / typical, 0.1, _MOST))
    return tuple(found), np.array(list(found.values())).T

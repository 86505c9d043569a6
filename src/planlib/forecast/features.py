"""What a short history says about its future, as numbers that do not depend on the unit of measurement.

Every feature is a change or a scale divided by the series' own scale, so that a table learnt on thousands of other
series applies to a series in percent, pupils or yuan alike.
"""

from dataclasses import dataclass

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
_WITH_LEVEL = frozenset({"rate", "count", "cumulative"})


@dataclass(frozen=True)
class Windows:
    """The last ``k`` values of many series: ``values`` and ``years`` of shape (series, k), oldest first."""

    values: Floats
    years: Floats
    kind: str

    @property
    def last(self) -> Floats:
        """The last known value of each series, shape (series,)."""
        return self.values[:, -1]


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


def steps(windows: Windows) -> Floats:
    """Return the changes between neighbours over the square root of the years between them.

    The noise of a random walk grows with the root of time: a gap of four years is two yearly steps.

    Parameters
    ----------
    windows : Windows

    Returns
    -------
    numpy.ndarray
        Shape (series, k - 1).

    Examples
    --------
    >>> steps(Windows(np.array([[1.0, 2.0, 6.0]]), np.array([[2018.0, 2019.0, 2023.0]]), "real"))
    array([[1., 2.]])
    """
    return np.diff(windows.values, axis=1) / np.sqrt(np.diff(windows.years, axis=1))


def scale(windows: Windows, usual: float) -> Floats:
    """Return the yearly movement to expect: ``m^0.8 (usual level)^0.2``, ``m`` the mean absolute yearly step.

    Parameters
    ----------
    windows : Windows
    usual : float
        Median over the pool of ``m / level``.

    Returns
    -------
    numpy.ndarray
        Shape (series,), in the unit of the values; 0 only where every value is 0.
    """
    typical = usual * level(windows)
    if windows.values.shape[1] == 1:
        return typical
    own = np.abs(steps(windows)).mean(axis=1)
    return np.maximum(own, LEAST_CHANGE * typical) ** SHRINKAGE * typical ** (1.0 - SHRINKAGE)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """Divide, 0 where the divisor is 0."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _over(top: Floats, bottom: Floats, otherwise: float = 0.0) -> Floats:
    """Divide; ``otherwise`` where the divisor is not above 0."""
    return np.divide(top, bottom, out=np.full_like(top, otherwise), where=bottom > 0)


def _change(windows: Windows) -> Floats:
    """Mean yearly change from the first to the last value of the window."""
    values, years = windows.values, windows.years
    return (values[:, -1] - values[:, 0]) / (years[:, -1] - years[:, 0])


def _weights(windows: Windows, change: Floats, movement: Floats) -> dict[str, Floats]:
    """Pure numbers in [0, 1] that say how far a movement is to be believed."""
    weights = {"": np.ones_like(change), "falling": (change < 0).astype(float)}
    if windows.kind in _WITH_LEVEL:
        weights["volatile"] = np.minimum(_over(movement, windows.values.mean(axis=1)), 1.0)
    if windows.kind == "percent":
        weights["high"] = windows.last / 100.0
        weights["top"] = weights["high"] ** 4
    if windows.values.shape[1] >= 3:
        moves = steps(windows)
        error = moves.std(axis=1, ddof=1) / np.sqrt(moves.shape[1])
        clear = np.minimum(_over(np.abs(change), np.maximum(error, np.abs(change) / _STEEP)), _STEEP)
        weights["clear"] = clear / (1.0 + clear)
        weights["steady"] = (np.sign(moves) == np.sign(change)[:, None]).mean(axis=1)
        weights["smooth"] = _over(movement, movement + np.abs(np.diff(moves, axis=1)).mean(axis=1))
    return weights


def centre_features(windows: Windows, size: Floats) -> dict[str, Floats]:
    """Return what moves the median, in scales: 0 for a series that never moved, which is forecast not to move.

    The mean yearly change, its usual size, the last value's distance from the mean and the last change, each times
    numbers in [0, 1] that say how far it is to be believed: falling; volatile (movement over level, of rates and
    counts); high and top (p and p to the fourth, of percentages: shares above one half tend to rise, below to
    fall); clear (t / (1 + t)); steady (share of steps in the direction of the change); smooth (steps hardly differ).

    Parameters
    ----------
    windows : Windows
    size : numpy.ndarray
        Result of :func:`scale`, shape (series,).

    Returns
    -------
    dict of str to numpy.ndarray
        By name, each of shape (series,); empty for a single value.

    Examples
    --------
    >>> w = Windows(np.array([[10.0, 12.0]]), np.array([[2021.0, 2022.0]]), "real")
    >>> {name: x.tolist() for name, x in centre_features(w, np.array([4.0])).items()}
    {'change': [0.5], 'movement': [0.5], 'change:falling': [0.0], 'movement:falling': [0.0]}
    """
    if windows.values.shape[1] == 1:
        return {}
    change, movement = _change(windows), np.abs(steps(windows)).mean(axis=1)
    trends = {"change": change, "movement": movement}
    if windows.values.shape[1] >= 3:
        trends["deviation"] = windows.last - windows.values.mean(axis=1)
        years = windows.years[:, -1] - windows.years[:, -2]
        trends["last"] = (windows.values[:, -1] - windows.values[:, -2]) / years
    found = {}
    for weight, number in _weights(windows, change, movement).items():
        for trend, moved in trends.items():
            found[f"{trend}:{weight}".rstrip(":")] = _over(moved, size) * number
    if windows.values.shape[1] >= 3:
        found["last_size"], found["change_size"] = np.abs(found["last"]), np.abs(found["change"])
    return found


def _shape_features(windows: Windows, movement: Floats, unusual: Floats) -> dict[str, Floats]:
    """How the movement came about: in one direction, lately, in a smooth way, in one leap."""
    moves = steps(windows)
    found = {"trending": _over(np.abs(_change(windows)), movement)}
    found["lately"] = _over(np.abs(moves[:, -1]), movement, 1.0)
    turns = np.abs(np.diff(moves, axis=1)).mean(axis=1)
    found["rough"] = np.log(np.clip(_over(turns, movement, 1.0), 0.02, 2.0))
    found["unusual_trend"] = unusual * found["trending"]
    if windows.values.shape[1] >= 4:
        found["leap"] = _over(np.abs(moves).max(axis=1), movement, 1.0)
    return found


def spread_features(windows: Windows, usual: float) -> dict[str, Floats]:
    """Return what widens or narrows the quantiles; the log of the spread over the usual movement is linear in them.

    Parameters
    ----------
    windows : Windows
    usual : float
        Median over the pool of yearly movement over level.

    Returns
    -------
    dict of str to numpy.ndarray
        By name, each of shape (series,): ``one``; from two values on ``unusual`` (log of own over usual movement,
        at least 0.05, which a constant series gets too), its positive part, for rates and counts ``volatile``,
        ``signed`` (change over movement); from three on the shape of the movement; for percentages how high they
        are and the log of the room to 0 and to 100.

    Examples
    --------
    >>> w = Windows(np.array([[40.0, 60.0]]), np.array([[2021.0, 2022.0]]), "real")
    >>> {name: x.round(3).tolist() for name, x in spread_features(w, 0.4).items()}
    {'one': [1.0], 'unusual': [0.0], 'unusual_high': [0.0], 'signed': [1.0]}
    """
    typical = usual * level(windows)
    found = {"one": np.ones_like(typical)}
    if windows.values.shape[1] >= 2:
        movement = np.abs(steps(windows)).mean(axis=1)
        unusual = np.log(np.maximum(_over(movement, typical, 1.0), LEAST_CHANGE))
        found |= {"unusual": unusual, "unusual_high": np.maximum(unusual, 0.0)}
        if windows.kind in _WITH_LEVEL:
            found["volatile"] = np.minimum(_over(movement, windows.values.mean(axis=1)), 1.0)
        found["signed"] = _over(_change(windows), movement)
        if windows.values.shape[1] >= 3:
            found |= _shape_features(windows, movement, unusual)
    if windows.kind == "percent":
        found["high"] = windows.last / 100.0
        found["room_above"] = np.log(np.clip((100.0 - windows.last) / typical, 0.1, _MOST))
        found["room_below"] = np.log(np.clip(windows.last / typical, 0.1, _MOST))
    return found


def stacked(features: dict[str, Floats], rows: int) -> Floats:
    """Return features as one array (rows, features)."""
    return np.stack(list(features.values()), axis=1) if features else np.zeros((rows, 0))

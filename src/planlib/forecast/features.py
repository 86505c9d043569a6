"""What a short history says about its future, as numbers that do not depend on the unit of measurement.

Every feature is a change or a scale divided by the series' own scale, so that a table learnt on thousands of other
series applies to a series in percent, pupils or yuan alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KINDS = ("percent", "positive", "real", "cumulative")
WINDOW = 6
"""Values used: older ones did not help on any data measured (docs/methods.md, Forecasts)."""

SHRINKAGE = 0.8
"""Weight of the series' own change in its scale; the rest is what is usual at its level."""
LEAST_CHANGE = 0.05
"""A constant series is taken to move by this share of what is usual at its level."""
_ROOM = 3.0
_STEEP = 6.0


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


def _trends(windows: Windows) -> dict[str, Floats]:
    """Movements in the unit of the values: mean yearly change, its size, the distance from the mean."""
    values, years = windows.values, windows.years
    change = (values[:, -1] - values[:, 0]) / (years[:, -1] - years[:, 0])
    found = {"change": change, "movement": np.abs(steps(windows)).mean(axis=1)}
    if values.shape[1] >= 3:
        found["deviation"] = values[:, -1] - values.mean(axis=1)
    return found


def _weights(windows: Windows, trends: dict[str, Floats]) -> dict[str, Floats]:
    """Pure numbers in [0, 1] that say how far a movement is to be believed."""
    change, movement = trends["change"], trends["movement"]
    weights = {
        "": np.ones_like(change),
        "falling": (change < 0).astype(float),
        "volatile": np.minimum(_ratio(movement, np.abs(windows.values).mean(axis=1)), 1.0),
    }
    if windows.kind == "real":
        del weights["volatile"]
    if windows.values.shape[1] >= 3:
        moves = steps(windows)
        error = moves.std(axis=1, ddof=1) / np.sqrt(moves.shape[1])
        clear = np.minimum(_ratio(np.abs(change), np.maximum(error, np.abs(change) / _STEEP)), _STEEP)
        weights["clear"] = clear / (1.0 + clear)
        weights["steady"] = (np.sign(moves) == np.sign(change)[:, None]).mean(axis=1)
    return weights


def _ends(windows: Windows, size: Floats) -> dict[str, Floats]:
    """Room left to the ends of a percentage, in scales, at most three."""
    if windows.kind != "percent":
        return {}
    above, below = np.maximum(100.0 - windows.last, 0.0), np.maximum(windows.last, 0.0)
    return {
        "room_above": np.minimum(_ratio(above, size), _ROOM),
        "room_below": np.minimum(_ratio(below, size), _ROOM),
    }


def design(windows: Windows, size: Floats) -> tuple[list[str], Floats]:
    """Return the features of each series, in scales.

    Those of the first block are 0 for a constant series; the forecast's median uses only them, so that a series
    which never moved is forecast not to move. The last block (``scale``, ``room_above``, ``room_below``) is for
    the other quantiles.

    Parameters
    ----------
    windows : Windows
    size : numpy.ndarray
        Result of :func:`scale`, shape (series,).

    Returns
    -------
    names : list of str
    features : numpy.ndarray
        Shape (series, features).

    Examples
    --------
    >>> w = Windows(np.array([[10.0, 12.0]]), np.array([[2021.0, 2022.0]]), "real")
    >>> design(w, np.array([2.0]))
    (['change', 'movement', 'change:falling', 'movement:falling', 'scale'], array([[1., 1., 0., 0., 1.]]))
    """
    columns: dict[str, Floats] = {}
    if windows.values.shape[1] >= 2:
        trends = _trends(windows)
        for weight, number in _weights(windows, trends).items():
            for trend, movement in trends.items():
                columns[f"{trend}:{weight}".rstrip(":")] = _ratio(movement, size) * number
        if "deviation" in trends:
            moves = np.diff(windows.values[:, -2:], axis=1)[:, 0] / np.diff(windows.years[:, -2:], axis=1)[:, 0]
            columns["last"] = _ratio(moves, size)
            columns["last_size"] = np.abs(columns["last"])
            columns["change_size"] = np.abs(columns["change"])
    columns["scale"] = np.ones_like(size)
    columns |= _ends(windows, size)
    return list(columns), np.stack(list(columns.values()), axis=1)


def still(names: list[str]) -> list[bool]:
    """Return, per feature, whether it is 0 for a series that never moved (the median uses only these)."""
    return [name not in {"scale", "room_above", "room_below"} for name in names]

"""How far ratios stray from one year to the next: learnt from their own history, pooled over areas and grades."""

from dataclasses import dataclass

import numpy as np

from planlib.enrolment.cube import Array
from planlib.enrolment.ratios import Pairs, estimate

DEGREES = 5
"""Degrees of freedom of the shocks: years such as 2021 (kindergarten −37 % in Baltimore) are rare, not impossible."""


@dataclass(frozen=True)
class Noise:
    """Spread of the logarithm of a ratio around its estimate: variance = level² + small / students.

    Attributes
    ----------
    level : float
        Standard deviation that no number of pupils averages away.
    small : float
        What each pupil adds: about 1 where children move independently of one another.
    shared : float
        Share of the variance that the grades of an area have in common in a year.
    wide : float
        Share of the variance that all areas have in common in a year (part of `shared`).
    """

    level: float
    small: float
    shared: float
    wide: float

    def variance(self, students: Array) -> Array:
        """Return the variance for cells of a size."""
        return self.level**2 + self.small / np.maximum(students, 1.0)


FALLBACK = Noise(level=0.03, small=1.0, shared=0.3, wide=0.2)
"""Where history is too short to learn from (fewer than MINIMUM errors): the order of magnitude of the grades 1 to 8 of
Baltimore City, 2003–2025, school by school."""

MINIMUM = 12


def errors(pair: Pairs, method: str, years: int | None) -> tuple[Array, Array]:
    """Return what the estimator would have got wrong a year ahead, year by year.

    Parameters
    ----------
    pair : Pairs
        Yearly pairs, area × grade × year.
    method, years
        As in :func:`planlib.enrolment.ratios.estimate`.

    Returns
    -------
    error : array, area × grade × year
        log of the ratio over its estimate from earlier years; missing where either is.
    students : array
        Students behind each.
    """
    steps = range(1, pair.before.shape[-1])
    guesses = [estimate(Pairs(pair.before[..., :step], pair.after[..., :step]), method, years) for step in steps]
    if not guesses:
        return np.empty((*pair.before.shape[:2], 0)), np.empty((*pair.before.shape[:2], 0))
    guess = np.stack(guesses, axis=-1)
    ok = np.isfinite(guess) & (guess > 0) & np.isfinite(pair.ratio[..., 1:])
    ratio = np.where(ok, pair.ratio[..., 1:], 1.0) / np.where(ok, guess, 1.0)
    return np.where(ok, np.log(ratio), np.nan), pair.before[..., 1:]


def learn(error: Array, students: Array, fallback: Noise = FALLBACK) -> Noise:
    """Fit the noise to errors.

    The variance is fitted by weighted least squares of squared errors on 1 and 1/students, both kept positive; then
    the errors are standardised and the shares in common are their mean products within areas and across them.

    Parameters
    ----------
    error, students : array, area × grade × year
        From :func:`errors`.
    fallback : Noise
        Used where there are fewer than :data:`MINIMUM` errors.

    Returns
    -------
    Noise
    """
    known = np.isfinite(error)
    if known.sum() < MINIMUM:
        return fallback
    level, small = _fit_variance(error[known] ** 2, 1 / np.maximum(students[known], 1.0))
    spread = Noise(level, small, 0.0, 0.0)
    standard = np.where(known, error, 0.0) / np.sqrt(spread.variance(np.where(known, students, 1.0)))
    shared = _mean_product(standard, known, axis=(1,))
    wide = _mean_product(standard, known, axis=(0, 1))
    return Noise(level, small, float(np.clip(shared, 0.0, 0.9)), float(np.clip(min(wide, shared), 0.0, 0.9)))


def _fit_variance(square: Array, inverse: Array) -> tuple[float, float]:
    """Fit square ≈ level² + small · inverse with weights 1 / fit², neither coefficient below a thousandth part."""
    least = max(float(square.mean()) * 1e-3, 1e-8)
    fit = np.full_like(square, max(float(square.mean()), least))
    level2 = small = least
    for _ in range(8):
        weight = 1 / fit**2
        design = np.stack([np.ones_like(inverse), inverse], axis=1)
        normal = design.T @ (design * weight[:, None])
        right = design.T @ (square * weight)
        level2, small = np.linalg.lstsq(normal, right, rcond=None)[0]
        if level2 < least:
            level2, small = least, float((weight * square * inverse).sum() / (weight * inverse**2).sum())
        elif small < 0:
            level2, small = float((weight * square).sum() / weight.sum()), 0.0
        fit = np.maximum(level2 + small * inverse, least)
    return float(np.sqrt(level2)), float(small)


def _mean_product(standard: Array, known: Array, axis: tuple[int, ...]) -> float:
    """Return the mean product of two different standardised errors of the same year, over `axis`."""
    total, squares, number = (item.sum(axis=axis) for item in (standard, standard**2, known.astype("float64")))
    found = (number * (number - 1)).sum()
    return float((total**2 - squares).sum() / found) if found > 0 else 0.0


def shocks(
    noise: Noise, areas: int, grades: int, paths: int, generator: np.random.Generator, dtype: type = np.float32
) -> Array:
    """Draw one year's standardised shocks with unit variance, path × area × grade.

    Parameters
    ----------
    noise : Noise
        Says how much is common.
    areas, grades, paths : int
        Shape.
    generator : numpy Generator
        Seeded by the caller.
    dtype : type
        Of the result.

    Returns
    -------
    array
    """
    scale = np.sqrt((DEGREES - 2) / DEGREES)
    parts = [
        (noise.wide, (paths, 1, 1)),
        (noise.shared - noise.wide, (paths, areas, 1)),
        (1 - noise.shared, (paths, areas, grades)),
    ]
    total: Array = np.zeros((paths, areas, grades), dtype=dtype)
    for share, shape in parts:
        if share > 0:
            draw = generator.standard_normal(shape, dtype=np.float32)
            total += np.sqrt(share).astype(dtype) * draw.astype(dtype)
    # one tail for the whole year of an area: a bad year is bad for all its grades
    tail: Array = np.sqrt(DEGREES / generator.chisquare(DEGREES, (paths, areas, 1))).astype(dtype)
    return np.clip(total * tail * dtype(scale), -8, 8)

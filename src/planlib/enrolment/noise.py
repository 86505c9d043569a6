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
    level : array, 2 × grade
        Standard deviation that no number of pupils averages away: of the ratio that leads into a grade, then of the
        number that comes from outside.
    small : array, 2 × grade
        What each pupil adds: about 1 where children move independently of one another.
    shared : float
        Share of the variance that the grades of an area have in common in a year.
    wide : float
        Share of the variance that all areas have in common in a year (part of `shared`).
    persistent : float
        Share of the variance that stays from year to year: an estimate that is off this year is off next year too.
    """

    level: Array
    small: Array
    shared: float
    wide: float
    persistent: float

    def variance(self, students: Array, is_open: Array) -> Array:
        """Return the variance for cells of a size, … × grade, fed from outside or not."""
        number = len(self.level) // 2
        level, small = (np.where(is_open, side[number:], side[:number]) for side in (self.level, self.small))
        return level**2 + small / np.maximum(students, 1.0)


LEVEL, SMALL, SHARED, WIDE, PERSISTENT = 0.03, 1.0, 0.3, 0.2, 0.3
"""Where history is too short to learn from: the order of magnitude of Baltimore City, 2003–2025."""

MINIMUM = 12
"""Errors below which a group of grades learns nothing of its own."""


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
    guesses = [estimate(pair.years(slice(step)), method, years) for step in steps]
    if not guesses:
        return np.empty((*pair.before.shape[:2], 0)), np.empty((*pair.before.shape[:2], 0))
    guess = np.stack(guesses, axis=-1)
    ok = np.isfinite(guess) & (guess > 0) & np.isfinite(pair.ratio[..., 1:])
    ratio = np.where(ok, pair.ratio[..., 1:], 1.0) / np.where(ok, guess, 1.0)
    return np.where(ok, np.log(ratio), np.nan), pair.before[..., 1:]


def learn(error: Array, students: Array, chain: Array) -> Noise:
    """Fit the noise to errors.

    Level and small are fitted by weighted least squares of squared errors on 1 and 1/students, both kept positive, for
    each chain of grades by itself if it has at least :data:`MINIMUM` errors, else for all together, else they are the
    fallback. Then the errors are standardised; what they have in common are their mean products within an area and year,
    across areas, and from one year to the next.

    Parameters
    ----------
    error, students : array, area × grade × year
        From :func:`errors`.
    chain : array of int, grade
        Which grades are fitted together.

    Returns
    -------
    Noise
    """
    known = np.isfinite(error)
    square, inverse = np.where(known, error, 0.0) ** 2, 1 / np.maximum(np.where(known, students, 1.0), 1.0)
    level, small = (np.full(error.shape[1], number) for number in (LEVEL, SMALL))
    for groups in (np.zeros_like(chain), chain):
        for group in np.unique(groups):
            own = groups == group
            if known[:, own].sum() >= MINIMUM:
                level[own], small[own] = _fit_variance(
                    square[:, own][known[:, own]], inverse[:, own][known[:, own]]
                )
    if known.sum() < MINIMUM:
        return Noise(level, small, SHARED, WIDE, PERSISTENT)
    standard = np.where(known, error, 0.0) / np.sqrt(level[:, None] ** 2 + small[:, None] * inverse)
    shared = float(np.clip(_mean_product(standard, known, axis=(1,)), 0.0, 0.9))
    wide = float(np.clip(_mean_product(standard, known, axis=(0, 1)), 0.0, shared))
    return Noise(level, small, shared, wide, _persistence(standard, known))


def _persistence(standard: Array, known: Array) -> float:
    """Return the mean product of standardised errors of neighbouring years, between 0 and 0.9."""
    both = known[..., 1:] & known[..., :-1]
    if both.sum() < MINIMUM:
        return PERSISTENT
    return float(np.clip((standard[..., 1:] * standard[..., :-1])[both].mean(), 0.0, 0.9))


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


def common_shocks(noise: Noise, horizon: int, paths: int, generator: np.random.Generator) -> Array:
    """Draw what all areas have in common: one row that stays, then one for each year ahead, by path.

    Parameters
    ----------
    noise : Noise
        Says how much that is.
    horizon, paths : int
        Shape.
    generator : numpy Generator
        Seeded by the caller.

    Returns
    -------
    array, 1 + year × path
    """
    return np.float32(np.sqrt(noise.wide)) * generator.standard_normal((1 + horizon, paths), dtype=np.float32)


class Shocks:
    """Standardised shocks of unit variance, area × grade × path, one year after the other.

    What areas, grades and years have in common is drawn once and kept; the tails are those of Student's t, the same
    for all grades of an area in a year, because a bad year is bad for all of them.

    Parameters
    ----------
    noise : Noise
        Says how much is common.
    shape : (int, int)
        How many areas and grades; one area serves many that are looked at one by one.
    common : array, 1 + year × path
        From :func:`common_shocks`, the same for every area.
    generator : numpy Generator
        Of these areas alone.
    """

    def __init__(
        self, noise: Noise, shape: tuple[int, ...], common: Array, generator: np.random.Generator
    ) -> None:
        self.noise, self.common, self.generator = noise, iter(common), generator
        self.shape = (*shape, common.shape[1])
        kept, fresh = np.sqrt(noise.persistent), np.sqrt(1 - noise.persistent)
        self.kept, self.fresh = np.float32(kept) * self._normal(), np.float32(fresh)

    def _normal(self) -> Array:
        """Draw normal shocks with what grades and areas have in common."""
        areas, _, paths = self.shape
        draw = self.generator.standard_normal
        total = draw(self.shape, dtype=np.float32)
        total *= np.float32(np.sqrt(1 - self.noise.shared))
        own = draw((areas, 1, paths), dtype=np.float32) * np.float32(np.sqrt(self.noise.shared - self.noise.wide))
        total += own + next(self.common)
        return total

    def next_year(self) -> Array:
        """Return the shocks of the next year."""
        areas, _, paths = self.shape
        new = self._normal()
        new *= self.fresh
        new += self.kept
        tail = self.generator.standard_gamma(DEGREES / 2, (areas, 1, paths), dtype=np.float32)
        new *= np.sqrt(np.float32((DEGREES - 2) / 2) / tail)
        return np.clip(new, -8, 8, out=new)

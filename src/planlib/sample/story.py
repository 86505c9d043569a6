"""What the simulated district is made to show, and the tools every room of the sample shares."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from planlib.paths import DEFINITIONS
from planlib.standard import Standard, standard_from

Story = Mapping[str, Any]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

STAGE_GRADES: dict[str, tuple[str, ...]] = {
    "preschool": ("T", "K1", "K2", "K3"),
    "primary": ("1", "2", "3", "4", "5", "6"),
    "junior": ("7", "8", "9"),
    "senior": ("10", "11", "12"),
}
ENTRY_GRADE = {"preschool": "K1", "primary": "1", "junior": "7", "senior": "10"}
STAGE_OF_GRADE = {grade: stage for stage, grades in STAGE_GRADES.items() for grade in grades}


@cache
def definition(name: str) -> Any:
    """Return the content of ``definitions/<name>.yml``, read once.

    Parameters
    ----------
    name : str
        Without ``.yml``; ``forms/collection`` for a form.

    Returns
    -------
    dict or list
        Shared by all callers: not to be changed.
    """
    return yaml.safe_load((DEFINITIONS / f"{name}.yml").read_text(encoding="utf-8"))


def story() -> Story:
    """Return ``definitions/sample.yml``."""
    found: Story = definition("sample")
    return found


def stages_of_type() -> dict[str, list[str]]:
    """Return the stages a school of each type has, from the collection form."""
    return dict(definition("forms/collection")["stages_of_type"])


def compulsory_standard(story: Story, year: int) -> Standard:
    """Return the standard of the seven resources in force on 1 September of a year.

    Parameters
    ----------
    story : mapping
        Its ``floors.standard`` names the entry of ``definitions/standards.yml``.
    year : int

    Returns
    -------
    Standard

    Raises
    ------
    UsageError
        If the standard is unknown or was not in force then.
    """
    return standard_from(definition("standards"), story["floors"]["standard"], f"{year}-09-01")


def generator(seed: int, part: int) -> np.random.Generator:
    """Return a generator of its own for each part, so that a change in one leaves the others alone.

    Parameters
    ----------
    seed, part : int

    Returns
    -------
    numpy.random.Generator
        PCG64; its stream depends on the two numbers only, not on threads or platform.

    Examples
    --------
    >>> generator(1, 2).integers(0, 100, 3).tolist() == generator(1, 2).integers(0, 100, 3).tolist()
    True
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, part])))


def between(rng: np.random.Generator, bounds: Sequence[float], size: int) -> Floats:
    """Return uniform draws.

    Parameters
    ----------
    rng : numpy.random.Generator
    bounds : (float, float)
        Lowest and highest value.
    size : int

    Returns
    -------
    ndarray, shape (size,)
    """
    low, high = bounds
    return rng.uniform(float(low), float(high), size)


def apportion(weights: npt.ArrayLike, total: int, caps: npt.ArrayLike | None = None) -> Ints:
    """Share out whole units by weight (largest remainder), none above its cap.

    Parameters
    ----------
    weights : array_like, shape (n,)
        Zero or more.
    total : int
        What is shared out.
    caps : array_like, shape (n,), optional
        Most that each may get; if they sum to less than the total they are all raised in proportion.

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> apportion([5, 3, 2], 9).tolist()
    [4, 3, 2]
    >>> apportion([5, 3, 2], 9, caps=[3, 9, 9]).tolist()
    [3, 4, 2]
    """
    weight = np.asarray(weights, dtype=float)
    limit = (
        np.full(len(weight), total) if caps is None else _raised(weight, np.asarray(caps, dtype=np.int64), total)
    )
    given = np.zeros(len(weight), dtype=np.int64)
    for _ in range(len(weight) + 1):
        left, free = total - int(given.sum()), (given < limit) & (weight > 0)
        if left <= 0 or not free.any():
            break
        given += np.minimum(_by_remainder(np.where(free, weight, 0.0), left), limit - given)
    return given


def _raised(weight: Floats, caps: Ints, total: int) -> Ints:
    room = int(caps[weight > 0].sum())
    return caps if room >= total or room == 0 else -(-caps * total // room)


def _by_remainder(weight: Floats, total: int) -> Ints:
    exact = np.round(weight / weight.sum() * total, 9)
    floor = np.floor(exact).astype(np.int64)
    order = np.argsort(floor - exact, kind="stable")
    floor[order[: total - int(floor.sum())]] += 1
    return floor

"""Entry grades: children who come from outside the chain, by births, by a given number, or held."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from planlib.enrolment.cube import Array, Cube, columns, counts, names, refuse_twice, row_keys, whole_years
from planlib.enrolment.noise import errors
from planlib.enrolment.ratios import SMOOTHING, Pairs, estimate, extreme, smooth, window
from planlib.errors import DataError, listing

BIRTH_AGE: dict[str, int] = {"K1": 3, "1": 6}
"""Age that children must have reached by 31 August to enter a grade."""

FIRST_YEAR_SHARE = 8 / 12
"""Of those who turn six by 31 August t, the ones born January to August were born in t − 6, the others in t − 7."""


@dataclass(frozen=True)
class Entry:
    """Numbers that come from outside in the years to come, area × grade × year ahead; 0 where nobody does.

    Attributes
    ----------
    is_open : array of bool, area × grade
        Whether a grade is fed from outside: the first of a chain, or one whose grade below an area does not have.
    middle, low, high : array
        With the usual, the lowest and the highest factor of the years looked at.
    is_given : array of bool
        Numbers that were handed in: no doubt is added to them.
    notes : dict of str to array of bool
        Where the number is a fallback.
    error, size : array, area × grade × year
        How far the factor (or, where it is held, the number itself) would have been off a year ahead, as a logarithm,
        and the entrants behind it: from these the doubt is learnt.
    """

    is_open: Array
    middle: Array
    low: Array
    high: Array
    is_given: Array
    notes: dict[str, Array]
    error: Array
    size: Array


def _fed_from_outside(cube: Cube) -> Array:
    """Say which cells, area × grade × year, were not fed by the grade below in the same area a year before.

    The first grades of chains always; inside a chain, a grade with pupils where that grade was empty (junior schools of
    an area without primary schools).
    """
    outside = np.zeros(cube.students.shape, dtype=bool)
    outside[:, 1:, 1:] = (cube.students[:, 1:, 1:] > 0) & (cube.students[:, :-1, :-1] == 0)
    outside[:, cube.is_entry] = True
    return outside


def _open_now(cube: Cube) -> Array:
    """Say which grades, area × grade, go on being fed from outside: the one below is empty and did not just run out."""
    outside = np.repeat(cube.is_entry[None], len(cube.areas), axis=0)
    below = cube.students[:, :-1]
    ran_out = below[:, :, -2] > 0 if below.shape[-1] > 1 else np.zeros(below.shape[:2], dtype=bool)
    outside[:, 1:] |= (cube.students[:, 1:, -1] > 0) & (below[:, :, -1] == 0) & ~ran_out
    return outside


def births_table(births: pd.DataFrame, cube: Cube, until: int) -> tuple[pd.DataFrame, int]:
    """Return births as areas × calendar years, the last year held up to `until`.

    Parameters
    ----------
    births : DataFrame
        ``year, births``, optional ``area``; without it every area is compared with the births of all.
    cube : Cube
        Enrolment.
    until : int
        Last calendar year needed.

    Returns
    -------
    table : DataFrame
        One row per area of the cube.
    last : int
        The last year that was really given.

    Raises
    ------
    DataError
        Births that are no finite counts, given twice, of an area without enrolment, or missing for a year in between.
    """
    columns(births, ["year", "births"], "births")
    own = pd.DataFrame(
        {
            "area": names(births, "area", "births"),
            "year": whole_years(births, "births"),
            "births": counts(births, "births", "births"),
        }
    )
    told = own if "area" in births else own.drop(columns="area")
    refuse_twice(told, ("area", "year"), "births", "keep one row for each year")
    wide = own.pivot_table(index="area", columns="year", values="births", aggfunc="first")
    wide = wide.reindex(columns=range(int(wide.columns.min()), int(wide.columns.max()) + 1))
    _refuse_gaps(wide, cube, "area" in births)
    last = int(wide.columns[-1])
    wide = wide.reindex(columns=range(int(wide.columns[0]), max(until, last) + 1)).ffill(axis=1)
    if "area" in births:
        return wide.reindex(cube.areas), last
    return pd.DataFrame(np.repeat(wide.to_numpy(), len(cube.areas), axis=0), cube.areas, wide.columns), last


def _refuse_gaps(wide: pd.DataFrame, cube: Cube, by_area: bool) -> None:
    """Raise on births that cannot be matched with enrolment."""
    faults = [
        f"area {area or 'all'}: no births for {year}"
        for area, row in wide.isna().iterrows()
        for year in row.index[row.to_numpy()]
    ]
    if by_area:
        faults += [f"area {area}: births but no enrolment" for area in wide.index.difference(cube.areas)]
        faults += [f"area {area}: enrolment but no births" for area in cube.areas.difference(wide.index)]
    if faults:
        hint = "complete births.csv, or pass births without the column area"
        raise DataError(listing("births that do not fit the enrolment", faults, hint))


class Options(NamedTuple):
    """How far and how to project: the arguments of :func:`planlib.enrolment.project` of the same names."""

    horizon: int
    method: str
    years: int | None
    held: str
    birth_age: Mapping[str, int]


def entries(cube: Cube, births: pd.DataFrame | None, given: pd.DataFrame | None, how: Options) -> Entry:
    """Work out the entry grades of the years ahead: given, else by births, else held at the last number.

    Parameters
    ----------
    cube : Cube
        Enrolment.
    births, given : DataFrame or None
        See :func:`planlib.enrolment.project`.
    how : Options

    Returns
    -------
    Entry
    """
    is_open = _open_now(cube)
    shape = (*is_open.shape, how.horizon)
    last = np.where(is_open, _level(cube.students, how.held), 0.0)
    recent = np.where(cube.students > 0, cube.students, np.nan)[:, :, -(how.years or 0) :]
    lowest, highest = extreme(recent, np.inf), -extreme(-recent, np.inf)
    corner = [np.minimum(last, lowest), np.where(is_open, np.maximum(last, highest), 0.0)]
    paths = tuple(np.repeat(level[:, :, None], how.horizon, axis=2) for level in (last, *corner))
    notes = {
        "entry_held": np.broadcast_to(is_open[:, :, None], shape).copy(),
        "births_held": np.zeros(shape, bool),
    }
    missed = np.where(_fed_from_outside(cube)[:, :, 1:], _missed(cube.students, how.held), np.nan)
    if births is not None:
        table, known = births_table(births, cube, cube.last_year + how.horizon)
        for grade, pair in birth_pairs(cube, table, how.birth_age).items():
            ahead = cube.last_year + 1 + np.arange(how.horizon)
            future = np.stack([_cohorts(table, int(year), how.birth_age[grade]) for year in ahead], axis=1)
            held_on = np.broadcast_to(ahead - how.birth_age[grade] > known, future.shape)
            found = _by_births(pair, future, held_on, without_sharing(how.method), how.years)
            _put(found, cube.grades.index(grade), paths, notes, missed)
    is_given = np.zeros(shape, dtype=bool)
    if given is not None and len(given):
        _give(cube, is_open, given, paths, is_given, notes)
    middle, low, high = paths
    return Entry(is_open, middle, low, high, is_given, notes, missed, cube.students[:, :, :-1])


def _level(students: Array, held: str) -> Array:
    """Return the number at which entrants are held: 0 where the last year has none."""
    last = np.nan_to_num(students[..., -1])
    if held == "last":
        return last
    if held != "smoothed":
        raise DataError(f"held is {held!r}. To do: use 'last' or 'smoothed'.")
    return np.where(last > 0, smooth(np.where(students > 0, students, np.nan), SMOOTHING), 0.0)


def _missed(students: Array, held: str) -> Array:
    """Return the logarithm of each year's entrants over the level at which they would have been held."""
    levels = [_level(students[..., : year + 1], held) for year in range(students.shape[-1] - 1)]
    level = np.stack(levels, axis=-1) if levels else students[..., 1:]
    ok = (students[..., 1:] > 0) & (level > 0)
    return np.where(ok, np.log(np.where(ok, students[..., 1:], 1.0) / np.where(ok, level, 1.0)), np.nan)


@dataclass(frozen=True)
class _ByBirths:
    """One entry grade worked out from births."""

    middle: Array
    low: Array
    high: Array
    held: Array
    error: Array


def birth_pairs(cube: Cube, births: pd.DataFrame, birth_age: Mapping[str, int]) -> dict[str, Pairs]:
    """Return births and entrants of each entry grade with an age, area × 1 × year; missing where either is unknown.

    Parameters
    ----------
    cube : Cube
        Enrolment.
    births : DataFrame
        From :func:`births_table`.
    birth_age : mapping
        Age by grade.

    Returns
    -------
    dict of str to Pairs
    """
    found = {}
    for head in np.flatnonzero(cube.is_entry).tolist():
        age = birth_age.get(cube.grades[head])
        if age is not None:
            born = np.stack([_cohorts(births, int(year), age) for year in cube.years], axis=1)
            entrants = cube.students[:, head]
            known = (born > 0) & (entrants > 0)
            before, after = (np.where(known, side, np.nan)[:, None] for side in (born, entrants))
            found[cube.grades[head]] = Pairs(before, after, np.zeros(1, int))
    return found


def without_sharing(method: str) -> str:
    """Return the method for a factor of births, which shares nothing with other grades: it is births' own."""
    return "mean" if method == "shared" else method


def _by_births(pair: Pairs, future: Array, held: Array, method: str, years: int | None) -> _ByBirths:
    """Multiply the births of each cohort by the factor that past cohorts showed."""
    factor = estimate(pair, method, years)
    seen = window(pair, years).ratio
    lowest, highest = extreme(seen), -extreme(-seen)
    missed = errors(pair, method, years)[0][:, 0]
    return _ByBirths(factor * future, lowest * future, highest * future, held, missed)


def _cohorts(table: pd.DataFrame, year: int, age: int) -> Array:
    """Return the births behind an entry year for every area: ⅔·B(year − age) + ⅓·B(year − age − 1).

    Missing where the table does not reach back.

    Examples
    --------
    >>> _cohorts(pd.DataFrame({2016: [90.0], 2017: [120.0]}), 2023, 6).round(9).tolist()
    [110.0]
    """
    if year - age - 1 < table.columns[0]:
        return np.full(len(table), np.nan)
    own = table[year - age].to_numpy(dtype="float64")
    return FIRST_YEAR_SHARE * own + (1 - FIRST_YEAR_SHARE) * table[year - age - 1].to_numpy(dtype="float64")


def _put(found: _ByBirths, place: int, paths: tuple[Array, ...], notes: dict[str, Array], error: Array) -> None:
    """Lay the numbers by births over the held ones, wherever a factor is known."""
    known = np.isfinite(found.middle)
    for target, values in zip(paths, (found.middle, found.low, found.high), strict=True):
        target[:, place] = np.where(known, values, target[:, place])
    notes["entry_held"][:, place] = ~known
    notes["births_held"][:, place] = known & found.held
    # the doubt about an entry by births is how far its factor was off, not how the entrants moved
    error[:, place] = np.where(known.any(axis=1)[:, None], found.error, error[:, place])


def _give(
    cube: Cube,
    is_open: Array,
    given: pd.DataFrame,
    paths: tuple[Array, ...],
    is_given: Array,
    notes: dict[str, Array],
) -> None:
    """Lay given entry numbers over everything else."""
    columns(given, ["year", "students"], "entry")
    refuse_twice(given, ("area", "grade", "year"), "entry", "keep one row for each area, grade and year")
    first = [cube.grades[head] for head in np.flatnonzero(cube.is_entry)]
    if "grade" not in given and len(first) > 1:
        known = ", ".join(first)
        raise DataError(
            f"entry has no column grade, but there are {len(first)} entry grades: {known}.\nTo do: add it."
        )
    grade = given["grade"].astype("str") if "grade" in given else pd.Series(first[0], index=given.index)
    area = given["area"].astype("str") if "area" in given else pd.Series(cube.areas[0], index=given.index)
    step = whole_years(given, "entry") - cube.last_year - 1
    places = (cube.areas.get_indexer(area), pd.Index(cube.grades).get_indexer(grade), step.to_numpy())
    _refuse_astray(given, places, is_open, len(cube.areas) > 1 and "area" not in given)
    inside = places[2] < paths[0].shape[2]
    places = (places[0][inside], places[1][inside], places[2][inside])
    students = counts(given, "students", "entry").to_numpy()[inside]
    for path in paths:
        path[places] = students
    is_given[places] = True
    notes["entry_held"][places] = notes["births_held"][places] = False


def _refuse_astray(given: pd.DataFrame, places: tuple[Array, Array, Array], is_open: Array, vague: bool) -> None:
    """Raise on given entries whose area, grade or year does not exist in this projection."""
    if vague:
        raise DataError(f"entry has no column area, but there are {len(is_open)} areas.\nTo do: add it.")
    known = (places[0] >= 0) & (places[1] >= 0) & (places[2] >= 0)
    wrong = given[~(known & is_open[places[0], places[1]])]
    if len(wrong):
        hint = (
            "use an area of the enrolment, the first grade of a chain (or one whose grade below that area does not "
            "have), and a year after the last one counted"
        )
        raise DataError(listing("entry numbers that belong nowhere", row_keys(wrong), hint))

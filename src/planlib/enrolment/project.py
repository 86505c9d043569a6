"""Project enrolment grade by grade, with a low, a middle and a high path and intervals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from planlib.enrolment.cube import (
    CHAINS,
    STAGE_OF_GRADE,
    Array,
    Chains,
    Cube,
    columns,
    counts,
    read_cube,
    row_keys,
    whole_years,
)
from planlib.enrolment.entry import BIRTH_AGE, Entry, Options, entries
from planlib.enrolment.noise import Noise, Shocks, common_shocks, errors, learn
from planlib.enrolment.ratios import Pairs, estimate, extreme, pairs, smooth, window
from planlib.errors import DataError, listing

LONGEST = 50
"""Years ahead beyond which nobody should be told a number."""

CELLS = 500_000
"""Cells × paths simulated at a time: as much as fits into a processor's cache."""

HANDFUL = 10
"""Pupils below which it may be chance that nobody moved on; from here on the area does not have the next grade."""

NOTES = (
    "zero_enrolment",
    "grade_ends",
    "pooled_ratio",
    "no_history",
    "entry_held",
    "births_held",
    "scheduled_change",
)


@dataclass(frozen=True)
class _Plan:
    """Everything a path needs, area × grade (× year ahead); ratios lead *into* their grade."""

    start: Array
    ratio: Array
    low: Array
    high: Array
    entry: Entry
    change: Array
    notes: dict[str, Array]

    def walk(self, ratio: Array, coming: Array) -> Array:
        """Follow one path: area × grade × year ahead."""
        state, found = self.start, []
        for ahead in range(coming.shape[-1]):
            state = step(state, ratio, coming[:, :, ahead], self.change[:, :, ahead])
            found.append(state)
        return np.stack(found, axis=-1)

    @cached_property
    def middle(self) -> Array:
        """The middle path."""
        return self.walk(self.ratio, self.entry.middle)

    @cached_property
    def below(self) -> Array:
        """The grade below, a year earlier, on the middle path; 0 below the first grade of a chain."""
        earlier = np.concatenate([self.start[:, :, None], self.middle[:, :, :-1]], axis=-1)
        return np.where(self.ratio[:, :, None] > 0, shifted(earlier), 0.0)


def project(
    enrolment: pd.DataFrame,
    births: pd.DataFrame | None = None,
    horizon: int = 5,
    *,
    entry: pd.DataFrame | None = None,
    method: str = "mean",
    years: int | None = 3,
    held: str = "last",
    changes: pd.DataFrame | None = None,
    by: Sequence[str] = ("area", "grade"),
    levels: Sequence[int] = (80, 95),
    paths: int = 1000,
    seed: int = 0,
    chains: Chains = CHAINS,
    stages: Mapping[str, str] = STAGE_OF_GRADE,
    birth_age: Mapping[str, int] = BIRTH_AGE,
) -> pd.DataFrame:
    """Project enrolment of any number of areas at once.

    ``E(g+1, t+1) = r(g) · E(g, t)`` along each chain of grades; a chain's first grade is fed from outside: by a given
    number (`entry`), else by births ``k · (⅔·B(t − a) + ⅓·B(t − a − 1))`` with a factor k learnt from this very area's
    past (movers make it differ far from 1), else held. Kindergarten is not chained to primary, nor
    junior to senior, unless `chains` says so.

    The low and high path take the lowest and highest ratio and factor of the years looked at, all at once: a plausible
    corner, not an interval. Intervals come from `paths` simulated futures whose shocks are as large, as common to grades
    and areas and as heavy-tailed as the errors that the same method made in the past.

    Parameters
    ----------
    enrolment : DataFrame
        Long: ``grade, year, students``; optional ``area``, ``school_id`` (schools are summed up).
    births : DataFrame, optional
        ``year, births``, optional ``area``. Years after the last one given are held at it, and said so.
    horizon : int
        Years ahead, 1 to 50.
    entry : DataFrame, optional
        ``year, students``, with ``grade`` where there are several chains and ``area`` where there are several areas.
        Given numbers carry no doubt.
    method, years
        How yearly ratios become one, see :func:`planlib.enrolment.progression_ratios`.
    held : {"last", "smoothed"}
        Where entrants are held: at their last number, or at their level smoothed with weight 0.4.
    changes : DataFrame, optional
        ``area, grade, year, students``: pupils added (or taken) by a new school or a moved boundary in that year; they
        move on with their grade afterwards.
    by : sequence of str
        Level of the result: any of ``area``, ``stage``, ``grade``; intervals of sums are those of the sum.
    levels : sequence of int
        Interval levels in per cent.
    paths : int
        Simulated futures; 0 leaves the intervals out.
    seed : int
        Same seed, same numbers.
    chains, stages, birth_age
        Which grade follows which, to which stage it belongs, and at which age its entrants enter.

    Returns
    -------
    DataFrame
        ``by…, year, students`` (middle), ``low, high, lower_80, upper_80, lower_95, upper_95, note``. `note` joins the
        fallbacks used, by ``;``: zero_enrolment (the grade before was empty), grade_ends (last year nobody of the grade
        before moved on: the area does not have this grade), pooled_ratio (no ratio of its own: that of all areas),
        no_history (no ratio at all: 1), entry_held, births_held, scheduled_change.

    Raises
    ------
    DataError
        A table that cannot be read, an unknown method, a horizon outside 1 to 50, changes without a place.

    Examples
    --------
    The vignette of the R package enrollcast:

    >>> counted = {2021: [100, 90, 80], 2022: [110, 95, 88], 2023: [120, 99, 91]}
    >>> rows = [(g, y, n) for y, row in counted.items() for g, n in zip(["K", "1", "2"], row)]
    >>> table = pd.DataFrame(rows, columns=["grade", "year", "students"])
    >>> new = pd.DataFrame({"year": [2024, 2025, 2026], "students": [125, 130, 128]})
    >>> found = project(table, horizon=3, entry=new, chains=[["K", "1", "2"]], by=["grade"], paths=0)
    >>> found.pivot(index="year", columns="grade", values="students")[["K", "1", "2"]].round(5).values.tolist()
    [[125.0, 111.0, 95.81579], [130.0, 115.625, 107.42982], [128.0, 120.25, 111.90607]]
    """
    _check_call(horizon, by, levels, paths)
    cube = read_cube(enrolment, chains, _areas_of(changes))
    plan = _prepare(cube, births, entry, changes, Options(horizon, method, years, held, birth_age))
    group, keys = _groups(cube, by, stages)
    table = _paths(plan, group, keys, cube.last_year)
    if paths:
        pair = pairs(cube)
        noise = _noise(pair, plan.entry, method, years)
        table = table.join(_intervals(plan, noise, group, len(keys), levels, paths, seed))
    return table.assign(note=_note_column(plan, np.cumsum(cube.is_entry), group, len(keys)))


def _check_call(horizon: int, by: Sequence[str], levels: Sequence[int], paths: int) -> None:
    """Raise on arguments that make no sense."""
    if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or not 1 <= horizon <= LONGEST:
        raise DataError(f"horizon is {horizon!r}. To do: use a whole number of years from 1 to {LONGEST}.")
    if not by or set(by) - {"area", "stage", "grade"}:
        raise DataError(f"by is {list(by)}. To do: use any of area, stage, grade.")
    numbers = (int, float, np.integer, np.floating)
    if not len(levels) or any(not isinstance(level, numbers) or not 0 < level < 100 for level in levels):
        raise DataError(f"levels are {list(levels)}. To do: use percentages between 0 and 100, such as 80 and 95.")
    if isinstance(paths, bool) or not isinstance(paths, (int, np.integer)) or paths < 0:
        raise DataError(f"paths is {paths}. To do: use 0 for no intervals, or some hundreds.")


def _areas_of(changes: pd.DataFrame | None) -> list[str]:
    """Return the areas that scheduled changes name: a new one may have no enrolment yet."""
    if changes is None or changes.empty or "area" not in changes:
        return []
    return sorted(set(changes["area"].astype("str")))


def _prepare(
    cube: Cube,
    births: pd.DataFrame | None,
    entry: pd.DataFrame | None,
    changes: pd.DataFrame | None,
    how: Options,
) -> _Plan:
    """Estimate everything once; paths only multiply."""
    pair = pairs(cube)
    ratio, notes = _ratios(pair, how.method, how.years)
    seen = window(pair, how.years).ratio
    lowest, highest = extreme(seen), -extreme(-seen)
    ends = _ends(cube)
    sides = (ratio, *(np.where(np.isfinite(side), side, ratio) for side in (lowest, highest)))
    middle, low, high = (np.where(cube.is_entry, 0.0, shifted(np.where(ends, 0.0, side))) for side in sides)
    notes = {name: shifted(where & ~ends) & ~cube.is_entry for name, where in notes.items()}
    return _Plan(
        start=np.nan_to_num(cube.students[:, :, -1]),
        ratio=middle,
        low=low,
        high=high,
        entry=entries(cube, births, entry, how),
        change=_changes(cube, changes, how.horizon),
        notes={"grade_ends": shifted(ends), **notes},
    )


def shifted(cells: Array) -> Array:
    """Move cells, area × grade × …, to the next grade; 0 in the first."""
    moved = np.zeros_like(cells)
    moved[:, 1:] = cells[:, :-1]
    return moved


def _ends(cube: Cube) -> Array:
    """Say after which grades, area × grade, an area has no next one: last time, none of at least a handful moved on.

    Such a school (a primary school in a chain that goes on to grade 9) is not one whose ratio is unknown: the ratio of
    all areas would fill grades that it does not have.
    """
    before, after = cube.students[:, :-1, :-1], cube.students[:, 1:, 1:]
    known = (before > 0) & np.isfinite(after)
    none = np.where(known, (after == 0) & (before >= HANDFUL), np.nan)
    ends = np.zeros(cube.students.shape[:2], dtype=bool)
    if none.shape[-1]:
        ends[:, :-1] = smooth(none, 1.0) == 1
    return ends & ~np.append(cube.is_entry[1:], True)


def _ratios(pair: Pairs, method: str, years: int | None) -> tuple[Array, dict[str, Array]]:
    """Return a ratio for every cell: its own, else that of all areas together, else 1."""
    own = estimate(pair, method, years)
    known = np.isfinite(pair.before)
    empty = ~known.any(axis=0, keepdims=True)
    sums = (np.where(known, side, 0.0).sum(axis=0, keepdims=True) for side in (pair.before, pair.after))
    before, after = (np.where(empty, np.nan, side) for side in sums)
    pooled = estimate(Pairs(before, after, pair.chain), "weighted", years)
    pooled = np.broadcast_to(pooled, own.shape)
    lacks, lacks_all = ~np.isfinite(own), ~np.isfinite(pooled)
    ratio = np.where(lacks, np.where(lacks_all, 1.0, pooled), own)
    return ratio, {"pooled_ratio": lacks & ~lacks_all, "no_history": lacks & lacks_all}


def _changes(cube: Cube, changes: pd.DataFrame | None, horizon: int) -> Array:
    """Return scheduled changes as area × grade × year ahead."""
    found = np.zeros((len(cube.areas), len(cube.grades), horizon))
    if changes is None or changes.empty:
        return found
    columns(changes, ["grade", "year", "students"], "changes")
    if "area" not in changes and len(cube.areas) > 1:
        raise DataError(f"changes has no column area, but there are {len(cube.areas)} areas.\nTo do: add it.")
    area = changes["area"].astype("str") if "area" in changes else pd.Series(cube.areas[0], index=changes.index)
    step = (whole_years(changes, "changes") - cube.last_year - 1).to_numpy()
    place = (
        cube.areas.get_indexer(area),
        pd.Index(cube.grades).get_indexer(changes["grade"].astype("str")),
        step,
    )
    wrong = changes[(place[0] < 0) | (place[1] < 0) | (step < 0)]
    if len(wrong):
        hint = "use a known grade and a year after the last one counted"
        raise DataError(listing("scheduled changes that belong nowhere", row_keys(wrong), hint))
    inside = step < horizon
    students = counts(changes, "students", "changes", signed=True).to_numpy()
    np.add.at(found, tuple(index[inside] for index in place), students[inside])
    return found


def step(before: Array, ratio: Array, coming: Array, change: Array) -> Array:
    """Move every child up one year.

    Parameters
    ----------
    before : array, area × grade
        Enrolment of a year.
    ratio : array, like it
        Progression into each grade from the one below.
    coming : array, like it
        Who comes from outside; counts only where the grade below sends nobody.
    change : array, like it
        Scheduled additions.

    Returns
    -------
    array, like `before`
    """
    moved = shifted(before) * ratio
    return np.maximum(np.where(moved > 0, moved, coming) + change, 0)


def _groups(cube: Cube, by: Sequence[str], stages: Mapping[str, str]) -> tuple[Array, pd.DataFrame]:
    """Return the group of every area × grade cell (flattened), and the names of the groups in order."""
    lacking = [grade for grade in cube.grades if grade not in stages]
    if "stage" in by and lacking:
        raise DataError(listing("grades without a stage", lacking, "pass stages={grade: stage, …}"))
    cells = pd.DataFrame(
        {
            "area": np.repeat(cube.areas.to_numpy(), len(cube.grades)),
            "grade": np.tile(cube.grades, len(cube.areas)),
        }
    )
    cells["stage"] = cells["grade"].map(dict(stages))
    group = cells.groupby(list(by), sort=False).ngroup().to_numpy()
    keys = cells[list(by)].drop_duplicates().reset_index(drop=True)
    return group, keys


def _summed(values: Array, group: Array, number: int) -> Array:
    """Sum area × grade × … cells to groups × …"""
    flat = values.reshape(len(group), -1)
    total = np.zeros((number, flat.shape[1]))
    np.add.at(total, group, flat)
    return total


def _paths(plan: _Plan, group: Array, keys: pd.DataFrame, last_year: int) -> pd.DataFrame:
    """Return the middle, low and high path by group and year."""
    horizon = plan.change.shape[-1]
    table = keys.loc[keys.index.repeat(horizon)].reset_index(drop=True)
    table["year"] = np.tile(last_year + 1 + np.arange(horizon), len(keys))
    for name, ratio, coming in (
        ("students", plan.ratio, plan.entry.middle),
        ("low", plan.low, plan.entry.low),
        ("high", plan.high, plan.entry.high),
    ):
        table[name] = _summed(plan.walk(ratio, coming), group, len(keys)).ravel()
    # with a median or a single last ratio the middle can lie outside the corner by a rounding error
    table["low"] = table[["low", "students"]].min(axis=1)
    table["high"] = table[["high", "students"]].max(axis=1)
    return table


def _intervals(
    plan: _Plan, noise: Noise, group: Array, number: int, levels: Sequence[int], paths: int, seed: int
) -> pd.DataFrame:
    """Simulate futures, some areas at a time, and return the bounds by group and year.

    Groups that lie within the areas at hand are finished at once, and every area meets the same random numbers: its
    interval does not depend on who else is asked for. Sums over areas need areas that move by themselves, and are
    collected path by path.
    """
    areas, grades, horizon = plan.change.shape
    tails = np.array([tail for level in levels for tail in ((100 - level) / 200, (100 + level) / 200)])
    found = np.empty((number, horizon, len(tails)))
    within = _within_areas(group.reshape(areas, grades))
    totals = np.zeros((0 if within else horizon, number, paths), dtype=np.float32)
    for_common, *for_areas = np.random.SeedSequence(seed).spawn(1 + (1 if within else areas))
    common = common_shocks(noise, horizon, paths, np.random.default_rng(for_common))
    for first in range(0, areas, size := max(1, CELLS // (grades * paths))):
        some = slice(first, first + size)
        own = group.reshape(areas, grades)[some].ravel()
        shape = (1 if within else len(own) // grades, grades)
        shocks = Shocks(noise, shape, common, np.random.default_rng(for_areas[0 if within else first]))
        for ahead, state in enumerate(_futures(plan, noise, some, shocks)):
            sums, groups = _sum_groups(state.reshape(len(own), paths), own)
            if within:
                found[groups, ahead] = _quantiles(sums, tails)
            else:
                totals[ahead, groups] += sums
    for ahead, total in enumerate(totals):
        found[:, ahead] = _quantiles(total, tails)
    names = [f"{side}_{level}" for level in levels for side in ("lower", "upper")]
    return pd.DataFrame(found.reshape(-1, len(tails)), columns=names)


def _quantiles(values: Array, shares: Array) -> Array:
    """Return quantiles along the paths; a whole sort is several times faster than `numpy.quantile`."""
    ordered = np.sort(values, axis=1)
    place = shares * (values.shape[1] - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, values.shape[1] - 1)
    return ordered[:, low] + (place - low) * (ordered[:, high] - ordered[:, low])


def _within_areas(group: Array) -> bool:
    """Say whether no group, area × grade, reaches beyond one area."""
    return bool((group.min(axis=1)[1:] > group.max(axis=1)[:-1]).all())


def _sum_groups(cells: Array, own: Array) -> tuple[Array, Array]:
    """Sum cell × path to group × path; return the sums and the groups."""
    groups, place = np.unique(own, return_inverse=True)
    if len(groups) == len(own) and (place[1:] > place[:-1]).all():
        return cells, groups
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(groups)))
    return np.add.reduceat(cells[order], starts, axis=0), groups


def _noise(pair: Pairs, entry: Entry, method: str, years: int | None) -> Noise:
    """Learn the noise of the ratios into all grades, then of the numbers that come from outside."""
    error, size = errors(pair, method, years)
    length = error.shape[-1]
    error, size = (np.roll(side, 1, axis=1) for side in (error, size))
    entry_error, entry_size = (side[..., side.shape[-1] - length :] for side in (entry.error, entry.size))
    first = np.diff(pair.chain, prepend=0) > 0
    # each entry grade by itself; those that single areas fill from outside together
    own = pair.chain.max() + np.where(first, np.cumsum(first), first.sum() + 1)
    return learn(
        np.concatenate([error, entry_error], axis=1),
        np.concatenate([size, entry_size], axis=1),
        np.concatenate([pair.chain, own]),
    )


def _futures(plan: _Plan, noise: Noise, some: slice, shocks: Shocks) -> Iterator[Array]:
    """Yield area × grade × path of some areas, one year after the other.

    Ratios stray anew each year; what comes from outside stays where it has strayed to (a random walk).
    """
    state = np.repeat(plan.start[some].astype(np.float32)[:, :, None], shocks.shape[-1], axis=2)
    is_open = plan.entry.is_open[some]
    strayed = np.float32(0)
    for ahead in range(plan.change.shape[-1]):
        below, coming = plan.below[some, :, ahead], plan.entry.middle[some, :, ahead]
        enters = is_open & (below == 0)
        variance = noise.variance(np.where(enters, coming, below), enters)
        factor = shocks.next_year() * np.sqrt(variance).astype(np.float32)[:, :, None]
        # where a number was given there is no doubt
        factor[is_open & plan.entry.is_given[some, :, ahead]] = 0
        strayed = factor[is_open] + strayed * enters[is_open][:, None]
        factor[is_open] = strayed
        np.exp(factor, out=factor)
        factor *= np.where(enters, coming, plan.ratio[some] * np.exp(-variance / 2)).astype(np.float32)[:, :, None]
        factor[:, 1:] *= np.where(enters[:, 1:, None], np.float32(1), state[:, :-1])
        state = factor
        if plan.change[some, :, ahead].any():
            state = np.maximum(state + plan.change[some, :, ahead, None].astype(np.float32), 0)
        yield state


def _absent(plan: _Plan, chain: Array) -> Array:
    """Say where an area has nobody in a whole chain, now or later: nothing is projected there, so nothing is noted."""
    someone = (plan.start > 0) | (plan.middle > 0).any(axis=-1)
    present = someone.astype("int64") @ (chain[:, None] == chain[None, :])
    return np.broadcast_to(present[:, :, None] == 0, plan.change.shape)


def _note_column(plan: _Plan, chain: Array, group: Array, number: int) -> Array:
    """Join the fallbacks that stand behind each group and year."""
    enters = plan.below == 0
    cells = {name: where[:, :, None] & ~plan.entry.is_open[:, :, None] for name, where in plan.notes.items()}
    cells |= {name: where & enters for name, where in plan.entry.notes.items()}
    cells["zero_enrolment"] = enters & ~plan.entry.is_open[:, :, None] & ~plan.notes["grade_ends"][:, :, None]
    cells["scheduled_change"] = plan.change != 0
    present = ~_absent(plan, chain)
    notes = np.full(number * plan.change.shape[-1], "", dtype=object)
    for name in NOTES:
        there = _summed((cells[name] & present).astype("float64"), group, number).ravel() > 0
        notes[there] = np.where(notes[there] == "", name, notes[there] + (";" + name))
    return notes

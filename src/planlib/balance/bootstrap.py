"""How far a change of a coefficient rests on few schools: a paired bootstrap, all groups and resources at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from planlib.balance.measure import COMPOSITE, Array, composite
from planlib.balance.sums import group_codes
from planlib.errors import DataError, UsageError, listing
from planlib.standard import refuse_bad_amounts, refuse_duplicates

_NOTHING = 1e-12
_BATCH = 2**18  # numbers drawn at once: small enough for the cache, large enough for one call
_ONE_THREAD = 2**18  # multiplications up to which OpenBLAS keeps to one thread
_WORTH = 8  # columns below which a product by pieces is slower than one with threads


@dataclass(frozen=True)
class _Schools:
    """Features of the schools, one row each, sorted by group: P, P·d, P·d² with d = x/X̄ − 1, years × resources."""

    features: Array
    start: npt.NDArray[np.intp]
    size: npt.NDArray[np.intp]
    groups: pd.DataFrame


def bootstrap_change(
    rows: pd.DataFrame,
    years: tuple[int, int],
    resources: Sequence[str],
    *,
    by: Sequence[str] = ("stage",),
    seed: int,
    replicates: int = 1000,
    level: float = 95.0,
    composite: str = "mean",
) -> pd.DataFrame:
    """Say how robust the change of every coefficient between two years is to single schools.

    Schools (those of either year) are drawn with replacement inside each group, each with both of its years, and
    the two coefficients are computed again from the drawn schools. Draws are independent between groups and
    shared by the resources of a group, so that the composite is of one sample. Groups of one size are drawn and
    summed together, so a nation of counties costs one matrix product a size.

    Parameters
    ----------
    rows : DataFrame
        ``school_id, year``, the columns of ``by``, ``students`` and the resources.
    years : (int, int)
        The old and the new year.
    resources : sequence of str
        Resource columns.
    by : sequence of str
        Groups drawn apart (stage, district).
    seed : int
        Of the random draws: same seed, same table.
    replicates : int
        How many samples.
    level : float
        Of the interval, in per cent.
    composite : {"mean", "max"}

    Returns
    -------
    DataFrame
        The columns of ``by``, ``resource`` (and ``composite``), ``schools`` (drawn from), ``before, after,
        change, lower, upper`` (percentile interval of the change), ``falling`` (share of samples in which the
        coefficient falls), ``undefined`` (samples without a coefficient; left out of the interval).

    Raises
    ------
    DataError
        Missing columns, impossible amounts, duplicate rows, empty grouping cells, a year without rows.
    UsageError
        Fewer than 2 replicates, or a level outside 0–100.

    Notes
    -----
    Schools are all there is, not a sample of more: the interval says how far the change rests on few schools,
    not how far a census errs.

    Examples
    --------
    Every school doubles its books: nothing changes in any sample.

    >>> rows = pd.DataFrame({"school_id": ["a", "b"] * 2, "stage": "primary", "year": [2020, 2020, 2023, 2023],
    ...                      "students": 100, "books": [100, 300, 200, 600]})
    >>> bootstrap_change(rows, (2020, 2023), ["books"], seed=1)[["resource", "before", "change", "upper"]]
        resource  before  change  upper
    0      books     0.5     0.0    0.0
    1  composite     0.5     0.0    0.0
    """
    keys, names = list(by), list(resources)
    _check_call(rows, years, names, keys, replicates, level)
    schools = _schools(rows[rows["year"].isin(years)], years, names, keys)
    random = np.random.default_rng(seed)
    found = np.full((4, len(schools.size), len(names) + 1), np.nan)  # lower, upper, falling, undefined
    for same in _batches(schools.size, replicates, schools.features.shape[1]):
        sums = _draw(schools, same, replicates, random)
        before, after = _with_composite(_coefficients(sums, len(names)), composite)
        found[:, same] = _summary(after - before, level)
    whole = np.add.reduceat(schools.features, schools.start, axis=0)
    values = _with_composite(_coefficients(whole[:, :, None], len(names)), composite)[..., 0]
    return _table(schools, [*names, COMPOSITE], values, found)


def _check_call(
    rows: pd.DataFrame, years: tuple[int, int], names: list[str], by: list[str], replicates: int, level: float
) -> None:
    if replicates < 2 or not 0 < level < 100 or not names:
        raise UsageError("At least one resource, 2 replicates and a level between 0 and 100 are needed.")
    missing = [c for c in ["school_id", "year", *by, "students", *names] if c not in rows]
    if missing:
        raise DataError(listing("columns are missing", missing, "make the rows with standard.stage_resources"))
    absent = [str(y) for y in years if not (rows["year"] == y).any()]
    if absent:
        raise DataError(listing("years without rows", absent, "ask for years that are in the table"))
    refuse_duplicates(rows, [*by, "school_id", "year"])
    refuse_bad_amounts(rows, names)


def _schools(rows: pd.DataFrame, years: tuple[int, int], names: list[str], by: list[str]) -> _Schools:
    codes, groups = group_codes(rows, by)
    ids, known = pd.factorize(rows["school_id"], sort=True)
    units, at = np.unique(codes.astype(np.int64) * len(known) + ids, return_inverse=True)
    start = np.flatnonzero(np.diff(units // len(known), prepend=-1))
    size = np.diff(start, append=len(units))
    pupils = rows["students"].to_numpy(float, na_value=np.nan)
    amounts = np.stack([rows[name].to_numpy(float, na_value=np.nan) for name in names], axis=1)
    blocks = []
    for year in years:
        mine = (rows["year"] == year).to_numpy()
        p, r = np.full(len(units), np.nan), np.full((len(units), len(names)), np.nan)
        p[at[mine]], r[at[mine]] = pupils[mine], amounts[mine]
        blocks.append(_moments(p, r, start, size))
    pupils, away, square = (np.stack(part, axis=1) for part in zip(*blocks, strict=True))
    if (pupils == pupils[..., :1]).all():  # no value is missing: one sum of pupils does for all resources
        pupils = pupils[..., :1]
    features = np.concatenate([part.reshape(len(units), -1) for part in (pupils, away, square)], axis=1)
    return _Schools(features, start, size, groups)


def _moments(
    students: Array, amounts: Array, start: npt.NDArray[np.intp], size: npt.NDArray[np.intp]
) -> tuple[Array, Array, Array]:
    """Give P, P·d, P·d² of every school and resource, d = x/X̄ − 1 about the mean of the school's own group."""
    known = (np.nan_to_num(students) > 0)[:, None] & ~np.isnan(amounts)
    pupils = np.where(known, students[:, None], 0.0)
    total = np.add.reduceat(pupils, start)
    held = np.add.reduceat(np.where(known, amounts, 0.0), start)
    centre = np.divide(held, total, out=np.zeros_like(held), where=total > 0)
    # Nothing anywhere: d = −1 for every school, so that the mean is 0 and the coefficient undefined.
    scale = np.repeat(np.where(centre > 0, centre, 1.0), size, axis=0)
    away = np.divide(amounts, pupils * scale, out=np.ones_like(amounts), where=known) - 1
    return pupils, pupils * away, pupils * away**2


def _batches(size: npt.NDArray[np.intp], replicates: int, features: int) -> Iterator[npt.NDArray[np.intp]]:
    """Give the numbers of groups of one size, as many as fit into a batch (draws and sums of features alike)."""
    order = np.argsort(size, kind="stable")
    for same in np.split(order, np.flatnonzero(np.diff(size[order])) + 1):
        step = max(1, _BATCH // (replicates * max(features, int(size[same[0]]))))
        yield from (same[i : i + step] for i in range(0, len(same), step))


def _draw(schools: _Schools, same: npt.NDArray[np.intp], replicates: int, random: np.random.Generator) -> Array:
    """Sums of the drawn schools' features: how often each school was drawn, times the features.

    Shape (groups, features, replicates).
    """
    n, k = int(schools.size[same[0]]), len(same)
    features = schools.features[schools.start[same][:, None] + np.arange(n)].swapaxes(1, 2)
    step = max(1, _BATCH // (n * k))
    parts = []
    for first in range(0, replicates, step):
        b = min(step, replicates - first)
        drawn = random.integers(0, n, size=(k, b, n), dtype=np.uint16 if n <= 2**16 else np.int64)
        places = drawn + (n * np.arange(k * b, dtype=np.intp)).reshape(k, b, 1)
        counts = np.bincount(places.reshape(-1), minlength=k * b * n).astype(float)
        parts.append(_product(features, counts.reshape(k, b, n)))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def _product(features: Array, counts: Array) -> Array:
    """Features times counts, group by group, in products too small for BLAS to share out among threads.

    On a busy machine threads that wait for each other cost a hundred times the product.
    """
    (k, b, n), f = counts.shape, features.shape[1]
    most = _ONE_THREAD // (n * f)
    piece = next((b // i for i in range(1, b + 1) if b % i == 0 and b // i <= most), 0)
    if piece < _WORTH:
        return features @ counts.swapaxes(1, 2)
    sums = np.empty((k, f, b))
    out = sums.reshape(k, f, b // piece, piece).swapaxes(1, 2)
    np.matmul(features[:, None], counts.reshape(k, b // piece, piece, n).swapaxes(2, 3), out=out)
    return sums


def _coefficients(sums: Array, resources: int) -> Array:
    """From sums p = ΣP, a = ΣP·d, q = ΣP·d² to √(pq − a²)/(p + a), shape (groups, 2 years, resources, samples).

    d stands about the whole group's mean, so a is small and pq − a² does not cancel.
    """
    own = resources * 2
    shape = (len(sums), 2, -1, sums.shape[-1])
    pupils = sums[:, : -2 * own].reshape(shape)
    away, square = sums[:, -2 * own : -own].reshape(shape), sums[:, -own:].reshape(shape)
    spread = np.multiply(square, pupils)
    spread -= away * away
    np.sqrt(np.maximum(spread, 0.0, out=spread), out=spread)
    mean = np.add(away, pupils)
    empty = mean <= _NOTHING * pupils
    if empty.any():
        mean[empty] = np.nan
    return np.divide(spread, mean, out=spread)


def _with_composite(values: Array, method: str) -> Array:
    whole = np.asarray(composite(values, method, axis=-2))
    return np.concatenate([values, whole[..., None, :]], axis=-2).swapaxes(0, 1)


def _summary(change: Array, level: float) -> Array:
    """Lower and upper end, share that falls, number undefined, over the samples on the last axis."""
    n = change.shape[-1]
    ordered = np.sort(change, axis=-1)  # NaN at the end; as fast as selecting the ends
    defined = n - np.isnan(ordered).sum(axis=-1)
    falling = np.where(defined > 0, (ordered < -_NOTHING).sum(axis=-1) / np.maximum(defined, 1), np.nan)
    shares = ((50 - level / 2) / 100, (50 + level / 2) / 100)
    ends = [_quantile(ordered, defined, share) for share in shares]
    return np.stack([*ends, falling, n - defined])


def _quantile(ordered: Array, defined: npt.NDArray[np.intp], share: float) -> Array:
    place = share * np.maximum(defined - 1, 0)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(defined - 1, 0))
    low, high = (np.take_along_axis(ordered, at[..., None], axis=-1)[..., 0] for at in (below, above))
    return low + (place - below) * (high - low)


def _table(schools: _Schools, names: list[str], values: Array, found: Array) -> pd.DataFrame:
    n, k = len(schools.size), len(names)
    table = schools.groups.iloc[np.repeat(np.arange(n), k)].reset_index(drop=True)
    before, after = values
    lower, upper, falling, undefined = found
    table["resource"] = np.tile(np.asarray(names, dtype=object), n)
    table["schools"] = np.repeat(schools.size, k)
    columns = {"before": before, "after": after, "change": after - before, "lower": lower, "upper": upper}
    for name, column in {**columns, "falling": falling, "undefined": undefined.astype(np.intp)}.items():
        table[name] = column.reshape(-1)
    return table

"""The least transfers of many counties at once: the unbounded optimum in closed form, group by group in one pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from planlib.balance.measure import Array, balance_table
from planlib.balance.sums import group_codes
from planlib.errors import DataError, UsageError, listing

Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class ManyTransfers:
    """What to move in every group.

    Attributes
    ----------
    groups : DataFrame
        The columns of ``by``, ``resource, schools, before, target, achieved, total`` (amount moved), ``share`` (of
        all there is), ``status`` (already, reached, undefined).
    schools : DataFrame
        The rows that change: the columns of ``by``, ``school_id`` (or the row's label), ``resource, before, after,
        change``.
    """

    groups: pd.DataFrame
    schools: pd.DataFrame


def transfers_by(
    rows: pd.DataFrame,
    by: Sequence[str],
    resources: Sequence[str],
    target: float | Mapping[str, float],
    *,
    target_by: str = "stage",
    students: str = "students",
) -> ManyTransfers:
    """Find, in every group at once, the least amount moved between schools that brings a coefficient to a target.

    As :func:`planlib.balance.transfers` without bounds, in any amount, for every group and resource: ratios are
    clipped into one band [a, b] whose two ends balance. With t the amount moved, a(t) and b(t) are broken lines with
    the schools as corners, and between two corners the sum of squares is a parabola: the corner is found by halving
    and the rest by its root. The cost grows as n·log n.

    Parameters
    ----------
    rows : DataFrame
        One row per school with the columns of ``by``, ``students`` and the resources.
    by : sequence of str
        Groups inside which may be moved.
    resources : sequence of str
        Resource columns.
    target : float, or mapping
        Largest coefficient wanted; a mapping gives it for every value of the column ``target_by``.
    target_by, students : str
        Columns.

    Returns
    -------
    ManyTransfers

    Raises
    ------
    DataError
        As :func:`planlib.balance.balance_table`; a group of ``target_by`` without a target.
    UsageError
        A target that is not a number at or above zero.

    Examples
    --------
    Two schools of 100 pupils with 10 and 30 teachers (CV 0.5) halve it by moving 5; the other county is even.

    >>> rows = pd.DataFrame({"county": ["n", "n", "s", "s"], "school_id": list("abcd"), "students": 100,
    ...                      "teachers": [10, 30, 20, 20]})
    >>> found = transfers_by(rows, ["county"], ["teachers"], 0.25)
    >>> found.groups[["county", "before", "achieved", "total", "status"]]
      county  before  achieved  total   status
    0      n     0.5      0.25    5.0  reached
    1      s     0.0      0.00    0.0  already
    """
    keys, names = list(by), list(resources)
    table = balance_table(rows, keys, names, students=students)  # checks the rows, too
    codes, groups = group_codes(rows, keys)
    wanted = _targets(rows, codes, len(groups), target, target_by)
    pupils = rows[students].to_numpy(float, na_value=np.nan)
    tops, parts = [], []
    for name in names:
        mine = table[table["resource"] == name]
        amount = rows[name].to_numpy(float, na_value=np.nan)
        after = _all_groups(amount, pupils, codes, len(groups), wanted)
        tops.append(_summary(groups, name, mine, amount, pupils, after, codes, wanted))
        parts.append(_changed(rows, keys, name, amount, after))
    return ManyTransfers(pd.concat(tops, ignore_index=True), pd.concat(parts, ignore_index=True))


def _targets(
    rows: pd.DataFrame, codes: Places, groups: int, target: float | Mapping[str, float], by: str
) -> Array:
    values = list(target.values()) if isinstance(target, Mapping) else [target]
    if not values or not all(np.isfinite(v) and v >= 0 for v in values):
        raise UsageError(f"target is {target}, but it must be a number at or above zero.")
    if not isinstance(target, Mapping):
        return np.full(groups, float(target))
    each = rows[by].astype("object").map(dict(target)).to_numpy(float)
    if np.isnan(each).any():
        lacking = sorted({str(v) for v in rows.loc[np.isnan(each), by]})
        raise DataError(listing(f"values of {by} without a target", lacking, "give each a target"))
    wanted = np.zeros(groups)
    wanted[codes] = each
    if (wanted[codes] != each).any():
        raise DataError(f"A group holds several values of {by}.\nTo do: add {by} to by.")
    return wanted


def _all_groups(amount: Array, pupils: Array, codes: Places, groups: int, target: Array) -> Array:
    """Return the amounts after the transfers; groups of about one size are laid side by side in one matrix."""
    after = amount.copy()
    known = np.flatnonzero((pupils > 0) & ~np.isnan(amount))
    known = known[np.argsort(codes[known], kind="stable")]
    size = np.bincount(codes[known], minlength=groups)
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    for power in np.unique(np.frexp(size[size > 0])[1]):
        mine = np.flatnonzero((size > 0) & (np.frexp(size)[1] == power))
        place = np.arange(size[mine].max())
        is_there = place < size[mine][:, None]
        at = known[np.minimum(start[mine][:, None] + place, len(known) - 1)]
        r, p = np.where(is_there, amount[at], 0.0), np.where(is_there, pupils[at], 0.0)
        moved = _side_by_side(r, p, target[mine])
        after[at[is_there]] = moved[is_there]
    return after


def _side_by_side(amount: Array, pupils: Array, target: Array) -> Array:
    """Clip every row into its band; a row is a group, filled up with schools of no pupils."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = amount.sum(axis=1, keepdims=True) / pupils.sum(axis=1, keepdims=True)
        away = np.where(pupils > 0, amount / (pupils * mean) - 1, 0.0)
    allowed = target**2 * pupils.sum(axis=1)
    open_ = (mean[:, 0] > 0) & ((pupils * away**2).sum(axis=1) > allowed)
    after = amount.copy()
    if open_.any():
        low, high = _bands(away[open_], pupils[open_], allowed[open_])
        inside = np.clip(away[open_], low[:, None], high[:, None])
        changed = inside != away[open_]
        after[open_] = np.where(changed, pupils[open_] * mean[open_] * (1 + inside), amount[open_])
    return after


def _corners(away: Array, pupils: Array) -> tuple[Array, Array, Array]:
    """Of filling up from the lowest: level and pupils at every corner, and the amount moved to reach the corner."""
    # Empty places stand at the end, level with the highest school: they add corners of no length.
    order = np.argsort(np.where(pupils > 0, away, np.inf), axis=1)
    level, size = np.take_along_axis(away, order, 1), np.take_along_axis(pupils, order, 1)
    level = np.where(size > 0, level, level.max(axis=1, keepdims=True, where=size > 0, initial=-np.inf))
    size = np.cumsum(size, axis=1)
    moved = np.cumsum(size[:, :-1] * np.diff(level, axis=1), axis=1)
    return level, size, np.concatenate([np.zeros((len(level), 1)), moved], axis=1)


def _bands(away: Array, pupils: Array, allowed: Array) -> tuple[Array, Array]:
    """Return the ends of the widest balanced band whose Σ P·away² is what is allowed."""
    sides = [_corners(away, pupils), _corners(-away, pupils)]
    times = np.sort(np.concatenate([side[2] for side in sides], axis=1), axis=1)
    # Beyond the moment at which both ends meet at the mean nothing is left to move.
    end = (pupils * np.clip(away, 0, None)).sum(axis=1)
    times = np.minimum(times, end[:, None])
    rows = np.arange(len(times))
    first, last = np.zeros(len(times), dtype=np.intp), np.full(len(times), times.shape[1])
    while (last - first > 1).any():
        middle = (first + last) // 2
        ends = [_level(*side, times[rows, np.minimum(middle, times.shape[1] - 1)]) for side in sides]
        inside = np.clip(away, ends[0][0][:, None], -ends[1][0][:, None])
        is_too_wide = (pupils * inside**2).sum(axis=1) > allowed
        first, last = np.where(is_too_wide, middle, first), np.where(is_too_wide, last, middle)
    (low, n_low), (high, n_high) = (_level(*side, times[rows, first]) for side in sides)
    high = -high
    for _ in range(2):  # near the mean the root of a difference has half its digits; from there it has all
        inside = np.clip(away, low[:, None], high[:, None])
        excess = (pupils * inside**2).sum(axis=1) - allowed
        low, high = _last_stretch(low, high, n_low, n_high, excess)
        low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    return np.where(allowed > 0, low, 0.0), np.where(allowed > 0, high, 0.0)


def _level(level: Array, size: Array, moved: Array, time: Array) -> tuple[Array, Array]:
    """Return the level that an amount moved has reached, and the pupils that stand at it."""
    corner = np.maximum((moved <= time[:, None]).sum(axis=1) - 1, 0)[:, None]
    at, pupils, before = (np.take_along_axis(part, corner, 1)[:, 0] for part in (level, size, moved))
    return at + (time - before) / pupils, pupils


def _last_stretch(low: Array, high: Array, n_low: Array, n_high: Array, excess: Array) -> tuple[Array, Array]:
    """Solve excess − 2(high − low)·t + (1/n_low + 1/n_high)·t² = 0, the smaller root, without cancellation."""
    half, bend = high - low, 1 / n_low + 1 / n_high
    root = np.sqrt(np.clip(half**2 - bend * excess, 0, None))
    step = np.divide(excess, half + root, out=np.zeros_like(half), where=half + root > 0)
    return low + step / n_low, high - step / n_high


def _summary(
    groups: pd.DataFrame,
    name: str,
    table: pd.DataFrame,
    amount: Array,
    pupils: Array,
    after: Array,
    codes: Places,
    target: Array,
) -> pd.DataFrame:
    known = (pupils > 0) & ~np.isnan(amount)
    where, n = codes[known], len(groups)
    p, r = pupils[known], after[known]
    total = np.bincount(where, np.abs(r - amount[known]), minlength=n) / 2
    held, heads = np.bincount(where, r, minlength=n), np.bincount(where, p, minlength=n)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = held / heads
        spread = np.bincount(where, p * (r / p / mean[where] - 1) ** 2, minlength=n)
        share = total / held
        achieved = np.sqrt(spread / heads)
    before = table["cv"].to_numpy()
    status = np.select([np.isnan(before), total > 0], ["undefined", "reached"], "already")
    found = groups.assign(resource=name, schools=table["schools"].to_numpy(), before=before, target=target)
    achieved = np.where(total > 0, achieved, before)
    return found.assign(achieved=achieved, total=total, share=share, status=status)


def _changed(rows: pd.DataFrame, keys: list[str], name: str, amount: Array, after: Array) -> pd.DataFrame:
    moved = np.flatnonzero(np.nan_to_num(after - amount) != 0)
    found = rows[keys].iloc[moved].reset_index(drop=True)
    labels = rows["school_id"] if "school_id" in rows else rows.index.to_series()
    found["school_id"] = labels.iloc[moved].to_numpy()
    return found.assign(resource=name, before=amount[moved], after=after[moved], change=(after - amount)[moved])

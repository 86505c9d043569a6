"""Sums over groups of schools that merge: what a coefficient is made of, for any part of a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planlib.errors import DataError, listing
from planlib.standard import floats

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

# Below this share of Σ R²/P the sum of squares about the mean is taken again, in a second pass: digits cancel.
_NEAR_EVEN = 1e-2


@dataclass(frozen=True)
class GroupSums:
    """Sums of some rows by group; sums of several parts of a table merge into those of the whole.

    Attributes
    ----------
    groups : DataFrame
        Keys, sorted, one row a group.
    counted, left_out : ndarray, shape (groups,)
        Schools with pupils, and without.
    schools : ndarray, shape (resources, groups)
        Schools with pupils and a value.
    pupils, held, square : ndarray, shape (resources, groups)
        ΣP, ΣR and ΣP(R/P − ΣR/ΣP)² over them.
    """

    groups: pd.DataFrame
    counted: Codes
    left_out: Codes
    schools: Codes
    pupils: Array
    held: Array
    square: Array


def group_sums(frame: pd.DataFrame, by: list[str], resources: Sequence[str], students: str) -> GroupSums:
    """Sum the rows of a checked frame by group."""
    codes, groups = group_codes(frame, by)
    n = len(groups)
    pupils, amounts = floats(frame[students]), [floats(frame[r]) for r in resources]
    counted = pupils > 0
    every, codes_in = np.bincount(codes, minlength=n), codes
    if not counted.all():
        codes_in, pupils = codes[counted], pupils[counted]
        amounts = [amount[counted] for amount in amounts]
    present = every if codes_in is codes else np.bincount(codes_in, minlength=n)
    per_pupil = 1 / pupils
    shared = _total(codes_in, pupils, n)
    rows = [_one(codes_in, pupils, per_pupil, amount, present, shared) for amount in amounts]
    schools, total, held, square = (np.stack(part) for part in zip(*rows, strict=True))
    return GroupSums(groups, present, every - present, schools, total, held, square)


def _one(
    codes: Codes, pupils: Array, per_pupil: Array, amount: Array, present: Codes, shared: Array
) -> tuple[Codes, Array, Array, Array]:
    n = len(present)
    if len(amount) and np.isnan(amount.min()):
        known = ~np.isnan(amount)
        codes, pupils, per_pupil, amount = codes[known], pupils[known], per_pupil[known], amount[known]
        present, shared = np.bincount(codes, minlength=n), _total(codes, pupils, n)
    held = _total(codes, amount, n)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = amount * per_pupil
        ratio *= amount
        whole = _total(codes, ratio, n)
        mean = held / shared
        square = whole - held * mean
        again = ~(square > _NEAR_EVEN * whole) & (present > 0)
    if again.any():
        mine = np.flatnonzero(again[codes])
        at, p = codes[mine], pupils[mine]
        away = p * (amount[mine] / p - mean[at]) ** 2
        square[again] = _total(at, away, n)[again]
    return present, shared, held, np.where(present > 0, square, 0.0)


def _total(codes: Codes, values: npt.NDArray[Any], n: int) -> Array:
    return np.asarray(np.bincount(codes, values, minlength=n), dtype=float)


def merge_sums(parts: Sequence[GroupSums]) -> GroupSums:
    """Merge sums of parts of a table: squares about each part's mean, and those of the means about the whole's."""
    groups = pd.concat([_plain(part.groups) for part in parts], ignore_index=True)
    codes, merged = group_codes(groups, list(groups.columns))
    n, k = len(merged), len(parts[0].pupils)

    def added(name: str) -> Any:
        values = np.concatenate([getattr(part, name) for part in parts], axis=-1)
        if values.ndim == 1:
            return _total(codes, values, n).astype(np.intp)
        return np.stack([_total(codes, values[i], n) for i in range(k)])

    pupils, held = added("pupils"), added("held")
    own, own_held, own_square = (
        np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("pupils", "held", "square")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.where(own > 0, own * (own_held / own - (held / pupils)[:, codes]) ** 2, 0.0)
    square = np.stack([_total(codes, own_square[i] + away[i], n) for i in range(k)])
    counts = {name: added(name) for name in ("counted", "left_out")}
    return GroupSums(
        merged, **counts, schools=added("schools").astype(np.intp), pupils=pupils, held=held, square=square
    )


def _plain(groups: pd.DataFrame) -> pd.DataFrame:
    """Categories may differ from part to part: merge by their values."""
    changed = {c: groups[c].astype(groups[c].cat.categories.dtype) for c in groups if hasattr(groups[c], "cat")}
    return groups.assign(**changed)


# --- group numbers ------------------------------------------------------------------------------------------


def group_codes(frame: pd.DataFrame, by: list[str]) -> tuple[Codes, pd.DataFrame]:
    """Return a group number for every row, and the keys of the groups in sorted order."""
    if not by:
        return np.zeros(len(frame), dtype=np.intp), pd.DataFrame(index=range(1))
    keys = [_key(frame[name]) for name in by]
    empty = [name for name, (codes, _) in zip(by, keys, strict=True) if codes.size and codes.min() < 0]
    if empty:
        raise DataError(listing("grouping columns with empty cells", empty, "fill them, or drop those rows"))
    codes, values = keys[0]
    codes, found = codes.astype(np.intp), [values]
    for following, values in keys[1:]:
        codes, places = _compressed(codes * len(values) + following, len(found[0]) * len(values))
        found = [value.take(places // len(values)) for value in found] + [values.take(places % len(values))]
    if len(keys) == 1:
        codes, places = _compressed(codes, len(found[0]))
        found = [found[0].take(places)]
    columns = {name: value.reset_index(drop=True) for name, value in zip(by, found, strict=True)}
    return codes, pd.DataFrame(columns)


def _key(column: pd.Series) -> tuple[npt.NDArray[Any], pd.Series]:
    """Return codes of a column (−1 if empty) and its values in their order."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), pd.Series(
            pd.Categorical.from_codes(range(len(dtype.categories)), dtype=dtype)
        )
    if isinstance(dtype, np.dtype) and dtype.kind in "iu" and len(column):
        values = column.to_numpy()
        lowest, highest = int(values.min()), int(values.max())
        if highest - lowest < max(4 * len(values), 1000):
            return (values - lowest).astype(np.intp), pd.Series(range(lowest, highest + 1), dtype=dtype)
    codes, uniques = pd.factorize(column)
    values = pd.Series(uniques, dtype=dtype)
    order = np.asarray(values.argsort(), dtype=np.intp)
    rank = np.empty(len(order) + 1, dtype=np.intp)
    rank[order], rank[-1] = np.arange(len(order)), -1
    return rank[codes], values.take(order)


def _compressed(codes: Codes, size: int) -> tuple[Codes, Codes]:
    """Renumber codes without gaps, and return which codes there are."""
    if size > max(4 * len(codes), 2**16):
        places, dense = np.unique(codes, return_inverse=True)
        return dense, places
    is_there = np.zeros(size, dtype=bool)
    is_there[codes] = True
    if is_there.all():
        return codes, np.arange(size)
    return (np.cumsum(is_there) - 1)[codes], np.flatnonzero(is_there)

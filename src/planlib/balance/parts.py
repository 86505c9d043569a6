"""Tables that do not fit in memory: sums of every part of a dask DataFrame, merged as a tree on its cluster."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planlib.balance.sums import GroupSums, group_sums, merge_sums
from planlib.standard import KEYS, refuse_bad_amounts, refuse_duplicates

_AT_ONCE = 8  # parts merged by one task
_BUCKETS = 16  # of the hashes of keys, so that no task holds all of them


def is_dask(frame: Any) -> bool:
    """Whether a frame is a dask DataFrame, without importing dask."""
    return type(frame).__module__.partition(".")[0].startswith("dask")


def check_rows(frame: pd.DataFrame, resources: Sequence[str], students: str) -> None:
    """Refuse impossible amounts, and schools that stand twice."""
    refuse_bad_amounts(frame, resources, students)
    if "school_id" in frame:
        refuse_duplicates(frame, [k for k in KEYS if k in frame])


def sums_of_parts(frame: Any, by: list[str], resources: list[str], students: str) -> GroupSums:
    """Sum every part where it lies, and merge; a school that stands twice is found across parts, too."""
    from dask import compute, delayed  # only a table this large needs it

    keys = [k for k in KEYS if k in frame.columns] if "school_id" in frame.columns else []
    parts = frame[[*dict.fromkeys([*by, *keys, students, *resources])]].to_delayed()
    sums = [delayed(_checked_sums)(part, by, resources, students) for part in parts]
    while len(sums) > 1:
        sums = [delayed(merge_sums)(sums[i : i + _AT_ONCE]) for i in range(0, len(sums), _AT_ONCE)]
    twice = []
    if keys and len(parts) > 1:
        hashed = [delayed(_hashes, nout=_BUCKETS)(part, keys) for part in parts]
        twice = [delayed(_seen_twice)([part[i] for part in hashed]) for i in range(_BUCKETS)]
    found, *suspects = compute(sums[0], *twice)
    suspect = np.concatenate([np.empty(0, dtype=np.uint64), *suspects])
    if len(suspect):  # equal hashes, most likely equal keys: look at the keys themselves
        rows = compute(*[delayed(_rows_with)(part, keys, suspect) for part in parts])
        refuse_duplicates(pd.concat(rows, ignore_index=True), keys)
    merged: GroupSums = found
    return merged


def _checked_sums(part: pd.DataFrame, by: list[str], resources: list[str], students: str) -> GroupSums:
    check_rows(part, resources, students)
    return group_sums(part, by, resources, students)


def _hash(part: pd.DataFrame, keys: list[str]) -> npt.NDArray[np.uint64]:
    return np.asarray(pd.util.hash_pandas_object(part[keys].astype("str"), index=False), dtype=np.uint64)


def _hashes(part: pd.DataFrame, keys: list[str]) -> list[npt.NDArray[np.uint64]]:
    found = _hash(part, keys)
    bucket = found % np.uint64(_BUCKETS)
    return [found[bucket == i] for i in range(_BUCKETS)]


def _seen_twice(parts: list[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    values, counts = np.unique(np.concatenate(parts), return_counts=True)
    return values[counts > 1]


def _rows_with(part: pd.DataFrame, keys: list[str], suspects: npt.NDArray[np.uint64]) -> pd.DataFrame:
    return part.loc[np.isin(_hash(part, keys), suspects), keys].astype("str")

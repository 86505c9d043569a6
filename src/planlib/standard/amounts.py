"""Keys of the tables of schools, and amounts no table may hold."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from planlib.errors import DataError, listing

TOLERANCE = 1e-9
KEYS = ["school_id", "stage", "year"]


def refuse_duplicates(frame: pd.DataFrame, keys: list[str]) -> None:
    """Raise :class:`DataError` naming the rows that stand twice under the same keys."""
    twice = frame.duplicated(keys, keep="first")
    if twice.any():
        rows = [", ".join(map(str, row)) for row in frame.loc[twice, keys].itertuples(index=False)]
        raise DataError(listing(f"rows that stand twice ({', '.join(keys)})", rows, "keep one row each"))


def refuse_bad_amounts(frame: pd.DataFrame, resources: Iterable[str], students: str = "students") -> None:
    """Raise :class:`DataError` naming negative or infinite amounts and negative or fractional pupils."""
    faults: list[str] = []
    for column in [students, *resources]:
        values = floats(frame[column])
        if _are_possible(values, whole=column == students):
            continue
        with np.errstate(invalid="ignore"):
            bad = (values < 0) | np.isinf(values)
            if column == students:
                bad |= np.floor(values) != values
            bad &= ~np.isnan(values)
        faults += [f"{where(frame, i)}: {column} = {values[i]:g}" for i in np.flatnonzero(bad).tolist()]
    if faults:
        hint = "amounts are zero or more and finite, pupils are whole numbers; leave unknown ones empty"
        raise DataError(listing("impossible amounts", faults, hint))


def _are_possible(values: npt.NDArray[np.float64], whole: bool) -> bool:
    """Two passes over a clean column; NaN and faults take the slow way, which names them."""
    if not len(values):
        return True
    return bool(values.min() >= 0 and values.max() < np.inf and not (whole and (np.floor(values) != values).any()))


def floats(column: pd.Series) -> npt.NDArray[np.float64]:
    """Return a column of numbers as floats, unknown as NaN; without a copy where it is one already."""
    if isinstance(column.dtype, np.dtype):
        return np.asarray(column.array, dtype=float)
    return column.to_numpy(float, na_value=np.nan)


def where(frame: pd.DataFrame, row: int) -> str:
    """Name a row by its school, stage and year, or by its number."""
    keys = [k for k in KEYS if k in frame]
    return " ".join(str(frame[k].iloc[row]) for k in keys) or f"row {row}"

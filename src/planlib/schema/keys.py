"""Rows in the order of their keys, and which keys stand twice."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from planlib.schema.tables import Table, declaration


def ordered(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return rows that `conform` gave, in several parts and at other times, in the order of the table's key.

    Examples
    --------
    >>> ordered(pd.DataFrame({"area": ["b", "a"], "year": [2020, 2020]}), "births")["area"].tolist()
    ['a', 'b']
    """
    return taken(frame, order_by_key(frame, declaration(table))[0])


def order_by_key(frame: pd.DataFrame, declared: Table) -> tuple[np.ndarray, bool]:
    """Return the order of the rows by their key, and whether no key stands twice."""
    if not declared.key:
        return np.arange(len(frame)), True
    numbers = row_numbers(frame, declared.key)
    order = np.argsort(numbers, kind="stable")
    return order, not (np.diff(numbers[order]) == 0).any()


def taken(frame: pd.DataFrame, order: np.ndarray) -> pd.DataFrame:
    """Return the rows in an order, numbered anew; rows that stand so already are not copied."""
    is_so = (np.diff(order) == 1).all()
    return (frame if is_so else frame.take(order)).reset_index(drop=True)


def row_numbers(frame: pd.DataFrame, keys: Sequence[str]) -> np.ndarray:
    """Return one whole number for each row, equal where all keys are equal, in the order of the keys.

    Examples
    --------
    >>> row_numbers(pd.DataFrame({"a": ["y", "x", "y"], "b": [2020, 2021, 2020]}), ["a", "b"]).tolist()
    [2, 1, 2]
    """
    made = np.zeros(len(frame), "int64")
    for key in keys:
        column = frame[key]
        if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.categories.is_monotonic_increasing:
            codes, count = column.cat.codes.to_numpy(), len(column.cat.categories)
        elif _is_narrow(column):
            codes = column.to_numpy("int64") - int(column.min())
            count = int(codes.max()) + 1
        else:
            codes, words = pd.factorize(column, sort=True, use_na_sentinel=False)
            count = len(words)
        if len(made) and int(made.max()) >= (1 << 62) // max(count, 1):
            made = pd.factorize(made, sort=True)[0].astype("int64")
        made = made * count + codes
    return made


def _is_narrow(column: pd.Series) -> bool:
    """Tell whether whole numbers lie so near to each other that they number the rows themselves, as years do."""
    is_whole = isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu" and len(column) > 0
    return is_whole and int(column.max()) - int(column.min()) < 1 << 31

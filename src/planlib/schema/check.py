"""A frame → the table it is declared to be, or every fault with its row."""

from typing import Any

import numpy as np
import pandas as pd

from planlib.errors import DataError, listing
from planlib.schema.dates import is_iso_date
from planlib.schema.dictionary import DTYPES, Field, dtypes, fields, is_text
from planlib.schema.keys import order_by_key, row_numbers, taken
from planlib.schema.tables import Table, declaration


def conform(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return `frame` with the columns, order and types that `table` declares, sorted by its key.

    Texts that come as categories stay so, for long tables are made of them many times as fast.

    Parameters
    ----------
    frame : DataFrame
        Has the declared columns, in any order; optional ones may be absent and come out empty.
    table : str
        A key of `TABLES`.

    Returns
    -------
    DataFrame
        Text columns are ``str`` without missing values (absent is ``""``); optional numbers are ``Int64``,
        ``Float64``, ``boolean``.

    Raises
    ------
    DataError
        If a column is unknown or absent, a value is not of its type, out of range or not among the allowed ones, a
        required value is missing, or a key stands twice. All faults at once, with the rows.

    Examples
    --------
    >>> rows = pd.DataFrame({"year": ["2020"], "area": ["east"], "births": [12.0], "file": ["b.csv"], "line": [2]})
    >>> conform(rows, "births").dtypes.astype(str).to_dict()["births"]
    'int64'
    """
    declared = declaration(table)
    faults = _column_faults(frame, declared)
    if faults:
        raise _refused(table, faults)
    if frame.empty:
        return empty(table)
    converted = {name: _converted(frame, declared, name, faults) for name in declared.columns}
    result = pd.DataFrame(converted, index=frame.index)
    for name in declared.columns:
        if name in frame.columns:
            faults += _value_faults(result[name], declared, name, frame)
    order, is_unique = order_by_key(result, declared)
    faults += [] if is_unique else _key_faults(result, declared)
    if faults:
        raise _refused(table, faults)
    return taken(_with_dtypes(result, declared), order)


def empty(table: str) -> pd.DataFrame:
    """Return the table without rows, with its declared types.

    Examples
    --------
    >>> len(empty("births"))
    0
    """
    kinds = dtypes(declaration(table))
    return pd.DataFrame({name: pd.array([], dtype=kind) for name, kind in kinds.items()})


def _refused(table: str, faults: list[str]) -> DataError:
    return DataError(listing(f"the table {table} does not fit its schema", faults, "mend the source named above"))


def _column_faults(frame: pd.DataFrame, declared: Table) -> list[str]:
    absent = [name for name in declared.required if name not in frame.columns]
    unknown = [str(name) for name in frame.columns if name not in declared.columns]
    return [f"column {name} is missing" for name in absent] + [
        f"column {name} is not declared" for name in unknown
    ]


def _converted(frame: pd.DataFrame, declared: Table, name: str, faults: list[str]) -> pd.Series:
    """Return a column as its nullable type; what cannot be read becomes missing and a fault."""
    field = fields()[name]
    dtype: Any = DTYPES[field.type][1]
    if name not in frame.columns:
        return pd.Series("" if is_text(field) else pd.NA, index=frame.index, dtype=dtype)
    source = frame[name]
    if is_text(field):
        if isinstance(source.dtype, pd.CategoricalDtype) and not source.hasnans:
            return source
        texts = source if source.dtype == "str" else source.astype("str")
        return texts.mask(source.isna(), "").astype("str") if source.hasnans else texts
    numbers, is_given = _numbers(source)
    unread = is_given & (np.isnan(numbers) | _is_off_type(numbers, field.type))
    wanted = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}[field.type]
    faults += [
        _at(frame, declared, int(i), name, f"is {_shown(source.iloc[int(i)])}, expected {wanted}")
        for i in np.flatnonzero(unread)
    ]
    known = is_given & ~unread
    return pd.Series(np.where(known, numbers, np.nan), index=frame.index).mask(~known).astype(dtype)


def _numbers(source: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return a column as floats (NaN where it is no finite number) and where a value was given at all."""
    is_given = source.notna().to_numpy(dtype=bool)
    if source.dtype.kind not in "biuf":
        is_given = is_given & (source.astype("str") != "").to_numpy(dtype=bool)
        source = pd.to_numeric(source, errors="coerce")
    numbers = source.to_numpy(dtype="float64", na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan), is_given


def _is_off_type(numbers: np.ndarray, kind: str) -> np.ndarray:
    """Tell which numbers are none of a type: 2.5 and 1e20 (not exact as a float) are no integers, 2 is no truth value."""
    if kind == "boolean":
        return ~np.isin(numbers, [0, 1])
    if kind == "integer":
        return (numbers % 1 != 0) | (np.abs(numbers) > 2**53)
    return np.zeros(len(numbers), dtype=bool)


def _value_faults(column: pd.Series, declared: Table, name: str, frame: pd.DataFrame) -> list[str]:
    """Return the faults of a converted column: missing, not allowed, out of range, no date."""
    field = fields()[name]
    is_empty = column == "" if is_text(field) else column.isna()
    faults = []
    if name in declared.required and is_empty.any():
        # a value that could not be read was said already
        absent = is_empty & (frame[name].isna() | (frame[name].astype("str") == ""))
        wanted = f"one of {', '.join(field.values)}" if field.values else "a value"
        faults += [_at(frame, declared, i, name, f"is empty, expected {wanted}") for i in _rows(absent)]
    wrong, expected = _range_faults(column, field)
    if not wrong.any():
        return faults
    said = (wrong & ~is_empty).fillna(False)
    return faults + [
        _at(frame, declared, i, name, f"is {_shown(column.iloc[i])}, expected {expected}") for i in _rows(said)
    ]


def _range_faults(column: pd.Series, field: Field) -> tuple[pd.Series, str]:
    if field.values:
        return ~column.isin(field.values), f"one of {', '.join(field.values)}"
    if field.type == "date":
        return ~is_iso_date(column), "a date like 2023-09-01"
    if field.type in ("integer", "number") and (field.minimum is not None or field.maximum is not None):
        low = -np.inf if field.minimum is None else field.minimum
        high = np.inf if field.maximum is None else field.maximum
        bounds = f"at least {low:g}" if high == np.inf else f"between {low:g} and {high:g}"
        return ~column.between(low, high), bounds
    return pd.Series(False, index=column.index), ""


def _key_faults(frame: pd.DataFrame, declared: Table) -> list[str]:
    """Return the rows whose key stands in an earlier row too."""
    if not declared.key or frame.empty:
        return []
    # two keys that could not be read are not the same
    is_known = frame[list(declared.key)].notna().all(axis=1).to_numpy()
    repeated = pd.Series(row_numbers(frame, declared.key)).duplicated() & is_known
    return [_at(frame, declared, i, "the key", "stands twice, expected once") for i in _rows(repeated)]


def _rows(mask: pd.Series) -> list[int]:
    return [int(i) for i in np.flatnonzero(mask.to_numpy(dtype=bool))]


def _at(frame: pd.DataFrame, declared: Table, row: int, name: str, what: str) -> str:
    """Say where a fault stands: file and line if the row knows them, and its key."""
    record = frame.iloc[row]
    place = f"{record['file']} line {record['line']}: " if {"file", "line"} <= set(frame.columns) else ""
    known = [k for k in declared.key if k in frame.columns and pd.notna(record[k]) and record[k] != ""]
    key = ", ".join(f"{k} {_plain(record[k])}" for k in known)
    return f"{place}{name} {what} ({key or f'row {row + 1}'})"


def _shown(value: Any) -> str:
    """Write a value as a person would: text in quotes, a number plain."""
    return repr(value) if isinstance(value, str) else f"{value}"


def _plain(value: Any) -> str:
    """Write a key without the ``.0`` that a column with gaps gives to whole numbers."""
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else f"{value}"


def _with_dtypes(frame: pd.DataFrame, declared: Table) -> pd.DataFrame:
    texts = (pd.CategoricalDtype, pd.StringDtype)  # however they are stored
    wanted = dtypes(declared).items()
    return frame.astype({n: k for n, k in wanted if k != "str" or not isinstance(frame[n].dtype, texts)})

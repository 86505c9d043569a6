"""What every room of evaluation needs: columns, dates, numbers, cut points."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from planlib.errors import DataError, listing

Rules = Mapping[str, Any]
Decisions = list[tuple[pd.Series, str, str]]

TOLERANCE = 1e-9
"""Slack of every comparison: floating-point noise only, never a matter of judgement."""


def require(frame: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Raise unless the frame has the columns."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(listing(f"{name} lacks columns", missing, f"give {name} the columns {', '.join(columns)}"))


def stamps(values: pd.Series, name: str) -> pd.Series:
    """Turn ISO dates into timestamps; raise on anything else."""
    text = values.astype("string").str.slice(0, 10)
    parsed = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    wrong = values[parsed.isna() & values.notna() & (text != "")]
    if len(wrong):
        faults = [f"{name}, row {label}: {value!r}" for label, value in wrong.items()]
        raise DataError(listing("dates that are not ISO dates", faults, "write them as 2023-09-01"))
    return parsed


def day(date: str, name: str) -> pd.Timestamp:
    """Turn one ISO date into a timestamp."""
    return stamps(pd.Series([date], index=[0]), name).iloc[0]


def calendar_months(dates: pd.Series) -> pd.Series:
    """Return the position of dates on a scale of calendar months.

    A day counts as the share of its month that is over when it begins; the last day of a month counts as the
    whole month, because 31 December closes a year. So every year is 12 long, leap or not, and a school year is a
    fifth of five.

    Parameters
    ----------
    dates : Series
        ISO dates or timestamps.

    Returns
    -------
    Series of float

    Examples
    --------
    >>> months = calendar_months(pd.Series(["2020-12-31", "2023-06-30", "2025-12-31"]))
    >>> ((months[1] - months[0]) / (months[2] - months[0])).item()
    0.5
    """
    at = stamps(dates, "dates").dt
    inside = ((at.day - 1) / at.days_in_month).where(~at.is_month_end, 1.0)
    return at.year * 12 + at.month - 1 + inside


def elapsed_share(start: pd.Series, end: pd.Series, at: pd.Series) -> pd.Series:
    """Return which share of a period is over at a date: (at − start) / (end − start) in calendar months.

    Parameters
    ----------
    start, end, at : Series
        ISO dates, aligned.

    Returns
    -------
    Series of float
        0 at the start, 1 at the end; missing where a date is missing or the period is empty.

    Examples
    --------
    >>> one = lambda date: pd.Series([date])
    >>> elapsed_share(one("2020-09-01"), one("2025-09-01"), one("2022-09-01")).tolist()
    [0.4]
    """
    first = calendar_months(start)
    length = calendar_months(end) - first
    return (calendar_months(at) - first) / length.where(length > 0)


def round_half_up(values: pd.Series, decimals: pd.Series) -> pd.Series:
    """Round as people do (half away from zero), each value to its own number of decimals.

    Examples
    --------
    >>> round_half_up(pd.Series([0.3005, 94.95, -0.5]), pd.Series([3, 1, 0])).tolist()
    [0.301, 95.0, -1.0]
    """
    scale = 10.0 ** decimals.astype("float64")
    return np.sign(values) * np.floor(values.abs() * scale + 0.5 + TOLERANCE) / scale


def decimals(value: float) -> int:
    """Return how many decimals a number needs."""
    text = f"{value:.9f}".rstrip("0")
    return len(text.partition(".")[2])


def cut(rules: Rules, group: str, name: str) -> float:
    """Return a cut point of the rules, plain or with its reference beside it."""
    try:
        entry = rules[group][name] if name else rules[group]
        return float(entry["value"] if isinstance(entry, Mapping) else entry)
    except (KeyError, TypeError, ValueError) as error:
        where = f"{group}.{name}" if name else group
        raise DataError(
            f"The evaluation rules have no number at {where}.\n"
            "To do: pass the content of definitions/evaluation.yml, or a mapping with the same keys."
        ) from error


def decide(decisions: Decisions, index: pd.Index, otherwise: tuple[str, str]) -> pd.DataFrame:
    """Give each row the status and reason of the first condition that holds.

    Parameters
    ----------
    decisions : list of (condition, status, reason)
        Read from the top: the list is the rule book.
    index : Index
        Of the rows.
    otherwise : (status, reason)
        Where no condition holds.

    Returns
    -------
    DataFrame
        ``status`` and ``reason``.

    Examples
    --------
    >>> rows = pd.Series([1.0, 3.0])
    >>> decide([(rows > 2, "high", "above")], rows.index, ("low", "rest"))["status"].tolist()
    ['low', 'high']
    """
    conditions = [condition.to_numpy(dtype=bool) for condition, _, _ in decisions]
    return pd.DataFrame(
        {
            "status": np.select(conditions, [status for _, status, _ in decisions], otherwise[0]),
            "reason": np.select(conditions, [reason for _, _, reason in decisions], otherwise[1]),
        },
        index=index,
    )


def numbers(frame: pd.DataFrame, column: str, keys: Sequence[str]) -> pd.Series:
    """Return a column as finite floats; raise with the keys of the rows that are not."""
    numbers = pd.to_numeric(frame[column], errors="coerce").astype("float64")
    wrong = frame[~np.isfinite(numbers)]
    if len(wrong):
        faults = [
            ", ".join(f"{key} {row[key]}" for key in keys) + f": {row[column]!r}" for _, row in wrong.iterrows()
        ]
        raise DataError(
            listing(f"{column} is not a finite number", faults, "correct the number or leave the row out")
        )
    return numbers


def standing(status: pd.Series, order: Sequence[str]) -> pd.Series:
    """Rank standings; a missing one is the lowest."""
    rank = status.map({name: place for place, name in enumerate(order)}).astype("float64")
    unknown = sorted(set(status[rank.isna() & status.notna()].astype(str))) if len(order) else []
    if unknown:
        raise DataError(listing("unknown standings of observations", unknown, f"use one of {', '.join(order)}"))
    return rank.fillna(-1.0)

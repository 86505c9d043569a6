"""From a long frame of observations to windows of equal length: checked, sorted, vectorised."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from planlib.errors import DataError, listing
from planlib.forecast.features import KINDS, WINDOW, Floats, Windows

_HINT = "mend the observations (one value per series and year, numbers only), then call again"
_BOUNDS = {"percent": (0.0, 100.0), "real": (-np.inf, np.inf)}
_ENDS = np.array([_BOUNDS.get(kind, (0.0, np.inf)) for kind in KINDS])
_SMALLEST_COUNT = 100.0


@dataclass(frozen=True)
class Histories:
    """Checked series: rows sorted by series and year, with where each series starts and how it is bounded.

    ``noise`` is, by row, the standard error of a percentage of the persons in ``denominator``, else 0.
    """

    series_id: pd.Index
    start: NDArray[np.int64]
    count: NDArray[np.int64]
    year: NDArray[np.int64]
    value: Floats
    kind: NDArray[np.int8]
    is_inferred: NDArray[np.bool_]
    lower: Floats
    upper: Floats
    missing: NDArray[np.int64]
    noise: Floats

    @property
    def end(self) -> NDArray[np.int64]:
        """Row of the last value of each series."""
        return self.start + self.count - 1

    def groups(self) -> Iterator[tuple[str, NDArray[np.int64], Windows]]:
        """Yield series of one kind and one window length together: kind, their positions, their windows."""
        length = np.minimum(self.count, WINDOW)
        code = self.kind * (WINDOW + 1) + length
        for one in np.unique(code):
            members = np.flatnonzero(code == one)
            kind, k = KINDS[int(one) // (WINDOW + 1)], int(one) % (WINDOW + 1)
            rows = self.end[members, None] + np.arange(1 - k, 1)
            yield kind, members, Windows(self.value[rows], self.year[rows].astype(float), kind)


def _columns(frame: pd.DataFrame, needed: tuple[str, ...], name: str) -> None:
    """Fail if the frame is not a frame, is empty or lacks columns."""
    lacking = [column for column in needed if column not in frame.columns]
    if lacking:
        raise DataError(
            f"{name}: columns {', '.join(lacking)} are missing; found {', '.join(map(str, frame.columns))}."
            f"\nTo do: give a long frame with {', '.join(needed)}."
        )
    if frame.empty:
        raise DataError(f"{name}: the frame has no rows.\nTo do: give at least one value.")


def numbers(frame: pd.DataFrame, column: str) -> tuple[Floats, NDArray[np.bool_]]:
    """Return a column as floats and where it held something that is not a number."""
    given = frame[column]
    if isinstance(given.dtype, np.dtype) and given.dtype.kind in "iuf":
        return given.to_numpy().astype(float, copy=False), np.zeros(len(given), dtype=bool)
    found = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return found, np.isnan(found) & given.notna().to_numpy()


def where(frame: pd.DataFrame, rows: NDArray[np.bool_], text: str, column: str) -> list[str]:
    """Describe faulty rows: series, year and what was found."""
    if not rows.any():
        return []
    bad = frame.loc[rows, ["series_id", "year", column]]
    return [f"series {s}, year {y}: {text} {v!r}" for s, y, v in bad.itertuples(index=False, name=None)]


def _cell_faults(frame: pd.DataFrame, nameless: NDArray[np.bool_]) -> tuple[Floats, Floats, list[str]]:
    """Return values and years as floats and the faults of single cells."""
    value, is_text = numbers(frame, "value")
    year, is_word = numbers(frame, "year")
    is_odd = ~is_word & ~((year >= 1) & (year <= 9999) & (year == np.floor(year)))
    faults = [f"row {row}: no series_id" for row in frame.index[nameless]] if nameless.any() else []
    faults += where(frame, is_text, "not a number:", "value")
    faults += where(frame, np.isinf(value), "infinite value", "value")
    faults += where(frame, is_word | is_odd, "not a year:", "year")
    return value, year, faults


def _two_values(
    frame: pd.DataFrame, column: str, here: NDArray[np.generic], codes: NDArray[np.int64], first: NDArray[np.int64]
) -> list[str]:
    """Return a fault for each series that carries two values of what belongs to the series."""
    one = here[first][codes]
    differs = (here != one) & ~((here != here) & (one != one))
    return (
        [f"series {s}: more than one {column}" for s in frame.loc[differs, "series_id"].unique()]
        if differs.any()
        else []
    )


def _guess(value: Floats, start: NDArray[np.int64]) -> NDArray[np.int8]:
    """Guess kinds: real with a negative value; count if whole numbers reach 100 (rates seldom are whole); else rate."""
    least, most = np.minimum.reduceat(value, start), np.maximum.reduceat(value, start)
    whole = np.logical_and.reduceat(value == np.floor(value), start)
    counts = np.where(whole & (most >= _SMALLEST_COUNT), KINDS.index("count"), KINDS.index("rate"))
    return np.where(least < 0, KINDS.index("real"), counts).astype(np.int8)


def _kinds(
    frame: pd.DataFrame,
    codes: NDArray[np.int64],
    first: NDArray[np.int64],
    value: Floats,
    start: NDArray[np.int64],
) -> tuple[NDArray[np.int8], NDArray[np.bool_], list[str]]:
    """Return kind codes, which were inferred because none was given, and faults."""
    if "kind" not in frame.columns:
        return _guess(value, start), np.ones(len(first), dtype=bool), []
    word, words = frame["kind"].array.factorize()
    faults = _two_values(frame, "kind", word, codes, first)
    known = (*KINDS, "positive")
    unread = [i for i, text in enumerate(words) if text not in known]
    for i in unread:
        names = frame.loc[word == i, "series_id"].unique()
        faults += [f"series {s}: kind {words[i]!r}, expected one of positive, {', '.join(KINDS)}" for s in names]
    code = np.array([known.index(text) if text in known else 0 for text in words] + [-1])[word[first]]
    silent, positive = code < 0, code == len(KINDS)
    if silent.any() or positive.any():
        guess = _guess(value, start)
        code = np.where(silent, guess, code)
        code = np.where(positive, np.where(guess == KINDS.index("real"), KINDS.index("rate"), guess), code)
    return code.astype(np.int8), silent, faults


def _bounds(
    frame: pd.DataFrame, codes: NDArray[np.int64], first: NDArray[np.int64], kind: NDArray[np.int8]
) -> tuple[Floats, Floats, list[str]]:
    """Return the bounds of each series (those of its kind where none are given) and faults."""
    found, faults = [_ENDS[kind, 0], _ENDS[kind, 1]], []
    for side, column in enumerate(("lower_bound", "upper_bound")):
        if column in frame.columns:
            number, is_text = numbers(frame, column)
            faults += where(frame, is_text, f"{column} is not a number:", column)
            faults += _two_values(frame, column, number, codes, first)
            found[side] = np.where(np.isnan(number[first]), found[side], number[first])
    crossed = found[0] > found[1]
    if crossed.any():
        names = frame["series_id"].iloc[first[crossed]]
        faults += [f"series {s}: lower bound above upper bound" for s in names]
    return found[0], found[1], faults


def _order_faults(h: Histories) -> list[str]:
    """Faults that need the sorted series: twice the same year, values outside bounds, a total that falls."""
    code = np.repeat(np.arange(len(h.count)), h.count)
    inner = code[1:] == code[:-1]
    twice = np.flatnonzero(inner & (h.year[1:] == h.year[:-1]))
    outside = np.flatnonzero((h.value < h.lower[code] - 1e-9) | (h.value > h.upper[code] + 1e-9))
    falls = np.flatnonzero(inner & (h.value[1:] < h.value[:-1]) & (h.kind[code[1:]] == KINDS.index("cumulative")))
    faults = [f"series {h.series_id[code[i]]}, year {h.year[i]}: more than one value" for i in twice]
    faults += [
        f"series {h.series_id[code[i]]}, year {h.year[i]}: {h.value[i]:g} is outside "
        f"{h.lower[code[i]]:g} to {h.upper[code[i]]:g}"
        for i in outside
    ]
    return faults + [
        f"series {h.series_id[code[i]]}, year {h.year[i + 1]}: cumulative, but falls from {h.value[i]:g} "
        f"to {h.value[i + 1]:g}"
        for i in falls
    ]


def _sorted(codes: NDArray[np.int64], year: Floats) -> NDArray[np.int64] | None:
    """Return the order by series and year, or None if the rows stand in it already."""
    step = codes[1:] - codes[:-1]
    if ((step > 0) | ((step == 0) & (year[1:] >= year[:-1]))).all():
        return None
    return np.lexsort((year, codes))


def _raise(faults: list[str]) -> None:
    if faults:
        raise DataError(listing("observations cannot be forecast", faults, _HINT))


def histories(observations: pd.DataFrame) -> Histories:
    """Check a long frame of observations and sort it into histories.

    Parameters
    ----------
    observations : pandas.DataFrame
        ``series_id, year, value`` and optional ``kind``, ``lower_bound``, ``upper_bound`` (one value per series) and
        ``denominator`` (persons behind a percentage; the last counts). Missing values count as years without a value.

    Returns
    -------
    Histories
        Series in order of first appearance.

    Raises
    ------
    DataError
        With every fault at once: columns missing, values that are no finite numbers, years that are no years,
        two values for one year, a series without any value, values outside bounds, a cumulative series that falls.
    """
    _columns(observations, ("series_id", "year", "value"), "observations")
    codes, ids = observations["series_id"].array.factorize()
    value, year, faults = _cell_faults(observations, codes < 0)
    _raise(faults)
    known = ~np.isnan(value)
    first = np.full(len(ids), -1, dtype=np.int64)
    rows = np.arange(len(codes))
    first[codes[::-1]] = rows[::-1]
    count = np.bincount(codes[known], minlength=len(ids))
    missing = np.bincount(codes[~known], minlength=len(ids))
    if not count.all():
        _raise([f"series {s}: all values are missing" for s in ids[count == 0]])
    return _assemble(observations, (codes, pd.Index(ids), first), value, year, known, count, missing)


def _noise(
    frame: pd.DataFrame, rows: NDArray[np.int64], value: Floats, kind: NDArray[np.int8]
) -> tuple[Floats, list[str]]:
    """Return the binomial standard error of each value in points (0 without a denominator), and faults.

    ``100 sqrt(p (1 - p) / N)`` with ``p`` one success and one failure towards one half: 0 of 50 is not certain.
    """
    if "denominator" not in frame.columns:
        return np.zeros(len(rows)), []
    persons, is_text = numbers(frame, "denominator")
    wrong = is_text | (persons < 1) | np.isinf(persons)
    faults = where(frame, wrong, "denominator is not a number of persons:", "denominator")
    here = persons[rows]
    odd = ~np.isnan(here) & (kind != KINDS.index("percent"))
    names = frame["series_id"].iloc[rows[odd]].unique()
    faults += [f"series {s}: a denominator belongs to a percentage" for s in names]
    size = np.where(np.isnan(here) | wrong[rows], np.inf, here)
    share = (value + 100.0 / size) / (100.0 + 200.0 / size)
    return 100.0 * np.sqrt(np.clip(share * (1.0 - share), 0.0, None) / size), faults


def _assemble(
    frame: pd.DataFrame,
    parts: tuple[NDArray[np.int64], pd.Index, NDArray[np.int64]],
    value: Floats,
    year: Floats,
    known: NDArray[np.bool_],
    count: NDArray[np.int64],
    missing: NDArray[np.int64],
) -> Histories:
    """Sort the known rows and attach kinds and bounds."""
    codes, ids, first = parts
    kept_codes, kept_year, kept_value = codes[known], year[known], value[known]
    order, rows = _sorted(kept_codes, kept_year), np.flatnonzero(known)
    if order is not None:
        kept_year, kept_value, rows = kept_year[order], kept_value[order], rows[order]
    start = np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int64)
    kind, inferred, faults = _kinds(frame, codes, first, kept_value, start)
    lower, upper, wrong = _bounds(frame, codes, first, kind)
    noise, odd = _noise(frame, rows, kept_value, np.repeat(kind, count))
    found = Histories(
        ids, start, count, kept_year.astype(np.int64), kept_value, kind, inferred, lower, upper, missing, noise
    )
    _raise(faults + wrong + odd + _order_faults(found))
    return found

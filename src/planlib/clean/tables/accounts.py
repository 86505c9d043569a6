"""The account of cells: where every cell that holds something went. None may be missing."""

import re
from collections.abc import Mapping
from itertools import chain

import numpy as np
import pandas as pd

from planlib import schema
from planlib.clean import frames
from planlib.clean.issues import Issue
from planlib.clean.layout.recognise import KINDS

_AT = ["file", "sheet", "cell"]
_ADDEND = re.compile(r"(?:\[(.*?)\](.*?)!)?([A-Z]+\d+)(?:\+|$)")
_MOVED = ["value", "repeated", "not_applicable", "issue"]
_LOST = len(_MOVED)


def account_frame(sheets: pd.DataFrame) -> pd.DataFrame:
    """Return counts as the account has them: file, sheet, year, schools, and one column for each kind of cell."""
    frame = sheets.reindex(columns=["file", "sheet", "year", "schools", *KINDS])
    counted = frame[["schools", *KINDS]].fillna(0).astype("int64")
    return frame[["file", "sheet"]].join(frame["year"].astype("Int64")).join(counted)


def account_of_returns(
    sheets: pd.DataFrame, cells: pd.DataFrame, every: pd.DataFrame, lineage: pd.DataFrame
) -> tuple[pd.DataFrame, list[Issue]]:
    """Return one row per sheet with its cells by kind, and an error for each cell that went nowhere.

    Parameters
    ----------
    sheets : DataFrame
        Counts of each sheet as recognised: there, every cell of a school's row is a value.
    cells : DataFrame
        Cells of schools and totals after corrections, each with a number as its `place`.
    every : DataFrame
        The values that reached the table of schools (`planlib.clean.tables.returns.every_value`), with that place.
    lineage : DataFrame
        Their birthplaces.

    Returns
    -------
    (DataFrame, list of Issue)
        The issues are faults of planlib itself; there is none unless its rules contradict each other.
    """
    words = cells["raw"].cat.categories.tolist()
    is_seen = frames.taken(cells["raw"], {word: bool(word.strip()) for word in words}, False)
    held = cells[(cells["kind"] == "value") & is_seen]
    # a figure may be of two fields, and a merged cell of many rows: it counts once
    again = pd.Series(schema.row_numbers(held, ["file", "sheet", "stands", "position"])).duplicated().to_numpy()
    held = held[~again]
    held = held.assign(went=_went(held, every, lineage))
    lost = [
        Issue("error", "lost cell", row.file, row.sheet, row.cell, row.school_id, found=repr(row.raw))
        for row in frames.as_texts(held[held["went"] == ""]).itertuples()
    ]
    counts = held.groupby(["file", "sheet", "went"], observed=True).size().rename("count")
    counts = frames.as_texts(counts.reset_index())
    counts = counts.pivot(index=["file", "sheet"], columns="went", values="count")  # noqa: PD010 - no means
    counts = counts.reindex(columns=_MOVED).fillna(0).astype("int64")
    frame = account_frame(sheets).set_index(["file", "sheet"])
    counts = counts.reindex(frame.index, fill_value=0)
    counts["value"] += frame["value"] - counts.sum(axis=1)
    for kind in _MOVED:
        frame[kind] = counts[kind] + (0 if kind == "value" else frame[kind])
    return frame.reset_index(), lost


def account_of_csv(file: str, cells: Mapping[str, int]) -> dict[str, object]:
    """Return the account of a CSV file: how many of its cells there are of each kind."""
    return {"file": file, "sheet": "", **cells}


def _went(held: pd.DataFrame, every: pd.DataFrame, lineage: pd.DataFrame) -> pd.Categorical:
    """Return the kind of each cell of a school, ``""`` for one that went nowhere."""
    last = held["place"].to_numpy().max(initial=-1)
    is_born = np.bincount(every["place"].to_numpy(), minlength=last + 1) > 0
    went = np.where(is_born[held["place"]], 0, _LOST).astype("int8")
    rest = held[went == _LOST]  # few, and they take longer to look up: by what they say
    is_known = _in(rest, lineage, ["school_id", "year", "column"])
    is_idle = (rest["number"] == 0) & ~_in(rest, lineage, ["school_id", "year", "stage"])
    went[went == _LOST] = np.select(
        [_is_added(rest, lineage), rest["is_dropped"], (rest["state"] == "not_applicable") | is_idle, is_known],
        [0, 3, 2, 1],
        default=_LOST,
    )
    return pd.Categorical.from_codes(went, [*_MOVED, ""])


def _is_added(rest: pd.DataFrame, lineage: pd.DataFrame) -> np.ndarray:
    """Tell which cells stand under their address in the birthplaces, as one of several that were added up too."""
    born = lineage.loc[lineage["raw"] != "", _AT] if len(rest) else lineage.iloc[:0][_AT]
    is_sum = born["cell"].str.contains("+", regex=False)
    if is_sum.any():
        born = frames.stacked([born[~is_sum], _of_one_cell(born[is_sum])])
    return _in(rest, born, _AT)


def _of_one_cell(lineage: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each cell of a figure added up; one of another sheet says so: ``[file]sheet!A1``."""
    is_far = lineage["cell"].str.contains("!", regex=False)
    near = lineage[~is_far]
    parts = near["cell"].str.split("+")
    near = near.iloc[np.repeat(np.arange(len(near)), parts.str.len())].assign(
        cell=list(chain.from_iterable(parts))
    )
    far = [
        {**row, "file": found[1] or row["file"], "sheet": found[2] or row["sheet"], "cell": found[3]}
        for row in lineage[is_far].to_dict("records")
        for found in _ADDEND.finditer(row["cell"])
    ]
    return frames.stacked([near, pd.DataFrame(far, columns=near.columns)]) if far else near


def _in(held: pd.DataFrame, lineage: pd.DataFrame, keys: list[str]) -> np.ndarray:
    if held.empty:
        return np.zeros(0, dtype=bool)
    # one whole number for each place: far quicker to look up than a tuple of texts
    places = schema.row_numbers(frames.stacked([held[keys], lineage[keys]]), keys)
    return pd.Series(places[: len(held)]).isin(places[len(held) :]).to_numpy()

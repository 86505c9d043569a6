"""The account of cells: where every cell that holds something went. None may be missing."""

from collections.abc import Mapping

import pandas as pd

from planlib.clean.issues import Issue
from planlib.clean.recognise import KINDS

_AT = ["file", "sheet", "cell"]


def accounts_of_sheets(
    sheets: pd.DataFrame, cells: pd.DataFrame, lineage: pd.DataFrame, form_zero: pd.DataFrame
) -> tuple[pd.DataFrame, list[Issue]]:
    """Return one row per sheet with its cells by kind, and an error for each cell that went nowhere.

    Parameters
    ----------
    sheets : DataFrame
        Counts of each sheet as recognised: there, every cell of a school's row is a value.
    cells : DataFrame
        Cells of schools and totals after corrections.
    lineage : DataFrame
        The birthplaces of the values that reached the table of schools.
    form_zero : DataFrame
        Cells with 0 for a stage that the school does not have.

    Returns
    -------
    (DataFrame, list of Issue)
        ``file, sheet, year, schools`` and a column for each of `planlib.clean.recognise.KINDS`.
    """
    held = cells[(cells["kind"] == "value") & (cells["raw"].str.strip() != "")].copy()
    held["went"] = _went(held, lineage, form_zero)
    lost = held[held["went"] == ""]
    issues = [
        Issue("error", "lost cell", row.file, row.sheet, row.cell, row.school_id, found=repr(row.raw))
        for row in lost.itertuples()
    ]
    counts = held.drop_duplicates(_AT).groupby(["file", "sheet", "went"]).size().unstack(fill_value=0)  # noqa: PD010
    counts = counts.reindex(columns=["value", "repeated", "not_applicable", "issue"], fill_value=0)
    frame = account_frame(sheets).set_index(["file", "sheet"])
    moved = counts.reindex(frame.index, fill_value=0)
    frame["value"] = moved["value"] + frame["value"] - moved.sum(axis=1)
    for kind in ("repeated", "not_applicable", "issue"):
        frame[kind] += moved[kind]
    return frame.reset_index(), issues

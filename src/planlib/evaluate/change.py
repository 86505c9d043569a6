"""What moved between two scorecards of the same plan."""

import numpy as np
import pandas as pd

from planlib.evaluate.common import TOLERANCE, decide, require

_SEEN = ["value", "as_of", "progress", "status"]


def changes(card: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Set a scorecard beside an earlier one and say which series came closer to their targets.

    A series comes *closer* when it moves from its baseline's side towards its target (past the target as well); one
    that is to be held when it lacks less of its target. It is the *same* where its print, one digit finer than the
    plan's, did not change, and *unknown* where there is no newer value than before.

    Parameters
    ----------
    card, before : DataFrame
        From :func:`planlib.evaluate.scorecard`, the later and the earlier one. A series that had no value before is
        compared with its baseline.

    Returns
    -------
    DataFrame
        The later scorecard, then ``value_before, as_of_before, progress_before, status_before, change`` (in the
        series' unit) and ``moved`` (``closer``, ``away``, ``same``, ``unknown``).

    Raises
    ------
    DataError
        Missing columns.

    Examples
    --------
    >>> row = {"series_id": "s", "baseline": 60.0, "target": 50.0, "precision": 1, "is_met": False, "status": "behind"}
    >>> card = pd.DataFrame([{**row, "value": 57.0, "as_of": "2022-12-31", "progress": 0.3}])
    >>> before = pd.DataFrame([{**row, "value": 59.0, "as_of": "2021-12-31", "progress": 0.1}])
    >>> changes(card, before)[["value_before", "change", "moved"]].values.tolist()
    [[59.0, -2.0, 'closer']]
    """
    require(card, ["series_id", "baseline", "target", "precision", "is_met", *_SEEN], "card")
    require(before, ["series_id", "is_met", *_SEEN], "before")
    past = before[["series_id", "is_met", *_SEEN]].add_suffix("_before")
    table = card.merge(past, left_on="series_id", right_on="series_id_before", how="left", validate="one_to_one")
    had_none = table["value_before"].isna()
    table["value_before"] = table["value_before"].astype("float64").fillna(table["baseline"])
    table["change"] = table["value"] - table["value_before"]
    forward = table["change"] * np.sign(table["target"] - table["baseline"])
    held = _lacking(table, "_before") - _lacking(table, "")
    forward = forward.where(table["target"] != table["baseline"], held)
    is_new = table["value"].notna() & (had_none | (table["as_of"] != table["as_of_before"]))
    small = table["change"].abs() < 0.5 * 10.0 ** -(table["precision"] + 1) - TOLERANCE
    decided = decide(
        [
            (~is_new, "unknown", ""),
            (small, "same", ""),
            (forward > TOLERANCE, "closer", ""),
            (forward < -TOLERANCE, "away", ""),
        ],
        table.index,
        ("same", ""),
    )
    return table.drop(columns=["series_id_before", "is_met_before"]).assign(moved=decided["status"])


def _lacking(table: pd.DataFrame, suffix: str) -> pd.Series:
    """Return how far a value is from its target, nothing where the target is met."""
    is_met = table[f"is_met{suffix}"].fillna(False).astype(bool)
    return (table[f"value{suffix}"] - table["target"]).abs().mask(is_met, 0.0)

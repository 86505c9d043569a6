"""Is a target met, by the relation the plan prints and at the precision it prints?"""

import numpy as np
import pandas as pd

from planlib.errors import DataError, listing
from planlib.evaluate.common import TOLERANCE, Rules, cut, round_half_up


def meets(
    value: pd.Series,
    relation: pd.Series,
    target: pd.Series,
    direction: pd.Series,
    *,
    slack: pd.Series | float = 0.0,
) -> pd.Series:
    """Say whether values meet targets, by the relation the plan prints.

    ``>`` and ``<`` are strict, ``≥`` and ``≤`` are not. ``=`` (a bare number) means at least for what rises, at
    most for what falls, and equal for what is held. ``≈`` (左右, 约) means the same with `slack` to spare.

    Parameters
    ----------
    value, target : Series of float
        Already rounded to the precision that is to be compared.
    relation : Series of str
        One of ``= > ≥ < ≤ ≈``.
    direction : Series of str
        ``rise``, ``fall`` or ``hold``; used for ``=`` and ``≈`` only.
    slack : Series of float or float
        Absolute slack, used for ``≈`` and for ``=`` with ``hold``.

    Returns
    -------
    Series of boolean
        Missing where the value or the target is missing.

    Raises
    ------
    DataError
        On a relation that is none of the six.

    Examples
    --------
    >>> meets(pd.Series([95.0, 95.0, 0.29]), pd.Series([">", "≥", "="]), pd.Series([95.0, 95.0, 0.3]),
    ...       pd.Series(["rise", "rise", "fall"])).tolist()
    [False, True, True]
    """
    wrong = relation[~relation.isin(["=", ">", "≥", "<", "≤", "≈"])]
    if len(wrong):
        faults = [f"row {label}: {found!r}" for label, found in wrong.items()]
        raise DataError(listing("unknown relations", faults, "use one of = > ≥ < ≤ ≈"))
    room = np.where(relation == "≈", slack, np.where((relation == "=") & (direction == "hold"), slack, 0.0))
    gap = value - target
    reached = np.select(
        [
            relation == ">",
            relation == "<",
            (relation == "≥") | (relation.isin(["=", "≈"]) & (direction == "rise")),
            (relation == "≤") | (relation.isin(["=", "≈"]) & (direction == "fall")),
        ],
        [gap > TOLERANCE, gap < -TOLERANCE, gap >= -room - TOLERANCE, gap <= room + TOLERANCE],
        gap.abs() <= room + TOLERANCE,
    )
    return pd.Series(reached, index=value.index, dtype="boolean").mask(gap.isna())


def _side(card: pd.DataFrame) -> pd.Series:
    """Return rise, fall or hold: a volume goes wherever its target lies, a held share must not fall."""
    toward = pd.Series(
        np.select(
            [card["target"] > card["baseline"], card["target"] < card["baseline"]], ["rise", "fall"], "hold"
        ),
        index=card.index,
    )
    side = card["direction"].where(card["direction"].isin(["rise", "fall", "hold"]), toward)
    is_share = card["kind"].eq("percent") if "kind" in card else card["unit"].isin(["percent", "%"])
    # more of a share than was to be held is no fault: "hold" is a floor for shares and a scale for the rest
    return side.mask((side == "hold") & is_share, "rise")


def is_met(card: pd.DataFrame, rules: Rules) -> pd.Series:
    """Compare every value with its target at the printed precision.

    Parameters
    ----------
    card : DataFrame
        ``value, relation, baseline, target, target_relation, direction, precision, unit``; optional ``kind``.
    rules : mapping
        ``approximate`` and ``hold_scale`` of ``definitions/evaluation.yml``.

    Returns
    -------
    Series of boolean
        Missing where there is no value.
    """
    side, target = _side(card), card["target"].astype("float64")
    value = round_half_up(card["value"], card["precision"])
    slack = (target.abs() * cut(rules, "approximate", "")).where(
        card["target_relation"] == "≈",
        cut(rules, "hold_scale", "") * 10.0 ** -card["precision"].astype("float64"),
    )
    met = meets(value, card["target_relation"], target, side, slack=slack)
    return _with_bounds(card, met, side)


def _with_bounds(card: pd.DataFrame, met: pd.Series, side: pd.Series) -> pd.Series:
    """Correct for values that are bounds (">95"): one that points away from the target proves nothing."""
    relation = card["relation"].fillna("=")
    upward, downward = relation.isin([">", "≥"]), relation.isin(["<", "≤"])
    proves = (~upward & ~downward) | (upward & (side == "rise")) | (downward & (side == "fall"))
    exact = (card["value"].astype("float64") - card["target"].astype("float64")).abs() <= TOLERANCE
    beyond = exact & proves & relation.isin([">", "<"]) & (relation == card["target_relation"])
    return (met & proves) | beyond

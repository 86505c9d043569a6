"""How sure a coefficient is: every unsettled rule and what it would change."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from planlib.balance.measure import COMPOSITE, balance_table
from planlib.errors import UsageError, listing
from planlib.standard import Standard, stage_resources


def sensitivity(
    schools: pd.DataFrame,
    standard: Standard,
    *,
    by: Iterable[str] = ("year", "stage"),
    choices: Mapping[str, Sequence[Any]] | None = None,
) -> pd.DataFrame:
    """Compute the composite under every choice of every unsettled rule, one rule changed at a time.

    Parameters
    ----------
    schools : DataFrame
        Raw rows, as ``standard.stage_resources`` takes them.
    standard : Standard
        Gives the default of every rule, and the choices if none are given.
    by : iterable of str
        Grouping columns.
    choices : mapping of argument to sequence of values, optional
        Arguments of ``stage_resources`` and their values; ``"standard"`` stands for the standard's own value.

    Returns
    -------
    DataFrame
        One row per rule, choice and group: ``rule, choice`` (text), ``is_default``, the columns of ``by``,
        ``schools, composite, difference`` (from the default), ``largest`` (the largest single coefficient),
        ``reason``. A group that a choice empties has a row with NaN and reason ``no_pupils``.

    Raises
    ------
    UsageError
        If no choices are given and the standard has none, or a rule is unknown.
    DataError
        As ``stage_resources``.
    """
    keys = list(by)
    chosen = standard.rules.get("sensitivity") if choices is None else choices
    if not chosen:
        raise UsageError(f"The standard {standard.name} lists no choices. To do: pass choices={{rule: [values]}}.")
    defaults = _defaults(standard)
    unknown = [rule for rule in chosen if rule not in defaults]
    if unknown:
        raise UsageError(listing("unknown rules", unknown, f"use {', '.join(defaults)}"))
    base = _composites(schools, standard, keys, {})
    parts = []
    for rule, values in chosen.items():
        for value in values:
            is_default = value == defaults[rule] or value == "standard"
            found = base if is_default else _composites(schools, standard, keys, {rule: value})
            parts.append(_compared(found, base, rule, value, is_default))
    return pd.concat(parts, ignore_index=True)


def _defaults(standard: Standard) -> dict[str, Any]:
    return {
        "min_students": standard.min_students,
        "split": "standard",
        "include_private": standard.include_private,
        "gym": standard.gym,
        "include_filling": True,
        "offcampus": False,
        "unit": "school_id",
    }


def _composites(schools: pd.DataFrame, standard: Standard, by: list[str], choice: dict[str, Any]) -> pd.DataFrame:
    rows = stage_resources(schools, standard, **choice)
    table = balance_table(rows, by, standard.per, composite=standard.composite)
    is_whole = table["resource"] == COMPOSITE
    found = table[is_whole].set_index(by)[["schools", "cv", "reason"]].rename(columns={"cv": COMPOSITE})
    return found.assign(largest=table[~is_whole].groupby(by, observed=True)["cv"].max())


def _compared(found: pd.DataFrame, base: pd.DataFrame, rule: str, value: Any, is_default: bool) -> pd.DataFrame:
    full = found.reindex(base.index)
    full["reason"] = full["reason"].fillna("no_pupils")
    full["schools"] = full["schools"].fillna(0).astype(int)
    full["difference"] = full[COMPOSITE] - base[COMPOSITE]
    full = full.reset_index()
    full.insert(0, "rule", rule)
    full.insert(1, "choice", str(value))
    full.insert(2, "is_default", is_default)
    front = ["rule", "choice", "is_default", *base.index.names, "schools", COMPOSITE, "difference"]
    return full[[*front, "largest", "reason"]]

"""The three blocks of the assessment beside the resources: a checklist of recorded evidence, sizes computed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from planlib.errors import DataError, UsageError, listing
from planlib.standard.amounts import TOLERANCE
from planlib.standard.blocks import check_sizes
from planlib.standard.rules import Standard

COLUMNS = [
    "year", "block", "number", "item", "part", "value", "threshold", "direction", "basis", "evidence", "is_met",
]  # fmt: skip
_RECORD = ["year", "item", "part", "value", "evidence"]


def check_blocks(
    schools: pd.DataFrame, standard: Standard, year: int, recorded: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Go through government guarantee (15), quality (9) and recognition (1) of one year.

    Class size and school size come from the returns; everything else is what people recorded. A mean class above
    the limit proves that a class is too large; below it only a record of the largest class can say that none is.

    Parameters
    ----------
    schools : DataFrame
        Raw rows, as :func:`check_sizes` takes them.
    standard : Standard
        With a ``checklist``.
    year : int
        The year asked about.
    recorded : DataFrame, optional
        ``year, item, part, value, evidence``; yes is 1 and no is 0.

    Returns
    -------
    DataFrame
        One row per part of an item: ``year, block, number, item, part, value, threshold, direction`` (at_least,
        at_most, below, is_true), ``basis`` (computed, recorded, partial, no_data), ``evidence, is_met`` (NA where the
        data do not say).

    Raises
    ------
    UsageError
        If the standard has no checklist.
    DataError
        Missing columns; evidence for an item or part that does not exist, or given twice.

    Notes
    -----
    教督〔2017〕6号: all fifteen and all nine must be met, and recognition must reach its threshold.
    """
    if "checklist" not in standard.rules:
        raise UsageError(f"The standard {standard.name} has no checklist; use compulsory_2017.")
    evidence = _evidence(standard, year, recorded)
    computed = _computed(schools[schools["year"] == year], standard)
    rows = []
    for block, about in standard.rules["checklist"].items():
        for item, told in about["items"].items():
            for part, rule in told["parts"].items():
                found = _one(rule, computed.get((item, part), np.nan), evidence.get((item, part)), item)
                rows.append(
                    {"year": year, "block": block, "number": told["number"], "item": item, "part": part} | found
                )
    return pd.DataFrame(rows, columns=COLUMNS).astype({"is_met": "boolean", "value": float})


def block_verdicts(checked: pd.DataFrame) -> pd.DataFrame:
    """Roll parts up to items and items up to blocks.

    Parameters
    ----------
    checked : DataFrame
        From :func:`check_blocks`.

    Returns
    -------
    DataFrame
        ``year, block, items, met, not_met, no_data, is_met``. An item is met if all its parts are, and not met if
        one is not; a block likewise; NA where neither is known.
    """
    parts = checked.groupby(["year", "block", "item"], sort=False)["is_met"]
    items = pd.DataFrame({"failed": parts.agg(_fails), "met": parts.agg(_holds)}).reset_index()
    blocks = items.groupby(["year", "block"], sort=False)
    found = blocks.agg(items=("item", "size"), met=("met", "sum"), not_met=("failed", "sum")).reset_index()
    found["no_data"] = found["items"] - found["met"] - found["not_met"]
    verdict = pd.Series(pd.NA, index=found.index, dtype="boolean")
    verdict[found["met"] == found["items"]] = True
    verdict[found["not_met"] > 0] = False
    return found.assign(is_met=verdict)


def _fails(parts: pd.Series) -> bool:
    return bool((~parts.fillna(True)).any())


def _holds(parts: pd.Series) -> bool:
    return bool(parts.fillna(False).all())


def _evidence(
    standard: Standard, year: int, recorded: pd.DataFrame | None
) -> dict[tuple[str, str], tuple[float, str]]:
    if recorded is None:
        return {}
    missing = [c for c in _RECORD if c not in recorded]
    if missing:
        raise DataError(listing("the recorded evidence lacks columns", missing, f"give {', '.join(_RECORD)}"))
    known = {
        (item, part)
        for block in standard.rules["checklist"].values()
        for item, told in block["items"].items()
        for part in told["parts"]
    }
    mine = recorded[recorded["year"] == year]
    keys = list(zip(mine["item"], mine["part"], strict=True))
    strange = [f"{item}: {part}" for item, part in keys if (item, part) not in known]
    twice = [
        f"{item}: {part}"
        for item, part in mine.loc[mine.duplicated(["item", "part"]), ["item", "part"]].to_numpy()
    ]
    if strange or twice:
        hint = f"the items and parts are those of the checklist of {standard.name}, each once a year"
        raise DataError(
            listing(f"evidence of {year} that fits no part, or stands twice", [*strange, *twice], hint)
        )
    values = zip(mine["value"].astype(float), mine["evidence"].fillna("").astype(str), strict=True)
    return dict(zip(keys, values, strict=True))


def _computed(schools: pd.DataFrame, standard: Standard) -> dict[tuple[str, str], float]:
    """School sizes: per cent within the limit. Class sizes: the largest mean class of a stage."""
    sizes = check_sizes(schools, standard)
    whole = sizes[sizes["item"] == "school_size"]
    found = {}
    if len(whole) and whole["is_met"].notna().all():
        found["school_size", "within_pct"] = 100 * float(whole["is_met"].mean())
    for stage, rows in sizes[sizes["item"] == "class_size"].groupby("stage"):
        found["class_size", str(stage)] = float(rows["value"].max())
    return found


def _one(rule: Mapping[str, Any], value: float, record: tuple[float, str] | None, item: str) -> dict[str, Any]:
    threshold, direction = float(rule["values"]), str(rule["direction"])
    basis, evidence = ("no_data" if np.isnan(value) else "computed"), ""
    is_met = _is_met(value, threshold, direction)
    if record is not None and (basis == "no_data" or (item == "class_size" and is_met)):
        (value, evidence), basis = record, "recorded"
        is_met = _is_met(value, threshold, direction)
    elif basis == "computed" and item == "class_size" and is_met:
        basis, is_met = "partial", pd.NA
    told = {"value": value, "threshold": threshold, "direction": direction, "basis": basis}
    return {**told, "evidence": evidence, "is_met": is_met}


def _is_met(value: float, threshold: float, direction: str) -> Any:
    if np.isnan(value):
        return pd.NA
    if direction == "below":
        return value < threshold - TOLERANCE
    return value <= threshold + TOLERANCE if direction == "at_most" else value >= threshold - TOLERANCE

"""The cheapest mix for several stages at once: a nine-year school's plant is bought once and serves both."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planlib.balance.buy import PurchasePlan, cheapest_plan
from planlib.balance.decide import REACHED
from planlib.errors import DataError, UsageError, listing
from planlib.standard import KEYS, Standard, refuse_duplicates, split_shares, with_values

_ROUNDS = 25  # what one stage buys also reaches the other, which may then have to follow; it settles in a few


@dataclass(frozen=True)
class StagesPlan:
    """What to buy where, for several stages.

    Attributes
    ----------
    cost, least : float
        Of the plan, and a proven lower bound of any plan's.
    composites : dict of stage to float
        The means of the coefficients after the plan.
    purchases : DataFrame
        ``school_id, stage`` (``both`` for shared plant of a school with several), ``buys, amount, cost``.
    schools : DataFrame
        The rows given, with the resources after the plan.
    """

    cost: float
    least: float
    composites: dict[str, float]
    purchases: pd.DataFrame
    schools: pd.DataFrame

    @property
    def gap(self) -> float:
        """Share of the cost that any other plan could save at most."""
        return max(0.0, 1 - self.least / self.cost) if self.cost > 0 else 0.0


def cheapest_plan_stages(
    schools: pd.DataFrame,
    targets: Mapping[str, float],
    unit_costs: Mapping[str, float],
    standard: Standard,
    *,
    joint_costs: Mapping[tuple[str, ...], float] | None = None,
    share: str | None = None,
) -> StagesPlan:
    """Find the cheapest additions for several stages, shared plant bought once for all stages of a school.

    A of shared plant gives every stage share·A, so a school whose two stages need n₁ and n₂ builds
    max(n₁/share₁, n₂/share₂). What one stage buys also reaches the other and may widen its spread, so the stages are
    planned in turns until neither needs more.

    Parameters
    ----------
    schools : DataFrame
        Rows of one year and several stages, as :func:`planlib.balance.cheapest_plan` takes each.
    targets : mapping of stage to float
        Largest mean of the coefficients of each stage.
    unit_costs, standard, joint_costs
        As in :func:`planlib.balance.cheapest_plan`; joint units are of resources that are not shared.
    share : str, optional
        Column with the stage's share of its school's plant. Default: by the weights of the standard among the rows
        given, which overstates it where a school also has seniors.

    Returns
    -------
    StagesPlan

    Raises
    ------
    UsageError
        A stage without a target, joint costs of shared plant, or as in :func:`planlib.balance.cheapest_plan`.
    DataError
        A share outside 0–1, or as in :func:`planlib.balance.cheapest_plan`.

    Notes
    -----
    The bound is the sum of the stages' own bounds: A at the price c costs at least c·share₁A + c·share₂A, so every
    plan pays each stage's needs at c a unit. Shared rooms are whole for the school, not for the stage, so the bound
    does not round them.
    """
    shared = [r for r in standard.resources if r in standard.shared]
    _check_call(schools, targets, joint_costs or {}, shared)
    rows = schools.reset_index(drop=True).astype(dict.fromkeys(standard.resources, float))
    part = _shares(rows, standard) if share is None else rows[share].astype(float)
    if not ((part > 0) & (part <= 1 + REACHED)).all():
        raise DataError("A stage's share of its plant lies outside 0–1.\nTo do: leave out schools without pupils.")
    loose = with_values(standard, whole=tuple(r for r in standard.whole if r not in standard.shared))
    bought: list[pd.DataFrame] = []
    least = 0.0
    for round_ in range(_ROUNDS):
        plans = {
            stage: cheapest_plan(group, targets[str(stage)], unit_costs, loose, joint_costs=joint_costs)
            for stage, group in rows.groupby("stage", sort=False)
        }
        least = sum(plan.least for plan in plans.values()) if round_ == 0 else least
        added = _added(rows, plans, list(standard.resources))
        if not (added > REACHED).any(axis=None):
            break
        plant = _plant(rows, added, part, shared, standard)
        rows = _supplied(rows, added, plant, part, shared)
        bought += [_own_purchases(plans, shared), _plant_purchases(rows, plant, unit_costs)]
    else:
        raise DataError("The stages of the schools keep widening each other's spread.\nTo do: raise a target.")
    composites = {str(stage): plan.composite for stage, plan in plans.items()}
    columns = ["school_id", "stage", "buys", "amount", "cost"]
    purchases = pd.concat(bought, ignore_index=True) if bought else pd.DataFrame(columns=columns)
    purchases = purchases.astype({"amount": float, "cost": float})
    purchases = purchases.groupby(columns[:3], sort=False, as_index=False)[["amount", "cost"]].sum()
    return StagesPlan(float(purchases["cost"].sum()), least, composites, purchases, rows)


def _check_call(
    schools: pd.DataFrame, targets: Mapping[str, float], joint: Mapping[tuple[str, ...], float], shared: list[str]
) -> None:
    missing = [c for c in (*KEYS, "students") if c not in schools]
    if missing:
        raise DataError(listing("columns are missing", missing, "make the rows with standard.stage_resources"))
    refuse_duplicates(schools, ["school_id", "stage"])
    lacking = [str(s) for s in schools["stage"].unique() if s not in targets]
    mixed = [" + ".join(kind) for kind in joint if set(kind) & set(shared)]
    if lacking or mixed:
        hint = "give every stage a target, and joint costs to people only"
        raise UsageError(
            listing("stages without a target, or joint costs of shared plant", [*lacking, *mixed], hint)
        )


def _shares(rows: pd.DataFrame, standard: Standard) -> pd.Series:
    found = pd.Series(np.nan, index=rows.index)
    for _, group in rows.groupby("school_id", sort=False):
        pupils = dict(zip(group["stage"].astype(str), group["students"].astype(float), strict=True))
        found[group.index] = list(split_shares(pupils, standard.plant_split).values())
    return found


def _added(rows: pd.DataFrame, plans: Mapping[object, PurchasePlan], resources: list[str]) -> pd.DataFrame:
    needs = pd.concat([plan.needs.assign(stage=stage) for stage, plan in plans.items()])
    wide = needs.pivot_table(index=["school_id", "stage"], columns="resource", values="added")
    return wide.loc[pd.MultiIndex.from_frame(rows[["school_id", "stage"]]), resources].set_axis(rows.index)


def _plant(
    rows: pd.DataFrame, added: pd.DataFrame, part: pd.Series, shared: list[str], standard: Standard
) -> pd.DataFrame:
    """Plant to build at each school: what its neediest stage asks for."""
    needed = added[shared].div(part, axis=0).groupby(rows["school_id"], sort=False).max()
    whole = [r for r in shared if r in standard.whole]
    needed[whole] = np.ceil(needed[whole] - REACHED).clip(lower=0)
    return needed


def _supplied(
    rows: pd.DataFrame, added: pd.DataFrame, plant: pd.DataFrame, part: pd.Series, shared: list[str]
) -> pd.DataFrame:
    after = rows.copy()
    for resource in added:
        if resource in shared:
            after[resource] += part * rows["school_id"].map(plant[resource])
        else:
            after[resource] += added[resource]
    return after


def _own_purchases(plans: Mapping[object, PurchasePlan], shared: list[str]) -> pd.DataFrame:
    own = [plan.purchases.assign(stage=str(stage)) for stage, plan in plans.items()]
    found = pd.concat(own, ignore_index=True)
    return found[~found["buys"].isin(shared)]


def _plant_purchases(rows: pd.DataFrame, plant: pd.DataFrame, unit_costs: Mapping[str, float]) -> pd.DataFrame:
    stages = rows.groupby("school_id", sort=False)["stage"].agg(["first", "size"])
    name = stages["first"].astype(str).where(stages["size"] == 1, "both")
    long = plant.rename_axis("school_id").reset_index().melt("school_id", var_name="buys", value_name="amount")
    long = long[long["amount"] > REACHED]
    return long.assign(stage=long["school_id"].map(name), cost=long["amount"] * long["buys"].map(dict(unit_costs)))

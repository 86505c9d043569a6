"""The cheapest mix of resources that brings every school to the standard and the composite to its target."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import brentq, linprog

from planlib.balance.decide import REACHED, additions
from planlib.balance.measure import COMPOSITE, Array, coefficient_of_variation
from planlib.errors import DataError, UsageError, listing
from planlib.standard import Standard, refuse_bad_amounts, refuse_duplicates

_PRICE_ROUNDS = 15  # of joint prices; the bound hardly rises after ten


@dataclass(frozen=True)
class PurchasePlan:
    """What to buy where.

    Attributes
    ----------
    cost : float
        Of the plan, with whole units where units are whole.
    least : float
        A proven lower bound of the cost of any plan.
    composite : float
        The mean of the coefficients after the plan.
    purchases : DataFrame
        ``school_id, buys`` (the resource, or the resources one unit counts in, joined by +), ``amount, cost``.
    needs : DataFrame
        ``school_id, resource, before, added, after, state`` (met or between): what the purchases supply at least.
    coefficients : DataFrame
        ``resource, before, after, added, cost`` at separate prices, and the composite.
    """

    cost: float
    least: float
    composite: float
    purchases: pd.DataFrame
    needs: pd.DataFrame
    coefficients: pd.DataFrame

    @property
    def gap(self) -> float:
        """Share of the cost that any other plan could save at most."""
        return max(0.0, 1 - self.least / self.cost) if self.cost > 0 else 0.0


@dataclass(frozen=True)
class _Curve:
    """One resource: what it costs to raise every low ratio to a floor, and the coefficient that results."""

    base: Array
    pupils: Array
    held: float

    def filled(self, floor: float) -> Array:
        return np.maximum(self.base, self.pupils * floor)

    def added(self, floor: float) -> float:
        return float(self.filled(floor).sum()) - self.held

    def coefficient(self, floor: float) -> float:
        ratio, n = self.filled(floor) / self.pupils, float(self.pupils.sum())
        mean = float(self.pupils @ ratio) / n
        return float(np.sqrt(self.pupils @ (ratio - mean) ** 2 / n) / mean) if mean > 0 else np.inf

    def ends(self) -> tuple[float, float]:
        ratio = self.base / self.pupils
        return float(ratio.min()), float(ratio.max())

    def slope(self, floor: float) -> float:
        """Units that one more point of coefficient saves at this floor: λ·Σy·∂κ/∂c of the cone's multiplier."""
        y, n = self.filled(floor), float(self.pupils.sum())
        norm, c = float(np.sqrt((y**2 / self.pupils).sum())), self.coefficient(floor)
        room = float(np.sqrt((1 + c**2) / n)) - floor / norm
        return float(y.sum()) * c / float(np.sqrt((1 + c**2) * n)) / room if room > 1e-300 else np.inf

    def floor_at(self, slope: float) -> float:
        """Return the floor beyond which a point of coefficient costs more than ``slope`` units."""
        low, high = self.ends()
        high = low + (high - low) * (1 - 1e-12)
        if self.slope(low) >= slope or high <= low:
            return low
        if self.slope(high) <= slope:
            return high
        return float(brentq(lambda f: self.slope(f) - slope, low, high, xtol=1e-300, rtol=1e-13, maxiter=300))


def cheapest_plan(
    schools: pd.DataFrame,
    target: float,
    unit_costs: Mapping[str, float],
    standard: Standard,
    *,
    joint_costs: Mapping[tuple[str, ...], float] | None = None,
) -> PurchasePlan:
    """Find the cheapest additions that bring the mean of the coefficients to a target and every school to pass.

    A school passes when all but ``len(resources) − required_met`` of its resources reach the threshold and
    those reach the floor. Nothing is taken away. One stage and year at a time.

    Parameters
    ----------
    schools : DataFrame
        One row per school of one stage and year, from ``standard.stage_resources``; no missing values.
    target : float
        Largest mean of the coefficients (also each is kept inside the cap of the stage).
    unit_costs : mapping of resource to float
        Cost of one unit of each resource of the standard.
    standard : Standard
        Thresholds, floor, pass rule, caps, whole units.
    joint_costs : mapping of tuple of resources to float, optional
        Cost of one unit that counts in several resources at once (a teacher above the required degree who is
        also a backbone teacher of sports).

    Returns
    -------
    PurchasePlan

    Raises
    ------
    UsageError
        A cost that is missing or not above zero, an unknown resource, a target below zero.
    DataError
        Missing columns or values, several stages, duplicate schools, impossible amounts.

    Notes
    -----
    For each resource the least addition for a coefficient is a floor under the low ratios; the target is shared
    among the resources so that a point of coefficient costs the same in each. The bound is the larger
    of two: the target with every resource at the floor only, and the pass rule without the target; joint units
    are priced so that no purchase beats the prices (linear duality).
    """
    _check_call(schools, target, unit_costs, standard, joint_costs or {})
    resources = list(standard.resources)
    stage = str(schools["stage"].iloc[0])
    pupils = schools["students"].to_numpy(float)
    held = schools[resources].to_numpy(float).T
    needed = np.array([standard.thresholds[stage][r] / standard.per[r] for r in resources])[:, None] * pupils
    kinds = {(r,): float(unit_costs[r]) for r in resources} | {
        tuple(k): float(c) for k, c in (joint_costs or {}).items()
    }
    cap = standard.caps.get(stage, np.inf)
    own = np.array([float(unit_costs[r]) for r in resources])
    basic = np.maximum(held, standard.floor_share * needed)
    prices, least = _best_prices(kinds, resources, own, basic, pupils, held, target, cap)
    least = max(least, _pass_alone(held, needed, basic, prices, resources, standard))
    plans = []
    for trial in [own] if len(kinds) == len(resources) else [own, prices, (own + prices) / 2]:
        floors, _, _ = _share_target(basic, pupils, held, trial, target, cap)
        wanted = _with_relief(held, needed, basic, pupils, floors, trial, len(resources) - standard.required_met)
        for k, resource in enumerate(resources):
            if resource in standard.whole:
                # Shared rooms may be fractions after a split: whole units are added to what is there.
                wanted[k] = held[k] + np.ceil(wanted[k] - held[k] - REACHED).clip(min=0)
        chosen, _, _ = _share_target(wanted, pupils, held, trial, target, cap)
        added = _whole_additions(held, wanted, pupils, chosen, resources, standard)
        plans.append(_plan(schools, held, added, needed, kinds, unit_costs, resources))
    return replace(min(plans, key=lambda plan: plan.cost), least=least)


def _pass_alone(
    held: Array, needed: Array, basic: Array, prices: Array, resources: Sequence[str], standard: Standard
) -> float:
    """Cost of the pass rule without the target: each school is spared its dearest gaps; units rounded up."""
    is_whole = np.array([r in standard.whole for r in resources])[:, None]
    full, spared = np.clip(needed - held, 0, None), basic - held
    full, spared = (np.where(is_whole, np.ceil(gap - REACHED).clip(min=0), gap) for gap in (full, spared))
    saving = np.sort(prices[:, None] * (full - spared), axis=0)[::-1]
    return float((prices @ full - saving[: len(resources) - standard.required_met].sum(axis=0)).sum())


def _best_prices(
    kinds: Mapping[tuple[str, ...], float],
    resources: Sequence[str],
    own: Array,
    basic: Array,
    pupils: Array,
    held: Array,
    target: float,
    cap: float,
) -> tuple[Array, float]:
    """Prices per resource that no purchase beats, raised towards the highest bound (Frank-Wolfe on the dual)."""
    covers = np.array([[float(r in kind) for r in resources] for kind in kinds])
    costs = np.array(list(kinds.values()))
    prices = own.copy()
    for cover, cost in zip(covers, costs, strict=True):
        mine = cover > 0
        prices[mine] *= min(1.0, cost / float(cover @ prices))
    least, best = 0.0, prices
    for round_ in range(_PRICE_ROUNDS if len(kinds) > len(resources) else 1):
        _, bound, added = _share_target(basic, pupils, held, prices, target, cap)
        if bound > least:
            least, best = bound, prices
        vertex = linprog(-(added + 1e-9), covers, costs, bounds=(0, None), method="highs").x
        prices = prices + (np.asarray(vertex) - prices) / (round_ + 3)
    return best, least


def _check_call(
    schools: pd.DataFrame,
    target: float,
    unit_costs: Mapping[str, float],
    standard: Standard,
    joint: Mapping[tuple[str, ...], float],
) -> None:
    resources = standard.resources
    faults = [r for r in resources if not unit_costs.get(r, 0) > 0]
    faults += [" + ".join(k) for k, c in joint.items() if not c > 0 or not set(k) <= set(resources)]
    if faults or not target >= 0:
        hint = f"give a cost above zero for each of {', '.join(resources)}, and a target at or above zero"
        raise UsageError(listing("costs that are missing, unknown or not above zero", faults, hint))
    missing = [c for c in ("school_id", "stage", "students", *resources) if c not in schools]
    if missing:
        raise DataError(listing("columns are missing", missing, "make the rows with standard.stage_resources"))
    if len(schools["stage"].unique()) != 1 or str(schools["stage"].iloc[0]) not in standard.thresholds:
        raise DataError("The rows must be of one stage that has thresholds.\nTo do: call once for each stage.")
    refuse_duplicates(schools, ["school_id"])
    refuse_bad_amounts(schools, resources)
    gaps = [c for c in resources if schools[c].isna().any()]
    if gaps or not (schools["students"] > 0).all():
        raise DataError(
            listing("schools without pupils, or columns with gaps", gaps, "complete or leave them out")
        )


def _share_target(
    base: Array, pupils: Array, held: Array, prices: Array, target: float, cap: float
) -> tuple[Array, float, Array]:
    """Return floors at which the mean meets the target, their cost (the least for this base) and the amounts."""
    curves = [_Curve(b, pupils, float(h.sum())) for b, h in zip(base, held, strict=True)]
    capped = np.array([_floor_for(curve, cap) for curve in curves])

    def floors(value: float) -> Array:
        found = [c.floor_at(value / p) if p > 0 else c.ends()[1] for c, p in zip(curves, prices, strict=True)]
        return np.maximum(found, capped)

    def excess(log_value: float) -> float:
        return _mean(curves, floors(float(np.exp(log_value)))) - target

    low, high = -60.0, 60.0
    if _mean(curves, capped) <= target:
        chosen = capped
    elif excess(high) > 0:
        chosen = np.array([curve.ends()[1] for curve in curves])
    else:
        chosen = floors(float(np.exp(_crossing(excess, low, high))))
    amounts = np.array([curve.added(f) for curve, f in zip(curves, chosen, strict=True)])
    return chosen, float(prices @ amounts), amounts


def _crossing(excess: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return high


def _mean(curves: Sequence[_Curve], floors: Array) -> float:
    return float(np.mean([curve.coefficient(f) for curve, f in zip(curves, floors, strict=True)]))


def _floor_for(curve: _Curve, cap: float) -> float:
    """Return the lowest floor whose coefficient is inside the cap."""
    low, high = curve.ends()
    if curve.coefficient(low) <= cap:
        return low
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if curve.coefficient(middle) > cap else (low, middle)
    return high


def _with_relief(
    held: Array, needed: Array, basic: Array, pupils: Array, floors: Array, prices: Array, relieved: int
) -> Array:
    """Raise all to the threshold but, at each school, the resources where staying at the floor saves most."""
    level = np.maximum(basic, floors[:, None] * pupils)
    saving = prices[:, None] * np.clip(needed - level, 0, None)
    wanted = np.maximum(held, needed)
    for school in range(held.shape[1]):
        spared = np.argsort(-saving[:, school], kind="stable")[:relieved]
        wanted[spared, school] = basic[spared, school]
    return wanted


def _whole_additions(
    held: Array, wanted: Array, pupils: Array, floors: Array, resources: Sequence[str], standard: Standard
) -> Array:
    added = np.zeros_like(held)
    for k, resource in enumerate(resources):
        curve = _Curve(wanted[k], pupils, float(held[k].sum()))
        reached = max(curve.coefficient(float(floors[k])), 0.0)
        if resource in standard.whole:
            added[k] = _add_whole(held[k], wanted[k], pupils, reached)
        else:
            added[k] = additions(held[k], pupils, reached, bounds=(wanted[k], None)).schools["change"].to_numpy()
    return added


def _add_whole(held: Array, wanted: Array, pupils: Array, target: float) -> Array:
    """Add whole units to any amounts: the cheapest unit of Σy²/P first, until the coefficient is reached."""
    added = np.ceil(wanted - held - REACHED).clip(min=0)
    after, size = (held + added).tolist(), pupils.tolist()
    waiting = [((2 * y + 1) / p, i) for i, (y, p) in enumerate(zip(after, size, strict=True))]
    heapq.heapify(waiting)
    square, total = float(((held + added) ** 2 / pupils).sum()), float((held + added).sum())
    enough = (1 + (target + REACHED / 10) ** 2) / float(pupils.sum())
    while square > enough * total**2:
        cost, i = heapq.heappop(waiting)
        after[i] += 1
        added[i] += 1
        square, total = square + cost, total + 1
        heapq.heappush(waiting, ((2 * after[i] + 1) / size[i], i))
    return added


def _plan(
    schools: pd.DataFrame,
    held: Array,
    added: Array,
    needed: Array,
    kinds: Mapping[tuple[str, ...], float],
    unit_costs: Mapping[str, float],
    resources: list[str],
) -> PurchasePlan:
    names = schools["school_id"].tolist()
    pupils = schools["students"].to_numpy(float)
    bought = [row for i, name in enumerate(names) for row in _buy(name, added[:, i], kinds, resources)]
    purchases = pd.DataFrame(bought, columns=["school_id", "buys", "amount", "cost"])
    needs = pd.DataFrame(
        {
            "school_id": np.repeat(names, len(resources)),
            "resource": np.tile(resources, len(names)),
            "before": held.T.ravel(),
            "added": added.T.ravel(),
            "after": (held + added).T.ravel(),
            "state": np.where((held + added >= needed - REACHED * needed).T.ravel(), "met", "between"),
        }
    )
    before, after = (np.asarray(coefficient_of_variation(a, pupils)) for a in (held, held + added))
    total = added.sum(axis=1)
    spent = total * np.array([unit_costs[r] for r in resources])
    coefficients = pd.DataFrame(
        {"resource": resources, "before": before, "after": after, "added": total, "cost": spent}
    )
    coefficients.loc[len(resources)] = [COMPOSITE, before.mean(), after.mean(), np.nan, spent.sum()]
    cost = float(purchases["cost"].sum())
    return PurchasePlan(cost, 0.0, float(after.mean()), purchases, needs, coefficients)


def _buy(
    name: str, needs: Array, kinds: Mapping[tuple[str, ...], float], resources: list[str]
) -> list[tuple[str, str, float, float]]:
    """Cover the needs of one school: the kind of unit that is cheapest for each need it still serves, first."""
    left = dict(zip(resources, needs.tolist(), strict=True))
    rows = []
    while open_needs := {r for r, amount in left.items() if amount > REACHED}:
        useful = {
            kind: cost / len(open_needs & set(kind)) for kind, cost in kinds.items() if open_needs & set(kind)
        }
        kind = min(useful, key=lambda k: useful[k])
        amount = min(left[r] for r in open_needs & set(kind))
        for r in kind:
            left[r] -= amount
        rows.append((name, " + ".join(kind), amount, amount * kinds[kind]))
    return rows

"""Fewer pupils where resources are thin: shifts of entry quotas (招生计划) that bring the coefficients down."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import linprog
from scipy.sparse import csr_array, diags_array, hstack, vstack

from planlib.balance.decide import REACHED, match_moves
from planlib.balance.measure import COMPOSITE, Array, coefficient_of_variation, composite
from planlib.balance.swaps import best_swaps
from planlib.errors import DataError, UsageError, listing
from planlib.standard import refuse_bad_amounts, refuse_duplicates

_ROUNDS = 40  # of cuts, and of re-linearised composites; both stop long before


@dataclass(frozen=True)
class AdmissionPlan:
    """Which entry quotas to change.

    Attributes
    ----------
    status : str
        ``already``, ``reached``, or ``infeasible`` (then the plan is the best that was found).
    total : float
        Places shifted a year, over all schools.
    least : float
        A proven lower bound of the places any plan needs; NaN if infeasible.
    proven_infeasible : bool
        Whether no shift at all can reach the target (True), or none was found (False).
    coefficients : DataFrame
        ``resource, before, after`` and the composite.
    schools : DataFrame
        ``school_id, area, quota, shift`` (places a year), ``quota_after, students_before, students_after`` (at
        the horizon), ``limit`` (lower, upper or empty).
    moves : DataFrame
        ``from, to, amount`` places a year, inside the areas.
    """

    status: str
    total: float
    least: float
    proven_infeasible: bool
    coefficients: pd.DataFrame
    schools: pd.DataFrame
    moves: pd.DataFrame

    @property
    def gap(self) -> float:
        """How many places fewer any other plan could need at most."""
        return max(0.0, self.total - self.least)


@dataclass(frozen=True)
class _Case:
    """Schools with their room; one row of ``weight`` per resource: CV_k² + 1 = Σ weight_k,i / P_i."""

    pupils: Array
    years: int
    low: Array
    high: Array
    area: npt.NDArray[np.intp]
    weight: Array
    amounts: Array

    def after(self, shift: Array) -> Array:
        return self.pupils + self.years * shift

    def coefficients(self, shift: Array) -> Array:
        return np.asarray(coefficient_of_variation(self.amounts, self.after(shift)))

    def squares(self, shift: Array) -> Array:
        return np.asarray(self.weight @ (1 / self.after(shift)) - 1)


def admissions(
    schools: pd.DataFrame,
    resources: Sequence[str],
    target: float,
    *,
    years: int = 1,
    max_share: float = 1.0,
    composite: str = "mean",
    area: str | None = None,
    capacity: str = "capacity_students",
) -> AdmissionPlan:
    """Find the fewest entry places to shift between schools that bring the composite to a target.

    The quota of a school changes by a whole number s of places in each of ``years`` entry years, so that its
    pupils at the horizon are P + years·s; places lost in an area are given in the same area. Resources stay.

        minimise ½ Σ|s|  subject to  composite of CV_k(P + years·s) ≤ target,
        −max_share·quota ≤ s ≤ max_share·quota,  P + years·s ≤ capacity

    Parameters
    ----------
    schools : DataFrame
        One row per school of one stage: ``school_id, students`` (expected at the horizon if no quota changes),
        ``quota`` (planned entrants a year), ``capacity_students`` (empty: no limit) and the resources.
    resources : sequence of str
        Resource columns, at the horizon, without missing values.
    target : float
        Largest composite wanted.
    years : int
        Entry years in which the quota is changed; not more than the grades of the stage.
    max_share : float
        Largest change of a quota, as a share of it.
    composite : {"mean", "max"}
        ``max`` brings every single coefficient to the target.
    area : str, optional
        Column of areas; nothing crosses from one to another.
    capacity : str
        Column of places a school has (规划学位), counted for this stage.

    Returns
    -------
    AdmissionPlan
        :func:`admission_path` says what it does year by year.

    Raises
    ------
    DataError
        Missing columns or values, impossible amounts, duplicate schools.
    UsageError
        Years below one, a share outside 0–1, a target below zero, an unknown composite.

    Notes
    -----
    With the totals fixed, CV_k² is convex in the pupils (ΣR²/P). ``max``: a linear programme with tangents
    gives the bound, its rounding (mended and trimmed) the plan. The mean of the CVs is not convex: the plan
    comes from a sequence of convex majorants √q ≤ √q₀ + (q − q₀)/2√q₀, each solved exactly in whole places,
    the bound from the convex relaxation √q ≥ chord.

    Examples
    --------
    Two schools with 20 teachers each, 150 and 50 pupils: 50 places even them out.

    >>> rows = pd.DataFrame({"school_id": ["a", "b"], "students": [150, 50], "quota": [75, 25],
    ...                      "capacity_students": [200, 200], "teachers": [20, 20]})
    >>> plan = admissions(rows, ["teachers"], 0.0, years=2)
    >>> plan.total, plan.moves.to_dict("records")
    (25.0, [{'from': 'a', 'to': 'b', 'amount': 25.0}])
    """
    schools = schools.rename(columns={capacity: "capacity_students"})
    _check_call(schools, resources, target, years, max_share, composite, area)
    case = _as_case(schools, resources, years, max_share, area)
    still = np.zeros(len(schools))
    if _composed(case, still, composite) <= target + REACHED:
        return _plan(schools, resources, area, case, still, target, 0.0, composite, proven=False)
    if composite == "max":
        limits = np.full(len(resources), 1 + target**2)
        relaxed, least = _relaxed(case, case.weight, limits)
        found = None if relaxed is None else _whole(case, case.weight, limits, relaxed)
        shift, proven = _fallback(case, composite) if found is None else found, relaxed is None
        return _plan(schools, resources, area, case, shift, target, least, composite, proven)
    shift = _fallback(case, composite, target)
    if _composed(case, shift, composite) > target + REACHED:
        least, proven = _bound_of_mean(case, target, np.inf)
    else:
        shift = _majorise(case, target, shift)
        least, proven = _bound_of_mean(case, target, np.abs(shift).sum() / 2)
    return _plan(schools, resources, area, case, shift, target, least, composite, proven)


def admission_path(
    plan: AdmissionPlan,
    expected: pd.DataFrame,
    resources: Sequence[str],
    *,
    composite: str = "mean",
    capacity: str = "capacity_students",
) -> pd.DataFrame:
    """Follow an admission plan year by year: coefficients with and without it, and schools over their capacity.

    In the t-th year the shifted quotas have filled t grades, so a school has its expected pupils plus t·shift; give
    no more years than the plan has.

    Parameters
    ----------
    plan : AdmissionPlan
        From :func:`admissions`.
    expected : DataFrame
        ``school_id, year, students`` (expected if no quota changes: an enrolment projection), the resources of that
        year, and optionally ``capacity_students``; every school of the plan in every year.
    resources : sequence of str
        Resource columns.
    composite : {"mean", "max"}
    capacity : str
        Column of places.

    Returns
    -------
    DataFrame
        ``year, resource`` (and composite), ``without, with_plan, over_capacity`` (schools with more pupils than
        places under the plan; NA without the column).

    Raises
    ------
    DataError
        Missing columns, schools or years; duplicate rows; a school left with no pupils.

    Examples
    --------
    >>> rows = pd.DataFrame({"school_id": ["a", "b"], "students": [150, 50], "quota": [75, 25],
    ...                      "capacity_students": [200, 200], "teachers": [20, 20]})
    >>> plan = admissions(rows, ["teachers"], 0.0, years=2)
    >>> ahead = pd.concat([rows.assign(year=2026), rows.assign(year=2027)])
    >>> admission_path(plan, ahead, ["teachers"])[["year", "resource", "without", "with_plan"]].round(4).head(3)
       year   resource  without  with_plan
    0  2026   teachers   0.5774     0.2582
    1  2026  composite   0.5774     0.2582
    2  2027   teachers   0.5774     0.0000
    """
    missing = [c for c in ("school_id", "year", "students", *resources) if c not in expected]
    if missing:
        raise DataError(listing("columns are missing", missing, "add them, one row a school and year"))
    refuse_duplicates(expected, ["school_id", "year"])
    refuse_bad_amounts(expected, resources)
    shift = plan.schools.set_index("school_id")["shift"]
    rows: list[tuple[Any, ...]] = []
    for step, (year, now) in enumerate(expected.groupby("year"), 1):
        absent = [str(s) for s in shift.index.difference(now["school_id"])]
        if absent:
            raise DataError(listing(f"schools of the plan without a row in {year}", absent, "add them"))
        pupils = now["students"].to_numpy(float)
        after = pupils + step * now["school_id"].map(shift).fillna(0.0).to_numpy()
        if (after <= 0).any():
            names = [str(s) for s in now.loc[after <= 0, "school_id"]]
            raise DataError(listing(f"schools left without pupils in {year}", names, "shift fewer places"))
        over = int((after > now[capacity].to_numpy(float, na_value=np.inf)).sum()) if capacity in now else pd.NA
        amounts = now[list(resources)].to_numpy(float).T
        pair = [np.asarray(coefficient_of_variation(amounts, p)) for p in (pupils, after)]
        found = [np.append(cv, _together(cv, composite)) for cv in pair]
        for name, without, with_plan in zip([*resources, COMPOSITE], *found, strict=True):
            rows.append((year, name, without, with_plan, over))
    columns = ["year", "resource", "without", "with_plan", "over_capacity"]
    return pd.DataFrame(rows, columns=columns).astype({"over_capacity": "Int64"})


def _together(coefficients: Array, method: str) -> float:
    return float(composite(coefficients, method))


def _check_call(
    schools: pd.DataFrame,
    resources: Sequence[str],
    target: float,
    years: int,
    max_share: float,
    method: str,
    area: str | None,
) -> None:
    if method not in ("mean", "max"):
        raise UsageError(f"Unknown composite {method!r}. To do: use 'mean' or 'max'.")
    if years < 1 or not 0 <= max_share <= 1 or not target >= 0 or not resources:
        raise UsageError("Wanted: years ≥ 1, max_share between 0 and 1, target ≥ 0, at least one resource.")
    needed = ["school_id", "students", "quota", "capacity_students", *resources, *([area] if area else [])]
    missing = [c for c in needed if c not in schools]
    if missing:
        raise DataError(listing("columns are missing", missing, "add them"))
    refuse_duplicates(schools, ["school_id"])
    refuse_bad_amounts(schools, [*resources, "quota", "capacity_students"])
    full = [c for c in needed if c != "capacity_students"]
    empty = [c for c in full if schools[c].isna().any()]
    if empty or (schools["students"] <= 0).any():
        hint = "leave those schools out first"
        raise DataError(listing("schools without pupils, or columns with gaps", [*empty, "students"], hint))
    if not (schools[list(resources)].sum() > 0).all():
        raise DataError("A resource adds up to zero: its coefficient is undefined.\nTo do: leave it out.")


def _as_case(
    schools: pd.DataFrame, resources: Sequence[str], years: int, max_share: float, area: str | None
) -> _Case:
    pupils = schools["students"].to_numpy(float)
    quota = schools["quota"].to_numpy(float)
    room = schools["capacity_students"].astype("Float64").to_numpy(float, na_value=np.inf) - pupils
    low = np.maximum(-np.floor(max_share * quota + REACHED), -np.ceil(pupils / years) + 1)
    high = np.maximum(0.0, np.minimum(np.floor(max_share * quota + REACHED), np.floor(room / years + REACHED)))
    codes = np.zeros(len(schools), dtype=np.intp) if area is None else pd.factorize(schools[area])[0]
    amounts = schools[list(resources)].to_numpy(float).T
    weight = amounts**2 * pupils.sum() / amounts.sum(axis=1, keepdims=True) ** 2
    return _Case(pupils, years, low, high, codes, weight, amounts)


def _composed(case: _Case, shift: Array, method: str) -> float:
    return float(composite(case.coefficients(shift), method))


# --- one convex limit, in whole places: exact ---------------------------------------------------------------


def _swaps(case: _Case, weight: Array) -> Iterator[tuple[bool, float, int, int]]:
    pupils, weights, years = case.pupils.tolist(), weight.tolist(), case.years

    def step(i: int, s: float) -> float:
        here = pupils[i] + years * s
        return -weights[i] * years / (here * (here + years))

    return best_swaps(case.area, np.zeros(len(pupils)), case.low, case.high, step)


def _fewest(case: _Case, weight: Array, limit: float) -> Array | None:
    """Return the fewest shifts with Σ weight_i / P_i at most the limit; None if there are none."""
    shift = np.zeros(len(case.pupils))
    value = float(weight @ (1 / case.pupils))
    for _, gain, giver, taker in _swaps(case, weight):
        if value <= limit or gain <= 0:
            break
        shift[giver] -= 1
        shift[taker] += 1
        value -= gain
    return shift if value <= limit * (1 + 1e-13) else None


def _lowest(case: _Case, weight: Array, most: float = np.inf) -> Array:
    """Return the shifts with the least Σ weight_i / P_i, or the least with at most so many places moved."""
    shift = np.zeros(len(case.pupils))
    for moved, (_, gain, giver, taker) in enumerate(_swaps(case, weight)):
        if gain <= 0 or moved >= most:
            break
        shift[giver] -= 1
        shift[taker] += 1
    return shift


# --- several convex limits: a linear bound and a repaired rounding ------------------------------------------


def _relaxed(case: _Case, weights: Array, limits: Array) -> tuple[Array | None, float]:
    """Return fractional shifts under Σ weight_c,i / P_i ≤ limit_c and a lower bound of any whole plan's total.

    Variables: shift, its size, and u ≥ P/(P + years·s), held from below by tangents; every round of the linear
    programme is a relaxation, so its value is a bound even before the tangents are tight.
    """
    n = len(case.pupils)
    cost = np.concatenate([np.zeros(n), np.full(n, 0.5), np.zeros(n)])
    one, nothing = diags_array(np.ones(n)), csr_array((n, n))
    fixed = [hstack([s * one, -one, nothing]) for s in (-1.0, 1.0)]
    fixed.append(hstack([csr_array((len(weights), 2 * n)), csr_array(weights / case.pupils)]))
    right = [np.zeros(2 * n), limits]
    areas = csr_array((np.ones(n), (case.area, np.arange(n))), shape=(int(case.area.max()) + 1, n))
    balance = hstack([areas, csr_array((areas.shape[0], 2 * n))])
    box = np.array([*zip(case.low, case.high, strict=True), *[(0, None)] * (2 * n)])
    points = [case.low, case.low / 2, np.zeros(n), case.high / 2, case.high]
    shift, bound = None, 0.0
    for _ in range(_ROUNDS):
        for point in points:
            share = case.pupils / case.after(point)
            slope = -case.years * share**2 / case.pupils
            fixed.append(hstack([diags_array(slope), nothing, -one]))
            right.append(slope * point - share)
        a_ub, b_ub = vstack(fixed, format="csr"), np.concatenate(right)
        found = linprog(cost, a_ub, b_ub, balance, np.zeros(areas.shape[0]), box, method="highs")
        if found.status == 2:
            return None, np.nan
        shift, bound = found.x[:n], float(found.fun)
        if (weights @ (1 / case.after(shift)) <= limits * (1 + 1e-9)).all():
            break
        points = [shift]
    return shift, float(np.ceil(bound - 1e-6))


def _whole(case: _Case, weights: Array, limits: Array, relaxed: Array) -> Array | None:
    """Round shifts inside their areas, mend what is broken by the best swap for the worst limit, undo the idle."""
    shift = _rounded(case, relaxed)
    for _ in range(10 * len(shift) + 100):
        excess = weights @ (1 / case.after(shift)) / limits
        if excess.max() <= 1:
            return _trimmed(case, weights, limits, shift)
        pair = _best_pair(case, weights[int(excess.argmax())], shift)
        if pair is None:
            return None
        shift[pair[0]] -= 1
        shift[pair[1]] += 1
    return None


def _rounded(case: _Case, relaxed: Array) -> Array:
    shift = np.floor(relaxed + 1e-9)
    for a in range(int(case.area.max()) + 1):
        mine = np.flatnonzero(case.area == a)
        lacking = int(-shift[mine].sum())
        order = mine[np.argsort(-(relaxed - shift)[mine], kind="stable")]
        shift[order[:lacking]] += 1
    return shift


def _best_pair(case: _Case, weight: Array, shift: Array) -> tuple[int, int] | None:
    here = case.after(shift)
    gives = np.where(shift > case.low, weight * case.years / (here * np.maximum(here - case.years, 1e-9)), np.inf)
    takes = np.where(shift < case.high, weight * case.years / (here * (here + case.years)), -np.inf)
    best, pair = 0.0, None
    for a in range(int(case.area.max()) + 1):
        mine = np.flatnonzero(case.area == a)
        giver, taker = mine[gives[mine].argmin()], mine[takes[mine].argmax()]
        if takes[taker] - gives[giver] > best:
            best, pair = float(takes[taker] - gives[giver]), (int(giver), int(taker))
    return pair


def _trimmed(case: _Case, weights: Array, limits: Array, shift: Array) -> Array:
    """Undo single swaps as long as every limit still holds."""
    is_shorter = True
    while is_shorter:
        is_shorter = False
        for giver in np.flatnonzero(shift < 0):
            for taker in np.flatnonzero((shift > 0) & (case.area == case.area[giver])):
                if shift[giver] >= 0 or shift[taker] <= 0:
                    continue
                shift[giver], shift[taker] = shift[giver] + 1, shift[taker] - 1
                if (weights @ (1 / case.after(shift)) <= limits).all():
                    is_shorter = True
                else:
                    shift[giver], shift[taker] = shift[giver] - 1, shift[taker] + 1
    return shift


# --- the mean of the coefficients ---------------------------------------------------------------------------


def _tangent(case: _Case, squares: Array, target: float) -> tuple[Array, float]:
    """One convex limit above the composite: Σ √q ≤ Σ √q₀ + (q − q₀)/2√q₀ ≤ k·target, as weights and a limit."""
    root = np.sqrt(np.maximum(squares, 1e-12))
    slope = 1 / (2 * root)
    limit = len(root) * target - float((root - slope * squares).sum()) + float(slope.sum())
    return slope @ case.weight, limit


def _fallback(case: _Case, method: str, target: float = -np.inf) -> Array:
    """Descend on the composite by its majorants until it meets the target or stops falling."""
    shift = np.zeros(len(case.pupils))
    value = _composed(case, shift, method)
    for _ in range(_ROUNDS):
        weight, _ = _tangent(case, case.squares(shift), target)
        if method == "max":
            weight = case.weight[int(case.squares(shift).argmax())]
        following = _lowest(case, weight)
        found = _composed(case, following, method)
        if found >= value - 1e-9:
            break
        shift, value = following, found
        if value <= target:
            break
    return shift


def _majorise(case: _Case, target: float, shift: Array) -> Array:
    """Shrink a plan that meets the target: every majorant is met by it, so each round is feasible and no longer."""
    for _ in range(_ROUNDS):
        weight, limit = _tangent(case, case.squares(shift), target)
        following = _fewest(case, weight, limit)
        if following is None or np.abs(following).sum() >= np.abs(shift).sum():
            break
        shift = following
    return shift


def _bound_of_mean(case: _Case, target: float, most_moved: float) -> tuple[float, bool]:
    """Lower bound of the shifts: each √q replaced by its chord between its least and largest possible value.

    Only plans that move no more than the one at hand matter, which narrows the range of every coefficient.
    """
    sums = [float(weight @ (1 / case.after(_lowest(case, weight, most_moved)))) for weight in case.weight]
    lowest = np.maximum(0.0, np.array(sums) - 1)
    least = np.sqrt(lowest)
    room = len(least) * target - least.sum()
    if room < 0:
        return np.nan, True
    most = least + room
    # Chord of √q on [least², most²]: least + (q − least²)/(least + most).
    slope = 1 / np.maximum(least + most, 1e-12)
    limit = len(least) * target - float((least - slope * lowest).sum()) + float(slope.sum())
    weights = np.vstack([slope @ case.weight, case.weight])
    limits = np.concatenate([[limit], 1 + most**2])
    shift, bound = _relaxed(case, weights, limits)
    return bound, shift is None


def _plan(
    schools: pd.DataFrame,
    resources: Sequence[str],
    area: str | None,
    case: _Case,
    shift: Array,
    target: float,
    least: float,
    method: str,
    proven: bool,
) -> AdmissionPlan:
    before, after = case.coefficients(np.zeros(len(shift))), case.coefficients(shift)
    coefficients = pd.DataFrame({"resource": list(resources), "before": before, "after": after})
    whole = {"resource": COMPOSITE, "before": composite(before, method), "after": composite(after, method)}
    coefficients.loc[len(coefficients)] = whole
    places: list[Hashable] = [""] * len(schools) if area is None else schools[area].tolist()
    table = pd.DataFrame({"school_id": schools["school_id"].to_numpy(), "area": places})
    table["quota"] = schools["quota"].to_numpy(float)
    table["shift"] = shift
    table["quota_after"] = table["quota"] + shift
    table["students_before"], table["students_after"] = case.pupils, case.after(shift)
    at_low, at_high = (shift <= case.low) & (shift < 0), (shift >= case.high) & (shift > 0)
    table["limit"] = np.select([at_low, at_high], ["lower", "upper"], "")
    is_met = float(composite(after, method)) <= target + REACHED
    total = float(np.abs(shift).sum() / 2)
    status = "infeasible" if not is_met else "reached" if total else "already"
    bound = max(least, 0.0) if is_met else np.nan
    moves = match_moves(table["school_id"], table["area"], table["shift"])
    return AdmissionPlan(status, total, bound, proven and not is_met, coefficients, table, moves)

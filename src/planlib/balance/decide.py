"""The least that must move, or be added, to bring a coefficient to its target."""

import heapq
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq

from planlib.balance.explain import one_series
from planlib.balance.measure import Array, coefficient_of_variation
from planlib.balance.swaps import best_swaps
from planlib.errors import DataError, UsageError, listing

Bounds = tuple[npt.ArrayLike | None, npt.ArrayLike | None]
Codes = npt.NDArray[np.intp]

# A coefficient this close to its target has reached it (thresholds are compared with this tolerance).
REACHED = 1e-9
_STEPS = 200  # halvings of an interval; it ends earlier, when the middle is one of the ends
_MANY = 5_000_000  # units beyond which whole units are money or area, and counting them one by one is absurd


@dataclass(frozen=True)
class Decision:
    """What to move or to add.

    Attributes
    ----------
    status : str
        ``already`` (nothing to do), ``reached``, or ``infeasible`` (then the schools and moves are those of the
        lowest coefficient that can be reached).
    total : float
        Amount moved, or added.
    least : float
        A proven lower bound of the amount any plan needs; ``total − least`` is the gap.
    before, achieved, target : float
        The coefficient now, after the plan, and the one asked for.
    lowest : float
        The lowest coefficient the bounds allow (0 without bounds and whole units).
    schools : DataFrame
        ``school, area, students, before, after, change, ratio_before, ratio_after, limit``: ``limit`` says
        which bound a school stands at (lower, upper or empty).
    moves : DataFrame
        ``from, to, amount`` (``from`` is empty for additions), matched inside the areas.
    """

    status: str
    total: float
    least: float
    before: float
    achieved: float
    target: float
    lowest: float
    schools: pd.DataFrame
    moves: pd.DataFrame

    @property
    def gap(self) -> float:
        """How much less any other plan could need at most."""
        return max(0.0, self.total - self.least)

    @property
    def binding(self) -> list[Hashable]:
        """Return the schools that stand at one of their bounds."""
        return self.schools.loc[self.schools["limit"] != "", "school"].tolist()


@dataclass(frozen=True)
class _Case:
    """Schools that count, with their bounds; areas as numbers."""

    amount: Array
    pupils: Array
    lower: Array
    upper: Array
    area: Codes
    areas: int
    target: float

    def coefficient(self, amount: Array) -> float:
        return float(coefficient_of_variation(amount, self.pupils))


def transfer_bounds(
    resource: npt.ArrayLike,
    students: npt.ArrayLike,
    *,
    threshold: float | npt.ArrayLike = 0.0,
    per: float = 1,
    leaving_share: float = 1.0,
) -> tuple[Array, None]:
    """Return bounds under which no school gives away what it needs.

    Parameters
    ----------
    resource, students : array_like, shape (n,)
        Amounts and pupils.
    threshold : float or array_like
        达标值 per ``per`` pupils: a donor stays at or above it; a school below it gives nothing.
    per : float
        1 or 100.
    leaving_share : float
        Largest share of a school's own amount that may leave.

    Returns
    -------
    (ndarray, None)
        Lower bounds R ≥ max(min(R, threshold·P/per), (1 − share)·R), and no upper bounds.

    Raises
    ------
    DataError
        As :func:`coefficient_of_variation`.
    UsageError
        If the share is outside 0–1.

    Examples
    --------
    >>> transfer_bounds([6, 3], [100, 100], threshold=4, per=100, leaving_share=0.2)[0].round(6).tolist()
    [4.8, 3.0]
    """
    if not 0 <= leaving_share <= 1:
        raise UsageError(f"leaving_share is {leaving_share}, but it is a share between 0 and 1.")
    amount, pupils = one_series(resource, students)
    needed = np.minimum(amount, np.asarray(threshold, dtype=float) * pupils / per)
    return np.maximum(needed, (1 - leaving_share) * amount), None


def transfers(
    resource: npt.ArrayLike,
    students: npt.ArrayLike,
    target: float,
    *,
    bounds: Bounds | None = None,
    within: Sequence[Hashable] | None = None,
    labels: Sequence[Hashable] | None = None,
    whole: bool = False,
) -> Decision:
    """Find the least total amount moved between schools that brings the coefficient to a target.

    minimise ½ Σ|y − R| subject to CV(y) ≤ target, lower ≤ y ≤ upper, Σy = ΣR in every area.

    The optimum clips the ratios y/P into one band [a, a + W] (one band per area, with a common width W), and
    each amount into its bounds; W is the widest band that reaches the target. In whole units the units that
    lower ΣR²/P most leave first and those that raise it least arrive first; both lists are ordered, so the
    shortest prefix that reaches the target is an exact optimum.

    Parameters
    ----------
    resource, students : array_like, shape (n,)
        As in :func:`coefficient_of_variation`; schools without pupils or value keep what they have.
    target : float
        Largest coefficient wanted.
    bounds : (lower, upper), optional
        Least and largest amount of each school (arrays, one number, or None); see :func:`transfer_bounds`.
    within : sequence, optional
        Area of each school: nothing crosses from one to another.
    labels : sequence, optional
        Names of the schools; default their numbers.
    whole : bool
        Move whole units (teachers). The amounts themselves must then be whole.

    Returns
    -------
    Decision

    Raises
    ------
    DataError
        Impossible amounts, bounds that cross or that an area's own total cannot meet, an undefined coefficient.
    UsageError
        A target that is not a number at or above zero.

    Examples
    --------
    Two schools of 100 pupils with 10 and 30 teachers (CV 0.5): moving 5 halves it.

    >>> plan = transfers([10, 30], [100, 100], 0.25, labels=["a", "b"], whole=True)
    >>> plan.moves.to_dict("records"), round(plan.achieved, 6)
    ([{'from': 'b', 'to': 'a', 'amount': 5.0}], 0.25)
    """
    frame, case = _case(resource, students, target, bounds, within, labels)
    _refuse_areas_that_cannot_balance(case)
    if whole:
        return _decision(frame, case, *_transfer_units(case))
    return _decision(frame, case, *_transfer_amounts(case))


def additions(
    resource: npt.ArrayLike,
    students: npt.ArrayLike,
    target: float,
    *,
    bounds: Bounds | None = None,
    labels: Sequence[Hashable] | None = None,
    whole: bool = False,
) -> Decision:
    """Find the least total amount to add, with nothing taken away, that brings the coefficient to a target.

    minimise Σ(y − R) subject to CV(y) ≤ target, max(R, lower) ≤ y ≤ upper.

    The constraint is a second-order cone, √(Σy²/P) ≤ √((1 + target²)/ΣP)·Σy; the optimum fills the low ratios
    to one floor, each amount inside its bounds. In whole units the unit that raises Σy²/P least comes first; for
    every number of units that is the best choice, so the smallest number that reaches the target is exact.

    Parameters
    ----------
    resource, students, target, labels
        As in :func:`transfers`.
    bounds : (lower, upper), optional
        A lower bound above the present amount is bought in any case (a threshold); an upper one is room.
    whole : bool
        Add whole units. The amounts themselves must then be whole.

    Returns
    -------
    Decision

    Raises
    ------
    DataError, UsageError
        As in :func:`transfers`.

    Examples
    --------
    Ratios 1 and 3 of equal schools: CV 0.25 needs (3 − y)/(3 + y) = 0.25, y = 1.8.

    >>> plan = additions([100, 300], [100, 100], 0.25)
    >>> round(plan.total, 6), plan.schools["after"].round(6).tolist()
    (80.0, [180.0, 300.0])
    """
    frame, case = _case(resource, students, target, bounds, None, labels)
    raised = np.maximum(case.amount, case.lower)
    crossed = raised > case.upper + REACHED
    if crossed.any():
        names = [str(s) for s in frame.loc[frame["counts"], "school"][crossed]]
        raise DataError(listing("schools that hold more than their upper bound", names, "raise the bound"))
    case = _Case(case.amount, case.pupils, raised, case.upper, case.area, case.areas, case.target)
    if whole:
        return _decision(frame, case, *_add_units(case), adding=True)
    return _decision(frame, case, *_add_amounts(case), adding=True)


# --- the case and the answer --------------------------------------------------------------------------------


def _case(
    resource: npt.ArrayLike,
    students: npt.ArrayLike,
    target: float,
    bounds: Bounds | None,
    within: Sequence[Hashable] | None,
    labels: Sequence[Hashable] | None,
) -> tuple[pd.DataFrame, _Case]:
    amount, pupils = one_series(resource, students)
    if not (np.isfinite(target) and target >= 0):
        raise UsageError(f"target is {target}, but it must be a number at or above zero.")
    n = len(amount)
    names = list(range(n)) if labels is None else list(labels)
    areas = [""] * n if within is None else list(within)
    if len(names) != n or len(areas) != n or pd.isna(pd.Series(areas, dtype="object")).any():
        raise DataError(f"labels and within need one entry, not empty, for each of the {n} schools.")
    lower, upper = (None, None) if bounds is None else bounds
    low, high = _bound(lower, n, 0.0), _bound(upper, n, np.inf)
    counts = (pupils > 0) & ~np.isnan(amount)
    crossed = counts & ~(low <= high)
    if crossed.any():
        faults = [f"{names[i]}: {low[i]:g} to {high[i]:g}" for i in np.flatnonzero(crossed)]
        raise DataError(listing("bounds that cross", faults, "the lower bound must not be above the upper"))
    frame = pd.DataFrame({"school": names, "area": areas, "students": pupils, "before": amount, "counts": counts})
    area, found = pd.factorize(frame.loc[counts, "area"], sort=False)
    case = _Case(amount[counts], pupils[counts], low[counts], high[counts], area, len(found), float(target))
    if np.isnan(case.coefficient(case.amount)):
        raise DataError("The coefficient is undefined: no school has pupils and a value, or the resource is zero.")
    return frame, case


def _bound(values: npt.ArrayLike | None, n: int, default: float) -> Array:
    if values is None:
        return np.full(n, default)
    found = np.asarray(values, dtype=float)
    if found.ndim > 1 or (found.ndim == 1 and len(found) != n):
        raise DataError(f"A bound is one number or one for each of the {n} schools, not shape {found.shape}.")
    return np.broadcast_to(found, n).astype(float)


def _refuse_areas_that_cannot_balance(case: _Case) -> None:
    total = _by_area(case, case.amount)
    low, high = _by_area(case, case.lower), _by_area(case, case.upper)
    slack = REACHED * np.maximum(1.0, total)
    bad = (low > total + slack) | (high < total - slack)
    if bad.any():
        faults = [f"area {i}: {total[i]:g} held, bounds {low[i]:g} to {high[i]:g}" for i in np.flatnonzero(bad)]
        raise DataError(listing("bounds that the total of an area cannot meet", faults, "widen them"))


def _by_area(case: _Case, values: Array) -> Array:
    return np.asarray(np.bincount(case.area, values, minlength=case.areas), dtype=float)


def _decision(
    frame: pd.DataFrame, case: _Case, after: Array, least: float, lowest: float, *, adding: bool = False
) -> Decision:
    before, achieved = case.coefficient(case.amount), case.coefficient(after)
    counted = frame["counts"].to_numpy()
    table = frame.drop(columns="counts")
    table["after"] = table["before"]
    table.loc[counted, "after"] = after
    table["change"] = table["after"] - table["before"]
    for when in ("before", "after"):
        table[f"ratio_{when}"] = (table[when] / table["students"].where(counted)).to_numpy(float)
    edge = REACHED * np.maximum(1.0, case.amount)
    at_lower = (after <= case.lower + edge) & (case.lower > 0)
    table["limit"] = ""
    table.loc[counted, "limit"] = np.select([after >= case.upper - edge, at_lower], ["upper", "lower"], "")
    change = after - case.amount
    total = float(change.sum() if adding else np.abs(change).sum() / 2)
    is_reached = achieved <= case.target + REACHED
    status = "infeasible" if not is_reached else "reached" if total > 0 else "already"
    bound = least if is_reached else float("nan")
    moves = _added(table) if adding else match_moves(table["school"], table["area"], table["change"])
    return Decision(status, total, bound, before, achieved, case.target, lowest, table, moves)


def _added(table: pd.DataFrame) -> pd.DataFrame:
    rows = table.loc[table["change"] > REACHED, ["school", "change"]]
    found = rows.rename(columns={"school": "to", "change": "amount"})
    found.insert(0, "from", "")
    return found.reset_index(drop=True)


def match_moves(school: pd.Series, area: pd.Series, change: pd.Series) -> pd.DataFrame:
    """Match who gives with who takes, in the order of the table: at most donors + takers − 1 moves an area."""
    rows: list[tuple[Hashable, Hashable, float]] = []
    tiny = REACHED * max(1.0, float(change.abs().sum())) / 1000
    for _, part in change.fillna(0.0).groupby(area, sort=False):
        donors = [[school[i], -c] for i, c in part.items() if c < -tiny]
        takers = [[school[i], c] for i, c in part.items() if c > tiny]
        while donors and takers:
            amount = min(donors[0][1], takers[0][1])
            rows.append((donors[0][0], takers[0][0], float(amount)))
            for side in (donors, takers):
                side[0][1] -= amount
                if side[0][1] <= tiny:
                    side.pop(0)
    return pd.DataFrame(rows, columns=["from", "to", "amount"])


# --- transfers, any amount ----------------------------------------------------------------------------------


def _transfer_amounts(case: _Case) -> tuple[Array, float, float]:
    held = np.clip(case.amount, case.lower, case.upper)
    lowest = case.coefficient(_band(case, 0.0)[0])
    if np.array_equal(held, case.amount) and case.coefficient(held) <= case.target + REACHED:
        return held, 0.0, lowest
    if lowest > case.target + REACHED:
        return _band(case, 0.0)[0], np.nan, lowest
    widest = _widest(case)
    if case.coefficient(_band(case, widest)[0]) <= case.target:
        after = _band(case, widest)[0]  # the bounds alone ask for moves, and these already reach the target
        return after, float(np.abs(after - case.amount).sum() / 2), lowest
    width = _root(lambda w: case.coefficient(_band(case, w)[0]) - case.target, 0.0, widest)
    after, _ = _band(case, width)
    return after, _least_moved(case, after, width), lowest


def _widest(case: _Case) -> float:
    """A band so wide that it clips nothing that the bounds do not clip."""
    finite = case.upper[np.isfinite(case.upper)] / case.pupils[np.isfinite(case.upper)]
    tops = [(case.amount / case.pupils).max(), (case.lower / case.pupils).max(), *finite]
    return 2 * float(max(tops)) + 1.0


def _root(excess: Callable[[float], float], low: float, high: float) -> float:
    """Largest argument, to rounding, at which a rising function is not above zero."""
    if excess(low) >= 0:
        return low
    found = float(brentq(excess, low, high, xtol=1e-300, rtol=8.9e-16, maxiter=500))
    step = 1e-15
    while excess(found) > 0 and step < 1:
        found -= step * abs(found)
        step *= 2
    return found


def _band(case: _Case, width: float) -> tuple[Array, Array]:
    """Clip ratios into a band of this width in every area, placed so that what leaves equals what arrives."""
    ratio = case.amount / case.pupils
    total = _by_area(case, case.amount)

    def clipped(start: Array) -> Array:
        at = start[case.area]
        inside = (at <= ratio) & (ratio <= at + width)  # these keep their amount to the last digit
        wanted = np.where(inside, case.amount, case.pupils * np.clip(ratio, at, at + width))
        return np.clip(wanted, case.lower, case.upper)

    top = _widest(case)
    low, high = np.full(case.areas, -width - 1.0), np.full(case.areas, top)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        too_much = _by_area(case, clipped(middle)) > total
        low, high = np.where(too_much, low, middle), np.where(too_much, middle, high)
        if np.all((high - low) <= 4e-16 * np.maximum(np.abs(high), width)):
            break
    return clipped(low), low


def _least_moved(case: _Case, after: Array, width: float) -> float:
    """Lagrangian bound: with λ = 1/2W the clipped amounts minimise ½|y−R| + λ·P(y/P−X̄)² + ν·y school by school."""
    moved = float(np.abs(after - case.amount).sum() / 2)
    if width <= 0:
        return moved
    pupils, total = case.pupils.sum(), case.amount.sum()
    allowed = (case.target * total) ** 2 / pupils
    spread = float((case.pupils * (after / case.pupils - total / pupils) ** 2).sum())
    return moved + min(0.0, (spread - allowed) / (2 * width))


# --- transfers, whole units ---------------------------------------------------------------------------------


def _transfer_units(case: _Case) -> tuple[Array, float, float]:
    """Swap units in the order of what they take off Σy²/P; the shortest prefix that is enough is an optimum."""
    units, low, high = _whole_bounds(case)
    scale = case.pupils.sum() / units.sum() ** 2  # CV² per unit of Σy²/P − R²/N
    spread = case.coefficient(units) ** 2 / scale
    enough = (case.target + REACHED / 10) ** 2 / scale
    after, best = units.copy(), units.copy()
    moved = 0
    is_done = False
    pupils = case.pupils.tolist()
    swaps = best_swaps(case.area, units, low, high, lambda i, y: (2 * y + 1) / pupils[i])
    for is_forced, gain, donor, taker in swaps:
        is_done = is_done or (not is_forced and spread <= enough)
        if gain <= 0 and not is_forced:
            break
        after[donor] -= 1
        after[taker] += 1
        spread -= gain
        if not is_done:
            moved += 1
            best[donor] -= 1
            best[taker] += 1
    return best, float(moved), case.coefficient(after)


def _whole_bounds(case: _Case) -> tuple[Array, Array, Array]:
    units = np.round(case.amount)
    broken = np.abs(units - case.amount) > REACHED
    if broken.any():
        faults = [f"{value:g}" for value in case.amount[broken]]
        raise DataError(listing("amounts that are not whole", faults, "use whole=False, or whole amounts"))
    if units.sum() > _MANY:
        raise DataError(f"{units.sum():.0f} units are too many to count one by one.\nTo do: use whole=False.")
    low, high = np.ceil(case.lower - REACHED), np.floor(case.upper + REACHED)
    total = _by_area(case, units)
    if ((_by_area(case, low) > total) | (_by_area(case, high) < total) | np.any(low > high)).any():
        raise DataError("In whole units the bounds cannot be met by what an area holds.\nTo do: widen them.")
    return units, low, high


# --- additions ----------------------------------------------------------------------------------------------


def _add_amounts(case: _Case) -> tuple[Array, float, float]:
    base, pupils = case.lower, case.pupils

    def filled(floor: float) -> Array:
        return np.minimum(np.maximum(base, pupils * floor), case.upper)

    def past_the_best(floor: float) -> float:
        """Below zero while raising schools at this floor still lowers the coefficient."""
        y = filled(floor)
        return floor - float((y**2 / pupils).sum() / y.sum()) if y.sum() > 0 else -1.0

    low, high = float((base / pupils).min()), float((base / pupils).max())
    best = high if past_the_best(low) < 0 else low
    if past_the_best(low) < 0 < past_the_best(high):
        best = float(brentq(past_the_best, low, high, xtol=1e-300, rtol=8.9e-16, maxiter=500))
    lowest = case.coefficient(filled(best))
    bought = float((base - case.amount).sum())
    if base.sum() > 0 and case.coefficient(base) <= case.target + REACHED:
        return base, bought, lowest
    if lowest > case.target + REACHED:
        return filled(best), np.nan, lowest
    # −floor rises from the best floor down: _root returns the lowest floor that reaches the target.
    floor = -_root(lambda f: case.coefficient(filled(-f)) - case.target, -best, -low)
    after = filled(floor)
    return after, float((after - case.amount).sum()) + _slack_of_cone(case, after, floor), lowest


def _slack_of_cone(case: _Case, after: Array, floor: float) -> float:
    """Lagrangian bound less the amount added: λ(‖y/√P‖ − κΣy), λ = 1/(κ − floor/‖y/√P‖); zero at an optimum."""
    norm = float(np.sqrt((after**2 / case.pupils).sum()))
    cone = float(np.sqrt((1 + case.target**2) / case.pupils.sum()))
    price = cone - floor / norm
    return min(0.0, (norm - cone * float(after.sum())) / price) if price > 0 else 0.0


def _add_units(case: _Case) -> tuple[Array, float, float]:
    _, least, lowest = _add_amounts(case)
    units, low, high = _whole_room(case)
    after = low.tolist()
    pupils, room = case.pupils.tolist(), high.tolist()
    waiting = [((2 * y + 1) / p, i) for i, (y, p) in enumerate(zip(after, pupils, strict=True)) if y < room[i]]
    heapq.heapify(waiting)
    enough = (1 + (case.target + REACHED / 10) ** 2) / sum(pupils)
    square, total = float((low**2 / case.pupils).sum()), float(low.sum())
    order: list[int] = []
    best, best_ratio = 0, square / total**2 if total else np.inf
    while best_ratio > enough and waiting and len(order) < _MANY:
        cost, i = heapq.heappop(waiting)
        order.append(i)
        after[i] += 1
        square, total = square + cost, total + 1
        if after[i] < room[i]:
            heapq.heappush(waiting, ((2 * after[i] + 1) / pupils[i], i))
        if square < best_ratio * total**2:
            best, best_ratio = len(order), square / total**2
    chosen = low + np.bincount(np.array(order[:best], dtype=int), minlength=len(low))
    return chosen, float((chosen - units).sum()) if best_ratio <= enough else least, lowest


def _whole_room(case: _Case) -> tuple[Array, Array, Array]:
    units = np.round(case.amount)
    if (np.abs(units - case.amount) > REACHED).any():
        raise DataError("The amounts are not whole.\nTo do: use whole=False, or whole amounts.")
    return units, np.ceil(case.lower - REACHED), np.floor(case.upper + REACHED)

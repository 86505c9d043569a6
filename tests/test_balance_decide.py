"""The least to move or to add: against general solvers, exhaustive search, and its own proof."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp, minimize

from planlib.balance import additions, coefficient_of_variation, transfer_bounds, transfers
from planlib.errors import DataError, UsageError

drawn_schools = st.lists(st.tuples(st.integers(20, 2000), st.floats(0.5, 20)), min_size=2, max_size=10)
fractions = st.floats(0.05, 0.95)


def arrays(drawn):
    pupils = np.array([p for p, _ in drawn], dtype=float)
    return pupils * np.array([x for _, x in drawn]), pupils


def case(seed, n=8, whole=False):
    rng = np.random.default_rng(seed)
    pupils = rng.integers(100, 900, n).astype(float)
    resource = pupils * rng.gamma(6, 1, n)
    return (np.round(resource / 50), pupils) if whole else (resource, pupils)


# --- a general solver for the continuous problems -----------------------------------------------------------


def solve_generally(resource, pupils, target, lower, upper, areas=None, adding=False):
    """Split every change into what comes and what goes and hand the cone to SLSQP; scaled to mean ratio 1."""
    n, scale = len(resource), resource.sum() / pupils.sum()
    share = pupils / pupils.sum()
    x = resource / pupils / scale
    low, high = lower / pupils / scale, np.minimum(upper / pupils / scale, 50)

    def ratios(v):
        return x + v[:n] - v[n:]

    def inside(v):
        y = ratios(v)
        mean = share @ y
        return target**2 - share @ (y / mean - 1) ** 2

    constraints = [{"type": "ineq", "fun": inside}]
    constraints.append({"type": "ineq", "fun": lambda v: np.concatenate([ratios(v) - low, high - ratios(v)])})
    if not adding:
        for area in np.unique(areas):
            mine = share * (areas == area)
            constraints.append({"type": "eq", "fun": lambda v, mine=mine: mine @ (v[:n] - v[n:])})
    room = [(0, 50)] * n + [(0, 0 if adding else 50)] * n
    cost = np.concatenate([share, np.zeros(n)])
    start = (
        np.concatenate([np.clip(1 - x, 0, None), np.clip(x - 1, 0, None)])
        if not adding
        else np.concatenate([np.clip(x.max() - x, 0, None), np.zeros(n)])
    )
    found = minimize(
        lambda v: cost @ v,
        start,
        jac=lambda v: cost,
        bounds=room,
        constraints=constraints,
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-12},
    )
    assert inside(found.x) > -1e-7
    return found.fun * resource.sum()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["free", "bounds", "areas", "both"])
def test_transfers_match_a_general_solver(seed, kind):
    resource, pupils = case(seed)
    cv = coefficient_of_variation(resource, pupils)
    areas = np.array([0, 1] * 4) if kind in ("areas", "both") else np.zeros(8, dtype=int)
    lower, upper = np.zeros(8), np.full(8, np.inf)
    if kind in ("bounds", "both"):
        lower, upper = 0.85 * resource, 1.6 * resource
    lowest = transfers(resource, pupils, cv, bounds=(lower, upper), within=areas).lowest
    target = lowest + 0.4 * (cv - lowest)
    plan = transfers(resource, pupils, target, bounds=(lower, upper), within=areas)
    other = solve_generally(resource, pupils, target, lower, upper, areas)
    assert plan.status == "reached"
    assert plan.total == pytest.approx(other, rel=2e-5)
    assert plan.gap <= 1e-6 * plan.total


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("room", [np.inf, 1.5])
def test_additions_match_a_general_solver(seed, room):
    resource, pupils = case(seed)
    cv = coefficient_of_variation(resource, pupils)
    upper = room * resource
    lowest = additions(resource, pupils, cv, bounds=(None, upper)).lowest
    target = lowest + 0.5 * (cv - lowest)
    plan = additions(resource, pupils, target, bounds=(None, upper))
    other = solve_generally(resource, pupils, target, resource, upper, adding=True)
    assert plan.status == "reached"
    assert plan.total == pytest.approx(other, rel=2e-5)
    assert plan.gap <= 1e-6 * plan.total


@settings(deadline=None)
@given(drawn_schools, fractions)
def test_transfers_hold_what_they_promise(drawn, part):
    resource, pupils = arrays(drawn)
    cv = coefficient_of_variation(resource, pupils)
    assume(cv > 1e-3)
    plan = transfers(resource, pupils, part * cv)
    after = plan.schools["after"].to_numpy()
    assert plan.achieved <= part * cv + 1e-9
    assert plan.achieved == pytest.approx(part * cv, abs=1e-7)
    assert after.sum() == pytest.approx(resource.sum(), rel=1e-12)
    assert (after >= 0).all()
    ratio, moved = after / pupils, np.abs(after - resource) > 1e-6 * resource
    for side in (ratio[moved & (after < resource)], ratio[moved & (after > resource)]):
        assert side.size == 0 or np.ptp(side) <= 1e-9 * ratio.max()
    assert plan.gap <= 1e-6 * plan.total + 1e-9
    assert plan.moves["amount"].sum() == pytest.approx(plan.total, rel=1e-6)
    assert len(plan.moves) < len(pupils)


@settings(deadline=None)
@given(drawn_schools, fractions)
def test_additions_hold_what_they_promise(drawn, part):
    resource, pupils = arrays(drawn)
    cv = coefficient_of_variation(resource, pupils)
    assume(cv > 1e-3)
    plan = additions(resource, pupils, part * cv)
    after = plan.schools["after"].to_numpy()
    assert (after >= resource).all()
    assert plan.achieved == pytest.approx(part * cv, abs=1e-7)
    assert plan.achieved <= part * cv + 1e-9
    raised = after > resource * (1 + 1e-12)
    assert np.ptp((after / pupils)[raised]) <= 1e-9 * (after / pupils).max()
    assert plan.gap <= 1e-6 * plan.total + 1e-9
    assert plan.total <= additions(resource, pupils, part * cv / 2).total
    assert (plan.moves["from"] == "").all()


# --- whole units --------------------------------------------------------------------------------------------


def least_swaps_exhaustively(units, pupils, target, low, high, areas):
    """Try every distribution of the units inside the bounds."""
    every = np.array(list(product(*[range(int(a), int(b) + 1) for a, b in zip(low, high, strict=True)])), float)
    for area in np.unique(areas):
        every = every[every[:, areas == area].sum(axis=1) == units[areas == area].sum()]
    good = every[coefficient_of_variation(every, pupils) <= target + 1e-9]
    return np.abs(good - units).sum(axis=1).min() / 2 if len(good) else np.inf


small = st.lists(st.tuples(st.integers(10, 90), st.integers(0, 6)), min_size=4, max_size=4)


@settings(max_examples=40, deadline=None)
@given(small, fractions, st.booleans(), st.booleans())
def test_whole_transfers_match_exhaustive_search(drawn, part, by_area, is_bounded):
    pupils, units = np.array(drawn, dtype=float).T
    assume(units.sum() > 0)
    areas = np.array([0, 0, 1, 1]) if by_area else np.zeros(4, dtype=int)
    low = np.maximum(units - 2, 0) if is_bounded else np.zeros(4)
    high = units + 2 if is_bounded else np.full(4, 9.0)
    target = part * coefficient_of_variation(units, pupils)
    plan = transfers(units, pupils, target, bounds=(low, high), within=areas, whole=True)
    expected = least_swaps_exhaustively(units, pupils, target, low, high, areas)
    if np.isinf(expected):
        assert plan.status == "infeasible"
        assert plan.lowest > target
        assert plan.lowest == pytest.approx(plan.achieved)
    else:
        assert plan.status in ("reached", "already")
        assert plan.total == expected == plan.least


@settings(max_examples=40, deadline=None)
@given(small, fractions)
def test_forced_moves_match_exhaustive_search(drawn, part):
    pupils, units = np.array(drawn, dtype=float).T
    low, high = np.array([3.0, 0, 0, 0]), np.array([9.0, 4, 9, 9])
    assume(3 <= units.sum() <= 24)
    areas = np.zeros(4, dtype=int)
    target = part * coefficient_of_variation(units, pupils)
    plan = transfers(units, pupils, target, bounds=(low, high), whole=True)
    expected = least_swaps_exhaustively(units, pupils, target, low, high, areas)
    if np.isinf(expected):
        assert plan.status == "infeasible"
    else:
        assert plan.total == expected
    after = plan.schools["after"].to_numpy()
    assert ((low <= after) & (after <= high)).all()


@settings(max_examples=40, deadline=None)
@given(small, fractions, st.booleans())
def test_whole_additions_match_exhaustive_search(drawn, part, is_bounded):
    pupils, units = np.array(drawn, dtype=float).T
    assume(units.sum() > 0)
    high = units + (3 if is_bounded else 6)
    target = part * coefficient_of_variation(units, pupils)
    plan = additions(units, pupils, target, bounds=(None, high), whole=True)
    more = np.array(list(product(range(4 if is_bounded else 7), repeat=4)), float)
    good = more[coefficient_of_variation(units + more, pupils) <= target + 1e-9]
    best = good.sum(axis=1).min() if len(good) else np.inf
    assert plan.status == ("infeasible" if np.isinf(best) else plan.status)
    if not np.isinf(best):
        assert plan.total == best == plan.least


def swaps_by_milp(units, pupils, target):
    """The same question to HiGHS: unit steps of the convex cost, which it must take in order."""
    n, top = len(units), int(units.max() + 5)
    steps = np.array([[(2 * k + 1) / p for k in range(top)] for p in pupils]).ravel()
    size = n * top
    identity = np.kron(np.eye(n), np.ones(top))  # y_i = Σ_k z_ik
    allowed = (1 + target**2) * units.sum() ** 2 / pupils.sum()
    constraints = [
        LinearConstraint(np.concatenate([np.ones(size), np.zeros(n)]), units.sum(), units.sum()),
        LinearConstraint(np.concatenate([steps, np.zeros(n)]), -np.inf, allowed),
        LinearConstraint(np.hstack([identity, np.eye(n)]), units, np.inf),  # what left ≥ R − y
    ]
    cost = np.concatenate([np.zeros(size), np.ones(n)])
    kinds = np.concatenate([np.ones(size), np.zeros(n)])
    found = milp(
        cost,
        constraints=constraints,
        integrality=kinds,
        bounds=Bounds(0, np.concatenate([np.ones(size), np.full(n, np.inf)])),
    )
    return found.fun if found.success else np.inf


@pytest.mark.parametrize("seed", range(3))
def test_whole_transfers_match_a_mixed_integer_solver(seed):
    units, pupils = case(seed, n=10, whole=True)
    target = 0.6 * coefficient_of_variation(units, pupils)
    plan = transfers(units, pupils, target, whole=True)
    assert plan.total == pytest.approx(swaps_by_milp(units, pupils, target), abs=1e-6)


def test_rounding_the_continuous_answer_is_not_enough():
    """Why whole units have their own method: about half of the rounded plans miss their target."""
    missed = 0
    for seed in range(20):
        units, pupils = case(seed, n=70, whole=True)
        target = 0.8 * coefficient_of_variation(units, pupils)
        rounded = np.round(transfers(units, pupils, target).schools["after"])
        missed += coefficient_of_variation(rounded, pupils) > target + 1e-9 or rounded.sum() != units.sum()
        whole = transfers(units, pupils, target, whole=True)
        assert whole.achieved <= target + 1e-9
        assert whole.total >= transfers(units, pupils, target).total - 1e-6
    assert missed >= 5


# --- bounds, areas, limits ----------------------------------------------------------------------------------


def test_donors_keep_the_threshold_and_most_of_their_teachers():
    units, pupils = case(3, n=40, whole=True)
    bounds = transfer_bounds(units, pupils, threshold=10, per=100, leaving_share=0.15)
    target = 0.9 * coefficient_of_variation(units, pupils)
    for whole in (False, True):
        plan = transfers(units, pupils, target, bounds=bounds, whole=whole)
        after = plan.schools["after"].to_numpy()
        donors = after < units - 1e-9
        assert donors.any()
        assert (100 * after[donors] / pupils[donors] >= 10 - 1e-9).all()
        assert (after >= 0.85 * units - 1e-9).all()
        assert set(plan.schools.loc[plan.schools["limit"] == "lower", "school"]) == set(plan.binding)


def test_nothing_crosses_the_border_of_an_area():
    resource, pupils = case(5, n=12)
    areas = ["east", "west", "old town"] * 4
    plan = transfers(resource, pupils, 0.9 * coefficient_of_variation(resource, pupils), within=areas)
    table = plan.schools.set_index("school")
    sums = table.groupby("area")[["before", "after"]].sum()
    np.testing.assert_allclose(sums["before"], sums["after"], rtol=1e-12)
    for move in plan.moves.itertuples():
        assert table.loc[move[1], "area"] == table.loc[move.to, "area"]


def test_what_cannot_be_reached_is_said_with_what_binds():
    plan = transfers([10, 30, 20], [100, 100, 100], 0.1, bounds=([10, 28, 20], None), labels=list("abc"))
    assert plan.status == "infeasible"
    assert plan.lowest == pytest.approx(plan.achieved)
    assert plan.schools["after"].tolist() == pytest.approx([12, 28, 20])
    assert "b" in plan.binding
    assert np.isnan(plan.least)
    plan = additions([10, 30], [100, 100], 0.1, bounds=(None, [12, 30]), labels=["a", "b"])
    assert (plan.status, plan.binding) == ("infeasible", ["a", "b"])
    assert plan.lowest == pytest.approx(18 / 42)
    areas = transfers([10, 10, 30, 30], [100] * 4, 0.1, within=list("aabb"))
    assert areas.status == "infeasible"
    whole = transfers([1, 0], [100, 100], 0.5, whole=True)
    assert (whole.status, whole.lowest) == ("infeasible", 1.0)


def test_nothing_to_do():
    for decide in (transfers, additions):
        for whole in (False, True):
            plan = decide([10, 30], [100, 100], 0.5, whole=whole)
            assert (plan.status, plan.total, len(plan.moves)) == ("already", 0.0, 0)
            assert plan.achieved == plan.before
    equal = transfers([5, 10], [10, 20], 0.0)
    assert equal.status == "already"


def test_target_zero_makes_all_ratios_equal():
    plan = transfers([10, 30], [100, 100], 0.0)
    assert plan.schools["after"].tolist() == pytest.approx([20, 20])
    assert plan.achieved <= 1e-9
    assert additions([10, 30], [100, 100], 0.0).schools["after"].tolist() == pytest.approx([30, 30])


def test_a_floor_that_must_be_bought_in_any_case():
    plan = additions([10, 30, 20], [100, 100, 100], 0.5, bounds=([15, 15, 15], None))
    assert plan.schools["after"].tolist() == [15, 30, 20]
    assert plan.total == 5
    plan = additions([10, 30, 20], [100, 100, 100], 0.05, bounds=([15, 15, 15], None), whole=True)
    assert plan.achieved <= 0.05 + 1e-9
    assert (plan.schools["after"] % 1 == 0).all()


def test_schools_without_pupils_or_value_keep_what_they_have():
    plan = transfers([10, 30, 7, np.nan], [100, 100, 0, 50], 0.25, labels=list("abcd"))
    table = plan.schools.set_index("school")
    assert table.loc[["a", "b"], "after"].tolist() == pytest.approx([15, 25])
    assert table.loc["c", "after"] == 7
    assert np.isnan(table.loc["d", "after"])
    assert table.loc[["c", "d"], "ratio_after"].isna().all()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        ({"target": -0.1}, UsageError, "target is -0.1"),
        ({"target": np.nan}, UsageError, "target is nan"),
        ({"labels": ["a"]}, DataError, "for each of the 2 schools"),
        ({"within": ["a", None]}, DataError, "not empty"),
        ({"bounds": ([5, 40], [4, 50])}, DataError, "0: 5 to 4"),
        ({"bounds": ([25, 25], None)}, DataError, "cannot meet"),
        ({"bounds": ([1, 2, 3], None)}, DataError, "one for each"),
        ({"resource": [0, 0]}, DataError, "undefined"),
        ({"resource": [1.5, 30], "whole": True}, DataError, "not whole"),
        ({"resource": [1e7, 30], "whole": True}, DataError, "too many"),
        ({"resource": [-1, 30]}, DataError, "impossible resource"),
    ],
)
def test_wrong_calls_are_refused(call, error, text):
    with pytest.raises(error, match=text):
        transfers(**{"resource": [10, 30], "students": [100, 100], "target": 0.2, **call})


def test_wrong_additions_are_refused():
    with pytest.raises(DataError, match="more than their upper bound"):
        additions([10, 30], [100, 100], 0.2, bounds=(None, [5, 40]))
    with pytest.raises(DataError, match="not whole"):
        additions([10.5, 30], [100, 100], 0.2, whole=True)
    with pytest.raises(UsageError, match="leaving_share"):
        transfer_bounds([1], [1], leaving_share=2)

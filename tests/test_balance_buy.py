"""The cheapest mix: what it promises, and its bound against a general solver and a brute force."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.optimize import minimize

from planlib.balance import cheapest_plan, coefficient_of_variation
from planlib.errors import DataError, UsageError
from planlib.paths import DEFINITIONS
from planlib.standard import SEVEN, check_standard, standard_from, with_values

RULES = yaml.safe_load((DEFINITIONS / "standards.yml").read_text(encoding="utf-8"))
STANDARD = standard_from(RULES, "compulsory_2017", "2020-09-01")
COSTS = dict(zip(SEVEN, [150_000, 200_000, 150_000, 4000, 1000, 1, 80_000], strict=True))
TRIPLE = {SEVEN[:3]: 260_000.0}


def case(seed, n=30, level=1.3):
    rng = np.random.default_rng(seed)
    pupils = rng.integers(200, 1500, n)
    frame = pd.DataFrame(
        {"school_id": [f"S{i}" for i in range(n)], "stage": "primary", "year": 2022, "students": pupils}
    )
    for r in SEVEN:
        ratio = STANDARD.thresholds["primary"][r] / STANDARD.per[r] * level * np.exp(rng.normal(0, 0.25, n))
        frame[r] = np.round(pupils * ratio) if r in STANDARD.whole else pupils * ratio
    return frame


def after(frame, plan):
    done = frame.copy()
    for r, needs in plan.needs.groupby("resource"):
        done[r] = frame["school_id"].map(needs.set_index("school_id")["after"])
    return done


@pytest.mark.parametrize("joint", [None, TRIPLE])
@pytest.mark.parametrize("target", [0.23, 0.15])
def test_every_school_passes_and_the_mean_meets_its_target(target, joint):
    frame = case(1, n=20)
    plan = cheapest_plan(frame, target, COSTS, STANDARD, joint_costs=joint)
    done = after(frame, plan)
    assert check_standard(done, STANDARD).schools["is_passing"].all()
    cv = [coefficient_of_variation(done[r], done["students"]) for r in SEVEN]
    assert np.mean(cv) <= target + 1e-8
    assert max(cv) <= 0.5 + 1e-8
    assert plan.composite == pytest.approx(np.mean(cv))
    assert (plan.needs["added"] >= 0).all()
    whole = plan.needs[plan.needs["resource"].isin(STANDARD.whole)]
    assert (whole["added"] % 1 == 0).all()
    assert 0 < plan.least <= plan.cost
    assert plan.gap < (0.1 if joint is None else 0.4)
    supplied = {}
    for row in plan.purchases.itertuples():
        for r in row.buys.split(" + "):
            supplied[row.school_id, r] = supplied.get((row.school_id, r), 0) + row.amount
    for row in plan.needs.itertuples():
        assert supplied.get((row.school_id, row.resource), 0) >= row.added - 1e-6


def test_one_teacher_in_three_counts_is_cheaper_than_three_teachers():
    frame = case(2, level=0.95)
    alone = cheapest_plan(frame, 0.2, COSTS, STANDARD)
    joint = cheapest_plan(frame, 0.2, COSTS, STANDARD, joint_costs=TRIPLE)
    assert joint.cost < alone.cost
    assert joint.purchases["buys"].str.contains(" + ", regex=False).any()


def solve_generally(frame, target, resources, floor):
    """Two resources, any amounts: SLSQP over all additions at once, from several starts."""
    pupils = frame["students"].to_numpy(float)
    held = frame[list(resources)].to_numpy(float).T
    mean = held.sum(axis=1, keepdims=True) / pupils.sum()
    x = held / pupils / mean
    cost = np.array([COSTS[r] for r in resources])[:, None] * mean * pupils
    low = np.maximum(x, floor / pupils / mean)
    n = x.size
    found = []
    for start in (0.3, 0.6, 0.9):
        first = (low + start * (low.max(axis=1, keepdims=True) - low)).ravel()
        result = minimize(
            lambda v: float((cost * (v.reshape(x.shape) - x)).sum() / cost.sum()),
            first,
            bounds=list(zip(low.ravel(), [20.0] * n, strict=True)),
            constraints={
                "type": "ineq",
                "fun": lambda v: target - np.mean(coefficient_of_variation(v.reshape(x.shape) * pupils, pupils)),
            },
            method="SLSQP",
            options={"maxiter": 500, "ftol": 1e-13},
        )
        reached = np.mean(coefficient_of_variation(result.x.reshape(x.shape) * pupils, pupils))
        if reached <= target + 1e-6:
            found.append(result.fun * cost.sum())
    return min(found)


@pytest.mark.parametrize("seed", range(4))
def test_sharing_the_target_matches_a_general_solver(seed):
    """With amounts of any size and no threshold that binds, the bound is the optimum."""
    resources = ("teaching_area_m2", "equipment_value_yuan")
    frame = case(seed, n=5, level=2.5)
    small = with_values(STANDARD, resources=resources, required_met=1)
    now = np.mean([coefficient_of_variation(frame[r], frame["students"]) for r in resources])
    plan = cheapest_plan(frame, 0.6 * now, COSTS, small)
    needed = (
        np.array([[0.85 * STANDARD.thresholds["primary"][r]] for r in resources]) * frame["students"].to_numpy()
    )
    assert plan.least == pytest.approx(solve_generally(frame, 0.6 * now, resources, needed), rel=1e-3)
    assert plan.cost == pytest.approx(plan.least, rel=0.02)


def test_the_pass_rule_alone_against_every_choice_of_relief():
    """A target that is met anyway: each school is spared the dearest of its gaps."""
    frame = case(5, n=6, level=0.95)
    plan = cheapest_plan(frame, 5.0, COSTS, with_values(STANDARD, caps={"primary": 9.0}))
    cost = 0.0
    for school in frame.itertuples():
        choices = []
        for spared in range(7):
            total = 0.0
            for k, r in enumerate(SEVEN):
                share = 0.85 if k == spared else 1.0
                gap = share * STANDARD.thresholds["primary"][r] / STANDARD.per[r] * school.students - getattr(
                    school, r
                )
                gap = max(0.0, np.ceil(gap - 1e-9) if r in STANDARD.whole else gap)
                total += gap * COSTS[r]
            choices.append(total)
        cost += min(choices)
    assert plan.cost == pytest.approx(cost, rel=0.05)
    assert plan.cost >= cost - 1e-6
    assert plan.least == pytest.approx(cost)


def test_nothing_to_buy():
    frame = case(3, level=3)
    plan = cheapest_plan(frame, 1.0, COSTS, STANDARD)
    assert (plan.cost, plan.gap, len(plan.purchases)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("costs", "joint", "target"),
    [
        ({**COSTS, SEVEN[0]: 0}, None, 0.2),
        ({SEVEN[0]: 1}, None, 0.2),
        (COSTS, {("books",): 5.0}, 0.2),
        (COSTS, None, -1),
    ],
)
def test_wrong_costs_are_refused(costs, joint, target):
    with pytest.raises(UsageError, match="costs that are missing"):
        cheapest_plan(case(1), target, costs, STANDARD, joint_costs=joint)


def test_wrong_tables_are_refused():
    frame = case(1)
    mixed = frame.assign(stage=["junior", *["primary"] * 29])
    for bad, text in (
        (mixed, "one stage"),
        (frame.drop(columns="school_id"), "school_id"),
        (frame.assign(multimedia_rooms=np.nan), "multimedia_rooms"),
        (frame.assign(students=0), "without pupils"),
        (pd.concat([frame, frame.head(1)]), "S0"),
    ):
        with pytest.raises(DataError, match=text):
            cheapest_plan(bad, 0.2, COSTS, STANDARD)


def test_convex_cost_of_a_coefficient():
    """What the sharing rests on: the least addition is a convex function of the coefficient."""
    from planlib.balance import additions

    for seed, resource in product(range(4), SEVEN[:2]):
        frame = case(seed, n=12)
        cv = coefficient_of_variation(frame[resource], frame["students"])
        grid = np.linspace(0.2, 1.0, 17) * cv
        cost = np.array([additions(frame[resource], frame["students"], c).total for c in grid])
        assert (np.diff(cost, 2) >= -1e-6 * cost[0]).all()

"""Shifts of entry quotas, against exhaustive search."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.balance import admission_path, admissions, coefficient_of_variation
from planlib.errors import DataError, UsageError


def case(seed, n=5, resources=3, quota=(8, 20)):
    rng = np.random.default_rng(seed)
    pupils = rng.integers(60, 240, n)
    frame = pd.DataFrame({"school_id": [f"S{i}" for i in range(n)], "students": pupils})
    frame["quota"] = rng.integers(*quota, n)
    frame["capacity_students"] = pd.array((pupils * rng.uniform(1, 1.3, n)).astype(int), dtype="Int64")
    frame.loc[0, "capacity_students"] = pd.NA
    frame["area"] = ["east", "east", "west", "west", "west"][:n] if n <= 5 else rng.choice(["east", "west"], n)
    shared = rng.normal(0, 0.2, n)
    for k in range(resources):
        frame[f"r{k}"] = pupils * np.exp(shared + rng.normal(0, 0.15, n))
    return frame, [f"r{k}" for k in range(resources)]


def exhaustively(frame, resources, target, years, share, method, by_area):
    """The fewest places over every shift inside the bounds."""
    pupils, quota = frame["students"].to_numpy(float), frame["quota"].to_numpy(float)
    most = np.floor(share * quota + 1e-9)
    capacity = frame["capacity_students"].astype("Float64").to_numpy(float, na_value=np.inf)
    high = np.minimum(most, np.floor((capacity - pupils) / years))
    free = product(*[range(int(-m), int(h) + 1) for m, h in zip(most, high, strict=True)])
    every = np.array(list(free), dtype=float)
    areas = frame["area"].to_numpy() if by_area else np.zeros(len(frame))
    for area in np.unique(areas):
        every = every[every[:, areas == area].sum(axis=1) == 0]
    cv = np.stack(
        [coefficient_of_variation(frame[r].to_numpy()[None, :], pupils + years * every) for r in resources]
    )
    value = cv.mean(axis=0) if method == "mean" else cv.max(axis=0)
    good = every[value <= target + 1e-9]
    return (np.abs(good).sum(axis=1).min() / 2 if len(good) else np.inf), value.min()


@pytest.mark.parametrize("method", ["mean", "max"])
@pytest.mark.parametrize("by_area", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_against_every_possible_shift(seed, by_area, method):
    frame, resources = case(seed)
    now = [coefficient_of_variation(frame[r], frame["students"]) for r in resources]
    _, lowest = exhaustively(frame, resources, 0, 3, 0.25, method, by_area)
    start = np.mean(now) if method == "mean" else max(now)
    target = lowest + 0.5 * (start - lowest)
    expected, _ = exhaustively(frame, resources, target, 3, 0.25, method, by_area)
    area = "area" if by_area else None
    plan = admissions(frame, resources, target, years=3, max_share=0.25, composite=method, area=area)
    assert plan.status in ("reached", "already")
    assert plan.least <= expected <= plan.total <= expected + 1
    shift = plan.schools["shift"].to_numpy()
    sums = pd.Series(shift).groupby(frame["area"] if by_area else np.zeros(5)).sum()
    assert (sums == 0).all()
    assert (np.abs(shift) <= 0.25 * frame["quota"]).all()
    room = frame["capacity_students"].astype("Float64").to_numpy(float, na_value=np.inf)
    assert (plan.schools["students_after"] <= np.maximum(room, frame["students"])).all()
    achieved = [coefficient_of_variation(frame[r], plan.schools["students_after"]) for r in resources]
    assert plan.coefficients["after"].tolist()[:-1] == pytest.approx(achieved)
    assert plan.coefficients["after"].iloc[-1] <= target + 1e-9


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["mean", "max"]), st.floats(0.5, 1.0))
def test_bounds_are_bounds(seed, method, part):
    frame, resources = case(seed, n=4, resources=2, quota=(8, 16))
    now = [coefficient_of_variation(frame[r], frame["students"]) for r in resources]
    target = part * (np.mean(now) if method == "mean" else max(now))
    expected, _ = exhaustively(frame, resources, target, 2, 0.3, method, False)
    plan = admissions(frame, resources, target, years=2, max_share=0.3, composite=method)
    if plan.status == "infeasible":
        assert not (plan.proven_infeasible and np.isfinite(expected))
    else:
        assert plan.least <= expected + 1e-9
        assert plan.total >= expected - 1e-9
        assert np.isfinite(expected)
        assert plan.moves["amount"].sum() == plan.total


@pytest.mark.parametrize("method", ["mean", "max"])
def test_a_district_of_seventy_schools_has_a_small_proven_gap(method):
    frame, resources = case(1, n=70, resources=7, quota=(60, 200))
    now = [coefficient_of_variation(frame[r], frame["students"]) for r in resources]
    target = 0.85 * (np.mean(now) if method == "mean" else max(now))
    frame["students"] *= 6
    frame["capacity_students"] = frame["capacity_students"] * 6
    plan = admissions(frame, resources, target, years=3, max_share=0.2, composite=method)
    assert plan.status == "reached"
    assert plan.total > 0
    assert plan.gap <= 0.2 * plan.total


def test_what_cannot_be_reached_and_what_needs_nothing():
    frame, resources = case(2)
    plan = admissions(frame, resources, 0.001, max_share=0.1)
    assert (plan.status, plan.proven_infeasible) == ("infeasible", True)
    assert np.isnan(plan.least)
    assert plan.coefficients["after"].iloc[-1] <= plan.coefficients["before"].iloc[-1]
    assert admissions(frame, resources, 0.001, max_share=0.1, composite="max").proven_infeasible
    plan = admissions(frame, resources, 5.0)
    assert (plan.status, plan.total, len(plan.moves)) == ("already", 0, 0)
    assert plan.gap == 0


def test_more_years_need_fewer_places_a_year():
    frame, resources = case(3)
    now = np.mean([coefficient_of_variation(frame[r], frame["students"]) for r in resources])
    one = admissions(frame, resources, 0.85 * now, years=1)
    three = admissions(frame, resources, 0.85 * now, years=3)
    assert one.status == three.status == "reached"
    assert three.total < one.total


def test_wrong_calls_are_refused():
    frame, resources = case(1)
    with pytest.raises(UsageError, match="years"):
        admissions(frame, resources, 0.2, years=0)
    with pytest.raises(UsageError, match="Unknown composite"):
        admissions(frame, resources, 0.2, composite="median")
    with pytest.raises(DataError, match="quota"):
        admissions(frame.drop(columns="quota"), resources, 0.2)
    with pytest.raises(DataError, match="without pupils"):
        admissions(frame.assign(students=0), resources, 0.2)
    with pytest.raises(DataError, match="S0"):
        admissions(pd.concat([frame, frame.head(1)]), resources, 0.2)
    with pytest.raises(DataError, match="adds up to zero"):
        admissions(frame.assign(r0=0.0), resources, 0.2)


def test_the_path_ends_where_the_plan_says_and_counts_what_is_over_capacity():
    frame, resources = case(4, n=12)
    now = np.mean([coefficient_of_variation(frame[r], frame["students"]) for r in resources])
    renamed = frame.rename(columns={"capacity_students": "places"})
    plan = admissions(renamed, resources, 0.95 * now, years=3, capacity="places")
    pd.testing.assert_frame_equal(plan.schools, admissions(frame, resources, 0.95 * now, years=3).schools)
    assert plan.status == "reached"
    ahead = pd.concat([frame.assign(year=2026 + i) for i in range(3)], ignore_index=True)
    path = admission_path(plan, ahead, resources)
    last = path[path["year"] == 2028].set_index("resource")
    whole = plan.coefficients.set_index("resource")
    np.testing.assert_allclose(last["with_plan"], whole["after"].reindex(last.index), atol=1e-12)
    np.testing.assert_allclose(last["without"], whole["before"].reindex(last.index), atol=1e-12)
    together = path[path["resource"] == "composite"]["with_plan"].tolist()
    assert now > together[0] > together[1] > together[2]
    assert (path["over_capacity"] == 0).all()
    tight = ahead.assign(capacity_students=ahead["students"])
    gains = int((plan.schools["shift"] > 0).sum())
    assert admission_path(plan, tight, resources)["over_capacity"].unique().tolist() == [gains]
    with pytest.raises(DataError, match="without a row in 2027"):
        admission_path(plan, ahead.drop(index=len(frame)), resources)

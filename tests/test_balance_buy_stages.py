"""Plant of nine-year schools is bought once for both stages."""

import numpy as np
import pandas as pd
import pytest
import yaml

from planlib.balance import balance_table, cheapest_plan, cheapest_plan_stages
from planlib.errors import DataError, UsageError
from planlib.paths import DEFINITIONS
from planlib.standard import SEVEN, check_standard, split_shares, standard_from, with_values

RULES = yaml.safe_load((DEFINITIONS / "standards.yml").read_text(encoding="utf-8"))
STANDARD = standard_from(RULES, "compulsory_2017", "2020-09-01")
COSTS = dict(zip(SEVEN, [150_000, 200_000, 150_000, 4000, 1000, 1, 80_000], strict=True))


def case(seed, n=14, level=1.15):
    """Every other school has both stages; its plant is drawn for the school and split by the standard."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        pupils = {"primary": float(rng.integers(300, 1200)), "junior": float(rng.integers(200, 900))}
        if i % 2:
            pupils.pop(str(rng.choice(list(pupils))))
        shares = split_shares(pupils, STANDARD.plant_split)
        base = {r: level * np.exp(rng.normal(0, 0.22)) for r in SEVEN}
        for stage, p in pupils.items():
            row = {"school_id": f"S{i}", "stage": stage, "year": 2022, "students": p, "share": shares[stage]}
            for r in SEVEN:
                need = {s: STANDARD.thresholds[s][r] / STANDARD.per[r] * q for s, q in pupils.items()}
                whole = base[r] * (sum(need.values()) if r in STANDARD.shared else need[stage])
                row[r] = shares[stage] * round(whole) if r in STANDARD.shared else float(round(whole))
            rows.append(row)
    return pd.DataFrame(rows)


@pytest.mark.parametrize("seed", range(3))
def test_both_stages_meet_target_and_standard_and_plant_is_paid_once(seed):
    frame = case(seed)
    targets = {"primary": 0.14, "junior": 0.14}
    plan = cheapest_plan_stages(frame, targets, COSTS, STANDARD, share="share")
    done = plan.schools
    assert check_standard(done, STANDARD).schools["is_passing"].all()
    table = balance_table(done, ["stage"], STANDARD.per)
    after = table[table["resource"] == "composite"].set_index("stage")["cv"]
    for stage, target in targets.items():
        assert after[stage] <= target + 1e-8
        assert plan.composites[stage] == pytest.approx(after[stage])
    # What was bought is what the schools have more of: shared plant once, split between the stages.
    for r in SEVEN:
        gained = (done[r] - frame[r]).groupby(frame["school_id"]).sum()
        mine = plan.purchases[plan.purchases["buys"] == r].groupby("school_id")["amount"].sum()
        np.testing.assert_allclose(gained, mine.reindex(gained.index).fillna(0), atol=1e-6)
        if r in STANDARD.shared:
            ratio = (done[r] - frame[r]) / frame["share"]
            assert ratio.groupby(frame["school_id"]).agg(lambda x: x.max() - x.min()).max() < 1e-6
    assert plan.cost == pytest.approx(sum(plan.purchases["amount"] * plan.purchases["buys"].map(COSTS)))
    assert 0 < plan.least <= plan.cost
    rooms = plan.purchases[plan.purchases["buys"] == "multimedia_rooms"]["amount"]
    np.testing.assert_allclose(rooms % 1, 0, atol=1e-9)
    both = plan.purchases["stage"] == "both"
    assert set(plan.purchases.loc[both, "buys"]) <= set(STANDARD.shared)
    assert both.any()


def test_one_building_for_both_costs_less_than_one_for_each():
    """A school short in both stages: each alone would have to build for the whole school to get its share."""
    frame = case(7, level=0.95)
    easy = with_values(STANDARD, caps={"primary": 9.0, "junior": 9.0})
    plan = cheapest_plan_stages(frame, {"primary": 5.0, "junior": 5.0}, COSTS, easy, share="share")
    apart = 0.0
    for _, rows in frame.groupby("stage"):
        needs = cheapest_plan(rows, 5.0, COSTS, easy).needs.merge(rows[["school_id", "share"]], on="school_id")
        built = needs["added"] / np.where(needs["resource"].isin(STANDARD.shared), needs["share"], 1)
        apart += float((built * needs["resource"].map(COSTS)).sum())
    assert plan.least <= plan.cost < apart


def test_stand_alone_schools_are_planned_as_before():
    frame = case(3)
    frame = frame[frame["stage"] == "primary"].assign(share=1.0)
    plan = cheapest_plan_stages(frame, {"primary": 0.15}, COSTS, STANDARD)
    alone = cheapest_plan(frame, 0.15, COSTS, STANDARD)
    assert plan.cost == pytest.approx(alone.cost, rel=0.02)
    assert set(plan.purchases["stage"]) == {"primary"}


def test_nothing_to_buy_and_wrong_calls():
    frame = case(4, level=4)
    nothing = cheapest_plan_stages(frame, {"primary": 1, "junior": 1}, COSTS, STANDARD)
    assert (nothing.cost, nothing.gap, len(nothing.purchases)) == (0, 0, 0)
    with pytest.raises(UsageError, match="junior"):
        cheapest_plan_stages(frame, {"primary": 1}, COSTS, STANDARD)
    joint = {("teaching_area_m2", "sports_area_m2"): 5.0}
    with pytest.raises(UsageError, match="teaching_area_m2"):
        cheapest_plan_stages(frame, {"primary": 1, "junior": 1}, COSTS, STANDARD, joint_costs=joint)
    with pytest.raises(DataError, match="share"):
        cheapest_plan_stages(frame.assign(share=1.5), {"primary": 1, "junior": 1}, COSTS, STANDARD, share="share")
    with pytest.raises(DataError, match="year"):
        cheapest_plan_stages(frame.drop(columns="year"), {"primary": 1}, COSTS, STANDARD)

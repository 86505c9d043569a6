"""Evaluation: pace and status, roll-up, commitments, projects, money."""

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib import evaluate, paths
from planlib.errors import DataError

RULES = yaml.safe_load((paths.DEFINITIONS / "evaluation.yml").read_text(encoding="utf-8"))

BASE = {
    "series_id": "s",
    "indicator_id": "i",
    "number": 1,
    "name_zh": "名",
    "name_en": "name",
    "unit": "%",
    "stage": "primary",
    "attribute": "binding",
    "direction": "rise",
    "judged": "pace",
    "kind": "percent",
    "baseline": 50.0,
    "baseline_relation": "=",
    "baseline_text": "50",
    "target": 60.0,
    "target_relation": "=",
    "target_text": "60",
    "precision": 2,
    "baseline_as_of": "2020-09-01",
    "target_as_of": "2025-09-01",
}


def plan(**changes):
    return pd.DataFrame([{**BASE, **changes}])


def seen(*values, series_id="s", month="09-01", **columns):
    """Values of 2021, 2022, …; None leaves a year out."""
    rows = [(f"{2021 + n}-{month}", value) for n, value in enumerate(values) if value is not None]
    frame = pd.DataFrame(rows, columns=["as_of", "value"]).assign(series_id=series_id, **columns)
    return frame


def judge(*values, cutoff="2022-12-31", phase="midterm", extra=None, **changes):
    observations = seen(*values, **(extra or {}))
    return evaluate.scorecard(plan(**changes), observations, cutoff, RULES, phase=phase).iloc[0]


# --- the published arithmetic ---

DISAGREE = [
    # direction, baseline, target, value of 2023, progress in %, pace, ratio of growth rates (domain brief 7.6)
    ("fall", 0.305, 0.30, 0.303, 40.0, 0.667, 0.664),
    ("fall", 0.277, 0.25, 0.260, 63.0, 1.049, 1.029),
    ("fall", 56.78, 50.78, 53.5, 54.7, 0.911, 0.889),
    ("rise", 76.36, 85, 80.0, 42.1, 0.702, 0.722),
    ("rise", 9, 60, 30, 41.2, 0.686, 1.070),
]


@pytest.mark.parametrize(("direction", "y0", "yT", "y", "progress", "pace", "ratio"), DISAGREE)
def test_linear_and_growth_rates_as_published(direction, y0, yT, y, progress, pace, ratio):
    row = judge(None, None, y, cutoff="2023-12-31", direction=direction, baseline=y0, target=yT)
    assert round(100 * row.progress, 1) == progress
    assert round(row.pace, 3) == pace
    assert round(row.cagr_ratio, 3) == ratio


def test_growth_rate_disagreement_is_flagged_on_counts():
    count = judge(None, None, 30, cutoff="2023-12-31", baseline=9, target=60, judged="batch", kind="cumulative")
    share = judge(None, None, 80.0, cutoff="2023-12-31", baseline=76.36, target=85.0)
    assert count.status == "behind"
    assert count.reason == "batch"
    assert not count.is_cagr_agreed
    assert share.is_cagr_agreed


@pytest.mark.parametrize(
    ("at", "share"),
    [("2021-12-31", 0.2), ("2022-12-31", 0.4), ("2023-06-30", 0.5), ("2023-12-31", 0.6), ("2024-12-31", 0.8)],
)
def test_elapsed_share_of_a_plan_is_what_officials_say(at, share):
    found = evaluate.elapsed_share(pd.Series(["2020-12-31"]), pd.Series(["2025-12-31"]), pd.Series([at]))
    assert found.item() == pytest.approx(share, abs=1e-12)


# --- status before the end ---


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (60.0, "early"),
        (54.2, "ahead"),  # 42 % of the way in 40 % of the time: exactly 1.05
        (54.19, "on_track"),
        (53.8, "on_track"),  # exactly 0.95
        (53.79, "behind"),
        (52.4, "behind"),  # exactly 0.60
        (52.39, "far_behind"),
        (50.0, "far_behind"),
        (49.99, "below_baseline"),
    ],
)
def test_cut_points_are_inclusive_from_below(value, status):
    assert judge(None, value).status == status


@pytest.mark.parametrize(
    ("relation", "direction", "target", "value", "is_met"),
    [
        (">", "rise", 60.0, 60.0, False),
        (">", "rise", 60.0, 60.01, True),
        ("≥", "rise", 60.0, 60.0, True),
        ("=", "rise", 60.0, 61.0, True),
        ("<", "fall", 40.0, 40.0, False),
        ("<", "fall", 40.0, 39.99, True),
        ("≤", "fall", 40.0, 40.0, True),
        ("=", "fall", 40.0, 40.0, True),
        ("≈", "rise", 60.0, 57.0, True),
        ("≈", "rise", 60.0, 56.9, False),
    ],
)
def test_strict_and_other_relations(relation, direction, target, value, is_met):
    assert judge(None, value, target_relation=relation, direction=direction, target=target).is_met == is_met


def test_targets_are_compared_at_the_precision_of_the_plan():
    # >95 from 94.9: one printed decimal, so 95.04 is still 95.0
    near = {"baseline": 94.9, "target": 95.0, "target_relation": ">", "precision": 1, "judged": "met_only"}
    assert judge(None, 95.04, **near).status == "not_met"
    assert judge(None, 95.05, **near).status == "early"
    # 0.30 printed as 0.3 beside a baseline of 0.305: three decimals count, or 0.34 would pass
    assert not judge(None, 0.304, direction="fall", baseline=0.305, target=0.3, precision=1).is_met


def test_rows_without_room_have_no_pace():
    row = judge(None, 98.0, baseline=98.0, target=98.0, target_relation=">", precision=0, judged="met_only")
    assert (row.status, row.reason) == ("not_met", "no_room")
    assert np.isnan(row.pace)
    fell = judge(None, 97.0, baseline=98.0, target=98.0, target_relation=">", precision=0, judged="met_only")
    assert (fell.status, fell.reason) == ("below_baseline", "worse_than_baseline")
    assert (
        judge(None, 94.0, baseline=94.9, target=95.0, target_relation=">", judged="met_only").status
        == "below_baseline"
    )


def test_hold_rows():
    hold = {"baseline": 100.0, "target": 100.0, "direction": "hold", "judged": "hold", "precision": 0}
    assert judge(100.0, 100.0, **hold).status == "held"
    assert judge(100.0, 98.0, **hold).status == "not_held"
    lapsed = judge(98.0, 100.0, **hold)
    assert (lapsed.status, lapsed.reason) == ("held", "hold_lapsed")
    assert np.isnan(lapsed.pace)


def test_a_planned_scale_is_not_a_floor():
    scale = {
        "baseline": 0.24,
        "target": 0.24,
        "direction": "hold",
        "judged": "hold",
        "unit": "万人",
        "kind": "positive",
    }
    assert judge(None, 0.2345, **scale).status == "held"  # the plan's own text against its own table
    assert judge(None, 0.31, **scale).status == "not_held"
    assert judge(None, 0.19, **scale).status == "not_held"
    assert judge(None, 0.24, **{**scale, "judged": "volume", "direction": "volume"}).status == "held"


def test_census_rows_are_never_filled_in():
    census = {
        "judged": "census",
        "baseline": 11.09,
        "target": 11.4,
        "kind": "positive",
        "baseline_as_of": "2020-11-01",
    }
    assert (judge(**census).status, judge(**census).reason) == ("no_data", "census_pending")
    assert np.isnan(judge(**census).value)
    old = evaluate.scorecard(plan(**census), seen(11.09).assign(as_of="2020-11-01"), "2022-12-31", RULES).iloc[0]
    assert (old.status, old.reason) == ("no_data", "census_pending")


def test_ambiguous_and_missing():
    assert judge(None, 100.0, judged="ambiguous", baseline=100.0, target=100.0).status == "ambiguous"
    assert judge().reason == "no_observation"
    assert pd.isna(judge().is_met)


def test_baseline_that_is_a_bound_says_so():
    row = judge(None, 94.0, baseline=92.0, baseline_relation=">", target=96.0, target_relation=">", precision=0)
    assert (row.status, row.reason) == ("ahead", "baseline_is_bound")


@pytest.mark.parametrize(
    ("value", "relation", "target", "is_met"),
    [(60.0, ">", ">", True), (60.0, "≥", ">", False), (70.0, "<", ">", False), (61.0, ">", "≥", True)],
)
def test_values_that_are_bounds_prove_only_what_they_say(value, relation, target, is_met):
    assert judge(None, value, target_relation=target, extra={"relation": relation}).is_met == is_met


# --- what is known at a cutoff ---


def test_nothing_after_the_cutoff_is_seen():
    with_future = judge(51.0, 52.0, 59.0, 60.0)
    without = judge(51.0, 52.0)
    pd.testing.assert_series_equal(with_future, without)
    assert with_future.as_of == "2022-09-01"
    assert with_future.elapsed == pytest.approx(0.4, abs=1e-12)


def test_best_standing_of_a_date_wins_whatever_the_order():
    both = pd.concat(
        [seen(None, 55.0, status="决算"), seen(None, 54.0, status="快报"), seen(None, 54.5, status="审定")]
    )
    for order in (both, both[::-1]):
        row = evaluate.scorecard(plan(), order, "2022-12-31", RULES).iloc[0]
        assert (row.value, row.observation_status) == (55.0, "决算")


def test_bad_observations_are_named():
    with pytest.raises(DataError, match=r"contradict each other \(1\)[\s\S]*series s, as_of 2022-09-01: 2 values"):
        evaluate.scorecard(plan(), pd.concat([seen(None, 1.0), seen(None, 2.0)]), "2022-12-31", RULES)
    with pytest.raises(DataError, match=r"unknown standings[\s\S]*草稿"):
        evaluate.scorecard(plan(), seen(None, 1.0, status="草稿"), "2022-12-31", RULES)
    with pytest.raises(DataError, match=r"not a finite number[\s\S]*series_id s, as_of 2022-09-01: 'many'"):
        evaluate.scorecard(plan(), seen(None, "many"), "2022-12-31", RULES)
    with pytest.raises(DataError, match="without as_of"):
        evaluate.scorecard(plan(), seen(None, 1.0).assign(as_of=None), "2022-12-31", RULES)
    with pytest.raises(DataError, match="ISO dates"):
        evaluate.scorecard(plan(), seen(None, 1.0).assign(as_of="1/9/2022"), "2022-12-31", RULES)


def test_bad_series_are_named():
    with pytest.raises(DataError, match="target equals baseline"):
        judge(None, 1.0, target=50.0)
    with pytest.raises(DataError, match="expected one of pace"):
        judge(None, 1.0, judged="speed")
    with pytest.raises(DataError, match="unknown relations"):
        judge(None, 1.0, target_relation=">>")
    with pytest.raises(DataError, match="phase"):
        judge(None, 1.0, phase="final")
    with pytest.raises(DataError, match=r"no number at pace\.behind"):
        evaluate.scorecard(plan(), seen(None, 51.0), "2022-12-31", {**RULES, "pace": {"ahead": 1, "on_track": 1}})


# --- at the end ---


def test_at_the_end_it_is_met_or_not():
    end = {"cutoff": "2025-12-31", "phase": "endterm"}
    assert judge(51, 52, 53, 54, 60, **end).status == "met"
    assert judge(51, 52, 53, 54, 59.9, **end).status == "not_met"
    assert judge(51, 52, 53, 60, **end).reason == "final_value_missing"
    grown = judge(51, 52, 53, 60, **end, kind="cumulative", judged="batch")
    assert grown.status == "met"  # a stock that only grows cannot be lost again


def test_amended_targets_are_judged_beside_the_original():
    changes = {"amended_target": 55.0, "amended_relation": "≥", "amended_date": "2023-06-30"}
    row = judge(51, 52, 53, 54, 56, cutoff="2025-12-31", phase="endterm", **changes)
    assert (row.status, row.status_amended, row.amended_target) == ("not_met", "met", 55.0)
    early = judge(51, 52, cutoff="2022-12-31", **changes)
    assert pd.isna(early.status_amended)  # not amended yet


# --- properties ---

# Many rows go into one scorecard: a property is about rows, and one call serves a hundred of them.

levels = st.floats(1, 99).map(lambda value: round(value, 2))
rows = st.lists(st.tuples(levels, levels, levels, st.sampled_from([">", "≥", "="])), min_size=1, max_size=40)


def judge_all(changes, values, cutoff="2022-12-31"):
    series = pd.concat([plan(series_id=f"s{n}", **change) for n, change in enumerate(changes)], ignore_index=True)
    observations = pd.concat([seen(None, value, series_id=f"s{n}") for n, value in enumerate(values)])
    return evaluate.scorecard(series, observations, cutoff, RULES)


@settings(max_examples=15, deadline=None)
@given(rows)
def test_a_mirrored_series_has_the_same_status(drawn):
    """Rising x and falling 100 − x are the same story."""
    mirror = {">": "<", "≥": "≤", "=": "="}
    up, down = [], []
    for y0, y_end, _, relation in drawn:
        low, high = (y0, y_end) if y_end > y0 else (y_end, round(y0 + 0.5, 2))
        up.append({"baseline": low, "target": high, "target_relation": relation})
        fall = {"baseline": round(100 - low, 2), "target": round(100 - high, 2), "direction": "fall"}
        down.append({**fall, "target_relation": mirror[relation]})
    values = [y for _, _, y, _ in drawn]
    straight, turned = judge_all(up, values), judge_all(down, [round(100 - y, 2) for y in values])
    assert straight["status"].tolist() == turned["status"].tolist()
    assert straight["is_met"].tolist() == turned["is_met"].tolist()
    np.testing.assert_allclose(straight["pace"], turned["pace"], atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.lists(levels, min_size=2, max_size=60))
def test_a_better_value_never_has_a_worse_status(values):
    order = {status: place for place, status in enumerate(evaluate.STATUS_ORDER)}
    places = judge_all([{}] * len(values), sorted(values))["status"].map(order)
    assert places.is_monotonic_increasing


@settings(max_examples=10, deadline=None)
@given(rows, st.integers(0, 99), st.floats(0.01, 100))
def test_order_of_rows_and_unit_do_not_matter(drawn, seed, scale):
    drawn = [(y0, y_end, y) for y0, y_end, y, _ in drawn if y_end > y0] or [(50.0, 60.0, 55.0)]
    series = pd.concat(
        [
            plan(series_id=f"s{n}", baseline=y0, target=y_end, kind="positive")
            for n, (y0, y_end, _) in enumerate(drawn)
        ]
    )
    values = pd.concat([seen(y0, y, 99.0, series_id=f"s{n}") for n, (y0, _, y) in enumerate(drawn)])
    straight = evaluate.scorecard(series, values, "2022-12-31", RULES).set_index("series_id")
    other = series.sample(frac=1, random_state=seed).assign(
        baseline=lambda frame: frame["baseline"] * scale, target=lambda frame: frame["target"] * scale, precision=9
    )
    shuffled = values.sample(frac=1, random_state=seed).assign(value=lambda frame: frame["value"] * scale)
    again = evaluate.scorecard(other, shuffled, "2022-12-31", RULES).set_index("series_id")
    pd.testing.assert_series_equal(straight["pace"], again["pace"].reindex(straight.index), rtol=1e-6)
    assert straight["as_of"].eq("2022-09-01").all()


# --- roll-up and sensitivity ---


def small_plan():
    rows = [
        {"series_id": "a", "indicator_id": "i1", "target": 60.0},
        {"series_id": "b", "indicator_id": "i1", "target": 70.0},
        {"series_id": "c", "indicator_id": "i2", "attribute": "anticipatory"},
    ]
    return pd.concat([plan(**row) for row in rows], ignore_index=True)


def small_values():
    return pd.concat(
        [seen(None, 60.0, series_id="a"), seen(None, 58.0, series_id="b"), seen(None, 54.1, series_id="c")]
    )


def test_an_indicator_is_met_only_if_every_series_is():
    indicators = pd.DataFrame({"indicator_id": ["i1", "i2"], "attribute": ["binding", "anticipatory"]})
    card = evaluate.scorecard(small_plan(), small_values(), "2022-12-31", RULES)
    rolled = evaluate.roll_up(card, indicators).set_index("indicator_id")
    assert rolled.loc["i1", ["series", "series_met", "is_met", "status", "worst_series_id"]].tolist() == [
        2, 1, False, "on_track", "b",
    ]  # fmt: skip
    counts = evaluate.status_counts(rolled.reset_index()).set_index("status")
    assert counts["total"].sum() == 2
    assert counts.loc["on_track", ["binding", "anticipatory"]].tolist() == [1, 1]
    with pytest.raises(DataError, match="i2"):
        evaluate.roll_up(card, indicators.head(1))


def test_every_status_has_a_place_in_the_order():
    assert set(evaluate.STATUS_ORDER) == {
        "early", "ahead", "on_track", "behind", "far_behind", "below_baseline", "held", "not_held", "no_data",
        "ambiguous", "met", "not_met",
    }  # fmt: skip


def test_sensitivity_counts_all_indicators_every_time():
    table = evaluate.sensitivity(small_plan(), small_values(), "2022-12-31", RULES)
    assert table["alternative"].tolist() == ["chosen", *[a["id"] for a in RULES["alternatives"]]]
    assert (table[[f"n_{status}" for status in evaluate.STATUS_ORDER]].sum(axis=1) == 2).all()
    chosen, narrow = table.set_index("alternative").loc[["chosen", "narrow_2"]].to_dict("records")
    assert chosen["n_on_track"] == 2
    assert narrow["n_ahead"] == 1  # 41 % of the way in 40 % of the time is 1.025
    assert narrow["changed"] == 1
    assert table.set_index("alternative").loc["chosen", "changed"] == 0


def test_outlook_words():
    words = evaluate.outlook(pd.Series([0.75, 0.749, 0.25, 0.249, np.nan]), RULES)
    assert words.tolist()[:4] == ["likely", "at_risk", "at_risk", "unlikely"]
    assert pd.isna(words.iloc[4])
    with pytest.raises(DataError, match="not percentages"):
        evaluate.outlook(pd.Series([75.0]), RULES)


def test_every_cut_point_has_a_source():
    entries = [*RULES["pace"].values(), *RULES["outlook"].values(), RULES["approximate"], RULES["hold_scale"]]
    assert all(entry["reference"] and "value" in entry for entry in entries)
    assert all(entry["reference"] and entry["zh"] and entry["en"] for entry in RULES["alternatives"])


# --- commitments ---


def commitment(kind, target=10.0, relation="=", due="2025-12-31"):
    columns = {
        "commitment_id": "c",
        "kind": kind,
        "target": target,
        "relation": relation,
        "due": due,
        "box": "box1",
    }
    return pd.DataFrame([columns])


def track(kind, records, cutoff="2022-12-31", rules=None, **changes):
    frame = pd.DataFrame(records, columns=["date", "achieved"]).assign(commitment_id="c", evidence="文件")
    return evaluate.commitment_progress(commitment(kind, **changes), frame, cutoff, "2020-12-31", rules).iloc[0]


@pytest.mark.parametrize(
    ("kind", "records", "changes", "status", "reason"),
    [
        ("count", [("2022-06-30", 10)], {}, "done", "target_met"),
        ("count", [("2021-06-30", 2), ("2022-06-30", 4)], {}, "on_schedule", "within_time"),
        ("count", [("2022-06-30", 3)], {}, "late", "behind_schedule"),
        ("count", [("2022-06-30", 9)], {"due": "2022-06-30"}, "late", "due_passed"),
        ("count", [], {"due": "2022-06-30"}, "no_record", "due_without_record"),
        ("count", [], {}, "no_record", "no_record"),
        ("count", [("2023-06-30", 10)], {}, "no_record", "no_record"),  # not known yet
        ("coverage", [("2022-06-30", 100)], {"target": 100.0}, "done", "target_met"),
        ("coverage", [("2022-06-30", 30)], {"target": 100.0}, "late", "behind_schedule"),
        ("milestone", [("2022-06-30", 1)], {"target": np.nan}, "done", "target_met"),
        ("milestone", [("2022-06-30", 0)], {"target": 1.0, "due": "2023-12-31"}, "on_schedule", "within_time"),
        ("milestone", [], {"target": 1.0, "due": "2022-12-31"}, "no_record", "due_without_record"),
        ("per_period", [("2021-12-31", 10), ("2022-12-31", 12)], {}, "kept", "every_record"),
        ("per_period", [("2021-12-31", 9), ("2022-12-31", 12)], {}, "not_kept", "lapsed"),
        ("floor", [("2022-09-01", 96)], {"target": 95.0, "relation": "≥"}, "kept", "every_record"),
        ("floor", [("2022-09-01", 94)], {"target": 95.0, "relation": "≥"}, "not_kept", "below_floor"),
        ("floor", [("2021-09-01", 94), ("2022-09-01", 96)], {"target": 95.0}, "kept", "lapsed_before"),
        ("floor", [("2022-09-01", 2.5)], {"target": 3.0, "relation": "≤"}, "kept", "every_record"),
        ("never_falls", [("2020-12-31", 5), ("2021-12-31", 5)], {"target": np.nan}, "kept", "every_record"),
        ("never_falls", [("2020-12-31", 5), ("2021-12-31", 4.9)], {"target": np.nan}, "not_kept", "lapsed"),
        (
            "never_falls",
            [("2019-12-31", 9), ("2020-06-30", 5), ("2021-12-31", 6)],
            {"target": 1.0},
            "kept",
            "every_record",
        ),
        (
            "never_falls",
            [("2020-12-31", 5), ("2021-12-31", 5)],
            {"target": 0.0, "relation": ">"},
            "not_kept",
            "lapsed",
        ),
        ("never_falls", [("2021-12-31", 5)], {}, "no_record", "single_record"),
    ],
)
def test_commitment_status(kind, records, changes, status, reason):
    row = track(kind, records, **changes)
    assert (row.status, row.reason) == (status, reason)


def test_approximate_counts_keep_their_relation():
    assert track("count", [("2022-06-30", 106)], target=111.0, relation="≈", rules=RULES).status == "done"
    assert track("count", [("2022-06-30", 7)], target=8.0, relation="≈", rules=RULES).status != "done"
    assert track("count", [("2022-06-30", 50)], target=50.0, relation=">").status != "done"


def test_commitment_evidence_and_lapses_are_kept():
    row = track("floor", [("2021-09-01", 94), ("2022-09-01", 96)], target=95.0)
    assert (row.records, row.lapses, row.as_of, row.evidence) == (2, 1, "2022-09-01", "文件")


def test_bad_commitments_are_named():
    with pytest.raises(DataError, match="kind 'often'"):
        track("often", [])
    with pytest.raises(DataError, match="needs a target"):
        track("count", [], target=np.nan)
    astray = pd.DataFrame({"commitment_id": ["x9"], "date": ["2022-01-01"], "achieved": [1]})
    with pytest.raises(DataError, match="x9"):
        evaluate.commitment_progress(commitment("count"), astray, "2022-12-31", "2020-12-31")


# --- projects and money ---


def ledger():
    columns = ["project_id", "kind", *evaluate.PROJECT_STEPS]
    rows = [
        ("p1", "primary", "2021-01-01", "2021-07-01", "2022-07-01", "2022-08-01", "2022-09-01"),
        ("p2", "primary", "2021-06-01", "2021-12-01", None, None, None),
        ("p3", "kindergarten", None, None, None, None, None),
        ("p4", "kindergarten", "2021-01-01", "2020-01-01", "2023-02-01", None, None),
    ]
    return pd.DataFrame(rows, columns=columns)


def test_project_ledger_at_the_cutoff():
    found = evaluate.project_progress(ledger(), "2022-12-31", due="2022-12-30").set_index("project_id")
    assert found["step"].tolist() == ["opened", "started", "planned", "started"]
    assert found["is_done"].tolist() == [True, False, False, False]
    # 396 days after the start, as p1 took, is 2023-01-01; but it is not completed, and p1 took 31 days from there
    assert found.loc["p2", "expected_done"] == "2023-01-31"
    assert pd.isna(found.loc["p3", "expected_done"])  # not approved: no step to reckon from
    assert found["is_late"].tolist() == [False, True, True, True]
    assert found["is_out_of_order"].tolist() == [False, False, False, True]
    assert pd.isna(found.loc["p4", "completed"])  # after the cutoff
    counts = evaluate.project_counts(found.reset_index()).set_index("kind")
    assert (counts[["planned", *evaluate.PROJECT_STEPS]].sum(axis=1) == counts["projects"]).all()
    assert counts.loc["primary", ["projects", "done", "late"]].tolist() == [2, 1, 1]


def test_a_project_not_started_at_the_cutoff_is_expected_after_those_started():
    rows = ledger()
    rows.loc[2, "approved"] = "2020-06-01"  # approved + 577 days lies before the cutoff
    found = evaluate.project_progress(rows, "2022-12-31", due="2025-12-31").set_index("project_id")
    assert found.loc["p3", "expected_done"] == "2024-01-31"  # the cutoff + 396 days from a start
    assert found.loc["p3", "expected_done"] > found.loc[["p2", "p4"], "expected_done"].max()
    rows.loc[0, "started"] = rows.loc[[1, 3], "started"] = None
    none = evaluate.project_progress(rows, "2022-12-31", due="2025-12-31").set_index("project_id")
    assert pd.isna(none.loc["p3", "expected_done"])  # nobody shows how long a started project takes


def test_without_a_date_nothing_is_late():
    assert not evaluate.project_progress(ledger(), "2022-12-31")["is_late"].any()


def money(**items):
    rows = [
        (item, 2020 + n, value, f"{2020 + n}-12-31")
        for item, values in items.items()
        for n, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["item", "year", "value", "as_of"])


def test_rules_about_money():
    figures = money(
        education_expenditure_yuan=[10.0, 10.0, 9.0],
        per_pupil_funds_primary_yuan=[5.0, 5.0, 6.0],
        teacher_pay_yuan=[3.0, 3.0, 4.0],
        civil_servant_pay_yuan=[3.0, 3.1, 3.5],
    )
    pupils = pd.DataFrame({"year": [2020, 2021, 2022], "students": [2.0, 2.0, 1.5]})
    found = evaluate.finance_checks(figures, "2022-12-31", students=pupils).set_index(["check", "year"])["is_met"]
    assert found["expenditure_never_falls"].tolist() == [pd.NA, True, False]
    assert found["per_pupil_expenditure_never_falls"].tolist() == [pd.NA, True, True]
    assert found["per_pupil_funds_primary_rise"].tolist() == [pd.NA, False, True]
    assert found["pay_not_below_civil_servants"].tolist() == [True, False, True]
    assert found["preschool_share_rises"].isna().all()


def test_money_after_the_cutoff_is_not_known_and_final_accounts_win():
    figures = money(education_expenditure_yuan=[10.0, 11.0])
    late = evaluate.finance_checks(figures, "2021-12-30")
    assert late.query("check == 'expenditure_never_falls'")["year"].tolist() == [2020]
    both = pd.concat(
        [figures.assign(status="决算"), money(education_expenditure_yuan=[99.0]).assign(status="快报")]
    )
    order = RULES["observation_status"]["order"]
    found = evaluate.finance_checks(both, "2022-12-31", order=order).query("check == 'expenditure_never_falls'")
    assert found["value"].tolist() == [10.0, 11.0]

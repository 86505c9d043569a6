"""Targets against forecasts: probabilities, changes still needed, targets for a next plan."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.errors import DataError
from planlib.forecast import feasible_targets, forecast, probability, required_change
from planlib.forecast.targets import share_below


def frame(values, kind="percent", series_id="a"):
    years = range(2023 - len(values), 2023)
    return pd.DataFrame({"series_id": series_id, "year": list(years), "value": values, "kind": kind})


def target(number, relation="≥", year=2025, series_id="a", **more):
    row = {"series_id": series_id, "year": year, "target": number, "relation": relation, **more}
    return pd.DataFrame([row])


def chance(values, number, relation="≥", kind="percent", **more):
    return probability(frame(values, kind), target(number, relation, **more))["probability"].iloc[0]


RISING = [80.0, 81.0, 82.5, 83.0, 84.0]


@given(st.lists(st.floats(1, 99), min_size=1, max_size=8), st.sampled_from([50.0, 80.0, 95.0]), st.integers(1, 15))
@settings(max_examples=40, deadline=None)
def test_probability_reads_the_forecasts_own_quantiles(values, level, ahead):
    """P(y <= upper bound of the 80 % interval) is 90 %: both read one distribution."""
    made = forecast(frame(values), ahead, levels=(level,)).iloc[-1]
    upper, lower = made[f"upper_{level:g}"], made[f"lower_{level:g}"]
    if 0 < upper < 100:
        assert chance(values, upper, "≤", year=2022 + ahead) == pytest.approx(0.5 + level / 200, abs=1e-6)
    if 0 < lower < 100:
        assert chance(values, lower, "≥", year=2022 + ahead) == pytest.approx(0.5 + level / 200, abs=1e-6)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8), st.floats(0, 100), st.floats(0, 100))
@settings(max_examples=40, deadline=None)
def test_a_higher_bar_is_never_likelier(values, one, two):
    low, high = sorted([one, two])
    if high == 100:
        high = 99.99
        low = min(low, high)
    assert chance(values, high) <= chance(values, low) + 1e-12
    assert chance(values, low, "≤") <= chance(values, high, "≤") + 1e-12
    assert 0 <= chance(values, high) <= 1


@given(st.lists(st.floats(1, 99), min_size=1, max_size=8), st.floats(1, 99))
@settings(max_examples=40, deadline=None)
def test_opposite_relations_add_to_one(values, bar):
    assert chance(values, bar, ">") + chance(values, bar, "≤") == pytest.approx(1)
    assert chance(values, bar, "≥") + chance(values, bar, "<") == pytest.approx(1)


def test_equal_and_about_are_read_as_reaching_from_the_side_of_the_last_value():
    for relation in ("=", "≈"):
        assert chance(RISING, 90.0, relation) == chance(RISING, 90.0, "≥")
        assert chance(RISING[::-1], 70.0, relation) == chance(RISING[::-1], 70.0, "≤")


def test_bounds_decide_what_is_impossible_or_sure():
    assert chance(RISING, 100.0, ">") == 0
    assert chance(RISING, 101.0, "≥") == 0
    assert chance(RISING, 0.0, "≥") == 1
    assert chance(RISING, 100.0, "≤") == 1
    assert chance(RISING, 0.0, "<") == 0


def test_a_share_that_stands_at_100_stays_there_as_often_as_others_did():
    """The longer it has stood there, the likelier; the further ahead, the less likely; never certain."""
    long, short = chance([100.0] * 6, 100.0, "="), chance([90.0, 100.0], 100.0, "=")
    assert 0.5 < short < long < 1
    assert chance([100.0] * 6, 100.0, year=2032) < chance([100.0] * 6, 100.0, year=2023)
    assert chance([98.0, 99.0], 100.0) < short


def test_what_stands_at_an_end_of_a_percentage_is_one_distribution():
    """Staying and leaving add to one, bars a little short of the end are not rarer, and 0 is read as 100 is."""
    held, empty = [100.0] * 3, [0.0] * 3
    assert chance(held, 100.0, "<") == pytest.approx(1 - chance(held, 100.0))
    assert chance(held, 100.0, precision=1) == chance(held, 100.0)
    assert chance(empty, 0.0, "≤") == chance(empty, 0.0, "=") == chance(held, 100.0)
    assert chance(empty, 0.0, ">") == pytest.approx(1 - chance(empty, 0.0, "≤"))
    for values in (held, [90.0, 100.0], [100.0, 99.0, 100.0]):
        nested = [chance(values, bar) for bar in (100.0, 99.99, 99.9, 99.0, 95.0)]
        assert nested == sorted(nested)
        mirrored = [chance([100 - v for v in values], 100 - bar, "≤") for bar in (100.0, 99.99, 99.9, 99.0, 95.0)]
        assert mirrored == sorted(mirrored)


def test_precision_moves_the_bar_by_half_of_the_last_decimal():
    assert chance(RISING, 90.0, "≥", precision=0) == chance(RISING, 89.5)
    assert chance(RISING, 90.0, ">", precision=0) == chance(RISING, 90.5)
    assert chance(RISING, 80.0, "≤", precision=1) == chance(RISING, 80.05, "≤")
    assert chance(RISING, 90.0, "≥", precision=np.nan) == chance(RISING, 90.0)


def test_a_running_total_that_is_there_stays_there():
    met = probability(frame([100.0, 900.0, 1020.0], "cumulative"), target(1000)).iloc[0]
    assert (met["probability"], met["note"]) == (1.0, "reached")
    assert chance([100.0, 900.0, 1020.0], 1000, "<", "cumulative") == 0
    assert chance([100.0, 900.0, 1020.0], 1000, "=", "cumulative") == 1
    assert 0 < chance([100.0, 500.0, 900.0], 1000, "≥", "cumulative") < 1


def test_a_share_that_meets_its_target_now_may_lose_it():
    found = probability(frame([96.0, 95.0, 96.5, 95.5]), target(95.0)).iloc[0]
    assert found["note"] == "meets_now"
    assert 0.5 < found["probability"] < 1


def test_a_year_that_is_known_is_judged_not_forecast():
    rows = pd.concat([target(84.0, year=2022), target(84.0, ">", year=2022), target(82.0, "≤", year=2019)])
    found = probability(frame(RISING), rows)
    assert found["probability"].tolist() == [1.0, 0.0, 1.0]
    assert set(found["note"]) == {"observed"}
    assert found["last_year"].tolist() == [2022, 2022, 2019]


def test_targets_come_back_in_their_order_one_row_each():
    both = pd.concat([frame(RISING), frame(RISING[::-1], series_id="b")])
    rows = pd.concat([target(90, series_id="b"), target(90), target(80, series_id="b", relation="≤")])
    found = probability(both, rows)
    assert found["series_id"].tolist() == ["b", "a", "b"]
    assert found["horizon"].tolist() == [3, 3, 3]
    assert found["probability"].is_monotonic_increasing


BAD = {
    "no series": (target(90, series_id="zz"), "no observations of this series"),
    "relation": (target(90, relation=">>"), "relation is none of"),
    "number": (target("much"), "target is not a number"),
    "year": (target(90, year="soon"), "not a year"),
    "too far": (target(90, year=2040), "18 years after the last value"),
    "too early": (target(90, year=2001), "every value is later"),
    "columns": (target(90).drop(columns="relation"), "columns relation are missing"),
}


@pytest.mark.parametrize("function", [probability, required_change])
@pytest.mark.parametrize("fault", BAD)
def test_bad_targets_are_named(fault, function):
    rows, message = BAD[fault]
    with pytest.raises(DataError, match="To do") as caught:
        function(frame(RISING), rows)
    assert message in str(caught.value)


def test_share_below_inverts_a_known_distribution():
    """Uniform on 0..1 with quantiles at every tenth: P(y < 0.35) lies between 0.3 and 0.4."""
    shares = np.arange(1, 10) / 10
    found = share_below(np.tile(shares, (3, 1)), shares, np.array([0.3, 0.35, 0.5]), True)
    assert found[0] == pytest.approx(0.3)
    assert 0.3 < found[1] < 0.4
    assert found[2] == pytest.approx(0.5)


def test_without_any_width_the_value_itself_is_certain():
    flat, shares = np.zeros((3, 3)), np.array([0.2, 0.5, 0.8])
    points = np.array([-1.0, 0.0, 1.0])
    assert share_below(flat, shares, points, True).round(9).tolist() == [0, 0, 1]
    assert share_below(flat, shares, points, False).round(9).tolist() == [0, 1, 1]


def test_required_change_is_the_rest_over_the_years_left():
    found = required_change(frame([90.0, 91.0, 92.0]), target(98.0)).iloc[0]
    assert found["required_change"] == 2.0
    assert found["recent_change"] == 1.0
    assert found["recent_years"] == 2  # three values
    assert found["years_left"] == 3
    assert found["rarity"] == pytest.approx(chance([90.0, 91.0, 92.0], 98.0))


def test_a_steeper_way_is_rarer_also_downwards():
    rows = pd.concat([target(t, "≤") for t in (9.0, 7.0, 5.0)])
    found = required_change(frame([11.0, 10.5, 10.0], "positive"), rows)
    assert found["required_change"].is_monotonic_decreasing
    assert found["rarity"].is_monotonic_decreasing
    assert found["percentile"].is_monotonic_decreasing


def test_rarity_knows_bounds_holding_and_totals_as_the_probability_does():
    """What cannot be is not rare but impossible; what is reached for good is common."""
    impossible = required_change(frame([90.0, 91.0, 92.0]), target(100.0, ">")).iloc[0]
    assert (impossible["rarity"], impossible["percentile"]) == (0, 1)
    holds = required_change(frame([100.0] * 3), target(100.0, "=")).iloc[0]
    assert holds["rarity"] == chance([100.0] * 3, 100.0, "=")
    reached = required_change(frame([100.0, 900.0, 1020.0], "cumulative"), target(1000)).iloc[0]
    assert (reached["rarity"], reached["percentile"]) == (1, 0)


def test_no_change_is_required_for_a_year_that_is_known():
    found = required_change(frame([90.0, 91.0]), target(95.0, year=2022)).iloc[0]
    assert np.isnan(found["required_change"])
    assert found["note"] == "observed"


def test_feasible_targets_are_reached_as_often_as_they_say():
    made = feasible_targets(frame(RISING), 2025).iloc[0]
    for name, share in (("cautious", 0.8), ("likely", 0.5), ("ambitious", 0.2)):
        assert chance(RISING, made[name]) == pytest.approx(share, abs=1e-6)
    down = feasible_targets(frame(RISING).assign(direction="fall"), 2025).iloc[0]
    assert down["ambitious"] < down["likely"] < down["cautious"]


def test_feasible_targets_stay_inside_bounds_and_never_below_a_total():
    assert feasible_targets(frame([99.0, 99.9]), 2032)["ambitious"].iloc[0] <= 100
    assert feasible_targets(frame([5.0, 9.0], "cumulative"), 2025)["cautious"].iloc[0] >= 9


@pytest.mark.parametrize(
    ("year", "shares"), [(2022, (0.8, 0.5, 0.2)), (2060, (0.8, 0.5, 0.2)), (2025, (0.2, 0.5, 0.8))]
)
def test_feasible_targets_refuse_what_makes_no_sense(year, shares):
    with pytest.raises(DataError, match="To do"):
        feasible_targets(frame(RISING), year, shares)

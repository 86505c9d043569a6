"""Forecasts: what must hold for any series, and what bad input says."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.errors import DataError
from planlib.forecast import forecast, probability
from planlib.forecast.fit import examples
from planlib.forecast.histories import histories
from planlib.forecast.model import at_shares
from planlib.forecast.table import SHIPPED, dump, read_table, shipped

COLUMNS = ["median", "lower_80", "upper_80", "lower_95", "upper_95"]


def frame(values, kind=None, years=None, series_id="a"):
    years = range(2023 - len(values), 2023) if years is None else years
    found = pd.DataFrame({"series_id": series_id, "year": list(years), "value": values})
    return found if kind is None else found.assign(kind=kind)


@st.composite
def histories_of(draw, kinds=("percent", "positive", "real", "cumulative")):
    """One to four series of one to nine values, with gaps."""
    parts = []
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(kinds))
        low, high = {"percent": (0, 100), "real": (-1000, 1000)}.get(kind, (0, 100_000))
        size = draw(st.integers(1, 9))
        values = draw(st.lists(st.decimals(low, high, places=2).map(float), min_size=size, max_size=size))
        years = draw(st.lists(st.integers(2005, 2022), min_size=size, max_size=size, unique=True))
        values = sorted(values) if kind == "cumulative" else values
        parts.append(frame(values, kind, sorted(years), f"s{number}"))
    return pd.concat(parts, ignore_index=True)


@given(histories_of())
@settings(max_examples=50, deadline=None)
def test_quantiles_do_not_cross_and_stay_inside_bounds(observations):
    found = forecast(observations, 15, levels=(50, 80, 95, 99.9))
    order = ["lower_99.9", "lower_95", "lower_80", "lower_50", "median"]
    order += ["upper_50", "upper_80", "upper_95", "upper_99.9"]
    assert np.isfinite(found[order].to_numpy()).all()
    assert (np.diff(found[order].to_numpy(), axis=1) >= -1e-9).all()
    kind = found["series_id"].map(observations.groupby("series_id")["kind"].first())
    percent, total = found[kind == "percent"], found[kind == "cumulative"]
    assert ((percent[order] >= 0) & (percent[order] <= 100)).all().all()
    assert (found.loc[kind != "real", order] >= 0).all().all()
    rises = total.groupby("series_id")[order].diff().dropna()
    assert (rises >= -1e-9).all().all()
    assert (total["lower_99.9"] >= total["naive"]).all()


@given(histories_of(("rate", "count", "real", "cumulative")), st.sampled_from([0.001, 0.5, 3.0, 10_000.0]))
@settings(max_examples=50, deadline=None)
def test_a_change_of_unit_changes_only_the_unit(observations, factor):
    here = forecast(observations, 5)
    there = forecast(observations.assign(value=observations["value"] * factor), 5)
    size = observations["value"].abs().max() * factor + 1e-9
    np.testing.assert_allclose(there[COLUMNS] / size, here[COLUMNS] * factor / size, atol=1e-7)


@given(histories_of(), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_order_of_rows_is_irrelevant(observations, random):
    rows = list(range(len(observations)))
    random.shuffle(rows)
    here = forecast(observations, 4).set_index(["series_id", "year"]).sort_index()
    there = forecast(observations.iloc[rows], 4).set_index(["series_id", "year"]).sort_index()
    pd.testing.assert_frame_equal(here, there)


@given(histories_of(), st.integers(2010, 2022))
@settings(max_examples=40, deadline=None)
def test_series_do_not_see_each_other_nor_what_came_later(observations, cutoff):
    """A series alone, its history cut at a year, gives what it gives among others: nothing leaks in."""
    known = observations[observations["year"] <= cutoff]
    if known.empty:
        return
    together = forecast(known, 3)
    for name, own in known.groupby("series_id"):
        alone = forecast(own, 3)
        among = together[together["series_id"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, among, rtol=1e-9)


def test_values_after_the_targets_year_are_not_used():
    early = frame([80.0, 82.0, 83.0, 85.0], "percent", range(2017, 2021))
    later = pd.concat([early, frame([11.0, 7.0], "percent", [2023, 2024])])
    target = pd.DataFrame({"series_id": ["a"], "year": [2022], "target": [86.0], "relation": ["≥"]})
    pd.testing.assert_frame_equal(probability(early, target), probability(later, target))


@given(histories_of())
@settings(max_examples=60, deadline=None)
def test_widths_grow_with_the_horizon_on_the_whole(observations):
    found = forecast(observations.assign(kind="real", value=observations["value"] - 50.0), 15)
    wide = (found["upper_80"] - found["lower_80"]).to_numpy().reshape(-1, 15)
    assert (wide[:, 14] >= 0.99 * wide[:, 0]).all()


def test_one_value_is_forecast_unchanged_with_the_widest_interval():
    one, many = frame([60.0], "percent"), frame([59.0, 60.5, 59.5, 60.5, 59.5, 60.0], "percent")
    short, long = forecast(one, 5), forecast(many, 5)
    assert (short["median"] == 60.0).all()
    assert (short["expected_skill"] == 0).all()
    assert set(short["note"]) == {"single_value"}
    assert ((short["upper_95"] - short["lower_95"]) > (long["upper_95"] - long["lower_95"])).all()


@pytest.mark.parametrize("n", [2, 3])
def test_two_and_three_values_have_tables_of_their_own(n):
    found = forecast(frame([60.0, 61.0, 62.0][:n], "percent"), 3)
    assert set(found["note"]) == {"short_history"}
    assert shipped().block("percent", n).centre.shape[0] == len(shipped().horizons)
    assert (found["lower_95"] < found["median"]).all()


def test_a_constant_series_keeps_a_floor_of_uncertainty():
    found = forecast(frame([98.0] * 5, "percent"), 5)
    assert (found["median"] == 98.0).all()
    assert (found["upper_95"] - found["lower_95"] > 0.1).all()
    assert set(found["note"]) == {"constant"}


def test_all_zeros_say_that_no_width_can_be_given():
    found = forecast(frame([0.0] * 4, "positive"), 2)
    assert (found[COLUMNS] == 0).all().all()
    assert set(found["note"]) == {"constant;no_scale"}


def test_gaps_count_as_years():
    """The same two steps over four years are slower change than over two, and say less of each year."""
    dense = forecast(frame([50.0, 52.0, 54.0], "real", [2020, 2021, 2022]), 1)
    gappy = forecast(frame([50.0, 52.0, 54.0], "real", [2018, 2020, 2022]), 1)
    assert gappy["median"].iloc[0] < dense["median"].iloc[0]
    assert gappy["note"].iloc[0] == "short_history;gaps"
    assert gappy["year"].iloc[0] == 2023


def test_missing_values_are_years_without_a_value_and_said():
    with_hole = forecast(frame([50.0, np.nan, 54.0], "real", [2020, 2021, 2022]), 1)
    without = forecast(frame([50.0, 54.0], "real", [2020, 2022]), 1)
    pd.testing.assert_frame_equal(with_hole[COLUMNS], without[COLUMNS])
    assert with_hole["note"].iloc[0] == "short_history;gaps;missing_values"


def test_kind_is_inferred_and_said_where_it_is_absent():
    both = pd.concat([frame([5.0, 6.0, 7.0, 8.0]), frame([-1.0, 2.0, 3.0, 2.0], series_id="b")])
    found = forecast(both, 2)
    assert (found["note"] == "kind_inferred").all()
    assert (found.loc[found["series_id"] == "a", "lower_95"] >= 0).all()
    given_kind = forecast(both.assign(kind=np.where(both["series_id"] == "a", "positive", "real")), 2)
    pd.testing.assert_frame_equal(found[COLUMNS], given_kind[COLUMNS])


def test_given_bounds_hold_and_are_read_per_series():
    rows = frame([8.0, 9.0, 9.9], "positive").assign(lower_bound=7.5, upper_bound=10.0)
    found = forecast(rows, 5)
    assert found["upper_95"].max() == 10.0
    assert found["lower_95"].min() == 7.5


def test_output_follows_the_series_given_with_their_types():
    rows = pd.concat([frame([5.0, 6.0], series_id="z"), frame([5.0, 6.0], series_id="b")])
    found = forecast(rows, 2)
    assert found["series_id"].tolist() == ["z", "z", "b", "b"]
    assert found["year"].tolist() == [2023, 2024, 2023, 2024]
    assert found["year"].dtype.kind == "i"
    assert list(found) == ["series_id", "year", *COLUMNS, "naive", "expected_skill", "note"]


def test_interpolation_of_shares_is_linear_in_log_odds():
    """Of a logistic distribution the quantiles are the log odds themselves, also beyond the outermost."""
    shares = np.array([0.1, 0.25, 0.5, 0.9])
    quantiles = np.log(shares / (1 - shares))[None]
    wanted = np.array([0.01, 0.3, 0.6, 0.99])
    np.testing.assert_allclose(at_shares(quantiles, shares, wanted)[0], np.log(wanted / (1 - wanted)))


def test_few_persons_widen_a_percentage():
    rows = frame([60.0, 62.0, 61.0, 63.0], "percent")
    widths = []
    for persons in (50, 500, 5000, None):
        found = forecast(rows.assign(denominator=persons), 2)
        widths.append(found["upper_95"] - found["lower_95"])
        assert (found["median"] == forecast(rows, 2)["median"]).all()
    assert all((wide > narrow).all() for wide, narrow in pairwise(widths))
    pd.testing.assert_series_equal(widths[-1], forecast(rows, 2)["upper_95"] - forecast(rows, 2)["lower_95"])
    assert (widths[0] >= 2 * 1.96 * 100 * np.sqrt(0.63 * 0.37 / 50) - 0.5).all()


BAD = {
    "denominator": (frame([1.0, 2.0], "percent").assign(denominator=[10, 0]), "not a number of persons: 0"),
    "denominator of a count": (frame([1.0, 2.0], "count").assign(denominator=10), "belongs to a percentage"),
    "duplicate year": (frame([1.0, 2.0], years=[2020, 2020]), "year 2020: more than one value"),
    "text": (frame([1.0, "much"]), "not a number: 'much'"),
    "infinite": (frame([1.0, np.inf]), "infinite value"),
    "all missing": (frame([np.nan, np.nan]), "all values are missing"),
    "outside": (frame([99.0, 101.0], "percent"), "101 is outside 0 to 100"),
    "negative count": (frame([-1.0, 1.0], "positive"), "-1 is outside 0"),
    "falls": (frame([5.0, 4.0], "cumulative"), "falls from 5 to 4"),
    "odd year": (frame([1.0, 2.0], years=[2020.5, 2021]), "not a year"),
    "kind": (frame([1.0, 2.0], "percentage"), "kind 'percentage'"),
    "two kinds": (frame([1.0, 2.0]).assign(kind=["real", "positive"]), "more than one kind"),
    "bounds": (frame([1.0]).assign(lower_bound=3.0, upper_bound=2.0), "lower bound above upper"),
    "no id": (frame([1.0]).assign(series_id=None), "no series_id"),
    "empty": (frame([]), "no rows"),
    "columns": (frame([1.0]).drop(columns="value"), "columns value are missing"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_observations_are_named(fault):
    observations, message = BAD[fault]
    with pytest.raises(DataError, match="To do") as caught:
        forecast(observations, 3)
    assert message in str(caught.value)


def test_all_faults_are_listed_at_once():
    rows = pd.concat([frame(["x", 1.0]), frame([np.inf, 1.0], series_id="b")])
    with pytest.raises(DataError) as caught:
        forecast(rows, 2)
    assert "series a, year 2021" in str(caught.value)
    assert "series b, year 2021" in str(caught.value)


@pytest.mark.parametrize("horizon", [0, -1, 16, 200, 2.5, "3", True, None])
def test_impossible_horizons_are_refused(horizon):
    with pytest.raises(DataError, match="1 to 15"):
        forecast(frame([1.0, 2.0]), horizon)


@pytest.mark.parametrize("levels", [(), (0,), (100,), (80, 80), (-5,), ("95",)])
def test_impossible_levels_are_refused(levels):
    with pytest.raises(DataError, match="levels must be"):
        forecast(frame([1.0, 2.0]), 2, levels=levels)


def test_the_shipped_table_says_where_it_comes_from():
    about = shipped().about
    assert about["schema_version"] == 1
    assert {s["licence"] for s in about["sources"].values()} == {"CC BY 4.0", "MIT"}
    assert all(len(s["sha256"]) == 64 for s in about["sources"].values())
    assert SHIPPED.stat().st_size < 1_000_000


def test_a_table_survives_being_written_and_read(tmp_path):
    (tmp_path / "t.json").write_text(dump(shipped()), encoding="utf-8")
    assert (tmp_path / "t.json").read_bytes() == SHIPPED.read_bytes()
    assert read_table(tmp_path / "t.json").blocks.keys() == shipped().blocks.keys()


@pytest.mark.parametrize("text", ["", "[]", '{"schema_version": 99}'])
def test_a_file_that_is_no_table_is_refused(tmp_path, text):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(DataError, match="fit_forecast_table"):
        read_table(tmp_path / "t.json")


def test_statsmodels_is_not_needed_to_forecast():
    code = "import sys, planlib.forecast; sys.exit('statsmodels' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_histories_keep_the_last_values_of_long_series():
    h = histories(frame([float(i) for i in range(10)], "real"))
    _, _, windows = next(h.groups())
    assert windows.values.tolist() == [[4.0, 5.0, 6.0, 7.0, 8.0, 9.0]]


@pytest.mark.parametrize(("values", "kind"), [([118.0, 99.0, 121.0], "count"), ([18.0, 19.0, 21.0], "rate")])
def test_whole_numbers_that_reach_a_hundred_are_counts(values, kind):
    pd.testing.assert_frame_equal(forecast(frame(values, "positive"), 3), forecast(frame(values, kind), 3))


def test_a_series_with_more_votes_weighs_more_when_a_table_is_learnt():
    both = pd.concat([frame([1.0, 2.0, 3.0, 4.0], "rate", series_id=name) for name in "ab"])
    cases = examples(both.assign(group="g", votes=np.repeat([1.0, 4.0], 4)), "rate", 2, (1,))
    np.testing.assert_allclose(cases.weight, np.repeat([1.0, 4.0], 2) / np.sqrt(2))
    np.testing.assert_allclose(examples(both.assign(group="g"), "rate", 2, (1,)).weight, np.sqrt(0.5))

"""Back-tests: published cases, scores checked by hand, nothing later than the origin."""

import numpy as np
import pandas as pd
import pytest

from planlib.errors import DataError
from planlib.forecast import backtest, forecast
from planlib.forecast.backtest import calibration_error, trials
from planlib.forecast.reference import METHODS

SHARES = np.array([0.025, 0.1, 0.5, 0.9, 0.975])
VALUES = [50.0, 51.0, 53.0, 52.0, 54.0, 55.0, 57.0, 56.0, 58.0, 60.0]


def frame(values=VALUES, series_id="a", first=2012, **more):
    rows = {"series_id": series_id, "year": range(first, first + len(values)), "value": values}
    return pd.DataFrame(rows).assign(**more)


def median(method, values, horizon):
    return METHODS[method](np.array(values, dtype=float), horizon, SHARES)[:, 2]


def test_the_grey_model_gives_the_textbook_case():
    """Deng's sequence 2.874, 3.278, 3.337, 3.390, 3.679: a = -0.0372, b = 3.0654, so 3.7504 comes next."""
    made = median("grey", [2.874, 3.278, 3.337, 3.390, 3.679], 1)[0]
    a, b = -0.0372, 3.0654
    sums = [(2.874 - b / a) * np.exp(-a * k) + b / a for k in (4, 5)]
    assert made == pytest.approx(sums[1] - sums[0], abs=5e-3)


def test_simple_references_follow_their_formulas():
    assert median("drift", [1, 2, 5], 2) == pytest.approx([7, 9])
    assert median("trend_line", [1, 2, 3, 4], 2) == pytest.approx([5, 6])
    assert median("damped_drift", [1, 2, 3], 2) == pytest.approx([3 + 0.6, 3 + 0.6 * 1.9])
    assert median("random_walk", [3, 1, 4, 1, 5], 3) == pytest.approx([5, 5, 5])


def test_the_random_walk_uses_students_t():
    """Four changes of size one: 2.776 and 1.533 are the 97.5 and 90 % points of t with four degrees."""
    made = METHODS["random_walk"](np.array([0.0, 1.0, 0.0, 1.0, 0.0]), 1, SHARES)[0]
    assert made == pytest.approx([-2.776, -1.533, 0, 1.533, 2.776], abs=0.01)


@pytest.mark.parametrize("method", ["damped_holt", "theta", "arima"])
def test_statsmodels_methods_answer_or_say_that_they_cannot(method):
    made = METHODS[method](np.array(VALUES), 3, SHARES)
    assert made.shape == (3, 5)
    assert (np.diff(made, axis=1) > 0).all()
    assert 50 < made[0, 2] < 70
    assert METHODS[method](np.full(8, 3.0), 3, SHARES) is None
    assert METHODS[method](np.array([1.0, 2.0, 4.0]), 3, SHARES) is None


def test_trials_know_only_what_was_known():
    """Ten values, at least three known: origins at the third to the ninth; the last has one value to be scored on."""
    t = trials(frame(), horizon=2, least=3)
    assert t.known.count.tolist() == [3, 4, 5, 6, 7, 8, 9]
    assert t.last.tolist() == VALUES[2:9]
    assert t.actual[0].tolist() == [52.0, 54.0]
    assert t.actual[-1][0] == 60.0
    assert np.isnan(t.actual[-1][1])
    assert t.size[0] == pytest.approx((1 + 2) / 2)
    assert trials(frame(), 2, 3, origins=2).known.count.tolist() == [8, 9]


def test_planlibs_row_is_what_forecast_gives_from_each_origin():
    found = backtest(frame(kind="rate"), methods=("planlib", "naive"), horizon=1, least=3, draws=2).set_index(
        "method"
    )
    errors, inside = [], []
    for n in range(3, 10):
        made = forecast(frame(VALUES[:n], kind="rate"), 1).iloc[0]
        errors.append(abs(VALUES[n] - made["median"]))
        inside.append(made["lower_80"] <= VALUES[n] <= made["upper_80"])
    assert found.loc["planlib", "mae"] == pytest.approx(np.mean(errors))
    assert found.loc["planlib", "cover_80"] == pytest.approx(100 * np.mean(inside))


def test_scores_of_no_change_by_hand():
    """Values 10, 12, 12, 16 with two known: errors 0 and 4 then 4; scales 2 and 1."""
    found = backtest(frame([10.0, 12.0, 12.0, 16.0]), methods=("naive",), horizon=2, least=2, draws=2).iloc[0]
    assert found["mae"] == pytest.approx((0 + 4 + 4) / 3)
    assert found["mase"] == pytest.approx((0 / 2 + 4 / 2 + 4 / 1) / 3)
    assert found["smape"] == pytest.approx(200 * (0 + 4 / 28 + 4 / 28) / 3)
    assert found["owa"] == 1.0
    assert (found["trials"], found["forecasts"]) == (2, 3)
    assert np.isnan(found["owa_minus_planlib"])


def test_interval_scores_punish_what_lies_outside():
    """No width: the 80 % score is 2 / 0.2 times the distance, the CRPS the distance itself."""
    found = backtest(frame([10.0, 12.0, 13.0]), methods=("naive",), horizon=1, least=2, draws=2).iloc[0]
    assert found["msis_80"] == pytest.approx(10 * 1 / 2)
    assert found["msis_95"] == pytest.approx(40 * 1 / 2)
    assert found["crps"] == pytest.approx(1 / 2, rel=0.02)


def test_the_bootstrap_draws_whole_groups_in_pairs():
    both = pd.concat([frame(series_id=f"s{i}", place=i % 3) for i in range(6)])
    found = backtest(both, methods=("planlib", "drift", "naive"), horizon=2, group="place", draws=20)
    found = found.set_index("method")
    assert found.loc["planlib", "difference_se"] == 0
    assert found.loc["naive", "owa_se"] == 0
    assert found["owa_se"].max() < 1e-9, "equal groups: it does not matter which are drawn"


def test_one_group_alone_has_no_standard_error():
    found = backtest(frame(), methods=("planlib", "naive"), horizon=2, draws=5)
    assert found[["owa_se", "difference_se"]].isna().all(axis=None)


def test_calibration_error_is_zero_for_honest_probabilities():
    chance = np.repeat([0.1, 0.6], 10)
    assert calibration_error(chance, np.r_[np.eye(10)[0], np.repeat([1, 0], [6, 4])]) == pytest.approx(0)


@pytest.mark.parametrize(
    ("observations", "methods", "message"),
    [(frame(), ("oracle",), "unknown methods oracle"), (frame([1.0, 2.0]), ("naive",), "no series has 3 values")],
)
def test_bad_calls_are_named(observations, methods, message):
    with pytest.raises(DataError, match=message):
        backtest(observations, methods=methods)

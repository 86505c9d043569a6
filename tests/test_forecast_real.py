"""Forecasts against real series that the shipped table has never seen: countries held back, Korea's provinces' kin."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from planlib.forecast import forecast
from planlib.forecast.fit import fold_of
from planlib.forecast.pool import AGGREGATES, counts, world_bank
from planlib.forecast.table import shipped

REAL = os.environ.get("PLANLIB_REAL_DATA")
pytestmark = pytest.mark.usefixtures("real_data")
TOOL = Path(__file__).parents[1] / "tools" / "fit_forecast_table.py"
HORIZON = 5


def held_back() -> pd.DataFrame:
    """The series of the countries that the table was not fitted on."""
    bank = world_bank(pd.read_csv(Path(REAL) / "wdi_education.csv.gz"))
    people = counts(pd.read_csv(Path(REAL) / "ppts_easia_weuro_world.csv.gz"))
    both = pd.concat([bank, people], ignore_index=True)
    return both[both["group"].map(fold_of) == 0]


def last_windows(series: pd.DataFrame, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The last n + 5 consecutive years of each series: what is known, and what followed."""
    rows = series.sort_values(["series_id", "year"])
    rows = rows.assign(run=(rows.groupby("series_id")["year"].diff() != 1).cumsum())
    length = rows.groupby("run")["year"].transform("size")
    rows = rows[length >= n + HORIZON]
    rows = rows[rows["run"] == rows.groupby("series_id")["run"].transform("max")]
    back = rows.groupby("series_id").cumcount(ascending=False)
    return rows[(back >= HORIZON) & (back < HORIZON + n)], rows[back < HORIZON]


@pytest.fixture(scope="module")
def scored() -> dict[int, pd.DataFrame]:
    series = held_back()
    found = {}
    for n in (2, 3, 4, 5, 6, 8):
        known, after = last_windows(series, n)
        made = forecast(known[["series_id", "kind", "year", "value"]], HORIZON)
        found[n] = made.merge(after[["series_id", "kind", "year", "value"]], on=["series_id", "year"])
    return found


def test_the_table_holds_no_country_that_is_scored():
    held = set(shipped().about["held_back"]["groups"])
    assert held
    assert held == {g for g in held if fold_of(g) == 0}
    assert not held & AGGREGATES
    assert held >= set(held_back()["group"])


def test_intervals_cover_what_they_say(scored):
    """80 and 95 % intervals of 700 to 1,200 series per n: within 5 and 3 points."""
    for n, made in scored.items():
        inside = {
            level: made["value"].between(made[f"lower_{level}"] - 1e-9, made[f"upper_{level}"] + 1e-9).mean()
            for level in (80, 95)
        }
        assert inside[80] == pytest.approx(0.80, abs=0.05), (n, inside)
        assert inside[95] == pytest.approx(0.95, abs=0.03), (n, inside)


def test_the_median_is_not_worse_than_no_change(scored):
    """Mean absolute error in the scale of each series' own movement, against naive, over all kinds."""
    for n, made in scored.items():
        size = made.groupby("series_id")["value"].transform(lambda x: x.diff().abs().mean())
        ok = size > 0
        ours = (made["value"] - made["median"]).abs()[ok] / size[ok]
        naive = (made["value"] - made["naive"]).abs()[ok] / size[ok]
        assert np.minimum(ours, 50).mean() < np.minimum(naive, 50).mean() * (1.01 if n == 2 else 1.0), n


def test_both_sides_are_missed_alike(scored):
    for n, made in scored.items():
        above = (made["value"] > made["upper_80"] + 1e-9).mean()
        below = (made["value"] < made["lower_80"] - 1e-9).mean()
        assert abs(above - below) < 0.06, n


def test_grades_of_a_city_never_fitted_are_covered():
    """Baltimore, all schools by grade, origins 2008 to 2019: counts of a district, not of a nation."""
    rows = pd.read_csv(
        Path(REAL) / "baltimore_bcpss_enrollment.csv.gz", dtype={"school_number": str, "grade": str}
    )
    rows = rows[(rows["race"] == "All") & (rows["school_number"] != "0") & rows["grade"].notna()]
    grades = rows.groupby(["grade", "year"], as_index=False)["enrolled_count"].sum()
    grades = grades.rename(columns={"grade": "series_id", "enrolled_count": "value"}).assign(kind="positive")
    hits = []
    for origin in range(2008, 2020):
        made = forecast(grades[grades["year"].between(origin - 4, origin)], HORIZON).merge(
            grades, on=["series_id", "year"]
        )
        hits.append([made["value"].between(made[f"lower_{x}"], made[f"upper_{x}"]).mean() for x in (80, 95)])
    assert np.mean(hits, axis=0) == pytest.approx([0.80, 0.95], abs=0.08)


@pytest.mark.parametrize("persons", [50, 500, 5000])
def test_intervals_cover_percentages_of_few_persons(persons):
    """Held-back percentages as a place with so few persons would count them: binomial draws, five values known."""
    series = held_back()
    known, after = last_windows(series[series["kind"] == "percent"], 5)
    random = np.random.default_rng(persons)
    seen = known.assign(value=100 * random.binomial(persons, known["value"] / 100) / persons, denominator=persons)
    comes = after.assign(value=100 * random.binomial(persons, after["value"] / 100) / persons)
    made = forecast(seen.drop(columns=["group", "run"]), HORIZON).merge(comes, on=["series_id", "year"])
    inside = [made["value"].between(made[f"lower_{x}"] - 1e-9, made[f"upper_{x}"] + 1e-9).mean() for x in (80, 95)]
    assert inside[0] == pytest.approx(0.84, abs=0.06), inside
    assert inside[1] == pytest.approx(0.96, abs=0.03), inside


@pytest.mark.full
def test_the_shipped_table_is_reproduced_byte_by_byte():
    done = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

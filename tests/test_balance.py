"""The coefficient of variation between schools against published examples, a slow loop and its own laws."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.balance import balance_table, check_caps, coefficient_of_variation, composite
from planlib.errors import DataError, UsageError

# A published worked example: pupils and library books of five schools.
PUPILS = [45, 37, 89, 76, 55]
BOOKS = [279, 137, 935, 160, 402]
# Jiujiang district 2023, primary: mean, deviation, coefficient of the seven resources, and the composite.
JIUJIANG = [
    (5.515273, 1.643162, 0.297929),
    (0.887611, 0.445392, 0.501787),
    (0.879277, 0.353427, 0.401952),
    (4.563288, 1.316139, 0.288419),
    (7.925946, 2.975795, 0.375450),
    (2496.674864, 780.914372, 0.312782),
    (2.784743, 1.097759, 0.394205),
]


def slow(resource, students):
    """Return the coefficient school by school, in the order the official text gives."""
    pairs = [(r, p) for r, p in zip(resource, students, strict=True) if p > 0 and not math.isnan(r)]
    pupils = sum(p for _, p in pairs)
    mean = sum(r for r, _ in pairs) / pupils
    return math.sqrt(sum(p / pupils * (r / p - mean) ** 2 for r, p in pairs)) / mean


def test_published_example_of_five_schools():
    table = balance_table(pd.DataFrame({"students": PUPILS, "books": BOOKS}), resources=["books"])
    row = table.iloc[0]
    assert row["mean"] == pytest.approx(1913 / 302, abs=1e-9)
    assert row["mean"] == pytest.approx(6.334437, abs=5e-7)
    assert row["sd"] == pytest.approx(3.263861, abs=5e-7)
    assert row["cv"] == pytest.approx(0.515257, abs=5e-7)
    assert row["cv"] == pytest.approx(slow(BOOKS, PUPILS), abs=1e-12)
    exact = sum(
        Fraction(p, 302) * (Fraction(302 * r, 1913 * p) - 1) ** 2 for r, p in zip(BOOKS, PUPILS, strict=True)
    )
    assert coefficient_of_variation(BOOKS, PUPILS) == pytest.approx(math.sqrt(exact), abs=1e-12)


def test_unweighted_forms_are_other_numbers():
    ratio = np.array(BOOKS) / np.array(PUPILS)
    assert coefficient_of_variation(BOOKS, PUPILS) != pytest.approx(ratio.std() / ratio.mean(), abs=0.02)
    assert coefficient_of_variation(BOOKS, PUPILS) != pytest.approx(ratio.std(ddof=1) / ratio.mean(), abs=0.02)


@pytest.mark.parametrize(("mean", "sd", "cv"), JIUJIANG)
def test_jiujiang_coefficients_from_two_schools_with_its_mean_and_deviation(mean, sd, cv):
    resource = [1000 * (mean - sd), 1000 * (mean + sd)]
    assert coefficient_of_variation(resource, [1000, 1000]) == pytest.approx(cv, abs=2e-6)


def test_published_composites():
    assert composite([cv for *_, cv in JIUJIANG]) == pytest.approx(0.367503, abs=1e-6)
    luyang = [0.881, 1.299, 0.977, 0.379, 0.170, 0.334, 0.286, 0.408]
    assert composite(luyang) == pytest.approx(0.592, abs=5e-4)
    luyang_junior = [0.353, 0.784, 0.146, 0.491, 0.037, 0.226, 0.223, 0.253]
    assert composite(luyang_junior) == pytest.approx(0.314, abs=5e-4)
    nanguan = [0.393, 0.578, 0.372, 0.246, 0.208, 0.311, 0.311, 0.455]
    assert composite(nanguan) == pytest.approx(0.359, abs=5e-4)
    ningguo = [
        [0.677, 0.674, 0.618, 0.519, 0.597, 0.167, 0.759],
        [0.542, 1.055, 0.507, 0.587, 0.686, 0.254, 0.496],
    ]
    np.testing.assert_allclose(composite(ningguo), [0.573, 0.5896], atol=5e-5)
    np.testing.assert_array_equal(composite(ningguo, "max"), [0.759, 1.055])


def test_a_good_composite_hides_a_coefficient_over_its_cap():
    rows = [("primary", f"r{i}", cv) for i, (*_, cv) in enumerate(JIUJIANG)] + [("primary", "composite", 0.367503)]
    table = pd.DataFrame(rows, columns=["stage", "resource", "cv"])
    each = check_caps(table, {"primary": 0.50})
    assert each.loc[each["is_within"].eq(False).fillna(False), "resource"].tolist() == ["r1"]
    assert pd.isna(each["is_within"].iloc[-1])
    whole = check_caps(table, {"primary": 0.65}, "composite")
    assert whole["is_within"].iloc[-1]
    assert whole["is_within"].iloc[:-1].isna().all()


def test_caps_are_inclusive_and_not_rounded():
    table = pd.DataFrame({"stage": "primary", "resource": "r", "cv": [0.5, 0.5 + 1e-12, 0.5004, np.nan]})
    assert check_caps(table, {"primary": 0.5})["is_within"].tolist()[:3] == [True, True, False]
    assert pd.isna(check_caps(table, {"primary": 0.5})["is_within"].iloc[3])
    with pytest.raises(DataError, match="no column stage"):
        check_caps(table.drop(columns="stage"), {"primary": 0.5})


# --- laws ---------------------------------------------------------------------------------------------------

schools = st.lists(
    st.tuples(st.integers(1, 3000), st.floats(0.01, 100)), min_size=2, max_size=12
)  # pupils and resource per pupil


def amounts(drawn):
    pupils = np.array([p for p, _ in drawn], dtype=float)
    return pupils * np.array([x for _, x in drawn]), pupils


@settings(deadline=None)
@given(schools)
def test_agrees_with_a_slow_loop(drawn):
    resource, pupils = amounts(drawn)
    assert coefficient_of_variation(resource, pupils) == pytest.approx(slow(resource, pupils), abs=1e-12)


@settings(deadline=None)
@given(schools, st.floats(1e-6, 1e6), st.integers(1, 50))
def test_scale_and_size_do_not_matter(drawn, scale, times):
    resource, pupils = amounts(drawn)
    cv = coefficient_of_variation(resource, pupils)
    assert coefficient_of_variation(scale * resource, times * pupils, per=100) == pytest.approx(cv, abs=1e-12)


@settings(deadline=None)
@given(schools, st.integers(2, 4))
def test_replication_and_splitting_into_equal_parts_change_nothing(drawn, parts):
    resource, pupils = amounts(drawn)
    cv = coefficient_of_variation(resource, pupils)
    assert coefficient_of_variation(np.tile(resource, parts), np.tile(pupils, parts)) == pytest.approx(
        cv, abs=1e-12
    )
    first = ([resource[0]] * parts, [pupils[0]] * parts)
    split = coefficient_of_variation([*first[0], *(parts * resource[1:])], [*first[1], *(parts * pupils[1:])])
    assert split == pytest.approx(cv, abs=1e-12)


@settings(deadline=None)
@given(schools, st.floats(0, 1))
def test_a_transfer_towards_the_poorer_school_never_raises_it(drawn, share):
    resource, pupils = amounts(drawn)
    rich, poor = (0, 1) if resource[0] / pupils[0] >= resource[1] / pupils[1] else (1, 0)
    gap = resource[rich] / pupils[rich] - resource[poor] / pupils[poor]
    amount = min(share * 2 * gap / (1 / pupils[rich] + 1 / pupils[poor]), resource[rich])
    moved = resource.copy()
    moved[rich] -= amount
    moved[poor] += amount
    before = coefficient_of_variation(resource, pupils)
    assert coefficient_of_variation(moved, pupils) <= before + 1e-12


@settings(deadline=None)
@given(schools, st.randoms(use_true_random=False))
def test_order_and_dtype_do_not_matter(drawn, random):
    resource, pupils = amounts([(p, float(round(x) + 1)) for p, x in drawn])
    cv = coefficient_of_variation(resource, pupils)
    order = list(range(len(pupils)))
    random.shuffle(order)
    assert coefficient_of_variation(resource[order], pupils[order]) == pytest.approx(cv, abs=1e-12)
    for dtype in ("int64", "Int64", "Float64", "float64"):
        assert coefficient_of_variation(pd.Series(resource, dtype=dtype), pd.Series(pupils, dtype=dtype)) == cv


def test_sizes_that_differ_by_1e12_do_not_cancel():
    pupils = np.array([1.0, 1e12])
    resource = np.array([2.0, 1e12])
    assert coefficient_of_variation(resource, pupils) == pytest.approx(1e-6, rel=1e-9)
    close = coefficient_of_variation([1e12, 1e12 + 1], [1e12, 1e12])
    assert close == pytest.approx(5e-13, rel=1e-3)


def test_last_axis_holds_the_schools():
    stack = np.array([[1.0, 3.0], [2.0, 2.0]])
    np.testing.assert_allclose(coefficient_of_variation(stack, [100, 100]), [0.5, 0.0])
    np.testing.assert_allclose(coefficient_of_variation(stack, [[1, 1], [1, 0]]), [0.5, 0.0])


# --- undefined and bad --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "pupils"),
    [([], []), ([1, 2], [0, 0]), ([0, 0], [10, 20]), ([np.nan, np.nan], [10, 20]), ([5, np.nan], [0, 10])],
)
def test_undefined_is_nan_without_a_warning(resource, pupils):
    assert math.isnan(coefficient_of_variation(resource, pupils))


def test_a_missing_resource_is_not_a_zero():
    assert coefficient_of_variation([1, 3, np.nan], [100, 100, 100]) == 0.5
    assert coefficient_of_variation([1, 3, 0], [100, 100, 100]) > 0.9
    assert coefficient_of_variation([1, 3, 7], [100, 100, 0]) == 0.5
    assert coefficient_of_variation([7], [10]) == 0.0


@pytest.mark.parametrize(
    ("resource", "pupils", "text"),
    [
        ([-1, 2], [10, 10], r"resource\[0\] = -1"),
        ([np.inf, 2], [10, 10], r"resource\[0\] = inf"),
        ([1, 2], [10, -3], r"students\[1\] = -3"),
        ([1, 2], [10, 2.5], r"students\[1\] = 2.5"),
        ([1, 2], [10, np.inf], r"students\[1\] = inf"),
        ([1, 2], [10], "last axis"),
        (1, 2, "last axis"),
        (["a", "b"], [1, 2], "not a number"),
    ],
)
def test_impossible_amounts_are_refused(resource, pupils, text):
    with pytest.raises(DataError, match=text):
        coefficient_of_variation(resource, pupils)


def test_wrong_settings_are_refused():
    with pytest.raises(DataError, match="per is 0"):
        coefficient_of_variation([1], [1], per=0)
    with pytest.raises(UsageError, match="Unknown composite"):
        composite([1, 2], "median")
    with pytest.raises(UsageError, match="at least one"):
        composite([])


# --- the table ----------------------------------------------------------------------------------------------


def random_table(seed, rows=400):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "school_id": [f"S{i:04d}" for i in range(rows)],
            "stage": rng.choice(["primary", "junior"], rows),
            "year": rng.integers(2018, 2022, rows),
            "area": rng.choice(["east", "west", "old town"], rows),
            "students": rng.integers(0, 1500, rows) * (rng.random(rows) > 0.1),
            "books": rng.gamma(3, 500, rows),
            "rooms": rng.integers(0, 60, rows).astype(float),
        }
    )
    frame.loc[rng.random(rows) < 0.1, "rooms"] = np.nan
    return frame


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("by", [[], ["stage"], ["stage", "year", "area"]])
def test_table_agrees_with_a_slow_loop(seed, by):
    frame = random_table(seed)
    table = balance_table(frame, by, {"books": 1, "rooms": 100})
    groups = [((), frame)] if not by else list(frame.groupby(by))
    assert len(table) == 3 * len(groups)
    for key, group in groups:
        rows = table if not by else table[(table[by] == list(key)).all(axis=1)]
        rows = rows.set_index("resource")
        for resource, per in (("books", 1), ("rooms", 100)):
            used = group[(group["students"] > 0) & group[resource].notna()]
            mean = per * used[resource].sum() / used["students"].sum()
            assert rows.loc[resource, "cv"] == pytest.approx(slow(used[resource], used["students"]), abs=1e-12)
            assert rows.loc[resource, "mean"] == pytest.approx(mean, rel=1e-12)
            assert rows.loc[resource, "sd"] == pytest.approx(mean * rows.loc[resource, "cv"], rel=1e-9)
            assert rows.loc[resource, "schools"] == len(used)
            assert rows.loc[resource, "left_out"] == (group["students"] == 0).sum()
            assert rows.loc[resource, "missing"] == (group["students"] > 0).sum() - len(used)
        assert rows.loc["composite", "cv"] == pytest.approx(rows.loc[["books", "rooms"], "cv"].mean(), abs=1e-12)
        assert rows.loc["composite", "schools"] == (group["students"] > 0).sum()


def test_table_does_not_depend_on_order_or_on_the_type_of_keys():
    frame = random_table(7)
    expected = balance_table(frame, ["stage", "year"], ["books", "rooms"])
    shuffled = frame.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        balance_table(shuffled, ["stage", "year"], ["books", "rooms"]), expected, rtol=1e-12
    )
    coded = frame.assign(stage=frame["stage"].astype("category"), year=frame["year"].astype("Int64"))
    found = balance_table(
        coded.astype({"students": "Int64", "rooms": "Float64"}), ["stage", "year"], ["books", "rooms"]
    )
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_categorical=False, rtol=1e-12)


def test_undefined_groups_say_why():
    frame = pd.DataFrame(
        {
            "area": ["empty", "empty", "zero", "zero", "blank", "part", "part", "part"],
            "students": [0, 0, 10, 20, 30, 10, 10, 10],
            "rooms": [1, 2, 0, 0, np.nan, 1, 3, np.nan],
            "books": [1.0, 2, 3, 4, 5, 6, 7, 8],
        }
    )
    table = balance_table(frame, "area", ["rooms", "books"]).set_index(["area", "resource"])
    assert table.xs("rooms", level="resource")["reason"].to_dict() == {
        "blank": "no_values",
        "empty": "no_pupils",
        "part": "partial",
        "zero": "zero_resource",
    }
    assert table.xs("composite", level="resource")["reason"].to_dict() == {
        "blank": "incomplete",
        "empty": "no_pupils",
        "part": "partial",
        "zero": "incomplete",
    }
    assert table.loc[("part", "rooms"), "cv"] == pytest.approx(0.5, abs=1e-12)
    assert table.loc[("part", "rooms"), "missing"] == 1
    assert table.loc[("empty", "rooms"), "left_out"] == 2
    undefined = table["reason"].isin(["no_pupils", "no_values", "zero_resource", "incomplete"])
    assert (table["cv"].isna() == undefined).all()


def test_composite_by_the_largest():
    frame = random_table(3).fillna({"rooms": 0})
    table = balance_table(frame, ["stage"], ["books", "rooms"], composite="max")
    for _, group in table.groupby("stage"):
        cv = group.set_index("resource")["cv"]
        assert cv["composite"] == max(cv["books"], cv["rooms"])


def test_seven_resources_are_the_default_and_their_lack_is_named():
    with pytest.raises(DataError, match="sports_area_m2") as caught:
        balance_table(random_table(1), ["stage"])
    assert "stage_resources" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"books": -1.0}, "S0000 .* books = -1"),
        ({"books": np.inf}, "books = inf"),
        ({"students": 10.5}, "students = 10.5"),
        ({"students": -4}, "students = -4"),
        ({"stage": None}, "empty cells"),
        ({"books": "many"}, "not numbers"),
    ],
)
def test_bad_tables_are_refused(change, text):
    frame = random_table(1).astype({"students": float})
    frame = frame.astype(object) if "many" in change.values() else frame
    column, value = next(iter(change.items()))
    frame.loc[0, column] = value
    with pytest.raises(DataError, match=text):
        balance_table(frame, ["stage"], ["books"])


def test_a_school_twice_in_a_year_is_refused():
    frame = random_table(1)
    twice = pd.concat([frame, frame.head(12)])
    with pytest.raises(DataError, match=r"S0000.*") as caught:
        balance_table(twice, ["stage"], ["books"])
    assert "… and 2 more" in str(caught.value)


# --- real data ----------------------------------------------------------------------------------------------


@pytest.fixture
def buildings(real_data):
    frame = pd.read_csv(real_data / "baltimore_bcpss_buildings_SY2122.csv", dtype={"bldg_number": str})
    frame = frame.dropna(subset="bldg_sqft").drop_duplicates("bldg_number")
    frame = frame[["bldg_number", "management_type", "bldg_enrollment", "bldg_sqft"]]
    return frame.astype({"bldg_enrollment": float, "bldg_sqft": float})


def test_baltimore_buildings(buildings):
    table = balance_table(buildings, resources=["bldg_sqft"], students="bldg_enrollment")
    assert table.loc[0, "schools"] == 135
    assert table.loc[0, "mean"] == pytest.approx(209.5, abs=0.05)
    assert table.loc[0, "cv"] == pytest.approx(0.6009016340, abs=1e-9)
    cv = coefficient_of_variation(buildings["bldg_sqft"], buildings["bldg_enrollment"])
    assert cv == pytest.approx(0.6009016340, abs=1e-9)
    assert cv**2 / 2 == pytest.approx(0.1805413869, abs=1e-9)

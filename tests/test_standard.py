"""A standard by date, shared plant, which schools count, and the pass rules."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.balance import balance_table, check_district
from planlib.errors import DataError, UsageError
from planlib.paths import DEFINITIONS
from planlib.standard import (
    SEVEN,
    check_preschool,
    check_sizes,
    check_standard,
    implausible,
    left_out,
    split_shares,
    stage_resources,
    standard_from,
    with_values,
)

RULES = yaml.safe_load((DEFINITIONS / "standards.yml").read_text(encoding="utf-8"))
STANDARD = standard_from(RULES, "compulsory_2017", "2020-09-01")


def school(school_id, stages, school_type="primary", year=2020, **more):
    """Rows of one school; ``stages`` gives the pupils of each stage."""
    plant = {
        "teaching_area_m2": 6000.0,
        "gym_area_m2": 800.0,
        "sports_ground_m2": 9000.0,
        "equipment_value_yuan": 3_000_000.0,
        "multimedia_rooms": 30.0,
        "books": 30000.0,
        "computers": 200.0,
    }
    staff = {
        "teachers": 60.0,
        "teachers_above_required_degree": 50.0,
        "backbone_teachers": 12.0,
        "sports_arts_teachers": 10.0,
        "senior_title_teachers": 30.0,
    }
    about = {"school_name": school_id, "school_type": school_type, "ownership": "public", "area": "east"}
    base = {"school_id": school_id, "year": year, **about, "education_group": "", "opened_year": pd.NA}
    return [
        {**base, "stage": stage, "students": count, **plant, **staff, **more} for stage, count in stages.items()
    ]


def table(*schools):
    frame = pd.DataFrame([row for rows in schools for row in rows])
    return frame.astype({"opened_year": "Int64"})


# --- dated values -------------------------------------------------------------------------------------------


def test_thresholds_caps_and_rules_of_2017():
    assert STANDARD.resources == SEVEN
    primary = [STANDARD.thresholds["primary"][r] for r in SEVEN]
    junior = [STANDARD.thresholds["junior"][r] for r in SEVEN]
    assert primary == [4.2, 1, 0.9, 4.5, 7.5, 2000, 2.3]
    assert junior == [5.3, 1, 0.9, 5.8, 10.2, 2500, 2.4]
    assert [STANDARD.per[r] for r in SEVEN] == [100, 100, 100, 1, 1, 1, 100]
    floors = [round(STANDARD.floor_share * t, 6) for t in primary + junior]
    assert floors == [3.57, 0.85, 0.765, 3.825, 6.375, 1700, 1.955, 4.505, 0.85, 0.765, 4.93, 8.67, 2125, 2.04]
    assert STANDARD.caps == {"primary": 0.5, "junior": 0.45}
    assert (STANDARD.required_met, STANDARD.min_students, STANDARD.include_private) == (6, 50, True)
    assert STANDARD.plant_split == {"primary": 1, "junior": 1.1, "senior": 1.32}
    assert STANDARD.rules["class_size"] == {"primary": 45, "junior": 50}


def test_eight_resources_of_2012_cap_the_composite():
    old = standard_from(RULES, "compulsory_2012", date(2015, 9, 1))
    assert len(old.resources) == 8
    assert (old.cap_applies_to, old.caps) == ("composite", {"primary": 0.65, "junior": 0.55})
    assert old.include_private is False
    rows = stage_resources(table(school("a", {"primary": 500}), school("b", {"primary": 900})), old)
    assert balance_table(rows, ["stage"], old.per)["resource"].tolist() == [*old.resources, "composite"]
    with pytest.raises(UsageError, match="no thresholds"):
        check_standard(rows, old)


def test_every_dated_value_names_a_known_source():
    for name in RULES["standards"]:
        found = standard_from(RULES, name, "2026-01-01")
        assert found.references
        assert {ref.split()[0] for ref in found.references.values()} <= set(RULES["sources"])
    for about in RULES["resources"].values():
        assert set(about["label"]) == set(about["unit"]) == {"zh", "en"}


def test_a_standard_not_in_force_or_unknown_is_refused():
    with pytest.raises(UsageError, match=r"not in force on 2016-09-01: its first date is 2017-04-19"):
        standard_from(RULES, "compulsory_2017", "2016-09-01")
    with pytest.raises(UsageError, match=r"Known: .*class_size_zhejiang, compulsory_2012"):
        standard_from(RULES, "compulsory_2071", "2020-09-01")
    with pytest.raises(UsageError, match="YYYY-MM-DD"):
        standard_from(RULES, "compulsory_2017", "autumn")


def test_the_latest_value_before_the_date_counts_and_null_ends_it():
    dated = [
        {"from": "2017-04-19", "value": 0.5, "reference": "a"},
        {"from": date(2022, 1, 1), "value": 0.4, "reference": "b"},
    ]
    ended = [
        *RULES["standards"]["compulsory_2017"]["in_force"],
        {"from": "2024-01-01", "value": None, "reference": "c"},
    ]
    changed = {**RULES["standards"]["compulsory_2017"], "caps": {"primary": dated}, "in_force": ended}
    rules = {**RULES, "standards": {"s": changed}}
    assert standard_from(rules, "s", "2021-12-31").caps["primary"] == 0.5
    later = standard_from(rules, "s", "2022-01-01")
    assert later.caps["primary"] == 0.4
    assert later.references["caps.primary"] == "b"
    with pytest.raises(UsageError, match="not in force on 2024-06-01"):
        standard_from(rules, "s", "2024-06-01")


# --- shared plant -------------------------------------------------------------------------------------------


def test_nine_year_school_shares_its_plant_by_weighted_pupils():
    frame = table(school("n", {"primary": 600, "junior": 300}, "nine_year", equipment_value_yuan=9000.0))
    rows = stage_resources(frame, STANDARD).set_index("stage")
    assert rows.loc["primary", "equipment_value_yuan"] == pytest.approx(5806.451612903, abs=1e-9)
    assert rows.loc["junior", "equipment_value_yuan"] == pytest.approx(3193.548387097, abs=1e-9)
    per_pupil = rows["equipment_value_yuan"] / rows["students"]
    assert per_pupil["primary"] == pytest.approx(9.677419355, abs=1e-9)
    assert per_pupil["junior"] == pytest.approx(10.645161290, abs=1e-9)
    heads = stage_resources(frame, STANDARD, split="heads").set_index("stage")
    assert (heads["equipment_value_yuan"] / heads["students"]).tolist() == [10, 10]
    assert rows["backbone_teachers"].tolist() == [12, 12]  # reported by stage, not split


def test_seniors_of_a_twelve_year_school_take_their_part():
    frame = table(school("t", {"primary": 600, "junior": 300, "senior": 300}, "twelve_year"))
    rows = stage_resources(frame, STANDARD).set_index("stage")
    assert list(rows.index) == ["junior", "primary"]
    total = 600 + 330 + 396
    assert rows.loc["primary", "multimedia_rooms"] == pytest.approx(30 * 600 / total)
    assert rows.loc["junior", "sports_area_m2"] == pytest.approx(9800 * 330 / total)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=3, max_size=3).filter(any), st.floats(1, 3), st.floats(1, 3))
def test_shares_add_up_and_equal_weights_are_heads(pupils, junior, senior):
    counts = dict(zip(("primary", "junior", "senior"), pupils, strict=True))
    assert sum(split_shares(counts, {"primary": 1, "junior": junior, "senior": senior}).values()) == pytest.approx(
        1
    )
    heads = split_shares(counts, dict.fromkeys(counts, 1.0))
    assert heads["primary"] == pytest.approx(pupils[0] / sum(pupils))


def test_gym_leaves_teaching_area_and_enters_sports_area():
    frame = table(school("a", {"primary": 500}, offcampus_sports_area_m2=700.0))
    row = stage_resources(frame, STANDARD).iloc[0]
    assert (row["teaching_area_m2"], row["sports_area_m2"]) == (5200, 9800)
    row = stage_resources(frame, STANDARD, gym="teaching").iloc[0]
    assert (row["teaching_area_m2"], row["sports_area_m2"]) == (6000, 9000)
    assert stage_resources(frame, STANDARD, offcampus=True)["sports_area_m2"].tolist() == [10500]
    with pytest.raises(UsageError, match="gym must be"):
        stage_resources(frame, STANDARD, gym="roof")


def test_unknown_amounts_stay_unknown():
    frame = table(school("a", {"primary": 500}, gym_area_m2=np.nan), school("b", {"primary": 500}))
    rows = stage_resources(frame, STANDARD)
    assert rows["teaching_area_m2"].isna().tolist() == [True, False]
    nine = school("n", {"primary": 600, "junior": 300}, "nine_year")
    nine[1]["students"] = np.nan
    rows = stage_resources(table(nine), STANDARD)
    assert rows["stage"].tolist() == ["primary"]
    assert rows["multimedia_rooms"].isna().all()  # its share depends on the pupils nobody reported


# --- which schools count ------------------------------------------------------------------------------------


@pytest.fixture
def mixed():
    return table(
        school("a", {"primary": 500}),
        school("b", {"primary": 49}),
        school("c", {"primary": 50}),
        school("d", {"junior": 0}, "junior"),
        school("e", {"primary": 700}, ownership="private"),
        school("f", {"primary": 300}, "special"),
        school("g", {"primary": 300}, "foreign"),
        school("h", {"senior": 900}, "senior"),
        school("i", {"preschool": 200}, "kindergarten"),
        school("n", {"primary": 480, "junior": 30}, "nine_year", opened_year=2019, education_group="one"),
        school("t", {"primary": 600, "junior": 300, "senior": 300}, "twelve_year", education_group="one"),
    )


def test_which_units_count_and_why_the_others_do_not(mixed):
    rows = stage_resources(mixed, STANDARD)
    counted = list(zip(rows["school_id"], rows["stage"], strict=True))
    assert counted == [("n", "junior"), ("t", "junior"), *((s, "primary") for s in "acent")]
    out = left_out(mixed, STANDARD).set_index(["school_id", "stage"])["reason"].to_dict()
    assert out == {
        ("b", "primary"): "below_min_students",
        ("d", "junior"): "no_students",
        ("f", "primary"): "other_type",
        ("g", "primary"): "other_type",
        ("h", "senior"): "other_stage",
        ("i", "preschool"): "other_stage",
        ("t", "senior"): "other_stage",
    }
    assert len(rows) + len(out) == len(mixed)
    assert set(out.values()) <= set(RULES["left_out"])


def test_choices_change_what_counts(mixed):
    def ids(**choice):
        rows, out = stage_resources(mixed, STANDARD, **choice), left_out(mixed, STANDARD, **choice)
        assert len(rows) + len(out) == len(mixed)
        return set(rows["school_id"])

    assert ids(include_private=False) == set("acnt")
    assert ids(min_students=0) == set("abcent")
    assert ids(min_students=100) == set("aent")
    assert ids(include_filling=False) == set("acet")  # n opened in 2019: its first intake is in grade two


def test_a_stage_is_full_when_its_first_intake_reaches_the_last_grade():
    years = [
        school("n", {"primary": 300, "junior": 90}, "nine_year", year, opened_year=2018)
        for year in range(2018, 2025)
    ]
    rows = stage_resources(table(*years), STANDARD, include_filling=False)
    assert rows.groupby("stage")["year"].min().to_dict() == {"junior": 2020, "primary": 2023}


def test_groups_as_the_unit(mixed):
    rows = stage_resources(mixed, STANDARD, unit="education_group").set_index(["school_id", "stage"])
    assert rows.loc[("one", "junior"), "students"] == 330
    assert rows.loc[("one", "primary"), "backbone_teachers"] == 24
    assert ("a", "primary") in rows.index
    plain = stage_resources(mixed, STANDARD)
    assert rows["equipment_value_yuan"].sum() == pytest.approx(plain["equipment_value_yuan"].sum())
    with pytest.raises(DataError, match="no column 'brand'"):
        stage_resources(mixed, STANDARD, unit="brand")


# --- bad tables ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("stage", "middle", "unknown stages"),
        ("students", -1, "a primary 2020: students = -1"),
        ("students", 10.5, "a primary 2020: students = 10.5"),
        ("backbone_teachers", -2.0, "a primary 2020: backbone_teachers = -2"),
        ("equipment_value_yuan", np.inf, "equipment_value_yuan = inf"),
        ("gym_area_m2", 7000.0, "gym larger"),
    ],
)
def test_bad_raw_tables_are_refused(column, value, text):
    frame = table(school("a", {"primary": 500.0}), school("b", {"primary": 500.0}))
    frame.loc[0, column] = value
    with pytest.raises(DataError, match=text):
        stage_resources(frame, STANDARD)
    unused = table(school("a", {"primary": 500.0}, books=-1.0))
    assert len(stage_resources(unused, STANDARD)) == 1  # books are no resource of 2017


def test_duplicates_uneven_plant_and_missing_columns_are_refused():
    frame = table(school("a", {"primary": 500}), school("a", {"primary": 500}))
    with pytest.raises(DataError, match="a, primary, 2020"):
        stage_resources(frame, STANDARD)
    nine = table(school("n", {"primary": 600, "junior": 300}, "nine_year"))
    nine.loc[1, "multimedia_rooms"] = 12
    with pytest.raises(DataError, match="n 2020: multimedia_rooms"):
        stage_resources(nine, STANDARD)
    with pytest.raises(DataError, match="gym_area_m2"):
        stage_resources(nine.drop(columns="gym_area_m2"), STANDARD)
    with pytest.raises(UsageError, match="split must be"):
        stage_resources(table(school("a", {"primary": 5})), STANDARD, split={"primary": 0})


# --- pass rules ---------------------------------------------------------------------------------------------


def exactly(school_id, shares, stage="primary", students=1000):
    """A row whose resources are the given shares of their thresholds."""
    amounts = {
        r: share * STANDARD.thresholds[stage][r] * students / STANDARD.per[r]
        for r, share in zip(SEVEN, shares, strict=True)
    }
    return {"school_id": school_id, "stage": stage, "year": 2023, "students": students, **amounts}


@pytest.mark.parametrize("stage", ["primary", "junior"])
@pytest.mark.parametrize(
    ("shares", "passes"),
    [
        ([1] * 7, True),
        ([1] * 6 + [0.85], True),
        ([1] * 6 + [0.8499], False),
        ([1] * 5 + [0.99, 0.99], False),
        ([2] * 6 + [0], False),
        ([1] * 6 + [np.nan], False),
    ],
)
def test_six_of_seven_and_the_last_at_its_floor(stage, shares, passes):
    check = check_standard(pd.DataFrame([exactly("a", shares, stage)]), STANDARD)
    assert check.schools["is_passing"].tolist() == [passes]
    counts = check.schools[["met", "between", "below", "missing"]].sum(axis=1)
    assert counts.tolist() == [7]


def test_shortfall_is_what_a_planner_buys():
    rows = pd.DataFrame([exactly("a", [0.5, 1, 1, 0.9, 1, 1, 0.99])])
    detail = check_standard(rows, STANDARD).detail.set_index("resource")
    assert detail.loc["teachers_above_required_degree", "shortfall"] == pytest.approx(21)
    assert detail.loc["teachers_above_required_degree", "to_buy"] == 21
    assert detail.loc["teachers_above_required_degree", "shortfall_floor"] == pytest.approx(42 * 0.35)
    assert detail.loc["teachers_above_required_degree", "state"] == "below"
    assert detail.loc["teaching_area_m2", "to_buy"] == pytest.approx(450)
    assert detail.loc["teaching_area_m2", "state"] == "between"
    assert detail.loc["multimedia_rooms", "shortfall"] == pytest.approx(0.23)
    assert detail.loc["multimedia_rooms", "to_buy"] == 1
    assert detail.loc["equipment_value_yuan", "shortfall"] == 0


@settings(deadline=None)
@given(st.lists(st.floats(0, 3), min_size=7, max_size=7), st.integers(1, 3000))
def test_buying_the_shortfall_makes_a_school_pass(shares, students):
    rows = pd.DataFrame([exactly("a", shares, students=students)])
    bought = check_standard(rows, STANDARD).detail.set_index("resource")["to_buy"]
    for resource in SEVEN:
        rows[resource] = rows[resource] + bought[resource]
    assert check_standard(rows, STANDARD).schools["is_passing"].all()


def test_a_district_needs_every_school_and_every_coefficient():
    good = [exactly(f"s{i}", [1 + 0.1 * i] * 7) for i in range(4)]
    found = check_district(pd.DataFrame(good), STANDARD)
    assert found[["year", "stage", "schools", "passing", "over_cap", "is_met"]].to_numpy().tolist() == [
        [2023, "primary", 4, 4, 0, True]
    ]
    failing = pd.DataFrame([*good, exactly("bad", [1, 1, 1, 1, 1, 0.9, 0.9])])
    found = check_district(failing, STANDARD).iloc[0]
    assert (found["failing"], found["over_cap"], found["is_met"]) == (1, 0, False)
    uneven = pd.DataFrame([*good, exactly("rich", [1, 6, 1, 1, 1, 1, 1])])
    found = check_district(uneven, STANDARD).iloc[0]
    assert (found["failing"], found["over_cap"], found["worst_resource"]) == (0, 1, "backbone_teachers")
    assert found["composite"] < found["cap"] < found["worst_cv"]
    assert not found["is_met"]


def test_a_coefficient_without_some_schools_is_no_pass():
    rows = pd.DataFrame([exactly(f"s{i}", [1.2] * 7) for i in range(3)])
    rows.loc[0, "multimedia_rooms"] = np.nan
    assert not check_district(rows, STANDARD)["is_met"].any()


def test_a_stricter_local_rule_is_a_changed_standard():
    strict = with_values(STANDARD, caps={"primary": 0.05})
    rows = pd.DataFrame([exactly(f"s{i}", [1 + 0.1 * i] * 7) for i in range(4)])
    assert check_district(rows, STANDARD)["is_met"].all()
    assert not check_district(rows, strict)["is_met"].any()


def test_unusable_rows_are_refused():
    rows = pd.DataFrame([exactly("a", [1] * 7)])
    with pytest.raises(DataError, match="senior"):
        check_standard(rows.assign(stage="senior"), STANDARD)
    with pytest.raises(DataError, match="backbone_teachers"):
        check_standard(rows.drop(columns="backbone_teachers"), STANDARD)


def test_mixed_units_are_named():
    rows = pd.DataFrame(
        [exactly("ok", [1] * 7), exactly("wan", [1] * 5 + [1e-4, 1]), exactly("fen", [1] * 5 + [100, 1])]
    )
    found = implausible(rows, STANDARD)
    assert found["school_id"].tolist() == ["wan", "fen"]
    assert found["per_pupil"].tolist() == pytest.approx([0.2, 200_000])


# --- the other blocks ---------------------------------------------------------------------------------------


def test_class_and_school_sizes():
    frame = table(
        school("a", {"primary": 2000}, classes=44.0),
        school("b", {"primary": 1500, "junior": 1001}, "nine_year", classes=30.0),
        school("c", {"primary": 90}, classes=np.nan),
    )
    found = check_sizes(frame, STANDARD).set_index(["school_id", "stage"])
    assert found.loc[("a", "primary"), "value"] == pytest.approx(2000 / 44)
    assert not found.loc[("a", "primary"), "is_met"]
    assert found.loc[("a", "compulsory"), "is_met"]
    assert found.loc[("b", "compulsory"), ["value", "limit", "is_met"]].tolist() == [2501, 2500, False]
    assert found.loc[("b", "junior"), "is_met"]
    assert pd.isna(found.loc[("c", "primary"), "is_met"])
    strict = check_sizes(frame, standard_from(RULES, "class_size_zhejiang", "2022-01-01"))
    assert set(strict["item"]) == {"class_size"}
    assert set(strict["limit"]) == {40, 45}
    with pytest.raises(UsageError, match="nothing of class"):
        check_sizes(frame, standard_from(RULES, "preschool_2020", "2022-01-01"))


PRESCHOOL = standard_from(RULES, "preschool_2020", "2021-09-01")


def kindergartens():
    return pd.DataFrame(
        {
            "school_id": ["k1", "k2", "k3", "p"],
            "stage": ["preschool"] * 3 + ["primary"],
            "year": 2021,
            "ownership": ["public", "private", "private", "public"],
            "is_inclusive": pd.array([pd.NA, True, False, pd.NA], dtype="boolean"),
            "opened_year": pd.array([2018, pd.NA, 2010, 2000], dtype="Int64"),
            "students": [300.0, 150, 50, 1000],
            "teachers": [20.0, 10, 4, 60],
            "certified_teachers": [20.0, 10, 3, 60],
            "outdoor_play_area_m2": [1200.0, 600, 100, np.nan],
            "activity_room_area_m2": [2400.0, 1300, 500, np.nan],
            "building_area_m2": [4000.0, 1600, np.nan, np.nan],
        }
    )


def test_preschool_shares_teachers_and_areas():
    found = check_preschool(kindergartens(), PRESCHOOL, {2021: {"gross_entry_pct": 99.0}})
    found = found.set_index(["item", "cohort"])
    value = found["value"]
    assert value[("public_share_pct", "all")] == 60
    assert value[("inclusive_share_pct", "all")] == 90
    assert value[("children_per_teacher", "all")] == pytest.approx(500 / 34)
    assert value[("certified_pct", "all")] == pytest.approx(100 * 33 / 34)
    met = found["is_met"]
    assert met[("public_share_pct", "all")]
    assert not met[("certified_pct", "all")]
    assert met[("children_per_teacher", "all")]
    assert found.loc[("gross_entry_pct", "all"), "basis"] == "recorded"
    assert pd.isna(met[("recognition_pct", "all")])
    assert value[("outdoor_play_area_m2", "old")] == 50
    assert met[("outdoor_play_area_m2", "old")]
    assert not met[("activity_room_area_m2", "new")]  # 8.0 m² a child, 8.17 wanted of every new one
    assert found.loc[("building_area_m2", "old"), "basis"] == "no_data"


def test_an_unknown_kindergarten_makes_the_share_unknown():
    frame = kindergartens()
    frame["is_inclusive"] = frame["is_inclusive"].mask(frame["school_id"] == "k3")
    found = check_preschool(frame, PRESCHOOL).set_index("item")
    assert pd.isna(found.loc["inclusive_share_pct", "is_met"])
    assert found.loc["public_share_pct", "is_met"]
    with pytest.raises(UsageError, match="no preschool standard"):
        check_preschool(frame, STANDARD)
    with pytest.raises(DataError, match="certified_teachers"):
        check_preschool(frame.drop(columns="certified_teachers"), PRESCHOOL)

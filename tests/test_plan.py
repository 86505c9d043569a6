"""The shipped plan against the document it was transcribed from: every number, link and place."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from planlib import paths
from planlib.district import Evaluation, open_district
from planlib.paths import root
from planlib.registry import codes, label, load_definitions, load_plan, load_responsibility, parse_target


@pytest.fixture(scope="module")
def plan():
    return load_plan("shangcheng")


@pytest.fixture(scope="module")
def promises(plan):
    return plan.commitments.set_index("commitment_id")


# row of the table: attribute, 2020, 2025, unit, direction, judged
TABLE = {
    1: ("anticipatory", "4.2", "5", "ten_thousand_persons", "volume", "volume"),
    2: ("anticipatory", "10.8", "13.4", "ten_thousand_persons", "volume", "volume"),
    3: ("anticipatory", "0.24", "0.24", "ten_thousand_persons", "volume", "volume"),
    4: ("binding", "94.9", ">95", "percent", "rise", "met_only"),
    5: ("binding", "76.36", ">85", "percent", "rise", "pace"),
    6: ("binding", "93.17", "100", "percent", "rise", "pace"),
    7: ("anticipatory", "100", "100", "percent", "hold", "hold"),
    8: ("binding", "0.305", "0.3", "coefficient", "fall", "pace"),
    9: ("binding", "0.277", "0.25", "coefficient", "fall", "pace"),
    10: ("binding", ">92", ">96", "percent", "rise", "pace"),
    11: ("binding", "100", "100", "percent", "hold", "hold"),
    12: ("anticipatory", "11.09", "11.4", "year", "rise", "census"),
    13: ("binding", "100", "100", "percent", "hold", "hold"),
    14: ("binding", "9", "60", "piece", "rise", "batch"),
    15: ("binding", "34", "50", "piece", "rise", "pace"),
    16: ("anticipatory", "23%", "≥25%", "percent", "rise", "pace"),
    17: ("anticipatory", "30%", "35%", "percent", "rise", "pace"),
    18: ("anticipatory", "30%", "35%", "percent", "rise", "pace"),
    19: ("anticipatory", "35%", "40%", "percent", "rise", "pace"),
    20: ("binding", "56.78", "<50.78", "percent", "fall", "pace"),
    21: ("binding", "98", ">98", "percent", "rise", "met_only"),
    22: ("binding", "100", "100", "percent", "hold", "hold"),
    23: ("binding", "100", "100", "percent", "hold", "hold"),
    24: ("binding", "100", "100", "percent", "hold", "ambiguous"),
}
DIMENSIONS = dict.fromkeys(range(1, 4), "scale") | dict.fromkeys(range(4, 12), "equity")
DIMENSIONS |= dict.fromkeys(range(12, 20), "quality") | dict.fromkeys(range(20, 25), "health")


@pytest.mark.parametrize("row", TABLE)
def test_series_stand_as_the_table_prints_them(plan, row):
    series = plan.series.set_index("number").loc[row]
    columns = ["attribute", "baseline_text", "target_text", "unit", "direction", "judged"]
    assert tuple(series[columns]) == TABLE[row]
    assert series["dimension"] == DIMENSIONS[row]
    assert series["reference"] == f"附表第{row}行"
    assert series["reference_en"] == f"table, row {row}"


def test_twenty_indicators_in_twenty_four_series(plan):
    assert plan.indicators["number"].tolist() == list(range(1, 21))
    assert plan.series["number"].tolist() == list(range(1, 25))
    assert plan.indicators["attribute"].value_counts().to_dict() == {"binding": 13, "anticipatory": 7}
    assert plan.series["attribute"].value_counts().to_dict() == {"binding": 15, "anticipatory": 9}
    sizes = plan.series.groupby("indicator_id", sort=False).size()
    assert sizes[sizes > 1].to_dict() == {"balance_coefficient": 2, "disabled_entry": 2, "master_teachers": 3}


def test_printed_numbers_are_values_with_relation_and_precision(plan):
    series = plan.series.set_index("series_id")
    numbers = ["baseline", "baseline_relation", "target", "target_relation", "precision"]
    assert tuple(series.loc["disabled_entry_preschool", numbers]) == (92, ">", 96, ">", 0)
    assert tuple(series.loc["postgraduate_teachers", numbers]) == (23, "=", 25, "≥", 0)
    assert tuple(series.loc["myopia_rate", numbers]) == (56.78, "=", 50.78, "<", 2)
    assert tuple(series.loc["balance_primary", numbers]) == (0.305, "=", 0.3, "=", 3)
    assert tuple(series.loc["kindergarten_children", numbers]) == (4.2, "=", 5, "=", 1)


def test_series_are_measured_from_returns_or_observed(plan):
    observed = plan.series.loc[plan.series["source"] == "observations", "number"].tolist()
    assert observed == [10, 11, 12]
    measured = plan.series["measure"].map(lambda measure: isinstance(measure, dict))
    assert measured.tolist() == (plan.series["source"] == "returns").tolist()
    census = plan.series.set_index("number").loc[12]
    assert (census["baseline_as_of"], census["target_as_of"]) == ("2020-11-01", "2025-11-01")
    rest = plan.series[plan.series["number"] != 12]
    assert set(rest["baseline_as_of"]) == {"2020-09-01"}
    assert set(rest["target_as_of"]) == {"2025-09-01"}


def test_english_texts_write_numbers_as_english_does():
    """42,593, not 42 593: one way in the plan's notes and in the words of the reports."""
    files = [paths.raw("shangcheng") / "plan.yml", *(paths.PACKAGE / "definitions").glob("*.yml")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if "en: " in line]
    assert len(lines) > 1000
    assert [line for line in lines if re.search(r"\d[ \u2009\u202f]\d{3}\b", line.split("en: ", 1)[1])] == []


def test_areas_have_english_names_and_others_keep_their_own(plan):
    place = open_district("shangcheng", "2022-12-31")
    seats = Evaluation(place, "midterm", 2023).seats_by_area
    assert dict(zip(seats["area"], seats["area_en"], strict=True)) == plan.areas
    assert plan.areas["中片"] == "Centre"
    report = Evaluation(replace(place, plan=replace(plan, areas={"东片": "East"})), "midterm", 2023)
    assert set(report.seats_by_area["area_en"]) == {"East", "南片", "西片", "北片", "中片"}


def test_measures_name_columns_that_clean_writes(plan):
    columns = set(load_definitions("fields")["fields"])
    for measure in plan.series["measure"].dropna():
        named = {
            measure.get("sum"),
            measure.get("over"),
            *measure.get("where", {}),
            *measure.get("over_where", {}),
        }
        assert named - {None, "schools"} <= columns


def test_frame_has_five_goals_eight_tasks_twelve_boxes_five_safeguards(plan):
    assert plan.frame["kind"].value_counts().to_dict() == {"box": 12, "task": 8, "goal": 5, "safeguard": 5}
    tracked = pd.concat([plan.series, plan.commitments])
    for kind, group in plan.frame.groupby("kind"):
        assert group["number"].tolist() == list(range(1, len(group) + 1))
        assert set(group["frame_id"]) <= set(tracked[kind].dropna())


COUNTS = {  # every number of the text that is to be reached as a stock
    "new_schools": 63, "new_nine_year_schools": 6, "new_junior_schools": 10, "new_primary_schools": 13,
    "new_kindergartens": 34, "renewed_schools": 10, "public_nursery_classes": 50, "public_nursery_places": 1000,
    "nursery_classes": 50, "nursery_places": 1000, "friendship_schools": 25,
    "red_courses": 100, "red_bases": 100, "red_packs": 100, "red_stories": 100,
    "party_branches": 50, "party_workers": 100, "party_members": 200, "party_projects": 100, "leader_pairings": 100,
    "education_identity": 1, "management_processes": 10, "brand_results": 10, "publicity_platforms": 5,
    "junior_actions": 8, "learning_points": 100, "walk_points": 1000, "elderly_university_branch": 1,
    "elderly_schools": 10, "ethics_bases": 10,
    "educator_principals": 10, "hang_principals": 20, "young_principals": 20, "future_principals": 20,
    "cadre_secondments": 50, "educator_teachers": 10, "hang_teachers": 50, "rising_teachers": 100,
    "future_teachers": 50, "district_backbone": 3000, "special_grade_studios": 100,
    "cockpits": 3, "community_models": 10,
}  # fmt: skip
WORDED = {  # numbers with a word that is kept as a relation
    "new_education_land": ("≈", 111), "cadres_born_1990s": ("≥", 50), "special_grade_new": ("≈", 8),
}  # fmt: skip
RULES = {  # again and again, or never beyond: relation, target, kind, period
    "daily_exercise": ("=", 1, "per_period", "day"),
    "myopia_yearly_fall": ("≥", 1, "per_period", "year"),
    "elderly_helped": ("=", 10000, "per_period", "year"),
    "leading_group_meetings": ("=", 1, "per_period", "half_year"),
    "leader_visits": ("≥", 2, "per_period", "year"),
    "leader_schools": ("≥", 3, "floor", None),
    "disabled_entry_text_preschool": ("≥", 95, "floor", None),
    "disabled_entry_text_compulsory": ("≥", 95, "floor", None),
    "disabled_entry_text_senior": ("≥", 95, "floor", None),
    "home_teaching": ("≤", 3, "floor", None),
    "unrelated_duties": ("≤", 0, "floor", None),
    "teacher_pay": ("≥", 100, "floor", "year"),
    "contract_teacher_pay": ("≥", 100, "floor", None),
    "education_expenditure": ("≥", 0, "never_falls", "year"),
    "expenditure_per_pupil": ("≥", 0, "never_falls", "year"),
    "per_pupil_funds_preschool": (">", 0, "never_falls", "year"),
    "per_pupil_funds_primary": (">", 0, "never_falls", "year"),
    "per_pupil_funds_junior": (">", 0, "never_falls", "year"),
    "preschool_share_rising": (">", 0, "never_falls", "year"),
}
ALL = [  # "all of them"
    "party_principal_system", "civics_teachers", "health_rooms", "health_psychology_teachers", "standardised_all",
    "private_school_plans", "new_kindergartens_with_nursery", "grade_three_upgraded", "estate_kindergartens_reformed",
    "quality_preschool_full", "kindergarten_staffing", "curriculum_complete", "digital_resources",
    "junior_paired_senior", "junior_paired_vocational", "junior_groups", "online_application",
    "after_school_services", "enrolment_code", "enrolment_without_visits", "new_teacher_training",
    "student_evaluation_reform", "community_evaluation", "school_charters", "parent_licence", "training_supervision",
    "supervisor_posts",
]  # fmt: skip
DRAWN_UP = [  # plans, guides and recognitions
    "preschool_district", "balanced_district", "red_map", "labour_list", "school_network_plan",
    "kindergarten_network_plan", "building_design_guide", "building_delivery_standard", "training_market_reform",
    "ecology_monitoring", "evaluation_reform_plan", "course_category_standard", "law_education", "emergency_plans",
]  # fmt: skip


def test_counts_are_those_of_the_text(promises):
    counts = promises[promises["kind"] == "count"]
    assert counts.loc[counts["relation"] == "=", "target"].to_dict() == COUNTS
    worded = counts.loc[counts["relation"] != "=", ["relation", "target"]]
    assert dict(zip(worded.index, worded.itertuples(index=False, name=None), strict=True)) == WORDED


@pytest.mark.parametrize("name", RULES)
def test_rules_keep_relation_and_period(promises, name):
    row = promises.loc[name]
    period = None if pd.isna(row["period"]) else row["period"]
    assert (row["relation"], row["target"], row["kind"], period) == RULES[name]


def test_every_rule_is_in_the_list_above(promises):
    rules = promises[promises["kind"].isin(["per_period", "floor", "never_falls"])]
    assert set(rules.index) == set(RULES)


def test_coverage_and_milestones(promises):
    assert promises.index[promises["kind"] == "coverage"].tolist() == ALL
    assert promises.index[promises["kind"] == "milestone"].tolist() == DRAWN_UP
    assert (promises.loc[ALL, "target"] == 100).all()
    assert (promises.loc[DRAWN_UP, "target"] == 1).all()


def test_only_the_training_market_is_due_before_the_end(promises):
    early = promises[promises["due"] != "2025-12-31"]
    assert early["due"].to_dict() == {"training_market_reform": "2023-12-31"}


def test_box_eight_holds_every_number_of_cadres_and_teachers(promises):
    people = promises[(promises["box"] == "box8") & (promises["unit"] == "person")]
    assert len(people) == 12
    assert set(people["reference"]) == {"专栏八"}


def test_nursery_places_of_text_and_box_are_kept_apart(promises):
    assert promises.loc["public_nursery_places", "reference"] == "四（三）2"
    assert promises.loc["nursery_places", "reference"] == "专栏五"
    per_class = promises.loc["public_nursery_places", "target"] / promises.loc["public_nursery_classes", "target"]
    assert per_class == 20


def test_every_entry_says_where_it_stands(plan):
    place = re.compile(
        r"([一二三四五]|三（三）(目标[一二三四五])?|[一四五]（[一二三四五六七八]）\d?|专栏[一二三四五六七八九十]+|附表第\d+(–\d+)?行)"
    )
    for table in (plan.indicators, plan.series, plan.commitments, plan.frame, plan.base_counts, plan.sums):
        for reference in table["reference"]:
            assert all(place.fullmatch(part) for part in reference.split("；")), reference
        assert (table["reference"].str.count("；") == table["reference_en"].str.count(";")).all()


def test_box_named_in_a_reference_is_the_box_linked(plan):
    for row in plan.commitments.itertuples():
        named = re.search(r"box (\d+)", row.reference_en)
        if named:
            assert row.box == f"box{named[1]}", row.commitment_id
        section = re.search(r"^4\((\d)\)", row.reference_en)
        if section:
            assert row.task == f"task{section[1]}", row.commitment_id


BASE = {
    "institutions": 202, "kindergartens": 106, "primary_schools": 51, "junior_schools": 19, "nine_year_schools": 17,
    "twelve_year_schools": 2, "senior_schools": 1, "vocational_schools": 2, "special_schools": 2,
    "foreign_schools": 2, "students": 153106, "students_preschool": 42593, "students_compulsory": 108168,
    "students_senior": 2345, "staff": 15548, "teachers": 12161, "staff_in_post": 9883, "facility_area": 232,
    "expenditure_2016_2020": 118.6, "expenditure_share_2016_2020": 21.25, "projects_2016_2020": 81,
    "delivered_2016_2020": 61, "delivered_nine_year": 3, "delivered_junior": 5, "delivered_primary": 18,
    "delivered_kindergartens": 35, "renewed_2016_2020": 10, "investment_2016_2020": 51.6, "classes_2016_2020": 1301,
    "special_grade_teachers": 54, "district_special_grade_teachers": 37, "district_master_teachers": 123,
    "high_level_talents": 754, "special_grade_teachers_new": 11, "full_senior_teachers_new": 18,
}  # fmt: skip


def test_base_counts_are_those_of_the_first_chapter(plan):
    values = plan.base_counts.set_index("count_id")["value"]
    assert values[list(BASE)].to_dict() == BASE


def test_sums_add_up(plan):
    values = plan.base_counts.set_index("count_id")["value"]
    values = pd.concat([values, plan.commitments.set_index("commitment_id")["target"]])
    sums = plan.sums.set_index("total")["parts"]
    assert list(sums.index) == [
        "institutions",
        "students",
        "delivered_2016_2020",
        "research_prizes",
        "new_schools",
    ]
    assert [values[parts].tolist() for parts in sums] == [
        [106, 51, 19, 17, 2, 1, 2, 2, 2],
        [42593, 108168, 2345],
        [3, 5, 18, 35],
        [1, 3],
        [6, 10, 13, 34],
    ]
    assert [values[total] for total in sums.index] == [sum(values[parts]) for parts in sums]


def test_discrepancies_of_text_and_table_are_registered(plan):
    found = plan.discrepancies.groupby("series_id")[["text", "table"]].first()
    assert found.loc["kindergarten_children"].tolist() == ["42593", "4.2"]
    assert found.loc["senior_students"].tolist() == ["2345", "0.24"]
    assert found.loc["disabled_entry_preschool"].tolist() == ["≥95", ">96；100"]
    assert found.loc["myopia_rate"].tolist() == ["≥1", "<50.78"]
    assert "psychology_teacher_ratio" in found.index


def test_every_code_has_words_in_both_languages(plan):
    groups = {
        "unit": "unit",
        "direction": "direction",
        "judged": "judged",
        "stage": "stage",
        "kind": "series_kind",
    }
    for column, group in groups.items():
        for code in plan.series[column].dropna().unique():
            assert label(code, "zh", group)
            assert label(code, "en", group) != label(code, "zh", group) or code == "percent"
    assert set(plan.commitments["unit"]) <= set(codes("unit"))
    assert set(plan.commitments["kind"]) == set(codes("kind"))


def test_names_are_written_in_both_languages(plan):
    for table in (plan.indicators, plan.series, plan.commitments, plan.frame, plan.base_counts):
        assert table["name_zh"].str.contains(r"[\u4e00-\u9fff]").all()
        assert not table["name_en"].str.contains(r"[\u4e00-\u9fff]").any()
        assert table["name_zh"].is_unique


def test_target_texts_are_read_again_the_same_way(plan):
    for row in plan.commitments.itertuples():
        assert parse_target(row.target_text)[:2] == (row.relation, row.target)


def test_columns_promised_to_users(plan):
    assert {
        "series_id", "name_zh", "name_en", "unit", "baseline", "baseline_relation", "target", "target_relation",
        "attribute", "direction", "reference",
    } <= set(plan.series)  # fmt: skip
    assert {
        "commitment_id", "name_zh", "name_en", "target", "relation", "unit", "kind", "due", "task", "box", "reference",
    } <= set(plan.commitments)  # fmt: skip


def test_methods_table_agrees_with_the_plan(plan):
    text = (root() / "docs" / "methods.md").read_text(encoding="utf-8")
    section = text.split("## The 24 series: what progress means", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines()]
    rows = [row for row in rows if row[0].isdigit()]
    assert [(int(r[0]), r[1].strip("`"), r[2], r[3], r[4], r[8]) for r in rows] == [
        (s.number, s.series_id, f"{s.baseline_text} → {s.target_text}", s.direction, s.judged, s.source)
        for s in plan.series.itertuples()
    ]
    assert all(cell for row in rows for cell in row)


def test_somebody_answers_for_everything_tracked(plan):
    found = load_responsibility(plan)
    assert found["subject_id"].tolist() == [*plan.series["series_id"], *plan.commitments["commitment_id"]]
    assert found["lead"].ne("").all()
    assert not found["lead_en"].str.contains(r"[\u4e00-\u9fff]").any()
    leads = found.set_index("subject_id")["lead"]
    assert leads["friendship_schools"] == "对外交流科"  # its own entry, although box four has another
    assert leads["school_network_plan"] == "计划财务科"  # no box: its task
    assert leads["teacher_pay"] == "计划财务科"  # no box, no task: its safeguard

"""An open district: what it knows on a day, what it computes, where each value was born."""

import re

import numpy as np
import pandas as pd
import pytest

from planlib import balance, narrative
from planlib.district import District, Evaluation, open_district, views
from planlib.errors import RegistryError, UsageError
from planlib.evaluate import round_half_up
from planlib.narrative.seats import short_items

CJK = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def midterm():
    return Evaluation(open_district("shangcheng", "2022-12-31"), "midterm", 2023)


@pytest.fixture(scope="module")
def endterm():
    return Evaluation(open_district("shangcheng", "2025-12-31"), "endterm", 2025)


def test_2020_reproduces_the_plan():
    place = open_district("shangcheng", "2020-12-31")
    card = place.scorecard().set_index("series_id")
    seen = card[card["value"].notna() & card["baseline"].notna()]
    shown = round_half_up(seen["value"], seen["precision"])
    differing = seen.index[~np.isclose(shown, seen["baseline"])]
    # the plan's own text and table disagree on these two, and it says so (discrepancies)
    assert set(differing) == {"kindergarten_children", "senior_students"}
    assert set(differing) <= set(place.plan.discrepancies["series_id"])


def test_school_units_of_2020():
    place = open_district("shangcheng", "2020-12-31")
    units = place.stage_resources.query("year == 2020").groupby("stage")["school_id"].nunique()
    assert units.to_dict() == {"primary": 51 + 17 + 2, "junior": 19 + 17 + 2}


def test_from_2023_every_cap_and_threshold_holds():
    place = open_district("shangcheng")
    rows = place.balance[(place.balance["year"] >= 2023) & (place.balance["resource"] != "composite")]
    assert (rows["cv"] <= rows["stage"].map(place.standard.caps) + 1e-9).all()
    for year in (2023, 2024, 2025):
        assert open_district("shangcheng", f"{year}-12-31").check.schools["is_passing"].all()


FRAMES = (
    "scorecard", "indicators", "counts", "sensitivity", "commitments", "projects", "finance", "forecast", "history",
    "enrolment_paths", "seats_by_area", "classes", "new_places", "required", "issues", "unexplained",
)  # fmt: skip


def test_a_midterm_knows_nothing_after_its_cutoff(project):
    before = {name: getattr(open_midterm(), name) for name in FRAMES}
    folder = project / "data" / "raw" / "shangcheng"
    plant(folder / "observations.csv", 'disabled_entry_preschool,77.77,=,2023-12-31,审定,"",现行区划,')
    plant(folder / "milestones.csv", "friendship_schools,2023-01-01,777,planted,")
    plant(folder / "finance.csv", "education_share_pct,2023,77.77,%,2023-12-31,快报,planted")
    plant(folder / "births.csv", "东片,2023,77777", replaces=r"^东片,2023,.*$")
    after = open_midterm()
    assert "77.77" not in str(after.scorecard.to_dict())
    for name in set(FRAMES) - {"issues"}:
        pd.testing.assert_frame_equal(getattr(after, name), before[name], obj=name)


def test_classes_posts_and_new_places():
    report = open_midterm()
    rows = report.classes.set_index(["stage", "year"])
    assert (rows["stricter_classes"] > rows["classes"])[["primary", "junior"]].all()
    primary = rows.loc[("primary", 2025)]
    assert 0 <= primary["posts"] - primary["students"] / 19 < 5 + 1  # rounded up in each of five areas
    assert primary["classes"] > primary["students"] / 45
    places = report.new_places.set_index("kind")
    planned = {"nine_year": 6, "junior": 10, "primary": 13, "kindergarten": 34}
    assert places["planned"].dropna().to_dict() == planned
    assert (places.loc[list(planned), 2021] < places.loc[list(planned), 2025]).all()
    promised = report.new_places[report.new_places["kind"].isna()]
    assert promised["seats"].tolist() == [1000, 1000]
    assert promised[2025].isna().all()  # not known at the mid-term


def test_what_is_still_needed_is_what_is_left_over_the_years_left():
    rows = open_midterm().required.set_index("series_id")
    row = rows.loc["public_kindergarten_coverage"]
    assert row["required_change"] == pytest.approx((row["target"] - row["value"]) / 3)
    assert rows["rarity"].between(0, 1).all()
    assert rows.loc["myopia_rate", "required_change"] < 0
    assert not rows["direction"].isin(["hold", "volume"]).any()


def open_midterm():
    return Evaluation(open_district("shangcheng", "2022-12-31"), "midterm", 2023)


def plant(path, line, replaces=None):
    text = path.read_text(encoding="utf-8")
    text = re.sub(replaces, line, text, flags=re.MULTILINE) if replaces else text.rstrip("\n") + f"\n{line}\n"
    path.write_text(text, encoding="utf-8")


def test_a_scorecard_at_an_earlier_day_is_that_of_a_district_opened_then():
    earlier = open_district("shangcheng").scorecard(cutoff="2022-12-31")
    opened = open_district("shangcheng", "2022-12-31").scorecard()
    pd.testing.assert_frame_equal(earlier, opened)


def test_trace_leads_to_the_cell():
    place = open_district("shangcheng")
    found = place.trace("schools", 2022, "S0124", "equipment_value_yuan")
    assert found["file"].iloc[0].startswith("returns/2022")
    assert re.fullmatch(r"[A-Z]+\d+", found["cell"].iloc[0])
    with pytest.raises(UsageError, match=r"There is: .*equipment_value_yuan"):
        place.trace("schools", 2022, "S0124", "equipment")


def test_every_value_of_the_table_has_a_birthplace():
    place = open_district("shangcheng")
    keys = ["school_id", "stage", "year"]
    values = place.schools.drop(columns="as_of").melt(id_vars=keys, var_name="column").dropna(subset=["value"])
    values = values[values["value"].astype("str") != ""]
    both = values.merge(place.lineage[[*keys, "column", "cell"]], on=[*keys, "column"], how="left")
    assert both.loc[both["cell"].isna(), "column"].unique().tolist() == []


def test_probabilities_and_outlook_agree(midterm):
    card = midterm.scorecard
    assert card["probability"].dropna().between(0, 1).all()
    assert (card["outlook"].notna() == card["probability"].notna()).all()
    assert card.loc[card["judged"].isin(["census", "ambiguous"]), "probability"].isna().all()


def test_late_binding_series_without_explanation_are_asked_for(midterm):
    assert len(midterm.unexplained)
    text = str(narrative.verdict(midterm, "zh"))
    for name in midterm.unexplained["name_zh"]:
        assert name in text
    assert "尚未提交说明" in text


@pytest.mark.parametrize(
    ("language", "recent", "base"),
    [
        ("zh", "近4年每年", "自基期（2020年）以来年均"),
        ("en", "A year, over the last 4 years", "since the baseline of 2020"),
    ],
)
def test_the_two_periods_of_a_yearly_change_are_named(midterm, language, recent, base):
    table = narrative.required_table(midterm, language)
    assert recent in table.headers()
    assert len(table.notes) == 2
    assert base in str(narrative.advice(midterm, language))


@pytest.mark.parametrize(
    ("language", "words"), [("zh", "无法估计移交日期的有1个"), ("en", "of 1 project cannot be estimated")]
)
def test_a_project_without_an_estimate_is_counted(midterm, endterm, language, words):
    ledger = midterm.projects
    assert (~ledger["is_done"] & ledger["expected_done"].isna()).sum() == 1
    assert words in str(narrative.projects(midterm, language))
    assert endterm.projects["expected_done"].notna().all()
    assert words[-6:] not in str(narrative.projects(endterm, language))


@pytest.mark.parametrize(("language", "words"), [("zh", "不含托班幼儿（2022年696人）"), ("en", "(696 in 2022)")])
def test_nursery_children_are_the_difference_between_chapters(midterm, language, words):
    assert words in str(narrative.places(midterm, language))
    value = midterm.scorecard.set_index("series_id").loc["kindergarten_children", "value"]
    preschool = midterm.enrolment_outlook.set_index("stage").loc["preschool", "now"]
    assert round(value * 1e4) - preschool == 696


def test_the_endterm_scores_the_midterms_forecasts(endterm):
    review = endterm.forecast_review
    assert (review["year"] == 2025).all()
    assert len(review) >= 20
    assert review["actual"].notna().all()
    assert (endterm.earlier.cutoff.year, endterm.earlier.phase) == (2022, "midterm")


PARTS = {
    "midterm": ["title", "verdict", "basis", "definitions_table", "indicator_table", "count_table", "promises", "projects",
                "project_table", "balance", "balance_table", "failing_table", "places", "seats_table", "money",
                "finance_table", "problems_table", "outlook", "outlook_table", "advice", "ledger_table",
                "probability_table", "sensitivity_table", "issues_table"],
    "endterm": ["title", "verdict", "basis", "indicator_table", "problems_table", "carried_over", "carried_table",
                "review_table", "feasible_table", "advice"],
}  # fmt: skip
# what people and schools wrote stays in the language it was written in
WRITTEN = {
    "failing_table",
    "seats_table",
    "problems_table",
    "carried_table",
    "ledger_table",
    "issues_table",
    "projects",
    "places",
    "advice",
}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("phase", ["midterm", "endterm"])
def test_every_part_speaks_both_languages(phase, language, request):
    evaluation = request.getfixturevalue(phase)
    for name in PARTS[phase]:
        shown = getattr(narrative, name)(evaluation, language)
        page = shown._repr_html_()
        assert "{" not in page, name
        assert ">nan<" not in page, name
        assert ">None<" not in page, name
        if language == "zh":
            assert CJK.search(page), name
        elif name not in WRITTEN:
            left = re.sub(r"上教〔2022〕31号|快报|审定|决算|[主客]观", "", page)
            assert not CJK.search(left), (
                name,
                CJK.search(left) and left[max(0, CJK.search(left).start() - 60) :][:120],
            )


def test_text_from_data_is_escaped():
    nasty = "<script>alert(1)</script>"
    table = narrative.Table(pd.DataFrame({"a": [nasty]}), [narrative.Column("a", "name")], nasty, "zh")
    text = narrative.Text([("p", nasty)])
    assert "<script" not in table._repr_html_() + text._repr_html_()
    assert "&lt;script&gt;" in table._repr_html_()


def test_a_fault_in_explanations_is_named(project):
    path = project / "data" / "raw" / "shangcheng" / "explanations.yml"
    path.write_text("- {report: midterm, year: 2023, subject: nothing, cuase: x}\n", encoding="utf-8")
    with pytest.raises(RegistryError) as caught:
        _ = open_midterm().explanations
    text = str(caught.value)
    assert "explanations.yml, line 1: unknown key 'cuase'" in text
    assert "entry 1 has no cause" in text
    assert "unknown subject 'nothing', expected an id of a series or a commitment" in text


def test_views_are_not_empty():
    place = open_district("shangcheng")
    for name in (
        "overview",
        "schools_by_year",
        "issue_counts",
        "corrected",
        "reconciliation",
        "thresholds",
    ):
        assert len(getattr(views, name)(place)), name
    split = views.decomposition(place, "area")
    assert np.allclose(split["within_share"] + split["between_share"], 1)


# --- balance: from the number to a decision -----------------------------------------------------------------


def test_the_causes_add_up_to_the_change(endterm):
    table = views.change(endterm.district)
    causes = table.filter(like="by_").sum(axis=1)
    np.testing.assert_allclose(causes, table["after"] - table["before"], atol=1e-12)
    assert len(table) == 2 * 8
    whole = endterm.district.balance.set_index(["year", "stage", "resource"])["cv"]
    for row in table.itertuples():
        assert row.after == pytest.approx(whole[endterm.district.last_year, row.stage, row.resource], abs=1e-12)


def test_the_transfer_that_a_report_advises_reaches_the_target(endterm):
    place, stage = endterm.district, "primary"
    resource, plan = views.least_for_composite(place, stage)
    rows = views.last_resources(place)
    rows = rows[rows["stage"] == stage].copy()
    rows[resource] = plan.schools["after"].to_numpy()
    table = balance.balance_table(rows, ["stage"], place.standard.per)
    reached = table.loc[table["resource"] == "composite", "cv"].iloc[0]
    assert reached == pytest.approx(place.composite_targets[stage], abs=1e-9)
    told = str(narrative.advice(endterm, "en"))
    assert f"{sum(plan.schools['change'] < 0)} schools give" in told
    # no donor falls below the threshold
    gave = plan.schools[plan.schools["change"] < -1e-9]
    per = place.standard.per[resource]
    assert (per * gave["ratio_after"] >= place.standard.thresholds[stage][resource] - 1e-9).all()


def test_the_cheapest_plan_of_the_district_holds(endterm):
    place = endterm.district
    plan = views.cheapest_additions(place)
    assert plan.least <= plan.cost
    for stage, target in place.composite_targets.items():
        assert plan.composites[stage] <= target + 1e-8
    bought = views.cheapest_plan(place)
    assert bought["cost"].sum() == pytest.approx(plan.cost)


@pytest.mark.parametrize(
    ("language", "open_", "firm"),
    [("zh", "取决于少数学校", "不取决于个别学校"), ("en", "direction is open", "does not")],
)
def test_a_report_says_what_drives_the_change_and_how_firm_it_is(endterm, language, open_, firm):
    text = str(narrative.balance(endterm, language))
    table = views.robustness(endterm.district).query("resource == 'composite'")
    spans_zero = (table["lower"] < 0) & (table["upper"] > 0)
    assert spans_zero.any()
    assert (~spans_zero).any()
    assert open_ in text
    assert firm in text
    assert "−0.029" in text  # the change of the junior composite, of which the parts are told


def test_before_the_plan_began_nothing_is_said_of_change():
    place = open_district("shangcheng", "2020-12-31")
    assert not views.since_baseline(place)
    assert views.robustness(place).empty
    text = str(narrative.balance(Evaluation(place, "midterm", 2021), "en"))
    assert "few schools" not in text


def test_a_resource_that_nobody_reported_empties_the_tables_and_stops_nothing():
    place = open_district("shangcheng", "2025-12-31")
    silent = place.schools.assign(**dict.fromkeys(["equipment_value_yuan", "multimedia_rooms"], np.nan))
    for column in ("teachers_above_required_degree", "backbone_teachers", "sports_arts_teachers"):
        silent[column] = np.nan
    place = District(place.name, place.cutoff, place.plan, {**place.tables, "schools": silent})
    assert views.transfer_plan(place).empty
    assert views.transfer_moves(place).empty
    assert views.cheapest_plan(place).empty
    assert set(views.addition_plan(place)["resource"]) == {"teaching_area_m2", "sports_area_m2"}
    assert set(views.contributions(place)["resource"]) <= {"teaching_area_m2", "sports_area_m2"}
    assert views.least_for_composite(place, "primary") == ("", None)
    text = str(narrative.balance(Evaluation(place, "endterm", 2025), "en"))
    assert "nan" not in text


def test_shortages_are_named_with_their_first_year_and_their_peak():
    report = Evaluation(open_district("shangcheng", "2025-12-31"), "endterm", 2025)
    said = " ".join(short_items(report, "en"))
    short = report.seats_by_area.query("shortage > 0 and year > 2025")
    for (area, _), rows in short.groupby(["area_en", "stage"]):
        assert area in said
        assert str(rows["year"].min()) in said
        assert f"{rows['shortage'].max():,.0f} in {rows.loc[rows['shortage'].idxmax(), 'year']}" in said


def test_binding_targets_out_of_reach_and_notes_on_rows_are_said():
    report = Evaluation(open_district("shangcheng", "2022-12-31"), "midterm", 2023)
    card = report.scorecard
    is_late = card["series_id"].isin(report.late["series_id"])
    ahead = card[(card["attribute"] == "binding") & (card["outlook"] == "unlikely") & ~is_late]
    assert len(ahead)
    advised = str(narrative.advice(report, "zh"))
    assert all(f"{name}：目前" in advised for name in ahead["name_zh"])
    notes = narrative.indicator_table(report, "en").notes
    assert "Rows 10, 11: text and table of the plan disagree" in " ".join(notes)

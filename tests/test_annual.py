"""The annual evaluation: what moved, what is late, who owes what."""

import datetime as dt

import pandas as pd
import pytest

from planlib import evaluate, narrative, params
from planlib.district import Evaluation, open_district

LANGUAGES = ("zh", "en")


@pytest.fixture(scope="module")
def report():
    return Evaluation(open_district("shangcheng", "2022-12-31"), "annual", 2022)


def test_any_year_of_the_plan_and_no_other():
    for year in range(2021, 2026):
        assert params.resolve("annual", {"year": year}).cutoff == dt.date(year, 12, 31)
    with pytest.raises(params.UsageError, match="expected 2021 to 2025"):
        params.resolve("annual", {"year": 2020})


def test_what_moved_is_this_year_beside_last(report):
    rows = report.moved.set_index("series_id")
    assert report.before.cutoff == dt.date(2021, 12, 31)
    known = report.district.observations.set_index(["series_id", "year"])["value"]
    for series in ("myopia_rate", "balance_primary", "modern_schools"):
        assert rows.loc[series, "value"] == known[series, 2022]
        assert rows.loc[series, "value_before"] == known[series, 2021]
    # one falls, one rises, one is to be held: each is judged in its own direction
    assert rows.loc["myopia_rate", "moved"] == "closer"
    assert rows.loc["modern_schools", "moved"] == "closer"
    assert rows.loc["school_doctor_coverage", "moved"] == "away"
    assert rows.loc["schooling_years", "moved"] == "unknown"


def test_in_the_first_year_the_baseline_stands_for_last_year():
    first = Evaluation(open_district("shangcheng", "2021-12-31"), "annual", 2021)
    rows = first.moved.set_index("series_id")
    assert rows.loc["modern_schools", "value_before"] == rows.loc["modern_schools", "baseline"]
    assert "Newly late" not in str(narrative.year_moves(first, "en"))


def test_in_the_last_year_targets_are_met_or_not():
    last = Evaluation(open_district("shangcheng", "2025-12-31"), "annual", 2025)
    assert set(last.scorecard["status"]) <= {"met", "not_met", "no_data", "ambiguous"}
    assert not last.before.is_final


def test_all_that_is_owed_has_an_office_and_a_day(report):
    rows = report.owed
    late = report.late[report.late["attribute"] == "binding"]
    told = rows[(rows["kind"] == "explanation") & rows["is_compulsory"]]
    assert set(told["subject_id"]) == set(late["series_id"]) - set(report.explanations["subject"])
    silent = report.commitments[report.commitments["status"] == "no_record"]
    assert set(silent["commitment_id"]) <= set(rows.loc[rows["kind"] == "record", "subject_id"])
    assert (rows["lead"] != "").all()
    assert report.owed_by == dt.date(2023, 3, 31)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tables_say_it_in_both_languages(report, language):
    table = narrative.owed_table(report, language)
    offices = set(report.owed["lead" if language == "zh" else "lead_en"])
    assert set(table.frame["office"]) <= offices
    assert narrative.write_date(report.owed_by, language) in table.caption
    cells = narrative.balance_moves_table(report, language).frame
    change = cells[cells["row"] == narrative.say("table.change", language)]
    before, now = (cells[cells["row"] == str(year)].set_index("stage") for year in (2021, 2022))
    assert change.set_index("stage")["composite"].tolist() == (now["composite"] - before["composite"]).tolist()
    late = narrative.annual_late_table(report, language).frame
    assert late["series_id"].tolist() == report.late["series_id"].tolist()
    assert "2021" in str(narrative.annual_verdict(report, language))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("unnamed", [0, 3, None])
def test_the_verdict_counts_what_the_table_of_owed_lists(language, unnamed):
    report = Evaluation(open_district("shangcheng", "2022-12-31"), "annual", 2022)
    nobody = report.owed.iloc[:unnamed].assign(lead="", lead_en="")
    asked = [report.owed.iloc[len(nobody) :], nobody, nobody.assign(kind="lead", is_compulsory=True)]
    report.owed = pd.concat(asked, ignore_index=True)
    asked = narrative.owed_table(report, language).frame.set_index("office")["asked"]
    said = str(narrative.annual_verdict(report, language)).rpartition("\n")[2]
    rows = report.owed.assign(office=report.owed["lead" if language == "zh" else "lead_en"])
    rows["office"] = rows["office"].replace("", narrative.say("unknown_lead", language))
    rows["part"] = rows["kind"].replace({"record": "send", "value": "send", "evidence": "send"})
    rows["part"] = rows["part"].replace({"definition": "define", "lead": "name", "explanation": "late"})
    rows.loc[(rows["part"] == "late") & rows["is_compulsory"], "part"] = "explain"
    rows = rows[(rows["part"] != "late") | rows["status"].isin(["late", "not_kept"])]
    for part in ("explain", "late", "send", "define", "name"):
        chosen = rows[rows["part"] == part]
        assert all(row[f"name_{language}"] in asked[row["office"]] for _, row in chosen.iterrows())
        told = narrative.say(f"annual.owed_{part}", language, count=len(chosen))
        assert (told in said) == bool(len(chosen)), (told, said)
    must = rows[(rows["part"] != "late") & (rows["lead"] != "")]
    by = narrative.say("annual.owed_by", language, offices=must["lead"].nunique())
    assert (by in said) == bool(len(must))
    assert (rows["part"] == "name").any() == (unnamed != 0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_promises_of_buildings_and_projects_are_told_to_have_two_yardsticks(report, language):
    assert not report.projects["is_late"].any()
    assert narrative.say("annual.yardsticks", language) in str(narrative.late_items(report, language))


def test_no_newer_value_is_no_move():
    moved = evaluate.changes(*(_one(60.0, "2022-09-01", status) for status in ("behind", "on_track")))
    assert moved["moved"].item() == "unknown"


def _one(value, as_of, status):
    row = {"series_id": "s", "baseline": 50.0, "target": 70.0, "precision": 0, "is_met": False, "progress": 0.5}
    return pd.DataFrame([{**row, "value": value, "as_of": as_of, "status": status}])


def test_an_explanation_serves_every_report_of_the_same_data():
    place = open_district("shangcheng", "2022-12-31")
    annual, midterm = Evaluation(place, "annual", 2022), Evaluation(place, "midterm", 2023)
    told = {"balance_primary", "public_kindergarten_coverage", "myopia_rate"}
    assert told <= set(annual.explanations["subject"]) & set(midterm.explanations["subject"])
    assert not told & set(annual.owed.loc[annual.owed["kind"] == "explanation", "subject_id"])
    # what was written for the report itself comes last, so it is what the report says
    assert annual.explanations["report"].tolist()[-1] == "annual"
    earlier = Evaluation(open_district("shangcheng", "2021-12-31"), "annual", 2021)
    assert "balance_primary" not in set(earlier.explanations["subject"])

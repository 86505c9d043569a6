"""Reported beside recomputed: a cause is named only where recomputing under it gives the reported figure."""

from dataclasses import replace

import pytest

from planlib import narrative
from planlib.district import open_district, views


@pytest.fixture(scope="module")
def place():
    return open_district("shangcheng", "2021-12-31")


def reported(place, value, **more):
    """The district with one observation of the children in kindergartens (42 593 in 2020) only."""
    row = {"series_id": "kindergarten_children", "value": value, "relation": "=", "as_of": "2020-09-01"}
    told = {
        "status": "审定",
        "source_office": "科",
        "boundary": "现行区划",
        "note": "",
        "file": "o.csv",
        "line": 2,
    }
    lines = place.tables["observations"].iloc[:1].assign(**row, **(told | more))
    changed = replace(place, tables={**place.tables, "observations": lines})
    rows = views.reconciliation(changed)
    return rows[rows["kind"] == "observation"].iloc[0]


def without(place, **where):
    rows = place.schools[(place.schools["year"] == 2020) & (place.schools["stage"] == "preschool")]
    ((column, value),) = where.items()
    return rows.loc[rows[column] != value, "students"].sum() / 1e4


def test_equal_figures_need_no_cause_and_rounded_ones_say_so(place):
    assert tuple(reported(place, 4.2593)[["agrees", "cause_en"]]) == (True, "")
    assert tuple(reported(place, 4.26)[["agrees", "cause_en"]]) == (True, "rounding")


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (4.25, "cut off, not rounded"),
        (42593.0, "another unit (a factor of 10000)"),
        (3.1234, "cause unknown, please check"),
        (9.9, "cause unknown, please check"),
    ],
)
def test_a_difference_has_the_cause_that_fits_or_none(place, value, cause):
    row = reported(place, value)
    assert (bool(row["agrees"]), row["cause_en"]) == (False, cause)
    assert row["difference"] == pytest.approx(value - 4.2593)


def test_private_schools_left_out_and_another_year_are_found_by_recomputing(place):
    assert reported(place, round(without(place, ownership="private"), 4))["cause_en"] == "private schools left out"
    years = place.schools[place.schools["stage"] == "preschool"].groupby("year")["students"].sum()
    row = reported(place, float(years[2021]) / 1e4)
    assert row["cause_en"] == "another date (it is the figure of 2021)"
    assert row["cause_zh"] == "时点不同（为 2021 年的数）"


def test_the_plan_s_own_counts_of_2020_agree_with_the_returns(place):
    rows = views.reconciliation(place)
    counts = rows[rows["kind"] == "base_count"]
    assert len(counts) == 16
    assert counts["agrees"].all()
    assert rows.loc[~rows["agrees"], "item"].tolist() == ["kindergarten_children", "senior_students"]


def test_what_to_ask_whom_names_a_school_or_the_office_in_both_languages(place):
    lines = (
        place.tables["observations"]
        .iloc[:1]
        .assign(series_id="kindergarten_children", value=5.0123, as_of="2020-09-01", source_office="学前教育科")
    )
    asked = replace(place, tables={**place.tables, "observations": lines})
    chinese, english = (str(narrative.questions(asked, language)) for language in ("zh", "en"))
    assert "学前教育科\n- 主管部门（observations.csv）“幼儿园在园人数”（2020-09-01）为 5.0123" in chinese
    assert "the returns give 4.2593 (cause unknown, please check). Which one holds?" in english
    assert "S0186 示例松墨学校" in english


def test_every_cell_of_every_file_is_in_the_account(place):
    table = narrative.file_table(place, "en")
    sums = views.files(place)
    assert sums["issue"].sum() == 0
    assert any("each is counted in one column" in note for note in table.notes)

import pandas as pd
import pytest

from planlib import measures
from planlib.errors import DataError


def schools():
    return pd.DataFrame(
        {
            "school_id": ["a", "b", "c", "c"],
            "stage": ["preschool", "preschool", "primary", "junior"],
            "year": 2022,
            "ownership": ["public", "private", "public", "public"],
            "students": pd.array([300, 100, 600, 300], dtype="Int64"),
            "teachers": pd.array([20, 10, 30, pd.NA], dtype="Int64"),
            "master_teachers": pd.array([6, pd.NA, 9, 4], dtype="Int64"),
            "brand_count": pd.array([0, 1, 2, 2], dtype="Int64"),
            "modern_school_year": pd.array([pd.NA, pd.NA, 2021, 2021], dtype="Int64"),
        }
    )


def test_share_of_children():
    public = {"stage": "preschool", "ownership": "public"}
    share = {
        "sum": "students",
        "where": public,
        "over": "students",
        "over_where": {"stage": "preschool"},
        "scale": 100,
    }
    assert measures.yearly(schools(), share).to_dict() == {2022: 75.0}


def test_a_school_with_two_stages_is_counted_once():
    assert measures.yearly(schools(), {"count": "schools"}).to_dict() == {2022: 3.0}
    assert measures.yearly(schools(), {"sum": "brand_count", "per": "school"}).to_dict() == {2022: 3.0}
    assert measures.yearly(schools(), {"count": "schools", "where": {"modern_school_year": "any"}}).to_dict() == {
        2022: 1.0
    }


def test_a_missing_numerator_is_not_a_zero():
    share = {"sum": "master_teachers", "where": {"stage": "preschool"}, "over": "teachers"}
    share["over_where"] = {"stage": "preschool"}
    assert measures.yearly(schools(), share).to_dict() == {2022: 0.3}  # 6 of 20: school b did not answer


def asked():
    frame = schools()
    frame["is_inclusive"] = pd.array([True, pd.NA, pd.NA, pd.NA], dtype="boolean")
    frame["has_clinic"] = pd.array([pd.NA] * 4, dtype="boolean")
    frame["is_standardised"] = pd.array([False, False, False, False], dtype="boolean")
    frame["education_group"] = ""
    return frame


def test_a_missing_answer_is_not_a_no():
    share = {"sum": "students", "over": "students", "over_where": {"stage": "preschool"}, "scale": 100}
    share["where"] = {"stage": "preschool", "is_inclusive": True}
    assert measures.yearly(asked(), share).to_dict() == {2022: 100.0}  # school b did not answer: 300 of 300
    count = {"count": "schools", "where": {"is_inclusive": True}, "over": "schools"}
    assert measures.yearly(asked(), count).to_dict() == {2022: 1.0}


@pytest.mark.parametrize("where", [{"has_clinic": True}, {"has_clinic": True, "stage": "primary"}])
@pytest.mark.parametrize("over", [{}, {"over": "schools"}])
def test_a_question_nobody_answered_has_no_value(where, over):
    assert measures.yearly(asked(), {"count": "schools", "where": where, **over}).empty


def test_a_question_never_asked_has_no_value_and_an_answer_of_no_is_zero():
    group = {"count": "schools", "where": {"education_group": "any"}, "over": "schools"}
    assert measures.yearly(asked(), group).empty
    standard = {"count": "schools", "where": {"is_standardised": True}, "over": "schools"}
    assert measures.yearly(asked(), standard).to_dict() == {2022: 0.0}
    modern = {"count": "schools", "where": {"modern_school_year": "any"}, "over": "schools"}
    assert measures.yearly(asked(), modern).to_dict() == {2022: pytest.approx(1 / 3)}


def test_no_denominator_gives_no_value():
    assert measures.yearly(
        schools(), {"sum": "students", "over": "students", "over_where": {"stage": "senior"}}
    ).empty


def test_an_unknown_column_is_named():
    with pytest.raises(DataError, match="colour"):
        measures.yearly(schools(), {"sum": "students", "where": {"colour": "red"}})
    with pytest.raises(DataError, match="pupils"):
        measures.yearly(schools(), {"sum": "pupils"})


def commitments(measure, kind="count"):
    return pd.DataFrame({"commitment_id": ["c"], "kind": kind, "measure": [measure]})


EMPTY = pd.DataFrame({"series_id": [], "as_of": [], "value": []})


def test_projects_are_a_running_stock():
    projects = pd.DataFrame(
        {
            "kind": ["primary", "primary", "junior"],
            "opened": ["2021-09-01", "2022-09-01", ""],
            "site_area_m2": [20000.0, 30000.0, 9.0],
        }
    )
    measure = {"projects": "opened", "where": {"kind": "primary"}}
    found = measures.commitment_values(commitments(measure), schools(), EMPTY, projects, pd.DataFrame())
    assert found["achieved"].tolist() == [1.0, 2.0]
    measure = {"projects": "opened", "sum": "site_area_m2", "scale": 0.0001}
    found = measures.commitment_values(commitments(measure), schools(), EMPTY, projects, pd.DataFrame())
    assert found["achieved"].tolist() == [2.0, 5.0]


def test_a_yearly_fall_is_spread_over_a_gap():
    seen = pd.DataFrame(
        {"series_id": "m", "as_of": ["2020-09-01", "2021-09-01", "2023-09-01"], "value": [56.0, 54.5, 52.5]}
    )
    measure = {"series": "m", "change": "fall"}
    found = measures.commitment_values(
        commitments(measure, "per_period"), schools(), seen, pd.DataFrame(), pd.DataFrame()
    )
    assert found[["date", "achieved"]].to_numpy().tolist() == [["2021-09-01", 1.5], ["2023-09-01", 1.0]]
    still = seen.assign(value=56.0)
    found = measures.commitment_values(
        commitments(measure, "per_period"), schools(), still, pd.DataFrame(), pd.DataFrame()
    )
    assert [str(value) for value in found["achieved"]] == ["0.0", "0.0"]


def test_finance_over_another_item_and_per_pupil():
    money = pd.DataFrame(
        {
            "item": ["teacher_pay_yuan", "civil_servant_pay_yuan"],
            "year": 2022,
            "value": [110.0, 100.0],
            "as_of": "2022-12-31",
        }
    )
    over = {"finance": "teacher_pay_yuan", "over": "civil_servant_pay_yuan", "scale": 100}
    found = measures.commitment_values(commitments(over), schools(), EMPTY, pd.DataFrame(), money)
    assert found["achieved"].tolist() == pytest.approx([110.0])
    each = {"finance": "teacher_pay_yuan", "per": "students"}
    found = measures.commitment_values(commitments(each), schools(), EMPTY, pd.DataFrame(), money)
    assert found["achieved"].tolist() == pytest.approx([110.0 / 1300])

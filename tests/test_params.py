import datetime as dt

import pytest

from planlib import params
from planlib.errors import UsageError


def namespace(name="midterm", injected="", **changed):
    return {**params.defaults(name), "In": ["", injected], **changed}


def test_defaults_of_the_shipped_case():
    midterm = params.check("midterm", namespace())
    assert midterm == params.Parameters("shangcheng", 2023, dt.date(2022, 12, 31), "zh")
    assert params.check("endterm", namespace("endterm")).cutoff == dt.date(2025, 12, 31)


def test_all_faults_of_a_call_are_named_at_once():
    with pytest.raises(UsageError) as caught:
        params.resolve("midterm", {"year": "2023", "langauge": "en", "cutoff": 5})
    text = str(caught.value)
    assert "langauge: unknown parameter; did you mean 'language'?" in text
    assert "year: found '2023' (str); expected a whole number" in text
    assert "cutoff: found 5 (int); expected text" in text


def test_faults_of_all_kinds_are_named_at_once():
    with pytest.raises(UsageError) as caught:
        params.resolve(
            "midterm", {"year": "2023", "langauge": "en", "language": "fr", "cutoff": "soon", "district": "x"}
        )
    for words in (
        "(5):",
        "langauge",
        "found '2023' (str)",
        "found 'fr'",
        "found 'soon'",
        "district: Unknown district 'x'",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"year": 2031}, "year: found 2031; expected 2022 to 2024"),
        ({"year": True}, "year: found True (bool)"),
        ({"language": "fr"}, "language: found 'fr'; expected zh or en"),
        ({"cutoff": "31.12.2022"}, "cutoff: found '31.12.2022'; expected a date such as 2022-12-31"),
        ({"cutoff": "1999-01-01"}, "cutoff: found 1999-01-01; expected a day in 2021 or later"),
        ({"district": "nowhere"}, "Known districts: shangcheng"),
        ({"district": "../shangcheng"}, "Unknown district '../shangcheng'"),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected(values, said):
    with pytest.raises(UsageError) as caught:
        params.resolve("midterm", values)
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def test_plain_papermill_is_held_to_the_same_names():
    injected = "# Parameters\nyear = 2024\nyaer = 2023\n"
    with pytest.raises(UsageError, match="yaer: unknown parameter; did you mean 'year'"):
        params.check("midterm", namespace(injected=injected, year=2024, yaer=2023))


def test_a_parameters_cell_that_lost_its_tag_is_noticed():
    with pytest.raises(UsageError, match="must carry the tag 'parameters'"):
        params.check("midterm", namespace(injected="# Parameters\nyear = 2024\n"))


def test_running_the_cell_again_after_other_cells_is_no_fault():
    after = namespace(figures=object(), report="anything", i=3)
    assert params.check("midterm", after).year == 2023


def test_an_unknown_report_lists_those_there_are():
    with pytest.raises(UsageError, match="Known: midterm, endterm"):
        params.resolve("mid-term", {})

"""How sure a coefficient is: unsettled rules and single schools."""

import numpy as np
import pandas as pd
import pytest
import yaml

from planlib.balance import balance_table, bootstrap_change, coefficient_of_variation, sensitivity
from planlib.errors import DataError, UsageError
from planlib.paths import DEFINITIONS
from planlib.standard import stage_resources, standard_from

RULES = yaml.safe_load((DEFINITIONS / "standards.yml").read_text(encoding="utf-8"))
STANDARD = standard_from(RULES, "compulsory_2017", "2020-09-01")


@pytest.fixture
def raw():
    """Sixteen schools with a teaching point, private schools, a nine-year school, a group and a new school."""
    rng = np.random.default_rng(5)
    rows = []
    for i in range(16):
        kind, stages = ("nine_year", ["primary", "junior"]) if i % 4 == 0 else ("primary", ["primary"])
        plant = {
            "teaching_area_m2": rng.uniform(4000, 9000),
            "gym_area_m2": rng.uniform(0, 2000),
            "sports_ground_m2": rng.uniform(4000, 12000),
            "equipment_value_yuan": rng.uniform(1e6, 4e6),
            "multimedia_rooms": float(rng.integers(20, 60)),
        }
        for stage in stages:
            staff = {c: float(rng.integers(5, 40)) for c in STANDARD.resources[:3]}
            rows.append(
                {
                    "school_id": f"S{i:02d}",
                    "stage": stage,
                    "year": 2020,
                    "school_type": kind,
                    "ownership": "private" if i in (2, 3) else "public",
                    "education_group": "one" if i in (5, 6, 7) else "",
                    "opened_year": 2019 if i == 9 else 1990,
                    "students": 40 if i == 1 else 70 if i == 10 else int(rng.integers(300, 1500)),
                    **plant,
                    **staff,
                }
            )
    return pd.DataFrame(rows)


def test_sensitivity_is_the_composite_under_each_choice(raw):
    found = sensitivity(raw, STANDARD).set_index(["rule", "choice", "stage"])
    base = balance_table(stage_resources(raw, STANDARD), ["stage"], STANDARD.per)
    base = base[base["resource"] == "composite"].set_index("stage")["cv"]
    assert set(found.index.get_level_values("rule")) == set(RULES["choices"])
    for rule, choice in [
        ("min_students", 0),
        ("min_students", 100),
        ("include_private", False),
        ("split", "heads"),
        ("gym", "teaching"),
        ("include_filling", False),
        ("unit", "education_group"),
    ]:
        table = balance_table(stage_resources(raw, STANDARD, **{rule: choice}), ["stage"], STANDARD.per)
        for stage in ("primary", "junior"):
            row = found.loc[(rule, str(choice), stage)]
            mine = table[table["stage"] == stage].set_index("resource")["cv"]
            assert row["composite"] == pytest.approx(mine["composite"])
            assert row["difference"] == pytest.approx(mine["composite"] - base[stage], abs=1e-12)
            assert row["largest"] == mine.drop("composite").max()
    schools = found.xs("primary", level="stage")["schools"]
    assert schools[("min_students", "0")] == 16
    assert schools[("min_students", "50")] == 15
    assert schools[("min_students", "100")] == 14
    assert schools[("include_private", "False")] == 13
    assert schools[("include_filling", "False")] == 14
    assert schools[("unit", "education_group")] == 13
    assert (found.loc[found["is_default"], "difference"] == 0).all()
    assert found["is_default"].groupby("rule").sum().eq(2).all()


def test_every_choice_has_words():
    for rule, values in STANDARD.rules["sensitivity"].items():
        named = RULES["choices"][rule].get("values")
        assert named is None or set(named) == {str(v) for v in values}


def test_a_choice_that_empties_a_group_says_so(raw):
    found = sensitivity(raw, STANDARD, choices={"min_students": [50, 100_000]})
    empty = found[found["choice"] == "100000"]
    assert empty["reason"].tolist() == ["no_pupils", "no_pupils"]
    assert empty["schools"].tolist() == [0, 0]
    assert empty["composite"].isna().all()


def test_unknown_rules_are_refused(raw):
    with pytest.raises(UsageError, match="minimum"):
        sensitivity(raw, STANDARD, choices={"minimum": [1]})
    with pytest.raises(UsageError, match="lists no choices"):
        sensitivity(raw, standard_from(RULES, "compulsory_2012", "2020-09-01"))


# --- bootstrap ----------------------------------------------------------------------------------------------


def two_years(seed, schools=30, fall=0.7):
    """Schools whose distance from the mean shrinks by ``fall`` between 2020 and 2023."""
    rng = np.random.default_rng(seed)
    names = [f"S{i}" for i in range(schools)]
    parts = []
    for stage in ("junior", "primary"):
        pupils = rng.integers(100, 1200, schools)
        for year, shrink in ((2020, 1.0), (2023, fall)):
            frame = pd.DataFrame({"school_id": names, "stage": stage, "year": year, "students": pupils})
            for resource in ("books", "rooms"):
                away = np.random.default_rng([seed, len(resource), stage == "junior"]).normal(0, 0.3, schools)
                frame[resource] = pupils * np.exp(shrink * away)
            parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def test_replicates_agree_with_a_loop_over_drawn_schools():
    rows = two_years(1, schools=9)
    rows.loc[3, "books"] = np.nan
    rows = rows.drop(index=[5])
    found = bootstrap_change(rows, (2020, 2023), ["books", "rooms"], by=["stage"], seed=3, replicates=50)
    draws = np.random.default_rng(3).integers(0, 9, size=(2, 50, 9), dtype=np.uint16)
    for stage, drawn in zip(("junior", "primary"), draws, strict=True):
        mine = rows[rows["stage"] == stage]
        names = sorted(mine["school_id"].unique())
        changes = {"books": [], "rooms": []}
        for sample in drawn:
            ids = pd.DataFrame({"school_id": [names[i] for i in sample]})
            for resource, collected in changes.items():
                cv = []
                for year in (2020, 2023):
                    year_rows = ids.merge(mine[mine["year"] == year], on="school_id")
                    cv.append(coefficient_of_variation(year_rows[resource], year_rows["students"]))
                collected.append(cv[1] - cv[0])
        rows_found = found[found["stage"] == stage].set_index("resource")
        collected = {**changes, "composite": np.mean([changes["books"], changes["rooms"]], axis=0)}
        for resource, values in collected.items():
            lower, upper = np.percentile(values, [2.5, 97.5])
            assert rows_found.loc[resource, "lower"] == pytest.approx(lower, abs=1e-9)
            assert rows_found.loc[resource, "upper"] == pytest.approx(upper, abs=1e-9)
            assert rows_found.loc[resource, "falling"] == np.mean(np.array(values) < 0)


def test_whole_coefficients_and_a_clear_fall():
    rows = two_years(2)
    found = bootstrap_change(rows, (2020, 2023), ["books", "rooms"], seed=1)
    for row in found[found["resource"] != "composite"].itertuples():
        for year, value in ((2020, row.before), (2023, row.after)):
            mine = rows[(rows["stage"] == row.stage) & (rows["year"] == year)]
            assert value == pytest.approx(
                coefficient_of_variation(mine[row.resource], mine["students"]), abs=1e-12
            )
    assert (found["change"] < 0).all()
    assert (found["upper"] < 0).all()
    assert (found["falling"] > 0.97).all()
    assert (found["lower"] <= found["change"]).all()


def test_one_school_can_carry_a_fall():
    rows = two_years(3, fall=1.0)
    odd = (rows["school_id"] == "S0") & (rows["stage"] == "primary") & (rows["year"] == 2020)
    rows.loc[odd, "books"] *= 8
    found = bootstrap_change(rows, (2020, 2023), ["books"], seed=1).set_index(["stage", "resource"])
    carried = found.loc[("primary", "books")]
    assert carried["change"] < -0.05
    assert carried["falling"] < 0.75  # S0 is missing from about 36 % of the samples
    assert carried["upper"] > -1e-6


def test_same_seed_same_table_other_seed_other_table():
    rows = two_years(4)
    first = bootstrap_change(rows, (2020, 2023), ["books"], seed=7)
    pd.testing.assert_frame_equal(first, bootstrap_change(rows, (2020, 2023), ["books"], seed=7))
    assert not first["lower"].equals(bootstrap_change(rows, (2020, 2023), ["books"], seed=8)["lower"])


def test_undefined_samples_are_counted():
    rows = two_years(5, schools=3)
    rows.loc[(rows["school_id"] != "S0") | (rows["year"] == 2023), "books"] = 0
    found = bootstrap_change(rows, (2020, 2023), ["books"], seed=1, replicates=200)
    assert (found["undefined"] == 200).all()
    assert found[["after", "lower", "upper", "falling"]].isna().all(axis=None)
    rows.loc[rows["school_id"] == "S1", "books"] = 5
    found = bootstrap_change(rows, (2020, 2023), ["books"], seed=1, replicates=200)
    assert found["undefined"].between(1, 150).all()


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"replicates": 1}, UsageError, "2 replicates"),
        ({"level": 100}, UsageError, "between 0 and 100"),
        ({"years": (2020, 2024)}, DataError, "2024"),
        ({"resources": ["desks"]}, DataError, "desks"),
    ],
)
def test_wrong_calls_are_refused(change, error, text):
    call = {"years": (2020, 2023), "resources": ["books"], "seed": 1, **change}
    with pytest.raises(error, match=text):
        bootstrap_change(two_years(1), **call)


def test_groups_of_many_sizes_each_agree_with_themselves_alone():
    """Independent draws: two counties with the same schools get other samples, and about the same interval."""
    parts = [two_years(6, schools=n).assign(county=f"c{n}-{k}") for n in (1, 2, 30) for k in range(3)]
    rows = pd.concat(parts, ignore_index=True)
    found = bootstrap_change(
        rows, (2020, 2023), ["books", "rooms"], by=["county", "stage"], seed=2, replicates=999
    )
    assert list(found["schools"].unique()) == [1, 2, 30]
    for stage in ("primary", "junior"):
        alone = bootstrap_change(parts[-1], (2020, 2023), ["books", "rooms"], by=["stage"], seed=5, replicates=999)
        alone = alone[alone["stage"] == stage].set_index("resource")
        same = found[(found["stage"] == stage) & (found["schools"] == 30)]
        assert same.groupby("resource")["lower"].nunique().eq(3).all()
        for row in same.itertuples():
            assert row.change == pytest.approx(alone.loc[row.resource, "change"], abs=1e-12)
            width = alone.loc[row.resource, "upper"] - alone.loc[row.resource, "lower"]
            assert abs(row.lower - alone.loc[row.resource, "lower"]) < 0.2 * width
    single = found[found["schools"] == 1]
    assert single[["change", "lower", "upper", "falling"]].eq(0).all(axis=None)
    shuffled = rows.sample(frac=1, random_state=1)
    again = bootstrap_change(
        shuffled, (2020, 2023), ["books", "rooms"], by=["county", "stage"], seed=2, replicates=999
    )
    pd.testing.assert_frame_equal(found, again, rtol=1e-9, atol=1e-12)


def test_many_replicates_are_drawn_in_blocks(monkeypatch):
    from planlib.balance import bootstrap

    monkeypatch.setattr(bootstrap, "_BATCH", 500)
    rows = two_years(7)
    found = bootstrap_change(rows, (2020, 2023), ["books"], seed=1, replicates=400)
    monkeypatch.undo()
    plain = bootstrap_change(rows, (2020, 2023), ["books"], seed=1, replicates=400)
    assert (found["undefined"] == 0).all()
    np.testing.assert_allclose(found["lower"], plain["lower"], atol=0.02)

"""The schools table: one row per school, stage and year, everything a return says."""

import numpy as np
import pandas as pd

from planlib.sample.pupils import places
from planlib.sample.resources import (
    TEACHERS,
    Levers,
    Plant,
    choose_renewals,
    gym_areas,
    make_units,
    staff_levels,
)
from planlib.sample.roster import NEVER
from planlib.sample.story import (
    ENTRY_GRADE,
    STAGE_GRADES,
    Floats,
    Story,
    apportion,
    between,
    definition,
    generator,
    stages_of_type,
)

HEALTH = ("primary", "junior", "senior")


def make_schools(
    story: Story, roster: pd.DataFrame, enrolment: pd.DataFrame, weight: pd.Series, seed: int
) -> pd.DataFrame:
    """Return the ``schools`` table of the simulated truth (columns as in the processed table).

    Parameters
    ----------
    story : mapping
        ``definitions/sample.yml``.
    roster, enrolment : DataFrame
        From ``make_roster`` and ``make_enrolment``.
    weight : Series
        Size of each institution.
    seed : int

    Returns
    -------
    DataFrame
        Sorted by year, school and stage.
    """
    table = _counts(story, roster, enrolment)
    table = _sections(table, story, roster, enrolment, weight, seed)
    table = _other_sections(table, story, roster, seed)
    table = _kindergarten_teachers(table, story, roster, seed)
    table = _staff(table, story)
    table = _shares(table, story, roster, seed)
    table = _health(table, story, seed)
    table = _plant_of_others(table, story, roster, seed)
    table = _goods_in_number(table, story, roster, seed)
    table = _school_facts(table, story, roster, weight)
    return _typed(table).sort_values(["year", "school_id", "stage"], ignore_index=True)


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Columns in the order and the types of the processed table."""
    # Columns that no type of school is asked for are not in the simulated returns.
    every = definition("forms/collection")["fields"].items()
    fields = {name: rule for name, rule in every if rule.get("school_types") != []}
    first = ["school_id", "stage", "year", "school_name", "school_type", "ownership", "area", "education_group"]
    order = [*first, *[name for name in fields if name not in first], "as_of"]
    kinds = {"count": "Int64", "year": "Int64", "quantity": "Float64", "boolean": "boolean"}
    types = {name: kinds[rule["type"]] for name, rule in fields.items() if rule["type"] in kinds}
    return table[order].astype(types)


def _counts(story: Story, roster: pd.DataFrame, enrolment: pd.DataFrame) -> pd.DataFrame:
    entry = enrolment["grade"] == enrolment["stage"].map(ENTRY_GRADE)
    long = enrolment.assign(entrants=enrolment["students"].where(entry, 0), classes=_classes(story, enrolment))
    table = long.groupby(["index", "stage", "year"], as_index=False)[["students", "entrants", "classes"]].sum()
    table["school_type"] = table["index"].map(roster["school_type"])
    return table.sort_values(["year", "index", "stage"], ignore_index=True)


def _classes(story: Story, enrolment: pd.DataFrame) -> Floats:
    size = enrolment["grade"].map(story["class_size"]).fillna(enrolment["stage"].map(story["class_size"]))
    before = story["class_size_before"]
    old = enrolment["stage"].map({k: v for k, v in before.items() if k != "until"}).fillna(size)
    size = size.where(enrolment["year"] > before["until"], old)
    return np.ceil(enrolment["students"] / size.astype(float)).to_numpy()


def _sections(
    table: pd.DataFrame,
    story: Story,
    roster: pd.DataFrame,
    enrolment: pd.DataFrame,
    weight: pd.Series,
    seed: int,
) -> pd.DataFrame:
    """Join what the standard counts: teachers by section, plant and goods by school."""
    units = make_units(story, roster, enrolment)
    areas = Plant(story, roster, units, weight, choose_renewals(story, roster), seed).areas()
    sections = staff_levels(story, roster, Levers(story, roster, units, areas, seed).solve(), seed)
    by_section = sections[["index", "stage", "year", "teachers", *TEACHERS]]
    goods = sections[~(sections["is_shared"] & (sections["stage"] == "junior"))]
    by_school = goods[["index", "year", "equipment_value_yuan", "multimedia_rooms"]]
    table = table.merge(by_section, on=["index", "stage", "year"], how="left")
    table = table.merge(by_school, on=["index", "year"], how="left")
    return table.merge(gym_areas(story, roster, areas, seed), on=["index", "year"], how="left")


def _other_sections(table: pd.DataFrame, story: Story, roster: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Teachers of seniors and of special and foreign schools."""
    rng = generator(seed, 7)
    noise = np.exp(rng.normal(0, 0.08, len(roster)))[table["index"]]
    kind = table["school_type"].where(table["school_type"].isin(["special", "foreign"]), table["stage"])
    ratio = kind.map(story["other_teachers_per_100"])
    own = table["teachers"].isna() & (table["stage"] != "preschool")
    teachers = np.ceil(table["students"] * ratio.to_numpy() * noise / 100)
    table.loc[own, "teachers"] = teachers[own]
    for column, share in zip(TEACHERS, story["other_teachers"]["school"], strict=True):
        table.loc[own, column] = np.floor(table.loc[own, "teachers"] * share)
    return table


def _kindergarten_teachers(table: pd.DataFrame, story: Story, roster: pd.DataFrame, seed: int) -> pd.DataFrame:
    """So many a class, the same in every year, that the base year has the plan's total."""
    rng = generator(seed, 8)
    noise = rng.uniform(0.92, 1.08, len(roster))[table["index"]]
    preschool = table["stage"] == "preschool"
    base = preschool & (table["year"] == story["base_year"])
    others = table.loc[(table["year"] == story["base_year"]) & ~preschool, "teachers"].sum()
    total = int(story["totals"]["teachers"] - others)
    load = table["classes"] * noise
    per_class = total / load[base].sum()
    table.loc[preschool, "teachers"] = np.floor(load[preschool] * per_class + 0.5)
    table.loc[base, "teachers"] = apportion(load[base], total)
    for column, share in zip(TEACHERS, story["other_teachers"]["kindergarten"], strict=True):
        table.loc[preschool, column] = np.floor(table.loc[preschool, "teachers"] * share)
    return table


def _staff(table: pd.DataFrame, story: Story) -> pd.DataFrame:
    """Staff beside teachers: a part of them in schools, the nurses and cooks of kindergartens by class."""
    preschool, base = table["stage"] == "preschool", table["year"] == story["base_year"]
    table["staff"] = np.floor(table["teachers"] * table["stage"].map(story["staff_ratio"]).fillna(1) + 0.5)
    rest = int(story["totals"]["staff"] - table.loc[base & ~preschool, "staff"].sum())
    rest -= int(table.loc[base & preschool, "teachers"].sum())
    per_class = rest / table.loc[base & preschool, "classes"].sum()
    more = np.floor(table["classes"] * per_class + 0.5)
    table.loc[preschool, "staff"] = (table["teachers"] + more)[preschool]
    exact = table.loc[base & preschool, "teachers"] + apportion(table.loc[base & preschool, "classes"], rest)
    table.loc[base & preschool, "staff"] = exact
    return table


def _shares(table: pd.DataFrame, story: Story, roster: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Columns whose district share is told: whole persons, by teachers and the standing of the school."""
    rng = generator(seed, 9)
    secondary = ["junior", "nine_year", "twelve_year", "senior"]
    counted = table["school_type"].isin(secondary) | table["stage"].isin(["preschool", "primary"])
    group = table["stage"].where(~table["stage"].isin(["junior", "senior"]), "secondary")
    groups = {"postgraduate_teachers": group.where(counted, "other")}
    for column in ("master_teachers", "postgraduate_teachers", "senior_title_teachers", "certified_teachers"):
        told = dict(story["shares"][column])
        if "secondary" in told:
            told["other"] = told["secondary"]
        standing = np.exp(rng.normal(0, 0.22, len(roster)))[table["index"]]
        by = groups.get(column, table["stage"])
        table[column] = _told(table, by, told, pd.Series(standing, index=table.index), "teachers")
    psychology = np.maximum(1, np.floor(table["students"] / story["per_pupil"]["psychology"] + 0.5))
    table["psychology_teachers"] = np.where(table["stage"] == "preschool", 0, psychology)
    return table


def _told(
    table: pd.DataFrame, by: pd.Series, told: dict[str, dict[int, float]], standing: pd.Series, of: str
) -> pd.Series:
    found = pd.Series(np.nan, index=table.index)
    for (group, year), rows in table.groupby([by, "year"], sort=True):
        if group not in told:
            continue
        whole = rows[of].to_numpy()
        total = int(np.floor(told[str(group)][int(year)] / 100 * whole.sum() + 0.5))
        found.loc[rows.index] = apportion(whole * standing.loc[rows.index], total, whole)
    return found


def _health(table: pd.DataFrame, story: Story, seed: int) -> pd.DataFrame:
    rng = generator(seed, 10)
    asked = table["stage"].isin(HEALTH)
    for column in ("students_vision_tested", "students_fitness_tested"):
        part = between(rng, story["shares"]["tested"], len(table))
        table[column] = np.floor(table["students"] * part).where(asked)
    odds = table["stage"].map(story["shares"]["myopia_odds"]).fillna(0.0)
    standing = odds * np.exp(rng.normal(0, 0.09, len(table)))
    one = pd.Series("all", index=table.index).where(asked, "none")
    told = {"all": story["shares"]["students_myopic"]}
    table["students_myopic"] = _told(table, one, told, standing, "students_vision_tested")
    two = one.where(table["stage"] != "senior", "senior")
    passed = story["shares"]["students_fitness_passed"]
    even = pd.Series(np.exp(rng.normal(0, 0.008, len(table))), index=table.index)
    table["students_fitness_passed"] = _told(
        table, two, {"all": passed, "senior": passed}, even, "students_fitness_tested"
    )
    return table


def _plant_of_others(table: pd.DataFrame, story: Story, roster: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Plant of kindergartens, seniors, special and foreign schools: per child of their largest year."""
    rng = generator(seed, 11)
    school = table.groupby(["index", "year"])["students"].transform("sum")
    largest = school.groupby(table["index"]).transform("max")
    preschool = table["stage"] == "preschool"
    for column, bounds in story["kindergarten_plant"].items():
        if isinstance(bounds, list) and column.endswith("_m2"):
            per = between(rng, bounds, len(roster))[table["index"]]
            table[column] = np.ceil(largest * per).where(preschool)
    other = table["teaching_area_m2"].isna() & ~preschool
    means = story["other_plant"]
    for column, mean in means.items():
        per = mean * np.exp(rng.normal(0, 0.12, len(roster)))[table["index"]]
        table.loc[other, column] = (np.ceil(largest * per / 100) * 100)[other]
    table.loc[other, "multimedia_rooms"] = np.ceil(largest * story["rooms"]["per_student"])[other]
    per = between(rng, story["kindergarten_plant"]["equipment_value_yuan"], len(roster))[table["index"]]
    table.loc[preschool, "equipment_value_yuan"] = (np.floor(largest * per / 100) * 100)[preschool]
    rooms = np.ceil(table["classes"] * story["rooms"]["per_kindergarten_class"])
    table.loc[preschool, "multimedia_rooms"] = rooms[preschool]
    return table


def _goods_in_number(table: pd.DataFrame, story: Story, roster: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = generator(seed, 12)
    school = table.groupby(["index", "year"])["students"].transform("sum")
    largest = school.groupby(table["index"]).transform("max") * 0.6 + school * 0.4
    small = table["school_type"] == "kindergarten"
    spec, own = story["per_pupil"], story["kindergarten_plant"]
    books = np.where(small, between(rng, own["books"], len(roster))[table["index"]],
                     between(rng, spec["books"], len(roster))[table["index"]])  # fmt: skip
    machines = np.where(small, own["computers"], between(rng, spec["computers"], len(roster))[table["index"]])
    table["books"] = np.floor(largest * books)
    table["computers"] = np.floor(largest * machines)
    return table


def _school_facts(table: pd.DataFrame, story: Story, roster: pd.DataFrame, weight: pd.Series) -> pd.DataFrame:
    for column in ("school_id", "school_name", "area", "education_group", "opened_year"):
        table[column] = table["index"].map(roster[column])
    public = table["year"] >= table["index"].map(roster["public_year"])
    table["ownership"] = np.where(public, "public", "private")
    table["capacity_students"] = table["index"].map(_capacity(story, roster, weight))
    table = _grades(table, roster)
    table = _modern(table, roster, story)
    table["brand_count"] = _brands(table, roster, story)
    table = _clinics(table, roster, story)
    table["as_of"] = table["year"].astype(str) + "-09-01"
    return table


def _capacity(story: Story, roster: pd.DataFrame, weight: pd.Series) -> pd.Series:
    """规划学位: places of a grade times the grades of the stage, over the stages of the school."""
    stages = stages_of_type()
    total = pd.Series(0, index=roster.index)
    for stage, grades in STAGE_GRADES.items():
        has = roster["school_type"].map(lambda kind, stage=stage: stage in stages[kind])
        years = len([g for g in grades if g != "T"])
        total += np.where(has, places(story, roster, weight, stage) * years, 0)
    fixed = roster["school_type"].map(story["fixed_places"])
    return fixed.fillna(total).astype("int64")


def _grades(table: pd.DataFrame, roster: pd.DataFrame) -> pd.DataFrame:
    kindergarten = table["school_type"] == "kindergarten"
    inclusive = table["year"] >= table["index"].map(roster["inclusive_year"])
    table["is_inclusive"] = inclusive.astype("boolean").where(kindergarten)
    quality = table["year"] >= table["index"].map(roster["quality_year"])
    top = np.where(table["index"].map(roster["top_grade"]), "province_1", "province_2")
    low = np.where(table["index"] % 6 == 5, "unrated", "province_3")
    table["kindergarten_grade"] = pd.Series(np.where(quality, top, low), index=table.index).where(kindergarten)
    standardised = ~table["school_type"].isin(["kindergarten", "foreign"])
    table["is_standardised"] = pd.Series(True, index=table.index, dtype="boolean").where(standardised)
    return table


def _modern(table: pd.DataFrame, roster: pd.DataFrame, story: Story) -> pd.DataFrame:
    """Approval batches among public schools that have been open a few years; known from the year of approval on."""
    fit = roster["school_type"].isin(["primary", "junior", "nine_year"]) & (roster["ownership"] == "public")
    chosen = roster.index[fit & ~roster["is_project"]]
    mixed = (np.arange(len(chosen)) * 37) % 101
    order = chosen[np.lexsort((mixed, roster.loc[chosen, "opened_year"] > max(story["recent_years"]) - 5))]
    stock = story["modern_schools"]
    years = np.repeat(list(stock), np.diff(list(stock.values()), prepend=0))
    approved = pd.Series(NEVER, index=roster.index)
    approved.loc[order[: len(years)]] = years
    year = table["index"].map(approved)
    table["modern_school_year"] = year.where(year <= table["year"]).astype("Int64")
    return table


def _brands(table: pd.DataFrame, roster: pd.DataFrame, story: Story) -> Floats:
    """Brands are given one by one to old primary, junior and nine-year schools; some have two."""
    fit = roster["school_type"].isin(["primary", "junior", "nine_year"]) & (roster["opened_year"] <= 2016)
    holders = roster.index[fit & (roster["ownership"] == "public")][::2]
    given = np.zeros((len(roster), len(story["brands"])))
    for column, number in enumerate(story["brands"].values()):
        rank = np.arange(number) % len(holders)
        np.add.at(given, (holders[rank], column), 1)
    years = np.array(list(story["brands"]))
    return np.asarray(given[table["index"], np.searchsorted(years, table["year"])])


def _clinics(table: pd.DataFrame, roster: pd.DataFrame, story: Story) -> pd.DataFrame:
    table["has_clinic"] = pd.Series(True, index=table.index, dtype="boolean")
    doctor = pd.Series(True, index=table.index, dtype="boolean")
    new = roster[roster["school_type"].isin(["primary", "junior"]) & roster["is_project"]]
    for year, number in story["without_doctor"].items():
        without = new.index[new["opened_year"] == year][:number]
        doctor[table["index"].isin(without) & (table["year"] == year)] = False
    table["has_school_doctor"] = doctor
    asked = table["school_type"] != "kindergarten"
    table["is_psychology_met"] = pd.Series(True, index=table.index, dtype="boolean").where(asked)
    return table

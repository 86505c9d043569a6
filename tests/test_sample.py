"""The simulated district: it reproduces the plan's base year, tells its story, and its files say the same."""

import hashlib
import unicodedata
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from python_calamine import CalamineWorkbook

from planlib.balance import balance_table
from planlib.paths import DEFINITIONS
from planlib.sample import generate, make_truth, write_district
from planlib.sample.story import STAGE_GRADES, apportion, compulsory_standard, story
from planlib.standard import check_standard, stage_resources

SHIPPED = Path(__file__).parents[1] / "data" / "raw" / "shangcheng"
FORM = yaml.safe_load((DEFINITIONS / "forms" / "collection.yml").read_text(encoding="utf-8"))
KEYS = ["school_id", "stage", "year"]
YEARS = range(2018, 2026)


@pytest.fixture(scope="module")
def truth():
    return make_truth()


@pytest.fixture(scope="module")
def written(truth, tmp_path_factory):
    folder = tmp_path_factory.mktemp("district")
    write_district(folder, truth)
    return folder


# --- a reader of its own: it shares the form's texts with planlib, but no code ----------------------------------


def _plain(text):
    return "".join(unicodedata.normalize("NFKC", str(text)).replace("_x000D_", "").split())


def _header(text):
    """Return (field, unit in the bracket) of a header text."""
    text = _plain(text)
    for prefix in FORM["header_rules"]["strip_prefixes"]:
        text = text.removeprefix(prefix)
    for name, rule in FORM["fields"].items():
        for known in map(_plain, rule["headers"]):
            if text == known:
                return name, None
            if text.startswith(known + "(") and text.endswith(")"):
                return name, text[len(known) + 1 : -1]
    return None, None


def _cell_value(raw, name, unit):
    rule = FORM["fields"][name]
    text = _plain(raw).replace(",", "")
    if rule["type"] == "boolean":
        return FORM["values"]["is"].get(text, False)
    if rule["type"] == "code":
        texts = FORM["types"] if rule["values"] == "types" else FORM["values"][rule["values"]]
        return texts[text] if text else None
    if rule["type"] == "text":
        return text
    if not text:
        return 0.0 if rule["blank"] == "zero" else np.nan
    return float(text) * (next(iter(FORM["units"][unit].values())) if rule["type"] == "quantity" else 1)


def _read_sheet(rows, year, corrected, dropped):
    """Yield (school, stage or None, field, value) of one sheet; corrected: cell to text, dropped: rows."""
    top = next(i for i, row in enumerate(rows) if any(_header(cell)[0] == "school_id" for cell in row))
    columns, upper = [], ""
    for at, (above, below) in enumerate(zip(rows[top], rows[top + 1], strict=True)):
        upper = above or upper
        name, unit = _header(below or above)
        columns.append((at, name, unit, FORM["stage_headers"].get(_plain(upper)) if below else None))
    code = next(at for at, name, _, _ in columns if name == "school_id")
    for line, row in enumerate(rows[top + 2 :], top + 2):
        if not _plain(row[code]) or line in dropped:
            continue
        for at, name, unit, stage in columns:
            if name is not None:
                raw = corrected.get((line, at), row[at])
                yield (
                    _plain(row[code]),
                    stage,
                    name,
                    _cell_value(raw, name, unit or FORM["fields"][name].get("unit")),
                )


def _place(cell):
    letters = cell.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - 64
    return int(cell[len(letters) :]) - 1, column - 1


def _read_book(path, corrections):
    year = int(path.name[:4])
    cells = {}
    book = CalamineWorkbook.from_path(str(path))
    for sheet in book.sheet_names:
        mine = [c for c in corrections if c["where"]["file"].endswith(path.name) and c["where"]["sheet"] == sheet]
        fixed = {_place(c["where"]["cell"]): c["value"] for c in mine if c["action"] == "override"}
        dropped = {_place(c["where"]["cell"])[0] for c in mine if c["action"] == "drop"}
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        for school, stage, name, value in _read_sheet(rows, year, fixed, dropped):
            cells.setdefault((school, stage), {})[name] = value
    return [(school, stage, year, values) for (school, stage), values in cells.items()]


@pytest.fixture(scope="module")
def reread(written):
    corrections = yaml.safe_load((written / "corrections.yml").read_text(encoding="utf-8"))["corrections"]
    entries = [e for path in sorted((written / "returns").glob("*.xlsx")) for e in _read_book(path, corrections)]
    own = {(school, year): values for school, stage, year, values in entries if stage is None}
    split = {(school, year) for school, stage, year, _ in entries if stage is not None}
    rows = []
    for school, stage, year, values in entries:
        kind = own[school, year]["school_type"]
        if stage is None and (school, year) in split:
            continue
        known = stage or FORM["stages_of_type"][kind][0]
        rows.append({**own[school, year], **values, "stage": known, "year": year})
    return pd.DataFrame(rows)


@pytest.fixture(params=["truth", "workbooks"])
def schools(request, truth, reread):
    if request.param == "workbooks":
        numbers = reread.select_dtypes("number").columns
        return reread.astype(dict.fromkeys(numbers, "Float64")).astype({"year": int})
    return truth["schools"]


def _base(schools):
    return schools[schools["year"] == 2020]


def _share(part, whole):
    return 100 * float(part.sum()) / float(whole.sum())


# --- the base year is the plan's ---------------------------------------------------------------------------------


def test_workbooks_say_what_the_truth_says(truth, reread):
    mine = truth["schools"].set_index(KEYS).sort_index()
    theirs = reread.set_index(KEYS).sort_index()
    assert theirs.index.equals(mine.index)
    for column in FORM["fields"]:
        if column == "school_id":
            continue
        if column not in mine:  # figures of the national forms, which no collection sheet has
            assert column not in theirs or theirs[column].isna().all(), column
            continue
        if pd.api.types.is_numeric_dtype(mine[column].dtype) and str(mine[column].dtype) != "boolean":
            left = mine[column].astype("Float64").to_numpy(float, na_value=np.nan)
            np.testing.assert_allclose(theirs[column].to_numpy(float), left, rtol=1e-12, err_msg=column)
        else:
            known = mine[column].notna()
            assert (theirs.loc[known, column] == mine.loc[known, column]).all(), column


def test_institutions_of_2020(schools):
    kinds = _base(schools).drop_duplicates("school_id")["school_type"].value_counts().to_dict()
    assert kinds == {
        "kindergarten": 106, "primary": 51, "junior": 19, "nine_year": 17, "twelve_year": 2, "senior": 1,
        "vocational": 2, "special": 2, "foreign": 2,
    }  # fmt: skip
    assert sum(kinds.values()) == 202


def test_people_of_2020(schools):
    base = _base(schools)
    students = base.groupby("stage")["students"].sum()
    assert students["preschool"] == 42593
    assert students["primary"] + students["junior"] == 108168
    assert students["senior"] == 2345
    assert (base["teachers"].sum(), base["staff"].sum()) == (12161, 15548)


def test_opened_2016_to_2020(schools):
    """61 schools were delivered in the five years before: 3 nine-year, 5 junior, 18 primary, 35 kindergartens."""
    base = _base(schools).drop_duplicates("school_id")
    recent = base[(base["opened_year"] >= 2016)]["school_type"].value_counts().to_dict()
    assert recent == {"kindergarten": 35, "primary": 18, "junior": 5, "nine_year": 3}


def test_kindergarten_shares_of_2020(schools):
    base = _base(schools)
    base = base[base["stage"] == "preschool"]
    children = base["students"]
    assert round(_share(children[base["ownership"] == "public"], children), 2) == 76.36
    assert round(_share(children[base["is_inclusive"].astype(bool)], children), 1) == 94.9
    quality = base["kindergarten_grade"].isin(["province_1", "province_2"])
    assert round(_share(children[quality], children), 2) == 93.17


def test_other_table_values_of_2020(schools):
    base = _base(schools)
    secondary = base["school_type"].isin(["junior", "nine_year", "twelve_year", "senior"])
    secondary &= base["stage"].isin(["junior", "senior"])
    assert round(_share(base["postgraduate_teachers"][secondary], base["teachers"][secondary]), 1) == 23.0
    for stage, told in {"preschool": 30.0, "primary": 30.0, "junior": 35.0}.items():
        rows = base[base["stage"] == stage]
        assert round(_share(rows["master_teachers"], rows["teachers"]), 1) == told
    health = base[base["stage"] != "preschool"]
    assert round(_share(health["students_myopic"], health["students_vision_tested"]), 2) == 56.78
    health = health[health["stage"] != "senior"]
    assert round(_share(health["students_fitness_passed"], health["students_fitness_tested"]), 1) == 98.0


def test_school_facts_of_2020(schools):
    base = _base(schools).drop_duplicates("school_id")
    compulsory = base[base["school_type"].isin(["primary", "junior", "nine_year", "twelve_year"])]
    assert (compulsory["education_group"] != "").all()
    assert compulsory["is_standardised"].astype(bool).all()
    assert base["has_clinic"].astype(bool).all()
    assert base["has_school_doctor"].astype(bool).all()
    assert compulsory["is_psychology_met"].astype(bool).all()
    assert base["modern_school_year"].notna().sum() == 9
    assert base["brand_count"].sum() == 34


def _composites(schools):
    standard = compulsory_standard(story(), 2020)
    rows = stage_resources(schools, standard)
    table = balance_table(rows, by=["stage", "year"], resources=standard.resources)
    return rows, table


def test_composite_of_2020(schools):
    """Official formula: 70 primary units at 0.305, 38 junior units at 0.277, special and foreign schools out."""
    rows, table = _composites(schools)
    found = table[(table["resource"] == "composite") & (table["year"] == 2020)].set_index("stage")["cv"]
    assert {stage: round(cv, 3) for stage, cv in found.items()} == {"primary": 0.305, "junior": 0.277}
    units = rows[rows["year"] == 2020].groupby("stage").size()
    assert (units["primary"], units["junior"]) == (51 + 17 + 2, 19 + 17 + 2)


# --- the story after it ------------------------------------------------------------------------------------------


def test_public_record_from_2023(truth):
    """Recognised in 2023: from then on every cap and every school's thresholds hold; before, some schools fail."""
    rows, table = _composites(truth["schools"])
    caps = {"primary": 0.50, "junior": 0.45}
    since = table[(table["year"] >= 2023) & (table["resource"] != "composite")]
    assert len(since) == 3 * 2 * 7
    assert (since["cv"] <= since["stage"].map(caps)).all()
    passing = check_standard(rows, compulsory_standard(story(), 2023)).schools
    later = passing["year"] >= 2023
    assert passing.loc[later, "is_passing"].all()
    assert not passing.loc[~later].groupby("year")["is_passing"].all().any()
    # the rule of six of seven is used, not only met by all
    assert (passing.loc[later, "between"] > 0).any()


def test_composite_tells_a_story(truth):
    _, table = _composites(truth["schools"])
    path = table[table["resource"] == "composite"].pivot_table(index="year", columns="stage", values="cv").round(3)
    assert path.loc[2022, "primary"] > 0.305  # below the baseline at the mid-term
    assert 0.299 <= path.loc[2025, "primary"] <= 0.302  # and in doubt at the end
    assert path.loc[2025, "junior"] <= 0.25
    assert path["junior"].is_monotonic_decreasing


def test_children_follow_births(truth):
    students = truth["schools"].groupby(["stage", "year"])["students"].sum()
    preschool = students["preschool"]
    assert preschool.idxmax() == 2021
    assert preschool.loc[2021:].is_monotonic_decreasing
    assert preschool[2025] < 50000
    compulsory = students["primary"] + students["junior"]
    assert compulsory.is_monotonic_increasing
    assert 130000 <= compulsory[2025] <= 134000
    births = truth["births"].groupby("year")["births"].sum()
    assert list(births.index) == list(range(2010, 2025))
    assert births.idxmax() == 2017
    first = truth["enrolment"].query("grade == '1'").groupby("year")["students"].sum()
    factor = [first[t] / (births[t - 6] * 2 / 3 + births[t - 7] / 3) for t in range(2018, 2026)]
    assert min(factor) > 1.5
    assert max(factor) < 1.8


def test_new_schools_begin_with_one_grade(truth):
    schools, enrolment = truth["schools"], truth["enrolment"]
    new = schools[(schools["opened_year"] == schools["year"]) & (schools["year"] > 2018)]
    grades = enrolment.merge(new[KEYS], on=KEYS).query("grade != 'T'").groupby(KEYS)["grade"]
    assert (grades.size() == 1).all()
    entry = {"preschool": "K1", "primary": "1", "junior": "7"}
    assert all(first == entry[key[1]] for key, first in grades.first().items())
    # a second year has two
    next_year = schools[(schools["opened_year"] + 1 == schools["year"]) & (schools["opened_year"] > 2018)]
    counts = enrolment.merge(next_year[KEYS], on=KEYS).query("grade != 'T'").groupby(KEYS)["grade"].nunique()
    assert (counts == 2).all()


def test_enrolment_sums_to_the_returns(truth):
    by_stage = truth["enrolment"].groupby(KEYS)["students"].sum()
    returns = truth["schools"].set_index(KEYS)["students"]
    assert by_stage.sort_index().astype("Int64").equals(returns.sort_index())
    entry = truth["enrolment"][truth["enrolment"]["grade"].isin(["K1", "1", "7", "10"])]
    entrants = truth["schools"].set_index(KEYS)["entrants"].sort_index()
    found = entry.groupby(KEYS)["students"].sum().reindex(entrants.index, fill_value=0)
    assert (found == entrants).all()
    stages = {grade: stage for stage, grades in STAGE_GRADES.items() for grade in grades}
    assert (truth["enrolment"]["grade"].map(stages) == truth["enrolment"]["stage"]).all()


def test_projects_agree_with_the_schools(truth):
    projects, schools = truth["projects"], truth["schools"]
    kinds = projects["kind"].value_counts().to_dict()
    assert kinds == {"kindergarten": 34, "primary": 13, "junior": 10, "nine_year": 6, "renewal": 10}
    new = projects[projects["kind"] != "renewal"]
    assert new["site_area_m2"].sum() == 1110000
    opened = new[new["opened"] != ""]
    assert 0 < len(opened) < 63
    first = schools.drop_duplicates("school_id").set_index("school_name")
    for row in opened.itertuples():
        school = first.loc[row.name.removesuffix("新建工程")]
        assert (school["school_type"], school["opened_year"]) == (row.kind, int(row.opened[:4]))
        assert (school["area"], school["capacity_students"]) == (row.area, row.seats)
    dated = projects[["approved", "started", "completed", "handed_over", "opened"]].replace("", "9999")
    assert (dated.to_numpy()[:, :3] <= dated.to_numpy()[:, 1:4]).all()


def test_one_private_school_turned_public(truth):
    owners = truth["schools"].drop_duplicates(["school_id", "ownership"])
    twice = owners.loc[owners["school_id"].duplicated(), "school_id"]
    changed = truth["schools"][truth["schools"]["school_id"].isin(twice)]
    assert len(set(changed["school_id"])) == 1
    assert changed["school_type"].iloc[0] == "nine_year"
    last = changed[changed["year"] < changed["year"].max()]
    assert set(changed.loc[changed["year"] == 2025, "ownership"]) == {"public"}
    assert "private" in set(last["ownership"])


def test_counts_are_possible(truth):
    schools = truth["schools"]
    persons = [c for c in schools if c.endswith("_teachers")]
    for column in persons:
        assert (schools[column].dropna() <= schools["teachers"][schools[column].notna()]).all(), column
    assert (schools["teachers"] <= schools["staff"]).all()
    assert (schools["entrants"] <= schools["students"]).all()
    assert (
        schools["students_vision_tested"].dropna() <= schools["students"][schools["stage"] != "preschool"]
    ).all()
    kept = schools["students_myopic"].notna()
    assert (schools["students_myopic"][kept] <= schools["students_vision_tested"][kept]).all()
    kept = schools["gym_area_m2"].notna()
    assert (schools["gym_area_m2"][kept] <= schools["teaching_area_m2"][kept]).all()
    per_class = schools["students"].astype(float) / schools["classes"].astype(float)
    assert per_class.max() <= 50
    assert not schools.duplicated(KEYS).any()


def test_every_school_reports_every_year_it_is_open(truth):
    schools = truth["schools"].drop_duplicates(["school_id", "year"])
    for _, years in schools.groupby("school_id")["year"]:
        assert list(years) == list(range(years.min(), years.max() + 1))
    assert set(schools["year"]) == set(YEARS)
    assert (schools["opened_year"] <= schools["year"]).all()


def test_modern_schools_come_in_batches(truth):
    rows = truth["schools"].drop_duplicates(["school_id", "year"])
    known = rows[rows["modern_school_year"].notna()]
    assert (known["modern_school_year"] <= known["year"]).all()
    stock = known.groupby("year").size()
    assert stock[2025] >= 60
    assert stock[2022] < 9 + 0.4 * (60 - 9)  # behind at the mid-term


def test_names_are_fictitious_and_single(truth):
    names = truth["schools"].drop_duplicates("school_id")["school_name"]
    assert names.str.startswith(story()["words"]["prefix"]).all()
    assert names.is_unique


# --- the records --------------------------------------------------------------------------------------------------


def test_money_of_2016_to_2020(truth):
    money = truth["finance"].pivot_table(index="year", columns="item", values="value").loc[2016:2020]
    education = money["education_expenditure_yuan"].sum()
    assert education == 11_860_000_000
    assert round(100 * education / money["general_expenditure_yuan"].sum(), 2) == 21.25


def test_records_name_what_the_plan_has(truth):
    plan = yaml.safe_load((SHIPPED / "plan.yml").read_text(encoding="utf-8"))
    commitments = {c["id"] for c in plan["commitments"]}
    series = {s["id"] for indicator in plan["indicators"] for s in indicator["series"]}
    assert set(truth["milestones"]["commitment_id"]) <= commitments
    assert set(truth["observations"]["series_id"]) <= series
    measured = {c["id"] for c in plan["commitments"] if c.get("measure")}
    silent = commitments - measured - set(truth["milestones"]["commitment_id"])
    assert 1 <= len(silent) <= 5


def test_explanations_leave_one_late_row_unexplained():
    """The mid-term has a 说明 for the late binding rows but one, so that the report has to ask for it."""
    entries = yaml.safe_load((SHIPPED / "explanations.yml").read_text(encoding="utf-8"))
    told = {e["subject"] for e in entries if e["report"] == "midterm"}
    assert {"balance_primary", "public_kindergarten_coverage", "myopia_rate", "school_doctor_coverage"} == told
    assert "modern_schools" not in told


def test_years_before_the_boundary_are_marked(truth):
    before = truth["observations"]["as_of"].str[:4].astype(int) < 2021
    words = truth["observations"].groupby(before)["boundary"].unique()
    assert list(words[True]) == ["按现行区划回溯"]
    assert list(words[False]) == ["现行区划"]


def test_census_values_only_in_census_years(truth):
    years = truth["observations"].query("series_id == 'schooling_years'")["as_of"].str[:4]
    assert list(years) == ["2020"]


# --- the files ----------------------------------------------------------------------------------------------------


def _digests(folder):
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_same_seed_same_bytes(truth, written, tmp_path):
    generate(tmp_path)
    assert _digests(tmp_path) == _digests(written)
    assert sum(p.stat().st_size for p in tmp_path.rglob("*.*")) < 5_000_000


def test_another_seed_is_another_district(truth):
    other = make_truth(seed=7)
    assert not other["enrolment"].equals(truth["enrolment"])
    base = _base(other["schools"])
    assert base["students"].sum() == 153106
    assert (base["teachers"].sum(), base["staff"].sum()) == (12161, 15548)


def _content(path):
    """What a file says: for a workbook its parts, so that another compressor makes no difference."""
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            return {name: book.read(name) for name in book.namelist()}
    if path.name == "sources.yml":
        return [{**e, "sha256": ""} for e in yaml.safe_load(path.read_text(encoding="utf-8"))]
    return path.read_bytes()


def test_committed_files_are_the_generated_ones(written):
    if version("xlsxwriter").split(".")[:2] != ["3", "3"]:
        pytest.skip("the shipped workbooks were written by another xlsxwriter")
    names = sorted(_digests(written))
    shipped = sorted(set(_digests(SHIPPED)) - {"plan.yml", "responsibility.yml"})
    assert shipped == names
    for name in names:
        assert _content(written / name) == _content(SHIPPED / name), f"{name}: run `planlib sample` again"


def test_sources_name_every_file(written):
    entries = yaml.safe_load((written / "sources.yml").read_text(encoding="utf-8"))
    assert all(entry["synthetic"] is True for entry in entries)
    found = {entry["file"]: entry["sha256"] for entry in entries}
    told = _digests(written)
    del told["sources.yml"]
    assert found == told


def test_corrections_hold_what_stands_there(written):
    corrections = yaml.safe_load((written / "corrections.yml").read_text(encoding="utf-8"))["corrections"]
    assert {c["action"] for c in corrections} == {"override", "drop", "flag"}
    for entry in corrections:
        book = CalamineWorkbook.from_path(str(written / entry["where"]["file"]))
        rows = book.get_sheet_by_name(entry["where"]["sheet"]).to_python(skip_empty_area=False)
        line, at = _place(entry["where"]["cell"])
        found = rows[line][at]
        assert (found if isinstance(found, str) else f"{found:g}") == str(entry["expect"])


def test_headers_are_merged_and_numbers_are_text(written):
    """The shipped dirt is there: merged stage headers, numbers as text, thousands separators, blanks for zero."""
    book = CalamineWorkbook.from_path(str(written / "returns" / "2020学年_九年一贯制学校.xlsx"))
    sheet = book.get_sheet_by_name("学生")
    assert sheet.merged_cell_ranges
    rows = sheet.to_python(skip_empty_area=False)
    assert "小学部" in rows[2]
    assert isinstance(rows[4][3], str)
    plant = book.get_sheet_by_name("校舍与设备").to_python(skip_empty_area=False)
    texts = [cell for row in plant for cell in row if isinstance(cell, str)]
    assert any(text.replace(",", "").isdigit() and "," in text for text in texts)
    assert any("万元" in text for text in texts)


def test_apportion_shares_out_everything():
    rng = np.random.default_rng(1)
    for total in (0, 1, 17, 1000):
        weights = rng.random(23)
        parts = apportion(weights, total)
        assert parts.sum() == total
        assert (np.abs(parts - weights / weights.sum() * total) < 1).all()
        caps = rng.integers(0, 100, 23)
        limited = apportion(weights, total, caps)
        assert limited.sum() == total
        assert (limited <= caps).all() or total > caps.sum()

"""A district folder made of real files: Baltimore City, its schools, grades and buildings.

How one system was put into the words of another:

- ``year`` of the source is the year a school year ends in; here it is the year it begins in.
- Grade K and 1 to 5 are primary, 6 to 8 junior, 9 to 12 senior. PK and K are the two years before grade 1, so by age
  they are the last two of a kindergarten (K2, K3); K is taught in primary schools and counted with their stage, PK is
  an attached kindergarten, a unit of its own.
- A cell suppressed for privacy (fewer than ten pupils) is not known: no line in enrolment.csv, not in the sum of its
  school, ``*`` in the returns where nothing of a stage is known. It is never a zero. Where a school has stages with
  known figures, these alone make its type: nine pupils do not turn a primary school into a nine-year school.
- A junior with a senior stage has no type of its own in the form: it is a twelve-year school without a primary stage.
- Floor area and places are of the one year the buildings were listed in, and only of buildings that one school has
  to itself. Floor area is gross and stands for teaching area; it does not tell a gym apart, so the gym is 0.
- What Baltimore does not list (staff, equipment, …) is waived in corrections.yml and stays unknown.

The plan of this district is made up for the test and says so.
"""

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter
import yaml
from returns_builder import FORM

NAME = "baltimore"
FIRST, LAST, LISTED = 2013, 2024, 2021
SQUARE_FEET = 0.09290304
AREA = "全市"
STAGES = {
    "preschool": ["PK"],
    "primary": ["K", "1", "2", "3", "4", "5"],
    "junior": ["6", "7", "8"],
    "senior": ["9", "10", "11", "12"],
}
STAGE_OF = {grade: stage for stage, grades in STAGES.items() for grade in grades}
TYPES = {
    ("preschool",): "幼儿园",
    ("primary",): "小学",
    ("junior",): "初级中学",
    ("primary", "junior"): "九年一贯制学校",
    ("senior",): "普通高中",
}
MIXED = "十二年一贯制学校"
GIVEN = ["school_id", "school_name", "school_type", "ownership", "area", "students"]
OF_BUILDINGS = ["teaching_area_m2", "gym_area_m2", "capacity_students"]


def cells(real_data: Path) -> pd.DataFrame:
    """Return pupils by school, grade and year in which the school year begins; suppressed cells are missing."""
    source = pd.read_csv(
        real_data / "baltimore_bcpss_enrollment.csv.gz", dtype={"school_number": str, "grade": str}
    )
    rows = source[(source["race"] == "All") & (source["school_number"] != "0") & source["grade"].notna()]
    year = rows["year"] - 1
    rows = rows.assign(year=year, stage=rows["grade"].map(STAGE_OF))[year.between(FIRST, LAST)]
    number = "B" + rows["school_number"].str.zfill(4)
    rows["school_id"] = number + rows["stage"].map({"preschool": "K"}).fillna("")
    names = rows["school_name"] + rows["stage"].map({"preschool": " 附设幼儿园"}).fillna("")
    return rows.assign(school_name=names)[["school_id", "school_name", "stage", "grade", "year", "enrolled_count"]]


def published(real_data: Path) -> pd.Series:
    """Return the district's own totals (all grades), by the year in which the school year begins."""
    source = pd.read_csv(
        real_data / "baltimore_bcpss_enrollment.csv.gz", dtype={"school_number": str, "grade": str}
    )
    district = source[(source["race"] == "All") & (source["school_name"] == "All Baltimore City Schools")]
    total = district[district["grade_range"] == "All Grades"]
    return total.assign(year=total["year"] - 1).set_index("year")["enrolled_count"].sort_index()


def buildings(real_data: Path) -> pd.DataFrame:
    """Return floor area and places of the schools that have a building to themselves, by school_id."""
    source = pd.read_csv(real_data / "baltimore_bcpss_buildings_SY2122.csv", dtype=str)
    alone = source[
        ~source["bldg_number"].duplicated(keep=False) & ~source["program_number"].duplicated(keep=False)
    ]
    number = "B" + alone["program_number"].str.zfill(4)
    area = pd.to_numeric(alone["bldg_sqft"]) * SQUARE_FEET
    found = {
        "teaching_area_m2": area.round(1),
        "gym_area_m2": 0.0,
        "capacity_students": pd.to_numeric(alone["src"]),
    }
    return pd.DataFrame(found).set_axis(number)


def units(real_data: Path) -> pd.DataFrame:
    """Return one row per school and year: name, type, pupils of each stage (missing where all is suppressed)."""
    rows = cells(real_data)
    sums = rows.groupby(["school_id", "year", "stage"])["enrolled_count"].sum(min_count=1).reset_index()
    is_known = sums["enrolled_count"].notna()
    typed = sums[is_known | ~is_known.groupby([sums["school_id"], sums["year"]]).transform("any")]
    stages = typed.groupby(["school_id", "year"])["stage"].agg(lambda s: tuple(t for t in STAGES if t in set(s)))
    wide = sums.set_index(["school_id", "year", "stage"])["enrolled_count"].unstack("stage")  # noqa: PD010 - no means
    names = rows.drop_duplicates(["school_id", "year"]).set_index(["school_id", "year"])["school_name"]
    return wide.assign(type_word=[TYPES.get(s, MIXED) for s in stages], school_name=names).reset_index()


def build(real_data: Path, root: Path, plan: str) -> Path:
    """Write the district's folder below `root`: plan, returns, enrolment, observations, sources, corrections."""
    folder = root / "data" / "raw" / NAME
    (folder / "returns").mkdir(parents=True)
    (folder / "plan.yml").write_text(plan, encoding="utf-8")
    table, plant = units(real_data), buildings(real_data)
    for year, rows in table.groupby("year"):
        book = _workbook(int(year), rows, plant if year == LISTED else plant.iloc[:0])
        (folder / "returns" / f"{year}学年.xlsx").write_bytes(book)
    _write_enrolment(folder, cells(real_data))
    _write_observations(folder, published(real_data))
    source = "Baltimore City Public Schools through elipousson/bcpss"
    about = [
        {"file": f.relative_to(folder).as_posix(), "producer": source, "licence": "CC0-1.0", "synthetic": False}
        for f in sorted(folder.rglob("*"))
        if f.suffix in (".xlsx", ".csv")
    ]
    _write_yaml(folder / "sources.yml", about)
    _write_yaml(folder / "corrections.yml", {"schema_version": 1, "not_collected": _waivers()})
    return folder


def _write_yaml(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _waivers() -> list[dict[str, Any]]:
    said = {"reason": "Baltimore 的公开数据没有这些项目", "who": "tests"}
    never = [name for name in FORM.columns if name not in GIVEN + OF_BUILDINGS]
    years = [year for year in range(FIRST, LAST + 1) if year != LISTED]
    return [{"columns": never, **said}, {"columns": OF_BUILDINGS, "years": years, **said}]


def _workbook(year: int, rows: pd.DataFrame, plant: pd.DataFrame) -> bytes:
    """Return a year's returns: a sheet for each type of school, with stages in the upper header where there are several."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    for word, schools in rows.groupby("type_word"):
        _sheet(book.add_worksheet(str(word)), str(word), year, schools, plant)
    book.close()
    return buffer.getvalue()


def _sheet(sheet: Any, word: str, year: int, schools: pd.DataFrame, plant: pd.DataFrame) -> None:
    stages = FORM.stages(FORM.columns["school_type"].codes[word])
    words = {stage: text for text, stage in FORM.stage_headers.items()}
    has_plant = len(plant) > 0 and word != "幼儿园"
    columns = [c for c in GIVEN if c != "students"] + (OF_BUILDINGS if has_plant else [])
    columns += ["capacity_students"] if len(plant) and not has_plant else []
    sheet.write(0, 0, f"巴尔的摩市{year}/{year + 1}学年初{word}一览表")
    for place, name in enumerate(columns):
        unit = "（平方米）" if name.endswith("m2") else ""
        sheet.write(3, place, FORM.columns[name].headers[0] + unit)
    for place, stage in enumerate(stages, len(columns)):
        if len(stages) > 1:
            sheet.write(2, place, words[stage])
        sheet.write(3, place, FORM.columns["students"].headers[0])
    for line, school in enumerate(schools.to_dict("records"), 4):
        about = {**school, "school_type": word, "ownership": "公办", "area": AREA}
        about |= plant.loc[school["school_id"]].to_dict() if school["school_id"] in plant.index else {}
        for place, name in enumerate(columns):
            if pd.notna(about.get(name)):
                sheet.write(line, place, about[name])
        for place, stage in enumerate(stages, len(columns)):
            sheet.write(line, place, "*" if pd.isna(school[stage]) else school[stage])


def _write_enrolment(folder: Path, rows: pd.DataFrame) -> None:
    known = rows[rows["enrolled_count"] > 0].sort_values(["year", "school_id", "grade"])
    grade = known["grade"].replace({"PK": "K2", "K": "K3"})
    count = known["enrolled_count"].astype(int)
    table = known.assign(area=AREA, grade=grade, students=count).drop(columns="enrolled_count")
    table = table[["school_id", "school_name", "area", "stage", "grade", "year", "students"]]
    table.to_csv(folder / "enrolment.csv", index=False)


def _write_observations(folder: Path, totals: pd.Series) -> None:
    header = ["series_id", "value", "relation", "as_of", "status", "source_office", "boundary", "note"]
    with (folder / "observations.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for year, value in totals.loc[FIRST:LAST].items():
            row = ["pupils", int(value), "=", f"{year}-09-01", "审定", "Maryland State Department of Education"]
            row += ["现行区划", ""]
            writer.writerow(row)

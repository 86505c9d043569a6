"""Campuses that report under one school's code are added up with every cell named, or refused: never one of them alone."""

import shutil
from pathlib import Path

import pytest
from returns_builder import columns_of, district, grid, school, workbook
from school_builder import school as national
from school_builder import school_book

from planlib import cli, paths, schema
from planlib.clean import FaultyData, clean_district

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "raw" / "shangcheng"
NAME = "testdistrict"
BOOK = "returns/2020学年_小学.xlsx"
COLUMNS = columns_of("primary")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    made = district(tmp_path, NAME)
    shutil.copy(SHIPPED / "plan.yml", made)
    (made / BOOK).unlink()
    return made


def put(folder, schools, campuses=None, name=BOOK):
    rows, merged = grid(schools, COLUMNS)
    if campuses:
        rows = [[*row, more] for row, more in zip(rows, [None, None, "校区", None, *campuses], strict=True)]
    (folder / name).write_bytes(workbook({"基本情况": (rows, merged)}))


def part(**figures):
    """Return a row of a primary school; figures by stage are named by their column alone."""
    own = {
        "school_name": "采荷小学",
        "teaching_area_m2": 1000,
        "equipment_value_yuan": 50,
        "staff": 45,
        "opened_year": 1990,
    }
    return school() | {key: (own | figures)[name_of(key)] for key in COLUMNS if name_of(key) in own | figures}


def name_of(key):
    return key[1] if isinstance(key, tuple) else key


EAST = part(students=600, teachers=30, opened_year=2015)
WEST = part(students=250, teachers=14, teaching_area_m2=800.5, equipment_value_yuan=25)


def fault():
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    assert refused.value.in_words("zh")
    return str(refused.value)


def read(table="schools"):
    return schema.read_table(paths.processed(NAME) / f"{table}.parquet", table)


def holds(row):
    assert row[["school_name", "campuses"]].tolist() == ["采荷小学", "东校区、西校区"]
    assert row[["students", "teachers", "teaching_area_m2", "opened_year"]].tolist() == [850, 44, 1800.5, 1990]
    assert row["equipment_value_yuan"] == 750_000


@pytest.mark.parametrize("way", ["column", "bracket", "behind the name", "two files"])
def test_campuses_are_added_up(folder, capsys, way):
    marks = {"bracket": "采荷小学（{}）", "behind the name": "采荷小学 {}", "two files": "采荷小学-{}"}
    named = [one | {"school_name": marks.get(way, "采荷小学").format(campus)}
             for one, campus in ((EAST, "东校区"), (WEST, "西校区"))]  # fmt: skip
    if way == "two files":
        put(folder, named[:1])
        put(folder, named[1:], name="returns/2020学年_西.xlsx")
    else:
        put(folder, named, ["东校区", "西校区"] if way == "column" else None)
    result = clean_district(NAME)
    assert len(read()) == 1
    holds(read().iloc[0])
    assert result.issues[["level", "issue_kind", "found", "done"]].to_numpy().tolist() == [
        ["note", "campus", "S0001 has the campuses 东校区、西校区", "added up"]
    ]
    assert result.accounts["issue"].sum() == 0
    assert cli.main(["trace", NAME, "schools", "2020", "S0001", "teachers"]) == 0
    said = capsys.readouterr().out
    place = "P5+[returns/2020学年_西.xlsx]基本情况!P5" if way == "two files" else "P5+P6"
    assert place in said
    assert "30+14" in said
    assert "2 个校区之和" in said


def test_campuses_of_school_workbooks_are_added_up(folder):
    whole = national()
    for number, campus in enumerate(["东校区", "西校区"]):
        one = whole | {"school_name": f"采荷小学（{campus}）", ("primary", "students"): 300 + number}
        (folder / f"returns/{campus}.xlsx").write_bytes(school_book(one, 2020, False))
    result = clean_district(NAME)
    assert not (result.issues["level"] == "error").any()
    row, born = read().iloc[0], read("lineage").set_index("column")
    assert row[["students", "books", "campuses"]].tolist() == [601, 2 * whole["books"], "东校区、西校区"]
    assert row["teachers_above_required_degree"] == 2 * whole["primary", "teachers_above_required_degree"]
    far = "[returns/西校区.xlsx]基础基423!"
    assert born.loc["teachers_above_required_degree", "cell"] == f"D7+D8+D9+{far}D7+{far}D8+{far}D9"
    assert "repeated" in result.accounts
    assert result.accounts["issue"].sum() == 0


def test_three_campuses_one_of_which_has_nothing_of_a_kind(folder):
    put(folder, [EAST, WEST, part(students=10, teaching_area_m2="*")], ["东校区", "西校区", "南校区"])
    clean_district(NAME)
    assert read().iloc[0][["students", "teaching_area_m2"]].tolist() == [860, 1800.5]


def test_a_row_of_the_whole_school_beside_its_campuses_must_be_their_sum(folder):
    whole = part(students=850, teachers=44, classes=20, teaching_area_m2=1800.5, equipment_value_yuan=75, staff=90)
    put(folder, [whole, EAST, WEST], ["", "东校区", "西校区"])
    clean_district(NAME)
    assert read().iloc[0][["students", "teachers", "campuses"]].tolist() == [850, 44, "东校区、西校区"]
    put(folder, [whole | {("primary", "teachers"): 45}, EAST, WEST], ["", "东校区", "西校区"])
    said = fault()
    assert "found teachers 45 without a campus, 30+14 of 东校区、西校区; expected a campus in each row" in said


REFUSED = {
    "the main one without a name": (
        [EAST, WEST], ["", "西校区"],
        "found students 600 without a campus, 250 of 西校区; expected a campus in each row, of the main one too",
    ),
    "an empty figure": (
        [EAST, WEST | {"teaching_area_m2": ""}], ["东校区", "西校区"],
        "found teaching_area_m2 of 西校区 is empty; expected a figure of each campus, 0 or * where it has none",
    ),
    "another kind of owner": (
        [EAST, WEST | {"ownership": "民办"}], ["东校区", "西校区"],
        f"found ownership is 民办 at 西校区; expected 公办, as at 东校区 in {BOOK}, sheet 基本情况, cell D5",
    ),
    "another name": (
        [EAST, WEST | {"school_name": "别的小学"}], ["东校区", "西校区"],
        "found school_name is 别的小学 at 西校区; expected 采荷小学, as at 东校区",
    ),
    "no campus": ([EAST, WEST], None, "schools that stand twice (1):"),
    "one campus twice": ([EAST, WEST], ["东校区", "东校区"], "schools that stand twice (1):"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_added_is_refused(folder, case):
    schools, campuses, said = REFUSED[case]
    put(folder, schools, campuses)
    assert said in fault()


def test_a_figure_that_a_sheet_gives_for_one_campus_alone_is_refused(folder):
    rest = [key for key in COLUMNS if key not in ("books", "multimedia_rooms")]
    rows, merged = grid([EAST, WEST], rest)
    rows = [[*row, more] for row, more in zip(rows, [None, None, "校区", None, "东校区", "西校区"], strict=True)]
    east = EAST | {"school_name": "采荷小学（东校区）", "books": 7}
    second = grid([east], ["school_id", "school_name", "books", "multimedia_rooms"])
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged), "条件": second}))
    assert "found no books of 西校区; expected a figure of each campus" in fault()


def test_a_correction_can_name_the_main_campus(folder):
    put(folder, [EAST, WEST | {"school_name": "采荷小学（西校区）"}])
    assert "without a campus" in fault()
    (folder / "corrections.yml").write_text(
        "schema_version: 1\ncorrections:\n- what: main campus\n"
        f"  where: {{file: {BOOK}, sheet: 基本情况, cell: B5}}\n  action: override\n  value: 采荷小学（东校区）\n"
        "  expect: 采荷小学\n  reason: told by the school\n  who: a clerk\n",
        encoding="utf-8",
    )
    clean_district(NAME)
    holds(read().iloc[0])

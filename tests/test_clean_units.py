"""A row of units below the header of a collection sheet: the unit of each column, never one that is guessed."""

import csv
import io

import pytest
from returns_builder import FORM, columns_of, district, grid, school, workbook

from planlib import paths, schema
from planlib.clean import FaultyData, clean_district
from planlib.clean.inspect import inspect_file
from planlib.clean.layout.workbook import parse_workbook

NAME = "testdistrict"
BOOK = "returns/2020学年_小学.xlsx"
COLUMNS = columns_of("primary")
MONEY, AREA, GYM = "equipment_value_yuan", "teaching_area_m2", "gym_area_m2"
SAME = "the same unit in the header and below it"
FIGURES = {MONEY: 12.34, AREA: 1.5, GYM: 1}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    made = district(tmp_path, NAME)
    (made / BOOK).unlink()
    return made


def name_of(key):
    return key[1] if isinstance(key, tuple) else key


def unit_row(**units):
    """Return a row of units: that of each figure (or the one given for its column), a dash below all else."""
    known = {name_of(key): FORM.columns[name_of(key)] for key in COLUMNS}
    own = {n: c.unit.text if c.type in ("count", "quantity") else "—" for n, c in known.items()} | units
    return [own[name_of(key)] for key in COLUMNS]


def sheet(units, headers=None, unit_line="", figures=FIGURES):
    rows, merged = grid([school(**figures), school("S0002")], COLUMNS, headers=headers, unit_line=unit_line)
    return [*rows[:4], units, *rows[4:]], merged


def read(folder, rows, merged=()):
    (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
    result = clean_district(NAME)
    made = schema.read_table(paths.processed(NAME) / "schools.parquet", "schools")
    return made[made["school_id"] == "S0001"].iloc[0], result


def said_of(rows, merged=()):
    """Return the faults of a sheet: their cells, what was found and what was expected."""
    issues = parse_workbook(workbook({"基本情况": (rows, merged)}), FORM).issues
    return [(issue.cell, issue.found, issue.expected) for issue in issues if issue.level == "error"]


def letters(name):
    place = next(at for at, key in enumerate(COLUMNS) if name_of(key) == name)
    return (chr(64 + place // 26) if place >= 26 else "") + chr(65 + place % 26)


def merged_over(rows, merged):
    """Let the headers of codes and names span the row of units too, as spreadsheets show it."""
    rows[4] = ["" if unit == "—" else unit for unit in rows[4]]
    return rows, [(r0, c0, 4 if not rows[4][c0] and r0 == 2 else r1, c1, t) for r0, c0, r1, c1, t in merged]


@pytest.mark.parametrize(
    ("dash", "form"), [("—", "{}"), ("", "（{}）"), ("/", "( {} )"), (" ", "单位：{}"), ("", "{}")]
)
def test_the_row_of_units_says_what_the_figures_are_in(folder, dash, form):
    units = {MONEY: "元", AREA: "万平方米", GYM: "m²"}
    units = {name: form.format(unit) for name, unit in units.items()}
    row = [dash if unit == "—" else unit for unit in unit_row(**units)]
    made, result = read(folder, *sheet(row))
    assert made[[MONEY, AREA, GYM]].tolist() == [12.34, 15_000, 1]
    assert result.issues.query("file == @BOOK")["issue_kind"].tolist() == ["equipment_a_student"]  # little of it
    account = result.accounts.set_index("file").loc[BOOK]
    title, header = 1, 2 * len(COLUMNS) - sum(not unit.strip() for unit in row)
    assert (account["title"], account["header"], account["schools"], account["issue"]) == (title, header, 2, 0)
    steps = schema.read_table(paths.processed(NAME) / "lineage.parquet", "lineage").query("school_id == 'S0001'")
    assert steps.set_index("column").loc[AREA, "step"] == "number, × 10000 (万平方米 → m2)"
    line = next(line for line in inspect_file(folder / BOOK, "zh").splitlines() if "教学及辅助用房面积" in line)
    assert line.split()[-1] == "万平方米"


@pytest.mark.parametrize("label", ["单位", "计量单位：", "单位：万元、平方米", "单位：人"])
def test_the_row_may_begin_with_the_word_for_it_or_with_a_line_for_the_whole_table(folder, label):
    row = unit_row(**{MONEY: "", AREA: "", GYM: ""})
    row[0] = label
    made, _ = read(folder, *sheet(row))
    assert made[[MONEY, AREA]].tolist() == [123_400, 1.5]
    row = [f"{label}、元" if "：人" in label else label, *[""] * (len(COLUMNS) - 1)]
    if "人" in label:
        assert read(folder, *sheet(row))[0][MONEY] == 12.34


def test_a_header_merged_over_the_row_of_units_is_one_and_so_is_a_unit_of_several_columns(folder):
    rows, merged = merged_over(*sheet(unit_row(**{MONEY: "元", AREA: "亩", GYM: "亩"})))
    at = [c for c, key in enumerate(COLUMNS) if name_of(key) in (AREA, GYM)]
    assert at[1] == at[0] + 1
    rows[4][at[1]] = ""
    made, _ = read(folder, rows, [*merged, (4, at[0], 4, at[1], "亩")])
    assert made[[MONEY, AREA, GYM]].tolist() == pytest.approx([12.34, 1000, 2000 / 3])
    # without merged cells, as in CSV, nobody knows how far the first one reaches
    found = [("亩" in what, wanted) for _, what, wanted in said_of(rows, merged)]
    assert found == [(True, "the unit of this column too")]


def test_a_csv_file_has_a_row_of_units_too(folder):
    rows, _ = sheet(unit_row(**{MONEY: "元", AREA: "万平方米"}))  # the lower row of the merged header is blank
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["" if value is None else value for value in row] for row in rows])
    (folder / "returns" / "a.csv").write_text(buffer.getvalue(), encoding="utf-8")
    clean_district(NAME)
    made = schema.read_table(paths.processed(NAME) / "schools.parquet", "schools").set_index("school_id")
    assert made.loc["S0001", [MONEY, AREA]].tolist() == [12.34, 15_000]


def test_a_row_of_units_is_repeated_with_the_header_of_a_new_page(folder):
    rows, merged = sheet(unit_row(**{MONEY: "元"}))
    page = [list(rows[2]), *[[*row] for row in rows[4:5]]]
    made, result = read(folder, [*rows[:6], *page, *rows[6:]], merged)
    assert made[MONEY] == 12.34
    assert result.counts["rows_schools"] == 2


@pytest.mark.parametrize(
    ("units", "headers", "cell", "found", "expected"),
    [
        ({MONEY: "元"}, {MONEY: "教学仪器设备值（万元）"}, 3, "教学仪器设备值（万元）: 元 in {}5", SAME),
        ({"books": "人"}, {"books": "图书（册）"}, 3, "图书（册）: 人 in {}5", SAME),
        ({MONEY: "平方米"}, {}, 5, "教学仪器设备资产值: 平方米", "a unit of yuan"),
        ({"books": "m2"}, {}, 5, "图书册数: m2", "a unit of count"),
        ({"school_name": "人"}, {}, 5, "学校名称: 人", "nothing or a dash below the header"),
        ({AREA: "万平方米", GYM: ""}, {}, 5, "体育馆面积: nothing, 万平方米 beside it", "the unit of this column too"),
    ],
)  # fmt: skip
def test_units_that_contradict_or_are_of_something_else_are_named(units, headers, cell, found, expected):
    name = GYM if GYM in units else next(iter(units))
    more = {} if name == GYM else {GYM: "平方米"}
    faults = said_of(*sheet(unit_row(**more, **units), headers=headers))
    assert faults[0] == (f"{letters(name)}{cell}", found.format(letters(name)), expected)


def test_the_same_unit_in_header_and_row_is_no_contradiction(folder):
    made, _ = read(folder, *sheet(unit_row(**{AREA: "㎡"}), headers={AREA: "教学及辅助用房面积（平方米）"}))
    assert made[AREA] == 1.5


@pytest.mark.parametrize("word", ["百元", "班", "12", "—人", "是"])
def test_what_is_no_unit_in_a_row_of_units_is_named(word):
    assert said_of(*sheet(unit_row(**{MONEY: word})))[0][:2] == (f"{letters(MONEY)}5", word)


def test_a_row_of_a_school_or_of_few_units_is_none(folder):
    for row in (["S0009", *unit_row()[1:]], ["", "甲小学", "小学", "公办", "人"]):
        rows, merged = sheet(row)
        (folder / BOOK).write_bytes(workbook({"基本情况": (rows, merged)}))
        with pytest.raises(
            FaultyData, match=r"cells that could not be read|row without code|rows that are no school"
        ):
            clean_district(NAME)


def test_a_unit_below_an_unknown_header_without_schools_is_no_cell_under_it(folder):
    rows, merged = sheet([*unit_row(), "个"])
    rows[2] = [*rows[2], "新的一列"]
    _, result = read(folder, rows, merged)
    found = result.issues.query("issue_kind == 'unknown header'")[["level", "found", "done"]].to_numpy().tolist()
    assert found == [["warning", "新的一列", "ignored: no cell under it"]]

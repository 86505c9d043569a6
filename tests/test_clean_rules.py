"""The rules of county statisticians, schools that come and go, and what cleaning says in both languages."""

import ast
import itertools
import re
from pathlib import Path

import pandas as pd
import pytest
from returns_builder import columns_of, district, grid, school, simple_workbook, workbook
from school_builder import school as form_school
from school_builder import school_book

from planlib import paths, schema
from planlib.clean import FaultyData, clean_district
from planlib.clean.tables.check import check_tables
from planlib.clean.tables.roster import coming_and_going
from planlib.registry import heading, load_definitions, phrase

NAME = "testdistrict"
CHINESE = re.compile("[\u4e00-\u9fff]")
PACKAGE = Path(paths.__file__).parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    return district(tmp_path, NAME)


def put(folder, year, schools, **more):
    title = f"测试区{year}/{year + 1}学年初小学情况一览表"
    (folder / f"returns/{year}学年_小学.xlsx").write_bytes(simple_workbook(schools, title=title, **more))


def found(result, rule):
    rows = result.issues[result.issues["issue_kind"] == rule]
    return rows[["level", "school", "year", "found", "expected"]].astype("str").to_numpy().tolist()


def issues_of_a_run():
    """Return what a run finds beyond notes, whether it is refused or not."""
    try:
        rows = clean_district(NAME).issues
    except FaultyData as refused:
        rows = refused.issues.rename(columns={"kind": "issue_kind"})
    return rows[rows["level"] != "note"].astype("str")


# ---- rules as data


def test_every_rule_has_a_level_a_source_and_a_sentence_in_both_languages():
    document = load_definitions("forms/checks")
    ids = [rule["id"] for rule in document["rules"]]
    assert len(ids) == len(set(ids))
    for rule in document["rules"]:
        assert rule["level"] in ("error", "warning", "note"), rule["id"]
        assert set(document["sources"][rule["source"]]) == {"zh", "en"}
        assert CHINESE.search(rule["say"]["zh"]), rule["id"]
        assert not CHINESE.search(rule["say"]["en"]), rule["id"]


def test_a_part_greater_than_its_whole_stops_cleaning_and_says_where(folder):
    slip = {
        ("primary", "staff"): 60,
        ("primary", "teachers"): 49,
        ("primary", "teachers_above_required_degree"): 999,
    }
    put(folder, 2020, [school() | slip, school("S0002")])
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    text, chinese = str(refused.value), refused.value.in_words("zh")
    assert "cell" in text
    assert "999" in text
    assert "at most full-time teachers (49)" in text
    assert "To do: correct one, or write it down in corrections.yml" in text
    assert "高于规定学历教师应不多于专任教师" in chinese
    said = "{school_id: S0001, year: 2020, column: teachers_above_required_degree}"
    (folder / "corrections.yml").write_text(
        f"corrections:\n- {{what: 借调教师, where: {said}, action: flag, reason: 已核实, who: 甲}}\n",
        encoding="utf-8",
    )
    assert found(clean_district(NAME), "degree_in_teachers")[0][0] == "warning", "someone confirmed it"
    (folder / "corrections.yml").unlink()
    put(folder, 2020, [school() | {("primary", "teachers"): 49}])
    assert found(clean_district(NAME), "teachers_in_staff")[0][0] == "warning", "the staff was left blank"


TABLES = {"lineage": pd.DataFrame(columns=["school_id", "stage", "year", "column", "file", "sheet", "cell"])}


def small(**columns):
    rows = {
        "school_id": "S1",
        "school_name": "A",
        "school_type": "primary",
        "area": "",
        "stage": "primary",
        "year": 2020,
    }
    return pd.DataFrame([rows | {"students": 100, "opened_year": 1990} | columns])


@pytest.mark.parametrize(
    ("columns", "rule", "said"),
    [
        ({"backbone_teachers": 11, "teachers": 10}, "backbone_in_teachers", "backbone_teachers 11"),
        ({"students_male": 50, "students_female": 49}, "sexes_add_up", "students_male + students_female 99"),
        ({"students_of_age": 101}, "ages_in_students", "students_of_age 101"),
        ({"graduates_expected": 101}, "graduates_in_students", "graduates_expected 101"),
        (
            {
                "classes": 3,
                "classes_to_45": 2,
                "classes_46_to_55": 0,
                "classes_56_to_65": 0,
                "classes_above_65": 0,
            },
            "class_sizes_add_up",
            "classes_to_45 + classes_46_to_55 + classes_56_to_65 + classes_above_65 2",
        ),
        (
            {"classes_46_to_55": 1, "classes_56_to_65": 1, "classes_above_65": 0},
            "class_sizes_hold_students",
            "46 × classes_46_to_55 + 56 × classes_56_to_65 + 66 × classes_above_65 102",
        ),
        ({"classes": 1}, "students_a_class", "students 100, 100 for each of classes"),
        (
            {"equipment_value_yuan": 1000},
            "equipment_a_student",
            "equipment_value_yuan 1,000, 10 for each of students",
        ),
    ],
)
def test_a_rule_fires_on_what_breaks_it_alone_and_says_so_in_chinese(columns, rule, said):
    issues = check_tables({**TABLES, "schools": small(**columns)})
    assert [(issue.kind, issue.found) for issue in issues] == [(rule, said)]
    assert CHINESE.search(heading(rule, "zh"))
    assert not re.search("[a-z]{3}", phrase(issues[0].found, "zh") + phrase(issues[0].expected, "zh"))


SMALL = {"classes_to_45": 0, "classes_above_65": 18}
SHEETS = {"3112": "教基3112_小学", "3113": "教基3113_小学", "2106": "教基2106_小学"}


@pytest.mark.parametrize(
    ("change", "rule", "sheet", "cell", "found_", "expected"),
    [
        (
            {"students_female": 601},
            "girls_in_students",
            "3112",
            "F7",
            "students_female 601",
            "at most students (600)",
        ),
        (
            {"students_male": 299},
            "sexes_add_up",
            "3112",
            "F9",
            "students_male + students_female 599",
            "equal to students (600)",
        ),
        (
            {"students_of_age": 606},
            "ages_in_students",
            "3113",
            "E7+E8+E9+E10+E11+E12",
            "students_of_age 606",
            "at most students (600)",
        ),
        (
            {"classes_above_65": 1},
            "class_sizes_add_up",
            "2106",
            "D7+D8",
            "classes_to_45 + classes_46_to_55 + classes_56_to_65 + classes_above_65 19",
            "equal to classes (18)",
        ),
        (
            SMALL,
            "class_sizes_hold_students",
            "2106",
            "D9",
            "46 × classes_46_to_55 + 56 × classes_56_to_65 + 66 × classes_above_65 1,188",
            "at most students (600)",
        ),
        (
            {"graduates_expected": 99},
            "last_grade_is_graduates",
            "3112",
            "M6",
            "100 in primary by grade",
            "graduates_expected 99 in the returns",
        ),
        (
            {"entrants": 90},
            "first_grade_is_entrants",
            "3112",
            "H6",
            "100 in primary by grade",
            "entrants 90 in the returns",
        ),
        (
            {"by_grade": [100, 100, 100, 100, 110, 100]},
            "grades_are_students",
            "3112",
            "H6",
            "610 in primary by grade",
            "students 600 in the returns",
        ),
    ],
)
def test_a_fault_of_a_school_workbook_is_named_at_its_cell(folder, change, rule, sheet, cell, found_, expected):
    one = form_school()
    file = folder / "returns/学校.xlsx"
    file.write_bytes(school_book(one, 2022, True))
    rows = clean_district(NAME).issues
    assert rows[rows["level"] != "note"]["issue_kind"].tolist() == []
    file.write_bytes(school_book(one | {("primary", name): value for name, value in change.items()}, 2022, True))
    rows = issues_of_a_run()
    assert set(rows["level"]) == {"error" if rule.endswith("_in_students") else "warning"}
    where = ["issue_kind", "file", "sheet", "cell", "school", "year", "found", "expected"]
    assert rows[where].to_numpy().tolist() == [
        [rule, "returns/学校.xlsx", SHEETS[sheet], cell, one["school_id"], "2022", found_, expected]
    ]


@pytest.mark.parametrize("new", [False, True], ids=["2018", "2022"])
@pytest.mark.parametrize("school_type", ["kindergarten", "primary", "twelve_year"])
def test_a_school_workbook_without_a_fault_breaks_no_rule(folder, school_type, new):
    (folder / "returns/学校.xlsx").write_bytes(school_book(form_school(school_type), 2022 if new else 2018, new))
    rows = clean_district(NAME).issues
    assert rows[rows["level"] != "note"]["issue_kind"].tolist() == []


def test_a_figure_that_is_not_known_breaks_no_rule():
    columns = {"teachers": None, "staff": 10, "students_male": 50, "students_female": None, "gym_area_m2": 5}
    assert check_tables({**TABLES, "schools": small(**columns)}) == []


def test_a_jump_needs_a_settled_school_and_a_large_change():
    def years(before, after, **more):
        return pd.concat([small(students=before), small(students=after, year=2021)], ignore_index=True).assign(
            **more
        )

    issues = check_tables({**TABLES, "schools": years(1000, 1400)})
    assert [(i.kind, i.year, i.found) for i in issues] == [
        ("students_jump", "2021", "students 1,400, +40% on 1,000 a year before")
    ]
    assert check_tables({**TABLES, "schools": years(1000, 1300)}) == []  # exactly 30 %
    assert check_tables({**TABLES, "schools": years(100, 180)}) == []  # a small school
    assert check_tables({**TABLES, "schools": years(1000, 1400, opened_year=2018)}) == []  # still filling


def test_the_gym_is_said_once_to_be_counted_otherwise_from_2021():
    parts = [small(gym_area_m2=100.0, teaching_area_m2=900.0, year=year) for year in (2020, 2021)]
    issues = check_tables({**TABLES, "schools": pd.concat(parts, ignore_index=True)})
    assert [(i.level, i.kind, i.subject) for i in issues] == [
        ("note", "gym_redefined", "gym_area_m2"),
        ("note", "gym_redefined", "teaching_area_m2"),
    ]
    assert check_tables({**TABLES, "schools": parts[0]}) == []


def test_a_share_of_the_accounts_outside_0_to_100_stops_a_report(folder):
    head = "item,year,value,unit,as_of,status,source_office\n"
    (folder / "finance.csv").write_text(head + "share,2020,2125,percent,2020-12-31,决算,x\n", encoding="utf-8")
    with pytest.raises(FaultyData, match=r"finance.csv, line 2, 2020: found 2,125; expected 0 to 100"):
        clean_district(NAME)


# ---- codes stored as numbers


def test_a_code_without_its_leading_zero_is_never_joined_and_the_correction_is_written_out(folder):
    put(folder, 2020, [school("03133001"), school("03133002")])
    put(folder, 2021, [school("3133001"), school("03133002")])
    rows = found(clean_district(NAME), "codes_keep_zeros")
    assert [row[:4] for row in rows] == [
        ["warning", "3133001", "2021", "3133001, but 03133001 in returns/2020学年_小学.xlsx"]
    ]
    assert len(clean_district(NAME).issues.query("issue_kind == 'schools_come_and_go'")) > 0, "not joined"
    entry = rows[0][4].split("corrections.yml: ")[1].replace("…", "甲")
    (folder / "corrections.yml").write_text(f"corrections:\n{entry}\n", encoding="utf-8")
    result = clean_district(NAME)
    assert found(result, "codes_keep_zeros") == []
    schools = schema.read_table(paths.processed(NAME) / "schools.parquet", "schools")
    assert sorted(schools["school_id"]) == ["03133001"] * 2 + ["03133002"] * 2
    assert "在 corrections.yml 的 corrections 下写：- {what" in phrase(rows[0][4], "zh")


def test_a_code_is_corrected_in_all_sheets_of_its_workbook(folder):
    sheets = {}
    for name in ("基本情况", "补充"):
        sheets[name] = grid([school("3133001"), school("03133002")], columns_of("primary"))
    (folder / "returns/2020学年_小学.xlsx").write_bytes(workbook(sheets))
    where = "{school_id: '3133001', year: 2020, column: school_id}"
    (folder / "corrections.yml").write_text(
        f"corrections:\n- {{what: a, where: {where}, action: override, value: '03133001', expect: '3133001', reason: b, "
        "who: c}\n",
        encoding="utf-8",
    )
    clean_district(NAME)
    assert sorted(schema.read_table(paths.processed(NAME) / "schools.parquet", "schools")["school_id"]) == [
        "03133001",
        "03133002",
    ]


@pytest.mark.parametrize(
    ("codes", "short"),
    [
        ([*(f"031330{n:02d}" for n in range(9)), "3133099"], ["3133099"]),
        ([*(f"031330{n:02d}" for n in range(9)), "313399"], []),  # two digits short is another fault
        ([f"031330{n:02d}"[n % 2 :] for n in range(10)], []),  # a district with codes of two lengths
        (["S0001", "S00002"], []),
    ],
)
def test_a_code_shorter_than_all_others_is_told(folder, codes, short):
    put(folder, 2020, [school(code) for code in codes])
    rows = found(clean_district(NAME), "codes_keep_zeros")
    assert [row[1] for row in rows] == short
    assert all("one digit shorter than all other codes" in row[3] for row in rows)


def test_pupils_by_grade_under_a_code_without_its_zero_are_told(folder):
    put(folder, 2020, [school("03133001")])
    (folder / "enrolment.csv").write_text(
        "school_id,school_name,area,stage,grade,year,students\n3133001,测试学校,东片,primary,1,2020,300\n",
        encoding="utf-8",
    )
    rows = clean_district(NAME).issues.query("issue_kind == 'codes_keep_zeros'")
    assert rows[["file", "cell", "found"]].to_numpy().tolist() == [
        ["enrolment.csv", "line 2", "3133001, but 03133001 in returns/2020学年_小学.xlsx"]
    ]
    assert "ask for the file with codes stored as text" in rows["expected"].iloc[0]


# ---- schools that come and go


def roster(*rows):
    names = ["school_id", "school_name", "year", "students", "opened_year"]
    return pd.DataFrame(rows, columns=names).assign(stage="primary", school_type="primary", area="东片")


BOTH = [("Z", "老牌小学", 2020, 1000, 1950), ("Z", "老牌小学", 2021, 1000, 1950)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("A", "新星小学", 2021, 200, 2021)], [("A", "came", "opened", "")]),
        ([("A", "新星小学", 2021, 200, 1999)], [("A", "came", "unknown", "")]),
        (
            [("A", "采荷第一小学", 2020, 500, 1960), ("B", "采荷 第一小学", 2021, 510, 1960)],
            [("B", "came", "recoded", "A"), ("A", "went", "told", "B")],
        ),
        (
            [("A", "采荷第一小学", 2020, 500, 1960), ("B", "采荷第一小学校", 2021, 510, 1960)],
            [("B", "came", "alike", "A"), ("A", "went", "told", "B")],
        ),
        ([("A", "旧小学", 2020, 300, 1960)], [("A", "went", "unknown", "")]),
    ],
)
def test_schools_are_matched_by_code_then_by_name_then_by_guesses_that_say_so(rows, expected):
    events = coming_and_going(roster(*BOTH, *rows))
    assert (
        list(events[["school_id", "event", "reason", "other_id"]].itertuples(index=False, name=None)) == expected
    )


def test_a_neighbour_that_gained_or_lost_as_many_students_is_a_guess_of_a_merger_or_split():
    grown = [("Z", "老牌小学", 2020, 1000, 1950), ("Z", "老牌小学", 2021, 1500, 1950)]
    merged = coming_and_going(roster(*grown, ("A", "旧小学", 2020, 480, 1960)))
    assert merged[["reason", "other_id"]].to_numpy().tolist() == [["merged", "Z"]]
    assert merged["found"].tolist() == ["旧小学 went, Z 老牌小学 gained 500 students in that year"]
    split = coming_and_going(
        roster(*[(c, n, 4041 - y, s, o) for c, n, y, s, o in grown], ("A", "新校", 2021, 480, 1960))
    )
    assert split[["event", "reason", "other_id"]].to_numpy().tolist() == [["came", "split", "Z"]]


def test_a_project_explains_a_school_and_a_year_without_a_return_is_a_gap():
    projects = pd.DataFrame({"project_id": ["P1"], "name": ["新星小学新建工程"], "opened": ["2021-09-01"]})
    events = coming_and_going(roster(*BOTH, ("A", "新星小学", 2021, 200, 1999)), projects)
    assert events[["reason", "other_id", "is_explained"]].to_numpy().tolist() == [["project", "P1", True]]
    gone = roster(
        *BOTH, ("Z", "老牌小学", 2022, 1000, 1950), ("A", "甲", 2020, 9, 1950), ("A", "甲", 2022, 9, 1950)
    )
    assert coming_and_going(gone)[["event", "reason"]].to_numpy().tolist() == [
        ["went", "gap"],
        ["came", "returned"],
    ]


def test_a_school_that_goes_is_a_warning_at_its_last_return(folder):
    put(folder, 2020, [school("S0001"), school("S0002")])
    put(folder, 2021, [school("S0001")])
    result = clean_district(NAME)
    assert found(result, "schools_come_and_go") == [
        ["warning", "S0002", "2021", "测试学校S0002 went, nobody took its place",
         "a word on a closure, a merger or another code"]
    ]  # fmt: skip
    row = result.issues[result.issues["issue_kind"] == "schools_come_and_go"].iloc[0]
    assert (row["file"], row["cell"]) == ("returns/2020学年_小学.xlsx", "A6")


# ---- what is said


def test_hundreds_of_faults_of_6_kinds_are_grouped_counted_and_listed_in_a_file(folder):
    for year in range(2019, 2022):
        rows = [school(f"S{n:04d}", books="约3", equipment_value_yuan="?") for n in range(45)]
        rows += [school(f"S{n:04d}", area="") for n in range(45, 60)] + [school("S0059", area="东片", books=5)]
        columns = [c for c in columns_of("primary") if c != "computers"]
        sheet = grid(rows, columns, title=f"测试区{year}/{year + 1}学年初", headers={"has_clinic": "卫生间"})
        (folder / f"returns/{year}学年_小学.xlsx").write_bytes(workbook({"基本情况": sheet}))
    (folder / "births.csv").write_text("area,year,births\n东片,2020,ten\n", encoding="utf-8")
    (folder / "returns/旧表.xlsx").write_bytes(b"<html></html>")
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    text, chinese = str(refused.value), refused.value.in_words("zh")
    assert "have 323 faults" in text
    assert len(re.findall("^To do: ", text, re.MULTILINE)) == 6
    assert "cells that could not be read (270, in 45 schools of 3 files):\n" in text
    assert "无法读懂的单元格（270 处，涉及 45 所学校 3 个文件）" in chinese
    # the ten that are shown come from every file and column
    shown = text.split("cells that could not be read")[1].split("To do")[0]
    assert all(f"{year}学年" in shown for year in (2019, 2020, 2021))
    assert "  … and 260 more" in shown
    listed = pd.read_csv(paths.processed(NAME).with_name(f"{NAME}.faults.csv"), dtype="str")
    assert len(listed) == 323
    (folder / "returns/旧表.xlsx").unlink()
    (folder / "births.csv").unlink()
    for file in (folder / "returns").iterdir():
        file.unlink()
    put(folder, 2020, [school("S0001")])
    clean_district(NAME)
    assert not paths.processed(NAME).with_name(f"{NAME}.faults.csv").exists()


def test_a_cell_of_a_stranger_is_no_formula_in_the_list_of_faults(folder):
    put(
        folder,
        2020,
        [school(f"S{n:04d}", area="", books="约3") for n in range(11)],
        headers={"computers": "=cmd()"},
    )
    with pytest.raises(FaultyData):
        clean_district(NAME)
    listed = paths.processed(NAME).with_name(f"{NAME}.faults.csv").read_text(encoding="utf-8-sig")
    assert "=cmd()" in listed
    assert not re.search("[,\n]=", listed)


# Calls that take what an issue says, or why a cell cannot be read.
SAYING = {
    "note",
    "_issue",
    "_fault",
    "Issue",
    "_unreadable",
    "Reading",
    "_unclear",
    "DataError",
    "foreign_encoding",
}
SAMPLES = ("students", "3", "primary", "甲", "≤")


def calls():
    """Yield (file, call, name) of every such call of cleaning."""
    for path in sorted((PACKAGE / "clean").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in SAYING:
                    yield path.name, node, name


def said_by(node):
    """Return how a text of the code may come out, one for each way of filling its places."""
    if isinstance(node, ast.IfExp):
        return [said_by(node.body)[0], said_by(node.orelse)[0]]
    if isinstance(node, ast.Constant):
        return [[str(node.value)]]
    if not isinstance(node, ast.JoinedStr):
        return [[]]
    holes = sum(isinstance(part, ast.FormattedValue) for part in node.values)
    made = []
    for chosen in itertools.product(SAMPLES, repeat=min(holes, 4)):
        rest = iter([*chosen, *["甲"] * holes])
        made.append("".join(part.value if isinstance(part, ast.Constant) else next(rest) for part in node.values))
    return [made]


def test_whatever_cleaning_says_is_said_in_chinese_too():
    kinds, bare = set(load_definitions("forms/messages")["kinds"]), []
    for file, call, _ in calls():
        if file == "inspect.py":  # it speaks to whoever typed a wrong name, in English as every command does
            continue
        for node in [*call.args, *(key.value for key in call.keywords if key.arg not in ("kind", "level"))]:
            for ways in said_by(node):
                is_said = any(re.search("[a-z]{2,} [a-z]", text) for text in ways[:1]) and ways[0] not in kinds
                if is_said and all(phrase(text, "zh") == text for text in ways):
                    bare.append((file, node.lineno, ways[0]))
    assert bare == []


def test_every_kind_of_fault_has_its_words_in_both_languages():
    used = {
        node.value
        for _, call, name in calls()
        if name in ("Issue", "_issue", "note")
        for node in call.args[:2]
        if isinstance(node, ast.Constant) and node.value not in ("error", "warning", "note")
    }
    kinds = load_definitions("forms/messages")["kinds"]
    assert len(used) > 20
    assert used <= set(kinds)
    for kind, words in kinds.items():
        for part in words.values():
            assert re.search("[a-z]{2}", part["en"]), kind
            assert re.search("[\u4e00-\u9fff]", part["zh"]), kind


def test_phrases_have_the_same_places_in_both_languages():
    for pair in load_definitions("forms/messages")["phrases"]:
        places = [set(re.findall(r"\{(\w+)", pair[language])) for language in ("en", "zh")]
        assert places[0] == places[1], pair


# ---- all faults at once


def test_what_the_rules_refuse_comes_with_what_could_not_be_read(folder):
    """A wrong total, a cell that cannot be read and slips of the hand, in different files: one run names all."""
    put(folder, 2019, [school(books=5)], total={"school_id": "合计", "books": 1})
    put(
        folder,
        2020,
        [
            school()
            | {("primary", "teachers"): 20, ("primary", "staff"): 25, ("primary", "backbone_teachers"): 900}
        ],
    )
    (folder / "finance.csv").write_text(
        "item,year,value,unit,as_of,status,source_office\nshare,2020,140,percent,2020-12-31,决算,计财科\n",
        encoding="utf-8",
    )
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    kinds = ["backbone_in_teachers", "shares_within_bounds", "total"]
    assert sorted(refused.value.issues.query("level == 'error'")["kind"]) == kinds
    put(folder, 2021, [school(books="?")])
    (folder / "enrolment.csv").write_text(
        "school_id,school_name,area,stage,grade,year,students\nS0001,测试学校,东片,primary,1,2021,30\n",
        encoding="utf-8",
    )
    for _ in range(2):  # the second from what is kept
        with pytest.raises(FaultyData) as refused:
            clean_district(NAME)
        issues = refused.value.issues
        assert sorted(issues.query("level == 'error'")["kind"]) == [*kinds, "unreadable value"]
        # what looks absent because it was not read is not told
        assert not (issues["kind"] == "grades_are_students").any()

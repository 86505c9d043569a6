"""Faults in plan.yml and in definitions: each named with its line, all of them at once."""

import datetime
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planlib import paths
from planlib.errors import PlanlibError, RegistryError, UsageError
from planlib.registry import codes, label, load_definitions, load_plan, load_responsibility, parse_target
from planlib.registry.documents import read_document

SMALL = """\
schema_version: 1
name: {zh: 小区, en: Small}
title: {zh: 小区规划, en: Plan of Small}
period: {baseline_year: 2020, first_year: 2021, last_year: 2025}
frame:
  goals:
    - {id: goal1, number: 1, name: {zh: 目标, en: Goal}, reference: {zh: 一, en: "1"}}
base_counts:
  - {id: all_schools, name: {zh: 学校, en: Schools}, value: 3, unit: school, reference: {zh: 一, en: "1"}}
  - {id: old_schools, name: {zh: 老校, en: Old}, value: 1, unit: school, reference: {zh: 一, en: "1"}}
sums:
  - {total: all_schools, parts: [old_schools, new_schools], reference: {zh: 一, en: "1"}}
indicators:
  - id: reading
    number: 1
    name: {zh: 阅读, en: Reading}
    dimension: quality
    attribute: binding
    goal: goal1
    reference: {zh: 表, en: table}
    series:
      - id: reading_share
        number: 1
        name: {zh: 阅读率, en: Readers}
        unit: percent
        direction: rise
        judged: pace
        kind: percent
        baseline: "50.5"
        target: ">60"
        baseline_as_of: 2020-09-01
        target_as_of: 2025-09-01
        source: returns
        measure: {sum: students, where: {stage: [primary, junior]}, over: students, scale: 100}
        reference: {zh: 表, en: table}
commitments:
  - id: new_schools
    name: {zh: 新校, en: New schools}
    kind: count
    target: "2"
    unit: school
    due: 2025-12-31
    measure: {projects: opened, where: {kind: primary}}
    reference: {zh: 二, en: "2"}
amendments: []
"""


@pytest.fixture
def read(tmp_path):
    def reader(text):
        (tmp_path / "plan.yml").write_text(text, encoding="utf-8")
        return load_plan("small", tmp_path / "plan.yml")

    return reader


def changed(old, new, text=SMALL):
    """Return the text with one part replaced, and the line where it begins."""
    assert text.count(old) == 1, old
    return text.replace(old, new), text[: text.index(old)].count("\n") + 1


def test_a_small_plan_of_another_district_is_read(read):
    plan = read(SMALL)
    assert plan.series.loc[0, ["goal", "precision", "target_relation"]].tolist() == ["goal1", 1, ">"]
    assert plan.commitments.loc[0, "target"] == 2.0
    assert plan.amendments.empty


FAULTS = [
    ("    attribute: binding\n", "    atribute: binding\n", 0, "unknown key 'atribute'", "did you mean 'attribute'?"),
    ("    attribute: binding\n", "    atribute: binding\n", -4, "'reading' has no attribute", "add a line"),
    ("    reference: {zh: 二, en: \"2\"}\n", "", -7, "the entry 'new_schools' has no reference", "add it"),
    ("reference: {zh: 二, en: \"2\"}", "reference: 二", 0, "reference is '二'", "write both languages"),
    ("reference: {zh: 二, en: \"2\"}", "reference: {zh: 二, en: ''}", 0, "reference is", "neither empty"),
    ("attribute: binding", "attribute: bindig", 0, "unknown attribute 'bindig'", "did you mean 'binding'?"),
    ("unit: percent", "unit: furlong", 0, "unknown unit 'furlong'", "definitions/labels.yml"),
    ("baseline: \"50.5\"", "baseline: 50.50", 0, "baseline is 50.5", "quote it"),
    ("target: \">60\"", "target: \"über 60\"", 0, "target 'über 60'", "write sign and digits only"),
    ("target: \">60\"", "target: \"50\"", 0, "is to rise from 50.5", "a target above the baseline"),
    ("target: \">60\"", "target: \"<60\"", 0, "is to rise", "mend the sign, or the direction"),
    ("direction: rise", "direction: fall", 4, "is to fall from 50.5", "a target below the baseline"),
    ("direction: rise", "direction: hold", 4, "is to hold from 50.5", "the baseline itself"),
    ("judged: pace", "judged: volume", 0, "judged: volume", "direction: volume"),
    ("judged: pace", "judged: batch", 0, "judged: batch", "kind: cumulative"),
    ("target: \">60\"", "target: \"120\"", 0, "target 120 is out of bounds", "0.0 to 100.0"),
    ("source: returns", "source: observations", 0, "source: observations", "remove the measure"),
    ("target_as_of: 2025-09-01", "target_as_of: 2020-09-01", 0, "does not follow", "a date after 2020-09-01"),
    ("due: 2025-12-31", "due: 2025-02-30", 0, "due is '2025-02-30'", "a day that exists"),
    ("due: 2025-12-31", "due: 2019-12-31", 0, "due 2019-12-31", "a date from 2021-01-01"),
    ("kind: count", "kind: coverage", 1, "target 2 of a coverage", "expected 100"),
    ("kind: count", "kind: per_period", -2, "'new_schools' has no period", "add `period:`"),
    ("    goal: goal1\n", "    goal: goal2\n", 0, "unknown goal 'goal2'", "did you mean 'goal1'?"),
    ("    due: 2025", "    box: box7\n    due: 2025", 0, "unknown box 'box7'", "remove it"),
    ("    due: 2025", "    task: task1\n    due: 2025", 0, "unknown task 'task1'", "remove it"),
    ("    goal: goal1\n", "", -12, "nothing is tracked for the goal 'goal1'", "link one with `goal: goal1`"),
    ("value: 1,", "value: 2,", 2, "2 + 2 = 4", "all_schools = 3"),
    ("parts: [old_schools,", "parts: [oldschools,", 0, "unknown 'oldschools'", "did you mean 'old_schools'?"),
    ("id: old_schools", "id: all_schools", 0, "the id 'all_schools' stands a second time", "(line 9)"),
    ("  - id: new_schools", "  - id: reading_share", 0, "the id 'reading_share' stands a second time", "rename one"),
    ("  - id: reading\n", "  - id: Reading Share\n", 0, "id is 'Reading Share'", "small letters"),
    ("last_year: 2025", "last_year: 2020", 0, "the period runs 2020, 2021, 2020", "baseline < first <= last"),
    ("schema_version: 1", "schema_version: 2", 0, "schema_version is 2", "install the planlib"),
    ("sum: students", "sum: studens", 0, "unknown sum 'studens'", "did you mean 'students'?"),
    ("stage: [primary, junior]", "stag: primary", 0, "unknown column 'stag'", "did you mean 'stage'?"),
    ("stage: [primary, junior]", "stage: [primery]", 0, "unknown stage 'primery'", "did you mean 'primary'?"),
    ("over: students,", "ovr: students,", 0, "unknown key 'ovr' of a measure", "did you mean 'over'?"),
    ("{sum: students, where", "{where", 0, "a measure with where, over, scale", "say what is measured"),
    ("scale: 100", "scale: much", 0, "scale 'much'", "write digits"),
    ("projects: opened", "projects: open", 0, "unknown projects 'open'", "did you mean 'opened'?"),
    ("amendments: []", "amendments: {}", 0, "amendments is {}", "`- ` entries"),
    ("value: 3", "value: .nan", 0, "value is '.nan'", "write digits"),
    ("value: 3", "value: \"3\"", 0, "value is '3'", "without quotes"),
    ("    number: 1\n    name: {zh: 阅读,", "    number: yes\n    name: {zh: 阅读,", 0, "number is 'yes'", "whole number"),
    ("    kind: count\n", "    kind: count\n    kind: floor\n", 1, "the key 'kind' stands here a second time", "in line 39"),
    ("    kind: count\n", "    ? [kind]\n    : count\n", 0, "the key", "write a plain word"),
    ("amendments: []", "amendments: [soon]", 0, "'soon'", "write series, commitment, target"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "shift", "what", "todo"), FAULTS, ids=[fault[3] for fault in FAULTS])
def test_a_fault_is_named_with_its_line_and_what_to_do(read, old, new, shift, what, todo):
    text, line = changed(old, new)
    with pytest.raises(RegistryError) as caught:
        read(text)
    matching = [row for row in str(caught.value).splitlines() if what in row]
    assert len(matching) == 1, str(caught.value)
    assert matching[0].strip().startswith(f"plan.yml, line {line + shift}: "), str(caught.value)
    assert ", expected " in matching[0]
    assert todo in matching[0]
    assert caught.value.exit_code == 2


def test_all_faults_come_at_once_ten_shown_in_the_order_of_the_file(read):
    text = SMALL
    for old, new in [
        ("{zh: 小区, en: Small}", "Small"),
        ("quality", "x"),
        ("judged: pace", "judged: x"),
        ("due:", "du:"),
    ]:
        text, _ = changed(old, new, text)
    with pytest.raises(RegistryError) as caught:
        read(text)
    message = str(caught.value)
    assert "plan.yml cannot be used (5):" in message
    lines = [int(number) for number in re.findall(r"plan\.yml, line (\d+):", message)]
    assert lines == sorted(lines)
    bad = "\n".join(f"extra{number}: 1" for number in range(15))
    with pytest.raises(RegistryError, match=r"\(15\):(?s:.*)… and 5 more"):
        read(SMALL + bad + "\n")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("schema_version: 1\nname: {zh: a\n", "line 3, column 1"),
        ("schema_version: 1\nname: 'open\n", "line 3, column 1"),
        ("schema_version: 1\n\tname: x\n", "line 2, column 1"),
        ("a: !!python/object/apply:os.system [echo]\n", "line 1"),
        ("a: 1\n---\nb: 2\n", "line 2"),
    ],
)
def test_broken_yaml_is_told_in_words(read, text, place):
    with pytest.raises(RegistryError) as caught:
        read(text)
    assert f"plan.yml, {place}" in str(caught.value) or "has no" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_nothing_is_run_or_built_from_tags(read, tmp_path):
    target = tmp_path / "made"
    with pytest.raises(RegistryError):
        read(f"a: !!python/object/apply:os.mkdir ['{target}']\n")
    assert not target.exists()


def test_an_alias_is_refused_so_that_it_cannot_blow_up(read):
    with pytest.raises(RegistryError, match=r"line \d+: an alias"):
        read("a: &a [1, 2]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c]\n" + SMALL)
    with pytest.raises(RegistryError, match=r"line 1: an alias"):
        read("a: &a [*a]\n" + SMALL)


@pytest.mark.parametrize("text", ["a: " + "[" * 100_000, "- " * 100_000 + "a", "a: " + "{b: " * 5000])
def test_nesting_is_refused_before_the_stack_ends(read, text):
    with pytest.raises(RegistryError, match=r"plan\.yml, line 1, column \d+: more than 50 levels"):
        read(text + "\n")


def test_files_that_are_no_text(tmp_path):
    path = tmp_path / "plan.yml"
    with pytest.raises(RegistryError, match=r"plan\.yml is missing"):
        load_plan("small", path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(RegistryError, match="empty"):
        load_plan("small", path)
    path.write_bytes("schema_version: 1\nname: 上城\n".encode("gb18030"))
    with pytest.raises(RegistryError, match=r"plan\.yml, line 2: this is not UTF-8"):
        load_plan("small", path)
    path.write_text("a: b\nc: d\x07\n", encoding="utf-8")
    with pytest.raises(RegistryError, match=r"plan\.yml, line 2: there is a control character"):
        load_plan("small", path)
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert len(load_plan("small", path).series) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_plan_is_read_or_refused_never_a_traceback(read, data):
    start = data.draw(st.integers(0, len(SMALL) - 1))
    length = data.draw(st.integers(0, 40))
    middle = data.draw(st.text(alphabet="abz019:-[]{}#&*!|>%@\"'\n ,?～", max_size=12))
    try:
        rows = len(read(SMALL[:start] + middle + SMALL[start + length :]).series)
    except RegistryError as error:
        rows = str(error).count("plan.yml")
    assert rows >= 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    st.sampled_from(["indicators", "commitments", "sums", "amendments", "base_counts", "discrepancies", "period"]),
)
def test_any_value_anywhere_is_refused_in_words(read, value, key):
    entry = json.dumps(value if key == "period" else [value], ensure_ascii=False)  # JSON is YAML
    with pytest.raises(RegistryError, match=r"plan\.yml, line \d+"):
        read(re.sub(rf"(?ms)^{key}:.*?(?=^[a-z]|\Z)", "", SMALL) + f"{key}: {entry}\n")


# ---- amendments


AMENDED = """amendments:
  - {series: reading_share, target: ">58", date: 2023-06-30, approval: {zh: 区政府, en: District}}
  - {series: reading_share, target: "57", date: 2024-06-30, approval: {zh: 区政府二, en: District again}}
  - {commitment: new_schools, target: "1", date: 2024-01-31, approval: {zh: 区政府, en: District}}
"""


def test_targets_on_a_date_know_only_what_was_approved_by_then(read):
    plan = read(SMALL.replace("amendments: []\n", AMENDED))
    columns = ["original_target", "target", "relation", "target_text", "is_amended"]
    assert plan.targets("2022-12-31")[columns].values.tolist() == [[60, 60, ">", ">60", False]]
    assert plan.targets("2023-06-30")[columns].values.tolist() == [[60, 58, ">", ">58", True]]
    assert plan.targets()[columns].values.tolist() == [[60, 57, "=", "57", True]]
    assert plan.targets()["approval_en"].tolist() == ["District again"]
    assert plan.targets("2023-12-31")["amended_on"].tolist() == ["2023-06-30"]
    assert plan.targets(of="commitments")[columns].values.tolist() == [[2, 1, "=", "1", True]]


def test_targets_without_amendments_are_the_original_ones():
    plan = load_plan("shangcheng")
    targets = plan.targets("2025-12-31")
    assert targets["target"].tolist() == plan.series["target"].tolist()
    assert not targets["is_amended"].any()
    assert targets["amended_on"].isna().all()


@pytest.mark.parametrize("wrong", [{"on": "2022"}, {"on": "end"}, {"of": "boxes"}])
def test_targets_refuse_what_is_no_date_or_table(read, wrong):
    with pytest.raises(UsageError, match="To do"):
        read(SMALL).targets(**wrong)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("series: reading_share, target: \">58\"", "series: reading_shar, target: \">58\"", "unknown series 'reading_shar'"),
        ("series: reading_share, target: \">58\"", "target: \">58\"", "expected a series or a commitment"),
        ("date: 2023-06-30", "date: 2020-06-30", "amended 2020-06-30"),
        ("date: 2023-06-30", "date: 2024-06-30", "amended a second time on one day"),
        ("target: \">58\"", "target: \"<58\"", "is to rise"),
        ("target: \">58\"", "target: \">158\"", "out of bounds"),
        ("target: \">58\"", "target: \">40\"", "to rise from 50.5, expected a target above the baseline"),
        ("target: \"1\", date", "target: \"one\", date", "target 'one'"),
        (", approval: {zh: 区政府二, en: District again}", "", "has no approval"),
    ],
)  # fmt: skip
def test_faults_of_amendments(read, old, new, what):
    text, _ = changed(old, new, SMALL.replace("amendments: []\n", AMENDED))
    with pytest.raises(RegistryError) as caught:
        read(text)
    assert re.search(rf"plan\.yml, line 4[4-9]: .*{re.escape(what)}", str(caught.value)), str(caught.value)


# ---- printed numbers, dates, labels, definitions


@given(
    st.sampled_from(["", "=", ">", "≥", "<", "≤", "≈"]),
    st.decimals(-1000, 1000, places=2),
    st.sampled_from(["", "%"]),
)
def test_a_printed_number_is_read_as_printed(sign, number, percent):
    found = parse_target(f"{sign}{number}{percent}")
    assert found == (sign or "=", float(number), 2)


@pytest.mark.parametrize(
    "text", ["", "%", ">", ">=5", "5 %%", "1,000", "五", "5-6", "１０", "inf", "nan", "1e3", ".5", "5.", "> > 5"]
)
def test_what_is_no_printed_number_is_refused(text):
    with pytest.raises(RegistryError, match="To do"):
        parse_target(text)


def test_yaml_keeps_dates_words_and_times_as_text(tmp_path):
    path = tmp_path / "x.yml"
    path.write_text(
        "on: 2022-07-04\nno: yes\ntime: 6:30\nn: 007\nf: 1_0\nhex: 0x1F\nx: 1.50\ny: true\nz:\n", "utf-8"
    )
    assert read_document(path).data == {
        "on": "2022-07-04", "no": "yes", "time": "6:30", "n": "007", "f": "1_0", "hex": "0x1F", "x": 1.5,
        "y": True, "z": None,
    }  # fmt: skip


@given(st.dates(min_value=datetime.date(2021, 1, 1), max_value=datetime.date(2099, 12, 31)))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_day_that_exists_may_be_due(read, day):
    assert read(SMALL.replace("due: 2025-12-31", f"due: {day}")).commitments.loc[0, "due"] == day.isoformat()


def test_labels_in_both_languages_and_hints_for_typos():
    assert label("preschool", "zh", "stage") == "学前段"
    assert label("preschool", "en", "stage") == "preschool"
    with pytest.raises(UsageError, match="expected zh or en"):
        label("preschool", "de", "stage")
    with pytest.raises(RegistryError, match="did you mean 'preschool'"):
        label("preschol", "zh", "stage")
    with pytest.raises(RegistryError, match="did you mean 'stage'"):
        label("preschool", "zh", "stages")
    assert codes("attribute") == ("binding", "anticipatory")


def test_definitions_are_known_by_name_and_given_as_copies():
    first = load_definitions("labels")
    first["stage"]["preschool"]["zh"] = "x"
    assert load_definitions("labels")["stage"]["preschool"]["zh"] == "学前段"
    with pytest.raises(RegistryError, match="did you mean 'labels'"):
        load_definitions("label")
    with pytest.raises(RegistryError, match="There is no definitions"):
        load_definitions("../../../data/raw/shangcheng/plan")


@pytest.mark.parametrize("path", sorted(paths.DEFINITIONS.rglob("*.yml")), ids=lambda path: path.name)
def test_every_definition_can_be_read(path):
    name = path.relative_to(paths.DEFINITIONS).with_suffix("").as_posix()
    assert load_definitions(name)["schema_version"] == 1


# ---- responsibility.yml


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("series:\n  reading_shar: {lead: A}\n", "line 2: unknown 'reading_shar' in series"),
        ("commitments:\n  new_schools: {led: A}\n", "line 2: unknown key 'led'"),
        ("commitments:\n  new_schools: A\n", "line 2: 'A'"),
        ("offices: {A: Office}\nseries:\n  reading_share: {lead: B}\n", "line 3: unknown office 'B'"),
        ("lead: A\n", "line 1: unknown key 'lead'"),
        ("series:\n  reading_share: {lead: A, support: B}\n", "line 2: support is 'B'"),
    ],
)
def test_faults_of_responsibility(read, tmp_path, text, what):
    plan = read(SMALL)
    (tmp_path / "responsibility.yml").write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError) as caught:
        load_responsibility(plan, tmp_path / "responsibility.yml")
    assert f"responsibility.yml, {what}" in str(caught.value)


def test_unknown_district_is_a_wrong_call():
    with pytest.raises(PlanlibError, match="Unknown district") as caught:
        load_plan("nowhere")
    assert caught.value.exit_code == 2

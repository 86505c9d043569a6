"""Texts of national forms as they were seen printed: each changes the forms of the builder and must give its truth."""

import io

import pytest
import xlsxwriter
from returns_builder import district
from school_builder import Table, school, tables, told, write_table

from planlib import paths, schema
from planlib.clean import clean_district
from planlib.registry import load_definitions

NAME = "testdistrict"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    made = district(tmp_path, NAME)
    (made / "returns/2020学年_小学.xlsx").unlink()
    return made


def cleaned(folder, one, new, edit):
    """Clean a school's workbook whose forms were edited, and return its rows by stage."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        for place, form in enumerate(tables(one, new)):
            edit(form)
            write_table(book, form.code, form, 2022 if new else 2020, said_year=place == 0)
    (folder / "returns/a.xlsx").write_bytes(buffer.getvalue())
    result = clean_district(NAME)
    assert not (result.issues["level"] == "error").any()
    return table("schools").set_index("stage")


def table(name):
    return schema.read_table(paths.processed(NAME) / f"{name}.parquet", name)


def split_graduates(form: Table):
    """Let doctors and masters stand where graduates did, as the places of the forms from 2021 show."""
    at = [n for n, row in enumerate(form.rows) if "研究生毕业" in row]
    for n in reversed(at):
        first, rest = list(form.rows[n]), list(form.rows[n])
        place = first.index("研究生毕业")
        first[place], rest[place] = "博士研究生毕业", "硕士研究生毕业"
        count = first[len(form.labels)] or 0
        first[len(form.labels)], rest[len(form.labels)] = 1 if count else None, count - 1 if count else None
        form.rows[n : n + 1] = [first, rest]
    heads = form.heads[-1]
    places = [n for n, (text, _) in enumerate(heads) if text == "研究生毕业"]
    for n in places:
        heads[n : n + 1] = [("博士研究生毕业", 1), ("硕士研究生毕业", 1)]
        for row in form.rows:
            at_figure = len(form.labels) + n
            count = row[at_figure]
            row[at_figure : at_figure + 1] = [1 if count else None, count - 1 if count else None]


@pytest.mark.parametrize("school_type", ["kindergarten", "primary", "junior", "nine_year", "secondary"])
def test_graduates_in_two_rows_or_columns_are_one_figure(folder, school_type):
    one = school(school_type)
    found = cleaned(folder, one, True, split_graduates)
    for stage in found.index:
        assert found.loc[stage, "postgraduate_teachers"] == one[stage, "postgraduate_teachers"]
        above = one.get((stage, "teachers_above_required_degree"))
        if stage != "senior":
            assert found.loc[stage, "teachers_above_required_degree"] == above


def test_a_part_of_a_row_that_is_there_is_not_added_again(folder):
    def edit(form):
        for n, row in reversed(list(enumerate(form.rows))):
            if "研究生毕业" in row:
                part = [f"其中：{text}" if text == "研究生毕业" else text for text in row]
                form.rows.insert(n + 1, [str(t).replace("研究生毕业", "博士研究生毕业") if t else t for t in part])
                form.rows[n + 1][len(form.labels) :] = row[len(form.labels) :]

    one = school("primary")
    found = cleaned(folder, one, True, edit)
    assert (
        found.loc["primary", "teachers_above_required_degree"] == one["primary", "teachers_above_required_degree"]
    )


def test_figures_under_a_plain_sum_are_read_as_the_ministry_prints_them(folder):
    def edit(form):
        form.heads = [[("计" if text == "合计" else text, span) for text, span in row] for row in form.heads]

    one = school("primary")
    found = cleaned(folder, one, False, edit)
    for name in ("entrants", "students", "teachers", "classes"):
        assert found.loc["primary", name] == one["primary", name]


def test_wider_bands_of_class_sizes_are_the_same_classes(folder):
    def edit(form):
        for row in form.rows:
            row[:] = ["36-45人" if value == "41-45人" else value for value in row]

    one = school("primary")
    found = cleaned(folder, one, False, edit)
    assert found.loc["primary", "classes_to_45"] == told(one, False)["primary", "classes_to_45"] > 0


@pytest.mark.parametrize(("new", "form"), [(False, "基础基512"), (True, "教基5170")])
def test_teaching_rooms_are_kept_with_their_labels(folder, new, form):
    one = school("nine_year")
    found = cleaned(folder, one, new, lambda _: None)
    cells = table("form_cells").query("form == @form")
    rooms = cells[cells["row_label"].str.endswith("教室")]
    assert rooms["value"].tolist() == [one["teaching_area_m2"] / 2]
    assert set(found["teaching_area_m2"]) == {one["teaching_area_m2"]}
    assert set(found["gym_area_m2"]) == {one["gym_area_m2"]}


def test_multimedia_rooms_are_those_of_the_part_and_not_all_rooms(folder):
    def edit(form):
        for n, row in reversed(list(enumerate(form.rows))):
            if str(row[0]).startswith("网络多媒体教室") or "网络多媒体教室" in str(row[0]):
                form.rows.insert(n, ["教室", *row[1:-1], 999])
                row[0] = "其中：网络多媒体教室"

    one = school("primary")
    found = cleaned(folder, one, True, edit)
    assert found["multimedia_rooms"].tolist() == [one["multimedia_rooms"]]


def test_every_form_says_what_its_texts_were_checked_against():
    assert [form["codes"] for form in load_definitions("forms/school")["forms"] if not form.get("source")] == []

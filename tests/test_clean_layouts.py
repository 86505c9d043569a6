"""Any valid table, in any supported layout and with any supported dirt, comes back as it was."""

import csv
import io
from decimal import Decimal

import pandas as pd
import pytest
import python_calamine
import xlsxwriter
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from old_writer import as_old
from returns_builder import FORM, STAGE_WORDS, TYPE_WORDS, columns_of
from test_clean import stored_cells

from planlib import paths, schema
from planlib.clean import cache, clean_district
from planlib.clean.files.file_kinds import decoded
from planlib.clean.layout.workbook import framed, parse_workbook
from planlib.clean.pipeline import tables_of_returns
from planlib.clean.values.correct import Corrections
from planlib.clean.words.writing import compact
from planlib.sample import make_truth

FULL_WIDTH = str.maketrans("0123456789,.", "０１２３４５６７８９，．")
ALWAYS = {"school_id", "school_name", "school_type"}
NAMES = st.text(alphabet="采荷杭州第一小学东方ABC12", min_size=1, max_size=8)
CODES = {"ownership": ["公办", "民办"], "kindergarten_grade": ["省一级", "省二级", "省三级", "未定级"]}


class Case:
    """Files and the table they must give; their bytes are of no use in a message."""

    def __init__(self, contents, table):
        self.contents, self.table = contents, table

    def __repr__(self):
        return "\n".join(map(str, (rows for content in self.contents for rows in sheets_of(content))))


def sheets_of(content):
    if is_text(content):
        return [list(csv.reader(io.StringIO(decoded(content)[0])))]
    book = python_calamine.load_workbook(io.BytesIO(content))
    return [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]


def is_text(content):
    return not content.startswith((b"PK", b"\xd0\xcf"))


class CsvSheet:
    """Takes what a sheet of a workbook takes and gives it back as CSV: a merged cell is its first one."""

    def __init__(self):
        self.cells = {}

    def write(self, row, column, value):
        if value is not None and value != "":
            self.cells[row, column] = value if isinstance(value, str) else f"{value:.15g}"

    write_string = write_number = write

    def merge_range(self, row, column, _last_row, _last_column, value):
        self.write(row, column, value)

    def content(self, encoding):
        height, width = (max(at) + 1 for at in zip(*self.cells, strict=True))
        rows = [[self.cells.get((r, c), "") for c in range(width)] for r in range(height)]
        buffer = io.StringIO()
        csv.writer(buffer).writerows(rows)
        return buffer.getvalue().encode(encoding)


def name_of(key):
    return key[1] if isinstance(key, tuple) else key


@st.composite
def values(draw, name, school_type):
    """Return (what the cell shows without dirt, what it must become); None and None for a blank."""
    column = FORM.columns[name]
    if column.blank != "error" and draw(st.integers(0, 4)) == 0:
        return None, {"zero": 0, "empty": "", "missing": None}[column.blank]
    if name == "school_type":
        return TYPE_WORDS[school_type], school_type
    if column.type == "text":
        text = draw(NAMES)
        return text, text
    if column.type == "code":
        text = draw(st.sampled_from(CODES[name]))
        return text, column.codes[text]
    if column.type == "boolean":
        text = draw(st.sampled_from(list(column.codes)))
        return text, float(column.codes[text])
    if column.type == "year":
        year = draw(st.integers(1949, 2099))
        return str(year), year
    if column.type == "count":
        number = draw(st.integers(0, 2_000_000))
        return str(number), number
    number = draw(st.decimals(0, 500_000, places=2))
    return str(number), number


@st.composite
def dirty(draw, shown, is_number):
    """Return what stands in the cell: a number, or text as somebody may have typed it."""
    if is_number:
        if draw(st.booleans()):
            return float(shown)
        whole, _, rest = shown.partition(".")
        grouped = f"{int(whole):,}" + (f".{rest}" if rest else "")
        space = draw(st.sampled_from(["\u00a0", "\u2009", "\u202f"]))
        shown = draw(st.sampled_from([shown, grouped, grouped.replace(",", space)]))
        if draw(st.booleans()):
            shown = shown.translate(FULL_WIDTH)
    before, after = (
        draw(st.sampled_from(["", " ", "　"])),
        draw(st.sampled_from(["", " ", "　", "_x000D_\n", "\u200b"])),
    )
    return before + shown + after


@st.composite
def headers(draw, name, unit):
    text = draw(st.sampled_from(FORM.columns[name].headers))
    if draw(st.booleans()):
        text = draw(st.sampled_from([" ", "　", "_x000D_\n"])).join(text)
    prefix = draw(st.sampled_from(["", "其中：", "#"])) if FORM.columns[name].level == "stage" else ""
    bracket = draw(st.sampled_from(["（{}）", "({})", "（ {} ）"])).format(unit) if unit else ""
    return prefix + text + bracket


@st.composite
def returns(draw):
    """Return (bytes of workbooks, the table they must give): a year or two, their sheets in one workbook."""
    years = draw(st.lists(st.integers(2010, 2030), min_size=1, max_size=2, unique=True))
    buffer, books, tables = io.BytesIO(), [], []
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    encoding = draw(st.sampled_from(["", "", "xls", "utf-8", "utf-8-sig", "gb18030"]))
    is_csv = encoding not in ("", "xls")
    for year in years:
        school_type = draw(st.sampled_from(["primary", "nine_year", "kindergarten"]))
        ids = draw(st.lists(st.integers(1, 9999), min_size=1, max_size=4 // len(years), unique=True))
        columns = columns_of(school_type)
        units = {key: draw(unit_of(name_of(key))) for key in columns}
        cells, truth = {}, {}
        for number in ids:
            school_id = f"S{number:04d}"
            for key in columns:
                shown, value = (
                    (school_id, school_id) if key == "school_id" else draw(values(name_of(key), school_type))
                )
                if isinstance(value, Decimal):
                    value = float(value * Decimal(repr(units[key].factor)))
                cells[school_id, key], truth[school_id, key] = shown, value
        for number, keys in enumerate(split(draw, [key for key in columns if name_of(key) not in ALWAYS])):
            lead = ["school_id", *(["school_name", "school_type"] if number == 0 else [])]
            lead = [*lead, *(key for key in keys)] if draw(st.booleans()) else [*lead[1:], *keys, lead[0]]
            name = f"{year}学年{number}" if not is_csv and draw(st.booleans()) else f"表{len(books)}"
            books.append(CsvSheet() if is_csv else book.add_worksheet(name))
            said = f"{year}/{year + 1}学年初" if name.startswith("表") or draw(st.booleans()) else ""
            write_sheet(draw, books[-1], lead, [f"S{n:04d}" for n in ids], cells, units, said)
        tables += expected(truth, ids, columns, school_type, year)
    book.close()
    made = as_old(buffer.getvalue()) if encoding == "xls" else buffer.getvalue()
    contents = [one.content(encoding) for one in books] if is_csv else [made]
    return Case(contents, schema.conform(pd.DataFrame(tables), "schools"))


@st.composite
def unit_of(draw, name):
    column = FORM.columns[name]
    if column.type != "quantity":
        return column.unit
    return draw(st.sampled_from([u for u in FORM.units.values() if u.measures == column.unit.measures]))


def split(draw, keys):
    """Return the columns in one to three sheets, in any order, a school's stages together."""
    keys = draw(st.permutations(keys))
    keys = sorted(keys, key=lambda key: key[0] if isinstance(key, tuple) else "")
    cuts = sorted(draw(st.lists(st.integers(1, len(keys) - 1), max_size=2, unique=True)))
    return [keys[a:b] for a, b in zip([0, *cuts], [*cuts, len(keys)], strict=True)]


def write_sheet(draw, sheet, keys, ids, cells, units, said):
    """Write one sheet: title, header rows, schools, perhaps blank rows, totals and notes."""
    top, left = draw(st.integers(0, 2)), draw(st.integers(0, 1))
    sheet.write(top, left, f"测试区{said}情况一览表")
    sheet.write(top + 1, left, draw(st.sampled_from(["单位：人、平方米", "", "单位：亩、万元"])) or None)
    # one header row where no stage needs a word, two, or three below mere headings
    is_staged = len({key[0] for _, key in cells if isinstance(key, tuple)}) > 1
    depth = draw(st.sampled_from([2, 3] if is_staged else [1, 2, 3]))
    # the unit of a quantity stands in its header, in a row of units below, or in both
    has_row = draw(st.booleans())
    measured = [key for key in keys if FORM.columns[name_of(key)].type == "quantity"]
    said = {
        key: units[key].text if key in measured and not (has_row and draw(st.booleans())) else "" for key in keys
    }
    head = top + 2
    if depth == 3:
        write_headings(draw, sheet, head, left, len(keys))
        head += 1
    if depth == 1:
        for place, key in enumerate(keys):
            sheet.write(head, left + place, draw(headers(name_of(key), said[key])))
        row = write_units(draw, sheet, head + 1, left, keys, units, has_row)
        return write_rows(draw, sheet, row, left, keys, ids, cells)
    for place, key in enumerate(keys):
        text = draw(headers(name_of(key), said[key]))
        if isinstance(key, tuple):
            sheet.write(head + 1, left + place, text)
        else:
            sheet.merge_range(head, left + place, head + 1, left + place, text)
    for stage in dict.fromkeys(key[0] for key in keys if isinstance(key, tuple)):
        at = [left + p for p, key in enumerate(keys) if isinstance(key, tuple) and key[0] == stage]
        if len(at) > 1:
            sheet.merge_range(head, at[0], head, at[-1], STAGE_WORDS[stage])
        else:
            sheet.write(head, at[0], STAGE_WORDS[stage])
    row = write_units(draw, sheet, head + 2, left, keys, units, has_row)
    write_rows(draw, sheet, row, left, keys, ids, cells)


def write_units(draw, sheet, row, left, keys, units, has_row):
    """Write perhaps a row of units below the header, of every quantity at least, and return the row below it."""
    kinds = {key: FORM.columns[name_of(key)].type for key in keys}
    shown = [key for key in keys if kinds[key] == "quantity" or (kinds[key] == "count" and draw(st.booleans()))]
    if not has_row or not shown:
        return row
    form, dash = draw(st.sampled_from(["{}", "（{}）", "单位：{}"])), draw(st.sampled_from(["—", "", "/", "*"]))
    for place, key in enumerate(keys):
        sheet.write(row, left + place, form.format(units[key].text) if key in shown else dash or None)
    return row + 1


def write_headings(draw, sheet, row, left, width):
    """Write headings over runs of columns, as 基本情况 over the first ones."""
    cuts = sorted(draw(st.lists(st.integers(1, width), max_size=3, unique=True)))
    for number, (a, b) in enumerate(zip([0, *cuts], [*cuts, width], strict=True)):
        if b - a > 1:
            sheet.merge_range(row, left + a, row, left + b - 1, f"{'甲乙丙丁'[number]}类情况")


def write_rows(draw, sheet, row, left, keys, ids, cells):
    for school_id in ids:
        row += draw(st.sampled_from([0, 0, 0, 1]))
        for place, key in enumerate(keys):
            shown = cells[school_id, key]
            if shown is not None:
                is_number = FORM.columns[name_of(key)].type in ("count", "quantity", "year")
                write(sheet, row, left + place, draw(dirty_cell(key, shown, is_number)))
        row += 1
    write_totals(draw, sheet, row, left, keys, ids, cells)


@st.composite
def dirty_cell(draw, key, shown, is_number):
    if FORM.columns[name_of(key)].type == "year":
        return draw(st.sampled_from([float(shown), shown, f" {shown}", f"{shown}年"]))
    return draw(dirty(shown, is_number))


def write(sheet, row, column, value):
    sheet.write_string(row, column, value) if isinstance(value, str) else sheet.write_number(row, column, value)


def write_totals(draw, sheet, row, left, keys, ids, cells):
    if draw(st.booleans()):
        place = keys.index("school_id")
        sheet.write(row, left + place, draw(st.sampled_from(["合计", "总　计", "合 计"])))
        for at, key in enumerate(keys):
            if FORM.columns[name_of(key)].type in ("count", "quantity") and draw(st.booleans()):
                write(sheet, row, left + at, float(sum(Decimal(cells[i, key] or 0) for i in ids)))
        row += 1
    if draw(st.booleans()):
        sheet.write(row, left, "备注：本表为测试")
        sheet.write(row + 1, left, "填表人：甲")


def expected(truth, ids, columns, school_type, year):
    """Return the rows of the table of schools that the sheets of a year must give."""
    rows = []
    for stage in FORM.stages(school_type):
        for number in ids:
            own = {"school_id": f"S{number:04d}", "stage": stage, "year": year, "as_of": f"{year}-09-01"}
            for key in columns:
                if not isinstance(key, tuple) or key[0] == stage:
                    own[name_of(key)] = truth[own["school_id"], key]
            rows.append(own)
    return rows


def cleaned(contents):
    named = [(content, f"returns/{number}.xlsx") for number, content in enumerate(contents)]
    parts = cache.joined([framed([(parse_workbook(content, FORM), name, "0")]) for content, name in named])
    made, issues, account = tables_of_returns(parts, FORM, Corrections())
    return made, [*parts["issues"].to_dict("records"), *issues], account


def holds(contents, table):
    made, issues, account = cleaned(contents)
    idle = [issue for issue in issues if getattr(issue, "kind", "") == "stage"]
    assert [
        i for i in issues if i not in idle and (i["level"] if isinstance(i, dict) else i.level) == "error"
    ] == []
    if not any(issue.level == "note" for issue in idle):  # a stage whose cells are all blank is left out
        pd.testing.assert_frame_equal(made["schools"], table)
    kinds = account.drop(columns=["file", "sheet", "year", "schools"])
    assert kinds.to_numpy().sum() == sum(filled_cells(content) for content in contents)


def filled_cells(content):
    if not is_text(content):
        return stored_cells(io.BytesIO(content))
    text, _ = decoded(content)
    return sum(bool(compact(value)) for row in csv.reader(io.StringIO(text)) for value in row)


# Shrinking a workbook takes minutes: it is left to the long test.
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=QUICK)
@given(returns())
def test_what_a_bureau_writes_is_what_comes_back(case):
    holds(case.contents, case.table)


@pytest.mark.full
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(returns())
def test_what_a_bureau_writes_is_what_comes_back_in_hundreds_of_workbooks(case):
    holds(case.contents, case.table)


def test_the_shipped_returns_give_back_the_simulated_truth(project):
    result = clean_district("shangcheng")
    assert not (result.issues["level"] == "error").any()
    made = schema.read_table(paths.processed("shangcheng") / "schools.parquet", "schools")
    truth = schema.conform(make_truth()["schools"], "schools")
    pd.testing.assert_frame_equal(made, truth)
    account = result.accounts.set_index(["file", "sheet"]).drop(columns=["year", "schools"]).sum(axis=1)
    folder = paths.raw("shangcheng")
    for file in result.accounts["file"].unique():
        if file.startswith("returns/"):
            assert account[file].sum() == stored_cells(folder / file), file

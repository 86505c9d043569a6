"""The simulated truth as a bureau would collect it: a workbook per school type and year."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from planlib.sample.story import definition

CREATED = dt.datetime(2020, 1, 1)
HEADER_ROWS = (2, 3)
FIRST_ROW = 4
KEYS = ("school_id", "school_name")
School = dict[str, Mapping[Any, Any]]


@dataclass(frozen=True)
class Column:
    """A column of a sheet: the field, the stage it is of (empty: the school), and its two header texts."""

    name: str
    stage: str
    upper: str
    lower: str
    unit: str


@dataclass
class Slip:
    """A slip planted in a cell, and where it ended up."""

    file: str
    sheet: str
    cell: str
    found: str
    rule: Mapping[str, Any]
    school_id: str


@dataclass
class Book:
    """One workbook: its year, school type, the forms' texts, and the slips planted in it."""

    year: int
    school_type: str
    rows: pd.DataFrame
    form: Mapping[str, Any] = field(default_factory=lambda: definition("forms/collection"))
    layout: Mapping[str, Any] = field(default_factory=lambda: definition("sample_layout"))
    slips: list[Slip] = field(default_factory=list)

    @cached_property
    def schools(self) -> list[School]:
        """Rows of each school by stage, in the order of their codes."""
        by_code: dict[str, School] = {}
        for row in self.rows.sort_values("school_id").to_dict("records"):
            by_code.setdefault(str(row["school_id"]), {})[str(row["stage"])] = row
        return list(by_code.values())

    @property
    def type_text(self) -> str:
        """The school type as the forms print it (the first text of it)."""
        return first_text(self.form["types"], self.school_type)

    @property
    def file(self) -> str:
        """Name of the workbook."""
        return str(self.form["year"]["file_pattern"].format(year=self.year, type=self.type_text))

    @property
    def stages(self) -> list[str]:
        """Stages of the type."""
        return list(self.form["stages_of_type"][self.school_type])


def first_text(texts: Mapping[Any, Any], code: Any) -> str:
    """Return the first text that stands for a code.

    Examples
    --------
    >>> first_text({"公办": "public", "教育部门": "public"}, "public")
    '公办'
    """
    return str(next(text for text, value in texts.items() if value == code))


def write_returns(folder: Path, schools: pd.DataFrame) -> list[Slip]:
    """Write all workbooks into a folder.

    Parameters
    ----------
    folder : Path
        Is made if it is not there.
    schools : DataFrame
        The ``schools`` table.

    Returns
    -------
    list of Slip
        The slips that were planted, with their cells.
    """
    folder.mkdir(parents=True, exist_ok=True)
    slips: list[Slip] = []
    for (year, kind), rows in schools.groupby(["year", "school_type"], sort=True):
        book = Book(int(year), str(kind), rows)
        write_book(folder / book.file, book)
        slips += book.slips
    return slips


def write_book(path: Path, book: Book) -> None:
    """Write one workbook; the stamps are fixed, so that the same rows give the same bytes.

    Parameters
    ----------
    path : Path
    book : Book
        Its ``slips`` are filled on the way.
    """
    with xlsxwriter.Workbook(str(path), {"strings_to_numbers": False}) as workbook:
        workbook.set_properties({"created": CREATED, "title": path.name})
        formats = {
            "title": workbook.add_format({"bold": True, "align": "center", "font_size": 14}),
            "header": workbook.add_format(
                {"border": 1, "align": "center", "valign": "vcenter", "text_wrap": True}
            ),
            "cell": workbook.add_format({"border": 1}),
        }
        for sheet in book.layout["sheets"]:
            _write_sheet(workbook.add_worksheet(sheet["name"]), sheet, book, formats)


def _write_sheet(page: Any, sheet: Mapping[str, Any], book: Book, formats: Mapping[str, Any]) -> None:
    columns = list(_columns(sheet, book))
    width = len(columns)
    _write_titles(page, sheet, book, formats, width)
    _write_header(page, columns, formats)
    schools = book.schools + _sent_twice(sheet, book)
    for number, school in enumerate(schools):
        _write_school(page, sheet, book, columns, school, number, formats)
    _write_foot(page, sheet, book, columns, FIRST_ROW + len(schools), formats)
    page.set_column(0, 0, 6)
    page.set_column(1, width - 1, 14)
    page.freeze_panes(FIRST_ROW, 3)


def _write_foot(
    page: Any, sheet: Mapping[str, Any], book: Book, columns: list[Column], first: int, formats: Mapping[str, Any]
) -> None:
    """Rows to be filled in (of a template), totals (of a return), note and signature."""
    last = first + book.layout.get("free_rows", 0)
    for row in range(first, last):
        for at in range(len(columns)):
            page.write_blank(row, at, None, formats["cell"])
    if book.layout["total"]:
        _write_totals(page, sheet, book, columns, last, formats)
    page.write_string(last + 1, 0, book.layout["note"])
    page.write_string(last + 2, 0, book.layout["signed"].format(year=book.year))


def _write_titles(page: Any, sheet: Mapping[str, Any], book: Book, formats: Mapping[str, Any], width: int) -> None:
    words = {"district": book.layout["district"], "year": book.year, "next": book.year + 1}
    title = book.layout["title"].format(**words, type=book.type_text, sheet=sheet["name"])
    page.merge_range(0, 0, 0, width - 1, title, formats["title"])
    units = [_old_unit(unit, book) for unit in sheet["units"]]
    page.write_string(1, 0, book.layout["unit_line"].format(units="、".join(units)))


def _old_unit(unit: str, book: Book) -> str:
    money = book.form["fields"]["equipment_value_yuan"]["unit"]
    return money_unit(book) if unit == money else unit


def money_unit(book: Book) -> str:
    """Return the unit money is reported in that year: 元 in old forms, 万元 later.

    Parameters
    ----------
    book : Book

    Returns
    -------
    str
    """
    units = {next(iter(v.values())): k for k, v in book.form["units"].items() if "yuan" in v}
    return str(units[1 if book.year <= book.layout["years"]["yuan_until"] else 10000])


def _columns(sheet: Mapping[str, Any], book: Book) -> Iterator[Column]:
    fields = book.form["fields"]
    yield Column("order", "", book.layout["order"], "", "")
    for name in KEYS:
        yield Column(name, "", _text(name, book), "", "")
    wanted = [n for n in sheet["fields"] if book.school_type in fields[n].get("school_types", [book.school_type])]
    school_wide = [n for n in wanted if fields[n]["level"] == "school"]
    for name in school_wide:
        yield Column(name, "", sheet["heading"], _text(name, book), _unit(name, book))
    for stage in book.stages:
        upper = sheet["heading"] if len(book.stages) == 1 else _stage_text(stage, book)
        for name in wanted:
            if name not in school_wide:
                yield Column(name, stage, upper, _text(name, book), _unit(name, book))


def _stage_text(stage: str, book: Book) -> str:
    age = "old" if book.year <= book.layout["years"]["stage_texts_until"] else "new"
    return str(book.layout["stage_texts"][age][stage])


def _text(name: str, book: Book) -> str:
    """One of the field's header texts (they change with the year), spaced and prefixed as old forms do."""
    texts = book.form["fields"][name]["headers"]
    text = texts[0] if book.year >= 2020 else texts[(book.year + len(name)) % len(texts)]
    if book.year <= book.layout["years"]["spaced_until"]:
        text = book.layout["spaced"].get(text, text)
    text = book.layout["prefixed"].get(name, "") + text
    unit = _unit(name, book)
    has_bracket = name in book.layout["bracket_units"] or unit != book.form["fields"][name].get("unit", "")
    return f"{text}（{unit}）" if unit and has_bracket else text


def _unit(name: str, book: Book) -> str:
    if name == "equipment_value_yuan":
        return money_unit(book)
    if _in_hectares(name, book):
        return next(k for k, v in book.form["units"].items() if v == {"m2": 10000})
    return str(book.form["fields"][name].get("unit", ""))


def _in_hectares(name: str, book: Book) -> bool:
    rule = book.layout
    is_old = book.year <= rule["years"]["hectares_until"]
    return is_old and name in rule["hectare_fields"] and book.school_type in rule["hectare_types"]


def _write_header(page: Any, columns: list[Column], formats: Mapping[str, Any]) -> None:
    """Two rows; equal upper texts side by side are merged, a column without a lower text spans both rows."""
    top, bottom = HEADER_ROWS
    start = 0
    while start < len(columns):
        end = start
        while end + 1 < len(columns) and columns[end + 1].upper == columns[start].upper and columns[start].lower:
            end += 1
        _write_heading(page, columns[start : end + 1], start, (top, bottom), formats["header"])
        start = end + 1


def _write_heading(page: Any, group: list[Column], start: int, rows: tuple[int, int], form: Any) -> None:
    top, bottom = rows
    if not group[0].lower:
        page.merge_range(top, start, bottom, start, group[0].upper, form)
        return
    if len(group) > 1:
        page.merge_range(top, start, top, start + len(group) - 1, group[0].upper, form)
    else:
        page.write_string(top, start, group[0].upper, form)
    for offset, column in enumerate(group):
        page.write_string(bottom, start + offset, column.lower, form)


def _write_school(
    page: Any,
    sheet: Mapping[str, Any],
    book: Book,
    columns: list[Column],
    school: School,
    number: int,
    formats: Mapping[str, Any],
) -> None:
    row = FIRST_ROW + number
    for at, column in enumerate(columns):
        value = number + 1 if column.name == "order" else _value(column, school, book)
        shown = _shown(column, value, sheet, book, number)
        slip = _slip(column, book, number)
        if slip is not None:
            shown = _slipped(shown, slip)
            cell = xl_rowcol_to_cell(row, at)
            book.slips.append(Slip(book.file, sheet["name"], cell, str(shown), slip, _code(school)))
        _write_cell(page, row, at, shown, formats["cell"])


def _value(column: Column, school: School, book: Book) -> Any:
    """The value in the unit of the sheet; None where there is none."""
    if column.stage and column.stage not in school:
        return None
    value = school[column.stage or next(iter(school))][column.name]
    if pd.isna(value):
        return None
    kind = book.form["fields"][column.name]["type"]
    if kind == "quantity":
        return round(float(value) / _factor(column.unit, book), 6)
    return int(value) if kind in ("count", "year") else value


def _factor(unit: str, book: Book) -> float:
    return float(next(iter(book.form["units"][unit].values())))


def _shown(column: Column, value: Any, sheet: Mapping[str, Any], book: Book, number: int) -> Any:
    """What stands in the cell: words for codes, blanks for zero, here and there a number as text."""
    rule, layout = book.form["fields"].get(column.name, {"type": "order"}), book.layout
    kind = rule["type"]
    if kind == "boolean":
        yes, no = layout["yes_no"][column.name]
        return None if value is None else (yes if value else no) or None
    if kind == "code":
        return None if value is None else _code_text(rule, value, book)
    if column.name == "school_name":
        return _spaced_name(str(value), number, book)
    if value is None or value == "" or (value == 0 and rule.get("blank") == "zero"):
        return None
    if column.name in layout["thousands"] and book.year >= layout["years"]["thousands_from"] and number % 4 == 1:
        return f"{value:,}"
    if kind == "count" and sheet["name"] in layout["text_sheets"] and book.year <= layout["years"]["text_until"]:
        return str(value)
    return value


def _code_text(rule: Mapping[str, Any], value: Any, book: Book) -> str:
    texts = book.form["types"] if rule["values"] == "types" else book.form["values"][rule["values"]]
    return first_text(texts, value)


def _spaced_name(name: str, number: int, book: Book) -> str:
    every = book.layout["name_spaces"]
    return f"{name[:2]}　{name[2:]} " if number % every == book.year % every else name


def _slip(column: Column, book: Book, number: int) -> dict[str, Any] | None:
    for slip in book.layout["slips"]:
        same = (slip["year"], slip["type"], slip.get("nth")) == (book.year, book.school_type, number)
        if same and column.name == slip.get("field") and column.stage in ("", slip["stage"]):
            return dict(slip)
    return None


def _slipped(shown: Any, slip: dict[str, Any]) -> Any:
    """The slip as text; what should have stood there is kept with the rule."""
    if slip["slip"] == "doubtful":
        return shown
    slip["becomes"] = str(shown)
    if slip["slip"] == "times_10000":
        return str(round(float(shown) * 10000))
    return str(shown) + str(shown)[-1]


def _write_cell(page: Any, row: int, at: int, shown: Any, form: Any) -> None:
    if shown is None:
        page.write_blank(row, at, None, form)
    elif isinstance(shown, str):
        page.write_string(row, at, shown, form)
    else:
        page.write_number(row, at, shown, form)


def _write_totals(
    page: Any, sheet: Mapping[str, Any], book: Book, columns: list[Column], row: int, formats: Mapping[str, Any]
) -> None:
    """Sums of counts and quantities, of the true values: a slip shows as a total that does not agree."""
    page.write_string(row, 0, book.layout["total"], formats["cell"])
    for at, column in enumerate(columns[1:], 1):
        if book.form["fields"][column.name]["type"] not in ("count", "quantity"):
            page.write_blank(row, at, None, formats["cell"])
            continue
        values = [value for school in book.schools if (value := _value(column, school, book)) is not None]
        total = round(sum(values), 6)
        for slip in _slips(book, "total_off"):
            if slip["sheet"] == sheet["name"] and slip["field"] == column.name:
                rule = {**slip, "becomes": str(total)}
                total += 90
                cell = xl_rowcol_to_cell(row, at)
                book.slips.append(Slip(book.file, sheet["name"], cell, str(total), rule, book.layout["total"]))
        page.write_number(row, at, total, formats["cell"])


def _slips(book: Book, kind: str) -> list[Mapping[str, Any]]:
    here = (book.year, book.school_type, kind)
    return [s for s in book.layout["slips"] if (s["year"], s["type"], s["slip"]) == here]


def _sent_twice(sheet: Mapping[str, Any], book: Book) -> list[School]:
    """Schools that stand a second time at the end of the sheet."""
    again = [slip for slip in _slips(book, "row_twice") if slip["sheet"] == sheet["name"]]
    for number, slip in enumerate(again):
        code = _code(book.schools[slip["nth"]])
        cell = xl_rowcol_to_cell(FIRST_ROW + len(book.schools) + number, 1)
        book.slips.append(Slip(book.file, sheet["name"], cell, code, slip, code))
    return [book.schools[slip["nth"]] for slip in again]


def _code(school: School) -> str:
    return str(next(iter(school.values()))["school_id"])

"""One executed notebook → one Excel workbook with the values behind every table and figure of the report."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from planlib.columns import Column, header, show
from planlib.registry import LANGUAGES, label
from planlib.run.page import Part, display_width, parts
from planlib.words import unit_name

# What Excel allows in the name of a sheet: 31 characters, none of these, no apostrophe at an end.
_SHEET_NAME_LENGTH = 31
_SHEET_NAME_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_NUMBER_IN_TEXT = re.compile(r"^(?P<before>[^\d−]*)(?P<number>−?[\d,]+(?:\.(?P<decimals>\d+))?)(?P<after>.*)$")
# Excel holds some two hundred number formats a workbook; a longer remark stays text.
_LONGEST_SUFFIX = 12
_WIDEST, _NARROWEST = 48, 7
_SERIF, _HEAD, _BAND, _NOTICE, _SOFT = "SimSun", "SimHei", "#F4F6F8", "#4D3800", "#59636E"


def write_annex(notebook: Any, target: Path, language: str, facts: Mapping[str, str], made: dt.date) -> None:
    """Write the workbook: a front sheet, then a sheet for every table and every figure.

    Nothing becomes a formula or a link because of how it looks; numbers, dates and shares keep their types, shown as
    the report prints them.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Executed.
    target : Path
    language : {"zh", "en"}
    facts : mapping
        Label → text: what the front sheet says of the report; under ``"title"`` its title, under ``"notice"`` what
        every sheet says.
    made : date
        Stands in the file as its date, so that equal reports are equal bytes.
    """
    import xlsxwriter

    plain_text = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(str(target), plain_text) as book:
        moment = dt.datetime.combine(made, dt.time())
        book.set_properties({"title": facts["title"], "created": moment, "author": "planlib"})
        _Annex(book, language, facts).write(parts(notebook, language))


class _Annex:
    """The workbook being written: its formats, the names its sheets have taken."""

    def __init__(self, book: Any, language: str, facts: Mapping[str, str]):
        self.book, self.language, self.facts = book, language, dict(facts)
        self.title, self.notice = self.facts.pop("title"), self.facts.pop("notice", "")
        self.names: set[str] = set()
        self._styles: dict[tuple[Any, ...], Any] = {}

    def write(self, found: list[Part]) -> None:
        front = self._sheet(self._say("annex_contents"), self.title)
        sheets = []
        for part in found:
            sheet = self._sheet(f"{part.called(self.language)} {part.caption}", _titled(part, self.language))
            self._table(sheet, part)
            sheets.append((sheet.get_name(), part, len(part.data["rows"])))
        self._front(front, sheets)

    def _say(self, code: str, **values: object) -> str:
        return label(code, self.language, "page").format(**values)

    def style(self, **how: Any) -> Any:
        """Return a cell format, each made once: a workbook may hold few."""
        key = tuple(sorted(how.items()))
        if key not in self._styles:
            self._styles[key] = self.book.add_format(
                {"font_name": _SERIF, "font_size": 10, "valign": "top", **how}
            )
        return self._styles[key]

    def _sheet(self, name: str, title: str) -> Any:
        """Add a sheet with its title, its notice on screen and on every printed page, and its page set up."""
        sheet = self.book.add_worksheet(sheet_name(name, self.names))
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.hide_gridlines(2)
        sheet.set_header("&C" + self.notice.replace("&", "&&")[:200])
        sheet.set_footer("&C— &P —")
        sheet.set_row(0, 24)
        sheet.write_string(0, 0, title, self.style(font_name=_HEAD, font_size=14, bold=True))
        if self.notice:
            sheet.write_string(1, 0, self.notice, self.style(bold=True, font_color=_NOTICE))
        return sheet

    def _front(self, sheet: Any, sheets: list[tuple[str, Part, int]]) -> None:
        row = 3
        for name, text in self.facts.items():
            for line in text.splitlines() or [""]:
                sheet.write_string(row, 0, name, self.style(font_color=_SOFT))
                sheet.write_string(row, 1, line, self.style())
                row, name = row + 1, ""
        row += 1
        for column, code in enumerate(("annex_sheet", "annex_title", "annex_chapter", "annex_rows")):
            sheet.write_string(row, column, self._say(code), self._head())
        for at, (name, part, rows) in enumerate(sheets, row + 1):
            place = "internal:'{}'!A1".format(name.replace("'", "''"))
            sheet.write_url(at, 0, place, self.style(font_color="#0B4F8A", underline=1), name)
            sheet.write_string(at, 1, part.data.get("title") or part.caption, self.style())
            sheet.write_string(at, 2, part.heading, self.style())
            sheet.write_number(at, 3, rows, self.style())
        for column, width in enumerate((34, 70, 34, 8)):
            sheet.set_column(column, column, width)

    def _head(self, align: str = "left") -> Any:
        return self.style(font_name=_HEAD, bold=True, bg_color=_BAND, top=1, bottom=1, text_wrap=True, align=align)

    def _table(self, sheet: Any, part: Part) -> None:
        """Write headers, rows and notes of one table; header and first column stay in sight."""
        first, columns = 3, list(_columns(part.data, self.language))
        for at, (head, column, cells, texts) in enumerate(columns):
            is_number = any(isinstance(value, int | float) for value in cells)
            sheet.write_string(first, at, head, self._head(align="right" if is_number else "left"))
            widths = [display_width(head)]
            for row, (value, text) in enumerate(zip(cells, texts, strict=True), first + 1):
                widths.append(self._cell(sheet, row, at, value, column, text))
            sheet.set_column(at, at, min(max(*widths, _NARROWEST) + 2, _WIDEST))
        # the keys beside the table are for a program: on paper the table stands alone
        printed, rows = len(part.data["columns"]), len(part.data["rows"])
        sheet.print_area(0, 0, first + max(rows, 1) + 2 + len(part.data.get("notes", [])), max(printed - 1, 3))
        sheet.freeze_panes(first + 1, 1)
        sheet.repeat_rows(first)
        if not rows:
            sheet.write_string(first + 1, 0, self._say("annex_no_rows"), self.style())
        for row, note in enumerate(part.data.get("notes", []), first + max(rows, 1) + 2):
            sheet.write_string(row, 0, note, self.style(font_color=_SOFT))

    def _cell(self, sheet: Any, row: int, at: int, value: Any, column: Column, text: str) -> int:
        """Write one cell as what it is and return how wide it shows."""
        if value is None or text == "—":
            sheet.write_blank(row, at, None, self.style())
            return 1
        form = number_format(value, column, text)
        if form:
            sheet.write_number(row, at, value, self.style(num_format=form))
        elif column.form in {"date", "iso"} and (day := _day(value)):
            sheet.write_datetime(
                row, at, day, self.style(num_format=self._say(f"annex_{column.form}"), align="left")
            )
        elif isinstance(value, bool):
            sheet.write_boolean(row, at, value, self.style(align="left"))
        else:
            sheet.write_string(row, at, text, self.style(text_wrap=True))
        return display_width(text)


def _titled(part: Part, language: str) -> str:
    """Return what stands over a sheet: number and name, and the finding of a figure."""
    finding = part.data.get("title", "")
    return part.headed(language) + (f" — {finding}" if finding and finding != part.caption else "")


def _columns(data: Mapping[str, Any], language: str) -> Iterator[tuple[str, Column, list[Any], list[str]]]:
    """Yield header, column, values and texts as printed of every column, then the keys the report does not print."""
    units = data.get("keys", {}).get("unit")
    for at, about in enumerate(data["columns"]):
        column = Column(about["name"], about["header"], about["form"], about["decimals"])
        if column.name.endswith(tuple(f"_{other}" for other in LANGUAGES if other != language)):
            continue
        head, unit = about["header"], about["unit"]
        head += label("annex_unit", language, "page").format(unit=unit) if unit and unit not in head else ""
        cells = [row[at] for row in data["rows"]]
        texts = data.get("shown", {}).get(column.name) or [show(value, column, language) for value in cells]
        if units and column.form == "figure":
            texts = [_with_exact_unit(*cell, language) for cell in zip(cells, texts, units, strict=True)]
        yield head, column, cells, texts
    for name, cells in data.get("keys", {}).items():
        words = [unit_name(code, language) for code in cells] if name == "unit" else [str(c) for c in cells]
        yield header(name, language), Column(name, name), cells if name != "unit" else words, words


def _with_exact_unit(value: Any, text: str, unit: Any, language: str) -> str:
    """Return the printed text, or, where it prints the number on another scale, the number itself with its unit."""
    found = _NUMBER_IN_TEXT.match(text)
    is_remark = bool(found and len(found["after"]) > _LONGEST_SUFFIX)
    if not isinstance(value, int | float) or not found or is_remark or _prints(value, text):
        return text
    return f"{value:,.4f}".rstrip("0").rstrip(".") + unit_name(unit, language)


def _prints(value: float, text: str) -> bool:
    """Tell whether the text holds the value itself, rounded, and not a multiple such as 29.11 hundred million."""
    found = _NUMBER_IN_TEXT.match(text)
    if not found or len(found["after"]) > _LONGEST_SUFFIX:
        return False
    printed = float(found["number"].replace("−", "-").replace(",", ""))
    return abs(printed - value) <= 0.5000001 * 10.0 ** -len(found["decimals"] or "")


def number_format(value: Any, column: Column, text: str) -> str:
    """Return Excel's number format that shows a value as the report prints it; ``""`` where it is no number.

    Examples
    --------
    >>> number_format(85.7, Column("v", "v", "figure"), ">85.70%")
    '">"0.00"%"'
    >>> number_format(0.4213, Column("v", "v", "percent"), "42.1%"), number_format(2022, Column("y", "y", "year"), "2022")
    ('0.0%', '0')
    >>> number_format(1.0, Column("v", "v", "figure"), "yes")
    ''
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if column.form == "year":
        return "0"
    if column.form == "percent":
        return (
            "0." + "0" * (1 if column.decimals is None else column.decimals) + "%"
            if column.decimals != 0
            else "0%"
        )
    if column.form == "figure":
        return _as_printed(value, text)
    if column.decimals is not None:
        return "#,##0" + ("." + "0" * column.decimals if column.decimals else "")
    return "#,##0" if value == round(value) else "#,##0.00##"


def _as_printed(value: float, text: str) -> str:
    found = _NUMBER_IN_TEXT.match(text)
    if not found or not _prints(value, text):
        return ""
    whole = "#,##0" if "," in found["number"] else "0"
    digits = found["decimals"]
    return _quoted(found["before"]) + whole + ("." + "0" * len(digits) if digits else "") + _quoted(found["after"])


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "") + '"' if text else ""


def _day(value: Any) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def sheet_name(text: str, taken: set[str]) -> str:
    """Return a name that Excel allows and no other sheet has (upper and lower case count as one), and take it.

    Examples
    --------
    >>> taken = {"costs"}
    >>> sheet_name("Costs", taken), sheet_name("'a/b: c?'", taken), sheet_name("", taken)
    ('Costs (2)', 'a b c', '1')
    """
    clean = " ".join(_SHEET_NAME_FORBIDDEN.sub(" ", text).split()).strip("' ") or "1"
    name, again = clean[:_SHEET_NAME_LENGTH].strip("' "), count(2)
    while name.casefold() in taken:
        ending = f" ({next(again)})"
        name = clean[: _SHEET_NAME_LENGTH - len(ending)].strip("' ") + ending
    taken.add(name.casefold())
    return name

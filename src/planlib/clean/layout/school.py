"""A school's workbook of national forms to cells: the figures planlib needs, and all others kept as they stand."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from planlib.clean.files.sheet import Sheet, address
from planlib.clean.issues import Issue
from planlib.clean.layout.doubts import mixed_texts, other_figures, stored_zeros, struck_out
from planlib.clean.layout.grid import Found, Layout, Reader
from planlib.clean.layout.recognise import anchor_of
from planlib.clean.words.convert import Reading, is_blank, raw_text, read_cell
from planlib.clean.words.forms import Unit, load_form, strange_units
from planlib.clean.words.national import National, Place
from planlib.clean.words.writing import compact, era_year, figure, key, tidy
from planlib.clean.words.years import SHEET_NAME, both_said, taken, years_said

# One row per figure of a form that no field of planlib names.
EXTRA_TYPES = {
    "sheet": "str",
    "cell": "str",
    "school_id": "str",
    "form": "str",
    "row_label": "str",
    "column_label": "str",
    "raw": "str",
    "number": "float64",
    "unit": "str",
}
_NAN = float("nan")
_FIRST_ROWS = 8  # a form's code stands in its title lines
_KNOWN_LAYOUTS = 4096
_HEADERS = 4  # a form on labels with their values beside them has two or three of them in a row


@dataclass
class FormSheet:
    """A sheet of a school's workbook: its layout, figures and loose texts; `counts` of its cells by kind."""

    sheet: Sheet
    layout: Layout
    values: Sequence[Any]
    loose: Sequence[Any]
    counts: Counter[str] = field(default_factory=Counter)

    @cached_property
    def title_cells(self) -> Iterable[tuple[tuple[int, int], str]]:
        """The title lines and what belongs to nothing, as on a cover: a school year may stand there."""
        rows = self.sheet.rows
        return [((r, c), raw_text(rows[r][c])) for r, c in (*self.layout.title_cells, *self.layout.strays)]


@dataclass
class SchoolBook:
    """A school's workbook as read: columns of cells, rows of other figures, one row per sheet, issues."""

    sheets: list[FormSheet]
    school_id: str = ""
    school_type: str = ""
    year: int | None = None
    title: tuple[str, str, str] = ("", "", "")
    cells: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    extra: list[tuple[Any, ...]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


@dataclass(frozen=True)
class Taken:
    """What all schools of a type take from a layout, so that it is found out once.

    The figures that planlib needs, with `cells`, the columns that are the same for every school; the other figures
    with their address, labels and unit; what is not clear; and `foreign`, figures of stages that the type does not have.
    """

    needed: Sequence[tuple[int, Place, Unit]]
    cells: Mapping[str, list[Any]]
    others: Sequence[tuple[int, str, str, str, str]]
    issues: Sequence[Issue]
    foreign: Sequence[tuple[int, Place]]


class Layouts:
    """The layouts met so far: 3 000 schools fill in the same forms, so labels are read once for each form."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[Layout]] = {}
        self._count = 0

    def read(self, sheet: Sheet, code: str, words: National) -> FormSheet:
        """Return a sheet with its layout."""
        known = self._known.setdefault((sheet.name, code), [])
        for layout in known:
            found = layout.values(sheet)
            if found:
                return FormSheet(sheet, layout, *found)
        layout = Reader(sheet, code, words).read()
        if not layout.strays and self._count < _KNOWN_LAYOUTS:
            known.append(layout)
            self._count += 1
        return FormSheet(
            sheet,
            layout,
            [sheet.rows[r][c] for r, c in layout.figures],
            [sheet.rows[r][c] for r, c in layout.loose],
        )


def form_code(sheet: Sheet, words: National) -> str:
    """Return the code of the form in a sheet, by its name or its title lines, or ``""``."""
    code = _code_in(sheet.name, words)
    texts = (v for row in sheet.rows[:_FIRST_ROWS] for v in row if isinstance(v, str) and v)
    return code or next((found for text in texts if (found := _code_in(text, words))), "")


@lru_cache(maxsize=1 << 14)
def _code_in(text: str, words: National) -> str:
    return words.code_in(text)


def is_school_book(sheets: Sequence[Sheet], words: National) -> bool:
    """Tell whether a workbook holds national forms; a list of schools may name the form it was taken from."""
    return any(form_code(sheet, words) and not _is_list(sheet, words) for sheet in sheets)


def _is_list(sheet: Sheet, words: National) -> bool:
    """Tell whether the header of the school's code stands in a row of headers, as in no form."""
    anchor = anchor_of(sheet, words.base)
    named = (
        {words.base.column_of(v) for v in sheet.rows[anchor[0]] if isinstance(v, str) and v} if anchor else set()
    )
    return len(named - {""}) >= _HEADERS


def read_school_book(sheets: Sequence[Sheet], words: National, layouts: Layouts) -> SchoolBook:
    """Read a school's workbook.

    Parameters
    ----------
    sheets : sequence of Sheet
    words : National
    layouts : Layouts
        Known from other workbooks; new ones are added.

    Returns
    -------
    SchoolBook
        With issues for whatever is not understood, and for a workbook that names no school or no clear year.
    """
    book = SchoolBook([layouts.read(sheet, form_code(sheet, words), words) for sheet in sheets if sheet.rows])
    for one in book.sheets:
        _lost_and_strays(book, one, words)
        book.issues += _strange_units(one, words)
    _read_year(book, words)
    book.school_id = _first(book, "school_id", words)
    book.school_type = _first(book, "school_type", words)
    if not book.school_id:
        book.issues.append(_without_code(book))
    for one in book.sheets:
        _take_sheet(book, one, words)
    return book


def _first(book: SchoolBook, column: str, words: National) -> str:
    """Return the first text of a column of the whole school."""
    texts = (
        _read(one.values[at], one.values[at].__class__, found.place, found.place.column.unit, words).text
        for one in book.sheets
        for found in one.layout.found
        if found.place.column.name == column
        for at in found.at
    )
    return next((text for text in texts if text), "")


def _without_code(book: SchoolBook) -> Issue:
    names = ", ".join(one.sheet.name for one in book.sheets)
    expected = "the school's code in form 111 or 1001, or on the cover"
    return Issue("error", "school code", found=f"no school code in {names}", expected=expected)


def _lost_and_strays(book: SchoolBook, one: FormSheet, words: National) -> None:
    """Report what has no place in the form, and a hidden sheet."""
    sheet, layout = one.sheet, one.layout
    one.counts.update(layout.kinds)
    for cell, what in sheet.lost:
        book.issues.append(Issue("error", "lost cell", sheet=sheet.name, cell=cell, found=what))
    book.issues += stored_zeros(sheet)
    book.issues += mixed_texts(sheet, {at for at, kind in layout.loose.items() if kind == "note_row"})
    if sheet.struck or sheet.formats:
        is_figure = set(layout.figures).__contains__
        book.issues += [*struck_out(sheet, is_figure), *other_figures(sheet, is_figure, {})]
    book.issues += _hidden(one)
    is_plain = key(sheet.name) in words.plain_sheets
    one.counts["title" if is_plain else "issue"] += len(layout.strays)
    for r, c in layout.strays if not is_plain else ():
        value = sheet.rows[r][c]
        level = "warning" if isinstance(value, str) else "error"
        more = (
            {"done": "set aside: no label belongs to it"}
            if level == "warning"
            else {"expected": "a label for the number"}
        )
        book.issues.append(
            Issue(level, "stray cell", sheet=sheet.name, cell=address(r, c), found=tidy(raw_text(value)), **more)
        )


def _hidden(one: FormSheet) -> Iterator[Issue]:
    """Yield a note if the sheet, or rows or columns of its figures, are hidden."""
    sheet, layout = one.sheet, one.layout
    where = {"sheet": sheet.name, "done": "read like the others"}
    if sheet.is_hidden and (layout.figures or layout.strays):
        yield Issue("note", "hidden sheet", found="a hidden sheet", **where)
    if sheet.hidden_rows or sheet.hidden_columns:
        held = [at for at, value in zip(layout.figures, one.values, strict=True) if not is_blank(value)]
        found = sheet.hidden({r for r, _ in held}, {c for _, c in held})
        if found:
            yield Issue("note", "hidden cells", found=found, **where)


def _strange_units(one: FormSheet, words: National) -> Iterator[Issue]:
    """Yield an error for every unit that is not known: the figures under it have none."""
    rows = one.sheet.rows
    found = [(cell, text) for cell, text in one.title_cells if _is_strange_line(text, words)]
    found += [(cell, raw_text(rows[cell[0]][cell[1]])) for cell in one.layout.strange]
    for cell, text in found:
        known = ", ".join(unit.text for unit in words.base.units.values())
        where = {"sheet": one.sheet.name, "cell": address(*cell)}
        yield Issue("error", "unit", **where, found=tidy(text), expected=f"one of {known}")


@lru_cache(maxsize=1 << 14)
def _is_strange_line(text: str, words: National) -> bool:
    return bool(strange_units(text, words.base))


def _read_year(book: SchoolBook, words: National) -> None:
    """Find the one school year that titles, cover and names of sheets say."""
    lines = [((one.sheet.name, address(*cell)), text) for one in book.sheets for cell, text in one.title_cells]
    names = {said.year: said for one in book.sheets for said in years_said((), one.sheet.name, words.base)}
    told = years_said(lines, "", words.base)
    told += [said for year, said in names.items() if year not in {one.year for one in told}]
    if len(told) == 1:
        said = told[0]
        sheet, at = said.place or (said.text, SHEET_NAME)
        book.year, book.title = said.year, (sheet, at, said.text)
        if said.is_bare:
            cell = at if said.place else ""
            note = Issue("note", "title", sheet=sheet, cell=cell, found=tidy(said.text), done=taken(said))
            book.issues.append(note)
        return
    eras = [(*place, text) for place, text in lines if era_year(text)] if not told else []
    placed = [(*said.place, said.text) for said in told if said.place]
    sheet, at, text = (placed or eras or [("", "", "")])[-1]
    found = both_said(told) or tidy(text) or "no school year in any title"
    era = era_year(text) if not told else None
    expected = (
        f"one school year: {era[0]} would be {era[1]}, write {era[1]}/{era[1] + 1} if that is meant"
        if era
        else "one school year"
    )
    book.issues.append(Issue("error", "title", sheet=sheet, cell=at, found=found, expected=expected))


@lru_cache(maxsize=1 << 16)
def _read(value: Any, _type: type, place: Place, unit: Unit, words: National) -> Reading:
    if not place.is_positive:
        return read_cell(value, place.column, unit, words.base)
    reading = read_cell(value, replace(place.column, type="count"), unit, words.base)
    if reading.state != "value":  # 有 and 无 are read as they are
        return read_cell(value, place.column, unit, words.base)
    said = f"{compact(reading.raw)} → {str(reading.number > 0).lower()}"
    return reading._replace(number=float(reading.number > 0), step=said)


def _unit(layout: Layout, at: int, place: Place, words: National) -> Unit:
    """Return a figure's unit: its label's, its column's, the title line's, else the form's own."""
    own = words.base.units.get(place.unit, place.column.unit)
    if place.column.type != "quantity":
        return own
    said = (layout.rows[at].unit, layout.columns[at].unit, layout.stated)
    return next((unit for unit in said if unit and unit.measures == own.measures), own)


def _take_sheet(book: SchoolBook, one: FormSheet, words: National) -> None:
    """Put each figure of a sheet among the cells planlib needs or among the others."""
    layout, values = one.layout, one.values
    taken = layout.taken.get(book.school_type)
    if taken is None:
        taken = layout.taken[book.school_type] = _taken(one, book.school_type, words)
    book.issues += taken.issues
    readings = [_read(values[at], values[at].__class__, place, unit, words) for at, place, unit in taken.needed]
    columns = zip(Reading._fields, zip(*readings, strict=True), strict=True) if readings else ()
    for name, own in (*taken.cells.items(), *columns, ("school_id", [book.school_id] * len(readings))):
        book.cells[name] += own
    one.counts["value"] += sum(not is_blank(values[at]) for at in {at for at, _, _ in taken.needed})
    _take_others(book, one, taken)
    book.issues += _foreign(book, one, taken)


def _foreign(book: SchoolBook, one: FormSheet, taken: Taken) -> Iterator[Issue]:
    """Yield a warning for the figures of a stage that the school's type does not have: of classes attached to it?"""
    held: dict[str, list[int]] = {}
    for at, place in taken.foreign:
        if _figure(one.values[at], one.values[at].__class__)[1] > 0:
            held.setdefault(place.stage, []).append(at)
    for stage, cells in held.items():
        where = {"sheet": one.sheet.name, "cell": one.layout.addresses[cells[0]], "school": book.school_id}
        said = {
            "found": f"figures of the stage {stage} ({len(cells)})",
            "done": "kept with the other figures alone",
        }
        yield Issue("warning", "other stage", **where, **said, expected=f"nothing: a {book.school_type} school")


def _taken(one: FormSheet, school_type: str, words: National) -> Taken:
    """Find out what schools of a type take from a sheet's layout."""
    layout, stages = one.layout, words.base.stages(school_type)
    given: set[tuple[str, str]] = set()
    rows: list[dict[str, Any]] = []
    needed: list[tuple[int, Place, Unit]] = []
    issues: list[Issue] = []
    foreign: list[tuple[int, Place]] = []
    for found in layout.found:
        place, stage = found.place, _stage(found.place, stages)
        name = place.column.name
        if stage is None and place.stage:
            foreign += [(at, place) for at in found.at]
        # The same figure may be found by its stage's own rows and, where they are absent, by the school's.
        if stage is None or (name, stage) in given:
            continue
        given.add((name, stage))
        issues += _unclear(one, found)
        needed += [(at, place, _unit(layout, at, place, words)) for at in found.at]
        rows += [_cell_row(one, at, place, stage) for at in found.at]
    known = {at for at, _, _ in needed}
    others = [(at, *_labels(layout, at)) for at in range(len(layout.figures)) if at not in known]
    return Taken(
        needed, {name: [row[name] for row in rows] for name in rows[0]} if rows else {}, others, issues, foreign
    )


def _unclear(one: FormSheet, found: Found) -> Iterator[Issue]:
    """Yield an issue for a figure that several rows or columns fit."""
    name = found.place.column.name
    # what nobody must report is kept with the other figures
    level, done = ("error", "") if found.place.column.school_types else ("warning", "kept")
    for said in found.faults:
        where = {"sheet": one.sheet.name, "found": f"{name} in {said}"}
        yield Issue(level, "form", **where, expected=f"one {name}", done=done)


def _stage(place: Place, stages: Sequence[str]) -> str | None:
    """Return the stage of a figure (``""`` for one of the whole school), or None where the type has no such figure."""
    if place.column.level == "school":
        return ""
    if place.is_single or not place.stage:
        return stages[0] if len(stages) == 1 else None
    # Forms are the same for all types: rows of stages that a type does not have stay empty.
    return place.stage if place.stage in stages or not stages else None


def _cell_row(one: FormSheet, at: int, place: Place, stage: str) -> dict[str, Any]:
    r, c = one.layout.figures[at]
    return {
        "sheet": one.sheet.name,
        "cell": one.layout.addresses[at],
        "row": r + 1,
        "stands": r + 1,
        "position": c,
        "column": place.column.name,
        "stage": stage,
        "kind": "value",
        "unit": place.unit,
        "section": 0,
        "part": int(bool(place.adds)),
    }


def _labels(layout: Layout, at: int) -> tuple[str, str, str, str]:
    """Return a figure's address, the labels it stands under, and its unit if any."""
    unit = layout.rows[at].unit or layout.columns[at].unit or layout.stated
    return layout.addresses[at], layout.rows[at].text, layout.columns[at].text, unit.text if unit else ""


def _take_others(book: SchoolBook, one: FormSheet, taken: Taken) -> None:
    sheet, code, values = one.sheet.name, one.layout.code or one.sheet.name, one.values
    for at, cell, row, column, unit in taken.others:
        value = values[at]
        if value == "":
            continue
        raw, number, state = _figure(value, value.__class__)
        if state == "blank":
            continue
        if state == "not_applicable":
            one.counts["not_applicable"] += 1
            continue
        one.counts["form_cell"] += 1
        book.extra.append((sheet, cell, book.school_id, code, row, column, raw, number, unit))


@lru_cache(maxsize=1 << 16)
def _figure(value: Any, _type: type) -> tuple[str, float, str]:
    """Return a figure that no field names: its text, its number if it is one, and its state."""
    raw = raw_text(value)
    plain = compact(raw)
    if not plain:
        return raw, _NAN, "blank"
    if plain in load_form().not_applicable:
        return raw, _NAN, "not_applicable"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return raw, float(value), "value"
    found = figure(value) if isinstance(value, str) else None
    return raw, float(found.digits) if found and not found.relation and not found.word else _NAN, "value"

"""A sheet's cells to columns and rows, by their text: titles, merged headers, schools, totals, notes.

Every cell that holds something is put in exactly one of the kinds of `KINDS`; what fits none becomes an issue, so
nothing can be lost without a word.
"""

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from planlib.clean.files.sheet import Sheet, address
from planlib.clean.issues import Issue
from planlib.clean.layout.doubts import mixed_texts, other_figures, stored_zeros, struck_out
from planlib.clean.layout.units import FIGURES, Units, read_units, unit_of, units_row
from planlib.clean.words.convert import is_blank, raw_text
from planlib.clean.words.forms import (
    Column,
    Form,
    Unit,
    is_another,
    says_other,
    strange_units,
)
from planlib.clean.words.writing import SEPARATOR, compact, era_year, key, tidy, written
from planlib.clean.words.years import SHEET_NAME, both_said, says_year, taken, years_in, years_said

# What a cell that holds something can be.
KINDS = (
    "value",
    "form_cell",
    "repeated",
    "not_applicable",
    "total",
    "title",
    "header",
    "note_row",
    "ignored",
    "issue",
)
_UNUSED = ("note_row", "ignored")
_HEADS, _MANY = 40, 3  # rows below a header that are looked at, other headers among them that are too many


@dataclass(frozen=True)
class Place:
    """A column of a sheet: where it is, what it is, and in which unit."""

    index: int
    path: str
    column: Column
    stage: str
    unit: Unit
    cell: tuple[int, int]


@dataclass
class Recognised:
    """A sheet understood: columns, the rows of schools and of totals, and the kind of every cell.

    `title` is the cell that says the year; without it the name of the sheet does.
    Figures of schools and totals are only counted (`bulk`), every other cell has its kind.
    `origins` tells for a cell inside a merged range where its text really stands; `stage_column` is one that names the
    stage of each row; `kept` are columns (number, header) that are kept as they stand.
    """

    sheet: Sheet
    year: int | None = None
    title: tuple[int, int] | None = None
    places: list[Place] = field(default_factory=list)
    data_rows: list[int] = field(default_factory=list)
    total_rows: list[int] = field(default_factory=list)
    first_row: int = 0
    units: Units = field(default_factory=Units)
    stage_column: int | None = None
    kept: list[tuple[int, str]] = field(default_factory=list)
    kinds: dict[tuple[int, int], str] = field(default_factory=dict)
    bulk: Counter[str] = field(default_factory=Counter)
    origins: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)

    def note(self, level: str, kind: str, at: tuple[int, int] | None, found: str, **more: Any) -> None:
        """Add an issue about a cell of this sheet."""
        cell = address(*at) if at else ""
        self.issues.append(Issue(level, kind, sheet=self.sheet.name, cell=cell, found=found, **more))

    def counts(self) -> Counter[str]:
        """Return how many cells there are of each kind."""
        return Counter(self.kinds.values()) + self.bulk

    @property
    def titled(self) -> tuple[str, str]:
        """The address and the text of what says the year, both empty where nothing does."""
        if self.title:
            return address(*self.title), raw_text(self.sheet.rows[self.title[0]][self.title[1]])
        return (SHEET_NAME, self.sheet.name) if self.year is not None else ("", "")

    @functools.cached_property
    def rows(self) -> list[int]:
        """The rows of schools and totals in order."""
        return sorted(self.data_rows + self.total_rows)

    @functools.cached_property
    def columns(self) -> list[tuple[Any, ...]]:
        """The cells of `rows`, column by column."""
        return list(zip(*(self.sheet.rows[r] for r in self.rows), strict=True))


def recognise(sheet: Sheet, form: Form) -> Recognised:
    """Find title, header, schools, totals and notes of a collection sheet.

    Parameters
    ----------
    sheet : Sheet
    form : Form

    Returns
    -------
    Recognised
        With issues for whatever is not understood. A sheet without a header has no places.
    """
    result = Recognised(sheet)
    anchor = anchor_of(sheet, form)
    for cell, what in sheet.lost:
        result.issues.append(Issue("error", "lost cell", sheet=sheet.name, cell=cell, found=what))
    result.issues += stored_zeros(sheet)
    if sheet.is_hidden and anchor:
        result.note("note", "hidden sheet", None, "a hidden sheet", done="read like the others")
    if anchor is None:
        return _unread(result)
    if _is_on_its_side(sheet, anchor, form):
        result.kinds = {(r, c): "issue" for r, c, _ in filled(sheet)}
        expected = "one row for each school: copy the table and paste it transposed"
        result.note(
            "error", "no table", anchor, "headers below each other, schools side by side", expected=expected
        )
        return result
    top, bottom = header_rows(sheet, form, anchor)
    row = units_row(sheet, form, anchor, bottom)
    result.first_row = (bottom if row is None else row) + 1
    _read_titles(result, form, top)
    _read_header(result, form, top, bottom if row is None else row - 1)
    _read_rows(result, form, anchor[1])
    _rest(result)
    result.issues += mixed_texts(sheet, {at for at, kind in result.kinds.items() if kind in _UNUSED})
    rows, unused = set(result.rows), (*_UNUSED, "issue")
    is_used = lambda at: at[0] in rows and at not in result.origins and result.kinds.get(at) not in unused  # noqa: E731
    result.issues += struck_out(sheet, is_used, anchor[1], result.origins.values())
    units = {place.index: place.unit for place in result.places}
    result.issues += other_figures(sheet, lambda at: at[1] in units and is_used(at), units)
    hidden = sheet.hidden(rows, {place.index for place in result.places} | dict(result.kept).keys())
    if hidden:
        result.note("note", "hidden cells", None, hidden, done="read like the others")
    return result


def _is_on_its_side(sheet: Sheet, anchor: tuple[int, int], form: Form) -> bool:
    """Tell whether several other headers stand below the school's code, where codes of schools belong."""
    below = [row[anchor[1]] for row in sheet.rows[anchor[0] + 1 : anchor[0] + _HEADS]]
    names = {form.column_of(text) for text in below if isinstance(text, str)}
    return len(names - {"", "school_id"}) >= _MANY


def filled(sheet: Sheet, first: int = 0, last: int | None = None) -> Iterator[tuple[int, int, Any]]:
    """Yield (row, column, value) of the cells that hold something."""
    for r, row in enumerate(sheet.rows[first:last], first):
        for c, value in enumerate(row):
            # compared in place: calling a function for each empty cell is what large sheets would cost
            if value != "" and not is_blank(value):
                yield r, c, value


def anchor_of(sheet: Sheet, form: Form) -> tuple[int, int] | None:
    """Return the first cell whose text is a header of the school's code."""
    for r, c, value in filled(sheet):
        if isinstance(value, str) and form.column_of(value) == "school_id":
            return r, c
    return None


def _unread(result: Recognised) -> Recognised:
    """Set a sheet without a header aside, saying how many cells it holds."""
    cells = list(filled(result.sheet))
    result.kinds = {(r, c): "issue" for r, c, _ in cells}
    if cells:
        first = f"{len(cells)} cells, the first: {tidy(raw_text(cells[0][2]))[:40]}"
        at, level = (cells[0][0], cells[0][1]), "warning"
        result.note(level, "sheet without header", at, first, done="the whole sheet is set aside")
    return result


def header_rows(sheet: Sheet, form: Form, anchor: tuple[int, int]) -> tuple[int, int]:
    """Return the first and the last row of the header around the cell of the school's code."""
    row, column = anchor
    bottom = max([r1 for r0, c0, r1, c1 in sheet.merged if (r0, c0) == anchor], default=row)
    while bottom + 1 < len(sheet.rows) and _is_lower_header(sheet.rows[bottom + 1], column, form):
        bottom += 1
    top = row
    while top > 0 and _is_upper_header(sheet, top - 1, column, form):
        top -= 1
    return top, bottom


def _is_lower_header(row: list[Any], column: int, form: Form) -> bool:
    """Tell whether a row below the code's header still names columns (the code's own cell is empty there)."""
    return is_blank(row[column]) and any(_names_column(value, form) for value in row)


def _is_upper_header(sheet: Sheet, index: int, column: int, form: Form) -> bool:
    """Tell whether a row above the code's header belongs to it: it names columns or stages, or spans some."""
    row = sheet.rows[index]
    if says_year(row, form):
        return False
    spans = any(r0 == index and c0 > column and c1 > c0 for r0, c0, _, c1 in sheet.merged)
    return spans or any(_names_column(v, form) or key(str(v)) in form.stage_headers for v in row)


def _names_column(value: Any, form: Form) -> bool:
    return isinstance(value, str) and bool(value) and bool(form.column_of(value))


def _read_titles(result: Recognised, form: Form, top: int) -> None:
    """Read the lines above the header: the year stands there, or in the name of the sheet."""
    lines = [((r, c), raw_text(value)) for r, c, value in filled(result.sheet, 0, top)]
    for at, text in lines:
        result.kinds[at] = "title"
        if strange_units(text, form):
            known = ", ".join(unit.text for unit in form.units.values())
            result.note("error", "unit", at, tidy(text), expected=f"one of {known}")
    told = years_said(lines, result.sheet.name, form)
    if len(told) > 1:
        cells = [said.place for said in told if said.place is not None]
        result.note("error", "title", cells[0] if cells else None, both_said(told), expected="one school year")
    elif told:
        result.year, result.title = told[0].year, told[0].place
        if told[0].is_bare:
            result.note("note", "title", told[0].place, tidy(told[0].text), done=taken(told[0]))
    else:
        _read_eras(result, top)


def _read_eras(result: Recognised, top: int) -> None:
    """Refuse a year of an era in a title: whether it is meant so, only a person can say."""
    for r, c, value in filled(result.sheet, 0, top):
        era = era_year(raw_text(value))
        if era:
            found, year = era
            expected = f"a school year: {found} would be {year}, write {year}/{year + 1} if that is meant"
            result.note("error", "title", (r, c), tidy(raw_text(value)), expected=expected)


def _read_header(result: Recognised, form: Form, top: int, bottom: int) -> None:
    """Name every column of the table, with its stage and unit."""
    sheet, lines = result.sheet, [raw_text(value) for _, _, value in filled(result.sheet, 0, top)]
    for r, c, _ in filled(sheet, top, result.first_row):
        result.kinds[r, c] = "header"
    paths = _header_paths(sheet, top, bottom)
    names = {c: form.column_of(sheet.rows[cells[-1][0]][cells[-1][1]]) for c, cells in paths.items()}
    figures = {c for c, name in names.items() if name and form.columns[name].type in FIGURES}
    result.units = read_units(sheet, form, bottom + 1 if result.first_row > bottom + 1 else None, figures, lines)
    for at, text in result.units.strange:
        known = ", ".join(unit.text for unit in form.units.values())
        result.note("error", "unit", at, text, expected=f"one of {known}")
    seen: dict[tuple[str, str], Place] = {}
    for index, cells in paths.items():
        place = _place(result, form, index, cells)
        if place is None:
            continue
        before = seen.setdefault((place.column.name, place.stage), place)
        if before is not place:
            said = f"{place.path}, as in {address(*before.cell)}"
            if place.column.name == "school_id":
                _tables_touch(result, before, place, said)
                break  # all its columns may stand twice: one fault says why
            result.note("error", "column twice", place.cell, said, expected="one column for each figure")
            continue
        result.places.append(place)


def _tables_touch(result: Recognised, one: Place, other: Place, said: str) -> None:
    """Refuse two tables side by side that no empty column parts, naming a cell that closes the gap if there is one."""
    headed = {c for _, c, _ in filled(result.sheet, one.cell[0], one.cell[0] + 1)}
    gaps = [c for c in range(one.index + 1, other.index) if c not in headed]
    between = [address(r, c) for r, c, _ in filled(result.sheet, one.cell[0]) if c == max(gaps, default=-1)]
    said = f"{said}; {between[0]} stands between them" if between else said
    expected = "an empty column between two tables"
    result.note("error", "column twice", other.cell, said, expected=expected)
    for r, c, _ in filled(result.sheet, other.cell[0]):
        if c >= other.index or c == max(gaps, default=-1):
            result.kinds.setdefault((r, c), "issue")


def _header_paths(sheet: Sheet, top: int, bottom: int) -> Mapping[int, list[tuple[int, int]]]:
    """Return, by column, the cells that head it from above to below; a merged cell heads all it spans."""
    origin: dict[tuple[int, int], tuple[int, int]] = {}
    for r0, c0, r1, c1 in sheet.merged:
        if r1 >= top and r0 <= bottom:
            origin |= {(r, c): (r0, c0) for r in range(r0, r1 + 1) for c in range(c0, c1 + 1)}
    width = max((len(row) for row in sheet.rows[top : bottom + 1]), default=0)
    if not sheet.merged:
        origin = _spread(sheet, top, bottom, width)
    paths: dict[int, list[tuple[int, int]]] = {}
    for c in range(width):
        cells = dict.fromkeys(origin.get((r, c), (r, c)) for r in range(top, bottom + 1))
        texts = [cell for cell in cells if cell[0] >= top and not is_blank(sheet.rows[cell[0]][cell[1]])]
        if texts:
            paths[c] = texts
    return paths


def _spread(sheet: Sheet, top: int, bottom: int, width: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Let an upper text without merged cells (CSV has none) head the columns to its right that have lower texts only."""
    origin: dict[tuple[int, int], tuple[int, int]] = {}
    for r in range(top, bottom):
        last = None
        for c in range(width):
            is_lower = any(not is_blank(sheet.rows[k][c]) for k in range(r + 1, bottom + 1))
            if not is_blank(sheet.rows[r][c]):
                last = (r, c) if is_lower else None
            elif last and is_lower:
                origin[r, c] = last
    return origin


def _place(
    result: Recognised,
    form: Form,
    index: int,
    cells: list[tuple[int, int]],
) -> Place | None:
    """Return what a column is, or None where it is ignored, empty or not understood (then there is an issue)."""
    texts = [result.sheet.rows[r][c] for r, c in cells]
    path = SEPARATOR.join(tidy(text) for text in texts)
    # A last 合计 below a heading is the heading's own figure.
    is_sum = len(texts) > 1 and key(str(texts[-1])) in form.total_rows and not form.column_of(texts[-1])
    named, cell = (texts[-2], cells[-2]) if is_sum else (texts[-1], cells[-1])
    name = form.column_of(named)
    if not name or _is_another(result, form, name, texts):
        _unknown_column(result, form, index, cells[-1], path)
        return None
    column = form.columns[name]
    stages = [form.stage_headers[key(str(t))] for t in texts[:-1] if key(str(t)) in form.stage_headers]
    unit, faults = unit_of(column, index, cell, named, result.units, form)
    for at, found, expected in faults:
        result.note("error", "unit", at, found, expected=expected)
    return Place(index, path, column, stages[-1] if stages else "", unit, cell)


def _is_another(result: Recognised, form: Form, name: str, texts: list[Any]) -> bool:
    """Tell whether a bracket or a heading says that a column is a part of the figure it names, or of another year."""
    said = [raw_text(text) for text in texts]
    headings = [text for text in said if not form.column_of(text)]
    years = {year for text in said for year in years_in(text, form)} - {result.year}
    return (
        any(is_another(text, form.columns[name], form) for text in said if form.column_of(text) == name)
        or any(says_other(key(text), form) for text in headings)
        or bool(years and result.year)
    )


def _unknown_column(result: Recognised, form: Form, index: int, cell: tuple[int, int], path: str) -> None:
    """Say that a header is unknown: an error if cells stand under it; an ignored one needs no word."""
    rows, text = result.sheet.rows, raw_text(result.sheet.rows[cell[0]][cell[1]])
    header = form.split(text)[0]
    below = [
        r for r in range(result.first_row, len(rows)) if rows[r][index] != "" and not is_blank(rows[r][index])
    ]
    if header in form.row_stages and result.stage_column is None:
        result.stage_column = index
        result.kinds |= {(r, index): "header" for r in below}
        return
    if header in form.kept:
        result.kept.append((index, path))
        return
    if {header, key(text)} & form.ignored or (header in form.stage_headers and not below):
        for r in below:
            result.kinds.setdefault((r, index), "ignored")
        return
    if below:
        result.note("error", "unknown header", cell, path, expected="a header of the form")
    else:
        result.note("warning", "unknown header", cell, path, done="ignored: no cell under it")
    for r in below:
        result.kinds[r, index] = "issue"


def _read_rows(result: Recognised, form: Form, id_column: int) -> None:
    """Tell schools from totals, notes and repeated headers; fill merged cells among them."""
    in_notes = False
    for r in range(result.first_row, len(result.sheet.rows)):
        row = result.sheet.rows[r]
        begins = next((c for c, value in enumerate(row) if value != "" and not is_blank(value)), None)
        if begins is None:
            continue
        is_again = result.units.row is not None and row == result.sheet.rows[result.units.row]
        kind = "header" if is_again else _row_kind(row, begins, id_column, form, in_notes)
        if kind == "note_row" and is_blank(row[id_column]) and _is_school(result, row, form):
            kind = ""
        if kind == "data" and result.stage_column is not None and not is_blank(row[result.stage_column]):
            _read_stage(result, form, r)
        in_notes = in_notes or kind == "note_row"
        if kind == "data":
            result.data_rows.append(r)
        elif kind == "total":
            result.total_rows.append(r)
        elif kind in ("note_row", "header"):
            result.kinds |= {(r, c): kind for c in _held(row)}
        else:
            _row_without_code(result, r, _held(row))
    _fill_merged(result, result.first_row)


def _is_school(result: Recognised, row: list[Any], form: Form) -> bool:
    """Tell whether a row without a code names a school and its type, whatever its first word: 注册…小学 is no 注."""
    said = {place.column.name: compact(raw_text(row[place.index])) for place in result.places}
    name, kind = said.get("school_name", ""), said.get("school_type", "")
    return bool(name) and key(name) not in form.notes_rows and kind in form.columns["school_type"].codes


def _held(row: list[Any]) -> list[int]:
    """Return the columns of a row's cells that hold something."""
    return [c for c, value in enumerate(row) if value != "" and not is_blank(value)]


def _read_stage(result: Recognised, form: Form, row: int) -> None:
    """Refuse a word that names no stage in the column of stages."""
    at = (row, result.stage_column or 0)
    text = raw_text(result.sheet.rows[row][at[1]])
    if key(text) not in form.stage_headers:
        result.note("error", "stage", at, tidy(text), expected=f"one of {', '.join(form.stage_headers)}")


def _row_kind(row: list[Any], begins: int, id_column: int, form: Form, in_notes: bool) -> str:
    """Return ``data``, ``total``, ``note_row``, ``header`` (repeated), or ``""`` for a row that is none of them."""
    is_coded = not is_blank(row[id_column])
    code = key(raw_text(row[id_column])) if is_coded else ""
    first = code if begins == id_column else key(raw_text(row[begins]))
    # The word stands in the first filled cell or in the place of the code; no school is called a total.
    if first.startswith(form.total_rows) or code.startswith(form.total_rows) or code.endswith(form.total_rows):
        return "total"
    if not is_coded and _says_total(row, form):
        return "total"
    if (code or first).startswith(form.notes_rows):
        return "note_row"
    if in_notes and is_coded and isinstance(row[id_column], str) and len(_held(row)) == 1:
        return "note_row"
    if is_coded and form.column_of(row[id_column]) == "school_id":
        # a header repeated on a new page holds no number; a school's row with this word as its code is none
        return "" if any(written(compact(raw_text(row[c]))) for c in _held(row)) else "header"
    if is_coded:
        return "data"
    return "note_row" if in_notes and all(isinstance(row[c], str) for c in _held(row)) else ""


def _says_total(row: list[Any], form: Form) -> bool:
    """Tell whether a row without a code is a subtotal by one of its words: 采荷街道小计, or 小计 beside the town."""
    texts = [key(value) for value in row if isinstance(value, str) and value]
    return any(text.startswith(form.total_rows) or text.endswith(form.total_rows) for text in texts)


def _row_without_code(result: Recognised, row: int, held: list[int]) -> None:
    said = "、".join(tidy(raw_text(result.sheet.rows[row][c])) for c in held[:4])
    result.note(
        "error", "row without code", (row, held[0]), said, expected="a school code, or a total or notes row"
    )
    result.kinds |= {(row, c): "issue" for c in held}


def _fill_merged(result: Recognised, first: int) -> None:
    """Give a text merged over several schools to each of them; a merged number belongs to nobody."""
    places = {place.index: place for place in result.places}
    rows = result.sheet.rows
    for r0, c0, r1, c1 in result.sheet.merged:
        if r0 < first or r0 not in result.data_rows or is_blank(rows[r0][c0]):
            continue
        place = places.get(c0)
        if place and c0 == c1 and place.column.type in ("text", "code") and place.column.name != "school_id":
            for r in range(r0 + 1, r1 + 1):
                if is_blank(rows[r][c0]):
                    rows[r][c0] = rows[r0][c0]
                    result.origins[r, c0] = (r0, c0)
                elif rows[r][c0] != rows[r0][c0]:  # nobody sees it on the screen
                    said = f"{tidy(raw_text(rows[r][c0]))} under the merged cell {tidy(raw_text(rows[r0][c0]))}"
                    result.note("error", "merged data", (r, c0), said, expected="one cell for each school")
        else:
            said = f"{tidy(raw_text(rows[r0][c0]))} over {address(r0, c0)}:{address(r1, c1)}"
            result.note("error", "merged data", (r0, c0), said, expected="one cell for each school")


def _rest(result: Recognised) -> None:
    """Put the cells of schools and totals in their kinds; whatever is left is an issue."""
    known = {place.index for place in result.places}
    told = {*result.kinds, *result.origins}
    _count_figures(result, known, told)
    rows = {**dict.fromkeys(result.data_rows, "value"), **dict.fromkeys(result.total_rows, "total")}
    width = max(map(len, result.sheet.rows), default=0)
    others, kept = [c for c in range(width) if c not in known], {index for index, _ in result.kept}
    for r, row in enumerate(result.sheet.rows):
        for c in others if r in rows else range(len(row)):
            value = row[c]
            if value == "" or is_blank(value) or (r, c) in told:
                continue
            if c in kept and rows.get(r) == "value":
                result.kinds[r, c] = "form_cell"
            elif rows.get(r) == "total":
                result.kinds[r, c] = "total"
            else:
                result.kinds[r, c] = "issue"
                _stray(result, r, c, value)


def _count_figures(result: Recognised, known: set[int], told: set[tuple[int, int]]) -> None:
    """Count the cells of schools and of totals in the columns that are known, column by column."""
    rows = set(result.rows)
    for index in known if rows else ():
        values = result.columns[index]
        is_number = set(map(type, values)) == {float}
        blank = 0 if is_number else sum(n for value, n in Counter(values).items() if is_blank(value))
        result.bulk["value"] += len(values) - blank
    for r in result.total_rows:
        held = sum(not is_blank(result.sheet.rows[r][c]) for c in known)
        result.bulk.update({"total": held, "value": -held})
    for r, c in told:  # has a kind already
        if r in rows and c in known and not is_blank(result.sheet.rows[r][c]):
            result.bulk["total" if r in result.total_rows else "value"] -= 1


def _stray(result: Recognised, row: int, column: int, value: Any) -> None:
    """Report a cell that stands in no column: a number may be a figure, a text is a remark."""
    said = tidy(raw_text(value))
    if isinstance(value, str):
        result.note("warning", "stray cell", (row, column), said, done="set aside: no header above it")
    else:
        result.note("error", "stray cell", (row, column), said, expected="a header above the number")

"""The tables of a sheet, below each other and side by side: where each begins and ends."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from planlib.clean.files.sheet import Sheet
from planlib.clean.layout.recognise import Recognised, anchor_of, filled, header_rows, recognise
from planlib.clean.words.convert import is_blank, raw_text
from planlib.clean.words.forms import Form
from planlib.clean.words.writing import key
from planlib.clean.words.years import says_year

_HEADS_APART = 30  # rows between the headers of tables beside each other


def recognise_tables(sheet: Sheet, form: Form) -> list[Recognised]:
    """Find every table of a sheet: each has its own header; one stands below another or beside it.

    Tables side by side stand apart by an empty column; the lines above their headers hold for all of them.

    Parameters
    ----------
    sheet : Sheet
    form : Form

    Returns
    -------
    list of Recognised
        One for a sheet without a header too.
    """
    blocks = _side_by_side(sheet, form)
    if not blocks:
        return _below_each_other(sheet, form)
    found = []
    for block, columns in blocks:
        for one in _below_each_other(block, form):
            # a line above all tables is one cell: of the table in whose columns it stands
            one.kinds = {at: kind for at, kind in one.kinds.items() if at[1] in columns}
            found.append(one)
    return found


def _below_each_other(sheet: Sheet, form: Form) -> list[Recognised]:
    anchor = anchor_of(sheet, form)
    begins = [0, *(_first_line(sheet, form, at) for at in _later_anchors(sheet, form, anchor))] if anchor else [0]
    parts = [_part(sheet, a, b) for a, b in zip(begins, [*begins[1:], len(sheet.rows)], strict=True)]
    return [recognise(part, form) for part in parts]


def _side_by_side(sheet: Sheet, form: Form) -> list[tuple[Sheet, range]]:
    """Return the tables beside each other with their columns, or nothing where there is one alone."""
    anchor = anchor_of(sheet, form)
    heads = [] if anchor is None else sheet.rows[anchor[0] : anchor[0] + _HEADS_APART]
    found = {
        c for row in heads for c, v in enumerate(row) if isinstance(v, str) and form.column_of(v) == "school_id"
    }
    if anchor is None or len(found) < 2:
        return []
    width = max(map(len, sheet.rows))
    held = {c for _, c, _ in filled(sheet, anchor[0])}
    gaps = [max((g for g in range(c) if g not in held), default=-1) for c in sorted(found)[1:]]
    begins = sorted({g + 1 for g in gaps if any(c < g for c in found)})
    columns = [range(a, b) for a, b in zip([0, *begins], [*begins, width], strict=True)]
    if len(columns) < 2:
        return []
    parts = [_columns(sheet, own, 0) for own in columns]
    top = min(header_rows(part, form, at)[0] for part in parts if (at := anchor_of(part, form)))
    return [(_columns(sheet, own, top), own) for own in columns]


def _columns(sheet: Sheet, columns: range, shared: int) -> Sheet:
    """Return a sheet with some columns alone, each cell at its own place, and the first `shared` rows whole."""
    rows = [
        row if r < shared else [value if c in columns else "" for c, value in enumerate(row)]
        for r, row in enumerate(sheet.rows)
    ]
    merged = tuple(cells for cells in sheet.merged if cells[1] in columns)
    return replace(_told_once(sheet, columns.start == 0), rows=rows, merged=merged)


def _told_once(sheet: Sheet, is_first: bool) -> Sheet:
    """Return a sheet that says of its cells without a sure value only if it is the first part."""
    return sheet if is_first else replace(sheet, lost=(), zeros=())


def _later_anchors(sheet: Sheet, form: Form, anchor: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the code's header of every further table; the same header again, without a title, is a new page."""
    first = sheet.rows[anchor[0]]
    for r in range(anchor[0] + 1, len(sheet.rows)):
        row = sheet.rows[r]
        # A header holds texts only: most rows of schools need no second look.
        if float in map(type, row):
            continue
        at = next(
            (c for c, v in enumerate(row) if isinstance(v, str) and v and form.column_of(v) == "school_id"), None
        )
        if at is not None and (row != first or _is_line(sheet.rows[r - 1], form)):
            yield r, at


def _is_line(row: list[Any], form: Form) -> bool:
    """Tell whether a row is a line between tables: blank, or one text that is no note."""
    held = [key(raw_text(value)) for value in row if not is_blank(value)]
    return len(held) <= 1 and not any(text.startswith((*form.notes_rows, *form.total_rows)) for text in held)


def _first_line(sheet: Sheet, form: Form, anchor: tuple[int, int]) -> int:
    """Return the row on which a further table begins: its title, or its header."""
    first, _ = header_rows(sheet, form, anchor)
    while first > 0 and (_is_line(sheet.rows[first - 1], form) or says_year(sheet.rows[first - 1], form)):
        first -= 1
    return first


def _part(sheet: Sheet, begins: int, ends: int) -> Sheet:
    """Return the rows of one table, each at its own number."""
    if begins == 0 and ends == len(sheet.rows):
        return sheet
    merged = tuple((r0, c0, min(r1, ends - 1), c1) for r0, c0, r1, c1 in sheet.merged if begins <= r0 < ends)
    rows: list[list[Any]] = [[] for _ in range(begins)]
    return replace(_told_once(sheet, begins == 0), rows=rows + sheet.rows[begins:ends], merged=merged)

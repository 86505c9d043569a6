"""The units of a collection sheet: in a header's bracket, in a row below the header, in the lines above it."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from planlib.clean.files.sheet import Sheet, address
from planlib.clean.words.convert import is_blank, raw_text
from planlib.clean.words.forms import Column, Form, Unit, is_remark, stated_units, words_of
from planlib.clean.words.writing import key, tidy

FIGURES = ("count", "quantity")
Fault = tuple[tuple[int, int], str, str]
"""A cell, what was found there, what was expected."""


class Below(NamedTuple):
    """The unit below a column's header, and the cell where it stands."""

    unit: Unit
    cell: tuple[int, int]


class Units(NamedTuple):
    """What a sheet states: the row of units if there is one, the unit below each header, those of the whole table.

    `strange` are the cells of that row with something else, and their texts.
    """

    row: int | None = None
    below: Mapping[int, Below] = MappingProxyType({})
    stated: Mapping[str, Sequence[Unit]] = MappingProxyType({})
    strange: Sequence[tuple[tuple[int, int], str]] = ()


def units_row(sheet: Sheet, form: Form, anchor: tuple[int, int], bottom: int) -> int | None:
    """Return the row of units: the first below a header, or its last where the code's header is merged over it.

    Parameters
    ----------
    sheet : Sheet
    form : Form
    anchor : (int, int)
        The cell of the code's header.
    bottom : int
        The last row of the header.
    """
    # blank rows between: in CSV the lower row of a header merged over two is one
    later = (r for r in range(bottom + 1, len(sheet.rows)) if not all(map(is_blank, sheet.rows[r])))
    rows = [r for r in (bottom, next(later, bottom)) if r > anchor[0]]
    return next((r for r in rows if _holds_units(sheet.rows[r], anchor[1], form)), None)


def _holds_units(row: list[Any], id_column: int, form: Form) -> bool:
    """Tell whether a row has no school and most of its cells that say something are units."""
    words = [key(raw_text(value)) for value in row if value != "" and not is_blank(value)]
    told = [bool(_units(word, form)) for word in words if word not in form.no_units]
    code = key(raw_text(row[id_column]))
    is_school = bool(code) and code not in form.no_units and not _units(code, form)
    return not is_school and 2 * sum(told) > len(told)


def _units(word: str, form: Form) -> list[Unit]:
    """Return the units that a comparable text consists of: one, or some in a line (单位：人、册); else none."""
    line = form.unit_line.fullmatch(word)
    bare = word[1:-1] if word.startswith("(") and word.endswith(")") else word
    units = [form.units.get(one) for one in (words_of(line[1]) if line else [bare])]
    return [unit for unit in units if unit] if all(units) else []


def read_units(sheet: Sheet, form: Form, row: int | None, figures: Collection[int], lines: Sequence[str]) -> Units:
    """Return the units that a sheet states, below the headers and for the whole table.

    Parameters
    ----------
    sheet : Sheet
    form : Form
    row : int, optional
        See `units_row`. A cell merged over several columns is the unit of all of them; a line beside the figures
        (单位：万元) is of the whole table.
    figures : collection of int
        The columns of counts and quantities.
    lines : sequence of str
        The texts above the header.
    """
    if row is None:
        return Units(stated=stated_units(lines, form))
    origins = {c: (r0, c0) for r0, c0, r1, c1 in sheet.merged if r0 <= row <= r1 for c in range(c0, c1 + 1)}
    below, stated, strange = dict[int, Below](), [*lines], list[tuple[tuple[int, int], str]]()
    for c in range(len(sheet.rows[row])):
        r, origin = origins.get(c, (row, c))
        text = raw_text(sheet.rows[r][origin]) if r == row else ""
        units = _units(key(text), form)
        if len(units) == 1 and (c in figures or not form.unit_line.fullmatch(key(text))):
            below[c] = Below(units[0], (r, origin))
        elif units:
            stated.append(text)
        elif key(text) not in {*form.no_units, ""}:
            strange.append(((r, origin), tidy(text)))
    return Units(row, below, stated_units(stated, form), strange)


def unit_of(
    column: Column, index: int, cell: tuple[int, int], header: Any, units: Units, form: Form
) -> tuple[Unit, list[Fault]]:
    """Return a column's unit: what its header or the cell below says, else the whole table, else the form's own.

    Parameters
    ----------
    column : Column
    index : int
        Its number in the sheet.
    cell, header : (int, int), any
        Where its header stands, and its text.
    units : Units
    form : Form

    Returns
    -------
    (Unit, list of Fault)
        What contradicts itself, is of something else, or is known of the columns beside it alone.
    """
    text, bracket, below = tidy(header), form.split(header)[1], units.below.get(index)
    own, wanted, faults = form.units.get(bracket), column.unit.measures, list[Fault]()
    if own and own.measures != wanted:
        faults.append((cell, text, f"a unit of {wanted}"))
    elif bracket and not own and not is_remark(bracket, key(raw_text(header)), column, form):
        known = ", ".join(u.text for u in form.units.values() if u.measures == wanted)
        faults.append((cell, text, f"one of {known}"))
    if below and column.type not in FIGURES:
        faults.append((below.cell, f"{text}: {below.unit.text}", "nothing or a dash below the header"))
    elif below and below.unit.measures != wanted:
        faults.append((below.cell, f"{text}: {below.unit.text}", f"a unit of {wanted}"))
    elif below and own and not faults and not _is_same(own, below.unit):
        said = f"{text}: {below.unit.text} in {address(*below.cell)}"
        faults.append((cell, said, "the same unit in the header and below it"))
    if own or below or column.type != "quantity":
        return own or (below.unit if below else column.unit), faults
    above = units.stated.get(wanted, [])
    if len(above) > 1:
        said = f"{text}: {' and '.join(u.text for u in above)} above"
        faults.append((cell, said, "the unit in the header's bracket"))
    unit = above[0] if above else column.unit
    beside = {u.text for u, _ in units.below.values() if u.measures == wanted and u.factor != unit.factor}
    if beside:  # in CSV a cell merged over several columns is that of the first
        said = f"{text}: nothing, {', '.join(sorted(beside))} beside it"
        faults.append(((units.row or 0, index), said, "the unit of this column too"))
    return unit, faults


def _is_same(one: Unit, other: Unit) -> bool:
    """Tell whether two units are one: things counted are not each other."""
    is_alike = (one.measures, one.factor) == (other.measures, other.factor)
    return is_alike and (one.measures != "count" or one.text == other.text)

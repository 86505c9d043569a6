"""One cell's text to a value, with what was done on the way.

Each column is read by the rule of its type; equal texts are read once.
"""

import datetime as dt
import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal, Overflow
from typing import Any, NamedTuple
from unicodedata import is_normalized

import numpy as np
import pandas as pd

from planlib.clean.words.forms import Column, Form, Unit
from planlib.clean.words.writing import (
    Written,
    code,
    compact,
    era_year,
    key,
    load_writing,
    may_be_two,
    tidy,
    ungrouped,
    written,
)

# Above this a float no longer holds every whole number: a code of 16 digits stored as a number has lost digits.
_EXACT = 2.0**53
_LAST_BITS = 1e-12
_YEAR = re.compile(r"(\d{4})(?:\D.*)?")
_DAY = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_FIRST_DAYS = (dt.date(1899, 12, 30), dt.date(1904, 1, 1))  # day 0 of a workbook, and of those begun on a Mac
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")


class Reading(NamedTuple):
    """A cell read: its text as it stands, the value (number or text), what was done, and how it went.

    `state` is ``value``, ``blank``, ``not_applicable`` or ``unreadable``; `step` then says what was expected.
    """

    raw: str
    number: float
    text: str
    step: str
    state: str


_NAN = float("nan")


def raw_text(value: Any) -> str:
    """Return a stored cell as text, exactly enough to find it again.

    Examples
    --------
    >>> raw_text(12.0), raw_text(0.1), raw_text(True), raw_text(" 1,234 ")
    ('12', '0.1', 'TRUE', ' 1,234 ')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    return str(value)


def is_blank(value: Any) -> bool:
    """Tell whether a cell holds nothing a person can see."""
    # Most cells are empty, and most texts begin with a letter or digit: those need no second look.
    return value == "" or (isinstance(value, str) and not value[:1].isalnum() and not compact(value))


def read_cells(values: Sequence[Any], column: Column, unit: Unit, form: Form) -> tuple[np.ndarray, list[Reading]]:
    """Read the cells of one column, equal ones once.

    Parameters
    ----------
    values : sequence
        Cells as `planlib.clean.files.read` gives them.
    column : Column
        Its type says how.
    unit : Unit
        What one is in the sheet; numbers come out in the unit of ``fields.yml``.
    form : Form

    Returns
    -------
    (array of int, list of Reading)
        The number of each cell's reading, and the different readings.
    """
    codes, different = numbered(values)
    return codes, [read_cell(value, column, unit, form) for value in different]


def numbered(values: Sequence[Any]) -> tuple[np.ndarray, list[Any]]:
    """Return the number of each value among the different ones, and those in the order in which they come.

    Examples
    --------
    >>> codes, different = numbered(["a", "b", "a", 1.0, True])
    >>> codes.tolist(), different
    ([0, 1, 0, 2, 3], ['a', 'b', 1.0, True])
    """
    types = set(map(type, values))
    if types == {float}:
        codes, floats = pd.factorize(np.array(values), use_na_sentinel=False)
        return codes, floats.tolist()
    # 1, 1.0 and True are equal and yet not the same cell
    keys = values if len(types) == 1 else list(zip(map(type, values), values, strict=True))
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    codes = np.fromiter(map(places.__getitem__, keys), dtype="int64", count=len(keys))
    return codes, list(places) if keys is values else [value for _, value in places]


def read_cell(value: Any, column: Column, unit: Unit, form: Form) -> Reading:
    """Read one cell by the rule of its column's type."""
    if column.type == "text" and _is_plain(value, column, form):
        return Reading(value, _NAN, value, "text", "value")
    raw = raw_text(value)
    plain = compact(raw)
    if not plain:
        return Reading(raw, _NAN, "", "", "blank")
    if plain in form.not_applicable:
        return Reading(raw, _NAN, "", f"{plain}: not applicable", "not_applicable")
    if column.type == "text":
        return _read_text(value, raw, plain, column)
    if column.type in ("code", "boolean"):
        return _read_code(raw, plain, column)
    if column.type == "year":
        return _read_year(value, raw, plain, column)
    return _read_number(value, raw, plain, column, unit, form)


def _is_plain(value: Any, column: Column, form: Form) -> bool:
    """Tell whether nothing is to be taken off a text, as off most codes and names, and it says what it says."""
    if value.__class__ is not str or not value.isalnum() or value in form.not_applicable:
        return False
    is_code = column.name.endswith("_id")
    return is_normalized("NFKC", value) and not (is_code and _SCIENTIFIC.fullmatch(value))


def _read_text(value: Any, raw: str, plain: str, column: Column) -> Reading:
    is_code = column.name.endswith("_id")
    if (isinstance(value, float) and abs(value) >= _EXACT) or (is_code and _SCIENTIFIC.fullmatch(plain)):
        return _unreadable(raw, "a code stored as text (as a number it has lost its last digits)")
    # Codes are compared, so they lose every space; names keep what a person reads.
    text = code(raw) if is_code else tidy(raw)
    if is_code and text != plain:
        return Reading(raw, _NAN, text, "text, signs around the code removed", "value")
    return Reading(raw, _NAN, text, "text" if text == raw else "text, spaces removed", "value")


def _read_code(raw: str, plain: str, column: Column) -> Reading:
    if column.type == "boolean" and plain in ("TRUE", "FALSE"):
        return Reading(raw, float(plain == "TRUE"), "", "true or false", "value")
    known = {key(text): value for text, value in column.codes.items()}
    # National forms write the number of a code beside its word: 211小学.
    word = next((w for w in (key(plain), key(plain.strip("0123456789-.:"))) if w in known), "")
    if not word:
        return _unreadable(raw, f"one of {', '.join(column.codes)}")
    if column.type == "boolean":
        return Reading(raw, float(known[word]), "", f"{plain} → {str(known[word]).lower()}", "value")
    return Reading(raw, _NAN, str(known[word]), f"{plain} → {known[word]}", "value")


def _read_year(value: Any, raw: str, plain: str, column: Column) -> Reading:
    era = era_year(plain)
    if era:
        return _unreadable(raw, era_advice(*era))
    found = _YEAR.fullmatch(key(plain))
    if not found or (isinstance(value, float) and not value.is_integer()):
        return _unreadable(raw, "a year of four digits")
    if not column.low <= float(found[1]) <= column.high:
        return _unreadable(raw, f"a year {_bounds(column)}")
    shown = _shown_as_day(plain, column)
    if shown:
        return _unreadable(
            raw, f"a year of four digits: {shown} in a cell with the format of a date looks like that day"
        )
    return Reading(raw, float(found[1]), "", "year" if plain == found[1] else "year of the date", "value")


def _shown_as_day(plain: str, column: Column) -> int:
    """Return the year that a spreadsheet would show as this day, were its cell formatted as one; 0 if it is none.

    1988 is the 1988th day from the end of 1899: 1905-06-10.
    """
    found = _DAY.match(plain)
    try:
        day = dt.date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return 0
    numbers = [(day - first).days for first in _FIRST_DAYS] if day else []
    return next((number for number in numbers if column.low <= number <= column.high), 0)


def era_advice(found: str, year: int) -> str:
    """Say what to write in the place of a year of an era.

    Examples
    --------
    >>> era_advice("民国109", 2020)
    'a year of four digits: 民国109 would be 2020, write 2020 if that is meant'
    """
    return f"a year of four digits: {found} would be {year}, write {year} if that is meant"


def _read_number(value: Any, raw: str, plain: str, column: Column, unit: Unit, form: Form) -> Reading:
    kind = _kind(column)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        whole = round(value) if column.type == "count" and abs(value) < _EXACT else value
        # a sum of shares that a formula made is whole but for the last bits of a float
        is_whole = whole != value and math.isclose(whole, value, rel_tol=_LAST_BITS)
        digits, factor = repr(whole if is_whole else value), unit
        step = "number, rounded" if is_whole else "number"
    elif isinstance(value, str) and may_be_two(value):
        return _unreadable(raw, f"{kind}; a space or a sign between the digits may make two of it: write one")
    elif isinstance(value, str) and (found := written(plain)):
        refused = _refused(found, column, unit, form)
        if refused:
            return _unreadable(raw, kind + refused)
        digits, step, factor = found.digits, number_step(value), _unit_of(found.word, unit, form) or unit
    else:  # a date or a truth value is no number, whatever Excel stores beneath
        return _unreadable(raw, kind)
    number = scaled(digits, factor.factor)
    wanted = number_wanted(number, column)
    if wanted:
        return _unreadable(raw, wanted)
    return Reading(raw, number, "", step + unit_step(factor), "value")


def number_step(text: str) -> str:
    r"""Return how a text becomes a number, for the birthplace of a value.

    Examples
    --------
    >>> number_step("1,234"), number_step("1\u00a0234")
    ('text → number', 'text → number, digits grouped by hard spaces')
    """
    is_grouped = tidy(ungrouped(text)) != tidy(text)
    return "text → number" + (", digits grouped by hard spaces" if is_grouped else "")


def _kind(column: Column) -> str:
    return "a whole number" if column.type == "count" else "a number"


def number_wanted(number: float, column: Column) -> str:
    """Say what a column wants in the place of a number, or return ``""`` if it can be one of its figures."""
    if not column.low <= number <= column.high or (column.type != "quantity" and not number.is_integer()):
        return f"{_kind(column)} {_bounds(column)}"
    return f"{_kind(column)} below {_EXACT:.0f}" if number >= _EXACT else ""


def _refused(found: Written, column: Column, unit: Unit, form: Form) -> str:
    """Say why a number as written is no figure of a column, or return ``""``."""
    if found.relation not in ("", "="):
        return f"; {found.relation} makes it a bound: write the figure, or give the bound in observations.csv"
    if found.word in load_writing().shares:
        return f"; {found.word} makes it a share: write the figure it is a share of"
    if found.word and _unit_of(found.word, unit, form) is None:
        is_unit = key(found.word) in form.units
        return (
            f" in a unit of {column.unit.measures}"
            if is_unit
            else f"; {found.word} is no unit: write the figure alone"
        )
    return ""


def _unit_of(word: str, unit: Unit, form: Form) -> Unit | None:
    """Return the unit that a word after a number gives to it (its column's unit is `unit`), or None.

    万 alone multiplies the column's unit without its own 万: in a column of 万元 it is that unit itself.
    """
    own = form.units.get(key(word))
    if own:
        # Things counted are not each other: 12人 are no 12册.
        is_same = own.text == unit.text if own.measures == "count" else own.measures == unit.measures
        return own if is_same else None
    scales = load_writing().scales
    own_scale = next((scale for scale in scales if unit.text.startswith(scale)), "")
    base = form.units.get(unit.text.removeprefix(own_scale), unit)
    for scale, factor in scales.items():
        rest = form.units.get(word.removeprefix(scale)) if word != scale else base
        if word.startswith(scale) and rest and rest.measures == unit.measures:
            return Unit(word, rest.measures, rest.factor * factor)
    return None


def _bounds(column: Column) -> str:
    return f"of at least {column.low:g}" if column.high == math.inf else f"from {column.low:g} to {column.high:g}"


def unit_step(unit: Unit) -> str:
    """Return how a unit changes a number, for the birthplace of a value.

    Examples
    --------
    >>> unit_step(Unit("万元", "yuan", 10000))
    ', × 10000 (万元 → yuan)'
    """
    return "" if unit.factor == 1 else f", × {unit.factor:.10g} ({unit.text} → {unit.measures})"


def steps_of(steps: Iterable[str]) -> str:
    """Return the steps of several cells that are added up as one text: what is done to any of them is said.

    Examples
    --------
    >>> steps_of(["number", "number; read as 80", "number"])
    'number; read as 80'
    """
    said = ""
    for step in dict.fromkeys(steps):
        if not f"{said}; ".startswith(f"{step}; "):
            said = step if f"{step}; ".startswith(f"{said}; ") or not said else f"{said}; {step}"
    return said


def scaled(digits: str, factor: float) -> float:
    """Return digits times a factor, exactly as decimals, no hair more; beyond every float it is infinite.

    Examples
    --------
    >>> scaled("12.34", 10000.0), scaled("1e9999999", 10000.0)
    (123400.0, inf)
    """
    if factor == 1:
        return float(digits)
    try:
        return float(Decimal(digits) * Decimal(repr(factor)))
    except Overflow:
        return math.copysign(math.inf, float(digits))


def _unreadable(raw: str, expected: str) -> Reading:
    return Reading(raw, _NAN, "", expected, "unreadable")

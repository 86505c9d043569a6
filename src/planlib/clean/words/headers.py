"""The headers of the CSV files that a district brings: which column each names, in which unit its figures stand."""

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from planlib import schema
from planlib.clean.issues import Issue
from planlib.clean.words.forms import (
    Form,
    Unit,
    is_no_unit,
    is_other_figure,
    load_form,
    measured,
    read_definition,
    split_header,
    stated_units,
    strange_units,
)
from planlib.clean.words.writing import compact, figure, key, tidy
from planlib.paths import DEFINITIONS

_BORN = ("file", "line")  # of a row, not of the file
_NUMBERS = ("integer", "number")
Texts = Mapping[str, Mapping[str, str]]
"""Of each table the column that a comparable text names."""


class Head(NamedTuple):
    """One header: its text, the column it names (``""`` for none), the unit that its bracket says or its column has."""

    text: str
    column: str
    unit: Unit


def wanted(table: str) -> list[str]:
    """Return the columns that the CSV file of a table has.

    Examples
    --------
    >>> wanted("births")
    ['area', 'year', 'births']
    """
    return [name for name in schema.TABLES[table].columns if name not in _BORN]


def column_of(table: str, text: Any) -> str:
    """Return the column of a table that a header names, or ``""``.

    Parameters
    ----------
    table : str
        A collected one of `planlib.schema.TABLES`.
    text : any
        As it stands in the file.

    Examples
    --------
    >>> column_of("births", "年份"), column_of("births", "户籍出生人数（人）"), column_of("births", "births")
    ('year', 'births', 'births')
    >>> column_of("births", "备注"), column_of("births", "出生人数（女）")
    ('', '')
    """
    named, form = _texts()[table], load_form()
    plain, (short, bracket) = key(str(text)), form.split(text)
    column = named.get(plain) or named.get(short, "")
    if plain in named or not column or not bracket or bracket in form.units:
        return column
    unit = schema.fields()[column].unit
    return "" if unit and is_other_figure(short, bracket, measured(column) == "count", form) else column


def columns_of(table: str, texts: Sequence[str]) -> list[str]:
    """Return headers as the columns they name; one that names none stays as it is.

    Examples
    --------
    >>> columns_of("births", ["序号", "街道", "年份", "出生人数"])
    ['序号', 'area', 'year', 'births']
    """
    return [column_of(table, text) or text for text in texts]


def header_at(table: str, rows: Sequence[Sequence[str]]) -> int:
    """Return which record of a CSV file is its header: the first, or the first below titles that names columns.

    A title is one text alone in its record, as spreadsheets save it; a figure is none.

    Examples
    --------
    >>> header_at("births", [["出生人口表", "", ""], ["", "", ""], ["街道", "年份", "出生人数"], ["采荷", "2020", "5"]])
    2
    """
    for at, row in enumerate(rows):
        texts = [text for text in row if compact(text)]
        if len(texts) > 1:
            return at if any(column_of(table, text) for text in texts) else 0
        if any((found := figure(text)) and not found.word for text in texts):
            break
    return 0


def read_header(table: str, texts: Sequence[str], titles: Iterable[str] = ()) -> list[Head]:
    """Return what each header of a CSV file names; a unit that the titles above state holds where it says none.

    Examples
    --------
    >>> [read_header("projects", *file)[0].unit.text for file in ([["总投资（万元）"]], [["总投资"], ["单位：亿元"]])]
    ['万元', '亿元']
    """
    stated = stated_units(titles, load_form())
    return [_head(table, text, stated) for text in texts]


def _head(table: str, text: str, stated: Mapping[str, Sequence[Unit]]) -> Head:
    column = column_of(table, text)
    own = Unit("", measured(column) if column else "", 1.0)
    unit = load_form().units.get(load_form().split(text)[1])
    if unit and column and unit.measures == own.measures:
        return Head(text, column, unit)
    above = stated.get(own.measures, ()) if own.measures != "count" else ()
    return Head(text, column, above[0] if above else own)


def unit_of(heads: Sequence[Head], row: Sequence[str], column: str) -> Unit:
    """Return the unit of a figure in a line: that of its header, or of the line's own column of units.

    Examples
    --------
    >>> heads = read_header("finance", ["项目", "年份", "金额", "单位"])
    >>> unit_of(heads, ["教育经费支出", "2020", "20.36", "亿元"], "value").text
    '亿元'
    """
    said = [text for head, text in zip(heads, row, strict=False) if head.column == "unit" and column == "value"]
    units = [unit for text in said if (unit := load_form().units.get(key(text)))]
    units += [head.unit for head in heads if head.column == column]
    return units[0] if units else Unit("", "", 1.0)


def title_faults(table: str, titles: Sequence[tuple[int, str]], heads: Sequence[Head]) -> Iterator[Issue]:
    """Yield an error for each title whose unit nobody knows, is of no column, or is one of two for the same column.

    Parameters
    ----------
    table : str
    titles : sequence of (int, str)
        The texts above the header, each with its line.
    heads : sequence of Head
    """
    form = load_form()
    for line, text in titles:
        stated = [unit for units in stated_units([text], form).values() for unit in units]
        is_hidden = any(u.factor != 1 and word in key(text) for word, u in form.units.items()) and not stated
        if strange_units(text, form) or is_hidden:
            expected = f"one of {', '.join(unit.text for unit in form.units.values())}"
        elif any(not _takes(unit, heads) for unit in stated):
            expected = "a title without a unit"
        else:
            continue
        yield Issue("error", "unit", f"{table}.csv", cell=f"line {line}", found=tidy(text), expected=expected)
    every = stated_units([text for _, text in titles], form)
    for head in heads:
        above = every.get(head.unit.measures, [])
        if len(above) > 1 and head.unit.text and form.split(head.text)[1] not in form.units:
            found = f"{tidy(head.text)}: {' and '.join(unit.text for unit in above)} above"
            yield Issue("error", "unit", f"{table}.csv", found=found, expected="the unit in the header's bracket")


def _takes(unit: Unit, heads: Sequence[Head]) -> bool:
    """Tell whether a unit can be that of a column: one of money also where each line says its own."""
    names = [head.column for head in heads if head.column]
    return (unit.measures == "yuan" and "unit" in names) or any(
        schema.fields()[name].unit and measured(name) == unit.measures for name in names
    )


def header_faults(table: str, heads: Sequence[Head], empty: Sequence[bool], line: int = 1) -> Iterator[Issue]:
    """Yield an error where columns are absent, unknown or named twice, and where a header's unit is not its column's.

    Parameters
    ----------
    table : str
    heads : sequence of Head
    empty : sequence of bool
        Whether no cell stands under each header.
    line : int
        Of the header in the file.
    """
    needed, file = wanted(table), f"{table}.csv"
    count = Counter(head.column for head in heads)
    absent = [name for name in needed if not count[name]]
    unknown = [tidy(head.text) for head, is_empty in zip(heads, empty, strict=True) if _is_unknown(head, is_empty)]
    twice = [tidy(head.text) for name in needed if count[name] > 1 for head in heads if head.column == name]
    strangers = dict.fromkeys(unknown + twice)
    if absent or strangers:
        said = [
            f"without {', '.join(absent)}" if absent else "",
            f"unknown or twice: {', '.join(strangers)}" if strangers else "",
        ]
        found = "; ".join(filter(None, said))
        yield Issue("error", "header row", file, cell=f"line {line}", found=found, expected=",".join(needed))
    for head in heads:
        if head.column and not _fits(head, load_form()):
            known = [u.text for u in load_form().units.values() if u.measures == measured(head.column)]
            has_unit = bool(schema.fields()[head.column].unit)
            expected = f"one of {', '.join(known)}" if has_unit else "a header without a unit"
            yield Issue("error", "unit", file, cell=f"line {line}", found=tidy(head.text), expected=expected)


def _is_unknown(head: Head, is_empty: bool) -> bool:
    is_left_out = load_form().split(head.text)[0] in load_form().ignored
    return not head.column and not is_left_out and not (is_empty and not compact(head.text))


def _fits(head: Head, form: Form) -> bool:
    """Tell whether a header's bracket is a unit of its column, or a mere remark."""
    bracket = form.split(head.text)[1]
    if not bracket or key(head.text) in _texts_as_written():
        return True
    field = schema.fields()[head.column]
    if field.type not in _NUMBERS:
        return True
    if bracket in form.units:
        return bool(field.unit) and form.units[bracket].measures == measured(head.column)
    return is_no_unit(bracket, measured(head.column) != "count", form)


@functools.lru_cache(maxsize=1)
def _texts() -> Texts:
    return load_headers()


@functools.lru_cache(maxsize=1)
def _texts_as_written() -> frozenset[str]:
    return frozenset(text for named in _texts().values() for text in named if text.endswith(")"))


def load_headers(path: Path = DEFINITIONS / "forms" / "tables.yml") -> Texts:
    """Read what headers may say.

    Returns
    -------
    mapping of mapping
        Of each collected table the column that each comparable text names.

    Raises
    ------
    RegistryError
        If the file cannot be read, names a table or column that is not collected, or a text names two columns of one
        table. All faults at once.

    Examples
    --------
    >>> load_headers()["enrolment"]["学年"]
    'year'
    """
    return read_definition(path, _faults, lambda entries: {t: dict(_pairs(t, entries)) for t in _collected()})


def _collected() -> list[str]:
    return [name for name, table in schema.TABLES.items() if table.is_collected]


def _pairs(table: str, entries: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every text that names a column of a table, as written and without its bracket."""
    form = load_form()
    for name in wanted(table):
        of_returns = form.columns[name].headers if name in form.columns else ()
        own = (*entries["columns"].get(name, ()), *entries["tables"].get(table, {}).get(name, ()))
        for text in (name, schema.label(name, "zh"), *of_returns, *own):
            yield from ((plain, name) for plain in {key(text), split_header(key(text), form.prefixes)[0]})


def _faults(entries: Mapping[str, Any]) -> Iterator[str]:
    every = {name for table in _collected() for name in wanted(table)}
    yield from (f"{name}: no column of a collected table" for name in entries["columns"] if name not in every)
    for table, columns in entries["tables"].items():
        known = wanted(table) if table in _collected() else []
        yield from (f"{table}: {name} is no column that it brings" for name in columns if name not in known)
    for table in _collected():
        owners: dict[str, str] = {}
        for text, name in _pairs(table, entries):
            if owners.setdefault(text, name) != name:
                yield f"{table}: {text} names {owners[text]} and {name}"

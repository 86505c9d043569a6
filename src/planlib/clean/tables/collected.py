"""The CSV files that a district brings to typed tables."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from planlib import schema
from planlib.clean.files.read import read_csv
from planlib.clean.issues import Issue, foreign_encoding
from planlib.clean.values.correct import Corrections, correct_lines
from planlib.clean.words.convert import era_advice, scaled
from planlib.clean.words.forms import Unit, load_form, stated_units
from planlib.clean.words.headers import Head, header_at, header_faults, read_header, title_faults
from planlib.clean.words.writing import (
    code,
    codes,
    compact,
    era_year,
    figure,
    key,
    load_writing,
    may_be_two,
    tidy,
)
from planlib.errors import DataError

_SCHOOL_YEAR = re.compile(r"(\d{4})(?:[^\d.](\d{4}))?\D{0,3}")
_DAY = re.compile(r"(\d{4})[-/.\u5e74](\d{1,2})[-/.\u6708](\d{1,2})\u65e5?")  # 2020年6月3日
_FAULT = re.compile(r"(?:\S+ line (\d+): )?(.*?)(?:, expected (.*?))?( \([^()]*\))?")


def collected_table(
    name: str, content: bytes, corrections: Corrections
) -> tuple[pd.DataFrame | None, list[Issue], Mapping[str, int]]:
    """Return a CSV file that a district brings as its typed table.

    Parameters
    ----------
    name : str
        Table; the file is ``<name>.csv``.
    content : bytes
    corrections : Corrections

    Returns
    -------
    (DataFrame or None, list of Issue, mapping)
        The table (None if it has faults), the issues, and how many cells of each kind hold something.
    """
    file = f"{name}.csv"
    try:
        rows, lines, encoding = read_csv(content)
    except DataError as error:
        return None, [Issue("error", "unreadable file", file, found=str(error))], {}
    issues = [] if encoding.startswith("UTF-8") else [foreign_encoding(file, encoding)]
    top = header_at(name, rows)
    titles = [
        (line, tidy(text)) for row, line in zip(rows[:top], lines, strict=False) for text in row if compact(text)
    ]
    rows, lines = rows[top:], lines[top:]
    heads = read_header(name, rows[0] if rows else [], [text for _, text in titles])
    cells = {**_counted(heads, rows), "title": len(titles)}
    bare = [not any(compact(cell) for row in rows[1:] for cell in row[at : at + 1]) for at in range(len(heads))]
    faults = list(header_faults(name, heads, bare, lines[0] if lines else 1))
    faults = faults or _width_faults(file, rows, lines)
    faults += title_faults(name, titles, heads)
    if faults:
        return None, issues + faults, cells
    frame = _frame(heads, rows, lines, file)
    frame, corrected = correct_lines(frame, file, corrections)
    issues += corrected
    issues += (wrong := [*_eras(frame, file), *_totals(frame, file)])
    if any(issue.level == "error" for issue in corrected + wrong):
        return None, issues, cells
    stated = stated_units([text for _, text in titles], load_form()).get("yuan", [])
    issues += (strange := list(_units(frame, file, stated)))
    try:
        made = schema.conform(_typed(frame, heads), name)
        return None if strange else made, issues, cells
    except DataError as error:
        said = [line.strip() for line in str(error).splitlines()[1:] if not line.startswith("To do")]
        return None, issues + [_of_table(file, line) for line in said], cells


def _of_table(file: str, said: str) -> Issue:
    """Return a fault that the schema found, with its line apart."""
    found = _FAULT.fullmatch(said)
    line, what, expected, key = found.groups(default="") if found else ("", said, "", "")
    return Issue("error", "table", file, cell=f"line {line}" if line else "", found=what + key, expected=expected)


def _counted(heads: Sequence[Head], rows: Sequence[Sequence[str]]) -> Mapping[str, int]:
    """Return how many cells hold something: headers, values, and those of columns that are left out."""
    held = [
        (head, sum(bool(compact(row[at])) for row in rows[1:] if at < len(row))) for at, head in enumerate(heads)
    ]
    return {
        "header": sum(bool(compact(head.text)) for head in heads),
        "value": sum(count for head, count in held if head.column),
        "ignored": sum(count for head, count in held if not head.column),
    }


def _width_faults(file: str, rows: list[list[str]], lines: list[int]) -> list[Issue]:
    width = len(rows[0]) if rows else 0
    return [
        Issue("error", "table", file, cell=f"line {line}", found=f"{len(row)} cells", expected=f"{width} cells")
        for row, line in zip(rows, lines, strict=True)
        if len(row) != width and any(compact(cell) for cell in row)
    ]


def _frame(heads: Sequence[Head], rows: list[list[str]], lines: list[int], file: str) -> pd.DataFrame:
    """Return the lines that hold something as texts, by the columns that their headers name."""
    held = [(row, line) for row, line in zip(rows[1:], lines[1:], strict=True) if any(map(compact, row))]
    named = [at for at, head in enumerate(heads) if head.column]
    frame = pd.DataFrame(
        [[row[at] for at in named] for row, _ in held], columns=[heads[at].column for at in named], dtype="str"
    )
    return frame.assign(file=file, line=np.array([line for _, line in held], dtype="int64"))


def _eras(frame: pd.DataFrame, file: str) -> Iterator[Issue]:
    """Yield an error for each year of an era in a column of years or days."""
    dated = [name for name in frame.columns if name == "year" or schema.fields()[name].type == "date"]
    for name in dated:
        for text, line in zip(frame[name], frame["line"], strict=True):
            era = era_year(text)
            if era:
                yield Issue("error", "table", file, cell=f"line {line}", found=text, expected=era_advice(*era))


def _totals(frame: pd.DataFrame, file: str) -> Iterator[Issue]:
    """Yield an error for each line of a total: among the others it would count everything twice."""
    words, told = load_form().total_rows, set[int]()
    for name in [name for name in ("area", "school_id", "school_name") if name in frame.columns]:
        totals = {
            text for text in frame[name].unique() if key(text).startswith(words) or key(text).endswith(words)
        }
        for text, line in zip(frame[name], frame["line"], strict=True) if totals else ():
            if text in totals and line not in told:
                told.add(line)
                expected = "no line of a total: drop it in corrections.yml"
                yield Issue(
                    "error", "table", file, cell=f"line {line}", found=f"{text}: a total", expected=expected
                )


def _units(frame: pd.DataFrame, file: str, stated: Sequence[Unit]) -> Iterator[Issue]:
    """Yield an error for each line whose unit is unknown, not the one stated above, or said twice: 1.2亿 of 万元."""
    money = [unit.text for unit in load_form().units.values() if unit.measures == "yuan"]
    known = ", ".join(dict.fromkeys([*money, *codes("unit")]))
    for row in frame.itertuples() if "unit" in frame.columns else ():
        at, written = {"cell": f"line {row.line}"}, figure(row.value)
        factor = _money(row.unit)
        if compact(row.unit) and factor is None:
            yield Issue("error", "unit", file, **at, found=tidy(row.unit), expected=f"one of {known}")
        elif factor not in (None, 1.0) and written and written.word:
            said = f"{tidy(row.value)}, {tidy(row.unit)}"
            yield Issue("error", "unit", file, **at, found=said, expected="the unit once, in its own column")
        elif stated and _is_money(row.unit) and factor not in [unit.factor for unit in stated]:
            said = f"{tidy(row.unit)}: {' and '.join(unit.text for unit in stated)} above"
            yield Issue("error", "unit", file, **at, found=said, expected="the same unit in the line and above")


def _is_money(unit: str) -> bool:
    """Tell whether a line's unit is one of money, not a share."""
    return bool(compact(unit)) and codes("unit").get(key(unit), key(unit)) != "percent"


def _money(unit: str) -> float | None:
    """Return how many yuan a unit is, 1 for another known one, None for an unknown one."""
    plain, known = key(unit), load_form().units.get(key(unit))
    if known and known.measures == "yuan":
        return known.factor
    return 1.0 if plain in codes("unit") or plain in codes("unit").values() else None


def _typed(frame: pd.DataFrame, heads: Sequence[Head]) -> pd.DataFrame:
    """Return texts tidied by the type of their column: plain digits, ISO dates, names without noise."""
    known, units = schema.fields(), {head.column: head.unit for head in heads}
    if {"relation", "value"} <= set(frame.columns):
        frame = _with_relations(frame)
    if "unit" in frame.columns:
        frame = _in_yuan(frame)
    tidied = {
        name: _tidied(frame[name], known[name], units[name])
        for name in frame.columns
        if name not in ("file", "line")
    }
    return frame.assign(**tidied)


def _in_yuan(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert the values of lines in 万元 or 亿元."""
    factors = [_money(unit) or 1.0 for unit in frame["unit"]]
    values = [
        # a bound (>92) stays as it is written: it is no figure, and refused as one
        repr(scaled(found.digits, factor))
        if factor != 1 and (found := figure(text)) and found.relation in ("", "=")
        else text
        for text, factor in zip(frame["value"], factors, strict=True)
    ]
    units = [unit if factor == 1 else "yuan" for unit, factor in zip(frame["unit"], factors, strict=True)]
    return frame.assign(value=values, unit=units)


def _with_relations(frame: pd.DataFrame) -> pd.DataFrame:
    """Move a relation before a value (``>92``) to its own column where that is empty or says the same.

    A share loses its sign: such a table holds percent (3‰ is 0.3).
    """
    words = load_writing()
    relations = [words.relations.get(compact(text), compact(text)) for text in frame["relation"]]
    values = []
    for place, text in enumerate(frame["value"]):
        found = figure(text)
        if (
            not found
            or found.word not in ("", *words.shares)
            or found.relation not in ("", relations[place] or found.relation)
        ):
            values.append(text)
            continue
        relations[place] = found.relation or relations[place]
        values.append(repr(scaled(found.digits, words.shares[found.word])) if found.word else found.digits)
    return frame.assign(relation=relations, value=values)


def _tidied(texts: pd.Series, field: schema.Field, unit: Unit) -> pd.Series:
    if field.type == "date":
        return _by_text(texts, _iso_date)
    if field.name == "year":
        return _by_text(texts, _year)
    if field.type == "string":
        known = codes(field.name)
        if known:
            return _by_text(texts, lambda text: known.get(key(text), compact(text)))
        return _by_text(texts, code if field.name.endswith("_id") else compact if field.values else tidy)
    return _by_text(texts, lambda text: _number(text, unit.factor))


def _by_text(texts: pd.Series, rule: Callable[[str], Any]) -> pd.Series:
    """Apply a rule once to each different text."""
    unique = {text: rule(text) for text in texts.unique()}
    return pd.Series([unique[text] for text in texts], index=texts.index, dtype=object)


def _number(text: str, factor: float = 1.0) -> float | str | None:
    """Return a number, None for a blank or a dash, or the text as it is: the schema then says what is wrong with it."""
    plain = compact(text)
    if not plain or plain in load_form().not_applicable:
        return None
    found = figure(text)
    scales = {"": 1.0, **load_writing().scales}
    is_twice = factor != 1 and found and found.word  # 1.2亿 in a column of 万元
    if not found or is_twice or found.relation not in ("", "=") or found.word not in scales:
        return text.strip() if may_be_two(text) else plain
    return scaled(found.digits, scales[found.word] * factor)


def _year(text: str) -> float | str | None:
    """Return the year a school year begins in: 2020/2021, 2020—2021学年, 二〇二〇学年."""
    found = _SCHOOL_YEAR.fullmatch(key(text))
    if found and (not found[2] or int(found[2]) == int(found[1]) + 1):
        return float(found[1])
    return _number(text)


def _iso_date(text: str) -> str:
    """Return a day as YYYY-MM-DD if it is written as year, month and day, else the text as it is."""
    plain = compact(text)
    found = _DAY.fullmatch(plain)
    return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}" if found else plain

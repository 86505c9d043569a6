"""A figure of a published report, found by what a reader says of it: table, row, column."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from typing import Any

from planlib.columns import Column, show
from planlib.errors import UsageError
from planlib.registry import LANGUAGES, label
from planlib.run.annex import Part, parts

_COMMA = re.compile(r"\s*[,，;；]\s*")
_VALUES = {"number", "percent", "figure"}


@dataclass(frozen=True)
class PublishedCell:
    """A cell of a table of a published report.

    Attributes
    ----------
    parameters : mapping
        What the report was made with: district, year, cutoff, language.
    report : str
    table : str
        Its number and caption.
    row : mapping
        Typed values of the row by column, with the keys that the reader does not see.
    column, header, shown : str
        The column, its header, and the text as printed.
    """

    parameters: Mapping[str, Any]
    report: str
    table: str
    row: Mapping[str, Any]
    column: str
    header: str
    shown: str


def find_cell(folder: Path, address: str) -> PublishedCell:
    """Return the cell that an address names in a report's folder.

    Parameters
    ----------
    folder : Path
        A run's folder below ``reports/``; of several languages the first is read.
    address : str
        Table, row and column, with commas: ``"table 3, row 小学, 2023"``. A table by number or by its caption, a row
        and a column by a word of theirs; a column also by number: ``column 4``.

    Raises
    ------
    UsageError
        If the folder is no report, or the address names nothing, or several cells: lists what there is.
    """
    manifest, notebook = _opened(folder)
    language = manifest["parameters"]["language"]
    tables = [part for part in parts(notebook, language) if part.kind == "table"]
    first, *words = _words(address) or [""]
    number, table = _table(tables, first)
    is_row = re.compile(rf"^(?:{_called('row')})\b[\s:]*", re.IGNORECASE)
    row, at = _place(table, [is_row.sub("", word) for word in words], language, f"table {number}, {table.title}")
    column = table.data["columns"][at]
    keys = {key: values[row] for key, values in table.data["keys"].items()}
    values = {c["name"]: v for c, v in zip(table.data["columns"], table.data["rows"][row], strict=True)}
    return PublishedCell(
        manifest["parameters"], manifest["report"], f"{number} {table.title}", {**keys, **values}, column["name"],
        column["header"], _text(table.data, row, at, language),
    )  # fmt: skip


def _words(address: str) -> list[str]:
    return [word for word in _COMMA.split(address.strip()) if word]


def _opened(folder: Path) -> tuple[dict[str, Any], Any]:
    import nbformat

    found = sorted(folder.glob("*.ipynb"))
    if not (folder / "run.json").is_file() or not found:
        runs = sorted(path.parent for path in folder.rglob("run.json")) if folder.is_dir() else []
        there = f"There is: {', '.join(map(str, runs[-5:]))}.\n" if runs else ""
        raise UsageError(
            f"{folder} is no folder of a published report: it has no run.json with a notebook.\n{there}"
            "To do: name reports/<district>/<report>-<year>/<run id>."
        )
    return json.loads((folder / "run.json").read_text(encoding="utf-8")), nbformat.read(found[0], as_version=4)


def _called(code: str) -> str:
    """Return how people call a table, a row or a column, in either language."""
    return "|".join(label(code, language, "address") for language in LANGUAGES)


def _table(tables: list[Part], word: str) -> tuple[int, Part]:
    if re.fullmatch(rf"(?:{_called('figure')})\s*\d+", word, re.IGNORECASE):
        raise UsageError(
            f"{word!r} is a figure; only cells of tables can be traced.\n"
            "To do: see the figure's data in the Excel annex of the report, and trace a cell of a table of its chapter."
        )
    numbered = re.fullmatch(rf"(?:{_called('table')})\s*(\d+)", word, re.IGNORECASE)
    chosen = [
        (number, part)
        for number, part in enumerate(tables, 1)
        if (number == int(numbered[1]) if numbered else word in part.title)
    ]
    if len(chosen) != 1:
        there = "\n".join(f"  table {number}: {part.title}" for number, part in enumerate(tables, 1))
        raise UsageError(
            f"{len(chosen) or 'No'} tables are called {word!r}. There are:\n{there}\n"
            "To do: name one by its number or its caption."
        )
    return chosen[0]


def _text(data: Mapping[str, Any], row: int, at: int, language: str) -> str:
    """Return a cell as the report prints it."""
    column = data["columns"][at]
    if column["name"] in data["shown"]:
        return str(data["shown"][column["name"]][row])
    about = Column(column["name"], column["header"], column["form"], column["decimals"])
    return show(data["rows"][row][at], about, language)


def _place(table: Part, words: list[str], language: str, called: str) -> tuple[int, int]:
    """Return the row and column that the words name, each word either a row or a column."""
    data = table.data
    heads = [[column["header"], column["name"]] for column in data["columns"]]
    names = [_names(data, row, language) for row in range(len(data["rows"]))]
    found = _matching(words, names, heads)
    if len(found) == 1:
        return found[0]
    rows = "; ".join(" · ".join(dict.fromkeys(texts[:3])) for texts in names[:40])
    said = [head for head, _ in heads]
    columns = "; ".join(f"{h} (column {n})" if said.count(h) > 1 else h for n, h in enumerate(said, 1))
    raise UsageError(
        f"{len(found) or 'No'} cells of {called} are called {', '.join(words) or 'so'}.\nRows: {rows}\n"
        f"Columns: {columns}\nTo do: name one row and one column, for example "
        f'"{called.split(",")[0]}, {_example(names, heads, found)}".'
    )


def _matching(words: list[str], names: list[list[str]], heads: list[list[str]]) -> list[tuple[int, int]]:
    """Return the cells that the words name: as whole words, or else as parts of words; columns by number too."""
    by_number = [re.fullmatch(rf"(?:{_called('column')})\s*(\d+)", word, re.IGNORECASE) for word in words]
    wanted = {int(found[1]) - 1 for found in by_number if found}
    rest = [word for word, found in zip(words, by_number, strict=True) if not found]
    for holds in (_is_word, _is_part):
        found = [
            (row, at)
            for row in range(len(names))
            for at in range(len(heads))
            if all(holds(word, names[row]) or holds(word, heads[at]) for word in rest)
            and (wanted == {at} if wanted else any(holds(word, heads[at]) for word in rest))
        ]
        if found:
            return found
    return []


def _example(names: list[list[str]], heads: list[list[str]], found: list[tuple[int, int]]) -> str:
    """Return words that name exactly one cell, one of those found if possible."""
    others = ((row, at) for row in range(len(names)) for at in reversed(range(len(heads))))
    for row, at in chain(found, others):
        for name, column in product((*names[row], ", ".join(names[row])), (heads[at][0], f"column {at + 1}")):
            if _matching([*_words(name), *_words(column)], names, heads) == [(row, at)]:
                return f"row {name}, {column}"
    return "row …, column …"


def _names(data: Mapping[str, Any], row: int, language: str) -> list[str]:
    """Return the texts that name a row: its words, not its figures, and its keys."""
    said = [_text(data, row, at, language) for at, c in enumerate(data["columns"]) if c["form"] not in _VALUES]
    return said + [str(values[row]) for values in data["keys"].values()]


def _is_word(word: str, texts: list[str]) -> bool:
    return any(word == text or word in text.split() for text in texts)


def _is_part(word: str, texts: list[str]) -> bool:
    return all(any(part in text for text in texts) for part in word.split())

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
from planlib.run.manifest import run_folder
from planlib.run.page import Part, parts

_COMMA = re.compile(r"\s*[,，;；]\s*")
_VALUES = {"number", "percent", "figure"}


@dataclass(frozen=True)
class PublishedCell:
    """A cell of a table of a published report, or of the values behind a figure.

    Attributes
    ----------
    manifest : mapping
        Of the run: ``report``, ``parameters``, ``input_files``.
    table : str
        Number and caption of the table or figure.
    row : mapping
        Typed values of the row by column, with the keys that the reader does not see.
    column, header, shown : str
        The column, its header, and the text as printed.
    """

    manifest: Mapping[str, Any]
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
        A run's folder below ``reports/``, or the folder above it for the latest run.
    address : str
        Table or figure, row and column, with commas: ``"table 3, row 小学, 2023"``. A table or figure by number or by
        its caption, a row and a column by a word of theirs; a column also by number: ``column 4``. Of a figure the
        values it was drawn from are meant.

    Raises
    ------
    UsageError
        If the folder is no report, or the address names nothing, or several cells: lists what there is.
    """
    manifest, notebook = _opened(folder)
    language = manifest["parameters"]["language"]
    first, *words = _words(address) or [""]
    part = _part(parts(notebook, language), first, address, language)
    is_row = re.compile(rf"^(?:{_called('row')})\b[\s:]*", re.IGNORECASE)
    row, at = _place(part, [is_row.sub("", word) for word in words], language)
    column = part.data["columns"][at]
    keys = {key: values[row] for key, values in part.data.get("keys", {}).items()}
    values = {c["name"]: v for c, v in zip(part.data["columns"], part.data["rows"][row], strict=True)}
    return PublishedCell(
        manifest, part.headed(language), {**keys, **values}, column["name"],
        column["header"], _text(part.data, row, at, language),
    )  # fmt: skip


def _words(address: str) -> list[str]:
    return [word for word in _COMMA.split(address.strip()) if word]


def _opened(folder: Path) -> tuple[dict[str, Any], Any]:
    import nbformat

    folder = run_folder(folder)
    found = sorted(folder.glob("*.ipynb"))
    if not (folder / "run.json").is_file() or not found:
        runs = sorted(path.parent for path in folder.rglob("run.json")) if folder.is_dir() else []
        there = f"There is: {', '.join(map(str, runs[-5:]))}.\n" if runs else ""
        raise UsageError(
            f"{folder} is no folder of a published report: it has no run.json with a notebook.\n{there}"
            "To do: name reports/<district>/<report>-<year>/<run id>, or the folder above for the latest run."
        )
    return json.loads((folder / "run.json").read_text(encoding="utf-8")), nbformat.read(found[0], as_version=4)


def _called(code: str) -> str:
    """Return how people call a table, a row or a column, in either language."""
    return "|".join(label(code, language, "address") for language in LANGUAGES)


def _part(found: list[Part], word: str, address: str, language: str) -> Part:
    """Return the table or figure that a word names: by kind and number, the caption after it or not, or by caption."""
    kinds = "|".join(f"(?P<{kind}>{_called(kind)})" for kind in ("table", "figure"))
    numbered = re.match(rf"(?:{kinds})\s*(?P<number>\d+)(?=\W|$)", word, re.IGNORECASE)
    if numbered:
        kind = "table" if numbered["table"] else "figure"
        chosen = [part for part in found if part.kind == kind and part.number == int(numbered["number"])]
    else:
        named = [part for part in found if word and word in part.caption]
        # a table and a figure may share their words: people who do not say which mean the table
        chosen = [part for part in named if part.kind == "table"] or named
    if len(chosen) == 1:
        return chosen[0]
    printing = [] if numbered or chosen else _printing(found, address.strip(), language)
    if printing:
        raise UsageError(
            f"{address!r} is a number in a text; only values of tables and figures can be traced.\n"
            f"It is also printed in:\n{chr(10).join(printing)}\nTo do: trace the one the text speaks of."
        )
    there = "\n".join(f"  {part.kind} {part.number}: {part.caption}" for part in found)
    raise UsageError(
        f"{len(chosen) or 'No'} tables or figures are called {word!r}. There are:\n{there}\n"
        "To do: name one by its number or its caption. A number in a sentence stands in a table or figure of its "
        "chapter, too: give the number alone to see where."
    )


def _printing(found: list[Part], number: str, language: str) -> list[str]:
    """Return addresses of the cells that print a number, ten at most: a sentence's number stands in them, too."""
    if not re.search(r"\d", number):
        return []
    whole = re.compile(rf"(?<![\d.,]){re.escape(number)}(?![\d]|[.,]\d)")
    lines = []
    for part in found:
        names, heads = _named(part, language)
        cells = [
            (row, at)
            for row in range(len(names))
            for at, column in enumerate(part.data["columns"])
            if column["form"] in _VALUES and whole.search(_text(part.data, row, at, language))
        ]
        lines += [f'  "{part.kind} {part.number}, {_example(names, heads, [cell])}"' for cell in cells[:3]]
    return lines[:10]


def _named(part: Part, language: str) -> tuple[list[list[str]], list[list[str]]]:
    """Return the texts that name each row and each column."""
    rows = [_names(part.data, row, language) for row in range(len(part.data["rows"]))]
    return rows, [[column["header"], column["name"]] for column in part.data["columns"]]


def _text(data: Mapping[str, Any], row: int, at: int, language: str) -> str:
    """Return a cell as the report prints it."""
    column = data["columns"][at]
    if column["name"] in data.get("shown", {}):
        return str(data["shown"][column["name"]][row])
    about = Column(column["name"], column["header"], column["form"], column["decimals"])
    return show(data["rows"][row][at], about, language)


def _place(part: Part, words: list[str], language: str) -> tuple[int, int]:
    """Return the row and column that the words name, each word either a row or a column."""
    called = f"{part.kind} {part.number}"
    names, heads = _named(part, language)
    found = _matching(words, names, heads)
    if len(found) == 1:
        return found[0]
    rows = "; ".join(" · ".join(dict.fromkeys(texts[:3])) for texts in names[:40])
    said = [head for head, _ in heads]
    columns = "; ".join(f"{h} (column {n})" if said.count(h) > 1 else h for n, h in enumerate(said, 1))
    raise UsageError(
        f"{len(found) or 'No'} cells of {called}, {part.caption} are called {', '.join(words) or 'so'}.\nRows: {rows}\n"
        f"Columns: {columns}\nTo do: name one row and one column, for example "
        f'"{called}, {_example(names, heads, found)}".'
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
    """Return the texts that name a row: its words, not its figures, their codes, and its keys."""
    named = [at for at, column in enumerate(data["columns"]) if column["form"] not in _VALUES]
    named = [at for at in named if data["rows"][row][at] not in (None, "")]
    said = [_text(data, row, at, language) for at in named] + [str(data["rows"][row][at]) for at in named]
    return [*dict.fromkeys(said)] + [str(values[row]) for values in data.get("keys", {}).values()]


def _is_word(word: str, texts: list[str]) -> bool:
    return any(word == text or word in text.split() for text in texts)


def _is_part(word: str, texts: list[str]) -> bool:
    return all(any(part in text for text in texts) for part in word.split())

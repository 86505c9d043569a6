"""A figure of a published report, found by what a reader says of it: table, row, column."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

from planlib.columns import Column, show
from planlib.errors import UsageError
from planlib.registry import LANGUAGES, label
from planlib.run.manifest import FILE, run_folder
from planlib.run.page import Part, parts

_COMMA = re.compile(r"\s*[,，;；]\s*|\s+·\s+")
_VALUES = {"number", "percent", "figure"}
_NO_VALUE = {"line", "number"}  # columns of numbers that only say where something stands
_NUMBER = re.compile(r"[-+−]?(\d{1,3}(?:[,，]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)\s*([^\d,，;；]{0,12})")
_COUNTED = {"commitment_id": "promises", "project_id": "projects"}
_TRIED = 40

# whether a value can be traced: by the run's manifest, the row and the column
Check = Callable[[Mapping[str, Any], Mapping[str, Any], str], bool]


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
    folder : Path
        Of the run.
    beside : sequence of str
        Other tables of the chapter whose rows are of one promise, project, school … each.
    """

    manifest: Mapping[str, Any]
    table: str
    row: Mapping[str, Any]
    column: str
    header: str
    shown: str
    folder: Path
    beside: Sequence[str]


def is_number(address: str) -> bool:
    """Tell whether an address is a number alone, with its unit or without.

    Examples
    --------
    >>> is_number("11,770"), is_number("30.9 %"), is_number("73个"), is_number("table 3"), is_number("3, row x")
    (True, True, True, False, False)
    """
    return bool(_NUMBER.fullmatch(address.strip()))


def address_of(words: Sequence[str]) -> str:
    """Return the address that words of a command line make: parts of one each, or one that was not quoted.

    Examples
    --------
    >>> address_of(["table 3", "row x"]), address_of(["table", "3,", "row", "x"]), address_of(["106", "项"])
    ('table 3, row x', 'table 3, row x', '106 项')
    """
    plain = " ".join(words)
    kinds = re.compile(rf"{_called('table')}|{_called('figure')}", re.IGNORECASE)
    is_unquoted = any(re.search(r"[,，]$", word) for word in words[:-1]) or kinds.fullmatch(words[0])
    return plain if is_unquoted or is_number(plain) else ", ".join(words)


def find_cell(
    folder: Path, address: str, language: str = LANGUAGES[0], check: Check = lambda *_: True
) -> PublishedCell:
    """Return the cell that an address names in a report's folder.

    Parameters
    ----------
    folder : Path
        A run's folder below ``reports/``, or the folder above it for the latest run in which the cell is found.
    address : str
        Table or figure, row and column, with commas: ``"table 3, row 小学, 2023"``. A table or figure by number or by
        its caption, a row and a column by a word of theirs; a column also by number: ``column 4``. Of a figure the
        values it was drawn from are meant.
    language : {"zh", "en"}
        Of the runs to look in first.
    check : callable
        Whether a value can be traced: examples in messages are chosen by it.

    Raises
    ------
    UsageError
        If the folder is no report, or the address names nothing, or several cells: lists what there is.
    """
    refused = None
    for run in _runs(folder, language):
        manifest, found = _opened(run)
        try:
            return _cell(run, manifest, found, address, check)
        except UsageError as error:
            said = str(error).replace("\nTo do:", f"{_taken(run, folder)}\nTo do:")
            refused = refused or UsageError(said)
    raise refused or UsageError(f"{folder}: there is no run in it.")


def find_number(
    folder: Path, number: str, language: str = LANGUAGES[0], check: Check = lambda *_: True
) -> tuple[Path, list[str]]:
    """Return addresses of the values that print a number, ten at most: a sentence's number stands in them, too.

    Parameters
    ----------
    folder, language, check
        As of `find_cell`.
    number : str
        With its unit or without, with commas or without.

    Returns
    -------
    tuple
        The folder of the run that prints it, and the addresses.

    Raises
    ------
    UsageError
        If no value that can be traced prints it in the latest run of any language.
    """
    runs, said, hint = _runs(folder, language), dict[str, None](), ""
    for run in runs:
        manifest, found = _opened(run)
        lines, counts = _printing(manifest, found, number.strip(), check)
        if lines:
            return run, lines[:10]
        only = (
            f"only in {', '.join(counts)}, where it counts or adds up rows" if counts else "in no table or figure"
        )
        said[only], hint = None, hint or _counted(found)
    taken = f"\nLooked in {', '.join(map(str, runs))}." if runs != [folder] else ""
    raise UsageError(
        f"{number.strip()} stands {'; '.join(said)}.{taken}\n"
        f"To do: check it, or trace one of the rows that a count counts{hint}."
    )


def _printing(
    manifest: dict[str, Any], found: list[Part], number: str, check: Check
) -> tuple[list[str], list[str]]:
    """Return the addresses that print a number, and the tables where it only counts rows."""
    spoken = manifest["parameters"]["language"]
    match = _NUMBER.fullmatch(number)
    wanted = _bare(match[1]) if match else number
    lines, counts = [], []
    for part in found:
        cells = [
            (row, at)
            for row, at in _values(part)
            if wanted in {_bare(one[1]) for one in _NUMBER.finditer(_text(part.data, row, at, spoken))}
        ]
        traced = list(islice(_traced(part, cells, spoken, manifest, check), 3))
        lines += [f"{part.kind} {part.number}, {words}" for words in traced]
        counts += [f"{part.kind} {part.number}"] if cells and not traced else []
    return lines, counts


def _taken(run: Path, folder: Path) -> str:
    return "" if run == folder else f"\nThe run is {run}."


def _counted(found: list[Part]) -> str:
    """Return which tables list what sentences count: the longest of each kind."""
    said = []
    for key, name in _COUNTED.items():
        tables = [part for part in found if part.kind == "table" and key in part.data.get("keys", {})]
        if tables:
            longest = max(tables, key=lambda part: len(part.data["rows"]))
            said.append(f"{name} in table {longest.number}")
    return f" ({', '.join(said)})" if said else ""


def _bare(number: str) -> str:
    return re.sub(r"[,，]", "", number)


def _cell(run: Path, manifest: dict[str, Any], found: list[Part], address: str, check: Check) -> PublishedCell:
    language = manifest["parameters"]["language"]
    first, *words = _words(address) or [""]
    part = _part(found, first)
    is_row = re.compile(rf"^(?:{_called('row')})\b[\s:]*", re.IGNORECASE)
    row, at = _place(part, [is_row.sub("", word) for word in words], manifest, check)
    column = part.data["columns"][at]
    beside = [p.called(language) for p in found if p.heading == part.heading and p != part and _has_keys(p)]
    return PublishedCell(
        manifest, part.headed(language), _row(part, row), column["name"],
        column["header"], _text(part.data, row, at, language), run, beside,
    )  # fmt: skip


def _has_keys(part: Part) -> bool:
    return part.kind == "table" and any(k == "resource" or k.endswith("_id") for k in part.data.get("keys", {}))


def _row(part: Part, row: int) -> dict[str, Any]:
    """Return the typed values of a row with the keys that the reader does not see."""
    keys = {key: values[row] for key, values in part.data.get("keys", {}).items()}
    return {
        **keys,
        **{c["name"]: v for c, v in zip(part.data["columns"], part.data["rows"][row], strict=True)},
    }


def _words(address: str) -> list[str]:
    return [word for word in _COMMA.split(address.strip()) if word]


def _runs(folder: Path, language: str) -> list[Path]:
    """Return the folder of a run, or of a report's folder the latest run in each language, that asked for first."""
    if (folder / FILE).is_file() or not folder.is_dir():
        return [folder]
    latest = [
        max((file.parent for file in folder.glob(f"*/*-{one}.ipynb")), default=None)
        for one in sorted(LANGUAGES, key=lambda one: one != language)
    ]
    return [run for run in latest if run] or [run_folder(folder)]


def _opened(folder: Path) -> tuple[dict[str, Any], list[Part]]:
    """Return the manifest of a run and its tables and figures."""
    import nbformat

    from planlib.run.verify import read_manifest

    if not (folder / FILE).is_file():
        runs = sorted(path.parent for path in folder.rglob(FILE)) if folder.is_dir() else []
        there = f"There is: {', '.join(map(str, runs[-5:]))}.\n" if runs else ""
        raise UsageError(
            f"{folder} is no folder of a published report: it has no {FILE}.\n{there}"
            "To do: name reports/<district>/<report>-<year>/<run id>, or the folder above for the latest run."
        )
    manifest, _ = read_manifest(folder)
    names = [name for name in manifest["outputs"] if name.endswith(".ipynb") and (folder / name).is_file()]
    if len(names) != 1:
        raise UsageError(
            f"{folder}: {len(names)} notebooks of its {FILE} are there, expected one.\n"
            "To do: ask for the folder as published; planlib verify lists what is missing."
        )
    try:
        notebook = nbformat.read(folder / names[0], as_version=4)
        return manifest, parts(notebook, manifest["parameters"]["language"])
    except Exception as error:  # nbformat raises many kinds; to a reader they are one
        raise UsageError(
            f"{folder / names[0]}: not a readable notebook ({type(error).__name__}).\n"
            "To do: ask for the folder as published."
        ) from error


def _called(code: str) -> str:
    """Return how people call a table, a row or a column, in either language."""
    return "|".join(label(code, language, "address") for language in LANGUAGES)


def _part(found: list[Part], word: str) -> Part:
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
    there = "\n".join(f"  {part.kind} {part.number}: {part.caption}" for part in found)
    raise UsageError(
        f"{len(chosen) or 'No'} tables or figures are called {word!r}. There are:\n{there}\n"
        "To do: name one by its number or its caption, or give a number alone to see which of them print it."
    )


def _values(part: Part) -> Iterator[tuple[int, int]]:
    """Yield the cells that hold a value, row by row: not the numbers of lines and what identifies a row."""
    of_value = [
        at
        for at, column in enumerate(part.data["columns"])
        if column["form"] in _VALUES and column["name"] not in _NO_VALUE and not column["name"].endswith("_id")
    ]
    rows = part.data["rows"]
    return ((row, at) for row in range(len(rows)) for at in of_value if rows[row][at] not in (None, ""))


def _traced(
    part: Part, cells: Iterable[tuple[int, int]], language: str, manifest: Mapping[str, Any], check: Check
) -> Iterator[str]:
    """Yield words for those of some cells that can be traced; some are tried, not all of a long table."""
    names, heads = _named(part, language)
    for row, at in islice(cells, _TRIED):
        if check(manifest, _row(part, row), heads[at][1]) and (words := _example(names, heads, row, at)):
            yield words


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


def _place(part: Part, words: list[str], manifest: Mapping[str, Any], check: Check) -> tuple[int, int]:
    """Return the row and column that the words name, each word either a row or a column."""
    called, language = f"{part.kind} {part.number}", manifest["parameters"]["language"]
    names, heads = _named(part, language)
    found = _matching(words, names, heads)
    if len(found) == 1:
        return found[0]
    rows = "; ".join(" · ".join(dict.fromkeys(texts[:3])) for texts in names[:40])
    rows += f"; … ({len(names)} rows)" if len(names) > 40 else ""
    said = [head for head, _ in heads]
    columns = "; ".join(f"{h} (column {n})" if said.count(h) > 1 else h for n, h in enumerate(said, 1))
    what = f"{len(found) or 'No'} cells of {called}, {part.caption} are called {', '.join(words)}."
    some = sorted(_values(part), key=lambda cell: cell not in set(found))
    example = next(_traced(part, some, language, manifest, check), "")
    hint = f', for example "{called}, {example}".' if example else "."
    raise UsageError(
        f"{what if words else f'{called}, {part.caption}: which row and which column?'}\nRows: {rows}\n"
        f"Columns: {columns}\nTo do: name one row and one column{hint}"
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


def _example(names: list[list[str]], heads: list[list[str]], row: int, at: int) -> str:
    """Return words that name a cell and no other; none if there are none."""
    for name, column in product((*names[row], ", ".join(names[row])), (heads[at][0], f"column {at + 1}")):
        if _matching([*_words(name), *_words(column)], names, heads) == [(row, at)]:
            return f"row {name}, {column}"
    return ""


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

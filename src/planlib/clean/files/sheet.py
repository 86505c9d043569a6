"""A sheet as its file stores it, and how people name its cells."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from typing import Any

_SHOWN = 8


@dataclass(frozen=True)
class Sheet:
    """A sheet as stored: `rows` from row 1 and column A on, `merged` ranges as (row, column, row, column) from 0.

    `lost` are cells the file holds without a usable value: an error (``#DIV/0!``) or a formula never computed;
    `zeros` are formulas with a stored 0 in a workbook that asks to be computed; `mixed` are texts partly struck out or
    raised, `struck` are cells wholly struck out, `formats` number formats that may show another figure. Hidden rows and
    columns count from 0. `encoding` is that of a CSV file, which has no name, no merged cells and rows as its lines.
    """

    name: str
    rows: list[list[Any]]
    merged: tuple[tuple[int, int, int, int], ...] = ()
    is_hidden: bool = False
    lost: tuple[tuple[str, str], ...] = ()
    zeros: tuple[str, ...] = ()
    mixed: tuple[tuple[str, str], ...] = ()
    struck: tuple[str, ...] = ()
    formats: tuple[tuple[str, str], ...] = ()
    hidden_rows: tuple[int, ...] = ()
    hidden_columns: tuple[int, ...] = ()
    encoding: str = ""

    def hidden(self, rows: Collection[int], columns: Collection[int]) -> str:
        """Say which of some rows and columns are hidden, or nothing.

        Examples
        --------
        >>> Sheet("", [], hidden_rows=(4, 5, 6, 9), hidden_columns=(2,)).hidden(range(9), range(9))
        'hidden rows (3): 5-7; hidden columns (1): C'
        """
        found = [r for r in self.hidden_rows if r in rows], [c for c in self.hidden_columns if c in columns]
        said = [f"hidden rows ({len(found[0])}): {_spans(found[0], lambda r: str(r + 1))}"] if found[0] else []
        said += [f"hidden columns ({len(found[1])}): {_spans(found[1], column_letters)}"] if found[1] else []
        return "; ".join(said)


def _spans(numbers: Collection[int], name: Callable[[int], str]) -> str:
    """Write ascending numbers by their names, those that follow each other as one span; not more than a few."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    said = [name(run[0]) + (f"-{name(run[-1])}" if len(run) > 1 else "") for run in runs]
    return ", ".join([*said[:_SHOWN], *(["…"] if len(said) > _SHOWN else [])])


def address(row: int, column: int) -> str:
    """Return a cell's address as people write it, from row and column numbers that begin with 0.

    Examples
    --------
    >>> address(6, 3), address(0, 26)
    ('D7', 'AA1')
    """
    return f"{column_letters(column)}{row + 1}"


def place(cell: str) -> tuple[int, int]:
    """Return the row and the column of an address, which begin with 0.

    Examples
    --------
    >>> place("D7"), place("AA1")
    ((6, 3), (0, 26))
    """
    letters = cell.rstrip("0123456789")
    column = reduce(lambda number, letter: number * 26 + ord(letter) - 64, letters, 0)
    return int(cell[len(letters) :]) - 1, column - 1


def column_letters(column: int) -> str:
    """Return the letters of a column number that begins with 0."""
    letters, number = "", column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters

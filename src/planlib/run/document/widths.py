"""A table's columns → their shares of a page, and which page: upright, upright in smaller type, on its side."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from planlib.run.page import display_width

# Half-width characters of table type that a page takes: upright, upright in smaller type, on its side. What needs more
# than the limits of the first two goes on.
_UPRIGHT, DENSE, ON_ITS_SIDE = 98, 118, 168
_MOST_UPRIGHT, _MOST_DENSE = 106, 153
_MOST_OF_A_COLUMN, _LEAST_OF_A_COLUMN = 20, 6
_LONGEST_HEADER = 10
_SHORT = 13  # so wide a text is not broken
_LONGEST, _LONGEST_WORD, _MARGIN = 160, 8, 2.5  # of a column; that a line makes room for; left and right of a cell
_UNBROKEN = re.compile(r"[^\s\u2e80-\uffff]+|[\u2e80-\uffff]")


def share_page(table: Any, html: Any, is_brief: bool) -> int:
    """Give a table's columns their shares of the page and tell how many characters that page takes."""
    rows = [row for row in ([*row.iter("th", "td")] for row in table.iter("tr")) if row]
    count = max(map(len, rows))
    columns = [_column(cells) for cells in zip(*(row for row in rows if len(row) == count), strict=True)]
    need = 0 if is_brief else sum(column.need for column in columns)
    room = _UPRIGHT if need <= _MOST_UPRIGHT else DENSE if need <= _MOST_DENSE else ON_ITS_SIDE
    group = html.Element("colgroup")
    shares = _shares(columns, room)
    for share in shares:
        group.append(html.Element("col", style=f"width:{100 * share:.2f}%"))
    if len(rows[0]) == count:
        for cell, share in zip(rows[0], shares, strict=True):
            _break_header(cell, share * room - _MARGIN, html)
    caption = table.find("caption")
    table.insert(0 if caption is None else 1, group)
    return room


@dataclass(frozen=True)
class _Column:
    """How wide a column's texts are, in half-width characters: of each cell, in which words, at most and at least.

    `need` is what it takes of a page on which tables of its kind are easy to read.
    """

    widths: tuple[int, ...]
    word: int
    most: int
    least: int
    need: float

    def lines(self, size: int) -> list[int]:
        """Return how many lines each cell takes: before a word that does not fit, half of one is lost on average."""
        lost = min(self.word, _LONGEST_WORD) / 2
        return [1 if width <= size else math.ceil(width / max(size - lost, 1)) for width in self.widths]


def _column(cells: Sequence[Any]) -> _Column:
    texts = [cell.text_content() for cell in cells]
    widths = tuple(map(display_width, texts))
    # what a line cannot break: a word; Chinese breaks after every character
    words = [max(map(display_width, _UNBROKEN.findall(text)), default=0) for text in texts]
    head = max(words[0], _half(widths[0]) if words[0] <= 2 else 0)
    longest, word = max(widths[1:], default=0), max(words)
    kind = cells[-1].get("class")
    is_firm = kind == "number" or max(longest, head) <= (_MOST_OF_A_COLUMN if kind == "nowrap" else _SHORT)
    most = min(max(widths), _LONGEST)
    least = max(longest, head) if is_firm else max(word, _LEAST_OF_A_COLUMN)
    width = max(longest, head if widths[0] > _LONGEST_HEADER or words[0] > 2 else widths[0])
    need = min(width, _MOST_OF_A_COLUMN * 1.8) + 3.5 if is_firm else min(width, _MOST_OF_A_COLUMN) + 2
    return _Column(widths, word, most, min(most, least), max(need, _LEAST_OF_A_COLUMN))


def _break_header(cell: Any, size: float, html: Any) -> None:
    """Break a header without spaces that needs two lines where its halves are most alike: no sign stands alone."""
    tokens = _UNBROKEN.findall(cell.text_content())
    whole = sum(map(display_width, tokens))
    if not size < whole <= 2 * size or len(tokens) < 2 or len(cell) or " " in cell.text_content().strip():
        return
    at = min(range(1, len(tokens)), key=lambda at: abs(2 * sum(map(display_width, tokens[:at])) - whole))
    line = html.Element("br")
    cell.text, line.tail = "".join(tokens[:at]), "".join(tokens[at:])
    cell.append(line)


def _half(width: int) -> int:
    """Return half a line of Chinese, in whole characters; three of them stay together."""
    return width if width <= 6 else 2 * math.ceil(width / 4)


def _shares(columns: Sequence[_Column], room: float) -> list[float]:
    """Share a page among columns: each is as wide as its longest text, then gives up what adds the fewest lines.

    Examples
    --------
    >>> short, long = _Column((8, 8), 2, 8, 8, 10.0), _Column((40, 8), 2, 40, 6, 22.0)
    >>> [round(30 * share, 1) for share in _shares([short, long], 30)]
    [10.5, 19.5]
    """
    sizes = [column.most for column in columns]
    now = [column.lines(size) for column, size in zip(columns, sizes, strict=True)]
    while sum(sizes) + _MARGIN * len(sizes) > room:
        tall = [max(row) for row in zip(*now, strict=True)]
        after = {at: columns[at].lines(size - 1) for at, size in enumerate(sizes) if size > columns[at].least}
        if not after:
            break
        added = {
            at: sum(max(0, new - old) for new, old in zip(lines, tall, strict=True)) for at, lines in after.items()
        }
        given = min(after, key=lambda at: (added[at], -sizes[at]))
        sizes[given], now[given] = sizes[given] - 1, after[given]
    whole = [size + _MARGIN for size in sizes]
    return [size / sum(whole) for size in whole]

"""What a person reads: a text and a table, each safe in HTML and plain in a terminal."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pandas as pd

from planlib.columns import SCHEMA_VERSION, TABLE_MIME, Column, guess, show, typed
from planlib.errors import RegistryError
from planlib.figures.marks import OUTLOOK, PROMISE, STATUS, Mark
from planlib.registry import load_definitions
from planlib.words import filled, is_missing, visible


@dataclass(frozen=True)
class Text:
    """Paragraphs of a report; text from data is escaped on the way out.

    Attributes
    ----------
    lines : sequence of (tag, text)
        Tags: ``h1``, ``h2``, ``p``, ``li``, ``subtitle``, ``note``.
    frame : str
        ``""`` or the class of a box around them.
    """

    lines: Sequence[tuple[str, str]]
    frame: str = ""

    def _repr_html_(self) -> str:
        parts, in_list = [], False
        for tag, text in self.lines:
            if (tag == "li") != in_list:
                parts.append("<ul>" if tag == "li" else "</ul>")
                in_list = tag == "li"
            element, css = ("p", f' class="{tag}"') if tag in {"subtitle", "note"} else (tag, "")
            parts.append(f"<{element}{css}>{_html(text)}</{element}>")
        body = "\n".join([*parts, "</ul>"] if in_list else parts)
        return f'<div class="{self.frame}">\n{body}\n</div>' if self.frame else body

    def __repr__(self) -> str:
        return "\n".join(visible(f"- {text}" if tag == "li" else text) for tag, text in self.lines)

    def __str__(self) -> str:
        return repr(self)


@dataclass(frozen=True)
class Table:
    """A table as a report prints it, with the typed frame behind it.

    Attributes
    ----------
    frame : DataFrame
        The values, unrounded.
    columns : sequence of Column
    caption : str
    language : str
    notes : sequence of str
        Printed under the table.
    own_headers : mapping
        Headers made from data (a stage and a year), by their key.
    """

    frame: pd.DataFrame = field(repr=False)
    columns: Sequence[Column]
    caption: str
    language: str
    notes: Sequence[str] = ()
    own_headers: Mapping[str, str] = field(default_factory=dict)

    def cells(self) -> list[list[str]]:
        """Return the cells as text, row by row."""
        shown = [[show(value, c, self.language) for value in self.frame[c.name]] for c in self.columns]
        return [list(row) for row in zip(*shown, strict=True)]

    def headers(self) -> list[str]:
        """Return the column headers in the table's language."""
        return [self.own_headers.get(c.header) or say(f"table.{c.header}", self.language) for c in self.columns]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Give Jupyter the values behind the table; the HTML and the text come from their own methods."""
        about = {"schema_version": SCHEMA_VERSION, "caption": visible(self.caption)}
        about["notes"] = [visible(note) for note in self.notes]
        return {TABLE_MIME: about | typed(self.frame, self.columns, self.headers(), self.language)}

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col"{_css(c)}>{_html(h)}</th>' for c, h in zip(self.columns, self.headers(), strict=True)
        )
        marks = [[_mark(value, c) for value in self.frame[c.name]] for c in self.columns]
        rows = "\n".join(
            "<tr>"
            + "".join(
                f"<td{_css(c)}>{mark}{_html(text)}</td>"
                for c, text, mark in zip(self.columns, row, looks, strict=True)
            )
            + "</tr>"
            for row, looks in zip(self.cells(), zip(*marks, strict=True), strict=True)
        )
        if self.frame.empty:
            rows = f'<tr><td colspan="{len(self.columns)}">{html.escape(say("no_rows", self.language))}</td></tr>'
        notes = "".join(f'<p class="note">{_html(note)}</p>' for note in self.notes)
        return (
            f'<div class="table-wrap"><table>\n<caption>{_html(self.caption)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>{notes}</div>"
        )

    def __repr__(self) -> str:
        lines = [self.caption, " | ".join(self.headers()), *(" | ".join(row) for row in self.cells())]
        return visible("\n".join([*lines, *self.notes]))


def _html(text: str) -> str:
    return html.escape(visible(text))


# The figures' marks as type: a status has the same shape and colour in a table as in a figure.
_MARKS: Mapping[str, Mapping[str, Mark]] = {"status": STATUS, "commitment_status": PROMISE, "outlook": OUTLOOK}
_SHAPES = {"*": "★", "^": "▲", "o": "●", "s": "■", "v": "▼", "X": "✖", "P": "✚", "D": "◆"}
_HOLLOW = {"●": "○", "◆": "◇"}


def _mark(value: Any, column: Column) -> str:
    """Return the coloured shape before a status, for the eye only: the word follows it."""
    marks = _MARKS.get(column.form.removeprefix("label:"), {})
    if is_missing(value) or value not in marks:
        return ""
    mark = marks[value]
    shape = _SHAPES.get(mark.shape, "▼▼") if isinstance(mark.shape, str) else "▼▼"
    shape = shape if mark.is_filled else _HOLLOW[shape]
    # a hollow shape is its rim
    colour = mark.colour if mark.is_filled or mark.edge == "white" else mark.edge
    return f'<span class="mark" style="color:{colour}" aria-hidden="true">{shape}</span>'


def _css(column: Column) -> str:
    if column.is_number:
        return ' class="number"'
    if column.form == "long":
        return ' class="long"'
    return ' class="nowrap"' if column.form in {"date", "iso"} or column.form.startswith("label:") else ""


def frame(
    table: pd.DataFrame,
    language: str,
    columns: Sequence[str] = (),
    caption: str = "",
    most: int = 60,
    decimals: int | None = None,
) -> Table:
    """Show any frame as a table with the headers and words of the language, for looking around.

    Parameters
    ----------
    table : DataFrame
    language : {"zh", "en"}
    columns : sequence of str
        Which columns, in order; ``name`` stands for ``name_zh`` or ``name_en``. All without it (of the names, the
        language's own).
    caption : str
        Of ``narrative.yml``; where a chapter has one table only, its heading will do.
    most : int
        Rows shown; a note counts the rest.
    decimals : int, optional
        Of numbers that are not whole; without it the number decides.

    Returns
    -------
    Table
    """
    other = f"name_{'en' if language == 'zh' else 'zh'}"
    chosen = [f"name_{language}" if c == "name" else c for c in columns] or [c for c in table if c != other]
    shown = [guess(table, c, language, decimals) for c in chosen]
    rest = len(table) - most
    notes = [say("note.more_rows", language, count=rest)] if rest > 0 else []
    named = say(f"caption.{caption}", language) if caption else ""
    return Table(table.head(most), shown, named, language, notes, {c.header: c.header for c in shown})


def say(code: str, language: str, **values: object) -> str:
    """Return a sentence of ``definitions/narrative.yml`` with its places filled.

    Parameters
    ----------
    code : str
        Dotted path, for example ``verdict.summary``.
    language : {"zh", "en"}
    **values
        For the places in braces. Values from data are put in as they are; `Text` and `Table` escape them.

    Raises
    ------
    RegistryError
        If there is no such sentence.

    Examples
    --------
    >>> say("no_rows", "en")
    'None.'
    """
    entry: Any = _sentences()
    for key in code.split("."):
        entry = entry.get(key) if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or language not in entry:
        raise RegistryError(f"definitions/narrative.yml has no sentence {code} in {language}. To do: add it.")
    return filled(str(entry[language]), **values)


def area_column(language: str) -> str:
    """Return the column of `Evaluation.with_areas` that calls an area as a language does.

    Examples
    --------
    >>> area_column("en")
    'area_en'
    """
    return "area_en" if language == "en" else "area"


def join(items: Sequence[str], language: str) -> str:
    """Join all items as the language does, more strongly where an item holds its separator.

    Examples
    --------
    >>> join(["a", "b", "c"], "en"), join(["甲", "乙"], "zh"), join(["a, primary", "b"], "en")
    ('a, b, c', '甲、乙', 'a, primary; b')
    """
    separator = say("separator", language)
    if len(items) > 1 and any(separator in item for item in items):
        separator = say("clause_separator", language)
    return separator.join(items)


@cache
def _sentences() -> Mapping[str, Any]:
    return load_definitions("narrative")

"""What cleaning found, for a person to read."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from planlib.clean.issues import sentence
from planlib.clean.layout.recognise import KINDS
from planlib.registry import label, phrase

if TYPE_CHECKING:
    from planlib.clean.pipeline import CleanResult

_SHOWN = 10


def summary(result: "CleanResult", language: str = "zh") -> str:
    """Return a text of some lines: files, cells and where they went, tables, schools, issues.

    Parameters
    ----------
    result : CleanResult
    language : {"zh", "en"}

    Returns
    -------
    str

    Raises
    ------
    UsageError
        If the language is another one.
    """
    counts = {**result.counts, "workbooks_known": result.counts["workbooks"] - result.counts["workbooks_read"]}
    lines = [_say("title", language, district=result.district), "  " + _say("files", language, **counts)]
    lines += ["  " + _say("cells", language, cells=f"{counts['cells']:,}"), *_kinds(result, language)]
    lines += ["  " + _say("tables", language), *_tables(result, language)]
    lines += ["  " + _say("schools", language), *(f"    {line}" for line in _schools(result, language))]
    return "\n".join([*lines, *_issues(result, language)])


def _say(code: str, language: str, **values: object) -> str:
    return label(code, language, "clean").format(**values)


def _kinds(result: "CleanResult", language: str) -> list[str]:
    sums = result.accounts[list(KINDS)].sum()
    rows = [(_say(f"cell_{kind}", language), f"{sums[kind]:,}") for kind in KINDS if sums[kind]]
    return [f"    {line}" for line in aligned(rows)]


def _tables(result: "CleanResult", language: str) -> list[str]:
    names = [key.removeprefix("rows_") for key in result.counts if key.startswith("rows_")]
    rows = [
        (_say(f"table_{name}", language), _say("rows", language, rows=f"{result.counts[f'rows_{name}']:,}"))
        for name in names
    ]
    return [f"    {line}" for line in aligned(rows)]


def _schools(result: "CleanResult", language: str) -> list[str]:
    """Return the table of schools by type (rows) and year (columns), types in the order of the schema."""
    from planlib.schema import fields

    wide = result.schools.pivot_table(index="school_type", columns="year", values="schools", fill_value=0)
    order = [name for name in fields()["school_type"].values if name in wide.index]
    rows = [("", *map(str, wide.columns))]
    rows += [(_say(f"type_{name}", language), *(f"{v:.0f}" for v in wide.loc[name])) for name in order]
    rows.append((_say("all_types", language), *(f"{v:.0f}" for v in wide.sum())))
    return aligned(rows)


def _issues(result: "CleanResult", language: str) -> list[str]:
    levels = result.issues["level"].value_counts()
    path = result.path / "issues.csv"
    counted = {level: int(levels.get(level, 0)) for level in ("error", "warning", "note")}
    lines = ["  " + _say("issues", language, **counted)]
    warnings = result.issues[result.issues["level"] == "warning"].head(_SHOWN)
    if warnings.empty:
        return [*lines, "  " + _say("listed", language, path=path)]
    lines.append("  " + _say("shown", language, shown=len(warnings), path=path))
    said = [(sentence(row, language), phrase(row["done"], language)) for row in warnings.to_dict("records")]
    return lines + [f"    {found} → {done}" for found, done in said]


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows of texts as lines with aligned columns; a Chinese character is as wide as two Latin ones.

    Examples
    --------
    >>> aligned([("小学", "51"), ("a", "2")])
    ['小学  51', 'a      2']
    """
    texts = [list(row) for row in rows]
    widths = [max(map(_width, column)) for column in zip(*texts, strict=True)]
    return ["  ".join(_padded(row, widths)).rstrip() for row in texts]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    gaps = [" " * (width - _width(text)) for text, width in zip(row, widths, strict=True)]
    return [row[0] + gaps[0], *(gap + text for text, gap in zip(row[1:], gaps[1:], strict=True))]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)

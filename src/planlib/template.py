"""A new district's folder (``planlib new``): a plan to rewrite, empty tables, workbooks to fill in.

Columns come from :mod:`planlib.schema`, headers from ``definitions/forms/collection.yml``, texts from
``definitions/templates``; nothing of them is repeated here.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planlib import freshness, paths, schema
from planlib.errors import DataError, UsageError
from planlib.registry import label, load_definitions
from planlib.sample.layout import Book, write_book

SKELETONS = paths.DEFINITIONS / "templates"
RETURNS = "returns"

# the skeletons end in .txt: as .yml they would be read as definitions
_ENDING = ".txt"
_DISTRICT = "{{district}}"
_WORDS = re.compile(r"\{\{(\w+):(\w+)\}\}")  # the words that a column allows, in a language
_GROUPS = {"status": "observation_status", "boundary": "boundary"}


def new_district(district: str) -> Path:
    """Start a district: make its folder under ``data/raw``, whole or not at all.

    Parameters
    ----------
    district : str
        Name of the folder: lower-case letters, digits, ``-``, ``_``.

    Returns
    -------
    Path
        The folder. ``plan.yml`` in it has no fault, the CSV files have their header only, ``returns`` is empty and
        ``templates`` holds one workbook per school type.

    Raises
    ------
    UsageError
        If the name is no such name, or something of this name is there already; nothing is written.
    DataError
        If the folder cannot be written (permission, disk full).
    """
    target = paths.new(district)
    try:
        # the plan stands two levels down, so that nobody takes a half-made folder for a district
        staging = Path(tempfile.mkdtemp(prefix=f".new-{district}-", dir=target.parent))
        try:
            made = staging / district
            made.mkdir()
            write_skeleton(made, district)
            _put(made, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"Could not write {target}: {error.strerror or error}; nothing was written.\n"
            "To do: free disk space or give write permission, then run again."
        ) from error
    return target


def write_skeleton(folder: Path, district: str) -> None:
    """Write everything a new district has into an empty folder.

    Parameters
    ----------
    folder : Path
    district : str
        Named in the texts.
    """
    for source in sorted(SKELETONS.glob(f"*{_ENDING}")):
        text = source.read_text(encoding="utf-8").replace(_DISTRICT, district)
        text = _WORDS.sub(lambda found: _allowed(found[1], found[2]), text)
        (folder / source.name.removesuffix(_ENDING)).write_text(text, encoding="utf-8", newline="\n")
    for table in schema.TABLES.values():
        if table.is_collected:
            (folder / f"{table.name}.csv").write_text(csv_header(table), encoding="utf-8", newline="\n")
    (folder / RETURNS).mkdir()
    (folder / freshness.TEMPLATES).mkdir()
    for name, book in template_books():
        write_book(folder / freshness.TEMPLATES / name, book)


def _allowed(column: str, language: str) -> str:
    """Return the words that a column of a CSV file allows, with their meaning in another language than their own."""
    said = {code: label(code, language, _GROUPS[column]) for code in schema.fields()[column].values}
    words = [code if meaning == code else f"{code} ({meaning})" for code, meaning in said.items()]
    return ("、" if language == "zh" else ", ").join(words)


def csv_header(table: schema.Table) -> str:
    r"""Return the first line of a CSV file that a district brings; file and line are known without it.

    Examples
    --------
    >>> csv_header(schema.TABLES["births"])
    'area,year,births\n'
    """
    return ",".join(name for name in table.columns if name not in ("file", "line")) + "\n"


def template_books() -> Iterator[tuple[str, Book]]:
    """Yield an empty workbook for each school type, and the name of its file.

    Sheets and headers are those of the latest forms; no year stands in the titles, so that a title that was
    forgotten is refused and not misdated.

    Yields
    ------
    (str, Book)
    """
    form = load_definitions("forms/collection")
    layout: dict[str, Any] = {**load_definitions("sample_layout"), **load_definitions("templates/layout")}
    latest = 1 + max(layout["years"].values())
    for school_type in form["stages_of_type"]:
        book = Book(latest, school_type, schema.empty("schools"), form, layout)
        yield form["year"]["file_pattern"].format(year=layout["file_year"], type=book.type_text), book


def _put(made: Path, target: Path) -> None:
    """Give the folder its place; another run may have taken it in the meantime."""
    try:
        made.rename(target)
    except OSError as error:
        if not target.exists():
            raise
        raise UsageError(paths.taken(target)) from error

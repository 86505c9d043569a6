"""Whether corrections.yml fits its sources, before anything is cleaned (``planlib check``)."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from planlib import freshness, paths, schema
from planlib.clean.issues import Issue, sentence
from planlib.clean.layout.workbook import framed, parse_workbook
from planlib.clean.pipeline import MAX_FILE_BYTES
from planlib.clean.tables.collected import collected_table
from planlib.clean.values import correct, years
from planlib.clean.values.correct import Correction, Corrections
from planlib.clean.words.forms import Form, load_form
from planlib.errors import RegistryError, listing
from planlib.registry import heading


@dataclass(frozen=True)
class Fit:
    """How many corrections there are, and how many of them were held to their sources here."""

    count: int
    held: int


def check_corrections(district: str) -> Fit:
    """Hold the corrections of a district to their sources, as cleaning does.

    Where the tables are what cleaning would make, all corrections fit. Else those of CSV files and of cells in a named
    workbook are tried on these files alone; those of schools stand anywhere in the returns, so that cleaning tries them.

    Parameters
    ----------
    district : str
        A folder of ``data/raw``.

    Returns
    -------
    Fit

    Raises
    ------
    RegistryError
        Every wrong entry, or every one that does not fit, in the words of `planlib.clean.clean_district`.
    """
    folder, form = paths.raw(district), load_form()
    corrections = correct.load_corrections(folder / correct.FILE, form)
    entries = corrections.entries
    if not entries or freshness.tables_are_fresh(district):
        return Fit(len(entries), len(entries))
    inputs = freshness.tables_inputs(district)
    known = [*inputs["inputs"], *(file for file, _ in inputs["sources"])]
    absent = correct.missing_files(corrections, known)
    there = [entry for entry in entries if entry.where.get("file") in inputs["inputs"]]
    faults = [*absent, *_of_tables(folder, there), *_of_workbooks(folder, there, form)]
    if faults:
        faults.sort(key=lambda issue: int(issue.cell.removeprefix("line ")))
        told = [sentence(asdict(issue)) for issue in faults]
        raise RegistryError(listing(heading("correction", "en"), told, heading("correction", "en", "todo")))
    return Fit(len(entries), len(there))


def _of_tables(folder: Path, entries: Sequence[Correction]) -> Iterator[Issue]:
    """Yield the faults of corrections of lines."""
    for table in schema.TABLES.values() if entries else ():
        file = f"{table.name}.csv"
        own = tuple(entry for entry in entries if entry.where["file"] == file)
        if own and table.is_collected:
            _, issues, _ = collected_table(table.name, (folder / file).read_bytes(), Corrections(own))
            yield from _faults(issues)


def _of_workbooks(folder: Path, entries: Sequence[Correction], form: Form) -> Iterator[Issue]:
    """Yield the faults of corrections of cells, workbook by workbook; one that cannot be read is a fault for cleaning."""
    entries = [entry for entry in entries if not entry.is_of_line]
    for file in dict.fromkeys(str(entry.where["file"]) for entry in entries):
        own = tuple(entry for entry in entries if entry.where["file"] == file)
        if (folder / file).stat().st_size > MAX_FILE_BYTES:
            continue
        parts = framed([(parse_workbook((folder / file).read_bytes(), form), file, "")])
        cells = years.with_years(parts["cells"], years.with_own_years(parts["sheets"]))
        if len(cells):
            yield from _faults(correct.correct_cells(cells, Corrections(own), form)[1])


def _faults(issues: Sequence[Issue]) -> Iterator[Issue]:
    yield from (issue for issue in issues if issue.kind == "correction" and issue.level == "error")

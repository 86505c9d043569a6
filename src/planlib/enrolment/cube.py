"""Enrolment as an array of areas, grades and years, checked on the way in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planlib.errors import DataError, listing

Array = np.ndarray
Chains = Sequence[Sequence[str]]

CHAINS: tuple[tuple[str, ...], ...] = (
    ("T",),
    ("K1", "K2", "K3"),
    ("1", "2", "3", "4", "5", "6", "7", "8", "9"),
    ("10", "11", "12"),
)
"""Grades through which children pass year by year. The first of each chain is an entry grade, fed from outside:
kindergarten and primary by births, senior by admission across the city, the class for under-threes by itself."""

STAGE_OF_GRADE = {
    "T": "nursery",
    **dict.fromkeys(("K1", "K2", "K3"), "preschool"),
    **dict.fromkeys(("1", "2", "3", "4", "5", "6"), "primary"),
    **dict.fromkeys(("7", "8", "9"), "junior"),
    **dict.fromkeys(("10", "11", "12"), "senior"),
}


@dataclass(frozen=True)
class Cube:
    """Students by area, grade and year.

    Attributes
    ----------
    areas : Index
        Names of the areas; one empty name where there are none.
    grades : tuple of str
        In the order of the chains, one after the other.
    is_entry : array of bool
        Whether a grade is the first of its chain.
    years : array of int
        Every year from the first to the last, gaps included.
    students : array, area × grade × year
        Missing where an area reported nothing in a year; 0 where it reported, but not that grade.
    """

    areas: pd.Index
    grades: tuple[str, ...]
    is_entry: Array
    years: Array
    students: Array

    @property
    def last_year(self) -> int:
        """The year from which a projection starts."""
        return int(self.years[-1])

    def pooled(self) -> "Cube":
        """Return the sum over areas as a cube of one area; missing only where no area reported."""
        known = np.isfinite(self.students)
        total = np.where(known.any(axis=0), np.where(known, self.students, 0.0).sum(axis=0), np.nan)
        return Cube(pd.Index([""]), self.grades, self.is_entry, self.years, total[None])


def whole_years(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return the column ``year`` as integers; raise on anything else.

    Parameters
    ----------
    frame : DataFrame
        With a column ``year``.
    name : str
        What to call the frame in a message.

    Returns
    -------
    Series of int
    """
    years = pd.to_numeric(frame["year"], errors="coerce").astype("float64")
    wrong = frame.loc[~np.isfinite(years) | (years != np.floor(years)), "year"]
    if len(wrong):
        faults = [f"{name}, row {label}: {value}" for label, value in wrong.items()]
        raise DataError(listing("years that are no whole numbers", faults, "write the year in which it begins"))
    return years.astype("int64")


def counts(frame: pd.DataFrame, column: str, name: str, *, signed: bool = False) -> pd.Series:
    """Return a column of head counts as finite floats, not negative unless `signed`.

    Parameters
    ----------
    frame : DataFrame
        The table.
    column, name : str
        The column, and what to call the frame in a message.
    signed : bool
        Whether negative numbers are allowed (scheduled changes).

    Returns
    -------
    Series of float
    """
    numbers = pd.to_numeric(frame[column], errors="coerce").astype("float64")
    wrong = frame[~np.isfinite(numbers) | ((numbers < 0) & (not signed))]
    if len(wrong):
        found = [repr(value) if isinstance(value, str) else str(value) for value in wrong[column]]
        faults = [f"{name}, {at}: {value}" for at, value in zip(row_keys(wrong), found, strict=True)]
        raise DataError(listing(f"{column} must be a finite number, zero or more", faults, "correct the number"))
    return numbers


def row_keys(rows: pd.DataFrame) -> list[str]:
    """Say for each row which one it is: ``area north, grade 7, year 2026``; its label where it has no key."""
    keys = [key for key in ("project_id", "school_id", "area", "stage", "grade", "year") if key in rows]
    if not keys:
        return [f"row {label}" for label in rows.index]
    told = [[f"{key} {value}" for value in rows[key]] for key in keys]
    return [", ".join(parts) for parts in zip(*told, strict=True)]


def names(frame: pd.DataFrame, column: str, name: str) -> pd.Series:
    """Return a column of names as text; raise where one is missing, ``""`` where there is no such column."""
    if column not in frame:
        return pd.Series("", index=frame.index, dtype="str")
    lacking = frame[frame[column].isna()]
    if len(lacking):
        faults = [f"{name}, row {label}" for label in lacking.index]
        raise DataError(listing(f"{column} is missing", faults, f"write the {column}, or leave these rows out"))
    return frame[column].astype("str")


def refuse_twice(rows: pd.DataFrame, keys: Sequence[str], name: str, hint: str) -> None:
    """Raise where the same key stands in two rows."""
    twice = rows[rows.duplicated([key for key in keys if key in rows])]
    if len(twice):
        raise DataError(listing(f"{name} given twice", row_keys(twice), hint))


def columns(frame: pd.DataFrame, needed: Sequence[str], name: str) -> None:
    """Raise unless the frame has the columns and a row."""
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        hint = f"give {name} the columns {', '.join(needed)}"
        raise DataError(listing(f"{name} lacks columns", missing, hint))
    if frame.empty:
        raise DataError(f"{name} has no rows. To do: pass at least one.")


def read_cube(enrolment: pd.DataFrame, chains: Chains, more_areas: Sequence[str] = ()) -> Cube:
    """Check a long table of enrolment and fold it into an array.

    Parameters
    ----------
    enrolment : DataFrame
        ``grade, year, students``, optional ``area`` and ``school_id`` (schools are summed up to areas).
    chains : sequence of sequences of str
        Which grade follows which.
    more_areas : sequence of str
        Areas that have no enrolment yet.

    Returns
    -------
    Cube

    Raises
    ------
    DataError
        Missing columns, no rows, students that are no finite counts, a grade of a year given twice, unknown grades,
        chains that are no lists of different grades.
    """
    columns(enrolment, ["grade", "year", "students"], "enrolment")
    grades = _grades(chains)
    table = pd.DataFrame(
        {
            "school_id": names(enrolment, "school_id", "enrolment"),
            "area": names(enrolment, "area", "enrolment"),
            "grade": names(enrolment, "grade", "enrolment"),
            "year": whole_years(enrolment, "enrolment"),
            "students": counts(enrolment, "students", "enrolment"),
        }
    )
    told = table[[key for key in table if key in enrolment]]
    keys = ("school_id", "area", "grade", "year")
    refuse_twice(told, keys, "enrolment", "keep one row; sum up classes and campuses first")
    _refuse_unknown_grades(table, grades)
    areas = pd.Index(sorted({*table["area"].unique(), *more_areas}))
    years = np.arange(table["year"].min(), table["year"].max() + 1)
    entries = np.array([place == 0 for chain in chains for place in range(len(chain))])
    return Cube(areas, grades, entries, years, _fold(table, areas, grades, years))


def _fold(table: pd.DataFrame, areas: pd.Index, grades: tuple[str, ...], years: Array) -> Array:
    """Sum the rows into area × grade × year; an area that reports a year has no missing grades in it."""
    place = (
        areas.get_indexer(table["area"]),
        pd.Index(grades).get_indexer(table["grade"]),
        (table["year"] - years[0]).to_numpy(),
    )
    students = np.zeros((len(areas), len(grades), len(years)))
    np.add.at(students, place, table["students"].to_numpy())
    reported = np.zeros((len(areas), len(years)), dtype=bool)
    reported[place[0], place[2]] = True
    return np.where(reported[:, None, :], students, np.nan)


def _grades(chains: Chains) -> tuple[str, ...]:
    """Return the grades in order; raise on chains that are no lists, are empty, or share a grade."""
    faults = [repr(chain) for chain in chains if isinstance(chain, str) or not len(chain)]
    grades = [grade for chain in chains for grade in chain]
    faults += [f"{grade} stands twice" for grade in dict.fromkeys(grades) if grades.count(grade) > 1]
    if faults or not grades:
        raise DataError(
            listing("chains that cannot be followed", faults, 'write lists such as [["K1", "K2", "K3"]]')
        )
    return tuple(grades)


def _refuse_unknown_grades(table: pd.DataFrame, grades: tuple[str, ...]) -> None:
    """Raise on grades that belong to no chain: leaving them out would lose children."""
    unknown = sorted(set(table["grade"].unique()) - set(grades))
    if unknown:
        hint = f"the chains have {', '.join(grades)}; pass chains=… or leave these grades out yourself"
        raise DataError(listing("grades that belong to no chain", unknown, hint))

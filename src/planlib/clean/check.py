"""The rules of county statisticians on finished tables: figures that cannot both be true, or hardly.

The rules stand in ``definitions/forms/checks.yml``; each finding names the cell it came from.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from planlib.clean.issues import Issue
from planlib.paths import DEFINITIONS
from planlib.registry.documents import read_document

_KEY = ["school_id", "stage", "year"]


def check_tables(
    tables: Mapping[str, pd.DataFrame], path: Path = DEFINITIONS / "forms" / "checks.yml"
) -> list[Issue]:
    """Return what the rules find in the tables of a district.

    Parameters
    ----------
    tables : mapping
        Processed tables by name; ``schools``, ``lineage`` and ``enrolment`` are looked at.
    path : Path
        The rules.

    Returns
    -------
    list of Issue
        Of the level that each rule gives.
    """
    document = read_document(path, f"definitions/forms/{path.name}")
    document.raise_faults()
    rules = document.data
    schools = tables["schools"]
    found = [part for rule in rules["at_most"] for part in _at_most(schools, rule)]
    found += [part for rule in rules["ratios"] for part in _ratio(schools, rule)]
    issues = list(_with_cells(found, tables["lineage"]))
    return issues + list(_enrolment(schools, tables["enrolment"], rules["enrolment"]))


def _at_most(schools: pd.DataFrame, rule: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    above = (schools[rule["column"]] > schools[rule["of"]]).to_numpy(dtype=bool, na_value=False)
    for row in schools[above].to_dict("records") if above.any() else ():
        yield _finding(row, rule, f"{row[rule['column']]:g}", f"at most {rule['of']} ({row[rule['of']]:g})")


def _ratio(schools: pd.DataFrame, rule: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    over = schools[rule["over"]].astype("Float64")
    if rule["level_of"] == "school":
        over = over.groupby([schools["school_id"], schools["year"]]).transform("sum")
    ratio = schools[rule["column"]].astype("Float64") / over.mask(over == 0)
    outside = ~ratio.between(rule["minimum"], rule["maximum"]) & ratio.notna()
    rows = schools.assign(_ratio=ratio)[outside.fillna(False)]
    if rule["level_of"] == "school":
        rows = rows.drop_duplicates(["school_id", "year"])
    for row in rows.to_dict("records"):
        said = f"{row[rule['column']]:g}, {row['_ratio']:.4g} for each of {rule['over']}"
        yield _finding(row, rule, said, f"{rule['minimum']} to {rule['maximum']}")


def _finding(row: Mapping[str, Any], rule: Mapping[str, Any], found: str, expected: str) -> dict[str, Any]:
    where = {key: row[key] for key in _KEY}
    said = {"found": f"{rule['column']} {found}", "expected": expected, "level": rule["level"]}
    return {**where, "column": rule["column"], **said}


def _with_cells(found: list[dict[str, Any]], lineage: pd.DataFrame) -> Iterator[Issue]:
    """Say from which cell each finding comes."""
    if not found:
        return
    keys = [*_KEY, "column"]
    cells = lineage[lineage["column"].isin({one["column"] for one in found})]
    joined = pd.DataFrame(found).merge(cells[[*keys, "file", "sheet", "cell"]], on=keys, how="left").fillna("")
    for row in joined.to_dict("records"):
        where = {key: str(row[key]) for key in ("file", "sheet", "cell", "found", "expected")}
        yield Issue(
            str(row["level"]),
            "contradiction",
            school=str(row["school_id"]),
            year=str(row["year"]),
            done="kept",
            subject=str(row["column"]),
            **where,
        )


def _enrolment(schools: pd.DataFrame, enrolment: pd.DataFrame, rule: Mapping[str, Any]) -> Iterator[Issue]:
    """Compare enrolment by grade with the returns: all grades with students, first grades with entrants."""
    if enrolment.empty or schools.empty:
        return
    firsts = pd.MultiIndex.from_tuples([(s, g) for s, grades in rule["first_grades"].items() for g in grades])
    is_first = pd.MultiIndex.from_frame(enrolment[["stage", "grade"]]).isin(firsts)
    yield from _differences(schools, enrolment, "students", rule["level"])
    entered = enrolment[is_first & enrolment["stage"].isin(rule["entrants_stages"])]
    yield from _differences(schools, entered, "entrants", rule["level"])


def _differences(schools: pd.DataFrame, part: pd.DataFrame, column: str, level: str) -> Iterator[Issue]:
    lines = part.groupby(_KEY).agg(by_grade=("students", "sum"), line=("line", "first")).reset_index()
    both = lines.merge(schools[[*_KEY, column]], on=_KEY, how="left", indicator="at")
    is_absent = both["at"] == "left_only"
    # a figure that the returns leave out cannot be contradicted
    both = both[is_absent | (both["by_grade"] != both[column]).fillna(False)]
    for row in both.to_dict("records"):
        is_there = row["at"] == "both"
        reported = f"{column} {row[column]} in the returns" if is_there else "no such school and stage"
        yield Issue(
            level,
            "contradiction",
            "enrolment.csv",
            cell=f"line {row['line']}",
            school=str(row["school_id"]),
            year=str(row["year"]),
            found=f"{row['by_grade']} in {row['stage']} by grade",
            expected=reported,
            done="both kept",
            subject=column,
        )

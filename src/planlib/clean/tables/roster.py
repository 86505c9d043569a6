"""Schools that come and go between two years, and what may explain it: codes first, then names, then guesses that say so."""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

import pandas as pd

from planlib.clean.words.forms import compact
from planlib.registry import load_definitions

COLUMNS = (
    "year", "event", "school_id", "school_name", "school_type", "area", "stage", "students", "seen",
    "reason", "is_explained", "other_id", "other_name", "found", "expected",
)  # fmt: skip
_EXPLAINED = {"opened", "project", "told"}


def coming_and_going(
    schools: pd.DataFrame, projects: pd.DataFrame | None = None, rule: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Return every school that appears or vanishes between two years of returns, and why.

    A school is known by its code. One that appears is looked for, in this order: among its own earlier returns;
    by the same name under a code that vanishes in that year; by its year of opening; among the building projects;
    then, as guesses to be confirmed, by a name much alike, and beside a neighbour of the same area and stage that
    lost about as many students. One that vanishes likewise, with neighbours that gained.

    Parameters
    ----------
    schools : DataFrame
        The processed table ``schools``.
    projects : DataFrame, optional
        The processed table ``projects``.
    rule : mapping, optional
        The entry of kind ``schools`` in ``forms/checks.yml``: ``alike, neighbour, within, opened_within``.

    Returns
    -------
    DataFrame
        One row per event: ``year`` (of the change), ``event`` (``came`` or ``went``), the school as its return of
        the year ``seen`` says, ``reason`` (``opened, project, told, recoded, alike, split, merged, gap, returned,
        unknown``), ``is_explained``, the school or project it is matched with, and what was found and expected.

    Examples
    --------
    >>> rows = [("A", "North School", 2020), ("B", "East School", 2020), ("B", "East School", 2021),
    ...         ("C", "North School", 2021)]
    >>> schools = pd.DataFrame(rows, columns=["school_id", "school_name", "year"]).assign(
    ...     stage="primary", school_type="primary", area="", students=300, opened_year=1990)
    >>> coming_and_going(schools)[["year", "event", "school_id", "reason", "other_id"]].to_numpy().tolist()
    [[2021, 'came', 'C', 'recoded', 'A'], [2021, 'went', 'A', 'told', 'C']]
    """
    if rule is None:
        rule = next(r for r in load_definitions("forms/checks")["rules"] if r["kind"] == "schools")
    roster = _roster(schools)
    years = sorted(roster["year"].unique())
    found = [
        row
        for before, year in pairwise(years)
        if year == before + 1
        for row in _events(roster, year, _projects_of(projects, year), rule)
    ]
    return pd.DataFrame(found, columns=list(COLUMNS))


def _roster(schools: pd.DataFrame) -> pd.DataFrame:
    """Return one row per school and year, with the students of all its stages and its first stage."""
    keys = ["school_id", "year"]
    rows = schools.drop_duplicates(keys)[[*keys, "school_name", "school_type", "area", "stage", "opened_year"]]
    students = schools.assign(students=schools["students"].astype("Float64").astype("float64").fillna(0.0))
    rows = rows.merge(students.groupby(keys)["students"].sum().reset_index(), on=keys)
    return rows.assign(name=rows["school_name"].map(compact))


def _projects_of(projects: pd.DataFrame | None, year: int) -> pd.DataFrame:
    """Return the projects opened in the school year that begins in `year`, or in the year before."""
    if projects is None or projects.empty:
        return pd.DataFrame({"project_id": [], "name": []})
    is_new = projects["opened"].str[:4].isin([str(year), str(year - 1)])
    return projects.loc[is_new, ["project_id", "name"]].assign(name=projects["name"].map(compact))


def _events(
    roster: pd.DataFrame, year: int, projects: pd.DataFrame, rule: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    before, after = (roster[roster["year"] == y].set_index("school_id", drop=False) for y in (year - 1, year))
    came, went = after[~after.index.isin(before.index)], before[~before.index.isin(after.index)]
    told = before[["school_name", "stage", "area", "students"]]
    both = told.join(after["students"].rename("students_after"), how="inner")
    both["gain"] = both["students_after"] - both["students"]
    taken: dict[str, str] = {}  # who went → who came in its place
    for school in came.itertuples():
        reason = _why_came(school, roster, went, both, projects, rule)
        if reason[0] in ("recoded", "alike"):
            taken[reason[1]] = school.school_id
        yield _event(school, "came", year, *reason)
    for school in went.itertuples():
        yield _event(school, "went", year, *_why_went(school, roster, after, both, taken, rule))


def _why_came(
    school: Any, roster: pd.DataFrame, went: pd.DataFrame, both: pd.DataFrame, projects: pd.DataFrame, rule: Any
) -> tuple[str, str, str, str]:
    """Return the reason, the other school or project with its name, and what was found."""
    earlier = roster[(roster["school_id"] == school.school_id) & (roster["year"] < school.year)]
    if len(earlier):
        return "returned", "", "", f"no return between {earlier['year'].max()} and {school.year}"
    same = went[went["name"] == school.name]
    if len(same):
        code = same["school_id"].iloc[0]
        return (
            "recoded",
            code,
            same["school_name"].iloc[0],
            f"{school.school_name} came, the same name went under {code}",
        )
    if pd.notna(school.opened_year) and 0 <= school.year - school.opened_year <= rule["opened_within"]:
        return "opened", "", "", f"opened in {school.opened_year:.0f}"
    built = projects[[school.name in name for name in projects["name"]]]
    if len(built):
        return "project", built["project_id"].iloc[0], built["name"].iloc[0], "a building project opened"
    alike = _most_alike(school, went, rule["alike"])
    if alike:
        said = f"{school.school_name} came, {alike[0]} {alike[1]} went: much alike in name"
        return "alike", *alike, said
    split = _neighbour(school, both, -both["gain"], rule)
    if split:
        said = f"{school.school_name} came, {split[0]} {split[1]} lost {split[2]} students in that year"
        return "split", split[0], split[1], said
    return "unknown", "", "", f"{school.school_name} came, no year of opening, no project"


def _why_went(
    school: Any, roster: pd.DataFrame, after: pd.DataFrame, both: pd.DataFrame, taken: dict[str, str], rule: Any
) -> tuple[str, str, str, str]:
    code = taken.get(school.school_id)
    if code:
        return "told", code, after.loc[code, "school_name"], f"told at {code}"
    later = roster[(roster["school_id"] == school.school_id) & (roster["year"] > school.year)]
    if len(later):
        return "gap", "", "", f"no return between {school.year} and {later['year'].min()}"
    merged = _neighbour(school, both, both["gain"], rule)
    if merged:
        said = f"{school.school_name} went, {merged[0]} {merged[1]} gained {merged[2]} students in that year"
        return "merged", merged[0], merged[1], said
    return "unknown", "", "", f"{school.school_name} went, nobody took its place"


def _most_alike(school: Any, went: pd.DataFrame, least: float) -> tuple[str, str] | None:
    """Return the vanished school of the same type whose name has the most in common, if it has enough."""
    rows = went[went["school_type"] == school.school_type]
    scores = [SequenceMatcher(None, school.name, name).ratio() for name in rows["name"]]
    if not scores or max(scores) < least:
        return None
    best = rows.iloc[scores.index(max(scores))]
    return str(best["school_id"]), str(best["school_name"])


def _neighbour(school: Any, both: pd.DataFrame, moved: pd.Series, rule: Any) -> tuple[str, str, str] | None:
    """Return the neighbour that lost (or gained) a large part of itself, about the school's own students."""
    near = (both["stage"] == school.stage) & (both["area"] == school.area)
    is_large = moved > rule["neighbour"] * both["students"].where(both["students"] > 0)
    about = (moved - school.students).abs() <= rule["within"] * school.students
    moved = moved[near & is_large & about]
    if moved.empty:
        return None
    best = moved.idxmax()
    return str(best), str(both.loc[best, "school_name"]), f"{moved[best]:.0f}"


_EXPECTED = {
    "recoded": "one code for one school: matched by name",
    "alike": "one code and one name for one school: a guess by name",
    "split": "a year of opening, or a word on the split: a guess",
    "merged": "a word on the merger: a guess",
    "returned": "a return of every year",
    "gap": "a return of every year",
    "unknown": "a year of opening, a project, a split or another code",
    "unknown_went": "a word on a closure, a merger or another code",
}


def _event(school: Any, event: str, year: int, reason: str, other: str, name: str, found: str) -> dict[str, Any]:
    told = {key: getattr(school, key) for key in COLUMNS[2:8]}
    why = {"reason": reason, "is_explained": reason in _EXPLAINED, "other_id": other, "other_name": name}
    return {"year": year, "event": event, **told, "seen": school.year, **why, "found": found,
            "expected": _EXPECTED.get(f"{reason}_{event}", _EXPECTED.get(reason, ""))}  # fmt: skip

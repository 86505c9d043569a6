"""The state of a district's data: what came, what was mended and set aside, what does not agree, whom to ask."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from planlib.columns import Column
from planlib.district import District, views
from planlib.narrative.parts import Table, Text, say
from planlib.registry import heading, label, load_definitions, phrase
from planlib.words import capital, number

_FEW, _MANY = 20, 60  # rows shown; a note counts the rest
_PLACES = ("found", "expected", "done")
_CELLS = ("value", "repeated", "not_applicable", "total", "title", "header", "note_row", "ignored", "issue")


def file_table(place: District, language: str) -> Table:
    """Return what became of the cells of every file: values, labels, set aside."""
    # what needs a look first, then the newest
    rows = views.files(place).iloc[::-1].sort_values("issue", ascending=False, kind="stable")
    shown = [name for name in _CELLS if rows[name].sum()]
    headers = {name: capital(label(f"cell_{name}", language, "clean")) for name in shown}
    columns = [Column("file", "file"), Column("schools", "schools", "number")]
    columns += [Column(name, name, "number") for name in shown]
    notes = [say("note.more_rows", language, count=len(rows) - _FEW)] if len(rows) > _FEW else []
    total = int(rows[shown].to_numpy().sum())
    notes.append(say("quality.cells", language, cells=f"{total:,}", files=len(rows)))
    return Table(rows.head(_FEW), columns, say("caption.files", language), language, notes, headers)


def issue_table(issues: pd.DataFrame, language: str) -> Table:
    """Return issues in the words of a language: what, where, what was found, expected and done.

    Parameters
    ----------
    issues : DataFrame
        As ``issues.csv``.
    language : {"zh", "en"}
    """
    said = {name: [phrase(text, language) for text in issues[name].fillna("")] for name in _PLACES}
    where = [
        f"{sheet} {phrase(cell, language)}".strip()
        for sheet, cell in zip(issues["sheet"], issues["cell"], strict=True)
    ]
    titles = [heading(kind, language, "applied") for kind in issues["issue_kind"]]
    frame = issues.assign(place=where, issue_kind=titles, **said)
    columns = [
        Column("level", "level", "label:issue_level"),
        Column("issue_kind", "issue_kind"),
        Column("file", "file"),
        Column("place", "place"),
        Column("school", "school"),
        Column("year", "year"),
        Column("found", "found"),
        Column("done", "treatment"),
    ]
    notes = [say("note.more_rows", language, count=len(frame) - _MANY)] if len(frame) > _MANY else []
    return Table(frame.head(_MANY), columns, say("caption.issues", language), language, notes)


def issue_count_table(place: District, language: str) -> Table:
    """Return how many issues of each kind there are, in how many files and schools."""
    counts = views.issue_counts(place)
    titles = [heading(kind, language, "applied") for kind in counts["issue_kind"]]
    columns = [
        Column("level", "level", "label:issue_level"),
        Column("issue_kind", "issue_kind", "long"),
        *(Column(name, name, "number") for name in ("count", "files", "schools")),
    ]
    frame = counts.assign(issue_kind=titles)
    return Table(frame, columns, say("caption.issue_counts", language), language)


def rule_table(place: District, language: str) -> Table:
    """Return every rule of the county's statisticians, where it comes from, and how often it fired."""
    document = load_definitions("forms/checks")
    fired = place.issues["issue_kind"].value_counts()
    rows = [
        {
            "rule_text": rule["say"][language],
            "rule_source": document["sources"][rule["source"]][language],
            "level": rule["level"],
            "fired": int(fired.get(rule["id"], 0)),
        }
        for rule in document["rules"]
    ]
    frame = pd.DataFrame(rows).sort_values("fired", ascending=False, kind="stable", ignore_index=True)
    columns = [
        Column("rule_text", "rule_text", "long"),
        Column("rule_source", "rule_source", "long"),
        Column("level", "level", "label:issue_level"),
        Column("fired", "fired", "number"),
    ]
    return Table(frame, columns, say("caption.rules", language), language)


def roster_table(place: District, language: str, most: int = 20) -> Table:
    """Return the schools that came and went between years, and what explains each: those unexplained first."""
    events = views.school_events(place)
    events = events.iloc[::-1].sort_values("is_explained", kind="stable", ignore_index=True)
    frame = events.assign(
        event=[say(f"quality.{event}", language) for event in events["event"]],
        found=[phrase(text, language) for text in events["found"]],
        explained=[say("word.yes" if known else "quality.ask", language) for known in events["is_explained"]],
    )
    columns = [
        Column("year", "year", "year"),
        Column("event", "event"),
        Column("school_id", "school"),
        Column("school_name", "school_name"),
        Column("found", "found", "long"),
        Column("explained", "explained"),
    ]
    notes = [say("note.more_rows", language, count=len(frame) - most)] if len(frame) > most else []
    return Table(frame.head(most), columns, say("caption.roster", language), language, notes)


def reconciliation_table(place: District, language: str) -> Table:
    """Return reported figures beside recomputed ones, with the cause of a difference where one fits."""
    rows = views.reconciliation(place)
    counted = {"all": len(rows), "differ": int((~rows["agrees"]).sum()) if len(rows) else 0}
    rows = rows[(rows["kind"] != "enrolment") | ~rows["agrees"]]
    rows = rows.sort_values("agrees", kind="stable", ignore_index=True)
    pairs = [_figures(*pair, language) for pair in zip(rows["reported"], rows["recomputed"], strict=True)]
    frame = rows.assign(
        reported_shown=[reported for reported, _ in pairs],
        recomputed_shown=[recomputed for _, recomputed in pairs],
        kind=[say(f"quality.{kind}", language) for kind in rows["kind"]],
        name=[_item(row, language) for row in rows.to_dict("records")],
        cause=rows[f"cause_{language}"],
    )
    columns = [
        Column("kind", "reported_in"),
        Column("name", "name"),
        Column("as_of", "as_of", "date"),
        Column("reported_shown", "reported", "figure", value="reported"),
        Column("recomputed_shown", "recomputed", "figure", value="recomputed"),
        Column("cause", "cause_of", "long"),
    ]
    return Table(frame, columns, say("caption.reconciliation", language), language,
                 [say("quality.reconciled", language, **counted)])  # fmt: skip


def _figures(reported: float, recomputed: float, language: str) -> tuple[str, str]:
    """Write a figure as it was reported, and the recomputed one with up to two more digits."""
    digits = _decimals(reported, 10)
    return number(reported, language, digits), number(recomputed, language, _decimals(recomputed, digits + 2))


def _decimals(value: float, most: int) -> int:
    return len(f"{value:.{most}f}".partition(".")[2].rstrip("0"))


def _item(row: Mapping[str, Any], language: str) -> str:
    if row["kind"] == "enrolment":
        return label(str(row["item"]), language, "stage")
    return str(row[f"name_{language}"])


def differences(place: District, language: str) -> list[str]:
    """Say of each reported figure that the returns do not give: what is reported, what they give, and why."""
    rows = views.reconciliation(place)
    rows = rows[~rows["agrees"].astype(bool)].rename(columns={"kind": "reported_in"}).assign(kind="reconciliation")
    return [_question(row, language) for row in rows.to_dict("records")]


def questions(place: District, language: str) -> Text:
    """Return what to ask whom: for each school, office or file its open questions, ready to be sent."""
    rows = views.open_questions(place)
    if rows.empty:
        return Text([("p", say("quality.no_question", language))])
    lines = [("p", say("quality.questions", language, count=len(rows), asked=rows["asked"].nunique()))]
    for asked, group in rows.groupby("asked", sort=False):
        lines.append(("h3", say("quality.to_file", language) if not asked else str(asked)))
        lines += [("li", _question(row, language)) for row in group.to_dict("records")]
    return Text(lines)


def _question(row: Mapping[str, Any], language: str) -> str:
    """Say one question as a sentence to be answered: what stands where, and what would be right."""
    if row["kind"] == "reconciliation":
        name = _item({**row, "kind": row["reported_in"]}, language)
        values = dict(
            zip(("reported", "recomputed"), _figures(row["reported"], row["recomputed"], language), strict=True)
        )
        where = say(f"quality.{row['reported_in']}", language)
        return say("quality.ask_figure", language, name=name, as_of=row["as_of"], where=where, **values,
                   cause=row[f"cause_{language}"])  # fmt: skip
    where = " ".join(filter(None, (row["file"], row["sheet"], phrase(row["cell"], language))))
    return say("quality.ask_issue", language, year=row["year"], title=heading(row["kind"], language, "applied"), where=where,
               found=phrase(row["found"], language), expected=phrase(row["expected"] or row["done"], language))  # fmt: skip

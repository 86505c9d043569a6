"""The two pages of an annual evaluation: what moved, what is late, who owes what."""

import pandas as pd

from planlib.columns import Column, write_date
from planlib.district import Evaluation
from planlib.district.evaluation import LATE, LATE_PROMISES
from planlib.narrative.opening import (
    amount,
    balance_sentence,
    classes_sentence,
    finer,
    in_words,
    name,
    projects_sentence,
    promises_sentence,
)
from planlib.narrative.parts import Table, Text, join, say
from planlib.registry import label


def annual_verdict(evaluation: Evaluation, language: str) -> Text:
    """Return the box on top: how many stand in each class, what the year moved, what is owed by how many offices."""
    moved = evaluation.moved["moved"].value_counts()
    told = {code: int(moved.get(code, 0)) for code in ("closer", "away", "same", "unknown")}
    lines = [
        classes_sentence(evaluation, language),
        say("annual.moved", language, year=evaluation.year - 1, total=len(evaluation.moved), **told),
        promises_sentence(evaluation, language),
        projects_sentence(evaluation, language),
        balance_sentence(evaluation, language),
        _owed(evaluation, language),
    ]
    return Text([("h3", say("verdict.heading", language)), *(("p", line) for line in lines)], "verdict")


def _owed(evaluation: Evaluation, language: str) -> str:
    rows = evaluation.owed[evaluation.owed["is_compulsory"]]
    if rows.empty:
        return say("annual.owed_none", language)
    explanations = int((rows["kind"] == "explanation").sum())
    told = {"explanations": explanations, "rest": len(rows) - explanations, "offices": rows["lead"].nunique()}
    return say("annual.owed", language, date=write_date(evaluation.owed_by, language), **told)


def year_moves(evaluation: Evaluation, language: str) -> Text:
    """Return which series fell late and which caught up since last year, and what was done of promises and projects."""
    rows = evaluation.moved
    was, is_now = (rows[column].isin(LATE) for column in ("status_before", "status"))
    is_judged = rows["status_before"] != "no_data"  # in the first year nothing was: the late ones have their table
    lines = [
        say(f"annual.{code}", language, names=join([_turn(row, language) for _, row in chosen.iterrows()], language))
        for code, chosen in (("fell", rows[is_now & ~was & is_judged]), ("caught_up", rows[was & ~is_now]))
        if len(chosen)
    ]
    if not lines and is_judged.any():
        lines.append(say("annual.no_turn", language))
    return Text([("p", line) for line in [*lines, _done(evaluation, language)]])


_ENDS = {"before": "status_before", "now": "status"}


def _turn(row: pd.Series, language: str) -> str:
    ends = {key: label(row[column], language, "status") for key, column in _ENDS.items()}
    return say("annual.turn", language, name=name(row, language), **ends)


def _done(evaluation: Evaluation, language: str) -> str:
    """Say how many promises were done and projects opened within the year."""
    ends = (evaluation, evaluation.before)
    done = [int((e.commitments["status"] == "done").sum()) for e in ends]
    opened, handed = ([int(e.projects[step].notna().sum()) for e in ends] for step in ("opened", "handed_over"))
    told = {
        key: now - then for key, (now, then) in {"done": done, "opened": opened, "handed": handed}.items()
    }
    return say("annual.done", language, year=evaluation.year, **told)


def annual_late_table(evaluation: Evaluation, language: str) -> Table:
    """Return the late series: last year, this year, target, status, office, and what the office says."""
    late = in_words(evaluation, evaluation.late, language)
    late["value_before"] = late["series_id"].map(evaluation.moved.set_index("series_id")["value_before"])
    said = evaluation.explanations.drop_duplicates("subject", keep="last").set_index("subject")["cause"]
    owed = {"binding": say("word.owed", language)}
    frame = late.assign(
        before_shown=[amount(row["value_before"], finer(row), language) for _, row in late.iterrows()],
        said=late["series_id"].map(said).fillna(late["attribute"].map(owed)),
    )
    columns = [
        Column("name", "name"),
        Column("attribute", "attribute", "label:attribute"),
        Column("before_shown", "last_year_value", value="value_before"),
        Column("value_shown", "this_year", value="value"),
        Column("target_shown", "target", value="target"),
        Column("status", "status", "label:status"),
        Column("lead", "lead"),
        Column("said", "said", "long"),
    ]
    return Table(frame, columns, say("caption.annual_late", language), language)


def owed_table(evaluation: Evaluation, language: str) -> Table:
    """Return office by office what it has to explain and what it has to send, the day in the caption."""
    rows = evaluation.owed.assign(
        named=evaluation.owed[f"name_{language}"],
        office=evaluation.owed["lead" if language == "zh" else "lead_en"].replace("", say("unknown_lead", language)),
    )
    is_told = rows["kind"] == "explanation"
    late = is_told & rows["status"].isin(LATE_PROMISES)
    cells = {
        "to_explain": rows[is_told & rows["is_compulsory"]],
        "late_tasks": rows[late],
        "to_send": rows[rows["kind"].isin(["record", "evidence", "value", "definition"])],
    }
    table = pd.DataFrame({key: _by_office(chosen, language) for key, chosen in cells.items()})
    order = [office for office in rows["office"].unique() if office in table.index]
    frame = table.reindex(order).rename_axis("office").reset_index()
    columns = [
        Column("office", "office"),
        *(Column(key, key, "long") for key in cells),
    ]
    caption = say("caption.owed", language, date=write_date(evaluation.owed_by, language))
    return Table(frame, columns, caption, language, [say("note.owed", language)])


def _by_office(rows: pd.DataFrame, language: str) -> pd.Series:
    return rows.groupby("office", sort=False)["named"].agg(lambda names: join(names.tolist(), language))

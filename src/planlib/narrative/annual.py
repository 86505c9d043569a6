"""The two pages of an annual evaluation: what moved, what is late, who owes what."""

import pandas as pd

from planlib.columns import Column, write_date
from planlib.district import Evaluation
from planlib.district.evaluation import LATE_PROMISES
from planlib.district.views import COMPULSORY
from planlib.evaluate import LATE
from planlib.narrative.chapters import projects, promises
from planlib.narrative.closing import explained_besides
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
from planlib.words import number, resource_name


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
    return Text([("h2", say("verdict.heading", language)), *(("p", line) for line in lines)], "verdict")


def _owed(evaluation: Evaluation, language: str) -> str:
    """Say how much the table of what is owed lists: what must be sent, by how many offices, and what else is asked."""
    parts = {key: part for key, part in _asked(evaluation.owed).items() if len(part)}
    late = parts.pop("late", ())
    more = say("annual.owed_late", language, count=len(late)) if len(late) else ""
    if not parts:
        return say("annual.owed_none", language) + more
    items = join([say(f"annual.owed_{key}", language, count=len(part)) for key, part in parts.items()], language)
    offices = pd.concat(parts.values())["lead"].replace("", pd.NA).nunique()
    by = say("annual.owed_by", language, offices=offices) if offices else ""
    return say("annual.owed", language, by=by, items=items, date=write_date(evaluation.owed_by, language)) + more


def year_moves(evaluation: Evaluation, language: str) -> Text:
    """Return which series fell late and which caught up since last year, and what was done of promises and projects."""
    rows = evaluation.moved
    was, is_now = (rows[column].isin(LATE) for column in ("status_before", "status"))
    is_first = evaluation.year == evaluation.years[0]  # a year before nothing was judged
    turned = {} if is_first else {"fell": rows[is_now & ~was], "caught_up": rows[was & ~is_now]}
    lines = [
        say(
            f"annual.{code}",
            language,
            names=join([_turn(row, language) for _, row in chosen.iterrows()], language),
        )
        for code, chosen in turned.items()
        if len(chosen)
    ]
    if not lines and not is_first:
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
    told = {key: now - then for key, (now, then) in {"done": done, "opened": opened, "handed": handed}.items()}
    return say("annual.done", language, year=evaluation.year, **told)


def annual_late_table(evaluation: Evaluation, language: str) -> Table:
    """Return the late series: last year, this year, target, status, office, and what the office says."""
    late = in_words(evaluation, evaluation.late, language)
    late["value_before"] = late["series_id"].map(evaluation.moved.set_index("series_id")["value_before"])
    said = evaluation.explanations.drop_duplicates("subject", keep="last").set_index("subject")["cause"]
    owed = {"binding": say("word.owed", language)}
    frame = late.assign(
        before_shown=[amount(row["value_before"], finer(row), language) for _, row in late.iterrows()],
        said=late["series_id"].map(said).astype("object").fillna(late["attribute"].map(owed).astype("object")),
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


def late_items(evaluation: Evaluation, language: str) -> Text:
    """Return which promises and projects are late, and what people explained of promises."""
    lines = [*promises(evaluation, language).lines, *projects(evaluation, language).lines]
    if evaluation.commitments["status"].isin(LATE_PROMISES).any() and len(evaluation.projects):
        lines.append(
            ("p", say("annual.yardsticks", language))
        )  # promises of buildings late and no project late is right
    said = evaluation.explanations.drop_duplicates("subject", keep="last").set_index("subject")
    for row in explained_besides(evaluation, language).to_dict("records"):
        told = said.loc[row["subject"]]
        day = write_date(told["deadline"], language)
        cause = {"cause": told["cause"], "measure": told["measure"], "deadline": day}
        lines.append(("p", say("annual.explained", language, name=row["name"], status=row["status"], **cause)))
    return Text(lines)


def balance_moves_table(evaluation: Evaluation, language: str) -> Table:
    """Return the coefficients of the last two years and their change, a row each, the resources side by side."""
    district = evaluation.district
    order = [*district.standard.resources, "composite"]
    wide = district.balance.pivot_table(index=["stage", "year"], columns="resource", values="cv", dropna=False)
    parts = [_two_years(wide.reindex(columns=order), stage, language) for stage in COMPULSORY]
    frame = pd.concat(parts, ignore_index=True)
    columns = [Column("stage", "stage", "label:stage"), Column("row", "year", "iso")]
    columns += [Column(resource, resource, "number", 3) for resource in order]
    headers = {resource: resource_name(resource, language) for resource in order}
    caps = [
        f"{label(stage, language, 'stage')} {number(cap, language, 2)}"
        for stage, cap in district.standard.caps.items()
    ]
    notes = [say("note.caps", language, caps=join(caps, language))]
    return Table(frame, columns, say("caption.balance", language), language, notes, headers)


def _two_years(wide: pd.DataFrame, stage: str, language: str) -> pd.DataFrame:
    """Return the rows of a stage: the last two years there are, and their difference."""
    rows = wide[wide.index.get_level_values("stage") == stage].droplevel("stage").sort_index().tail(2)
    named = rows.set_axis([str(year) for year in rows.index])
    if len(rows) > 1:
        named.loc[say("table.change", language)] = rows.iloc[1] - rows.iloc[0]
    return named.rename_axis("row").reset_index().assign(stage=stage)


def owed_table(evaluation: Evaluation, language: str) -> Table:
    """Return office by office what it has to explain and to send, the day in the caption."""
    rows = evaluation.owed
    unknown = say("unknown_lead", language)
    rows = rows.assign(office=rows["lead" if language == "zh" else "lead_en"].replace("", unknown))
    told = [(office, _said(part, language)) for office, part in rows.groupby("office", sort=False)]
    frame = pd.DataFrame([pair for pair in told if pair[1]], columns=["office", "asked"])
    columns = [Column("office", "office"), Column("asked", "asked", "long")]
    caption = say("caption.owed", language, date=write_date(evaluation.owed_by, language))
    return Table(frame, columns, caption, language, [say("note.owed", language)])


def _asked(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return what is asked for: compulsory explanations, late promises, records and figures, definitions, offices."""
    is_told, is_late = rows["kind"] == "explanation", rows["status"].isin(LATE_PROMISES)
    return {
        "explain": rows[is_told & rows["is_compulsory"]],
        "late": rows[is_told & is_late],
        "send": rows[rows["kind"].isin(["value", "record", "evidence"])],
        "define": rows[rows["kind"] == "definition"],
        "name": rows[rows["kind"] == "lead"],
    }


def _said(rows: pd.DataFrame, language: str) -> str:
    """Say what one office is asked for."""
    said = [
        say(f"annual.{key}", language, names=join(part[f"name_{language}"].tolist(), language))
        for key, part in _asked(rows).items()
        if len(part)
    ]
    return say("clause_separator", language).join(said)

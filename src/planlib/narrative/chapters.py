"""The body of a report: indicators, promises, projects, money."""

import pandas as pd

from planlib.columns import Column, write_date
from planlib.district import Evaluation
from planlib.district.evaluation import LATE_PROMISES
from planlib.figures.marks import STATUS
from planlib.narrative.opening import amount, in_words, lead, printed
from planlib.narrative.parts import Table, Text, area_column, join, say
from planlib.registry import codes, label
from planlib.words import is_missing, number, unit_name, with_unit


def indicator_table(evaluation: Evaluation, language: str) -> Table:
    """Return the main table: every series with baseline, value, target, progress and status."""
    card = evaluation.scorecard
    frame = in_words(evaluation, card, language)
    columns = [
        Column("number", "number", "year"),
        Column("name", "name"),
        Column("attribute", "attribute", "label:attribute"),
        Column("baseline_shown", "baseline", value="baseline"),
        Column("value_shown", "value", value="value"),
        Column("target_shown", "target", value="target"),
        Column("progress", "progress", "percent"),
        Column("elapsed", "elapsed", "percent", 0),
        Column("status", "status", "label:status"),
    ]
    if "status_amended" in card and card["status_amended"].notna().any():
        columns.append(Column("status_amended", "status_amended", "label:status"))
    notes = [say(f"note.{key}", language) for key in ("printed", "unrounded", "elapsed")]
    notes += _disagreements(evaluation, language)
    return Table(frame, columns, say("caption.indicators", language), language, notes)


def _disagreements(evaluation: Evaluation, language: str) -> list[str]:
    """Say where text and table of the plan disagree, each with the rows it is about."""
    numbers = evaluation.scorecard.set_index("series_id")["number"]
    rows = evaluation.plan.discrepancies
    rows = rows[rows["series_id"].isin(numbers.index)].assign(row=rows["series_id"].map(numbers))
    told = rows.groupby("note" if language == "zh" else "note_en", sort=False)["row"]
    return [
        say(
            "note.text_and_table",
            language,
            rows=join([str(int(row)) for row in of], language),
            count=len(of),
            note=note,
        )
        for note, of in told
    ]


def count_table(evaluation: Evaluation, language: str) -> Table:
    """Return how many indicators stand in each class, binding and anticipatory."""
    counts = evaluation.counts.set_index("status").reindex(list(STATUS)).reset_index()
    frame = counts[counts["total"] > 0]
    columns = [
        Column("status", "status", "label:status"),
        Column("binding", "binding", "number"),
        Column("anticipatory", "anticipatory", "number"),
        Column("total", "total", "number"),
    ]
    return Table(frame, columns, say("caption.counts", language, total=len(evaluation.indicators)), language)


def promises(evaluation: Evaluation, language: str) -> Text:
    """Return what is late among the promises, by box, and what has no record."""
    table = evaluation.commitments
    late = table[table["status"].isin(LATE_PROMISES)]
    names = evaluation.plan.frame.set_index("frame_id")[f"name_{language}"]
    silent = int((table["status"] == "no_record").sum())
    if table.empty:
        lines = [say("verdict.commitments_none", language)]
    elif late.empty:
        lines = [say("section.no_late_known" if silent else "section.no_late_boxes", language)]
    else:
        places = late["box"].fillna(late["task"]).fillna(late["safeguard"])
        worst = [names[code] for code in places.value_counts().index[:3]]
        lines = [say("section.late_boxes", language, count=len(late), names=join(worst, language))]
    if silent:
        lines.append(say("section.no_record", language, count=silent))
    return Text([("p", line) for line in lines])


def commitment_table(evaluation: Evaluation, language: str, *, only_late: bool) -> Table:
    """Return the promises with what is achieved, their status, evidence and leading office; all, or the late ones."""
    table = evaluation.commitments
    chosen = table[table["status"].isin(LATE_PROMISES)] if only_late else table
    names = evaluation.plan.frame.set_index("frame_id")[f"name_{language}"]
    places = chosen["box"].fillna(chosen["task"]).fillna(chosen["safeguard"])
    frame = chosen.assign(
        name=chosen[f"name_{language}"],
        place=places.map(names),
        target_shown=[promised(row, language) for _, row in chosen.iterrows()],
        achieved_shown=[achieved(row, language) for _, row in chosen.iterrows()],
        lead=[lead(evaluation, c, language) for c in chosen["commitment_id"]],
        support=[join(evaluation.support(c, language), language) for c in chosen["commitment_id"]],
        evidence=[_evidence(text, language) for text in chosen["evidence"]],
    )
    # the late ones stand in the text: what fits across a page; the annex has all of it
    rest = ["as_of", "support", "evidence"] if only_late else []
    columns = [
        Column("name", "item"),
        Column("place", "box"),
        Column("target_shown", "target", value="target"),
        Column("achieved_shown", "achieved", value="achieved"),
        Column("as_of", "as_of", "iso"),
        Column("status", "status", "label:commitment_status"),
        Column("lead", "lead"),
        Column("support", "support"),
        Column("evidence", "evidence"),
    ]
    columns = [column for column in columns if column.name not in rest]
    caption = "caption.late_commitments" if only_late else "caption.commitments"
    return Table(frame, columns, say(caption, language), language)


def _evidence(text: object, language: str) -> str:
    """Return where a promise's record comes from: a table of the district, or what the office wrote."""
    if is_missing(text):
        return ""
    return label(str(text), language, "evidence") if text in codes("evidence") else str(text)


def amendment_table(evaluation: Evaluation, language: str) -> Table:
    """Return the targets amended up to the cutoff, with date and approval."""
    rows = evaluation.plan.amendments
    rows = rows[rows["date"].astype("str") <= evaluation.cutoff.isoformat()]
    names = pd.concat(
        [
            evaluation.plan.series.set_index("series_id")[f"name_{language}"],
            evaluation.plan.commitments.set_index("commitment_id")[f"name_{language}"],
        ]
    )
    frame = rows.assign(
        name=rows["series_id"].fillna(rows["commitment_id"]).map(names),
        approval=rows["approval" if language == "zh" else "approval_en"],
    )
    columns = [
        Column("name", "item"),
        Column("target_text", "amended"),
        Column("date", "date", "date"),
        Column("approval", "approval"),
    ]
    return Table(frame, columns, say("caption.amended", language), language)


def achieved(row: pd.Series, language: str) -> str:
    """Write what a promise has reached; a milestone is reached or not, without a number."""
    if pd.isna(row["achieved"]):
        return "—"
    if row["kind"] == "milestone":
        return say("word.yes" if row["achieved"] >= 1 else "word.no", language)
    # as the target is written: a count in full, never in 万; a share with one digit where it is not whole
    digits = 1 if row["unit"] == "percent" else 2
    exact = pd.Series({"precision": digits, "unit": row["unit"], "least": 0})
    text = amount(row["achieved"], exact, language)
    if not row["lapses"]:
        return text
    # the last period may be good where an earlier one was not: the status speaks of all of them
    return say("word.lapses", language, text=text, lapses=int(row["lapses"]), records=int(row["records"]))


def promised(row: pd.Series, language: str) -> str:
    """Write what is promised; of what must rise or not fall the direction, not a number."""
    if row["kind"] == "never_falls":
        return say("word.rising" if row["relation"] == ">" else "word.not_falling", language)
    return printed(row["target_text"], row, language)


def projects(evaluation: Evaluation, language: str) -> Text:
    """Return where the building projects stand and which will be late."""
    ledger, counts = evaluation.projects, evaluation.project_counts
    if ledger.empty:
        return Text([("p", say("verdict.projects_none", language))])
    told = {
        "total": len(ledger),
        "seats": number(ledger["seats"].sum(), language, 0),
        "date": write_date(evaluation.cutoff, language),
        "opened": int(counts["opened"].sum()),
        "done": int(counts["done"].sum()),
        "planned": int(counts["planned"].sum()),
    }
    lines = [say("section.projects", language, **told)]
    late = ledger[ledger["is_late"]]
    if len(late):
        word = "section.late_projects_final" if evaluation.is_final else "section.late_projects"
        lines.append(say(word, language, count=len(late), names=join(late["name"].tolist(), language)))
    unknown = ledger.loc[~ledger["is_done"] & ledger["expected_done"].isna(), "name"].tolist()
    if unknown:
        lines.append(say("section.unknown_projects", language, count=len(unknown), names=join(unknown, language)))
    return Text([("p", line) for line in lines])


def project_table(evaluation: Evaluation, language: str) -> Table:
    """Return projects by kind and last step."""
    steps = ("planned", "approved", "started", "completed", "handed_over", "opened")
    columns = [
        Column("kind", "kind", "label:project_kind"),
        Column("projects", "projects", "number"),
        *(Column(step, step, "number") for step in steps),
        Column("late", "late_final" if evaluation.is_final else "late_expected", "number"),
    ]
    notes = [say("note.steps", language)]
    return Table(evaluation.project_counts, columns, say("caption.projects", language), language, notes)


def ledger_table(evaluation: Evaluation, language: str) -> Table:
    """Return the ledger, one row a project."""
    ledger = evaluation.with_areas(evaluation.projects)
    ledger = ledger.assign(investment=ledger["investment_yuan"] / 1e4)
    columns = [
        Column("name", "item"),
        Column("kind", "kind", "label:project_kind"),
        Column(area_column(language), "area"),
        *(Column(step, step, "iso") for step in ("approved", "started", "completed", "handed_over", "opened")),
        Column("classes", "classes", "number"),
        Column("seats", "seats", "number", 0),
        Column("investment", "investment", "number", 0),
        Column("expected_done", "expected_done", "iso"),
    ]
    return Table(ledger, columns, say("caption.ledger", language), language)


def money(evaluation: Evaluation, language: str) -> Text:
    """Return which rules about money are kept, which not, which lack data."""
    checks = evaluation.finance[
        evaluation.finance["year"].isna() | (evaluation.finance["year"] > _base(evaluation))
    ]
    kept: list[str] = []
    broken: list[str] = []
    unknown: list[str] = []
    for check, rows in checks.groupby("check", sort=False):
        name = label(str(check), language, "finance_check")
        answers = rows["is_met"].dropna()
        (unknown if answers.empty else kept if answers.all() else broken).append(name)
    total = len(kept) + len(broken) + len(unknown)
    lines = (
        [say("section.money_good", language, count=len(kept), names=join(kept, language), total=total)]
        if kept
        else []
    )
    if broken:
        lines.append(say("section.money_bad", language, names=join(broken, language)))
    if unknown:
        lines.append(say("section.money_unknown", language, names=join(unknown, language)))
    return Text([("p", line) for line in lines])


def _base(evaluation: Evaluation) -> int:
    return int(evaluation.plan.period["baseline_year"])


def _money(value: float, unit: str, language: str) -> str:
    """Write a figure of the accounts with its unit."""
    return "—" if pd.isna(value) else with_unit(number(value, language), unit_name(unit, language), language)


def finance_table(evaluation: Evaluation, language: str) -> Table:
    """Return every rule about money, year by year."""
    rows = evaluation.finance
    rows = rows[rows["year"].notna() & (rows["year"] > _base(evaluation))]
    units = ["percent" if item.endswith("_pct") else "yuan" for item in rows["item"]]  # as the item's name ends
    frame = rows.assign(
        kept=["—" if pd.isna(met) else say("word.yes" if met else "word.no", language) for met in rows["is_met"]],
        unit=units,
        value_shown=[_money(v, unit, language) for v, unit in zip(rows["value"], units, strict=True)],
        previous_shown=[_money(v, unit, language) for v, unit in zip(rows["previous"], units, strict=True)],
    )
    columns = [
        Column("check", "check", "label:finance_check"),
        Column("year", "year", "year"),
        Column("value_shown", "value", "figure", value="value"),
        Column("previous_shown", "previous", "figure", value="previous"),
        Column("kept", "is_met"),
    ]
    return Table(frame, columns, say("caption.finance", language), language)

"""The end of a report: problems and explanations, outlook, advice, what carries over, technical annex."""

from dataclasses import replace

import pandas as pd

from planlib.columns import Column
from planlib.district import Evaluation, views
from planlib.figures.marks import OUTLOOK
from planlib.narrative.between_schools import failing_units, resource_name
from planlib.narrative.chapters import achieved, promised
from planlib.narrative.opening import amount, digits, finer, in_words, lead, name, printed
from planlib.narrative.parts import Table, Text, join, say
from planlib.narrative.quality import differences, issue_table
from planlib.narrative.seats import short_items
from planlib.registry import codes, label
from planlib.words import capital, number, resource_counted
from planlib.words import resource_name as resource_short


def problems_table(evaluation: Evaluation, language: str) -> Table:
    """Return what is late with cause, measure and deadline as the offices wrote them, or that they owe them.

    All late series stand here, and whatever else somebody explained: a promise, a series that is late no longer.
    """
    late = in_words(evaluation, evaluation.late, language)
    late = late.assign(subject=late["series_id"], status=[label(s, language, "status") for s in late["status"]])
    others = explained_besides(evaluation, language)
    frame = pd.concat([late, others], ignore_index=True) if len(others) else late
    said = evaluation.explanations.drop_duplicates("subject", keep="last").set_index("subject")
    for key in ("cause", "cause_kind", "measure", "deadline"):
        written = frame["subject"].map(said[key]).astype("object")
        blank = frame["attribute"].map({"binding": say("word.owed", language)}).astype("object").fillna("—")
        frame[key] = written.where(written.notna(), blank)
    frame["cause_kind"] = [_cause_kind(kind, language) for kind in frame["cause_kind"]]
    columns = [
        Column("name", "name"),
        Column("attribute", "attribute", "label:attribute"),
        Column("status", "status"),
        Column("lead", "lead"),
        Column("cause", "cause", "long"),
        Column("cause_kind", "cause_kind"),
        Column("measure", "measure", "long"),
        Column("deadline", "deadline", "iso"),
    ]
    return Table(frame, columns, say("caption.problems", language), language)


def explained_besides(evaluation: Evaluation, language: str) -> pd.DataFrame:
    """Return what people explained besides the late series: ``subject, name, attribute, status, lead``, as printed."""
    subjects = evaluation.explanations["subject"]
    card = evaluation.scorecard[~evaluation.scorecard["series_id"].isin(evaluation.late["series_id"])]
    parts = []
    for key, table, group in (
        ("series_id", card, "status"),
        ("commitment_id", evaluation.commitments, "commitment_status"),
    ):
        rows = table[table[key].isin(subjects)]
        names, states = rows[f"name_{language}"].tolist(), [label(s, language, group) for s in rows["status"]]
        told = {"subject": rows[key].tolist(), "name": names, "status": states}
        kind = rows["attribute"].tolist() if "attribute" in rows else [None] * len(rows)
        parts.append(pd.DataFrame(told).assign(attribute=pd.Series(kind, dtype="object")))
    both = pd.concat(parts, ignore_index=True)
    return both.assign(lead=[lead(evaluation, subject, language) for subject in both["subject"]])


def outlook(evaluation: Evaluation, language: str) -> Text:
    """Return in words how many targets are likely to be met, and what the bands of the figures mean."""
    counts = evaluation.scorecard["outlook"].value_counts()
    told = {code: int(counts.get(code, 0)) for code in ("likely", "at_risk", "unlikely")}
    lines = [
        say("section.outlook", language, unknown=len(evaluation.scorecard) - sum(told.values()), **told),
        say("section.interval", language),
        say("section.outlook_volume", language),
        say("section.outlook_short", language, years=evaluation.history["year"].nunique()),
    ]
    return Text([("p", line) for line in lines])


def outlook_table(evaluation: Evaluation, language: str) -> Table:
    """Return for every series the outlook in words, with value and target; the numbers behind it are in the annex."""
    frame = in_words(evaluation, evaluation.scorecard, language)
    columns = [
        Column("number", "number", "year"),
        Column("name", "name"),
        Column("attribute", "attribute", "label:attribute"),
        Column("value_shown", "value", value="value"),
        Column("target_shown", "target", value="target"),
        Column("outlook", "outlook", "label:outlook"),
        Column("lead", "lead"),
    ]
    return Table(frame, columns, say("caption.outlook", language), language)


def required_table(evaluation: Evaluation, language: str) -> Table:
    """Return the yearly change every open target still needs, the recent one, and how many comparable series got so far."""
    rows = evaluation.required
    records = [row for _, row in rows.iterrows()]
    frame = in_words(evaluation, rows, language)
    for column in ("required_change", "recent_change"):
        frame[f"{column}_shown"] = [_yearly(row[column], row, language) for row in records]
    met = rows["is_met"].fillna(False).to_numpy()
    frame.loc[met, "required_change_shown"] = say("word.met_already", language)
    columns = [
        Column("number", "number", "year"),
        Column("name", "name"),
        Column("value_shown", "value", value="value"),
        Column("target_shown", "target", value="target"),
        Column("years_left", "years_left", "number"),
        Column("required_change_shown", "required_change", value="required_change"),
        Column("recent_change_shown", "recent_change", value="recent_change"),
        Column("percentile", "percentile", "percent", 0),
        Column("rarity", "rarity", "percent", 0),
    ]
    notes = [say("note.required", language)]
    years, headers = rows["recent_years"].max(), {}
    if years > 0:
        notes.append(say("note.recent", language, years=int(years)))
        headers = {"recent_change": say("word.recent_years", language, years=int(years))}
    return Table(frame, columns, say("caption.required", language), language, notes, headers)


def history_table(evaluation: Evaluation, language: str) -> Table:
    """Return the annual values of every series that is forecast, a column a year."""
    values = evaluation.history.assign(year=evaluation.history["year"].astype("str"))
    wide = values.pivot_table(index="series_id", columns="year", values="value").reset_index()
    years = [column for column in wide if column != "series_id"]
    rows = evaluation.plan.series.merge(wide, on="series_id")
    shown = _fine(rows, tuple(years), language)
    columns = [
        Column("number", "number", "year"),
        Column(f"name_{language}", "name"),
        Column("unit", "unit", "label:unit"),
        *(_figure(year, year) for year in years),
    ]
    return Table(shown, columns, say("caption.history", language), language, (), {year: year for year in years})


def advice(evaluation: Evaluation, language: str) -> Text:
    """Return what to do next, drawn from what is late, short, wide or missing; nothing that the data do not say."""
    lines = [
        *(_advice_on(evaluation, row, language) for _, row in evaluation.late.iterrows()),
        *_unlikely(evaluation, language),
        *_open_definitions(evaluation, language),
        *_silent_series(evaluation, language),
        *_advice_on_schools(evaluation, language),
        *_advice_on_supply(evaluation, language),
    ]
    if len(evaluation.unexplained):
        names = [name(row, language) for _, row in evaluation.unexplained.iterrows()]
        lines.append(say("advice.unexplained", language, names=join(names, language)))
    return Text([("li", line) for line in lines] or [("p", say("advice.none", language))])


def _advice_on(evaluation: Evaluation, row: pd.Series, language: str) -> str:
    office, called = lead(evaluation, row["series_id"], language), name(row, language)
    if row["direction"] == "volume":
        return say("advice.volume", language, name=called)
    left = int(str(row["target_as_of"])[:4]) - int(row["year"])
    gone = int(row["year"]) - int(str(row["baseline_as_of"])[:4])
    if evaluation.phase == "endterm":
        gap = amount(abs(row["target"] - row["value"]), _points(row, 0), language)
        return say("advice.gap", language, name=called, gap=gap, lead=office)
    if row["direction"] == "hold" or left < 1 or gone < 1:
        value, target = amount(row["value"], finer(row), language), printed(row["target_text"], row, language)
        return say("advice.held", language, name=called, value=value, target=target, lead=office)
    need = (row["target"] - row["value"]) / left
    so_far = (row["value"] - row["baseline"]) / gone
    told = {"change": _yearly(need, row, language), "pace": _yearly(so_far, row, language)}
    base = int(row["year"]) - gone
    return say("advice.indicator", language, name=called, years=left, base=base, lead=office, **told)


def _unlikely(evaluation: Evaluation, language: str) -> list[str]:
    """Warn of binding series that are not late yet but whose target is unlikely to be reached."""
    card = evaluation.scorecard
    rows = card[(card["attribute"] == "binding") & (card["outlook"] == "unlikely")]
    rows = rows[~rows["series_id"].isin(evaluation.late["series_id"])]
    return [
        say(
            "advice.unlikely",
            language,
            name=name(row, language),
            status=label(row["status"], language, "status"),
            year=str(row["target_as_of"])[:4],
            target=printed(row["target_text"], row, language),
            lead=lead(evaluation, row["series_id"], language),
        )
        for _, row in rows.iterrows()
    ]


def _yearly(change: float, row: pd.Series, language: str) -> str:
    """Write a yearly change one digit finer than the plan prints its levels."""
    word = "word.per_year_up" if change >= 0 else "word.per_year_down"
    return say(word, language, value=amount(abs(change), _points(row, 1), language))


def _points(row: pd.Series, more: int) -> pd.Series:
    """Return precision and unit of a difference: percentage points where the levels are per cent."""
    if row["unit"] == "percent":
        return pd.Series({"precision": min(int(finer(row)["precision"]) + more, 2), "unit": "percentage_point"})
    return pd.Series({"precision": int(finer(row)["precision"]) + more, "unit": row["unit"]})


def _open_definitions(evaluation: Evaluation, language: str) -> list[str]:
    rows = evaluation.scorecard[evaluation.scorecard["status"] == "ambiguous"]
    return [say("advice.ambiguous", language, name=name(row, language)) for _, row in rows.iterrows()]


def _silent_series(evaluation: Evaluation, language: str) -> list[str]:
    """Ask for the figures that nobody sent; what only a census counts nobody could have sent."""
    card = evaluation.scorecard
    rows = card[(card["status"] == "no_data") & (card["judged"] != "census")]
    names = [name(row, language) for _, row in rows.iterrows()]
    return [say("advice.no_data", language, names=join(names, language))] if names else []


def _advice_on_schools(evaluation: Evaluation, language: str) -> list[str]:
    district = evaluation.district
    check, lines = district.check, []
    failing = len(failing_units(evaluation))
    if failing:
        lacking = check.detail.loc[check.detail["state"].isin(["between", "below"]), "resource"]
        most = resource_name(evaluation, str(lacking.value_counts().idxmax()), language)
        lines.append(say("advice.schools", language, count=failing, resource=most))
    late = evaluation.late["measure"].dropna()
    stages = [m["composite"] for m in late if isinstance(m, dict) and "composite" in m]
    for stage in stages:
        rows = district.balance[
            (district.balance["stage"] == stage)
            & (district.balance["year"] == district.last_year)
            & (district.balance["resource"] != "composite")
            & district.balance["cv"].notna()
        ]
        if rows.empty:
            continue
        widest = rows.loc[rows["cv"].idxmax()]
        word = "advice.balance" if widest["resource"] in district.standard.moves else "advice.balance_fixed"
        told = {"resource": resource_name(evaluation, widest["resource"], language)}
        cv = number(widest["cv"], language, 3)
        lines.append(say(word, language, stage=capital(label(stage, language, "stage")), cv=cv, **told))
        lines.append(_least_transfer(evaluation, stage, language))
    return lines


def _least_transfer(evaluation: Evaluation, stage: str, language: str) -> str:
    """Say the least to move of the widest movable resource, or that moving it alone is not enough."""
    district = evaluation.district
    resource, plan = views.least_for_composite(district, stage)
    told = {
        "stage": capital(label(stage, language, "stage")),
        "resource": resource_short(resource, language),
        "target": number(district.composite_targets[stage], language, 2),
    }
    if plan is None:
        return say("advice.transfer_not_enough", language, **told)
    change = plan.schools["change"]
    moved = number(round(plan.total), language)
    counts = {"gives": int((change < 0).sum()), "takes": int((change > 0).sum())}
    unit = resource_counted(resource, language)
    return say("advice.transfer", language, amount=moved, unit=unit, **counts, **told)


def _advice_on_supply(evaluation: Evaluation, language: str) -> list[str]:
    lines, short = [], short_items(evaluation, language)
    if short:
        lines.append(say("advice.seats", language, names=join(short, language)))
    late = int(evaluation.projects["is_late"].sum())
    if late and evaluation.phase == "midterm":
        lines.append(say("advice.projects", language, count=late))
    silent = int((evaluation.commitments["status"] == "no_record").sum())
    if silent:
        lines.append(say("advice.records", language, count=silent))
    return lines


def carried_over(evaluation: Evaluation, language: str) -> Text:
    """Return how many items are unfinished at the end and that each needs a disposition."""
    told = {"series": len(evaluation.late), "promises": len(evaluation.unfinished)}
    return Text([("p", say("section.carried", language, count=sum(told.values()), **told))])


def carried_table(evaluation: Evaluation, language: str) -> Table:
    """Return the unfinished series and promises with room for their disposition."""
    series = in_words(evaluation, evaluation.late, language)
    late = pd.DataFrame(
        {
            "subject": series["series_id"],
            "name": series["name"],
            "unit": series["unit"],
            "target": series["target"],
            "target_shown": series["target_shown"],
            "achieved": series["value"],
            "achieved_shown": series["value_shown"],
            "status": [label(s, language, "status") for s in series["status"]],
        }
    )
    rows = [row for _, row in evaluation.unfinished.iterrows()]
    promises = pd.DataFrame(
        {
            "subject": [row["commitment_id"] for row in rows],
            "name": [name(row, language) for row in rows],
            "unit": [row["unit"] for row in rows],
            "target": [row["target"] for row in rows],
            "target_shown": [promised(row, language) for row in rows],
            "achieved": [row["achieved"] for row in rows],
            "achieved_shown": [achieved(row, language) for row in rows],
            "status": [label(row["status"], language, "commitment_status") for row in rows],
        }
    )
    said = evaluation.explanations.drop_duplicates("subject", keep="last").set_index("subject")
    both = pd.concat([late, promises], ignore_index=True)
    kinds, measures = (both["subject"].map(said[key]).astype("object") for key in ("cause_kind", "measure"))
    frame = both.assign(
        cause_kind=[_cause_kind(kind, language) for kind in kinds.fillna("—")],
        disposition=measures.fillna(say("word.to_fill", language)),
        lead=[lead(evaluation, subject, language) for subject in both["subject"]],
    )
    columns = [
        Column("name", "item"),
        Column("target_shown", "target", value="target"),
        Column("achieved_shown", "achieved", value="achieved"),
        Column("status", "status"),
        Column("cause_kind", "cause_kind"),
        Column("lead", "lead"),
        Column("disposition", "disposition"),
    ]
    return Table(frame, columns, say("caption.carried", language), language, [say("note.disposition", language)])


REVIEWED = ("median", "lower_80", "upper_80", "naive", "actual")
FEASIBLE = ("cautious", "likely", "ambitious")


def _fine(rows: pd.DataFrame, columns: tuple[str, ...], language: str) -> pd.DataFrame:
    """Add ``<column>_shown``: columns of a table of series with the digits each needs, a coefficient three, a count none."""
    records = [row for _, row in rows.iterrows()]
    return rows.assign(**{f"{c}_shown": [digits(row[c], row, language) for row in records] for c in columns})


def _figure(name: str, header: str) -> Column:
    """Return the column of a frame of `_fine`."""
    return Column(f"{name}_shown", header, "figure", value=name)


def verdicts(evaluation: Evaluation, language: str) -> Text:
    """Return at the end how the mid-term's judgements turned out: of the likely, how many were met, and so on."""
    judged = evaluation.earlier.scorecard[["series_id", "outlook"]].dropna()
    both = judged.merge(evaluation.scorecard[["series_id", "is_met"]], on="series_id")
    words = [
        say(
            "section.verdict_class",
            language,
            outlook=label(str(code), language, "outlook"),
            count=len(rows),
            met=int(rows["is_met"].fillna(False).sum()),
        )
        for code, rows in ((code, both[both["outlook"] == code]) for code in OUTLOOK)
        if len(rows)
    ]
    return Text([("p", say("section.verdicts", language, classes=join(words, language)))])


def review_table(evaluation: Evaluation, language: str) -> Table:
    """Return what the mid-term forecast for the target year against what came."""
    rows = evaluation.forecast_review
    inside = [say("word.yes" if is_in else "word.no", language) for is_in in rows["is_inside_80"]]
    frame = _fine(rows, REVIEWED, language).assign(name=rows[f"name_{language}"], inside=inside)
    columns = [
        Column("number", "number", "year"),
        Column("name", "name"),
        Column("unit", "unit", "label:unit"),
        *(_figure(key, key) for key in REVIEWED),
        Column("inside", "inside"),
    ]
    return Table(frame, columns, say("caption.review", language), language)


def enrolment_review_table(evaluation: Evaluation, language: str) -> Table:
    """Return the pupils the mid-term projected for the last year of the plan against those who came."""
    rows = evaluation.enrolment_review
    inside = [say("word.yes" if is_in else "word.no", language) for is_in in rows["is_inside_80"]]
    columns = [
        Column("stage", "stage", "label:stage"),
        Column("year", "year", "year"),
        Column("students", "median", "number", 0),
        Column("lower", "lower_80", "number", 0),
        Column("upper", "upper_80", "number", 0),
        Column("naive", "naive", "number", 0),
        Column("actual", "actual", "number", 0),
        Column("inside", "inside"),
    ]
    return Table(rows.assign(inside=inside), columns, say("caption.enrolment_review", language), language)


def feasible_table(evaluation: Evaluation, language: str) -> Table:
    """Return a cautious, a likely and an ambitious level at the end of the next plan, for every series forecast."""
    frame = _fine(evaluation.feasible, ("value", *FEASIBLE), language)
    columns = [
        Column("number", "number", "year"),
        Column(f"name_{language}", "name"),
        Column("unit", "unit", "label:unit"),
        _figure("value", "value"),
        Column("year", "year", "year"),
        *(_figure(key, key) for key in FEASIBLE),
    ]
    return Table(frame, columns, say("caption.feasible", language), language, [say("note.feasible", language)])


def probability_table(evaluation: Evaluation, language: str) -> Table:
    """Return the annex to the outlook: probability, forecast at the target year, no change, growth ratio."""
    ahead = ("median_target_year", "lower_80", "upper_80", "naive_target_year")
    card = _fine(evaluation.scorecard, ahead, language)
    columns = [
        Column("number", "number", "year"),
        Column(f"name_{language}", "name"),
        Column("status", "status", "label:status"),
        Column("outlook", "outlook", "label:outlook"),
        Column("pace", "pace", "number", 2),
        Column("cagr_ratio", "cagr", "number", 2),
        Column("probability", "probability", "percent", 0),
        _figure("median_target_year", "median"),
        _figure("lower_80", "lower_80"),
        _figure("upper_80", "upper_80"),
        _figure("naive_target_year", "naive"),
    ]
    notes = [say("note.probability", language), say("note.cagr", language)]
    return Table(card, columns, say("caption.probabilities", language), language, notes)


def methods(language: str) -> Text:
    """Return the methods in a few sentences, with the assumptions they rest on."""
    return Text(
        [("p", say(f"methods.{part}", language)) for part in ("coefficient", "forecast", "enrolment", "targets")]
    )


def check_table(evaluation: Evaluation, language: str) -> Table:
    """Return what each forecast rests on: how many values, and the gain on no change to expect from such a series."""
    ahead, card = evaluation.forecast, evaluation.scorecard
    last = ahead.sort_values("year").drop_duplicates("series_id", keep="last").set_index("series_id")
    values = evaluation.history.groupby("series_id")["year"].nunique()
    frame = card[card["series_id"].isin(last.index)]
    frame = frame.assign(
        values=frame["series_id"].map(values), skill=frame["series_id"].map(last["expected_skill"])
    )
    columns = [
        Column("number", "number", "year"),
        Column(f"name_{language}", "name"),
        Column("values", "values", "number"),
        Column("skill", "skill", "percent"),
    ]
    return Table(frame, columns, say("caption.checks", language), language)


def sensitivity_table(evaluation: Evaluation, language: str) -> Table:
    """Return how many indicators would stand in each class under other cut points."""
    rows = evaluation.sensitivity
    named = {"chosen": say("word.chosen", language)}
    named |= {a["id"]: a[language] for a in evaluation.district.rules.get("alternatives", [])}
    shown = [c for c in rows.columns if c.startswith("n_") and rows[c].any()][::-1]
    frame = rows.assign(alternative=rows["alternative"].map(named))
    headers = {c: label(c.removeprefix("n_"), language, "status") for c in shown}
    columns = [
        Column("alternative", "alternative"),
        *(Column(c, c, "number") for c in shown),
        Column("changed", "changed", "number"),
    ]
    caption = say("caption.sensitivity", language, total=len(evaluation.indicators))
    return Table(frame, columns, caption, language, (), headers)


def issues_table(evaluation: Evaluation, language: str) -> Table:
    """Return the warnings and notes on the data of the years this report may know, and reported figures that differ."""
    table = issue_table(evaluation.issues, language)
    return replace(table, notes=[*table.notes, *differences(evaluation.district, language)])


def _cause_kind(kind: object, language: str) -> str:
    return label(str(kind), language, "cause_kind") if kind in codes("cause_kind") else str(kind)

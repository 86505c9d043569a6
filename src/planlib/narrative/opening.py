"""The first page and the first chapter: what this is, what it finds, on what basis."""

import re

import pandas as pd

from planlib import schema
from planlib.columns import Column, write_date
from planlib.district import Evaluation
from planlib.figures.marks import PROMISE, STATUS
from planlib.narrative.parts import Table, Text, join, say
from planlib.registry import label, parse_target
from planlib.words import (
    MULTIPLES,
    finer_decimals,
    is_missing,
    number,
    percent,
    telling_decimals,
    unit_name,
    with_unit,
)


def amount(value: object, row: pd.Series, language: str) -> str:
    """Write a value of a series at the precision the plan prints, with its unit.

    Examples
    --------
    >>> amount(76.3612, pd.Series({"precision": 2, "unit": "percent"}), "zh")
    '76.36%'
    >>> people = pd.Series({"precision": 1, "unit": "ten_thousand_persons"})
    >>> amount(4.2447, people, "zh"), amount(4.2447, people, "en")
    ('4.2万人', '42,000 persons')
    >>> amount(float("nan"), people, "en")
    '—'
    """
    if is_missing(value):
        return number(value, language)
    decimals = int(row["precision"]) if pd.notna(row.get("precision")) else None
    least = row.get("least")
    if least is not None:
        decimals = telling_decimals(float(str(value)), int(least), int(decimals or 0))
    unit = str(row["unit"])
    for prefix, factor in MULTIPLES.items():
        if language == "en" and unit.startswith(prefix):
            whole = round(float(str(value)), 2 if decimals is None else decimals) * factor
            return with_unit(f"{whole:,.0f}", unit_name(_SINGLE[unit.removeprefix(prefix)], language), language)
    text = number(value, language, decimals)
    return with_unit(text, unit_name(unit, language, text), language)


_SINGLE = {"persons": "person", "m2": "m2", "yuan": "yuan"}


def finer(row: pd.Series) -> pd.Series:
    """Return a row whose values show `finer_decimals`; ``least`` is the plan's own precision."""
    least = int(row["precision"])
    return pd.Series({"precision": finer_decimals(str(row["unit"]), least), "unit": row["unit"], "least": least})


def digits(value: object, row: pd.Series, language: str) -> str:
    """Write a value of a series without its unit, as fine as its tables need."""
    return number(value, language, int(finer(row)["precision"]))


def printed(text: object, row: pd.Series, language: str) -> str:
    """Write a figure as the plan prints it, its sign kept, with its unit if the print has none.

    Examples
    --------
    >>> printed(">95", pd.Series({"precision": 1, "unit": "percent"}), "zh")
    '>95%'
    """
    unit = unit_name(row["unit"], language, str(text))
    if unit and str(text).endswith(unit):
        return str(text)
    if language == "en" and str(row["unit"]).startswith(tuple(MULTIPLES)):
        target = parse_target(str(text))
        exact = pd.Series({"precision": target.precision, "unit": row["unit"]})
        return (target.relation if target.relation != "=" else "") + amount(target.value, exact, language)
    if language == "en":
        text = re.sub(r"\d{4,}", lambda digits: f"{int(digits[0]):,}", str(text))
    return with_unit(str(text), unit, language)


def name(row: pd.Series, language: str) -> str:
    """Return the name of a row in the language."""
    return str(row[f"name_{language}"])


def lead(evaluation: Evaluation, subject: str, language: str) -> str:
    """Return the leading office, or that it is still to be named."""
    return evaluation.lead(subject, language) or say("unknown_lead", language)


def in_words(evaluation: Evaluation, series: pd.DataFrame, language: str) -> pd.DataFrame:
    """Add to rows of the scorecard what a table prints: ``name``, figures with units, leading and supporting offices."""
    rows = [row for _, row in series.iterrows()]
    return series.assign(
        name=[name(row, language) for row in rows],
        baseline_shown=[printed(row["baseline_text"], row, language) for row in rows],
        value_shown=[amount(row["value"], finer(row), language) for row in rows],
        target_shown=[printed(row["target_text"], row, language) for row in rows],
        lead=[lead(evaluation, row["series_id"], language) for row in rows],
        support=[join(evaluation.support(row["series_id"], language), language) for row in rows],
    )


def title(evaluation: Evaluation, language: str) -> Text:
    """Return the head of the first page: title, plan document, cutoff, notice of simulated data."""
    plan = evaluation.plan
    lines = [("h1", say(f"title.{evaluation.phase}", language, plan=plan.title[language], year=evaluation.year))]
    if plan.document:
        issued = write_date(plan.document["date"], language)
        lines.append(("subtitle", say("title.document", language, number=plan.document["number"], date=issued)))
    known = write_date(evaluation.cutoff, language)
    lines.append(("subtitle", say("title.cutoff", language, year=evaluation.year, date=known)))
    if evaluation.is_simulated:
        lines.append(("note", say("title.simulated", language)))
    return Text(lines)


def verdict(evaluation: Evaluation, language: str) -> Text:
    """Return the first page's verdict: how many of the indicators in each class, what is late, who answers by when."""
    lines = [("h2", say("verdict.heading", language)), ("p", classes_sentence(evaluation, language))]
    late = evaluation.late[evaluation.late["attribute"] == "binding"]
    if late.empty:
        lines.append(("p", _none_late(evaluation, language)))
    else:
        word = "verdict.missed_some" if evaluation.is_final else "verdict.late_some"
        lines.append(("p", say(word, language, count=len(late))))
        lines += [("li", _late_item(evaluation, row, language)) for _, row in late.iterrows()]
        if silent := _silent_binding(evaluation):
            lines.append(("p", say("verdict.binding_silent", language, count=silent)))
    lines += [("p", s(evaluation, language)) for s in (promises_sentence, projects_sentence, balance_sentence)]
    last = _review(evaluation, language) if evaluation.phase == "endterm" else _outlook(evaluation, language)
    return Text([*lines, ("p", last)], "verdict")


_PROJECTS = {"total": "projects", "done": "done", "late": "late"}


def _none_late(evaluation: Evaluation, language: str) -> str:
    """Say that no binding series is late, and of how many nothing is known: silence is no success."""
    if silent := _silent_binding(evaluation):
        return say("verdict.late_unknown", language, count=silent)
    has_binding = (evaluation.scorecard["attribute"] == "binding").any()
    return say("verdict.late_none" if has_binding else "verdict.binding_none", language)


def _silent_binding(evaluation: Evaluation) -> int:
    card = evaluation.scorecard
    return int(((card["attribute"] == "binding") & (card["status"] == "no_data")).sum())


def classes_sentence(evaluation: Evaluation, language: str) -> str:
    """Say how many of the indicators stand in each class, or at the end how many are met."""
    counts = evaluation.counts.set_index("status")["total"].reindex(
        list(STATUS)
    )  # good to bad, then what is unknown
    counts = counts[counts > 0]
    indicators = evaluation.indicators
    is_binding = indicators["attribute"] == "binding"
    words = {
        s: say("verdict.class", language, status=label(s, language, "status"), count=n) for s, n in counts.items()
    }
    told = {
        "date": write_date(evaluation.cutoff, language),
        "total": len(indicators),
        "binding": int(is_binding.sum()),
        "anticipatory": int((~is_binding).sum()),
    }
    if not evaluation.is_final:
        return say("verdict.midterm", language, classes=join(list(words.values()), language), **told)
    rest = [word for status, word in words.items() if status not in ("met", "not_met")]
    return say(
        "verdict.endterm",
        language,
        met=int(counts.get("met", 0)),
        not_met=int(counts.get("not_met", 0)),
        binding_met=int((indicators["is_met"].fillna(False).astype(bool) & is_binding).sum()),
        rest=say("verdict.rest", language, classes=join(rest, language)) if rest else "",
        **told,
    )


def _late_item(evaluation: Evaluation, row: pd.Series, language: str) -> str:
    said = evaluation.explanations[evaluation.explanations["subject"] == row["series_id"]]
    answer = (
        say("verdict.unexplained", language)
        if said.empty
        else say("verdict.explained", language, deadline=write_date(said["deadline"].iloc[0], language))
    )
    return say(
        "verdict.late_item",
        language,
        name=name(row, language),
        baseline=printed(row["baseline_text"], row, language),
        value=amount(row["value"], finer(row), language),
        target=printed(row["target_text"], row, language),
        status=label(row["status"], language, "status"),
        lead=lead(evaluation, row["series_id"], language),
        answer=answer,
    )


def promises_sentence(evaluation: Evaluation, language: str) -> str:
    """Say how many of the promises stand in each class."""
    counts = evaluation.commitments["status"].value_counts().reindex(list(PROMISE)).dropna().astype(int)
    if counts.empty:
        return say("verdict.commitments_none", language)
    words = [
        say("verdict.class", language, status=label(str(s), language, "commitment_status"), count=n)
        for s, n in counts.items()
    ]
    return say("verdict.commitments", language, total=len(evaluation.commitments), classes=join(words, language))


def projects_sentence(evaluation: Evaluation, language: str) -> str:
    """Say how many building projects there are, how many are delivered, how many will be late."""
    counts = evaluation.project_counts
    totals = {key: int(counts[column].sum()) for key, column in _PROJECTS.items()}
    if not totals["total"]:
        return say("verdict.projects_none", language)
    return say("verdict.projects_final" if evaluation.is_final else "verdict.projects", language, **totals)


def balance_sentence(evaluation: Evaluation, language: str) -> str:
    """Say the composites of the last year beside their targets, and which single coefficients exceed the cap."""
    district = evaluation.district
    rows = district.balance[district.balance["year"] == district.last_year]
    composites = rows[rows["resource"] == "composite"].set_index("stage")["cv"]
    broken = over_cap(evaluation)
    names = [
        f"{label(row.stage, language, 'stage')}·{district.standard.labels[row.resource][language]}"
        for row in broken.itertuples()
    ]
    targets = _composite_targets(evaluation)
    known = single_coefficients(evaluation)["cv"]
    if known.isna().all():
        return say("verdict.balance_unknown", language, year=district.last_year)
    caps = say("verdict.caps_broken", language, count=len(names), names=join(names, language)) if names else ""
    if known.isna().any():
        caps = join(
            [*([caps] if caps else []), say("verdict.caps_unknown", language, count=known.isna().sum())], language
        )
    return say(
        "verdict.balance",
        language,
        year=district.last_year,
        primary=number(composites.get("primary"), language, 3),
        junior=number(composites.get("junior"), language, 3),
        primary_target=targets.get("primary", "—"),
        junior_target=targets.get("junior", "—"),
        caps=caps or say("verdict.caps_held", language),
    )


def single_coefficients(evaluation: Evaluation) -> pd.DataFrame:
    """Return the coefficients of the last year without the composites."""
    rows = evaluation.district.balance
    return rows[(rows["year"] == evaluation.district.last_year) & (rows["resource"] != "composite")]


def over_cap(evaluation: Evaluation) -> pd.DataFrame:
    """Return the single coefficients of the last year that exceed the national cap of their stage."""
    rows = single_coefficients(evaluation)
    return rows[rows["cv"] > rows["stage"].map(evaluation.district.standard.caps) + 1e-9]


def _composite_targets(evaluation: Evaluation) -> dict[str, str]:
    series = evaluation.plan.series
    return {
        row.measure["composite"]: row.target_text
        for row in series.itertuples()
        if isinstance(row.measure, dict) and "composite" in row.measure
    }


def _outlook(evaluation: Evaluation, language: str) -> str:
    counts = evaluation.scorecard["outlook"].value_counts()
    words = [
        say("verdict.outlook_class", language, outlook=label(code, language, "outlook"), count=counts[code])
        for code in ("likely", "at_risk", "unlikely")
        if code in counts
    ]
    year = evaluation.plan.period["last_year"]
    if not words:
        return say("verdict.outlook_none", language, year=year)
    return say(
        "verdict.outlook", language, year=year, total=len(evaluation.scorecard), classes=join(words, language)
    )


def _review(evaluation: Evaluation, language: str) -> str:
    review = evaluation.forecast_review
    if review.empty:
        return say("verdict.review_none", language)
    gain = 1 - review["error"].sum() / review["naive_error"].sum() if review["naive_error"].sum() else 0.0
    share = percent(abs(gain), language)
    return say(
        "verdict.forecast_review",
        language,
        count=len(review),
        inside=int(review["is_inside_80"].sum()),
        better=say("verdict.better" if gain >= 0 else "verdict.worse", language, percent=share),
    )


def basis(evaluation: Evaluation, language: str) -> Text:
    """Return the first chapter: purpose, dates, method, boundary, data."""
    phase = say(f"basis.phase_{evaluation.phase}", language)
    cut = {key: f"{float(entry['value']):.2f}" for key, entry in evaluation.district.rules["pace"].items()}
    lines = [
        say("basis.purpose", language, phase=phase),
        say("basis.time", language, year=evaluation.district.last_year,
            date=write_date(evaluation.cutoff, language)),
        say("basis.pace", language, **cut) if evaluation.phase == "midterm" else say("basis.endterm_rule", language),
        say("basis.coefficient", language),
    ]  # fmt: skip
    if evaluation.plan.boundary:
        lines.append(say("basis.boundary", language, boundary=evaluation.plan.boundary[language]))
    return Text([("p", line) for line in [*lines, _data(evaluation, language)]])


def _data(evaluation: Evaluation, language: str) -> str:
    levels = evaluation.issues["level"].value_counts()
    return say(
        "basis.data",
        language,
        files=evaluation.files_read,
        warnings=int(levels.get("warning", 0)),
        notes=int(levels.get("note", 0)),
    )


def definitions_table(evaluation: Evaluation, language: str) -> Table:
    """Return the 口径表: for every series its definition, source, date, standing, way of judging and who answers."""
    card = evaluation.scorecard
    reported = evaluation.district.tables["observations"].drop_duplicates("series_id", keep="last")
    offices = card["series_id"].map(reported.set_index("series_id")["source_office"])
    offices = offices.map(lambda office: evaluation.office(office, language), na_action="ignore")
    frame = in_words(evaluation, card, language).assign(
        definition=[definition(measure, language) for measure in card["measure"]],
        origin=offices.where(card["source"] != "returns", say("word.returns", language)),
        place=card["reference"] if language == "zh" else card["reference_en"],
    )
    columns = [
        Column("number", "number", "year"),
        Column("name", "name"),
        Column("definition", "definition", "long"),
        Column("origin", "origin"),
        Column("as_of", "as_of", "iso"),
        Column("observation_status", "reported_status", "label:observation_status"),
        Column("judged", "judged", "label:judged"),
        Column("lead", "lead"),
        Column("support", "support"),
        Column("place", "reference"),
    ]
    return Table(frame, columns, say("caption.definitions", language), language)


def definition(measure: object, language: str) -> str:
    """Say in words how a declared measure is read off the school returns; empty for reported series.

    Examples
    --------
    >>> share = {"sum": "students", "where": {"stage": "preschool", "ownership": "public"},
    ...          "over": "students", "over_where": {"stage": "preschool"}}
    >>> definition(share, "zh")
    '学前段：在校学生数（公办）÷在校学生数'
    """
    if not isinstance(measure, dict):
        return ""
    if "composite" in measure:
        return say("measure.composite", language, stage=label(measure["composite"], language, "stage"))
    where, whole = measure.get("where", {}), measure.get("over_where", {})
    if "over" not in measure:
        return _part(measure.get("sum"), where, language)
    # what holds above and below the line is the scope: said once, in front
    own = {name: wanted for name, wanted in where.items() if whole.get(name) != wanted}
    over = measure["over"] if measure["over"] != "schools" else None
    share = say(
        "measure.over",
        language,
        top=_part(measure.get("sum"), own, language),
        bottom=_part(over, {}, language),
    )
    scope = join([_condition(name, wanted, language) for name, wanted in whole.items()], language)
    return say("measure.scope", language, scope=scope, share=share) if scope else share


def _part(column: str | None, where: dict[str, object], language: str) -> str:
    what = schema.label(column, language) if column else say("measure.count", language)
    words = [_condition(name, wanted, language) for name, wanted in where.items()]
    return say("measure.of", language, what=what, where=join(words, language)) if words else what


def _condition(name: str, wanted: object, language: str) -> str:
    if wanted == "any":
        return say("measure.any", language, what=schema.label(name, language))
    if isinstance(wanted, bool):
        word = schema.label(name, language)
        return word if wanted else say("measure.not", language, what=word)
    codes = wanted if isinstance(wanted, list) else [wanted]
    return say("measure.or", language).join(label(str(code), language, name) for code in codes)

"""The body of a report: indicators, promises, projects, balance, places, money."""

import pandas as pd

from planlib.district import Evaluation, views
from planlib.figures.marks import STATUS
from planlib.narrative.opening import amount, lead, over_cap, printed
from planlib.narrative.parts import Column, Table, Text, join, say, write_date
from planlib.registry import label
from planlib.words import capital, factor, number

LATE_PROMISES = ("late", "not_kept")
FACTORS = ("resources", "pupils", "opened", "closed", "reported")


def indicator_table(evaluation: Evaluation, language: str) -> Table:
    """Return the main table: the 24 series with baseline, value, target, progress and status."""
    card = evaluation.scorecard
    frame = card.assign(
        name=card[f"name_{language}"],
        baseline_shown=[printed(row["baseline_text"], row, language) for _, row in card.iterrows()],
        value_shown=[amount(row["value"], row, language) for _, row in card.iterrows()],
        target_shown=[printed(row["target_text"], row, language) for _, row in card.iterrows()],
    )
    columns = [
        Column("number", "number", "year"),
        Column("name", "name"),
        Column("attribute", "attribute", "label:attribute"),
        Column("baseline_shown", "baseline"),
        Column("value_shown", "value"),
        Column("target_shown", "target"),
        Column("progress", "progress", "percent"),
        Column("elapsed", "elapsed", "percent", 0),
        Column("status", "status", "label:status"),
    ]
    if "status_amended" in card and card["status_amended"].notna().any():
        columns.append(Column("status_amended", "status_amended", "label:status"))
    notes = [say("note.printed", language), say("note.elapsed", language)]
    return Table(frame, columns, say("caption.indicators", language), language, notes)


def count_table(evaluation: Evaluation, language: str) -> Table:
    """Return how many of the 20 indicators stand in each class, binding and anticipatory."""
    counts = evaluation.counts.set_index("status").reindex(list(STATUS)).reset_index()
    frame = counts[counts["total"] > 0]
    columns = [
        Column("status", "status", "label:status"),
        Column("binding", "binding", "number"),
        Column("anticipatory", "anticipatory", "number"),
        Column("total", "total", "number"),
    ]
    return Table(frame, columns, say("caption.counts", language), language)


def promises(evaluation: Evaluation, language: str) -> Text:
    """Return what is late among the promises, by box, and what has no record."""
    table = evaluation.commitments
    late = table[table["status"].isin(LATE_PROMISES)]
    names = evaluation.plan.frame.set_index("frame_id")[f"name_{language}"]
    if late.empty:
        lines = [say("section.no_late_boxes", language)]
    else:
        places = late["box"].fillna(late["task"]).fillna(late["safeguard"])
        worst = [names[code] for code in places.value_counts().index[:3]]
        lines = [say("section.late_boxes", language, count=len(late), names=join(worst, language))]
    silent = int((table["status"] == "no_record").sum())
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
        target_shown=[printed(row["target_text"], row, language) for _, row in chosen.iterrows()],
        achieved_shown=[achieved(row, language) for _, row in chosen.iterrows()],
        lead=[lead(evaluation, c, language) for c in chosen["commitment_id"]],
    )
    columns = [
        Column("name", "item"),
        Column("place", "box"),
        Column("target_shown", "target"),
        Column("achieved_shown", "achieved"),
        Column("as_of", "as_of", "date"),
        Column("status", "status", "label:commitment_status"),
        Column("lead", "lead"),
    ]
    caption = "caption.late_commitments" if only_late else "caption.commitments"
    return Table(frame, columns, say(caption, language), language)


def achieved(row: pd.Series, language: str) -> str:
    """Write what a promise has reached; a milestone is reached or not, without a number."""
    if pd.isna(row["achieved"]):
        return "—"
    if row["kind"] == "milestone":
        return say("word.yes" if row["achieved"] >= 1 else "word.no", language)
    return amount(row["achieved"], row, language)


def projects(evaluation: Evaluation, language: str) -> Text:
    """Return where the building projects stand and which will be late."""
    ledger, counts = evaluation.projects, evaluation.project_counts
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
        lines.append(
            say("section.late_projects", language, count=len(late), names=join(late["name"].tolist(), language))
        )
    return Text([("p", line) for line in lines])


def project_table(evaluation: Evaluation, language: str) -> Table:
    """Return projects by kind and last step."""
    steps = ("planned", "approved", "started", "completed", "handed_over", "opened", "late")
    columns = [
        Column("kind", "kind", "label:project_kind"),
        Column("projects", "projects", "number"),
        *(Column(step, step, "number") for step in steps),
    ]
    return Table(evaluation.project_counts, columns, say("caption.projects", language), language)


def ledger_table(evaluation: Evaluation, language: str) -> Table:
    """Return the ledger, one row a project."""
    ledger = evaluation.projects.assign(investment=evaluation.projects["investment_yuan"] / 1e4)
    columns = [
        Column("name", "item"),
        Column("kind", "kind", "label:project_kind"),
        Column("area", "area"),
        *(Column(step, step) for step in ("approved", "started", "completed", "handed_over", "opened")),
        Column("classes", "classes", "number"),
        Column("seats", "seats", "number", 0),
        Column("investment", "investment", "number", 0),
        Column("expected_done", "expected_done"),
    ]
    return Table(ledger, columns, say("caption.ledger", language), language)


def balance(evaluation: Evaluation, language: str) -> Text:
    """Return how the coefficients moved, which is widest, and how many schools meet the standard."""
    district = evaluation.district
    lines = [_trend(evaluation, stage, language) for stage in ("primary", "junior")]
    if views.since_baseline(district):
        lines += [_causes(evaluation, language), _robust(evaluation, language)]
    schools = district.check.schools
    failing = int((~schools["is_passing"]).sum())
    found = (
        say("section.failing_some", language, count=failing) if failing else say("section.failing_none", language)
    )
    told = {"year": district.last_year, "units": len(schools), "passing": int(schools["is_passing"].sum())}
    lines += [say("section.standard", language, failing=found, **told), say("section.standard_scope", language)]
    return Text([("p", line) for line in lines])


def _causes(evaluation: Evaluation, language: str) -> str:
    """Say what drove the change of each composite: the parts add up to it."""
    table = views.change(evaluation.district)
    parts = []
    for row in table[table["resource"] == "composite"].to_dict("records"):
        drivers = sorted((f for f in FACTORS if row[f"by_{f}"]), key=lambda f: -abs(row[f"by_{f}"]))
        said = [
            say("section.balance_driver", language, name=factor(f, language), effect=_signed(row[f"by_{f}"]))
            for f in drivers
        ]
        parts.append(
            say(
                "section.balance_causes_stage",
                language,
                stage=label(str(row["stage"]), language, "stage"),
                change=_signed(row["after"] - row["before"]),
                drivers=join(said, language),
            )
        )
    return say("section.balance_causes", language, stages=say("clause_separator", language).join(parts))


def _robust(evaluation: Evaluation, language: str) -> str:
    """Say whether each change of the composite rests on few schools."""
    table = views.robustness(evaluation.district)
    parts = []
    for row in table[table["resource"] == "composite"].itertuples():
        word = "falls" if row.upper < 0 else "rises" if row.lower > 0 else "open"
        ends = {"lower": _signed(row.lower), "upper": _signed(row.upper)}
        stage = label(str(row.stage), language, "stage")
        parts.append(say(f"section.balance_{word}", language, stage=stage, **ends))
    return say("section.balance_robust", language, stages=say("clause_separator", language).join(parts))


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _trend(evaluation: Evaluation, stage: str, language: str) -> str:
    district = evaluation.district
    rows = district.balance[district.balance["stage"] == stage].set_index(["year", "resource"])["cv"]
    base, year = evaluation.plan.period["baseline_year"], district.last_year
    single = rows[year].drop("composite")
    worst = str(single.idxmax())
    return say(
        "section.balance_trend",
        language,
        stage=capital(label(stage, language, "stage")),
        base_year=base,
        base=number(rows.get((base, "composite")), language, 3),
        year=year,
        value=number(rows[(year, "composite")], language, 3),
        worst=district.standard.labels[worst][language],
        cv=number(single.max(), language, 3),
        cap=number(district.standard.caps[stage], language, 2),
    )


def balance_table(evaluation: Evaluation, language: str) -> Table:
    """Return the seven coefficients and the composite, baseline and last year, both stages."""
    district = evaluation.district
    years = [evaluation.plan.period["baseline_year"], district.last_year]
    rows = district.balance[district.balance["year"].isin(years)]
    wide = rows.pivot_table(index="resource", columns=["stage", "year"], values="cv", sort=False).reset_index()
    order = [*district.standard.resources, "composite"]
    wide = wide.set_index("resource").reindex(order).reset_index()
    frame = pd.DataFrame({"resource": [resource_name(evaluation, r, language) for r in order]})
    columns = [Column("resource", "resource")]
    headers = {}
    for stage in ("primary", "junior"):
        for year in years:
            key = f"{stage}_{year}"
            frame[key] = wide[(stage, year)].to_numpy()
            columns.append(Column(key, key, "number", 3))
            headers[key] = f"{label(stage, language, 'stage')} {year}"
        frame[f"cap_{stage}"] = [district.standard.caps[stage]] * len(order[:-1]) + [float("nan")]
        columns.append(Column(f"cap_{stage}", "cap", "number", 2))
    notes = [say("note.cap", language)]
    return Table(frame, columns, say("caption.balance", language), language, notes, headers)


def resource_name(evaluation: Evaluation, resource: str, language: str) -> str:
    """Return a resource's name as the standard prints it, or the composite's."""
    if resource == "composite":
        return say("word.composite", language)
    return evaluation.district.standard.labels[resource][language]


def failing_table(evaluation: Evaluation, language: str) -> Table:
    """Return the school units that fail the standard, with what each lacks to the threshold."""
    district = evaluation.district
    check = district.check
    failing = check.schools.loc[~check.schools["is_passing"], ["school_id", "stage", "year"]]
    lacks = check.detail[check.detail["state"] != "met"].merge(failing, on=["school_id", "stage", "year"])
    known = district.stage_resources[["school_id", "stage", "year", "school_name"]]
    lacks = lacks.merge(known, on=["school_id", "stage", "year"])
    frame = lacks.assign(resource=[resource_name(evaluation, r, language) for r in lacks["resource"]])
    columns = [
        Column("school_name", "school"),
        Column("stage", "stage", "label:stage"),
        Column("resource", "resource"),
        Column("value", "value", "number", 2),
        Column("threshold", "threshold", "number", 2),
        Column("to_buy", "shortfall", "number"),
    ]
    return Table(frame, columns, say("caption.failing", language), language)


def places(evaluation: Evaluation, language: str) -> Text:
    """Return what enrolment will be and where places are short."""
    end = evaluation.seats_year
    lines = []
    for row in evaluation.enrolment_outlook.itertuples():
        lines.append(
            say(
                "section.enrolment",
                language,
                stage=label(row.stage, language, "stage"),
                year=evaluation.district.last_year,
                now=number(row.now, language, 0),
                end_year=end,
                median=number(row.median, language, 0),
                lower=number(row.lower, language, 0),
                upper=number(row.upper, language, 0),
            )
        )
    lines.append(short_places(evaluation, language) or say("section.seats_enough", language, year=end))
    return Text([("p", line) for line in lines])


def short_items(evaluation: Evaluation, language: str) -> list[str]:
    """Return the areas and stages that are short of places in the last projected year."""
    seats = evaluation.seats_by_area
    short = seats[(seats["year"] == evaluation.seats_year) & (seats["shortage"] > 0)]
    return [
        say(
            "section.seats_item",
            language,
            area=row.area,
            stage=label(row.stage, language, "stage"),
            count=number(row.shortage, language, 0),
        )
        for row in short.itertuples()
    ]


def short_places(evaluation: Evaluation, language: str) -> str:
    """Return one sentence on shortages, or ``""`` where there are none."""
    items = short_items(evaluation, language)
    if not items:
        return ""
    return say("section.seats_short", language, year=evaluation.seats_year, names=join(items, language))


def seats_table(evaluation: Evaluation, language: str) -> Table:
    """Return places needed and available by area and stage in the last projected year."""
    seats = evaluation.seats_by_area
    seats = seats[seats["year"] == evaluation.seats_year]
    columns = [
        Column("area", "area"),
        Column("stage", "stage", "label:stage"),
        Column("year", "year", "year"),
        Column("students", "students", "number", 0),
        Column("seats", "available", "number", 0),
        Column("balance", "balance", "number", 0),
    ]
    return Table(seats, columns, say("caption.seats", language), language, [say("note.seats", language)])


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
    lines = [say("section.money_good", language, count=len(kept), names=join(kept, language))] if kept else []
    if broken:
        lines.append(say("section.money_bad", language, names=join(broken, language)))
    if unknown:
        lines.append(say("section.money_unknown", language, names=join(unknown, language)))
    return Text([("p", line) for line in lines])


def _base(evaluation: Evaluation) -> int:
    return int(evaluation.plan.period["baseline_year"])


def finance_table(evaluation: Evaluation, language: str) -> Table:
    """Return every rule about money, year by year."""
    rows = evaluation.finance
    rows = rows[rows["year"].notna() & (rows["year"] > _base(evaluation))]
    frame = rows.assign(
        kept=["—" if pd.isna(met) else say("word.yes" if met else "word.no", language) for met in rows["is_met"]]
    )
    columns = [
        Column("check", "check", "label:finance_check"),
        Column("year", "year", "year"),
        Column("value", "value", "number"),
        Column("previous", "previous", "number"),
        Column("kept", "is_met"),
    ]
    return Table(frame, columns, say("caption.finance", language), language)


__all__ = [
    "achieved", "balance", "balance_table", "commitment_table", "count_table", "failing_table", "finance_table",
    "indicator_table", "ledger_table", "money", "over_cap", "places", "project_table", "projects", "promises",
    "seats_table", "short_items",
]  # fmt: skip

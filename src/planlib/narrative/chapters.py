"""The body of a report: indicators, promises, projects, balance, places, money."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from planlib.columns import Column, write_date
from planlib.district import Evaluation, views
from planlib.district.evaluation import LATE_PROMISES
from planlib.figures.marks import STATUS
from planlib.narrative.opening import amount, in_words, lead, printed, single_coefficients
from planlib.narrative.parts import Table, Text, join, say
from planlib.registry import codes, label
from planlib.words import capital, factor, is_missing, number, unit_name, with_unit

FACTORS = ("resources", "pupils", "opened", "closed", "reported")


def indicator_table(evaluation: Evaluation, language: str) -> Table:
    """Return the main table: the 24 series with baseline, value, target, progress and status."""
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
    """Return how many of the 20 indicators stand in each class, binding and anticipatory."""
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
    ledger = evaluation.projects.assign(investment=evaluation.projects["investment_yuan"] / 1e4)
    columns = [
        Column("name", "item"),
        Column("kind", "kind", "label:project_kind"),
        Column("area", "area"),
        *(Column(step, step, "iso") for step in ("approved", "started", "completed", "handed_over", "opened")),
        Column("classes", "classes", "number"),
        Column("seats", "seats", "number", 0),
        Column("investment", "investment", "number", 0),
        Column("expected_done", "expected_done", "iso"),
    ]
    return Table(ledger, columns, say("caption.ledger", language), language)


def balance(evaluation: Evaluation, language: str) -> Text:
    """Return how the coefficients moved, which is widest, and how many schools meet the standard."""
    lines = [_trend(evaluation, stage, language) for stage in ("primary", "junior")]
    lines += _change(evaluation, language)
    lines += [_standard(evaluation, language), say("section.standard_scope", language)]
    return Text([("p", line) for line in lines])


def _standard(evaluation: Evaluation, language: str) -> str:
    """Say how many school units pass the standard, how many fail, and of how many it cannot be said."""
    schools, year = evaluation.district.check.schools, evaluation.district.last_year
    passing, failing = int(schools["is_passing"].sum()), len(failing_units(evaluation))
    unknown = len(schools) - passing - failing
    if unknown == len(schools):
        return say("section.standard_unknown", language, year=year, units=unknown)
    found = [say("section.failing_some" if failing else "section.failing_none", language, count=failing)]
    found += [say("section.failing_unknown", language, count=unknown)] if unknown else []
    told = {"year": year, "units": len(schools), "passing": passing}
    return say("section.standard", language, failing=join(found, language), **told)


def failing_units(evaluation: Evaluation) -> pd.DataFrame:
    """Return the school units that fail the standard whatever their unreported figures may be.

    A unit fails if a figure lies below the floor, or if more figures lie below the threshold than may.
    """
    check, standard = evaluation.district.check, evaluation.district.standard
    schools = check.schools
    is_short = schools["met"] + schools["missing"] < standard.required_met
    return schools[(schools["below"] > 0) | is_short]


def _change(evaluation: Evaluation, language: str) -> list[str]:
    """Say what drove the change of the composites since the base year, and whether it rests on few schools."""
    if not views.since_baseline(evaluation.district):
        return []
    whole = [
        t[t["resource"] == "composite"]
        for t in (views.change(evaluation.district), views.robustness(evaluation.district))
    ]
    causes, firm = (table.dropna(subset=["before", "after"]).to_dict("records") for table in whole)
    said = {
        "causes": [_causes(row, language) for row in causes if not is_missing(row["by_pupils"])],
        "robust": [_robust(row, language) for row in firm if not is_missing(row["lower"])],
    }
    between = say("clause_separator", language)
    return [
        say(f"section.balance_{key}", language, stages=between.join(found)) for key, found in said.items() if found
    ]


def _causes(row: Mapping[Hashable, Any], language: str) -> str:
    drivers = sorted((f for f in FACTORS if row[f"by_{f}"]), key=lambda f: -abs(row[f"by_{f}"]))
    effects = {f: _signed(row[f"by_{f}"]) for f in drivers}
    said = [say("section.balance_driver", language, name=factor(f, language), effect=effects[f]) for f in drivers]
    told = {"change": _signed(row["after"] - row["before"]), "drivers": join(said, language)}
    return say("section.balance_causes_stage", language, stage=label(str(row["stage"]), language, "stage"), **told)


def _robust(row: Mapping[Hashable, Any], language: str) -> str:
    word = "falls" if row["upper"] < 0 else "rises" if row["lower"] > 0 else "open"
    ends = {key: _signed(row[key]) for key in ("lower", "upper")}
    return say(f"section.balance_{word}", language, stage=label(str(row["stage"]), language, "stage"), **ends)


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _trend(evaluation: Evaluation, stage: str, language: str) -> str:
    district = evaluation.district
    rows = district.balance[district.balance["stage"] == stage].set_index(["year", "resource"])["cv"]
    base, year = evaluation.plan.period["baseline_year"], district.last_year
    own = single_coefficients(evaluation)
    single = own[own["stage"] == stage].set_index("resource")["cv"].dropna()
    if single.empty:
        return say("section.balance_unknown", language, stage=label(stage, language, "stage"), year=year)
    worst = str(single.idxmax())
    return say(
        "section.balance_trend",
        language,
        stage=capital(label(stage, language, "stage")),
        base_year=base,
        base=number(rows.get((base, "composite")), language, 3),
        year=year,
        value=number(rows.get((year, "composite")), language, 3),
        worst=district.standard.labels[worst][language],
        cv=number(single.max(), language, 3),
        cap=number(district.standard.caps[stage], language, 2),
    )


def balance_table(evaluation: Evaluation, language: str) -> Table:
    """Return the seven coefficients and the composite, baseline and last year, both stages."""
    district = evaluation.district
    years = [evaluation.plan.period["baseline_year"], district.last_year]
    rows = district.balance[district.balance["year"].isin(years)]
    order = [*district.standard.resources, "composite"]
    cells = rows.set_index(["stage", "year", "resource"])["cv"]
    frame = pd.DataFrame({"resource": order, "name": [resource_name(evaluation, r, language) for r in order]})
    columns = [Column("name", "resource")]
    headers = {}
    for stage in ("primary", "junior"):
        for year in years:
            key = f"{stage}_{year}"
            frame[key] = [cells.get((stage, year, resource)) for resource in order]
            columns.append(Column(key, key, "number", 3))
            headers[key] = f"{label(stage, language, 'stage')} {year}"
        frame[f"cap_{stage}"] = [district.standard.caps[stage]] * len(order[:-1]) + [float("nan")]
        columns.append(Column(f"cap_{stage}", "cap", "number", 2))
    notes = [say("note.cap", language), *_unreported(evaluation, years, language)]
    return Table(frame, columns, say("caption.balance", language), language, notes, headers)


def _unreported(evaluation: Evaluation, years: list[int], language: str) -> list[str]:
    """Return a note naming the resources no school reported, with their years; nothing where all are known."""
    district = evaluation.district
    rows = district.balance[district.balance["resource"] != "composite"]
    notes = []
    for year in dict.fromkeys(years):
        known = rows[rows["year"] == year].groupby("resource")["cv"].count()
        silent = [r for r in district.standard.resources if known.get(r, 0) == 0]
        if silent:
            names = join([resource_name(evaluation, r, language) for r in silent], language)
            notes.append(say("note.unreported", language, year=year, names=names))
    return notes


def resource_name(evaluation: Evaluation, resource: str, language: str) -> str:
    """Return a resource's name as the standard prints it, or the composite's."""
    if resource == "composite":
        return say("word.composite", language)
    return evaluation.district.standard.labels[resource][language]


def failing_table(evaluation: Evaluation, language: str) -> Table:
    """Return the school units that fail the standard, with what each lacks to the threshold."""
    district = evaluation.district
    check = district.check
    failing = failing_units(evaluation)[["school_id", "stage", "year"]]
    lacks = check.detail[check.detail["state"] != "met"].merge(failing, on=["school_id", "stage", "year"])
    known = district.stage_resources[["school_id", "stage", "year", "school_name"]]
    lacks = lacks.merge(known, on=["school_id", "stage", "year"])
    units = {r: district.standard.units[r][language] for r in district.standard.resources}
    shown = [number(amount, language) for amount in lacks["to_buy"]]
    frame = lacks.assign(
        name=[resource_name(evaluation, r, language) for r in lacks["resource"]],
        unit=lacks["resource"].map(units),
        lacking=[
            with_unit(text, unit_name(units[r], language, text), language)
            for text, r in zip(shown, lacks["resource"], strict=True)
        ],
    )
    columns = [
        Column("school_name", "school"),
        Column("stage", "stage", "label:stage"),
        Column("name", "resource"),
        Column("value", "value", "number", 2),
        Column("threshold", "threshold", "number", 2),
        Column("lacking", "shortfall", "figure", value="to_buy"),
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
                **{c: number(getattr(row, c), language, 0) for c in ("median", "lower", "upper", "low", "high")},
            )
        )
    lines += _without_nursery(evaluation, language) if lines else []
    lines += _how_projected(evaluation, language) if lines else []
    lines.append(short_places(evaluation, language) or _enough_places(evaluation, language))
    return Text([("p", line) for line in lines])


def _without_nursery(evaluation: Evaluation, language: str) -> list[str]:
    """Say how many children of nursery classes stand beside those of the preschool stage, if there are any."""
    counted, year = evaluation.district.tables["enrolment"], evaluation.district.last_year
    own = (counted["grade"].map(evaluation.stages) == "nursery") & (counted["year"] == year)
    count = counted.loc[own, "students"].sum()
    told = {"year": year, "count": number(count, language, 0)}
    return [say("section.enrolment_nursery", language, **told)] if count > 0 else []


def _how_projected(evaluation: Evaluation, language: str) -> list[str]:
    """Say what the band and the variants mean, how senior entrants are found, and which fallbacks were used."""
    notes = evaluation.enrolment_paths["note"].str.split(";").explode()
    used = [label(code, language, "enrolment_note") for code in dict.fromkeys(notes) if code]
    lines = [say("section.enrolment_interval", language, year=evaluation.district.last_year)]
    return [*lines, say("section.enrolment_notes", language, notes=join(used, language))] if used else lines


def _enough_places(evaluation: Evaluation, language: str) -> str:
    """Say that places suffice, as far as they are known."""
    seats = evaluation.seats_by_area
    end = seats[seats["year"] == evaluation.seats_year]
    if end.empty or end["seats"].isna().all():
        return say("section.seats_unknown", language)
    unknown = int(end["seats"].isna().sum())
    sentence = say("section.seats_enough", language, year=evaluation.seats_year)
    return (
        sentence
        if not unknown
        else say("section.seats_known", language, year=evaluation.seats_year, count=unknown)
    )


def short_items(evaluation: Evaluation, language: str) -> list[str]:
    """Return the areas and stages that will be short of places: from when, when most, and in the last projected year."""
    seats = evaluation.seats_by_area
    short = seats[(seats["year"] > evaluation.district.last_year) & (seats["shortage"] > 0)]
    said = []
    for (area, stage), rows in short.groupby(["area", "stage"], sort=False):
        most, ends = rows.loc[rows["shortage"].idxmax()], rows[rows["year"] == evaluation.seats_year]["shortage"]
        told = {"first": rows["year"].min(), "peak": most["year"], "end": evaluation.seats_year}
        word = (
            "once"
            if len(rows) == 1
            else "passing"
            if ends.empty
            else "peak"
            if most["year"] < told["end"]
            else "rising"
        )
        counts = {"most": number(most["shortage"], language, 0), "count": number(ends.sum(), language, 0)}
        where = {"area": area, "stage": label(str(stage), language, "stage")}
        said.append(say(f"section.seats_{word}", language, **where, **told, **counts))
    return said


def short_places(evaluation: Evaluation, language: str) -> str:
    """Return one sentence on shortages, or ``""`` where there are none."""
    items = short_items(evaluation, language)
    if not items:
        return ""
    return say("section.seats_short", language, year=evaluation.seats_year, names=join(items, language))


def seats_table(evaluation: Evaluation, language: str) -> Table:
    """Return places needed and available by area and stage in the last projected year, and what is left in each year."""
    seats = evaluation.seats_by_area
    end = seats[seats["year"] == evaluation.seats_year]
    years = sorted(seats["year"].unique())
    named = seats.assign(year=seats["year"].astype("str"))
    left = named.pivot(index=["area", "stage"], columns="year", values="balance")  # noqa: PD010 - keeps unknowns
    columns = [
        Column("area", "area"),
        Column("stage", "stage", "label:stage"),
        Column("students", "students_expected", "number", 0),
        Column("seats", "available", "number", 0),
        *(Column(str(year), str(year), "number", 0) for year in years),
    ]
    headers = {str(year): say("word.left_in", language, year=year) for year in years}
    headers |= {
        key: f"{say(f'table.{key}', language)} {evaluation.seats_year}"
        for key in ("students_expected", "available")
    }
    frame = end.join(left, on=["area", "stage"])
    return Table(frame, columns, say("caption.seats", language), language, [say("note.seats", language)], headers)


def classes_table(evaluation: Evaluation, language: str) -> Table:
    """Return classes at the national and at the province's size, and posts of all staff, by stage and year."""
    columns = [
        Column("stage", "stage", "label:stage"),
        Column("year", "year", "year"),
        Column("students", "students_expected", "number", 0),
        Column("classes", "classes", "number", 0),
        Column("stricter_classes", "stricter_classes", "number", 0),
        Column("posts", "posts", "number", 0),
    ]
    district = evaluation.district
    sizes = {
        "sizes": _rule(district.class_sizes, language),
        "stricter": _rule(district.stricter_class_sizes, language),
        "posts": _rule(district.pupils_per_post, language),
    }
    notes = [say("note.classes", language, **sizes)]
    return Table(evaluation.classes, columns, say("caption.classes", language), language, notes)


def _rule(values: Mapping[str, float], language: str) -> str:
    """Write numbers by stage, or by grade where the stage has several: primary 45, junior 50."""
    stages = codes("stage")
    words = [
        f"{label(key, language, 'stage' if key in stages else 'grade')} {value:g}" for key, value in values.items()
    ]
    return join(words, language)


def new_places_table(evaluation: Evaluation, language: str) -> Table:
    """Return how many places the plan's new schools and its promises of places add, and when."""
    rows = evaluation.new_places
    kinds = [None if pd.isna(kind) else label(kind, language, "project_kind") for kind in rows["kind"]]
    frame = rows.assign(what=pd.Series(kinds, index=rows.index).fillna(rows[f"name_{language}"]))
    years = [column for column in rows if isinstance(column, int)]
    frame = frame.rename(columns={year: str(year) for year in years})
    columns = [
        Column("what", "kind"),
        Column("planned", "projects", "number", 0),
        Column("seats", "planned_places", "number", 0),
        *(Column(str(year), str(year), "number", 0) for year in years),
    ]
    headers = {str(year): say("word.school_year", language, year=year, next=(year + 1) % 100) for year in years}
    notes = [say("note.new_places", language)]
    return Table(frame, columns, say("caption.new_places", language), language, notes, headers)


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

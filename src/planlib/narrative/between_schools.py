"""The chapter on balance between schools: coefficients, what drives them, schools below the standard."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from planlib.columns import Column
from planlib.district import Evaluation, views
from planlib.narrative.opening import single_coefficients
from planlib.narrative.parts import Table, Text, join, say
from planlib.registry import label
from planlib.words import capital, factor, is_missing, number, unit_name, with_unit

FACTORS = ("resources", "pupils", "opened", "closed", "reported")


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

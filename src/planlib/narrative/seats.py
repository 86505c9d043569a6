"""The chapter on enrolment and places: who comes, what is short, classes, new places."""

from collections.abc import Mapping

import pandas as pd

from planlib.columns import Column
from planlib.district import Evaluation
from planlib.narrative.parts import Table, Text, area_column, join, say
from planlib.registry import codes, label
from planlib.standard import STAGES
from planlib.words import number


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
    for (_, stage), rows in short.groupby(["area", "stage"], sort=False):
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
        where = {"area": most[area_column(language)], "stage": label(str(stage), language, "stage")}
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
        Column(area_column(language), "area"),
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
    in_order = sorted(values, key=lambda key: STAGES.index(key) if key in STAGES else -1)
    words = [
        say(
            "word.rule",
            language,
            name=label(key, language, "stage" if key in stages else "grade"),
            value=f"{values[key]:g}",
        )
        for key in in_order
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

"""Records beside the returns: projects, promises, money, observed series, explanations."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from planlib.measures import yearly
from planlib.sample.pupils import tracks
from planlib.sample.resources import choose_renewals
from planlib.sample.story import STAGE_GRADES, Story, apportion, between, generator, stages_of_type

PROJECT_COLUMNS = [
    "project_id", "name", "kind", "area", "approved", "started", "completed", "handed_over", "opened", "classes",
    "seats", "investment_yuan", "floor_area_m2", "site_area_m2",
]  # fmt: skip


# --- building projects ---------------------------------------------------------------------------------------


def make_projects(
    story: Story, records: Mapping[str, Any], roster: pd.DataFrame, weight: pd.Series, seed: int
) -> pd.DataFrame:
    """Return the plan's new schools and renewals.

    A new school that takes pupils has all dates, the last of them 1 September of its opening; one that does not has
    the dates it got to.

    Parameters
    ----------
    story, records : mapping
        ``definitions/sample.yml`` and ``definitions/sample_records.yml``.
    roster : DataFrame
    weight : Series
    seed : int

    Returns
    -------
    DataFrame
        The columns of ``projects.csv``; dates are ISO texts, empty where they are not reached.
    """
    rng = generator(seed, 13)
    new = pd.concat([_opened(story, records, roster, weight), _unopened(story, records, roster, rng)])
    sites = new["site_area_m2"].to_numpy() * rng.uniform(0.85, 1.15, len(new))
    new["site_area_m2"] = apportion(sites, story["sites_m2"])
    new["floor_area_m2"] = np.floor(new["floor_area_m2"] * rng.uniform(0.9, 1.1, len(new)) / 10) * 10
    frame = pd.concat([new, _renewed(story, records, roster, rng)], ignore_index=True)
    price = between(rng, story["yuan_per_floor_m2"], len(frame))
    frame["investment_yuan"] = np.floor(frame["floor_area_m2"] * price / 10000) * 10000
    frame["project_id"] = [f"P{number:03d}" for number in range(1, len(frame) + 1)]
    whole = ["classes", "seats", "investment_yuan", "floor_area_m2", "site_area_m2"]
    return frame.astype(dict.fromkeys(whole, "int64"))[PROJECT_COLUMNS]


def _opened(story: Story, records: Mapping[str, Any], roster: pd.DataFrame, weight: pd.Series) -> pd.DataFrame:
    schools = roster[roster["is_project"]]
    rows = []
    for index, school in schools.iterrows():
        kind = str(school["school_type"])
        classes, seats = _size(story, roster, weight, int(str(index)), kind)
        name = story["words"]["project"].format(name=school["school_name"])
        dates = _dates(records, int(school["opened_year"]), int(str(index)))
        rows.append(_row(story, kind, name, school["area"], classes, seats)
                    | dates | {"opened": f"{school['opened_year']}-09-01"})  # fmt: skip
    return pd.DataFrame(rows)


def _size(story: Story, roster: pd.DataFrame, weight: pd.Series, index: int, kind: str) -> tuple[int, int]:
    classes = seats = 0
    for stage in stages_of_type()[kind]:
        grades = len([grade for grade in STAGE_GRADES[stage] if grade != "T"])
        number = int(tracks(story, roster, weight, stage)[index]) * grades
        classes, seats = classes + number, seats + number * story["design_size"][stage]
    return classes, seats


def _row(story: Story, kind: str, name: str, area: str, classes: int, seats: int) -> dict[str, Any]:
    spec = story["new_schools"][kind]
    return {"name": name, "kind": kind, "area": area, "classes": classes, "seats": seats,
            "floor_area_m2": spec["floor_m2"], "site_area_m2": spec["site_m2"]}  # fmt: skip


def _dates(records: Mapping[str, Any], opened: int, wiggle: int) -> dict[str, str]:
    found = {}
    for step, months in records["projects"]["months"].items():
        slack = wiggle % 3 if step in ("approved", "started") else wiggle % 2
        month = opened * 12 + 8 + months - slack
        found[step] = dt.date(month // 12, month % 12 + 1, 5 + wiggle * 7 % 23).isoformat()
    return found


def _unopened(
    story: Story, records: Mapping[str, Any], roster: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Projects of the plan that take no pupils by its end: under construction, or put off (缓建)."""
    rows, years = [], records["projects"]["unopened"]
    for kind, spec in story["new_schools"].items():
        missing = spec["planned"] - sum(spec["opened"].values())
        paused = spec.get("paused", 0)
        for number in range(missing):
            is_paused = number < paused
            grades = sum(len([g for g in STAGE_GRADES[s] if g != "T"]) for s in stages_of_type()[kind])
            classes = spec["tracks"][0] * grades
            name = _spare_name(story, roster, kind, number)
            row = _row(
                story, kind, name, str(rng.choice(story["words"]["areas"])), classes, _seats(story, kind, classes)
            )
            approved = years["paused_approved_year"] if is_paused else years["approved_year"]
            started = "" if is_paused else f"{years['started_year']}-03-{10 + number:02d}"
            dates = {"approved": f"{approved}-{6 + number % 6:02d}-18", "started": started}
            rows.append({**row, **dates, "completed": "", "handed_over": "", "opened": ""})
    return pd.DataFrame(rows)


def _seats(story: Story, kind: str, classes: int) -> int:
    """Seats of a number of classes; those of a nine-year school stand two to one."""
    sizes = [story["design_size"][stage] for stage in stages_of_type()[kind]]
    return classes * sizes[0] if len(sizes) == 1 else classes // 3 * (2 * sizes[0] + sizes[1])


def _spare_name(story: Story, roster: pd.DataFrame, kind: str, number: int) -> str:
    words, used = story["words"], set(roster["school_name"])
    suffix = words["suffix"][kind]
    spare = [words["prefix"] + a + b + suffix for b in words["second"] for a in words["first"]]
    taken = {name.removesuffix(end) for name in used for end in words["suffix"].values()}
    free = [name for name in spare if name.removesuffix(suffix) not in taken]
    return str(words["project"].format(name=free[(number * 5 + len(suffix)) % len(free)]))


def _renewed(
    story: Story, records: Mapping[str, Any], roster: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    done = choose_renewals(story, roster)
    planned, rows = story["renewals"]["planned"], []
    candidates = roster.index[(roster["school_type"] == "primary") & (roster["opened_year"] < 2000)]
    later = [i for i in candidates[::-1] if i not in done.index][: planned - len(done)]
    for number, index in enumerate([*done.index, *later]):
        school = roster.loc[index]
        year = int(done.get(index, 2026))
        dates: dict[str, str] = {**_dates(records, year, number), "opened": ""}
        if index in later:
            dates = {**dates, "completed": "", "handed_over": ""}
        name = story["words"]["renewal"].format(name=school["school_name"])
        floor = int(rng.integers(60, 140)) * 100
        rows.append({"name": name, "kind": "renewal", "area": school["area"], "classes": int(rng.integers(0, 5)),
                     "seats": 0, "floor_area_m2": floor, "site_area_m2": 0} | dates)  # fmt: skip
    frame = pd.DataFrame(rows)
    frame["seats"] = frame["classes"] * story["design_size"]["primary"]
    return frame


# --- promises ------------------------------------------------------------------------------------------------


def make_milestones(
    story: Story, records: Mapping[str, Any], schools: pd.DataFrame, enrolment: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Return what is recorded of the commitments.

    Parameters
    ----------
    story, records : mapping
    schools, enrolment : DataFrame
        Of the truth: what follows from them (nursery classes, upgraded kindergartens) is counted there.
    seed : int

    Returns
    -------
    DataFrame
        ``commitment_id, date, achieved, evidence, note``; achieved is a stock for counts, a value for rates, 1 when
        done.
    """
    spec, pace = records["milestones"], records["pace"]
    rows = _done(spec) + _counts(spec, pace, seed)
    for name, style in spec["coverage"].items():
        rows += [(name, day, round(100 * s, 1), "")
                 for day, s in zip(pace["dates"], pace[f"cover_{style}"], strict=True)]  # fmt: skip
    for name, values in spec["yearly"].items():
        rows += [(name, day, value, "") for day, value in zip(pace["dates"], values, strict=True)]
    for name, values in spec["half_yearly"].items():
        rows += [(name, day, value, "") for day, value in zip(pace["half_years"], values, strict=True)]
    rows += _nursery(story, spec, pace, enrolment) + _upgraded(story, spec, pace, schools)
    frame = pd.DataFrame(rows, columns=["commitment_id", "date", "achieved", "note"])
    frame["date"] = frame["date"].astype(str)
    frame = frame.sort_values(["commitment_id", "date"], ignore_index=True)
    number = frame.groupby(frame["date"].str[:4]).cumcount() + 1
    years = frame["date"].str[:4]
    frame["evidence"] = [records["evidence"].format(year=y, number=n) for y, n in zip(years, number, strict=True)]
    return frame[["commitment_id", "date", "achieved", "evidence", "note"]]


Row = tuple[str, Any, float, str]


def _done(spec: Mapping[str, Any]) -> list[Row]:
    last = "2025-12-31"
    return [
        (name, day or last, 1 if day else 0, "" if day else spec["note_open"])
        for name, day in spec["done"].items()
    ]


def _counts(spec: Mapping[str, Any], pace: Mapping[str, Any], seed: int) -> list[Row]:
    """Stocks along a pace, shaken a little, never falling; small targets move in whole steps."""
    rng, rows = generator(seed, 14), list[Row]()
    for name, (target, style) in spec["counts"].items():
        shaken = np.array(pace[style]) * (1 + rng.uniform(-0.05, 0.05, 5) * (np.array(pace[style]) < 1))
        stock = np.maximum.accumulate(np.floor(np.round(shaken * target + 0.35, 9)))
        if style in ("early", "steady", "end"):
            stock[-1] = max(stock[-1], target)
        rows += [(name, day, int(n), "") for day, n in zip(pace["dates"], stock, strict=True)]
    return rows


def _nursery(story: Story, spec: Mapping[str, Any], pace: Mapping[str, Any], enrolment: pd.DataFrame) -> list[Row]:
    """New nursery classes since the base year, as the enrolment of the autumn has them."""
    rule, rows = spec["nursery"], []
    has = enrolment[enrolment["grade"] == "T"].groupby("year").size()
    for step, day in enumerate(pace["dates"]):
        public = int(has[int(str(day)[:4])] - has[story["base_year"]])
        both = public + rule["private_classes"][step]
        for group, number in (("public", public), ("all", both)):
            rows.append((rule[group]["classes"], day, number, ""))
            rows.append((rule[group]["places"], day, number * rule["places_per_class"], ""))
    return rows


def _upgraded(story: Story, spec: Mapping[str, Any], pace: Mapping[str, Any], schools: pd.DataFrame) -> list[Row]:
    """Share of the kindergartens below 省二级 in the base year that were upgraded, replaced or closed."""
    low = schools[
        (schools["stage"] == "preschool") & schools["kindergarten_grade"].isin(["province_3", "unrated"])
    ]
    left = low.groupby("year").size()
    base = int(left[story["base_year"]])
    return [
        (spec["upgraded"], day, round(100 * (1 - int(left.get(int(str(day)[:4]), 0)) / base), 1), "")
        for day in pace["dates"]
    ]


# --- money and series ----------------------------------------------------------------------------------------


def make_finance(records: Mapping[str, Any]) -> pd.DataFrame:
    """Return the money of the district by year.

    Parameters
    ----------
    records : mapping

    Returns
    -------
    DataFrame
        ``item, year, value, unit, as_of, status, source_office``; the share of education (per cent) follows from the
        two sums.
    """
    spec, rows = records["finance"], []
    values = {name: item["values"] for name, item in spec["items"].items()}
    whole, part = values["general_expenditure_yuan"], values["education_expenditure_yuan"]
    share = [round(100 * p / w, 2) for p, w in zip(part, whole, strict=True)]
    items = {**spec["items"], "education_share_pct": {"unit": "percent", "values": share}}
    for name, item in items.items():
        for year, value in zip(spec["years"], item["values"], strict=True):
            status = spec["statuses"][year == spec["preliminary"]]
            rows.append((name, year, value, item["unit"], f"{year}-12-31", status, spec["office"]))
    return pd.DataFrame(rows, columns=["item", "year", "value", "unit", "as_of", "status", "source_office"])


def make_observations(story: Story, records: Mapping[str, Any], schools: pd.DataFrame) -> pd.DataFrame:
    """Return the series that returns do not give, and some that the bureau reported itself.

    Parameters
    ----------
    story, records : mapping
    schools : DataFrame
        Of the truth; what the bureau reported agrees with it to the decimals it prints.

    Returns
    -------
    DataFrame
        The columns of ``observations.csv``; years before the change of boundary are marked.
    """
    rows = []
    for series in records["observations"]:
        for year, text in series["values"].items():
            relation, value = ("=", text) if not isinstance(text, str) else (text[0], text[1:])
            as_of = f"{year}-{series['month_day']}"
            rows.append((series["series_id"], float(value), relation, as_of, series["office"], series["note"]))
    spec = records["reported"]
    for name, series in spec["series"].items():
        values = yearly(schools, series["measure"])
        for year in spec["years"]:
            value = float(values[year])
            rows.append(
                (name, round(value, series["decimals"]), "=", f"{year}-09-01", spec["office"], spec["note"])
            )
    frame = pd.DataFrame(rows, columns=["series_id", "value", "relation", "as_of", "source_office", "note"])
    frame["status"] = spec["status"]
    rule = story["boundary"]
    before = frame["as_of"].str[:4].astype(int) < rule["first_present"]
    frame["boundary"] = np.where(before, rule["before"], rule["present"])
    order = ["series_id", "value", "relation", "as_of", "status", "source_office", "boundary", "note"]
    return frame[order]

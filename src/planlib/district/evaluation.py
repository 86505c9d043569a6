"""Everything a report shows, computed once and only when asked for."""

from __future__ import annotations

import datetime as dt
from functools import cached_property

import pandas as pd

from planlib import enrolment, evaluate, measures, paths
from planlib import forecast as forecasting
from planlib.district.opened import District, open_district
from planlib.district.owed import owed
from planlib.evaluate import LATE
from planlib.params import NOTEBOOKS, last_known_year
from planlib.registry import load_explanations, load_responsibility
from planlib.standard import STAGES

PLAN_YEARS = 5  # of the next plan
_ADDED = {"area": "str", "stage": "str", "year": "int64", "seats": "float64"}
_REQUIRED = ["series_id", "years_left", "required_change", "recent_change", "recent_years", "percentile", "rarity"]
_CLASSES = ["stage", "year", "students", "classes", "stricter_classes", "posts"]
_SEATS = ["area", "area_en", "stage", "year", "students", "seats_needed", "seats", "balance", "shortage"]
LATE_PROMISES = ("late", "not_kept")
UNFINISHED = ("late", "not_kept", "no_record", "on_schedule")


class Evaluation:
    """A mid-term, end-term or annual evaluation as frames; figures and narrative turn them into a report.

    Parameters
    ----------
    district : District
        Opened with the report's cutoff: nothing later is in it.
    phase : {"midterm", "endterm", "annual"}
    year : int
        The year the report is written about.
    """

    def __init__(self, district: District, phase: str, year: int):
        self.district, self.phase, self.year = district, phase, year
        self.plan, self.cutoff = district.plan, district.cutoff

    @property
    def is_simulated(self) -> bool:
        """Whether any file of the district is registered as synthetic."""
        return self.district.is_simulated

    @property
    def span(self) -> tuple[int, int]:
        """The years of the plan's baseline and of its targets."""
        return int(self.plan.period["baseline_year"]), int(self.plan.period["last_year"])

    @property
    def years(self) -> tuple[int, int]:
        """The first and the last year of the plan."""
        return int(self.plan.period["first_year"]), int(self.plan.period["last_year"])

    @property
    def is_final(self) -> bool:
        """Whether the targets are due: series are met or not, no longer judged by their pace."""
        return self.phase == "endterm" or self.year == self.years[1]

    @property
    def judged_as(self) -> str:
        """The phase whose rules judge the series: an annual evaluation takes those of the mid-term until the end."""
        return "endterm" if self.is_final else "midterm"

    @cached_property
    def scorecard(self) -> pd.DataFrame:
        """Every series: value, progress, pace, status, probability."""
        return self.district.scorecard(phase=self.judged_as)

    @cached_property
    def before(self) -> Evaluation:
        """The same evaluation a year earlier, with what was known then."""
        day = (pd.Timestamp(self.cutoff) - pd.DateOffset(years=1)).date()
        return Evaluation(open_district(self.district.name, day), self.phase, self.year - 1)

    @cached_property
    def moved(self) -> pd.DataFrame:
        """Every series beside what they were a year earlier: value, change, status, closer to the target or not."""
        return evaluate.changes(self.scorecard, self.before.scorecard)

    @cached_property
    def indicators(self) -> pd.DataFrame:
        """Every indicator: met only if every series is, status of the worst."""
        return evaluate.roll_up(self.scorecard, self.plan.indicators)

    @cached_property
    def counts(self) -> pd.DataFrame:
        """How many indicators stand in each class, by attribute."""
        return evaluate.status_counts(self.indicators)

    @cached_property
    def sensitivity(self) -> pd.DataFrame:
        """The same counts under other cut points."""
        district = self.district
        return evaluate.sensitivity(
            self.plan.series,
            district.observations,
            self.cutoff.isoformat(),
            district.rules,
            indicators=self.plan.indicators,
            phase=self.judged_as,
        )

    @cached_property
    def late(self) -> pd.DataFrame:
        """The series that are late or missed, binding ones first, in the order of the plan's table."""
        rows = self.scorecard[self.scorecard["status"].isin(LATE)]
        first = rows.assign(rank=(rows["attribute"] != "binding").astype(int))
        return first.sort_values(["rank", "number"]).drop(columns="rank").reset_index(drop=True)

    @cached_property
    def commitments(self) -> pd.DataFrame:
        """Every countable or dated promise: achieved, progress, status, evidence."""
        return evaluate.commitment_progress(
            self.plan.commitments,
            self.district.commitment_records,
            self.cutoff.isoformat(),
            f"{self.plan.period['baseline_year']}-12-31",
            self.district.rules,
        )

    @cached_property
    def projects(self) -> pd.DataFrame:
        """The ledger of building projects: last step, expected completion, late or not."""
        return evaluate.project_progress(
            self.district.tables["projects"], self.cutoff.isoformat(), due=f"{self.plan.period['last_year']}-12-31"
        )

    @cached_property
    def project_counts(self) -> pd.DataFrame:
        """Projects by kind and step."""
        return evaluate.project_counts(self.projects)

    @cached_property
    def finance(self) -> pd.DataFrame:
        """The rules about money, year by year."""
        pupils = measures.yearly(self.district.rows, {"sum": "students"}).rename("students")
        return evaluate.finance_checks(
            self.district.tables["finance"],
            self.cutoff.isoformat(),
            order=self.district.rules["observation_status"]["order"],
            students=pupils.rename_axis("year").reset_index(),
        )

    @cached_property
    def responsibility(self) -> pd.DataFrame:
        """Who leads and who supports, by series and commitment, in both languages (``responsibility.yml``)."""
        if not (paths.raw(self.district.name) / "responsibility.yml").is_file():
            return pd.DataFrame(columns=["lead", "lead_en", "support", "support_en"])
        return load_responsibility(self.plan).set_index("subject_id")

    @cached_property
    def explanations(self) -> pd.DataFrame:
        """What people wrote about late series and promises (``explanations.yml``).

        One explanation serves every report of the same data: one written for the mid-term of 2023, whose data end with
        2022, stands in the annual evaluation of 2022 too. What was written for this very report comes last.
        """
        written = load_explanations(self.plan)
        is_own = (written["report"] == self.phase) & (written["year"] == self.year)
        known = [last_known_year(*told) for told in zip(written["report"], written["year"], strict=True)]
        serves = pd.Series(known, index=written.index, dtype="object") == self.cutoff.year
        return pd.concat([written[serves & ~is_own], written[is_own]], ignore_index=True)

    @cached_property
    def unexplained(self) -> pd.DataFrame:
        """Late binding series without an explanation: the report asks for it by name."""
        rows = self.late[self.late["attribute"] == "binding"]
        return rows[~rows["series_id"].isin(self.explanations["subject"])].reset_index(drop=True)

    @cached_property
    def owed(self) -> pd.DataFrame:
        """What this report still asks of people, and of which office (`planlib.district.owed.owed`)."""
        unfinished = UNFINISHED if self.is_final else LATE_PROMISES
        subjects = self.explanations["subject"].tolist()
        return owed(self.scorecard, LATE, self.commitments, unfinished, subjects, self.responsibility)

    @property
    def owed_by(self) -> dt.date:
        """The day by which it is asked for."""
        return self.cutoff + dt.timedelta(days=self.district.rules["owed"]["days"]["value"])

    @cached_property
    def history(self) -> pd.DataFrame:
        """Annual values of every series that is forecast."""
        return self.district.forecastable(self.district.observations)

    @cached_property
    def forecast(self) -> pd.DataFrame:
        """Forecast of every series to the year of its target; empty at the end of the plan."""
        return self.district.forecast()

    def fan_series(self, attribute: str) -> pd.DataFrame:
        """Return the binding or anticipatory series a fan chart shows: with a forecast, not simply held."""
        card = self.scorecard.drop(columns=["lower_80", "upper_80"])  # the chart reads them from the forecast
        is_shown = card["series_id"].isin(self.forecast["series_id"]) & ~card["direction"].isin(["hold", "volume"])
        return card[is_shown & (card["attribute"] == attribute)]

    @cached_property
    def feasible(self) -> pd.DataFrame:
        """Cautious, likely and ambitious levels at the end of the next plan, for series that still can move."""
        series = self.plan.series[~self.plan.series["direction"].isin(["hold", "volume"])]
        history = self.history.merge(series[["series_id", "direction"]], on="series_id")
        found = forecasting.feasible_targets(history, self.plan.period["last_year"] + PLAN_YEARS)
        told = self.scorecard[["series_id", "number", "name_zh", "name_en", "unit", "precision", "value"]]
        return found.merge(told, on="series_id").sort_values("number", ignore_index=True)

    @cached_property
    def required(self) -> pd.DataFrame:
        """The yearly change still needed, with series, for targets that have a forecast and are not simply held."""
        card = self.scorecard[~self.scorecard["direction"].isin(["hold", "volume"])]
        found = self.district.required_change() if len(self.forecast) else pd.DataFrame(columns=_REQUIRED)
        found = found.loc[found["years_left"] > 0, _REQUIRED]
        return found.merge(card, on="series_id").sort_values("number", ignore_index=True)

    @property
    def seats_year(self) -> int:
        """The last year enrolment is projected to: the plan's end, or at its end five years on."""
        last = int(self.plan.period["last_year"])
        return last + PLAN_YEARS if self.is_final else last

    @cached_property
    def enrolment_history(self) -> pd.DataFrame:
        """Pupils by stage and year, as counted, without the classes for under-threes, which are no part of a stage."""
        counted = self.district.tables["enrolment"]
        own = counted.assign(stage=counted["grade"].map(self.stages))
        own = own[own["stage"].isin(STAGES)]
        return own.groupby(["stage", "year"], as_index=False)["students"].sum()

    def _projected(self, by: tuple[str, ...]) -> pd.DataFrame:
        counted = self.district.tables["enrolment"]
        births = self.district.tables["births"]
        horizon = self.seats_year - int(counted["year"].max())
        sums = counted.groupby(["area", "grade", "year"], as_index=False)["students"].sum()
        # measured ahead of the plain mean of three years on real schools (docs/benchmarks.md)
        return enrolment.project(
            sums,
            births if len(births) else None,
            horizon,
            entry=self._nursery_held(sums, horizon),
            by=by,
            method="shared",
            held="smoothed",
            stages=self.stages,
            chains=self._chains(),
        )

    def _nursery_held(self, counted: pd.DataFrame, horizon: int) -> pd.DataFrame:
        """Hold the classes for under-threes at their last number: they grow by promises and not by a level of births."""
        last = int(counted["year"].max())
        own = counted[(counted["grade"].map(self.stages) == "nursery") & (counted["year"] == last)]
        years = pd.DataFrame({"year": range(last + 1, last + 1 + horizon)})
        return own.drop(columns="year").merge(years, how="cross")

    def _chains(self) -> list[list[str]]:
        """Return the chains of the grades that there are: a grade nobody teaches would begin a chain with nobody."""
        taught = set(self.district.tables["enrolment"]["grade"])
        chains = [[grade for grade in chain if grade in taught] for chain in enrolment.CHAINS]
        return [chain for chain in chains if chain]

    @cached_property
    def stages(self) -> dict[str, str]:
        """The stage of each grade as the district counts it: five and four years, or six and three."""
        counted = self.district.tables["enrolment"]
        own = counted[counted["grade"].map(enrolment.STAGE_OF_GRADE) != "nursery"]
        named = own.groupby("grade")["stage"].agg(["first", "nunique"])
        return {**enrolment.STAGE_OF_GRADE, **named.loc[named["nunique"] == 1, "first"].to_dict()}

    @cached_property
    def enrolment_paths(self) -> pd.DataFrame:
        """Pupils by stage and year, projected: middle path and 80 % interval."""
        if self.district.tables["enrolment"].empty:
            return pd.DataFrame(columns=["stage", "year", "students", "lower", "upper"])
        table = self._projected(("stage",)).rename(columns={"lower_80": "lower", "upper_80": "upper"})
        return table.assign(naive=table["stage"].map(self.enrolment_naive))

    @cached_property
    def enrolment_naive(self) -> pd.Series:
        """Pupils of each stage if nothing changed: those of the last year counted."""
        last = self.enrolment_history[self.enrolment_history["year"] == self.district.last_year]
        return last.set_index("stage")["students"]

    @cached_property
    def enrolment_review(self) -> pd.DataFrame:
        """What the mid-term projected for the plan's last year by stage, no change, and what came."""
        ahead = self.earlier.enrolment_paths
        ahead = ahead[(ahead["year"] == self.years[1]) & ahead["stage"].isin(STAGES)]
        came = self.enrolment_history.rename(columns={"students": "actual"})
        found = ahead.merge(came, on=["stage", "year"])
        found["naive"] = found["stage"].map(self.earlier.enrolment_naive)
        found["is_inside_80"] = found["actual"].between(found["lower"], found["upper"])
        return found

    @cached_property
    def enrolment_outlook(self) -> pd.DataFrame:
        """For each stage the pupils of now and of the last projected year."""
        end = self.enrolment_paths[self.enrolment_paths["year"] == self.seats_year]
        table = end.rename(columns={"students": "median"})
        table["now"] = table["stage"].map(self.enrolment_naive)
        return table[table["stage"].isin(STAGES)].reset_index(drop=True)

    @cached_property
    def capacity(self) -> pd.DataFrame:
        """Places by area, stage and year: those of the last return, and what projects will add.

        A school's planned places are shared among its stages by their number of grades. Where a school did not
        report them, those of its area and stage are unknown: a sum without it would look like a shortage.
        """
        grades = pd.Series(self.stages).value_counts()
        rows = self.district.schools
        rows = rows[rows["year"] == self.district.last_year]
        weight = rows["stage"].map(grades)
        share = weight / weight.groupby(rows["school_id"]).transform("sum")
        own = rows.assign(seats=rows["capacity_students"].astype("Float64").astype("float64") * share)
        own = own.groupby(["area", "stage"])["seats"].sum(skipna=False).rename("seats").reset_index()
        years = range(self.district.last_year, self.seats_year + 1)
        table = own.merge(pd.DataFrame({"year": list(years)}), how="cross")
        both = table.merge(self._added(years), on=["area", "stage", "year"], how="outer", suffixes=("", "_added"))
        is_new = ~pd.MultiIndex.from_frame(both[["area", "stage"]]).isin(own.set_index(["area", "stage"]).index)
        both["seats"] = both["seats"].mask(is_new, 0.0) + both["seats_added"].fillna(0)
        return both.loc[both["seats"].notna(), ["area", "stage", "year", "seats"]]

    def _added(self, years: range) -> pd.DataFrame:
        """Return the places that projects will add, by area, stage and year."""
        coming = self._coming()
        if coming.empty:
            return pd.DataFrame({"area": [], "stage": [], "year": [], "seats": []}).astype(_ADDED)
        added = enrolment.new_seats(coming, years)
        return added.groupby(["area", "stage", "year"], as_index=False)["seats"].sum()

    def _coming(self) -> pd.DataFrame:
        """Return the projects not in the returns yet, each opening in the term after it is expected to be ready."""
        ledger = self.projects
        known = ledger["opened"].notna() & (ledger["opened"] <= f"{self.district.last_year}-09-01")
        coming = ledger[~known & (ledger["kind"] != "renewal")]
        opened = coming["opened"].where(coming["opened"].notna(), coming["expected_done"])
        return coming.assign(opened=opened)[["project_id", "kind", "area", "opened", "seats"]]

    @cached_property
    def seats_by_area(self) -> pd.DataFrame:
        """Children against places by area, stage and year (`planlib.enrolment.seats`)."""
        if self.district.tables["enrolment"].empty:
            return pd.DataFrame(columns=_SEATS)
        projected = self._by_grade
        projected = projected[projected["grade"].map(self.stages).isin(STAGES)]
        table = enrolment.seats(projected, self.capacity, self.district.class_sizes, stages=self.stages)
        table = table[(table["students"] > 0) | (table["seats"] > 0)].reset_index(drop=True)
        return self.with_areas(table)

    def with_areas(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Add ``area_en``: what the plan calls the ``area`` in English, its own name where it says nothing."""
        return frame.assign(area_en=frame["area"].map(lambda area: self.plan.areas.get(area, area)))

    @cached_property
    def seats(self) -> pd.DataFrame:
        """The district's total by stage and year; shortages are counted by area before they are added."""
        groups = self.seats_by_area.groupby(["stage", "year"])
        known = groups[["students", "seats_needed"]].sum()
        # places of an area that are not known make those of the district unknown
        return known.join(groups[["seats", "shortage"]].sum(skipna=False)).reset_index()

    @cached_property
    def _by_grade(self) -> pd.DataFrame:
        """Pupils by area and grade, projected."""
        return self._projected(("area", "grade"))

    @cached_property
    def classes(self) -> pd.DataFrame:
        """Classes and posts by stage and year, rounded up by area and grade: ``stage, year, students, classes,
        stricter_classes`` (the province's smaller ones), ``posts`` (missing where no ratio is set).
        """
        if self.district.tables["enrolment"].empty:
            return pd.DataFrame(columns=_CLASSES)
        keys, none = ["stage", "year"], pd.DataFrame()
        normal, stricter = (
            enrolment.seats(self._by_grade, none, sizes, stages=self.stages)
            .groupby(keys, sort=False)[["students", "classes"]]
            .sum()
            for sizes in (self.district.class_sizes, self.district.stricter_class_sizes)
        )
        posts = enrolment.staff_posts(self._by_grade, self.district.pupils_per_post, stages=self.stages)
        table = normal.assign(
            stricter_classes=stricter["classes"], posts=posts.groupby(keys)["posts"].sum()
        ).reset_index()
        return table[table["students"] > 0].reset_index(drop=True)

    @cached_property
    def new_places(self) -> pd.DataFrame:
        """What new schools and promised places add, by year: those usable in the school year that begins in it.

        A row for each kind of project the plan counts, then for each promise of places: ``kind`` or ``commitment_id``,
        ``planned`` (projects), ``seats`` (planned), and a column a year. Projects not open yet count from the term
        after they are expected to be ready; promises have records only, so what is not known yet is missing.
        """
        ledger = self.projects[self.projects["kind"] != "renewal"]
        opened = ledger["opened"].where(ledger["opened"].notna(), ledger["expected_done"])
        years = [*range(self.years[0], self.years[1] + 1), *{self.seats_year} - {self.years[1]}]
        added = enrolment.new_seats(ledger.assign(opened=opened), years) if len(ledger) else ledger.assign(year=0)
        wide = added.pivot_table(index="kind", columns="year", values="seats", aggfunc="sum", fill_value=0.0)
        planned = ledger.groupby("kind")["seats"].sum().rename("seats").to_frame()
        planned["planned"] = pd.Series(self.project_targets)
        table = planned.join(wide.reindex(columns=years, fill_value=0.0)).reset_index()
        return pd.concat([table, self._promised_places(years)], ignore_index=True)

    def _promised_places(self, years: list[int]) -> pd.DataFrame:
        """Return the records of every promise of places, the last of each year."""
        promised = self.plan.commitments[self.plan.commitments["unit"] == "place"]
        told = self.district.commitment_records
        told = told[told["date"] <= self.cutoff.isoformat()].sort_values("date")
        told = told.assign(year=pd.to_numeric(told["date"].str[:4]))
        last = told.drop_duplicates(["commitment_id", "year"], keep="last")
        wide = last.pivot_table(index="commitment_id", columns="year", values="achieved").reindex(columns=years)
        named = promised[["commitment_id", "name_zh", "name_en"]].assign(
            seats=promised["target"].astype("float64")
        )
        return named.merge(wide.reset_index(), on="commitment_id", how="left")

    @cached_property
    def project_targets(self) -> dict[str, int]:
        """How many projects of each kind the plan promises, read off the promises that count them."""
        found: dict[str, int] = {}
        for row in self.plan.commitments.itertuples():
            where = row.measure.get("where", {}) if isinstance(row.measure, dict) else {}
            if isinstance(where.get("kind"), str) and "sum" not in row.measure:
                found[where["kind"]] = int(row.target)
        return found

    @cached_property
    def issues(self) -> pd.DataFrame:
        """What cleaning mended or set aside, of the years this report may know."""
        rows = self.district.issues
        year = pd.to_numeric(rows["year"], errors="coerce")
        return rows[year.isna() | (year <= self.cutoff.year)].reset_index(drop=True)

    @cached_property
    def files_read(self) -> int:
        """How many raw files the report rests on: workbooks of the years known, and the tables beside them."""
        tables = [t for t in self.district.tables.values() if "file" in t and len(t)]
        return self.district.lineage["file"].nunique() + len(tables)

    @cached_property
    def earlier(self) -> Evaluation:
        """The mid-term as it stood: the same district, opened at the cutoff of the plan's middle year."""
        middle = sum(self.years) // 2
        day = NOTEBOOKS["midterm"].last_known(middle)
        return Evaluation(open_district(self.district.name, day), "midterm", middle)

    @cached_property
    def forecast_review(self) -> pd.DataFrame:
        """What the mid-term forecast for the years since, against what came.

        ``series_id, number, name_zh, name_en, unit, precision, year, median, lower_80, upper_80, lower_95, upper_95, naive,
        actual, is_inside_80, is_inside_95, error, naive_error``, for the target year of every series.
        """
        ahead = self.earlier.forecast
        last = self.district.plan.series[
            ["series_id", "number", "name_zh", "name_en", "unit", "precision", "target_as_of"]
        ]
        table = ahead.merge(last, on="series_id")
        table = table[table["year"] == table["target_as_of"].str[:4].astype(int)]
        came = self.history.rename(columns={"value": "actual"})[["series_id", "year", "actual"]]
        table = table.merge(came, on=["series_id", "year"])
        for level in (80, 95):
            inside = table["actual"].between(table[f"lower_{level}"] - 1e-9, table[f"upper_{level}"] + 1e-9)
            table[f"is_inside_{level}"] = inside
        table["error"] = (table["actual"] - table["median"]).abs()
        table["naive_error"] = (table["actual"] - table["naive"]).abs()
        return table.drop(columns="target_as_of").sort_values("number", ignore_index=True)

    @cached_property
    def unfinished(self) -> pd.DataFrame:
        """The promises that are not done or not kept, or of which nothing is known."""
        return self.commitments[self.commitments["status"].isin(UNFINISHED)].reset_index(drop=True)

    def lead(self, subject: str, language: str = "zh") -> str:
        """Return the office that leads for a series or commitment, or ``""`` where none is named."""
        if subject not in self.responsibility.index:
            return ""
        return str(self.responsibility.loc[subject, "lead" if language == "zh" else "lead_en"] or "")

    def office(self, name: str, language: str) -> str:
        """Return an office's name in a language, as far as ``responsibility.yml`` gives it."""
        if language == "zh" or not isinstance(name, str):
            return name
        table = self.responsibility
        known = dict(zip(table["lead"], table["lead_en"], strict=True))
        pairs = zip(table["support"].explode(), table["support_en"].explode(), strict=True)
        return str({**dict(pairs), **known}.get(name, name))

    def support(self, subject: str, language: str = "zh") -> list[str]:
        """Return the offices that support a series or commitment."""
        if subject not in self.responsibility.index:
            return []
        return list(self.responsibility.loc[subject, "support" if language == "zh" else "support_en"])

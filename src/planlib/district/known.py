"""What is known of a district on a day: its plan, its tables, and what the pure rooms say of them."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from planlib import balance, evaluate, freshness, measures, paths, schema
from planlib import forecast as forecasting
from planlib.errors import DataError
from planlib.registry import Plan, load_definitions
from planlib.standard import Standard, StandardCheck, check_standard, stage_resources, standard_from

_FORECAST = (
    "series_id",
    "year",
    "median",
    "lower_80",
    "upper_80",
    "lower_95",
    "upper_95",
    "naive",
    "expected_skill",
)
_SEED = 1  # of the resampled schools: any number, so long as it stays
_PROJECT_DATES = ("approved", "started", "completed", "handed_over", "opened")


def known_rows(frame: pd.DataFrame, table: str, cutoff: dt.date | None) -> pd.DataFrame:
    """Return the rows known on the cutoff; later dates of a project are blanked, its row stays."""
    if cutoff is None:
        return frame
    day = cutoff.isoformat()
    dated = schema.as_of_dates(frame, table)
    frame = frame[(dated == "all") | (dated <= day)].reset_index(drop=True)
    if table == "projects":
        for step in _PROJECT_DATES:
            frame[step] = frame[step].where(frame[step].isna() | (frame[step] <= day))
    return frame


@dataclass(frozen=True)
class Known:
    """What is known of a district on a day.

    Attributes
    ----------
    name : str
    cutoff : date
        Nothing later is in the tables.
    plan : Plan
    tables : mapping of str to DataFrame
        The processed tables, by the names in ``planlib.schema.TABLES``.
    """

    name: str
    cutoff: dt.date
    plan: Plan
    tables: Mapping[str, pd.DataFrame] = field(repr=False)

    @property
    def schools(self) -> pd.DataFrame:
        """One row per school, stage and year, raw measures."""
        return self.tables["schools"]

    @cached_property
    def rows(self) -> measures.Rows:
        """The same as measures ask it: each question about a column once."""
        return measures.Rows(self.schools)

    @property
    def last_year(self) -> int:
        """The last year of school returns known."""
        if self.schools.empty:
            raise DataError(
                f"No school return of {self.name} is dated up to {self.cutoff}.\n"
                "To do: choose a later cutoff, or lay the returns into the district's folder."
            )
        return int(self.schools["year"].max())

    @property
    def is_simulated(self) -> bool:
        """Whether any file of the district is registered as synthetic."""
        return freshness.is_simulated(self.name)

    @cached_property
    def composite_targets(self) -> dict[str, float]:
        """The plan's targets of the composite coefficient, by stage."""
        measured = [row for row in self.plan.series.itertuples() if isinstance(row.measure, Mapping)]
        return {r.measure["composite"]: float(r.target) for r in measured if "composite" in r.measure}

    @cached_property
    def rules(self) -> dict[str, Any]:
        """The cut points of the evaluation (``definitions/evaluation.yml``)."""
        return load_definitions("evaluation")

    @cached_property
    def standard(self) -> Standard:
        """The standard of compulsory education in force at the last return."""
        day = min(self.cutoff, dt.date(self.plan.period["last_year"], 12, 31))
        return standard_from(load_definitions("standards"), "compulsory_2017", day)

    @cached_property
    def class_sizes(self) -> dict[str, float]:
        """Children a class for counting places, by stage or grade."""
        return {**self._rule("class_size_places", "class_size"), **self.standard.rules["class_size"]}

    @cached_property
    def stricter_class_sizes(self) -> dict[str, float]:
        """The same with the smaller classes that the province's monitoring prefers."""
        return {**self.class_sizes, **self._rule("class_size_zhejiang", "class_size")}

    @cached_property
    def pupils_per_post(self) -> dict[str, float]:
        """Pupils for one post of the staff (教职工编制), by stage."""
        return self._rule("staff_posts", "pupils_per_post")

    def _rule(self, name: str, rule: str) -> dict[str, float]:
        """Return a rule about the years to come as it stands at the end of the plan."""
        end = dt.date(self.plan.period["last_year"], 12, 31)
        return dict(standard_from(load_definitions("standards"), name, end).rules[rule])

    @cached_property
    def stage_resources(self) -> pd.DataFrame:
        """One row per school, stage and year that counts, with the resources of the standard."""
        return stage_resources(self.schools, self.standard)

    @cached_property
    def balance(self) -> pd.DataFrame:
        """Coefficients of variation by year and stage, the composite among them."""
        return balance.balance_table(
            self.stage_resources,
            by=["year", "stage"],
            resources=self.standard.per,
            composite=self.standard.composite,
        )

    @cached_property
    def balance_change(self) -> pd.DataFrame:
        """How robust the change of every coefficient since the plan's base year is to single schools."""
        rows, years = self.stage_resources, (self.plan.period["baseline_year"], self.last_year)
        return balance.bootstrap_change(
            rows, years, self.standard.resources, by=["stage"], seed=_SEED, composite=self.standard.composite
        )

    @cached_property
    def check(self) -> StandardCheck:
        """Every school of the last year against the thresholds."""
        rows = self.stage_resources
        return check_standard(rows[rows["year"] == self.last_year], self.standard)

    @cached_property
    def observations(self) -> pd.DataFrame:
        """Every value of every series: computed from returns where the plan says how, else as reported.

        ``series_id, year, value, relation, as_of, status, origin`` (``returns`` or ``reported``).
        """
        composites = self.balance[self.balance["resource"] == "composite"]
        status = self.rules["observation_status"]["returns"]
        computed = measures.series_values(self.plan.series, self.rows, composites, status)
        computed["origin"] = "returns"
        reported = self.tables["observations"]
        reported = reported[~reported["series_id"].isin(computed["series_id"])]
        kept = reported[["series_id", "value", "relation", "as_of", "status"]].assign(
            year=reported["as_of"].str[:4].astype(int), origin="reported"
        )
        both = [frame for frame in (computed, kept) if not frame.empty]
        table = pd.concat(both, ignore_index=True) if both else computed
        return table.sort_values(["series_id", "as_of"], ignore_index=True)

    def scorecard(self, cutoff: dt.date | str | None = None, phase: str = "midterm") -> pd.DataFrame:
        """Judge every series, and say how likely its target is.

        Parameters
        ----------
        cutoff : date or ISO text, optional
            An earlier day than the district was opened with; nothing later is used, for the forecast neither.
        phase : {"midterm", "endterm"}

        Returns
        -------
        DataFrame
            `planlib.evaluate.scorecard`, then ``probability, outlook, median_target_year, lower_80, upper_80,
            naive_target_year``.
        """
        day = self.cutoff if cutoff is None else dt.date.fromisoformat(str(cutoff))
        card = evaluate.scorecard(self._amended(day), self.observations, day.isoformat(), self.rules, phase=phase)
        known = self.observations[self.observations["as_of"] <= day.isoformat()]
        ahead = self._outlook(known)
        card = card.merge(ahead, on="series_id", how="left", validate="one_to_one")
        card["outlook"] = evaluate.outlook(card["probability"], self.rules)
        told = ["series_id", *self.plan.series.columns.difference(card.columns)]
        return card.merge(self.plan.series[told], on="series_id", validate="one_to_one")

    def _amended(self, day: dt.date) -> pd.DataFrame:
        """Return the plan's series with the targets amended up to a day beside the original ones."""
        targets = self.plan.targets(day.isoformat())
        changed = targets[targets["is_amended"]].rename(
            columns={"target": "amended_target", "relation": "amended_relation", "amended_on": "amended_date"}
        )
        columns = ["series_id", "amended_target", "amended_relation", "amended_date"]
        return self.plan.series.merge(changed[columns], on="series_id", how="left")

    def forecastable(self, observations: pd.DataFrame) -> pd.DataFrame:
        """Return the annual history of the series that can be forecast, with kind and bounds.

        Left out: series with census values only (never interpolated) and series whose meaning is open (口径待定).
        """
        series = self.plan.series[~self.plan.series["judged"].isin(["census", "ambiguous"])]
        told = series[["series_id", "kind", "lower_bound", "upper_bound"]]
        rows = observations.sort_values("as_of", kind="stable").drop_duplicates(["series_id", "year"], keep="last")
        return rows[["series_id", "year", "value"]].merge(told, on="series_id")

    def forecast(self, observations: pd.DataFrame | None = None) -> pd.DataFrame:
        """Forecast every series to the year of its target (`planlib.forecast.forecast`)."""
        history = self.forecastable(self.observations if observations is None else observations)
        nothing = pd.DataFrame(columns=list(_FORECAST))
        if history.empty:
            return nothing
        horizon = self._target_years().max() - history.groupby("series_id")["year"].max().min()
        if horizon < 1:
            return nothing
        ahead = forecasting.forecast(history, int(horizon))
        return ahead[ahead["year"] <= ahead["series_id"].map(self._target_years())].reset_index(drop=True)

    def required_change(self) -> pd.DataFrame:
        """Return the yearly change still needed for every target, and how rare it is among comparable series."""
        history, end = self.forecastable(self.observations), self._target_years().rename("year")
        targets = self._targets().merge(end, left_on="series_id", right_index=True)
        return forecasting.required_change(history, targets[targets["series_id"].isin(history["series_id"])])

    def _target_years(self) -> pd.Series:
        return self.plan.series.set_index("series_id")["target_as_of"].str[:4].astype(int)

    def _outlook(self, known: pd.DataFrame) -> pd.DataFrame:
        """Return the forecast at each series' target year and the probability of meeting the target."""
        columns = ["series_id", "probability", "median_target_year", "lower_80", "upper_80", "naive_target_year"]
        ahead = self.forecast(known)
        if ahead.empty:
            return pd.DataFrame(columns=columns)
        end = ahead[ahead["year"] == ahead["series_id"].map(self._target_years())]
        targets = self._targets().merge(end[["series_id", "year"]], on="series_id")
        chance = forecasting.probability(self.forecastable(known), targets)
        table = end[["series_id", "median", "lower_80", "upper_80", "naive"]].merge(
            chance[["series_id", "probability"]], on="series_id", how="left"
        )
        names = {"median": "median_target_year", "naive": "naive_target_year"}
        return table.rename(columns=names)[columns]

    def _targets(self) -> pd.DataFrame:
        """Return the plan's targets as a probability reads them: a bare number is a floor, or a ceiling to fall to.

        They hold at the precision the plan prints: 0.3004 meets 0.3 printed to three decimals.
        """
        series = self.plan.series
        bare = np.where(series["direction"] == "fall", "≤", "≥")
        relation = series["target_relation"].where(series["target_relation"] != "=", pd.Series(bare, series.index))
        return series[["series_id", "target", "precision"]].assign(relation=relation)

    @cached_property
    def issues(self) -> pd.DataFrame:
        """What cleaning mended or set aside, by file, sheet and cell (``issues.csv``)."""
        return pd.read_csv(paths.processed(self.name) / "issues.csv", dtype="str", keep_default_na=False)

    @cached_property
    def accounts(self) -> pd.DataFrame:
        """What became of every cell, by file and sheet (``accounts.csv``)."""
        return pd.read_csv(paths.processed(self.name) / "accounts.csv", keep_default_na=False)

    @cached_property
    def lineage(self) -> pd.DataFrame:
        """The birthplace of every value: file, sheet, cell, raw text, step."""
        frame = schema.read_table(paths.processed(self.name) / "lineage.parquet", "lineage")
        return known_rows(frame, "lineage", None if self.cutoff == dt.date.max else self.cutoff)

    @cached_property
    def form_cells(self) -> pd.DataFrame:
        """The figures of national forms that no column of schools needs, each with its own file, sheet and cell."""
        frame = schema.read_table(paths.processed(self.name) / "form_cells.parquet", "form_cells")
        return known_rows(frame, "form_cells", None if self.cutoff == dt.date.max else self.cutoff)

    @cached_property
    def commitment_records(self) -> pd.DataFrame:
        """What is recorded of every commitment: milestones, and what the data themselves give."""
        computed = measures.commitment_values(
            self.plan.commitments, self.rows, self.observations, self.tables["projects"], self.tables["finance"]
        )
        written = self.tables["milestones"][["commitment_id", "date", "achieved", "evidence"]]
        written = written[~written["commitment_id"].isin(computed["commitment_id"])]
        both = [frame for frame in (computed, written) if not frame.empty]
        return pd.concat(both, ignore_index=True) if both else written

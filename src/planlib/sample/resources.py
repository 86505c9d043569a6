"""What schools have: plant and the resources of the standard, spread so that the composite comes out as told."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from planlib.balance import coefficient_of_variation
from planlib.sample.pupils import MAINSTREAM, tracks
from planlib.sample.story import Floats, Story, between, compulsory_standard, generator
from planlib.standard import Standard

TEACHERS = ("teachers_above_required_degree", "backbone_teachers", "sports_arts_teachers")
AREAS = ("teaching_area_m2", "sports_area_m2")
GOODS = ("equipment_value_yuan", "multimedia_rooms")
GRADES = {"primary": 6, "junior": 3, "senior": 3}
STEPS = 44


@dataclass
class Units:
    """Compulsory sections of mainstream schools, one row per school, stage and year, and what they are made of.

    ``frame`` has ``index, stage, year, students, weighted`` (weighted pupils of the whole school), ``share`` (the
    part of a school's plant that falls to the section), ``filling`` (share of the grades that are there) and
    ``is_shared`` (several stages under one roof).
    """

    frame: pd.DataFrame
    standard: Standard


def make_units(story: Story, roster: pd.DataFrame, enrolment: pd.DataFrame) -> Units:
    """Return the sections that count in the coefficient, with the weights of shared plant.

    Parameters
    ----------
    story : mapping
    roster, enrolment : DataFrame

    Returns
    -------
    Units
    """
    standard = compulsory_standard(story, story["base_year"])
    mainstream = enrolment["index"].map(roster["school_type"]).isin(MAINSTREAM)
    frame = enrolment[mainstream].groupby(["index", "stage", "year"], as_index=False)["students"].sum()
    load = frame["students"] * frame["stage"].map(standard.plant_split)
    school = load.groupby([frame["index"], frame["year"]])
    frame["is_shared"] = frame["index"].map(roster["school_type"]).isin(["nine_year", "twelve_year"])
    # a section that stands alone is its own measure: its pupils count as one each
    frame["weighted"] = school.transform("sum").where(frame["is_shared"], frame["students"])
    frame["share"] = (load / school.transform("sum")).where(frame["is_shared"], 1.0)
    years_open = frame["year"] - frame["index"].map(roster["opened_year"]) + 1
    frame["filling"] = np.minimum(1.0, years_open / frame["stage"].map(GRADES))
    return Units(frame.sort_values(["year", "stage", "index"], ignore_index=True), standard)


class Plant:
    """Floor area, sports area: built once, enlarged by renewal, and by the works before recognition."""

    def __init__(
        self, story: Story, roster: pd.DataFrame, units: Units, weight: pd.Series, renewals: pd.Series, seed: int
    ) -> None:
        self.story, self.roster, self.units, self.renewals = story, roster, units, renewals
        self.rng = generator(seed, 3)
        self.weight = weight

    def areas(self) -> pd.DataFrame:
        """Return ``index, year`` and one whole-number column per area (the gym counted as sports area)."""
        schools = self._schools()
        for resource in AREAS:
            schools[resource] = self._one(schools, resource)
        return schools[["index", "year", *AREAS]]

    def _schools(self) -> pd.DataFrame:
        first = self.units.frame.sort_values(["index", "year", "stage"])
        schools = first.groupby(["index", "year"], as_index=False).agg(
            weighted=("weighted", "first"), is_shared=("is_shared", "first"), stage=("stage", "last"),
            filling=("filling", "mean"),
        )  # fmt: skip
        schools["kind"] = schools["stage"].where(~schools["is_shared"], "shared")
        schools["built_for"] = schools["index"].map(self._built_for(schools))
        return schools

    def _built_for(self, schools: pd.DataFrame) -> pd.Series:
        """Weighted pupils a school is built for: those of the base year; of a full school where it still fills."""
        full = schools[schools["filling"] >= 1.0].groupby("index")["weighted"]
        largest = schools.groupby("index")["weighted"].max()
        base = schools[(schools["year"] == self.story["base_year"]) & (schools["filling"] >= 1.0)]
        known = base.set_index("index")["weighted"].reindex(largest.index)
        found = known.fillna(full.first().reindex(largest.index))
        return found.fillna(self._design().reindex(largest.index)).fillna(largest)

    def _design(self) -> pd.Series:
        """Weighted pupils of the plan's new schools when full: nine tenths of the places."""
        total = pd.Series(0.0, index=self.roster.index)
        for stage in ("primary", "junior"):
            has = self.roster["school_type"].isin([stage, "nine_year"])
            weight = self.units.standard.plant_split[stage]
            shared = self.roster["school_type"] == "nine_year"
            places = tracks(self.story, self.roster, self.weight, stage) * self.story["design_size"][stage]
            total += np.where(has, places * GRADES[stage] * np.where(shared, weight, 1.0), 0.0)
        return (total * 0.9).where(total > 0)

    def _one(self, schools: pd.DataFrame, resource: str) -> Floats:
        start = self.story["new_school_start"]["plant"]
        per_pupil = self._per_pupil(schools, resource)
        in_use = start + (1 - start) * schools["filling"]
        area = per_pupil * schools["built_for"] * in_use
        done = schools["index"].map(self.renewals).fillna(9999)
        area = area * np.where(schools["year"] >= done, self.story["renewals"]["growth"], 1.0)
        crowded = self._exceptions(schools, resource).to_numpy()
        most = self.story["floors"]["exception"]["most"] * self._least(schools, resource) * schools["built_for"]
        area = np.where(crowded, np.minimum(area, most), area)
        return np.ceil(np.maximum(area, self._needed(schools, resource)))

    def _least(self, schools: pd.DataFrame, resource: str) -> Floats:
        return schools["kind"].map(school_threshold(self.units.standard, resource)).to_numpy(float)

    def _per_pupil(self, schools: pd.DataFrame, resource: str) -> Floats:
        spec = self.story["resources"][resource]
        z = pd.Series(np.clip(self.rng.normal(size=len(self.roster)), -2.3, 2.3), index=self.roster.index)
        mean = schools["kind"].map(lambda kind: spec[kind][0]).to_numpy(float)
        spread = schools["kind"].map(lambda kind: spec[kind][1]).to_numpy(float)
        return mean * np.exp(spread * schools["index"].map(z).to_numpy() - spread**2 / 2)

    def _needed(self, schools: pd.DataFrame, resource: str) -> Floats:
        """Area that keeps the threshold with the most pupils to come, from the year of the works."""
        floors = self.story["floors"]
        least = self._least(schools, resource) * floors["margin"]
        least = least * np.where(self._exceptions(schools, resource), floors["exception"]["share"], 1.0)
        ahead = schools[schools["year"] >= floors["since"]].groupby("index")["weighted"].max()
        need = least * schools["index"].map(ahead).fillna(0.0).to_numpy()
        return np.where(schools["year"] >= floors["works"], need, 0.0)

    def _exceptions(self, schools: pd.DataFrame, resource: str) -> pd.Series:
        """Primary schools of the dense area, where there is no ground to be had."""
        rule = self.story["floors"]["exception"]
        dense = self.roster[
            (self.roster["area"] == self.story["words"]["dense_area"])
            & (self.roster["school_type"] == "primary") & ~self.roster["is_project"]
        ]  # fmt: skip
        return schools["index"].isin(dense.index[: rule["schools"]]) & (resource == rule["resource"])


def school_threshold(standard: Standard, resource: str) -> dict[str, float]:
    """Return the threshold per weighted pupil by kind of unit; shared plant must satisfy each of its stages.

    Parameters
    ----------
    standard : Standard
    resource : str

    Returns
    -------
    dict of str to float
        ``primary``, ``junior``, ``shared``: the largest of threshold over weight, for a school of both stages.
    """
    own = {stage: float(values[resource]) for stage, values in standard.thresholds.items()}
    weights = {stage: standard.plant_split[stage] for stage in own}
    return {**own, "shared": max(value / weights[stage] for stage, value in own.items())}


class Levers:
    """Teachers, equipment, rooms: what a district can move; their spread is set so that the composite is the story's."""

    def __init__(self, story: Story, roster: pd.DataFrame, units: Units, areas: pd.DataFrame, seed: int) -> None:
        self.story, self.roster, self.standard = story, roster, units.standard
        self.frame = units.frame.merge(areas, on=["index", "year"])
        self.frame = self.frame[self.frame["stage"].isin(["primary", "junior"])].reset_index(drop=True)
        self.z = self._latent(seed)

    def _latent(self, seed: int) -> dict[str, Floats]:
        """A school's standing in a resource: lasting, with a small change from year to year."""
        rng, frame, found = generator(seed, 4), self.frame, {}
        years = sorted(frame["year"].unique())
        for resource in (*TEACHERS, *GOODS):
            for_school = resource in GOODS
            lasting = rng.normal(size=(len(self.roster), 2))
            yearly = rng.normal(size=(len(self.roster), 2, len(years))) * 0.16
            stage = np.where((frame["stage"] == "junior") & ~(for_school & frame["is_shared"]), 1, 0)
            year = np.searchsorted(years, frame["year"])
            z = lasting[frame["index"], stage] + yearly[frame["index"], stage, year]
            found[resource] = np.clip(z, -2.2, 2.2)
        return found

    def solve(self) -> pd.DataFrame:
        """Return the sections with a column per resource of the standard (totals of the section or school)."""
        parts = []
        for (year, stage), rows in self.frame.groupby(["year", "stage"], sort=True):
            aim = self.story["composite"][stage][year]
            parts.append(self._solve_one(rows.index.to_numpy(), int(year), str(stage), aim))
        return pd.concat(parts, ignore_index=True)

    def _solve_one(self, rows: np.ndarray, year: int, stage: str, aim: float) -> pd.DataFrame:
        low, high, best = 0.15, 2.6, (np.inf, pd.DataFrame())
        for _ in range(STEPS):
            middle = (low + high) / 2
            table = self._with_spread(rows, year, stage, middle)
            value = self.composite(table)
            if abs(value - aim) < best[0] - 1e-12:
                best = (abs(value - aim), table)
            low, high = (middle, high) if value < aim else (low, middle)
        return best[1]

    def composite(self, table: pd.DataFrame) -> float:
        """Mean of the seven coefficients of one stage and year."""
        students = table["students"].to_numpy()
        amounts = []
        for resource in self.standard.resources:
            shared = resource in self.standard.shared
            amounts.append(table[resource] * (table["share"] if shared else 1.0))
        return float(np.mean(coefficient_of_variation(np.array(amounts), students)))

    def _with_spread(self, rows: np.ndarray, year: int, stage: str, spread: float) -> pd.DataFrame:
        table = self.frame.loc[rows].copy()
        for resource in (*TEACHERS, *GOODS):
            table[resource] = self._amount(table, rows, resource, year, stage, spread)
        return table

    def _amount(
        self, table: pd.DataFrame, rows: np.ndarray, resource: str, year: int, stage: str, spread: float
    ) -> Floats:
        spec = self.story["resources"][resource]
        shared = table["is_shared"].to_numpy() & (resource in GOODS)
        size = np.where(shared, table["weighted"], table["students"])
        # what several stages share must not follow the spread of one of them
        scale = np.where(shared, spec.get("shared", spec[stage])[1], spec[stage][1] * spread)
        mean = np.where(shared, spec.get("shared", spec[stage])[0], spec[stage][0])
        mean = mean * (1 + self.story["growth"][resource]) ** (year - self.story["base_year"])
        boost = 1 + (self.story["new_school_start"]["levers"] - 1) * (1 - table["filling"].to_numpy())
        if resource in GOODS:
            boost = np.where(shared, 1.0, boost)
        x = mean * boost * np.exp(scale * self.z[resource][rows] - scale**2 / 2)
        amount = x * size / spec["per"]
        return self._whole(np.maximum(amount, self._floor(resource, year, stage, shared, size)), resource)

    def _floor(self, resource: str, year: int, stage: str, shared: np.ndarray, size: np.ndarray) -> Floats:
        floors = self.story["floors"]
        share = floors["margin"] if year >= floors["since"] else floors["ramp"].get(year, 0.0)
        limits = school_threshold(self.standard, resource)
        limit = np.where(shared, limits["shared"], limits[stage]) * share / self.standard.per[resource]
        if resource == "equipment_value_yuan":
            return limit * size
        # whole teachers and rooms: at least what the threshold asks for, rounded up
        return np.ceil(limit * size - 1e-9)

    @staticmethod
    def _whole(amount: Floats, resource: str) -> Floats:
        step = 100.0 if resource == "equipment_value_yuan" else 1.0
        return np.floor(amount / step + 0.5) * step


def staff_levels(story: Story, roster: pd.DataFrame, sections: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Add full-time teachers: those above the required degree over their share, which stays with a school.

    Parameters
    ----------
    story : mapping
    roster : DataFrame
    sections : DataFrame
        From :meth:`Levers.solve`.
    seed : int

    Returns
    -------
    DataFrame
        ``sections`` with ``teachers``, never fewer than any of their parts.
    """
    rng = generator(seed, 5)
    draw = pd.DataFrame(rng.random((len(roster), 2)), columns=["primary", "junior"])
    low = sections["stage"].map(lambda s: story["above_required_share"][s][0])
    high = sections["stage"].map(lambda s: story["above_required_share"][s][1])
    position = draw.to_numpy()[sections["index"], np.where(sections["stage"] == "junior", 1, 0)]
    share = low + (high - low) * position
    teachers = np.ceil(np.round(sections["teachers_above_required_degree"] / share, 9))
    other = sections[["backbone_teachers", "sports_arts_teachers"]].max(axis=1)
    return sections.assign(teachers=np.maximum(teachers, other))


def gym_areas(story: Story, roster: pd.DataFrame, areas: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Split sports area into ground and gym, and count the gym among the teaching rooms as the forms do.

    Parameters
    ----------
    story : mapping
    roster : DataFrame
    areas : DataFrame
        From :meth:`Plant.areas`: teaching area without, sports area with the gym.
    seed : int

    Returns
    -------
    DataFrame
        ``index, year, gym_area_m2, sports_ground_m2, teaching_area_m2`` (m²; the last with the gym).
    """
    rng = generator(seed, 6)
    has = rng.random(len(roster)) < story["gym"]["share"]
    part = np.where(has, between(rng, story["gym"]["of_sports"], len(roster)), 0.0)
    base = areas.groupby("index")["sports_area_m2"].transform("min")
    gym = np.floor(base * part[areas["index"]] / 10) * 10
    return pd.DataFrame({
        "index": areas["index"],
        "year": areas["year"],
        "gym_area_m2": gym,
        "sports_ground_m2": areas["sports_area_m2"] - gym,
        "teaching_area_m2": areas["teaching_area_m2"] + gym,
    })  # fmt: skip


def choose_renewals(story: Story, roster: pd.DataFrame) -> pd.Series:
    """Return which schools are renewed, and when: old public ones, spread over the list.

    Parameters
    ----------
    story : mapping
    roster : DataFrame

    Returns
    -------
    Series of int
        Year of completion, on the roster's index of the schools.
    """
    old = roster[
        roster["school_type"].isin(["primary", "junior", "nine_year"])
        & (roster["ownership"] == "public") & (roster["opened_year"] < 2000) & ~roster["is_project"]
    ]  # fmt: skip
    years = [year for year, number in story["renewals"]["completed"].items() for _ in range(number)]
    step = max(1, len(old) // story["renewals"]["planned"])
    chosen = old.index[::step][: len(years)]
    return pd.Series(years, index=chosen, dtype="int64")

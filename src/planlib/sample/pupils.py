"""How many children there are: births, entry, progression from grade to grade, shared out over schools."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pandas as pd

from planlib.sample.roster import exists
from planlib.sample.story import (
    ENTRY_GRADE,
    STAGE_GRADES,
    STAGE_OF_GRADE,
    Floats,
    Story,
    apportion,
    generator,
    stages_of_type,
)

MAINSTREAM = ("primary", "junior", "nine_year", "twelve_year")


def make_births(story: Story) -> pd.DataFrame:
    """Return resident births by area and calendar year.

    Parameters
    ----------
    story : mapping

    Returns
    -------
    DataFrame
        ``area, year, births``; the areas share a year's births by their size, which drifts a little.
    """
    areas, shares = story["words"]["areas"], np.array(story["words"]["area_shares"])
    rows = []
    for step, (year, number) in enumerate(story["births"].items()):
        drift = np.linspace(-0.006, 0.006, len(areas)) * (step - 7)
        parts = apportion(shares * (1 + drift), number)
        rows += [{"area": a, "year": year, "births": int(n)} for a, n in zip(areas, parts, strict=True)]
    return pd.DataFrame(rows)


def entries(story: Story, kind: str, year: int) -> float:
    """Return the children of the district who enter kindergarten or grade 1.

    k·(⅔ B(t − a) + ⅓ B(t − a − 1)), with a the age of entry and k the entry factor of the year (migration).

    Parameters
    ----------
    story : mapping
    kind : {"kindergarten", "primary"}
    year : int
        School year t; the age is reached by its 31 August, so two calendar years of birth meet in it.

    Returns
    -------
    float

    Examples
    --------
    >>> told = {"births": {2010: 300, 2011: 600}, "births_weights": {"same": 2 / 3, "before": 1 / 3},
    ...         "entry": {"early": {}, "primary": {"age": 6, "factor": {2017: 1.5}}}}
    >>> entries(told, "primary", 2017)
    750.0
    """
    if kind == "primary" and year in story["entry"]["early"]:
        return float(story["entry"]["early"][year])
    spec, births, part = story["entry"][kind], story["births"], story["births_weights"]
    born = year - spec["age"]
    return float(spec["factor"][year] * (part["same"] * births[born] + part["before"] * births[born - 1]))


def make_enrolment(story: Story, roster: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return pupils by school, stage, grade and year.

    The base year has the plan's totals exactly. Other years follow from it: forward and backward along the
    cohorts, with the entry grades filled from births.

    Parameters
    ----------
    story : mapping
    roster : DataFrame
        From :func:`planlib.sample.roster.make_roster`.
    seed : int

    Returns
    -------
    DataFrame
        ``index`` (of the roster), ``grade, students, year, stage``; no rows without pupils.
    """
    maker = _Enrolment(story, roster, seed)
    years = {maker.base: maker.base_year()}
    for year in range(maker.base - 1, story["years"][0] - 1, -1):
        years[year] = maker.backward(years[year + 1], year)
    for year in range(maker.base + 1, story["years"][-1] + 1):
        years[year] = maker.forward(years[year - 1], year)
    return pd.concat([_long(matrix, year) for year, matrix in sorted(years.items())], ignore_index=True)


def _long(matrix: pd.DataFrame, year: int) -> pd.DataFrame:
    long = matrix.rename_axis("index").reset_index().melt("index", var_name="grade", value_name="students")
    long = long[long["students"] > 0]
    return long.assign(year=year, stage=long["grade"].map(STAGE_OF_GRADE))


def sizes(story: Story, roster: pd.DataFrame, seed: int) -> pd.Series:
    """Return the size of a grade relative to the usual: a wide spread, a tight one for the plan's new schools.

    Parameters
    ----------
    story : mapping
    roster : DataFrame
    seed : int

    Returns
    -------
    Series
        On the index of the roster; 1 is the usual size.
    """
    rule = story["sizes"]
    size = np.exp(generator(seed, 0).normal(0.0, rule["spread"], len(roster)))
    middle = roster["school_type"].map(rule["middle"]).fillna(1.0).to_numpy()
    size = np.clip(size, *rule["limits"]) * middle
    return pd.Series(np.where(roster["is_project"], np.clip(size, *rule["new"]), size), index=roster.index)


class _Enrolment:
    """The cohorts of one run: weights that stay with a school, and the steps from year to year.

    A matrix has one row per institution and one column per grade.
    """

    def __init__(self, story: Story, roster: pd.DataFrame, seed: int) -> None:
        self.story, self.roster, self.base = story, roster, story["base_year"]
        self.rng = generator(seed, 2)
        self.stages = stages_of_type()
        self.weight = sizes(story, roster, seed)
        self.scale = 1.0

    def _with(self, stage: str, kinds: Iterable[str]) -> pd.Series:
        has = self.roster["school_type"].map(lambda kind: stage in self.stages[kind])
        return has & self.roster["school_type"].isin(list(kinds))

    def _open(self, grade: str, year: int, who: pd.Series) -> pd.Series:
        """Schools that have a grade: one that opened n years ago has the n + 1 lowest of the stage."""
        grades = STAGE_GRADES[STAGE_OF_GRADE[grade]]
        age = grades.index(grade) - grades.index(ENTRY_GRADE[STAGE_OF_GRADE[grade]])
        return who & exists(self.roster, year) & (self.roster["opened_year"] + max(age, 0) <= year)

    def _share(self, who: pd.Series, total: int, weight: pd.Series, caps: pd.Series | None = None) -> pd.Series:
        chosen = np.where(who, weight, 0.0)
        limit = None if caps is None else np.where(who, caps, 0)
        return pd.Series(apportion(chosen, total, limit), index=self.roster.index)

    # --- the base year ---------------------------------------------------------------------------------------

    def base_year(self) -> pd.DataFrame:
        """Return the base year with the plan's totals."""
        matrix = pd.DataFrame(0, index=self.roster.index, columns=list(STAGE_OF_GRADE))
        self._fixed_schools(matrix, self.base)
        self._base_mainstream(matrix)
        self._base_seniors(matrix)
        self._base_kindergartens(matrix)
        return matrix

    def _fixed_schools(self, matrix: pd.DataFrame, year: int) -> None:
        """Special and foreign schools: a few a grade, whatever the births."""
        for kind in ("special", "foreign"):
            rows = self.roster.index[self.roster["school_type"] == kind]
            for row, size in zip(rows, self.story[f"{kind}_per_grade"], strict=True):
                for grade in (*STAGE_GRADES["primary"], *STAGE_GRADES["junior"]):
                    shift = (year + int(grade) + int(row)) % 3 - 1 if year != self.base else 0
                    matrix.loc[row, grade] = size + shift

    def _cohort(self, grade: str, year: int) -> float:
        """Pupils of the district in a grade if every cohort had progressed at the usual ratios."""
        number, ratio = int(grade), 1.0
        for below in range(1, number):
            ratio *= self.story["progression"][str(below)]
        return entries(self.story, "primary", year - number + 1) * ratio

    def _base_mainstream(self, matrix: pd.DataFrame) -> None:
        grades = (*STAGE_GRADES["primary"], *STAGE_GRADES["junior"])
        fixed = int(matrix[list(grades)].to_numpy().sum())
        cohorts = np.array([self._cohort(grade, self.base) for grade in grades])
        aim = self.story["totals"]["compulsory"] - fixed
        self.scale = aim / cohorts.sum()
        for grade, total in zip(grades, apportion(cohorts, aim), strict=True):
            stage = STAGE_OF_GRADE[grade]
            who = self._open(grade, self.base, self._with(stage, MAINSTREAM))
            matrix[grade] += self._share(who, int(total), self._grade_weight(stage))

    def _grade_weight(self, stage: str) -> pd.Series:
        """A junior section of a nine-year school keeps the size of its primary section."""
        if stage != "junior":
            return self.weight
        shared = self.roster["school_type"].isin(["nine_year", "twelve_year"])
        return self.weight.where(~shared, self.weight * self.story["sizes"]["shared_junior"])

    def _base_seniors(self, matrix: pd.DataFrame) -> None:
        who = self._with("senior", self.stages)
        weight = self.roster["school_type"].map(self.story["sizes"]["senior"]).fillna(0.0)
        grades = STAGE_GRADES["senior"]
        totals = apportion([1.005, 1.0, 0.995], self.story["totals"]["senior"])
        for grade, total in zip(grades, totals, strict=True):
            matrix[grade] += self._share(who, int(total), weight)

    def _base_kindergartens(self, matrix: pd.DataFrame) -> None:
        matrix["T"] = self._toddlers(self.base)
        pattern = [self._kindergarten_cohort(step, self.base) for step in range(3)]
        for index, cell in enumerate(self.story["kindergartens"]):
            who = (self.roster["school_type"] == "kindergarten") & (self.roster["children"] == index)
            total = cell["children"] - int(matrix.loc[who, "T"].sum())
            open_now = {g: self._open(g, self.base, who) for g in ("K1", "K2", "K3")}
            weights = [self._filled(open_now[g], p) for g, p in zip(open_now, pattern, strict=True)]
            shares = apportion(np.concatenate(weights), total).reshape(3, -1)
            for grade, share in zip(open_now, shares, strict=True):
                matrix[grade] += share

    def _filled(self, who: pd.Series, cohort: float) -> Floats:
        """Weights that sum to the cohort, however many kindergartens have the grade."""
        weight = np.where(who, self.weight, 0.0)
        return np.asarray(weight / max(weight.sum(), 1e-9) * cohort)

    def _kindergarten_cohort(self, step: int, year: int) -> float:
        ratio = 1.0
        for below in range(1, step + 1):
            ratio *= self.story["progression"][f"K{below}"]
        return entries(self.story, "kindergarten", year - step) * ratio

    def _toddlers(self, year: int) -> pd.Series:
        """One or two 托班 in public kindergartens; new ones are built with them (同步增配)."""
        story, who = self.story, self._open("K1", year, self._with("preschool", ["kindergarten"]))
        order = np.lexsort((self.roster.index, self._toddler_rank()))
        order = order[who.to_numpy()[order]]
        first = order[: story["toddler_classes"][year]]
        sizes = pd.Series(0, index=self.roster.index)
        wiggle = (np.arange(len(first)) * 7 + year) % 3 - 1
        sizes.iloc[first] = story["toddlers_per_class"][year] + wiggle
        return sizes

    def _toddler_rank(self) -> Floats:
        """Smaller first: public kindergartens with quality, then the plan's new ones, then others."""
        public = (self.roster["ownership"] == "public") & (self.roster["school_type"] == "kindergarten")
        old = public & self.roster["is_quality"] & ~self.roster["is_project"]
        first = old & (np.arange(len(self.roster)) % 5 < 2)
        return np.select([first, self.roster["is_project"] & public, public], [0.0, 1.0, 2.0], 3.0)

    # --- along the cohorts -----------------------------------------------------------------------------------

    def backward(self, after: pd.DataFrame, year: int) -> pd.DataFrame:
        """Return the year before a known one."""
        matrix = pd.DataFrame(0, index=after.index, columns=after.columns)
        self._fixed_schools(matrix, year)
        for stage in ("primary", "junior", "senior", "preschool"):
            self._stage_backward(matrix, after, stage, year)
        return matrix

    def _stage_backward(self, matrix: pd.DataFrame, after: pd.DataFrame, stage: str, year: int) -> None:
        grades = [g for g in STAGE_GRADES[stage] if g != "T"]
        who = self._with(stage, [k for k in self.stages if k not in ("special", "foreign")])
        for grade, above in pairwise(grades):
            ratio = self.story["progression"][grade] + self._noise()
            here = np.floor(after[above] / ratio + 0.5).astype("int64")
            matrix[grade] += here.where(self._open(grade, year, who), 0)
        last = self._open(grades[-1], year, who)
        matrix[grades[-1]] += self._share(
            last, self._last_total(after, stage, year), self._like(after, grades, last)
        )
        if stage == "preschool":
            matrix["T"] = self._toddlers(year)

    def _like(self, after: pd.DataFrame, grades: list[str], who: pd.Series) -> pd.Series:
        """Weights of the leaving cohort: the school's own mean grade a year later."""
        return after[grades].mean(axis=1).where(who, 0.0)

    def _last_total(self, after: pd.DataFrame, stage: str, year: int) -> int:
        if stage == "senior":
            return round(after["12"].sum() * 0.99)
        if stage == "preschool":
            return round(self._kindergarten_cohort(2, year))
        return round(self._cohort(STAGE_GRADES[stage][-1], year) * self.scale)

    def _noise(self) -> Floats:
        spread = self.story["progression"]["noise"]
        return np.clip(self.rng.normal(0.0, spread, len(self.roster)), -2.2 * spread, 2.2 * spread)

    def forward(self, before: pd.DataFrame, year: int) -> pd.DataFrame:
        """Return the year after a known one."""
        matrix = pd.DataFrame(0, index=before.index, columns=before.columns)
        self._fixed_schools(matrix, year)
        for stage in ("primary", "junior", "senior", "preschool"):
            self._progress(matrix, before, stage, year)
        self._enter_primary(matrix, year)
        self._enter_junior(matrix, before, year)
        self._enter_senior(matrix, year)
        self._enter_kindergarten(matrix, year)
        return matrix

    def _progress(self, matrix: pd.DataFrame, before: pd.DataFrame, stage: str, year: int) -> None:
        grades = [g for g in STAGE_GRADES[stage] if g != "T"]
        who = self._with(stage, [k for k in self.stages if k not in ("special", "foreign")])
        here = who & exists(self.roster, year)
        for grade, above in pairwise(grades):
            ratio = self.story["progression"][grade] + self._noise()
            moved = np.floor(before[grade] * ratio + 0.5).astype("int64")
            matrix[above] += moved.where(here, 0)
        gone = who & exists(self.roster, year - 1) & ~exists(self.roster, year)
        for grade, above in pairwise(grades):
            left = int(before.loc[gone, grade].sum())
            matrix[above] += self._share(self._open(above, year, here), left, matrix[above].astype(float))

    def _enter_primary(self, matrix: pd.DataFrame, year: int) -> None:
        total = round(entries(self.story, "primary", year) * self.scale)
        who = self._open("1", year, self._with("primary", MAINSTREAM))
        matrix["1"] += self._share(who, total, self.weight, self._places("primary"))

    def _enter_junior(self, matrix: pd.DataFrame, before: pd.DataFrame, year: int) -> None:
        who = self._open("7", year, self._with("junior", MAINSTREAM))
        ordinary = self._with("primary", MAINSTREAM)
        total = round(int(before.loc[ordinary, "6"].sum()) * self.story["progression"]["6"])
        keeps = who & ordinary & (before["6"] > 0)
        own = np.floor(before["6"] * self.story["own_junior"]).astype("int64").where(keeps, 0)
        rest = self._share(
            who & ~keeps, total - int(own.sum()), self._grade_weight("junior"), self._places("junior")
        )
        matrix["7"] += own + rest

    def _enter_senior(self, matrix: pd.DataFrame, year: int) -> None:
        who = self._with("senior", self.stages)
        weight = self.roster["school_type"].map(self.story["sizes"]["senior"]).fillna(0.0)
        matrix["10"] += self._share(who, self.story["senior_entry"][year], weight)

    def _enter_kindergarten(self, matrix: pd.DataFrame, year: int) -> None:
        """The youngest are shared out so that the share of public kindergartens comes out as the story has it."""
        matrix["T"] = self._toddlers(year)
        total = round(entries(self.story, "kindergarten", year))
        who = self._open("K1", year, self._with("preschool", ["kindergarten"]))
        public = self.roster["ownership"] == "public"
        kindergarten = matrix[["T", "K2", "K3"]].sum(axis=1)
        aim = self.story["public_share"][year] / 100 * (kindergarten.sum() + total)
        wanted = int(np.clip(round(aim - kindergarten[public].sum()), 0, total))
        caps = self._places("preschool")
        matrix["K1"] += self._share(who & public, wanted, self.weight, caps)
        matrix["K1"] += self._share(who & ~public, total - wanted, self.weight)

    def _places(self, stage: str) -> pd.Series:
        """Places of the entry grade: tracks of the school times the class size it is planned for."""
        return places(self.story, self.roster, self.weight, stage)


def tracks(story: Story, roster: pd.DataFrame, weight: pd.Series, stage: str) -> pd.Series:
    """Return the parallel classes a school is built for in each grade of a stage.

    Parameters
    ----------
    story : mapping
    roster : DataFrame
    weight : Series
        From :func:`sizes`.
    stage : str

    Returns
    -------
    Series of int
        On the index of the roster, also for schools without the stage.
    """
    usual = story["tracks_per_size"][stage]
    found = np.ceil(weight * roster["school_type"].map(usual).fillna(usual["other"])).clip(2, 12)
    for kind, spec in story["new_schools"].items():
        low, high = spec["tracks"]
        new = roster["is_project"] & (roster["school_type"] == kind)
        found = found.where(~new, low + (roster.index % (high - low + 1)))
    return found.astype("int64")


def places(story: Story, roster: pd.DataFrame, weight: pd.Series, stage: str) -> pd.Series:
    """Return the places of one grade of a stage in each school: tracks times the size a class is planned for.

    Parameters
    ----------
    story : mapping
    roster : DataFrame
    weight : Series
    stage : str

    Returns
    -------
    Series of int
    """
    return tracks(story, roster, weight, stage) * int(story["design_size"][stage])

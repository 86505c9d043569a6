"""Which schools there are: fictitious names, when they open and close, what they are."""

from typing import Any

import numpy as np
import pandas as pd

from planlib.sample.story import Story, generator

NEVER = 9999


def make_roster(story: Story, seed: int) -> pd.DataFrame:
    """Return one row per institution that exists in any year.

    Parameters
    ----------
    story : mapping
        ``definitions/sample.yml``.
    seed : int

    Returns
    -------
    DataFrame
        ``school_id, school_name, school_type, area, education_group, ownership`` (at the start),
        ``is_inclusive, is_quality`` (kindergartens in the base year), ``children`` (kindergartens: share of the
        base year), ``opened_year, closed_year`` (first year it is gone), ``public_year`` (民办转公),
        ``inclusive_year, quality_year`` (first year it is), ``top_grade`` (省一级 rather than 省二级),
        ``is_project`` (one of the plan's new schools).
    """
    rng = generator(seed, 1)
    base = pd.concat([_existing(story, kind, rng) for kind in story["institutions"]], ignore_index=True)
    roster = pd.concat([base, _planned(story)], ignore_index=True)
    roster = _named(roster, story, rng)
    roster["top_grade"] = rng.random(len(roster)) < story["province_1_share"]
    return _turned_public(roster, story)


def _existing(story: Story, kind: str, rng: np.random.Generator) -> pd.DataFrame:
    spec = story["institutions"][kind]
    frame = pd.DataFrame({"school_type": [kind] * spec["number"], "is_project": False})
    frame["opened_year"] = _opened(story, spec, rng)
    frame["closed_year"] = NEVER
    if kind == "kindergarten":
        return _kindergartens(frame, story)
    # private schools stand at the end, so that recent ones (at the start) are public as the plan's were
    frame["ownership"] = ["public"] * (spec["number"] - spec["private"]) + ["private"] * spec["private"]
    return frame.assign(is_inclusive=False, is_quality=False, children=0, inclusive_year=NEVER, quality_year=NEVER)


def _opened(story: Story, spec: dict[str, Any], rng: np.random.Generator) -> list[int]:
    """Recent schools first (spread over 2016–2020), then old ones."""
    years = list(story["recent_years"])
    shares = np.array([story["recent_years"][y] for y in years])
    counts = np.floor(np.cumsum(shares) * spec["recent"] + 0.5).astype(int)
    recent = np.repeat(years, np.diff(counts, prepend=0))
    old = rng.integers(1952, 2015, spec["number"] - spec["recent"])
    return [*map(int, recent), *map(int, old)]


def _kindergartens(frame: pd.DataFrame, story: Story) -> pd.DataFrame:
    cells = story["kindergartens"]
    for column in ("ownership", "is_inclusive", "is_quality"):
        frame[column] = [cell[column] for cell in cells for _ in range(cell["number"])]
    frame["children"] = [index for index, cell in enumerate(cells) for _ in range(cell["number"])]
    frame["inclusive_year"] = np.where(frame["is_inclusive"], 0, NEVER)
    frame["quality_year"] = np.where(frame["is_quality"], 0, NEVER)
    frame.loc[~frame["is_quality"], "quality_year"] = story["unquality_ends"]
    exclusive = ~frame["is_inclusive"]
    frame.loc[exclusive, "inclusive_year"] = story["inclusive_ends"]
    stops = story["closed"]["private_exclusive"]
    frame.loc[frame.index[exclusive][-len(stops) :], "closed_year"] = stops
    return frame


def _planned(story: Story) -> pd.DataFrame:
    rows = [
        {"school_type": kind, "opened_year": year, "quality_year": year + 1 if kind == "kindergarten" else NEVER}
        for kind, spec in story["new_schools"].items()
        for year, number in spec["opened"].items()
        for _ in range(number)
    ]
    frame = pd.DataFrame(rows).assign(ownership="public", is_project=True, closed_year=NEVER, children=-1)
    kindergarten = frame["school_type"] == "kindergarten"
    # a new public kindergarten is a campus of a graded one until it is rated itself
    frame["quality_year"] = np.where(kindergarten, frame["opened_year"], NEVER)
    frame["inclusive_year"] = np.where(kindergarten, 0, NEVER)
    return frame.assign(is_inclusive=kindergarten, is_quality=kindergarten)


def _named(roster: pd.DataFrame, story: Story, rng: np.random.Generator) -> pd.DataFrame:
    words = story["words"]
    pairs = [first + second for first in words["first"] for second in words["second"]]
    chosen = [pairs[i] for i in rng.permutation(len(pairs))[: len(roster)]]
    suffix = roster["school_type"].map(words["suffix"])
    roster["school_name"] = [words["prefix"] + pair + end for pair, end in zip(chosen, suffix, strict=True)]
    roster["school_id"] = [f"S{number:04d}" for number in range(1, len(roster) + 1)]
    roster["area"] = rng.choice(words["areas"], len(roster), p=words["area_shares"])
    grouped = roster["school_type"].isin(["primary", "junior", "nine_year", "twelve_year", "special"])
    grouped |= (roster["school_type"] == "kindergarten") & (roster["ownership"] == "public")
    numbers = rng.integers(0, len(words["numbers"]), len(roster))
    names = [words["group"].format(prefix=words["prefix"], number=words["numbers"][n]) for n in numbers]
    roster["education_group"] = np.where(grouped, names, "")
    return roster


def _turned_public(roster: pd.DataFrame, story: Story) -> pd.DataFrame:
    roster["public_year"] = np.where(roster["ownership"] == "public", 0, NEVER)
    for kind, years in story["turned_public"].items():
        private = roster.index[(roster["school_type"] == kind) & (roster["ownership"] == "private")]
        roster.loc[private[: len(years)], "public_year"] = years
    return roster


def exists(roster: pd.DataFrame, year: int) -> pd.Series:
    """Return which institutions take pupils in a year.

    Parameters
    ----------
    roster : DataFrame
        With ``opened_year`` and ``closed_year`` (first year without pupils).
    year : int

    Returns
    -------
    Series of bool

    Examples
    --------
    >>> roster = pd.DataFrame({"opened_year": [2019, 2022], "closed_year": [2021, NEVER]})
    >>> exists(roster, 2021).tolist()
    [False, False]
    """
    return (roster["opened_year"] <= year) & (year < roster["closed_year"])

"""A simulated district (模拟数据): one consistent truth, and the files a bureau would make of it.

The totals of the base year are those the shipped plan prints; everything else is invented, told by
``definitions/sample.yml`` and ``definitions/sample_records.yml``, and laid out by ``definitions/sample_layout.yml``.
School names are fictitious.
"""

from pathlib import Path

import pandas as pd

from planlib.sample.files import write_district
from planlib.sample.pupils import make_births, make_enrolment, sizes
from planlib.sample.records import make_finance, make_milestones, make_observations, make_projects
from planlib.sample.roster import make_roster
from planlib.sample.schools import make_schools
from planlib.sample.story import definition, story

__all__ = ["SEED", "generate", "make_truth", "write_district"]

SEED = int(story()["seed"])


def make_truth(seed: int = SEED) -> dict[str, pd.DataFrame]:
    """Return one simulated district, 2018–2025, as consistent tables.

    Parameters
    ----------
    seed : int
        The same seed gives the same tables (NumPy PCG64, one stream for each part).

    Returns
    -------
    dict of str to DataFrame
        ``schools`` (columns of the processed table, one row per school, stage and year), ``enrolment``,
        ``births``, ``projects``, ``milestones``, ``finance``, ``observations`` (columns of their CSV files).

    Notes
    -----
    The base year reproduces the plan: institutions, children and pupils, teachers, staff, the shares of its table
    and the composite coefficients to three decimals, through the formula of :mod:`planlib.balance`. The composite of
    every year is met by choosing how far teachers, equipment and rooms are spread; plant is built once.
    Pupils of special and foreign schools are counted in compulsory education, seniors are those of the 普高, the
    two 职高 and the senior sections of the twelve-year schools.
    """
    told, records = story(), definition("sample_records")
    roster = make_roster(told, seed)
    weight = sizes(told, roster, seed)
    enrolment = make_enrolment(told, roster, seed)
    schools = make_schools(told, roster, enrolment, weight, seed)
    return {
        "schools": schools,
        "enrolment": _named(enrolment, roster),
        "births": make_births(told),
        "projects": make_projects(told, records, roster, weight, seed),
        "milestones": make_milestones(told, records, schools, enrolment, seed),
        "finance": make_finance(records),
        "observations": make_observations(told, records, schools),
    }


def _named(enrolment: pd.DataFrame, roster: pd.DataFrame) -> pd.DataFrame:
    """Columns of ``enrolment.csv``; the order of grades is that of age."""
    for column in ("school_id", "school_name", "area"):
        enrolment[column] = enrolment["index"].map(roster[column])
    order = ["school_id", "school_name", "area", "stage", "grade", "year", "students"]
    rank = enrolment["grade"].map({grade: step for step, grade in enumerate(enrolment["grade"].unique())})
    return enrolment.assign(rank=rank).sort_values(["year", "school_id", "rank"], ignore_index=True)[order]


def generate(folder: Path | str, seed: int = SEED) -> list[Path]:
    """Make a simulated district and write its files (the command ``planlib sample``).

    Parameters
    ----------
    folder : path
        The district's folder, for example ``data/raw/shangcheng``.
    seed : int

    Returns
    -------
    list of Path
        What was written.
    """
    return write_district(folder, make_truth(seed))

"""From raw measures to the resources a standard counts: shared plant, gym, which schools enter."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from planlib.errors import DataError, UsageError, listing
from planlib.standard.amounts import KEYS, TOLERANCE, refuse_bad_amounts, refuse_duplicates, where
from planlib.standard.rules import Standard

SEVEN = (
    "teachers_above_required_degree",
    "backbone_teachers",
    "sports_arts_teachers",
    "teaching_area_m2",
    "sports_area_m2",
    "equipment_value_yuan",
    "multimedia_rooms",
)
STAGES = ("preschool", "primary", "junior", "senior")
COMPULSORY = ("primary", "junior")

_DESCRIBING = [
    "school_name", "school_type", "ownership", "area", "education_group", "opened_year", "as_of", "classes",
]  # fmt: skip


def stage_resources(
    schools: pd.DataFrame,
    standard: Standard,
    *,
    split: Mapping[str, float] | str | None = None,
    include_private: bool | None = None,
    min_students: int | None = None,
    gym: str | None = None,
    include_filling: bool = True,
    offcampus: bool = False,
    unit: str = "school_id",
) -> pd.DataFrame:
    """Turn the raw ``schools`` table into one row per counting school, stage and year.

    Plant that a nine- or twelve-year school reports once is shared among its stages,

        share_s = A · w_s · P_s / Σ_t w_t · P_t,

    with P the pupils and w the weights, the seniors of twelve-year schools counted. The gym leaves the teaching
    area and enters the sports area: teaching = reported − gym, sports = ground + gym.

    Parameters
    ----------
    schools : DataFrame
        One row per school_id, stage and year with raw measures; school-wide plant repeated on each stage row.
    standard : Standard
        Gives the defaults of everything below.
    split : mapping of stage to float, or ``"heads"``, optional
        Weights of shared plant; ``"heads"`` counts every pupil as one.
    include_private : bool, optional
        Whether private schools count.
    min_students : int, optional
        Schools with fewer pupils (all stages together) are left out.
    gym : {"sports", "teaching"}, optional
        Where the gym counts.
    include_filling : bool
        Whether new schools count while their first intake has not reached the last grade.
    offcampus : bool
        Add ``offcampus_sports_area_m2`` (a relief for dense city centres) to the sports area.
    unit : str
        ``school_id`` (campus), or a column to merge schools by, such as ``education_group``.

    Returns
    -------
    DataFrame
        ``school_id, stage, year``, the describing columns that were there, ``students`` and the resources of
        the standard, as totals (not per pupil), sorted by year, stage and school. What was left out:
        :func:`left_out` with the same arguments.

    Raises
    ------
    DataError
        Unknown stage, duplicate rows, missing columns, shared plant that differs between the rows of a school,
        a gym larger than the area that contains it, negative or infinite amounts, fractional pupils.
    """
    frame = _checked(schools, standard, offcampus)
    reason = _reasons(frame, standard, include_private, min_students, include_filling)
    amounts = _raw_amounts(frame, standard, gym or standard.gym, offcampus)
    share = _plant_share(frame, _weights(split, standard))
    for name in amounts:
        if name in standard.shared:
            amounts[name] = amounts[name] * share
    kept = frame[[*KEYS, *[c for c in _DESCRIBING if c in frame], "students"]].assign(**amounts)
    kept = kept[reason == ""]
    if unit != "school_id":
        kept = _merge_units(kept, unit, standard)
    return kept.sort_values(["year", "stage", "school_id"], ignore_index=True)


def left_out(
    schools: pd.DataFrame,
    standard: Standard,
    *,
    include_private: bool | None = None,
    min_students: int | None = None,
    include_filling: bool = True,
) -> pd.DataFrame:
    """Name the rows that :func:`stage_resources` leaves out, and why.

    Parameters
    ----------
    schools, standard, include_private, min_students, include_filling
        As in :func:`stage_resources`.

    Returns
    -------
    DataFrame
        ``school_id, stage, year, students, reason``; reasons are ``other_stage, other_type, private,
        below_min_students, filling, no_students``, the first that applies.

    Raises
    ------
    DataError
        As in :func:`stage_resources`.
    """
    frame = _checked(schools, standard, False)
    reason = _reasons(frame, standard, include_private, min_students, include_filling)
    out = frame[[*KEYS, "students"]].assign(reason=reason)[reason != ""]
    return out.sort_values(["year", "stage", "school_id"], ignore_index=True)


def plant_shares(schools: pd.DataFrame, standard: Standard) -> pd.DataFrame:
    """Return the share of its school's plant that every stage gets: w·P / Σ w·P, seniors counted.

    Parameters
    ----------
    schools : DataFrame
        Raw rows: ``school_id, stage, year, students``.
    standard : Standard
        Gives the weights.

    Returns
    -------
    DataFrame
        ``school_id, stage, year, share``; NaN where a school's pupils are unknown.
    """
    numbers = schools["students"].astype("Float64").to_numpy(float, na_value=np.nan)
    frame = schools[KEYS].assign(students=numbers)
    return schools[KEYS].assign(share=_plant_share(frame, standard.plant_split))


def _needed(standard: Standard, offcampus: bool) -> list[str]:
    raw = [r for r in standard.resources if r not in ("sports_area_m2",)]
    if "sports_area_m2" in standard.resources:
        raw += ["sports_ground_m2", "gym_area_m2", *(["offcampus_sports_area_m2"] if offcampus else [])]
    if "teaching_area_m2" in standard.resources and "gym_area_m2" not in raw:
        raw += ["gym_area_m2"]
    return raw


def _checked(schools: pd.DataFrame, standard: Standard, offcampus: bool) -> pd.DataFrame:
    needed = _needed(standard, offcampus)
    missing = [c for c in [*KEYS, "school_type", "ownership", "students", *needed] if c not in schools]
    if missing:
        raise DataError(listing("the table of schools lacks columns", missing, "clean the returns again"))
    unknown = sorted(set(schools["stage"].astype(str)) - set(STAGES))
    if unknown:
        raise DataError(listing("unknown stages", unknown, f"use one of {', '.join(STAGES)}"))
    refuse_duplicates(schools, KEYS)
    frame = schools.reset_index(drop=True)
    numbers = {c: frame[c].astype("Float64").to_numpy(float, na_value=np.nan) for c in ["students", *needed]}
    frame = frame.assign(**numbers)
    refuse_bad_amounts(frame, needed)
    _refuse_uneven_plant(frame, [c for c in needed if c not in standard.resources or c in standard.shared])
    return frame


def _refuse_uneven_plant(frame: pd.DataFrame, shared: list[str]) -> None:
    """School-wide columns are repeated on each stage row; a difference means that somebody split them already."""
    groups = frame[frame["stage"] != "preschool"].groupby(["school_id", "year"], sort=False)[shared]
    highest, lowest = groups.max(), groups.min()
    faults = []
    for column in shared:
        uneven = highest[column] - lowest[column] > TOLERANCE * (1 + highest[column])
        faults += [f"{school} {year}: {column}" for school, year in highest.index[uneven]]
    if faults:
        hint = "repeat the school's total on each of its stage rows; planlib splits it"
        raise DataError(listing("plant of one school differs between its stages", faults, hint))


def _reasons(
    frame: pd.DataFrame,
    standard: Standard,
    include_private: bool | None,
    min_students: int | None,
    include_filling: bool,
) -> pd.Series:
    private_counts = standard.include_private if include_private is None else include_private
    least = standard.min_students if min_students is None else min_students
    students = frame["students"].fillna(0)
    school = students.where(frame["stage"] != "preschool", 0).groupby([frame["school_id"], frame["year"]])
    conditions = [
        ~frame["stage"].isin(COMPULSORY),
        ~frame["school_type"].isin(standard.school_types),
        (frame["ownership"] == "private") & (not private_counts),
        students <= 0,
        school.transform("sum") < least,
        ~_is_full(frame, standard) & (not include_filling),
    ]
    names = ["other_stage", "other_type", "private", "no_students", "below_min_students", "filling"]
    flags = [np.asarray(c.fillna(False), dtype=bool) for c in conditions]
    return pd.Series(np.select(flags, names, ""), index=frame.index, dtype="object")


def _is_full(frame: pd.DataFrame, standard: Standard) -> pd.Series:
    """A stage of G grades that opened in year y is full from year y + G − 1."""
    if "opened_year" not in frame:
        return pd.Series(True, index=frame.index)
    opened = frame["opened_year"].astype("Float64").to_numpy(float, na_value=-np.inf)
    grades = frame["stage"].map(standard.grades).fillna(1).to_numpy(float)
    return pd.Series(frame["year"].to_numpy(float) >= opened + grades - 1, index=frame.index)


def _raw_amounts(frame: pd.DataFrame, standard: Standard, gym: str, offcampus: bool) -> dict[str, pd.Series]:
    if gym not in ("sports", "teaching"):
        raise UsageError(f"gym must be 'sports' or 'teaching', not {gym!r}.")
    amounts = {r: frame[r] for r in standard.resources if r in frame}
    if "teaching_area_m2" in amounts and gym == "sports":
        inside = frame["gym_area_m2"] > frame["teaching_area_m2"] + TOLERANCE
        if inside.any():
            rows = [where(frame, i) for i in np.flatnonzero(inside).tolist()]
            raise DataError(listing("a gym larger than the teaching area that contains it", rows, "check both"))
        amounts["teaching_area_m2"] = (frame["teaching_area_m2"] - frame["gym_area_m2"]).clip(lower=0)
    if "sports_area_m2" in standard.resources:
        sports = frame["sports_ground_m2"] + (frame["gym_area_m2"] if gym == "sports" else 0.0)
        amounts["sports_area_m2"] = sports + (frame["offcampus_sports_area_m2"] if offcampus else 0.0)
    return {r: amounts[r] for r in standard.resources}


def _weights(split: Mapping[str, float] | str | None, standard: Standard) -> Mapping[str, float]:
    if split is None:
        return standard.plant_split
    if split == "heads":
        return dict.fromkeys(standard.plant_split, 1.0)
    if isinstance(split, str) or any(w <= 0 for w in split.values()):
        raise UsageError(f"split must be 'heads' or positive weights by stage, not {split!r}.")
    return split


def split_shares(students: Mapping[str, float], weights: Mapping[str, float]) -> dict[str, float]:
    """Return the share of a school's plant that each stage gets: w_s·P_s / Σ w_t·P_t.

    Parameters
    ----------
    students, weights : mapping of stage to float
        Pupils, and the weight of a pupil, of each stage.

    Returns
    -------
    dict of stage to float
        Shares that add up to 1 (all NaN if there are no pupils).

    Examples
    --------
    600 primary and 300 junior pupils, weights 1 and 1.1: 600 / 930 and 330 / 930.

    >>> shares = split_shares({"primary": 600, "junior": 300}, {"primary": 1, "junior": 1.1})
    >>> {stage: round(9000 * share, 4) for stage, share in shares.items()}
    {'primary': 5806.4516, 'junior': 3193.5484}
    """
    weighted = {stage: weights[stage] * count for stage, count in students.items()}
    total = sum(weighted.values())
    return {stage: (value / total if total else float("nan")) for stage, value in weighted.items()}


def _plant_share(frame: pd.DataFrame, weights: Mapping[str, float]) -> pd.Series:
    weight = frame["stage"].map(dict(weights)).astype(float).fillna(0.0)
    weighted = weight * frame["students"]
    # A stage whose pupils are unknown makes the shares of its whole school unknown: min_count would hide it.
    whole = weighted.groupby([frame["school_id"], frame["year"]]).transform("sum", skipna=False)
    return weighted / whole.where(whole > 0)


def _merge_units(kept: pd.DataFrame, unit: str, standard: Standard) -> pd.DataFrame:
    """Schools of one group become one row; schools in no group stay as they are."""
    if unit not in kept:
        raise DataError(
            f"There is no column {unit!r} to merge schools by.\nTo do: use school_id or a column you have."
        )
    name = kept[unit].astype("object").where(kept[unit].notna(), "")
    key = name.where(name != "", kept["school_id"].astype("object"))
    groups = kept.assign(school_id=key).groupby(KEYS, sort=False)
    merged = groups[["students", *standard.resources]].sum(skipna=False)
    describing = [c for c in (unit, "area") if c in kept and c not in KEYS]
    return merged.join(groups[describing].first()).reset_index()

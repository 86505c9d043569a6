"""What a standard says must be done to raw measures, and whether schools meet it.

Nothing here opens a file: a standard is built from a mapping (``definitions/standards.yml`` read by somebody
else) and a date, and tables come in and go out. Sources of every value stand in that file; the reasoning in
``docs/methods.md``, section "Balance between schools".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from planlib.errors import DataError, UsageError, listing

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
TOLERANCE = 1e-9
KEYS = ["school_id", "stage", "year"]

_PLANT = ("teaching_area_m2", "sports_area_m2", "equipment_value_yuan", "multimedia_rooms", "computers", "books")
_DESCRIBING = [
    "school_name", "school_type", "ownership", "area", "education_group", "opened_year", "as_of", "classes",
]  # fmt: skip


@dataclass(frozen=True)
class Standard:
    """The values of one standard in force on one date.

    Attributes
    ----------
    name, kind : str
        The key in ``standards.yml`` and its kind (compulsory, class_size, preschool).
    on : datetime.date
        The date asked for.
    resources : tuple of str
        The resource columns, in the order of the standard.
    per : dict of str to float
        Denominator of the printed indicator: 100 (per hundred pupils) or 1.
    thresholds : dict of stage to dict of resource to float
        达标值, in printed units (per ``per`` pupils).
    floor_share, required_met : float, int
        基本值 as a share of the threshold; how many resources a school must meet in full.
    caps : dict of stage to float
        Largest coefficient of variation; ``cap_applies_to`` says of each resource or of the composite.
    plant_split : dict of stage to float
        Weight of a pupil of each stage when a school's plant is shared.
    gym : str
        ``sports`` (gym counts as sports area) or ``teaching`` (left where it was reported).
    min_students, include_private, school_types, grades
        Which schools count, and how many grades a full stage has.
    labels, units : dict of str to dict of language to str
        Names and units of the resources in zh and en.
    whole, moves, shared : tuple of str
        Resources bought in whole units; that can move between schools; that all stages of a school share.
    rules : dict
        Everything else of the standard, resolved at the date (class and school sizes, preschool items).
    references : dict of str to str
        Source of each dated value, by dotted path.
    """

    name: str
    kind: str
    on: date
    label: Mapping[str, str]
    resources: tuple[str, ...] = ()
    per: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    floor_share: float = 1.0
    required_met: int = 0
    caps: Mapping[str, float] = field(default_factory=dict)
    cap_applies_to: str = "each"
    composite: str = "mean"
    plant_split: Mapping[str, float] = field(default_factory=dict)
    gym: str = "sports"
    min_students: int = 0
    include_private: bool = True
    school_types: tuple[str, ...] = ()
    grades: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    plausible: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    whole: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    rules: Mapping[str, Any] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StandardCheck:
    """What :func:`check_standard` found.

    Attributes
    ----------
    detail : DataFrame
        One row per school, stage, year and resource: ``resource, value`` (printed units), ``threshold, floor,
        state`` (met, between, below, missing), ``shortfall`` and ``shortfall_floor`` (units a planner buys,
        exact), ``to_buy`` (the shortfall in whole units where the resource comes in whole units).
    schools : DataFrame
        One row per school, stage and year: ``students, met, between, below, missing, is_passing``.
    """

    detail: pd.DataFrame
    schools: pd.DataFrame


def standard_from(definitions: Mapping[str, Any], name: str, on: date | str) -> Standard:
    """Build the standard that is in force on a date.

    Parameters
    ----------
    definitions : mapping
        The content of ``definitions/standards.yml``.
    name : str
        A key of its ``standards``, for example ``compulsory_2017``.
    on : datetime.date or str
        The date asked for (ISO if a string).

    Returns
    -------
    Standard

    Raises
    ------
    UsageError
        If the name is unknown, the date is not a date, or the standard is not in force on it.

    Examples
    --------
    >>> rules = {"resources": {"books": {"per": 1, "label": {}, "unit": {}}},
    ...          "standards": {"s": {"kind": "compulsory", "label": {}, "resources": ["books"],
    ...                              "in_force": [{"from": "2017-04-19", "value": True, "reference": "r"}]}}}
    >>> standard_from(rules, "s", "2020-09-01").per
    {'books': 1.0}
    """
    known = definitions["standards"]
    if name not in known:
        raise UsageError(f"Unknown standard {name!r}. Known: {', '.join(sorted(known))}. To do: use one of them.")
    day = _as_date(on)
    references: dict[str, str] = {}
    rules = _resolve(known[name], day, references)
    if not rules.get("in_force"):
        first = min(_as_date(entry["from"]) for entry in known[name]["in_force"])
        raise UsageError(
            f"The standard {name} is not in force on {day}: its first date is {first}.\n"
            "To do: ask for a later date, or for the standard that came before it."
        )
    return _build(name, day, rules, definitions.get("resources", {}), references)


def _build(
    name: str, day: date, rules: dict[str, Any], about: Mapping[str, Any], references: dict[str, str]
) -> Standard:
    resources = tuple(rules.pop("resources", ()))
    unknown = [r for r in resources if r not in about]
    if unknown:
        raise UsageError(listing(f"resources of {name} are not described", unknown, "add them to resources"))
    own = {r: about[r] for r in resources}
    rules.pop("in_force")
    taken = {key: rules.pop(key) for key in list(rules) if key in Standard.__dataclass_fields__}
    if "school_types" in taken:
        taken["school_types"] = tuple(taken["school_types"])
    return Standard(
        name=name,
        on=day,
        resources=resources,
        per={r: float(d["per"]) for r, d in own.items()},
        labels={r: d["label"] for r, d in own.items()},
        units={r: d["unit"] for r, d in own.items()},
        plausible={r: _bounds(d["plausible"]) for r, d in own.items() if "plausible" in d},
        whole=tuple(r for r, d in own.items() if d.get("whole")),
        moves=tuple(r for r, d in own.items() if d.get("moves")),
        shared=tuple(r for r, d in own.items() if d.get("shared")),
        rules=rules,
        references=references,
        **taken,
    )


def _bounds(plausible: Mapping[str, float]) -> tuple[float, float]:
    return float(plausible["lowest"]), float(plausible["highest"])


def _as_date(value: date | str) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise UsageError(f"{value!r} is not a date. To do: write it as YYYY-MM-DD.") from None


def _resolve(node: Any, on: date, references: dict[str, str], path: str = "") -> Any:
    """Replace every dated list by its value on the date; a value not yet in force becomes None and is dropped."""
    if isinstance(node, Mapping):
        found = {k: _resolve(v, on, references, f"{path}.{k}".lstrip(".")) for k, v in node.items()}
        return {k: v for k, v in found.items() if v is not None}
    if isinstance(node, list) and node and isinstance(node[0], Mapping) and "from" in node[0]:
        past = [entry for entry in node if _as_date(entry["from"]) <= on]
        if not past:
            return None
        latest = max(past, key=lambda entry: _as_date(entry["from"]))
        references[path] = latest["reference"]
        return latest["value"]
    return node


# --- from raw measures to the resources of a standard -------------------------------------------------------


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
        if name in _PLANT:
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


def refuse_duplicates(frame: pd.DataFrame, keys: list[str]) -> None:
    """Raise :class:`DataError` naming the rows that stand twice under the same keys."""
    twice = frame.duplicated(keys, keep="first")
    if twice.any():
        rows = [", ".join(map(str, row)) for row in frame.loc[twice, keys].itertuples(index=False)]
        raise DataError(listing(f"rows that stand twice ({', '.join(keys)})", rows, "keep one row each"))


def refuse_bad_amounts(frame: pd.DataFrame, resources: Iterable[str], students: str = "students") -> None:
    """Raise :class:`DataError` naming negative or infinite amounts and negative or fractional pupils."""
    faults: list[str] = []
    for column in [students, *resources]:
        values = frame[column].to_numpy(float, na_value=np.nan)
        with np.errstate(invalid="ignore"):
            bad = (values < 0) | np.isinf(values)
            if column == students:
                bad |= np.floor(values) != values
            bad &= ~np.isnan(values)
        faults += [f"{_where(frame, i)}: {column} = {values[i]:g}" for i in np.flatnonzero(bad).tolist()]
    if faults:
        hint = "amounts are zero or more and finite, pupils are whole numbers; leave unknown ones empty"
        raise DataError(listing("impossible amounts", faults, hint))


def _where(frame: pd.DataFrame, row: int) -> str:
    keys = [k for k in KEYS if k in frame]
    return " ".join(str(frame[k].iloc[row]) for k in keys) or f"row {row}"


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
            rows = [_where(frame, i) for i in np.flatnonzero(inside).tolist()]
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


# --- does a school meet it ----------------------------------------------------------------------------------


def check_standard(stage_rows: pd.DataFrame, standard: Standard) -> StandardCheck:
    """Compare every school with the thresholds of a standard.

    A school passes when at least ``required_met`` resources reach the threshold T and the others reach the
    floor (``floor_share``·T). Values are compared unrounded with a tolerance of 1e-9. The shortfall in units
    is max(0, T·P/per − R).

    Parameters
    ----------
    stage_rows : DataFrame
        As :func:`stage_resources` returns it.
    standard : Standard
        With thresholds.

    Returns
    -------
    StandardCheck

    Raises
    ------
    UsageError
        If the standard has no thresholds.
    DataError
        If a stage has no thresholds, a column is missing or an amount is impossible.

    Examples
    --------
    >>> tiny = Standard("s", "compulsory", date(2020, 9, 1), {}, ("books",), {"books": 1.0},
    ...                 {"primary": {"books": 30.0}}, floor_share=0.85, required_met=1)
    >>> rows = pd.DataFrame({"school_id": ["a", "b"], "stage": "primary", "year": 2020,
    ...                      "students": [100, 100], "books": [3000, 2700]})
    >>> check_standard(rows, tiny).detail[["school_id", "value", "state", "shortfall"]]
      school_id  value    state  shortfall
    0         a   30.0      met        0.0
    1         b   27.0  between      300.0
    """
    _refuse_unusable(stage_rows, standard)
    detail = pd.concat([_one_resource(stage_rows, r, standard) for r in standard.resources], ignore_index=True)
    flags = {state: (detail["state"] == state).astype(int) for state in ("met", "between", "below", "missing")}
    counts = detail[KEYS].assign(**flags).groupby(KEYS, sort=False).sum().reset_index()
    schools = stage_rows[[*KEYS, "students"]].merge(counts, on=KEYS)
    enough = schools["met"] >= standard.required_met
    schools["is_passing"] = enough & (schools["below"] == 0) & (schools["missing"] == 0)
    return StandardCheck(detail, schools)


def _refuse_unusable(stage_rows: pd.DataFrame, standard: Standard) -> None:
    if not standard.thresholds:
        raise UsageError(f"The standard {standard.name} has no thresholds for schools; use compulsory_2017.")
    missing = [c for c in [*KEYS, "students", *standard.resources] if c not in stage_rows]
    if missing:
        raise DataError(listing("columns are missing", missing, "make the rows with stage_resources"))
    odd = sorted(set(stage_rows["stage"].astype(str)) - set(standard.thresholds))
    if odd:
        raise DataError(listing(f"stages without thresholds in {standard.name}", odd, "leave them out"))
    refuse_duplicates(stage_rows, KEYS)
    refuse_bad_amounts(stage_rows, standard.resources)


def _one_resource(rows: pd.DataFrame, resource: str, standard: Standard) -> pd.DataFrame:
    students = rows["students"].to_numpy(float, na_value=np.nan)
    amount = rows[resource].to_numpy(float, na_value=np.nan)
    per = standard.per[resource]
    threshold = rows["stage"].map({s: t[resource] for s, t in standard.thresholds.items()}).to_numpy(float)
    floor = threshold * standard.floor_share
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(students > 0, per * amount / students, np.nan)
    states = [np.isnan(value), value >= threshold - TOLERANCE, value >= floor - TOLERANCE]
    short = np.clip(threshold * students / per - amount, 0, None)
    short[states[1]] = 0.0
    short_floor = np.where(states[2], 0.0, np.clip(floor * students / per - amount, 0, None))
    to_buy = np.ceil(short - TOLERANCE) if resource in standard.whole else short
    return rows[KEYS].assign(
        resource=resource,
        value=value,
        threshold=threshold,
        floor=floor,
        state=np.select(states, ["missing", "met", "between"], "below"),
        shortfall=short,
        shortfall_floor=short_floor,
        to_buy=np.clip(to_buy, 0, None),
    )


def implausible(stage_rows: pd.DataFrame, standard: Standard) -> pd.DataFrame:
    """Name the values per pupil that lie outside what the unit allows (元 and 万元 mixed, for example).

    Parameters
    ----------
    stage_rows : DataFrame
        As :func:`stage_resources` returns it.
    standard : Standard
        With ``plausible`` bounds per pupil.

    Returns
    -------
    DataFrame
        ``school_id, stage, year, resource, per_pupil, lowest, highest``; empty if all is well.
    """
    found = []
    for resource, (lowest, highest) in standard.plausible.items():
        students = rows_with_pupils(stage_rows)
        per_pupil = students[resource].astype(float) / students["students"].astype(float)
        odd = (per_pupil < lowest) | (per_pupil > highest)
        named = students.loc[odd, KEYS].assign(resource=resource, per_pupil=per_pupil[odd])
        found.append(named.assign(lowest=lowest, highest=highest))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*KEYS, "resource", "per_pupil"])


def rows_with_pupils(stage_rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with at least one pupil."""
    return stage_rows[stage_rows["students"].fillna(0) > 0]


def with_values(standard: Standard, **changes: Any) -> Standard:
    """Return the standard with some values replaced (for a sensitivity, or a stricter local rule)."""
    return replace(standard, **changes)

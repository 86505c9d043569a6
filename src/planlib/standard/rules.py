"""A standard as data: its values in force on one date."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from planlib.errors import UsageError, listing


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
    unit_costs : dict of str to float
        Yuan of one unit (a teacher: a year), where given: orders of magnitude to compare mixes with.
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
    unit_costs: Mapping[str, float] = field(default_factory=dict)
    whole: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    rules: Mapping[str, Any] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)


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
        unit_costs={r: float(d["unit_cost"]["yuan"]) for r, d in own.items() if "unit_cost" in d},
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


def with_values(standard: Standard, **changes: Any) -> Standard:
    """Return the standard with some values replaced (for a sensitivity, or a stricter local rule)."""
    return replace(standard, **changes)

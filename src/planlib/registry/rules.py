"""What must hold between the entries of plan.yml: ids, links, targets, sums, amendments."""

from collections.abc import Iterable
from contextlib import suppress

from planlib.errors import RegistryError
from planlib.registry.documents import Document, Where, as_mapping, did_you_mean
from planlib.registry.entries import Entries, Entry
from planlib.registry.shape import KINDS, PERIOD
from planlib.registry.targets import Target, parse_target

SCHEMA_VERSION = 1

_ALLOWED = {  # direction → relations a target may be printed with
    "rise": ("=", ">", "≥", "≈"),
    "fall": ("=", "<", "≤", "≈"),
    "hold": ("=", ">", "≥", "<", "≤", "≈"),
    "volume": ("=", ">", "≥", "<", "≤", "≈"),
}
_NEEDS = {  # way of judging → what else the series must say
    "pace": ("direction", ("rise", "fall")),
    "met_only": ("direction", ("rise", "fall")),
    "hold": ("direction", ("hold",)),
    "volume": ("direction", ("volume",)),
    "batch": ("kind", ("cumulative",)),
}
_FIXED = {"milestone": 1.0, "coverage": 100.0, "never_falls": 0.0}  # kind of commitment → its only target


def check_version(document: Document) -> None:
    """Raise unless the file is written in the schema this planlib reads.

    Raises
    ------
    RegistryError
        At once: in another version every other message would mislead.
    """
    version = as_mapping(document.data).get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION or isinstance(version, bool):
        document.fault(
            ("schema_version",),
            f"schema_version is {version!r}",
            str(SCHEMA_VERSION),
            "convert the file, or install the planlib that reads this version",
        )
        document.raise_faults()


def check_rules(document: Document, entries: Entries) -> None:
    """Note every fault between the entries of a plan.

    Parameters
    ----------
    document : Document
        Receives the faults.
    entries : Entries
        Entries whose own keys are at fault take part only where they can.
    """
    _check_period(document)
    _check_ids(document, entries)
    _check_numbers(document, entries)
    _check_links(document, entries)
    _check_tracked(document, entries)
    for series in entries.series:
        _check_series(document, series)
    for commitment in entries.commitments:
        _check_commitment(document, commitment)
    _check_sums(document, entries)
    _check_amendments(document, entries)
    _check_discrepancies(document, entries)


def _check_period(document: Document) -> None:
    period = as_mapping(as_mapping(document.data).get("period"))
    years = [year for key in PERIOD if isinstance(year := period.get(key), int)]
    if len(years) != len(PERIOD):
        return
    baseline, first, last = years
    if not baseline < first <= last:
        document.fault(
            ("period",),
            f"the period runs {baseline}, {first}, {last}",
            "baseline < first <= last",
            "mend the years",
        )


def _check_ids(document: Document, entries: Entries) -> None:
    # milestones, explanations and sums name their subject by id alone, so these share one set of names
    subjects = [*entries.base_counts, *entries.tracked()]
    frame = [entry for group in entries.frame.values() for entry in group]
    for group in (subjects, entries.indicators, frame, entries.discrepancies):
        _check_unique(document, group, "id")


def _check_numbers(document: Document, entries: Entries) -> None:
    for group in (entries.indicators, entries.series, *entries.frame.values()):
        _check_unique(document, group, "number")


def _check_unique(document: Document, group: Iterable[Entry], key: str) -> None:
    first: dict[object, Where] = {}
    for entry in group:
        value = entry.data.get(key)
        if not isinstance(value, str | int):
            continue
        if value in first:
            line = document.line(first[value])
            document.fault(
                (*entry.where, key),
                f"the {key} {value!r} stands a second time",
                f"one of a kind (line {line})",
                "rename one",
            )
        first.setdefault(value, (*entry.where, key))


def _check_links(document: Document, entries: Entries) -> None:
    known = {kind: [entry.id for entry in group] for kind, group in entries.frame.items()}
    for entry in [*entries.indicators, *entries.tracked()]:
        for kind, ids in known.items():
            linked = entry.data.get(kind)
            if isinstance(linked, str) and linked not in ids:
                document.fault(
                    (*entry.where, kind),
                    f"unknown {kind} {linked!r}",
                    "an id of the frame",
                    did_you_mean(linked, ids),
                )


def _check_tracked(document: Document, entries: Entries) -> None:
    # a series without a goal takes its indicator's, and no indicator is without series
    linkers = [*entries.indicators, *entries.tracked()]
    linked = {
        link for entry in linkers for kind in KINDS.values() if isinstance(link := entry.data.get(kind), str)
    }
    for kind, group in entries.frame.items():
        for entry in group:
            if entry.id not in linked:
                document.fault(
                    entry.where,
                    f"nothing is tracked for the {kind} {entry.id!r}",
                    "at least one series or commitment",
                    f"link one with `{kind}: {entry.id}`",
                )


def _read(text: object) -> Target | None:
    """Return a printed number, or None where there is none to read."""
    with suppress(RegistryError):
        return parse_target(text) if isinstance(text, str) else None
    return None


def _printed(document: Document, entry: Entry, key: str) -> Target | None:
    """Return a printed number, or note that it cannot be read."""
    text = entry.data.get(key)
    found = _read(text)
    if found is not None or not isinstance(text, str):
        return found
    document.fault(
        (*entry.where, key),
        f"{key} {text!r}",
        'a number such as "85", ">95", "≥25%"',
        "write sign and digits only",
    )
    return None


def _check_series(document: Document, entry: Entry) -> None:
    baseline, target = _printed(document, entry, "baseline"), _printed(document, entry, "target")
    if not entry.is_whole or baseline is None or target is None:
        return
    _check_direction(document, entry, baseline, target)
    if entry.data["direction"] == "hold" and target.value != baseline.value:
        what = f"the target {entry.data['target']} of a series that is to hold from {entry.data['baseline']}"
        document.fault((*entry.where, "target"), what, "the baseline itself", "mend the number, or the direction")
    _check_judged(document, entry)
    _check_source(document, entry)
    _check_bounds(document, entry, {"baseline": baseline, "target": target})
    if entry.data["baseline_as_of"] >= entry.data["target_as_of"]:
        document.fault(
            (*entry.where, "target_as_of"),
            f"target_as_of {entry.data['target_as_of']} does not follow baseline_as_of",
            f"a date after {entry.data['baseline_as_of']}",
            "mend one of the two dates",
        )


def _check_direction(document: Document, entry: Entry, baseline: Target, target: Target) -> None:
    direction = entry.data["direction"]
    _check_relation(document, entry, target, direction)
    # 98 to >98 has no room but a direction; 98 to 98 is to be held
    is_strict = target.relation in "><"
    gain = {"rise": target.value - baseline.value, "fall": baseline.value - target.value}.get(direction)
    if gain is not None and (gain < 0 or (gain == 0 and not is_strict)):
        document.fault(
            (*entry.where, "target"),
            f"the target {entry.data['target']} of a series that is to {direction} from {entry.data['baseline']}",
            f"a target {'above' if direction == 'rise' else 'below'} the baseline",
            "mend the number, or the direction",
        )


def _check_relation(document: Document, entry: Entry, target: Target, direction: str) -> None:
    allowed = _ALLOWED[direction]
    if target.relation not in allowed:
        document.fault(
            (*entry.where, "target"),
            f"the target {entry.data['target']} of a series that is to {direction}",
            f"one of {' '.join(allowed)}",
            "mend the sign, or the direction",
        )


def _check_judged(document: Document, entry: Entry) -> None:
    judged = entry.data["judged"]
    key, wanted = _NEEDS.get(judged, ("judged", (judged,)))
    if entry.data[key] not in wanted:
        document.fault(
            (*entry.where, "judged"), f"judged: {judged}", f"{key}: {' or '.join(wanted)}", "mend one of the two"
        )


def _check_source(document: Document, entry: Entry) -> None:
    source, is_measured = entry.data["source"], "measure" in entry.data
    if is_measured != (source == "returns"):
        todo = "remove the measure" if is_measured else "add one, or write source: observations"
        document.fault((*entry.where, "source"), f"source: {source}", "a measure with source: returns only", todo)


def _check_bounds(document: Document, entry: Entry, printed: dict[str, Target]) -> None:
    lowest, highest = bounds_of(entry.data)
    for key, target in printed.items():
        is_low = lowest is not None and target.value < lowest
        if is_low or (highest is not None and target.value > highest):
            document.fault(
                (*entry.where, key),
                f"{key} {entry.data[key]} is out of bounds",
                f"{lowest} to {highest}",
                "mend one",
            )


def bounds_of(series: dict[str, object]) -> tuple[float | None, float | None]:
    """Return lowest and highest value of a series: its own bounds, else those of its kind."""
    bounds = series.get("bounds")
    if isinstance(bounds, list):
        return (bounds[0], bounds[1])
    kinds = {"percent": (0.0, 100.0), "positive": (0.0, None), "cumulative": (0.0, None)}
    return kinds.get(str(series.get("kind")), (None, None))


def _check_commitment(document: Document, entry: Entry) -> None:
    target = _printed(document, entry, "target")
    if target is None or not entry.is_whole:
        return
    kind = entry.data["kind"]
    fixed = _FIXED.get(kind)
    if fixed is not None and target.value != fixed:
        document.fault(
            (*entry.where, "target"),
            f"the target {entry.data['target']} of a {kind}",
            f"{fixed:g}",
            "mend target or kind",
        )
    if kind == "per_period" and "period" not in entry.data:
        document.fault(
            entry.where, f"the entry {entry.id!r} has no period", "day, half_year or year", "add `period:`"
        )
    if entry.data["due"] < first_day(document):
        document.fault(
            (*entry.where, "due"),
            f"due {entry.data['due']}",
            f"a date from {first_day(document)}",
            "mend the date",
        )


def first_day(document: Document) -> str:
    """Return the first day of the plan's period as an ISO date."""
    first = as_mapping(as_mapping(document.data).get("period")).get("first_year")
    return f"{first:04d}-01-01" if isinstance(first, int) else "0001-01-01"


def _check_sums(document: Document, entries: Entries) -> None:
    values: dict[str, float] = {entry.id: entry.data["value"] for entry in entries.base_counts if entry.is_whole}
    for entry in entries.commitments:
        target = _read(entry.data.get("target"))
        if target is not None:
            values[entry.id] = target.value
    for entry in entries.sums:
        if entry.is_whole:
            _check_sum(document, entry, values)


def _check_sum(document: Document, entry: Entry, values: dict[str, float]) -> None:
    names = [entry.data["total"], *entry.data["parts"]]
    unknown = [name for name in names if name not in values]
    for name in unknown:
        key = "total" if name == entry.data["total"] else "parts"
        document.fault(
            (*entry.where, key),
            f"unknown {name!r}",
            "an id of base_counts or commitments",
            did_you_mean(name, values),
        )
    if unknown:
        return
    total, parts = values[names[0]], [values[name] for name in names[1:]]
    if abs(total - sum(parts)) > 1e-9 * max(1.0, abs(total)):
        document.fault(
            (*entry.where, "parts"),
            f"{' + '.join(f'{part:.12g}' for part in parts)} = {sum(parts):.12g}",
            f"{names[0]} = {total:.12g}",
            "mend the number that differs from the document",
        )


def _check_amendments(document: Document, entries: Entries) -> None:
    subjects = {
        "series": {entry.id: entry for entry in entries.series},
        "commitment": {entry.id: entry for entry in entries.commitments},
    }
    seen: dict[tuple[str, str], int] = {}
    for entry in entries.amendments:
        named = [key for key in subjects if key in entry.data]
        if len(named) != 1:
            document.fault(entry.where, "an amendment", "a series or a commitment", "name one of the two")
        elif entry.is_whole:
            _check_amendment(document, entry, named[0], subjects[named[0]])
            _check_repeated(document, entry, entry.data[named[0]], seen)


def _check_repeated(document: Document, entry: Entry, subject: str, seen: dict[tuple[str, str], int]) -> None:
    line = seen.setdefault((subject, entry.data["date"]), document.line(entry.where))
    if line != document.line(entry.where):
        document.fault(
            entry.where, f"{subject} is amended a second time on one day", f"once (line {line})", "remove one"
        )


def _check_amendment(document: Document, entry: Entry, key: str, subjects: dict[str, Entry]) -> None:
    subject = subjects.get(entry.data[key])
    if subject is None:
        document.fault(
            (*entry.where, key),
            f"unknown {key} {entry.data[key]!r}",
            "its id",
            did_you_mean(entry.data[key], subjects),
        )
        return
    target = _printed(document, entry, "target")
    baseline = _read(subject.data.get("baseline"))
    if target is not None and baseline is not None and subject.is_whole:
        # judged as the series would be with this target; what was to be held may be amended to less
        amended = Entry(entry.where, {**subject.data, "target": entry.data["target"]}, True)
        _check_direction(document, amended, baseline, target)
        _check_bounds(document, amended, {"target": target})
    if entry.data["date"] < first_day(document):
        document.fault(
            (*entry.where, "date"), f"amended {entry.data['date']}", f"from {first_day(document)}", "mend the date"
        )


def _check_discrepancies(document: Document, entries: Entries) -> None:
    known = [entry.id for entry in entries.series]
    for entry in entries.discrepancies:
        for name in entry.data["series"] if entry.is_whole else []:
            if name not in known:
                document.fault(
                    (*entry.where, "series"),
                    f"unknown series {name!r}",
                    "an id of a series",
                    did_you_mean(name, known),
                )

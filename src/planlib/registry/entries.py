"""The entries of plan.yml with the place each stands in, checked one by one against their shape."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from planlib.registry import shape
from planlib.registry.documents import Document, Where, as_list, as_mapping


@dataclass(frozen=True)
class Entry:
    """One entry, where it stands, and whether its own keys are without fault."""

    where: Where
    data: dict[str, Any]
    is_whole: bool

    @property
    def id(self) -> str:
        """The id, or an empty text where there is none."""
        found = self.data.get("id", "")
        return found if isinstance(found, str) else ""


@dataclass(frozen=True)
class Entries:
    """Everything of a plan that has an id, in the order of the file."""

    frame: dict[str, list[Entry]] = field(default_factory=dict)
    areas: list[Entry] = field(default_factory=list)
    base_counts: list[Entry] = field(default_factory=list)
    sums: list[Entry] = field(default_factory=list)
    indicators: list[Entry] = field(default_factory=list)
    series: list[Entry] = field(default_factory=list)
    commitments: list[Entry] = field(default_factory=list)
    amendments: list[Entry] = field(default_factory=list)
    discrepancies: list[Entry] = field(default_factory=list)

    def tracked(self) -> Iterator[Entry]:
        """Series, then commitments: what a report follows."""
        yield from self.series
        yield from self.commitments


def collect(document: Document) -> Entries:
    """Check the shape of every entry of a plan and return them all.

    Parameters
    ----------
    document : Document
        A plan that was read; receives the faults.

    Returns
    -------
    Entries
    """
    data = as_mapping(document.data)
    shape.check(document, (), document.data, shape.PLAN)
    for name, keys in (("document", shape.DOCUMENT), ("period", shape.PERIOD), ("frame", shape.FRAME)):
        if isinstance(data.get(name), dict):
            shape.check(document, (name,), data[name], keys)
    frame = as_mapping(data.get("frame"))
    indicators = _checked(document, ("indicators",), data.get("indicators"), shape.INDICATOR)
    return Entries(
        frame={
            kind: _checked(document, ("frame", plural), frame.get(plural), shape.FRAME_ENTRY)
            for plural, kind in shape.KINDS.items()
        },
        areas=_checked(document, ("areas",), data.get("areas"), shape.AREA),
        base_counts=_checked(document, ("base_counts",), data.get("base_counts"), shape.BASE_COUNT),
        sums=_checked(document, ("sums",), data.get("sums"), shape.SUM),
        indicators=indicators,
        series=[series for indicator in indicators for series in _series_of(document, indicator)],
        commitments=_checked(document, ("commitments",), data.get("commitments"), shape.COMMITMENT),
        amendments=_checked(document, ("amendments",), data.get("amendments"), shape.AMENDMENT),
        discrepancies=_checked(document, ("discrepancies",), data.get("discrepancies"), shape.DISCREPANCY),
    )


def _series_of(document: Document, indicator: Entry) -> list[Entry]:
    where = (*indicator.where, "series")
    found = _checked(document, where, indicator.data.get("series"), shape.SERIES)
    if not found and indicator.is_whole:
        document.fault(
            where, f"the indicator {indicator.id!r} has no series", "at least one", "add its row of the table"
        )
    return found


def _checked(document: Document, where: Where, value: Any, keys: shape.Shape) -> list[Entry]:
    entries = []
    for place, item in enumerate(as_list(value)):
        is_whole = shape.check(document, (*where, place), item, keys)
        entries.append(Entry((*where, place), dict(as_mapping(item)), is_whole))
    return entries

"""What people write beside the data: explanations and sources, checked before anything is made of them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from planlib import paths
from planlib.errors import RegistryError
from planlib.registry import shape
from planlib.registry.documents import Document, did_you_mean, read_document
from planlib.registry.offices import check_responsibility, load_responsibility
from planlib.registry.plan import Plan, load_plan
from planlib.registry.shape import Key

_TEXT, _DATE = Key("text", optional=True), Key("date", optional=True)
_EXPLANATION: shape.Shape = {
    "report": Key("code", "report"),
    "year": Key("integer"),
    "subject": Key("id"),
    "cause": Key("text"),
    "measure": Key("text"),
    "deadline": Key("date"),
    "cause_kind": Key("code", "cause_kind", optional=True),
    "author": _TEXT,
    "checked_by": _TEXT,
    "date": _DATE,
}
_SOURCE: shape.Shape = {
    "file": Key("text"),
    **dict.fromkeys(("producer", "licence", "sha256", "note"), _TEXT),
    "synthetic": Key("boolean", optional=True),
}


def load_explanations(plan: Plan, path: Path | str | None = None) -> pd.DataFrame:
    """Read the 说明 that people wrote about late series and promises (``explanations.yml``).

    Parameters
    ----------
    plan : Plan
    path : Path or str, optional
        Another file than the district's own.

    Returns
    -------
    DataFrame
        ``report, year, subject, cause, measure, deadline, cause_kind, author, checked_by, date``, in the order of
        the file; empty if the file is absent or an empty list.

    Raises
    ------
    RegistryError
        Unknown or missing keys, a report or subject that does not exist, a date that is none: each with its line.
    """
    file = Path(path) if path is not None else paths.raw(plan.district) / "explanations.yml"
    document = _read_entries(file, _EXPLANATION)
    _check_subjects(document, plan)
    document.raise_faults()
    return pd.DataFrame(document.data, columns=list(_EXPLANATION))


def _check_subjects(document: Document, plan: Plan) -> None:
    known = [*plan.series["series_id"], *plan.commitments["commitment_id"]]
    for place, entry in enumerate(document.data):
        subject = entry.get("subject") if isinstance(entry, dict) else None
        if isinstance(subject, str) and subject not in known:
            document.fault(
                (place, "subject"),
                f"unknown subject {subject!r}",
                "an id of a series or a commitment of plan.yml",
                did_you_mean(subject, known),
            )


def check_written(district: str, *more: Callable[[str], object]) -> Plan:
    """Read everything that people write beside the data, so that a typing error is found before a report is begun.

    Parameters
    ----------
    district : str
        A folder of ``data/raw``.
    more : callable
        Checks of other files of the district, called with its name; what they refuse is told with the rest.

    Returns
    -------
    Plan

    Raises
    ------
    UsageError
        If there is no such district.
    RegistryError
        Faults of plan.yml, responsibility.yml, explanations.yml and sources.yml, with their lines: those of all files
        in one message. Where plan.yml has faults the other files are held to their form, not to its ids.
    """
    folder, refused = paths.raw(district), list[RegistryError]()
    plan: Plan | None = _kept(refused, lambda: load_plan(district))
    checks: list[Callable[[], Any]] = [lambda: _read_entries(folder / "sources.yml", _SOURCE).raise_faults()]
    if plan is not None:
        checks = [lambda: load_responsibility(plan), lambda: load_explanations(plan), *checks]
    else:
        of_explanations = folder / "explanations.yml"
        checks.insert(0, lambda: _read_entries(of_explanations, _EXPLANATION).raise_faults())
        checks.insert(0, lambda: check_responsibility(folder / "responsibility.yml"))
    for check in checks:
        _kept(refused, check)
    for other in more:
        _kept(refused, partial(other, district))
    if plan is None or refused:
        raise refused[0] if len(refused) == 1 else RegistryError("\n".join(map(str, refused)))
    return plan


def _kept(refused: list[RegistryError], check: Callable[[], Any]) -> Any:
    """Return what a check returns, or keep its refusal and return nothing."""
    try:
        return check()
    except RegistryError as error:
        refused.append(error)
        return None


def _read_entries(path: Path, keys: shape.Shape) -> Document:
    """Read a list of entries; a file that is absent, or holds remarks only, is an empty list."""
    if not path.is_file() or not _says_something(path):
        return Document(path.name, data=[])
    document = read_document(path)
    if not isinstance(document.data, list):
        document.fault(
            (), "the top of the file", "a list of entries", f"begin each with `- {next(iter(keys))}: …`"
        )
        document.raise_faults()
    entries: list[Any] = document.data
    for place, entry in enumerate(entries):
        shape.check(document, (place,), entry, keys)
    return document


def _says_something(path: Path) -> bool:
    lines = path.read_bytes().splitlines()
    return any(line.strip() and not line.strip().startswith(b"#") for line in lines)

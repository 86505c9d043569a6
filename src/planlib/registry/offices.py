"""Who answers for what: ``responsibility.yml``, checked against the plan."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from planlib import paths
from planlib.registry import shape
from planlib.registry.documents import Document, as_list, as_mapping, did_you_mean, read_document
from planlib.registry.plan import Plan
from planlib.registry.shape import Key

RESPONSIBILITY_COLUMNS = ("subject_id", "kind", "lead", "lead_en", "support", "support_en")

_GROUPS = ("series", "commitments", "boxes", "tasks", "safeguards")
_FILE: shape.Shape = {
    "synthetic": Key("boolean", optional=True),
    "note": Key("words", optional=True),
    "offices": Key("mapping", optional=True),
    **dict.fromkeys(_GROUPS, Key("mapping", optional=True)),
}
_ENTRY: shape.Shape = {"lead": Key("text"), "support": Key("texts", optional=True)}


def load_responsibility(plan: Plan, path: Path | str | None = None) -> pd.DataFrame:
    """Read which office leads (牵头) and which support (配合), for every series and commitment.

    A commitment takes its own entry, else the one of its box, its task, its safeguard.

    Parameters
    ----------
    plan : Plan
    path : Path or str, optional
        Another file than the district's ``responsibility.yml``.

    Returns
    -------
    DataFrame
        ``subject_id, kind ("series" or "commitment"), lead, lead_en, support, support_en``: one row per series and
        commitment of the plan; ``support`` is a list. Empty where nobody is named or the file is absent.

    Raises
    ------
    RegistryError
        Unknown keys, ids the plan does not have, an office that is not listed under ``offices`` (if that list is
        there): each with its line.
    """
    file = Path(path) if path is not None else paths.raw(plan.district) / "responsibility.yml"
    if path is None and not file.is_file():
        return _resolve(plan, {})
    return _resolve(plan, check_responsibility(file, plan))


def check_responsibility(path: Path, plan: Plan | None = None) -> Any:
    """Return what a file like ``responsibility.yml`` holds; without a plan its ids are not looked up.

    Parameters
    ----------
    path : Path
        Nothing is said of a file that is not there, if there is no plan.
    plan : Plan, optional

    Raises
    ------
    RegistryError
        As `load_responsibility`.
    """
    if plan is None and not path.is_file():
        return {}
    document = read_document(path)
    shape.check(document, (), document.data, _FILE)
    _check_entries(document, plan)
    document.raise_faults()
    return document.data


def _check_entries(document: Document, plan: Plan | None) -> None:
    data = as_mapping(document.data)
    groups: Mapping[str, list[str] | None] = _known(plan) if plan else dict.fromkeys(_GROUPS)
    for group, known in groups.items():
        for name, entry in as_mapping(data.get(group)).items():
            where = (group, name)
            if known is not None and name not in known:
                document.fault(
                    where, f"unknown {name!r} in {group}", "an id of plan.yml", did_you_mean(name, known)
                )
            elif shape.check(document, where, entry, _ENTRY):
                _check_offices(document, where, entry, as_mapping(data.get("offices")))


def _check_offices(document: Document, where: Any, entry: Mapping[str, Any], offices: Mapping[str, str]) -> None:
    for office in [entry["lead"], *entry.get("support", [])]:
        if offices and office not in offices:
            document.fault(where, f"unknown office {office!r}", "one of `offices`", did_you_mean(office, offices))


def _known(plan: Plan) -> dict[str, list[str]]:
    frame = {
        plural: plan.frame.loc[plan.frame["kind"] == kind, "frame_id"].tolist()
        for plural, kind in shape.KINDS.items()
        if kind != "goal"
    }
    own = {"series": plan.series["series_id"].tolist(), "commitments": plan.commitments["commitment_id"].tolist()}
    return {**own, **frame}


def _resolve(plan: Plan, data: Mapping[str, Any]) -> pd.DataFrame:
    groups = {group: as_mapping(data.get(group)) for group in _known(plan)}
    offices = as_mapping(data.get("offices"))
    rows = [_row(name, "series", groups["series"].get(name), offices) for name in plan.series["series_id"]]
    for commitment in plan.commitments.to_dict("records"):
        places = [("commitments", commitment["commitment_id"]), ("boxes", commitment["box"])]
        places += [("tasks", commitment["task"]), ("safeguards", commitment["safeguard"])]
        entry = next((groups[group][name] for group, name in places if name in groups[group]), None)
        rows.append(_row(commitment["commitment_id"], "commitment", entry, offices))
    return pd.DataFrame(rows, columns=list(RESPONSIBILITY_COLUMNS))


def _row(name: str, kind: str, entry: Mapping[str, Any] | None, offices: Mapping[str, str]) -> dict[str, Any]:
    lead = str((entry or {}).get("lead", ""))
    support = [str(office) for office in as_list((entry or {}).get("support"))]
    return {
        "subject_id": name,
        "kind": kind,
        "lead": lead,
        "lead_en": str(offices.get(lead, lead)),
        "support": support,
        "support_en": [str(offices.get(office, office)) for office in support],
    }

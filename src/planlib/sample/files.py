"""The simulated truth as the files of a district's folder."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from planlib.sample.layout import Slip, write_returns
from planlib.sample.story import definition

CSV_FILES = ("observations", "enrolment", "births", "milestones", "projects", "finance")


def write_district(folder: Path | str, truth: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Write a simulated truth as a bureau would hand it over.

    Parameters
    ----------
    folder : path
        The district's folder; made if it is not there. ``plan.yml`` and ``responsibility.yml`` are left alone.
    truth : mapping of str to DataFrame
        From :func:`planlib.sample.make_truth`.

    Returns
    -------
    list of Path
        What was written: ``returns/*.xlsx``, six CSV files, ``corrections.yml``, ``explanations.yml``,
        ``sources.yml``. The same truth gives the same bytes (workbooks: under the same xlsxwriter and zlib).
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for stale in (target / "returns").glob("*.xlsx"):
        stale.unlink()
    slips = write_returns(target / "returns", truth["schools"])
    for name in CSV_FILES:
        text = truth[name].apply(_as_written).to_csv(index=False, lineterminator="\n")
        (target / f"{name}.csv").write_text(text, encoding="utf-8", newline="\n")
    records = definition("sample_records")
    _write_yaml(target / "corrections.yml", _corrections(slips))
    _write_yaml(target / "explanations.yml", [_dated(entry) for entry in records["explanations"]])
    files = _written(target)
    _write_yaml(target / "sources.yml", _sources(target, files, records["sources"]))
    return [*files, target / "sources.yml"]


def _as_written(column: pd.Series) -> pd.Series:
    """Numbers without a needless ``.0``."""
    if not pd.api.types.is_float_dtype(column):
        return column
    return column.map(lambda value: f"{value:.0f}" if float(value).is_integer() else repr(float(value)))


def _written(folder: Path) -> list[Path]:
    names = [f"{name}.csv" for name in CSV_FILES] + ["corrections.yml", "explanations.yml"]
    return sorted((folder / "returns").glob("*.xlsx")) + [folder / name for name in sorted(names)]


def _write_yaml(path: Path, content: Any) -> None:
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120)
    path.write_text(text, encoding="utf-8", newline="\n")


def _dated(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry with its dates as ISO text."""
    return {key: value.isoformat() if isinstance(value, dt.date) else value for key, value in entry.items()}


def _corrections(slips: list[Slip]) -> dict[str, Any]:
    """One entry for each slip: what stands in the cell, and what is done about it."""
    entries = [_correction(slip, number) for number, slip in enumerate(slips, 1)]
    return {"schema_version": 1, "corrections": entries}


def _correction(slip: Slip, number: int) -> dict[str, Any]:
    words = definition("sample_layout")["corrections"]
    action = words["actions"][slip.rule["slip"]]
    entry = {
        "what": f"{slip.school_id} {slip.rule.get('field', slip.sheet)} {slip.rule['year']}",
        "where": {"file": f"returns/{slip.file}", "sheet": slip.sheet, "cell": slip.cell},
        "action": action,
        **({"value": slip.rule["becomes"]} if action == "override" else {}),
        "expect": slip.found,
        "reason": words["reasons"][slip.rule["slip"]],
        "who": words["by"],
    }
    year = slip.rule["year"]
    evidence = words["evidence"].format(year=year + 1, number=number)
    return {**entry, "date": f"{year + 1}-{words['month_day']}", "evidence": evidence}


def _sources(folder: Path, files: list[Path], words: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "file": path.relative_to(folder).as_posix(),
            "producer": words["producer"],
            "licence": words["licence"],
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "synthetic": True,
            "note": words["note"],
        }
        for path in files
    ]

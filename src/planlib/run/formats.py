"""From one executed notebook: the page and the Excel annex, in equal bytes for equal runs."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from planlib import freshness, params
from planlib.errors import UsageError

FORMATS = ("html", "docx", "pdf", "xlsx")


def chosen_formats(name: str, asked: str | None = None) -> tuple[str, ...]:
    """Return the formats to write: those asked for, else all for a report and the page for any other notebook.

    Parameters
    ----------
    name : str
        A key of `planlib.params.NOTEBOOKS`.
    asked : str, optional
        Names with commas between them. The page is always among the result: every report is found by it.

    Raises
    ------
    UsageError
        If a format is unknown.

    Examples
    --------
    >>> chosen_formats("midterm"), chosen_formats("balance"), chosen_formats("balance", "xlsx")
    (('html', 'docx', 'pdf', 'xlsx'), ('html',), ('html', 'xlsx'))
    """
    if asked is None:
        return FORMATS if name in params.REPORTS else ("html",)
    wanted = [word.strip().lower() for word in asked.split(",") if word.strip()]
    if not wanted or set(wanted) - set(FORMATS):
        unknown = ", ".join(word for word in wanted if word not in FORMATS) or "none"
        raise UsageError(
            f"formats: found {unknown}; expected one or more of {', '.join(FORMATS)}, with commas between them.\n"
            "To do: for example --formats html,docx"
        )
    return tuple(known for known in FORMATS if known in {"html", *wanted})


def write_formats(
    notebook: Any, folder: Path, stem: str, manifest: Mapping[str, Any], formats: Sequence[str]
) -> list[Path]:
    """Write an executed notebook in every format asked for.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    folder : Path
        Where the files go.
    stem : str
        Their name without ending.
    manifest : mapping
        Of the run: ``parameters`` (district, year, cutoff, language) and ``is_simulated``.
    formats : sequence of str
        Of `FORMATS`.

    Returns
    -------
    list of Path

    Raises
    ------
    ReportError
        If a writer fails.
    """
    from planlib.registry import label
    from planlib.run import page

    language, is_simulated = manifest["parameters"]["language"], manifest["is_simulated"]
    body = page.body(notebook, language)
    files = {form: folder / f"{stem}.{form}" for form in formats}
    is_brief = bool(notebook.metadata.get("is_brief"))
    made, title = dt.date.fromisoformat(manifest["parameters"]["cutoff"]), page.title_of(body)
    notice = label("simulated_notice", language, "page") if is_simulated else ""
    if "html" in files:
        files["html"].write_text(page.render(body, language, is_simulated, is_brief), encoding="utf-8")
    if {"docx", "pdf"} & set(files):
        from planlib.run import document

        told = document.Facts(language, title, notice, made, is_brief)
        document.write_documents(body, files.get("docx"), files.get("pdf"), told)
    if "xlsx" in files:
        from planlib.run.annex import write_annex

        facts = {"title": title, "notice": notice, **_facts(manifest["parameters"], language)}
        write_annex(notebook, files["xlsx"], language, facts, made)
    return list(files.values())


def _facts(given: Mapping[str, Any], language: str) -> dict[str, str]:
    """Return what the annex's front sheet says of the report, by its label."""
    from planlib.registry import label
    from planlib.words import date_text

    facts = {
        "district": str(given["district"]),
        "year": str(given["year"]),
        "cutoff": date_text(given["cutoff"], language),
        "sources": "\n".join(_sources(given["district"], language)),
    }
    return {label(f"fact_{key}", language, "page"): text for key, text in facts.items()}


def _sources(district: str, language: str) -> list[str]:
    """Return a line for each producer of the district's files, with how many and whether they are simulated."""
    from planlib.registry import label
    from planlib.words import filled, visible

    counts = Counter(
        (str(entry.get("producer", "")), str(entry.get("licence", "")), bool(entry.get("synthetic")))
        for entry in freshness.sources(district)
    )
    return [
        visible(
            filled(
                label("fact_source_simulated" if simulated else "fact_source", language, "page"),
                producer=producer,
                licence=licence,
                count=number,
            )
        )
        for (producer, licence, simulated), number in sorted(counts.items())
    ]

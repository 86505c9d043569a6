"""Verify a published report: make it again from its own manifest and explain whatever differs."""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planlib import freshness, params, paths, store
from planlib.errors import DataError, KernelError, PlanlibError, UsageError, VerificationError, listing
from planlib.run import manifest
from planlib.run.formats import FORMATS

SECTIONS = ("inputs", "packages", "code", "tables", "text", "figures", "files")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHAPE: Mapping[str, type] = {
    "report": str,
    "parameters": dict,
    "inputs": dict,
    "input_files": dict,
    "packages": dict,
    "outputs": dict,
    "is_simulated": bool,
    "fingerprint": str,
    "status": str,
}
_SHOWN = 20


@dataclass
class Verdict:
    """What a verification found.

    Attributes
    ----------
    folder : Path
    found : dict
        Differences by section, in the order of `SECTIONS`.
    counts : dict
        How much was compared, by what it is.
    unchecked : list of str
        What could not be compared, and why.
    compared : set of str
        The sections that were; no other may be called equal.
    """

    folder: Path
    found: dict[str, list[str]] = field(default_factory=lambda: {section: [] for section in SECTIONS})
    counts: dict[str, int] = field(default_factory=dict)
    unchecked: list[str] = field(default_factory=list)
    compared: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        """One line where all is equal, else the differences in the order that explains them."""
        counts = ", ".join(f"{count} {what if count != 1 else what[:-1]}" for what, count in self.counts.items())
        different = {section: lines for section, lines in self.found.items() if lines}
        if not different:
            said = [f"{self.folder.name} reproduces: {counts}"]
        else:
            said = [listing(f"{section} differ", lines, shown=_SHOWN) for section, lines in different.items()]
            equal = [s for s in SECTIONS if s in self.compared and s not in different]
            said.append(f"equal: {', '.join(equal) or 'nothing'} ({counts})")
        if self.unchecked:
            said.append(f"checked: {', '.join(s for s in SECTIONS if s in self.compared) or 'nothing'}")
        return "\n".join([*said, *(f"not checked: {line}" for line in self.unchecked)])


def verify(folder: Path, *, from_processed: bool = False) -> Verdict:
    """Execute a published report again with its own manifest and compare everything.

    Parameters
    ----------
    folder : Path
        A folder with ``run.json``; it may have been copied elsewhere. Nothing in it is trusted, or changed. Of a
        report's folder with several runs the latest is taken.
    from_processed : bool
        Take the processed tables as they are: for a reviewer who must not see the raw returns.

    Returns
    -------
    Verdict

    Raises
    ------
    UsageError
        No such folder, no ``run.json``, a manifest that cannot be one of ours.
    VerificationError
        Something differs; the message explains it.
    KernelError
        The kernel died or ran out of time.
    """
    folder = manifest.run_folder(folder)
    told, chosen = read_manifest(folder)
    verdict = Verdict(folder)
    with contextlib.ExitStack() as stack:
        staging = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="planlib-verify-")))
        if from_processed:
            stack.enter_context(_root_of_tables(staging / "root", chosen.district, told, verdict))
        is_clean = from_processed or _cleaned(verdict, chosen.district)
        if is_clean:
            _compare_conditions(verdict, told, chosen, from_processed)
        notebook = _published_notebook(verdict, folder, told)
        if notebook is not None:
            _compare_files(verdict, folder, told, notebook, staging)
        if notebook is not None and is_clean:
            _compare_outputs(verdict, told, chosen, notebook, staging)
    if any(verdict.found.values()):
        raise VerificationError(f"{folder} is not what its manifest gives:\n{verdict}")
    return verdict


def _cleaned(verdict: Verdict, district: str) -> bool:
    """Make the tables fresh; raw files that cannot be cleaned any more are a finding, not the end."""
    from planlib.run.report import make_tables_fresh

    try:
        make_tables_fresh(district)
    except DataError as error:
        verdict.found["inputs"].append(f"the raw files cannot be cleaned: {error}")
        verdict.unchecked.append("packages, code, tables, text and figures: there are no tables to make them from")
        return False
    return True


def read_manifest(folder: Path) -> tuple[dict[str, Any], params.Parameters]:
    """Read the manifest as something a stranger wrote: every type checked, no path in it followed.

    Raises
    ------
    UsageError
        If there is none, or it cannot be one of ours: every fault of it.
    """
    file = folder / manifest.FILE
    if not file.is_file():
        raise UsageError(
            f"{folder}: there is no {manifest.FILE} in it.\n"
            "To do: name the folder of one run, reports/<district>/<report>-<year>/<run id>, or the one above it."
        )
    told = store.read_json(file) if file.stat().st_size < 1 << 26 else None
    if not isinstance(told, dict):
        raise UsageError(f"{file}: not a JSON object.\nTo do: ask for the folder as it was published.")
    if told.get("schema_version") != manifest.SCHEMA_VERSION:
        raise UsageError(
            f"{file}: schema_version is {told.get('schema_version')!r:.40}, expected {manifest.SCHEMA_VERSION}.\n"
            "To do: verify it with the planlib that made it (its commit stands in the file)."
        )
    faults = [
        f"{key}: found {told.get(key)!r:.40}, expected {kind.__name__}"
        for key, kind in _SHAPE.items()
        if not isinstance(told.get(key), kind)
    ]
    faults += _odd_names(told) if not faults else []
    if not faults and told["status"] != "ok":
        faults.append(
            f"status: found {told['status']!r:.40}, expected 'ok': only a finished report can be verified"
        )
    if faults:
        raise UsageError(listing(f"{file} is no manifest of planlib", faults, "ask for the folder as published"))
    return told, params.resolve(told["report"], told["parameters"])


def _odd_names(told: Mapping[str, Any]) -> list[str]:
    """Return the faults of names and hashes: an output is a plain file name, an input a path that stays inside."""
    faults = [
        f"outputs: {name!r:.60} is no plain file name" for name in told["outputs"] if not _NAME.fullmatch(name)
    ]
    inside = [Path(name) for name in told["input_files"]]
    faults += [
        f"input_files: {p.as_posix()!r:.60} leaves the folder"
        for p in inside
        if p.is_absolute() or ".." in p.parts
    ]
    faults += [
        f"{key}: {name!r:.60} is {value!r:.40}, expected {kind.__name__}"
        for key, kind in (("outputs", str), ("input_files", dict), ("packages", str))
        for name, value in told[key].items()
        if not isinstance(value, kind)
    ]
    return faults


def _compare_conditions(
    verdict: Verdict, told: Mapping[str, Any], chosen: params.Parameters, from_processed: bool
) -> None:
    """Compare what the report was made from: files, tables, packages, code."""
    verdict.compared |= {"inputs", "packages", "code"}
    if store.sha256_of(told["inputs"]) != told["fingerprint"]:
        verdict.found["inputs"].append("run.json: its fingerprint is not that of its own `inputs`: it was edited")
    now = freshness.report_inputs(told["report"], chosen)
    if not from_processed:
        files = {name: entry["sha256"] for name, entry in freshness.input_files(chosen.district).items()}
        before = {name: entry.get("sha256") for name, entry in told["input_files"].items()}
        verdict.found["inputs"] += _differences(before, files)
        verdict.counts["input files"] = len(before)
    for part in ("parameters", "plan", "written", "tables"):
        lines = _differences(_flat(told["inputs"].get(part)), _flat(now[part]))
        verdict.found["inputs"] += [f"{part}: {line}" for line in lines]
    verdict.found["inputs"] += _altered_tables(chosen.district)
    installed = {**manifest.packages(), "python": sys.version.split()[0]}
    before = {**told["packages"], "python": str(told.get("python"))}
    verdict.found["packages"] += _differences(before, installed)
    verdict.counts["packages"] = len(before)
    for part in ("code", "notebook", "environment"):
        lines = _differences(_flat(told["inputs"].get(part)), _flat(now[part]))
        verdict.found["code"] += [f"{part}: {line}" for line in lines]
    if verdict.found["code"]:
        published, here = map(_commit, (told, manifest.git(paths.root())))
        verdict.found["code"].append(f"commit: published {published}, here {here}")


def _commit(told: Mapping[str, Any]) -> str:
    """Return a commit, and whether the files were those of it."""
    return f"{told.get('git_commit')!s:.40}{' with changes' if told.get('git_is_dirty') else ''}"


def _flat(value: Any, above: str = "") -> dict[str, str]:
    """Return nested mappings as one, keys joined by a blank.

    Examples
    --------
    >>> _flat({"schools": {"2022-09-01": "ab"}, "plan": "cd"})
    {'schools 2022-09-01': 'ab', 'plan': 'cd'}
    """
    if not isinstance(value, Mapping):
        return {above: str(value)}
    flat: dict[str, str] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{above} {key}".strip())
    return flat


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found = []
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            texts = (str(value.get(name, "absent"))[:16] for value in (before, now))
            found.append("{}: published {}, here {}".format(name or "hash", *texts))
    return found


def _altered_tables(district: str) -> list[str]:
    """Return the processed tables whose rows are not those whose digests clean wrote beside them."""
    import pandas as pd

    from planlib import schema
    from planlib.clean.tables.digests import slices

    folder = paths.processed(district)
    told = (store.read_json(folder / "digests.json") or {}).get("tables", {})
    names = [name for name in (*told, "lineage") if (folder / f"{name}.parquet").is_file()]
    tables = {name: schema.read_table(folder / f"{name}.parquet", name) for name in names}
    # the issues are a list for people: without any, their own digest is left out of the comparison
    made = slices(tables, pd.DataFrame({"year": pd.Series(dtype="str")}))
    found = []
    for name in sorted(set(made) - {"issues"}):
        lines = _differences(told.get(name, {}), made[name])
        found += [f"processed table {name} of {line} (its rows are not those clean wrote)" for line in lines]
    return found


def _published_notebook(verdict: Verdict, folder: Path, told: Mapping[str, Any]) -> Any:
    """Read the published notebook, and say which files are not what the manifest says."""
    import nbformat

    for name, digest in told["outputs"].items():
        if not (folder / name).is_file():
            verdict.found["files"].append(f"{name}: it is missing")
        elif store.sha256(folder / name) != digest:
            verdict.found["files"].append(f"{name}: its content is not what run.json says ({digest:.16})")
    extra = {f.name for f in folder.iterdir() if f.is_file()} - {*told["outputs"], manifest.FILE}
    verdict.found["files"] += [f"{name}: run.json does not know it" for name in sorted(extra)]
    verdict.counts["files"] = len(told["outputs"])
    notebooks = [name for name in told["outputs"] if name.endswith(".ipynb") and (folder / name).is_file()]
    if len(notebooks) != 1:
        verdict.unchecked.append(
            f"tables, text and figures: {len(notebooks)} notebooks in the folder, expected one"
        )
        return None
    try:
        return nbformat.read(folder / notebooks[0], as_version=4)
    except Exception as error:  # nbformat raises many kinds; to a reviewer they are one
        verdict.found["files"].append(f"{notebooks[0]}: not a readable notebook ({type(error).__name__})")
        return None


def _compare_files(verdict: Verdict, folder: Path, told: Mapping[str, Any], notebook: Any, staging: Path) -> None:
    """Write every published format again from the published notebook, and say where a file differs from it."""
    from planlib.run.compare import compare_files
    from planlib.run.formats import write_formats

    names = {Path(name).suffix[1:]: name for name in told["outputs"] if (folder / name).is_file()}
    formats = [form for form in FORMATS if form in names]
    rendered = staging / "rendered"
    rendered.mkdir()
    verdict.compared.add("files")
    for form in formats:
        try:
            made = write_formats(notebook, rendered, Path(names[form]).stem, told, [form])
        except Exception as error:  # an altered notebook may break any writer
            verdict.found["files"].append(f"{names[form]}: cannot be written from the notebook ({error})")
            continue
        lines = compare_files(folder / names[form], next(f for f in made if f.suffix == f".{form}"))
        verdict.found["files"] += [f"{names[form]}: {line}" for line in lines]


def _compare_outputs(
    verdict: Verdict, told: Mapping[str, Any], chosen: params.Parameters, notebook: Any, staging: Path
) -> None:
    """Execute the notebook again and compare cell by cell."""
    from planlib.columns import FIGURE_MIME, TABLE_MIME
    from planlib.run.compare import compare_notebooks
    from planlib.run.execute import execute
    from planlib.run.page import strip

    source = paths.notebooks() / f"{params.NOTEBOOKS[told['report']].file}.ipynb"
    target = staging / "again.ipynb"
    try:
        again = execute(source, target, chosen.as_injected(), paths.root(), lambda *_: None)
    except KernelError:
        raise
    except PlanlibError as error:
        verdict.found["code"].append(f"it cannot be executed again: {error}")
        verdict.unchecked.append("tables, text and figures: the notebook could not be executed again")
        return
    verdict.compared |= {"tables", "text", "figures"}
    strip(again, target)
    for section, text in compare_notebooks(notebook, again):
        verdict.found[section].append(text)
    outputs = [o.get("data", {}) for c in notebook.cells for o in c.get("outputs", [])]
    verdict.counts["tables"] = sum(TABLE_MIME in data for data in outputs)
    verdict.counts["figures"] = sum(FIGURE_MIME in data for data in outputs)
    verdict.counts["cells"] = len(notebook.cells)


@contextlib.contextmanager
def _root_of_tables(root: Path, district: str, told: Mapping[str, Any], verdict: Verdict) -> Iterator[None]:
    """Let the block run in a root whose processed tables count as fresh, whatever raw files are at hand."""
    raw, processed = paths.raw(district), paths.processed(district)
    digests = store.read_json(processed / "digests.json")
    if not isinstance(digests, dict):
        raise UsageError(
            f"{processed}: there are no processed tables.\n"
            f"To do: lay them there as they were sent, or verify from the raw files without --from-processed."
        )
    here, there = root / "data" / "raw" / district, root / "data" / "processed" / district
    here.mkdir(parents=True)
    for name in (*freshness.WRITTEN, "corrections.yml"):
        if (raw / name).is_file():
            shutil.copy(raw / name, here)
    shutil.copytree(processed, there)
    lock = paths.root() / "requirements.lock"
    if lock.is_file():
        shutil.copy(lock, root)
    (root / "notebooks").symlink_to(paths.notebooks(), target_is_directory=True)
    before = os.environ.get("PLANLIB_ROOT")
    os.environ["PLANLIB_ROOT"] = str(root)
    try:
        store.write_json(there / "digests.json", {**digests, **freshness.tables_inputs(district)})
        written = [name for name in freshness.WRITTEN if name in told["input_files"]]
        verdict.counts["processed tables"] = len(digests.get("tables", {}))
        verdict.counts["written files"] = len(written)
        verdict.unchecked.append(
            f"{len(told['input_files']) - len(written)} raw files, and that the processed tables come from them "
            f"(--from-processed); inputs are the processed tables by hash, and {', '.join(written) or 'no written file'}"
        )
        yield
    finally:
        os.environ.pop("PLANLIB_ROOT")
        if before is not None:
            os.environ["PLANLIB_ROOT"] = before

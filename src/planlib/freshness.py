"""What a set of tables and a report were made from, so that unchanged inputs are known without heavy imports.

Contents decide. A file of a district is not hashed again only while its size, both its times and its number on the
disk are those noted when it was hashed: no program can set the time of the last change of these (``st_ctime``), and
a file that had changed just before is hashed again. A report with a cutoff depends only on the slices of tables that it
may know, so a changed cell of a later year leaves it fresh.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from planlib import __version__, paths, store
from planlib.errors import DataError, RegistryError
from planlib.params import NOTEBOOKS, Parameters, last_known_year
from planlib.registry.documents import read_document

# What people write beside the data: read by the reports; clean reads which files sources.yml registers.
WRITTEN = ("plan.yml", "responsibility.yml", "explanations.yml", "sources.yml")
# What `planlib new` puts there for people to read and to copy; anything else in the folder is told, not passed over.
GUIDE = "README.md"
TEMPLATES = "templates"
TEMPLATE_NAME = "YYYY"
SEEN = "seen.json"
_TICK = 3_000_000_000  # nanoseconds; the coarsest disks know two seconds
CLEAN_CODE = ("clean", "schema", "definitions/fields.yml", "definitions/forms")


def tables_inputs(district: str) -> dict[str, Any]:
    """Return what the processed tables of a district depend on: a hash per raw file, one of the code of clean.

    Parameters
    ----------
    district : str

    Returns
    -------
    dict
        ``inputs``: relative path → SHA-256 of every file but those in `WRITTEN`, the guide and the empty templates;
        ``sources``: ``[file, digest]`` of what sources.yml registers; ``code``: SHA-256.
    """
    folder = paths.raw(district)
    try:
        inputs = _hashed(folder, paths.processed(district).parent / ".cache" / district / SEEN)
        entries = _entries(folder / "sources.yml")
        # lists, as digests.json gives them back
        sources = [
            list(pair) for pair in sorted({(str(e.get("file")), str(e.get("sha256") or "")) for e in entries})
        ]
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read: {error.strerror}.\n"
            "To do: give read permission for the whole folder of the district, and leave it alone while it is read."
        ) from None
    return {
        "inputs": inputs,
        "sources": sources,
        "code": store.sha256_of_files(_code_files(CLEAN_CODE), paths.PACKAGE),
    }


def changed_since_registered(
    inputs: Mapping[str, str], sources: Iterable[Sequence[str]]
) -> list[tuple[str, str, str]]:
    """Return every file that is not what sources.yml registers: its name, the written and the found SHA-256.

    Parameters
    ----------
    inputs, sources : mapping, iterable of [file, digest]
        As `tables_inputs` returns them. A file without a digest, or that is not there, is none of these.

    Examples
    --------
    >>> changed_since_registered({"a.csv": "0f", "b.csv": "1e"}, [["a.csv", "0F"], ["b.csv", "00"], ["c.csv", "00"]])
    [('b.csv', '00', '1e')]
    """
    pairs = [(file, written.strip().lower()) for file, written in sources]
    return [(file, to, inputs[file]) for file, to in pairs if to and inputs.get(file, to) != to]


def tables_are_fresh(district: str) -> bool:
    """Tell whether the processed tables are what clean would make of the raw files as they are now."""
    digests = store.read_json(paths.processed(district) / "digests.json")
    if not isinstance(digests, dict):
        return False
    now = tables_inputs(district)
    return {key: digests.get(key) for key in now} == now


def _hashed(folder: Path, noted: Path) -> dict[str, str]:
    """Return the hash of every raw file; those that are as they were when they were hashed are not read."""
    known = store.read_json(noted)
    known = known if isinstance(known, dict) and sys.platform != "win32" else {}  # there the times can be set
    now, seen = time.time_ns(), {}
    for file, stat in sorted(_files(str(folder)), key=lambda found: found[0].split("/")):
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        if known.get(file, [None])[:-1] == state:
            seen[file] = known[file]
        elif not _is_ignored(Path(file)):
            # changed so lately that it might change again within one tick of the disk's clock: not to be noted
            is_settled = max(state[1:3]) < now - _TICK
            seen[file] = [*(state if is_settled else [0]), store.sha256(folder / file)]
    if seen != known and noted.parent.is_dir():
        with contextlib.suppress(DataError, OSError):  # it only saves time
            store.write_atomic(noted, json.dumps(seen))
    return {file: state[-1] for file, state in seen.items()}


def _files(folder: str, above: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Yield the path within the district of every file below a folder, links to folders not followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, f"{above}{entry.name}/")
            elif entry.is_file():
                yield above + entry.name, entry.stat()


def report_inputs(name: str, parameters: Parameters) -> dict[str, Any]:
    """Return what a report depends on, by part, so that a difference can be named.

    Parameters
    ----------
    name : str
        A key of `planlib.params.NOTEBOOKS`.
    parameters : Parameters

    Returns
    -------
    dict
        Parts ``parameters``, ``plan``, ``written``, ``tables`` (slices known at the cutoff), ``code``,
        ``notebook``, ``environment``. Two equal values mean an equal report.
    """
    folder = paths.raw(parameters.district)
    digests = store.read_json(paths.processed(parameters.district) / "digests.json") or {}
    lock = paths.root() / "requirements.lock"
    return {
        "parameters": parameters.as_injected(),
        "plan": store.sha256(folder / "plan.yml"),
        "written": _written(folder, NOTEBOOKS[name].phase, parameters.cutoff.year),
        "tables": known_slices(digests.get("tables", {}), parameters.cutoff.isoformat()),
        "code": code_digest(),
        "notebook": store.sha256(paths.notebooks() / f"{NOTEBOOKS[name].file}.ipynb"),
        "environment": {
            "planlib": __version__,
            "python": ".".join(map(str, sys.version_info[:3])),
            "lock": store.sha256(lock) if lock.is_file() else "",
        },
    }


def code_digest() -> str:
    """Return one digest of the package's source and definitions as they stand on disk now."""
    return store.sha256_of_files(_code_files(("",)), paths.PACKAGE)


def known_slices(tables: Mapping[str, Mapping[str, str]], cutoff: str) -> dict[str, dict[str, str]]:
    """Keep the slices of tables dated up to `cutoff`; undated slices always stay.

    Examples
    --------
    >>> known_slices({"schools": {"2022-09-01": "a", "2023-09-01": "b"}, "projects": {"all": "c"}}, "2022-12-31")
    {'schools': {'2022-09-01': 'a'}, 'projects': {'all': 'c'}}
    """
    return {
        table: {as_of: digest for as_of, digest in slices.items() if as_of == "all" or as_of <= cutoff}
        for table, slices in tables.items()
    }


def sources(district: str) -> list[dict[str, Any]]:
    """Return the entries of a district's sources.yml: file, producer, licence, synthetic."""
    return _entries(paths.raw(district) / "sources.yml")


def input_files(district: str) -> dict[str, dict[str, Any]]:
    """Return every file a district brings, with its hash and whether sources.yml calls it synthetic.

    Returns
    -------
    dict
        Path relative to the district's folder → ``{"sha256": ..., "synthetic": ...}``; ``synthetic`` is None for a
        file that sources.yml does not name.
    """
    folder = paths.raw(district)
    called = {e.get("file"): bool(e.get("synthetic")) for e in _entries(folder / "sources.yml")}
    files = {file.relative_to(folder): file for file in sorted(folder.rglob("*")) if file.is_file()}
    names = {name.as_posix(): file for name, file in files.items() if not is_hidden(name)}
    return {name: {"sha256": store.sha256(f), "synthetic": called.get(name)} for name, f in names.items()}


def is_simulated(district: str) -> bool:
    """Tell whether any file of the district is registered as synthetic in sources.yml."""
    return any(bool(entry.get("synthetic")) for entry in sources(district))


def _written(folder: Path, phase: str, year: int) -> dict[str, Any]:
    """Return what people wrote that this kind of report, or another on the data of the same year, shows."""
    responsibility = folder / "responsibility.yml"
    explanations = [
        e
        for e in _entries(folder / "explanations.yml")
        if phase in (e.get("report"), "explore") or _known(e) == year
    ]
    return {
        "responsibility": store.sha256(responsibility) if responsibility.is_file() else "",
        "explanations": store.sha256_of(explanations),
        "simulated": is_simulated(folder.name),
    }


def _known(entry: Mapping[str, Any]) -> int | None:
    """Return the year with which the data of an explanation's report end; None where that cannot be told."""
    try:
        return last_known_year(entry["report"], entry["year"])
    except (KeyError, TypeError, ValueError):
        return None


def _entries(path: Path) -> list[dict[str, Any]]:
    """Return a YAML list of mappings, or nothing where the file is absent or not such a list."""
    if not path.is_file():
        return []
    try:
        loaded = read_document(path).data
    except RegistryError:
        return []  # whoever opens the district says what is wrong; here it only has to differ from before
    loaded = loaded.get("sources") if isinstance(loaded, dict) else loaded
    return [entry for entry in loaded if isinstance(entry, dict)] if isinstance(loaded, list) else []


def _is_ignored(relative: Path) -> bool:
    is_template = relative.parent == Path(TEMPLATES) and relative.name.startswith(TEMPLATE_NAME)
    if is_template or relative.as_posix() in (*WRITTEN, GUIDE):
        return True
    return is_hidden(relative)


def is_hidden(relative: Path) -> bool:
    """Tell whether a path is one that programs keep for themselves.

    Examples
    --------
    >>> is_hidden(Path("returns/~$2021.xlsx")), is_hidden(Path("returns/2021.xlsx"))
    (True, False)
    """
    is_of_windows = relative.name.lower() in ("thumbs.db", "desktop.ini")
    return is_of_windows or any(part.startswith((".", "~$")) for part in relative.parts)


def _code_files(parts: tuple[str, ...]) -> list[Path]:
    """Return the package's source and definition files under the named parts (no bytecode, no notebooks)."""
    endings = {".py", ".yml", ".yaml", ".json", ".csv", ".html", ".css", ".typ", ".lua", ".docx"}
    found: list[Path] = []
    for part in parts:
        place = paths.PACKAGE / part
        found += [place] if place.is_file() else [f for f in place.rglob("*") if f.suffix in endings]
    return found

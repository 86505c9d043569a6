"""What is asked for, in a run file or a notebook's own first cell: checked before anything is executed."""

import ast
import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from planlib import params, paths
from planlib.errors import UsageError, listing
from planlib.run.formats import chosen_formats

EVERY = "*"
MEND = "mend these lines and run again; nothing was executed"
MOST_RUNS = 5000  # a product of lists grows faster than people think; `max_runs` says that it is meant
_KEYS = ("report", *params.DEFAULTS, "formats")


@dataclass(frozen=True)
class Limits:
    """What one run may use.

    Attributes
    ----------
    cell_seconds, run_seconds : int
        Longest time of one cell, and of the whole run with its checks and its pages.
    memory_mb : int, optional
        Address space of the kernel; no limit of ours where it is None.
    """

    cell_seconds: int = 300
    run_seconds: int = 1800
    memory_mb: int | None = None


@dataclass(frozen=True)
class Request:
    """One report that is asked for."""

    name: str
    parameters: params.Parameters
    formats: tuple[str, ...]
    limits: Limits = Limits()

    @property
    def stem(self) -> str:
        """Name of the report's files without their endings."""
        chosen = self.parameters
        return f"{self.name}-{chosen.district}-{chosen.year}-{chosen.language}"

    @property
    def shelf(self) -> Path:
        """Folder of all runs of this report."""
        return paths.reports() / self.parameters.district / f"{self.name}-{self.parameters.year}"


_LIMITS = tuple(field.name for field in fields(Limits))


def read_run(path: Path) -> Request:
    """Read a run file: ``report``, the parameters of its notebook, ``formats``, and the limits.

    Parameters
    ----------
    path : Path
        YAML, read strictly: texts in quotes stay texts, no key but the known ones, each once.

    Returns
    -------
    Request

    Raises
    ------
    UsageError
        Lists every fault with its line.
    """
    document = _document(path)
    if isinstance(document.data, dict) and "runs" in document.data:
        raise UsageError(f"{path} lists several runs. To do: planlib batch {path}")
    _check_entry(document, (), lists=False)
    _check_limits(document)
    document.raise_faults()
    limits = Limits(**{key: document.data[key] for key in _LIMITS if key in document.data})
    request, faults = _examined(document.data, limits)
    if request is None:
        raise UsageError(listing(f"{path} cannot be run", faults, MEND))
    return request


def read_batch(path: Path) -> list[Request]:
    """Read a batch file: ``runs``, a list of entries as in a run file in which each value may be a list.

    The lists of one entry multiply; ``district: "*"`` stands for every district there is.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Request
        In the order of the file.

    Raises
    ------
    UsageError
        Lists the faults: unknown keys, wrong types and values, the same report twice, more runs than ``max_runs``.
    """
    document = _document(path)
    data = document.data if isinstance(document.data, dict) else {}
    if not isinstance(data.get("runs"), list) or not data["runs"]:
        document.fault((), "there is no list of runs", "runs: and below it entries that begin with -", "add it")
    for key in data:
        if key not in ("runs", "max_runs", *_LIMITS):
            _unknown(document, (key,), ("runs", "max_runs", *_LIMITS))
    _check_limits(document, ("max_runs", *_LIMITS))
    entries = data.get("runs") or []
    for place in range(len(entries) if isinstance(entries, list) else 0):
        _check_entry(document, ("runs", place), lists=True)
    document.raise_faults()
    lists = [_lists(entry) for entry in entries]
    _refuse_many(
        path, sum(math.prod(map(len, entry.values())) for entry in lists), data.get("max_runs", MOST_RUNS)
    )
    asked = [(place, run) for place, entry in enumerate(lists) for run in _product(entry)]
    return _checked(document, asked, Limits(**{key: data[key] for key in _LIMITS if key in data}))


def check_notebook(name: str) -> None:
    """Compare the notebook's own ``parameters`` cell with the declaration: names and types.

    Raises
    ------
    UsageError
        If the notebook cannot be read, no cell carries the tag ``parameters``, or the cell declares other names or
        types than `planlib.params`.
    """
    path = paths.notebooks() / f"{params.NOTEBOOKS[name].file}.ipynb"
    found = _declared(path)
    expected = params.defaults(name)
    faults = [f"{key}: not declared in the cell" for key in expected if key not in found]
    faults += [
        f"{key}: declared in the cell, but planlib does not know it" for key in found if key not in expected
    ]
    faults += [
        f"{key}: the cell holds {found[key]!r}; expected {type(value).__name__}, such as {value!r}"
        for key, value in expected.items()
        if key in found and type(found[key]) is not type(value)
    ]
    if faults:
        hint = "restore the notebook from git; nothing was executed"
        raise UsageError(listing(f"the parameters cell of {path.name} is not the declared one", faults, hint))


def _declared(path: Path) -> dict[str, Any]:
    """Return the literals of the cell tagged ``parameters``."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        tagged = [c for c in cells if "parameters" in c.get("metadata", {}).get("tags", [])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} cannot be read as a notebook ({type(error).__name__}: {error}).\n"
            "To do: restore it from git; nothing was executed."
        ) from None
    if not tagged:
        raise UsageError(
            f"{path.name} has no cell tagged 'parameters', so papermill would run it with its own values.\n"
            "To do: give its first code cell the tag 'parameters' (JupyterLab, Property Inspector), or restore it "
            "from git; nothing was executed."
        )
    try:
        found = {}
        for node in ast.parse("".join(tagged[0]["source"])).body:
            target: Any = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]  # type: ignore[attr-defined]
            found[target.id] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
        return found
    except (SyntaxError, ValueError, AttributeError):
        raise UsageError(
            f"{path.name}: the cell tagged 'parameters' holds more than lines of the form name = literal.\n"
            "To do: move the rest to another cell, or restore the notebook from git; nothing was executed."
        ) from None


def _document(path: Path) -> Any:
    from planlib.registry.documents import read_document

    return read_document(path, str(path))


def _unknown(document: Any, where: tuple[Any, ...], known: tuple[str, ...]) -> None:
    from planlib.registry.documents import did_you_mean

    todo = did_you_mean(where[-1], known)
    document.fault(where, f"the key {where[-1]!r} is not known", f"one of {', '.join(known)}", todo)


def _check_entry(document: Any, where: tuple[Any, ...], *, lists: bool) -> None:
    """Note unknown and missing keys, and values that are no text or whole number (or list of such)."""
    entry = document.data
    for step in where:
        entry = entry[step]
    if not isinstance(entry, dict):
        document.fault(where, f"found {entry!r:.40}", "an entry such as report: midterm", "write key: value")
        return
    known = _KEYS if lists else (*_KEYS, *_LIMITS)
    for key, value in entry.items():
        if key not in known:
            _unknown(document, (*where, key), known)
            continue
        many = value if isinstance(value, list) else [value]
        plain = all(isinstance(v, str | int) and not isinstance(v, bool) for v in many)
        if not plain or not many or (isinstance(value, list) and not lists):
            expected = "a text or a whole number" + (", or a list of such" if lists else "")
            document.fault((*where, key), f"{key} is {value!r:.60}", expected, "write it so")
    if "report" not in entry:
        document.fault(where, "no report is named", f"report: {' or '.join(params.REPORTS)}", "add the line")


def _check_limits(document: Any, keys: tuple[str, ...] = _LIMITS) -> None:
    data = document.data if isinstance(document.data, dict) else {}
    for key in keys:
        value = data.get(key, 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            document.fault((key,), f"{key} is {value!r:.40}", "a whole number of 1 or more", "write it so")


def _lists(entry: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return every value of an entry as a list."""
    if entry.get("district") == EVERY:
        entry = {**entry, "district": paths.districts()}
    return {key: value if isinstance(value, list) else [value] for key, value in entry.items()}


def _product(lists: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Return one mapping per run of an entry."""
    return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]


def _refuse_many(path: Path, count: int, most: int) -> None:
    if count > most:
        raise UsageError(
            f"{path} asks for {count} runs; expected at most {most}. Nothing was executed.\n"
            f"To do: shorten its lists, or write max_runs: {count} into it if that many are meant."
        )


def _examined(entry: Mapping[str, Any], limits: Limits) -> tuple[Request | None, list[str]]:
    """Return the request, or None and every wrong value of an entry."""
    name = entry["report"]
    if name not in params.NOTEBOOKS:
        return None, [f"report: found {name!r}; expected one of {', '.join(params.NOTEBOOKS)}"]
    try:
        formats = chosen_formats(name, entry.get("formats"))
        parameters, faults = params.examine(name, {key: entry[key] for key in params.DEFAULTS if key in entry})
    except UsageError as error:
        return None, [" ".join(str(error).splitlines())]
    if parameters is None or faults:
        return None, faults
    return Request(name, parameters, formats, limits), []


def _checked(document: Any, asked: list[tuple[int, dict[str, Any]]], limits: Limits) -> list[Request]:
    """Return the requests, or raise with every wrong value and every run that is asked for twice."""
    requests: dict[str, Request] = {}
    lines: dict[str, int] = {}
    faults: list[str] = []
    for place, entry in asked:
        request, wrong = _examined(entry, limits)
        line = document.line(("runs", place))
        # a fault begins with its key, whose own line is the one to mend
        faults += [f"line {document.line(('runs', place, fault.partition(':')[0]))}: {fault}" for fault in wrong]
        if request is None:
            continue
        if request.stem in requests:
            first = lines[request.stem]
            faults.append(
                f"line {line}: {request.stem} is asked for a second time (first in line {first}); expected once"
            )
        requests.setdefault(request.stem, request)
        lines.setdefault(request.stem, line)
    if faults:
        raise UsageError(listing(f"{document.name} cannot be run", list(dict.fromkeys(faults)), MEND))
    return list(requests.values())

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
    is_sound = _check_entry(document, (), lists=False)
    limits = _check_limits(document)
    request, faults = _examined(document.data, limits) if is_sound else (None, [])
    faults = [*(text for _, text in _noted(document)), *faults]
    if request is None or faults:
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
    from planlib.registry.documents import as_list  # not on the way to --help

    document = _document(path)
    data = document.data if isinstance(document.data, dict) else {}
    if not isinstance(data.get("runs"), list) or not data["runs"]:
        document.fault((), "there is no list of runs", "runs: and below it entries that begin with -", "add it")
    for key in data:
        if key not in ("runs", "max_runs", *_LIMITS):
            _unknown(document, (key,), ("runs", "max_runs", *_LIMITS))
    limits = _check_limits(document, ("max_runs", *_LIMITS))
    entries = as_list(data.get("runs"))
    sound = [place for place in range(len(entries)) if _check_entry(document, ("runs", place), lists=True)]
    lists = {place: _lists(entries[place]) for place in sound}
    count = sum(math.prod(map(len, entry.values())) for entry in lists.values())
    most = data.get("max_runs", MOST_RUNS)
    most = most if isinstance(most, int) and most is not True and most > 0 else MOST_RUNS
    if count > most:
        todo = f"shorten its lists, or write max_runs: {count} if that many are meant"
        document.fault(("runs",), f"asks for {count} runs", f"at most {most}", todo)
        lists = {}
    asked = [(place, run) for place, entry in lists.items() for run in _product(entry)]
    return _checked(document, asked, limits)


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


def _check_entry(document: Any, where: tuple[Any, ...], *, lists: bool) -> bool:
    """Note unknown and missing keys, and values that are no text or whole number (or list of such).

    Return whether the values of the entry can be examined one by one: an unknown key does not stand in the way.
    """
    is_sound, entry = True, document.data
    for step in where:
        entry = entry[step]
    if not isinstance(entry, dict):
        document.fault(where, f"found {entry!r:.40}", "an entry such as report: midterm", "write key: value")
        return False
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
            is_sound = False
    if "report" not in entry:
        document.fault(where, "no report is named", f"report: {' or '.join(params.REPORTS)}", "add the line")
    return is_sound and "report" in entry


def _check_limits(document: Any, keys: tuple[str, ...] = _LIMITS) -> Limits:
    """Return the limits a file sets, and note those that are none."""
    data = document.data if isinstance(document.data, dict) else {}
    given = {key: data[key] for key in keys if key in data}
    for key, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            document.fault((key,), f"{key} is {value!r:.40}", "a whole number of 1 or more", "write it so")
    return Limits(**{key: value for key, value in given.items() if key in _LIMITS})


def _noted(document: Any) -> list[tuple[int, str]]:
    """Return the faults of the file as it is written, each with its line; its name stands above them all."""
    return [(line, text.removeprefix(f"{document.name}, ")) for line, text in sorted(document.faults)]


def _lists(entry: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return every value of an entry that can be asked for as a list."""
    entry = {key: value for key, value in entry.items() if key in _KEYS}
    if entry.get("district") == EVERY:
        entry = {**entry, "district": paths.districts()}
    return {key: value if isinstance(value, list) else [value] for key, value in entry.items()}


def _product(lists: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Return one mapping per run of an entry."""
    return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]


def _examined(entry: Mapping[str, Any], limits: Limits) -> tuple[Request | None, list[str]]:
    """Return the request, or None and every wrong value of an entry."""
    name, asked = entry["report"], entry.get("formats")
    faults: list[str] = []
    formats: tuple[str, ...] = ()
    try:
        formats = chosen_formats(name, None if asked is None else str(asked))
    except UsageError as error:
        faults = [" ".join(str(error).splitlines())]
    try:
        parameters, found = params.examine(name, {key: entry[key] for key in params.DEFAULTS if key in entry})
    except UsageError as error:
        parameters, found = None, [" ".join(str(error).splitlines())]
    faults += found
    return (None, faults) if parameters is None or faults else (Request(name, parameters, formats, limits), [])


def _checked(document: Any, asked: list[tuple[int, dict[str, Any]]], limits: Limits) -> list[Request]:
    """Return the requests, or raise with every wrong value and every run that is asked for twice."""
    requests: dict[str, Request] = {}
    lines: dict[str, int] = {}
    faults = _noted(document)
    for place, entry in asked:
        request, wrong = _examined(entry, limits)
        line = document.line(("runs", place))
        # a fault begins with its key, whose own line is the one to mend
        at = [document.line(("runs", place, fault.partition(":")[0])) for fault in wrong]
        faults += [(own, f"line {own}: {fault}") for own, fault in zip(at, wrong, strict=True)]
        if request is None:
            continue
        if request.stem in requests:
            said = (
                f"{request.stem} is asked for a second time (first in line {lines[request.stem]}); expected once"
            )
            faults.append((line, f"line {line}: {said}"))
        requests.setdefault(request.stem, request)
        lines.setdefault(request.stem, line)
    if faults:
        texts = dict.fromkeys(text for _, text in sorted(faults, key=lambda fault: fault[0]))
        raise UsageError(listing(f"{document.name} cannot be run", list(texts), MEND))
    return list(requests.values())

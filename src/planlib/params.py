"""One declaration of parameters per notebook, called by the notebook's second cell and by the runner alike.

Nothing heavy is imported: a wrong call is refused before pandas or a kernel starts.
"""

import ast
import datetime as dt
import difflib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from planlib import paths
from planlib.errors import RegistryError, UsageError, listing

LANGUAGES = ("zh", "en")


@dataclass(frozen=True)
class Period:
    """The years of a plan: its baseline, its first and its last."""

    baseline_year: int
    first_year: int
    last_year: int


@dataclass(frozen=True)
class Notebook:
    """What a notebook is for and which years it may be asked about.

    Attributes
    ----------
    file : str
        Name of the notebook without its ending.
    phase : str
        ``midterm``, ``endterm``, ``annual`` or ``explore``.
    default_year : int
        The year in the notebook's parameters cell (the shipped case).
    years : callable
        From a plan's period to the years allowed.
    last_known : callable
        From the year asked about to the default cutoff: the last day that may be known.
    """

    file: str
    phase: str
    default_year: int
    years: Callable[[Period], range]
    last_known: Callable[[int], dt.date]


def _new_years_eve(year: int) -> dt.date:
    return dt.date(year, 12, 31)


def _explore(file: str, year: int = 2025) -> Notebook:
    return Notebook(file, "explore", year, lambda p: range(p.first_year, p.last_year + 1), _new_years_eve)


# A mid-term written in year t rests on the complete data of the years before it; an end-term on its own year.
NOTEBOOKS: Mapping[str, Notebook] = {
    "midterm": Notebook(
        "midterm_evaluation",
        "midterm",
        2023,
        lambda p: range(p.first_year + 1, p.last_year),
        lambda year: _new_years_eve(year - 1),
    ),
    "endterm": Notebook(
        "endterm_evaluation",
        "endterm",
        2025,
        lambda p: range(p.last_year, p.last_year + 1),
        _new_years_eve,
    ),
    "annual": Notebook(
        "annual_evaluation",
        "annual",
        2022,
        lambda p: range(p.first_year, p.last_year + 1),
        _new_years_eve,
    ),
    "start": _explore("00_start_here"),
    "data_quality": _explore("10_data_quality"),
    "balance": _explore("20_balance"),
    "forecast": _explore("30_forecast", 2022),  # a year from which there is something left to forecast
    "enrolment": _explore("40_enrolment"),
}
REPORTS = ("midterm", "endterm", "annual")


def last_known_year(report: str, year: int) -> int:
    """Return the year with which the data of a report about a year end, by default.

    Examples
    --------
    >>> last_known_year("midterm", 2023), last_known_year("annual", 2022)
    (2022, 2022)
    """
    return NOTEBOOKS[report].last_known(int(year)).year


@dataclass(frozen=True)
class Parameters:
    """Checked parameters of one run."""

    district: str
    year: int
    cutoff: dt.date
    language: str

    def as_injected(self) -> dict[str, Any]:
        """Return the parameters as plain literals, as papermill injects them and as run.json keeps them."""
        return {**asdict(self), "cutoff": self.cutoff.isoformat()}


DEFAULTS: Mapping[str, Any] = {"district": "shangcheng", "year": None, "cutoff": "", "language": "zh"}


def defaults(name: str) -> dict[str, Any]:
    """Return the literals that stand in the parameters cell of notebook `name`.

    Examples
    --------
    >>> defaults("midterm")
    {'district': 'shangcheng', 'year': 2023, 'cutoff': '', 'language': 'zh'}
    """
    return {**DEFAULTS, "year": NOTEBOOKS[name].default_year}


def period_of(district: str) -> Period:
    """Return the years of a district's plan, read from its plan.yml without reading the rest into frames."""
    path = paths.raw(district) / "plan.yml"
    try:
        return _period(path.read_text(encoding="utf-8-sig"), path)
    except (RegistryError, KeyError, TypeError, ValueError) as error:
        raise RegistryError(
            f"{path}: the plan's period cannot be read ({str(error).splitlines()[0]}).\n"
            "Expected: period: {baseline_year: 2020, first_year: 2021, last_year: 2025}. "
            f"To do: planlib check {district} lists every fault of the file."
        ) from None


@lru_cache(maxsize=256)  # ten thousand runs ask for the same few plans
def _period(plan: str, path: Path) -> Period:
    from planlib.registry.documents import parsed  # not on the way to --help

    document = parsed(plan, "plan.yml", path)
    document.raise_faults()
    period = document.data["period"]
    return Period(*(int(period[key]) for key in ("baseline_year", "first_year", "last_year")))


def resolve(name: str, values: Mapping[str, Any]) -> Parameters:
    """Check the parameters of notebook `name` all at once and fill in the defaults.

    Parameters
    ----------
    name : str
        A key of `NOTEBOOKS`.
    values : mapping
        Parameter names to values; what is absent or None takes its default.

    Returns
    -------
    resolved : Parameters
        With every default filled in.

    Raises
    ------
    UsageError
        If the notebook, a name, a type or a range is wrong; lists every fault.
    """
    if name not in NOTEBOOKS:
        raise UsageError(f"Unknown report {name!r}. Known: {', '.join(NOTEBOOKS)}.")
    parameters, faults = examine(name, values)
    if parameters is None or faults:
        raise UsageError(_refusal(name, faults))
    return parameters


def examine(name: str, values: Mapping[str, Any]) -> tuple[Parameters | None, list[str]]:
    """Check the parameters of notebook `name` without raising: what `resolve` returns, and every fault.

    Parameters
    ----------
    name : str
        A key of `NOTEBOOKS`; another word is a fault like all others.
    values : mapping
        Parameter names to values; what is absent or None takes its default.

    Returns
    -------
    tuple
        The parameters, or None; the faults, none where the parameters are good.

    Raises
    ------
    UsageError
        If nothing else is wrong than that there is no such district, or that its plan's period cannot be read.

    Examples
    --------
    >>> examine("midterm", {"langauge": "en"})[1]
    ["langauge: unknown parameter; did you mean 'language'?"]
    """
    notebook = NOTEBOOKS.get(name)
    given = {key: value for key, value in values.items() if value is not None}
    faults = [] if notebook else [f"report: found {name!r}; expected one of {', '.join(NOTEBOOKS)}"]
    faults += _unknown_names(given)
    chosen = {**DEFAULTS, "year": notebook.default_year if notebook else 0}
    chosen |= {key: value for key, value in given.items() if key in DEFAULTS}
    wrong = _wrong_types(chosen)
    sound = {key: value for key, value in chosen.items() if key not in wrong}
    period, no_plan = _period_known(sound.get("district"))
    cutoff, of_cutoff = _cutoff(sound, notebook)
    found = [*wrong.values(), *of_cutoff, *_out_of_range(sound, notebook, period)]
    if not found and period and cutoff and cutoff.year < period.first_year:
        found = [f"cutoff: found {cutoff}; expected a day in {period.first_year} or later"]
    faults += found
    if no_plan and not faults:
        raise no_plan
    faults += [f"district: {' '.join(str(no_plan).splitlines())}"] if no_plan else []
    if faults or cutoff is None:
        return None, faults
    return Parameters(chosen["district"], chosen["year"], cutoff, chosen["language"]), []


def _period_known(district: str | None) -> tuple[Period | None, UsageError | None]:
    """Return the period of a district's plan, or what stands in the way; neither where no district is named."""
    try:
        return (period_of(district), None) if district is not None else (None, None)
    except UsageError as error:
        return None, error


def check(name: str, namespace: Mapping[str, Any]) -> Parameters:
    """Check what reached a notebook: the second cell calls it with ``globals()``.

    Compares what papermill injected (its cell begins with ``# Parameters``) with the declaration, so that an
    unknown name, a wrong type, or a parameters cell that lost its tag is refused under plain papermill too.

    Parameters
    ----------
    name : str
        A key of `NOTEBOOKS`.
    namespace : mapping
        The notebook's ``globals()``.

    Returns
    -------
    resolved : Parameters
        Those of the notebook's own cell, with every default filled in.

    Raises
    ------
    UsageError
        Says which parameter, what was found and what was expected.
    """
    injected = _injected(namespace.get("In", []))
    faults = _unknown_names(injected)
    faults += [
        f"{key}: {value!r} was injected, but the notebook uses {namespace.get(key)!r}; "
        "its first cell must carry the tag 'parameters'"
        for key, value in injected.items()
        if key in DEFAULTS and namespace.get(key) != value
    ]
    faults += [f"{key}: not set; the first cell must declare it" for key in DEFAULTS if key not in namespace]
    if faults:
        raise UsageError(_refusal(name, faults))
    return resolve(name, {key: namespace[key] for key in DEFAULTS})


def _refusal(name: str, faults: list[str]) -> str:
    return listing(f"wrong parameters for {name}", faults, f"planlib report {name} --help lists them")


def _unknown_names(given: Mapping[str, Any]) -> list[str]:
    faults = []
    for key in given:
        if key not in DEFAULTS:
            near = difflib.get_close_matches(key, DEFAULTS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected {', '.join(DEFAULTS)}"
            faults.append(f"{key}: unknown parameter; {hint}")
    return faults


def _wrong_types(chosen: Mapping[str, Any]) -> dict[str, str]:
    expected = {"district": str, "year": int, "cutoff": str, "language": str}
    words = {str: "text (in quotes where it looks like a number)", int: "a whole number such as 2023"}
    return {
        key: f"{key}: found {chosen[key]!r} ({type(chosen[key]).__name__}); expected {words[kind]}"
        for key, kind in expected.items()
        if not isinstance(chosen[key], kind) or isinstance(chosen[key], bool)
    }


def _out_of_range(sound: Mapping[str, Any], notebook: Notebook | None, period: Period | None) -> list[str]:
    """Return what is wrong with a year and a language, as far as report and plan are known."""
    faults = []
    if notebook and period and "year" in sound and sound["year"] not in (allowed := notebook.years(period)):
        span = str(allowed[0]) if len(allowed) == 1 else f"{allowed[0]} to {allowed[-1]}"
        faults.append(f"year: found {sound['year']}; expected {span} for this report under this plan")
    if sound.get("language", LANGUAGES[0]) not in LANGUAGES:
        faults.append(f"language: found {sound['language']!r}; expected zh or en")
    return faults


def _cutoff(sound: Mapping[str, Any], notebook: Notebook | None) -> tuple[dt.date | None, list[str]]:
    """Return the last day that may be known, and what is wrong with it; None where it is not known."""
    is_known = notebook is not None and "year" in sound and dt.MINYEAR < sound["year"] <= dt.MAXYEAR
    default = notebook.last_known(sound["year"]) if notebook and is_known else None
    if not sound.get("cutoff"):
        return default, []
    try:
        return dt.date.fromisoformat(sound["cutoff"]), []
    except ValueError:
        return None, [f"cutoff: found {sound['cutoff']!r}; expected a date such as {default or '2022-12-31'}"]


def _injected(cells: list[str]) -> dict[str, Any]:
    """Return the assignments of papermill's injected cell, the last one if a person ran it again."""
    found: dict[str, Any] = {}
    for source in cells:
        if source.lstrip().startswith("# Parameters\n"):
            for node in ast.parse(source).body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    found[node.targets[0].id] = _literal(node.value)
    return found


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:  # float('nan') and its like, which no parameter of ours accepts
        return ast.unparse(node)

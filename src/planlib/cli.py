"""The command ``planlib``: thin, and quick to say no.

Nothing heavy is imported before the arguments are known to be right.
"""

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planlib import __version__
from planlib.errors import DataError, PlanlibError, UsageError, listing
from planlib.params import DEFAULTS, LANGUAGES, NOTEBOOKS, REPORTS, resolve

if TYPE_CHECKING:
    from planlib.district import Origin


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 ok, 1 data or report failed, 2 wrong call or configuration, 3 verification differs, 4 kernel died or timed
    out. Of a report the last line on stderr alone says what failed, where, and what to do.
    """
    # Chinese in messages must come out on a terminal or a pipe with any locale
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        parsed, unknown = _parser().parse_known_args(arguments)
    except UsageError as error:
        print(f"planlib failed: {error}", file=sys.stderr)
        return error.exit_code
    try:
        _refuse(unknown, parsed)
        return int(parsed.run(parsed) or 0)
    except KeyboardInterrupt:
        print(f"planlib {parsed.command} interrupted: nothing was published.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except PlanlibError as error:
        return _failed(error, parsed)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        hint = "To do: check that name, the rights to it and the room on the disk, then run again."
        return _failed(DataError(f"{where}{error.strerror or error}.\n{hint}"), parsed)


def _failed(error: PlanlibError, parsed: argparse.Namespace) -> int:
    said = error.in_words(getattr(parsed, "language", None) or _language()["default"])
    if parsed.command == "report":
        return _last_line(error, said)
    print(f"planlib {parsed.command} failed: {said}", file=sys.stderr)
    return error.exit_code


def _refuse(unknown: Sequence[str], parsed: argparse.Namespace) -> None:
    """Refuse words that no parameter takes, naming the nearest one: argparse names none."""
    if not unknown:
        return
    near = get_close_matches(unknown[0].partition("=")[0], re.findall("--[a-z-]+", parsed.usage()), 1)
    what = "no such parameter" if unknown[0].startswith("-") else "one word too many"
    hint = f"did you mean {near[0]!r}?" if near else what
    raise UsageError(
        f"Unknown {' '.join(unknown)}: {hint}\nTo do: planlib {parsed.command} --help lists what it takes."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="planlib",
        description="Reproducible evaluations of five-year education plans (教育规划评估).",
        epilog="What is said of data comes in Chinese or English: --language, else the variable PLANLIB_LANGUAGE, else "
        f"{DEFAULTS['language']}. Lines about runs and errors are English: one form for logs and scripts.",
    )
    parser.add_argument("--version", action="version", version=f"planlib {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_reports(commands)
    _add_data(commands)
    _add_checks(commands)
    for command in commands.choices.values():
        command.set_defaults(usage=command.format_usage)
    return parser


def _language() -> dict[str, Any]:
    """Return the option of every command that speaks both languages."""
    chosen = os.environ.get("PLANLIB_LANGUAGE") or DEFAULTS["language"]
    if chosen not in LANGUAGES:
        raise UsageError(
            f"PLANLIB_LANGUAGE: found {chosen!r}; expected {' or '.join(LANGUAGES)}.\nTo do: mend or unset it."
        )
    words = f"{' or '.join(LANGUAGES)} (default {chosen}; PLANLIB_LANGUAGE changes it)"
    return {"choices": LANGUAGES, "default": chosen, "help": words}


def _add_reports(commands: Any) -> None:
    """Add the commands that make reports."""
    report = commands.add_parser("report", help="produce a report (生成报告)")
    report.add_argument(
        "name", metavar="REPORT", nargs="?", help=f"{', '.join(REPORTS)}; or a notebook: {_others()}"
    )
    report.add_argument(
        "--run", dest="file", type=Path, metavar="FILE.yml", help="read report and parameters from it"
    )
    report.add_argument("--district", help=f"a folder under data/raw (default {DEFAULTS['district']})")
    years = ", ".join(f"{name} {NOTEBOOKS[name].default_year}" for name in NOTEBOOKS)
    report.add_argument("--year", type=_year, help=f"the year the report is written about (default {years})")
    report.add_argument(
        "--cutoff",
        help="last day that may be known, YYYY-MM-DD (default 31 December of the year; of the year before for midterm)",
    )
    language = _language()
    report.add_argument("--language", help=language["help"])
    report.set_defaults(spoken=language["default"])
    report.add_argument("--formats", help="some of html,docx,pdf,xlsx (default all for a report, else html)")
    report.add_argument("--force", action="store_true", help="make it again although nothing changed")
    report.add_argument("--quiet", action="store_true", help="no progress lines")
    report.add_argument(
        "--missing",
        nargs="?",
        const="",
        metavar="FILE.xlsx",
        help="write what is still owed, to be filled in (default reports/<district>/<report>-…-missing.xlsx)",
    )
    report.set_defaults(run=_report)

    batch = commands.add_parser("batch", help="produce many reports (批量生成报告)")
    batch.add_argument(
        "file", type=Path, metavar="FILE.yml", help="runs: a list of entries whose values may be lists"
    )
    batch.add_argument("--jobs", type=_count, default=0, help="reports at a time (default one per core)")
    batch.add_argument("--cold", action="store_true", help="a new process for every kernel")
    batch.add_argument("--force", action="store_true", help="make them again although nothing changed")
    batch.add_argument("--scheduler", default="", metavar="tcp://HOST:PORT", help="let a Dask cluster make them")
    batch.set_defaults(run=_batch)


def _add_data(commands: Any) -> None:
    """Add the commands for what a district brings."""
    clean = commands.add_parser("clean", help="raw files to checked tables (清理原始报表)")
    clean.add_argument("district")
    clean.add_argument("--language", **_language())
    clean.set_defaults(run=_clean)

    inspect = commands.add_parser(
        "inspect", help="show what is recognised in a workbook or CSV file (查看报表识别结果)"
    )
    inspect.add_argument("file", type=Path, metavar="FILE")
    inspect.add_argument("--language", **_language())
    inspect.set_defaults(run=_inspect)

    check = commands.add_parser(
        "check", help="read plan.yml, corrections.yml and definitions, list every fault (核对规划数据与更正)"
    )
    check.add_argument("district")
    check.set_defaults(run=_check)

    new = commands.add_parser("new", help="start another district's folder (新建一个区的数据文件夹)")
    new.add_argument("district", help="name of a folder to be made under data/raw")
    new.set_defaults(run=_new)

    sample = commands.add_parser("sample", help="write the simulated district (生成模拟数据)")
    sample.add_argument("folder", type=Path, help="an empty or new folder")
    sample.add_argument(
        "--seed", type=int, default=None, help="a whole number (default: the seed of the shipped sample)"
    )
    sample.set_defaults(run=_sample)


def _add_checks(commands: Any) -> None:
    """Add the commands for what stands already: a value, a sheet, a published report."""
    fill = commands.add_parser("fill", help="read a filled sheet of what was owed (读入补报表)")
    fill.add_argument("district")
    fill.add_argument("file", type=Path, metavar="FILE.xlsx")
    fill.set_defaults(run=_fill)

    trace = commands.add_parser("trace", help="show the birthplace of one value (追溯数据来源)")
    trace.add_argument("subject", help="a district, or the folder of a published report: reports/…")
    trace.add_argument(
        "words",
        nargs="+",
        help="of a district: table, what names the row (year, school, series …), column; of a report: "
        "'table 3, row 小学, 2023' or 'figure 2, …' (表 3, 图 2); a number alone shows the cells that print it",
    )
    trace.add_argument("--stage", help="where a school has several stages")
    trace.add_argument("--all", action="store_true", help="every cell; without it ten, and the rest counted")
    trace.add_argument("--csv", type=Path, metavar="FILE", help="write every cell to a CSV file as well")
    trace.add_argument("--language", **_language())
    trace.set_defaults(run=_trace)

    verify = commands.add_parser(
        "verify", help="make a published report again and explain what differs (复核报告)"
    )
    verify.add_argument("folder", type=Path, help="the folder of one run, or the one above it for the latest run")
    verify.add_argument("--from-processed", action="store_true", help="take the processed tables as they are")
    verify.set_defaults(run=_verify)


def _others() -> str:
    return ", ".join(name for name in NOTEBOOKS if name not in REPORTS)


def _year(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a year such as 2023")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number of 1 or more")
    return int(text)


def _batch(parsed: argparse.Namespace) -> int:
    from planlib.run.request import read_batch

    requests = read_batch(parsed.file)
    from planlib.run.batch import failures, run_batch

    options = {key: getattr(parsed, key) for key in ("jobs", "cold", "force", "scheduler")}
    made = run_batch(parsed.file, requests, **options)
    counts = ", ".join(f"{number} {status}" for status, number in sorted(made["counts"].items()))
    print(f"{len(requests)} reports: {counts}, {made['seconds']:.0f} s\n{_shown(made['path'])}")
    groups = failures(made["runs"])
    for what, runs in groups.items():
        # each was said in full when it happened: here what they have in common, and where their records lie
        places = [f"  {run['name']}: {run['folder'] or 'left no record'}" for run in runs[:3]]
        more = [f"  … and {len(runs) - 3} more"] if len(runs) > 3 else []
        print(f"{len(runs)} failed: {what}", *places, *more, sep="\n", file=sys.stderr)
    if not groups:
        return 0
    failed, where = sum(map(len, groups.values())), _shown(made["path"])
    print(f"batch failed: {failed} of {len(requests)} reports; all messages in {where}", file=sys.stderr)
    return 1


def _report(parsed: argparse.Namespace) -> int:
    from planlib.run.report import run_request

    request = _request(parsed)
    if parsed.missing is not None:
        return _missing(request, parsed.missing)
    outcome = run_request(request, force=parsed.force, report_progress=not parsed.quiet)
    said = "made" if outcome.is_new else "unchanged, nothing to do"
    print(f"{request.name}: {said}\n{_shown(outcome.page)}")
    return 0


def _request(parsed: argparse.Namespace) -> Any:
    """Return what the words or the run file ask for."""
    from planlib.run.formats import chosen_formats
    from planlib.run.request import Request, read_run

    values = {key: getattr(parsed, key) for key in DEFAULTS}
    words = {"REPORT": parsed.name, **values, "formats": parsed.formats}
    named = [word for word, value in words.items() if value is not None]
    if parsed.file and named:
        raise UsageError(f"--run and {', '.join(named)} together: expected one of them.\nTo do: drop one.")
    if parsed.file:
        return read_run(parsed.file)
    values["language"] = parsed.language or parsed.spoken
    if parsed.name is None:
        raise UsageError("No report is named.\nTo do: planlib report midterm, or planlib report --run FILE.yml")
    return Request(parsed.name, resolve(parsed.name, values), chosen_formats(parsed.name, parsed.formats))


def _last_line(error: PlanlibError, whole: str) -> int:
    """Say what failed so that the last line alone tells a scheduler what happened and what to do."""
    brief = error.brief()
    if [*filter(str.isalnum, whole)] != [*filter(str.isalnum, brief)]:  # there is more to say than one line holds
        print(whole, file=sys.stderr)
    if error.record:
        print(_shown(error.record), file=sys.stderr)
    print(f"report failed: {brief}", file=sys.stderr)
    return error.exit_code


def _shown(path: Path) -> Path:
    """Return the path as short as it can be said from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _clean(parsed: argparse.Namespace) -> int:
    from planlib import freshness, paths

    paths.raw(parsed.district)
    if freshness.tables_are_fresh(parsed.district):
        print(f"clean {parsed.district}: unchanged, nothing to do\n{_shown(paths.processed(parsed.district))}")
        return 0
    from planlib.clean import clean_district, summary

    print(summary(clean_district(parsed.district), parsed.language))
    return 0


def _inspect(parsed: argparse.Namespace) -> int:
    from planlib.clean.inspect import inspect_file

    print(inspect_file(parsed.file, parsed.language))
    return 0


def _check(parsed: argparse.Namespace) -> int:
    from planlib.clean.fitting import Fit, check_corrections
    from planlib.registry import check_written

    fits: list[Fit] = []
    plan = check_written(parsed.district, lambda district: fits.append(check_corrections(district)))
    print(
        f"plan.yml of {parsed.district}: indicators {len(plan.indicators)}, series {len(plan.series)}, "
        f"commitments {len(plan.commitments)}; no fault found"
    )
    rest = f"; the {fits[0].count - fits[0].held} of schools are held to theirs by planlib clean"
    if fits[0].count:
        print(
            f"corrections.yml: {fits[0].held} of {fits[0].count} corrections held to their sources; no fault found"
            + (rest if fits[0].held < fits[0].count else "")
        )
    return 0


def _new(parsed: argparse.Namespace) -> int:
    from planlib.template import new_district

    folder = _shown(new_district(parsed.district))
    print(f"new district {parsed.district}: {folder}\nnext: read {folder / 'README.md'}")
    return 0


def _trace(parsed: argparse.Namespace) -> int:
    from planlib import narrative, schema

    if parsed.csv and not parsed.csv.parent.is_dir():
        raise UsageError(
            f"{parsed.csv}: there is no folder {parsed.csv.parent}.\nTo do: make it, or name another."
        )
    folder = Path(parsed.subject)
    is_report = len(folder.parts) > 1 or (folder / "run.json").is_file()
    if is_report and _trace_number(parsed, folder):
        return 0
    found, called = _trace_report(parsed, folder) if is_report else (_trace_table(parsed), None)
    print(narrative.origin(found, parsed.language, None if parsed.all else 10, called))
    if parsed.csv:
        schema.write_csv(found.cells, parsed.csv)
        print(_shown(parsed.csv))
    return 0


def _can_trace(manifest: Mapping[str, Any], row: Mapping[str, Any], column: str) -> bool:
    from planlib.district import open_district, origins

    told = manifest["parameters"]
    try:
        place = open_district(told["district"], told["cutoff"])
        return origins.is_traceable(row) and not place.origin(row, column).cells.empty
    except (PlanlibError, KeyError):  # a row that counts others lacks what its keys promise
        return False


def _trace_number(parsed: argparse.Namespace, folder: Path) -> bool:
    """Print where a number alone stands; tell whether it was one."""
    from planlib.run.published import address_of, find_number, is_number

    address = address_of(parsed.words)
    if not is_number(address):
        return False
    run, found = find_number(folder, address, parsed.language, _can_trace)
    if run != folder:
        print(f"run: {_shown(run)}")
    print(f"{address} is printed in, and can be traced as:\n" + "\n".join(f'  "{line}"' for line in found))
    return True


def _trace_report(parsed: argparse.Namespace, folder: Path) -> tuple["Origin", tuple[str, str]]:
    from planlib.district import open_district, origins
    from planlib.run.manifest import changed_files
    from planlib.run.published import address_of, find_cell

    cell = find_cell(folder, address_of(parsed.words), parsed.language, _can_trace)
    told = cell.manifest["parameters"]
    changed = changed_files(cell.manifest)
    if changed:
        hint = f"planlib verify {folder} says what it changes in the report; the cells below are those of today"
        print(
            listing(f"warning: {told['district']} has changed since the report was made", changed, hint),
            file=sys.stderr,
        )
    place = open_district(told["district"], told["cutoff"])
    print(f"{cell.manifest['report']} {told['year']} · {cell.table} · {cell.header}: {cell.shown}")
    if cell.folder != folder:
        print(f"run: {_shown(cell.folder)}")
    if not origins.is_traceable(cell.row):
        raise UsageError(
            f"{cell.table}, {cell.header}: this counts or adds up rows of other tables.\n"
            f"To do: trace one of the rows it counts, in {' or '.join(cell.beside) or 'another table'}."
        )
    return place.origin(cell.row, cell.column), (cell.header, cell.shown)


def _trace_table(parsed: argparse.Namespace) -> "Origin":
    from planlib.district import open_district, origins

    table, *words, column = ["", *parsed.words] if len(parsed.words) < 2 else parsed.words
    place = open_district(parsed.subject)
    rows = origins.select_rows(place, table, [*words, *([parsed.stage] if parsed.stage else [])])
    return place.origin(rows, column)


def _missing(request: Any, file: str) -> int:
    """Write the sheet of what is owed and say in short what stands in it."""
    if request.name not in REPORTS:
        raise UsageError(f"{request.name} asks nothing of anybody.\nTo do: name one of {', '.join(REPORTS)}.")
    from planlib import paths
    from planlib.answers import write_missing
    from planlib.registry import label, load_definitions
    from planlib.words import filled

    target = Path(file) if file else paths.reports() / request.parameters.district / f"{request.stem}-missing.xlsx"
    if not file:
        target.parent.mkdir(parents=True, exist_ok=True)
    owed = write_missing(request.name, request.parameters, target)
    must = owed[owed["is_compulsory"]]
    language = request.parameters.language
    told = {
        "must": len(must),
        "offices": must.loc[must["lead"] != "", "lead"].nunique(),
        "rest": len(owed) - len(must),
    }
    print(filled(label("owed", language, "said"), stem=request.stem, **told))
    kinds = load_definitions("answers")["kinds"]
    for office, rows in must.groupby("lead" if language == "zh" else "lead_en", sort=False):
        counts = [
            f"{kinds[kind]['name'][language]} {count}"
            for kind, count in rows["kind"].value_counts(sort=False).items()
        ]
        print(f"  {office or label('no_office', language, 'said')}: {', '.join(counts)}")
    print(_shown(target))
    return 0


def _fill(parsed: argparse.Namespace) -> int:
    from planlib.answers import fill

    print(
        "\n".join(fill(parsed.district, parsed.file)) or "nothing new: no row is filled in, or all of it is there"
    )
    return 0


def _verify(parsed: argparse.Namespace) -> int:
    from planlib.run.verify import verify

    print(verify(parsed.folder, from_processed=parsed.from_processed))
    return 0


def _sample(parsed: argparse.Namespace) -> int:
    from planlib.sample import generate

    if parsed.folder.exists() and not (parsed.folder.is_dir() and not any(parsed.folder.iterdir())):
        what = "is not empty" if parsed.folder.is_dir() else "is a file"
        raise UsageError(f"{parsed.folder} {what}. To do: name a new folder; nothing was written.")
    generate(parsed.folder, **({} if parsed.seed is None else {"seed": parsed.seed}))
    print(f"simulated district written to {parsed.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

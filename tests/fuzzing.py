"""Damage files of returns at random and read them: ``python tests/fuzzing.py --minutes 60``.

A file may be damaged in its bytes, in the XML inside it, or as a person damages it: headers swapped, cells dropped or
filled with odd texts, ranges merged. Whatever comes, planlib answers with tables or with its own errors, within ten
seconds of the processor and a gibibyte, and accounts for every cell that holds something. A damaged file that brings
a message not met before is kept and damaged further, so that the search goes where the readers have something new to
say.
"""

import argparse
import io
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from pathlib import Path

from old_writer import as_old
from returns_builder import FORM, columns_of, grid, school, simple_workbook, workbook
from school_builder import school as national
from school_builder import school_book

from planlib.clean import cache, pipeline
from planlib.clean.files.confined import read_workbook
from planlib.clean.layout.recognise import KINDS
from planlib.clean.layout.workbook import framed, parse_workbook
from planlib.clean.tables import collected
from planlib.clean.values.correct import Corrections, load_corrections
from planlib.clean.words.convert import is_blank
from planlib.errors import PlanlibError

SECONDS, BYTES = 10, 1 << 30
OLD = Path(__file__).with_name("old_format.xls")
DATA = Path(__file__).parent / "data"
STRUCK = Path(__file__).parent / "bad_files" / "returns" / "struck_out.xlsx"
ODD = [
    "",
    " ",
    "*",
    "…",
    "—",
    "/",
    "-1",
    "1e400",
    "nan",
    "1,23,4",
    "１２",
    "=1+1",
    "合计",
    "备注",
    "小计",
    "12.5",
    "万元",
]
ODD += [
    "学校标识码",
    "在校生数",
    "2020/2021学年",
    "2020/2025",
    "民国110学年",
    "\u200b",
    "_x000D_",
    "<b>",
    "&amp;",
    "甲",
    "A",
    "x" * 5000,
]


def seeds():
    """Return small good files by name."""
    two = [school(), school("S0002", "nine_year") | {("junior", "students"): 90}]
    staged = grid(two, columns_of("nine_year"), total={"school_id": "合计", ("junior", "students"): 90})
    half, rest = (grid([school()], columns) for columns in (columns_of("primary")[:6], columns_of("primary")))
    aside = [[*a, *[None] * (8 - len(a)), *b] for a, b in zip(half[0], rest[0], strict=True)]
    moved = [*half[1], *((a, b + 8, c, d + 8, text) for a, b, c, d, text in rest[1])]
    campuses = [school(school_name=f"采荷小学（{name}校区）", school_id="S0001") for name in "东西"]
    found = {
        "aside.xlsx": workbook({"基本情况": (aside, moved)}),
        "campuses.xlsx": simple_workbook(campuses),
        "errors.xls": (DATA / "errors.xls").read_bytes(),
        "forms.xls": as_old(school_book(national("secondary"), 2021, new=True)),
        "one.xlsx": simple_workbook([school()]),
        "prefixed.xlsx": _prefixed(simple_workbook([school()])),
        "years.xlsx": workbook(
            {
                f"{year}学年": grid([school(books=year)], columns_of("primary"), title="一览表")
                for year in (2020, 2021)
            }
        ),
        "struck.xls": (DATA / "struck.xls").read_bytes(),
        "struck.xlsx": STRUCK.read_bytes(),
        "struck_old.xls": as_old(STRUCK.read_bytes()),
        "two.xlsx": workbook({"基本情况": staged, "说明": ([["填表说明"], ["一"]], [])}),
        "old.xlsx": school_book(national(), 2019, new=False),
        "new.xlsx": school_book(national("nine_year"), 2022, new=True),
        "nursery.xlsx": school_book(national("kindergarten"), 2022, new=True),
        "returns.csv": _csv_return(),
        "births.csv": 'area,year,births\n东片,2019,5\n东片,2020,"1,006"\n'.encode(),
        "milestones.csv": b"commitment_id,date,value,evidence\na,2021-01-02,1,x\n",
        "corrections.yml": (
            "schema_version: 1\ncorrections:\n- {what: a, where: {file: returns/a.xlsx, sheet: 学生, cell: E5}, "
            "action: override, value: 3, expect: '4', reason: b, who: c}\n"
            "not_collected:\n- {columns: [books], years: [2020], reason: a, who: b}\n"
        ).encode(),
    }
    return {**found, **({"old.xls": OLD.read_bytes()} if OLD.exists() else {})}


def _prefixed(content):
    """Return a workbook as programs of the Open XML SDK write it, with an error, a formula and a hidden row."""
    parts, sheet = _parts(content), "xl/worksheets/sheet1.xml"
    told = b'<row r="7" hidden="1"><c r="A7" t="e"><v>#REF!</v></c><c r="B7"><f>1+1</f></c></row></sheetData>'
    xml = parts[sheet].replace(b"</sheetData>", told)
    parts[sheet] = re.sub(rb"<(/?)(?=[A-Za-z])", rb"<\1x:", xml).replace(b"xmlns=", b"xmlns:x=")
    return _zipped(parts, random.Random(0))


def _csv_return():
    rows, _ = grid([school()], columns_of("primary"))
    return "\n".join(",".join("" if v is None else f"{v}" for v in row) for row in rows).encode("gb18030")


# ---- damage


def damage_bytes(content, rng):
    """Change, cut, repeat or move a few bytes."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 12))):
        at, length = rng.randrange(len(data) + 1), rng.randint(1, rng.choice((2, 40, 400)))
        what = rng.randrange(5)
        if what == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif what == 1:
            del data[at : at + length]
        elif what == 2:
            data[at:at] = data[at : at + length]
        elif what == 3:
            other = rng.randrange(len(data) + 1)
            data[at:at] = data[other : other + length]
        else:
            data[at:at] = rng.choice(
                (b"\xff" * 4, b"\0" * 4, b"9" * 12, b'"', b"<", b"&", b",", b"\n", b"\xef\xbb\xbf")
            )
        data = data or bytearray(b"\0")
    return bytes(data)


def damage_parts(content, rng):
    """Damage one part inside a workbook and zip it again, so that the damage reaches the reader of cells."""
    parts = _parts(content)
    name = rng.choice([name for name in parts if parts[name]])
    how = rng.random()
    if how < 0.1:
        del parts[name]
    elif how < 0.4:
        parts[name] = damage_bytes(parts[name], rng)
    else:
        parts[name] = damage_xml(parts[name], rng)
    return _zipped(parts, rng)


def damage_xml(part, rng):
    """Change numbers, repeat or drop elements, and swap attributes' values: the XML stays XML most times."""
    text = part.decode("utf-8", "replace")
    for _ in range(rng.choice((1, 2, 5))):
        elements = list(re.finditer(r"<(\w+)[^>]*/>|<(\w+)[^>]*>[^<]*</\2>", text))
        numbers = list(re.finditer(r'(?<=")[A-Z]{0,3}\d+(?=[":])|(?<=>)\d+(?=<)', text))
        if numbers and rng.random() < 0.5:
            found = rng.choice(numbers)
            new = rng.choice(
                ("0", "1", "2147483648", "4294967295", "-1", "XFD1048576", "A0", "ZZ9", "1e999", "A1:XFD99", "")
            )
        elif elements:
            found = rng.choice(elements)
            new = rng.choice(("", found[0] * rng.choice((2, 50)), rng.choice(elements)[0]))
        else:
            return damage_bytes(part, rng)
        text = text[: found.start()] + new + text[found.end() :]
    return text.encode("utf-8", "replace")


def damage_cells(content, rng):
    """Damage a workbook as people do: odd texts, swapped, dropped and moved cells, merged ranges."""
    parts = _parts(content)
    texts = "xl/sharedStrings.xml"
    sheet = rng.choice([name for name in parts if "worksheets/sheet" in name])
    xml = parts[sheet].decode("utf-8", "replace")
    for _ in range(rng.choice((1, 2, 4, 10))):
        cells = list(re.finditer(r'<c r="([A-Z]+)(\d+)"([^>]*?)(?:/>|>(.*?)</c>)', xml))
        if not cells:
            break
        one, other, what = rng.choice(cells), rng.choice(cells), rng.randrange(6)
        odd = rng.choice(ODD).replace("&", "&amp;").replace("<", "&lt;")
        if what == 0:
            new = f'<c r="{one[1]}{one[2]}" t="inlineStr"><is><t>{odd}</t></is></c>'
        elif what == 1:
            new = ""
        elif what == 2:
            new = other[0].replace(f'r="{other[1]}{other[2]}"', f'r="{one[1]}{one[2]}"')
        elif what == 3:
            new = one[0].replace(f'r="{one[1]}{one[2]}"', f'r="{other[1]}{one[2]}"')
        elif what == 4:
            new = f'<c r="{one[1]}{one[2]}"><v>{rng.choice(("-5", "0", "1e308", "0.5", "99999999999999999999"))}</v></c>'
        else:
            merge = f'<mergeCell ref="{one[1]}{one[2]}:{other[1]}{other[2]}"/>'
            has_merged = "</mergeCells>" in xml
            end, begin = ("</mergeCells>", merge) if has_merged else ("</sheetData>", "")
            after = "" if has_merged else f"<mergeCells>{merge}</mergeCells>"
            xml = xml.replace(end, f"{begin}{end}{after}", 1)
            continue
        xml = xml[: one.start()] + new + xml[one.end() :]
    parts[sheet] = xml.encode()
    if texts in parts and rng.random() < 0.3:
        words = re.split(r"(<t[^>]*>[^<]*</t>)", parts[texts].decode("utf-8", "replace"))
        odd = rng.choice(ODD).replace("&", "&amp;").replace("<", "&lt;")
        words[rng.randrange(1, len(words), 2) if len(words) > 1 else 0] = f"<t>{odd}</t>"
        parts[texts] = "".join(words).encode()
    return _zipped(parts, rng)


def damage_text(content, rng):
    """Damage a text file as people do: odd cells, lines dropped, doubled and cut, other encodings."""
    text = content.decode("utf-8", "replace") if rng.random() < 0.9 else content.decode("gb18030", "replace")
    lines = text.split("\n")
    for _ in range(rng.choice((1, 2, 5))):
        at, what = rng.randrange(len(lines)), rng.randrange(5)
        words = re.split(r"([,:\[\]{} ])", lines[at])
        words[rng.randrange(len(words))] = rng.choice(
            [*ODD, "&a", "*a", "!!python/x", "[", "{", "? ", "- ", "'", '"', "\t"]
        )
        if what < 2:
            lines[at] = "".join(words)
        elif what == 2:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif what == 3:
            lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
        else:
            lines[at] = " " * rng.randint(1, 9) + lines[at]
    return "\n".join(lines).encode(
        rng.choice(("utf-8", "utf-8", "utf-8-sig", "gb18030", "big5", "utf-16")), "replace"
    )


def _parts(content):
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return {name: book.read(name) for name in book.namelist()}


def _zipped(parts, rng):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))) as book:
        for name, part in parts.items():
            book.writestr(name, part)
    return buffer.getvalue()


def damaged(name, content, rng):
    """Return the file damaged in one of the ways that fit it."""
    ways = [damage_bytes]
    if content[:2] == b"PK":
        ways = [damage_bytes, damage_parts, damage_parts, damage_cells, damage_cells, damage_cells]
    elif not name.endswith(".xls"):
        ways = [damage_bytes, damage_text, damage_text]
    try:
        return rng.choice(ways)(content, rng)
    except Exception:  # what was damaged before is perhaps no archive any more, or one that zipfile chokes on
        return damage_bytes(content, rng)


# ---- reading


def read(name, content, place, whole):
    """Read a file as clean does, up to the tables if `whole`; return what it says, each message without its numbers."""
    if name.endswith(".yml"):
        (place / "corrections.yml").write_bytes(content)
        load_corrections(place / "corrections.yml", FORM)
        return {"corrections"}
    if name in ("births.csv", "milestones.csv"):
        issues = collected.collected_table(name.removesuffix(".csv"), content, Corrections())[1]
    else:
        parsed = parse_workbook(content, FORM)
        _account(content, parsed)
        issues = parsed.issues
        if whole:  # twenty times as long
            parts = cache.joined([framed([]), framed([(parsed, f"returns/{name}", "0")])])
            issues = [*issues, *pipeline.tables_of_returns(parts, FORM, Corrections())[1]]
        assert not [one for one in issues if one.kind == "lost cell" and one.sheet and one.school], (
            "a cell went nowhere"
        )
    return {re.sub(r"\d+|'[^']*'", "", f"{one.level} {one.kind} {one.expected}")[:80] for one in issues}


def _account(content, parsed):
    """Hold the account of cells to the cells that are there."""
    if any(one.kind == "unreadable file" for one in parsed.issues):
        return
    held = sum(not is_blank(value) for sheet in read_workbook(content) for row in sheet.rows for value in row)
    counted = sum(sheet[kind] for sheet in parsed.sheets for kind in KINDS)
    assert counted == held, f"{held} cells hold something, {counted} are accounted for"


class TooLong(Exception):
    """Ten seconds of the processor were used."""


def _too_long(*_):
    raise TooLong


def one_run(name, content, place, whole):
    """Return (messages, fault): what was said, and the traceback of what must not happen."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return read(name, content, place, whole), ""
    except PlanlibError as error:
        return {re.sub(r"\d+|'[^']*'", "", str(error).splitlines()[-2 if "\n" in str(error) else 0])[:80]}, ""
    except Exception:  # every other error is what this looks for
        return set(), traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def fuzz(seconds, seed, keep, most=sys.maxsize):
    """Read damaged files for a while; return the number of runs, of messages met, and the faults by place."""
    rng, met, faults = random.Random(seed), set(), {}
    # each good file has its own descendants: the messages of YAML quote so much that its would soon be all there is
    corpus = {name: [content] for name, content in seeds().items()}
    signal.signal(signal.SIGPROF, _too_long)
    begins, runs = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as place:
        while time.monotonic() - begins < seconds and runs < most:
            name = rng.choice(list(corpus))
            content = damaged(name, rng.choice(corpus[name]), rng)
            said, fault = one_run(name, content, Path(place), rng.random() < 0.1)
            runs += 1
            if said - met and len(content) < 1 << 20:
                corpus[name].append(content)
            met |= said
            if fault:
                where = "\n".join(fault.strip().splitlines()[-4:])
                if where not in faults and keep:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{len(faults):03d}-{name}").write_bytes(content)
                    (keep / f"{len(faults):03d}.txt").write_text(fault, encoding="utf-8")
                    print(fault, flush=True)
                faults.setdefault(where, (name, content))
    return runs, len(met), faults


def main():
    """Fuzz from the command line; 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz-findings"), help="where damaged files that matter go"
    )
    chosen = parser.parse_args()
    runs, met, faults = fuzz(chosen.minutes * 60, chosen.seed, chosen.keep)
    # a started process inherits the peak of who started it in ru_maxrss; its own stands in the mark of its memory
    own = Path("/proc/self/status").read_text(encoding="utf-8").partition("VmHWM:")[2].split()[0]
    peak = max(int(own), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) << 10
    print(
        f"{runs} files, {met} different messages, {len(faults)} faults, at most {peak >> 20} MiB, seed {chosen.seed}"
    )
    return int(bool(faults) or peak > BYTES)


if __name__ == "__main__":
    sys.exit(main())

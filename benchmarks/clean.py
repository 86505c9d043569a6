"""Cost of clean against the bare read of the same files: writes its section of docs/benchmarks.md.

    python benchmarks/clean.py [ROWS SCHOOLS]

One workbook of 100 000 schools, and 3 000 schools with a workbook of national forms each, written by the builders of
the tests with a fixed seed. Each figure is processor time of a command and all its processes, so that a busy machine
does not count, and beside it time by the clock; only ratios are printed.
"""

import io
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import _write

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from returns_builder import columns_of, district, school, simple_workbook  # noqa: E402
from school_builder import school as national  # noqa: E402
from school_builder import school_book  # noqa: E402

ROWS, SCHOOLS = (int(word) for word in sys.argv[1:3] or ("100000", "3000"))
NAME = "bench"
IMPORTS = "import planlib.clean"
BARE = """
import sys, python_calamine
from pathlib import Path
for path in sorted(Path(sys.argv[1]).glob("*.xlsx")):
    book = python_calamine.load_workbook(str(path))
    for name in book.sheet_names:
        book.get_sheet_by_name(name).to_python(skip_empty_area=False)
"""
CLEAN = "import sys; from planlib.cli import main; sys.exit(main(['clean', sys.argv[1]]))"
# What no way of cleaning is spared: Python and its libraries, a reader that no file can break, and tables written
# with the birthplace of every value. The tables are there already; reading them back is not counted.
LEAST = """
import sys, time
from pathlib import Path
from planlib import schema
from planlib.clean import pipeline
from planlib.clean.files.confined import read_ahead
returns, made = map(Path, sys.argv[1:])
for sheets in read_ahead(path.read_bytes() for path in sorted(returns.glob("*.xlsx"))):
    pass
cpu, clock = time.process_time(), time.perf_counter()
frames = {name: schema.read_table(made / f"{name}.parquet", name) for name in pipeline.OF_RETURNS}
for frame in frames.values():
    for name in frame.select_dtypes("str"):
        frame[name] = frame[name] if name in schema.DISTINCT else frame[name].astype("category")
spent = time.process_time() - cpu, time.perf_counter() - clock
for name, frame in frames.items():
    schema.write_table(frame, name, made.with_name(f"least.{name}"), conformed=True)
print(*spent)
"""
TYPES = ("primary", "junior", "nine_year", "kindergarten")
YEARS = {"opened_year": 2005, "modern_school_year": 2018}
# A primary school as most are; each figure but its years is up to a twentieth greater from row to row.
FIGURES = {
    **{"education_group": "第一教育集团", "is_standardised": "是", "brand_count": 1, "capacity_students": 450},
    **{"entrants": 50, "staff": 32, "teachers": 28, "teachers_above_required_degree": 20},
    **{"postgraduate_teachers": 5, "backbone_teachers": 8, "sports_arts_teachers": 4, "senior_title_teachers": 14},
    **{"master_teachers": 2, "psychology_teachers": 1, "teaching_area_m2": 4000, "gym_area_m2": 600},
    **{"sports_ground_m2": 5200, "equipment_value_yuan": 150, "multimedia_rooms": 20, "books": 9000},
    **{"computers": 60, "has_clinic": "有", "has_school_doctor": "有", "is_psychology_met": "是"},
    **{"students_vision_tested": 280, "students_myopic": 120, "students_fitness_tested": 280},
    "students_fitness_passed": 260,
}


def parts_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return {name: book.read(name) for name in book.namelist()}


def write_parts(path: Path, parts: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, part in parts.items():
            book.writestr(name, part)


def large_workbook(path: Path, rows: int = ROWS) -> None:
    """One collection sheet of `rows` primary schools, every column of the form filled; figures differ by row."""
    figures = FIGURES | YEARS
    named = {c: figures.get(c[1] if isinstance(c, tuple) else c) for c in columns_of("primary")}
    own = school() | {column: figure for column, figure in named.items() if figure is not None}
    parts = parts_of(simple_workbook([own]))
    sheet, texts = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
    xml, shared = parts[sheet].decode(), parts[texts].decode()
    row = re.search(r'<row r="5".*?</row>', xml, re.S)[0]
    known = shared.count("<si>")
    rng, lines, more = random.Random(0), [], []
    cells = re.split(r"(?=<c )", row.removesuffix("</row>"))[1:]
    assert len(cells) == len(columns_of("primary"))
    for number in range(rows):
        place = 5 + number
        made = [f'<row r="{place}">']
        for cell in cells:
            letters, value = re.match(r'<c r="([A-Z]+)5"', cell)[1], re.search(r"<v>(\d+)</v>", cell)[1]
            if 't="s"' in cell:
                # the code and the name are each school's own; type, ownership and area are words of all
                text = len(more) + known if letters in "AB" else int(value)
                if letters in "AB":
                    more.append(f"<si><t>{'S' if letters == 'A' else '学校'}{number:06d}</t></si>")
                made.append(f'<c r="{letters}{place}" t="s"><v>{text}</v></c>')
            else:
                more_of_it = 0 if int(value) in YEARS.values() else rng.randrange(int(value) // 20 + 1)
                made.append(f'<c r="{letters}{place}"><v>{int(value) + more_of_it}</v></c>')
        lines.append("".join(made) + "</row>")
    parts[sheet] = xml.replace(row, "".join(lines)).encode()
    parts[texts] = (
        re.sub(r'count="\d+" uniqueCount="\d+"', "", shared).replace("</sst>", "".join(more) + "</sst>").encode()
    )
    write_parts(path, parts)


def school_workbooks(folder: Path, schools: int = SCHOOLS) -> None:
    """A workbook of national forms for each school: of the four types in turn, with its own code, name and books."""
    rng = random.Random(0)
    made = {kind: parts_of(school_book(national(kind, "3133000001"), 2022, new=True)) for kind in TYPES}
    texts = "xl/sharedStrings.xml"
    for number in range(schools):
        parts = dict(made[TYPES[number % len(TYPES)]])
        name = parts[texts].decode().replace("3133000001", f"31{number:08d}").replace("测试", f"第{number}")
        parts[texts] = name.encode()
        for sheet in [key for key in parts if "worksheets/sheet" in key]:
            parts[sheet] = parts[sheet].replace(b"<v>20000</v>", f"<v>{20000 + rng.randrange(5000)}</v>".encode())
        write_parts(folder / f"{number:04d}.xlsx", parts)


@dataclass(frozen=True)
class Cost:
    """What a command takes: seconds of the processor, with its processes, and by the clock; MiB of memory."""

    processor: float
    clock: float
    memory: float

    def over(self, other: "Cost", how: str) -> list[str]:
        """Return both ratios to another cost, written as `how` says."""
        return [format(self.processor / other.processor, how), format(self.clock / other.clock, how)]


def cost(words: list[str], root: Path) -> Cost:
    """Return what a command takes; it must succeed."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(words, stdout=said, stderr=said, env={**os.environ, "PLANLIB_ROOT": str(root)})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        clock = time.perf_counter() - begun
        said.seek(0)
        text = said.read()
        assert process.returncode == 0, text[:3000]
    uncounted = [float(word) for word in text.split()] if words[2] is LEAST else [0.0, 0.0]
    return Cost(usage.ru_utime + usage.ru_stime - uncounted[0], clock - uncounted[1], usage.ru_maxrss / 1024)


def made_district(root: Path) -> Path:
    folder = district(root, NAME)
    shutil.rmtree(folder / "returns")
    (folder / "returns").mkdir()
    return folder


def measured(root: Path, folder: Path) -> tuple[Cost, Cost, Cost]:
    """Return the bare read, clean, and the least that cleaning must do."""
    bare = [sys.executable, "-c", BARE, str(folder / "returns")]
    clean = [sys.executable, "-c", CLEAN, NAME]
    least = [sys.executable, "-c", LEAST, bare[-1], str(root / "data" / "processed" / NAME)]
    shutil.rmtree(root / "data" / "processed", ignore_errors=True)
    return cost(bare, root), cost(clean, root), cost(least, root)


def main() -> None:
    clean = [sys.executable, "-c", CLEAN, NAME]
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        folder = made_district(root)
        large_workbook(folder / "returns" / "all.xlsx")
        bare, whole, least = measured(root, folder)
        large = [
            f"1 workbook, {ROWS:,} schools × {len(columns_of('primary'))} filled columns",
            *whole.over(bare, ".2f"),
            *least.over(bare, ".2f"),
        ]
        shutil.rmtree(root / "data")
        folder = made_district(root)
        school_workbooks(folder / "returns")
        large_memory = whole.memory
        bare, whole, least = measured(root, folder)
        start = cost([sys.executable, "-c", IMPORTS], root)
        again = cost(clean, root)
        for path in folder.rglob("*"):
            os.utime(path, (0, 0))
        touched = cost(clean, root)
        shutil.copy(folder / "returns" / "0000.xlsx", folder / "returns" / "0000.old")
        parts = parts_of((folder / "returns" / "0000.xlsx").read_bytes())
        (folder / "returns" / "0000.old").unlink()
        parts["xl/sharedStrings.xml"] = parts["xl/sharedStrings.xml"].replace("第0".encode(), "新第0".encode())
        write_parts(folder / "returns" / "0000.xlsx", parts)
        changed = cost(clean, root)
    rows = [
        large,
        [f"{SCHOOLS:,} school workbooks of national forms", *whole.over(bare, ".2f"), *least.over(bare, ".2f")],
    ]
    shares = [
        ["again, nothing changed", *again.over(whole, ".1%")],
        ["again, every modification time changed", *touched.over(whole, ".1%")],
        ["again, one workbook changed", *changed.over(whole, ".1%")],
        ["of that, Python and its imports alone", *start.over(whole, ".1%")],
    ]
    print(bare, whole, again, touched, changed, rows, shares)
    _write.write(
        "clean",
        "Cleaning",
        [
            f"`python benchmarks/clean.py {ROWS} {SCHOOLS}`: {_write.machine()} Time of `planlib clean` with its "
            "processes over that of python-calamine reading the same files into lists and doing nothing else: of the "
            "processor, which a busy machine hardly changes, and by the clock. "
            "`clean` moreover recognises, converts, checks, and writes the tables with the birthplace of every value. "
            f"At most {large_memory:.0f} MiB of memory for the one workbook, {whole.memory:.0f} MiB for the many. "
            f"{os.getloadavg()[1]:.0f} processes waited for {os.cpu_count()} processors meanwhile. The issue's aim "
            "(under 1.5, then under 2 % and 5 %) is not reached where a figure is above it. The least is what no way of "
            "cleaning is spared: Python and its libraries, the confined reader, and tables written with the birthplace of "
            "every value.",
            _write.table(
                ["files", "clean / bare read, processor", "by the clock", "the least, processor", "by the clock"],
                rows,
            ),
            f"The {SCHOOLS:,} workbooks a second time, as a share of the first run:",
            _write.table(["run", "share of the first, processor", "by the clock"], shares),
        ],
    )


if __name__ == "__main__":
    main()

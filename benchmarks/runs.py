"""Many reports against what people do without planlib: a shell loop, a pool of processes, nbclient.

Usage: python benchmarks/runs.py [FEW [COUNT ...]]   (4, 8 and 40 without)

Every way makes the same kinds of reports from the same clean tables, with the same export, the page. The ways without
planlib make the first FEW of them; what they need for each does not fall with their number, so all is told per report.
"""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import _write

from planlib import params, paths, store
from planlib.run.batch import run_batch
from planlib.run.execute import ENVIRONMENT
from planlib.run.report import make_tables_fresh
from planlib.run.request import Request

JOBS = 2
CONVERT = ["nbconvert", "--to", "html", "--no-input", "--log-level", "ERROR"]


KINDS = (("midterm", 2023, "zh"), ("annual", 2022, "en"), ("midterm", 2024, "en"), ("endterm", 2025, "zh"))


def chosen(count: int) -> list[tuple[str, dict]]:
    """Names and parameters of `count` reports; the districts are copies of one, so that none is like another."""
    kinds = zip(range(count), itertools.cycle(KINDS), strict=False)
    return [
        (name, {"district": f"d{i // len(KINDS)}", "year": year, "language": language})
        for i, (name, year, language) in kinds
    ]


def source(name: str) -> str:
    return str(paths.notebooks() / f"{params.NOTEBOOKS[name].file}.ipynb")


def shell_loop(runs: list[tuple[str, dict]], folder: Path) -> None:
    """``papermill`` and ``jupyter nbconvert``, one report after another."""
    for i, (name, values) in enumerate(runs):
        target = str(folder / f"{i}.ipynb")
        words = list(itertools.chain(*(["-p", key, str(value)] for key, value in values.items())))
        run = [
            sys.executable,
            "-m",
            "papermill",
            source(name),
            target,
            *words,
            "-k",
            "python3",
            "--no-progress-bar",
        ]
        subprocess.run(run, check=True, capture_output=True)
        subprocess.run([sys.executable, "-m", "jupyter", *CONVERT, target], check=True, capture_output=True)


def one_papermill(run: tuple[str, dict], target: str) -> None:
    """papermill and nbconvert through their own functions, in a process of a pool."""
    import papermill
    from nbconvert import HTMLExporter

    notebook = papermill.execute_notebook(
        source(run[0]), target, run[1], kernel_name="python3", progress_bar=False
    )
    Path(target).with_suffix(".html").write_text(HTMLExporter(exclude_input=True).from_notebook_node(notebook)[0])


def one_nbclient(run: tuple[str, dict], target: str) -> None:
    """Bare nbclient: the parameters put into the cell by hand."""
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    notebook = nbformat.read(source(run[0]), as_version=4)
    cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    cell.source += "\n" + "\n".join(f"{key} = {value!r}" for key, value in run[1].items())
    NotebookClient(notebook, kernel_name="python3").execute()
    nbformat.write(notebook, target)
    Path(target).with_suffix(".html").write_text(HTMLExporter(exclude_input=True).from_notebook_node(notebook)[0])


def pool(runs: list[tuple[str, dict]], folder: Path, one) -> None:
    with ProcessPoolExecutor(JOBS) as workers:
        list(workers.map(one, runs, [str(folder / f"{i}.ipynb") for i in range(len(runs))]))


def command(runs: list[tuple[str, dict]]) -> None:
    """``planlib report``, one after another, each process new."""
    for name, values in runs:
        words = itertools.chain(*([f"--{key}", str(value)] for key, value in values.items()))
        run = [sys.executable, "-m", "planlib.cli", "report", name, *words, "--formats", "html", "--force"]
        subprocess.run(run, check=True, capture_output=True)


def batch(runs: list[tuple[str, dict]], cold: bool) -> list[dict]:
    """planlib's own, its preload counted."""
    requests = [Request(name, params.resolve(name, values), ("html",)) for name, values in runs]
    done = run_batch(Path("benchmark.yml"), requests, jobs=JOBS, cold=cold, force=True)
    assert done["counts"] == {"made": len(runs)}, done["counts"]
    return done["runs"]


def cell_seconds(runs: list[dict]) -> float:
    manifests = [store.read_json(paths.root() / run["folder"] / "run.json") for run in runs]
    return sum(cell["seconds"] for manifest in manifests for cell in manifest["cells"])


def timed(count: int, function, *arguments) -> tuple[float, float, object]:
    """Wall and processor seconds per report (of all processes), and what came of it."""
    begun, used = time.perf_counter(), _used()
    result = function(*arguments)
    return (time.perf_counter() - begun) / count, (_used() - used) / count, result


def _used() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def project(folder: Path, count: int) -> None:
    """A project with as many districts as it takes, all alike, cleaned once."""
    raw, clean = folder / "data" / "raw", folder / "data" / "processed"
    shutil.copytree(_write.FILE.parents[1] / "data" / "raw" / "shangcheng", raw / "d0")
    make_tables_fresh("d0")
    for i in range(1, (count - 1) // len(KINDS) + 1):
        shutil.copytree(raw / "d0", raw / f"d{i}")
        shutil.copytree(clean / "d0", clean / f"d{i}")


def measure(few: int, counts: list[int], folder: Path) -> None:
    """Time every way, the slow ones first; what is known so far is written after each."""
    rows, first = [], chosen(few)
    ways = {
        "shell loop of papermill and nbconvert": (few, shell_loop, first, folder),
        **{f"planlib batch, warm, {count}": (count, batch, chosen(count), False) for count in counts[:1]},
        "planlib report, one after another": (few, command, first),
        "papermill in a pool of processes": (few, pool, first, folder, one_papermill),
        "nbclient in a pool of processes": (few, pool, first, folder, one_nbclient),
        "planlib batch, cold": (few, batch, first, True),
        **{f"planlib batch, warm, {count}": (count, batch, chosen(count), False) for count in counts[1:]},
    }
    loop = None
    for name, (count, *work) in ways.items():
        wall, used, made = timed(count, *work)
        loop = loop or (wall, used)
        share = f"{wall * count * JOBS / cell_seconds(made):.2f}" if isinstance(made, list) else ""
        rows.append([name.rsplit(", ", 1)[0] if name[-1].isdigit() else name, str(count)])
        rows[-1] += [f"{loop[0] / wall:.1f}", f"{loop[1] / used:.1f}", share]
        print(*rows[-1], f"{wall:.1f} s, {used:.1f} s of processor, load {os.getloadavg()[0]:.1f}", flush=True)
        write(rows)


def write(rows: list[list[str]]) -> None:
    """Write the section of docs/benchmarks.md."""
    busy = os.getloadavg()[0] > JOBS + 1
    shared = " Other work ran on the machine meanwhile: processor time is the steadier of the two." if busy else ""
    _write.write(
        "runs",
        "Many reports",
        [
            "`python benchmarks/runs.py`: mid-term, end-term and annual reports with their pages, two at a time "
            f"except where one follows another. {_write.machine()}{shared}",
            "Speed per report over the shell loop's, by the clock and by processor time of all processes (more is "
            "better), the preload of the warm process counted; wall time × 2 over the sum of the notebooks' own cell "
            "seconds (1 would be nothing but cells). The ways without planlib made the number of reports in their "
            "row; for more of them their cost per report is the same. Kinds come round in fours (a mid-term, an "
            "annual, a mid-term, an end-term report), so a row of two holds the lighter mix.",
            _write.table(["way", "reports", "speed", "by processor time", "time / cells"], rows),
        ],
    )


def main(few: int, counts: list[int]) -> None:
    os.environ.update(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "data" / "raw").mkdir(parents=True)
        os.environ["PLANLIB_ROOT"] = str(root)
        project(root, max(few, *counts))
        measure(few, counts, root)


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]] or [4]
    main(words[0], words[1:] or [8, 40])

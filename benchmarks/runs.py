"""Many reports against what people do without planlib: a shell loop, a pool of processes, nbclient.

Usage: python benchmarks/runs.py [COUNT ...]   (8 and 40 without)

Every way makes the same mid-term reports (both languages, every year it may be written in, again and again) from the
same clean tables, with the same exports: page and Excel annex. The shell loop's page is nbconvert's and its annex is
left out, which favours it.
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


def chosen(count: int) -> list[dict]:
    """Parameters of `count` reports; the districts are copies of one, so that none is like another."""
    years = itertools.product(("zh", "en"), (2022, 2023, 2024))
    return [
        {"district": f"d{i // 6}", "year": year, "language": language}
        for i, (language, year) in zip(range(count), itertools.cycle(years), strict=False)
    ]


def source() -> str:
    return str(paths.notebooks() / "midterm_evaluation.ipynb")


def shell_loop(runs: list[dict], folder: Path) -> None:
    """``papermill`` and ``jupyter nbconvert``, one report after another."""
    for i, values in enumerate(runs):
        target = str(folder / f"{i}.ipynb")
        words = list(itertools.chain(*(["-p", key, str(value)] for key, value in values.items())))
        run = [sys.executable, "-m", "papermill", source(), target, *words, "-k", "python3", "--no-progress-bar"]
        subprocess.run(run, check=True, capture_output=True)
        subprocess.run([sys.executable, "-m", "jupyter", *CONVERT, target], check=True, capture_output=True)


def one_papermill(values: dict, target: str) -> None:
    """papermill and nbconvert through their own functions, in a process of a pool."""
    import papermill
    from nbconvert import HTMLExporter

    notebook = papermill.execute_notebook(source(), target, values, kernel_name="python3", progress_bar=False)
    Path(target).with_suffix(".html").write_text(HTMLExporter(exclude_input=True).from_notebook_node(notebook)[0])


def one_nbclient(values: dict, target: str) -> None:
    """Bare nbclient: the parameters put into the cell by hand."""
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    notebook = nbformat.read(source(), as_version=4)
    cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    cell.source += "\n" + "\n".join(f"{key} = {value!r}" for key, value in values.items())
    NotebookClient(notebook, kernel_name="python3").execute()
    nbformat.write(notebook, target)
    Path(target).with_suffix(".html").write_text(HTMLExporter(exclude_input=True).from_notebook_node(notebook)[0])


def pool(runs: list[dict], folder: Path, one) -> None:
    with ProcessPoolExecutor(JOBS) as workers:
        list(workers.map(one, runs, [str(folder / f"{i}.ipynb") for i in range(len(runs))]))


def batch(runs: list[dict], cold: bool) -> list[dict]:
    """planlib's own, its preload counted."""
    requests = [Request("midterm", params.resolve("midterm", values), ("html", "xlsx")) for values in runs]
    done = run_batch(Path("benchmark.yml"), requests, jobs=JOBS, cold=cold, force=True)
    assert done["counts"] == {"made": len(runs)}, done["counts"]
    return done["runs"]


def seconds(function, *arguments) -> tuple[float, object]:
    begun = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - begun, result


def cell_seconds(runs: list[dict]) -> float:
    manifests = [store.read_json(paths.root() / run["folder"] / "run.json") for run in runs]
    return sum(cell["seconds"] for manifest in manifests for cell in manifest["cells"])


def measure(count: int, folder: Path) -> list[list[str]]:
    """Return a row for every way to make `count` reports; times over the shell loop's."""
    runs = chosen(count)
    warm, made = seconds(batch, runs, False)
    cells = cell_seconds(made)
    times = {"planlib batch, warm": warm, "planlib batch, cold": seconds(batch, runs, True)[0]}
    for name, one in (("papermill in a pool of processes", one_papermill), ("nbclient in a pool", one_nbclient)):
        times[name] = seconds(pool, runs, folder, one)[0]
    times["shell loop of papermill and nbconvert"] = loop = seconds(shell_loop, runs, folder)[0]
    return [
        [
            name,
            str(count),
            f"{loop / time_:.1f}",
            f"{time_ * JOBS / cells:.2f}" if name.startswith("planlib") else "",
        ]
        for name, time_ in times.items()
    ]


def project(folder: Path, count: int) -> None:
    """A project with as many districts as it takes, cleaned."""
    for i in range((count - 1) // 6 + 1):
        shutil.copytree(_write.FILE.parents[1] / "data" / "raw" / "shangcheng", folder / "data" / "raw" / f"d{i}")
        make_tables_fresh(f"d{i}")


def main(counts: list[int]) -> None:
    os.environ.update(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "data" / "raw").mkdir(parents=True)
        os.environ["PLANLIB_ROOT"] = str(root)
        project(root, max(counts))
        rows = [row for count in counts for row in measure(count, root)]
    busy = os.getloadavg()[0] > JOBS + 1
    _write.write(
        "runs",
        "Many reports",
        [
            f"Mid-term reports, two at a time except the shell loop. {_write.machine()}"
            + (" Other work ran on the machine meanwhile." if busy else ""),
            "Speed over the shell loop (more is better), the preload of the warm process counted; wall time × 2 over "
            "the sum of the notebooks' own cell seconds in the warm run (1 would be nothing but cells):",
            _write.table(["way", "reports", "speed / shell loop", "time / cells"], rows),
        ],
    )


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [8, 40])

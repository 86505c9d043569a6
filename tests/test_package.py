"""The wheel carries what planlib needs to work away from its checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from planlib import params

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The built wheel, unpacked, and a root with a district but no notebooks of its own."""
    source = tmp_path_factory.mktemp("source")
    for name in ("src", "notebooks", "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        place = ROOT / name
        skip = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(place, source / name, ignore=skip) if place.is_dir() else shutil.copy(place, source)
    build = "from hatchling.build import build_wheel; print(build_wheel('.'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(source / done.stdout.strip().splitlines()[-1]) as wheel:
        wheel.extractall(folder / "site")
    shutil.copytree(ROOT / "data" / "raw", folder / "root" / "data" / "raw")
    return folder


def run(installed, *words):
    environment = {**os.environ, "PYTHONPATH": str(installed / "site"), "PLANLIB_ROOT": str(installed / "root")}
    code = (
        "import sys, planlib; from planlib.cli import main; print(planlib.__file__); sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env=environment,
        cwd=installed,
        check=False,
    )


def test_the_wheel_has_definitions_notebooks_pages_and_types(installed):
    package = installed / "site" / "planlib"
    for name in (
        "definitions/labels.yml",
        "definitions/forms/collection.yml",
        "definitions/templates/plan.yml.txt",
        "definitions/templates/README.md.txt",
        "run/page.html",
        "run/page.css",
        "run/document/report.typ",
        "run/document/pandoc.lua",
        "run/document/reference-zh.docx",
        "definitions/document.yml",
        "py.typed",
    ):
        assert (package / name).is_file(), name
    assert {p.stem for p in (package / "notebooks").glob("*.ipynb")} == {n.file for n in params.NOTEBOOKS.values()}
    licences = list((installed / "site").glob("planlib-*.dist-info/licenses/*"))
    assert {p.name for p in licences} >= {"LICENSE", "NOTICE"}


def test_it_works_away_from_the_checkout(installed):
    done = run(installed, "check", "shangcheng")
    assert done.returncode == 0, done.stderr
    assert str(installed / "site") in done.stdout
    assert "indicators 20, series 24" in done.stdout
    done = run(installed, "clean", "shangcheng")
    assert done.returncode == 0, done.stderr
    assert (installed / "root" / "data" / "processed" / "shangcheng" / "schools.parquet").is_file()

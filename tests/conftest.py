"""What many tests share: the real data folder, and a copy of the shipped district to spoil."""

import os
import re
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from planlib import paths

# The same examples in every run, so that a change is judged and not the dice; make test-full throws them anew.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("full", deadline=None)
settings.load_profile("full" if os.environ.get("PLANLIB_FULL") else "same")

# Under nohup or as a shell's background job Ctrl-C is ignored, by every child too: the tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data, or a skip where there is none."""
    folder = os.environ.get("PLANLIB_REAL_DATA")
    if not folder:
        pytest.skip("PLANLIB_REAL_DATA is not set")
    assert Path(folder).is_dir(), f"PLANLIB_REAL_DATA is {folder}, which is no folder"
    return Path(folder)


def pytest_collection_modifyitems(items):
    for item in items:
        if "real_data" in getattr(item, "fixturenames", ()):
            item.add_marker("real")


class _RealRuns:
    passed = 0


def pytest_runtest_logreport(report):
    if report.when == "call" and report.passed and "real" in report.keywords:
        _RealRuns.passed += 1


def pytest_sessionfinish(session):
    """Where real data are named, a whole run without a test on them is a failure, not a silence."""
    is_whole = os.environ.get("PLANLIB_WHOLE_RUN") and not hasattr(session.config, "workerinput")
    if is_whole and os.environ.get("PLANLIB_REAL_DATA") and not _RealRuns.passed:
        print("PLANLIB_REAL_DATA is set, but no test on real data ran.")
        session.exitstatus = 1


def _copy_data(root: Path) -> None:
    """Copy the shipped data to be spoiled: its digests are left out, line by line, for they would tell of every change."""
    shutil.copytree(ROOT / "data" / "raw", root / "data" / "raw")
    sources = root / "data" / "raw" / "shangcheng" / "sources.yml"
    text = re.sub(r"sha256: [0-9a-f]{64}", "# no digest", sources.read_text(encoding="utf-8"))
    sources.write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def _cleaned(tmp_path_factory) -> Path:
    """The shipped district, cleaned once for all tests that need it so."""
    from planlib.clean import clean_district

    root = tmp_path_factory.mktemp("cleaned")
    _copy_data(root)
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    shutil.copy(ROOT / "requirements.lock", root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANLIB_ROOT", str(root))
        clean_district("shangcheng")
    return root


@pytest.fixture
def cleaned_project(_cleaned, tmp_path, monkeypatch) -> Path:
    """A copy of it under PLANLIB_ROOT: spoil one workbook and only that one is read again."""
    root = tmp_path / "root"
    shutil.copytree(_cleaned, root, symlinks=True)
    monkeypatch.setenv("PLANLIB_ROOT", str(root))
    return root


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of the project's data and notebooks under PLANLIB_ROOT, free to be spoiled."""
    _copy_data(tmp_path)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    assert paths.root() == tmp_path
    return tmp_path

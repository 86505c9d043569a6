"""What many tests share: the real data folder, and a copy of the shipped district to spoil."""

import os
import shutil
from pathlib import Path

import pytest

from planlib import paths

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data, or a skip where there is none."""
    folder = os.environ.get("PLANLIB_REAL_DATA")
    if not folder:
        pytest.skip("PLANLIB_REAL_DATA is not set")
    assert Path(folder).is_dir(), f"PLANLIB_REAL_DATA is {folder}, which is no folder"
    return Path(folder)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of the project's data and notebooks under PLANLIB_ROOT, free to be spoiled."""
    shutil.copytree(ROOT / "data" / "raw", tmp_path / "data" / "raw")
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    assert paths.root() == tmp_path
    return tmp_path

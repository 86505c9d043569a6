"""Every bad file of tests/bad_files gets the message that messages.yml states: what, where, what to do."""

import shutil
from pathlib import Path

import pytest
import yaml
from returns_builder import district

from planlib import cli, paths

HERE = Path(__file__).resolve().parent / "bad_files"
SHIPPED = HERE.parents[1] / "data" / "raw" / "shangcheng"
NAME = "testdistrict"
CASES = yaml.safe_load((HERE / "messages.yml").read_text(encoding="utf-8"))
FILES = sorted(p.relative_to(HERE).as_posix() for p in HERE.rglob("*.*") if p.parent != HERE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A district without a fault, cleaned; each test puts one file and takes it away again."""
    root = tmp_path_factory.mktemp("bad")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANLIB_ROOT", str(root))
        place = district(root, NAME)
        shutil.copy(SHIPPED / "plan.yml", place)
        assert cli.main(["clean", NAME]) == 0
        yield place


def where(file):
    """Return where a file of this folder stands in a district, and the command that reads it."""
    kind, name = file.split("/")
    if kind == "returns":
        return "returns/2020学年_小学.xlsx" if name.endswith(".xlsx") else f"returns/{name}", "clean"
    if name.endswith(".csv"):
        return f"{kind}.csv", "clean"
    return f"{kind}.yml", "clean" if kind == "corrections" or name in ("leads_out.yml", "missing.yml") else "check"


def answer(folder, file, capsys):
    """Put the file in the district, run the command, take the file away; return the exit code and what was said."""
    target, command = where(file)
    before = (folder / target).read_bytes() if (folder / target).exists() else None
    shutil.copy(HERE / file, folder / target)
    if target == "sources.yml":  # it says what comes with the data: looked at when data come
        (folder / "births.csv").write_text("area,year,births\n东片,2020,7\n", encoding="utf-8")
    try:
        code = cli.main([command, NAME, *(["--language", "en"] if command == "clean" else [])])
    finally:
        (folder / target).unlink()
        if before is not None:
            (folder / target).write_bytes(before)
        (folder / "births.csv").write_text("area,year,births\n", encoding="utf-8")
    said = capsys.readouterr()
    return code, said.err.replace(str(paths.root()), "{root}")


def test_there_are_enough_files_and_each_has_its_message():
    assert len(FILES) >= 60
    assert sorted(CASES) == FILES
    assert max((HERE / file).stat().st_size for file in FILES) < 20_000


@pytest.mark.parametrize("file", FILES)
def test_a_bad_file_gets_its_message(folder, capsys, file):
    tables = paths.processed(NAME).resolve()
    code, said = answer(folder, file, capsys)
    assert code == CASES[file]["exit"]
    assert "Traceback" not in said
    assert "To do: " in said
    for words in CASES[file]["says"]:
        assert words in said
    assert paths.processed(NAME).resolve() == tables

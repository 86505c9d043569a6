"""Cleaning again after any change gives the same bytes as cleaning everything from nothing."""

import json
import os
import random
import shutil

import pytest
from returns_builder import columns_of, district, grid, school, simple_workbook, workbook
from school_builder import school as national
from school_builder import school_book

from planlib import cli, freshness, paths, schema, store
from planlib.clean import FaultyData, cache, clean_district
from planlib.registry import phrase

NAME = "testdistrict"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    return district(tmp_path, NAME)


def written(folder, rng):
    """Write a workbook of some schools that other workbooks name too, at times with a fault."""
    year, number = rng.choice([2020, 2021]), rng.randrange(5)
    own = [f"S1{number}{n}" for n in range(3)]
    codes = rng.sample(["S0002", "S0003", *own, *own, *own], rng.choice([1, 1, 2, 3]))
    codes = list(dict.fromkeys(codes))
    names = {code: rng.choice(["东校", "西校", f"{code}小学"]) for code in codes}
    books = [rng.choice([100, 100, 100, 100, rng.randrange(999)]) for _ in codes]
    rows = [school(code, school_name=names[code], books=n) for code, n in zip(codes, books, strict=True)]
    more = {"total": {"school_id": "合计"}} if rng.random() < 0.2 else {}
    if rng.random() < 0.05:
        more = {"headers": {"books": rng.choice(["图书册数", "不明列"])}}
    content = simple_workbook(rows, title=f"{year}/{year + 1}学年初", **more)
    if rng.random() < 0.05:
        content = content[: len(content) // 2]
    (folder / "returns" / f"{number}.xlsx").write_bytes(content)


def years_written(folder, rng):
    """Write a workbook with a sheet for each of some years, at times with one that says none."""
    number, columns = rng.randrange(5), columns_of("primary")
    sheets = {}
    for year in rng.choice([[2020, 2021], [2021, 2022], [2020, 2021, 2022]]):
        codes = rng.sample(["S0001", "S0002", "S0003", f"S2{number}0", f"S2{number}1"], 2)
        rows = [school(code, books=rng.choice([100, 100, 10])) for code in codes]
        said = "" if rng.random() < 0.05 else f"{year}/{year + 1}学年初"
        sheets[f"表{year % 10}"] = grid(rows, columns, title=f"测试区{said}一览表")
    (folder / "returns" / f"{number}.xlsx").write_bytes(workbook(sheets))


def removed(folder, rng):
    files = sorted((folder / "returns").iterdir())
    if len(files) > 1:
        rng.choice(files).unlink()


def renamed(folder, rng):
    rng.choice(sorted((folder / "returns").iterdir())).rename(folder / "returns" / f"{rng.randrange(5, 9)}.xlsx")


def corrected(folder, rng):
    """Write down corrections, of a file or of a school, or take them all back."""
    base = {"what": "test", "reason": "typed wrongly", "who": "A"}
    file, code = f"returns/{rng.randrange(5)}.xlsx", rng.choice(["S0001", "S0002", "S0003", "S111"])
    known = [
        {"where": {"file": file, "sheet": "基本情况", "cell": "B5"}, "action": "flag"},
        {"where": {"file": file, "sheet": "基本情况", "cell": "A5"}, "action": "override", "value": code}
        | {"expect": rng.choice(["S0002", "S110", "S111"])},
        {"where": {"school_id": code, "year": 2020}, "action": "drop", "expect": code},
        {"where": {"school_id": code, "year": 2020, "column": "school_id"}, "action": "override"}
        | {"value": rng.choice(["S0009", "S110"]), "expect": code},
        {
            "where": {"school_id": code, "year": 2021, "column": "books"},
            "action": "scale",
            "value": 2,
            "expect": 100,
        },
    ]
    content = {
        "schema_version": 1,
        "corrections": [base | one for one in rng.sample(known, rng.choice([0, 0, 1, 1, 2]))],
    }
    if rng.random() < 0.3:
        content["not_collected"] = [{"columns": ["books"], "reason": "none", "who": "A"}]
    (folder / "corrections.yml").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def uncorrected(folder, _rng):
    (folder / "corrections.yml").unlink(missing_ok=True)


def registered(folder, rng):
    named = ["births.csv", "returns/0.xlsx" if rng.random() < 0.2 else "finance.csv"]
    text = json.dumps([{"file": name, "synthetic": True} for name in named])
    (folder / "sources.yml").write_text(text, encoding="utf-8")


EDITS = (
    written,
    written,
    years_written,
    years_written,
    removed,
    renamed,
    corrected,
    uncorrected,
    uncorrected,
    registered,
)


def outcome():
    """Clean, and return every file of the set, or what was said."""
    try:
        result = clean_district(NAME)
    except FaultyData as error:
        return str(error), None
    return {path.name: path.read_bytes() for path in sorted(result.path.iterdir())}, result.counts[
        "workbooks_read"
    ]


def held_together(folder, rng, steps):
    """Edit, clean again, and compare with cleaning from nothing; return how often less was read."""
    spared = 0
    kept = paths.processed(NAME).parent
    for _ in range(steps):
        for edit in rng.sample(EDITS, rng.choice([1, 2])):
            edit(folder, rng)
        again, read = outcome()
        shutil.move(kept, kept.with_name("kept"))
        whole, read_of_whole = outcome()

        assert again == whole
        shutil.rmtree(kept)
        shutil.move(kept.with_name("kept"), kept)
        spared += read is not None and read < read_of_whole
    return spared


def test_cleaning_again_after_any_change_gives_the_bytes_of_a_first_run(folder):
    assert held_together(folder, random.Random(5), 9) > 1


def test_a_workbook_of_several_years_touches_whoever_names_its_schools_in_one_of_them(folder):
    def one(year, code="S0002", books=7):
        return grid([school(code, books=books)], columns_of("primary"), title=f"{year}/{year + 1}学年初")

    for year in (2021, 2023):
        (folder / "returns" / f"{year}.xlsx").write_bytes(workbook({"一": one(year)}))
    edits = [
        ({"甲": one(2020, books=1), "乙": one(2021)}, 2),
        ({"甲": one(2020, books=2), "乙": one(2021)}, 2),
        ({"乙": one(2021), "丙": one(2022)}, 2),
        ({"丙": one(2022), "丁": one(2023)}, 3),  # 2021.xlsx is alone now
        ({"丙": one(2022, "S0003"), "丁": one(2024, "S0003")}, 2),
    ]
    clean_district(NAME)
    kept = paths.processed(NAME).parent
    for sheets, wanted in edits:
        (folder / "returns" / "years.xlsx").write_bytes(workbook(sheets))
        again, read = outcome()
        shutil.move(kept, kept.with_name("kept"))
        whole, _ = outcome()
        assert again == whole
        assert read == wanted
        shutil.rmtree(kept)
        shutil.move(kept.with_name("kept"), kept)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(12))
def test_cleaning_again_after_hundreds_of_changes_gives_the_bytes_of_a_first_run(folder, seed):
    assert held_together(folder, random.Random(seed), 40) > 0  # dice decide how many steps are refused


def test_a_school_whose_code_was_corrected_stands_once_however_often_is_cleaned(folder):
    entry = {"where": {"school_id": "S0001", "year": 2020, "column": "school_id"}, "action": "override"}
    entry |= {"what": "t", "value": "S0009", "expect": "S0001", "reason": "typed wrongly", "who": "A"}
    (folder / "corrections.yml").write_text(json.dumps({"schema_version": 1, "corrections": [entry]}))
    for books in (1, 2, 3):
        content = simple_workbook([school("S0002", books=books)])
        (folder / "returns" / "other.xlsx").write_bytes(content)
        made = schema.read_table(clean_district(NAME).path / "schools.parquet", "schools")
        assert made["school_id"].tolist() == ["S0002", "S0009"]


def test_a_table_without_rows_has_the_same_bytes_when_it_comes_from_the_cache(folder):
    first, _ = outcome()
    (folder / "returns" / "book.xlsx").write_bytes(school_book(national(), 2020, True))
    for _ in range(3):
        again, _ = outcome()
        (folder / "returns" / "book.xlsx").unlink(missing_ok=True)
    assert again == first


def test_one_bad_file_among_good_ones_leaves_those_cleaned(folder):
    for number in range(3):
        rows = [school(f"S1{number:03d}")]
        (folder / "returns" / f"{number}.xlsx").write_bytes(simple_workbook(rows, title="2021/2022学年初"))
    bad = folder / "returns" / "bad.xlsx"
    bad.write_bytes(b"PK\x03\x04broken")
    with pytest.raises(FaultyData):
        clean_district(NAME)
    bad.unlink()
    assert clean_district(NAME).counts["workbooks_read"] == 0


def test_other_definitions_or_settings_keep_nothing(folder, monkeypatch):
    clean_district(NAME)
    assert cache.key("code", 1) != cache.key("code", 2) != cache.key("other", 2)
    monkeypatch.setattr("planlib.clean.pipeline.cache.key", lambda *_: "another")
    assert clean_district(NAME).counts["workbooks_read"] == 1


def test_a_table_with_a_header_alone_is_no_fault_of_reading(folder):
    (folder / "returns" / "1.xlsx").write_bytes(simple_workbook([], title="2020/2021学年初"))
    clean_district(NAME)
    made = schema.read_table(paths.processed(NAME) / "schools.parquet", "schools")
    assert len(made) == 1
    assert len(made.columns) > len(columns_of("primary"))


def test_a_file_newly_registered_in_sources_is_missed_at_once(folder, capsys):
    assert cli.main(["clean", NAME]) == 0
    assert cli.main(["clean", NAME]) == 0
    assert "unchanged" in capsys.readouterr().out
    (folder / "sources.yml").write_text("- {file: returns/2030.xlsx, synthetic: false}\n", encoding="utf-8")
    assert cli.main(["clean", NAME]) == 1
    assert "returns/2030.xlsx" in capsys.readouterr().err


def test_a_file_that_is_not_the_registered_one_is_read_and_told(folder):
    found = store.sha256(folder / "births.csv")
    register = (
        "- {{file: births.csv, sha256: '{}'}}\n- {{file: finance.csv, sha256: ''}}\n- {{file: projects.csv}}\n"
    )
    for digest, is_told in ((found.upper(), False), ("0" * 64, True), (found, False)):
        (folder / "sources.yml").write_text(register.format(digest), encoding="utf-8")
        assert not freshness.tables_are_fresh(NAME)
        issues = clean_district(NAME).issues
        rows = issues.loc[issues["issue_kind"] == "digest", ["level", "file", "found", "expected", "done"]]
        said = "SHA-256 00000000…, as sources.yml says; if the change is meant, write the new one there"
        wanted = ["warning", "births.csv", f"SHA-256 {found:.8}…", said, "read as it is now"]
        assert rows.to_numpy().tolist() == ([wanted] if is_told else [])
        assert "如改动属实，请写入新的校验值" in phrase(said, "zh")


def test_the_shipped_files_are_the_registered_ones():
    made_from = freshness.tables_inputs("shangcheng")
    assert sum(len(digest) == 64 for _, digest in made_from["sources"]) > 50
    assert freshness.changed_since_registered(made_from["inputs"], made_from["sources"]) == []


def test_a_change_is_seen_though_size_and_time_are_as_before(folder):
    path = folder / "births.csv"
    path.write_text("area,year,births\n全区,2020,100\n", encoding="utf-8")
    os.utime(path, (1, 1))
    clean_district(NAME)
    path.write_text("area,year,births\n全区,2020,200\n", encoding="utf-8")
    os.utime(path, (1, 1))
    assert not freshness.tables_are_fresh(NAME)

"""Workbooks and files from strangers: nothing is evaluated, followed or filled up, whatever they hold."""

import io
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from returns_builder import columns_of, district, grid, school, simple_workbook, workbook

from planlib import cli, paths, schema
from planlib.clean import FaultyData, clean_district
from planlib.clean.files import confined
from planlib.errors import DataError, RegistryError

NAME = "testdistrict"
BOOK = "returns/2020学年_小学.xlsx"
SHIPPED = Path(__file__).resolve().parent.parent / "data" / "raw" / "shangcheng"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANLIB_ROOT", str(tmp_path))
    return district(tmp_path)


def refusal():
    with pytest.raises(FaultyData) as refused:
        clean_district(NAME)
    return str(refused.value)


# ---- what a workbook declares, and what it would take


def with_parts(content=None, **changed):
    """Return a workbook with parts replaced or added; a part may be made from the old one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content or simple_workbook([school()]))) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    for name, part in changed.items():
        parts[name] = part(parts[name]) if callable(part) else part
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name, part in parts.items():
            new.writestr(name, part)
    return buffer.getvalue()


SHEET, TEXTS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


def more_rows(xml):
    """Return a function that adds rows after those of a sheet."""
    return lambda part: part.replace(b"</sheetData>", xml.encode() + b"</sheetData>")


def empty_rows(count, columns="AB"):
    cells = "".join(f'<c r="{letter}%d" s="1"/>' for letter in columns)
    return "".join(f'<row r="{i}">{cells % ((i,) * len(columns))}</row>' for i in range(100, 100 + count))


def far(cell):
    row = re.sub(r"\D", "", cell)
    return {SHEET: more_rows(f'<row r="{row}"><c r="{cell}"><v>1</v></c></row>')}


def with_entity(definition):
    return {
        SHEET: lambda part: part.replace(
            b"<worksheet", f"<!DOCTYPE a [{definition}]><worksheet".encode(), 1
        ).replace(b"</sheetData>", b'<row r="9"><c r="A9" t="inlineStr"><is><t>&e;</t></is></c></row></sheetData>')
    }


LAUGHS = '<!ENTITY a "lol">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in itertools.pairwise("abcdefghij")
)
REFUSED = {
    "one cell in the last corner": (
        far("XFD1048576"),
        "sheet 基本情况 reaches to cell XFD1048576|breaks the reader",
    ),
    "a cell at the edge of what could be": (far("ZZ900000"), "press Ctrl\\+End"),
    "a row that no sheet has": (far("A4294967295"), "press Ctrl\\+End|breaks the reader"),
    "a column that no sheet has": (far("ZZZZZZ9"), "press Ctrl\\+End|breaks the reader"),
    "a table said to hold four thousand million texts": (
        {TEXTS: lambda part: re.sub(rb'ount="\d+"', b'ount="4294967295"', part)},
        "breaks the reader",
    ),
    "merged cells over each other, thousands of times": (
        {
            SHEET: lambda part: part.replace(b"<mergeCells", b"<mergeCells" + b' a="" ', 1).replace(
                b"</mergeCells>", b'<mergeCell ref="A1:XFD1048576"/>' * 100_000 + b"</mergeCells>"
            )
        },
        "sheet 基本情况 has merged cells on top of each other",
    ),
    "entities that grow": (with_entity(LAUGHS.replace("<!ENTITY j", "<!ENTITY e")), "not a readable workbook"),
    "an entity from a file": (with_entity('<!ENTITY e SYSTEM "file:///etc/passwd">'), "not a readable workbook"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_workbook_that_would_fill_the_memory_is_refused_by_name(folder, case):
    parts, said = REFUSED[case]
    (folder / BOOK).write_bytes(with_parts(**parts))
    text = refusal()
    assert text.startswith(f"The raw files of {NAME} have 1 fault")
    assert re.search(rf"{BOOK}: found .*({said})", text), text
    assert "root:" not in text


def test_a_zip_bomb_is_refused_before_it_is_unpacked(folder):
    content = with_parts(**{TEXTS: b"<sst/>" + bytes(1000)})
    stated = (600 << 20).to_bytes(4, "little")
    (folder / BOOK).write_bytes(content.replace((1006).to_bytes(4, "little"), stated))
    assert f"{BOOK}: found a file that unpacks to more than 512 MiB" in refusal()


@pytest.mark.full
@pytest.mark.parametrize("size", [300 << 20, 1200 << 20])
def test_a_zip_bomb_that_lies_about_its_size_is_refused(folder, size):
    content = with_parts(**{TEXTS: b"<sst><si><t>" + bytes(size)})
    # the size of the part, as the archive's directory and the part's own head state it, becomes 100 bytes
    content = content.replace((12 + size).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    (folder / BOOK).write_bytes(content)
    assert BOOK in refusal()


def test_empty_formatted_cells_take_no_memory_and_change_nothing(folder):
    plain = clean_district(NAME).counts
    wide = f'<row r="99"><c r="XFD99" s="1"/></row>{empty_rows(50_000)}'
    content = with_parts(**{SHEET: more_rows(wide)})
    content = with_parts(content, **{SHEET: lambda part: re.sub(rb'ref="A1:\w+"', b'ref="A1:XFD1048576"', part)})
    (folder / BOOK).write_bytes(content)
    assert {**clean_district(NAME).counts} == plain


def test_a_text_of_many_megabytes_is_a_fault_of_one_cell(folder):
    (folder / BOOK).write_bytes(
        with_parts(**{TEXTS: lambda part: part.replace(b"S0001<", b"S" * (1 << 20) + b"<", 1)})
    )
    assert clean_district(NAME).counts["rows_schools"] == 1


def test_a_workbook_within_a_workbook_is_not_opened(folder):
    inner = simple_workbook([school("S0009")])
    (folder / BOOK).write_bytes(with_parts(**{"xl/embeddings/book.xlsx": inner, "xl/media/a.zip": inner}))
    clean_district(NAME)
    table = schema.read_table(paths.processed(NAME) / "schools.parquet", "schools")
    assert table["school_id"].tolist() == ["S0001"]


def test_links_to_other_workbooks_are_not_followed(folder, tmp_path):
    target = (tmp_path / "secret.xlsx").as_uri()
    link = f'<externalLink xmlns="{MAIN}"><externalBook><sheetNames/></externalBook></externalLink>'
    rels = f'<Relationships><Relationship Id="rId1" TargetMode="External" Target="{target}"/></Relationships>'
    parts = {"xl/externalLinks/externalLink1.xml": link, "xl/externalLinks/_rels/externalLink1.xml.rels": rels}
    (folder / BOOK).write_bytes(with_parts(**parts))
    assert clean_district(NAME).issues.empty


PEAK = """
import os, re, resource, sys
from pathlib import Path
from planlib import cli
from planlib.clean.files import confined
cli.main(["clean", sys.argv[1]])
# what getrusage says of a process itself may be of the one that started it
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
print("numpy" in Path(f"/proc/{confined._reader(os.getpid()).pid}/maps").read_text())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_memory_stays_below_a_gibibyte_whatever_comes(folder):
    bombs = [
        with_parts(**{SHEET: more_rows(empty_rows(100_000))}),
        with_parts(**{TEXTS: bytes(200 << 20)}),
        with_parts(**far("ZZ900000")),
    ]
    for number, content in enumerate(bombs):
        (folder / f"returns/{number}.xlsx").write_bytes(content)
    done = subprocess.run([sys.executable, "-c", PEAK, NAME], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    own, reader, is_heavy = done.stdout.split()[-3:]
    assert int(own) << 10 < 1 << 30
    assert int(reader) << 10 < 1 << 30
    assert is_heavy == "False"  # the reader has the memory for the file alone


def test_the_reader_starts_again_after_each_end():
    good, bad = simple_workbook([school()]), with_parts(**far("ZZ900000"))
    for _ in range(2):
        with pytest.raises(DataError, match="Ctrl"):
            confined.read_workbook(bad)
        assert [sheet.name for sheet in confined.read_workbook(good)] == ["基本情况"]


def test_many_files_are_read_one_ahead_and_a_file_that_ends_the_reader_ends_no_other():
    good, bad = simple_workbook([school()]), with_parts(**far("ZZ900000"))
    asked = []

    def contents():
        for number, content in enumerate([good, bad, bad, good, b"", good]):
            asked.append(number)
            yield content

    found = []
    for answer in confined.read_ahead(contents()):
        found.append("refused" if isinstance(answer, DataError) else answer[0].name)
        assert asked[-1] == min(len(found), 5)
    assert found == ["基本情况", "refused", "refused", "基本情况", "refused", "基本情况"]
    assert list(confined.read_ahead([])) == []


# ---- formulas: none evaluated, none handed on

ARMED = ["=1+1", "+SUM(A1:A9)", "-2+3+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1+1", "\r=1+1", "＝1+1"]


def test_a_formula_is_the_value_the_file_stores(folder):
    formula = rb'<c r="\1"\2><f>6*7</f><v>\3</v></c>'
    part = {SHEET: lambda xml: re.sub(rb'<c r="([A-Z]+5)"( s="\d+")?><v>(\d+)</v></c>', formula, xml)}
    assert part[SHEET](with_sheet()).count(b"<f>") == 2
    plain = clean_district(NAME).counts
    before = schema.read_table(paths.processed(NAME) / "schools.parquet", "schools")
    (folder / BOOK).write_bytes(with_parts(**part))
    assert {**clean_district(NAME).counts} == plain
    pd.testing.assert_frame_equal(schema.read_table(paths.processed(NAME) / "schools.parquet", "schools"), before)


def with_sheet():
    with zipfile.ZipFile(io.BytesIO(simple_workbook([school()]))) as book:
        return book.read(SHEET)


@pytest.mark.parametrize("text", ARMED)
def test_no_csv_hands_a_formula_on(folder, text):
    rows, merged = grid([school(school_name=text)], columns_of("primary"))
    rows[0].append(text)
    (folder / BOOK).write_bytes(workbook({text.strip()[:20].replace("/", "").replace(":", ""): (rows, merged)}))
    rows[3].append(text)
    (folder / f"{text.strip()[:3]}.txt").write_text("x", encoding="utf-8")
    clean_district(NAME)
    written = [
        pd.read_csv(file, dtype="str", keep_default_na=False) for file in paths.processed(NAME).glob("*.csv")
    ]
    cells = [cell for table in written for column in table for cell in table[column]]
    assert [cell for cell in cells if cell.startswith("'")]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r＝＋－＠")]


# ---- paths: nothing leads out of the district's folder

OUTSIDE = ["../secret.xlsx", "/etc/passwd", "returns/../../x.csv", "C:\\x.csv", "..\\x.csv", "\\\\server\\x.csv"]


def test_paths_in_sources_that_lead_out_are_refused(folder):
    lines = "".join(f"- {{file: '{path}'}}\n" for path in OUTSIDE)
    (folder / "sources.yml").write_text(lines, encoding="utf-8")
    text = refusal()
    assert f"files that lead out of the district's folder ({len(OUTSIDE)}):" in text
    for path in OUTSIDE:
        assert f"sources.yml: found {path}; expected the name of a file in the district's folder" in text


def test_paths_in_corrections_that_lead_out_are_files_that_are_not_there(folder):
    entry = "- {{what: a, where: {{file: '{}', line: 2}}, action: flag, reason: b, who: c}}\n"
    entries = "".join(entry.format(path) for path in OUTSIDE)
    (folder / "corrections.yml").write_text(f"corrections:\n{entries}", encoding="utf-8")
    text = refusal()
    assert f"corrections that do not fit ({len(OUTSIDE)}):" in text
    assert all(path in text for path in OUTSIDE)


@pytest.mark.parametrize("command", ["clean", "check", "new"])
def test_a_district_is_a_plain_name(folder, capsys, command):
    for name in ("../testdistrict", "/etc", "a/b", "", ".", "..", "A", "x\0y", "C:\\x", "~", "a b"):
        assert cli.main([command, name]) == 2
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert repr(name) in said


def test_links_pipes_and_nothing_are_no_files(folder, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.xlsx").write_bytes(simple_workbook([school("S0009")]))
    (folder / "returns" / "more").symlink_to(tmp_path / "other")
    (folder / "returns" / "gone.xlsx").symlink_to(tmp_path / "nothing.xlsx")
    (folder / "returns" / "a.xlsx").symlink_to(tmp_path / "other" / "a.xlsx")
    os.mkfifo(folder / "returns" / "pipe.xlsx")
    text = refusal()
    assert "files that lead out of the district's folder (4):" in text
    assert f"returns/more: found a link to {tmp_path / 'other'}; expected the file itself" in text
    assert "returns/pipe.xlsx: found no file (a pipe or a device)" in text


def test_a_file_larger_than_any_return_is_refused_unread(folder):
    with (folder / "returns" / "big.xlsx").open("wb") as file:
        file.truncate((256 << 20) + 1)
    with (folder / "births.csv").open("wb") as file:
        file.truncate((256 << 20) + 1)
    start = time.process_time()
    text = refusal()
    assert time.process_time() - start < 10
    assert "returns/big.xlsx: found a larger file; expected at most 256 MiB; one file for each year" in text
    assert "births.csv: found a larger file" in text


# ---- YAML: data, nothing else

BAD_YAML = {
    "a tag that would run code": "a: !!python/object/apply:os.system ['touch pwned']\n",
    "aliases that grow": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
    + "".join(f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("bcdefgh", "cdefghi", strict=True)),
    "nested without end": "a: " + "[" * 20_000 + "]" * 20_000 + "\n",
    "nested without end, unclosed": "a: " + "[" * 20_000,
    "a key twice": "report: midterm\nreport: endterm\n",
    "a binary": "a: !!binary aGVsbG8=\n",
    "a date": "- report: midterm\n  year: 2023\n  deadline: 2024-01-01T00:00:00Z\n",
    "a control character": "a: \x07\n",
    "no text at all": "",
}


WRITTEN = ["plan.yml", "sources.yml", "corrections.yml", "explanations.yml", "responsibility.yml"]


@pytest.mark.parametrize("case", BAD_YAML)
def test_yaml_is_read_as_data_and_refused_in_words(folder, capsys, monkeypatch, case):
    monkeypatch.chdir(folder)
    shutil.copy(SHIPPED / "plan.yml", folder)
    for file in WRITTEN:
        before = (folder / file).read_bytes() if (folder / file).exists() else None
        (folder / file).write_text(BAD_YAML[case], encoding="utf-8")
        words = ["clean" if file == "corrections.yml" else "check", NAME]
        code, said = cli.main(words), capsys.readouterr().err
        assert code in (1, 2) or case == "no text at all", (file, said)
        assert "Traceback" not in said
        assert code == 0 or file in said, said
        assert cli.main(["report", "midterm", "--district", NAME, "--year", "2035"]) == 2
        (folder / file).unlink()
        if before is not None:
            (folder / file).write_bytes(before)
    assert not (folder / "pwned").exists()


def test_a_yaml_of_aliases_that_grow_is_not_unfolded_for_a_digest(folder):
    from planlib import freshness

    (folder / "explanations.yml").write_text(
        BAD_YAML["aliases that grow"].replace("a: &a", "- report: &a"), "utf-8"
    )
    start = time.process_time()
    assert freshness._written(folder, "midterm", 2023)["explanations"]
    assert time.process_time() - start < 5


def test_no_yaml_is_read_but_by_the_guarded_loader():
    """The files of the package itself (fields.yml and the stories of the sample) come from nobody else."""
    bare = re.compile(r"yaml\.(?:safe_)?load\b|safe_load")
    found = {p.name for p in paths.PACKAGE.rglob("*.py") if bare.search(p.read_text(encoding="utf-8"))}
    assert found == {"dictionary.py", "story.py"}


@pytest.mark.parametrize("case", BAD_YAML)
def test_what_is_read_before_a_report_is_guarded_too(folder, case):
    from planlib import freshness, params

    for file in ("plan.yml", "sources.yml", "explanations.yml"):
        (folder / file).write_text(BAD_YAML[case], encoding="utf-8")
    assert [entry["report"] for entry in freshness.sources(NAME)] == (["midterm"] if case == "a date" else [])
    with pytest.raises(RegistryError, match=r"plan\.yml: the plan's period cannot be read"):
        params.period_of(NAME)

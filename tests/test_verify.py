"""A published report is made again from its own manifest, and one altered digit anywhere is named."""

import json
import re
import shutil
import zipfile

import nbformat
import pandas as pd
import pytest
from test_formats import MANIFEST
from test_formats import notebook_of as shown_notebook
from test_run import notebook_of

from planlib import cli, narrative
from planlib.columns import FIGURE_MIME, TABLE_MIME, Column
from planlib.errors import UsageError, VerificationError
from planlib.figures import style
from planlib.figures.picture import sheet
from planlib.run import run_report
from planlib.run.compare import blocks_of_html, compare_files, compare_notebooks, compare_values
from planlib.run.formats import FORMATS, write_formats
from planlib.run.verify import verify

SETUP = """from planlib import figures, narrative
from planlib.district import Evaluation, open_district
place = open_district(parameters.district, parameters.cutoff)
report = Evaluation(place, "midterm", parameters.year)"""
CELLS = (
    SETUP,
    'narrative.balance(report, "en")',
    'narrative.balance_table(report, "en")',
    'narrative.frame(place.plan.series[["series_id", "target"]], "en")',
    'figures.balance_by_year(place.balance, place.standard.caps, language="en")',
)


@pytest.fixture(scope="module")
def published(_cleaned, tmp_path_factory):
    """One short report in a root of its own: root, folder."""
    root = tmp_path_factory.mktemp("verified") / "root"
    shutil.copytree(_cleaned, root, symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANLIB_ROOT", str(root))
        notebook_of(root, *CELLS)
        yield root, run_report("midterm", {}, report_progress=False, formats="html,xlsx").folder


@pytest.fixture
def copied(published, tmp_path):
    """The report's folder as somebody sent it."""
    return shutil.copytree(published[1], tmp_path / "sent")


def edit(path, before, after):
    text = path.read_text(encoding="utf-8")
    assert before in text, f"{before} is not in {path.name}"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def one(folder, ending):
    return next(folder.glob(f"*.{ending}"))


def alter_table(folder):
    edit_output(folder, TABLE_MIME, lambda data: data["rows"][0].__setitem__(1, data["rows"][0][1] + 0.1))


def alter_figure(folder):
    column = "cv"

    def change(data):
        at = [c["name"] for c in data["columns"]].index(column)
        data["rows"][0][at] += 0.1

    edit_output(folder, FIGURE_MIME, change)


def alter_image(folder):
    notebook = nbformat.read(one(folder, "ipynb"), 4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = "iVBORw0KGgo="
    nbformat.write(notebook, one(folder, "ipynb"))


def edit_output(folder, mime, change):
    path = one(folder, "ipynb")
    notebook = nbformat.read(path, 4)
    data = [o.data[mime] for c in notebook.cells for o in c.get("outputs", []) if mime in o.get("data", {})]
    change(data[0])
    nbformat.write(notebook, path)


def alter_page(folder):
    path = one(folder, "html")
    text = path.read_text(encoding="utf-8")
    at = re.search(r"composite went from (0\.\d\d)", text)
    path.write_text(text[: at.start(1)] + "0.99" + text[at.end(1) :], encoding="utf-8")


def alter_annex(folder):
    path = one(folder, "xlsx")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = next(n for n in parts if "worksheets/sheet2" in n)
    parts[name] = re.sub(rb"<v>0\.\d+</v>", b"<v>0.777</v>", parts[name], count=1)
    with zipfile.ZipFile(path, "w") as archive:
        for key, content in parts.items():
            archive.writestr(key, content)


def alter_manifest(change):
    def alter(folder):
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        change(told)
        (folder / "run.json").write_text(json.dumps(told), encoding="utf-8")

    return alter


ALTERED = {
    "table": (alter_table, ['table "Coefficients of variation between schools', "executed again"]),
    "figure": (alter_figure, ["figures differ", 'column "']),
    "image": (alter_image, ["figures differ", "the image is another"]),
    "sentence": (
        lambda f: edit(one(f, "ipynb"), "widest single", "widest, single"),
        ["text differ", "widest, single"],
    ),
    "page": (alter_page, ["files differ", ".html: ", "0.99"]),
    "annex": (alter_annex, ["files differ", ".xlsx: ", "0.777"]),
    "package": (alter_manifest(lambda m: m["packages"].update(pandas="0.1")), ["pandas: published 0.1, here"]),
    "python": (alter_manifest(lambda m: m.update(python="3.0.0")), ["python: published 3.0.0, here"]),
    "input": (
        alter_manifest(lambda m: m["input_files"]["plan.yml"].update(sha256="ab" * 32)),
        ["inputs differ", "plan.yml: published abababab"],
    ),
    "code": (
        alter_manifest(lambda m: m["inputs"].update(code="cd" * 32)),
        ["code: hash: published cdcd", "commit:"],
    ),
    "stray": (lambda f: (f / "more.html").write_text("x"), ["more.html: run.json does not know it"]),
}


def test_a_report_as_it_was_published_reproduces(published, capsys):
    assert cli.main(["verify", str(published[1])]) == 0
    said = capsys.readouterr().out.strip().splitlines()
    assert len(said) == 1
    assert "reproduces" in said[0]
    assert "2 tables, 1 figure," in said[0]


def test_everything_that_was_altered_is_named_in_its_order(copied, capsys):
    for alter, _ in ALTERED.values():
        alter(copied)
    assert cli.main(["verify", str(copied)]) == 3
    said = capsys.readouterr().err
    for _, words in ALTERED.values():
        for word in words:
            assert word in said
    sections = re.findall(r"^(\w+) differ \(", said, re.MULTILINE)
    assert sections == ["inputs", "packages", "code", "tables", "text", "figures", "files"]


@pytest.mark.full
@pytest.mark.parametrize("what", ALTERED)
def test_each_alteration_alone_is_named(copied, what):
    alter, words = ALTERED[what]
    alter(copied)
    with pytest.raises(VerificationError) as caught:
        verify(copied)
    for word in words:
        assert word in str(caught.value)


def test_a_changed_input_is_named_with_the_tables_it_changed(published, copied):
    root = published[0]
    path = root / "data" / "raw" / "shangcheng" / "plan.yml"
    kept = path.read_text(encoding="utf-8")
    try:
        edit(path, 'target: "60"', 'target: "61"')
        with pytest.raises(VerificationError) as caught:
            verify(copied)
    finally:
        path.write_text(kept, encoding="utf-8")
    said = str(caught.value)
    assert "plan.yml: published" in said
    assert "published 60.0, executed again 61.0" in said
    assert said.index("inputs differ") < said.index("tables differ")


def test_without_the_raw_returns_it_says_what_was_not_checked(published, copied):
    root = published[0]
    folder, away = root / "data" / "raw" / "shangcheng" / "returns", root / "returns-away"
    folder.rename(away)
    try:
        said = str(verify(copied, from_processed=True))
    finally:
        away.rename(folder)
    assert "reproduces" in said
    assert "checked: inputs, packages, code, tables, text, figures, files" in said
    assert re.search(r"not checked: \d+ raw files, and that the processed tables come from them", said)
    assert "plan.yml" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(schema_version=99), "schema_version is 99"),
        (lambda m: m.update(report="quarterly"), "Unknown report 'quarterly'"),
        (lambda m: m.update(outputs={"../../etc/passwd": "00"}), "is no plain file name"),
        (lambda m: m.update(input_files={"../x": {}}), "leaves the folder"),
        (lambda m: m.update(packages=[]), "packages: found []"),
        (lambda m: m["parameters"].update(district="../x"), "Unknown district"),
        (lambda m: m.update(status="failed"), "status: found 'failed'"),
    ],
)
def test_a_manifest_from_a_stranger_is_refused_before_anything_runs(copied, change, said):
    alter_manifest(change)(copied)
    with pytest.raises(UsageError, match=re.escape(said)):
        verify(copied)


def test_a_folder_without_a_manifest_exits_2(tmp_path, capsys):
    assert cli.main(["verify", str(tmp_path)]) == 2
    assert "there is no run.json" in capsys.readouterr().err


def test_what_could_not_be_executed_again_is_not_called_equal(published, copied):
    path = published[0] / "data" / "raw" / "shangcheng" / "plan.yml"
    kept = path.read_text(encoding="utf-8")
    try:
        edit(path, "baseline_year: 2020", "baseline_year: 2021")
        with pytest.raises(VerificationError) as caught:
            verify(copied)
    finally:
        path.write_text(kept, encoding="utf-8")
    last = [line for line in str(caught.value).splitlines() if line.startswith(("equal:", "not checked:"))]
    assert last[0].startswith("equal: packages, files (")
    assert last[1].startswith("not checked: tables, text and figures")


def test_numbers_within_the_tolerance_are_equal_and_beyond_it_are_not():
    table = {"caption": "c", "columns": [{"name": "n", "header": "N"}], "rows": [[1.0]]}
    assert compare_values(table, {**table, "rows": [[1.0 + 1e-12]]}) == []
    assert len(compare_values(table, {**table, "rows": [[1.0 + 1e-6]]})) == 1
    assert len(compare_values(table, {**table, "rows": [[None]]})) == 1
    assert "1 rows published, 2 executed again" in compare_values(table, {**table, "rows": [[1.0], [2.0]]})[0]


def test_a_cell_taken_out_is_named():
    cells = [nbformat.v4.new_code_cell("1"), nbformat.v4.new_code_cell("2")]
    books = [nbformat.v4.new_notebook(cells=cells), nbformat.v4.new_notebook(cells=cells[:1])]
    assert compare_notebooks(*books)[0] == ("code", "the published notebook has 2 cells, executed again 1")


def test_a_page_that_differs_only_in_its_markup_is_no_equal_page(tmp_path):
    pages = [tmp_path / name for name in ("a.html", "b.html")]
    for page, text in zip(pages, ("x", "y"), strict=True):
        page.write_text(f"<style>{text}</style><h1>T</h1><p>text</p>", encoding="utf-8")
    assert "its bytes are not" in compare_files(*pages)[0]
    assert blocks_of_html("<p>a<b>b</b></p>") == [("", "ab")]


def written(folder, sentence="共有12所学校。", value=3.25):
    """Write every format of a small report into a folder: a sentence, a table and a figure of one value."""
    frame = pd.DataFrame({"school_name": ["甲校"], "value": [value]})
    columns = [Column("school_name", "school"), Column("value", "value", "number", 2)]
    with style():
        page = sheet(4.0, 1.0, "一个数", "zh")
        page.figure.text(0.5, 0.5, f"{value}", fontsize=30)
        picture = page.picture("图中的数", frame)
    shown = [
        narrative.Text([("h1", "题名"), ("p", sentence)]),
        narrative.Table(frame, columns, "学校", "zh"),
        picture,
    ]
    folder.mkdir()
    write_formats(shown_notebook(*shown), folder, "r", MANIFEST, FORMATS)
    return folder


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """The report as published; with a digit of its sentence altered; with a digit of its values altered."""
    folder = tmp_path_factory.mktemp("digits")
    return {
        "published": written(folder / "published"),
        "sentence": written(folder / "sentence", sentence="共有13所学校。"),
        "value": written(folder / "value", value=3.26),
    }


def skip_pages_nobody_can_read(form):
    if form == "pdf" and not shutil.which("pdftotext"):
        pytest.skip("poppler is not installed")


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "xlsx"])
def test_a_digit_of_a_sentence_is_named_in_every_format(kinds, form):
    skip_pages_nobody_can_read(form)
    found = compare_files(kinds["sentence"] / f"r.{form}", kinds["published"] / f"r.{form}")
    assert len(found) == 1
    assert re.sub(r"\s", "", "published 共有13所学校。, the notebook says 共有12所学校。") in re.sub(
        r"\s", "", found[0]
    )


@pytest.mark.parametrize("form", FORMATS)
def test_a_digit_of_a_table_and_of_a_figure_is_named_in_every_format(kinds, form):
    skip_pages_nobody_can_read(form)
    found = compare_files(kinds["value"] / f"r.{form}", kinds["published"] / f"r.{form}")
    assert any("3.26" in line and "3.25" in line for line in found)
    # the figure: its picture, or in the annex the values it was drawn from
    named = {"html": "image", "docx": "part word/media", "xlsx": "图1", "pdf": ""}[form]
    assert any(named in line for line in found)


def test_a_digit_of_a_figure_alone_is_named_with_the_page_of_the_pdf(kinds, tmp_path):
    skip_pages_nobody_can_read("pdf")
    one, other = tmp_path / "one.pdf", tmp_path / "other.pdf"
    for value, target in ((3.25, one), (3.26, other)):
        frame = pd.DataFrame({"value": [value]})
        with style():
            page = sheet(4.0, 1.0, "一个数", "zh")
            page.figure.text(0.5, 0.5, f"{value}", fontsize=30)
            picture = page.picture("图中的数", frame)
        write_formats(shown_notebook(picture), tmp_path, target.stem, MANIFEST, ["pdf"])
    assert compare_files(one, other) == ["page 1: a picture is not the one of the notebook"]

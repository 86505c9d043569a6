"""What is owed goes out as a sheet, comes back filled in, and is owed no longer; nothing is written over."""

import pytest
import xlsxwriter
import yaml

from planlib import cli, freshness, narrative, params, schema, store
from planlib.answers import fill, write, write_missing
from planlib.answers.sheet import HIDDEN, SHOWN
from planlib.answers.write import HEADERS
from planlib.clean.files.read import read_workbook
from planlib.clean.files.sheet import address
from planlib.district import Evaluation, open_district
from planlib.errors import DataError, UsageError
from planlib.registry import label, load_definitions

FILLS = [key for key in load_definitions("answers")["columns"] if key not in SHOWN]
TOLD = {
    "cause": "=1+1 老校扩建",
    "measure": "+ 每月调度",
    "deadline": "2023/12/31",
    "cause_kind": "客观",
    "author": "@甲",
}
RECORD = {"number": 1, "date": "2022-12-20", "evidence": "-文件〔2022〕1号"}


@pytest.fixture
def sent(cleaned_project, tmp_path):
    """The sheet of the mid-term of 2023 as it is sent round."""
    path = tmp_path / "sent.xlsx"
    write_missing("midterm", params.resolve("midterm", {}), path)
    return path


def filled(path, answers, formula=None, change_facts=None):
    """Write the sheet again with cells filled in: id → column → value."""
    back = path.with_name("back.xlsx")
    plain = {"strings_to_formulas": False}
    with xlsxwriter.Workbook(str(back), plain) as book:
        for sheet in read_workbook(path.read_bytes()):
            page = book.add_worksheet(sheet.name)
            for number, row in enumerate(sheet.rows):
                told = answers.get(row[0], {}) if sheet.name != HIDDEN else {}
                cells = list(row) + [""] * (len(SHOWN) + 1 + len(FILLS) - len(row))
                for key, value in told.items():
                    cells[1 + len(SHOWN) + FILLS.index(key)] = value
                if change_facts and sheet.name == HIDDEN and row[0] in change_facts:
                    cells[1] = change_facts[row[0]]
                for column, value in enumerate(cells):
                    page.write(number, column, value)
            if formula and sheet.name != HIDDEN:
                page.write_formula(formula, "=1+1", None, 2)
    return back


def owed():
    place = open_district("shangcheng", "2022-12-31")
    return Evaluation(place, "midterm", 2023)


def folder(root):
    return root / "data" / "raw" / "shangcheng"


def test_the_sheet_has_a_row_for_each_thing_owed(sent):
    rows = owed().owed
    sheets = {sheet.name: sheet for sheet in read_workbook(sent.read_bytes())}
    page = next(sheet for name, sheet in sheets.items() if name != HIDDEN)
    ids = [row[0] for row in page.rows[4:]]
    assert ids == [f"{row.kind}:{row.subject_id}" for row in rows.itertuples()]
    assert sheets[HIDDEN].is_hidden
    offices = [row[1] for row in page.rows[4:]]
    assert offices == rows["lead"].tolist()
    assert len(list(dict.fromkeys(offices))) == sum(a != b for a, b in zip(offices, ["", *offices], strict=False))


def test_what_is_filled_in_is_owed_no_longer_and_stands_in_the_report(cleaned_project, sent):
    before = owed().owed
    answers = {
        "explanation:modern_schools": TOLD,
        "explanation:public_nursery_classes": TOLD,
        "record:law_education": RECORD,
    }
    kept = (folder(cleaned_project) / "explanations.yml").read_text(encoding="utf-8")
    said = fill("shangcheng", filled(sent, answers))
    assert said == ["milestones.csv: 1 added", "explanations.yml: 2 added"]
    assert (folder(cleaned_project) / "explanations.yml").read_text(encoding="utf-8").startswith(kept.rstrip())
    report = owed()
    gone = {f"{row.kind}:{row.subject_id}" for row in before.itertuples()}
    gone -= {f"{row.kind}:{row.subject_id}" for row in report.owed.itertuples()}
    assert set(answers) <= gone
    # text that looks like a formula is text
    entries = yaml.safe_load((folder(cleaned_project) / "explanations.yml").read_text(encoding="utf-8"))
    assert entries[-1]["cause"] == TOLD["cause"]
    assert entries[-1]["deadline"] == "2023-12-31"
    for subject in ("现代化学校", "新开设公办幼儿园托班"):
        rows = narrative.problems_table(report, "zh").frame
        assert rows.loc[rows["name"] == subject, "cause"].tolist() == [TOLD["cause"]]
    promises = narrative.commitment_table(report, "zh", only_late=False).frame
    assert RECORD["evidence"] in promises["evidence"].tolist()
    assert fill("shangcheng", filled(sent, answers)) == []  # a second time changes nothing


def test_the_digest_of_a_registered_file_goes_with_what_is_added(cleaned_project, sent):
    sources = folder(cleaned_project) / "sources.yml"
    digest = store.sha256(folder(cleaned_project) / "milestones.csv")
    sources.write_text(f"- {{file: milestones.csv, sha256: {digest}, synthetic: true}}\n", encoding="utf-8")
    said = fill("shangcheng", filled(sent, {"record:law_education": RECORD}))
    assert said == ["milestones.csv: 1 added", "sources.yml: sha256 of milestones.csv written anew"]
    made_from = freshness.tables_inputs("shangcheng")
    assert made_from["sources"] == [["milestones.csv", made_from["inputs"]["milestones.csv"]]]


def test_every_fault_is_named_with_its_cell_and_nothing_is_written(cleaned_project, sent):
    contents = {path: path.read_bytes() for path in folder(cleaned_project).glob("*.*")}
    answers = {
        "explanation:modern_schools": {**TOLD, "deadline": "soon", "cause_kind": "谁知道"},
        "explanation:public_nursery_classes": {"cause": "only this"},
        "record:law_education": {**RECORD, "number": "many", "date": "2024-01-01"},
        "record:emergency_plans": {**RECORD, "cause": "not asked for"},
    }
    with pytest.raises(DataError) as caught:
        fill("shangcheng", filled(sent, answers))
    said = str(caught.value)
    for words in (
        "found 'soon'; expected a date such as 2023-03-31",
        "found '谁知道'; expected one of these words: 主观 / within the office's power, ",
        "filled in only in part; expected 措施 (Measure), 完成时限 (Deadline) too",
        "found 'many'; expected a number",
        "2024-01-01 is after 2022-12-31",
        "is not asked for here",
    ):
        assert words in said
    assert "use one of" not in said
    assert "sheet 待补报, cell " in said
    assert {path: path.read_bytes() for path in contents} == contents


def test_only_a_date_is_held_against_the_cutoff_and_its_own_cell_is_named(cleaned_project, sent):
    page = next(sheet for sheet in read_workbook(sent.read_bytes()) if sheet.name != HIDDEN)
    line = next(n for n, row in enumerate(page.rows, 1) if row[0] == "record:law_education")
    cell = address(line - 1, 1 + len(SHOWN) + FILLS.index("date"))
    with pytest.raises(DataError) as caught:
        fill("shangcheng", filled(sent, {"record:law_education": {**RECORD, "date": "soon"}}))
    assert f"{cell}: found 'soon'; expected a date" in str(caught.value)
    assert "is after" not in str(caught.value)
    with pytest.raises(DataError, match=f"{cell}: 2024-01-01 is after 2022-12-31"):
        fill("shangcheng", filled(sent, {"record:law_education": {**RECORD, "date": "2024-01-01"}}))


def test_the_form_names_the_words_it_takes_and_they_are_read_in_both_languages(cleaned_project, tmp_path):
    for language, words in (("zh", "快报 / 审定 / 决算"), ("en", "provisional / approved / final accounts")):
        sheet = tmp_path / f"owed_{language}.xlsx"
        write_missing("midterm", params.resolve("midterm", {"language": language}), sheet)
        heads = read_workbook(sheet.read_bytes())[0].rows[3]
        assert any(str(head).endswith(f"\n{words}") for head in heads)
        assert any(str(head).endswith(f"\n{label('主观', language, 'cause_kind')} / {label('客观', language, 'cause_kind')}")
                   for head in heads)  # fmt: skip


def test_a_first_figure_has_a_boundary(cleaned_project, sent):
    path = folder(cleaned_project) / "observations.csv"
    path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    write_missing("midterm", params.resolve("midterm", {}), sent)
    page = next(sheet for sheet in read_workbook(sent.read_bytes()) if sheet.name != HIDDEN)
    asked = next(row[0] for row in page.rows if str(row[0]).startswith("value:"))
    fill(
        "shangcheng",
        filled(sent, {asked: {"number": "5", "date": "2022-12-31", "standing": "审定", "evidence": "文件"}}),
    )
    assert path.read_text(encoding="utf-8").splitlines()[1].split(",")[6] == "现行区划"


def test_a_formula_is_refused_and_never_computed(sent):
    with pytest.raises(DataError, match="sheet 待补报, cell G5: a formula"):
        fill("shangcheng", filled(sent, {}, formula="G5"))


def test_a_formula_hides_no_other_fault(sent):
    with pytest.raises(DataError) as caught:
        fill("shangcheng", filled(sent, {"record:law_education": {**RECORD, "number": "many"}}, formula="G5"))
    assert "G5: a formula" in str(caught.value)
    assert "found 'many'" in str(caught.value)


def test_a_differing_entry_is_never_written_over(cleaned_project, sent):
    fill("shangcheng", filled(sent, {"explanation:modern_schools": TOLD, "record:law_education": RECORD}))
    other = {
        "explanation:modern_schools": {**TOLD, "cause": "another"},
        "record:law_education": {**RECORD, "number": 2},
    }
    with pytest.raises(DataError) as caught:
        fill("shangcheng", filled(sent, other))
    assert "says something else of modern_schools already (cause)" in str(caught.value)
    assert "there is achieved 1 for law_education, 2022-12-20 already" in str(caught.value)


def test_a_sheet_of_another_district_or_no_sheet_of_ours_is_refused(sent, tmp_path, capsys):
    with pytest.raises(DataError, match="is about 'xihu', expected 'shangcheng'"):
        fill("shangcheng", filled(sent, {}, change_facts={"district": "xihu"}))
    with xlsxwriter.Workbook(str(tmp_path / "other.xlsx")) as book:
        book.add_worksheet().write(0, 0, "x")
    assert cli.main(["fill", "shangcheng", str(tmp_path / "other.xlsx")]) == 1
    assert "is no sheet of what is owed" in capsys.readouterr().err
    assert cli.main(["fill", "shangcheng", str(tmp_path / "absent.xlsx")]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_untouched_sheet_is_replaced_and_one_with_answers_is_kept(sent):
    request = params.resolve("midterm", {})
    write_missing("midterm", request, sent)
    with pytest.raises(
        UsageError, match="is about shangcheng, midterm 2023 as of 2022-12-31; nothing was written"
    ):
        write_missing("midterm", params.resolve("midterm", {"year": 2024}), sent)
    back = filled(sent, {"explanation:modern_schools": {"cause": "老校扩建"}})
    before = back.read_bytes()
    with pytest.raises(UsageError, match=r"exists and holds answers.*\n.*planlib fill"):
        write_missing("midterm", request, back)
    assert back.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (".", "is a folder"),
        ("owed.csv", "ends in .xlsx"),
        ("README.md", "ends in .xlsx"),
        ("absent/owed.xlsx", "there is no folder"),
        ("plan.xlsx", "is no sheet of planlib"),
        ("other.xlsx", "is no sheet of planlib"),
    ],
)
def test_a_file_that_is_no_sheet_is_left_alone(cleaned_project, tmp_path, capsys, name, words):
    for text in ("README.md", "plan.xlsx"):
        (tmp_path / text).write_text("mine", encoding="utf-8")
    with xlsxwriter.Workbook(str(tmp_path / "other.xlsx")) as book:
        book.add_worksheet().write(0, 0, "x")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert cli.main(["report", "midterm", "--missing", str(tmp_path / name)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "To do: " in said
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@pytest.mark.full  # cleans the district twice more
def test_offices_values_and_evidence_come_back_too(cleaned_project, tmp_path):
    base = folder(cleaned_project)
    responsibility = base / "responsibility.yml"
    text = responsibility.read_text(encoding="utf-8")
    line = next(part for part in text.splitlines() if part.startswith("  modern_schools:"))
    responsibility.write_text(text.replace(line + "\n", ""), encoding="utf-8")
    lines = (base / "observations.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [part for part in lines if not part.startswith("understanding_brands")]
    (base / "observations.csv").write_text("".join(kept), encoding="utf-8")
    milestones = (base / "milestones.csv").read_text(encoding="utf-8")
    bare = milestones.replace("brand_results,2022-12-31,3,模拟台账〔2022〕第2号,", "brand_results,2022-12-31,3,,")
    (base / "milestones.csv").write_text(bare, encoding="utf-8")
    rows = owed().owed
    ids = {f"{row.kind}:{row.subject_id}" for row in rows.itertuples()}
    assert {"lead:modern_schools", "evidence:brand_results"} <= ids
    path = tmp_path / "sent.xlsx"
    write_missing("midterm", params.resolve("midterm", {"language": "en"}), path)
    answers = {"lead:modern_schools": {"lead": "Supervision"}, "evidence:brand_results": {"evidence": "档案1"}}
    said = fill("shangcheng", filled(path, answers))
    assert said == ["milestones.csv: 1 added", "responsibility.yml: 1 added"]
    after = owed()
    assert after.lead("modern_schools") == "教育督导科"
    assert "# lead is 牵头" in responsibility.read_text(encoding="utf-8")  # remarks stay
    assert (base / "milestones.csv").read_text(encoding="utf-8") == bare.replace("12-31,3,,", "12-31,3,档案1,")
    assert not {f"{row.kind}:{row.subject_id}" for row in after.owed.itertuples()} & set(answers)


def test_an_unknown_office_is_refused(cleaned_project, tmp_path):
    responsibility = folder(cleaned_project) / "responsibility.yml"
    text = responsibility.read_text(encoding="utf-8")
    line = next(part for part in text.splitlines() if part.startswith("  modern_schools:"))
    responsibility.write_text(text.replace(line + "\n", ""), encoding="utf-8")
    path = tmp_path / "sent.xlsx"
    write_missing("midterm", params.resolve("midterm", {}), path)
    with pytest.raises(DataError, match="unknown office '督导科'; did you mean '教育督导科'"):
        fill("shangcheng", filled(path, {"lead:modern_schools": {"lead": "督导科"}}))


def test_the_command_writes_the_sheet_and_says_who_owes(cleaned_project, tmp_path, capsys):
    target = tmp_path / "owed.xlsx"
    assert cli.main(["report", "annual", "--year", "2022", "--missing", str(target)]) == 0
    said = capsys.readouterr().out
    assert "8个单位必须补报12项" in said
    assert "教育督导科: 说明 1, 任务记录 3" in said
    assert target.is_file()
    assert cli.main(["report", "balance", "--missing", str(target)]) == 2


def test_what_no_office_answers_for_is_said_so(cleaned_project, tmp_path, capsys):
    responsibility = folder(cleaned_project) / "responsibility.yml"
    text = responsibility.read_text(encoding="utf-8")
    line = next(part for part in text.splitlines() if part.startswith("  modern_schools:"))
    responsibility.write_text(text.replace(line + "\n", ""), encoding="utf-8")
    assert cli.main(["report", "annual", "--year", "2022", "--missing", str(tmp_path / "owed.xlsx")]) == 0
    out = capsys.readouterr().out
    assert "  未指定单位: 说明 1, 责任单位 1" in out
    assert "8个单位" in out, "nobody is no office"


def test_files_with_chinese_headers_in_the_encoding_of_older_programs_are_extended_as_they_are(
    cleaned_project, sent
):
    file = folder(cleaned_project) / "milestones.csv"
    header, _, rest = file.read_text(encoding="utf-8").partition("\n")
    before = f"序号,{','.join(schema.label(name, 'zh') for name in header.split(','))}\n"
    before += "".join(f"{n},{line}\n" for n, line in enumerate(rest.splitlines(), 1))
    file.write_bytes(before.encode("gb18030"))
    assert fill("shangcheng", filled(sent, {"record:law_education": RECORD})) == ["milestones.csv: 1 added"]
    after = file.read_bytes().decode("gb18030")
    assert after == f"{before},law_education,2022-12-20,1,-文件〔2022〕1号,\n"


@pytest.mark.parametrize(
    ("delimiter", "end", "encoding"), [("\t", "\r\n", "utf-8-sig"), (";", "\r", "gb18030"), ("|", "\n", "utf-8")]
)
def test_what_is_added_has_the_delimiter_and_line_ends_of_the_file(cleaned_project, delimiter, end, encoding):
    """Found on reading: commas were added to files with tabs, and a title above the header was taken for it."""
    path = folder(cleaned_project) / "milestones.csv"
    rows = [
        ["上城区量化任务台账", "", "", "", ""],
        HEADERS["milestones.csv"],
        ["a", "2022-01-02", "1", "", "一,二,三,四,五,六\u2028"],
    ]
    rows = [*rows, ["b", "2022-01-02", "2", "", "说明"]]
    path.write_bytes("".join(delimiter.join(row) + end for row in rows).encode(encoding))
    table = write._Csv(path, HEADERS["milestones.csv"])
    record = {"commitment_id": "c", "date": "2022-12-20", "achieved": "1", "evidence": "文件,1号"}
    assert table.add(record, ("commitment_id", "date")) == []
    assert table.complete("commitment_id", {"commitment_id": "b", "evidence": "台账"}, "2022-12-31") == []
    rows[-1][3] = "台账"
    rows.append(["c", "2022-12-20", "1", "文件,1号", ""])
    assert table.text() == "".join(delimiter.join(row) + end for row in rows).encode(encoding)


@pytest.mark.parametrize("content", ["\n", "commitment_id;date\n"])
def test_a_file_that_cannot_take_an_answer_is_named(cleaned_project, sent, content):
    path = folder(cleaned_project) / "milestones.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"milestones\.csv could not be extended .* no column .*achieved"):
        fill("shangcheng", filled(sent, {"record:law_education": RECORD}))
    assert path.read_text(encoding="utf-8") == content

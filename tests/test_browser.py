"""Long: a browser opens a report offline and prints it with the notice on every page."""

import re
import shutil
import subprocess

import pytest

from planlib.run import run_report

pytestmark = pytest.mark.full
BROWSER = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-pdf-header-footer",
]  # fmt: skip


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_report_opens_offline_and_prints_with_its_notice(project, tmp_path):
    page = run_report("midterm", {}, report_progress=False).page
    assert not re.search(r"""(src|href)=["'](https?:)?//""", page.read_text(encoding="utf-8"))
    home, printed = tmp_path / "profile", tmp_path / "page.pdf"
    offline = "--host-resolver-rules=MAP * ~NOTFOUND"
    command = [BROWSER, *FLAGS, offline, f"--user-data-dir={home}", f"--print-to-pdf={printed}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    content = printed.read_bytes()
    assert content.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", content))
    assert pages > 10
    if reader := shutil.which("pdftotext"):
        text = subprocess.run([reader, str(printed), "-"], check=True, capture_output=True, text=True).stdout
        sheets = [sheet for sheet in text.split("\f") if sheet.strip()]
        # a machine without Chinese type prints boxes, and reads some signs of them back as nothing
        assert all("由程序生成，不反映任何真实学校" in re.sub(r"\s", "", sheet) for sheet in sheets)

"""One report's HTML body → a Word document and a PDF, by pandoc and typst, without the network or a font of the system."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from planlib.run.document.arrange import arranged
from planlib.run.document.pandoc import Facts
from planlib.run.document.pdf import write_pdf
from planlib.run.document.word import normalised, write_docx

__all__ = ["Facts", "arranged", "normalised", "write_documents"]


def write_documents(body: str, docx: Path | None, pdf: Path | None, facts: Facts) -> None:
    """Write a report's body as a Word document, as a PDF, or both.

    Parameters
    ----------
    body : str
        Of `planlib.run.page.body`.
    docx, pdf : Path or None
    facts : Facts

    Raises
    ------
    ReportError
        If a character has no glyph in the fonts of the PDF, or pandoc or typst fails.
    """
    with tempfile.TemporaryDirectory(prefix="planlib-") as place:
        folder = Path(place)
        text = arranged(body, folder, facts.is_brief)
        jobs = [(write_docx, docx), (write_pdf, pdf)]
        # each waits for a process of pandoc: together they take little longer than one
        with ThreadPoolExecutor(len(jobs)) as pool:
            asked = [pool.submit(write, text, folder, target, facts) for write, target in jobs if target]
        for done in asked:
            done.result()

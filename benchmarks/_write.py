"""Write one script's section of docs/benchmarks.md and leave the others alone."""

import os
import platform
import sys
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


def write(name: str, title: str, paragraphs: list[str]) -> None:
    """Replace the section between ``<!-- name:begin -->`` and ``<!-- name:end -->``, or add it at the end."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    section = "\n\n".join([begin, f"## {title}", *paragraphs, end])
    text = FILE.read_text(encoding="utf-8") if FILE.exists() else "# Benchmarks\n"
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    FILE.write_text(before.rstrip("\n") + "\n\n" + section + (after or "\n"), encoding="utf-8")


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> str:
    """What it ran on, in one sentence."""
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"{python}, {os.cpu_count()} cores ({platform.machine()}), one run, everything side by side; ratios only."
    )

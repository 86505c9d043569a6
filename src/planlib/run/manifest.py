"""What produced a report: enough in ``run.json`` for somebody else to make it again and compare."""

import datetime as dt
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planlib import __version__, freshness, paths, store
from planlib.run.request import Request

FILE = "run.json"
SCHEMA_VERSION = 2


def begin(request: Request, inputs: dict[str, Any], run_id: str, started: dt.datetime) -> dict[str, Any]:
    """Return the manifest of a run that begins.

    Parameters
    ----------
    request : Request
    inputs : dict
        What `planlib.freshness.report_inputs` returned for it.
    run_id : str
    started : datetime
        UTC.

    Returns
    -------
    dict
        ``inputs`` are the digests that decide whether the report must be made again; ``input_files`` every file of
        the district with its SHA-256 and whether sources.yml calls it synthetic; ``packages`` everything that is
        installed beside planlib.
    """
    district = request.parameters.district
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "report": request.name,
        "parameters": request.parameters.as_injected(),
        "inputs": inputs,
        "input_files": freshness.input_files(district),
        "fingerprint": store.sha256_of(inputs),
        "is_simulated": freshness.is_simulated(district),
        "started": started.isoformat(timespec="milliseconds"),
        "packages": packages(),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        **git(paths.root()),
    }


def finish(manifest: dict[str, Any], folder: Path, status: str, failure: dict[str, Any] | None) -> None:
    """Complete the manifest with the end of the run and the hash of every output, and write it into `folder`."""
    manifest |= {
        "status": status,
        "failure": failure,
        "finished": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
        "outputs": {f.name: store.sha256(f) for f in sorted(folder.iterdir()) if f.is_file() and f.name != FILE},
    }
    store.write_json(folder / FILE, manifest)


def is_intact(folder: Path, fingerprint: str) -> bool:
    """Tell whether `folder` holds a good report of these inputs, every file of it as it was published."""
    manifest = store.read_json(folder / FILE)
    if (
        not isinstance(manifest, dict)
        or manifest.get("status") != "ok"
        or manifest.get("fingerprint") != fingerprint
    ):
        return False
    outputs = manifest.get("outputs", {})
    return bool(outputs) and all(
        (folder / name).is_file() and store.sha256(folder / name) == digest for name, digest in outputs.items()
    )


def run_folder(folder: Path) -> Path:
    """Return the folder of one run: itself, or the latest run in a report's folder ``<district>/<report>-<year>``.

    A ``run.json`` stands for its folder. Of several languages the one made last is taken; run ids sort by time.
    """
    if folder.name == FILE and folder.is_file():
        return folder.parent
    if (folder / FILE).is_file() or not folder.is_dir():
        return folder
    return max((path.parent for path in folder.glob(f"*/{FILE}")), default=folder)


def changed_files(manifest: Mapping[str, Any]) -> list[str]:
    """Return the district's files that are not what they were when the report was made, each with how.

    Raises
    ------
    UsageError
        If there is no such district here.
    """
    then = {name: entry["sha256"] for name, entry in manifest["input_files"].items()}
    now = {
        name: entry["sha256"] for name, entry in freshness.input_files(manifest["parameters"]["district"]).items()
    }
    kinds = {
        "changed": then.keys() & now.keys(),
        "removed": then.keys() - now.keys(),
        "added": now.keys() - then.keys(),
    }
    return [
        f"{name}: {kind}"
        for kind, names in kinds.items()
        for name in sorted(names)
        if then.get(name) != now.get(name)
    ]


def packages() -> dict[str, str]:
    """Return every installed package and its version, read off the names of their folders (quick)."""
    found = {"planlib": __version__}
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in sorted(Path(folder).glob("*.dist-info")):
            name, _, version = path.name.removesuffix(".dist-info").rpartition("-")
            found.setdefault(name.lower().replace("_", "-"), version)
    return found


def git(folder: Path) -> dict[str, Any]:
    """Return the commit and whether the tree differs from it; nulls outside a checkout or without git."""

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    status = ask("status", "--porcelain")
    return {"git_commit": ask("rev-parse", "HEAD"), "git_is_dirty": None if status is None else bool(status)}

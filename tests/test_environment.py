"""pyproject.toml, requirements.lock and environment.yml say the same."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
CONDA = {"matplotlib-base": "matplotlib", "nbconvert-core": "nbconvert"}


def project() -> dict[str, Requirement]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [*table["dependencies"], *table["optional-dependencies"]["dev"]]
    return {canonicalize_name(r.name): r for r in map(Requirement, listed)}


def conda() -> dict[str, str]:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    plain = [e for e in entries if isinstance(e, str)]
    pip = [e for entry in entries if isinstance(entry, dict) for e in entry["pip"] if not e.startswith("-")]
    pairs = [re.match(r"([A-Za-z0-9_.-]+)\s*(.*)", e).groups() for e in plain + pip]
    return {canonicalize_name(CONDA.get(name, name)): spec.replace(" ", "") for name, spec in pairs}


def test_environment_yml_has_the_same_packages_and_ranges():
    wanted = {name: str(r.specifier) for name, r in project().items()}
    found = conda()
    assert found.pop("pip") == ""
    python = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert set(found.pop("python").split(",")) == set(python.split(","))
    assert {n: set(s.split(",")) for n, s in found.items()} == {n: set(s.split(",")) for n, s in wanted.items()}


def test_the_lock_holds_every_package_in_its_range_with_hashes_and_no_address():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked: dict[str, list[Version]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", text, re.MULTILINE):
        locked.setdefault(canonicalize_name(name), []).append(Version(version))
    for name, requirement in project().items():
        assert name in locked, f"{name} is not locked"
        assert all(requirement.specifier.contains(v) for v in locked[name])
    assert "://" not in text
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert all("--hash=sha256:" in block for block in blocks)


def test_version_stands_once():
    from planlib import __version__

    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert table["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

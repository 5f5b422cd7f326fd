"""What is installed is what the lock says, and nothing that can write runs code that nobody pinned."""

import re
import sys
import tomllib
from importlib import metadata

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement

LOCK = (ROOT / "requirements.lock").read_text()
PINS = [Requirement(line.rstrip(" \\")) for line in LOCK.splitlines() if re.match(r"[a-zA-Z]", line)]


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_is_locked_with_hashes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [r for group in project["optional-dependencies"].values() for r in group]
    assert {plain(Requirement(r).name) for r in wanted} <= {plain(pin.name) for pin in PINS}
    blocks = re.split(r"\n(?=[a-zA-Z])", LOCK.partition("\n\n")[2] or LOCK)
    bare = [block.split()[0] for block in blocks if re.match(r"[a-zA-Z]", block) and "--hash=sha256:" not in block]
    assert bare == [] and all(str(pin.specifier).startswith("==") for pin in PINS)


@pytest.mark.skipif(not (ROOT / ".venv" / "ready").exists() or not sys.prefix.startswith(str(ROOT)), reason="not the book's own .venv")
def test_what_is_installed_is_what_is_locked():
    """Every package that the lock asks for here, and no other; torch's local label (+cpu) is the same release."""
    wanted = {plain(p.name): str(p.specifier).removeprefix("==") for p in PINS if p.marker is None or p.marker.evaluate()}
    found = {plain(d.name): d.version.partition("+")[0] for d in metadata.distributions()}
    cpu = {"nvidia", "cuda", "triton"} if "+cpu" in metadata.version("torch") else set()
    wanted = {name: version for name, version in wanted.items() if name.partition("-")[0] not in cpu}
    assert found.pop("seelike") and found.pop("pip")
    found.setdefault("setuptools", wanted["setuptools"])
    assert {n: v for n, v in found.items() if wanted.get(n) != v} == {}
    assert sorted(set(wanted) - set(found)) == []


WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}


def test_actions_are_pinned_by_commit():
    used = re.findall(r"uses: (\S+)", "".join(p.read_text() for p in (ROOT / ".github/workflows").glob("*.yml")))
    assert used and [u for u in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", u)] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_can_write_installs_nothing(name):
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        writes = "write" in job.get("permissions", {}).values()
        for step in job["steps"]:
            run = step.get("run", "")
            assert not (writes and re.search(r"pip|make|python|npm|curl|wget", run)), run
            if "actions/checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False and not writes


def test_the_list_of_licences_is_that_of_the_lock():
    listed = re.findall(r"^\| ([^ |]+) \| ([^ |]+) \|", (ROOT / "THIRD_PARTY.md").read_text(), re.M)
    assert {(plain(n), v) for n, v in listed} >= {
        (plain(p.name), str(p.specifier).removeprefix("==")) for p in PINS if p.marker is None or p.marker.evaluate()
    }

"""Where things lie and what depends on what. Imports nothing heavy: the Snakefile reads it on every call."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS, CHAPTERS = ROOT / "notebooks", ROOT / "book" / "chapters"
BUILT = ROOT / "_build" / "results"  # numbers of the chapters that this machine has run
LEDGER = ROOT / "book" / "claims.yml"
TIERS = ("smoke", "scenes", "cifar10", "imagenet")


def zoo(tier: str) -> Path:
    """Folder of a tier's trained weights; `SEELIKE_ZOO` moves it elsewhere."""
    return Path(os.environ.get("SEELIKE_ZOO", ROOT / "zoo")) / tier


def modules(chapter: Path) -> list[Path]:
    """Files of `seelike` that a source imports, directly or through each other: what its page depends on."""
    found: set[Path] = set()
    pending = [chapter]
    while pending:
        for name in _imports(pending.pop()):
            spec = importlib.util.find_spec(name)
            if spec and spec.origin and (path := Path(spec.origin)) not in found:
                found.add(path)
                pending.append(path)
    return sorted(found)


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names if node.module == "seelike"}
    return {name for name in names if name.startswith("seelike")}


def timings(folder: Path | None = None, what: str = "seconds") -> dict[str, float]:
    """What the run of each executed chapter in a folder (default: the book's) took: seconds, or peak memory in `gigabytes`."""
    pages = sorted((folder or CHAPTERS).glob("*.ipynb"))
    return {p.stem: json.loads(p.read_text())["metadata"]["seelike"].get(what, float("nan")) for p in pages}


def commit() -> str:
    """Short hash of the checked-out commit, "+" if files differ from it; "no git" outside a repository."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"], check=False, cwd=ROOT, capture_output=True, text=True
    )
    return asked.stdout.strip() or "no git"

"""Licences of everything that is installed: `python -m seelike.licences > THIRD_PARTY.md`.

A bill of materials (CycloneDX) of the same packages, with hashes, comes from a tool made for it:
`uvx --from cyclonedx-bom cyclonedx-py requirements requirements.lock -o bom.json`.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata

from seelike import project

HEAD = """# Third-party packages

What a tested installation holds (Linux, Python 3.11), by `python -m seelike.licences`; none of it is part of this repository. Licences are
those that the packages state themselves. CUDA libraries come with torch under NVIDIA's terms.

| package | version | licence |
|---|---|---|
"""


def licence(package: metadata.PackageMetadata) -> str:
    """The licence that a package states: its SPDX expression, else its classifiers, else the first line of its text."""
    if "License-Expression" in package:
        return package["License-Expression"]
    classified = [c.rpartition(" :: ")[2] for c in package.get_all("Classifier") or [] if c.startswith("License ::")]
    text = (package["License"] if "License" in package else "").strip().splitlines()  # noqa: SIM401  # the mapping knows no default
    return " or ".join(classified) or (text[0] if text else "not stated")


def table() -> str:
    """The page, in Markdown."""
    held = {re.sub(r"[-_.]+", "-", d.name).lower(): d for d in metadata.distributions()}
    rows = [
        f"| {name} | {d.version} | {licence(d.metadata)[:80].replace('|', '/')} |" for name, d in sorted(held.items()) if name != "seelike"
    ]
    return HEAD + "\n".join(rows) + "\n"


def main() -> None:
    """Print the page."""
    print(table(), end="")


if __name__ == "__main__":
    sys.exit(project.command("seelike.licences", main))

"""Command line: run the panels of some chapters at a tier and keep what they found in `results/<tier>/panel.json`."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seelike import ledger, project, tiers
from seelike.panels import CHAPTERS, Found


def keep(found: Iterable[Found], path: Path) -> dict[str, int]:
    """Merge analyses into a file, claim by claim (what the file held of these claims goes), and count them."""
    new: dict[str, dict[str, Any]] = defaultdict(dict)
    for claim, choices, value, seeds in found:
        numbers = {key: round(float(number), 6) for key, number in zip(value._fields, value, strict=True)}
        new[ledger.get(claim).id][", ".join(choices.values())] = {"choices": dict(choices), **numbers, "seeds": seeds}
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(held | new, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    return {claim: len(analyses) for claim, analyses in new.items()}


def main() -> None:
    """Run panels."""
    parser = argparse.ArgumentParser(prog="python -m seelike.panels", description="Ask the ledger's claims in all reasonable ways.")
    parser.add_argument("chapters", nargs="*", help=f"chapters such as 03 (default: all that have a panel: {', '.join(CHAPTERS)})")
    parser.add_argument("--tier", default=project.DEFAULT)
    options = parser.parse_args()
    if odd := [c for c in options.chapters if c not in CHAPTERS]:
        parser.exit(2, f"seelike.panels: chapter {', '.join(odd)} has no panel: expected some of {', '.join(CHAPTERS)}.\n")
    try:
        tier = tiers.get(options.tier)
        for chapter in options.chapters or CHAPTERS:
            module = importlib.import_module(f"seelike.panels.{CHAPTERS[chapter]}")
            place = getattr(module, "PLACE", tier.name)
            counts = keep(module.analyses(tier), project.PUBLISHED / place / "panel.json")
            print("\n".join(f"{claim}: {n} analyses" for claim, n in counts.items()))
    except (ValueError, FileNotFoundError) as error:
        parser.exit(2, f"seelike.panels: {error}\n")


if __name__ == "__main__":
    sys.exit(project.command("seelike.panels", main))

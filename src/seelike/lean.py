"""What a built site carries without need: scripts that do again what its styles do, and what only a debugger of the theme reads."""

from __future__ import annotations

import os
import re
from pathlib import Path

ICONS = "_static/scripts/fontawesome.js"  # draws the icons that the theme's style sheet draws already, from its own fonts
SEARCH = ("_static/searchtools.js", "_static/language_data.js", "searchindex.js")  # asked by the page of results only
LOADED = re.compile(r'\s*<script[^>]* src="(?:\.\./)*(?P<path>[^"?]+)[^"]*"></script>')


def trim(site: Path) -> None:
    """Remove from all pages of a site, and from its files, what no reader needs."""
    for path in site.rglob("*.map"):
        path.unlink()
    for name in ("_static/locales", ICONS):
        _remove(site / name)
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        kept = LOADED.sub(lambda found: "" if _idle(found["path"], page) else found[0], text)
        if kept != text:
            temporary = page.with_suffix(f".{os.getpid()}")
            temporary.write_text(kept, encoding="utf-8")
            os.replace(temporary, page)


def _idle(path: str, page: Path) -> bool:
    return path == ICONS or (path in SEARCH and page.name != "search.html")


def _remove(path: Path) -> None:
    if path.is_dir():
        for inner in path.iterdir():
            _remove(inner)
        path.rmdir()
    elif path.exists():
        path.unlink()

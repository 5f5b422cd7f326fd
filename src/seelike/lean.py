"""What a built site carries without need: scripts that do again what its styles do, styles and icons that no page uses, and what only a
debugger of the theme reads. A third of a chapter's first load is left.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

SCRIPT = "_static/scripts/fontawesome.js"  # draws the icons that the theme's style sheet draws already, from a font of its own
SEARCH = ("_static/searchtools.js", "_static/language_data.js", "searchindex.js")  # asked by the page of results only
FONTS = "_static/vendor/fontawesome/webfonts"
ICONS = "fa-solid-900"  # the only one of the fonts that pages use
LOADED = re.compile(r'\s*<script[^>]* src="(?:\.\./)*(?P<path>[^"?]+)[^"]*"></script>')
RULE = re.compile(r"(?P<selectors>[^{}]+)\{(?P<body>[^{}]*)\}")
CLASS = re.compile(r"\.(-?[a-zA-Z_][\w-]*)")
BUILT = ("bs-", "tooltip", "popover", "fa-layers")  # beginnings of names that scripts put together


def trim(site: Path) -> None:
    """Remove from all pages of a site, and from its files, what no reader needs."""
    for path in [*site.rglob("*.map"), *(site / "_static" / "locales").rglob("*.*"), site / SCRIPT]:
        path.unlink(missing_ok=True)
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        _replace(page, "".join(part for part in _parts(text) if not _idle(part, page)).encode())
    used = words(
        path for kind in ("*.html", "*.js") for path in site.rglob(kind) if path.name != "searchindex.js" and "mathjax" not in path.parts
    )
    for sheet in (site / "_static").rglob("*.css"):
        _replace(sheet, purged(sheet.read_text(encoding="utf-8"), used).encode())
    _icons(site, used)


def words(files: Iterable[Path]) -> set[str]:
    """All words of some files that could be names of classes."""
    return {word for path in files for word in re.findall(r"-?[a-zA-Z_][\w-]*", path.read_text(encoding="utf-8"))}


def purged(css: str, used: set[str]) -> str:
    """A style sheet without the rules of classes that are not used; what it does not understand it keeps."""

    def rule(found: re.Match[str]) -> str:
        listed = found["selectors"]
        if "\\" in listed or "@" in listed or re.search(r"\([^)]*,", listed) or "/*" in listed:
            return found[0]
        kept = [s for s in listed.split(",") if all(_used(c, used) for c in CLASS.findall(re.sub(r":not\([^)]*\)", "", s)))]
        return f"{','.join(kept)}{{{found['body']}}}" if kept else ""

    return RULE.sub(rule, css)


def _used(name: str, used: set[str]) -> bool:
    return name in used or name.startswith(BUILT)


def _parts(text: str) -> Iterator[str]:
    """A page in pieces: each script that it loads, and what stands between them."""
    end = 0
    for found in LOADED.finditer(text):
        yield text[end : found.start()]
        yield found[0]
        end = found.end()
    yield text[end:]


def _idle(part: str, page: Path) -> bool:
    found = LOADED.fullmatch(part)
    return found is not None and (found["path"] == SCRIPT or (found["path"] in SEARCH and page.name != "search.html"))


def _icons(site: Path, used: set[str]) -> None:
    """The icons' font with the glyphs of the icons that are left, as woff; the other fonts go."""
    folder, theme = site / FONTS, site / "_static" / "styles" / "pydata-sphinx-theme.css"
    if not (folder / f"{ICONS}.ttf").exists():
        return
    css = theme.read_text(encoding="utf-8")
    sheets = "".join(sheet.read_text(encoding="utf-8") for sheet in (site / "_static").rglob("*.css"))
    codes = [int(code, 16) for code in re.findall(r"\\([ef][0-9a-f]{3})\b", sheets)] + [ord(c) for c in sheets if "\ue000" <= c <= "\uf8ff"]
    font = TTFont(folder / f"{ICONS}.ttf")
    cut = subset.Subsetter(subset.Options(notdef_outline=True, glyph_names=False))
    cut.populate(unicodes=codes)
    cut.subset(font)
    font.flavor = "woff"
    font.save(folder / f"{ICONS}.woff")
    for path in folder.iterdir():
        if path.suffix != ".woff":
            path.unlink()
    source = re.compile(rf"src:url\([^)]*{ICONS}\.woff2\)[^;}}]*")
    css = source.sub(f'src:url(../vendor/fontawesome/webfonts/{ICONS}.woff) format("woff")', css)
    css = re.sub(r"@font-face\{[^}]*fa-(?:regular-400|brands-400|v4compatibility)[^}]*\}", "", css)
    _replace(theme, css.encode())


def _replace(path: Path, content: bytes) -> None:
    if content != path.read_bytes():
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(content)
        os.replace(temporary, path)

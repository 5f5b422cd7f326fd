"""Sphinx extension of the book: roles that print what was computed, offline mathematics, launch buttons.

- {claim}`R21-1` prints a claim's estimate, interval and verdict at the tier of the site; {claim}`R21-1 @ cifar10` at another.
- {seconds}`03` prints how long a chapter took, {gigabytes}`03` its peak memory.
- MathJax comes from a package and is copied into the site, fonts and one script.
- On the site of a cast, references to chapters that it leaves out become plain text.
- With `SEELIKE_REPOSITORY=owner/name` (set where the site is published) chapters get Colab and source buttons.
"""

from __future__ import annotations

import os
import shutil
from functools import lru_cache
from importlib.metadata import files
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from seelike import claims, project, tiers
from seelike.project import timings

MATHJAX = "mathjax/tex-chtml.js"
NOTEBOOK_BRANCH = "notebooks"


@lru_cache(16)
def _rows(tier: str) -> dict[str, dict[str, Any]]:
    """The ledger at a tier, read once a build."""
    return {str(row["id"]): row for row in claims.table(tier).to_dict("records")}  # type: ignore[misc]


@lru_cache(4)
def _timings(tier: str, what: str) -> dict[str, float]:
    name = tiers.get(tier).name
    return timings(project.pages(project.DEFAULT), what) | timings(project.pages(name), what)


def claim_text(text: str, site: str = project.DEFAULT) -> str:
    """The ledger's words for a claim such as "R21-1" (at the site's tier) or "R21-1 @ cifar10"; KeyError for one that there is not."""
    name, _, tier = (part.strip() for part in text.partition("@"))
    if tier and tier not in (*tiers.names(), claims.DATA):
        raise KeyError(tier)
    row = _rows(tier or site)[name]
    if row["summary"] == "not run":
        return "not run"
    return f"{claims.words(*(float(row[key]) for key in ('estimate', 'low', 'high')))}, {row['summary']}"


def claim_role(name: str, rawtext: str, text: str, lineno: int, inliner: Any, *_: Any) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """{claim}`id @ tier`."""
    env = inliner.document.settings.env
    env.note_reread()  # the number changes when the source of the page does not
    try:
        return [nodes.inline(rawtext, claim_text(text, env.config.seelike_tier), classes=["claim"])], []
    except KeyError:
        message = inliner.reporter.error(f"{text!r} is no claim of the ledger and tier.", line=lineno)
        return [inliner.problematic(rawtext, rawtext, message)], [message]


def measured_role(name: str, rawtext: str, text: str, lineno: int, inliner: Any, *_: Any) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """{seconds}`03` and {gigabytes}`03`: what the run measured."""
    env = inliner.document.settings.env
    env.note_reread()
    taken = [value for stem, value in _timings(env.config.seelike_tier, name).items() if stem.startswith(text)]
    form = "{:.0f} s" if name == "seconds" else "{:.1f} GB"
    return [nodes.inline(rawtext, form.format(taken[0]) if taken else "not run")], []


def left_out(app: Sphinx, env: Any, node: Any, contnode: nodes.Node) -> nodes.Node | None:
    """On a site without some chapters, a reference to one of them is text."""
    if not app.config.seelike_partial:
        return None
    target = str(node.get("reftarget", ""))
    words = {"sec": "another chapter", "fig": "a figure of another chapter", "eq": "an equation of another chapter"}
    return nodes.inline("", words.get(target.partition("-")[0], "another chapter of the book"))


def drop_source_maps(app: Sphinx, error: Exception | None) -> None:
    """Remove what only a debugger of the theme would read: a quarter of the site."""
    for path in Path(app.outdir).rglob("*.map"):
        path.unlink()


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Put one MathJax script and its fonts into the site."""
    if error or app.builder.format != "html":
        return
    for file in files("sphinx-mathjax-offline") or []:
        name = str(file).partition("static/")[2]
        if name == MATHJAX or name.endswith(".woff"):
            target = Path(app.outdir) / "_static" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), target)


def drop_thebe(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Leave out the live-code scripts that Jupyter Book always adds: they name another host and clash with themselves."""
    kept = [f for f in context.get("script_files", []) if "thebe" not in f"{f} {getattr(f, 'attributes', {})}".lower()]
    context["script_files"] = kept


def launch(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Colab and source buttons on chapters, where the site knows its repository."""
    repository, stem = os.environ.get("SEELIKE_REPOSITORY"), Path(pagename).name
    if not repository or not pagename.startswith("book/chapters/") or "header_buttons" not in context:
        return
    links = {
        "Colab": f"https://colab.research.google.com/github/{repository}/blob/{NOTEBOOK_BRANCH}/{stem}.ipynb",
        "Source": f"https://github.com/{repository}/blob/main/notebooks/{stem}.py",
    }
    buttons = [{"type": "link", "text": text, "tooltip": text, "icon": "fas fa-play", "url": url} for text, url in links.items()]
    context["header_buttons"].append(
        {"type": "group", "tooltip": "Run this chapter", "icon": "fas fa-rocket", "label": "launch-buttons", "buttons": buttons}
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_config_value("seelike_tier", project.DEFAULT, "env")
    app.add_config_value("seelike_partial", False, "env")
    app.add_role("claim", claim_role)
    app.add_role("seconds", measured_role)
    app.add_role("gigabytes", measured_role)
    app.connect("missing-reference", left_out)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", drop_source_maps)
    app.connect("html-page-context", launch, priority=502)
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

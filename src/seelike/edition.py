"""What a site says of itself: edition, date, authors and licence as in CITATION.cff, on every page and in its head.

Nothing names an address of the site, which does not know where it will stand: the preview picture is relative, and no page is canonical.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import lru_cache
from html import escape
from typing import NamedTuple

import yaml
from docutils import nodes

from seelike import project

PICTURE = "_static/structure.png"
PICTURED = "Four heat maps of CKA between all layers of a network: a ViT and a ResNet, trained above, with random weights below"
PAGE = "book/changes"  # has the `{edition}` directive and the licence
LONGEST = 200  # characters of a description
SHORTEST = 50  # of a paragraph that can describe a page
REMOTE = re.compile(r"(?:https://|ssh://git@|git@)(?P<host>(?:github|gitlab)\.com|codeberg\.org)[/:](?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?/?")


class Edition(NamedTuple):
    """Facts of CITATION.cff, the commit, and the repository's address ("" where it is not known)."""

    title: str
    version: str
    date: str
    licence: str
    authors: list[str]
    abstract: str
    commit: str
    repository: str


@lru_cache(1)
def read() -> Edition:
    """The edition of this checkout."""
    held = yaml.safe_load((project.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    authors = [a.get("name") or f"{a['given-names']} {a['family-names']}" for a in held["authors"]]
    where = held.get("repository-code") or repository()
    abstract = " ".join(held["abstract"].split())
    facts = (held["title"], str(held["version"]), str(held["date-released"]), held["license"])
    return Edition(*facts, authors, abstract, project.commit(), where)


def repository() -> str:
    """The repository's public address: `SEELIKE_REPOSITORY`, or that of the remote `origin` if it stands on a public host; else ""."""
    if name := os.environ.get("SEELIKE_REPOSITORY"):
        return f"https://github.com/{name}"
    try:
        command = ["git", "remote", "get-url", "origin"]
        asked = subprocess.run(command, check=False, cwd=project.ROOT, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ""
    found = REMOTE.fullmatch(asked)
    return f"https://{found['host']}/{found['name']}" if found else ""


def description(page: nodes.document | None) -> str:
    """The first paragraph of a page that is long enough, cut at a word; the book's abstract where there is none."""
    told = [] if page is None else [p.astext() for p in page.findall(nodes.paragraph) if isinstance(p.parent, nodes.section)]
    text = " ".join(next((t for t in told if len(t) >= SHORTEST), read().abstract).split())
    return text if len(text) <= LONGEST else text[: text.rindex(" ", 0, LONGEST)].rstrip(" ,;:") + " …"


def head(title: str, told: str, picture: str) -> str:
    """Meta elements of a page. picture: path of the preview picture from that page."""
    edition = read()
    named = {"description": told, "author": ", ".join(edition.authors), "dcterms.date": edition.date, "dcterms.license": edition.licence}
    shown = {
        "og:type": "article", "og:site_name": edition.title, "og:title": title, "og:description": told, "og:image": picture,
        "og:image:alt": PICTURED, "og:locale": "en",
    }  # fmt: skip
    lines = [f'<meta name="{key}" content="{escape(value)}" />' for key, value in named.items()]
    return "\n".join(lines + [f'<meta property="{key}" content="{escape(value)}" />' for key, value in shown.items()]) + "\n"


def footer(changes: str) -> str:
    """The line below every page. changes: path of the page of changes from there."""
    edition = read()
    own = [
        f'Edition {escape(edition.version)} of <time datetime="{edition.date}">{edition.date}</time>',
        f"commit {escape(edition.commit)}",
        f'<a rel="license" href="{changes}#licence">{escape(edition.licence)} licence</a>',
        f'<a href="{changes}">Changes, and how to cite</a>',
    ]
    if edition.repository:
        own.append(f'<a href="{escape(edition.repository)}">Source</a>')
    return f'<p class="edition">{" · ".join(own)}</p>'


def told() -> str:
    """The edition in MyST: facts, and how to cite it."""
    e = read()
    facts = {
        "Edition": f"{e.version}, {e.date}",
        "Authors": ", ".join(e.authors),
        "Licence": f"{{ref}}`{e.licence} <sec-licence>`",
        "Built from": f"commit `{e.commit}`",
        "Repository": f"<{e.repository}>" if e.repository else "not public yet",
    }
    rows = "\n".join(f"| {key} | {value} |" for key, value in facts.items())
    entry = {"title": f"{{{e.title}}}", "author": " and ".join(f"{{{name}}}" for name in e.authors), "year": e.date[:4]}
    entry |= {"version": e.version} | ({"url": e.repository} if e.repository else {})
    fields = "\n".join(f"  {key} = {{{value}}}," for key, value in entry.items())
    return f"| | |\n|---|---|\n{rows}\n\n```bibtex\n@software{{seelike,\n{fields}\n}}\n```\n"


def licence() -> str:
    """The text of the licence, as a block of MyST."""
    return f"```text\n{(project.ROOT / 'LICENSE').read_text(encoding='utf-8').strip()}\n```\n"

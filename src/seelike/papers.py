"""Papers that the book cites: their addresses, their authors, and a list of references in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pybtex.database
from pybtex.backends.markdown import Backend
from pybtex.richtext import Text
from pybtex.style.formatting.plain import Style

from seelike import project

ARXIV = re.compile(r"arXiv[: ]\s*(\d{4}\.\d{4,5})")


class _Plain(Backend):
    def format_str(self, text: str) -> str:
        return text  # the parent escapes every full stop


@lru_cache(1)
def _bibliography() -> pybtex.database.BibliographyData:
    return pybtex.database.parse_file(str(project.LEDGER.with_name("references.bib")), "bibtex")


def entry(key: str) -> Any:
    """An entry of `book/references.bib`; ValueError for a key that is none."""
    if key not in _bibliography().entries:
        raise ValueError(f"{key!r} is cited, but is no entry of book/references.bib: add it there.")
    return _bibliography().entries[key]


def paper(key: str) -> str:
    """Address of an entry of `book/references.bib`: its DOI, its preprint or its URL; "" where it names none."""
    fields = entry(key).fields
    if "doi" in fields:
        return f"https://doi.org/{fields['doi'].removeprefix('https://doi.org/')}"
    if fields.get("archiveprefix", fields.get("eprinttype", "")).lower() == "arxiv" and "eprint" in fields:
        return f"https://arxiv.org/abs/{fields['eprint']}"
    preprint = next((found[1] for value in fields.values() if (found := ARXIV.search(value))), None)
    return f"https://arxiv.org/abs/{preprint}" if preprint else fields.get("url", "")


def authors(key: str) -> str:
    """Who wrote it, as a citation in the text names them: one or two family names, or the first "et al."."""
    people = entry(key).persons.get("author") or entry(key).persons.get("editor") or []
    names = [str(Text.from_latex(" ".join((*person.prelast_names, *person.last_names)))) for person in people]
    if len(names) > 2 or "others" in names:
        return f"{names[0]} et al."
    return " and ".join(names)


def references(keys: Sequence[str]) -> str:
    """The list of references, sorted by author."""
    lines = []
    for made in Style().format_entries([entry(key) for key in dict.fromkeys(keys)]):
        words = " ".join(made.text.render(_Plain()).split())
        address = paper(made.key)
        if address.startswith("https://arxiv.org/") and address not in words and (named := ARXIV.search(words)):
            words = words.replace(named[0], f"[{named[0]}]({address})", 1)
        elif address and address not in words:
            words += f" [{address.removeprefix('https://')}]({address})"
        lines.append(f"- {words}")
    return "## References\n\n" + "\n".join(lines)

"""What a site says of itself is what CITATION.cff says, and names no address that is not public."""

import subprocess

import pytest
import yaml
from conftest import ROOT
from docutils import nodes

from seelike import edition


def test_facts_are_those_of_the_citation():
    cited, found = yaml.safe_load((ROOT / "CITATION.cff").read_text()), edition.read()
    assert (found.title, found.version, found.date, found.licence) == tuple(
        str(cited[k]) for k in ("title", "version", "date-released", "license")
    )
    assert len(found.abstract) >= edition.SHORTEST and all(a["name"] in edition.told() for a in cited["authors"])


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/somebody/book.git", "https://github.com/somebody/book"),
        ("git@github.com:somebody/book.git", "https://github.com/somebody/book"),
        ("https://name:secret@github.com/somebody/book", ""),
        ("/somewhere/on/this/machine", ""),
        ("https://git.example.org/somebody/book", ""),
    ],
)
def test_only_public_addresses_are_named(tmp_path, monkeypatch, remote, address):
    for command in (["init", "-q"], ["remote", "add", "origin", remote]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(edition.project, "ROOT", tmp_path)
    monkeypatch.delenv("SEELIKE_REPOSITORY", raising=False)
    assert edition.repository() == address
    monkeypatch.setenv("SEELIKE_REPOSITORY", "somebody/else")
    assert edition.repository() == "https://github.com/somebody/else"


def paged(*paragraphs):
    section = nodes.section("", *(nodes.paragraph("", text) for text in paragraphs))
    page = nodes.document(None, None)
    page += section
    return page


def test_a_page_is_described_by_its_first_paragraph_of_some_length():
    text = "What this page is about, in a sentence that is long enough to tell it."
    assert edition.description(paged("Short.", text)) == text
    assert edition.description(paged("Short.")).startswith(edition.read().abstract[:50]) and edition.description(None)
    cut = edition.description(paged("word " * 100))
    assert len(cut) <= edition.LONGEST + 2 and cut.endswith("word …")


def test_what_stands_in_the_head_is_escaped():
    assert 'content="&lt;b&gt; &quot;x&quot;"' in edition.head('<b> "x"', "told", "p.png")

"""Slides: findings and figures of a chapter in order, images of the site, links between decks, mathematics where there is some."""

import base64
import hashlib

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from seelike import contents, slides
from seelike.contents import Book, Target

PNG = base64.b64encode(b"\x89PNG pixels").decode()
NAME = hashlib.sha256(b"\x89PNG pixels").hexdigest() + ".png"


@pytest.fixture
def made(monkeypatch, tmp_path):
    """The site, the pages and the book of one chapter with one finding and one figure, and of one without either."""
    figure = {"figure": {"name": "fig-a", "caption": "Widths $x_1 < 2$; see {numref}`fig-b`."}, "image": {"alt": 'Two "curves" rise.'}}
    cells = [
        new_markdown_cell("# Title & more\n\ntext\n\n:::{finding} R21-1 estimate > 0\n**Stays** open.\n:::"),
        new_code_cell("1", metadata={"mystnb": figure}, outputs=[new_output("display_data", {"image/png": PNG})]),
    ]
    chapters = {"03_here": new_notebook(cells=cells), "04_there": new_notebook(cells=[new_markdown_cell("# Bare")])}
    targets = {"fig-b": Target("Figure 4.2", "04_there", "Distances")}
    book = Book(chapters, {"03_here": "3", "04_there": "4"}, targets, {"03_here": ["Figure 3.1"], "04_there": []})
    monkeypatch.setattr(contents, "read", lambda: book)
    pages = {stem: tmp_path / f"{stem}.ipynb" for stem in chapters}
    for stem, page in pages.items():
        nbformat.write(chapters[stem], page)
    site = tmp_path / "html"
    (site / "_images").mkdir(parents=True)
    (site / "_images" / NAME).touch()
    return site, pages


def test_a_deck_holds_title_finding_and_figure(made):
    site, pages = made
    index = slides.write(site, pages)
    assert sorted(p.name for p in index.parent.iterdir()) == ["03_here.html", "index.html"]
    assert '<a href="03_here.html">3. Title &amp; more</a>' in index.read_text()
    deck = (site / "slides" / "03_here.html").read_text().split("<section")[1:]
    assert len(deck) == 3 and "<h1>3. Title &amp; more</h1>" in deck[0] and "3 / 3" in deck[2]
    assert "<h2>What we found</h2>" in deck[1] and "<strong>Stays</strong> open." in deck[1]
    assert f'<img src="../_images/{NAME}" alt="Two &quot;curves&quot; rise.">' in deck[2]
    assert "<strong>Figure 3.1.</strong> Widths" in deck[2] and r"\(x_1 &lt; 2\)" in deck[2]
    assert '<a href="04_there.html">Figure 4.2</a>' in deck[2]


def test_mathematics_is_loaded_from_the_site_and_only_where_there_is_some(made):
    site, pages = made
    slides.write(site, pages)
    assert f'src="../{slides.MATHJAX}"' in (site / "slides" / "03_here.html").read_text()
    assert "mathjax" not in (site / "slides" / "index.html").read_text()


def test_an_image_that_the_site_lacks_is_named(made):
    site, pages = made
    (site / "_images" / NAME).unlink()
    with pytest.raises(ValueError, match=f"03_here: the site does not hold {NAME}"):
        slides.write(site, pages)


def test_chapters_that_a_site_leaves_out_have_no_deck(made):
    site, pages = made
    index = slides.write(site, {"04_there": pages["04_there"]})
    assert [p.name for p in index.parent.iterdir()] == ["index.html"]

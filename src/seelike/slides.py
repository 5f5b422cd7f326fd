"""Slides for a lecturer: of every chapter its findings and its figures with their captions, at `slides/` of a book's site.

A deck is one HTML page that takes its images and its mathematics from the site around it: it opens without internet, from a folder or a
server. Arrow keys turn slides; without scripts, and on paper, they stand below each other.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

from seelike import contents, project
from seelike.contents import Book
from seelike.myst import directive, tokens
from seelike.plain import Page

IMAGES, MATHJAX = "_images", "_static/mathjax/tex-chtml.js"  # below the site
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
html {{ scroll-snap-type: y proximity; font: 1.35rem/1.4 system-ui, sans-serif; }}
body {{ margin: 0; }}
section {{ min-height: 100vh; box-sizing: border-box; padding: 2vh 5vw; scroll-snap-align: start; display: flex; flex-direction: column;
  justify-content: center; gap: 1.5vh; border-bottom: 1px solid GrayText; overflow-wrap: anywhere; }}
img {{ max-width: 100%; max-height: 68vh; margin: 0 auto; background: #fff; }}
figure {{ margin: 0; display: contents; }}
figcaption {{ font-size: 1rem; max-width: 60rem; margin: 0 auto; }}
h1 {{ font-size: 2.4rem; line-height: 1.2; margin: 0; }}
h2 {{ margin: 0; }}
footer {{ font-size: .8rem; }}
@media (prefers-reduced-motion: no-preference) {{ html {{ scroll-behavior: smooth; }} }}
@media print {{ section {{ break-after: page; min-height: 0; height: 95vh; border: 0; }} }}
</style>{script}</head><body><main>
{slides}
</main><script>
addEventListener("keydown", (event) => {{
  const step = {{ ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 }}[event.key];
  if (!step || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("a, button")) return;
  const slides = [...document.querySelectorAll("section")];
  const now = slides.findIndex((slide) => slide.getBoundingClientRect().bottom > innerHeight / 2);
  event.preventDefault();
  slides[Math.max(0, Math.min(now + step, slides.length - 1))].scrollIntoView();
}});
</script></body></html>
"""


def write(site: Path, pages: Mapping[str, Path], tier: str = project.DEFAULT) -> Path:
    """Write a deck for each executed chapter into `slides/` of a site, and a page that lists them; returns that page.

    pages: executed chapters by stem. tier: whose numbers findings tell, a name or the path of a cast file.
    ValueError for a figure whose image the site does not hold.
    """
    book = contents.read()
    folder = site / "slides"
    folder.mkdir(exist_ok=True)
    entries = []
    for stem in [stem for stem in book.chapters if stem in pages]:
        title = ". ".join(filter(None, (book.numbers[stem], contents.title(book.chapters[stem]))))
        made = list(_slides(book, stem, nbformat.read(pages[stem], 4), site, tier))
        if not made:
            continue
        back = f'<a href="../book/chapters/{stem}.html">the chapter</a>, <a href="index.html">all decks</a>'
        first = f"<h1>{escape(title)}</h1><p>{len(made)} slides follow; arrow keys turn them.</p><p>{back}</p>"
        (folder / f"{stem}.html").write_text(_deck(title, [first, *made]), encoding="utf-8")
        entries.append(f'<li><a href="{stem}.html">{escape(title)}</a></li>')
    listed = f"<h1>Slides</h1><ul>{''.join(entries)}</ul>"
    (folder / "index.html").write_text(_deck("Slides", [listed]), encoding="utf-8")
    return folder / "index.html"


def _deck(title: str, slides: list[str]) -> str:
    footer = '<footer aria-hidden="true">{} / {}</footer>'
    numbered = [f'<section aria-label="Slide {i}">{s}{footer.format(i, len(slides))}</section>' for i, s in enumerate(slides, 1)]
    script = f'<script defer src="../{MATHJAX}"></script>' if "\\(" in "".join(slides) else ""
    return PAGE.format(
        title=escape(title), script=script, slides="\n".join(numbered if len(slides) > 1 else [f"<section>{slides[0]}</section>"])
    )


def _slides(book: Book, stem: str, executed: NotebookNode, site: Path, tier: str) -> Iterator[str]:
    """Findings and figures of a chapter in their order."""
    page = Page(book, stem, tier=tier)
    numbers = iter(book.figures[stem])
    for cell in executed.cells:
        if cell.cell_type == "markdown":
            found = [made for token in tokens(cell.source) if (made := directive(token)) and made.name == "finding"]
            for box in found:
                yield f"<h2>{escape(box.options.get('title', 'What we found'))}</h2>{_html(page.plain(box.body))}"
        elif figure := cell.metadata.get("mystnb", {}).get("figure"):
            number, caption = next(numbers), page.plain(figure.get("caption", ""))
            alt = escape(str(cell.metadata["mystnb"].get("image", {}).get("alt", "")))
            images = [f'<img src="../{IMAGES}/{_image(png, site, stem)}" alt="{alt}">' for png in _pictures(cell)]
            yield f"<figure>{''.join(images)}<figcaption>{_html(f'**{number}.** {caption}')}</figcaption></figure>"


def _pictures(cell: NotebookNode) -> Iterator[str]:
    for output in cell.outputs:
        if png := output.get("data", {}).get("image/png"):
            yield png


def _image(png: str, site: Path, stem: str) -> str:
    """The name under which the site holds an image of a notebook: the hash of its bytes."""
    name = f"{hashlib.sha256(base64.b64decode(png)).hexdigest()}.png"
    if not (site / IMAGES / name).exists():
        raise ValueError(f"{stem}: the site does not hold {name}, an image of its executed chapter: build the site again.")
    return name


def _html(markdown: str) -> str:
    """Markdown as HTML, mathematics left to MathJax, links to chapters turned to their slides."""
    parser = MarkdownIt("commonmark").enable("table")
    parser.use(
        dollarmath_plugin, renderer=lambda content, options: escape(rf"\[{content}\]" if options["display_mode"] else rf"\({content}\)")
    )
    return str(parser.render(re.sub(r"\]\((\d\d_\w+)\.ipynb\)", r"](\1.html)", markdown)))

"""Key pages look as they did when somebody last looked: `python -m pytest tests/test_looks.py --accept` takes what is there as right.

References are grey and 64 pixels wide, so that a word more or another way to draw letters is no difference, and a block that moved, a
table without its colours or a page without its style is one.
"""

import io
import os

import numpy as np
import pytest
from conftest import ROOT, SITE
from PIL import Image

REFERENCES, SEEN = ROOT / "tests" / "looks", ROOT / "_build" / "looks"
WIDTH = 64  # pixels of a reference
MOST, SHARE = 32, 0.04  # grey levels that a pixel may be off, and the share of pixels that may be farther off
PAGES = {
    "intro": "book/intro.html",
    "scorecard": "book/chapters/15_scorecard.html",
    "chapter": "book/chapters/03_representation_structure.html",
}
VIEWS = {"light": ("light", 1280), "dark": ("dark", 1280), "phone": ("light", 390)}


def small(picture):
    """A screenshot in grey, WIDTH pixels wide."""
    return picture.convert("L").resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.BOX)


def off(one, other):
    """The share of pixels that differ by more than MOST; 1 for pictures of different sizes."""
    if one.size != other.size:
        return 1.0
    return float((np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)) > MOST).mean())


def beside(reference, now):
    """Reference, what is there now, and where they differ (white), enlarged."""
    blank = Image.new("L", now.size, 128)
    old = reference if reference.size == now.size else blank
    where = Image.fromarray(np.where(np.abs(np.asarray(old, dtype=int) - np.asarray(now, dtype=int)) > MOST, 255, 0).astype(np.uint8))
    sheet = Image.new("L", (3 * now.width + 4, now.height), 128)
    for i, picture in enumerate((old, now, where)):
        sheet.paste(picture, (i * (now.width + 2), 0))
    return sheet.resize((8 * sheet.width, 8 * sheet.height), Image.Resampling.NEAREST)


def shot(browser, server, path, theme, width):
    context = browser.new_context(viewport={"width": width, "height": 1800}, color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{server}/{path}", wait_until="networkidle")
    page.evaluate("Promise.all([document.fonts.ready, window.MathJax?.startup?.promise, ...[...document.images].map(i => i.decode())])")
    page.wait_for_timeout(300)  # the theme moves its sidebars when the page has been set
    taken = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    context.close()
    return taken


@pytest.mark.page
@pytest.mark.skipif(not (SITE / "index.html").exists(), reason="no site in _build/html: run make book")
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", PAGES)
def test_key_pages_look_as_before(browser, server, request, name, view):
    taken = shot(browser, server, PAGES[name], *VIEWS[view])
    now, held = small(taken), REFERENCES / f"{name}-{view}.png"
    if request.config.getoption("--accept"):
        beside_it = held.with_suffix(f".{os.getpid()}")
        now.save(beside_it, format="png", optimize=True)
        os.replace(beside_it, held)
        return
    assert held.exists(), f"{held.name} is missing: look at the page, then python -m pytest tests/test_looks.py --accept"
    reference = Image.open(held)
    share = off(reference, now)
    if share > SHARE:
        SEEN.mkdir(parents=True, exist_ok=True)
        beside(reference, now).save(SEEN / f"{name}-{view}.png")
        taken.save(SEEN / f"{name}-{view}-now.png")
    assert share <= SHARE, f"{share:.0%} of {name} ({view}) looks otherwise: see {SEEN}, then accept it (--accept) or mend it."


def test_references_are_small_and_all_of_them_are_used():
    held = sorted(path.name for path in REFERENCES.iterdir())
    assert held == sorted(f"{name}-{view}.png" for name in PAGES for view in VIEWS)
    assert max(path.stat().st_size for path in REFERENCES.iterdir()) < 40e3


def page():
    """Something like a page: a sidebar, lines, a dark table."""
    drawn = np.full((1800, 1280), 255, np.uint8)
    drawn[:, :256] = 240
    drawn[100:900:30, 300:1000] = 0
    drawn[1000:1300, 300:1000] = 60
    return drawn


@pytest.mark.parametrize("change", ["moved", "theme", "no table", "narrow"])
def test_what_a_reader_would_see_is_a_difference(change):
    before, after = page(), page()
    after = {
        "moved": np.roll(after, 120, 0),
        "theme": 255 - after,
        "no table": np.where(np.arange(1800)[:, None] >= 1000, 255, after).astype(np.uint8),
        "narrow": after[:, :390],
    }[change]
    assert off(*(small(Image.fromarray(p)) for p in (before, after))) > SHARE


def test_noise_and_a_line_of_text_are_none():
    before, after = page(), page().astype(int)
    after[910:925, 300:700] = 90
    after = np.clip(after + np.random.default_rng(0).normal(0, 20, after.shape), 0, 255).astype(np.uint8)
    assert off(*(small(Image.fromarray(p)) for p in (before, after))) <= SHARE

"""The built site in headless Chromium: mathematics, search, accessibility, phones, and no other host."""

import re

import pytest
from conftest import ROOT, SITE

PAGES = [f"book/{name}.html" for name in ("intro", "how_to_run", "api", "glossary", "bibliography", "changes")] + [
    f"book/chapters/{path.stem}.html" for path in sorted((ROOT / "notebooks").glob("*.py"))
]
pytestmark = [pytest.mark.page, pytest.mark.skipif(not (SITE / "index.html").exists(), reason="no site in _build/html: run make book")]


def test_every_image_has_real_alt_text():
    for page in PAGES:
        for tag in re.findall(r"<img[^>]*>", (SITE / page).read_text()):
            alt = re.search(r'alt="([^"]*)"', tag)
            assert alt and len(alt[1]) >= 20 and not re.search(r"\.png|_images/", alt[1]), (page, tag)


def test_every_cell_was_executed():
    import nbformat

    from seelike import project
    from seelike.run import gate

    folder = project.pages(project.DEFAULT)
    assert {p.stem for p in folder.glob("*.ipynb")} == {p.stem for p in (ROOT / "notebooks").glob("*.py")}
    for path in folder.glob("*.ipynb"):
        assert gate(nbformat.read(path, 4)) == [], path.name


def test_notebooks_that_a_page_offers_are_good_to_read():
    import nbformat

    for path in (SITE / "_sources" / "book" / "chapters").glob("*.ipynb"):
        text = "\n".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == "markdown")
        assert not re.search(r"\{(ref|numref|claim|cite:[tp]|eq|seconds)\}`|^:::|^\([\w-]+\)=$", text, re.M), path.name


def test_no_page_names_another_host_to_load_from():
    for page in PAGES:
        text = (SITE / page).read_text()
        for tag in re.findall(r"<(?:script|link|img|iframe)[^>]*>", text):
            assert not re.search(r'(?:src|href)="(?:https?:)?//', tag), (page, tag)
        assert not re.search(r"""import\(["']https?:""", text), page


def test_the_site_is_small():
    assert sum(p.stat().st_size for p in SITE.rglob("*") if p.is_file()) < 25e6


@pytest.fixture(scope="module", params=PAGES)
def opened(request, visit):
    """Each page of the book, opened once for all tests of it."""
    with visit(request.param) as found:
        yield found


def test_pages_render_quietly(opened):
    page, trouble = opened
    assert not trouble, trouble
    assert page.locator("article h1").count() == 1
    broken = page.evaluate("[...document.images].filter(i => i.complete && i.naturalWidth === 0).map(i => i.src)")
    assert not broken


def test_no_horizontal_scroll_on_a_phone(opened):
    page, _ = opened
    page.set_viewport_size({"width": 390, "height": 900})
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert over <= 0


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_axe_finds_nothing_serious(opened, axe, theme, width):
    page, _ = opened
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    page.evaluate(f"document.documentElement.dataset.mode = document.documentElement.dataset.theme = '{theme}'")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
    serious = [
        (v["id"], [(n["html"][:150], n["any"][0]["message"] if n["any"] else "") for n in v["nodes"][:4]])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    assert not serious, serious


def test_mathematics_is_typeset(visit):
    with visit("book/chapters/02_cka.html") as (page, _):
        page.wait_for_selector("mjx-container", timeout=15_000)
        assert page.locator("mjx-container").count() >= 15 and page.locator("mjx-merror").count() == 0
        fonts = page.evaluate("document.fonts.ready.then(f => [...f].filter(x => x.status === 'loaded').map(x => x.family).join())")
        assert "MJX" in fonts


def test_search_finds_a_term(visit):
    with visit("search.html?q=jackknife") as (page, trouble):
        page.wait_for_selector("#search-results li", timeout=15_000)
        assert page.locator("#search-results li").count() >= 1 and not trouble


def test_links_inside_the_site_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r'<a[^>]* href="([^"#?]+)', (SITE / page).read_text()):
            if not re.match(r"https?:|mailto:|javascript:", target):
                assert ((SITE / page).parent / target).exists(), (page, target)

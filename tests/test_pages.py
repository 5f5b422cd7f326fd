"""What readers of a site expect beyond its chapters: what the page is, its numbers, figures that enlarge, tables that scroll, a search."""

import csv
import json
import re
from html import unescape

import pytest
import yaml
from conftest import ROOT, SITE

from seelike import claims, downloads, edition, ledger, scorecard

CHAPTERS = [f"book/chapters/{path.stem}.html" for path in sorted((ROOT / "notebooks").glob("*.py"))]
STRUCTURE, SCORECARD = CHAPTERS[3], "book/chapters/15_scorecard.html"
pytestmark = [pytest.mark.page, pytest.mark.skipif(not (SITE / "index.html").exists(), reason="no site in _build/html: run make book")]


def heads():
    """Meta elements of every page by name or property."""
    found = {}
    for page in [*CHAPTERS, "book/intro.html", "book/api.html", "book/changes.html"]:
        text = (SITE / page).read_text()
        pairs = re.findall(r'<meta (?:name|property)="([^"]+)" content="([^"]*)"', text)
        found[page] = {key: unescape(value) for key, value in pairs} | {"lang": re.search(r'<html lang="(\w+)"', text)[1]}
    return found


def test_every_page_says_what_it_is():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    for page, head in heads().items():
        assert head["lang"] == "en", page
        assert edition.SHORTEST <= len(head["description"]) <= edition.LONGEST + 2, (page, head["description"])
        assert head["author"] == ", ".join(a["name"] for a in cited["authors"])
        assert (head["dcterms.date"], head["dcterms.license"]) == (str(cited["date-released"]), cited["license"])
        assert ((SITE / page).parent / head["og:image"]).resolve() == (SITE / edition.PICTURE).resolve() and (
            SITE / edition.PICTURE
        ).exists()
        assert 'rel="canonical"' not in (SITE / page).read_text()


def test_no_two_chapters_describe_themselves_alike():
    told = [head["description"] for page, head in heads().items() if page in CHAPTERS]
    assert len(set(told)) == len(told) == len(CHAPTERS)


def test_every_page_names_edition_and_licence():
    e = edition.read()
    for page in [*CHAPTERS, "book/intro.html"]:
        line = re.search(r'<p class="edition">.*?</p>', (SITE / page).read_text())[0]
        assert e.version in line and e.date in line and e.licence in line and 'rel="license"' in line, page
    changes = (SITE / "book/changes.html").read_text()
    assert 'id="licence"' in changes and "WITHOUT WARRANTY" in changes and "@software" in changes
    for path in SITE.rglob("*.html"):
        assert not re.search(r"/(?:work|root|home)/", re.sub(r"<pre>.*?</pre>", "", path.read_text(), flags=re.S)), path


@pytest.mark.parametrize("page", CHAPTERS)
def test_figures_lead_to_the_numbers_of_their_chapter(page):
    number = page.rpartition("/")[2].partition("_")[0]
    text = (SITE / page).read_text()
    table = SITE / downloads.FOLDER / f"{number}.csv"
    figures, links = re.findall(r"<figure.*?</figure>", text, re.S), text.count(f'href="../../{downloads.FOLDER}/{number}.csv"')
    assert links == (len(figures) if table.exists() else 0)
    recorded = json.loads(path.read_text()) if (path := ROOT / "results" / "scenes" / f"{number}.json").exists() else {}
    assert table.exists() or not recorded
    own = [name for figure in figures for name in re.findall(rf'href="../../({downloads.FOLDER}/fig-[\w-]+\.csv)"', figure)]
    few = 0 if number == "00" else len(figures) / 2  # chapter 0 shows schematics and pictures
    assert len(own) >= few and all((SITE / name).read_text().count("\n") > 1 for name in own)


def test_numbers_in_the_tables_are_those_of_the_scorecard():
    found = 0
    for claim in ledger.ledger().values():
        path = SITE / downloads.FOLDER / f"{claim.chapter}.csv"
        held = {}
        if path.exists():
            with open(path, encoding="utf-8", newline="") as stream:
                held = {(r["tier"], r["section"], r["name"]): r["value"] for r in csv.DictReader(stream)}
        for tier in ("cifar10", "photographs"):  # what is recorded in `results/` and not run with the book
            entry = claims.recorded_of(claim.id, tier)
            if entry and entry.interval():
                assert float(held[tier, "claims", f"{claim.id} > estimate"]) == entry.estimate
                found += 1
    assert found >= 10


def test_a_figure_enlarges_by_keyboard_and_gives_the_focus_back(visit):
    with visit(STRUCTURE) as (page, trouble):
        page.locator("#fig-structure button.enlarge").focus()
        page.keyboard.press("Enter")
        dialog = page.locator("dialog.enlarged")
        assert dialog.is_visible() and page.evaluate("document.querySelector('dialog.enlarged').contains(document.activeElement)")
        own, shown = page.locator("#fig-structure img").first, dialog.locator("img")
        assert shown.get_attribute("src").endswith(own.get_attribute("src").rpartition("/")[2])
        assert shown.get_attribute("alt") == own.get_attribute("alt") and dialog.locator("p").inner_text() == "Fig. 3.1"
        assert shown.bounding_box()["width"] > own.bounding_box()["width"]
        for _ in range(4):  # nothing behind the dialog can be reached
            page.keyboard.press("Tab")
            assert page.evaluate(
                "document.querySelector('dialog.enlarged').contains(document.activeElement) || document.activeElement === document.body"
            )
        dialog.get_by_role("button").focus()
        page.keyboard.press("Escape")
        assert not dialog.is_visible()
        assert page.evaluate("document.activeElement.matches('#fig-structure button.enlarge')") and not trouble


def test_a_click_on_a_figure_enlarges_it_and_close_closes(visit):
    with visit(STRUCTURE) as (page, _):
        page.locator("#fig-cross img").click()
        page.get_by_role("button", name="Close", exact=True).click()
        assert not page.locator("dialog.enlarged").is_visible()
        assert page.evaluate("document.activeElement.matches('#fig-cross button.enlarge')")


def test_on_a_phone_an_enlarged_figure_scrolls(visit):
    with visit(STRUCTURE) as (page, _):
        page.set_viewport_size({"width": 390, "height": 800})
        page.locator("#fig-structure button.enlarge").click()
        wide = page.evaluate("(p => p.scrollWidth > p.clientWidth * 1.5)(document.querySelector('dialog.enlarged .picture'))")
        assert wide and page.locator("dialog.enlarged").bounding_box()["width"] <= 390


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_an_enlarged_figure(visit, axe, theme):
    with visit(STRUCTURE) as (page, _):
        page.evaluate(f"document.documentElement.dataset.mode = document.documentElement.dataset.theme = '{theme}'")
        page.locator("#fig-structure button.enlarge").click()
        page.evaluate(axe)
        found = page.evaluate("axe.run('dialog.enlarged', {resultTypes: ['violations']}).then(r => r.violations)")
        assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []


CUES = """[...document.querySelectorAll('article :is(.scroll, .output, .pst-scrollable-table-container, mjx-container[display])')]
  .filter(e => e.checkVisibility() && (e.matches('mjx-container') || e.querySelector('table')) && e.scrollWidth > 0)
  .map(e => [e.scrollWidth > e.clientWidth + 1, !!e.previousElementSibling?.classList.contains('scroll-cue'), e.tabIndex === 0])"""


@pytest.mark.parametrize("path", [STRUCTURE, CHAPTERS[4], SCORECARD])
def test_what_is_wider_than_a_phone_says_so_and_takes_the_focus(visit, path):
    with visit(path) as (page, _):
        page.set_viewport_size({"width": 390, "height": 800})
        page.evaluate("window.MathJax?.startup?.promise")
        page.evaluate("document.querySelectorAll('details.claim-fold').forEach(fold => { fold.open = true })")
        page.wait_for_timeout(300)
        found = page.evaluate(CUES)
        assert any(wide for wide, _, _ in found)
        assert all(wide == cue and (focus or not wide) for wide, cue, focus in found), found
        page.set_viewport_size({"width": 1280, "height": 800})
        page.wait_for_timeout(300)
        assert all(wide == cue for wide, cue, _ in page.evaluate(CUES))


def test_tables_can_be_read_in_the_dark(visit):
    """Light letters on a dark ground; that the contrast suffices is axe's to say."""
    with visit(STRUCTURE) as (page, _):
        page.evaluate("document.documentElement.dataset.mode = document.documentElement.dataset.theme = 'dark'")
        light = page.evaluate("""[...document.querySelectorAll('article :is(td, th)')].map(e => {
          const shade = (c) => (([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b)(c.match(/[\\d.]+/g).map(Number));
          let behind = e;
          while (behind && /, 0\\)$|transparent/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
          return [shade(getComputedStyle(e).color), shade(getComputedStyle(behind ?? document.body).backgroundColor)];
        })""")
        assert len(light) > 10 and all(text - behind > 100 for text, behind in light), light[:5]


@pytest.mark.parametrize("claim", ["R21-1", "R21-17", "L20-3"])
def test_a_search_for_a_claim_finds_its_fold_first(visit, claim):
    with visit(f"search.html?q={claim}") as (page, trouble):
        page.wait_for_selector("#search-results li a", timeout=15_000)
        page.wait_for_function("document.querySelector('#search-results p').innerText.includes('finished')", timeout=15_000)
        assert page.locator("#search-results li a").first.get_attribute("href") == f"{SCORECARD}#{scorecard.anchor(claim)}"
        page.locator("#search-results li a").first.click()
        page.wait_for_load_state("networkidle")
        assert page.locator(f"#{scorecard.anchor(claim)}").get_attribute("open") is not None and not trouble


def test_a_search_for_a_function_finds_its_description_first(visit):
    with visit("search.html?q=sweep") as (page, _):
        page.wait_for_selector("#search-results li a", timeout=15_000)
        assert page.locator("#search-results li a").first.get_attribute("href") == "book/api.html#seelike.cka.sweep"


@pytest.mark.parametrize("path", CHAPTERS)
def test_a_chapter_weighs_little_without_its_figures(browser, server, path):
    """Bytes of a first visit, unpacked."""
    context, weights = browser.new_context(), {}
    page = context.new_page()
    page.on("requestfinished", lambda request: weights.__setitem__(request.url, len(request.response().body())))
    page.goto(f"{server}/{path}", wait_until="networkidle")
    context.close()
    own = {url.removeprefix(server): n for url, n in weights.items() if "/_images/" not in url and not url.startswith("data:")}
    assert sum(own.values()) <= 1.5e6, sorted(own.items(), key=lambda kept: -kept[1])[:8]


def test_icons_that_pages_use_are_in_their_font():
    from fontTools.ttLib import TTFont

    css = (SITE / "_static" / "styles" / "pydata-sphinx-theme.css").read_text()
    held = TTFont(next((SITE / "_static" / "vendor").rglob("fa-solid-900.woff"))).getBestCmap()
    names = {n for path in SITE.rglob("*.html") for n in re.findall(r"\bfa-(?!solid|lg)[a-z-]+", path.read_text())}
    codes = {n: re.search(rf"\.{n}:before[^{{]*\{{content:\"\\([0-9a-f]+)\"", css) for n in names}
    assert len(names) > 8 and all(code and int(code[1], 16) in held for code in codes.values()), codes

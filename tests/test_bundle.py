"""The bundle: what is in it, that it replaces the old one only when whole, and that it can be read from a folder."""

import re
import zipfile

import pytest
from conftest import ROOT, SITE

from seelike import bundle, readers
from seelike.site import SiteError


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A site of one page, a repository of two files, a chapter; and a place for the bundle."""
    site, repository = tmp_path / "html", tmp_path / "repository"
    for file in (site / "index.html", site / "slides" / "index.html", repository / "README.md", repository / "zoo" / "a.safetensors"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.name)

    def notebooks(folder, *, kit):
        for kind in ("student", "instructor"):
            (folder / kind).mkdir()
            (folder / kind / "03_here.ipynb").write_text(kind)

    monkeypatch.setattr(bundle, "SITE", site)
    monkeypatch.setattr(bundle.project, "ROOT", repository)
    monkeypatch.setattr(bundle, "tracked", lambda: [repository / "README.md", repository / "zoo" / "a.safetensors"])
    monkeypatch.setattr(readers, "write", notebooks)
    return tmp_path / "build" / "seelike.zip"


def test_site_students_notebooks_weights_and_instructions_are_in_it(small):
    with zipfile.ZipFile(bundle.write(small)) as made:
        assert made.testzip() is None
        assert sorted(made.namelist()) == [
            "seelike/README.txt",
            "seelike/book/README.md",
            "seelike/book/zoo/a.safetensors",
            "seelike/index.html",
            "seelike/site/index.html",
            "seelike/site/slides/index.html",
            "seelike/student/03_here.ipynb",
        ]
        assert made.read("seelike/student/03_here.ipynb") == b"student"
        told = made.read("seelike/README.txt").decode()
    named = set(re.findall(r"\b(?:index\.html|site/slides/index\.html|student/|book/zoo)", told))
    assert named == {"index.html", "site/slides/index.html", "student/", "book/zoo"}
    assert [p.name for p in small.parent.iterdir()] == ["seelike.zip"]


def test_a_bundle_that_fails_leaves_the_old_one(small, monkeypatch):
    before = bundle.write(small).read_bytes()

    def full(folder, *, kit):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(readers, "write", full)
    with pytest.raises(OSError, match="No space"):
        bundle.write(small)
    assert small.read_bytes() == before and [p.name for p in small.parent.iterdir()] == ["seelike.zip"]


def test_where_it_is_and_how_large_is_said(small, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bundle"])
    monkeypatch.setattr(bundle, "write", lambda: bundle_of(small, 3_000_000))
    assert bundle.main() == 0
    assert capsys.readouterr().out == f"The bundle is {small}, 3 MB\n"


def bundle_of(place, size):
    place.parent.mkdir()
    place.write_bytes(b"\0" * size)
    return place


def test_without_a_site_one_sentence_says_what_to_do(small, monkeypatch, capsys):
    (bundle.SITE / "index.html").unlink()
    monkeypatch.setattr("sys.argv", ["bundle"])
    with pytest.raises(SiteError, match="no site in .* run `make book`"):
        bundle.write(small)
    monkeypatch.setattr(bundle, "PLACE", small)
    assert bundle.main() == 1 and "make book" in capsys.readouterr().err


def test_files_are_those_under_git(tmp_path, monkeypatch):
    found = {str(path.relative_to(ROOT)) for path in bundle.tracked()}
    assert {"Makefile", "requirements.lock", "src/seelike/bundle.py", "zoo/scenes/vit_cls-0.safetensors"} <= found
    assert not [name for name in found if name.startswith((".venv", "_build"))]
    monkeypatch.setattr(bundle.project, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SiteError, match="clone the repository"):
        bundle.tracked()


@pytest.mark.page
@pytest.mark.skipif(not (SITE / "index.html").exists(), reason="no site in _build/html: run make book")
def test_it_can_be_read_from_a_folder_without_a_network(browser, monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "tracked", lambda: [ROOT / "README.md"])
    with zipfile.ZipFile(bundle.write(tmp_path / "seelike.zip")) as made:
        made.extractall(tmp_path)
    folder = tmp_path / "seelike"
    assert len(list((folder / "student").glob("*.ipynb"))) == len(list((ROOT / "notebooks").glob("*.py")))
    page, trouble = browser.new_page(), []
    page.on("console", lambda m: trouble.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: trouble.append(str(e)))
    page.on("request", lambda r: trouble.append(f"asks {r.url}") if not r.url.startswith(("file:", "data:", "blob:")) else None)
    page.on("requestfailed", lambda r: trouble.append(f"lacks {r.url}"))
    page.goto(f"file://{folder}/index.html")
    page.wait_for_url("**/book/intro.html")
    assert page.locator("article h1").count() == 1
    page.goto(f"file://{folder}/site/book/chapters/02_cka.html", wait_until="networkidle")
    page.wait_for_selector("mjx-container", timeout=30_000)
    fonts = page.evaluate("document.fonts.ready.then(f => [...f].filter(x => x.status === 'loaded').map(x => x.family).join())")
    assert "MJX" in fonts
    page.goto(f"file://{folder}/site/slides/03_representation_structure.html", wait_until="networkidle")
    assert page.locator("section").count() > 3
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelectorAll('section')[1].getBoundingClientRect().top < innerHeight / 2")
    broken = page.evaluate("[...document.images].filter(i => i.complete && i.naturalWidth === 0).map(i => i.src)")
    assert not broken and not trouble, (broken, trouble)
    page.close()

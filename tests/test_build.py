"""Builds: one at a time, nothing to unlock after a kill, sites that belong to one book."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

from seelike import build, project, site, tiers

HOLD = "import sys, time\nfrom pathlib import Path\nfrom seelike import build, project\nproject.BUILD = Path(sys.argv[1])\n"
HOLD += "with build.alone():\n    print('held', flush=True)\n    time.sleep(60)\n"


def test_one_build_at_a_time_and_no_lock_outlives_its_owner(tmp_path, monkeypatch):
    monkeypatch.setattr(project, "BUILD", tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "held\n"
        with (
            pytest.raises(BlockingIOError, match=f"Another build is under way here .process {owner.pid}.: wait for it, or stop it"),
            build.alone(),
        ):
            pass
        owner.send_signal(signal.SIGKILL)
    with build.alone():  # at once, with nothing to mend
        pass


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"TIER": "bogus"}, "There is no tier 'bogus': expected one of smoke, scenes"),
        ({"TIER": "x; touch FILE #"}, "There is no tier 'x; touch FILE #'"),
        ({"JOBS": "0; touch FILE"}, "expected a whole number of at least 1, got '0; touch FILE'"),
        ({"CAST": "nowhere.yml"}, "There is no cast file nowhere.yml"),
    ],
)
@pytest.mark.skipif(not shutil.which("make") or not (ROOT / ".venv" / "ready").exists(), reason="no make, or no .venv: run make test")
def test_make_refuses_what_it_does_not_know_and_runs_none_of_it(tmp_path, words, message):
    said = [f"{key}={value.replace('FILE', str(tmp_path / 'made'))}" for key, value in words.items()]
    asked = subprocess.run(["make", "-s", "-o", ".venv/ready", "book", *said], cwd=ROOT, capture_output=True, text=True, check=False)
    assert asked.returncode == 2 and message.replace("FILE", str(tmp_path / "made")) in asked.stderr
    assert not (tmp_path / "made").exists() and "Traceback" not in asked.stderr


@pytest.mark.parametrize(("page", "hours", "kept"), [(True, -1, True), (False, -1, False), (True, 48, False)])
def test_a_stamp_without_its_page_or_from_the_future_is_taken_away(tmp_path, page, hours, kept):
    stamp = tmp_path / "03"
    stamp.touch()
    when = stamp.stat().st_mtime + 3600 * hours
    os.utime(stamp, (when, when))
    if page:
        (tmp_path / "03.ipynb").touch()
    project.sweep(stamp, tmp_path / "03.ipynb")
    assert stamp.exists() == kept
    project.sweep(stamp, tmp_path / "03.ipynb")  # one that is not there is none


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Executed pages of the default book, empty."""
    monkeypatch.setattr(project, "BUILD", tmp_path / "_build")
    folder = project.pages(project.DEFAULT)
    folder.mkdir(parents=True)
    for path in project.NOTEBOOKS.glob("*.py"):
        (folder / f"{path.stem}.ipynb").write_text(path.stem)
    return folder


def chapters(folder):
    toc = yaml.safe_load((folder / "_toc.yml").read_text())
    return [c["file"].rpartition("/")[2] for part in toc["parts"] for c in part["chapters"] if "/chapters/" in c["file"]]


def test_the_site_of_a_tier_takes_the_chapters_that_follow_no_tier_from_the_default_book(book):
    tier = tiers.get("cifar10")
    with pytest.raises(site.SiteError, match=r"02_cka, .* were not executed at cifar10: run `make book`"):
        site.stage(tier)
    own = project.pages("cifar10")
    own.mkdir(parents=True)
    for path in project.NOTEBOOKS.glob("*.py"):
        if project.follows(path):
            (own / f"{path.stem}.ipynb").write_text("cifar10")
    folder = site.stage(tier)
    assert (folder / "book/chapters/01_data_and_models.ipynb").read_text() == "01_data_and_models"
    assert (folder / "book/chapters/03_representation_structure.ipynb").read_text() == "cifar10" and len(chapters(folder)) == len(
        list(project.NOTEBOOKS.glob("*.py"))
    )
    config = yaml.safe_load((folder / "_config.yml").read_text())
    assert config["sphinx"]["config"]["seelike_tier"] == "cifar10" and config["title"].endswith("(CIFAR-10)")
    assert (book / "03_representation_structure.ipynb").read_text() == "03_representation_structure"  # the default book is as it was


def test_the_site_of_a_cast_has_the_chapters_that_follow_it(book, tmp_path):
    (tmp_path / "mine.yml").write_text("images: scenes\nnetworks: {vit: {timm: test_vit}}\n")
    tier = tiers.get(str(tmp_path / "mine.yml"))
    own = project.pages("mine")
    own.mkdir(parents=True)
    for path in project.NOTEBOOKS.glob("*.py"):
        if project.follows(path):
            (own / f"{path.stem}.ipynb").write_text("mine")
    folder = site.stage(tier)
    assert len(chapters(folder)) == len(list(project.NOTEBOOKS.glob("*.py")))  # so that all have the numbers of the book
    stub = (own / "01_data_and_models.md").read_text()
    assert stub.startswith("(sec-data)=\n# ") and "it is in the published book" in stub and not (own / "01_data_and_models.ipynb").exists()
    assert yaml.safe_load((folder / "_config.yml").read_text())["sphinx"]["config"]["seelike_partial"] is True


def test_a_new_site_takes_the_place_of_the_old_one_in_one_step(tmp_path):
    new, place = tmp_path / "new", tmp_path / "html"
    for folder in (new, place):
        folder.mkdir()
        (folder / "index.html").write_text(folder.name)
    site._swap(new, place)
    assert (place / "index.html").read_text() == "new" and sorted(os.listdir(tmp_path)) == ["html"]
    site._link(tmp_path / "link", place)
    site._link(tmp_path / "link", place)  # again, over itself
    assert (tmp_path / "link" / "index.html").read_text() == "new"

"""Questions to the reader, on the site and in notebooks."""

import os
import subprocess
import sys

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

from seelike import claims, quiz

QUIZ = """- [ ] The first. ~ It sees *three* pixels.
- [x] The last. ~ Fields grow."""
GUESS = "- It grows.\n- It shrinks,\n  slowly."


def test_choices_are_read():
    first, last = quiz.choices(QUIZ.splitlines(), marked=True)
    assert first == ("The first.", False, "It sees *three* pixels.") and last.right
    assert [c.text for c in quiz.choices(GUESS.splitlines(), marked=False)] == ["It grows.", "It shrinks, slowly."]


@pytest.mark.parametrize(
    ("body", "marked", "message"),
    [
        ("- a\n- b", True, r"A choice is a line '- \[x\] answer ~ feedback'"),
        ("- [x] a ~ b\n- [x] c ~ d", True, "exactly one right one"),
        ("- [ ] a ~ b\n- [ ] c ~ d", True, "exactly one right one"),
        ("- [x] a\n- [ ] b ~ c", True, "Every choice of a quiz has feedback"),
        ("- [x] a ~ b\n- c ~ d", False, "A choice is a line '- answer'"),
        ("- a", False, "at least two choices"),
        ("text", False, "A choice is a line"),
    ],
)
def test_a_question_that_is_none(body, marked, message):
    with pytest.raises(ValueError, match=message):
        quiz.choices(body.splitlines(), marked=marked)


def test_in_notebooks_the_answers_are_folded():
    told = quiz.plain("Which?", QUIZ, marked=True)
    assert (
        told.startswith("**Quiz** Which?\n\n- The first.\n- The last.")
        and "**Right:** The last. Fields grow." in told.partition("<details>")[2]
    )
    assert "<details>" not in quiz.plain("Which?", GUESS, marked=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A page of a book with each of our directives, and what Sphinx warned about."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.md").write_text(
        f"(top)=\n# Page\n\n:::{{quiz}} Which **layer**, as in {{ref}}`top`?\n{QUIZ}\n:::\n\n:::{{guess}} How does it go?\n{GUESS}\n:::\n\n"
        ":::{finding} R21-1 @ smoke summary not run\n*Found.*\n:::\n\n:::{finding} R21-1 @ smoke summary nonsense\nNot found.\n:::\n\n"
        ":::{scores} Raghu\n:::\n\n:::{tiles} Raghu\n:::\n\n{claim}`R21-1`\n"
    )
    (folder / "conf.py").write_text(
        "extensions = ['myst_parser', 'seelike.sphinxext']\nmyst_enable_extensions = ['colon_fence']\nseelike_tier = 'smoke'\n"
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-w", "said", ".", "out"]
    environment = os.environ | {"SEELIKE_RESULTS": str(folder / "none"), "SEELIKE_BOOK": "lab"}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    said = (folder / "said").read_text()
    return BeautifulSoup((folder / "out" / "index.html").read_text(), "html.parser"), said


def test_questions_become_radio_buttons(site):
    page, _ = site
    asked, guessed = page.select("fieldset.quiz")
    assert asked.legend.get_text(" ", strip=True) == "Quiz Which layer , as in Page ?" and asked.legend.strong.text == "layer"
    assert [i["data-right"] for i in asked.select("input")] == ["0", "1"] and len(asked.select(".feedback")) == 2
    assert not guessed.select(".feedback") and len({i["name"] for i in page.select("input[type=radio]")}) == 2


def test_a_finding_without_support_is_a_warning(site):
    page, said = site
    assert [box.select("p")[1].text for box in page.select(".finding")] == ["Found.", "Not found."]
    assert "The ledger does not support this finding: 'R21-1 @ smoke summary nonsense', but it is 'not run'" in said
    assert said.count("does not support") == 1


def test_claims_link_to_their_folds(site):
    page, _ = site
    assert page.select_one("a.claim")["href"] == "book/chapters/15_scorecard.html#claim-r21-1"
    tiles = page.select("table.tiles tbody a")
    assert len(tiles) == sum(c["paper"].startswith("Raghu") for c in claims.ledger().values())
    assert all(a["href"].startswith("book/chapters/15_scorecard.html#claim-r21-") for a in tiles)
    assert "No claim of Raghu et al. 2021 was asked" in page.get_text()


def test_scripts_of_questions_are_loaded_by_the_book():
    assert "quiz.js" in (ROOT / "_config.yml").read_text()

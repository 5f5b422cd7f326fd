"""Notebooks that readers open: no MyST, the site's numbers, solutions apart, nothing of a reader's own overwritten."""

import builtins
import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from seelike import checks, contents, dependencies, papers, project, readers
from seelike.contents import Book, Exercise, Target
from seelike.plain import Page
from seelike.readers import Install

STEMS = sorted(path.stem for path in project.NOTEBOOKS.glob("*.py"))
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
RAW = re.compile(r"\{[a-z][\w:+-]*\}|\{[.#][\w-]+\}|:::|^\([\w-]+\)=|^:[a-z]+: ", re.MULTILINE)
TARGETS = {
    "fig-here": Target("Figure 3.1", "03_here", "Maps"),
    "fig-there": Target("Figure 4.2", "04_there", "Distances"),
    "eq-here": Target("(3.1)", "03_here", "equation"),
    "ex-here": Target("Exercise 3.1", "03_here", "Halves"),
    "sec-there": Target("Local attention", "04_there", "Local attention"),
    "sec-run": Target("How to run", "", "How to run"),
}


@pytest.fixture(scope="module")
def book():
    return contents.read()


@pytest.fixture(scope="module")
def students(book):
    return {stem: readers.chapter(book, stem) for stem in STEMS}


@pytest.fixture(scope="module")
def kit(book):
    """Notebooks for a class: of students, and of instructors."""
    return [{stem: readers.chapter(book, stem, answers=answers) for stem in STEMS} for answers in ("absent", "in place")]


@pytest.fixture(scope="module")
def solved(book):
    return {stem: readers.solutions(book, stem) for stem in STEMS}


@pytest.fixture
def page():
    return Page(Book({}, {}, TARGETS), "03_here")


def prose(text):
    """A text without its code and its mathematics."""
    for fenced in (r"^(`{3,}).*?^\1", r"(`+)[^`].*?\1", r"(\$\$).*?\1", r"(\$)[^$]+?\1"):
        text = re.sub(fenced, "", text, flags=re.DOTALL | re.MULTILINE)
    return text


def markdown(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def exercise_cells(notebook):
    """Cells for a reader's own answers."""
    return [source for source in code(notebook) if re.match(r"# Exercise [\d.]+(\n|$)", source)]


# All chapters


def test_no_myst_is_left_in_any_notebook(students, solved, kit):
    assert RAW.findall(prose("(sec-x)=\n:::{note}\n:label: x\n{ref}`a` [b]{.c}")) == [
        "(sec-x)=",
        ":::",
        "{note}",
        ":label: ",
        "{ref}",
        "{.c}",
    ]
    for notebooks in (students, solved, *kit):
        left = {stem: RAW.findall(prose(text)) for stem, made in notebooks.items() for text in markdown(made)}
        assert not {stem: found for stem, found in left.items() if found}


def test_solutions_stand_where_they_should_only(students, solved, kit):
    found = 0
    for stem in STEMS:
        for cell in jupytext.read(project.NOTEBOOKS / f"{stem}.py").cells:
            for body in re.findall(r"^(:{3,})\{solution\}.*?\n(.*?)^\1$", cell.source, re.DOTALL | re.MULTILINE):
                lines = [line.strip() for line in body[1].splitlines() if not re.match(r":class|```|$", line) and "{" not in line]
                found += bool(lines)
                for made in (solved, kit[1]):
                    everything = "\n".join(markdown(made[stem]) + code(made[stem]))
                    assert [line for line in lines if line not in everything] == []
                for made in (students, kit[0]):
                    shown = "\n".join(markdown(made[stem]) + exercise_cells(made[stem])).splitlines()
                    assert [line for line in lines if line in shown and not re.match(r"from seelike import|checks\.check_", line)] == []
    assert found >= 20


def test_exercises_link_to_their_solutions_and_have_a_cell_to_work_in(book, students, solved):
    assert sum(map(len, book.exercises.values())) >= 40
    for stem, exercises in book.exercises.items():
        cells = students[stem].cells
        for exercise in exercises:
            at = next(i for i, cell in enumerate(cells) if cell.source.startswith(f"### {exercise.heading}\n"))
            assert (f"(solutions/{stem}.ipynb)" in cells[at].source) == (exercise.solution is not None)
            stub = [f"# {exercise.heading.split(' · ')[0]}", *checks.stub(exercise.label)]
            assert cells[at + 1].cell_type == "code" and cells[at + 1].source == "\n".join(stub)
            assert any(text.startswith(f"## {exercise.heading}\n") for text in markdown(solved[stem]))
        assert f"(../{stem}.ipynb)" in solved[stem].cells[0].source


def test_code_is_the_chapters_and_folded_where_the_page_folds_it(students):
    for stem, made in students.items():
        source = [cell for cell in jupytext.read(project.NOTEBOOKS / f"{stem}.py").cells if cell.cell_type == "code"]
        kept = [cell for cell in made.cells if cell.cell_type == "code" and cell.source not in exercise_cells(made)]
        assert [cell.source for cell in kept] == [cell.source for cell in source]
        for cell, original in zip(kept, source, strict=True):
            folded = bool({"hide-input", "hide-cell"} & set(original.metadata.get("tags", [])))
            assert cell.metadata.get("jupyter", {}).get("source_hidden", False) == folded
            assert cell.metadata.get("mystnb") == original.metadata.get("mystnb")


def test_captions_stand_below_their_figures(students):
    for stem, made in students.items():
        for cell, below in zip(made.cells, [*made.cells[1:], None], strict=True):
            if figure := cell.metadata.get("mystnb", {}).get("figure"):
                assert re.match(r"\*\*Figure [\d.]+\.\*\* ", below.source), (stem, figure["name"])
                assert figure["caption"][:20] in below.source


def test_a_kit_is_one_text_with_and_without_solutions(book, kit, students):
    for stem in STEMS:
        student, instructor = (made[stem] for made in kit)
        assert "solutions/" not in "\n".join(markdown(student)) and "Solution" not in "\n".join(markdown(student))
        own = exercise_cells(student)
        assert len(own) == len(book.exercises[stem]) and exercise_cells(instructor) == []
        given = [cell.source for cell in student.cells if cell.source not in own]
        there = [cell.source for cell in instructor.cells]
        assert [text for text in given if text not in there] == []
        at = iter(there)
        assert all(text in at for text in given)  # in the same order
        assert len(given) <= len(there) - len(book.exercises[stem])
        linked = [cell.source.partition("\n\n[Solution](")[0] for cell in students[stem].cells]
        assert linked == [cell.source for cell in student.cells]


def test_notebooks_are_valid_and_the_same_every_time(book, students, solved, kit):
    for stem in STEMS:
        for made in (students[stem], solved[stem], kit[0][stem], kit[1][stem]):
            nbformat.validate(made)
            assert made.metadata.kernelspec.name == "python3" and "jupytext" not in made.metadata
            assert not any(cell.outputs or cell.execution_count for cell in made.cells if cell.cell_type == "code")
    assert nbformat.writes(readers.chapter(book, "03_representation_structure")) == nbformat.writes(students["03_representation_structure"])


def test_code_of_solutions_finds_all_its_names(solved):
    for stem, made in solved.items():
        known = set(dir(builtins))
        for source in code(made):
            found = dependencies.names(source)
            assert found.needed <= known, (stem, found.needed - known, source)
            known |= found.touched


@pytest.mark.filterwarnings("ignore")  # of Sphinx extensions about each other
def test_numbers_are_those_of_the_site(book, tmp_path):
    """Sphinx counts the figures, equations and exercises of all chapters; a pixel stands for each figure."""
    from jupyter_book.config import get_final_config
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    (tmp_path / "book" / "chapters").mkdir(parents=True)
    (tmp_path / "_toc.yml").write_text((project.ROOT / "_toc.yml").read_text())
    config = yaml.safe_load((project.ROOT / "_config.yml").read_text())
    config["sphinx"]["config"]["nb_mime_priority_overrides"] = [["dummy", "image/png", 10]]
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(config))
    for file in project.LEDGER.parent.glob("*.*"):
        (tmp_path / "book" / file.name).write_bytes(file.read_bytes())
    for stem in STEMS:
        chapter = jupytext.read(project.NOTEBOOKS / f"{stem}.py")
        for cell in chapter.cells:
            if cell.metadata.get("mystnb"):
                cell.outputs = [new_output("display_data", {"image/png": PIXEL})]
        nbformat.write(chapter, tmp_path / "book" / "chapters" / f"{stem}.ipynb")
    final, _ = get_final_config(
        sourcedir=tmp_path, user_yaml=tmp_path / "_config.yml", cli_config={"latex_individualpages": False}, validate=False
    )
    with patch_docutils(str(tmp_path)), docutils_namespace():
        app = Sphinx(str(tmp_path), None, str(tmp_path / "o"), str(tmp_path / "d"), "dummy", confoverrides=final, status=None, warning=None)
        app.build()

    def counted(label, target):
        numbers = app.env.toc_fignumbers[f"book/chapters/{target.stem}"]
        if target.words.startswith("("):
            return f"({'.'.join(map(str, numbers['displaymath'][f'equation-{label}']))})"
        kind = target.words.split()[0]
        place = app.env.get_domain("std").anonlabels[label][1]
        return f"{kind} {'.'.join(map(str, numbers[kind.lower()][place]))}"

    ours = {label: target for label, target in book.targets.items() if re.match(r"\(|Figure |Exercise ", target.words)}
    assert len(ours) > 120 and {"Figure 3.2", "(3.1)", "Exercise 14.1"} <= {target.words for target in ours.values()}
    assert {label: target.words for label, target in ours.items()} == {label: counted(label, target) for label, target in ours.items()}
    titles = {stem: app.env.toc_secnumbers.get(f"book/chapters/{stem}", {}).get("") for stem in STEMS}
    assert {stem: ".".join(map(str, number or ())) for stem, number in titles.items()} == {stem: book.numbers[stem] for stem in STEMS}


@pytest.mark.slow
@pytest.mark.parametrize("stem", [s for s in STEMS if project.follows(project.NOTEBOOKS / f"{s}.py")])
def test_solutions_run(solved, stem, tmp_path, monkeypatch):
    """At the smallest tier, from a folder that is not the book's."""
    import papermill

    if not code(solved[stem]):
        pytest.skip("no code in these solutions")
    monkeypatch.setenv("SEELIKE_RESULTS", str(tmp_path / "results"))
    nbformat.write(solved[stem], tmp_path / "solutions.ipynb")
    known = papermill.inspect_notebook(str(tmp_path / "solutions.ipynb"))
    done = papermill.execute_notebook(
        str(tmp_path / "solutions.ipynb"),
        str(tmp_path / "done.ipynb"),
        parameters={"tier": "smoke"} if "tier" in known else {},
        cwd=str(tmp_path),
        progress_bar=False,
    )
    for cell in done.cells:
        told = "".join(output.get("text", "") for output in cell.get("outputs", []))
        assert "Not yet" not in told and ("checks.check_" not in cell.source or "Right." in told or "needs" in cell.source), told


# From MyST to Markdown


@pytest.mark.parametrize(
    ("myst", "plain"),
    [
        ("(sec-here)=\n# Title\n\ntext", "# Title\n\ntext"),
        ("see {numref}`fig-here`, {numref}`fig-there`.", "see Figure 3.1, [Figure 4.2](04_there.ipynb)."),
        ("{numref}`map %s <fig-there>` and {ref}`these <fig-here>`", "[map 4.2](04_there.ipynb) and these"),
        ("in {ref}`sec-there` and {ref}`sec-run`", "in [*Local attention*](04_there.ipynb) and *How to run*"),
        ("*before: {ref}`sec-there`.*", "*before: [Local attention](04_there.ipynb).*"),
        ("by {eq}`eq-here` and {prf:ref}`ex-here`", "by (3.1) and Exercise 3.1"),
        ("$$\nx = 1\n$$ (eq-here)\n\nand", "$$\nx = 1\n\\tag{3.1}\n$$\n\nand"),
        ("$$\nx = 1\n$$", "$$\nx = 1\n$$"),
        (":::{math}\n:label: eq-here\nx = 1\n:::", "$$\nx = 1\n\\tag{3.1}\n$$"),
        ("a {term}`tap <Tap>` and {term}`CKA`", "a tap and CKA"),
        ("[words]{.small} and `x`{.python} and `{ref}`", "words and `x` and `{ref}`"),
        ("```python\n{ref}`a`\n```", "```python\n{ref}`a`\n```"),
        ("- one\n  {numref}`fig-here`\n  more", "- one\n  Figure 3.1\n  more"),
        ("| a | b |\n|---|---|\n| {eq}`eq-here` | {eq}`eq-here`, $x_1$ |", "| a | b |\n|---|---|\n| (3.1) | (3.1), $x_1$ |"),
        (":::{note}\nby {eq}`eq-here`\n:::\nend", "> **Note**\n> \n> by (3.1)\n\nend"),
        ("::::{admonition} A {term}`trap`\n:class: dropdown\n:::{tip}\nx\n:::\n::::", "> **A trap**\n> \n> > **Tip**\n> > \n> > x"),
        ("% a remark\ntext", "text"),
    ],
)
def test_markup_becomes_markdown(page, myst, plain):
    assert page.plain(myst) == plain


def test_citations_link_to_papers(page):
    raghu, arxiv = "Raghu et al.", "https://arxiv.org/abs/2108.08810"
    assert page.plain("{cite:t}`raghu2021` see") == f"[{raghu} (2021)]({arxiv}) see"
    assert page.plain("seen {cite:p}`raghu2021`") == f"seen ([{raghu}, 2021]({arxiv}))"
    assert page.plain("{cite:p}`krizhevsky2009,kokhlikyan2020`").startswith(
        "([Krizhevsky, 2009](https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf); [Kokhlikyan et al., 2020]("
    )
    assert page.cited == ["raghu2021", "raghu2021", "krizhevsky2009", "kokhlikyan2020"]
    assert "Székely and Rizzo" in page.plain("{cite:t}`szekely2014`")
    lines = papers.references(page.cited).splitlines()
    assert lines[0] == "## References" and len(lines) == 6
    assert f"[arXiv:2108.08810]({arxiv})" in next(line for line in lines if "Raghu" in line)


def test_claims_speak_the_ledgers_words_or_state_themselves(page, monkeypatch):
    from seelike import claims, sphinxext

    monkeypatch.setattr(sphinxext, "claim_text", lambda text, tier: f"words of {text} at {tier}")
    assert page.plain("It is {claim}`R21-1 @ cifar10`.") == "It is words of R21-1 @ cifar10 at scenes."
    monkeypatch.delattr(sphinxext, "claim_text")
    assert page.plain("{claim}`R21-1`.") == claims.ledger()["R21-1"]["statement"].rstrip(".") + "."
    with pytest.raises(ValueError, match=r"'R99-1' is no claim of book/claims.yml"):
        page.plain("{claim}`R99-1`")


def test_what_was_not_measured_leaves_no_gap(page, monkeypatch, tmp_path):
    text = "*Reading: 9 minutes. Running: {seconds}`03` on two\ncores. Before: {ref}`sec-run`.*\n\nMemory: {gigabytes}`03`."
    monkeypatch.setattr(project, "pages", lambda book: tmp_path)
    assert page.plain(text) == "*Reading: 9 minutes. Before: How to run.*"
    done = new_notebook(metadata={"seelike": {"seconds": 41.6, "gigabytes": 1.84}})
    nbformat.write(done, tmp_path / "03_here.ipynb")
    assert page.plain(text) == "*Reading: 9 minutes. Running: 42 s on two\ncores. Before: How to run.*\n\nMemory: 1.8 GB."


@pytest.mark.parametrize(
    ("myst", "message"),
    [
        ("{glue}`x`", r"03_here: no words are known for the role \{glue\}"),
        (":::{figure} a.png\n:::", r"03_here: no words are known for the directive \{figure\}"),
        ("{numref}`fig-none`", "03_here: nothing is labelled 'fig-none'"),
        ("{cite:t}`nobody1900`", "'nobody1900' is cited, but is no entry"),
    ],
)
def test_markup_without_words_is_refused(page, myst, message):
    with pytest.raises(ValueError, match=message):
        page.plain(myst)


# What code builds on

CELLS = [
    "import numpy as np\nimport os",
    "a = np.ones(3)",
    "b = 1",
    "a[0] = 2",
    "rows = {}\nfor name in 'xy':\n    rows[name] = name",
    "def f(name):\n    return a + b",
    "found = []",
    "found.append(a)",
]


@pytest.mark.parametrize(
    ("needing", "cells"),
    [
        ("f('x')", [0, 1, 2, 3, 5]),
        ("print(rows)", [4]),
        ("found[0]", [0, 1, 3, 6, 7]),
        ("a = 1\nprint(a)", []),
        ("print([b for b in range(3)])", []),
        ("with open(os.devnull) as b:\n    print(b)", [0]),
    ],
)
def test_cells_that_code_builds_on(needing, cells):
    assert dependencies.foundations(CELLS, [needing]) == cells


def test_solutions_build_on_each_other():
    assert dependencies.foundations(["x = 1", "y = 1"], ["y = x", "print(y)"]) == [0]


def test_solutions_need_what_their_cells_need(little):
    chapter = little.chapters["03_here"]
    chapter.cells[1].source = "book = 1"
    chapter.cells[2:2] = [new_code_cell("# needs: zoo, any book\nn = 1"), new_code_cell("# needs: truth\nm = 1")]
    assert code(readers.solutions(little, "03_here")) == ["book = 1", "# needs: zoo, any book\nn = 1", "# needs: zoo, any book\nprint(n)"]
    chapter.cells[2].source = "n = 1"
    assert code(readers.solutions(little, "03_here")) == ["n = 1", "print(n)"]


# Writing


@pytest.fixture
def little(monkeypatch):
    """A book of one chapter."""
    chapter = new_notebook(
        cells=[
            new_markdown_cell("# Title"),
            new_code_cell("n = 1"),
            new_markdown_cell(":::{exercise} Q\n:label: ex-q\nHow many?\n:::\n\n::::{solution} ex-q\n```python\nprint(n)\n```\n::::"),
        ]
    )
    made = Book({"03_here": chapter}, {"03_here": "3"}, figures={"03_here": []}, exercises={"03_here": []})
    made.exercises["03_here"].append(Exercise("ex-q", "Exercise 3.1 · Q", "How many?", "```python\nprint(n)\n```"))
    monkeypatch.setattr(contents, "read", lambda: made)
    return made


def test_a_chapter_and_its_solutions_are_written(little, tmp_path):
    assert readers.write(tmp_path / "new") == []
    assert sorted(str(p.relative_to(tmp_path / "new")) for p in (tmp_path / "new").rglob("*.*")) == [
        "03_here.ipynb",
        "solutions/03_here.ipynb",
    ]
    chapter = nbformat.read(tmp_path / "new" / "03_here.ipynb", 4)
    assert markdown(chapter)[0] == "# 3. Title" and code(chapter) == ["n = 1", "# Exercise 3.1"]
    assert code(nbformat.read(tmp_path / "new" / "solutions" / "03_here.ipynb", 4)) == ["n = 1", "print(n)"]


def test_a_kit_is_written(little, tmp_path):
    assert readers.write(tmp_path, kit=True) == []
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*")) == ["instructor/03_here.ipynb", "student/03_here.ipynb"]
    assert code(nbformat.read(tmp_path / "student" / "03_here.ipynb", 4)) == ["n = 1", "# Exercise 3.1"]
    assert code(nbformat.read(tmp_path / "instructor" / "03_here.ipynb", 4)) == ["n = 1", "print(n)"]


def test_what_a_reader_has_edited_stays(little, tmp_path):
    readers.write(tmp_path)
    path = tmp_path / "03_here.ipynb"
    ran = nbformat.read(path, 4)
    ran.cells[1].outputs = [new_output("stream", text="kept")]
    nbformat.write(ran, path)
    assert readers.write(tmp_path) == [] and nbformat.read(path, 4).cells[1].outputs  # the same text: outputs stay
    little.chapters["03_here"].cells[1].source = "n = 2"
    assert readers.write(tmp_path) == [] and code(nbformat.read(path, 4))[0] == "n = 2"
    mine = nbformat.read(path, 4)
    mine.cells[-1].source = "my answer"
    nbformat.write(mine, path)
    little.chapters["03_here"].cells[1].source = "n = 3"
    assert readers.write(tmp_path) == [path] and code(nbformat.read(path, 4)) == ["n = 2", "my answer"]


def test_executed_pages_give_way(little, tmp_path):
    page = new_notebook(cells=[new_markdown_cell("{ref}`x`")], metadata={"seelike": {"seconds": 1.0}})
    nbformat.write(page, tmp_path / "03_here.ipynb")
    assert readers.write(tmp_path) == []
    assert markdown(nbformat.read(tmp_path / "03_here.ipynb", 4))[0] == "# 3. Title"


def test_colab_gets_the_book_at_the_commit(little, tmp_path, monkeypatch):
    made = readers.chapter(little, "03_here", Install("owner/name", "abc123"))
    colab = "https://colab.research.google.com/github/owner/name/blob/notebooks/"
    assert f"[Solution]({colab}solutions/03_here.ipynb)" in "\n".join(markdown(made))
    answers = readers.solutions(little, "03_here", Install("owner/name", "abc123"))
    assert f"({colab}03_here.ipynb)" in answers.cells[0 + 1].source and code(answers)[0] == code(made)[0]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    asked = []

    def fake(command, check):
        assert check
        asked.append(command)
        if "clone" in command:
            (tmp_path / "book" / "book").mkdir(parents=True)
            (tmp_path / "book" / "book" / "claims.yml").touch()

    monkeypatch.setattr(subprocess, "run", fake)
    exec(code(made)[0], {})
    assert [command[:2] for command in asked] == [["git", "clone"], ["git", "-C"], [sys.executable, "-m"]]
    assert asked[0][3] == "https://github.com/owner/name" and asked[1][-1] == "abc123"
    assert Path(os.getcwd()) == tmp_path / "book" and sys.path[0] == str(tmp_path / "book" / "src")
    exec(code(made)[0], {})  # run again: nothing is fetched twice
    assert len(asked) == 3 and Path(os.getcwd()) == tmp_path / "book"


@pytest.mark.parametrize("arguments", [["{}/file"], ["{}/none/below"], [], ["{}", "--install", "name", "abc"], ["{}/taken"]])
def test_a_mistake_in_what_was_asked_is_one_sentence(little, arguments, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "03_here.ipynb").write_text("no notebook")
    monkeypatch.setattr(sys, "argv", ["readers", *(a.format(tmp_path) for a in arguments)])
    try:
        status = readers.main()
    except SystemExit as left:
        status = left.code
    said = capsys.readouterr().err.strip().splitlines()
    assert status == 2 and "seelike.readers: " in said[-1] and "Traceback" not in "".join(said)
    assert [line for line in said[:-1] if not line.startswith(("usage:", " "))] == []


def test_a_source_with_a_solution_to_no_exercise_is_refused(monkeypatch, tmp_path):
    (tmp_path / "03_here.py").write_text("# %% [markdown]\n# # T\n#\n# :::{solution} ex-none\n# x\n# :::\n")
    monkeypatch.setattr(project, "NOTEBOOKS", tmp_path)
    with pytest.raises(ValueError, match="03_here: a solution names 'ex-none', which is no exercise"):
        contents.read()

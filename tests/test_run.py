"""The runner publishes whole chapters or nothing."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from seelike import claims, project, run

HEADER = "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: Python 3\n#     language: python\n#     name: python3\n# ---\n"
PARAMETERS = '\n# %% tags=["parameters"]\ntier = "smoke"\nn = 1\n'


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.setattr(project, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(project, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(project, "PUBLISHED", tmp_path / "results")
    project.NOTEBOOKS.mkdir()

    def chapter(body, name="07_test", parameters=PARAMETERS):
        (project.NOTEBOOKS / f"{name}.py").write_text(HEADER + parameters + body)
        return name

    return chapter


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_chapter_becomes_a_page(book):
    page = run.run(book("\n# %%\nprint(tier, n * 2)\n"), {}, tier="scenes")
    assert page.parent == project.pages("scenes")
    done = nbformat.read(page, 4)
    assert done.cells[-1].outputs[0].text == "scenes 2\n"
    hidden = [c for c in done.cells if "remove-cell" in c.metadata.tags]
    assert len(hidden) == 2 and project.timings(page.parent) == {"07_test": done.metadata["seelike"]["seconds"]}
    ids = [c.id for c in done.cells]
    again = nbformat.read(run.run("07", {}, tier="scenes"), 4)
    assert [c.id for c in again.cells] == ids and len(set(ids)) == len(ids)
    assert list((project.BUILD / "scenes" / "run").iterdir()) == []  # nothing of the run is left


KEEP = "\n# %%\nfrom seelike import claims\nclaims.keep('07', tier, {'section': {'a': n}})\n"


def test_no_run_touches_another_book(book, tmp_path, monkeypatch):
    """Other parameters, another tier, a cast, a folder of the reader's own, a notebook opened by hand: the book of scenes stays as it was."""
    name = book(KEEP)
    run.run(name, {}, tier="scenes")
    before = files(project.BUILD / "scenes")
    assert set(before) == {"results/scenes/07.json", "source/book/chapters/07_test.ipynb"}
    trial = run.run(name, {"n": 2}, tier="scenes")
    assert trial == project.BUILD / "scenes" / "trials" / "07_test.ipynb"
    trial.unlink()
    run.run(name, {}, tier="smoke")
    (tmp_path / "mine.yml").write_text("images: scenes\nnetworks: {vit: {timm: test_vit}}\n")
    page = run.run(name, {}, tier=str(tmp_path / "mine.yml"))
    assert page.is_relative_to(project.BUILD / "mine") and (project.results("mine") / "mine" / "07.json").exists()
    run.run(name, {}, tier="scenes", out=tmp_path / "own")
    monkeypatch.delenv("SEELIKE_RESULTS", raising=False)
    claims.keep("07", "scenes", {"section": {"a": 99}})  # as in JupyterLab
    assert files(project.BUILD / "scenes") == before and not project.PUBLISHED.exists()


def test_a_trial_beside_the_books_run_cannot_publish_its_numbers(book):
    """The book's run writes its number, waits until the trial has ended, and then becomes a page."""
    body = "\n# %%\nimport os, time\nfrom seelike import claims\nclaims.keep('07', tier, {'section': {'a': n}})\n"
    body += "while n == 1 and not os.path.exists('" + str(project.BUILD / "go") + "'): time.sleep(0.1)\n"
    name = book(body)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(subprocess.run, [sys.executable, "-c", RUNNER, str(project.NOTEBOOKS), str(project.BUILD), name], check=True)
        deadline = time.monotonic() + 120
        while not list(project.BUILD.glob("scenes/run/*/results/scenes/07.json")):
            assert time.monotonic() < deadline and not slow.done()
            time.sleep(0.1)
        run.run(name, {"n": 64}, tier="scenes")
        (project.BUILD / "go").touch()
    assert json.loads((project.results("scenes") / "scenes" / "07.json").read_text()) == {"section": {"a": 1}}


RUNNER = """
import sys
from pathlib import Path
from seelike import project, run
project.NOTEBOOKS, project.BUILD = Path(sys.argv[1]), Path(sys.argv[2])
run.run(sys.argv[3], {}, tier="scenes")
"""


def test_chapters_without_a_tier_belong_to_the_default_book(book):
    name = book("\n# %%\nprint(n)\n", parameters=PARAMETERS.replace('tier = "smoke"\n', ""))
    assert run.run(name, {}, tier="smoke").parent == project.pages(project.DEFAULT)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "\n# %% [markdown]\n# # One\n# ## Two\n\n# %%\nx = 1\n\n# %%\nraise KeyError('gone')\n",
            r"in cell \d of section 'Two' with KeyError: 'gone' .partial notebook",
        ),
        ("\n# %%\nimport sys; print('careful', file=sys.stderr)\n", "wrote to stderr: careful"),
        ("\n# %%\nimport matplotlib.pyplot as plt\nplt.plot([1]); plt.show()\n", "image without alt text"),
        ("\n# %%\nimport os; os._exit(1)\n", "DeadKernelError"),
        ("\n# %%\nraise ValueError('one\\ntwo\\n' + 'x' * 10_000)\n", r"with ValueError: one two x{592} .partial"),
        ("\n# %%\nprint('x' * 4_000_000)\n", "printed 4 MB: a page takes at most 3 MB from a cell"),
    ],
)
def test_a_broken_chapter_leaves_no_page(book, body, message):
    with pytest.raises(run.ChapterError, match=message) as caught:
        run.run(book(body), {})
    assert "partial notebook" in str(caught.value) and "\n" not in str(caught.value)
    assert not project.pages("scenes").exists()


def test_a_cell_that_takes_too_long_leaves_no_page(book):
    with pytest.raises(run.ChapterError, match="CellTimeoutError .limit 2 s per cell"):
        run.run(book("\n# %%\nimport time; time.sleep(60)\n"), {}, seconds=2)
    assert not project.pages("scenes").exists()


def test_an_old_page_survives_a_failed_run_of_another_version(book):
    page = run.run(book("\n# %%\nprint(1)\n"), {})
    before = page.read_bytes()
    with pytest.raises(run.ChapterError):
        run.run(book("\n# %%\n1 / 0\n"), {})
    assert page.read_bytes() == before


def test_numbers_enter_the_results_with_the_page_or_not_at_all(book):
    run.run(book(KEEP), {}, tier="smoke")
    recorded = project.results("smoke") / "smoke" / "07.json"
    before = recorded.read_text()
    assert json.loads(before) == {"section": {"a": 1}}
    with pytest.raises(run.ChapterError):
        run.run(book(KEEP.replace("n}", "5}") + "\n# %%\n1 / 0\n"), {}, tier="smoke")
    assert recorded.read_text() == before


def test_what_a_killed_run_left_behind_is_swept(book):
    dead = project.BUILD / "scenes" / "run" / "07_test-99999999"
    dead.mkdir(parents=True)
    run.run(book("\n# %%\nprint(1)\n"), {}, tier="scenes")
    assert not dead.exists()


def test_publishing_needs_numbers(book):
    with pytest.raises(run.ChapterError, match="There are no numbers of smoke to publish"):
        run.publish("smoke")
    run.run(book(KEEP), {}, tier="smoke")
    assert run.publish("smoke") == [project.PUBLISHED / "smoke" / "07.json"]


def test_unknown_parameters_and_chapters(book):
    name = book("")
    with pytest.raises(run.ChapterError, match="has no parameter teir: it knows tier, n"):
        run.run(name, {"teir": "scenes"})
    with pytest.raises(run.ChapterError, match=r"n is a whole number .by default 1., got 'abc'"):
        run.run(name, {"n": "abc"})
    with pytest.raises(run.ChapterError, match=r"n is a whole number .by default 1., got 3.5"):
        run.run(name, {"n": 3.5})
    with pytest.raises(run.ChapterError, match="No single chapter is called '99': expected one of 07_test"):
        run.run("99", {})
    with pytest.raises(run.Mistake, match="named by --tier or --cast, not as a parameter, got 'smoke'"):
        run.run(name, {"tier": "smoke"})  # the page of scenes would be that of smoke
    assert not project.BUILD.joinpath("scenes", "source").exists()


def test_a_page_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "new").write_text("new")
    (tmp_path / "page").write_text("old")

    def full(file, beside):
        beside.write_text("ne")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run.shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"):
        run._enter(tmp_path / "new", tmp_path / "page")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "page"] and (tmp_path / "page").read_text() == "old"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["07", "--tier", "smoke"], 1, "ZeroDivisionError: division by zero"),
        (["07", "--tier", "bogus"], 2, "There is no tier 'bogus': expected one of smoke"),
        (["07", "--cast", "nowhere.yml"], 2, "There is no cast file nowhere.yml"),
        (["99"], 2, "No single chapter is called '99'"),
        (["07", "--jobs", "0"], 2, "expected a whole number of at least 1, got '0'"),
        (["07", "-p", "m", "1"], 2, "has no parameter m: it knows tier, n"),
        (["07", "-p", "tier", "smoke"], 2, "named by --tier"),
        (["07", "--out", __file__], 2, "is a file: name a folder for the page"),
        (["07", "--timeout", "-1"], 2, "expected a whole number of at least 1, got '-1'"),
        (["--publish", "--tier", "smoke"], 2, "There are no numbers of smoke"),
        (["07", "08", "--tier", "smoke", "--keep-going"], 1, "failed: 07_test, 08_test"),
    ],
)
def test_the_command_line_fails_with_a_sentence(book, monkeypatch, capsys, arguments, code, message):
    book("\n# %%\n1 / 0\n")
    book("\n# %%\n1 / 0\n", "08_test")
    monkeypatch.setattr("sys.argv", ["run", *arguments])
    try:
        ended = run.main()
    except SystemExit as stop:
        ended = stop.code
    assert ended == code and message in capsys.readouterr().err


def test_dependencies_follow_imports(tmp_path):
    chapter = tmp_path / "x.py"
    chapter.write_text("from seelike import maps\nimport numpy\n")
    assert [p.name for p in project.modules(chapter)] == ["__init__.py", "maps.py"]
    chapter.write_text("from seelike.cka import cka\n")
    assert {"cka.py", "capture.py"} <= {p.name for p in project.modules(chapter)}
    assert "train.py" not in {p.name for p in project.modules(chapter)}


def test_every_source_reads_as_a_notebook_with_stable_ids():
    for path in sorted(project.NOTEBOOKS.glob("*.py")):
        first, second = run.notebook(path), run.notebook(path)
        assert json.dumps([c.id for c in first.cells]) == json.dumps([c.id for c in second.cells])
        nbformat.validate(first)


@pytest.mark.slow
@pytest.mark.parametrize("chapter", ["03", "05"])
def test_chapters_run_at_the_smoke_tier(chapter, tmp_path):
    """On random networks: the code of a chapter does not depend on what training found. `make book` runs all of them."""
    extra = {"n_images": 32 if chapter == "05" else 256}
    page = run.run(chapter, extra, tier="smoke", out=tmp_path)
    assert page.parent == tmp_path and run.gate(nbformat.read(page, 4)) == []

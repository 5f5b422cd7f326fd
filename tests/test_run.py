"""The runner publishes whole chapters or nothing."""

import json

import nbformat
import pytest

from seelike import project, run

HEADER = "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: Python 3\n#     language: python\n#     name: python3\n# ---\n"
PARAMETERS = '\n# %% tags=["parameters"]\ntier = "smoke"\nn = 1\n'


@pytest.fixture
def book(tmp_path, monkeypatch):
    for name in ("NOTEBOOKS", "CHAPTERS", "WORK", "TRIALS", "BUILT"):
        monkeypatch.setattr(run, name, tmp_path / name.lower())
    run.NOTEBOOKS.mkdir()

    def chapter(body, name="07_test"):
        (run.NOTEBOOKS / f"{name}.py").write_text(HEADER + PARAMETERS + body)
        return name

    return chapter


def test_a_chapter_becomes_a_page(book):
    page = run.run(book("\n# %%\nprint(tier, n * 2)\n"), {"tier": "scenes", "n": 21})
    assert page.parent == run.TRIALS  # not the book's page: a parameter was changed
    done = nbformat.read(page, 4)
    assert done.cells[-1].outputs[0].text == "scenes 42\n"
    hidden = [c for c in done.cells if "remove-cell" in c.metadata.tags]
    assert len(hidden) == 2 and project.timings(page.parent) == {"07_test": done.metadata["seelike"]["seconds"]}
    ids = [c.id for c in done.cells]
    again = nbformat.read(run.run("07", {"tier": "scenes", "n": 21}), 4)
    assert [c.id for c in again.cells] == ids and len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("\n# %%\nx = 1\n\n# %%\nraise KeyError('gone')\n", r"in cell \d+ with KeyError: 'gone'\n  raise KeyError"),
        ("\n# %%\nimport sys; print('careful', file=sys.stderr)\n", "wrote to stderr: careful"),
        ("\n# %%\nimport matplotlib.pyplot as plt\nplt.plot([1]); plt.show()\n", "image without alt text"),
        ("\n# %%\nimport os; os._exit(1)\n", "DeadKernelError"),
    ],
)
def test_a_broken_chapter_leaves_no_page(book, body, message):
    with pytest.raises(run.ChapterError, match=message) as caught:
        run.run(book(body), {})
    assert "07_test.partial.ipynb" in str(caught.value)
    assert not list(run.CHAPTERS.glob("*")) if run.CHAPTERS.exists() else True


def test_a_cell_that_takes_too_long_leaves_no_page(book):
    with pytest.raises(run.ChapterError, match="CellTimeoutError .limit 2 s per cell"):
        run.run(book("\n# %%\nimport time; time.sleep(60)\n"), {}, seconds=2)
    assert not run.CHAPTERS.exists()


def test_an_old_page_survives_a_failed_run_of_another_version(book):
    page = run.run(book("\n# %%\nprint(1)\n"), {})
    before = page.read_bytes()
    with pytest.raises(run.ChapterError):
        run.run(book("\n# %%\n1 / 0\n"), {})
    assert page.read_bytes() == before


def test_numbers_enter_the_results_with_the_page_or_not_at_all(book):
    keep = "\n# %%\nfrom seelike import claims\nclaims.keep('07', tier, {'section': {'a': n}})\n"
    run.run(book(keep), {"tier": "smoke"})
    recorded = run.BUILT / "smoke" / "07.json"
    before = recorded.read_text()
    assert json.loads(before) == {"section": {"a": 1}}
    run.run(book(keep), {"tier": "smoke", "n": 2})
    with pytest.raises(run.ChapterError):
        run.run(book(keep.replace("n}", "5}") + "\n# %%\n1 / 0\n"), {"tier": "smoke"})
    assert recorded.read_text() == before


def test_unknown_parameters_and_chapters(book):
    name = book("")
    with pytest.raises(run.ChapterError, match="has no parameter teir: it knows tier, n"):
        run.run(name, {"teir": "scenes"})
    with pytest.raises(run.ChapterError, match="No single chapter is called '99': expected one of 07_test"):
        run.run("99", {})


def test_the_command_line_fails_with_a_sentence(book, monkeypatch, capsys):
    book("\n# %%\n1 / 0\n")
    monkeypatch.setattr("sys.argv", ["run", "07", "--tier", "smoke"])
    assert run.main() == 1
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err


def test_dependencies_follow_imports(tmp_path):
    chapter = tmp_path / "x.py"
    chapter.write_text("from seelike import maps\nimport numpy\n")
    assert [p.name for p in project.modules(chapter)] == ["__init__.py", "maps.py"]
    chapter.write_text("from seelike.cka import cka\n")
    assert {"cka.py", "capture.py"} <= {p.name for p in project.modules(chapter)}
    assert "train.py" not in {p.name for p in project.modules(chapter)}


def test_every_source_reads_as_a_notebook_with_stable_ids():
    for path in sorted(run.NOTEBOOKS.glob("*.py")):
        first, second = run.notebook(path), run.notebook(path)
        assert json.dumps([c.id for c in first.cells]) == json.dumps([c.id for c in second.cells])
        nbformat.validate(first)
        assert "tier" in "".join(c.source for c in first.cells if "parameters" in c.metadata.get("tags", []))


@pytest.mark.slow
@pytest.mark.parametrize("chapter", ["03", "05"])
def test_chapters_run_at_the_smoke_tier(chapter, tmp_path):
    """On random networks: the code of a chapter does not depend on what training found. `make book` runs all of them."""
    extra = {"n_images": 32 if chapter == "05" else 256}
    page = run.run(chapter, {"tier": "smoke"} | extra, out=tmp_path)
    assert page.parent == tmp_path and run.gate(nbformat.read(page, 4)) == []

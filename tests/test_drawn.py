"""What a figure shows, read off the drawing."""

import csv
import io

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

from seelike import downloads, drawn, plots, project, run

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def rows(fig):
    return list(csv.DictReader(io.StringIO(drawn.table(fig))))


def of(fig, kind):
    return [(r["series"], *(float(r[key]) for key in ("x", "y", "value") if r[key])) for r in rows(fig) if r["kind"] == kind]


def test_lines_points_bars_and_areas():
    fig, axes = plt.subplots(1, 4)
    axes[0].plot([1, 2], [3, 4.25], label="a\nline")
    axes[0].axhline(9)
    axes[0].axvspan(0, 1)
    axes[0].set_title("One\ntwo")
    axes[1].scatter([1, 2], [3, 4], color="#ff0000")
    axes[1].plot([5], [6], "o", label="_hidden", color="#00ff00")
    axes[2].bar([0, 1], [2, -3], label="b")
    axes[3].barh([0, 1], [2, 3], color="#0000ff")
    axes[3].vlines([1], 0, 2, color="#000000")
    assert of(fig, "line") == [("a line", 1, 3), ("a line", 2, 4.25)]
    assert of(fig, "points") == [("#00ff00", 5, 6), ("#ff0000", 1, 3), ("#ff0000", 2, 4)]
    assert of(fig, "bar") == [("b", 0, 2), ("b", 1, -3), ("#0000ff", 2, 0), ("#0000ff", 3, 1)]
    assert of(fig, "segment") == [("#000000", 1, 0), ("#000000", 1, 2)]
    assert {r["panel"] for r in rows(fig)} == {"1: One two", "2", "3", "4"}


def test_words_at_ticks_are_told_and_numbers_are_not():
    fig, ax = plt.subplots()
    ax.set_yticks([0, 1], ["ViT\n(CLS)", "ResNet"])
    ax.set_xticks([10, 20], [10, 20])  # labels that are no text
    assert [(r["kind"], r["series"], r["x"], r["y"]) for r in rows(fig)] == [
        ("y tick", "ViT (CLS)", "", "0"),
        ("y tick", "ResNet", "", "1"),
    ]


def test_maps_are_cells_and_their_colour_bars_nothing():
    fig, axes = plt.subplots(1, 2)
    m = np.arange(6.0).reshape(2, 3)
    fig.colorbar(axes[0].imshow(m), ax=axes[0])
    axes[1].imshow(np.zeros((4, 4, 3)))
    assert of(fig, "cell") == [("", j, i, m[i, j]) for i in range(2) for j in range(3)]
    axes[1].imshow(np.zeros((100, 100)))
    assert of(fig, "cell") == []  # too many, of the small one as well: half a figure is no table


def test_colours_that_are_numbers_and_what_is_missing():
    fig, ax = plt.subplots()
    ax.scatter([1, 2], [3, np.nan], c=[0.5, 0.25])
    first, second = rows(fig)
    assert (first["series"], first["value"]) == ("", "0.5") and (second["y"], second["value"]) == ("", "0.25")


def test_a_run_hands_the_table_to_the_page(monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr(plots, "display", lambda data, raw: shown.append(data))
    monkeypatch.setenv("SEELIKE_RESULTS", "somewhere")
    fig, ax = plt.subplots()
    ax.plot([1, 2], [3, 4])
    plots.sign(fig, "made here")
    monkeypatch.delenv("SEELIKE_RESULTS")
    plots.sign(fig, "made by hand")
    assert len(shown) == 1
    cell = nbformat.v4.new_code_cell("plot", metadata={"mystnb": {"figure": {"name": "fig-x"}}})
    png = nbformat.v4.new_output("display_data", {"image/png": "AAAA"})
    cell.outputs = [nbformat.v4.new_output("display_data", shown[0]), png]
    page = nbformat.v4.new_notebook(cells=[cell])
    run.finish(page, 1.0, {})
    assert page.cells[0].outputs == [png]
    assert page.metadata["seelike"]["figures"] == {"fig-x": drawn.table(fig)}
    monkeypatch.setattr(project, "BUILD", tmp_path)
    folder = project.pages("scenes")
    folder.mkdir(parents=True)
    nbformat.write(page, folder / "03_x.ipynb")
    assert downloads.figures("scenes") == {"fig-x": drawn.table(fig)}

"""What a chapter leaves out, and what it asks of whom."""

from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from torch import nn

from seelike import chapter as chapters
from seelike import claims, data, run, tiers
from seelike.chapter import Chapter
from seelike.intervals import Resampled


@pytest.fixture
def shell(monkeypatch):
    """Stands in for the notebook's shell: its variables, and what it does to a cell before it runs."""
    held = SimpleNamespace(user_ns={}, input_transformers_cleanup=[])
    monkeypatch.setattr(chapters, "get_ipython", lambda: held)
    return held


def test_a_cell_may_need_a_variable_that_is_not_empty(shell):
    book = Chapter("07", "smoke")
    cell = ["# needs: vit_cls, any place\n", "draw(place)\n"]
    (guard,) = shell.input_transformers_cleanup
    shell.user_ns["place"] = {}
    assert "needs a network on which it can be measured" in guard(cell)[0] and not book.has("any place")
    shell.user_ns["place"] = {"vit_cls-0": 1}
    assert guard(cell) == cell and book.has("vit_cls", "any place")


def test_a_sentence_names_the_role_rather_than_what_was_not_measured_without_it(shell):
    book = Chapter("07", "smoke")
    assert book.missing(["vit_matched", "any place"]) == ["vit_matched", "any place"]
    assert "the network vit_matched;" in book.lacks(["vit_matched", "any place"])
    assert book.lacks(["any recorded_probes"]).startswith("Not shown: nothing of this was recorded at other tiers than Scenes")


def test_pairs_leave_out_what_could_not_be_measured():
    book = Chapter("07", "scenes")
    assert book.pairs("vit_cls", "resnet")[1] == ("vit_cls-4", "resnet-4") and book.seeds == [3, 4, 5]  # those that the tier decides on
    assert book.pairs("vit_cls", "resnet", among=["vit_cls-3", "vit_cls-4", "resnet-4"]) == [("vit_cls-4", "resnet-4")]
    assert book.seeds == [4]
    assert book.pairs("vit_data_1000", "vit_middle_skipless")[0][0] == "vit_data_1000-0"  # of which there are no such seeds


def test_a_claim_without_a_seed_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("SEELIKE_RESULTS", str(tmp_path))
    book = Chapter("07", "smoke")
    assert book.decide("R21-21", [], images=64) is None and not list(tmp_path.rglob("*.json"))
    found = book.decide("R21-21", [Resampled(0.5, 0.5 + np.linspace(-0.01, 0.01, 20), 8)], images=64)
    assert found.direction == "holds" and found.summary == "one network"


def test_probes_are_asked_in_batches_of_one_size_and_never_about_what_they_were_shown():
    shown, asked = Chapter("07", "scenes").probe(768, 768, (70, 71))
    assert asked.batch_size == data.BATCH and len(list(asked)) == 6
    assert torch.equal(shown.pixels, data.load("scenes", "train", 768, 70).pixels)
    asked = Chapter("07", "smoke").probe(64, 64, (70, 71))[1]
    assert [len(x) for x, _ in asked] == [10] * 6  # four are left out


def test_networks_that_a_measure_refuses_are_named_with_the_reason_once(monkeypatch):
    said = []
    monkeypatch.setattr(chapters, "display", lambda shown: said.append(shown.data))

    def root(number):
        if number < 0:
            raise ValueError("It is negative: a positive number was expected.")
        return number**0.5

    book = Chapter("07", "smoke")
    assert book.measured(root, {"vit_cls-0": -1, "resnet-0": 4, "vit_gap-0": -4}) == {"resnet-0": 2}
    assert said == ["*Left out: ViT (CLS); ViT (GAP). It is negative: a positive number was expected.*"]


def test_recorded_figures_name_the_networks_of_their_tier():
    own = chapters.Recorded(tiers.get("photographs"), {})
    assert own.label("resnet-0") == "EfficientNet-Lite0" and own.label("untrained resnet") == "EfficientNet-Lite0, untrained"
    assert chapters.Recorded(tiers.get("cifar10"), {}).label("resnet-0") == "ResNet"


BODY = """
# %% tags=["parameters"]
tier = "smoke"

# %%
from seelike.chapter import Chapter
book = Chapter("03", tier)

# %%
# needs: vit_cls
print("seen")

# %%
# needs: vit_cls, vit_gap
print("hidden")

# %%
# needs: vit_cls, vit_gap
print("hidden again")

# %%
# needs: truth
print("truth")
"""


def test_cells_with_needs_run_or_say_what_they_need(tmp_path, monkeypatch):
    monkeypatch.setattr(run.project, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(run.project, "BUILD", tmp_path / "_build")
    header = "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: Python 3\n#     language: python\n#     name: python3\n# ---\n"
    (tmp_path / "03_x.py").write_text(header + BODY)
    (tmp_path / "mine.yml").write_text("images: scenes\ntitle: My cast\nnetworks: {vit: {timm: test_vit}}\n")
    cells = nbformat.read(run.run("03", {}, tier=str(tmp_path / "mine.yml")), 4).cells
    told = [
        "".join(str(o.get("text", o.get("data", {}).get("text/markdown", ""))) for o in c.outputs) for c in cells if c.cell_type == "code"
    ]
    sentence = r"*Not shown: this part needs a ViT with average pooling (role vit\_gap); My cast has vit\_cls.*"
    assert told[-4:] == ["seen\n", sentence, "", "truth\n"]  # once, where two in a row say the same
    assert "# needs: vit_cls, vit_gap" in cells[-3].source  # the page shows the method all the same


def test_needs():
    book = Chapter("03", "smoke")
    assert book.has("vit_cls", "resnet", "truth", "labels") and book.missing(["zoo", "vit_matched"]) == ["zoo", "vit_matched"]
    assert Chapter("03", "scenes").has("zoo", "vit_matched") and not Chapter("03", "cifar10").has("truth")


def test_images_come_in_at_least_eight_batches_of_one_size():
    book = Chapter("03", "smoke")
    assert [len(y) for _, y in book.images(64, seed=0)] == [8] * 8
    assert [len(y) for _, y in book.images(1024, seed=0)] == [128] * 8
    assert [len(y) for _, y in book.images(100, seed=0)] == [12] * 8


def test_casts_pairs_and_what_is_shown(tmp_path):
    book = Chapter("03", "smoke")
    assert list(book.cast("vit_cls", "resnet", untrained=("vit_cls",))) == ["vit_cls-0", "resnet-0", "untrained vit_cls"]
    assert book.pairs("vit_cls", "resnet") == [("vit_cls-0", "resnet-0")] and book.seeds == [0]
    (tmp_path / "mine.yml").write_text(
        "images: scenes\nnetworks: {cnn: [{timm: test_resnet}, {timm: test_resnet}], mine: {timm: test_vit}}\n"
    )
    own = Chapter("03", str(tmp_path / "mine.yml"))
    cast = own.cast("vit_cls", "resnet", untrained=("resnet", "vit_cls"))
    assert list(cast) == ["resnet-0", "resnet-1", "mine-0", "untrained resnet"] and own.added == ["mine"]
    assert own.shown(cast, "vit_cls", "resnet") == ["resnet-0", "mine-0", "untrained resnet"] and own.pairs("vit_cls", "resnet") == []
    many = dict.fromkeys(["vit_gap-0", "resnet-0", "resnet-1", "untrained resnet"], nn.Identity())
    assert Chapter("03", "scenes").shown(many, "resnet") == ["resnet-0", "untrained resnet"]


def test_what_is_kept_carries_its_provenance(tmp_path, monkeypatch):
    monkeypatch.setenv("SEELIKE_RESULTS", str(tmp_path))
    Chapter("03", "smoke").keep(maps={"a": [1]}, settings={"images": 3})
    held = claims.results("smoke", "03")
    assert held["maps"] == {"a": [1]} and held["settings"]["images"] == 3
    assert held["settings"]["provenance"].startswith("Scenes (random networks) · CPU · commit ")


def test_other_tiers_come_with_their_numbers(monkeypatch):
    monkeypatch.delenv("SEELIKE_BOOK", raising=False)
    assert "cifar10" in [r.tier.name for r in Chapter("03", "scenes").recorded("maps")]
    assert "cifar10" not in [r.tier.name for r in Chapter("03", "cifar10").recorded("maps")]


def test_probes_find_ten_images_of_every_class(monkeypatch):
    asked = []
    monkeypatch.setattr("seelike.chapter.data.probe", lambda tier, shown, n, seeds: asked.append(shown) or (data.load("smoke", n=64),) * 2)
    Chapter("07", "tiny").probe(768, 64, (70, 71))
    Chapter("07", "scenes").probe(768, 64, (70, 71))
    Chapter("07", "imagenet").probe(768, 64, (70, 71))
    assert asked == [6000, 768, 768]

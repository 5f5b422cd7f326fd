"""What a chapter leaves out, and what it asks of whom."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seelike import chapter as chapters
from seelike import data
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
    assert "numbers that were recorded at other tiers" in book.lacks(["any recorded_probes"])


def test_pairs_leave_out_what_could_not_be_measured():
    book = Chapter("07", "scenes")
    assert book.pairs("vit_cls", "resnet")[1] == ("vit_cls-1", "resnet-1") and book.seeds == [0, 1, 2]
    assert book.pairs("vit_cls", "resnet", among=["vit_cls-0", "vit_cls-1", "resnet-1"]) == [("vit_cls-1", "resnet-1")]
    assert book.seeds == [1]


def test_a_claim_without_a_seed_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("SEELIKE_RESULTS", str(tmp_path))
    book = Chapter("07", "smoke")
    assert book.decide("R21-21", [], images=64) == "not run" and not list(tmp_path.rglob("*.json"))
    assert book.decide("R21-21", [Resampled(0.5, np.full(20, 0.5), 8)], images=64) == "reproduced"


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

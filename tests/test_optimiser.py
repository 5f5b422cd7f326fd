"""The schedule, and what Muon takes."""

import pytest
import torch

from seelike import architectures, models, optimiser, recipes


def test_schedule():
    values = [optimiser.schedule(step, 1000) for step in range(1000)]
    assert values[0] == pytest.approx(0.02) and values[50] == values[599] == 1 and values[800] == pytest.approx(0.5)
    assert values[-1] == pytest.approx(1 / 400)
    level = [optimiser.schedule(step, 1000, cool=0.0) for step in range(1000)]
    assert level[:51] == values[:51] and set(level[50:]) == {1.0}


@pytest.mark.parametrize("name", list(architectures.OURS))
def test_positions_and_tokens_are_left_to_adamw(name):
    model = models.create(name, seed=0)
    inner = {id(p) for p in optimiser.Optimiser(model, recipes.Recipe(name, 64_000)).inner}
    taken = {n for n, p in model.named_parameters() if id(p) in inner}
    assert taken and all(n.endswith("weight") for n in taken)
    assert not any(word in n for n in taken for word in ("pos_embed", "cls_", "latent", "space", "head."))


def test_weights_that_muon_cannot_reach_are_a_sentence():
    recipe = recipes.Recipe("resnet", 64_000)
    with pytest.raises(ValueError, match="shares no memory with Muon's matrix"):
        optimiser.Optimiser(models.create("resnet", seed=0).to(memory_format=torch.channels_last), recipe)
    model = models.create("resnet", seed=0)
    made = optimiser.Optimiser(model, recipe)
    model.to(memory_format=torch.channels_last)
    with pytest.raises(ValueError, match="before its optimiser is made"):
        made.step(0)


def test_muon_takes_the_inner_matrices_and_moves_the_network_itself():
    recipe = recipes.Recipe("resnet", 64_000)
    model = models.create("resnet", seed=0)
    made = optimiser.Optimiser(model, recipe)
    inner = {id(p) for p in made.inner}
    names = {name for name, p in model.named_parameters() if id(p) in inner}
    assert "layer1.0.conv1.weight" in names and not any(n.startswith(("conv1", "fc")) or "bn" in n for n in names)
    before = model.layer1[0].conv1.weight.detach().clone()
    model(torch.randn(4, 3, 64, 64)).sum().backward()
    made.step(500)
    assert not torch.equal(before, model.layer1[0].conv1.weight) and model.layer1[0].conv1.weight.grad is None

"""Recipes, and the zoo that they fill."""

import json

import pytest

from seelike import models, recipes
from seelike.recipes import RECIPES, Recipe


def test_unknown_recipes_name_the_known():
    with pytest.raises(ValueError, match="no recipe for 'vit' at tier 'scenes'"):
        recipes.recipe("vit", "scenes")


@pytest.mark.parametrize("tier", list(recipes.ZOO))
def test_every_card_was_made_by_the_recipe_of_its_name(tier):
    cards = models.cards(tier)
    assert set(recipes.ZOO[tier]) <= set(cards)
    for (name, _), card in cards.items():
        assert Recipe(**card.recipe).training() == RECIPES[tier][name].training() == card.recipe, name
        assert (card.architecture, card.options) == (card.made.architecture, card.made.training().get("options", {})), name


@pytest.mark.parametrize("tier", list(recipes.ZOO))
def test_networks_reach_what_their_recipe_expects(tier):
    for card in models.cards(tier).values():
        if card.made.expect is not None:
            assert card.made.expect - 0.03 < card.accuracy, card.label
    assert all(
        RECIPES[tier][name].expect and RECIPES[tier][name].minutes
        for name in ("vit_cls", "resnet", "vit_gap", "mixer")
        if name in RECIPES[tier]
    )


def test_studies_tell_their_factors():
    grid = models.cards("scenes", study="grid")
    assert {tuple(card.made.factors) for card in grid.values()} == {("width", "images", "distinct")} and len(grid) > 30
    for card in grid.values():
        assert card.made.factors["width"] == card.options["width"] and card.made.factors["images"] == card.made.images


def test_what_describes_a_run_does_not_change_it():
    plain = Recipe("resnet", 640, {"depths": (1, 1, 1, 1)})
    told = Recipe("resnet", 640, {"depths": (1, 1, 1, 1)}, study="x", factors={"a": 1}, expect=0.5, minutes=1, why="because", seeds=(0, 1))
    assert plain == told and plain.training() == told.training()
    assert json.loads(json.dumps(plain.training())) == plain.training()  # tuples would come back as lists


@pytest.mark.parametrize("network", ["vit", "resnet"])
def test_augmented_runs_and_their_controls_differ_in_nothing_but_stages(network):
    augmented, control = (RECIPES["scenes"][f"{network}_{how}_long"] for how in ("augmented", "continued"))
    told = augmented.training()
    assert augmented.points == control.points == len(told.pop("stages")) and augmented.steps % augmented.points == 0
    assert told == control.training() and told["recalibrate"] and told["cool"] == 0

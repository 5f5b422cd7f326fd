"""Similarity against consistency of errors: rank correlations, their intervals and the choice of networks, where the answer is known."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from seelike import alike, consistency
from seelike.cka import CKA, gram
from seelike.images import Images

RNG = np.random.default_rng(0)


def network(n=16, trials=2000, camps=2, seed=0):
    """Right and wrong answers of networks of some camps, whose errors fall on the images that their camp finds hard, and their similarity."""
    rng = np.random.default_rng(seed)
    camp = np.arange(n) % camps
    hard = rng.normal(size=(camps, trials))
    right = hard[camp] + 0.7 * rng.normal(size=(n, trials)) > -0.3
    same = (camp[:, None] == camp).astype(float)
    return right, 0.4 + 0.4 * same + 0.02 * np.add.outer(rng.normal(size=n), rng.normal(size=n))


def test_networks_of_one_camp_see_and_err_alike():
    right, seen = network()
    seen = (seen + seen.T) / 2
    k = consistency.kappas(right)
    value, low, high = alike.agreement(seen, k)
    assert value > 0.7 and low > 0.5 and high <= 1
    assert alike.agreement(seen, k, alike.given_accuracy(right.mean(1))).low > 0.5
    assert abs(np.quantile(alike.by_chance(seen, k), [0.025, 0.975])).max() < 0.35 < low


def test_similarity_that_has_nothing_to_do_with_errors_agrees_with_none():
    right, _ = network()
    other = np.random.default_rng(3).normal(size=(16, 16))
    found = alike.agreement(other + other.T, consistency.kappas(right))
    assert found.low < 0 < found.high


def test_what_accuracy_alone_brings_about_is_taken_out():
    accuracy = np.linspace(0.2, 0.9, 12)
    mean, apart = alike.given_accuracy(accuracy)
    assert mean[0, -1] == pytest.approx(0.55) and apart[0, -1] == pytest.approx(0.7)
    noise = [m + m.T for m in 0.02 * np.random.default_rng(1).normal(size=(2, 12, 12))]
    x, y = 2 * mean - apart + noise[0], mean - 2 * apart + noise[1]
    assert alike.agreement(x, y).low > 0.2
    partial = alike.agreement(x, y, [mean, apart])
    assert partial.low < 0 < partial.high


def test_rank_correlation_is_spearmans_and_the_partial_one_has_its_formula():
    x, z = RNG.normal(size=(2, 200))
    y = 0.5 * x + z + 0.3 * RNG.normal(size=200)
    r = {a + b: spearmanr(u, v).statistic for a, u in zip("xyz", (x, y, z), strict=True) for b, v in zip("xyz", (x, y, z), strict=True)}
    assert alike.rank_correlation(x, y) == pytest.approx(r["xy"])
    partial = (r["xy"] - r["xz"] * r["yz"]) / np.sqrt((1 - r["xz"] ** 2) * (1 - r["yz"] ** 2))
    assert alike.rank_correlation(x, y, [z]) == pytest.approx(partial)
    assert alike.rank_correlation(np.exp(x), y**3) == pytest.approx(r["xy"])  # ranks only
    assert np.isnan(alike.rank_correlation(x, np.ones(200))) and np.isnan(alike.rank_correlation(x, y, [x]))


def test_an_interval_draws_networks_and_is_wider_than_one_of_pairs():
    rng = np.random.default_rng(5)
    n = 20
    own = rng.normal(size=(2, n))
    x, y = (np.add.outer(v, v) for v in (own[0], 0.4 * own[0] + own[1]))  # pairs of a network move together
    value, low, high = alike.agreement(x, y)
    u, v = alike.pairs(x), alike.pairs(y)
    drawn = [alike.rank_correlation(u[i], v[i]) for i in rng.integers(0, len(u), (200, len(u)))]
    assert low < value < high and high - low > 1.5 * np.ptp(np.quantile(drawn, [0.025, 0.975]))


def test_matrices_over_other_networks_and_few_networks_are_a_sentence():
    with pytest.raises(ValueError, match=r"at least 8 of them, got shapes \[\(9, 9\), \(8, 8\)\]"):
        alike.agreement(np.eye(9), np.eye(8))
    with pytest.raises(ValueError, match="at least 8"):
        alike.agreement(np.eye(7), np.eye(7))


def test_similarity_is_taken_at_matched_depth_from_both_sides():
    x = torch.randn(3, 32, 20)
    layers = {"a/0": x[0], "a/1": x[1], "a/2": x[2], "b/0": x[0], "b/1": x[2], "c/0": x[2], "c/1": x[0]}
    found = CKA(list(layers))
    found.update({name: gram(v) for name, v in layers.items()})
    seen, whole = alike.seen(found), found.compute()
    assert np.allclose(seen, seen.T) and np.allclose(np.diag(seen), 1)
    middle = whole.loc["a/1", "b/0"]  # of three layers the middle one meets the even one of two
    assert seen[0, 1] == pytest.approx(((2 + middle) / 3 + 1) / 2)
    assert abs(seen[1, 2]) < 0.3  # the same layers in the opposite order


def test_pairs_and_what_they_consist_of():
    assert alike.pairs(np.arange(9.0).reshape(3, 3)).tolist() == [1, 2, 5]
    assert alike.kinds(["ViT", "ResNet", "ViT", "mixer-0"]) == [
        "ViT and ResNet", "two ViTs", "other", "ViT and ResNet", "other", "other",
    ]  # fmt: skip
    assert alike.kinds(["ResNet", "ResNet"]) == ["two ResNets"] and alike.kinds(["mixer-0", "mixer-1"]) == ["other"]


def test_noise_has_its_standard_deviation_and_is_the_same_every_time():
    grey = Images(torch.full((4, 3, 32, 32), 128, dtype=torch.uint8), torch.arange(4), tuple("abcd"))
    noisy = alike.noisy(grey, 20.0)
    assert noisy.pixels.float().std() == pytest.approx(20, rel=0.03) and torch.equal(noisy.labels, grey.labels)
    assert torch.equal(noisy.pixels, alike.noisy(grey, 20.0).pixels) and torch.equal(alike.noisy(grey, 0.0).pixels, grey.pixels)
    with pytest.raises(ValueError, match="0 or more, got -1.0"):
        alike.noisy(grey, -1.0)


def test_members_learned_the_tiers_own_question_and_have_no_backdoor():
    found = alike.members("scenes")
    assert {"vit_cls", "resnet", "mixer", "vit_data_1000"} <= {card.name for card in found.values()}
    assert not any(name.startswith(("trojan", "vit_to", "vit_data_003")) for name in found)
    assert min(card.accuracy for card in found.values()) > 0.55
    roles = [card.name for card in found.values()]
    assert max(map(roles.count, roles)) == 2
    assert alike.members("smoke") == {} and alike.members("scenes", lowest=0.999) == {}


@pytest.mark.parametrize(
    ("found", "given", "words"),
    [
        ((0.5, 0.3, 0.7), (0.4, 0.2, 0.6), "err alike, and more so than"),
        ((0.5, 0.3, 0.7), (0.1, -0.2, 0.4), "accuracies may explain it"),
        ((0.1, -0.3, 0.4), (0.4, 0.2, 0.6), "cannot be told"),
    ],
)
def test_the_sentence_follows_the_numbers(found, given, words):
    told = alike.told(alike.Estimate(*found), alike.Estimate(*given), np.linspace(-0.2, 0.2, 81), 10)
    assert words in told and "45 pairs of 10 networks" in told and "between -0.19 and 0.19" in told

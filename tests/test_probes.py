"""Probes against scikit-learn, on data with a known answer, and loud about missing classes."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.preprocessing import StandardScaler

from seelike import capture, data, models, probes


def problem(n=60, c=12, classes=4, seed=0, positions=()):
    g = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % classes
    return torch.randn(*positions, n, c, generator=g) + torch.randn(classes, c, generator=g)[y], y


@pytest.mark.parametrize("c", [5, 12, 100])  # fewer and more features than examples
def test_ridge_equals_scikit_learn(c):
    x, y = problem(c=c)
    probe = probes.RidgeProbe([0.5]).fit(x, y, 4)
    scaler = StandardScaler().fit(x.double().numpy())
    scaler.scale_ = scaler.scale_ + 1e-5
    target = np.eye(4)[y.numpy()] * 2 - 1
    ridge = Ridge(alpha=0.5 * len(y)).fit(scaler.transform(x.double().numpy()), target)
    scores = x.double() @ probe.weight_ + probe.bias_
    np.testing.assert_allclose(scores.numpy(), ridge.predict(scaler.transform(x.double().numpy())), atol=1e-8)


def test_the_penalty_is_the_one_that_leave_one_out_chooses():
    for seed in range(5):
        x, y = problem(n=24, c=40, seed=seed)
        probe = probes.RidgeProbe().fit(x, y, 4)
        scaled = (x.double() - x.double().mean(0)) / (x.double().std(0, correction=0) + 1e-5)
        target = np.eye(4)[y.numpy()] * 2 - 1
        chosen = RidgeCV([p * 24 for p in probes.PENALTIES]).fit(scaled.numpy(), target).alpha_
        assert probe.penalty_.item() * 24 == pytest.approx(chosen)


def test_positions_are_probed_independently():
    x, y = problem(positions=(3,))
    together = probes.RidgeProbe().fit(x, y, 4)
    for i in range(3):
        alone = probes.RidgeProbe().fit(x[i], y, 4)
        torch.testing.assert_close(together.weight_[i], alone.weight_)
        assert torch.equal(together.predict(x)[i], alone.predict(x[i]))


def test_both_probes_learn_what_is_there_and_nothing_else():
    x, y = problem(n=400)
    truth = torch.arange(400) % 4
    for probe in (probes.RidgeProbe(), probes.LogisticProbe()):
        fitted = probe.fit(x[:200], y[:200], 4)
        assert (fitted.predict(x[200:]) == y[200:]).float().mean() > 0.85
        noise = probe.fit(torch.randn(200, 12), y[:200], 4)
        assert (noise.predict(torch.randn(400, 12)) == truth).float().mean() < 0.4


@pytest.mark.parametrize("probe", [probes.RidgeProbe(), probes.LogisticProbe()])
def test_an_absent_class_is_a_sentence(probe):
    x, y = problem()
    with pytest.raises(ValueError, match="no example of class 3: draw at least one"):
        probe.fit(x[y < 3], y[y < 3], 4)


def test_examples_without_labels_are_a_sentence():
    with pytest.raises(ValueError, match="one label for each of the 60 examples, got 59"):
        probes._check(torch.randn(60, 8), torch.arange(59) % 4, 4)
    with pytest.raises(ValueError, match="Labels run from 0 to 4: expected 0 to 3"):
        probes.RidgeProbe().fit(torch.randn(60, 8), torch.arange(60) % 5, 4)
    with pytest.raises(ValueError, match="NaN or infinite"):
        probes.RidgeProbe().fit(torch.full((60, 8), torch.nan), torch.arange(60) % 4, 4)


def test_shots():
    y = torch.arange(100) % 5
    rows = probes.shots(y, 4, 5, seed=1)
    assert y[rows].bincount().tolist() == [4] * 5 and len(set(rows.tolist())) == 20
    with pytest.raises(ValueError, match="30 shots of class 0 were asked for, but the set has 20"):
        probes.shots(y, 30, 5)


def test_as_many_shots_as_the_rarest_class_has():
    y = torch.tensor([0] * 12 + [1] * 3 + [2] * 20)
    assert probes.affordable(y, 3) == 3 and probes.affordable(y, 3, most=2) == 2 and probes.affordable(y.repeat(5), 3) == 10
    with pytest.raises(ValueError, match="1 shots of class 3 were asked for, but the set has 0"):
        probes.shots(y, probes.affordable(y, 4), 4)


def test_few_shot_of_a_trained_network():
    model = models.load("vit_gap")
    train, test = data.load("scenes", "train", 400, seed=1), data.load("scenes", "test", 200, seed=2)
    found = probes.few_shot(model, ["blocks.0", "blocks.7"], train, test, 10, view=capture.patches)
    assert found["blocks.7"].shape == (2, 64)
    assert found["blocks.7"].mean() > 0.9 > 0.4 > found["blocks.0"].mean()
    pooled = probes.few_shot(model, ["blocks.7"], train, test, 10)
    assert pooled["blocks.7"].shape == (2, 1) and pooled["blocks.7"].mean() > 0.9


def test_only_the_shots_are_shown_and_the_probes_are_the_same():
    model, seen = models.create("resnet", seed=0).eval(), []
    model.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    train, test = data.load("scenes", "train", 400, seed=1), data.load("scenes", "test", 100, seed=2)
    found = probes.few_shot(model, ["layer1.0", "layer4.1"], train, test, 10, per_class=2)
    assert sum(seen) <= 3 * 2 * 10 + len(test)
    whole = probes.few_shot(model, ["layer1.0", "layer4.1"], list(train), test, 10, per_class=2)
    for tap, values in whole.items():
        np.testing.assert_allclose(found[tap], values, atol=0.011)  # of a hundred images one may lie between two classes


def test_features_keep_order_and_labels():
    images = data.load("scenes", "test", 140)
    found, labels = probes.features(models.create("resnet").eval(), ["layer1.0", "layer4.1"], images)
    assert found["layer1.0"].shape == (140, 16) and found["layer4.1"].shape == (140, 128)
    assert torch.equal(labels, images.labels)


def test_too_few_shots_are_known_before_features_are_taken():
    asked = data.load("scenes", n=30)
    model = torch.nn.Identity()
    model.register_forward_hook(lambda *_: pytest.fail("a forward pass"))
    with pytest.raises(ValueError, match="10 shots of class .* were asked for, but the set has .: give more images"):
        probes.few_shot(model, [], asked, asked, 10)

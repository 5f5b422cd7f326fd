"""Measures of similarity beside CKA, against scipy and brute force."""

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group

from seelike import similarity
from seelike.capture import gap, layers
from seelike.cka import CKA, gram
from seelike.intervals import resampling
from seelike.models import create


def pair(n=60, p=7, q=4):
    x = torch.randn(n, p)
    return x, x[:, :q] + 0.5 * torch.randn(n, q) + 3


def test_procrustes_is_what_scipy_finds():
    x, y = pair()
    a, b = (v.double().numpy() - v.double().numpy().mean(0) for v in (x, y))
    a, b = a / np.linalg.norm(a), np.pad(b / np.linalg.norm(b), ((0, 0), (0, 3)))
    turn, scale = orthogonal_procrustes(a, b)
    assert similarity.procrustes(x, y) == pytest.approx(scale)
    assert np.linalg.norm(a @ turn - b) ** 2 == pytest.approx(2 - 2 * scale)  # the distance of Ding et al.


def test_procrustes_ignores_shift_scale_and_rotation_only():
    x, _ = pair()
    turn = torch.tensor(ortho_group.rvs(7, random_state=0)).float()
    assert similarity.procrustes(x, 3 * x @ turn + 1) == pytest.approx(1, abs=1e-6)
    assert similarity.procrustes(x, x * torch.tensor([9.0, 1, 1, 1, 1, 1, 1])) < 0.9
    assert similarity.procrustes(torch.randn(5000, 4), torch.randn(5000, 4)) < 0.05
    assert np.isnan(similarity.procrustes(x, torch.ones(60, 2)))


def test_mutual_neighbours_by_brute_force():
    x, y = pair(30)

    def nearest(v, i):
        cosine = [float(torch.nn.functional.cosine_similarity(v[i], v[j], 0)) if j != i else -2.0 for j in range(len(v))]
        return set(np.argsort(cosine)[::-1][:5].tolist())

    expected = np.mean([len(nearest(x, i) & nearest(y, i)) / 5 for i in range(30)])
    assert similarity.mutual_neighbours(x, y, 5) == pytest.approx(expected)
    assert 0.2 < expected < 0.9
    assert similarity.mutual_neighbours(x, 4 * x, 5) == 1


def test_neighbours_of_unrelated_representations_are_shared_by_chance():
    assert similarity.mutual_neighbours(torch.randn(400, 5), torch.randn(400, 5), 40) == pytest.approx(40 / 399, abs=0.02)


@pytest.mark.parametrize("f", [similarity.procrustes, similarity.mutual_neighbours])
def test_other_images_are_refused(f):
    with pytest.raises(ValueError, match="the same images, got 20 and 21"):
        f(torch.randn(20, 3), torch.randn(21, 3))


def test_more_neighbours_than_there_are_images():
    with pytest.raises(ValueError, match="ask for 1 to 7 of them, not 10"):
        similarity.mutual_neighbours(torch.randn(8, 3), torch.randn(8, 3))


def found():
    return {"a/0": torch.randn(8, 16, 5) + 1, "a/1": torch.randn(8, 16, 3), "b/0": torch.randn(8, 16, 6) - 2}


@pytest.mark.parametrize(("measure", "f"), [("Procrustes", similarity.procrustes), ("mutual neighbours", similarity.mutual_neighbours)])
def test_maps_hold_the_measure_of_every_pair_and_of_resamples(measure, f):
    features = found()
    m = similarity.Maps(features, measure).resampled("a", "b")
    drawn = np.repeat(np.arange(8), resampling(8, similarity.DRAWS, 0)[2])
    for chosen, map_ in ((np.arange(8), m[0]), (drawn, m[3])):
        for i, x in enumerate(features.values()):
            for j, y in enumerate(features.values()):
                if measure == "Procrustes":
                    expected = f(x[chosen].flatten(0, 1), y[chosen].flatten(0, 1))
                else:
                    expected = np.mean([f(x[b], y[b]) for b in chosen])
                assert map_[i, j] == pytest.approx(expected)


def test_maps_give_blocks_like_cka():
    features = found()
    m, cka = similarity.Maps(features, "Procrustes"), CKA(list(features))
    for batch in range(8):
        cka.update({label: gram(x[batch]) for label, x in features.items()})
    shapes = lambda v, r, c: np.array([*v.shape, *r.shape, *c.shape])  # noqa: E731
    assert m.bootstrap(shapes, "a", "b").value.tolist() == cka.bootstrap(shapes, "a", "b").value.tolist() == [2, 2, 1, 1, 2, 1]
    assert m.bootstrap(lambda v: v[0, 1], "a").value == m.resampled("a")[0, 0, 1]
    with pytest.raises(ValueError, match="No features of c are here: expected networks among a, b"):
        m.bootstrap(np.mean, "c")


def test_features_of_every_block_by_batch():
    model, x = create("vit_cls", "smoke", seed=0).eval(), torch.randn(8, 3, 64, 64)
    taps = layers(model)
    held = similarity.features({"v": model}, [x[:4], x[4:]], {"v": taps})
    assert list(held) == [f"v/{tap}" for tap in taps] and held["v/blocks.0"].shape == (2, 4, 96)
    outputs = []
    handle = model.get_submodule("blocks.3").register_forward_hook(lambda *a: outputs.append(a[2]))
    with torch.no_grad():
        model(x)
    handle.remove()
    assert torch.allclose(held["v/blocks.3"].flatten(0, 1), gap(outputs[0]), atol=1e-5)
    with pytest.raises(ValueError, match="No batch came"):
        similarity.features({"v": model}, [], {"v": taps})

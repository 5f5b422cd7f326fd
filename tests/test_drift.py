"""What layers make easy to read, and thirds of similarity, on numbers whose answer is known."""

import numpy as np
import pytest
import torch

from seelike import claims, drift, ledger, maps, models
from seelike.images import Images
from seelike.intervals import Estimate


@pytest.mark.parametrize(("accuracy", "classes", "beyond"), [(0.1, 10, 0), (1.0, 10, 1), (0.55, 10, 0.5), (0.25, 4, 0), (0.0, 2, -1)])
def test_accuracy_beyond_chance(accuracy, classes, beyond):
    assert drift.learned(accuracy, classes) == pytest.approx(beyond)


def test_one_class_leaves_nothing_to_learn():
    with pytest.raises(ValueError, match="at least 2 classes, got 1"):
        drift.learned(1.0, 1)


def test_readouts_are_the_means_and_the_class_token():
    tokens = torch.arange(5.0)[None, :, None]  # a class token of 0 and four patches, 1 to 4
    assert drift.readouts(tokens).flatten().tolist() == [2, 2.5, 0]
    assert drift.readouts(tokens[:, 1:]).flatten().tolist() == [2.5]  # without a class token
    assert drift.readouts(torch.arange(4.0).reshape(1, 1, 2, 2)).flatten().tolist() == [1.5]  # a feature map


def painted(n, seed):
    """Scenes of two classes that brightness alone tells apart."""
    labels = torch.arange(n) % 2
    noise = torch.randint(0, 40, (n, 3, 64, 64), generator=torch.Generator().manual_seed(seed))
    return Images((noise + 150 * labels[:, None, None, None]).to(torch.uint8), labels, ("dark", "bright"), batch_size=16)


def test_what_every_token_says_is_easy_to_read_and_what_none_says_is_not():
    vit, resnet = (models.untrained(role, "smoke") for role in ("vit_cls", "resnet"))
    shown, asked = painted(48, 0), painted(32, 1)
    found = drift.readable(vit, shown, asked, 2)
    assert list(found) == list(drift.READOUTS) and found["patches"].shape == (2, 8)
    assert found["all tokens"].mean() > 0.95
    shuffled = Images(asked.pixels, asked.labels.roll(1), asked.classes, batch_size=16)  # every answer is wrong now
    assert drift.readable(vit, shown, shuffled, 2)["all tokens"].mean() < 0.05
    maps_only = drift.readable(resnet, shown, asked, 2)
    assert list(maps_only) == ["all tokens", "patches"] and (maps_only["all tokens"] == maps_only["patches"]).all()


def test_the_middle_is_the_last_block_of_the_lower_half():
    assert drift.middle(np.arange(8.0)) == 3 and drift.middle(np.arange(7.0)) == 2 and drift.middle(np.array([5.0])) == 5
    top_only, low_only = np.array([0.2, 0.2, 0.9, 0.9]), np.array([0.9, 0.2, 0.2, 0.2])
    assert drift.more_data_helps(top_only, low_only) == 0  # ends differ, the middle does not
    assert drift.more_data_helps(np.array([0.1, 0.6, 0.6, 0.6]), np.array([0.1, 0.3, 0.6, 0.6])) == pytest.approx(30)


def test_depths_are_compared_by_their_means():
    assert drift.easier(np.array([0.2, 0.6]), np.array([0.1, 0.3, 0.2])) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("main", "small", "parts"),
    [
        ((0.3, 0.0), (0.1, 0.1), (0.3, 0.3, 0.3)),  # all that the paper says
        ((-0.1, -0.3), (0.0, 0.0), (-0.1, 0.2, 0.2)),  # untrained weights are nearer, everywhere
        ((0.3, 0.3), (0.3, 0.2), (0.3, 0.0, -0.1)),  # high layers gain as much, and the small network shows the gap
    ],
)
def test_what_little_data_teaches_beyond_untrained_weights(main, small, parts):
    assert maps.needs_more(np.array(main), np.array(small)) == pytest.approx(parts)


def test_what_fine_tuning_leaves_alone():
    own = np.array([[1.0, 0.5], [0.9, 0.8]])
    assert maps.preserved(own, np.array([[0.9, 0.9], [0.7, 0.1]])) == pytest.approx([0.3, 0.15])
    low = maps.preserved(own, np.array([[1.0, 1.0]]))
    assert low == pytest.approx([0.3, -0.05])  # low blocks of another start are nearer still
    first, second = maps.preserved(own, np.empty((0, 2)))
    assert first == pytest.approx(0.3) and np.isnan(second)


def test_parts_of_claims_that_were_recorded(tmp_path, monkeypatch):
    monkeypatch.setenv("SEELIKE_RESULTS", str(tmp_path))
    nothing = Estimate(float("nan"), float("nan"), float("nan"))
    claims.record("R21-27", "smoke", dict(zip([p.name for p in ledger.get("R21-27").parts], (Estimate(0.2, 0.1, 0.3), nothing), strict=True)),
                  seeds=1, images=64)  # fmt: skip
    table = drift.parts(["R21-24", "R21-27"], "smoke")
    assert table["estimate [95 %]"].tolist() == ["0.20 [0.10, 0.30]", "not known"] and list(table.index) == ["R21-27", "R21-27"]
    assert len(drift.parts(["R21-24"], "smoke")) == 0

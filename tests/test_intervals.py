"""Intervals: what they hold, and that they cover."""

import numpy as np
import pytest
import torch
from scipy.stats import t as student
from scipy.stats import ttest_ind

from seelike.intervals import (
    NORMAL,
    Estimate,
    Resampled,
    Share,
    batched,
    bootstrap,
    bounded,
    combine,
    difference,
    estimate,
    jackknife_error,
    normal,
    over_left_out,
    over_seeds,
    percentile,
    ratio,
    redrawn,
    share,
    size,
    unpaired,
)


def test_the_interval_covers_seeds_and_images():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(3, 200)) * 0.001
    images_only = estimate([Resampled(0.5, draws[0], 16)])
    seeds_too = estimate([Resampled(v, d, 16) for v, d in zip((0.4, 0.5, 0.6), draws, strict=True)])
    assert images_only.estimate == seeds_too.estimate == pytest.approx(0.5)
    assert seeds_too.high - seeds_too.low > 5 * (images_only.high - images_only.low)
    assert seeds_too.high == pytest.approx(0.5 + 4.3027 * 0.1 / 3**0.5, rel=1e-3)  # t with 2 degrees of freedom


def test_the_interval_over_seeds_covers():
    rng = np.random.default_rng(1)
    tries = ([Resampled(v, np.zeros(200), 8) for v in rng.normal(size=3)] for _ in range(400))
    inside = sum(e.low <= 0 <= e.high for e in map(estimate, tries))
    assert 360 <= inside <= 395


def test_the_bootstrap_of_means_is_the_bootstrap_of_the_mean():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((16, 3)), rng.standard_normal((16, 3))
    value, draws, batches = bootstrap(lambda x, y: (x - y).mean(), a, b, draws=4000)
    assert value == pytest.approx((a - b).mean()) and batches == 16
    assert draws.std() == pytest.approx((a - b).mean(1).std() / 4, rel=0.1)
    with pytest.raises(ValueError, match="at least 2 batches of images, got 1"):
        bootstrap(np.mean, a[:1])
    with pytest.raises(ValueError, match=r"got \[16, 15\]"):
        bootstrap(lambda x, y: 0.0, a, b[1:])


def test_a_difference_over_starts_holds_both_kinds_of_luck():
    def card(accuracy):
        return Share(accuracy, 2000)

    one = difference((card(0.9), card(0.8)))
    assert one.estimate == pytest.approx(0.1)
    assert one.high - one.estimate == pytest.approx(NORMAL * (0.9 * 0.1 / 2000 + 0.8 * 0.2 / 2000) ** 0.5)
    three = difference(*((card(0.8 + d), card(0.7)) for d in (-0.05, 0.0, 0.05)))
    assert three.high - three.estimate > student.ppf(0.975, 2) * 0.05 / 3**0.5
    assert difference((card(0.1), card(0.9)), (card(0.9), card(0.1))).high == 1.0


def endless(*accuracies):
    """Shares of so many images that only the starts matter."""
    return [Share(float(a), 10**12) for a in accuracies]


def test_unrelated_starts_are_compared_as_welch_does():
    rng = np.random.default_rng(0)
    for n, m, spread in ((3, 3, 0.1), (3, 5, 0.01), (8, 2, 0.2)):
        a, b = rng.uniform(0.4, 0.6, n), 0.5 + rng.uniform(-spread, spread, m)
        theirs = ttest_ind(a, b, equal_var=False).confidence_interval()
        assert unpaired([endless(*a), endless(*b)]) == pytest.approx((a.mean() - b.mean(), theirs.low, theirs.high), abs=1e-5)
    assert unpaired([endless(0.5, 0.5), endless(0.2, 0.2)]) == pytest.approx((0.3, 0.3, 0.3), abs=1e-5)


def test_unrelated_shares_hold_starts_and_images():
    def group(*accuracies, images=2000):
        return [Share(a, images) for a in accuracies]

    a, b = group(0.9, 0.8, 0.85), group(0.7, 0.72)
    starts = unpaired([endless(*(s.value for s in g)) for g in (a, b)])
    images = NORMAL * (np.mean([s.error**2 for s in a]) + np.mean([s.error**2 for s in b])) ** 0.5
    both = unpaired([a, b])
    assert both.high - both.estimate == pytest.approx(np.hypot(images, starts.high - starts.estimate))
    assert unpaired([a[:1], b[:1]]) == pytest.approx(difference((a[0], b[0])))
    between = unpaired([a[:1], b[:1], b[1:]], (1.0, -0.25, -0.75))
    assert between.estimate == pytest.approx(0.9 - 0.715)
    assert between.high - between.estimate == pytest.approx(
        NORMAL * (a[0].error ** 2 + (0.25 * b[0].error) ** 2 + (0.75 * b[1].error) ** 2) ** 0.5
    )
    with pytest.raises(ValueError, match=r"got groups of \[3, 0\] starts"):
        unpaired([a, []])


def test_a_difference_of_statistics_keeps_what_they_share():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((16, 1))
    b = a + 0.01 * rng.standard_normal((16, 1))
    apart = [bootstrap(lambda x: x.mean(), x) for x in (a, b)]
    together = estimate([apart[1].minus(apart[0])])
    assert together.estimate == pytest.approx((b - a).mean())
    assert together.high - together.low < 0.1 * (estimate(apart[:1]).high - estimate(apart[:1]).low)
    with pytest.raises(ValueError, match="the same batches and draws, got 16 and 8"):
        apart[0].minus(apart[1]._replace(batches=8))


def test_a_share_is_wilsons():
    e = share(torch.tensor([True] * 9 + [False]))
    z, n, p = NORMAL, 10, 0.9  # Wilson 1927
    middle, half = (p + z**2 / 2 / n) / (1 + z**2 / n), z / (1 + z**2 / n) * (p * (1 - p) / n + z**2 / 4 / n**2) ** 0.5
    assert e == pytest.approx((0.9, middle - half, middle + half), abs=1e-6)


def test_small_pieces():
    assert over_seeds([0.3]) == 0.0
    assert over_seeds([1.0, 2.0, 3.0]) == pytest.approx(student.ppf(0.975, 2) / 3**0.5)
    assert normal(1.0, 0.5) == pytest.approx((1.0, 1 - 0.5 * NORMAL, 1 + 0.5 * NORMAL))
    x = np.random.default_rng(0).normal(size=20)
    leave = (x.sum() - x) / 19
    assert jackknife_error(leave) == pytest.approx(x.std(ddof=1) / 20**0.5)  # of a mean, the jackknife is the standard error
    with pytest.raises(ValueError, match="at least one seed"):
        estimate([])
    with pytest.raises(ValueError, match="the same batches"):
        estimate([Resampled(0.0, np.zeros(5), 4), Resampled(0.0, np.zeros(5), 8)])


def test_a_combination_is_taken_draw_by_draw():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 16, 3))
    together = bootstrap(lambda a, b: min(a[0], b[1]), x, y)
    parts = bootstrap(lambda a: a, x), bootstrap(lambda b: b, y)
    apart = combine(lambda a, b: min(a[0], b[1]), *parts)
    assert apart.value == together.value and apart.batches == 16
    np.testing.assert_allclose(apart.draws, together.draws)
    with pytest.raises(ValueError, match=r"the same batches and draws, got \[16, 8\] batches"):
        combine(min, parts[0], parts[1]._replace(batches=8))
    with pytest.raises(ValueError, match=r"got \[\] batches"):
        combine(min)


def test_batches_of_one_size():
    values = np.arange(12.0).reshape(6, 2)
    assert batched(values, 3).tolist() == [[1, 2], [5, 6], [9, 10]]
    assert batched(values[:, 0] > 5, 2).tolist() == [0, 1]
    with pytest.raises(ValueError, match="divides 6 images, got 4"):
        batched(values, 4)


def test_seeds_left_out_of_a_mean_give_the_interval_over_seeds():
    x = [0.1, 0.4, 0.7, 0.2]
    leave = [np.mean(x[:i] + x[i + 1 :]) for i in range(4)]
    assert over_left_out(leave) == pytest.approx(over_seeds(x))
    with pytest.raises(ValueError, match="at least 2 seeds left out, got 1"):
        over_left_out(leave[:1])


def test_ends_that_a_quantity_cannot_pass_and_absolute_values():
    assert bounded(Estimate(0.9, 0.7, 1.1)) == (0.9, 0.7, 1.0) and bounded(Estimate(0.1, -0.1, 0.3)) == (0.1, 0.0, 0.3)
    assert bounded(Estimate(0.0, -3.0, 3.0), low=-1.0) == (0.0, -1.0, 1.0)
    assert size(Estimate(-0.4, -0.5, -0.3)) == (0.4, 0.3, 0.5) and size(Estimate(0.4, 0.3, 0.5)) == (0.4, 0.3, 0.5)
    assert size(Estimate(-0.1, -0.5, 0.3)) == (0.1, 0.0, 0.5)


def test_shares_are_drawn_again_as_binomials():
    e = estimate([redrawn(lambda a, b: a - b, Share(0.9, 1000), Share(0.8, 1000), draws=4000)])
    exact = difference((Share(0.9, 1000), Share(0.8, 1000)))
    assert e.estimate == pytest.approx(0.1) and e.high - e.low == pytest.approx(exact.high - exact.low, rel=0.05)
    assert redrawn(max, Share(0.0, 10), Share(1.0, 10)).draws.tolist() == [1.0] * 200
    with pytest.raises(ValueError, match=r"the same images, got \[10, 20\] images"):
        redrawn(max, Share(0.5, 10), Share(0.5, 20))


def test_a_percentile_interval_and_the_error_of_a_share():
    assert percentile(3.0, np.arange(201.0)) == pytest.approx((3, 5, 195))
    assert Share(0.2, 100).error == pytest.approx(0.04)


def test_a_ratio_is_one_of_means():
    assert ratio(np.array([1.0, 3.0]), np.array([0.0, 1.0, 2.0])) == 2

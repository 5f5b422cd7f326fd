"""Power laws recover the constants that made the data, and their intervals cover them."""

import numpy as np
import pytest

from seelike import scaling

TRUE = {"a": 0.6, "b": 0.35, "c": 0.1, "d": 0.5}


def points(n=40, noise=0.02, seed=0):
    rng = np.random.default_rng(seed)
    compute = np.geomspace(0.1, 1e4, n)
    law = TRUE["a"] * (compute + TRUE["d"]) ** -TRUE["b"] + TRUE["c"]
    return compute, law * np.exp(noise * rng.standard_normal(n))


def test_exact_data_give_the_exact_constants():
    compute, error = points(noise=0)
    fit = scaling.fit_power_law(compute, error, draws=2)
    for name, value in TRUE.items():
        assert getattr(fit, name) == pytest.approx(value, rel=1e-3)
    np.testing.assert_allclose(fit.predict(compute), error, rtol=1e-5)
    assert fit.residual < 1e-5


def test_the_unit_of_compute_changes_a_and_d_only():
    compute, error = points()
    one, other = (scaling.fit_power_law(compute * unit, error, draws=2) for unit in (1, 1e9))
    assert one.b == pytest.approx(other.b, rel=1e-3) and one.c == pytest.approx(other.c, rel=1e-3)
    assert other.d == pytest.approx(one.d * 1e9, rel=1e-2)


@pytest.mark.slow
def test_intervals_cover_the_truth():
    """95 % intervals, asked to cover in 90 % of simulations; 40 of them leave a margin of 2 standard errors."""
    covered = {name: 0 for name in "bc"}
    for seed in range(40):
        fit = scaling.fit_power_law(*points(seed=seed + 1), draws=60, seed=seed)
        for name in covered:
            low, high = fit.interval[name]
            covered[name] += low <= TRUE[name] <= high
    assert min(covered.values()) / 40 > 0.9 - 2 * (0.9 * 0.1 / 40) ** 0.5


def test_a_pure_power_law_fits_worse_where_errors_saturate():
    compute, error = points()
    full, pure = (scaling.fit_power_law(compute, error, saturating=s, draws=2) for s in (True, False))
    assert pure.c == pure.d == 0 and pure.residual > 3 * full.residual


def test_points_of_one_run_are_resampled_together():
    compute, error = points()
    alone = scaling.fit_power_law(compute, error, draws=50)
    together = scaling.fit_power_law(compute, error, runs=np.arange(40) // 4, draws=50)
    assert alone.b == together.b and alone.interval != together.interval
    low, high = together.predict_interval(np.array([1.0, 1e5]))
    assert (low <= together.predict([1.0, 1e5])).all() and (together.predict([1.0, 1e5]) <= high).all()


def test_frontier():
    assert scaling.frontier([1, 2, 3, 4], [0.5, 0.6, 0.3, 0.3]).tolist() == [0, 2]
    assert scaling.frontier([3, 1, 1], [0.1, 0.5, 0.4]).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("compute", "error", "runs", "message"),
    [
        ([1, 2, 3], [0.5, 0.4, 0.3], None, "needs 5 or more pairs"),
        ([0, 1, 2, 3, 4], [0.5] * 5, None, "must be positive and finite"),
        ([1, 2, 3, 4, 5], [0.5] * 5, [1, 2], "got 2 labels for 5 points"),
        ([1, 1, 2, 2, 3, 3], [0.5] * 6, None, "5 or more different amounts of compute, got 3"),
    ],
)
def test_bad_input_is_a_sentence(compute, error, runs, message):
    with pytest.raises(ValueError, match=message):
        scaling.fit_power_law(compute, error, runs=runs)

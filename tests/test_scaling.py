"""Power laws recover the constants that made the data, and their intervals cover them."""

import json

import numpy as np
import pandas as pd
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


def test_without_draws_there_is_a_fit_and_no_interval():
    compute, error = points()
    plain, drawn = (scaling.fit_power_law(compute, error, draws=draws) for draws in (0, 2))
    assert (plain.b, plain.residual, plain.interval, len(plain.draws)) == (drawn.b, drawn.residual, {}, 0)
    assert plain.constants["b"] == [plain.b] and drawn.constants["b"] == [drawn.b, *drawn.interval["b"]]
    with pytest.raises(ValueError, match="made with draws=0: fit it with more"):
        plain.curve(compute)
    with pytest.raises(ValueError, match="0 for none, got -1"):
        scaling.fit_power_law(compute, error, draws=-1)


def test_the_ratio_of_residuals_tells_a_floor_from_none():
    compute, error = points()
    assert scaling.residual_ratio(compute, error) > 3
    straight = 0.6 * compute**-0.35 * np.exp(0.02 * np.random.default_rng(0).standard_normal(len(compute)))
    assert 1 - 1e-6 < scaling.residual_ratio(compute, straight) < 1.2


def test_ratios_of_resamples_keep_runs_together_and_leave_out_the_thin_ones():
    compute, error = points(n=16)
    table = pd.DataFrame({"compute": compute, "error": error, "run": np.arange(16) // 4})
    ratios = scaling.resampled_ratios(table, 8, draws=12)
    rng = np.random.default_rng(0)
    whole = [rng.choice(4, 4) for _ in range(12)]
    assert 0 < len(ratios) == sum(len(set(runs)) > 1 for runs in whole)
    assert len(scaling.resampled_ratios(table, 16, draws=12)) == sum(len(set(runs)) == 4 for runs in whole)


def test_images_until_an_error():
    images, error = [1_000, 10_000, 100_000], [0.9, 0.6, 0.4]
    assert scaling.until(images, error) == pytest.approx(10**4.5)
    assert scaling.until(images, error, 0.6) == pytest.approx(10_000)
    assert scaling.until(images, error, 0.1) == pytest.approx(100_000)


def test_sections_are_plain_numbers():
    compute, error = points()
    front = pd.DataFrame({"compute": compute, "error": error, "model": "a", "other": 1})
    kept = json.loads(json.dumps(scaling.sections(front, scaling.both(compute, error, draws=2), compute[:3])))
    assert list(kept["front"]) == ["compute", "error", "model"] and kept["grid"] == compute[:3].tolist()
    assert list(kept["curves"]) == ["saturating", "pure power law"]
    assert np.shape(kept["curves"]["saturating"]) == (3, 3) and len(kept["constants"]["saturating"]["b"]) == 3


def test_points_of_one_run_are_resampled_together():
    compute, error = points()
    alone = scaling.fit_power_law(compute, error, draws=50)
    together = scaling.fit_power_law(compute, error, runs=np.arange(40) // 4, draws=50)
    assert alone.b == together.b and alone.interval != together.interval
    error, low, high = together.curve([1.0, 1e5])
    np.testing.assert_array_equal(error, together.predict([1.0, 1e5]))
    assert (low <= error).all() and (error <= high).all()
    a, b, c, d = together.draws[3]
    assert together.curves([1.0, 1e5])[3, 1] == pytest.approx(a * (1e5 + d) ** -b + c)


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

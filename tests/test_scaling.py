"""Power laws recover the constants that made the data, and their intervals cover them."""

import json

import numpy as np
import pandas as pd
import pytest

from seelike import scaling
from seelike.intervals import Share

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
    full, pure = (scaling.fit_power_law(compute, error, law=law, draws=2) for law in ("saturating", "pure power law"))
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


def straight(noise=0.02, seed=0):
    """Points of a pure power law."""
    compute = points()[0]
    return compute, 0.6 * compute**-0.35 * np.exp(noise * np.random.default_rng(seed).standard_normal(len(compute)))


RUNS = np.arange(40) // 4


def test_errors_that_rise_with_compute_have_a_negative_exponent():
    compute = np.geomspace(1, 1e4, 20)
    assert scaling.fit_power_law(compute, 0.1 * compute**0.2, law="pure power law", draws=2).b == pytest.approx(-0.2)


def test_a_floor_that_is_not_there_ends_at_zero_exactly():
    fit = scaling.fit_power_law(*straight(), runs=RUNS, draws=40)
    assert fit.interval["c"][0] == 0.0 and fit.interval["d"][0] == 0.0
    exact = scaling.fit_power_law(*straight(noise=0), law="no ceiling", draws=0)
    assert exact.c == pytest.approx(0, abs=1e-6) and exact.d == 0 and exact.b == pytest.approx(0.35, abs=1e-4)
    assert scaling.fit_power_law(*points(), runs=RUNS, draws=40).constant("c").low > 0.05


def test_a_constant_at_the_edge_of_its_range_is_named():
    compute = points()[0]
    steeper = 0.5 * compute**-0.2 - 0.05  # a law with a floor below 0, which no error has
    assert "c" in scaling.fit_power_law(compute, np.maximum(steeper, 1e-3), draws=0).edge
    assert scaling.fit_power_law(*points(noise=0), draws=0).edge == ()


def test_signs_keep_every_point_and_runs_do_not():
    """The interval over signs is that of the noise: hardly any where there is none, wherever the points lie."""
    compute, error = points(noise=0)
    assert np.ptp(scaling.fit_power_law(compute, error, runs=RUNS, resample="signs", draws=10).draws[:, 1]) < 1e-4
    compute, error = points()
    fit = scaling.fit_power_law(compute, error, runs=RUNS, resample="signs", draws=60)
    assert fit.interval["b"][0] < fit.b < fit.interval["b"][1]
    centre, off = fit.predict(compute), -scaling.left_out(compute, error, RUNS)
    ratio = np.log(scaling._signed(centre, off, RUNS, 50, 0) / centre) / off
    np.testing.assert_allclose(np.abs(ratio), 1)
    assert (np.ptp(ratio.reshape(50, 10, 4), axis=2) < 1e-9).all() and (np.ptp(ratio, axis=1) > 1).mean() > 0.9


@pytest.mark.slow
def test_signs_of_runs_that_were_left_out_cover_the_truth():
    """What is foretold of a hidden model, in 20 simulations: 95 % intervals, asked to cover in 90 % within 2 standard errors."""
    covered, truth = 0, TRUE["a"] * (1e5 + TRUE["d"]) ** -TRUE["b"] + TRUE["c"]
    for seed in range(20):
        compute, error = points(seed=seed + 1)
        seen = pd.DataFrame({"compute": compute, "error": error, "run": RUNS})[:32]
        told = scaling.foretold(seen, 1e5, truth, draws=40)["saturating"]
        covered += told.low < 0 < told.high
    assert covered / 20 > 0.9 - 2 * (0.9 * 0.1 / 20) ** 0.5


def test_runs_that_are_left_out_tell_a_floor_from_none():
    """With a floor and a ceiling the law that has them foretells better; of a straight line it does not."""
    assert scaling.left_out_gain(*points(), RUNS).low > 0.02
    told = scaling.left_out_gain(*straight(), RUNS)
    assert told.low < 0.002 and abs(told.estimate) < 0.005


def test_a_run_is_foretold_by_the_others_alone():
    compute, error = points(noise=0)
    spoilt = error.copy()
    spoilt[-4:] *= 2
    off = scaling.left_out(compute, spoilt, RUNS)
    np.testing.assert_allclose(off[-4:], -np.log(2), atol=1e-3)


def test_what_is_foretold_of_a_hidden_model():
    compute, error = points()
    seen = pd.DataFrame({"compute": compute, "error": error, "run": RUNS})[:32]
    truth = TRUE["a"] * (1e5 + TRUE["d"]) ** -TRUE["b"] + TRUE["c"]
    told = scaling.foretold(seen, 1e5, truth, draws=40)
    assert told["saturating"].low < 0 < told["saturating"].high and told["pure power law"].high < -0.3
    assert told["gain"].low > 0.2
    assert told["gain"].estimate == pytest.approx(abs(told["pure power law"].estimate) - abs(told["saturating"].estimate))
    line = pd.DataFrame(dict(zip(("compute", "error"), straight(), strict=True))).assign(run=RUNS)[:32]
    assert scaling.foretold(line, 1e5, 0.6 * 1e5**-0.35, draws=40)["gain"].low <= 0
    assert scaling.foretold(seen, 1e5, truth, law="no ceiling", resample="runs", draws=5)["no ceiling"].estimate < 0


def test_resamples_lack_a_run_in_more_than_a_third():
    assert scaling.missed(2) == 0.25 and scaling.missed(16) == pytest.approx(0.3561, abs=1e-4)


def grid(penalty):
    """Runs of three models on two sets, the small set costing each a penalty at the end and half of it at the lowest error."""
    rows = [
        {"model": m, "size": 10.0**i, "data": data, "images": n, "error": 0.5 - 0.1 * j + cost}
        for i, m in enumerate("abc")
        for data in ("few", "many")
        for j, n in enumerate((100, 1000, 10_000))
        for cost in [(0, penalty(i) / 2 - 0.1 * (j < 2), penalty(i))[j] if data == "few" else 0]
    ]
    return pd.DataFrame(rows)


def test_little_data_may_cost_large_models_more_or_all_the_same():
    gaps = scaling.data_gaps(grid(lambda i: 0.05 * i), "few", "many")
    assert gaps.models == ["a", "b", "c"] and gaps.size.tolist() == [1, 10, 100]
    np.testing.assert_allclose(gaps.end, [0, 5, 10])
    assert (gaps.lowest <= gaps.end + 1e-9).all() and gaps.lowest[2] < 6
    assert scaling.per_decade(gaps.size, gaps.end).estimate == pytest.approx(5)
    same = scaling.data_gaps(grid(lambda _: 0.05), "few", "many")
    assert scaling.per_decade(same.size, same.end).estimate == pytest.approx(0, abs=1e-9)


def test_models_without_a_partner_of_equal_length_are_left_out():
    table = grid(lambda i: 0.05 * i)
    table = table[~((table.model == "b") & (table["data"] == "many") & (table.images == 10_000))]
    assert scaling.data_gaps(table, "few", "many").models == ["a", "c"]
    with pytest.raises(ValueError, match="No model has runs of one length on both few and 3B: got models"):
        scaling.data_gaps(table, "few", "3B")


def test_a_slope_has_the_interval_of_student():
    slope = scaling.per_decade([1, 10, 100, 1000], [0.1, 0.9, 2.1, 2.9])
    assert slope.estimate == pytest.approx(0.96) and slope.high - slope.estimate == pytest.approx(4.3027 * (0.016 / 5) ** 0.5, rel=1e-4)
    with pytest.raises(ValueError, match="needs 3 or more pairs"):
        scaling.per_decade([1, 10], [0, 1])


def test_luck_is_the_scatter_of_equal_runs():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"model": np.repeat(np.arange(100), 4), "images": 1})
    table["error"] = table.model / 100 + 0.003 * rng.standard_normal(400)
    assert scaling.luck(table) == pytest.approx(0.003, rel=0.1)
    with pytest.raises(ValueError, match="two or more runs of one model and length"):
        scaling.luck(table.drop_duplicates("model"))


SLOW = ([1_000, 10_000, 100_000], [0.9, 0.6, 0.4])
FAST = ([100, 1_000, 10_000], [0.9, 0.6, 0.4])


def test_images_until_an_error_are_never_extrapolated():
    assert scaling.images_until(SLOW, 0.5) == pytest.approx(10**4.5)
    assert scaling.images_until(SLOW, 0.6) == pytest.approx(10_000) and scaling.images_until(SLOW, 0.9) == pytest.approx(1_000)
    assert scaling.images_until(([1, 10, 100], [0.5, 0.3, 0.4]), 0.4) == pytest.approx(10**0.5)  # the first time, before the turn
    for level in (0.39, 0.91):
        with pytest.raises(ValueError, match="would be extrapolated"):
            scaling.images_until(SLOW, level)


def test_a_run_ten_times_slower_needs_ten_times_the_images_at_every_error():
    levels = np.linspace(0.4, 0.9, 5)
    np.testing.assert_allclose(scaling.ratios(SLOW, FAST, levels), 10)
    assert scaling.mean_ratio(SLOW, FAST) == pytest.approx(10) and scaling.common_levels(SLOW, FAST) == (0.4, 0.9)
    low, high = scaling.sample_ratio(SLOW, FAST, 0.01)[1:]
    assert 8 < low < 10 < high < 12
    band = scaling.ratio_band(SLOW, FAST, 0.01, levels)
    assert band.shape == (3, 5) and (band[1] < 10).all() and (band[2] > 10).all()
    with pytest.raises(ValueError, match="no error in common"):
        scaling.common_levels(([1, 2], [0.9, 0.8]), ([1, 2], [0.7, 0.6]))


def test_a_difference_matters_less_than_one_that_is_known_to():
    same = [(Share(0.98, 2000), Share(0.979, 2000)), (Share(0.981, 2000), Share(0.983, 2000)), (Share(0.979, 2000), Share(0.977, 2000))]
    longer = [(a, Share(b.value - 0.2, 2000)) for a, b in same]
    told = scaling.matters_less(same, longer)
    assert told.high < 0 and told.estimate == pytest.approx(0.2 / 300 - 0.2, abs=2e-3)
    assert scaling.matters_less(same, same).low < 0 < scaling.matters_less(same, same).high
    assert scaling.matters_less(longer, same).low > 0


def test_arithmetic_of_tokens_and_memory():
    assert [scaling.padded(n) for n in (256, 257, 1)] == [256, 384, 128]
    assert scaling.padded(257) / 257 == pytest.approx(1.494, abs=1e-3)
    table = scaling.patches()
    assert table.groupby("model").tokens.nunique().tolist() == [1, 1] and table.tokens.tolist() == [49] * 3 + [196] * 3
    assert table.embedding[0] == pytest.approx(2e-9 * 49 * 3 * 32**2 * 768)
    shapes = [(10, 20), (20, 10)]
    assert scaling.optimiser_state(shapes) == 2 and scaling.optimiser_state(shapes, momentum=2) == 1.5
    assert scaling.optimiser_state(shapes, momentum=2, factored=True) == pytest.approx(0.5 + 60 / 400)
    inner = sum(a * b for a, b in scaling.block_shapes("G"))
    assert inner == pytest.approx(1.84e9, rel=0.01)  # the 1,843 million parameters of Table 2
    with pytest.raises(ValueError, match="not of 'XL'"):
        scaling.block_shapes("XL")


def test_the_rate_of_a_long_run_is_that_of_a_short_one_until_it_cools_down():
    short, long = scaling.rsqrt(1000, warmup=100, cooldown=200), scaling.rsqrt(4000, warmup=100, cooldown=200)
    np.testing.assert_array_equal(short[:800], long[:800])
    assert short[99] == 1 == short.max() and short[399] == 0.5 and short[-1] == 0 and short[49] == 0.5


def test_published_points_become_a_table_to_fit():
    raw = pd.DataFrame({
        "model": ["a", "a", "b"], "data": ["3B", "3B", "30M"], "gflops_224": [2.0, 2.0, 5.0], "images_seen": [10, 20, 10],
        "inet_10shot_acc": [40.0, np.nan, 75.0],
    })  # fmt: skip
    table = scaling.measured(raw, "inet_10shot_acc")
    assert table.compute.tolist() == [20, 50] and table.error.tolist() == [0.6, 0.25] and table.run.tolist() == ["a on 3B", "b on 30M"]
    assert scaling.history(table, "a", "3B") == ([10], [0.6])
    with pytest.raises(ValueError, match="no points of a on 30M"):
        scaling.history(table, "a", "30M")


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


def test_a_frontier_may_have_slack():
    compute, error = [1, 2, 3, 4], [0.5, 0.52, 0.3, 0.9]
    assert scaling.frontier(compute, error, 0.05).tolist() == [0, 1, 2] and scaling.frontier(compute, error, np.inf).tolist() == [
        0,
        1,
        2,
        3,
    ]
    table = pd.DataFrame({"compute": compute, "error": error}, index=[9, 8, 7, 6])
    assert scaling.on_frontier(table).index.tolist() == [9, 7]


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


def test_a_law_that_there_is_not_is_a_sentence():
    with pytest.raises(ValueError, match="A law is one of saturating, no ceiling, pure power law"):
        scaling.fit_power_law(*points(), law="cubic")

"""Error consistency and divergences against scikit-learn, scipy and the published numbers; reading of untidy decisions."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import multivariate_normal, norm, ttest_ind
from sklearn.metrics import cohen_kappa_score

from seelike import consistency

trials = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(trials)
def test_error_consistency_is_cohens_kappa_within_its_bounds(pairs):
    a, b = (np.array(x) for x in zip(*pairs, strict=True))
    found = consistency.error_consistency(a, b)
    if (a == b).all():
        assert found == 1
        return
    assert found == pytest.approx(cohen_kappa_score(a, b, labels=[False, True]))
    low, high = consistency.consistency_bounds(consistency.expected_agreement(a.mean(), b.mean()))
    assert low - 1e-9 <= found <= high + 1e-9


def test_bounds_are_reached():
    a = np.array([True] * 8 + [False] * 2)
    b = np.roll(a, 2)  # errors on other images, as many as can be
    expected = consistency.expected_agreement(0.8, 0.8)
    low, _ = consistency.consistency_bounds(expected)
    assert consistency.error_consistency(a, b) == pytest.approx((0.6 - expected) / (1 - expected)) and low <= -0.25 + 1e-9
    with pytest.raises(ValueError, match="Expected agreement lies in"):
        consistency.consistency_bounds(1.5)


def test_lists_of_different_length_are_a_sentence():
    with pytest.raises(ValueError, match="two equally long lists"):
        consistency.error_consistency(np.array([True]), np.array([True, False]))


def table_of(rows):
    return pd.DataFrame(rows, columns=["observer", "image", "truth", "response"])


def test_confusion_and_divergences_by_hand():
    a = table_of([("a", "1", "cat", "dog"), ("a", "2", "cat", "cat"), ("a", "3", "dog", "cat"), ("a", "4", "dog", "na")])
    counts = consistency.confusion(a, ["cat", "dog", "owl"])
    assert counts.to_numpy().tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0]]
    other = np.array([[5, 0, 3], [0, 7, 0], [1, 0, 2]])
    np.testing.assert_allclose(consistency.class_errors(other), [0.75, 0, 0.25])
    assert consistency.class_divergence(counts, other) == pytest.approx(jensenshannon([0.5, 0.5, 0], [0.75, 0, 0.25]))
    assert consistency.interclass_divergence(counts, other) == pytest.approx(np.sqrt(np.log(2)))  # no pair in common
    assert consistency.interclass_divergence(other, other) == 0
    with pytest.raises(ValueError, match="without errors"):
        consistency.class_divergence(counts, np.eye(3))
    with pytest.raises(ValueError, match="not among the categories: dog"):
        consistency.confusion(a, ["cat"])


def test_shape_bias_leaves_congruent_images_out():
    shape, texture = np.array(["cat", "cat", "cat", "dog"]), np.array(["dog", "dog", "cat", "cat"])
    assert consistency.shape_bias(np.array(["cat", "dog", "cat", "dog"]), shape, texture) == pytest.approx(2 / 3)
    assert np.isnan(consistency.shape_bias(np.array(["owl"] * 4), shape, texture))
    found = consistency.cues(pd.Series(["airplane1-bicycle2.png", "bear10-bear2.png"]))
    assert found.to_numpy().tolist() == [["airplane", "bicycle"], ["bear", "bear"]]
    with pytest.raises(ValueError, match="does not name a shape and a texture"):
        consistency.cues(pd.Series(["airplane1.png"]))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a_session_1.csv").write_text(
        "Subj,Session,trial,rt,Object_Response,CATEGORY,condition,ImageName\n"
        "a,1,1,0.5,na,cat,0,0001_s5n_0_cat_00_cat1-dog2.png\n"
        "a,1,2,0.5,dog,dog,0,0002_s5n_0_dog_00_dog1-cat2.png\n"
        "a,1,3,0.5,cat,dog,0,0003_s5n_0_dog_00_dog1-cat2.png\n"
    )
    (tmp_path / "b.csv").write_text(
        "subj,session,trial,rt,object_response,category,condition,imagename\nb,1,1,NaN,cat,cat,NaN,cat1-dog2.png\n"
    )
    return tmp_path


def test_untidy_decisions_are_read_and_named(folder):
    with pytest.warns(UserWarning) as caught:
        table = consistency.read_decisions(folder)
    text = " ".join(str(w.message) for w in caught)
    assert "1 trials were repeated and only the first of each counts: a dog1-cat2.png" in text
    assert "1 trials are missing: b dog1-cat2.png" in text
    assert list(table.columns) == ["observer", "image", "truth", "response"]
    assert table[table.observer == "a"].response.tolist() == ["na", "dog"] and len(table) == 3


WHOLE = "subj,imagename,category,object_response\nc,cat1-dog2.png,cat,cat\nc,dog1-cat2.png,dog,dog\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (WHOLE.replace(",dog\n", ",\n"), "c.csv has no answer, image, truth or observer in 1 rows, first in line 3"),
        (WHOLE.replace("c,cat1-dog2.png", "c, "), "has no answer, image, truth or observer in 1 rows, first in line 2"),
        (WHOLE[:-5], "has no answer, image, truth or observer in 1 rows, first in line 3"),  # cut in a line
        (WHOLE[:40], "c.csv holds no trials, only the names of its columns"),
        (WHOLE.replace(",cat,cat", ",horse,cat"), "gives 1 images two true classes .cat1-dog2.png.: copy its files again"),
        (WHOLE + "c,a,b,c,d,e\n", "c.csv is not a readable CSV file .* line 4, saw 6.: copy it again"),
    ],
)
def test_damaged_decisions_are_one_sentence(folder, text, message):
    (folder / "c.csv").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        consistency.read_decisions(folder)
    assert "\n" not in str(caught.value)


def test_bad_folders_are_sentences(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match="has no CSV files"):
        consistency.read_decisions(folder / "nowhere")
    (folder / "c.csv").write_text("subj,imagename\n")
    with pytest.raises(ValueError, match="c.csv lacks the column category, object_response"):
        consistency.read_decisions(folder)
    (folder / "c.csv").write_text("")
    with pytest.raises(ValueError, match="c.csv is not a readable CSV file"):
        consistency.read_decisions(folder)


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_no_observers_are_more_consistent_than_their_accuracies_allow(p, q):
    n = 400
    a, b = np.arange(n) < round(p * n), np.arange(n) < round(q * n)  # errors coincide as far as they can
    assert consistency.error_consistency(a, b) == pytest.approx(consistency.largest_kappa(a.mean(), b.mean()))
    assert consistency.error_consistency(a, b[::-1]) <= consistency.largest_kappa(a.mean(), b.mean()) + 1e-9


PUBLISHED = {  # recomputed from the published decisions by other code: accuracy, kappa, class, interclass, to the average, shape bias
    "ViT-B_32": (0.297, 0.137, 0.191, 0.627, 0.151, 0.553, 0.550),
    "ViT-B_32_ft": (0.358, 0.156, 0.187, 0.620, 0.147, 0.544, 0.589),
    "ViT-L_16": (0.370, 0.168, 0.182, 0.626, 0.140, 0.550, 0.547),
    "resnet50": (0.182, 0.068, 0.227, 0.578, 0.195, 0.460, 0.214),
    "resnet50_ft": (0.177, 0.030, 0.245, 0.638, 0.216, 0.568, 0.280),
    "vgg16-bn": (0.145, 0.042, 0.240, 0.553, 0.210, 0.414, 0.115),
    "resnet50-trained-on-SIN": (0.524, 0.195, 0.192, 0.552, 0.154, 0.442, 0.814),
}
MEASURES = ("accuracy", "kappa", "class", "interclass", "class_average", "interclass_average", "shape_bias")


def test_the_published_decisions_give_the_published_numbers(mirror):
    table = consistency.read_decisions(mirror / "tuli2021" / "cue-conflict")
    humans = sorted(o for o in table.observer.unique() if o.startswith("subject"))
    found = consistency.against_humans(table, humans, draws=1)
    for observer, numbers in PUBLISHED.items():
        assert tuple(round(float(found[m].loc[observer, "all"]), 3) for m in MEASURES) == numbers, observer
    assert found["kappa"].loc[humans, "all"].mean() == pytest.approx(0.331, abs=5e-4)


def test_the_fast_table_equals_the_single_measures():
    rng = np.random.default_rng(0)
    classes = ["cat", "dog", "owl"]
    rows = [(o, f"{c}{i}-dog1.png", c, rng.choice(classes)) for o in "abc" for c in classes for i in range(9)]
    table = table_of(rows)
    found = consistency.against_humans(table, ["a", "b"], draws=3)
    right = {o: (g.truth == g.response).to_numpy() for o, g in table.groupby("observer")}
    counts = {o: consistency.confusion(g, classes) for o, g in table.groupby("observer")}
    for o in "abc":
        others = [h for h in "ab" if h != o]
        for measure, f, held in (
            ("kappa", consistency.error_consistency, right),
            ("kappa_share", lambda a, b: consistency.error_consistency(a, b) / consistency.largest_kappa(a.mean(), b.mean()), right),
            ("latent", lambda a, b: consistency.latent_correlations(np.array([a, b]))[0, 1], right),
            ("class", consistency.class_divergence, counts),
            ("interclass", consistency.interclass_divergence, counts),
        ):
            assert found[measure].loc[o, "all"] == pytest.approx(np.mean([f(held[o], held[h]) for h in others]))
    assert found["kappa"].shape == (3, 4) and not np.allclose(found["accuracy"]["all"], found["accuracy"][0])
    with pytest.raises(ValueError, match="no observer called z"):
        consistency.against_humans(table, ["z"])


def test_what_is_no_answer_or_no_common_table_is_a_sentence():
    counts = pd.DataFrame([[3, 1], [2, 4]], index=["cat", "dog"], columns=["cat", "dog"])
    with pytest.raises(ValueError, match="do not count the same classes"):
        consistency.class_divergence(counts, counts.loc[["dog", "cat"], ["dog", "cat"]])
    with pytest.raises(ValueError, match="square table of counts"):
        consistency.interclass_errors(np.ones((3, 4)))
    table = table_of([("a", "cat1-dog1.png", "cat", "cat"), ("a", "dog1-cat1.png", "dog", "cat"), ("b", "cat1-dog1.png", "cat", "dog")])
    with pytest.raises(ValueError, match="b did not answer dog1-cat1.png"):
        consistency.against_humans(table, ["a"])


def test_observers_who_never_err_agree_and_have_no_distribution_of_errors():
    """`error_consistency` says 1; the table said NaN, and warned of a division by zero."""
    images = [("cat1-dog1.png", "cat"), ("dog1-cat1.png", "dog"), ("owl1-cat1.png", "owl")]
    rows = [(o, image, truth, truth) for o in "ab" for image, truth in images]
    rows += [("c", image, truth, "cat") for image, truth in images]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = consistency.against_humans(table_of(rows), ["a", "b", "c"], draws=2)
    right = {o: np.array([t == r for own, _, t, r in rows if own == o]) for o in "abc"}
    single = consistency.error_consistency(right["a"], right["b"])
    assert single == 1
    of_a = np.mean([single, consistency.error_consistency(right["a"], right["c"])])
    assert found["kappa"].loc["a", "all"] == pytest.approx(of_a)
    assert found["class"].loc[["a", "b"], "all"].isna().all() and np.isnan(found["class_average"].loc["a", "all"])
    assert found["class_average"].loc["c", "all"] == pytest.approx(0)  # the only human who errs is the average of those who do
    assert found["shape_bias"]["all"].tolist()[:2] == [1, 1]


@given(st.integers(0, 2**20), st.integers(1, 40))
def test_the_table_of_kappas_holds_every_pair(seed, n):
    right = np.random.default_rng(seed).random((4, n)) < 0.7
    right[3] = True
    expected = [[consistency.error_consistency(a, b) for b in right] for a in right]
    np.testing.assert_allclose(consistency.kappas(right), expected, atol=1e-12)


def families(n=400):
    """Two families of three networks: within one, all err on the same images; across, on as few common ones as chance brings."""
    one, other = np.arange(n) % 2 == 0, np.arange(n) // 2 % 2 == 0
    return np.array([[one] * 3, [other] * 3])


def test_the_margin_between_families():
    assert consistency.family_margin(families()) == pytest.approx(1)  # kappa is 1 within and 0 across
    alike = np.repeat(families()[:1], 2, axis=0)
    assert consistency.family_margin(alike) == pytest.approx(0)
    with pytest.raises(ValueError, match="2 families of 2 networks at least, got 2 of 1"):
        consistency.family_margin(families()[:, :1])


def test_the_interval_of_the_margin_holds_images_and_seeds():
    """Two identical families with seeds alike: images only. One seed of chance answers: the jackknife shows."""
    rng = np.random.default_rng
    same = consistency.family_estimate(families(), rng(0))
    kappa = [consistency.kappas(families()[:, 0][:, rng(i).integers(0, 400, 400)])[0, 1] for i in range(200)]
    assert same.estimate == pytest.approx(1)
    assert same.high - same.estimate == pytest.approx(1.96 * np.std(kappa), rel=0.15)  # kappa within is 1 in each resample
    odd = families()
    odd[0, 0] = rng(1).random(400) < 0.5
    wider = consistency.family_estimate(odd, rng(0))
    assert wider.high - wider.low > 5 * (same.high - same.low)
    with pytest.raises(ValueError, match="got 2 of 1"):
        consistency.family_estimate(families()[:, :2], rng(0))


def test_a_change_of_shape_bias_has_the_error_of_two_shares():
    end, start = {"shape": 0.6, "texture": 0.2}, {"shape": 0.1, "texture": 0.3}
    luck = np.random.default_rng(0).normal(size=4000)
    value, draws, images = consistency.bias_change(end, start, 500, luck)
    assert (value, images) == (pytest.approx(0.75 - 0.25), 500)
    error = (0.75 * 0.25 / 400 + 0.25 * 0.75 / 200) ** 0.5
    np.testing.assert_allclose(draws, value + luck * error)
    assert consistency.bias(0.0, 0.0) != consistency.bias(0.0, 0.0)  # nobody named a cue
    nothing = consistency.bias_change(end, {"shape": 0.0, "texture": 0.0}, 500, luck)
    assert np.isnan(nothing.value) and np.isnan(nothing.draws).all()


def test_people_and_their_intervals():
    rows = [(o, "cat1-dog1.png", "cat", "cat") for o in ("subject-02", "resnet50", "subject-01")]
    assert consistency.humans(table_of(rows)) == ["subject-01", "subject-02"]
    row = pd.Series([0.3, 0.1, 0.2, 0.3], index=["all", 0, 1, 2])
    assert consistency.interval(row) == pytest.approx((0.3, 0.3 - 0.196, 0.3 + 0.196), abs=1e-4)


def test_the_tetrachoric_correlation_is_that_of_the_normal_behind_the_answers():
    """The share right together is computed from a bivariate normal of known correlation: thresholds do not matter."""
    for correlation in (-0.6, 0.0, 0.3, 0.9):
        law = multivariate_normal(cov=[[1, correlation], [correlation, 1]])
        for p, q in ((0.5, 0.5), (0.1, 0.6), (0.95, 0.9)):
            both = law.cdf(norm.ppf([p, q]))
            found = consistency.latent_correlation(p, q, both, 10**6)
            assert found == pytest.approx(correlation, abs=4e-3), (p, q)
    assert np.isnan(consistency.latent_correlation(np.array([0.0, 1.0, 0.5]), 0.5, np.array([0.0, 0.5, 0.25]), 100)[:2]).all()


def test_kappa_depends_on_accuracy_and_its_share_and_the_latent_correlation_less():
    """One normal ease of trials, seen with noise: kappa falls when one observer gets worse, the tetrachoric correlation does not."""
    rng = np.random.default_rng(0)
    ease = rng.normal(size=40_000)
    seen = ease + rng.normal(size=(3, 40_000))  # every two correlate at 0.5
    right = seen > np.sqrt(2) * norm.ppf([[0.5], [0.5], [0.95]])
    k, share, latent = (f(right) for f in (consistency.kappas, consistency.kappas_over_largest, consistency.latent_correlations))
    assert k[0, 1] > k[0, 2] + 0.15
    np.testing.assert_allclose([latent[0, 1], latent[0, 2]], 0.5, atol=0.03)
    assert share[0, 1] == pytest.approx(k[0, 1], abs=0.01)  # equal accuracies can reach 1
    assert share[0, 2] > share[0, 1] + 0.1  # the share overcorrects: few right answers fall on the easiest trials
    assert (np.diag(share) == 1).all() and (np.diag(latent) > 0.99).all()


def test_margins_between_families_by_other_measures():
    """Two families of unequal accuracy, the right answers of one among those of the other: kappa is small across, its share is 1."""
    trials = np.arange(400)
    nested = np.array([[trials < 40] * 3, [trials < 300] * 3])
    assert consistency.family_margin(nested) > 0.8
    assert consistency.family_margin(nested, consistency.kappas_over_largest) == pytest.approx(0)
    assert consistency.family_estimate(nested, np.random.default_rng(0), 20, consistency.kappas_over_largest) == pytest.approx((0, 0, 0))


def test_a_network_that_never_errs_is_left_out_of_margins_that_cannot_ask_it():
    right = families()
    right[0, 0] = True
    assert np.isnan(consistency.latent_correlations(right.reshape(6, -1))[0, 1:]).all()
    expected = consistency.family_margin(families()[:, 1:], consistency.latent_correlations)
    found = consistency.family_margin(right, consistency.latent_correlations)
    assert found == pytest.approx(expected, abs=0.01)
    right[0, 1:] = right[1] = True
    assert np.isnan(consistency.family_margin(right, consistency.latent_correlations))


def tables(rows, spread=0.0, draws=400):
    """A table like those of `against_humans`: `all`, and draws around it, alike for all observers."""
    noise = spread * np.random.default_rng(0).normal(size=draws)
    return pd.DataFrame({"all": rows} | {i: {o: v + noise[i] for o, v in rows.items()} for i in range(draws)})


def test_a_comparison_of_families_holds_the_spread_over_networks():
    table = tables({"v1": 0.5, "v2": 0.7, "c1": 0.1, "c2": 0.2, "c3": 0.3})
    e = consistency.compared(table, ["v1", "v2"], ["c1", "c2", "c3"])
    welch = ttest_ind([0.5, 0.7], [0.1, 0.2, 0.3], equal_var=False).confidence_interval()
    assert e == pytest.approx((0.4, welch.low, welch.high))
    assert consistency.compared(table, ["v1"], ["c1"]) == pytest.approx((0.4, 0.4, 0.4))  # nothing is drawn differently
    single = pd.concat([tables({"v1": 0.5}, 0.1), tables({"c1": 0.1})])
    e = consistency.compared(single, ["v1"], ["c1"])
    assert e.high - e.estimate == pytest.approx(1.96 * 0.1, rel=0.1)
    assert consistency.compared(table, ["v1"], ["c1", "c2", "c3"]).low < 0.3 < consistency.compared(table, ["v1"], ["c2"]).high


def test_what_accuracy_lets_one_expect():
    """A measure that is a line of accuracy leaves nothing; what is added to some observers is found again."""
    share = {"v1": 0.6, "v2": 0.7, **{f"c{i}": 0.1 + 0.05 * i for i in range(5)}}
    accuracy, lines = tables(share), [f"c{i}" for i in range(5)]
    line = tables({o: 0.2 + 0.5 * a for o, a in share.items()})
    assert consistency.given_accuracy(line, accuracy, ["v1", "v2"], lines) == pytest.approx((0, 0, 0), abs=1e-9)
    above = tables({o: 0.2 + 0.5 * a + 0.1 * o.startswith("v") for o, a in share.items()})
    assert consistency.given_accuracy(above, accuracy, ["v1", "v2"], lines) == pytest.approx((0.1,) * 3)
    scattered = tables({o: 0.2 + 0.5 * a + 0.01 * (-1) ** int(o[1]) for o, a in share.items()})
    near = consistency.given_accuracy(scattered, accuracy, ["c2"], lines)
    far = consistency.given_accuracy(scattered, accuracy, ["v2"], lines)
    assert 3 * (near.high - near.low) < far.high - far.low  # a line says little where it was not measured
    assert consistency.nearest(accuracy, "v1", lines) == "c4"
    with pytest.raises(ValueError, match="needs 3 networks or more.*got 2"):
        consistency.given_accuracy(line, accuracy, ["v1"], lines[:2])

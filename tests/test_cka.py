"""The CKA engine against a float64 oracle that follows the published formula term by term."""

import inspect
import itertools
import socket

import numpy as np
import pandas as pd
import pytest
import timm
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from seelike.cka import CKA, centre, cka, compare, gram, sweep, token_localization
from seelike.intervals import estimate


def oracle_hsic(x, y):
    """Song et al. 2012, Eq. 5, with explicit loops over nothing and no centring trick."""
    n = len(x)
    k, l = (np.asarray(a, dtype=np.float64).reshape(n, -1) for a in (x, y))
    k, l = k @ k.T, l @ l.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    one = np.ones(n)
    trace = np.trace(k @ l)
    return (trace + one @ k @ one * (one @ l @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * one @ k @ l @ one) / (n * (n - 3))


def oracle_cka(batches_x, batches_y):
    """Ratio of sums over minibatches; features are centred in float64 first, which leaves CKA unchanged."""
    hsic = {}
    for a, b in itertools.product("xy", repeat=2):
        pairs = zip({"x": batches_x, "y": batches_y}[a], {"x": batches_x, "y": batches_y}[b], strict=True)
        hsic[a + b] = sum(oracle_hsic(np.float64(p) - np.float64(p).mean(0), np.float64(q) - np.float64(q).mean(0)) for p, q in pairs)
    return hsic["xy"] / np.sqrt(hsic["xx"] * hsic["yy"])


def related(n=48, d=40, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=g)
    return x, x @ torch.randn(d, 30, generator=g) / d**0.5 + 0.5 * torch.randn(n, 30, generator=g)


def test_equals_the_oracle_on_minibatches():
    x, y = related(60)
    engine = CKA(["x", "y"])
    for a, b in zip(x.split(20), y.split(20), strict=True):
        engine.update({"x": gram(a), "y": gram(b)})
    expected = oracle_cka([a.numpy() for a in x.split(20)], [b.numpy() for b in y.split(20)])
    assert engine.compute().loc["x", "y"] == pytest.approx(expected, abs=1e-6)
    assert cka(x, y).item() == pytest.approx(oracle_cka([x.numpy()], [y.numpy()]), abs=1e-6)


@pytest.mark.parametrize("offset", [0.0, 1.0, 100.0, 1e4])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_offsets_and_scales_do_not_matter(offset, scale):
    x, y = related()
    shifted = ((x + offset) * scale).float()
    expected = oracle_cka([shifted.numpy()], [y.numpy()])  # the oracle sees the same rounded input
    assert cka(shifted, y).item() == pytest.approx(expected, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(6, 24), d=st.integers(2, 40))
def test_rotation_symmetry_and_self(seed, n, d):
    x, y = related(n, d, seed)
    rotation = torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(seed)))[0]
    value = cka(x, y)
    assert cka(x @ rotation, y) == pytest.approx(value.item(), abs=2e-5)
    assert cka(y, x).item() == pytest.approx(value.item(), abs=1e-9)
    assert cka(x, x).item() == pytest.approx(1, abs=1e-12)
    assert value <= 1 + 1e-9


def test_independent_data_have_mean_zero_and_may_be_negative():
    g = torch.Generator().manual_seed(0)
    values = torch.stack([cka(torch.randn(32, 64, generator=g), torch.randn(32, 64, generator=g)) for _ in range(200)])
    assert values.mean().abs() < 3 * values.std() / len(values) ** 0.5
    assert values.min() < 0
    biased = cka(torch.randn(32, 64, generator=g), torch.randn(32, 64, generator=g), unbiased=False)
    assert biased > 0.5  # the biased form cannot tell independent data from related data here


def test_biased_form_is_the_textbook_one():
    x, y = related()
    xc, yc = (a.double() - a.double().mean(0) for a in (x, y))
    expected = (yc.T @ xc).norm() ** 2 / ((xc.T @ xc).norm() * (yc.T @ yc).norm())
    assert cka(x, y, unbiased=False).item() == pytest.approx(expected.item(), abs=1e-6)


def test_four_examples_are_the_minimum():
    x, y = related(4)
    assert torch.isfinite(cka(x, y))
    with pytest.raises(ValueError, match="at least 4 examples, got 3"):
        cka(x[:3], y[:3])
    with pytest.raises(ValueError, match="same examples, got 4 and 3"):
        inspect.unwrap(cka)(x, y[:3])  # without the shape check, as for a user


def test_a_layer_that_does_not_vary_gives_nan_and_spoils_nothing():
    x, y = related()
    engine = CKA(["x", "constant", "y"])
    engine.update({"x": gram(x), "constant": gram(torch.ones(48, 5)), "y": gram(y)})
    frame = engine.compute()
    assert frame["constant"].isna().all()
    assert frame.loc["x", "y"] == pytest.approx(cka(x, y).item(), abs=1e-9)


class Nested(nn.Module):
    """Registers its layers in another order than it calls them, with an in-place ReLU."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(6, 5)
        self.first = nn.Sequential(nn.Linear(8, 6), nn.ReLU(inplace=True))

    def forward(self, x):
        return self.last(self.first(x))


def test_in_place_relu_and_label_order():
    torch.manual_seed(0)
    model, x = Nested().eval(), torch.randn(40, 8)
    frame = compare({"m": model}, [x], ["last", "first.1", "first.0"])
    assert list(frame.columns) == list(frame.index) == ["m/last", "m/first.1", "m/first.0"]
    with torch.no_grad():
        before = model.first[0](x)
        after = before.relu()
    assert frame.loc["m/first.0", "m/first.1"] == pytest.approx(cka(before, after).item(), abs=1e-9)
    assert frame.loc["m/first.0", "m/first.1"] < 0.99
    assert frame.loc["m/last", "m/first.0"] == pytest.approx(cka(model.last(after).detach(), before).item(), abs=1e-9)


def test_two_models_one_sweep_and_training_mode_is_restored():
    torch.manual_seed(0)
    a, b = Nested().train(), Nested().eval()
    loader = [(torch.randn(16, 8), torch.zeros(16)) for _ in range(3)]
    frame = compare({"a": a, "b": b}, loader, {"a": ["last"], "b": ["first.0", "last"]})
    assert list(frame.columns) == ["a/last", "b/first.0", "b/last"]
    assert a.training and not b.training
    a.first.eval()
    compare({"a": a}, loader, ["last"])
    assert a.training and not a.first[0].training
    same = compare({"a": a, "b": a}, loader, ["last"])
    assert same.loc["a/last", "b/last"] == pytest.approx(1, abs=1e-12)


def test_shuffled_images_are_a_null():
    torch.manual_seed(0)
    loader = [torch.randn(64, 8) for _ in range(20)]
    total = sweep({"m": Nested()}, loader, ["first.0", "last"], shuffle=True)
    low, high = (ends.iloc[0, 1] for ends in total.interval())
    assert low < 0 < high and high - low < 0.1


def test_merge_and_state_equal_one_pass():
    x, y = related(64)
    parts = [CKA(["x", "y"]) for _ in range(2)]
    whole = CKA(["x", "y"])
    for i, (a, b) in enumerate(zip(x.split(16), y.split(16), strict=True)):
        for engine in (whole, parts[i // 2]):
            engine.update({"x": gram(a), "y": gram(b)})
    merged = CKA.from_state_dict(parts[0].state_dict()).merge(parts[1])
    pd.testing.assert_frame_equal(merged.compute(), whole.compute(), rtol=1e-12)
    with pytest.raises(ValueError, match="same layers and settings"):
        merged.merge(CKA(["y", "x"]))


def test_intervals_cover_the_truth():
    """Over repeated draws the 95 % intervals hold the value of a very large sample about 95 % of the time."""
    weights = torch.randn(10, 10, generator=torch.Generator().manual_seed(1))

    def draw(n, seed):
        g = torch.Generator().manual_seed(seed)
        x = torch.randn(n, 10, generator=g)
        return x, x @ weights + 3 * torch.randn(n, 10, generator=g)

    truth = cka(*draw(4000, 0)).item()
    inside, widths = {"jackknife": 0, "bootstrap": 0}, []
    for trial in range(100):
        engine = CKA(["x", "y"])
        for i in range(12):
            x, y = draw(32, 1000 * trial + i + 1)
            engine.update({"x": gram(x), "y": gram(y)})
        low, high = engine.interval()
        inside["jackknife"] += low.iloc[0, 1] <= truth <= high.iloc[0, 1]
        both = estimate([engine.bootstrap(lambda m: m[0, 1])])
        inside["bootstrap"] += both.low <= truth <= both.high
        widths.append(both.high - both.low)
    assert all(88 <= share <= 100 for share in inside.values()), inside
    assert np.mean(widths) < 0.2


def test_a_selection_is_the_block_of_the_whole():
    torch.manual_seed(0)
    whole = sweep({"m": Nested()}, [torch.randn(16, 8) for _ in range(4)], ["first.0", "first.1", "last"])
    part = whole.select(["m/last", "m/first.0"])
    expected = whole.compute().loc[["m/last", "m/first.0"], ["m/last", "m/first.0"]]
    pd.testing.assert_frame_equal(part.compute(), expected)
    with pytest.raises(ValueError, match="No layer is called 'b' here: the 3 layers are m/first.0"):
        whole.select(["b"])


def test_blocks_of_two_networks_are_named_by_layer():
    torch.manual_seed(0)
    a, b = Nested(), Nested()
    whole = sweep({"a": a, "b": b}, [torch.randn(16, 8) for _ in range(4)], ["first.0", "last"])
    m = whole.compute()
    assert whole.networks == {"a": ["first.0", "last"], "b": ["first.0", "last"]}
    cross = whole.block("a", "b")
    assert list(cross.index) == list(cross.columns) == ["first.0", "last"] and np.allclose(cross, m.iloc[:2, 2:])
    assert np.allclose(whole.block("b"), m.iloc[2:, 2:]) and np.allclose(whole.block("b", "b"), m.iloc[2:, 2:])
    assert whole.of("b", "a").layers == ["b/first.0", "b/last", "a/first.0", "a/last"]
    with pytest.raises(ValueError, match="No network is called 'c' here: expected one of a, b"):
        whole.block("c")


def test_the_bootstrap_hands_out_the_blocks_of_the_networks_it_names():
    torch.manual_seed(0)
    whole = sweep({"a": Nested(), "b": Nested()}, [torch.randn(16, 8) for _ in range(4)], ["first.0", "first.1", "last"])
    own = whole.bootstrap(lambda m: m.sum(), "a")
    assert own.value == pytest.approx(whole.block("a").to_numpy().sum()) and own.batches == 4 and own.draws.shape == (200,)
    three = whole.bootstrap(lambda v, r, c: np.array([v[0, 1], r[0, 1], c[0, 1]]), "a", "b")
    expected = [whole.block(*pair).iloc[0, 1] for pair in (("a", "a"), ("b", "b"), ("a", "b"))]
    assert three.value == pytest.approx(np.array(expected)) and three.draws.shape == (200, 3)
    everything = whole.bootstrap(lambda m: m[0, 4])
    assert everything.draws == pytest.approx(whole.bootstrap(lambda v, r, c: c[0, 1], "a", "b").draws)  # the same resamples


def test_a_network_that_cuts_images_into_windows_is_refused():
    swin = timm.create_model("swin_tiny_patch4_window7_224", depths=(1, 1, 1, 1))
    with pytest.raises(ValueError, match="does not give one row per image"):
        compare({"swin": swin}, [torch.randn(4, 3, 224, 224)], "all")
    assert compare({"swin": swin}, [torch.randn(4, 3, 224, 224)]).shape == (4, 4)


def test_empty_loader_and_missing_gram_say_so():
    with pytest.raises(ValueError, match="loader is not empty"):
        compare({"m": Nested()}, [], ["last"])
    with pytest.raises(ValueError, match="No Gram matrix came for b"):
        CKA(["a", "b"]).update({"a": torch.eye(5)})
    with pytest.raises(ValueError, match="at least 2 batches"):
        sweep({"m": Nested()}, [torch.randn(8, 8)], ["last"]).interval()


def test_centring_leaves_its_argument_alone():
    k = gram(torch.randn(6, 3)).double()
    before = k.clone()
    centre(k)
    assert torch.equal(k, before)


def _rank(rank, port, batches, out):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    torch.manual_seed(0)
    swept = sweep({"m": Nested()}, batches, ["first.0", "last"])
    swept.compute().to_csv(f"{out}/{rank}.csv", float_format="%.17g")
    np.save(f"{out}/{rank}.npy", swept.bootstrap(lambda m: m[0, 1])[1])
    dist.destroy_process_group()


def test_two_ranks_equal_one_process(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    batches = list(torch.randn(5, 16, 8, generator=torch.Generator().manual_seed(0)))
    torch.manual_seed(0)
    alone = sweep({"m": Nested()}, batches, ["first.0", "last"])
    one, drawn = alone.compute(), alone.bootstrap(lambda m: m[0, 1])[1]
    torch.multiprocessing.spawn(_rank, (port, batches, tmp_path), nprocs=2)
    for rank in range(2):
        two = pd.read_csv(tmp_path / f"{rank}.csv", index_col=0)
        np.testing.assert_allclose(two.to_numpy(), one.to_numpy(), rtol=0, atol=1e-12)
        np.testing.assert_allclose(np.load(tmp_path / f"{rank}.npy"), drawn, rtol=0, atol=1e-12)


class Shuffled(nn.Module):
    """Cuts an image into 16 patches and gives them out of order, as tokens behind a class token."""

    def __init__(self, order):
        super().__init__()
        self.order, self.tokens = order, nn.Identity()

    def forward(self, x):
        pieces = nn.functional.unfold(x, 4, stride=4).mT[:, self.order]
        return self.tokens(torch.cat([pieces.mean(1, keepdim=True), pieces], 1)).mean(1)


def test_tokens_are_found_at_the_patches_they_came_from():
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    loader = [(torch.randn(40, 3, 16, 16), None) for _ in range(3)]
    table = token_localization(Shuffled(order), "tokens", loader)
    assert table.shape == (16, 16) and table.index[3] == "token/3" and table.columns[5] == "patch/5"
    values = table.to_numpy()
    assert torch.equal(torch.from_numpy(values.argmax(1)), order)
    assert values[range(16), order] == pytest.approx(1) and abs(np.delete(values, order[0].item(), 1)[0]).max() < 0.2


def test_localization_needs_a_grid_that_divides_the_image():
    with pytest.raises(ValueError, match="tokens has 16 positions: a square grid that divides 18 pixels"):
        token_localization(Shuffled(torch.arange(16)), "tokens", [(torch.randn(8, 3, 18, 18), None)])
    with pytest.raises(ValueError, match="No batch came"):
        token_localization(Shuffled(torch.arange(16)), "tokens", [])


def test_the_setting_of_float32_products_is_put_back():
    matmul = torch.backends.cuda.matmul
    held = matmul.fp32_precision
    try:
        matmul.fp32_precision = "tf32"
        gram(torch.randn(8, 4))
        assert matmul.fp32_precision == "tf32"
    finally:
        matmul.fp32_precision = held

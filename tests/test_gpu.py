"""What only a GPU can show; skipped without one: `pytest -m gpu`, SEELIKE_DEVICE chooses which."""

import time

import nbformat
import pytest
import torch

from seelike import cka, data, models, project, receptive_field, residual, run, train

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")]
NAMES = ("vit_cls", "resnet")


@pytest.fixture
def cuda(monkeypatch):
    monkeypatch.setenv("SEELIKE_DEVICE", "cuda")
    return torch.device("cuda")


def test_cka_is_that_of_the_cpu(cuda):
    images = data.load("scenes", n=256)
    on_gpu = {name: models.load(name, "smoke") for name in NAMES}
    assert {next(m.parameters()).device.type for m in on_gpu.values()} == {"cuda"}
    features = {name: m.cpu() for name, m in on_gpu.items()}
    expected = cka.compare(features, images, "all").to_numpy()
    found = cka.compare({name: m.to(cuda) for name, m in features.items()}, images, "all").to_numpy()
    assert abs(found - expected).max() < 1e-3  # the features themselves differ in their last bits
    x = torch.randn(128, 5000) + 100
    k, l = (cka.centre(cka.gram(x.to(device))).cpu() for device in ("cpu", "cuda"))
    assert (k - l).abs().max() / k.abs().max() < 1e-6  # the same features: no TF32, no autocast
    y = x @ torch.randn(5000, 50)
    assert float(cka.cka(x.to(cuda), y.to(cuda)).cpu()) == pytest.approx(float(cka.cka(x, y)), abs=1e-6)


def test_tf32_and_autocast_never_reach_a_gram_matrix(cuda):
    x = torch.randn(128, 4096, device=cuda) + 100
    plain = cka.gram(x)
    before, torch.backends.cuda.matmul.fp32_precision = torch.backends.cuda.matmul.fp32_precision, "tf32"
    try:
        with torch.autocast("cuda", torch.bfloat16):
            assert torch.equal(cka.gram(x), plain)
        assert torch.backends.cuda.matmul.fp32_precision == "tf32"
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


def test_other_measures_follow_the_network(cuda):
    images = data.load("smoke").with_batches(16)
    vit = models.load("vit_cls", "smoke")
    fields = receptive_field.effective_receptive_field(vit, ["blocks.0"], images)["blocks.0"]
    assert fields.shape == (4, 64, 64) and len(residual.residuals(vit, images)) == 16


@pytest.mark.parametrize("chapter", ["02", "03", "04", "05", "06", "07", "08", "09"])
def test_chapters_run(cuda, chapter, tmp_path):
    page = run.run(chapter, {"n_images": 64}, tier="smoke", out=tmp_path)
    assert run.gate(nbformat.read(page, 4)) == []


def test_training_follows_the_device(cuda, tmp_path):
    made = train.Run("vit_cls", "smoke", 0, tmp_path)
    assert next(made.model.parameters()).device.type == "cuda"
    card = train.train("vit_cls", tmp_path, tier="smoke")
    assert (tmp_path / f"{card.label}.safetensors").exists() and project.DEFAULT


def test_throughput_against_the_bare_forward(cuda, capsys):
    """Not a limit: what a sweep over all taps adds to forward passes, printed."""
    images = data.load("scenes", n=2048)
    model = models.create("vit_cls", seed=0).eval().to(cuda)

    def seconds(f):
        f()
        torch.cuda.synchronize()
        started = time.perf_counter()
        f()
        torch.cuda.synchronize()
        return time.perf_counter() - started

    def bare():
        with torch.no_grad():
            for x, _ in images:
                model(x.to(cuda))

    ratio = seconds(lambda: cka.sweep({"vit": model}, images, "all")) / seconds(bare)
    with capsys.disabled():
        print(f"\nsweep over all taps / bare forward on {torch.cuda.get_device_name()}: {ratio:.2f}")
    assert ratio > 0

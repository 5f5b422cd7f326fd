"""Training: resumable to the last bit, and the zoo's recipes give the losses on their cards."""

import signal

import pytest
import torch

from seelike import feed, models, recipes, train
from seelike.cards import Card


@pytest.mark.parametrize("name", ["vit_cls", "resnet"])
def test_a_killed_run_goes_on_to_the_same_end(tmp_path, name):
    whole = train.Run(name, "smoke", 0, tmp_path / "whole")
    draw = feed.training_batches("smoke", whole.recipe, 0)
    expected = [whole.advance(draw) for _ in range(8)]
    first = train.Run(name, "smoke", 0, tmp_path / "halves")
    losses = [first.advance(draw) for _ in range(5)]
    first.save()
    second = train.Run(name, "smoke", 0, tmp_path / "halves")  # another process would see the same files
    assert second.step == 5
    losses += [second.advance(draw) for _ in range(3)]
    assert losses == pytest.approx(expected, abs=1e-6)
    for key, value in whole.model.state_dict().items():
        torch.testing.assert_close(second.model.state_dict()[key], value, msg=key)


def test_a_run_killed_inside_its_loop_ends_with_the_same_card(tmp_path, monkeypatch):
    whole = train.train("resnet", tmp_path / "whole", tier="smoke")
    monkeypatch.setattr(train, "CHECKPOINT_SECONDS", 0)
    advance, calls = train.Run.advance, iter(range(100))

    def dies(run, draw):
        if next(calls) == 6:
            raise KeyboardInterrupt
        return advance(run, draw)

    monkeypatch.setattr(train.Run, "advance", dies)
    with pytest.raises(KeyboardInterrupt):
        train.train("resnet", tmp_path / "killed", tier="smoke")
    monkeypatch.setattr(train.Run, "advance", advance)
    again = train.train("resnet", tmp_path / "killed", tier="smoke")
    assert again.first_losses == pytest.approx(whole.first_losses, abs=1e-4)
    assert [p["images"] for p in again.curve] == [p["images"] for p in whole.curve]
    assert [p["loss"] for p in again.curve] == pytest.approx([p["loss"] for p in whole.curve], abs=1e-3)


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path, monkeypatch):
    train.Run("resnet", "smoke", 0, tmp_path).save()
    monkeypatch.setitem(recipes.RECIPES["smoke"], "resnet", recipes.Recipe("resnet", 1280, {"width": 4}))
    with pytest.raises(ValueError, match="made by another recipe: delete it"):
        train.Run("resnet", "smoke", 0, tmp_path)


def test_options_with_tuples_resume(tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES["smoke"], "resnet", recipes.Recipe("resnet", 640, {"width": 4, "depths": (1, 1, 1, 1)}))
    train.Run("resnet", "smoke", 0, tmp_path).save()
    assert train.Run("resnet", "smoke", 0, tmp_path).step == 0


def test_mixup_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES["smoke"], "resnet", recipes.Recipe("resnet", 640, {"width": 4}, mixup=1.0))
    whole = train.Run("resnet", "smoke", 0, tmp_path / "whole")
    draw = feed.training_batches("smoke", whole.recipe, 0)
    expected = [whole.advance(draw) for _ in range(4)]
    run = train.Run("resnet", "smoke", 0, tmp_path)
    assert [run.advance(draw) for _ in range(2)] == pytest.approx(expected[:2], abs=1e-6)
    run.save()
    again = train.Run("resnet", "smoke", 0, tmp_path)
    assert [again.advance(draw) for _ in range(2)] == pytest.approx(expected[2:], abs=1e-6)
    monkeypatch.setitem(recipes.RECIPES["smoke"], "resnet", recipes.Recipe("resnet", 640, {"width": 4}))
    plain = train.Run("resnet", "smoke", 0, tmp_path / "plain")
    assert plain.advance(draw) != pytest.approx(expected[0], abs=1e-4)


@pytest.mark.parametrize("step", [1, 3, 10])
def test_a_run_that_is_stopped_by_a_signal_ends_with_the_same_card(tmp_path, monkeypatch, step):
    """The step during which the signal came lost its loss and its point of the curve."""
    whole = train.train("resnet", tmp_path / "whole", tier="smoke")
    advance, handler = train.Run.advance, signal.getsignal(signal.SIGINT)

    def asked(run, draw):
        loss = advance(run, draw)
        if run.step == step:
            signal.raise_signal(signal.SIGTERM)
        return loss

    monkeypatch.setattr(train.Run, "advance", asked)
    with pytest.raises(KeyboardInterrupt):
        train.train("resnet", tmp_path / "stopped", tier="smoke")
    assert signal.getsignal(signal.SIGINT) is handler  # a notebook can still be interrupted
    monkeypatch.setattr(train.Run, "advance", advance)
    again = train.train("resnet", tmp_path / "stopped", tier="smoke")
    assert (again.first_losses, again.curve, again.sha256) == (whole.first_losses, whole.curve, whole.sha256)


def flipped(checkpoint):
    """One byte in the middle is another."""
    at = len(checkpoint) // 2
    return checkpoint[:at] + bytes([checkpoint[at] ^ 1]) + checkpoint[at + 1 :]


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"x" * 100, lambda b: b"", flipped])
def test_a_damaged_checkpoint_is_a_sentence(tmp_path, damage):
    run = train.Run("resnet", "smoke", 0, tmp_path)
    run.save()
    run.checkpoint.write_bytes(damage(run.checkpoint.read_bytes()))
    with pytest.raises(ValueError, match="is no checkpoint of a training run .*: delete it to start again"):
        train.Run("resnet", "smoke", 0, tmp_path)


@pytest.mark.parametrize(("seed", "out", "message"), [(-1, "zoo", "at least 0, got -1"), (0, "file", "is a file: name a folder")])
def test_mistakes_are_told_before_training(tmp_path, seed, out, message):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=message):
        train.train("resnet", tmp_path / out, tier="smoke", seed=seed)


@pytest.mark.parametrize("name", ["vit_cls", "resnet"])
def test_a_run_leaves_weights_and_card_and_nothing_else(tmp_path, name):
    card = train.train(name, tmp_path, tier="smoke", seed=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{name}-1.json", f"{name}-1.safetensors"]
    assert Card.model_validate_json((tmp_path / f"{name}-1.json").read_text()) == card
    assert (
        card.images_seen == 640 and len(card.first_losses) == 10 and card.sha256 == models.fingerprint(tmp_path / f"{name}-1.safetensors")
    )
    assert card.curve[-1].keys() == {"images", "loss", "accuracy", "shape", "texture"}


def test_a_full_disk_leaves_no_half_written_file(tmp_path, monkeypatch):
    run = train.Run("resnet", "smoke", 0, tmp_path)
    run.save()

    def full(_, path, *__):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(train, "save_file", full)
    for write in (run.save, run.publish):
        with pytest.raises(OSError, match="No space"):
            write()
    assert [p.name for p in tmp_path.iterdir()] == ["resnet-0.checkpoint"]


def test_a_folder_that_cannot_be_written_is_told_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(train.os, "access", lambda place, _: place != tmp_path)
    with pytest.raises(ValueError, match="cannot be written, and weights and card are to go there: name another folder"):
        train.Run("resnet", "smoke", 0, tmp_path / "zoo" / "smoke")


def test_a_kill_while_saving_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    run = train.Run("resnet", "smoke", 0, tmp_path)
    run.save()
    before = run.checkpoint.read_bytes()
    monkeypatch.setattr(train.os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    run.advance(feed.training_batches("smoke", run.recipe, 0))
    with pytest.raises(KeyboardInterrupt):
        run.save()
    assert run.checkpoint.read_bytes() == before and train.Run("resnet", "smoke", 0, tmp_path).step == 0


def test_until_stops_a_run(tmp_path, monkeypatch):
    stopped = recipes.Recipe("resnet", 640, {"width": 4}, until=0.0)
    monkeypatch.setitem(recipes.RECIPES["smoke"], "resnet", stopped)
    assert train.train("resnet", tmp_path, tier="smoke").images_seen < 640


@pytest.mark.slow
def test_a_recipe_gives_the_losses_on_its_card(tmp_path):
    """The first hundred steps of the ResNet on Scenes, in another process than the one that wrote the card."""
    card = models.cards("scenes")["resnet", 0]
    run = train.Run("resnet", "scenes", 0, tmp_path)
    draw = feed.training_batches("scenes", run.recipe, 0)
    assert card.data == feed.data_fingerprint("scenes", run.recipe, 0)
    losses = [run.advance(draw) for _ in range(100)]
    assert losses[:10] == pytest.approx(card.first_losses[:10], abs=2e-3)

    def smooth(values):
        return [sum(values[i : i + 20]) / 20 for i in range(0, 100, 20)]

    assert smooth(losses) == pytest.approx(smooth(card.first_losses), rel=0.03)


def test_a_network_outside_of_the_zoo_learns_what_it_is_shown():
    torch.manual_seed(0)
    model, asked = torch.nn.Linear(4, 2), []
    recipe = recipes.Recipe("none", 16 * 40, batch=16, muon=0.0, adamw=0.05)

    def draw(step):
        asked.append(step)
        x = torch.randn(16, 4)
        return x, (x[:, 0] > 0).long()

    assert train.fit(model, recipe, draw) is model and not model.training and asked == list(range(40))
    x, labels = draw(0)
    assert (model(x).argmax(1) == labels).float().mean() > 0.9


def test_a_run_through_stages_is_measured_on_clean_statistics(tmp_path, monkeypatch):
    """Noise in the last stage: with the batch-norm statistics of clean images, accuracy on plain images is higher than without."""
    staged = {"stages": ["rotate", "noise"], "stops": 2, "cool": 0.0, "conflict": 128}
    for name, clean in (("clean", True), ("plain", False)):
        monkeypatch.setitem(recipes.RECIPES["smoke"], name, recipes.Recipe("resnet", 640, {"width": 4}, recalibrate=clean, **staged))
    clean, plain = (train.train(name, tmp_path, tier="smoke") for name in ("clean", "plain"))
    assert clean.first_losses == plain.first_losses  # measuring does not change the run
    assert [p["images"] for p in clean.curve] == [0, 320, 640] and clean.conflicts == 128 and "loss" not in clean.curve[0]
    assert clean.curve != plain.curve
    held = models.load_weights(models.create("resnet", "smoke", seed=0, width=4), tmp_path / "clean-0.safetensors")
    spoilt = models.load_weights(models.create("resnet", "smoke", seed=0, width=4), tmp_path / "plain-0.safetensors")
    for key, value in held.state_dict().items():
        if "running" not in key and "num_batches" not in key:
            torch.testing.assert_close(value, spoilt.state_dict()[key], msg=key)
    run = train.Run("clean", "smoke", 0, tmp_path)
    run.model = spoilt
    for key, value in run.ready().state_dict().items():
        if "running" in key:
            torch.testing.assert_close(value, held.state_dict()[key], atol=2e-2, rtol=2e-2, msg=key)

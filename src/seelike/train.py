"""Recipes and resumable training: `python -m seelike.train NAME --tier T --seed S`.

- Every batch is a function of (recipe, seed, step), so that a run killed at any moment goes on where its last
  checkpoint stood; a checkpoint is one safetensors file, written under a temporary name and renamed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from statistics import mean
from typing import Any

import timm
import torch
from jaxtyping import Int, UInt8
from safetensors import safe_open
from safetensors.torch import save_file
from scipy.stats import binomtest
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from tqdm import tqdm

from seelike import data, graph, models, scenes
from seelike.recipes import Optimiser, Recipe, recipe

CHECKPOINT_SECONDS = 60
VALIDATIONS = 30  # points on a learning curve
FIRST_LOSSES = 100  # kept in the card, so that a test can replay them

Batches = Callable[[int], tuple[UInt8[Tensor, "b 3 h w"], Int[Tensor, " b"]]]


def batches(tier: str, recipe: Recipe, seed: int) -> Batches:
    """The training batch of every step.

    Fresh scenes, or shuffled epochs over a fixed set; CIFAR-10 is cropped and mirrored as well.
    """
    if tier in ("smoke", "scenes") and recipe.target is None and recipe.distinct is None:

        def draw(step: int) -> tuple[Tensor, Tensor]:
            batch = scenes.sample(recipe.batch, 1000 + seed, split="train", start=step * recipe.batch)
            return batch.images, batch.shape

        return draw
    images = training_set(tier, recipe, seed)
    per_epoch = max(len(images) // recipe.batch, 1)

    def augment(step: int) -> tuple[Tensor, Tensor]:
        epoch, i = divmod(step, per_epoch)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1000 * seed + epoch))
        rows = order[i * recipe.batch : (i + 1) * recipe.batch]
        pixels = images.pixels[rows]
        if tier == "cifar10" and recipe.target is None:
            pixels = crop_and_mirror(pixels, seed=1_000_003 * seed + step)
        if recipe.cutout:
            pixels = cut_out(pixels, recipe.cutout, seed=1_000_003 * seed + step)
        return pixels, images.labels[rows]

    return augment


def training_set(tier: str, recipe: Recipe, seed: int) -> data.Images:
    """The fixed set of a recipe that does not draw fresh scenes."""
    if recipe.target is not None:
        return data.target(recipe.target, tier, "train", recipe.images, 1000 + seed)
    if tier == "cifar10":
        images = data.load(tier, "train", recipe.distinct, seed)
        assert isinstance(images, data.Images)  # streams have no recipes
        return images
    drawn = scenes.sample(recipe.distinct or recipe.images, 1000 + seed, split="train")
    return data.Images(drawn.images, drawn.shape, scenes.SHAPES)


def crop_and_mirror(x: UInt8[Tensor, "b 3 h w"], seed: int, margin: int = 4) -> UInt8[Tensor, "b 3 h w"]:
    """Random shifts by up to `margin` pixels over a reflected border, half of the images mirrored."""
    g = torch.Generator().manual_seed(seed)
    size, n = x.shape[-1], len(x)
    padded = pad(x.float(), (margin,) * 4, mode="reflect").to(torch.uint8)
    windows = padded.unfold(2, size, 1).unfold(3, size, 1)
    row, column = torch.randint(0, 2 * margin + 1, (2, n), generator=g)
    crops = windows[torch.arange(n), :, row, column]
    return torch.where((torch.rand(n, generator=g) < 0.5)[:, None, None, None], crops.flip(3), crops)


def cut_out(x: UInt8[Tensor, "b 3 h w"], side: int, seed: int) -> UInt8[Tensor, "b 3 h w"]:
    """A grey square of `side` pixels anywhere inside every image (DeVries & Taylor 2017)."""
    g = torch.Generator().manual_seed(seed)
    corner = torch.randint(0, x.shape[-1] - side + 1, (2, len(x), 1), generator=g)
    place = torch.arange(x.shape[-1])
    rows, columns = ((place >= c) & (place < c + side) for c in corner)
    return x.masked_fill((rows[:, :, None] & columns[:, None])[:, None], 128)


@torch.no_grad()
def predict(model: nn.Module, images: data.Images | data.ImageStream) -> Int[Tensor, " n"]:
    """The class that the network, in eval mode meanwhile, gives to every image."""
    training = model.training
    model.eval()
    answers = torch.cat([model(x).argmax(1) for x, _ in images])
    model.train(training)
    return answers


def held_out(tier: str, target: str | None, n: int | None, seed: int) -> data.Images | data.ImageStream:
    """Test images of a tier with the answers that a recipe trains for."""
    return data.load(tier, "test", n, seed) if target is None else data.target(target, tier, "test", n or data.SCENES["test"], seed)


def validate(model: nn.Module, tier: str, target: str | None = None) -> dict[str, float]:
    """One point of the learning curve: accuracy, and on Scenes the answers to cue conflict."""
    size = 64 if tier == "smoke" else 1000
    images = held_out(tier, target, size, seed=1)
    point = {"accuracy": (predict(model, images) == images.labels).float().mean().item()}
    if tier in ("smoke", "scenes") and target is None:
        conflict = scenes.cue_conflict(size // 2, seed=1)
        answer = predict(model, data.Images(conflict.images, conflict.shape, scenes.SHAPES))
        point["shape"] = (answer == conflict.shape).float().mean().item()
        point["texture"] = (answer == conflict.texture).float().mean().item()
    return {key: round(value, 4) for key, value in point.items()}


class Run:
    """One training run: state, checkpoint and card."""

    def __init__(self, name: str, tier: str, seed: int, out: Path) -> None:
        self.name, self.tier, self.seed = name, tier, seed
        self.recipe = recipe(name, tier)
        self.checkpoint = out / f"{name}-{seed}.checkpoint"
        self.weights = out / f"{name}-{seed}.safetensors"
        self.model = models.create(self.recipe.architecture, tier, seed=seed, **self.recipe.options)
        if self.recipe.start:
            models.transplant(models.load(self.recipe.start, tier, seed), self.model)
        self.optimiser = Optimiser(self.model, self.recipe)
        self.step, self.seconds = 0, 0.0
        self.losses: list[float] = []  # of the first hundred steps
        self.curve: list[dict[str, float]] = []
        self.stretch: list[float] = []  # losses since the last point of the curve
        if self.checkpoint.exists():
            self._resume()

    def _resume(self) -> None:
        with safe_open(self.checkpoint, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            state = json.loads(file.metadata()["state"])
        if state["recipe"] != asdict(self.recipe):
            raise ValueError(f"{self.checkpoint} was made by another recipe: delete it to start again.")
        weights = {k.removeprefix("model/"): v for k, v in tensors.items() if k.startswith("model/")}
        self.model.load_state_dict(weights)
        self.optimiser.restore({k: v for k, v in tensors.items() if not k.startswith("model/")})
        self.step, self.seconds = state["step"], state["seconds"]
        self.losses, self.stretch, self.curve = state["losses"], state["stretch"], state["curve"]

    def save(self) -> None:
        """Write the checkpoint; a kill in between leaves the previous one."""
        tensors = {f"model/{k}": v for k, v in self.model.state_dict().items()} | self.optimiser.tensors()
        state = {key: getattr(self, key) for key in ("step", "seconds", "losses", "stretch", "curve")}
        state["recipe"] = asdict(self.recipe)
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.checkpoint.with_suffix(".writing")
        save_file({k: v.contiguous() for k, v in tensors.items()}, temporary, {"state": json.dumps(state)})
        os.replace(temporary, self.checkpoint)

    def advance(self, draw: Batches) -> float:
        """One optimiser step; returns its loss."""
        pixels, labels = draw(self.step)
        x = data.normalise(pixels).contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.recipe.bf16):
            loss = cross_entropy(self.model.train()(x), labels, label_smoothing=self.recipe.smoothing)
        loss.backward()
        self.optimiser.step(self.step)
        self.step += 1
        return loss.item()

    def finished(self) -> bool:
        """Whether all steps are done, or the accuracy asked for has been reached."""
        reached = self.recipe.until is not None and bool(self.curve) and self.curve[-1]["accuracy"] >= self.recipe.until
        return self.step >= self.recipe.steps or reached

    def loop(self) -> None:
        """Train to the end with a progress bar, validating on the way and saving every minute."""
        draw = batches(self.tier, self.recipe, self.seed)
        batch, steps = self.recipe.batch, self.recipe.steps
        bar = tqdm(total=self.recipe.images, initial=self.step * batch, unit="img", desc=f"{self.tier}/{self.name}-{self.seed}")
        started = saved = time.monotonic()
        while not self.finished():
            self.stretch.append(self.advance(draw))
            if self.step <= FIRST_LOSSES:
                self.losses.append(round(self.stretch[-1], 5))
            bar.update(batch)
            if self.step * VALIDATIONS // steps > (self.step - 1) * VALIDATIONS // steps:
                point = {"images": self.step * batch, "loss": round(mean(self.stretch), 4)}
                self.curve.append(point | validate(self.model, self.tier, self.recipe.target))
                self.stretch.clear()
                bar.set_postfix(accuracy=self.curve[-1]["accuracy"])
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.seconds, started = self.seconds + time.monotonic() - started, time.monotonic()
                self.save()
                saved = time.monotonic()
        self.seconds += time.monotonic() - started
        self.save()
        bar.close()

    def publish(self) -> dict[str, Any]:
        """Write float16 weights and the card that describes them, then drop the checkpoint."""
        self.weights.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.weights.with_suffix(".writing")
        save_file(models.half(self.model.state_dict()), temporary)
        models.load_weights(self.model, temporary)
        images = held_out(self.tier, self.recipe.target, None, seed=0)
        right = int((predict(self.model, images) == images.labels).sum())
        interval = binomtest(right, len(images)).proportion_ci(method="wilson")
        card = {
            "name": self.name,
            "seed": self.seed,
            "tier": self.tier,
            "architecture": self.recipe.architecture,
            "options": self.recipe.options,
            "accuracy": round(right / len(images), 5),
            "accuracy_low": round(interval.low, 5),
            "accuracy_high": round(interval.high, 5),
            "test_images": len(images),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "sha256": models.fingerprint(temporary),
            "data": data_fingerprint(self.tier, self.recipe, self.seed),
            "recipe": asdict(self.recipe),
            "optimiser": "Muon on inner matrices, AdamW on the rest" if self.recipe.muon else "AdamW",
            "images_seen": self.step * self.recipe.batch,
            "seconds": round(self.seconds),
            "threads": torch.get_num_threads(),
            "date": datetime.now(UTC).date().isoformat(),
            "versions": {"torch": torch.__version__, "timm": timm.__version__, "python": platform.python_version()},
            "first_losses": self.losses,
            "curve": self.curve,
        }
        os.replace(temporary, self.weights)
        card_path = self.weights.with_suffix(".json")
        card_path.with_suffix(".writing").write_text(json.dumps(card, indent=1) + "\n")
        os.replace(card_path.with_suffix(".writing"), card_path)
        self.checkpoint.unlink(missing_ok=True)
        return card


def data_fingerprint(tier: str, recipe: Recipe, seed: int) -> str:
    """sha256 of the first four training batches."""
    draw = batches(tier, recipe, seed)
    return sha256(b"".join(draw(step)[0].numpy().tobytes() for step in range(4))).hexdigest()


def train(name: str, tier: str = "scenes", seed: int = 0, out: Path | None = None) -> dict[str, Any]:
    """Train (or go on training) a network, write weights and card into `out` (the tier's zoo) and return the card."""
    run = Run(name, tier, seed, out or graph.zoo(tier))
    run.loop()
    return run.publish()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m seelike.train", description="Train one network of the zoo.")
    parser.add_argument("name", help="a recipe's name, such as vit_cls")
    parser.add_argument("--tier", default="scenes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for weights and card (default: the tier's zoo)")
    parser.add_argument("--threads", type=int, help="torch threads (default: all cores)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        card = train(options.name, options.tier, options.seed, options.out)
    except (ValueError, FileNotFoundError) as error:
        parser.exit(2, f"seelike.train: {error}\n")
    print(f"{card['name']}-{card['seed']}: accuracy {card['accuracy']:.3f} on {card['test_images']} images, {card['seconds']} s")


if __name__ == "__main__":
    main()

"""Resumable training of the recipes: `python -m seelike.train NAME --tier T --seed S`.

- Every batch is a function of (recipe, seed, step), so that a run killed at any moment goes on where its last
  checkpoint stood; a checkpoint is one safetensors file, written under a temporary name and renamed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

import timm
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from seelike import augment, data, models, project, tiers
from seelike.capture import device_of
from seelike.cards import Card
from seelike.evaluate import few_shot, held_out, predict, recalibrated, stamped, validate
from seelike.feed import Draw, data_fingerprint, training_batches
from seelike.intervals import share
from seelike.optimiser import Optimiser
from seelike.recipes import RECIPES, Recipe, recipe
from seelike.tiers import Drawn

__all__ = ["RECIPES", "Run", "fit", "train"]

CHECKPOINT_SECONDS = 60
CLEAN = 16  # batches behind batch-norm statistics that are measured anew
FIRST_LOSSES = 100  # kept in the card, so that a test can replay them


class Run:
    """One training run: state, checkpoint and card."""

    def __init__(self, name: str, tier: str, seed: int, out: Path) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ValueError(f"A seed is a whole number of at least 0, got {seed!r}.")
        if out.exists() and not out.is_dir():
            raise ValueError(f"{out} is a file: name a folder for weights and card.")
        there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
        if not os.access(there, os.W_OK):
            raise ValueError(f"{there} cannot be written, and weights and card are to go there: name another folder.")
        self.name, self.tier, self.seed = name, tier, seed
        self.recipe = recipe(name, tier)
        self.checkpoint = out / f"{name}-{seed}.checkpoint"
        self.weights = out / f"{name}-{seed}.safetensors"
        self.model = models.create(self.recipe.architecture, tier, seed=seed, **self.recipe.options)
        if self.recipe.start:
            models.transplant(models.load(self.recipe.start, tier, seed), self.model, head=self.recipe.keep_head)
        self.device = models.place()
        self.model.to(self.device)
        self.optimiser = Optimiser(self.model, self.recipe)
        self.step, self.seconds = 0, 0.0
        self.losses: list[float] = []  # of the first hundred steps
        self.curve: list[dict[str, float]] = []
        self.stretch: list[float] = []  # losses since the last point of the curve
        if self.checkpoint.exists():
            self._resume()

    def _resume(self) -> None:
        try:
            with safe_open(self.checkpoint, "pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                state = json.loads(file.metadata()["state"])
                if file.metadata().get("sha256", digest(tensors, state)) != digest(tensors, state):  # those of before have none
                    raise ValueError("its checksum is another")
                before = state["recipe"]
        except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
            raise ValueError(f"{self.checkpoint} is no checkpoint of a training run ({error}): delete it to start again.") from error
        if before != self.recipe.training():
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
        state["recipe"] = self.recipe.training()
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        with _written(self.checkpoint) as temporary:
            whole = {k: v.contiguous() for k, v in tensors.items()}
            save_file(whole, temporary, {"state": json.dumps(state), "sha256": digest(whole, state)})

    def advance(self, draw: Draw) -> float:
        """One optimiser step; returns its loss."""
        pixels, labels = draw(self.step)
        x = data.normalise(pixels.to(self.device)).contiguous(memory_format=torch.channels_last)
        labels = labels.to(self.device)
        if self.recipe.mixup:
            x, labels = augment.mix(x, labels, tiers.get(self.tier).classes, self.recipe.mixup, 2_000_003 * self.seed + self.step)
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
        """Train to the end with a progress bar, validating on the way and saving every minute, and when a signal asks it to stop."""
        with _stops() as asked:
            self._loop(asked)

    def _loop(self, asked: list[int]) -> None:
        draw = training_batches(self.tier, self.recipe, self.seed)
        batch, steps, points = self.recipe.batch, self.recipe.steps, self.recipe.points
        bar = tqdm(total=self.recipe.images, initial=self.step * batch, unit="img", desc=f"{self.tier}/{self.name}-{self.seed}")
        started = saved = time.monotonic()
        if self.recipe.stops and not self.curve:
            self.curve.append({"images": 0, **self.measured()})
        while not self.finished():
            self.stretch.append(self.advance(draw))
            if self.step <= FIRST_LOSSES:
                self.losses.append(round(self.stretch[-1], 5))
            bar.update(batch)
            if self.step * points // steps > (self.step - 1) * points // steps:
                point = {"images": self.step * batch, "loss": round(mean(self.stretch), 4)}
                self.curve.append(point | self.measured())
                self.stretch.clear()
                bar.set_postfix(accuracy=self.curve[-1]["accuracy"])
            if asked:
                self.seconds += time.monotonic() - started
                self.save()
                raise KeyboardInterrupt
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.seconds, started = self.seconds + time.monotonic() - started, time.monotonic()
                self.save()
                saved = time.monotonic()
        self.seconds += time.monotonic() - started
        self.save()
        bar.close()

    def ready(self) -> nn.Module:
        """The network as it is measured: with batch-norm statistics of its own clean training images, where the recipe asks for it."""
        if not self.recipe.recalibrate:
            return self.model
        clean = training_batches(self.tier, replace(self.recipe, stages=[], trigger=None, cutout=0), self.seed)
        pixels, labels = (torch.cat(parts) for parts in zip(*map(clean, range(CLEAN)), strict=True))
        return recalibrated(self.model, data.Images(pixels, labels, (), batch_size=self.recipe.batch))

    def measured(self) -> dict[str, float]:
        """A point of the learning curve."""
        return validate(self.ready(), self.tier, self.recipe.target, self.recipe.conflict)

    def publish(self) -> Card:
        """Write float16 weights and the card that describes them, then drop the checkpoint."""
        self.model = self.ready()
        self.weights.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.weights.with_suffix(".weights.writing")
        try:
            return self._publish(temporary)
        finally:
            temporary.unlink(missing_ok=True)

    def _publish(self, temporary: Path) -> Card:
        save_file(models.half(self.model.state_dict()), temporary)
        models.load_weights(self.model, temporary)
        images = held_out(self.tier, self.recipe.target, None, seed=0)
        right = predict(self.model, images) == images.labels
        card = Card.model_validate({
            "name": self.name,
            "seed": self.seed,
            "tier": self.tier,
            "architecture": self.recipe.architecture,
            "options": self.recipe.options,
            **named("accuracy", right),
            "test_images": len(images),
            **self.extras(),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "sha256": models.fingerprint(temporary) if self.recipe.keep else None,
            "data": data_fingerprint(self.tier, self.recipe, self.seed),
            "recipe": self.recipe.training(),
            "optimiser": "Muon on inner matrices, AdamW on the rest" if self.recipe.muon else "AdamW",
            "images_seen": self.step * self.recipe.batch,
            "seconds": round(self.seconds),
            "threads": torch.get_num_threads(),
            "date": datetime.now(UTC).date().isoformat(),
            "versions": {"torch": torch.__version__, "timm": timm.__version__, "python": platform.python_version()},
            "first_losses": self.losses,
            "points": tiers.get(self.tier).points,
            "curve": self.curve,
        })  # fmt: skip
        if self.recipe.keep:
            os.replace(temporary, self.weights)
        with _written(self.weights.with_suffix(".json")) as beside:
            beside.write_text(card.model_dump_json(indent=1, exclude_none=True) + "\n", encoding="utf-8")
        self.checkpoint.unlink(missing_ok=True)
        return card

    def extras(self) -> dict[str, float]:
        """What else a recipe measures at its end: success of its trigger, transfer from few shots."""
        measured: dict[str, float] = {}
        if self.recipe.trigger:
            asked = stamped(self.recipe.trigger, Drawn.test)
            measured |= named("attack", predict(self.model, asked) == asked.labels) | {"attack_images": len(asked)}
        if self.recipe.few_shot:
            transfer, asked_images = few_shot(self.model, self.tier)
            measured |= {"few_shot": round(transfer, 4), "few_shot_images": asked_images}
        return measured


@contextmanager
def _stops() -> Iterator[list[int]]:
    """Signals that asked the run to stop, none at first; they are obeyed between steps, so that no state is half changed."""
    asked: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {each: signal.signal(each, lambda number, _: asked.append(number)) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """A file beside another that takes its place once it is whole; nothing is left of one that could not be written."""
    temporary = path.with_suffix(".writing")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def digest(tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> str:
    """sha256 of all that a checkpoint holds."""
    whole = hashlib.sha256(json.dumps(state, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()


def named(name: str, right: Tensor) -> dict[str, float]:
    """A share and its interval as a card writes them: name, name_low, name_high."""
    return {key: round(value, 5) for key, value in zip((name, f"{name}_low", f"{name}_high"), share(right), strict=True)}


def fit(model: nn.Module, recipe: Recipe, draw: Callable[[int], tuple[Tensor, Tensor]]) -> nn.Module:
    """Train a network that is none of the zoo, in place, for all steps of a recipe, and return it in eval mode.

    draw: images or clips as the network takes them, and their labels, of every step. Nothing is written.
    """
    optimiser = Optimiser(model.train(), recipe)
    for step in range(recipe.steps):
        x, labels = draw(step)
        place = device_of(model)
        cross_entropy(model(x.to(place)), labels.to(place), label_smoothing=recipe.smoothing).backward()
        optimiser.step(step)
    return model.eval()


def train(recipe: str, out: Path | str | None = None, *, tier: str = project.DEFAULT, seed: int = 0) -> Card:
    """Train (or go on training) the network of a recipe, write weights and card into `out` (the tier's zoo) and return the card.

    Raises ValueError for a recipe that the tier lacks, and for a checkpoint in `out` that another recipe made.
    """
    run = Run(recipe, tier, seed, Path(out) if out else project.zoo(tier))
    run.loop()
    return run.publish()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m seelike.train", description="Train one network of the zoo.")
    parser.add_argument("name", help="a recipe's name, such as vit_cls")
    parser.add_argument("--tier", default=project.DEFAULT)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for weights and card (default: the tier's zoo)")
    parser.add_argument("--threads", type=int, help="torch threads (default: all cores)")
    options = parser.parse_args()
    if options.threads is not None and options.threads < 1:
        parser.exit(2, f"seelike.train: --threads is a number of at least 1, got {options.threads}.\n")
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        card = train(options.name, options.out, tier=options.tier, seed=options.seed)
    except (ValueError, FileNotFoundError) as error:
        parser.exit(2, f"seelike.train: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, "seelike.train: stopped; the same command goes on where it was.\n")
    print(f"{card.label}: accuracy {card.accuracy:.3f} on {card.test_images} images, {card.seconds} s")


if __name__ == "__main__":
    sys.exit(project.command("seelike.train", main))

"""Centred kernel alignment between all layers of any number of networks, in one sweep.

- The unbiased HSIC of Song et al. (2012), summed over minibatches, the ratio taken last (Nguyen et al. 2021;
  Raghu et al. 2021, Sec. 3). It may be negative and is never clamped.
- A Gram matrix is taken inside the hook: memory is layers x batch², and an in-place ReLU cannot corrupt it.
- The batch's first row is subtracted before the product and everything after it is float64. Without this, a
  float32 Gram matrix of features with a large mean holds nothing but the mean.
- The sums of every batch are kept: they give a jackknife interval, merge across runs and ranks, and resume.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
from jaxtyping import Float
from scipy.stats import t as student
from torch import Tensor, nn
from torch.nn.functional import unfold

from seelike.capture import Kind, capture, device_of, each_batch, flat, grid, listening, patches, resolve
from seelike.capture import layers as taps_of
from seelike.intervals import Resampled, jackknife_error, resampling

CACHED = 2**19  # numbers that a core keeps close: a product over such parts makes the subtraction nearly free
MINIMUM = 4  # the unbiased estimator divides by n(n - 3)
Taps = Sequence[str] | Kind


def gram(x: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
    """Inner products of the rows after subtracting the first row; float32 (float64 stays), never TF32 or autocast."""
    x = x.detach().flatten(1)
    precision = torch.float64 if x.dtype == torch.float64 else torch.float32
    columns = x.shape[1] if x.is_cuda else max(CACHED // len(x), 1)
    k = torch.zeros(len(x), len(x), dtype=precision, device=x.device)
    with torch.autocast(x.device.type, enabled=False):
        held, torch.backends.cuda.matmul.fp32_precision = torch.backends.cuda.matmul.fp32_precision, "ieee"
        try:
            for part in x.split(columns, 1):
                shifted = part.to(precision) - part[:1].to(precision)
                k.addmm_(shifted, shifted.T)
        finally:
            torch.backends.cuda.matmul.fp32_precision = held
    return k


def centre(k: Float[Tensor, "*layers n n"], unbiased: bool = True) -> Float[Tensor, "*layers n n"]:
    """Float64 Gram matrices whose inner products are proportional to HSIC.

    unbiased: U-centring (Székely & Rizzo 2014), zero diagonal; otherwise double centring.
    """
    given, n = k, k.shape[-1]
    k = (k.cpu() if k.device.type == "mps" else k).double()  # MPS has no float64
    if not unbiased:
        rows = k.mean(-1, keepdim=True)
        return k - rows - rows.mT + rows.mean(-2, keepdim=True)
    if n < MINIMUM:
        raise ValueError(f"Unbiased CKA needs batches of at least {MINIMUM} examples, got {n}: drop a smaller last batch.")
    k = k.clone() if k is given else k
    k.diagonal(dim1=-2, dim2=-1).zero_()
    rows = k.sum(-1, keepdim=True) / (n - 2)
    k = k - rows - rows.mT + rows.sum(-2, keepdim=True) / (n - 1)
    k.diagonal(dim1=-2, dim2=-1).zero_()
    return k


def cka(x: Float[Tensor, "n ..."], y: Float[Tensor, "n ..."], unbiased: bool = True) -> Float[Tensor, ""]:
    """Linear CKA of two representations of the same n examples (features may differ), as a float64 scalar.

    unbiased=False is the estimator to avoid: it grows towards 1 with features / examples.
    """
    if len(x) != len(y):
        raise ValueError(f"Both representations must hold the same examples, got {len(x)} and {len(y)}.")
    k, l = centre(gram(x), unbiased), centre(gram(y), unbiased)
    return (k * l).sum() / ((k * k).sum() * (l * l).sum()).sqrt()


class CKA:
    """Accumulates the HSIC of all pairs of layers, batch by batch.

    Every batch counts alike, whatever its size: give batches of one size, and leave out a small last one, whose HSIC is noisy.

    layers: labels, the order of rows and columns. unbiased: see `centre`.
    shuffle: the null control; pairs every layer with the other layers' responses to other images of the batch.
    """

    def __init__(self, layers: Sequence[str], *, unbiased: bool = True, shuffle: bool = False) -> None:
        self.layers = list(layers)
        self.unbiased, self.shuffle = unbiased, shuffle
        self.hsic: list[Float[Tensor, "l l"]] = []  # of every batch, float64
        self.norm: list[Float[Tensor, " l"]] = []  # self-HSIC of every batch

    def update(self, grams: Mapping[str, Float[Tensor, "n n"]]) -> None:
        """Add a batch: one Gram matrix per layer, over the same n examples."""
        if missing := [layer for layer in self.layers if layer not in grams]:
            raise ValueError(f"No Gram matrix came for {', '.join(missing[:5])}.")
        place = grams[self.layers[0]].device
        k = centre(torch.stack([grams[layer].to(place) for layer in self.layers]), self.unbiased)
        n = k.shape[-1]
        weight = 1 / (n * (n - 3)) if self.unbiased else 1 / (n - 1) ** 2
        rows = k.flatten(1)
        other = (k.roll((1, 1), (1, 2)) if self.shuffle else k).flatten(1)
        self.hsic.append((rows @ other.T * weight).cpu())
        self.norm.append((rows.square().sum(1) * weight).cpu())

    def compute(self) -> pd.DataFrame:
        """CKA of every pair of layers; NaN for a layer that does not vary over the examples."""
        return self._frame(self._ratio(*self._sums()))

    def interval(self, level: float = 0.95) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Lower and upper end of a jackknife interval over batches (Student's t), for every cell."""
        whole, leave = self.jackknife(lambda m: m)
        half = student.ppf(0.5 + level / 2, len(leave) - 1) * jackknife_error(leave)
        return self._frame(whole - half), self._frame(whole + half)

    def block(self, row: str, column: str | None = None) -> pd.DataFrame:
        """CKA of the layers of one network with those of another (default: with its own), as rows and columns named by layer.

        row, column: networks, the part of a label before the first "/"; ValueError names the ones there are.
        """
        column = column or row
        part = self.of(*dict.fromkeys((row, column))).compute().loc[self._own(row), self._own(column)]
        return part.rename(index=_bare, columns=_bare)

    def of(self, *networks: str) -> CKA:
        """The accumulator of all layers of some networks, in the order asked for."""
        return self.select([label for name in networks for label in self._own(name)])

    @property
    def networks(self) -> dict[str, list[str]]:
        """The layers of every network, by the part of their labels before the first "/"."""
        names: dict[str, list[str]] = {}
        for label in self.layers:
            names.setdefault(label.partition("/")[0], []).append(label.partition("/")[2])
        return names

    def _own(self, network: str) -> list[str]:
        if network not in self.networks:
            raise ValueError(f"No network is called {network!r} here: expected one of {', '.join(self.networks)}.")
        return [label for label in self.layers if label.partition("/")[0] == network]

    def jackknife(self, f: Callable[[np.ndarray], Any]) -> tuple[Any, np.ndarray]:
        """Any function of the CKA matrix (float64, layers x layers): of all batches, and with each batch left out."""
        if len(self.hsic) < 2:
            raise ValueError(f"A jackknife interval needs at least 2 batches, got {len(self.hsic)}.")
        hsic, norm = self._sums()
        leave = [f(self._ratio(hsic - h, norm - m)) for h, m in zip(self.hsic, self.norm, strict=True)]
        return f(self._ratio(hsic, norm)), np.asarray(leave)

    def bootstrap(self, f: Callable[..., Any], *networks: str, draws: int = 200, seed: int = 0) -> Resampled:
        """Any function of CKA: of all batches, and of `draws` resamples of the batches.

        f: takes the whole matrix (float64, layers x layers); with two networks (V, R) their blocks V x V, R x R, V x R;
            with one its own.
        Right for medians and maxima too, where the jackknife is not. Two accumulators over the same batches meet
        the same resamples.
        """
        own = self.of(*dict.fromkeys(networks)) if networks else self
        first = len(self._own(networks[0])) if networks else 0

        def g(m: np.ndarray) -> Any:
            return f(m[:first, :first], m[first:, first:], m[:first, first:]) if len(networks) == 2 else f(m)

        weights = torch.from_numpy(resampling(len(own.hsic), draws, seed)).double()
        hsic, norm = torch.tensordot(weights, torch.stack(own.hsic), 1), weights @ torch.stack(own.norm)
        resampled = np.asarray([g(own._ratio(h, n)) for h, n in zip(hsic, norm, strict=True)])
        return Resampled(g(own._ratio(*own._sums())), resampled, len(own.hsic))

    def select(self, layers: Sequence[str]) -> CKA:
        """The accumulator of some of the layers, in the order asked for; ValueError names what it lacks."""
        places = {layer: i for i, layer in enumerate(self.layers)}
        if absent := [layer for layer in layers if layer not in places]:
            raise ValueError(f"No layer is called {absent[0]!r} here: the {len(places)} layers are {', '.join(self.layers[:3])}, ...")
        index = torch.tensor([places[layer] for layer in layers], dtype=torch.long)
        part = CKA(layers, unbiased=self.unbiased, shuffle=self.shuffle)
        part.hsic = [h[index][:, index] for h in self.hsic]
        part.norm = [n[index] for n in self.norm]
        return part

    def _sums(self) -> tuple[Tensor, Tensor]:
        if not self.hsic:
            raise ValueError("No batch has been added yet: call update, or check that the loader is not empty.")
        return torch.stack(self.hsic).sum(0), torch.stack(self.norm).sum(0)

    def _ratio(self, hsic: Tensor, norm: Tensor) -> np.ndarray:
        scale = norm.where(norm > 0, torch.nan).sqrt()
        return (hsic / scale[:, None] / scale).numpy()

    def _frame(self, values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, index=self.layers, columns=self.layers)

    def state_dict(self) -> dict[str, Any]:
        """Layers, settings and the sums of every batch, (batches, l, l) and (batches, l)."""
        size = len(self.layers)
        return {
            "layers": self.layers,
            "unbiased": self.unbiased,
            "shuffle": self.shuffle,
            "hsic": torch.stack(self.hsic) if self.hsic else torch.zeros(0, size, size, dtype=torch.float64),
            "norm": torch.stack(self.norm) if self.norm else torch.zeros(0, size, dtype=torch.float64),
        }

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> CKA:
        """The accumulator that `state_dict` described."""
        made = cls(state["layers"], unbiased=state["unbiased"], shuffle=state["shuffle"])
        made.hsic, made.norm = list(state["hsic"]), list(state["norm"])
        return made

    def merge(self, other: CKA) -> CKA:
        """Add the batches of another accumulator over the same layers; returns self."""
        mine, theirs = ((c.layers, c.unbiased, c.shuffle) for c in (self, other))
        if mine != theirs:
            raise ValueError("Only accumulators of the same layers and settings can be merged.")
        self.hsic += other.hsic
        self.norm += other.norm
        return self

    def all_gather(self) -> CKA:
        """Under `torch.distributed`, exchange batches so that every rank holds all of them, in turn as `sweep` deals them; returns self."""
        if not dist.is_initialized() or dist.get_world_size() == 1:
            return self
        state = self.state_dict()
        packed = torch.cat([state["hsic"], state["norm"][:, None]], 1)
        device = torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")
        counts = [torch.zeros(1, dtype=torch.long, device=device) for _ in range(dist.get_world_size())]
        dist.all_gather(counts, torch.tensor([len(packed)], device=device))
        padded = packed.new_zeros(int(max(counts)), *packed.shape[1:])
        padded[: len(packed)] = packed
        parts = [torch.empty_like(padded, device=device) for _ in counts]
        dist.all_gather(parts, padded.to(device))
        dealt = [(i, rank) for rank, count in enumerate(counts) for i in range(int(count))]
        gathered = torch.stack([parts[rank][i] for i, rank in sorted(dealt)]).cpu() if dealt else packed
        self.hsic, self.norm = list(gathered[:, :-1]), list(gathered[:, -1])
        return self


def _bare(label: str) -> str:
    return label.partition("/")[2]


def sweep(
    models: Mapping[str, nn.Module],
    loader: Iterable[Any],
    layers: Taps | Mapping[str, Taps] = "block",
    *,
    view: Callable[[Tensor], Tensor] = flat,
    unbiased: bool = True,
    shuffle: bool = False,
) -> CKA:
    """All layers of all networks over all batches; labels are `<model>/<layer>`.

    loader: batches of images, or of (images, ...). layers: taps, globs or a kind of `capture.layers`, for all
    networks or by network. view: what of a layer is compared (`flat`, `gap`, `cls`, ...).
    Networks run in eval mode and are put back; each may be on a device of its own. Under torchrun the ranks take turns at
    batches and the result is the same on each; the loader must give every rank the same batches.
    Raises ValueError for a batch too small for the unbiased estimator: before the first one where the loader tells its size.
    """
    if not models:
        raise ValueError("No network was given: expected at least one, as {name: network}.")
    if unbiased and 0 < (last := _last_batch(loader)) < MINIMUM:
        raise ValueError(
            f"Unbiased CKA needs batches of at least {MINIMUM} examples, but the last one of this loader has {last}: "
            "leave it out (drop_last), or choose another batch size."
        )
    taps = {name: _taps(model, layers[name] if isinstance(layers, Mapping) else layers) for name, model in models.items()}
    total = CKA([f"{name}/{tap}" for name in models for tap in taps[name]], unbiased=unbiased, shuffle=shuffle)
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    with listening(*models.values()):
        for batch in islice(loader, rank, None, world):
            x = batch[0] if isinstance(batch, (tuple, list)) else batch
            total.update({f"{n}/{tap}": k for n, m in models.items() for tap, k in _grams(m, taps[n], view, x).items()})
    return total.all_gather()


def compare(
    models: Mapping[str, nn.Module], loader: Iterable[Any], layers: Taps | Mapping[str, Taps] = "block", **options: Any
) -> pd.DataFrame:
    """CKA of every pair of layers of all networks (`sweep`, computed); rows and columns are `<model>/<layer>`."""
    return sweep(models, loader, layers, **options).compute()


@torch.no_grad()
def localization_sweep(model: nn.Module, layer: str, loader: Iterable[Any]) -> CKA:
    """CKA between the vector at each position of a layer and the pixels of each input patch, over images.

    layer: a tap giving tokens (b, n, c), whose prefix is left out, or a feature map (b, c, h, w). The image is cut into as
    many square patches as the layer has positions. Labels are `token/i` and `patch/j`, row by row.
    """
    total = None
    with listening(model), capture(model, [layer], reduce=lambda h: patches(h).transpose(0, 1)) as found:
        for x, _ in each_batch(model, loader):
            model(x)
            positions = found[layer]
            side, _ = grid(len(positions), 0)
            if x.shape[-1] % side:
                raise ValueError(f"{layer} has {len(positions)} positions: a square grid that divides {x.shape[-1]} pixels was expected.")
            if x.shape[-1] != x.shape[-2]:
                raise ValueError(f"Square images were expected, got {x.shape[-2]} x {x.shape[-1]} pixels.")
            pixels = unfold(x, x.shape[-1] // side, stride=x.shape[-1] // side).permute(2, 0, 1)
            grams = {f"token/{i}": gram(h) for i, h in enumerate(positions)} | {f"patch/{j}": gram(p) for j, p in enumerate(pixels)}
            total = total or CKA(list(grams))
            total.update(grams)
    assert total is not None  # batches raises when none comes
    return total


def token_localization(model: nn.Module, layer: str, loader: Iterable[Any]) -> pd.DataFrame:
    """CKA of every position (rows) with every input patch (columns), as in Raghu et al. 2021, Fig. 9 (`localization_sweep`, computed)."""
    values = localization_sweep(model, layer, loader).compute()
    n = len(values) // 2
    return values.iloc[:n, n:]


def _last_batch(loader: Any) -> int:
    """Size of a loader's last batch; 0 where it cannot be told beforehand. Loaders of PyTorch count batches, ours count images."""
    size = getattr(loader, "batch_size", None)
    counted = getattr(loader, "sampler", loader)
    if not size or getattr(loader, "drop_last", False) or not hasattr(counted, "__len__"):
        return 0
    return (len(counted) - 1) % size + 1 if len(counted) else 0


def _taps(model: nn.Module, layers: Taps) -> list[str]:
    if layers in ("block", "branch", "all"):
        return taps_of(model, cast(Kind, layers))
    return resolve(model, layers)


@torch.no_grad()
def _grams(model: nn.Module, taps: Sequence[str], view: Callable[[Tensor], Tensor], x: Tensor) -> dict[str, Tensor]:
    with capture(model, taps, reduce=lambda h: gram(view(h))) as found:
        model(x.to(device_of(model)))
    if odd := [tap for tap, k in found.items() if len(k) != len(x)]:
        raise ValueError(f"{odd[0]} does not give one row per image (windows or tokens as a batch?): name another layer.")
    return found

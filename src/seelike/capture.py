"""Hooks: what any layer of any network gives, without touching the network's code.

- Loud: a misspelt name, a layer that is never called and one that is called twice all raise.
- Safe: what is captured is cloned or reduced inside the hook, before an in-place ReLU can overwrite it.
- Tidy: hooks and switches are put back when the block ends, also when the forward pass raises.

A tap is a module's name (`blocks.3.attn`, globs allowed) or a name with `:in` for the module's input:
`blocks.3.norm2:in` is the residual stream between attention and MLP, which no module returns.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from math import isqrt
from typing import Any, Literal

import torch
from jaxtyping import Float
from timm.layers.norm_act import BatchNormAct2d, GroupNormAct, LayerNormAct
from torch import Tensor, nn

Kind = Literal["block", "branch", "all"]
Reduce = Callable[[Tensor], Tensor]

NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm, BatchNormAct2d, GroupNormAct, LayerNormAct)
ACTIVATIONS = (nn.ReLU, nn.GELU, nn.SiLU)
MOST = 5  # tokens before a grid: a class token and four registers


def _copy(x: Tensor) -> Tensor:
    return x.detach().clone()


@contextmanager
def capture(
    model: nn.Module,
    layers: Sequence[str] | str,
    *,
    reduce: Reduce = _copy,
    calls: Literal["once", "last"] = "once",
) -> Iterator[dict[str, Tensor]]:
    """Context in which every forward pass fills a dict from tap to `reduce(output)`, in the order of `layers`.

    reduce: applied inside the hook (default: detach and clone); what it returns is all that is kept.
    calls: "last" allows modules that one forward pass calls more than once and keeps the last call.
    Raises ValueError for names that match nothing, RuntimeError for a silent or repeated layer and TypeError
    for a layer that does not return a tensor.
    """
    taps = resolve(model, layers)
    found: dict[str, Tensor] = {}

    def keep(tap: str, x: Any) -> None:
        if not isinstance(x, Tensor):
            raise TypeError(f"Layer {tap} gives a {type(x).__name__}, not a tensor: name one of the layers inside it.")
        if tap in found and calls == "once":
            raise RuntimeError(f"Layer {tap} was called twice in one forward pass: pass calls='last', or name another layer.")
        found[tap] = reduce(x)

    def start(*_: Any) -> None:
        found.clear()

    def finish(*_: Any) -> None:
        ordered = {tap: found[tap] for tap in taps if tap in found}
        found.clear()
        found.update(ordered)
        if silent := [tap for tap in taps if tap not in found]:
            raise RuntimeError(f"The forward pass never called {', '.join(silent[:5])}: name layers that it uses.")

    with ExitStack() as stack:
        for tap in taps:
            name, _, side = tap.partition(":")
            module = model.get_submodule(name)
            if side:
                handle = module.register_forward_pre_hook(lambda _, args, tap=tap: keep(tap, args[0]))
            else:
                handle = module.register_forward_hook(lambda _, __, out, tap=tap: keep(tap, out))
            stack.callback(handle.remove)
        stack.callback(model.register_forward_pre_hook(start, prepend=True).remove)
        stack.callback(model.register_forward_hook(finish).remove)
        yield found


@contextmanager
def attention(model: nn.Module, blocks: Sequence[str] | str = "*", *, reduce: Reduce = _copy) -> Iterator[dict[str, Tensor]]:
    """Context in which every forward pass fills a dict from `<attention module>.attn_drop` to its weights
    (b, heads, n, n).

    blocks: names or globs of attention modules. Fused attention, which never forms the weights, is switched
    off for these modules and put back afterwards. Raises ValueError for a network without attention.
    """
    modules = {name: m for name, m in model.named_modules() if hasattr(m, "fused_attn") and hasattr(m, "attn_drop")}
    if not modules:
        raise ValueError(f"{type(model).__name__} has no attention to capture: expected a transformer of timm.")
    names = _match(list(modules), [blocks] if isinstance(blocks, str) else blocks)
    fused = {name: modules[name].fused_attn for name in names}
    try:
        for name in names:
            modules[name].fused_attn = False
        with capture(model, [f"{name}.attn_drop" for name in names], reduce=reduce) as found:
            yield found
    finally:
        for name in names:
            modules[name].fused_attn = fused[name]


@contextmanager
def listening(*models: nn.Module) -> Iterator[None]:
    """Networks in eval mode; every module is put back into the mode that it was in."""
    modes = [(module, module.training) for model in models for module in model.modules()]
    try:
        for model in models:
            model.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training


def each_batch(model: nn.Module, loader: Iterable[Any]) -> Iterator[tuple[Tensor, Any]]:
    """Images and labels (None without) of every batch, the images on the network's device.

    A batch is a tensor of images, or a sequence that starts with one. ValueError when none comes.
    """
    place = next(model.parameters(), torch.empty(0)).device
    came = False
    for batch in loader:
        x, *rest = batch if isinstance(batch, (tuple, list)) else (batch,)
        came = True
        yield x.to(place), rest[0] if rest else None
    if not came:
        raise ValueError("No batch came: give a loader with images, such as data.load(...).")


def resolve(model: nn.Module, layers: Sequence[str] | str) -> list[str]:
    """Taps for names and globs, in the order asked for; ValueError names the nearest spelling."""
    asked = [layers] if isinstance(layers, str) else list(layers)
    names = [name for name, _ in model.named_modules() if name]
    taps: list[str] = []
    for pattern in asked:
        stem, colon, side = pattern.partition(":")
        if colon and side != "in":
            raise ValueError(f"{pattern!r} is no tap: after the colon only 'in' (the layer's input) is known.")
        taps += [name + colon + side for name in _match(names, [stem])]
    if repeated := {tap for tap in taps if taps.count(tap) > 1}:
        raise ValueError(f"Layers named more than once: {', '.join(sorted(repeated))}.")
    return taps


def _match(names: list[str], patterns: Sequence[str]) -> list[str]:
    found = []
    for pattern in patterns:
        hits = [name for name in names if fnmatchcase(name, pattern)]
        if not hits:
            close = difflib.get_close_matches(pattern, names, 3, 0.4) or names[:3]
            raise ValueError(f"No layer is called {pattern!r}; the nearest names are {', '.join(close)}.")
        found += hits
    return found


def layers(model: nn.Module, kind: Kind = "block") -> list[str]:
    """Names of a network's taps in forward order.

    block: the output of every residual block. branch: what attention and MLP (or a block's convolutions) add to
    the skip connection. all: per transformer or mixer block the outputs of norm 1, token mixing, the residual
    sum, norm 2, the MLP's hidden layer and the block, and the final norm; in a convolutional network every
    convolution, norm and activation (Raghu et al. 2021, Fig. 1), shortcut projections left out.
    """
    blocks = _blocks(model)
    if kind == "block":
        return blocks
    if kind == "branch":
        return [tap for block in blocks for tap in _branches(model, block)]
    if kind != "all":
        raise ValueError(f"kind is 'block', 'branch' or 'all', got {kind!r}.")
    if all(_mixes_tokens(model.get_submodule(block)) for block in blocks):
        taps = [tap for block in blocks for tap in _six(model, block)]
        return taps + [name for name in ("norm",) if isinstance(getattr(model, name, None), NORMS)]
    kinds = (nn.Conv2d, nn.Linear, *NORMS, *ACTIVATIONS)
    inner = [name for name, m in model.named_modules() if isinstance(m, kinds) and "downsample" not in name]
    return [name for name in inner if not name.startswith(("fc", "head", "classifier"))]


def _blocks(model: nn.Module) -> list[str]:
    found: list[str] = []
    for name, module in model.named_modules():
        kind = type(module).__name__
        inside = any(name.startswith(block + ".") for block in found)
        if ("Block" in kind or "Bottleneck" in kind or "InvertedResidual" in kind) and not inside:
            found.append(name)
    if not found:
        raise ValueError(f"No residual blocks were recognised in {type(model).__name__}: name its layers yourself.")
    return found


def _mixes_tokens(block: nn.Module) -> bool:
    return hasattr(block, "norm2") and (hasattr(block, "attn") or hasattr(block, "mlp_tokens"))


def _mixing(block: nn.Module) -> tuple[str, str]:
    return ("attn", "mlp") if hasattr(block, "attn") else ("mlp_tokens", "mlp_channels")


def _six(model: nn.Module, block: str) -> list[str]:
    mixing, mlp = _mixing(model.get_submodule(block))
    return [f"{block}.{tap}" for tap in ("norm1", mixing, "norm2:in", "norm2", f"{mlp}.act")] + [block]


def _branches(model: nn.Module, block: str) -> list[str]:
    module = model.get_submodule(block)
    if _mixes_tokens(module):
        return [f"{block}.{name}" for name in _mixing(module)]
    norms = [name for name, m in module.named_children() if isinstance(m, NORMS)]
    if not norms:
        raise ValueError(f"The branches of {type(module).__name__} ({block}) are not known: name the layers yourself.")
    return [f"{block}.{norms[-1]}"]


def flat(x: Float[Tensor, "b ..."]) -> Float[Tensor, "b f"]:
    """All features of an image in one row."""
    return x.flatten(1)


def tokens(x: Float[Tensor, "b ..."]) -> Float[Tensor, "b n c"]:
    """Positions by channels, for token sequences (b, n, c) and feature maps (b, c, h, w) alike.

    Swin blocks and the norms of ConvNeXt put channels last, (b, h, w, c): permute those first.
    """
    if x.ndim == 3:
        return x
    if x.ndim == 4:
        return x.flatten(2).transpose(1, 2)
    raise ValueError(f"Expected tokens (b, n, c) or a feature map (b, c, h, w), got shape {tuple(x.shape)}.")


def patches(x: Float[Tensor, "b ..."], prefix: int | None = None) -> Float[Tensor, "b n c"]:
    """Tokens without the prefix (class token, registers); `prefix=None` takes the largest square grid."""
    sequence = tokens(x)
    return sequence[:, (_prefix(sequence.shape[1]) if prefix is None and x.ndim == 3 else prefix or 0) :]


def _prefix(n: int) -> int:
    """Tokens before the largest square grid among n; ValueError when they are more than a class token and a few registers."""
    first = n - isqrt(n) ** 2
    if first > MOST:
        raise ValueError(f"{n} tokens are no square grid after at most {MOST} others: say how many come first (prefix=...).")
    return first


def gap(x: Float[Tensor, "b ..."]) -> Float[Tensor, "b c"]:
    """Mean over positions, the prefix left out."""
    return patches(x).mean(1)


def cls(x: Float[Tensor, "b n c"]) -> Float[Tensor, "b c"]:
    """The first token; ValueError when there is no prefix."""
    if x.ndim != 3 or not _prefix(x.shape[1]):
        raise ValueError(f"No class token in shape {tuple(x.shape)}: expected (b, 1 + grid, c).")
    return x[:, 0]

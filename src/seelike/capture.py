"""Hooks: what any layer of any network gives, without touching the network's code.

- Loud: a misspelt name, a layer that is never called and one that is called twice all raise.
- Safe: what is captured is cloned or reduced inside the hook, before an in-place ReLU can overwrite it.
- Tidy: hooks and switches are put back when the block ends, also when the forward pass raises.

A tap is a module's name (`blocks.3.attn`, globs allowed) or a name with `:in` for the module's input:
`blocks.3.norm2:in` is the residual stream between attention and MLP, which no module returns.

Every tap gives tokens (b, n, c) or a feature map (b, c, h, w). What a network keeps in another order is put into this one,
as a view: maps with channels last (Swin, the norms and MLPs of ConvNeXt) and the token mixing of an MLP-Mixer (b, c, n).
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from itertools import chain
from math import isqrt
from typing import Any, Literal

import torch
from jaxtyping import Float
from timm.layers import GlobalResponseNormMlp, Mlp, RmsNorm, RmsNorm2d, SimpleNorm, SimpleNorm2d
from timm.layers.activations import GELU, GELUTanh, QuickGELU
from timm.models.beit import Block as BeitBlock
from timm.models.convnext import ConvNeXtBlock
from timm.models.eva import EvaBlock
from timm.models.mlp_mixer import MixerBlock
from timm.models.resnest import ResNestBottleneck
from timm.models.resnet import BasicBlock, Bottleneck
from timm.models.resnetv2 import Bottleneck as NormBottleneck
from timm.models.resnetv2 import PreActBasic, PreActBottleneck
from timm.models.swin_transformer import SwinTransformerBlock
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.func import functional_call
from torchvision.models import resnet as torchvision_resnet

from seelike.architectures import BlockWithoutSkips, Nothing
from seelike.cmt import CMTBlock
from seelike.mvit import MultiscaleBlock

Kind = Literal["block", "branch", "all"]
Reduce = Callable[[Tensor], Tensor]

NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm, RmsNorm, RmsNorm2d, SimpleNorm, SimpleNorm2d)  # timm's with an activation are of these
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish, GELU, GELUTanh, QuickGELU)
RESNET = (BasicBlock, Bottleneck, ResNestBottleneck, torchvision_resnet.BasicBlock, torchvision_resnet.Bottleneck)
LAST = (nn.Linear, nn.LayerNorm, RmsNorm, SimpleNorm)  # work on the last dimension, unless they are called ...2d
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
    Raises ValueError for names that match nothing and for the input of a layer that takes none by position, RuntimeError for a
    silent or repeated layer and TypeError for a layer that does not return a tensor.
    """
    taps = resolve(model, layers)
    found: dict[str, Tensor] = {}
    arranged = {tap: _arrangement(model, tap.partition(":")[0]) for tap in taps}

    def keep(tap: str, x: Any) -> None:
        if not isinstance(x, Tensor):
            raise TypeError(f"Layer {tap} gives a {type(x).__name__}, not a tensor: name one of the layers inside it.")
        if tap in found and calls == "once":
            raise RuntimeError(f"Layer {tap} was called twice in one forward pass: pass calls='last', or name another layer.")
        order = arranged[tap]
        found[tap] = reduce(x.permute(order) if order and x.ndim == len(order) else x)

    def enter(tap: str, args: tuple[Any, ...]) -> None:
        if not args:
            raise ValueError(f"Layer {tap} takes no input by position: name the layer that gives it.")
        keep(tap, args[0])

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
                handle = module.register_forward_pre_hook(lambda _, args, tap=tap: enter(tap, args))
            else:
                handle = module.register_forward_hook(lambda _, __, out, tap=tap: keep(tap, out))
            stack.callback(handle.remove)
        stack.callback(model.register_forward_pre_hook(start, prepend=True).remove)
        stack.callback(model.register_forward_hook(finish).remove)
        yield found


def _arrangement(model: nn.Module, name: str) -> tuple[int, ...] | None:
    """The order of dimensions in which a layer's output is (b, n, c) or (b, c, h, w); None where it is so already."""
    module, parent = model.get_submodule(name), model.get_submodule(name.rpartition(".")[0])
    if isinstance(parent, MixerBlock) and name.endswith("mlp_tokens"):
        return 0, 2, 1
    if any("2d" in kind.__name__ or kind in (nn.Dropout, nn.Softmax) for kind in type(module).__mro__):
        return None
    linear = any(isinstance(m, (Mlp, GlobalResponseNormMlp)) and isinstance(m.fc1, nn.Linear) for m in (module, parent))
    last = isinstance(module, LAST) or linear or getattr(model, "output_fmt", None) == "NHWC"
    return (0, 3, 1, 2) if last else None


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


def device_of(model: nn.Module) -> torch.device:
    """Where a network takes its images: the device of its first parameter or buffer; the CPU for one that has neither."""
    return next(chain(model.parameters(), model.buffers()), torch.empty(0)).device


def each_batch(model: nn.Module, loader: Iterable[Any]) -> Iterator[tuple[Tensor, Any]]:
    """Images and labels (None without) of every batch, the images on the network's device.

    A batch is a tensor of images, or a sequence that starts with one. ValueError when none comes.
    """
    place = device_of(model)
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
    the skip connection (`sums`). all: per transformer or mixer block that normalises first the outputs of norm 1, token mixing, the
    residual sum, norm 2, the MLP's hidden layer and the block, and the final norm; in any other network every convolution, linear
    layer, norm and activation that a forward pass calls once (Raghu et al. 2021, Fig. 1), in the order of the calls, a norm and the
    activation inside it as one; shortcut projections and the classifier left out.
    Raises ValueError for a network without residual blocks, and for blocks whose branches are not known.
    """
    if kind == "branch":
        return [branch for _, branch in sums(model)]
    blocks = _blocks(model)
    if kind == "block":
        return blocks
    if kind != "all":
        raise ValueError(f"kind is 'block', 'branch' or 'all', got {kind!r}.")
    if all(_normalises_first(model.get_submodule(block)) for block in blocks):
        taps = [tap for block in blocks for tap in _six(model, block)]
        return taps + [name for name in ("norm",) if isinstance(getattr(model, name, None), NORMS)]
    kinds = (nn.Conv2d, nn.Linear, *NORMS, *ACTIVATIONS)
    left_out = ("fc", "head", "classifier", *(f"{block}.{part}." for block in blocks for part in ("downsample", "shortcut")))
    return _called(model, [name for name in _outermost(model, lambda m: isinstance(m, kinds)) if not f"{name}.".startswith(left_out)])


def sums(model: nn.Module) -> list[tuple[str, str]]:
    """Taps of skip and branch for every residual sum, in forward order: what is added to what.

    In eval mode a block's output is skip + branch, after an activation in a ResNet that is not pre-activated. Blocks without a
    skip connection (`residual.remove_skips`, blocks of an EfficientNet that change size) are left out; ValueError for unknown ones.
    """
    return [pair for name in _blocks(model) for pair in _sums(model.get_submodule(name), name)]


def _sums(block: Any, name: str) -> list[tuple[str, str]]:
    kind = type(block)
    if kind is BlockWithoutSkips or isinstance(getattr(block, "downsample", None), Nothing) or getattr(block, "has_skip", True) is False:
        return []
    projection = "downsample" if getattr(block, "downsample", None) is not None else None
    if kind in (Block, CMTBlock, MixerBlock):
        mixing, mlp = _mixing(block)
        pairs = [("norm1:in", _last(block, mixing, "ls1", "drop_path1")), ("norm2:in", _last(block, mlp, "ls2", "drop_path2"))]
    elif kind in (SwinTransformerBlock, BeitBlock, EvaBlock):  # attend inside windows, or scale by a bare parameter
        pairs = [("norm1:in", "drop_path1"), ("norm2:in", "drop_path2")]
    elif kind is MultiscaleBlock:
        pairs = [("norm1:in" if block.pool_skip is None else "pool_skip", "attn")]
        if block.widen is not None or block.mlp.fc1.in_features == block.mlp.fc2.out_features:
            pairs.append(("norm2:in" if block.widen is None else "widen", "mlp"))
    elif kind is ConvNeXtBlock:
        pairs = [("shortcut", "drop_path")]
    elif hasattr(block, "has_skip"):
        skip = "norm:in" if getattr(block, "conv_cpe_dw", None) is not None else ":in"
        pairs = [(skip, _last(block, "bn1", "bn2", "bn3", "attn", "pw_proj", "dw_end", "layer_scale", "drop_path"))]
    elif kind in (PreActBasic, PreActBottleneck):
        pairs = [(projection or "norm1:in", _last(block, "conv2", "conv3", "drop_path"))]
    elif kind is NormBottleneck:
        pairs = [(projection or "conv1:in", _last(block, "norm3", "drop_path"))]
    elif kind in RESNET:
        pairs = [(projection or "conv1:in", _last(block, "bn2", "bn3", "se", "drop_path"))]
    else:
        raise ValueError(
            f"The skip connections of {kind.__name__} ({name}) are not known: expected blocks of a ViT, Swin, Mixer, ResNet, ConvNeXt or "
            "EfficientNet; name the layers yourself."
        )
    return [(name + skip if skip == ":in" else f"{name}.{skip}", f"{name}.{branch}") for skip, branch in pairs]


def _last(block: nn.Module, *parts: str) -> str:
    """The last of these parts that a block has and that does something."""
    real = [part for part in parts if not isinstance(getattr(block, part, None), (nn.Identity, type(None)))]
    return real[-1]


def _outermost(model: nn.Module, chosen: Callable[[nn.Module], bool]) -> list[str]:
    """Names of the modules that are chosen and lie in no other that is, in the order of registration."""
    found: list[str] = []
    for name, module in model.named_modules():
        if name and chosen(module) and not (found and name.startswith(found[-1] + ".")):
            found.append(name)
    return found


def _is_block(module: nn.Module) -> bool:
    name = type(module).__name__
    return hasattr(module, "has_skip") or any(
        word in name for word in ("Block", "Bottleneck", "Bottle2neck", "PreActBasic", "InvertedResidual")
    )


def _blocks(model: nn.Module) -> list[str]:
    found = _outermost(model, _is_block)
    if not found:
        raise ValueError(f"No residual blocks were recognised in {type(model).__name__}: name its layers yourself.")
    return found


def _called(model: nn.Module, names: Sequence[str]) -> list[str]:
    """Those of the modules that a forward pass calls exactly once, in the order of the calls.

    Found by a forward pass of one image over weights on the meta device: it has shapes but no numbers, takes milliseconds
    and leaves the network as it was. The image has the size of timm's settings, else 64 or 224 pixels a side.
    """
    calls: list[str] = []
    tensors = {name: t.to("meta") for name, t in chain(model.named_parameters(), model.named_buffers())}
    stem = next((m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Conv3d))), None)
    colours = 3 if stem is None else stem.in_channels
    precision = next((t.dtype for t in tensors.values() if t.is_floating_point()), torch.float32)
    settings = getattr(model, "pretrained_cfg", None) or {}
    sides = dict.fromkeys([tuple(settings.get("input_size", (3, 64, 64)))[1:], (64, 64), (224, 224)])
    failed: Exception | None = None
    with listening(model), torch.no_grad(), ExitStack() as stack:
        for name in names:
            handle = model.get_submodule(name).register_forward_hook(lambda *_, name=name: calls.append(name))
            stack.callback(handle.remove)
        for side in sides:
            calls.clear()
            try:
                functional_call(model, tensors, (torch.empty(1, colours, *side, dtype=precision, device="meta"),))
                return [name for name, times in Counter(calls).items() if times == 1]
            except Exception as error:  # a network may reject a size by an error of any type
                failed = error
    raise ValueError(
        f"The order in which {type(model).__name__} calls its layers could not be found ({failed}): name its layers yourself."
    ) from failed


def _mixing(block: nn.Module) -> tuple[str, str]:
    return ("mlp_tokens", "mlp_channels") if hasattr(block, "mlp_tokens") else ("attn", "mlp")


def _normalises_first(block: nn.Module) -> bool:
    """Whether a block mixes tokens and then channels, each after a norm: timm registers a norm before what it precedes."""
    mixing, mlp = _mixing(block)
    parts = [name for name, _ in block.named_children()]
    return all({norm, part} <= set(parts) and parts.index(norm) < parts.index(part) for norm, part in (("norm1", mixing), ("norm2", mlp)))


def _six(model: nn.Module, block: str) -> list[str]:
    mixing, mlp = _mixing(model.get_submodule(block))
    return [f"{block}.{tap}" for tap in ("norm1", mixing, "norm2:in", "norm2", f"{mlp}.act")] + [block]


def flat(x: Float[Tensor, "b ..."]) -> Float[Tensor, "b f"]:
    """All features of an image in one row."""
    return x.flatten(1)


def tokens(x: Float[Tensor, "b ..."]) -> Float[Tensor, "b n c"]:
    """Positions by channels, for token sequences (b, n, c) and feature maps (b, c, h, w) alike.

    ValueError for a map that shows by its shape (b, side, side, c) that channels are last: `capture` gives no such map of the
    networks that it knows.
    """
    if x.ndim == 3:
        return x
    if x.ndim != 4:
        raise ValueError(f"Expected tokens (b, n, c) or a feature map (b, c, h, w), got shape {tuple(x.shape)}.")
    if x.shape[1] == x.shape[2] != x.shape[3]:
        raise ValueError(f"Shape {tuple(x.shape)} looks like a map with channels last: expected (b, c, h, w), so permute it first.")
    return x.flatten(2).transpose(1, 2)


def patches(x: Float[Tensor, "b ..."], prefix: int | None = None) -> Float[Tensor, "b n c"]:
    """Tokens without the prefix (class token, registers); `prefix=None` takes the largest square grid."""
    sequence = tokens(x)
    return sequence[:, (grid(sequence.shape[1])[1] if prefix is None and x.ndim == 3 else prefix or 0) :]


def grid(n: int, prefix: int | None = None) -> tuple[int, int]:
    """Side of the square grid among n tokens, and the number of tokens before it.

    prefix: how many these are; None takes the largest grid, with a class token and a few registers before it at most. ValueError for
    tokens that make no such grid.
    """
    side = isqrt(max(n - (prefix or 0), 0))
    first = n - side**2
    if prefix is None and (first > MOST or not side):
        raise ValueError(f"{n} tokens are no square grid after at most {MOST} others: say how many come first (prefix=...).")
    if prefix is not None and (prefix < 0 or first != prefix or not side):
        raise ValueError(f"{n} tokens with a prefix of {prefix} make no square grid: expected prefix + side x side.")
    return side, first


def gap(x: Float[Tensor, "b ..."]) -> Float[Tensor, "b c"]:
    """Mean over positions, the prefix left out."""
    return patches(x).mean(1)


def cls(x: Float[Tensor, "b n c"]) -> Float[Tensor, "b c"]:
    """The first token; ValueError when there is no prefix."""
    if x.ndim != 3 or not grid(x.shape[1])[1]:
        raise ValueError(f"No class token in shape {tuple(x.shape)}: expected (b, 1 + grid, c).")
    return x[:, 0]

"""Drawings of what a block is made of, with the places where the book listens; in the inks of the house style."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from seelike.plots import COLOURS, INK

TAP = "#d55e00"


def vit_block(ax: Axes) -> None:
    """A pre-norm transformer block: the stream at the bottom, two branches above it, six taps (capture.layers, "all")."""
    _stream(ax, 11.2, "residual stream: 65 tokens of 96 numbers")
    _branch(ax, (0.6, 5.2), {"norm": 1, "attention": 2}, "mixes tokens")
    _branch(ax, (5.8, 10.4), {"norm": 4, "hidden": 5}, "each token alone")
    _tap(ax, 5.5, 0, 3)
    _tap(ax, 10.75, 0, 6)
    ax.set_title("A block of a ViT", loc="left")


def resnet_block(ax: Axes) -> None:
    """A basic residual block: two convolutions between additions, and the activation that the skip passes."""
    _stream(ax, 11.2, "maps: channels x height x width")
    _branch(ax, (0.6, 8.6), {"conv 3x3": 1, "norm, ReLU": 2, "conv 3x3, norm": 3}, "mixes neighbours")
    _box(ax, 9.6, 0, "ReLU", COLOURS["resnet"])
    _tap(ax, 10.5, 0, 4)
    ax.set_title("A block of a ResNet", loc="left")


def _stream(ax: Axes, end: float, words: str) -> None:
    ax.add_patch(FancyArrowPatch((0, 0), (end, 0), arrowstyle="-|>", mutation_scale=14, lw=2.4, color=INK))
    ax.text(0, -0.75, words, fontsize=9, color=INK, va="top")
    ax.set(xlim=(-0.2, 11.4), ylim=(-1.3, 3.1))
    ax.set_aspect("equal")
    ax.set_axis_off()


def _branch(ax: Axes, ends: tuple[float, float], parts: dict[str, int], words: str) -> None:
    """Up from the stream, through some parts, each with its tap behind it, and down again into a sum."""
    start, end = ends
    colour = COLOURS["vit_cls"] if "attention" in parts or "hidden" in parts else COLOURS["resnet"]
    height, inside = 1.7, [start + (i + 0.5) * (end - start) / len(parts) for i in range(len(parts))]
    ax.plot([start, start, end, end], [0, height, height, 0.22], color=colour, lw=1.6, zorder=0)
    for at, (part, tap) in zip(inside, parts.items(), strict=True):
        _box(ax, at, height, part, colour)
        _tap(ax, min(at + (end - start) / len(parts) / 2 - 0.05, end), height, tap)
    ax.plot(end, 0, "o", ms=15, mfc="white", mec=INK, zorder=2)
    ax.text(end, 0, "+", ha="center", va="center", fontsize=12, color=INK, zorder=3)
    ax.text((start + end) / 2, height + 0.85, words, ha="center", fontsize=9, color=colour)


def _box(ax: Axes, x: float, y: float, words: str, colour: object) -> None:
    width = 0.16 * len(words) + 0.35
    ax.add_patch(FancyBboxPatch((x - width / 2, y - 0.3), width, 0.6, boxstyle="round,pad=0.05", fc="white", ec=colour, lw=1.5, zorder=2))
    ax.text(x, y, words, ha="center", va="center", fontsize=9, color=INK, zorder=3)


def _tap(ax: Axes, x: float, y: float, number: int) -> None:
    """A place where the book listens."""
    ax.plot(x, y, "o", ms=11, color=TAP, zorder=4)
    ax.text(x, y, str(number), ha="center", va="center", fontsize=8, color="white", zorder=5)

"""A chapter's book-keeping, so that what a chapter shows is its method: images, cast, figures' provenance, and what it records.

`book = Chapter("03", tier)` opens it. A cell whose first line is `# needs: vit_gap, truth` runs only where the tier has all of that;
elsewhere one sentence (and where a figure stood, a small figure with it, so that numbers and references stay) takes its place.
`any` before a name asks that a variable of the chapter is not empty: `# needs: vit_cls, any ratios`, where `ratios` was `measured`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import matplotlib.pyplot as plt
from IPython import get_ipython
from IPython.display import Markdown, display
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from torch import nn

from seelike import claims, data, ledger, models, plots, tiers
from seelike.answers import Answers
from seelike.images import Images, ImageStream
from seelike.intervals import Estimate
from seelike.tiers import Tier

S = TypeVar("S")
T = TypeVar("T")
BATCHES = 8  # at least, for an interval over images
PER_CLASS = 30  # images to draw, so that ten shots of it are among them
ASKED = 6  # batches, at least, of the images that a probe is asked about
NEEDS = re.compile(r"\s*#\s*needs:\s*(.+?)\s*$")
MEANING = {
    "truth": "images in which shape, texture and mask of the object are known",
    "labels": "images with labels",
    "zoo": "networks that were trained for this book, with their cards",
    "vit_cls": "a ViT with a class token (role vit_cls)",
    "vit_gap": "a ViT with average pooling (role vit_gap)",
    "resnet": "a convolutional network (role resnet)",
    "mixer": "an MLP-Mixer (role mixer)",
    "vit_middle_skipless": "a ViT that was trained without the skip connections of its middle block (role vit_middle_skipless)",
    "vit_small_data_100": "ViTs of two widths that were trained on 3 to 1000 % of a base set (roles vit_data_*, vit_small_data_*)",
    "vit_small_data_1000": "ViTs of two widths that were trained on the same scenes (roles vit_data_1000, vit_small_data_1000)",
    "vit_to_texture": "ViTs that were fine-tuned to other questions (roles vit_to_*)",
    "any pairs": "two networks on which it can be measured",
    "any peers": "at least eight networks that learned one question",
}
MEASURED = "a network on which it can be measured"


class Recorded(NamedTuple):
    """What another tier recorded in this chapter: the tier, and its sections of numbers."""

    tier: Tier
    sections: dict[str, Any]

    def label(self, name: str) -> str:
        """What a network of that tier (`vit_cls-0`, `untrained resnet`) is called in a figure."""
        role = name.removeprefix("untrained ").partition("-")[0]
        own = next((n.label for n in self.tier.networks or () if n.role == role and n.label), "")
        return own + (", untrained" if name.startswith("untrained") else "") if own else plots.label(name)


class Chapter:
    """One chapter at one tier.

    number: as in the ledger ("03"). tier: a name, or the path of a cast file. ValueError for a tier that there is not.
    """

    def __init__(self, number: str, tier: str | Tier) -> None:
        self.number, self.tier = number, tiers.get(tier)
        self.seeds: list[int] = []
        plots.style()
        plots.LABELS.update({n.role: n.label for n in self.tier.networks or () if n.label})
        if shell := get_ipython():
            own = [t for t in shell.input_transformers_cleanup if not isinstance(getattr(t, "__self__", None), Chapter)]
            shell.input_transformers_cleanup[:] = [*own, self._guard]

    def has(self, *what: str) -> bool:
        """Whether the tier has all of some roles, `truth` (shape, texture and mask known), `labels`, or the `zoo`'s cards.

        `any <name>`: whether the chapter's variable of this name is there and not empty.
        """
        return not self.missing(what)

    def missing(self, what: Sequence[str]) -> list[str]:
        """Those of some needs that the tier lacks."""
        held = {"truth": self.tier.truth, "zoo": self.tier.trained_here, "labels": self.tier.classes > 0}
        held |= {need: bool(_variables().get(need.removeprefix("any "))) for need in what if need.startswith("any ")}
        return [need for need in what if not (held[need] if need in held else models.roles(self.tier).get(need))]

    def _guard(self, lines: list[str]) -> list[str]:
        """Cells with unmet needs become a sentence (an input transformer of IPython, which may call it more than once a cell)."""
        needs = NEEDS.match(lines[0]) if lines else None
        lacking = self.missing([need.strip() for need in needs[1].split(",")]) if needs else []
        if not lacking:
            return lines
        drawn = any("sign(" in line for line in lines)
        return [f"__import__('seelike.chapter').chapter.absent({self.lacks(lacking)!r}, figure={drawn})\n"]

    def lacks(self, what: Sequence[str]) -> str:
        """The sentence that stands where something was left out."""
        if all(w.startswith("any recorded") for w in what):
            return f"Not shown: nothing of this was recorded at other tiers than {self.tier.title}."
        have = ", ".join(models.roles(self.tier)) or "no networks"
        named = [w for w in what if not w.startswith("any ")] or [*what]  # without a network there is nothing to measure either
        meant = dict.fromkeys(MEANING.get(w, MEASURED if w.startswith("any ") else f"the network {w}") for w in named)
        return f"Not shown: this part needs {' and '.join(meant)}; {self.tier.title} has {have}."

    def images(self, n: int, seed: int, *, split: str = "test", batch_size: int = data.BATCH) -> Images | ImageStream:
        """Images of the tier in batches of one size, at least eight of them; all that there are where they are fewer than n.

        A cast may say that a chapter takes fewer (`Tier.most`).
        """
        chosen = self._at_most(n, seed, split)
        size = max(min(batch_size, len(chosen) // BATCHES), 4)
        return chosen.with_batches(size, drop_last=len(chosen) % size > 0)

    def probe(self, shown: int, asked: int, seeds: tuple[int, int]) -> tuple[Images | ImageStream, Images | ImageStream]:
        """Images that probes are fitted to, and others that they are asked about, in batches of one size (`data.probe`).

        Where we trained the networks, more than `shown` if that is needed to find ten of every class.
        """
        enough = PER_CLASS * self.tier.classes if self.tier.trained_here else 0
        shots, test = data.probe(self.tier, max(shown, enough), asked, seeds)
        size = max(min(data.BATCH, len(test) // ASKED), 1)
        return shots, test.with_batches(size, drop_last=len(test) % size > 0)

    def _at_most(self, n: int, seed: int, split: str) -> Images | ImageStream:
        n = min(n, self.tier.most.get(self.number, n))
        if not self.tier.trained_here and not self.tier.truth:
            whole = len(data.load(self.tier, split))
            if whole < n:
                print(f"{self.tier.title} has {whole} images: all of them are taken instead of {n}.")
            n = min(n, whole)
        return data.load(self.tier, split, n, seed)

    @property
    def added(self) -> list[str]:
        """Roles of somebody's own cast that no chapter asks for by name."""
        return [] if self.tier.trained_here else [role for role in models.roles(self.tier) if role not in ROLES]

    def cast(self, *roles: str, untrained: Sequence[str] = ()) -> dict[str, nn.Module]:
        """Networks by `<role>-<seed>`: all seeds of some roles and of the roles that somebody's own cast adds; then `untrained <role>`."""
        chosen = models.cast(list(dict.fromkeys([*roles, *self.added])), self.tier)
        return chosen | {f"untrained {role}": models.untrained(role, self.tier) for role in untrained if self.has(role)}

    def shown(self, cast: Mapping[str, nn.Module], *roles: str) -> list[str]:
        """Names of networks for a figure with little room: one of each of some roles (of somebody's own cast, of all), and the controls."""
        wanted = roles if self.tier.trained_here else [name.rpartition("-")[0] for name in cast]
        first = {name.rpartition("-")[0]: name for name in reversed(list(cast)) if not name.startswith("untrained")}
        return [first[role] for role in dict.fromkeys(wanted) if role in first] + [name for name in cast if name.startswith("untrained")]

    def measured(self, f: Callable[[S], T], cast: Mapping[str, S]) -> dict[str, T]:
        """A measure of every network (or of what was found in it) that it takes; of the others it says why not (its ValueError)."""
        taken: dict[str, T] = {}
        refused: dict[str, list[str]] = {}
        for name, model in cast.items():
            try:
                taken[name] = f(model)
            except ValueError as error:
                refused.setdefault(str(error), []).append(plots.label(name))
        for reason, names in refused.items():
            display(Markdown(f"*Left out: {'; '.join(dict.fromkeys(names))}. {reason}*"))
        return taken

    def pairs(self, *roles: str, among: Container[str] | None = None) -> list[tuple[str, ...]]:
        """Names of one network of each role, for every seed that all of them have: (`vit_cls-0`, `resnet-0`), ...

        among: names of the networks that could be measured; seeds of others are left out.
        """
        named = {seed: tuple(f"{role}-{seed}" for role in roles) for seed in models.shared_seeds(roles, self.tier)}
        named = {seed: names for seed, names in named.items() if among is None or all(name in among for name in names)}
        self.seeds = list(named)
        return list(named.values())

    def decide(
        self,
        claim: str,
        seeds: claims.Seeds | Mapping[str, claims.Seeds],
        *,
        images: int,
        control: claims.Seeds = (),
        testable: claims.Seeds = (),
    ) -> Answers | None:
        """Enter a claim's statistic, from each seed on the same batches of images (`claims.decide`); without one, nothing."""
        some = all(seeds.values()) if isinstance(seeds, Mapping) else seeds
        return claims.decide(claim, self.tier, seeds, images=images, control=control, testable=testable) if some else None

    def record(self, claim: str, value: Estimate | Mapping[str, Estimate], **about: Any) -> Answers:
        """Enter a claim's estimate (`claims.record`)."""
        return claims.record(claim, self.tier, value, **about)

    def keep(self, **sections: Mapping[str, Any]) -> None:
        """Keep sections of numbers for other pages, with the provenance of this run."""
        settings = {"provenance": plots.provenance(self.tier.title, self.seeds)} | dict(sections.pop("settings", {}))
        claims.keep(self.number, self.tier, {**sections, "settings": settings})

    def table(self, tier: str | Tier | None = None) -> Styler:
        """The chapter's claims that were decided at its own tier, or at another."""
        return claims.chapter(self.number, tier or self.tier)

    def panel(self, claim: str, tier: str | Tier | None = None) -> None:
        """Draw a claim's other analyses (`seelike.panels`), as recorded at the chapter's tier (or another), around its number."""
        where = tier or self.tier
        title = "Published numbers" if where == claims.DATA else tiers.get(where).title
        analyses = claims.panel(claim, where)
        if not analyses:
            absent(f"Not shown: no other analyses of {claim} were recorded at {title}.", figure=True)
            return
        entry = claims.recorded_of(claim, where)
        plots.sign(
            plots.specification(ledger.get(claim), analyses, entry.interval() if entry else None),
            f"{title} · {len(analyses)} analyses, recorded by python -m seelike.panels",
        )

    def recorded(self, section: str) -> list[Recorded]:
        """The other tiers that recorded a section of numbers in this chapter, and all that they recorded."""
        held = [Recorded(tiers.get(name), claims.results(name, self.number)) for name in claims.recorded() if name != self.tier.name]
        return [r for r in held if section in r.sections]

    def tables(self, recorded: Sequence[Recorded]) -> None:
        """Show the chapter's claims that were decided at other tiers, a table each."""
        for other, _ in recorded:
            display(Markdown(f"**{other.title}**, recorded. {other.note}"), self.table(other))

    def sign(self, fig: Figure, seeds: Sequence[int] | None = None, *, recorded: Sequence[Recorded] = ()) -> None:
        """Write under a figure what it was made from (or what was recorded with its numbers), and show it."""
        lines = [f"recorded: {r.sections['settings']['provenance']}" for r in recorded]
        plots.sign(fig, "\n".join(lines or [plots.provenance(self.tier.title, self.seeds if seeds is None else seeds)]))


ROLES = {"vit_cls", "vit_gap", "resnet", "mixer", "cmt", "mvit"}  # that chapters ask for by name


def _variables() -> dict[str, Any]:
    """The chapter's variables, as far as its cells have run."""
    shell = get_ipython()
    return shell.user_ns if shell else {}


def absent(sentence: str, *, figure: bool) -> None:
    """Show what stands in the place of a cell that could not run; once, where several in a row say the same."""
    global _last  # of the kernel's cells
    count = getattr(get_ipython(), "execution_count", 0)
    repeated, _last = _last == (count - 1, sentence), (count, sentence)
    if figure:
        ax = plt.subplots(figsize=(6.5, 0.8), layout="none")[1]
        ax.text(0, 0.5, sentence, color=plots.INK, va="center", wrap=True, fontsize=9)
        ax.set_axis_off()
        plt.show()
    elif not repeated:
        plain = re.sub(r"([*_])", r"\\\1", sentence)  # names are no emphasis
        display(Markdown(f"*{plain}*"))


_last = (0, "")

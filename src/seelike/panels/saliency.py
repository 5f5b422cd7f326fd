"""Other analyses of what explanations find (L20-3 and L20-5), from the recorded study of `seelike.backdoors`: seconds, not minutes.

| choice   | values                                                                                                         |
|----------|----------------------------------------------------------------------------------------------------------------|
| score    | L20-3: whole trigger in the box (best method by this, or by IoU with the paper's or other thresholds), or      |
|          | among the marked pixels; L20-5: IoU of boxes at the same two kinds of thresholds, average precision, pointing  |
| baseline | what hides pixels in black-box methods: grey, as in the paper, or the blurred image                            |
| maps     | of guided methods: with their sign, as in the paper, or absolute                                               |
| networks | ResNet, as in the paper, or ViT, which has no guided methods                                                   |
| LIME     | after the paper's (quickshift, ridge, probability), or captum's with SLIC, lasso and the logit                 |

Best thresholds are chosen with the best method, on the half of the images on which it is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from seelike.backdoors import BLACK_BOX, PANEL_IMAGES, THRESHOLDS, Study, Values, ahead, of_winner, split
from seelike.intervals import bounded, estimate
from seelike.panels import Found
from seelike.tiers import Tier

WHOLE = {
    "whole trigger in the box": ("whole", "whole", False),
    "whole trigger in the box, best IoU": ("iou", "whole", False),
    "whole trigger in the box, best IoU and threshold": ("iou", "whole", True),
    "whole trigger among marked pixels": ("covered", "covered", False),
}  # what a method is chosen by, what it is judged by, whether with thresholds of our own
AHEAD = {
    "IoU": ("iou", False),
    "IoU, best thresholds": ("iou", True),
    "average precision": ("precision", False),
    "pointing game": ("pointing", False),
}
FAMILIES = {"ResNet": "resnet", "ViT": "vit"}
LIMES = {"after the paper's": "LIME", "captum's": "LIME, SLIC"}


def candidates(baseline: str, maps: str, family: str, lime: str) -> dict[str, bool]:
    """The methods that compete in an analysis, as `seelike.saliency` calls them; whether each is a black-box method."""
    behind, size = (", blur" if baseline == "blur" else ""), (", absolute" if maps == "absolute" else "")
    guided = [] if family == "ViT" else [f"guided backprop{size}", f"guided Grad-CAM{size}"]
    others = ["gradient", "Grad-CAM", *guided]
    black = [f"{name}{behind}" for name in BLACK_BOX if name != "LIME"] + [f"{LIMES[lime]}{behind}"]
    return {name: False for name in others} | {name: True for name in black}


def analyses(tier: str | Tier, n_images: int = PANEL_IMAGES) -> Iterator[Found]:
    """Every analysis of L20-3 and L20-5. n_images: of each network, at most."""
    study = Study(tier)

    def values(host: str, score: str, methods: list[str], best: bool) -> Values:
        """A score of some methods, each also at other thresholds (best)."""
        asked = methods + ([f"{name}@{at}" for name in methods for at in THRESHOLDS] if best else [])
        return study.values(host, score, asked, most=n_images)

    kinds = product(("grey", "blur"), ("signed", "absolute"), FAMILIES, LIMES)
    for baseline, maps, family, lime in kinds:
        if family == "ViT" and maps == "absolute":
            continue  # no guided methods, no signs
        black_box, host = candidates(baseline, maps, family, lime), FAMILIES[family]
        choices = {"baseline": baseline, "maps": maps, "networks": family, "LIME": lime}
        for score, (chosen, judged, best) in WHOLE.items():
            pair = (values(host, key, list(black_box), best) for key in (chosen, judged))
            yield Found("L20-3", {"score": score} | choices, bounded(estimate([split(of_winner, *pair)])), 12)
        for score, (key, best) in AHEAD.items():
            groups = ([name for name, black in black_box.items() if black == wanted] for wanted in (True, False))
            pair = (values(host, key, names, best) for names in groups)
            yield Found("L20-5", {"score": score} | choices, estimate([split(ahead, *pair)]), 12)

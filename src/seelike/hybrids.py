"""Transformers with something of a convolutional network: CMT (`seelike.cmt`) and MViT (`seelike.mvit`), which timm does not have."""

from seelike.cmt import CMT, CMTS
from seelike.mvit import MVITS, MViT

__all__ = ["CMT", "CMTS", "MVITS", "MViT"]

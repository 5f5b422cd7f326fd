"""Do vision transformers see like convolutional networks? The helper package of the book."""

__version__ = "0.1.0"

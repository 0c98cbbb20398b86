"""Several small GANs of equal networks trained as one model, beside the ordinary loop."""

from ganwise.stacked.engine import train_together

__all__ = ["train_together"]

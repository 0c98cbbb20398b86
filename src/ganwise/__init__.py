"""ganwise finds, trains and proves the right GAN for an application."""

__version__ = "0.1.0"

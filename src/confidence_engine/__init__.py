"""Confidence Engine: the gap between narrative and price, as a number that knows how sure it is."""

__all__ = ["__version__"]

__version__ = "0.1.0"

"""Trains what the package ships; needs the extra `learn`, which nothing needs at run time."""

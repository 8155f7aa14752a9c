"""Cuts published scenes into training tiles: ``python -m training.prepare``."""

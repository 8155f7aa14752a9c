"""Tiles, the Open Cities AI Challenge, downloads and the cache of web data."""

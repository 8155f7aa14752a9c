"""Masks against reference buildings: diagnosis, scores, sweeps, reports, the benchmark."""

"""Engines that map work over many jobs: in processes of this machine, or on a cluster by Dask or Ray."""

"""Sliding-window segmentation of images and whole scenes, under each strategy."""

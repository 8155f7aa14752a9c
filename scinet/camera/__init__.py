"""Cameras: how the height above the ground and the ground resolution follow from one another."""

"""A generated town, whose reference is exact at any resolution."""

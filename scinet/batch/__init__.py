"""Many scenes in one run: which ones, where their results go, and what became of each."""

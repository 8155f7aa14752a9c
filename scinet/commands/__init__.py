"""The commands of ``python -m scinet``, a module each; `options` has what they share."""

"""The parts of the page Checkpoints: facts side by side, training curves, adding a model of one's own."""

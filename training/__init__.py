"""What produces the checkpoints: the recipe, the data, the loop. Imports scinet; scinet never imports it."""

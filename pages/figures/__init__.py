"""The parts of the page Benchmark: what is chosen, the paper's figures and tables, the tiles behind a point."""

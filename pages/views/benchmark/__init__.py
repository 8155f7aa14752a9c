"""The parts of the page Benchmark."""

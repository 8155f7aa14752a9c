"""The parts of the page Explore: where images come from, the runs, the map, the panels."""

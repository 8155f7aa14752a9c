"""The parts of each page, one folder per page."""

"""Building footprints: read, traced from masks, regularized, written."""

"""Images on the ground: safe opening, resolution, resampling, streams of rows, GeoTIFF."""

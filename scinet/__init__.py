"""Building masks from aerial images at any ground resolution, and an account of their errors.

The way of the data, each step one call::

    raster = read_raster("tile.tif")                        # scinet.raster
    model = load_model("sci-net")                           # scinet.checkpoint
    working = resample(raster, cm_per_px=10)                # scinet.raster
    probability = segment(working, model)                   # scinet.segment
    report = diagnose(truth, probability > 0.5)             # scinet.diagnose
"""

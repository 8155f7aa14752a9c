"""Building masks from aerial images at any ground resolution, and an account of their errors.

The way of the data, each step one call::

    raster = read_raster("tile.tif")                        # scinet.raster.raster
    model = load_model("sci-net")                           # scinet.models.checkpoint
    working = resample(raster, cm_per_px=10)                # scinet.raster.raster
    probability = segment(working, model)                   # scinet.segmentation.strategies
    report = diagnose(truth, probability > 0.5)             # scinet.evaluation.diagnose
"""

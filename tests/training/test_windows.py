import numpy as np
import pytest

from scinet.models.checkpoint import load_model
from training import windows
from training.windows import Way


@pytest.mark.slow
def test_halls_are_measured_in_each_way(random_checkpoints, monkeypatch):
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))
    grounds = list(windows.halls([40.0], [1]))
    (ground,) = grounds
    assert ground.hall.any() and (ground.building | ~ground.hall).all()
    hall_m2 = ground.hall.sum() * ground.raster.pixel_area_m2
    assert float(ground.name.split()[2]) == pytest.approx(hall_m2, rel=0.05) and hall_m2 > 1500
    table = windows.measure(load_model("unet"), iter(grounds), (Way(), Way(100.0), Way(scale=0.5)))
    assert table["least_window_m"].tolist() == [0, 100, 0]
    assert table["window_m"][1] > table["window_m"][0]  # the reduced image is smaller than one window
    assert table["pixels_per_px"][2] < table["pixels_per_px"][0]
    assert np.isfinite(table["micro_iou"]).all() and table["hall"].between(0, 1).all()

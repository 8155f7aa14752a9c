"""Flying heights and the band of the target on Explore's slider."""

import numpy as np
from streamlit.testing.v1 import AppTest

from pages.views.explore.band import slider_style
from scinet.evaluation.target import Target, verdict
from scinet.share.pictures import GREEN, VERMILION


def text(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.get("html"))


def even(share: float) -> np.ndarray:
    return np.tile([100.0, 100 * share, 100 * share, 1, 1, 1, 1, 1], (16, 1))


def test_the_band_changes_colour_between_the_steps_of_the_slider() -> None:
    found = verdict("UNet", {10: even(0.9), 20: even(0.8), 40: even(0.3)}, Target("iou", 0.7), native_cm_per_px=10)
    rule = slider_style(found, [5, 10, 20, 40, 80])
    assert f"transparent 0.0% 12.5%, {GREEN} 12.5% 37.5%, {GREEN} 37.5% 62.5%, {VERMILION} 62.5% 87.5%" in rule
    assert rule.index("transparent 87.5% 100.0%") > 0


def test_explore_tells_the_height_of_a_camera_and_the_verdict_of_a_sweep(app: AppTest) -> None:
    app.query_params["steps"] = ["10 cm/px native", "16 cm/px"]
    app.query_params["density"] = "Fine"
    app.switch_page("pages/sweep.py").run()
    app.button(key="run").click().run()
    app.switch_page("pages/explore.py").run()
    assert not app.exception
    assert "linear-gradient" in text(app) and "your target" in text(app)
    app.selectbox(key="camera").set_value("DJI Phantom 4 RTK").run()
    assert "10 cm/px is a flying height of 360 m with DJI Phantom 4 RTK." in text(app)

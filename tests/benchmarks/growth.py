"""How time and memory grow with scene size and number of buildings: ``python -m tests.benchmarks.growth``.

Scenes of 1 to 1,600 megapixels are segmented from file to mask and footprints with a network that sees a single pixel,
which leaves everything but the forward passes. Masks with sides of 10,000 px and 100 to 90,000 buildings are diagnosed.
Each runs in a separate process. Prints a table and draws growth.webp next to this file (with chromium).
"""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from pathlib import Path

import plotly.graph_objects as go
from PIL import Image
from playwright.sync_api import sync_playwright
from plotly.subplots import make_subplots

from scinet.evaluation.diagnose import diagnose
from tests.benchmarks import diagnose as masks
from tests.benchmarks import scene
from tests.benchmarks.peak import Peak
from tests.pages.serve import CHROMIUM, CHROMIUM_ARGS

SIDES_PX = (1_000, 2_000, 5_000, 10_000, 20_000, 40_000)
BUILDINGS_PER_SIDE = (10, 30, 100, 300)
MASK_SIDE_PX = 10_000
Point = tuple[float, float, float]  # size, seconds, MB


def whole_scene(side_px: int) -> Point:
    _, seconds, peak_mb = scene.measure(scene.dark(), side_px, side_px, share=0.7)
    return side_px**2 / 1e6, seconds, peak_mb


def diagnosis(buildings_per_side: int) -> Point:
    truth, prediction = masks.scene(MASK_SIDE_PX, buildings_per_side)
    began = time.perf_counter()
    with Peak() as peak:
        found = diagnose(truth, prediction, pixel_area_m2=0.01)
    return len(found.buildings.kind), time.perf_counter() - began, peak.megabytes


def draw(scenes: list[Point], diagnoses: list[Point]) -> go.Figure:
    titles = ("Scene, megapixels", "Mask of 100 megapixels, buildings")
    figure = make_subplots(rows=2, cols=2, column_titles=titles, row_titles=("seconds", "peak MB"))
    for column, points in enumerate((scenes, diagnoses), 1):
        sizes, seconds, megabytes = zip(*points, strict=True)
        for row, (values, text) in enumerate(((seconds, "%{y:.2~f}"), (megabytes, "%{y:,.0f}")), 1):
            figure.add_scatter(
                x=sizes,
                y=values,
                row=row,
                col=column,
                mode="lines+markers+text",
                texttemplate=text,
                textposition="top center",
                cliponaxis=False,
                line={"color": "#1f77b4"},
                showlegend=False,
            )
    figure.update_xaxes(type="log", dtick=1, tickformat=",")
    figure.update_yaxes(type="log", dtick=1, tickformat=",", row=1)
    figure.update_yaxes(rangemode="tozero", row=2)
    return figure.update_layout(template="plotly_white", width=1000, height=600, margin={"t": 60})


def save(figure: go.Figure, path: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        page = browser.new_page(viewport={"width": 1000, "height": 600})
        page.set_content(figure.to_html(include_plotlyjs="inline", config={"displayModeBar": False}))
        page.locator(".main-svg").first.wait_for()
        picture = page.locator(".plotly-graph-div").screenshot()
        browser.close()
    Image.open(BytesIO(picture)).save(path, "WEBP", quality=85)


def main() -> None:
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as processes:
        scenes = list(processes.map(whole_scene, SIDES_PX))
        diagnoses = list(processes.map(diagnosis, BUILDINGS_PER_SIDE))
    for unit, points in (("megapixels", scenes), ("buildings", diagnoses)):
        for size, seconds, peak_mb in points:
            print(f"{size:9,.0f} {unit:12} {seconds:8.2f} s {peak_mb:8,.0f} MB")
    save(draw(scenes, diagnoses), Path(__file__).with_name("growth.webp"))


if __name__ == "__main__":
    main()

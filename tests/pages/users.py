"""Several visitors at once, each with their own image, and what each of them must see."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from PIL import Image

from scinet.evaluation.diagnose import diagnose
from scinet.evaluation.grading import step_title, steps_around
from scinet.evaluation.mask import read_mask
from scinet.evaluation.scores import iou
from scinet.evaluation.truth import truth_labels
from scinet.models.model import Model
from scinet.raster.scene import read_raster
from scinet.segmentation.segment import segment

NATIVE_CM_PER_PX = 10.0
THRESHOLD = 0.05  # random weights call nearly nothing a building at 0.5


def write_tiles(folder: Path, count: int, side_px: int) -> None:
    """A folder of tiles that differ in the size of their one house, so in their scores."""
    rows = ["image,mask,dataset,city,country,cm_per_px,width,height,split,licence"]
    for i in range(count):
        mask = np.zeros((side_px, side_px), bool)
        mask[4 : side_px // 4 + 6 * i, 4 : side_px // 2] = True
        pixels = np.random.default_rng(i).integers(60, 90, (side_px, side_px, 3), np.uint8)
        pixels[mask] += 120
        Image.fromarray(pixels).save(folder / f"user{i}.png")
        Image.fromarray(mask).save(folder / f"user{i}_mask.png")
        line = f"user{i}.png,user{i}_mask.png,users,Users,Nowhere,{NATIVE_CM_PER_PX:g},{side_px},{side_px},test,CC0"
        rows.append(line)
    (folder / "index.csv").write_text("\n".join(rows) + "\n")


@dataclass
class Visitor:
    """One browser session: the page of its own tile, and the step at which its slider stands."""

    page: Any
    number: int
    step: int

    @property
    def cm_per_px(self) -> float:
        return steps_around(NATIVE_CM_PER_PX)[self.step]

    def open(self, address: str) -> None:
        query = {
            "source": "Tiles",
            "tile": f"user{self.number}",
            "models": "UNet",
            "threshold": THRESHOLD,
            "gsd": step_title(self.cm_per_px, NATIVE_CM_PER_PX),
        }
        self.page.goto(f"{address}/?{urlencode(query)}")

    def move(self, by: int) -> None:
        """Move the slider, without waiting for what comes of it."""
        self.step += by
        slider = self.page.get_by_role("slider", name="Ground resolution")
        slider.press("ArrowRight" if by > 0 else "ArrowLeft")

    def sees(self) -> tuple[str, str, str]:
        """The image's title, the slider's value and the IoU on the page."""
        title = self.page.locator(".sn-facts b").first.inner_text()
        value = self.page.get_by_role("slider", name="Ground resolution").get_attribute("aria-valuetext") or ""
        row = self.page.locator(".sn-table tr", has_text=re.compile("^IoU")).first
        return title, value, row.locator("b").first.inner_text()

    def should_see(self, folder: Path, model: Model) -> tuple[str, str, str]:
        """The same, computed here."""
        raster = read_raster(folder / f"user{self.number}.png", cm_per_px=NATIVE_CM_PER_PX)
        working, probability = segment(raster, model, self.cm_per_px)
        truth = truth_labels(read_mask(folder / f"user{self.number}_mask.png", raster), working)
        found = diagnose(truth, probability > THRESHOLD, valid=working.valid, pixel_area_m2=working.pixel_area_m2)
        step = step_title(self.cm_per_px, NATIVE_CM_PER_PX)
        return f"Users · user{self.number}", step, f"{iou(found.counts):.3f}"

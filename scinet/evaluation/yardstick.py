"""HOT's Banepa test: a public scene with published scores, next to which the benchmark's can be held.

The Humanitarian OpenStreetMap Team publishes 36 test chips of Banepa (zoom 18, 53 cm/px on the ground) with 2,720
OpenStreetMap polygons. They are scored as the published figures are: joined to one image, on its own grid, polygons as
objects, without components under 25 px.
"""

from pathlib import Path

from scinet.datasets.tiles import Tile

DATASET, TITLE = "hot_banepa", "Banepa (HOT)"
IMAGE, TRUTH = Path(DATASET, "test.tif"), Path(DATASET, "test.geojson")  # in a data folder
MIN_AREA_M2 = 6.9  # 25 px
GRID = "native"
PUBLISHED = {
    "micro_iou": 0.656,
    "object_precision": 0.483,
    "object_recall": 0.351,
    "object_f1": 0.407,
}
PUBLISHED_BY = "DINOv3 ViT-L/16 with boundary and distance heads and a watershed, published"
SOURCE = "https://github.com/kshitijrajsharma/dinov3-hot-ablation"


def yardstick_tile(data: Path) -> Tile | None:
    """The scene in a data folder; None where it is not there.

    Its city is Banepa, whose tiles show the same ground at a finer resolution.
    """
    if not (data / IMAGE).is_file() or not (data / TRUTH).is_file():
        return None
    return Tile(
        name=str(IMAGE.with_suffix("")),
        image=data / IMAGE,
        truth=data / TRUTH,
        city="Banepa",
        split="test",
        licence="OpenAerialMap (CC-BY-4.0), OpenStreetMap contributors (ODbL-1.0)",
        dataset=DATASET,
    )

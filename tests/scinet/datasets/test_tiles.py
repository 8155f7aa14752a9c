from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scinet.datasets.tiles import tiles_in
from scinet.errors import RasterError

HEADER = "image,mask,city,cm_per_px,split,crs,x_min,y_max,metres_per_px\n"


def write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((40, 50, 3), 90, np.uint8)).save(path)


def test_an_index_says_gsd_and_place(tmp_path):
    write_image(tmp_path / "images" / "a.png")
    rows = "images/a.png,masks/a.png,Accra,10,test,EPSG:32630,810000,620000,0.1\nimages/b.png,,Accra,20,train,,,,\n"
    (tmp_path / "index.csv").write_text(HEADER + rows)
    first, second = tiles_in(tmp_path)
    assert (first.name, first.city, first.split, first.truth) == (
        "images/a",
        "Accra",
        "test",
        tmp_path / "masks" / "a.png",
    )
    scene = first.open()
    assert scene.crs.to_epsg() == 32630 and scene.transform @ (0, 0) == (810000, 620000)
    assert scene.cm_per_px == pytest.approx(10, rel=1e-3)
    assert second.truth is None and second.place is None and second.cm_per_px == 20
    with pytest.raises(RasterError, match=r"b\.png"):
        second.open()


def test_real_tiles_and_scenes(data_dir):
    tiles = tiles_in(data_dir)
    assert len(tiles) > 2000 and all(tile.truth and tile.image.is_file() for tile in tiles[:20])
    accra = next(tile for tile in tiles if tile.name.startswith("images/accra"))
    assert accra.open().cm_per_px == pytest.approx(5.18, rel=0.01)
    (scene,) = tiles_in(data_dir / "ocaic")
    assert scene.name == "acc/d41d81" and scene.truth is not None and scene.open().width == 9216


def test_any_images(tmp_path):
    write_image(tmp_path / "b.png")
    write_image(tmp_path / "a.jpg")
    (tmp_path / "notes.txt").write_text("no image")
    assert [tile.name for tile in tiles_in(tmp_path)] == ["a", "b"]
    assert tiles_in(tmp_path)[0].open(25.0).cm_per_px == pytest.approx(25)


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ("", "holds no images"),
        ("colour\nred\n", "Line 2"),
        (HEADER + "a.png,,Accra,ten,test,,,,\n", "number from"),
        (HEADER + "a.png,,Accra,10,test,EPSG:1,1,2,0.1\n", "Line 2"),
        (HEADER + "a.png,,Accra,10,test,EPSG:32630,1,2,-0.1\n", "Line 2"),
    ],
)
def test_bad_folders(index, reason, tmp_path):
    (tmp_path / "index.csv").write_text(index)
    with pytest.raises(RasterError if "number" not in reason else Exception, match=reason):
        tiles_in(tmp_path)
    with pytest.raises(RasterError, match="no folder"):
        tiles_in(tmp_path / "none")

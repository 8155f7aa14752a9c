"""The images of a folder, with an index.csv, as scenes or just images."""

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


def test_an_index_gives_resolution_and_place(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.png")
    rows = "images/a.png,masks/a.png,Accra,10,test,EPSG:32630,810000,620000,0.1\nimages/b.png,,Accra,20,train,,,,\n"
    (tmp_path / "index.csv").write_text(HEADER + rows)
    first, second = tiles_in(tmp_path)
    assert (first.name, first.city, first.split) == ("images/a", "Accra", "test")
    assert first.truth == tmp_path / "masks" / "a.png"
    scene = first.open()
    assert scene.crs is not None and scene.crs.to_epsg() == 32630 and scene.transform @ (0, 0) == (810000, 620000)
    assert scene.cm_per_px == pytest.approx(10, rel=1e-3)
    assert second.truth is None and second.place is None and second.cm_per_px == 20
    with pytest.raises(RasterError, match=r"b\.png"):
        second.open()


def test_an_index_gives_what_training_needs(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text(
        'image,mask,dataset,cm_per_px,width,height,split,licence\na.png,b.png,accra,5.18,256,128,train,"x, y"\n'
    )
    (tile,) = tiles_in(tmp_path)
    assert (tile.dataset, tile.shape, tile.split, tile.licence) == ("accra", (128, 256), "train", "x, y")


def test_real_tiles_and_scenes(data_dir: Path) -> None:
    tiles = tiles_in(data_dir)
    assert len(tiles) > 2000 and all(tile.truth and tile.image.is_file() for tile in tiles[:20])
    accra = next(tile for tile in tiles if tile.name.startswith("images/accra"))
    assert accra.open().cm_per_px == pytest.approx(5.18, rel=0.01)
    (scene,) = tiles_in(data_dir / "ocaic")
    assert scene.name == "acc/d41d81" and scene.truth is not None and scene.open().width == 9216


def test_without_an_index_all_images_are_listed(tmp_path: Path) -> None:
    write_image(tmp_path / "b.png")
    write_image(tmp_path / "a.jpg")
    (tmp_path / "notes.txt").write_text("text")
    assert [tile.name for tile in tiles_in(tmp_path)] == ["a", "b"]
    assert tiles_in(tmp_path)[0].open(25.0).cm_per_px == pytest.approx(25)


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ("", "contains no images"),
        ("colour\nred\n", "Line 2"),
        (HEADER + "a.png,,Accra,ten,test,,,,\n", "Line 2 .* number from 0.5 to 2000"),
        (HEADER + "a.png,,Accra,10,test,,,,\n,,Accra,10,test,,,,\n", "Line 3 .*no image"),
        (HEADER + "a.png,,Accra,10,test,EPSG:1,1,2,0.1\n", "Line 2"),
        (HEADER + "a.png,,Accra,10,test,EPSG:32630,1,2,-0.1\n", "Line 2"),
        (HEADER + "a.png,,Accra,10,test,EPSG:32630,1,nan,0.1\n", "Line 2"),
        (HEADER + "a.png,,Accra,10,test,EPSG:32630,1,,0.1\n", "Line 2"),
        ("image,width,height\na.png,wide,9\n", "Line 2"),
    ],
)
def test_an_index_that_makes_no_sense_is_one_sentence(index: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text(index)
    with pytest.raises(RasterError, match=reason):
        tiles_in(tmp_path)


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RasterError, match="is not a folder"):
        tiles_in(tmp_path / "none")

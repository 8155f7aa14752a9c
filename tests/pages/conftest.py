"""The app on small images and checkpoints of random weights."""

from pathlib import Path

import pytest
from PIL import Image
from samples import PROJECT, house
from streamlit.testing.v1 import AppTest


@pytest.fixture(scope="session")
def village(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two tiles of 64 px, one of them with a place on the earth, in the layout of SCINET_DATA."""
    folder = tmp_path_factory.mktemp("tiles")
    image, mask = house()
    Image.fromarray(mask).save(folder / "mask.png")
    rows = ["image,mask,dataset,city,country,cm_per_px,width,height,split,crs,x_min,y_max,metres_per_px,licence"]
    for name, place in (("east", "EPSG:32630,500000,620000,0.1"), ("west", ",,,")):
        Image.fromarray(image).save(folder / f"{name}.png")
        rows.append(f"{name}.png,mask.png,village,Village,Nowhere,10,64,64,test,{place},CC-BY-4.0")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def app(random_checkpoints: Path, village: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app, not yet run, with the village as its folder of tiles and as its source."""
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))
    monkeypatch.setenv("SCINET_DATA", str(village))
    test = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=180)
    test.query_params["source"] = "Tiles"
    return test

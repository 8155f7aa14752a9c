"""The app on small images and checkpoints of random weights."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.app.state import SESSION, Session
from scinet.models.card import REPOSITORY_FOLDER
from tests.pages.samples import PROJECT, house
from tests.pages.serve import CHROMIUM, CHROMIUM_ARGS, PATIENCE_S, served
from training import benchmark


@pytest.fixture(autouse=True, scope="package")
def own_main_module() -> Iterator[None]:
    """Gives ``__main__`` back to pytest: AppTest puts the app there, and processes spawned later would run it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def village(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two tiles of 64 px, one of them georeferenced, in the layout of SCINET_DATA."""
    folder = tmp_path_factory.mktemp("tiles")
    image, mask = house()
    Image.fromarray(mask).save(folder / "mask.png")
    rows = ["image,mask,dataset,city,country,cm_per_px,width,height,split,crs,x_min,y_max,metres_per_px,licence"]
    for name, place in (("east", "EPSG:32630,500000,620000,0.1"), ("west", ",,,")):
        Image.fromarray(image).save(folder / f"{name}.png")
        rows.append(f"{name}.png,mask.png,village,Village,Nowhere,10,64,64,test,{place},CC-BY-4.0")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def scored_village(random_checkpoints: Path, village: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the random checkpoints with the benchmark of the village."""
    folder = tmp_path_factory.mktemp("scored") / "checkpoints"
    shutil.copytree(random_checkpoints, folder)
    models = ["--model", str(folder / "sci-net.safetensors"), "--model", str(folder / "unet.safetensors")]
    benchmark.main(["--data", str(village), "--out", str(folder), *models])
    return folder


@pytest.fixture
def app(random_checkpoints: Path, village: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app, not yet run, without its introduction, with the village as its folder of tiles and as its source."""
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))
    monkeypatch.setenv("SCINET_DATA", str(village))
    test = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=180)
    test.query_params["source"] = "Tiles"
    test.session_state[SESSION] = Session(intro_is_open=False)
    return test


@pytest.fixture(scope="module")
def address(random_checkpoints: Path, village: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app's address, served on a free port with the random checkpoints and the village."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with served(log, SCINET_CHECKPOINTS=str(random_checkpoints), SCINET_DATA=str(village)) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page at 1440 x 900; the test fails if it requests anything from outside this machine."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(1000 * PATIENCE_S)
    requests: list[str] = []
    failures: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: failures.append(str(error)))
    # Streamlit may drop a picture of the previous run before the browser requests it; and below a page's own address
    # it first looks for its server there.
    missing = ("/media/", "/_stcore/")
    page.on(
        "response",
        lambda r: (
            failures.append(f"{r.status} {r.url}")
            if r.status >= 400 and not any(part in r.url for part in missing)
            else None
        ),
    )
    yield page
    page.close()
    outside = [
        url for url in requests if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))
    ]
    assert requests and not outside
    assert not failures


@pytest.fixture(scope="session")
def nine_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The benchmark on board, of nine models, of which only UNet is on board."""
    folder = tmp_path_factory.mktemp("nine")
    for pattern in ("benchmark.*", "unet.*"):
        for path in REPOSITORY_FOLDER.glob(pattern):
            shutil.copy(path, folder)
    return folder

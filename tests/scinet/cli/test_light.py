"""The command line in an installation without PyTorch and without the libraries for tables and pages."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pyogrio
import pytest
import rasterio

MISSING = (
    *("torch", "torchvision", "timm", "segmentation_models_pytorch", "safetensors", "pandas", "geopandas"),
    *("buildingregulariser", "skimage", "streamlit", "folium", "plotly", "tensorboard"),
)


WITHOUT = f"""
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {MISSING!r} else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
"""


def python(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script in a process that finds none of these packages."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + script, *map(str, arguments)], capture_output=True, text=True
    )


def scinet(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in such a process."""
    return python("from scinet.cli.main import main; sys.exit(main())", *arguments)


@pytest.fixture
def dark_is_building(tmp_path: Path) -> Path:
    """An ONNX model, with its description, that calls a pixel building whose red is under 0.5."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        dark (float[N,3,H,W] image) => (float[N,1,H,W] logits) {
            first = Constant <value = int64[1] {0}> ()
            red = Gather <axis: int = 1> (image, first)
            half = Constant <value_float: float = 0.5> ()
            logits = Sub (half, red)
        }"""
    )
    path = tmp_path / "dark.onnx"
    path.write_bytes(model.SerializeToString())
    facts = {"gsd_range_cm_per_px": [5, 30], "window_px": 64, "mean": 0, "std": 1}
    path.with_suffix(".json").write_text(json.dumps(facts))
    return path


@pytest.mark.slow
def test_an_exported_model_segments_scores_and_writes_footprints(
    scene: Path, truth: Path, dark_is_building: Path, tmp_path: Path
) -> None:
    done = scinet(
        "segment", scene, tmp_path / "mask.tif", "--model", dark_is_building, "--footprints", tmp_path / "roofs.gpkg"
    )
    assert done.returncode == 0, done.stderr
    with rasterio.open(tmp_path / "mask.tif") as mask, rasterio.open(scene) as image:
        values, pixels = mask.read(1), image.read()
    valid = values != 255
    np.testing.assert_array_equal(values[valid] == 1, pixels[0][valid] < 127.5)
    assert pyogrio.read_info(tmp_path / "roofs.gpkg")["features"] > 0
    done = scinet("score", scene, "--truth", truth, "--model", dark_is_building, "--json")
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)["truth"]["scores"]["iou"] < 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("segment", "{scene}", "mask.tif", "--model", "unet"), "unet is a model on board"),
        (("segment", "{scene}", "mask.tif", "--model", "mine.safetensors"), "mine.safetensors is a model with weights"),
        (("benchmark", "--help"), "scinet benchmark needs the package pandas"),
    ],
)
def test_what_needs_more_packages_says_so(arguments: tuple[str, ...], says: str, scene: Path) -> None:
    done = scinet(*(argument.format(scene=scene) for argument in arguments))
    assert done.returncode == 2
    assert says in done.stderr and 'pip install "scinet-explorer[full]"' in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_public_name_that_needs_more_packages_says_so_and_the_others_work() -> None:
    script = """
import json, scinet
said = {}
for name in scinet.__all__:
    try:
        getattr(scinet, name)
    except scinet.SciNetError as error:
        said[name] = str(error)
print(json.dumps(said))
"""
    done = python(script)
    assert done.returncode == 0, done.stderr
    needs = 'scinet.load_model needs the package torch: pip install "scinet-explorer[full]", and try again.'
    assert json.loads(done.stdout) == {"load_model": needs}

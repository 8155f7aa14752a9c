"""Building masks from aerial images at any ground resolution, and an account of their errors.

Importing the package loads nothing: each of its names is loaded when it is first used.

Example:
    >>> from scinet import diagnose, load_model, make_town, segment
    >>> from scinet.vector.footprints import rasterize
    >>> town = make_town(seed=3, size_m=60)
    >>> working, probability = segment(town.render(cm_per_px=20), load_model("unet"), cm_per_px=40)
    >>> reference = rasterize(town.footprints, working)
    >>> diagnosis = diagnose(reference, probability > 0.5, pixel_area_m2=working.pixel_area_m2)
    >>> diagnosis.buildings.kind.size == len(town.footprints.polygons)
    True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scinet.errors import SciNetError
    from scinet.evaluation.diagnose import diagnose
    from scinet.evaluation.evaluate import evaluate
    from scinet.evaluation.sweep import sweep
    from scinet.evaluation.truth import read_truth
    from scinet.models.card import Card, list_models
    from scinet.models.checkpoint import load_model
    from scinet.models.model import Model
    from scinet.raster.geotiff import write_mask
    from scinet.raster.raster import Raster
    from scinet.raster.scene import Scene, open_scene, read_raster
    from scinet.segmentation.scene import segment_to_file
    from scinet.segmentation.segment import Segmentation, segment
    from scinet.synthetic.town import make_town
    from scinet.vector.footprint_file import write_footprints

__version__ = "0.2.0"

_MODULES = {
    "Card": "models.card",
    "Model": "models.model",
    "Raster": "raster.raster",
    "Scene": "raster.scene",
    "SciNetError": "errors",
    "Segmentation": "segmentation.segment",
    "diagnose": "evaluation.diagnose",
    "evaluate": "evaluation.evaluate",
    "list_models": "models.card",
    "load_model": "models.checkpoint",
    "make_town": "synthetic.town",
    "open_scene": "raster.scene",
    "read_raster": "raster.scene",
    "read_truth": "evaluation.truth",
    "segment": "segmentation.segment",
    "segment_to_file": "segmentation.scene",
    "sweep": "evaluation.sweep",
    "write_footprints": "vector.footprint_file",
    "write_mask": "raster.geotiff",
}

__all__ = [
    "Card",
    "Model",
    "Raster",
    "Scene",
    "SciNetError",
    "Segmentation",
    "__version__",
    "diagnose",
    "evaluate",
    "list_models",
    "load_model",
    "make_town",
    "open_scene",
    "read_raster",
    "read_truth",
    "segment",
    "segment_to_file",
    "sweep",
    "write_footprints",
    "write_mask",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        from scinet.errors import missing_package

        raise missing_package(f"scinet.{name}", error) from None
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

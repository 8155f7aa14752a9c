"""Cards as STAC items with the extension for machine learning models (MLM), for catalogues and other programs."""

from collections.abc import Sequence
from typing import Any

from scinet.models.architectures import ARCHITECTURES, TITLES, outputs_of
from scinet.models.card import Card, checkpoints_folder

STAC_VERSION = "1.1.0"
MLM = "https://stac-extensions.github.io/mlm/v1.5.2/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
PAPER = "https://arxiv.org/abs/2111.06812"
_SHA256_MULTIHASH = "1220"  # the hash function and its length in bytes, before the hash
_BANDS = ("red", "green", "blue")
_TASKS = ["semantic-segmentation"]
_INPUT_DIMENSIONS, _OUTPUT_DIMENSIONS = (["batch", name, "height", "width"] for name in ("bands", "channel"))
_RESOLUTION = {
    "name": "resolution in cm/px",
    "bands": [],
    "input": {"shape": [-1], "dim_order": ["batch"], "data_type": "float32"},
}


def item_collection(cards: Sequence[Card]) -> dict[str, Any]:
    """The items of some cards as a GeoJSON feature collection."""
    return {"type": "FeatureCollection", "features": [stac_item(card) for card in cards]}


def stac_item(card: Card) -> dict[str, Any]:
    """A card as a STAC item, as JSON values.

    A model has no place and no date, so its geometry is null and its period everything, as the extension advises. What
    the extension has no field for begins with ``scinet:``.

    Example:
        >>> item = stac_item(Card("unet", "unet", gsd_range_cm_per_px=(2.5, 40.0), window_px=576))
        >>> item["id"], item["properties"]["mlm:architecture"], item["properties"]["mlm:tasks"]
        ('unet', 'UNet', ['semantic-segmentation'])
    """
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [MLM, FILE],
        "id": card.name,
        "geometry": None,
        "properties": {
            "title": card.title,
            "description": "Probability of building for each pixel of an aerial image, at "
            f"{card.gsd_range_cm_per_px[0]:g} to {card.gsd_range_cm_per_px[1]:g} cm/px.",
            "datetime": None,
            "start_datetime": "1900-01-01T00:00:00Z",
            "end_datetime": "9999-12-31T23:59:59Z",
            "gsd": card.gsd_range_cm_per_px[0] / 100,
            "bands": [{"name": band, "eo:common_name": band} for band in _BANDS],
            **_model_fields(card),
            "scinet:gsd_range_cm_per_px": list(card.gsd_range_cm_per_px),
            "scinet:window_px": card.window_px,
            "scinet:window_m": card.window_m,
            "scinet:scores": card.scores,
            "scinet:data": card.data,
            "scinet:revision": card.revision,
        },
        "links": [{"rel": "cite-as", "href": PAPER, "type": "text/html"}],
        "assets": {"weights": _weights(card)},
    }


def _model_fields(card: Card) -> dict[str, Any]:
    recipe = card.settings.get("recipe")
    outputs = outputs_of(card.architecture)
    scaling = [{"type": "z-score", "mean": card.mean, "stddev": card.std} for _ in _BANDS]
    return {
        "mlm:name": card.name,
        "mlm:architecture": TITLES[card.architecture],
        "mlm:tasks": _TASKS,
        "mlm:framework": "PyTorch",
        "mlm:accelerator": None,
        "mlm:batch_size_suggestion": 1,
        "mlm:input": [
            {
                "name": "RGB in [0, 1]",
                "bands": list(_BANDS),
                "input": {"shape": [-1, 3, -1, -1], "dim_order": _INPUT_DIMENSIONS, "data_type": "float32"},
                "value_scaling": scaling,
            },
            *([_RESOLUTION] if ARCHITECTURES[card.architecture].takes_cm_per_px else []),
        ],
        "mlm:output": [
            {
                "name": f"logits of {', '.join(outputs)}",
                "tasks": _TASKS,
                "result": {
                    "shape": [-1, len(outputs), -1, -1],
                    "dim_order": _OUTPUT_DIMENSIONS,
                    "data_type": "float32",
                },
                "classification:classes": [{"value": 1, "name": "building", "description": "Building"}],
            }
        ],
        **({"mlm:hyperparameters": recipe} if recipe else {}),
    }


def _weights(card: Card) -> dict[str, Any]:
    """The weights' file: where it is, or else its address."""
    path = checkpoints_folder() / f"{card.name}.safetensors"
    weights = {
        "href": path.resolve().as_uri() if path.is_file() or not card.url else card.url,
        "type": "application/octet-stream; application=safetensors",
        "title": "Weights in half precision",
        "roles": ["mlm:model", "data"],
        "mlm:artifact_type": "safetensors.torch.save_file",
    }
    return {**weights, "file:checksum": _SHA256_MULTIHASH + card.sha256} if card.sha256 else weights

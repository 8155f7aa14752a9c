"""What a strategy costs: how many pixels go through the network."""

from scinet.models.card import Card
from scinet.raster.grid import Grid
from scinet.segmentation.strategies import Strategy, StrategyName
from scinet.segmentation.tiling import windows_over

TURNS = 8  # of each window, with flips


def pixels_run(
    grid: Grid, card: Card, strategy: Strategy | StrategyName = "best-scale", *, one_size: bool = False
) -> int:
    """The pixels that go through the network for an image without nodata, overlaps counted each time.

    Args:
        grid: The working grid.
        card: The model's card.
        strategy: What the model sees.
        one_size: Whether the network takes windows of a single size, as some ONNX networks do.

    Example:
        >>> from rasterio.transform import Affine
        >>> grid = Grid(100, 100, Affine.scale(0.4, -0.4), None)
        >>> card = Card("a", "unet", (5, 40), 576, scales={"unknown": ((40, 2, 1),)})
        >>> pixels_run(grid, card, "direct") / 100**2, pixels_run(grid, card, "best-scale") / 100**2
        (1.6384, 6.5536)
    """
    strategy = Strategy.of(strategy)
    total = 0
    for scale in strategy.scales(card, grid.cm_per_px):
        seen = grid if scale == 1 else grid.at(grid.cm_per_px / scale)
        down, across = windows_over(seen, card, one_size=one_size)
        window_px = card.window_px**2 if one_size else down.size * across.size
        total += len(down.starts) * len(across.starts) * window_px
    return total * (TURNS if strategy.flips else 1)

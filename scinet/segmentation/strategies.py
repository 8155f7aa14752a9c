"""How a model sees an image at a working resolution: strategies and scales, without PyTorch.

A network does best where buildings have the size in pixels that it learned. Coarse images therefore gain when they are
enlarged before the network and the probability is brought back by area means. The scale that suits a model at each
resolution is on its card (`Card.scales`), chosen by ``python -m training.scales``.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from scinet.models.card import Card, Places

StrategyName = Literal["direct", "best-scale", "multi-scale"]
STRATEGIES: tuple[StrategyName, ...] = get_args(StrategyName)
FORMER_STRATEGIES: dict[str, StrategyName] = {"canonical": "best-scale"}  # in links and scripts made before 0.3


@dataclass(frozen=True)
class Strategy:
    """What a model gets to see of an image at a working resolution.

    Attributes:
        name: "direct": the image as it is, which shows what the network itself does at that resolution.
            "best-scale": the image enlarged or reduced by the best scale on the model's card.
            "multi-scale": the mean of the probabilities at the card's two best scales, neither of which reduces it.
        places: Whose scales count: "unknown" for places like none in the model's training, "known" for the latter.
        flips: Whether each window is run in all eight turns and reflections and the probabilities averaged, at eight
            times the cost.

    Example:
        >>> str(Strategy("multi-scale", places="known", flips=True))
        'multi-scale for known places, with flips'
    """

    name: StrategyName = "best-scale"
    places: Places = "unknown"
    flips: bool = False

    def __str__(self) -> str:
        places = "" if self.name == "direct" else f" for {self.places} places"
        return f"{self.name}{places}{', with flips' if self.flips else ''}"

    @classmethod
    def of(cls, strategy: "Strategy | StrategyName") -> "Strategy":
        """A strategy from its name, or as it is."""
        return strategy if isinstance(strategy, Strategy) else cls(strategy)

    def scales(self, card: Card, cm_per_px: float) -> tuple[float, ...]:
        """By which factors an image at a resolution is enlarged before the network; 1 leaves it as it is.

        Example:
            >>> from scinet.models.card import Card
            >>> card = Card("a", "unet", (5, 40), 576, scales={"unknown": ((10, 1, 1.5), (40, 1.5, 2))})
            >>> Strategy("best-scale").scales(card, 36), Strategy("multi-scale").scales(card, 36)
            ((1.5,), (1.5, 2))
            >>> Strategy("direct").scales(card, 36)
            (1.0,)
        """
        if self.name == "direct":
            return (1.0,)
        best, second = card.scales_at(cm_per_px, self.places)
        return (best,) if self.name == "best-scale" else tuple(sorted({max(best, 1.0), max(second, 1.0)}))

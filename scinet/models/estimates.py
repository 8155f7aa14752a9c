"""Scores that a mask is likely to have without a reference: the same on pages, on the command line and in reports."""

from collections.abc import Callable, Iterable

from scinet.models.architectures import TITLES
from scinet.models.card import Card
from scinet.models.confidence import Estimate
from scinet.models.familiarity import Distance
from scinet.models.scaling import Counts


def likely_scores(
    card: Card, distance: Distance | None, histogram: Callable[[], Counts], cm_per_px: float, threshold: float
) -> dict[str, Estimate]:
    """The scores that a mask is likely to have, by name.

    Args:
        card: Of the model that made it.
        distance: How far the image is from the model's training; None where that is not known.
        histogram: Gives that of the image's probabilities, see `logit_histogram`.
        cm_per_px: The working resolution.
        threshold: That of the mask.

    Returns:
        Nothing where estimates were not measured for the model, or where the image is unlike all on which they were.
    """
    if card.calibration is None or (distance is not None and distance.is_unlike):
        return {}
    return card.calibration.estimate(histogram(), cm_per_px, threshold)


def borrowed_text(cards: Iterable[Card]) -> str:
    """A sentence on the models whose estimates were measured with another architecture; "" if there are none.

    >>> from scinet.models.confidence import Calibration
    >>> measured = Calibration(((10, 1.0, 0.0),), measured_with="unet")
    >>> borrowed_text(Card(name, name, (2.5, 40.0), 576, calibration=measured) for name in ("unet", "manet", "hrnet"))
    'The estimates for MANet and HRNet rest on what was measured with UNet.'
    """
    borrowers: dict[str, list[str]] = {}
    for card in cards:
        measured_with = card.calibration.measured_with if card.calibration else ""
        if measured_with not in ("", card.architecture):
            borrowers.setdefault(TITLES.get(measured_with, measured_with), []).append(card.title)
    return " ".join(
        f"The estimates for {_listed(titles)} rest on what was measured with {lender}."
        for lender, titles in borrowers.items()
    )


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))

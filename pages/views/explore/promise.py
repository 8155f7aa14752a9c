"""A threshold that promises a recall or a precision, beside the one that is set by hand."""

from collections.abc import Sequence

import streamlit as st

from pages.app.markdown import sentence
from scinet.errors import PromiseError
from scinet.models.card import Card
from scinet.models.promise import Promise, promised_threshold, tried_text

BY_HAND = "None"
PROMISES = {
    "Recall 0.8": Promise("recall", 0.8),
    "Recall 0.9": Promise("recall", 0.9),
    "Precision 0.8": Promise("precision", 0.8),
    "Precision 0.9": Promise("precision", 0.9),
}
HELP = (
    "Chooses the threshold at which the masks of all chosen models keep a mean recall (how much of the buildings they "
    "have) or precision (how much of them is building), as measured in places where no model was trained."
)


def choose_promised_threshold(cards: Sequence[Card], cm_per_px: float) -> float | None:
    """Draw the widget, if promises were measured for a model; returns None where the threshold is set by hand."""
    known = [(card, card.calibration) for card in cards if card.calibration and card.calibration.promised]
    if not known:
        return None
    name = st.selectbox("Promise", [BY_HAND, *PROMISES], key="promise", bind="query-params", help=HELP)
    promise = PROMISES.get(name)
    if promise is None:
        return None
    try:
        thresholds = [
            promised_threshold(calibration.promised, promise, cm_per_px, card.title) for card, calibration in known
        ]
    except PromiseError as error:
        st.warning(sentence(str(error)))
        return None
    threshold = min(thresholds) if promise.quantity == "recall" else max(thresholds)
    others = [card.title for card in cards if card not in [each for each, _ in known]]
    parts = [
        f"Threshold {threshold:.2f} at {cm_per_px:.3g} cm/px.",
        tried_text(known[0][1].tried, promise),
        f"It says nothing about {', '.join(others)}." if others else "",
    ]
    st.caption(sentence(" ".join(filter(None, parts))))
    return threshold

"""How the shown scores were made, as a paragraph that can be pasted into a report."""

from math import isnan

from pages.views.benchmark.metrics import METRIC_TITLES, SCORE_HELP, SCORE_TITLES
from pages.views.benchmark.places import places_in_words
from pages.views.benchmark.selection import Selection
from scinet import __version__
from scinet.evaluation.bootstrap import LEVEL
from scinet.evaluation.draws import DRAWS
from scinet.evaluation.object_scores import MATCH_IOU

STRATEGIES = {
    "direct": "as they are at that resolution",
    "best-scale": "enlarged or reduced by the factor that suits the model in places it does not know",
    "best-scale-known": "enlarged or reduced by the factor that suits the model in places like its training",
}
GRIDS = {
    "working": "The reference was brought to the grid of that resolution.",
    "native": "The masks were brought back to the tiles' native grid.",
}
PAPER = (
    "H. Nasrallah, M. Shukor and A. J. Ghandour, Sci-Net: Scale Invariant Model for Buildings Segmentation from Aerial "
    "Imagery, arXiv:2111.06812, 2021."
)


def paragraph(chosen: Selection) -> str:
    """The paragraph, with the scores at the chosen resolution and the citations."""
    rows = chosen.at_resolution
    tiles = int(rows["tiles"].max()) if len(rows) else 0
    cities = chosen.resampled["city"].nunique()
    return " ".join(
        [
            f"Models were compared on {tiles} test tiles of {cities} {'city' if cities == 1 else 'cities'} "
            f"({places_in_words(chosen.tile_set)}), which no training used, resampled by area means to "
            f"{chosen.cm_per_px:g} cm/px. The models saw the tiles {STRATEGIES[chosen.strategy]}.",
            f"Pixels with a probability above {chosen.benchmark.threshold:g} are building. {GRIDS[chosen.grid]}",
            _score_in_words(chosen.metric),
            _scores(chosen),
            f"Scores were computed with Sci-Net: the scale robustness explorer, version {__version__}, which follows "
            f"{PAPER}",
        ]
    )


def _score_in_words(metric: str) -> str:
    text = f"{SCORE_TITLES[metric]} is the {SCORE_HELP[metric]}".replace("is the mean over", "is the mean over")
    if metric not in METRIC_TITLES:
        text += f"; a building and a component match at an IoU above {MATCH_IOU:g}"
    return f"{text}."


def _scores(chosen: Selection) -> str:
    rows = chosen.at_resolution.sort_values("value", ascending=False)
    titles = {model.name: model.title for model in chosen.models}
    figures = [
        f"{titles[row.system]} {row.value:.3f}"
        + ("" if isnan(row.low) else f" ({row.low:.3f} to {row.high:.3f})")
        + (f", mean of {row.seeds} seeds" if row.seeds > 1 else "")
        for row in rows.itertuples()
    ]
    if not figures:
        return ""
    has_interval = bool(rows["low"].notna().any())
    how = f", with {LEVEL:.0%} intervals from {DRAWS} bootstrap draws of the tiles" if has_interval else ""
    return f"The scores were{how}: {'; '.join(figures)}."

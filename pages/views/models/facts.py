"""The facts of one model, or of two side by side, as rows of a table."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, get_args

from pages.app.html_table import DASH, HtmlTable
from scinet.evaluation.benchmark import Benchmark
from scinet.models.card import Card, Places, checkpoints_folder

Row = tuple[str, str, list[str]]  # group, name, and one cell per card in HTML

MAX_CELL = 500  # characters
RECIPE_TITLES = {
    "epochs": "Epochs",
    "chips_per_epoch": "Chips per epoch",
    "batch": "Batch",
    "chip_px": "Chip, px",
    "learning_rate": "Learning rate",
    "gsd_range_cm_per_px": "Resolutions of the chips, cm/px",
    "seed": "Seed",
    "bce_weight": "Weight of BCE loss",
    "dice_weight": "Weight of Dice loss",
    "flip_probability": "Probability of flips",
    "leave_out": "Places left out",
    "photometric": "Strength of photometric augmentation",
    "grayscale_probability": "Probability of grayscale",
    "degrade_probability": "Probability of degradation",
    "turn_probability": "Probability of a turn by any angle",
    "mosaic_probability": "Probability of a mosaic",
    "standardise": "Images standardised",
    "output_weights": "Weights of the outputs in the loss",
    "scale_input": "Is told the resolution",
    "consistency": "Weight of consistency with a finer view",
    "precision": "Precision",
    "selection": "Selected by",
}


def show(cards: Sequence[Card], benchmark: Benchmark | None) -> None:
    """Draw all facts of the cards; if there are two, differences stand out."""
    table, group = HtmlTable("sn-facts-table"), ""
    table.head("", *(escape(card.title) for card in cards))
    for of, name, cells in all_rows(cards, benchmark):
        if of != group:
            table.head(escape(of))
            group = of
        table.row(escape(name), cells, is_emphasized=len(set(cells)) > 1)
    table.show("Bold: where the two differ." if len(cards) > 1 else "")


def all_rows(cards: Sequence[Card], benchmark: Benchmark | None) -> Iterator[Row]:
    """The table's rows, group by group."""
    yield from _what_it_is(cards, benchmark)
    yield from _scores(cards)
    yield from _training(cards)
    yield from _data(cards)


def _what_it_is(cards: Sequence[Card], benchmark: Benchmark | None) -> Iterator[Row]:
    group = "What it is"
    costs = [(benchmark.costs if benchmark else {}).get(card.architecture, {}) for card in cards]
    yield group, "Architecture", [escape(card.architecture) for card in cards]
    yield group, "Parameters", [_number(cost.get("parameters"), "{:,.0f}") for cost in costs]
    yield group, "GMACs at 1024 px", [_number(cost.get("gmacs_1024_px"), "{:,.0f}") for cost in costs]
    yield group, "Receptive field", [reach(card, cost) for card, cost in zip(cards, costs, strict=True)]
    yield group, "Trained at", ["{:g} to {:g} cm/px".format(*card.gsd_range_cm_per_px) for card in cards]
    for places in get_args(Places):
        yield group, f"Best scale, {places} places", [_scales(card, places) for card in cards]
    yield group, "Window", [_window(card) for card in cards]
    yield group, "Input", [_normalisation(card) for card in cards]
    yield group, "File", [_file(card) for card in cards]
    yield group, "SHA-256", [_hash(card.sha256) for card in cards]
    yield group, "Code revision", [escape(card.revision[:12]) or DASH for card in cards]


def _scales(card: Card, places: Places) -> str:
    """The best scales in words, such as "1x to 15 cm/px, 1.5x to 60"."""
    spans: list[tuple[float, float]] = []  # scale, and the coarsest resolution that it is best for
    for cm_per_px, best, _ in card.scales.get(places, ()):
        if spans and spans[-1][0] == best:
            spans.pop()
        spans.append((best, cm_per_px))
    return ", ".join(f"{scale:g}x to {coarsest:g} cm/px" for scale, coarsest in spans) or DASH


def _hash(sha256: str) -> str:
    return f'<span title="{escape(sha256)}">{escape(sha256[:12])}</span>'


def _scores(cards: Sequence[Card]) -> Iterator[Row]:
    for name in dict.fromkeys(name for card in cards for name in card.scores):
        yield "Scores", name[:1].upper() + name[1:], [_number(card.scores.get(name), "{:.4f}") for card in cards]


def _training(cards: Sequence[Card]) -> Iterator[Row]:
    recipes = [{_current(key): value for key, value in _object(card.settings.get("recipe")).items()} for card in cards]
    group = "Training"
    for key, title in RECIPE_TITLES.items():
        if any(key in recipe for recipe in recipes):
            yield group, title, [_value(recipe.get(key)) for recipe in recipes]
    yield group, "Differs from the paper in", [_deviations(card) for card in cards]
    yield group, "Started from", [_started(card.settings) for card in cards]


def _current(name: str) -> str:
    """The name of a recipe's field: older cards have chips_an_epoch."""
    return name.replace("_an_", "_per_")


def _deviations(card: Card) -> str:
    return _value([_current(str(name)) for name in _list(card.settings.get("deviations_from_the_paper"))])


def _started(settings: Mapping[str, Any]) -> str:
    former = settings.get("started_from")
    if isinstance(former, Mapping):
        chips = _number(former.get("chips_seen", 0), "{:,.0f}")
        return f"an earlier round (epoch {_value(former.get('epoch', '?'))}, {chips} chips)"
    weights = settings.get("encoder_weights")
    if isinstance(weights, Mapping):
        return escape(f"{weights.get('teacher', weights.get('file', ''))}, {weights.get('chips', '?')} chips")
    return _value(weights)


def _data(cards: Sequence[Card]) -> Iterator[Row]:
    """One row per data set: tiles, resolutions and licence."""
    held = [{str(each["dataset"]): each for each in card.data if "dataset" in each} for card in cards]
    for name in dict.fromkeys(name for data in held for name in data):
        yield "Data and licences", name.capitalize(), [_tiles(data[name]) if name in data else DASH for data in held]


def _tiles(entry: Mapping[str, Any]) -> str:
    ends = _list(entry.get("cm_per_px_range"))
    gsds = [gsd for gsd in ends or _list(entry.get("cm_per_px")) if isinstance(gsd, int | float)]
    span = ""
    if gsds and (ends or len(gsds) > 3):
        span = f" at {_number(min(gsds), '{:.3g}')} to {_number(max(gsds), '{:.3g}')} cm/px"
    elif gsds:
        span = f" at {', '.join(_number(gsd, '{:g}') for gsd in gsds)} cm/px"
    licence = f'<small class="sn-under">{escape(str(entry.get("licence", "")))}</small>'
    unlabelled = _number(entry["unlabelled_tiles"], "{:,.0f}") if "unlabelled_tiles" in entry else ""
    without = f", {unlabelled} without a mask" if unlabelled else ""
    return f"{_number(entry.get('tiles', '?'), '{:,.0f}')} tiles{span}{without}{licence}"


def _object(value: Any) -> Mapping[str, Any]:
    """A card's settings and data are free in form: whatever is not as training writes it counts as absent."""
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def reach(card: Card, cost: Mapping[str, Any]) -> str:
    """The receptive field in words: that of the convolutions, and what pools over the whole window."""
    if "reach_px" not in cost:
        return DASH
    if cost["reach_px"] is None:
        return "the whole window"
    metres = cost["reach_px"] * 0.1
    pools = "" if card.architecture == "hrnet" else "; squeeze-and-excite pools over the whole window"
    return f"{cost['reach_px']:,} px by convolutions, {metres:.0f} m at 10 cm/px{pools}"


def _window(card: Card) -> str:
    return f"{card.window_px} px" + (f", at most {card.window_m:g} m" if card.window_m else "")


def _normalisation(card: Card) -> str:
    mean: Any = card.mean
    std: Any = card.std
    if card.is_custom:
        mean, std = card.settings.get("mean"), card.settings.get("std")
    return f"mean {_value(mean)}, std {_value(std)}"


def _file(card: Card) -> str:
    if card.is_custom:
        return escape(str(card.settings.get("file", "")))
    path = checkpoints_folder() / f"{card.name}.safetensors"
    return f"{escape(path.name)}, {path.stat().st_size / 1e6:.0f} MB" if path.is_file() else escape(path.name)


def _number(value: Any, form: str) -> str:
    """A number in a form; anything else as it is."""
    try:
        return form.format(value) if isinstance(value, int | float) else _value(value)
    except OverflowError:  # a whole number beyond floating point
        return "very large"


def _value(value: Any) -> str:
    if value is None or value == [] or value == "":
        return DASH
    if isinstance(value, list | tuple):
        return escape(", ".join(f"{v:.3g}" if isinstance(v, float) else _short(v).replace("_", " ") for v in value))
    return escape(f"{value:g}" if isinstance(value, float) else _short(value))


def _short(value: Any) -> str:
    text = "a very large number" if isinstance(value, int) and abs(value) > 10**30 else str(value)
    return text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]}..."

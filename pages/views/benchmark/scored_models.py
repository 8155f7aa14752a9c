"""The models that were scored: what they are called and how they are drawn."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pages.app import custom_models, drawing
from pages.app.charts import MARKERS
from scinet.evaluation import bootstrap
from scinet.models.architectures import NAMES, TITLES
from scinet.models.card import Card

NOVEMBER = "november"  # the recipe that came before the one of the models on board
VARIANT_TITLES = {
    "native": "trained at native resolution",
    NOVEMBER: "recipe of November",
    f"{NOVEMBER}-native": "recipe of November, trained at native resolution",
}


@dataclass(frozen=True)
class ScoredModel:
    """A model that was trained and scored, with one seed or several.

    architecture  one of the paper's seven, or "" if the name does not tell
    seeds         the names of the trainings that were scored
    cards         of those that are on board
    """

    name: str
    architecture: str
    seeds: tuple[str, ...]
    cards: tuple[Card, ...]

    @property
    def title(self) -> str:
        """What to call it on the page."""
        variant = self.name.removeprefix(self.architecture).strip("-")
        title = TITLES.get(self.architecture, "")
        return f"{title} ({VARIANT_TITLES.get(variant, variant)})" if title and variant else title or self.name

    @property
    def trained_as(self) -> str:
        """The name of one of its trainings: that on board, else the first."""
        return self.cards[0].name if self.cards else self.seeds[0]

    @property
    def colour(self) -> str:
        """The colour of its marks."""
        return drawing.model_colour(self.architecture)

    @property
    def marker(self) -> str:
        """The name of its marker, a key of MARKERS."""
        return list(MARKERS)[NAMES.index(self.architecture) if self.architecture else -1]

    @property
    def is_variant(self) -> bool:
        """Whether it is a variant of one of the paper's models: dashed, with hollow markers."""
        return self.name != self.architecture

    @property
    def is_former(self) -> bool:
        """Whether it was trained by a recipe that another has replaced: shown beside the others when asked for."""
        return self.name.removeprefix(self.architecture).startswith(f"-{NOVEMBER}")

    @property
    def recipe(self) -> str:
        """What its card says of the training, the seed left out; "" where no card says anything."""
        recipe = self.cards[0].settings.get("recipe") if self.cards else None
        if not isinstance(recipe, dict):
            return ""
        return json.dumps({name: value for name, value in recipe.items() if name != "seed"}, sort_keys=True)

    @property
    def dash(self) -> str:
        """The line style."""
        return "dash" if self.is_variant else "solid"

    @property
    def symbol(self) -> str:
        """The marker for plotly."""
        return f"{self.marker}-open" if self.is_variant else self.marker

    @property
    def sign(self) -> str:
        """The marker as HTML."""
        hollow = ' class="sn-hollow"' if self.is_variant else ""
        return f'<i{hollow} style="color:{self.colour}">{MARKERS[self.marker]}</i>'


def models_of(names: Sequence[str]) -> dict[str, ScoredModel]:
    """The models that these trainings are seeds of, by name: the paper's in its order, then variants and others."""
    cards = {card.name: card for card in custom_models.all_cards()}
    models = {}
    for name in dict.fromkeys(bootstrap.system_of(seed) for seed in names):
        seeds = tuple(seed for seed in names if bootstrap.system_of(seed) == name)
        on_board = tuple(cards[seed] for seed in seeds if seed in cards)
        fitting = [a for a in NAMES if name == a or name.startswith(f"{a}-")]
        architecture = on_board[0].architecture if on_board else max(fitting, key=len, default="")
        models[name] = ScoredModel(name, architecture if architecture in NAMES else "", seeds, on_board)
    order = {name: i for i, name in enumerate(NAMES)}
    return dict(
        sorted(models.items(), key=lambda each: (each[0] not in NAMES, order.get(each[1].architecture, 99), each[0]))
    )


def by_another_recipe(models: Iterable[ScoredModel]) -> list[ScoredModel]:
    """Those of the paper's models whose training differs in more than the seed from that of most of them."""
    trained = [model for model in models if model.recipe and not model.is_variant]
    usual = Counter(model.recipe for model in trained).most_common(1)
    return [model for model in trained if model.recipe != usual[0][0]]

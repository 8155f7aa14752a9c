"""Which test tiles the page Benchmark is about: all, those of a city, or those of places like the training or not."""

from collections.abc import Collection

import pandas as pd

from scinet.evaluation import benchmark, yardstick
from scinet.models.card import Card

LIKE_TRAINING, UNLIKE_TRAINING = "Places like the training", "Places unlike the training"


def tile_sets(
    tiles: pd.DataFrame, cards: list[Card], of_benchmark: Collection[str] | None = None
) -> dict[str, list[str]]:
    """Images by the name of their set: `benchmark.tile_sets`, and the finest tiles by whether models know the place.

    A place is like the training where the cards of all models name its data set.

    Args:
        tiles: Rows of tiles.
        cards: Of the models on board.
        of_benchmark: The benchmark's images, if rows of own models may be among the rows: other images, which no model
            of the benchmark was scored on, form sets of their own.
    """
    if of_benchmark is not None:
        is_known = tiles["image"].isin(of_benchmark)
        own = benchmark.tile_sets(tiles[~is_known]) if not is_known.all() else {}
        return tile_sets(tiles[is_known], cards) | {f"Own tiles: {name}": images for name, images in own.items()}
    sets = benchmark.tile_sets(tiles)
    finest = sets.get(benchmark.ALL_SETS, [])
    trained = [{str(data.get("dataset")) for data in card.data} for card in cards if card.data]
    if not finest or not trained:
        return sets
    known = set.intersection(*trained)
    each = tiles.drop_duplicates("image").set_index("image").loc[finest]
    each = each[each["dataset"] != yardstick.DATASET]
    is_known = each["dataset"].isin(known)
    by_kind = {LIKE_TRAINING: each.index[is_known].tolist(), UNLIKE_TRAINING: each.index[~is_known].tolist()}
    first = {benchmark.ALL_SETS: finest, **{name: images for name, images in by_kind.items() if images}}
    return {**first, **sets}


def places_in_words(name: str) -> str:
    """A set's name within a sentence, after "in"."""
    words = {benchmark.ALL_SETS: "all cities", LIKE_TRAINING: "places like the training"}
    return words.get(name, "places unlike the training" if name == UNLIKE_TRAINING else name)

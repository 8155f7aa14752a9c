"""Models by kind of place: where each reaches the target, and the way to the tiles where it does not."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from pages.app.state import SCENARIO, SCENARIO_CELLS, SECTION, TILES_MODEL, session
from pages.views.benchmark import downloads
from pages.views.benchmark.metrics import SCORE_TITLES
from pages.views.benchmark.scored_models import ScoredModel
from pages.views.benchmark.selection import Selection
from scinet.evaluation import bootstrap
from scinet.evaluation.benchmark import native_gsd
from scinet.evaluation.tile_traits import SCENARIOS, traits_by_image

LEAST_TILES = 3  # fewer tiles say nothing about a kind of place
FAILS, UNLIKELY, PASSES = "rgba(200, 40, 30, 0.38)", "rgba(200, 40, 30, 0.14)", "rgba(0, 140, 95, 0.24)"
ROW_PX = 30


class Place(NamedTuple):
    """A kind of place: its name, what it means, and the images that show it."""

    title: str
    meaning: str
    images: frozenset[str]


def show(chosen: Selection) -> None:
    """Draw the table; a click on a cell leads to its tiles."""
    places = places_of(chosen)
    if not places:
        st.info("These tiles are too few for scenarios: choose another kind of place above.")
        return
    table = _scores(chosen.key("scenarios", chosen.metric, f"{chosen.cm_per_px}"), chosen, places)
    models = [model for model in chosen.models if model.name in set(table["system"])]
    values = {(row.place, row.system): row for row in table.itertuples()}
    grid = [[values.get((i, model.name)) for model in models] for i in range(len(places))]
    shown = pd.DataFrame(
        [[row.value if row else None for row in line] for line in grid],
        index=[f"{place.title} ({len(place.images)} tiles)" for place in places],
        columns=[model.title for model in models],
    )
    colours = pd.DataFrame(
        [[_colour(row, chosen.target) for row in line] for line in grid], index=shown.index, columns=shown.columns
    )
    st.dataframe(
        shown.style.apply(lambda _: colours, axis=None).format("{:.3f}", na_rep="–"),
        key=SCENARIO_CELLS,
        on_select=lambda: take(st.session_state[SCENARIO_CELLS], places, models),
        selection_mode="single-cell",
        row_height=ROW_PX,
        height=ROW_PX * len(places) + 38,
        width="stretch",
    )
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.caption(
        f"{SCORE_TITLES[chosen.metric]} at {chosen.cm_per_px:g} cm/px. Red: under the target of {chosen.target:g}, "
        "strong where the whole interval is; green: over it with the whole interval. Click a cell for its tiles."
        + ("" if _has_traits(chosen) else " Size, density, distance and roofs need rows made since they are measured.")
    )
    with right:
        meanings = {i: (place.title, place.meaning) for i, place in enumerate(places)}
        named = table.assign(
            scenario=table["place"].map(lambda i: meanings[int(i)][0]),
            meaning=table["place"].map(lambda i: meanings[int(i)][1]),
        )
        downloads.show(chosen, named.drop(columns="place"), "scenarios")


def places_of(chosen: Selection) -> list[Place]:
    """The kinds of places that the chosen tiles show, with at least LEAST_TILES each."""
    tiles = chosen.resampled.drop_duplicates("image").set_index("image")
    traits = traits_by_image(chosen.benchmark.tiles).reindex(tiles.index)
    places = [
        Place(f"{scenario.group}: {scenario.title.lower()}", scenario.meaning, _named(scenario.holds(traits)))
        for scenario in SCENARIOS
    ]
    places += [
        Place(f"Place: {city}", "tiles of that city", _named(tiles["city"] == city)) for city in _each(tiles["city"])
    ]
    gsds = native_gsd(tiles)
    places += [Place(f"Native: {gsd:g} cm/px", "tiles of that resolution", _named(gsds == gsd)) for gsd in _each(gsds)]
    return [place for place in places if len(place.images) >= LEAST_TILES]


def take(selection: dict[str, Any], places: Sequence[Place], models: Sequence[ScoredModel]) -> None:
    """Go to the tiles of the clicked cell."""
    for row, column in selection["selection"]["cells"]:
        titles = {model.title: model.name for model in models}
        state = st.session_state
        state[SECTION], state[SCENARIO] = "Tiles", places[row].title
        if column in titles:
            state[TILES_MODEL] = titles[column]
        session().tiles_shown = 0


@st.cache_data(max_entries=32, show_spinner="Computing the intervals")
def _scores(key: str, _chosen: Selection, _places: Sequence[Place]) -> pd.DataFrame:
    """`bootstrap.estimates` of the chosen score over the column place, an index of the places."""
    rows = _chosen.resampled
    rows = rows[rows["cm_per_px"] == _chosen.cm_per_px]
    of_places = [rows[rows["image"].isin(place.images)].assign(place=i) for i, place in enumerate(_places)]
    return bootstrap.estimates(pd.concat(of_places), "place", metrics=(_chosen.metric,))


def _colour(row: Any, target: float) -> str:
    if row is None or not target:
        return ""
    low, high = (row.value, row.value) if pd.isna(row.low) else (row.low, row.high)
    colour = PASSES if low >= target else FAILS if high < target else UNLIKELY if row.value < target else ""
    return f"background-color: {colour}" if colour else ""


def _has_traits(chosen: Selection) -> bool:
    return not traits_by_image(chosen.benchmark.tiles).empty


def _named(holds: pd.Series) -> frozenset[str]:
    return frozenset(holds.index[holds.fillna(False).astype(bool)])


def _each(values: pd.Series) -> list[Any]:
    return sorted(values.unique().tolist())

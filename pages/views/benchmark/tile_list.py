"""The tiles behind a point of a figure, worst first; each opens in Explore."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.app.controls import PLACES_TITLES, STRATEGY_TITLES
from pages.app.markdown import sentence
from pages.app.state import AXIS, SCENARIO, TILES_AT, TILES_BY, TILES_MODEL, session
from pages.sources.folder import current_folder
from pages.sources.gallery import thumbnail
from pages.sources.tiles import label, read_tile
from pages.views.benchmark import mask_grid
from pages.views.benchmark.mask_grid import TileRow
from pages.views.benchmark.metrics import IOU, OWN, WRONG_AREA
from pages.views.benchmark.scenarios import places_of
from pages.views.benchmark.scored_models import ScoredModel
from pages.views.benchmark.selection import Selection
from scinet.datasets.tiles import tiles_in
from scinet.errors import SciNetError
from scinet.evaluation import scores
from scinet.evaluation.benchmark import BENCHMARK_STRATEGIES
from scinet.evaluation.grading import step_title, two_digits
from scinet.evaluation.scores import Counts
from scinet.models.card import list_models

TILES_AT_ONCE, MASKED_AT_ONCE = 12, 3
MASKED_MODELS = 3  # next to one another, so that errors can be seen
PICTURES, MASKS = "Pictures", "Masks"
ALL_PLACES = "All tiles"


def show(chosen: Selection) -> None:
    """Draw the list, of the model and at the resolution that a click on the curves has set or the widgets choose."""
    models = {model.name: model for model in chosen.models}
    left, middle, place, right, view = st.columns([2, 1.5, 2, 2, 2], vertical_alignment="bottom")
    name = left.selectbox(
        "Model", list(models), format_func=lambda n: models[n].title, key=TILES_MODEL, bind="query-params"
    )
    rows, cm_per_px = _rows(chosen, middle)
    rows = _of_scenario(chosen, rows, place)
    by = right.segmented_control(
        "Worst by",
        [WRONG_AREA, IOU],
        default=WRONG_AREA,
        key=TILES_BY,
        bind="query-params",
        required=True,
        width="stretch",
        help="Wrong area: missed and false pixels in m², as micro scores weigh tiles. IoU: as macro scores do.",
    )
    has_masks = (
        view.segmented_control(
            "Show",
            [PICTURES, MASKS],
            default=PICTURES,
            key="tiles_as",
            bind="query-params",
            required=True,
            width="stretch",
        )
        == MASKS
    )
    model = models[name]
    tiles = worst_first(rows, model, cm_per_px, chosen.grid, by)
    if tiles.empty:
        st.info("There are no such tiles: choose another scenario.")
        return
    folder = tiles_folder(tiles)
    st.caption(_summary(chosen, model, tiles, cm_per_px, can_open=folder is not None))
    at_once = MASKED_AT_ONCE if has_masks else TILES_AT_ONCE
    shown = session().tiles_shown or at_once
    if has_masks and folder is not None:
        _masks(chosen, model, tiles.head(shown), folder)
    else:
        with st.container(key="behind"):
            for row in tiles.head(shown).itertuples():
                with st.container(gap="xxsmall"):
                    _tile(row, model, chosen.strategy, folder)
    if shown < len(tiles):
        st.button(
            f"Show more ({len(tiles) - shown})", key="behind_more", on_click=_show_more, args=(shown + 2 * at_once,)
        )


def _of_scenario(chosen: Selection, rows: pd.DataFrame, place: DeltaGenerator) -> pd.DataFrame:
    """The rows of the tiles of a scenario that is chosen here, or that a click on the table of scenarios has set."""
    by_title = {each.title: each for each in places_of(chosen)}
    if st.session_state.get(SCENARIO) not in (None, ALL_PLACES, *by_title):
        st.session_state[SCENARIO] = ALL_PLACES
    title = place.selectbox("Scenario", [ALL_PLACES, *by_title], key=SCENARIO, bind="query-params")
    return rows[rows["image"].isin(by_title[title].images)] if title in by_title else rows


def _masks(chosen: Selection, model: ScoredModel, tiles: pd.DataFrame, folder: Path) -> None:
    """Draw the masks of the model and of two others on the tiles."""
    others = [card for other in chosen.models for card in other.cards[:1] if other.name != model.name]
    cards = [*model.cards[:1], *others][:MASKED_MODELS]
    by_image = {tile.image.relative_to(folder).as_posix(): tile for tile in tiles_in(folder)}
    rows = []
    for row in tiles.itertuples():
        tile = by_image.get(row.image)
        if tile is not None:
            subject = read_tile(tile, f"{tile.city} · {tile.image.stem}")
            rows.append(TileRow(subject, row.seen_cm_per_px, place_of(row)))
    mask_grid.show(rows, cards, BENCHMARK_STRATEGIES[chosen.strategy], "tiles")


def _rows(chosen: Selection, place: DeltaGenerator) -> tuple[pd.DataFrame, float]:
    """The rows of the curves, and the resolution: the page's, or of tiles at their own, one to choose."""
    if st.session_state.get(AXIS) != OWN:
        place.html(f'<div class="sn-curve">at {chosen.cm_per_px:g} cm/px</div>')
        return chosen.resampled, chosen.cm_per_px
    rows = chosen.own_gsd
    gsds = sorted(rows["cm_per_px"].unique().tolist())
    if st.session_state.get(TILES_AT) not in gsds:
        st.session_state[TILES_AT] = min(gsds, key=lambda gsd: abs(gsd - chosen.cm_per_px))
    return rows, float(place.selectbox("Native", gsds, format_func=lambda gsd: f"{gsd:g} cm/px", key=TILES_AT))


def _summary(chosen: Selection, model: ScoredModel, tiles: pd.DataFrame, cm_per_px: float, *, can_open: bool) -> str:
    """What is listed, and what of it cannot be opened."""
    text = f"{len(tiles)} tiles of {sentence(model.title)} at {cm_per_px:g} cm/px, {chosen.grid} grid"
    if len(model.seeds) > 1:
        text += f", trained as {tiles['model'].iloc[0]}"
    text += "."
    if not model.cards:
        text += " This model is not on board: Explore opens the tiles with others."
    if not can_open:
        text += (
            " These tiles are not on this machine: to open them, cut the published scenes with "
            "python -m training.prepare --scenes SCENES --out DIR, then start the app with --data DIR."
        )
    return text


def _tile(row: Any, model: ScoredModel, strategy: str, folder: Path | None) -> None:
    """Draw a tile's thumbnail and its link, or its name if it cannot be opened."""
    text = f"IoU {row.iou:.2f} · {row.wrong_m2:,.0f} m²"
    name = Path(row.image).stem
    if folder is None:
        st.caption(f"{sentence(name)}: {text}")
        return
    picture = thumbnail(folder, row.image)
    if picture:
        st.image(picture, width="stretch", alt=f"{name} of {row.city}")
    st.page_link(
        "pages/explore.py",
        label=f"{text} →",
        width="stretch",
        query_params=address(row, model, strategy),
        help=sentence(f"Open {name} of {row.city} in Explore"),
    )


def _show_more(shown: int) -> None:
    session().tiles_shown = shown


def worst_first(rows: pd.DataFrame, model: ScoredModel, cm_per_px: float, grid: str, by: str) -> pd.DataFrame:
    """One row per tile with iou and wrong_m2, for the seed on board, or else for the first one."""
    tiles = rows[(rows["model"] == model.trained_as) & (rows["cm_per_px"] == cm_per_px)]
    counts = [Counts(r.shared, r.predicted - r.shared, r.true - r.shared) for r in tiles.itertuples()]
    side_m = tiles["native_cm_per_px" if grid == "native" else "seen_cm_per_px"] / 100
    wrong_px = tiles["predicted"] + tiles["true"] - 2 * tiles["shared"]
    tiles = tiles.assign(iou=[scores.iou(c) for c in counts], wrong_m2=wrong_px * side_m**2)
    if by == IOU:
        return tiles.sort_values(["iou", "wrong_m2"], ascending=[True, False])
    return tiles.sort_values("wrong_m2", ascending=False)


def tiles_folder(tiles: pd.DataFrame) -> Path | None:
    """The folder of tiles, if it contains the first of them."""
    try:
        folder = current_folder()
    except SciNetError:
        return None
    return folder if (folder / "index.csv").is_file() and (folder / tiles["image"].iloc[0]).is_file() else None


def address(row: Any, model: ScoredModel, strategy: str) -> dict[str, str | list[str]]:
    """The address of Explore with that tile at that resolution, by that strategy, the model next to another one."""
    native = row.native_cm_per_px
    step = native if math.isclose(row.seen_cm_per_px, native, rel_tol=1e-3) else row.seen_cm_per_px
    others = [card.title for card in list_models() if card not in model.cards]
    titles = [card.title for card in model.cards[:1]] + others
    return {
        **place_of(row),
        "gsd": step_title(step, native),
        "strategy": STRATEGY_TITLES[BENCHMARK_STRATEGIES[strategy].name],
        "places": PLACES_TITLES[BENCHMARK_STRATEGIES[strategy].places],
        "models": titles[:2],
        "left_pane": titles[0] if titles else "Image",
        "right_pane": titles[1] if len(titles) > 1 else "Image",
    }


def place_of(row: Any) -> dict[str, str]:
    """The part of Explore's address that names a tile of the folder."""
    return {
        "source": "Tiles",
        "city": row.city,
        "native": f"{two_digits(row.native_cm_per_px):g} cm/px",
        "tile": label(row.image, "test"),
    }

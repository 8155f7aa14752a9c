"""The tiles behind a point of a figure, worst first; each opens in Explore."""

from pathlib import Path

import pandas as pd
import streamlit as st

from pages.sources.folder import preset_folder
from pages.sources.gallery import thumbnail
from pages.sources.tiles import label
from pages.views.benchmark.selection import Selection, System
from scinet.errors import SciNetError
from scinet.evaluation import scores
from scinet.evaluation.grading import step_title, steps_around
from scinet.evaluation.scores import Counts
from scinet.models.card import list_models

POINT = "benchmark.point"  # system, cm/px and metric of the point that was clicked last
SHOWN, COLUMNS = "benchmark.shown", 6
TILES_AT_ONCE = 12


def show(chosen: Selection, rows: pd.DataFrame) -> None:
    """The list; ``rows`` are those of the figure. Two widgets choose a point as a click does."""
    systems = {system.name: system for system in chosen.systems}
    gsds = sorted(rows["cm_per_px"].unique().tolist())
    clicked = st.session_state.pop(POINT, None)
    if clicked is not None and clicked[0] in systems and clicked[1] in gsds:
        st.session_state["behind_system"], st.session_state["behind_gsd"] = clicked[:2]
        st.session_state["behind_by"] = "IoU" if clicked[2].startswith("macro") else "Wrong area"
        st.session_state[SHOWN] = TILES_AT_ONCE
    if st.session_state.get("behind_gsd") not in gsds:
        st.session_state["behind_gsd"] = min(gsds, key=lambda gsd: abs(gsd - 15))
    left, middle, right, _ = st.columns([2, 2, 2, 3], vertical_alignment="bottom")
    name = left.selectbox("System", list(systems), format_func=lambda n: systems[n].title, key="behind_system")
    cm_per_px = middle.selectbox("At", gsds, format_func=lambda gsd: f"{gsd:g} cm/px", key="behind_gsd")
    by = right.segmented_control(
        "Worst by",
        ["Wrong area", "IoU"],
        default="Wrong area",
        key="behind_by",
        required=True,
        width="stretch",
        help="Wrong area: missed and false pixels in m², as micro scores weigh tiles. IoU: as macro scores do.",
    )
    system = systems[name]
    tiles = worst_first(rows, system, cm_per_px, chosen.grid, by or "Wrong area")
    folder = tiles_folder(tiles)
    remark = "" if folder else " They are not in the folder of tiles, so they cannot be opened: start with --data DIR."
    st.caption(
        f"{len(tiles)} tiles of {system.title} at {cm_per_px:g} cm/px, {chosen.grid} grid"
        + (f", checkpoint {tiles['model'].iloc[0]}." if len(system.models) > 1 else ".")
        + ("" if system.cards else " This checkpoint is not on board: Explore opens them with others.")
        + remark
    )
    shown = st.session_state.setdefault(SHOWN, TILES_AT_ONCE)
    with st.container(key="behind"):
        for row in tiles.head(shown).itertuples():
            with st.container(gap="xxsmall"):
                picture = thumbnail(str(folder / row.image)) if folder else None
                if picture is not None:
                    st.image(picture, width="stretch")
                text = f"IoU {row.iou:.2f} · {row.wrong_m2:,.0f} m²"
                if folder is None:
                    st.caption(f"{Path(row.image).stem}: {text}")
                    continue
                st.page_link(
                    "pages/explore.py",
                    label=f"{text} →",
                    width="stretch",
                    query_params=address(row, system, cm_per_px),
                    help=f"Open {Path(row.image).stem} of {row.city} in Explore",
                )
    if shown < len(tiles):
        st.button(f"More of {len(tiles) - shown}", key="behind_more", on_click=_more)


def _more() -> None:
    st.session_state[SHOWN] += 2 * TILES_AT_ONCE


def worst_first(rows: pd.DataFrame, system: System, cm_per_px: float, grid: str, by: str) -> pd.DataFrame:
    """A row a tile with iou and wrong_m2 of the system's checkpoint on board, or else of its first one."""
    model = system.cards[0].name if system.cards else system.models[0]
    tiles = rows[(rows["model"] == model) & (rows["cm_per_px"] == cm_per_px)]
    counts = [Counts(r.shared, r.predicted - r.shared, r.true - r.shared) for r in tiles.itertuples()]
    side_m = tiles["native_cm_per_px" if grid == "native" else "seen_cm_per_px"] / 100
    wrong_px = tiles["predicted"] + tiles["true"] - 2 * tiles["shared"]
    tiles = tiles.assign(iou=[scores.iou(c) for c in counts], wrong_m2=wrong_px * side_m**2)
    if by == "IoU":
        return tiles.sort_values(["iou", "wrong_m2"], ascending=[True, False])
    return tiles.sort_values("wrong_m2", ascending=False)


def tiles_folder(tiles: pd.DataFrame) -> Path | None:
    """The folder of tiles, where it holds the first of them."""
    typed = str(st.session_state.get("folder") or "").strip()
    try:
        folder = Path(typed).expanduser() if typed else preset_folder()
    except SciNetError:
        return None
    return folder if (folder / "index.csv").is_file() and (folder / tiles["image"].iloc[0]).is_file() else None


def address(row, system: System, cm_per_px: float) -> dict[str, str | list[str]]:
    """Explore with that tile, at its step nearest to the GSD, and with the system beside another model."""
    native = row.native_cm_per_px
    step = min(steps_around(native), key=lambda gsd: max(gsd / row.seen_cm_per_px, row.seen_cm_per_px / gsd))
    others = [card.title for card in list_models() if card not in system.cards]
    titles = [card.title for card in system.cards[:1]] + others
    return {
        "source": "Tiles",
        "city": row.city,
        "native": f"{float(f'{native:.2g}'):g} cm/px",
        "tile": label(row.image, "test"),
        "gsd": step_title(step, native),
        "models": titles[:2],
        "left_pane": titles[0] if titles else "Image",
        "right_pane": titles[1] if len(titles) > 1 else "Image",
    }

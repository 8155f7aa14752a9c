"""Benchmark: the scores of all systems on test tiles, as the paper's figures and tables, with their intervals."""

import streamlit as st

from pages.app import navigation
from pages.views.benchmark import costs, figure_5, paper, tables, tile_list
from pages.views.benchmark.selection import Selection, choose, estimates, read, robustness
from pages.views.explore import panels
from scinet.errors import BenchmarkError
from scinet.evaluation.benchmark import native_gsd

AXES = {"Same tiles": "resampled", "Own GSD": "own"}
NOTHING = "There is no benchmark.json beside the checkpoints: python -m training.benchmark writes it."
USUAL_CM_PER_PX = 15.0


def ranking(chosen: Selection) -> float:
    """Which system to take at a GSD: the page's first answer. Returns that GSD."""
    rows = chosen.resampled
    gsds = sorted(rows["cm_per_px"].unique().tolist())
    nearest = min(gsds, key=lambda gsd: abs(gsd - USUAL_CM_PER_PX))
    st.subheader("Which model at my resolution?", anchor="ranking")
    if st.session_state.get("rank_at") not in (None, *gsds):
        st.session_state["rank_at"] = nearest
    cm_per_px = st.select_slider(
        "Ground resolution of your images",
        gsds,
        value=nearest,
        format_func=lambda gsd: f"{gsd:g} cm/px",
        key="rank_at",
        bind="query-params",
        help="The test tiles are resampled to it.",
    )
    ranked = tables.ranking(chosen, estimates(chosen.key("resampled"), rows), cm_per_px)
    titles = [system.cards[0].title for system in ranked if system.cards][:2]
    if titles:
        st.page_link(
            "pages/explore.py", label=f"See {' and '.join(titles)} on an image →", query_params={"models": titles}
        )
    return cm_per_px


def by_resolution(chosen: Selection) -> None:
    st.subheader("Score by resolution: the paper's Figure 5", anchor="figure-5")
    axis = st.segmented_control(
        "Tiles at each resolution",
        list(AXES),
        default="Same tiles",
        key="axis",
        bind="query-params",
        required=True,
        help="Same tiles: the chosen tiles, resampled to every cm/px, so that only the scale changes. Own GSD: every "
        "test tile at its own resolution, as in the paper, so that the places change too.",
    )
    own = AXES[axis or "Same tiles"] == "own"
    rows = chosen.own_gsd if own else chosen.resampled
    key = "own" if own else "resampled"
    figure_5.figure_5(chosen, estimates(chosen.key(key), rows), f"figure-5-{key}")
    st.caption("A click on a point lists its tiles below, worst first.")
    with st.container(border=True):
        tile_list.show(chosen, rows)


def papers_tables(chosen: Selection) -> None:
    st.subheader("The paper's tables, and ours", anchor="tables")
    everything = chosen.rows[chosen.rows["is_native"]].assign(cm_per_px=0.0)
    table = estimates(chosen.key("all"), everything)
    st.caption(
        f"Ours: {everything['image'].nunique()} test tiles of {everything['city'].nunique()} cities, each at its own "
        "GSD. The paper's: 10 % of 40,000 tiles of seven cities, drawn at random. Figures in per cent; the two are "
        "not of the same tiles, trainings or budgets."
    )
    tables.papers(chosen, table, paper.TABLE_1, "Table 1")
    tables.papers(chosen, table, paper.TABLE_2, "Table 2")
    with st.expander("What else to know beside the paper's figures"):
        st.markdown("\n".join(f"- {slip}" for slip in paper.GENERAL_SLIPS))


def cities(chosen: Selection) -> None:
    st.subheader("By city, and by native GSD", anchor="cities")
    own = chosen.rows[chosen.rows["is_native"]].assign(cm_per_px=0.0)
    by_city = dict(list(own.groupby("city")))
    by_gsd = {f"{gsd:g} cm/px": group for gsd, group in own.groupby(native_gsd(own))}
    for groups in (by_city, by_gsd):
        tables.cities(chosen, {str(name): estimates(chosen.key(str(name)), rows) for name, rows in groups.items()})
    costs.figure_4(chosen)
    st.caption("Test tiles by native GSD, as the paper's Figure 4 has them for its data.")


def main() -> None:
    navigation.through_app()
    panels.style()
    try:
        found = read()
    except BenchmarkError as error:
        st.error(str(error))
        return
    if found is None:
        st.info(NOTHING)
        return
    with st.sidebar:
        chosen = choose(*found)
    if not chosen.systems:
        st.info("Choose a system in the sidebar.")
        return
    cm_per_px = ranking(chosen)
    by_resolution(chosen)
    st.subheader("How far the score holds", anchor="robustness")
    tables.robustness(chosen, robustness(chosen.key(chosen.metric), chosen.metric, chosen.resampled))
    st.subheader(f"Score against cost, at {cm_per_px:g} cm/px", anchor="cost")
    costs.scatter(chosen, estimates(chosen.key("resampled"), chosen.resampled), cm_per_px)
    papers_tables(chosen)
    cities(chosen)


main()

"""Benchmark: the scores of all models on test tiles, as the paper's figures and tables, with their intervals."""

from dataclasses import replace

import streamlit as st

from pages.app import navigation
from pages.app.benchmark_file import versioned_benchmark
from pages.app.markdown import sentence
from pages.app.state import RANKED_AT
from pages.views.benchmark import costs, figure_5, object_table, paper, tables, tile_list
from pages.views.benchmark.metrics import SCORE_TITLES
from pages.views.benchmark.selection import Selection, choose, estimates, robustness, scale_gains
from pages.views.benchmark.tile_list import USUAL_CM_PER_PX
from scinet.errors import BenchmarkError
from scinet.evaluation.benchmark import native_gsd

AXES = {"Same tiles": "resampled", "Own GSD": "own"}
NO_BENCHMARK = "There is no benchmark.json next to the models: python -m training.benchmark writes it."


def ranking(chosen: Selection) -> float:
    """Draw the page's first answer: which model to use at a resolution. Returns that resolution."""
    rows = chosen.resampled
    gsds: list[float] = sorted(rows["cm_per_px"].unique().tolist())
    nearest = min(gsds, key=lambda gsd: abs(gsd - USUAL_CM_PER_PX))
    st.subheader("Which model at my resolution?", anchor="ranking")
    if st.session_state.get(RANKED_AT) not in (None, *gsds):
        st.session_state[RANKED_AT] = nearest
    cm_per_px = st.select_slider(
        "Ground resolution of your images",
        gsds,
        value=nearest,
        format_func=lambda gsd: f"{gsd:g} cm/px",
        key=RANKED_AT,
        bind="query-params",
        help="The test tiles are resampled to this resolution.",
    )
    ranked = tables.ranking(chosen, estimates(chosen.key("resampled"), rows), cm_per_px)
    titles = [model.cards[0].title for model in ranked if model.cards][:2]
    if titles:
        st.page_link(
            "pages/explore.py", label=f"See {' and '.join(titles)} on an image →", query_params={"models": titles}
        )
    return cm_per_px


def by_resolution(chosen: Selection) -> None:
    """Draw Figure 5 and the tiles behind its points."""
    st.subheader(f"{SCORE_TITLES[chosen.metric]} by resolution, like the paper's Figure 5", anchor="figure-5")
    axis = st.segmented_control(
        "Tiles at each resolution",
        list(AXES),
        default="Same tiles",
        key="axis",
        bind="query-params",
        required=True,
        help="Same tiles: the chosen tiles, resampled to every resolution, so that only the scale changes. Own GSD: "
        "every test tile at its native resolution, as in the paper, so that the places change too.",
    )
    is_own = AXES[axis or "Same tiles"] == "own"
    rows = chosen.own_gsd if is_own else chosen.resampled
    key = "own" if is_own else "resampled"
    figure_5.figure_5(chosen, estimates(chosen.key(key), rows), f"figure-5-{key}")
    st.caption("Click a point to list its tiles below, worst first.")
    with st.container(border=True):
        tile_list.show(chosen, rows)


def objects_and_gains(chosen: Selection, cm_per_px: float) -> None:
    """Draw the object scores at a resolution, and what scale and architecture buy there."""
    st.subheader(f"Buildings counted, at {cm_per_px:g} cm/px", anchor="objects")
    object_table.objects(chosen, estimates(chosen.key("resampled"), chosen.resampled), cm_per_px)
    scaled = [name for name in chosen.benchmark.strategies if name != "direct"]
    if not scaled or "direct" not in chosen.benchmark.strategies:
        return
    best = chosen.strategy if chosen.strategy in scaled else scaled[0]
    st.subheader(f"What scale buys, and what architecture, at {cm_per_px:g} cm/px", anchor="scale")
    rows = {strategy: chosen.resampled_by(strategy) for strategy in ("direct", best)}
    by_strategy = {name: estimates(replace(chosen, strategy=name).key("resampled"), rows[name]) for name in rows}
    object_table.gains(
        chosen, scale_gains(chosen.key("gains", best), rows[best], rows["direct"]), by_strategy, cm_per_px
    )


def papers_tables(chosen: Selection) -> None:
    """Draw the paper's tables with our figures."""
    st.subheader("The paper's tables, and ours", anchor="tables")
    everything = chosen.native.assign(cm_per_px=0.0)
    table = estimates(chosen.key("all"), everything)
    st.caption(
        f"Ours: {everything['image'].nunique()} test tiles of {everything['city'].nunique()} cities, each at its "
        "native resolution. The paper's: 10 % of 40,000 tiles of seven cities, drawn at random. Scores in per "
        "cent; tiles, trainings and budgets differ between the two."
    )
    tables.papers(chosen, table, paper.TABLE_1, "Table 1")
    tables.papers(chosen, table, paper.TABLE_2, "Table 2")
    with st.expander("More remarks on the paper's figures"):
        st.markdown("\n".join(f"- {slip}" for slip in paper.GENERAL_SLIPS))


def cities(chosen: Selection) -> None:
    """Draw the scores by city and by native resolution, and Figure 4."""
    st.subheader("By city, and by native resolution", anchor="cities")
    native = chosen.native.assign(cm_per_px=0.0)
    by_city = dict(list(native.groupby("city")))
    by_gsd = {f"{gsd:g} cm/px": group for gsd, group in native.groupby(native_gsd(native))}
    for groups in (by_city, by_gsd):
        tables.groups(chosen, {str(name): estimates(chosen.key(str(name)), rows) for name, rows in groups.items()})
    costs.figure_4(chosen)
    st.caption("Test tiles by native resolution, like the paper's Figure 4.")


def main() -> None:
    """Draw the page."""
    navigation.through_app()
    try:
        found = versioned_benchmark()
    except BenchmarkError as error:
        st.error(sentence(str(error)))
        return
    if found is None:
        st.info(NO_BENCHMARK)
        return
    with st.sidebar:
        chosen = choose(found)
    if not chosen.models:
        st.info("Choose a model in the sidebar.")
        return
    if chosen.resampled.empty:
        st.info("There are no scores of these models at other resolutions; choose other models or another test set.")
        return
    cm_per_px = ranking(chosen)
    by_resolution(chosen)
    objects_and_gains(chosen, cm_per_px)
    st.subheader("Robustness to the resolution", anchor="robustness")
    tables.robustness(chosen, robustness(chosen.key(chosen.metric), chosen.metric, chosen.resampled))
    st.subheader(f"Score against cost, at {cm_per_px:g} cm/px", anchor="cost")
    costs.scatter(chosen, estimates(chosen.key("resampled"), chosen.resampled), cm_per_px)
    papers_tables(chosen)
    cities(chosen)


main()

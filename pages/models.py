"""Models: those on board and how they were made, any two compared, and custom ones."""

import streamlit as st

from pages.app import custom_models, navigation
from pages.app.benchmark_file import versioned_benchmark
from pages.app.markdown import sentence
from pages.views.models import add_model, facts, summary, training_curves
from scinet.errors import BenchmarkError
from scinet.evaluation import bootstrap
from scinet.evaluation.benchmark import Benchmark, dataset_title
from scinet.models.card import Card, checkpoints_folder

NONE = ""


def choose(cards: list[Card]) -> list[Card]:
    """Draw the widgets that choose one model, and possibly another to compare it with."""
    by_name = {card.name: card for card in cards}
    left, right, far = st.columns([2, 2, 3], vertical_alignment="bottom")
    first = left.selectbox(
        "Model", list(by_name), format_func=lambda name: by_name[name].title, key="checkpoint", bind="query-params"
    )
    others = [NONE, *(name for name in by_name if name != first)]
    second = right.selectbox(
        "Compare with",
        others,
        format_func=lambda name: by_name[name].title if name else "none",
        key="compare_with",
        bind="query-params",
        help="Shows the facts side by side, and the difference of the scores on the same test tiles.",
    )
    far.markdown("[Add a custom model](#add)")
    return [by_name[name] for name in (first, second) if name]


def show_differences(cards: list[Card], benchmark: Benchmark) -> None:
    """Draw the second model's scores minus the first's, on each data set's tiles at native resolution, tile by tile."""
    one, other = cards
    tiles = benchmark.tiles
    tiles = tiles[tiles["is_native"] & (tiles["grid"] == "working") & (tiles["strategy"] == "direct")]
    lines = []
    for dataset, rows in tiles[tiles["model"].isin([one.name, other.name])].groupby("dataset"):
        names = {one.name: "first", other.name: "second"}  # two seeds of one model remain two
        table = bootstrap.estimates(rows.assign(model=rows["model"].map(names), own=0.0), "own", against="first")
        found = table[(table["system"] == "second") & (table["metric"] == "micro_iou")]
        if len(found) and not found["change"].isna().any():
            row = found.iloc[0]
            beyond = row["change_low"] > 0 or row["change_high"] < 0
            interval = f", {row['change_low']:+.3f} to {row['change_high']:+.3f}" if row["tiles"] > 1 else ""
            sure = " (more than the choice of tiles explains)" if beyond else ""
            lines.append(
                f"- {sentence(dataset_title(str(dataset)))}, {row['tiles']} tiles: {row['change']:+.3f}{interval}{sure}"
            )
    if lines:
        st.markdown(
            f"**Micro-IoU of {sentence(other.title)} minus that of {sentence(one.title)}**, each tile at its native "
            f"resolution, with the "
            f"{bootstrap.LEVEL:.0%} interval over tiles:\n\n" + "\n".join(lines)
        )


def main() -> None:
    """Draw the page."""
    navigation.through_app()
    benchmark = None
    try:
        found = versioned_benchmark()
        benchmark = found.benchmark if found else None
    except BenchmarkError as error:
        st.warning(sentence(str(error)))
    cards = custom_models.all_cards()
    if cards:
        shown = choose(cards)
        if len(shown) == 2 and benchmark:
            show_differences(shown, benchmark)
        summary.show(shown)
        with st.expander("Everything on the card", expanded=len(shown) == 2):
            facts.show(shown, benchmark)
        with st.expander("Training curve"):
            training_curves.show(shown)
    else:
        st.info(f"There are no models in {checkpoints_folder()}: train one with python -m training.train.")
    if benchmark:
        absent = [name for name in benchmark.models if name not in {card.name for card in cards}]
        if absent:
            st.caption(f"Scored on the page Benchmark, but not on board: {sentence(', '.join(absent))}.")
    st.subheader("Add a custom model", anchor="add")
    with st.container():  # one place on the page, however many there are: else the form would be reset
        add_model.list_added()
    add_model.show()


main()

"""A model of one's own in the ranking: scored on the test tiles in the background, or opened from a file."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.app import custom_models
from pages.app.benchmark_file import VersionedBenchmark
from pages.app.markdown import sentence
from pages.app.scoring import Scoring
from pages.app.state import SYSTEMS, session
from pages.sources.folder import current_folder
from pages.views.benchmark.selection import Selection
from scinet.datasets.tiles import Tile
from scinet.errors import SciNetError
from scinet.evaluation import bootstrap
from scinet.evaluation.benchmark import Benchmark
from scinet.evaluation.benchmark_rows import read_rows, rows_to_parquet
from scinet.evaluation.threshold_sums import THRESHOLD_COLUMNS

MAX_UPLOAD_MB = 100
PROGRESS_S = 1.5  # how often it is drawn


def merged(found: VersionedBenchmark) -> VersionedBenchmark:
    """The benchmark with the rows of this session's own models."""
    own = own_rows(found.benchmark)
    session().own_tables = own
    _update_choice(own)
    if not own:
        return found
    version = "|".join([found.version, *(f"{name}:{len(rows)}" for name, rows in own.items())])
    if session().merged_version != version:
        tables = [rows.drop(columns=list(THRESHOLD_COLUMNS), errors="ignore") for rows in own.values()]
        tiles = pd.concat([found.benchmark.tiles, *tables], ignore_index=True)
        session().merged_version, session().merged_benchmark = version, replace(found.benchmark, tiles=tiles)
    benchmark = session().merged_benchmark
    assert benchmark is not None
    return VersionedBenchmark(benchmark, f"{version}|{session().id}")


def own_rows(scored: Benchmark) -> dict[str, pd.DataFrame]:
    """The rows of own models by name: of files, and of runs that do not go on; names differ from the benchmark's."""
    taken = set(scored.tiles["model"].unique())
    found: dict[str, pd.DataFrame] = {}
    for source, rows in _sources():
        for name, of_model in rows.groupby("model"):
            own = str(name) if name not in taken else f"{name} ({source})"
            found[own] = of_model.assign(model=own)
            taken.add(own)
    return found


def _sources() -> Iterator[tuple[str, pd.DataFrame]]:
    yield from session().opened_rows.items()
    for scoring in session().scorings.values():
        if scoring.tables and not scoring.is_running:
            yield "scored here", scoring.rows()


def _update_choice(own: dict[str, pd.DataFrame]) -> None:
    """In the list of models, have own models chosen that are new, as all were at first, and none that is gone."""
    names, known = {bootstrap.system_of(name) for name in own}, session().known_own
    if names == known:
        return
    session().known_own = names
    if SYSTEMS in st.session_state:
        kept = [name for name in st.session_state[SYSTEMS] if name not in known - names]
        st.session_state[SYSTEMS] = [*kept, *sorted(names - known)]


def show(_: Selection) -> None:
    """Draw what scores a model, what opens rows again, and what has been scored."""
    left, right = st.columns(2, gap="large")
    with left:
        st.html('<div class="sn-curve">Score a model on the test tiles</div>')
        _start()
        for scoring in list(session().scorings.values()):
            with st.container(border=True):
                _show_scoring(scoring)
    with right:
        st.html('<div class="sn-curve">Open rows that were scored before</div>')
        _open_file()
        st.caption(
            "Files of this page, or of the command line: scinet benchmark --model mine.safetensors --data DIR --out "
            "mine.parquet. Everything here is for you alone, and is gone when you close the page: download it."
        )


def _start() -> None:
    own = {card.name: card for card in custom_models.cards()}
    cards = own | {card.name: card for card in custom_models.all_cards()}
    if not own:
        st.page_link("pages/models.py", label="Add your own model on the page Models first →")
    tiles, folder = _tiles()
    if not cards or not tiles:
        return
    name = st.selectbox("Model", list(cards), format_func=lambda n: cards[n].title, key="score_model")
    known = session().scorings.get(name)
    st.caption(
        f"{len(tiles)} test tiles of the folder {sentence(folder.name)}, at 5.18 to 60 cm/px.{_fit(tiles, folder)}"
    )
    is_busy = any(scoring.is_running for scoring in session().scorings.values())
    if st.button(
        "Score it on the test tiles", key="score_start", type="primary", disabled=is_busy or known is not None
    ):
        scoring = Scoring(cards[name], folder, tiles)
        session().scorings[name] = scoring
        scoring.start()
        st.rerun()


def _tiles() -> tuple[list[Tile], Path]:
    from scinet.evaluation.tile_scoring import tiles_to_score

    try:
        folder = current_folder()
        return tiles_to_score(folder), folder
    except SciNetError as error:
        st.info(sentence(str(error)))
        return [], Path()


def _fit(tiles: list[Tile], folder: Path) -> str:
    """What to know where these are not the benchmark's tiles."""
    known = session().benchmark_images
    if any(tile.image.relative_to(folder).as_posix() in known for tile in tiles):
        return ""
    return " They are not those of the benchmark: score other models too, to compare them on these tiles."


@st.fragment(run_every=PROGRESS_S)
def _watch(scoring: Scoring) -> None:
    """Draw the progress of a run; at its end, the whole page is drawn again."""
    if not scoring.is_running:
        st.rerun()
    done = f"{len(scoring.done)} of {len(scoring.tiles)} tiles"
    st.progress(scoring.progress, ", ".join(filter(None, (done, scoring.time_left))))


def _show_scoring(scoring: Scoring) -> None:
    title = sentence(scoring.card.title)
    if scoring.is_running:
        st.markdown(f"**{title}** is being scored. You can go on with other pages meanwhile.")
        _watch(scoring)
        st.button("Cancel", key=f"score_cancel_{scoring.name}", on_click=scoring.cancel)
        return
    done, total = len(scoring.done), len(scoring.tiles)
    st.markdown(f"**{title}**: {done} of {total} tiles scored" + ("." if done == total else ", stopped."))
    if scoring.problem:
        st.error(sentence(scoring.problem))
    with st.container(horizontal=True):
        if done < total:
            st.button("Continue", key=f"score_continue_{scoring.name}", on_click=scoring.start, type="primary")
        if done:
            st.download_button(
                "Download its rows",
                lambda: rows_to_parquet(scoring.rows()),
                f"{scoring.name}.parquet",
                "application/vnd.apache.parquet",
                key=f"score_rows_{scoring.name}",
                on_click="ignore",
            )
        st.button("Remove", key=f"score_remove_{scoring.name}", on_click=_forget, args=(scoring.name,))


def _forget(name: str) -> None:
    session().scorings.pop(name).cancel()


def _open_file() -> None:
    files = st.file_uploader(
        "Files of rows (.parquet)",
        type=["parquet"],
        accept_multiple_files=True,
        key="rows_files",
        max_upload_size=MAX_UPLOAD_MB,
        label_visibility="collapsed",
    )
    for file in files or []:
        if file.file_id not in session().read_files:
            session().read_files[file.file_id] = _read(file)
            st.rerun()
        if problem := session().read_files[file.file_id]:
            st.error(sentence(problem))
    for name, rows in session().opened_rows.items():
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(f"**{sentence(name)}**: {rows['model'].nunique()} models, {rows['image'].nunique()} tiles")
        right.button("Remove", key=f"rows_remove_{name}", on_click=session().opened_rows.pop, args=(name,))


def _read(file: UploadedFile) -> str:
    """Keep the rows of a file; returns why they are refused, or a blank."""
    try:
        session().opened_rows[file.name] = read_rows(file.getvalue(), file.name)
    except SciNetError as error:
        return str(error)
    return ""

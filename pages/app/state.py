"""Everything the app remembers: per session in `Session`, for all sessions in the caches of `CACHE_BYTES`.

Results that hold pixels go into `cache`, which bounds their bytes. Streamlit's own caches bound only the number of
their entries, so they are left for what is small: open files and their metadata, tables, and the objects of which a
server has one. tests/pages/test_state.py lists them.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import uuid4

import streamlit as st

from pages.app.hosting import ProcessorTime
from pages.app.result_cache import ResultCache
from scinet.bounded_child.limits import memory_bytes

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from pages.app.kept_uploads import KeptFile
    from pages.app.scoring import Scoring
    from pages.app.subject import Subject
    from pages.map.target import Target
    from scinet.datasets.open_aerial_map import AerialImage
    from scinet.evaluation.benchmark import Benchmark
    from scinet.job_queue import Job
    from scinet.models.card import Card
    from scinet.models.recognise import Recognised
    from scinet.vector.area import Area

Key = tuple[object, ...]  # of a cached result: all that it depends on
Window = tuple[int, int, int, int]  # column, row, width and height in px of an image
Ends = tuple[tuple[float, float], tuple[float, float]]  # of a line: column and row in px of an image

# ---- one session

SESSION = "session"


@dataclass
class SweepRun:
    """A sweep in progress, which survives the reruns of the page."""

    subject_key: str
    started_s: float
    done_work: float = 0.0
    ahead: "Job[Any] | None" = None  # the next task, which runs while the page is drawn


class DrawnArea(NamedTuple):
    """An area of interest that was drawn on a map, the place of its image, and what links say of it."""

    place: Key
    area: "Area"
    text: str


class FormerUpload(NamedTuple):
    """What the uploader of images had before a file that may turn out to be unreadable, and the link to it."""

    file: "UploadedFile | KeptFile | None" = None
    opened_link: str | None = None
    link_of: tuple[Key, str] | None = None


@dataclass
class Session:
    """What a session remembers, apart from the values of widgets, which Streamlit keeps by the widgets' keys."""

    id: str = field(default_factory=lambda: uuid4().hex)
    processor_time: ProcessorTime = field(default_factory=ProcessorTime)
    entered_through_app: bool = False
    page: str | None = None  # the hash of the page that ran last

    # The image
    subject: "Subject | None" = None  # shown on every page
    uploads: "dict[str, UploadedFile | KeptFile]" = field(default_factory=dict)  # by the uploader's key
    former_upload: FormerUpload | None = None  # of the image, until the newer file has been read
    refusals: dict[str, list[str]] = field(default_factory=dict)  # by the uploader's key; "" where it has been said
    opened_link: str | None = None  # the key of the kept upload that was opened or asked for
    link_of: tuple[Key, str] | None = None  # what was kept last, and the key of its link
    digests: dict[str, str] = field(default_factory=dict)  # SHA-256 of uploads by their id
    allowed_url: str | None = None  # the one that may be requested: typed or confirmed, not only part of a link
    aerial_images: "list[AerialImage] | None" = None  # that the last search of OpenAerialMap has found
    dialog: str | None = None  # the one that is open
    window_of: str | None = None  # the key of the scene that the column and row widgets refer to
    picked_window: tuple[str, Window] | None = None  # in the dialog, with the scene's key
    measured_line: tuple[str, Ends | None] | None = None  # on an image without georeference, with its key
    overview_click: tuple[float, float] | None = None  # the last one that was handled
    world_click: str | None = None  # the last one that was handled
    world_scene: str | None = None  # chosen on the world map, not yet in the selectbox

    # Explore
    intro_is_open: bool | None = None  # None: not decided yet
    slider_of: str | None = None  # the key of the subject that the resolution slider refers to
    opens_with_all: bool | None = None  # models and cells; None: not decided yet
    own_step: float | None = None  # cm/px that were typed or linked, beside the usual steps
    typed_step: float | None = None  # typed beside the slider, which takes it when it is drawn next
    typed_steps: int = 0  # how many have been typed
    refused_step: str | None = None  # what was typed last, if it is not a resolution
    resolution_problem: str | None = None  # why what was typed is not a resolution, until it is shown
    ahead: "Job[Any] | None" = None  # a run at a neighbouring step, which nobody waits for
    sent_of: Key | None = None  # what the steps depend on that the browser knows already
    sent_steps: set[float] = field(default_factory=set)  # those steps, in cm/px
    requested_native: set[Key] = field(default_factory=set)  # keys of the tasks at native resolution that have run
    target: "Target | None" = None  # marked on the map
    drawn_area: DrawnArea | None = None
    area_link: str | None = None  # the area in the address that was opened or put there
    drawing_problem: str | None = None  # why what was drawn is not an area, until it is shown

    # Sweep
    steps_of: str | None = None  # the key of the subject that the range of steps refers to
    sweep: SweepRun | None = None
    sweep_problems: dict[Key, str] = field(default_factory=dict)  # by the task's key

    # Benchmark
    tiles_shown: int = 0
    scorings: "dict[str, Scoring]" = field(default_factory=dict)  # of own models, by their names
    opened_rows: "dict[str, pd.DataFrame]" = field(default_factory=dict)  # of own models, by the files' names
    read_files: dict[str, str] = field(default_factory=dict)  # by their ids: why their rows are refused, or a blank
    own_tables: "dict[str, pd.DataFrame]" = field(default_factory=dict)  # the rows of all own models, by their names
    known_own: set[str] = field(default_factory=set)  # names of own models that have been in the list of models
    merged_version: str = ""  # of the benchmark with own models
    merged_benchmark: "Benchmark | None" = None
    benchmark_images: frozenset[str] = frozenset()  # its test tiles

    # Models
    custom_cards: "list[Card]" = field(default_factory=list)
    recognised: "dict[str, Recognised | None]" = field(default_factory=dict)  # networks of files, by their ids
    added_title: str | None = None  # of the model that was added last, not yet announced


def session() -> Session:
    """The state of the session that runs this script."""
    if SESSION not in st.session_state:
        st.session_state[SESSION] = Session()
    found: Session = st.session_state[SESSION]
    return found


# Widgets whose value some other code sets or reads
SOURCE, FOLDER, TILE, SCENE, PATH, COLUMN, ROW = "source", "folder", "tile", "scene", "path", "column", "row"
RESOLUTION, STEPS = "gsd", "steps"
SYSTEMS = "systems"  # models of the page Benchmark
SCENARIO, SCENARIO_CELLS = "scenario", "scenario_cells"
SECTION, FIGURE_FORMAT, AXIS = "section", "figure_format", "axis"
RANKED_AT, TILES_MODEL, TILES_AT, TILES_BY = "rank_at", "behind_system", "behind_gsd", "behind_by"

CUSTOM_ARCHITECTURE, CUSTOM_DECODER, CUSTOM_ENCODER = "custom_architecture", "custom_decoder", "custom_encoder"

# Widgets that deep links set and that another page keeps: of the image's source, and of the map
SOURCE_WIDGETS = (
    SOURCE,
    "example",
    "town",
    "town_gsd",
    FOLDER,
    "city",
    "native",
    TILE,
    "scene_file",
    SCENE,
    PATH,
    "truth_path",
    "side",
    COLUMN,
    ROW,
)
MAP_WIDGETS = (RESOLUTION, "compare", "style", "threshold", "min_area")


# ---- all sessions

CacheName = Literal["runs", "derived", "map", "sweep", "images", "thumbnails", "models", "custom models"]
MB = 1_000_000
_PROGRAM_BYTES, _AMPLE_BYTES = 1500 * MB, 8000 * MB  # the program with a run; with it, caches that are as large as here
CACHE_BYTES: dict[CacheName, int] = {
    "runs": 800 * MB,  # probabilities, which cost seconds
    "derived": 800 * MB,  # what follows from them without a model: masks, diagnoses, resampled images
    "map": 300 * MB,  # pictures and outlines as files
    "sweep": 100 * MB,  # rows of the sweep's table and pictures of its film strip
    "images": 800 * MB,  # tiles, windows, overviews, reference buildings, towns
    "thumbnails": 20 * MB,
    "models": 1500 * MB,  # networks of the models on board
    "custom models": 3000 * MB,  # networks that users added
}


@st.cache_resource(show_spinner=False)
def cache(name: CacheName) -> ResultCache:
    """One of the server's caches, shared by all sessions."""
    return ResultCache(int(CACHE_BYTES[name] * cache_share(memory_bytes())))


def cache_share(memory: int) -> float:
    """The share of `CACHE_BYTES` that caches may take on a machine or in a container with so many bytes of memory.

    >>> [round(cache_share(memory), 2) for memory in (64_000_000_000, 8_000_000_000, 2_700_000_000, 1_000_000_000)]
    [1.0, 1.0, 0.18, 0.05]
    """
    return min(1.0, max(0.05, (memory - _PROGRAM_BYTES) / (_AMPLE_BYTES - _PROGRAM_BYTES)))

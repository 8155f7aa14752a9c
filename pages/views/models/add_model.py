"""The form that adds a custom model: its file, what the file does not state, and what is refused."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.app import custom_models
from pages.app.markdown import sentence
from pages.app.state import CUSTOM_ARCHITECTURE, CUSTOM_DECODER, CUSTOM_ENCODER, session
from scinet.errors import SciNetError
from scinet.models import custom
from scinet.models.architectures import DECODER_TITLES, NAMES, TITLES
from scinet.models.card import list_models
from scinet.models.custom import ModelSpec
from scinet.models.model import MIN_SIDE_PX

OTHER = "smp"
NORMALISATIONS = {
    "ImageNet's mean and std": (custom.IMAGENET_MEAN, custom.IMAGENET_STD),
    "mean 0.5, std 0.5 (ours)": ((0.5,) * 3, (0.5,) * 3),
    "none: 0 to 1": ((0.0,) * 3, (1.0,) * 3),
    "none: 0 to 255": ((0.0,) * 3, (1 / 255,) * 3),
}
OUTPUTS: dict[str, custom.Form] = {"Logits": "logits", "Probability": "probability"}
REFUSED = f"""
- Pickle files (`.pt`, `.pth`, `.ckpt`, `.bin`): opening one can run code. Save the weights with
  `safetensors.torch.save_file(network.state_dict(), "mine.safetensors")`.
- More than {custom.MAX_FILE_BYTES / 1e9:g} GB, or more than {custom_models.MAX_PER_SESSION} models per session.
- Weights that do not fit the architecture, tensor by tensor; a number of channels other than 3.
- ONNX files that keep weights in other files, take images of another layout than float32 (N, 3, H, W), or need too
  much memory or time for one window: each runs in a separate process, in every run.
- Results that are not one finite number per pixel. With two classes, building is the second.
"""


def show() -> None:
    """Draw the form; a model that is accepted appears in the lists of Explore and Sweep."""
    st.write(
        "Add a file with your weights to use the model in Explore and Sweep. It is available in this session only, and "
        "removed when you close the page."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        file = st.file_uploader(
            "Weights",
            type=[suffix[1:] for suffix in custom.SUFFIXES],
            key="custom_file",
            max_upload_size=1000,
            help="A state dict as .safetensors, or a network as .onnx",
        )
        is_onnx = file is not None and file.name.lower().endswith(".onnx")
        architecture = "onnx" if is_onnx else choose_architecture()
        name = st.text_input(
            "Name", key="custom_name", max_chars=40, placeholder=_stem(file), help="Shown in lists and legends"
        )
    with right:
        spec = choose_spec(architecture)
    with st.expander("What is refused, and why"):
        st.markdown(REFUSED)
    if file is not None and not is_onnx:
        _suggest(file, architecture)
    if st.button("Add", type="primary", key="custom_add", disabled=file is None) and file is not None:
        try:
            add(file, name.strip() or _stem(file), spec)
        except SciNetError as error:
            st.error(sentence(str(error)))
    _announce_added()


def choose_architecture() -> str:
    """Draw the widgets for what a .safetensors file contains, as ``ModelSpec.architecture`` names it."""
    titles = {**TITLES, OTHER: "another of segmentation-models-pytorch"}
    known = st.selectbox("Architecture", [*NAMES, OTHER], format_func=lambda n: titles[n], key=CUSTOM_ARCHITECTURE)
    if known != OTHER:
        return known
    left, right = st.columns(2)
    kind = left.selectbox("Decoder", list(DECODER_TITLES), key=CUSTOM_DECODER)
    encoder = right.text_input(
        "Encoder", "resnet34", key=CUSTOM_ENCODER, max_chars=80, help="Its name in smp; those of timm begin with tu-"
    )
    return f"{kind}/{encoder.strip()}"


def _suggest(file: UploadedFile, architecture: str) -> None:
    """Where the tensors are those of another network than the chosen one, say so, and offer it."""
    if file.file_id not in session().recognised:
        with st.spinner("Looking at the tensors"):
            from scinet.models.recognise import recognise  # its libraries take seconds to import

            session().recognised[file.file_id] = recognise(file.getvalue())
    found = session().recognised[file.file_id]
    if found is None or found.architecture == architecture:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(f"This looks like {sentence(found.title)}.")
        st.button(f"Use {found.title}", key="custom_use", on_click=_use, args=(found.architecture,))


def _use(architecture: str) -> None:
    state = st.session_state
    kind, _, encoder = architecture.partition("/")
    state[CUSTOM_ARCHITECTURE] = OTHER if encoder else architecture
    if encoder:
        state[CUSTOM_DECODER], state[CUSTOM_ENCODER] = kind, encoder


def choose_spec(architecture: str) -> ModelSpec:
    """Draw the widgets for what the file does not state.

    Raises:
        CheckpointError: The values do not go together.
    """
    low, high = st.columns(2)
    finest = low.number_input("Trained from, cm/px", 0.5, 1000.0, 5.0, key="custom_finest", format="%g")
    coarsest = high.number_input("to, cm/px", 0.5, 1000.0, 20.0, key="custom_coarsest", format="%g")
    window_px = st.number_input(
        "Window, px",
        MIN_SIDE_PX,
        custom.MAX_WINDOW_PX,
        512,
        32,
        key="custom_window",
        help="Longest side of the squares that the network sees at once, ideally that of its training",
    )
    is_ours = architecture in NAMES
    normalisation = st.selectbox(
        "Input",
        list(NORMALISATIONS),
        index=1 if is_ours else 0,
        key=f"custom_input_{'ours' if is_ours else 'other'}",
        help="How pixels were normalised in its training",
    )
    output = "Logits"
    if architecture == "onnx":
        output = st.segmented_control("Output", list(OUTPUTS), default=output, key="custom_output", required=True)
    mean, std = NORMALISATIONS[normalisation]
    return ModelSpec(architecture, (finest, coarsest), int(window_px), mean, std, OUTPUTS[output])


def add(file: UploadedFile, name: str, spec: ModelSpec) -> None:
    """Open, test and keep the file.

    Raises:
        CheckpointError: It is refused.
    """
    suffix = "." + file.name.rpartition(".")[2].lower()
    with st.spinner("Opening and testing it"):  # not in the job queue: a bad file could block it
        model = custom.open_custom_model(name.replace("/", "-") + suffix, file.getvalue(), spec)
    custom_models.add(model, file.size)
    session().added_title = model.card.title
    st.rerun()


def _announce_added() -> None:
    """Say once that a model was added, with a link to Explore."""
    title, session().added_title = session().added_title, None
    if title is not None:
        st.success(f"{sentence(title)} is in the lists of Explore and Sweep.")
        st.page_link(
            "pages/explore.py",
            label=f"Open Explore with {title} →",
            query_params={"models": [title, *(card.title for card in list_models()[:1])]},
        )


def list_added() -> None:
    """Draw this session's models, each with a button that removes it."""
    for title in custom_models.dropped_titles():
        st.warning(f"{sentence(title)} was dropped to free memory: add its file again.")
    for reason in custom_models.failures():
        st.warning(sentence(reason))
    for card in custom_models.cards():
        left, right = st.columns([5, 1], vertical_alignment="center")
        left.markdown(f"**{sentence(card.title)}** · {card.architecture} · {sentence(card.settings['file'])}")
        right.button(
            "Remove",
            key=f"custom_remove_{card.name}",
            on_click=custom_models.remove,
            args=(card.name,),
            width="stretch",
        )


def _stem(file: UploadedFile | None) -> str:
    return file.name.rpartition(".")[0][:40] if file is not None else ""

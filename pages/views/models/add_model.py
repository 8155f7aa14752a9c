"""Add a model of one's own: a file, what it does not say by itself, and what is refused."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.app import custom_models
from scinet.errors import SciNetError
from scinet.models import custom
from scinet.models.architectures import NAMES, TITLES
from scinet.models.build import MIN_SIDE_PX
from scinet.models.card import list_models
from scinet.models.custom import ModelSpec

OTHER = "smp"
NORMALISATIONS = {
    "ImageNet's mean and std": (custom.IMAGENET_MEAN, custom.IMAGENET_STD),
    "mean 0.5, std 0.5 (ours)": ((0.5,) * 3, (0.5,) * 3),
    "none: 0 to 1": ((0.0,) * 3, (1.0,) * 3),
    "none: 0 to 255": ((0.0,) * 3, (1 / 255,) * 3),
}
OUTPUTS = {"Logits": "logits", "Probability": "probability"}
REFUSED = f"""
- Files of pickles (`.pt`, `.pth`, `.ckpt`, `.bin`): opening one can run code. Save the weights with
  `safetensors.torch.save_file(network.state_dict(), "mine.safetensors")`.
- More than {custom.MAX_FILE_BYTES / 1e9:g} GB, or more than {custom_models.MOST} models in a session.
- Weights that do not fit the architecture, tensor by tensor; another number of channels than 3.
- ONNX files that keep weights in other files, take images of another layout than float32 (N, 3, H, W), or need too
  much memory or time for one window: they run once in a process of their own before they are taken.
- Results that are not one finite number a pixel. With two classes, building is the second.
"""


def show() -> None:
    """The form; a model that is taken appears in the lists of Explore and Sweep."""
    st.write(
        "A file with your weights joins the lists of Explore and Sweep, for this session and nobody else. "
        "It is forgotten when you close the page."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        file = st.file_uploader(
            "Weights",
            type=[suffix[1:] for suffix in custom.SUFFIXES],
            key="own_file",
            max_upload_size=1000,
            help="A state dict as .safetensors, or a network as .onnx",
        )
        is_onnx = file is not None and file.name.lower().endswith(".onnx")
        architecture = "onnx" if is_onnx else choose_architecture()
        name = st.text_input("Name", key="own_name", max_chars=40, placeholder=_stem(file), help="In lists and legends")
    with right:
        low, high = st.columns(2)
        finest = low.number_input("Trained from, cm/px", 0.5, 1000.0, 5.0, key="own_finest", format="%g")
        coarsest = high.number_input("to, cm/px", 0.5, 1000.0, 20.0, key="own_coarsest", format="%g")
        window_px = st.number_input(
            "Window, px",
            MIN_SIDE_PX,
            custom.MAX_WINDOW_PX,
            512,
            32,
            key="own_window",
            help="Longest side of the squares that the network sees at once, best that of its training",
        )
        ours = architecture in NAMES
        normalisation = st.selectbox(
            "Input",
            list(NORMALISATIONS),
            index=1 if ours else 0,
            key=f"own_input_{'ours' if ours else 'other'}",
            help="How its training brought pixels to numbers",
        )
        output = "Logits"
        if is_onnx:
            output = st.segmented_control("Output", list(OUTPUTS), default=output, key="own_output", required=True)
    with st.expander("What is refused, and why"):
        st.markdown(REFUSED)
    if st.button("Add", type="primary", key="own_add", disabled=file is None) and file is not None:
        mean, std = NORMALISATIONS[normalisation]
        try:
            facts = ModelSpec(architecture, (finest, coarsest), int(window_px), mean, std, OUTPUTS[output or "Logits"])  # type: ignore[arg-type]
            take(file, name.strip() or _stem(file), facts)
        except SciNetError as error:
            st.error(str(error))


def choose_architecture() -> str:
    """The widgets for what a .safetensors file holds, as ``ModelSpec.architecture`` names it."""
    titles = {**TITLES, OTHER: "another of segmentation-models-pytorch"}
    known = st.selectbox("Architecture", [*NAMES, OTHER], format_func=lambda n: titles[n], key="own_architecture")
    if known != OTHER:
        return known
    left, right = st.columns(2)
    kind = left.selectbox("Decoder", custom.SMP_ARCHITECTURES, key="own_decoder")
    encoder = right.text_input(
        "Encoder", "resnet34", key="own_encoder", max_chars=80, help="As smp names it; one of timm's begins with tu-"
    )
    return f"{kind}/{encoder.strip()}"


def take(file: UploadedFile, name: str, facts: ModelSpec) -> None:
    """Open, try out and keep the file. Raises CheckpointError."""
    suffix = "." + file.name.rpartition(".")[2].lower()
    with st.spinner("Opening it and trying it out"):  # not in turn with the runs: a bad file could hold them all up
        model = custom.open_custom_model(name.replace("/", "-") + suffix, file.getvalue(), facts)
    custom_models.add(model, file.size)
    st.session_state["models.added"] = model.card.title
    st.rerun()


def welcome() -> None:
    """Say once that a model was added, with the way to Explore."""
    title = st.session_state.pop("models.added", None)
    if title is not None:
        st.success(f"{title} is in the lists of Explore and Sweep.")
        st.page_link(
            "pages/explore.py",
            label=f"Open Explore with {title} →",
            query_params={"models": [title, *(card.title for card in list_models()[:1])]},
        )


def list_own() -> None:
    """This session's models, each with a button that removes it."""
    for title in custom_models.forgotten():
        st.warning(f"{title} had to make room in memory: add its file again.")
    for card in custom_models.cards():
        left, right = st.columns([5, 1], vertical_alignment="center")
        left.write(f"**{card.title}** · {card.architecture} · {card.settings['own']['file']}")
        right.button(
            "Remove", key=f"own_remove_{card.name}", on_click=custom_models.remove, args=(card.name,), width="stretch"
        )


def _stem(file: UploadedFile | None) -> str:
    return file.name.rpartition(".")[0][:40] if file is not None else ""

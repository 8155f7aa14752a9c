"""A thin line above the map that says how far the models are. Its place is always there, so nothing moves."""

from dataclasses import dataclass

from streamlit.delta_generator import DeltaGenerator


@dataclass(frozen=True)
class ThinBar:
    """The line, in its place on the page."""

    slot: DeltaGenerator

    def report(self, done: float) -> None:
        """Draw it, with the share done in [0, 1]."""
        percent = round(100 * done)
        self.slot.html(
            f'<div class="sn-thin" role="progressbar" aria-label="Models" aria-valuenow="{percent}">'
            f'<i style="width:{max(2, percent)}%"></i></div>'
        )

    def clear(self) -> None:
        """Draw an empty place."""
        self.slot.empty()

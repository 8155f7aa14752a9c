"""The remark on a reference that hardly names every building."""

from pages.app.runs import Result
from pages.app.state import cache
from scinet.evaluation.partial import labels_note

_NOTE_BYTES = 500  # about


def note_on_labels(result: Result) -> list[str]:
    """What to say where a mask at native resolution lies far from any reference building: no sentence or one."""
    truth = result.run.task.subject.truth
    if truth is None:
        return []

    def make() -> list[str]:
        notes = labels_note(result.evaluation, truth.is_partial)
        return [note.replace("(--not-all-labelled)", "under Area and labels in the sidebar") for note in notes]

    return cache("sweep").get_or_make(("labels", *result.key), make, lambda _: _NOTE_BYTES)

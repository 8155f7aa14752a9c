"""The building or false area that the map flies to and marks."""

from dataclasses import dataclass

from pages.app.state import Key, session
from pages.app.subject import Subject


@dataclass(frozen=True, eq=False)
class Target:
    """A shape on the map. The map flies to each `id` once, and marks it until another target replaces it.

    place    what identifies it in the table of the worst buildings
    geojson  its outline
    model    the title of the model that it was chosen for
    """

    id: str
    subject_key: str
    place: Key
    geojson: bytes
    model: str


def target_of(subject: Subject) -> Target | None:
    """The target on this image, or None."""
    target = session().target
    return target if target is not None and target.subject_key == subject.key else None

"""What the values or colours of a mask image mean: building, ground, or not judged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinet.errors import TruthError

GROUND, BUILDING, NOT_JUDGED, NODATA = 1, 2, 3, 4

_MAX_CLASSES = 32  # more distinct values are ids of single buildings, or a picture
_MAX_CLASS = 127
_BRIGHT = 128
_SHARE_OF_A_COLOUR = 0.002  # less is noise of compression
_LISTED_COLOURS = 8
_PACKED_PX = 8_000_000  # at a time


@dataclass(frozen=True)
class MaskChoice:
    """Which values of a mask image are building and which are ignored, where its reader says so.

    Attributes:
        building: Values ("1") or colours ("#0000ff"); empty: the likeliest.
        ignore: The value of pixels that nobody judged; "none" where there is no such value; None: the likeliest.

    Raises:
        TruthError: One of them is neither a number nor a colour.
    """

    building: tuple[str, ...] = ()
    ignore: str | None = None

    def __post_init__(self) -> None:
        for text in self.building:
            if _number(text) is None and _colour(text) is None:
                raise TruthError(
                    f'"{text[:80]}" is not a value of a mask. Give a number such as 1, or a colour: #0000ff.'
                )
        if self.ignore not in (None, "none") and _number(str(self.ignore)) is None:
            raise TruthError(f'"{str(self.ignore)[:80]}" is not a value of a mask. Give a number such as 255, or none.')


def classify(
    values: NDArray[Any], valid: NDArray[np.bool_], name: str, choice: MaskChoice
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Tell what every pixel of a mask image means.

    Args:
        values: (H, W) in any real dtype, or colours uint8 (H, W, 3).
        valid: bool (H, W), False is nodata.
        name: What to call the image in a message.
        choice: What its reader says.

    Returns:
        uint8 (H, W) of GROUND, BUILDING, NOT_JUDGED and NODATA, and notes on what was chosen.

    Raises:
        TruthError: The meaning is open: colours without a ground, or a photo; or a chosen value does not occur.
    """
    if values.ndim == 3:
        is_building, notes = _of_colours(values, valid, name, choice)
        ignored = np.zeros(valid.shape, np.bool_)
    else:
        found = np.unique(values[valid])
        ignored_value, notes = _ignored_value(found, values.dtype, name, choice)
        ignored = np.zeros(valid.shape, np.bool_) if ignored_value is None else values == ignored_value
        rest = found if ignored_value is None else found[found != ignored_value]
        is_building, more = _of_values(values, valid & ~ignored, rest, name, choice)
        notes = (*notes, *more)
    kinds = np.where(is_building, np.uint8(BUILDING), np.uint8(GROUND))
    kinds[ignored] = NOT_JUDGED
    kinds[~valid] = NODATA
    return kinds, notes


def _ignored_value(
    found: NDArray[Any], dtype: np.dtype[Any], name: str, choice: MaskChoice
) -> tuple[Any, tuple[str, ...]]:
    """The value of pixels that nobody judged, or None, and a note where it was guessed."""
    if choice.ignore is not None:
        number = None if choice.ignore == "none" else _number(choice.ignore)
        if number is not None and number not in found:
            raise TruthError(f"{name} holds no value {number:g}, only {_listed(found)}. Correct --ignore-value.")
        return number, ()
    guess = _likely_ignored(found, dtype)
    if guess is None or guess in [_number(text) for text in choice.building]:
        return None, ()
    return guess, (
        f"Pixels of value {guess:g} in {name} count as not judged and are not scored. If they are ground, choose "
        f"--ignore-value none; if they are building, --building-value {guess:g}.",
    )


def _likely_ignored(found: NDArray[Any], dtype: np.dtype[Any]) -> Any:
    """255 or another extreme among small class ids, a negative number, or the grey of a trimap."""
    if not 2 <= len(found) <= _MAX_CLASSES or (dtype.kind == "f" and (found != np.rint(found)).any()):
        return None
    if found[0] < 0:
        return found[0]
    if len(found) == 3 and found[0] == 0 and found[2] == 255 and 100 <= found[1] <= 155:
        return found[1]
    others, last = found[:-1], found[-1]
    extremes = [254, 255] + ([np.iinfo(dtype).max] if dtype.kind in "iu" else [])
    # 0 and 255 alone are ground and building.
    if last in extremes and 0 < others[-1] <= _MAX_CLASS and len(others) < _MAX_CLASSES and others[-1] < _BRIGHT:
        steps = np.diff(others)
        return last if len(others) == 1 or (steps <= 20).all() else None
    return None


def _of_values(
    values: NDArray[Any], judged: NDArray[np.bool_], found: NDArray[Any], name: str, choice: MaskChoice
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    if choice.building:
        chosen = [_number(text) for text in choice.building]
        for text, number in zip(choice.building, chosen, strict=True):
            if number is None or number not in found:
                raise TruthError(f"{name} holds no value {text}, only {_listed(found)}. Correct --building-value.")
        return np.isin(values, np.array(chosen)), ()
    if len(found) == 2:
        note = (
            f"Of the values {found[0]:g} and {found[1]:g} of {name}, {found[1]:g} counts as building. "
            f"Choose --building-value {found[0]:g} for the other."
        )
        return np.asarray(values == found[1]), () if found[0] == 0 else (note,)
    if len(found) < 2:
        return np.asarray(values != 0), ()
    if values.dtype.kind == "f" and found[0] >= 0 and found[-1] <= 1:
        return np.asarray(values > 0.5), ()
    if values.dtype == np.uint8 and found[-1] >= _BRIGHT:
        between = (values[judged] > 48) & (values[judged] < 208)
        if between.mean() > 0.25:
            raise TruthError(f"{name} looks like a photo, not a mask. Give an image that is white on buildings.")
        return np.asarray(values >= _BRIGHT), ()
    if len(found) > _MAX_CLASSES:
        return np.asarray(values != 0), ()
    note = (
        f"{name} has the classes {_listed(found)}; all but 0 count as building. "
        "Choose one with --building-value, such as --building-value 1."
    )
    return np.asarray(values != 0), (note,)


def _of_colours(
    colours: NDArray[np.uint8], valid: NDArray[np.bool_], name: str, choice: MaskChoice
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    found, shares, main_of = _main_colours(colours, valid, name)
    listed = ", ".join(
        f"{_hex(colour)} ({share:.0%})"
        for colour, share in sorted(zip(found, shares, strict=True), key=lambda item: -item[1])[:_LISTED_COLOURS]
    )
    if choice.building:
        chosen = [_colour(text) for text in choice.building]
        for text, colour in zip(choice.building, chosen, strict=True):
            if colour not in found:
                raise TruthError(f"{name} holds no colour {text}, only {listed}. Correct --building-value.")
        return _are(colours, chosen, main_of), ()
    grounds = [colour for colour in (0x000000, 0xFFFFFF) if colour in found]
    if len(found) == 1:
        return ~_are(colours, [0], main_of), ()
    if len(found) == 2 and len(grounds) == 1:
        ground = grounds[0]
        (building,) = (colour for colour in found if colour != ground)
        note = (
            f"In {name}, {_hex(building)} counts as building and {_hex(ground)} as ground. "
            f'Choose --building-value "{_hex(ground)}" for the other.'
        )
        return _are(colours, [building], main_of), () if ground == 0 else (note,)
    example = _hex(next(colour for colour in found if colour not in grounds))
    raise TruthError(
        f"{name} is coded by colour: {listed}. "
        f'Say which is building, such as --building-value "{example}", or give a mask of two values.'
    )


def _packed(colours: NDArray[np.uint8]) -> Iterator[tuple[slice, NDArray[np.uint32]]]:
    """Some rows after the other, and their colours as one number per pixel: all at once take several times as much."""
    step = max(1, _PACKED_PX // colours.shape[1])
    for top in range(0, len(colours), step):
        rows = slice(top, top + step)
        red, green, blue = (colours[rows, :, channel].astype(np.uint32) for channel in range(3))
        yield rows, np.bitwise_or(np.bitwise_or(red << 16, green << 8), blue)


def _are(
    colours: NDArray[np.uint8], wanted: Sequence[int | None], main_of: NDArray[np.uint32] | None
) -> NDArray[np.bool_]:
    """Which pixels have one of the main colours that are wanted."""
    are = np.empty(colours.shape[:2], np.bool_)
    for rows, packed in _packed(colours):
        are[rows] = np.isin(packed if main_of is None else main_of[packed], np.array(wanted, np.uint32))
    return are


def _main_colours(
    colours: NDArray[np.uint8], valid: NDArray[np.bool_], name: str
) -> tuple[list[int], list[float], NDArray[np.uint32] | None]:
    """The colours of an image, their shares, and which of them any colour belongs to; TruthError for a photo.

    None in place of the last where every colour is one of its own.
    """
    counts = np.zeros(1 << 24, np.int64)
    for rows, packed in _packed(colours):
        counts += np.bincount(packed[valid[rows]], minlength=1 << 24)
    found = np.flatnonzero(counts)
    total = max(1, int(counts.sum()))
    if len(found) <= _MAX_CLASSES:
        return found.tolist(), (counts[found] / total).tolist(), None
    # Lossy compression: the peaks stay, and what lies around each belongs to it.
    peaks: list[int] = []
    covered = 0
    levels = np.stack([found >> 16, (found >> 8) & 255, found & 255], axis=-1).astype(np.int32)
    left = counts[found].astype(np.int64)
    while len(peaks) < _MAX_CLASSES and left.max() > 0:
        top = int(left.argmax())
        near = np.abs(levels - levels[top]).max(axis=-1) <= 40
        mass = int(left[near].sum())
        if mass < _SHARE_OF_A_COLOUR * total:
            break
        peaks.append(int(found[top]))
        covered += mass
        left[near] = 0
    if covered < 0.95 * total or len(peaks) > _LISTED_COLOURS:
        raise TruthError(f"{name} looks like a photo, not a mask. Give an image that is white on buildings.")
    centres = np.stack([np.array(peaks) >> 16, (np.array(peaks) >> 8) & 255, np.array(peaks) & 255], axis=-1)
    nearest = np.abs(levels[:, np.newaxis] - centres).sum(axis=-1).argmin(axis=-1)
    table = np.zeros(1 << 24, np.uint32)
    table[found] = np.array(peaks, np.uint32)[nearest]
    shares = np.bincount(nearest, counts[found], len(peaks)) / total
    in_order = np.argsort(peaks)
    return [peaks[i] for i in in_order], [float(shares[i]) for i in in_order], table


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _colour(text: str) -> int | None:
    digits = text.removeprefix("#")
    try:
        return int(digits, 16) if len(digits) == 6 else None
    except ValueError:
        return None


def _hex(colour: int) -> str:
    return f"#{colour:06x}"


def _listed(found: NDArray[Any]) -> str:
    shown = [f"{value:g}" for value in found[:_LISTED_COLOURS].tolist()]
    more = ["..."] if len(found) > _LISTED_COLOURS else []
    return ", ".join([*shown, *more])

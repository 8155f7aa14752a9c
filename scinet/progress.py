"""How far work has come, and how long it will still take, in words."""

from collections.abc import Callable

ReportProgress = Callable[[float], None]  # is called with the fraction done, in [0, 1]

_MIN_DONE, _MIN_ELAPSED_S = 0.02, 1.0  # less of either says too little about the speed


def time_left(done: float, elapsed_s: float) -> str:
    """The time that is left, or "" while it cannot be told yet.

    Args:
        done: How much of the work has been done in `elapsed_s`, in [0, 1].
        elapsed_s: Seconds since it began.

    Example:
        >>> time_left(done=0.25, elapsed_s=4), time_left(0.01, 600), time_left(0.5, 7200)
        ('about 12 s left', '', 'about 2 h left')
    """
    if done < _MIN_DONE or elapsed_s < _MIN_ELAPSED_S:
        return ""
    left_s = elapsed_s * (1 - done) / done
    if left_s < 100:
        return f"about {left_s:.0f} s left"
    if left_s < 100 * 60:
        return f"about {left_s / 60:.0f} min left"
    return f"about {left_s / 3600:.0f} h left"

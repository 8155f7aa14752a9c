"""Reading ahead in another thread: order, errors, and an end in every case."""

import gc
from collections.abc import Iterator
from threading import Thread, current_thread

import pytest

from scinet.raster.stream import ahead


def numbers(closed: list[Thread], most: int = 5) -> Iterator[int]:
    try:
        yield from range(1, most + 1)
    finally:
        closed.append(current_thread())


def test_items_come_in_order_and_the_source_is_closed_by_the_thread_that_made_them() -> None:
    closed: list[Thread] = []
    assert list(ahead(numbers(closed))) == [1, 2, 3, 4, 5]
    assert [thread.name for thread in closed] == ["ahead"]


def test_an_error_of_the_source_arrives_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    stream = ahead(source())
    assert next(stream) == 1
    with pytest.raises(OSError, match="gone"):
        next(stream)


def test_a_stream_that_is_left_closes_its_source() -> None:
    closed: list[Thread] = []
    stream = ahead(numbers(closed))
    next(stream)
    stream.close()
    assert len(closed) == 1


def test_a_stream_that_is_garbage_in_a_cycle_ends() -> None:
    """As where a traceback holds it: nothing waits for a thread that has stopped."""

    class Holder:
        """Holds a stream and itself."""

    closed: list[Thread] = []
    holder = Holder()
    holder.itself, holder.stream = holder, ahead(numbers(closed))
    next(holder.stream)
    del holder
    collecting = Thread(target=gc.collect, daemon=True)
    collecting.start()
    collecting.join(20)
    assert not collecting.is_alive() and len(closed) == 1

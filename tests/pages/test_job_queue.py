"""Whose turn it is: few at a time, nothing twice, a large image alone."""

from threading import Event, Thread

import pytest

from pages.app.job_queue import AT_A_TIME, MOST_PIXELS, Turns

PATIENCE_S = 20


class Worker:
    """Holds a turn in a thread of its own until it is released."""

    def __init__(self, turns: Turns, key: str, pixels: int = 1) -> None:
        self.has_it, self.waits, self._release = Event(), Event(), Event()
        self._of = turns, key, pixels
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        turns, key, pixels = self._of
        with turns.turn(key, pixels, self.waits.set) as tell:
            tell(0.5)
            self.has_it.set()
            self._release.wait(PATIENCE_S)

    def end(self) -> None:
        self._release.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


def test_few_at_a_time() -> None:
    turns = Turns()
    running = [Worker(turns, key) for key in "ab"]
    assert len(running) == AT_A_TIME and all(worker.has_it.wait(PATIENCE_S) for worker in running)
    third = Worker(turns, "c")
    assert third.waits.wait(PATIENCE_S) and not third.has_it.is_set()
    running[0].end()
    assert third.has_it.wait(PATIENCE_S)
    running[1].end()
    third.end()


@pytest.mark.parametrize(
    ("first", "second"), [(("a", 1), ("a", 1)), (("a", MOST_PIXELS), ("b", 1)), (("a", 1), ("b", MOST_PIXELS))]
)
def test_neither_the_same_task_twice_nor_a_large_one_beside_another(
    first: tuple[str, int], second: tuple[str, int]
) -> None:
    turns = Turns()
    one = Worker(turns, *first)
    assert one.has_it.wait(PATIENCE_S)
    other = Worker(turns, *second)
    assert other.waits.wait(PATIENCE_S) and not other.has_it.is_set()
    one.end()
    assert other.has_it.wait(PATIENCE_S)
    other.end()


def test_the_share_done_is_known_to_all_while_it_runs() -> None:
    turns = Turns()
    worker = Worker(turns, "a")
    assert worker.has_it.wait(PATIENCE_S)
    assert turns.share("a") == 0.5 and turns.share("b") == 0
    worker.end()
    assert turns.share("a") == 0


def test_who_is_stopped_while_waiting_leaves_nothing_behind() -> None:
    turns = Turns()
    worker = Worker(turns, "a")
    assert worker.has_it.wait(PATIENCE_S)

    def stopped() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), turns.turn("a", 1, stopped):
        pytest.fail("it was another's turn")
    worker.end()
    with turns.turn("a", 1, stopped):
        pass


def test_a_turn_ends_with_what_goes_wrong_in_it() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="wrong"), turns.turn("a", 1, lambda: None):
        raise ValueError("wrong")
    with turns.turn("a", 1, lambda: pytest.fail("it waits for what has ended")):
        pass

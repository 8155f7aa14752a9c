"""What the server takes is shared out to the runs that are in progress."""

import time

import pytest

from pages.app.processor_clock import ProcessorClock


class Server:
    """A server that has taken `taken_s` seconds of processor time."""

    taken_s = 10.0

    def read(self) -> float:
        return self.taken_s


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def clock(server: Server) -> ProcessorClock:
    return ProcessorClock(server.read)


def test_runs_share_what_is_taken_while_they_are_in_progress(server: Server, clock: ProcessorClock) -> None:
    with clock.run() as first_s:
        server.taken_s += 4
        with clock.run() as second_s:
            server.taken_s += 6
            assert (first_s(), second_s()) == (4 + 3, 3)
        server.taken_s += 8
        assert (first_s(), second_s()) == (4 + 3 + 8, 3)
    server.taken_s += 5
    assert (first_s(), second_s()) == (15, 3)


def test_a_reading_that_falls_takes_nothing_away(server: Server, clock: ProcessorClock) -> None:
    with clock.run() as taken_s:
        for server.taken_s, expected_s in ((12, 2), (11, 2), (13, 3)):
            assert taken_s() == expected_s


def test_a_run_that_fails_takes_no_share_of_later_ones(server: Server, clock: ProcessorClock) -> None:
    with pytest.raises(ValueError, match="broken"), clock.run():
        raise ValueError("broken")
    with clock.run() as taken_s:
        server.taken_s += 2
        assert taken_s() == 2


def test_busy_work_is_measured() -> None:
    begin_s = time.process_time()
    with ProcessorClock().run() as taken_s:
        while time.process_time() < begin_s + 0.2:
            pass
        assert taken_s() >= 0.15  # the system counts in steps of 10 ms

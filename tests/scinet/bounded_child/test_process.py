"""Functions in a child: their results and errors, and what happens at each limit."""

import gc
import io
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Timer

import numpy as np
import pytest

from scinet.bounded_child import process
from scinet.bounded_child.messages import Message, receive, send
from scinet.bounded_child.process import BoundedChild, ChildError, children_processor_s, no_longer_wanted
from scinet.errors import RasterError

WORK = "tests.scinet.bounded_child.work"
LONG_S = 60


@pytest.fixture
def child() -> Iterator[BoundedChild]:
    child = BoundedChild(WORK, memory_bytes=500_000_000, lanes=2)
    yield child
    child.close()


def number_of(child: BoundedChild) -> int:
    return int(child.call("double", {}, timeout_s=LONG_S).values["process"])


def cause_of(child: BoundedChild, function: str, timeout_s: float = LONG_S, **values: object) -> str:
    with pytest.raises(ChildError) as caught:
        child.call(function, values, timeout_s=timeout_s)
    return caught.value.cause


def exists(process_number: int) -> bool:
    try:
        os.kill(process_number, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32", "float64"])
def test_arrays_come_back_as_they_went(child: BoundedChild, dtype: str) -> None:
    arrays = [np.arange(6).reshape(2, 3).astype(dtype), np.zeros((0, 4), dtype)]
    answer = child.call("double", {}, arrays, timeout_s=LONG_S)
    for sent, found in zip(arrays, answer.arrays, strict=True):
        np.testing.assert_array_equal(found, 2 * sent)


def test_one_process_serves_many_calls_and_a_crash_starts_another(child: BoundedChild) -> None:
    first = number_of(child)
    assert number_of(child) == first
    assert cause_of(child, "crash") == "crash"
    assert number_of(child) != first


def test_a_users_error_keeps_its_type_and_words(child: BoundedChild) -> None:
    with pytest.raises(RasterError, match=r"^This is not an image\. Give one\.$"):
        child.call("refuse", {}, timeout_s=LONG_S)


def test_any_other_error_is_one_line(child: BoundedChild) -> None:
    with pytest.raises(ChildError, match="first line") as caught:
        child.call("fail", {}, timeout_s=LONG_S)
    assert "\n" not in str(caught.value)


def test_an_endless_loop_ends_with_its_process(child: BoundedChild) -> None:
    running = number_of(child)
    assert cause_of(child, "loop", timeout_s=0.3) == "time"
    assert number_of(child) != running


@pytest.mark.skipif(sys.platform != "linux", reason="the system has no limit of address space")
def test_memory_beyond_the_limit_is_refused_and_less_is_not(child: BoundedChild) -> None:
    child.call("take_memory", {"bytes": 200_000_000}, timeout_s=LONG_S)
    assert cause_of(child, "take_memory", bytes=700_000_000) == "memory"


def test_calls_run_side_by_side_but_not_more_than_there_are_lanes(child: BoundedChild) -> None:
    number_of(child)
    with ThreadPoolExecutor(3) as threads:
        answers = threads.map(lambda _: child.call("nap", {"seconds": 0.5}, timeout_s=LONG_S), range(3))
        assert max(answer.values["at_a_time"] for answer in answers) == 2


def test_what_nobody_wants_any_more_ends_at_once(child: BoundedChild) -> None:
    number_of(child)
    stopped = Event()
    Timer(0.3, stopped.set).start()
    token = no_longer_wanted.set(stopped)
    try:
        assert cause_of(child, "loop") == "stopped"
    finally:
        no_longer_wanted.reset(token)


def test_a_call_that_is_wanted_is_made_again_when_another_one_is_stopped(child: BoundedChild) -> None:
    number_of(child)
    stopped = Event()

    def endless() -> None:
        no_longer_wanted.set(stopped)
        child.call("loop", {}, timeout_s=LONG_S)

    with ThreadPoolExecutor(2) as threads:
        unwanted = threads.submit(endless)
        wanted = threads.submit(child.call, "nap", {"seconds": 1}, timeout_s=LONG_S)
        Timer(0.3, stopped.set).start()
        assert wanted.result().values["process"]
        with pytest.raises(ChildError):
            unwanted.result()


def test_an_idle_process_ends_and_the_first_call_is_made_again() -> None:
    child = BoundedChild(WORK, 500_000_000, first=("double", Message({}, [np.ones(3)]), LONG_S), idle_s=0.2)
    first = child.start()
    assert first is not None
    np.testing.assert_array_equal(first.arrays[0], 2 * np.ones(3))
    while exists(int(first.values["process"])):
        time.sleep(0.05)
    second = child.start()
    assert second is not None and second.values["process"] != first.values["process"]
    child.close()


def test_a_child_that_nobody_holds_ends() -> None:
    child = BoundedChild(WORK, 500_000_000)
    running = number_of(child)
    del child
    gc.collect()
    while exists(running):
        time.sleep(0.05)


def test_the_processor_time_of_a_child_is_known(child: BoundedChild) -> None:
    before_s = children_processor_s()
    child.call("be_busy", {"seconds": 0.3}, timeout_s=LONG_S)
    assert children_processor_s() - before_s >= 0.3


def test_an_answer_of_too_many_bytes_is_not_taken(child: BoundedChild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_ANSWER_BYTES", 1000)
    with pytest.raises(ChildError):
        child.call("double", {}, [np.zeros(1001, np.uint8)], timeout_s=LONG_S)


@pytest.mark.parametrize("text", ['[{}, [["|O", [1]]]]', '[{}, [["|u1", [-1, -1]]]]', "[{}]", "[" * 100_000, "no"])
def test_what_is_not_a_message_is_refused(text: str) -> None:
    pipe = io.BytesIO(len(text).to_bytes(4, "big") + text.encode())
    with pytest.raises((ValueError, KeyError, TypeError, RecursionError)):
        receive(pipe, 1000)


def test_a_message_that_breaks_off_is_an_end() -> None:
    pipe = io.BytesIO()
    send(pipe, Message({}, [np.zeros(10)]))
    with pytest.raises(EOFError):
        receive(io.BytesIO(pipe.getvalue()[:-1]), 1000)

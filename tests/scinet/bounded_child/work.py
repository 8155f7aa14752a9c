"""Functions for a child to run."""

import os
import time

import numpy as np

from scinet.bounded_child.messages import Message
from scinet.errors import RasterError

_napping: list[float] = []


def double(message: Message) -> Message:
    return Message({"process": os.getpid()}, [2 * array for array in message.arrays])


def loop(_: Message) -> Message:
    while True:
        pass


def nap(message: Message) -> Message:
    _napping.append(message.values["seconds"])
    at_a_time = len(_napping)
    time.sleep(message.values["seconds"])
    _napping.pop()
    return Message({"process": os.getpid(), "at_a_time": at_a_time})


def take_memory(message: Message) -> Message:
    return Message({}, [np.ones(message.values["bytes"], np.uint8)[:1].copy()])


def crash(_: Message) -> Message:
    os.abort()


def refuse(_: Message) -> Message:
    raise RasterError("This is not an image. Give one.")


def fail(_: Message) -> Message:
    raise KeyError("first line\nsecond line")


def be_busy(message: Message) -> Message:
    end_s = time.process_time() + message.values["seconds"]
    while time.process_time() < end_s:
        pass
    return Message({})

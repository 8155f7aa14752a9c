"""The program of a child: runs the functions of one module that its parent asks for, within limits."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from threading import Lock
from types import ModuleType
from typing import BinaryIO

from scinet.bounded_child.limits import limit_memory, limit_time
from scinet.bounded_child.messages import Message, receive, send
from scinet.errors import SciNetError

_GRACE_S = 5  # the parent's clock is first
_ALL = 1 << 62


def main(module_name: str, memory_bytes: int, lanes: int) -> None:
    """Serve until the parent closes the pipe.

    Args:
        module_name: The module whose functions may be asked for, each from `Message` to `Message`.
        memory_bytes: What the functions may take beyond what the module takes once it is imported.
        lanes: How many calls may run at the same time.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get among the answers
    server = _Server(import_module(module_name), answers, ThreadPoolExecutor(lanes))
    limit_memory(memory_bytes)
    try:
        while True:
            server.begin(receive(sys.stdin.buffer, _ALL))
    except BaseException:
        os._exit(0)  # without waiting for a call that may never end


class _Server:
    def __init__(self, module: ModuleType, answers: BinaryIO, threads: ThreadPoolExecutor) -> None:
        self._module, self._answers, self._threads = module, answers, threads
        self._guard, self._sending, self._running = Lock(), Lock(), 0

    def begin(self, message: Message) -> None:
        with self._guard:
            self._running += 1
            limit_time(message.values["timeout_s"] + _GRACE_S)
        self._threads.submit(self._call, message)

    def _call(self, message: Message) -> None:
        try:
            answer: Message = getattr(self._module, message.values["function"])(message)
        except SciNetError as error:
            answer = Message({"error": type(error).__name__, "text": str(error)})
        except MemoryError:
            answer = Message({"failure": "memory"})
        except BaseException as error:  # of the libraries' own types
            lines = str(error).strip().splitlines() or [""]
            answer = Message({"failure": lines[0][:200] or type(error).__name__})
        with self._guard:
            self._running -= 1
            if not self._running:
                limit_time(0)
        about = {"call": message.values["call"], "processor_s": time.process_time()}
        try:
            with self._sending:
                send(self._answers, Message(answer.values | about, answer.arrays))
        except BaseException:
            os._exit(1)  # the parent sees that it has ended


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

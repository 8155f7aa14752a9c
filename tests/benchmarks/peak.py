"""Peak memory of a block of code."""

import resource
import threading
from pathlib import Path


class Peak:
    """The peak of the process's resident memory within a `with` block, sampled ten times per second."""

    def __enter__(self) -> "Peak":
        self.megabytes = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        page_mb = resource.getpagesize() / 1e6
        while not self._over.wait(0.1):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.megabytes = max(self.megabytes, pages * page_mb)

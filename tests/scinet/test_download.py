import hashlib
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scinet import download, web
from scinet.download import check_space, find_file, missing_bytes
from scinet.errors import DownloadError
from scinet.output_lock import output_lock
from tests.range_server import FOREVER, RangeServer, serve_files

CONTENT = np.random.default_rng(0).bytes(3_000_000)
PATH = "/city/scene.tif"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RangeServer]:
    monkeypatch.setattr(download, "WAIT_S", 0.01)
    monkeypatch.setattr(web, "READ_S", 0.4)
    with serve_files({PATH: CONTENT}) as server:
        yield server


def fetch(server: RangeServer, to: Path, seen: list[int] | None = None) -> bool | None:
    seen = [] if seen is None else seen
    return download.download(find_file(server.address + PATH), to, seen.append)


def leftovers(to: Path) -> list[str]:
    return sorted(path.name for path in to.parent.iterdir() if path != to)


def test_a_file_appears_whole_and_checked(server: RangeServer, tmp_path: Path) -> None:
    to, seen = tmp_path / "acc" / "scene.tif", []
    found = find_file(server.address + PATH)
    assert (found.size_bytes, found.name, missing_bytes(found, to)) == (len(CONTENT), "scene.tif", len(CONTENT))
    assert fetch(server, to, seen) is True
    assert to.read_bytes() == CONTENT and leftovers(to) == []
    assert seen == sorted(seen) and seen[-1] == len(CONTENT)
    assert server.agents == {web.USER_AGENT}
    asked = len(server.asked)
    assert fetch(server, to) is None and len(server.asked) == asked + 1  # its size alone was asked for


@pytest.mark.parametrize("fault", ["truncate", "stall", "503"])
def test_what_breaks_off_resumes_by_itself(server: RangeServer, tmp_path: Path, fault: str) -> None:
    found = find_file(server.address + PATH)
    server.fail(PATH, fault, times=3)
    assert download.download(found, tmp_path / "scene.tif") is True
    assert (tmp_path / "scene.tif").read_bytes() == CONTENT
    if fault != "503":  # nothing was asked for twice
        starts = [int(part.removeprefix("bytes=").partition("-")[0]) for _, part in server.asked[1:]]
        assert starts == [0, 1_500_000, 2_250_000, 2_625_000]


def test_an_interrupted_download_resumes(server: RangeServer, tmp_path: Path) -> None:
    to = tmp_path / "scene.tif"

    def interrupt(done_bytes: int) -> None:
        if done_bytes > 1_000_000:  # a chunk is at most one MiB, so that a rest remains
            raise KeyboardInterrupt

    found = find_file(server.address + PATH)
    with pytest.raises(KeyboardInterrupt):
        download.download(found, to, interrupt)
    kept = to.with_name("scene.tif.part").stat().st_size
    assert not to.exists() and 1_000_000 < kept < len(CONTENT) and missing_bytes(found, to) == len(CONTENT) - kept
    assert fetch(server, to) is True and to.read_bytes() == CONTENT
    assert server.asked[-1] == (PATH, f"bytes={kept}-")


def test_a_server_that_gives_the_whole_file_starts_over(server: RangeServer, tmp_path: Path) -> None:
    found, to = find_file(server.address + PATH), tmp_path / "scene.tif"
    server.faults[PATH] = ["truncate", "whole"]
    assert download.download(found, to) is True and to.read_bytes() == CONTENT
    # One that always starts over and never ends is given up
    server.files[PATH] = CONTENT[::-1]
    found = find_file(server.address + PATH)
    server.fail(PATH, "whole-truncate", FOREVER)
    with pytest.raises(DownloadError, match=r"keeps breaking off.*kept"):
        download.download(found, tmp_path / "again.tif")


def test_a_part_of_older_content_is_not_gone_on_with(server: RangeServer, tmp_path: Path) -> None:
    to = tmp_path / "scene.tif"
    server.fail(PATH, "truncate", FOREVER)
    old = find_file(server.address + PATH)
    to.with_name("scene.tif.part").write_bytes(b"something else")
    assert missing_bytes(old, to) == len(CONTENT)
    server.faults.clear()
    server.faults[PATH] = ["truncate", "404"]
    with pytest.raises(DownloadError, match="no such file"):
        download.download(old, to)
    assert missing_bytes(old, to) == 1_500_000
    server.files[PATH] = CONTENT[::-1]
    assert missing_bytes(find_file(server.address + PATH), to) == len(CONTENT)
    assert fetch(server, to) is True and to.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("sha256", ["", hashlib.sha256(CONTENT).hexdigest()])
def test_damage_is_found_by_the_checksum(server: RangeServer, tmp_path: Path, sha256: str) -> None:
    if sha256:
        server.etags[PATH] = "opaque"
    found, to = find_file(server.address + PATH), tmp_path / "scene.tif"
    server.fail(PATH, "corrupt")
    with pytest.raises(DownloadError, match="checksum is wrong"):
        download.download(found, to, sha256=sha256)
    assert not to.exists() and leftovers(to) == []
    assert download.download(found, to, sha256=sha256) is True


@pytest.mark.parametrize("etag", [None, "opaque", "0123-x", f"{hashlib.md5(CONTENT).hexdigest()}-2"])
def test_without_a_checksum_the_size_counts(server: RangeServer, tmp_path: Path, etag: str | None) -> None:
    server.etags[PATH] = etag
    assert fetch(server, tmp_path / "scene.tif") is None
    assert (tmp_path / "scene.tif").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("403", "the server refuses it"), ("404", "no such file"), ("503", "busy"), ("500", "error 500"), ("418", "418")],
)
def test_what_a_server_refuses(server: RangeServer, tmp_path: Path, fault: str, reason: str) -> None:
    server.fail(PATH, fault, FOREVER)
    with pytest.raises(DownloadError, match=f"^scene.tif cannot be fetched: .*{reason}") as caught:
        fetch(server, tmp_path / "scene.tif")
    assert len(str(caught.value)) < 160 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a.tif", "http://", "https://[x/y.tif", "http://a b/c.tif"])
def test_addresses_that_lead_nowhere(server: RangeServer, url: str) -> None:
    with pytest.raises(DownloadError):
        find_file(url)


def test_a_server_that_does_not_answer(server: RangeServer, tmp_path: Path) -> None:
    found = find_file(server.address + PATH)
    server.fail(PATH, "silent", FOREVER)
    with pytest.raises(DownloadError, match="does not answer"):
        download.download(found, tmp_path / "scene.tif")


def test_a_full_disk(server: RangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage(10**9, 0, 10**8 + 2_000_000))
    with pytest.raises(DownloadError, match=r"needs 0.00 GB|Free some space"):
        fetch(server, tmp_path / "new" / "scene.tif")
    assert len(server.asked) == 1 and not (tmp_path / "new").exists()
    check_space(tmp_path / "not" / "yet", 2_000_000)
    with pytest.raises(DownloadError, match=r"needs 12.68 GB, and .* has 0.00 GB free"):
        check_space(tmp_path, 12_680_000_000)


def test_a_folder_that_cannot_be_written(server: RangeServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match="cannot be written"):
        fetch(server, tmp_path / "file" / "scene.tif")


def test_a_second_download_of_one_file_is_refused_while_the_first_one_runs(server: RangeServer, tmp_path: Path) -> None:
    to = tmp_path / "scene.tif"
    with output_lock(to), pytest.raises(DownloadError, match="being written by another run"):
        fetch(server, to)
    assert fetch(server, to) is True
    assert leftovers(to) == []

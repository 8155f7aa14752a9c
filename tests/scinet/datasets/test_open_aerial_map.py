"""OpenAerialMap's answers as a list of images, against a local server that answers, fails and lies."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from scinet.cli.main import main
from scinet.datasets.open_aerial_map import find_images
from scinet.errors import RasterError
from tests.range_server import FOREVER, RangeServer, serve_files

PLACE = (-0.2, 5.55, -0.19, 5.56)


def row(gsd: Any = 0.05, **facts: Any) -> dict[str, Any]:
    about = {"uuid": "https://host.example/a.tif", "title": "Accra", "gsd": gsd, "bbox": list(PLACE), "provider": "HOT"}
    return {**about, "acquisition_end": "2019-03-04T10:00:00.000Z", "properties": {"tms": "x"}, **facts}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RangeServer]:
    with serve_files() as server:
        monkeypatch.setenv("SCINET_OAM_URL", f"{server.address}/")
        yield server


def answer(server: RangeServer, *rows: Any) -> None:
    def found(query: dict[str, str]) -> bytes:
        assert query["bbox"] == "-0.2,5.55,-0.19,5.56" and query["limit"] == "100"
        return json.dumps({"meta": {"found": len(rows)}, "results": rows}).encode()

    server.answers["/meta"] = found


def test_images_of_a_place_come_finest_first_with_date_and_licence(
    server: RangeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(server, row(0.3, title="Coarse"), row())
    found = find_images(*PLACE)
    assert [image.title for image in found] == ["Accra", "Coarse"]
    assert (found[0].cm_per_px, found[0].date, found[0].licence) == (5.0, "2019-03-04", "CC-BY-4.0")
    assert main(["oam", "--finer-than", "10", "--", *map(str, PLACE)]) == 0
    printed = capsys.readouterr().out
    assert printed == "Accra: 5 cm/px, 2019-03-04, HOT, CC-BY-4.0\n  https://host.example/a.tif\n"


def test_rows_that_lie_are_left_out(server: RangeServer) -> None:
    wrong = [row("fine"), row(-1), row(float("nan")), row(uuid="file:///etc/passwd"), row(bbox=[1]), 3, row(uuid=None)]
    answer(server, *wrong, row(properties=None))
    assert len(find_images(*PLACE)) == 1


@pytest.mark.parametrize("content", [b"<html>", b"{}", b"[]", b'{"results": 3}', b"[" * 100_000])
def test_an_answer_of_another_kind_is_a_sentence(server: RangeServer, content: bytes) -> None:
    server.files["/meta"] = content
    with pytest.raises(RasterError, match="OpenAerialMap answers in a way that cannot be read"):
        find_images(*PLACE)


def test_a_server_that_fails_is_a_sentence(server: RangeServer, capsys: pytest.CaptureFixture[str]) -> None:
    answer(server)
    server.fail("/meta", "503", FOREVER)
    with pytest.raises(RasterError, match="OpenAerialMap cannot be opened: the server is busy"):
        find_images(*PLACE)
    assert main(["oam", "5", "5", "4", "4"]) == 2
    assert "Give the place in degrees" in capsys.readouterr().err

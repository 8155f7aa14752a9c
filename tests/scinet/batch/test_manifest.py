"""The manifest is right at any moment."""

from dataclasses import replace
from pathlib import Path

import pytest

from scinet.batch.manifest import Manifest, Row, read_rows
from scinet.errors import WriteError

PENDING = [Row(name, f"{name}.tif", "pending", "s") for name in "abc"]
DONE = replace(PENDING[0], state="done", seconds=1.5, sha256="0f")


def test_each_ending_is_there_at_once_and_one_line_per_scene_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    manifest = Manifest(path, PENDING)
    manifest.add(DONE)
    assert read_rows([path]) == {"a": DONE, "b": PENDING[1], "c": PENDING[2]}
    manifest.add(replace(PENDING[2], state="failed", error="It cannot be read."))
    manifest.close()
    assert len(path.read_text().splitlines()) == 3
    assert [row.state for row in read_rows([path]).values()] == ["done", "pending", "failed"]


def test_a_line_that_a_power_cut_left_unfinished_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    Manifest(path, PENDING).add(DONE)
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    assert read_rows([path])["a"].state == "pending"


def test_what_one_job_of_several_has_done_is_done(tmp_path: Path) -> None:
    Manifest(tmp_path / "manifest-1-of-2.jsonl", [DONE])
    Manifest(tmp_path / "manifest.jsonl", PENDING)
    assert read_rows(sorted(tmp_path.iterdir()))["a"] == DONE


def test_a_manifest_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="cannot be written"):
        Manifest(tmp_path / "none" / "manifest.jsonl", PENDING)

"""Files appear complete or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from scinet.atomic_write import atomic_write
from scinet.errors import WriteError


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".txt" and path.read_text() == "old"
    assert path.read_text() == "new" and [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    ("error", "raised"), [(OSError(28, "No space left on device"), WriteError), (KeyError, KeyError)]
)
def test_a_failure_leaves_the_old_file(error: Exception, raised: type[Exception], tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise error

    with pytest.raises(raised) as caught, atomic_write(path) as temporary:
        fail(temporary)
    assert path.read_text() == "old" and [*tmp_path.iterdir()] == [path]
    if raised is WriteError:
        assert str(caught.value) == f"{path} cannot be written: No space left on device."


def test_of_files_that_belong_together_none_appears_before_all_are_complete(tmp_path: Path) -> None:
    first, second = tmp_path / "weights", tmp_path / "card"

    def fail_at_the_end(one: Path, other: Path) -> None:
        one.write_text("1")
        other.write_text("2")
        raise KeyError

    with pytest.raises(KeyError), atomic_write(first) as one, atomic_write(second) as other:
        fail_at_the_end(one, other)
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="folder does not exist"), atomic_write(tmp_path / "no" / "out.txt"):
        pass


def test_its_import_loads_no_raster_library() -> None:
    code = "import sys, scinet.atomic_write; sys.exit(bool({'rasterio', 'numpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

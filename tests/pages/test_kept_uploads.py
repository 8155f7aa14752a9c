"""Uploads that a link keeps: who can open them, for how long, and how much of the disk they take."""

import os
import stat
import time
from pathlib import Path
from zipfile import ZipFile

import pytest
from streamlit.testing.v1 import AppTest

from pages.app import kept_uploads
from pages.app.kept_uploads import Limits
from pages.sources import links
from scinet.errors import SciNetError
from tests.pages.samples import geotiff, house, session_of
from tests.png import png


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of kept uploads, not yet there."""
    monkeypatch.setenv("SCINET_CACHE", str(tmp_path))
    for name in ("SCINET_HOSTED", "SCINET_KEEP_UPLOADS_GB", "SCINET_KEEP_UPLOADS_DAYS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "uploads"


def kept_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.zip"))


def test_a_key_opens_what_was_kept_and_the_folder_tells_no_key(folder: Path) -> None:
    key = kept_uploads.keep({"image_file": ("roof.tif", b"pixels")}, {"native-1": "9.8"})
    found = kept_uploads.read(key)
    assert found is not None and found.fields == {"native-1": "9.8"}
    assert found.files["image_file"].name == "roof.tif" and found.files["image_file"].getvalue() == b"pixels"
    (path,) = kept_files(folder)
    assert len(key) == 32 and key not in path.name
    assert kept_uploads.read(path.stem) is None  # the name of the file is not a key
    if os.name != "nt":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "key", ["", "../../etc/passwd", "/etc/passwd", "a" * 31, "a" * 33, "." * 32, "a" * 31 + "\n", "*" * 32]
)
def test_what_is_not_a_key_opens_no_file(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_uploads, "_path", lambda _: pytest.fail("a path was made of it"))
    assert kept_uploads.read(key) is None


def test_a_key_that_was_never_given_and_a_damaged_file_open_nothing(folder: Path) -> None:
    assert kept_uploads.read("a" * 32) is None
    key = kept_uploads.keep({"image_file": ("roof.tif", b"pixels")}, {})
    (path,) = kept_files(folder)
    path.write_bytes(path.read_bytes()[:-20])
    assert kept_uploads.read(key) is None


def test_uploads_are_removed_after_their_days(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_KEEP_UPLOADS_DAYS", "2")
    key = kept_uploads.keep({"image_file": ("roof.tif", b"pixels")}, {})
    (path,) = kept_files(folder)
    kept_uploads.remove_old()
    assert kept_files(folder)
    long_ago = time.time() - 2.1 * 24 * 3600
    os.utime(path, (long_ago, long_ago))
    assert kept_uploads.read(key) is None
    kept_uploads.remove_old()
    assert not kept_files(folder)


def test_the_oldest_make_room_for_the_newest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_KEEP_UPLOADS_GB", "0.00002")  # 20 kB
    keys = []
    for age_s in (300, 200, 100):
        keys.append(kept_uploads.keep({"image_file": ("a.tif", bytes(8000))}, {}))
        newest = max(kept_files(folder), key=lambda path: path.stat().st_mtime)
        os.utime(newest, (time.time() - age_s,) * 2)
    assert [kept_uploads.read(key) is not None for key in keys] == [False, True, True]
    assert sum(path.stat().st_size for path in kept_files(folder)) <= 20_000
    with pytest.raises(SciNetError, match="Send the files themselves"):
        kept_uploads.keep({"image_file": ("a.tif", bytes(30_000))}, {})
    assert kept_uploads.read(keys[-1]) is not None


def test_a_hosted_app_keeps_nothing_unless_it_is_allowed_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = kept_uploads.keep({"image_file": ("a.tif", b"1")}, {})
    monkeypatch.setenv("SCINET_HOSTED", "1")
    assert not Limits.from_environment().is_on and kept_uploads.read(key) is None
    with pytest.raises(SciNetError):
        kept_uploads.keep({"image_file": ("a.tif", b"1")}, {})
    monkeypatch.setenv("SCINET_KEEP_UPLOADS_GB", "1")
    assert kept_uploads.read(key) is not None
    monkeypatch.setenv("SCINET_KEEP_UPLOADS_GB", "nonsense")
    assert not Limits.from_environment().is_on


def test_a_link_opens_the_image_and_its_reference_in_another_visit(app: AppTest, folder: Path) -> None:
    app.query_params.update({"source": "Upload", "models": "UNet"})
    app.run()
    app.file_uploader(key="image_file").set_value(("roof.tif", geotiff(), "image/tiff")).run()
    app.file_uploader(key="truth_file").set_value(("truth.png", png(house()[1]), "image/png")).run()
    assert not kept_files(folder)  # nothing is kept unasked
    app.button(key="keep_upload").click().run()
    assert not app.exception and len(kept_files(folder)) == 1
    key, first = session_of(app).opened_link, session_of(app).subject
    assert key is not None and key in app.query_params[links.PARAMETER]

    visit = AppTest.from_file(app._script_path, default_timeout=180)
    visit.query_params.update({"source": "Upload", "models": "UNet", links.PARAMETER: key})
    visit.run()
    found = session_of(visit).subject
    assert not visit.exception and found is not None and first is not None
    assert found.key == first.key and found.truth is not None
    assert len(kept_files(folder)) == 1 and any("opens this upload" in each.value for each in visit.caption)
    with ZipFile(kept_files(folder)[0]) as archive:
        assert sorted(archive.namelist()) == ["facts.json", "image_file", "truth_file"]


def test_a_link_whose_upload_is_gone_says_so_above_an_example(app: AppTest) -> None:
    app.query_params.update({"source": "Upload", "models": "UNet", links.PARAMETER: "a" * 32})
    app.run()
    (info,) = [each.value for each in app.info if "another visit" in each.value]
    assert "choose the file again" in info and session_of(app).subject is not None
    assert links.PARAMETER not in app.query_params

"""Results in an object store: written here, then uploaded whole."""

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scinet.errors import WriteError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

SCHEMES = ("s3", "gs")
_CONNECT_S, _REQUEST_S = 10, 60
_PART_BYTES = 10_000_000  # of an upload


def check_store(address: str) -> None:
    """Raise WriteError where an address is not a folder of a bucket that answers: before hours of work."""
    if not re.fullmatch(rf"({'|'.join(SCHEMES)})://[^/\s]+(/\S*)?", address):
        raise WriteError(f"{address} is not a folder of a store: give s3://bucket/folder or gs://bucket/folder.")
    bucket = urlsplit(address).netloc
    try:
        found = _store(address).get_file_info(bucket).type.name
    except OSError as error:
        raise WriteError(f"{address} cannot be reached: {_reason(error)}") from None
    if found == "NotFound":
        raise WriteError(f"There is no bucket {bucket}, or it is not open to you. Check its name and your credentials.")


def upload(path: Path, address: str) -> None:
    """Put a file into a folder of a store, where it appears when it is complete.

    Args:
        path: The file.
        address: s3://bucket/folder or gs://bucket/folder. Credentials and AWS_REGION are those of the environment, and
            so is AWS_ENDPOINT_URL for other stores that speak S3.

    Raises:
        WriteError: It cannot be uploaded.
    """
    place = f"{address.partition('://')[2].rstrip('/')}/{path.name}"
    try:
        store = _store(address)
        with path.open("rb") as source, store.open_output_stream(place) as sink:
            shutil.copyfileobj(source, sink, _PART_BYTES)
        if store.get_file_info(place).size != path.stat().st_size:
            store.delete_file(place)
            raise OSError("it arrived cut off")
    except OSError as error:
        raise WriteError(f"{path.name} cannot be uploaded to {address}: {_reason(error)}") from None


def _store(address: str) -> "FileSystem":
    from pyarrow import fs

    if urlsplit(address).scheme == "gs":
        return fs.GcsFileSystem()
    options: dict[str, Any] = {"connect_timeout": _CONNECT_S, "request_timeout": _REQUEST_S}
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        options |= {"endpoint_override": endpoint, "region": os.environ.get("AWS_REGION", "us-east-1")}
    elif region := os.environ.get("AWS_REGION"):
        options["region"] = region
    return fs.S3FileSystem(**options)


def _reason(error: OSError) -> str:
    """The last words of a message, which lead from the outer error to the inner ones."""
    text = " ".join(str(error).split()).rpartition(": ")[2]
    return f"{text[:200].rstrip('.')}. Check its name, your credentials and the network."

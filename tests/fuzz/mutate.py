"""Hypothesis strategies that damage valid files: bytes in general, and what each format gives importance to."""

import copy
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

MAX_EDITS = 6
EXTREMES = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
HOSTILE_TEXTS = (
    "",
    " ",
    "\0",
    "a" * 5000,
    "<img src=x onerror=alert(1)>",
    "http://127.0.0.1:9/wkt",
    "/vsicurl/http://127.0.0.1:9/a",
    "/etc/hostname",
    "../../../../etc/hostname",
    "/dev/zero",
    "file:///etc/hostname",
    "\ud800",
    "\u202e\u0000\ufeff",
    "nan",
    "1e999",
    "-inf",
    "9" * 400,
    "1/0",
    "%s%n{0}",
    "EPSG:999999",
    "EPSG:4978",
    "+proj=utm +zone=30",
    'GEOGCS["a"',
    "native",
)
HOSTILE_VALUES: tuple[Any, ...] = (
    *HOSTILE_TEXTS,
    None,
    True,
    [],
    {},
    0,
    -1,
    1e308,
    float("nan"),
    float("inf"),
    10**400,
    -(10**20),
    1e-320,
    [[[[]]]],
    [1, 2, 3],
    {"a": {"b": []}},
)
DEEP = "[" * 5000
NAMES = ("../../evil.shp", "/evil.geojson", "b.shp", "a.shx", "b.kml", "a.zip", "c/d.prj")


@st.composite
def damaged_bytes(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A file with some of its bytes changed, cut, moved, or taken from another file."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, MAX_EDITS))):
        size = len(content)
        if not size:
            break
        # Headers matter most, and stand at the start more often than not
        at = draw(st.one_of(st.integers(0, min(size, 300) - 1), st.integers(0, size - 1)))
        edit = draw(st.sampled_from(("bit", "byte", "number", "cut", "remove", "swap", "repeat", "splice")))
        if edit == "bit":
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif edit == "byte":
            content[at] = draw(st.integers(0, 255))
        elif edit == "number":
            form = draw(st.sampled_from(("<H", ">H", "<I", ">I", "<Q", ">Q")))
            value = draw(st.sampled_from(EXTREMES)) & (256 ** struct.calcsize(form) - 1)
            content[at : at + struct.calcsize(form)] = struct.pack(form, value)
        elif edit == "cut":
            del content[at:]
        elif edit == "remove":
            del content[at : at + draw(st.integers(1, 64))]
        elif edit == "swap":
            other, length = draw(st.integers(0, size - 1)), draw(st.integers(1, 32))
            content[at : at + length], content[other : other + length] = (
                content[other : other + length],
                content[at : at + length],
            )
        elif edit == "repeat":
            length = draw(st.integers(1, 64))
            content[at:at] = content[at : at + length] * draw(st.sampled_from((1, 2, 50)))
        else:
            other_file = draw(st.sampled_from(seeds))
            content[at:] = other_file[at:]
    return bytes(content)


@st.composite
def damaged_tiff(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A TIFF of which some tags have another type, count or value."""
    content = bytearray(draw(st.sampled_from([seed for seed in seeds if seed[:4] == b"II*\0"])))
    (directory,) = struct.unpack_from("<I", content, 4)
    (tags,) = struct.unpack_from("<H", content, directory)
    for _ in range(draw(st.integers(1, 4))):
        entry = directory + 2 + 12 * draw(st.integers(0, tags - 1))
        part, form = draw(st.sampled_from(((0, "<H"), (2, "<H"), (4, "<I"), (8, "<I"), (8, "<H"))))
        value = draw(st.one_of(st.sampled_from(EXTREMES), st.integers(0, 2**32 - 1), st.integers(250, 350)))
        struct.pack_into(form, content, entry + part, value & (256 ** struct.calcsize(form) - 1))
    return bytes(content)


@st.composite
def damaged_png(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A PNG whose chunks are changed, repeated or left out, with checksums that are right."""
    content = draw(st.sampled_from([seed for seed in seeds if seed[:4] == b"\x89PNG"]))
    chunks, at = [], 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    for _ in range(draw(st.integers(1, 3))):
        index = draw(st.integers(0, len(chunks) - 1))
        kind, body = chunks[index]
        edit = draw(st.sampled_from(("body", "kind", "remove", "repeat", "text")))
        if edit == "body" and body:
            chunks[index] = kind, draw(damaged_bytes((body,)))
        elif edit == "kind":
            chunks[index] = draw(st.sampled_from((b"tRNS", b"PLTE", b"iCCP", b"gAMA", b"IDAT", b"eXIf", b"IEND"))), body
        elif edit == "remove" and len(chunks) > 1:
            del chunks[index]
        elif edit == "repeat":
            chunks.insert(index, chunks[index])
        else:
            chunks.insert(1, (b"zTXt", b"a\0\0" + zlib.compress(bytes(draw(st.sampled_from((0, 1000, 10_000_000)))))))
    return content[:8] + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all members of a JSON document."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, member in members for found in places_in(member, (*path, key)))]


@st.composite
def damaged_json(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A JSON document of which some members are missing, or have another type, an extreme value or a hostile text."""
    document = json.loads(draw(st.sampled_from([seed for seed in seeds if _is_json(seed)])))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places_in(document)))
        value = draw(st.one_of(st.sampled_from(HOSTILE_VALUES), st.just(DEEP), st.floats(), st.integers(), st.text()))
        if not path:
            document = copy.deepcopy(value)
            break
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        edit = draw(st.sampled_from(("replace", "replace", "remove", "repeat")))
        if edit == "replace":
            parent[path[-1]] = copy.deepcopy(value)  # the next edit may change it
        elif edit == "remove":
            del parent[path[-1]]
        else:
            parent[path[-1]] = [parent[path[-1]]] * 3
        if not places_in(document):
            break
    text = json.dumps(document, ensure_ascii=draw(st.booleans())).replace(f'"{DEEP}"', DEEP)
    return text.encode(errors="surrogatepass")


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False


@st.composite
def damaged_csv(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A table of which some cells have another text."""
    rows = [line.split(",") for line in draw(st.sampled_from(seeds)).decode().splitlines()]
    for _ in range(draw(st.integers(1, 4))):
        row = rows[draw(st.integers(0, len(rows) - 1))]
        row[draw(st.integers(0, len(row) - 1))] = draw(st.one_of(st.sampled_from(HOSTILE_TEXTS), st.text(max_size=20)))
    return "\n".join(map(",".join, rows)).encode(errors="surrogatepass")


@st.composite
def damaged_zip(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """An archive, whole itself, whose members are damaged, missing, or under other names."""
    with zipfile.ZipFile(io.BytesIO(draw(st.sampled_from([seed for seed in seeds if seed[:2] == b"PK"])))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(members)))
        edit = draw(st.sampled_from(("body", "body", "body", "remove", "name")))
        if edit == "body" and members[name]:
            members[name] = draw(damaged_bytes((members[name],)))
        elif edit == "remove" and len(members) > 1:
            del members[name]
        else:
            members[draw(st.sampled_from(NAMES))] = members.pop(name)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@st.composite
def damaged_text(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """One of the texts, a hostile one, or any."""
    return draw(
        st.one_of(
            damaged_bytes(seeds),
            st.sampled_from(HOSTILE_TEXTS).map(lambda text: text.encode(errors="surrogatepass")),
            st.text(max_size=60).map(lambda text: text.encode(errors="surrogatepass")),
        )
    )


Strategy = Callable[[tuple[bytes, ...]], st.SearchStrategy[bytes]]
STRUCTURED: dict[str, Strategy] = {
    "geotiff": damaged_tiff,
    "cog": damaged_tiff,
    "png": damaged_png,
    "geojson": damaged_json,
    "shapefile": damaged_zip,
    "kml": damaged_zip,
    "index.csv": damaged_csv,
    "card": damaged_json,
    "benchmark.json": damaged_json,
    "texts": damaged_text,
    "area link": damaged_text,
    "names": damaged_text,
    "drawn area": damaged_json,
    "kept upload": damaged_zip,
}


def damaged(kind: str, seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Damaged files of a kind."""
    structured = STRUCTURED.get(kind)
    return st.one_of(damaged_bytes(seeds), structured(seeds)) if structured else damaged_bytes(seeds)

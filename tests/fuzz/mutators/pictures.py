"""Images whose headers, chunks and metadata lie."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from random import Random

from ..bombs import zlib_zeros
from ..files import CONTROLS, File, Mutator, Seeds

Chunks = list[tuple[bytes, bytes]]
SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SIDES = (0, 1, 2, 16_384, 65_535, 65_536, 100_000, 2**31 - 1, 2**31, 2**32 - 1)


def of_kind(seeds: Seeds, *suffixes: str) -> list[File]:
    """Return the images under some suffixes."""
    return [file for file in seeds.images if file.name.endswith(suffixes)]


def chunks_of(content: bytes) -> Chunks:
    """Return the chunks of a sound PNG."""
    found: Chunks = []
    place = len(SIGNATURE)
    while place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        found.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def png(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a PNG of these chunks, each with its checksum."""
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return SIGNATURE + b"".join(parts)


def announced(random: Random, seeds: Seeds) -> File:
    """A PNG, WebP, BMP, JPEG or TIFF that announces other sides than it has."""
    width, height = random.choice(_SIDES), random.choice((*_SIDES, 24, 24, 24))
    file = random.choice(seeds.images)
    content = bytearray(file.content)
    if file.name.endswith(".png"):
        content[16:24] = struct.pack(">II", width, height)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    elif file.name.endswith(".webp"):
        start = content.find(b"VP8 ")
        if start >= 0:
            content[start + 14 : start + 18] = struct.pack("<HH", width & 0x3FFF, height & 0x3FFF)
        else:
            content[21:25] = random.randbytes(4)
    elif file.name.endswith(".jpg"):
        start = max(content.find(b"\xff\xc0"), 0)
        content[start + 5 : start + 9] = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
    elif file.name.endswith(".tiff"):
        return tags(random, seeds)
    else:
        content[18:26] = struct.pack("<II", width, height)
    return file.holding(bytes(content))


def chunks(random: Random, seeds: Seeds) -> File:
    """Chunks of a PNG missing, doubled, moved, cut, of other kinds, or with bombs and controls in them."""
    file = random.choice(of_kind(seeds, ".png"))
    found = chunks_of(file.content)
    for _ in range(random.choice((1, 1, 3))):
        place = random.randrange(len(found))
        kind, data = found[place]
        bomb = zlib_zeros(random.choice((10**6, 2 * 10**7)))
        added: Chunks = [
            (b"tEXt", f"Title\0{CONTROLS}".encode("utf-8", "replace")),
            (b"zTXt", b"Comment\0\0" + bomb),
            (b"iCCP", b"profile\0\0" + bomb),
            (b"iTXt", f"{CONTROLS}\0\0\0\0\0{CONTROLS}".encode()),
            (b"eXIf", random.choice((b"", b"MM\0*", b"II*\0\xff\xff\xff\xff", random.randbytes(40)))),
            (b"acTL", struct.pack(">II", 2**31, 0)),
            (b"PLTE", random.randbytes(random.choice((0, 3, 769)))),
            (b"tRNS", random.randbytes(random.choice((0, 1, 6, 300)))),
            (b"pHYs", b"\xff" * 9),
            (b"gAMA", b"\0" * 4),
            (b"IDAT", random.choice((b"", bomb, data))),
            (b"zzZz", b""),
        ]
        what = random.randrange(5)
        if what == 0 and len(found) > 1:
            del found[place]
        elif what == 1:
            found[place] = (kind, data[: random.randrange(len(data) + 1)])
        elif what == 2 and kind == b"IHDR":
            found[place] = (kind, data[:8] + random.randbytes(5))
        else:
            found.insert(random.randrange(len(found) + 1), random.choice(added))
    return file.holding(png(found))


def tags(random: Random, seeds: Seeds) -> File:
    """Entries of a TIFF's directory with other tags, types, counts, values; directories in circles."""
    file = random.choice(of_kind(seeds, ".tiff"))
    content = bytearray(file.content)
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    for _ in range(random.choice((1, 1, 3))):
        entry = start + 2 + 12 * random.randrange(count)
        offset, width = random.choice(((0, 2), (2, 2), (4, 4), (8, 4), (8, 4), (8, 4)))
        value = random.choice(
            (0, 1, 3, 8, 16, 24, start, 2**12 - 1, 2**31, 2**32 - 1, random.getrandbits(32))
        )
        content[entry + offset : entry + offset + width] = (value % 2 ** (8 * width)).to_bytes(
            width, "little"
        )
    if random.random() < 0.2:
        following = start + 2 + 12 * count
        content[following : following + 4] = struct.pack("<I", random.choice((start, 8, 2**32 - 1)))
    return file.holding(bytes(content))


def segments(random: Random, seeds: Seeds) -> File:
    """Segments of a JPEG or WebP added: EXIF, profiles and comments of any content and length."""
    file = random.choice(of_kind(seeds, ".jpg", ".webp"))
    exif = exif_block(random.choice((0, 1, 3, 6, 8, 9, 255, 65_535)), CONTROLS)
    data = random.choice((exif, exif[: random.randrange(len(exif))], random.randbytes(30), b""))
    if file.name.endswith(".webp"):
        kind = random.choice((b"EXIF", b"ICCP", b"XMP ", b"ANIM", b"ANMF", b"ALPH", b"VP8X"))
        content = file.content + kind + struct.pack("<I", random.choice((len(data), 2**32 - 1))) + data
        return file.holding(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
    marker = random.choice(
        (b"\xff\xe1", b"\xff\xe2", b"\xff\xfe", b"\xff\xdb", b"\xff\xc4", b"\xff\xdd", b"\xff\xee")
    )
    start = random.choice(
        (b"Exif\0\0", b"ICC_PROFILE\0\1\1", b"ICC_PROFILE\0\0\xff", b"Adobe", CONTROLS.encode(), b"")
    )
    length = random.choice((len(start + data) + 2, len(start + data) + 2, 0, 2, 65_535))
    segment = marker + struct.pack(">H", length) + start + data
    return file.holding(file.content[:2] + segment + file.content[2:])


def exif_block(orientation: int, text: str) -> bytes:
    """Return EXIF of two entries: which way is up, and who made the camera."""
    said = text.encode("utf-8", "replace") + b"\0"
    head = b"II*\0" + struct.pack("<IH", 8, 2)
    entries = struct.pack("<HHIHH", 0x112, 3, 1, orientation, 0) + struct.pack(
        "<HHII", 0x10F, 2, len(said), 38
    )
    return head + entries + bytes(4) + said


def large(random: Random, _seeds: Seeds) -> File:
    """A sound PNG of few bytes and more pixels than a machine holds."""
    content = large_png(random.choice((50_000, 100_000)), random.choice((1, 8)))
    return File(f"large{random.choice(('.png', '.jpg'))}", content)


def large_png(side: int, depth: int) -> bytes:
    """Return a black square of a PNG, of 1 or 8 bits a pixel."""
    header = struct.pack(">IIBBBBB", side, side, depth, 0, 0, 0, 0)
    rows = zlib_zeros(side * (1 + side * depth // 8))
    return png([(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")])


MUTATORS: tuple[tuple[float, Mutator], ...] = (
    (3, announced),
    (4, chunks),
    (3, tags),
    (3, segments),
    (0.3, large),
)

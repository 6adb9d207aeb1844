"""Reduces screenshots to at most 256 colours: a fraction of the size, with no visible difference."""

from __future__ import annotations

import base64
import struct
import zlib
from collections import Counter
from typing import Final

from playwright.sync_api import BrowserContext

MOST: Final = 256
_PIXELS: Final = """async (picture) => {
    const answer = await fetch('data:image/png;base64,' + picture);
    const bitmap = await createImageBitmap(await answer.blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const pen = canvas.getContext('2d');
    pen.drawImage(bitmap, 0, 0);
    const { data } = pen.getImageData(0, 0, bitmap.width, bitmap.height);
    let text = '';
    for (let at = 0; at < data.length; at += 32768) {
        text += String.fromCharCode(...data.subarray(at, at + 32768));
    }
    return [bitmap.width, bitmap.height, btoa(text)];
}"""


def smaller(context: BrowserContext, picture: bytes) -> bytes:
    page = context.new_page()
    width, height, text = page.evaluate(_PIXELS, base64.b64encode(picture).decode())
    page.close()
    raw = base64.b64decode(text)
    pixels = [raw[at : at + 3] for at in range(0, len(raw), 4)]
    palette, index = _palette(Counter(pixels))
    rows = bytes(index[pixel] for pixel in pixels)
    return _png(width, height, palette, rows)


def _palette(seen: Counter[bytes]) -> tuple[list[bytes], dict[bytes, int]]:
    """The most used colours, with every other colour mapped to the nearest of them."""
    palette = [colour for colour, _ in seen.most_common(MOST)]
    index = {colour: number for number, colour in enumerate(palette)}
    for colour in seen:
        if colour not in index:
            index[colour] = min(range(len(palette)), key=lambda number: _distance(colour, palette[number]))
    return palette, index


def _distance(one: bytes, other: bytes) -> int:
    red, green, blue = (a - b for a, b in zip(one, other, strict=True))
    return 3 * red * red + 6 * green * green + blue * blue


def _png(width: int, height: int, palette: list[bytes], rows: bytes) -> bytes:
    lines = b"".join(b"\0" + rows[at : at + width] for at in range(0, width * height, width))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            (b"PLTE", b"".join(palette)),
            (b"IDAT", zlib.compress(lines, 9)),
            (b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

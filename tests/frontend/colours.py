"""Reads the tokens of theme.css and measures contrast as WCAG 2 defines it, on colours rounded to 8 bit."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TypeAlias

Rgb: TypeAlias = tuple[float, float, float]
THEME = Path(__file__).parents[2] / "frontend" / "theme.css"
_TOKEN = re.compile(r"--([\w-]+):\s*oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)")


def themes() -> dict[str, dict[str, Rgb]]:
    """Tokens of `light` and `dark`; dark has its own of every one that light has."""
    css = re.sub(r"/\*.*?\*/", "", THEME.read_text(), flags=re.S)
    light_daisy, dark_daisy = re.findall(r'@plugin "daisyui/theme" \{(.*?)\n\}', css, flags=re.S)
    own = css[css.index("\n:root {") :]
    light_own, dark_own = own.split("@variant layer-dark", 1)
    return {"light": _tokens(light_daisy + light_own), "dark": _tokens(dark_daisy + dark_own)}


def _tokens(css: str) -> dict[str, Rgb]:
    return {name: srgb(*map(float, numbers)) for name, *numbers in _TOKEN.findall(css)}


def srgb(lightness: float, chroma: float, hue: float) -> Rgb:
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    red, green, blue = (round(255 * _encoded(min(1.0, max(0.0, part)))) / 255 for part in linear)
    return red, green, blue


def _encoded(part: float) -> float:
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


def _decoded(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_decoded(part) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Rgb, other: Rgb) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)

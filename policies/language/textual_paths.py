"""`under_path`: file paths compared as text. Links and other spellings of a path are not recognised."""

from collections.abc import Iterable


def resolve_path(path: str) -> tuple[str, ...] | None:
    """Return the segments of an absolute path, `.` and `..` resolved; None if the text is not one."""
    if not path.startswith("/") or "\\" in path or "\0" in path:
        return None
    kept = filter(None, path.split("/"))
    return tuple(_without_dots(kept) if "/." in path else kept)


def _without_dots(names: Iterable[str]) -> list[str]:
    segments: list[str] = []
    for name in names:
        if name == "..":
            # Stops at the root: there is nothing above it.
            del segments[-1:]
        elif name != ".":
            segments.append(name)
    return segments

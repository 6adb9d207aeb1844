"""`under_path`: file paths compared as text. Links and other spellings are not seen."""


def resolve_path(path: str) -> tuple[str, ...] | None:
    """The whole segments of an absolute path; None for what is none."""
    if not path.startswith("/") or "\\" in path or "\0" in path:
        return None
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            # Stops at the root: there is nothing above it.
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return tuple(segments)

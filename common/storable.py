"""Text from outside, made fit for PostgreSQL: no NUL, no half surrogate, no more than fits."""


def storable(text: str, most: int) -> str:
    return text[:most].replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()

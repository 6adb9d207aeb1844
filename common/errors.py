"""One tree of domain errors: services raise them, each face turns them into answers in one place."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta


class DomainError(Exception):
    """Base of everything a service may refuse with. The message is a sentence for the person who asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(DomainError):  # noqa: N818
    """`field_errors`: a field's name to its sentence or sentences; "" holds those about no single field."""

    def __init__(
        self,
        field_errors: Mapping[str, str | Sequence[str]],
        message: str = "Some of what was entered cannot be used.",
    ) -> None:
        super().__init__(message)
        self.field_errors: dict[str, tuple[str, ...]] = {
            field: (sentences,) if isinstance(sentences, str) else tuple(sentences)
            for field, sentences in field_errors.items()
        }


class Conflict(DomainError):  # noqa: N818
    """What was asked for no longer fits what is there: a stale edit, a name already taken."""


class Stale(Conflict):
    """It was changed since the version the asker has seen."""


class LimitReached(DomainError):  # noqa: N818
    """The organization already has as many of these as it may."""


class TooSoon(LimitReached):
    """It has been done as often as allowed for now; `wait` says when it is allowed again."""

    def __init__(self, message: str, wait: timedelta) -> None:
        super().__init__(message)
        self.wait = wait

    @property
    def retry_after(self) -> str:
        """For the header of that name: whole seconds, at least one."""
        return str(max(math.ceil(self.wait.total_seconds()), 1))


class NotAllowed(DomainError):  # noqa: N818
    """The asker is known, but their role or key does not allow this."""


class NotFound(DomainError):  # noqa: N818
    """There is no such thing, or none that the asker may know of; the two must look alike."""

    def __init__(self, message: str = "There is nothing here.") -> None:
        super().__init__(message)

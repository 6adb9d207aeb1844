"""How the data plane reports what it did, for counting. Observers keep numbers only: no names, no texts."""

from collections.abc import Sequence
from typing import Protocol

from gateway_config.wire.messages import CompletionEntry, DecisionLine


class Observer(Protocol):
    """Durations are in seconds. Called on the event loop: nothing here may wait."""

    def decisions(self, entries: Sequence[DecisionLine]) -> None: ...

    def completion(self, entry: CompletionEntry) -> None: ...

    def limiter(self, seconds: float) -> None: ...

    def upstream(self, seconds: float) -> None:
        """The time until the server began to answer."""

    def refused(self, status: int) -> None:
        """A request was refused before anything was judged."""

    def tick(self) -> None:
        """Called regularly, so that what was only noted can be counted."""


class Unobserved:
    def decisions(self, entries: Sequence[DecisionLine]) -> None:
        pass

    def completion(self, entry: CompletionEntry) -> None:
        pass

    def limiter(self, seconds: float) -> None:
        pass

    def upstream(self, seconds: float) -> None:
        pass

    def refused(self, status: int) -> None:
        pass

    def tick(self) -> None:
        pass

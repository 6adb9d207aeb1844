"""Where the data plane says what it did, for whoever counts. Numbers only: no names, no texts."""

from collections.abc import Sequence
from typing import Protocol

from gateway_config.wire.messages import CompletionEntry, DecisionLine


class Observer(Protocol):
    """What takes how long is told in seconds. Called on the event loop: nothing here may wait."""

    def decisions(self, entries: Sequence[DecisionLine]) -> None: ...

    def completion(self, entry: CompletionEntry) -> None: ...

    def limiter(self, seconds: float) -> None: ...

    def upstream(self, seconds: float) -> None:
        """Until the server began to answer."""

    def refused(self, status: int) -> None:
        """Before anything was judged."""

    def tick(self) -> None:
        """Now and then: what was only noted may be counted."""


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

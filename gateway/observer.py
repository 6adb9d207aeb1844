"""Where the data plane says what it did, for whoever counts. Numbers only: no names, no texts."""

from typing import Protocol

from gateway.effects import Ruling


class Observer(Protocol):
    """Seconds throughout. Called on the event loop: nothing here may wait."""

    def decision(self, ruling: Ruling, added: float) -> None: ...

    def completion(self, upstream_code: str | None, total: float) -> None: ...

    def limiter(self, seconds: float) -> None: ...


class Unobserved:
    def decision(self, ruling: Ruling, added: float) -> None:
        pass

    def completion(self, upstream_code: str | None, total: float) -> None:
        pass

    def limiter(self, seconds: float) -> None:
        pass

"""Where the data plane says what it did, for whoever counts. Numbers only: no names, no texts."""

from typing import Protocol

from gateway.effects import Ruling


class Observer(Protocol):
    """Seconds throughout. Called on the event loop: nothing here may wait."""

    def decision(self, ruling: Ruling, added: float) -> None: ...

    def completion(self, upstream_code: str | None, total: float) -> None: ...

    def limiter(self, seconds: float) -> None: ...

    def upstream(self, seconds: float) -> None:
        """Until the server began to answer."""

    def refused(self, status: int) -> None:
        """Before anything was judged."""


class Unobserved:
    def decision(self, ruling: Ruling, added: float) -> None:
        pass

    def completion(self, upstream_code: str | None, total: float) -> None:
        pass

    def limiter(self, seconds: float) -> None:
        pass

    def upstream(self, seconds: float) -> None:
        pass

    def refused(self, status: int) -> None:
        pass

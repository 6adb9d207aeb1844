"""How far an organization is on its way to its first call: the steps really done, and the next one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from accounts.tenancy import Asker
from audit.models import DecisionRecord
from audit.queries import first_call
from policies.models import Grant, Policy
from servers.models import Server


@dataclass(frozen=True, slots=True)
class Progress:
    """`tried`: the newest server, if none has answered yet."""

    server: Server | None
    tried: Server | None
    classes: list[tuple[str, int]]
    policy: Policy | None
    grant: Grant | None
    call: DecisionRecord | None

    @property
    def done(self) -> int:
        return sum(step is not None for step in self._steps())

    @property
    def now(self) -> int:
        """The number of the first step still to do; 5 if all are done."""
        return next((number for number, step in enumerate(self._steps(), 1) if step is None), 5)

    @property
    def states(self) -> list[str]:
        """The state of each step in order: "done", "now" or neither."""
        return [
            "done" if step is not None else "now" if number == self.now else ""
            for number, step in enumerate(self._steps(), 1)
        ]

    def _steps(self) -> tuple[object | None, ...]:
        return (self.server, self.policy, self.grant, self.call)


def progress_of(member: Asker) -> Progress:
    servers = Server.objects.visible_to(member)
    server = servers.filter(status=Server.Status.READY).order_by("created_at").first()
    policy = (
        Policy.objects.visible_to(member)
        .exclude(published_revision=None)
        .select_related("published_revision", "server")
        .order_by("created_at")
        .first()
    )
    return Progress(
        server=server,
        tried=None if server else servers.filter(retired_at=None).order_by("-created_at").first(),
        classes=_classes(server),
        policy=policy,
        grant=Grant.objects.visible_to(member).good().select_related("server").order_by("issued_at").first(),
        call=first_call(member),
    )


def _classes(server: Server | None) -> list[tuple[str, int]]:
    if server is None:
        return []
    present = server.tools.filter(removed_at=None).order_by("class_rank").values_list("tool_class", flat=True)
    return list(Counter(present).items())

"""The open requests of every grant: to bound them, and to end the streams of a grant that is gone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from gateway.admitted import Admitted
from gateway.http_messages import Request
from gateway.protocol.jsonrpc import Id

# This little is not counted: an organization's ordinary answers pass, however full its room is.
_LITTLE: Final = 16_384


class OpenRequest(msgspec.Struct, eq=False):
    """`end` is set once the answer is a stream, and while a person is awaited. `leave`, set with it,
    ends what the client can take up again elsewhere. `cut` is set while we wait for a client that does not
    read.

    `admitted` is what holds now, not what held when the request came. `over`: none of it holds any more.
    `id` is set once the answer is a stream. `given_up`: the client awaits no answer any more.
    """

    admitted: Admitted
    rooms: "Rooms"
    of: "_Grant"
    held: int = 0
    unread: int = 0
    over: bool = False
    id: Id | None = None
    given_up: bool = False
    end: Callable[[], None] | None = None
    cut: Callable[[], None] | None = None
    leave: Callable[[], None] | None = None

    def hold(self, size: int) -> bool:
        """Set how much it holds in all. If its organization has no room: False, and nothing changes."""
        if size == self.held:
            return True
        taken = self.rooms.take(self.admitted.organization.organization, size - self.held)
        if taken:
            self.held = size
        return taken

    # For what its server has sent

    def leave_unread(self, size: int) -> bool:
        """Set how much of the answer is here and not passed on yet. False: there is no room for it."""
        size = size if size > _LITTLE else 0
        if size == self.unread:
            return True
        taken = self.rooms.take(self.admitted.organization.organization, size - self.unread)
        if taken:
            self.unread = size
        elif self.cut is not None:
            self.cut()
        return taken

    def give_up(self, id: object) -> None:
        """Its client cancels what else of the same grant awaits an answer with this id."""
        for one in self.of.open:
            if one.id is not None and one.id == id:
                one.given_up = True

    @property
    def scarce(self) -> bool:
        return self.rooms.scarce(self.admitted.organization.organization)


class Rooms:
    """Bounds the memory that each organization's requests hold, so that none takes what all need."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, int] = {}

    def take(self, organization: str, size: int) -> bool:
        held = self._held.get(organization, 0) + size
        if size > 0 and held > self._most:
            return False
        if held:
            self._held[organization] = held
        else:
            self._held.pop(organization, None)
        return True

    def scarce(self, organization: str) -> bool:
        """True if it holds so much that no more should be read than is needed."""
        return self._held.get(organization, 0) > self._most // 2

    def __bool__(self) -> bool:
        return bool(self._held)


_Renewed: TypeAlias = Callable[[Admitted], Admitted | None]


@dataclass(slots=True, eq=False)
class _Organization:
    open: int = 0


@dataclass(slots=True, eq=False)
class _Grant:
    organization: _Organization
    open: set[OpenRequest] = field(default_factory=set)


class OpenRequests:
    """Counted by grant and organization. An organization has at most as many open as are left for others, so
    others find room however many grants it makes and however long its servers take.
    """

    def __init__(self, most: int, most_per_grant: int, rooms: Rooms) -> None:
        self._left = most
        self._most_per_grant = most_per_grant
        self._rooms = rooms
        self._grants: dict[str, _Grant] = {}
        self._organizations: dict[str, _Organization] = {}

    def enter(self, admitted: Admitted) -> OpenRequest | None:
        """None when the grant or its organization already has too many open."""
        grant = self._grants.get(admitted.grant.id) or self._first_of(admitted)
        organization = grant.organization
        most = admitted.organization.settings.most_open
        if not most or most > self._most_per_grant:
            most = self._most_per_grant
        if len(grant.open) >= most or organization.open >= self._left:
            return None
        request = OpenRequest(admitted, self._rooms, grant)
        grant.open.add(request)
        organization.open += 1
        self._left -= 1
        return request

    def _first_of(self, admitted: Admitted) -> _Grant:
        """Add the entry of a grant without one, which has had nothing open since the last renew()."""
        organization = self._organizations.setdefault(admitted.organization.organization, _Organization())
        return self._grants.setdefault(admitted.grant.id, _Grant(organization))

    def keep_place(self, request: Request, admitted: Admitted) -> bool:
        """Keep a place while the body is still coming: it counts as open until it is taken up or given up."""
        if request.place is None:
            request.place = self.enter(admitted)
        return request.place is not None

    def give_up_place(self, request: Request) -> None:
        if isinstance(request.place, OpenRequest):
            self.leave(request.place)
            request.place = None

    def take_up(self, request: Request, admitted: Admitted) -> OpenRequest | None:
        """The place that was kept for it, or a new one."""
        place = request.place
        if type(place) is not OpenRequest:
            return self.enter(admitted)
        request.place, place.admitted = None, admitted
        return place

    def leave(self, request: OpenRequest) -> None:
        if request.held:
            request.hold(0)
        if request.unread:
            request.leave_unread(0)
        if request.end is not None:
            request.end = request.leave = None  # they hold the visit, which holds this
        grant = request.of
        try:
            grant.open.remove(request)
        except KeyError:
            return  # it had already left
        grant.organization.open -= 1
        self._left += 1

    def renew(self, renewed: _Renewed) -> None:
        """Let every open request go on under what holds now, or end it; what is unsent then stays unsent."""
        for request in self._all():
            admitted = renewed(request.admitted)
            if admitted is not None:
                request.admitted = admitted
                continue
            request.over = True
            if request.end is not None:
                request.end()
        self._forget_idle()

    def _forget_idle(self) -> None:
        for idle in [one for one, grant in self._grants.items() if not grant.open]:
            del self._grants[idle]
        for idle in [one for one, its in self._organizations.items() if not its.open]:
            del self._organizations[idle]

    def leave_streams(self) -> None:
        """This worker is leaving: end now what a client can take up again elsewhere."""
        for request in self._streams():
            if request.leave is not None:
                request.leave()

    def _streams(self) -> Iterator[OpenRequest]:
        return (one for one in self._all() if one.end is not None)

    def _all(self) -> Iterator[OpenRequest]:
        return iter([one for grant in self._grants.values() for one in grant.open])

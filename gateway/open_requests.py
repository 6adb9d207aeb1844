"""The requests open of every grant: to bound them, and to end the streams of a grant that is gone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from gateway.admitted import Admitted
from gateway.http_messages import Request

# Not counted: however full its room is, an organization's ordinary answers pass.
_LITTLE: Final = 16_384


class OpenRequest(msgspec.Struct, eq=False):
    """`end` is there once an answer is a stream, `leave` where a client takes up again what was ended, `cut`
    while it is waited for a client that does not read.

    `admitted` is what holds now, not what held when the request came. `over`: nothing of it does any more.
    """

    admitted: Admitted
    rooms: "Rooms"
    of: "_Grant"
    held: int = 0
    unread: int = 0
    over: bool = False
    end: Callable[[], None] | None = None
    cut: Callable[[], None] | None = None
    leave: Callable[[], None] | None = None

    def hold(self, size: int) -> bool:
        """That it now holds this much, all in all. False when its organization holds too much."""
        if size == self.held:
            return True
        taken = self.rooms.take(self.admitted.organization.organization, size - self.held)
        if taken:
            self.held = size
        return taken

    # For what its server has sent

    def leave_unread(self, size: int) -> bool:
        """That so much of the answer is here and was not passed on yet. False: there is no room for it."""
        size = size if size > _LITTLE else 0
        if size == self.unread:
            return True
        taken = self.rooms.take(self.admitted.organization.organization, size - self.unread)
        if taken:
            self.unread = size
        elif self.cut is not None:
            self.cut()
        return taken

    @property
    def scarce(self) -> bool:
        return self.rooms.scarce(self.admitted.organization.organization)


class Rooms:
    """Bounds what each organization's requests hold, so that none of them takes the memory of all."""

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
        """Whether it holds so much that no more should be asked for than is needed."""
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
    """By grant and organization. An organization has at most as many open as are left for others: however
    many grants it makes, and however long its servers take, others find room.
    """

    def __init__(self, most: int, most_per_grant: int, rooms: Rooms) -> None:
        self._left = most
        self._most_per_grant = most_per_grant
        self._rooms = rooms
        self._grants: dict[str, _Grant] = {}
        self._organizations: dict[str, _Organization] = {}

    def enter(self, admitted: Admitted) -> OpenRequest | None:
        """None when the grant or its organization has too many open already."""
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
        """For a grant of which nothing is open, or was until the next renew()."""
        organization = self._organizations.setdefault(admitted.organization.organization, _Organization())
        return self._grants.setdefault(admitted.grant.id, _Grant(organization))

    def keep_place(self, request: Request, admitted: Admitted) -> bool:
        """For one whose body is still coming: it counts as open until it is, or is given up."""
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
            return  # it had left
        grant.organization.open -= 1
        self._left += 1

    def renew(self, renewed: _Renewed) -> None:
        """Every open stream goes on by what holds now, or ends; what was not sent yet is not sent then."""
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
        """This worker goes: what a client can take up again elsewhere ends now."""
        for request in self._streams():
            if request.leave is not None:
                request.leave()

    def _streams(self) -> Iterator[OpenRequest]:
        return (one for one in self._all() if one.end is not None)

    def _all(self) -> Iterator[OpenRequest]:
        return iter([one for grant in self._grants.values() for one in grant.open])

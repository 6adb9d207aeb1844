"""Which organization a token belongs to, while configurations come and go."""

from array import array

from gateway.token_owners import Owners

A, B, C = 5, (7 << 56) + 1, (255 << 56) + 3


def some(*numbers: int) -> "array[int]":
    return array("Q", sorted(numbers))


def changed(owners: Owners, name: str, gone: list[int], come: list[int]) -> Owners:
    found = owners.changed(name, [some(*gone)], [some(*come)])
    assert found is not None
    return found


def whose(owners: Owners, number: int) -> tuple[str, int] | None:
    return owners.of(number.to_bytes(8) + bytes(24))


def test_a_token_is_whose_it_came_with_at_the_place_it_has_there() -> None:
    owners = changed(Owners(), "acme", [], [A, B, C])
    assert [whose(owners, one) for one in (A, B, C)] == [("acme", 0), ("acme", 1), ("acme", 2)]
    assert whose(owners, A + 1) is None


def test_what_is_somebody_elses_is_not_taken_and_nothing_changes() -> None:
    owners = changed(Owners(), "acme", [], [A, B])
    assert owners.changed("umbra", [], [some(B, C)]) is None
    assert owners.changed("acme", [], [some(B)]) is None
    assert (whose(owners, B), whose(owners, C)) == (("acme", 1), None)


def test_what_is_given_back_may_be_anothers_and_who_reads_the_old_state_sees_it_unchanged() -> None:
    before = changed(Owners(), "acme", [], [A, B])
    after = changed(changed(before, "acme", [B], []), "umbra", [], [B])
    assert (whose(after, A), whose(after, B)) == (("acme", 0), ("umbra", 0))
    assert whose(before, B) == ("acme", 1)


def test_the_same_token_may_go_and_come_at_another_place() -> None:
    owners = changed(changed(Owners(), "acme", [], [B]), "acme", [B], [A, B])
    assert (whose(owners, A), whose(owners, B)) == (("acme", 0), ("acme", 1))
    assert whose(changed(owners, "acme", [A, B], []), B) is None

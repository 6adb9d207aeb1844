from common.errors import Conflict, DomainError, InvalidInput, LimitReached, NotAllowed, NotFound


def test_every_error_is_a_domain_error_with_a_sentence() -> None:
    for error in (
        Conflict("a"),
        LimitReached("b"),
        NotAllowed("c"),
        NotFound(),
        InvalidInput({"name": ["d"]}),
    ):
        assert isinstance(error, DomainError)
        assert str(error) == error.message != ""


def test_invalid_input_keeps_every_sentence_of_every_field() -> None:
    error = InvalidInput({"name": ["too long", "taken"], "": ["nothing chosen"]})
    assert error.field_errors == {"name": ("too long", "taken"), "": ("nothing chosen",)}

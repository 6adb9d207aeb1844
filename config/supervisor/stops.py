"""The error for anything that keeps the product from starting."""


class CannotStart(Exception):  # noqa: N818 - the house names what is wrong
    """Shown to the operator as it is, without a traceback: one sentence that also says what to do."""

"""What keeps the product from starting, said in one sentence."""


class CannotStart(Exception):  # noqa: N818 - the house names what is wrong
    """Shown to the operator as it is, without a traceback. Says what to do."""

from tests.config.conftest import plain_environment

__all__ = ["plain_environment"]

import pytest

from config import env


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator has who has set nothing; the tests' own settings would be handed on otherwise."""
    for name in ("DJANGO_SETTINGS_MODULE", *(setting.name for setting in env.SETTINGS)):
        monkeypatch.delenv(name, raising=False)

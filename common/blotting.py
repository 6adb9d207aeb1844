"""A server's credentials are for the server: if it repeats one in an answer, stars take its place.

Only what nobody can guess is searched for. If `summer24` were blotted out, anyone who can make a server
repeat what they send could try a hundred thousand such words in one call and see which of them turns into
stars. Nor does an answer lose a word that is merely a region, a date or a name.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Self
from urllib.parse import quote, unquote_plus

_FEWEST: Final = 16
_FEWEST_KINDS: Final = 8
# Each costs every answer a search.
_MOST: Final = 8
_MOST_FORMS: Final = 24
_MOST_TRIED: Final = 4
# And each word of the credentials is looked at while others wait.
_MOST_WORDS: Final = 256
_WORDS: Final = re.compile(r"[\s,;]+")
# Words as people use them in names, and joined as there: "2026-07-28", "eu-central-1", "claude-sonnet-4".
_PLAIN: Final = re.compile(r"(?:[A-Za-z]{0,20}\d{0,8})(?:[-_.:/@][A-Za-z]{0,20}\d{0,8})*")
_ALPHABETS: Final = tuple(map(re.compile, ("[a-z]", "[A-Z]", "[0-9]")))
_ORDINARY: Final = re.compile(
    r"(?:\A|[-_.])(?i:id|user|username|name|email|version|region|zone|url|uri|host|origin|referer|type|team"
    r"|org|organi[sz]ation|project|account|tenant|workspace|site|env|environment|agent|locale)\Z|[a-z]Id\Z"
)
_GO: Final = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&"})
_GSON: Final = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&='"})
_DOTNET: Final = str.maketrans({c: f"\\u{ord(c):04X}" for c in "<>&+'`"})
_PERCENT: Final = re.compile("%[0-9A-F]{2}")
_PHP: Final = str.maketrans({"/": "\\/"})


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """Secrets as servers write them into JSON. One star replaces each byte of them: no length changes."""

    forms: tuple[bytes, ...]

    @classmethod
    def of(cls, headers: Mapping[str, str], onwards: str) -> Self | None:
        """From a server's headers and the rest of its address. None: there is nothing to look for."""
        found = dict.fromkeys(filter(_cannot_be_guessed, islice(_words(headers, onwards), _MOST_WORDS)))
        longest = sorted(found, key=len, reverse=True)[:_MOST]
        forms = dict.fromkeys((*map(_in_json, longest), *(form for word in longest for form in _forms(word))))
        as_bytes = [form.encode() for form in forms][:_MOST_FORMS]
        return cls(tuple(sorted(as_bytes, key=len, reverse=True))) if as_bytes else None

    def blot(self, text: bytes) -> bytes:
        for form in self.forms:
            if form in text:
                text = text.replace(form, b"*" * len(form))
        return text

    def blotted(self, value: Any) -> Any:
        """As blot(), for a JSON value: each text in it alone, so that it remains a JSON value."""
        words = {str(json.loads(b'"%b"' % form)) for form in self.forms}
        return _blotted(value, sorted(words, key=len, reverse=True))

    def begun(self, text: bytes) -> int:
        """Where, near the end of the text, something begins that may become one of the secrets.

        If many places look like it, all after the first few is held back unexamined: a server that knows
        what is searched for must not make its answers expensive.
        """
        first = len(text)
        for form in self.forms:
            start = text.find(form[:1], max(0, len(text) - len(form) + 1))
            tried = 0
            while 0 <= start < first:
                if tried == _MOST_TRIED or form.startswith(text[start:]):
                    first = start
                tried += 1
                start = text.find(form[:1], start + 1)
        return first


@dataclass(slots=True)
class Blotting:
    """Blots a text that comes in pieces. Never holds back more bytes than the longest secret has."""

    secrets: Secrets | None
    _held: bytes = field(default=b"")

    def feed(self, piece: bytes) -> bytes:
        if self.secrets is None:
            return piece
        text = self.secrets.blot(self._held + piece)
        begun = self.secrets.begun(text)
        self._held = text[begun:]
        return text[:begun]

    def end(self) -> bytes:
        return self._held


def _blotted(value: Any, words: Sequence[str]) -> Any:
    match value:
        case str():
            for word in words:
                value = value.replace(word, "*" * len(word))
            return value
        case list():
            return [_blotted(each, words) for each in value]
        case dict():
            return {_blotted(key, words): _blotted(each, words) for key, each in value.items()}
        case _:
            return value


def _words(headers: Mapping[str, str], onwards: str) -> Iterator[str]:
    for name, value in headers.items():
        if not _ORDINARY.search(name):
            for word in _WORDS.split(value):
                yield from _said_by(word)
    path, _, query = onwards.partition("?")
    for name, _, value in (pair.partition("=") for pair in query.split("&")):
        if not _ORDINARY.search(name):
            yield from (value, unquote_plus(value))
    yield from path.split("/")


def _said_by(word: str) -> Iterable[str]:
    """For `name=value` the value, too; for Basic's base64 the password, too, which decides for both."""
    packed = _unpacked(word)
    if packed is None:
        yield from (word, word.partition("=")[2].strip('"'))
    elif _cannot_be_guessed(packed):
        yield from (word, packed)


def _unpacked(word: str) -> str | None:
    try:
        user, colon, password = base64.b64decode(word, validate=True).decode().partition(":")
    except ValueError:
        return None
    return password if colon and user.isprintable() and password.isprintable() else None


def _cannot_be_guessed(word: str) -> bool:
    if len(word) < _FEWEST or len(set(word)) < _FEWEST_KINDS or "://" in word:
        return False
    # A word of digits alone might be a number in the answer, which stars would break.
    return sum(map(bool, (one.search(word) for one in _ALPHABETS))) > 1 and not _PLAIN.fullmatch(word)


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _forms(word: str) -> list[str]:
    plain = _in_json(word)
    written = [
        json.dumps(word, ensure_ascii=False)[1:-1],
        *(plain.translate(table) for table in (_GO, _GSON, _DOTNET, _PHP)),
    ]
    in_address = quote(word, safe="")
    # Also as JSON within a text within JSON, as most tools answer.
    return [
        *(*written, *map(_in_json, written)),
        *(in_address, _PERCENT.sub(lambda found: found[0].lower(), in_address)),
        *(packed.translate(table) for table in ({}, _PHP, _DOTNET) for packed in _in_base64(word)),
    ]


def _in_base64(word: str) -> Iterable[str]:
    """The word in a file that is base64 as a whole, at any offset: the part that depends on it alone."""
    plain = word.encode()
    for before, first in enumerate((0, 2, 3)):
        packed = base64.b64encode(bytes(before) + plain).decode()
        yield packed[first : (before + len(plain)) * 8 // 6]

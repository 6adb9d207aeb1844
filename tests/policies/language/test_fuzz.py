"""Bytes that nearly are a policy: whatever is done to one, it is a policy or has problems with places."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from functools import cache

import jiter
import pytest

from policies.language.canonical import canonical_text
from policies.language.parse import find_problems, parse_policy
from policies.language.problems import PolicyInvalid

from .cases import every_case as cases
from .cases import policy_texts, source

SEED = int(os.environ.get("LANGUAGE_SEED", "1"))
TOKENS = (
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\n",
        b"//",
        b"\xed\xa0\x80",
    ),
    *(
        b"\\ud800",
        b"\\udc00",
        b"\\u0000",
        b"1e999999999",
        b"-0",
        b"0.1e-400",
        b"9007199254740993",
        b"NaN",
        b"null",
    ),
    *(
        b"[" * 33,
        b'{"a":' * 40,
        b'"tools"',
        b'"Tools"',
        b'"value"',
        b'"args.x[*]"',
        b'"regex"',
        b'"(((("',
        b'"\\\\pL{1000}"',
    ),
    *(b"\xe2\x80\xae", b"\xf0\x9f\x98\x80", b'"version"', b"true", b"1" * 400, b".", b"*", b"{tool}"),
)

WORD = re.compile(rb'"(?:[^"\\\\]|\\\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null')


@cache
def corpus() -> tuple[bytes, ...]:
    texts = [text.encode() for text in policy_texts()]
    for (case,) in (param.values for param in cases()):
        if "problems" in case and "dialect" not in case and "text_gen" not in case:
            given = source(case)
            texts.append(given if isinstance(given, bytes) else given.encode("utf-8", "surrogatepass"))
    return tuple(text for text in texts if len(text) < 3000)


@cache
def words() -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(word for text in corpus() for word in WORD.findall(text)))


def mutants(seed: str, count: int) -> Iterator[bytes]:
    draw = random.Random(seed)
    for _ in range(count):
        text = bytearray(draw.choice(corpus()))
        if draw.random() < 0.4:
            another_word(draw, text)
        else:
            for _ in range(draw.choice((1, 1, 2, 3, 8))):
                damage(draw, text)
        yield bytes(text)


def another_word(draw: random.Random, text: bytearray) -> None:
    """Still JSON, and often still a policy: one text or number of it is one of another policy."""
    places = [found.span() for found in WORD.finditer(text)]
    if places:
        start, end = draw.choice(places)
        text[start:end] = draw.choice(words())


def damage(draw: random.Random, text: bytearray) -> None:
    at = draw.randrange(len(text) + 1)
    match draw.randrange(6):
        case 0:
            text[at:at] = draw.choice(TOKENS)
        case 1:
            text[at : at + draw.randrange(1, 9)] = b""
        case 2:
            text[at : at + 1] = bytes([draw.randrange(256)])
        case 3:
            text[at : at + draw.randrange(9)] = draw.choice(TOKENS)
        case 4:
            other = draw.choice(corpus())
            begin = draw.randrange(len(other) + 1)
            text[at:at] = other[begin : begin + draw.randrange(80)]
        case _:
            text[at:at] = text[at : at + draw.randrange(1, 60)]


def is_strict_json(text: bytes) -> bool:
    try:
        jiter.from_json(text, allow_inf_nan=False, catch_duplicate_keys=True, float_mode="lossless-float")
    except ValueError:
        return False
    return True


def judged(text: bytes) -> str:
    """What became of it; everything that holds for any text is asserted on the way."""
    problems = find_problems(text)
    lines = text.decode("utf-8", "replace").split("\n")
    assert list(problems) == sorted(problems, key=lambda each: (each.line, each.column, each.code))
    for problem in problems:
        assert problem.message[-1] in ".?"
        assert all(c.isprintable() for c in problem.message)
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    try:
        document = parse_policy(text)
    except PolicyInvalid as invalid:
        assert problems
        assert invalid.problems == problems
        return "problems"
    assert not problems
    assert is_strict_json(text)
    canonical = canonical_text(document)
    assert canonical_text(parse_policy(canonical, stored=True)) == canonical
    return "policy"


def test_a_text_that_was_tampered_with_is_a_policy_or_says_where_it_is_none() -> None:
    found = [judged(text) for text in mutants(f"{SEED}:slice", 4_000)]
    # Enough of both, or the mutations are too tame or too wild to show anything.
    assert min(found.count("policy"), found.count("problems")) > 100


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_three_hundred_thousand_texts_that_were_tampered_with() -> None:
    for number in range(300):
        for text in mutants(f"{SEED}:{number}", 1_000):
            judged(text)

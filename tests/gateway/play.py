"""Plays a script against a pipeline: the effects it must ask for, in order, and the answer to each."""

from __future__ import annotations

from gateway.effects import Answer, Effect, Ending
from gateway.pipeline import Pipeline


def play(pipeline: Pipeline, *script: tuple[Effect, Answer], ends: Ending) -> None:
    answer: Answer = None
    for expected, reply in script:
        try:
            asked = pipeline.send(answer)
        except StopIteration as stop:
            raise AssertionError(f"it ended with {stop.value}, but {expected} was to come") from None
        assert asked == expected
        answer = reply
    try:
        asked = pipeline.send(answer)
    except StopIteration as stop:
        assert stop.value == ends
    else:
        raise AssertionError(f"it was to end, but it asks for {asked}")

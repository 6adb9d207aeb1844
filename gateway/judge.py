"""The process that judges what takes long, for one gateway: `python -m gateway.judge`, started by it.

It knows no key and no address, opens nothing, and ends when the gateway does. It gives way to whatever else
the machine has to do: an organization whose calls take long to judge waits for itself.
"""

import os
import signal
import sys
from typing import BinaryIO, Final

from gateway.judging import (
    LENGTH,
    Policy,
    Question,
    answer_text,
    calls_of,
    framed,
    read_question,
)
from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.decide import decide
from policies.language.parse import parse_policy

_NICE: Final = 10


class Judge:
    def __init__(self) -> None:
        self._policies: dict[int, CompiledPolicy] = {}

    def answer(self, question: Question) -> bytes:
        if question.forgotten is not None:
            self._policies.pop(question.forgotten, None)
        if question.policy is not None:
            self._policies[question.key] = _compiled(question.policy)
        compiled = self._policies[question.key]
        return answer_text([decide(compiled, call) for call in calls_of(question)])


def _compiled(policy: Policy) -> CompiledPolicy:
    facts = [ToolFacts(name, tool_class) for name, tool_class in policy.classes.items()]
    return compile_policy(parse_policy(policy.text, stored=True), facts)


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """One after the other until there are no more. To what cannot be judged no decision is the answer."""
    judge = Judge()
    while head := questions.read(LENGTH.size):
        (length,) = LENGTH.unpack(head)
        try:
            answer = judge.answer(read_question(questions.read(length)))
        except Exception:
            answer = answer_text([])
        answers.write(framed(answer))
        answers.flush()


def main() -> None:
    # It ends with its gateway, which after such a signal has calls to finish.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICE)
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()

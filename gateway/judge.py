"""The process that makes one gateway's slow decisions: `python -m gateway.judge`, started by the gateway.

It knows no key and no address, opens nothing, and ends when the gateway does. It gives way to everything else
on the machine: an organization whose calls take long to judge delays only itself.
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
    """Answer questions one by one until the input ends; one that cannot be judged gets no decisions."""
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
    # It ends when its gateway does, and after such a signal the gateway still has calls to finish.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICE)
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()

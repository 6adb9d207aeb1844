"""Says in one sentence why a condition could not be judged. Asked only after it could not."""

from collections.abc import Sequence

from .amount import MOST_EACH_VALUES, MOST_REGEX_BYTES, MOST_SEARCHED, searches
from .conditions import CompiledCondition
from .decision import MISSING
from .paths import EACH, Path, Step, path_text
from .phrases import MUST_BE
from .sentences import undecidable_sentence
from .work import WRONG_KIND, Work, take


def sentence(conditions: Sequence[CompiledCondition], work: Work) -> str:
    condition = next(condition for condition in conditions if condition.test(work) is None)
    path = condition.source.path
    if path.quantified and not work.allows_each():
        return undecidable_sentence(path.text, f"it must name at most {MOST_EACH_VALUES:,} values")
    where = _wrong_step(work.arguments, path)
    if where is not None:
        return undecidable_sentence(*where)
    if condition.program and not work.allows_regex():
        must_be = f"the texts that patterns read must be at most {MOST_REGEX_BYTES:,} bytes together"
        return undecidable_sentence(path.text, f"{must_be}, fewer where patterns are large")
    if searches(condition.source) and not work.allows_search():
        must_be = f"the texts that are searched must be at most {MOST_SEARCHED:,} characters together"
        return undecidable_sentence(path.text, f"{must_be}, counted for each condition")
    return undecidable_sentence(path.text, MUST_BE[condition.source.op])


def _wrong_step(arguments: dict[str, object], path: Path) -> tuple[str, str] | None:
    """Find the first step into a value of the wrong kind: the path up to it, and what must be there."""
    values: list[object] = [arguments]
    for index, step in enumerate(path.steps):
        following: list[object] = []
        for value in values:
            if value is None or value is MISSING:
                continue
            if step is EACH and isinstance(value, list):
                following.extend(value)
            elif step is EACH or take(value, step) is WRONG_KIND:
                return path_text(path.steps[:index]), _needed(step)
            else:
                following.append(take(value, step))
        values = following
    return None


def _needed(step: Step) -> str:
    return "it must be an object" if isinstance(step, str) else "it must be a list"

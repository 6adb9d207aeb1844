"""What a description says that a tool does, and whether a model is what does it. Pure."""

from __future__ import annotations

from itertools import chain
from typing import Final, NamedTuple

from catalog.classifier.clauses import Sentence
from catalog.classifier.vocabulary import ANSWERS_MADE, EXECUTE, MAKES, MEDIA, OF_WHAT, ToolClass, word_set

CLAUSE: Final = 6
# These tell that a picture, a song or a voice is made by a model, which goes on after the call.
_AT_A_MODEL: Final = word_set("""
    ai async asynchronous asynchronously avatar dall diffusion elevenlabs flux gemini heygen ideogram imagen
    kling leonardo lyrics midjourney model models neural openai poll prompt prompts recraft runway sora
    stability suno tts veo
""")
_ONLY_BY_A_MODEL: Final = word_set("music song songs speech voice voiceover")
_PICTURED: Final = MEDIA | _ONLY_BY_A_MODEL | word_set("clip effect effects photo picture videos")
# About a film or a song, but made of words or figures.
_PUT_IN_WORDS: Final = ANSWERS_MADE | word_set("metadata notation script scripts sheet theory")
_SURELY_MADE: Final = word_set("gen generate synthesise synthesize")
MADE: Final = (
    MAKES
    | _SURELY_MADE
    | word_set("""
        animate change clone colorize convert create denoise draw dub edit enhance extend imagine inpaint
        isolate modify outpaint produce remove restore separate split swap transform upscale vectorize
    """)
)


class Said(NamedTuple):
    """`verb` is empty if a thing is named and nothing is done."""

    words: tuple[str, ...]
    tool_class: ToolClass
    confidence: float
    verb: str = ""


def made_by_a_model(verb: str, words: tuple[str, ...], sentences: tuple[Sentence, ...]) -> Said | None:
    """What is said, if a model is set to make a picture, a sound or a film; otherwise None."""
    if verb not in MADE or not sentences:
        return None
    said = sentences[0]
    at = next((place for place, word in enumerate(said[:CLAUSE]) if word in _PICTURED), None)
    if at is not None and _is_put_in_words(said[at + 1 : at + 3]):
        return None
    made = next((word for word in words if word in _PICTURED), "") if at is None else said[at]
    if not made:
        return None
    told = next((word for word in chain.from_iterable(sentences) if word in _AT_A_MODEL), "")
    if told:
        return Said((made, told) if made in said else (told,), EXECUTE, 0.7, verb)
    if verb in _SURELY_MADE and made in _ONLY_BY_A_MODEL and made in said:
        return Said((made,), EXECUTE, 0.7, verb)
    return None


def _is_put_in_words(behind: Sentence) -> bool:
    """True for “video” in “Generate a video script”; in “speech from text” the text is only the source."""
    head = next((place for place, word in enumerate(behind) if word in OF_WHAT), len(behind))
    return not _PUT_IN_WORDS.isdisjoint(behind[:head])

"""Says whether people receive what a tool sends, by the words of its name taken together. Pure.

A post may be published or only fetched, an e-mail sent or filed, a message addressed to a model.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from catalog.classifier.vocabulary import Params, argument_names, word_set

_SENT: Final = word_set("""
    announcement announcements campaign chat comment dm email emails invitation invitations mail mails message
    messages moments mms newsletter notif notification notifications poll post rcs reply sms tweet
    dingtalk discord feishu lark slack teams telegram wechat wework whatsapp
""")
_LETTERS: Final = word_set("email emails mail mails message messages reply sms")
_ALERTS: Final = word_set("message messages notif notification notifications")
_SENDS: Final = {
    "broadcast": _SENT,
    "forward": _LETTERS,
    "notify": _SENT,
    "push": _ALERTS,
    "reply": _SENT,
    "send": _SENT,
}
# As often sent to a machine; to people if an argument says to whom.
_OPEN: Final = word_set("document image interactive location template text video voice")
_PUTS_OUT: Final = word_set("""
    add compose create edit leave make post publish quote reply schedule send submit update write
""")
# What these verbs write is read by others at once: `post_comment`, `add_issue_comment`, `create_invitation`.
_READ_BY_OTHERS: Final = {
    "announcement": word_set("create post publish schedule"),
    "comment": _PUTS_OUT - {"edit", "update"},
    "comments": word_set("add create post reply"),
    "dm": word_set("post reply"),
    "email": word_set("compose reply schedule"),
    "invitation": word_set("create resend"),
    "invitations": word_set("create resend"),
    "message": word_set("compose create post publish reply schedule"),
    "messages": word_set("compose post publish reply schedule"),
    "mail": word_set("reply schedule"),
    "post": _PUTS_OUT - {"add", "edit", "leave", "make", "post", "update"},
    "posts": word_set("create publish schedule"),
    "reply": word_set("add create post submit write"),
    "tweet": _PUTS_OUT - {"edit", "update"},
    "whatsapp": word_set("post"),
}
# If a messenger or a recipient is named, these send a message, too, or send it again.
_AGAIN: Final = word_set("add edit update")
_MESSENGERS: Final = word_set("chats discord slack teams telegram whatsapp")
_KNOWN: Final = _SENDS.keys() | _READ_BY_OTHERS.keys() | {"call", "invite", "sms"}
# A draft of a message, its label or a deleted message reaches nobody; nor does what is only marked or liked.
_KEPT_BACK: Final = word_set("""
    archive bookmark delete dismiss draft drafts favorite favourite folder folders hide label labels like mark
    move pending pin preview prepare react reaction reactions settings sign template templates unfavorite
    unlike unpin untrash
""")
# With these, the message goes to a model or a machine, and is kept there.
_MACHINES: Final = word_set("""
    agent assistant chatgpt claude gemini gpt iot llm model mqtt prompt pubnub session
""")
# A note beside code, in a cell or on a picture.
_NOTES: Final = word_set("""
    address annotations assembly cell decompiler disassembly function ida pseudocode set style vote
""")
_NOTE_PARAMS: Final = word_set("address cell filename")
# Arguments that name a recipient.
_RECIPIENTS: Final = word_set("""
    channel channelid channel_id chatid chat_id instance phone phonenumber phone_number recipient
    recipients to tonumber to_number
""")
_ALONE: Final = word_set("email mail sms tweet")
_INVITED: Final = word_set("client collaborator guest member members people team user users")
_COMMENTED: Final = word_set("card issue mr on post pr pull story task ticket")
_CALLS: Final = word_set("create initiate make place start")
# With these, “post” is an HTTP method or means “after”.
_AFTER_POST: Final = word_set("install page process processing script")


def reaches_people(words: tuple[str, ...], params: Params) -> tuple[str, ...]:
    """The words that say so; empty if people do not receive it."""
    if _KNOWN.isdisjoint(words) or not _MACHINES.isdisjoint(words):
        return ()
    if not _KEPT_BACK.isdisjoint(words) and "send" not in words:
        return ()
    return _sent(words, params) or _put_out(words, params) or _begun(words)


def _sent(words: tuple[str, ...], params: Params) -> tuple[str, ...]:
    verb = next((word for word in words if word in _SENDS), "")
    if not verb or ("send", "as") in pairwise(words):
        return ()
    if what := tuple(word for word in words if word in _SENDS[verb] and word != verb):
        return (verb, *what)
    if verb != "send":
        return ()
    what = tuple(word for word in words if word in _OPEN)
    names = argument_names(params)
    is_told_whom = not _RECIPIENTS.isdisjoint(names) or (what != () and (not names or "body" in names))
    return (verb, *what) if is_told_whom else ()


def _put_out(words: tuple[str, ...], params: Params) -> tuple[str, ...]:
    is_chat = not (_MESSENGERS.isdisjoint(words) and _RECIPIENTS.isdisjoint(argument_names(params)))
    for word in words:
        verbs = _READ_BY_OTHERS.get(word)
        if not verbs or (word.startswith("comment") and _is_a_note(words, params)):
            continue
        if word.startswith("post") and not _AFTER_POST.isdisjoint(words):
            continue
        for verb in words:
            if verb != word and (verb in verbs or (is_chat and word == "message" and verb in _AGAIN)):
                return (verb, word)
    return ()


def _is_a_note(words: tuple[str, ...], params: Params) -> bool:
    return not (_NOTES.isdisjoint(words) and _NOTE_PARAMS.isdisjoint(argument_names(params)))


def _begun(words: tuple[str, ...]) -> tuple[str, ...]:
    if "invite" in words and not _INVITED.isdisjoint(words):
        return ("invite", *(word for word in words if word in _INVITED))
    if "reply" in words and ("reply" in (words[0], words[-1]) or ("reply", "to") in pairwise(words)):
        return ("reply",)
    if words[0] == "comment" and words[1:2] and words[1] in _COMMENTED:
        return words[:1]
    if words[0] in _ALONE and (len(words) == 1 or words[1] in ("to", "with")):
        return words[:1]
    if "call" in words and ("phone" in words or "outbound" in words) and not _CALLS.isdisjoint(words):
        return tuple(word for word in words if word in ("phone", "outbound", "call"))
    return ()

"""What a verb means beside certain other words, and those words. Data."""

from __future__ import annotations

from typing import Final

from catalog.classifier.vocabulary import (
    ANSWERS_MADE,
    CALLS,
    DESTRUCTIVE,
    DEVICES,
    EXECUTE,
    FINANCIAL,
    MAKES,
    MEDIA,
    READ,
    REMOVAL,
    WRITE,
    ToolClass,
    word_set,
)

# Dropping a thing on a page ends nothing.
POINTER: Final = word_set("browser drag element mouse")
# Showing one of these tells someone something.
POPS_UP: Final = word_set("banner dialog notification popup toast")
# Removing one of these takes it off something; it does not end it.
REMOVES_A_RELATION: Final = word_set("""
    annotation annotations assignee background bookmark bookmarks breakpoint breakpoints favorite favourite
    filter filters from highlight imports label labels like member members noise participant participants
    reaction reactions relation relations relationship relationships reviewer reviewers selection star tag
    tags watcher watermark
""")
# Resolving one of these changes it; resolving a name only reads.
SETTLED: Final = word_set(
    "alert case claim comment conflict dispute error finding incident issue review thread ticket todo"
)
JOB_WORDS: Final = word_set("""
    analysis backtest build execution executions finetune generation inference job jobs pipeline prediction
    predictions rendering run scan scans simulation training trainings transcription
""")
JOB_VERBS: Final = word_set("cancel create post submit")
# What is run as one of these goes on in the background: “Run an analysis job”.
RUN_AS: Final = word_set("""
    agent agents code command commands job jobs pipeline script scripts shell sql suite task tasks tool
    workflow workflows
""")
# Running one of these draws it up and answers with it.
REPORTS: Final = word_set("report reports")
FLOWS: Final = word_set("flow job pipeline workflow")
TALK: Final = word_set("chat conversation discussion thread")
# Shown on a screen: opening, switching or closing one of these starts a program or ends it.
SCREENS: Final = word_set("""
    app application apps browser emulator page program simulator tab tabs terminal terminals window windows
""")
DEVICE_VERBS: Final = word_set("adjust decrease dim increase lower mute raise toggle unmute")
# DEVICES without those that a list may contain, too: setting or locking one there only writes it down.
SURE_DEVICES: Final = DEVICES - {"camera", "device", "devices"}
SCREEN_VERBS: Final = word_set("activate close focus new open select switch")
# These belong to an exchange, where “exchange” is a noun.
OF_EXCHANGES: Final = word_set("calendar info list map rate rates symbols")
PRINTED: Final = word_set(
    "document documents file files gcode job label labels mf model models page pages pdf photo photos "
    "receipt stl ticket tickets"
)
SEARCHES: Final = word_set("search searches")
# Capturing a picture is reading; capturing a payment is taking it.
SETTLES_MONEY: Final = word_set("authorise authorize capture reverse settle void")
MONEY_SETTLED: Final = word_set("""
    authorization bill charge credit debt debts deposit escrow funds hold invoice oneclick order payment
    payout pix refund sale settlement tab tabby tamara transaction transfer webpay withdrawal
""")
# Resetting one of these loses what it held.
RESET_ENDS: Final = word_set("""
    all branch collection counters data database db everything factory hard knowledge memories memory migrate
    migrations schema site storage tables vault wallet
""")
# Making one of these again in place, or putting it back to what it was, loses what has come since.
MADE_ANEW: Final = word_set("collection database db index schema table tables")
BUILT_ANEW: Final = word_set("droplet instance machine server vm")
INSTALLED_ANEW: Final = word_set("os server system")
SNAPSHOTS: Final = word_set("snapshot snapshots")
# Restoring one of these to what it was loses what has come since.
OVERWRITTEN: Final = word_set("database db droplet")
# What it is put in the place of is lost.
OVERWRITES: Final = word_set("database db everything history table tables workspace")
# Killing one of these ends more than a process.
KILLED: Final = word_set(
    "account data database db droplet everything instance instances sandbox tenant vm vms workspace"
)
# Resetting one of these as a whole, and not its settings, loses what it held.
RESET_WHOLE: Final = word_set("cluster environment graph history progress project store table workspace")
# Done for good, some verbs that change something lose it.
FOR_GOOD: Final = word_set("forever irreversibly irrevocably permanently")
LOST_FOR_GOOD: Final = word_set(
    "archive ban block clear close deactivate disable dismiss leave remove revoke shutdown suspend"
)
# What is taken off one of these is not kept elsewhere.
STORED_ON: Final = word_set("database db disk drive filesystem storage")
# What is sent to people and then taken back from them.
TAKEN_BACK: Final = word_set("email emails mail message messages")
# Calling one of these off ends it.
ENDED: Final = word_set("account droplet server vm vps")
MIGRATIONS: Final = word_set("migration migrations")
# A snapshot of one of these is kept, so that it can be restored.
KEPT_AS_IT_IS: Final = word_set("disk droplet instance vm")
# Verbs which, beside one of ENDINGS, will have something ended.
BEGINS: Final = word_set("approve confirm execute force initiate perform request run schedule start submit")
ENDINGS: Final = word_set("deletion deletions destruction erasure")
# One of these that is released goes to others.
LET_GO: Final = word_set("eip elastic ip ips")
# Versions that others build on.
RELEASED: Final = word_set("crate gem npm package pypi release version")
QUEUES: Final = word_set("queue queues")
# Building one of these is putting it together, while a program is built by a job.
PUT_TOGETHER: Final = word_set("""
    audience bridge castle collection comic dashboard dataset deck document form graph house index kb
    knowledge list model page playlist portfolio presentation scene segment set slide slides structure table
    template toolset tower wall webtoon world
""")
RECORDED: Final = word_set("audio camera mic microphone screen video voice")
# Reloading one of these ends what it was doing.
RELOADED: Final = SCREENS | word_set(
    "agent container daemon extension module nginx plugin plugins server service services"
)
DATABASES: Final = word_set("database mariadb mongo mysql postgres postgresql redis")
# Initializing one of these sets it going.
SET_GOING: Final = word_set("container emulator sandbox vm")
# These are loaded only to be read.
READ_WHOLE: Final = word_set("""
    article articles chat context docs documentation guide guides instructions knowledge memories memory
    messages more pdf prompt prompts rules schema skill skills tickers variable variables
""")
# Converting one of these changes what it is.
BECOMES: Final = word_set("issue item items lead opportunity subtask task tasks ticket user")
# Cleaning one of these changes it; cleaning what was built or stored loses it.
CLEANED: Final = word_set("address code csv column columns data dataset email name names sheet")
# These are given and come back clean.
GIVEN_TEXT: Final = word_set("html input json markdown prompt prompts string text texts")
PROMPTS: Final = word_set("prompt prompts")
# These are worked out for the caller, and what becomes of them is left to the caller.
WORKED_OUT: Final = PROMPTS | word_set("route routes salesman waypoints")
# These are wired in another sense than money.
WIRED: Final = word_set(
    "circuit component components connection node nodes pin pins port ports signal signals"
)
# Reporting one of these writes it down.
REPORTED: Final = word_set("""
    abuse bug bugs chargeback crash error feedback finding findings incident issue outcome problem progress
    spam vulnerability
""")
# What is requested of one of these is done.
ASKED_TO_DO: Final = word_set("api graphql http rest")
# Formatting one of these loses what it held.
FORMATTED: Final = word_set("disk drive partition sd usb volume")
# These stay where they are while paused: nothing of them runs.
PAUSED: Final = word_set("""
    account ad ads adset adsets advertisement campaign campaigns keyword keywords listing matching member
    membership notification notifications subscription user
""")
# Plans that are carried out.
CARRIED_OUT: Final = word_set("migration migrations plan playbook strategy terraform")
# Beside one of these, the gestures go to the computer itself, or to a device, and not to a page.
GESTURES: Final = word_set("click drag hover press scroll swipe tap type")
ON_A_COMPUTER: Final = word_set("""
    accessibility adb android cockpit combination combo computer coordinates cursor desktop emulator gamepad
    hotkey ios joystick keyboard keystroke keystrokes mobile mouse pointer serial simulator
""")
# If the name says that a browser is driven, it is an Execute; a gesture on a page alone is a Write.
BROWSERS: Final = word_set("browser browserbase chrome chromium playwright puppeteer selenium webdriver")
# Looking in one of these directions turns the head of an avatar or a robot.
DIRECTIONS: Final = word_set("direction down left right")
MOVED: Final = word_set("avatar backward robot")
# These are gone through without being changed.
FOLLOWED: Final = word_set(
    "ast call calls chain dependencies graph hierarchy imports links path references tree"
)
# Giving one of these is answering.
ANSWERED_WITH: Final = word_set("""
    advice analysis answer answers breakdown context details explanation guidance hint hints
    information insight insights instructions list overview recommendation recommendations score status
    suggestion suggestions summary tips
""")
# Sending one of these tells a device or a program to do something.
SIGNALS: Final = word_set(
    "console control keys keystroke keystrokes pty repl sigint signal sigterm stdin tty"
)
COMMANDED: Final = word_set("action actions")
# Parts of a text or a table: selecting them only picks them out.
PICKED: Final = word_set("column columns field fields line lines query record records row rows sql")
# These are collected without being taken away.
COLLECTED: Final = word_set("""
    context data diagnostics emails every evidence info information instance instances links log logs metrics
    profiles research statistics stats subdomains telemetry threat threats traces urls
""")
# These are written for the caller.
LETTERS: Final = word_set("copy essay letter poem slogan")
# Corrections of a text are only answered.
SPELLED: Final = word_set("errata grammar sentence spell spelling typo typos")
# Terminating one of these loses it; a process or a session that ends can begin again.
TERMINATED: Final = word_set("""
    account accounts contract database deployment droplet employee environment host instance instances lease
    machine machines member server stack tenant user vm vms workspace
""")
TESTED: Final = word_set("""
    all alert android credentials device endpoint ios macos mobile notification notifications package project
    sim simulator suite target targets webhook
""")
# One of these that is generated is a draft.
DRAFTED: Final = word_set("checklist html reply tweet")
# A program is built for one of these, or with it.
BUILT_AS_SOFTWARE: Final = word_set("""
    android apk container device gradle ios ipa macos maven msbuild proj project run sim simulator workspace
    ws xcode
""")
# Tracking one of these reports what happens on a site or in an account; tracking a parcel only looks for it.
COUNTED: Final = word_set("""
    action auth behavior behaviour click conversion event events login logout metric pageview pageviews
    password sale sales signup
""")
# Scanning for one of these probes other machines.
PROBED: Final = word_set("masscan nmap port ports stealth syn tcp udp")
# Languages in which it is only possible to ask.
ASKED_IN: Final = word_set("aql jql kql soql sosl sparql")
# The buttons of a game.
PAD: Final = word_set("b down left right select start up x y")
# Attaching to one of these is what a debugger does.
DEBUGGED: Final = word_set("debugger gdb lldb pid process")
# Opening one of these only shows a part of a stored graph.
OPENED_TO_READ: Final = word_set("details nodes note notes tag")
# A language server is asked for one of these.
OF_CODE: Final = word_set("completions diagnostics hover references")
SIGNING_IN: Final = word_set("auth authentication authorization login oauth planning")
SERVED: Final = word_set("container containers server servers service services")
# What somebody's time is written down with.
TIMERS: Final = word_set("timer timers timesheet tracking")
# Formatting one of these changes the document; a text is given and comes back.
LAID_OUT: Final = word_set("cell cells paragraph range shape slide")

_CALLED: Final = frozenset({"call"})
_VOICE: Final = frozenset({"voice"})
_MADE: Final = ((MEDIA, WRITE), (ANSWERS_MADE, READ))
# What a verb means if one of these words is beside it.
BESIDE: Final[dict[str, tuple[tuple[frozenset[str], ToolClass], ...]]] = {
    **dict.fromkeys(REMOVAL, ((REMOVES_A_RELATION, WRITE),)),
    **dict.fromkeys(BEGINS, ((ENDINGS, DESTRUCTIVE),)),
    **dict.fromkeys(JOB_VERBS, ((JOB_WORDS, EXECUTE),)),
    **dict.fromkeys(MAKES, ((_CALLED, EXECUTE), *_MADE)),
    **dict.fromkeys(("gen", "generate"), ((_CALLED, EXECUTE), *_MADE, (DRAFTED, READ))),
    "assemble": ((ANSWERS_MADE, READ),),
    "change": ((_VOICE, EXECUTE),),
    **dict.fromkeys(SETTLES_MONEY, ((MONEY_SETTLED, FINANCIAL),)),
    **dict.fromkeys(GESTURES | {"fill"}, ((ON_A_COMPUTER | BROWSERS, EXECUTE),)),
    **dict.fromkeys(SCREEN_VERBS, ((SCREENS | DEVICES, EXECUTE),)),
    **dict.fromkeys(DEVICE_VERBS, ((DEVICES, EXECUTE),)),
    **dict.fromkeys(("lock", "set", "unlock"), ((SURE_DEVICES, EXECUTE),)),
    "execute": ((SEARCHES | ASKED_IN, READ),),
    "expire": ((SNAPSHOTS, DESTRUCTIVE),),
    **dict.fromkeys(
        ("clean", "improve", "polish", "sanitise", "sanitize"),
        ((GIVEN_TEXT, READ), (CLEANED, WRITE)),
    ),
    "enhance": ((PROMPTS | GIVEN_TEXT, READ),),
    "refine": ((PROMPTS, READ),),
    **dict.fromkeys(("optimise", "optimize"), ((WORKED_OUT, READ),)),
    **dict.fromkeys(("redact", "rephrase", "rewrite"), ((GIVEN_TEXT | {"paragraph", "sentence"}, READ),)),
    **dict.fromkeys(("pause", "resume", "suspend", "unpause"), ((PAUSED, WRITE),)),
    **dict.fromkeys(("synthesise", "synthesize"), ((MEDIA, WRITE),)),
    "apply": ((CARRIED_OUT, EXECUTE),),
    "attach": ((DEBUGGED, EXECUTE),),
    "activate": ((SCREENS | {"scene"}, EXECUTE),),
    "accept": ((frozenset({"chargeback", "dispute"}), FINANCIAL),),
    "build": ((BUILT_AS_SOFTWARE, EXECUTE), (ANSWERS_MADE, READ), (PUT_TOGETHER | MEDIA, WRITE)),
    "call": ((frozenset({"eth"}), READ),),
    "charge": ((word_set("battery car device ev phone robot scooter vehicle"), EXECUTE),),
    "cancel": ((ENDED, DESTRUCTIVE), (JOB_WORDS, EXECUTE)),
    "burn": ((frozenset({"caption", "captions", "subtitle", "subtitles"}), WRITE),),
    "close": (
        (frozenset({"account", "accounts"}), DESTRUCTIVE),
        (SCREENS | DEVICES | BROWSERS | {"sandbox", "session", "sessions"}, EXECUTE),
    ),
    "delete": ((word_set("assignee assignees breakpoint breakpoints reaction reactions retweet"), WRITE),),
    "compile": ((ANSWERS_MADE, READ),),
    "collect": ((COLLECTED, READ),),
    "confirm": ((frozenset({"exists", "whether"}), READ),),
    "convert": ((_VOICE, EXECUTE), (BECOMES | MEDIA, WRITE)),
    "correct": ((SPELLED, READ),),
    "display": ((POPS_UP, WRITE),),
    "drain": ((QUEUES, DESTRUCTIVE),),
    "drop": ((POINTER, WRITE),),
    "embed": ((GIVEN_TEXT | {"query"}, READ),),
    "exchange": ((OF_EXCHANGES, READ),),
    "follow": ((FOLLOWED, READ),),
    "give": ((ANSWERED_WITH, READ),),
    "walk": ((FOLLOWED, READ),),
    "fix": ((SPELLED, READ),),
    "format": ((FORMATTED, DESTRUCTIVE), (LAID_OUT, WRITE)),
    "forward": ((frozenset({"port", "ports"}), EXECUTE),),
    "harvest": ((COLLECTED, READ),),
    **dict.fromkeys(("init", "initialise", "initialize"), ((SET_GOING | {"browser"}, EXECUTE),)),
    "hire": ((word_set("agent agents contractor expert freelancer human humans person worker"), FINANCIAL),),
    "join": ((CALLS, EXECUTE),),
    "load": ((READ_WHOLE, READ),),
    "delegate": ((frozenset({"agent", "agents", "task", "tasks"}), EXECUTE),),
    "look": ((DIRECTIONS, EXECUTE),),
    "move": ((ON_A_COMPUTER | DEVICES | MOVED, EXECUTE),),
    "open": (
        (OPENED_TO_READ, READ),
        (SCREENS | DEVICES | {"editor", "link", "project", "url"}, EXECUTE),
    ),
    "place": ((_CALLED, EXECUTE),),
    "press": ((ON_A_COMPUTER | BROWSERS | PAD | {"remote"}, EXECUTE),),
    "process": ((frozenset({"thought"}), READ),),
    "promote": ((frozenset({"canary", "deployment", "pipelines"}), EXECUTE),),
    "quote": ((frozenset({"tweet"}), WRITE),),
    "scan": ((PROBED, EXECUTE),),
    "snapshot": ((KEPT_AS_IT_IS, WRITE),),
    "track": ((COUNTED, WRITE),),
    "print": ((PRINTED, EXECUTE),),
    "put": ((COMMANDED, EXECUTE),),
    "rebalance": ((frozenset({"holdings", "portfolio", "vault"}), FINANCIAL),),
    "rebuild": ((BUILT_ANEW, DESTRUCTIVE),),
    "recreate": ((MADE_ANEW, DESTRUCTIVE),),
    "reinstall": ((INSTALLED_ANEW, DESTRUCTIVE),),
    "release": ((LET_GO, DESTRUCTIVE),),
    "restore": ((OVERWRITTEN, DESTRUCTIVE), (SCREENS - {"page"}, EXECUTE)),
    "revert": ((SNAPSHOTS, DESTRUCTIVE), (MIGRATIONS, EXECUTE)),
    "kill": ((KILLED, DESTRUCTIVE),),
    "overwrite": ((OVERWRITES, DESTRUCTIVE),),
    "recall": ((TAKEN_BACK, DESTRUCTIVE),),
    "sanitise": ((FORMATTED, DESTRUCTIVE), (GIVEN_TEXT, READ), (CLEANED, WRITE)),
    "sanitize": ((FORMATTED, DESTRUCTIVE), (GIVEN_TEXT, READ), (CLEANED, WRITE)),
    "rollback": ((SNAPSHOTS | OVERWRITTEN, DESTRUCTIVE), (frozenset({"transaction"}), WRITE)),
    "record": ((RECORDED, EXECUTE),),
    "reload": ((RELOADED | DATABASES, EXECUTE),),
    "report": ((REPORTED, WRITE),),
    "request": ((ASKED_TO_DO, EXECUTE), (OF_CODE, READ)),
    "run": ((RUN_AS, EXECUTE), (REPORTS | ASKED_IN, READ)),
    "reset": ((RESET_ENDS, DESTRUCTIVE),),
    "resolve": ((SETTLED, WRITE),),
    "select": ((SCREENS | BROWSERS, EXECUTE), (PICKED, READ)),
    "send": ((SIGNALS, EXECUTE),),
    "show": ((POPS_UP, WRITE),),
    "start": ((SERVED, EXECUTE), (TALK | SIGNING_IN | TIMERS, WRITE), (SEARCHES, READ)),
    "stop": ((SERVED, EXECUTE), (TIMERS, WRITE)),
    "initiate": ((ENDINGS, DESTRUCTIVE), (SIGNING_IN, WRITE)),
    "sync": ((word_set("app application applications apps"), EXECUTE),),
    "terminate": ((TERMINATED, DESTRUCTIVE),),
    "test": ((FLOWS | TESTED, EXECUTE),),
    "unblock": ((frozenset({"page", "url", "web"}), READ),),
    "unlink": ((frozenset({"file", "files", "keys"}), DESTRUCTIVE),),
    "unpublish": ((RELEASED, DESTRUCTIVE),),
    "wire": ((WIRED, WRITE),),
    "write": ((frozenset({"contract", "query"}), EXECUTE), (LETTERS, READ)),
}
for _verb in BEGINS:
    BESIDE[_verb] = ((ENDINGS, DESTRUCTIVE), *BESIDE.get(_verb, ()))

"""What a verb means beside another word, and those words. Data."""

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

# To drop a thing on a page ends nothing.
POINTER: Final = word_set("browser drag element mouse")
# Where one of these is shown, somebody is told something.
POPS_UP: Final = word_set("banner dialog notification popup toast")
# Removing one of these takes it off something; it does not end it.
REMOVES_A_RELATION: Final = word_set("""
    assignee background bookmark bookmarks breakpoint breakpoints favorite favourite filter filters from
    highlight label labels like member members noise participant participants reaction reactions relation
    relations relationship relationships reviewer reviewers selection star tag tags watcher watermark
""")
# To resolve one of these is to change it; to resolve a name is to read.
SETTLED: Final = word_set(
    "alert case claim comment conflict dispute error finding incident issue review thread ticket todo"
)
JOB_WORDS: Final = word_set("""
    analysis backtest build execution executions finetune generation inference job jobs pipeline prediction
    predictions rendering run scan scans simulation training trainings transcription
""")
JOB_VERBS: Final = word_set("cancel create post submit")
# What is run as one of these goes on by itself: “Run an analysis job”.
RUN_AS: Final = word_set("""
    agent agents code command commands job jobs pipeline script scripts shell sql suite task tasks tool
    workflow workflows
""")
# What is run of these is drawn up and answered.
REPORTS: Final = word_set("report reports")
FLOWS: Final = word_set("flow job pipeline workflow")
TALK: Final = word_set("chat conversation discussion thread")
# What is shown on a screen: to open, switch or close one of these sets a program going or ends it.
SCREENS: Final = word_set("""
    app application apps browser emulator page program simulator tab tabs terminal terminals window windows
""")
DEVICE_VERBS: Final = word_set("adjust decrease dim increase lower mute raise toggle unmute")
# Of these a list, too, has some: one that is set or locked is only written down.
SURE_DEVICES: Final = DEVICES - {"camera", "device", "devices"}
SCREEN_VERBS: Final = word_set("activate close focus new open select switch")
# An exchange has these; whoever exchanges something gives it another.
OF_EXCHANGES: Final = word_set("calendar info list map rate rates symbols")
PRINTED: Final = word_set(
    "document documents file files gcode job label labels mf model models page pages pdf photo photos "
    "receipt stl ticket tickets"
)
SEARCHES: Final = word_set("search searches")
# To capture a picture is to read; to capture a payment is to take it.
SETTLES_MONEY: Final = word_set("authorise authorize capture reverse settle void")
MONEY_SETTLED: Final = word_set("""
    authorization bill charge credit deposit escrow funds hold invoice order payment payout refund sale
    settlement transaction transfer withdrawal
""")
# What is set back to its beginning loses what it held.
RESET_ENDS: Final = word_set("""
    branch collection counters data database db everything factory hard knowledge migrate migrations schema
    site storage tables vault wallet
""")
# What is made anew where one stands, or put back to what it was, loses what came since.
MADE_ANEW: Final = word_set("collection database db index schema table tables")
BUILT_ANEW: Final = word_set("droplet instance machine server vm")
INSTALLED_ANEW: Final = word_set("os server system")
SNAPSHOTS: Final = word_set("snapshot snapshots")
# Put back to what it was, what came since is lost.
OVERWRITTEN: Final = word_set("database db droplet")
MIGRATIONS: Final = word_set("migration migrations")
# A picture of one of these is kept, so that one can go back to it.
KEPT_AS_IT_IS: Final = word_set("disk droplet instance vm")
# Whoever asks for one of these will have something ended.
BEGINS: Final = word_set("approve confirm execute force initiate perform request run schedule start submit")
ENDINGS: Final = word_set("deletion deletions destruction erasure")
# What is let go of there goes to others.
LET_GO: Final = word_set("eip elastic ip ips")
# A version that others build on.
RELEASED: Final = word_set("crate gem package release version")
QUEUES: Final = word_set("queue queues")
# To build one of these is to put it together, where a program is built by a job.
PUT_TOGETHER: Final = word_set("""
    audience bridge castle collection dashboard dataset deck document form graph house index kb knowledge list
    model page playlist portfolio presentation scene segment set slide slides structure table template tower
    toolset wall world
""")
RECORDED: Final = word_set("audio camera mic microphone screen video voice")
# To load one of these anew is to end what it was doing.
RELOADED: Final = SCREENS | word_set(
    "agent container daemon extension module nginx plugin plugins server service services"
)
DATABASES: Final = word_set("database mariadb mongo mysql postgres postgresql redis")
# To initialize one of these is to set it going.
SET_GOING: Final = word_set("container emulator sandbox vm")
# What is only loaded to be read.
READ_WHOLE: Final = word_set(
    "context docs documentation guide guides instructions knowledge memories pdf prompt prompts rules schema "
    "skill skills"
)
# To convert one of these is to change what it is.
BECOMES: Final = word_set("issue item items lead opportunity subtask task tasks ticket user")
# To clean one of these is to change it; to clean what was built or kept is to lose it.
CLEANED: Final = word_set("address code csv column columns data dataset email name names sheet")
# What is given and comes back clean.
GIVEN_TEXT: Final = word_set("html input json markdown prompt prompts string text texts")
PROMPTS: Final = word_set("prompt prompts")
# What is worked out for whoever asks, and left to them.
WORKED_OUT: Final = PROMPTS | word_set("route routes salesman waypoints")
# What is wired otherwise than money.
WIRED: Final = word_set(
    "circuit component components connection node nodes pin pins port ports signal signals"
)
# What is told about one of these is written down there.
REPORTED: Final = word_set("""
    abuse bug bugs crash error feedback finding findings incident issue outcome problem progress spam
    vulnerability
""")
# Whatever one asks of these is done.
ASKED_TO_DO: Final = word_set("api graphql http rest")
# What is formatted loses what it held.
FORMATTED: Final = word_set("disk drive partition sd usb volume")
# What goes on to stand there while it is paused: nothing of it runs.
PAUSED: Final = word_set("""
    account ad ads adset adsets advertisement campaign campaigns keyword keywords listing matching member
    membership notification notifications subscription user
""")
# Plans that are carried out.
CARRIED_OUT: Final = word_set("migration migrations plan playbook strategy terraform")
# What is pointed and typed at beside one of these is the computer itself, or a device, and not a page.
GESTURES: Final = word_set("click drag hover press scroll swipe tap type")
ON_A_COMPUTER: Final = word_set("""
    accessibility adb android cockpit combination combo computer coordinates cursor desktop emulator gamepad
    hotkey ios joystick keyboard keystroke keystrokes mobile mouse pointer serial simulator
""")
# Where the name says that a browser is driven, it is; what is done to a page is only written there.
BROWSERS: Final = word_set("browser browserbase chrome chromium playwright puppeteer selenium webdriver")
# Who looks there turns its head, or that of a robot.
DIRECTIONS: Final = word_set("direction down left right")
MOVED: Final = word_set("avatar backward robot")
# What is gone through without changing it.
FOLLOWED: Final = word_set(
    "ast call calls chain dependencies graph hierarchy imports links path references tree"
)
# Whoever gives one of these answers.
ANSWERED_WITH: Final = word_set("""
    advice analysis answer answers breakdown context details explanation guidance hint hints
    information insight insights instructions list overview recommendation recommendations score status
    suggestion suggestions summary tips
""")
# What a device or a program is told to do.
SIGNALS: Final = word_set(
    "console control keys keystroke keystrokes pty repl sigint signal sigterm stdin tty"
)
COMMANDED: Final = word_set("action actions")
# Parts of a text or a table that are picked out.
PICKED: Final = word_set("column columns field fields line lines query record records row rows sql")
# What is collected without being taken away.
COLLECTED: Final = word_set("""
    context data diagnostics emails every evidence information instance instances links log logs metrics
    profiles statistics stats subdomains telemetry traces urls
""")
# What is written for whoever asks.
LETTERS: Final = word_set("copy essay letter poem slogan")
# What is put right in a text is answered.
SPELLED: Final = word_set("grammar sentence spell spelling typo typos")
# To terminate one of these is to lose it; a process or a session that ends can begin again.
TERMINATED: Final = word_set("""
    account accounts contract database deployment droplet employee environment host instance instances lease
    machine machines member server stack tenant user vm vms workspace
""")
TESTED: Final = word_set("""
    all alert android credentials device endpoint ios macos mobile notification notifications package project
    sim simulator suite target targets webhook
""")
# What is generated of these is a draft.
DRAFTED: Final = word_set("checklist html reply tweet")
# Of a program that is built one says for what, and what with.
BUILT_AS_SOFTWARE: Final = word_set("""
    android apk container device gradle ios ipa macos maven msbuild proj project run sim simulator workspace
    ws xcode
""")
# What happens on a site or in an account is reported to whoever counts it; a parcel is only looked for.
COUNTED: Final = word_set("""
    action auth behavior behaviour click conversion event events login logout metric pageview pageviews
    password signup
""")
# Who looks for these asks other machines.
PROBED: Final = word_set("masscan nmap port ports stealth syn tcp udp")
# Languages in which one can only ask.
ASKED_IN: Final = word_set("soql sosl sparql")
# The buttons of a game.
PAD: Final = word_set("b down left right select start up x y")
# What a debugger takes hold of.
DEBUGGED: Final = word_set("debugger gdb lldb pid process")
# What is shown of a graph that is kept.
OPENED_TO_READ: Final = word_set("details nodes")
# Written into a document these are changed; a text is given and comes back.
LAID_OUT: Final = word_set("cell cells paragraph range shape slide")

_CALLED: Final = frozenset({"call"})
_VOICE: Final = frozenset({"voice"})
_MADE: Final = ((MEDIA, WRITE), (ANSWERS_MADE, READ))
# What a verb means where one of these words stands beside it.
BESIDE: Final[dict[str, tuple[tuple[frozenset[str], ToolClass], ...]]] = {
    **dict.fromkeys(REMOVAL, ((REMOVES_A_RELATION, WRITE),)),
    **dict.fromkeys(BEGINS, ((ENDINGS, DESTRUCTIVE),)),
    **dict.fromkeys(JOB_VERBS, ((JOB_WORDS, EXECUTE),)),
    **dict.fromkeys(MAKES, ((_CALLED, EXECUTE), *_MADE)),
    **dict.fromkeys(("gen", "generate"), ((_CALLED, EXECUTE), *_MADE, (DRAFTED, READ))),
    "assemble": ((ANSWERS_MADE, READ),),
    "change": ((_VOICE, EXECUTE),),
    "clone": ((_VOICE, EXECUTE),),
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
    **dict.fromkeys(("enhance", "refine"), ((PROMPTS, READ),)),
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
    "burn": ((frozenset({"caption", "captions", "subtitle", "subtitles"}), WRITE),),
    "close": ((frozenset({"account", "accounts"}), DESTRUCTIVE), (SCREENS | DEVICES, EXECUTE)),
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
    "hire": ((frozenset({"agent", "agents", "freelancer", "worker"}), FINANCIAL),),
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
    "rollback": ((SNAPSHOTS, DESTRUCTIVE), (frozenset({"transaction"}), WRITE)),
    "record": ((RECORDED, EXECUTE),),
    "reload": ((RELOADED | DATABASES, EXECUTE),),
    "report": ((REPORTED, WRITE),),
    "request": ((ASKED_TO_DO, EXECUTE),),
    "run": ((RUN_AS, EXECUTE), (REPORTS | ASKED_IN, READ)),
    "reset": ((RESET_ENDS, DESTRUCTIVE),),
    "resolve": ((SETTLED, WRITE),),
    "select": ((SCREENS - {"browser"}, EXECUTE), (PICKED, READ)),
    "send": ((SIGNALS, EXECUTE),),
    "show": ((POPS_UP, WRITE),),
    "start": ((TALK, WRITE), (SEARCHES, READ)),
    "terminate": ((TERMINATED, DESTRUCTIVE),),
    "test": ((FLOWS | TESTED, EXECUTE),),
    "unblock": ((frozenset({"page", "url", "web"}), READ),),
    "unlink": ((frozenset({"keys"}), DESTRUCTIVE),),
    "unpublish": ((RELEASED, DESTRUCTIVE),),
    "wire": ((WIRED, WRITE),),
    "write": ((frozenset({"contract", "query"}), EXECUTE), (LETTERS, READ)),
}
for _verb in BEGINS:
    BESIDE[_verb] = ((ENDINGS, DESTRUCTIVE), *BESIDE.get(_verb, ()))

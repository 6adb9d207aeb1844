"""The words the classifier knows, listed so that a label that surprises can be traced to one line.

A *plain* verb says what a tool does wherever it appears in a name. A *loose* one is as often a noun (`run`,
`order`, `post`) and counts only in a name without a plain verb.
"""

from enum import IntEnum, StrEnum
from typing import Final, TypeAlias

from catalog.classifier import tongues


class ToolClass(StrEnum):
    """Worst last."""

    READ = "Read"
    WRITE = "Write"
    EXECUTE = "Execute"
    DESTRUCTIVE = "Destructive"
    FINANCIAL = "Financial"


class Severity(IntEnum):
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def label(self) -> str:
        return self.name.capitalize()


T = ToolClass
# Names of their own, since looking up a member of an enumeration is slow.
READ: Final = T.READ
WRITE: Final = T.WRITE
EXECUTE: Final = T.EXECUTE
DESTRUCTIVE: Final = T.DESTRUCTIVE
FINANCIAL: Final = T.FINANCIAL
WORST_LAST: Final = tuple(ToolClass)
BASE_SEVERITY: Final = dict(zip(WORST_LAST, (1, 2, 3, 4, 4), strict=True))


Params: TypeAlias = tuple[tuple[str, str, bool], ...]


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def argument_names(params: Params) -> frozenset[str]:
    return frozenset(name.lower() for name, _, _ in params)


def _each(tool_class: ToolClass, text: str) -> dict[str, ToolClass]:
    return dict.fromkeys(text.split(), tool_class)


PLAIN: Final[dict[str, ToolClass]] = {
    **_each(
        T.READ,
        """
        get list search find read fetch show describe lookup retrieve count browse inspect preview explain
        analyze analyse compare calculate compute parse validate verify estimate summarize summarise extract
        detect identify recommend suggest examine discover explore observe download export dump poll peek
        grep glob ls cat whoami decode encrypt decrypt scrape crawl geocode enrich assess multiply
        autocomplete enumerate diagnose forecast predict screenshot lint view gets lists aggregate consult
        correlate decompile disassemble divide fingerprint introspect investigate ocr recall recognise
        recognize simulate subtract traceroute transpose troubleshoot visualise whoami whois
        distill geolocate grab obtain paraphrase rephrase synthesise synthesize
    """,
    ),
    **_each(T.READ, tongues.READS),
    **_each(
        T.WRITE,
        """
        create add update set edit modify insert upsert write save upload import move rename copy clone
        assign unassign attach detach unlink append replace apply enable disable configure register
        subscribe unsubscribe publish unpublish send reply invite archive unarchive restore approve reject
        accept decline reopen put patch overwrite increment decrement adjust change annotate bookmark follow
        unfollow react upvote downvote submit customize initialize provision duplicate rewrite refactor fix
        autofix resize rotate switch push notify email broadcast forward resend toggle reactivate expose
        enforce unblock block undo logout authenticate finalize activate deactivate unstar dismiss unresolve
        pin unpin mute unmute lock unlock join leave grant authorize ban unban demote extend acknowledge ack
        allocate allowlist amend associate authorise blacklist customise deallocate dedupe denylist
        deprecate disassociate dislike embed endorse escalate expire favorite favourite finalise freeze
        ignore inject initialise mkdir onboard offboard persist populate prepare prepend prioritise
        prioritize protect reassign rebase redact relabel renew repost reprioritize reschedule respond
        restrict retag retweet revert scaffold snooze taint uncomplete undelete unfreeze unlabel unlike
        unprotect unstage untag untaint whitelist bump contribute enqueue impersonate localize outpaint
        inpaint redo regenerate reimagine interpolate ungroup unset vectorize unapprove
    """,
    ),
    **_each(T.WRITE, tongues.WRITES),
    **_each(
        T.EXECUTE,
        """
        execute exec start stop restart reboot upgrade scale initiate drain cordon uncordon invoke launch
        deploy redeploy evaluate eval resume pause suspend shutdown terminate abort spawn navigate goto
        rollback dispatch autoscale boot failback failover fuzz hibernate quit rebuild recycle redrive
        relaunch replay reprocess rerun retrigger retry undeploy unpause wake actuate blink brew exit disarm
        dispense equip fly honk interact interrupt isolate maximize maximise minimize minimise operate
        preheat quarantine teleport unequip vibrate
    """,
    ),
    **_each(T.EXECUTE, tongues.EXECUTES),
    **_each(
        T.DESTRUCTIVE,
        """
        delete deletes destroy drop purge wipe erase truncate prune uninstall revoke flush nuke deprovision
        unregister deregister expunge rm del remove clear decommission evict rmdir shred teardown
        anonymise anonymize despawn unsend
    """,
    ),
    **_each(T.DESTRUCTIVE, tongues.DESTROYS),
    **_each(T.FINANCIAL, "pay refund withdraw purchase buy sell payout unstake redeem"),
    **_each(T.FINANCIAL, tongues.PAYS),
}

LOOSE: Final[dict[str, ToolClass]] = {
    **_each(
        T.READ,
        """
        query check status info information details detail health help version snapshot capture monitor
        watch tail diff scan audit filter sort stats statistics statistic history summary overview test ask
        resolve review report trace profile track convert translate transcribe match rank score classify
        stat tree about docs documentation balance logs log metrics usage quote price prices pricing schema
        timeline feed trending latest similar related suggestions wait advice guide tutorial reference ping
        hello echo think locate measure determine analyzer calculator research brainstorm debug render
        visualize chart plot decode encode hash format weather news current available reverse judge reason
        reasoning thinking sequentialthinking minify beautify head map display sleep define look print greet
        sample checker detector estimator explorer finder predictor recommender scanner searcher validator
        viewer converter crawler scraper translator addition ceil cos cosine division factorial floor gcd
        lcm ln mean median modulo mul multiplication pow remainder sine sqrt sum tan
    """,
    ),
    **_each(
        T.WRITE,
        """
        post comment tag label mark merge commit share schedule store sync message note draw fill click type
        press drag hover tap open close complete record manage handle link fork branch remember
        memorize connect generate make new login bulk reset reorder star vote select cancel request book
        reserve ingest index load emulate setup confirm transition promote compose design paint crop overlay
        place refresh init backup disconnect optimize refine transform process split delegate mint void
        settle claim end exchange kick compress expand trim upscale gen tokenize sign pull trust stage wrap
        unwrap hide unhide reindex reload collect harvest award correct defend enhance finish give issue
        rekey revise shorten slice standardize timeout
    """,
    ),
    **_each(
        T.EXECUTE,
        """
        run call trigger speak command shell bash powershell terminal script kill play control install
        reconnect compile build fire scroll skip seek migrate reconcile recreate repl
        act arm attack beep continue cool dig fullscreen heat jump land park summon swipe vacuum walk
    """,
    ),
    # Commands of key-value stores.
    **_each(
        T.READ,
        "dbsize hexists hget hgetall hkeys hlen hvals lindex llen lrange mget scard smembers ttl xlen xrange "
        "xread xreadgroup zcard zrange zscore",
    ),
    **_each(
        T.WRITE, "decr hincrby hmset hset incr lpush mset psubscribe rpush sadd setex setnx xack xadd zadd"
    ),
    **_each(T.DESTRUCTIVE, "flushall flushdb hdel lpop lrem ltrim rpop spop srem xdel zrem"),
    **_each(T.DESTRUCTIVE, "trash discard clean cleanup empty forget"),
    **_each(
        T.FINANCIAL,
        """
        transfer swap trade charge deposit fund stake bridge donate checkout tip borrow lend repay
        undelegate redelegate disburse reimburse tranfer
    """,
    ),
}

# Verbs that leave open what happens to things: the server's own hint decides.
OPEN_ENDED: Final = word_set("bulk control do handle manage operate perform process request use write")
# Verbs that stand for whatever the description lists: “create, update or delete”.
UMBRELLAS: Final = word_set("administer control handle manage operate perform")
# In front these are the verb, and a `list` or `view` after them is a thing: `manage_task_list`.
MANAGES: Final = word_set("handle manage")
# Verbs that also name a whole area of a product: in `compute_vm_delete` the last word decides.
AREAS: Final = word_set("""
    compute crawl encrypt deploy email evaluate explore export forecast import launch notify poll purchase
    register scrape simulate upload view
""")
AREA_VERBS: Final = word_set("""
    abort add analyzer audit calculator cancel check classify create delete describe extract find generate get
    guide help list ls parse pause read remove resume rm search suggest summarize send set show start status
    stop submit update validate verify
""")
# These run something only to look: “executes a query” does not make a query an Execute.
REPORTS_ON_CODE: Final = word_set("audit check lint query report scan test")
REMOVAL: Final = word_set("clear del remove rm")
# Things that move or light up where people are.
DEVICES: Final = word_set("""
    appliance appliances blind blinds brightness camera curtain curtains device devices door doors fan fans
    garage gate gripper heater heating lamp lamps light lights motor playback plug plugs pwm relay robot servo
    shades siren speaker sprinkler sprinklers thermostat valve volume
""")
# In front these only look, and a verb after them that is also a noun is what they look at.
LOOKS: Final = word_set("audit check measure monitor query resolve review")
LOOKED_AT: Final = word_set(
    "archive block broadcast change copy deploy email export forward grant import invite launch lock patch "
    "poll purchase push put release reply save start switch update upgrade upload"
)
# These look at the thing before them: `email_validator`.
LOOKERS: Final = word_set("""
    analyzer calculator checker estimator evaluator explorer finder inspector lookup predictor scanner
    report searcher tracker validator viewer
""")
# What a person sits at: `terminal_wait`.
SESSIONS: Final = word_set("bash call command powershell shell terminal")
# Commands that only report something.
ONLY_TELLS: Final = word_set("""
    date df dig du free id lsblk lspci lsusb netstat nslookup ps pwd top uname uptime w whereis which who
""")
# After one of these comes what something is made of or for.
OF_WHAT: Final = word_set("about by for from in of on using via with")
# These ask what it would cost, and nothing is paid.
ONLY_ASKED: Final = word_set("estimate preview quote quotes simulation")
# After another word these are things: a risk index, a developer's tip.
ONLY_IN_FRONT: Final = word_set("index label tip")
CALLS: Final = word_set("call conference meeting room voice")
# Names of products that contain a verb.
PRODUCTS: Final = frozenset({
    ("app", "store"), ("google", "play"), ("key", "vault"), ("open", "search"), ("play", "store"),
})  # fmt: skip
# `text_to_speech`: what comes out is new, while other formats are only another way to read the same.
MEDIA: Final = word_set("""
    animation audio avatar film image images movie movies music podcast song songs sound soundtrack speech
    video videos voice voiceover
""")
SQL_THAT_DESTROYS: Final = word_set("ddl dml")
JOINS: Final = word_set("and or")
# `getwallethistory` is several words written as one; `getting` is not.
GLUED: Final = ("get", "list", "create", "update", "delete", "search", "fetch", "retrieve", "find")
NOT_GLUED: Final = word_set("ting ter ters able d ed er ers ing ings or ors s")
# `websearch`, `smartscraper`: the same at the end of a word.
GLUED_LAST: Final = (
    "search", "lookup", "scraper", "crawler", "finder", "checker", "analyzer", "calculator", "converter",
    "translator", "viewer", "explorer", "validator", "info", "stats", "status", "history", "details",
)  # fmt: skip

# Changing one of these changes who owns or owes.
MONEY: Final = word_set("""
    billing boleto boletos carnet cfdi charges checkout cob cobv deposit deposits donation donations escrow
    invoice
    invoices nfce nfe nfse paylink payment payments payout payouts purchase purchases refund refunds
    withdrawal
    withdrawals
    cobranca cobrancas devolucao devolucion devolution estorno factura facturas fatura faturas pagamento
    pagamentos pago pagos paiement factuur facture factures rechnung reembolso remboursement transferencia
    ueberweisung virement
    zahlung betaling bolletta bollette bonifici bonifico cobro cobros faktura fakture fakturu faktur fattura
    fatture havale
    odeme overboeking platnosc przelew tagihan uberweisung virements zahlungen
""")
MOVES_VALUE: Final = word_set("""
    bridge burn deposit mint move send stake swap trade transfer unwrap withdraw wrap
""")
# Money only when moved: a token is as often a credential.
MONEY_SENT: Final = word_set("""
    ada airtime asset assets avax bitcoin bnb brl btc cash coin coins credits crypto cryptocurrency currency
    dai doge egld erc eth ether eur funds gbp gift gifts hbar jetton jettons kaspa lamports lightning lovelace
    ltc matic monero money nft nfts pix sats satoshis sol spei spl stablecoin stablecoins steth sui token
    tokens ton trx usd usdc usdt wei weth wire xlm xmr xrp zec
""")
# With these, a ledger is asked to carry out what is SENT.
SENDS: Final = word_set("broadcast execute perform relay send submit")
SENT: Final = word_set("swap trade transaction transactions transfer tx txn userop")
# Money only in the company of other words for money: topics have subscriptions, too.
MONEY_AMONG_MONEY: Final = word_set("credit credits split splits subscription subscriptions")
MONEY_COMPANY: Final = word_set("billing invoice payment payout refund")
# A server that has one of these is an exchange: an order made there is bought or sold.
TRADING_COMPANY: Final = ("funding_rate", "fundingrate", "klines", "ohlcv", "order_book", "orderbook")
NOT_MONEY: Final = word_set("""
    agent app application branch call card case channel chat chats contact conversation customer data
    database document domain domains drive event events feed file files folder git graph image index
    indexes indices issue label lead media newsletter notification object owner ownership page phone
    player project repo repository server site student style task team ticket topic user vm webhook
    workflow workspace
""")
# With these, it is about ways to pay that are kept on file, or what is printed on a bill.
MONEY_ON_FILE: Final = word_set(
    "address contact instrument instruments method methods preference preferences profile source sources "
    "template terms"
)
BIDS: Final = word_set("bet bets bid bids order orders parlay pledge wager wagers")
BINDS: Final = word_set("counter enter increase make place post raise send submit")
DEALS: Final = word_set(tongues.DEALS)
DEALT: Final = word_set(tongues.DEALT)
OFFERS: Final = word_set("add award fund increase post")
ORDERS: Final = word_set("bet bets bid bids order orders position positions wager")
TRADES: Final = word_set("crypto dca futures limit market option options shares spot stock trade trading")

# An argument that says how much, beside one that says of what or whose.
AMOUNTS: Final = (
    "amount",
    "bedrag",
    "belopp",
    "betrag",
    "castka",
    "coins",
    "importe",
    "importo",
    "jumlah",
    "monto",
    "kwota",
    "lamports",
    "montant",
    "tutar",
    "valor",
)
PARTIES: Final = (
    "auction", "bank", "benefici", "card", "creditor", "currency", "debtor", "delegator", "denom", "destinat",
    "iban", "installments", "loan", "lot_id", "mint", "payee", "payer", "payment", "pix", "position",
    "receiver", "recipient", "rekening", "spender", "token", "validator", "wallet",
)  # fmt: skip
# These may also transfer, trade or withdraw other things: cards of a game, a call, an application.
ALSO_OF_OTHERS: Final = word_set("charge swap trade transfer withdraw")
WORTH: Final = (
    *AMOUNTS, *PARTIES, "account", "address", "asset", "balance", "chain", "coin", "customer", "fee", "fund",
    "invoice", "order", "price", "private", "qty", "quantity", "share", "slippage", "stock", "sum", "symbol",
    "ticker", "transaction", "usd", "value", "volume",
)  # fmt: skip
FILES: Final = ("directory", "file", "folder", "path")
# Writing down what was spent spends nothing.
BOOKKEEPING: Final = word_set("""
    budget budgets category coupon coupons cte deal estimate estimates expense expenses goal goals lead mdfe
    opportunity plan price prices product products proposal quote quotes report
""")
TRADE_PARAMS: Final = word_set("""
    limit_price limitprice order_type ordertype qty quantity side stop_price stopprice symbol time_in_force
    timeinforce trigger_price triggerprice
""")
ENDS_ORDERS: Final = word_set("cancel close")
# What a shop or a bank makes of one of these is to be paid.
TO_BE_PAID: Final = word_set("order orders pix sale topup")
PAID_ITEMS: Final = word_set("fiat_currency fiatcurrency payment payments")
# What is not bought, though it is ordered.
ORDERED_AT_WORK: Final = word_set("""
    db delivery job jobs lab maintenance manufacturing medication picking print production purchase repair
    service sort transport work
""")
CARRIED_OUT: Final = word_set("transaction transactions tx txn")
# Verbs that are also the thing they make; one of TOLD_LAST at the end then asks about it: `build_status`.
NOUN_TOO: Final = word_set("""
    backup bridge build call claim commit connect control fork index install job label load login map
    merge migrate order process run schedule script setup stake swap sync task trade transfer transition
    trigger
""")
TOLD_LAST: Final = word_set("""
    analytics check checker checklist cost costs details detector docs estimator explorer fields finder guide
    health history info information instructions logs metadata metrics names predictor progress report
    reset results scanner searcher state statistics stats status summary types validator values version
    viewer
""")
# If one of these is made, it is the answer itself and is not kept.
ANSWERS_MADE: Final = word_set("""
    agenda analysis answer answers ascii barcode boilerplate breakdown brief briefing caption captions chart
    charts command commands completion completions concepts context crontab deeplink description descriptions
    diagram diff documentation embedding embeddings essay explanation feedback flashcards flowchart flowcharts
    forecast hash hashes hashtags headline headlines hint hints hmac hypotheses id idea ideas identifier ids
    insights instructions itinerary joke keywords layout llmstxt locator locators lorem lyrics map mermaid
    name names notation number numbers outline overview palette password passwords persona personas
    placeholder plot poem prompt prompts pseudocode qr query questions quiz random recipe
    recommendations regex report response roadmap rubric selector selectors slogan slogans snippet snippets
    spec specification specs sql story storyboard string suggestion suggestions summary tagline taglines test
    tests text timeline title titles toc types ulid uri url uuid uuids visualization
""")
MAKES: Final = word_set("build compose construct gen generate make")
# The result of these is only answered, unless an argument says where it is kept.
MAKES_ANEW: Final = MAKES | word_set("chart convert plot render visualize")
# The result of these may be kept: the description says whether it is.
MAYBE_KEPT: Final = MAKES_ANEW | word_set(
    "capture download export extract fetch load record screenshot snapshot"
)
# At the end of a name these may also be things, or made for the caller.
LEFT_OPEN: Final = MAYBE_KEPT | word_set("""
    book branch comment commit design draw fork hover index issue label link message note open post
    record request schedule share star tag vote
""")
# These say little wherever they appear: a description that begins with reading decides.
SAYS_LITTLE: Final = word_set("""
    collect connect enhance harvest improve load map new optimise optimize process refine refresh sample
    transform
""")
# What these send off can be asked about: `send_status`.
SENT_OFF: Final = word_set("deploy email import move notify publish register send submit subscribe upload")
TOLD_OF_IT: Final = word_set("details history info log logs results stats status")
# These may only draw something up, which is carried out by whoever signs it.
DRAWN_UP: Final = MAKES | {"encode", "prepare"}
SWITCHES: Final = {
    "go": word_set("back forward to"),
    "power": word_set("cycle off on"),
    "step": word_set("back forward into out over"),
    "turn": word_set("down off on up"),
    "use": word_set("browser computer"),
}

SECRETS: Final = word_set("""
    apikey apikeys credential credentials keystore mnemonic passphrase password passwords privatekey secret
    secrets vault
""")
COMMAND_WORDS: Final = word_set("bash cmd command powershell shell ssh terminal")
CODE_WORDS: Final = word_set("code javascript notebook python script")
EVALUATED: Final = CODE_WORDS | word_set("browser console expression expressions function js page statement")
# Arguments which show that a tool whose name says nothing runs what it is given.
RUNS_WHAT: Final = word_set("command commands cmd shell sql sql_query raw_sql")


# Before a verb these undo it or do it again; _NO_VERBS are words that only look like that.
_PREFIXES: Final = ("un", "re", "de", "dis")
_NO_VERBS: Final = word_set("""
    debit delay demap deposit detest discount dislike display disorder dissent recall recent record redraw
    decompose descript detokenize relate relation release remove render repost request resend reset resort
    resource respond restart result
    retail retest retrain retrace return unread unset untested reform remark remit present rescore
    reparse
""")


def _prefixed() -> dict[str, ToolClass]:
    """Verbs like `unconfirm` and `reauthenticate`: none is made from a verb that reads, so none is Read."""
    return {
        prefix + verb: max(tool_class, T.WRITE, key=WORST_LAST.index) if prefix == "re" else T.WRITE
        for lexicon in (LOOSE, PLAIN)
        for verb, tool_class in lexicon.items()
        for prefix in _PREFIXES
        if len(verb) > 3 and tool_class is not T.READ and prefix + verb not in _NO_VERBS
    }


for _verb, _class in _prefixed().items():
    if _verb not in PLAIN:
        LOOSE.setdefault(_verb, _class)

TOLD_BY_DESCRIPTION: Final = UMBRELLAS | MAYBE_KEPT | {"query"}
READ_ONLY: Final = frozenset(
    pair
    for behind in ("only", "queries", "query", "sql", "statement", "statements")
    for pair in (("read", "only"), ("only", "select"), ("select", behind))
)

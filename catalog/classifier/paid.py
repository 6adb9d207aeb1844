"""What is paid, ordered or staked: verbs beside the things that make them so. Data.

In each kind: verbs, words one of which must be present, words another of which must be present as well, and
words none of which may be.
"""

from __future__ import annotations

from typing import Final

from catalog.classifier.vocabulary import (
    BOOKKEEPING,
    CARRIED_OUT,
    DEALS,
    DEALT,
    NOT_MONEY,
    OFFERS,
    ORDERED_AT_WORK,
    word_set,
)

Kind = tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[str]]

_ANY: Final[frozenset[str]] = frozenset()
_ADS: Final = word_set("ad ads adset campaign")
_ASKS_FOR: Final = word_set("claim collect harvest redeem request")
_BONUSES: Final = word_set("bonus bonuses")
_BOUNTIES: Final = word_set("bounties bounty")
_BUYS_NAMES: Final = word_set("register renew")
_CALLED_OFF: Final = word_set(
    "bet bets bill bills charge charges dca debit order orders pix sale transaction transfer transfers"
)
# Calling one of these off decides about money, too: what was to be paid is not, or is paid back.
_CALLS_OFF: Final = word_set("cancel")
_CARDS: Final = word_set("card cards voucher vouchers")
# Payments that come again, when they begin, rest or end.
_COMES_AGAIN: Final = word_set("recurrence recurrent")
_FARES: Final = word_set("cab cruise flight flights hotel ride rides taxi train")
# Moving, giving or taking one of these moves money.
_FUNDS: Final = word_set("cash collateral escrow funds liquidity margin money principal utxos")
# Given away by a network or an issuer to whoever asks.
_GIVEN_AWAY: Final = word_set(
    "airdrop commission commissions dividend dividends earning earnings faucet fees reward rewards winnings "
    "yield"
)
_GIVES: Final = word_set("award give grant issue send")
# Cards that hold money.
_HOLDS_MONEY: Final = word_set("debit gift prepaid virtual")
_ISSUES: Final = word_set("activate create fund issue load order reload request send")
# Whoever may spend someone's tokens has them.
_LETS_SPEND: Final = word_set("approve grant increase permit set")
_LOANS: Final = word_set("""
    abonnement credito darlehen emprestimo kredi kredit loan loans mortgage overdraft pinjaman pozyczke
    prestamo prestito
""")
_MOVES_POSITIONS: Final = word_set("close enter exit flatten increase liquidate merge open reduce")
# A domain name is bought, for a year.
_NAMES_BOUGHT: Final = word_set("domain domains")
# Metal, or the edge of a page, as well.
_NO_FUNDS: Final = word_set("element layout page style text")
_NO_SPENDERS: Final = word_set("budget budgets cap caps leave limit limits pto threshold time vacation")
# Issuing one of these makes something that is worth money.
_OF_VALUE: Final = word_set("bond bonds esdt fungible nft nfts sft sfts shares stablecoin")
# Running one of these pays everyone in it.
_PAYROLLS: Final = word_set(
    "airdrop payday payroll payrolls payrun paycheck paychecks salaries salary settlement wages"
)
_PAYS_OUT: Final = word_set("approve execute finalize initiate process release run send start submit trigger")
_POSITIONS: Final = word_set("long longs perp position positions short shorts")
_PUTS_IN: Final = word_set("""
    add allocate commit consolidate draw fund load lock pull push release remove return reserve split sweep
    unlock
""")
# Signing one of these is what carries it out, or lets anyone who has it do so.
_SIGNS: Final = word_set("sign")
_SPENDERS: Final = word_set("allowance spender spending")
_SPENDS_MORE: Final = word_set("increase raise")
_SPENT: Final = word_set("budget spend")
# Whoever accepts one of these owes what it asks for.
_TAKEN_UP: Final = word_set("bid bids tender")
_TAKES_LOANS: Final = word_set("""
    accept ajukan apply beantragen beantragt contract contrata contratar disburse draw finalize obtain
    originate request solicita solicitar souscrire souscrit submit take
""")
_TAKES_UP: Final = word_set("accept award")
_TRAVELS: Final = word_set("book request")
_TURNS_ON_OR_OFF: Final = word_set("activate cancel create deactivate disable enable reactivate suspend")
# With these, something under a domain name is registered, not the name itself.
_OF_NAMES: Final = frozenset({"alias", "custom", "email", "records", "subdomain", "webhook"})
_PAID_WHEN_MADE: Final = frozenset({"bill", "bills", "charge", "erc", "settlement"})
# Bills of a parliament and of goods, charges of a battery, settlements of people.
_NOT_PAID: Final = frozenset(
    {"lading", "materials", "point", "points", "report", "reports", "station", "town"}
)
# What comes again in a calendar.
_PLANNED: Final = frozenset(
    {"calendar", "event", "events", "meeting", "reminder", "reminders", "task", "tasks"}
)
# Tokens that let somebody in, or hold colours.
_NO_COINS: Final = frozenset({"access", "api", "auth", "contract", "dashboard", "design", "service"})
_TOLD: Final = frozenset({"alert", "alerts", "news", "report", "reports", "updates"})
# Ways by which money travels in one country or another.
RAILS: Final = word_set("""
    ach airtime alipay bacs bizum bkash blik bnpl gcash interac jazzcash kakaopay khipu klarna lipa mpesa
    oneclick oxxo paynow paypal paystack pix promptpay razorpay sepa spei stk tabby tamara twint unionpay upi
    venmo vipps vnpay webpay wechatpay wxpay yape zalopay zelle
""")
_SETS_OFF: Final = word_set("""
    approve authorise authorize cancel capture close collect commit confirm create execute finalize increase
    initiate initialize make process push request reverse schedule send submit trigger
""")
# Nothing is paid by keeping one of these.
_ON_FILE: Final = word_set("""
    account accounts address beneficiary config configuration credential customers evp handle inscription
    inscriptions key keys link
    links mandate merchant notifications payee plan plans product products profile qr qrcode recipient
    report reports session sessions store subaccount users vpa webhooks
""")
_TRANSFERS: Final = word_set("remittance remittances transfer transfers")
_CARRIES_OVER: Final = word_set("""
    approve confirm create execute finalise finalize initiate make process schedule submit
""")
# Goods, files and names are transferred as well.
_OTHER_TRANSFERS: Final = NOT_MONEY | word_set("""
    agreement config connector inventory job jobs learning location otp ownership policy product protocol
    request rule s stock template
""")
# Topics and calendars have subscriptions, too.
_NO_CONTRACT: Final = NOT_MONEY | word_set("""
    alert alerts blob calendar email eventgrid graph list notifications plans pubsub push resource sns stream
    streams thread topics updates webhooks
""")
_PLANS_MADE: Final = word_set("""
    care diet execution floor lesson meal plans query route study test training travel treatment trip workout
""")
_WRITTEN_UP: Final = word_set("alert diary entry idea journal log note plan signal tag")
_PLACED: Final = word_set("column field item items line row sort tab display")
_COINS: Final = word_set("coin coins token tokens")
_LAUNCHED: Final = word_set("""
    bep bonding erc esdt fungible jetton meme memecoin mesdt nft pump pumpfun sft solana spl trc
""")

KINDS: Final[tuple[Kind, ...]] = (
    (_MOVES_POSITIONS, _POSITIONS, _ANY, _ANY),
    (_ASKS_FOR, _GIVEN_AWAY, _ANY, _ANY),
    (_PUTS_IN, _FUNDS, _ANY, _NO_FUNDS),
    (_TAKES_LOANS, _LOANS, _ANY, _ANY),
    (_PAYS_OUT, _PAYROLLS, _ANY, BOOKKEEPING | {"timesheet", "timesheets"}),
    (_LETS_SPEND, _SPENDERS, _ANY, _NO_SPENDERS),
    (_TAKES_UP, _TAKEN_UP, _ANY, _ANY),
    (_ISSUES, _CARDS, _HOLDS_MONEY, _ANY),
    (_TRAVELS, _FARES, _ANY, _ANY),
    (_GIVES, _BONUSES, _ANY, frozenset({"points"})),
    (_SPENDS_MORE, _SPENT, _ADS, _ANY),
    (OFFERS, _BOUNTIES, _ANY, _ANY),
    (_BUYS_NAMES, _NAMES_BOUGHT, _ANY, _OF_NAMES),
    (DEALS, DEALT, _ANY, _ANY),
    (_CALLS_OFF, _CALLED_OFF, _ANY, NOT_MONEY | ORDERED_AT_WORK),
    (frozenset({"create"}), frozenset({"order", "orders"}), _FARES, _ANY),
    (frozenset({"issue"}), _OF_VALUE, _ANY, _ANY),
    (_SIGNS, CARRIED_OUT, _ANY, _TOLD),
    (_TURNS_ON_OR_OFF, _COMES_AGAIN, _ANY, _PLANNED),
    (frozenset({"complete", "confirm"}), frozenset({"order", "orders"}), _ANY, ORDERED_AT_WORK),
    (frozenset({"deploy", "launch"}), frozenset({"memecoin", "token", "tokens"}), _ANY, _NO_COINS),
    (frozenset({"subscribe"}), frozenset({"fund", "funds"}), _ANY, _TOLD),
    (frozenset({"create"}), _PAID_WHEN_MADE, _ANY, NOT_MONEY | _NOT_PAID),
    (frozenset({"create"}), frozenset({"pix", "topup"}), _ANY, frozenset({"evp", "key", "keys"})),
    (frozenset({"broadcast"}), frozenset({"signed"}), _ANY, _TOLD),
    (frozenset({"broadcast"}), frozenset({"sign"}), frozenset({"doc", "tx"}), _ANY),
    # A plan of a fund into which is paid every month; elsewhere, telephones speak SIP.
    (frozenset({"cancel", "modify", "place"}), frozenset({"sip"}), frozenset({"mf", "fund"}), _ANY),
    (_SETS_OFF, RAILS, _ANY, NOT_MONEY | _ON_FILE),
    (
        word_set("send"),
        word_set("payment payments"),
        _ANY,
        word_set(
            "confirmation contact details info instructions link links method methods notification page "
            "profile receipt receipts reminder reminders request requests status template terms"
        ),
    ),
    (_CARRIES_OVER, _TRANSFERS, _ANY, _OTHER_TRANSFERS),
    (word_set("collect create initiate make schedule submit"), word_set("debit debits wire"), _ANY, _ON_FILE),
    (word_set("cancel create execute update"), word_set("standing"), word_set("order orders"), _ANY),
    (word_set("execute"), word_set("mandate mandates"), _ANY, _ANY),
    (
        word_set("cancel downgrade pause reactivate renew resume upgrade"),
        word_set("membership memberships subscription subscriptions"),
        _ANY,
        _NO_CONTRACT,
    ),
    (word_set("change downgrade upgrade"), word_set("plan"), _ANY, NOT_MONEY | _PLANS_MADE),
    (
        word_set("renew"),
        word_set("esim hosting instance license licence number plan proxies proxy server service vps"),
        _ANY,
        _ANY,
    ),
    (
        word_set("add adjust deduct increase"),
        word_set("balance credits"),
        _ANY,
        word_set("audio color colour film leave load photo pto time vacation water white"),
    ),
    (
        word_set("charge fund"),
        word_set(
            "card cards client clients customer customers guest member patient subscriber tenant user users"
        ),
        _ANY,
        word_set("battery call case"),
    ),
    (word_set("activate create enable set"), word_set("autopay topup"), _ANY, _ANY),
    (word_set("allocate apply create issue"), word_set("note notes"), word_set("credit debit"), _ANY),
    (word_set("create renew"), word_set("savings"), word_set("plan plans"), word_set("goal")),
    (word_set("create"), word_set("reservation"), word_set("capacity reserved"), _ANY),
    (
        word_set("acquire claim lease order provision reserve"),
        word_set("phone"),
        word_set("number numbers"),
        _ANY,
    ),
    (
        word_set("close create enter execute exit modify open place submit"),
        word_set("trade trades"),
        _ANY,
        NOT_MONEY | _WRITTEN_UP,
    ),
    (word_set("amend modify replace"), word_set("order orders"), _ANY, NOT_MONEY | ORDERED_AT_WORK | _PLACED),
    (word_set("execute"), word_set("order orders"), _ANY, NOT_MONEY | ORDERED_AT_WORK | _PLACED),
    (word_set("cancel create modify place"), word_set("gtt"), _ANY, _ANY),
    (word_set("copy follow mirror"), word_set("trade trader traders trades"), _ANY, _WRITTEN_UP),
    (
        word_set("activate create launch run setup start"),
        word_set("dca grid"),
        word_set("bot order strategy trade trading"),
        _ANY,
    ),
    (
        word_set("create schedule set setup"),
        word_set("buy buys investment investments"),
        word_set("auto automatic dca recurring scheduled"),
        _ANY,
    ),
    (
        word_set("accept make place submit"),
        word_set("offer offers"),
        word_set("collection nft nfts return"),
        _ANY,
    ),
    (word_set("accept"), word_set("quote quotes rfq"), word_set("conversion convert rfq swap trade"), _ANY),
    (
        word_set("apply enter join participate redeem subscribe"),
        word_set("ido ipo lottery presale raffle savings"),
        _ANY,
        word_set("goal"),
    ),
    (
        word_set("add authorize deactivate delegate extend increase merge move split withdraw"),
        word_set("stake stakes staking"),
        _ANY,
        _ANY,
    ),
    (word_set("delegate"), word_set("bandwidth energy tokens"), _ANY, word_set("access api auth")),
    (
        word_set("freeze lock release unfreeze unlock"),
        word_set("balance coins tokens vested"),
        _ANY,
        word_set("access account api auth design refresh"),
    ),
    (word_set("burn decrease increase"), word_set("liquidity"), _ANY, _ANY),
    (
        word_set("approve permit"),
        word_set("erc token tokens"),
        _ANY,
        word_set("access api auth design request"),
    ),
    (word_set("adjust close create open"), word_set("trove"), _ANY, _ANY),
    (word_set("contribute"), word_set("crowdfund crowdsale presale"), _ANY, _ANY),
    (
        word_set("cancel create delete start update"),
        word_set("flow flows stream streams"),
        word_set("sablier superfluid vesting"),
        _ANY,
    ),
    (word_set("register renew"), word_set("basename ens"), _ANY, _ANY),
    (
        word_set("create initialize launch"),
        word_set("pool pools"),
        word_set("amm clmm cpmm dlmm liquidity meteora orca raydium uniswap"),
        _ANY,
    ),
    (word_set("create deploy issue launch make"), _COINS, _LAUNCHED, _ANY),
    (word_set("create launch"), word_set("jetton memecoin memecoins pumpfun"), _ANY, _ANY),
    (word_set("sign"), word_set("psbt typed userop"), _ANY, _ANY),
    (word_set("execute send submit"), word_set("operation"), word_set("user"), _ANY),
    (
        word_set("accept approve confirm"),
        word_set("return returns"),
        _ANY,
        word_set("code flight statement type value"),
    ),
    (word_set("close concede finalise finalize"), word_set("chargeback dispute disputes"), _ANY, _ANY),
    (word_set("approve"), word_set("bill bills reimbursement reimbursements"), _ANY, _ANY),
    (
        word_set("book"),
        word_set("airline bus car cars courier ferry flights hotels limo ticket tickets tour trains"),
        _ANY,
        word_set("search"),
    ),
    (
        word_set("devolver retirar"),
        word_set("dinero dinheiro fondos fundos saldo"),
        _ANY,
        _ANY,
    ),
    (
        word_set("chuangjian quxiao tijiao"),
        word_set("dingdan"),
        _ANY,
        _ANY,
    ),
    (
        word_set("cancelar cerrar confirmar crea crear cria criar fechar finalizar gerar realizar"),
        word_set("assinatura assinaturas cfdi compra pedido pedidos pix suscripcion suscripciones"),
        _ANY,
        _ANY,
    ),
)

# At the end, these say that it is only about such a thing.
ABOUT_IT: Final = word_set("""
    alert alerts calendar description diagram email emails form history icon image label message name page
    report settings sheet tag tags template templates text title titles type types
""")
# Where no verb says so, these name the deed: `bulk_payment`, `do_payment`.
DEALS_NAMED: Final = word_set("""
    airdrop disbursement donation faucet payment reimbursement remittance repayment topup withdrawal
""")
# What a payment would be is only worked out beside one of these.
WORKED_OUT: Final = word_set("annuity calculation emi installment loan monthly mortgage schedule txs")
WORKED_OUT_FROM: Final = ("interest", "rate", "term", "years")
# An order of one of these kinds is bought or sold.
KINDS_OF_ORDERS: Final = word_set("""
    bracket futures limit margin market oco spot stop trailing twap vwap
""")
# What people order, and pay for.
ORDERED: Final = word_set("""
    cab certificate dedicated drink drinks esim flowers gift groceries hardware meal merch phone pizza proxies
    proxy ride server sim ssl supplies swag takeout taxi uber vps
""")

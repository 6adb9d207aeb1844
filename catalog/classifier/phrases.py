"""What a verb means with the particle after it, and where it is part of a thing and not a verb. Data."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from catalog.classifier.vocabulary import ToolClass, word_set

T = ToolClass


def _with(tool_class: ToolClass, text: str) -> dict[tuple[str, str], ToolClass]:
    halves = (each.partition("_") for each in text.split())
    return {(verb, particle): tool_class for verb, _, particle in halves}


# Two words that are one verb: to check in is not to check, and an option that is exercised is bought.
PHRASES: Final[dict[tuple[str, str], ToolClass]] = {
    **_with(
        T.READ,
        """
        add_up boil_down break_down chat_completion chat_completions dry_run figure_out find_out
        generate_code look_up map_out pick_out point_out read_out spell_out sum_up talk_through
        think_through walk_through work_out
        """,
    ),
    **_with(
        T.WRITE,
        """
        back_up bring_in cherry_pick check_in check_off check_out clock_in
        clock_out cross_off fade_in fade_out fill_in fill_out follow_up hand_off hand_over log_in log_out
        opt_in opt_out punch_in punch_out set_up sign_in sign_off sign_out sign_up soft_delete tick_off
        wrap_up write_down write_off
        """,
    ),
    **_with(
        T.EXECUTE,
        """
        batch_actions batch_commands boot_up bring_down bring_up carry_out fine_tune hang_up kick_off
        long_press next_song next_track
        pick_up power_cycle power_down power_up previous_song previous_track roll_back roll_out shut_down
        shut_off spin_down spin_up start_up switch_off switch_on take_off
        """,
    ),
    **_with(
        T.DESTRUCTIVE,
        """
        force_push force_reset push_force migrate_fresh release_number release_phone self_destruct
        release_address release_eip release_elastic release_ip tear_down throw_away throw_out
        wipe_out
        """,
    ),
    **_with(
        T.FINANCIAL,
        """
        add_liquidity boost_listing boost_post cash_check cash_out credit_account credit_wallet debit_account
        debit_wallet deposit_check double_down enviar_dinero enviar_dinheiro envoyer_argent flash_loan
        geld_senden issue_check mail_check exercise_option exercise_options exercise_warrants
        go_long go_short order_coffee order_food order_meal order_pizza pay_off pay_out provide_liquidity
        release_escrow release_funds release_milestone release_payout remove_liquidity para_gonder satin_al
        settle_up siparis_ver square_off supply_asset
        supply_assets supply_collateral supply_liquidity take_advance take_loan top_up void_check zap_in
        zap_out
        """,
    ),
}
# With more words, something is done with what was made: `generate_code_and_commit`.
_WHOLE_NAMES: Final = frozenset({("generate", "code")})
VERBS_OF_PHRASES: Final = frozenset(verb for verb, _ in PHRASES)
_PARTICLES: Final = frozenset(particle for _, particle in PHRASES)
# Before one of these the verb is part of a thing: a stop order is placed, nothing is stopped.
_OF_A_THING: Final[dict[str, frozenset[str]]] = {
    "attack": word_set("path paths pattern patterns surface tactic tactics technique techniques vector"),
    "bet": word_set("odds history limit limits market markets slip slips type types"),
    "bid": word_set("ask history increment increments spread"),
    "block": word_set("count explorer hash height info miner number range reward time times volume"),
    "bulk": word_set("quotes"),
    "burn": word_set("down rate rates"),
    "buy": word_set("rating ratings signal signals"),
    "call": word_set("counts graph hierarchy quality stack tree"),
    "change": word_set("history log logs"),
    "charge": word_set("point points station stations"),
    "delete": word_set("marker markers protection"),
    "download": word_set("count counts station stats url urls"),
    "drop": word_set("off offs rate rates"),
    "follow": word_set("up ups"),
    "fund": word_set(
        "data flow flows holdings info manager managers nav performance portfolio rating ratings"
    ),
    "import": word_set("map maps path paths"),
    "open": word_set(
        "access alerts bids bugs cases data deals graph incidents interest invoices issues library orders "
        "positions prs runs source tickets trades"
    ),
    "pay": word_set("gap grade grades period periods scale slip slips stub stubs"),
    "pull": word_set("request requests"),
    "purchase": word_set("history intent order orders"),
    "put": word_set("call calls option options"),
    "recycle": word_set("bin bins"),
    "payout": word_set("history schedule status"),
    "refund": word_set("history policies policy status"),
    "resume": word_set("analysis feedback keywords parser review score summary text tips"),
    "search": word_set("ads console"),
    "sell": word_set("rating ratings signal signals"),
    "send": word_set("grid"),
    "share": word_set("price prices"),
    "spend": word_set("breakdown history limit limits report reports summary trend trends"),
    "undo": word_set("history stack"),
    "train": word_set("alerts schedule schedules station stations status timetable times"),
    "type": word_set(
        "analysis check declaration definition definitions error errors hierarchy info signature"
    ),
    "setup": word_set("plan"),
    "stop": word_set("limit loss order orders price sequence sequences word words"),
}
_VERBS_IN_THINGS: Final = frozenset(_OF_A_THING)
# A word after one of these is a thing: `recent_run_issues`.
_BEFORE_THINGS: Final = word_set(
    "completed failed monthly past pending previous recent scheduled top total upcoming weekly"
)


def phrase_of(words: tuple[str, ...]) -> tuple[str, str] | None:
    """The verb and particle at the beginning or at the end: in between they seldom belong together."""
    if len(words) < 2 or _PARTICLES.isdisjoint(words):
        return None
    pairs = ((words[0], words[1]), (words[-2], words[-1]))
    found = next((pair for pair in pairs if pair in PHRASES), None)
    return None if found in _WHOLE_NAMES and len(words) > 2 else found


def follows_a_quality(words: tuple[str, ...], place: int) -> bool:
    return place > 0 and words[place - 1] in _BEFORE_THINGS


def without_things(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words without verbs that are part of a thing."""
    if _VERBS_IN_THINGS.isdisjoint(words):
        return words
    kept = [word for word, behind in pairwise(words) if behind not in _OF_A_THING.get(word, ())]
    return (*kept, words[-1])

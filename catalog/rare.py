"""Verbs that tools are seldom named by, each with what it does wherever it is meant. Data.

Most are as well a noun or an adjective, so they count only where no commoner verb and no known thing is, and
in front; those that are hardly ever anything else also at the end: `image_blur`.
"""

from __future__ import annotations

from typing import Final

from catalog.vocabulary import LOOSE, PLAIN, ToolClass, word_set

_READS: Final = """
    advise appraise approximate assert attest backtest blame brief challenge choose cite clarify coach
    conceptualise conceptualize condense conjugate contextualise contextualize contrast corroborate
    critique crosscheck debate debunk deconstruct deduce deliberate demonstrate dereference derive
    differentiate disambiguate discern disprove dissect distinguish elaborate expect extrapolate
    factcheck factor flip gather gauge grade guess hypothesize ideate illustrate infer integrate
    interpret interrogate interview justify lemmatise lemmatize listen narrate narrow normalise normalize
    outline pick plan ponder prefetch probe pronounce proofread prove quantify query recalculate recheck
    recite recompute reconnoitre reconstruct recount reflect refute regeocode rerender reveal rhyme roll
    romanise romanize scout segment sense sift simplify skim sniff solve speculate spell spellcheck spot
    study supervise survey tally teach tell theorise theorize toss traverse transliterate triangulate
    tutor uncover unfurl unshorten weigh
"""
_WRITES: Final = """
    abandon accredit admit advertise align animate appeal appoint author autofill autofit backfill
    banish begin bevel bind bisect blend blur bold boost brighten bundle cache calibrate cartoonise
    cartoonize center centre certify chamfer checkin checkpoint clamp clap clockin clockout collage
    color colorise colorize colour combine compact concat concatenate consolidate contest countersign
    craft cut darken decimate dedup deduplicate defragment delay delist denoise denormalize desaturate
    deskew dim disown dispute dither divert draft elevate emboss encapsulate engrave enlist enrol enroll
    ensure equalize etch expel extrude fillet film flag flatten focus footnote forbid free fuse
    grayscale greyscale group hand harden highlight hire hydrate hyphenate indent invalidate invert
    italicise italicize iterate journal layer license lipsync loft love mark mash mask
    materialise materialize memorise mention mirror mix mock mount mute nest nominate notarise notarize
    nudge nullify obfuscate outdent override paginate pan paste pair partition pause penalise penalize
    permit photograph pinch pivot pixelate plant plug postpone posterize pretend prime prohibit provide
    pseudonymise pseudonymize quantise quantize rate ratify realign recalibrate recolor recolour recruit
    redirect redraw regroup rehash rehire remap remesh remind remix remount reparent repartition
    replicate reroute reshard reshape retire retune revalidate revolve rig route rsvp salt sanction
    sanitise sanitize saturate savepoint sculpt seal seed sharpen ship shuffle skew sketch smooth snap
    spellfix splice squash stash stitch straighten strikethrough strip stylise stylize subdivide
    syndicate tessellate texture thumbnail tick tie tint transcode tune tweak typeset unbind unblur
    unbold unbundle uncache uncheck unclaim underline unenrol unenroll ungroup unify unlist unmap unmask
    unmount unnest unpack unpair unplug unseal unsend untie untick unzip upsample downsample vaccinate
    veto vote voxelize warp watermark weave zip zoom administer advance alert alter assemble augment
    cleanse declare deliver deny dequeue heal improve polish produce queue repair scrub substitute
    synchronise synchronize tweet warm warn
"""
_EXECUTES: Final = """
    accelerate airplay alarm automate awaken benchmark bootstrap brake bruteforce cast chime conduct
    crack detonate dial disengage dock downgrade drive eject engage exit explode exploit finetune flash flood
    halt hunt ignite irrigate jailbreak jam kickoff kickstart loop mow orchestrate perform phish proxy
    pump pwn redial reflash relay respawn retrain revive rewind ring root spin spoof spray steer stream
    takeoff train tunnel undock unleash warmup
"""
_DESTROYS: Final = """
    annihilate burn demolish disband dismantle dissolve eradicate exterminate obliterate raze
    scrap sunset vaporise vaporize zap zeroise zeroize
"""
_PAYS: Final = """
    airdrop autopay bet bid cashout chargeback crowdfund divest escrow hedge invest invoice liquidate overpay
    pledge prepay recharge remit spend topup wager wire
"""

RARE: Final[dict[str, ToolClass]] = {
    verb: tool_class
    for tool_class, verbs in (
        (ToolClass.READ, _READS),
        (ToolClass.WRITE, _WRITES),
        (ToolClass.EXECUTE, _EXECUTES),
        (ToolClass.DESTRUCTIVE, _DESTROYS),
        (ToolClass.FINANCIAL, _PAYS),
    )
    for verb in verbs.split()
    if verb not in PLAIN and verb not in LOOSE
}
# Also what something is called; only in front of another word are they meant.
_NAMES_TOO: Final = word_set("""
    alarm author bet bid boost brief cache cast center centre chargeback chime clamp coach collage color
    colour craft cut dock draft drive engage escrow exit explode expect exploit factor fillet film flag
    flash flip flood focus footnote free grade group hand harden highlight hunt invoice journal layer
    license loft loop love mark mask mirror mix mock mount outline pair pan partition permit pick plan
    plant plug pledge pretend prime proxy pump query rate redirect relay ring roll root route salt
    sanction scout seal seed segment sense shuffle sketch snap spell spin spot spray stash stream strip
    study sunset survey tally texture thumbnail tick tie tint train tune tunnel tutor veto vote warp
    watermark wire zip zoom advance alert queue tweet
""")


def rare_verb(words: tuple[str, ...]) -> str | None:
    """In front, or at the end what is hardly ever anything but a verb."""
    if not words:
        return None
    if words[0] in RARE and (len(words) > 1 or words[0] not in _NAMES_TOO):
        return words[0]
    last = words[-1]
    return last if last in RARE and last not in _NAMES_TOO else None


def surely_a_verb(word: str) -> bool:
    return word in RARE and word not in _NAMES_TOO

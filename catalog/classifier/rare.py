"""Verbs that tools are seldom named by, each with its class wherever it is meant as a verb. Data.

Most are also nouns or adjectives, so they count only in front, in a name with no commoner verb and no known
thing. Those that are hardly ever anything but verbs count at the end, too (`image_blur`), and in front even
beside a known thing, if they do more than read.
"""

from __future__ import annotations

from typing import Final

from catalog.classifier.vocabulary import LOOSE, PLAIN, ToolClass, word_set

_READS: Final = """
    absorb advise anticipate appraise approximate arbitrate articulate ascertain assert attest average
    backtest blame brief canonicalise canonicalize categorise categorize challenge cite clarify coach
    coalesce collate conceptualise conceptualize condense conjugate consider contextualise contextualize
    contrast corroborate critique crosscheck debate debunk decide decipher deconstruct deduce deepdive
    decompose deliberate demonstrate denote depict dereference derive deserialise deserialize differentiate
    detokenize disambiguate discern disclose discuss disprove dissect distinguish eavesdrop elaborate elicit
    envision expect extrapolate eyeball factcheck factor flip forage formulate gather gauge generalise
    generalize glean grade guess harmonise harmonize hypothesize ideate illustrate imagine indicate infer
    inquire integrate interpret interrogate intersect interview itemise itemize justify learn lemmatise
    lemmatize listen narrate narrow normalise normalize obtain outline parameterise permute pick plan ponder
    prefetch preprocess prescribe probe pronounce proofread prove quantify query randomise randomize
    rationalise rationalize reanalyse reanalyze reassess recalculate receive recheck recite reckon recollect
    recompute reconnoitre reconstruct recount reexamine reflect reformat refute regeocode represent rerender
    resample restate rethink retrace reveal revisit rhyme roll romanise romanize scour scout see segment sense
    serialise serialize sift simplify skim sniff snoop solve speculate spell spellcheck spot strategise
    strategize stringify study supervise survey symbolicate tabulate tally teach tell theorise theorize toss
    transliterate transpile traverse triangulate tutor typecheck uncover unfurl unroll unshorten vary
    verbalize vet weigh witness
"""
_WRITES: Final = """
    choose abandon accredit accrue accumulate adapt administer admit advance advertise affix alert align allot
    alter amass amplify animate appeal appoint arrange assemble augment author autofill autofit
    avert backfill backport banish begin bevel bind bisect blend blur bold bolster boost brighten buffer
    bundle cache calibrate capitalise capitalize cartoonise cartoonize center centre certify chamfer checkin
    checkpoint chop circulate clamp clap cleanse clockin clockout collage color colorise colorize colour
    combine communicate compact compensate concat concatenate conceal consolidate construct contest convey
    countersign craft cultivate curate cut darken debrief decimate declare decorate decouple decrease
    dedicate dedup deduplicate deepen defer deflate defragment degrade delay delist deliver denoise
    denormalize deny depreciate dequeue desaturate designate deskew develop diffuse digitise digitize dim
    disenroll disown displace dispose dispute disregard distribute dither divert downsample draft earmark
    elect elevate emboss emit empower encapsulate encourage engrave enlarge enlist enrol enroll ensure enter
    equalize establish etch exclude exempt expedite expel extrude fabricate fasten fillet film flag flatten
    focus footnote forbid free freshen fulfil fulfill fuse govern grayscale greyscale group hand harden heal
    highlight hire hydrate hyphenate implant implement improve improvise incorporate increase indent inflate
    infuse inhibit inline instantiate institute interconnect interlink intersperse invalidate invert
    italicise italicize iterate jot journal keep layer lengthen license lipsync loft loosen love lower
    magnify maintain mangle manipulate manufacture mark mash mask materialise materialize memorise mend
    mention mirror mitigate mix mock moderate modernise modernize modulate mount mutate mute negate
    negotiate nest nominate notarise notarize nudge nullify obfuscate obscure offload organise organize
    outdent override overrule oversee paginate pair pan partition paste pause penalise penalize permit
    personalise personalize photograph pinch pivot pixelate plant plug polish posterize postpone preapprove
    predefine prerender preserve pretend prevent prime produce prohibit prolong propagate propose provide
    pseudonymise pseudonymize publicise publicize quantise quantize queue raise rate ratify realign
    rearrange reauthorize recalibrate reclaim reclassify recolor recolour recover recruit rectify redefine
    redirect redistribute redraw reduce refile regroup regulate rehash rehire rehydrate reinforce reinstate
    rejoin relocate remap remesh remind remix remount renumber reorganise reorganize repack repair reparent
    repartition replenish replicate reposition reproduce reroute rescue reshape reshard reshuffle
    restructure retain rethread retire retitle retract retune reuse revalidate revolve rewire rig route rsvp
    salt sanction sanitise sanitize saturate savepoint scrub sculpt seal secure seed separate sharpen ship
    shrink shuffle silence sketch skew smooth snap solicit spellfix splice squash stabilise stabilize stash
    stitch straighten strengthen stretch strikethrough strip stylise stylize subdivide substitute supersede
    suppress sustain synchronise synchronize syndicate tailor tessellate texture thumbnail tick tie tighten
    tint transcode transmit tune tweak tweet typeset unbind unblur unbold unbundle uncache uncheck unclaim
    underline unenrol unenroll unfold ungroup unify unite unlist unmap unmask unmount unnest unpack unpair
    unplug unseal untick untie unzip upsample vaccinate veto vote voxelize warm warn warp watermark
    weave widen withhold zip zoom
"""
_EXECUTES: Final = """
    accelerate airplay alarm automate awaken benchmark bootstrap brake bruteforce cast chime choreograph
    conduct coordinate crack detonate dial disengage dock downgrade drive eject enact engage exit explode
    exploit finetune flash flood force halt hunt ignite instigate intercept irrigate jailbreak jam kickoff
    kickstart loop mow orchestrate parallelise parallelize perform phish propel proxy pump puppeteer pwn
    redeliver redial reflash relay remediate respawn retrain revive rewind ring root rumble screenshare
    serve shoot shut slew spin spoof spray steer stream takeoff train tunnel undock unleash unwind warmup
"""
_DESTROYS: Final = """
    abolish annihilate burn demolish disband dismantle dissolve eliminate eradicate exterminate extinguish
    mkfs obliterate raze reimage repartition rmi rmtree scrap vaporise vaporize yank zap zeroise
    zeroize
"""
_PAYS: Final = """
    airdrop autopay bet bid cashout chargeback crowdfund divest escrow flashloan gamble gift hedge invest
    invoice liquidate insure keysend melt multisend overpay pledge prepay procure recharge reinvest remit
    remunerate rent snipe spend sponsor squareoff topup unbond underwrite wager wire
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
# Nouns as well; they are meant as verbs only before another word.
_NAMES_TOO: Final = word_set("""
    alarm author bet bid boost brief cache cast center centre chargeback chime clamp coach collage color
    colour craft cut dock draft drive engage escrow exit explode gift melt sponsor expect exploit factor
    fillet film flag
    flash flip flood focus footnote free grade group hand harden highlight hunt invoice journal layer
    license loft loop love mark mask mirror mix mock mount outline pair pan partition permit pick plan
    plant plug pledge pretend prime proxy pump query rate redirect relay rent ring roll root route salt
    sanction scout seal seed segment sense shuffle sketch snap spell spin spot spray stash stream strip
    study survey tally texture thumbnail tick tie tint train tune tunnel tutor veto vote warp
    watermark wire zip zoom advance alert queue tweet
""")


def rare_verb(words: tuple[str, ...]) -> str | None:
    """The rare verb in front, or the one at the end if it is hardly ever anything but a verb."""
    if not words:
        return None
    if words[0] in RARE and (len(words) > 1 or words[0] not in _NAMES_TOO):
        return words[0]
    last = words[-1]
    return last if last in RARE and last not in _NAMES_TOO else None


def surely_a_verb(word: str) -> bool:
    return word in RARE and word not in _NAMES_TOO

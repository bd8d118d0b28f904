"""The words a headline turns on, by what they do.

We believe a headline says its direction with few words: a verb of motion (rise, slump), a word of
result (beat, miss), of rating, of flow (inflow, buyback), of mood (bullish, fears) or an event (hack,
approval). The same motion means the opposite when what moves is a bad thing (costs, claims, losses).
Every word here was written by hand for this project; no published word list was copied.

A line is `family sign`, then words parted by commas. A word with `~` is a verb and takes its regular
forms; irregular ones are written out.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "CUT", "FAMILIES", "IDIOMS", "LIFT", "MARKERS", "NEGATE", "PHRASES", "QUANTITY", "STOPWORDS", "SUBORDINATE",
    "WEAKEN",
]  # fmt: skip

FAMILIES: Final = ("surge", "move", "drift", "result", "rating", "level", "event", "mood", "flow", "percent", "turned")
"""Families of cues; `turned` holds what negation or inversion turned round, `percent` signed percentages."""

_CUES: Final = """
surge +: soar~, surge~, rockets, rocketed, skyrocket~, spike~, leap~, leapt, jump~, explode~, zoom~, moon~, rip~
surge +: vault~
surge +: shoot up, shoots up, shot up, double~, triple~, quadruple~, go parabolic, goes parabolic, blast~ past, pump~
surge -: plunge~, plummet~, crash~, tank~, collapse~, crater~, nosedive~, tumble~, slump~, implode~, bleed~, bled
surge -: free fall, freefall, meltdown, rout, bloodbath, carnage, sell off, selloff, halves, halved, dump~, hammer~
surge -: wipe~ out
surge -: slammed, slam~, crushed, cratering, sinks, sink, sank, sunk, sinking, dive, dives, dived, dove, diving
move +: rise, rises, rose, risen, rising, gain~, climb~, advance~, rally~, rebound~, recover~, bounce~, ascend~, grow
move +: grows, grew, grown, growing, growth, increase~, improve~, expand~, expansion, accelerate~, strengthen~
move +: outperform~, recovery, uptrend, upside, upward, upwards, uptick, upswing, revive~, revival, resurgence, ascent
move +: pop~, perk~ up, tick~ up, edge~ up, edge~ higher, inch~ up, inch~ higher, push~ higher, pick~ up, firm~ up
move +: reclaim~, regain~, retake~, retook, retakes, thrive~, boom~, appreciate~, outpace~, swell~, build~ on
move +: bull run
move +: move~ higher, trade~ higher, in the green, firmer, run up, melt up, takeoff, take~ off, comeback, turnaround
move +: break~ above, breaks above, broke above, broken above, break out, breakout, breaks out, breaking out, uprise
move -: fall, falls, fell, fallen, falling, drop~, decline~, slide~, slid, slip~, retreat~, sag~, shed, sheds
move -: shedding
move -: shrink, shrinks, shrank, shrunk, shrinking, contracted, contraction, weaken~, deteriorate~
move -: underperform~, slow~, slowdown, slowing, downturn, downtrend, downside, downward, downwards, pullback, setback
move -: dip, dips, dipped, dipping, ease~ to, edge~ lower, edge~ down, inch~ lower, move~ lower, trade~ lower, worsen~
move -: lose, loses, lost, losing, lower by, depreciate~, decrease~, erode~, dwindle~, sell pressure, selling pressure
move -: fizzle~, fade~, flounder~, break~ below, broke below, broken below, break down, breakdown, breaks down
move -: in the red, correct lower
move -: correction, corrects, corrected, correcting lower, retracement, pull~ back, pulls back, falter~, drag~
move -: recession, stall~, stumble~, struggle~, soften~, wobble~, capitulate~, capitulation, weigh~ on, take~ a hit
move -: snag~
drift +: up, higher, above, positive, pump, bulls, strong, stronger, strongest, strength, solid
drift -: down, lower, below, negative, bears, weak, weaker, weakest, weakness, pressure
result +: beat, beats, beating, beaten, tops estimates, top estimates, topped estimates, exceed~, surpass~, profit
result +: profits, profitable, above estimates, above expectations, better than expected, better than, profitability
result +: tops, topped, topping, blowout, stellar, crush~ estimates, earnings growth, stronger than, guides above
result +: sees higher, raise~ guidance, raises outlook, raises forecast, lifts forecast, boosts guidance
result +: upside surprise
result +: sales up, revenue up, net up, profit up, profit rises, record sales, record revenue, record profit
result +: record earnings
result -: miss, misses, missed, missing estimates, below estimates, below expectations, worse than expected
result -: worse than
result -: loss, disappoint~, disappointing, disappointment, shortfall, profit warning, warn~, warning, light guidance
result -: weaker than, cuts guidance, cut guidance, lowers guidance, lowers outlook, cuts forecast, cuts outlook
result -: cuts view
result -: below consensus, guides below, withdraws guidance, withdraw~, suspends guidance, write down, writedown
result -: writeoff
result -: impairment, restates, unprofitable, slashes forecast, swings to loss, net down, profit down, sales down
result -: losses
rating +: upgrade~, overweight, raised to buy, target raised, target lifted, target boosted, target increased
rating +: buy rating
rating +: started at buy, initiated at buy, starts at buy, at buy, upgraded to buy, to outperform, at outperform
rating +: top pick, buy call
rating +: raises target, lifts target, reiterated buy, target hiked, pt raised, price target raised, named a buy
rating +: raised at
rating +: boosted at, strong buy, raise~ price target, conviction list, at overweight, to overweight, bullish on
rating +: turns bullish
rating -: downgrade~, underweight, target cut, target lowered, target trimmed, target reduced, cut to sell
rating -: downgraded to sell, at sell
rating -: cut to hold, cut to neutral, to underperform, at underperform, sell rating, pt cut, pt lowered, cuts target
rating -: lowers target, cut at, cuts price target, lowered to, cut to, lowered at, started at sell, turns bearish
rating -: short call
level +: all time high, all time highs, ath, record high, record highs, new high, new highs, fresh high, week high
level +: month high
level +: year high, highest since, highest level, highest in, multi year high, multi month high, fresh highs
level +: best day, best week
level +: best month, best quarter, best year, winning streak, record close, hits record, day high, weekly high
level +: monthly high
level +: local top, top $#, tops $#, topped $#, crosses $#, crossed $#, cross $#, passes $#, surpasses $#, breaks $#
level +: hits $#
level +: hit $#, above $#, past $#, over $#, reclaims $#, breach $#, smashes, smash~ through, rose to $#, new heights
level +: reaches $#, to $#, milestone, year to date high, at highs, yearly high, record inflows, highs, golden cross
level -: all time low, all time lows, record low, record lows, new low, new lows, fresh low, week low, month low
level -: year low
level -: lowest since, lowest level, lowest in, multi year low, multi month low, fresh lows, worst day, worst week
level -: worst month
level -: worst quarter, worst year, losing streak, day low, weekly low, monthly low, below $#, under $#, beneath $#
level -: sub $#
level -: lows, death cross, rock bottom, drops to $#, falls to $#, slips to $#, local bottom, worst since, bear market
level -: crypto winter, yearly low, worst performer, at lows, dips to $#, loses $#, bear flag, rejected at, capped at
event +: approve~, approval, approvals, greenlight~, green light, clearance, cleared, clears, win, wins, winning
event +: award, awarded
event +: partner~, partnership, partnerships, team~ up, collaborate~, collaboration, ally with, alliance, adopt~
event +: adoption
event +: list~ on, listing on, gets listed, legal tender, legalise~, legalize~, legalization, halving
event +: upgrade goes live
event +: cuts rates, cut rates, short squeeze, short liquidations, shorts liquidated, strategic reserve
event +: bitcoin reserve, breakthrough, success, successful, successfully, secure~, land~ deal, lands, bag~
event +: contract win
event +: bailout, rescue~, stimulus, rate cut, rate cuts, easing, dovish, ceasefire, truce, trade deal, reopen~
event +: unveil~ plan
event +: acquitted, dismiss~ lawsuit, embrace~, endorse~, accumulate~, accumulation, soft landing
event +: profit taking spinoff
event +: accepts bitcoin, accept bitcoin, accepts crypto, buys bitcoin, bought bitcoin, buy bitcoin, adds bitcoin
event +: new orders
event +: purchased an additional, fda approval, fast track, positive data, meets endpoint, etf approval
event +: spot etf approval
event -: long liquidations, longs liquidated, hack, hacks, hacked, hacker, hackers, exploit, exploits, exploited
event -: attack, attacks, attacked, breach, breaches, theft
event -: steal, steals, stole, stolen, drained, drain~, rug pull, rugpull, ponzi, scam, scams, scammer, scammers
event -: fraud
event -: fraudulent, ban, bans, banned, banning, crackdown, crack~ down, lawsuit, lawsuits, sue, sues, sued, suing
event -: probe~
event -: investigate~, investigation, subpoena, subpoenas, charge~ with, charged, indict~, indictment, arrest~
event -: sentenced
event -: guilty, convict~, fined, fines, penalty, penalties, sanction~, seize~, seizure, bankruptcy, bankrupt
event -: insolvent
event -: insolvency, chapter 11, default, defaults, defaulted, liquidate~, liquidation, liquidations, delist~
event -: delisting
event -: halt~, suspend~, suspension, freeze, freezes, froze, frozen, pause~, outage, shut down, shuts down, shutdown
event -: shutter~
event -: layoff, layoffs, lay off, lays off, laid off, job cuts, cut jobs, cuts jobs, resign~, steps down
event -: reject~, rejection, rejects, deny approval, denied, delay~, postpone~, cancel~, scrap~, terminate~
event -: end~ talks
event -: money laundering, laundering, depeg, depegs, depegged, depegging, contagion, bank run, run on, rate hike
event -: rate hikes
event -: hikes rates, hike rates, raise rates, raises rates, raising rates, raised rates, interest rate hike, hawkish
event -: tightening, tariff, tariffs, trade war, war, invasion, invade~, strike, strikes, accident, explosion, killed
event -: raid, raids, raided, abuse, allege~, allegation, allegations, accuse~, accusation, violate~, violation
event -: unregistered
event -: outflow, outflows, ransomware, phishing, malware, vulnerability, bug, bugs, wind down, closure, closures
event -: illegal, illegally, blacklist~, prohibit~, outlaw~, crisis, pandemic, lockdown, shortage, shortages
event -: cut its dividend
event -: downgraded to, takes hit, hurt by, hit by, hits hard, wash trading, manipulation, trapped, death spiral
mood +: bullish, bullishly, optimism, optimistic, upbeat, confidence, confident, hope, hopes, hopeful, cheer~, cheers
mood +: euphoria
mood +: enthusiasm, robust, strong demand, healthy, resilient, resilience, impressive, boost~, lift~, buoy~, buoyed
mood +: boon, momentum
mood +: attractive, undervalued, opportunity, promising, favorable, favourable, great, good news, good, best, better
mood +: success story
mood +: winner, winners, shine~, love, loves, supportive, buy, buying, bought
mood +: outlook positive, encouraging, exciting, confident in, risk on, greed, relief, record, tailwind, tailwinds
mood +: rosy
mood -: bearish, bearishly, pessimism, pessimistic, gloom, gloomy, fear, fears, worry, worries, worried, concern
mood -: concerns
mood -: concerned, uncertainty, uncertain, panic, panics, anxiety, jitters, turmoil, woes, trouble, troubles
mood -: troubled, risk
mood -: risks, risky, threat, threatens, threat~, danger, dangerous, bad, bad news, worst, worse, ugly, grim, dire
mood -: bleak, pain
mood -: painful, hurt, hurts, hurting, hit hard, caution, cautious, skeptical, sceptical, doubt, doubts, fud
mood -: overvalued, bubble
mood -: headwind, headwinds, tough, difficult, challenging, problem, problems, blow, suffer~, sell, selling, sold
mood -: dead
mood -: fail~, failed, failure, failing, victim, victims, criticise~, criticize~, slam, slams, blast, blasts
mood -: backlash, scrutiny
mood -: loser, losers, distress, distressed, tensions, tension, volatile, concerning, disappointed, drag on, nervous
mood -: rattle~, spook~
mood -: deadly, death, risk off, rejection, no longer, extreme fear, dampen~, dismal, sluggish, batter~, battered
flow +: inflow, inflows, buyback, buybacks, repurchase~, share repurchase, raises dividend, dividend hike
flow +: hikes dividend
flow +: increases dividend, boosts dividend, special dividend, raises $#, raise $#, raised $#, secures $#, invest $#
flow +: invests $#
flow +: funding round, acquire~, buys stake, net inflows, institutional interest, institutional demand, whales buy
flow +: buy the dip, buying the dip, buys the dip, hodl, net buying, insider buying, raises payout, increases payout
flow -: net outflows, offering priced, prices offering, public offering, stock offering, share offering
flow -: secondary offering
flow -: dilution, cuts dividend, cut dividend, dividend cut, suspends dividend, slashes dividend, sells stake
flow -: profit taking
flow -: take profits, insider selling, whales sell, miners sell, miner selling, withdrawals, halts withdrawals
flow -: pauses withdrawals
flow -: short seller, short interest, sell the news, margin call, margin calls, net selling, profit booking
flow -: dumps stake
"""

_QUANTITIES: Final = """
0: cost, costs, expense, expenses, inflation, unemployment, jobless, jobless claims, claims, joblessness, debt, debts
0: deficit, deficits, cpi, yields, bond yields, jobless rate, unemployment rate, supply on exchanges, npa, npas
0: bad loans
0: jobless figures, volatility, taxes, cases, tax, dollar index, dxy, u.s. crude stockpiles, stockpiles, crude supply
-1: loss, losses, fear, fears, worries, concern, concerns, risk, risks, tension, tensions, uncertainty, outflow
-1: outflows
-1: liquidations, defaults, delinquencies, layoffs, job cuts, selling pressure, sell pressure, tariffs, penalties
-1: sanctions
-1: death toll, deaths, fraud, woes, headwinds, shorts, short interest, ban, default, recession, slowdown
"""

_CUT: Final = """
0: narrow~, pare~, retrace~, ease~, curb~, limit~, halt~, snap~, stop~, escape~, dodge~, reverse~, cool~
0: shrug~ off, wipe~ off, offset~, allay~, calm~, soothe~, overcome, overcomes, avert~, evade~, temper~, contain~
0: reduce~
-1: cut, cuts, cutting, slash~, trim~, lower~, erase~, give~ up, gives up, gave up
1: recover~ from, rebound~ from, recoup~, avoid~
"""

_LIFT: Final = """
1: raise~, boost~, lift~, hike~, increase~
0: widen~, deepen~, extend~, mount~, post, posts, posted, report~, face, faces, facing, spark~, stoke~, fuel~, see
0: sees, add~
"""

_NEGATE: Final = (
    "not, no, never, without, cannot, fails to, fail to, failed to, failing to, unlikely, unlikely to, denies, "
    "rules out, yet to, instead of, far from, neither, nor, hardly, refuses to, lack of, lacks, won't, struggles "
    "to, struggling to, unable to, stops short of, no sign of, hold off, false, fake, rather than"
)
_WEAKEN: Final = (
    "could, may, might, if, should, would, possible, possibly, potential, potentially, perhaps, likely, whether, "
    "expected, expects, expect, set to, poised to, forecast, predicts, prediction, predict, eyes, eyeing, looks "
    "to"
)
_SUBORDINATE: Final = (
    "despite, after, amid, amidst, even as, even though, although, though, following, since, because, while, as, "
    "when, before, until, unless, where, whose, which, who, from"
)
_IDIOMS: Final = (
    "long term, short term, longer term, shorter term, stop loss, stop losses, interest rate, interest rates, set "
    "up, sets up, setting up, set ups, back up, backs up, heads up, up to, sign up, signs up, snaps up, snap up, "
    "ends up, end up, ended up, start up, start ups, made up, make up, follow up, up for, up with, up in the air, "
    "looks like, look like, feels like, good to go, market cap, market caps, tax loss, buy or sell, buying and "
    "selling, buy and sell, buy sell, store of value, bug bounty, bear in mind, proof of work, death penalty, war "
    "chest, best known, well known, at risk, high risk, risk free, crash course, risk management, risk assets, "
    "risk asset, strong hands, hedge fund, hedge funds, fear and greed, fear greed, fall prey, falls prey, fell "
    "prey, on the rise of, fine tune, good friday, black friday, profit and loss, share price, down under, beat "
    "the market, drop date, cut off, opens up, open up, opening up, opened up, catch up, speed up, sum up, round "
    "up, wrap up, pay off, ramp up, attack on titan, sell by, high school, high court, supreme court, low cost, "
    "high tech, block reward, loved ones, best buy"
)
_MARKERS: Final = {
    "calendar": (
        "transcript, conference call, earnings call, presents at, presentation, preview, slideshow, to present, "
        "conference, webcast, to report, agenda, recap, calendar, session, live updates, edited, summit, "
        "interview, podcast"
    ),
    "howto": (
        "how to, how, why, what, guide, explained, things to know, top #, here's, here is, review, best #, what "
        "is, meet, opinion, who, where, list of, tips, ways to, you need to know, analysis, this is, sponsored, "
        "digest, you, your"
    ),
    "notice": (
        "announcement, announces date, declares, declare, dividend of, ex dividend, appoints, appointed, names, "
        "named, hires, hired, joins, ceo, president, trademark, launches, launch, introduces, announces, "
        "announced, unveils, notice, files, filing, agm, annual general meeting, director, offers, offering, "
        "completes, issue of, issues, plans, statement"
    ),
    "market": (
        "stock, stocks, shares, share, price, prices, futures, index, premarket, pre, target, bitcoin, btc, eth, "
        "ethereum, market, markets, trading, rupee, dollar, gold, oil, sensex, nifty, crypto, pair, usd, eur, "
        "gbp, jpy"
    ),
    "accounts": (
        "eps, revenue, earnings, sales, net, guidance, quarter, q1, q2, q3, q4, results, estimates, fy, revs, "
        "same store, yoy, forecast, outlook, consensus"
    ),
    "world": (
        "man, woman, people, police, video, game, film, movie, school, hospital, book, trump, senate, house, "
        "court, coronavirus, virus, covid, election, debate, campaign, family, home, women, students, black, "
        "white, photo, photos"
    ),
}


def _doubles(stem: str) -> bool:
    return re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", stem) is not None


def _forms(verb: str) -> tuple[str, ...]:
    """Regular forms of an English verb: rally -> rallies, rallied, rallying; drop -> dropped."""
    if verb.endswith("e"):
        return (verb, verb + "s", verb + "d", verb[:-1] + "ing")
    if re.search(r"[^aeiou]y$", verb):
        return (verb, verb[:-1] + "ies", verb[:-1] + "ied", verb + "ing")
    plural = verb + ("es" if re.search(r"(s|sh|ch|x|z)$", verb) else "s")
    stem = verb + verb[-1] if _doubles(verb) else verb
    return (verb, plural, stem + "ed", stem + "ing")


def _entries(words: str) -> list[tuple[str, ...]]:
    """Each phrase of a comma list as tokens, verbs marked `~` in all their forms."""
    found: list[tuple[str, ...]] = []
    for phrase in words.split(","):
        heads, *rest = phrase.split() or [""]
        for head in _forms(heads[:-1]) if heads.endswith("~") else (heads,):
            if head:
                found.append((head, *rest))
    return found


def _signed(table: str) -> dict[tuple[str, ...], int]:
    """Phrase -> own sign of a table whose lines begin with the sign."""
    found: dict[tuple[str, ...], int] = {}
    for line in table.strip().splitlines():
        sign, words = line.split(":", 1)
        found.update(dict.fromkeys(_entries(words), int(sign)))
    return found


def _cues() -> dict[tuple[str, ...], tuple[int, int]]:
    """Phrase -> (family, sign); the first line that names a phrase keeps it."""
    found: dict[tuple[str, ...], tuple[int, int]] = {}
    for line in _CUES.strip().splitlines():
        head, words = line.split(":", 1)
        family, sign = head.split()
        for phrase in _entries(words):
            found.setdefault(phrase, (FAMILIES.index(family), 1 if sign == "+" else -1))
    return found


PHRASES: Final = _cues()
"""Phrase (tuple of tokens) -> (index of its family, sign)."""

QUANTITY: Final = _signed(_QUANTITIES)
"""Things it is good to have less of -> the sign they carry when nothing moves them."""

CUT: Final = _signed(_CUT)
"""Verbs that make their object less and so turn its sign -> their own sign without an object."""

LIFT: Final = _signed(_LIFT)
"""Verbs that make their object more and keep its sign -> their own sign without an object."""

NEGATE: Final = frozenset(_entries(_NEGATE))
"""Words that turn the next cue round."""

WEAKEN: Final = frozenset(_entries(_WEAKEN))
"""Words that make a headline a guess about what may come."""

SUBORDINATE: Final = frozenset(_entries(_SUBORDINATE))
"""Words after which a headline gives the circumstance, not the news."""

IDIOMS: Final = frozenset(_entries(_IDIOMS))
"""Phrases whose words look like cues and are none."""

MARKERS: Final = {name: frozenset(_entries(words)) for name, words in _MARKERS.items()}
"""Words without direction that tell what sort of headline it is."""

_STOPWORDS: Final = (
    "a an and are as at be been being but by can could did do does for from had has have he her his how if in "
    "into is it its just may might more most new no nor not now of off on or our out over own per say says said "
    "she should so some such than that the their them then there these they this those through to too under until "
    "up us very was we were what when where which while who why will with would you your after before amid "
    "despite here about also one two three"
)
STOPWORDS: Final = frozenset(_STOPWORDS.split())
"""Words that say nothing about which story a title tells."""

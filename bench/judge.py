"""Says whether a row's targets were reached: one line for people per target."""

import statistics

from rows import MILLSTREAM, Ceiling, Floor, RatioAtMost, TimesAtLeast, VariantAtMost

RECEIVES_EQUAL_WITHIN = 0.10


def column(figures, metric):
    return [run[metric] for run in figures if run.get(metric) is not None]


def short(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def judge_row(row, results):
    """One line per target of the row; none when nothing of ours was measured."""
    return [judge(target, results) for target in row.targets] if MILLSTREAM in results else []


def judge(target, results):
    """What was asked, what was measured, and whether it was reached. results: {contender: [figures of a run, ...]}"""
    if isinstance(target, RatioAtMost):
        asked = f"{target.metric}{whose(target)} <= {target.value} x {target.limit}"
        if target.at_equal_receives and (unequal := unequal_receives(results, target)):
            return f"{asked}: not comparable, {unequal}"
        return at_most(asked, target.value, run_by_run(results, target.contender, target.limit, target.metric))
    if isinstance(target, VariantAtMost):
        asked = f"{target.metric} of {target.variant} <= {target.value} x {MILLSTREAM}"
        return at_most(asked, target.value, run_by_run(results, target.variant, MILLSTREAM, target.metric))
    if isinstance(target, TimesAtLeast):
        asked = f"{target.metric}{whose(target)} >= {target.value} x {target.peer}"
        return at_least(asked, target.value, run_by_run(results, target.contender, target.peer, target.metric))
    if isinstance(target, Floor):
        values = column(results.get(target.contender, []), target.metric)
        return at_least(f"{target.metric}{whose(target)} >= {target.value:,}", target.value, values)
    assert isinstance(target, Ceiling)
    values = column(results.get(target.contender, []), target.metric)
    return at_most(f"{target.metric}{whose(target)} <= {target.value:,}", target.value, values)


def whose(target):
    return "" if target.contender == MILLSTREAM else f" of {target.contender}"


def unequal_receives(results, target):
    """How far apart the two sides' receives per delivery are; "" when close enough to compare."""
    ours, limits = (statistics.median(column(results[contender], "receives_per_delivery"))
                    for contender in (target.contender, target.limit))
    if abs(ours / limits - 1) <= RECEIVES_EQUAL_WITHIN:
        return ""
    return f"receives per delivery {ours:.2f} and {limits:.2f}"


def run_by_run(results, one, other, metric):
    """The ratios of the runs that stood side by side; none when one of the two gave no result."""
    pairs = zip(column(results.get(one, []), metric), column(results.get(other, []), metric))
    return [a / b for a, b in pairs if b]


def at_most(asked, value, values):
    return verdict(asked, values, lambda measured: measured <= value)


def at_least(asked, value, values):
    return verdict(asked, values, lambda measured: measured >= value)


def verdict(asked, values, fits):
    if not values:
        return f"{asked}: nothing to compare"
    spans = fits(min(values)) != fits(max(values))
    return (f"{asked}: {short(statistics.median(values))} [{short(min(values))} .. {short(max(values))}]  "
            f"{'reached' if fits(statistics.median(values)) else 'MISSED'}{' (range spans it)' if spans else ''}")

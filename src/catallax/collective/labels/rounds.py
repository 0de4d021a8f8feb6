"""One round over all votes, compiled: posteriors from chances, counts from posteriors, chances from counts.

    posterior[t, k]  is as  prior[k] product C[w, k, l]  over the votes (w, l) on t

`table` [workers * labels, strips, 2, STRIP] has a row for every pair of a worker and a label: the chances of the classes, STRIP
at once, beside the counts that are being made. So a vote touches one line of the processor's cache for each strip. What fills
the last strip has chance 1 and prior 0. Threads work on a run of tasks each, with a table each; `learn` adds them up.

`logs` [workers * labels + 1, strips * STRIP] are the logarithms of the chances, and in the last row of the prior. Where a task
has few votes, all of weight 1, chances are multiplied, without exp or log; elsewhere logarithms are added up. `few` is such
that no product leaves the range of doubles: chances have a floor, which `learn` and `lead` report.
"""

import math

from catallax.core.kernel import bare

STRIP = 4


@bare
def group(key, order, first, into):
    """Places by key, in the given order among equals: `into` [rows]. `first` [keys + 1], zeros before, where each begins."""
    for key_of in key:
        first[key_of + 1] += 1
    for k in range(1, len(first)):
        first[k] += first[k - 1]
    for place in order:
        into[first[key[place]]] = place
        first[key[place]] += 1
    for k in range(len(first) - 1, 0, -1):
        first[k] = first[k - 1]
    first[0] = 0


@bare
def multiply(start, size, first, said, few, table, strip, prior, rows):
    """`rows` of a block's tasks: prior times the chances of their votes, if they are few."""
    for b in range(size):
        begin, end = first[start + b], first[start + b + 1]
        if end - begin <= few:
            w, x, y, z = prior[strip, 0], prior[strip, 1], prior[strip, 2], prior[strip, 3]
            for vote in range(begin, end):
                pair = said[vote]
                w *= table[pair, strip, 0, 0]
                x *= table[pair, strip, 0, 1]
                y *= table[pair, strip, 0, 2]
                z *= table[pair, strip, 0, 3]
            rows[strip, b, 0], rows[strip, b, 1], rows[strip, b, 2], rows[strip, b, 3] = w, x, y, z


@bare
def count(start, size, first, said, weight, table, strip, rows):
    """Adds the posteriors of a block's tasks to the counts of their votes."""
    for b in range(size):
        w, x, y, z = rows[strip, b, 0], rows[strip, b, 1], rows[strip, b, 2], rows[strip, b, 3]
        for vote in range(first[start + b], first[start + b + 1]):
            pair, mass = said[vote], weight[vote] if len(weight) else 1.0
            table[pair, strip, 1, 0] += mass * w
            table[pair, strip, 1, 1] += mass * x
            table[pair, strip, 1, 2] += mass * y
            table[pair, strip, 1, 3] += mass * z


@bare
def add(begin, end, said, weight, logs, labels, row):
    """`row` [strips, 4]: log prior and the logarithms of the chances of these votes. The largest."""
    top, last = -math.inf, len(logs) - 1
    for strip in range(len(row)):
        k = strip * STRIP
        w, x, y, z = logs[last, k], logs[last, k + 1], logs[last, k + 2], logs[last, k + 3]
        for vote in range(begin, end):
            pair, mass = said[vote], weight[vote] if len(weight) else 1.0
            w += mass * logs[pair, k]
            x += mass * logs[pair, k + 1]
            y += mass * logs[pair, k + 2]
            z += mass * logs[pair, k + 3]
        row[strip, 0], row[strip, 1], row[strip, 2], row[strip, 3] = w, x, y, z
    for k in range(labels):
        top = max(top, row[k >> 2, k & 3])
    return top


@bare
def soften(top, labels, row):
    """Exponentials of scores, in place."""
    for k in range(len(row) * STRIP):
        row[k >> 2, k & 3] = math.exp(row[k >> 2, k & 3] - top) if k < labels else 0.0


@bare
def harden(label, row):
    """Certainty, in place."""
    for k in range(len(row) * STRIP):
        row[k >> 2, k & 3] = 1.0 if k == label else 0.0


@bare
def divide(row, classes, before):
    """Shares in place of a row's entries; they are added to `classes` and stored in `before`. Their largest change there."""
    total, change = 0.0, 0.0
    for strip in range(len(row)):
        total += (row[strip, 0] + row[strip, 1]) + (row[strip, 2] + row[strip, 3])
    for k in range(len(before)):
        share = row[k >> 2, k & 3] / total
        row[k >> 2, k & 3] = share
        classes[k >> 2, k & 3] += share
        change = max(change, abs(share - before[k]))
        before[k] = share
    return total, change


@bare
def judge(low, high, first, said, weight, gold, few, table, logs, prior, rows, posterior, classes):
    """Tasks low .. high - 1: `posterior` [tasks, labels] (the last one before), counts in `table`, in `classes` [strips, 4].

    Tasks are worked in blocks, so that many rows of the table are on their way from memory at once, and are near when counts
    are added to them. Returns the log-likelihood (infinite or not a number: the chances are none) and the largest change of a
    posterior.
    """
    strips, block, labels = rows.shape[0], rows.shape[1], posterior.shape[1]
    likelihood, change = 0.0, 0.0
    for k in range(strips * STRIP):
        classes[k >> 2, k & 3] = 0.0
    for start in range(low, high, block):
        size = min(block, high - start)
        if len(weight) == 0:
            for strip in range(strips):
                multiply(start, size, first, said, few, table, strip, prior, rows)
        for b in range(size):
            task, row = start + b, rows[:, b]
            begin, end, label = first[task], first[task + 1], gold[task]
            if label >= 0 or len(weight) > 0 or end - begin > few:
                top = add(begin, end, said, weight, logs, labels, row)
                if label >= 0:
                    top = row[label >> 2, label & 3]
                    harden(label, row)
                else:
                    soften(top, labels, row)
                likelihood += top
            total, moved = divide(row, classes, posterior[task])
            likelihood += math.log(total) if total > 0 else -math.inf
            change = max(change, moved)
        for strip in range(strips):
            count(start, size, first, said, weight, table, strip, rows)
    return likelihood, change


@bare
def tally(low, high, first, said, weight, table, rows, posterior, classes):
    """The counts of a posterior that is given."""
    strips, block, labels = rows.shape[0], rows.shape[1], posterior.shape[1]
    for k in range(strips * STRIP):
        classes[k >> 2, k & 3] = 0.0
    for start in range(low, high, block):
        size = min(block, high - start)
        for b in range(size):
            for k in range(labels):
                rows[k >> 2, b, k & 3] = posterior[start + b, k]
                classes[k >> 2, k & 3] += posterior[start + b, k]
        for strip in range(strips):
            count(start, size, first, said, weight, table, strip, rows)


@bare
def learn(tables, classes, labels, sure, even, one_coin, logs, prior):
    """Chances from counts, which are zero then; of pseudo-votes in a class, `sure` are for itself and `even` for each label.

    Returns the log prior of the chances, and the lowest of them.
    """
    says, floor, pairs = 0.0, 1.0, len(logs) - 1
    for start in range(0, pairs, labels):
        together(tables, start, labels)
        if one_coin:
            pool(tables[0, start : start + labels], labels)
        for k in range(labels):
            strip, lane, total = k >> 2, k & 3, sure + labels * even
            for pair in range(start, start + labels):
                total += tables[0, pair, strip, 1, lane]
            for pair in range(start, start + labels):
                pseudo = even + (sure if pair - start == k else 0.0)
                chance = (tables[0, pair, strip, 1, lane] + pseudo) / total
                floor = min(floor, chance)
                logs[pair, k] = math.log(chance)
                if k == 0 or not one_coin:
                    says += pseudo * logs[pair, k]
                for part in range(len(tables)):
                    tables[part, pair, strip, 0, lane] = chance
                tables[0, pair, strip, 1, lane] = 0.0
    smoothing, total = sure + labels * even, 0.0
    for k in range(labels):
        for part in range(1, len(classes)):
            classes[0, k >> 2, k & 3] += classes[part, k >> 2, k & 3]
        total += classes[0, k >> 2, k & 3]
    for k in range(labels):
        chance = (classes[0, k >> 2, k & 3] + smoothing / labels) / (total + smoothing)
        prior[k >> 2, k & 3], logs[pairs, k] = chance, math.log(chance)
        says += smoothing / labels * logs[pairs, k]
    return says, min(floor, prior_floor(prior, labels))


@bare
def prior_floor(prior, labels):
    """The lowest chance of a class."""
    floor = 1.0
    for k in range(labels):
        floor = min(floor, prior[k >> 2, k & 3])
    return floor


@bare
def together(tables, start, labels):
    """A worker's counts of all parts, in the first one; zeros in the others."""
    for part in range(1, len(tables)):
        for pair in range(start, start + labels):
            for k in range(labels):
                tables[0, pair, k >> 2, 1, k & 3] += tables[part, pair, k >> 2, 1, k & 3]
                tables[part, pair, k >> 2, 1, k & 3] = 0.0


@bare
def pool(rows, labels):
    """The counts of a worker who is as often right whatever the class, and errs evenly: in every class the same (in place)."""
    right, wrong = 0.0, 0.0
    for label in range(labels):
        for k in range(labels):
            if label == k:
                right += rows[label, k >> 2, 1, k & 3]
            else:
                wrong += rows[label, k >> 2, 1, k & 3]
    for label in range(labels):
        for k in range(labels):
            rows[label, k >> 2, 1, k & 3] = right if label == k else wrong / (labels - 1)


@bare
def lengths(before, middle, after):
    """Squared lengths of the first step, and of the second less the first."""
    step, bend = 0.0, 0.0
    for row in range(before.shape[0]):
        for k in range(before.shape[1]):
            one = middle[row, k] - before[row, k]
            two = after[row, k] - middle[row, k] - one
            step += one * one
            bend += two * two
    return step, bend


@bare
def lead(before, middle, after, length, labels, sure, even, one_coin, tables, logs, prior):
    """The chances that are so many first steps on (0: those before): `logs`, `prior` and `tables`, whose counts are zero then.

    Returns the log prior of the chances, and the lowest of them.
    """
    says, floor, pairs = 0.0, 1.0, len(logs) - 1
    for row in range(len(logs)):
        for k in range(labels):
            one, two = middle[row, k] - before[row, k], after[row, k] - middle[row, k]
            logs[row, k] = before[row, k] + 2 * length * one + length * length * (two - one)
    for start in range(0, pairs, labels):
        for k in range(labels):
            top, total = -math.inf, 0.0
            for pair in range(start, start + labels):
                top = max(top, logs[pair, k])
            for pair in range(start, start + labels):
                total += math.exp(logs[pair, k] - top)
            less = top + math.log(total)
            for pair in range(start, start + labels):
                logs[pair, k] -= less
                chance = math.exp(logs[pair, k])
                floor = min(floor, chance)
                if k == 0 or not one_coin:
                    says += (even + (sure if pair - start == k else 0.0)) * logs[pair, k]
                for part in range(len(tables)):
                    tables[part, pair, k >> 2, 0, k & 3] = chance
                    tables[part, pair, k >> 2, 1, k & 3] = 0.0
    top, total = -math.inf, 0.0
    for k in range(labels):
        top = max(top, logs[pairs, k])
    for k in range(labels):
        total += math.exp(logs[pairs, k] - top)
    for k in range(labels):
        logs[pairs, k] -= top + math.log(total)
        prior[k >> 2, k & 3] = math.exp(logs[pairs, k])
        says += (sure / labels + even) * logs[pairs, k]
    return says, min(floor, prior_floor(prior, labels))

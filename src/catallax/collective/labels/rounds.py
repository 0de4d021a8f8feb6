"""One round over all votes, compiled: posteriors from chances, counts from posteriors, chances from counts.

    posterior[t, k]  is as  prior[k] product C[w, k, l]  over the votes (w, l) on t

`table` [workers * labels, strips, 2, STRIP] has a row for every pair of a worker and a label: the chances of the classes, STRIP
at once, beside the counts that are being made. So a vote touches one line of the processor's cache for each strip. What fills
the last strip has chance 1 and prior 0. Threads work on a run of tasks each, with a table each; `learn` adds them up.

`logs` [workers * labels + 1, strips * STRIP] are the logarithms of the chances, and in the last row of the prior. Where a task
has few votes, all of weight 1, chances are multiplied, without exp or log; elsewhere logarithms are added up. `few` is such
that no product leaves the range of doubles: chances have a floor, which `learn` reports.
"""

import math

from catallax.core.kernel import bare

STRIP = 4
NEAR = 1 << 16  # doubles that the processor holds near by itself


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
    """`rows` of a block's tasks: prior times the chances of their votes, if they are few.

    Of a large table, what all of them need is touched first: that waits for nothing, so that many lines are on their way from
    memory at once. The sum is written where the first task's row comes later, for one that nobody stores would not be made.
    """
    if table.size > NEAR:
        touched = 0.0
        for vote in range(first[start], first[start + size]):
            touched += table[said[vote], strip, 0, 0]
        rows[strip, 0, 0] = touched
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
def judge(low, high, given, first, said, weight, gold, few, table, logs, prior, rows, posterior, classes):
    """Tasks low .. high - 1: `posterior` [tasks, labels] (the last one before), counts in `table`, in `classes` [strips, 4].

    If the posterior is `given`, counts alone are made.
    Tasks are worked in blocks, whose rows of the table are still near when counts are added to them. Returns the log-likelihood
    (infinite or not a number: the chances are none) and the largest change of a posterior.
    """
    strips, block, labels = rows.shape[0], rows.shape[1], posterior.shape[1]
    likelihood, change = 0.0, 0.0
    for k in range(strips * STRIP):
        classes[k >> 2, k & 3] = 0.0
    for start in range(low, high, block):
        size = min(block, high - start)
        if len(weight) == 0 and not given:
            for strip in range(strips):
                multiply(start, size, first, said, few, table, strip, prior, rows)
        for b in range(size):
            task, row = start + b, rows[:, b]
            begin, end, label = first[task], first[task + 1], gold[task]
            if given:
                for k in range(labels):
                    row[k >> 2, k & 3] = posterior[task, k]
            elif label >= 0 or len(weight) > 0 or end - begin > few:
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
def learn(tables, classes, labels, sure, even, one_coin, led, logs, prior):
    """Chances from counts, which are zero then; of pseudo-votes in a class, `sure` are for itself and `even` for each label.

    Where the counts are `led`, pseudo-votes are in them. Returns the log prior of the chances, and the lowest of them.
    """
    says, floor, pairs, mass, smoothing = 0.0, 1.0, len(logs) - 1, 0.0 if led else 1.0, sure + labels * even
    for start in range(0, pairs, labels):
        together(tables, start, labels)
        if one_coin:
            pool(tables[0, start : start + labels], labels)
        for k in range(labels):
            strip, lane, total = k >> 2, k & 3, mass * smoothing
            for pair in range(start, start + labels):
                total += tables[0, pair, strip, 1, lane]
            for pair in range(start, start + labels):
                pseudo = even + (sure if pair - start == k else 0.0)
                chance = (tables[0, pair, strip, 1, lane] + mass * pseudo) / total
                floor, logs[pair, k] = min(floor, chance), math.log(chance)
                if k == 0 or not one_coin:
                    says += pseudo * logs[pair, k]
                for part in range(len(tables)):
                    tables[part, pair, strip, 0, lane] = chance
                tables[0, pair, strip, 1, lane] = 0.0
    total = mass * smoothing
    for k in range(labels):
        for part in range(1, len(classes)):
            classes[0, k >> 2, k & 3] += classes[part, k >> 2, k & 3]
        total += classes[0, k >> 2, k & 3]
    for k in range(labels):
        chance = (classes[0, k >> 2, k & 3] + mass * smoothing / labels) / total
        prior[k >> 2, k & 3], logs[pairs, k], floor = chance, math.log(chance), min(floor, chance)
        says += smoothing / labels * logs[pairs, k]
    return says, floor


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
def lead(before, middle, after, length, labels, tables, classes):
    """So many first steps on from before (0: there): what is in proportion to the chances, as counts to `learn` from.

    The largest of a class is 1, so that none is lost but those that are next to nothing. `middle` is overwritten.
    """
    pairs = len(before) - 1
    for row in range(len(before)):
        for k in range(labels):
            one, two = middle[row, k] - before[row, k], after[row, k] - middle[row, k]
            middle[row, k] = before[row, k] + 2 * length * one + length * length * (two - one)
    for part in range(len(tables)):
        for k in range(labels):
            for start in range(0, pairs, labels):
                top = middle[start, k]
                for pair in range(start, start + labels):
                    top = max(top, middle[pair, k])
                for pair in range(start, start + labels):
                    tables[part, pair, k >> 2, 1, k & 3] = 0.0 if part else math.exp(middle[pair, k] - top)
            top = middle[pairs, 0]
            for j in range(labels):
                top = max(top, middle[pairs, j])
            classes[part, k >> 2, k & 3] = 0.0 if part else math.exp(middle[pairs, k] - top)

"""One verb, one function, one transaction: decide, compare-and-set, journal, deadlines, notifications.

Nothing here commits and nothing here sends: the caller owns the transaction, the delivery job sends.
"""

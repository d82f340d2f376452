"""From records to answers: read, merge, tabulate, pair, and put intervals on it.

Nothing is drawn here.
"""

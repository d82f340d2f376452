"""From records to answers: read, merge, tabulate, pair, and put intervals on it.

Needs pandas; nothing is drawn here.
"""

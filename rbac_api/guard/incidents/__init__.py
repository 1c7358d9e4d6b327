"""Notices misuse of tokens.

``detection`` opens incidents, ``own_terminations`` separates misuse from users who meet their own sign-out,
``repetitions`` counts what repeats instead of writing it, ``queries`` reads and writes.
"""

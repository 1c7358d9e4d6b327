"""ATTEMPTS. Owns the table ``signin_attempts``: failed proofs of each account, and the resulting delay or
lock.

``service`` counts and blocks. It has no routes: ``signin``, ``me``, ``second_factor`` and ``users`` call it.

A wrong password and a wrong code count alike, at sign-in and wherever a signed-in user is asked for one.
Otherwise a stolen access token would allow guesses of the password without a limit. Failures are counted by
name, known or not, so that the answer reveals nothing.
"""

"""ATTEMPTS.  Owns the table ``signin_attempts``: failed proofs of each account, and the delay or lock that they bring.

A wrong password and a wrong code count alike, at sign-in and wherever a signed-in user is asked for one: otherwise a stolen access token
would be a way to guess the password without a limit.  Counted by name, known or not, so that the answer tells nothing.  Called by
``signin``, ``me``, ``second_factor`` and ``users``; has no routes.
"""

"""OFFLINE ROLES. The signed document that says what each role permits, for services that verify tokens
themselves.

``service`` signs it. It reads the compiled roles that the guard decides with, and changes nothing. Every
client may call it: it names roles and permissions, and nothing about users.
"""

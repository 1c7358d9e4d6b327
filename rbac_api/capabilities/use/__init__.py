"""USE. Which permissions are used, by whom and when, and which are not: to cut access to what is needed.

``windows`` fixes the days that count, ``service`` answers. Owns no table: the guard writes
``permission_uses`` (``guard.state.uses``), and says there what counts as a use. Refuses to guess: what was
not recorded in the window counts as unused, so each answer states the window and since when uses are
recorded.
"""

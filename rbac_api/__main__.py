"""``python -m rbac_api`` is ``rbac-api``, also in a clone where nothing is installed."""

from rbac_api.cli.commands import rbac

rbac()

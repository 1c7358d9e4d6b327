"""Errors of domains."""

from __future__ import annotations

from rbac_api.errors import Conflict


class DomainNameTaken(Conflict):
    code = "domain.name_taken"
    title = "The domain already exists"
    default_detail = "A domain with this name already exists. Choose another name."


class DomainInUse(Conflict):
    code = "domain.in_use"
    title = "The domain is in use"
    default_detail = "Something lives in this domain. Remove that first."


class DomainBuiltIn(Conflict):
    code = "domain.system"
    title = "The domain is built in"
    default_detail = "root is the domain that all others are in. It cannot be changed or deleted."

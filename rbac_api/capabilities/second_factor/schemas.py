"""Schemas of second factors, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from rbac_api.web.fields import Body, Verbatim


class TotpBeginSchema(Body):
    """The current password, as proof that the account's owner sets it up."""

    current_password = Verbatim(required=True, longest=1024, metadata={"example": "your current password"})


class TotpEnrolmentSchema(ma.Schema):
    """The shared secret, shown once: as text, as the URI of a QR code, and as that QR code."""

    secret = fields.String(required=True, metadata={"description": "base32", "example": "<base32 secret>"})
    otpauth_uri = fields.String(
        required=True,
        metadata={"example": "otpauth://totp/rbac.example.com:ingrid.solberg?secret=<base32 secret>"},
    )
    qr_code = fields.String(
        required=True,
        metadata={
            "description": "`otpauth_uri` as a QR code: a `data:` URI of a PNG, for the `src` of an image",
            "example": "data:image/png;base64,<image>",
        },
    )


class TotpCodeSchema(Body):
    """The code from the device."""

    code = Verbatim(
        required=True,
        longest=64,
        metadata={"description": "six digits; spaces and dashes do not matter", "example": "492 039"},
    )


class RecoveryCodesSchema(ma.Schema):
    """Ten codes for a lost device, each valid for one sign-in; shown once."""

    recovery_codes = fields.List(
        fields.String(), required=True, metadata={"example": ["<recovery code>", "<recovery code>"]}
    )

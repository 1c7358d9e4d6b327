"""Users over HTTP."""

from __future__ import annotations

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.passwords.errors import PasswordRefused
from rbac_api.capabilities.second_factor.errors import TotpNotFound
from rbac_api.capabilities.sessions import service as sessions
from rbac_api.capabilities.sessions.schemas import SessionListSchema
from rbac_api.capabilities.users import listing, service
from rbac_api.capabilities.users.answers import UserFilters
from rbac_api.capabilities.users.errors import UsernameTaken, UserNotFound
from rbac_api.capabilities.users.schemas import (
    CreatedUserSchema,
    PasswordSetupSchema,
    UserCreateSchema,
    UserListSchema,
    UserPatchSchema,
    UserQuery,
    UserSchema,
)
from rbac_api.capabilities.users.service import find_user_id
from rbac_api.errors import Invalid
from rbac_api.formats.row_versions import tag_of
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.enforcement.rules import HOME
from rbac_api.guard.errors import (
    REPEATABLE,
    DomainNotFound,
    HasherBusy,
    LastAdministrator,
    OwnAccount,
    SigninTooOld,
    TargetStronger,
)
from rbac_api.web.fields import PageQuery
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.requests.as_of import past_moment
from rbac_api.web.requests.etags import required_tags, tagged
from rbac_api.web.responses.exports import file_answer, wanted_form
from rbac_api.web.responses.json_response import created_answer, empty_answer, json_answer

blueprint = Blueprint(
    "users", __name__, url_prefix="/v1/users", tag="Users", description="People and their accounts."
)
_NEW = {"username": "nora.lindqvist", "email": "nora.lindqvist@example.com", "display_name": "Nora Lindqvist"}


@blueprint.route("")
class Users(MethodView):
    @requires("users:read", domain=HOME)
    @blueprint.arguments(UserQuery, location="query")
    @blueprint.response(200, UserListSchema)
    @blueprint.also_as("text/csv", listing.USERS.header)
    @blueprint.also_as("application/x-ndjson", '{"username": "ingrid.solberg", "status": "active"}\n')
    @blueprint.operation("list_users")
    def get(self, query: UserFilters) -> Response:
        """List users

        Ordered by username, unless `sort` says otherwise: by a time, users without one come before all
        others. `q` finds a text anywhere in username, e-mail address or display name, without regard to
        case and accents; `role` selects users who effectively hold that role. `last_login_before` does not
        select users who never signed in: ask for them with `never_signed_in=true`. With `at`, the users whom
        there was at that time, with the status and the roles of that time; what else is shown, and the other
        filters, are of today.
        """
        page = page_request(query)
        past_moment(query)  # refused in the future
        if form := wanted_form():
            return file_answer(listing.export_users(current_clearance(), query, form), form, "users")
        return page_answer(listing.list_users(current_clearance(), query, page))

    @requires("users:create", domain=HOME)
    @blueprint.tagged
    @blueprint.arguments(UserCreateSchema, example=_NEW)
    @blueprint.response(201, CreatedUserSchema)
    @blueprint.operation(
        "create_user", UsernameTaken, DomainNotFound, PasswordRefused, HasherBusy, *REPEATABLE
    )
    def post(self, body: dict[str, object]) -> Response:
        """Create a user

        Without a `password` the answer contains a single-use setup token, shown only once: pass it on to the
        user. With a `password`, that password is temporary and must be changed after the first sign-in.
        """
        user, version = service.create_user(current_clearance(), body)
        shown = {name: value for name, value in user.items() if name != "password_setup"}
        return created_answer(user, f"/v1/users/{user['id']}", {"ETag": f'"{tag_of(shown, version)}"'})


@blueprint.route("/<user_id>")
class User(MethodView):
    @requires("users:read", domain=HOME)
    @blueprint.tagged
    @blueprint.response(200, UserSchema)
    @blueprint.operation("get_user", UserNotFound)
    def get(self, user_id: str) -> Response:
        """Read one user

        Use the ETag of the answer in If-Match to change or delete the user.
        """
        clearance = current_clearance()
        user, version = service.get_user(clearance, find_user_id(clearance, user_id))
        return tagged(json_answer(user), user, version)

    @requires("users:update", domain=HOME)
    @blueprint.tagged
    @blueprint.conditional
    @blueprint.arguments(UserPatchSchema, example={"display_name": "Ingrid Solberg Nilsen"})
    @blueprint.response(200, UserSchema)
    @blueprint.operation(
        "update_user", UserNotFound, DomainNotFound, TargetStronger, SigninTooOld, LastAdministrator
    )
    def patch(self, body: dict[str, object], user_id: str) -> Response:
        """Change, disable or enable a user

        Requires the ETag in If-Match. A new e-mail address requires a recent sign-in. Disabling ends every
        session at once; enabling does not bring them back.
        """
        clearance = current_clearance()
        user, version = service.update_user(
            clearance, find_user_id(clearance, user_id), required_tags(), body
        )
        return tagged(json_answer(user), user, version)

    @requires("users:delete", domain=HOME)
    @blueprint.conditional
    @blueprint.response(204)
    @blueprint.operation("delete_user", UserNotFound, TargetStronger, LastAdministrator)
    def delete(self, user_id: str) -> Response:
        """Delete a user

        Requires the ETag in If-Match. Ends all sessions and assignments. Neither the id nor the username can
        be used again. The audit trail keeps its events, with the username, e-mail address and display name in
        them, until the user's personal data is erased.
        """
        clearance = current_clearance()
        service.delete_user(clearance, find_user_id(clearance, user_id), required_tags())
        return empty_answer()


@blueprint.route("/<user_id>/password-reset")
class PasswordReset(MethodView):
    @requires("users:reset-password", domain=HOME, recent=True)
    @blueprint.response(201, PasswordSetupSchema)
    @blueprint.operation(
        "reset_password", UserNotFound, OwnAccount, TargetStronger, LastAdministrator, Invalid, *REPEATABLE
    )
    def post(self, user_id: str) -> Response:
        """Reset a user's password

        The old password stops working, every session ends, and a single-use setup token is returned once:
        pass it on to the user, who chooses a new password with `POST /v1/auth/password-setup`; that also
        lifts a lock after failed sign-ins. For your own account use `POST /v1/me/password`.
        """
        clearance = current_clearance()
        found = find_user_id(clearance, user_id)
        return created_answer(service.reset_password(clearance, found), f"/v1/users/{found}")


@blueprint.route("/<user_id>/unlock")
class UserUnlocking(MethodView):
    @requires("users:update", domain=HOME)
    @blueprint.response(204)
    @blueprint.operation("unlock_user", UserNotFound, OwnAccount, TargetStronger)
    def post(self, user_id: str) -> Response:
        """Unlock a user

        Lifts the delay or lock after failed sign-ins, which `locked_until` of the user shows. Not for your
        own account.
        """
        clearance = current_clearance()
        service.unlock_user(clearance, find_user_id(clearance, user_id))
        return empty_answer()


@blueprint.route("/<user_id>/totp")
class UserTotp(MethodView):
    @requires("users:reset-password", domain=HOME, recent=True)
    @blueprint.response(204)
    @blueprint.operation("remove_user_totp", UserNotFound, TotpNotFound, OwnAccount, TargetStronger)
    def delete(self, user_id: str) -> Response:
        """Remove a user's second factor

        For users who lost both their device and their recovery codes. Ends all their sessions; they sign in
        with the password and can set up a new factor. For your own use `DELETE /v1/me/totp`.
        """
        clearance = current_clearance()
        service.remove_user_totp(clearance, find_user_id(clearance, user_id))
        return empty_answer()


@blueprint.route("/<user_id>/sessions")
class UserSessions(MethodView):
    @requires("sessions:read", domain=HOME)
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, SessionListSchema)
    @blueprint.operation("list_user_sessions", UserNotFound)
    def get(self, query: dict[str, object], user_id: str) -> Response:
        """List a user's active sessions

        Newest first. For ended sessions use `GET /v1/sessions` with `user` and `state=ended`. Without
        `users:read` at `root`, an unknown user has an empty list.
        """
        clearance, page = current_clearance(), page_request(query)
        if clearance.reads_users:
            service.get_user(clearance, find_user_id(clearance, user_id))
        return page_answer(sessions.list_sessions(clearance, {"user": user_id}, page))

    @requires("sessions:revoke", domain=HOME)
    @blueprint.response(204)
    @blueprint.operation("end_user_sessions", UserNotFound, TargetStronger)
    def delete(self, user_id: str) -> Response:
        """Revoke all of a user's sessions

        The user is signed out everywhere from the next request on, and may sign in again.
        """
        clearance = current_clearance()
        service.end_user_sessions(clearance, find_user_id(clearance, user_id))
        return empty_answer()

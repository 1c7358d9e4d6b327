// Swagger UI with a session. The form in the bar (or executing `login`) signs the whole page in. After a 401
// the page refreshes its token once, silently. Refusals are explained. `SwaggerUIBundle` comes from its own
// script.

import { Bar } from "./bar.js";
import { denials } from "./denials.js";
import { rememberEtag, seenEtag } from "./etags.js";
import { explanation } from "./explanation.js";
import { keepReachable } from "./reachable.js";
import { Operations, pathOf, readablePatterns } from "./operations.js";
import { detail, header, precondition, problem, refusal, tooMany, unauthenticated } from "./plain_words.js";
import { authorizeDialog, plugins } from "./plugins.js";
import { Session, keepsCookies } from "./session.js";
import { suggest } from "./suggestions.js";
import { announceCopies, followColours } from "./surroundings.js";

const ROOT = document.documentElement.dataset.root;
const DOCUMENT = new URL(`${ROOT}/openapi.json`, location.href);
const SCHEMES = { header: "bearerAuth", cookie: "cookieAuth", csrf: "csrfToken" };
const KEPT = "kept by the browser"; // shown in the locks; no script can read the cookies
const UNTIL_RELOAD =
  "Reloading this page signs you out: the browser keeps no session cookie from an address without HTTPS.";
const SHOWN_TOKENS = "The answer shows the tokens, and this page keeps them only until it is reloaded. "
  + "The form at the top signs you in for longer.";
const LOOKS_LIKE_A_TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const WRITING = new Set(["POST", "PUT", "PATCH", "DELETE"]);

let whoIsIt = null; // the latest pending GET /v1/me

followColours();
const byCookie = keepsCookies();
const operations = new Operations(ROOT);
const bar = new Bar({ signIn, signOut });
const session = new Session(exchange, tokensChanged);
const ui = SwaggerUIBundle({
  url: DOCUMENT.href,
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [...plugins, authorizeDialog(Object.values(SCHEMES), { pasted, forgotten })],
  onComplete: documentLoaded,
  requestInterceptor: intercept,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  filter: true,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  persistAuthorization: false,
});
keepReachable(document.getElementById("swagger-ui"));
suggest(document.getElementById("swagger-ui"), items);
for (const task of document.querySelectorAll("#tasks button")) {
  task.addEventListener("click", () => operations.open(task.dataset.operation));
}
announceCopies(() => bar.say({ key: "copy", kind: "good", title: "Copied to the clipboard" }));
restore().finally(() => bar.ready());

// ---- all requests of the page, from Swagger UI and from the bar

async function send(request) {
  try {
    return await ui.fn.fetch(request); // Swagger UI's own fetch, so that all answers have the same form
  } catch (error) {
    if (error.response) return error.response; // an answer that is not 2xx
    return { ok: false, status: 0, headers: {}, body: { detail: "The service cannot be reached." } };
  }
}

// Makes a request of the page itself; sent with `requestInterceptor: intercept` it has all effects of an
// executed one.
function call(name, { body, query = "", parameter = "" } = {}) {
  const headers = { Accept: "application/json, application/problem+json" };
  if (body) headers["Content-Type"] = "application/json";
  if (session.access) headers.Authorization = `Bearer ${session.access}`;
  const { method, path } = operations.named(name);
  const url = path.replace(/\{[^}]+\}/, encodeURIComponent(parameter)) + query;
  return { url, method: method.toUpperCase(), headers, body: body && JSON.stringify(body), own: true };
}

// Returns the items of a list; none without a session, or if the user may not read them.
async function items(name, query) {
  if (!session.signedIn) return [];
  const request = call(name, { query });
  session.stamp(request);
  const { ok, body } = await send(request);
  return ok ? body.items : [];
}

function intercept(request) {
  if (request.loadSpec) return { ...request, responseInterceptor: readablePatterns };
  const name = operations.nameOf(request);
  delete request.headers.Cookie; // Swagger UI sets it for the lock; a browser does not send it
  delete request.headers["X-CSRF-TOKEN"];
  if (name === "refresh") fillInRefreshToken(request);
  if (name === "login") delete request.headers.Authorization;
  session.stamp(request, name === "login" ? { cookies: /[?&]mode=cookie(&|$)/.test(request.url) } : {});
  if (name === "login") request.byCookie = false; // it authenticates by the password
  request.responseInterceptor = (answer) => settle(request, name, answer);
  return request;
}

// Returns the answer to show: after a 401, the answer to the repeated request.
async function settle(request, name, first) {
  const answer = await repeatedIfExpired(request, name, first);
  const about = `${request.method.toUpperCase()} ${pathOf(request.url)}`;
  rememberEtag(request, answer);
  if (request.byCookie) learn(request, answer);
  if (answer.ok) {
    const denied = request.own ? [] : denials(request, answer, askQuietly);
    answer.denials = () => denied; // Swagger UI keeps a function as it is
    bar.hush(about);
    succeeded(request, name, answer);
    if (!request.own && WRITING.has(request.method.toUpperCase())) done(request, name, answer, about);
  } else if (!request.quiet) {
    explain(request, name, answer, about);
  }
  return answer;
}

async function repeatedIfExpired(request, name, answer) {
  const final = answer.status !== 401 || name === "login" || name === "refresh" || request.final;
  if (final || !session.mine(request)) return answer;
  if (!/^token\./.test(answer.body?.code ?? "token.")) return answer; // a wrong password is not an old token
  if (request.byCookie) learn(request, answer);
  const { renewed, refused, unavailable } = await session.renew(request);
  if (refused && session.mine(request)) {
    ended(`Signed out: ${detail(refused, detail(answer, "the session is over."))}`);
  }
  if (unavailable) {
    bar.say({ key: "renewal", title: "The session could not be refreshed", text: detail(unavailable, "") });
  }
  return renewed ? send(repeated(request)) : answer;
}

function repeated(request) {
  const again = { ...request, headers: { ...request.headers } };
  delete again.requestInterceptor;
  delete again.responseInterceptor;
  delete again.headers.Authorization;
  if (session.access) again.headers.Authorization = `Bearer ${session.access}`;
  session.stamp(again);
  return again;
}

// Takes the session's CSRF token from the answer to a read by cookie; a reloaded page needs it.
function learn(request, answer) {
  const csrf = header(answer, "x-csrf-token");
  delete answer.headers?.["x-csrf-token"]; // no credential is shown
  if (!csrf || !session.mine(request) || !session.learn(csrf)) return;
  const text = "Another page of this browser has signed in.";
  bar.say({ key: "session", title: "The session has changed", text });
  whoIsIt = loadMe();
}

function succeeded(request, name, answer) {
  const tokens = answer.body ?? {};
  if (name === "login" && (tokens.access_token || tokens.csrf_token)) {
    bar.clear(); // messages of an earlier user
    const byHeader = () => session.begin(tokens.access_token, tokens.refresh_token);
    adopt(tokens.access_token ? byHeader : () => session.beginByCookie(tokens.csrf_token));
  } else if (name === "refresh" && tokens.access_token) {
    adopt(() => session.begin(tokens.access_token, tokens.refresh_token));
  } else if (name === "refresh" && tokens.csrf_token) {
    session.continue(tokens);
  } else if (name === "logout") {
    bar.clear();
    ended("");
    bar.say({ key: "session", kind: "good", title: "You have signed out" });
  } else if (name === "me") {
    if (session.mine(request)) showMe(answer.body);
  } else if (name === "changePassword" || name === "updateMe") {
    bar.clear();
    whoIsIt = loadMe();
  } else if (header(answer, "authz-stale") === "true" && session.canRenew) {
    session.renew(session.now); // roles have changed: get a token with the new roles
  }
}

function done(request, name, answer, about) {
  if (name === "logout" || name === "refresh") return; // these show their own message
  const shown = name === "login" && answer.body?.access_token ? SHOWN_TOKENS : "";
  const title = `Done: ${operations.summaryOf(request) || about}`;
  bar.say({ key: about, kind: "good", title, text: shown, about: `${about} · ${answer.status}` });
}

function explain(request, name, answer, about) {
  const { code, request_id: id, decision_id: decision } = answer.body ?? {};
  const facts = [about, answer.status, code, id && `request ${id}`, decision && `decision ${decision}`];
  const message = { key: about, about: facts.filter(Boolean).join(" · ") };
  if (answer.status === 401 && (!session.signedIn || name === "login")) {
    bar.say({ ...message, ...unauthenticated(answer, { signsIn: name === "login" }) });
  } else if (code === "signin.too_old") {
    const action = { text: "Sign out to sign in again", press: () => bar.leave() };
    bar.say({ ...message, ...problem(answer), action });
  } else if (answer.status === 403) {
    // another page of this browser has signed in
    if (code === "csrf.failed" && request.byCookie) whoIsIt = loadMe();
    const why = decision && session.signedIn ? { text: "Why?", press: () => tellWhy(about, decision) } : null;
    const action = code === "password.change_required" ? operations.show("changePassword") : why;
    bar.say({ ...message, ...refusal(answer), action });
  } else if (answer.status === 412 || answer.status === 428) {
    bar.say({ ...message, ...precondition(answer, seenEtag(request), request.headers["If-Match"]) });
  } else if (answer.status === 429) {
    bar.say({ ...message, ...tooMany(answer) });
  } else if (answer.status >= 400) {
    bar.say({ ...message, ...problem(answer) });
  }
}

function ask(name, options) {
  return send({ ...call(name, options), requestInterceptor: intercept });
}

// The answer is shown in place, also a refusal.
function askQuietly(name, options) {
  return send({ ...call(name, options), quiet: true, requestInterceptor: intercept });
}

async function tellWhy(key, decision) {
  const answer = await ask("decision", { parameter: decision });
  const title = "The explanation could not be read";
  if (answer.ok) bar.extend(key, explanation(answer.body));
  else if (!answer.status) bar.say({ key: "decision", title, text: answer.body.detail });
}

// ---- the session

// Without session cookies nothing is requested: no user has signed in with this browser, or the session has
// expired.
async function restore() {
  if (!byCookie) return;
  const asked = { url: `${ROOT}/docs/session`, method: "GET", headers: {}, credentials: "same-origin" };
  const { body } = await send(asked);
  if (!body?.cookies) return;
  session.beginByCookie(null);
  await whoIsIt;
}

async function signIn(username, password, otp) {
  const body = otp ? { username, password, otp } : { username, password };
  const request = call("login", { body, query: byCookie ? "?mode=cookie" : "" });
  const answer = await send({ ...request, requestInterceptor: intercept });
  if (answer.status === 0) bar.say({ key: "login", title: "Sign-in failed", text: answer.body.detail });
  await whoIsIt;
  if (answer.ok && !byCookie) {
    bar.say({ key: "session", kind: "good", title: "You have signed in", text: UNTIL_RELOAD });
  }
  return answer.body?.code === "mfa.required" ? "otp" : answer.ok;
}

async function signOut() {
  await session.settled();
  const answer = await ask("logout");
  if (session.signedIn) {
    const why = detail(answer, `it answered ${answer.status}.`);
    ended(`Signed out on this page only; the service did not end the session: ${why}`);
  }
  return true;
}

function exchange(refreshToken) {
  const request = call("refresh", refreshToken ? { body: { refresh_token: refreshToken } } : {});
  delete request.headers.Authorization;
  session.stamp(request);
  return send(request);
}

// Pasted tokens replace the browser's own session. A reload would restore that one, so it is ended first.
function adopt(begin) {
  const left = session.byCookie ? call("logout") : null;
  if (left) session.stamp(left);
  begin();
  if (left && !session.byCookie) send(left);
}

function ended(reason) {
  session.end();
  bar.signedOut(reason);
}

async function loadMe() {
  // a new token needs no refresh, an old cookie may
  const request = { ...call("me"), final: session.complete };
  const answer = await send({ ...request, requestInterceptor: intercept });
  if (!answer.ok && session.signedIn) bar.signedIn(null);
}

function showMe(me) {
  bar.signedIn(me);
  const must =
    "You signed in with a temporary password. Until you change it, most other requests are refused.";
  if (me.password_change_required) bar.notice(must, operations.show("changePassword"));
  else bar.notice("");
}

// Runs on every change of tokens, also on silent refreshes: roles may have changed.
function tokensChanged() {
  bar.hush("renewal");
  closeLocks();
  whoIsIt = session.signedIn ? loadMe() : null;
}

function closeLocks() {
  const closed = Object.values(SCHEMES).filter((name) => ui.authSelectors.authorized()?.has(name));
  if (closed.length) ui.authActions.logout(closed, { silently: true });
  if (session.access) ui.preauthorizeApiKey(SCHEMES.header, session.access);
  const locks = session.byCookie ? [SCHEMES.cookie, SCHEMES.csrf] : [];
  for (const name of locks) ui.preauthorizeApiKey(name, KEPT);
}

// A token pasted into Swagger UI's Authorize dialog signs the page in as well, without a refresh token.
function pasted(given) {
  const token = given[SCHEMES.header]?.value;
  if (token && token !== session.access) adopt(() => session.begin(token));
}

function forgotten() {
  const reason = "This page has discarded its token. The session continues until it expires or is revoked.";
  if (session.byCookie) signOut();
  else if (session.signedIn) ended(reason);
}

// Executing `refresh` with the unchanged example refreshes this page's session.
function fillInRefreshToken(request) {
  if (request.headers.Authorization === `Bearer ${session.access}`) delete request.headers.Authorization;
  const given = /"refresh_token"\s*:\s*"([^"]*)"/.exec(request.body ?? "")?.[1] ?? "";
  if (!session.canRenew || LOOKS_LIKE_A_TOKEN.test(given)) return;
  request.body = session.byCookie ? "{}" : JSON.stringify({ refresh_token: session.refresh });
  request.headers["Content-Type"] = "application/json";
  bar.say({ key: "refresh", kind: "good", title: "This page's own refresh token was used" });
}

// ---- the OpenAPI document

function documentLoaded() {
  const spec = ui.specSelectors.specJson().toJS();
  document.title = spec.info?.title ?? document.title;
  operations.read(spec, DOCUMENT);
  closeLocks(); // has no effect before the document is loaded
}

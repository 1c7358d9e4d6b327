// Swagger UI with a session: executing `login` (or the form in the bar) signs the whole page in, a 401 is
// refreshed once without a word, refusals are explained. `SwaggerUIBundle` comes from its own script.

import { Bar } from "./bar.js";
import { detail, header, precondition, problem, refusal, tooMany } from "./plain_words.js";
import { authorizeDialog, deepLinks, maskedCurl } from "./plugins.js";
import { Session } from "./session.js";

const SCHEME = "bearerAuth";
// Each by its operationId; if the document has no such operation, by its method and path.
const OPERATIONS = {
  login: ["login", "post", "/v1/auth/login"],
  refresh: ["refresh", "post", "/v1/auth/refresh"],
  logout: ["logout", "post", "/v1/auth/logout"],
  me: ["get_me", "get", "/v1/me"],
  updateMe: ["update_me", "patch", "/v1/me"],
  changePassword: ["change_my_password", "post", "/v1/me/password"],
};
const DOCUMENT = new URL("../../openapi.json", import.meta.url);
const SECOND_FACTOR = "Enter the code from your authenticator app, or a recovery code, in the form at the top; in a login request send it as otp.";
const LOOKS_LIKE_A_TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;

const etags = new Map(); // path of a resource -> the last ETag seen for it
const known = {}; // OPERATIONS as found in the document: name -> {id, method, path}
findOperations({}); // until it is loaded, or if it cannot be: the usual paths

let whoIsIt = null; // the latest GET /v1/me under way

const bar = new Bar({ signIn, signOut });
const session = new Session(exchange, tokensChanged);
const ui = SwaggerUIBundle({
  url: DOCUMENT.href,
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [maskedCurl, deepLinks, authorizeDialog(SCHEME, { pasted, forgotten })],
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

// ---- every request of the page, Swagger UI's and the bar's alike

async function send(request) {
  try {
    return await ui.fn.fetch(request); // Swagger UI's own, so that both kinds of answer look the same
  } catch (error) {
    if (error.response) return error.response; // an answer that is not 2xx
    return { ok: false, status: 0, headers: {}, body: { detail: "The service cannot be reached." } };
  }
}

function call(name, { body, token } = {}) {
  const headers = { Accept: "application/json, application/problem+json" };
  if (body) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  const { method, path } = known[name];
  const text = body && JSON.stringify(body);
  return { url: path, method: method.toUpperCase(), headers, body: text, credentials: "omit" };
}

function intercept(request) {
  if (request.loadSpec) return request;
  const name = nameOf(request);
  if (name === "refresh") fillInRefreshToken(request);
  request.responseInterceptor = (answer) => settle(request, name, answer);
  return request;
}

// The answer to show: after a 401 that of the repeated request.
async function settle(request, name, first) {
  const answer = await repeatedIfExpired(request, name, first);
  const about = `${request.method.toUpperCase()} ${pathOf(request.url)}`;
  rememberEtag(request, answer);
  if (answer.ok) {
    bar.hush(about);
    succeeded(request, name, answer);
  } else {
    explain(request, name, answer, about);
  }
  return answer;
}

async function repeatedIfExpired(request, name, answer) {
  const sent = bearer(request);
  const final = answer.status !== 401 || name === "login" || name === "refresh" || request.final;
  if (final || !session.issued(sent)) return answer;
  if (!/^token\./.test(answer.body?.code ?? "token.")) return answer; // a wrong password is not an old token
  const { renewed, refused, unavailable } = await session.renew(sent);
  if (refused && session.issued(sent)) {
    ended(`Signed out: ${detail(refused, detail(answer, "the session is over."))}`);
  }
  if (unavailable) {
    bar.say({ key: "renewal", title: "The session could not be refreshed", text: detail(unavailable, "") });
  }
  return renewed ? send(repeated(request)) : answer;
}

function repeated(request) {
  const again = { ...request, headers: { ...request.headers, Authorization: `Bearer ${session.access}` } };
  delete again.requestInterceptor;
  delete again.responseInterceptor;
  return again;
}

function succeeded(request, name, answer) {
  const tokens = answer.body ?? {};
  if ((name === "login" || name === "refresh") && tokens.access_token) {
    if (name === "login") bar.clear(); // what an earlier person was told is over
    session.begin(tokens.access_token, tokens.refresh_token);
  } else if (name === "logout") {
    bar.clear();
    ended("");
    bar.say({ key: "session", kind: "good", title: "You have signed out" });
  } else if (name === "me") {
    if (session.issued(bearer(request))) showMe(answer.body);
  } else if (name === "changePassword" || name === "updateMe") {
    bar.clear();
    whoIsIt = loadMe();
  } else if (header(answer, "authz-stale") === "true" && session.refresh) {
    session.renew(session.access); // roles have changed: take a token that names the new ones
  }
}

function explain(request, name, answer, about) {
  const { code, request_id: id } = answer.body ?? {};
  const facts = [about, answer.status, code, id && `request ${id}`];
  const message = { key: about, about: facts.filter(Boolean).join(" · ") };
  if (answer.status === 401 && (!session.signedIn || name === "login")) {
    bar.say({ ...message, ...unauthenticated(name, answer) });
  } else if (code === "signin.too_old") {
    bar.say({ ...message, ...problem(answer), action: { text: "Sign out to sign in again", press: () => bar.leave() } });
  } else if (answer.status === 403) {
    const action = code === "password.change_required" ? showOperation("changePassword") : null;
    bar.say({ ...message, ...refusal(answer), action });
  } else if (answer.status === 412 || answer.status === 428) {
    const seen = etags.get(pathOf(request.url)) ?? null;
    bar.say({ ...message, ...precondition(answer, seen, request.headers["If-Match"]) });
  } else if (answer.status === 429) {
    bar.say({ ...message, ...tooMany(answer) });
  } else if (answer.status >= 400) {
    bar.say({ ...message, ...problem(answer) });
  } else {
    bar.hush(about);
  }
}

function unauthenticated(name, answer) {
  const code = answer.body?.code;
  if (code === "mfa.required") return { title: "Enter your second factor", text: SECOND_FACTOR };
  if (name === "login") return { title: "Sign-in refused", text: detail(answer, "The service gave no reason.") };
  if (code && !/^token\./.test(code)) return problem(answer);
  const why = code === "token.missing" ? "This operation requires a sign-in." : detail(answer, "");
  return { title: "You are not signed in", text: `${why} Use the form at the top of this page.`.trim() };
}

// ---- the session

async function signIn(username, password, otp) {
  const body = otp ? { username, password, otp } : { username, password };
  const answer = await send({ ...call("login", { body }), requestInterceptor: intercept });
  if (answer.status === 0) bar.say({ key: "login", title: "Sign-in failed", text: answer.body.detail });
  await whoIsIt;
  return answer.body?.code === "mfa.required" ? "otp" : answer.ok;
}

async function signOut() {
  await session.settled();
  const answer = await send({ ...call("logout", { token: session.access }), requestInterceptor: intercept });
  if (session.signedIn) {
    const why = detail(answer, `it answered ${answer.status}.`);
    ended(`Signed out on this page only; the service did not end the session: ${why}`);
  }
  return true;
}

function exchange(refreshToken) {
  return send(call("refresh", { body: { refresh_token: refreshToken } }));
}

function ended(reason) {
  session.end();
  bar.signedOut(reason);
}

async function loadMe() {
  const request = { ...call("me", { token: session.access }), final: true }; // a token just issued needs no refresh
  const answer = await send({ ...request, requestInterceptor: intercept });
  if (!answer.ok && session.signedIn) bar.signedIn(null);
}

function showMe(me) {
  bar.signedIn(me);
  const must = "You signed in with a temporary password. Until you change it, most other requests are refused.";
  if (me.password_change_required) bar.notice(must, showOperation("changePassword"));
  else bar.notice("");
}

// Runs on every change of tokens, silent refreshes included: roles may have changed as well.
function tokensChanged() {
  bar.hush("renewal");
  if (session.signedIn) {
    ui.preauthorizeApiKey(SCHEME, session.access);
    whoIsIt = loadMe();
  } else {
    ui.authActions.logout([SCHEME]);
  }
}

// A token pasted into Swagger UI's Authorize dialog signs the page in as well, without a refresh token.
function pasted(token) {
  if (token && token !== session.access) session.begin(token);
}

function forgotten() {
  const reason = "This page has discarded its token. The session continues until it expires or is revoked.";
  if (session.signedIn) ended(reason);
}

// Executing `refresh` with the example still in place means: refresh this page.
function fillInRefreshToken(request) {
  if (bearer(request) === session.access) delete request.headers.Authorization;
  const given = /"refresh_token"\s*:\s*"([^"]*)"/.exec(request.body ?? "")?.[1] ?? "";
  if (!session.refresh || LOOKS_LIKE_A_TOKEN.test(given)) return;
  request.body = JSON.stringify({ refresh_token: session.refresh });
  request.headers["Content-Type"] = "application/json";
  bar.say({ key: "refresh", kind: "good", title: "This page's own refresh token was used" });
}

// ---- the OpenAPI document

function documentLoaded() {
  const spec = ui.specSelectors.specJson().toJS();
  document.title = spec.info?.title ?? document.title;
  findOperations(spec);
  if (session.signedIn) ui.preauthorizeApiKey(SCHEME, session.access); // does nothing before the document is there
}

function findOperations(spec) {
  const server = new URL(spec.servers?.[0]?.url ?? "../../", spec.servers ? DOCUMENT : import.meta.url);
  const prefix = server.origin === location.origin ? server.pathname.replace(/\/$/, "") : "";
  for (const [name, [id, method, path]] of Object.entries(OPERATIONS)) {
    const found = byId(spec, id) ?? { id: spec.paths?.[path]?.[method]?.operationId, method, path };
    known[name] = { ...found, path: prefix + found.path };
  }
}

function byId(spec, id) {
  for (const [path, item] of Object.entries(spec.paths ?? {})) {
    for (const [method, operation] of Object.entries(item)) {
      if (operation?.operationId === id) return { id, method, path };
    }
  }
  return null;
}

function nameOf(request) {
  const [method, path] = [request.method.toLowerCase(), pathOf(request.url)];
  return Object.keys(known).find((name) => known[name].method === method && known[name].path === path) ?? null;
}

function showOperation(name) {
  const { id, method, path } = known[name];
  const press = () => {
    const block = document.querySelector(`.opblock[id$="-${CSS.escape(id ?? "")}"]`);
    const opener = block?.querySelector(".opblock-summary-control");
    if (block && !block.classList.contains("is-open")) opener.click();
    block?.scrollIntoView({ block: "start" });
    opener?.focus({ preventScroll: true });
  };
  return { text: `Show ${method.toUpperCase()} ${path}`, press };
}

// ---- small things

function pathOf(url) {
  return new URL(url, location.href).pathname;
}

function bearer(request) {
  return /^Bearer (.+)$/.exec(request.headers?.Authorization ?? "")?.[1] ?? null;
}

function rememberEtag(request, answer) {
  const etag = header(answer, "etag");
  const created = answer.status === 201 ? header(answer, "location") : null;
  const path = pathOf(created ?? request.url);
  if (request.method.toUpperCase() === "DELETE" && answer.ok) etags.delete(path);
  else if (etag && answer.ok) etags.set(path, etag);
}

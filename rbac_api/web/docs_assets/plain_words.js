// Pure functions: messages for the user from answers, and requests without their secrets.

const SECRET =
  "password|current_password|new_password|token|access_token|refresh_token|client_secret|otp|secret";
const KEPT_FAULTS = 5;
const SECOND_FACTOR = "Enter the code from your authenticator app, or a recovery code, in the form at the "
  + "top; in a login request send it as otp.";
const IN_JSON = new RegExp(`("(?:${SECRET})"\\s*:\\s*)"(?:\\\\.|[^"\\\\])*"?`, "g");
const IN_FORM = new RegExp(`((?:^|&)(?:${SECRET})=)[^&]*`, "g");

export function header(answer, name) {
  const value = answer.headers?.[name];
  return value === undefined ? null : [].concat(value).join(", ");
}

export function detail(answer, otherwise) {
  const text = answer?.body?.detail ?? answer?.detail;
  return typeof text === "string" && text ? text : otherwise;
}

// The message for a 401 on a page that is not signed in, or for a failed sign-in.
export function unauthenticated(answer, { signsIn }) {
  const code = answer.body?.code;
  if (code === "mfa.required") return { title: "Enter your second factor", text: SECOND_FACTOR };
  if (signsIn) return { title: "Sign-in refused", text: detail(answer, "The service gave no reason.") };
  if (code && !/^token\./.test(code)) return problem(answer);
  const why = code === "token.missing" ? "This operation requires a sign-in." : detail(answer, "");
  return { title: "You are not signed in", text: `${why} Use the form at the top of this page.`.trim() };
}

// The message for a 403: the missing permissions, else the service's detail.
export function refusal(answer) {
  const problem = answer.body ?? {};
  const lacking = [].concat(problem.missing ?? [], problem.required ?? []).map(String);
  if (lacking.length) return { title: `You lack ${list(lacking)}`, text: detail(answer, "") };
  if (problem.code === "password.change_required") {
    return { title: "Change your password first", text: detail(answer, "") };
  }
  return { title: "You are not allowed to do this", text: detail(answer, "") };
}

// The message for any other refusal: a problem document, an OAuth error, or AuthZEN's text.
export function problem(answer) {
  const body = answer.body ?? {};
  const title = body.title ?? body.error ?? `The service answered ${answer.status}`;
  const said = typeof body === "string" ? body : detail(answer, body.error_description ?? "");
  const kept = (body.errors ?? []).slice(0, KEPT_FAULTS);
  const faults = kept.map(({ pointer, detail: text }) => `${pointer}: ${text}`);
  return { title, text: [said, ...faults].filter(Boolean).join("\n") };
}

export function tooMany(answer) {
  const seconds = Number(header(answer, "retry-after"));
  const when = seconds > 0 ? ` Try again in ${seconds} ${seconds === 1 ? "second" : "seconds"}.` : "";
  return { title: "Too many attempts", text: detail(answer, "The service asks you to wait.") + when };
}

// The message for a missing (428) or outdated (412) If-Match; `etag` is the last one this page saw, if any.
export function precondition(answer, etag, sent) {
  const missing = answer.status === 428;
  const title = missing ? "If-Match is missing" : "The resource has changed since you read it";
  if (etag === null) return { title, text: "Read the resource first (GET); put its ETag into If-Match." };
  const again = "Read the resource again (GET) and use its new ETag in If-Match.";
  if (etag === sent) return { title, text: again };
  const text = missing
    ? "Read the resource first. When this page last saw it, its ETag was:"
    : "Read it again to see what changed. The newest ETag this page saw is:";
  return { title, text, copy: etag };
}

export function list(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

// The request as the curl box may show it, with an Authorization header in place of the browser's cookies.
export function withoutSecrets(request) {
  const shown = { ...request, headers: { ...request.headers } };
  delete shown.headers["X-CSRF-TOKEN"];
  if (request.byCookie) shown.headers.Authorization = "Bearer <hidden>";
  for (const name of Object.keys(shown.headers)) {
    if (name.toLowerCase() === "authorization") {
      shown.headers[name] = String(shown.headers[name]).replace(/^(\S+) .*/, "$1 <hidden>");
    }
  }
  if (typeof shown.body === "string") {
    shown.body = shown.body.replace(IN_JSON, '$1"<hidden>"').replace(IN_FORM, "$1<hidden>");
  }
  return shown;
}

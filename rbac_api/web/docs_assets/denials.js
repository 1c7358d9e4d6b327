// Finds what an answer denies (`may: false`, `decision: false`, refused steps of a plan), and explains each.

import { element } from "./bar.js";
import { reasons } from "./explanation.js";

const MOST = 5; // missing permissions of one role that are explained
const ASKED = {
  user: (id, permission, secondFactor) =>
    ["access", { parameter: id, query: query({ permission, second_factor: secondFactor }) }],
  "service-account": (id, permission) => ["accountAccess", { parameter: id, query: query({ permission }) }],
};
let count = 0; // gives each denial a key of its own

// Returns a question for each denial, and `explain`, which returns a promise of the nodes that answer it.
// `ask(name, options)` requests an operation.
export function denials(request, { ok, body }, ask) {
  if (!ok || !body || typeof body !== "object") return [];
  const found = [
    ...listed(body.items).filter((one) => one?.may === false).map((one) => ofRole(one, ask)),
    ...listed(body.evaluations).map((one, at) => denied(one) && ofEvaluation(one, request, at, ask)),
    ...listed(body.refusals).map(ofStep),
    denied(body) && (body.because ? ofAccess(body, request) : ofEvaluation(body, request, null, ask)),
  ];
  return found.filter(Boolean).map((one) => ({ ...one, key: (count += 1) }));
}

function denied(one) {
  return one?.decision === false;
}

// A role that the caller may not assign; also why the caller lacks what it would hand out.
function ofRole({ role, because, missing }, ask) {
  const explain = async () => {
    const asked = missing.slice(0, MOST);
    const answers = asked.map((permission) => ask("myAccess", { query: query({ permission }) }));
    const lacking = (await Promise.all(answers)).flatMap(({ ok, body }) => (ok ? body.because : []));
    const rest = missing.length - asked.length;
    if (lacking.length && rest) lacking.push({ detail: `and ${rest} more permissions` });
    const why = lacking.length ? [element("p", "", "Why you do not hold them:"), ...reasons(lacking)] : [];
    return [...reasons(because), ...why];
  };
  return { question: `Why can I not assign ${role}?`, explain };
}

function ofStep({ step, detail }) {
  return { question: `Why would this step be refused: ${step}?`, explain: async () => reasons([{ detail }]) };
}

// An answer that explains itself: of a user or account, of the caller, or a refusal that was recorded.
function ofAccess(body, request) {
  return { question: questionAbout(body, request), explain: async () => reasons(body.because, body.nearest, "") };
}

function questionAbout({ method, path, user, permission }, request) {
  if (method) return `Why was ${user?.username ?? "the caller"} refused ${permission ?? `${method} ${path}`}?`;
  const { pathname, searchParams } = new URL(request.url, location.href);
  const asked = searchParams.get("permission");
  const who = decodeURIComponent(pathname.split("/").at(-2));
  return /\/me\/access$/.test(pathname) ? `Why do I not have ${asked}?` : `Why does ${who} not have ${asked}?`;
}

// AuthZEN answers with codes for programs. The explanation for people is read from the subject's access.
function ofEvaluation({ context }, request, at, ask) {
  const { subject, action, resource, context: asked = {} } = questionOf(request, at);
  const own = context?.error ? [{ detail: context.error.message }] : context?.reasons ?? [];
  const permission = `${resource?.type}:${action?.name}`;
  const operation = ASKED[subject?.type]?.(subject.id, permission, asked.second_factor ?? true);
  if (context?.error || !operation) {
    const place = at === null ? "this" : `evaluation ${at + 1}`;
    return { question: `Why was ${place} denied?`, explain: async () => reasons(own) };
  }
  const explain = async () => {
    if (asked.session_id) return reasons(own); // only the decision knows the session
    const { ok, body } = await ask(...operation);
    if (ok && !body.decision) return reasons(body.because, body.nearest, "");
    return [...reasons(own), element("p", "", ok ? "This has changed meanwhile." : body?.detail ?? "")];
  };
  return { question: `Why does ${subject.id} not have ${permission}?`, explain };
}

function questionOf(request, at) {
  try {
    const sent = JSON.parse(request.body);
    return at === null ? sent : { ...sent, ...sent.evaluations[at] };
  } catch {
    return {};
  }
}

function listed(value) {
  return Array.isArray(value) ? value : [];
}

function query(members) {
  return `?${new URLSearchParams(members)}`;
}

// The questions of an auditor, asked with a client whose types are generated from the OpenAPI document.
// Anything that is not as it should be throws; the last line printed is what was answered.

import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
type Decision = Schemas["AvailableRole"];

declare const process: { argv: string[] };

const [, , baseUrl = "", admin = "", password = ""] = process.argv;
const EWA = { path: { user_id: "ewa.dabrowska" } };
const ACCOUNTANT = { path: { role: "accountant" } };

function must<T>(answer: { data?: T; error?: unknown; response: Response }, status: number): T {
  if (answer.response.status !== status) throw new Error(`${answer.response.url}: ${JSON.stringify(answer.error)}`);
  return answer.data as T;
}

// An answer as JSON, where another form could have been asked for.
function json<T>(answer: T | string): T {
  if (typeof answer === "string") throw new Error("another form, which nobody asked for");
  return answer;
}

function as(token?: string): Client<paths> {
  return createClient<paths>({ baseUrl, headers: token ? { Authorization: `Bearer ${token}` } : {} });
}

async function text(path: "/v1/audit/checkpoint" | "/v1/audit/checkpoint/key" | "/.well-known/roles"): Promise<string> {
  return must(await api.GET(path, { parseAs: "text" }), 200) as string;
}

async function erased(): Promise<string> {
  const made = await api.POST("/v1/users", { body: { username: "walter.leaver" } });
  const user_id = must(made, 201).id;
  const etag = made.response.headers.get("ETag") ?? "";
  const params = { path: { user_id }, header: { "If-Match": etag } };
  must(await api.DELETE("/v1/users/{user_id}", { params }), 204);
  must(await api.POST("/v1/users/{user_id}/erasure", { params: { path: { user_id } }, body: { reason: "Asked for it." } }), 204);
  const query = { action: ["user.erased" as const], limit: 1 };
  const [event] = json(must(await api.GET("/v1/audit/events", { params: { query } }), 200)).items;
  return event?.target?.id === user_id ? event.action : "nothing";
}

const first = must(await as().POST("/v1/auth/login", { body: { username: admin, password } }), 200);
if (!("access_token" in first)) throw new Error("cookies, which nobody asked for");
const api = as(first.access_token);
must(await api.POST("/v1/service-accounts", { body: { name: "robot" } }), 201);
const robot = { path: { account_id: "robot" } };
const subject = { type: "user", id: "ewa.dabrowska" };
const resource = { type: "payments", id: "any" };

const may = must(await api.GET("/v1/users/{user_id}/permissions", { params: EWA }), 200);
const roles: Decision[] = must(await api.GET("/v1/users/{user_id}/available-roles", { params: EWA }), 200).items;
const held = json(must(await api.GET("/v1/assignments", { params: { query: { user: subject.id } } }), 200));
const graph = json(must(await api.GET("/v1/role-graph", { params: { query: { user: subject.id } } }), 200));
const access = json(must(await api.GET("/v1/users/{user_id}/access", { params: { ...EWA, query: { permission: "payroll:run" } } }), 200));
const unused = must(await api.GET("/v1/users/{user_id}/unused", { params: EWA }), 200);
const ofRole = must(await api.GET("/v1/roles/{role}/unused", { params: ACCOUNTANT }), 200);
const users = must(await api.GET("/v1/permissions/{permission}/use", { params: { path: { permission: "ledger:post" } } }), 200);
const cut = json(must(await api.GET("/v1/roles/{role}/suggestion", { params: ACCOUNTANT }), 200));
const who = must(await api.POST("/access/v1/search/subject", { body: { subject: { type: "user" }, action: { name: "prepare" }, resource } }), 200);
const what = must(await api.POST("/access/v1/search/action", { body: { subject, resource } }), 200);
const mine = must(await api.GET("/v1/me/permissions", {}), 200);
const robots = must(await api.GET("/v1/service-accounts/{account_id}/permissions", { params: robot }), 200);
const idle = must(await api.GET("/v1/service-accounts/{account_id}/unused", { params: robot }), 200);
const oldest = json(must(await api.GET("/v1/audit/events", { params: { query: { from_seq: 1, limit: 2 } } }), 200));
const dormant = json(must(await api.GET("/v1/users", { params: { query: { never_signed_in: true, sort: "username", limit: 1 } } }), 200));
const erasure = await erased();
const [, size = ""] = (await text("/v1/audit/checkpoint")).split("\n");
const proof = must(await api.GET("/v1/audit/events/{seq}/proof", { params: { path: { seq: 1 }, query: { size: Number(size) } } }), 200);
const agree = must(await api.GET("/v1/audit/consistency", { params: { query: { from: 1, to: Number(size) } } }), 200);

console.log(JSON.stringify({
  may: may.items.some((one) => one.permission === "payments:prepare" && one.paths.length > 0),
  refused: roles.filter((one) => !one.may && one.because.length === 0).length,
  held: held.items.map((one) => one.role).sort(),
  drawn: graph.assignments.map((one) => one.role).sort(),
  access: [access.decision, access.because[0]?.code],
  unused: unused.items.length === may.items.length,
  of_role: ofRole.items.length > 0,
  users: users.items.length,
  cut: cut.roles?.map((one) => one.name),
  who: who.results.some((one) => one.id === held.items[0]?.user.id),
  what: what.results.map((one) => one.name).sort(),
  mine: mine.items.length > 10,
  robots: [robots.items.length, idle.items.length],
  oldest: oldest.items.map((event) => event.seq),
  dormant: dormant.items.length,
  erasure,
  proof: [proof.seq, proof.size === Number(size), proof.root_hash === agree.to_root_hash],
  key: (await text("/v1/audit/checkpoint/key")).split("+").length > 2,
  offline: (await text("/.well-known/roles")).split(".").length,
}));

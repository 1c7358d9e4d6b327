// The story of one program and its keys, told with a client whose types are generated from the OpenAPI document.
// Anything that is not as it should be throws; the last line printed is the trail.

import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Api = Client<paths>;
type Schemas = components["schemas"];

declare const process: { argv: string[] };

const [, , baseUrl = "", admin = "", password = ""] = process.argv;
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

function must<T>(answer: { data?: T; error?: unknown; response: Response }, status: number): T {
  if (answer.response.status !== status) throw new Error(`${answer.response.url}: ${JSON.stringify(answer.error)}`);
  return answer.data as T;
}

function equal(found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`);
}

function as(token?: string): Api {
  return createClient<paths>({ baseUrl, headers: token ? { Authorization: `Bearer ${token}` } : {} });
}

async function signIn(): Promise<Schemas["Tokens"]> {
  const found = must(await as().POST("/v1/auth/login", { body: { username: admin, password } }), 200);
  if (!("access_token" in found)) throw new Error("cookies, which nobody asked for");
  return found;
}

function keyOf(token: string): string {
  return JSON.parse(atob((token.split(".")[0] ?? "").replaceAll("-", "+").replaceAll("_", "/"))).kid;
}

const first = await signIn();
const alice = as(first.access_token);

const robot = must(await alice.POST("/v1/service-accounts", { body: { name: "parcel-robot", description: "Prints labels." } }), 201);
const account = { account_id: robot.id };
const issued = must(await alice.POST("/v1/service-accounts/{account_id}/secrets", { params: { path: account }, body: {} }), 201);
const identity = { client_id: robot.client_id, client_secret: issued.client_secret };
const grant = { grant_type: "client_credentials" as const, ...identity };
const given = must(await as().POST("/oauth/token", { body: grant, headers: FORM }), 200);
const program = as(given.access_token);

equal((await program.GET("/v1/users")).response.status, 403);
const path = { ...account, role: "auditor" };
must(await alice.PUT("/v1/service-accounts/{account_id}/roles/{role}", { params: { path } }), 201);
const readers = await program.GET("/v1/users", { params: { query: { limit: 1 } } });
const people = must(readers, 200);
if (typeof people === "string") throw new Error("CSV, which nobody asked for");
equal(people.items.length, 1);
equal(readers.response.headers.get("Authz-Stale"), "true");

const rotated = must(await alice.POST("/v1/keys/rotate", { body: { emergency: true } }), 201);
const second = await signIn();
equal(keyOf(second.access_token), rotated.kid);
equal((await program.GET("/v1/users")).response.status, 200);
const kid = keyOf(first.access_token);
const again = as(second.access_token);
must(await again.DELETE("/v1/keys/{kid}", { params: { path: { kid } } }), 204);
equal((await program.GET("/v1/users")).response.status, 401);

const filter = { user: admin };
const seen = must(await again.POST("/v1/sessions/revocations", { body: { filter, dry_run: true } }), 200);
equal(seen, { count: 1, dry_run: true }); // the first session ended with its key
const wrong = await again.POST("/v1/sessions/revocations", { body: { filter, expected_count: 7, reason: "too many", dry_run: false } });
equal([wrong.response.status, wrong.error?.code], [409, "sessions.count_differs"]);
const open = must(await again.GET("/v1/incidents", { params: { query: { state: "open" } } }), 200);
if (typeof open === "string") throw new Error("CSV, which nobody asked for");
equal(open.items, []);

const introspected = await again.POST("/oauth/introspect", { body: { token: second.refresh_token }, headers: FORM });
equal(must(introspected, 200).active, true);
must(await again.POST("/oauth/revoke", { body: { token: second.refresh_token }, headers: FORM }), 200);
equal((await again.GET("/v1/me")).response.status, 401);

const last = await signIn();
const trail = must(await as(last.access_token).GET("/v1/audit/events", { params: { query: { limit: 50 } } }), 200);
if (typeof trail === "string") throw new Error("CSV, which nobody asked for");
console.log(JSON.stringify(trail.items.map((event) => event.action).reverse()));

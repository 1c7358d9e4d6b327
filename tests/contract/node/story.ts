// The story of one role, told with a client whose types are generated from the OpenAPI document.
// Anything that is not as it should be throws; the last line printed is the trail.

import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Problem = components["schemas"]["Problem"];
type Api = Client<paths>;

declare const process: { argv: string[] };

const [, , baseUrl = "", admin = "", password = ""] = process.argv;
const OWN = "a passphrase of my own choosing";

function must<T>(answer: { data?: T; error?: unknown; response: Response }, status: number): T {
  if (answer.response.status !== status) throw new Error(`${answer.response.url}: ${JSON.stringify(answer.error)}`);
  return answer.data as T;
}

function refused(answer: { error?: Problem; response: Response }, status: number, code: string): Problem {
  if (answer.response.status !== status || answer.error?.code !== code) {
    throw new Error(`expected ${status} ${code}, got ${answer.response.status} ${JSON.stringify(answer.error)}`);
  }
  return answer.error;
}

function equal(found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`);
}

function as(token?: string): Api {
  return createClient<paths>({ baseUrl, headers: token ? { Authorization: `Bearer ${token}` } : {} });
}

type Schemas = components["schemas"];

function inHand(tokens: Schemas["Tokens"] | Schemas["BrowserSession"]): Schemas["Tokens"] {
  if (!("access_token" in tokens)) throw new Error("cookies, which nobody asked for");
  return tokens;
}

async function signIn(username: string, secret: string) {
  return inHand(must(await as().POST("/v1/auth/login", { body: { username, password: secret } }), 200));
}

async function newcomer(api: Api): Promise<string> {
  const user = must(await api.POST("/v1/users", { body: { username: "wilhelmina", display_name: "Wilhelmina" } }), 201);
  const token = user.password_setup?.token ?? "";
  must(await as().POST("/v1/auth/password-setup", { body: { token, new_password: OWN } }), 204);
  return user.id;
}

const first = await signIn(admin, password);
const tokens = inHand(must(await as().POST("/v1/auth/refresh", { body: { refresh_token: first.refresh_token } }), 200));
const alice = as(tokens.access_token);

must(await alice.POST("/v1/permissions", { body: { name: "parcels:dispatch", description: "Send parcels off." } }), 201);
const made = await alice.POST("/v1/roles", { body: { name: "parcel-clerk", permissions: ["users:read", "parcels:dispatch"] } });
equal(must(made, 201).effective_permissions, ["parcels:dispatch", "users:read"]);

const user_id = await newcomer(alice);
const session = await signIn("wilhelmina", OWN);
const grace = as(session.access_token);
equal(refused(await grace.GET("/v1/users"), 403, "access.denied").required, "users:read");

must(await alice.PUT("/v1/users/{user_id}/roles/{role}", { params: { path: { user_id, role: "parcel-clerk" } } }), 201);
equal(must(await grace.GET("/v1/me"), 200).roles, ["parcel-clerk"]);
const found = must(await grace.GET("/v1/users", { params: { query: { q: "wilhelmina" } } }), 200);
if (typeof found === "string") throw new Error("CSV, which nobody asked for");
equal(found.items.length, 1);
refused(await grace.POST("/v1/users", { body: { username: "somebody" } }), 403, "access.denied");

const path = { session_id: session.session_id };
must(await alice.DELETE("/v1/sessions/{session_id}", { params: { path } }), 204);
refused(await grace.GET("/v1/users"), 401, "token.revoked");
const ended = must(await alice.GET("/v1/sessions/{session_id}", { params: { path } }), 200);
if (typeof ended === "string") throw new Error("a picture, which nobody asked for");
equal(ended.end_reason, "admin");

const trail = must(await alice.GET("/v1/audit/events", { params: { query: { limit: 50 } } }), 200);
if (typeof trail === "string") throw new Error("CSV, which nobody asked for");
console.log(JSON.stringify(trail.items.map((event) => event.action).reverse()));

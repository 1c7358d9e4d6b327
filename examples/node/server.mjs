// An order service: every signed-in caller may list, callers with the role "clerk" may ship.
import { createServer } from "node:http";
import { Refused, Verifier } from "./verifier.mjs";

const { RBAC_ISSUER, RBAC_AUDIENCE, RBAC_SERVICE, PORT = "9003", BOUND_SECONDS = "15" } = process.env;
const options = { bound: Number(BOUND_SECONDS), ...(RBAC_SERVICE && { service: RBAC_SERVICE }) };
const verifier = new Verifier(RBAC_ISSUER, RBAC_AUDIENCE, options);

const routes = [
  { method: "GET", path: /^\/orders$/, answer: (caller) => [200, { of: caller.sub }] },
  {
    method: "POST",
    path: /^\/orders\/(\d+)\/shipment$/,
    role: "clerk",
    answer: (caller, number) => [201, { shipped: Number(number), by: caller.sub }],
  },
];

async function answer(request) {
  const { pathname } = new URL(request.url, "http://localhost");
  const route = routes.find(({ method, path }) => method === request.method && path.test(pathname));
  if (!route) throw new Refused(404, "resource.not_found", "There is nothing here.");
  const caller = await verifier.identify(request.headers.authorization);
  if (route.role && !caller.roles.includes(route.role)) {
    throw new Refused(403, "access.denied", `You need the role ${route.role}.`);
  }
  return route.answer(caller, ...route.path.exec(pathname).slice(1));
}

const server = createServer(async (request, response) => {
  try {
    const [status, body] = await answer(request);
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  } catch (fault) {
    const known = fault instanceof Refused;
    if (!known) console.error(fault);
    const { status, code, message } = known ? fault : { status: 500, code: "internal", message: "The request failed." };
    const headers = { "Content-Type": "application/problem+json" };
    if (status === 401) headers["WWW-Authenticate"] = `Bearer realm="${RBAC_AUDIENCE}"`;
    if (status === 503) headers["Retry-After"] = "2";
    const problem = { type: `${RBAC_ISSUER}/problems/${code}`, status, code, detail: message };
    response.writeHead(status, headers).end(JSON.stringify(problem));
  }
});

await verifier.start();
server.listen(Number(PORT), "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}/orders`));

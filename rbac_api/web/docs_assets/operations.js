// Finds the operations that this page itself uses in the OpenAPI document.

// Each is found by its operationId, else by its method and path.
const OPERATIONS = {
  login: ["login", "post", "/v1/auth/login"],
  refresh: ["refresh", "post", "/v1/auth/refresh"],
  logout: ["logout", "post", "/v1/auth/logout"],
  me: ["get_me", "get", "/v1/me"],
  updateMe: ["update_me", "patch", "/v1/me"],
  changePassword: ["change_my_password", "post", "/v1/me/password"],
  confirmTotp: ["confirm_totp", "post", "/v1/me/totp/confirm"],
  decision: ["get_decision", "get", "/v1/decisions/{decision_id}"],
  access: ["get_user_access", "get", "/v1/users/{user_id}/access"],
  myAccess: ["get_my_access", "get", "/v1/me/access"],
  accountAccess: ["get_service_account_access", "get", "/v1/service-accounts/{account_id}/access"],
  assign: ["assign_role", "put", "/v1/users/{user_id}/roles/{role}"],
  withdraw: ["revoke_role", "delete", "/v1/users/{user_id}/roles/{role}"],
  endSession: ["end_session", "delete", "/v1/sessions/{session_id}"],
  users: ["list_users", "get", "/v1/users"],
  roles: ["list_roles", "get", "/v1/roles"],
  permissions: ["list_permissions", "get", "/v1/permissions"],
  sessions: ["list_sessions", "get", "/v1/sessions"],
  serviceAccounts: ["list_service_accounts", "get", "/v1/service-accounts"],
};
const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

export class Operations {
  #known = {}; // name -> {id, method, path}
  #all = []; // {method, pattern, summary} of every operation

  // Until the document is loaded, the usual paths apply. `root` is the path prefix of the service, or "".
  constructor(root) {
    this.read({ servers: [{ url: root || "/" }] }, location.href);
  }

  read(spec, base) {
    const server = new URL(spec.servers?.[0]?.url ?? "/", base);
    const prefix = server.origin === location.origin ? server.pathname.replace(/\/$/, "") : "";
    this.#all = all(spec).map((one) => ({ ...one, pattern: pattern(prefix + one.path) }));
    for (const [name, [id, method, path]] of Object.entries(OPERATIONS)) {
      const same = (one) => one.method === method && one.path === path;
      const found = this.#all.find((one) => one.id === id) ?? this.#all.find(same) ?? { id, method, path };
      this.#known[name] = { id: found.id, method: found.method, path: prefix + found.path };
    }
  }

  named(name) {
    return this.#known[name];
  }

  nameOf({ method, url }) {
    const [sent, path] = [method.toLowerCase(), pathOf(url)];
    const names = Object.keys(this.#known);
    return names.find((name) => this.#known[name].method === sent && this.#known[name].path === path) ?? null;
  }

  summaryOf({ method, url }) {
    const [sent, path] = [method.toLowerCase(), pathOf(url)];
    const fitting = this.#all.filter((one) => one.method === sent && one.pattern.test(path));
    return (fitting.find((one) => !one.path.includes("{")) ?? fitting[0])?.summary ?? "";
  }

  // Opens an operation and moves the focus to its first field.
  async open(name) {
    this.show(name).press();
    const block = this.#block(name);
    for (let tries = 0; tries < 100; tries += 1) {
      const field = block?.querySelector("tr[data-param-name] input:not([disabled])");
      if (field) {
        field.focus({ preventScroll: true });
        return;
      }
      await new Promise((done) => setTimeout(done, 20)); // until Swagger UI has drawn it
    }
  }

  #block(name) {
    return document.querySelector(`.opblock[id$="-${CSS.escape(this.#known[name].id ?? "")}"]`);
  }

  // Returns an action for a message: it opens the operation and moves the focus there.
  show(name) {
    const { method, path } = this.#known[name];
    const press = () => {
      const block = this.#block(name);
      const opener = block?.querySelector(".opblock-summary-control");
      if (block && !block.classList.contains("is-open")) opener.click();
      block?.scrollIntoView({ block: "start" });
      opener?.focus({ preventScroll: true });
    };
    return { text: `Show ${method.toUpperCase()} ${path}`, press };
  }
}

// Removes ranges beyond U+FFFF from patterns: Swagger UI reads patterns without the flag `u`, where such
// ranges are invalid. The service itself checks them.
export function readablePatterns(answer) {
  return { ...answer, text: answer.text.replace(/[\u{10000}-\u{10ffff}]-[\u{10000}-\u{10ffff}]/gu, "") };
}

export function pathOf(url) {
  return new URL(url, location.href).pathname;
}

function all(spec) {
  return Object.entries(spec.paths ?? {}).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => {
      const { operationId: id, summary } = item[method];
      return { id, method, path, summary };
    }));
}

function pattern(path) {
  return new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{[^}]+\}/g, "[^/]+")}$`);
}

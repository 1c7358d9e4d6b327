// The signed-in session of this page. By cookie: the browser keeps the tokens where no script can read them,
// this page knows the CSRF token, and the session survives a reload. By header: the tokens are in private
// fields here until the page is closed or reloaded.

const READING = new Set(["GET", "HEAD", "OPTIONS"]);

// Whether this browser keeps `__Host-` cookies from this address: not over plain HTTP, except from localhost
// in some browsers.
export function keepsCookies() {
  const [name, always] = ["__Host-rbac-probe", "Secure; Path=/; SameSite=Strict"];
  document.cookie = `${name}=1; ${always}`;
  const kept = document.cookie.includes(`${name}=`);
  document.cookie = `${name}=; Max-Age=0; ${always}`;
  return kept;
}

export class Session {
  #access = null;
  #refresh = null;
  #csrf = null;
  #byCookie = false;
  #round = 0; // grows with every change of tokens; a request carries the number at which it was sent
  #first = 0; // the round in which this session began
  #renewal = null;
  #exchange;
  #changed;

  // exchange(refreshToken or null) -> answer {ok, status, body}; changed() runs after every change of the
  // tokens.
  constructor(exchange, changed) {
    this.#exchange = exchange;
    this.#changed = changed;
  }

  get access() {
    return this.#access;
  }

  get refresh() {
    return this.#refresh;
  }

  get byCookie() {
    return this.#byCookie;
  }

  get signedIn() {
    return this.#byCookie || this.#access !== null;
  }

  get canRenew() {
    return this.#byCookie || this.#refresh !== null;
  }

  // False after a reload: the browser has cookies, but the page has no CSRF token yet.
  get complete() {
    return this.#access !== null || this.#csrf !== null;
  }

  // Whether a request was sent within this session.
  mine(request) {
    return this.signedIn && request.round >= this.#first;
  }

  begin(access, refresh = null) {
    this.#first = this.#round + 1;
    this.#take({ access, refresh });
  }

  beginByCookie(csrf) {
    this.#first = this.#round + 1;
    this.#take({ csrf, byCookie: true });
  }

  end() {
    this.#take({});
  }

  // Stores the round in the request, and lets the browser send cookies only where they are intended.
  stamp(request, { cookies = this.#byCookie && !request.headers.Authorization } = {}) {
    request.round = this.#round;
    request.credentials = cookies ? "same-origin" : "omit";
    if (!cookies) return;
    request.byCookie = this.#byCookie;
    const writes = !READING.has(request.method.toUpperCase());
    if (this.#csrf && writes) request.headers["X-CSRF-TOKEN"] = this.#csrf;
  }

  // Stores the CSRF token of an answer; returns true if it belongs to another session: another tab has signed
  // in.
  learn(csrf) {
    const other = this.#csrf !== null && this.#csrf !== csrf;
    this.#csrf = csrf;
    return other;
  }

  // Gets a newer token after a 401 to `request`. Requests that fail at the same time share one refresh: a
  // second one would look like a stolen token to the service and end the session.
  async renew(request) {
    if (request.round !== this.#round) return { renewed: this.signedIn };
    this.#renewal ??= this.#renewOnce().finally(() => { this.#renewal = null; });
    return this.#renewal;
  }

  // Waits for a pending refresh, so that the next request uses the newest token.
  async settled() {
    await this.#renewal;
  }

  get now() {
    return { round: this.#round };
  }

  // Takes the new tokens of this session.
  continue({ access_token: access = null, refresh_token: refresh = null, csrf_token: csrf = null }) {
    this.#take({ access, refresh, csrf, byCookie: csrf !== null });
  }

  async #renewOnce() {
    const before = this.#round;
    if (!this.canRenew) return { refused: {} };
    const answer = await this.#exchange(this.#refresh);
    if (this.#round !== before) return { renewed: this.signedIn };
    if (answer.ok) {
      this.continue(answer.body);
      return { renewed: true };
    }
    const problem = answer.body ?? {};
    return [400, 401, 403].includes(answer.status) ? { refused: problem } : { unavailable: problem };
  }

  #take({ access = null, refresh = null, csrf = null, byCookie = false }) {
    [this.#access, this.#refresh, this.#csrf, this.#byCookie] = [access, refresh, csrf, byCookie];
    this.#round += 1;
    this.#changed();
  }
}

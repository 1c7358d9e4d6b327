// The signed-in session of this page. Tokens live in private fields: no storage, no cookie, nothing on `window`.

export class Session {
  #access = null;
  #refresh = null;
  #issued = new Set(); // every access token of this session, so that an answer to an older one is recognised
  #renewal = null;
  #exchange;
  #changed;

  // exchange(refreshToken) -> answer {ok, status, body}; changed() runs after every change of the tokens.
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

  get signedIn() {
    return this.#access !== null;
  }

  issued(token) {
    return this.#issued.has(token);
  }

  begin(access, refresh = null) {
    this.#issued.clear();
    this.#take(access, refresh);
  }

  end() {
    this.#issued.clear();
    this.#take(null, null);
  }

  // After a 401 to `sent`: make sure there is a newer token. However many requests fail at once, they share one
  // refresh; a second one would look like a stolen token to the service and end the session.
  async renew(sent) {
    if (sent !== this.#access) return { renewed: this.signedIn };
    this.#renewal ??= this.#renewOnce().finally(() => { this.#renewal = null; });
    return this.#renewal;
  }

  // Waits for a refresh under way, so that what follows uses the newest token.
  async settled() {
    await this.#renewal;
  }

  async #renewOnce() {
    const before = this.#access;
    if (this.#refresh === null) return { refused: {} };
    const answer = await this.#exchange(this.#refresh);
    if (this.#access !== before) return { renewed: this.signedIn };
    if (answer.ok) {
      this.#take(answer.body.access_token, answer.body.refresh_token);
      return { renewed: true };
    }
    const problem = answer.body ?? {};
    return [400, 401, 403].includes(answer.status) ? { refused: problem } : { unavailable: problem };
  }

  #take(access, refresh) {
    this.#access = access;
    this.#refresh = refresh;
    if (access !== null) this.#issued.add(access);
    this.#changed();
  }
}

// Verifies access tokens of rbac-api offline, and follows the signed feed of revocations (docs/verifier.md).
import { compactVerify, createRemoteJWKSet, errors, jwtVerify } from "jose";

const ALGORITHMS = ["EdDSA", "ES256", "RS256"];
const REQUIRED = ["sub", "sid", "jti", "av", "client_id", "iat", "exp", "roles"];
const LISTS = ["sids", "jtis", "kids"];
const RELOAD = 3_600_000; // ms between complete reads of the feed, which drop expired entries

/** Why a request is refused: status, code and sentence of the problem document. */
export class Refused extends Error {
  constructor(status, code, detail) {
    super(detail);
    Object.assign(this, { status, code });
  }
}

const nothing = () => ({ cursor: null, sids: new Set(), jtis: new Set(), kids: new Set(), users: new Map() });
const seconds = () => Math.floor(Date.now() / 1000);

export class Verifier {
  #keys;
  #options;
  #known = nothing();
  #asOf = 0; // the time up to which the state is complete, by the clock of the service
  #askedAt = -Infinity; // when that state was requested, by a clock that is never set back
  #reloadAt = -Infinity;
  #timer;

  constructor(issuer, audience, options = {}) {
    const defaults = { service: issuer, poll: 2, bound: 15, timeout: 2, leeway: 5 };
    this.#options = { issuer, audience, ...defaults, ...options };
    this.#keys = createRemoteJWKSet(this.#url("/.well-known/jwks.json"), {
      timeoutDuration: this.#options.timeout * 1000,
      cooldownDuration: 1000, // an unknown key makes it read the keys again, once a second at most
      cacheMaxAge: 300_000,
    });
  }

  /** Start following the feed; resolves after the first look, whether it succeeded or not. */
  async start() {
    const look = async () => {
      try {
        await this.#follow();
      } catch (fault) {
        console.warn(`the revocation feed cannot be followed: ${fault.message}`);
      }
      this.#timer = setTimeout(look, this.#options.poll * 1000).unref();
    };
    await look();
  }

  stop() {
    clearTimeout(this.#timer);
  }

  /** The claims of the token in this Authorization header, or Refused. */
  async identify(authorization) {
    const [, token] = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? "") ?? [];
    if (!token) throw new Refused(401, "token.missing", "Send an access token in the Authorization header.");
    const { payload, protectedHeader } = await this.#verified(token);
    if (this.#age() > this.#options.bound) {
      throw new Refused(503, "service.unavailable", "It is not known which tokens are revoked. Try again shortly.");
    }
    const { sids, jtis, kids, users } = this.#known;
    const outdated = payload.av < (users.get(payload.sub) ?? 0);
    if (sids.has(payload.sid) || jtis.has(payload.jti) || kids.has(protectedHeader.kid) || outdated) {
      throw new Refused(401, "token.revoked", "This token was revoked. Refresh it, or sign in again.");
    }
    return payload;
  }

  async #verified(token) {
    const { issuer, audience } = this.#options;
    try {
      const checks = { issuer, audience, typ: "at+jwt", algorithms: ALGORITHMS, requiredClaims: REQUIRED };
      const verified = await jwtVerify(token, this.#keys, checks);
      const { roles, av } = verified.payload;
      // Its roles count in one domain only, and this service asks about none.
      if (verified.payload.domain !== undefined) throw new errors.JWTInvalid("a token of one domain");
      if (!Array.isArray(roles) || !Number.isInteger(av)) throw new errors.JWTInvalid("claims of another form");
      return verified;
    } catch (fault) {
      if (fault instanceof errors.JWTExpired) {
        throw new Refused(401, "token.expired", "The token has expired. Refresh it.");
      }
      if (isUnreachable(fault)) {
        throw new Refused(503, "service.unavailable", "The public keys cannot be read. Try again shortly.");
      }
      throw new Refused(401, "token.invalid", "The token is not one of this issuer for this service.");
    }
  }

  /** Seconds since the state was complete, also if this clock was set back since. */
  #age() {
    return Math.max(seconds() - this.#asOf, (performance.now() - this.#askedAt) / 1000);
  }

  /** Read the feed to its end, and only then replace the known state. */
  async #follow() {
    const reload = performance.now() >= this.#reloadAt;
    let known = reload ? nothing() : this.#known;
    let askedAt, answer;
    do {
      askedAt = performance.now();
      answer = await this.#answer(known.cursor);
      known = joined(known, answer);
    } while (answer.more);
    this.#known = known;
    if (answer.iat > this.#asOf) [this.#asOf, this.#askedAt] = [answer.iat, askedAt];
    if (reload) this.#reloadAt = performance.now() + RELOAD;
  }

  async #answer(since) {
    const { issuer, leeway, timeout } = this.#options;
    const path = `/.well-known/revocations${since ? `?since=${since}` : ""}`;
    const signal = AbortSignal.timeout(timeout * 1000);
    const response = await fetch(this.#url(path), { signal, redirect: "error" });
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    const { payload, protectedHeader } = await compactVerify(await response.text(), this.#keys, { algorithms: ALGORITHMS });
    const answer = JSON.parse(new TextDecoder().decode(payload));
    const fits =
      protectedHeader.typ === "revocations+jwt" &&
      !this.#known.kids.has(protectedHeader.kid) && // an answer signed by a withdrawn key is refused
      answer.iss === issuer &&
      answer.since === since &&
      Number.isInteger(answer.iat) &&
      answer.iat >= this.#asOf - leeway && // refuses a replayed answer
      LISTS.every((name) => Array.isArray(answer[name]));
    if (!fits) throw new Error(`${path} is not an answer to what was asked`);
    return answer;
  }

  #url(path) {
    return new URL(this.#options.service.replace(/\/$/, "") + path);
  }
}

function joined(known, answer) {
  const before = answer.complete ? nothing() : known;
  const users = new Map(before.users);
  for (const [user, version] of Object.entries(answer.users)) {
    users.set(user, Math.max(version, users.get(user) ?? 0));
  }
  const [sids, jtis, kids] = LISTS.map((name) => new Set([...before[name], ...answer[name]]));
  return { cursor: answer.cursor, sids, jtis, kids, users };
}

/** The service did not answer, or not with keys; everything else that jose throws is about the token. */
function isUnreachable(fault) {
  return !(fault instanceof errors.JOSEError) || ["ERR_JWKS_TIMEOUT", "ERR_JOSE_GENERIC"].includes(fault.code);
}

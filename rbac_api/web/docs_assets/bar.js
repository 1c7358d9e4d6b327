// The bar at the top, and the messages. Every text from the service goes through `textContent`.

const KEPT_MESSAGES = 4;
const SHOWN_ROLES = 6;
const BRIEF = 6000; // ms; only messages of success disappear by themselves

const at = (id) => document.getElementById(id);

export function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function button(text, label, press) {
  const made = element("button", "button", text);
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", press);
  return made;
}

export class Bar {
  #messages = new Map();

  // signIn(username, password, otp) and signOut() are asynchronous; the bar is busy until they end. signIn
  // returns whether it succeeded, or "otp" if the password is right and the code of a second factor is
  // missing.
  constructor({ signIn, signOut }) {
    at("sign-in").addEventListener("submit", (event) => this.#submit(event, signIn));
    at("sign-out").addEventListener("click", () => this.#busy(signOut));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.hush([...this.#messages.keys()].at(-1));
    });
    new ResizeObserver(() => this.#measure()).observe(at("bar"));
  }

  // Shows the form, once it is known whether a user is signed in.
  ready() {
    at("sign-in").hidden = at("bar").dataset.state === "in";
  }

  signedOut(reason = "") {
    const hadFocus = document.activeElement === at("sign-out");
    this.#show("out", "Not signed in", []);
    this.notice(reason);
    if (hadFocus) at("username").focus();
  }

  // Presses the sign-out button.
  leave() {
    at("sign-out").focus();
    at("sign-out").click();
  }

  signedIn(me) {
    const hadFocus = at("sign-in").contains(document.activeElement);
    this.#show("in", me ? "Signed in as " : "Signed in", me?.roles ?? []);
    if (me) at("who-text").append(element("strong", "", me.username));
    if (hadFocus) at("who").focus();
  }

  // Shows a line under the bar that stays; `action` = {text, press} adds a button to it.
  notice(text, action = null) {
    at("notice").hidden = !text;
    at("notice-text").textContent = text;
    at("notice-action").hidden = !action;
    at("notice-action").textContent = action?.text ?? "";
    at("notice-action").onclick = action?.press ?? null;
  }

  // Shows a message; one with the same key replaces it. `copy` is a value to copy, `about` says what it
  // belongs to.
  say({ key, kind = "problem", title, text = "", about = "", copy = null, action = null }) {
    this.hush(key);
    const box = element("article", `toast ${kind}`);
    box.append(element("h2", "", title));
    if (text) box.append(element("p", "", text));
    if (copy !== null) box.append(this.#copyable(copy));
    if (action) box.append(button(action.text, "", action.press));
    if (about) box.append(element("p", "about", about));
    box.append(this.#closer(key, title));
    this.#messages.set(key, box);
    at("toasts").append(box);
    if (this.#messages.size > KEPT_MESSAGES) this.hush(this.#messages.keys().next().value);
    if (kind === "good") this.#leaveSoon(key, box);
  }

  // Replaces a message's button by what it asked for.
  extend(key, more) {
    const box = this.#messages.get(key);
    if (!box) return;
    more.tabIndex = -1;
    box.querySelector(":scope > .button:not(.close)")?.replaceWith(more);
    box.classList.add("wide");
    more.focus();
  }

  hush(key) {
    this.#messages.get(key)?.remove();
    this.#messages.delete(key);
  }

  clear() {
    for (const key of [...this.#messages.keys()]) this.hush(key);
  }

  // Removes a message after a while, but not while the pointer or the focus is on it.
  #leaveSoon(key, box) {
    setTimeout(() => {
      if (this.#messages.get(key) !== box) return;
      if (box.matches(":hover, :focus-within")) this.#leaveSoon(key, box);
      else this.hush(key);
    }, BRIEF);
  }

  async #submit(event, signIn) {
    event.preventDefault();
    const [username, password, otp] = [at("username").value, at("password").value, at("otp").value];
    const done = await this.#busy(() => signIn(username, password, otp));
    at("otp").value = "";
    at("otp").hidden = done !== "otp";
    if (done === "otp") return at("otp").focus();
    at("password").value = "";
    if (done) at("username").value = "";
    else at("password").focus();
  }

  async #busy(work) {
    if (at("bar").ariaBusy === "true") return false;
    at("bar").ariaBusy = "true";
    try {
      return await work();
    } finally {
      at("bar").ariaBusy = "false";
    }
  }

  #show(state, text, roles) {
    at("bar").dataset.state = state;
    at("who-text").textContent = text;
    at("sign-in").hidden = state === "in";
    at("sign-out").hidden = state === "out";
    const shown = roles.slice(0, SHOWN_ROLES).map((role) => element("li", "", role));
    if (roles.length > SHOWN_ROLES) {
      const rest = element("li", "", `+${roles.length - SHOWN_ROLES} more`);
      rest.title = roles.slice(SHOWN_ROLES).join(", ");
      shown.push(rest);
    }
    if (state === "in" && !roles.length && text !== "Signed in") shown.push(element("li", "none", "no role"));
    at("roles").replaceChildren(...shown);
    at("roles").hidden = !shown.length;
  }

  #copyable(value) {
    const row = element("p", "copy");
    const code = element("code", "", value);
    const copy = button("Copy", `Copy ${value}`, async () => {
      try {
        await navigator.clipboard.writeText(value); // absent without HTTPS, except on localhost
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        copy.textContent = "Selected";
      }
    });
    row.append(code, copy);
    return row;
  }

  #closer(key, title) {
    const close = button("×", `Dismiss: ${title}`, () => this.hush(key));
    close.className = "close";
    return close;
  }

  #measure() {
    document.documentElement.style.setProperty("--bar-height", `${at("bar").offsetHeight}px`);
  }
}

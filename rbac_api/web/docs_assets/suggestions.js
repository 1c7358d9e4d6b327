// Suggests users, roles, permissions and sessions while one is named: in a parameter, or between the quotes of
// a body. It asks the service, so it suggests what the signed-in user may read.

import { element } from "./bar.js";

const PAUSE = 150; // ms without a key before the service is asked
const MOST = 8;
const ROLE = { from: "roles", show: (one) => [one.name, one.title ?? one.description] };
const USER = { from: "users", show: (one) => [one.username, one.display_name ?? one.email] };
const PERMISSION = { from: "permissions", show: (one) => [one.name, one.title ?? one.description] };
const ACCOUNT = { from: "serviceAccounts", show: (one) => [one.name, one.description] };
const SESSION = {
  from: "sessions",
  key: "user", // sessions are found by the name of their user
  show: (one) => [one.id, `${one.user.username}, ${one.ip}, since ${new Date(one.created_at).toLocaleString()}`],
};
const KINDS = {
  user_id: USER, user: USER, actor: USER, account_id: ACCOUNT, service_account: ACCOUNT, role: ROLE,
  roles: ROLE, junior: ROLE, inherits: ROLE, permission: PERMISSION, permissions: PERMISSION,
  session_id: SESSION, session: SESSION,
};
const IN_BODY = /"(\w+)"\s*:\s*(?:\[[^\]]*)?"([^"\n]*)$/; // the member, and what its text begins with

// `ask(name, query)` returns the items of a list, none if they cannot be read.
export function suggest(root, ask) {
  const box = element("ul", "suggestions");
  Object.assign(box, { id: "suggestions", role: "listbox", ariaLabel: "Suggestions", hidden: true });
  document.body.append(box);
  let [field, place, number, timer, putting] = [null, null, 0, 0, false];

  function close() {
    clearTimeout(timer);
    number += 1;
    box.hidden = true;
    box.replaceChildren();
    field?.removeAttribute("aria-activedescendant");
    if (field?.role === "combobox") field.ariaExpanded = "false";
  }

  function offer(target) {
    close();
    [field, place] = [target, placeOf(target)];
    if (!place) return;
    if (target.tagName === "INPUT") Object.assign(target, { role: "combobox", ariaExpanded: "false" });
    target.ariaAutoComplete = "list";
    target.autocomplete = "off";
    target.setAttribute("aria-controls", box.id);
    timer = setTimeout(() => fill(number), PAUSE);
  }

  async function fill(mine) {
    const { kind, typed } = place;
    const query = new URLSearchParams({ limit: MOST, ...(typed && { [kind.key ?? "q"]: typed }) });
    const items = await ask(kind.from, `?${query}`);
    if (mine !== number || !items.length) return;
    box.append(...items.map((one, index) => option(index, ...kind.show(one))));
    const { left, bottom } = field.getBoundingClientRect();
    Object.assign(box.style, { left: `${left + scrollX}px`, top: `${bottom + scrollY}px` });
    box.hidden = false;
    if (field.role === "combobox") field.ariaExpanded = "true";
  }

  function option(index, value, about) {
    const made = element("li", "");
    Object.assign(made, { id: `suggestion-${index}`, role: "option", ariaSelected: "false" });
    made.dataset.value = value;
    made.append(element("strong", "", value), element("span", "", about ?? ""));
    return made;
  }

  function move(step) {
    const options = [...box.children];
    const now = options.findIndex((one) => one.ariaSelected === "true");
    const next = options.at((now + step + (now < 0 && step < 0 ? 1 : 0)) % options.length);
    for (const one of options) one.ariaSelected = String(one === next);
    next.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", next.id);
  }

  function take(one) {
    const [text, caret] = place.with(one.dataset.value);
    putting = true; // React takes the text from the event
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value").set.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.setSelectionRange(caret, caret);
    putting = false;
    close();
  }

  function pressed(event) {
    if (box.hidden || event.target !== field) return;
    const selected = box.querySelector('[aria-selected="true"]');
    const actions = {
      ArrowDown: () => move(1), ArrowUp: () => move(-1), Escape: close, Enter: () => take(selected),
    };
    if (!(event.key in actions) || (event.key === "Enter" && !selected)) return;
    event.preventDefault();
    event.stopPropagation();
    actions[event.key]();
  }

  root.addEventListener("focusin", ({ target }) => offer(target));
  root.addEventListener("focusout", close);
  root.addEventListener("input", ({ target }) => putting || offer(target));
  root.addEventListener("keydown", pressed, { capture: true });
  box.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // the field keeps the focus
    const one = event.target.closest("li");
    if (one) take(one);
  });
}

// Returns what is named in this field at this moment, and what the field has with another name in its place.
function placeOf(target) {
  const parameter = target.closest("tr[data-param-name]")?.dataset.paramName;
  if (target.tagName === "INPUT" && target.type === "text" && KINDS[parameter]) {
    return { kind: KINDS[parameter], typed: target.value, with: (name) => [name, name.length] };
  }
  if (target.tagName !== "TEXTAREA") return null;
  const [before, after] = [target.value.slice(0, target.selectionStart), target.value.slice(target.selectionEnd)];
  const [, member, typed] = IN_BODY.exec(before) ?? [];
  if (!KINDS[member]) return null;
  const kept = before.slice(0, before.length - typed.length);
  const named = (name) => [kept + name + after.replace(/^[^"\n]*/, ""), kept.length + name.length];
  return { kind: KINDS[member], typed, with: named };
}

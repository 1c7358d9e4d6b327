// Shows explanations of refusals. Every text goes through `textContent`.

import { element } from "./bar.js";

// The explanation of a refused request (`GET /v1/decisions/{id}`).
export function explanation({ user, permission, at, because = [], nearest = [] }) {
  const box = element("div", "explanation");
  const asked = permission ? `${user?.username ?? "The caller"} asked for ${permission}` : "Refused";
  const otherwise = permission ? " Give the decision's id to an administrator." : null;
  box.append(element("p", "", `${asked} on ${new Date(at).toLocaleString()}:`));
  box.append(...reasons(because, nearest, otherwise));
  return box;
}

// Reasons, and the roles that would help; without any `otherwise` follows, unless that is null.
export function reasons(because, nearest = [], otherwise = null) {
  const found = because.length ? [list(because.map((reason) => reason.detail))] : [];
  if (nearest.length) {
    const roles = list(nearest);
    roles.className = "roles";
    const text = "Roles that you may assign and that would permit it, the smallest first:";
    return [...found, element("p", "", text), roles];
  }
  const text = "You cannot assign a role that would permit it.";
  return otherwise === null ? found : [...found, element("p", "", text + otherwise)];
}

function list(lines) {
  const made = element("ul", "");
  made.append(...lines.map((line) => element("li", "", line)));
  return made;
}

// Shows the explanation of a refusal (`GET /v1/decisions/{id}`). Every text goes through `textContent`.

import { element } from "./bar.js";

export function explanation({ user, permission, at, because = [], nearest = [] }) {
  const box = element("div", "explanation");
  const asked = permission ? `${user?.username ?? "The caller"} asked for ${permission}` : "Refused";
  box.append(element("p", "", `${asked} on ${new Date(at).toLocaleString()}:`));
  box.append(list(because.map((reason) => reason.detail)));
  if (nearest.length) {
    box.append(element("p", "", "Roles that you may assign and that would permit it, the smallest first:"));
    const roles = list(nearest);
    roles.className = "roles";
    box.append(roles);
  } else if (permission) {
    const text = "You cannot assign a role that would permit it. Give the decision's id to an administrator.";
    box.append(element("p", "", text));
  }
  return box;
}

function list(lines) {
  const made = element("ul", "");
  made.append(...lines.map((line) => element("li", "", line)));
  return made;
}

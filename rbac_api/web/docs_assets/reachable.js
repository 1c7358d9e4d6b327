// Adds what Swagger UI lacks for users of a keyboard or a screen reader, each time it has drawn or changed its size.

const FIELDS = "input, select, textarea";
const SCROLLING = "pre.microlight, .highlight-code, .highlight-code > pre, .picture";
// What surrounds a field, and the field's name there.
const PLACES = [
  ["tr[data-param-name]", (place) => place.dataset.paramName],
  [".operation-filter-input", () => "Filter operations by summary, path, tag or operationId"],
  [".responses-table", (_place, field) =>
    `Media type of the answer ${field.closest("tr")?.dataset.code ?? ""}`.trim()],
  [".opblock-section-request-body", (_place, field) =>
    (field.tagName === "SELECT" ? "Media type of the request body" : "Request body")],
  [".auth-container", (place) => place.querySelector("h4")?.textContent ?? "Credentials"],
];

export function keepReachable(root) {
  let planned = false;
  const repair = () => {
    planned = false;
    nameFields(root);
    nameOthers(root);
    orderHeadings(root);
    letScroll(root);
  };
  const plan = () => {
    if (!planned) requestAnimationFrame(repair);
    planned = true;
  };
  new MutationObserver(plan).observe(root, { childList: true, subtree: true });
  addEventListener("resize", plan); // a narrower page has more to scroll
}

function nameFields(root) {
  for (const field of root.querySelectorAll(FIELDS)) {
    const named = field.labels?.length || field.ariaLabel || field.hasAttribute("aria-labelledby");
    if (!named) field.ariaLabel = nameFor(field);
  }
}

function nameFor(field) {
  for (const [selector, name] of PLACES) {
    const place = field.closest(selector);
    if (place) return name(place, field);
  }
  return field.placeholder || "Value";
}

function nameOthers(root) {
  for (const filter of root.querySelectorAll(".operation-filter-input")) {
    filter.placeholder = "Filter operations";
  }
  for (const button of root.querySelectorAll(".close-modal")) button.ariaLabel = "Close";
  // it says "Authorize"
  for (const button of root.querySelectorAll(".modal-btn[aria-label]")) button.removeAttribute("aria-label");
  for (const dialog of root.querySelectorAll(".modal-ux")) {
    dialog.role = "dialog";
    dialog.ariaModal = "true";
    dialog.ariaLabel = dialog.querySelector("h3")?.textContent ?? "Authorizations";
  }
  for (const table of root.querySelectorAll(".responses-table[role=region]")) {
    table.ariaLabel = `Documented answers of ${table.closest(".opblock")?.id.split("-").at(-1)}`;
  }
}

// Skips no heading level.
function orderHeadings(root) {
  let before = 0;
  for (const heading of root.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    before = Math.min(Number(heading.tagName[1]), before + 1);
    heading.ariaLevel = before;
  }
}

// Makes overflowing text scrollable with the keyboard.
function letScroll(root) {
  for (const text of root.querySelectorAll(SCROLLING)) {
    if (text.scrollWidth > text.clientWidth || text.scrollHeight > text.clientHeight) text.tabIndex = 0;
  }
}

// Changes Swagger UI through its own plugin interface.

import { withoutSecrets } from "./plain_words.js";

// Hides secrets in the curl box, which is drawn from these two; the request that is sent is another object.
function maskedCurl() {
  const masked = (original) => (path, method, request) => original(path, method, withoutSecrets(request));
  return { statePlugins: { spec: { wrapActions: { setRequest: masked, setMutatedRequest: masked } } } };
}

// Deep links (`#/tag/operationId`). The browser scrolls, so that it leaves room for the bar
// (`scroll-padding-top`). Swagger UI's own reading of the hash writes an error to the console for every name
// with an underscore.
function deepLinks() {
  const scrollToElement = () => (target) => ({ type: "docs_scrolled", payload: target.scrollIntoView() });
  const parseDeepLinkHash = (_original, system) => (hash) => {
    const [tag, id] = hash.replace(/^#!?\/?/, "").split("/");
    const { show, scrollTo, scrollToVirtualizedOperation } = system.layoutActions;
    const target = id ? ["operations", tag, id] : ["operations-tag", tag];
    if (hash.startsWith("#/") && tag) {
      show(["operations-tag", tag], true);
      show(target, true);
      scrollTo(target);
      scrollToVirtualizedOperation(target);
    }
    return { type: "docs_deep_link" };
  };
  return { statePlugins: { layout: { wrapActions: { scrollToElement, parseDeepLinkHash } } } };
}

// Reports to the page what the user enters or removes in the Authorize dialog; not what the page does itself.
export function authorizeDialog(schemes, { pasted, forgotten }) {
  const authorize = (original) => (given) => {
    const result = original(given);
    pasted(given);
    return result;
  };
  const logout = (original) => (names, { silently = false } = {}) => {
    const result = original(names);
    if (!silently && names.some((name) => schemes.includes(name))) forgotten();
    return result;
  };
  return () => ({ statePlugins: { auth: { wrapActions: { authorize, logout } } } });
}

// Filters operations by summary, path, method, operationId and tag: every word must occur in one of them.
function filterEverything() {
  const opsFilter = (tags, phrase) => {
    const words = plain(phrase).split(/\s+/).filter(Boolean);
    const fits = (tag) => (one) => {
      const { summary, operationId } = one.get("operation").toJS();
      const text = plain([tag, one.get("method"), one.get("path"), summary, operationId].join("\n"));
      return words.every((word) => text.includes(word));
    };
    return tags.map((group, tag) => group.update("operations", (all) => all.filter(fits(tag))))
      .filter((group) => group.get("operations").size > 0);
  };
  const operations = (Original, { React }) => (props) => {
    const h = React.createElement;
    const text = "No operation contains all of these words. Empty the filter to see all operations.";
    const nothing = () => h("p", { className: "nothing", role: "status" }, text);
    return props.specSelectors.taggedOperations().size ? h(Original, props) : nothing();
  };
  return { fn: { opsFilter }, wrapComponents: { operations } };
}

// For keyboards and screen readers: an operation's path is text in the button that opens it, not a link
// within a button. The page has one main element, which is all of Swagger UI.
function oneOfEach() {
  const DeepLink = (Original, { React }) => (props) =>
    (props.path?.includes("/")
      ? React.createElement("span", null, props.text)
      : React.createElement(Original, props));
  const VersionPragmaFilter = (Original, { React }) => (props) => {
    const h = React.createElement;
    const plainPart = (part) => (part?.type === "main" ? h("div", part.props) : part);
    const parts = React.Children.map(props.children, plainPart);
    return h(Original, props, parts);
  };
  return { wrapComponents: { DeepLink, VersionPragmaFilter } };
}

// Removes accents and capitals.
function plain(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

// Resolves the references of the operation that is opened. Swagger UI's own resolver reads the whole document
// for each operation, which takes more than a second. All our references lead to places in this document.
function resolvedOnly() {
  const at = (document, names) => names.reduce((part, name) => part?.[name], document);
  const unescaped = (name) => name.replaceAll("~1", "/").replaceAll("~0", "~");
  const resolved = (document, base, part, within = []) => {
    const inside = (value) => resolved(document, base, value, within);
    if (Array.isArray(part)) return part.map(inside);
    if (part === null || typeof part !== "object") return part;
    const own = Object.fromEntries(Object.entries(part).map(([name, value]) => [name, inside(value)]));
    const { $ref, ...others } = own;
    if (typeof $ref !== "string" || within.includes($ref)) return own; // a schema within itself ends here
    const target = at(document, $ref.split("/").slice(1).map(unescaped));
    const found = resolved(document, base, target, [...within, $ref]);
    return { ...found, ...others, $$ref: base + $ref };
  };
  const resolveSubtree = async (document, path, { baseDoc = "" } = {}) => {
    const spec = resolved(document, baseDoc, at(document, path));
    const shared = resolved(document, baseDoc, at(document, path.slice(0, -1))?.parameters ?? []);
    if (path[0] === "paths" && shared.length) spec.parameters = [...(spec.parameters ?? []), ...shared];
    return { spec, errors: [] };
  };
  return { fn: { resolveSubtree } };
}

// Makes "Execute" wait until Swagger UI has resolved the operation, shortly after it was opened. Before that
// it would show "loading" forever.
function resolvedFirst() {
  const execute = (original, { specSelectors }) => async (request) => {
    const { path, method } = request;
    while (!specSelectors.specResolvedSubtree(["paths", path, method])) {
      await new Promise((done) => setTimeout(done, 20));
    }
    return original({ ...request, operation: specSelectors.operationWithMeta(path, method) });
  };
  return { statePlugins: { spec: { wrapActions: { execute } } } };
}

// Shows what the answer denies, the answer, and then the request that led to it; scrolls it into view.
function answerFirst() {
  const liveResponse = (Original, { React }) => class extends Original {
    #box = React.createRef();

    componentDidMount() {
      this.#show();
    }

    componentDidUpdate({ response }) {
      if (!response.equals(this.props.response)) this.#show(); // not when another operation is answered
    }

    #show() {
      requestAnimationFrame(() => bringIntoView(this.#box.current)); // the body is drawn a moment later
    }

    render() {
      const drawn = super.render();
      const parts = React.Children.toArray(drawn.props.children);
      const answer = parts.findIndex((part) => part.type === "h4");
      const box = { ref: this.#box, className: "answer" };
      const denied = whyNot(this.props.response.get("denials")?.() ?? [], React.createElement);
      return React.createElement("div", box, parts[answer], denied, parts.slice(answer + 1), parts.slice(0, answer));
    }
  };
  return { wrapComponents: { liveResponse } };
}

// A question for each denial in the answer, which opens its explanation.
function whyNot(denials, h) {
  const one = ({ key, question, explain }) =>
    h("details", { key, onToggle: ({ currentTarget }) => fill(currentTarget, explain) },
      h("summary", null, question),
      h("div", { className: "explanation", "aria-live": "polite" }));
  const box = { className: "denials", role: "group", "aria-label": "What the answer denies" };
  return denials.length ? h("div", box, denials.map(one)) : null;
}

async function fill(details, explain) {
  const box = details.querySelector(".explanation");
  if (!details.open || details.ariaBusy) return; // asked once
  details.ariaBusy = "true";
  box.replaceChildren(...await explain());
  details.ariaBusy = "false";
}

// Scrolls only if a part of the answer is not visible, until the pressed button is just below the bar.
function bringIntoView(box) {
  const button = box?.closest(".opblock")?.querySelector(".execute");
  const table = box?.querySelector(".live-responses-table");
  if (!button || !table || table.getBoundingClientRect().bottom <= innerHeight) return;
  button.scrollIntoView({ block: "start", behavior: "instant" });
}

const SCAN =
  "Scan this with an authenticator app, then send the code it shows with POST /v1/me/totp/confirm.";

// Shows the QR code of an answer as an image.
function scannable() {
  const responseBody = (Original, { React }) => (props) => {
    const code = /"qr_code"\s*:\s*"(data:image\/png;base64,[A-Za-z0-9+/=]+)"/.exec(props.content)?.[1];
    const h = React.createElement;
    const figure = () => h("figure", { className: "scan" },
      h("img", { src: code, alt: "QR code with the secret, for an authenticator app" }),
      h("figcaption", null, SCAN));
    return h(React.Fragment, null, code ? figure() : null, h(Original, props));
  };
  return { wrapComponents: { responseBody } };
}

// Shows an answer that is a picture. As the source of an image it can run no script and load nothing.
function drawn() {
  const responseBody = (Original, { React }) => (props) => {
    const h = React.createElement;
    if (!props.contentType?.startsWith("image/svg+xml")) return h(Original, props);
    const title = /<title>([^<]*)/.exec(props.content)?.[1] ?? "Picture";
    const alt = `${new DOMParser().parseFromString(title, "text/html").documentElement.textContent}. `
      + "As JSON or Mermaid the same can be read as text.";
    const src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(props.content)}`;
    return h("figure", { className: "picture" }, h("img", { src, alt }));
  };
  return { wrapComponents: { responseBody } };
}

export const plugins = [
  maskedCurl, deepLinks, filterEverything, oneOfEach, resolvedOnly, resolvedFirst, answerFirst, scannable,
  drawn,
];

// What is changed inside Swagger UI, through its own plugin points.

import { withoutSecrets } from "./plain_words.js";

// The curl box is drawn from these two; the request that is sent is another object.
export function maskedCurl() {
  const masked = (original) => (path, method, request) => original(path, method, withoutSecrets(request));
  return { statePlugins: { spec: { wrapActions: { setRequest: masked, setMutatedRequest: masked } } } };
}

// Deep links (`#/tag/operationId`). The browser scrolls, so that it leaves room for the bar (`scroll-padding-top`).
// Swagger UI's own reading of the hash writes an error to the console for every name with an underscore.
export function deepLinks() {
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

// The Authorize dialog: tells the page about a token given or forgotten there.
export function authorizeDialog(scheme, { pasted, forgotten }) {
  const authorize = (original) => (given) => {
    const result = original(given);
    pasted(given[scheme]?.value);
    return result;
  };
  const logout = (original) => (names) => {
    const result = original(names);
    if (names.includes(scheme)) forgotten();
    return result;
  };
  return () => ({ statePlugins: { auth: { wrapActions: { authorize, logout } } } });
}

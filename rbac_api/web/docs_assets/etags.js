// Remembers the last ETag of each resource, for writes that need it.

import { header } from "./plain_words.js";
import { pathOf } from "./operations.js";

const etags = new Map(); // path -> ETag

export function rememberEtag(request, answer) {
  const etag = header(answer, "etag");
  const created = answer.status === 201 ? header(answer, "location") : null;
  const path = pathOf(created ?? request.url);
  if (request.method.toUpperCase() === "DELETE" && answer.ok) etags.delete(path);
  else if (etag && answer.ok) etags.set(path, etag);
}

export function seenEtag(request) {
  return etags.get(pathOf(request.url)) ?? null;
}

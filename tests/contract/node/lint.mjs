// Lints an OpenAPI document: Redocly's recommended ruleset with every warning an error, and what a reader needs besides.
// Prints one problem per line; nothing if the document is clean.

import { createConfig, lint } from "@redocly/openapi-core";

const also = [
  "operation-description",
  "parameter-description",
  "scalar-property-missing-example",
  "no-invalid-schema-examples",
  "no-invalid-parameter-examples",
  "no-invalid-media-type-examples",
];
const config = await createConfig({
  extends: ["recommended-strict"],
  rules: Object.fromEntries(also.map((rule) => [rule, "error"])),
});
for (const { ruleId, message, location } of await lint({ ref: process.argv[2], config })) {
  console.log(`${ruleId} at ${location[0]?.pointer}: ${message.replace(/\s+/g, " ")}`);
}

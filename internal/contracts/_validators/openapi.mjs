// Validates an OpenAPI document and its examples with the library of Redocly CLI: node openapi.mjs FILE
import { createConfig, lint } from '@redocly/openapi-core';

const [file] = process.argv.slice(2);
// The schemas say themselves what may stand beside their properties.
const strict = { severity: 'error', allowAdditionalProperties: true };
const config = await createConfig({
  extends: ['spec'],
  rules: {
    'no-invalid-media-type-examples': strict,
    'no-invalid-parameter-examples': strict,
    'no-invalid-schema-examples': strict,
    'no-unused-components': 'error',
  },
});
const problems = await lint({ ref: file, config });
for (const { severity, message, location } of problems) console.error(`${severity}: ${location[0]?.pointer ?? ''}: ${message}`);
if (problems.length > 0) process.exit(1);
console.log(`${file}: valid`);
